"""Reads the settings of a block: texts with references, numbers, attributes, speech."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from callroute.flows.references import template, whole

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from callroute.flows.simulation.engine import BlockContext, CallSimulation

    Resolver = Callable[[CallSimulation], str]
    """Gives a text as it is in a call."""

# How long things take. Connect leaves this to voice and caller; fixed values make records reproducible.
_JAPANESE_CHARACTERS_PER_SECOND = 8
_LATIN_CHARACTERS_PER_SECOND = 15
_RECORDED_PROMPT_SECONDS = 5.0

_TAG = re.compile(r"<[^>]*>")


def resolver(block: BlockContext, text: str) -> Resolver:
    """Fills the references of a text; one that was never set is nothing."""
    pieces = template(text)
    if isinstance(pieces, str):
        return lambda _: pieces
    return lambda call: "".join(
        piece if isinstance(piece, str) else call.look(block, piece) for piece in pieces
    )


def setting(block: BlockContext, parameter: str) -> str:
    """A parameter that must be text."""
    value = block.action.parameters.get(parameter)
    if not isinstance(value, str) or not value:
        raise block.error(f"its {parameter} is {value!r}", f"Give {parameter} as text")
    return value


def text(block: BlockContext, parameter: str) -> Resolver:
    """A text parameter, its references filled."""
    return resolver(block, setting(block, parameter))


def optional(block: BlockContext, parameter: str) -> Resolver:
    """A text parameter that may be missing; it is then empty."""
    return text(block, parameter) if parameter in block.action.parameters else lambda _: ""


def number(
    block: BlockContext, parameter: str, default: str | None = None
) -> Callable[[CallSimulation], int]:
    """A parameter that is a whole number, or a reference to one."""
    value = str(block.action.parameters.get(parameter, default))
    if value.isascii() and value.isdigit():
        number = int(value)
        return lambda _: number
    resolve = resolver(block, value)

    def resolved(call: CallSimulation) -> int:
        found = resolve(call)
        if not found.isascii() or not found.isdigit():
            raise block.error(f"its {parameter} is {found!r}", f"Give {parameter} as a whole number")
        return int(found)

    return resolved


def mapping(block: BlockContext, parameter: str) -> Mapping[str, Any]:
    """A parameter that must be a mapping."""
    values = block.action.parameters.get(parameter)
    if not isinstance(values, dict):
        raise block.error(f"it has no {parameter}", f"Give the {parameter} to set")
    return values


def speech(
    block: BlockContext, parameters: Mapping[str, Any] | None = None
) -> Callable[[CallSimulation], tuple[str, float]]:
    """What a block says, and how many seconds that takes."""
    settings = block.action.parameters if parameters is None else parameters
    for parameter in ("PromptId", "Media"):
        if parameter in settings:
            played = settings[parameter]
            name = resolver(block, played["Uri"] if isinstance(played, dict) else str(played))
            return lambda call: (f"[{name(call)}]", _RECORDED_PROMPT_SECONDS)
    parameter = "SSML" if "SSML" in settings else "Text"
    text = settings.get(parameter)
    if not isinstance(text, str) or not text:
        raise block.error(f"its {parameter} is {text!r}", f"Give {parameter} as text")
    clean = _TAG.sub if parameter == "SSML" else None
    if isinstance(template(text), str):
        plain = clean("", text) if clean else text
        spoken = plain, speaking_seconds(plain)
        return lambda _: spoken
    resolve = resolver(block, text)

    def speak(call: CallSimulation) -> tuple[str, float]:
        said = clean("", resolve(call)) if clean else resolve(call)
        return said, speaking_seconds(said)

    return speak


@lru_cache(maxsize=4096)
def speaking_seconds(text: str) -> float:
    """How long a text takes to be said."""
    latin = sum(character.isascii() for character in text)
    return latin / _LATIN_CHARACTERS_PER_SECOND + (len(text) - latin) / _JAPANESE_CHARACTERS_PER_SECOND


def pairs(block: BlockContext, values: Mapping[str, Any]) -> Callable[[CallSimulation], Mapping[str, str]]:
    """Attributes to set. A value is text or one whole reference; Connect does not put texts together here."""
    plain: dict[str, str] = {}
    moving: list[tuple[Resolver, Resolver]] = []
    for name, value in values.items():
        if not isinstance(value, str):
            raise block.error(f"the attribute {name!r} = {value!r} is not text", "Use text only")
        if whole(name) is None and whole(value) is None:
            plain[name] = value
        else:
            literal = value if whole(value) is None else None
            moving.append(
                (resolver(block, name), resolver(block, value) if literal is None else fixed(literal))
            )
    if not moving:
        return lambda _: plain

    def resolve(call: CallSimulation) -> Mapping[str, str]:
        found = {name(call): value(call) for name, value in moving}
        found.pop("", None)  # a name that was never set names nothing
        return plain | found

    return resolve


def fixed(text: str) -> Resolver:
    """A text that is what it is."""
    return lambda _: text
