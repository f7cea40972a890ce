"""Guards against an SDK that no longer lets the pack see which values are secrets."""

from __future__ import annotations

import subprocess
import sys

import pytest
from pulumi_policy import deserialize
from pulumi_policy.version import VERSION

from call_route_policies.secrets import TESTED_SDK_VERSION, SecretText, keep_secret_marks
from call_route_policies.testing import secret


def test_the_installed_sdk_is_the_one_that_the_patch_was_written_for() -> None:
    assert VERSION == TESTED_SDK_VERSION, (
        "check secrets.py against this release, then change TESTED_SDK_VERSION"
    )


@pytest.fixture
def _restored(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deserialize, "_deserialize_property", deserialize._deserialize_property)


@pytest.mark.usefixtures("_restored")
def test_strings_of_a_secret_are_marked_at_any_depth() -> None:
    keep_secret_marks()
    keep_secret_marks()
    found = deserialize.deserialize_properties({"outer": [secret({"inner": ["text"]})], "plain": "text"})

    assert isinstance(found["outer"][0]["inner"][0], SecretText)
    assert not isinstance(found["plain"], SecretText)


def test_importing_the_rules_changes_nothing_in_the_sdk() -> None:
    program = (
        "from pulumi_policy import deserialize; before = deserialize._deserialize_property;"
        "import call_route_policies, sys; sys.exit(deserialize._deserialize_property is not before)"
    )

    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0  # noqa: S603 - our own interpreter


def _other_result(prop: object, proxy_secrets: bool = False) -> object:
    return None if proxy_secrets else repr(prop)


@pytest.mark.parametrize(
    "changed",
    [None, lambda value: value, _other_result],
    ids=["removed", "other parameters", "other result"],
)
def test_another_deserializer_is_an_error_that_names_the_supported_release(
    monkeypatch: pytest.MonkeyPatch, changed: object
) -> None:
    if changed is None:
        monkeypatch.delattr(deserialize, "_deserialize_property")
    else:
        monkeypatch.setattr(deserialize, "_deserialize_property", changed)

    with pytest.raises(
        RuntimeError, match=rf"is not supported: .* Install pulumi-policy {TESTED_SDK_VERSION}"
    ):
        keep_secret_marks()

    assert getattr(deserialize, "_deserialize_property", None) is changed
