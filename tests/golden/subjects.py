"""Produces everything that the golden files pin, as text. Only this module imports the project."""

from __future__ import annotations

import hashlib
import json
import re
import runpy
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pulumi.output import Unknown

# Everything that the golden files use from the project. Adapt these lines when a module moves.
from call_route_tracker import CallRouteTrackerArgs, ContactFlowArgs
from callroute.aws.deployment_roles import DeploymentTarget
from callroute.aws.deployment_roles import documents as role_documents
from tests.components.test_program import config
from tests.policies.test_stacks import VARIANTS
from tests.support.engine import PROJECT, Engine
from tests.support.paths import REPOSITORY

FOLDER = Path(__file__).resolve().parent
STACKS = ("dev", "local", "prod")

# --- Stacks ---------------------------------------------------------------------------------------------------------

LONG = 1000
"""JSON text longer than this is kept in a separate file, which all stacks that contain the text share."""


@dataclass(frozen=True)
class Registration:
    """One run of the program."""

    stack: str
    variant: str = "as committed"
    preview: bool = False

    @property
    def name(self) -> str:
        """Path of the golden file, without extension."""
        return f"stacks/{self.stack}.{slug(self.variant)}{'.preview' if self.preview else ''}"


REGISTRATIONS = [
    *(Registration(stack, variant) for stack in STACKS for variant in VARIANTS),
    *(Registration(stack, preview=True) for stack in STACKS),
]


def registered(run: Registration) -> tuple[str, dict[str, str]]:
    """Returns every resource that the program registers and the outputs of the stack, and the long texts by file."""
    engine = Engine()
    changes = {f"{PROJECT}:{key}": value for key, value in VARIANTS[run.variant].items()}
    engine.run(
        lambda: runpy.run_path(str(REPOSITORY / "__main__.py")),
        stack=run.stack,
        preview=run.preview,
        config={**config(run.stack), **changes},
        secrets=[f"{PROJECT}:phoneNumberSalt"],
    )
    texts: dict[str, str] = {}
    resources = [
        {
            "urn": each.urn,
            "type": each.type,
            "name": each.name,
            "custom": each.custom,
            "parent": each.parent,
            "protect": each.protect,
            "retain_on_delete": each.retain_on_delete,
            "secrets": sorted(each.secrets),
            "depends_on": sorted(each.depends_on),
            "inputs": _readable(each.inputs, texts),
            "outputs_of_component": sorted(engine.component_outputs.get(each.urn, ())),
        }
        for each in sorted(engine.resources, key=lambda each: each.urn)
    ]
    return dumped({"resources": resources, "outputs": _readable(engine.outputs, texts)}), texts


def _readable(value: Any, texts: dict[str, str]) -> Any:
    """Sorts keys and replaces JSON text by its digest, which pins every byte, and its parsed form, which can be read."""
    if isinstance(value, Unknown):
        return "<unknown>"
    if isinstance(value, dict):
        return {key: _readable(part, texts) for key, part in sorted(value.items())}
    if isinstance(value, list):
        return [_readable(part, texts) for part in value]
    if not isinstance(value, str) or not value.startswith(("{", "[")):
        return value
    try:
        parsed = json.loads(value)
    except ValueError:
        return value
    digest = hashlib.sha256(value.encode()).hexdigest()
    if len(value) <= LONG:
        return {"sha256": digest, "json": parsed}
    file = f"texts/{digest[:16]}.json"
    texts[file] = dumped(parsed)
    return {"sha256": digest, "file": file}


# --- Commands -------------------------------------------------------------------------------------------------------

CALL_ROUTE = "flow_definitions/call_route.json"
BANK = "flow_definitions/call_route_with_operator.json"
BAD = "tests/golden/flows/bad.json"
FAILING = "tests/golden/flows/failing.scenarios.yaml"


