"""Removes overhead from ministack's JSONata engine, which takes most of the emulator's time. Results stay the same.

For each part of an expression, the engine searches all enclosing scopes for the callbacks of its time limit, twice. For each
value, it imports a module to find its type, and it sets five attributes of each list.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import lru_cache
from typing import Any

from jsonata.jexception import JException
from jsonata.jsonata import Jsonata
from jsonata.parser import Parser
from jsonata.utils import Utils

_Evaluator = Callable[[Any, Any, Any, Any], Any]

_CACHED_EXPRESSIONS = 1_000

_LIST_FLAGS = ("sequence", "outer_wrapper", "tuple_stream", "keep_singleton", "cons")

_SYMBOLS = {
    str: "s",
    bool: "b",
    int: "n",
    float: "n",
    list: "a",
    Utils.JList: "a",
    dict: "o",
    type(None): "m",
}
"""Types of values in function signatures."""


def _variable(_engine: Any, part: Any, input_: Any, scope: Any) -> Any:
    if part.value == "":
        return input_[0] if isinstance(input_, Utils.JList) and input_.outer_wrapper else input_
    while scope is not None:
        if part.value in scope.bindings:
            return scope.bindings[part.value]
        scope = scope.parent
    return None


_SIMPLE: dict[str, _Evaluator] = {
    "variable": _variable,
    "name": Jsonata.evaluate_name,
    "string": lambda engine, part, _input, _scope: engine.evaluate_literal(part),
    "number": lambda engine, part, _input, _scope: engine.evaluate_literal(part),
    "value": lambda engine, part, _input, _scope: engine.evaluate_literal(part),
    "wildcard": lambda engine, part, input_, _scope: engine.evaluate_wildcard(part, input_),
    "descendant": lambda engine, part, input_, _scope: engine.evaluate_descendants(part, input_),
    "parent": lambda _engine, part, _input, scope: scope.lookup(part.slot.label),
    "regex": lambda engine, part, _input, _scope: engine.evaluate_regex(part),
    "lambda": Jsonata.evaluate_lambda,
}
"""Evaluators of the types without parts, by type."""

_COMPOUND: dict[str, _Evaluator] = {
    "path": Jsonata.evaluate_path,
    "binary": Jsonata.evaluate_binary,
    "unary": Jsonata.evaluate_unary,
    "condition": Jsonata.evaluate_condition,
    "block": Jsonata.evaluate_block,
    "bind": Jsonata.evaluate_bind_expression,
    "function": lambda engine, part, input_, scope: engine.evaluate_function(part, input_, scope, Utils.NONE),
    "partial": Jsonata.evaluate_partial_application,
    "apply": Jsonata.evaluate_apply_expression,
    "transform": Jsonata.evaluate_transform_expression,
}
"""Evaluators of the other types."""


def parse_once(parse: Callable[..., Any]) -> Callable[..., Any]:
    """Caches parsed JSONata expressions."""

    @lru_cache(_CACHED_EXPRESSIONS)
    def cached(expression: str, *regex_engine: Any) -> Any:
        # Evaluation does not modify a parsed expression, which the library itself shares between threads.
        return parse(Parser(), expression, *regex_engine)

    return lambda _self, jsonata, *regex_engine: cached(jsonata, *regex_engine)


def evaluate_without_callbacks(_evaluate: Callable[..., Any]) -> Callable[..., Any]:
    """Evaluates a part of an expression like the engine, but checks the time limit itself. ministack sets no other limit."""

    def evaluate(self: Any, expr: Any, input: Any, environment: Any) -> Any:  # noqa: A002 - the engine's name
        simple = _SIMPLE.get(expr.type)
        if simple and expr.predicate is None and expr.group is None:
            result = simple(self, expr, input, environment)
        else:
            if self.timeout is not None and time.time() * 1000 - self.timestamp > self.timeout:
                _check_processor_time(self)
            outer = self.input, self.environment
            self.input, self.environment = input, environment
            try:
                evaluator = simple or _COMPOUND.get(expr.type)
                result = evaluator(self, expr, input, environment) if evaluator else None
                for predicate in expr.predicate or ():
                    result = self.evaluate_filter(predicate.expr, result, environment)
                if expr.group is not None and expr.type != "path":
                    result = self.evaluate_group_expression(expr.group, result, environment)
            finally:
                self.input, self.environment = outer
        if not isinstance(result, Utils.JList) or not result.sequence or result.tuple_stream:
            return result
        if expr.keep_array:
            result.keep_singleton = True
        if not result:
            return None
        return result[0] if len(result) == 1 and not result.keep_singleton else result

    return evaluate


def _check_processor_time(engine: Any) -> None:
    """Raises the error of the time limit if the evaluation has also used this much processor time since the limit.

    On a busy machine, a short evaluation can take a second.
    """
    started, used = getattr(engine, "late", (None, 0.0))
    if started != engine.timestamp:
        engine.late = engine.timestamp, time.thread_time()
    elif (time.thread_time() - used) * 1000 > engine.timeout:
        raise JException("D1012", -1, engine.timeout)


def is_function(_is_function: Callable[[Any], bool]) -> Any:
    """Tests for a function without an import statement."""
    callable_type = Jsonata.JFunctionCallable
    return staticmethod(lambda o: isinstance(o, callable_type))


def symbol_of_type(get_symbol: Callable[[Any, Any], str]) -> Callable[[Any, Any], str]:
    """Looks up the symbols of JSON values by type."""
    return lambda self, value: _SYMBOLS.get(type(value)) or get_symbol(self, value)


def share_flags(_initialize: Callable[..., None]) -> Callable[..., None]:
    """Sets the flags of new lists once, as attributes of their class."""
    for flag in _LIST_FLAGS:
        setattr(Utils.JList, flag, False)
    return list.__init__
