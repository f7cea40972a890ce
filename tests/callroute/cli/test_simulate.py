"""Guards `callroute simulate` as a user types it: what people read, what programs parse, and how bad input is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from callroute.cli.app import app

FOLDER = Path(__file__).parents[3] / "flow_definitions"
PLAIN = str(FOLDER / "call_route.json")
BANK = str(FOLDER / "call_route_with_operator.json")


def simulate(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["simulate", *arguments])


def document(*arguments: str) -> dict[str, Any]:
    result = simulate(*arguments, "--json")
    assert (result.exit_code, result.stderr) == (0, "")
    parsed: dict[str, Any] = json.loads(result.stdout)
    return parsed


def test_people_read_what_is_said_and_pressed_what_is_set_how_it_ended_and_the_record() -> None:
    result = simulate(PLAIN, "--keys", "timeout,2,7,1")
    assert result.exit_code == 0
    story, _, record = result.stdout.partition("contact record")
    lines = [line.split() for line in story.strip().splitlines()]
    assert [words[1] for words in lines] == [
        *("set-up", "set-up", "sets", "asks", "silence", "says", "asks", "key", "sets"),
        *("asks", "key", "says", "asks", "key", "sets", "sets", "says", "end"),
    ]
    assert "call_route = start, call_completed = false" in story
    assert "7 (not offered)" in story
    assert "ルート 2-1 で承りました。" in story
    assert "the flow ends the call (CONTACT_FLOW_DISCONNECT)" in story
    assert json.loads(record)["Attributes"] == {"call_route": "2-1", "call_completed": "true"}


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ((PLAIN,), "the caller hangs up at a menu (CUSTOMER_DISCONNECT)"),
        ((BANK, "--keys", "9,9,9"), "tries-start: no turn is left"),
        ((BANK, "--keys", "1"), "answers after 20 s"),
        ((BANK, "--keys", "1"), "the conversation with the agent is over"),
        ((BANK, "--keys", "1", "--agent-answers-after", "7.5"), "answers after 7.5 s"),
        ((BANK, "--keys", "1", "--leaves-queue-after", "60"), "the caller gives up waiting and hangs up"),
        ((BANK, "--keys", "0", "--closed"), "hours    closed"),
        ((PLAIN, "--keys", ",".join(["timeout"] * 600)), "cut off after 1,000 blocks"),
    ],
)
def test_every_ending_is_told_in_words(arguments: tuple[str, ...], told: str) -> None:
    assert told in simulate(*arguments).stdout


def test_json_is_one_document_with_events_attributes_and_record() -> None:
    result = document(
        BANK, "--keys", "3,2", "--leaves-queue-after", "60", "--at", "2026-12-31T23:59:00+09:00"
    )
    assert set(result) == {"events", "attributes", "contact_record"}
    assert result["attributes"] == result["contact_record"]["Attributes"]
    assert result["attributes"] == {
        "call_flow": "bank",
        "call_route": "open_account_consult_operator",
        "call_completed": "true",
    }
    assert result["contact_record"]["InitiationTimestamp"] == "2026-12-31T14:59:00Z"
    assert result["contact_record"]["Queue"]["Duration"] == 60
    names = [event["event"] for event in result["events"]]
    assert names[:4] == ["logging_changed", "voice_changed", "queue_chosen", "attributes_set"]
    assert names[-2:] == ["queued", "ended"]
    assert all({"event", "at", "block"} <= set(event) for event in result["events"])
    assert result["events"][0]["at"] == "2026-12-31T23:59:00.000+09:00"


def test_the_same_arguments_give_the_same_call_and_others_another_contact() -> None:
    once, again = (simulate(BANK, "--keys", "1", "--json").stdout for _ in range(2))
    assert once == again
    contact = json.loads(once)["contact_record"]["ContactId"]
    others = [
        document(PLAIN, "--keys", "1"),
        document(BANK, "--keys", "1,1"),
        document(BANK, "--keys", "1", "--closed"),
        document(BANK, "--keys", "1", "--at", "2026-04-02T10:00:00+09:00"),
        document(BANK, "--keys", "1", "--leaves-queue-after", "9"),
    ]
    contacts = {contact, *(other["contact_record"]["ContactId"] for other in others)}
    assert len(contacts) == 6


def test_placeholders_that_the_catalogue_declares_get_stand_ins() -> None:
    assert "${" not in simulate(BANK, "--keys", "1", "--json").stdout


def test_a_placeholder_that_the_catalogue_beside_the_flow_does_not_declare_is_refused(tmp_path: Path) -> None:
    flow = tmp_path / "x.json"
    flow.write_text(Path(BANK).read_text(encoding="utf-8"), encoding="utf-8")
    (tmp_path / "x.routes.yaml").write_text(
        "flow: x.json\nroutes: [{route: a, en: A, ja: エー}]\n", encoding="utf-8"
    )
    result = simulate(str(flow))
    assert result.exit_code == 2
    assert "${OperatorQueueArn}" in result.stderr


def test_a_flow_without_a_catalogue_is_simulated_as_it_stands(tmp_path: Path) -> None:
    flow = tmp_path / "x.json"
    flow.write_text(Path(BANK).read_text(encoding="utf-8"), encoding="utf-8")
    assert document(str(flow), "--keys", "1")["contact_record"]["Queue"]["ARN"] == "${OperatorQueueArn}"


@pytest.mark.parametrize(
    ("arguments", "messages"),
    [
        ((PLAIN, "--keys", "1,x"), ["--keys: key 2", "'x'", "0-9, *, #, timeout and hangup"]),
        (("nowhere.json",), ["nowhere.json", "no such file"]),
        ((str(FOLDER),), [str(FOLDER), "cannot be read"]),
        ((str(FOLDER / "call_route.routes.yaml"),), ["call_route.routes.yaml: line 1", "not JSON"]),
        ((PLAIN, "--at", "noon"), ["--at", "'noon'", "ISO 8601"]),
        ((PLAIN, "--at", "9999-12-31T23:59:59+00:00"), ["--at", "9999"]),
        ((PLAIN, "--agent-answers-after", "-1"), ["--agent-answers-after", "-1"]),
        ((PLAIN, "--agent-answers-after", "nan"), ["--agent-answers-after", "nan"]),
        ((PLAIN, "--leaves-queue-after", "1e300"), ["--leaves-queue-after", "1e+300"]),
        ((PLAIN, "--agent-answers-after", "1", "--leaves-queue-after", "1"), ["Give one of the two"]),
        ((), ["FLOW"]),
    ],
)
def test_bad_input_is_named_on_standard_error_with_exit_code_2(
    arguments: tuple[str, ...], messages: list[str]
) -> None:
    result = simulate(*arguments)
    assert (result.exit_code, result.stdout) == (2, "")
    for message in messages:
        assert message in result.stderr


def test_where_the_simulator_cannot_follow_the_story_up_to_there_is_told(tmp_path: Path) -> None:
    flow = json.loads(Path(PLAIN).read_text(encoding="utf-8"))
    for action in flow["Actions"]:
        if action["Identifier"] == "completed":
            action["Type"] = "ShowView"
    path = tmp_path / "x.json"
    path.write_text(json.dumps(flow), encoding="utf-8")
    result = simulate(str(path), "--keys", "1,1")
    assert result.exit_code == 2
    assert "call_route = 1-1" in result.stdout
    assert f"{path}: block 'completed' (ShowView)" in result.stderr
    assert simulate(str(path), "--keys", "1,1", "--json").stdout == ""
