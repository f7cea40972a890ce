"""Implements `callroute pull`, which reads flows from a Connect instance into files."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import yaml
from click.exceptions import Exit

from callroute.arn import Arn
from callroute.cli import output
from callroute.cli.catalog_files import save_catalog
from callroute.cli.exit_codes import FINDINGS
from callroute.cli.parameters import FILE, general_options, json_option, project_option
from callroute.cli.stacks import aws_errors
from callroute.errors import InputError
from callroute.flows.attribute_flow import ROUTE, attributes_of
from callroute.flows.block_types import DEFAULT_TYPE, MODULE
from callroute.flows.flow import Flow
from callroute.flows.lint import RULES, check
from callroute.flows.route_catalog import SUFFIX, RouteCatalog
from callroute.flows.tracking import add_tracking, catalog_text
from callroute.formats.files import read_text, write_text
from callroute.formats.json_document import printable, walk
from callroute.local.stack_config import FLOW_FOLDER, PROJECT_FILE, StackConfig, find_project
from callroute.operations.pull import Instance, PulledFlow, find_instance

if TYPE_CHECKING:
    from boto3.session import Session

ATTEMPTS = 10
"""Attempts of a call before it fails. Connect allows 2 requests per second."""
PROJECT = "call-route-tracker"
"""Name of the Pulumi project, unless the command runs in another project."""
FLOW_RESOURCE = "aws:connect/contactFlow:ContactFlow"
MODULE_RESOURCE = "aws:connect/contactFlowModule:ContactFlowModule"

_PLACEHOLDERS = "placeholders:"
_SECRET_NAME = re.compile(
    r"passw(or)?d|secret|api[_-]?key|private[_-]?key|(access|auth|bearer)[_-]?token", re.IGNORECASE
)
_SECRET_VALUE = re.compile(
    r"\b(AKIA|ASIA)[A-Z0-9]{16}\b|-----BEGIN [A-Z ]*PRIVATE KEY-----|\bBearer [\w.~+/-]{16,}"
)


@dataclass(frozen=True)
class Target:
    """The files to write for a pulled flow.

    Attributes:
        pulled: the flow.
        path: its file.
        flow: the flow with placeholders.
        catalog: its route catalog.
        status: `new`, `unchanged`, or `changed` if the file exists with other content.
    """

    pulled: PulledFlow
    path: Path
    flow: Flow
    catalog: RouteCatalog
    status: str

    @property
    def entry(self) -> dict[str, Any]:
        """The flow's entry under `flows` in the stack's configuration."""
        listed = self.pulled.listed
        optional = {
            "type": "" if listed.type == DEFAULT_TYPE else listed.type,
            "description": self.pulled.description,
            "placeholders": dict(self.pulled.template.values),
        }
        entry = {key: value for key, value in optional.items() if value}
        return {"file": self.path.name, "name": listed.name, **entry, "tags": dict(self.pulled.tags)}


@click.command
@click.argument("names", metavar="NAME...", nargs=-1)
@click.option("--instance", metavar="ID", required=True, help="ID, ARN or alias of the Connect instance.")
@click.option("--profile", metavar="NAME", help="Profile in your AWS configuration.")
@click.option(
    "--region", metavar="REGION", help="AWS region. By default, the region of the stack or of the profile."
)
@click.option(
    "--output",
    "-o",
    "out",
    metavar="DIR",
    type=FILE,
    help=f"Folder for the flows. By default, {FLOW_FOLDER} in the Pulumi project.",
)
@click.option(
    "--stack",
    metavar="NAME",
    help="Also set `flows` in this stack's configuration, and reuse its placeholder names.",
)
@project_option
@click.option("--list", "list_only", is_flag=True, help="Only list the flows and modules in the instance.")
@click.option("--force", is_flag=True, help="Overwrite files that differ from the flows in Connect.")
@json_option
@general_options
def pull(
    names: tuple[str, ...],
    instance: str,
    profile: str | None,
    region: str | None,
    out: Path | None,
    stack: str | None,
    project: Path | None,
    list_only: bool,
    force: bool,
    as_json: bool,
) -> None:
    """Read flows and modules from a Connect instance into files.

    Without NAME, reads all of them. ARNs and resource IDs become placeholders, for example ${SalesQueueArn}. The output
    contains their values, for a stack's configuration, and the `pulumi import` commands that adopt the flows. With --stack,
    Pulumi sets the configuration, and the output contains only the commands. A route catalog beside each flow contains its
    type and its placeholders. Files that differ from the flow in Connect are not overwritten. Nothing in Connect changes. See
    docs/pull.md.

    Exit code: 0, or 1 if a flow was not written, or 2 if the instance cannot be used.
    """
    config = _stack_config(stack, project) if stack else None
    session = _session(
        profile, region or _region_of(instance) or (config.config.get("aws:region") if config else None)
    )
    with (
        aws_errors("--instance", "Check --instance, --region and --profile"),
        output.progress("Reading the instance …"),
    ):
        connect = _client(session, "connect")
        source = Instance(
            connect, find_instance(connect, instance), lambda area: _client(session, "lexv2-models", area)
        )
        selected = source.select(names)
    if list_only:
        _list(selected, as_json)
        return
    folder = out or _folder(project)
    known_names = _known_names(config)
    targets, failed = [], False
    with (
        aws_errors("--instance", "Check --instance, --region and --profile"),
        output.progress_bar("Reading flows", len(selected)) as advance,
    ):
        for each in selected:
            path = folder / f"{each.stem}.json"
            try:
                targets.append(_target(source.pull(each, known_names.get(path.name)), path))
            except InputError as error:
                output.error(str(error))
                failed = True
            advance()
    for target in targets:
        if target.status == "changed" and not force:
            problem = "differs from the flow in Connect, so it was not overwritten"
            output.error(f"{target.path}: {problem}. Save your changes, then use --force")
            failed = True
        else:
            _write(target)
    for note in source.notes:
        output.note(f"note: {note}")
    name = config.project if config else PROJECT
    imports = [_import_command(source.id, name, each, stack) for each in targets]
    if config:
        _set_flows(config, targets)
    if as_json:
        flows = [_as_json(each, source.id) for each in targets]
        output.write_json({"instance": source.id, "flows": flows, "imports": imports})
    elif config:
        output.write_document("".join(f"{command}\n" for command in imports))
    else:
        _write_configuration(name, targets, imports)
    if failed:
        raise Exit(FINDINGS)


# --- AWS and Pulumi --------------------------------------------------------------------------------------------------


def _region_of(instance: str) -> str | None:
    """Returns the region in an instance's ARN, or None for an ID or an alias."""
    return Arn.parse(instance).region if instance.startswith("arn:") and instance.count(":") >= 5 else None


