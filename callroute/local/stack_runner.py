"""The stack runner: runs a Pulumi program and creates the registered resources in the emulator.

In `pulumi up`, a program registers resources with an engine, which creates them. Here an implementation of Pulumi's mock
interface replaces the engine and creates each resource with the same AWS API calls as the provider. The program runs
unchanged. An unsupported resource type or argument raises an error that names it.
"""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import copy
import fnmatch
import json
import logging
import runpy
import secrets
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pulumi
from botocore.exceptions import BotoCoreError, ClientError
from pulumi.runtime import get_root_resource, set_all_config, set_mocks
from pulumi.runtime.mocks import MockCallArgs, MockResourceArgs, Mocks
from pulumi.runtime.rpc import is_rpc_secret, unwrap_rpc_secret
from pulumi.runtime.settings import SETTINGS
from pulumi.runtime.stack import run_pulumi_func

from callroute.arn import Arn
from callroute.errors import InputError, LocalCloudError
from callroute.local.emulator import Credentials, Emulator
from callroute.local.resource_creators import CREATORS, INVOKES, Arguments, UnknownArgumentError
from callroute.local.stack_config import StackConfig

PROGRAM_SECONDS = 60.0
PROGRAM_LOGGER = logging.getLogger("callroute.local.program")
"""Receives the program's log messages. Pulumi's default, the root logger, would print them to the terminal."""
SERVER_ERROR = 500
CREATORS_MODULE = "callroute/local/resource_creators.py"


class DeploymentError(LocalCloudError):
    """A registered resource cannot be created in the emulator."""


@dataclass(frozen=True)
class Registered:
    """A resource that the program registered and the emulator created."""

    type: str
    """Pulumi's type token, for example `aws:sqs/queue:Queue`."""
    name: str
    """Logical name in the program."""
    inputs: Arguments
    """All registered arguments, with secrets in plain text."""
    id: str
    """The provider's ID: a name, URL or ARN, depending on the type."""
    outputs: Arguments
    """The inputs and the values that AWS adds, for example `arn`."""


@dataclass(frozen=True)
class Deployment:
    """A stack deployed to an emulator."""

    emulator: Emulator
    stack: str
    resources: tuple[Registered, ...]
    """All registered resources except components, in order of creation."""
    outputs: dict[str, Any]
    """The stack's outputs."""
    _role_credentials: dict[str, Credentials] = field(default_factory=dict, repr=False)

    def all(self, type_: str) -> list[Registered]:
        """Returns all resources of a type."""
        return [resource for resource in self.resources if resource.type == type_]

    def one(self, type_: str, name_suffix: str = "") -> Registered:
        """Returns the only resource of a type whose logical name ends with the suffix.

        Raises:
            LookupError: there is no such resource, or more than one.
        """
        found = [resource for resource in self.all(type_) if resource.name.endswith(name_suffix)]
        if len(found) != 1:
            names = ", ".join(resource.name for resource in self.all(type_)) or "none"
            raise LookupError(
                f"expected one {type_} named …{name_suffix}, found {len(found)}; registered: {names}"
            )
        return found[0]

    def assume_role(self, role_arn: str, *, service: str, source_arn: str) -> Credentials:
        """Returns credentials for a service that is about to act with a role.

        Services cannot assume roles in the emulator. Instead, an IAM user gets a copy of the role's policies and its
        permissions boundary. The copy is made on the first call for a role and not updated.

        Args:
            role_arn: ARN of the role.
            service: the service principal, for example `pipes.amazonaws.com`.
            source_arn: ARN of the resource that the service acts for (`aws:SourceArn`).

        Raises:
            DeploymentError: the role's trust policy does not allow it.
        """
        role = self.assumable_role(role_arn, service=service, source_arn=source_arn)
        if role_arn not in self._role_credentials:
            iam, name = self.emulator.client("iam"), role["RoleName"]
            user = f"{name[:50]}-session"
            boundary = role.get("PermissionsBoundary", {}).get("PermissionsBoundaryArn")
            iam.create_user(UserName=user, **({"PermissionsBoundary": boundary} if boundary else {}))
            for policy in iam.list_role_policies(RoleName=name)["PolicyNames"]:
                document = iam.get_role_policy(RoleName=name, PolicyName=policy)["PolicyDocument"]
                iam.put_user_policy(UserName=user, PolicyName=policy, PolicyDocument=json.dumps(document))
            key = iam.create_access_key(UserName=user)["AccessKey"]
            self._role_credentials[role_arn] = Credentials(key["AccessKeyId"], key["SecretAccessKey"])
        return self._role_credentials[role_arn]

    def assumable_role(self, role_arn: str, *, service: str, source_arn: str) -> dict[str, Any]:
        """Checks that a role's trust policy lets a service assume the role, and returns the role as GetRole describes it.

        Args:
            role_arn: ARN of the role.
            service: the service principal, for example `states.amazonaws.com`.
            source_arn: ARN of the resource that the service acts for (`aws:SourceArn`).

        Raises:
            DeploymentError: the role's trust policy does not allow it.
        """
        iam = self.emulator.client("iam")
        role: dict[str, Any] = iam.get_role(RoleName=role_arn.rpartition("/")[2])["Role"]
        trust = role["AssumeRolePolicyDocument"]
        context = {"aws:SourceArn": source_arn, "aws:SourceAccount": self.emulator.account_id}
        if not _trusts(trust, service, context):
            raise DeploymentError(
                f"{service} cannot assume {role_arn} for {source_arn}: its trust policy is {json.dumps(trust)}"
            )
        return role


