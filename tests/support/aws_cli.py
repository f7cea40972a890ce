"""Parses AWS CLI commands with the API models, and runs them.

As a program, it replaces `aws` for the commands shown in the documentation, with the emulator at $AWS_ENDPOINT_URL.
"""

from __future__ import annotations

import base64
import json
import os
import sys
from pathlib import Path
from typing import Any

import botocore.session
from botocore import xform_name
from botocore.model import Shape

GLOBAL = {"--output", "--query"}


class UnknownCommandError(Exception):
    """An unknown service, operation or option, or a missing required option."""


_SESSION = botocore.session.Session()


def client(service: str) -> Any:
    """Returns a client of the emulator. Without $AWS_ENDPOINT_URL, only its API model is usable."""
    return _SESSION.create_client(
        service,
        region_name="ap-northeast-1",
        aws_access_key_id="test",
        aws_secret_access_key="test",  # noqa: S106 - the documented root credentials of the emulator
        endpoint_url=os.environ.get("AWS_ENDPOINT_URL"),
    )


def read(words: list[str]) -> tuple[str, str, dict[str, Any], dict[str, str]]:
    """Parses a command, without the word `aws`.

    Returns:
        Service, operation, request and global options.

    Raises:
        UnknownCommandError: the AWS CLI would reject the command.
    """
    service, command, *rest = words
    service = {"s3api": "s3"}.get(service, service)
    if service not in _SESSION.get_available_services():
        raise UnknownCommandError(f"unknown service {service}")
    model = client(service).meta.service_model
    waiting = command == "wait"
    if waiting:
        waiter, *rest = rest
        found = client(service)._get_waiter_config()[
            "waiters"
        ]  # there is no public API for a waiter's operation
        operations = {xform_name(name, "-"): each["operation"] for name, each in found.items()}
        command = waiter
    else:
        operations = {xform_name(name, "-"): name for name in model.operation_names}
    if command not in operations:
        raise UnknownCommandError(f"{service} has no operation {command}")
    shape = model.operation_model(operations[command]).input_shape
    members = {f"--{xform_name(name, '-')}": name for name in shape.members}
    request: dict[str, Any] = {}
    options: dict[str, str] = {}
    while rest:
        option, *rest = rest
        values: list[str] = []
        while rest and not rest[0].startswith("--"):
            values.append(rest.pop(0))
        if option in GLOBAL:
            options[option] = values[0]
        elif option in members:
            request[members[option]] = _value(shape.members[members[option]], values)
        else:
            raise UnknownCommandError(f"{service} {command} has no option {option}")
    if missing := set(shape.required_members) - set(request):
        raise UnknownCommandError(f"{service} {command} needs {sorted(missing)}")
    return service, f"wait {command}" if waiting else operations[command], request, options


def _value(shape: Shape, values: list[str]) -> Any:
    kind = shape.type_name
    if kind == "list":
        return [_value(shape.member, [value]) for value in values]  # type: ignore[attr-defined] # defined on the shape of a list
    text = " ".join(values)
    if text.startswith("file://"):
        return Path(text.removeprefix("file://")).read_text("utf-8") if Path(text[7:]).exists() else text
    if kind in ("integer", "long"):
        return int(text)
    if kind in ("float", "double"):
        return float(text)
    if kind == "boolean":
        return text in ("", "true")
    if kind == "blob":
        return base64.b64decode(text)
    if kind in ("structure", "map"):
        if text.startswith("{"):
            return json.loads(text)
        # Text of another form is a placeholder for a shell variable.
        return _shorthand(shape, text) if "=" in text else text
    return text


def _shorthand(shape: Shape, text: str) -> Any:
    parts = dict(part.split("=", 1) for part in text.split(","))
    members = getattr(shape, "members", None)
    if members is not None and (unknown := set(parts) - set(members)):
        raise UnknownCommandError(f"{shape.name} has no {sorted(unknown)}")
    return parts


def main(words: list[str]) -> None:
    """Runs a command and prints its output like the CLI."""
    service, operation, request, options = read(words)
    answer = getattr(client(service), xform_name(operation))(**request)
    answer.pop("ResponseMetadata", None)
    if query := options.get("--query"):
        for part in query.split("."):
            answer = answer[part]
        print(answer)
        return
    print(
        json.dumps(
            answer,
            default=lambda value: (
                base64.b64encode(value).decode() if isinstance(value, bytes) else str(value)
            ),
        )
    )


if __name__ == "__main__":
    main(sys.argv[1:])
