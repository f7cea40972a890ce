"""A flow in Amazon Connect's flow language, as far as a path through it matters."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from callroute.errors import InputError
from callroute.flows.files import read_text

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

LANGUAGE_VERSION = "2019-10-30"

TransitionKind = Literal["next", "condition", "error"]


@dataclass(frozen=True, slots=True)
class Transition:
    """One branch out of a block.

    A branch is told from its neighbours by kind and label, never by its target: two branches may share one.

    Attributes:
        source: identifier of the block it leaves.
        kind: `next` (what is done by default), `condition` (a result was matched) or `error`.
        label: the operand of an Equals condition (`1`, `True`), operator and operands of any other condition, or
            the error type; empty for `next`.
        target: identifier of the block it leads to.
    """

    source: str
    kind: TransitionKind
    label: str
    target: str


@dataclass(frozen=True, slots=True)
class Action:
    """One block of a flow; its type may be one that this project does not know.

    Attributes:
        identifier: its name, unique in the flow.
        type: what it does, such as `MessageParticipant`.
        parameters: its settings, as in the file.
        transitions: its branches: default, then conditions, then errors, each in the file's order.
    """

    identifier: str
    type: str
    parameters: Mapping[str, Any]
    transitions: tuple[Transition, ...]

    _targets: Mapping[TransitionKind, Mapping[str, str]] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Sorts the branches once, as the simulator asks for them at every step of every call."""
        targets: dict[TransitionKind, dict[str, str]] = {"next": {}, "condition": {}, "error": {}}
        for transition in self.transitions:
            targets[transition.kind].setdefault(transition.label, transition.target)
        object.__setattr__(self, "_targets", targets)

    def target(self, kind: TransitionKind, label: str = "") -> str | None:
        """The block to which this branch leads; None where the block has no such branch."""
        return self._targets[kind].get(label)

    def labels(self, kind: TransitionKind) -> tuple[str, ...]:
        """The labels of all branches of a kind, in the file's order."""
        return tuple(self._targets[kind])


@dataclass(frozen=True, slots=True)
class Flow:
    """A flow: blocks by identifier, and where a call enters.

    Attributes:
        source: the file it came from, for messages.
        start: identifier of the first block.
        actions: the blocks by identifier, in the file's order.
    """

    source: str
    start: str
    actions: Mapping[str, Action]

    @classmethod
    def load(cls, path: Path) -> Flow:
        """Reads a flow from a file.

        Raises:
            InputError: the file is unreadable, or as for `read`.
        """
        return cls.read(read_text(path), str(path))

    @classmethod
    def read(cls, text: str, source: str) -> Flow:
        """Reads a flow from the text that the Connect API calls its content.

        Args:
            text: JSON in flow language 2019-10-30.
            source: what to call it in messages, usually its path.

        Raises:
            InputError: it is not JSON, another language (such as the console's export), or its blocks do not hang
                together: a StartAction or branch that leads nowhere, an identifier used twice.
        """
        return _Reader(source).flow(text)


