"""Evaluates JSONata expressions in the emulator's engine and in the reference implementation."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

REFERENCE_VERSION = "2.0.6"
"""The release of JSONata that Step Functions documents."""

FAILED = object()
"""Result of an expression that fails or has no value."""


def reference_folder() -> Path:
    """Returns the folder in which `.ci/run` installs the reference implementation."""
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(cache) / "call-route-tracker" / f"jsonata-{REFERENCE_VERSION}"


def missing_reference() -> str:
    """Returns why the reference implementation cannot run, or empty text."""
    if not shutil.which("node"):
        return "needs node"
    manifest = reference_folder() / "node_modules" / "jsonata" / "package.json"
    if not manifest.is_file():
        return f"needs the npm package jsonata {REFERENCE_VERSION}, which .ci/run installs"
    return ""


def reference_command() -> list[str]:
    """Returns the command that starts the reference implementation."""
    script = Path(__file__).with_name("reference_engine.mjs")
    return [shutil.which("node") or "node", str(script), str(reference_folder())]


@dataclass
class Reference:
    """The reference implementation, in a process of its own."""

    process: subprocess.Popen[str]

    def evaluate(self, expression: str, bindings: dict[str, Any]) -> Any:
        """Returns the value or FAILED."""
        assert self.process.stdin
        assert self.process.stdout
        self.process.stdin.write(json.dumps({"expression": expression, "bindings": bindings}) + "\n")
        self.process.stdin.flush()
        answer = json.loads(self.process.stdout.readline())
        return answer.get("value", FAILED)


@contextmanager
def reference() -> Iterator[Reference]:
    """Starts the reference implementation."""
    with subprocess.Popen(  # noqa: S603 - a constant command
        reference_command(), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            yield Reference(process)
        finally:
            process.kill()


@dataclass
class Work:
    """Work that the emulator's engine does for an expression. The same on every machine."""

    value: Any = FAILED
    evaluations: int = 0
    depth: int = 0
    """Deepest nesting of evaluations."""


def work(expression: str, bindings: dict[str, Any]) -> Work:
    """Evaluates an expression in the emulator's engine, without its time limit."""
    from jsonata.jexception import JException
    from jsonata.jsonata import Jsonata
    from ministack.services import stepfunctions

    parsed = Jsonata.jsonata(expression)
    stepfunctions._register_sfn_jsonata_functions(parsed)
    done, current = Work(), 0
    evaluate_part = Jsonata.eval

    def counted(self: Any, *arguments: Any) -> Any:
        nonlocal current
        current += 1
        done.evaluations += 1
        done.depth = max(done.depth, current)
        try:
            return evaluate_part(self, *arguments)
        finally:
            current -= 1

    with mock.patch.object(Jsonata, "eval", counted), suppress(JException):
        done.value = parsed.evaluate(None, bindings)
    return done


def evaluate(expression: str, bindings: dict[str, Any]) -> Any:
    """Evaluates an expression in the emulator's engine. Returns the value or FAILED."""
    from ministack.services import stepfunctions

    states = bindings["states"]
    try:
        return stepfunctions._evaluate_jsonata(
            expression,
            states.get("input"),
            {
                **states.get("context", {}),
                "variables": {name: value for name, value in bindings.items() if name != "states"},
            },
            error_output=states.get("errorOutput"),
            **({"result": states["result"]} if "result" in states else {}),
        )
    except stepfunctions._ExecutionError:
        return FAILED


def same(first: Any, second: Any) -> bool:
    """Returns whether two results are equal as JSON. JavaScript has no whole numbers beyond 53 bits."""
    if first is FAILED or second is FAILED:
        return first is second
    return bool(_floats(first) == _floats(second))


def _floats(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _floats(each) for name, each in value.items()}
    if isinstance(value, list):
        return [_floats(each) for each in value]
    if isinstance(value, bool) or not isinstance(value, int):
        return (type(value).__name__, value)
    return ("float", float(value))


def expressions(value: Any) -> Iterable[str]:
    """Yields the expressions of a part of a definition, without their delimiters."""
    if isinstance(value, dict):
        for each in value.values():
            yield from expressions(each)
    elif isinstance(value, list):
        for each in value:
            yield from expressions(each)
    elif isinstance(value, str) and value.startswith("{%"):
        yield value[2:-2].strip()
