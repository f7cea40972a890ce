"""Reads the options of a CallRouteTracker from the stack configuration."""

import json
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import Field, dataclass, fields, replace
from pathlib import Path
from typing import Any

import pulumi
from pulumi.runtime import config as pulumi_config

from callroute.arn import Arn
from callroute.errors import InputError
from callroute.flows.block_types import KINDS, declared_type
from callroute.flows.load import load_flow
from callroute.flows.placeholders import names

from .constraints import (
    ConfigError,
    Problem,
    allowed_values,
    camel_case,
    default_of,
    find_problems,
    is_required,
    option,
    shown,
    suggestion,
    type_of,
)
from .options import CallRouteTrackerArgs, ContactFlowArgs


@dataclass(frozen=True, kw_only=True)
class FlowFile:
    """Flow options that exist only in stack configuration. They determine `key` and `content`."""

    file: str = option()
    """File in `flow_definitions/`."""
    placeholders: Mapping[str, str] = option({})
    """Values of the placeholders that the flow's route catalog declares."""


FLOW_OPTIONS = (
    *fields(FlowFile),
    *(each for each in fields(ContactFlowArgs) if each.name not in ("key", "content")),
)
"""Options of a contact flow or module in stack configuration."""


def load_config() -> CallRouteTrackerArgs:
    """Returns the options of the stack that Pulumi is running, including the tags `project` and `stack`.

    Raises:
        ConfigError: some options are invalid.
    """
    project = pulumi.get_project()
    prefix = f"{project}:"
    # The language host passes configuration in memory, or in environment variables to programs that it starts.
    config = {**pulumi_config.get_config_env(), **pulumi_config.CONFIG.get()}
    values = {key.removeprefix(prefix): value for key, value in config.items() if key.startswith(prefix)}
    root = Path(pulumi.get_root_directory())
    return parse_config(
        values,
        # Without an engine, the SDK returns the string "root_directory".
        flow_folder=(root if root.is_absolute() else Path()) / "flow_definitions",
        secrets={key for key in values if pulumi_config.is_config_secret(prefix + key)},
        region=config.get("aws:region"),
        default_tags={"project": project, "stack": pulumi.get_stack()},
    )


def parse_config(
    config: Mapping[str, Any],
    *,
    flow_folder: Path,
    secrets: Collection[str] = (),
    region: str | None = None,
    default_tags: Mapping[str, str] | None = None,
) -> CallRouteTrackerArgs:
    """Returns the options that a stack configuration sets.

    Args:
        config: values by key, without the project name. Pulumi passes all values as strings.
        flow_folder: the folder that contains the flow files.
        secrets: the keys whose values are secrets.
        region: the stack's AWS region, if known.
        default_tags: tags that the option `tags` can override.

    Raises:
        ConfigError: some options are invalid.
    """
    options = {each.name: each for each in fields(CallRouteTrackerArgs)}
    values, problems = _read(config, options.values())
    if isinstance(values.get("flows"), list):
        flows, flow_problems = _read_flows(values.pop("flows"), flow_folder)
        problems += flow_problems
        if not flow_problems:
            values["flows"] = flows
    for name in [name for name in values if options[name].metadata["secret"]]:
        if camel_case(name) not in secrets:
            del values[name]
            problems.append(Problem(camel_case(name), "in plain text", "a Pulumi secret", ""))
    if default_tags and isinstance(values.get("tags", {}), dict):
        values["tags"] = {**default_tags, **values.get("tags", {})}
    # An option that could not be read does not get its default, because that could cause misleading errors.
    defaults = {
        name: default_of(each)
        for name, each in options.items()
        if not is_required(each) and camel_case(name) not in config
    }
    problems += find_problems(CallRouteTrackerArgs, {**defaults, **values}, camel_case)
    failed = {problem.key for problem in problems}
    valid = {name: value for name, value in values.items() if camel_case(name) not in failed}
    problems += _in_other_regions(valid, region)
    if problems:
        raise ConfigError(_presentable(problems, secrets))
    return CallRouteTrackerArgs(**values)


def _read(
    config: Mapping[str, Any], options: Iterable[Field[Any]], prefix: str = ""
) -> tuple[dict[str, Any], list[Problem]]:
    """Returns the values by option name, and the problems with options that could not be read."""
    by_key = {camel_case(each.name): each for each in options}
    values: dict[str, Any] = {}
    problems = [
        Problem(
            prefix + key,
            "unknown",
            f"one of {', '.join(by_key)}",
            suggestion(key, by_key) or "Remove it.",
        )
        for key in config
        if key not in by_key
    ]
    for key, each in by_key.items():
        value = shown(config[key]) if key in config else "not set"
        try:
            values[each.name] = _parse(config[key], type_of(each))
        except (KeyError, ValueError):
            if key in config or is_required(each):
                part = {Sequence: "[0].NAME", Mapping: ".NAME"}.get(type_of(each), "")
                fix = f"Set it: pulumi config set --path '{prefix}{key}{part}' VALUE"
                problems.append(Problem(prefix + key, value, allowed_values(each), fix))
    return values, problems


