"""Loads the exam: programs with one known violation each, and programs without any.

Every YAML file of this folder but `bases.yaml` holds the cases of one kind. A case has these keys:

- `title` and `why`: what the program does, and the AWS rule that makes it a violation or allows it.
- `preview: true`: a first preview, in which computed outputs are unknown. Otherwise all values are known.
- `resources`: inputs by type and name (`sqs.Queue orders`), as pulumi-aws 7 has them.
- `base`: a program of `bases.yaml` to start from. `set` replaces inputs by path, `drop` removes them.
- `in`: the resource of `bases.yaml` that carries the policy document given as `statement` or `statements`. The document is JSON text,
  or a structure if `form` is `structure`. Effect defaults to Allow, and `version: null` omits the version.

`<orders.arn>` is replaced by an output of another resource and `<unknown>` by a value that no preview knows.
`!json` writes a value as JSON text, `!policy` writes statements as the JSON text of a policy, and `!join` joins strings, so that no
file holds the full text of a token. `!base64` joins and encodes them, and `!secret` joins them and marks the text as a secret.
"""

from __future__ import annotations

import base64
import importlib
import inspect
import json
import re
from collections.abc import Iterator, Mapping
from copy import deepcopy
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from call_route_policies.testing import secret
from tests.policies.stacks import UNKNOWN, Recorded, in_first_preview

FOLDER = Path(__file__).parent
ACCOUNT = "111111111111"
REGION = "ap-northeast-1"
PROJECT = "orders"
STACK = "prod"
TAGS = {"project": PROJECT, "stack": STACK}
ROOT = f"urn:pulumi:{STACK}::{PROJECT}::pulumi:pulumi:Stack::{PROJECT}-{STACK}"
KEY_ID = "00000000-0000-4000-8000-000000000000"
REFERENCE = re.compile(r"<([\w-]+)\.([A-Za-z]+)>")

# The part of an ARN after the account, for types that do not follow `type/name`. Names end in -0000000 only where AWS adds a suffix.
ARN_ENDINGS = {
    "sqs.Queue": "sqs:{name}",
    "sns.Topic": "sns:{name}",
    "sfn.StateMachine": "states:stateMachine:{name}",
    "cloudwatch.LogGroup": "logs:log-group:{name}",
    "cloudwatch.EventBus": "events:event-bus/{name}",
    "cloudwatch.EventRule": "events:rule/{name}",
    "secretsmanager.Secret": "secretsmanager:secret:{name}-AbCdEf",
    "kms.Key": "kms:key/" + KEY_ID,
    "backup.Vault": "backup:backup-vault:{name}",
    "rds.Instance": "rds:db:{name}",
    "ecs.TaskDefinition": "ecs:task-definition/{name}:1",
    "iam.OpenIdConnectProvider": "iam:oidc-provider/token.actions.githubusercontent.com",
    "efs.FileSystem": "elasticfilesystem:file-system/fs-00000000000000000",
}
NAMED_BY_ARN = {"sns.Topic", "sfn.StateMachine", "iam.Policy", "secretsmanager.Secret"}


@dataclass(frozen=True)
class Case:
    """A program, and whether the pack must object to it."""

    program: str
    title: str
    """The program, followed by the phase if the program is compliant."""
    why: str
    violation: bool
    resources: tuple[Recorded, ...]

    @property
    def stack(self) -> list[Recorded]:
        """All resources, the root stack first."""
        return [Recorded("pulumi:pulumi:Stack", f"{PROJECT}-{STACK}", ROOT, "", {}), *self.resources]


@dataclass(frozen=True)
class Kind:
    """The cases of one file."""

    name: str
    title: str
    ignored: frozenset[str]
    """Rules whose findings do not count, since they concern something else in the same program."""
    only: frozenset[str]
    """Rules of which exactly one finding per resource counts, where given."""
    cases: tuple[Case, ...]


class Text:
    """A value that the resource holds as JSON text."""

    def __init__(self, value: Any) -> None:
        self.value = value


class Policy(Text):
    """Statements that the resource holds as the JSON text of a policy document."""

    def __init__(self, statements: Any) -> None:
        super().__init__({"Version": "2012-10-17", "Statement": statements})


class Secret:
    """A value that the program marks as a secret."""

    def __init__(self, value: Any) -> None:
        self.value = value


class Loader(yaml.CSafeLoader):
    """Reads the tags of the exam."""


