"""What plain values may be, by field: read by the component's arguments and by the stack's settings alike."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any

from callroute.aws.pipe import BATCH_BYTES
from callroute.aws.utc_offsets import time_zones

# A contact record has 2,000 to 4,000 bytes, and the pipe's template puts some 150 around it. Only a batch whose
# records are this large on average fits; what is larger still (attributes may take 32 KB) is made up for by its
# neighbours: at the default of 10 records, each may have 26,000 bytes; a batch that does not fit is halved by the pipe.
RECORD_BYTES = 5_000

# What CloudWatch Logs accepts, without 0 (for ever). Source: pulumi_aws.cloudwatch.LogGroup.
LOG_RETENTION_DAYS = (
    *(1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731),
    *(1096, 1827, 2192, 2557, 2922, 3288, 3653),
)

UUID = r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"


class ArgumentError(ValueError):
    """An argument of a component is outside its limits: names the field, the value, what is allowed and the way out."""


@dataclass(frozen=True)
class Limit:
    """What one value may be."""

    allowed: str
    """The allowed values, as the end of the sentence "allowed: …"."""
    holds: Callable[[Any], bool]
    """Whether a value is allowed."""
    fix: Callable[[Any], str]
    """What to do about a value that is not."""


def check(arguments: object) -> None:
    """Checks each field of a frozen dataclass that has a limit; None and Outputs pass.

    Raises:
        ArgumentError: at the first value that is outside its limit.
    """
    for field, value in vars(arguments).items():
        limit = LIMITS.get(field)
        if limit and isinstance(value, (str, int)) and not limit.holds(value):
            raise ArgumentError(f"{field} is {value!r}; allowed: {limit.allowed}. {limit.fix(value)}")


def nearest(word: str, words: Collection[str]) -> str:
    """The question that helps with a misspelt word, or nothing where no word is near."""
    near = difflib.get_close_matches(word, words, n=3, cutoff=0.6)
    return f"Did you mean {' or '.join(near)}?" if near else ""


def _between(least: int, most: int, unit: str, fix: str) -> Limit:
    return Limit(f"{least} to {most} {unit}", lambda value: least <= value <= most, lambda _: fix)


def _matching(pattern: str, allowed: str, fix: str) -> Limit:
    return Limit(allowed, lambda value: re.fullmatch(pattern, value, re.ASCII) is not None, lambda _: fix)


def _one_of(*values: str) -> Limit:
    return Limit(
        " or ".join(values),
        lambda value: value in values,
        lambda value: nearest(str(value), values) or "Choose one.",
    )


LIMITS: dict[str, Limit] = {
    "time_zone": Limit(
        "an IANA time zone, as Asia/Tokyo",
        lambda value: value in time_zones(),
        lambda value: nearest(str(value), time_zones()) or "Take a name of the IANA time zone database.",
    ),
    "phone_number": _one_of("domestic", "e164", "masked", "hashed"),
    "country_code": _matching(
        "[1-9][0-9]{0,2}",
        "one to three digits, as 81",
        "Write the country's calling code without + and zeros.",
    ),
    "trunk_prefix": _matching(
        "[0-9]{0,3}",
        "up to three digits, as 0, or nothing",
        "Write the digits that are dialled within the country.",
    ),
    "retention_days": _between(
        0, 36_500, "days", "Write 0 to keep records for ever, or the days after which DynamoDB deletes them."
    ),
    "connect_instance_id": _matching(
        UUID,
        "the id of an Amazon Connect instance, as 00000000-0000-0000-0000-000000000000",
        "It is the last part of the instance's ARN, which the Connect console shows under the instance's overview.",
    ),
    "connect_instance": _matching(
        rf"(arn:aws[a-z-]*:connect:[a-z0-9-]+:\d{{12}}:instance/)?{UUID}",
        "the id of an Amazon Connect instance, as 00000000-0000-0000-0000-000000000000, or its ARN",
        "The Connect console shows the ARN under the instance's overview; the id is its last part.",
    ),
    "table_name": _matching(
        "[a-zA-Z0-9_.-]{3,255}", "3 to 255 letters, digits, `_`, `.` and `-`", "Shorten or respell the name."
    ),
    "stream_arn": _matching(
        r"arn:aws[a-z-]*:kinesis:[a-z0-9-]+:\d{12}:stream/[a-zA-Z0-9_.-]{1,128}",
        "the ARN of a Kinesis data stream, as arn:aws:kinesis:ap-northeast-1:111111111111:stream/NAME",
        "Copy the ARN from `aws kinesis describe-stream-summary`.",
    ),
    "stream_mode": _one_of("PROVISIONED", "ON_DEMAND"),
    "shard_count": _between(
        1, 200, "shards", "One shard takes 1,000 records a second; ON_DEMAND has no shards to set."
    ),
    "stream_retention_hours": _between(24, 8_760, "hours", "Kinesis keeps records for one day to one year."),
    "batch_size": _between(
        1,
        BATCH_BYTES // RECORD_BYTES,
        "records",
        f"A batch must fit {BATCH_BYTES:,} bytes, and a contact record takes up to "
        f"{RECORD_BYTES:,}: make the batch smaller.",
    ),
    "batching_window_seconds": _between(
        0, 300, "seconds", "It is how long the pipe may wait for a full batch."
    ),
    "parallelization_factor": _between(
        1, 10, "batches", "It is how many batches of a shard run at the same time."
    ),
    "maximum_retry_attempts": _between(
        0, 10_000, "attempts", "Endless retries would let one record block its shard."
    ),
    "maximum_record_age_seconds": _between(
        60, 604_800, "seconds", "Endless retries would let one record block its shard."
    ),
    "log_retention_days": Limit(
        f"one of {', '.join(map(str, LOG_RETENTION_DAYS))} days",
        lambda value: value in LOG_RETENTION_DAYS,
        lambda value: f"The nearest is {min(LOG_RETENTION_DAYS, key=lambda days: abs(days - value))}.",
    ),
    "phone_number_id": _matching(
        UUID,
        "the id of a claimed phone number, as 00000000-0000-0000-0000-000000000000",
        "Take it from `aws connect list-phone-numbers-v2`; it is not the number itself.",
    ),
}
LIMITS["kms_key_arn"] = LIMITS["stream_kms_key_arn"] = _matching(
    r"arn:aws[a-z-]*:kms:[a-z0-9-]+:\d{12}:key/[a-zA-Z0-9-]+",
    "the ARN of a KMS key, as arn:aws:kms:ap-northeast-1:111111111111:key/ID",
    "Copy the key's ARN; ids and aliases cannot be put into a permission.",
)
LIMITS["permissions_boundary_arn"] = _matching(
    r"arn:aws[a-z-]*:iam::(\d{12}|aws):policy/[\w+=,.@/-]+",
    "the ARN of a managed policy, as arn:aws:iam::111111111111:policy/NAME",
    "Copy the ARN from `aws iam list-policies`; an inline policy cannot be a boundary.",
)


def age_below_retention(age_seconds: int, retention_hours: int) -> Limit | None:
    """The limit that a record's greatest age breaks, where it reaches what the stream keeps.

    A record that is older than the stream's retention is gone before the pipe gives up on it, and the dead-letter
    message, which holds only its position, would point at nothing.
    """
    most = retention_hours * 3_600 - 1
    if age_seconds <= most:
        return None
    return Limit(
        f"less than the stream's retention, {retention_hours} hours or {most + 1} seconds",
        lambda value: value <= most,
        lambda _: (
            "Lower it, well below the retention so that there is time to replay, or lengthen the retention."
        ),
    )
