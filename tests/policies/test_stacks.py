"""Guards against violations in the stacks of this project, and against unknown values that go unnoticed in a preview.

The pack runs as Pulumi's engine runs it: in its own process and folder, over gRPC.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from importlib.metadata import version
from typing import Any

import pytest
from parliament import analyze_policy_string
from policy_sentry.analysis.analyze import analyze_by_access_level
from policy_sentry.querying.actions import remove_actions_that_are_not_wildcard_arn_only

from call_route_policies import RULES
from call_route_policies.resource import matches_any
from callroute.aws.pipe import INPUT_TEMPLATE, filter_pattern
from tests.policies.edits import add_statement, remove
from tests.policies.mutations.pipeline import set_filters, set_target
from tests.policies.pack import Pack, Violation
from tests.policies.stacks import (
    FIRST_PREVIEW,
    SECRET,
    SIGNATURE,
    STACKS,
    UNKNOWN,
    Stack,
    first_preview,
    first_preview_of_outputs,
    recorded,
)
from tests.policies.values import (
    KEY_ARN,
    OTHER_ACCOUNT,
    OTHER_KEY_ARN,
    OWN_ACCOUNT,
    PIPE_ROLE,
    QUARANTINE,
    RECORDER,
    RECORDER_POLICY,
    STREAM,
    TAGS,
    TRACKER,
    document,
    managed,
    open_to,
    policy,
)

SALT = "a-salt-for-tests-only"
VARIANTS: dict[str, dict[str, str]] = {
    "as committed": {},
    "with a customer managed key": {"kmsKeyArn": KEY_ARN},
    "with hashed phone numbers": {"phoneNumber": "hashed", "phoneNumberSalt": SALT},
    "with an existing stream": {
        "streamArn": STREAM.arn,
        "streamKmsKeyArn": KEY_ARN,
        "maximumRecordAgeSeconds": "43200",
    },
    "within a permissions boundary": {"permissionsBoundaryArn": "arn:aws:iam::111111111111:policy/boundary"},
    "without flows": {"flows": "[]"},
    "with metrics": {"metrics": "true", "alarmEmail": "on-call@example.com"},
}


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("stack", STACKS)
def test_the_stacks_of_this_project_have_no_violations(pack: Pack, stack: str, variant: str) -> None:
    assert pack.analyze(recorded(stack, VARIANTS[variant])) == []


def test_a_task_that_only_counts_calls_does_not_count_as_storing_records(pack: Pack) -> None:
    stack = recorded("prod", VARIANTS["with metrics"])
    inputs = stack.one("StateMachine").inputs
    definition = json.loads(inputs["definition"])
    inputs["definition"] = json.dumps({**definition, "StartAt": "CountCalls"})

    (found,) = pack.analyze(stack)

    assert found.rule == "state-machine-keeps-every-record"
    assert "must store or fail every record that enters 'CountCalls', not end in 'Done'" in found.message


@pytest.mark.parametrize("preview", [True, False])
def test_the_pack_changes_no_resource(pack: Pack, preview: bool) -> None:
    assert pack.remediate(recorded("prod", preview=preview)) == []


def test_the_program_registers_resources_for_every_rule() -> None:
    stack = recorded("prod")
    checked = {rule.name for rule in RULES for each in stack if matches_any(each.type, rule.types)}

    with_types = {rule.name for rule in RULES if rule.types}
    # These are about resources that the program does not register.
    with_types -= {"resources-are-inspectable", "no-long-lived-credentials"}
    assert with_types - checked == set(), "a rule without resources reports nothing"


@pytest.mark.parametrize("preview", [first_preview, first_preview_of_outputs])
@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("stack", STACKS)
def test_a_first_preview_has_neither_violations_nor_notes(
    pack: Pack, stack: str, variant: str, preview: Callable[[Stack], Stack]
) -> None:
    assert pack.analyze(preview(recorded(stack, VARIANTS[variant]))) == []


def test_properties_that_aws_chooses_cause_no_note_in_a_first_preview(pack: Pack) -> None:
    stack = recorded("prod")
    for type_ in FIRST_PREVIEW:
        stack.add(type_, type_.replace(":", "-"), {})

    found = pack.analyze_stack(first_preview(stack))

    assert [each for each in found if "can't be known" in each.message] == []


def test_a_note_names_the_resource_and_the_property_of_an_unknown_value(pack: Pack) -> None:
    stack = recorded("prod")
    stack.one("Pipe").inputs["sourceParameters"]["kinesisStreamParameters"]["startingPosition"] = UNKNOWN

    (found,) = pack.analyze(stack)

    assert found.rule == "pipe-starts-at-trim-horizon"
    assert found.level == "advisory"
    assert f"policy pack 'call-route-tracker@v{version('call-route-tracker')}'" in found.message
    assert (
        "value at .call-route-tracker-pipe.sourceParameters.kinesisStreamParameters.startingPosition can't be known"
        in found.message
    )


def test_every_resource_rule_reports_an_unknown_value_as_a_note(pack: Pack) -> None:
    noted = set()
    stack = recorded("prod")
    stack.one("Role", "pipe-role").inputs["managedPolicyArns"] = []
    stack.one("Pipe").inputs["desiredState"] = "RUNNING"
    connect = {"Service": "connect.amazonaws.com"}
    source = {"StringEquals": {"aws:SourceAccount": "111111111111"}}
    stack.one("Queue", "quarantine").inputs["policy"] = open_to(
        connect, "sqs:SendMessage", QUARANTINE.arn, Condition=source
    )
    for resource in stack:
        for name, value in resource.inputs.items():
            resource.inputs[name] = UNKNOWN
            for each in pack.analyze_resources([resource]):
                assert each.level == "advisory", f"{each} of an unknown {name}"
                assert f".{resource.name}.{name} can't be known" in each.message
                noted.add(each.rule)
            resource.inputs[name] = value

    assert (
        noted
        == {rule.name for rule in RULES if rule.check}
        - {
            "iam-documents-match-reference",  # iam-documents-are-valid reports an unknown document.
            "iam-no-broad-managed-policies",  # AWS knows the ARNs of its policies before a deployment.
            "data-has-protect-option",  # It checks an option, and options are always known.
            "no-secrets-in-plain-text",  # It reports unknown values only of properties that are named like a secret.
            "no-long-lived-credentials",  # It checks the type.
            "resources-are-inspectable",  # It checks the type.
        }
    )


PARTLY_UNKNOWN: dict[str, tuple[dict[str, Any], str]] = {
    "an unknown resource": (
        {"Action": "dynamodb:*", "Resource": UNKNOWN},
        "iam-no-wildcard-actions",
    ),
    "an unknown resource beside NotAction": (
        {"NotAction": "iam:*", "Resource": UNKNOWN},
        "iam-no-allow-by-exclusion",
    ),
    "an unknown action beside a wildcard": (
        {"Action": ["sqs:*", UNKNOWN], "Resource": QUARANTINE.arn},
        "iam-no-wildcard-actions",
    ),
    "an unknown condition beside a wildcard resource": (
        {
            "Action": "sqs:SendMessage",
            "Resource": "*",
            "Condition": {"StringEquals": {"aws:SourceAccount": UNKNOWN}},
        },
        "iam-no-wildcard-resources",
    ),
    "an unknown statement beside a known one": (
        {"Action": "dynamodb:*", "Resource": "arn:aws:dynamodb:::table/a"},
        "iam-no-wildcard-actions",
    ),
}


@pytest.mark.parametrize("title", PARTLY_UNKNOWN)
def test_the_known_elements_of_a_statement_are_checked(pack: Pack, title: str) -> None:
    stack = recorded("prod")
    elements, rule = PARTLY_UNKNOWN[title]
    statements = [{"Effect": "Allow", **elements}, UNKNOWN]
    stack.add(
        "aws:iam/userPolicy:UserPolicy",
        "added",
        {"user": "operator", "policy": {"Version": "2012-10-17", "Statement": statements}},
    )

    assert {each.rule for each in pack.analyze(stack) if each.level == "mandatory"} == {rule}


NARROWED: dict[str, tuple[list[str], dict[str, object]]] = {
    "a role that may only be passed to one service": (
        ["iam:PassRole", "ecs:RunTask"],
        {"Condition": {"StringEquals": {"iam:PassedToService": "ecs-tasks.amazonaws.com"}}},
    ),
    "grants for AWS services": (
        ["kms:CreateGrant"],
        {"Condition": {"Bool": {"kms:GrantIsForAWSResource": "true"}}, "Resource": KEY_ARN},
    ),
    "access keys of the user itself": (
        ["iam:CreateAccessKey"],
        {"Resource": "arn:aws:iam::111111111111:user/${aws:username}"},
    ),
}


@pytest.mark.parametrize("title", NARROWED)
def test_an_action_that_is_limited_to_a_safe_use_is_no_escalation(pack: Pack, title: str) -> None:
    stack = recorded("prod")
    actions, elements = NARROWED[title]
    statement = {"Effect": "Allow", "Action": actions, "Resource": PIPE_ROLE.arn, **elements}
    added = document(statement)
    stack.add("aws:iam/userPolicy:UserPolicy", "added", {"user": "operator", "policy": added})

    assert [each for each in pack.analyze(stack) if "escalation" in each.rule] == list[Violation]()


def test_a_public_queue_is_a_violation_if_its_arn_is_unknown(pack: Pack) -> None:
    stack = recorded("prod")
    stack.one("Queue", "quarantine").inputs["policy"] = json.loads(open_to("*", "sqs:SendMessage", UNKNOWN))

    assert {each.rule for each in pack.analyze(stack) if each.level == "mandatory"} == {
        "iam-no-public-resources"
    }


def test_a_standard_target_is_a_violation_in_the_first_preview(pack: Pack) -> None:
    stack = recorded("prod", preview=True)
    stack.one("StateMachine").inputs["type"] = "STANDARD"

    assert "pipe-target-is-express" in {
        each.rule for each in pack.analyze(stack) if each.level == "mandatory"
    }


@pytest.mark.parametrize(("secret", "reported"), [(True, False), (False, True)])
def test_a_value_that_pulumi_marks_as_secret_is_not_in_plain_text(
    pack: Pack, secret: bool, reported: bool
) -> None:
    stack = recorded("prod", VARIANTS["with hashed phone numbers"])
    machine = stack.one("StateMachine")
    assert machine.inputs["definition"][SIGNATURE] == SECRET, "the component marks it as secret"
    if not secret:
        machine.inputs["definition"] = machine.inputs["definition"]["value"]

    found = [each for each in pack.analyze(stack) if each.rule == "no-secrets-in-plain-text"]

    assert bool(found) is reported
    assert SALT not in str(found), "a message must not contain the secret"


@pytest.mark.parametrize(
    "content",
    [
        {"clientRequestToken": "abc", "nextToken": "abc"},
        {"maxTokens": 4096},
        {"passwordLength": 12, "secret": True, "token": ""},
        {"secretArn": "abc", "secrets": ["arn:aws:secretsmanager:ap-northeast-1:111111111111:secret:a"]},
        {"environmentVariables": [{"name": "DB_PASSWORD", "type": "SECRETS_MANAGER", "value": "calls:db"}]},
        " {not JSON",
        "Basic understanding-of-the-menus; Password=${password}; password = $given",
    ],
    ids=str,
)
def test_a_value_that_only_resembles_a_secret_is_allowed(pack: Pack, content: object) -> None:
    stack = recorded("prod")
    stack.add("aws:ssm/document:Document", "added", {"tags": TAGS, "content": content})

    assert pack.analyze(stack) == list[Violation]()


HARMLESS: dict[str, tuple[str, dict[str, object]]] = {
    # None of these grants anything.
    "the policy of a VPC endpoint": (
        "aws:ec2/vpcEndpoint:VpcEndpoint",
        {"policy": open_to("*", "*", "*")},
    ),
    "a policy of an organization": (
        "aws:organizations/policy:Policy",
        {"content": policy("*", resource="*")},
    ),
    "a managed policy as permissions boundary": (
        "aws:iam/user:User",
        {"permissionsBoundary": managed("PowerUserAccess")},
    ),
    "the policy of a secret, in which * means the secret": (
        "aws:secretsmanager/secretPolicy:SecretPolicy",
        {"policy": open_to(OWN_ACCOUNT, "secretsmanager:GetSecretValue", "*")},
    ),
    "a data protection policy for logs": (
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
    "JSON text that is nested too deeply": (
        "aws:ssm/document:Document",
        {"content": '{"Statement":' + "[" * 100_000 + "]" * 100_000 + "}", "tags": TAGS},
    ),
}


@pytest.mark.parametrize("title", HARMLESS)
def test_a_document_that_grants_nothing_is_allowed(pack: Pack, title: str) -> None:
    stack = recorded("prod")
    type_, inputs = HARMLESS[title]
    stack.add(type_, "added", inputs)

    assert pack.analyze(stack) == list[Violation]()


@pytest.mark.parametrize("name", ["policy", "policyDocument", "accessPolicies"])
def test_an_unknown_value_that_may_be_a_document_is_reported_on_any_type(pack: Pack, name: str) -> None:
    stack = recorded("prod")
    stack.add("aws:glue/resourcePolicy:ResourcePolicy", "added", {name: UNKNOWN})

    found = pack.analyze(stack)

    assert "iam-documents-are-valid" in {each.rule for each in found}
    assert all(f".added.{name} can't be known" in each.message for each in found)


@pytest.mark.parametrize("role", ["pipe", "recorder"])
@pytest.mark.parametrize(
    "elements",
    [
        {"Action": "*", "Condition": {"Bool": {"aws:SecureTransport": "false"}}, "Resource": "*"},
        {"NotAction": ["sqs:GetQueueUrl"], "Condition": {"Null": {"aws:SourceIp": "false"}}, "Resource": "*"},
        {"NotAction": ["*"], "Resource": "*"},
        {"Action": "*", "NotResource": "*"},
        {"Action": "dynamodb:DeleteTable", "Resource": "*"},
    ],
    ids=str,
)
def test_a_deny_that_may_not_apply_to_a_needed_permission_is_allowed(
    pack: Pack, role: str, elements: dict[str, object]
) -> None:
    stack = recorded("prod")
    add_statement(f"{TRACKER}-{role}-policy", Effect="Deny", **elements)(stack)

    assert pack.analyze(stack) == list[Violation]()


@pytest.mark.parametrize(
    "filters",
    [
        [],
        [json.dumps(filter_pattern(), indent=1)],
        [json.dumps(filter_pattern()), '{"data": {"Channel": ["CHAT"]}}'],
        ['{"data": {"Channel": ["CHAT", "VOICE"]}}'],
    ],
    ids=str,
)
def test_a_filter_may_pass_more_than_tracked_calls(pack: Pack, filters: list[str]) -> None:
    stack = recorded("prod")
    set_filters(*filters)(stack)

    assert pack.analyze(stack) == list[Violation]()


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
def test_a_template_may_pass_more_than_the_record(pack: Pack, template: str) -> None:
    stack = recorded("prod")
    stack.one("Pipe").inputs["targetParameters"]["inputTemplate"] = template

    assert pack.analyze(stack) == list[Violation]()


@pytest.mark.parametrize(("dependency", "levels"), [("Stream", []), ("Table", ["advisory"])])
def test_the_destination_of_contact_records_is_known_from_its_dependencies(
    pack: Pack, dependency: str, levels: list[str]
) -> None:
    stack = recorded("prod", preview=True)
    storage = stack.one("InstanceStorageConfig")
    storage.dependencies["storageConfig"] = [stack.one(dependency).urn]
    storage.inputs["storageConfig"]["kinesisStreamConfig"]["streamArn"] = UNKNOWN
    stack.one("Pipe").inputs["source"] = UNKNOWN

    found = [each for each in pack.analyze_stack(stack) if each.rule == "contact-records-reach-a-pipe"]

    assert [each.level for each in found] == levels
    assert all(
        ".storageConfig.kinesisStreamConfig.streamArn can't be known" in each.message for each in found
    )


def test_a_permission_in_a_resource_policy_counts(pack: Pack) -> None:
    stack = recorded("prod")
    remove(RECORDER_POLICY, "policy.Statement[Quarantine]")(stack)
    role = {"AWS": stack.one("Role", "recorder-role").outputs["arn"]}
    stack.one("Queue", "quarantine").inputs["policy"] = open_to(role, "sqs:SendMessage", QUARANTINE.arn)

    assert pack.analyze(stack) == list[Violation]()


SNS_PUBLISH = {
    "StartAt": "Publish",
    "States": {
        "Publish": {
            "Type": "Task",
            "Resource": "arn:aws:states:::sns:publish",
            "Arguments": {"TopicArn": "arn:aws:sns:ap-northeast-1:111111111111:alarms"},
            "End": True,
        }
    },
}
OTHER_PIPE = {
    "name": "orders",
    "source": "arn:aws:sqs:ap-northeast-1:111111111111:orders",
    "target": "arn:aws:sns:ap-northeast-1:111111111111:orders",
    "roleArn": "arn:aws:iam::111111111111:role/orders",
    "logConfiguration": {"level": "ERROR"},
}


@pytest.mark.parametrize("change", [lambda stack: stack, first_preview, first_preview_of_outputs])
def test_rules_about_call_records_do_not_apply_to_other_pipes(
    pack: Pack, change: Callable[[Stack], Stack]
) -> None:
    stack = recorded("prod")
    machine = {"name": "orders", "type": "STANDARD", "definition": json.dumps(SNS_PUBLISH)}
    stack.add("aws:sfn/stateMachine:StateMachine", "orders", {**machine, "roleArn": OTHER_PIPE["roleArn"]})
    stack.add(
        "aws:pipes/pipe:Pipe",
        "orders-pipe",
        OTHER_PIPE,
        arn="arn:aws:pipes:ap-northeast-1:111111111111:pipe/orders",
    )

    assert pack.analyze(change(stack)) == list[Violation]()


def test_two_roles_with_the_same_name_are_one_principal(pack: Pack) -> None:
    stack = recorded("prod")
    machine, role = stack.one("StateMachine"), stack.one("Role", "recorder-role")
    named = {**role.inputs, "name": role.outputs["name"]}
    stack.add(role.type, "second", named, arn=f"{role.outputs['arn']}-2")
    machine.inputs["roleArn"] = f"{role.outputs['arn']}-2"

    assert pack.analyze(stack) == list[Violation]()


def test_escalation_through_the_policies_of_one_group_is_reported_only_for_the_group(pack: Pack) -> None:
    stack = recorded("prod")
    for action in ("iam:PassRole", "ec2:RunInstances"):
        stack.add("aws:iam/groupPolicy:GroupPolicy", action, {"group": "operators", "policy": policy(action)})
    stack.add(
        "aws:iam/groupMembership:GroupMembership", "added", {"group": "operators", "users": ["operator"]}
    )

    assert [each.resource for each in pack.analyze(stack)] == ["ec2:RunInstances"]


def test_an_unknown_membership_is_reported(pack: Pack) -> None:
    stack = recorded("prod")
    stack.add(
        "aws:iam/userGroupMembership:UserGroupMembership", "added", {"user": UNKNOWN, "groups": ["operators"]}
    )

    (found,) = pack.analyze(stack)

    assert (found.rule, found.level) == ("iam-no-combined-privilege-escalation", "advisory")
    assert ".added.user can't be known" in found.message


@pytest.mark.parametrize(
    "condition",
    [
        {"StringEquals": {"aws:SourceAccount": "111111111111"}},
        {"StringEquals": {"aws:SourceVpce": "vpce-1a2b3c4d"}},
        {"ArnLike": {"aws:SourceArn": "arn:aws:s3:::recordings"}},
        {"ArnLike": {"aws:SourceArn": "arn:aws:sns:*:111111111111:*"}},
        {"StringLike": {"aws:PrincipalArn": ["arn:aws:iam::111111111111:role/*"]}},
    ],
    ids=str,
)
def test_a_queue_that_is_limited_to_a_caller_is_not_public(pack: Pack, condition: dict[str, object]) -> None:
    stack = recorded("prod")
    opened = open_to("*", "sqs:SendMessage", QUARANTINE.arn, Condition=condition)
    stack.one("Queue", "quarantine").inputs["policy"] = opened

    assert pack.analyze(stack) == list[Violation]()


GITHUB = "token.actions.githubusercontent.com"
TRUSTED: dict[str, dict[str, object]] = {
    "a service in China": {
        "Principal": {"Service": "pipes.amazonaws.com.cn"},
        "Condition": {"StringEquals": {"aws:SourceAccount": "111111111111"}},
    },
    "a service that sets session tags": {
        "Principal": {"Service": "pods.eks.amazonaws.com"},
        "Action": ["sts:AssumeRole", "sts:TagSession"],
    },
    "workflows of one repository": {
        "Principal": {"Federated": f"arn:aws:iam::111111111111:oidc-provider/{GITHUB}"},
        "Action": "sts:AssumeRoleWithWebIdentity",
        "Condition": {"StringLike": {f"{GITHUB}:sub": "repo:example/calls:*"}},
    },
    "a vendor with an external ID": {
        "Principal": {"AWS": "arn:aws:iam::222222222222:root"},
        "Condition": {"StringEquals": {"sts:ExternalId": "7f3c"}},
    },
}


@pytest.mark.parametrize("title", TRUSTED)
def test_a_bound_principal_may_assume_a_role(pack: Pack, title: str) -> None:
    stack = recorded("prod")
    statement = {"Effect": "Allow", "Action": "sts:AssumeRole", **TRUSTED[title]}
    stack.add("aws:iam/role:Role", "added", {"name": "added", "assumeRolePolicy": document(statement)})

    assert pack.analyze(stack) == list[Violation]()


KEY_ACTIONS = ["kms:Decrypt", "kms:GenerateDataKey"]
CALLER = {
    "StringEquals": {"kms:CallerAccount": "111111111111", "kms:ViaService": "sqs.us-east-1.amazonaws.com"}
}


@pytest.mark.parametrize(
    "elements",
    [
        {"Principal": OWN_ACCOUNT, "Action": "kms:*", "Resource": "*"},
        {"Principal": {"AWS": "*"}, "Action": KEY_ACTIONS, "Resource": "*", "Condition": CALLER},
    ],
    ids=["the default statement", "callers of the own account"],
)
def test_a_key_policy_may_allow_the_own_account(pack: Pack, elements: dict[str, object]) -> None:
    stack = recorded("prod")
    stack.add(
        "aws:kms/key:Key", "added", {"policy": document({"Effect": "Allow", **elements})}, arn=OTHER_KEY_ARN
    )

    assert pack.analyze(stack) == list[Violation]()


def test_another_account_is_reported_as_unknown_if_the_own_account_is_unknown(pack: Pack) -> None:
    stack = recorded("prod")
    queue, role = stack.one("Queue", "quarantine"), stack.one("Role", "pipe-role")
    queue.inputs["policy"] = open_to(OTHER_ACCOUNT, "sqs:SendMessage", "*")
    role.outputs["arn"] = queue.outputs["arn"] = UNKNOWN
    rule = "iam-resources-stay-in-account"

    alone = [each for each in pack.analyze(Stack([stack[0], queue])) if each.rule == rule]
    with_role = [each for each in pack.analyze(Stack([stack[0], queue, role])) if each.rule == rule]

    assert [each.level for each in alone] == ["advisory"]
    assert ".arn can't be known" in alone[0].message
    # The trust policy of the role names the account.
    assert [each.level for each in with_role] == ["mandatory"]


def test_an_alias_of_an_express_state_machine_is_allowed_as_target(pack: Pack) -> None:
    stack = recorded("prod")
    set_target(f"{RECORDER.arn}:live")(stack)

    assert pack.analyze(stack) == list[Violation]()


@pytest.mark.parametrize(("type_", "levels"), [("EXPRESS", []), ("STANDARD", ["mandatory"])])
def test_a_state_machine_with_an_unknown_arn_is_found_through_the_dependencies_of_the_pipe(
    pack: Pack, type_: str, levels: list[str]
) -> None:
    stack = recorded("prod")
    machine = stack.one("StateMachine")
    machine.inputs["type"] = type_
    machine.outputs["arn"] = UNKNOWN

    found = [each.level for each in pack.analyze_stack(stack) if each.rule == "pipe-target-is-express"]

    assert found == levels


def policies(stack: Stack) -> dict[str, str]:
    """Returns the identity policies of a stack by the name of their resource."""
    return {
        each.name: each.inputs["policy"] for each in stack if each.type == "aws:iam/rolePolicy:RolePolicy"
    }


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("stack", STACKS)
def test_parliament_has_no_findings(stack: str, variant: str) -> None:
    resources = recorded(stack, VARIANTS[variant])
    documents = policies(resources)
    assert len(documents) == 2
    for each in resources:
        if "assumeRolePolicy" in each.inputs:
            # parliament does not support trust policies, so the role is added as the resource.
            trust = json.loads(each.inputs["assumeRolePolicy"])
            trust["Statement"][0]["Resource"] = each.outputs["arn"]
            del trust["Statement"][0]["Principal"]
            documents[each.name] = json.dumps(trust)
    assert len(documents) == 4

    found = {name: analyze_policy_string(text).findings for name, text in documents.items()}

    assert found == {name: [] for name in documents}


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("stack", STACKS)
def test_policy_sentry_has_no_findings(stack: str, variant: str) -> None:
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

    assert managing == {"logs:PutResourcePolicy"}, "AWS requires it for a state machine that logs"


def test_unrelated_resources_have_no_violations(pack: Pack) -> None:
    stack = recorded("dev")
    stack.add("aws:ec2/vpc:Vpc", "added", {"cidrBlock": "10.0.0.0/16"})
    stack.add("random:index/randomId:RandomId", "number", {"byteLength": 4})

    assert pack.analyze(stack) == list[Violation]()
