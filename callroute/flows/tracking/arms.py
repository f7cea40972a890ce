"""Names the arms of an experiment: the branches of a block that distributes calls by percentage."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import count
from typing import TYPE_CHECKING

from callroute.flows.attribute_flow import ARM, attributes_of
from callroute.flows.block_types import NO_CONDITION
from callroute.flows.flow import is_readable
from callroute.flows.tracking.rewrite import edge_identifier

if TYPE_CHECKING:
    from callroute.flows.flow import Block
    from callroute.flows.tracking.graph import Edge, FlowGraph


def arms(graph: FlowGraph, existing: Mapping[str, Block]) -> dict[Edge, str]:
    """Returns the arm to set on each branch of the flow's percentage blocks.

    An arm is the name of the block and the number of the branch. Percentages are not part of it, because they change
    during an experiment. Arms in existing tracking blocks are kept, because users can rename them.
    """
    flow = graph.flow
    if any(ARM in attributes_of(block) for block in flow.blocks.values()):
        return {}  # the flow sets the attribute itself
    splits = [block for block in graph.depths if flow.blocks[block].type == "DistributeByPercentage"]
    found: dict[Edge, str] = {}
    taken: set[str] = set()
    for block in splits:
        for edge in graph.outgoing(block):
            old = existing.get(edge_identifier(edge))
            if old is not None and ARM in attributes_of(old):
                found[edge] = str(attributes_of(old)[ARM])
                taken.add(found[edge])
    for number, block in enumerate(splits, 1):
        name = block if is_readable(block) else f"split{number}"
        edges = [
            edge for edge in graph.outgoing(block) if edge.kind == "condition" or edge.label == NO_CONDITION
        ]
        for position, edge in enumerate(edges, 1):
            if edge not in found:
                values = (f"{name}-{each}" for each in count(position))
                found[edge] = next(value for value in values if value not in taken)
                taken.add(found[edge])
    return found
