"""Data types for lint rules and findings."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from callroute.flows.attribute_flow import Analysis, analyze
from callroute.flows.block_types import BlockType, FlowKind, Shape, kinds_of, type_of
from callroute.flows.lint.links import FlowLinks
from callroute.flows.references import is_variable
from callroute.formats.json_document import member, walk

if TYPE_CHECKING:
    from callroute.flows.flow import Block, Flow
    from callroute.flows.route_catalog import RouteCatalog

Severity = Literal["error", "warning", "note"]
"""`error`: Connect rejects the flow, or calls or records fail. `warning`: probably a mistake. `note`: for information
only."""


class Source(StrEnum):
    """Evidence for a rule. docs/checks.md explains the sources."""

    FLOW_LANGUAGE = "AWS: Flow language reference"
    CREATE_CONTACT_FLOW = "AWS: CreateContactFlow"
    PLAY_PROMPT = "AWS: Play prompt block"
    SET_ATTRIBUTES = "AWS: Set contact attributes block"
    CONTACT_ATTRIBUTES = "AWS: contact attributes"
    AGENTIC = "AWS: agentic self-service"
    CHANNELS = "AWS: supported channels of flow blocks"
    LOOP = "AWS: Loop block"
    MODULES = "AWS: flow modules"
    DISCONNECT_FLOW = "AWS: Set disconnect flow block"
    LIVE_REQUESTS = "live requests published in 2026"
    BLOCK_TYPES = "`callroute.flows.block_types`"
    JSON = "JSON: parsers keep only one value of a repeated key"
    PULUMI_ISSUE = "pulumi-aws issue 6222"
    PLACEHOLDERS = "this project: placeholders"
    CALLERS = "this project: effects on callers"
    RECORDS = "this project: requirements of the call record"


@dataclass(frozen=True, slots=True)
class Finding:
    """A problem in a flow.

    Attributes:
        rule: identifier of the rule.
        severity: severity of the rule.
        file: file name of the flow.
        block: identifier of the block; None if the finding concerns the whole flow.
        path: JSON path in the file.
        message: description of the problem.
        hint: how to fix it.
    """

    rule: str
    severity: Severity
    file: str
    block: str | None
    path: str
    message: str
    hint: str


class Match(NamedTuple):
    """A location where a rule is violated, without the details shared by all of the rule's findings."""

    block: str | None
    path: str
    message: str
    hint: str


class Scalar(NamedTuple):
    """A string, number, boolean or null in a block's parameters or condition operands."""

    block: Block
    path: str
    value: Any


class ParameterObject(NamedTuple):
    """A block's parameters, or an object nested in them, together with the expected shape.

    Attributes:
        block: the block.
        name: name for messages, for example `Media of MessageParticipant`.
        path: JSON path.
        value: the value in the file, which is not necessarily an object.
        shape: the expected shape.
    """

    block: Block
    name: str
    path: str
    value: Any
    shape: Shape


# View data is interpreted by a web page instead of Connect, so it can contain booleans and empty strings.
_OPAQUE = "ViewData"


