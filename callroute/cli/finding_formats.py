"""How findings are written: as text, JSON and SARIF. None of them knows a rule."""

from __future__ import annotations

import dataclasses
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import PurePath
from typing import Any
from urllib.parse import quote

from rich.console import Console
from rich.text import Text

from callroute.flows.checks import Finding, Rule

_STYLES = {"error": "bold red", "warning": "bold yellow", "note": "bold cyan"}
_SARIF_SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"


@dataclass(frozen=True)
class Report:
    """What a run found.

    Attributes:
        findings: in the order of the files, then of their blocks.
        files: all that were checked.
        lines: by file with findings, the line of each JSON path.
        rules: those that were applied.
    """

    findings: Sequence[Finding]
    files: Sequence[str]
    lines: Mapping[str, Mapping[str, int]]
    rules: Sequence[Rule]

    def line_of(self, finding: Finding) -> int:
        """The line on which what was found begins; for what is missing, where it should be."""
        known, path = self.lines[finding.file], finding.path
        while path not in known:
            path = path[: max(path.rfind("."), path.rfind("["))]
        return known[path]


def print_text(report: Report) -> None:
    """Findings for people, by file, and how many there are of each severity."""
    console = Console(highlight=False, soft_wrap=True)
    for file, findings in groupby(report.findings, key=lambda finding: finding.file):
        for finding in findings:
            console.print(
                Text.assemble(
                    f"{file}:{report.line_of(finding)}: ",
                    (finding.severity, _STYLES[finding.severity]),
                    (f" {finding.rule}", "bold"),
                    f" [{finding.block}]" if finding.block else "",
                )
            )
            console.print(Text(f"    {finding.message}"))
            console.print(Text(f"    {finding.hint}", "dim"))
    counts: Counter[str] = Counter(finding.severity for finding in report.findings)
    found = ", ".join(_count(counts[severity], severity) for severity in _STYLES if counts[severity])
    console.print(Text(f"{_count(len(report.files), 'flow')} checked: {found or 'no findings'}."))


def _count(number: int, name: str) -> str:
    return f"{number} {name}" if number == 1 else f"{number} {name}s"


def as_json(report: Report) -> str:
    """`{"findings": [{rule, severity, file, block, path, message, hint, line}]}`."""
    findings = [
        {**dataclasses.asdict(finding), "line": report.line_of(finding)} for finding in report.findings
    ]
    return json.dumps({"findings": findings}, ensure_ascii=False, indent=2)


def as_sarif(report: Report) -> str:
    """SARIF 2.1.0, as code scanning takes it: one run, with all rules that were applied."""
    index = {rule.id: number for number, rule in enumerate(report.rules)}
    run = {
        "tool": {
            "driver": {
                "name": "callroute",
                "rules": [
                    {
                        "id": rule.id,
                        "shortDescription": {"text": rule.description},
                        "defaultConfiguration": {"level": rule.severity},
                        "properties": {"source": rule.source},
                    }
                    for rule in report.rules
                ],
            }
        },
        "columnKind": "unicodeCodePoints",
        "results": [
            {
                "ruleId": finding.rule,
                "ruleIndex": index[finding.rule],
                "level": finding.severity,
                "message": {"text": f"{finding.message} {finding.hint}"},
                "locations": [_location(finding, report.line_of(finding))],
            }
            for finding in report.findings
        ],
    }
    document = {"$schema": _SARIF_SCHEMA, "version": "2.1.0", "runs": [run]}
    return json.dumps(document, ensure_ascii=False, indent=2)


def _location(finding: Finding, line: int) -> dict[str, Any]:
    logical = {"fullyQualifiedName": finding.path, "kind": "member"}
    if finding.block:
        logical["name"] = finding.block
    path = PurePath(finding.file)
    return {
        "physicalLocation": {
            # A relative path is one in the repository, which is how code scanning finds the file.
            "artifactLocation": {"uri": path.as_uri() if path.is_absolute() else quote(path.as_posix())},
            "region": {"startLine": line},
        },
        "logicalLocations": [logical],
    }
