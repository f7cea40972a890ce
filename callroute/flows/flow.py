"""Model of a flow in Amazon Connect's flow language: blocks, branches and structural defects."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from callroute.errors import InputError
from callroute.formats.files import read_text
from callroute.formats.json_document import JsonDocument, JsonStyle, Position, kind

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

LANGUAGE_VERSION = "2019-10-30"

MAX_BLOCKS = 250
"""Maximum number of blocks in a flow (docs/fidelity.md)."""

CONTENT_CHARACTERS = 256_000
"""Maximum number of characters in a flow, not counting whitespace (docs/fidelity.md)."""

IDENTIFIER_CHARACTERS = 50
"""Maximum number of characters in a block's identifier (docs/fidelity.md)."""

TOO_MANY_BLOCKS = "too-many-blocks"
CONTENT_TOO_LONG = "content-too-long"
_SPLIT = "Move part of the flow into another flow or a module"

_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
CONNECT_RESPONSES = ("ContactFlow", "ContactFlowModule")
"""Top-level keys in the output of `describe-contact-flow` and `describe-contact-flow-module`."""

BranchKind = Literal["next", "condition", "error"]


def is_readable(identifier: str) -> bool:
    """Returns whether a block's identifier is readable, unlike the UUIDs that the flow designer generates."""
    return not _UUID.fullmatch(identifier)


@dataclass(frozen=True, slots=True)
class Branch:
    """A branch from one block to another.

    The kind and label identify a branch within its block. The target does not, because two branches can share a
    target.

    Attributes:
        source: identifier of the block that the branch leaves.
        kind: `next` (the default branch), `condition` or `error`.
        label: the operand of an Equals condition (`1`, `True`), the operator and operands of any other condition, or
            the error type; empty for `next`.
        target: identifier of the block that the branch leads to.
        path: JSON path of the field that contains the target.
        operator: comparison operator of a condition, such as `NumberLessThan`; empty for other branches.
        operands: operands of a condition, as strings. Connect allows only one.
    """

    source: str
    kind: BranchKind
    label: str
    target: str
    path: str = field(default="", compare=False)
    operator: str = ""
    operands: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """Kind and label, for example `condition 1`."""
        return f"{self.kind} {self.label}".rstrip()


