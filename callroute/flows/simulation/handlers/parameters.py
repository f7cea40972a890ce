"""Reads block parameters: strings with references, numbers, attributes and prompts."""

from __future__ import annotations

import re
from functools import lru_cache
from html import unescape
from typing import TYPE_CHECKING, Any

from callroute.flows.references import template, whole

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from callroute.flows.simulation.engine import BlockContext, CallSimulation

    Resolver = Callable[[CallSimulation], str]
    """Resolves the references in a string during a call."""

# In Connect, these times depend on the voice and the caller. Fixed values make the records reproducible.
_JAPANESE_CHARACTERS_PER_SECOND = 8
_LATIN_CHARACTERS_PER_SECOND = 15
_RECORDED_PROMPT_SECONDS = 5.0

_BREAK = re.compile(r"<break\b[^>]*>", re.IGNORECASE)
_AUDIO = re.compile(r"<audio\b[^>]*>", re.IGNORECASE)
_TAG = re.compile(r"<[^>]*>")


def resolver(context: BlockContext, text: str) -> Resolver:
    """Returns a resolver that fills in the references in a string. Values that were never set are empty."""
    pieces = template(text)
    if isinstance(pieces, str):
        return lambda _: pieces
    return lambda call: "".join(
        piece if isinstance(piece, str) else call.resolve(context, piece) for piece in pieces
    )


def setting(context: BlockContext, parameter: str) -> str:
    """Returns a required string parameter."""
    value = context.block.parameters.get(parameter)
    if not isinstance(value, str) or not value:
        raise context.error(f"{parameter} is {value!r}", f"Set {parameter} to a string")
    return value


def text(context: BlockContext, parameter: str) -> Resolver:
    """Returns a resolver for a required string parameter."""
    return resolver(context, setting(context, parameter))


def optional(context: BlockContext, parameter: str) -> Resolver:
    """Returns a resolver for an optional string parameter, which is empty if missing."""
    return text(context, parameter) if parameter in context.block.parameters else lambda _: ""


def number(
    context: BlockContext, parameter: str, default: str | None = None
) -> Callable[[CallSimulation], int]:
    """Returns a resolver for a whole number, given directly or as a reference."""
    value = str(context.block.parameters.get(parameter, default))
    if value.isascii() and value.isdigit():
        number = int(value)
        return lambda _: number
    resolve = resolver(context, value)

    def resolved(call: CallSimulation) -> int:
        found = resolve(call)
        if not found.isascii() or not found.isdigit():
            raise context.error(f"{parameter} is {found!r}", f"Set {parameter} to a whole number")
        return int(found)

    return resolved


def mapping(context: BlockContext, parameter: str) -> Mapping[str, Any]:
    """Returns a required mapping parameter."""
    values = context.block.parameters.get(parameter)
    if not isinstance(values, dict):
        raise context.error(f"{parameter} is missing", f"Add {parameter}")
    return values


def speech(
    context: BlockContext, parameters: Mapping[str, Any] | None = None
) -> Callable[[CallSimulation], tuple[str, float]]:
    """Returns a resolver for the text of a prompt and its duration in seconds.

    Args:
        context: the block.
        parameters: parameters that contain the prompt. Defaults to those of the block.
    """
    settings = context.block.parameters if parameters is None else parameters
    for parameter in ("PromptId", "Media"):
        if parameter in settings:
            played = settings[parameter]
            name = resolver(context, played["Uri"] if isinstance(played, dict) else str(played))
            return lambda call: (f"[{name(call)}]", _RECORDED_PROMPT_SECONDS)
    parameter = "SSML" if "SSML" in settings else "Text"
    text = settings.get(parameter)
    if not isinstance(text, str) or not text:
        raise context.error(f"{parameter} is {text!r}", f"Set {parameter} to a string")
    is_ssml = parameter == "SSML"
    if isinstance(template(text), str):
        plain = _spoken(text) if is_ssml else text
        spoken = plain, speaking_seconds(plain)
        return lambda _: spoken
    resolve = resolver(context, text)

    def resolved_speech(call: CallSimulation) -> tuple[str, float]:
        spoken_text = _spoken(resolve(call)) if is_ssml else resolve(call)
        return spoken_text, speaking_seconds(spoken_text)

    return resolved_speech


def _spoken(ssml: str) -> str:
    """Returns the text in SSML, with `…` for pauses and `[audio]` for recordings."""
    marked = _AUDIO.sub(" [audio] ", _BREAK.sub(" … ", ssml))
    return " ".join(unescape(_TAG.sub("", marked)).split())


@lru_cache(maxsize=4096)
def speaking_seconds(text: str) -> float:
    """Returns the number of seconds it takes to say a text aloud."""
    latin = sum(character.isascii() for character in text)
    return latin / _LATIN_CHARACTERS_PER_SECOND + (len(text) - latin) / _JAPANESE_CHARACTERS_PER_SECOND


def attributes(
    context: BlockContext, values: Mapping[str, Any]
) -> Callable[[CallSimulation], Mapping[str, str]]:
    """Returns a resolver for attributes.

    A value is either a literal string or a single reference. Here, Connect does not fill in references inside longer
    strings.
    """
    plain: dict[str, str] = {}
    dynamic: list[tuple[Resolver, Resolver]] = []
    for name, value in values.items():
        if not isinstance(value, str):
            raise context.error(f"the attribute {name!r} = {value!r} is not a string", "Use a string")
        if whole(name) is None and whole(value) is None:
            plain[name] = value
        else:
            value_resolver = fixed(value) if whole(value) is None else resolver(context, value)
            dynamic.append((resolver(context, name), value_resolver))
    if not dynamic:
        return lambda _: plain

    def resolve(call: CallSimulation) -> Mapping[str, str]:
        found = {name(call): value(call) for name, value in dynamic}
        found.pop("", None)  # the name is a reference to a value that was never set
        return plain | found

    return resolve


def fixed(text: str) -> Resolver:
    """Returns a resolver for a literal string."""
    return lambda _: text