def _session(profile: str | None, region: str | None) -> Session:
    import boto3
    from botocore.exceptions import BotoCoreError

    try:
        session = boto3.session.Session(
            profile_name=profile, region_name=region or os.environ.get("AWS_REGION")
        )
    except BotoCoreError as error:
        raise InputError("--profile", "", str(error).rstrip("."), "Use a profile that exists") from error
    if session.region_name is None:
        raise InputError("--region", "", "no region is configured", "Pass the region of the instance")
    return session


def _client(session: Any, service: str, region: str | None = None) -> Any:
    """Returns a client that slows down when AWS throttles it."""
    from botocore.config import Config

    config = Config(retries={"mode": "adaptive", "total_max_attempts": ATTEMPTS})
    return session.client(service, region_name=region or session.region_name, config=config)


def _folder(project: Path | None) -> Path:
    try:
        found = project or find_project()
    except InputError as error:
        fix = "Pass a folder with --output, or run the command in a Pulumi project"
        raise InputError("--output", "", f"no {PROJECT_FILE} in this folder or its parents", fix) from error
    return found / FLOW_FOLDER


def _stack_config(stack: str, project: Path | None) -> StackConfig:
    from callroute.local.stack_config import Secret

    return StackConfig.read(stack, project=project, encrypted=Secret("encrypted"))


