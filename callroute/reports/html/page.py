"""Fills in the page template with the figures from a report."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import replace
from datetime import date
from importlib.resources import files
from typing import Any, Literal

from jinja2 import Environment, StrictUndefined
from markupsafe import Markup

from callroute.flows.diagrams import STYLE
from callroute.reports.html.charts import days_chart, durations_chart, hours_chart, waterfall_chart
from callroute.reports.html.colors import ENDING_COLORS, OUTCOME_COLORS
from callroute.reports.html.flow_drawing import flow_drawing, gave_up
from callroute.reports.html.periods import periods
from callroute.reports.html.sankey import sankey
from callroute.reports.html.texts import EXPLANATIONS, TEXTS
from callroute.reports.labels import (
    ENDING_LABELS,
    OUTCOME_LABELS,
    REPEAT_REASONS,
    STOP_COLUMNS,
    WEEKDAYS,
    flow_name,
)
from callroute.reports.report import (
    LEAST_CALLS,
    LEFT,
    OUTCOMES,
    TROUBLES,
    Change,
    Ending,
    Language,
    Outcome,
    Report,
    ReportedFlow,
    Share,
    Span,
    Stop,
    Variant,
    WaterfallStop,
)
from callroute.reports.statistics import interval

_DEEPEST_INDENT = 4
_SIZES = ((300, 1_000_000), (300, 0), (150, 0), (50, 0))
"""Maximum number of stops and of bytes in drawings. The first pair that gives a small enough page is used."""
_MOST_BARS = 12
"""Maximum number of stops in the chart of the waterfall."""
_MOST_WATERFALL = 50
"""Maximum number of stops in the table of the waterfall."""
_MOST_VARIANTS = 8
"""Maximum number of versions or arms of a flow."""
_LARGEST = 1_500_000
"""Maximum size of a page in bytes."""
_LONGEST_NAME = 80
"""Maximum number of characters in a displayed label, route or flow name."""
_LONGEST_SOURCE = 1000
_RULE_COLOR = "#c3ccd6"


def write_html(report: Report, language: Language) -> str:
    """Returns a report as an HTML page of at most 1.5 MB.

    Leaves out drawings first, then rare stops.

    Args:
        report: the report.
        language: language of the page.
    """
    for sizes in _SIZES:
        page = _rendered(_Page(report, language, *sizes))
        if len(page.encode()) <= _LARGEST:
            break
    return page


def _rendered(page: _Page) -> str:
    folder = files("callroute.reports.html")
    template, style, script = (
        folder.joinpath(f"page.{suffix}").read_text(encoding="utf-8") for suffix in ("html", "css", "js")
    )
    style += STYLE
    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    return (
        environment.from_string(template).render(
            language=page.language,
            t=page.text,
            style=Markup(style),  # noqa: S704 - a file from this package
            script=Markup(script),  # noqa: S704 - a file from this package
            style_hash=_hash(style),
            script_hash=_hash(script),
            **page.content(),
        )
        + "\n"
    )


def _hash(content: str) -> str:
    """Returns the source expression that allows an inline style sheet or script in a Content-Security-Policy."""
    return "sha256-" + base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()


class _Page:
    """The content of a page.

    Args:
        report: the report.
        language: language of the page.
        most_stops: number of stops on the page. The rarest ones are left out.
        drawings: maximum number of bytes in all drawings together.
    """

    def __init__(self, report: Report, language: Language, most_stops: int, drawings: int) -> None:
        self._all_stops = report.stops_of
        self._report, self._left_out = _shortened(report, most_stops)
        self._bytes_left = drawings
        self.language: Language = language
        self._flow_names = {flow.call_flow: flow_name(flow, language) for flow in self._report.flows}

    def text(self, key: str, **values: object) -> str:
        """Returns a string in the page's language."""
        return TEXTS[key][self.language].format(**values) if values else TEXTS[key][self.language]

    def content(self) -> dict[str, Any]:
        """Returns the template's variables."""
        report = self._report
        compared = report.previous.outcomes.calls > 0
        page: dict[str, Any] = {
            "span": self._span("span", report.span),
            "compared": self._span("compared", report.previous.span) if compared else "",
            "source": self.text(
                "source",
                source=_short(report.source, _LONGEST_SOURCE),
                zone=report.time_zone,
                created=f"{self._date(report.created.date())} {report.created:%H:%M}",
            ),
            "calls": f"{report.calls:,}" if report.calls else "",
            "available": self._span("available", report.available) if report.available else "",
            "explanations": [(term[self.language], text[self.language]) for term, text in EXPLANATIONS],
        }
        return page | self._figures() if report.calls else page

    def _figures(self) -> dict[str, Any]:
        report = self._report
        before = report.previous.outcomes.calls
        return {
            "calls_before": self.text("before", count=f"{before:,}")
            if before
            else self.text("no_comparison"),
            "outcomes": [self._outcome(outcome) for outcome in OUTCOMES],
            "headlines": list(self._headlines()),
            "flows": [
                self._flow(number, flow)
                for number, flow in enumerate(report.flows)
                if any(stop.reached for stop in report.stops_of(flow))
            ],
            **self._days(),
            **self._waterfall(),
            "variants": [*self._variants("versions"), *self._variants("arms")],
            "variants_note": self.text("variants_note", least=LEAST_CALLS),
            "comparison_note": self.text("comparison_note", percent=round(100 * report.confidence)),
            "durations_chart": self._durations(),
            **self._hours(),
            **self._repeats(),
            "continued_color": _RULE_COLOR,
            "several_flows": len(report.flows) > 1,
            "unknown_routes": [
                {
                    "flow": self._flow_names[each.call_flow],
                    "route": _short(each.route),
                    "calls": f"{each.calls:,}",
                }
                for each in report.unknown_routes
            ],
            "columns": [self.text(key) for key in ("stop", *STOP_COLUMNS)],
            "left_out": self.text("left_out", count=f"{self._left_out:,}") if self._left_out else "",
            "stops": [self._stop(stop) for stop in report.stops],
        }

    # --- Formats -----------------------------------------------------------------------------------------------------

    def _date(self, day: date) -> str:
        if self.language == "ja":
            return f"{day.year}年{day.month}月{day.day}日"
        return f"{day.day} {day:%B} {day.year}"

    def _span(self, key: str, span: Span) -> str:
        return self.text(key, first=self._date(span.first), last=self._date(span.last))

    def _name(self, stop: Stop) -> str:
        """Returns the label of a stop, with the name of its flow if the report contains several flows."""
        label = stop.label(self.language)
        return f"{label} ({self._flow_names[stop.call_flow]})" if len(self._flow_names) > 1 else label

    def _change(self, change: Change | None) -> dict[str, Any]:
        """Returns a change as text, with its confidence interval in percentage points."""
        if change is None or change.difference is None or change.low is None or change.high is None:
            return {
                "text": None,
                "moved": False,
                "significant": False,
                "points": "–",
                "interval": "",
                "before": "–",
            }
        points = round(100 * change.difference, 1)
        moved = "more" if points > 0 else "less"
        return {
            "text": self.text(moved, points=f"{abs(points):.1f}") if points else self.text("unchanged"),
            "moved": points != 0,
            "significant": change.significant,
            "points": _signed(change.difference),
            "interval": f"{_signed(change.low)} … {_signed(change.high)}",
            "before": _percent(change.before.value),
        }

    # --- Headline figures --------------------------------------------------------------------------------------------

    def _outcome(self, outcome: Outcome) -> dict[str, Any]:
        calls = self._report.outcomes.of(outcome)
        return {
            "key": outcome,
            "label": OUTCOME_LABELS[outcome][self.language],
            "color": OUTCOME_COLORS[outcome],
            "share": _percent(calls / self._report.calls),
            "count": self.text("of_calls", count=f"{calls:,}"),
            "change": self._change(self._report.previous.changes.get(outcome)),
        }

    def _headlines(self) -> Iterator[str]:
        """Yields the key findings for the top of the page."""
        worst = max(self._report.stops, key=lambda stop: gave_up(stop).calls)
        counts = gave_up(worst)
        if counts.calls:
            yield self.text(
                "headline_stop",
                stop=self._name(worst),
                calls=f"{counts.calls:,}",
                reached=f"{counts.reached:,}",
                percent=_percent(counts.share),
            )
        for each in self._report.waterfall.stops[:1]:
            if 0 < (each.left_share.value or 0) < 1:
                yield self.text(
                    "headline_waterfall",
                    stop=self._waterfall_name(each),
                    percent=_percent(each.left_share.value),
                    **{ending: f"{each.of(ending):,}" for ending in LEFT},
                )
        changes = [(stop, stop.change) for stop in self._report.stops if stop.change]
        grown = [
            (change.difference, stop, change)
            for stop, change in changes
            if change.significant and change.difference is not None and change.difference > 0
        ]
        if grown:
            _, stop, change = max(grown, key=lambda each: each[0])
            yield self.text(
                "headline_worse",
                stop=self._name(stop),
                before=_percent(change.before.value),
                now=_percent(change.now.value),
            )
        elif any(change.difference is not None for _, change in changes):
            yield self.text("headline_steady")

    # --- Flows -------------------------------------------------------------------------------------------------------

    def _flow(self, number: int, flow: ReportedFlow) -> dict[str, Any]:
        stops = self._report.stops_of(flow)
        name = flow_name(flow, self.language)
        calls = sum(stop.outcomes.calls for stop in stops)
        label = self.text("paths_label", calls=f"{calls:,}", flow=name)
        prefix = f"flow-{number}"
        drawing = None
        if flow.flow:
            drawing = flow_drawing(flow.flow, self._all_stops(flow), self.language, f"{prefix}-")
            drawing = drawing if len(drawing.encode()) <= self._bytes_left else ""
            self._bytes_left -= len(drawing.encode())
        return {
            "id": prefix,
            "name": name,
            "sankey": Markup(sankey(stops, self.language, label)),  # noqa: S704 - escapes its texts
            "drawing": None if drawing is None else Markup(drawing),  # noqa: S704 - escapes its texts
            "tree": [self._tree_item(stop, calls) for stop in stops if stop.reached],
        }

    def _tree_item(self, stop: Stop, calls: int) -> dict[str, Any]:
        """Returns a stop as shown on narrow screens, which have no room for the Sankey diagram."""
        counts = gave_up(stop)
        widths = [
            (stop.continued, _RULE_COLOR),
            *((stop.outcomes.of(outcome), OUTCOME_COLORS[outcome]) for outcome in OUTCOMES),
        ]
        bars, x = [], 0.0
        for count, color in widths:
            width = 100 * count / max(calls, 1)
            bars.append({"x": f"{x:.2f}", "width": f"{width:.2f}", "color": color})
            x += width
        return {
            "label": stop.label(self.language),
            "depth": min(stop.depth, _DEEPEST_INDENT),
            "counts": self.text(
                "tree_counts",
                reached=f"{counts.reached:,}",
                calls=f"{counts.calls:,}",
                percent=_percent(counts.share),
            ),
            "bars": bars,
        }

    # --- Charts ------------------------------------------------------------------------------------------------------

    def _days(self) -> dict[str, Any]:
        unit, found = periods(self._report.days, self._report.span.first)
        title = self.text(f"trend_{unit}")
        most = max(each.outcomes.calls for each in found)
        label = self.text("trend_label", title=title, calls=f"{self._report.calls:,}", most=f"{most:,}")
        chart = days_chart(self._report, found, label)
        return {"trend": title, "days_chart": Markup(chart)}  # noqa: S704 - escapes its strings

    def _durations(self) -> Markup | None:
        most = max(self._report.durations, key=lambda each: each.calls)
        if not most.calls:
            return None
        label = self.text("durations_label", calls=f"{most.calls:,}", range=most.label)
        return Markup(durations_chart(self._report, label))  # noqa: S704 - escapes its strings

    def _hours(self) -> dict[str, Any]:
        left, weekday, hour = max(
            (count.left, -weekday, -hour)
            for weekday, hours in enumerate(self._report.hours)
            for hour, count in enumerate(hours)
        )
        if not left:
            return {"hours_chart": None, "hours_note": ""}
        label = self.text(
            "hours_label", most=f"{left:,}", weekday=WEEKDAYS[self.language][-weekday], hour=-hour
        )
        return {
            "hours_chart": Markup(  # noqa: S704 - escapes its texts
                hours_chart(self._report, self.language, label)
            ),
            "hours_note": self.text("hours_note", most=f"{left:,}"),
        }

    # --- Waterfall, versions and arms --------------------------------------------------------------------------------

    def _waterfall(self) -> dict[str, Any]:
        waterfall = self._report.waterfall
        if not waterfall.detail.count:
            return {"waterfall": None}
        stops = waterfall.stops[:_MOST_WATERFALL]
        bars = [stop for stop in stops if stop.left_share.count][:_MOST_BARS]
        chart = None
        if bars:
            label = self.text("waterfall_label", count=len(bars))
            chart = Markup(waterfall_chart(bars, self.language, label))  # noqa: S704 - escapes its strings
        notes = [
            self.text(
                "detail",
                detailed=f"{waterfall.detail.count:,}",
                calls=f"{waterfall.detail.of:,}",
                percent=_percent(waterfall.detail.value),
            )
        ]
        if waterfall.rare:
            notes.append(self.text("rare", count=self._stops(waterfall.rare), least=LEAST_CALLS))
        others = len(waterfall.stops) - len(stops)
        return {
            "waterfall": {
                "notes": notes,
                "chart": chart,
                "endings": [
                    {
                        "label": ENDING_LABELS[ending][self.language],
                        "note": self.text(f"{ending}_note"),
                        "color": color,
                    }
                    for ending, color in ENDING_COLORS.items()
                ],
                "columns": [
                    *(self.text(key) for key in ("stop", "reached", "left_share")),
                    *(ENDING_LABELS[ending][self.language] for ending in ENDING_COLORS),
                ],
                "rows": [
                    {
                        "label": self._waterfall_name(stop),
                        "cells": [
                            f"{stop.reached:,}",
                            _percent(stop.left_share.value),
                            *(self._ending(stop, ending) for ending in ENDING_COLORS),
                        ],
                    }
                    for stop in stops
                ],
                "others": self.text("other_stops", count=f"{others:,}") if others else "",
            }
        }

    def _waterfall_name(self, stop: WaterfallStop) -> str:
        label = stop.label(self.language)
        return f"{self._flow_names[stop.call_flow]} · {label}" if len(self._flow_names) > 1 else label

    def _stops(self, number: int) -> str:
        if self.language == "ja":
            return f"{number:,}"
        return f"{number:,} stop{'' if number == 1 else 's'}"

    @staticmethod
    def _ending(stop: WaterfallStop, ending: Ending) -> str:
        """Returns the number of calls with an ending. For a kind of trouble, adds how many calls had it at all."""
        met = next((stop.met[kind] for kind in TROUBLES if kind == ending), 0)
        left = f"{stop.of(ending):,}"
        return f"{left}\N{NO-BREAK SPACE}/\N{NO-BREAK SPACE}{met:,}" if met else left

    def _variants(self, key: Literal["versions", "arms"]) -> Iterator[dict[str, Any]]:
        """Yields the versions or arms of each flow."""
        every = self._report.versions if key == "versions" else self._report.arms
        for number, flow in enumerate(self._report.flows):
            variants = [each for each in every if each.call_flow == flow.call_flow]
            if not variants:
                continue
            shown = variants[-_MOST_VARIANTS:] if key == "versions" else variants[:_MOST_VARIANTS]
            others = len(variants) - len(shown)
            name = f": {self._flow_names[flow.call_flow]}" if len(self._flow_names) > 1 else ""
            yield {
                "id": f"{key}-{number}",
                "title": self.text(key) + name,
                "note": self.text(f"{key}_note"),
                "columns": [
                    self.text(each)
                    for each in (
                        key.removesuffix("s"),
                        "days_seen",
                        "variant_calls",
                        "variant_left",
                        "interval",
                        "difference",
                    )
                ],
                "rows": [
                    {
                        "name": _short(each.name),
                        "cells": [
                            self._span("span", each.days),
                            f"{each.left_share.of:,}",
                            _percent(each.left_share.value),
                            _range(each.left_share),
                        ],
                        "change": _difference(each.change),
                    }
                    for each in shown
                ],
                "others": self.text("other_variants", count=f"{others:,}") if others else "",
                "comparisons": [
                    {
                        "title": self.text(
                            "variant_stops", name=_short(each.name), other=_short(each.compared_with or "")
                        ),
                        "columns": [
                            self.text("stop"),
                            _short(each.compared_with or ""),
                            _short(each.name),
                            self.text("difference"),
                        ],
                        "rows": [
                            {
                                "name": stop.label(self.language),
                                "cells": [
                                    _percent(stop.change.before.value),
                                    _percent(stop.change.now.value),
                                ],
                                "change": _difference(stop.change),
                            }
                            for stop in each.stops
                            if stop.change
                        ],
                    }
                    for each in shown
                    if any(stop.change for stop in each.stops)
                ],
            }

    # --- Tables ------------------------------------------------------------------------------------------------------

    def _repeats(self) -> dict[str, Any]:
        repeats = self._report.repeat_callers
        if repeats is None:
            reason = REPEAT_REASONS[self._report.repeat_callers_reason][self.language]
            return {"repeats": None, "repeats_unknown": self.text("repeats_unknown", reason=reason)}
        keys: Sequence[str] = ("contained", "called_back", "too_recent", "without_number")
        total = sum(getattr(repeats, key) for key in keys)
        return {
            "repeats_note": self.text("repeats_note", hours=repeats.hours),
            "repeats": [
                {
                    "label": self.text(key),
                    "share": _percent(getattr(repeats, key) / total) if total else "–",
                    "count": self.text("of_calls", count=f"{getattr(repeats, key):,}"),
                    "accent": key == "called_back",
                }
                for key in keys
            ],
        }

    def _stop(self, stop: Stop) -> dict[str, Any]:
        share, change = stop.left_share.value, stop.change
        difference = change.difference if change else None
        significant = change is not None and change.significant
        mark = ("▲ " if (difference or 0) > 0 else "▼ ") if significant else ""
        count: Callable[[int], dict[str, Any]] = lambda calls: _cell(calls, f"{calls:,}")  # noqa: E731
        return {
            "label": stop.label(self.language),
            "route": f"{self._flow_names[stop.call_flow]} · {_short(stop.route)}"
            if len(self._flow_names) > 1
            else _short(stop.route),
            "cells": [
                count(stop.reached),
                count(stop.continued),
                count(stop.left),
                _cell(share, _percent(share)),
                _cell(difference, mark + _signed(difference), marked=significant),
                count(stop.outcomes.completed),
                count(stop.outcomes.answered),
                count(stop.outcomes.abandoned_in_queue),
                *(
                    _cell(seconds, "–" if seconds is None else f"{seconds:.0f}")
                    for seconds in (stop.median_seconds, stop.p90_seconds)
                ),
            ],
        }


