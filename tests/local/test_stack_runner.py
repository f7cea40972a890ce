"""Guards against a local stack that differs from the registered one: lost arguments, ignored resources, shared state.

Most tests run a small Pulumi program of their own.
"""

from __future__ import annotations

import asyncio
import json
import re
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from botocore.exceptions import ClientError

from callroute.errors import InputError
from callroute.local import stack_runner
from callroute.local.emulator import Emulator
from callroute.local.resource_creators import CREATORS
from callroute.local.stack_config import Secret, StackConfig, find_project
from callroute.local.stack_runner import (
    Deployment,
    DeploymentError,
    _TasksOfOneLoop,
    deploy,
)
from tests.support.paths import REPOSITORY

INSTANCE = "00000000-0000-0000-0000-000000000000"
NUMBER = "00000000-0000-0000-0000-000000000001"
ROLE = "arn:aws:iam::111111111111:role/r"
TRUST = '{"Version": "2012-10-17", "Statement": []}'
MACHINE = json.dumps({"StartAt": "End", "States": {"End": {"Type": "Succeed"}}})

# Required arguments of each type.
TOPIC = "arn:aws:sns:ap-northeast-1:111111111111:t"
MINIMAL: dict[str, dict[str, Any]] = {
    "aws:cloudwatch/dashboard:Dashboard": {"dashboardName": "d", "dashboardBody": '{"widgets": []}'},
    "aws:cloudwatch/logGroup:LogGroup": {},
    "aws:cloudwatch/metricAlarm:MetricAlarm": {
        "comparisonOperator": "GreaterThanThreshold",
        "evaluationPeriods": 1,
        "metricName": "M",
        "namespace": "N",
        "period": 300,
        "statistic": "Sum",
        "threshold": 0,
    },
    "aws:connect/contactFlow:ContactFlow": {"instanceId": INSTANCE, "content": "{}"},
    "aws:connect/contactFlowModule:ContactFlowModule": {"instanceId": INSTANCE, "content": "{}"},
    "aws:connect/instanceStorageConfig:InstanceStorageConfig": {
        "instanceId": INSTANCE,
        "resourceType": "CONTACT_TRACE_RECORDS",
        "storageConfig": {"storageType": "KINESIS_STREAM"},
    },
    "aws:connect/phoneNumberContactFlowAssociation:PhoneNumberContactFlowAssociation": {
        "instanceId": INSTANCE,
        "phoneNumberId": NUMBER,
        "contactFlowId": INSTANCE,
    },
    "aws:dynamodb/table:Table": {
        "attributes": [{"name": "id", "type": "S"}],
        "hashKey": "id",
        "billingMode": "PAY_PER_REQUEST",
    },
    "aws:iam/role:Role": {"assumeRolePolicy": TRUST},
    "aws:iam/rolePolicy:RolePolicy": {"role": "r", "policy": TRUST},
    "aws:kinesis/stream:Stream": {"shardCount": 1},
    "aws:pipes/pipe:Pipe": {
        "roleArn": ROLE,
        "source": "arn:aws:kinesis:ap-northeast-1:111111111111:stream/s",
        "target": "arn:aws:states:ap-northeast-1:111111111111:stateMachine:m",
    },
    "aws:sfn/stateMachine:StateMachine": {"definition": MACHINE, "roleArn": ROLE},
    "aws:sns/topic:Topic": {},
    "aws:sns/topicPolicy:TopicPolicy": {"arn": TOPIC, "policy": TRUST},
    "aws:sns/topicSubscription:TopicSubscription": {
        "topic": TOPIC,
        "protocol": "email",
        "endpoint": "on-call@example.com",
    },
    "aws:sqs/queue:Queue": {},
}

Run = Callable[..., Deployment]


@pytest.fixture
def run(emulator: Emulator, tmp_path: Path) -> Run:
    """Deploys a program, given as source code, to an empty emulator."""
    emulator.reset()

    def run(
        program: str, config: Mapping[str, Any] | None = None, overrides: Mapping[str, Any] | None = None
    ) -> Deployment:
        (tmp_path / "Pulumi.yaml").write_text("name: project\nruntime: python\n", encoding="utf-8")
        settings = yaml.safe_dump({"config": dict(config or {})})
        (tmp_path / "Pulumi.local.yaml").write_text(settings, encoding="utf-8")
        (tmp_path / "__main__.py").write_text(
            f"import json, pulumi, pulumi_aws as aws\n{program}", encoding="utf-8"
        )
        return deploy(emulator, overrides=overrides, project=tmp_path)

    return run


def raw(type_: str, arguments: Mapping[str, Any], name: str = "x") -> str:
    """Returns a program that registers one resource with the given arguments, without checking them."""
    return f"pulumi.CustomResource({type_!r}, {name!r}, {dict(arguments)!r})\n"


# --- All arguments are used ------------------------------------------------------------------------------------------


