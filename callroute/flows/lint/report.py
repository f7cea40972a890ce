"""Renders lint findings as JSON and SARIF."""

from __future__ import annotations

import dataclasses
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from callroute.flows.flow import Flow
from callroute.flows.lint import Finding, Rule
from callroute.formats.json_document import JsonStyle, Position

# Code scanning shows how likely a result is to be correct. Errors are certain; warnings and notes estimate the
# effect on callers.
_PRECISION = {"error": "high", "warning": "medium", "note": "medium"}
_BLOCK = re.compile(r"^\$\.Actions\[\d+\]")
_LAYOUT = JsonStyle(final_newline=False)
_SARIF_SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"


@dataclass(frozen=True)
class Report:
    """The result of a check run.

    Attributes:
        findings: findings, ordered by file and block.
        files: all files that were checked.
        places: position of each JSON path, by file with findings.
        rules: the rules that were applied.
        flows: the flows, by file.
    """

    findings: Sequence[Finding]
    files: Sequence[str]
    places: Mapping[str, Mapping[str, Position]]
    rules: Sequence[Rule]
    flows: Mapping[str, Flow]

    def position_of(self, finding: Finding) -> Position:
        """Returns the position of a finding. If something is missing, returns the position of its parent."""
        known, path = self.places[finding.file], finding.path
        while path not in known:
            path = path[: max(path.rfind("."), path.rfind("["))]
        return known[path]


def as_json(report: Report) -> str:
    """Returns `{"findings": [{rule, severity, file, block, path, message, hint, line, column}]}`."""
    findings = []
    for finding in report.findings:
        position = report.position_of(finding)
        findings.append({**dataclasses.asdict(finding), "line": position.line, "column": position.column})
    return _LAYOUT.write({"findings": findings})


def as_sarif(report: Report) -> str:
    """Returns SARIF 2.1.0 with one run, which lists all rules that were applied.

    Includes every property required by GitHub's "SARIF support for code scanning" (docs/fidelity.md).
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
                "locations": [_location(finding, report.position_of(finding))],
                "partialFingerprints": {"primaryLocationLineHash": fingerprint},
            }
            for finding, fingerprint in zip(report.findings, fingerprints(report.findings), strict=True)
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
            "text": f"{rule.description}\n\n{source} Skip this rule with `callroute check --ignore {rule.id}`."
        },
        "defaultConfiguration": {"level": rule.severity},
        "properties": {
            "tags": ["amazon-connect"],
            "precision": _PRECISION[rule.severity],
            "problem.severity": "recommendation" if rule.severity == "note" else rule.severity,
        },
    }


def fingerprints(findings: Iterable[Finding]) -> Iterator[str]:
    """Yields a fingerprint for each finding that stays the same when other parts of the file change.

    By default, code scanning computes it from the line's text, but many lines in a flow are identical.
    """
    import hashlib  # only for SARIF: it takes time to import

    seen: Counter[tuple[str, str]] = Counter()
    for finding in findings:
        # The index of a block changes with each block before it. Findings about the whole flow have no block.
        within = _BLOCK.sub("", finding.path) if finding.block else finding.message
        identity = "\n".join((finding.rule, finding.block or "", within))
        code = hashlib.sha256(identity.encode(errors="surrogatepass")).hexdigest()[:16]
        seen[finding.file, code] += 1
        yield f"{code}:{seen[finding.file, code]}"


def _location(finding: Finding, position: Position) -> dict[str, Any]:
    logical = {"fullyQualifiedName": finding.path, "kind": "member"}
    if finding.block:
        logical["name"] = finding.block
    return {
        "physicalLocation": {
            "artifactLocation": {"uri": _uri(finding.file)},
            "region": {
                "startLine": position.line,
                "startColumn": position.column,
                "endLine": position.line,
                "endColumn": position.end,
            },
        },
        "logicalLocations": [logical],
    }


def _uri(file: str) -> str:
    """Returns the path relative to the current folder, which code scanning assumes is the repository root."""
    path, here = Path(file).resolve(), Path.cwd().resolve()
    return quote(path.relative_to(here).as_posix()) if path.is_relative_to(here) else path.as_uri()
