"""Implements `callroute check`, which lints flows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import click
from click.exceptions import Exit

from callroute.cli import output
from callroute.cli.exit_codes import FINDINGS
from callroute.cli.input_files import files_in, load
from callroute.cli.parameters import FILE, general_options, type_option
from callroute.errors import InputError
from callroute.flows import lint
from callroute.flows.lint.config import CheckConfig, Ignore, ignores_in, read_baseline, require_rule
from callroute.flows.lint.config import write_baseline as write_baseline_file
from callroute.flows.lint.report import Report, as_json, as_sarif, fingerprints
from callroute.flows.load import LoadedFlow, may_be_flow
from callroute.formats.files import read_text
from callroute.formats.json_document import printable

STYLES = {"error": "bold red", "warning": "bold yellow", "note": "bold cyan"}


@click.command
@click.argument(
    "flows",
    metavar="FLOW...",
    nargs=-1,
    required=True,
    type=FILE,
    help="Flow files (JSON in the Amazon Connect flow language), folders, or - for standard input.",
)
@click.option(
    "--format",
    "output_format",
    type=click.Choice(["text", "json", "sarif"]),
    default="text",
    help="text for reading, json for programs, sarif for code scanning.",
)
@type_option
@click.option("--ignore", metavar="RULE", multiple=True, help="Skip this rule. Can be repeated.")
@click.option(
    "--allow-block",
    metavar="TYPE",
    multiple=True,
    help="Accept a block type that is new in Connect. Can be repeated.",
)
@click.option(
    "--baseline",
    metavar="FILE",
    type=FILE,
    help="Report only findings that are not in this file. By default, the baseline in the settings.",
)
@click.option(
    "--write-baseline",
    metavar="FILE",
    type=FILE,
    help="Write the findings to this file, so that later runs report only new ones.",
)
@general_options
def check(
    flows: tuple[Path, ...],
    output_format: str,
    flow_type: str | None,
    ignore: tuple[str, ...],
    allow_block: tuple[str, ...],
    baseline: Path | None,
    write_baseline: Path | None,
) -> None:
    """Find problems in flows before they are deployed.

    Reports what Amazon Connect would reject, problems that callers would notice, and stops without a route.
    Checks every flow among the JSON files in folders and their subfolders. If a flow has a route catalog
    beside it (menu.routes.yaml for menu.json), the two are compared. Flows that are checked together may read
    attributes that any of them sets.

    Settings in callroute.toml or pyproject.toml allow block types and ignore findings with a reason (docs/checks.md).

    Exit code: 0 if there are no findings or only notes, 1 if there are errors, warnings or unused ignores, 2 if a file
    cannot be used.
    """
    settings = CheckConfig.find(Path.cwd(), [rule.id for rule in lint.RULES])
    report = lint_files(flows, ignore, flow_type, (*settings.allowed_types, *allow_block))
    report, unused = without_ignored(report, settings)
    if write_baseline is not None:
        write_baseline_file(write_baseline, identified(report, settings))
        output.note(f"{output.counted(len(report.findings), 'finding')} in {write_baseline}")
        return
    if path := baseline or settings.baseline:
        known = read_baseline(path)
        new = [
            each
            for each, file, fingerprint in identified(report, settings)
            if (file, fingerprint) not in known
        ]
        report = replace(report, findings=new)
    for each in unused:
        output.error(f"{each.place}: this ignore matches no findings of {each.rule}. Remove it.")
    if output_format == "text":
        write_findings(report)
    else:
        render = as_json if output_format == "json" else as_sarif
        output.write_document(render(report) + "\n")
    if unused or any(finding.severity != "note" for finding in report.findings):
        raise Exit(FINDINGS)


def identified(report: Report, settings: CheckConfig) -> Iterator[tuple[lint.Finding, str, str]]:
    """Yields each finding, the path of its file relative to the settings file, and its fingerprint."""
    for finding, fingerprint in zip(report.findings, fingerprints(report.findings), strict=True):
        yield finding, settings.relative(Path(finding.file)), fingerprint


def without_ignored(report: Report, settings: CheckConfig) -> tuple[Report, list[Ignore]]:
    """Removes findings that the settings or the flows themselves ignore.

    Returns:
        The remaining report, and the ignores that match no finding even though their files were checked.
    """
    rules = [rule.id for rule in lint.RULES]
    applied = {rule.id for rule in report.rules}
    names = {file: settings.relative(Path(file)) for file in report.files}
    ignores = [
        (each, file)
        for file, name in names.items()
        for each in (*settings.ignores, *ignores_in(report.flows[file], rules))
        if each.applies_to(name) and each.rule in applied
    ]
    used: set[Ignore] = set()
    kept = []
    for finding in report.findings:
        matching = [
            each
            for each, file in ignores
            if file == finding.file and each.matches(finding, names[finding.file])
        ]
        used.update(matching)
        if not matching:
            kept.append(finding)
    unused = dict.fromkeys(each for each, _ in ignores if each not in used)
    return replace(report, findings=kept), list(unused)


def lint_files(
    paths: Sequence[Path],
    ignore: Sequence[str] = (),
    flow_type: str | None = None,
    allowed_types: Sequence[str] = (),
) -> Report:
    """Checks a set of flows together, so that rules can follow references between them.

    Args:
        paths: files, folders, or - for standard input.
        ignore: identifiers of rules to skip.
        flow_type: type of all these flows (see KINDS).
        allowed_types: unknown block types to accept.

    Raises:
        InputError: a file is not a flow, its route catalog is unusable, or an ignored rule does not exist.
    """
    rules = rules_except(ignore)
    loaded = load_all(paths, flow_type)
    attributes = [lint.attributes_set(each.flow) for each in loaded]
    links = lint.FlowLinks((each.flow, each.identifiers) for each in loaded)
    found = [
        finding
        for number, each in enumerate(loaded)
        for finding in lint.check(
            each.flow,
            each.catalog,
            set_elsewhere=None
            if len(loaded) == 1
            else frozenset().union(*attributes[:number], *attributes[number + 1 :]),
            allowed_types=allowed_types,
            rules=rules,
            links=links,
        )
    ]
    with_findings = {finding.file for finding in found}
    return Report(
        findings=found,
        files=[each.flow.source for each in loaded],
        places={each.flow.source: each.positions for each in loaded if each.flow.source in with_findings},
        rules=rules,
        flows={each.flow.source: each.flow for each in loaded},
    )


def write_findings(report: Report) -> None:
    """Writes the findings as text, followed by the number of findings at each severity.

    With --quiet, writes only errors and warnings.
    """
    for finding in report.findings:
        if output.options.quiet and finding.severity == "note":
            continue
        position = report.position_of(finding)
        output.write(
            f"{finding.file}:{position.line}:{position.column}: ",
            (finding.severity, STYLES[finding.severity]),
            (f" {finding.rule}", "bold"),
            printable(f" [{finding.block}]" if finding.block else ""),
            (printable(f" {finding.path}"), "dim"),
        )
        output.write(printable(finding.message), margin=["    "])
        output.write((printable(finding.hint), "dim"), margin=["    "])
    if output.options.quiet:
        return
    counts: Counter[str] = Counter(finding.severity for finding in report.findings)
    found = ", ".join(output.counted(counts[severity], severity) for severity in STYLES if counts[severity])
    output.write(f"{output.counted(len(report.files), 'flow')} checked: {found or 'no findings'}.")


def rules_except(ignore: Sequence[str]) -> tuple[lint.Rule, ...]:
    """Returns the rules that are not ignored.

    Raises:
        InputError: an ignored rule does not exist.
    """
    known = [rule.id for rule in lint.RULES]
    for name in ignore:
        require_rule(name, known, "--ignore")
    return tuple(rule for rule in lint.RULES if rule.id not in ignore)


def load_all(paths: Sequence[Path], flow_type: str | None = None) -> list[LoadedFlow]:
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
        loaded[path] = load(path, text=text, lenient=True, flow_type=flow_type)
    if not loaded:
        source = ", ".join(map(str, paths))
        raise InputError(source, "", "none of the JSON files is a flow", "Pass a folder that contains flows")
    if skipped:
        verb = "is not a flow" if skipped == 1 else "are not flows"
        output.note(f"note: skipped {output.counted(skipped, 'JSON file')} that {verb}")
    return list(loaded.values())
