"""What a command reports without a traceback: unusable input, and a local cloud that fails."""

from __future__ import annotations


class InputError(Exception):
    """Input that a person has to mend before anything can be done.

    Args:
        source: the file (or `-`, or the name of the argument) that holds the input.
        place: where in it: a line, a block, a JSON path; empty when it is the whole.
        problem: what is wrong there, with the value.
        fix: what to do about it.
    """

    def __init__(self, source: str, place: str, problem: str, fix: str) -> None:
        self.source = source
        self.place = place
        self.problem = problem
        self.fix = fix
        where = f"{source}: {place}" if place else source
        super().__init__(f"{where}: {problem}. {fix}")


class LocalCloudError(Exception):
    """The local cloud cannot do its part; the message says which part and why."""
