"""Reads, updates and deletes the resources of the program in the emulator; callroute.local creates them.

`REPLACED_BY` lists the arguments whose change replaces a resource. They have ForceNew in the Terraform AWS provider, on which
Pulumi's AWS provider is built.
"""

from __future__ import annotations

import copy
import json
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from callroute.local.emulator import Emulator
from callroute.local.resource_creators import CREATORS, QUEUE_ATTRIBUTES, TOPIC_ATTRIBUTES

Properties = dict[str, Any]

TABLE = "aws:dynamodb/table:Table"
STREAM = "aws:kinesis/stream:Stream"
QUEUE = "aws:sqs/queue:Queue"
ROLE = "aws:iam/role:Role"
ROLE_POLICY = "aws:iam/rolePolicy:RolePolicy"
LOG_GROUP = "aws:cloudwatch/logGroup:LogGroup"
STATE_MACHINE = "aws:sfn/stateMachine:StateMachine"
PIPE = "aws:pipes/pipe:Pipe"
CONTACT_FLOW = "aws:connect/contactFlow:ContactFlow"
CONTACT_FLOW_MODULE = "aws:connect/contactFlowModule:ContactFlowModule"
STORAGE_CONFIG = "aws:connect/instanceStorageConfig:InstanceStorageConfig"
METRIC_ALARM = "aws:cloudwatch/metricAlarm:MetricAlarm"
DASHBOARD = "aws:cloudwatch/dashboard:Dashboard"
TOPIC = "aws:sns/topic:Topic"
TOPIC_POLICY = "aws:sns/topicPolicy:TopicPolicy"
TOPIC_SUBSCRIPTION = "aws:sns/topicSubscription:TopicSubscription"
PHONE_NUMBER = "aws:connect/phoneNumberContactFlowAssociation:PhoneNumberContactFlowAssociation"

CONNECT = (CONTACT_FLOW, CONTACT_FLOW_MODULE, STORAGE_CONFIG, PHONE_NUMBER)
"""Types of resource that the emulator lacks."""

AUTOMATICALLY_NAMED = frozenset(
    {
        *(TABLE, STREAM, QUEUE, ROLE, ROLE_POLICY, LOG_GROUP, STATE_MACHINE, PIPE, CONTACT_FLOW),
        *(CONTACT_FLOW_MODULE, METRIC_ALARM, TOPIC),
    }
)

COMPUTED: Mapping[str, tuple[str, ...]] = {
    TABLE: ("arn", "id"),
    STREAM: ("arn", "id"),
    QUEUE: ("arn", "id", "url"),
    ROLE: ("arn", "id", "uniqueId"),
    ROLE_POLICY: ("id",),
    LOG_GROUP: ("arn", "id"),
    STATE_MACHINE: ("arn", "id"),
    PIPE: ("arn", "id"),
    CONTACT_FLOW: ("arn", "id", "contactFlowId"),
    CONTACT_FLOW_MODULE: ("arn", "id", "contactFlowModuleId"),
    STORAGE_CONFIG: ("associationId", "id"),
    PHONE_NUMBER: ("id",),
    METRIC_ALARM: ("arn", "id"),
    DASHBOARD: ("dashboardArn", "id"),
    TOPIC: ("arn", "id"),
    TOPIC_POLICY: ("id",),
    TOPIC_SUBSCRIPTION: ("arn", "id"),
}
"""Outputs that AWS chooses: unknown in the preview of a new resource."""

REPLACED_BY: Mapping[str, frozenset[str]] = {
    TABLE: frozenset({"name", "hashKey", "rangeKey"}),
    STREAM: frozenset({"name"}),
    QUEUE: frozenset({"name", "fifoQueue"}),
    ROLE: frozenset({"name", "path"}),
    ROLE_POLICY: frozenset({"name", "role"}),
    LOG_GROUP: frozenset({"name", "logGroupClass"}),
    STATE_MACHINE: frozenset({"name", "type"}),
    PIPE: frozenset({"name", "source"}),
    CONTACT_FLOW: frozenset({"instanceId", "type"}),
    CONTACT_FLOW_MODULE: frozenset(),
    STORAGE_CONFIG: frozenset({"instanceId", "resourceType"}),
    PHONE_NUMBER: frozenset({"phoneNumberId", "instanceId", "contactFlowId"}),
    METRIC_ALARM: frozenset({"name"}),
    DASHBOARD: frozenset({"dashboardName"}),
    TOPIC: frozenset({"name", "fifoTopic"}),
    TOPIC_POLICY: frozenset({"arn"}),
    TOPIC_SUBSCRIPTION: frozenset({"topic", "protocol", "endpoint"}),
}


