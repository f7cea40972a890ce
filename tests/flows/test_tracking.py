"""Guards tracking: no caller may hear anything else than before, and none may leave without the route of their place."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Sequence, Set
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from callroute.errors import InputError
from callroute.flows.attribute_flow import COMPLETED, ROUTE, Dynamic, Stop, analyze, attributes_of, inherits
from callroute.flows.flow import Block, Flow
from callroute.flows.lint import RULES, check
from callroute.flows.route_catalog import Route, RouteCatalog
from callroute.flows.simulation import (
    Call,
    Environment,
    Event,
    KeyedCaller,
    SimulatedClock,
    SimulationError,
    simulate,
)
from callroute.flows.simulation.events import AttributesSet, Ended
from callroute.flows.tracking import RouteNames, TrackedFlow, catalog_text, strip_tracking, track
from callroute.flows.tracking.graph import Graph
from callroute.flows.tracking.rewrite import PREFIX, identifier
from tests.flows.every_call import Stage, every_call
from tests.flows.generated import flow_documents
from tests.support import corpus
from tests.support.paths import FLOW_DEFINITIONS

OURS = ("call_route.json", "call_route_with_operator.json")
ERRORS = {rule.id for rule in RULES if rule.severity == "error"}
START = datetime(2026, 4, 1, 1, tzinfo=UTC)
CORPUS_FLOWS = corpus.readable_flows()
MENU_ERRORS = ("InputTimeLimitExceeded", "NoMatchingCondition", "NoMatchingError")


# --- Flows for tests -------------------------------------------------------------------------------------------------


def block(
    name: str,
    kind: str,
    then: str | None = None,
    keys: dict[str, str] | None = None,
    errors: dict[str, str] | None = None,
    **parameters: Any,
) -> dict[str, Any]:
    """A block that leads to `then`, to other blocks by key, intent or other result, and to others by error."""
    branches: dict[str, Any] = {} if then is None else {"NextAction": then}
    if keys:
        branches["Conditions"] = [
            {"NextAction": target, "Condition": {"Operator": "Equals", "Operands": [key]}}
            for key, target in keys.items()
        ]
    if errors:
        branches["Errors"] = [{"NextAction": target, "ErrorType": error} for error, target in errors.items()]
    return {"Identifier": name, "Type": kind, "Parameters": parameters, "Transitions": branches}


def menu(name: str, otherwise: str | None = None, **keys: str) -> dict[str, Any]:
    """A menu; keys are written `k1="target"`; `otherwise` is where silence and other keys lead, by default back."""
    back = otherwise or name
    settings = {"Text": f"{name} menu", "StoreInput": "False", "InputTimeLimitSeconds": "5"}
    targets = {key.removeprefix("k"): target for key, target in keys.items()}
    return block(name, "GetParticipantInput", back, targets, dict.fromkeys(MENU_ERRORS, back), **settings)


def say(name: str, then: str, error: str | None = None) -> dict[str, Any]:
    return block(
        name, "MessageParticipant", then, errors={"NoMatchingError": error or then}, Text=f"{name} message"
    )


def sets(name: str, then: str, **values: str) -> dict[str, Any]:
    errors = {"NoMatchingError": then}
    return block(
        name, "UpdateContactAttributes", then, errors=errors, Attributes=values, TargetContact="Current"
    )


def hours(name: str, is_open: str, closed: str) -> dict[str, Any]:
    return block(
        name,
        "CheckHoursOfOperation",
        closed,
        {"True": is_open, "False": closed},
        {"NoMatchingError": closed},
    )


def queue(name: str, failed: str) -> dict[str, Any]:
    errors = {"QueueAtCapacity": failed, "NoMatchingError": failed}
    return block(name, "TransferContactToQueue", failed, errors=errors)


def compare(name: str, value: str, otherwise: str, **keys: str) -> dict[str, Any]:
    targets = {key.removeprefix("k"): target for key, target in keys.items()}
    errors = {"NoMatchingCondition": otherwise}
    return block(name, "Compare", otherwise, targets, errors, ComparisonValue=value)


END = block("end", "DisconnectParticipant")


def flow(*blocks: dict[str, Any], **more: Any) -> Flow:
    actions = [*blocks] if any(each["Identifier"] == "end" for each in blocks) else [*blocks, END]
    document = {
        "Version": "2019-10-30",
        "StartAction": blocks[0]["Identifier"],
        "Metadata": {},
        "Actions": actions,
    }
    return Flow.parse(json.dumps(document | more), "x.json")


def tracked(
    what: Flow, names: str | None = None, catalog: RouteCatalog | None = None, call_flow: str = "x"
) -> TrackedFlow:
    given = RouteNames.read(names, "names.yaml") if names else None
    return track(what, given, catalog, file="x.json", call_flow=call_flow)


def again(result: TrackedFlow) -> Flow:
    return Flow.parse(json.dumps(result.document), "x.json")


def values(what: Flow, names: str | None = None) -> dict[str, dict[str, str]]:
    """What each tracking block sets, by its identifier."""
    return {
        action.identifier: {name: str(value) for name, value in attributes_of(action).items()}
        for action in again(tracked(what, names)).blocks.values()
        if action.identifier.startswith(PREFIX)
    }


def call(what: Flow, *keys: str, world: Environment | None = None) -> tuple[list[Event], Call | None]:
    """A call's events; without a Call where it comes to a block that is not simulated with this world."""
    events: list[Event] = []
    playing = simulate(
        what, KeyedCaller(keys, leaves_queue_after=10), clock=SimulatedClock(START), environment=world
    )
    try:
        while True:
            events.append(next(playing))
    except StopIteration as stop:
        return events, stop.value
    except SimulationError:
        return events, None


def left_with(what: Flow, *keys: str, world: Environment | None = None) -> tuple[str | None, str | None]:
    """Route and completion on the contact record of a call through a flow after tracking."""
    _, went = call(again(tracked(what)), *keys, world=world)
    assert went is not None
    return went.attributes.get(ROUTE), went.attributes.get(COMPLETED)


def without_hand_made_tracking(what: Flow) -> Flow:
    """A flow without all blocks that set nothing but call_route, call_completed and call_flow."""
    document = copy.deepcopy(dict(what.document))
    gone = {
        action.identifier: action.target("next") or ""
        for action in what.blocks.values()
        if attributes_of(action) and set(attributes_of(action)) <= {ROUTE, COMPLETED, "call_flow"}
    }

    def beyond(target: str) -> str:
        return beyond(gone[target]) if target in gone else target

    document["StartAction"] = beyond(what.start)
    document["Actions"] = [each for each in document["Actions"] if each["Identifier"] not in gone]
    for each in document["Actions"]:
        branches = each["Transitions"]
        for holder in (branches, *branches.get("Conditions", ()), *branches.get("Errors", ())):
            if "NextAction" in holder:
                holder["NextAction"] = beyond(holder["NextAction"])
    for name in gone:
        del document["Metadata"]["ActionMetadata"][name]
    return Flow.parse(json.dumps(document), what.source)