def test_a_table_is_created_with_all_registered_arguments(run: Run, emulator: Emulator) -> None:
    deployment = run("""
table = aws.dynamodb.Table("calls", name="call-records", billing_mode="PAY_PER_REQUEST", hash_key="id",
    attributes=[{"name": "id", "type": "S"}, {"name": "day", "type": "S"}, {"name": "at", "type": "N"}],
    global_secondary_indexes=[
        {"name": "by-day", "key_schemas": [{"attribute_name": "day", "key_type": "HASH"},
            {"attribute_name": "at", "key_type": "RANGE"}], "projection_type": "ALL"},
        {"name": "by-time", "hash_key": "at", "projection_type": "INCLUDE", "non_key_attributes": ["day"]},
    ],
    ttl={"attribute_name": "expires_at", "enabled": True}, point_in_time_recovery={"enabled": True},
    server_side_encryption={"enabled": True}, deletion_protection_enabled=True, tags={"team": "voice"})
pulumi.export("arn", table.arn)
pulumi.export("name", table.name)
""")
    dynamodb = emulator.client("dynamodb")
    table = dynamodb.describe_table(TableName="call-records")["Table"]
    assert deployment.outputs == {"arn": table["TableArn"], "name": "call-records"}
    assert table["TableStatus"] == "ACTIVE"
    assert table["KeySchema"] == [{"AttributeName": "id", "KeyType": "HASH"}]
    assert table["BillingModeSummary"]["BillingMode"] == "PAY_PER_REQUEST"
    assert table["DeletionProtectionEnabled"] is True
    assert table["SSEDescription"]["SSEType"] == "KMS"
    indexes = {index["IndexName"]: index for index in table["GlobalSecondaryIndexes"]}
    assert [key["AttributeName"] for key in indexes["by-day"]["KeySchema"]] == ["day", "at"]
    assert indexes["by-time"]["Projection"] == {"ProjectionType": "INCLUDE", "NonKeyAttributes": ["day"]}
    ttl = dynamodb.describe_time_to_live(TableName="call-records")["TimeToLiveDescription"]
    assert ttl == {"TimeToLiveStatus": "ENABLED", "AttributeName": "expires_at"}
    backups = dynamodb.describe_continuous_backups(TableName="call-records")["ContinuousBackupsDescription"]
    assert backups["PointInTimeRecoveryDescription"]["PointInTimeRecoveryStatus"] == "ENABLED"
    tags = dynamodb.list_tags_of_resource(ResourceArn=table["TableArn"])["Tags"]
    assert tags == [{"Key": "team", "Value": "voice"}]


def test_a_table_can_have_a_disabled_ttl(run: Run, emulator: Emulator) -> None:
    table = {**MINIMAL["aws:dynamodb/table:Table"], "name": "calls", "ttl": {"enabled": False}}
    run(raw("aws:dynamodb/table:Table", table))
    ttl = emulator.client("dynamodb").describe_time_to_live(TableName="calls")["TimeToLiveDescription"]
    assert ttl["TimeToLiveStatus"] == "DISABLED"


def test_a_stream_is_created_with_all_registered_arguments(run: Run, emulator: Emulator) -> None:
    deployment = run("""
aws.kinesis.Stream("records", stream_mode_details={"stream_mode": "PROVISIONED"}, shard_count=2, retention_period=48,
    encryption_type="KMS", kms_key_id="alias/aws/kinesis",
    enforce_consumer_deletion=True, tags={"team": "voice"})
""")
    stream = deployment.one("aws:kinesis/stream:Stream")
    kinesis = emulator.client("kinesis")
    summary = kinesis.describe_stream_summary(StreamARN=stream.id)["StreamDescriptionSummary"]
    assert summary["StreamStatus"] == "ACTIVE"
    assert summary["OpenShardCount"] == 2
    assert summary["RetentionPeriodHours"] == 48
    assert (summary["EncryptionType"], summary["KeyId"]) == ("KMS", "alias/aws/kinesis")
    assert kinesis.list_tags_for_stream(StreamARN=stream.id)["Tags"] == [{"Key": "team", "Value": "voice"}]


def test_a_stream_can_be_on_demand(run: Run, emulator: Emulator) -> None:
    run(
        'aws.kinesis.Stream("s", name="s", stream_mode_details={"stream_mode": "ON_DEMAND"}, retention_period=24)'
    )
    summary = emulator.client("kinesis").describe_stream_summary(StreamName="s")["StreamDescriptionSummary"]
    assert summary["StreamModeDetails"] == {"StreamMode": "ON_DEMAND"}


def test_a_queue_is_created_with_all_registered_arguments(run: Run, emulator: Emulator) -> None:
    deployment = run("""
aws.sqs.Queue("q", message_retention_seconds=1209600, sqs_managed_sse_enabled=True, visibility_timeout_seconds=90,
    delay_seconds=1, max_message_size=2048, receive_wait_time_seconds=2, tags={"team": "voice"})
""")
    queue = deployment.one("aws:sqs/queue:Queue")
    sqs = emulator.client("sqs")
    attributes = sqs.get_queue_attributes(QueueUrl=queue.outputs["url"], AttributeNames=["All"])["Attributes"]
    expected = {
        "QueueArn": queue.outputs["arn"],
        "MessageRetentionPeriod": "1209600",
        "SqsManagedSseEnabled": "true",
        "VisibilityTimeout": "90",
        "DelaySeconds": "1",
        "MaximumMessageSize": "2048",
        "ReceiveMessageWaitTimeSeconds": "2",
    }
    assert {name: attributes[name] for name in expected} == expected
    assert sqs.list_queue_tags(QueueUrl=queue.id)["Tags"] == {"team": "voice"}


