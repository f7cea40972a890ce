"""Tests the IAM documents of the roles that GitHub Actions assumes.

The deployment role can create every resource in its stack and nothing outside of it. The preview role cannot change
anything. Only the right repository, environment and branch can assume them.
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

from call_route_tracker import CallRouteTracker, CallRouteTrackerArgs, ContactFlowArgs
from callroute.arn import Arn
from callroute.aws.deployment_roles import (
    DeploymentTarget,
    boundary_policy,
    deploy_policy,
    documents,
    github_trust_policy,
    grants,
    preview_policy,
    reader_policy,
)
from callroute.aws.permissions import Document
from callroute.local.emulator import Credentials, Emulator
from callroute.local.resource_creators import CREATORS
from callroute.local.stack_runner import Registered, deploy
from tests.support.engine import ACCOUNT, PROJECT, REGION, Engine
from tests.support.iam import allows
from tests.support.options import INSTANCE, tracker_args
from tests.support.paths import REPOSITORY

NUMBERS = "aws:connect/phoneNumberContactFlowAssociation:PhoneNumberContactFlowAssociation"
MODULES = "aws:connect/contactFlowModule:ContactFlowModule"
DASHBOARD = "aws:cloudwatch/dashboard:Dashboard"
SUBSCRIPTIONS = "aws:sns/topicSubscription:TopicSubscription"
EMAIL = "on-call@example.com"
NUMBER = "00000000-0000-0000-0000-000000000009"
EXISTING_STREAM = f"arn:aws:kinesis:{REGION}:{ACCOUNT}:stream/existing"
STREAM_KEY = f"arn:aws:kms:{REGION}:{ACCOUNT}:key/00000000-0000-0000-0000-000000000003"
KEY = f"arn:aws:kms:{REGION}:{ACCOUNT}:key/00000000-0000-0000-0000-000000000002"
TABLES = {"dev": "call-records-dev", "local": "call-records", "prod": "call-records"}
TARGETS = {
    stack: DeploymentTarget(
        args=tracker_args(table_name=table),
        account_id=ACCOUNT,
        region=REGION,
        stack=stack,
        repository="your-organisation/call-route-tracker",
        state_bucket="your-pulumi-state",
        state_key_arn=f"arn:aws:kms:{REGION}:{ACCOUNT}:key/00000000-0000-0000-0000-000000000001",
    )
    for stack, table in TABLES.items()
}
BOUNDARY = f"arn:aws:iam::{ACCOUNT}:policy/{PROJECT}-boundary-dev"


def dev(**options: Any) -> DeploymentTarget:
    """Returns the deployment target of the dev stack, with some options changed."""
    return replace(TARGETS["dev"], args=tracker_args(table_name=TABLES["dev"], **options))


def flows(*numbers: str) -> list[ContactFlowArgs]:
    """Returns flows with phone numbers."""
    return [
        ContactFlowArgs(key=str(index), name=str(index), content="{}", phone_number_id=number)
        for index, number in enumerate(numbers)
    ]


DEV = TARGETS["dev"]
MODULE = ContactFlowArgs(key="module", name="module", content="{}", type="MODULE")
FULL = dev(flows=[*flows(NUMBER), MODULE], kms_key_arn=KEY, alarm_email=EMAIL)
BOUNDED = dev(flows=flows(NUMBER), kms_key_arn=KEY, permissions_boundary_arn=BOUNDARY)
VARIANTS = {
    **TARGETS,
    "dev without alarms": dev(alarms=False, dashboard=False),
    "dev with metrics": dev(metrics=True, alarm_topic_arn=f"arn:aws:sns:{REGION}:{ACCOUNT}:on-call"),
    "dev with number and key": FULL,
    "dev with a boundary": BOUNDED,
    "dev with an existing stream": dev(stream_arn=EXISTING_STREAM),
}


def run(stack: str, **changes: Any) -> Engine:
    """Runs the program for a committed stack with some options changed."""
    values = yaml.safe_load((REPOSITORY / f"Pulumi.{stack}.yaml").read_text(encoding="utf-8"))["config"]
    values |= {f"{PROJECT}:{key}": value for key, value in changes.items()}
    config = {key: value if isinstance(value, str) else json.dumps(value) for key, value in values.items()}
    engine = Engine()
    engine.run(lambda: runpy.run_path(str(REPOSITORY / "__main__.py")), stack=stack, config=config)
    return engine


def with_number_key_and_email() -> Engine:
    flow = {"file": "call_route.json", "name": "call-route-dev", "phoneNumberId": NUMBER}
    return run("dev", flows=[flow], kmsKeyArn=KEY, alarmEmail=EMAIL)


def listed(value: str | list[str]) -> list[str]:
    return [value] if isinstance(value, str) else value


def pairs(document: Document) -> Iterator[tuple[dict[str, Any], str, str]]:
    """Yields every combination of statement, action and resource."""
    for statement in document["Statement"]:
        for action in listed(statement["Action"]):
            for resource in listed(statement["Resource"]):
                yield statement, action, resource


def test_grants_cover_exactly_the_registered_resource_types() -> None:
    with_module = Engine()
    with_module.run(lambda: CallRouteTracker(PROJECT, cast("CallRouteTrackerArgs", FULL.args)))
    engines = [run("dev"), run("local"), run("prod"), with_module]

    registered = {each.type for engine in engines for each in engine.resources if each.custom}
    assert set(grants(DEV)) == registered, "add the actions for a new type to grants()"
    assert all(grants(FULL)[type_] for type_ in registered)


@pytest.mark.parametrize("stack", ["dev", "prod"])
def test_the_deployment_role_can_create_every_resource_by_its_name(stack: str) -> None:
    creates = {
        "aws:dynamodb/table:Table": "dynamodb:CreateTable",
        "aws:kinesis/stream:Stream": "kinesis:CreateStream",
        "aws:sqs/queue:Queue": "sqs:CreateQueue",
        "aws:iam/role:Role": "iam:CreateRole",
        "aws:cloudwatch/logGroup:LogGroup": "logs:CreateLogGroup",
        "aws:sfn/stateMachine:StateMachine": "states:CreateStateMachine",
        "aws:pipes/pipe:Pipe": "pipes:CreatePipe",
        "aws:cloudwatch/metricAlarm:MetricAlarm": "cloudwatch:PutMetricAlarm",
        "aws:sns/topic:Topic": "sns:CreateTopic",
    }
    arns = {
        "aws:dynamodb/table:Table": "dynamodb:{}:{}:table/{}",
        "aws:kinesis/stream:Stream": "kinesis:{}:{}:stream/{}",
        "aws:sqs/queue:Queue": "sqs:{}:{}:{}",
        "aws:cloudwatch/logGroup:LogGroup": "logs:{}:{}:log-group:{}",
        "aws:sfn/stateMachine:StateMachine": "states:{}:{}:stateMachine:{}",
        "aws:pipes/pipe:Pipe": "pipes:{}:{}:pipe/{}",
        "aws:cloudwatch/metricAlarm:MetricAlarm": "cloudwatch:{}:{}:alarm:{}",
        "aws:sns/topic:Topic": "sns:{}:{}:{}",
    }
    policy = deploy_policy(TARGETS[stack])
    resources = run(stack).resources
    named = [each for each in resources if each.type in creates]
    assert {each.type for each in named} == set(creates)

    for resource in named:
        # Pulumi adds seven random characters to automatic names.
        name = resource.inputs.get("name", f"{resource.name}-0000000")
        arn = (
            f"arn:aws:iam::{ACCOUNT}:role/{name}"
            if resource.type not in arns
            else "arn:aws:" + arns[resource.type].format(REGION, ACCOUNT, name)
        )
        assert allows(policy, creates[resource.type], arn), arn
    (dashboard,) = [each.inputs["dashboardName"] for each in resources if each.type == DASHBOARD]
    assert allows(policy, "cloudwatch:PutDashboard", f"arn:aws:cloudwatch::{ACCOUNT}:dashboard/{dashboard}")


def test_each_role_can_be_passed_only_to_its_service() -> None:
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
        ("cloudwatch:DeleteAlarms", f"arn:aws:cloudwatch:{REGION}:{ACCOUNT}:alarm:{PROJECT}-prod-quarantine"),
        ("cloudwatch:PutDashboard", f"arn:aws:cloudwatch::{ACCOUNT}:dashboard/{PROJECT}-prod-{REGION}"),
        ("sns:SetTopicAttributes", f"arn:aws:sns:{REGION}:{ACCOUNT}:orders"),
        ("sns:Publish", f"arn:aws:sns:{REGION}:{ACCOUNT}:{PROJECT}-alarms-0000000"),
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
def test_other_stacks_the_role_itself_and_call_data_are_out_of_reach(action: str, arn: str) -> None:
    assert not allows(deploy_policy(DEV), action, arn)


@pytest.mark.parametrize("action", ["connect:AssociateInstanceStorageConfig"])
def test_only_the_stream_of_contact_records_can_be_set(action: str) -> None:
    instance = f"arn:aws:connect:{REGION}:{ACCOUNT}:instance/{INSTANCE}"

    for kind, allowed in (("CONTACT_TRACE_RECORDS", True), ("CALL_RECORDINGS", False)):
        context = {"connect:StorageResourceType": kind}
        assert allows(deploy_policy(DEV), action, instance, context=context) is allowed


def test_an_existing_stream_and_phone_numbers_get_permissions_only_if_configured() -> None:
    number = f"arn:aws:connect:{REGION}:{ACCOUNT}:phone-number/{NUMBER}"

    assert allows(
        deploy_policy(VARIANTS["dev with an existing stream"]), "kinesis:DescribeStream", EXISTING_STREAM
    )
    assert not allows(deploy_policy(DEV), "kinesis:DescribeStream", EXISTING_STREAM)
    assert allows(deploy_policy(FULL), "connect:AssociatePhoneNumberContactFlow", number)
    assert not allows(deploy_policy(DEV), "connect:AssociatePhoneNumberContactFlow", number)


def test_modules_get_permissions_only_if_the_stack_deploys_some() -> None:
    module = f"arn:aws:connect:{REGION}:{ACCOUNT}:instance/{INSTANCE}/flow-module/{NUMBER}"

    assert allows(deploy_policy(FULL), "connect:CreateContactFlowModule", module)
    assert allows(preview_policy(FULL), "connect:DescribeContactFlowModule", module)
    assert not allows(deploy_policy(DEV), "connect:CreateContactFlowModule", module)


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("policy", [deploy_policy, preview_policy, reader_policy])
def test_every_action_exists_and_supports_its_resource(policy: Any, variant: str) -> None:
    for _, action, resource in pairs(policy(VARIANTS[variant])):
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
    """Returns whether an ARN pattern matches the service and resource type of an ARN format."""
    given, known = Arn.parse(arn), Arn.parse(form)
    return given.service == known.service and given.resource.startswith(known.resource.split("${", 1)[0])


@pytest.mark.parametrize("variant", VARIANTS)
def test_parliament_reports_only_what_it_does_not_support(variant: str) -> None:
    # parliament does not know GitHub as a federation source, and requires a resource even in trust policies.
    trust = ["MALFORMED: Statement contains neither Resource nor NotResource", "UNKNOWN_FEDERATION_SOURCE"]

    for name, document in documents(VARIANTS[variant]).items():
        findings = analyze_policy_string(json.dumps(document)).findings
        found = sorted(f"{each.issue}: {each.detail}" for each in findings)
        if name.endswith("-trust.json"):
            assert [each.startswith(known) for each, known in zip(found, trust, strict=True)] == [True, True]
        else:
            # parliament expects all resource types of an action in one statement. IAM evaluates each resource on its own.
            split = "RESOURCE_MISMATCH: [{'action': 'connect:AssociatePhoneNumberContactFlow'"
            assert [each for each in found if not each.startswith(split)] == []


@pytest.mark.parametrize("variant", VARIANTS)
def test_statements_have_distinct_sids(variant: str) -> None:
    for document in documents(VARIANTS[variant]).values():
        sids = [statement["Sid"] for statement in document["Statement"]]
        assert len(sids) == len(set(sids))


MANAGING = {
    "iam:CreateRole": "the stack has two roles",
    "iam:DeleteRole": "the stack has two roles",
    "iam:DeleteRolePolicy": "each role has its policy",
    "iam:PassRole": "each role is passed to one service",
    "iam:PutRolePolicy": "each role has its policy, and Connect's own role gets one for the stream",
    "iam:UpdateAssumeRolePolicy": "the trust policies name the state machine and the pipe",
    "logs:PutResourcePolicy": "AWS requires it of the caller that sets up the log of a pipe",
    "sns:CreateTopic": "counts as managing permissions because a topic can have a policy",
    "sns:SetTopicAttributes": "the policy of the topic allows only alarms of this stack to publish",
    "sqs:CreateQueue": "counts as managing permissions because a queue can have a policy",
    "sqs:SetQueueAttributes": "counts as managing permissions because a queue can have a policy",
}
WITH_KEY = {"kms:CreateGrant": "DynamoDB creates a grant on the key on behalf of the caller"}
WITH_BOUNDARY = {"iam:PutRolePermissionsBoundary": "an existing role gets the boundary"}


@pytest.mark.parametrize(
    ("variant", "more"),
    [
        ("dev", {}),
        ("prod", {}),
        ("local", {}),
        ("dev with an existing stream", {}),
        ("dev with number and key", WITH_KEY),
        ("dev with a boundary", WITH_KEY | WITH_BOUNDARY),
    ],
)
def test_every_action_that_manages_permissions_has_a_reason(variant: str, more: dict[str, str]) -> None:
    managing = {
        name: set(analyze_by_access_level(document, "Permissions management"))
        for name, document in documents(VARIANTS[variant]).items()
    }

    assert managing.pop("deploy-policy.json") == set(MANAGING | more)
    assert managing.pop("boundary-policy.json", set()) <= {"logs:PutResourcePolicy"}, (
        "the state machine writes logs"
    )
    assert all(actions == set() for actions in managing.values())


@pytest.mark.parametrize("variant", VARIANTS)
def test_the_preview_role_has_only_read_permissions(variant: str) -> None:
    # IAM classifies decryption as a write action. It is needed for the stack's secrets.
    exceptions = {"kms:Decrypt"}

    deploying = {(action, resource) for _, action, resource in pairs(deploy_policy(VARIANTS[variant]))}
    for _, action, resource in pairs(preview_policy(VARIANTS[variant])):
        service, _, name = action.partition(":")
        levels = {each["access_level"] for each in get_action_data(service, name)[service]}
        assert levels <= {"Read", "List"} or action in exceptions, f"{action} is {levels}"
        assert (action, resource) in deploying


@pytest.mark.parametrize(("count", "modules"), [(10, []), (6, [MODULE])])
def test_the_policies_fit_into_a_role(count: int, modules: list[ContactFlowArgs]) -> None:
    # 10,240 characters without white space. Source: IAM and AWS STS quotas, IAM User Guide.
    numbers = [f"{NUMBER[:-1]}{digit}" for digit in range(count)]
    many = replace(
        dev(flows=[*flows(*numbers), *modules], kms_key_arn=KEY, alarm_email=EMAIL),
        project="call-route-tracker-with-a-long-name",
    )

    for policy in (deploy_policy(many), preview_policy(many)):
        assert len(json.dumps(policy, separators=(",", ":"))) <= 10_240


def test_the_boundary_fits_into_a_managed_policy() -> None:
    # 6,144 characters without white space. Source: IAM and AWS STS quotas, IAM User Guide.
    text = json.dumps(
        boundary_policy(replace(BOUNDED, project="call-route-tracker-with-a-long-name")),
        separators=(",", ":"),
    )

    assert len(text) <= 6_144


ROLE = f"arn:aws:iam::{ACCOUNT}:role/{PROJECT}-recorder-role-0000000"


@pytest.mark.parametrize("action", ["iam:CreateRole", "iam:PutRolePolicy", "iam:PutRolePermissionsBoundary"])
def test_roles_can_be_created_and_changed_only_with_the_boundary(action: str) -> None:
    policy = deploy_policy(BOUNDED)

    assert allows(policy, action, ROLE, context={"iam:PermissionsBoundary": BOUNDARY})
    assert not allows(policy, action, ROLE), "without a boundary"
    for other in ("AdministratorAccess", f"{PROJECT}-boundary-prod"):
        context = {"iam:PermissionsBoundary": f"arn:aws:iam::{ACCOUNT}:policy/{other}"}
        assert not allows(policy, action, ROLE, context=context)


@pytest.mark.parametrize("context", [{}, {"iam:PermissionsBoundary": BOUNDARY}])
def test_a_boundary_can_be_neither_removed_nor_changed(context: dict[str, str]) -> None:
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
    [{}, {"kmsKeyArn": KEY}, {"kmsKeyArn": KEY, "streamArn": EXISTING_STREAM, "streamKmsKeyArn": STREAM_KEY}],
    ids=["AWS managed keys", "a customer managed key", "an existing stream with a key"],
)
def test_the_boundary_allows_everything_in_the_policies_of_the_roles(
    changes: dict[str, str],
) -> None:
    engine = run("dev", **changes)
    boundary = boundary_policy(
        dev(
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
def test_the_boundary_limits_a_policy_that_allows_everything(action: str, arn: str) -> None:
    everything = {"Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}

    assert allows(everything, action, arn)
    assert not allows(everything, action, arn, boundary=boundary_policy(BOUNDED))


def test_a_role_trusts_one_environment_of_one_repository() -> None:
    target = replace(DEV, repository="octo@1/calls@2")
    (statement,) = github_trust_policy(target, "prod-preview")["Statement"]

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


def test_each_role_has_its_own_environment() -> None:
    found = documents(DEV)

    subjects = {
        name: json.dumps(document).partition(":environment:")[2].partition('"')[0]
        for name, document in found.items()
        if name.endswith("-trust.json")
    }
    assert subjects == {
        "deploy-trust.json": "dev",
        "preview-trust.json": "dev-preview",
        "reader-trust.json": "dev-report",
    }


def test_only_main_can_deploy_and_report_and_every_branch_can_preview() -> None:
    found = documents(DEV)
    refs = {}
    for name in ("deploy-trust.json", "preview-trust.json", "reader-trust.json"):
        (statement,) = found[name]["Statement"]
        refs[name] = statement["Condition"]["StringEquals"].get("token.actions.githubusercontent.com:ref")

    assert refs == {
        "deploy-trust.json": "refs/heads/main",
        "preview-trust.json": None,
        "reader-trust.json": "refs/heads/main",
    }


class RestrictedEmulator:
    """An emulator whose clients have only the permissions of a policy."""

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
    """Returns the policy without one action."""
    kept = []
    for statement in policy["Statement"]:
        actions = [each for each in listed(statement["Action"]) if each != action]
        if actions:
            kept.append({**statement, "Action": actions})
    return {**policy, "Statement": kept}


@pytest.fixture(scope="module")
def registered(emulator: Emulator) -> tuple[Registered, ...]:
    """Returns the resources of the dev stack."""
    emulator.reset()
    return deploy(emulator, "dev").resources


def create(emulator: Emulator, policy: Document, *resources: Registered) -> None:
    """Creates resources as the AWS provider would, with the permissions of a policy."""
    emulator.reset()
    restricted = cast("Emulator", RestrictedEmulator(emulator, policy))
    for resource in resources:
        if resource.type == DASHBOARD:
            continue  # The emulator authorizes this call on `*` instead of the dashboard.
        given = copy.deepcopy(resource.inputs)
        given.pop("name", None)
        CREATORS[resource.type](restricted, resource.outputs.get("name", resource.name), given)


def test_the_deployment_role_can_create_the_stack(
    emulator: Emulator, registered: tuple[Registered, ...]
) -> None:
    create(emulator, deploy_policy(DEV), *registered)

    assert {each.type for each in registered} == set(grants(DEV)) - {NUMBERS, SUBSCRIPTIONS, MODULES}


@pytest.mark.parametrize(
    "action",
    [
        "cloudwatch:PutMetricAlarm",
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
        "sns:CreateTopic",
        "sns:SetTopicAttributes",
        "sqs:CreateQueue",
        "sqs:GetQueueAttributes",
        "states:CreateStateMachine",
    ],
)
def test_a_missing_action_is_named_in_the_error(
    emulator: Emulator, registered: tuple[Registered, ...], action: str
) -> None:
    with pytest.raises((ClientError, WaiterError), match=rf"(AccessDenied|AuthorizationError).*{action}"):
        create(emulator, without(deploy_policy(DEV), action), *registered)


def test_the_role_of_one_stack_cannot_create_the_table_of_another(
    emulator: Emulator, registered: tuple[Registered, ...]
) -> None:
    table = next(each for each in registered if each.type == "aws:dynamodb/table:Table")

    create(emulator, deploy_policy(DEV), table)
    with pytest.raises(ClientError, match=r"AccessDenied.*CreateTable"):
        create(emulator, deploy_policy(TARGETS["prod"]), table)
