"""Adds call detail to a tracked flow: attributes that record each visited stop and any trouble there.

Each block that sets `call_route` also stores the route before it, and each error branch of a block that asks for input
counts up to three silences, wrong keys or errors at the stop. docs/waterfall.md describes the attributes and their costs.
"""

from __future__ import annotations

import copy
import json
import re
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

from callroute.errors import InputError
from callroute.flows.attribute_flow import (
    CALLING_FLOW,
    FLOW_VERSION,
    ROUTE,
    Dynamic,
    ReachingValues,
    Value,
    attributes_of,
    inherits,
)
from callroute.flows.block_types import NO_CONDITION, NO_MATCH, type_of
from callroute.flows.flow import CONTENT_CHARACTERS, MAX_BLOCKS
from callroute.flows.references import whole
from callroute.flows.tracking.rewrite import TrackingBlock, make_identifier, position_blocks
from callroute.flows.tracking_blocks import (
    CURRENT_ROUTE,
    DETAIL,
    PREFIX,
    detail_keys,
    is_tracking,
    json_branches,
    stop_of_key,
)
from callroute.formats.yaml_document import suggestion

if TYPE_CHECKING:
    from callroute.flows.flow import Block, Flow

ATTRIBUTE_BYTES = 32_768
"""Maximum size of a contact's attributes in UTF-8 (docs/fidelity.md)."""

_KEY = re.compile(r"[A-Za-z0-9_-]+")
_KINDS = {"InputTimeLimitExceeded": "silence", NO_CONDITION: "wrong_key"}
_OPTION = "--without-detail"
_MOST_OPTIONS = 4
"""Maximum number of stops to leave out that an error lists."""
_NO_STOP = "-"
"""Value of `call_from_<stop>` at the first stop."""


@dataclass(frozen=True, slots=True)
class Detail:
    """Size of the call detail in a tracked flow, and the notes about it.

    Attributes:
        stops: number of stops with detail.
        blocks: number of blocks that exist only for the detail.
        attribute_bytes: upper bound for the attributes that the flow sets on a contact, without values known only in a call.
        notes: notes about parts of the flow that have no detail.
        omitted: stops that are left out because the flow would not fit, the most expensive ones first.
    """

    stops: int
    blocks: int
    attribute_bytes: int
    notes: tuple[str, ...]
    omitted: tuple[str, ...] = ()


def stops_left_out(flow: Flow) -> frozenset[str]:
    """Returns the stops that were left out of a flow's detail."""
    with_detail = {stop_of_key(name) for name in detail_keys(flow)}
    return frozenset(route for route in _routes(flow) if route not in with_detail)


def add_detail(
    tracked: Flow,
    original: Flow,
    without: Collection[str],
    left_out: Collection[str] = (),
    *,
    fit: bool = False,
) -> tuple[Mapping[str, Any], Detail]:
    """Adds detail to a tracked flow.

    Args:
        tracked: the flow with its tracking blocks, without detail.
        original: the flow before tracking. Existing detail keeps its place in the file and in the designer.
        without: stops to leave out, or patterns such as `2-*`. Each must match a stop.
        left_out: other stops to leave out.
        fit: whether to leave out the most expensive stops if the flow would exceed a limit.

    Raises:
        InputError: a stop does not exist or cannot be part of an attribute name, or the flow would exceed a limit of Connect.
    """
    planner = _Planner(tracked)
    skipped = {*_matching(without, _routes(tracked)), *left_out}
    plan = planner.plan(skipped)
    _check_names(tracked, plan)
    document = _document(tracked, original, plan)
    omitted: list[str] = []
    if problem := _excess(document):
        found = _stops_to_leave_out(planner, tracked, original, skipped)
        if not fit or not found:
            raise _too_large(tracked, problem, len(plan.stops), found)
        omitted = found
        plan = planner.plan(skipped | set(omitted))
        document = _document(tracked, original, plan)
    stops = {stop for name in _detail_names(document) if (stop := stop_of_key(name))}
    size, notes = attribute_bytes(document), tuple(planner.notes())
    return document, Detail(len(stops), len(plan.blocks), size, notes, tuple(omitted))


