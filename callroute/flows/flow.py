"""A flow in Amazon Connect's flow language, as far as a path through it matters."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from callroute.errors import InputError
from callroute.formats.files import read_text
from callroute.formats.json_document import JsonDocument, JsonStyle, kind

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

LANGUAGE_VERSION = "2019-10-30"

CONTENT_CHARACTERS = 256_000
"""Characters that Connect takes in a flow, white space not counted (docs/fidelity.md)."""

BranchKind = Literal["next", "condition", "error"]


@dataclass(frozen=True, slots=True)
class Branch:
    """One branch out of a block.

    A branch is told from its neighbours by kind and label, never by its target: two branches may share one.

    Attributes:
        source: identifier of the block it leaves.
        kind: `next` (what is done by default), `condition` (a result was matched) or `error`.
        label: what tells it to people: the operand of an Equals condition (`1`, `True`), operator and operands of any
            other condition, or the error type; empty for `next`.
        target: identifier of the block it leads to.
        path: JSON path of what names the target.
        operator: how a condition compares (`Equals`, `NumberLessThan`); empty for any other branch.
        operands: what a condition compares with, as text; Connect takes one.
    """

    source: str
    kind: BranchKind
    label: str
    target: str
    path: str = field(default="", compare=False)
    operator: str = ""
    operands: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Block:
    """One block of a flow; its type may be one that this project does not know.

    Attributes:
        identifier: its name, unique in the flow.
        type: what it does, such as `MessageParticipant`.
        parameters: its settings, as in the file.
        transitions: its branches: default, then conditions, then errors, each in the file's order.
        path: its JSON path.
    """

    identifier: str
    type: str
    parameters: Mapping[str, Any]
    branches: tuple[Branch, ...]
    path: str = field(default="", compare=False)

    _targets: Mapping[BranchKind, Mapping[str, str]] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Sorts the branches once, as the simulator asks for them at every step of every call."""
        targets: dict[BranchKind, dict[str, str]] = {"next": {}, "condition": {}, "error": {}}
        for transition in self.branches:
            targets[transition.kind].setdefault(transition.label, transition.target)
        object.__setattr__(self, "_targets", targets)

    def target(self, kind: BranchKind, label: str = "") -> str | None:
        """The block to which this branch leads; None where the block has no such branch."""
        return self._targets[kind].get(label)

    def labels(self, kind: BranchKind) -> tuple[str, ...]:
        """The labels of all branches of a kind, in the file's order."""
        return tuple(self._targets[kind])


@dataclass(frozen=True, slots=True)
class StructuralDefect:
    """Something in a flow's text that keeps it from being one graph of blocks.

    Attributes:
        rule: which kind of flaw: `duplicate-key`, `malformed`, `duplicate-identifier`, `no-start` or
            `dangling-transition`.
        block: identifier of the block that has it; None where the block has none or it concerns the whole flow.
        place: where it is, for people.
        path: where it is, as JSON path.
        problem: what is wrong.
        remedy: what to do.
    """

    rule: str
    block: str | None
    place: str
    path: str
    problem: str
    fix: str


@dataclass(frozen=True, slots=True)
class Flow:
    """A flow: blocks by identifier, and where a call enters.

    Attributes:
        source: the file it came from, for messages.
        start: identifier of the first block.
        actions: the blocks by identifier, in the file's order.
        document: the whole JSON, unknown fields included; not to be changed in place.
        layout: how its text is formatted.
        flaws: what was wrong with the text, where it was read by `parse_lenient`; such a flow may have branches that lead
            nowhere, and lacks blocks that could not be read.
    """

    source: str
    start: str
    blocks: Mapping[str, Block]
    document: Mapping[str, Any] = field(default_factory=dict, repr=False)
    style: JsonStyle = field(default_factory=JsonStyle)
    defects: tuple[StructuralDefect, ...] = ()

    @classmethod
    def load(cls, path: Path) -> Flow:
        """Reads a flow from a file.

        Raises:
            InputError: the file is unreadable, or as for `parse`.
        """
        return cls.parse(read_text(path), str(path))

    @classmethod
    def parse(cls, text: str, source: str) -> Flow:
        """Reads a flow from the text that the Connect API calls its content.

        Args:
            text: JSON in flow language 2019-10-30.
            source: what to call it in messages, usually its path.

        Raises:
            InputError: it is not JSON, another language (such as the console's export), or its blocks do not hang
                together: a StartAction or branch that leads nowhere, an identifier or a key used twice.
        """
        flow = cls.parse_lenient(text, source)
        for flaw in flow.defects:
            raise InputError(source, flaw.place, flaw.problem, flaw.fix)
        return flow

    @classmethod
    def parse_lenient(cls, text: str, source: str) -> Flow:
        """Reads as much of a flow as there is: what `parse` refuses is listed in `flaws`.

        Raises:
            InputError: it is not JSON, or not flow language 2019-10-30.
        """
        return _Reader(source).flow(text)

    def write(self) -> str:
        """The flow's JSON: the same value as was read, in the same key order and layout (see `Layout`)."""
        return self.style.write(self.document)

    @property
    def is_module(self) -> bool:
        """Whether it is a flow module, which only other flows can run: modules carry `Settings`."""
        return "Settings" in self.document


