"""Lint rules for the content of a flow: structure, size limits, identifiers and strings."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator

from callroute.flows.flow import (
    CONTENT_CHARACTERS,
    CONTENT_TOO_LONG,
    IDENTIFIER_CHARACTERS,
    MAX_BLOCKS,
    TOO_MANY_BLOCKS,
)
from callroute.flows.lint.rule import LintContext, Match, Rule, Source
from callroute.flows.placeholders import names
from callroute.formats.json_document import LONE_SURROGATE

SPOKEN_CHARACTERS = 3_000
SPOKEN_CHARACTERS_WITH_TAGS = 6_000
"""Maximum length of SSML, including tags."""

_FORBIDDEN_CHARACTERS = re.compile(r"[%:()\\/=$,;\[\]{}]")
_FORBIDDEN_IDENTIFIERS = frozenset(
    (
        "__proto__",
        "constructor",
        "__defineGetter__",
        "__defineSetter__",
        "toString",
        "hasOwnProperty",
        "isPrototypeOf",
        "propertyIsEnumerable",
        "toLocaleString",
        "valueOf",
    )
)
_TAG = re.compile(r"<[^>]*>")
_SOUND = re.compile(r"<(audio|break)\b|(?:^|>)[^<]*[^<\s]")
_MUSTACHE = re.compile(r"\{\{\s*[^{}\s][^{}]*\}\}")
# Connect also accepts a number as the count of a Loop block or as an operand of a condition (docs/fidelity.md).
_NUMBERS = frozenset((("Loop", "LoopCount"),))
_OPERAND = re.compile(r"\.Condition\.Operands\[\d+\]$")


def _defects(rule: str) -> Callable[[LintContext], Iterator[Match]]:
    def find(context: LintContext) -> Iterator[Match]:
        for defect in context.flow.defects:
            if defect.rule == rule:
                yield Match(defect.block, defect.path, _sentence(defect.problem), f"{defect.fix}.")

    return find


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}."


def _bad_identifier(context: LintContext) -> Iterator[Match]:
    for block in context.blocks:
        name = block.identifier
        if not name:
            problem = "The identifier is empty."
        elif len(name) > IDENTIFIER_CHARACTERS:
            problem = f"The identifier has {len(name)} characters; Connect allows {IDENTIFIER_CHARACTERS}."
        elif found := _FORBIDDEN_CHARACTERS.search(name):
            problem = f"The identifier contains {found[0]!r}, which Connect rejects."
        elif LONE_SURROGATE.search(name):
            problem = f"The identifier {name!r} contains half of a surrogate pair, which cannot be encoded."
        elif name in _FORBIDDEN_IDENTIFIERS:
            problem = f"Connect rejects the identifier {name!r}."
        else:
            continue
        yield Match(
            name,
            f"{block.path}.Identifier",
            problem,
            "Use letters, digits, spaces and hyphens, and update the branches that lead here.",
        )


def _empty_string(context: LintContext) -> Iterator[Match]:
    for block, path, value in context.scalars:
        if value == "":
            yield Match(
                block.identifier,
                path,
                "The string is empty, but Connect rejects empty strings.",
                "Set a value, or remove the field.",
            )


def _silent_ssml(context: LintContext) -> Iterator[Match]:
    for block, path, value in context.scalars:
        if isinstance(value, str) and path.endswith(".SSML") and value and not _SOUND.search(value):
            yield Match(
                block.identifier,
                path,
                "The SSML has neither text nor audio, so callers hear nothing.",
                "Add text between the tags, or remove the block.",
            )


def _not_text(context: LintContext) -> Iterator[Match]:
    for block, path, value in context.scalars:
        if not isinstance(value, str):
            name = path.removeprefix(f"{block.path}.Parameters.")
            if type(value) is int and ((block.type, name) in _NUMBERS or _OPERAND.search(path)):
                continue
            yield Match(
                block.identifier,
                path,
                f"The value must be a string, not {json.dumps(value)}.",
                f'Write "{json.dumps(value)}".' if value is not None else "Set a value, or remove the field.",
            )


def _text_too_long(context: LintContext) -> Iterator[Match]:
    for block, path, value in context.scalars:
        if (
            not isinstance(value, str)
            or len(value) <= SPOKEN_CHARACTERS
            or not path.endswith((".Text", ".SSML"))
        ):
            continue
        spoken = len(_TAG.sub("", value)) if path.endswith(".SSML") else len(value)
        if spoken > SPOKEN_CHARACTERS or len(value) > SPOKEN_CHARACTERS_WITH_TAGS:
            yield Match(
                block.identifier,
                path,
                f"The text has {spoken:,} spoken characters, {len(value):,} with tags; "
                f"Connect allows {SPOKEN_CHARACTERS:,} and {SPOKEN_CHARACTERS_WITH_TAGS:,}.",
                "Split it into several blocks.",
            )


def _undeclared_placeholder(context: LintContext) -> Iterator[Match]:
    declared = context.catalog.placeholders if context.catalog else {}
    seen: set[str] = set()
    for block, path, value in context.scalars:
        if not isinstance(value, str) or "{" not in value:
            continue
        for name in (*(f"${{{name}}}" for name in names(value)), *_MUSTACHE.findall(value)):
            if name not in seen and name[2:-1] not in declared:
                seen.add(name)
                yield Match(
                    block.identifier,
                    path,
                    f"The placeholder {name} is not declared in a route catalog.",
                    "Declare it under `placeholders` in the route catalog, or check the flow with the values filled in.",
                )


def _flow_module(context: LintContext) -> Iterator[Match]:
    if context.flow.is_module:
        yield Match(
            None,
            "$.Settings" if "Settings" in context.flow.document else "$",
            "This is a flow module, which runs inside other flows and inherits their attributes.",
            "Also check the flows that invoke it.",
        )


RULES = (
    Rule(
        "duplicate-key",
        "error",
        "No JSON object repeats a key.",
        Source.JSON,
        _defects("duplicate-key"),
    ),
    Rule(
        "malformed",
        "error",
        "Blocks, branches and conditions have the structure required by the flow language.",
        Source.FLOW_LANGUAGE,
        _defects("malformed"),
    ),
    Rule(
        "duplicate-identifier",
        "error",
        "Every block has a unique identifier.",
        Source.FLOW_LANGUAGE,
        _defects("duplicate-identifier"),
    ),
    Rule(
        "no-start",
        "error",
        "StartAction is the identifier of a block in the flow.",
        Source.FLOW_LANGUAGE,
        _defects("no-start"),
    ),
    Rule(
        "dangling-branch",
        "error",
        "Every branch leads to a block in the flow.",
        Source.FLOW_LANGUAGE,
        _defects("dangling-branch"),
    ),
    Rule(
        CONTENT_TOO_LONG,
        "error",
        f"A flow has at most {CONTENT_CHARACTERS:,} characters, not counting whitespace.",
        Source.CREATE_CONTACT_FLOW,
        _defects(CONTENT_TOO_LONG),
    ),
    Rule(
        TOO_MANY_BLOCKS,
        "error",
        f"A flow has at most {MAX_BLOCKS} blocks.",
        Source.FLOW_LANGUAGE,
        _defects(TOO_MANY_BLOCKS),
    ),
    Rule(
        "bad-identifier",
        "error",
        f"Identifiers have 1 to {IDENTIFIER_CHARACTERS} characters and contain none of % : ( \\ / ) = $ , ; [ ] {{ }}.",
        Source.FLOW_LANGUAGE,
        _bad_identifier,
    ),
    Rule("empty-string", "error", "No block contains an empty string.", Source.LIVE_REQUESTS, _empty_string),
    Rule("silent-ssml", "warning", "SSML contains text, audio or a pause.", Source.CALLERS, _silent_ssml),
    Rule("not-text", "error", "Every value in a block is a string.", Source.LIVE_REQUESTS, _not_text),
    Rule(
        "text-too-long",
        "error",
        f"Spoken text has at most {SPOKEN_CHARACTERS:,} characters, and at most {SPOKEN_CHARACTERS_WITH_TAGS:,} including tags.",
        Source.PLAY_PROMPT,
        _text_too_long,
    ),
    Rule(
        "undeclared-placeholder",
        "warning",
        "Every placeholder, for example `${Queue}`, is declared in the route catalog.",
        Source.PLACEHOLDERS,
        _undeclared_placeholder,
    ),
    Rule(
        "flow-module",
        "note",
        "Flow modules are checked with attributes inherited from the calling flow.",
        Source.LIVE_REQUESTS,
        _flow_module,
    ),
)
