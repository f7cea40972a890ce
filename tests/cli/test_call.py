"""Tests of `callroute call`: calls by keys, by prompts and by Ctrl-C, and their records."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from callroute.flows.flow import Flow
from callroute.flows.tracking_blocks import flow_version, strip_tracking
from tests.cli.commands import FLOWS, callroute

pytestmark = pytest.mark.emulator


def test_the_record_of_a_call_with_keys_is_stored() -> None:
    ran = callroute("call", "--flow", FLOWS / "call_route.json", "--keys", "2,1", "--json")

    assert ran.returncode == 0, ran.stderr
    answer = json.loads(ran.stdout)
    attributes = answer["contact_record"]["Attributes"]
    assert attributes.pop("flow_version") == flow_version(
        strip_tracking(Flow.load(FLOWS / "call_route.json"))[0]
    )
    assert attributes == {"call_route": "2-1", "call_completed": "true"}
    item = answer["item"]
    assert item["contact_id"] == answer["contact_record"]["ContactId"]
    assert (item["call_route"], item["outcome"]) == ("2-1", "completed")
    now = datetime.now(UTC)
    assert datetime.fromisoformat(item["last_update"]) <= now
    assert datetime.fromisoformat(item["end_time"]) <= now


def test_without_keys_the_user_is_asked() -> None:
    # 1 at the first menu, then an unknown key, no key, and hanging up during the following message.
    ran = callroute("call", "--flow", FLOWS / "call_route.json", stdin="1\nwhat\n\nh\n")

    assert ran.returncode == 0, ran.stderr
    assert "お電話ありがとうございます" in ran.stdout
    assert "'what' is not one of these keys" in ran.stderr
    assert "Call record" in ran.stdout
    assert "abandoned_in_flow" in ran.stdout


def test_a_key_during_a_message_is_reported_with_the_block() -> None:
    # 1 at the first menu, a timeout, a key during the notice, and hanging up at the menu.
    ran = callroute("call", "--flow", FLOWS / "call_route.json", stdin="1\n\n5\nh\n")

    assert ran.returncode == 0, ran.stderr
    assert "5 has no effect: the message in 'notice-1' accepts no keys" in ran.stdout
    assert "abandoned_in_flow" in ran.stdout
    assert "not one of these keys" not in ran.stderr


def test_a_call_by_a_person_has_no_timestamp_in_the_future() -> None:
    ran = callroute("call", "--flow", FLOWS / "call_route.json", "--json", stdin="h\n")

    now = datetime.now(UTC)
    answer = json.loads(ran.stdout)
    assert datetime.fromisoformat(answer["item"]["last_update"]) <= now
    assert datetime.fromisoformat(answer["contact_record"]["LastUpdateTimestamp"]) <= now


def test_the_end_of_the_input_hangs_up() -> None:
    ran = callroute("call", "--flow", FLOWS / "call_route_with_operator.json", "--json", stdin="")

    assert ran.returncode == 0, ran.stderr
    assert json.loads(ran.stdout)["item"]["call_route"] == "start"


def test_calls_without_record_exit_with_1_and_the_reason(tmp_path: Path) -> None:
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
    assert (
        "the call left no record, because the flow did not set call_route. Run `callroute track`"
        in ran.stderr
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--flow", "nowhere.json"), "nowhere.json"),
        (("--flow", FLOWS / "call_route.json", "--keys", "1,x"), "'x' is not a key"),
        (("--flow", FLOWS / "call_route.routes.yaml", "--keys", "1"), "call_route.routes.yaml"),
        (("--flow", "-"), "--keys: not given, and the flow is read from standard input"),
    ],
)
def test_unusable_arguments_exit_with_2(arguments: tuple[str, ...], message: str) -> None:
    ran = callroute("call", *arguments)

    assert ran.returncode == 2
    assert message in ran.stderr
    assert "Traceback" not in ran.stderr
