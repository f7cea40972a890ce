"""Guards against a policy pack that refuses our own stacks, or that passes over what a preview does not know yet.

The pack runs as Pulumi's engine runs it: a process of its own, in its own folder, over gRPC.
"""

from __future__ import annotations

import json

import pytest
from parliament import analyze_policy_string
from policy_sentry.analysis.analyze import analyze_by_access_level
from policy_sentry.querying.actions import remove_actions_that_are_not_wildcard_arn_only

from call_route_policies import RULES
from call_route_policies.rule import matches_any
from callroute.aws.pipe import FILTER_PATTERN, INPUT_TEMPLATE
from tests.policies.edits import add_statement, remove
from tests.policies.mutations.pipeline import set_filters, set_target
from tests.policies.pack import Pack, Violation
from tests.policies.stacks import SECRET, SIGNATURE, STACKS, UNKNOWN, Stack, recorded
from tests.policies.values import (
    KEY_ARN,
    OTHER_ACCOUNT,
    OWN_ACCOUNT,
    QUARANTINE,
    RECORDER,
    RECORDER_POLICY,
    STREAM,
    TAGS,
    TRACKER,
    managed,
    open_to,
    policy,
)

SALT = "a-salt-for-tests-only"
VARIANTS: dict[str, dict[str, str]] = {
    "as committed": {},
    "with a customer key": {"kmsKeyArn": KEY_ARN},
    "with hashed phone numbers": {"phoneNumber": "hashed", "phoneNumberSalt": SALT},
    "with an existing stream": {
        "streamArn": STREAM.arn,
        "streamKmsKeyArn": KEY_ARN,
        "maximumRecordAgeSeconds": "43200",
    },
    "within a permissions boundary": {"permissionsBoundaryArn": "arn:aws:iam::111111111111:policy/boundary"},
    "without flows": {"flows": "[]"},
}


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("stack", STACKS)
def test_nothing_is_said_against_a_stack_of_ours(pack: Pack, stack: str, variant: str) -> None:
    assert pack.judge(recorded(stack, VARIANTS[variant])) == []


@pytest.mark.parametrize("preview", [True, False])
def test_the_pack_judges_and_changes_nothing(pack: Pack, preview: bool) -> None:
    assert pack.remediated(recorded("prod", preview=preview)) == []


def test_the_program_registers_what_the_rules_are_about() -> None:
    stack = recorded("prod")
    judged = {rule.name for rule in RULES for each in stack if matches_any(each.type, rule.types)}

    with_types = {rule.name for rule in RULES if rule.types}
    with_types.remove("resources-can-be-judged")  # which is about what the program does not register
    assert with_types - judged == set(), "a rule that never meets its resources says nothing"


ABOUT_DOCUMENTS = (
    "iam-documents-are-readable",
    "iam-no-allow-by-exclusion",
    "iam-no-avoidable-wildcard-resources",
    "iam-no-privilege-escalation",
    "iam-no-wildcard-actions",
)


@pytest.mark.parametrize("stack", STACKS)
def test_a_first_preview_says_what_it_cannot_judge_yet_and_refuses_nothing(pack: Pack, stack: str) -> None:
    said = pack.judge(recorded(stack, preview=True))

    assert {each.level for each in said} == {"advisory"}
    assert all("can't be known during preview" in each.message for each in said)
    tracker = "call-route-tracker"
    documents = [
        (rule, f"{tracker}-{role}-policy") for role in ("pipe", "recorder") for rule in ABOUT_DOCUMENTS
    ]
    assert sorted((each.rule, each.resource) for each in said) == sorted(
        [
            *documents,
            ("no-lambda", f"{tracker}-pipe"),
            ("no-lambda", f"{tracker}-recorder"),
            ("pipe-has-dead-letter-queue", f"{tracker}-pipe"),
            ("state-machine-drops-no-record", f"{tracker}-recorder"),
            # Stack rules name the resource in the message: the SDK leaves it out of the note itself.
            ("iam-no-combined-privilege-escalation", ""),
            ("iam-trust-stays-in-its-account", ""),
            ("pipe-role-fits-its-pipe", ""),
            ("state-machine-role-fits-its-definition", ""),
        ]
    )