def _matching(given: Collection[str], routes: Collection[str]) -> Iterator[str]:
    """Yields the routes that match any of the given routes or patterns."""
    for each in given:
        found = [each] if each in routes else [route for route in routes if fnmatchcase(route, each)]
        if not found:
            raise InputError(
                _OPTION,
                "",
                f"the flow has no route {each!r}{suggestion(each, routes)}",
                f"Use one of {', '.join(routes)}, or a pattern such as '2-*'" if routes else "Omit it",
            )
        yield from found


def _routes(flow: Flow) -> dict[str, None]:
    """Returns the constant routes that a flow sets, in document order."""
    values = (attributes_of(block).get(ROUTE) for block in flow.blocks.values())
    return {value: None for value in values if isinstance(value, str) and whole(value) is None}


def _check_names(flow: Flow, plan: _Plan) -> None:
    wrong = sorted(stop for stop in plan.stops if not _KEY.fullmatch(stop))
    if wrong:
        names = ", ".join(f"{json.dumps(route, ensure_ascii=False)}: NAME" for route in wrong)
        raise InputError(
            flow.source,
            "",
            f"attribute names cannot contain the routes {', '.join(map(repr, wrong))}, because they allow only ASCII "
            "letters, digits, - and _",
            f"Rename them in a route file, for example `routes: {{{names}}}`, or leave them out: {_options(wrong)}",
        )


def _options(stops: Iterable[str]) -> str:
    return " ".join(f"{_OPTION} {stop if _KEY.fullmatch(stop) else repr(stop)}" for stop in stops)


# --- Limits ----------------------------------------------------------------------------------------------------------


def attribute_bytes(document: Mapping[str, Any]) -> int:
    """Returns the maximum size of the attributes that a flow sets on a contact, without values known only in a call."""
    given = [
        (str(name), str(value))
        for block in document["Actions"]
        if block["Type"] == "UpdateContactAttributes"
        for name, value in block["Parameters"]["Attributes"].items()
    ]
    longest = max((_size(value) for name, value in given if name == ROUTE and not whole(value)), default=0)
    sizes: dict[str, int] = {}
    for name, value in given:
        path = whole(value)
        if path is None:
            size = _size(value)
        elif value == CURRENT_ROUTE:
            size = longest
        else:
            size = int(stop_of_key(path[-1]) is not None)
        sizes[name] = max(size, sizes.get(name, 0))
    return sum(_size(name) + size for name, size in sizes.items())


def _size(text: str) -> int:
    return len(text.encode("utf-8", "surrogatepass"))


def _excess(document: Mapping[str, Any]) -> str:
    """Returns the limit that a flow exceeds, with the value, or an empty string."""
    characters = len(json.dumps(document, ensure_ascii=False, separators=(",", ":")))
    for value, limit, unit in (
        (len(document["Actions"]), MAX_BLOCKS, "blocks"),
        (attribute_bytes(document), ATTRIBUTE_BYTES, "bytes of attributes per contact"),
        (characters, CONTENT_CHARACTERS, "characters"),
    ):
        if value > limit:
            return f"{value:,} {unit}, {value - limit:,} more than the maximum of {limit:,}"
    return ""


def _stops_to_leave_out(
    planner: _Planner, tracked: Flow, original: Flow, skipped: set[str]
) -> list[str] | None:
    """Returns the most expensive stops, as many as it takes for the flow to fit without them.

    Of equally expensive stops, those that come last in the flow are left out first. None if the flow does not fit even without
    any stop.
    """
    order = {route: index for index, route in enumerate(_routes(tracked))}
    found: list[str] = []
    while True:
        plan = planner.plan(skipped | set(found))
        if found and not _excess(_document(tracked, original, plan)):
            return found
        costs = Counter(plan.stops) + Counter(stop for stop in plan.owners.values() if stop)
        if not costs:
            return None
        found.append(max(costs, key=lambda stop: (costs[stop], order[stop])))