UNKEPT = {"pipes": ("CreatePipe", "UpdatePipe"), "cloudwatch": ("PutMetricAlarm",)}
"""Operations with arguments that the emulator does not keep."""


class Cloud:
    """The emulator, and the settings of Amazon Connect instances that it lacks.

    Args:
        emulator: the emulator. Previews of new stacks do not need it to run.

    Attributes:
        connect: resources of Amazon Connect by their IDs.
        failing: creations that must fail once: the type of a resource, and the start of its logical name.
        sent: arguments of pipes and alarms by their names, of which the emulator does not keep all.
    """

    def __init__(self, emulator: Emulator) -> None:
        self.emulator = emulator
        self.connect: dict[str, Properties] = {}
        self.failing: set[tuple[str, str]] = set()
        self.sent: dict[str, Properties] = {}
        self._lock = threading.Lock()
        if self.is_running:
            for service, operations in UNKEPT.items():
                events = self.client(service).meta.events
                for operation in operations:
                    events.register(f"provide-client-params.{service}.{operation}", self._keep)

    def _keep(self, params: Properties, **_: Any) -> None:
        name = params.get("AlarmName") or params["Name"]
        self.sent[name] = {**self.sent.get(name, {}), **params} if "Name" in params else params

    def client(self, service: str) -> Any:
        """A boto3 client of the emulator."""
        return self.emulator.client(service)

    @property
    def is_running(self) -> bool:
        """True if the emulator runs."""
        return bool(self.emulator.endpoint)

    def take_failure(self, type_: str, name: str) -> bool:
        """Returns whether this creation of a resource must fail, and removes it from `failing`."""
        with self._lock:
            taken = {each for each in self.failing if each[0] == type_ and name.startswith(each[1])}
            self.failing -= taken
        return bool(taken)

    def created(self, type_: str, id_: str, outputs: Properties) -> None:
        """Stores a resource of Amazon Connect."""
        if type_ in CONNECT:
            self.connect[id_] = outputs


@dataclass(frozen=True)
class Resource:
    """Calls for one type of resource."""

    read: Callable[[Cloud, str, Properties], Properties | None]
    """Returns all properties that AWS has now, by Pulumi's names; None if the resource is gone.

    The caller ignores properties that are empty or 0 and that the resource did not have.
    """
    update: Callable[[Cloud, str, Properties, Properties], None]
    """Takes the changed inputs (None for removed ones), and all new inputs."""
    delete: Callable[[Cloud, str, Properties], None]


def _answer(call: Callable[..., Any], *gone: str, **request: Any) -> Any:
    """Returns the answer of a call; None if it fails with one of these codes, which mean that the resource is gone."""
    try:
        return call(**request)
    except ClientError as error:
        if error.response["Error"]["Code"] in gone:
            return None
        raise


def merged(old: Any, now: Any) -> Any:
    """Returns a value that AWS has now, without parts that are empty or 0 and that the old value does not have."""
    if isinstance(now, dict):
        parts = old if isinstance(old, dict) else {}
        return {
            key: merged(parts.get(key), value)
            for key, value in now.items()
            if key in parts or value or value is False
        }
    if isinstance(now, list) and isinstance(old, list) and len(now) == len(old):
        return [merged(*parts) for parts in zip(old, now, strict=True)]
    return now


def _pulumi_names(value: Any) -> Any:
    """Converts AWS's PascalCase keys to Pulumi's camelCase, including nested keys."""
    if isinstance(value, dict):
        return {key[0].lower() + key[1:]: _pulumi_names(part) for key, part in value.items()}
    return [_pulumi_names(part) for part in value] if isinstance(value, list) else value


def _leftover(changed: Properties) -> None:
    if changed:
        raise NotImplementedError(f"the engine tests cannot update {', '.join(sorted(changed))}")


def _tags(listed: list[dict[str, str]], key: str = "Key", value: str = "Value") -> dict[str, str]:
    return {tag[key]: tag[value] for tag in listed}


def _set_tags(
    new: Mapping[str, str] | None,
    old: Mapping[str, str],
    add: Callable[[dict[str, str]], object],
    remove: Callable[[list[str]], object],
) -> None:
    new = new or {}
    if added := {key: value for key, value in new.items() if old.get(key) != value}:
        add(added)
    if removed := sorted(old.keys() - new.keys()):
        remove(removed)


def _update_listed_tags(
    changed: Properties,
    read: Callable[..., Any],
    add: Callable[..., Any],
    remove: Callable[..., Any],
    **resource: str,
) -> None:
    """Updates the tags of a service whose calls represent tags as a list.

    The member names start with a lower-case letter if those that identify the resource do.
    """
    if "tags" not in changed:
        return
    lower = next(iter(resource))[0].islower()
    tags, key, value, tag_keys = (
        ("tags", "key", "value", "tagKeys") if lower else ("Tags", "Key", "Value", "TagKeys")
    )
    _set_tags(
        changed.pop("tags"),
        _tags(read(**resource)[tags], key, value),
        lambda added: add(**resource, **{tags: [{key: name, value: text} for name, text in added.items()]}),
        lambda removed: remove(**resource, **{tag_keys: removed}),
    )


