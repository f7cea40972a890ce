"""Guards the README's tables of settings, component arguments and outputs against a code that has moved on."""

from __future__ import annotations

import re
from dataclasses import MISSING, fields

from pydantic_core import PydanticUndefined

from call_route_tracker.config import FlowSettings, Settings
from call_route_tracker.contact_flow import ContactFlowArgs
from call_route_tracker.tracker import CallRouteTrackerArgs
from tests.components.test_program import OUTPUTS
from tests.support.paths import REPOSITORY

README = REPOSITORY / "README.md"


def rows(heading: str) -> dict[str, list[str]]:
    """The rows of the table below a heading: the other cells by the name in the first."""
    text = README.read_text(encoding="utf-8")
    found = re.search(rf"^#+ {re.escape(heading)}\n(.*?)(?=^#|\Z)", text, re.MULTILINE | re.DOTALL)
    assert found, f"README.md has no heading {heading!r}"
    cells = [
        re.split(r"(?<!\\)\|", line.strip().strip("|"))
        for line in found[1].splitlines()
        if line.startswith("| `")
    ]
    return {row[0].strip().strip("`"): [cell.strip() for cell in row[1:]] for row in cells}


def shown(default: object) -> str:
    """How a default stands in the README."""
    if default in (MISSING, PydanticUndefined):
        return "required"
    if default is None or default in ((), [], {}, ""):
        return "none"
    return f"`{str(default).lower() if isinstance(default, bool) else default}`"


def test_the_table_of_settings_has_every_setting_with_its_default() -> None:
    ours = {str(field.alias): shown(field.default) for field in Settings.model_fields.values()}

    assert {key: row[1] for key, row in rows("Settings").items()} == ours


def test_the_table_of_flow_settings_has_every_setting_with_its_default() -> None:
    ours = {str(field.alias): shown(field.default) for field in FlowSettings.model_fields.values()}

    assert {key: row[1] for key, row in rows("Settings of a flow").items()} == ours


def test_the_table_of_arguments_has_every_argument_with_its_default() -> None:
    ours = {}
    for field in fields(CallRouteTrackerArgs):
        default = field.default if field.default_factory is MISSING else field.default_factory()
        ours[field.name] = "`RecordFormat()`" if field.name == "record" else shown(default)

    assert {name: row[1] for name, row in rows("Arguments").items()} == ours


def test_the_table_of_flow_arguments_has_every_argument_with_its_default() -> None:
    ours = {field.name: shown(field.default) for field in fields(ContactFlowArgs)}

    assert {name: row[1] for name, row in rows("Arguments of a flow").items()} == ours


def test_the_table_of_outputs_has_every_output() -> None:
    assert set(rows("Outputs")) == OUTPUTS