class LintContext:
    """A flow and the derived data that rules share. Each property is computed only once.

    Args:
        flow: the flow, parsed with `Flow.parse_lenient`.
        catalog: the flow's route catalog, or None.
        set_elsewhere: contact attributes that other flows set.
        allowed_types: unknown block types that are allowed.
        links: links to the other flows that are checked together with this one; None if it is checked alone.
    """

    def __init__(
        self,
        flow: Flow,
        catalog: RouteCatalog | None,
        set_elsewhere: Collection[str] = (),
        allowed_types: Collection[str] = (),
        links: FlowLinks | None = None,
    ) -> None:
        self.flow = flow
        self.catalog = catalog
        self.set_elsewhere = set_elsewhere
        self.allowed_types = allowed_types
        self.links = links or FlowLinks([(flow, ())])

    @property
    def blocks(self) -> Iterable[Block]:
        """All blocks, in document order."""
        return self.flow.blocks.values()

    @cached_property
    def known(self) -> list[tuple[Block, BlockType]]:
        """All blocks of a known type, each with its type."""
        return [(block, row) for block in self.blocks if (row := type_of(block))]

    @cached_property
    def types(self) -> Mapping[str, BlockType]:
        """Known block types by block identifier."""
        return {block.identifier: row for block, row in self.known}

    @cached_property
    def parameter_objects(self) -> list[ParameterObject]:
        """Parameters of every block of a known type, each followed by its nested objects."""
        objects = []
        for block, row in self.known:
            name, path = f"{block.type}{row.variant}", f"{block.path}.Parameters"
            pending = [ParameterObject(block, name, path, block.parameters, row)]
            while pending:
                objects.append(pending[0])
                pending[:1] = _nested(pending[0])
        return objects

    @cached_property
    def kinds(self) -> frozenset[FlowKind]:
        """Kinds of flow that this flow could be."""
        return kinds_of(self.flow)

    @cached_property
    def analysis(self) -> Analysis:
        """Result of the tracking analysis."""
        return analyze(self.flow)

    @cached_property
    def scalars(self) -> list[Scalar]:
        """All scalars in the parameters and condition operands of every block."""
        return [
            Scalar(block, path, value)
            for block in self.blocks
            for path, value in _values_of(block, self.conditions(block))
            if not isinstance(value, dict | list)
        ]

    def conditions(self, block: Block) -> list[tuple[str, str, list[Any]]]:
        """Returns the JSON path, operator and operands of each well-formed condition of a block."""
        transitions = self._document_of(block).get("Transitions")
        entries = transitions.get("Conditions") if isinstance(transitions, dict) else None
        conditions = []
        for index, entry in enumerate(entries if isinstance(entries, list) else ()):
            condition = entry.get("Condition") if isinstance(entry, dict) else None
            if isinstance(condition, dict) and isinstance(condition.get("Operands"), list):
                path = f"{block.path}.Transitions.Conditions[{index}].Condition"
                conditions.append((path, str(condition.get("Operator")), condition["Operands"]))
        return conditions

    def _document_of(self, block: Block) -> dict[str, Any]:
        index = int(block.path.removeprefix("$.Actions[").removesuffix("]"))
        document: dict[str, Any] = self.flow.document["Actions"][index]
        return document


def _values_of(block: Block, conditions: list[tuple[str, str, list[Any]]]) -> Iterator[tuple[str, Any]]:
    for name, value in block.parameters.items():
        if name != _OPAQUE:
            yield from walk(value, member(f"{block.path}.Parameters", name))
    for path, _, operands in conditions:
        yield from walk(operands, f"{path}.Operands")


def _nested(outer: ParameterObject) -> Iterator[ParameterObject]:
    """Yields the nested objects that have a known shape, skipping references and placeholders."""
    if not outer.shape.nested or not isinstance(outer.value, dict):
        return
    for key, shape in outer.shape.nested.items():
        value, path = outer.value.get(key, ""), member(outer.path, key)
        if value == "" or (isinstance(value, str) and is_variable(value)):
            continue
        name = f"{key} of {outer.name}"
        if shape.container == "list" and isinstance(value, list):
            for index, each in enumerate(value):
                yield ParameterObject(outer.block, name, f"{path}[{index}]", each, shape)
        elif shape.container == "mapping" and isinstance(value, dict):
            for inner_key, each in value.items():
                yield ParameterObject(outer.block, name, member(path, inner_key), each, shape)
        else:
            yield ParameterObject(outer.block, name, path, value, shape)


def joined(names: Sequence[str], conjunction: str) -> str:
    """Returns `a, b and c` for three names and the conjunction `and`."""
    return f" {conjunction} ".join(filter(None, (", ".join(names[:-1]), names[-1])))


@dataclass(frozen=True, slots=True)
class Rule:
    """A lint rule.

    Attributes:
        id: identifier, in kebab case.
        severity: severity of its findings.
        description: the requirement, as a sentence.
        source: evidence for the requirement.
        find: function that yields the places in a flow that violate the rule.
        severity_alone: severity if no other flow is checked together with the flow; by default, the same.
    """

    id: str
    severity: Severity
    description: str
    source: Source
    find: Callable[[LintContext], Iterable[Match]]
    severity_alone: Severity | None = None