def test_what_is_not_known_yet_is_named_with_resource_and_property(pack: Pack) -> None:
    stack = recorded("prod")
    stack.one("Pipe").inputs["sourceParameters"]["kinesisStreamParameters"]["startingPosition"] = UNKNOWN

    (said,) = pack.judge(stack)

    assert said.rule == "pipe-starts-at-trim-horizon"
    assert said.level == "advisory"
    assert (
        "value at .call-route-tracker-pipe.sourceParameters.kinesisStreamParameters.startingPosition can't be known"
        in said.message
    )


def test_an_unknown_value_is_neither_a_violation_nor_passed_over(pack: Pack) -> None:
    noted = set()
    stack = recorded("prod")
    stack.one("Role", "pipe-role").inputs["managedPolicyArns"] = []
    stack.one("Pipe").inputs["desiredState"] = "RUNNING"
    connect = {"Service": "connect.amazonaws.com"}
    stack.one("Queue", "quarantine").inputs["policy"] = open_to(connect, "sqs:SendMessage", QUARANTINE.arn)
    for resource in stack:
        for name, value in resource.inputs.items():
            resource.inputs[name] = UNKNOWN
            for each in pack.judge_resources([resource]):
                assert each.level == "advisory", f"{each} of an unknown {name}"
                assert f".{resource.name}.{name} can't be known" in each.message
                noted.add(each.rule)
            resource.inputs[name] = value

    assert noted == {rule.name for rule in RULES if rule.check} - {
        "data-is-protected",  # which looks at an option, and options are always known
        "no-secrets-in-plain-text",  # which cannot tell which of the unknown values may become secret
        "resources-can-be-judged",  # which looks at the type
    }


def test_what_is_known_is_judged_beside_what_is_not(pack: Pack) -> None:
    stack = recorded("prod")
    known = {"Effect": "Allow", "Action": "dynamodb:*", "Resource": "arn:aws:dynamodb:::table/a"}
    unknown = {"Effect": "Allow", "Action": "sqs:SendMessage", "Resource": UNKNOWN}
    stack.add(
        "aws:iam/userPolicy:UserPolicy",
        "added",
        {"user": "operator", "policy": {"Version": "2012-10-17", "Statement": [unknown, known]}},
    )

    said = [each for each in pack.judge_resources(stack) if each.rule == "iam-no-wildcard-actions"]

    assert [each.level for each in said] == ["mandatory", "advisory"]
    assert said[0].message == "added must name single actions in statement 2, and not dynamodb:*."


def test_a_standard_target_is_refused_in_the_first_preview(pack: Pack) -> None:
    stack = recorded("prod", preview=True)
    stack.one("StateMachine").inputs["type"] = "STANDARD"

    assert "pipe-target-is-express" in {each.rule for each in pack.judge(stack) if each.level == "mandatory"}


@pytest.mark.parametrize(("secret", "refused"), [(True, False), (False, True)])
def test_a_secret_is_one_by_pulumis_mark_and_not_by_its_looks(
    pack: Pack, secret: bool, refused: bool
) -> None:
    stack = recorded("prod", VARIANTS["with hashed phone numbers"])
    machine = stack.one("StateMachine")
    assert machine.inputs["definition"][SIGNATURE] == SECRET, "the component marks it"
    if not secret:
        machine.inputs["definition"] = machine.inputs["definition"]["value"]

    said = [each for each in pack.judge(stack) if each.rule == "no-secrets-in-plain-text"]

    assert bool(said) is refused
    assert SALT not in str(said), "a message must not tell the secret"


@pytest.mark.parametrize(
    "content",
    [
        {"clientRequestToken": "abc", "nextToken": "abc"},
        {"maxTokens": 4096},
        {"passwordLength": 12, "secret": True, "token": ""},
        {"secretArn": "abc", "secrets": ["arn:aws:secretsmanager:ap-northeast-1:111111111111:secret:a"]},
        " {not JSON",
        "Basic understanding-of-the-menus; Password=${password}; password = $given",
    ],
    ids=str,
)
def test_what_only_sounds_like_a_secret_is_none(pack: Pack, content: object) -> None:
    stack = recorded("prod")
    stack.add("aws:ssm/document:Document", "added", {"tags": TAGS, "content": content})

    assert pack.judge(stack) == list[Violation]()


