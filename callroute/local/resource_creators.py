"""Resource creators: functions that create resources in the emulator, as the AWS provider would.

Each creator takes the physical name and the other registered arguments, makes the provider's API calls, and returns the
provider's ID and the outputs that AWS adds. An argument that no API call uses raises UnknownArgumentError. The emulator
has no API for Amazon Connect, so requests to it are only validated against the AWS API model.
"""

from __future__ import annotations

import json
import secrets
import uuid
from collections.abc import Callable, Mapping
from typing import Any

from botocore.validate import validate_parameters

from callroute.local.emulator import Emulator

Arguments = dict[str, Any]
"""Registered arguments, with camelCase keys as in Pulumi's protocol."""

Created = tuple[str, Arguments]
"""The provider's ID, and the outputs that AWS adds to the inputs."""


class UnknownArgumentError(Exception):
    """An argument that no resource creator supports. The message is the argument's name."""


def _remaining(client: Any, operation: str, given: Arguments) -> dict[str, Any]:
    """Converts the arguments that a creator has not handled to the parameters of an API call.

    This ensures that no argument is lost: one that the operation does not accept raises UnknownArgumentError, and boto3
    rejects unknown nested keys when the request is sent.
    """
    members = client.meta.service_model.operation_model(operation).input_shape.members
    lower = next(iter(members))[0].islower()
    request = {}
    for argument, value in given.items():
        member = argument if lower else _capitalized(argument)
        if member not in members:
            raise UnknownArgumentError(argument)
        request[member] = value if lower or argument == "tags" else _api_names(value)
    return request


