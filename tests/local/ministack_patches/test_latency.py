"""Guards against an emulator that answers faster and otherwise: what is skipped must be waiting and parsing, and nothing else."""

from __future__ import annotations

import inspect
import time

import pytest
from jsonata import Jsonata
from jsonata.jexception import JException
from jsonata.parser import Parser
from ministack.services import stepfunctions

from callroute.local.ministack_patches import latency

pytestmark = pytest.mark.emulator


@pytest.fixture(autouse=True)
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The waits that really happen; ministack is as it was afterwards."""
    happened: list[float] = []
    monkeypatch.setattr(Parser, "parse", Parser.parse)
    monkeypatch.setattr(stepfunctions, "time", stepfunctions.time)
    monkeypatch.setattr(time, "sleep", happened.append)
    latency.enforce()
    return happened


def test_an_expression_is_parsed_once_and_evaluated_each_time() -> None:
    first, second = Jsonata.jsonata("a.b[$ > 1]"), Jsonata.jsonata("a.b[$ > 1]")

    assert first.ast is second.ast
    assert first.evaluate({"a": {"b": [1, 2, 3]}}) == [2, 3]
    assert second.evaluate({"a": {"b": [0, 5]}}) == 5
    assert first.evaluate({"a": {"b": [1, 2, 3]}}) == [2, 3]


def test_what_cannot_be_parsed_is_told_each_time() -> None:
    for _ in range(2):
        with pytest.raises(JException):
            Jsonata.jsonata("a[")


def test_only_the_wait_before_an_execution_is_skipped(waits: list[float]) -> None:
    before = f"time.sleep({latency.BEFORE_AN_EXECUTION})"
    source = inspect.getsource(stepfunctions._run_execution)

    assert source.count("time.sleep(") == source.count(before) == 1, "ministack's wait is another one now"
    stepfunctions.time.sleep(latency.BEFORE_AN_EXECUTION)
    stepfunctions._scaled_sleep(2)
    assert waits == [2]
    assert stepfunctions.time.time() <= time.time()
