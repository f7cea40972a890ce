"""One measured number."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Measurement:
    """What was measured, how, and what it should be."""

    what: str
    value: str
    """With its unit."""
    goal: str = ""
    holds: bool | None = None
    """Whether the goal is met; None where there is none."""
    how: str = ""


def seconds(what: str, measured: float, *, at_most: float, how: str) -> Measurement:
    """A time with an upper bound."""
    return Measurement(what, f"{measured:.2f} s", f"at most {at_most:g} s", measured <= at_most, how)
