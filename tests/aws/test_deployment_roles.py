"""Guards the roles that GitHub Actions assumes.

Failures it is for: a deployment that stops half-way because its role lacks an action, a new type of resource that nobody
thought of, a role that reaches beyond its stack or makes one that does, a preview that can change something, a trust that lets in another
repository or branch.
"""

from __future__ import annotations

import copy
import json
import runpy
import uuid
from collections.abc import Iterator
from dataclasses import replace
from typing import Any, cast

import pytest
import yaml
from botocore.exceptions import ClientError, WaiterError
from parliament import analyze_policy_string
from policy_sentry.analysis.analyze import analyze_by_access_level
from policy_sentry.querying.actions import get_action_data

from callroute.aws.deployment_roles import (
    Place,
    boundary_policy,
    deploy_policy,
    documents,
    github_trust_policy,
    grants,
    preview_policy,
)
from callroute.aws.permissions import Document
from callroute.local.emulator import Credentials, Emulator
from callroute.local.resource_creators import CREATORS
from callroute.local.stack_runner import Registered, deploy
from tests.support.engine import ACCOUNT, PROJECT, REGION, Engine
from tests.support.iam import allows
from tests.support.paths import REPOSITORY

INSTANCE = "00000000-0000-0000-0000-000000000000"
NUMBERS = "aws:connect/phoneNumberContactFlowAssociation:PhoneNumberContactFlowAssociation"
NUMBER = "00000000-0000-0000-0000-000000000009"
THEIRS = f"arn:aws:kinesis:{REGION}:{ACCOUNT}:stream/theirs"
KEY_OF_STREAM = f"arn:aws:kms:{REGION}:{ACCOUNT}:key/00000000-0000-0000-0000-000000000003"
KEY = f"arn:aws:kms:{REGION}:{ACCOUNT}:key/00000000-0000-0000-0000-000000000002"
TABLES = {"dev": "call-records-dev", "local": "call-records", "prod": "call-records"}
PLACES = {
    stack: Place(
        account_id=ACCOUNT,
        region=REGION,
        stack=stack,
        connect_instance_id=INSTANCE,
        table_name=table,
        repository="your-organisation/call-route-tracker",
        state_bucket="your-pulumi-state",
        state_key_arn=f"arn:aws:kms:{REGION}:{ACCOUNT}:key/00000000-0000-0000-0000-000000000001",
    )
    for stack, table in TABLES.items()
}
DEV = PLACES["dev"]
FULL = replace(DEV, phone_number_ids=(NUMBER,), kms_key_arn=KEY)
BOUNDARY = f"arn:aws:iam::{ACCOUNT}:policy/{PROJECT}-boundary-dev"
BOUNDED = replace(FULL, permissions_boundary_arn=BOUNDARY)
VARIANTS = {
    **PLACES,
    "dev with number and key": FULL,
    "dev within a boundary": BOUNDED,
    "dev on an existing stream": replace(DEV, stream_arn=THEIRS),
}


def run(stack: str, **changes: Any) -> Engine:
    """What the program registers for a committed stack, with some settings changed."""
    values = yaml.safe_load((REPOSITORY / f"Pulumi.{stack}.yaml").read_text(encoding="utf-8"))["config"]
    values |= {f"{PROJECT}:{key}": value for key, value in changes.items()}
    config = {key: value if isinstance(value, str) else json.dumps(value) for key, value in values.items()}
    engine = Engine()
    engine.run(lambda: runpy.run_path(str(REPOSITORY / "__main__.py")), stack=stack, config=config)
    return engine


def with_number_and_key() -> Engine:
    flow = {"file": "call_route.json", "name": "call-route-dev", "phoneNumberId": NUMBER}
    return run("dev", flows=[flow], kmsKeyArn=KEY)


def listed(value: str | list[str]) -> list[str]:
    return [value] if isinstance(value, str) else value


def pairs(document: Document) -> Iterator[tuple[dict[str, Any], str, str]]:
    """Every statement, action and resource."""
    for statement in document["Statement"]:
        for action in listed(statement["Action"]):
            for resource in listed(statement["Resource"]):
                yield statement, action, resource


