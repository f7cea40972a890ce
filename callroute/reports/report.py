"""Data for a drop-off report: the outcomes of calls in a span of days. Contains no phone numbers or contact IDs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from callroute.flows.flow import Flow
    from callroute.flows.route_catalog import RouteCatalog

Language = Literal["en", "ja"]
Outcome = Literal["answered", "abandoned_in_queue", "completed", "abandoned_in_flow"]
Trouble = Literal["silence", "wrong_key", "error"]
Ending = Literal["continued", "transferred", "completed", "hung_up", "silence", "wrong_key", "error"]

OUTCOMES: tuple[Outcome, ...] = ("answered", "abandoned_in_queue", "completed", "abandoned_in_flow")
"""Possible outcomes of a call (docs/record.md)."""
TROUBLES: tuple[Trouble, ...] = ("silence", "wrong_key", "error")
"""Kinds of trouble that a caller can meet at a stop (docs/record.md)."""
LEFT: tuple[Ending, ...] = ("hung_up", "silence", "wrong_key", "error")
"""Ways to leave the menu at a stop."""
ENDINGS: tuple[Ending, ...] = ("continued", "transferred", "completed", *LEFT)
"""Ways in which a call can continue from a stop or end there (docs/waterfall.md)."""
LEAST_CALLS = 30
"""Minimum number of calls that reached a stop in the waterfall, and in a comparison of versions or arms."""


@dataclass(frozen=True, slots=True)
class Span:
    """A span of local days, including the first and the last."""

    first: date
    last: date

    @property
    def days(self) -> int:
        """Number of days."""
        return (self.last - self.first).days + 1

    @property
    def previous(self) -> Span:
        """The span of equal length immediately before this one."""
        return Span(self.first - timedelta(self.days), self.first - timedelta(1))

    def __iter__(self) -> Iterator[date]:
        return (self.first + timedelta(number) for number in range(self.days))


@dataclass(frozen=True, slots=True)
class Outcomes:
    """Number of calls with each outcome."""

    answered: int = 0
    abandoned_in_queue: int = 0
    completed: int = 0
    abandoned_in_flow: int = 0

    @property
    def calls(self) -> int:
        """Number of calls."""
        return self.answered + self.abandoned_in_queue + self.completed + self.abandoned_in_flow

    def of(self, outcome: Outcome) -> int:
        """Returns the number of calls with an outcome."""
        count: int = getattr(self, outcome)
        return count

    def __add__(self, other: Outcomes) -> Outcomes:
        return Outcomes(*(getattr(self, each.name) + getattr(other, each.name) for each in fields(self)))


@dataclass(frozen=True, slots=True)
class Share:
    """Share of a group of calls, for example the calls that ended at a stop among those that reached it."""

    count: int
    of: int

    @property
    def value(self) -> float | None:
        """The share, from 0 to 1; None if there are no calls."""
        return self.count / self.of if self.of else None


@dataclass(frozen=True, slots=True)
class Change:
    """Change in a share since the previous span."""

    now: Share
    before: Share
    difference: float | None
    """Share now minus share before, from -1 to 1; None if either span has no calls."""
    low: float | None
    """Lower end of the confidence interval of the difference."""
    high: float | None
    """Upper end of the interval."""
    significant: bool
    """True if the interval does not contain 0: the change is more than noise."""


@dataclass(frozen=True, slots=True)
class Stop:
    """The calls that reached a stop."""

    call_flow: str | None
    """Value of `call_flow`; None if the items have no such attribute."""
    route: str
    en: str
    """English label from the route catalog, or the route if no catalog lists it."""
    ja: str
    """Japanese label, or the route."""
    parent: str | None
    """Route of the stop from which callers arrive; None for the first stop or if there is no catalog."""
    depth: int
    """Number of stops above this one in the catalog's tree."""
    known: bool
    """True if the flow's route catalog lists the route, or if the flow has no catalog."""
    outcomes: Outcomes
    """Calls that ended at this stop."""
    continued: int
    """Calls that went on to a stop below this one, and ended there or further below."""
    median_seconds: float | None
    """Median duration of the calls that were abandoned at this stop, or None."""
    p90_seconds: float | None
    """90th percentile of these durations."""
    change: Change | None
    """Change in the share of callers who left here among those who reached the stop."""

    @property
    def reached(self) -> int:
        """Calls that reached this stop: those that continued and those that ended here."""
        return self.continued + self.outcomes.calls

    @property
    def left(self) -> int:
        """Calls that were abandoned in the flow at this stop."""
        return self.outcomes.abandoned_in_flow

    @property
    def left_share(self) -> Share:
        """Share of callers who left here among those who reached the stop."""
        return Share(self.left, self.reached)

    def label(self, language: Language) -> str:
        """Returns the label in the given language."""
        return self.ja if language == "ja" else self.en


@dataclass(frozen=True, slots=True, kw_only=True)
class WaterfallStop:
    """The calls with detail that reached a stop, by what happened there. Each call has exactly one ending."""

    call_flow: str | None
    route: str
    en: str
    """English label from the route catalog, or the route."""
    ja: str
    """Japanese label, or the route."""
    continued: int
    """Calls that went on to another stop."""
    transferred: int
    """Calls that ended here with an agent or in the queue."""
    completed: int
    """Calls that were completed here."""
    hung_up: int
    """Calls that left here without any trouble at this stop."""
    silence: int
    """Calls that left here after silence: the caller pressed no key in time.

    This and the next two include calls that the trouble led to a dead end: a stop without a prompt, where they were abandoned.
    """
    wrong_key: int
    """Calls that left here after more wrong keys than silences."""
    error: int
    """Calls that left here after an error of the flow."""
    met: Mapping[Trouble, int]
    """Calls that met each kind of trouble here, including those that continued."""

    def of(self, ending: Ending) -> int:
        """Returns the number of calls with an ending."""
        count: int = getattr(self, ending)
        return count

    @property
    def reached(self) -> int:
        """Calls that reached this stop."""
        return sum(map(self.of, ENDINGS))

    @property
    def left_share(self) -> Share:
        """Share of callers who left the menu here among those who reached the stop."""
        return Share(sum(map(self.of, LEFT)), self.reached)

    def label(self, language: Language) -> str:
        """Returns the label in the given language."""
        return self.ja if language == "ja" else self.en


