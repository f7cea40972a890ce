"""Rules about data at rest: encrypted, recoverable, kept for as long as somebody decided, and no secret in plain text."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from pulumi_policy import EnforcementLevel, Severity

from .json_text import inside
from .resource_types import CUSTOMER_KEY, FIREHOSE, LOG_GROUP, QUEUE, REPLICA, STREAM, TABLE
from .rule import Finding, Resource, Rule, Settings, Unknown, matches_any, must, shown, texts
from .secrets import SecretText

_NAMES = {
    FIREHOSE: "streams",
    LOG_GROUP: "logs",
    QUEUE: "queues",
    REPLICA: "tables",
    STREAM: "streams",
    TABLE: "tables",
}


def _encrypted(resource: Resource, settings: Settings) -> Iterator[Finding]:
    key = resource.get(*CUSTOMER_KEY[resource.type])
    if resource.type == FIREHOSE and resource.get("kinesisSourceConfiguration"):
        return  # It stores nothing by itself: what it reads stays in the stream, which is encrypted.
    if resource.type in (FIREHOSE, TABLE):
        yield from must(
            resource.get("serverSideEncryption", "enabled"),
            lambda value: value is True,
            "must have serverSideEncryption enabled, so that a KMS key encrypts it",
        )
    elif resource.type == STREAM:
        type_ = resource.get("encryptionType")
        yield from must(
            type_,
            lambda value: value == "KMS",
            f"must have the encryptionType KMS, and not {shown(type_ or 'NONE')}",
        )
        yield from must(key, _is_text, "must have a kmsKeyId")
    elif resource.type == QUEUE and not isinstance(key, Unknown) and not _is_text(key):
        yield from must(
            resource.get("sqsManagedSseEnabled"),
            lambda value: value is True,
            "must have sqsManagedSseEnabled or a kmsMasterKeyId",
        )
    if _NAMES[resource.type] in settings["customerKeys"]:
        for place, value in (
            (".".join(CUSTOMER_KEY[resource.type]), key),
            *_of_replicas(resource, "kmsKeyArn"),
        ):
            yield from must(
                value,
                lambda value: _is_text(value) and not re.match(r"(arn:.*:)?alias/aws/", value),
                f"must be encrypted with a customer key: {place} is {shown(value)}",
            )


def _of_replicas(table: Resource, name: str) -> Iterator[tuple[str, Any]]:
    """A property of each of the replicas that are written into a table: (place, value)."""
    replicas = table.get("replicas")
    if isinstance(replicas, Unknown):
        yield "replicas", replicas
    for index, replica in enumerate(replicas if isinstance(replicas, list) else ()):
        value = replica.get(name) if isinstance(replica, Mapping) else replica
        yield f"replicas[{index}].{name}", value


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and value != ""


def _recoverable(table: Resource, settings: Settings) -> Iterator[Finding]:
    if matches_any(table.stack, settings["stacks"]):
        recovery = ("pointInTimeRecovery", "enabled") if table.type == TABLE else ("pointInTimeRecovery",)
        for what, value in (
            ("pointInTimeRecovery", table.get(*recovery)),
            ("deletionProtectionEnabled", table.get("deletionProtectionEnabled")),
            *_of_replicas(table, "pointInTimeRecovery"),
            *_of_replicas(table, "deletionProtectionEnabled"),
        ):
            yield from must(
                value,
                lambda value: value is True,
                f"must have {what} on the protected stack {table.stack}",
            )


def _protected(resource: Resource, settings: Settings) -> Iterator[Finding]:
    if matches_any(resource.stack, settings["stacks"]) and not resource.protect:
        yield f"must have Pulumi's option protect on the protected stack {resource.stack}"


def _expires(table: Resource, settings: Settings) -> Iterator[Finding]:
    ttl, enabled, attribute = table.get("ttl"), table.get("ttl", "enabled"), table.get("ttl", "attributeName")
    if isinstance(enabled, Unknown):
        yield enabled
    elif not isinstance(enabled, bool):
        yield f"must say in ttl whether its items expire, and not {shown(ttl)}"
    elif enabled:
        yield from must(
            attribute,
            lambda value: value in settings["attributes"],
            f"must let its items expire by {' or '.join(settings['attributes'])}, and not by {shown(attribute)}",
        )
    elif matches_any(table.stack, settings["mustExpire"]):
        yield f"must let its items expire on the stack {table.stack}"


_CREDENTIALS = {
    "an AWS access key": r"\b(AKIA|ASIA)[A-Z0-9]{16}\b",
    "a private key": r"-----BEGIN [A-Z ]*PRIVATE KEY( BLOCK)?-----",
    "a GitHub token": r"\b(gh[pousr]_[A-Za-z0-9]{36}|github_pat_[A-Za-z0-9_]{40,})",
    "a Pulumi access token": r"\bpul-[0-9a-f]{40}\b",
    "a Google API key": r"\bAIza[A-Za-z0-9_-]{35}",
    "a GitLab token": r"\bglpat-[A-Za-z0-9_-]{20,}",
    "a Slack token": r"\bxox[abeprs]-[A-Za-z0-9-]{10,}",
    "a JSON Web Token": r"\beyJ[A-Za-z0-9_-]{10,}\.eyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]*",
    "an authorization header": r"(?i)\b(basic|bearer) (?=[a-z+/._~-]*\d)[a-z0-9+/._~-]{16,}",
    "a password behind its name": r"(?i)(password|passwd|pwd|secret_?access_?key) ?= ?[^\s&;,'\"<${%]{4,}",
    "a password in a URL": r"\b[a-z][a-z0-9+.-]{1,20}://[^/\s:@]*:[^/\s:@]+@",
}
"""What credentials look like, wherever they stand."""

_SECRET_NAME = re.compile(
    r"(pass(code|phrase|wd|word)|pwd|secret|salt|token|credential"
    r"|(access|api|auth|private|secret|shared|signing)[_-]?key)s?(binary|string|text|value)?$",
    re.IGNORECASE,
)
_NO_SECRET_NAME = re.compile(
    r"(client|continuation|idempotency|next|pagination|request|task)[_-]?tokens?$", re.IGNORECASE
)
"""Tokens that open nothing: they tell calls, pages and tasks from one another."""
_COUNT_NAME = re.compile(r"tokens$", re.IGNORECASE)
"""Where a number stands under such a name, as maxTokens, it counts them."""
_REFERENCE = re.compile(r"(arn:|alias/|\$\.|\{%|\$\{)")
"""What stands for a value that is elsewhere."""


def _is_secret_name(name: str) -> bool:
    """Whether a name is one of a secret; a number behind it is no matter."""
    name = name.rstrip("0123456789")
    return bool(_SECRET_NAME.search(name)) and not _NO_SECRET_NAME.search(name)


def _no_secrets(resource: Resource, _: Settings) -> Iterator[Finding]:
    """Walks everything without recursion: JSON text inside of a property may be nested at will."""
    # (place, name, value); an element of a list has the list's name.
    waiting: list[tuple[str, str, Any]] = [(name, name, value) for name, value in resource.props.items()]
    while waiting:
        where, name, value = waiting.pop()
        if isinstance(value, SecretText):
            continue
        if isinstance(value, Unknown):
            # What is not known yet may become a secret in plain text only where its name says so.
            if _is_secret_name(name):
                yield value
        elif isinstance(value, str):
            found = [what for what, pattern in _CREDENTIALS.items() if re.search(pattern, value)]
            if not found and value and _is_secret_name(name) and not _REFERENCE.match(value):
                found = ["what its name calls a secret"]
            yield from (f"must not hold {what} in plain text in {where}" for what in found)
            if not found and (content := inside(value)) is not value:
                waiting.append((where, name, content))
        elif isinstance(value, (int, float)) and not isinstance(value, bool):
            if _is_secret_name(name) and not _COUNT_NAME.search(name):
                yield f"must not hold what its name calls a secret in plain text in {where}"
        elif isinstance(value, Mapping):
            waiting += ((f"{where}.{key}", _name_of(str(key), value), part) for key, part in value.items())
        elif isinstance(value, list):
            waiting += ((f"{where}[{index}]", name, part) for index, part in enumerate(value))


def _name_of(key: str, entry: Mapping[str, Any]) -> str:
    """What a value is called: by its key, or in an entry such as {"name": "PASSWORD", "value": …} by the name there."""
    names = [name for each, name in entry.items() if str(each).lower() in ("key", "name")]
    return names[0] if key.lower() == "value" and names and isinstance(names[0], str) else key


_PROTECTED = texts("Names of protected stacks; * stands for anything.", ("prod", "prod-*", "production"))
_UNPROTECTED = "Call records exist nowhere else."

RULES = (
    Rule(
        name="data-is-encrypted-at-rest",
        description="Tables, streams, queues and logs must be encrypted at rest, with customer keys where the team says so.",
        severity=Severity.HIGH,
        reason="Contact records hold callers' numbers, and encryption that is added later does not reach what was stored.",
        remediation="Use the components as they are, or set kmsKeyArn for a customer key.",
        url="https://docs.aws.amazon.com/kms/latest/developerguide/service-integration.html",
        types=tuple(CUSTOMER_KEY),
        check=_encrypted,
        settings={
            "customerKeys": texts(
                "What must have a customer key, of: logs, queues, streams, tables.",
                (),
                choices=sorted(set(_NAMES.values())),
            ),
        },
    ),
    Rule(
        name="tables-are-recoverable",
        description="On protected stacks tables must have point-in-time recovery and deletion protection.",
        severity=Severity.HIGH,
        reason=_UNPROTECTED,
        remediation="Set protectData to true.",
        url="https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/PointInTimeRecovery.html",
        types=(TABLE, REPLICA),
        check=_recoverable,
        settings={"stacks": _PROTECTED},
    ),
    Rule(
        name="data-is-protected",
        description="On protected stacks Pulumi must refuse to delete tables, streams and queues.",
        severity=Severity.HIGH,
        reason=_UNPROTECTED,
        remediation="Set protectData to true.",
        url="https://www.pulumi.com/docs/iac/concepts/resources/options/protect/",
        types=(TABLE, REPLICA, STREAM, QUEUE),
        check=_protected,
        settings={"stacks": _PROTECTED},
    ),
    Rule(
        name="tables-say-whether-items-expire",
        description="Tables must say whether their items expire, so that keeping them for ever is somebody's decision.",
        severity=Severity.MEDIUM,
        reason="Personal data that nobody decided to keep must not be kept.",
        remediation="Set retentionDays; 0 keeps records for ever, and says so in the table.",
        url="https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/TTL.html",
        types=(TABLE,),
        check=_expires,
        settings={
            "attributes": texts("Attributes that say when an item expires.", ("expires_at",)),
            "mustExpire": texts("Names of stacks whose items must expire; * stands for anything.", ()),
        },
    ),
    Rule(
        name="no-secrets-in-plain-text",
        description="No property may hold a secret in plain text, since it would stand in Pulumi's state and in previews.",
        severity=Severity.CRITICAL,
        level=EnforcementLevel.MANDATORY,
        reason="A secret that was once in a state or a log has to be replaced.",
        remediation="Set it with `pulumi config set --secret`, and pass it on as a secret output.",
        url="https://www.pulumi.com/docs/iac/concepts/secrets/",
        check=_no_secrets,
    ),
)
