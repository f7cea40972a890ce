"""Guards against a faster emulator that returns other results."""

from __future__ import annotations

import inspect
import time
from typing import Any

import pytest
from jsonata import Jsonata
from jsonata.jexception import JException
from ministack.services import stepfunctions

from callroute.local.emulator import Emulator
from callroute.local.ministack_patches import latency
from callroute.local.ministack_patches.patches import ENGINE_PATCHES, PATCHES
from tests.local.ministack_patches.test_task_permissions import Machine

pytestmark = pytest.mark.emulator


@pytest.fixture(autouse=True)
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Applies the patches for one test, and records the waits that are not skipped."""
    waits: list[float] = []
    for module in ("time", "copy"):
        monkeypatch.setattr(stepfunctions, module, getattr(stepfunctions, module))
    monkeypatch.setattr(time, "sleep", waits.append)
    for patch in PATCHES:
        if patch in ENGINE_PATCHES or patch.name in ("_run_execution", "_run_map_items"):
            monkeypatch.setattr(patch.owner, patch.name, patch.wrap(patch.original()))
    return waits


def test_an_expression_is_parsed_once_and_evaluated_each_time() -> None:
    first, second = Jsonata.jsonata("a.b[$ > 1]"), Jsonata.jsonata("a.b[$ > 1]")

    assert first.ast is second.ast
    assert first.evaluate({"a": {"b": [1, 2, 3]}}) == [2, 3]
    assert second.evaluate({"a": {"b": [0, 5]}}) == 5
    assert first.evaluate({"a": {"b": [1, 2, 3]}}) == [2, 3]


def test_a_syntax_error_is_raised_every_time() -> None:
    for _ in range(2):
        with pytest.raises(JException):
            Jsonata.jsonata("a[")


def test_the_time_limit_applies_inside_a_function() -> None:
    endless = Jsonata.jsonata("($again := function($n) { $again($n + 1) }; $again(0))", timeout=1)

    with pytest.raises(JException) as caught:
        endless.evaluate(None)
    assert caught.value.error == "D1012"


def test_a_wait_for_the_processor_does_not_count_towards_the_time_limit(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now)
    late = Jsonata.jsonata("1 + $sum([1, $wait()])", timeout=1000)
    late.register_lambda("wait", lambda: monkeypatch.setattr(time, "time", lambda: now + 60) or 2)

    assert late.evaluate(None) == 4


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("$x[0]", 3),
        ("$x[$ > 3]", 4),
        ("[$x[$ > 3]]", [4]),
        ("$x[$ > 4]", None),
        ("$y.b[]", ["1"]),
        ("$y{b: $count($)}", {"1": 1}),
        ("$map($x, function($n) { $n * 2 })", [6, 8]),
        ("$sum($x) & $type($y) & $type($not) & $type(null)", "7objectfunctionnull"),
        ("$x ~> $sum", 7),
        ("$y.(**)", [{"b": "1"}, "1"]),
        ("($next := $substring(?, 1); $next('ab'))", "b"),
        ("$y ~> |$|{'c': 2}|", {"b": "1", "c": 2}),
        ("$y.b.%.b", "1"),
    ],
)
def test_expressions_have_the_same_results(expression: str, value: Any) -> None:
    bindings = {"x": [3, 4], "y": {"b": "1"}}

    assert Jsonata.jsonata(expression).evaluate(None, bindings) == value


def test_an_error_leaves_the_scope_of_an_expression() -> None:
    failing = Jsonata.jsonata("($f := function($n) { $n + 'a' }; $f(1))")
    before = failing.environment

    with pytest.raises(JException):
        failing.evaluate(None)
    assert failing.environment is before


def test_a_synchronous_execution_is_deleted_at_its_end(emulator: Emulator) -> None:
    machine = Machine(emulator)
    machine.run()

    executions = emulator.client("stepfunctions").list_executions(stateMachineArn=machine.arn)
    assert not executions["executions"]


def test_copies_of_a_context_share_only_the_input() -> None:
    context = {"Execution": {"Input": [1]}, "variables": {"x": [{"y": None}]}}

    copied = stepfunctions.copy.deepcopy(context)

    assert copied == context
    assert copied["Execution"] is context["Execution"]
    assert copied["variables"] is not context["variables"]


def test_data_is_cleaned_up_once_a_minute(monkeypatch: pytest.MonkeyPatch) -> None:
    cleaned: list[dict[str, int]] = []
    clean_up = latency.once_a_minute(cleaned.append)
    first, second = {"stream": 1}, {"stream": 1}
    for seconds in (1_000, 1_059, 1_060):
        monkeypatch.setattr(time, "monotonic", lambda now=seconds: now)
        clean_up(first)
        clean_up(second)

    assert [id(each) for each in cleaned] == [id(first), id(second)] * 2


def test_only_the_delay_before_an_execution_is_skipped(waits: list[float]) -> None:
    delay = f"time.sleep({latency.EXECUTION_DELAY})"
    source = inspect.getsource(stepfunctions._run_execution)

    assert source.count("time.sleep(") == source.count(delay) == 1, (
        "this ministack waits for a different time"
    )
    stepfunctions.time.sleep(latency.EXECUTION_DELAY)
    stepfunctions._scaled_sleep(2)
    assert waits == [2]
    assert stepfunctions.time.time() <= time.time()