def _too_large(tracked: Flow, problem: str, stops: int, omitted: Collection[str] | None) -> InputError:
    """Returns the error for a flow that exceeds a limit."""
    if omitted is None:
        fix = "Move part of the flow into another flow or module, and track both"
    elif len(omitted) <= _MOST_OPTIONS:
        fix = f"Leave out {len(omitted)} of {stops} stops, for example {_options(omitted)}"
    else:
        fix = (
            f"Leave out {len(omitted)} of {stops} stops: add --fit, which leaves out the most expensive ones and lists them, "
            f"or choose them with {_OPTION} ROUTE or a pattern such as {_OPTION} '2-*'"
        )
    return InputError(tracked.source, "", f"with detail the flow would have {problem}", fix)


def _detail_names(document: Mapping[str, Any]) -> Iterator[str]:
    for block in document["Actions"]:
        if block["Identifier"].startswith(PREFIX) and block["Type"] == "UpdateContactAttributes":
            yield from block["Parameters"]["Attributes"]


# --- Planning --------------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class _Plan:
    """The planned changes to a tracked flow.

    Attributes:
        blocks: the blocks to add, by identifier.
        stops: the stops with detail.
        owners: the stop of each added block, or an empty string.
        entries: blocks in front of which another block is added, with that block.
        attributes: attributes to add to tracking blocks, by block.
        errors: new targets of the error branches of tracking blocks, by block.
        troubles: new targets of the error branches of input blocks, by block and slot.
        start: the block at which the flow starts, or an empty string if it starts where it did before.
    """

    blocks: dict[str, dict[str, Any]] = field(default_factory=dict)
    stops: set[str] = field(default_factory=set)
    owners: dict[str, str] = field(default_factory=dict)
    entries: dict[str, str] = field(default_factory=dict)
    attributes: dict[str, dict[str, str]] = field(default_factory=dict)
    errors: dict[str, str] = field(default_factory=dict)
    troubles: dict[tuple[str, str], str] = field(default_factory=dict)
    start: str = ""

    def enter(self, target: str) -> str:
        """Returns the block to enter for a target: the new block in front of it, or the target itself."""
        return self.entries.get(target, target)

    def add_attributes(self, block: str, attributes: Mapping[str, str], stop: str = "") -> None:
        """Adds attributes to an existing tracking block."""
        self.attributes.setdefault(block, {}).update(attributes)
        self.stops |= {stop} - {""}

    def set_attributes(
        self, identifier: str, stop: str, attributes: Mapping[str, str], target: str, error: str | None = None
    ) -> None:
        """Adds a block that sets attributes."""
        self._add(
            identifier,
            stop,
            "UpdateContactAttributes",
            {"Attributes": dict(attributes), "TargetContact": "Current"},
            {"NextAction": target, "Errors": [{"NextAction": error or target, "ErrorType": NO_MATCH}]},
        )

    def compare_route(self, identifier: str, stop: str, targets: Mapping[str, str], otherwise: str) -> None:
        """Adds a block that compares the current route."""
        conditions = [
            {"NextAction": target, "Condition": {"Operator": "Equals", "Operands": [route]}}
            for route, target in targets.items()
        ]
        self._add(
            identifier,
            stop,
            "Compare",
            {"ComparisonValue": CURRENT_ROUTE},
            {
                "NextAction": otherwise,
                "Conditions": conditions,
                "Errors": [{"NextAction": otherwise, "ErrorType": NO_CONDITION}],
            },
        )

    def _add(self, identifier: str, stop: str, type_: str, parameters: Any, transitions: Any) -> None:
        self.owners[identifier] = stop
        self.stops |= {stop} - {""}
        self.blocks[identifier] = {
            "Identifier": identifier,
            "Type": type_,
            "Parameters": parameters,
            "Transitions": transitions,
        }