class _Reader:
    """Turns JSON into a Flow and notes where it cannot."""

    def __init__(self, source: str) -> None:
        self._source = source
        self._flaws: list[StructuralDefect] = []

    def _error(self, place: str, problem: str, fix: str) -> InputError:
        return InputError(self._source, place, problem, fix)

    def _flaw(
        self, rule: str, place: str, path: str, problem: str, fix: str, block: str | None = None
    ) -> None:
        self._flaws.append(StructuralDefect(rule, block, place, path, problem, fix))

    def flow(self, text: str) -> Flow:
        json_text = JsonDocument.parse(text, self._source)
        document = self._document(json_text.value)
        for path, key in json_text.duplicates:
            problem = f"the key {key!r} is there more than once, and all but its last value are lost"
            self._flaw("duplicate-key", path, path, problem, "Keep one of them")
        blocks: dict[str, Block] = {}
        for index, block in enumerate(document["Actions"]):
            action = self._action(block, index)
            if action is None:
                continue
            if action.identifier in blocks:
                self._flaw(
                    "duplicate-identifier",
                    f"Actions[{index}]",
                    f"{action.path}.Identifier",
                    f"the identifier {action.identifier!r} is used by an earlier block too",
                    "Give every block an identifier of its own",
                    action.identifier,
                )
            else:
                blocks[action.identifier] = action
        start = self._start(document, blocks)
        for action in blocks.values():
            for transition in action.branches:
                if transition.target not in blocks:
                    branch = " ".join(filter(None, (transition.kind, transition.label)))
                    self._flaw(
                        "dangling-transition",
                        f"block {action.identifier!r}",
                        transition.path,
                        f"its branch {branch!r} leads to {transition.target!r}, which does not exist",
                        "Lead it to the identifier of a block of this flow",
                        action.identifier,
                    )
        return Flow(self._source, start, blocks, document, json_text.style, tuple(self._flaws))

    def _document(self, document: Any) -> Mapping[str, Any]:
        if not isinstance(document, Mapping):
            raise self._error(
                "",
                f"it holds {kind(document)} and not a flow",
                "Give a JSON object with Version, StartAction, Actions",
            )
        if "modules" in document:
            raise self._error(
                "modules",
                "this is an export of the Connect console, which is another language than the API's",
                "Open the flow in the console, or read it with `aws connect describe-contact-flow`, "
                f"and take the content in flow language {LANGUAGE_VERSION}",
            )
        answer = next((key for key in ("ContactFlow", "ContactFlowModule") if key in document), None)
        if answer:
            raise self._error(
                answer,
                "this is what `aws connect` answers about a flow, and not the flow",
                f"Take its Content, such as by `jq -r .{answer}.Content`",
            )
        version = document.get("Version")
        if version != LANGUAGE_VERSION:
            raise self._error(
                "Version", _found(document, "Version"), f"Give a flow in flow language {LANGUAGE_VERSION!r}"
            )
        blocks = document.get("Actions")
        if not isinstance(blocks, list):
            raise self._error("the flow", _found(document, "Actions"), "Write Actions as a list")
        return document

    def _start(self, document: Mapping[str, Any], blocks: Mapping[str, Block]) -> str:
        start = document.get("StartAction")
        if isinstance(start, str) and start in blocks:
            return start
        if isinstance(start, str):
            place, problem = "StartAction", f"there is no block {start!r}"
        else:
            place, problem = "the flow", _found(document, "StartAction")
        fix = "Name the identifier of the block that runs first"
        self._flaw("no-start", place, "$.StartAction", problem, fix)
        return ""

    def _action(self, block: Any, index: int) -> Block | None:
        path, place = f"$.Actions[{index}]", f"Actions[{index}]"
        if not isinstance(block, Mapping):
            problem, fix = f"it is {kind(block)} and not a block", "Write every block as a JSON object"
            self._flaw("malformed", place, path, problem, fix)
            return None
        parts = _Parts(self._flaws, None, place)
        identifier = parts.string(block, "Identifier", path)
        type_ = parts.string(block, "Type", path)
        if identifier is None or type_ is None:
            return None
        parts = _Parts(self._flaws, identifier, f"block {identifier!r}")
        parameters = parts.mapping(block.get("Parameters", {}), "Parameters", f"{path}.Parameters")
        branches = parts.mapping(block.get("Transitions", {}), "Transitions", f"{path}.Transitions")
        return Block(
            identifier,
            type_,
            parameters or {},
            tuple(self._transitions(identifier, branches or {}, f"{path}.Transitions", parts)),
            path,
        )

    def _transitions(
        self, identifier: str, branches: Mapping[str, Any], path: str, parts: _Parts
    ) -> Iterator[Branch]:
        if "NextAction" in branches:
            target = parts.string(branches, "NextAction", path)
            if target is not None:
                yield Branch(identifier, "next", "", target, f"{path}.NextAction")
        for here, branch in parts.entries(branches, "Conditions", path):
            condition = parts.mapping(branch.get("Condition", {}), "Condition", f"{here}.Condition")
            test = None if condition is None else self._test(condition, f"{here}.Condition", parts)
            target = parts.string(branch, "NextAction", here) if test is not None else None
            if test is not None and target is not None:
                operator, operands = test
                equals = operator == "Equals" and len(operands) == 1
                said = operands[0] if equals else " ".join([operator, *operands])
                yield Branch(identifier, "condition", said, target, f"{here}.NextAction", operator, operands)
        for here, branch in parts.entries(branches, "Errors", path):
            label = parts.string(branch, "ErrorType", here)
            target = parts.string(branch, "NextAction", here) if label is not None else None
            if label is not None and target is not None:
                yield Branch(identifier, "error", label, target, f"{here}.NextAction")

    def _test(
        self, condition: Mapping[str, Any], path: str, parts: _Parts
    ) -> tuple[str, tuple[str, ...]] | None:
        operator = parts.string(condition, "Operator", path)
        operands = parts.list(condition, "Operands", path) if operator is not None else None
        if operator is None or operands is None:
            return None
        return operator, tuple(str(operand) for operand in operands)


