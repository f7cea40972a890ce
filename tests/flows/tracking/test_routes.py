"""Tests the routes that tracking sets and the places where it sets them."""

from __future__ import annotations

from typing import Any

import pytest

from callroute.errors import InputError
from callroute.flows.attribute_flow import attributes_of, inherits
from callroute.flows.lint import check
from callroute.flows.route_catalog import Route, RouteCatalog
from callroute.flows.simulation import Environment
from callroute.flows.simulation.events import AttributesSet
from callroute.flows.tracking_blocks import PREFIX, flow_version
from tests.flows.tracking.builders import (
    TWO_LEVELS,
    block,
    compare,
    final_values,
    flow_from,
    flow_of,
    menu,
    message,
    set_attributes,
    simulated,
    tracked,
    tracking_attributes,
)
from tests.flows.tracking.invariants import (
    MANUALLY_TRACKED,
    retracked,
    untracked,
    visible_events,
)


def test_start_values_are_set_before_the_first_block() -> None:
    flow = flow_of(message("hello", "end"))
    assert tracking_attributes(flow)["track-start"] == {
        "call_flow": "x",
        "call_route": "start",
        "call_completed": "false",
    }
    assert tracked(flow).document["StartAction"] == "track-start"


def test_a_tracking_block_continues_at_the_next_block_on_success_and_on_error() -> None:
    flow = flow_of(message("hello", "end"))
    blocks = tracked(flow).document["Actions"]
    assert [each for each in blocks if each["Identifier"] == "track-start"] == [
        {
            "Identifier": "track-start",
            "Type": "UpdateContactAttributes",
            "Parameters": {
                "Attributes": {
                    "call_flow": "x",
                    "flow_version": flow_version(flow),
                    "call_route": "start",
                    "call_completed": "false",
                },
                "TargetContact": "Current",
            },
            "Transitions": {
                "NextAction": "hello",
                "Errors": [{"NextAction": "hello", "ErrorType": "NoMatchingError"}],
            },
        }
    ]


@pytest.mark.parametrize(
    ("names", "catalog", "expected"),
    [
        ("call_flow: given", "listed", "given"),
        (None, "listed", "listed"),
        (None, None, "default"),
    ],
)
def test_call_flow_comes_from_the_route_file_then_the_catalog_then_the_default(
    names: str | None, catalog: str | None, expected: str
) -> None:
    previous = RouteCatalog("x.json", catalog, {}, {"start": Route("start", None, "a", "b")})
    result = tracked(flow_of(message("hello", "end")), names, previous, call_flow="default")
    assert attributes_of(flow_from(result).blocks["track-start"])["call_flow"] == expected
    assert result.catalog is not None
    assert result.catalog.call_flow == (catalog or expected)


def test_start_values_are_set_only_once_if_the_flow_begins_with_a_menu() -> None:
    flow = flow_of(menu("main", k1="end"))
    events, _ = simulated(flow_from(tracked(flow)), "timeout", "timeout", "1")
    assert [event.block for event in events if isinstance(event, AttributesSet)].count("track-start") == 1


@pytest.mark.parametrize(
    ("keys", "route"),
    [
        ("", "start"),
        ("timeout", "start"),
        ("8", "start"),
        ("1", "1"),
        ("1 timeout", "1"),
        ("2", "2"),
        ("1 9", "start"),
        ("1 9 1", "1"),
        ("1 1", "start"),
        ("1 1 1 9 2", "2"),
    ],
)
def test_a_route_consists_of_the_keys_to_a_place_and_is_restored_on_return(keys: str, route: str) -> None:
    assert final_values(TWO_LEVELS, *keys.split())[0] == route