@cache
def ours(name: str) -> Flow:
    return Flow.load(FLOW_DEFINITIONS / name)


@cache
def ours_bare(name: str) -> Flow:
    return without_hand_made_tracking(ours(name))


@cache
def ours_tracked(name: str) -> Flow:
    return again(tracked(ours_bare(name)))


# --- What must hold for every flow -----------------------------------------------------------------------------------


def assert_sound(what: Flow, result: TrackedFlow, names: str | None = None) -> Flow:
    """No stop is untracked, nothing is broken, the catalog is right, and a second run changes nothing."""
    after = again(result)
    before = {finding.rule for finding in check(what)}
    found = {finding.rule for finding in check(after, result.catalog)}
    assert not found & {"untracked-stop", "completion-unset", "unset-route"}
    # A catalog that comes of the flow can lack only routes that are known in the call alone.
    assert not (found - before) & (ERRORS | {"completed-too-early", "unreachable-block", "dead-end"})
    assert_settled(after, result, names)

    bare, blocks = strip_tracking(after)
    if not any(name.startswith(PREFIX) for name in what.blocks):
        assert json.dumps(bare.document) == json.dumps(dict(what.document) | _metadata(what, bare))
        assert len(blocks) == result.blocks
    assert all(re.fullmatch(r"[^%:()\\/=$,;\[\]{}]{1,50}", name) for name in blocks)
    return after


def assert_settled(after: Flow, result: TrackedFlow, names: str | None = None) -> None:
    second = tracked(after, names, result.catalog)
    assert json.dumps(second.document) == json.dumps(result.document)
    assert second.catalog == result.catalog
    assert second.added == 0


def _metadata(what: Flow, bare: Flow) -> dict[str, Any]:
    """Positions of taken-out blocks do no harm; leaving them out must give the flow's own metadata."""
    metadata = copy.deepcopy(bare.document.get("Metadata"))
    if not isinstance(metadata, dict):
        return {}
    for name in list(metadata.get("ActionMetadata", {})):
        if name.startswith(PREFIX):
            del metadata["ActionMetadata"][name]
    assert json.dumps(metadata) == json.dumps(what.document["Metadata"])
    return {"Metadata": bare.document["Metadata"]}


def heard(events: Sequence[Event]) -> list[tuple[Any, ...]]:
    """All that happens in a call but in tracking blocks, and the route at each moment is left out."""
    return [
        (type(event).__name__, event.block, *(getattr(event, name) for name in shown if hasattr(event, name)))
        for event in events
        if not event.block.startswith(PREFIX)
        for shown in [("text", "key", "open", "error", "value", "queue", "reason", "during")]
    ]


def assert_same_for_callers(before: Flow, after: Flow) -> None:
    """Every call hears the same, goes the same way and ends alike; its record names the place where it ended."""
    found, untracked, now = every_call(before), Stage(before), Stage(after)
    insert_blocks = after.blocks.keys() - before.blocks.keys()
    # What tracking sets, and what the flow copies from it.
    ours = {ROUTE, COMPLETED, "call_flow"}
    ours |= {
        name
        for action in before.blocks.values()
        for name, value in attributes_of(action).items()
        if value in (f"$.Attributes.{ROUTE}", f"$.Attributes.{COMPLETED}")
    }
    stops = {stop.action.identifier: stop for stop in analyze(after).stops}
    for planned in found.planned:
        events, went = planned.play(untracked)
        events_after, went_after = planned.play(now)
        assert heard(events) == heard(events_after)
        where_tracking_fails, _ = planned.where_fails(insert_blocks).play(now)
        assert heard(events) == heard(where_tracking_fails)
        assert dict(went.attributes).keys() | ours == dict(went_after.attributes).keys() | ours
        assert all(
            went_after.attributes[name] == went.attributes[name] for name in went.attributes.keys() - ours
        )
        assert [leg.disconnect_reason for leg in (went, *went.legs)] == [
            leg.disconnect_reason for leg in (went_after, *went_after.legs)
        ]
        if inherits(before):
            continue  # then the route comes from the flow that led to it
        if any(may_set(before.blocks[name], ours) for name in planned.journey.failed):
            continue  # the flow's own blocks that set it did not work
        assert_never_without_a_route(events_after)
        stop = stops.get(planned.journey.here)
        if stop is not None:
            assert_left_with_the_route_of(stop, went_after)


def may_set(action: Block, attributes: Set[str]) -> bool:
    return any(name in attributes or name.startswith("$.") for name in attributes_of(action))


def assert_never_without_a_route(events: Sequence[Event]) -> None:
    route = None
    for event in events:
        if isinstance(event, AttributesSet):
            route = event.attributes.get(ROUTE, route)
        elif hasattr(event, "text") or isinstance(event, Ended):
            assert route, f"a caller is in {event.block} without a route"


def assert_left_with_the_route_of(stop: Stop, went: Call) -> None:
    """What the record says is what `check` says of the stop in which the call ended."""
    for name, values in ((ROUTE, stop.routes), (COMPLETED, stop.completed)):
        assert went.attributes.get(name) in values or any(isinstance(value, Dynamic) for value in values)


