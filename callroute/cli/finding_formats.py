"""How findings are written: as text, JSON and SARIF. None of them knows a rule."""

from __future__ import annotations

import dataclasses
import hashlib
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any
from urllib.parse import quote

from rich.console import Console
from rich.text import Text

from callroute.cli import output
from callroute.flows.lint import Finding, Rule
from callroute.formats.json_document import JsonStyle, Position, printable

_STYLES = {"error": "bold red", "warning": "bold yellow", "note": "bold cyan"}
# How often a finding is one, for code scanning: warnings and notes weigh what callers would suffer, errors what is there.
_PRECISION = {"error": "high", "warning": "medium", "note": "medium"}
_BLOCK = re.compile(r"^\$\.Actions\[\d+\]")
_LAYOUT = JsonStyle(final_newline=False)
_SARIF_SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"


@dataclass(frozen=True)
class Report:
    """What a run found.

    Attributes:
        findings: in the order of the files, then of their blocks.
        files: all that were checked.
        places: by file with findings, where each JSON path begins.
        rules: those that were applied.
    """

    findings: Sequence[Finding]
    files: Sequence[str]
    places: Mapping[str, Mapping[str, Position]]
    rules: Sequence[Rule]

    def place_of(self, finding: Finding) -> Position:
        """Where what was found begins; for what is missing, where it should be."""
        known, path = self.places[finding.file], finding.path
        while path not in known:
            path = path[: max(path.rfind("."), path.rfind("["))]
        return known[path]


def print_text(report: Report) -> None:
    """Findings for people, by file, and how many there are of each severity."""
    console = Console(highlight=False, soft_wrap=True)
    for file, findings in groupby(report.findings, key=lambda finding: finding.file):
        for finding in findings:
            place = report.place_of(finding)
            console.print(
                Text.assemble(
                    f"{file}:{place.line}:{place.column}: ",
                    (finding.severity, _STYLES[finding.severity]),
                    (f" {finding.rule}", "bold"),
                    printable(f" [{finding.block}]" if finding.block else ""),
                    (printable(f" {finding.path}"), "dim"),
                )
            )
            console.print(Text(printable(f"    {finding.message}")))
            console.print(Text(printable(f"    {finding.hint}"), "dim"))
    counts: Counter[str] = Counter(finding.severity for finding in report.findings)
    found = ", ".join(output.counted(counts[severity], severity) for severity in _STYLES if counts[severity])
    console.print(Text(f"{output.counted(len(report.files), 'flow')} checked: {found or 'no findings'}."))


def as_json(report: Report) -> str:
    """`{"findings": [{rule, severity, file, block, path, message, hint, line, column}]}`."""
    findings = []
    for finding in report.findings:
        place = report.place_of(finding)
        findings.append({**dataclasses.asdict(finding), "line": place.line, "column": place.column})
    return _LAYOUT.write({"findings": findings})


def as_sarif(report: Report) -> str:
    """SARIF 2.1.0 with all that code scanning asks for: one run, with all rules that were applied.

    Source: GitHub's "SARIF support for code scanning"; what it calls required is there (docs/fidelity.md).
    """
    index = {rule.id: number for number, rule in enumerate(report.rules)}
    run = {
        "tool": {"driver": {"name": "callroute", "rules": [_rule(rule) for rule in report.rules]}},
        "columnKind": "unicodeCodePoints",
        "results": [
            {
                "ruleId": finding.rule,
                "ruleIndex": index[finding.rule],
                "level": finding.severity,
                "message": {"text": f"{finding.message} {finding.hint}"},
                "locations": [_location(finding, report.place_of(finding))],
                "partialFingerprints": {"primaryLocationLineHash": fingerprint},
            }
            for finding, fingerprint in zip(report.findings, _fingerprints(report.findings), strict=True)
        ],
    }
    document = {"$schema": _SARIF_SCHEMA, "version": "2.1.0", "runs": [run]}
    return _LAYOUT.write(document)


def _rule(rule: Rule) -> dict[str, Any]:
    source = f"Source: {rule.source}."
    return {
        "id": rule.id,
        "shortDescription": {"text": rule.description},
        "fullDescription": {"text": f"{rule.description} {source}"},
        "help": {
            "text": f"{rule.description}\n\n{source} `callroute check --ignore {rule.id}` leaves it out."
        },
        "defaultConfiguration": {"level": rule.severity},
        "properties": {
            "tags": ["amazon-connect"],
            "precision": _PRECISION[rule.severity],
            "problem.severity": "recommendation" if rule.severity == "note" else rule.severity,
        },
    }


def _fingerprints(findings: Iterable[Finding]) -> Iterator[str]:
    """What makes a finding the same one in another version of the file: its rule, its block and the place in that.

    Code scanning would take the text of the line instead, and lines of flows are much alike.
    """
    seen: Counter[tuple[str, str]] = Counter()
    for finding in findings:
        # A block's number changes with every block before it, and what concerns the whole flow has no place.
        within = _BLOCK.sub("", finding.path) if finding.block else finding.message
        identity = "\n".join((finding.rule, finding.block or "", within))
        code = hashlib.sha256(identity.encode(errors="surrogatepass")).hexdigest()[:16]
        seen[finding.file, code] += 1
        yield f"{code}:{seen[finding.file, code]}"


def _location(finding: Finding, place: Position) -> dict[str, Any]:
    logical = {"fullyQualifiedName": finding.path, "kind": "member"}
    if finding.block:
        logical["name"] = finding.block
    return {
        "physicalLocation": {
            "artifactLocation": {"uri": _uri(finding.file)},
            "region": {
                "startLine": place.line,
                "startColumn": place.column,
                "endLine": place.line,
                "endColumn": place.end,
            },
        },
        "logicalLocations": [logical],
    }


def _uri(file: str) -> str:
    """A file as code scanning knows it: its path in the repository, in whose folder the command runs; links resolved."""
    path, here = Path(file).resolve(), Path.cwd().resolve()
    return quote(path.relative_to(here).as_posix()) if path.is_relative_to(here) else path.as_uri()
