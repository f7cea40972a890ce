"""Parses IAM policy documents in all the forms that Pulumi accepts.

A document is JSON text or an object, with one statement or a list of them, whose elements are strings or lists. Invalid
documents and statements are returned as problems and never raise an error.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Literal

from .data import data
from .json_values import decoded, parse
from .resource import Resource, Unknown, matches_any, nested, shown

Kind = Literal["identity", "resource", "trust"]
"""Kind of policy: attached to a principal, attached to a resource, or a role's trust policy."""

_TABLES = data("policy_properties.yaml")
DOCUMENT_PROPERTIES: Sequence[tuple[Kind, Mapping[str, str]]] = tuple(_TABLES["properties"].items())
"""Kinds of policies, each with the properties that contain one, by type."""

_ELEMENTS = {
    *("Sid", "Effect", "Action", "NotAction", "Resource", "NotResource", "Principal", "NotPrincipal"),
    "Condition",
}
_VERSIONS = (None, "2008-10-17", "2012-10-17")
_ACTION = re.compile(r"\*|[\w-]+:[\w*?-]+", re.ASCII)
"""Syntax of an IAM action."""

_POSITIVE_OPERATORS = {
    "stringequals",
    "stringequalsignorecase",
    "stringlike",
    "arnequals",
    "arnlike",
    "ipaddress",
}
"""Lowercase operators that fail if the key is missing. With IfExists they do not."""


@dataclass(frozen=True)
class Condition:
    """A condition: a test of a single condition key."""

    written_operator: str
    written_key: str
    values: tuple[str, ...]
    """The known values."""
    unknown: Unknown | None = None
    """The first unknown value. If the operator or the key is empty, it is unknown too."""

    @property
    def operator(self) -> str:
        """The operator in lower case."""
        return self.written_operator.lower()

    @property
    def key(self) -> str:
        """The key in lower case."""
        return self.written_key.lower()

    @property
    def requires_value(self) -> bool:
        """True if the condition fails when the key is missing or has another value."""
        return self.operator.removeprefix("foranyvalue:") in _POSITIVE_OPERATORS


@dataclass(frozen=True)
class Statement:
    """One statement. Each element is a tuple, which is empty if the element is absent."""

    label: str
    """Name for messages: `statement 'Sid'`, or `statement 1` if it has no Sid."""
    allows: bool
    actions: tuple[str, ...] = ()
    not_actions: tuple[str, ...] = ()
    resources: tuple[str, ...] = ()
    not_resources: tuple[str, ...] = ()
    principals: tuple[tuple[str, str], ...] = ()
    """Pairs of type and name, for example ("Service", "pipes.amazonaws.com"). ("*", "*") means every principal."""
    not_principals: tuple[tuple[str, str], ...] = ()
    conditions: tuple[Condition, ...] = ()
    elements: Set[str] = frozenset()
    """Names of the elements, including those with unknown values."""
    sid: str = ""
    unknown: Mapping[str, Unknown] = field(default_factory=dict)
    """The first unknown value in each element, or in "" if the statement is unknown. The tuples contain only known values."""

    def unknown_in(self, *elements: str) -> Iterator[Unknown]:
        """Yields the first unknown value in each of the given elements, and the statement itself if it is unknown."""
        return (self.unknown[element] for element in ("", *elements) if element in self.unknown)


@dataclass(frozen=True)
class Document:
    """A parsed document."""

    kind: Kind
    path: str
    """Path of the document in the resource, for example `inlinePolicies[0].policy`."""
    statements: tuple[Statement, ...] = ()
    problems: tuple[str, ...] = ()
    """Problems, each as the rest of a sentence that starts with "RESOURCE must"."""
    unknown: Unknown | None = None
    """The document, or the first statement or effect in it, if it is unknown."""
    version: str = ""

    @property
    def allowing(self) -> list[Statement]:
        """The Allow statements. An unknown document or statement counts as one."""
        unknown = [Statement("", True, unknown={"": self.unknown})] if self.unknown else []
        return [*(each for each in self.statements if each.allows), *unknown]


def policy_documents(resource: Resource) -> Iterator[Document]:
    """Parses every document in a resource: in the listed properties, and in any other property that contains one."""
    listed = set()
    for kind, properties in DOCUMENT_PROPERTIES:
        for path, value in resource.values(properties[resource.type]) if resource.type in properties else ():
            if value is not None:
                listed.add(path)
                yield parse_document(value, kind, path)
    if not resource.type.startswith("aws:") or matches_any(resource.type, _TABLES["restricting"]):
        return
    for path, value, content in walk(resource.props, "statement"):
        if path in listed:
            continue
        if is_document(content):
            has_principal = _elements(content) & {"principal", "notprincipal"}
            yield parse_document(value, "resource" if has_principal else "identity", path)
        elif isinstance(value, Unknown) and path in _TABLES["usual_names"]:
            yield parse_document(value, "resource", path)


