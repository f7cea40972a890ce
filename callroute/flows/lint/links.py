"""Links between flows that are checked together: invoked modules and disconnect flows."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from pathlib import PurePath
from typing import TYPE_CHECKING, NamedTuple

from callroute.flows.block_types import declared_kind
from callroute.flows.placeholders import PLACEHOLDER

if TYPE_CHECKING:
    from callroute.flows.flow import Block, Flow

_SUFFIX = re.compile("(Arn|ARN|Id|ID|[_-]arn|[_-]id)$")


class Invocation(NamedTuple):
    """A block that invokes another checked module.

    Attributes:
        block: the block.
        module: file name of the module.
    """

    block: Block
    module: str


class FlowLinks:
    """Finds flows by the values that other flows use to refer to them.

    A flow is known by its file name, and by its ARN and ID if the file is the output of `aws connect`:
    `billing` and `${BillingArn}` refer to `billing.json`. A name shared by several flows refers to none of
    them.

    Args:
        flows: the flows that are checked together, each with its ARN and ID if known.
    """

    def __init__(self, flows: Iterable[tuple[Flow, Collection[str]]]) -> None:
        flows = list(flows)
        sources: defaultdict[str, set[str]] = defaultdict(set)
        for flow, identifiers in flows:
            for name in (*identifiers, _plain(PurePath(flow.source).stem)):
                sources[name].add(flow.source)
        self._sources = {name: min(found) for name, found in sources.items() if len(found) == 1}
        modules = {flow.source for flow, _ in flows if declared_kind(flow) == "module"}
        self._invocations: Mapping[str, list[Invocation]] = {
            flow.source: [
                Invocation(block, source)
                for block in flow.blocks.values()
                if block.type == "InvokeFlowModule"
                and (source := self._source(block.parameters.get("FlowModuleId"))) in modules
            ]
            for flow, _ in flows
        }
        self._disconnect_flows = {
            self._source(hooks.get("CustomerRemaining"))
            for flow, _ in flows
            for block in flow.blocks.values()
            if block.type == "UpdateContactEventHooks"
            and isinstance(hooks := block.parameters.get("EventHooks"), dict)
        }
        self._invoked = {each.module for found in self._invocations.values() for each in found}

    def invocations(self, source: str) -> list[Invocation]:
        """Returns the flow's blocks that invoke other checked modules."""
        return self._invocations.get(source, [])

    def is_invoked(self, source: str) -> bool:
        """Returns whether another checked flow invokes this one."""
        return source in self._invoked

    def is_disconnect_flow(self, source: str) -> bool:
        """Returns whether another checked flow sets this one as its disconnect flow."""
        return source in self._disconnect_flows

    def chain(self, source: str, target: str = "") -> tuple[str, ...]:
        """Returns the shortest chain of invocations to a module, or the longest chain if there is no target.

        Args:
            source: the module in which the chain starts.
            target: the module in which the chain ends.

        Returns:
            File names, from the source to the last module; an empty tuple if the target is not reached.
        """
        chains: dict[str, tuple[str, ...]] = {source: (source,)}
        longest: tuple[str, ...] = ()
        while chains:
            if target in chains:
                return chains[target]
            longest = next(iter(chains.values()))
            chains = {
                each.module: (*chain, each.module)
                for chain in chains.values()
                for each in self.invocations(chain[-1])
                if each.module not in chain
            }
        return () if target else longest

    def _source(self, value: object) -> str:
        """Returns the file name of the flow that a value refers to, or an empty string."""
        if not isinstance(value, str):
            return ""
        # A version or alias identifier follows a colon.
        last = value.rpartition("/")[2].partition(":")[0]
        names = (value, last) if "/" in value else (value, _plain(value))
        return next((self._sources[name] for name in names if name in self._sources), "")


def _plain(name: str) -> str:
    """Returns a name in lower case without punctuation, so that `${BillingArn}`, `billing` and `Billing` match."""
    if placeholder := PLACEHOLDER.fullmatch(name):
        name = _SUFFIX.sub("", placeholder[1])
    return re.sub(r"[\W_]", "", name).lower()