def _shortened(report: Report, most_stops: int) -> tuple[Report, int]:
    """Returns the report with shorter names and fewer stops, and the number of stops left out.

    A flow that sets call_route from a variable can have any number of routes of any length. Routes that no catalog lists
    are left out first, then the rarest ones. A stop is never left out before the stops below it.
    """
    listed = {
        (flow.call_flow, route) for flow in report.flows if flow.catalog for route in flow.catalog.routes
    }
    by_importance = sorted(
        report.stops, key=lambda stop: ((stop.call_flow, stop.route) not in listed, -stop.reached)
    )
    names = {(stop.call_flow, stop.route) for stop in by_importance[most_stops:]}
    return replace(
        report,
        flows=tuple(replace(flow, name=_short(flow.name)) for flow in report.flows),
        stops=tuple(
            replace(stop, en=_short(stop.en), ja=_short(stop.ja))
            for stop in report.stops
            if (stop.call_flow, stop.route) not in names
        ),
        waterfall=replace(
            report.waterfall,
            stops=tuple(
                replace(stop, en=_short(stop.en), ja=_short(stop.ja)) for stop in report.waterfall.stops
            ),
        ),
        versions=tuple(_with_stops(each, names) for each in report.versions),
        arms=tuple(_with_stops(each, names) for each in report.arms),
        unknown_routes=tuple(
            each for each in report.unknown_routes if (each.call_flow, each.route) not in names
        ),
    ), len(names)


