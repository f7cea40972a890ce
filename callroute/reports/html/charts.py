"""Renders the charts of a report to SVG with Vega-Lite.

Charts have no legend and no title; the page contains them as text. They are drawn for the width of a phone, so that their
text remains readable when they are scaled.
"""

from __future__ import annotations

import re
from html import escape
from typing import Any

import altair as alt
import vl_convert

from callroute.reports.html.colors import HEAT, INK, MUTED, OUTCOME_COLORS, PALE_COLORS, RULE
from callroute.reports.labels import WEEKDAYS
from callroute.reports.report import OUTCOMES, Language, Report

_WIDTH = 380
_FONT = "Liberation Sans, sans-serif"  # bundled with vl-convert, so text has the same width everywhere


def days_chart(report: Report, label: str) -> str:
    """Returns a bar chart of the calls per day by outcome, with paler bars for the previous span."""
    rows: list[dict[str, Any]] = [
        {
            "day": day.date.isoformat(),
            "calls": day.outcomes.of(outcome),
            "color": OUTCOME_COLORS[outcome] if day.date >= report.span.first else PALE_COLORS[outcome],
            "order": order,
        }
        for day in report.days
        for order, outcome in enumerate(reversed(OUTCOMES))
    ]
    width = max(1, min(20, 300 / len(report.days) - 2))
    chart = (
        _chart(rows)
        .mark_bar(size=width)
        .encode(
            x=alt.X("day:T", scale=alt.Scale(type="utc", padding=width / 2 + 4)).axis(
                title=None,
                format="%-m/%-d",
                grid=False,
                tickCount=min(len(report.days), 7),
                labelOverlap=True,
            ),
            y=alt.Y("calls:Q").axis(title=None, tickCount=4, tickMinStep=1),
            color=alt.Color("color:N", scale=None),
            order=alt.Order("order:Q"),
        )
        .properties(width=_WIDTH - 50, height=190)
    )
    return _rendered(chart, label)


def durations_chart(report: Report, label: str) -> str:
    """Returns a bar chart of the time until callers left, up to the longest time."""
    last = max((number for number, each in enumerate(report.durations) if each.calls), default=0)
    rows: list[dict[str, Any]] = [
        {"seconds": each.label, "calls": each.calls} for each in report.durations[: last + 1]
    ]
    base = _chart(rows).encode(
        y=alt.Y("seconds:N", sort=None).axis(title=None, ticks=False, domain=False),
        x=alt.X("calls:Q").axis(None),
    )
    chart = base.mark_bar(color=OUTCOME_COLORS["abandoned_in_flow"], size=13) + base.mark_text(
        align="left", dx=4, color=INK, fontSize=12
    ).encode(text=alt.Text("calls:Q", format=","))
    return _rendered(chart.properties(width=_WIDTH - 110, height=20 * len(rows)), label)


def hours_chart(report: Report, language: Language, label: str) -> str:
    """Returns a heat map of the calls that were abandoned in the flow, by weekday and hour."""
    rows: list[dict[str, Any]] = [
        {"weekday": WEEKDAYS[language][weekday], "hour": hour, "left": count.left}
        for weekday, hours in enumerate(report.hours)
        for hour, count in enumerate(hours)
    ]
    most = max(count.left for hours in report.hours for count in hours)
    chart = (
        _chart(rows)
        .mark_rect(stroke="#ffffff", strokeWidth=1.5)
        .encode(
            x=alt.X("hour:O").axis(
                title=None, values=[0, 3, 6, 9, 12, 15, 18, 21], labelAngle=0, ticks=False
            ),
            y=alt.Y("weekday:N", sort=None).axis(title=None, ticks=False, domain=False),
            color=alt.Color(
                "left:Q", scale=alt.Scale(domain=[0, most], range=HEAT, interpolate="lab"), legend=None
            ),
        )
        .properties(width=_WIDTH - 50, height=7 * 22)
    )
    return _rendered(chart, label)


def _chart(rows: list[dict[str, Any]]) -> alt.Chart:
    return alt.Chart(alt.InlineData(values=rows))


def _rendered(chart: alt.Chart | alt.LayerChart, label: str) -> str:
    """Returns a chart as an SVG element with an alternative text."""
    configured = chart.configure(
        font=_FONT,
        background="transparent",
        axis=alt.AxisConfig(
            labelFontSize=12,
            labelColor=MUTED,
            gridColor=RULE,
            domainColor=RULE,
            tickColor=RULE,
            labelPadding=6,
        ),
        view=alt.ViewConfig(stroke=None),
    ).configure_view(stroke=None)
    image = vl_convert.vegalite_to_svg(configured.to_dict())
    # Assistive technology treats the chart as an image, so descriptions of its parts are useless.
    image = re.sub(r' (?:aria-[a-z]+|role|pointer-events)="[^"]*"', "", image)
    opening = f'<svg xmlns="http://www.w3.org/2000/svg" class="chart" role="img" aria-label="{escape(label)}"'
    return re.sub(r"<svg [^>]*(?= viewBox=)", lambda _: opening, image, count=1)
