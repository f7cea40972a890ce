"""How each type of resource is made in the emulator: the part of the AWS provider that this project uses.

Each creator takes the physical name and the other registered arguments, makes the API calls that the provider would make
with them, and returns the provider's id and what AWS adds to the arguments. An argument that reaches no API call is an
UnknownArgumentError. What the emulator has no API for (Amazon Connect) is checked against AWS's API model instead.
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
"""Registered arguments, spelt as on Pulumi's wire: camelCase."""

Created = tuple[str, Arguments]
"""The provider's id, and the outputs that AWS adds to the inputs."""


class UnknownArgumentError(Exception):
    """An argument that nothing reads; the message is its name."""


def _rest(client: Any, operation: str, given: Arguments) -> dict[str, Any]:
    """The arguments that the API knows by the same name, for an API call.

    Every creator passes here what it has not taken out by itself, so that nothing is lost: what the API's model does not
    know at the top is an UnknownArgumentError, and further down the model refuses it when the call is made.
    """
    members = client.meta.service_model.operation_model(operation).input_shape.members
    lower = next(iter(members))[0].islower()
    request = {}
    for argument, value in given.items():
        member = argument if lower else _capitalised(argument)
        if member not in members:
            raise UnknownArgumentError(argument)
        request[member] = value if lower or argument == "tags" else _api_names(value)
    return request


