"""Tests the tables that cog embeds in the README."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields

import pytest

from call_route_tracker import CallRouteTrackerArgs, ContactFlowArgs
from call_route_tracker.constraints import camel_case
from call_route_tracker.reference import flow_option_table, option_table, output_table
from tests.components.test_program import OUTPUTS


def rows(table: str) -> dict[str, list[str]]:
    """Returns the remaining cells of each row, keyed by the name in the first cell."""
    lines = [line.removeprefix("| ").removesuffix(" |").split(" | ") for line in table.splitlines()]
    assert len({len(line) for line in lines}) == 1, "all rows have the same number of cells"
    return {first.strip("`"): cells for first, *cells in lines[2:]}


@pytest.mark.parametrize("table", [option_table, flow_option_table, output_table])
def test_every_row_has_a_description(table: Callable[[], str]) -> None:
    for name, cells in rows(table()).items():
        assert cells[-1].endswith("."), name
        assert cells[-1][0].isupper(), name


def test_the_table_of_options_lists_every_option() -> None:
    names = [each.name for each in fields(CallRouteTrackerArgs)]

    assert list(rows(option_table())) == [camel_case(name) for name in names]
    assert list(rows(option_table("python"))) == names


def test_the_table_of_flow_options_replaces_the_content_with_a_file() -> None:
    names = [each.name for each in fields(ContactFlowArgs)]

    assert list(rows(flow_option_table("python"))) == names
    assert set(rows(flow_option_table())) == {
        "file",
        "placeholders",
        *(camel_case(name) for name in names if name not in ("key", "content")),
    }


@pytest.mark.parametrize(
    ("option", "allowed", "default"),
    [
        ("connectInstance", "the ID or ARN of an Amazon Connect instance", "required"),
        ("timeZone", "an IANA time zone", "`Asia/Tokyo`"),
        ("streamMode", "PROVISIONED or ON_DEMAND", "`PROVISIONED`"),
        ("batchSize", "1 to 52 records", "`10`"),
        ("protectData", "true or false", "`true`"),
        ("kmsKeyArn", "the ARN of a KMS key", "none"),
        ("phoneNumberSalt", "16 or more characters, as a secret", "none"),
        ("flows", "a list", "none"),
        (
            "trackedInitiationMethods",
            "one or more of INBOUND, WEBRTC_API, OUTBOUND, EXTERNAL_OUTBOUND, CALLBACK, API, FLOW, AGENT_REPLY",
            '`["INBOUND", "WEBRTC_API"]`',
        ),
    ],
)
def test_a_row_has_the_allowed_values_and_the_default(option: str, allowed: str, default: str) -> None:
    assert rows(option_table())[option][:2] == [allowed, default]


def test_the_table_of_outputs_lists_every_output() -> None:
    assert set(rows(output_table())) == OUTPUTS
