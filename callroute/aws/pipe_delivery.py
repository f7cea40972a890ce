"""Reproduces what a pipe does with records: filters the stream's records and builds the target's input.

The local pipe and `callroute redrive` both do this in place of EventBridge. docs/fidelity.md lists the evidence.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from callroute.aws.event_pattern import matches, mismatch
from callroute.errors import InputError


@dataclass(frozen=True)
class StreamRecord:
    """A record from the stream."""

    shard_id: str
    sequence_number: str
    partition_key: str
    data: bytes
    arrived: datetime

    @classmethod
    def read(cls, shard_id: str, record: Mapping[str, Any]) -> StreamRecord:
        """Reads a record from a GetRecords response."""
        return cls(
            shard_id=shard_id,
            sequence_number=record["SequenceNumber"],
            partition_key=record["PartitionKey"],
            data=record["Data"],
            arrived=record["ApproximateArrivalTimestamp"],
        )

    @property
    def event_id(self) -> str:
        """Unique ID of the record in the stream."""
        return f"{self.shard_id}:{self.sequence_number}"

    def json(self) -> tuple[bool, Any]:
        """Returns True and the parsed value if the data is JSON, or False and None."""
        try:
            return True, json.loads(self.data, parse_constant=_reject_constant)
        except (ValueError, RecursionError):
            return False, None

    def event(self, stream_arn: str) -> dict[str, Any]:
        """Returns the event that a pipe creates from the record: `data` is parsed JSON, or base64 if parsing fails."""
        is_json, value = self.json()
        return {
            "eventSource": "aws:kinesis",
            "eventVersion": "1.0",
            "eventID": self.event_id,
            "eventName": "aws:kinesis:record",
            "eventSourceARN": stream_arn,
            "kinesisSchemaVersion": "1.0",
            "partitionKey": self.partition_key,
            "sequenceNumber": self.sequence_number,
            "data": value if is_json else base64.b64encode(self.data).decode("ascii"),
            "approximateArrivalTimestamp": self.arrived.timestamp(),
        }


@dataclass(frozen=True)
class PipeDelivery:
    """The source, filter, input template and limits of a pipe."""

    stream_arn: str
    patterns: tuple[Mapping[str, Any], ...]
    """Event patterns. A record is delivered if one of them matches, or if the pipe has no filter."""
    input_template: str
    batch_size: int
    record_age: int
    """Maximum age of a record in seconds; -1 means no limit."""

    @classmethod
    def read(cls, arguments: Mapping[str, Any]) -> PipeDelivery:
        """Reads the arguments of an `aws:pipes/pipe:Pipe`."""
        source = arguments.get("sourceParameters") or {}
        criteria = source.get("filterCriteria") or {}
        kinesis = source.get("kinesisStreamParameters") or {}
        return cls(
            stream_arn=arguments["source"],
            patterns=tuple(json.loads(each["pattern"]) for each in criteria.get("filters") or []),
            input_template=(arguments.get("targetParameters") or {}).get("inputTemplate", "<$>"),
            batch_size=int(kinesis.get("batchSize", 100)),
            record_age=int(kinesis.get("maximumRecordAgeInSeconds", -1)),
        )

    def accepts(self, record: StreamRecord) -> bool:
        """Returns whether the filter accepts a record."""
        if not self.patterns:
            return True
        if not record.json()[0]:
            return False
        event = record.event(self.stream_arn)
        return any(matches(pattern, event) for pattern in self.patterns)

    def filter_reason(self, record: StreamRecord) -> str:
        """Returns why the filter drops a record. The reason contains no personal data."""
        is_json, contact = record.json()
        if not is_json:
            return "the data is not JSON"
        path = mismatch(self.patterns[0], record.event(self.stream_arn))[1:]
        value = contact.get(path[0]) if len(path) == 1 and isinstance(contact, dict) else None
        shown = (
            value
            if isinstance(value, str) and re.fullmatch("[A-Z_]{1,30}", value)
            else "missing or different"
        )
        return f"{'.'.join(path) or 'data'} is {shown}"

    def execution_input(self, records: Sequence[StreamRecord]) -> str:
        """Returns the input of the execution that handles a batch of records."""
        filled = [fill_template(self.input_template, record.event(self.stream_arn)) for record in records]
        # JSON may contain half of a surrogate pair, which UTF-8 can only encode as an escape sequence.
        return _SURROGATE.sub(lambda half: f"\\u{ord(half[0]):04x}", f"[{','.join(filled)}]")


# A path inside a quoted string is replaced with text. Any other path is replaced with a JSON value.
_QUOTED_OR_PATH = re.compile(r'"(?:[^"\\]|\\.)*"|<(\$[^<>]*)>')
_PATH = re.compile(r"<(\$[^<>]*)>")
_STEP = re.compile(r"\.([A-Za-z0-9_-]+)|\[(\d+)\]")
_SURROGATE = re.compile("[\ud800-\udfff]")


def fill_template(template: str, event: Mapping[str, Any]) -> str:
    """Fills in an input template from an event and returns the resulting JSON.

    Raises:
        InputError: a path does not exist in the event. AWS omits such a variable; here it is treated as an error.
    """

    def fill(found: re.Match[str]) -> str:
        if found[1]:
            return json.dumps(_look_up(found[1], event), ensure_ascii=False)
        return _PATH.sub(
            lambda path: json.dumps(str(_look_up(path[1], event)), ensure_ascii=False)[1:-1], found[0]
        )

    return _QUOTED_OR_PATH.sub(fill, template)


def _look_up(path: str, event: Mapping[str, Any]) -> Any:
    value: Any = event
    steps = _STEP.findall(path)
    if path != "$" + "".join(f".{name}" if name else f"[{index}]" for name, index in steps):
        raise _template_error(path, "not supported")
    for name, index in steps:
        try:
            value = value[name] if name else value[int(index)]
        except (KeyError, IndexError, TypeError) as error:
            raise _template_error(path, "does not exist in the record") from error
    return value


def _template_error(path: str, problem: str) -> InputError:
    return InputError(
        "the pipe's input template",
        path,
        problem,
        "Use paths of the form $.name.name[0] that every event has",
    )


def _reject_constant(name: str) -> None:
    """Rejects NaN and Infinity. Python's parser accepts them, but they are not valid JSON."""
    raise ValueError(f"{name} is not JSON")
