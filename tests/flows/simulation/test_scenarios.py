"""Guards scenario files: an expectation that passes though it does not hold, and mistakes that nobody is told of."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from callroute.errors import InputError
from callroute.flows.flow import Flow
from callroute.flows.simulation import Environment
from callroute.flows.simulation.scenarios import (
    Coverage,
    Result,
    Scenario,
    countable,
    coverage,
    load_scenarios,
    read_world,
    run_scenario,
    with_answer,
)
from callroute.formats.yaml_document import YamlNode
from tests.support.paths import FLOW_DEFINITIONS

START = datetime(2026, 4, 1, 1, tzinfo=UTC)


def action(
    name: str, kind: str, then: str | None, conditions: dict[str, str] | None = None, **more: Any
) -> dict[str, Any]:
    errors = more.pop("errors", {})
    branches: dict[str, Any] = {"NextAction": then} if then else {}
    branches["Conditions"] = [
        {"NextAction": target, "Condition": {"Operator": "Equals", "Operands": [operand]}}
        for operand, target in (conditions or {}).items()
    ]
    branches["Errors"] = [{"NextAction": target, "ErrorType": error} for error, target in errors.items()]
    return {"Identifier": name, "Type": kind, "Parameters": more, "Transitions": branches}


MENU = action(
    "menu",
    "GetParticipantInput",
    "sorry",
    {"1": "sales", "2": "sales"},
    errors={"InputTimeLimitExceeded": "sorry", "NoMatchingCondition": "sorry", "NoMatchingError": "sorry"},
    Text="1 or 2?",
    StoreInput="False",
    InputTimeLimitSeconds="5",
)
SALES = action(
    "sales",
    "UpdateContactAttributes",
    "thanks",
    errors={"NoMatchingError": "thanks"},
    Attributes={"call_route": "to_sales", "call_completed": "true"},
    TargetContact="Current",
)
BLOCKS = [
    MENU,
    SALES,
    action("thanks", "MessageParticipant", "end", Text="Thank you."),
    action("sorry", "MessageParticipant", "menu", Text="Sorry."),
    action("end", "DisconnectParticipant", None),
]


@pytest.fixture
def flow(tmp_path: Path) -> Flow:
    text = json.dumps({"Version": "2019-10-30", "StartAction": "menu", "Actions": BLOCKS})
    return Flow.parse(text, str(tmp_path / "shop.json"))


def load(flow: Flow, text: str) -> list[Scenario]:
    path = Path(flow.source).with_suffix(".scenarios.yaml")
    path.write_text(f"flow: shop.json\n{text}", encoding="utf-8")
    return load_scenarios(path, flow, Flow.load)


def result_of(flow: Flow, scenario: str) -> Result:
    (loaded,) = load(flow, f"scenarios:\n  - {{name: it, {scenario}}}\n")
    return run_scenario(flow, loaded, START)


# --- Expectations ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("expectation", "failure"),
    [
        ("keys: 1, hears: [1 or 2, Thank you]", ""),
        ("keys: 1, hears: Sorry", "hears 'Sorry': it is never said"),
        ("keys: 1, never_hears: Sorry", ""),
        ("keys: timeout, never_hears: [x, orr]", "never hears 'orr': it is said: 'Sorry.'"),
        ("keys: 1, reaches: [to_sales, thanks, menu, end]", ""),
        ("keys: hangup, reaches: to_sales", "reaches 'to_sales': the call never comes there"),
        ("keys: hangup, never_reaches: [to_sales, sales]", ""),
        ("keys: 2, never_reaches: sales", "never reaches 'sales': it does"),
        ("keys: 1, attributes: {call_route: to_sales, call_completed: true}", ""),
        (
            "keys: 1, attributes: {call_route: To_sales}",
            "attribute call_route is 'To_sales': it is 'to_sales'",
        ),
        ("attributes: {call_route: to_sales}", "attribute call_route is 'to_sales': it is not set"),
        ("keys: 1, ends: CONTACT_FLOW_DISCONNECT", ""),
        ("keys: 1, ends: CUSTOMER_DISCONNECT", "ends CUSTOMER_DISCONNECT: it ends CONTACT_FLOW_DISCONNECT"),
        ("keys: 1, hangs_up_during: Thank, ends: CUSTOMER_DISCONNECT", ""),
        ("keys: [timeout, 2], hears: [Sorry, Thank you]", ""),
        (
            "keys: 1, world: {errors: {sales: NoMatchingError}}, attributes: {call_route: to_sales}",
            "attribute call_route is 'to_sales': it is not set",
        ),
    ],
)
def test_an_expectation_holds_or_is_told_with_what_happened_instead(
    flow: Flow, expectation: str, failure: str
) -> None:
    failures = result_of(flow, expectation).failures
    assert failures[:1] == ((failure,) if failure else ())
    assert len(failures) == (2 if failure else 0), "besides the failure the way of the call is told, once"


def test_a_failure_tells_the_way_of_the_call(flow: Flow) -> None:
    assert result_of(flow, "keys: 1, hears: no").failures[-1] == "the call went: menu → sales → thanks → end"


def test_where_the_simulator_cannot_follow_the_scenario_fails_with_its_reason(flow: Flow) -> None:
    other = [action("ask", "InvokeLambdaFunction", "end", LambdaFunctionARN="lookup"), BLOCKS[-1]]
    text = json.dumps({"Version": "2019-10-30", "StartAction": "ask", "Actions": other})
    result = result_of(Flow.parse(text, flow.source), "reaches: end")
    assert "lambda" in result.failures[0]
    assert result.taken == {}


def test_scenarios_share_a_world_and_may_differ_from_it(flow: Flow) -> None:
    scenarios = load(
        flow,
        """