def statements_in(documents: Iterable[Document]) -> list[Statement]:
    """Returns the statements of all documents."""
    return [statement for document in documents for statement in document.statements]


def walk(props: Mapping[str, Any], word: str) -> Iterator[tuple[str, Any, Any]]:
    """Yields every value in the properties as (path, value, decoded value), where the path looks like `rules[0].arn`.

    Descends into JSON text that contains a lowercase word, but not into policy documents. Iterative, because JSON text
    may be deeply nested.
    """
    pending = list(props.items())[::-1]
    while pending:
        path, value = pending.pop()
        is_irrelevant = isinstance(value, str) and word not in value.lower() and not _ESCAPED.search(value)
        content = value if is_irrelevant else decoded(value)
        yield path, value, content
        if isinstance(content, dict) and not is_document(content):
            pending += [(f"{path}.{key}", part) for key, part in content.items()][::-1]
        elif isinstance(content, list):
            pending += [(f"{path}[{index}]", part) for index, part in enumerate(content)][::-1]


_ESCAPED = re.compile(r"\\u00[2-7]")
"""Escaped ASCII character, which may be part of the word."""


def is_document(value: Any) -> bool:
    """Returns whether a value is a policy document, valid or not. Other JSON languages use Statement, but not Effect."""
    return bool(_elements(value) & {"effect", "action", "notaction"})


def _elements(document: Any) -> set[str]:
    """Returns the lowercase names of the elements in all statements. An unknown statement counts as having an Effect."""
    if not isinstance(document, Mapping):
        return set()
    statements = [part for key, part in document.items() if str(key).lower() == "statement"]
    # Flattened twice: one level is the usual list, the other merges duplicate keys in JSON text.
    for _ in range(2):
        statements = [part for each in statements for part in (each if isinstance(each, list) else [each])]
    found = {str(key).lower() for each in statements if isinstance(each, Mapping) for key in each}
    return found | ({"effect"} if any(isinstance(each, Unknown) for each in statements) else set())


class _InvalidError(ValueError):
    """An invalid document or statement. The message completes "a document that must", for example "be JSON"."""


def parse_document(value: Any, kind: Kind, path: str) -> Document:
    """Parses a document: JSON text, or an object of plain values and `Unknown`."""
    # Every rule about IAM parses the same text.
    return (_parse_text if isinstance(value, str) else _parse)(value, kind, path)


def _parse(value: Any, kind: Kind, path: str) -> Document:
    if isinstance(value, Unknown):
        return Document(kind, path, unknown=value)
    statements: list[Statement] = []
    problems: list[str] = []
    unknown = None
    try:
        version, listed = _version_and_statements(value)
    except _InvalidError as error:
        return Document(kind, path, problems=(f"have a valid policy document in {path}: {error}",))
    for number, each in enumerate(listed, 1):
        effect = each.get("Effect") if isinstance(each, Mapping) else each
        if isinstance(effect, Unknown):
            unknown = unknown or effect
            continue
        try:
            statements.append(_statement(each, kind, number))
        except _InvalidError as error:
            problems.append(f"have a valid {_label(each, number)} in {path}: {error}")
    return Document(kind, path, tuple(statements), tuple(problems), unknown, version)


_parse_text = lru_cache(maxsize=256)(_parse)


def _version_and_statements(value: Any) -> tuple[str, list[Any]]:
    if isinstance(value, str):
        try:
            value = parse(value)
        except ValueError as error:
            raise _InvalidError(f"not JSON ({error})") from None
    if not isinstance(value, Mapping):
        raise _InvalidError(f"expected an object with Version and Statement, not {shown(value)}")
    if unexpected := sorted(set(map(str, value)) - {"Version", "Id", "Statement"}):
        raise _InvalidError(f"unknown element {unexpected[0]!r}")
    version = value.get("Version")
    if not isinstance(version, Unknown) and version not in _VERSIONS:
        raise _InvalidError(f"Version must be 2012-10-17, not {shown(version)}")
    listed = value.get("Statement")
    version = version if isinstance(version, str) else ""
    if isinstance(listed, (Mapping, Unknown)):
        return version, [listed]
    if not isinstance(listed, list) or not listed:
        raise _InvalidError(f"Statement must be an object or a list of objects, not {shown(listed)}")
    return version, listed


