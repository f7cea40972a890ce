"""IAM policy documents in any form in which they reach Pulumi, read into one.

JSON text (also what getPolicyDocument puts out) or an object; one statement or a list of them; single texts or lists.
What cannot be read is told as a problem; it is never an error.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from .json_text import inside, parse
from .rule import Resource, Unknown, matches_any, shown

Kind = Literal["identity", "resource", "trust"]
"""What a document is attached to: a principal, a resource, or a role as its trust policy."""

_Place = tuple[tuple[str, ...], Kind]
_RESOURCE_POLICY: Sequence[_Place] = [(("policy",), "resource")]
_IDENTITY_POLICY: Sequence[_Place] = [(("policy",), "identity")]

PLACES: Mapping[str, Sequence[_Place]] = {
    "aws:cloudwatch/eventBusPolicy:EventBusPolicy": _RESOURCE_POLICY,
    "aws:cloudwatch/logResourcePolicy:LogResourcePolicy": [(("policyDocument",), "resource")],
    "aws:dynamodb/resourcePolicy:ResourcePolicy": _RESOURCE_POLICY,
    "aws:ecr/repositoryPolicy:RepositoryPolicy": _RESOURCE_POLICY,
    "aws:iam/groupPolicy:GroupPolicy": _IDENTITY_POLICY,
    "aws:iam/policy:Policy": _IDENTITY_POLICY,
    "aws:iam/role:Role": [
        (("assumeRolePolicy",), "trust"),
        (("inlinePolicies", "*", "policy"), "identity"),
    ],
    "aws:iam/rolePolicy:RolePolicy": _IDENTITY_POLICY,
    "aws:iam/userPolicy:UserPolicy": _IDENTITY_POLICY,
    "aws:kinesis/resourcePolicy:ResourcePolicy": _RESOURCE_POLICY,
    "aws:kms/externalKey:ExternalKey": _RESOURCE_POLICY,
    "aws:kms/key:Key": _RESOURCE_POLICY,
    "aws:kms/keyPolicy:KeyPolicy": _RESOURCE_POLICY,
    "aws:kms/replicaExternalKey:ReplicaExternalKey": _RESOURCE_POLICY,
    "aws:kms/replicaKey:ReplicaKey": _RESOURCE_POLICY,
    "aws:s3/bucket:Bucket": _RESOURCE_POLICY,
    "aws:s3/bucketPolicy:BucketPolicy": _RESOURCE_POLICY,
    "aws:secretsmanager/secret:Secret": _RESOURCE_POLICY,
    "aws:secretsmanager/secretPolicy:SecretPolicy": _RESOURCE_POLICY,
    "aws:sns/topic:Topic": _RESOURCE_POLICY,
    "aws:sns/topicPolicy:TopicPolicy": _RESOURCE_POLICY,
    "aws:sqs/queue:Queue": _RESOURCE_POLICY,
    "aws:sqs/queuePolicy:QueuePolicy": _RESOURCE_POLICY,
    "aws:ssoadmin/permissionSetInlinePolicy:PermissionSetInlinePolicy": [(("inlinePolicy",), "identity")],
}
"""Where a document must stand, or nothing, by type; `*` stands for every element of a list."""

_USUAL_NAMES = ("accessPolicies", "accessPolicy", "policy", "policyDocument", "resourcePolicy")
"""Under these names most other types have theirs, so that a value that is not known yet may become one."""

_NARROWING = (
    "aws:ec2/vpcEndpoint*",
    "aws:eks/podIdentityAssociation:*",
    "aws:organizations/*",
    "aws:rolesanywhere/profile:*",
    "aws:transfer/*",
)
"""Types whose documents give nothing to anybody: they bound what other documents allow."""

TYPES = ("aws:*",)
"""The types of resource that may carry a document: any of the provider's."""

_ELEMENTS = {
    *("Sid", "Effect", "Action", "NotAction", "Resource", "NotResource", "Principal", "NotPrincipal"),
    "Condition",
}
_VERSIONS = (None, "2008-10-17", "2012-10-17")
_ACTION = re.compile(r"\*|[\w-]+:[\w*?-]+", re.ASCII)
"""How IAM writes actions; what is not written so it refuses, or means something else than it looks like."""


@dataclass(frozen=True)
class Statement:
    """One statement; each element in its one form, empty where it is absent."""

    label: str
    """What to call it: `statement 'Sid'`, or its number from 1."""
    allows: bool
    actions: tuple[str, ...]
    not_actions: tuple[str, ...]
    resources: tuple[str, ...]
    not_resources: tuple[str, ...]
    principals: tuple[tuple[str, str], ...]
    """(kind, name) as ("Service", "pipes.amazonaws.com"); ("*", "*") is everybody."""
    not_principals: tuple[tuple[str, str], ...]
    conditions: tuple[tuple[str, str, tuple[str, ...]], ...]
    """(operator, key, values)."""