def test_returning_to_a_menu_does_not_make_routes_longer() -> None:
    assert tracking_attributes(TWO_LEVELS) == {
        "track-start": {"call_flow": "x", "call_route": "start", "call_completed": "false"},
        "track-main-1": {"call_route": "1"},
        "track-main-2": {"call_route": "2"},
        "track-sub-1": {"call_route": "1-1"},
        "track-sub-9": {"call_route": "start"},
        "track-to-main": {"call_route": "start"},
        "track-done-end": {"call_completed": "true"},
    }


def test_a_key_that_repeats_its_menu_needs_no_block() -> None:
    assert "track-main-9" not in tracking_attributes(flow_of(menu("main", k9="main", k1="end")))


def test_returning_to_a_message_restores_its_first_route() -> None:
    flow = flow_of(message("hello", "main"), menu("main", k1="answer"), message("answer", "hello"))
    assert final_values(flow, "1") == ("start", "false")
    assert "ambiguous-stop" not in {finding.rule for finding in check(flow_from(tracked(flow)))}


def test_a_menu_reached_by_several_choices_keeps_their_routes_and_prefixes_its_own_with_all_of_them() -> None:
    language: dict[str, Any] = {"TextToSpeechVoice": "Joanna"}
    flow = flow_of(
        menu("language", k1="english", k2="spanish", k3="hours"),
        block("english", "UpdateContactTextToSpeechVoice", "main", **language),
        block("spanish", "UpdateContactTextToSpeechVoice", "main", **language),
        message("hours", "main"),
        menu("main", k1="answer", k2="end"),
        message("answer", "end"),
    )
    assert final_values(flow, "1")[0] == "1"
    assert final_values(flow, "2")[0] == "2"
    assert final_values(flow, "3")[0] == "1+2+3"
    assert final_values(flow, "3", "1")[0] == "1+2+3-1"
    found = {finding.rule for finding in check(flow_from(tracked(flow)))}
    assert not found & {"ambiguous-stop", "indistinguishable-branches"}


def test_jumping_to_another_menu_sets_the_route_of_that_menu() -> None:
    flow = flow_of(
        menu("main", k1="balance", k2="account"),
        menu("balance", k1="end", k9="account"),
        menu("account", k1="end", k9="balance"),
    )
    assert final_values(flow, "1", "9")[0] == "2"
    assert final_values(flow, "1", "9", "9")[0] == "1"
    assert final_values(flow, "1", "9", "9", "1")[0] == "1-1"


def test_a_repeated_menu_shares_routes_only_for_keys_with_the_same_target() -> None:
    flow = flow_of(
        menu("first", "second", k1="sales", k2="service"),
        menu("second", "end", k1="sales", k2="other"),
        message("sales", "end"),
        message("service", "end"),
        message("other", "end"),
    )
    assert final_values(flow, "1")[0] == final_values(flow, "timeout", "1")[0] == "1"
    assert final_values(flow, "2")[0] == "2"
    assert final_values(flow, "timeout", "2")[0] == "2.2"


@pytest.mark.parametrize("reference", ["$.StoredCustomerInput", "$['StoredCustomerInput']"])
def test_only_comparisons_of_caller_input_are_choices(reference: str) -> None:
    digits: dict[str, Any] = {
        "StoreInput": "True",
        "InputTimeLimitSeconds": "5",
        "InputValidation": {"CustomValidation": {}},
    }
    entry = block(
        "typed", "GetParticipantInput", "compare", errors={"NoMatchingError": "end"}, Text="t", **digits
    )
    on_input = flow_of(entry, compare("compare", reference, "end", k1="a", k2="end"), message("a", "end"))
    assert {"track-compare-1", "track-compare-2"} <= set(tracking_attributes(on_input))
    on_attribute = flow_of(
        message("hello", "compare"),
        compare("compare", "$.Attributes.kind", "end", k1="a"),
        message("a", "end"),
    )
    assert set(tracking_attributes(on_attribute)) == {"track-start", "track-done-end"}


