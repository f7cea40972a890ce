"""The stack's settings: Pulumi config as one typed model, checked before any resource is registered."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, cast

import pulumi
from pulumi.runtime import config as pulumi_config
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    ValidationInfo,
    field_validator,
)
from pydantic.alias_generators import to_camel

from callroute.aws.state_machine import PhoneFormat, RecordFormat
from callroute.errors import InputError
from callroute.flows.flow import CONTENT_CHARACTERS, Flow
from callroute.flows.placeholders import fill, names
from callroute.flows.route_catalog import RouteCatalog
from callroute.formats.files import read_text

from .contact_flow import (
    DESCRIPTION_CHARACTERS,
    NAME_CHARACTERS,
    ContactFlowArgs,
)
from .limits import LIMITS, age_below_retention, nearest
from .tracker import CallRouteTrackerArgs

SALT_CHARACTERS = 16

# What AWS lets a tag be. Source: Tag naming limits and requirements, Tagging AWS Resources User Guide.
_TAG_KEY = r"(?!aws:)[\w .:/=+@-]{1,128}"
_TAG_VALUE = r"[\w .:/=+@-]{0,256}"

TAGS = 48
"""Tags that a stack may add: AWS takes 50, and `project` and `stack` are two of them."""

_TYPES = {
    "bool_parsing": "true or false",
    "bool_type": "true or false",
    "dict_type": "a mapping of names to texts",
    "int_from_float": "a whole number",
    "int_parsing": "a whole number",
    "int_type": "a whole number",
    "list_type": "a list",
    "missing": "text",
    "model_type": "a mapping",
    "string_type": "text",
}


def flow_definitions() -> Path:
    """Folder of the stack's flow files, beside Pulumi.yaml."""
    root = Path(pulumi.get_root_directory())
    # Without an engine, Pulumi's SDK returns the text "root_directory".
    return (root if root.is_absolute() else Path()) / "flow_definitions"


@dataclass(frozen=True)
class Problem:
    """One setting that is wrong."""

    key: str
    """The config key, and the place in its value."""
    value: str
    """What it is: `not set`, `unknown` or the value as JSON; never a secret."""
    allowed: str
    """What it may be."""
    fix: str
    """What to do."""

    def __str__(self) -> str:
        return f"{self.key} is {self.value}; allowed: {self.allowed}. {self.fix}".rstrip()


class SettingsError(pulumi.RunError):
    """Settings that cannot be deployed, all of them at once. Pulumi prints it without a traceback."""

    def __init__(self, problems: list[Problem]) -> None:
        self.problems = problems
        count = "1 setting is" if len(problems) == 1 else f"{len(problems)} settings are"
        super().__init__("\n".join([f"{count} wrong:", *(f"  {problem}" for problem in problems)]))


class _WrongError(ValueError):
    """A value outside of what is allowed, raised inside a validator."""

    def __init__(self, allowed: str, fix: str) -> None:
        self.allowed = allowed
        self.fix = fix
        super().__init__(allowed)


def _from_json(value: Any) -> Any:
    """Pulumi hands structured config over as JSON text."""
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except json.JSONDecodeError:
        raise _WrongError("structured config", "Set its parts with `pulumi config set --path`.") from None


def _tags(value: dict[str, str]) -> dict[str, str]:
    wrong = [
        repr(key)
        for key, text in value.items()
        if not re.fullmatch(_TAG_KEY, key) or not re.fullmatch(_TAG_VALUE, text)
    ]
    if wrong:
        raise _WrongError(
            "keys of 1 to 128 and values of up to 256 letters, digits, spaces and _.:/=+-@, no key beginning aws:",
            f"Respell {', '.join(wrong)}.",
        )
    if len(value) > TAGS:
        raise _WrongError(
            f"up to {TAGS} tags", f"There are {len(value)}, and AWS allows 50 with project and stack."
        )
    return value


class _Checked(BaseModel):
    """A model that knows the limits of its fields."""

    model_config = ConfigDict(alias_generator=to_camel, extra="forbid", frozen=True)

    @field_validator("*")
    @classmethod
    def _within_limits(cls, value: Any, info: ValidationInfo) -> Any:
        limit = LIMITS.get(str(info.field_name))
        if limit and value is not None and not limit.holds(value):
            raise _WrongError(limit.allowed, limit.fix(value))
        return value