@dataclass(frozen=True, slots=True)
class Block:
    """A block in a flow. Its type can be unknown to this project.

    Attributes:
        identifier: identifier, unique in the flow.
        type: block type, for example `MessageParticipant`.
        parameters: the block's parameters.
        branches: the default branch, then conditions, then errors, each in document order.
        path: JSON path of the block.
    """

    identifier: str
    type: str
    parameters: Mapping[str, Any]
    branches: tuple[Branch, ...]
    path: str = field(default="", compare=False)

    _targets: Mapping[BranchKind, Mapping[str, str]] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Indexes the branches, because the simulation looks them up on every step."""
        targets: dict[BranchKind, dict[str, str]] = {"next": {}, "condition": {}, "error": {}}
        for branch in self.branches:
            targets[branch.kind].setdefault(branch.label, branch.target)
        object.__setattr__(self, "_targets", targets)

    def target(self, kind: BranchKind, label: str = "") -> str | None:
        """Returns the target of a branch, or None if the block does not have this branch."""
        return self._targets[kind].get(label)

    def labels(self, kind: BranchKind) -> tuple[str, ...]:
        """Returns the labels of all branches of a kind, in document order."""
        return tuple(self._targets[kind])


@dataclass(frozen=True, slots=True)
class StructuralDefect:
    """A defect that prevents the graph of blocks from being built.

    Attributes:
        rule: identifier of the lint rule that reports the defect.
        block: identifier of the block that contains the defect, or None.
        place: location of the defect, for error messages.
        path: JSON path of the defect.
        problem: description of the problem.
        fix: imperative sentence that explains how to fix it.
    """

    rule: str
    block: str | None
    place: str
    path: str
    problem: str
    fix: str


@dataclass(frozen=True, slots=True)
class Flow:
    """A parsed flow.

    Attributes:
        source: file name, for messages.
        start: identifier of the first block.
        blocks: the blocks by identifier, in document order.
        document: the whole JSON object, including unknown fields. Must not be modified.
        json_document: the JSON document from which the flow was parsed.
        type: type of the flow in CreateContactFlow, `MODULE` for a module, or None if it is not known.
        defects: structural defects found by `parse_lenient`. A flow with defects can have branches whose target does
            not exist, and it lacks any blocks that could not be parsed.
    """

    source: str
    start: str
    blocks: Mapping[str, Block]
    document: Mapping[str, Any] = field(repr=False)
    json_document: JsonDocument = field(repr=False, compare=False)
    type: str | None = None
    defects: tuple[StructuralDefect, ...] = ()

    @classmethod
    def load(cls, path: Path) -> Flow:
        """Reads a flow from a file.

        Raises:
            InputError: the file is unreadable, or `parse` rejects it.
        """
        return cls.parse(read_text(path), str(path))

    @classmethod
    def parse(cls, text: str, source: str, type_: str | None = None) -> Flow:
        """Parses a flow.

        Args:
            text: the flow as JSON in flow language 2019-10-30 (`Content` in the Connect API).
            source: name of the flow for messages, usually its path.
            type_: type of the flow, if it is known.

        Raises:
            InputError: the text is not JSON, is not in flow language 2019-10-30 (for example, it is an export from
                the console), exceeds a size limit or has another structural defect.
        """
        parser = _Parser(text, source, type_)
        parser.raise_first_defect()  # checked first, because an oversized flow can take a long time to parse
        flow = parser.flow()
        parser.raise_first_defect()
        return flow

    @classmethod
    def parse_lenient(cls, text: str, source: str, type_: str | None = None) -> Flow:
        """Parses as much of a flow as possible and collects structural defects in `defects`.

        Raises:
            InputError: the text is not JSON, or not in flow language 2019-10-30.
        """
        return _Parser(text, source, type_).flow()

    def write(self) -> str:
        """Serializes the document with the key order and style of the original text (see `JsonStyle`)."""
        return self.style.write(self.document)

    @property
    def style(self) -> JsonStyle:
        """Formatting of the flow's original text."""
        return self.json_document.style

    @property
    def positions(self) -> Mapping[str, Position]:
        """Position of each JSON path in the flow's original text."""
        return self.json_document.positions

    @property
    def block_metadata(self) -> Mapping[str, Any]:
        """Metadata by block identifier, such as positions in the designer. The values are not validated."""
        metadata = self.document.get("Metadata")
        blocks = metadata.get("ActionMetadata") if isinstance(metadata, Mapping) else None
        return blocks if isinstance(blocks, Mapping) else {}

    @property
    def is_module(self) -> bool:
        """True if the flow is a flow module, which only other flows can invoke. Many modules have `Settings`."""
        return self.type == "MODULE" or (self.type is None and "Settings" in self.document)

    @property
    def is_too_large(self) -> bool:
        """True if the flow exceeds one of Connect's size limits."""
        return any(defect.rule in (TOO_MANY_BLOCKS, CONTENT_TOO_LONG) for defect in self.defects)


_MEMBERS = ("Version", "StartAction", "Actions")