def _label(statement: Any, number: int) -> str:
    sid = statement.get("Sid") if isinstance(statement, Mapping) else None
    return f"statement {sid!r}" if isinstance(sid, str) and sid else f"statement {number}"


def _statement(value: Any, kind: Kind, number: int) -> Statement:
    if not isinstance(value, Mapping):
        raise _InvalidError(f"expected an object, not {shown(value)}")
    if unexpected := sorted(set(map(str, value)) - _ELEMENTS):
        raise _InvalidError(f"unknown element {unexpected[0]!r}")
    if value.get("Effect") not in ("Allow", "Deny"):
        raise _InvalidError(f"Effect must be Allow or Deny, not {shown(value.get('Effect'))}")
    if not isinstance(value.get("Sid", ""), (str, Unknown)):
        raise _InvalidError(f"Sid must be a string, not {shown(value['Sid'])}")
    _require_one_of(value, "Action", "NotAction")
    required, forbidden = ("Resource", "Principal") if kind == "identity" else ("Principal", "Resource")
    _require_one_of(value, required, f"Not{required}")
    if kind != "resource" and (found := [name for name in (forbidden, f"Not{forbidden}") if name in value]):
        raise _InvalidError(f"{found[0]} is not allowed in this kind of policy")
    actions, not_actions = _strings(value, "Action"), _strings(value, "NotAction")
    if invalid := [action for action in (*actions, *not_actions) if not _ACTION.fullmatch(action)]:
        raise _InvalidError(f"an action must look like sqs:SendMessage, not {shown(invalid[0])}")
    unknown = {name: first for name, part in value.items() if (first := _first_unknown(part))}
    return Statement(
        _label(value, number),
        value["Effect"] == "Allow",
        actions,
        not_actions,
        _strings(value, "Resource"),
        _strings(value, "NotResource"),
        _principals(value, "Principal"),
        _principals(value, "NotPrincipal"),
        _conditions(value.get("Condition")),
        frozenset(value),
        value.get("Sid", "") if isinstance(value.get("Sid", ""), str) else "",
        unknown,
    )


def _require_one_of(statement: Mapping[str, Any], *names: str) -> None:
    if sum(name in statement for name in names) != 1:
        raise _InvalidError(f"exactly one of {' and '.join(names)} is required")


def _strings(statement: Mapping[str, Any], name: str) -> tuple[str, ...]:
    return _string_tuple(statement[name], name) if name in statement else ()


def _string_tuple(value: Any, name: str) -> tuple[str, ...]:
    listed = value if isinstance(value, list) else [value]
    known = _known(listed)
    if not listed or not all(isinstance(each, str) and each for each in known):
        raise _InvalidError(f"{name} must be a string or a list of strings, not {shown(value)}")
    return tuple(known)


def _known(values: Iterable[Any]) -> list[Any]:
    return [value for value in values if not isinstance(value, Unknown)]


def _principals(statement: Mapping[str, Any], name: str) -> tuple[tuple[str, str], ...]:
    value = statement.get(name)
    if name not in statement or value == "*" or isinstance(value, Unknown):
        return (("*", "*"),) if value == "*" else ()
    if not isinstance(value, Mapping) or not value:
        raise _InvalidError(f"{name} must be an object such as {{'Service': NAME}}, not {shown(value)}")
    if unexpected := sorted(set(map(str, value)) - {"AWS", "CanonicalUser", "Federated", "Service"}):
        raise _InvalidError(f"{name} has the unknown type {unexpected[0]!r}")
    return tuple(
        (type_, each) for type_, names in value.items() for each in _string_tuple(names, f"{name}.{type_}")
    )


def _conditions(value: Any) -> tuple[Condition, ...]:
    if value is None or isinstance(value, Unknown):
        return (Condition("", "", (), value),) if value else ()
    if not isinstance(value, Mapping) or not all(
        isinstance(keys, Mapping) for keys in _known(value.values())
    ):
        raise _InvalidError(
            f"Condition must map operators to objects with condition keys, not {shown(value)}"
        )
    return tuple(
        Condition(operator, key, _scalars(values, key), _first_unknown(values))
        for operator, keys in value.items()
        for key, values in ([("", keys)] if isinstance(keys, Unknown) else keys.items())
    )


def _scalars(value: Any, key: str) -> tuple[str, ...]:
    known = _known(value if isinstance(value, list) else [value])
    if not all(isinstance(each, (str, int, float)) for each in known):
        raise _InvalidError(f"condition key {key} must have strings, numbers or booleans, not {shown(value)}")
    return tuple(each if isinstance(each, str) else json.dumps(each) for each in known)


def _first_unknown(value: Any) -> Unknown | None:
    return next((part for part in nested(value) if isinstance(part, Unknown)), None)
