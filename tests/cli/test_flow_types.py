"""Tests that commands use the types of flows in stack configurations."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from callroute.cli.app import app
from tests.support.paths import FLOW_DEFINITIONS


@pytest.fixture
def flow(tmp_path: Path) -> Path:
    (tmp_path / "Pulumi.yaml").write_text("name: menus\n", encoding="utf-8")
    path = tmp_path / "flow_definitions" / "menu.json"
    path.parent.mkdir()
    shutil.copyfile(FLOW_DEFINITIONS / "call_route.json", path)
    return path


def configure(flow: Path, stack: str, **options: str) -> None:
    entry = json.dumps({"file": flow.name, "name": "Menu", **options})
    text = f"config:\n  menus:salt: {{secure: xyz}}\n  menus:flows:\n    - {entry}\n"
    (flow.parent.parent / f"Pulumi.{stack}.yaml").write_text(text, encoding="utf-8")


def run(command: str, flow: Path, *options: str) -> Result:
    return CliRunner().invoke(app, [command, str(flow), *options])


def test_a_flow_has_the_type_that_the_stack_deploys(flow: Path) -> None:
    configure(flow, "dev", type="CUSTOMER_WHISPER")
    assert "misplaced-block" in run("check", flow).stdout

    configure(flow, "dev")
    assert "misplaced-block" not in run("check", flow).stdout


@pytest.mark.parametrize("command", ["check", "track", "draw", "simulate"])
def test_stacks_that_disagree_are_an_error_unless_a_type_is_given(flow: Path, command: str) -> None:
    configure(flow, "dev")
    configure(flow, "prod", type="CUSTOMER_QUEUE")

    options = ("--keys", "1") if command == "simulate" else ()

    refused = run(command, flow, *options)
    assert refused.exit_code == 2
    assert "Pulumi.dev.yaml deploys it as CONTACT_FLOW, but Pulumi.prod.yaml deploys" in refused.stderr

    given = run(command, flow, *options, "--type", "CONTACT_FLOW")
    assert given.exit_code < 2
    assert "used as CONTACT_FLOW, although Pulumi.prod.yaml deploys it as CUSTOMER_QUEUE" in given.stderr


def test_a_type_in_the_route_catalog_that_disagrees_is_an_error(flow: Path) -> None:
    configure(flow, "dev")
    catalog = "flow: menu.json\ntype: CUSTOMER_QUEUE\nroutes:\n  - {route: start, en: Start, ja: Start}\n"
    flow.with_name("menu.routes.yaml").write_text(catalog, encoding="utf-8")

    problem = (
        "its route catalog contains the type CUSTOMER_QUEUE, but Pulumi.dev.yaml deploys it as CONTACT_FLOW"
    )
    assert problem in run("check", flow).stderr


def test_an_unknown_type_in_a_configuration_is_an_error(flow: Path) -> None:
    configure(flow, "dev", type="CALL")

    assert "menus:flows[0].type: 'CALL' is not a flow type" in run("check", flow).stderr