# DynamoDB


def _read_table(cloud: Cloud, id_: str, old: Properties) -> Properties | None:
    dynamodb = cloud.client("dynamodb")
    answer = _answer(dynamodb.describe_table, "ResourceNotFoundException", TableName=id_)
    if answer is None:
        return None
    table = answer["Table"]
    expiry = dynamodb.describe_time_to_live(TableName=id_)["TimeToLiveDescription"]
    backups = dynamodb.describe_continuous_backups(TableName=id_)["ContinuousBackupsDescription"]
    recovery = backups["PointInTimeRecoveryDescription"]["PointInTimeRecoveryStatus"]
    encryption = table.get("SSEDescription", {})
    key = encryption.get("KMSMasterKeyArn", "")
    attributes = {(each["AttributeName"], each["AttributeType"]) for each in table["AttributeDefinitions"]}
    found: Properties = {
        "name": table["TableName"],
        "billingMode": table.get("BillingModeSummary", {}).get("BillingMode", "PROVISIONED"),
        "deletionProtectionEnabled": table.get("DeletionProtectionEnabled", False),
        "ttl": {
            "attributeName": expiry.get("AttributeName", ""),
            "enabled": expiry["TimeToLiveStatus"] == "ENABLED",
        },
        "pointInTimeRecovery": {"enabled": recovery == "ENABLED"},
        "serverSideEncryption": {
            "enabled": encryption.get("Status") == "ENABLED",
            "kmsKeyArn": "" if key.endswith("alias/aws/dynamodb") else key,
        },
        "attributes": _in_old_order(
            old.get("attributes", []), [{"name": name, "type": kind} for name, kind in sorted(attributes)]
        ),
        "globalSecondaryIndexes": [
            {
                "name": index["IndexName"],
                "keySchemas": _pulumi_names(index["KeySchema"]),
                "projectionType": index["Projection"]["ProjectionType"],
                "nonKeyAttributes": index["Projection"].get("NonKeyAttributes", []),
            }
            for index in table.get("GlobalSecondaryIndexes", [])
        ],
    }
    if "tags" in old:
        found["tags"] = _tags(dynamodb.list_tags_of_resource(ResourceArn=table["TableArn"])["Tags"])
    return found


def _in_old_order(old: list[Any], now: list[Any]) -> list[Any]:
    """Returns the old list if both have the same members: AWS does not keep their order."""
    texts = [sorted(json.dumps(each, sort_keys=True) for each in members) for members in (old, now)]
    return old if texts[0] == texts[1] else now


def _update_table(cloud: Cloud, id_: str, changed: Properties, _new: Properties) -> None:
    dynamodb = cloud.client("dynamodb")
    arn = dynamodb.describe_table(TableName=id_)["Table"]["TableArn"]
    if "deletionProtectionEnabled" in changed:
        enabled = bool(changed.pop("deletionProtectionEnabled"))
        dynamodb.update_table(TableName=id_, DeletionProtectionEnabled=enabled)
    if "ttl" in changed:
        ttl = changed.pop("ttl")
        dynamodb.update_time_to_live(
            TableName=id_,
            TimeToLiveSpecification={
                "Enabled": ttl["enabled"],
                "AttributeName": ttl.get("attributeName", "expires_at"),
            },
        )
    if "pointInTimeRecovery" in changed:
        enabled = changed.pop("pointInTimeRecovery")["enabled"]
        dynamodb.update_continuous_backups(
            TableName=id_, PointInTimeRecoverySpecification={"PointInTimeRecoveryEnabled": enabled}
        )
    if "serverSideEncryption" in changed:
        key = changed.pop("serverSideEncryption").get("kmsKeyArn")
        specification = {"Enabled": True, "SSEType": "KMS", **({"KMSMasterKeyId": key} if key else {})}
        dynamodb.update_table(TableName=id_, SSESpecification=specification)
    _update_listed_tags(
        changed,
        dynamodb.list_tags_of_resource,
        dynamodb.tag_resource,
        dynamodb.untag_resource,
        ResourceArn=arn,
    )
    _leftover(changed)


def _delete_table(cloud: Cloud, id_: str, _old: Properties) -> None:
    cloud.client("dynamodb").delete_table(TableName=id_)


# Kinesis