def _api_names(value: Any) -> Any:
    """Converts Pulumi's camelCase keys to AWS's PascalCase, including nested keys."""
    if isinstance(value, Mapping):
        return {_capitalized(key): _api_names(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_api_names(item) for item in value]
    return value


def _capitalized(name: str) -> str:
    return name[0].upper() + name[1:]


def _tag_list(given: Arguments, key: str = "Key", value: str = "Value") -> list[dict[str, str]]:
    return [{key: name, value: text} for name, text in given.pop("tags", {}).items()]


def _document(value: Any) -> str:
    """Returns an IAM document as a JSON string. It may be registered as a string or a mapping."""
    return value if isinstance(value, str) else json.dumps(value)


def _table(emulator: Emulator, name: str, given: Arguments) -> Created:
    dynamodb = emulator.client("dynamodb")
    recovery = given.pop("pointInTimeRecovery", {})
    expiry = given.pop("ttl", {})
    request: dict[str, Any] = {
        "TableName": name,
        "AttributeDefinitions": [
            {"AttributeName": attribute["name"], "AttributeType": attribute["type"]}
            for attribute in given.pop("attributes", [])
        ],
        "KeySchema": _key_schema(given),
        "Tags": _tag_list(given),
    }
    if indexes := given.pop("globalSecondaryIndexes", None):
        request["GlobalSecondaryIndexes"] = [_index(index) for index in indexes]
    if encryption := given.pop("serverSideEncryption", None):
        key = encryption.pop("kmsKeyArn", None)
        # For DynamoDB, `enabled` selects a KMS key: the AWS managed key unless another key is specified.
        kms = {"SSEType": "KMS", **({"KMSMasterKeyId": key} if key else {})} if encryption["enabled"] else {}
        request["SSESpecification"] = {**_api_names(encryption), **kms}
    rest = _remaining(dynamodb, "CreateTable", given)
    arn = dynamodb.create_table(**request, **rest)["TableDescription"]["TableArn"]
    dynamodb.get_waiter("table_exists").wait(TableName=name, WaiterConfig=_POLLING)
    if recovery:
        specification = {"PointInTimeRecoveryEnabled": recovery.pop("enabled"), **_api_names(recovery)}
        dynamodb.update_continuous_backups(TableName=name, PointInTimeRecoverySpecification=specification)
    if expiry.get("enabled"):  # the API rejects disabling a TTL that was never enabled
        dynamodb.update_time_to_live(TableName=name, TimeToLiveSpecification=_api_names(expiry))
    return name, {"name": name, "arn": arn}


def _key_schema(given: Arguments) -> list[dict[str, str]]:
    schema = [
        {"AttributeName": given.pop(argument), "KeyType": key_type}
        for argument, key_type in (("hashKey", "HASH"), ("rangeKey", "RANGE"))
        if argument in given
    ]
    return schema or [_api_names(key) for key in given.pop("keySchemas", [])]


def _index(index: Arguments) -> dict[str, Any]:
    projection = {"ProjectionType": index.pop("projectionType")}
    if attributes := index.pop("nonKeyAttributes", None):
        projection["NonKeyAttributes"] = attributes
    schema = _key_schema(index)
    return {
        "IndexName": index.pop("name"),
        "KeySchema": schema,
        "Projection": projection,
        **_api_names(index),
    }


def _stream(emulator: Emulator, name: str, given: Arguments) -> Created:
    kinesis = emulator.client("kinesis")
    hours = given.pop("retentionPeriod", KINESIS_DEFAULT_HOURS)
    encryption = given.pop("encryptionType", "NONE")
    key = given.pop("kmsKeyId", None) if encryption != "NONE" else None
    tags = given.pop("tags", {})
    given.pop("enforceConsumerDeletion", None)  # only matters when the stream is deleted
    kinesis.create_stream(StreamName=name, **_remaining(kinesis, "CreateStream", given))

    def wait_until_active() -> str:
        """Waits until the stream accepts another change and returns its ARN."""
        kinesis.get_waiter("stream_exists").wait(StreamName=name, WaiterConfig=_POLLING)
        arn: str = kinesis.describe_stream_summary(StreamName=name)["StreamDescriptionSummary"]["StreamARN"]
        return arn

    wait_until_active()
    if tags:  # the emulator ignores tags in CreateStream requests
        kinesis.add_tags_to_stream(StreamName=name, Tags=tags)
    if hours != KINESIS_DEFAULT_HOURS:
        kinesis.increase_stream_retention_period(StreamName=name, RetentionPeriodHours=hours)
        wait_until_active()
    if encryption != "NONE":
        kinesis.start_stream_encryption(StreamName=name, EncryptionType=encryption, KeyId=key)
    arn = wait_until_active()
    return arn, {"name": name, "arn": arn}


QUEUE_ATTRIBUTES = {
    "delaySeconds": "DelaySeconds",
    "kmsDataKeyReusePeriodSeconds": "KmsDataKeyReusePeriodSeconds",
    "kmsMasterKeyId": "KmsMasterKeyId",
    "maxMessageSize": "MaximumMessageSize",
    "messageRetentionSeconds": "MessageRetentionPeriod",
    "policy": "Policy",
    "receiveWaitTimeSeconds": "ReceiveMessageWaitTimeSeconds",
    "redriveAllowPolicy": "RedriveAllowPolicy",
    "redrivePolicy": "RedrivePolicy",
    "sqsManagedSseEnabled": "SqsManagedSseEnabled",
    "visibilityTimeoutSeconds": "VisibilityTimeout",
}


def _queue(emulator: Emulator, name: str, given: Arguments) -> Created:
    sqs = emulator.client("sqs")
    attributes = {
        attribute: value if isinstance(value, str) else json.dumps(value)
        for argument, attribute in QUEUE_ATTRIBUTES.items()
        if (value := given.pop(argument, None)) is not None
    }
    tags = given.pop("tags", {})
    rest = _remaining(sqs, "CreateQueue", given)
    url = sqs.create_queue(QueueName=name, Attributes=attributes, tags=tags, **rest)["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    return url, {"name": name, "arn": arn, "url": url}


def _role(emulator: Emulator, name: str, given: Arguments) -> Created:
    iam = emulator.client("iam")
    given.pop("forceDetachPolicies", None)  # only matters when the role is deleted
    trust = _document(given.pop("assumeRolePolicy"))
    tags = _tag_list(given)
    rest = _remaining(iam, "CreateRole", given)
    role = iam.create_role(RoleName=name, AssumeRolePolicyDocument=trust, Tags=tags, **rest)["Role"]
    return name, {"name": name, "arn": role["Arn"], "uniqueId": role["RoleId"], "assumeRolePolicy": trust}


def _role_policy(emulator: Emulator, name: str, given: Arguments) -> Created:
    iam = emulator.client("iam")
    role, policy = given.pop("role"), _document(given.pop("policy"))
    iam.put_role_policy(
        RoleName=role, PolicyName=name, PolicyDocument=policy, **_remaining(iam, "PutRolePolicy", given)
    )
    return f"{role}:{name}", {"name": name, "policy": policy}


def _state_machine(emulator: Emulator, name: str, given: Arguments) -> Created:
    states = emulator.client("stepfunctions")
    tags = _tag_list(given, "key", "value")
    if logs := given.get("loggingConfiguration"):
        group = logs.pop("logDestination", None)
        given["loggingConfiguration"] = {
            **logs,
            **({"destinations": [{"cloudWatchLogsLogGroup": {"logGroupArn": group}}]} if group else {}),
        }
    rest = _remaining(states, "CreateStateMachine", given)
    arn = states.create_state_machine(name=name, tags=tags, **rest)["stateMachineArn"]
    return arn, {"name": name, "arn": arn}


def _pipe(emulator: Emulator, name: str, given: Arguments) -> Created:
    """Creates a pipe. The emulator can describe it but does not run it; callroute.local.pipe does."""
    pipes = emulator.client("pipes")
    logs = given.get("logConfiguration", {})
    if "includeExecutionDatas" in logs:  # the provider uses a plural
        logs["includeExecutionData"] = logs.pop("includeExecutionDatas")
    arn = pipes.create_pipe(Name=name, **_remaining(pipes, "CreatePipe", given))["Arn"]
    return name, {"name": name, "arn": arn}


def _log_group(emulator: Emulator, name: str, given: Arguments) -> Created:
    logs = emulator.client("logs")
    given.pop("skipDestroy", None)  # only matters when the log group is deleted
    days = given.pop("retentionInDays", 0)
    logs.create_log_group(logGroupName=name, **_remaining(logs, "CreateLogGroup", given))
    if days:  # 0 means no expiration, which is the default
        logs.put_retention_policy(logGroupName=name, retentionInDays=days)
    # Like the provider, omits the `:*` at the end of the ARN that the API returns.
    return name, {
        "name": name,
        "arn": f"arn:aws:logs:{emulator.region}:{emulator.account_id}:log-group:{name}",
    }


def _metric_alarm(emulator: Emulator, name: str, given: Arguments) -> Created:
    cloudwatch = emulator.client("cloudwatch")
    tags = _tag_list(given)
    request: dict[str, Any] = {"AlarmName": name, "Dimensions": _dimensions(given)}
    if queries := given.pop("metricQueries", None):
        del request["Dimensions"]  # the API accepts either dimensions or queries
        request["Metrics"] = [_metric_query(query) for query in queries]
    if actions := given.pop("okActions", None):
        request["OKActions"] = actions
    cloudwatch.put_metric_alarm(**request, Tags=tags, **_remaining(cloudwatch, "PutMetricAlarm", given))
    arn = f"arn:aws:cloudwatch:{emulator.region}:{emulator.account_id}:alarm:{name}"
    return name, {"name": name, "arn": arn}


def _dimensions(given: Arguments) -> list[dict[str, str]]:
    return [{"Name": name, "Value": value} for name, value in given.pop("dimensions", {}).items()]


def _metric_query(query: Arguments) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if metric := query.pop("metric", None):
        dimensions = _dimensions(metric)
        period, stat = metric.pop("period"), metric.pop("stat")
        found["MetricStat"] = {
            "Metric": {"Dimensions": dimensions, **_api_names(metric)},
            "Period": period,
            "Stat": stat,
        }
    return {**found, **_api_names(query)}


def _dashboard(emulator: Emulator, name: str, given: Arguments) -> Created:
    cloudwatch = emulator.client("cloudwatch")
    name = given.pop("dashboardName", name)
    rest = _remaining(cloudwatch, "PutDashboard", given)
    cloudwatch.put_dashboard(DashboardName=name, **rest)
    # Dashboard names are unique in an account, so the ARN has no region.
    return name, {"dashboardArn": f"arn:aws:cloudwatch::{emulator.account_id}:dashboard/{name}"}


TOPIC_ATTRIBUTES = {"kmsMasterKeyId": "KmsMasterKeyId"}


def _topic(emulator: Emulator, name: str, given: Arguments) -> Created:
    sns = emulator.client("sns")
    tags = _tag_list(given)
    attributes = {
        attribute: given.pop(argument)
        for argument, attribute in TOPIC_ATTRIBUTES.items()
        if argument in given
    }
    arn = sns.create_topic(Name=name, Tags=tags, **_remaining(sns, "CreateTopic", given))["TopicArn"]
    for attribute, value in attributes.items():
        sns.set_topic_attributes(TopicArn=arn, AttributeName=attribute, AttributeValue=value)
    return arn, {"name": name, "arn": arn}


def _topic_policy(emulator: Emulator, _name: str, given: Arguments) -> Created:
    sns = emulator.client("sns")
    arn, policy = given.pop("arn"), _document(given.pop("policy"))
    rest = _remaining(sns, "SetTopicAttributes", given)
    sns.set_topic_attributes(TopicArn=arn, AttributeName="Policy", AttributeValue=policy, **rest)
    return arn, {"policy": policy}


def _topic_subscription(emulator: Emulator, _name: str, given: Arguments) -> Created:
    sns = emulator.client("sns")
    topic = given.pop("topic")
    rest = _remaining(sns, "Subscribe", given)
    arn = sns.subscribe(TopicArn=topic, ReturnSubscriptionArn=True, **rest)["SubscriptionArn"]
    return arn, {"arn": arn}


def _contact_flow(emulator: Emulator, name: str, given: Arguments) -> Created:
    instance = given["instanceId"]
    given.pop("contentHash", None)  # used by the provider to detect changes
    _validate_request(emulator, "CreateContactFlow", {"type": "CONTACT_FLOW", **given, "name": name})
    flow = str(uuid.uuid4())
    arn = f"{instance_arn(emulator, instance)}/contact-flow/{flow}"
    return f"{instance}:{flow}", {"name": name, "arn": arn, "contactFlowId": flow}


def _contact_flow_module(emulator: Emulator, name: str, given: Arguments) -> Created:
    instance = given["instanceId"]
    given.pop("contentHash", None)  # used by the provider to detect changes
    _validate_request(emulator, "CreateContactFlowModule", {**given, "name": name})
    module = str(uuid.uuid4())
    arn = f"{instance_arn(emulator, instance)}/flow-module/{module}"
    return f"{instance}:{module}", {"name": name, "arn": arn, "contactFlowModuleId": module}


def _instance_storage_config(emulator: Emulator, _name: str, given: Arguments) -> Created:
    _validate_request(emulator, "AssociateInstanceStorageConfig", given)
    association = secrets.token_hex(32)
    return f"{given['instanceId']}:{association}:{given['resourceType']}", {"associationId": association}


def _phone_number(emulator: Emulator, _name: str, given: Arguments) -> Created:
    _validate_request(emulator, "AssociatePhoneNumberContactFlow", given)
    return ",".join(given[part] for part in ("phoneNumberId", "instanceId", "contactFlowId")), {}


def _validate_request(emulator: Emulator, operation: str, given: Arguments) -> None:
    """Validates an Amazon Connect request against the AWS API model. The emulator does not support Connect."""
    connect = emulator.client("connect")
    request = _remaining(connect, operation, given)
    validate_parameters(request, connect.meta.service_model.operation_model(operation).input_shape)


def instance_arn(emulator: Emulator, instance_id: str) -> str:
    """Returns the ARN of a Connect instance in the emulator's account and region."""
    return f"arn:aws:connect:{emulator.region}:{emulator.account_id}:instance/{instance_id}"


KINESIS_DEFAULT_HOURS = 24
_POLLING = {"Delay": 0.02, "MaxAttempts": 500}

CREATORS: dict[str, Callable[[Emulator, str, Arguments], Created]] = {
    "aws:cloudwatch/dashboard:Dashboard": _dashboard,
    "aws:cloudwatch/logGroup:LogGroup": _log_group,
    "aws:cloudwatch/metricAlarm:MetricAlarm": _metric_alarm,
    "aws:connect/contactFlow:ContactFlow": _contact_flow,
    "aws:connect/contactFlowModule:ContactFlowModule": _contact_flow_module,
    "aws:connect/instanceStorageConfig:InstanceStorageConfig": _instance_storage_config,
    "aws:connect/phoneNumberContactFlowAssociation:PhoneNumberContactFlowAssociation": _phone_number,
    "aws:dynamodb/table:Table": _table,
    "aws:iam/role:Role": _role,
    "aws:iam/rolePolicy:RolePolicy": _role_policy,
    "aws:kinesis/stream:Stream": _stream,
    "aws:pipes/pipe:Pipe": _pipe,
    "aws:sfn/stateMachine:StateMachine": _state_machine,
    "aws:sns/topic:Topic": _topic,
    "aws:sns/topicPolicy:TopicPolicy": _topic_policy,
    "aws:sns/topicSubscription:TopicSubscription": _topic_subscription,
    "aws:sqs/queue:Queue": _queue,
}
"""Creators, keyed by Pulumi type token. A creator takes the emulator, the physical name and the other arguments."""


def _caller_identity(emulator: Emulator) -> Arguments:
    identity = emulator.client("sts").get_caller_identity()
    account = identity["Account"]
    return {"id": account, "accountId": account, "arn": identity["Arn"], "userId": identity["UserId"]}


def _region(emulator: Emulator) -> Arguments:
    region = emulator.region
    return {"id": region, "name": region, "region": region, "endpoint": f"ec2.{region}.amazonaws.com"}


def _partition(_emulator: Emulator) -> Arguments:
    return {"id": "aws", "partition": "aws", "dnsSuffix": "amazonaws.com"}


INVOKES: dict[str, Callable[[Emulator], Arguments]] = {
    "aws:index/getCallerIdentity:getCallerIdentity": _caller_identity,
    "aws:index/getPartition:getPartition": _partition,
    "aws:index/getRegion:getRegion": _region,
}
"""Results of provider functions, keyed by token."""
