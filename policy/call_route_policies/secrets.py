"""Which values came as secrets.

Pulumi's engine marks secrets in what it sends to a policy pack. The SDK (pulumi_policy 1.21) takes the marks off before
a rule sees the values, so that a rule could not tell a secret from the same text in plain. This keeps them.
"""

from __future__ import annotations

from typing import Any

from pulumi_policy import deserialize


class SecretText(str):
    """A text that the engine sent as a secret, or that stands inside of one."""

    __slots__ = ()


def keep_secret_marks() -> None:
    """From now on the SDK reads the text of a secret as SecretText. Doing it twice changes nothing."""
    read = deserialize._deserialize_property
    if getattr(read, "keeps_marks", False):
        return

    def read_marked(prop: Any, proxy_secrets: bool = False) -> Any:
        value = read(prop, proxy_secrets)
        is_secret = (
            isinstance(prop, dict) and prop.get(deserialize.SPECIAL_SIG_KEY) == deserialize.SPECIAL_SECRET_SIG
        )
        return _marked(value) if is_secret and not proxy_secrets else value

    read_marked.keeps_marks = True  # type: ignore[attr-defined]  # a function may carry attributes
    deserialize._deserialize_property = read_marked


def _marked(value: Any) -> Any:
    if isinstance(value, str):
        return SecretText(value)
    if isinstance(value, dict):
        return {key: _marked(part) for key, part in value.items()}
    if isinstance(value, list):
        return [_marked(part) for part in value]
    return value