class _Reader:
    """Turns JSON into a Flow and says where it cannot."""

    def __init__(self, source: str) -> None:
        self._source = source

    def _error(self, place: str, problem: str, remedy: str) -> InputError:
        return InputError(self._source, place, problem, remedy)

    def flow(self, text: str) -> Flow:
        document = self._document(text)
        actions: dict[str, Action] = {}
        for index, block in enumerate(self._list(document, "Actions", "the flow")):
            action = self._action(block, f"Actions[{index}]")
            if action.identifier in actions:
                raise self._error(
                    f"Actions[{index}]",
                    f"the identifier {action.identifier!r} is used by an earlier block too",
                    "Give every block an identifier of its own",
                )
            actions[action.identifier] = action
        start = self._string(document, "StartAction", "the flow")
        if start not in actions:
            raise self._error(
                "StartAction",
                f"there is no block {start!r}",
                "Name the identifier of the block that runs first",
            )
        for action in actions.values():
            for transition in action.transitions:
                if transition.target not in actions:
                    branch = " ".join(filter(None, (transition.kind, transition.label)))
                    raise self._error(
                        f"block {action.identifier!r}",
                        f"its branch {branch!r} leads to {transition.target!r}, which does not exist",
                        "Lead it to the identifier of a block of this flow",
                    )
        return Flow(self._source, start, actions)

    def _document(self, text: str) -> Mapping[str, Any]:
        try:
            document = json.loads(text)
        except json.JSONDecodeError as error:
            raise self._error(
                f"line {error.lineno} column {error.colno}",
                f"this is not JSON ({error.msg})",
                "Give a flow as JSON",
            ) from error
        except RecursionError as error:
            raise self._error("", "it is nested too deeply for a flow", "Give a flow as JSON") from error
        if not isinstance(document, Mapping):
            raise self._error(
                "",
                f"it holds {_kind(document)} and not a flow",
                "Give a JSON object with Version, StartAction, Actions",
            )
        if "modules" in document:
            raise self._error(
                "modules",
                "this is an export of the Connect console, which is another language than the API's",
                "Open the flow in the console, or read it with `aws connect describe-contact-flow`, "
                f"and take the content in flow language {LANGUAGE_VERSION}",
            )
        version = document.get("Version")
        if version != LANGUAGE_VERSION:
            found = "Version is missing" if version is None else f"Version is {version!r}"
            raise self._error("Version", found, f"Give a flow in flow language {LANGUAGE_VERSION!r}")
        return document

    def _action(self, block: Any, place: str) -> Action:
        if not isinstance(block, Mapping):
            raise self._error(
                place, f"it is {_kind(block)} and not a block", "Write every block as a JSON object"
            )
        identifier = self._string(block, "Identifier", place)
        type_ = self._string(block, "Type", place)
        place = f"block {identifier!r}"
        parameters = self._mapping(block, "Parameters", place)
        branches = self._mapping(block, "Transitions", place)
        return Action(identifier, type_, parameters, tuple(self._transitions(identifier, branches, place)))

    def _transitions(self, identifier: str, branches: Mapping[str, Any], place: str) -> Iterator[Transition]:
        if "NextAction" in branches:
            yield Transition(identifier, "next", "", self._string(branches, "NextAction", place))
        for branch in self._list(branches, "Conditions", place, missing=()):
            condition = self._mapping(self._object(branch, "Conditions", place), "Condition", place)
            yield Transition(
                identifier,
                "condition",
                self._label(condition, place),
                self._string(branch, "NextAction", place),
            )
        for branch in self._list(branches, "Errors", place, missing=()):
            label = self._string(self._object(branch, "Errors", place), "ErrorType", place)
            yield Transition(identifier, "error", label, self._string(branch, "NextAction", place))

    def _label(self, condition: Mapping[str, Any], place: str) -> str:
        operator = self._string(condition, "Operator", place)
        operands = [str(operand) for operand in self._list(condition, "Operands", place)]
        return operands[0] if operator == "Equals" and len(operands) == 1 else " ".join([operator, *operands])

    def _string(self, holder: Mapping[str, Any], key: str, place: str) -> str:
        value = holder.get(key)
        if not isinstance(value, str):
            found = f"{key} is missing" if value is None else f"{key} is {_kind(value)}"
            raise self._error(place, found, f"Write {key} as a string")
        return value

    def _list(self, holder: Mapping[str, Any], key: str, place: str, missing: Any = None) -> list[Any]:
        value = holder.get(key, missing)
        if not isinstance(value, list | tuple):
            found = f"{key} is missing" if value is None else f"{key} is {_kind(value)}"
            raise self._error(place, found, f"Write {key} as a list")
        return list(value)

    def _mapping(self, holder: Mapping[str, Any], key: str, place: str) -> Mapping[str, Any]:
        return self._object(holder.get(key, {}), key, place)

    def _object(self, value: Any, key: str, place: str) -> Mapping[str, Any]:
        if not isinstance(value, Mapping):
            raise self._error(place, f"{key} holds {_kind(value)}", f"Write {key} as JSON objects")
        return value


def _kind(value: Any) -> str:
    """How JSON calls a value."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return f"the text {value[:40]!r}"
    if isinstance(value, list | tuple):
        return "a list"
    return "an object" if isinstance(value, Mapping) else f"the number {value}"