def _read_stream(cloud: Cloud, id_: str, old: Properties) -> Properties | None:
    kinesis = cloud.client("kinesis")
    name = id_.rpartition("/")[2]
    answer = _answer(kinesis.describe_stream_summary, "ResourceNotFoundException", StreamName=name)
    if answer is None:
        return None
    stream = answer["StreamDescriptionSummary"]
    mode = stream["StreamModeDetails"]
    found: Properties = {
        "name": stream["StreamName"],
        "retentionPeriod": stream["RetentionPeriodHours"],
        "encryptionType": stream.get("EncryptionType", "NONE"),
        "kmsKeyId": stream.get("KeyId", ""),
    }
    # The emulator cannot change the mode.
    if "streamModeDetails" not in old or mode["StreamMode"] == old["streamModeDetails"]["streamMode"]:
        found |= {"streamModeDetails": _pulumi_names(mode)}
    if mode["StreamMode"] == "PROVISIONED" and "shardCount" in old:
        found["shardCount"] = stream["OpenShardCount"]
    if "tags" in old:
        found["tags"] = _tags(kinesis.list_tags_for_stream(StreamName=name)["Tags"])
    return found


def _update_stream(cloud: Cloud, id_: str, changed: Properties, _new: Properties) -> None:
    kinesis = cloud.client("kinesis")
    name = id_.rpartition("/")[2]
    if "streamModeDetails" in changed:
        mode = changed.pop("streamModeDetails")["streamMode"]
        # The emulator lacks this call.
        mode_request = {"StreamARN": id_, "StreamModeDetails": {"StreamMode": mode}}
        _answer(kinesis.update_stream_mode, "InvalidAction", **mode_request)
    if count := changed.pop("shardCount", None):
        kinesis.update_shard_count(StreamName=name, TargetShardCount=count, ScalingType="UNIFORM_SCALING")
    if "retentionPeriod" in changed:
        hours = changed.pop("retentionPeriod")
        summary = kinesis.describe_stream_summary(StreamName=name)["StreamDescriptionSummary"]
        longer = hours > summary["RetentionPeriodHours"]
        change = (
            kinesis.increase_stream_retention_period if longer else kinesis.decrease_stream_retention_period
        )
        change(StreamName=name, RetentionPeriodHours=hours)
    if "kmsKeyId" in changed:
        key = changed.pop("kmsKeyId")
        kinesis.start_stream_encryption(StreamName=name, EncryptionType="KMS", KeyId=key)
    if "tags" in changed:
        _set_tags(
            changed.pop("tags"),
            _tags(kinesis.list_tags_for_stream(StreamName=name)["Tags"]),
            lambda tags: kinesis.add_tags_to_stream(StreamName=name, Tags=tags),
            lambda keys: kinesis.remove_tags_from_stream(StreamName=name, TagKeys=keys),
        )
    _leftover(changed)


def _delete_stream(cloud: Cloud, id_: str, _old: Properties) -> None:
    cloud.client("kinesis").delete_stream(StreamName=id_.rpartition("/")[2], EnforceConsumerDeletion=True)


# SQS


def _read_queue(cloud: Cloud, id_: str, old: Properties) -> Properties | None:
    sqs = cloud.client("sqs")
    answer = _answer(
        sqs.get_queue_attributes,
        "AWS.SimpleQueueService.NonExistentQueue",
        "QueueDoesNotExist",
        QueueUrl=id_,
        AttributeNames=["All"],
    )
    if answer is None:
        return None
    attributes = answer["Attributes"]
    found: Properties = {}
    for argument, attribute in QUEUE_ATTRIBUTES.items():
        if argument in old:
            value = attributes.get(attribute, "")
            found[argument] = (
                type(old[argument])(value or 0) if not isinstance(old[argument], (bool, str)) else value
            )
            if isinstance(old[argument], bool):
                found[argument] = value == "true"
    if "tags" in old:
        found["tags"] = sqs.list_queue_tags(QueueUrl=id_).get("Tags", {})
    return found


def _update_queue(cloud: Cloud, id_: str, changed: Properties, _new: Properties) -> None:
    sqs = cloud.client("sqs")
    attributes = {}
    for argument in [argument for argument in changed if argument in QUEUE_ATTRIBUTES]:
        value = changed.pop(argument)
        attributes[QUEUE_ATTRIBUTES[argument]] = value if isinstance(value, str) else json.dumps(value)
    if attributes:
        sqs.set_queue_attributes(
            QueueUrl=id_,
            Attributes={name: "" if value == "null" else value for name, value in attributes.items()},
        )
    if "tags" in changed:
        _set_tags(
            changed.pop("tags"),
            sqs.list_queue_tags(QueueUrl=id_).get("Tags", {}),
            lambda tags: sqs.tag_queue(QueueUrl=id_, Tags=tags),
            lambda keys: sqs.untag_queue(QueueUrl=id_, TagKeys=keys),
        )
    _leftover(changed)


