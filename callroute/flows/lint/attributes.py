"""Lint rules for attributes and loop counters that are never set, personal data, and known deployment problems."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from callroute.flows.attribute_flow import attributes_of, inherits
from callroute.flows.block_types import type_of
from callroute.flows.lint.rule import LintContext, Match, Rule, Source
from callroute.flows.references import Path, is_reference, paths_in, written
from callroute.formats.json_document import member

if TYPE_CHECKING:
    from callroute.flows.flow import Block, Flow

# Parameters whose values are stored on a contact record: this contact's, a related contact's or a task's.
_STORED = {"UpdateContactAttributes": "Attributes", "TagContact": "Tags", "CreateTask": "Attributes"}

_NAMESPACES = {"Attributes": "contact", "FlowAttributes": "flow"}

# Phone numbers with a country code, and national numbers written in groups: with a leading 0 or in the North American
# format.
_INTERNATIONAL = re.compile(r"(?<![\w+])\+\d(?:[ ().-]{0,2}\d){7,14}(?!\d)")
_NATIONAL = re.compile(r"(?<![\w+.-])\(?0\d{0,4}(?:[ ().-]{1,2}\d{2,4}){1,4}(?![\w:/])")
_NORTH_AMERICAN = re.compile(r"(?<![\w+.-])(?:1[ .-])?\(?[2-9]\d{2}[ ).-]{1,2}\d{3}[ .-]\d{4}(?![.-]?\w)")
_NATIONAL_DIGITS = range(9, 12)


def attributes_set(flow: Flow) -> frozenset[str]:
    """Returns the names of the contact attributes that a flow sets."""
    return frozenset(name for block in flow.blocks.values() for name in attributes_of(block))


def _flow_attributes_of(block: Block) -> Mapping[str, object]:
    """Returns the flow attributes that a block sets."""
    given = block.parameters.get("FlowAttributes")
    if block.type != "UpdateFlowAttributes" or not isinstance(given, dict):
        return {}
    return {name: value.get("Value") if isinstance(value, dict) else value for name, value in given.items()}


def _unset_attribute(context: LintContext) -> Iterator[Match]:
    flow = context.flow
    known: dict[str, set[str]] = {
        "FlowAttributes": {name for block in context.blocks for name in _flow_attributes_of(block)},
    }
    # If a flow inherits contact attributes, the calling flow may have set any of them.
    if not inherits(flow):
        known["Attributes"] = {*attributes_set(flow), *context.set_elsewhere}
    # If a name is itself a reference, any attribute could be set.
    complete = {space: names for space, names in known.items() if not any(map(paths_in, names))}
    first: dict[Path, tuple[str, str]] = {}
    times: Counter[Path] = Counter()
    for block, path, value in context.scalars:
        if not isinstance(value, str) or "$" not in value:
            continue
        for space, *names in dict.fromkeys(paths_in(value)):
            if space in complete and names and names[0] not in complete[space]:
                first.setdefault((space, names[0]), (block.identifier, path))
                times[space, names[0]] += 1
    for (space, name), (identifier, path) in first.items():
        more = f" (read in {times[space, name]} places)" if times[space, name] > 1 else ""
        yield Match(
            identifier,
            path,
            f"The {_NAMESPACES[space]} attribute {name!r} is read here{more}, but no block sets it.",
            "Set it before reading it. If another flow sets it, check both flows together."
            if space == "Attributes"
            else "Set it in this flow before reading it. Flow attributes set in other flows are not visible here.",
        )


def _unknown_loop(context: LintContext) -> Iterator[Match]:
    names = [block.parameters.get("LoopName") for block in context.blocks if block.type == "Loop"]
    for block, path, value in context.scalars:
        for space, *rest in dict.fromkeys(paths_in(value) if isinstance(value, str) else ()):
            if space == "Loop" and rest and rest[0] not in names:
                yield Match(
                    block.identifier,
                    path,
                    f"The counter of the loop {rest[0]!r} is read here, but no Loop block has this name.",
                    f"Set LoopName to {rest[0]!r} in the Loop block, or fix the spelling.",
                )


def _mixed_reference(context: LintContext) -> Iterator[Match]:
    for block in context.blocks:
        for name, value in attributes_of(block).items():
            if isinstance(value, str) and paths_in(value) and not is_reference(value):
                yield Match(
                    block.identifier,
                    member(f"{block.path}.Parameters.Attributes", name),
                    f"The value of {name!r} mixes text and a reference, which Connect does not resolve.",
                    "Use a single reference, or build the text in a Lambda function.",
                )


def _personal_data(context: LintContext) -> Iterator[Match]:
    return _stored_personal_data(context, guides=False)


def _agent_guide_data(context: LintContext) -> Iterator[Match]:
    return _stored_personal_data(context, guides=True)


def _stored_personal_data(context: LintContext, *, guides: bool) -> Iterator[Match]:
    """Yields the attributes that store personal data, either from agent guides or from other sources."""
    tainted = _personal_attributes(context)
    for block in context.blocks:
        parameter = _STORED.get(block.type, "")
        values = block.parameters.get(parameter)
        for name, value in values.items() if isinstance(values, dict) else ():
            found = _personal(context, tainted, f"{name} {value}" if isinstance(value, str) else name)
            if found and guides == ("$.Views." in found):
                # Findings end up in logs, so they must not include the personal data itself.
                shown = "" if _has_number(name) else f" as {name!r}"
                yield Match(
                    block.identifier,
                    member(f"{block.path}.Parameters.{parameter}", name),
                    f"{found} is stored on the contact record{shown}, which is retained and streamed.",
                    "Use a flow attribute (UpdateFlowAttributes), or store only the result of a lookup.",
                )


def _personal(context: LintContext, tainted: Mapping[Path, Path], text: str) -> str:
    for path in paths_in(text):
        if _is_personal(context, path):
            return f"Personal data ({written(path)})"
        if path[:2] in tainted:
            return f"Personal data ({written(path)}, which contains {written(tainted[path[:2]])})"
    return "A phone number" if _has_number(text) else ""


def _personal_attributes(context: LintContext) -> Mapping[Path, Path]:
    """Returns the attributes that receive personal data, directly or via other attributes, with the source of the data."""
    copies: list[tuple[Path, Path]] = []
    for block in context.blocks:
        for space, values in (
            ("Attributes", attributes_of(block)),
            ("FlowAttributes", _flow_attributes_of(block)),
        ):
            for name, value in values.items():
                copies += [
                    ((space, name), path) for path in (paths_in(value) if isinstance(value, str) else ())
                ]
    tainted = {to: path for to, path in copies if _is_personal(context, path)}
    while more := {to: tainted[path[:2]] for to, path in copies if to not in tainted and path[:2] in tainted}:
        tainted |= more
    return tainted


def _is_personal(context: LintContext, path: Path) -> bool:
    match path:
        case ("StoredCustomerInput", *_):
            return not _input_is_encrypted(context)
        case ("CustomerEndpoint",) | ("CustomerEndpoint", "Address") | ("CustomerCallbackNumber",):
            return True
        case ("Customer", *names):
            return names != ["ProfileId"]
        case ("Lex", *names):
            return "Slots" in names
        case ("Views", "ViewResultData", *names):
            return names != ["actionName"]  # the button that was pressed is not personal data
    return False


def _has_number(text: str) -> bool:
    if _INTERNATIONAL.search(text) or _NORTH_AMERICAN.search(text):
        return True
    return any(
        sum(character.isdigit() for character in found[0]) in _NATIONAL_DIGITS
        for found in _NATIONAL.finditer(text)
    )


def _input_is_encrypted(context: LintContext) -> bool:
    inputs = [block for block, row in context.known if row.stop == "input"]
    return bool(inputs) and all("InputEncryption" in block.parameters for block in inputs)


def _update_contact_data(context: LintContext) -> Iterator[Match]:
    for block in context.blocks:
        if block.type == "UpdateContactData":
            yield Match(
                block.identifier,
                block.path,
                "Pulumi can create a flow that contains UpdateContactData but cannot update it (pulumi-aws issue 6222).",
                "Use other blocks if possible, or replace the flow on every change.",
            )


def _lex_update(context: LintContext) -> Iterator[Match]:
    bots = [block for block in context.blocks if (row := type_of(block)) and row.stop == "bot"]
    if bots:
        yield Match(
            bots[0].identifier,
            bots[0].path,
            f"Pulumi may fail to update a flow with Lex blocks ({len(bots)} here; pulumi-aws issue 6222).",
            "If an update fails, replace the flow with `pulumi up --replace URN`.",
        )


RULES = (
    Rule(
        "unset-attribute",
        "warning",
        "Every attribute that a flow reads is set in that flow or, for contact attributes, in another checked flow.",
        Source.CALLERS,
        _unset_attribute,
        # A flow outside this check may set it.
        severity_alone="note",
    ),
    Rule(
        "unknown-loop",
        "warning",
        "Every loop counter that a flow reads belongs to a named Loop block in that flow.",
        Source.LOOP,
        _unknown_loop,
    ),
    Rule(
        "mixed-reference",
        "warning",
        "The value of a contact attribute is either plain text or a single reference.",
        Source.LIVE_REQUESTS,
        _mixed_reference,
    ),
    Rule(
        "personal-data",
        "warning",
        "Contact attributes and tags do not contain phone numbers, customer profile data or caller input.",
        Source.CONTACT_ATTRIBUTES,
        _personal_data,
    ),
    Rule(
        "agent-guide-data",
        "note",
        "Contact attributes and tags do not contain what agents enter in a step-by-step guide.",
        Source.CONTACT_ATTRIBUTES,
        _agent_guide_data,
    ),
    Rule(
        "update-contact-data",
        "warning",
        "A flow deployed by Pulumi has no UpdateContactData block.",
        Source.PULUMI_ISSUE,
        _update_contact_data,
    ),
    Rule(
        "lex-update",
        "note",
        "A flow deployed by Pulumi has no Lex blocks, because updating it may fail.",
        Source.PULUMI_ISSUE,
        _lex_update,
    ),
)
