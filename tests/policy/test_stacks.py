"""Guards against a policy pack that refuses our own stacks, or that passes over what a preview does not know yet.

The pack runs as Pulumi's engine runs it: a process of its own, in its own folder, over gRPC.
"""

from __future__ import annotations

import json

import pytest
from parliament import analyze_policy_string
from policy_sentry.analysis.analyze import analyze_by_access_level
from policy_sentry.querying.actions import remove_actions_that_are_not_wildcard_arn_only

from policy.rules import RULES
from tests.policy.mutations import KEY, QUARANTINE, STREAM, TAGS, open_to, target
from tests.policy.pack import Pack, Violation
from tests.policy.stacks import SECRET, SIGNATURE, STACKS, UNKNOWN, Stack, recorded

SALT = "a-salt-for-tests-only"
VARIANTS: dict[str, dict[str, str]] = {
    "as committed": {},
    "with a customer key": {"kmsKeyArn": KEY},
    "with hashed phone numbers": {"phoneNumber": "hashed", "phoneNumberSalt": SALT},
    "with an existing stream": {
        "streamArn": STREAM,
        "streamKmsKeyArn": KEY,
        "maximumRecordAgeSeconds": "43200",
    },
    "within a permissions boundary": {"permissionsBoundaryArn": "arn:aws:iam::111111111111:policy/boundary"},
    "without flows": {"flows": "[]"},
}


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("stack", STACKS)
def test_nothing_is_said_against_a_stack_of_ours(pack: Pack, stack: str, variant: str) -> None:
    assert pack.judge(recorded(stack, VARIANTS[variant])) == []


def test_the_program_registers_what_the_rules_are_about() -> None:
    stack = recorded("prod")
    judged = {rule.name for rule in RULES for each in stack if each.type in rule.types}

    with_types = {rule.name for rule in RULES if rule.types}
    assert with_types - judged == set(), "a rule that never meets its resources says nothing"


@pytest.mark.parametrize("stack", STACKS)
def test_a_first_preview_says_what_it_cannot_judge_yet_and_refuses_nothing(pack: Pack, stack: str) -> None:
    said = pack.judge(recorded(stack, preview=True))

    assert {each.level for each in said} == {"advisory"}
    assert all("can't be known during preview" in each.message for each in said)
    tracker = "call-route-tracker"
    documents = [
        (rule.name, f"{tracker}-{role}-policy")
        for role in ("pipe", "recorder")
        for rule in RULES
        if rule.check and "aws:iam/rolePolicy:RolePolicy" in rule.types
    ]
    assert len(documents) == 10
    assert sorted((each.rule, each.resource) for each in said) == sorted(
        [
            *documents,
            ("no-lambda", f"{tracker}-pipe"),
            ("no-lambda", f"{tracker}-recorder"),
            ("pipe-has-dead-letter-queue", f"{tracker}-pipe"),
            # Stack rules name the resource in the message: the SDK leaves it out of the note itself.
            ("iam-no-combined-privilege-escalation", ""),
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
    connect = {"Service": "connect.amazonaws.com"}
    stack.one("Queue", "quarantine").inputs["policy"] = open_to(connect, "sqs:SendMessage", QUARANTINE)
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
    ],
    ids=str,
)
def test_what_only_sounds_like_a_secret_is_none(pack: Pack, content: object) -> None:
    stack = recorded("prod")
    stack.add("aws:ssm/document:Document", "added", {"tags": TAGS, "content": content})

    assert pack.judge(stack) == list[Violation]()


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
    opened = open_to("*", "sqs:SendMessage", QUARANTINE, Condition=condition)
    stack.one("Queue", "quarantine").inputs["policy"] = opened

    assert pack.judge(stack) == list[Violation]()


def test_an_alias_of_an_express_state_machine_is_a_target(pack: Pack) -> None:
    stack = recorded("prod")
    target(stack, f"{stack.one('StateMachine').outputs['arn']}:live")

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
