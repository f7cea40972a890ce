"""CallRouteTracker options that the documents depend on. The component package describes them."""

# The protocols only repeat names and types.
# ruff: noqa: D102

from __future__ import annotations

from typing import Any, Protocol


class RecordOptions(Protocol):
    """Options that determine how an item is written."""

    @property
    def time_zone(self) -> str: ...
    @property
    def phone_number(self) -> str: ...
    @property
    def country_code(self) -> str: ...
    @property
    def trunk_prefix(self) -> str: ...
    @property
    def retention_days(self) -> int: ...


class TrackerOptions(RecordOptions, Protocol):
    """Options that determine a stack's permissions. ARNs must be plain strings here, not outputs."""

    @property
    def connect_instance_id(self) -> str: ...
    @property
    def phone_number_ids(self) -> list[str]: ...
    @property
    def table_name(self) -> str: ...
    @property
    def stream_arn(self) -> Any: ...
    @property
    def kms_key_arn(self) -> Any: ...
    @property
    def stream_kms_key_arn(self) -> Any: ...
    @property
    def permissions_boundary_arn(self) -> Any: ...
