"""Parses Amazon Resource Names (ARNs)."""

from __future__ import annotations

from typing import NamedTuple


class Arn(NamedTuple):
    """An ARN, split into its parts. `str()` joins them."""

    partition: str
    """`aws`, `aws-cn` or `aws-us-gov`."""
    service: str
    """The service, for example `kinesis`."""
    region: str
    """The region; empty for global services such as IAM."""
    account_id: str
    """The account; empty for some resources, for example S3 buckets."""
    resource: str
    """The resource, for example `stream/call-records`."""

    @classmethod
    def parse(cls, text: str) -> Arn:
        """Splits an ARN.

        Raises:
            ValueError: the string is not an ARN.
        """
        prefix, *parts = text.split(":", 5)
        if prefix != "arn" or len(parts) != len(cls._fields):
            raise ValueError(f"{text!r} is not an ARN")
        return cls(*parts)

    @property
    def name(self) -> str:
        """Name or ID of the resource, without its type: `call-records` for `stream/call-records`."""
        return self.resource.replace("/", ":").rpartition(":")[2]

    def __str__(self) -> str:
        return ":".join(("arn", *self))