@st.composite
def any_flow(draw: st.DrawFn) -> Flow:
    """A generated flow in which some messages became blocks of other types."""
    document = draw(flow_documents())
    for each in document["Actions"]:
        if each["Type"] != "MessageParticipant":
            continue
        name, branches = each["Identifier"], each["Transitions"]
        then, error = branches["NextAction"], branches["Errors"][0]["NextAction"]
        changed = draw(
            st.sampled_from(
                (
                    each,
                    each,
                    queue(name, then),
                    block(
                        name,
                        "ConnectParticipantWithLexBot",
                        then,
                        {"Yes": then, "No": error},
                        {"NoMatchingCondition": then, "NoMatchingError": error},
                        Text=name,
                        LexV2Bot={"AliasArn": "bot"},
                    ),
                    block(
                        name,
                        "GetParticipantInput",
                        then,
                        errors={"NoMatchingError": error},
                        Text=name,
                        StoreInput="True",
                        InputTimeLimitSeconds="5",
                        InputValidation={"CustomValidation": {"MaximumLength": "2"}},
                    ),
                    compare(name, "$.StoredCustomerInput", then, k1=error, k2=then),
                    compare(name, "$.External.found", then, yes=error),
                    compare(name, "$.Attributes.kind", then, vip=error),
                    sets(name, then, kind="vip"),
                    block(
                        name,
                        "InvokeLambdaFunction",
                        then,
                        errors={"NoMatchingError": error},
                        LambdaFunctionARN="function",
                    ),
                    block(
                        name,
                        "UpdateContactTargetQueue",
                        then,
                        errors={"NoMatchingError": error},
                        QueueId="queue",
                    ),
                    block(
                        name, "InvokeFlowModule", then, errors={"NoMatchingError": error}, FlowModuleId="m"
                    ),
                    compare(name, "$.Attributes.call_route", then, k1=error),
                    block(
                        name,
                        "TransferParticipantToThirdParty",
                        then,
                        errors=dict.fromkeys(
                            ("CallFailed", "ConnectionTimeLimitExceeded", "NoMatchingError"), error
                        ),
                        ThirdPartyPhoneNumber="+12065550100",
                        ThirdPartyConnectionTimeLimitSeconds="30",
                        ContinueFlowExecution="True",
                    ),
                    block(
                        name, "TransferToFlow", then, errors={"NoMatchingError": error}, ContactFlowId="flow"
                    ),
                )
            )
        )
        each.update(changed)
    return Flow.parse(json.dumps(document), "x.json")


@settings(deadline=None)
@given(what=any_flow())
def test_any_flow_comes_back_tracked_and_callers_hear_what_they_heard_before(what: Flow) -> None:
    # A Compare that looks at call_route takes another way once there is one; that is what its author asked for.
    assert_same = "$.Attributes.call_route" not in [
        action.parameters.get("ComparisonValue") for action in what.blocks.values()
    ]
    after = assert_sound(what, tracked(what))
    if assert_same:
        assert_same_for_callers(what, after)


@settings(deadline=None)
@given(what=any_flow(), data=st.data())
def test_whatever_gets_a_name_is_tracked_by_it(what: Flow, data: st.DataObject) -> None:
    graph = Graph(what)
    routes = st.sampled_from(("a", "b", "c"))
    blocks = data.draw(st.dictionaries(st.sampled_from(sorted(graph.reached)), routes, max_size=3))
    branches: dict[str, dict[str, str]] = {}
    for name in data.draw(st.lists(st.sampled_from(sorted(graph.reached)), max_size=3)):
        labels = [way.label for way in graph.ways(name)]
        if labels:
            branches[name] = {data.draw(st.sampled_from(labels)): data.draw(routes)}
    names = json.dumps({"blocks": blocks, "branches": branches, "routes": {"start": "top"}})
    result = tracked(what, names)
    assert_sound(what, result, names)
    for name, route in blocks.items():
        assert analyze(again(result)).routes.get(name, {route}) == {route}


@pytest.mark.parametrize("name", OURS)
def test_our_own_flows_tracked_by_hand_come_back_as_they_are(name: str) -> None:
    what = ours(name)
    catalog = RouteCatalog.beside(FLOW_DEFINITIONS / name)
    result = track(what, catalog=catalog, file=name, call_flow="x")
    assert result.document == what.document
    assert result.blocks == 0
    assert result.catalog == catalog


@pytest.mark.parametrize("name", OURS)
def test_our_own_flows_without_their_tracking_can_be_tracked_anew(name: str) -> None:
    bare = ours_bare(name)
    assert_sound(bare, tracked(bare))
    # One message speaks the route, which is not set before.
    if "$.Attributes" not in json.dumps(bare.document):
        assert_same_for_callers(bare, ours_tracked(name))


def test_routes_of_the_plain_flow_are_those_that_were_set_by_hand() -> None:
    one, other = Stage(ours(OURS[0])), Stage(ours_tracked(OURS[0]))
    for planned in every_call(ours_bare(OURS[0])).planned:
        _, by_hand = planned.play(one)
        _, by_machine = planned.play(other)
        assert by_machine.attributes[ROUTE] == by_hand.attributes[ROUTE]
        if planned.journey.here != "closing":
            # By hand it is true before the last message already, by machine once that was heard.
            assert by_machine.attributes[COMPLETED] == by_hand.attributes[COMPLETED]


@pytest.mark.skipif(not CORPUS_FLOWS, reason=corpus.MISSING)
@pytest.mark.parametrize("path", CORPUS_FLOWS, ids=lambda path: path.stem)
def test_every_flow_of_the_corpus_can_be_tracked(path: Path) -> None:
    what = Flow.load(path)
    after = assert_sound(what, tracked(what))
    _assert_laid_out(what, after)
    assert_same_for_callers(what, after)


# --- Start values ----------------------------------------------------------------------------------------------------


def test_start_values_are_set_before_all_else() -> None:
    what = flow(say("hello", "end"))
    assert values(what)["track-start"] == {"call_flow": "x", "call_route": "start", "call_completed": "false"}
    assert tracked(what).document["StartAction"] == "track-start"


