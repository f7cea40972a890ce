"""Rules about contact attributes: those read but never set, those that hold personal data, and how they are deployed."""

from __future__ import annotations

import re
from collections.abc import Iterator

from callroute.flows.blocks import type_of
from callroute.flows.checks.rule import LIVE, SENSE, Found, Rule, Subject
from callroute.flows.json_text import member
from callroute.flows.model import Flow
from callroute.flows.routes import attributes_of, inherits

_ATTRIBUTE = re.compile(r"\$\.Attributes(?:\.([\w-]+)|\[['\"]([^'\"]+)['\"]\])")
_WHOLE_REFERENCE = re.compile(r"\$\.[A-Za-z][\w.\[\]'\"-]*")
_PERSONAL = re.compile(
    r"\$\.(?:CustomerEndpoint\.Address|CustomerCallbackNumber|StoredCustomerInput|Customer\.(?!ProfileId\b)\w|Lex\.Slots)[\w.\[\]'-]*"
)
# +81…, or a national number with its groups set apart.
_PHONE_NUMBER = re.compile(r"(?<![\d+])(?:\+\d{8,15}|0\d{1,4}[-(]\d{1,4}[-)]\d{3,4})(?!\d)")
_STORED_INPUT = "$.StoredCustomerInput"


def attributes_set(flow: Flow) -> frozenset[str]:
    """The contact attributes that any block of a flow sets, whatever it sets them to."""
    return frozenset(name for action in flow.actions.values() for name in attributes_of(action))


def _unset_attribute(subject: Subject) -> Iterator[Found]:
    known = attributes_set(subject.flow) | set(subject.set_elsewhere)
    if inherits(subject.flow) or any(name.startswith("$.") for name in known):
        return  # others set attributes before, or this flow sets any
    first: dict[str, tuple[str, str]] = {}
    times: dict[str, int] = {}
    for action, path, value in subject.scalars:
        if isinstance(value, str) and "$.Attributes" in value:
            for name in {one or other for one, other in _ATTRIBUTE.findall(value)} - known:
                first.setdefault(name, (action.identifier, path))
                times[name] = times.get(name, 0) + 1
    for name, (block, path) in first.items():
        more = f" (read in {times[name]} places)" if times[name] > 1 else ""
        yield Found(
            block,
            path,
            f"The contact attribute {name!r} is read here{more}, but no block sets it.",
            "Set it before; if another flow does, check that flow together with this one.",
        )


def _mixed_reference(subject: Subject) -> Iterator[Found]:
    for action in subject.actions:
        for name, value in attributes_of(action).items():
            if isinstance(value, str) and "$." in value and not _WHOLE_REFERENCE.fullmatch(value):
                yield Found(
                    action.identifier,
                    member(f"{action.path}.Parameters.Attributes", name),
                    f"{name!r} mixes text and a reference; AWS's page allows it, but live it was found not to be filled in.",
                    "Give one whole reference, or let a Lambda function put the parts together.",
                )


def _personal_data(subject: Subject) -> Iterator[Found]:
    for action in subject.actions:
        written = {"Attributes": attributes_of(action)}
        if action.type == "TagContact" and isinstance(action.parameters.get("Tags"), dict):
            written = {"Tags": action.parameters["Tags"]}
        for parameter, values in written.items():
            for name, value in values.items():
                if isinstance(value, str) and (found := _personal(subject, value)):
                    yield Found(
                        action.identifier,
                        member(f"{action.path}.Parameters.{parameter}", name),
                        f"{found} goes onto the contact record as {name!r}, where it is kept and passed on.",
                        "Keep it in a flow attribute (UpdateFlowAttributes), or store what was found out with it.",
                    )


def _personal(subject: Subject, value: str) -> str:
    if found := _PERSONAL.search(value):
        if found[0].startswith(_STORED_INPUT) and _input_is_encrypted(subject):
            return ""
        return f"Personal data ({found[0]})"
    # The digits are not shown: findings are printed in logs of others.
    return "A telephone number" if _PHONE_NUMBER.search(value) else ""


def _input_is_encrypted(subject: Subject) -> bool:
    inputs = [action for action, row in subject.known if row.stop == "input"]
    return bool(inputs) and all("InputEncryption" in action.parameters for action in inputs)


def _update_contact_data(subject: Subject) -> Iterator[Found]:
    for action in subject.actions:
        if action.type == "UpdateContactData":
            yield Found(
                action.identifier,
                action.path,
                "Pulumi creates a flow with UpdateContactData but fails to update it: "
                "pulumi-aws issue 6222, open, in which the provider's update is refused though its create was not.",
                "Set what you can by other blocks, or replace the flow on every change.",
            )


def _lex_update(subject: Subject) -> Iterator[Found]:
    bots = [action for action in subject.actions if (row := type_of(action)) and row.stop == "bot"]
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
        "Contact attributes that a flow reads are set by one of its blocks, or of the flows checked with it.",
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
        "Telephone numbers, customer profiles and what callers enter stay out of contact attributes and tags.",
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
