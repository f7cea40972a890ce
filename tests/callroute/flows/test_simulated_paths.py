"""Guards the way of every simulated call, whatever the flow: over its branches only, without gaps, to an end."""

from __future__ import annotations

import json
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from callroute.errors import InputError
from callroute.flows.contact_record import contact_records
from callroute.flows.model import Flow
from callroute.flows.scenarios import countable
from callroute.flows.simulator import (
    ENDS,
    HANGUP,
    TIMEOUT,
    Ended,
    KeyedCaller,
    SimulatedClock,
    World,
    play_out,
)
from tests import corpus
from tests.callroute.flows.generated import flow_documents

START = datetime(2026, 4, 1, 1, tzinfo=timezone.utc)
KEYS = st.lists(st.sampled_from([*"0129*#", TIMEOUT, HANGUP]), max_size=12)
CORPUS_FLOWS = corpus.readable_flows()


@settings(deadline=None)
@given(flow_documents(), KEYS, st.booleans())
def test_a_call_goes_over_branches_of_the_flow_without_a_gap_and_comes_to_one_end(
    document: dict[str, Any], keys: list[str], is_open: bool
) -> None:
    flow = Flow.read(json.dumps(document), "x.json")
    events, call = play_out(
        flow, KeyedCaller(keys), clock=SimulatedClock(START), world=World(is_open=is_open)
    )
    here = flow.start
    for branch in call.taken["x.json"]:
        assert branch.source == here
        assert branch in countable(flow.actions[here]), "a branch that coverage does not count was taken"
        here = branch.target
    assert [isinstance(event, Ended) for event in events] == [False] * (len(events) - 1) + [True]
    assert [event.at for event in events] == sorted(event.at for event in events)
    assert events[-1].at == call.ended


@settings(deadline=None)
@given(flow_documents(), KEYS)
def test_the_same_call_goes_the_same_way_every_time(document: dict[str, Any], keys: list[str]) -> None:
    flow = Flow.read(json.dumps(document), "x.json")
    once, again = (play_out(flow, KeyedCaller(keys), clock=SimulatedClock(START)) for _ in range(2))
    assert once == again


# --- Flows of other people -------------------------------------------------------------------------------------------

# Whatever is asked gets some answer; calls that want more are refused with a reason, and those are counted below.
ANSWERS: dict[str, dict[str, Any]] = {
    "lambda": {"*": {"authResult": "success", "isOpen": "true", "CurrentRule_attributeCount": "1"}},
    "lex": {"*": "FallbackIntent"},
    "metrics": {
        "NumberOfAgentsOnline": 1,
        "NumberOfAgentsStaffed": 1,
        "NumberOfAgentsAvailable": 1,
        "Queue.Size": 0,
        "Queue.OldestContactAge": 0,
        "Queue.Name": "q",
        "Agents.Online.Count": 1,
    },
    "split": {"*": 1},
    "profile": {"*": {"FirstName": "Hana"}},
    "view": {"*": "Next"},
    "third_party": {"*": "answered"},
}
# Flows that no call can go through, and why.
NOT_PLAYABLE = {
    "05-rules-engine-customer-queue.template": "it plays for ever outside a queue",
    "45-broken-empty-actions": "there is no block",
    "47-bad-types-telecom-inbound": "needs its error branch",
}


class AnyFlow(dict[str, str]):
    """Every other flow is where the simulation ends."""

    def __contains__(self, name: object) -> bool:
        return True

    def __missing__(self, name: str) -> str:
        return ENDS


def play_corpus(path: Path, keys: list[str]) -> None:
    flow = Flow.load(path)
    world = World(answers=ANSWERS, flows=AnyFlow(), agent_answers_after=30)
    events, call = play_out(flow, KeyedCaller(keys), clock=SimulatedClock(START), world=world)
    assert isinstance(events[-1], Ended)
    records = contact_records(call, contact_id="c")
    json.dumps(records)
    assert records[0]["Attributes"] == dict(call.attributes)


@pytest.mark.skipif(not CORPUS_FLOWS, reason=corpus.MISSING)
@pytest.mark.parametrize("path", CORPUS_FLOWS, ids=lambda path: path.stem)
def test_callers_get_through_flows_of_other_teams_or_hear_why_not(path: Path) -> None:
    for keys in ([], ["1"] * 20, ["2"] * 20, [TIMEOUT] * 20, ["1", "2", "3"] * 7, ["9"] * 20):
        if path.stem in NOT_PLAYABLE and keys:
            with pytest.raises(InputError, match=NOT_PLAYABLE[path.stem]):
                play_corpus(path, keys)
        elif path.stem not in NOT_PLAYABLE:
            play_corpus(path, keys)