class _Parser:
    """Builds a flow from JSON text and collects structural defects.

    Raises:
        InputError: the text is not JSON, or not in flow language 2019-10-30.
    """

    def __init__(self, text: str, source: str, type_: str | None) -> None:
        self._source = source
        self._type = type_
        self._json = JsonDocument.parse(text, source)
        self._document = self._flow_document(self._json.value)
        self._defects: list[StructuralDefect] = []
        self._check_size()

    def raise_first_defect(self) -> None:
        for defect in self._defects:
            raise InputError(self._source, defect.place, defect.problem, defect.fix)

    def flow(self) -> Flow:
        for path, key in self._json.duplicates:
            problem = f"the key {key!r} is repeated; only its last value takes effect"
            self._add_defect("duplicate-key", path, path, problem, "Keep one of the values")
        blocks: dict[str, Block] = {}
        for index, value in enumerate(self._document["Actions"]):
            block = self._block(value, index)
            if block is None:
                continue
            if block.identifier in blocks:
                self._add_defect(
                    "duplicate-identifier",
                    f"Actions[{index}]",
                    f"{block.path}.Identifier",
                    f"the identifier {block.identifier!r} is already used by an earlier block",
                    "Give each block a unique identifier",
                    block.identifier,
                )
            else:
                blocks[block.identifier] = block
        start = self._start(blocks)
        for block in blocks.values():
            for branch in block.branches:
                if branch.target not in blocks:
                    self._add_defect(
                        "dangling-branch",
                        f"block {block.identifier!r}",
                        branch.path,
                        f"the branch {branch.name!r} leads to block {branch.target!r}, which does not exist",
                        "Use the identifier of a block in this flow",
                        block.identifier,
                    )
        return Flow(self._source, start, blocks, self._document, self._json, self._type, tuple(self._defects))

    def _error(self, place: str, problem: str, fix: str) -> InputError:
        return InputError(self._source, place, problem, fix)

    def _add_defect(
        self, rule: str, place: str, path: str, problem: str, fix: str, block: str | None = None
    ) -> None:
        self._defects.append(StructuralDefect(rule, block, place, path, problem, fix))

    def _flow_document(self, document: Any) -> Mapping[str, Any]:
        if not isinstance(document, Mapping):
            raise self._error(
                "",
                f"a flow must be an object, not {kind(document)}",
                "Provide a JSON object with Version, StartAction and Actions",
            )
        if "modules" in document:
            raise self._error(
                "modules",
                "this was exported from the Connect console and is not in the flow language",
                "Get the flow with `aws connect describe-contact-flow`, "
                f"which returns flow language {LANGUAGE_VERSION}",
            )
        if not any(key in document for key in (*_MEMBERS, *CONNECT_RESPONSES)):
            raise self._error(
                "",
                f"the JSON is not a flow, because it contains none of {', '.join(_MEMBERS)}",
                "Pass a flow file",
            )
        response = next((key for key in CONNECT_RESPONSES if key in document), None)
        if response:
            raise self._error(
                response,
                "this is the output of an `aws connect` command, which contains the flow as a string",
                f"Extract the flow, for example with `jq -r .{response}.Content`",
            )
        if document.get("Version") != LANGUAGE_VERSION:
            raise self._error(
                "Version",
                _mismatch(document, "Version", repr(LANGUAGE_VERSION)),
                f"Provide a flow in flow language {LANGUAGE_VERSION}",
            )
        if not isinstance(document.get("Actions"), list):
            raise self._error("the flow", _mismatch(document, "Actions", "a list"), "Write Actions as a list")
        return document

    def _check_size(self) -> None:
        count = len(self._document["Actions"])
        if count > MAX_BLOCKS:
            problem = f"the flow has {count:,} blocks; Connect allows {MAX_BLOCKS}"
            self._add_defect(TOO_MANY_BLOCKS, "Actions", "$.Actions", problem, _SPLIT)
        length = len(json.dumps(self._document, ensure_ascii=False, separators=(",", ":")))
        if length > CONTENT_CHARACTERS:
            problem = f"the flow has {length:,} characters, not counting whitespace; Connect allows {CONTENT_CHARACTERS:,}"
            self._add_defect(CONTENT_TOO_LONG, "", "$", problem, _SPLIT)

    def _start(self, blocks: Mapping[str, Block]) -> str:
        start = self._document.get("StartAction")
        if isinstance(start, str) and start in blocks:
            return start
        if isinstance(start, str):
            place, problem = "StartAction", f"there is no block {start!r}"
        else:
            place, problem = "the flow", _mismatch(self._document, "StartAction", "a string")
        fix = "Set StartAction to the identifier of the first block"
        self._add_defect("no-start", place, "$.StartAction", problem, fix)
        return ""

    def _block(self, value: Any, index: int) -> Block | None:
        path, place = f"$.Actions[{index}]", f"Actions[{index}]"
        if not isinstance(value, Mapping):
            problem = f"a block must be an object, not {kind(value)}"
            self._add_defect("malformed", place, path, problem, "Write every block as a JSON object")
            return None
        parts = _BlockParser(self._defects, None, place)
        identifier = parts.string(value, "Identifier", path)
        type_ = parts.string(value, "Type", path)
        if identifier is None or type_ is None:
            return None
        parts = _BlockParser(self._defects, identifier, f"block {identifier!r}")
        parameters = parts.mapping(value.get("Parameters", {}), "Parameters", f"{path}.Parameters")
        transitions = parts.mapping(value.get("Transitions", {}), "Transitions", f"{path}.Transitions")
        branches = parts.branches(identifier, transitions or {}, f"{path}.Transitions")
        return Block(identifier, type_, parameters or {}, tuple(branches), path)


