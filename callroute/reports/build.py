"""Builds the report from counted calls and route catalogs."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime
from itertools import groupby
from typing import Any
from zoneinfo import ZoneInfo

from callroute.flows.route_catalog import Route, RouteCatalog
from callroute.flows.stop_graph import StopGraph
from callroute.reports.call_database import (
    DURATIONS,
    CallDatabase,
    StopCount,
    VariantCount,
    VisitCount,
)
from callroute.reports.report import (
    ENDINGS,
    LEAST_CALLS,
    OUTCOMES,
    TROUBLES,
    Day,
    DurationBin,
    HourCount,
    Outcomes,
    PreviousSpan,
    RepeatCallers,
    Report,
    ReportedFlow,
    Share,
    Span,
    Stop,
    UnknownRoute,
    Variant,
    Waterfall,
    WaterfallStop,
)
from callroute.reports.statistics import CONFIDENCE, change, difference

Key = tuple[str | None, str]
"""Value of `call_flow`, and route."""


def report_on(
    items: Iterable[Mapping[str, Any]],
    span: Span,
    flows: Sequence[ReportedFlow] = (),
    *,
    time_zone: str = "Asia/Tokyo",
    source: str = "items",
    created: datetime | None = None,
) -> Report:
    """Returns a report on call records given as plain values (docs/record.md). See `build`."""
    with CallDatabase(span) as calls:
        calls.load_items(items)
        return build(calls, flows, time_zone=time_zone, source=source, created=created)


def build(
    calls: CallDatabase,
    flows: Sequence[ReportedFlow] = (),
    *,
    time_zone: str,
    source: str,
    created: datetime | None = None,
) -> Report:
    """Returns a report on the calls in a database.

    Args:
        calls: the calls.
        flows: flows whose catalogs define the labels, tree and order of the stops. A flow without calls is left out,
            unless there are no calls at all. Calls of other flows are shown without a tree.
        time_zone: IANA time zone of the calls.
        source: name of the table, files or stack.
        created: time of the report, by default now.
    """
    span = calls.span
    ended = _by_stop(calls.stops(span))
    before = _by_stop(calls.stops(span.previous))
    with_calls = {call_flow for call_flow, _ in (*ended, *before)}
    given = [flow for flow in flows if flow.call_flow in with_calls] or list(flows)
    others = sorted(with_calls - {flow.call_flow for flow in given}, key=lambda name: name or "")
    reported = (*given, *(ReportedFlow(name, name or "") for name in others))
    quantiles = calls.quantiles()
    detail = Share(calls.detailed(), _total(ended).calls)
    waterfall = _waterfall(calls.visits(_dead_ends(reported)) if detail.count else [], reported, detail)
    visited = {(stop.call_flow, stop.route) for stop in waterfall.stops}
    stops = [stop for flow in reported for stop in _stops(flow, ended, quantiles, visited)]
    earlier = {(stop.call_flow, stop.route): stop for flow in reported for stop in _stops(flow, before, {})}
    total, total_before = _total(ended), _total(before)
    pairs = [(stop, earlier.get((stop.call_flow, stop.route))) for stop in stops]
    compared = len(OUTCOMES) + sum(_comparable(stop, old) for stop, old in pairs)
    repeats = calls.repeat_callers()
    return Report(
        source=source,
        span=span,
        time_zone=time_zone,
        created=created or datetime.now(ZoneInfo(time_zone)),
        flows=reported,
        outcomes=total,
        stops=tuple(
            replace(stop, change=change(stop.left_share, old.left_share, compared)) if old else stop
            for stop, old in pairs
        ),
        unknown_routes=tuple(
            UnknownRoute(stop.call_flow, stop.route, stop.outcomes.calls)
            for stop in stops
            if not stop.known and stop.outcomes.calls
        ),
        waterfall=waterfall,
        versions=_versions(calls, reported),
        arms=_arms(calls, reported),
        days=_days(calls, total_before.calls > 0),
        hours=_hours(calls),
        durations=_durations(calls),
        repeat_callers=repeats if isinstance(repeats, RepeatCallers) else None,
        repeat_callers_reason=repeats if isinstance(repeats, str) else "",
        previous=PreviousSpan(
            span.previous,
            total_before,
            {
                outcome: change(
                    Share(total.of(outcome), total.calls),
                    Share(total_before.of(outcome), total_before.calls),
                    compared,
                )
                for outcome in OUTCOMES
            },
        ),
        confidence=CONFIDENCE,
        available=None if total.calls else calls.available(),
    )


def _by_stop(counts: Iterable[StopCount | VariantCount]) -> dict[Key, Outcomes]:
    found: dict[Key, Outcomes] = {}
    for each in counts:
        key = (each.call_flow, each.route)
        found[key] = found.get(key, Outcomes()) + Outcomes(**{each.outcome: each.calls})
    return found


def _comparable(now: Stop, before: Stop | None) -> bool:
    """Returns whether the shares of callers who left can differ. They cannot if all or none of the callers left."""
    if before is None or not now.reached or not before.reached:
        return False
    return 0 < now.left + before.left < now.reached + before.reached


def _total(ended: Mapping[Key, Outcomes]) -> Outcomes:
    return sum(ended.values(), Outcomes())


def _stops(
    flow: ReportedFlow,
    ended: Mapping[Key, Outcomes],
    quantiles: Mapping[Key, tuple[float | None, float | None]],
    visited: Collection[Key] = (),
) -> list[Stop]:
    """Returns the stops of a flow: those in the catalog's tree, depth first, then unknown routes by name."""
    own = {
        route: ended.get((call_flow, route), Outcomes())
        for call_flow, route in (*ended, *visited)
        if call_flow == flow.call_flow
    }
    routes = dict(flow.catalog.routes) if flow.catalog else {}
    depths: dict[str, int] = {}
    reached: dict[str, int] = {route: own.get(route, Outcomes()).calls for route in routes}
    for route, entry in routes.items():  # parents come before their children
        depths[route] = 0 if entry.parent is None else depths[entry.parent] + 1
    for route, entry in reversed(routes.items()):
        if entry.parent is not None:
            reached[entry.parent] += reached[route]
    stops = []
    for route in (*_depth_first(flow.catalog), *sorted(own.keys() - routes.keys())):
        listed, outcomes = routes.get(route), own.get(route, Outcomes())
        median, p90 = quantiles.get((flow.call_flow, route), (None, None))
        stops.append(
            Stop(
                call_flow=flow.call_flow,
                route=route,
                en=listed.en if listed else route,
                ja=listed.ja if listed else route,
                parent=listed.parent if listed else None,
                depth=depths.get(route, 0),
                known=listed is not None or flow.catalog is None,
                outcomes=outcomes,
                continued=reached.get(route, outcomes.calls) - outcomes.calls,
                median_seconds=median,
                p90_seconds=p90,
                change=None,
            )
        )
    return stops