def test_both_no_match_branches_of_a_compare_block_have_the_same_target() -> None:
    flow = flow_of(
        menu("main", k1="kind"), compare("kind", "$.Attributes.kind", "end", k1="a"), message("a", "main")
    )
    names = "branches: {kind: {NoMatchingCondition: unknown_kind}}"
    branches = flow_from(tracked(flow, names)).blocks["kind"].branches
    assert [each.target for each in branches if each.label != "1"] == ["track-kind-NoMatchingCondition"] * 2


def test_bot_intents_are_choices() -> None:
    errors = {"NoMatchingCondition": "end", "NoMatchingError": "end"}
    intents = {"BookHotel": "a", "SpeakToAnAgentAboutSomethingElse": "a"}
    bot = block(
        "bot", "ConnectParticipantWithLexBot", "end", intents, errors, Text="how can I help", LexV2Bot={}
    )
    attributes = tracking_attributes(flow_of(bot, message("a", "end")))
    assert [each.get("call_route") for each in attributes.values()][1:3] == [
        "BookHotel",
        "SpeakToAnAgentAboutSomethingElse",
    ]


def test_notes_list_modules_transfers_and_unknown_blocks() -> None:
    flow = flow_of(
        block("module", "InvokeFlowModule", "other", errors={"NoMatchingError": "end"}, FlowModuleId="m"),
        block("other", "TransferToFlow", "new", errors={"NoMatchingError": "end"}, ContactFlowId="f"),
        block("new", "SomethingNew", "end"),
    )
    notes = " ".join(tracked(flow).notes)
    for name in ("module", "other", "new"):
        assert f"'{name}'" in notes


@pytest.mark.parametrize("name", MANUALLY_TRACKED)
@pytest.mark.parametrize("keys", ["", "1", "2 1", "3 2", "timeout timeout timeout", "7 1 2"])
def test_callers_hear_the_same_when_every_tracking_block_fails(name: str, keys: str) -> None:
    failing = Environment(responses={"errors": {"UpdateContactAttributes": "NoMatchingError"}})
    before, _ = simulated(untracked(name), *keys.split(), environment=failing)
    after, _ = simulated(retracked(name), *keys.split(), environment=failing)
    assert visible_events(before) == visible_events(after)
    assert any(event.block.startswith(PREFIX) for event in after)


# --- Flows in which calls do not start, and manual tracking ----------------------------------------------------------


@pytest.mark.parametrize("kind", ["customerQueue", "customerWhisper", "agentTransfer", "module"])
def test_a_flow_in_which_calls_do_not_start_is_unchanged_and_noted(kind: str) -> None:
    more: dict[str, Any] = {"Settings": {}} if kind == "module" else {"Metadata": {"type": kind}}
    flow = flow_of(menu("main", k1="end"), **more)
    result = tracked(flow)
    assert inherits(flow)
    assert result.document == flow.document
    assert result.catalog is None
    assert "calls do not start in this flow" in result.notes[0]


def test_named_routes_are_set_in_a_module() -> None:
    flow = flow_of(menu("main", k1="end", k2="end"), Settings={})
    assert tracking_attributes(flow, 'routes: {"1": callback}') == {
        "track-main-1": {"call_route": "callback"}
    }


def test_the_start_of_a_module_cannot_be_named() -> None:
    flow = flow_of(menu("main", k1="end"), Settings={})
    with pytest.raises(InputError, match="no route 'start'"):
        tracked(flow, "routes: {start: in_module}")


def test_manual_routes_are_kept_and_become_prefixes() -> None:
    flow = flow_of(
        set_attributes("begin", "main", call_route="top", call_completed="false"),
        menu("main", k1="by hand", k2="new"),
        set_attributes("by hand", "sub", call_route="balance"),
        menu("sub", k1="end"),
        message("new", "end"),
    )
    assert tracking_attributes(flow) == {
        "track-main-2": {"call_route": "top-2"},
        "track-sub-1": {"call_route": "balance-1"},
        "track-done-end": {"call_completed": "true"},
    }
