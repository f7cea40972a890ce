"""Checks that the faster emulator returns the same results: only delays and repeated work are skipped."""

from __future__ import annotations

import inspect
import time

import pytest
from jsonata import Jsonata
from jsonata.jexception import JException
from jsonata.parser import Parser
from ministack.services import stepfunctions

from callroute.local.ministack_patches import latency
from callroute.local.ministack_patches.patches import PATCHES, apply

pytestmark = pytest.mark.emulator


@pytest.fixture(autouse=True)
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Applies the patches for one test, and records the waits that are not skipped."""
    waits: list[float] = []
    monkeypatch.setattr(Parser, "parse", Parser.parse)
    monkeypatch.setattr(Jsonata.Frame, "__init__", Jsonata.Frame.__init__)
    monkeypatch.setattr(stepfunctions, "time", stepfunctions.time)
    monkeypatch.setattr(stepfunctions, "_run_execution", stepfunctions._run_execution)
    monkeypatch.setattr(time, "sleep", waits.append)
    apply(tuple(patch for patch in PATCHES if patch.name in ("parse", "__init__", "_run_execution")))
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