class FlowSettings(_Checked):
    """One contact flow of the stack."""

    file: str
    """File in `flow_definitions/`."""
    name: str = Field(min_length=1, max_length=NAME_CHARACTERS)
    """Name in Connect, unique in the instance."""
    description: str = Field("", max_length=DESCRIPTION_CHARACTERS)
    """Description in Connect."""
    placeholders: dict[str, str] = Field({}, validate_default=True)
    """Values for the placeholders that the flow's route catalog declares."""
    phone_number_id: str | None = None
    """Id of a claimed phone number whose calls start with this flow."""

    @property
    def key(self) -> str:
        """What names the flow's resources: `call-route` for `call_route.json`."""
        return Path(self.file).stem.replace("_", "-")

    @field_validator("file")
    @classmethod
    def _is_a_flow(cls, value: str) -> str:
        try:
            Flow.load(flow_definitions() / value)
        except InputError as error:
            raise _WrongError(
                "a file in flow_definitions/ in the Amazon Connect flow language", str(error)
            ) from None
        return value

    @field_validator("placeholders")
    @classmethod
    def _fills_the_flow(cls, value: dict[str, str], info: ValidationInfo) -> dict[str, str]:
        if "file" not in info.data:
            return value
        try:
            content = _content(info.data["file"], value)
        except InputError as error:
            raise _WrongError("a value for each placeholder of the flow", str(error)) from None
        if left := names(content):
            raise _WrongError(
                "values that hold no placeholders themselves",
                f"After filling, {', '.join('${' + name + '}' for name in left)} is left over: write the value out.",
            )
        characters = len(content)
        if characters > CONTENT_CHARACTERS:
            raise _WrongError(
                f"flows of up to {CONTENT_CHARACTERS} characters",
                f"The flow has {characters}: move a part of it into a flow of its own.",
            )
        return value

    def args(self) -> ContactFlowArgs:
        """The flow as the component takes it."""
        return ContactFlowArgs(
            key=self.key,
            name=self.name,
            content=_content(self.file, self.placeholders),
            description=self.description,
            phone_number_id=self.phone_number_id,
        )


def _content(file: str, placeholders: Mapping[str, str]) -> str:
    """A flow as it is deployed: filled, and without the white space that would count towards Connect's limit."""
    path = flow_definitions() / file
    catalog = RouteCatalog.beside(path)
    text = fill(read_text(path), placeholders, str(path), catalog.placeholders if catalog else None)
    return json.dumps(json.loads(text), ensure_ascii=False, separators=(",", ":"))


