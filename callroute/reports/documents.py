"""Writes a report as JSON and CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any, Literal

from callroute.reports.labels import ALL_CALLS, REPEAT_REASONS
from callroute.reports.report import (
    ENDINGS,
    TROUBLES,
    Change,
    Language,
    Outcomes,
    Report,
    Share,
    Span,
    Stop,
    Variant,
    WaterfallStop,
)
from callroute.reports.statistics import interval

Rows = Literal["stops", "versions", "arms"]
"""Content of the rows in CSV."""

COLUMNS = (
    "call_flow",
    "route",
    "label",
    "reached",
    "continued",
    "left",
    "completed",
    "answered",
    "abandoned_in_queue",
    "median_seconds",
    "p90_seconds",
)
"""Keys of a stop in JSON, and the columns in CSV."""
WATERFALL_COLUMNS = ("reached", *ENDINGS, *(f"met_{kind}" for kind in TROUBLES))
"""Counts of a stop in the waterfall: the columns in CSV, each with the prefix `waterfall_`."""
VARIANT_COLUMNS = (
    "from",
    "to",
    "compared_with",
    "route",
    "label",
    "reached",
    "left",
    "left_share",
    "low",
    "high",
)
"""Columns in CSV of a version or an arm, after its flow and its name."""
CHANGES = ("now", "before", "difference", "low", "high", "significant")


def as_json(report: Report, language: Language = "en") -> dict[str, Any]:
    """Returns the JSON document of a report (docs/report.md).

    Args:
        report: the report.
        language: language of the labels.
    """
    repeats = report.repeat_callers
    return {
        "source": report.source,
        "time_zone": report.time_zone,
        **_span(report.span),
        "calls": report.calls,
        "outcomes": asdict(report.outcomes),
        "stops": [
            {**_stop(stop, language), "known": stop.known, "change": _change(stop.change)}
            for stop in report.stops
        ],
        "unknown_routes": [asdict(route) for route in report.unknown_routes],
        "waterfall": [
            {
                "call_flow": stop.call_flow,
                "route": stop.route,
                "label": stop.label(language),
                **_waterfall(stop),
                "left_share": stop.left_share.value,
            }
            for stop in report.waterfall.stops
        ],
        "waterfall_rare_stops": report.waterfall.rare,
        "detail_share": report.waterfall.detail.value,
        "versions": [_variant(each, "flow_version", language) for each in report.versions],
        "arms": [_variant(each, "arm", language) for each in report.arms],
        "days": [{"date": day.date.isoformat(), **_counts(day.outcomes)} for day in report.days],
        "hours": [
            {"weekday": weekday, "hour": hour, **asdict(count)}
            for weekday, hours in enumerate(report.hours, start=1)
            for hour, count in enumerate(hours)
        ],
        "durations": [
            {"from_seconds": each.start, "to_seconds": each.end, "left": each.calls}
            for each in report.durations
        ],
        "repeat_callers": asdict(repeats) if repeats else None,
        "repeat_callers_reason": REPEAT_REASONS[report.repeat_callers_reason]["en"]
        if repeats is None
        else None,
        "previous": {
            **_span(report.previous.span),
            **_counts(report.previous.outcomes),
            "changes": {outcome: _change(each) for outcome, each in report.previous.changes.items()},
        },
        "confidence": report.confidence,
        "available": _span(report.available) if report.available else None,
    }


def as_csv(report: Report, language: Language = "en", rows: Rows = "stops") -> str:
    """Returns one table of a report as CSV.

    Args:
        report: the report.
        language: language of the labels.
        rows: content of the rows.
    """
    if rows == "versions":
        return _variants_as_csv(report.versions, "flow_version", language)
    if rows == "arms":
        return _variants_as_csv(report.arms, "arm", language)
    return _stops_as_csv(report, language)


def _stops_as_csv(report: Report, language: Language) -> str:
    """Returns the stops, one per row. Waterfall columns are empty for stops without detail."""
    waterfall = {(stop.call_flow, stop.route): _waterfall(stop) for stop in report.waterfall.stops}
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    prefixed = [f"waterfall_{name}" for name in WATERFALL_COLUMNS]
    writer.writerow((*COLUMNS, *(f"left_share_{name}" for name in CHANGES), *prefixed))
    for stop in report.stops:
        change = _change(stop.change) or dict.fromkeys(CHANGES)
        counts = waterfall.get((stop.call_flow, stop.route)) or dict.fromkeys(WATERFALL_COLUMNS)
        writer.writerow((*_stop(stop, language).values(), *change.values(), *counts.values()))
    return text.getvalue()


def _variants_as_csv(variants: Sequence[Variant], attribute: str, language: Language) -> str:
    """Returns versions or arms: a row without a route for all calls of each, followed by its stops."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    changes = [f"change_{name}" for name in CHANGES]
    writer.writerow(("call_flow", attribute, *VARIANT_COLUMNS, *changes))
    for variant in variants:
        values = _variant(variant, attribute, language)
        everything = {**values, "route": None, "label": ALL_CALLS[language], "reached": values["calls"]}
        for row in (everything, *values["stops"]):
            cells = {**values, **row}
            change = row["change"] or dict.fromkeys(CHANGES)
            writer.writerow(
                (
                    cells["call_flow"],
                    cells[attribute],
                    *(cells[name] for name in VARIANT_COLUMNS),
                    *change.values(),
                )
            )
    return text.getvalue()


def _waterfall(stop: WaterfallStop) -> dict[str, int]:
    return {
        "reached": stop.reached,
        **{ending: stop.of(ending) for ending in ENDINGS},
        **{f"met_{kind}": stop.met[kind] for kind in TROUBLES},
    }


def _variant(variant: Variant, attribute: str, language: Language) -> dict[str, Any]:
    return {
        "call_flow": variant.call_flow,
        attribute: variant.name,
        **_span(variant.days),
        "calls": variant.left_share.of,
        "left": variant.left_share.count,
        **_share(variant.left_share),
        "compared_with": variant.compared_with,
        "change": _change(variant.change),
        "stops": [
            {
                "route": stop.route,
                "label": stop.label(language),
                "reached": stop.reached,
                "left": stop.left,
                **_share(stop.left_share),
                "change": _change(stop.change),
            }
            for stop in variant.stops
        ],
    }


def _share(share: Share) -> dict[str, float | None]:
    low, high = interval(share) or (None, None)
    return {"left_share": share.value, "low": low, "high": high}


def _stop(stop: Stop, language: Language) -> dict[str, Any]:
    values = {
        "call_flow": stop.call_flow,
        "route": stop.route,
        "label": stop.label(language),
        "reached": stop.reached,
        "continued": stop.continued,
        "left": stop.left,
        "completed": stop.outcomes.completed,
        "answered": stop.outcomes.answered,
        "abandoned_in_queue": stop.outcomes.abandoned_in_queue,
        "median_seconds": _seconds(stop.median_seconds),
        "p90_seconds": _seconds(stop.p90_seconds),
    }
    return {name: values[name] for name in COLUMNS}


def _seconds(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 2)


def _span(span: Span) -> dict[str, str]:
    return {"from": span.first.isoformat(), "to": span.last.isoformat()}


def _counts(outcomes: Outcomes) -> dict[str, Any]:
    return {"calls": outcomes.calls, "outcomes": asdict(outcomes)}


def _change(change: Change | None) -> dict[str, Any] | None:
    if change is None or change.difference is None:
        return None
    return {
        "now": change.now.value,
        "before": change.before.value,
        "difference": change.difference,
        "low": change.low,
        "high": change.high,
        "significant": change.significant,
    }
