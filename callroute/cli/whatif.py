"""Implements `callroute whatif`, which estimates what callers would do in a changed flow."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from callroute.cli import output
from callroute.cli.call_sources import SourceOptions, choose_source, source_options, span_of
from callroute.cli.output import Column
from callroute.cli.parameters import FILE, NumberRange, general_options, json_option, project_option
from callroute.errors import InputError
from callroute.flows.attribute_flow import CALL_FLOW, FLOW_VERSION, attributes_of
from callroute.flows.load import LoadedFlow, load_flow
from callroute.flows.references import paths_in
from callroute.flows.stop_graph import StopGraph
from callroute.reports.report import OUTCOMES, Language, Span

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from callroute.reports.behavior import Journey
    from callroute.reports.call_database import CallDatabase, JourneyCount
    from callroute.reports.changed_flow import Remark
    from callroute.reports.whatif import Comparison, Range, WhatIf

UNCHANGED = 1e-9
"""Largest change in a share that counts as a rounding error."""
NARROW = 110
"""Minimum number of terminal columns to show the intervals of stops."""
TEXT: Mapping[str, Mapping[Language, str]] = {
    "title": {"en": "What if", "ja": "フロー変更の影響予測"},
    "calls": {"en": "calls", "ja": "件の通話"},
    "outcome": {"en": "outcome", "ja": "結果"},
    "stop": {"en": "stop", "ja": "停止箇所"},
    "reached": {"en": "reached %", "ja": "到達率"},
    "left": {"en": "left %", "ja": "離脱率"},
    "before": {"en": "before", "ja": "変更前"},
    "after": {"en": "after", "ja": "変更後"},
    "change": {"en": "change", "ja": "増減"},
    "interval": {"en": "{percent:g}% interval", "ja": "{percent:g}%区間"},
    "assumptions": {"en": "Assumptions", "ja": "前提"},
}


@click.command
@click.argument("old", metavar="OLD", type=FILE, help="Flow that handled the calls.")
@click.argument("new", metavar="NEW", type=FILE, help="Changed version of the flow.")
@click.option(
    "--items",
    "files",
    metavar="FILE",
    multiple=True,
    type=FILE,
    help="File or folder of call records that `callroute report` can read. Can be repeated.",
)
@source_options
@click.option(
    "--assume",
    "assumptions",
    metavar="ASSUMPTION",
    multiple=True,
    help="Assumption about callers that past calls do not show: NEW=OLD, STOP=NAME=60%,leave=40%, MENU/GONE=NAME or "
    "MENU/NEW=10%. Can be repeated.",
)
@click.option(
    "--interval",
    "percent",
    metavar="PERCENT",
    type=NumberRange(50, 99.9),
    default=90,
    help="Probability that an interval contains the true value.",
)
@click.option(
    "--samples", metavar="N", type=click.IntRange(20, 100_000), default=1000, help="Bootstrap samples."
)
@click.option("--seed", metavar="N", type=int, default=1, help="The same seed gives the same intervals.")
@click.option(
    "--lang", "language", type=click.Choice(["en", "ja"]), default="en", help="Language of the output."
)
@json_option
@project_option
@general_options
def whatif(
    old: Path,
    new: Path,
    files: tuple[Path, ...],
    options: SourceOptions,
    assumptions: tuple[str, ...],
    percent: float,
    samples: int,
    seed: int,
    language: Language,
    as_json: bool,
    project: Path | None,
) -> None:
    """Estimate what callers would do in a changed version of a flow.

    Callers are assumed to choose the same stops, even if other keys lead there now. If past calls do not show what callers
    would do, the command lists the missing assumptions. docs/whatif.md explains the method.

    Exit code: 0, or 2 if a file cannot be used or an assumption is missing.
    """
    before, after = load_flow(old), load_flow(new)
    graphs = StopGraph(before.flow), StopGraph(after.flow)
    for path, graph in zip((old, new), graphs, strict=True):
        if not graph.stops:
            raise InputError(str(path), "", "the flow does not set call_route", "Run `callroute track` on it")
    source = choose_source("whatif", files, options, project)
    span = span_of(options.first, options.last, source.time_zone)

    from callroute.reports.call_database import CallDatabase
    from callroute.reports.changed_flow import Remark
    from callroute.reports.whatif import what_if

    with CallDatabase(span, compared=False) as database:
        source.load(database)
        observed = _observed(database, before, source.name)
    with output.progress("Estimating …"):
        found = what_if(
            observed.calls,
            *graphs,
            assumptions,
            detail=observed.detail,
            confidence=percent / 100,
            samples=samples,
            seed=seed,
        )
    remarks = [
        Remark("behavior", {}),
        Remark("checks", {}),
        *observed.remarks,
        *found.remarks,
        *(Remark("given", {"text": text}) for text in assumptions),
    ]
    labels = {
        route: entry.ja if language == "ja" else entry.en
        for flow in (before, after)
        if flow.catalog
        for route, entry in flow.catalog.routes.items()
    }
    heading = _Heading(str(old), str(new), source.name, span, source.time_zone)
    if as_json:
        settings = {"confidence": percent / 100, "samples": samples, "seed": seed}
        output.write_json(_document(heading, found, remarks, labels, settings, language))
    else:
        _write(heading, found, remarks, labels, percent, language)


# --- Calls -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Observed:
    """Calls to the old flow.

    Attributes:
        calls: number of calls with each path.
        detail: whether the calls contain trouble.
        remarks: assumptions about the calls.
    """

    calls: Counter[Journey]
    detail: bool
    remarks: list[Remark]


def _observed(database: CallDatabase, flow: LoadedFlow, source: str) -> _Observed:
    """Returns the calls to a flow.

    If any call has this version of the flow, calls with other versions are left out. If any of the remaining calls have
    detail, those without it are left out.

    Raises:
        InputError: there are no calls of the flow, or their paths are not known.
    """
    from callroute.reports.behavior import journey
    from callroute.reports.changed_flow import Remark

    call_flow, span = _call_flow(flow), database.span
    found = [each for each in database.journeys() if each.call_flow == call_flow]
    if not found:
        others = sorted({each.call_flow or "" for each in database.journeys()})
        which = f"call_flow {call_flow!r}" if call_flow else "no call_flow"
        problem = f"no call from {span.first} to {span.last} has {which}"
        fix = "Choose other days with --from and --to"
        if others:
            fix = f"Pass the flow of these calls: {', '.join(map(repr, others))}"
        elif available := database.available():
            fix = f"Choose days from {available.first} to {available.last} with --from and --to"
        raise InputError(source, "", problem, fix)
    remarks = []
    versions = _constants(flow, FLOW_VERSION)
    same = [each for each in found if each.flow_version in versions]
    if same and len(same) < len(found):
        left_out = _number(found) - _number(same)
        remarks.append(Remark("other_versions", {"calls": f"{left_out:,}"}))
        found = same
    elif not same and versions and any(each.flow_version for each in found):
        remarks.append(Remark("all_versions", {}))
    detailed = [each for each in found if each.visits is not None]
    catalog = flow.catalog
    if not detailed and not (catalog and any(route.parent for route in catalog.routes.values())):
        problem = "no call has detail, and the flow has no route catalog with the tree of its stops"
        fix = "Track the flow with `callroute track --detail`, or put its catalog beside it"
        raise InputError(str(flow.path), "", problem, fix)
    calls: Counter[Journey] = Counter()
    for each in detailed or found:
        calls[journey(each.route, each.outcome, each.visits, catalog)] += each.calls
    if not detailed:
        remarks.append(Remark("no_detail", {}))
    elif len(detailed) < len(found):
        left_out = _number(found) - _number(detailed)
        remarks.append(Remark("left_out", {"calls": f"{left_out:,}"}))
    return _Observed(calls, bool(detailed), remarks)


def _number(counts: Iterable[JourneyCount]) -> int:
    return sum(each.calls for each in counts)


def _call_flow(flow: LoadedFlow) -> str | None:
    """Returns the `call_flow` that a flow sets or, if it sets none, the one in its catalog."""
    values = _constants(flow, CALL_FLOW)
    if len(values) == 1:
        return values.pop()
    return flow.catalog.call_flow if flow.catalog else None


def _constants(flow: LoadedFlow, attribute: str) -> set[str]:
    """Returns the constant values that a flow sets for a contact attribute."""
    given = (attributes_of(block).get(attribute) for block in flow.flow.blocks.values())
    return {str(value) for value in given if value is not None and not paths_in(str(value))}


# --- Output ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Heading:
    old: str
    new: str
    source: str
    span: Span
    time_zone: str


def _document(
    heading: _Heading,
    found: WhatIf,
    remarks: Sequence[Remark],
    labels: dict[str, str],
    settings: dict[str, Any],
    language: Language,
) -> dict[str, Any]:
    from callroute.reports.whatif_texts import remark_text

    return {
        "old": heading.old,
        "new": heading.new,
        "source": heading.source,
        "from": heading.span.first.isoformat(),
        "to": heading.span.last.isoformat(),
        "time_zone": heading.time_zone,
        "calls": found.calls,
        **settings,
        "outcomes": {outcome: _compared(found.outcomes[outcome]) for outcome in OUTCOMES},
        "stops": [
            {
                "route": stop.route,
                "label": labels.get(stop.route, stop.route),
                "reached": _compared(stop.reached),
                "left": _compared(stop.left),
            }
            for stop in found.stops
        ],
        "assumptions": [remark_text(remark, language) for remark in remarks],
    }


def _compared(comparison: Comparison) -> dict[str, Any]:
    return {
        "before": comparison.before,
        "after": comparison.after._asdict(),
        "change": comparison.change._asdict(),
    }


def _write(
    heading: _Heading,
    found: WhatIf,
    remarks: Sequence[Remark],
    labels: dict[str, str],
    percent: float,
    language: Language,
) -> None:
    from callroute.reports.labels import OUTCOME_LABELS
    from callroute.reports.whatif_texts import remark_text

    text = {key: label[language].format(percent=percent) for key, label in TEXT.items()}
    calls = output.counted(found.calls, "call") if language == "en" else f"{found.calls:,} {text['calls']}"
    output.write((text["title"], "bold"), f": {heading.old} → {heading.new}")
    output.write(
        f"{heading.source}, {heading.span.first} – {heading.span.last} ({heading.time_zone}): {calls}"
    )
    output.write("")
    compared = ("before", "after", "interval", "change", "interval")
    output.write_table(
        [Column(text["outcome"]), *(Column(text[key], right=True) for key in compared)],
        [(OUTCOME_LABELS[each][language], *_cells(found.outcomes[each])) for each in OUTCOMES],
    )
    output.write("")
    shown = range(len(compared)) if output.width() >= NARROW else (0, 1, 3)
    headings = ("left", *compared[1:])
    output.write_table(
        [
            Column(text["stop"]),
            *(
                Column(text[key], right=True)
                for key in ("reached", "after", *(headings[each] for each in shown))
            ),
        ],
        [
            (
                labels.get(stop.route, stop.route),
                *_cells(stop.reached)[:2],
                *(_cells(stop.left)[each] for each in shown),
            )
            for stop in found.stops
        ],
    )
    output.write("")
    output.write((text["assumptions"], "bold"))
    for remark in remarks:
        output.write(remark_text(remark, language), margin=["- "])


def _cells(comparison: Comparison) -> tuple[str, ...]:
    """Returns the share before and after with its interval, and the change with its interval, as table cells."""
    change = comparison.change
    changed = any(abs(each or 0) > UNCHANGED for each in change)
    return (
        _percent(comparison.before),
        _percent(comparison.after.value),
        _interval(comparison.after),
        f"{_points(change.value):+.1f}" if changed and change.value is not None else "·",
        _interval(change, "+") if changed else "",
    )


def _percent(share: float | None) -> str:
    return "·" if share is None else f"{100 * share:.1f}%"


def _points(share: float) -> float:
    """Returns percentage points without a negative zero."""
    return round(100 * share, 1) + 0.0


def _interval(found: Range, sign: str = "") -> str:
    if found.low is None or found.high is None:
        return ""
    return f"{_points(found.low):{sign}.1f} – {_points(found.high):{sign}.1f}"
