"""Keeps Pulumi's secret marks on the values that rules receive.

Pulumi's engine marks secrets in the properties that it sends to a policy pack. The SDK removes the marks before a rule
runs, so that a rule cannot distinguish a secret from a plain string. `keep_secret_marks` patches the SDK. Without it, a rule
reports secrets as plain text, which is the safe default.
"""

from __future__ import annotations

import inspect
from typing import Any

import pulumi_policy.version
from pulumi_policy import deserialize

TESTED_SDK_VERSION = "1.21.0"
"""The pulumi-policy release that the patch was tested with."""

_PARAMETERS = ["prop", "proxy_secrets"]


class SecretText(str):
    """A string that the engine marked as a secret, or that is part of a secret value."""

    __slots__ = ()


def keep_secret_marks() -> None:
    """Makes the SDK deserialize the strings of a secret as `SecretText`. Calling it again has no effect.

    Raises:
        RuntimeError: the installed SDK cannot be patched.
    """
    original = getattr(deserialize, "_deserialize_property", None)
    if getattr(original, "keeps_secret_marks", False):
        return
    if original is None or list(inspect.signature(original).parameters) != _PARAMETERS:
        raise _unsupported()

    def deserialize_marked(prop: Any, proxy_secrets: bool = False) -> Any:
        value = original(prop, proxy_secrets)
        is_secret = (
            isinstance(prop, dict) and prop.get(deserialize.SPECIAL_SIG_KEY) == deserialize.SPECIAL_SECRET_SIG
        )
        return _marked(value) if is_secret and not proxy_secrets else value

    deserialize_marked.keeps_secret_marks = True  # type: ignore[attr-defined]  # functions accept attributes
    deserialize._deserialize_property = deserialize_marked
    secret = {deserialize.SPECIAL_SIG_KEY: deserialize.SPECIAL_SECRET_SIG, "value": "text"}
    found = deserialize._deserialize_property([secret])
    if not (isinstance(found, list) and found and isinstance(found[0], SecretText)):
        deserialize._deserialize_property = original
        raise _unsupported()


def _unsupported() -> RuntimeError:
    return RuntimeError(
        f"pulumi-policy {pulumi_policy.version.VERSION} is not supported: its deserializer has changed."
        f" Install pulumi-policy {TESTED_SDK_VERSION}."
    )


def _marked(value: Any) -> Any:
    if isinstance(value, str):
        return SecretText(value)
    if isinstance(value, dict):
        return {key: _marked(part) for key, part in value.items()}
    if isinstance(value, list):
        return [_marked(part) for part in value]
    return value
