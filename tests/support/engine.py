"""Replacement for Pulumi's engine that records resources and creates nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any

import pulumi
from pulumi.runtime import rpc
from pulumi.runtime.mocks import MockCallArgs, MockMonitor, MockResourceArgs, Mocks
from pulumi.runtime.settings import SETTINGS, get_root_resource, reset_options
from pulumi.runtime.stack import Stack

from tests.support.paths import REPOSITORY

ACCOUNT = "111111111111"
REGION = "ap-northeast-1"
PROJECT = "call-route-tracker"

_LOOP = asyncio.new_event_loop()

_COMPUTED: dict[str, Callable[[str], dict[str, str]]] = {
    "aws:dynamodb/table:Table": lambda name: {"arn": _arn("dynamodb", f"table/{name}")},
    "aws:kinesis/stream:Stream": lambda name: {"arn": _arn("kinesis", f"stream/{name}")},
    "aws:sqs/queue:Queue": lambda name: {
        "arn": _arn("sqs", name),
        "url": f"https://sqs.{REGION}.amazonaws.com/{ACCOUNT}/{name}",
    },
    "aws:iam/role:Role": lambda name: {"arn": f"arn:aws:iam::{ACCOUNT}:role/{name}"},
    "aws:cloudwatch/logGroup:LogGroup": lambda name: {"arn": _arn("logs", f"log-group:{name}")},
    "aws:sfn/stateMachine:StateMachine": lambda name: {"arn": _arn("states", f"stateMachine:{name}")},
    "aws:pipes/pipe:Pipe": lambda name: {"arn": _arn("pipes", f"pipe/{name}")},
    "aws:connect/contactFlow:ContactFlow": lambda name: {"contactFlowId": f"id-of-{name}"},
    "aws:connect/contactFlowModule:ContactFlowModule": lambda name: {"contactFlowModuleId": f"id-of-{name}"},
    "aws:cloudwatch/metricAlarm:MetricAlarm": lambda name: {"arn": _arn("cloudwatch", f"alarm:{name}")},
    "aws:sns/topic:Topic": lambda name: {"arn": _arn("sns", name)},
}


def _arn(service: str, resource: str) -> str:
    return f"arn:aws:{service}:{REGION}:{ACCOUNT}:{resource}"


def computed_outputs(type_: str, name: str) -> dict[str, str]:
    """Returns the outputs that AWS would compute for a resource, if its type has some that the tests need."""
    return _COMPUTED[type_](name) if type_ in _COMPUTED else {}


@dataclass(frozen=True)
class Registered:
    """A resource that the program registered."""

    type: str
    name: str
    urn: str
    parent: str
    custom: bool
    inputs: dict[str, Any]
    """Inputs as plain values, without secret markers."""
    secrets: frozenset[str]
    """Names of inputs that are secrets or contain one."""
    protect: bool
    retain_on_delete: bool
    depends_on: frozenset[str]
    """URNs of resources that this one depends on, through an option or an input."""
    comes_from: Mapping[str, frozenset[str]]
    """URNs of the resources that each input comes from, by input."""


class Engine(Mocks):
    """Runs programs and records the resources that they register."""

    def __init__(
        self, *, partition: str = "aws", dns_suffix: str = "amazonaws.com", region: str = REGION
    ) -> None:
        self._invokes = {
            "aws:index/getCallerIdentity:getCallerIdentity": {"accountId": ACCOUNT},
            "aws:index/getRegion:getRegion": {"region": region},
            "aws:index/getPartition:getPartition": {"partition": partition, "dnsSuffix": dns_suffix},
        }
        self.resources: list[Registered] = []
        self.component_outputs: dict[str, set[str]] = {}
        """Names of each component's outputs, by URN. Use an engine for one run only."""
        self.outputs: dict[str, Any] = {}
        """Outputs of the stack."""
        self.log: list[str] = []
        self._preview = False

    def run(
        self,
        program: Callable[[], object],
        *,
        stack: str = "test",
        preview: bool = False,
        config: Mapping[str, str] | None = None,
        secrets: Collection[str] = (),
    ) -> None:
        """Runs a program to its end. Make assertions afterwards, not inside the program."""
        self._preview = preview
        # Pulumi's mocks need an event loop in the thread. Python 3.14 no longer creates one.
        asyncio.set_event_loop(_LOOP)
        reset_options()
        pulumi.runtime.set_all_config(dict(config or {}), list(secrets))
        pulumi.runtime.set_mocks(self, PROJECT, stack, preview, monitor=_Monitor(self))
        SETTINGS.root_directory = str(REPOSITORY)

        @pulumi.runtime.test  # type: ignore[untyped-decorator]  # Pulumi's mocks have no types
        def build() -> pulumi.Output[None]:
            program()
            root = get_root_resource()
            assert isinstance(root, Stack)
            exported = pulumi.Output.all(**root.outputs)
            return exported.apply(lambda values: self.outputs.update(values))

        build()

    def new_resource(self, args: MockResourceArgs) -> tuple[str | None, dict[str, Any]]:
        """Returns the ID and state of a resource. A preview knows automatic names, but no other computed value."""
        known = {key: value for key, value in args.inputs.items() if value is not None}
        if not args.custom:
            return None, known
        if args.typ in _COMPUTED:
            known.setdefault("name", f"{args.name}-0000000")
        if self._preview:
            return None, known
        name = known.get("name", args.name)
        return f"{name}-id", {**known, **computed_outputs(args.typ, name)}

    def call(self, args: MockCallArgs) -> tuple[dict[str, Any], list[tuple[str, str]]]:
        """Returns the result of an invoke."""
        return self._invokes[args.token], []

    def of(self, type_: str) -> list[Registered]:
        """Returns the resources of a type, for example `aws:sqs/queue:Queue`."""
        return [resource for resource in self.resources if resource.type == type_]

    def one(self, type_: str, ending: str = "") -> Registered:
        """Returns the only resource of a type whose name ends with this suffix."""
        found = [resource for resource in self.of(type_) if resource.name.endswith(ending)]
        assert len(found) == 1, f"{type_} …{ending}: {[resource.name for resource in found]}"
        return found[0]


