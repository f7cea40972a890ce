"""Defines a small flow with a menu, and loads and runs scenarios for it."""

from __future__ import annotations

from pathlib import Path

from callroute.flows.flow import Flow
from callroute.flows.simulation.runner import Result, run_scenario
from callroute.flows.simulation.scenario_file import Scenario, load_scenarios
from tests.flows.simulation.builders import START, block

MENU = block(
    "menu",
    "GetParticipantInput",
    "sorry",
    {"1": "sales", "2": "sales"},
    errors={"InputTimeLimitExceeded": "sorry", "NoMatchingCondition": "sorry", "NoMatchingError": "sorry"},
    Text="1 or 2?",
    StoreInput="False",
    InputTimeLimitSeconds="5",
)


SALES = block(
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
    block("thanks", "MessageParticipant", "end", Text="Thank you."),
    block("sorry", "MessageParticipant", "menu", Text="Sorry."),
    block("end", "DisconnectParticipant", None),
]


def load(flow: Flow, text: str) -> list[Scenario]:
    """Writes a scenario file next to the flow and loads it."""
    path = Path(flow.source).with_suffix(".scenarios.yaml")
    path.write_text(f"flow: shop.json\n{text}", encoding="utf-8")
    return load_scenarios(path, flow, Flow.load)


def result_of(flow: Flow, scenario: str) -> Result:
    """Runs a scenario, given as the content of a YAML flow mapping."""
    (loaded,) = load(flow, f"scenarios:\n  - {{name: it, {scenario}}}\n")
    return run_scenario(flow, loaded, START)