@dataclass(frozen=True)
class Document:
    """What could be read of a document."""

    kind: Kind
    place: str
    """The property in which it stands, as `inlinePolicies[0].policy`."""
    statements: tuple[Statement, ...] = ()
    problems: tuple[str, ...] = ()
    """What is wrong with it, as the end of the sentence "… must …"."""
    unknown: Unknown | None = None
    """The first value of it that is not known yet."""


def documents(resource: Resource) -> Iterator[Document]:
    """Every document that a resource carries: what stands in a place for one, and what looks like one anywhere else."""
    places = set()
    for path, kind in PLACES.get(resource.type, ()):
        for place, value in _at(resource.props, path, ""):
            places.add(place)
            yield read(value, kind, place)
    if not matches_any(resource.type, TYPES) or matches_any(resource.type, _NARROWING):
        return
    for place, value, content in walk(resource.props, "statement"):
        if place in places:
            continue
        if is_document(content):
            speaks_of_principals = _elements(content) & {"principal", "notprincipal"}
            yield read(value, "resource" if speaks_of_principals else "identity", place)
        elif isinstance(value, Unknown) and place in _USUAL_NAMES:
            yield read(value, "resource", place)


def walk(props: Mapping[str, Any], word: str) -> Iterator[tuple[str, Any, Any]]:
    """Every value among properties: (place as `rules[0].arn`, the value, what it says where it is JSON text).

    Goes into JSON texts, without recursion, since they may be nested at will, and not into documents.

    Args:
        props: the properties of a resource.
        word: what is looked for, in lower case; a JSON text that does not hold it is passed over.
    """
    waiting = list(props.items())[::-1]
    while waiting:
        place, value = waiting.pop()
        is_passed_over = isinstance(value, str) and word not in value.lower() and not _ESCAPED.search(value)
        content = value if is_passed_over else inside(value)
        yield place, value, content
        if isinstance(content, Mapping) and not is_document(content):
            waiting += [(f"{place}.{key}", part) for key, part in content.items()][::-1]
        elif isinstance(content, list):
            waiting += [(f"{place}[{index}]", part) for index, part in enumerate(content)][::-1]


_ESCAPED = re.compile(r"\\u00[2-7]")
"""A letter of a word that JSON need not escape."""


def is_document(value: Any) -> bool:
    """Whether a value is a policy document, be it one that cannot be read; other languages have a Statement too."""
    return bool(_elements(value) & {"effect", "action", "notaction"})


def _elements(document: Any) -> set[str]:
    """Names of the elements of all statements, in lower case; those of unknown statements may be any."""
    if not isinstance(document, Mapping):
        return set()
    said = [part for key, part in document.items() if str(key).lower() == "statement"]
    # One statement, a list of them, or several lists where a JSON text says it more than once.
    for _ in range(2):
        said = [part for each in said for part in (each if isinstance(each, list) else [each])]
    found = {str(key).lower() for each in said if isinstance(each, Mapping) for key in each}
    return found | ({"effect"} if any(isinstance(each, Unknown) for each in said) else set())


def _at(value: Any, path: Sequence[str], place: str) -> Iterator[tuple[str, Any]]:
    if isinstance(value, Unknown) or not path:
        if value is not None:
            yield place, value
    elif path[0] == "*":
        for index, each in enumerate(value if isinstance(value, list) else ()):
            yield from _at(each, path[1:], f"{place}[{index}]")
    elif isinstance(value, Mapping):
        yield from _at(value.get(path[0]), path[1:], f"{place}.{path[0]}".lstrip("."))


class _ProblemError(ValueError):
    """What a document or a statement must be and is not."""


def read(value: Any, kind: Kind, place: str) -> Document:
    """Reads a document: JSON text or an object of plain values, in which Unknowns may stand."""
    if isinstance(value, Unknown):
        return Document(kind, place, unknown=value)
    statements: list[Statement] = []
    problems: list[str] = []
    unknown = None
    try:
        listed = _statements(value)
    except _ProblemError as problem:
        return Document(kind, place, problems=(f"have a policy document in {place} that {problem}",))
    for number, each in enumerate(listed, 1):
        if found := _first_unknown(each):
            unknown = unknown or found
            continue
        try:
            statements.append(_statement(each, kind, number))
        except _ProblemError as problem:
            problems.append(f"have a {_label(each, number)} in {place} that {problem}")
    return Document(kind, place, tuple(statements), tuple(problems), unknown)


def _statements(value: Any) -> list[Any]:
    if isinstance(value, str):
        try:
            value = parse(value)
        except ValueError as error:
            raise _ProblemError(f"is JSON: {error}") from None
    if not isinstance(value, Mapping):
        raise _ProblemError(f"is an object with Version and Statement, and not {shown(value)}")
    if strange := sorted(set(map(str, value)) - {"Version", "Id", "Statement"}):
        raise _ProblemError(f"has no element {strange[0]!r}")
    version = value.get("Version")
    if not isinstance(version, Unknown) and version not in _VERSIONS:
        raise _ProblemError(f"has the Version 2012-10-17, and not {shown(version)}")
    listed = value.get("Statement")
    if isinstance(listed, (Mapping, Unknown)):
        return [listed]
    if not isinstance(listed, list) or not listed:
        raise _ProblemError(f"has a Statement, an object or a list of them, and not {shown(listed)}")
    return listed


