"""Measures branch coverage: the share of a flow's branches that its scenarios take."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from callroute.flows.block_types import type_of
from callroute.flows.simulation.handlers import TYPES_WITHOUT_NEXT
from callroute.flows.tracking_blocks import PREFIX

if TYPE_CHECKING:
    from callroute.flows.flow import Block, Branch, Flow
    from callroute.flows.simulation.runner import Result


@dataclass(frozen=True, slots=True)
class Coverage:
    """The branch coverage of a flow.

    Coverage counts branches instead of blocks, because two branches can lead to the same block. NextAction is not
    counted for blocks that require it but never take it. Tracking blocks are not counted, because their branches lead to
    the same place for the caller.

    Attributes:
        taken: number of branches taken at least once.
        total: number of all branches.
        not_taken: the remaining branches, in document order.
    """

    taken: int
    total: int
    not_taken: tuple[Branch, ...]

    @property
    def percent(self) -> float:
        """Percentage of branches taken, or 100 for a flow without branches."""
        return 100 * self.taken / self.total if self.total else 100.0


def measure_coverage(flow: Flow, results: list[Result]) -> Coverage:
    """Returns the coverage of a flow across all of its scenarios."""
    taken = {branch for result in results for branch in result.taken.get(flow.source, ())}
    blocks = [block for block in flow.blocks.values() if not block.identifier.startswith(PREFIX)]
    branches = [branch for block in blocks for branch in countable_branches(block)]
    not_taken = tuple(branch for branch in branches if branch not in taken)
    return Coverage(len(branches) - len(not_taken), len(branches), not_taken)


def entered_flows(flow: Flow, results: list[Result]) -> list[Flow]:
    """Returns the coverage of other flows and modules that the scenarios entered, sorted by file name."""
    flows = {
        other.source: other
        for result in results
        for other in result.scenario.environment.flows.values()
        if not isinstance(other, str) and other.source in result.taken and other.source != flow.source
    }
    return [flows[source] for source in sorted(flows)]


def countable_branches(block: Block) -> list[Branch]:
    """Returns the branches of a block that a call can take."""
    row = type_of(block)
    never_takes_next = block.type in TYPES_WITHOUT_NEXT or (row is not None and row.stop == "menu")
    return list(
        dict.fromkeys(branch for branch in block.branches if branch.kind != "next" or not never_takes_next)
    )
