"""Guards against a call whose record does not land, and a telephone in the terminal that cannot be used."""

from __future__ import annotations

import json
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


def test_a_person_in_the_terminal_hears_presses_and_hangs_up() -> None:
    # 1 at the first menu; then a word that no telephone has, silence, and hanging up at the notice that follows.
    ran = callroute("call", "--flow", FLOWS / "call_route.json", typed="1\nwhat\n\nh\n")

    assert ran.returncode == 0, ran.stderr
    assert "お電話ありがとうございます" in ran.stdout
    assert "'what' is not on a telephone" in ran.stderr
    assert "call record" in ran.stdout
    assert "abandoned_in_flow" in ran.stdout


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