class Settings(_Checked):
    """What a stack sets, by its name in camel case: `time_zone` is the config key `call-route-tracker:timeZone`."""

    connect_instance: str
    """Id or ARN of the Amazon Connect instance."""
    flows: Annotated[list[FlowSettings], BeforeValidator(_from_json)] = []
    """Contact flows to deploy; none where they are kept elsewhere."""
    stream_contact_records: bool = True
    """Whether the instance is told to send its contact records to the stream. An instance has one such stream."""
    time_zone: str = "Asia/Tokyo"
    """IANA time zone of start_time, end_time and call_date."""
    phone_number: str = "domestic"
    """How callers' numbers are kept: `domestic`, `e164`, `masked` or `hashed`."""
    country_code: str = "81"
    """Country whose numbers `domestic` shortens."""
    trunk_prefix: str = "0"
    """What `domestic` writes in place of + and the country code."""
    phone_number_salt: SecretStr | None = Field(None, validate_default=True)
    """Secret for `hashed`, at least 16 characters."""
    retention_days: int = 0
    """Days after which DynamoDB deletes a record; 0 keeps records for ever."""
    table_name: str = "call-records"
    """Name of the table."""
    stream_arn: str | None = None
    """ARN of an existing Kinesis data stream to read from, in place of a new one."""
    stream_kms_key_arn: str | None = None
    """ARN of the customer key of the existing stream, where it has one."""
    stream_mode: str = "PROVISIONED"
    """Capacity mode of the new stream: `PROVISIONED` or `ON_DEMAND`."""
    shard_count: int = 1
    """Shards of a provisioned stream; each takes 1,000 records a second."""
    stream_retention_hours: int = 24
    """Hours for which the stream keeps records; of an existing stream, what it is set to."""
    batch_size: int = 10
    """Contact records that are handed over together, at most."""
    batching_window_seconds: int = 5
    """Seconds for which the pipe waits for a full batch."""
    parallelization_factor: int = 1
    """Batches of one shard that run at the same time."""
    maximum_retry_attempts: int = 25
    """How often a failing batch is tried again before it is dead-lettered."""
    maximum_record_age_seconds: int = Field(43_200, validate_default=True)
    """Age in seconds at which a record is dead-lettered; below the stream's retention."""
    kms_key_arn: str | None = None
    """ARN of a customer key for table, stream and queues, in place of AWS managed keys."""
    permissions_boundary_arn: str | None = None
    """ARN of the managed policy that bounds what the two roles can be allowed."""
    log_retention_days: int = 30
    """Days for which the logs of state machine and pipe are kept."""
    protect_data: bool = True
    """Guards table, stream and queues against deletion."""
    tags: Annotated[dict[str, str], BeforeValidator(_from_json), AfterValidator(_tags)] = {}
    """Tags of every resource, beside `project` and `stack`."""

    @field_validator("flows")
    @classmethod
    def _each_flow_once(cls, value: list[FlowSettings]) -> list[FlowSettings]:
        shared = []
        for what in ("key", "name", "phone_number_id"):
            found = [getattr(flow, what) for flow in value if getattr(flow, what)]
            shared += [f"{to_camel(what)} {one!r}" for one in sorted(set(found)) if found.count(one) > 1]
        if shared:
            raise _WrongError(
                "each key (from the file), name and phoneNumberId once",
                f"Change one of the flows that share {', '.join(shared)}.",
            )
        return value

    @field_validator("connect_instance", "stream_arn", "stream_kms_key_arn", "kms_key_arn", mode="before")
    @classmethod
    def _is_in_the_region(cls, value: Any, info: ValidationInfo) -> Any:
        region = (info.context or {}).get("region")
        found = re.match(r"arn:[^:]*:[^:]*:([a-z0-9-]+):", value) if isinstance(value, str) else None
        if region and found and found[1] != region:
            raise _WrongError(
                f"an ARN in {region}, the region of the stack",
                f"It is in {found[1]}: take one of {region}, or set aws:region.",
            )
        return value

    @field_validator("stream_kms_key_arn")
    @classmethod
    def _is_of_an_existing_stream(cls, value: str | None, info: ValidationInfo) -> str | None:
        if value is not None and "stream_arn" in info.data and info.data["stream_arn"] is None:
            raise _WrongError(
                "nothing, unless streamArn is set", "A new stream is encrypted with kmsKeyArn: set that."
            )
        return value

    @field_validator("phone_number_salt")
    @classmethod
    def _is_a_secret_salt(cls, value: SecretStr | None, info: ValidationInfo) -> SecretStr | None:
        fix = 'Set one: pulumi config set --secret phoneNumberSalt "$(openssl rand -hex 32)"'
        if value is None:
            if info.data.get("phone_number") == "hashed":
                raise _WrongError("a secret where phoneNumber is hashed", fix)
        elif "phoneNumberSalt" not in (info.context or {}).get("secrets", ()):
            raise _WrongError("a Pulumi secret, and it is in plain text", fix)
        elif len(value.get_secret_value()) < SALT_CHARACTERS:
            raise _WrongError(f"at least {SALT_CHARACTERS} characters", fix)
        return value

    @field_validator("maximum_record_age_seconds")
    @classmethod
    def _is_below_retention(cls, value: int, info: ValidationInfo) -> int:
        hours = info.data.get("stream_retention_hours")
        if hours is not None and (limit := age_below_retention(value, hours)):
            raise _WrongError(limit.allowed, limit.fix(value))
        return value

    @classmethod
    def load(cls) -> Settings:
        """The settings of the stack that Pulumi runs.

        Raises:
            SettingsError: some of them are wrong; it holds them all.
        """
        prefix = f"{pulumi.get_project()}:"
        # Pulumi's language host puts all config into CONFIG, and into the environment for programs it starts.
        config = {**pulumi_config.get_config_env(), **pulumi_config.CONFIG.get()}
        values = {key.removeprefix(prefix): value for key, value in config.items() if key.startswith(prefix)}
        return cls.read(
            values,
            secrets={key for key in values if pulumi_config.is_config_secret(prefix + key)},
            region=config.get("aws:region"),
        )

    @classmethod
    def read(
        cls, values: Mapping[str, Any], *, secrets: Collection[str] = (), region: str | None = None
    ) -> Settings:
        """Settings from config values, which Pulumi gives as text.

        Args:
            values: value by key, without the project's name.
            secrets: the keys whose values are secrets.
            region: the AWS region of the stack, where it is known.

        Raises:
            SettingsError: some of them are wrong; it holds them all.
        """
        try:
            return cls.model_validate(values, context={"secrets": secrets, "region": region})
        except ValidationError as error:
            # Not chained: pydantic's own message would show the values, secrets too.
            problems = [_problem(cast("Mapping[str, Any]", found), secrets) for found in error.errors()]
        raise SettingsError(problems)

    @property
    def record(self) -> RecordFormat:
        """How a call becomes an item; the salt is not in it."""
        return RecordFormat(
            time_zone=self.time_zone,
            phone_number=cast("PhoneFormat", self.phone_number),
            country_code=self.country_code,
            trunk_prefix=self.trunk_prefix,
            retention_days=self.retention_days,
        )

    def tracker_args(self, default_tags: Mapping[str, str]) -> CallRouteTrackerArgs:
        """What the component is made from.

        Args:
            default_tags: tags that each resource gets unless the setting `tags` says otherwise.
        """
        salt = self.phone_number_salt
        return CallRouteTrackerArgs(
            connect_instance_id=self.connect_instance.rpartition("/")[2],
            flows=[flow.args() for flow in self.flows],
            record=self.record,
            phone_number_salt=salt.get_secret_value() if salt else None,
            table_name=self.table_name,
            stream_contact_records=self.stream_contact_records,
            stream_arn=self.stream_arn,
            stream_kms_key_arn=self.stream_kms_key_arn,
            stream_mode=self.stream_mode,
            shard_count=self.shard_count,
            stream_retention_hours=self.stream_retention_hours,
            batch_size=self.batch_size,
            batching_window_seconds=self.batching_window_seconds,
            parallelization_factor=self.parallelization_factor,
            maximum_retry_attempts=self.maximum_retry_attempts,
            maximum_record_age_seconds=self.maximum_record_age_seconds,
            kms_key_arn=self.kms_key_arn,
            permissions_boundary_arn=self.permissions_boundary_arn,
            log_retention_days=self.log_retention_days,
            protect_data=self.protect_data,
            tags={**default_tags, **self.tags},
        )


