"""The provisioner: runs the Pulumi program, unmodified, and makes what it registers in the emulator.

`pulumi up` is a program that registers resources with an engine, which creates them. Here Pulumi's own mock interface
stands for the engine, and creates each resource through the same AWS API calls that the provider would make. What the
emulator has no API for (Amazon Connect) is checked against AWS's API model and kept here.

Nothing is passed over: a type or an argument that the provisioner does not know is an error that names it.
"""

from __future__ import annotations

import asyncio
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
import yaml
from botocore.exceptions import BotoCoreError, ClientError
from pulumi.runtime import get_root_resource, set_all_config, set_mocks
from pulumi.runtime.mocks import MockCallArgs, MockResourceArgs, Mocks
from pulumi.runtime.rpc import is_rpc_secret, unwrap_rpc_secret
from pulumi.runtime.settings import SETTINGS
from pulumi.runtime.stack import run_pulumi_func

from callroute.errors import InputError, LocalCloudError
from callroute.local.emulator import DEFAULT_REGION, Credentials, Emulator
from callroute.local.resource_creators import CREATORS, INVOKES, Arguments, UnknownArgumentError

PROJECT = Path(__file__).resolve().parents[2]
"""The directory of the Pulumi program: this repository."""

PROGRAM_SECONDS = 60.0
SERVER_ERROR = 500
RESOURCES = "callroute/local/resource_creators.py"


class ProvisioningError(LocalCloudError):
    """Something registered cannot be made here. The message names the resource and says what to do."""


@dataclass(frozen=True)
class Registered:
    """A resource that the program registered, as it was made."""

    type: str
    """Pulumi's type token, as `aws:sqs/queue:Queue`."""
    name: str
    """Logical name in the program."""
    inputs: Arguments
    """All registered arguments, secrets opened."""
    id: str
    """The provider's id: a name, URL or ARN, by type."""
    outputs: Arguments
    """The inputs and what AWS adds, as `arn`."""


@dataclass(frozen=True)
class Deployment:
    """A stack that stands in an emulator."""

    emulator: Emulator
    stack: str
    resources: tuple[Registered, ...]
    """What was registered, components excepted, in the order in which it was made."""
    outputs: dict[str, Any]
    """The stack's outputs."""
    _acting: dict[str, Credentials] = field(default_factory=dict, repr=False)

    def all(self, type_: str) -> list[Registered]:
        """Every resource of a type."""
        return [resource for resource in self.resources if resource.type == type_]

    def one(self, type_: str, name_suffix: str = "") -> Registered:
        """The only resource of a type whose logical name ends so.

        Raises:
            LookupError: there is none, or more than one.
        """
        found = [resource for resource in self.all(type_) if resource.name.endswith(name_suffix)]
        if len(found) != 1:
            names = ", ".join(resource.name for resource in self.all(type_)) or "none"
            raise LookupError(f"{len(found)} resources {type_} named …{name_suffix}; registered: {names}")
        return found[0]

    def credentials_of(self, role_arn: str, *, service: str, source_arn: str) -> Credentials:
        """Credentials with which a service acts in a role, on behalf of one resource.

        Services cannot assume roles in the emulator, so an IAM user carries a copy of the role's policies and has its
        permissions boundary; IAM is enforced on it. The trust policy is judged here, as AWS would judge it. The copy is made once per role and
        holds the policies of that moment.

        Args:
            role_arn: the role.
            service: who wants to act, as `pipes.amazonaws.com`.
            source_arn: the resource on whose behalf: AWS's `aws:SourceArn`.

        Raises:
            ProvisioningError: the role's trust policy does not let them.
        """
        role = self.trusting_role(role_arn, service=service, source_arn=source_arn)
        if role_arn not in self._acting:
            iam, name = self.emulator.client("iam"), role["RoleName"]
            user = f"{name[:50]}-acting"
            boundary = role.get("PermissionsBoundary", {}).get("PermissionsBoundaryArn")
            iam.create_user(UserName=user, **({"PermissionsBoundary": boundary} if boundary else {}))
            for policy in iam.list_role_policies(RoleName=name)["PolicyNames"]:
                document = iam.get_role_policy(RoleName=name, PolicyName=policy)["PolicyDocument"]
                iam.put_user_policy(UserName=user, PolicyName=policy, PolicyDocument=json.dumps(document))
            key = iam.create_access_key(UserName=user)["AccessKey"]
            self._acting[role_arn] = Credentials(key["AccessKeyId"], key["SecretAccessKey"])
        return self._acting[role_arn]

    def trusting_role(self, role_arn: str, *, service: str, source_arn: str) -> dict[str, Any]:
        """A role, as GetRole describes it, that a service may act in on behalf of a resource.

        Args:
            role_arn: the role.
            service: who wants to act, as `states.amazonaws.com`.
            source_arn: the resource on whose behalf: AWS's `aws:SourceArn`.

        Raises:
            ProvisioningError: the role's trust policy does not let them.
        """
        iam = self.emulator.client("iam")
        role: dict[str, Any] = iam.get_role(RoleName=role_arn.rpartition("/")[2])["Role"]
        trust = role["AssumeRolePolicyDocument"]
        context = {"aws:SourceArn": source_arn, "aws:SourceAccount": self.emulator.account_id}
        if not _trusts(trust, service, context):
            raise ProvisioningError(
                f"{role_arn} cannot be assumed by {service} for {source_arn}: its trust policy is {json.dumps(trust)}"
            )
        return role


