"""Converts and describes the parameters of commands, in place of Typer.

Typer converts values with pydantic, which takes longer to import than everything that `callroute check` needs.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from enum import Enum
from functools import partial
from pathlib import Path
from typing import Any, get_args, get_origin

from callroute.errors import InputError


class ParametersMixin:
    """A command or group whose parameters are converted by this module."""

    def get_params(self, ctx: Any) -> list[Any]:
        """Returns all parameters, with their conversion replaced."""
        return [convert_without_pydantic(param) for param in super().get_params(ctx)]  # type: ignore[misc]

    def collect_usage_pieces(self, ctx: Any) -> list[str]:
        """Returns the parts of the usage line, without Typer's braces around required arguments."""
        pieces: list[str] = super().collect_usage_pieces(ctx)  # type: ignore[misc]
        return [piece.strip("{}").replace("}...", "...") for piece in pieces]

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """Writes the help of arguments and options, without Typer's type names."""
        records: dict[str, list[tuple[str, str]]] = {"argument": [], "option": []}
        for param in self.get_params(ctx):
            name, text = param.get_help_record(ctx)
            if param.param_type_name == "argument":
                name = param.metavar + ("..." if param.nargs == -1 else "")
                text = text.removesuffix("  [required]")
            records[param.param_type_name].append((name, re.sub(r"(\d+)<=x<=(\d+)", r"\1 to \2", text)))
        for kind, rows in records.items():
            if rows:
                with formatter.section(f"{kind.capitalize()}s"):
                    formatter.write_dl(rows, col_max=formatter.width // 3)
        if hasattr(self, "format_commands"):
            self.format_commands(ctx, formatter)


def convert_without_pydantic(param: Any) -> Any:
    """Replaces Typer's conversion of a parameter with `convert` if its type is one of CONVERSIONS."""
    kind = getattr(getattr(param, "type_descriptor", None), "annotation", None)
    if get_origin(kind) is list:
        (kind,) = get_args(kind)
    if "process_value" not in vars(param) and isinstance(kind, type) and issubclass(kind, tuple(CONVERSIONS)):
        param.process_value = partial(_process, param, kind, param.process_value)
    return param


def _process(param: Any, kind: type, process: Callable[..., Any], ctx: Any, value: Any) -> Any:
    """Converts a value, and calls the parameter's callback with it."""
    several = param.multiple or param.nargs == -1
    if several:
        value = [convert(param, kind, each) for each in value or ()]
    elif value is not None:
        value = convert(param, kind, value)
    if param.required and param.value_is_missing(value):
        return process(ctx, None)  # raises Typer's error for missing parameters
    return param.callback(ctx, param, value) if param.callback else value


def convert(param: Any, kind: type, value: Any) -> Any:
    """Converts one value.

    Raises:
        InputError: the value does not have the type of the parameter, or is out of range.
    """
    if isinstance(value, kind):
        return value
    conversion = next(each for base, each in CONVERSIONS.items() if issubclass(kind, base))
    return conversion(param, kind, value)


def _choice(param: Any, kind: Any, value: str) -> Any:
    try:
        return kind(value)
    except ValueError:
        *others, last = (each.value for each in kind)
        raise wrong(param, f"{value!r} is not supported", f"Use {', '.join(others)} or {last}") from None


def _number(param: Any, kind: Any, value: str) -> Any:
    lowest, highest = param.min, param.max
    whole = "a whole number" if kind is int else "a number"
    bounds = "" if lowest is None or highest is None else f" from {lowest:,} to {highest:,}"
    try:
        number = kind(value)
    except ValueError:
        number = math.nan
    too_low = lowest is not None and not number >= lowest
    too_high = highest is not None and not number <= highest
    if math.isnan(number) or too_low or too_high:
        problem = f"{value!r} is not {whole}" if math.isnan(number) else f"{value} is out of range"
        raise wrong(param, problem, f"Give {whole}{bounds}")
    return number


def _text(_param: Any, kind: Any, value: str) -> Any:
    return kind(value)


CONVERSIONS: dict[type, Callable[[Any, Any, str], Any]] = {
    Enum: _choice,
    bool: _text,
    int: _number,
    float: _number,
    Path: _text,
    str: _text,
}


def wrong(param: Any, problem: str, fix: str) -> InputError:
    """Returns the error for a value that a parameter does not accept."""
    return InputError(max(param.opts, key=len), "", problem, fix)