def _deep(loader: yaml.constructor.BaseConstructor, node: yaml.Node) -> Any:
    """The value below a tag."""
    if isinstance(node, yaml.MappingNode):
        return loader.construct_mapping(node, deep=True)
    if isinstance(node, yaml.SequenceNode):
        return loader.construct_sequence(node, deep=True)
    return loader.construct_object(node, deep=True)


Loader.add_constructor("!json", lambda loader, node: Text(_deep(loader, node)))
Loader.add_constructor("!policy", lambda loader, node: Policy(_deep(loader, node)))
Loader.add_constructor(
    "!base64", lambda loader, node: base64.b64encode("".join(_deep(loader, node)).encode()).decode()
)
Loader.add_constructor("!secret", lambda loader, node: Secret("".join(_deep(loader, node))))
Loader.add_constructor("!join", lambda loader, node: "".join(_deep(loader, node)))


@cache
def kinds() -> tuple[Kind, ...]:
    """All kinds, in the order of their files."""
    return tuple(_kind(path) for path in sorted(FOLDER.glob("*.yaml")) if path.name != "bases.yaml")


@cache
def _bases() -> dict[str, dict[str, Any]]:
    bases: dict[str, dict[str, Any]] = _read(FOLDER / "bases.yaml")
    return bases


def _read(path: Path) -> Any:
    return yaml.load(path.read_text(encoding="utf-8"), Loader)  # noqa: S506 (a safe loader with three more tags)


def _kind(path: Path) -> Kind:
    content = _read(path)
    violation = content.get("violation", True)
    cases = []
    for each in content["cases"]:
        # A compliant program must pass in a first preview and in an update alike.
        previews = [bool(each.get("preview"))] if violation else [False, True]
        cases += [_case(each, violation, preview) for preview in previews]
    return Kind(
        path.stem,
        content["title"],
        frozenset(content.get("ignored", ())),
        frozenset(content.get("only", ())),
        tuple(cases),
    )


def _case(case: Mapping[str, Any], violation: bool, preview: bool) -> Case:
    unexpected = case.keys() - {
        *("title", "why", "preview", "resources", "base", "set", "drop", "in", "statement", "statements"),
        *("form", "version", "protect"),
    }
    assert not unexpected, f"{case['title']}: unexpected keys {unexpected}"
    resources: dict[str, Any] = {}
    if "in" in case:
        resources = _filled(_bases()[f"in {case['in']}"], _document(case))
    if "base" in case:
        resources |= deepcopy(_bases()[case["base"]])
    resources |= deepcopy(case.get("resources", {}))
    # The last part of a resource's key is its name, by which paths refer to it.
    by_name = {key.split(" ")[1]: key for key in resources}
    for path, value in case.get("set", {}).items():
        name, *steps = path.split("/")
        _set(resources[by_name[name]], steps, value)
    for path in case.get("drop", ()):
        name, *steps = path.split("/")
        if steps:
            _drop(resources[by_name[name]], steps)
        else:
            del resources[by_name[name]]
    title = case["title"] if violation else f"{case['title']} ({'first preview' if preview else 'update'})"
    recorded = _recorded(resources, preview, case.get("protect", True))
    return Case(case["title"], title, case.get("why", ""), violation, tuple(recorded))


def _document(case: Mapping[str, Any]) -> Any:
    statements = case.get("statements", [case.get("statement")])
    document: dict[str, Any] = {"Version": case.get("version", "2012-10-17")}
    if document["Version"] is None:
        del document["Version"]
    document["Statement"] = [
        each if not isinstance(each, dict) else {"Effect": "Allow", **each} for each in statements
    ]
    return document if case.get("form") == "structure" else Text(document)


def _filled(value: Any, document: Any) -> Any:
    if value == "<document>":
        return document
    if isinstance(value, dict):
        return {key: _filled(part, document) for key, part in value.items()}
    if isinstance(value, list):
        return [_filled(part, document) for part in value]
    return value


def _step(value: Any, step: str) -> Any:
    value = value.value if isinstance(value, Text) else value
    return value[int(step)] if isinstance(value, list) else value[step]


def _set(value: Any, steps: list[str], new: Any) -> None:
    for step in steps[:-1]:
        value = _step(value, step)
    value = value.value if isinstance(value, Text) else value
    if isinstance(value, list):
        value[int(steps[-1]) : int(steps[-1]) + 1] = [new]
    else:
        value[steps[-1]] = new


def _drop(value: Any, steps: list[str]) -> None:
    for step in steps[:-1]:
        value = _step(value, step)
    value = value.value if isinstance(value, Text) else value
    del value[int(steps[-1]) if isinstance(value, list) else steps[-1]]