def deploy(
    emulator: Emulator,
    stack: str = "local",
    overrides: Mapping[str, Any] | None = None,
    *,
    project: Path = PROJECT,
) -> Deployment:
    """Runs a Pulumi program and makes what it registers.

    Args:
        emulator: where.
        stack: whose settings, from `Pulumi.<stack>.yaml` beside the program.
        overrides: settings that replace those of the file, by key with or without the project's name; None removes one,
            a Secret replaces an encrypted one.
        project: the directory of `Pulumi.yaml` and `__main__.py`.

    Raises:
        InputError: the settings file cannot be used.
        ProvisioningError: something registered cannot be made here, or the program does not end.
        Exception: whatever the program raises, as it is.
    """
    settings = Settings.read(stack, overrides, project=project)
    if settings.region != emulator.region:
        raise InputError(
            settings.source,
            "aws:region",
            f"the stack is in {settings.region}, the emulator in {emulator.region}",
            f'Start the emulator there: Emulator("{settings.region}").',
        )
    engine = _Engine(emulator)
    outputs = _run(lambda: runpy.run_path(str(project), run_name="__main__"), settings, engine)
    deployment = Deployment(emulator, stack, tuple(engine.resources), outputs)
    for machine in deployment.all("aws:sfn/stateMachine:StateMachine"):
        # AWS refuses to make one whose role it could not act in. Pipes are asked when they begin to act.
        deployment.trusting_role(
            machine.inputs["roleArn"], service="states.amazonaws.com", source_arn=machine.outputs["arn"]
        )
    return deployment


def find_project(start: Path | None = None) -> Path:
    """Returns the nearest folder with a Pulumi.yaml, upwards from a folder.

    Args:
        start: the folder; by default, the current one.

    Raises:
        InputError: there is no such folder.
    """
    start = (start or Path.cwd()).resolve()
    for folder in (start, *start.parents):
        if (folder / "Pulumi.yaml").is_file():
            return folder
    raise InputError(
        str(start), "", "neither this folder nor one above it has a Pulumi.yaml", "Name the project with --project"
    )


class Secret(str):
    """The value of a setting that Pulumi would keep encrypted."""


