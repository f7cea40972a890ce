"""`callroute check`: what is wrong with flows, before anything touches an instance."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import get_close_matches
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from callroute.cli import finding_formats
from callroute.cli.finding_formats import Report
from callroute.errors import InputError
from callroute.flows import lint
from callroute.flows.flow import Flow
from callroute.flows.route_catalog import RouteCatalog
from callroute.formats.files import read_text

FINDINGS = 1
"""Exit code where something is to be done; notes are not."""


class Format(StrEnum):
    """How findings are printed."""

    text = "text"
    json = "json"
    sarif = "sarif"


def check(
    flows: Annotated[
        list[Path],
        typer.Argument(metavar="FLOW…", help="Flows, in Connect's flow language.", show_default=False),
    ],
    output: Annotated[
        Format, typer.Option("--format", help="For people, for programs, or for code scanning.")
    ] = Format.text,
    ignore: Annotated[
        list[str] | None, typer.Option(metavar="RULE", help="Leave out a rule; may be given more than once.")
    ] = None,
) -> None:
    """Find problems in flows: what Connect would refuse, what callers would suffer, stops without a route.

    A route catalog beside a flow (FLOW without .json, with .routes.yaml) is taken into account. Flows that are given
    together may set attributes for each other. Exit code 0: nothing but notes; 1: errors or warnings; 2: a file is
    unusable.
    """
    report = examine(flows, ignore or ())
    if output is Format.text:
        finding_formats.print_text(report)
    else:
        write = finding_formats.as_json if output is Format.json else finding_formats.as_sarif
        typer.echo(write(report))
    if any(finding.severity != "note" for finding in report.findings):
        raise typer.Exit(FINDINGS)


def examine(paths: Sequence[Path], ignore: Sequence[str] = ()) -> Report:
    """Checks flows together.

    Args:
        paths: their files.
        ignore: identifiers of rules to leave out.

    Raises:
        InputError: a file is not a flow, its route catalog is unusable, or there is no such rule.
    """
    known = [rule.id for rule in lint.RULES]
    for name in ignore:
        if name not in known:
            near = get_close_matches(name, known, n=1)
            raise InputError(
                "--ignore",
                "",
                f"there is no rule {name!r}",
                f"Did you mean {near[0]}?" if near else "See docs/checks.md",
            )
    rules = tuple(rule for rule in lint.RULES if rule.id not in ignore)
    flows = {path: Flow.parse_lenient(read_text(path), str(path)) for path in paths}
    catalogs = {path: RouteCatalog.beside(path) for path in flows}
    attributes = {path: lint.attributes_set(flow) for path, flow in flows.items()}
    findings = [
        finding
        for path, flow in flows.items()
        for finding in lint.check(
            flow,
            catalogs[path],
            set_elsewhere=frozenset().union(*(attributes[other] for other in flows if other != path)),
            rules=rules,
        )
    ]
    marked = {finding.file for finding in findings}
    return Report(
        findings=findings,
        files=[str(path) for path in flows],
        places={str(path): flow.positions for path, flow in flows.items() if str(path) in marked},
        rules=rules,
    )