def test_every_type_that_the_program_registers_has_its_actions_and_no_other_type_has() -> None:
    engines = [run("dev"), run("local"), run("prod"), with_number_and_key()]

    registered = {each.type for engine in engines for each in engine.resources if each.custom}
    assert set(grants(DEV)) == registered, "list what the provider calls for a new type in grants()"
    assert all(grants(FULL)[type_] for type_ in registered)


@pytest.mark.parametrize("stack", ["dev", "prod"])
def test_whatever_the_program_names_is_within_reach(stack: str) -> None:
    creates = {
        "aws:dynamodb/table:Table": "dynamodb:CreateTable",
        "aws:kinesis/stream:Stream": "kinesis:CreateStream",
        "aws:sqs/queue:Queue": "sqs:CreateQueue",
        "aws:iam/role:Role": "iam:CreateRole",
        "aws:cloudwatch/logGroup:LogGroup": "logs:CreateLogGroup",
        "aws:sfn/stateMachine:StateMachine": "states:CreateStateMachine",
        "aws:pipes/pipe:Pipe": "pipes:CreatePipe",
    }
    arns = {
        "aws:dynamodb/table:Table": "dynamodb:{}:{}:table/{}",
        "aws:kinesis/stream:Stream": "kinesis:{}:{}:stream/{}",
        "aws:sqs/queue:Queue": "sqs:{}:{}:{}",
        "aws:cloudwatch/logGroup:LogGroup": "logs:{}:{}:log-group:{}",
        "aws:sfn/stateMachine:StateMachine": "states:{}:{}:stateMachine:{}",
        "aws:pipes/pipe:Pipe": "pipes:{}:{}:pipe/{}",
    }
    policy = deploy_policy(PLACES[stack])
    named = [each for each in run(stack).resources if each.type in creates]
    assert len(named) == 10

    for resource in named:
        # Pulumi ends the names that the program leaves to it with seven random characters.
        name = resource.inputs.get("name", f"{resource.name}-0000000")
        arn = (
            f"arn:aws:iam::{ACCOUNT}:role/{name}"
            if resource.type not in arns
            else "arn:aws:" + arns[resource.type].format(REGION, ACCOUNT, name)
        )
        assert allows(policy, creates[resource.type], arn), arn


def test_each_role_can_be_passed_to_the_service_it_is_for_and_to_no_other() -> None:
    engine, policy = run("dev"), deploy_policy(DEV)
    passed = {
        "states.amazonaws.com": engine.one("aws:sfn/stateMachine:StateMachine").inputs["roleArn"],
        "pipes.amazonaws.com": engine.one("aws:pipes/pipe:Pipe").inputs["roleArn"],
    }

    for service in (*passed, "lambda.amazonaws.com"):
        for owner, role in passed.items():
            context = {"iam:PassedToService": service}
            assert allows(policy, "iam:PassRole", role, context=context) is (owner == service), (
                service,
                role,
            )


@pytest.mark.parametrize(
    ("action", "arn"),
    [
        ("dynamodb:DeleteTable", f"arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/call-records"),
        ("states:DeleteStateMachine", f"arn:aws:states:{REGION}:{ACCOUNT}:stateMachine:{PROJECT}-prod"),
        ("pipes:UpdatePipe", f"arn:aws:pipes:{REGION}:{ACCOUNT}:pipe/{PROJECT}-prod"),
        (
            "logs:DeleteLogGroup",
            f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:/aws/vendedlogs/pipes/{PROJECT}-prod",
        ),
        ("kinesis:DeleteStream", f"arn:aws:kinesis:{REGION}:{ACCOUNT}:stream/orders"),
        ("sqs:DeleteQueue", f"arn:aws:sqs:{REGION}:{ACCOUNT}:orders"),
        ("iam:PutRolePolicy", f"arn:aws:iam::{ACCOUNT}:role/administrator"),
        ("iam:PutRolePolicy", f"arn:aws:iam::{ACCOUNT}:role/{PROJECT}-deploy-dev"),
        ("iam:UpdateAssumeRolePolicy", f"arn:aws:iam::{ACCOUNT}:role/{PROJECT}-deploy-dev"),
        ("iam:AttachRolePolicy", f"arn:aws:iam::{ACCOUNT}:role/{PROJECT}-pipe-role-0000000"),
        ("dynamodb:GetItem", f"arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/call-records-dev"),
        ("kinesis:GetRecords", f"arn:aws:kinesis:{REGION}:{ACCOUNT}:stream/{PROJECT}-stream-0000000"),
        ("sqs:ReceiveMessage", f"arn:aws:sqs:{REGION}:{ACCOUNT}:{PROJECT}-quarantine-0000000"),
        (
            "connect:DeleteContactFlow",
            f"arn:aws:connect:{REGION}:{ACCOUNT}:instance/other/contact-flow/{NUMBER}",
        ),
    ],
)
def test_neither_other_stacks_nor_itself_nor_the_calls_are_within_its_reach(action: str, arn: str) -> None:
    assert not allows(deploy_policy(DEV), action, arn)


