"""Guards against a document that slips through because of the form it is written in, and against a pack that crashes.

Whatever Pulumi may hand over as a document must be judged or refused: a rule that fails on it would stop nobody with a
message that helps nobody.
"""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from call_route_policies import RULES
from call_route_policies.iam_patterns import is_everything
from call_route_policies.policy_documents import PLACES, documents, read
from call_route_policies.rule import Resource, Unknown, matches_any
from tests.policies.pack import Pack
from tests.policies.stacks import Stack, recorded
from tests.policies.values import KEY_ARN, TAGS, arn, policy

WIDE = {"Effect": "Allow", "Action": "sqs:*", "Resource": arn("sqs", "added")}
FORMS: dict[str, Any] = {
    "JSON text, a list of statements": json.dumps({"Version": "2012-10-17", "Statement": [WIDE]}),
    "JSON text, one statement": json.dumps({"Statement": WIDE}),
    "JSON text with white space, as getPolicyDocument writes it": json.dumps(
        {"Version": "2012-10-17", "Statement": [WIDE]}, indent=2
    ),
    "an object, a list of statements": {"Version": "2012-10-17", "Statement": [WIDE]},
    "an object, one statement": {"Version": "2012-10-17", "Statement": WIDE},
    "lists of one": {"Statement": [{**WIDE, "Action": ["sqs:*"], "Resource": [WIDE["Resource"]]}]},
    "the second of two actions": {"Statement": {**WIDE, "Action": ["sqs:SendMessage", "sqs:*"]}},
    "the second of two statements": {"Statement": [{**WIDE, "Action": "sqs:SendMessage"}, WIDE]},
}


@pytest.mark.parametrize("form", FORMS)
def test_a_document_is_judged_in_every_form(pack: Pack, form: str) -> None:
    stack = recorded("dev")
    stack.add("aws:iam/userPolicy:UserPolicy", "added", {"user": "operator", "policy": FORMS[form]})

    (said,) = pack.judge(stack)

    assert said.rule == "iam-no-wildcard-actions"
    assert said.message.endswith("and not sqs:*.")


IDENTITY = [
    ("aws:iam/groupPolicy:GroupPolicy", {"group": "g", "policy": policy("sqs:*", resource=WIDE["Resource"])}),
    ("aws:iam/policy:Policy", {"policy": policy("sqs:*", resource=WIDE["Resource"]), "tags": TAGS}),
    ("aws:iam/rolePolicy:RolePolicy", {"role": "r", "policy": policy("sqs:*", resource=WIDE["Resource"])}),
    ("aws:iam/userPolicy:UserPolicy", {"user": "u", "policy": policy("sqs:*", resource=WIDE["Resource"])}),
    (
        "aws:ssoadmin/permissionSetInlinePolicy:PermissionSetInlinePolicy",
        {"inlinePolicy": policy("sqs:*", resource=WIDE["Resource"])},
    ),
]


@pytest.mark.parametrize(("type_", "inputs"), IDENTITY, ids=[type_ for type_, _ in IDENTITY])
def test_a_document_is_judged_wherever_it_stands(pack: Pack, type_: str, inputs: dict[str, Any]) -> None:
    stack = recorded("dev")
    stack.add(type_, "added", inputs)

    assert {each.rule for each in pack.judge(stack)} == {"iam-no-wildcard-actions"}


def test_the_inline_policies_of_a_role_are_judged_each(pack: Pack) -> None:
    stack = recorded("dev")
    role = stack.one("Role", "pipe-role")
    role.inputs["inlinePolicies"] = [
        {"name": "a"},
        {"name": "b", "policy": FORMS["JSON text, one statement"]},
    ]

    assert [each.rule for each in pack.judge(stack)] == ["iam-no-wildcard-actions"]


def test_the_policy_of_a_key_may_speak_of_all_resources_which_is_the_key(pack: Pack) -> None:
    stack = recorded("dev")
    statement = {
        "Effect": "Allow",
        "Principal": {"Service": "connect.amazonaws.com"},
        "Action": "kms:GenerateDataKey",
        "Resource": "*",
    }
    stack.add("aws:kms/key:Key", "key", {"policy": {"Statement": statement}, "tags": TAGS}, arn=KEY_ARN)

    assert pack.judge(stack) == []


