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
    ratio: str = ""
    """Ratio to a floor that was measured in the same run, because absolute times differ between machines."""


def ratio(measured: float, floor: float, name: str) -> str:
    """Returns the ratio of a measured duration to a floor, as text.

    Args:
        measured: the duration.
        floor: the shortest possible duration, measured in the same run.
        name: what the floor is, for example `importing pulumi_aws`.
    """
    quotient = measured / floor
    return f"{quotient:.{0 if quotient >= 10 else 1}f} × {name}"


def seconds(
    name: str, measured: float, *, at_most: float, method: str, floor: tuple[float, str] | None = None
) -> Measurement:
    """Returns a duration measurement with an upper bound and, optionally, a named floor to compare it with."""
    return Measurement(
        name,
        f"{measured:.2f} s",
        f"at most {at_most:g} s",
        measured <= at_most,
        method,
        ratio(measured, *floor) if floor else "",
    )