def _known_names(config: StackConfig | None) -> dict[str, dict[str, str]]:
    """Returns the placeholder names in a stack's configuration, by file and value."""
    entries = config.flows if config else []
    return {
        str(each.get("file")): {str(value): name for name, value in (each.get("placeholders") or {}).items()}
        for each in entries
    }


def _set_flows(config: StackConfig, targets: Sequence[Target]) -> None:
    """Sets the flows in a stack's configuration with the Pulumi CLI, which preserves the rest of the file."""
    flows = config.flows
    files = [each.get("file") for each in flows]
    outdated, words = [], []
    for target in targets:
        if target.path.name not in files:
            files.append(target.path.name)
        position = files.index(target.path.name)
        place = f"{config.project}:flows[{position}]"
        # Tags that were removed from the flow must not remain, and Pulumi cannot add a tag to an entry written as `{}`.
        if position < len(flows) and "tags" in flows[position]:
            outdated.append(f"{place}.tags")
        entry = target.entry
        for key, value in entry.items():
            if isinstance(value, dict) and value:
                for name, text in value.items():
                    words += ["--plaintext", f"{place}.{key}[{json.dumps(name)}]={text}"]
            else:
                words += ["--plaintext", f"{place}.{key}={value or '{}'}"]
    if not words:
        return
    if outdated:
        _run_config(config, "rm-all", *outdated)
    _run_config(config, "set-all", *words)
    output.note(f"{config.file}: {output.counted(len(targets), 'flow')}")


def _run_config(config: StackConfig, action: str, *words: str) -> None:
    options = ["--path", "--stack", config.stack, "--cwd", str(config.folder)]
    command = ["pulumi", "config", action, *options, *words]
    try:
        done = subprocess.run(command, capture_output=True, encoding="utf-8", check=False)  # noqa: S603
    except FileNotFoundError as error:
        fix = "Install Pulumi (pulumi.com/docs/install)"
        raise InputError("--stack", "", "the Pulumi CLI is not on PATH", fix) from error
    if done.returncode:
        problem = (
            f"the configuration cannot be set ({done.stderr.strip().removeprefix('error: ').rstrip('.')})"
        )
        raise InputError(f"stack {config.stack}", "", problem, "List the stacks with `pulumi stack ls`")


def _import_command(instance_id: str, project: str, target: Target, stack: str | None) -> str:
    """Returns the command that adopts a flow. The component has an alias for flows at the root of the stack."""
    name = f"{project}-{target.path.stem.replace('_', '-')}"
    options = ["--generate-code=false", "--protect=false", *(["--stack", stack] if stack else [])]
    resource = MODULE_RESOURCE if target.pulled.listed.type == MODULE else FLOW_RESOURCE
    words = ["pulumi", "import", resource, name, f"{instance_id}:{target.pulled.listed.id}", *options]
    return shlex.join(words)


# --- Files -----------------------------------------------------------------------------------------------------------


def _target(pulled: PulledFlow, path: Path) -> Target:
    """Prepares a flow's files and warns about their content.

    Raises:
        InputError: the content is not a flow, or its route catalog is invalid.
    """
    listed, template = pulled.listed, pulled.template
    flow = Flow.parse_lenient(template.text, listed.name, listed.type)
    for text in _warnings(flow):
        output.note(f"warning: {printable(listed.name)}: {text}")
    for text in template.dynamic:
        output.note(
            f"note: {printable(listed.name)}: {printable(text)!r} contains a reference, so it was kept"
        )
    existing = RouteCatalog.beside(path)
    if existing and existing.type not in (None, listed.type):
        status = "changed"
    elif not path.exists():
        status = "new"
    else:
        status = "unchanged" if _same_json(read_text(path), template.text) else "changed"
    return Target(pulled, path, flow, _catalog(existing, flow, path, template.meanings), status)


def _same_json(first: str, second: str) -> bool:
    try:
        return bool(json.loads(first) == json.loads(second))
    except (ValueError, RecursionError):
        return False