def deploy(
    emulator: Emulator,
    stack: str = "local",
    overrides: Mapping[str, Any] | None = None,
    *,
    project: Path | None = None,
) -> Deployment:
    """Reads a stack's configuration and deploys the stack.

    Args:
        emulator: the emulator to deploy to.
        stack: name of the stack.
        overrides: configuration values that replace those in the stack file.
        project: folder of the Pulumi program. Default: the project that contains the current directory.

    Raises:
        InputError: the configuration is not usable.
        DeploymentError: a resource cannot be created, or the program does not end.
    """
    return run_stack(emulator, StackConfig.read(stack, overrides, project=project))


def run_stack(emulator: Emulator, config: StackConfig) -> Deployment:
    """Runs a stack's Pulumi program and creates the resources that it registers.

    Exceptions raised by the program are propagated.

    Raises:
        InputError: the stack and the emulator are in different regions.
        DeploymentError: a resource cannot be created, or the program does not end.
    """
    if config.region != emulator.region:
        raise InputError(
            str(config.file),
            "aws:region",
            f"the stack is in {config.region}, but the emulator is in {emulator.region}",
            f'Start the emulator with Emulator("{config.region}").',
        )

    def program() -> None:
        # Like Pulumi's Python host, run_path puts the program's folder on the import path while the program runs.
        runpy.run_path(str(config.folder), run_name="__main__")

    engine = _Engine(emulator)
    outputs = _run(program, config, engine)
    deployment = Deployment(emulator, config.stack, tuple(engine.resources), outputs)
    for machine in deployment.all("aws:sfn/stateMachine:StateMachine"):
        # AWS does not create a state machine that cannot assume its role. A pipe role's trust policy is checked when the
        # pipe assumes the role.
        deployment.assumable_role(
            machine.inputs["roleArn"], service="states.amazonaws.com", source_arn=machine.outputs["arn"]
        )
    return deployment


def _run(program: Callable[[], None], config: StackConfig, engine: _Engine) -> dict[str, Any]:
    """Runs a program and returns the stack's outputs.

    Pulumi keeps its state in context variables and on an event loop. Each run gets a thread with an empty context, so
    that it has its own state and can be abandoned if the program hangs.
    """
    result: dict[str, Any] = {}
    raised: list[BaseException] = []

    async def execute() -> None:
        # Outputs that depend on a failed resource fail too. Only the first failure is reported, below.
        asyncio.get_running_loop().set_exception_handler(lambda _loop, _context: None)
        set_mocks(engine, config.project, config.stack, preview=False, logger=PROGRAM_LOGGER)
        SETTINGS.root_directory = str(config.folder)
        SETTINGS.outputs = _TasksOfOneLoop(asyncio.get_running_loop())
        set_all_config(config.config, sorted(config.secrets))
        stack = get_root_resource()
        await run_pulumi_func(program)
        outputs = await pulumi.Output.all(**stack.outputs).future()  # type: ignore[union-attr] # set by set_mocks
        result.update(outputs or {})

    def in_own_context() -> None:
        try:
            contextvars.Context().run(asyncio.run, execute())
        except BaseException as error:  # noqa: BLE001 (raised again in the waiting thread)
            raised.append(error)

    thread = threading.Thread(target=in_own_context, name="pulumi-program", daemon=True)
    thread.start()
    thread.join(PROGRAM_SECONDS)
    if thread.is_alive():
        created = ", ".join(resource.name for resource in engine.resources) or "none"
        raise DeploymentError(
            f"The program did not end within {PROGRAM_SECONDS:g} s. Resources created: {created}."
        )
    if engine.failures:
        raise engine.failures[0]
    if raised:
        raise raised[0]
    plain: dict[str, Any] = _plain(result)
    return plain