def _problem(error: Mapping[str, Any], secrets: Collection[str]) -> Problem:
    kind, value = error["type"], error["input"]
    # pydantic calls a field by its alias, but by its name where its default is checked.
    key, *parts = (_KEYS.get(part, part) for part in error["loc"])
    where = key + "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in parts)
    model = FlowSettings if parts else Settings
    names = {field.alias or name: name for name, field in model.model_fields.items()}
    name = str((key, *parts)[-1])
    if kind == "extra_forbidden":
        return Problem(where, "unknown", f"one of {', '.join(names)}", nearest(name, names))
    limit = LIMITS.get(names.get(name, ""))
    allowed = limit.allowed if limit else _TYPES.get(kind, str(error["msg"]))
    fix = f"Set it: pulumi config set --path '{where}' VALUE"
    if kind == "missing":
        return Problem(where, "not set", allowed, fix)
    if key in secrets and key != "phoneNumberSalt":
        fix = "It need not be a secret: set it in plain text to be told more."
        return Problem(where, "a secret", limit.allowed if limit else "what the README says", fix)
    wrong = error.get("ctx", {}).get("error")
    if isinstance(wrong, _WrongError):
        allowed, fix = wrong.allowed, wrong.fix
    if key == "phoneNumberSalt":
        return Problem(where, "not set" if value is None else "not shown", allowed, fix)
    return Problem(where, json.dumps(value, ensure_ascii=False, default=str), allowed, fix)


_KEYS = {
    name: field.alias for model in (Settings, FlowSettings) for name, field in model.model_fields.items()
}