HARMLESS: dict[str, tuple[str, dict[str, object]]] = {
    # None of these is a grant, and none of these texts is a document.
    "a policy that bounds what an endpoint lets through": (
        "aws:ec2/vpcEndpoint:VpcEndpoint",
        {"policy": open_to("*", "*", "*")},
    ),
    "a policy that bounds what accounts may do": (
        "aws:organizations/policy:Policy",
        {"content": policy("*", resource="*")},
    ),
    "a managed policy as boundary": (
        "aws:iam/user:User",
        {"permissionsBoundary": managed("PowerUserAccess")},
    ),
    "a secret's policy, where * is the secret": (
        "aws:secretsmanager/secretPolicy:SecretPolicy",
        {"policy": open_to(OWN_ACCOUNT, "secretsmanager:GetSecretValue", "*")},
    ),
    "a policy about personal data in logs": (
        "aws:cloudwatch/logDataProtectionPolicy:LogDataProtectionPolicy",
        {
            "policyDocument": {
                "Name": "calls",
                "Version": "2021-06-01",
                "Statement": [{"DataIdentifier": ["a"], "Operation": {"Audit": {}}}],
            }
        },
    ),
    "the rules of a firewall": (
        "aws:wafv2/webAcl:WebAcl",
        {"rules": [{"action": {"allow": {}}, "statement": {"rateBasedStatement": {"limit": 100}}}]},
    ),
    "a query": ("aws:athena/namedQuery:NamedQuery", {"query": '{"Statement": "SELECT * FROM calls"}'}),
    "a text that is nested too deeply to be one": (
        "aws:ssm/document:Document",
        {"content": '{"Statement":' + "[" * 100_000 + "]" * 100_000 + "}", "tags": TAGS},
    ),
}


@pytest.mark.parametrize("what", HARMLESS)
def test_what_allows_nothing_is_not_judged_as_a_grant(pack: Pack, what: str) -> None:
    stack = recorded("prod")
    type_, inputs = HARMLESS[what]
    stack.add(type_, "added", inputs)

    assert pack.judge(stack) == list[Violation]()


@pytest.mark.parametrize("place", ["policy", "policyDocument", "accessPolicies"])
def test_a_value_that_may_become_a_document_is_named_on_types_that_no_rule_lists(
    pack: Pack, place: str
) -> None:
    stack = recorded("prod")
    stack.add("aws:glue/resourcePolicy:ResourcePolicy", "added", {place: UNKNOWN})

    said = pack.judge(stack)

    assert "iam-documents-are-readable" in {each.rule for each in said}
    assert all(f".added.{place} can't be known" in each.message for each in said)


@pytest.mark.parametrize("role", ["pipe", "recorder"])
@pytest.mark.parametrize(
    "elements",
    [
        {"Action": "*", "Condition": {"Bool": {"aws:SecureTransport": "false"}}, "Resource": "*"},
        {"NotAction": ["a:B"], "Condition": {"Null": {"aws:SourceIp": "false"}}, "Resource": "*"},
        {"NotAction": ["*"], "Resource": "*"},
        {"Action": "*", "NotResource": "*"},
        {"Action": "dynamodb:DeleteTable", "Resource": "*"},
    ],
    ids=str,
)
def test_a_deny_that_takes_nothing_needed_away_for_sure_is_no_violation(
    pack: Pack, role: str, elements: dict[str, object]
) -> None:
    stack = recorded("prod")
    add_statement(f"{TRACKER}-{role}-policy", Effect="Deny", **elements)(stack)

    assert pack.judge(stack) == list[Violation]()