@dataclass(frozen=True)
class _Setting:
    """A block that sets a constant route.

    Attributes:
        block: the block.
        stop: the route.
        arriving: the routes that calls can have on entry.
    """

    block: Block
    stop: str
    arriving: frozenset[Value]

    @property
    def identifier(self) -> str:
        """Identifier of the block."""
        return self.block.identifier

    @property
    def is_tracking(self) -> bool:
        """True if the block is a tracking block."""
        return is_tracking(self.block)

    @property
    def others(self) -> frozenset[Value]:
        """The other stops that calls arrive from."""
        return self.arriving - {None, self.stop}

    @property
    def may_repeat(self) -> bool:
        """True if calls that are already at the stop and calls from other stops can enter the block."""
        return bool(self.others) and (
            self.stop in self.arriving or any(_is_reference(value) for value in self.arriving)
        )

    @property
    def may_be_unset(self) -> bool:
        """True if calls can enter the block before any route is set."""
        return bool({None, CALLING_FLOW} & self.arriving)


class _Planner:
    """Plans the detail of a tracked flow.

    Args:
        flow: the flow with its tracking blocks, without detail.
    """

    def __init__(self, flow: Flow) -> None:
        self._flow = flow
        self._arriving = ReachingValues(flow, ROUTE).values()

    def plan(self, without: Collection[str]) -> _Plan:
        """Plans the detail of all stops except those to leave out."""
        plan = _Plan()
        setting = [each for each in self._setting_blocks() if each.stop not in without]
        first = [each for each in self._setting_blocks() if None in each.arriving]
        sole_first = first[0] if len(first) == 1 and first[0] in setting else None
        for each in setting:
            if each.may_repeat:
                plan.entries[each.identifier] = self._name("again", each.identifier)
            elif not each.is_tracking and (each.others or (None in each.arriving and each != sole_first)):
                plan.entries[each.identifier] = self._name("from", each.identifier)
        if not inherits(self._flow):
            self._plan_start(plan, sole_first)
        for each in setting:
            if each.is_tracking:
                self._plan_tracking_block(plan, each)
            elif each.identifier in plan.entries:
                self._plan_own_block(plan, each)
        self._plan_troubles(plan, without)
        return plan

    def _plan_start(self, plan: _Plan, first: _Setting | None) -> None:
        """Marks the call in the block that sets the version of the flow, or in a block in front of the first one."""
        start = self._flow.blocks[self._flow.start]
        attributes, stop = {DETAIL: "true"}, ""
        if first and not first.is_tracking and first.identifier not in plan.entries:
            attributes, stop = attributes | {_from_key(first.stop): _NO_STOP}, first.stop
        if is_tracking(start) and FLOW_VERSION in attributes_of(start):
            plan.add_attributes(start.identifier, attributes, stop)
        else:
            plan.start = self._name("detail")
            plan.set_attributes(plan.start, stop, attributes, plan.enter(start.identifier))

    def _setting_blocks(self) -> Iterator[_Setting]:
        """Yields the reachable blocks that set a constant route."""
        for block in self._flow.blocks.values():
            stop = attributes_of(block).get(ROUTE)
            arriving = self._arriving.get(block.identifier)
            if isinstance(stop, str) and not whole(stop) and arriving:
                yield _Setting(block, stop, arriving)

    def _plan_tracking_block(self, plan: _Plan, setting: _Setting) -> None:
        key = _from_key(setting.stop)
        attributes = {name: str(value) for name, value in attributes_of(setting.block).items()}
        target = plan.enter(setting.block.branches[0].target)
        if not setting.others:
            if None in setting.arriving:
                plan.add_attributes(setting.identifier, {key: _NO_STOP}, setting.stop)
                # The blocks of later stops refer to call_route, so this one is repeated if it fails.
                retry = plan.errors[setting.identifier] = self._name("retry", setting.identifier)
                attributes = plan.attributes[setting.identifier] | attributes
                plan.set_attributes(retry, setting.stop, attributes, target)
            return
        plan.add_attributes(setting.identifier, {key: CURRENT_ROUTE}, setting.stop)
        if setting.may_be_unset:
            first = plan.errors[setting.identifier] = self._name("first", setting.identifier)
            plan.set_attributes(first, setting.stop, {key: _NO_STOP} | attributes, target)
        if setting.may_repeat:
            repeated = target
            if attributes.keys() != {ROUTE}:
                repeated = self._name("repeat", setting.identifier)
                plan.set_attributes(repeated, setting.stop, attributes, target)
            guard = plan.entries[setting.identifier]
            plan.compare_route(guard, setting.stop, {setting.stop: repeated}, setting.identifier)

    def _plan_own_block(self, plan: _Plan, setting: _Setting) -> None:
        key, stop = _from_key(setting.stop), setting.stop
        entry, before = plan.entries[setting.identifier], self._name("from", setting.identifier)
        if entry != before:
            plan.compare_route(entry, stop, {stop: setting.identifier}, before)
        if not setting.others:
            plan.set_attributes(before, stop, {key: _NO_STOP}, setting.identifier)
            return
        first = self._name("first", setting.identifier) if setting.may_be_unset else None
        plan.set_attributes(before, stop, {key: CURRENT_ROUTE}, setting.identifier, first)
        if first:
            plan.set_attributes(first, stop, {key: _NO_STOP}, setting.identifier)

    # --- Trouble -----------------------------------------------------------------------------------------------------

    def _plan_troubles(self, plan: _Plan, without: Collection[str]) -> None:
        branches = [
            (block, slot, kind, target)
            for block in self._flow.blocks.values()
            if _asks_for_input(block) and block.identifier in self._arriving
            for slot, kind, target in _error_branches(block)
        ]
        # The identifier contains the target if trouble at a stop leads to several blocks.
        targets: dict[tuple[str, str], set[str]] = {}
        for block, _, kind, target in branches:
            for stop in self._stops_at(block, without):
                targets.setdefault((kind, stop), set()).add(target)
        for block, slot, kind, target in branches:
            stops = self._stops_at(block, without)
            counted = {}
            for stop in stops:
                parts: tuple[str, ...] = (
                    (kind, stop) if len(targets[kind, stop]) == 1 else (kind, stop, target)
                )
                counted[stop] = self._name(*parts)
                if counted[stop] not in plan.blocks:
                    first = self._name(kind, "first", *parts[1:])
                    _count(plan, counted[stop], first, kind, stop, plan.enter(target))
            if len(self._arriving[block.identifier]) == 1 and stops:
                plan.troubles[block.identifier, slot] = counted[stops[0]]
            elif stops:
                # Branches with the same target share the comparison.
                parts = (kind, "at", block.identifier)
                if len({each for other, _, k, each in branches if (other, k) == (block, kind)}) > 1:
                    parts = (*parts, target)
                comparison = self._name(*parts)
                plan.compare_route(comparison, stops[0], counted, plan.enter(target))
                plan.troubles[block.identifier, slot] = comparison

    def _stops_at(self, block: Block, without: Collection[str]) -> list[str]:
        arriving = self._arriving[block.identifier]
        return sorted(value for value in arriving if isinstance(value, str) and value not in without)

    def notes(self) -> Iterator[str]:
        """Yields notes about blocks without detail."""
        references = [
            block.identifier
            for block in self._flow.blocks.values()
            if isinstance(route := attributes_of(block).get(ROUTE), str) and whole(route)
        ]
        if references:
            yield f"these blocks set a route that is known only during a call, so they have no detail: {_listed(references)}."
        unknown = [
            block.identifier
            for block in self._flow.blocks.values()
            if _asks_for_input(block)
            and any(
                isinstance(value, Dynamic) or value is None
                for value in self._arriving.get(block.identifier, ())
            )
        ]
        if unknown:
            yield (
                "trouble in these blocks is recorded only for routes that this flow sets itself, because calls can also "
                f"have an unknown route there: {_listed(unknown)}."
            )

    def _name(self, *parts: str) -> str:
        identifier, number = make_identifier(*(part.removeprefix(PREFIX) for part in parts)), 1
        while identifier in self._flow.blocks:
            number += 1
            identifier = make_identifier(*parts, str(number))
        return identifier


