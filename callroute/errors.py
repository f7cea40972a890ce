"""Exceptions that commands report as a message instead of a traceback."""

from __future__ import annotations


class InputError(Exception):
    """Invalid input that the user must fix before the command can run.

    Args:
        source: the file, `standard input`, or the name of the option or argument.
        place: the position in the source, such as a line, a block or a JSON path; empty for the source as a whole.
        problem: what is wrong, including the value.
        fix: what to change.
    """

    def __init__(self, source: str, place: str, problem: str, fix: str) -> None:
        self.source = source
        self.place = place
        self.problem = problem
        self.fix = fix
        where = f"{source}: {place}" if place else source
        super().__init__(f"{where}: {problem}. {fix}")


class LocalCloudError(Exception):
    """A failure of the local cloud. The message names the part that failed and the reason."""