def _of_a_call(output: str) -> str:
    """Replaces values that differ between calls: the time of the call and the contact ID.

    Time zones are kept, and equal IDs stay equal. Dates without a time are replaced by key, because a format version looks
    like a date.
    """
    ids: dict[str, str] = {}

    def numbered(found: re.Match[str]) -> str:
        return ids.setdefault(found[0], f"<id {len(ids) + 1}>")

    # The IDs of the simulated instance and its resources are fixed: they start with zeros.
    output = re.sub(r"\b(?!0{8})[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\b", numbered, output)
    output = re.sub(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?", "<time>", output)
    # The digest covers the start time.
    output = re.sub(r"(<time>Z-[01]{2}-)[0-9a-f]{16}", r"\1<digest>", output)
    output = re.sub(r'("call_date": )"\d{4}-\d\d-\d\d"', r'\1"<date>"', output)
    # The call starts at a fraction of a second, so its duration can be rounded up or down.
    return re.sub(r'("duration_seconds": )\d+', r"\1<seconds>", output)


def _without_versions(output: str) -> str:
    """Replaces the version of the tool in SARIF, not that of the format."""
    return re.sub(r'("(?:semanticVersion|dottedQuadFileVersion)": )"[^"]*"', r'\1"<version>"', output)


@dataclass(frozen=True)
class Command:
    """A `callroute` command line."""

    arguments: tuple[str, ...]
    emulator: bool = False
    normalize: Callable[[str], str] = str


COMMANDS = {
    "simulate-completed": Command(("simulate", BANK, "--keys", "1,2", "--json")),
    "simulate-abandoned": Command(("simulate", CALL_ROUTE, "--keys", "2,timeout,9,hangup", "--json")),
    "simulate-closed": Command(
        ("simulate", BANK, "--keys", "0", "--closed", "--at", "2026-01-31T23:59:59Z", "--json")
    ),
    "simulate-missing-file": Command(("simulate", "missing.json", "--keys", "1", "--json")),
    **{
        f"scenarios-{Path(flow).stem}": Command(
            ("simulate", flow, "--scenarios", flow.replace(".json", ".scenarios.yaml"), "--json")
        )
        for flow in (CALL_ROUTE, BANK)
    },
    "scenarios-failing": Command(
        ("simulate", CALL_ROUTE, "--scenarios", FAILING, "--minimum-coverage", "90", "--json")
    ),
    **{
        f"check-{format_}-{name}": Command(
            ("check", *flows, "--format", format_), normalize=_without_versions
        )
        for format_ in ("json", "sarif")
        for name, flows in {
            "good": (CALL_ROUTE,),
            "notes": (CALL_ROUTE, BANK),
            "bad": (BAD,),
            "missing-file": ("missing.json",),
        }.items()
    },
    "track": Command(("track", BANK)),
    "draw-mermaid": Command(("draw", BANK)),
    "draw-svg": Command(("draw", CALL_ROUTE, "--format", "svg")),
    "call-completed": Command(
        ("call", "--flow", CALL_ROUTE, "--keys", "2,1", "--json"), emulator=True, normalize=_of_a_call
    ),
    "call-answered": Command(
        ("call", "--flow", BANK, "--keys", "1,2", "--json"), emulator=True, normalize=_of_a_call
    ),
    "replay": Command(("replay", "tests/samples/contact_records.jsonl", "--json"), emulator=True),
    "demo": Command(("demo", "--calls", "20", "--seed", "1", "--json"), emulator=True),
}


def printed(command: Command) -> str:
    """Runs a command and returns its command line, exit code and standard output."""
    ran = subprocess.run(  # noqa: S603 - this project's program
        [sys.executable, "-m", "callroute", *command.arguments],
        cwd=REPOSITORY,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        encoding="utf-8",
        timeout=110,
        check=False,
    )
    line = " ".join(("callroute", *command.arguments))
    return f"$ {line}\nexit code {ran.returncode}\n{command.normalize(ran.stdout)}"


# --- Documents of the deployment roles ------------------------------------------------------------------------------

_ACCOUNT = "arn:aws:{}:ap-northeast-1:111111111111:{}"
_ARGS = CallRouteTrackerArgs(connect_instance="00000000-0000-0000-0000-000000000000")
_DEV, _LOCAL, _PROD = (
    DeploymentTarget(
        args=replace(_ARGS, table_name=table),
        account_id="111111111111",
        region="ap-northeast-1",
        stack=stack,
        repository="your-organisation/call-route-tracker",
        state_bucket="your-pulumi-state",
        state_key_arn=_ACCOUNT.format("kms", "key/00000000-0000-0000-0000-000000000001"),
    )
    for stack, table in (("dev", "call-records-dev"), ("local", "call-records"), ("prod", "call-records"))
)
_BOUNDARY: dict[str, Any] = {
    "permissions_boundary_arn": "arn:aws:iam::111111111111:policy/call-route-tracker-boundary"
}
_KEY: dict[str, Any] = {"kms_key_arn": _ACCOUNT.format("kms", "key/00000000-0000-0000-0000-000000000002")}
_STREAM: dict[str, Any] = {"stream_arn": _ACCOUNT.format("kinesis", "stream/theirs")}
_STREAM_KEY: dict[str, Any] = {
    "stream_kms_key_arn": _ACCOUNT.format("kms", "key/00000000-0000-0000-0000-000000000003")
}
_NUMBERS = [
    ContactFlowArgs(
        key=name, name=name, content="{}", phone_number_id=f"00000000-0000-0000-0000-00000000000{name}"
    )
    for name in ("8", "9")
]


def _with(target: DeploymentTarget, **options: Any) -> DeploymentTarget:
    """Returns a target with some options changed."""
    return replace(target, args=replace(_ARGS, table_name=target.args.table_name, **options))


TARGETS: Mapping[str, DeploymentTarget] = {
    "dev": _DEV,
    "local": _LOCAL,
    "prod": _PROD,
    "dev-boundary": _with(_DEV, **_BOUNDARY),
    "dev-key": _with(_DEV, **_KEY),
    "dev-stream": _with(_DEV, **_STREAM),
    "dev-boundary-key": _with(_DEV, **_BOUNDARY, **_KEY),
    "local-boundary-stream": _with(_LOCAL, **_BOUNDARY, **_STREAM, **_STREAM_KEY),
    "prod-boundary-key-stream-numbers": _with(
        _PROD, **_BOUNDARY, **_KEY, **_STREAM, **_STREAM_KEY, flows=_NUMBERS
    ),
    "prod-boundary-china": replace(_with(_PROD, **_BOUNDARY), partition="aws-cn", region="cn-north-1"),
}


def documents(name: str) -> str:
    """Returns all documents for one target, with their keys in the order that the program uses."""
    return dumped(role_documents(TARGETS[name]))


# --- Text -----------------------------------------------------------------------------------------------------------


def dumped(value: object) -> str:
    """Returns JSON formatted for readable diffs."""
    return json.dumps(value, ensure_ascii=False, indent=1) + "\n"


def slug(name: str) -> str:
    """Returns a name that can be used in a file name."""
    return re.sub(r"\W+", "-", name)