def _count(plan: _Plan, identifier: str, first: str, kind: str, stop: str, target: str) -> None:
    """Adds the blocks that count trouble at a stop, up to three times."""
    keys = [f"call_{kind}{number}_{stop}" for number in (1, 2, 3)]
    shifted = dict(zip(keys, (_reference(keys[1]), _reference(keys[2]), "1"), strict=True))
    plan.set_attributes(identifier, stop, shifted, target, first)
    plan.set_attributes(first, stop, dict(zip(keys, ("0", "0", "1"), strict=True)), target)


def _reference(name: str) -> str:
    # AWS's documentation requires brackets if a name contains special characters.
    return f"$.Attributes.{name}" if name.replace("_", "").isalnum() else f"$.Attributes.['{name}']"


def _from_key(stop: str) -> str:
    return f"call_from_{stop}"


def _is_reference(value: Value) -> bool:
    return isinstance(value, Dynamic) and value.origin.startswith("$")


def _asks_for_input(block: Block) -> bool:
    row = type_of(block)
    if row is None or row.stop not in ("menu", "input", "bot"):
        return False
    return row.stop != "menu" or bool(block.labels("condition"))  # a menu without keys is a pause


def _error_branches(block: Block) -> Iterator[tuple[str, str, str]]:
    """Yields the slot, the kind of trouble and the target of each error branch."""
    for branch in block.branches:
        if branch.kind == "error":
            slot = branch.path.partition(".Transitions.")[2]
            yield slot, _KINDS.get(branch.label, "error"), branch.target