class _Monitor(MockMonitor):
    """Records what Pulumi does not pass to mocks: parents, options, secrets and outputs of components."""

    def __init__(self, engine: Engine) -> None:
        super().__init__(engine)
        self._engine = engine

    def RegisterResource(self, request: Any) -> Any:  # noqa: N802 - the name of the remote procedure
        response = super().RegisterResource(request)  # type: ignore[no-untyped-call]  # Pulumi's mocks have no types
        if request.type == "pulumi:pulumi:Stack":
            return response
        inputs = rpc.deserialize_properties(request.object, keep_unknowns=True)
        self._engine.resources.append(
            Registered(
                type=request.type,
                name=request.name,
                urn=response.urn,
                parent=request.parent,
                custom=request.custom,
                inputs={key: _plain(value) for key, value in inputs.items()},
                secrets=frozenset(key for key, value in inputs.items() if _holds_secret(value)),
                protect=request.protect,
                retain_on_delete=request.retainOnDelete,
                depends_on=frozenset(request.dependencies),
                comes_from={
                    name: frozenset(sources.urns) for name, sources in request.propertyDependencies.items()
                },
            )
        )
        return response

    def RegisterResourceOutputs(self, request: Any) -> Any:  # noqa: N802 - the name of the remote procedure
        assert request.urn not in self._engine.component_outputs, f"{request.urn}: outputs registered twice"
        self._engine.component_outputs[request.urn] = set(request.outputs)
        return super().RegisterResourceOutputs(request)  # type: ignore[no-untyped-call]  # as above


def _holds_secret(value: Any) -> bool:
    if rpc.is_rpc_secret(value):
        return True
    parts = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return any(_holds_secret(part) for part in parts)


def _plain(value: Any) -> Any:
    value = rpc.unwrap_rpc_secret(value)
    if isinstance(value, dict):
        return {key: _plain(part) for key, part in value.items()}
    if isinstance(value, list):
        return [_plain(part) for part in value]
    return value