def _recorded(resources: Mapping[str, Any], preview: bool, protect: bool) -> Iterator[Recorded]:
    outputs: dict[str, dict[str, str]] = {}
    urns: dict[str, str] = {}
    prepared = []
    for key, given in resources.items():
        short, name = key.split(" ")
        inputs = dict(given or {})
        if short.startswith("aws:") or not short[0].islower() or ":" in short:
            token, parameters = short, frozenset[str]()
        else:
            token, parameters = _token(short), _parameters(short)
            missing = {_snake(each) for each in inputs} - parameters
            assert not missing, f"{short} has no {missing}"
        if "tags" in parameters and "tags" not in inputs:
            inputs["tags"] = TAGS
        if inputs.get("tags") == "none":
            del inputs["tags"]
        for automatic in in_first_preview(token)["inputs"]:
            inputs.setdefault(automatic, name)
        physical = inputs.get("bucket" if short == "s3.Bucket" else "name", name)
        outputs[name] = _outputs(short, physical if isinstance(physical, str) else name)
        urns[name] = f"urn:pulumi:{STACK}::{PROJECT}::{token}::{name}"
        prepared.append((token, name, inputs))
    for token, name, inputs in prepared:
        yield Recorded(
            token,
            name,
            urns[name],
            ROOT,
            {key: _resolved(value, outputs, preview) for key, value in inputs.items()},
            dict.fromkeys(in_first_preview(token)["outputs"], UNKNOWN) if preview else outputs[name],
            protect,
            {
                key: sorted(urns[each] for each in _references(value, outputs))
                for key, value in inputs.items()
            },
        )


def _token(short: str) -> str:
    module, name = short.split(".")
    return f"aws:{module}/{name[0].lower()}{name[1:]}:{name}"


@cache
def _parameters(short: str) -> frozenset[str]:
    module, name = short.split(".")
    found = importlib.import_module(f"pulumi_aws.{'lambda_' if module == 'lambda' else module}")
    initializer = getattr(found, name)._internal_init
    return frozenset(each.rstrip("_") for each in inspect.signature(initializer).parameters)


def _snake(name: str) -> str:
    return re.sub(r"(?<=[a-z0-9])([A-Z])", r"_\1", name).lower()


def _outputs(short: str, name: str) -> dict[str, str]:
    module, type_ = short.split(".") if "." in short else ("", short)
    ending = ARN_ENDINGS.get(short, f"{module}:{type_.lower()}/{{name}}").format(name=name)
    service, rest = ending.split(":", 1)
    arn = f"arn:aws:{service}:{REGION}:{ACCOUNT}:{rest}"
    if module == "iam":
        arn = f"arn:aws:iam::{ACCOUNT}:{rest}"
    if short == "s3.Bucket":
        arn = f"arn:aws:s3:::{name}"
    outputs = {"arn": arn, "id": arn if short in NAMED_BY_ARN else name, "name": name}
    if short == "sqs.Queue":
        outputs["url"] = outputs["id"] = f"https://sqs.{REGION}.amazonaws.com/{ACCOUNT}/{name}"
    if short == "kms.Key":
        outputs = {"arn": arn, "id": KEY_ID, "keyId": KEY_ID}
    if short == "s3.Bucket":
        outputs["bucket"] = name
    return outputs


def _references(value: Any, outputs: Mapping[str, Any]) -> set[str]:
    if isinstance(value, Text):
        return _references(value.value, outputs)
    if isinstance(value, str):
        return {name for name, _ in REFERENCE.findall(value) if name in outputs}
    if isinstance(value, dict):
        value = list(value.values())
    return (
        {name for each in value for name in _references(each, outputs)} if isinstance(value, list) else set()
    )


def _resolved(value: Any, outputs: Mapping[str, Mapping[str, str]], preview: bool) -> Any:
    if isinstance(value, Text):
        content = _resolved(value.value, outputs, preview)
        # The text of a document is unknown as long as any part of it is.
        text = json.dumps(content, ensure_ascii=False)
        return UNKNOWN if UNKNOWN in text else text
    if isinstance(value, Secret):
        return secret(value.value)
    if isinstance(value, dict):
        return {key: _resolved(part, outputs, preview) for key, part in value.items()}
    if isinstance(value, list):
        return [_resolved(part, outputs, preview) for part in value]
    if isinstance(value, str):
        if "<unknown>" in value or (preview and _references(value, outputs)):
            return UNKNOWN
        return REFERENCE.sub(
            lambda found: outputs[found[1]][found[2]] if found[1] in outputs else found[0], value
        )
    return value