def test_a_role_is_created_with_its_trust_policy_and_its_policy(run: Run, emulator: Emulator) -> None:
    deployment = run("""
role = aws.iam.Role("r", assume_role_policy={"Version": "2012-10-17", "Statement": []}, description="d",
    max_session_duration=7200, tags={"team": "voice"})
aws.iam.RolePolicy("p", role=role.name, policy=json.dumps({"Version": "2012-10-17", "Statement": [
    {"Effect": "Allow", "Action": "sqs:*", "Resource": "*"}]}))
""")
    name = deployment.one("aws:iam/role:Role").id
    role = emulator.client("iam").get_role(RoleName=name)["Role"]
    assert role["AssumeRolePolicyDocument"] == {"Version": "2012-10-17", "Statement": []}
    assert (role["Description"], role["MaxSessionDuration"]) == ("d", 7200)
    assert role["Tags"] == [{"Key": "team", "Value": "voice"}]
    policy = deployment.one("aws:iam/rolePolicy:RolePolicy").outputs["name"]
    document = emulator.client("iam").get_role_policy(RoleName=name, PolicyName=policy)["PolicyDocument"]
    assert document["Statement"][0]["Action"] == "sqs:*"


def trust_in(service: str, **condition: Any) -> str:
    statement = {
        "Effect": "Allow",
        "Principal": {"Service": service},
        "Action": "sts:AssumeRole",
        "Condition": condition,
    }
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def test_a_state_machine_runs_as_registered(run: Run, emulator: Emulator) -> None:
    deployment = run(f"""
logs = aws.cloudwatch.LogGroup("logs", retention_in_days=14, skip_destroy=True, tags={{"team": "voice"}})
role = aws.iam.Role("r", assume_role_policy={trust_in("states.amazonaws.com")!r})
policy = aws.iam.RolePolicy("p", role=role.name, policy=json.dumps({{"Version": "2012-10-17", "Statement": [{{
    "Effect": "Allow", "Action": "logs:*", "Resource": "*"}}]}}))
aws.sfn.StateMachine("m", type="EXPRESS", role_arn=role.arn, definition={MACHINE!r},
    logging_configuration={{"level": "ERROR", "include_execution_data": False,
        "log_destination": logs.arn.apply(lambda arn: arn + ":*")}},
    tags={{"team": "voice"}}, opts=pulumi.ResourceOptions(depends_on=[policy]))
""")
    group = deployment.one("aws:cloudwatch/logGroup:LogGroup")
    groups = emulator.client("logs").describe_log_groups(logGroupNamePrefix=group.id)["logGroups"]
    assert groups[0]["retentionInDays"] == 14
    assert groups[0]["arn"] == f"{group.outputs['arn']}:*"
    states = emulator.client("stepfunctions")
    arn = deployment.one("aws:sfn/stateMachine:StateMachine").outputs["arn"]
    machine = states.describe_state_machine(stateMachineArn=arn)
    assert machine["type"] == "EXPRESS"
    destination = {"cloudWatchLogsLogGroup": {"logGroupArn": f"{group.outputs['arn']}:*"}}
    assert machine["loggingConfiguration"] == {
        "level": "ERROR",
        "includeExecutionData": False,
        "destinations": [destination],
    }
    assert states.list_tags_for_resource(resourceArn=arn)["tags"] == [{"key": "team", "value": "voice"}]
    answer = states.start_sync_execution(stateMachineArn=arn, input='{"a": 1}')
    assert (answer["status"], answer["output"]) == ("SUCCEEDED", '{"a": 1}')


def test_a_pipe_is_created_with_all_registered_arguments(run: Run, emulator: Emulator) -> None:
    parameters = {
        "filterCriteria": {"filters": [{"pattern": "{}"}]},
        "kinesisStreamParameters": {
            "startingPosition": "TRIM_HORIZON",
            "batchSize": 10,
            "maximumBatchingWindowInSeconds": 5,
            "maximumRecordAgeInSeconds": 3600,
            "maximumRetryAttempts": 3,
            "onPartialBatchItemFailure": "AUTOMATIC_BISECT",
            "parallelizationFactor": 2,
            "deadLetterConfig": {"arn": "arn:aws:sqs:ap-northeast-1:111111111111:q"},
        },
    }
    arguments = {
        **MINIMAL["aws:pipes/pipe:Pipe"],
        "name": "pipe",
        "sourceParameters": parameters,
        "targetParameters": {
            "inputTemplate": '{"contact": <$.data>}',
            "stepFunctionStateMachineParameters": {"invocationType": "REQUEST_RESPONSE"},
        },
        "logConfiguration": {
            "level": "ERROR",
            "includeExecutionDatas": ["ALL"],
            "cloudwatchLogsLogDestination": {
                "logGroupArn": "arn:aws:logs:ap-northeast-1:111111111111:log-group:g"
            },
        },
        "tags": {"team": "voice"},
    }
    pipe = run(raw("aws:pipes/pipe:Pipe", arguments)).one("aws:pipes/pipe:Pipe")
    described = emulator.client("pipes").describe_pipe(Name="pipe")
    assert described["Arn"] == pipe.outputs["arn"] == "arn:aws:pipes:ap-northeast-1:111111111111:pipe/pipe"
    assert described["Tags"] == {"team": "voice"}
    assert pipe.inputs == arguments


