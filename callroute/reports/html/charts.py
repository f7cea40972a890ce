"""Renders the charts of a report to SVG with Vega-Lite.

Charts have no legend and no title; the page contains them as text. They are drawn for the width of a phone, so that their
text remains readable when they are scaled.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime, time, timedelta
from html import escape
from typing import Any

import altair as alt
import vl_convert

from callroute.flows.diagrams.text_metrics import shorten
from callroute.reports.html.colors import ENDING_COLORS, HEAT, INK, MUTED, OUTCOME_COLORS, PALE_COLORS, RULE
from callroute.reports.html.periods import Period
from callroute.reports.labels import WEEKDAYS
from callroute.reports.report import OUTCOMES, Language, Report, WaterfallStop

_WIDTH = 380
_ROW = 46
"""Height of a stop in the waterfall."""
_LABEL_SIZE = 13
_FONT = "Liberation Sans, sans-serif"  # bundled with vl-convert, so text has the same width everywhere


def days_chart(report: Report, periods: Sequence[Period], label: str) -> str:
    """Returns a bar chart of calls per period by outcome, with paler bars for the previous span."""
    rows: list[dict[str, Any]] = []
    for period in periods:
        low = 0
        colors = OUTCOME_COLORS if period.first >= report.span.first else PALE_COLORS
        for outcome in reversed(OUTCOMES):
            high = low + period.outcomes.of(outcome)
            # Bars start half a day early, so that each day's tick is below the middle of its bar.
            start = datetime.combine(period.first, time(), UTC) - timedelta(hours=12)
            gap = timedelta(period.days) / 14
            end = start + timedelta(period.days) - gap
            start += gap
            rows.append(
                {
                    "start": start.isoformat(),
                    "end": end.isoformat(),
                    "low": low,
                    "high": high,
                    "color": colors[outcome],
                }
            )
            low = high
    chart = (
        _chart([row for row in rows if row["high"] > row["low"]])
        .mark_rect()
        .encode(
            x=alt.X("start:T", scale=alt.Scale(type="utc", nice=False)).axis(
                title=None,
                format="%-m/%-d" if len(report.days) <= 366 else "%Y/%-m",
                grid=False,
                tickCount=min(len(periods), 7),
                labelOverlap=True,
            ),
            x2="end:T",
            y=alt.Y("low:Q").axis(title=None, tickCount=4, tickMinStep=1),
            y2="high:Q",
            color=alt.Color("color:N", scale=None),
        )
        .properties(width=_WIDTH - 50, height=190)
    )
    return _rendered(chart, label)


def waterfall_chart(stops: Sequence[WaterfallStop], language: Language, label: str) -> str:
    """Returns a chart with a stacked bar for each stop that shows the shares of its endings, callers who left first."""
    bars: list[dict[str, Any]] = []
    texts: list[dict[str, Any]] = []
    for number, stop in enumerate(stops):
        top, count = number * _ROW, 0
        percent = f"{100 * (stop.left_share.value or 0):.1f}%"
        texts.append(
            {"text": shorten(stop.label(language), _LABEL_SIZE, _WIDTH - 20), "x": 0.0, "y": top + 10}
        )
        texts.append({"text": percent, "x": 1.02, "y": top + 29})
        for ending, color in ENDING_COLORS.items():
            start, count = count, count + stop.of(ending)
            if stop.of(ending):
                low, high = start / stop.reached, count / stop.reached
                bars.append({"low": low, "high": high, "top": top + 20, "bottom": top + 38, "color": color})
    height = len(stops) * _ROW
    x, y = alt.Scale(domain=[0, 1], nice=False), alt.Scale(domain=[height, 0], nice=False)
    chart = _chart(bars).mark_rect(stroke="#ffffff", strokeWidth=1).encode(
        x=alt.X("low:Q", scale=x).axis(None),
        x2="high:Q",
        y=alt.Y("top:Q", scale=y).axis(None),
        y2="bottom:Q",
        color=alt.Color("color:N", scale=None),
    ) + _chart(texts).mark_text(align="left", baseline="middle", color=INK, fontSize=_LABEL_SIZE).encode(
        x=alt.X("x:Q", scale=x), y=alt.Y("y:Q", scale=y), text="text:N"
    )
    return _rendered(chart.properties(width=_WIDTH - 60, height=height), label)


def durations_chart(report: Report, label: str) -> str:
    """Returns a bar chart of how long callers stayed before they left."""
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
    """Returns a chart as an SVG element with alternative text."""
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
    # Assistive technology treats the chart as a single image and ignores descriptions of its parts.
    image = re.sub(r' (?:aria-[a-z]+|role|pointer-events)="[^"]*"', "", image)
    opening = f'<svg xmlns="http://www.w3.org/2000/svg" class="chart" role="img" aria-label="{escape(label)}"'
    return re.sub(r"<svg [^>]*(?= viewBox=)", lambda _: opening, image, count=1)