class _TasksOfOneLoop(set["asyncio.Task[Any]"]):
    """Set of the outputs that Pulumi waits for at the end of a program. It ignores those from earlier runs.

    When the coroutines of a failed run are garbage collected, they register their outputs with the current run. Waiting
    for these would fail, because their event loop is closed.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__()
        self._loop = loop

    def add(self, task: asyncio.Task[Any]) -> None:
        """Adds a task if it belongs to this event loop."""
        if task.get_loop() is self._loop:
            super().add(task)


class _Engine(Mocks):
    """Substitute for Pulumi's engine and the AWS provider. Pulumi calls it from several threads."""

    def __init__(self, emulator: Emulator) -> None:
        self.resources: list[Registered] = []
        self.failures: list[DeploymentError] = []
        self._emulator = emulator
        self._lock = threading.Lock()

    def new_resource(self, args: MockResourceArgs) -> tuple[str | None, dict[Any, Any]]:
        if args.custom is False:  # a component, which has no counterpart in AWS
            return f"{args.name}-component", {}
        try:
            created = self._create(args)
        except DeploymentError as error:
            with self._lock:
                self.failures.append(error)
            raise
        with self._lock:
            self.resources.append(created)
        return created.id, created.outputs

    def _create(self, args: MockResourceArgs) -> Registered:
        label = f"{args.typ} {args.name!r}"
        create = CREATORS.get(args.typ)
        if create is None:
            raise DeploymentError(
                f"{label}: the local cloud does not support this type. Add a function for it to CREATORS in {CREATORS_MODULE}."
            )
        if args.resource_id:
            raise DeploymentError(
                f"{label}: the local cloud cannot read or import an existing resource ({args.resource_id})."
            )
        inputs = _plain(args.inputs)
        given = copy.deepcopy(inputs)  # creators remove the arguments that they handle
        name = given.pop("name", None) or f"{args.name}-{secrets.token_hex(4)[:7]}"
        try:
            id_, added = create(self._emulator, name, given)
        except UnknownArgumentError as error:
            raise DeploymentError(
                f"{label}: the local cloud does not support the argument {error}. "
                f"Add it to {create.__name__} in {CREATORS_MODULE}."
            ) from error
        except (ClientError, BotoCoreError) as error:
            raise DeploymentError(f"{label}: {error}{self._log_of(error)}") from error
        return Registered(args.typ, args.name, inputs, id_, {**inputs, **added})

    def _log_of(self, error: Exception) -> str:
        """Returns the end of the emulator's log if it failed with a server error."""
        status = error.response["ResponseMetadata"]["HTTPStatusCode"] if isinstance(error, ClientError) else 0
        return (
            f"\nThe emulator's log ends with:\n{self._emulator.log_tail()}" if status >= SERVER_ERROR else ""
        )

    def call(self, args: MockCallArgs) -> tuple[dict[Any, Any], list[tuple[str, str]] | None]:
        invoke = INVOKES.get(args.token)
        if invoke is None:
            failure = DeploymentError(
                f"{args.token}: the local cloud does not support this function. Add it to INVOKES in {CREATORS_MODULE}."
            )
            with self._lock:
                self.failures.append(failure)
            raise failure
        return invoke(self._emulator), []


def _plain(value: Any) -> Any:
    """Unwraps secrets, and converts whole numbers to int, because Pulumi's protocol only has floats."""
    if is_rpc_secret(value):
        return _plain(unwrap_rpc_secret(value))
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items() if item is not None}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value


def _trusts(document: Mapping[str, Any], service: str, context: Mapping[str, str]) -> bool:
    """Returns True if a trust policy lets a service assume the role, given the values of condition keys.

    Policies with a Deny, or with an unsupported operator or key, return False, so that a role accepted here is also
    accepted by AWS.
    """
    statements = _listed(document["Statement"])
    return all(statement["Effect"] == "Allow" for statement in statements) and any(
        isinstance(statement["Principal"], Mapping)
        and service in _listed(statement["Principal"].get("Service", []))
        and "sts:AssumeRole" in _listed(statement["Action"])
        and all(
            any(_matches(operator, context.get(key, ""), pattern) for pattern in _listed(patterns))
            for operator, keys in statement.get("Condition", {}).items()
            for key, patterns in keys.items()
        )
        for statement in statements
    )


def _matches(operator: str, value: str, pattern: str) -> bool:
    if operator == "StringEquals":
        return value == pattern
    if operator == "StringLike":
        return fnmatch.fnmatchcase(value, pattern)
    if operator in ("ArnEquals", "ArnLike"):  # compared part by part, because `*` does not match a colon
        with contextlib.suppress(ValueError):
            return all(map(fnmatch.fnmatchcase, Arn.parse(value), Arn.parse(pattern)))
    return False


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]
