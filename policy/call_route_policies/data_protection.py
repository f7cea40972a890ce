"""Checks encryption, recovery and expiry of stored data, and finds secrets in plain text."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator, Mapping
from typing import Any

from .contact_records import is_part_of_component
from .data import data
from .json_values import decoded
from .property_rules import property_rule
from .resource import Resource, Unknown, matches_any, shown
from .rule import Finding, RuleConfig, require, rule
from .secrets import SecretText


def _check_protect_option(resource: Resource, config: RuleConfig) -> Iterator[Finding]:
    if matches_any(resource.stack, config["stacks"]) and not resource.protect:
        yield f"must have Pulumi's protect option on the protected stack {resource.stack}"


def _check_expiry(table: Resource, config: RuleConfig) -> Iterator[Finding]:
    if not is_part_of_component(table):
        return
    ttl, enabled, attribute = table.get("ttl"), table.get("ttl", "enabled"), table.get("ttl", "attributeName")
    if isinstance(enabled, Unknown):
        yield enabled
    elif not isinstance(enabled, bool):
        yield f"must enable or disable ttl explicitly, not {shown(ttl)}"
    elif enabled:
        yield from require(
            attribute,
            lambda value: value in config["attributes"],
            f"must use the ttl attribute {' or '.join(config['attributes'])}, not {shown(attribute)}",
        )
    elif matches_any(table.stack, config["mustExpire"]):
        yield f"must enable ttl on the stack {table.stack}"


_SECRETS = data("secret_patterns.yaml")
_CREDENTIALS = {
    **{kind: re.compile(pattern) for kind, pattern in _SECRETS["patterns"].items()},
    "a token for a service": re.compile(rf"\b(?:{'|'.join(_SECRETS['prefixes'])})[A-Za-z0-9=.+/-]{{16,}}"),
}
"""Patterns of credentials, in any string."""

_SECRET_NAME, _NO_SECRET_NAME, _COUNT_NAME = (
    re.compile(_SECRETS["names"][kind], re.IGNORECASE) for kind in ("secret", "identifier", "count")
)
_NO_SECRET = re.compile(rf"{_SECRETS['harmless']}$|arn:|alias/|\$\.|\{{%|\{{\{{resolve:|\$\{{")
"""A harmless value, or the start of a reference to a value that is stored elsewhere."""
_REFERENCE_TYPES = ("PARAMETER_STORE", "SECRETS_MANAGER")
"""CodeBuild variable types whose value is the name of a secret."""
_NAMED = "a secret (because of its name)"
_PARAMETER = "aws:ssm/parameter:Parameter"
_BASE64 = re.compile(r"[A-Za-z0-9+/\s]{24,}={0,2}\s*")


def _is_secret_name(name: str) -> bool:
    """Returns whether a property's name suggests a secret. Trailing digits are ignored."""
    name = name.rstrip("0123456789")
    return bool(_SECRET_NAME.search(name)) and not _NO_SECRET_NAME.search(name)


def _check_secrets(resource: Resource, _: RuleConfig) -> Iterator[Finding]:
    """Searches all properties for secrets, including JSON text. Iterative, because JSON text may be deeply nested."""
    # Systems Manager stores a String in plain text, even if Pulumi marks it as a secret.
    is_plain = resource.type == _PARAMETER and resource.get("type") in ("String", "StringList")
    # Tuples of path, name and value. Items in a list have the list's name.
    pending = [(name, _name_of(name, resource.props), value) for name, value in resource.props.items()]
    while pending:
        path, name, value = pending.pop()
        if isinstance(value, SecretText) and not is_plain:
            continue
        if isinstance(value, Unknown):
            if _is_secret_name(name):
                yield value
        elif isinstance(value, str):
            found = _secrets_in(name, value)
            yield from (f"must not contain {kind} in plain text in {path}" for kind in found)
            if not found and (content := decoded(value)) is not value:
                pending.append((path, name, content))
        elif isinstance(value, (int, float)) and not isinstance(value, bool):
            if _is_secret_name(name) and not _COUNT_NAME.search(name):
                yield f"must not contain {_NAMED} in plain text in {path}"
        elif isinstance(value, Mapping) and value.get("type") not in _REFERENCE_TYPES:
            # A DynamoDB attribute value, such as {"S": "text"}, has the attribute's name. So does the default of a parameter.
            is_attribute = len(value) == 1 and set(value) <= {"S", "N", "B", "L", "M", "SS"}
            pending += (
                (
                    f"{path}.{key}",
                    name if is_attribute or key == "default" else _name_of(str(key), value),
                    part,
                )
                for key, part in value.items()
            )
        elif isinstance(value, list):
            # In a command, the name is the option before the value.
            options = [name, *(each if str(each).startswith("--") else name for each in value)]
            pending += ((f"{path}[{index}]", str(options[index]), part) for index, part in enumerate(value))


def _secrets_in(name: str, value: str) -> list[str]:
    """Returns the kinds of secrets that a string contains, in plain text or Base64, or that its name suggests."""
    text = f"{value} {_from_base64(value)}"
    found = [kind for kind, pattern in _CREDENTIALS.items() if pattern.search(text)]
    is_count = value.isdecimal() and _COUNT_NAME.search(name)
    is_named = value and _is_secret_name(name) and not _NO_SECRET.match(value) and not is_count
    return found or ([_NAMED] if is_named else [])


def _from_base64(value: str) -> str:
    if not _BASE64.fullmatch(value):
        return ""
    try:
        return base64.b64decode(value).decode()
    except ValueError:
        return ""


def _name_of(key: str, entry: Mapping[str, Any]) -> str:
    """Returns the name of a value: its key or, in an entry such as {"name": "PASSWORD", "value": …}, the entry's name."""
    names = [name for each, name in entry.items() if str(each).lower() in ("key", "name", "parametername")]
    return (
        names[0]
        if key.lower() in ("value", "insecurevalue", "parametervalue") and names and isinstance(names[0], str)
        else key
    )


RULES = (
    property_rule("data-is-encrypted-at-rest"),
    property_rule("tables-are-recoverable"),
    rule("data-has-protect-option", _check_protect_option),
    rule("tables-have-explicit-expiry", _check_expiry),
    rule("no-secrets-in-plain-text", _check_secrets),
)
