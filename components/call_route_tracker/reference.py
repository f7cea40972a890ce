"""Renders the reference tables of options and outputs, which cog embeds in the README."""

import ast
import inspect
import json
import textwrap
from collections.abc import Iterable, Mapping
from dataclasses import Field, fields
from itertools import pairwise
from typing import Any, Literal

from .config import FLOW_OPTIONS, FlowFile
from .constraints import allowed_values, camel_case, default_of, is_required
from .options import CallRouteTrackerArgs, ContactFlowArgs
from .tracker import CallRouteTracker

Style = Literal["config", "python"]
"""Spelling of option names: `batchSize` in stack configuration, `batch_size` in Python."""


def option_table(style: Style = "config") -> str:
    """Returns a Markdown table of a tracker's options."""
    return _option_table(fields(CallRouteTrackerArgs), descriptions(CallRouteTrackerArgs), style)


def flow_option_table(style: Style = "config") -> str:
    """Returns a Markdown table of a contact flow's options."""
    options = FLOW_OPTIONS if style == "config" else fields(ContactFlowArgs)
    return _option_table(options, {**descriptions(FlowFile), **descriptions(ContactFlowArgs)}, style)


def output_table() -> str:
    """Returns a Markdown table of a tracker's outputs."""
    outputs = descriptions(CallRouteTracker).items()
    return _table(("output", "description"), ([f"`{camel_case(name)}`", text] for name, text in outputs))


def descriptions(owner: type) -> dict[str, str]:
    """Returns the docstrings below a class's annotated attributes, keyed by attribute name."""
    (definition,) = ast.parse(textwrap.dedent(inspect.getsource(owner))).body
    return {
        attribute.target.id: " ".join(text.value.value.split())
        for attribute, text in pairwise(getattr(definition, "body", []))
        if isinstance(attribute, ast.AnnAssign)
        and isinstance(attribute.target, ast.Name)
        and isinstance(text, ast.Expr)
        and isinstance(text.value, ast.Constant)
        and isinstance(text.value.value, str)
    }


def _option_table(options: Iterable[Field[Any]], texts: Mapping[str, str], style: Style) -> str:
    rows = [
        [
            f"`{camel_case(each.name) if style == 'config' else each.name}`",
            _allowed(each),
            _default(each),
            texts[each.name],
        ]
        for each in options
    ]
    return _table(("option", "allowed values", "default", "description"), rows)


def _allowed(option: Field[Any]) -> str:
    constraint = option.metadata["constraint"]
    text = constraint.allowed if constraint else allowed_values(option)
    return f"{text}, as a secret" if option.metadata["secret"] else text


def _default(option: Field[Any]) -> str:
    if is_required(option):
        return "required"
    default = default_of(option)
    if default in (None, "", [], {}):
        return "none"
    return f"`{json.dumps(default) if isinstance(default, (bool, list)) else default}`"


def _table(header: tuple[str, ...], rows: Iterable[list[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)
