"""Rules about contact attributes: those read but never set, those that hold personal data, and how they are deployed."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from callroute.flows.attribute_flow import attributes_of, inherits
from callroute.flows.block_types import type_of
from callroute.flows.lint.rule import LIVE, SENSE, Found, Rule, Subject
from callroute.flows.references import Path, is_reference, paths_in, written
from callroute.formats.json_document import member

if TYPE_CHECKING:
    from callroute.flows.flow import Block, Flow

# What each type of block writes where it is kept: on this contact's record, on a related one's, on a task's.
_KEPT = {"UpdateContactAttributes": "Attributes", "TagContact": "Tags", "CreateTask": "Attributes"}

_KINDS = {"Attributes": "contact", "FlowAttributes": "flow"}

# With its country in front; nationally with the groups set apart, from 0 on or as in North America.
_INTERNATIONAL = re.compile(r"(?<![\w+])\+\d(?:[ ().-]{0,2}\d){7,14}(?!\d)")
_NATIONAL = re.compile(r"(?<![\w+.-])\(?0\d{0,4}(?:[ ().-]{1,2}\d{2,4}){1,4}(?![\w:/])")
_NORTH_AMERICAN = re.compile(r"(?<![\w+.-])(?:1[ .-])?\(?[2-9]\d{2}[ ).-]{1,2}\d{3}[ .-]\d{4}(?![.-]?\w)")
_NATIONAL_DIGITS = range(9, 12)


def attributes_set(flow: Flow) -> frozenset[str]:
    """The contact attributes that any block of a flow sets, whatever it sets them to."""
    return frozenset(name for action in flow.blocks.values() for name in attributes_of(action))


def _flow_attributes_of(action: Block) -> Mapping[str, object]:
    """The flow attributes that a block sets."""
    given = action.parameters.get("FlowAttributes")
    if action.type != "UpdateFlowAttributes" or not isinstance(given, dict):
        return {}
    return {name: value.get("Value") if isinstance(value, dict) else value for name, value in given.items()}


def _unset_attribute(subject: Subject) -> Iterator[Found]:
    flow = subject.flow
    known: dict[str, set[str]] = {
        "FlowAttributes": {name for action in subject.blocks for name in _flow_attributes_of(action)},
    }
    if not inherits(flow):  # else others set contact attributes before; flow attributes stay in their flow
        known["Attributes"] = {*attributes_set(flow), *subject.set_elsewhere}
    # A name that is a reference may be any.
    settled = {space: names for space, names in known.items() if not any(map(paths_in, names))}
    first: dict[Path, tuple[str, str]] = {}
    times: Counter[Path] = Counter()
    for action, path, value in subject.scalars:
        if not isinstance(value, str) or "$" not in value:
            continue
        for space, *names in dict.fromkeys(paths_in(value)):
            if space in settled and names and names[0] not in settled[space]:
                first.setdefault((space, names[0]), (action.identifier, path))
                times[space, names[0]] += 1
    for (space, name), (block, path) in first.items():
        more = f" (read in {times[space, name]} places)" if times[space, name] > 1 else ""
        yield Found(
            block,
            path,
            f"The {_KINDS[space]} attribute {name!r} is read here{more}, but no block sets it.",
            "Set it before; if another flow does, check that flow together with this one."
            if space == "Attributes"
            else "Set it before, in this flow: flow attributes of others are not seen here.",
        )


def _mixed_reference(subject: Subject) -> Iterator[Found]:
    for action in subject.blocks:
        for name, value in attributes_of(action).items():
            if isinstance(value, str) and paths_in(value) and not is_reference(value):
                yield Found(
                    action.identifier,
                    member(f"{action.path}.Parameters.Attributes", name),
                    f"{name!r} mixes text and a reference; AWS's page allows it, but live it was found not to be filled in.",
                    "Give one whole reference, or let a Lambda function put the parts together.",
                )


def _personal_data(subject: Subject) -> Iterator[Found]:
    held = _personal_attributes(subject)
    for action in subject.blocks:
        parameter = _KEPT.get(action.type, "")
        values = action.parameters.get(parameter)
        for name, value in values.items() if isinstance(values, dict) else ():
            if found := _personal(subject, held, f"{name} {value}" if isinstance(value, str) else name):
                # What is personal is not shown: findings are printed in logs of others.
                shown = "" if _has_number(name) else f" as {name!r}"
                yield Found(
                    action.identifier,
                    member(f"{action.path}.Parameters.{parameter}", name),
                    f"{found} goes onto the contact record{shown}, where it is kept and passed on.",
                    "Keep it in a flow attribute (UpdateFlowAttributes), or store what was found out with it.",
                )


def _personal(subject: Subject, held: Mapping[Path, Path], text: str) -> str:
    for path in paths_in(text):
        if _is_personal(subject, path):
            return f"Personal data ({written(path)})"
        if path[:2] in held:
            return f"Personal data ({written(path)}, which holds {written(held[path[:2]])})"
    return "A telephone number" if _has_number(text) else ""


def _personal_attributes(subject: Subject) -> Mapping[Path, Path]:
    """The attributes, of contact and flow, that any block gives personal data to, and which; straight or by another."""
    copies: list[tuple[Path, Path]] = []
    for action in subject.blocks:
        for space, values in (
            ("Attributes", attributes_of(action)),
            ("FlowAttributes", _flow_attributes_of(action)),
        ):
            for name, value in values.items():
                copies += [
                    ((space, name), path) for path in (paths_in(value) if isinstance(value, str) else ())
                ]
    held = {to: path for to, path in copies if _is_personal(subject, path)}
    grows = bool(held)
    while grows:
        more = {to: held[path[:2]] for to, path in copies if to not in held and path[:2] in held}
        held |= more
        grows = bool(more)
    return held


def _is_personal(subject: Subject, path: Path) -> bool:
    match path:
        case ("StoredCustomerInput", *_):
            return not _input_is_encrypted(subject)
        case ("CustomerEndpoint",) | ("CustomerEndpoint", "Address") | ("CustomerCallbackNumber",):
            return True
        case ("Customer", *names):
            return names != ["ProfileId"]
        case ("Lex", *names):
            return "Slots" in names
        case ("Views", "ViewResultData", *names):
            return names != ["actionName"]  # the button that was pressed, not what was entered
    return False


def _has_number(text: str) -> bool:
    if _INTERNATIONAL.search(text) or _NORTH_AMERICAN.search(text):
        return True
    return any(
        sum(character.isdigit() for character in found[0]) in _NATIONAL_DIGITS
        for found in _NATIONAL.finditer(text)
    )


def _input_is_encrypted(subject: Subject) -> bool:
    inputs = [action for action, row in subject.known if row.stop == "input"]
    return bool(inputs) and all("InputEncryption" in action.parameters for action in inputs)


def _update_contact_data(subject: Subject) -> Iterator[Found]:
    for action in subject.blocks:
        if action.type == "UpdateContactData":
            yield Found(
                action.identifier,
                action.path,
                "Pulumi creates a flow with UpdateContactData but fails to update it: "
                "pulumi-aws issue 6222, open, in which the provider's update is refused though its create was not.",
                "Set what you can by other blocks, or replace the flow on every change.",
            )


def _lex_update(subject: Subject) -> Iterator[Found]:
    bots = [action for action in subject.blocks if (row := type_of(action)) and row.stop == "bot"]
    if bots:
        yield Found(
            bots[0].identifier,
            bots[0].path,
            f"Pulumi may fail to update a flow with Lex blocks ({len(bots)} here): pulumi-aws issue 6222, open.",
            "If an update fails, replace the flow: `pulumi up --replace URN`.",
        )


RULES = (
    Rule(
        "unset-attribute",
        "warning",
        "Attributes that a flow reads are set by one of its blocks; contact attributes also by flows checked with it.",
        SENSE,
        _unset_attribute,
    ),
    Rule(
        "mixed-reference",
        "warning",
        "The value of a contact attribute is a text or one whole reference.",
        LIVE,
        _mixed_reference,
    ),
    Rule(
        "personal-data",
        "warning",
        "Telephone numbers, customer profiles and what callers enter stay out of contact attributes and tags, on detours too.",
        "AWS: contact attributes are kept on the contact record for two years and streamed",
        _personal_data,
    ),
    Rule(
        "update-contact-data",
        "warning",
        "A flow deployed by Pulumi has no UpdateContactData.",
        "pulumi-aws issue 6222",
        _update_contact_data,
    ),
    Rule(
        "lex-update",
        "note",
        "Updating a flow with Lex blocks by Pulumi may fail.",
        "pulumi-aws issue 6222",
        _lex_update,
    ),
)