def test_alarms_are_created_with_all_registered_arguments(run: Run, emulator: Emulator) -> None:
    run("""
aws.cloudwatch.MetricAlarm("queue", name="queue", alarm_description="d", alarm_actions=["arn:aws:sns:ap-northeast-1:111111111111:t"],
    namespace="AWS/SQS", metric_name="Messages", dimensions={"QueueName": "q"}, statistic="Maximum", period=300,
    evaluation_periods=3, datapoints_to_alarm=2, comparison_operator="GreaterThanThreshold", threshold=1.5,
    treat_missing_data="notBreaching", tags={"team": "voice"})
aws.cloudwatch.MetricAlarm("share", name="share", comparison_operator="LessThanLowerOrGreaterThanUpperThreshold",
    evaluation_periods=1, threshold_metric_id="band", metric_queries=[
        {"id": "m", "metric": {"namespace": "N", "metric_name": "M", "dimensions": {"A": "1"}, "period": 60, "stat": "Average"},
         "return_data": True},
        {"id": "band", "expression": "ANOMALY_DETECTION_BAND(m, 2)", "return_data": True}])
""")
    cloudwatch = emulator.client("cloudwatch")
    (queue,) = cloudwatch.describe_alarms(AlarmNames=["queue"])["MetricAlarms"]
    expected = {
        "AlarmDescription": "d",
        "AlarmActions": [TOPIC],
        "Namespace": "AWS/SQS",
        "MetricName": "Messages",
        "Dimensions": [{"Name": "QueueName", "Value": "q"}],
        "Statistic": "Maximum",
        "Period": 300,
        "EvaluationPeriods": 3,
        "DatapointsToAlarm": 2,
        "ComparisonOperator": "GreaterThanThreshold",
        "Threshold": 1.5,
        "TreatMissingData": "notBreaching",
    }
    assert {name: queue[name] for name in expected} == expected
    assert cloudwatch.list_tags_for_resource(ResourceARN=queue["AlarmArn"])["Tags"] == [
        {"Key": "team", "Value": "voice"}
    ]
    assert cloudwatch.describe_alarms(AlarmNames=["share"])[
        "MetricAlarms"
    ]  # the emulator does not keep metric queries


def test_a_dashboard_and_a_topic_are_created_with_all_registered_arguments(
    run: Run, emulator: Emulator
) -> None:
    deployment = run(f"""
aws.cloudwatch.Dashboard("d", dashboard_name="board", dashboard_body='{{"widgets": []}}')
topic = aws.sns.Topic("t", kms_master_key_id="alias/k", tags={{"team": "voice"}})
aws.sns.TopicPolicy("p", arn=topic.arn, policy={TRUST!r})
aws.sns.TopicSubscription("s", topic=topic.arn, protocol="email", endpoint="on-call@example.com")
""")
    body = emulator.client("cloudwatch").get_dashboard(DashboardName="board")["DashboardBody"]
    assert json.loads(body) == {"widgets": []}
    sns, arn = emulator.client("sns"), deployment.one("aws:sns/topic:Topic").outputs["arn"]
    attributes = sns.get_topic_attributes(TopicArn=arn)["Attributes"]
    assert attributes["KmsMasterKeyId"] == "alias/k"
    assert json.loads(attributes["Policy"]) == json.loads(TRUST)
    assert sns.list_tags_for_resource(ResourceArn=arn)["Tags"] == [{"Key": "team", "Value": "voice"}]
    (subscription,) = sns.list_subscriptions_by_topic(TopicArn=arn)["Subscriptions"]
    assert (subscription["Protocol"], subscription["Endpoint"]) == ("email", "on-call@example.com")


def test_connect_resources_have_ids_and_arns(run: Run) -> None:
    deployment = run(f"""
flow = aws.connect.ContactFlow("menu", instance_id={INSTANCE!r}, name="Menu", description="d", type="CONTACT_FLOW",
    content='{{"言葉": 1}}', tags={{"team": "voice"}})
number = aws.connect.PhoneNumberContactFlowAssociation("number", instance_id={INSTANCE!r}, phone_number_id={NUMBER!r},
    contact_flow_id=flow.contact_flow_id)
records = aws.connect.InstanceStorageConfig("records", instance_id={INSTANCE!r}, resource_type="CONTACT_TRACE_RECORDS",
    storage_config={{"storage_type": "KINESIS_STREAM", "kinesis_stream_config": {{
        "stream_arn": "arn:aws:kinesis:ap-northeast-1:111111111111:stream/s"}}}})
pulumi.export("flow", flow.contact_flow_id)
pulumi.export("association", records.association_id)
""")
    flow = deployment.one("aws:connect/contactFlow:ContactFlow")
    flow_id = deployment.outputs["flow"]
    assert flow.id == f"{INSTANCE}:{flow_id}"
    assert flow.outputs["arn"] == (
        f"arn:aws:connect:ap-northeast-1:111111111111:instance/{INSTANCE}/contact-flow/{flow_id}"
    )
    assert flow.inputs["content"] == '{"言葉": 1}'
    number = deployment.one("aws:connect/phoneNumberContactFlowAssociation:PhoneNumberContactFlowAssociation")
    assert number.id == f"{NUMBER},{INSTANCE},{flow_id}"
    records = deployment.one("aws:connect/instanceStorageConfig:InstanceStorageConfig")
    assert records.id == f"{INSTANCE}:{deployment.outputs['association']}:CONTACT_TRACE_RECORDS"


def test_requests_to_connect_are_validated_against_the_api_model(run: Run) -> None:
    arguments = {"instanceId": INSTANCE, "content": "{}", "description": 3}
    with pytest.raises(DeploymentError, match=r"ContactFlow 'x': [^§]*Description"):
        run(raw("aws:connect/contactFlow:ContactFlow", arguments))


