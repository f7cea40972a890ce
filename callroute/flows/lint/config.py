"""A project's settings for `callroute check`: allowed block types, ignored findings and the baseline.

They are in the table `tool.callroute.check` of pyproject.toml, or in the table `check` of callroute.toml. A block can also
contain ignores in its metadata.
"""

from __future__ import annotations

import fnmatch
import json
import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from callroute.errors import InputError
from callroute.formats.files import read_text, write_text
from callroute.formats.spelling import did_you_mean

if TYPE_CHECKING:
    from callroute.flows.flow import Flow
    from callroute.flows.lint import Finding

FILES = ("callroute.toml", "pyproject.toml")
METADATA_KEY = "callroute"
"""Member of a block's metadata (Metadata.ActionMetadata) that contains the block's ignores."""

_KEYS = ("allow-blocks", "baseline", "ignore")
_IGNORE_KEYS = ("rule", "files", "block", "reason")


@dataclass(frozen=True)
class Ignore:
    """Findings to ignore.

    Attributes:
        rule: identifier of the rule.
        files: pattern of file paths, relative to the folder of the settings; None for all files.
        block: identifier of the block; None for all blocks.
        reason: why the findings are acceptable.
        place: location of the ignore, for messages.
    """

    rule: str
    files: str | None
    block: str | None
    reason: str
    place: str

    def applies_to(self, file: str) -> bool:
        """Returns whether findings in a file can match."""
        return self.files is None or fnmatch.fnmatch(file, self.files)

    def matches(self, finding: Finding, file: str) -> bool:
        """Returns whether a finding is ignored."""
        return self.rule == finding.rule and self.applies_to(file) and self.block in (None, finding.block)


@dataclass(frozen=True)
class CheckConfig:
    """A project's settings.

    Attributes:
        folder: folder of the settings file, to which paths are relative.
        allowed_types: block types to accept even though this version does not know them.
        baseline: file of known findings, or None.
        ignores: ignored findings.
    """

    folder: Path
    allowed_types: Sequence[str] = ()
    baseline: Path | None = None
    ignores: Sequence[Ignore] = ()

    @classmethod
    def find(cls, folder: Path, rules: Iterable[str]) -> CheckConfig:
        """Reads the settings in a folder or its nearest parent that has any. Otherwise, returns the defaults.

        Args:
            folder: the folder to start from.
            rules: identifiers of all rules.

        Raises:
            InputError: the settings are invalid.
        """
        for each in (folder, *folder.parents):
            for name in FILES:
                table = _table(each / name)
                if table is not None:
                    return cls._read(table, each / name, tuple(rules))
        return cls(folder)

    @classmethod
    def _read(cls, table: Any, path: Path, rules: Sequence[str]) -> CheckConfig:
        _require_keys(table, _KEYS, (), str(path), "the check settings")
        allowed = table.get("allow-blocks", [])
        if not isinstance(allowed, list) or not all(isinstance(each, str) for each in allowed):
            raise InputError(
                str(path),
                "allow-blocks",
                f"{allowed!r} is not a list of block types",
                "Use a list of strings",
            )
        baseline = table.get("baseline")
        if baseline is not None and not isinstance(baseline, str):
            raise InputError(str(path), "baseline", f"{baseline!r} is not a path", "Use the path of a file")
        entries = table.get("ignore", [])
        if not isinstance(entries, list):
            raise InputError(
                str(path), "ignore", "is not a list of tables", "Write [[…ignore]] before each entry"
            )
        ignores = []
        for number, entry in enumerate(entries, 1):
            place = f"ignore {number}"
            _require_keys(entry, _IGNORE_KEYS, ("rule", "reason"), str(path), place)
            for key, value in entry.items():
                if not isinstance(value, str) or not value.strip():
                    problem = f"{key} must be a nonempty string, not {value!r}"
                    raise InputError(str(path), place, problem, "Use a nonempty string")
            require_rule(entry["rule"], rules, str(path), place)
            ignores.append(
                Ignore(
                    entry["rule"], entry.get("files"), entry.get("block"), entry["reason"], f"{path}: {place}"
                )
            )
        folder = path.parent
        return cls(folder, tuple(allowed), folder / baseline if baseline else None, tuple(ignores))

    def relative(self, path: Path) -> str:
        """Returns a path relative to the folder of the settings, or unchanged if it is not below that folder."""
        absolute = path.resolve()
        folder = self.folder.resolve()
        return absolute.relative_to(folder).as_posix() if absolute.is_relative_to(folder) else path.as_posix()