def _delete_queue(cloud: Cloud, id_: str, _old: Properties) -> None:
    cloud.client("sqs").delete_queue(QueueUrl=id_)


# IAM


def _document(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False) if isinstance(value, dict) else str(value)


def _same_document(old: str, now: Any) -> str:
    """Returns the old text if both documents are equal as JSON: AWS does not keep white space."""
    return (
        old
        if old and json.loads(old) == (now if isinstance(now, dict) else json.loads(now))
        else _document(now)
    )


def _read_role(cloud: Cloud, id_: str, old: Properties) -> Properties | None:
    answer = _answer(cloud.client("iam").get_role, "NoSuchEntity", RoleName=id_)
    if answer is None:
        return None
    role = answer["Role"]
    found: Properties = {
        "name": role["RoleName"],
        "assumeRolePolicy": _same_document(old.get("assumeRolePolicy", ""), role["AssumeRolePolicyDocument"]),
    }
    found |= {
        "description": role.get("Description", ""),
        "maxSessionDuration": role.get("MaxSessionDuration", 3600) % 3600,
        "permissionsBoundary": role.get("PermissionsBoundary", {}).get("PermissionsBoundaryArn", ""),
    }
    if "tags" in old:
        found["tags"] = _tags(cloud.client("iam").list_role_tags(RoleName=id_)["Tags"])
    return found


def _update_role(cloud: Cloud, id_: str, changed: Properties, _new: Properties) -> None:
    iam = cloud.client("iam")
    if "assumeRolePolicy" in changed:
        iam.update_assume_role_policy(RoleName=id_, PolicyDocument=_document(changed.pop("assumeRolePolicy")))
    if "permissionsBoundary" in changed:
        boundary = changed.pop("permissionsBoundary")
        if boundary:
            iam.put_role_permissions_boundary(RoleName=id_, PermissionsBoundary=boundary)
        else:
            iam.delete_role_permissions_boundary(RoleName=id_)
    _update_listed_tags(changed, iam.list_role_tags, iam.tag_role, iam.untag_role, RoleName=id_)
    _leftover(changed)


def _delete_role(cloud: Cloud, id_: str, _old: Properties) -> None:
    cloud.client("iam").delete_role(RoleName=id_)


def _read_role_policy(cloud: Cloud, id_: str, old: Properties) -> Properties | None:
    role, name = id_.split(":", 1)
    answer = _answer(cloud.client("iam").get_role_policy, "NoSuchEntity", RoleName=role, PolicyName=name)
    if answer is None:
        return None
    document = answer["PolicyDocument"]
    return {"policy": _same_document(old.get("policy", ""), document)}


def _update_role_policy(cloud: Cloud, id_: str, changed: Properties, _new: Properties) -> None:
    role, name = id_.split(":", 1)
    if "policy" in changed:
        policy = _document(changed.pop("policy"))
        cloud.client("iam").put_role_policy(RoleName=role, PolicyName=name, PolicyDocument=policy)
    _leftover(changed)


def _delete_role_policy(cloud: Cloud, id_: str, _old: Properties) -> None:
    role, name = id_.split(":", 1)
    cloud.client("iam").delete_role_policy(RoleName=role, PolicyName=name)


# CloudWatch Logs


def _read_log_group(cloud: Cloud, id_: str, old: Properties) -> Properties | None:
    logs = cloud.client("logs")
    groups = logs.describe_log_groups(logGroupNamePrefix=id_)["logGroups"]
    group = next((group for group in groups if group["logGroupName"] == id_), None)
    if group is None:
        return None
    found: Properties = {
        "name": id_,
        "retentionInDays": group.get("retentionInDays", 0),
        "kmsKeyId": group.get("kmsKeyId", ""),
    }
    if "tags" in old:
        found["tags"] = logs.list_tags_log_group(logGroupName=id_)["tags"]
    return found


def _update_log_group(cloud: Cloud, id_: str, changed: Properties, _new: Properties) -> None:
    logs = cloud.client("logs")
    if "retentionInDays" in changed:
        logs.put_retention_policy(logGroupName=id_, retentionInDays=changed.pop("retentionInDays"))
    if "tags" in changed:
        _set_tags(
            changed.pop("tags"),
            logs.list_tags_log_group(logGroupName=id_)["tags"],
            lambda tags: logs.tag_log_group(logGroupName=id_, tags=tags),
            lambda keys: logs.untag_log_group(logGroupName=id_, tags=keys),
        )
    _leftover(changed)


def _delete_log_group(cloud: Cloud, id_: str, _old: Properties) -> None:
    cloud.client("logs").delete_log_group(logGroupName=id_)


# Step Functions