def test_a_tracking_block_is_as_connect_takes_it_and_its_failure_strands_nobody() -> None:
    blocks = tracked(flow(say("hello", "end"))).document["Actions"]
    assert [each for each in blocks if each["Identifier"] == "track-start"] == [
        {
            "Identifier": "track-start",
            "Type": "UpdateContactAttributes",
            "Parameters": {
                "Attributes": {"call_flow": "x", "call_route": "start", "call_completed": "false"},
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
        (None, None, "derived"),
    ],
)
def test_call_flow_is_given_by_the_route_file_else_by_the_catalog_else_derived(
    names: str | None, catalog: str | None, expected: str
) -> None:
    known = RouteCatalog("x.json", catalog, {}, {"start": Route("start", None, "a", "b")})
    result = tracked(flow(say("hello", "end")), names, known, call_flow="derived")
    assert attributes_of(again(result).blocks["track-start"])["call_flow"] == expected
    assert result.catalog is not None
    assert result.catalog.call_flow == (catalog or expected)


def test_a_flow_that_begins_with_its_menu_gets_the_start_values_once_per_call() -> None:
    what = flow(menu("main", k1="end"))
    events, _ = call(again(tracked(what)), "timeout", "timeout", "1")
    assert [event.block for event in events if isinstance(event, AttributesSet)].count("track-start") == 1


# --- Routes ----------------------------------------------------------------------------------------------------------

TWO_LEVELS = flow(
    menu("main", k1="sub", k2="answer"),
    menu("sub", k1="deep", k9="main"),
    say("deep", "main"),
    say("answer", "end"),
)


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
def test_a_route_is_the_keys_that_lead_to_a_place_and_who_comes_back_has_it_again(
    keys: str, route: str
) -> None:
    assert left_with(TWO_LEVELS, *keys.split())[0] == route


def test_a_way_back_to_a_menu_does_not_make_routes_longer() -> None:
    assert values(TWO_LEVELS) == {
        "track-start": {"call_flow": "x", "call_route": "start", "call_completed": "false"},
        "track-main-1": {"call_route": "1"},
        "track-main-2": {"call_route": "2"},
        "track-sub-1": {"call_route": "1-1"},
        "track-sub-9": {"call_route": "start"},
        "track-to-main": {"call_route": "start"},
        "track-done-end": {"call_completed": "true"},
    }


def test_a_key_that_repeats_the_menu_needs_no_block() -> None:
    assert "track-main-9" not in values(flow(menu("main", k9="main", k1="end")))


def test_a_way_back_to_a_message_gives_it_the_route_it_had_at_first() -> None:
    what = flow(say("hello", "main"), menu("main", k1="answer"), say("answer", "hello"))
    assert left_with(what, "1") == ("start", "false")
    assert "ambiguous-stop" not in {finding.rule for finding in check(again(tracked(what)))}


def test_a_menu_that_several_choices_lead_to_tells_them_apart_and_names_its_own_choices_by_all() -> None:
    language: dict[str, Any] = {"TextToSpeechVoice": "Joanna"}
    what = flow(
        menu("language", k1="english", k2="spanish", k3="hours"),
        block("english", "UpdateContactTextToSpeechVoice", "main", **language),
        block("spanish", "UpdateContactTextToSpeechVoice", "main", **language),
        say("hours", "main"),
        menu("main", k1="answer", k2="end"),
        say("answer", "end"),
    )
    assert left_with(what, "1")[0] == "1"
    assert left_with(what, "2")[0] == "2"
    assert left_with(what, "3")[0] == "1+2+3"
    assert left_with(what, "3", "1")[0] == "1+2+3-1"
    found = {finding.rule for finding in check(again(tracked(what)))}
    assert not found & {"ambiguous-stop", "indistinguishable-branches"}


def test_a_jump_into_another_menu_takes_the_route_of_that_menu() -> None:
    what = flow(
        menu("main", k1="balance", k2="account"),
        menu("balance", k1="end", k9="account"),
        menu("account", k1="end", k9="balance"),
    )
    assert left_with(what, "1", "9")[0] == "2"
    assert left_with(what, "1", "9", "9")[0] == "1"
    assert left_with(what, "1", "9", "9", "1")[0] == "1-1"


def test_a_second_menu_for_those_who_did_not_choose_shares_routes_only_where_keys_lead_to_the_same() -> None:
    what = flow(
        menu("first", "second", k1="sales", k2="service"),
        menu("second", "end", k1="sales", k2="other"),
        say("sales", "end"),
        say("service", "end"),
        say("other", "end"),
    )
    assert left_with(what, "1")[0] == left_with(what, "timeout", "1")[0] == "1"
    assert left_with(what, "2")[0] == "2"
    assert left_with(what, "timeout", "2")[0] == "2.2"


@pytest.mark.parametrize("reference", ["$.StoredCustomerInput", "$['StoredCustomerInput']"])
def test_a_comparison_of_what_the_caller_typed_is_a_choice_and_any_other_is_not(reference: str) -> None:
    digits: dict[str, Any] = {
        "StoreInput": "True",
        "InputTimeLimitSeconds": "5",
        "InputValidation": {"CustomValidation": {}},
    }
    typed = block(
        "typed", "GetParticipantInput", "compare", errors={"NoMatchingError": "end"}, Text="t", **digits
    )
    chosen = flow(typed, compare("compare", reference, "end", k1="a", k2="end"), say("a", "end"))
    assert {"track-compare-1", "track-compare-2"} <= set(values(chosen))
    known = flow(
        say("hello", "compare"), compare("compare", "$.Attributes.kind", "end", k1="a"), say("a", "end")
    )
    assert set(values(known)) == {"track-start", "track-done-end"}


def test_a_comparison_goes_on_to_one_place_where_nothing_matches() -> None:
    what = flow(
        menu("main", k1="kind"), compare("kind", "$.Attributes.kind", "end", k1="a"), say("a", "main")
    )
    names = "branches: {kind: {NoMatchingCondition: unknown_kind}}"
    branches = again(tracked(what, names)).blocks["kind"].branches
    assert [each.target for each in branches if each.label != "1"] == ["track-kind-NoMatchingCondition"] * 2


def test_the_intents_of_a_bot_are_its_choices() -> None:
    errors = {"NoMatchingCondition": "end", "NoMatchingError": "end"}
    intents = {"BookHotel": "a", "SpeakToAnAgentAboutSomethingElse": "a"}
    bot = block(
        "bot", "ConnectParticipantWithLexBot", "end", intents, errors, Text="how can I help", LexV2Bot={}
    )
    found = values(flow(bot, say("a", "end")))
    assert [each.get("call_route") for each in found.values()][1:3] == [
        "BookHotel",
        "SpeakToAnAgentAboutSomethingElse",
    ]


def test_blocks_that_only_other_flows_see_into_are_told() -> None:
    what = flow(
        block("module", "InvokeFlowModule", "other", errors={"NoMatchingError": "end"}, FlowModuleId="m"),
        block("other", "TransferToFlow", "new", errors={"NoMatchingError": "end"}, ContactFlowId="f"),
        block("new", "SomethingNew", "end"),
    )
    notes = " ".join(tracked(what).notes)
    for name in ("module", "other", "new"):
        assert f"'{name}'" in notes


@pytest.mark.parametrize("name", OURS)
@pytest.mark.parametrize("keys", ["", "1", "2 1", "3 2", "timeout timeout timeout", "7 1 2"])
def test_callers_hear_the_same_when_every_tracking_block_fails(name: str, keys: str) -> None:
    fails = Environment(responses={"errors": {"UpdateContactAttributes": "NoMatchingError"}})
    before, _ = call(ours_bare(name), *keys.split(), world=fails)
    after, _ = call(ours_tracked(name), *keys.split(), world=fails)
    assert heard(before) == heard(after)
    assert any(event.block.startswith(PREFIX) for event in after)


# --- Completion ------------------------------------------------------------------------------------------------------

SERVICE = flow(
    menu("main", "sorry", k1="answer", k2="hours", k3="lookup", k4="end"),
    say("answer", "bye", error="trouble"),
    hours("hours", "hold on", "closed"),
    say("hold on", "choose queue"),
    block(
        "choose queue", "UpdateContactTargetQueue", "queue", errors={"NoMatchingError": "full"}, QueueId="q"
    ),
    queue("queue", "full"),
    block(
        "lookup", "InvokeLambdaFunction", "bye", errors={"NoMatchingError": "trouble"}, LambdaFunctionARN="l"
    ),
    say("closed", "bye"),
    say("full", "bye"),
    say("sorry", "bye"),
    say("trouble", "bye"),
    say("bye", "end"),
)
FULL, CLOSED, NO_AGENT = (
    Environment(queue_is_full=True),
    Environment(is_open=False),
    Environment(agent_answers_after=None),
)
WORKS = Environment(responses={"lambda": {"*": {}}})
FAILS = Environment(responses={"lambda": {"*": {}}, "errors": {"lookup": "NoMatchingError"}})


@pytest.mark.parametrize(
    ("keys", "world", "completed"),
    [
        ("1", Environment(), "true"),
        ("2", Environment(), "true"),
        ("2", NO_AGENT, "true"),
        ("2", FULL, "false"),
        ("2", CLOSED, "false"),
        ("3", WORKS, "true"),
        ("3", FAILS, "false"),
        ("4", Environment(), "true"),
        ("timeout", Environment(), "false"),
        ("7", Environment(), "false"),
        ("", Environment(), "false"),
    ],
)
def test_a_call_is_completed_where_the_caller_got_what_they_came_for_and_not_after_an_error(
    keys: str, world: Environment, completed: str
) -> None:
    assert left_with(SERVICE, *keys.split(), world=world)[1] == completed


def test_a_choice_after_a_failed_try_is_as_good_as_one_before() -> None:
    tries = block(
        "tries", "Loop", "sorry", {"ContinueLooping": "main", "DoneLooping": "sorry"}, LoopCount="2"
    )
    what = flow(tries, menu("main", "tries", k1="answer"), say("answer", "end"), say("sorry", "end"))
    assert left_with(what, "timeout", "1")[1] == "true"
    assert left_with(what, "timeout", "timeout")[1] == "false"
    assert not [note for note in tracked(what).notes if "stays false" in note], (
        "who runs out of tries has failed"
    )


def test_an_error_branch_that_goes_on_as_if_nothing_had_happened_is_no_error_path() -> None:
    assert left_with(flow(say("hello", "bye"), say("bye", "end")))[1] == "true"
    assert left_with(flow(say("hello", "bye", error="end"), say("bye", "end")))[1] == "true"
    failing = Environment(responses={"errors": {"hello": "NoMatchingError"}})
    assert left_with(flow(say("hello", "bye"), say("bye", "end")), world=failing)[1] == "true"
    assert left_with(flow(say("hello", "bye", error="end"), say("bye", "end")), world=failing)[1] == "false"


def test_a_caller_who_comes_back_from_a_third_party_into_the_menus_has_not_completed() -> None:
    failures = dict.fromkeys(("CallFailed", "ConnectionTimeLimitExceeded", "NoMatchingError"), "sorry")
    number: dict[str, Any] = {
        "ThirdPartyPhoneNumber": "+12065550100",
        "ThirdPartyConnectionTimeLimitSeconds": "30",
    }
    dial = block(
        "dial",
        "TransferParticipantToThirdParty",
        "main",
        errors=failures,
        ContinueFlowExecution="True",
        **number,
    )
    what = flow(menu("main", k1="dial"), dial, say("sorry", "end"))
    talked = Environment(responses={"third_party": {"*": "answered"}}, agent_hangs_up=True)
    assert left_with(what, "1", world=talked) == ("start", "false")
    assert left_with(what, "1", world=Environment(responses={"third_party": {"*": "CallFailed"}})) == (
        "1",
        "false",
    )
    assert "completed-too-early" not in {finding.rule for finding in check(again(tracked(what)))}


def test_where_good_and_bad_ends_cannot_be_told_apart_completion_stays_false_and_is_told() -> None:
    look_up = block(
        "lookup", "InvokeLambdaFunction", "ask", errors={"NoMatchingError": "sorry"}, LambdaFunctionARN="l"
    )
    shared = compare("ask", "$.Attributes.kind", "end", k1="main")
    what = flow(look_up, say("sorry", "ask"), shared, menu("main", k1="end"))
    result = tracked(what)
    assert [note for note in result.notes if "stays false at 'end'" in note]
    assert left_with(what, world=WORKS)[1] == "false"


# --- Flows in which calls do not start, and flows tracked by hand ----------------------------------------------------


@pytest.mark.parametrize("kind", ["customerQueue", "customerWhisper", "agentTransfer", "module"])
def test_a_flow_in_which_calls_do_not_start_comes_back_as_it_is_and_is_said_to_be_one(kind: str) -> None:
    more: dict[str, Any] = {"Settings": {}} if kind == "module" else {"Metadata": {"type": kind}}
    what = flow(menu("main", k1="end"), **more)
    result = tracked(what)
    assert inherits(what)
    assert result.document == what.document
    assert result.catalog is None
    assert "calls do not start in this flow" in result.notes[0]


def test_what_a_route_file_names_is_set_in_a_module_too() -> None:
    what = flow(menu("main", k1="end", k2="end"), Settings={})
    assert values(what, 'routes: {"1": callback}') == {"track-main-1": {"call_route": "callback"}}


def test_a_name_for_the_start_of_a_flow_in_which_no_call_starts_is_refused() -> None:
    what = flow(menu("main", k1="end"), Settings={})
    with pytest.raises(InputError, match="no route 'start'"):
        tracked(what, "routes: {start: in_module}")


def test_blocks_of_the_flows_author_that_set_the_route_are_left_and_go_into_the_names_below_them() -> None:
    what = flow(
        sets("begin", "main", call_route="top", call_completed="false"),
        menu("main", k1="by hand", k2="new"),
        sets("by hand", "sub", call_route="balance"),
        menu("sub", k1="end"),
        say("new", "end"),
    )
    assert values(what) == {
        "track-main-2": {"call_route": "top-2"},
        "track-sub-1": {"call_route": "balance-1"},
        "track-done-end": {"call_completed": "true"},
    }


def test_what_the_flows_author_says_of_completion_stands() -> None:
    what = flow(
        menu("main", k1="decline", k2="accept"),
        sets("decline", "no", call_completed="false"),
        sets("accept", "yes", call_completed="true"),
        say("no", "end"),
        say("yes", "main"),
    )
    assert left_with(what, "1")[1] == "false"
    assert left_with(what, "2")[1] == "true"


# --- Second runs -----------------------------------------------------------------------------------------------------


def changed(document: Any, name: str) -> dict[str, Any]:
    found: dict[str, Any] = next(each for each in document["Actions"] if each["Identifier"] == name)
    return found


def test_what_people_change_in_tracking_blocks_stays() -> None:
    result = tracked(TWO_LEVELS)
    document = copy.deepcopy(dict(result.document))
    changed(document, "track-main-1")["Parameters"]["Attributes"] = {"note": "vip", "call_route": "balance"}
    document["Actions"].reverse()
    second = tracked(Flow.parse(json.dumps(document), "x.json"))
    assert second.document == document
    assert "balance" in (second.catalog.routes if second.catalog else {})


def test_a_new_key_gives_one_new_block_and_a_key_that_is_gone_takes_its_block_along() -> None:
    document = copy.deepcopy(dict(tracked(TWO_LEVELS).document))
    branches = changed(document, "main")["Transitions"]["Conditions"]
    branches[1] = {"NextAction": "answer", "Condition": {"Operator": "Equals", "Operands": ["3"]}}
    second = tracked(Flow.parse(json.dumps(document), "x.json"))
    before = {each["Identifier"] for each in document["Actions"]}
    after = {each["Identifier"] for each in second.document["Actions"]}
    assert after - before == {"track-main-3"}
    assert before - after == {"track-main-2"}
    assert second.added == 1


def test_a_tracking_block_turned_into_something_else_is_the_authors_own() -> None:
    document = copy.deepcopy(dict(tracked(TWO_LEVELS).document))
    changed(document, "track-main-2")["Transitions"]["Errors"][0]["NextAction"] = "main"
    second = tracked(Flow.parse(json.dumps(document), "x.json"))
    assert second.document == document


def test_a_block_that_was_led_elsewhere_by_one_branch_settles_in_one_run(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    document = copy.deepcopy(dict(tracked(flow(menu("main", k1="end", k2="end"))).document))
    # Both ways lead to the end: once the second block is out of the way, the first is a tracking block again.
    changed(document, "track-main-1")["Transitions"]["Errors"][0]["NextAction"] = "track-main-2"
    changed(document, "main")["Identifier"] = "renamed"
    lead(document, "main", "renamed")
    edited = Flow.parse(json.dumps(document), "x.json")
    result = tracked(edited)
    assert_settled(again(result), result)
    assert set(values(edited)) == {"track-start", "track-renamed-1", "track-renamed-2", "track-done-end"}
    monkeypatch.setattr("callroute.flows.tracking._RUNS", 1)
    with pytest.raises(InputError, match="does not settle: after 1 runs"):
        tracked(edited)


def test_tracking_blocks_that_lead_round_in_a_circle_are_refused() -> None:
    what = flow(sets("track-a", "track-b", x="1"), sets("track-b", "track-a", x="1"))
    with pytest.raises(InputError, match="leads back to itself"):
        tracked(what)


def holders(document: dict[str, Any]) -> list[dict[str, Any]]:
    """All that names a target in a flow's document."""
    found = []
    for each in document["Actions"]:
        branches = each["Transitions"]
        found += [branches, *branches.get("Conditions", ()), *branches.get("Errors", ())]
    return [holder for holder in found if "NextAction" in holder]


def edit(data: st.DataObject, document: dict[str, Any]) -> None:
    """What people do to a flow in the designer, one thing of it."""
    blocks = document["Actions"]
    names = [each["Identifier"] for each in blocks]
    unused = next(f"new {number}" for number in range(len(names) + 1) if f"new {number}" not in names)
    one = data.draw(st.sampled_from(blocks))
    ours = [each for each in blocks if each["Identifier"].startswith(PREFIX)]
    kinds = ("rewire", "move", "add", "rename", "reorder", *(("delete", "route", "branch") if ours else ()))
    match data.draw(st.sampled_from(kinds)):
        case "rewire":
            data.draw(st.sampled_from(holders(document)))["NextAction"] = data.draw(st.sampled_from(names))
        case "branch":
            branches = data.draw(st.sampled_from(ours))["Transitions"]
            data.draw(st.sampled_from((branches, *branches["Errors"])))["NextAction"] = data.draw(
                st.sampled_from(names)
            )
        case "move":
            positions = document["Metadata"].setdefault("ActionMetadata", {})
            positions[one["Identifier"]] = {"position": {"x": data.draw(st.integers(0, 2000)), "y": 0}}
        case "add":
            holder = data.draw(st.sampled_from(holders(document)))
            blocks.append(say(unused, holder["NextAction"]))
            holder["NextAction"] = unused
        case "rename":
            lead(document, one["Identifier"], unused)
            one["Identifier"] = unused
        case "reorder":
            blocks.reverse()
        case "delete":
            gone = data.draw(st.sampled_from(ours))
            target = gone["Transitions"]["NextAction"]
            if target != gone["Identifier"]:
                blocks.remove(gone)
                lead(document, gone["Identifier"], target)
        case "route":
            attributes = data.draw(st.sampled_from(ours))["Parameters"]["Attributes"]
            attributes[ROUTE] = data.draw(st.sampled_from(("start", "1", "balance", "1-1")))


def lead(document: dict[str, Any], old: str, new: str) -> None:
    """Leads whatever leads to one block to another."""
    for holder in holders(document):
        if holder["NextAction"] == old:
            holder["NextAction"] = new
    if document["StartAction"] == old:
        document["StartAction"] = new


@settings(deadline=None)
@given(data=st.data(), before=any_flow())
def test_after_any_edit_one_run_settles_and_callers_hear_what_was_edited(
    data: st.DataObject, before: Flow
) -> None:
    document = copy.deepcopy(dict(tracked(before).document))
    for _ in range(data.draw(st.integers(1, 3))):
        edit(data, document)
    edited = Flow.parse(json.dumps(document), "x.json")
    try:
        result = tracked(edited)
    except InputError as error:
        assert "leads back to itself" in str(error)  # noqa: PT017 - a circle of tracking blocks has no way out
        return
    after = again(result)
    assert_settled(after, result)
    assert "untracked-stop" not in {finding.rule for finding in check(after)}
    if f"$.Attributes.{ROUTE}" not in json.dumps(document):
        assert_same_for_callers(edited, after)


# --- The route file --------------------------------------------------------------------------------------------------

NAMES = """
routes:
  start: {route: top, en: First menu, ja: 最初のメニュー}
  "1": balance
  "2-1": {route: documents, ja: 書類}
branches:
  hours: {"False": closed}
blocks:
  bye: goodbye
"""
NAMED = flow(
    menu("main", k1="sub", k2="accounts"),
    menu("sub", k1="end", k2="hours"),
    menu("accounts", k1="end"),
    hours("hours", "end", "closed"),
    say("closed", "bye"),
    say("bye", "end"),
)


def test_names_replace_routes_and_go_into_the_names_below_them() -> None:
    assert {name: each.get("call_route") for name, each in values(NAMED, NAMES).items()} == {
        "track-start": "top",
        "track-main-1": "balance",
        "track-main-2": "2",
        "track-sub-1": "balance-1",
        "track-sub-2": "balance-2",
        "track-accounts-1": "documents",
        "track-hours-False": "closed",
        "track-at-bye": "goodbye",
        "track-done-end": None,
    }


def test_silence_and_a_last_try_can_have_names() -> None:
    tries = block("tries", "Loop", "end", {"ContinueLooping": "main", "DoneLooping": "end"}, LoopCount="1")
    what = flow(tries, menu("main", "tries", k1="end"))
    names = "branches: {main: {InputTimeLimitExceeded: silent}, tries: {DoneLooping: no_choice}}"
    after = again(tracked(what, names))
    _, went = call(after, "timeout")
    assert went is not None
    assert went.attributes[ROUTE] == "no_choice"
    assert {each.target for each in after.blocks["tries"].branches if each.label != "ContinueLooping"} == {
        "track-tries-DoneLooping"
    }
    assert (
        after.blocks["main"].target("error", "InputTimeLimitExceeded") == "track-main-InputTimeLimitExceeded"
    )


def test_names_once_given_stay_without_the_route_file() -> None:
    result = tracked(NAMED, NAMES)
    assert json.dumps(tracked(again(result)).document) == json.dumps(result.document)
    renamed = tracked(again(result), 'routes: {"1": accounts}')
    assert attributes_of(again(renamed).blocks["track-main-1"]) == {"call_route": "accounts"}


def test_a_named_block_has_its_route_after_a_module_too_whatever_the_module_has_set() -> None:
    module = block("module", "InvokeFlowModule", "bye", errors={"NoMatchingError": "end"}, FlowModuleId="m")
    what = flow(menu("main", k1="before"), say("before", "module"), module, say("bye", "end"))
    names = "{blocks: {before: sales, bye: sales}}"
    after = again(tracked(what, names))
    assert analyze(after).routes["bye"] == {"sales"}


def test_labels_of_a_route_file_go_into_the_catalog() -> None:
    catalog = tracked(NAMED, NAMES).catalog
    assert catalog is not None
    assert catalog.routes["top"] == Route("top", None, "First menu", "最初のメニュー")
    assert catalog.routes["documents"].en == "書類"
    assert catalog.routes["documents"].parent == "2"


@pytest.mark.parametrize(
    ("names", "line", "message"),
    [
        ('routes: {"7": x}', 1, "no route '7'"),
        ('routes:\n  "1-3": x', 2, r"no route '1-3' \(did you mean '1"),
        ("branches: {houers: {x: y}}", 1, r"no block 'houers' \(did you mean 'hours'"),
        ("branches: {hours: {Flase: y}}", 1, r"no branch of 'hours' 'Flase' \(did you mean 'False'"),
        ("blocks: {by: y}", 1, r"no block 'by' \(did you mean 'bye'"),
        ("menus: {}", 1, "'menus' is unknown"),
        ("routes: {start: {name: x}}", 1, "'name' is unknown"),
        ("routes: {start: {en: x}}", 1, "it has no route"),
        ("routes: {start: $.External.x}", 1, "is a reference"),
        ('routes: {start: ""}', 1, "not text"),
        ("routes:\n- {route: start}", 2, "this is a route catalog"),
        ("a: [", 1, "not YAML"),
    ],
)
def test_a_route_file_that_does_not_fit_is_refused_with_its_line(names: str, line: int, message: str) -> None:
    with pytest.raises(InputError, match=message) as refused:
        tracked(NAMED, names)
    assert refused.value.source == "names.yaml"
    assert refused.value.place.startswith(f"line {line}")


# --- Identifiers, size, positions ------------------------------------------------------------------------------------


@given(parts=st.lists(st.text(st.characters(exclude_categories=()), min_size=1), min_size=1, max_size=3))
def test_identifiers_are_such_as_connect_takes(parts: list[str]) -> None:
    assert re.fullmatch(r"[^%:()\\/=$,;\[\]{}]{1,50}", identifier(*parts))
    identifier(*parts).encode("utf-8")


def test_identifiers_that_had_to_be_changed_stay_apart() -> None:
    names = [identifier("b" * 60, "1"), identifier("b" * 60, "2"), identifier("a(b)"), identifier("a[b]")]
    assert len(set(names)) == 4


def test_an_identifier_that_the_flow_has_already_is_not_used_twice() -> None:
    what = flow(say("track-start", "main"), menu("main", k1="end"))
    assert "track-start-2" in values(what)


def test_a_flow_that_would_be_too_large_is_refused_with_the_number_of_blocks() -> None:
    keys = "0123456789*#"
    menus = [menu("main", **{f"k{key}": f"menu {key}" for key in keys})]
    menus += [menu(f"menu {key}", **{f"k{other}": "end" for other in keys}) for key in keys]
    needed = 1 + 12 + 12 * 12 + 1

    def of_size(blocks: int) -> Flow:
        more = blocks - len(menus) - 2
        return flow(
            *(say(f"message {number}", f"message {number + 1}") for number in range(more)),
            say(f"message {more}", "main"),
            *menus,
        )

    assert len(tracked(of_size(250 - needed)).document["Actions"]) == 250
    with pytest.raises(InputError, match=f"needs {needed} blocks.* makes 251, and Connect takes 250"):
        tracked(of_size(251 - needed))


def test_a_flow_whose_content_would_be_too_long_is_refused() -> None:
    document = copy.deepcopy(dict(flow(say("hello", "end")).document))
    room = 256_000 - len(json.dumps(document, separators=(",", ":")))
    document["Actions"][0]["Parameters"]["Text"] += "x" * (room - 100)
    large = Flow.parse(json.dumps(document), "x.json")
    assert "content-too-long" not in {finding.rule for finding in check(large)}
    with pytest.raises(InputError, match=r"it has 256,[0-9]{3} characters, and Connect takes 256,000"):
        tracked(large)


WIDTH, HEIGHT = 200, 140


def positions(what: Flow) -> dict[str, tuple[float, float]]:
    return {
        name: (each["position"]["x"], each["position"]["y"])
        for name, each in what.document.get("Metadata", {}).get("ActionMetadata", {}).items()
        if "position" in each
    }


def _assert_laid_out(what: Flow, after: Flow) -> None:
    """Other blocks stand where they stood; new ones have a place, and overlap nothing."""
    before, now = positions(what), positions(after)
    assert before == {name: at for name, at in now.items() if name in before}
    if before:
        new = [name for name in now if name not in before]
        assert set(new) == {name for name in after.blocks if name.startswith(PREFIX)}
        for name in new:
            for other, at in now.items():
                near = abs(now[name][0] - at[0]) < WIDTH and abs(now[name][1] - at[1]) < HEIGHT
                assert other == name or not near, (name, other)
    else:
        assert now == {}


@pytest.mark.parametrize("name", OURS)
def test_new_blocks_stand_on_free_ground_and_no_other_block_is_moved(name: str) -> None:
    _assert_laid_out(ours_bare(name), ours_tracked(name))


def test_a_new_block_stands_between_the_blocks_that_it_connects() -> None:
    places = {"hello": (200, 100), "main": (1000, 100), "end": (2000, 700)}
    metadata = {
        "entryPointPosition": {"x": 0, "y": 100},
        "ActionMetadata": {name: {"position": {"x": x, "y": y}} for name, (x, y) in places.items()},
    }
    what = flow(say("hello", "main"), menu("main", k1="end"), Metadata=metadata)
    found = positions(again(tracked(what)))
    assert found["track-main-1"] == (1500, 400)
    assert found["track-start"][0] == 100


def test_where_people_moved_a_tracking_block_it_stays() -> None:
    document = copy.deepcopy(dict(ours_tracked(OURS[0]).document))
    moved = document["Metadata"]["ActionMetadata"]["track-start"]
    moved["position"] = {"x": -500.5, "y": 3}
    moved["isFriendlyName"] = True
    assert tracked(Flow.parse(json.dumps(document), "x.json")).document == document


# --- The catalog ---------------------------------------------------------------------------------------------------


def test_the_catalog_has_every_route_with_its_parent_and_what_callers_hear_there() -> None:
    catalog = tracked(TWO_LEVELS).catalog
    assert catalog is not None
    assert catalog.flow == "x.json"
    assert catalog.call_flow == "x"
    assert list(catalog.routes.values()) == [
        Route("start", None, "main menu", "main menu"),
        Route("1", "start", "sub menu", "sub menu"),
        Route("2", "start", "answer message", "answer message"),
        Route("1-1", "1", "deep message", "deep message"),
    ]


def test_what_is_not_heard_has_a_label_that_says_what_happens() -> None:
    what = flow(menu("main", k1="queue", k2="end"), queue("queue", "end"))
    catalog = tracked(what).catalog
    assert catalog is not None
    assert catalog.routes["1"] == Route("1", "start", "Transfer to a queue", "キューへの転送")
    assert catalog.routes["2"] == Route("2", "start", "End of the call", "通話の終了")


def test_a_label_is_what_is_heard_when_all_goes_well() -> None:
    what = flow(
        menu("main", k1="hours", k2="lookup", k3="queue"),
        hours("hours", "welcome", "closed"),
        block(
            "lookup",
            "InvokeLambdaFunction",
            "ask",
            errors={"NoMatchingError": "sorry"},
            LambdaFunctionARN="l",
        ),
        compare("ask", "$.External.found", "sorry", yes="welcome"),
        say("closed", "end"),
        say("sorry", "end"),
        say("welcome", "end"),
        queue("queue", "sorry"),
    )
    catalog = tracked(what).catalog
    assert catalog is not None
    assert [route.en for route in catalog.routes.values()][1:] == [
        "welcome message",
        "2: welcome message",
        "Transfer to a queue",
    ]


@pytest.mark.parametrize("reference", ["$.Attributes.language", "$['Attributes']['language']"])
def test_a_label_follows_the_attribute_that_the_choice_has_set(reference: str) -> None:
    what = flow(
        menu("language", k1="english", k2="spanish"),
        sets("english", "kind", language="en"),
        sets("spanish", "kind", language="es"),
        compare("kind", reference, "sorry", en="hello", es="hola"),
        say("hello", "end"),
        say("hola", "end"),
        say("sorry", "end"),
    )
    catalog = tracked(what).catalog
    assert catalog is not None
    assert catalog.routes["1"].en == "hello message"
    assert catalog.routes["2"].en == "hola message"


def test_labels_are_short_and_without_markup() -> None:
    hello = block(
        "hello", "MessageParticipant", "end", SSML="<speak>Hello,\n<break/> " + "you " * 40 + "</speak>"
    )
    catalog = tracked(flow(hello)).catalog
    assert catalog is not None
    label = catalog.routes["start"].en
    assert label.startswith("Hello, you you")
    assert label.endswith("…")
    assert len(label) <= 80


def test_entries_that_a_catalog_has_stay_as_they_are() -> None:
    entry = Route("1", "start", "My words", "私の言葉")
    known = RouteCatalog(
        "old.json", "kept", {"Queue": "a queue"}, {"start": Route("start", None, "a", "b"), "1": entry}
    )
    catalog = tracked(TWO_LEVELS, catalog=known).catalog
    assert catalog is not None
    assert catalog.routes["1"] == entry
    assert (catalog.call_flow, catalog.placeholders) == ("kept", {"Queue": "a queue"})
    assert set(catalog.routes) == {"start", "1", "2", "1-1"}


def test_placeholders_of_the_flow_are_declared_in_its_catalog() -> None:
    what = flow(block("hours", "CheckHoursOfOperation", "end", HoursOfOperationId="${Hours}"))
    catalog = tracked(what).catalog
    assert catalog is not None
    assert catalog.placeholders == {"Hours": "value of Hours"}


TEXT = st.text(st.characters(exclude_categories=()), min_size=1)


@given(routes=st.lists(st.tuples(TEXT, TEXT, TEXT), min_size=1, unique_by=lambda each: each[0]), name=TEXT)
def test_a_catalog_is_read_as_it_was_written(routes: list[tuple[str, str, str]], name: str) -> None:
    first = routes[0][0]
    catalog = RouteCatalog(
        name,
        name,
        {name: name},
        {route: Route(route, None if route == first else first, en, ja) for route, en, ja in routes},
    )
    text = catalog_text(catalog)
    text.encode("utf-8")
    assert RouteCatalog.parse(text, "x") == catalog