def _dead_ends(flows: Sequence[ReportedFlow]) -> Iterator[tuple[str | None, str, str]]:
    for each in flows:
        if each.flow and not each.flow.defects:
            for stop, dead_end in StopGraph(each.flow).dead_ends():
                yield each.call_flow, stop, dead_end


def _waterfall(visits: Sequence[VisitCount], flows: Sequence[ReportedFlow], detail: Share) -> Waterfall:
    catalogs = {flow.call_flow: flow.catalog.routes for flow in flows if flow.catalog}
    stops = []
    for each in visits:
        listed = catalogs.get(each.call_flow, {}).get(each.route)
        stops.append(
            WaterfallStop(
                call_flow=each.call_flow,
                route=each.route,
                en=listed.en if listed else each.route,
                ja=listed.ja if listed else each.route,
                **{ending: getattr(each, ending) for ending in ENDINGS},
                met={kind: getattr(each, f"met_{kind}") for kind in TROUBLES},
            )
        )
    shown = [stop for stop in stops if stop.reached >= LEAST_CALLS]
    worst_first = sorted(
        shown,
        key=lambda stop: (
            _ends_calls(stop, catalogs.get(stop.call_flow, {})),
            -(stop.left_share.value or 0),
            -stop.reached,
            stop.call_flow or "",
            stop.route,
        ),
    )
    return Waterfall(detail, tuple(worst_first), len(stops) - len(shown))


def _ends_calls(stop: WaterfallStop, routes: Mapping[str, Route]) -> bool:
    """Returns whether the flow ends every call at a stop: all callers left, and the catalog lists no stop below it."""
    below = any(route.parent == stop.route for route in routes.values())
    return stop.route in routes and not below and stop.left_share.value == 1


def _versions(calls: CallDatabase, flows: Sequence[ReportedFlow]) -> tuple[Variant, ...]:
    """Returns the versions of each flow with more than one version. Each is compared with the preceding one."""
    found = _variants(
        calls.variants("flow_version"), flows, lambda each: (each.days.first, each.days.last, each.name)
    )
    return tuple(
        version
        for versions in found
        if len(versions) > 1
        for version in _compared(versions, [None, *versions])
    )


