"""Guards against a call whose record does not land, and a telephone in the terminal that cannot be used."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.cli.commands import FLOWS, callroute

pytestmark = pytest.mark.emulator


def test_a_call_by_keys_leaves_its_record_in_the_table() -> None:
    ran = callroute("call", "--flow", FLOWS / "call_route.json", "--keys", "2,1", "--json")

    assert ran.returncode == 0, ran.stderr
    answer = json.loads(ran.stdout)
    assert answer["contact_record"]["Attributes"] == {"call_route": "2-1", "call_completed": "true"}
    item = answer["item"]
    assert item["contact_id"] == answer["contact_record"]["ContactId"]
    assert (item["call_route"], item["outcome"]) == ("2-1", "completed")
    now = datetime.now(UTC)
    assert datetime.fromisoformat(item["last_update"]) <= now
    assert datetime.fromisoformat(item["end_time"]) <= now


def test_a_person_in_the_terminal_hears_presses_and_hangs_up() -> None:
    # 1 at the first menu; then a word that no telephone has, silence, and hanging up at the notice that follows.
    ran = callroute("call", "--flow", FLOWS / "call_route.json", typed="1\nwhat\n\nh\n")

    assert ran.returncode == 0, ran.stderr
    assert "お電話ありがとうございます" in ran.stdout
    assert "'what' is not on a telephone" in ran.stderr
    assert "call record" in ran.stdout
    assert "abandoned_in_flow" in ran.stdout


def test_a_key_during_a_message_is_reported_with_the_block() -> None:
    # 1 at the first menu, a timeout, a key during the notice, and hanging up at the menu.
    ran = callroute("call", "--flow", FLOWS / "call_route.json", typed="1\n\n5\nh\n")

    assert ran.returncode == 0, ran.stderr
    assert "5 has no effect: the message in 'notice-1' accepts no keys" in ran.stdout
    assert "abandoned_in_flow" in ran.stdout
    assert "not on a telephone" not in ran.stderr


def test_a_call_by_a_person_has_no_timestamp_in_the_future() -> None:
    ran = callroute("call", "--flow", FLOWS / "call_route.json", "--json", typed="h\n")

    now = datetime.now(UTC)
    answer = json.loads(ran.stdout)
    assert datetime.fromisoformat(answer["item"]["last_update"]) <= now
    assert datetime.fromisoformat(answer["contact_record"]["LastUpdateTimestamp"]) <= now


def test_the_end_of_the_input_hangs_up() -> None:
    ran = callroute("call", "--flow", FLOWS / "call_route_with_operator.json", "--json", typed="")

    assert ran.returncode == 0, ran.stderr
    assert json.loads(ran.stdout)["item"]["call_route"] == "start"


def test_a_flow_without_tracking_says_why_there_is_no_record(tmp_path: Path) -> None:
    flow = tmp_path / "silent.json"
    flow.write_text(
        json.dumps(
            {
                "Version": "2019-10-30",
                "StartAction": "bye",
                "Actions": [
                    {
                        "Identifier": "bye",
                        "Type": "DisconnectParticipant",
                        "Parameters": {},
                        "Transitions": {},
                    }
                ],
            }
        )
    )

    ran = callroute("call", "--flow", flow, "--keys", "")

    assert ran.returncode == 1
    assert "the call left no record, since the flow set no call_route" in ran.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--flow", "nowhere.json"), "nowhere.json"),
        (("--flow", FLOWS / "call_route.json", "--keys", "1,x"), "'x' is not a key"),
        (("--flow", FLOWS / "call_route.routes.yaml", "--keys", "1"), "call_route.routes.yaml"),
    ],
)
def test_unusable_arguments_are_named_before_anything_is_started(
    arguments: tuple[str, ...], said: str
) -> None:
    ran = callroute("call", *arguments)

    assert ran.returncode == 2
    assert said in ran.stderr
    assert "Traceback" not in ran.stderr
