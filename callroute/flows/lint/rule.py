"""What a rule is, what it looks at, and what it finds."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from callroute.flows.attribute_flow import Analysis, analyze
from callroute.flows.block_types import BlockType, FlowKind, Shape, kinds_of, type_of
from callroute.formats.json_document import member, walk

if TYPE_CHECKING:
    from callroute.flows.flow import Block, Flow
    from callroute.flows.route_catalog import RouteCatalog

Severity = Literal["error", "warning", "note"]
"""`error`: Connect refuses the flow, or calls or records go wrong. `warning`: likely not what was meant. `note`: to know."""


@dataclass(frozen=True, slots=True)
class Finding:
    """Something found in a flow.

    Attributes:
        rule: identifier of the rule.
        severity: that of the rule.
        file: the flow.
        block: identifier of the block; None where it concerns the whole flow.
        path: JSON path in the file.
        message: what is so.
        hint: what to do.
    """

    rule: str
    severity: Severity
    file: str
    block: str | None
    path: str
    message: str
    hint: str


class Found(NamedTuple):
    """What a rule finds; the rest of a Finding is known of the rule and the flow."""

    block: str | None
    path: str
    message: str
    hint: str


class Scalar(NamedTuple):
    """A text, number, true, false or null among a block's parameters and condition operands."""

    action: Block
    path: str
    value: Any


class Setting(NamedTuple):
    """The parameters of a block, or an object among these, with what is known of its shape.

    Attributes:
        action: the block.
        name: what it is called in messages: the block's type, `Media of MessageParticipant`.
        path: its JSON path.
        given: what the file says; whatever that is.
        shape: what it should be.
    """

    action: Block
    name: str
    path: str
    given: Any
    shape: Shape


# Values that a page, not Connect, makes sense of: a view has flags and empty fields of its own.
_OPAQUE = "ViewData"


class Subject:
    """A flow with what several rules need to know of it, each found out once.

    Args:
        flow: the flow, read by `Flow.examine`.
        catalog: its route catalog, if it has one.
        set_elsewhere: contact attributes that other flows are known to set.
    """

    def __init__(self, flow: Flow, catalog: RouteCatalog | None, set_elsewhere: Collection[str] = ()) -> None:
        self.flow = flow
        self.catalog = catalog
        self.set_elsewhere = set_elsewhere

    @property
    def blocks(self) -> Iterable[Block]:
        """All blocks, in the file's order."""
        return self.flow.blocks.values()

    @cached_property
    def known(self) -> list[tuple[Block, BlockType]]:
        """The blocks whose type is known, each with that."""
        return [(action, row) for action in self.blocks if (row := type_of(action))]

    @cached_property
    def types(self) -> Mapping[str, BlockType]:
        """What is known of each block's type, by its identifier."""
        return {action.identifier: row for action, row in self.known}

    @cached_property
    def settings(self) -> list[Setting]:
        """The parameters of every known block, each followed by the objects in it."""
        found = []
        for action, row in self.known:
            name, path = f"{action.type}{row.variant}", f"{action.path}.Parameters"
            pending = [Setting(action, name, path, action.parameters, row)]
            while pending:
                found.append(pending[0])
                pending[:1] = _inside(pending[0])
        return found

    @cached_property
    def kinds(self) -> frozenset[FlowKind]:
        """What the flow can be for."""
        return kinds_of(self.flow)

    @cached_property
    def analysis(self) -> Analysis:
        """The routes on all paths."""
        return analyze(self.flow)

    @cached_property
    def scalars(self) -> list[Scalar]:
        """Every scalar of every block's parameters and condition operands."""
        return [
            Scalar(action, path, value)
            for action in self.blocks
            for path, value in _values_of(action, self.conditions(action))
            if not isinstance(value, dict | list)
        ]

    def conditions(self, action: Block) -> list[tuple[str, str, list[Any]]]:
        """A block's conditions: JSON path, operator and operands; those that could not be read are left out."""
        block = self._block(action).get("Transitions")
        branches = block.get("Conditions") if isinstance(block, dict) else None
        found = []
        for index, branch in enumerate(branches if isinstance(branches, list) else ()):
            condition = branch.get("Condition") if isinstance(branch, dict) else None
            if isinstance(condition, dict) and isinstance(condition.get("Operands"), list):
                path = f"{action.path}.Transitions.Conditions[{index}].Condition"
                found.append((path, str(condition.get("Operator")), condition["Operands"]))
        return found

    def _block(self, action: Block) -> dict[str, Any]:
        index = int(action.path.removeprefix("$.Actions[").removesuffix("]"))
        block: dict[str, Any] = self.flow.document["Actions"][index]
        return block


def _values_of(action: Block, conditions: list[tuple[str, str, list[Any]]]) -> Iterator[tuple[str, Any]]:
    for name, value in action.parameters.items():
        if name != _OPAQUE:
            yield from walk(value, member(f"{action.path}.Parameters", name))
    for path, _, operands in conditions:
        yield from walk(operands, f"{path}.Operands")


def _inside(outer: Setting) -> Iterator[Setting]:
    """The objects in an object that have a known shape. A text may stand for one: a reference, or a placeholder."""
    if not outer.shape.inside or not isinstance(outer.given, dict):
        return
    for member_name, shape in outer.shape.inside.items():
        value, path = outer.given.get(member_name, ""), member(outer.path, member_name)
        if value == "" or (isinstance(value, str) and (value.startswith("$") or "{" in value)):
            continue
        name = f"{member_name} of {outer.name}"
        if shape.holds == "list" and isinstance(value, list):
            for index, each in enumerate(value):
                yield Setting(outer.action, name, f"{path}[{index}]", each, shape)
        elif shape.holds == "names" and isinstance(value, dict):
            for key, each in value.items():
                yield Setting(outer.action, name, member(path, key), each, shape)
        else:
            yield Setting(outer.action, name, path, value, shape)


@dataclass(frozen=True, slots=True)
class Rule:
    """One thing that is checked.

    Attributes:
        id: its name, in small letters and hyphens.
        severity: how bad it is to break it.
        description: what must be so, as a sentence.
        source: where that is known from.
        find: looks for it in a flow.
    """

    id: str
    severity: Severity
    description: str
    source: str
    find: Callable[[Subject], Iterable[Found]]


# How sources are named in the rules; docs/checks.md explains them.
LIVE = "live requests published in 2026"
LANGUAGE = "AWS: Flow language reference"
TABLE = "`callroute.flows.block_types`, which names the source of each type"
OURS = "this project: what the record needs"
SENSE = "this project: what callers would meet"
