"""Tests of `callroute simulate`: text and JSON output, scenarios, and errors."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from callroute.cli.app import app
from callroute.cli.input_files import stand_ins
from callroute.flows.route_catalog import RouteCatalog
from tests.support.paths import FLOW_DEFINITIONS

PLAIN = str(FLOW_DEFINITIONS / "call_route.json")
BANK = str(FLOW_DEFINITIONS / "call_route_with_operator.json")


def simulate(*arguments: str, stdin: str = "") -> Result:
    return CliRunner().invoke(app, ["simulate", *arguments], input=stdin)


def document(*arguments: str) -> dict[str, Any]:
    result = simulate(*arguments, "--json")
    assert (result.exit_code, result.stderr) == (0, "")
    parsed: dict[str, Any] = json.loads(result.stdout)
    return parsed


def test_text_has_one_line_per_event_and_the_record_on_request() -> None:
    result = simulate(PLAIN, "--keys", "timeout,2,7,1", "--record")
    assert result.exit_code == 0
    story, _, record = result.stdout.partition("Contact record")
    lines = [line.split() for line in story.strip().splitlines()]
    assert [words[1] for words in lines] == [
        *("sets", "settings", "settings", "sets", "asks", "silence", "says", "asks", "key", "sets"),
        *("asks", "key", "says", "asks", "key", "sets", "sets", "says", "end"),
    ]
    assert "call_route = start, call_completed = false" in story
    assert "7 (not offered)" in story
    assert "ルート 2-1 で承りました。" in story
    assert "the flow ends the call (CONTACT_FLOW_DISCONNECT)" in story
    attributes = json.loads(record)["Attributes"]
    assert attributes.pop("flow_version")
    assert attributes == {"call_route": "2-1", "call_completed": "true"}


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        ((PLAIN, "--keys", ""), "the caller hangs up at a menu (CUSTOMER_DISCONNECT)"),
        ((BANK, "--keys", "9,9,9"), "tries-start: done"),
        ((BANK, "--keys", "1"), "an agent answers after 20 s"),
        ((BANK, "--keys", "1"), "the conversation with the agent ends"),
        ((BANK, "--keys", "1", "--agent-answers-after", "7.5"), "an agent answers after 7.5 s"),
        ((BANK, "--keys", "1", "--leaves-queue-after", "60"), "the caller gives up waiting and hangs up"),
        ((BANK, "--keys", "0", "--closed"), "hours      closed"),
        ((PLAIN, "--keys", ",".join(["timeout"] * 600)), "stopped after 1,000 blocks"),
    ],
)
def test_text_describes_how_the_call_ended(arguments: tuple[str, ...], line: str) -> None:
    assert line in simulate(*arguments).stdout


def test_json_has_events_attributes_and_contact_records() -> None:
    result = document(
        BANK, "--keys", "3,2", "--leaves-queue-after", "60", "--at", "2026-12-31T23:59:00+09:00"
    )
    assert set(result) == {"events", "attributes", "contact_record", "contact_records"}
    assert result["contact_records"] == [result["contact_record"]]
    assert result["attributes"] == result["contact_record"]["Attributes"]
    assert result["attributes"].pop("flow_version")
    assert result["attributes"] == {
        "call_flow": "bank",
        "call_route": "open_account_consult_operator",
        "call_completed": "true",
    }
    assert result["contact_record"]["InitiationTimestamp"] == "2026-12-31T14:59:00Z"
    assert result["contact_record"]["Queue"]["Duration"] == 60
    names = [event["event"] for event in result["events"]]
    assert names[1:5] == ["logging_changed", "voice_changed", "queue_chosen", "attributes_set"]
    assert names[-2:] == ["queued", "ended"]
    assert all({"event", "at", "block"} <= set(event) for event in result["events"])
    assert result["events"][0]["at"] == "2026-12-31T23:59:00.000+09:00"


def test_contact_id_depends_only_on_the_arguments() -> None:
    once, again = (simulate(BANK, "--keys", "1", "--json").stdout for _ in range(2))
    assert once == again
    contact = json.loads(once)["contact_record"]["ContactId"]
    others = [
        document(PLAIN, "--keys", "1"),
        document(BANK, "--keys", "9,1"),
        document(BANK, "--keys", "1", "--closed"),
        document(BANK, "--keys", "1", "--at", "2026-04-02T10:00:00+09:00"),
        document(BANK, "--keys", "1", "--leaves-queue-after", "9"),
    ]
    contacts = {contact, *(other["contact_record"]["ContactId"] for other in others)}
    assert len(contacts) == 6


def test_contact_id_does_not_depend_on_names_in_the_code() -> None:
    contact = document(PLAIN, "--keys", "1,1")["contact_record"]["ContactId"]
    assert contact == "f98f6db3-4628-5461-ab31-2399dbd3e3f4"


def test_unused_keys_are_reported() -> None:
    result = simulate(PLAIN, "--keys", "1,1,5")
    assert result.exit_code == 0
    assert "--keys: key 5 was never pressed: the call ended in block 'disconnect'" in result.stderr
    assert simulate(PLAIN, "--keys", "1,1").stderr == ""


def test_declared_placeholders_are_replaced() -> None:
    assert "${" not in simulate(BANK, "--keys", "1", "--json").stdout


def test_placeholders_missing_from_the_catalog_exit_with_2(tmp_path: Path) -> None:
    flow = tmp_path / "x.json"
    flow.write_text(Path(BANK).read_text(encoding="utf-8"), encoding="utf-8")
    (tmp_path / "x.routes.yaml").write_text(
        "flow: x.json\nroutes: [{route: a, en: A, ja: エー}]\n", encoding="utf-8"
    )
    result = simulate(str(flow), "--keys", "")
    assert result.exit_code == 2
    assert "${OperatorQueueArn}" in result.stderr


def test_placeholders_of_flows_without_catalog_are_kept(tmp_path: Path) -> None:
    flow = tmp_path / "x.json"
    flow.write_text(Path(BANK).read_text(encoding="utf-8"), encoding="utf-8")
    assert document(str(flow), "--keys", "1")["contact_record"]["Queue"]["ARN"] == "${OperatorQueueArn}"


@pytest.mark.parametrize(
    ("arguments", "messages"),
    [
        ((PLAIN, "--keys", "1,x"), ["--keys: key 2", "'x'", "0-9, *, #, timeout and hangup"]),
        (("nowhere.json", "--keys", ""), ["nowhere.json", "no such file"]),
        ((str(FLOW_DEFINITIONS), "--keys", ""), [str(FLOW_DEFINITIONS), "is a folder"]),
        (
            (str(FLOW_DEFINITIONS / "call_route.routes.yaml"), "--keys", ""),
            ["call_route.routes.yaml: line 1", "not JSON"],
        ),
        ((PLAIN, "--at", "noon"), ["--at", "'noon'", "ISO 8601"]),
        ((PLAIN, "--at", "9999-12-31T23:59:59+00:00"), ["--at", "9999"]),
        (
            (PLAIN, "--keys", "", "--agent-answers-after", "-1"),
            ["--agent-answers-after: -1.0 is not in the range"],
        ),
        ((PLAIN, "--agent-answers-after", "nan"), ["--agent-answers-after: 'nan' is not a number"]),
        ((PLAIN, "--keys", "", "--leaves-queue-after", "1e300"), ["--leaves-queue-after", "1e+300"]),
        (
            (PLAIN, "--keys", "", "--agent-answers-after", "1", "--leaves-queue-after", "1"),
            ["Use one of the two"],
        ),
        (
            (PLAIN, "--minimum-coverage", "101"),
            ["--minimum-coverage: 101.0 is not in the range 0<=x<=100"],
        ),
        ((), ["missing argument 'FLOW'"]),
    ],
)
def test_unusable_arguments_exit_with_2(arguments: tuple[str, ...], messages: list[str]) -> None:
    result = simulate(*arguments)
    assert (result.exit_code, result.stdout) == (2, "")
    for message in messages:
        assert message in result.stderr


def test_events_before_an_unknown_block_are_printed(tmp_path: Path) -> None:
    flow = json.loads(Path(PLAIN).read_text(encoding="utf-8"))
    for action in flow["Actions"]:
        if action["Identifier"] == "completed":
            action["Type"] = "ShowHologram"
    path = tmp_path / "x.json"
    path.write_text(json.dumps(flow), encoding="utf-8")
    result = simulate(str(path), "--keys", "1,1")
    assert result.exit_code == 2
    assert "call_route = 1-1" in result.stdout
    assert f"{path}: block 'completed' (ShowHologram)" in result.stderr
    assert simulate(str(path), "--keys", "1,1", "--json").stdout == ""


def test_the_record_is_not_printed_by_default() -> None:
    assert "Contact record" not in simulate(PLAIN, "--keys", "1").stdout


def test_without_keys_a_terminal_is_needed() -> None:
    result = simulate(PLAIN)
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr == (
        "error: --keys: not given, and standard input is not a terminal. "
        "Pass the keys, for example --keys 1,2, or --keys '' to hang up at the first menu\n"
    )


def test_a_flow_can_come_from_standard_input() -> None:
    text = Path(PLAIN).read_text(encoding="utf-8")
    assert "call_route = 2-1" in simulate("-", "--keys", "2,1", stdin=text).stdout
    without_keys = simulate("-", stdin=text)
    assert without_keys.exit_code == 2
    assert "the flow is read from standard input" in without_keys.stderr


# --- Results and flows outside the flow ------------------------------------------------------------------------------


def block(name: str, kind: str, then: str | None, **parameters: Any) -> dict[str, Any]:
    transitions = {"NextAction": then} if then else {}
    return {"Identifier": name, "Type": kind, "Parameters": parameters, "Transitions": transitions}


@pytest.fixture
def asking(tmp_path: Path) -> Path:
    """A flow that invokes a Lambda function and then a module."""
    actions = [
        block("ask", "InvokeLambdaFunction", "say", LambdaFunctionARN="arn:aws:lambda:x:1:function:lookup"),
        block("say", "MessageParticipant", "more", Text="Hello $.External.name"),
        block("more", "InvokeFlowModule", "end", FlowModuleId="greeting"),
        block("end", "DisconnectParticipant", None),
    ]
    path = tmp_path / "asking.json"
    document = {"Version": "2019-10-30", "StartAction": "ask", "Actions": actions}
    path.write_text(json.dumps(document), encoding="utf-8")
    module = document | {
        "StartAction": "in",
        "Actions": [
            block("in", "MessageParticipant", "out", Text="from the module"),
            block("out", "EndFlowModuleExecution", None),
        ],
    }
    (tmp_path / "module.json").write_text(json.dumps(module), encoding="utf-8")
    return path


def test_results_and_modules_can_be_given_as_options(asking: Path) -> None:
    result = simulate(
        str(asking),
        *("--keys", ""),
        *("--answer", "lambda:lookup={name: Hana}"),
        *("--flow-file", f"greeting={asking.with_name('module.json')}"),
    )
    assert result.exit_code == 0, result.stderr
    assert "Hello Hana" in result.stdout
    assert "from the module" in result.stdout


def test_results_and_modules_can_be_given_in_a_file_and_options_override_it(
    asking: Path, tmp_path: Path
) -> None:
    world = tmp_path / "world.yaml"
    world.write_text("lambda: {lookup: {name: File}}\nflows: {greeting: module.json}\n", encoding="utf-8")
    assert "Hello File" in simulate(str(asking), "--keys", "", "--world", str(world)).stdout
    typed = simulate(
        *(str(asking), "--keys", "", "--world", str(world)),
        *("--answer", "lambda:lookup={name: Typed}"),
    )
    assert "Hello Typed" in typed.stdout
    events = document(str(asking), "--keys", "", "--world", str(world))["events"]
    assert {"event": "fetched", "subject": "lambda lookup", "values": {"name": "File"}}.items() <= events[
        0
    ].items()


def test_missing_results_are_reported_with_the_option_that_gives_them(asking: Path) -> None:
    result = simulate(str(asking), "--keys", "")
    assert result.exit_code == 2
    assert "block 'ask' (InvokeLambdaFunction)" in result.stderr
    assert "--answer 'lambda:lookup=…'" in result.stderr


def test_transfers_have_their_own_records(tmp_path: Path) -> None:
    world = tmp_path / "world.yaml"
    world.write_text("agent_transfers_to: arn:q/experts\n", encoding="utf-8")
    records = document(BANK, "--keys", "1", "--world", str(world))["contact_records"]
    assert [record["InitiationMethod"] for record in records] == ["INBOUND", "TRANSFER"]
    assert records[0]["NextContactId"] == records[1]["ContactId"]
    text = simulate(BANK, "--keys", "1", "--world", str(world), "--record").stdout
    assert "Contact record of transfer or callback 1" in text


@pytest.mark.parametrize(
    ("arguments", "messages"),
    [
        (("--answer", "lamda:x={}"), ["--answer", "did you mean 'lambda'"]),
        (("--flow-file", "nothing"), ["--flow-file", "NAME=FILE"]),
        (("--flow-file", "x=nowhere.json"), ["nowhere.json"]),
        (("--world", "nowhere.yaml"), ["nowhere.yaml"]),
        (("--minimum-coverage", "50"), ["--minimum-coverage", "--scenarios"]),
        (("--scenarios", "x.yaml", "--keys", "1"), ["--scenarios", "--keys"]),
        (("--scenarios", "x.yaml", "--agent-answers-after", "0"), ["--scenarios", "--agent-answers-after"]),
        (("--answer", "errors:menu-strat=NoMatchingError"), ["'menu-strat'", "did you mean 'menu-start'"]),
        (("--answer", "errors:menu-1=Silence"), ["'menu-1' cannot fail with 'Silence'", "InputTimeLimit"]),
        (("--scenarios", "nowhere.yaml"), ["nowhere.yaml"]),
    ],
)
def test_unusable_options_exit_with_2(arguments: tuple[str, ...], messages: list[str]) -> None:
    keys = () if "--scenarios" in arguments else ("--keys", "")
    result = simulate(PLAIN, *keys, *arguments)
    assert (result.exit_code, result.stdout) == (2, "")
    for message in messages:
        assert message in result.stderr


# --- Scenarios -------------------------------------------------------------------------------------------------------


@pytest.fixture
def scenarios(tmp_path: Path) -> Path:
    path = tmp_path / "few.scenarios.yaml"
    path.write_text(
        "flow: call_route.json\n"
        "scenarios:\n"
        "  - {name: contracts, keys: '1, 1', attributes: {call_route: 1-1}}\n"
        "  - {name: 'a [bold] claim', keys: hangup, hears: nobody says this}\n",
        encoding="utf-8",
    )
    return path


def test_scenarios_list_failures_and_branches_that_were_not_taken(scenarios: Path) -> None:
    result = simulate(PLAIN, "--scenarios", str(scenarios))
    assert result.exit_code == 1
    lines = result.stdout.splitlines()
    assert lines[0] == "✓ contracts"
    assert lines[1] == "✗ a [bold] claim"
    assert lines[2].endswith("few.scenarios.yaml:4: hears 'nobody says this': no prompt contains it")
    assert "1 of 2 scenarios passed" in lines
    assert "    not taken: menu-start: when 2 → route-2" in lines
    assert "    not taken: menu-start: error InputTimeLimitExceeded → notice-start" in lines


def test_scenarios_have_json_output(scenarios: Path) -> None:
    result = simulate(PLAIN, "--scenarios", str(scenarios), "--json")
    assert result.exit_code == 1
    printed = json.loads(result.stdout)
    assert [(each["name"], each["line"], each["passed"]) for each in printed["scenarios"]] == [
        ("contracts", 3, True),
        ("a [bold] claim", 4, False),
    ]
    covered = printed["coverage"]
    assert covered["taken"] + len(covered["not_taken"]) == covered["total"] == 42
    assert {"source": "menu-start", "kind": "condition", "label": "2", "target": "route-2"} in covered[
        "not_taken"
    ]


def test_coverage_of_modules_is_counted_separately(asking: Path, tmp_path: Path) -> None:
    path = tmp_path / "asking.scenarios.yaml"
    path.write_text(
        "flow: asking.json\n"
        "world: {lambda: {lookup: {}}, flows: {greeting: module.json}}\n"
        "scenarios: [{name: a, hears: from the module}]\n",
        encoding="utf-8",
    )
    module = json.loads(asking.with_name("module.json").read_text("utf-8"))
    module["Actions"][0]["Transitions"]["Errors"] = [{"NextAction": "out", "ErrorType": "NoMatchingError"}]
    asking.with_name("module.json").write_text(json.dumps(module), encoding="utf-8")
    arguments = str(asking), "--scenarios", str(path), "--minimum-coverage", "100"
    result = simulate(*arguments)
    assert result.exit_code == 0, "the minimum does not apply to modules"
    assert "3 of 3 branches taken (100.0%)" in result.stdout
    assert f"{asking.with_name('module.json')}: 1 of 2 branches taken (50.0%)" in result.stdout
    assert "not taken: in: error NoMatchingError → out" in result.stdout
    printed = json.loads(simulate(*arguments, "--json").stdout)
    assert printed["coverage"]["taken"] == 3
    assert [(Path(each["flow"]).name, each["percent"]) for each in printed["entered"]] == [
        ("module.json", 50)
    ]


def test_scenarios_of_this_repository_reach_the_minimum_coverage() -> None:
    own = str(FLOW_DEFINITIONS / "call_route.scenarios.yaml")
    assert simulate(PLAIN, "--scenarios", own, "--minimum-coverage", "100").exit_code == 0


def test_low_coverage_fails_although_all_scenarios_pass(tmp_path: Path) -> None:
    path = tmp_path / "one.yaml"
    path.write_text(
        "flow: call_route.json\nscenarios: [{name: a, ends: CUSTOMER_DISCONNECT}]\n", encoding="utf-8"
    )
    assert simulate(PLAIN, "--scenarios", str(path)).exit_code == 0
    failed = simulate(PLAIN, "--scenarios", str(path), "--minimum-coverage", "50")
    assert failed.exit_code == 1
    assert "but --minimum-coverage is 50%" in failed.stderr


def test_a_placeholder_inside_an_arn_is_not_replaced_by_an_arn() -> None:
    catalog = RouteCatalog("x.json", None, {"Region": "Region", "QueueArn": "Queue"}, {})

    values = stand_ins(catalog, '["arn:aws:connect:${Region}:111111111111:instance/i", "${QueueArn}"]')

    assert values is not None
    assert values["Region"] == "Region"
    assert values["QueueArn"].startswith("arn:")
