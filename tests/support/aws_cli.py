"""The AWS CLI's way of saying a request, read with the API models; and the CLI itself, as far as our documents use it.

Run as a program it stands for `aws`, with the emulator at $AWS_ENDPOINT_URL, so that commands in documents can be tried.
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
    """A service, an operation or an option that AWS does not have, or a required option that is not there."""


_SESSION = botocore.session.Session()


def client(service: str) -> Any:
    """A client of the emulator, or of nothing where only the models are wanted."""
    return _SESSION.create_client(
        service,
        region_name="ap-northeast-1",
        aws_access_key_id="test",
        aws_secret_access_key="test",  # noqa: S106 - the emulator's root, as everyone knows
        endpoint_url=os.environ.get("AWS_ENDPOINT_URL"),
    )


def read(words: list[str]) -> tuple[str, str, dict[str, Any], dict[str, str]]:
    """Service, operation, request and global options of a command, without the word `aws`.

    Raises:
        UnknownCommandError: AWS would not know what is meant.
    """
    service, command, *rest = words
    service = {"s3api": "s3"}.get(service, service)
    if service not in _SESSION.get_available_services():
        raise UnknownCommandError(f"{service} is no service")
    model = client(service).meta.service_model
    waiting = command == "wait"
    if waiting:
        waiter, *rest = rest
        found = client(service)._get_waiter_config()["waiters"]  # no public way to a waiter's operation
        operations = {xform_name(name, "-"): each["operation"] for name, each in found.items()}
        command = waiter
    else:
        operations = {xform_name(name, "-"): name for name in model.operation_names}
    if command not in operations:
        raise UnknownCommandError(f"{service} {command} is no operation")
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
        return [_value(shape.member, [value]) for value in values]  # type: ignore[attr-defined] # a list's shape has it
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
        # Neither: a variable's place, which only a run would fill.
        return _shorthand(shape, text) if "=" in text else text
    return text


def _shorthand(shape: Shape, text: str) -> Any:
    parts = dict(part.split("=", 1) for part in text.split(","))
    known = getattr(shape, "members", None)
    if known is not None and (strange := set(parts) - set(known)):
        raise UnknownCommandError(f"{shape.name} has no {sorted(strange)}")
    return parts


def main(words: list[str]) -> None:
    """Carries out a command and prints what the CLI would."""
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
