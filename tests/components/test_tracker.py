"""Tests the resources of the component: their number, parents, permissions, protection and secrets."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pulumi
import pulumi_aws as aws
import pytest

from call_route_tracker import CallRouteTracker, ContactFlowArgs, tracker
from call_route_tracker.constraints import ConfigError
from callroute.aws.pipe import INPUT_TEMPLATE, filter_pattern
from callroute.flows.attribute_flow import attributes_of
from callroute.flows.flow import Flow
from callroute.flows.tracking_blocks import strip_tracking
from tests.support.engine import Engine, Registered
from tests.support.options import INSTANCE, tracker_args
from tests.support.paths import FLOW_DEFINITIONS

STREAM_ARN = "arn:aws:kinesis:ap-northeast-1:111111111111:stream/contact-records"
KEY_ARN = "arn:aws:kms:ap-northeast-1:111111111111:key/00000000-0000-0000-0000-000000000003"
OTHER_KEY_ARN = "arn:aws:kms:ap-northeast-1:111111111111:key/00000000-0000-0000-0000-000000000004"
TOPIC_ARN = "arn:aws:sns:ap-northeast-1:111111111111:on-call"
NUMBER_ID = "00000000-0000-0000-0000-000000000005"
SALT = "a-salt-for-tests-only"

FLOW = ContactFlowArgs(key="menu", name="Menu", content='{"Version":"2019-10-30"}')
MODULE = replace(FLOW, key="balance", type="MODULE")
ARGS = tracker_args(flows=[FLOW], tags={"project": "test"})

TABLE = "aws:dynamodb/table:Table"
STREAM = "aws:kinesis/stream:Stream"
QUEUE = "aws:sqs/queue:Queue"
STATE_MACHINE = "aws:sfn/stateMachine:StateMachine"
PIPE = "aws:pipes/pipe:Pipe"
ROLE = "aws:iam/role:Role"
POLICY = "aws:iam/rolePolicy:RolePolicy"
LOGS = "aws:cloudwatch/logGroup:LogGroup"
MODULE_TYPE = "aws:connect/contactFlowModule:ContactFlowModule"
FLOW_TYPE = "aws:connect/contactFlow:ContactFlow"
NUMBER = "aws:connect/phoneNumberContactFlowAssociation:PhoneNumberContactFlowAssociation"
ALARM = "aws:cloudwatch/metricAlarm:MetricAlarm"
DASHBOARD = "aws:cloudwatch/dashboard:Dashboard"
TOPIC = "aws:sns/topic:Topic"
TOPIC_POLICY = "aws:sns/topicPolicy:TopicPolicy"
ALARMS = ("quarantine", "dead-letters", "iterator-age", "executions-failed", "stream-not-read")
STREAMING = "aws:connect/instanceStorageConfig:InstanceStorageConfig"


def build(engine: Engine, preview: bool = False, **changes: Any) -> CallRouteTracker:
    """Runs a program that creates a tracker. Returns the tracker."""
    args = replace(ARGS, **changes)
    built: list[CallRouteTracker] = []
    engine.run(lambda: built.append(CallRouteTracker("calls", args)), preview=preview)
    return built[0]


def permissions(policy: Registered) -> set[tuple[str, str]]:
    """Returns the pairs of action and resource that a role policy allows."""
    return {
        (action, statement["Resource"])
        for statement in json.loads(policy.inputs["policy"])["Statement"]
        for action in statement["Action"]
    }


def test_the_type_token_is_unchanged_because_renaming_it_would_replace_all_resources() -> None:
    assert tracker.TOKEN == "call-route-tracker:index:CallRouteTracker"  # noqa: S105 - a type token


def test_exactly_these_resources_are_registered(engine: Engine) -> None:
    build(engine, flows=[replace(FLOW, phone_number_id=NUMBER_ID)])

    assert sorted((resource.type, resource.name) for resource in engine.resources) == sorted(
        [
            ("call-route-tracker:index:CallRouteTracker", "calls"),
            ("call-route-tracker:index:RecordTable", "calls-table"),
            (TABLE, "calls-table"),
            ("call-route-tracker:index:RecordStream", "calls-stream"),
            (STREAM, "calls-stream"),
            (STREAMING, "calls-contact-records"),
            ("call-route-tracker:index:ContactFlow", "calls-menu"),
            (FLOW_TYPE, "calls-menu"),
            (NUMBER, "calls-menu-number"),
            (QUEUE, "calls-quarantine"),
            ("call-route-tracker:index:RouteRecorder", "calls-recorder"),
            (ROLE, "calls-recorder-role"),
            (POLICY, "calls-recorder-policy"),
            (LOGS, "calls-recorder-logs"),
            (STATE_MACHINE, "calls-recorder"),
            ("call-route-tracker:index:RecordPipe", "calls-pipe"),
            (QUEUE, "calls-pipe-dead-letters"),
            (ROLE, "calls-pipe-role"),
            (POLICY, "calls-pipe-policy"),
            (LOGS, "calls-pipe-logs"),
            (PIPE, "calls-pipe"),
            ("call-route-tracker:index:PipelineAlarms", "calls-alarms"),
            (TOPIC, "calls-alarms"),
            (TOPIC_POLICY, "calls-alarms-policy"),
            *((ALARM, f"calls-alarms-{name}") for name in ALARMS),
            (DASHBOARD, "calls-dashboard"),
        ]
    )


def test_every_resource_is_a_descendant_of_the_component(engine: Engine) -> None:
    build(engine, flows=[replace(FLOW, phone_number_id=NUMBER_ID)])

    parents = {resource.urn: resource.parent for resource in engine.resources}
    (root,) = (resource.urn for resource in engine.resources if resource.name == "calls")
    for urn in parents:
        ancestor = urn
        while ancestor != root:
            assert ancestor in parents, f"{urn} is not a descendant of the component"
            ancestor = parents[ancestor]


def test_components_register_few_outputs_once(engine: Engine) -> None:
    build(engine)

    outputs = {urn.rpartition("::")[2]: names for urn, names in engine.component_outputs.items()}
    assert outputs["calls"] == {"tableName", "streamArn", "stateMachineArn", "pipeArn"}
    components = {resource.urn for resource in engine.resources if not resource.custom}
    assert components <= set(engine.component_outputs), "every component registers its outputs"


def test_every_resource_that_supports_tags_has_them(engine: Engine) -> None:
    build(engine)

    tagged = set()
    for resource in engine.resources:
        if resource.custom:
            _, module, kind = resource.type.split(":")
            taggable = hasattr(getattr(getattr(aws, module.partition("/")[0]), kind), "tags")
            assert resource.inputs.get("tags") == ({"project": "test"} if taggable else None), resource.urn
            tagged |= {resource.type} if taggable else set()
    assert tagged == {TABLE, STREAM, FLOW_TYPE, QUEUE, ROLE, LOGS, STATE_MACHINE, PIPE, ALARM, TOPIC}


def test_the_table_has_the_documented_key_and_index(engine: Engine) -> None:
    build(engine)

    table = engine.one(TABLE).inputs
    assert table["name"] == "call-records"
    assert table["hashKey"] == "contact_id"
    assert table["billingMode"] == "PAY_PER_REQUEST"
    assert table["globalSecondaryIndexes"] == [
        {
            "name": "by-day",
            "keySchemas": [
                {"attributeName": "call_date", "keyType": "HASH"},
                {"attributeName": "start_time", "keyType": "RANGE"},
            ],
            "projectionType": "ALL",
        }
    ]
    assert {attribute["name"]: attribute["type"] for attribute in table["attributes"]} == {
        "contact_id": "S",
        "call_date": "S",
        "start_time": "S",
    }, "DynamoDB rejects attributes that are not part of a key"
    assert table["pointInTimeRecovery"] == {"enabled": True}
    assert table["serverSideEncryption"] == {"enabled": True}


def test_items_expire_only_with_a_retention_period(engine: Engine) -> None:
    build(engine)
    expiring = Engine()
    build(expiring, retention_days=30)

    assert engine.one(TABLE).inputs["ttl"] == {"enabled": False}, (
        "the provider rejects an attribute name when TTL is off"
    )
    assert expiring.one(TABLE).inputs["ttl"] == {"enabled": True, "attributeName": "expires_at"}


def test_the_stream_is_encrypted_and_has_one_shard(engine: Engine) -> None:
    build(engine)

    stream = engine.one(STREAM).inputs
    assert stream["streamModeDetails"] == {"streamMode": "PROVISIONED"}
    assert stream["shardCount"] == 1
    assert stream["retentionPeriod"] == 24
    assert (stream["encryptionType"], stream["kmsKeyId"]) == ("KMS", "alias/aws/kinesis")


def test_an_on_demand_stream_has_no_shard_count(engine: Engine) -> None:
    build(engine, stream_mode="ON_DEMAND", stream_retention_hours=168)

    stream = engine.one(STREAM).inputs
    assert stream["streamModeDetails"] == {"streamMode": "ON_DEMAND"}
    assert stream["retentionPeriod"] == 168
    assert "shardCount" not in stream


def test_the_instance_streams_its_contact_records_to_the_stream(engine: Engine) -> None:
    build(engine)

    streaming = engine.one(STREAMING).inputs
    assert streaming == {
        "instanceId": INSTANCE,
        "resourceType": "CONTACT_TRACE_RECORDS",
        "storageConfig": {
            "storageType": "KINESIS_STREAM",
            "kinesisStreamConfig": {"streamArn": engine.one(PIPE).inputs["source"]},
        },
    }


def test_streaming_of_contact_records_can_be_turned_off(engine: Engine) -> None:
    built = build(engine, stream_contact_records=False)

    assert engine.of(STREAMING) == []
    assert built.contact_record_streaming is None


def test_an_existing_stream_is_used_instead_of_a_new_one(engine: Engine) -> None:
    built = build(engine, stream_arn=STREAM_ARN, stream_kms_key_arn=OTHER_KEY_ARN)

    assert engine.of(STREAM) == []
    assert built.stream is None
    assert engine.one(PIPE).inputs["source"] == STREAM_ARN
    granted = permissions(engine.one(POLICY, "pipe-policy"))
    assert ("kinesis:GetRecords", STREAM_ARN) in granted
    assert ("kms:Decrypt", OTHER_KEY_ARN) in granted


def test_a_flow_is_deployed_unchanged_and_gets_its_phone_number(engine: Engine) -> None:
    build(engine, flows=[replace(FLOW, description="Records stops", phone_number_id=NUMBER_ID)])

    assert engine.one(FLOW_TYPE).inputs == {
        "instanceId": INSTANCE,
        "name": "Menu",
        "description": "Records stops",
        "type": "CONTACT_FLOW",
        "content": FLOW.content,
        "tags": {"project": "test"},
    }
    assert engine.one(NUMBER).inputs == {
        "instanceId": INSTANCE,
        "phoneNumberId": NUMBER_ID,
        "contactFlowId": "id-of-Menu",
    }


def test_detail_is_added_to_a_flow_and_keeps_its_version(engine: Engine) -> None:
    content = (FLOW_DEFINITIONS / "call_route.json").read_text(encoding="utf-8")
    build(engine, flows=[replace(FLOW, content=content, detail=True)])

    deployed = Flow.parse(engine.one(FLOW_TYPE).inputs["content"], "deployed")
    start = attributes_of(deployed.blocks["track-start"])
    version = attributes_of(Flow.parse(content, "flow").blocks["track-start"])["flow_version"]
    assert start == {"flow_version": version, "call_detail": "true", "call_from_start": "-"}
    assert strip_tracking(deployed)[0].blocks == strip_tracking(Flow.parse(content, "flow"))[0].blocks


def test_a_flow_that_cannot_have_detail_is_rejected() -> None:
    content = (FLOW_DEFINITIONS / "call_route.json").read_text(encoding="utf-8")
    with pytest.raises(ConfigError, match=r"detail is true.*cannot contain the routes '1\+2'"):
        replace(FLOW, content=content.replace('"call_route": "1-2"', '"call_route": "1+2"'), detail=True)


def test_a_flow_has_its_own_type_and_tags(engine: Engine) -> None:
    build(engine, flows=[replace(FLOW, type="CUSTOMER_QUEUE", tags={})])

    inputs = engine.one(FLOW_TYPE).inputs
    assert inputs["type"] == "CUSTOMER_QUEUE"
    assert "tags" not in inputs


def test_modules_are_deployed_before_flows(engine: Engine) -> None:
    built = build(engine, flows=[FLOW, replace(MODULE, description="Plays the balance")])

    module = engine.one(MODULE_TYPE)
    assert module.inputs == {
        "instanceId": INSTANCE,
        "name": "Menu",
        "description": "Plays the balance",
        "content": FLOW.content,
        "tags": {"project": "test"},
    }
    assert module.urn in engine.one(FLOW_TYPE).depends_on
    assert built.flows.keys() == {"balance", "menu"}


def test_flows_and_phone_numbers_are_optional(engine: Engine) -> None:
    build(engine)
    without_flows = Engine()
    build(without_flows, flows=[])

    assert engine.of(NUMBER) == []
    assert without_flows.of(FLOW_TYPE) == []


def test_the_state_machine_is_express_and_does_not_log_phone_numbers(engine: Engine) -> None:
    build(engine)

    machine, logs = engine.one(STATE_MACHINE).inputs, engine.one(LOGS, "recorder-logs").inputs
    assert machine["type"] == "EXPRESS"
    assert machine["name"] == "calls-test"
    assert machine["loggingConfiguration"] == {
        "logDestination": f"arn:aws:logs:ap-northeast-1:111111111111:log-group:{logs['name']}:*",
        "level": "ERROR",
        "includeExecutionData": False,
    }
    assert logs["retentionInDays"] == 30


def test_the_state_machine_uses_the_table_and_the_quarantine_queue(engine: Engine) -> None:
    build(engine)

    definition = engine.one(STATE_MACHINE).inputs["definition"]
    assert '"TableName": "call-records"' in definition
    assert "amazonaws.com/111111111111/calls-quarantine-0000000" in definition


def test_the_pipe_limits_retries_and_sends_dead_letters(engine: Engine) -> None:
    build(engine)

    pipe = engine.one(PIPE).inputs
    source = pipe["sourceParameters"]
    assert source["kinesisStreamParameters"] == {
        "startingPosition": "TRIM_HORIZON",
        "batchSize": 10,
        "maximumBatchingWindowInSeconds": 5,
        "parallelizationFactor": 1,
        "maximumRetryAttempts": 25,
        "maximumRecordAgeInSeconds": 43_200,
        "onPartialBatchItemFailure": "AUTOMATIC_BISECT",
        "deadLetterConfig": {
            "arn": "arn:aws:sqs:ap-northeast-1:111111111111:calls-pipe-dead-letters-0000000"
        },
    }
    assert [json.loads(entry["pattern"]) for entry in source["filterCriteria"]["filters"]] == [
        filter_pattern()
    ]


def test_the_filter_selects_the_tracked_initiation_methods(engine: Engine) -> None:
    build(engine, tracked_initiation_methods=["CALLBACK"])

    (entry,) = engine.one(PIPE).inputs["sourceParameters"]["filterCriteria"]["filters"]
    assert json.loads(entry["pattern"])["data"]["InitiationMethod"] == ["CALLBACK"]


def test_the_pipe_waits_for_the_state_machine_and_does_not_log_phone_numbers(engine: Engine) -> None:
    build(engine)

    pipe = engine.one(PIPE).inputs
    assert pipe["target"] == "arn:aws:states:ap-northeast-1:111111111111:stateMachine:calls-test"
    assert pipe["targetParameters"] == {
        "inputTemplate": INPUT_TEMPLATE,
        "stepFunctionStateMachineParameters": {"invocationType": "REQUEST_RESPONSE"},
    }
    logs = engine.one(LOGS, "pipe-logs").inputs["name"]
    assert pipe["logConfiguration"] == {
        "level": "ERROR",
        "cloudwatchLogsLogDestination": {
            "logGroupArn": f"arn:aws:logs:ap-northeast-1:111111111111:log-group:{logs}"
        },
    }, "the pipe takes the plain ARN, without includeExecutionDatas"


def test_queues_are_encrypted_and_have_the_maximum_retention_period(engine: Engine) -> None:
    build(engine)

    for queue in engine.of(QUEUE):
        assert queue.inputs["messageRetentionSeconds"] == 14 * 86_400
        assert queue.inputs["sqsManagedSseEnabled"] is True
        assert "fifoQueue" not in queue.inputs, "pipes support only standard queues for dead letters"


def test_the_role_of_the_state_machine_has_exactly_these_permissions(engine: Engine) -> None:
    build(engine)

    deliveries = {"CreateLogDelivery", "DeleteLogDelivery", "GetLogDelivery", "ListLogDeliveries"}
    deliveries |= {"UpdateLogDelivery", "PutResourcePolicy", "DescribeResourcePolicies", "DescribeLogGroups"}
    assert permissions(engine.one(POLICY, "recorder-policy")) == {
        ("dynamodb:UpdateItem", "arn:aws:dynamodb:ap-northeast-1:111111111111:table/call-records"),
        ("sqs:SendMessage", "arn:aws:sqs:ap-northeast-1:111111111111:calls-quarantine-0000000"),
        *((f"logs:{action}", "*") for action in deliveries),
    }


def test_the_role_of_the_pipe_has_exactly_these_permissions(engine: Engine) -> None:
    build(engine)

    stream = "arn:aws:kinesis:ap-northeast-1:111111111111:stream/calls-stream-0000000"
    assert permissions(engine.one(POLICY, "pipe-policy")) == {
        ("kinesis:DescribeStream", stream),
        ("kinesis:DescribeStreamSummary", stream),
        ("kinesis:GetRecords", stream),
        ("kinesis:GetShardIterator", stream),
        ("kinesis:ListShards", stream),
        ("states:StartSyncExecution", "arn:aws:states:ap-northeast-1:111111111111:stateMachine:calls-test"),
        ("sqs:SendMessage", "arn:aws:sqs:ap-northeast-1:111111111111:calls-pipe-dead-letters-0000000"),
    }


@pytest.mark.parametrize(
    ("role", "service", "user"),
    [("recorder-role", "states.amazonaws.com", STATE_MACHINE), ("pipe-role", "pipes.amazonaws.com", PIPE)],
)
def test_a_role_trusts_only_the_resource_that_uses_it(
    engine: Engine, role: str, service: str, user: str
) -> None:
    build(engine)

    (statement,) = json.loads(engine.one(ROLE, role).inputs["assumeRolePolicy"])["Statement"]
    kind = {STATE_MACHINE: "states:{}:stateMachine:", PIPE: "pipes:{}:pipe/"}[user]
    name = engine.one(user).inputs["name"]
    assert statement["Principal"] == {"Service": service}
    assert statement["Condition"] == {
        "StringEquals": {
            "aws:SourceAccount": "111111111111",
            "aws:SourceArn": f"arn:aws:{kind.format('ap-northeast-1:111111111111')}{name}",
        }
    }, "the role trusts the ARN of its resource"


@pytest.mark.parametrize(("user", "policy"), [(STATE_MACHINE, "recorder-policy"), (PIPE, "pipe-policy")])
def test_a_resource_is_created_after_the_policy_of_its_role(engine: Engine, user: str, policy: str) -> None:
    build(engine)

    assert engine.one(POLICY, policy).urn in engine.one(user).depends_on


def test_a_customer_managed_key_encrypts_everything_and_both_roles_can_use_it(engine: Engine) -> None:
    build(engine, kms_key_arn=KEY_ARN)

    assert engine.one(TABLE).inputs["serverSideEncryption"] == {"enabled": True, "kmsKeyArn": KEY_ARN}
    assert engine.one(STREAM).inputs["kmsKeyId"] == KEY_ARN
    for queue in engine.of(QUEUE):
        assert queue.inputs["kmsMasterKeyId"] == KEY_ARN
        assert "sqsManagedSseEnabled" not in queue.inputs, "SQS supports one kind of encryption at a time"
    used = {
        (policy.name, statement["Sid"])
        for policy in engine.of(POLICY)
        for statement in json.loads(policy.inputs["policy"])["Statement"]
        if statement["Resource"] == KEY_ARN
    }
    assert used == {
        ("calls-recorder-policy", "UseKeyOfTable"),
        ("calls-recorder-policy", "UseKeyOfQueue"),
        ("calls-pipe-policy", "UseKeyOfStream"),
        ("calls-pipe-policy", "UseKeyOfQueue"),
    }


def test_a_permissions_boundary_is_on_both_roles(engine: Engine) -> None:
    boundary = "arn:aws:iam::111111111111:policy/boundary"
    build(engine, permissions_boundary_arn=boundary)

    assert [role.inputs["permissionsBoundary"] for role in engine.of(ROLE)] == [boundary] * 2


@pytest.mark.parametrize("protect", [True, False])
def test_resources_with_records_are_protected_only_if_configured(engine: Engine, protect: bool) -> None:
    build(engine, protect_data=protect)

    with_records = {TABLE, STREAM, QUEUE}
    for resource in engine.resources:
        protected = protect and resource.type in with_records
        assert (resource.protect, resource.retain_on_delete) == (protected, protected), resource.urn
    assert engine.one(TABLE).inputs["deletionProtectionEnabled"] is protect


@pytest.mark.parametrize("as_secret", [True, False])
def test_the_salt_is_never_in_plain_text(engine: Engine, as_secret: bool) -> None:
    built: dict[str, str] = {}

    def program() -> None:
        salt = pulumi.Output.secret(SALT) if as_secret else SALT
        args = replace(ARGS, phone_number="hashed", phone_number_salt=salt)
        built["args"] = repr(args)
        CallRouteTracker("calls", args)

    engine.run(program)

    holding = {
        (resource.type, key)
        for resource in engine.resources
        for key, value in resource.inputs.items()
        if SALT in json.dumps(value)
    }
    assert holding == {(STATE_MACHINE, "definition")}
    assert engine.one(STATE_MACHINE).secrets == {"definition"}
    assert engine.one(POLICY, "recorder-policy").secrets == set(), "a preview shows permissions"
    assert SALT not in built["args"]


def test_without_a_salt_there_are_no_secrets(engine: Engine) -> None:
    build(engine)

    assert [resource.urn for resource in engine.resources if resource.secrets] == []


def test_a_preview_registers_the_same_resources_with_the_same_inputs(engine: Engine) -> None:
    flow = replace(FLOW, phone_number_id=NUMBER_ID)
    build(engine, flows=[flow])
    planned = Engine()
    build(planned, preview=True, flows=[flow])

    # Only Amazon Connect chooses the ID of a flow, so a preview cannot know it.
    of_a_flow = "aws:connect/phoneNumberContactFlowAssociation:PhoneNumberContactFlowAssociation"
    deployed = {each.urn: each.inputs for each in engine.resources if each.type != of_a_flow}
    assert {each.urn: each.inputs for each in planned.resources if each.type != of_a_flow} == deployed


@pytest.mark.parametrize(
    ("partition", "dns_suffix", "region"),
    [
        ("aws-cn", "amazonaws.com.cn", "cn-north-1"),
        ("aws-us-gov", "amazonaws.com", "us-gov-west-1"),
    ],
)
def test_arns_and_urls_belong_to_the_partition_of_the_provider(
    partition: str, dns_suffix: str, region: str
) -> None:
    engine = Engine(partition=partition, dns_suffix=dns_suffix, region=region)
    build(engine)

    documents = json.dumps([resource.inputs for resource in engine.resources])
    assert f"https://sqs.{region}.{dns_suffix}/111111111111/calls-quarantine-0000000" in documents
    assert f"arn:{partition}:dynamodb:{region}:111111111111:table/" in documents
    assert f"arn:{partition}:states:::dynamodb:updateItem" in documents
    assert "arn:aws:" not in documents


def test_the_outputs_are_complete(engine: Engine) -> None:
    def program() -> None:
        for name, value in CallRouteTracker("calls", ARGS).outputs.items():
            pulumi.export(name, value)

    engine.run(program)

    arn = "arn:aws:{}:ap-northeast-1:111111111111:{}".format
    url = "https://sqs.ap-northeast-1.amazonaws.com/111111111111/{}".format
    assert engine.outputs == {
        "tableName": "call-records",
        "tableArn": arn("dynamodb", "table/call-records"),
        "indexName": "by-day",
        "streamName": "calls-stream-0000000",
        "streamArn": arn("kinesis", "stream/calls-stream-0000000"),
        "stateMachineArn": arn("states", "stateMachine:calls-test"),
        "pipeName": "calls-test",
        "pipeArn": arn("pipes", "pipe/calls-test"),
        "deadLetterQueueUrl": url("calls-pipe-dead-letters-0000000"),
        "deadLetterQueueArn": arn("sqs", "calls-pipe-dead-letters-0000000"),
        "quarantineQueueUrl": url("calls-quarantine-0000000"),
        "quarantineQueueArn": arn("sqs", "calls-quarantine-0000000"),
        "connectInstanceId": INSTANCE,
        "flowIds": {"menu": "id-of-Menu"},
        "timeZone": "Asia/Tokyo",
        "stateMachineLogGroup": "/aws/vendedlogs/states/calls-test",
        "pipeLogGroup": "/aws/vendedlogs/pipes/calls-test",
        "alarmTopicArn": arn("sns", "calls-alarms-0000000"),
        "dashboardName": "calls-test-ap-northeast-1",
    }


def test_every_resource_is_available_as_an_attribute(engine: Engine) -> None:
    built = build(engine)

    assert list(built.flows) == ["menu"]
    parts = (
        built.table,
        built.stream,
        built.recorder,
        built.pipe,
        built.quarantine_queue,
        built.flows["menu"],
    )
    assert all(isinstance(part, pulumi.Resource) for part in parts)


@pytest.mark.parametrize(
    ("changes", "option", "value"),
    [
        ({"connect_instance": "my-instance"}, "connect_instance", '"my-instance"'),
        ({"table_name": "call records"}, "table_name", '"call records"'),
        ({"stream_arn": "contact-records"}, "stream_arn", '"contact-records"'),
        ({"stream_mode": "ONDEMAND"}, "stream_mode", '"ONDEMAND"'),
        ({"shard_count": 0}, "shard_count", "0"),
        ({"stream_retention_hours": 23}, "stream_retention_hours", "23"),
        ({"batch_size": 0}, "batch_size", "0"),
        ({"batch_size": 53}, "batch_size", "53"),
        ({"batch_size": "10"}, "batch_size", '"10"'),
        ({"batch_size": True}, "batch_size", "true"),
        ({"batching_window_seconds": 301}, "batching_window_seconds", "301"),
        ({"parallelization_factor": 11}, "parallelization_factor", "11"),
        ({"maximum_retry_attempts": -1}, "maximum_retry_attempts", "-1"),
        ({"maximum_record_age_seconds": -1}, "maximum_record_age_seconds", "-1"),
        ({"maximum_record_age_seconds": 86_400}, "maximum_record_age_seconds", "86400"),
        ({"log_retention_days": 31}, "log_retention_days", "31"),
        ({"kms_key_arn": "alias/calls"}, "kms_key_arn", '"alias/calls"'),
        ({"permissions_boundary_arn": "boundary"}, "permissions_boundary_arn", '"boundary"'),
        ({"alarm_topic_arn": "alarms.fifo"}, "alarm_topic_arn", '"alarms.fifo"'),
        ({"alarm_email": "on-call"}, "alarm_email", '"on-call"'),
        ({"alarm_email": "a@b.example", "alarm_topic_arn": TOPIC_ARN}, "alarm_email", '"a@b.example"'),
        ({"alarm_after_hours_without_calls": 169}, "alarm_after_hours_without_calls", "169"),
        ({"metrics_namespace": "AWS/Connect"}, "metrics_namespace", '"AWS/Connect"'),
        ({"stream_kms_key_arn": KEY_ARN}, "stream_kms_key_arn", KEY_ARN),
        ({"time_zone": "Asia/Tokio"}, "time_zone", '"Asia/Tokio"'),
        ({"time_zone": None}, "time_zone", "null"),
        ({"country_code": "+81"}, "country_code", '"+81"'),
        ({"retention_days": -1}, "retention_days", "-1"),
        ({"protect_data": "yes"}, "protect_data", '"yes"'),
        ({"phone_number": "hashed"}, "phone_number_salt", "not set"),
        ({"phone_number_salt": "too-short"}, "phone_number_salt", "not shown"),
        ({"tags": {"aws:team": "calls"}}, "tags", '"aws:team"'),
        ({"tags": {"team": 1}}, "tags.team", "1"),
        ({"flows": "menu"}, "flows", '"menu"'),
        ({"flows": [{"key": "menu"}]}, "flows[0]", "menu"),
        ({"flows": [FLOW, FLOW]}, "flows", "'menu'"),
        ({"flows": [FLOW, replace(FLOW, key="other")]}, "flows", "'Menu'"),
        ({"flows": [MODULE, replace(MODULE, key="other")]}, "flows", "'Menu'"),
    ],
)
def test_an_invalid_option_is_reported_with_its_value_and_a_fix(
    changes: dict[str, Any], option: str, value: str
) -> None:
    with pytest.raises(ConfigError) as raised:
        replace(ARGS, **changes)

    (problem,) = raised.value.problems
    assert problem.key == option
    assert value in problem.value
    assert problem.allowed
    assert problem.fix.endswith((".", "?", "`"))


def test_all_invalid_options_are_reported_at_once() -> None:
    with pytest.raises(ConfigError) as raised:
        tracker_args(batch_size=0, time_zone="Mars/Base", phone_number="hashed")

    assert [problem.key for problem in raised.value.problems] == [
        "time_zone",
        "batch_size",
        "phone_number_salt",
    ]
    assert str(raised.value).startswith("3 options are invalid:\n  time_zone is ")


def test_outputs_are_accepted_for_inputs_only(engine: Engine) -> None:
    def program() -> None:
        key = pulumi.Output.from_input(KEY_ARN)
        assert tracker_args(kms_key_arn=key).kms_key_arn is key
        tracker_args(table_name=pulumi.Output.from_input("calls"))

    with pytest.raises(ConfigError, match="table_name"):
        engine.run(program)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"name": ""}, "It has 0 characters"),
        ({"name": "n" * 128}, "It has 128 characters"),
        ({"content": "x" * 256_001}, "It has 256001 characters"),
        ({"phone_number_id": "+815000000000"}, r"\+815000000000"),
        ({"phone_number_id": NUMBER_ID, "type": "MODULE"}, "no value for a module. Remove it"),
    ],
)
def test_a_flow_that_connect_would_reject_is_rejected_first(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message) as raised:
        replace(FLOW, **changes)

    assert str(raised.value).startswith("1 option of flow 'menu' is invalid:")
    assert len(str(raised.value)) < 1_000, "long values are shortened"


@pytest.mark.parametrize(
    ("name", "stack", "message"),
    [
        ("calls", "a.dotted.stack", "calls-a.dotted.stack"),
        ("calls", "s" * 60, "up to 64 letters"),
        ("c" * 43, "dev", "allowed: up to 42 characters. It has 43"),
    ],
)
def test_names_that_aws_would_reject_are_rejected_before_anything_is_registered(
    engine: Engine, name: str, stack: str, message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        engine.run(lambda: CallRouteTracker(name, ARGS), stack=stack)

    assert engine.resources == []