def _with_stops(variant: Variant, left_out: Collection[tuple[str | None, str]]) -> Variant:
    """Returns a variant with shorter labels and without some of its stops."""
    stops = tuple(
        replace(stop, en=_short(stop.en), ja=_short(stop.ja))
        for stop in variant.stops
        if (stop.call_flow, stop.route) not in left_out
    )
    return replace(variant, stops=stops)


def _difference(change: Change | None) -> dict[str, Any]:
    """Returns the difference between two shares, marked if it is significant, and its interval."""
    difference = change.difference if change else None
    if change is None or difference is None:
        return {"text": "", "interval": "", "marked": False}
    mark = ("▲ " if difference > 0 else "▼ ") if change.significant else ""
    return {
        "text": mark + _signed(difference),
        "interval": f"{_signed(change.low)} … {_signed(change.high)}",
        "marked": change.significant,
    }


def _range(share: Share) -> str:
    """Returns the confidence interval of a share."""
    bounds = interval(share)
    return " – ".join(map(_percent, bounds)) if bounds else "–"


def _short(name: str, longest: int = _LONGEST_NAME) -> str:
    return name if len(name) <= longest else f"{name[: longest - 1]}…"


def _cell(value: float | None, text: str, *, marked: bool = False) -> dict[str, Any]:
    return {"value": "" if value is None else f"{value:g}", "text": text, "marked": marked}


def _percent(share: float | None) -> str:
    return "–" if share is None else f"{100 * share:.1f}%"


def _signed(difference: float | None) -> str:
    """Returns a difference in points, with a sign."""
    if difference is None:
        return "–"
    points = round(100 * difference, 1) or 0.0
    return f"{points:+.1f}".replace("-", "\N{MINUS SIGN}") if points else "0.0"
