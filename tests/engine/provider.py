"""An AWS provider for Pulumi's engine that creates resources in the emulator, with the local cloud's own functions.

It behaves like Pulumi's AWS provider where this project depends on it: automatic names are chosen when inputs are checked, so
that a preview knows them; computed outputs are unknown in a preview; some changes replace a resource; a refresh reads what
exists. docs/fidelity.md names the source of each behavior.
"""

from __future__ import annotations

import copy
import hashlib
import json
from typing import Any

import grpc  # type: ignore[import-untyped]  # comes without types
from botocore.exceptions import BotoCoreError, ClientError
from google.protobuf import empty_pb2, json_format, struct_pb2  # type: ignore[import-untyped]  # comes without types
from pulumi.runtime.proto import plugin_pb2, provider_pb2, provider_pb2_grpc
from pulumi.runtime.rpc import UNKNOWN

from callroute.local.emulator import ACCOUNT_ID
from callroute.local.resource_creators import CREATORS, INVOKES, UnknownArgumentError
from callroute.local.stack_config import DEFAULT_REGION
from tests.engine.aws_resources import COMPUTED, REPLACED_BY, RESOURCES, Cloud, merged
from tests.engine.aws_sdk import automatic_name, computed
from tests.support.engine import computed_outputs

VERSION = "7.51.1"
CALLER_IDENTITY = "aws:index/getCallerIdentity:getCallerIdentity"
DEFAULTS = "__defaults"
"""Input in which Pulumi's Terraform bridge lists the inputs that it has filled in."""

IDENTITY = {
    "id": ACCOUNT_ID,
    "accountId": ACCOUNT_ID,
    "arn": f"arn:aws:iam::{ACCOUNT_ID}:root",
    "userId": ACCOUNT_ID,
}
"""Caller of previews that have no emulator."""