@dataclass(frozen=True)
class Settings:
    """What `Pulumi.<stack>.yaml` and the overrides say."""

    source: str
    project: str
    stack: str
    config: dict[str, str]
    """By full key, `namespace:name`; numbers, booleans and structures as JSON, as Pulumi hands them to the program."""
    secrets: frozenset[str]
    """Full keys of the values that are secrets."""

    @property
    def region(self) -> str:
        """The stack's AWS region."""
        return self.config.get("aws:region", DEFAULT_REGION)

    @staticmethod
    def read(stack: str, overrides: Mapping[str, Any] | None = None, *, project: Path = PROJECT) -> Settings:
        """Reads a stack's settings.

        Raises:
            InputError: a file is missing, is not YAML, or holds an encrypted value.
        """
        name = _yaml(project / "Pulumi.yaml")["name"]
        path = project / f"Pulumi.{stack}.yaml"
        values = {
            key if ":" in key else f"{name}:{key}": value
            for given in (_yaml(path).get("config") or {}, overrides or {})
            for key, value in given.items()
        }
        for key, value in values.items():
            if isinstance(value, Mapping) and "secure" in value:
                raise InputError(
                    str(path),
                    key,
                    "the value is encrypted, and only Pulumi can open it",
                    "Give another value for the local stack, as a Secret.",
                )
        config = {
            key: value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
            for key, value in values.items()
            if value is not None
        }
        secrets = frozenset(key for key, value in values.items() if isinstance(value, Secret))
        return Settings(str(path), name, stack, config, secrets)


def _yaml(path: Path) -> dict[str, Any]:
    try:
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(
            str(path), "", f"cannot be read ({error.strerror})", "A stack needs this file."
        ) from error
    except yaml.YAMLError as error:
        raise InputError(str(path), "", f"is not YAML ({error})", "Mend the file.") from error
    if not isinstance(document, dict):
        raise InputError(
            str(path), "", "holds no mapping", "Write it as Pulumi does: `config:` and keys below it."
        )
    return document


def _run(program: Callable[[], object], settings: Settings, engine: _Engine) -> dict[str, Any]:
    """Runs a program to its end and returns the stack's outputs.

    Pulumi keeps its state in context variables and on an event loop. A thread of its own with an empty context gives every
    run a fresh set of both, and lets us give up on a program that hangs.
    """
    result: dict[str, Any] = {}
    raised: list[BaseException] = []

    async def execute() -> None:
        # Outputs that depend on a failed resource fail as well. Only the first failure is told, below.
        asyncio.get_running_loop().set_exception_handler(lambda _loop, _context: None)
        set_mocks(engine, settings.project, settings.stack, preview=False, logger=_quiet_logger())
        SETTINGS.root_directory = str(Path(settings.source).parent)
        SETTINGS.outputs = _TasksOfOneLoop(asyncio.get_running_loop())
        set_all_config(settings.config, sorted(settings.secrets))
        stack = get_root_resource()
        await run_pulumi_func(lambda: _ignore(program()))
        outputs = await pulumi.Output.all(**stack.outputs).future()  # type: ignore[union-attr] # set_mocks made it
        result.update(outputs or {})

    def in_own_context() -> None:
        try:
            contextvars.Context().run(asyncio.run, execute())
        except BaseException as error:  # noqa: BLE001 (carried over to the thread that waits)
            raised.append(error)

    thread = threading.Thread(target=in_own_context, name="pulumi-program", daemon=True)
    thread.start()
    thread.join(PROGRAM_SECONDS)
    if thread.is_alive():
        made = ", ".join(resource.name for resource in engine.resources) or "nothing"
        raise ProvisioningError(f"The program did not end within {PROGRAM_SECONDS:g} s. Made so far: {made}.")
    if engine.failures:
        raise engine.failures[0]
    if raised:
        raise raised[0]
    plain: dict[str, Any] = _plain(result)
    return plain


