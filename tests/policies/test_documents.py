"""Guards against policy documents that the rules do not read in one of their forms, and against crashes of the pack."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from call_route_policies import RULES
from call_route_policies.iam_patterns import matches_every_resource, names_one_resource
from call_route_policies.policy_documents import DOCUMENT_PROPERTIES, parse_document, policy_documents
from call_route_policies.resource import Resource, Unknown, matches_any, plain
from tests.policies.pack import Pack
from tests.policies.stacks import Stack, recorded
from tests.policies.values import KEY_ARN, TAGS, arn, policy

WIDE = {"Effect": "Allow", "Action": "sqs:*", "Resource": arn("sqs", "added")}
FORMS: dict[str, Any] = {
    "JSON text, a list of statements": json.dumps({"Version": "2012-10-17", "Statement": [WIDE]}),
    "JSON text, one statement": json.dumps({"Statement": WIDE}),
    "JSON text with whitespace, like the output of getPolicyDocument": json.dumps(
        {"Version": "2012-10-17", "Statement": [WIDE]}, indent=2
    ),
    "an object, a list of statements": {"Version": "2012-10-17", "Statement": [WIDE]},
    "an object, one statement": {"Version": "2012-10-17", "Statement": WIDE},
    "lists of one": {"Statement": [{**WIDE, "Action": ["sqs:*"], "Resource": [WIDE["Resource"]]}]},
    "the second of two actions": {"Statement": {**WIDE, "Action": ["sqs:SendMessage", "sqs:*"]}},
    "the second of two statements": {"Statement": [{**WIDE, "Action": "sqs:SendMessage"}, WIDE]},
}


@pytest.mark.parametrize("form", FORMS)
def test_a_document_is_checked_in_every_form(pack: Pack, form: str) -> None:
    stack = recorded("dev")
    stack.add("aws:iam/userPolicy:UserPolicy", "added", {"user": "operator", "policy": FORMS[form]})

    (found,) = pack.analyze(stack)

    assert found.rule == "iam-no-wildcard-actions"
    assert found.message.endswith(", not sqs:*.")


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
def test_a_document_is_checked_on_every_type(pack: Pack, type_: str, inputs: dict[str, Any]) -> None:
    stack = recorded("dev")
    stack.add(type_, "added", inputs)

    assert {each.rule for each in pack.analyze(stack)} == {"iam-no-wildcard-actions"}


def test_every_inline_policy_of_a_role_is_checked(pack: Pack) -> None:
    stack = recorded("dev")
    role = stack.one("Role", "pipe-role")
    role.inputs["inlinePolicies"] = [
        {"name": "a"},
        {"name": "b", "policy": FORMS["JSON text, one statement"]},
    ]

    assert [each.rule for each in pack.analyze(stack)] == ["iam-no-wildcard-actions"]


def test_the_policy_of_a_key_may_name_all_resources(pack: Pack) -> None:
    stack = recorded("dev")
    statement = {
        "Effect": "Allow",
        "Principal": {"Service": "connect.amazonaws.com"},
        "Action": "kms:GenerateDataKey",
        "Resource": "*",
        "Condition": {"StringEquals": {"aws:SourceAccount": "111111111111"}},
    }
    stack.add("aws:kms/key:Key", "key", {"policy": {"Statement": statement}, "tags": TAGS}, arn=KEY_ARN)

    assert pack.analyze(stack) == []


INVALID = [
    ("", "not JSON"),
    ("[]", "expected an object with Version and Statement, not []"),
    ("null", "expected an object with Version and Statement, not null"),
    (42, "expected an object with Version and Statement, not 42"),
    (True, "expected an object with Version and Statement, not true"),
    ("[" * 100_000, "nested too deeply"),
    ({"Statement": []}, "Statement must be an object or a list of objects, not []"),
    ({"Version": "2012-10-17"}, "not null"),
    ({"Version": 2012, "Statement": WIDE}, "Version must be 2012-10-17, not 2012"),
    ({"Statement": WIDE, "Statements": WIDE}, "unknown element 'Statements'"),
    ({"Statement": ["Allow"]}, 'statement 1 in policy: expected an object, not "Allow"'),
    ({"Statement": {**WIDE, "Effect": "allow"}}, 'Effect must be Allow or Deny, not "allow"'),
    ({"Statement": {**WIDE, "Effect": ["Allow"]}}, 'Effect must be Allow or Deny, not ["Allow"]'),
    (
        {"Statement": {**WIDE, "NotAction": "sqs:SendMessage"}},
        "exactly one of Action and NotAction is required",
    ),
    ({"Statement": {**WIDE, "Action": []}}, "Action must be a string or a list of strings, not []"),
    ({"Statement": {**WIDE, "Action": {"sqs": "*"}}}, "Action must be a string or a list of strings"),
    (
        {"Statement": {**WIDE, "Action": ["sqs:*", "SendMessage"]}},
        'must look like sqs:SendMessage, not "SendMessage"',
    ),
    ({"Statement": {**WIDE, "Action": "iam:CreateAccessKey "}}, 'not "iam:CreateAccessKey "'),
    ({"Statement": {**WIDE, "Resource": [1]}}, "Resource must be a string or a list of strings, not [1]"),
    ({"Statement": {**WIDE, "Sid": 1, "Effect": "Deny"}}, "Sid must be a string, not 1"),
    ({"Statement": {**WIDE, "Principal": "*"}}, "Principal is not allowed in this kind of policy"),
    ({"Statement": {**WIDE, "Condition": "never"}}, "Condition must map operators"),
    ({"Statement": {**WIDE, "Condition": {"StringEquals": "a"}}}, "Condition must map operators"),
    (
        {"Statement": {**WIDE, "Condition": {"Bool": {"a": {}}}}},
        "condition key a must have strings, numbers or booleans",
    ),
]


@pytest.mark.parametrize(("value", "problem"), INVALID, ids=lambda each: str(each)[:40])
def test_an_invalid_document_has_one_problem(value: Any, problem: str) -> None:
    document = parse_document(value, "identity", "policy")

    assert document.statements == ()
    (found,) = document.problems
    assert problem in found


def test_an_unknown_value_is_no_problem() -> None:
    resource = Unknown("policy.Statement[0].Resource[0]")
    whole = parse_document(Unknown("policy"), "identity", "policy")
    part = parse_document({"Statement": [{**WIDE, "Resource": [resource]}, WIDE]}, "identity", "policy")

    assert (whole.statements, whole.problems, whole.unknown) == ((), (), Unknown("policy"))
    assert (part.problems, part.unknown) == ((), None)
    assert [each.actions for each in part.statements] == [("sqs:*",), ("sqs:*",)]
    assert [each.unknown for each in part.statements] == [{"Resource": resource}, {}]


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
    # One type for each kind of document property, and one that is not listed.
    "aws:cloudwatch/logResourcePolicy:LogResourcePolicy",
    "aws:efs/fileSystemPolicy:FileSystemPolicy",
    "aws:iam/role:Role",
    "aws:iam/userPolicy:UserPolicy",
    "aws:kms/key:Key",
    "aws:sqs/queue:Queue",
    "aws:ssoadmin/permissionSetInlinePolicy:PermissionSetInlinePolicy",
)


def odd_stack(value: Any) -> Stack:
    """Returns a stack with an odd value in every property that a rule parses."""
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


@pytest.mark.parametrize("value", [[[]], {"a": {}}, "text", None], ids=str)
def test_no_odd_value_crashes_the_pack(pack: Pack, value: Any) -> None:
    found = pack.analyze(odd_stack(value))

    # A crash would be an error of the call.
    expected = (
        {"flow-content-is-valid"} if value is None else {"flow-content-is-valid", "iam-documents-are-valid"}
    )
    assert expected <= {each.rule for each in found}


@settings(max_examples=15, deadline=None)
@given(value=as_sent)
def test_no_value_crashes_a_rule(value: Any) -> None:
    """The rules run in this process, which takes a tenth of the time that the pack takes."""
    stack = [
        Resource(each.type, each.name, each.urn, plain(each.state), each.protect) for each in odd_stack(value)
    ]
    for rule in RULES:
        configured, _ = rule.configured({})
        for resource in stack:
            if rule.check and matches_any(resource.type, rule.types or ("*",)):
                assert all(isinstance(finding, str) for finding in rule.check(resource, configured))
        if rule.check_stack:
            assert all(isinstance(finding, str) for _, finding in rule.check_stack(stack, configured))


@settings(max_examples=300, deadline=None)
@given(value=as_sent)
def test_parsing_a_document_returns_statements_or_problems(value: Any) -> None:
    for type_ in {type_ for _, properties in DOCUMENT_PROPERTIES for type_ in properties}:
        resource = Resource(
            type_, "odd", "urn:pulumi:dev::p::t::odd", {"policy": value, "policyDocument": value}
        )
        for document in policy_documents(resource):
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


def test_unknown_statements_are_a_document_on_any_type() -> None:
    unknown = Unknown("rules.Statement[0]")
    resource = Resource(
        "aws:glue/job:Job", "odd", "urn:pulumi:prod::p::t::odd", {"rules": {"Statement": [unknown]}}
    )

    assert [(each.path, each.unknown) for each in policy_documents(resource)] == [("rules", unknown)]


def run_rules(type_: str, props: dict[str, Any]) -> None:
    """Runs every rule for a type, in this process."""
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
    run_rules(f"aws:connect/{kind}", {"content": json.dumps(content), "type": type_})


@settings(max_examples=150, deadline=None)
@given(definition=definitions)
def test_no_definition_crashes_a_rule(definition: dict[str, Any]) -> None:
    run_rules(
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
    run_rules(
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
def test_a_lone_surrogate_does_not_break_a_message(pack: Pack, text: str) -> None:
    assert pack.analyze_resources(odd_stack(text))


@pytest.mark.parametrize("depth", [300, 5_000, 20_000])
def test_deep_nesting_crashes_nothing(pack: Pack, depth: int) -> None:
    nested = '{"States": {"a": {"Type": "Map", "ItemProcessor": ' * depth + "{}" + "}}}" * depth
    text = '{"Statement": {"Effect": ' + "[" * depth + "]" * depth + "}}"

    for each in (nested, text):
        # Only the resources of the program, to save time.
        assert pack.analyze(Stack(one for one in odd_stack(each) if not one.name.startswith("odd")))


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
def test_an_arn_pattern_that_matches_an_arbitrary_name_matches_everything(arn: str, everything: bool) -> None:
    assert matches_every_resource(arn) is everything


@pytest.mark.parametrize(
    ("arn", "one"),
    [
        (arn("dynamodb", "table/calls"), True),
        (arn("dynamodb", "table/call-*"), True),
        (arn("dynamodb", "table/calls/index/*"), True),
        (arn("logs", "log-group:/aws/vendedlogs/pipes/tracker:*"), True),
        (arn("secretsmanager", "secret:calls-??????"), True),
        ("arn:aws:s3:::recordings/*.wav", True),
        ("arn:aws:s3:::home/${aws:username}/*", True),
        ("arn:aws:iam::111111111111:user/${aws:username}", True),
        (arn("dynamodb", "table/*-prod"), False),
        (arn("dynamodb", "table/call-*-prod"), False),
        (arn("dynamodb", "table/call?"), False),
        (arn("dynamodb", "table/${aws:PrincipalTag/team}"), False),
        (arn("logs", "*"), False),
        ("arn:aws:dynamodb:*:111111111111:table/calls", False),
        ("arn:aws:dynamodb:${aws:RequestedRegion}:111111111111:table/calls", False),
        ("arn:aws:dynamodb:ap-northeast-1:*:table/calls", False),
        ("arn:*:sqs:ap-northeast-1:111111111111:calls", False),
        ("arn:aws:s3:::recordings*", False),
        ("arn:aws:s3:::rec*/calls", False),
    ],
)
def test_an_arn_pattern_names_one_resource_up_to_the_end_of_its_name(arn: str, one: bool) -> None:
    assert names_one_resource(arn) is one
