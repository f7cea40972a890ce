"""Renders the charts of a report to SVG with Vega-Lite.

Charts have no legend and no title; the page contains them as text. They are drawn for the width of a phone, so that their
text remains readable when they are scaled.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from html import escape
from typing import Any

import altair as alt
import vl_convert

from callroute.reports.html.colors import HEAT, INK, MUTED, OUTCOME_COLORS, RULE
from callroute.reports.labels import OUTCOME_LABELS, WEEKDAYS
from callroute.reports.report import OUTCOMES, Language, Report

_WIDTH = 380
_FONT = "system-ui, sans-serif"


def days_chart(report: Report, language: Language, label: str) -> str:
    """Returns the calls per day by outcome, with paler bars for the previous span."""
    rows: list[dict[str, Any]] = [
        {
            "day": f"{day.date.isoformat()}T12:00:00",
            "calls": day.outcomes.of(outcome),
            "outcome": OUTCOME_LABELS[outcome][language],
            "order": order,
            "now": day.date >= report.span.first,
        }
        for day in report.days
        for order, outcome in enumerate(reversed(OUTCOMES))
    ]
    colors = alt.Scale(
        domain=[OUTCOME_LABELS[outcome][language] for outcome in OUTCOMES],
        range=[OUTCOME_COLORS[outcome] for outcome in OUTCOMES],
    )
    width = max(1, min(20, 300 / len(report.days) - 2))
    chart = (
        alt.Chart(alt.Data(values=rows))
        .mark_bar(size=width)
        .encode(
            x=alt.X("day:T").axis(
                title=None,
                format="%-m/%-d",
                grid=False,
                tickCount=min(len(report.days), 7),
                labelOverlap=True,
            ),
            y=alt.Y("calls:Q").axis(title=None, tickCount=4, tickMinStep=1),
            color=alt.Color("outcome:N", scale=colors, legend=None),
            order=alt.Order("order:Q"),
            opacity=alt.condition("datum.now", alt.value(1), alt.value(0.45)),
        )
        .properties(width=_WIDTH - 50, height=190)
    )
    return _rendered(chart, label)


def durations_chart(report: Report, label: str) -> str:
    """Returns the distribution of the time until callers left."""
    rows = [
        {
            "seconds": f"{each.start}–{each.end}" if each.end else f"{each.start}+",
            "calls": each.calls,
        }
        for each in report.durations
    ]
    base = alt.Chart(alt.Data(values=rows)).encode(
        y=alt.Y("seconds:N", sort=None).axis(title=None, ticks=False, domain=False),
        x=alt.X("calls:Q").axis(None),
    )
    chart = base.mark_bar(color=OUTCOME_COLORS["abandoned_in_flow"], size=13) + base.mark_text(
        align="left", dx=4, color=INK, fontSize=12
    ).encode(text=alt.Text("calls:Q", format=","))
    return _rendered(chart.properties(width=_WIDTH - 110, height=20 * len(rows)), label)


def hours_chart(report: Report, language: Language, label: str) -> str:
    """Returns a heat map of the calls that were abandoned in the flow, by weekday and hour."""
    rows = [
        {"weekday": WEEKDAYS[language][weekday], "hour": hour, "left": count.left}
        for weekday, hours in enumerate(report.hours)
        for hour, count in enumerate(hours)
    ]
    most = max((row["left"] for row in rows), default=0) or 1
    chart = (
        alt.Chart(alt.Data(values=rows))
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
    specification: Mapping[str, Any] = configured.to_dict()
    image = vl_convert.vegalite_to_svg(specification)
    # The chart is an image to assistive technology, so the descriptions of its parts are of no use.
    image = re.sub(r' (?:aria-[a-z]+|role|pointer-events)="[^"]*"', "", image)
    size = re.search(r'width="([\d.]+)" height="([\d.]+)"', image)
    assert size
    return image.replace(
        image[: image.index(">") + 1],
        f'<svg xmlns="http://www.w3.org/2000/svg" class="chart" role="img" aria-label="{escape(label)}" '
        f'viewBox="0 0 {size[1]} {size[2]}">',
        1,
    )