@pytest.mark.parametrize("action", ["connect:AssociateInstanceStorageConfig"])
def test_of_the_instances_streams_only_that_of_contact_records_can_be_set(action: str) -> None:
    instance = f"arn:aws:connect:{REGION}:{ACCOUNT}:instance/{INSTANCE}"

    for kind, allowed in (("CONTACT_TRACE_RECORDS", True), ("CALL_RECORDINGS", False)):
        context = {"connect:StorageResourceType": kind}
        assert allows(deploy_policy(DEV), action, instance, context=context) is allowed


def test_an_existing_stream_is_looked_at_and_numbers_only_where_there_are_some() -> None:
    number = f"arn:aws:connect:{REGION}:{ACCOUNT}:phone-number/{NUMBER}"

    assert allows(deploy_policy(VARIANTS["dev on an existing stream"]), "kinesis:DescribeStream", THEIRS)
    assert not allows(deploy_policy(DEV), "kinesis:DescribeStream", THEIRS)
    assert allows(deploy_policy(FULL), "connect:AssociatePhoneNumberContactFlow", number)
    assert not allows(deploy_policy(DEV), "connect:AssociatePhoneNumberContactFlow", number)


@pytest.mark.parametrize("which", VARIANTS)
@pytest.mark.parametrize("policy", [deploy_policy, preview_policy])
def test_every_action_exists_and_knows_the_kind_of_resource_it_is_granted_on(policy: Any, which: str) -> None:
    for _, action, resource in pairs(policy(VARIANTS[which])):
        service, _, name = action.partition(":")
        data = get_action_data(service, name)
        assert data, f"{action} is not an action of IAM"
        assert "*" not in name
        kinds = {each["resource_arn_format"] for each in data[service]}
        if resource == "*":
            assert kinds == {"*"}, f"{action} could be narrower"
        else:
            assert any(same_kind(resource, kind) for kind in kinds - {"*"}), f"{action} on {resource}"


def same_kind(arn: str, form: str) -> bool:
    """Whether an ARN, itself a pattern, has the service and the kind that a format of the service's reference has."""
    given, known = arn.split(":", 5), form.split(":", 5)
    literal = known[5].split("${", 1)[0]
    return given[2] == known[2] and given[5].startswith(literal)


@pytest.mark.parametrize("which", VARIANTS)
def test_parliament_finds_nothing_but_what_it_does_not_know(which: str) -> None:
    # Its list of federation sources ends before GitHub; and it reads every document as one that says on what it is.
    trust = ["MALFORMED: Statement contains neither Resource nor NotResource", "UNKNOWN_FEDERATION_SOURCE"]

    for name, document in documents(VARIANTS[which]).items():
        findings = analyze_policy_string(json.dumps(document)).findings
        found = sorted(f"{each.issue}: {each.detail}" for each in findings)
        if name.endswith("-trust.json"):
            assert [each.startswith(known) for each, known in zip(found, trust, strict=True)] == [True, True]
        else:
            assert found == []