@pytest.mark.parametrize("stack", ["local", "dev", "prod"])
def test_every_stack_of_this_project_can_be_deployed(emulator: Emulator, stack: str) -> None:
    emulator.reset()
    outputs = deploy(emulator, stack, project=REPOSITORY).outputs
    table = emulator.client("dynamodb").describe_table(TableName=outputs["tableName"])["Table"]
    assert table["TableArn"] == outputs["tableArn"]
    machine = emulator.client("stepfunctions").describe_state_machine(
        stateMachineArn=outputs["stateMachineArn"]
    )
    assert machine["type"] == "EXPRESS"
    pipe = emulator.client("pipes").describe_pipe(Name=outputs["pipeName"])
    assert (pipe["Source"], pipe["Target"]) == (outputs["streamArn"], outputs["stateMachineArn"])
    for queue in ("deadLetterQueue", "quarantineQueue"):
        attributes = emulator.client("sqs").get_queue_attributes(
            QueueUrl=outputs[f"{queue}Url"], AttributeNames=["QueueArn"]
        )
        assert attributes["Attributes"]["QueueArn"] == outputs[f"{queue}Arn"]


# --- Nothing is ignored ----------------------------------------------------------------------------------------------


def test_every_type_has_a_minimal_example() -> None:
    assert MINIMAL.keys() == CREATORS.keys(), "the next test would not cover every type"


@pytest.mark.parametrize("type_", sorted(MINIMAL))
def test_an_unknown_argument_is_an_error_that_names_it(run: Run, type_: str) -> None:
    with pytest.raises(DeploymentError) as raised:
        run(raw(type_, {**MINIMAL[type_], "surprise": 1}))
    assert str(raised.value).startswith(
        f"{type_} 'x': the local cloud does not support the argument surprise"
    )


@pytest.mark.parametrize(
    ("type_", "argument", "value"),
    [
        ("aws:pipes/pipe:Pipe", "sourceParameters", {"kinesisStreamParameters": {"surprise": 1}}),
        ("aws:sfn/stateMachine:StateMachine", "loggingConfiguration", {"surprise": 1}),
        ("aws:dynamodb/table:Table", "serverSideEncryption", {"enabled": True, "surprise": 1}),
        ("aws:dynamodb/table:Table", "pointInTimeRecovery", {"enabled": True, "surprise": 1}),
        ("aws:dynamodb/table:Table", "ttl", {"enabled": True, "attributeName": "e", "surprise": 1}),
        (
            "aws:dynamodb/table:Table",
            "globalSecondaryIndexes",
            [{"name": "i", "hashKey": "id", "projectionType": "ALL", "surprise": 1}],
        ),
        ("aws:kinesis/stream:Stream", "streamModeDetails", {"streamMode": "PROVISIONED", "surprise": 1}),
        (
            "aws:connect/instanceStorageConfig:InstanceStorageConfig",
            "storageConfig",
            {"storageType": "KINESIS_STREAM", "surprise": 1},
        ),
    ],
)
def test_an_unknown_nested_argument_is_an_error(run: Run, type_: str, argument: str, value: Any) -> None:
    with pytest.raises(DeploymentError, match=rf"{re.escape(type_)} 'x': [^§]*[Ss]urprise"):
        run(raw(type_, {**MINIMAL[type_], argument: value}))


def test_an_unknown_type_is_an_error_that_names_the_module_to_change(run: Run) -> None:
    with pytest.raises(DeploymentError, match=r"aws:ssm/parameter:Parameter 'news'.*CREATORS") as raised:
        run('aws.ssm.Parameter("news", type="String", value="a")')
    module = re.search(r"in (\S+\.py)", str(raised.value))
    assert module
    assert (REPOSITORY / module[1]).exists()


def test_an_unknown_function_is_an_error_that_names_it(run: Run) -> None:
    with pytest.raises(DeploymentError, match=r"aws:kms/getAlias:getAlias.*INVOKES"):
        run('pulumi.export("key", aws.kms.get_alias_output(name="alias/a").arn)')


def test_an_existing_resource_cannot_be_read(run: Run) -> None:
    with pytest.raises(DeploymentError, match=r"'old'.*existing resource \(queue-url\)"):
        run('aws.sqs.Queue.get("old", "queue-url")')


def test_a_rejected_resource_is_an_error_with_its_name_and_the_reason(run: Run) -> None:
    with pytest.raises(DeploymentError, match=r"aws:kinesis/stream:Stream 'short'.*RetentionPeriodHours"):
        run("""
stream = aws.kinesis.Stream("short", shard_count=1, retention_period=1)
aws.sqs.Queue("after", name=stream.name)
pulumi.export("arn", stream.arn)
""")


