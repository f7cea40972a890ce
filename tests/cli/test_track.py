"""Tests of `callroute track`: its output, its summary, and that it keeps everything that users wrote."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from callroute.cli.app import app
from callroute.cli.track import stops_summary
from callroute.flows.flow import Flow
from callroute.flows.route_catalog import RouteCatalog
from callroute.flows.tracking_blocks import flow_version
from tests.cli.commands import FLOWS, callroute
from tests.support import corpus
from tests.support.paths import REPOSITORY

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
    """A flow without tracking, in an unusual format."""
    path = tmp_path / "menu.json"
    path.write_text(json.dumps(MENU, indent=3, ensure_ascii=False), encoding="utf-8")
    return path


def test_without_output_file_the_flow_is_printed_and_nothing_is_written(menu: Path) -> None:
    ran = callroute("track", menu)
    assert ran.returncode == 0
    assert "track-main-1" in Flow.parse(ran.stdout, "stdout").blocks
    assert ran.stderr == (
        "4 tracking blocks, 4 of them new; 3 routes (use --output to write the route catalog)\n"
        "1 stop, all with a route on every path\n"
    )
    assert [path.name for path in menu.parent.iterdir()] == ["menu.json"]


def test_one_run_writes_flow_and_picture_and_summarizes_the_stops(menu: Path) -> None:
    out, picture = menu.with_name("tracked.json"), menu.with_name("tracked.svg")
    ran = callroute("track", menu, "-o", out, "--picture", picture)
    assert (ran.returncode, ran.stdout) == (0, "")
    assert "1 stop, all with a route on every path" in ran.stderr
    assert picture.read_text(encoding="utf-8") == callroute("draw", out, "--format", "svg").stdout
    assert "track-main-1" in picture.read_text(encoding="utf-8")
    refused = callroute("track", menu, "--picture", "x.png")
    assert refused.returncode == 2
    assert "'x.png' does not end in .svg" in refused.stderr


def test_written_flow_and_catalog_pass_the_check(menu: Path) -> None:
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
        "flow_version": flow_version(Flow.load(menu)),
        "call_route": "2",
        "call_completed": "true",
    }


def test_formatting_and_everything_except_tracking_are_kept(menu: Path) -> None:
    before = menu.read_text(encoding="utf-8").splitlines()
    callroute("track", menu, "-o", menu)
    after = menu.read_text(encoding="utf-8").splitlines()
    removed = [line.strip() for line in before if line not in after]
    assert all("NextAction" in line or line.startswith(('"StartAction"', "}")) for line in removed), removed


def test_a_second_run_changes_nothing(menu: Path) -> None:
    callroute("track", menu, "-o", menu)
    files = {path: path.read_bytes() for path in menu.parent.iterdir()}
    ran = callroute("track", menu, "-o", menu)
    assert ran.returncode == 0
    assert "4 tracking blocks, 0 of them new" in ran.stderr
    assert {path: path.read_bytes() for path in menu.parent.iterdir()} == files


def test_flows_with_manual_tracking_are_not_changed() -> None:
    for path in sorted(FLOWS.glob("*.json")):
        ran = callroute("track", path)
        assert ran.stdout == path.read_text(encoding="utf-8")
        assert "1 tracking block, 0 of them new" in ran.stderr


def test_labels_and_comments_in_the_catalog_are_kept_when_routes_are_added(menu: Path) -> None:
    catalog = menu.with_name("menu.routes.yaml")
    text = "# comment\nflow: menu.json\nroutes:\n  - {route: start, en: Mine, ja: 私}  # a remark\n"
    catalog.write_text(text, encoding="utf-8")
    callroute("track", menu, "-o", menu)
    # The catalog has no call_flow yet, so the whole file is written again.
    read = RouteCatalog.parse(catalog.read_text(encoding="utf-8"), "x")
    assert read.routes["start"].en == "Mine"
    assert read.call_flow == "Sample line"
    catalog.write_text(text.replace("routes:", "call_flow: Sample line\nroutes:"), encoding="utf-8")
    callroute("track", menu, "-o", menu)
    updated = catalog.read_text(encoding="utf-8")
    assert updated.startswith("# comment")
    assert "# a remark" in updated
    assert list(RouteCatalog.parse(updated, "x").routes) == ["start", "1", "2"]


def test_labels_of_the_catalog_beside_the_input_are_copied_to_the_output(menu: Path) -> None:
    catalog_of_input = "flow: menu.json\nroutes:\n  - {route: '1', en: Mine, ja: 私}\n"
    menu.with_name("menu.routes.yaml").write_text(catalog_of_input, encoding="utf-8")
    out = menu.with_name("tracked.json")
    callroute("track", menu, "-o", out)
    catalog = RouteCatalog.beside(out)
    assert catalog is not None
    assert catalog.routes["1"].en == "Mine"


def test_names_are_taken_from_a_route_file(menu: Path) -> None:
    names = menu.with_name("names.yaml")
    names.write_text('call_flow: bank\nroutes: {"1": balance}\n', encoding="utf-8")
    ran = callroute("track", menu, "--routes", names)
    blocks = Flow.parse(ran.stdout, "stdout").blocks
    assert blocks["track-main-1"].parameters["Attributes"]["call_route"] == "balance"
    assert blocks["track-start"].parameters["Attributes"]["call_flow"] == "bank"


def test_names_for_missing_routes_exit_with_2(menu: Path) -> None:
    names = menu.with_name("names.yaml")
    names.write_text('routes:\n  "4": balance\n', encoding="utf-8")
    ran = callroute("track", menu, "--routes", names, "-o", menu.with_name("out.json"))
    assert (ran.returncode, ran.stdout) == (2, "")
    assert ran.stderr == (
        f"error: {names}: line 2: routes: 4: the flow has no route '4'. Use one of start, 1, 2\n"
    )
    assert not menu.with_name("out.json").exists()


def test_notes_on_standard_error_say_what_cannot_be_determined(menu: Path) -> None:
    menu.write_text(json.dumps(MENU | {"Settings": {}}), encoding="utf-8")
    ran = callroute("track", menu, "-o", menu)
    assert ran.returncode == 0
    assert "note: calls do not start in this flow (module)" in ran.stderr
    assert "there is no route catalog" in ran.stderr
    assert not menu.with_name("menu.routes.yaml").exists()


@pytest.mark.parametrize("content", ["{", "[]", '{"modules": []}'])
def test_files_that_are_not_flows_exit_with_2(menu: Path, content: str) -> None:
    menu.write_text(content, encoding="utf-8")
    ran = callroute("track", menu)
    assert (ran.returncode, ran.stdout) == (2, "")
    assert str(menu) in ran.stderr


def test_output_that_cannot_be_written_exits_with_2(menu: Path) -> None:
    ran = callroute("track", menu, "-o", menu.parent / "nowhere" / "out.json")
    assert ran.returncode == 2
    assert "cannot be written" in ran.stderr


def test_summary_names_stops_without_route() -> None:
    """Uses a flow without tracking, because a tracked flow has no such stop."""
    hello = {
        "Identifier": "hello",
        "Type": "MessageParticipant",
        "Parameters": {"Text": "Hello"},
        "Transitions": {"NextAction": "end"},
    }
    end = {"Identifier": "end", "Type": "DisconnectParticipant", "Parameters": {}, "Transitions": {}}
    text = json.dumps({"Version": "2019-10-30", "StartAction": "hello", "Actions": [hello, end]})

    assert stops_summary(Flow.parse(text, "flow.json")) == "1 stop, without a route on some path: 'hello'"


# --- Protection of existing files ------------------------------------------------------------------------------------


@pytest.mark.parametrize("content", ["", "precious", "{}", json.dumps(MENU)])
def test_other_files_are_overwritten_only_with_force(menu: Path, content: str) -> None:
    out = menu.with_name("out.json")
    out.write_text(content, encoding="utf-8")

    refused = callroute("track", menu, "-o", out)

    assert (refused.returncode, refused.stdout) == (2, "")
    assert refused.stderr == (
        f"error: --output: {out} exists and was not written by `callroute track`. "
        "Choose another file, or use --force to overwrite it\n"
    )
    assert out.read_text(encoding="utf-8") == content
    assert not out.with_name("out.routes.yaml").exists()
    assert callroute("track", menu, "-o", out, "--force").returncode == 0
    assert "track-main-1" in out.read_text(encoding="utf-8")


def test_own_output_is_overwritten_after_a_change_of_the_flow(menu: Path) -> None:
    out = menu.with_name("out.json")
    callroute("track", menu, "-o", out)
    menu.write_text(menu.read_text(encoding="utf-8").replace("Sample line", "Other line"), encoding="utf-8")

    assert callroute("track", menu, "-o", out).returncode == 0
    assert "Other line" in out.read_text(encoding="utf-8")


def test_input_may_be_the_output_under_another_name(menu: Path) -> None:
    link = menu.with_name("link.json")
    link.symlink_to(menu)

    assert callroute("track", menu, "-o", link).returncode == 0
    assert "track-main-1" in menu.read_text(encoding="utf-8")


def test_a_flow_can_come_from_standard_input(menu: Path) -> None:
    ran = callroute("track", "-", stdin=menu.read_text(encoding="utf-8"))

    assert ran.returncode == 0
    assert "track-main-1" in ran.stdout


def test_quiet_hides_the_summary(menu: Path) -> None:
    ran = callroute("track", menu, "--quiet")

    assert (ran.returncode, ran.stderr) == (0, "")
    assert "track-main-1" in ran.stdout


def test_a_described_flow_is_tracked_but_never_overwritten(tmp_path: Path) -> None:
    described = tmp_path / "described.json"
    text = json.dumps({"ContactFlow": {"Type": "CONTACT_FLOW", "Content": json.dumps(MENU)}})
    described.write_text(text, encoding="utf-8")

    refused = callroute("track", described, "-o", described)
    done = callroute("track", described, "-o", tmp_path / "flow.json")

    assert (refused.returncode, described.read_text(encoding="utf-8")) == (2, text)
    assert "contains more than the flow" in refused.stderr
    assert done.returncode == 0, done.stderr
    assert "type: CONTACT_FLOW" in (tmp_path / "flow.routes.yaml").read_text(encoding="utf-8")


AMBIGUOUS = REPOSITORY / "tests" / "flows" / "fixtures" / "bad" / "ambiguous-stop.json"


def test_stops_that_records_would_not_distinguish_are_named_with_the_lines_to_add() -> None:
    done = callroute("track", AMBIGUOUS)

    assert "records would not distinguish 1 stop from others" in done.stderr
    assert '    blocks:\n      "transfer": transfer\n' in done.stderr


def test_resolve_gives_each_stop_its_own_route_once(tmp_path: Path) -> None:
    out = tmp_path / "flow.json"

    first = callroute("track", AMBIGUOUS, "-o", out, "--resolve")
    resolved = out.read_bytes()
    again = callroute("track", out, "-o", out, "--resolve")

    assert (first.returncode, again.returncode) == (0, 0)
    assert "would not distinguish" not in first.stderr
    assert out.read_bytes() == resolved
    assert callroute("check", out, "--format", "json").returncode == 0


def test_a_folder_is_tracked_into_another_folder(tmp_path: Path) -> None:
    flows = tmp_path / "flows" / "inner"
    flows.mkdir(parents=True)
    (flows / "menu.json").write_text(json.dumps(MENU), encoding="utf-8")
    (flows / "broken.json").write_text('{"Actions": 1}', encoding="utf-8")
    (flows / "other.json").write_text("{}", encoding="utf-8")

    done = callroute("track", tmp_path / "flows", "-o", tmp_path / "tracked")

    assert done.returncode == 2  # because of broken.json
    assert "broken.json" in done.stderr
    written = sorted(
        path.relative_to(tmp_path / "tracked").as_posix() for path in tmp_path.glob("tracked/**/*.*")
    )
    assert written == ["inner/menu.json", "inner/menu.routes.yaml"]
    assert "tracking blocks" in done.stderr


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ((), "must be a folder, because FLOW is a folder"),
        (("-o", "OUT", "--picture", "x.svg"), "it applies to a single flow"),
    ],
)
def test_options_that_do_not_fit_a_folder_are_rejected(
    tmp_path: Path, options: tuple[str, ...], message: str
) -> None:
    done = callroute("track", tmp_path, *(each.replace("OUT", str(tmp_path / "o")) for each in options))

    assert done.returncode == 2
    assert message in done.stderr


def test_tracking_the_same_flow_into_the_same_file_twice_is_allowed_without_tracking_blocks(
    tmp_path: Path,
) -> None:
    out = tmp_path / "flow.json"
    flow = FLOWS / "call_route.json"  # sets its routes itself

    first = callroute("track", flow, "-o", out)
    second = callroute("track", flow, "-o", out)

    assert (first.returncode, second.returncode) == (0, 0), second.stderr


@pytest.mark.skipif(corpus.CORPUS is None, reason=corpus.MISSING)
def test_resolved_flows_of_the_corpus_stay_as_they_are(tmp_path: Path) -> None:
    for path in corpus.flows():
        out = tmp_path / path.name
        if CliRunner().invoke(app, ["track", str(path), "-o", str(out), "--resolve"]).exit_code:
            continue  # not in the flow language, or too large
        written = (out, out.with_suffix(".routes.yaml"))
        resolved = [file.read_bytes() for file in written if file.exists()]
        again = CliRunner().invoke(app, ["track", str(out), "-o", str(out)])
        assert again.exit_code == 0, path.name
        assert [file.read_bytes() for file in written if file.exists()] == resolved, path.name


def test_detail_can_be_added_left_out_for_a_stop_and_removed(menu: Path) -> None:
    plain, out = callroute("track", menu).stdout, menu.with_name("tracked.json")
    ran = callroute("track", menu, "-o", out, "--detail", "--without-detail", "2")
    assert ran.returncode == 0
    assert "detail for 2 stops: 7 tracking blocks, and up to " in ran.stderr
    detailed = out.read_text(encoding="utf-8")
    assert "call_from_1" in detailed
    assert "call_from_2" not in detailed
    assert callroute("check", out).returncode == 0
    assert callroute("track", out).stdout == detailed
    assert callroute("track", out, "--no-detail").stdout == plain
    ran = callroute("track", out, "--detail", "--without-detail", "0")
    assert (ran.returncode, ran.stdout) == (2, "")
    assert "no route '0'" in ran.stderr