@pytest.mark.parametrize("which", VARIANTS)
def test_statements_have_names_of_their_own(which: str) -> None:
    for document in documents(VARIANTS[which]).values():
        sids = [statement["Sid"] for statement in document["Statement"]]
        assert len(sids) == len(set(sids))


MANAGING = {
    "iam:CreateRole": "the stack has two roles",
    "iam:DeleteRole": "likewise",
    "iam:DeleteRolePolicy": "each role has its policy",
    "iam:PassRole": "each role is for one service",
    "iam:PutRolePolicy": "each role has its policy, and Connect's own role gets the stream's",
    "iam:UpdateAssumeRolePolicy": "the trust policies name the state machine and the pipe",
    "logs:PutResourcePolicy": "AWS asks for it from who sets up the log of a pipe",
    "sqs:CreateQueue": "counts as managing permissions because a queue may be made with a policy",
    "sqs:SetQueueAttributes": "likewise",
}
WITH_KEY = {"kms:CreateGrant": "DynamoDB makes itself a grant on the key in the name of who chooses it"}
WITHIN_BOUNDARY = {"iam:PutRolePermissionsBoundary": "a role of before the boundary gets it"}


@pytest.mark.parametrize(
    ("which", "more"),
    [
        ("dev", {}),
        ("prod", {}),
        ("local", {}),
        ("dev on an existing stream", {}),
        ("dev with number and key", WITH_KEY),
        ("dev within a boundary", WITH_KEY | WITHIN_BOUNDARY),
    ],
)
def test_policy_sentry_names_no_more_actions_that_manage_permissions_than_there_are_reasons_for(
    which: str, more: dict[str, str]
) -> None:
    managing = {
        name: set(analyze_by_access_level(document, "Permissions management"))
        for name, document in documents(VARIANTS[which]).items()
    }

    assert managing.pop("deploy-policy.json") == set(MANAGING | more)
    assert managing.pop("boundary-policy.json", set()) <= {"logs:PutResourcePolicy"}, (
        "from a state machine that logs"
    )
    assert managing == {"deploy-trust.json": set(), "preview-policy.json": set(), "preview-trust.json": set()}


@pytest.mark.parametrize("which", VARIANTS)
def test_a_preview_reads_and_changes_nothing(which: str) -> None:
    # IAM calls decrypting a write; what it opens are the stack's own secrets.
    exceptions = {"kms:Decrypt"}

    deploying = {(action, resource) for _, action, resource in pairs(deploy_policy(VARIANTS[which]))}
    for _, action, resource in pairs(preview_policy(VARIANTS[which])):
        service, _, name = action.partition(":")
        levels = {each["access_level"] for each in get_action_data(service, name)[service]}
        assert levels <= {"Read", "List"} or action in exceptions, f"{action} is {levels}"
        assert (action, resource) in deploying


def test_the_roles_policies_fit_into_a_role() -> None:
    # 10,240 characters without white space. Source: IAM and AWS STS quotas, IAM User Guide.
    many = replace(FULL, phone_number_ids=(NUMBER,) * 10, project="call-route-tracker-of-a-long-name")

    for policy in (deploy_policy(many), preview_policy(many)):
        assert len(json.dumps(policy, separators=(",", ":"))) <= 10_240


def test_the_boundary_fits_into_a_managed_policy() -> None:
    # 6,144 characters without white space. Source: IAM and AWS STS quotas, IAM User Guide.
    text = json.dumps(
        boundary_policy(replace(BOUNDED, project="call-route-tracker-of-a-long-name")), separators=(",", ":")
    )

    assert len(text) <= 6_144


ROLE = f"arn:aws:iam::{ACCOUNT}:role/{PROJECT}-recorder-role-0000000"


@pytest.mark.parametrize("action", ["iam:CreateRole", "iam:PutRolePolicy", "iam:PutRolePermissionsBoundary"])
def test_roles_are_made_and_given_policies_only_within_the_boundary(action: str) -> None:
    policy = deploy_policy(BOUNDED)

    assert allows(policy, action, ROLE, context={"iam:PermissionsBoundary": BOUNDARY})
    assert not allows(policy, action, ROLE), "without a boundary"
    for other in ("AdministratorAccess", f"{PROJECT}-boundary-prod"):
        context = {"iam:PermissionsBoundary": f"arn:aws:iam::{ACCOUNT}:policy/{other}"}
        assert not allows(policy, action, ROLE, context=context)