REFUSED = [
    ("", "is JSON"),
    ("[]", "is an object with Version and Statement, and not []"),
    ("null", "is an object with Version and Statement, and not null"),
    (42, "is an object with Version and Statement, and not 42"),
    (True, "is an object with Version and Statement, and not true"),
    ("[" * 100_000, "nested too deeply"),
    ({"Statement": []}, "has a Statement, an object or a list of them, and not []"),
    ({"Version": "2012-10-17"}, "and not null"),
    ({"Version": 2012, "Statement": WIDE}, "has the Version 2012-10-17, and not 2012"),
    ({"Statement": WIDE, "Statements": WIDE}, "has no element 'Statements'"),
    ({"Statement": ["Allow"]}, 'statement 1 in policy that is an object, and not "Allow"'),
    ({"Statement": {**WIDE, "Effect": "allow"}}, 'has the Effect Allow or Deny, and not "allow"'),
    ({"Statement": {**WIDE, "Effect": ["Allow"]}}, 'has the Effect Allow or Deny, and not ["Allow"]'),
    ({"Statement": {**WIDE, "NotAction": "sqs:SendMessage"}}, "has one of Action and NotAction"),
    ({"Statement": {**WIDE, "Action": []}}, "has a text or a list of texts as Action, and not []"),
    ({"Statement": {**WIDE, "Action": {"sqs": "*"}}}, "has a text or a list of texts as Action"),
    (
        {"Statement": {**WIDE, "Action": ["sqs:*", "SendMessage"]}},
        'such as sqs:SendMessage, and not "SendMessage"',
    ),
    ({"Statement": {**WIDE, "Action": "iam:CreateAccessKey "}}, 'and not "iam:CreateAccessKey "'),
    ({"Statement": {**WIDE, "Resource": [1]}}, "has a text or a list of texts as Resource, and not [1]"),
    ({"Statement": {**WIDE, "Sid": 1, "Effect": "Deny"}}, "has a text as Sid, and not 1"),
    ({"Statement": {**WIDE, "Principal": "*"}}, "has no Principal, which its kind of policy does not know"),
    ({"Statement": {**WIDE, "Condition": "never"}}, "as Condition, and not"),
    ({"Statement": {**WIDE, "Condition": {"StringEquals": "a"}}}, "as Condition, and not"),
    (
        {"Statement": {**WIDE, "Condition": {"Bool": {"a": {}}}}},
        "has texts, numbers or booleans as the condition's a",
    ),
]


@pytest.mark.parametrize(("value", "problem"), REFUSED, ids=lambda each: str(each)[:40])
def test_what_cannot_be_read_is_refused_with_the_reason(value: Any, problem: str) -> None:
    read_document = read(value, "identity", "policy")

    assert read_document.statements == ()
    (said,) = read_document.problems
    assert problem in said


def test_what_is_not_known_yet_is_neither_read_nor_refused() -> None:
    whole = read(Unknown("policy"), "identity", "policy")
    part = read(
        {"Statement": [{**WIDE, "Resource": [Unknown("policy.Statement[0].Resource[0]")]}, WIDE]},
        "identity",
        "p",
    )

    assert (whole.statements, whole.problems, whole.unknown) == ((), (), Unknown("policy"))
    assert len(part.statements) == 1
    assert part.unknown == Unknown("policy.Statement[0].Resource[0]")


ELEMENTS = (
    "Sid",
    "Effect",
    "Action",
    "NotAction",
    "Resource",
    "NotResource",
    "Principal",
    "NotPrincipal",
    "Condition",
)
scalars = (
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
)
texts = st.text(max_size=12) | st.sampled_from(
    [
        "*",
        "Allow",
        "Deny",
        "dynamodb:*",
        "iam:PassRole",
        "sts:AssumeRole",
        "arn:aws:sqs:*:*:*",
        "arn:",
        ":::::",
        "a" * 300,
    ]
)
services = st.sampled_from(["s3", "logs", "unheard-of", "", "*", "IAM"])
texts |= st.builds("{}:{}".format, services, st.text(max_size=6) | st.just("*"))
texts |= st.builds("arn:aws:{}:::{}".format, services, st.text(max_size=6) | st.just("a/*"))
values = st.recursive(
    scalars | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=8,
)
statements = st.dictionaries(st.sampled_from(ELEMENTS), values, max_size=5) | values
odd_documents = (
    values
    | st.fixed_dictionaries({"Statement": st.lists(statements, max_size=3) | statements})
    | st.fixed_dictionaries({"Version": values, "Statement": statements})
)
sound_statements = st.fixed_dictionaries(
    {"Effect": st.just("Allow"), "Action": texts.filter(bool), "Resource": texts.filter(bool)}
) | st.fixed_dictionaries(
    {
        "Effect": st.just("Allow"),
        "Action": texts.filter(bool),
        "Principal": st.just("*")
        | st.dictionaries(st.sampled_from(["AWS", "Service"]), texts.filter(bool), min_size=1),
        "Condition": st.dictionaries(texts, st.dictionaries(texts, texts), max_size=2),
    }
)
odd_documents |= st.fixed_dictionaries({"Statement": st.lists(sound_statements, min_size=1, max_size=2)})
as_sent = odd_documents | odd_documents.map(json.dumps) | st.text(max_size=40)