def _catalog(
    existing: RouteCatalog | None, flow: Flow, path: Path, meanings: Mapping[str, str]
) -> RouteCatalog:
    """Returns the route catalog: the existing one with the type and the placeholders added, or a new one.

    The catalog contains routes if the flow sets any.
    """
    catalog = existing or RouteCatalog(path.name, None, {}, {})
    sets_routes = any(ROUTE in attributes_of(block) for block in flow.blocks.values())
    if sets_routes and not flow.defects and not catalog.routes:
        tracked = add_tracking(flow, file=path.name, call_flow=path.stem)
        catalog = tracked.catalog or catalog
    kept = existing.placeholders if existing else {}
    return replace(catalog, type=flow.type, placeholders={**meanings, **kept})


def _write(target: Target) -> None:
    target.path.parent.mkdir(parents=True, exist_ok=True)
    if target.status != "unchanged":
        write_text(target.path, target.pulled.template.text)
    catalog = target.path.with_name(target.path.stem + SUFFIX)
    save_catalog(catalog, target.catalog, _with_placeholders)
    output.note(f"{target.path}: {target.status}")


def _with_placeholders(text: str, catalog: RouteCatalog) -> str:
    """Adds the type and the placeholders to a catalog's text, preserving its comments."""
    known = RouteCatalog.parse(text, "")
    placeholders = {
        name: each for name, each in catalog.placeholders.items() if name not in known.placeholders
    }
    type_ = None if known.type else catalog.type
    missing = replace(catalog, call_flow=None, type=type_, placeholders=placeholders, routes={})
    _flow, *added = catalog_text(missing).splitlines()
    lines = text.splitlines()
    if _PLACEHOLDERS in added and _PLACEHOLDERS in lines:
        start, position = added.index(_PLACEHOLDERS), lines.index(_PLACEHOLDERS) + 1
        lines[position:position] = added[start + 1 :]
        added = added[:start]
    position = next((index for index, line in enumerate(lines) if line.startswith("routes:")), len(lines))
    return "\n".join([*lines[:position], *added, *lines[position:]]) + "\n"


def _warnings(flow: Flow) -> Iterator[str]:
    """Yields a warning for each secret and each piece of personal data in a flow, without the value itself."""
    for path, value in walk(flow.document):
        name = path.rpartition(".")[2]
        if not isinstance(value, str) or value.startswith("$"):
            continue
        if _SECRET_VALUE.search(value) or (value and _SECRET_NAME.search(name) and " " not in value):
            yield f"{path} looks like a secret. Keep it in AWS Secrets Manager, and read it in a Lambda function"
    rules = [rule for rule in RULES if rule.id == "personal-data"]
    for finding in check(flow, rules=rules):
        yield f"block {finding.block!r}: {finding.message} {finding.hint}"


# --- Output ----------------------------------------------------------------------------------------------------------


def _list(flows: Sequence[Any], as_json: bool) -> None:
    if as_json:
        output.write_json(
            {"flows": [{"name": each.name, "type": each.type, "id": each.id} for each in flows]}
        )
        return
    columns = [output.Column("name"), output.Column("type"), output.Column("ID")]
    output.write_table(columns, [(printable(each.name), each.type, each.id) for each in flows])


def _as_json(target: Target, instance_id: str) -> dict[str, Any]:
    listed = target.pulled.listed
    return {
        **target.entry,
        "placeholders": dict(target.pulled.template.values),
        "type": listed.type,
        "import_id": f"{instance_id}:{listed.id}",
        "status": target.status,
    }


def _write_configuration(project: str, targets: Sequence[Target], imports: Sequence[str]) -> None:
    """Prints the flows' configuration, followed by the import commands as comments."""
    if not targets:
        return
    output.write_document(_yaml({"config": {f"{project}:flows": [each.entry for each in targets]}}))
    comments = ["Adopt the flows after you have set the configuration:", *imports]
    output.write_document("".join(f"# {line}\n" for line in comments))


def _yaml(value: Any) -> str:
    return yaml.safe_dump(value, sort_keys=False, allow_unicode=True, width=1000)