world: {open: false, agent_answers_after: never, hours: {a: true}, called_number: "+442079460999"}
scenarios:
  - {name: one, ends: X}
  - {name: two, ends: X, world: {open: true, hours: {b: false}, agent_answers_after: 5, customer_number: withheld}}
  - {name: three, ends: X, leaves_queue_after: 7}
""",
    )
    one, two, three = (scenario.world for scenario in scenarios)
    assert (one.is_open, one.agent_answers_after, one.system_number) == (False, None, "+442079460999")
    assert (two.is_open, two.agent_answers_after, two.customer_number) == (True, 5, None)
    assert two.answers == {"hours": {"a": True, "b": False}}
    assert one.answers == three.answers == {"hours": {"a": True}}
    assert scenarios[2].leaves_queue_after == 7


def test_who_leaves_the_queue_is_not_answered_before_unless_the_scenario_says_so(flow: Flow) -> None:
    scenarios = load(
        flow,
        "scenarios:\n"
        "  - {name: a, ends: X, leaves_queue_after: 30}\n"
        "  - {name: b, ends: X, leaves_queue_after: 30, world: {agent_answers_after: 40}}\n",
    )
    assert [scenario.world.agent_answers_after for scenario in scenarios] == [None, 40]


def test_other_flows_are_read_from_beside_the_scenarios(flow: Flow) -> None:
    there = Path(flow.source).with_name("there.json")
    document = {"Version": "2019-10-30", "StartAction": "end", "Actions": BLOCKS[-1:]}
    there.write_text(json.dumps(document), encoding="utf-8")
    (scenario,) = load(
        flow, "scenarios:\n  - {name: a, ends: X, world: {flows: {m: there.json, n: returns}}}\n"
    )
    other = scenario.world.flows["m"]
    assert isinstance(other, Flow)
    assert other.source == str(there)
    assert scenario.world.flows["n"] == "returns"


def test_anchors_and_merges_share_parts_of_scenarios(flow: Flow) -> None:
    scenarios = load(
        flow,
        "scenarios:\n"
        "  - {name: a, ends: X, world: &w {open: false, talk_seconds: 5}}\n"
        "  - {name: b, ends: X, world: {<<: *w, open: true}}\n",
    )
    assert [(each.world.is_open, each.world.talk_seconds) for each in scenarios] == [(False, 5), (True, 5)]


# --- Unusable files --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "line", "messages"),
    [
        ("scenarios: []", 2, ["there are no scenarios"]),
        ("scenarios: {}", 2, ["there are no scenarios"]),
        ("wrold: {}", 2, ["'wrold' is unknown", "did you mean 'world'"]),
        ("world: {}", 1, ["'scenarios' is missing"]),
        ("scenarios:\n  - {keys: 1}", 3, ["no name"]),
        ("scenarios:\n  - {name: a}", 3, ["'a' expects nothing", "hears"]),
        ("scenarios:\n  - {name: a, ends: X}\n  - {name: a, ends: X}", 4, ["two scenarios 'a'"]),
        ("scenarios:\n  - name: a\n    haers: x", 4, ["'haers' is unknown", "did you mean 'hears'"]),
        ("scenarios:\n  - name: a\n    ends: X\n    ends: Y", 5, ["'ends' is repeated"]),
        ("scenarios:\n  - name: a\n    keys: 1, x\n    ends: X", 4, ["scenario 'a': keys", "'x'", "0-9"]),
        (
            "scenarios:\n  - name: a\n    reaches: [menu, to_sale]",
            4,
            ["'to_sale'", "did you mean 'to_sales'"],
        ),
        ("scenarios:\n  - name: a\n    hears:\n      - {x: y}", 5, ["must be text, not a mapping"]),
        ("scenarios:\n  - name: a\n    hears: ''", 4, ["must be text, not empty"]),
        ("scenarios:\n  - just text", 3, ["must be a mapping, not 'just text'"]),
        ("scenarios:\n  - name: a\n    ends: X\n    world: {open: maybe}", 5, ["'maybe'", "true or false"]),
        ("scenarios:\n  - name: a\n    ends: X\n    world: {opne: true}", 5, ["did you mean 'open'"]),
        ("scenarios:\n  - name: a\n    ends: X\n    world: {talk_seconds: -1}", 5, ["'-1'", "from 0 to"]),
        ("scenarios:\n  - name: a\n    ends: X\n    world: {talk_seconds: .nan}", 5, ["'.nan'"]),
        ("scenarios:\n  - name: a\n    ends: X\n    world: {split: {s: 101}}", 5, ["101", "1 to 100"]),
        ("scenarios:\n  - name: a\n    ends: X\n    world: {lambda: {s: x}}", 5, ["'x' is not a mapping"]),
        ("scenarios:\n  - name: a\n    ends: X\n    world: {lex: {s: [A, {slots: 1}]}}", 5, ["lex: s"]),
        (
            "scenarios:\n  - name: a\n    ends: X\n    world: {errors: {menu: NoMatchingEror}}",
            3,
            ["'menu' does not fail with 'NoMatchingEror'", "did you mean 'NoMatchingError'"],
        ),
        (
            "scenarios:\n  - name: a\n    ends: X\n    world: {errors: {mneu: NoMatchingError}}",
            3,
            ["'mneu'", "did you mean 'menu'"],
        ),
        (
            "scenarios:\n  - name: a\n    ends: X\n    world: {flows: {m: nowhere.json}}",
            None,
            ["nowhere.json"],
        ),
        ("scenarios: [", 2, ["not YAML"]),
    ],
)
def test_what_cannot_be_used_is_named_with_line_value_and_remedy(
    flow: Flow, text: str, line: int | None, messages: list[str]
) -> None:
    with pytest.raises(InputError) as refused:
        load(flow, text)
    if line is not None:
        assert refused.value.source.endswith("shop.scenarios.yaml")
        assert refused.value.place.startswith(f"line {line}"), refused.value.place
    for message in messages:
        assert message in str(refused.value)
    assert refused.value.fix


def test_scenarios_of_another_flow_are_refused(flow: Flow, tmp_path: Path) -> None:
    path = tmp_path / "x.yaml"
    path.write_text("flow: other.json\nscenarios: [{name: a, ends: X}]\n", encoding="utf-8")
    with pytest.raises(InputError, match=r"line 1: flow: these are scenarios of other\.json"):
        load_scenarios(path, flow, Flow.load)


def test_an_empty_file_is_refused(flow: Flow, tmp_path: Path) -> None:
    path = tmp_path / "x.yaml"
    path.write_text("# nothing yet\n", encoding="utf-8")
    with pytest.raises(InputError, match="is empty"):
        load_scenarios(path, flow, Flow.load)


# --- Answers typed one by one ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "kind", "place", "answer"),
    [
        ("lambda:lookup={tier: gold, age: 3}", "lambda", "lookup", {"tier": "gold", "age": 3}),
        ('lambda:*={"since": "2026-01-02"}', "lambda", "*", {"since": "2026-01-02"}),
        ("lambda:arn:aws:lambda:x={a: b=c}", "lambda", "arn:aws:lambda:x", {"a": "b=c"}),
        ("lambda:dated={day: 2026-01-02}", "lambda", "dated", {"day": "2026-01-02"}),
        ("split:s=[1, 100]", "split", "s", [1, 100]),
        ("errors:b=[null, NoMatchingError]", "errors", "b", [None, "NoMatchingError"]),
        ("hours:h=false", "hours", "h", False),
    ],
)
def test_an_answer_is_kind_place_and_yaml(text: str, kind: str, place: str, answer: Any) -> None:
    assert with_answer(Environment(), text, "--answer").answers == {kind: {place: answer}}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("lambda", "KIND:PLACE=VALUE"),
        ("lambda:=x", "KIND:PLACE=VALUE"),
        ("lamda:x={}", "did you mean 'lambda'"),
        ("split:x=0", "1 to 100"),
        ("lambda:x={", "not YAML"),
    ],
)
def test_a_mistyped_answer_is_refused(text: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        with_answer(Environment(), text, "--answer")


def test_answers_add_up() -> None:
    world = read_world(YamlNode.parse("{split: {a: 1}, open: false}", "w.yaml"), Flow.load)
    world = with_answer(with_answer(world, "split:b=2", "--answer"), "split:a=3", "--answer")
    assert (world.answers, world.is_open) == ({"split": {"a": 3, "b": 2}}, False)


# --- Coverage --------------------------------------------------------------------------------------------------------


def test_branches_are_counted_and_not_blocks_and_what_is_never_taken_is_not_demanded(flow: Flow) -> None:
    assert [branch.label for branch in countable(flow.blocks["menu"])] == [
        *("1", "2", "InputTimeLimitExceeded", "NoMatchingCondition", "NoMatchingError"),
    ], "the NextAction of a menu is demanded by Connect and taken by nobody"
    total = 5 + 2 + 1 + 1
    results = [result_of(flow, "keys: 1, ends: X")]
    assert coverage(flow, results).taken == 3
    assert coverage(flow, results).total == total
    results.append(result_of(flow, "keys: 2, ends: X"))
    assert coverage(flow, results).taken == 4, "the same blocks over another branch"
    assert ("menu", "InputTimeLimitExceeded") in {
        (branch.source, branch.label) for branch in coverage(flow, results).not_taken
    }


def test_the_share_is_of_all_branches_and_a_flow_without_any_is_covered() -> None:
    assert Coverage(3, 4, ()).percent == 75
    assert Coverage(0, 0, ()).percent == 100


@pytest.mark.parametrize("name", ["call_route", "call_route_with_operator"])
def test_our_own_scenarios_hold_and_take_every_branch(name: str) -> None:
    folder = FLOW_DEFINITIONS
    own = Flow.load(folder / f"{name}.json")
    scenarios = load_scenarios(folder / f"{name}.scenarios.yaml", own, Flow.load)
    results = [run_scenario(own, scenario, START) for scenario in scenarios]
    assert {result.scenario.name: result.failures for result in results if result.failures} == {}
    assert coverage(own, results).not_taken == ()


def test_how_a_call_ends_is_not_asked_of_its_callback(tmp_path: Path) -> None:
    wrong = {"InvalidCallbackNumber": "end", "CallbackNumberNotDialable": "end"}
    blocks = [
        action("queue", "UpdateContactTargetQueue", "number", QueueId="arn:q/first"),
        action("number", "UpdateContactCallbackNumber", "back", errors=wrong, CallbackNumber="+12065550100"),
        action("back", "CreateCallbackContact", "end", InitialCallDelaySeconds="60"),
        BLOCKS[-1],
    ]
    text = json.dumps({"Version": "2019-10-30", "StartAction": "queue", "Actions": blocks})
    flow = Flow.parse(text, str(tmp_path / "shop.json"))
    assert result_of(flow, "ends: CONTACT_FLOW_DISCONNECT, reaches: back").failures == ()
