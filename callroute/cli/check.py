"""Implements `callroute check`, which lints flows."""

from __future__ import annotations

import json
from collections.abc import Sequence
from difflib import get_close_matches
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from callroute.cli import findings, output
from callroute.cli.exit_codes import FINDINGS
from callroute.cli.findings import Report
from callroute.cli.parameters import files_in
from callroute.errors import InputError
from callroute.flows import lint
from callroute.flows.load import LoadedFlow, load_flow
from callroute.formats.files import read_text


class Format(StrEnum):
    """Output formats of the findings."""

    text = "text"
    json = "json"
    sarif = "sarif"


def check(
    flows: Annotated[
        list[Path],
        typer.Argument(
            metavar="FLOW",
            help="Flow files (JSON in the Amazon Connect flow language), folders, or - for standard input.",
        ),
    ],
    output_format: Annotated[
        Format, typer.Option("--format", help="text for reading, json for programs, sarif for code scanning.")
    ] = Format.text,
    ignore: Annotated[
        list[str] | None, typer.Option(metavar="RULE", help="Skip this rule. Can be repeated.")
    ] = None,
) -> None:
    """Find problems in flows before they are deployed.

    Reports what Amazon Connect would reject, problems that callers would notice, and stops without a route. In folders
    and their subfolders, all JSON files that are flows are checked. If a flow has a route catalog beside it (menu.routes.yaml for
    menu.json), the two are compared. Flows that are checked together may read attributes that others of them set.

    Exit code: 0 if there are no findings or only notes, 1 if there are errors or warnings, 2 if a file cannot be used.
    """
    report = lint_files(flows, ignore or ())
    if output_format is Format.text:
        findings.write_text(report)
    else:
        render = findings.as_json if output_format is Format.json else findings.as_sarif
        output.write_document(render(report) + "\n")
    if any(finding.severity != "note" for finding in report.findings):
        raise typer.Exit(FINDINGS)


def lint_files(paths: Sequence[Path], ignore: Sequence[str] = ()) -> Report:
    """Checks flows together.

    Args:
        paths: files, folders, or - for standard input.
        ignore: identifiers of rules to skip.

    Raises:
        InputError: a file is not a flow, its route catalog is unusable, or an ignored rule does not exist.
    """
    rules = rules_except(ignore)
    loaded = load_all(paths)
    attributes = [lint.attributes_set(each.flow) for each in loaded]
    found = [
        finding
        for number, each in enumerate(loaded)
        for finding in lint.check(
            each.flow,
            each.catalog,
            set_elsewhere=frozenset().union(*attributes[:number], *attributes[number + 1 :]),
            rules=rules,
        )
    ]
    with_findings = {finding.file for finding in found}
    return Report(
        findings=found,
        files=[each.flow.source for each in loaded],
        places={
            each.flow.source: each.flow.positions for each in loaded if each.flow.source in with_findings
        },
        rules=rules,
    )


def rules_except(ignore: Sequence[str]) -> tuple[lint.Rule, ...]:
    """Returns the rules that are not ignored.

    Raises:
        InputError: an ignored rule does not exist.
    """
    known = [rule.id for rule in lint.RULES]
    for name in ignore:
        if name not in known:
            near = get_close_matches(name, known, n=1)
            fix = f"Did you mean {near[0]}?" if near else "The rules are listed in docs/checks.md"
            raise InputError("--ignore", "", f"rule {name!r} does not exist", fix)
    return tuple(rule for rule in lint.RULES if rule.id not in ignore)


def load_all(paths: Sequence[Path]) -> list[LoadedFlow]:
    """Loads each flow once. Skips JSON files in folders that are not flows.

    Raises:
        InputError: a file cannot be used, or a folder contains no flows.
    """
    loaded: dict[Path, LoadedFlow] = {}
    skipped = 0
    for path, in_folder in files_in(paths, (".json",)):
        if path in loaded:
            continue
        text = read_text(path) if in_folder else None
        if text is not None and not may_be_flow(text):
            skipped += 1
            continue
        loaded[path] = load_flow(path, text=text, lenient=True)
    if not loaded:
        raise InputError(
            ", ".join(map(str, paths)),
            "",
            "none of the JSON files is a flow",
            "Give a folder that contains flows",
        )
    if skipped:
        verb = "is not a flow" if skipped == 1 else "are not flows"
        output.note(f"note: skipped {output.counted(skipped, 'JSON file')} that {verb}")
    return list(loaded.values())


def may_be_flow(text: str) -> bool:
    """Returns whether a JSON file in a folder could be a flow. Broken JSON could be one, so its error is reported."""
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        return True
    return isinstance(document, dict) and not document.keys().isdisjoint(
        {"Actions", "StartAction", "modules"}
    )