def _mismatch(holder: Mapping[str, Any], key: str, expected: str) -> str:
    """Describes a missing or invalid value. An explicit null does not count as missing."""
    return f"{key} must be {expected}, not {kind(holder[key])}" if key in holder else f"{key} is missing"


_OPTIONAL_LISTS = frozenset(("Conditions", "Errors"))


@dataclass(frozen=True, slots=True)
class _BlockParser:
    """Parses the fields of one block. If a field has the wrong type, records a defect and returns None."""

    defects: list[StructuralDefect]
    block: str | None
    place: str

    def _add_defect(self, path: str, problem: str, fix: str) -> None:
        self.defects.append(StructuralDefect("malformed", self.block, self.place, path, problem, fix))

    def string(self, holder: Mapping[str, Any], key: str, path: str) -> str | None:
        value = holder.get(key)
        if isinstance(value, str):
            return value
        self._add_defect(f"{path}.{key}", _mismatch(holder, key, "a string"), f"Write {key} as a string")
        return None

    def list(self, holder: Mapping[str, Any], key: str, path: str) -> list[Any] | None:
        value = holder.get(key)
        if isinstance(value, list):
            return value
        fix = f"Write {key} as a list" + (", or omit it" if key in _OPTIONAL_LISTS else "")
        self._add_defect(f"{path}.{key}", _mismatch(holder, key, "a list"), fix)
        return None

    def mapping(self, value: Any, name: str, path: str) -> Mapping[str, Any] | None:
        if isinstance(value, Mapping):
            return value
        problem = f"{name} must be an object, not {kind(value)}"
        self._add_defect(path, problem, f"Write {name} as a JSON object")
        return None

    def branches(self, identifier: str, transitions: Mapping[str, Any], path: str) -> Iterator[Branch]:
        if "NextAction" in transitions:
            target = self.string(transitions, "NextAction", path)
            if target is not None:
                yield Branch(identifier, "next", "", target, f"{path}.NextAction")
        for entry_path, entry in self._entries(transitions, "Conditions", path):
            condition = self.mapping(entry.get("Condition", {}), "Condition", f"{entry_path}.Condition")
            test = None if condition is None else self._test(condition, f"{entry_path}.Condition")
            target = self.string(entry, "NextAction", entry_path) if test is not None else None
            if test is not None and target is not None:
                operator, operands = test
                equals = operator == "Equals" and len(operands) == 1
                label = operands[0] if equals else " ".join([operator, *operands])
                target_path = f"{entry_path}.NextAction"
                yield Branch(identifier, "condition", label, target, target_path, operator, operands)
        for entry_path, entry in self._entries(transitions, "Errors", path):
            error = self.string(entry, "ErrorType", entry_path)
            target = self.string(entry, "NextAction", entry_path) if error is not None else None
            if error is not None and target is not None:
                yield Branch(identifier, "error", error, target, f"{entry_path}.NextAction")

    def _entries(
        self, transitions: Mapping[str, Any], key: str, path: str
    ) -> Iterator[tuple[str, Mapping[str, Any]]]:
        """Yields the entries of an optional list of branches, each with its JSON path."""
        entries = self.list(transitions, key, path) if key in transitions else None
        for index, value in enumerate(entries or ()):
            entry_path = f"{path}.{key}[{index}]"
            entry = self.mapping(value, f"each entry in {key}", entry_path)
            if entry is not None:
                yield entry_path, entry

    def _test(self, condition: Mapping[str, Any], path: str) -> tuple[str, tuple[str, ...]] | None:
        operator = self.string(condition, "Operator", path)
        operands = self.list(condition, "Operands", path) if operator is not None else None
        if operator is None or operands is None:
            return None
        return operator, tuple(str(operand) for operand in operands)