ODD_TYPES = (
    # One for each form of place: a document's, a trust policy's, a list of documents, and none that a rule lists.
    "aws:cloudwatch/logResourcePolicy:LogResourcePolicy",
    "aws:efs/fileSystemPolicy:FileSystemPolicy",
    "aws:iam/role:Role",
    "aws:iam/userPolicy:UserPolicy",
    "aws:kms/key:Key",
    "aws:sqs/queue:Queue",
    "aws:ssoadmin/permissionSetInlinePolicy:PermissionSetInlinePolicy",
)


def odd_stack(value: Any) -> Stack:
    """A stack with an odd value in every place that a rule parses."""
    stack = recorded("prod")
    for type_ in ODD_TYPES:
        stack.add(
            type_,
            f"odd {type_}",
            dict.fromkeys(
                ("policy", "assumeRolePolicy", "policyDocument", "inlinePolicy", "role", "user", "group"),
                value,
            )
            | {"inlinePolicies": [{"policy": value}, value], "managedPolicyArns": value, "tags": value},
        )
    stack.one("RolePolicy", "tracker-pipe-policy").inputs["policy"] = value
    stack.one("StateMachine").inputs["definition"] = value
    stack.one("StateMachine").inputs["loggingConfiguration"] = value
    stack.one("ContactFlow").inputs["content"] = value
    stack.one("Table").inputs["ttl"] = value
    stack.one("Table").inputs["replicas"] = value
    stack.one("Pipe").inputs["sourceParameters"] = value
    stack.one("Stream").inputs["retentionPeriod"] = value
    return stack


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(value=as_sent)
@example(value=[[]])
@example(value={"a": {}})
def test_no_value_crashes_the_pack(pack: Pack, value: Any) -> None:
    said = pack.judge(odd_stack(value))

    # A crash would be an error of the call. And what is neither a document nor a flow must not pass as one.
    refusing = (
        {"flow-content-is-flow-language"}
        if value is None
        else {"flow-content-is-flow-language", "iam-documents-are-readable"}
    )
    assert refusing <= {each.rule for each in said}


@settings(max_examples=300, deadline=None)
@given(value=as_sent)
def test_reading_a_document_ends_in_statements_or_in_problems(value: Any) -> None:
    for type_ in PLACES:
        resource = Resource(
            type_, "odd", "urn:pulumi:dev::p::t::odd", {"policy": value, "policyDocument": value}
        )
        for document in documents(resource):
            assert document.statements or document.problems


blocks = st.fixed_dictionaries(
    {},
    optional={
        "Identifier": st.sampled_from(["a", "b"]) | values,
        "Type": st.sampled_from(["MessageParticipant", "GetParticipantInput", "UpdateContactAttributes"])
        | values,
        "Parameters": st.fixed_dictionaries({}, optional={"Attributes": values, "Text": values}) | values,
        "Transitions": st.fixed_dictionaries(
            {}, optional={"NextAction": st.just("a") | values, "Conditions": values, "Errors": values}
        )
        | values,
    },
)
flows = st.fixed_dictionaries(
    {
        "Version": st.just("2019-10-30"),
        "StartAction": st.just("a") | values,
        "Actions": st.lists(blocks, max_size=3),
    },
    optional={"Metadata": values, "Settings": values},
)
states = st.fixed_dictionaries(
    {"Type": st.sampled_from(["Task", "Map", "Parallel", "Choice", "Pass"]) | values},
    optional={
        "Resource": st.sampled_from(
            ["arn:aws:states:::sqs:sendMessage", "arn:aws:states:::dynamodb:updateItem"]
        )
        | values,
        "Arguments": st.fixed_dictionaries(
            {}, optional={"TableName": texts | values, "QueueUrl": texts | values}
        )
        | values,
        "ItemProcessor": values,
        "Branches": values,
        "Catch": st.lists(
            st.fixed_dictionaries({"ErrorEquals": values, "Next": st.just("a") | values}) | values,
            max_size=2,
        )
        | values,
        "Choices": st.lists(st.fixed_dictionaries({"Next": values}) | values, max_size=2) | values,
    },
)
definitions = st.fixed_dictionaries(
    {"States": st.dictionaries(st.just("a") | texts, states, max_size=3) | values}
)


def test_statements_that_are_not_known_yet_make_a_document_of_a_type_that_is_not_listed() -> None:
    unknown = Unknown("rules.Statement[0]")
    resource = Resource(
        "aws:glue/job:Job", "odd", "urn:pulumi:prod::p::t::odd", {"rules": {"Statement": [unknown]}}
    )

    assert [(each.place, each.unknown) for each in documents(resource)] == [("rules", unknown)]