@dataclass(frozen=True, slots=True)
class Waterfall:
    """Calls with detail, by stop and by what happened there."""

    detail: Share
    """Share of calls with detail."""
    stops: tuple[WaterfallStop, ...]
    """Stops that at least LEAST_CALLS calls with detail reached, starting with the largest share of callers who left.

    Stops at which the flow ends every call come last.
    """
    rare: int
    """Number of other stops."""


@dataclass(frozen=True, slots=True)
class Variant:
    """The calls of one version of a flow, or of one arm of an experiment."""

    call_flow: str | None
    name: str
    """Value of `flow_version` or `arm`."""
    days: Span
    """Days of its first and last call in the span."""
    left_share: Share
    """Share of calls that were abandoned in the flow."""
    stops: tuple[Stop, ...]
    """Its stops. Each `change` is the difference from the same stop of the other variant, or None."""
    compared_with: str | None
    """Name of the other variant: the preceding version, or the experiment's arm with the most calls. None without another variant."""
    change: Change | None
    """Difference from the other variant's share."""


@dataclass(frozen=True, slots=True)
class UnknownRoute:
    """A route where calls ended, although the flow's catalog does not list it."""

    call_flow: str | None
    route: str
    calls: int


@dataclass(frozen=True, slots=True)
class Day:
    """Calls on one day."""

    date: date
    outcomes: Outcomes


@dataclass(frozen=True, slots=True)
class HourCount:
    """Calls that started in one hour of the day, on one weekday."""

    calls: int = 0
    left: int = 0
    """Calls among them that were abandoned in the flow."""


@dataclass(frozen=True, slots=True)
class DurationBin:
    """Abandoned calls whose duration falls within a given range."""

    start: int
    """Shortest duration in seconds, inclusive."""
    end: int | None
    """Longest duration in seconds, exclusive; None if the range is open."""
    calls: int

    @property
    def label(self) -> str:
        """The range, for example `5–10` or `600+`."""
        return f"{self.start}–{self.end}" if self.end else f"{self.start}+"


@dataclass(frozen=True, slots=True)
class RepeatCallers:
    """Completed calls, by whether the same number called again. The four counts add up to all completed calls."""

    hours: int
    """Number of hours in which a further call counts."""
    contained: int
    """Completed calls after which the number did not call again in time."""
    called_back: int
    """Completed calls after which the number called again in time."""
    too_recent: int
    """Completed calls without a further call so far, for which the hours had not yet passed when the data ended."""
    without_number: int
    """Completed calls of callers who withheld their number."""


@dataclass(frozen=True, slots=True)
class PreviousSpan:
    """The span of equal length before the report's span, for comparison."""

    span: Span
    outcomes: Outcomes
    changes: Mapping[Outcome, Change]
    """Change in each outcome's share of all calls."""


@dataclass(frozen=True, slots=True)
class ReportedFlow:
    """A flow whose calls are in the report."""

    call_flow: str | None
    """Value of `call_flow`; None if the items have no such attribute."""
    name: str
    """File name of the flow without its suffix, or `call_flow` if the flow is not available."""
    catalog: RouteCatalog | None = None
    flow: Flow | None = None
    """The flow itself, for drawing; None if it is not available."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """Report on the stops where callers gave up in a span of days."""

    source: str
    """Table, files or stack that the calls come from."""
    span: Span
    time_zone: str
    """IANA time zone of the days and hours."""
    created: datetime
    """Time of the report, in that time zone."""
    flows: tuple[ReportedFlow, ...]
    """Flows in the order of the stops: given flows, then other values of `call_flow` in the items."""
    outcomes: Outcomes
    """All calls in the span."""
    stops: tuple[Stop, ...]
    """Stops by flow, in the order of the catalog: parents before children, then unknown routes.

    Contains every route of a catalog, with zeros if no call reached it. Each call ended at exactly one stop.
    """
    unknown_routes: tuple[UnknownRoute, ...]
    waterfall: Waterfall
    versions: tuple[Variant, ...]
    """Versions of flows that have several in the span, by flow and first day."""
    arms: tuple[Variant, ...]
    """Arms of experiments, by flow and experiment. The one with the most calls comes first."""
    days: tuple[Day, ...]
    """One entry for each day in the span, after those for the previous span if it has calls."""
    hours: tuple[tuple[HourCount, ...], ...]
    """24 hours for each of the seven weekdays, starting with Monday."""
    durations: tuple[DurationBin, ...]
    """Durations of the calls that were abandoned in the flow, excluding calls without a duration."""
    repeat_callers: RepeatCallers | None
    repeat_callers_reason: str
    """Reason for unknown repeat callers (a key of `labels.REPEAT_REASONS`); empty if they are known."""
    previous: PreviousSpan
    confidence: float
    """Probability that all confidence intervals of the report together contain the true differences."""
    available: Span | None = None
    """First and last day of the call records in the files, if none of them is in the span."""

    @property
    def calls(self) -> int:
        """Number of calls in the span."""
        return self.outcomes.calls

    def stops_of(self, flow: ReportedFlow) -> tuple[Stop, ...]:
        """Returns the stops of a flow."""
        return tuple(stop for stop in self.stops if stop.call_flow == flow.call_flow)
