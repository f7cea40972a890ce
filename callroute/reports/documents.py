"""Writes a report as JSON and CSV."""

from __future__ import annotations

import csv
import io
from dataclasses import asdict
from typing import Any

from callroute.reports.labels import REPEAT_REASONS
from callroute.reports.report import Change, Language, Outcomes, Report, Span, Stop

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


def as_csv(report: Report, language: Language = "en") -> str:
    """Returns the stops of a report as CSV, one stop per line."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow((*COLUMNS, *(f"left_share_{name}" for name in CHANGES)))
    for stop in report.stops:
        change = _change(stop.change) or dict.fromkeys(CHANGES)
        writer.writerow((*_stop(stop, language).values(), *change.values()))
    return text.getvalue()


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
        "median_seconds": stop.median_seconds,
        "p90_seconds": stop.p90_seconds,
    }
    return {name: values[name] for name in COLUMNS}


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