class _TasksOfOneLoop(set["asyncio.Task[Any]"]):
    """The outputs that Pulumi waits for at the end of a program: none of another run.

    When the coroutines of a run that failed are collected as garbage, they register their outputs once more, with
    whichever run is going on by then; to wait for these would fail, since their loop is closed.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__()
        self._loop = loop

    def add(self, task: asyncio.Task[Any]) -> None:
        """Adds a task of the loop; drops one of another."""
        if task.get_loop() is self._loop:
            super().add(task)


def _ignore(_value: object) -> None:
    """A program's globals are no concern of Pulumi's."""


def _quiet_logger() -> logging.Logger:
    """What the program logs goes to the log, and not as a warning of the root logger to the terminal."""
    return logging.getLogger("callroute.local.program")


class _Engine(Mocks):
    """Stands for Pulumi's engine and the AWS provider. Called from several threads at once, as a real engine works."""

    def __init__(self, emulator: Emulator) -> None:
        self.resources: list[Registered] = []
        self.failures: list[ProvisioningError] = []
        self._emulator = emulator
        self._lock = threading.Lock()

    def new_resource(self, args: MockResourceArgs) -> tuple[str | None, dict[Any, Any]]:
        if args.custom is False:  # a component: it exists only for Pulumi
            return f"{args.name}-component", {}
        try:
            made = self._make(args)
        except ProvisioningError as error:
            with self._lock:
                self.failures.append(error)
            raise
        with self._lock:
            self.resources.append(made)
        return made.id, made.outputs

    def _make(self, args: MockResourceArgs) -> Registered:
        label = f"{args.typ} {args.name!r}"
        create = CREATORS.get(args.typ)
        if create is None:
            raise ProvisioningError(
                f"{label}: the local cloud does not know this type. Add a function for it to CREATORS in {RESOURCES}."
            )
        if args.resource_id:
            raise ProvisioningError(
                f"{label}: an existing resource ({args.resource_id}) cannot be read or imported here."
            )
        inputs = _plain(args.inputs)
        given = copy.deepcopy(inputs)  # creators take it apart
        name = given.pop("name", None) or f"{args.name}-{secrets.token_hex(4)[:7]}"
        try:
            id_, added = create(self._emulator, name, given)
        except UnknownArgumentError as error:
            raise ProvisioningError(
                f"{label}: the local cloud does not know the argument {error}. "
                f"Teach it to {create.__name__} in {RESOURCES}."
            ) from error
        except (ClientError, BotoCoreError) as error:
            raise ProvisioningError(f"{label}: {error}{self._log_of(error)}") from error
        return Registered(args.typ, args.name, inputs, id_, {**inputs, **added})

    def _log_of(self, error: Exception) -> str:
        """The emulator's log, where the fault is its own."""
        status = error.response["ResponseMetadata"]["HTTPStatusCode"] if isinstance(error, ClientError) else 0
        return (
            f"\nThe emulator's log ends with:\n{self._emulator.log_tail()}" if status >= SERVER_ERROR else ""
        )

    def call(self, args: MockCallArgs) -> tuple[dict[Any, Any], list[tuple[str, str]] | None]:
        answer = INVOKES.get(args.token)
        if answer is None:
            failure = ProvisioningError(
                f"{args.token}: the local cloud does not know this function. Add it to INVOKES in {RESOURCES}."
            )
            with self._lock:
                self.failures.append(failure)
            raise failure
        return answer(self._emulator), []


def _plain(value: Any) -> Any:
    """A registered value as JSON would hold it: secrets opened, and whole numbers whole (the wire knows only floats)."""
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
    """Whether a trust policy lets a service assume the role, in a context of condition keys.

    Only what such policies are made of is understood. Anything else (a Deny, another operator or key) refuses, so that
    what works here works on AWS.
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
    if operator in ("ArnEquals", "ArnLike"):  # part by part: a `*` does not reach over a colon
        parts, patterns = value.split(":", 5), pattern.split(":", 5)
        return len(parts) == len(patterns) and all(map(fnmatch.fnmatchcase, parts, patterns))
    return False


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]
