"""Handlers of the block types.

A handler takes a block and returns its step. It reads the parameters only once, so running the step is cheap.
The source for each type is its page under "Connect flow language" in the Connect administrator guide.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from callroute.flows.simulation.handlers import branching, lookups, prompts, transfers, updates

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from callroute.flows.simulation.engine import BlockContext, Step

HANDLERS: Mapping[str, Callable[[BlockContext], Step]] = {
    **updates.HANDLERS,
    **prompts.HANDLERS,
    **branching.HANDLERS,
    **lookups.HANDLERS,
    **transfers.HANDLERS,
}
"""Handler of each supported block type."""

TYPES_WITHOUT_NEXT = frozenset(
    {
        "CheckHoursOfOperation",
        "CheckMetricData",
        "CheckOutboundCallStatus",
        "CheckVoiceId",
        "Compare",
        "ConnectParticipantWithLexBot",
        "DequeueContactAndTransferToQueue",
        "DistributeByPercentage",
        "Loop",
        "MessageParticipantIteratively",
        "ShowView",
        "TransferContactToAgent",
        "TransferContactToQueue",
        "TransferToFlow",
    }
)
"""Block types that never take their NextAction. A call leaves them by a condition or an error, or not at all."""
