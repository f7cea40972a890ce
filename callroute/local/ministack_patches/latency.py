"""Removes ministack delays that do not exist on AWS.

ministack waits before each execution, and parses JSONata expressions each time they are evaluated. Each batch of contact
records is one execution, and all records use the same expressions. Its JSONata engine also searches all enclosing scopes for
the time limit, twice for each part of an expression.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import lru_cache
from typing import Any

from jsonata.parser import Parser
from ministack.services import stepfunctions

EXECUTION_DELAY = 0.15
"""Seconds that ministack waits before each execution. All other waits come from a definition."""

_CACHED_EXPRESSIONS = 1_000

TIME_LIMIT = ("__evaluate_entry", "__evaluate_exit")
"""Names under which the JSONata engine binds the callbacks that check the time limit."""


def run_without_delay(run_execution: Callable[[str], None]) -> Callable[[str], None]:
    """Removes the delay before an execution. The function itself sleeps, so its module's `time` is replaced."""
    stepfunctions.time = _TimeWithoutDelay()
    return run_execution


def parse_once(parse: Callable[..., Any]) -> Callable[..., Any]:
    """Caches parsed JSONata expressions."""

    @lru_cache(_CACHED_EXPRESSIONS)
    def cached(expression: str, regex_engine: Any) -> Any:
        # Evaluation does not modify a parsed expression, which the library itself shares between threads.
        return parse(Parser(), expression, regex_engine)

    return lambda _self, jsonata, regex_engine: cached(jsonata, regex_engine)


def inherit_time_limit(initialize: Callable[[Any, Any], None]) -> Callable[[Any, Any], None]:
    """Copies the time limit's callbacks to each new scope, so that the engine does not have to search for them."""

    def initialize_with_callbacks(self: Any, parent: Any) -> None:
        initialize(self, parent)
        if parent is not None:
            self.bindings |= {name: parent.bindings[name] for name in TIME_LIMIT if name in parent.bindings}

    return initialize_with_callbacks


class _TimeWithoutDelay:
    """Substitute for the `time` module. Its sleep() skips the delay before an execution."""

    def __getattr__(self, name: str) -> Any:
        return getattr(time, name)

    def sleep(self, seconds: float) -> None:
        if seconds != EXECUTION_DELAY:
            time.sleep(seconds)
