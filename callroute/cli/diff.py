"""Implements `callroute diff`, which compares versions of flows."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import click
from click.exceptions import Exit

from callroute.cli import output
from callroute.cli.exit_codes import FINDINGS
from callroute.cli.input_files import files_in
from callroute.cli.parameters import FILE, general_options
from callroute.errors import InputError
from callroute.flows import diagrams
from callroute.flows.difference import BlockChange, Difference, compare, shown
from callroute.flows.flow import Flow
from callroute.flows.load import load_flow, may_be_flow
from callroute.formats.files import read_text
from callroute.formats.json_document import printable

STYLES = {"added": ("+", "green"), "removed": ("-", "red"), "changed": ("~", "yellow")}


@dataclass(frozen=True)
class Versions:
    """Two versions of a flow.

    Attributes:
        name: path of the flow.
        old: the old version, or None if the flow is new.
        new: the new version, or None if it was removed.
    """

    name: str
    old: Flow | None
    new: Flow | None


@click.command
@click.argument("paths", metavar="OLD NEW", nargs=-1, required=True, type=FILE)
@click.option(
    "--base",
    metavar="REV",
    help="Compare this Git revision with the working tree. Takes files and folders instead of OLD and NEW.",
)
@click.option(
    "--format",
    "output_format",
    type=click.Choice(["text", "json", "mermaid"]),
    default="text",
    help="text for reading, json for programs, mermaid for a chart with colors in pull requests.",
)
@general_options
def diff(paths: tuple[Path, ...], base: str | None, output_format: str) -> None:
    """Compare two versions of a flow, or of all flows that changed since a Git revision.

    Shows blocks, branches and prompts that differ, and the effect on records: new stops, stops without a route, and
    routes that no call can have anymore. Positions in the designer and tracking blocks are ignored.

    Exit code: 0, or 1 if callers can now reach a stop without a route, or 2 if a file cannot be used.
    """
    if base is None:
        if len(paths) != 2:
            raise InputError(
                "OLD NEW",
                "",
                f"two files are required, not {len(paths)}",
                "Pass OLD and NEW, or use --base REV",
            )
        for path in paths:
            if path.is_dir():
                fix = "Pass two files, or use --base REV to compare folders"
                raise InputError(str(path), "", "is a folder", fix)
        versions = [Versions(str(paths[1]), _flow(paths[0]), _flow(paths[1]))]
    else:
        versions = list(_versions_since(base, paths))
    compared = [(each, compare(each.old, each.new)) for each in versions]
    changed = [(each, difference) for each, difference in compared if difference]
    if output_format == "json":
        output.write_json({"flows": [{"flow": each.name, **_as_json(found)} for each, found in changed]})
    elif output_format == "mermaid":
        for each, difference in changed:
            output.write_document(_chart(each, difference))
    else:
        for each, difference in changed:
            _write(each, difference)
        if not changed:
            output.write("The flows do not differ.")
    if any(difference.routes.lost for _, difference in changed):
        raise Exit(FINDINGS)


def _flow(path: Path, text: str | None = None) -> Flow:
    return load_flow(path, text=text).flow


def _versions_since(base: str, paths: Sequence[Path]) -> Iterator[Versions]:
    """Yields the flows below the paths at a Git revision and in the working tree.

    Raises:
        InputError: Git is not installed, or the revision or a path is unknown.
    """
    listed = _git("ls-tree", "-r", "-z", "--name-only", base, "--", *map(str, paths), revision=base)
    old = {Path(name) for name in listed.split("\0") if name.endswith(".json")}
    current: set[Path] = set()
    for path in paths:
        if path.is_dir():
            current.update(file for file, _ in files_in([path], (".json",)))
        elif path.exists():
            current.add(path)
        elif path not in old:
            raise InputError(
                str(path), "", f"does not exist in the working tree or at {base}", "Use the path of a flow"
            )
    for path in sorted({*old, *current}):
        before = _git("show", f"{base}:./{path.as_posix()}", revision=base) if path in old else None
        after = read_text(path) if path in current else None
        if before == after:
            continue
        texts = [text if text is not None and may_be_flow(text) else None for text in (before, after)]
        if any(texts):
            flows = [None if text is None else _flow(path, text) for text in texts]
            yield Versions(path.as_posix(), flows[0], flows[1])


def _git(*arguments: str, revision: str) -> str:
    try:
        done = subprocess.run(  # noqa: S603 - no shell
            ["git", *arguments],  # noqa: S607 - git from PATH
            capture_output=True,
            encoding="utf-8",
            check=False,
        )
    except FileNotFoundError as error:
        raise InputError("--base", "", "git is not on PATH", "Install Git") from error
    if done.returncode:
        problem = done.stderr.strip().removeprefix("fatal: ").rstrip(".")
        fix = "Use a commit, branch or tag that exists here"
        raise InputError("--base", revision, problem, fix)
    return done.stdout


def _as_json(difference: Difference) -> dict[str, object]:
    document = asdict(difference)
    start = difference.start
    return {**document, "start": None if start is None else {"old": start[0], "new": start[1]}}


def _chart(versions: Versions, difference: Difference) -> str:
    """Returns a Mermaid chart of the new version, or of the old one if the flow was removed."""
    changes = {each.block: each.change for each in difference.blocks}
    flows = [each for each in (versions.new, versions.old) if each]
    return diagrams.mermaid(flows[0], changes, versions.old)


def _write(versions: Versions, difference: Difference) -> None:
    new, old = versions.new, versions.old
    status = " (new)" if old is None else " (removed)" if new is None else ""
    output.write((printable(versions.name), "bold"), status)
    if difference.start:
        before, after = difference.start
        output.write(printable(f"calls start at {after!r} instead of {before!r}"), margin=["  "])
    for change in difference.blocks:
        _write_block(change)
    routes = difference.routes
    for label, names, style in (
        ("new stops", routes.new_stops, "green"),
        ("stops without a route on some path", routes.lost, "bold red"),
        ("stops that no call reaches anymore", routes.removed_stops, "yellow"),
        ("new routes", routes.added, "green"),
        ("routes that vanish from reports", routes.removed, "yellow"),
    ):
        if names:
            output.write((f"{label}: ", style), printable(", ".join(map(repr, names))), margin=["  "])


def _write_block(change: BlockChange) -> None:
    sign, style = STYLES[change.change]
    old_type = f", was {change.old_type}" if change.old_type else ""
    output.write((f"{sign} ", style), printable(f"{change.block!r} ({change.type}{old_type})"), margin=["  "])
    for value in change.parameters:
        kind = "prompt " if value.is_prompt else ""
        if value.old is None:
            text = f"{kind}{value.path} is now {shown(value.new)}"
        elif value.new is None:
            text = f"{kind}{value.path} was {shown(value.old)} and is removed"
        else:
            text = f"{kind}{value.path} is {shown(value.new)} instead of {shown(value.old)}"
        output.write(printable(text), margin=["      "])
    for branch in change.branches:
        if branch.old is None:
            text = f"new branch {branch.name} to {branch.new!r}"
        elif branch.new is None:
            text = f"branch {branch.name} to {branch.old!r} is removed"
        else:
            text = f"branch {branch.name} leads to {branch.new!r} instead of {branch.old!r}"
        output.write(printable(text), margin=["      "])