def ignores_in(flow: Flow, rules: Iterable[str]) -> Iterator[Ignore]:
    """Yields the ignores in the metadata of a flow's blocks: `{"callroute": {"ignore": {RULE: REASON}}}`.

    Raises:
        InputError: an ignore is invalid.
    """
    known = tuple(rules)
    for block, entry in flow.block_metadata.items():
        settings = entry.get(METADATA_KEY) if isinstance(entry, Mapping) else None
        if settings is None:
            continue
        place = f"$.Metadata.ActionMetadata.{block}.{METADATA_KEY}"
        entries = settings.get("ignore") if isinstance(settings, Mapping) else None
        if not isinstance(entries, Mapping):
            fix = 'Write {"ignore": {"RULE": "REASON"}}'
            raise InputError(flow.source, place, "contains no rules to ignore", fix)
        for rule, reason in entries.items():
            require_rule(rule, known, flow.source, place)
            if not isinstance(reason, str) or not reason.strip():
                raise InputError(flow.source, place, f"the ignore for {rule} has no reason", "Add a reason")
            yield Ignore(rule, None, block, reason, f"{flow.source}: {place}")


def read_baseline(path: Path) -> frozenset[tuple[str, str]]:
    """Reads the file and the fingerprint of each finding in a baseline.

    Raises:
        InputError: the file is not a baseline.
    """
    try:
        entries = json.loads(read_text(path))["findings"]
        return frozenset((entry["file"], entry["fingerprint"]) for entry in entries)
    except (ValueError, KeyError, TypeError) as error:
        fix = "Recreate it with --write-baseline"
        raise InputError(str(path), "", "is not a `callroute check` baseline", fix) from error


def write_baseline(path: Path, findings: Iterable[tuple[Finding, str, str]]) -> None:
    """Writes a baseline.

    Args:
        path: the file.
        findings: findings, each with its file relative to the baseline's settings, and its fingerprint.
    """
    entries = [
        {"file": file, "rule": finding.rule, "block": finding.block, "fingerprint": fingerprint}
        for finding, file, fingerprint in findings
    ]
    write_text(path, json.dumps({"findings": entries}, indent=2, ensure_ascii=False) + "\n")


def _table(path: Path) -> Any:
    """Returns the settings in a TOML file, or None if there is no such file or table."""
    if not path.is_file():
        return None
    try:
        document = tomllib.loads(read_text(path))
    except tomllib.TOMLDecodeError as error:
        raise InputError(str(path), "", f"is not valid TOML ({error})", "Fix the file") from error
    for key in ("check",) if path.name == FILES[0] else ("tool", "callroute", "check"):
        document = document.get(key, {}) if isinstance(document, dict) else {}
    return document or None


def _require_keys(table: Any, known: Sequence[str], required: Sequence[str], source: str, place: str) -> None:
    if not isinstance(table, dict):
        raise InputError(source, place, f"{table!r} is not a table", "Use a table")
    for key in table:
        if key not in known:
            fix = did_you_mean(key, known, f"Use {', '.join(known)}")
            raise InputError(source, place, f"{key!r} is unknown", fix)
    for key in required:
        if key not in table:
            raise InputError(source, place, f"{key} is missing", f"Add {key}")


def require_rule(rule: str, rules: Sequence[str], source: str, place: str = "") -> None:
    """Checks that a rule exists.

    Raises:
        InputError: the rule does not exist. The message suggests a similar one.
    """
    if rule not in rules:
        fix = did_you_mean(rule, rules, "The rules are listed in docs/checks.md")
        raise InputError(source, place, f"rule {rule!r} does not exist", fix)
