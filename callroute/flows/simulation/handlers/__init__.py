"""What each type of block does in a call.

A function here is given a block and makes its step: it reads the settings once, so that playing the block again, in
this call or the next ten thousand, costs little. Sources: the pages on each action in AWS's "Connect Flow language".
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from callroute.flows.simulation.handlers import branching, lookups, prompts, transfers, updates

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from callroute.flows.simulation.engine import BlockContext, Step

STEPS: Mapping[str, Callable[[BlockContext], Step]] = {
    **updates.STEPS,
    **prompts.STEPS,
    **branching.STEPS,
    **lookups.STEPS,
    **transfers.STEPS,
}
"""What makes the step of each type of block."""

DECIDES = frozenset(
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
"""Types that leave by a condition, an error or not at all: the NextAction that Connect demands of them is never taken."""