@pytest.mark.parametrize(
    "filters",
    [
        [],
        [json.dumps(FILTER_PATTERN, indent=1)],
        [json.dumps(FILTER_PATTERN), '{"data": {"Channel": ["CHAT"]}}'],
        ['{"data": {"Channel": ["CHAT", "VOICE"]}}'],
    ],
    ids=str,
)
def test_a_filter_may_let_more_pass_than_tracked_calls(pack: Pack, filters: list[str]) -> None:
    stack = recorded("prod")
    set_filters(*filters)(stack)

    assert pack.judge(stack) == list[Violation]()


@pytest.mark.parametrize(
    "template",
    [
        INPUT_TEMPLATE.replace(", ", ",\n  "),
        INPUT_TEMPLATE.replace(
            "{", '{"read_at": <aws.pipes.event.ingestion-time>, "shard": "<$.partitionKey>", '
        ),
    ],
    ids=str,
)
def test_a_template_may_hand_over_more_than_the_record(pack: Pack, template: str) -> None:
    stack = recorded("prod")
    stack.one("Pipe").inputs["targetParameters"]["inputTemplate"] = template

    assert pack.judge(stack) == list[Violation]()


@pytest.mark.parametrize(("comes_from", "named"), [("Stream", []), ("Table", ["advisory"])])
def test_where_contact_records_go_is_known_by_what_it_comes_from(
    pack: Pack, comes_from: str, named: list[str]
) -> None:
    stack = recorded("prod", preview=True)
    stack.one("InstanceStorageConfig").dependencies["storageConfig"] = [stack.one(comes_from).urn]

    said = [each for each in pack.judge_stack(stack) if each.rule == "contact-records-reach-a-pipe"]

    assert [each.level for each in said] == named
    assert all(".storageConfig.kinesisStreamConfig.streamArn can't be known" in each.message for each in said)


def test_what_a_resources_own_policy_allows_to_a_role_is_counted(pack: Pack) -> None:
    stack = recorded("prod")
    remove(RECORDER_POLICY, "policy.Statement[Quarantine]")(stack)
    role = {"AWS": stack.one("Role", "recorder-role").outputs["arn"]}
    stack.one("Queue", "quarantine").inputs["policy"] = open_to(role, "sqs:SendMessage", QUARANTINE.arn)

    assert pack.judge(stack) == list[Violation]()


def test_two_roles_of_one_name_are_judged_as_one(pack: Pack) -> None:
    stack = recorded("prod")
    machine, role = stack.one("StateMachine"), stack.one("Role", "recorder-role")
    named = {**role.inputs, "name": role.outputs["name"]}
    stack.add(role.type, "second", named, arn=f"{role.outputs['arn']}-2")
    machine.inputs["roleArn"] = f"{role.outputs['arn']}-2"

    assert pack.judge(stack) == list[Violation]()


def test_what_a_groups_own_policies_open_is_told_of_the_group_alone(pack: Pack) -> None:
    stack = recorded("prod")
    for action in ("iam:PassRole", "ec2:RunInstances"):
        stack.add("aws:iam/groupPolicy:GroupPolicy", action, {"group": "operators", "policy": policy(action)})
    stack.add(
        "aws:iam/groupMembership:GroupMembership", "added", {"group": "operators", "users": ["operator"]}
    )

    assert [each.resource for each in pack.judge(stack)] == ["iam:PassRole"]


def test_a_membership_that_is_not_known_yet_is_named(pack: Pack) -> None:
    stack = recorded("prod")
    stack.add(
        "aws:iam/userGroupMembership:UserGroupMembership", "added", {"user": UNKNOWN, "groups": ["operators"]}
    )

    (said,) = pack.judge(stack)

    assert (said.rule, said.level) == ("iam-no-combined-privilege-escalation", "advisory")
    assert ".added.user can't be known" in said.message


