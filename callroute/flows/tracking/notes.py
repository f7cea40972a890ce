"""Notes about the parts of a flow that tracking cannot cover."""

from __future__ import annotations

from typing import TYPE_CHECKING

from callroute.flows.attribute_flow import COMPLETED, ROUTE, attributes_of
from callroute.flows.block_types import kinds_of, type_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from callroute.flows.tracking.completion import Completion
    from callroute.flows.tracking.route_assignment import RouteAssignment

_MAX_LISTED = 5


def notes_for(assignment: RouteAssignment, completion: Completion) -> Iterator[str]:
    """Yields notes for the user."""
    flow = assignment.graph.flow
    reachable = [block for identifier, block in flow.blocks.items() if identifier in assignment.graph.depths]
    if not assignment.starts_calls:
        kinds = " or ".join(sorted(kinds_of(flow)))
        yield (
            f"calls do not start in this flow ({kinds}). They arrive with the route of an earlier flow, so only routes "
            "named in a route file are set here. Track the flows in which calls start."
        )
    manual = [block.identifier for block in reachable if {ROUTE, COMPLETED} & set(attributes_of(block))]
    if manual:
        yield f"these blocks already set routes or completion, so they were left unchanged: {_listed(manual)}."
    modules = [block.identifier for block in reachable if block.type == "InvokeFlowModule"]
    if modules:
        yield f"choices made inside modules are not visible here: {_listed(modules)}."
    transfers = [block.identifier for block in reachable if block.type == "TransferToFlow"]
    if transfers:
        yield (
            f"calls continue in other flows at {_listed(transfers)}; track those flows too. If calls are also "
            "transferred to this flow, they get its start route."
        )
    if completion.ambiguous_ends:
        yield (
            f"{COMPLETED} stays false at {_listed(completion.ambiguous_ends)}, because successful and failed calls "
            "arrive there over the same branches. Set it yourself in an earlier block."
        )
    unknown = [block.identifier for block in reachable if type_of(block) is None]
    if unknown:
        yield (
            f"these blocks have unknown types; tracking assumes that callers do not wait in them: {_listed(unknown)}."
        )


def _listed(blocks: Sequence[str]) -> str:
    more = f" and {len(blocks) - _MAX_LISTED} more" if len(blocks) > _MAX_LISTED else ""
    return ", ".join(map(repr, blocks[:_MAX_LISTED])) + more
