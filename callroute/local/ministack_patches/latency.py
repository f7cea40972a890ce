"""What takes ministack longer than it needs: it waits before each execution, and parses each expression every time.

Neither is so on AWS, and both are felt: a batch of contact records is one execution, and each record the same expressions.
"""

from __future__ import annotations

import time
from functools import lru_cache
from typing import Any

from jsonata.parser import Parser
from ministack.services import stepfunctions

from callroute.local.ministack_patches.authorization import insides

BEFORE_AN_EXECUTION = 0.15
"""Seconds. Every other wait of ministack is one that a definition asks for."""

_EXPRESSIONS = 1_000


def enforce() -> None:
    """From now on executions in this process begin at once, and an expression is parsed when it is new.

    Raises:
        UnknownInsidesError: ministack or its JSONata work in another way.
    """
    insides(stepfunctions, "_run_execution", "exec_arn")
    parse = insides(Parser, "parse", "self", "jsonata", "regex_engine")

    @lru_cache(_EXPRESSIONS)
    def parsed(expression: str, regex_engine: Any) -> Any:
        # A parsed expression is not changed by being evaluated: the library itself evaluates one in many threads.
        return parse(Parser(), expression, regex_engine)

    Parser.parse = lambda _self, expression, regex_engine: parsed(expression, regex_engine)
    stepfunctions.time = _Time()


class _Time:
    """The module `time`, in which the wait before an execution takes none."""

    def __getattr__(self, name: str) -> Any:
        return getattr(time, name)

    def sleep(self, seconds: float) -> None:
        if seconds != BEFORE_AN_EXECUTION:
            time.sleep(seconds)