def _arms(calls: CallDatabase, flows: Sequence[ReportedFlow]) -> tuple[Variant, ...]:
    """Returns the arms of experiments. Each is compared with the arm that has the most calls in its experiment."""
    found = _variants(
        calls.variants("arm"), flows, lambda each: (_experiment(each), -each.left_share.of, each.name)
    )
    experiments = (list(arms) for flow_arms in found for _, arms in groupby(flow_arms, _experiment))
    return tuple(arm for arms in experiments for arm in _compared(arms, [None, *[arms[0]] * len(arms)]))


def _experiment(arm: Variant) -> str:
    """Returns the block in the name of an arm, for example `greeting` for `greeting-2`. Other names contain no block."""
    block, _, number = arm.name.rpartition("-")
    return block if number.isdecimal() else ""


def _variants(
    counts: Sequence[VariantCount], flows: Sequence[ReportedFlow], order: Callable[[Variant], Any]
) -> list[list[Variant]]:
    """Returns the variants of each flow in the given order, without comparisons."""
    by_name: dict[tuple[str | None, str], list[VariantCount]] = {}
    for each in counts:
        by_name.setdefault((each.call_flow, each.variant), []).append(each)
    found = []
    for flow in flows:
        variants = []
        for (call_flow, name), own in by_name.items():
            if call_flow != flow.call_flow:
                continue
            ended = _by_stop(own)
            total = _total(ended)
            days = Span(min(each.first for each in own), max(each.last for each in own))
            share = Share(total.abandoned_in_flow, total.calls)
            variants.append(Variant(call_flow, name, days, share, tuple(_stops(flow, ended, {})), None, None))
        if variants:
            found.append(sorted(variants, key=order))
    return found


def _compared(variants: Sequence[Variant], others: Sequence[Variant | None]) -> list[Variant]:
    """Returns variants with their differences from other variants.

    One correction covers all comparisons of a flow: the share of calls that left, and each stop that at least LEAST_CALLS
    calls of both variants reached.
    """
    pairs = list(zip(variants, others, strict=False))
    stops = [
        [
            (stop, old if _enough(stop, old) else None)
            for stop, old in zip(variant.stops, _matching(variant, other), strict=True)
        ]
        for variant, other in pairs
    ]
    comparisons = sum(other is not None for _, other in pairs)
    comparisons += sum(old is not None for own in stops for _, old in own)
    return [
        replace(
            variant,
            stops=tuple(
                replace(
                    stop, change=difference(stop.left_share, old.left_share, comparisons) if old else None
                )
                for stop, old in own
            ),
            compared_with=other.name if other else None,
            change=difference(variant.left_share, other.left_share, comparisons) if other else None,
        )
        for (variant, other), own in zip(pairs, stops, strict=True)
    ]


def _matching(variant: Variant, other: Variant | None) -> list[Stop | None]:
    """Returns the matching stop of the other variant for each stop of a variant."""
    by_route = {stop.route: stop for stop in other.stops} if other else {}
    return [by_route.get(stop.route) for stop in variant.stops]


def _enough(stop: Stop, other: Stop | None) -> bool:
    return other is not None and min(stop.reached, other.reached) >= LEAST_CALLS and _comparable(stop, other)


def _depth_first(catalog: RouteCatalog | None) -> list[str]:
    """Returns the routes of a catalog, each followed by the routes below it."""
    below: dict[str | None, list[str]] = {}
    for route in catalog.routes.values() if catalog else ():
        below.setdefault(route.parent, []).append(route.route)
    order: list[str] = []
    waiting = below.get(None, [])[::-1]
    while waiting:
        order.append(waiting.pop())
        waiting += below.get(order[-1], [])[::-1]
    return order


def _days(calls: CallDatabase, with_previous: bool) -> tuple[Day, ...]:
    span = Span(calls.span.previous.first if with_previous else calls.span.first, calls.span.last)
    counts = calls.days(span)
    return tuple(Day(day, _outcomes(counts, day)) for day in span)


def _outcomes(counts: Mapping[tuple[date, str], int], day: date) -> Outcomes:
    return Outcomes(**{outcome: counts.get((day, outcome), 0) for outcome in OUTCOMES})


def _hours(calls: CallDatabase) -> tuple[tuple[HourCount, ...], ...]:
    counts = calls.hours()
    return tuple(
        tuple(HourCount(*counts.get((weekday, hour), (0, 0))) for hour in range(24)) for weekday in range(7)
    )


def _durations(calls: CallDatabase) -> tuple[DurationBin, ...]:
    counts = calls.durations()
    return tuple(
        DurationBin(start, end, counts.get(start, 0))
        for start, end in zip(DURATIONS, (*DURATIONS[1:], None), strict=True)
    )