def judged_in_process(type_: str, props: dict[str, Any]) -> None:
    """Runs every rule about a type, as the pack does but without its process, which is slower."""
    odd = Resource(type_, "odd", "urn:pulumi:prod::p::t::odd", props)
    role = Resource(
        "aws:iam/role:Role", "role", "urn:pulumi:prod::p::t::role", {"name": "role", "arn": "arn:role"}
    )
    for rule in RULES:
        configured, _ = rule.configured({})
        if rule.check and matches_any(type_, rule.types or ("*",)):
            assert all(isinstance(finding, str) for finding in rule.check(odd, configured))
        if rule.check_stack:
            assert all(isinstance(finding, str) for _, finding in rule.check_stack([odd, role], configured))


@settings(max_examples=150, deadline=None)
@given(
    content=flows,
    type_=st.just("CONTACT_FLOW") | values,
    kind=st.sampled_from(["contactFlow:ContactFlow", "contactFlowModule:ContactFlowModule"]),
)
def test_no_flow_crashes_a_rule(content: dict[str, Any], type_: Any, kind: str) -> None:
    judged_in_process(f"aws:connect/{kind}", {"content": json.dumps(content), "type": type_})


@settings(max_examples=150, deadline=None)
@given(definition=definitions)
def test_no_definition_crashes_a_rule(definition: dict[str, Any]) -> None:
    judged_in_process(
        "aws:sfn/stateMachine:StateMachine",
        {
            "definition": json.dumps(definition),
            "roleArn": "arn:role",
            "arn": "arn:aws:states:ap-northeast-1:111111111111:stateMachine:odd",
            "type": "EXPRESS",
        },
    )


@settings(max_examples=150, deadline=None)
@given(source=values, target=values, parameters=values, logs=values)
def test_no_pipe_crashes_a_rule(source: Any, target: Any, parameters: Any, logs: Any) -> None:
    judged_in_process(
        "aws:pipes/pipe:Pipe",
        {
            "source": source,
            "target": target,
            "roleArn": "arn:role",
            "sourceParameters": {
                "kinesisStreamParameters": parameters,
                "filterCriteria": {"filters": parameters},
            },
            "desiredState": parameters,
            "targetParameters": {"stepFunctionStateMachineParameters": parameters},
            "logConfiguration": logs,
        },
    )


@pytest.mark.parametrize("text", ['{"a": "\\ud800"}', '{"Statement": {"Effect": "\\ud800"}}'])
def test_half_a_surrogate_pair_reaches_no_message(pack: Pack, text: str) -> None:
    assert pack.judge_resources(odd_stack(text))


@pytest.mark.parametrize("depth", [300, 5_000, 20_000])
def test_deep_nesting_crashes_nothing(pack: Pack, depth: int) -> None:
    nested = '{"States": {"a": {"Type": "Map", "ItemProcessor": ' * depth + "{}" + "}}}" * depth
    text = '{"Statement": {"Effect": ' + "[" * depth + "]" * depth + "}}"

    for each in (nested, text):
        # The program's own resources, without the many that carry the same.
        assert pack.judge(Stack(one for one in odd_stack(each) if not one.name.startswith("odd")))


@pytest.mark.parametrize(
    ("arn", "everything"),
    [
        ("*", True),
        ("arn:*", True),
        ("arn:aws:*:*:*:*", True),
        (arn("dynamodb", "table/*"), True),
        (arn("dynamodb", "t*"), True),
        (arn("dynamodb", "table/*/index/*"), True),
        (arn("sqs", "*"), True),
        ("arn:aws:s3:::*", True),
        ("arn:aws:s3:::*/*", True),
        (arn("unheard-of", "*"), True),
        (arn("dynamodb", "table/call-records"), False),
        (arn("dynamodb", "table/*-*"), True),
        (arn("dynamodb", "table/????*"), True),
        (arn("dynamodb", "table/call-*"), False),
        (arn("dynamodb", "table/a-*"), False),
        (arn("dynamodb", "table/a*"), False),
        (arn("dynamodb", "table/*e"), False),
        (arn("dynamodb", "table/call-records/index/*"), False),
        (arn("logs", "log-group:/aws/vendedlogs/pipes/tracker:*"), False),
        ("arn:aws:s3:::recordings/*", False),
        (arn("unheard-of", "thing"), False),
    ],
)
def test_an_arn_stands_for_everything_where_it_covers_what_has_no_name(arn: str, everything: bool) -> None:
    assert is_everything(arn) is everything
