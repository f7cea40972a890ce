"""The result of one measurement."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Measurement:
    """A measured value and its goal."""

    name: str
    value: str
    """The value with its unit."""
    goal: str = ""
    met: bool | None = None
    """True if the goal is met, or None if there is no goal."""
    method: str = ""


def seconds(name: str, measured: float, *, at_most: float, method: str) -> Measurement:
    """Returns a measurement for a duration that has an upper bound."""
    return Measurement(name, f"{measured:.2f} s", f"at most {at_most:g} s", measured <= at_most, method)