@pytest.mark.parametrize(
    "condition",
    [
        {"StringEquals": {"aws:SourceAccount": "111111111111"}},
        {"StringEquals": {"aws:PrincipalOrgID": "o-a1b2c3d4e5"}},
        {"ArnLike": {"aws:SourceArn": "arn:aws:s3:::recordings"}},
        {"ArnLike": {"aws:SourceArn": "arn:aws:sns:*:111111111111:*"}},
        {"StringLike": {"aws:PrincipalArn": ["arn:aws:iam::111111111111:role/*"]}},
    ],
    ids=str,
)
def test_a_queue_for_a_caller_who_is_named_is_not_public(pack: Pack, condition: dict[str, object]) -> None:
    stack = recorded("prod")
    opened = open_to("*", "sqs:SendMessage", QUARANTINE.arn, Condition=condition)
    stack.one("Queue", "quarantine").inputs["policy"] = opened

    assert pack.judge(stack) == list[Violation]()


def test_whether_an_account_is_another_is_open_until_the_own_one_is_known(pack: Pack) -> None:
    stack = recorded("prod")
    stack.one("Queue", "quarantine").inputs["policy"] = open_to(OTHER_ACCOUNT, "sqs:A", QUARANTINE.arn)
    for role in ("pipe-role", "recorder-role"):
        stack.one("Role", role).outputs["arn"] = UNKNOWN

    said = [each for each in pack.judge(stack) if each.rule == "iam-resources-stay-in-their-account"]

    assert [each.level for each in said] == ["advisory"]
    assert "-role.arn can't be known" in said[0].message


def test_an_alias_of_an_express_state_machine_is_a_target(pack: Pack) -> None:
    stack = recorded("prod")
    set_target(f"{RECORDER.arn}:live")(stack)

    assert pack.judge(stack) == list[Violation]()


@pytest.mark.parametrize(("type_", "refused"), [("EXPRESS", []), ("STANDARD", ["mandatory"])])
def test_a_state_machine_whose_arn_is_not_known_yet_is_found_by_what_the_target_comes_from(
    pack: Pack, type_: str, refused: list[str]
) -> None:
    stack = recorded("prod")
    machine = stack.one("StateMachine")
    machine.inputs["type"] = type_
    machine.outputs["arn"] = UNKNOWN

    said = [each.level for each in pack.judge_stack(stack) if each.rule == "pipe-target-is-express"]

    assert said == refused


def policies(stack: Stack) -> dict[str, str]:
    """The identity policies of a stack by the name of their resource."""
    return {
        each.name: each.inputs["policy"] for each in stack if each.type == "aws:iam/rolePolicy:RolePolicy"
    }


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("stack", STACKS)
def test_parliament_finds_nothing_in_any_document(stack: str, variant: str) -> None:
    resources = recorded(stack, VARIANTS[variant])
    documents = policies(resources)
    assert len(documents) == 2
    for each in resources:
        if "assumeRolePolicy" in each.inputs:
            # parliament knows no trust policies: it gets the role as the resource, which such a policy leaves out.
            trust = json.loads(each.inputs["assumeRolePolicy"])
            trust["Statement"][0]["Resource"] = each.outputs["arn"]
            del trust["Statement"][0]["Principal"]
            documents[each.name] = json.dumps(trust)
    assert len(documents) == 4

    found = {name: analyze_policy_string(text).findings for name, text in documents.items()}

    assert found == {name: [] for name in documents}


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("stack", STACKS)
def test_policy_sentry_finds_nothing_in_any_document(stack: str, variant: str) -> None:
    managing = set()
    for text in policies(recorded(stack, VARIANTS[variant])).values():
        document = json.loads(text)
        managing |= set(analyze_by_access_level(document, "Permissions management"))
        for statement in document["Statement"]:
            narrow = remove_actions_that_are_not_wildcard_arn_only(list(statement["Action"]))
            is_star = statement["Resource"] == "*"
            assert sorted(narrow, key=str.lower) == (
                sorted(statement["Action"], key=str.lower) if is_star else []
            )

    assert managing == {"logs:PutResourcePolicy"}, "which AWS asks for from a state machine that logs"


def test_the_pack_says_nothing_of_resources_that_are_not_its_business(pack: Pack) -> None:
    stack = recorded("dev")
    stack.add("aws:s3/bucket:Bucket", "added", {"bucket": "added"})
    stack.add("random:index/randomId:RandomId", "number", {"byteLength": 4})

    assert pack.judge(stack) == list[Violation]()