@pytest.mark.parametrize("context", [{}, {"iam:PermissionsBoundary": BOUNDARY}])
def test_a_boundary_can_neither_be_taken_away_nor_changed(context: dict[str, str]) -> None:
    policy = deploy_policy(BOUNDED)

    assert not allows(policy, "iam:DeleteRolePermissionsBoundary", ROLE, context=context)
    for action in (
        "iam:CreatePolicy",
        "iam:CreatePolicyVersion",
        "iam:SetDefaultPolicyVersion",
        "iam:DeletePolicy",
    ):
        assert not allows(policy, action, BOUNDARY, context=context)


@pytest.mark.parametrize(
    "changes",
    [{}, {"kmsKeyArn": KEY}, {"kmsKeyArn": KEY, "streamArn": THEIRS, "streamKmsKeyArn": KEY_OF_STREAM}],
    ids=["AWS's keys", "a customer key", "an existing stream with a key"],
)
def test_within_the_boundary_the_stacks_roles_may_do_all_that_their_policies_say(
    changes: dict[str, str],
) -> None:
    engine = run("dev", **changes)
    boundary = boundary_policy(
        replace(
            BOUNDED,
            kms_key_arn=changes.get("kmsKeyArn"),
            stream_arn=changes.get("streamArn"),
            stream_kms_key_arn=changes.get("streamKmsKeyArn"),
        )
    )
    policies = [json.loads(each.inputs["policy"]) for each in engine.of("aws:iam/rolePolicy:RolePolicy")]
    assert len(policies) == 2

    for policy in policies:
        for statement, action, resource in pairs(policy):
            context = statement.get("Condition", {}).get("StringEquals", {})
            arn = resource.replace(":*", ":log-stream:a")
            assert allows(policy, action, arn, boundary=boundary, context=context), (action, arn)


@pytest.mark.parametrize(
    ("action", "arn"),
    [
        ("iam:CreateUser", f"arn:aws:iam::{ACCOUNT}:user/administrator"),
        ("sts:AssumeRole", f"arn:aws:iam::{ACCOUNT}:role/administrator"),
        ("dynamodb:Scan", f"arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/call-records-dev"),
        ("dynamodb:UpdateItem", f"arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/orders"),
        ("kinesis:GetRecords", f"arn:aws:kinesis:{REGION}:{ACCOUNT}:stream/orders"),
        ("sqs:SendMessage", f"arn:aws:sqs:{REGION}:{ACCOUNT}:orders"),
        ("states:StartSyncExecution", f"arn:aws:states:{REGION}:{ACCOUNT}:stateMachine:orders"),
        ("kms:Decrypt", KEY),
    ],
)
def test_within_the_boundary_a_widened_policy_gains_nothing(action: str, arn: str) -> None:
    everything = {"Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}

    assert allows(everything, action, arn)
    assert not allows(everything, action, arn, boundary=boundary_policy(BOUNDED))


def test_github_may_assume_a_role_for_one_environment_of_one_repository() -> None:
    place = replace(DEV, repository="octo@1/calls@2")
    (statement,) = github_trust_policy(place, "prod-preview")["Statement"]

    assert statement["Action"] == "sts:AssumeRoleWithWebIdentity"
    assert statement["Principal"] == {
        "Federated": f"arn:aws:iam::{ACCOUNT}:oidc-provider/token.actions.githubusercontent.com"
    }
    assert statement["Condition"] == {
        "StringEquals": {
            "token.actions.githubusercontent.com:aud": "sts.amazonaws.com",
            "token.actions.githubusercontent.com:sub": "repo:octo@1/calls@2:environment:prod-preview",
        }
    }


def test_preview_and_deployment_are_trusted_by_different_environments() -> None:
    found = documents(DEV)

    subjects = {
        name: json.dumps(document).partition(":environment:")[2].partition('"')[0]
        for name, document in found.items()
        if name.endswith("-trust.json")
    }
    assert subjects == {"deploy-trust.json": "dev", "preview-trust.json": "dev-preview"}


def test_only_main_deploys_and_any_branch_previews() -> None:
    found = documents(DEV)
    refs = {}
    for name in ("deploy-trust.json", "preview-trust.json"):
        (statement,) = found[name]["Statement"]
        refs[name] = statement["Condition"]["StringEquals"].get("token.actions.githubusercontent.com:ref")

    assert refs == {"deploy-trust.json": "refs/heads/main", "preview-trust.json": None}


class Acting:
    """The emulator, with all calls made in somebody's name."""

    def __init__(self, emulator: Emulator, policy: Document) -> None:
        iam, name = emulator.client("iam"), f"user-{uuid.uuid4().hex[:12]}"
        iam.create_user(UserName=name)
        iam.put_user_policy(UserName=name, PolicyName="only", PolicyDocument=json.dumps(policy))
        key = iam.create_access_key(UserName=name)["AccessKey"]
        self._credentials = Credentials(key["AccessKeyId"], key["SecretAccessKey"])
        self._emulator = emulator

    def client(self, service: str) -> Any:
        return self._emulator.client(service, self._credentials)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._emulator, name)