def _found(holder: Mapping[str, Any], key: str) -> str:
    """What stands where something else should: null is not the same as nothing."""
    return f"{key} is {kind(holder[key])}" if key in holder else f"{key} is missing"


_OPTIONAL_LISTS = frozenset(("Conditions", "Errors"))


@dataclass(frozen=True, slots=True)
class _Parts:
    """Takes the parts of one block, and notes a flaw where one has the wrong shape; None stands for it then."""

    defects: list[StructuralDefect]
    block: str | None
    place: str

    def _flaw(self, path: str, problem: str, fix: str) -> None:
        self.defects.append(StructuralDefect("malformed", self.block, self.place, path, problem, fix))

    def string(self, holder: Mapping[str, Any], key: str, path: str) -> str | None:
        value = holder.get(key)
        if isinstance(value, str):
            return value
        self._flaw(f"{path}.{key}", _found(holder, key), f"Write {key} as a string")
        return None

    def list(self, holder: Mapping[str, Any], key: str, path: str) -> list[Any] | None:
        value = holder.get(key)
        if isinstance(value, list):
            return value
        fix = f"Write {key} as a list" + (", or leave it out" if key in _OPTIONAL_LISTS else "")
        self._flaw(f"{path}.{key}", _found(holder, key), fix)
        return None

    def mapping(self, value: Any, key: str, path: str) -> Mapping[str, Any] | None:
        if isinstance(value, Mapping):
            return value
        self._flaw(path, f"{key} holds {kind(value)}", f"Write {key} as JSON objects")
        return None

    def entries(
        self, branches: Mapping[str, Any], key: str, path: str
    ) -> Iterator[tuple[str, Mapping[str, Any]]]:
        """The objects of an optional list of branches, each with its path."""
        for index, entry in enumerate((self.list(branches, key, path) or ()) if key in branches else ()):
            here = f"{path}.{key}[{index}]"
            branch = self.mapping(entry, key, here)
            if branch is not None:
                yield here, branch