def _logging(configuration: Mapping[str, Any]) -> Properties:
    return {
        "level": configuration["level"],
        "includeExecutionData": configuration["includeExecutionData"],
        "destinations": [{"cloudWatchLogsLogGroup": {"logGroupArn": configuration["logDestination"]}}],
    }


def _read_state_machine(cloud: Cloud, id_: str, old: Properties) -> Properties | None:
    states = cloud.client("stepfunctions")
    answer = _answer(states.describe_state_machine, "StateMachineDoesNotExist", stateMachineArn=id_)
    if answer is None:
        return None
    machine = answer
    found: Properties = {
        "name": machine["name"],
        "definition": _same_document(old.get("definition", ""), machine["definition"]),
        "roleArn": machine["roleArn"],
        "type": machine["type"],
    }
    logs = machine.get("loggingConfiguration", {})
    groups = [each["cloudWatchLogsLogGroup"]["logGroupArn"] for each in logs.get("destinations", [])]
    found["loggingConfiguration"] = {
        "level": logs.get("level", "OFF"),
        "includeExecutionData": logs.get("includeExecutionData", False),
        "logDestination": groups[0] if groups else "",
    }
    if "tags" in old:
        found["tags"] = _tags(states.list_tags_for_resource(resourceArn=id_)["tags"], "key", "value")
    return found


def _update_state_machine(cloud: Cloud, id_: str, changed: Properties, _new: Properties) -> None:
    states = cloud.client("stepfunctions")
    request: Properties = {key: changed.pop(key) for key in ("definition", "roleArn") if key in changed}
    if "loggingConfiguration" in changed:
        request["loggingConfiguration"] = _logging(changed.pop("loggingConfiguration"))
    if request:
        states.update_state_machine(stateMachineArn=id_, **request)
    _update_listed_tags(
        changed, states.list_tags_for_resource, states.tag_resource, states.untag_resource, resourceArn=id_
    )
    _leftover(changed)


def _delete_state_machine(cloud: Cloud, id_: str, _old: Properties) -> None:
    cloud.client("stepfunctions").delete_state_machine(stateMachineArn=id_)


# EventBridge Pipes


def _api_names(value: Any) -> Any:
    if isinstance(value, dict):
        names = {key: "includeExecutionData" if key == "includeExecutionDatas" else key for key in value}
        return {names[key][0].upper() + names[key][1:]: _api_names(part) for key, part in value.items()}
    return [_api_names(part) for part in value] if isinstance(value, list) else value


def _read_pipe(cloud: Cloud, id_: str, old: Properties) -> Properties | None:
    answer = _answer(cloud.client("pipes").describe_pipe, "NotFoundException", Name=id_)
    if answer is None:
        return None
    pipe = {**cloud.sent.get(id_, {}), **answer}
    arguments = (
        *("Description", "DesiredState", "Enrichment", "EnrichmentParameters", "KmsKeyIdentifier"),
        *("LogConfiguration", "Name", "RoleArn", "Source", "SourceParameters", "Target", "TargetParameters"),
    )
    found: Properties = _pulumi_names({key: pipe.get(key, "") for key in arguments})
    if logs := found["logConfiguration"]:
        logs["includeExecutionDatas"] = logs.pop("includeExecutionData", [])
    if kinesis := (found["sourceParameters"] or {}).get("kinesisStreamParameters"):
        # It cannot be changed, so a change of the other parameters leaves it out.
        position = old.get("sourceParameters", {}).get("kinesisStreamParameters", {}).get("startingPosition")
        kinesis.setdefault("startingPosition", position)
    if found["desiredState"] == "RUNNING":  # the default
        del found["desiredState"]
    if "tags" in old:
        found["tags"] = pipe.get("Tags", {})
    return found


UPDATABLE_SOURCE_PARAMETERS = frozenset(
    {
        *("batchSize", "deadLetterConfig", "maximumBatchingWindowInSeconds", "maximumRecordAgeInSeconds"),
        *("maximumRetryAttempts", "onPartialBatchItemFailure", "parallelizationFactor"),
    }
)
"""Members of UpdatePipeSourceKinesisStreamParameters; a starting position can be given at creation only."""


