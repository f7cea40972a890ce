"""Guards the purpose of the project: wherever a caller leaves a flow, the table contains exactly that stop.

All calls use one local cloud that runs the program unchanged, with the registered flow, stream, pipe, role, state machine
and table.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from callroute.flows import simulation
from callroute.flows.simulation import HANGUP, TIMEOUT, Environment
from callroute.flows.simulation.events import MenuOffered, Queued, Said
from callroute.local.cloud import DeliveryCounts, LocalCloud, pipe_of
from callroute.local.dialer import PlacedCall
from callroute.reports.call_records import read_all
from tests.support.contact_records import contact_record
from tests.support.oracle import item
from tests.support.paths import REPOSITORY

pytestmark = pytest.mark.emulator

FLOWS = ("call-route", "call-route-with-operator")
ENVIRONMENTS = {
    "call-route": (Environment(),),
    "call-route-with-operator": (
        Environment(agent_answers_after=20),
        Environment(agent_answers_after=None),
        Environment(is_open=False),
        Environment(queue_is_full=True),
    ),
}


class Explorer:
    """A caller who gives planned answers, then default answers, and collects plans for all alternatives."""

    def __init__(self, plan: tuple[Any, ...]) -> None:
        self.plan = plan
        self.given: list[Any] = []
        self.untried: list[tuple[Any, ...]] = []

    def _answer(self, choices: tuple[Any, ...]) -> Any:
        position = len(self.given)
        if position < len(self.plan):
            answer = self.plan[position]
        else:
            answer, *others = choices
            self.untried += [(*self.given, other) for other in others]
        self.given.append(answer)
        return answer

    def listens(self, message: Said) -> bool:
        return bool(self._answer((True, False)))

    def chooses(self, menu: MenuOffered) -> str:
        # At most one timeout per call, because a menu could repeat endlessly after each one.
        silence = () if TIMEOUT in self.given else (TIMEOUT,)
        return str(self._answer((HANGUP, *menu.keys, *silence)))

    def waits(self, queued: Queued) -> float | None:
        answer: float | None = self._answer((None, 5.0))
        return answer if answer is not None else 3600.0


@dataclass
class Outcome:
    """All calls and their results."""

    placed: list[PlacedCall]
    counts: DeliveryCounts
    items: dict[str, dict[str, Any]]


@pytest.fixture(scope="module")
def cloud() -> Iterator[LocalCloud]:
    with LocalCloud(project=REPOSITORY) as running:
        yield running


@pytest.fixture(scope="module")
def all_calls(cloud: LocalCloud) -> Outcome:
    moment = datetime(2026, 3, 31, 14, 59, 30, tzinfo=UTC)  # just before midnight in Tokyo
    placed = []
    for flow in FLOWS:
        for environment in ENVIRONMENTS[flow]:
            plans: list[tuple[Any, ...]] = [()]
            while plans:
                caller = Explorer(plans.pop())
                clock = simulation.SimulatedClock(moment)
                placed.append(cloud.dialer.call(flow, caller, clock=clock, environment=environment))
                plans += caller.untried
                moment += timedelta(seconds=7)
    counts = cloud.settle()
    items = read_all(cloud.emulator.client("dynamodb"), cloud.table_name)
    return Outcome(placed, counts, {each["contact_id"]: each for each in items})


def test_every_call_is_stored_as_documented(all_calls: Outcome) -> None:
    expected = {call.contact_record["ContactId"]: item(call.contact_record) for call in all_calls.placed}

    stored = {
        contact_id: {name: value for name, value in each.items() if name != "version"}
        for contact_id, each in all_calls.items.items()
    }
    assert stored == expected


def test_every_version_is_delivered(all_calls: Outcome) -> None:
    assert all_calls.counts == DeliveryCounts(stored=sum(len(call.versions) for call in all_calls.placed))


def test_the_calls_have_all_possible_outcomes(all_calls: Outcome) -> None:
    assert {each["outcome"] for each in all_calls.items.values()} == {
        "abandoned_in_flow",
        "abandoned_in_queue",
        "answered",
        "completed",
    }


@pytest.mark.parametrize(
    ("call_flow", "routes"),
    [
        (None, {"start", "1", "1-1", "1-2", "2", "2-1", "2-2"}),
        (
            "bank",
            {
                "start", "closed", "lost_card", "lost_card_operator", "balance", "balance_amount", "balance_history",
                "open_account", "open_account_documents", "open_account_consult", "open_account_consult_operator",
                "other", "other_operator", "operator_unavailable",
            },
        ),
    ],
)  # fmt: skip
def test_calls_end_at_every_stop_except_those_after_three_failures(
    call_flow: str | None, routes: set[str], all_calls: Outcome
) -> None:
    # With one timeout per call, no caller uses up all three attempts in a menu.
    found = {each["call_route"] for each in all_calls.items.values() if each.get("call_flow") == call_flow}

    assert found == routes


def test_every_kind_of_record_has_exactly_one_outcome(cloud: LocalCloud, all_calls: Outcome) -> None:
    known = len(all_calls.items)
    good = [contact_record(f"good-{number}") for number in range(20)]
    foreign = [contact_record(f"foreign-{number}", Channel="CHAT") for number in range(5)]
    bad = [contact_record(f"bad-{number}", InitiationTimestamp="never") for number in range(3)]
    records = [json.dumps(record).encode() for record in (*good, *foreign, *bad)] + [b"not JSON"]
    random.Random(4).shuffle(records)

    cloud.put(records)

    assert cloud.settle() == DeliveryCounts(stored=20, filtered=6, quarantined=3)
    assert {message["contact"]["ContactId"] for message in cloud.quarantined()} == {"bad-0", "bad-1", "bad-2"}
    assert len(read_all(cloud.emulator.client("dynamodb"), cloud.table_name)) == known + 20


def test_records_that_are_delivered_or_sent_again_change_no_item(cloud: LocalCloud) -> None:
    first, second = (contact_record("again", DisconnectReason=reason) for reason in ("FIRST", "SECOND"))
    versions = [json.dumps(each).encode() for each in (first, second)]
    cloud.put(versions)
    cloud.settle()
    dynamodb = cloud.emulator.client("dynamodb")
    items = read_all(dynamodb, cloud.table_name)

    cloud.put([*versions, *reversed(versions)])

    assert cloud.settle() == DeliveryCounts(stored=4)
    assert read_all(dynamodb, cloud.table_name) == items
    # A pipe without a position delivers the whole stream again.
    assert {each.output for each in pipe_of(cloud.deployment).drain()} <= {None, "older", "quarantined"}
    assert read_all(dynamodb, cloud.table_name) == items


def test_records_can_be_recovered_from_dead_letters_after_an_outage_of_the_table(cloud: LocalCloud) -> None:
    # This must be the last test that uses this cloud, because it deletes the table.
    cloud.emulator.client("dynamodb").update_table(
        TableName=cloud.table_name, DeletionProtectionEnabled=False
    )
    cloud.emulator.client("dynamodb").delete_table(TableName=cloud.table_name)
    cloud.put([json.dumps(contact_record("late")).encode()])
    queue = cloud.emulator.client("sqs")

    assert cloud.settle() == DeliveryCounts(dead_lettered=1)

    (message,) = queue.receive_message(QueueUrl=cloud.deployment.outputs["deadLetterQueueUrl"])["Messages"]
    info = json.loads(message["Body"])["KinesisBatchInfo"]
    kinesis = cloud.emulator.client("kinesis")
    iterator = kinesis.get_shard_iterator(
        StreamARN=info["streamArn"],
        ShardId=info["shardId"],
        ShardIteratorType="AT_SEQUENCE_NUMBER",
        StartingSequenceNumber=info["startSequenceNumber"],
    )["ShardIterator"]
    (record,) = kinesis.get_records(ShardIterator=iterator, Limit=info["batchSize"])["Records"]
    assert json.loads(record["Data"])["ContactId"] == "late"


@pytest.mark.parametrize(
    ("overrides", "phone_number", "start_time"),
    [
        ({"phoneNumber": "masked", "timeZone": "Europe/London"}, "****0001", "2026-04-18T00:47:52+01:00"),
        (
            {"phoneNumber": "e164", "timeZone": "America/New_York"},
            "+815000000001",
            "2026-04-17T19:47:52-04:00",
        ),
    ],
)
def test_the_stack_configuration_applies_to_stored_items(
    overrides: dict[str, str], phone_number: str, start_time: str
) -> None:
    with LocalCloud(overrides, project=REPOSITORY) as other:
        other.put([json.dumps(contact_record("a")).encode()])
        # A new pipe, as after a restart.
        handled = list(pipe_of(other.deployment).drain())
        (stored,) = read_all(other.emulator.client("dynamodb"), other.table_name)

    assert [each.outcome for each in handled] == ["delivered"]
    assert (stored["phone_number"], stored["start_time"]) == (phone_number, start_time)