def _listed(blocks: list[str]) -> str:
    return ", ".join(map(repr, blocks))


# --- Insertion -------------------------------------------------------------------------------------------------------


def _document(tracked: Flow, original: Flow, plan: _Plan) -> dict[str, Any]:
    """Returns the flow's document with the planned detail."""
    document = copy.deepcopy(dict(tracked.document))
    document["StartAction"] = plan.start or plan.enter(tracked.start)
    for block in document["Actions"]:
        identifier = block["Identifier"]
        for slot, branch in json_branches(block.get("Transitions") or {}):
            if "NextAction" not in branch:
                continue
            if slot.startswith("Errors") and identifier in plan.errors:
                branch["NextAction"] = plan.errors[identifier]
            else:
                entered = plan.enter(branch["NextAction"])
                branch["NextAction"] = plan.troubles.get((identifier, slot), entered)
        if identifier in plan.attributes:
            _add_attributes(block["Parameters"], plan.attributes[identifier])
    document["Actions"] += plan.blocks.values()
    order = {identifier: index for index, identifier in enumerate(original.blocks)}
    document["Actions"].sort(key=lambda block: order.get(block["Identifier"], len(order)))
    _position(document, original, plan)
    return document


def _add_attributes(parameters: dict[str, Any], added: dict[str, str]) -> None:
    """Adds attributes before `call_route`, because they read it before it changes, or at the end."""
    attributes: dict[str, str] = {}
    for name, value in parameters["Attributes"].items():
        if name == ROUTE:
            attributes |= {key: each for key, each in added.items() if key != DETAIL}
        attributes[name] = value
    parameters["Attributes"] = attributes | added


def _position(document: dict[str, Any], original: Flow, plan: _Plan) -> None:
    settings = (document.get("Metadata") or {}).get("ActionMetadata")
    if not isinstance(settings, dict):
        return
    settings |= {name: each for name, each in original.block_metadata.items() if name in plan.blocks}
    sources: dict[str, list[str]] = {name: [] for name in plan.blocks}
    for block in document["Actions"]:
        for _, branch in json_branches(block.get("Transitions") or {}):
            if branch.get("NextAction") in sources:
                sources[branch["NextAction"]].append(block["Identifier"])
    added = [
        TrackingBlock(name, {}, block["Transitions"]["NextAction"], list(dict.fromkeys(sources[name])))
        for name, block in plan.blocks.items()
    ]
    position_blocks(document, added, ())
