"""Options of the components: name, type, default, limits and description, each defined once.

Stack configuration, the README tables, the Pulumi package schema and the deployment roles are all derived from these
classes.
"""

# option() calls dataclasses.field(), so it does not return a mutable default.
# ruff: noqa: RUF009

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pulumi

from callroute.aws.pipe import BATCH_BYTES, CONTINUED_CALLS, INITIATION_METHODS, TRACKED_METHODS
from callroute.aws.utc_offsets import time_zones
from callroute.errors import InputError
from callroute.flows.block_types import DEFAULT_TYPE, FLOW_TYPES, KINDS, MODULE
from callroute.flows.flow import CONTENT_CHARACTERS

from .constraints import (
    Constraint,
    Problem,
    between,
    characters,
    matching,
    one_of,
    option,
    shown,
    suggestion,
    validate,
)

# A contact record takes 2,000 to 4,000 bytes, and the pipe's input template adds about 150. At this average size, the
# largest batch still fits in one request. Larger records (attributes can take up to 32 KB) are balanced by smaller ones in
# the same batch: with the default of 10 records, each can take 26,000 bytes. The pipe halves a batch that does not fit.
RECORD_BYTES = 5_000

# Retention periods that CloudWatch Logs accepts, except 0 (forever). Source: pulumi_aws.cloudwatch.LogGroup.
LOG_RETENTION_DAYS = (
    *(1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731),
    *(1096, 1827, 2192, 2557, 2922, 3288, 3653),
)

# Source: Tag naming limits and requirements, Tagging AWS Resources User Guide.
TAGS = 50
_TAG_KEY = re.compile(r"(?!aws:)[\w .:/=+@-]{1,128}")
_TAG_VALUE = re.compile(r"[\w .:/=+@-]{0,256}")

# Limits of CreateContactFlow (docs/fidelity.md).
_NAME_CHARACTERS = 127
_DESCRIPTION_CHARACTERS = 500

_UUID = r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
_UUID_EXAMPLE = "00000000-0000-0000-0000-000000000000"
_ENDLESS_RETRIES = "Without a limit, a single failing record would block its shard."


def _arn(service: str, resource: str) -> str:
    """Returns a regular expression for the ARNs of a regional resource."""
    return rf"arn:aws[a-z-]*:{service}:[a-z0-9-]+:\d{{12}}:{resource}"


def _fix_tags(tags: Mapping[str, str]) -> str:
    wrong = [key for key, value in tags.items() if not _is_tag(key, value)]
    return f"Change {', '.join(map(repr, wrong))}." if wrong else f"There are {len(tags)} tags: remove some."


def _is_tag(key: str, value: str) -> bool:
    return bool(_TAG_KEY.fullmatch(key) and _TAG_VALUE.fullmatch(value))


_CONNECT_INSTANCE = matching(
    rf"({_arn('connect', 'instance/')})?{_UUID}",
    "the ID or ARN of an Amazon Connect instance",
    "Copy the ARN from the instance's overview in the Connect console; the ID is its last part.",
    _UUID_EXAMPLE,
)
_PHONE_NUMBER_ID = matching(
    _UUID,
    "the ID of a claimed phone number",
    "Copy the ID from `aws connect list-phone-numbers-v2`; it is not the phone number itself.",
    _UUID_EXAMPLE,
)
_TIME_ZONE = Constraint(
    "an IANA time zone",
    lambda value: value in time_zones(),
    lambda value: suggestion(value, time_zones()) or "Choose a name from the IANA time zone database.",
    "Asia/Tokyo",
)
_COUNTRY_CODE = matching(
    "[1-9][0-9]{0,2}",
    "1 to 3 digits",
    "Enter the country calling code without + or leading zeros.",
    "81",
)
_TRUNK_PREFIX = matching(
    "[0-9]{0,3}", "0 to 3 digits", "Enter the digits that are dialed before a national number.", "0"
)
_SALT = matching("(?s:.{16,})", "16 or more characters", "Generate one with `openssl rand -hex 32`.")
_TABLE_NAME = matching(
    "[a-zA-Z0-9_.-]{3,255}",
    "3 to 255 letters, digits, `_`, `.` and `-`",
    "Choose a name that DynamoDB accepts.",
)
_STREAM_ARN = matching(
    _arn("kinesis", "stream/[a-zA-Z0-9_.-]{1,128}"),
    "the ARN of a Kinesis data stream",
    "Copy the ARN from `aws kinesis describe-stream-summary`.",
    "arn:aws:kinesis:ap-northeast-1:111111111111:stream/NAME",
)
_KMS_KEY_ARN = matching(
    _arn("kms", "key/[a-zA-Z0-9-]+"),
    "the ARN of a KMS key",
    "Copy the ARN of the key; IAM policies do not accept aliases or plain IDs.",
    "arn:aws:kms:ap-northeast-1:111111111111:key/ID",
)
_POLICY_ARN = matching(
    r"arn:aws[a-z-]*:iam::(\d{12}|aws):policy/[\w+=,.@/-]+",
    "the ARN of a managed policy",
    "Copy the ARN from `aws iam list-policies`; an inline policy cannot be a boundary.",
    "arn:aws:iam::111111111111:policy/NAME",
)
_TOPIC_ARN = matching(
    _arn("sns", "[a-zA-Z0-9_-]{1,256}"),
    "the ARN of an SNS topic",
    "Copy the ARN from `aws sns list-topics`; FIFO topics are not supported.",
    "arn:aws:sns:ap-northeast-1:111111111111:NAME",
)
_EMAIL = matching(
    r"[^\s@]+@[^\s@]+\.[^\s@]+",
    "an email address",
    "Enter only the address, without a name.",
    "on-call@example.com",
)
_NAMESPACE = matching(
    "(?!AWS/)[0-9a-zA-Z._/#-]{1,255}",
    "1 to 255 letters, digits and `._/#-`, not starting with `AWS/`",
    "Choose a namespace that CloudWatch accepts for custom metrics.",
)
_LOG_RETENTION = Constraint(
    f"{', '.join(map(str, LOG_RETENTION_DAYS[:-1]))} or {LOG_RETENTION_DAYS[-1]} days",
    lambda value: value in LOG_RETENTION_DAYS,
    lambda value: f"The nearest value is {min(LOG_RETENTION_DAYS, key=lambda days: abs(days - value))}.",
)