def _api_names(value: Any) -> Any:
    """Pulumi's camelCase in AWS's CamelCase, all the way down."""
    if isinstance(value, Mapping):
        return {_capitalised(key): _api_names(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_api_names(item) for item in value]
    return value


def _capitalised(name: str) -> str:
    return name[0].upper() + name[1:]


def _tag_list(given: Arguments, key: str = "Key", value: str = "Value") -> list[dict[str, str]]:
    return [{key: name, value: text} for name, text in given.pop("tags", {}).items()]


def _document(value: Any) -> str:
    """An IAM document, which may be registered as text or as a structure."""
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
        # The key's kind is said in AWS's way: enabled means a KMS key, without a name the AWS managed one.
        kms = {"SSEType": "KMS", **({"KMSMasterKeyId": key} if key else {})} if encryption["enabled"] else {}
        request["SSESpecification"] = {**_api_names(encryption), **kms}
    rest = _rest(dynamodb, "CreateTable", given)
    arn = dynamodb.create_table(**request, **rest)["TableDescription"]["TableArn"]
    dynamodb.get_waiter("table_exists").wait(TableName=name, WaiterConfig=_SOON)
    if recovery:
        specification = {"PointInTimeRecoveryEnabled": recovery.pop("enabled"), **_api_names(recovery)}
        dynamodb.update_continuous_backups(TableName=name, PointInTimeRecoverySpecification=specification)
    if expiry.get("enabled"):  # the API cannot disable what never was enabled
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
    given.pop("enforceConsumerDeletion", None)  # is about deleting the stream
    kinesis.create_stream(StreamName=name, **_rest(kinesis, "CreateStream", given))

    def settle() -> str:
        """Waits until the stream takes the next change, and returns its ARN."""
        kinesis.get_waiter("stream_exists").wait(StreamName=name, WaiterConfig=_SOON)
        arn: str = kinesis.describe_stream_summary(StreamName=name)["StreamDescriptionSummary"]["StreamARN"]
        return arn

    settle()
    if tags:  # the emulator overlooks those of CreateStream
        kinesis.add_tags_to_stream(StreamName=name, Tags=tags)
    if hours != KINESIS_DEFAULT_HOURS:
        kinesis.increase_stream_retention_period(StreamName=name, RetentionPeriodHours=hours)
        settle()
    if encryption != "NONE":
        kinesis.start_stream_encryption(StreamName=name, EncryptionType=encryption, KeyId=key)
    arn = settle()
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
    rest = _rest(sqs, "CreateQueue", given)
    url = sqs.create_queue(QueueName=name, Attributes=attributes, tags=tags, **rest)["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    return url, {"name": name, "arn": arn, "url": url}


def _role(emulator: Emulator, name: str, given: Arguments) -> Created:
    iam = emulator.client("iam")
    given.pop("forceDetachPolicies", None)  # is about deleting the role
    trust = _document(given.pop("assumeRolePolicy"))
    tags = _tag_list(given)
    rest = _rest(iam, "CreateRole", given)
    role = iam.create_role(RoleName=name, AssumeRolePolicyDocument=trust, Tags=tags, **rest)["Role"]
    return name, {"name": name, "arn": role["Arn"], "uniqueId": role["RoleId"], "assumeRolePolicy": trust}


def _role_policy(emulator: Emulator, name: str, given: Arguments) -> Created:
    iam = emulator.client("iam")
    role, policy = given.pop("role"), _document(given.pop("policy"))
    iam.put_role_policy(
        RoleName=role, PolicyName=name, PolicyDocument=policy, **_rest(iam, "PutRolePolicy", given)
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
    rest = _rest(states, "CreateStateMachine", given)
    arn = states.create_state_machine(name=name, tags=tags, **rest)["stateMachineArn"]
    return arn, {"name": name, "arn": arn}


def _pipe(emulator: Emulator, name: str, given: Arguments) -> Created:
    """A pipe the emulator knows of (it describes it) and does not run for a Kinesis source: callroute.local.pipe does."""
    pipes = emulator.client("pipes")
    logs = given.get("logConfiguration", {})
    if "includeExecutionDatas" in logs:  # Pulumi's plural of AWS's name
        logs["includeExecutionData"] = logs.pop("includeExecutionDatas")
    arn = pipes.create_pipe(Name=name, **_rest(pipes, "CreatePipe", given))["Arn"]
    return name, {"name": name, "arn": arn}


def _log_group(emulator: Emulator, name: str, given: Arguments) -> Created:
    logs = emulator.client("logs")
    given.pop("skipDestroy", None)  # is about deleting the group
    days = given.pop("retentionInDays", 0)
    logs.create_log_group(logGroupName=name, **_rest(logs, "CreateLogGroup", given))
    if days:  # 0: kept for ever, which is how groups begin
        logs.put_retention_policy(logGroupName=name, retentionInDays=days)
    # Without the `:*` that the API puts behind it: so does the provider.
    return name, {
        "name": name,
        "arn": f"arn:aws:logs:{emulator.region}:{emulator.account_id}:log-group:{name}",
    }


def _contact_flow(emulator: Emulator, name: str, given: Arguments) -> Created:
    instance = given["instanceId"]
    given.pop("contentHash", None)  # tells the provider when a file has changed
    _checked_by_model(emulator, "CreateContactFlow", {"type": "CONTACT_FLOW", **given, "name": name})
    flow = str(uuid.uuid4())
    arn = f"{instance_arn(emulator, instance)}/contact-flow/{flow}"
    return f"{instance}:{flow}", {"name": name, "arn": arn, "contactFlowId": flow}


def _instance_storage_config(emulator: Emulator, _name: str, given: Arguments) -> Created:
    _checked_by_model(emulator, "AssociateInstanceStorageConfig", given)
    association = secrets.token_hex(32)
    return f"{given['instanceId']}:{association}:{given['resourceType']}", {"associationId": association}


def _phone_number(emulator: Emulator, _name: str, given: Arguments) -> Created:
    _checked_by_model(emulator, "AssociatePhoneNumberContactFlow", given)
    return ",".join(given[part] for part in ("phoneNumberId", "instanceId", "contactFlowId")), {}


def _checked_by_model(emulator: Emulator, operation: str, given: Arguments) -> None:
    """Checks the request that the provider would send to Amazon Connect, which the emulator lacks."""
    connect = emulator.client("connect")
    request = _rest(connect, operation, given)
    validate_parameters(request, connect.meta.service_model.operation_model(operation).input_shape)


def instance_arn(emulator: Emulator, instance_id: str) -> str:
    """ARN of a Connect instance in the emulator's account and region."""
    return f"arn:aws:connect:{emulator.region}:{emulator.account_id}:instance/{instance_id}"


KINESIS_DEFAULT_HOURS = 24
_SOON = {"Delay": 0.02, "MaxAttempts": 500}

CREATORS: dict[str, Callable[[Emulator, str, Arguments], Created]] = {
    "aws:cloudwatch/logGroup:LogGroup": _log_group,
    "aws:connect/contactFlow:ContactFlow": _contact_flow,
    "aws:connect/instanceStorageConfig:InstanceStorageConfig": _instance_storage_config,
    "aws:connect/phoneNumberContactFlowAssociation:PhoneNumberContactFlowAssociation": _phone_number,
    "aws:dynamodb/table:Table": _table,
    "aws:iam/role:Role": _role,
    "aws:iam/rolePolicy:RolePolicy": _role_policy,
    "aws:kinesis/stream:Stream": _stream,
    "aws:pipes/pipe:Pipe": _pipe,
    "aws:sfn/stateMachine:StateMachine": _state_machine,
    "aws:sqs/queue:Queue": _queue,
}
"""Pulumi's type token -> what makes such a resource from its physical name and the other arguments."""


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
"""Token of a provider's function -> its answer."""
