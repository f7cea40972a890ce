"""Guards `callroute track`: what it writes and where, what it tells, and that it loses nothing that people wrote."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from callroute.cli.track import _proof
from callroute.flows.flow import Flow
from callroute.flows.route_catalog import RouteCatalog
from tests.cli.commands import FLOWS, callroute

MENU = {
    "Version": "2019-10-30",
    "StartAction": "main",
    "Metadata": {"name": "Sample line"},
    "Actions": [
        {
            "Identifier": "main",
            "Type": "GetParticipantInput",
            "Parameters": {
                "Text": "1 を押してください。",
                "StoreInput": "False",
                "InputTimeLimitSeconds": "5",
            },
            "Transitions": {
                "NextAction": "end",
                "Conditions": [
                    {"NextAction": "end", "Condition": {"Operator": "Equals", "Operands": ["1"]}},
                    {"NextAction": "end", "Condition": {"Operator": "Equals", "Operands": ["2"]}},
                ],
                "Errors": [
                    {"NextAction": "end", "ErrorType": "InputTimeLimitExceeded"},
                    {"NextAction": "end", "ErrorType": "NoMatchingCondition"},
                    {"NextAction": "end", "ErrorType": "NoMatchingError"},
                ],
            },
        },
        {"Identifier": "end", "Type": "DisconnectParticipant", "Parameters": {}, "Transitions": {}},
    ],
}


@pytest.fixture
def menu(tmp_path: Path) -> Path:
    """A flow without tracking, formatted as nobody else would."""
    path = tmp_path / "menu.json"
    path.write_text(json.dumps(MENU, indent=3, ensure_ascii=False), encoding="utf-8")
    return path


def test_without_a_file_for_it_the_flow_goes_to_standard_output_and_nothing_is_written(menu: Path) -> None:
    ran = callroute("track", menu)
    assert ran.returncode == 0
    assert "track-main-1" in Flow.parse(ran.stdout, "stdout").blocks
    assert ran.stderr == (
        "4 tracking blocks, 4 new; a route catalog with 3 routes is written where -o names a file\n"
        "1 stop, none without a route on any path\n"
    )
    assert [path.name for path in menu.parent.iterdir()] == ["menu.json"]


def test_one_run_gives_the_tracked_flow_the_proof_that_no_stop_is_untracked_and_a_picture(menu: Path) -> None:
    out, picture = menu.with_name("tracked.json"), menu.with_name("tracked.svg")
    ran = callroute("track", menu, "-o", out, "--picture", picture)
    assert (ran.returncode, ran.stdout) == (0, "")
    assert "1 stop, none without a route on any path" in ran.stderr
    assert picture.read_text(encoding="utf-8") == callroute("draw", out, "--format", "svg").stdout
    assert "track-main-1" in picture.read_text(encoding="utf-8")


def test_flow_and_catalog_are_written_and_stand_the_check(menu: Path) -> None:
    out = menu.with_name("tracked.json")
    ran = callroute("track", menu, "-o", out)
    assert (ran.returncode, ran.stdout) == (0, "")
    assert f"3 routes in {out.with_name('tracked.routes.yaml')}" in ran.stderr
    catalog = RouteCatalog.beside(out)
    assert catalog is not None
    assert (catalog.flow, catalog.call_flow) == ("tracked.json", "Sample line")
    assert list(catalog.routes) == ["start", "1", "2"]
    assert catalog.routes["start"].ja == "1 を押してください。"
    assert callroute("check", out).returncode == 0
    simulated = callroute("simulate", out, "--keys", "2", "--json")
    assert json.loads(simulated.stdout)["attributes"] == {
        "call_flow": "Sample line",
        "call_route": "2",
        "call_completed": "true",
    }


def test_the_flow_keeps_its_formatting_and_all_that_is_not_tracking(menu: Path) -> None:
    before = menu.read_text(encoding="utf-8").splitlines()
    callroute("track", menu, "-o", menu)
    after = menu.read_text(encoding="utf-8").splitlines()
    gone = [line.strip() for line in before if line not in after]
    assert all("NextAction" in line or line.startswith(('"StartAction"', "}")) for line in gone), gone


def test_a_second_run_in_place_changes_no_byte(menu: Path) -> None:
    callroute("track", menu, "-o", menu)
    files = {path: path.read_bytes() for path in menu.parent.iterdir()}
    ran = callroute("track", menu, "-o", menu)
    assert ran.returncode == 0
    assert "4 tracking blocks, 0 new" in ran.stderr
    assert {path: path.read_bytes() for path in menu.parent.iterdir()} == files


def test_a_flow_that_is_tracked_by_hand_comes_back_to_the_byte() -> None:
    for path in sorted(FLOWS.glob("*.json")):
        ran = callroute("track", path)
        assert ran.stdout == path.read_text(encoding="utf-8")
        assert "no tracking blocks are needed" in ran.stderr


def test_words_and_remarks_in_the_catalog_stay_when_routes_are_added(menu: Path) -> None:
    catalog = menu.with_name("menu.routes.yaml")
    remark = "# ours\nflow: menu.json\nroutes:\n  - {route: start, en: Mine, ja: 私}  # a remark\n"
    catalog.write_text(remark, encoding="utf-8")
    callroute("track", menu, "-o", menu)
    text = catalog.read_text(encoding="utf-8")
    # The catalog says nothing of call_flow yet, so it is written anew with what it said.
    read = RouteCatalog.parse(text, "x")
    assert read.routes["start"].en == "Mine"
    assert read.call_flow == "Sample line"
    catalog.write_text(remark.replace("routes:", "call_flow: Sample line\nroutes:"), encoding="utf-8")
    callroute("track", menu, "-o", menu)
    text = catalog.read_text(encoding="utf-8")
    assert text.startswith("# ours")
    assert "# a remark" in text
    assert list(RouteCatalog.parse(text, "x").routes) == ["start", "1", "2"]


def test_words_of_the_catalog_beside_the_input_go_into_that_of_the_output(menu: Path) -> None:
    words = "flow: menu.json\nroutes:\n  - {route: '1', en: Mine, ja: 私}\n"
    menu.with_name("menu.routes.yaml").write_text(words, encoding="utf-8")
    out = menu.with_name("tracked.json")
    callroute("track", menu, "-o", out)
    catalog = RouteCatalog.beside(out)
    assert catalog is not None
    assert catalog.routes["1"].en == "Mine"


def test_names_come_from_a_route_file(menu: Path) -> None:
    names = menu.with_name("names.yaml")
    names.write_text('call_flow: bank\nroutes: {"1": balance}\n', encoding="utf-8")
    ran = callroute("track", menu, "--routes", names)
    blocks = Flow.parse(ran.stdout, "stdout").blocks
    assert blocks["track-main-1"].parameters["Attributes"]["call_route"] == "balance"
    assert blocks["track-start"].parameters["Attributes"]["call_flow"] == "bank"


def test_a_name_for_what_is_not_there_is_unusable_input(menu: Path) -> None:
    names = menu.with_name("names.yaml")
    names.write_text('routes:\n  "4": balance\n', encoding="utf-8")
    ran = callroute("track", menu, "--routes", names, "-o", menu.with_name("out.json"))
    assert (ran.returncode, ran.stdout) == (2, "")
    assert ran.stderr == (
        f"error: {names}: line 2: routes: 4: the flow has no route '4'. Use one of start, 1, 2\n"
    )
    assert not menu.with_name("out.json").exists()


def test_what_cannot_be_seen_is_told_on_standard_error(menu: Path) -> None:
    menu.write_text(json.dumps(MENU | {"Settings": {}}), encoding="utf-8")
    ran = callroute("track", menu, "-o", menu)
    assert ran.returncode == 0
    assert "note: calls do not start in this flow (module)" in ran.stderr
    assert "there is no route catalog" in ran.stderr
    assert not menu.with_name("menu.routes.yaml").exists()


@pytest.mark.parametrize("content", ["{", "[]", '{"modules": []}'])
def test_what_is_not_a_flow_is_unusable_input(menu: Path, content: str) -> None:
    menu.write_text(content, encoding="utf-8")
    ran = callroute("track", menu)
    assert (ran.returncode, ran.stdout) == (2, "")
    assert str(menu) in ran.stderr


def test_a_place_that_cannot_be_written_to_is_unusable_input(menu: Path) -> None:
    ran = callroute("track", menu, "-o", menu.parent / "nowhere" / "out.json")
    assert ran.returncode == 2
    assert "cannot be written" in ran.stderr


def test_the_proof_names_a_stop_that_has_no_route() -> None:
    """No flow that was tracked has one, so that it is asked about a flow that was not."""
    hello = {
        "Identifier": "hello",
        "Type": "MessageParticipant",
        "Parameters": {"Text": "Hello"},
        "Transitions": {"NextAction": "end"},
    }
    end = {"Identifier": "end", "Type": "DisconnectParticipant", "Parameters": {}, "Transitions": {}}
    text = json.dumps({"Version": "2019-10-30", "StartAction": "hello", "Actions": [hello, end]})

    assert _proof(Flow.parse(text, "flow.json")) == "1 stop, without a route on some path: 'hello'"
