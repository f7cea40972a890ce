"""Rules about a flow's text: whether it is one graph of blocks at all, and what Connect's reader refuses."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator

from callroute.flows.flow import CONTENT_CHARACTERS
from callroute.flows.lint.rule import LANGUAGE, LIVE, Found, Rule, Subject
from callroute.flows.placeholders import names
from callroute.formats.json_document import LONE_SURROGATE

BLOCKS = 250
IDENTIFIER_CHARACTERS = 50
SPOKEN_CHARACTERS = 3_000
SPOKEN_CHARACTERS_IN_ALL = 6_000
"""Characters with the tags of SSML, which are not spoken."""


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
_MUSTACHE = re.compile(r"\{\{\s*[^{}\s][^{}]*\}\}")
# Connect takes numbers too where a Loop block counts and where a condition compares (docs/fidelity.md).
_NUMBERS = frozenset((("Loop", "LoopCount"),))
_OPERAND = re.compile(r"\.Condition\.Operands\[\d+\]$")


def _flaw(rule: str) -> Callable[[Subject], Iterator[Found]]:
    def find(subject: Subject) -> Iterator[Found]:
        for flaw in subject.flow.defects:
            if flaw.rule == rule:
                yield Found(flaw.block, flaw.path, _sentence(flaw.problem), f"{flaw.fix}.")

    return find


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}."


def _content_too_long(subject: Subject) -> Iterator[Found]:
    content = json.dumps(subject.flow.document, ensure_ascii=False, separators=(",", ":"))
    if len(content) > CONTENT_CHARACTERS:
        yield Found(
            None,
            "$",
            f"The flow has {len(content):,} characters without white space; Connect takes {CONTENT_CHARACTERS:,}.",
            "Move a part of it into a flow or module of its own.",
        )


def _too_many_blocks(subject: Subject) -> Iterator[Found]:
    count = len(subject.flow.document["Actions"])
    if count > BLOCKS:
        yield Found(
            None,
            "$.Actions",
            f"The flow has {count} blocks; Connect takes {BLOCKS}.",
            "Move a part of it into a flow or module of its own.",
        )


def _bad_identifier(subject: Subject) -> Iterator[Found]:
    for action in subject.blocks:
        name = action.identifier
        if not name:
            problem = "The identifier is empty."
        elif len(name) > IDENTIFIER_CHARACTERS:
            problem = f"The identifier has {len(name)} characters; Connect takes {IDENTIFIER_CHARACTERS}."
        elif found := _FORBIDDEN_CHARACTERS.search(name):
            problem = f"The identifier holds {found[0]!r}, which Connect does not take."
        elif LONE_SURROGATE.search(name):
            problem = f"The identifier {name!r} holds half of a character, which cannot be sent."
        elif name in _FORBIDDEN_IDENTIFIERS:
            problem = f"Connect does not take {name!r} as an identifier."
        else:
            continue
        yield Found(
            name,
            f"{action.path}.Identifier",
            problem,
            "Use letters, digits, blanks and hyphens, and change the branches that lead here too.",
        )


def _empty_string(subject: Subject) -> Iterator[Found]:
    for action, path, value in subject.scalars:
        if value == "":
            yield Found(
                action.identifier,
                path,
                "An empty string: Connect refuses it wherever it stands.",
                "Give a value, or leave the field out.",
            )


def _not_text(subject: Subject) -> Iterator[Found]:
    for action, path, value in subject.scalars:
        if not isinstance(value, str):
            name = path.removeprefix(f"{action.path}.Parameters.")
            if type(value) is int and ((action.type, name) in _NUMBERS or _OPERAND.search(path)):
                continue
            yield Found(
                action.identifier,
                path,
                f"{json.dumps(value)} is not a string: Connect wants every value of a block as text.",
                f'Write "{json.dumps(value)}".'
                if value is not None
                else "Give a value, or leave the field out.",
            )


def _text_too_long(subject: Subject) -> Iterator[Found]:
    for action, path, value in subject.scalars:
        if (
            not isinstance(value, str)
            or len(value) <= SPOKEN_CHARACTERS
            or not path.endswith((".Text", ".SSML"))
        ):
            continue
        spoken = len(_TAG.sub("", value)) if path.endswith(".SSML") else len(value)
        if spoken > SPOKEN_CHARACTERS or len(value) > SPOKEN_CHARACTERS_IN_ALL:
            yield Found(
                action.identifier,
                path,
                f"The text has {spoken:,} characters to be spoken, {len(value):,} in all; "
                f"Connect takes {SPOKEN_CHARACTERS:,} and {SPOKEN_CHARACTERS_IN_ALL:,}.",
                "Split it into several blocks.",
            )


def _left_over_placeholder(subject: Subject) -> Iterator[Found]:
    declared = subject.catalog.placeholders if subject.catalog else {}
    seen: set[str] = set()
    for action, path, value in subject.scalars:
        if not isinstance(value, str) or "{" not in value:
            continue
        for name in (*(f"${{{name}}}" for name in names(value)), *_MUSTACHE.findall(value)):
            if name not in seen and name[2:-1] not in declared:
                seen.add(name)
                yield Found(
                    action.identifier,
                    path,
                    f"{name} is a placeholder that nothing is known to fill.",
                    "Declare it in the route catalog (`placeholders`), or check the flow after it was filled.",
                )


def _is_module(subject: Subject) -> Iterator[Found]:
    if subject.flow.is_module:
        yield Found(
            None,
            "$.Settings",
            "This is a flow module: it runs inside the flows that invoke it, with the attributes set there.",
            "Check the flows that invoke it too.",
        )


RULES = (
    Rule(
        "duplicate-key",
        "error",
        "A JSON object has each key once.",
        "JSON: of two values under one key, readers keep one",
        _flaw("duplicate-key"),
    ),
    Rule(
        "malformed",
        "error",
        "Blocks, branches and conditions have the shape of the flow language.",
        LANGUAGE,
        _flaw("malformed"),
    ),
    Rule(
        "duplicate-identifier",
        "error",
        "Every block has an identifier of its own.",
        LANGUAGE,
        _flaw("duplicate-identifier"),
    ),
    Rule("no-start", "error", "StartAction names a block of the flow.", LANGUAGE, _flaw("no-start")),
    Rule(
        "dangling-transition",
        "error",
        "Every branch leads to a block of the flow.",
        LANGUAGE,
        _flaw("dangling-transition"),
    ),
    Rule(
        "content-too-long",
        "error",
        f"A flow has at most {CONTENT_CHARACTERS:,} characters, white space not counted.",
        "AWS: CreateContactFlow",
        _content_too_long,
    ),
    Rule("too-many-blocks", "error", f"A flow has at most {BLOCKS} blocks.", LANGUAGE, _too_many_blocks),
    Rule(
        "bad-identifier",
        "error",
        f"Identifiers have 1 to {IDENTIFIER_CHARACTERS} characters, none of % : ( \\ / ) = $ , ; [ ] {{ }}.",
        LANGUAGE,
        _bad_identifier,
    ),
    Rule("empty-string", "error", "No string in a block is empty.", LIVE, _empty_string),
    Rule("not-text", "error", "Every value in a block is a string.", LIVE, _not_text),
    Rule(
        "text-too-long",
        "error",
        f"A text has at most {SPOKEN_CHARACTERS:,} characters to be spoken, {SPOKEN_CHARACTERS_IN_ALL:,} with tags.",
        "AWS: Play prompt block",
        _text_too_long,
    ),
    Rule(
        "left-over-placeholder",
        "warning",
        "Placeholders such as `${Queue}` are declared in the route catalog.",
        "this project: `callroute.flows.placeholders`",
        _left_over_placeholder,
    ),
    Rule("is-module", "note", "A flow module is checked as one.", LIVE, _is_module),
)