def _label(statement: Any, number: int) -> str:
    sid = statement.get("Sid") if isinstance(statement, Mapping) else None
    return f"statement {sid!r}" if isinstance(sid, str) and sid else f"statement {number}"


def _statement(value: Any, kind: Kind, number: int) -> Statement:
    if not isinstance(value, Mapping):
        raise _ProblemError(f"is an object, and not {shown(value)}")
    if strange := sorted(set(map(str, value)) - _ELEMENTS):
        raise _ProblemError(f"has no element {strange[0]!r}")
    if value.get("Effect") not in ("Allow", "Deny"):
        raise _ProblemError(f"has the Effect Allow or Deny, and not {shown(value.get('Effect'))}")
    if not isinstance(value.get("Sid", ""), str):
        raise _ProblemError(f"has a text as Sid, and not {shown(value['Sid'])}")
    _one_of(value, "Action", "NotAction")
    needs, has_not = ("Resource", "Principal") if kind == "identity" else ("Principal", "Resource")
    _one_of(value, needs, f"Not{needs}")
    if kind != "resource" and (too_much := [name for name in (has_not, f"Not{has_not}") if name in value]):
        raise _ProblemError(f"has no {too_much[0]}, which its kind of policy does not know")
    actions, not_actions = _texts(value, "Action"), _texts(value, "NotAction")
    if odd := [action for action in (*actions, *not_actions) if not _ACTION.fullmatch(action)]:
        raise _ProblemError(f"has actions such as sqs:SendMessage, and not {shown(odd[0])}")
    return Statement(
        _label(value, number),
        value["Effect"] == "Allow",
        actions,
        not_actions,
        _texts(value, "Resource"),
        _texts(value, "NotResource"),
        _principals(value, "Principal"),
        _principals(value, "NotPrincipal"),
        _conditions(value.get("Condition")),
    )


def _one_of(statement: Mapping[str, Any], *names: str) -> None:
    if sum(name in statement for name in names) != 1:
        raise _ProblemError(f"has one of {' and '.join(names)}")


def _texts(statement: Mapping[str, Any], name: str) -> tuple[str, ...]:
    return _listed(statement[name], name) if name in statement else ()


def _listed(value: Any, name: str) -> tuple[str, ...]:
    listed = value if isinstance(value, list) else [value]
    if not listed or not all(isinstance(each, str) and each for each in listed):
        raise _ProblemError(f"has a text or a list of texts as {name}, and not {shown(value)}")
    return tuple(listed)


def _principals(statement: Mapping[str, Any], name: str) -> tuple[tuple[str, str], ...]:
    value = statement.get(name)
    if name not in statement or value == "*":
        return (("*", "*"),) if value == "*" else ()
    if not isinstance(value, Mapping) or not value:
        raise _ProblemError(f"has an object such as {{'Service': NAME}} as {name}, and not {shown(value)}")
    if strange := sorted(set(map(str, value)) - {"AWS", "CanonicalUser", "Federated", "Service"}):
        raise _ProblemError(f"has no {name} of the kind {strange[0]!r}")
    return tuple((kind, each) for kind, names in value.items() for each in _listed(names, f"{name}.{kind}"))


def _conditions(value: Any) -> tuple[tuple[str, str, tuple[str, ...]], ...]:
    if value is None:
        return ()
    if not isinstance(value, Mapping) or not all(isinstance(keys, Mapping) for keys in value.values()):
        raise _ProblemError(
            f"has an object of operators, each with an object of keys, as Condition, and not {shown(value)}"
        )
    return tuple(
        (operator, key, _scalars(values, key))
        for operator, keys in value.items()
        for key, values in keys.items()
    )


def _scalars(value: Any, key: str) -> tuple[str, ...]:
    listed = value if isinstance(value, list) else [value]
    if not all(isinstance(each, (str, int, float)) for each in listed):
        raise _ProblemError(
            f"has texts, numbers or booleans as the condition's {key}, and not {shown(value)}"
        )
    return tuple(each if isinstance(each, str) else json.dumps(each) for each in listed)


def _first_unknown(value: Any) -> Unknown | None:
    """The first Unknown inside of a value; without recursion, since what came from JSON text may be nested at will."""
    waiting = [value]
    while waiting:
        part = waiting.pop()
        if isinstance(part, Unknown):
            return part
        if isinstance(part, (Mapping, list)):
            waiting += list(part.values() if isinstance(part, Mapping) else part)[::-1]
    return None