def without(policy: Document, action: str) -> Document:
    """The policy less one action."""
    kept = []
    for statement in policy["Statement"]:
        actions = [each for each in listed(statement["Action"]) if each != action]
        if actions:
            kept.append({**statement, "Action": actions})
    return {**policy, "Statement": kept}


@pytest.fixture(scope="module")
def made(emulator: Emulator) -> tuple[Registered, ...]:
    """What stack dev consists of."""
    emulator.reset()
    return deploy(emulator, "dev").resources


def make(emulator: Emulator, policy: Document, *resources: Registered) -> None:
    """Makes resources as the AWS provider would, allowed to do what the policy says."""
    emulator.reset()
    acting = cast("Emulator", Acting(emulator, policy))
    for resource in resources:
        given = copy.deepcopy(resource.inputs)
        given.pop("name", None)
        CREATORS[resource.type](acting, resource.outputs.get("name", resource.name), given)


def test_with_the_deploying_role_every_resource_of_the_stack_can_be_made(
    emulator: Emulator, made: tuple[Registered, ...]
) -> None:
    make(emulator, deploy_policy(DEV), *made)

    assert {each.type for each in made} == set(grants(DEV)) - {NUMBERS}


@pytest.mark.parametrize(
    "action",
    [
        "dynamodb:CreateTable",
        "dynamodb:DescribeTable",
        "dynamodb:UpdateContinuousBackups",
        "dynamodb:UpdateTimeToLive",
        "iam:CreateRole",
        "iam:PutRolePolicy",
        "kinesis:AddTagsToStream",
        "kinesis:CreateStream",
        "kinesis:DescribeStreamSummary",
        "kinesis:StartStreamEncryption",
        "logs:CreateLogGroup",
        "logs:PutRetentionPolicy",
        "pipes:CreatePipe",
        "sqs:CreateQueue",
        "sqs:GetQueueAttributes",
        "states:CreateStateMachine",
    ],
)
def test_without_an_action_they_cannot_and_the_error_names_it(
    emulator: Emulator, made: tuple[Registered, ...], action: str
) -> None:
    with pytest.raises((ClientError, WaiterError), match=rf"AccessDenied.*{action}"):
        make(emulator, without(deploy_policy(DEV), action), *made)


def test_the_role_of_one_stack_cannot_make_the_table_of_another(
    emulator: Emulator, made: tuple[Registered, ...]
) -> None:
    table = next(each for each in made if each.type == "aws:dynamodb/table:Table")

    make(emulator, deploy_policy(DEV), table)
    with pytest.raises(ClientError, match=r"AccessDenied.*CreateTable"):
        make(emulator, deploy_policy(PLACES["prod"]), table)