def _update_pipe(cloud: Cloud, id_: str, changed: Properties, new: Properties) -> None:
    pipes = cloud.client("pipes")
    tags = changed.pop("tags", None) if "tags" in changed else new.get("tags")
    request: Properties = {"RoleArn": new["roleArn"]}
    changed.pop("roleArn", None)
    for key in ("target", "targetParameters", "description"):
        if key in changed:
            request[key[0].upper() + key[1:]] = _api_names(changed.pop(key))
    if "desiredState" in changed:
        request["DesiredState"] = changed.pop("desiredState") or "RUNNING"
    if "sourceParameters" in changed:
        source = changed.pop("sourceParameters")
        kinesis = {
            key: value
            for key, value in source.get("kinesisStreamParameters", {}).items()
            if key in UPDATABLE_SOURCE_PARAMETERS
        }
        request["SourceParameters"] = _api_names({**source, "kinesisStreamParameters": kinesis})
    if "logConfiguration" in changed:
        request["LogConfiguration"] = _api_names(changed.pop("logConfiguration"))
    pipe = pipes.update_pipe(Name=id_, **request)
    if tags:
        pipes.tag_resource(resourceArn=pipe["Arn"], tags=tags)
    _leftover(changed)


def _delete_pipe(cloud: Cloud, id_: str, _old: Properties) -> None:
    cloud.client("pipes").delete_pipe(Name=id_)


# CloudWatch


def _read_alarm(cloud: Cloud, id_: str, old: Properties) -> Properties | None:
    cloudwatch = cloud.client("cloudwatch")
    alarms = cloudwatch.describe_alarms(AlarmNames=[id_])["MetricAlarms"]
    if not alarms:
        return None
    alarm = alarms[0]
    keys = (
        *("AlarmActions", "AlarmDescription", "ComparisonOperator", "DatapointsToAlarm"),
        *("EvaluationPeriods", "InsufficientDataActions", "Threshold", "TreatMissingData"),
    )
    found: Properties = {"name": id_, **_pulumi_names({key: alarm.get(key, "") for key in keys})}
    found["okActions"] = alarm["OKActions"]
    if not alarm["ActionsEnabled"]:
        found["actionsEnabled"] = False
    sent = cloud.sent.get(id_, {})
    if "Metrics" in sent:
        found["metricQueries"] = [_read_query(query) for query in sent["Metrics"]]
        found["thresholdMetricId"] = sent.get("ThresholdMetricId", "")
    else:
        metric = ("MetricName", "Namespace", "Period", "Statistic")
        found |= _pulumi_names({key: alarm.get(key, "") for key in metric})
        found["dimensions"] = _tags(alarm["Dimensions"], "Name")
    if "tags" in old:
        arn = alarms[0]["AlarmArn"]
        found["tags"] = _tags(cloudwatch.list_tags_for_resource(ResourceARN=arn)["Tags"])
    return found


def _read_query(query: Properties) -> Properties:
    found: Properties = _pulumi_names({key: value for key, value in query.items() if key != "MetricStat"})
    if stat := query.get("MetricStat"):
        metric = stat["Metric"]
        found["metric"] = {
            **_pulumi_names({key: value for key, value in metric.items() if key != "Dimensions"}),
            "dimensions": _tags(metric.get("Dimensions", []), "Name"),
            "period": stat["Period"],
            "stat": stat["Stat"],
        }
    return found


def _update_alarm(cloud: Cloud, id_: str, changed: Properties, new: Properties) -> None:
    cloudwatch = cloud.client("cloudwatch")
    if "tags" in changed:
        arn = cloudwatch.describe_alarms(AlarmNames=[id_])["MetricAlarms"][0]["AlarmArn"]
        _update_listed_tags(
            changed,
            cloudwatch.list_tags_for_resource,
            cloudwatch.tag_resource,
            cloudwatch.untag_resource,
            ResourceARN=arn,
        )
    if changed:  # PutMetricAlarm replaces all settings except the tags
        given = {key: value for key, value in new.items() if key not in ("name", "tags")}
        CREATORS[METRIC_ALARM](cloud.emulator, id_, copy.deepcopy(given))


def _delete_alarm(cloud: Cloud, id_: str, _old: Properties) -> None:
    cloud.client("cloudwatch").delete_alarms(AlarmNames=[id_])


def _read_dashboard(cloud: Cloud, id_: str, old: Properties) -> Properties | None:
    answer = _answer(
        cloud.client("cloudwatch").get_dashboard,
        *("DashboardNotFoundError", "ResourceNotFound"),
        DashboardName=id_,
    )
    if answer is None:
        return None
    return {"dashboardBody": _same_document(old.get("dashboardBody", ""), answer["DashboardBody"])}


def _update_dashboard(cloud: Cloud, id_: str, changed: Properties, new: Properties) -> None:
    del changed["dashboardBody"]
    cloud.client("cloudwatch").put_dashboard(DashboardName=id_, DashboardBody=new["dashboardBody"])
    _leftover(changed)


def _delete_dashboard(cloud: Cloud, id_: str, _old: Properties) -> None:
    cloud.client("cloudwatch").delete_dashboards(DashboardNames=[id_])


# SNS