def _parse(value: Any, type_: Any) -> Any:
    """Converts text to an option's type. Leaves all other values unchanged.

    Raises:
        ValueError: the text cannot be converted.
    """
    if not isinstance(value, str) or type_ is str:
        return value
    if type_ is bool and value.lower() not in ("true", "false"):
        raise ValueError(value)
    return int(value) if type_ is int else json.loads(value.lower() if type_ is bool else value)


def _read_flows(entries: Iterable[Any], folder: Path) -> tuple[list[ContactFlowArgs], list[Problem]]:
    flows, problems = [], []
    for position, entry in enumerate(entries):
        prefix = f"flows[{position}]"
        if isinstance(entry, dict):
            values, found = _read_flow(entry, prefix, folder)
        else:
            values, found = {}, [Problem(prefix, shown(entry), "a mapping", "Set its `file` and `name`.")]
        problems += found
        if not found:
            flows.append(ContactFlowArgs(**values))
    return flows, problems


def _read_flow(entry: Mapping[str, Any], prefix: str, folder: Path) -> tuple[dict[str, Any], list[Problem]]:
    """Returns the values for ContactFlowArgs, and the problems with the entry."""

    def spell(name: str) -> str:
        return f"{prefix}.{camel_case(name)}"

    values, problems = _read(entry, FLOW_OPTIONS, f"{prefix}.")
    problems += find_problems(FlowFile, values, spell)
    problems += find_problems(ContactFlowArgs, values, spell)
    file, placeholders = values.pop("file", None), values.pop("placeholders", {})
    if isinstance(file, str):
        values["key"] = Path(file).stem.replace("_", "-")
        try:
            values["content"] = _content(folder, file, placeholders, values, spell)
            if not problems:
                problems += ContactFlowArgs.conflicts(values, spell)
        except ConfigError as error:
            problems += error.problems
    return values, problems


def _content(
    folder: Path, file: str, placeholders: Any, values: Mapping[str, Any], spell: Callable[[str], str]
) -> str:
    """Returns the flow's content as it will be deployed.

    Raises:
        ConfigError: the file, its type or a placeholder is invalid.
    """

    def invalid(option: str, value: object, allowed: str, fix: str) -> ConfigError:
        return ConfigError([Problem(spell(option), shown(value), allowed, fix)])

    try:
        declared = declared_type(load_flow(folder / file).flow)
    except InputError as error:
        allowed = "a file in flow_definitions/ in the Amazon Connect flow language"
        raise invalid("file", file, allowed, str(error)) from None
    type_ = values.get("type", ContactFlowArgs.type)
    if declared not in (None, type_) and type_ in KINDS:
        fix = f"Set it: pulumi config set --path '{spell('type')}' {declared}"
        raise invalid("type", type_, f"{declared}, the type in the flow or its route catalog", fix)
    if not isinstance(placeholders, dict) or not all(isinstance(each, str) for each in placeholders.values()):
        return ""
    try:
        content = load_flow(folder / file, placeholders).content
    except InputError as error:
        allowed = "a value for each placeholder of the flow"
        raise invalid("placeholders", placeholders, allowed, str(error)) from None
    if remaining := names(content):
        fix = f"Replace {', '.join('${' + name + '}' for name in remaining)} with a value."
        raise invalid("placeholders", placeholders, "values without placeholders", fix)
    return content


def _in_other_regions(values: Mapping[str, Any], region: str | None) -> Iterator[Problem]:
    for name, value in values.items():
        if region and isinstance(value, str) and value.startswith("arn:"):
            found = Arn.parse(value).region
            if found not in ("", region):
                yield Problem(
                    camel_case(name),
                    shown(value),
                    f"an ARN in {region}, the region of the stack",
                    f"The ARN is in {found}: use a resource in {region}, or change aws:region.",
                )


def _presentable(problems: Iterable[Problem], secrets: Collection[str]) -> list[Problem]:
    """Sorts problems by the order of the options and hides secret values."""
    options = {camel_case(each.name): each for each in fields(CallRouteTrackerArgs)}
    found: dict[Problem, int] = {}
    for problem in problems:
        key = re.split(r"[.\[]", problem.key)[0]
        position = [*options, key].index(key)
        if key in options and options[key].metadata["secret"]:
            fix = f'Set one: pulumi config set --secret {key} "$(openssl rand -hex 32)"'
            problem = replace(problem, fix=fix)
        elif key in options and key in secrets:
            fix = "This value does not have to be secret. Set it in plain text to see the full error."
            problem = Problem(key, "a secret", allowed_values(options[key]), fix)
        found.setdefault(problem, position)
    return sorted(found, key=found.__getitem__)
