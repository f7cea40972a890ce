"""Pulumi plugin that provides CallRouteTracker to programs in any Pulumi language."""

from contextlib import suppress
from dataclasses import fields
from typing import Any, NotRequired, TypedDict

import pulumi
from pulumi.provider.experimental import component_provider_host

from call_route_tracker import CallRouteTrackerArgs, ContactFlowArgs, tracker
from call_route_tracker.constraints import is_required
from callroute import __version__

NAME = "call-route-tracker"


def inputs(options: type, **types: Any) -> Any:
    """Returns a TypedDict of options. With a dataclass, Pulumi's analyzer would require every option.

    Args:
        options: an options class.
        types: types that replace those of the class, by option.
    """
    keys: dict[str, Any] = {}
    for each in fields(options):
        type_ = types.get(each.name, each.type)
        keys[each.name] = type_ if is_required(each) else NotRequired[type_]
    return documented(TypedDict(options.__name__, keys), options)  # type: ignore[operator]  # dynamic keys


def documented(subject: Any, source: type) -> Any:
    """Makes Pulumi's analyzer read docstrings from another class's source code."""
    subject.__doc__ = (source.__doc__ or "").partition("\n\n")[0]
    subject.__module__, subject.__qualname__ = source.__module__, source.__qualname__
    if hasattr(source, "__firstlineno__"):  # Python 3.13 and later
        subject.__firstlineno__ = source.__firstlineno__
    return subject


FlowInputs = inputs(ContactFlowArgs)
Inputs = inputs(CallRouteTrackerArgs, flows=list[FlowInputs], tracked_initiation_methods=list[str])  # type: ignore[valid-type]  # a dynamic type


class CallRouteTracker(tracker.CallRouteTracker):
    """A CallRouteTracker whose options are a dictionary."""

    def __init__(
        self,
        name: str,
        args: Inputs,  # type: ignore[valid-type]  # a dynamic type
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        # Pulumi passes whole numbers as floats.
        values: dict[str, Any] = {**args}
        for key, value in values.items():
            if isinstance(value, float) and value.is_integer():
                values[key] = int(value)
        values["flows"] = [ContactFlowArgs(**flow) for flow in values.get("flows", ())]
        super().__init__(name, CallRouteTrackerArgs(**values), opts)


documented(CallRouteTracker, tracker.CallRouteTracker)

if __name__ == "__main__":
    with suppress(KeyboardInterrupt):  # the engine stops plugins with SIGINT
        component_provider_host(name=NAME, components=[CallRouteTracker], version=__version__)