def _fix_methods(methods: Sequence[str]) -> str:
    if not methods:
        return "Without one, no call would be stored."
    if continued := [each for each in methods if each in CONTINUED_CALLS]:
        return f"Remove {', '.join(continued)}: such a contact continues another one, so its call would count twice."
    if repeated := sorted({each for each in methods if methods.count(each) > 1}):
        return f"Remove the repetition of {', '.join(repeated)}."
    unknown = next(each for each in methods if each not in INITIATION_METHODS)
    return suggestion(unknown, INITIATION_METHODS) or f"Remove {unknown}."


_METHODS = Constraint(
    f"one or more of {', '.join(INITIATION_METHODS)}",
    lambda methods: 0 < len(methods) == len(set(methods)) and set(methods) <= set(INITIATION_METHODS),
    _fix_methods,
)
_TAGS = Constraint(
    f"up to {TAGS} tags; keys of 1 to 128 and values of up to 256 letters, digits, spaces and `_.:/=+-@`; no key may"
    " start with `aws:`",
    lambda tags: len(tags) <= TAGS and all(_is_tag(key, value) for key, value in tags.items()),
    _fix_tags,
)


@dataclass(frozen=True, kw_only=True)
class ContactFlowArgs:
    """Options of a contact flow or a flow module."""

    key: str = option()
    """Name of the flow's resources in Pulumi. Keep it when you rename the flow in Connect."""
    name: str = option(constraint=characters(1, _NAME_CHARACTERS))
    """Name in Connect, unique among the instance's flows or modules."""
    content: str = option(constraint=characters(1, CONTENT_CHARACTERS))
    """The flow in the Amazon Connect flow language, with all placeholders filled in."""
    type: str = option(DEFAULT_TYPE, one_of(*KINDS))
    """Type in Connect, or `MODULE` for a flow module. A change replaces the flow."""
    description: str = option("", characters(0, _DESCRIPTION_CHARACTERS))
    """Description in Connect."""
    tags: Mapping[str, str] | None = option(None, _TAGS)
    """Tags of the flow, instead of the tags of all resources. `{}` means no tags."""
    phone_number_id: str | None = option(None, _PHONE_NUMBER_ID)
    """ID of a claimed phone number whose calls start with this flow."""
    detail: bool = option(False)
    """Adds tracking that also records each stop that a caller visits, and silence, wrong keys and errors there."""

    def __post_init__(self) -> None:
        """Checks the options."""
        validate(self, f"flow {self.key!r}")

    @property
    def deployed_content(self) -> str:
        """The flow's content, with call detail added if `detail` is true."""
        return _with_detail(self.content, self.name, self.type) if self.detail else self.content

    @staticmethod
    def conflicts(values: Mapping[str, Any], spell: Callable[[str], str]) -> Iterator[Problem]:
        """Yields a problem if a module has a phone number, or if the flow cannot have detail."""
        if values.get("type") == MODULE and values.get("phone_number_id"):
            fix = "Remove it: calls start in contact flows."
            yield Problem(
                spell("phone_number_id"), shown(values["phone_number_id"]), "no value for a module", fix
            )
        if values.get("detail") and "content" in values and "name" in values:
            try:
                _with_detail(values["content"], values["name"], values.get("type", DEFAULT_TYPE))
            except InputError as error:
                fix = f"Add the detail with `callroute track --detail` and turn this option off. {error}"
                yield Problem(spell("detail"), "true", "false for this flow", fix)


