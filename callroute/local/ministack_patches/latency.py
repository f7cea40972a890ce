"""Removes ministack delays that do not exist on AWS.

ministack waits before each execution, and searches all records and iterators for old ones in each request to a stream.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable
from typing import Any

from ministack.services import stepfunctions

EXECUTION_DELAY = 0.15
"""Seconds that ministack waits before each execution. All other waits come from a definition."""

_SECONDS_BETWEEN_CLEAN_UPS = 60


def run_without_delay(run_execution: Callable[[str], None]) -> Callable[[str], None]:
    """Removes the delay before an execution. The function itself sleeps, so its module's `time` is replaced."""
    stepfunctions.time = _TimeWithoutDelay()
    return run_execution


def forget_execution(start_sync_execution: Callable[..., Any]) -> Callable[..., Any]:
    """Deletes a synchronous execution at its end. Otherwise, memory and the time for garbage collection grow."""

    def start_and_forget(data: dict[str, Any]) -> Any:
        response = start_sync_execution(data)
        stepfunctions._executions.pop(json.loads(response[2]).get("executionArn"), None)
        return response

    return start_and_forget


def once_a_minute(clean_up: Callable[..., None]) -> Callable[..., None]:
    """Limits how often the same data is cleaned up."""
    last: dict[tuple[int, ...], float] = {}

    def clean_up_if_due(*arguments: Any) -> None:
        key, now = tuple(map(id, arguments)), time.monotonic()
        if now - last.get(key, -math.inf) >= _SECONDS_BETWEEN_CLEAN_UPS:
            last[key] = now
            clean_up(*arguments)

    return clean_up_if_due


def copy_json(run_map_items: Callable[..., Any]) -> Callable[..., Any]:
    """Copies the input of each item faster. The copies are made inside, so the module's `copy` is replaced instead."""
    stepfunctions.copy = _CopyOfJson
    return run_map_items


class _CopyOfJson:
    """The module `copy` for JSON values. ministack copies the context, with all items of a Map, for each of its items."""

    @staticmethod
    def deepcopy(value: Any) -> Any:
        if isinstance(value, dict):
            # The execution's input is not changed.
            return {
                name: each if name == "Execution" else _CopyOfJson.deepcopy(each)
                for name, each in value.items()
            }
        return [_CopyOfJson.deepcopy(each) for each in value] if isinstance(value, list) else value


class _TimeWithoutDelay:
    """Substitute for the `time` module. Its sleep() skips the delay before an execution."""

    def __getattr__(self, name: str) -> Any:
        return getattr(time, name)

    def sleep(self, seconds: float) -> None:
        if seconds != EXECUTION_DELAY:
            time.sleep(seconds)
