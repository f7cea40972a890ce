"""Tests how scenario files are read."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from callroute.errors import InputError
from callroute.flows.flow import Flow
from callroute.flows.simulation.scenario_file import load_scenarios
from tests.flows.simulation.shop import BLOCKS, load


def test_a_scenario_can_override_the_shared_environment(flow: Flow) -> None:
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
    one, two, three = (scenario.environment for scenario in scenarios)
    assert (one.is_open, one.agent_answers_after, one.system_number) == (False, None, "+442079460999")
    assert (two.is_open, two.agent_answers_after, two.customer_number) == (True, 5, None)
    assert two.responses == {"hours": {"a": True, "b": False}}
    assert one.responses == three.responses == {"hours": {"a": True}}
    assert scenarios[2].leaves_queue_after == 7


def test_leaves_queue_after_disables_the_default_agent(flow: Flow) -> None:
    scenarios = load(
        flow,
        "scenarios:\n"
        "  - {name: a, ends: X, leaves_queue_after: 30}\n"
        "  - {name: b, ends: X, leaves_queue_after: 30, world: {agent_answers_after: 40}}\n",
    )
    assert [scenario.environment.agent_answers_after for scenario in scenarios] == [None, 40]


def test_other_flows_are_read_relative_to_the_scenario_file(flow: Flow) -> None:
    there = Path(flow.source).with_name("there.json")
    document = {"Version": "2019-10-30", "StartAction": "end", "Actions": BLOCKS[-1:]}
    there.write_text(json.dumps(document), encoding="utf-8")
    (scenario,) = load(
        flow, "scenarios:\n  - {name: a, ends: X, world: {flows: {m: there.json, n: returns}}}\n"
    )
    other = scenario.environment.flows["m"]
    assert isinstance(other, Flow)
    assert other.source == str(there)
    assert scenario.environment.flows["n"] == "returns"


def test_yaml_anchors_and_merges_work(flow: Flow) -> None:
    scenarios = load(
        flow,
        "scenarios:\n"
        "  - {name: a, ends: X, world: &w {open: false, talk_seconds: 5}}\n"
        "  - {name: b, ends: X, world: {<<: *w, open: true}}\n",
    )
    assert [(each.environment.is_open, each.environment.talk_seconds) for each in scenarios] == [
        (False, 5),
        (True, 5),
    ]


@pytest.mark.parametrize(
    ("text", "line", "messages"),
    [
        ("scenarios: []", 2, ["there are no scenarios"]),
        ("scenarios: {}", 2, ["there are no scenarios"]),
        ("wrold: {}", 2, ["'wrold' is unknown", "did you mean 'world'"]),
        ("world: {}", 1, ["'scenarios' is missing"]),
        ("scenarios:\n  - {keys: 1}", 3, ["no name"]),
        ("scenarios:\n  - {name: a}", 3, ["'a' has no expectations", "hears"]),
        ("scenarios:\n  - {name: a, ends: X}\n  - {name: a, ends: X}", 4, ["two scenarios named 'a'"]),
        ("scenarios:\n  - name: a\n    haers: x", 4, ["'haers' is unknown", "did you mean 'hears'"]),
        ("scenarios:\n  - name: a\n    ends: X\n    ends: Y", 5, ["'ends' is repeated"]),
        ("scenarios:\n  - name: a\n    keys: 1, x\n    ends: X", 4, ["scenario 'a': keys", "'x'", "0-9"]),
        (
            "scenarios:\n  - name: a\n    reaches: [menu, to_sale]",
            4,
            ["'to_sale'", "did you mean 'to_sales'"],
        ),
        ("scenarios:\n  - name: a\n    hears:\n      - {x: y}", 5, ["must be a string, not a mapping"]),
        ("scenarios:\n  - name: a\n    hears: ''", 4, ["must be a string, not empty"]),
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
            ["'menu' cannot fail with 'NoMatchingEror'", "did you mean 'NoMatchingError'"],
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
        ("scenarios: [", 2, ["not valid YAML"]),
    ],
)
def test_the_error_for_an_invalid_file_contains_line_value_and_fix(
    flow: Flow, text: str, line: int | None, messages: list[str]
) -> None:
    with pytest.raises(InputError) as raised:
        load(flow, text)
    if line is not None:
        assert raised.value.source.endswith("shop.scenarios.yaml")
        assert raised.value.place.startswith(f"line {line}"), raised.value.place
    for message in messages:
        assert message in str(raised.value)
    assert raised.value.fix


def test_scenarios_of_another_flow_are_rejected(flow: Flow, tmp_path: Path) -> None:
    path = tmp_path / "x.yaml"
    path.write_text("flow: other.json\nscenarios: [{name: a, ends: X}]\n", encoding="utf-8")
    with pytest.raises(InputError, match=r"line 1: flow: the scenarios are for other\.json"):
        load_scenarios(path, flow, Flow.load)


def test_an_empty_file_is_rejected(flow: Flow, tmp_path: Path) -> None:
    path = tmp_path / "x.yaml"
    path.write_text("# no content\n", encoding="utf-8")
    with pytest.raises(InputError, match="is empty"):
        load_scenarios(path, flow, Flow.load)
