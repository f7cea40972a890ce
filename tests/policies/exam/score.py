"""Runs the pack on every case of the exam and counts what it catches and what it refuses.

`python -m tests.policies.exam.score` prints the figures, and with `--verbose` the finding for every case.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass

from tests.policies.exam.cases import PROJECT, STACK, Case, Kind, kinds
from tests.policies.pack import Pack, Violation

ENVIRONMENT = {
    "PULUMI_ORGANIZATION": "organization",
    "PULUMI_PROJECT": PROJECT,
    "PULUMI_STACK": STACK,
    "PULUMI_DRY_RUN": "true",
}
TAGS = "resources-have-required-tags"
UNSURE = "unsure"

# A design decision of this project, unrelated to the violations of the exam.
NEVER_COUNTED = frozenset({"no-lambda"})


@dataclass(frozen=True)
class Result:
    """The findings for one case."""

    case: Case
    findings: tuple[Violation, ...]

    @property
    def rules(self) -> list[str]:
        """Names of the rules that found something, each once."""
        return sorted({each.rule for each in self.findings})


@dataclass(frozen=True)
class Score:
    """The results of one kind."""

    kind: Kind
    results: tuple[Result, ...]

    @property
    def found(self) -> int:
        """Number of programs with a finding: violations caught, or compliant programs refused."""
        return len({each.case.program for each in self.results if each.findings})

    @property
    def total(self) -> int:
        """Number of programs."""
        return len({each.case.program for each in self.results})


def scores(pack: Pack) -> Iterator[Score]:
    """Scores of all kinds."""
    for kind in kinds():
        yield Score(kind, tuple(Result(case, _counted(pack, kind, case)) for case in kind.cases))


def _counted(pack: Pack, kind: Kind, case: Case) -> tuple[Violation, ...]:
    """The findings that count: those on a resource of the case, by a rule that fits the kind."""
    names = {each.name for each in case.resources}
    findings = [each for each in pack.analyze(case.stack) if not each.message.startswith("can't run policy")]
    if not case.violation:
        return tuple(findings)
    found = [
        each for each in findings if each.resource in names and each.rule not in kind.ignored | NEVER_COUNTED
    ]
    if kind.only:
        wanted = [each for each in found if each.rule in kind.only]
        return tuple(wanted) if len({(each.rule, each.resource) for each in wanted}) == len(wanted) else ()
    return tuple(each for each in found if each.rule != TAGS)


def main(arguments: list[str]) -> None:
    """Prints the figures."""
    with Pack(ENVIRONMENT) as pack:
        for score in scores(pack):
            verb = "caught" if score.kind.cases[0].violation else "refused"
            print(f"{score.kind.name}: {verb} {score.found} of {score.total} ({score.kind.title})")
            for result in score.results:
                refused = result.findings and not result.case.violation
                if "--verbose" in arguments or refused:
                    print(f"  {result.case.title}: {', '.join(result.rules) or '-'}")
                if "--messages" in arguments:
                    for finding in result.findings:
                        print(f"    {finding.resource}: {finding.message}")


if __name__ == "__main__":
    main(sys.argv[1:])