def test_a_server_error_includes_the_emulators_log(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def faulty(*_: object) -> tuple[str, dict[str, Any]]:
        fault = {"Error": {"Code": "InternalError"}, "ResponseMetadata": {"HTTPStatusCode": 500}}
        raise ClientError(fault, "CreateQueue")  # type: ignore[arg-type] # the stubs require all metadata

    monkeypatch.setitem(CREATORS, "aws:sqs/queue:Queue", faulty)
    with pytest.raises(
        DeploymentError, match=r"Queue 'q': [^§]*InternalError[^§]*log ends with:\n[^§]*ministack"
    ):
        run('aws.sqs.Queue("q")')


def test_a_table_without_a_key_is_an_error_that_names_it(run: Run) -> None:
    with pytest.raises(DeploymentError, match=r"Table 'x': [^§]*KeySchema"):
        run(raw("aws:dynamodb/table:Table", {"billingMode": "PAY_PER_REQUEST"}))


# --- Running a program -----------------------------------------------------------------------------------------------


def test_values_flow_between_resources_components_and_outputs(run: Run) -> None:
    deployment = run("""
class Part(pulumi.ComponentResource):
    def __init__(self):
        super().__init__("project:index:Part", "part", None, None)
        self.queue = aws.sqs.Queue("inner", opts=pulumi.ResourceOptions(parent=self))
        self.register_outputs({})
part = Part()
aws.sqs.Queue("outer", redrive_policy=part.queue.arn.apply(
    lambda arn: json.dumps({"deadLetterTargetArn": arn, "maxReceiveCount": 3})))
pulumi.export("nested", {"url": part.queue.url, "numbers": [1, 2.5]})
pulumi.export("secret", pulumi.Output.secret("plain"))
""")
    assert {resource.name for resource in deployment.resources} == {"inner", "outer"}
    inner = deployment.one("aws:sqs/queue:Queue", "inner")
    assert re.fullmatch(r"inner-[0-9a-f]{7}", inner.outputs["name"])
    policy = json.loads(deployment.one("aws:sqs/queue:Queue", "outer").inputs["redrivePolicy"])
    assert policy["deadLetterTargetArn"] == inner.outputs["arn"]
    assert deployment.outputs == {
        "nested": {"url": inner.outputs["url"], "numbers": [1, 2.5]},
        "secret": "plain",
    }


def test_resources_are_created_with_the_plain_values_of_secrets(run: Run) -> None:
    queue = run('aws.sqs.Queue("q", name=pulumi.Output.secret("hidden"))').one("aws:sqs/queue:Queue")
    assert queue.inputs["name"] == "hidden"
    assert queue.outputs["url"].endswith("/hidden")


def test_account_region_and_partition_are_those_of_the_emulator(run: Run) -> None:
    deployment = run("""
pulumi.export("where", [aws.get_caller_identity().account_id, aws.get_region().region, aws.get_partition().partition])
pulumi.export("later", [aws.get_caller_identity_output().account_id, aws.get_region_output().region])
""")
    assert deployment.outputs == {
        "where": ["111111111111", "ap-northeast-1", "aws"],
        "later": ["111111111111", "ap-northeast-1"],
    }


def test_exceptions_raised_by_the_program_are_unchanged(run: Run) -> None:
    with pytest.raises(InputError) as raised:
        run("""
from callroute.errors import InputError
aws.sqs.Queue("q")
raise InputError("Pulumi.local.yaml", "batchSize", "is 0", "Set 1 to 10.")
""")
    assert str(raised.value) == "Pulumi.local.yaml: batchSize: is 0. Set 1 to 10."


def test_exceptions_in_apply_are_raised(run: Run) -> None:
    with pytest.raises(ZeroDivisionError):
        run('pulumi.export("n", aws.sqs.Queue("q").arn.apply(lambda arn: 1 / 0))')


def test_failures_print_nothing(run: Run, capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(DeploymentError):
        run('q = aws.sqs.Queue("q", max_message_size=-1)\naws.sqs.Queue("after", name=q.name)')
    assert capfd.readouterr() == ("", "")


def test_deployments_do_not_share_state(run: Run) -> None:
    first = run(
        'aws.sqs.Queue("first"); pulumi.export("first", pulumi.Config().get("setting"))', {"setting": "a"}
    )
    with pytest.raises(DeploymentError):
        run('aws.ssm.Parameter("p", type="String", value="a"); pulumi.export("failed", 1)')
    second = run('aws.sqs.Queue("second"); pulumi.export("second", pulumi.Config().get("setting"))')
    assert first.outputs == {"first": "a"}
    assert second.outputs == {}, "the second must not see the configuration of the first"
    assert [resource.name for resource in second.resources] == ["second"]


def test_a_program_that_never_ends_times_out(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stack_runner, "PROGRAM_SECONDS", 2)  # enough to create a queue on a busy machine
    with pytest.raises(DeploymentError, match=r"did not end within 2 s. Resources created: created\."):
        run("""
import asyncio
aws.sqs.Queue("created")
pulumi.export("never", pulumi.Output.from_input(asyncio.get_event_loop().create_future()))
""")


def test_the_program_can_import_modules_from_its_folder(run: Run, tmp_path: Path) -> None:
    import_path = list(sys.path)
    (tmp_path / "queues_of_this_program.py").write_text("NAME = 'imported'", encoding="utf-8")

    deployment = run("""
from queues_of_this_program import NAME
pulumi.export("name", NAME)
pulumi.export("root", pulumi.get_root_directory())
""")

    assert deployment.outputs == {"name": "imported", "root": str(tmp_path)}
    assert sys.path == import_path, "the folder must not stay on the import path"


# --- Projects --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("start", [".", "flows", "flows/menus"])
def test_the_project_is_found_from_its_folder_and_any_folder_below(
    start: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "flows" / "menus").mkdir(parents=True)
    (tmp_path / "Pulumi.yaml").write_text("name: project\n", encoding="utf-8")
    monkeypatch.chdir(tmp_path / start)

    assert find_project() == find_project(tmp_path / start) == tmp_path


def test_a_folder_outside_of_a_project_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no Pulumi\.yaml in this folder or its parents\. Run "):
        find_project(tmp_path)


# --- Configuration ---------------------------------------------------------------------------------------------------


def test_the_program_reads_the_stack_configuration_and_overrides(run: Run) -> None:
    deployment = run(
        """
config = pulumi.Config()
pulumi.export("got", [config.get_int("number"), config.get_bool("flag"), config.get_object("list"), config.get("text"),
    config.get("replaced"), pulumi.get_stack(), pulumi.get_project()])
pulumi.export("gone", config.get("removed") is None)
""",
        {
            "number": 3,
            "flag": True,
            "project:list": [{"a": "あ"}],
            "text": "x",
            "replaced": 1,
            "removed": "y",
        },
        {"project:replaced": "new", "removed": None},
    )
    assert deployment.outputs["got"] == [3, True, [{"a": "あ"}], "x", "new", "local", "project"]
    assert deployment.outputs["gone"] is True


def test_values_and_secrets_of_the_project_are_listed_without_its_name(tmp_path: Path) -> None:
    (tmp_path / "Pulumi.yaml").write_text("name: project\n", encoding="utf-8")
    (tmp_path / "Pulumi.dev.yaml").write_text(
        "config: {aws:region: eu-west-2, project:flows: [a], other:key: b}\n", encoding="utf-8"
    )

    config = StackConfig.read("dev", {"salt": Secret("s"), "other:token": Secret("t")}, project=tmp_path)

    assert config.project_values == {"flows": '["a"]', "salt": "s"}
    assert config.project_secrets == {"salt"}


def test_an_encrypted_value_must_be_overridden(run: Run) -> None:
    config = {"project:salt": {"secure": "v1:abc"}}
    with pytest.raises(InputError, match=r"Pulumi\.local\.yaml: project:salt: the value is encrypted"):
        run("", config)
    deployment = run('pulumi.export("salt", pulumi.Config().require("salt"))', config, {"salt": "local"})
    assert deployment.outputs == {"salt": "local"}


def test_a_stack_and_an_emulator_in_different_regions_are_an_error(run: Run) -> None:
    with pytest.raises(
        InputError, match="aws:region: the stack is in eu-west-2, but the emulator is in ap-northeast-1"
    ):
        run("", {"aws:region": "eu-west-2"})


@pytest.mark.parametrize(
    ("text", "problem"),
    [(None, "cannot be read"), ("a: [", "is not valid YAML"), ("- 1", "is not a mapping")],
)
def test_an_unusable_stack_file_is_an_error_that_names_it(
    tmp_path: Path, text: str | None, problem: str
) -> None:
    (tmp_path / "Pulumi.yaml").write_text("name: project\n", encoding="utf-8")
    if text is not None:
        (tmp_path / "Pulumi.dev.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=rf"Pulumi\.dev\.yaml: {problem}"):
        StackConfig.read("dev", project=tmp_path)


@pytest.mark.emulator
def test_a_stack_is_deployed_to_its_configured_region(tmp_path: Path) -> None:
    (tmp_path / "Pulumi.yaml").write_text("name: project\n", encoding="utf-8")
    (tmp_path / "Pulumi.local.yaml").write_text("config: {aws:region: eu-west-2}\n", encoding="utf-8")
    (tmp_path / "__main__.py").write_text(
        "import pulumi, pulumi_aws as aws\npulumi.export('arn', aws.sqs.Queue('q', name='q').arn)",
        encoding="utf-8",
    )
    with Emulator(StackConfig.read("local", project=tmp_path).region) as emulator:
        assert deploy(emulator, project=tmp_path).outputs == {"arn": "arn:aws:sqs:eu-west-2:111111111111:q"}


# --- Roles -----------------------------------------------------------------------------------------------------------

ROLE_PROGRAM = """
queue = aws.sqs.Queue("allowed", name="allowed")
aws.sqs.Queue("denied", name="denied")
role = aws.iam.Role("r", assume_role_policy=json.dumps({"Version": "2012-10-17", "Statement": [{
    "Effect": "Allow", "Principal": {"Service": "pipes.amazonaws.com"}, "Action": "sts:AssumeRole",
    "Condition": {"StringEquals": {"aws:SourceAccount": "111111111111", "aws:SourceArn": "arn:the-pipe"}}}]}))
aws.iam.RolePolicy("p", role=role.name, policy=queue.arn.apply(lambda arn: json.dumps({"Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Action": "sqs:SendMessage", "Resource": arn}]})))
"""


def test_an_assumed_role_is_limited_by_its_policies(run: Run, emulator: Emulator) -> None:
    deployment = run(ROLE_PROGRAM)
    arn = deployment.one("aws:iam/role:Role").outputs["arn"]
    credentials = deployment.assume_role(arn, service="pipes.amazonaws.com", source_arn="arn:the-pipe")
    sqs = emulator.client("sqs", credentials)
    sqs.send_message(QueueUrl=deployment.one("aws:sqs/queue:Queue", "allowed").id, MessageBody="m")
    with pytest.raises(ClientError, match="AccessDenied"):
        sqs.send_message(QueueUrl=deployment.one("aws:sqs/queue:Queue", "denied").id, MessageBody="m")
    again = deployment.assume_role(arn, service="pipes.amazonaws.com", source_arn="arn:the-pipe")
    assert again == credentials
    assert credentials.secret_access_key not in repr(credentials)


@pytest.mark.parametrize(
    ("service", "source_arn"),
    [("states.amazonaws.com", "arn:the-pipe"), ("pipes.amazonaws.com", "arn:another-pipe")],
)
def test_a_role_that_does_not_trust_the_service_cannot_be_assumed(
    run: Run, service: str, source_arn: str
) -> None:
    deployment = run(ROLE_PROGRAM)
    arn = deployment.one("aws:iam/role:Role").outputs["arn"]
    with pytest.raises(DeploymentError, match=f"{service} cannot assume .*/r.* for {source_arn}"):
        deployment.assume_role(arn, service=service, source_arn=source_arn)


@pytest.mark.parametrize(
    "role",
    [
        f'aws.iam.Role("r", assume_role_policy={trust_in("pipes.amazonaws.com")!r}).arn',
        "aws.iam.Role('r', assume_role_policy="
        f"{trust_in('states.amazonaws.com', StringEquals={'aws:SourceArn': 'arn:another-machine'})!r}).arn",
    ],
    ids=["another service", "another state machine"],
)
def test_a_state_machine_whose_role_does_not_trust_it_is_rejected(run: Run, role: str) -> None:
    with pytest.raises(
        DeploymentError, match=r"states.amazonaws.com cannot assume .*role/r.* for .*:stateMachine:m"
    ):
        run(f'aws.sfn.StateMachine("m", type="EXPRESS", role_arn={role}, definition={MACHINE!r})')


@pytest.mark.parametrize("level", ["ALL", "ERROR", "OFF"])
def test_a_state_machine_that_logs_needs_a_role_that_can_deliver_logs(run: Run, level: str) -> None:
    program = f"""
role = aws.iam.Role("r", assume_role_policy={trust_in("states.amazonaws.com")!r})
logs = aws.cloudwatch.LogGroup("l", name="l")
aws.sfn.StateMachine("m", type="EXPRESS", role_arn=role.arn, definition={MACHINE!r}, logging_configuration={{
    "level": {level!r}, "log_destination": logs.arn.apply(lambda arn: f"{{arn}}:*")}})
"""
    if level == "OFF":
        run(program)
    else:
        with pytest.raises(
            DeploymentError,
            match=r"StateMachine 'm': .*AccessDeniedException.* The state machine IAM Role is not authorized to "
            r"access the Log Destination: .* not authorized to perform: logs:CreateLogDelivery ",
        ):
            run(program)


@pytest.mark.parametrize(
    ("condition", "effect", "trusted"),
    [
        ({}, "Allow", True),
        ({"ArnLike": {"aws:SourceArn": "arn:aws:pipes:*:*:pipe/p"}}, "Allow", True),
        ({"ArnLike": {"aws:SourceArn": "arn:aws:pipes:*:*:pipe/q*"}}, "Allow", False),
        ({"ArnLike": {"aws:SourceArn": "arn:aws:pipes:*:p"}}, "Allow", False),
        ({"StringLike": {"aws:SourceArn": "arn:aws:pipes:*/p"}}, "Allow", True),
        ({"StringEquals": {"aws:SourceArn": ["arn:x", "arn:aws:pipes:r:a:pipe/p"]}}, "Allow", True),
        ({"StringEquals": {"aws:SourceAccount": "222222222222"}}, "Allow", False),
        ({"StringEquals": {"aws:PrincipalOrgID": "o-1"}}, "Allow", False),
        ({"StringNotEquals": {"aws:SourceAccount": "222222222222"}}, "Allow", False),
        ({}, "Deny", False),
        ({"StringEquals": {"aws:SourceAccount": "222222222222"}}, "Deny", False),
    ],
)
def test_conditions_of_a_trust_policy_are_evaluated(
    condition: dict[str, Any], effect: str, trusted: bool
) -> None:
    statement = {
        "Effect": effect,
        "Principal": {"Service": ["pipes.amazonaws.com"]},
        "Action": ["sts:AssumeRole"],
        "Condition": condition,
    }
    context = {"aws:SourceArn": "arn:aws:pipes:r:a:pipe/p", "aws:SourceAccount": "111111111111"}
    assert stack_runner._trusts({"Statement": [statement]}, "pipes.amazonaws.com", context) is trusted


def test_an_ambiguous_lookup_is_an_error_that_lists_the_resources(run: Run) -> None:
    deployment = run('aws.sqs.Queue("a-letters"); aws.sqs.Queue("b-letters")')
    assert deployment.one("aws:sqs/queue:Queue", "a-letters").name == "a-letters"
    with pytest.raises(LookupError, match=r"found 2; registered: .-letters, .-letters"):
        deployment.one("aws:sqs/queue:Queue", "letters")
    with pytest.raises(LookupError, match="registered: none"):
        deployment.one("aws:iam/role:Role")


def test_tasks_of_a_failed_run_are_not_awaited_by_the_next() -> None:
    async def nothing() -> None:
        return None

    async def task() -> asyncio.Task[None]:
        return asyncio.ensure_future(nothing())

    # asyncio.run would remove the main thread's event loop, which later tests use.
    failed_run, next_run = asyncio.new_event_loop(), asyncio.new_event_loop()
    try:
        foreign, own = failed_run.run_until_complete(task()), next_run.run_until_complete(task())
        waited_for = _TasksOfOneLoop(next_run)
        for each in (foreign, own):
            waited_for.add(each)
            each.get_loop().run_until_complete(each)

        assert waited_for == {own}
    finally:
        failed_run.close()
        next_run.close()