class Provider(provider_pb2_grpc.ResourceProviderServicer):
    """Answers the engine's requests about resources.

    Args:
        cloud: the emulator and the Amazon Connect settings that it lacks.
        any_type: accept resource types that the emulator lacks. Only a cloud without an emulator can create them.
    """

    def __init__(self, cloud: Cloud, *, any_type: bool) -> None:
        self._cloud = cloud
        self._any_type = any_type

    def Handshake(self, request: Any, context: Any) -> Any:  # noqa: N802 - a remote procedure
        return provider_pb2.ProviderHandshakeResponse()

    def Attach(self, request: Any, context: Any) -> Any:  # noqa: N802 - a remote procedure
        return empty_pb2.Empty()

    def GetPluginInfo(self, request: Any, context: Any) -> Any:  # noqa: N802 - a remote procedure
        return plugin_pb2.PluginInfo(version=VERSION)

    def GetSchema(self, request: Any, context: Any) -> Any:  # noqa: N802 - a remote procedure
        return provider_pb2.GetSchemaResponse(schema=json.dumps({"name": "aws", "version": VERSION}))

    def GetMapping(self, request: Any, context: Any) -> Any:  # noqa: N802 - a remote procedure
        return provider_pb2.GetMappingResponse()

    def CheckConfig(self, request: Any, context: Any) -> Any:  # noqa: N802 - a remote procedure
        return provider_pb2.CheckResponse(inputs=request.news)

    def DiffConfig(self, request: Any, context: Any) -> Any:  # noqa: N802 - a remote procedure
        return provider_pb2.DiffResponse(changes=provider_pb2.DiffResponse.DIFF_NONE)

    def Configure(self, request: Any, context: Any) -> Any:  # noqa: N802 - a remote procedure
        return provider_pb2.ConfigureResponse(supportsPreview=True)

    def Invoke(self, request: Any, context: Any) -> Any:  # noqa: N802 - a remote procedure
        if request.tok not in INVOKES:
            context.abort(
                grpc.StatusCode.UNIMPLEMENTED, f"the engine tests do not know the function {request.tok}"
            )
        if request.tok == CALLER_IDENTITY and not self._cloud.is_running:
            result = IDENTITY
        else:
            result = INVOKES[request.tok](self._cloud.emulator)
        return provider_pb2.InvokeResponse(**{"return": _struct(result)})

    def Check(self, request: Any, context: Any) -> Any:  # noqa: N802 - a remote procedure
        """Fills in an automatic name and keeps it from then on."""
        type_, name = _type_and_name(request.urn)
        if type_ not in CREATORS and not self._any_type:
            context.abort(
                grpc.StatusCode.UNIMPLEMENTED, f"the engine tests do not know the resource type {type_}"
            )
        inputs, olds = _plain(request.news), _plain(request.olds)
        inputs[DEFAULTS] = []
        key = automatic_name(type_)
        if key and key not in inputs:
            suffix = hashlib.sha256(request.randomSeed).hexdigest()[:7]
            was_automatic = key in olds.get(DEFAULTS, ())
            inputs[key] = olds[key] if was_automatic else f"{name}-{suffix}"
            inputs[DEFAULTS] = [key]
        return provider_pb2.CheckResponse(inputs=_struct(inputs))

    def Diff(self, request: Any, context: Any) -> Any:  # noqa: N802 - a remote procedure
        type_, _ = _type_and_name(request.urn)
        old, new = _plain(request.old_inputs), _plain(request.news)
        changed = sorted(
            key for key in old.keys() | new.keys() if key != DEFAULTS and old.get(key) != new.get(key)
        )
        replaces = [key for key in changed if key in REPLACED_BY.get(type_, ())]
        response = provider_pb2.DiffResponse
        return response(
            changes=response.DIFF_SOME if changed else response.DIFF_NONE,
            diffs=changed,
            replaces=replaces,
            # Two resources cannot have the same name. An automatic name differs, so the new resource can be created first.
            deleteBeforeReplace=bool(replaces)
            and (key := automatic_name(type_)) is not None
            and key not in new.get(DEFAULTS, ()),
        )

    def Create(self, request: Any, context: Any) -> Any:  # noqa: N802 - a remote procedure
        type_, logical_name = _type_and_name(request.urn)
        inputs = _plain(request.properties)
        if request.preview:
            outputs = {**dict.fromkeys(computed(type_), UNKNOWN), **_without_defaults(inputs)}
            return provider_pb2.CreateResponse(properties=_struct(outputs))
        if not self._cloud.is_running:
            outputs = {**_invented(type_, request.urn, inputs), **_without_defaults(inputs)}
            return provider_pb2.CreateResponse(id=outputs["id"], properties=_struct(outputs))
        if self._cloud.take_failure(type_, logical_name):
            context.abort(grpc.StatusCode.UNAVAILABLE, f"creating {type_} fails as the test demands")
        given = copy.deepcopy(_without_defaults(inputs))
        name = given.pop("name", "")
        try:
            id_, added = CREATORS[type_](self._cloud.emulator, name, given)
        except UnknownArgumentError as error:
            context.abort(grpc.StatusCode.INVALID_ARGUMENT, f"{type_} has no argument {error}")
        except (ClientError, BotoCoreError) as error:
            context.abort(grpc.StatusCode.INTERNAL, str(error))
        outputs = {**_without_defaults(inputs), **added}
        self._cloud.created(type_, id_, outputs)
        return provider_pb2.CreateResponse(id=id_, properties=_struct(outputs))

    def Read(self, request: Any, context: Any) -> Any:  # noqa: N802 - a remote procedure
        type_, _ = _type_and_name(request.urn)
        outputs, inputs = _plain(request.properties), _plain(request.inputs)
        found = RESOURCES[type_].read(self._cloud, request.id, outputs)
        if found is None:
            return provider_pb2.ReadResponse()
        for key, value in merged(outputs, found).items():
            outputs[key] = value
            if key not in COMPUTED[type_]:
                inputs[key] = value
        return provider_pb2.ReadResponse(id=request.id, properties=_struct(outputs), inputs=_struct(inputs))

    def Update(self, request: Any, context: Any) -> Any:  # noqa: N802 - a remote procedure
        type_, _ = _type_and_name(request.urn)
        old, new = _plain(request.olds), _without_defaults(_plain(request.news))
        kept = {key: value for key, value in old.items() if key in COMPUTED[type_]}
        if not request.preview:
            changed = {
                key: new.get(key)
                for key in {*_without_defaults(_plain(request.old_inputs)), *new}
                if old.get(key) != new.get(key)
            }
            try:
                RESOURCES[type_].update(self._cloud, request.id, changed, new)
            except NotImplementedError as error:
                context.abort(grpc.StatusCode.UNIMPLEMENTED, f"{type_}: {error}")
            except (ClientError, BotoCoreError) as error:
                context.abort(grpc.StatusCode.INTERNAL, str(error))
        return provider_pb2.UpdateResponse(properties=_struct({**kept, **new}))

    def Delete(self, request: Any, context: Any) -> Any:  # noqa: N802 - a remote procedure
        type_, _ = _type_and_name(request.urn)
        try:
            RESOURCES[type_].delete(self._cloud, request.id, _plain(request.properties))
        except (ClientError, BotoCoreError) as error:
            context.abort(grpc.StatusCode.INTERNAL, str(error))
        return empty_pb2.Empty()

    def Cancel(self, request: Any, context: Any) -> Any:  # noqa: N802 - a remote procedure
        return empty_pb2.Empty()


def _invented(type_: str, urn: str, inputs: dict[str, Any]) -> dict[str, Any]:
    """Returns the computed outputs of a resource that exists nowhere."""
    name = inputs.get("name") or _type_and_name(urn)[1]
    service, _, class_ = type_.removeprefix("aws:").partition("/")
    arn = f"arn:aws:{service}:{DEFAULT_REGION}:{ACCOUNT_ID}:{class_.partition(':')[0]}/{name}"
    return {**dict.fromkeys(COMPUTED.get(type_, ("id",)), name), "arn": arn, **computed_outputs(type_, name)}


def _type_and_name(urn: str) -> tuple[str, str]:
    *_, types, name = urn.split("::")
    return types.rpartition("$")[2], name


def _without_defaults(inputs: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in inputs.items() if key != DEFAULTS}


def _plain(struct: Any) -> dict[str, Any]:
    """Returns a message of the engine as plain values. The wire knows only floats, so whole numbers become int again."""

    def whole(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: whole(part) for key, part in value.items() if part is not None}
        if isinstance(value, list):
            return [whole(part) for part in value]
        return int(value) if isinstance(value, float) and value.is_integer() else value

    plain: dict[str, Any] = whole(json_format.MessageToDict(struct))
    return plain


def _struct(values: dict[str, Any]) -> Any:
    return json_format.ParseDict(values, struct_pb2.Struct())