def _with_detail(content: str, name: str, flow_type: str) -> str:
    # Only flows with detail need the tracking code, and its import takes as long as reading a flow.
    from callroute.flows.tracking import add_detail_to_content

    return add_detail_to_content(content, name, flow_type)


@dataclass(frozen=True, kw_only=True)
class CallRouteTrackerArgs:
    """Options of a CallRouteTracker. In stack configuration, their names are in camel case."""

    connect_instance: str = option(constraint=_CONNECT_INSTANCE)
    """ID or ARN of the Amazon Connect instance."""
    flows: Sequence[ContactFlowArgs] = option([])
    """Contact flows and modules to deploy. Leave it empty if the flows are managed elsewhere."""
    stream_contact_records: bool = option(True)
    """Sends the instance's contact records to the stream. An instance can have only one such stream."""
    tracked_initiation_methods: Sequence[str] = option([*TRACKED_METHODS], _METHODS)
    """Initiation methods of the contacts to store: by default, telephone calls and calls from apps and websites."""
    time_zone: str = option("Asia/Tokyo", _TIME_ZONE)
    """IANA time zone of `start_time`, `end_time` and `call_date`."""
    phone_number: str = option("domestic", one_of("domestic", "e164", "masked", "hashed"))
    """Format of callers' numbers: national format, E.164, last 4 digits, or SHA-256 of the salt and the E.164 number."""
    country_code: str = option("81", _COUNTRY_CODE)
    """Calling code of the country whose numbers `domestic` shortens."""
    trunk_prefix: str = option("0", _TRUNK_PREFIX)
    """Digits that replace `+` and the country code in the format `domestic`."""
    phone_number_salt: pulumi.Input[str] | None = option(None, _SALT, secret=True)
    """Salt for hashed phone numbers. Required for the format `hashed`."""
    retention_days: int = option(
        0, between(0, 36_500, "days", "Use 0 to keep records forever, or a number of days.")
    )
    """Days after which DynamoDB deletes a record. 0 keeps records forever."""
    table_name: str = option("call-records", _TABLE_NAME)
    """Name of the table."""
    stream_arn: pulumi.Input[str] | None = option(None, _STREAM_ARN)
    """ARN of an existing Kinesis data stream to read from. By default, a new stream is created."""
    stream_kms_key_arn: pulumi.Input[str] | None = option(None, _KMS_KEY_ARN)
    """ARN of the customer managed key of the existing stream, if it has one."""
    stream_mode: str = option("PROVISIONED", one_of("PROVISIONED", "ON_DEMAND"))
    """Capacity mode of the new stream."""
    shard_count: int = option(
        1,
        between(1, 200, "shards", "One shard accepts 1,000 records per second. Not used with ON_DEMAND."),
    )
    """Number of shards of the new stream, if it is provisioned. Each accepts 1,000 records per second."""
    stream_retention_hours: int = option(
        24, between(24, 8_760, "hours", "Kinesis keeps records for one day to one year.")
    )
    """Number of hours that the stream keeps records. For an existing stream, enter its retention period."""
    batch_size: int = option(
        10,
        between(
            1,
            BATCH_BYTES // RECORD_BYTES,
            "records",
            f"A batch must fit in {BATCH_BYTES:,} bytes, and a contact record takes up to {RECORD_BYTES:,}.",
        ),
    )
    """Maximum number of contact records per batch."""
    batching_window_seconds: int = option(
        5, between(0, 300, "seconds", "Contact records wait this long for a full batch.")
    )
    """Maximum number of seconds that the pipe waits for a full batch."""
    parallelization_factor: int = option(
        1, between(1, 10, "batches", "The pipe processes this many batches from each shard at the same time.")
    )
    """Number of batches from one shard that are processed at the same time. Records for the same contact stay in order."""
    maximum_retry_attempts: int = option(25, between(0, 10_000, "attempts", _ENDLESS_RETRIES))
    """Number of retries before a failing batch is sent to the dead-letter queue."""
    maximum_record_age_seconds: int = option(43_200, between(60, 604_800, "seconds", _ENDLESS_RETRIES))
    """Age in seconds at which a record is sent to the dead-letter queue. Must be below the stream's retention period."""
    kms_key_arn: pulumi.Input[str] | None = option(None, _KMS_KEY_ARN)
    """ARN of a customer managed key for the table, stream, queues and topic. By default, AWS managed keys are used."""
    permissions_boundary_arn: pulumi.Input[str] | None = option(None, _POLICY_ARN)
    """ARN of a managed policy that limits the permissions of the two roles."""
    log_retention_days: int = option(30, _LOG_RETENTION)
    """Number of days that the logs of the state machine and the pipe are kept."""
    alarms: bool = option(True)
    """Creates CloudWatch alarms for the pipeline."""
    alarm_topic_arn: pulumi.Input[str] | None = option(None, _TOPIC_ARN)
    """ARN of an existing SNS topic that receives the alarms. By default, a new topic is created."""
    alarm_email: str | None = option(None, _EMAIL)
    """Email address that is subscribed to the new topic. Its owner must confirm the subscription."""
    alarm_after_hours_without_calls: int = option(
        0, between(0, 168, "hours", "Use 0 for no such alarm, or a number of hours up to one week.")
    )
    """Hours without a recorded call after which an alarm goes off. 0 means no alarm."""
    dashboard: bool = option(True)
    """Creates a CloudWatch dashboard for the pipeline."""
    metrics: bool = option(False)
    """Publishes CloudWatch metrics of calls and drop-offs, which AWS charges for."""
    metrics_namespace: str = option("CallRoute", _NAMESPACE)
    """CloudWatch namespace of these metrics."""
    protect_data: bool = option(True)
    """Protects the table, stream and queues from deletion."""
    tags: Mapping[str, str] = option({}, _TAGS)
    """Tags for all resources that support tags. Stack configuration adds `project` and `stack`."""

    def __post_init__(self) -> None:
        """Checks the options."""
        validate(self)

    @property
    def connect_instance_id(self) -> str:
        """ID of the Amazon Connect instance."""
        return self.connect_instance.rpartition("/")[2]

    @property
    def phone_number_ids(self) -> list[str]:
        """IDs of the phone numbers whose calls start with one of the flows."""
        return [flow.phone_number_id for flow in self.flows if flow.phone_number_id]

    @property
    def has_modules(self) -> bool:
        """True if the stack deploys modules."""
        return any(flow.type == MODULE for flow in self.flows)

    @staticmethod
    def conflicts(values: Mapping[str, Any], spell: Callable[[str], str]) -> Iterator[Problem]:
        """Checks options that depend on each other.

        Args:
            values: values by option name, excluding options that are invalid on their own.
            spell: returns an option's name as the user writes it.
        """
        if {"maximum_record_age_seconds", "stream_retention_hours"} <= values.keys():
            age, hours = values["maximum_record_age_seconds"], values["stream_retention_hours"]
            # Otherwise, a record could leave the stream before the pipe gives up on it, and the dead-letter message,
            # which contains only the position of the record, would be useless.
            if age >= hours * 3_600:
                yield Problem(
                    spell("maximum_record_age_seconds"),
                    shown(age),
                    f"less than the retention period of the stream, {hours} hours or {hours * 3_600} seconds",
                    "Lower it enough to leave time for a replay, or extend the retention period.",
                )
        if values.get("stream_kms_key_arn") is not None and values.get("stream_arn", "") is None:
            yield Problem(
                spell("stream_kms_key_arn"),
                shown(values["stream_kms_key_arn"]),
                f"no value unless {spell('stream_arn')} is set",
                f"Set {spell('kms_key_arn')} to encrypt a new stream.",
            )
        if values.get("alarm_email") is not None and values.get("alarm_topic_arn") is not None:
            yield Problem(
                spell("alarm_email"),
                shown(values["alarm_email"]),
                f"no value if {spell('alarm_topic_arn')} is set",
                "Subscribe the address to the existing topic instead.",
            )
        if values.get("phone_number") == "hashed" and values.get("phone_number_salt", "") is None:
            yield Problem(
                spell("phone_number_salt"),
                "not set",
                f"a secret if {spell('phone_number')} is hashed",
                _SALT.fix(None),
            )
        flows = values.get("flows", ())
        repeated = []
        for name, kinds in (
            ("key", KINDS),
            ("name", FLOW_TYPES),
            ("name", (MODULE,)),
            ("phone_number_id", KINDS),
        ):
            used = [getattr(flow, name) for flow in flows if flow.type in kinds and getattr(flow, name)]
            repeated += [f"{spell(name)} {value!r}" for value in sorted(set(used)) if used.count(value) > 1]
        if repeated:
            yield Problem(
                spell("flows"),
                f"a list that repeats {', '.join(repeated)}",
                f"each key, name and {spell('phone_number_id')} once",
                "Change one of the flows. Stack configuration derives the key from the name of the file.",
            )