def _topic_attributes(cloud: Cloud, arn: str) -> dict[str, str] | None:
    answer = _answer(cloud.client("sns").get_topic_attributes, "NotFound", TopicArn=arn)
    return None if answer is None else answer["Attributes"]


def _read_topic(cloud: Cloud, id_: str, old: Properties) -> Properties | None:
    attributes = _topic_attributes(cloud, id_)
    if attributes is None:
        return None
    found: Properties = {
        argument: attributes.get(attribute, "")
        for argument, attribute in TOPIC_ATTRIBUTES.items()
        if argument in old
    }
    if "tags" in old:
        found["tags"] = _tags(cloud.client("sns").list_tags_for_resource(ResourceArn=id_)["Tags"])
    return found


def _update_topic(cloud: Cloud, id_: str, changed: Properties, _new: Properties) -> None:
    sns = cloud.client("sns")
    for argument in [argument for argument in changed if argument in TOPIC_ATTRIBUTES]:
        value = changed.pop(argument) or ""
        sns.set_topic_attributes(TopicArn=id_, AttributeName=TOPIC_ATTRIBUTES[argument], AttributeValue=value)
    _update_listed_tags(
        changed, sns.list_tags_for_resource, sns.tag_resource, sns.untag_resource, ResourceArn=id_
    )
    _leftover(changed)


def _delete_topic(cloud: Cloud, id_: str, _old: Properties) -> None:
    cloud.client("sns").delete_topic(TopicArn=id_)


def _read_topic_policy(cloud: Cloud, id_: str, old: Properties) -> Properties | None:
    attributes = _topic_attributes(cloud, id_)
    if attributes is None:
        return None
    return {"policy": _same_document(old.get("policy", ""), attributes["Policy"])}


def _update_topic_policy(cloud: Cloud, id_: str, changed: Properties, _new: Properties) -> None:
    policy = _document(changed.pop("policy"))
    cloud.client("sns").set_topic_attributes(TopicArn=id_, AttributeName="Policy", AttributeValue=policy)
    _leftover(changed)


def _delete_topic_policy(cloud: Cloud, id_: str, _old: Properties) -> None:
    """Does nothing. The provider restores the default policy, which is deleted with the topic."""


def _read_subscription(cloud: Cloud, id_: str, _old: Properties) -> Properties | None:
    sns = cloud.client("sns")
    answer = _answer(sns.get_subscription_attributes, "NotFound", SubscriptionArn=id_)
    if answer is None:
        return None
    attributes = answer["Attributes"]
    return {
        "endpoint": attributes["Endpoint"],
        "protocol": attributes["Protocol"],
        "topic": attributes["TopicArn"],
        "filterPolicy": attributes.get("FilterPolicy", ""),
    }


def _update_subscription(_cloud: Cloud, _id: str, changed: Properties, _new: Properties) -> None:
    _leftover(changed)


def _delete_subscription(cloud: Cloud, id_: str, _old: Properties) -> None:
    cloud.client("sns").unsubscribe(SubscriptionArn=id_)


# Amazon Connect, which the emulator lacks


def _read_connect(cloud: Cloud, id_: str, _old: Properties) -> Properties | None:
    return cloud.connect.get(id_)


def _update_connect(cloud: Cloud, id_: str, _changed: Properties, new: Properties) -> None:
    cloud.connect[id_] = {**cloud.connect[id_], **new}


def _delete_connect(cloud: Cloud, id_: str, _old: Properties) -> None:
    del cloud.connect[id_]


RESOURCES: Mapping[str, Resource] = {
    TABLE: Resource(_read_table, _update_table, _delete_table),
    STREAM: Resource(_read_stream, _update_stream, _delete_stream),
    QUEUE: Resource(_read_queue, _update_queue, _delete_queue),
    ROLE: Resource(_read_role, _update_role, _delete_role),
    ROLE_POLICY: Resource(_read_role_policy, _update_role_policy, _delete_role_policy),
    LOG_GROUP: Resource(_read_log_group, _update_log_group, _delete_log_group),
    STATE_MACHINE: Resource(_read_state_machine, _update_state_machine, _delete_state_machine),
    PIPE: Resource(_read_pipe, _update_pipe, _delete_pipe),
    METRIC_ALARM: Resource(_read_alarm, _update_alarm, _delete_alarm),
    DASHBOARD: Resource(_read_dashboard, _update_dashboard, _delete_dashboard),
    TOPIC: Resource(_read_topic, _update_topic, _delete_topic),
    TOPIC_POLICY: Resource(_read_topic_policy, _update_topic_policy, _delete_topic_policy),
    TOPIC_SUBSCRIPTION: Resource(_read_subscription, _update_subscription, _delete_subscription),
    **dict.fromkeys(
        CONNECT,
        Resource(_read_connect, _update_connect, _delete_connect),
    ),
}
