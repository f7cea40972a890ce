"""Writes a report as text, in English or Japanese."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import ceil

from callroute.cli import output
from callroute.cli.output import Column
from callroute.reports.labels import (
    ENDING_LABELS,
    OUTCOME_LABELS,
    REPEAT_REASONS,
    SHARED_TEXTS,
    STOP_COLUMNS,
    WEEKDAYS,
    Labels,
    flow_name,
)
from callroute.reports.report import (
    ENDINGS,
    LEAST_CALLS,
    LEFT,
    OUTCOMES,
    TROUBLES,
    Change,
    Ending,
    Language,
    Report,
    ReportedFlow,
    Share,
    Stop,
    Variant,
    WaterfallStop,
)
from callroute.reports.statistics import interval

BAR_WIDTH = 20
LEVELS = "·▁▂▃▄▅▆▇█"
"""Heights of the hourly bars. The first one represents an hour without calls."""
MAX_DAYS = 31
"""Longest trend that text shows."""

NARROW = 120
"""Terminals with fewer columns show only some columns of the stops."""

TEXT: Mapping[str, Labels] = {
    **SHARED_TEXTS,
    "calls": {"en": "calls", "ja": "通話"},
    "previous": {"en": "previous", "ja": "前期間"},
    "outcome": {"en": "outcome", "ja": "結果"},
    "share": {"en": "share", "ja": "割合"},
    "change": {"en": "change (points)", "ja": "増減 (ポイント)"},
    "stop": {"en": "stop", "ja": "停止箇所"},
    "reached": {"en": "reached", "ja": "到達"},
    "continued": {"en": "continued", "ja": "通過"},
    "left": {"en": "left", "ja": "離脱"},
    "left_share": {"en": "left %", "ja": "離脱率"},
    "completed": {"en": "completed", "ja": "完了"},
    "answered": {"en": "answered", "ja": "応答"},
    "queue": {"en": "hung up in queue", "ja": "待ち時間中に切断"},
    "median": {"en": "median s", "ja": "中央値 (秒)"},
    "p90": {"en": "90% s", "ja": "90%値 (秒)"},
    "unknown": {
        "en": "Routes that the catalog does not list (the flow and its catalog differ):",
        "ja": "カタログにないルート (フローとカタログが一致していません):",
    },
    "durations": {"en": "Seconds until callers left in the menu", "ja": "メニューで離脱するまでの秒数"},
    "days": {"en": "Calls by day", "ja": "日別の通話"},
    "date": {"en": "date", "ja": "日付"},
    "hours": {
        "en": "Calls by weekday and hour (one character per hour, from 0 to 23)",
        "ja": "曜日と時間帯別の通話 (1文字が1時間、0時から23時)",
    },
    "repeats": {"en": "Completed calls and repeat callers", "ja": "完了した通話と再入電"},
    "contained": {"en": "no further call within {hours} hours", "ja": "{hours}時間以内に再入電なし"},
    "called_back": {"en": "called again within {hours} hours", "ja": "{hours}時間以内に再入電あり"},
    "too_recent": {"en": "less than {hours} hours ago", "ja": "{hours}時間が経過していない"},
    "significant": {
        "en": "▲▼ More than noise: the confidence interval of the change excludes 0 ({percent}% for all changes together).",
        "ja": "▲▼ 誤差を超える増減: 信頼区間が0を含みません（すべての増減を合わせて{percent}%）。",
    },
}


def write_report(report: Report, language: Language) -> None:
    """Writes a report, omitting parts without calls."""
    write = _Writer(report, language)
    write.heading()
    if not report.calls:
        write.line("no_calls", "yellow")
        if report.available:
            write.line("available", first=report.available.first, last=report.available.last)
        return
    write.outcomes()
    for flow in report.flows:
        if any(stop.reached for stop in report.stops_of(flow)):
            write.stops(flow)
    write.waterfall()
    write.variants("versions", report.versions)
    write.variants("arms", report.arms)
    if report.versions or report.arms:
        write.title("variants_note", "dim", least=LEAST_CALLS)
    write.unknown_routes()
    write.durations()
    if report.span.days <= MAX_DAYS:
        write.days()
    write.hours()
    write.repeat_callers()
    changes = [*report.previous.changes.values(), *(stop.change for stop in report.stops)]
    if any(change and change.significant for change in changes):
        write.title("significant", "dim", percent=round(100 * report.confidence))


class _Writer:
    """Writes the parts of a report."""

    def __init__(self, report: Report, language: Language) -> None:
        self._report = report
        self._language: Language = language

    def text(self, key: str, **values: object) -> str:
        return TEXT[key][self._language].format(**values)

    def line(self, key: str, style: str = "", **values: object) -> None:
        output.write((self.text(key, **values), style))

    def title(self, key: str, style: str = "bold", **values: object) -> None:
        output.write("")
        self.line(key, style, **values)

    def heading(self) -> None:
        report, span, previous = self._report, self._report.span, self._report.previous
        output.write((self.text("title"), "bold"), f": {report.source}")
        output.write(f"{span.first} – {span.last} ({report.time_zone}): {self._calls(report.calls)}")
        output.write(
            f"{previous.span.first} – {previous.span.last} ({self.text('previous')}): "
            f"{self._calls(previous.outcomes.calls)}",
            margin=[],
        )

    def _calls(self, number: int) -> str:
        return (
            output.counted(number, "call") if self._language == "en" else f"{number:,} {self.text('calls')}"
        )

    def outcomes(self) -> None:
        report = self._report
        output.write("")
        columns = [
            Column(self.text("outcome")),
            *(Column(self.text(each), right=True) for each in ("calls", "share", "previous", "change")),
        ]
        output.write_table(
            columns,
            [
                (
                    OUTCOME_LABELS[outcome][self._language],
                    f"{report.outcomes.of(outcome):,}",
                    _percent(Share(report.outcomes.of(outcome), report.calls)),
                    _percent(report.previous.changes[outcome].before),
                    _points(report.previous.changes[outcome]),
                )
                for outcome in OUTCOMES
            ],
        )

    def stops(self, flow: ReportedFlow) -> None:
        output.write((f"\n{flow_name(flow, self._language)}", "bold"))
        keys = list(STOP_COLUMNS)
        if output.width() < NARROW:
            keys = ["reached", "left", "left_share", "change", "median"]
        if flow.catalog is None:
            keys = [key for key in keys if key not in ("reached", "continued")]
        columns = [_narrow_column(self.text(key)) for key in keys]
        rows = []
        for stop in self._report.stops_of(flow):
            cells = self._cells(stop)
            label = "  " * stop.depth + stop.label(self._language) + ("" if stop.known else " (?)")
            rows.append((label, *(cells[key] for key in keys)))
        output.write_table([Column(self.text("stop")), *columns], rows)

    def _cells(self, stop: Stop) -> dict[str, str]:
        return {
            "reached": _count(stop.reached),
            "continued": _count(stop.continued),
            "left": _count(stop.left),
            "left_share": _percent(stop.left_share),
            "change": _points(stop.change),
            "completed": _count(stop.outcomes.completed),
            "answered": _count(stop.outcomes.answered),
            "queue": _count(stop.outcomes.abandoned_in_queue),
            "median": _seconds(stop.median_seconds),
            "p90": _seconds(stop.p90_seconds),
        }

    def waterfall(self) -> None:
        waterfall = self._report.waterfall
        if not waterfall.detail.count:
            return
        self.title("waterfall")
        self.line(
            "detail",
            detailed=f"{waterfall.detail.count:,}",
            calls=f"{waterfall.detail.of:,}",
            percent=_percent(waterfall.detail),
        )
        if waterfall.stops:
            self.line("troubles")
        endings: tuple[Ending, ...] = ENDINGS if output.width() >= NARROW else LEFT
        several = len({stop.call_flow for stop in waterfall.stops}) > 1
        output.write_table(
            [
                Column(self.text("stop")),
                _narrow_column(self.text("reached")),
                _narrow_column(self.text("left_share")),
                *(_narrow_column(ENDING_LABELS[each][self._language].lower()) for each in endings),
            ],
            [
                (
                    (f"{stop.call_flow}: " if several and stop.call_flow else "")
                    + stop.label(self._language),
                    _count(stop.reached),
                    _percent(stop.left_share),
                    *(self._ending(stop, each) for each in endings),
                )
                for stop in waterfall.stops
            ],
        )
        if waterfall.rare:
            self.line("rare", "dim", count=self._stops(waterfall.rare), least=LEAST_CALLS)

    def _ending(self, stop: WaterfallStop, ending: Ending) -> str:
        """Returns the number of calls with an ending. For a kind of trouble, adds how many calls had it at all."""
        count = _count(stop.of(ending))
        met = next((stop.met[kind] for kind in TROUBLES if kind == ending), 0)
        return f"{count}/{met:,}" if met else count

    def _stops(self, number: int) -> str:
        return output.counted(number, "stop") if self._language == "en" else f"{number:,}"

    def variants(self, key: str, variants: Sequence[Variant]) -> None:
        if not variants:
            return
        self.title(key)
        self.line(f"{key}_note")
        several = len({each.call_flow for each in variants}) > 1
        columns = ("days_seen", "variant_calls", "variant_left", "interval", "difference")
        output.write_table(
            [
                Column(self.text(key.removesuffix("s")).lower()),
                *(Column(self.text(each).lower(), right=each != "days_seen") for each in columns),
            ],
            [
                (
                    (f"{each.call_flow}: " if several and each.call_flow else "") + each.name,
                    f"{each.days.first} – {each.days.last}",
                    f"{each.left_share.of:,}",
                    _percent(each.left_share),
                    _interval(each.left_share),
                    _points(each.change),
                )
                for each in variants
            ],
        )
        for each in variants:
            compared = [(stop, stop.change) for stop in each.stops if stop.change]
            if compared:
                self.title("variant_stops", "", name=each.name, other=each.compared_with)
                output.write_table(
                    [
                        Column(self.text("stop")),
                        *(Column(name or "", right=True) for name in (each.compared_with, each.name)),
                        Column(self.text("difference").lower(), right=True),
                    ],
                    [
                        (
                            stop.label(self._language),
                            _percent(change.before),
                            _percent(change.now),
                            _points(change),
                        )
                        for stop, change in compared
                    ],
                )

    def unknown_routes(self) -> None:
        if self._report.unknown_routes:
            self.title("unknown", "yellow")
            for route in self._report.unknown_routes:
                flow = f"{route.call_flow}: " if route.call_flow else ""
                output.write(f"  {flow}{route.route}: {self._calls(route.calls)}")

    def durations(self) -> None:
        bins = self._report.durations
        used = [number for number, each in enumerate(bins) if each.calls]
        if not used:
            return
        self.title("durations")
        shown = bins[used[0] : used[-1] + 1]
        highest = max(each.calls for each in shown)
        output.write_table(
            [Column(right=True), Column(right=True), Column(style="red")],
            [
                (
                    each.label,
                    f"{each.calls:,}",
                    _bar(each.calls, highest),
                )
                for each in shown
            ],
        )

    def days(self) -> None:
        self.title("days")
        days = [day for day in self._report.days if day.date >= self._report.span.first]
        weekdays = WEEKDAYS[self._language]
        highest = max(day.outcomes.abandoned_in_flow for day in days)
        output.write_table(
            [
                Column(self.text("date")),
                *(Column(self.text(each), right=True) for each in ("calls", "left", "left_share")),
                Column(style="red"),
            ],
            [
                (
                    f"{day.date} {weekdays[day.date.weekday()]}",
                    _count(day.outcomes.calls),
                    _count(day.outcomes.abandoned_in_flow),
                    _percent(Share(day.outcomes.abandoned_in_flow, day.outcomes.calls)),
                    _bar(day.outcomes.abandoned_in_flow, highest),
                )
                for day in days
            ],
        )

    def hours(self) -> None:
        self.title("hours")
        hours = self._report.hours
        highest = max(count.calls for day in hours for count in day)
        output.write_table(
            [Column(), Column(), *(Column(self.text(each), right=True) for each in ("calls", "left_share"))],
            [
                (
                    weekday,
                    "".join(LEVELS[ceil((len(LEVELS) - 1) * count.calls / highest)] for count in day),
                    _count(sum(count.calls for count in day)),
                    _percent(Share(sum(count.left for count in day), sum(count.calls for count in day))),
                )
                for weekday, day in zip(WEEKDAYS[self._language], hours, strict=True)
            ],
        )

    def repeat_callers(self) -> None:
        repeats = self._report.repeat_callers
        self.title("repeats")
        if repeats is None:
            reason = REPEAT_REASONS[self._report.repeat_callers_reason][self._language]
            self.line("repeats_unknown", reason=reason)
            return
        output.write_table(
            [Column(), Column(right=True)],
            [
                (self.text(each, hours=repeats.hours), f"{getattr(repeats, each):,}")
                for each in ("contained", "called_back", "too_recent", "without_number")
            ],
        )


def _narrow_column(heading: str) -> Column:
    """Returns a column that can shrink to the width of the longest word in its heading."""
    from rich.cells import cell_len

    return Column(heading, right=True, narrow=max(7, *map(cell_len, heading.split())))


def _count(number: int) -> str:
    return f"{number:,}" if number else "·"


def _percent(share: Share) -> str:
    return "·" if share.value is None else f"{100 * share.value:.1f}%"


def _interval(share: Share) -> str:
    bounds = interval(share)
    return f"{100 * bounds[0]:.1f}–{100 * bounds[1]:.1f}%" if bounds else ""


def _points(change: Change | None) -> str:
    """Returns the difference in percentage points, marked if it is significant."""
    if change is None or change.difference is None:
        return ""
    mark = "" if not change.significant else "▲" if change.difference > 0 else "▼"
    return f"{mark}{100 * change.difference:+.1f}"


def _seconds(seconds: float | None) -> str:
    return "" if seconds is None else f"{seconds:.0f}"


def _bar(number: int, highest: int) -> str:
    return "█" * ceil(BAR_WIDTH * number / highest) if highest else ""
