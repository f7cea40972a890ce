"""Guards against exemptions that hide too much, never end or are not listed."""

from __future__ import annotations

import pytest

from tests.policies.edits import put
from tests.policies.pack import Pack
from tests.policies.stacks import Stack, recorded
from tests.policies.values import QUARANTINE

RULE = "queues-retain-messages"
MESSAGE = "must have a messageRetentionSeconds of at least 4 days, not 60"
PATTERN = "urn:pulumi:prod::*::*aws:sqs/queue:Queue::*-quarantine"


@pytest.fixture
def stack() -> Stack:
    """A stack with one violation."""
    found = recorded("prod")
    put(QUARANTINE, "messageRetentionSeconds", 60)(found)
    return found


def found(pack: Pack, stack: Stack, resource: str, until: str) -> list[tuple[str, str, str]]:
    """Returns rule, level and message of the findings with one exemption."""
    exemption = {"resource": resource, "reason": "moved next month", "until": until}
    pack.configure({RULE: {"exemptions": [exemption]}})
    return [(each.rule, each.level, each.message) for each in pack.analyze(stack)]


def test_an_exempt_resource_is_listed_with_the_reason(pack: Pack, stack: Stack) -> None:
    message = f"{QUARANTINE} is exempt from {RULE} until 2999-12-31: moved next month."

    assert found(pack, stack, PATTERN, "2999-12-31") == [("exemptions-are-needed", "advisory", message)]


def test_an_expired_exemption_is_a_violation(pack: Pack, stack: Stack) -> None:
    message = f"{QUARANTINE} {MESSAGE} (the exemption expired on 2020-01-31: moved next month)."

    assert found(pack, stack, PATTERN, "2020-01-31") == [(RULE, "mandatory", message)]


def test_an_unused_exemption_is_listed_and_hides_nothing(pack: Pack, stack: Stack) -> None:
    other = PATTERN.replace("quarantine", "other")
    message = f"{stack[0].name} has an unused exemption from {RULE} for {other}."

    assert found(pack, stack, other, "2999-12-31") == [
        ("exemptions-are-needed", "advisory", message),
        (RULE, "mandatory", f"{QUARANTINE} {MESSAGE}."),
    ]


@pytest.mark.parametrize("until", ["", "tomorrow"])
def test_an_exemption_without_a_valid_date_is_a_violation(pack: Pack, stack: Stack, until: str) -> None:
    messages = [message for rule, _, message in found(pack, stack, PATTERN, until) if rule == RULE]

    assert messages
    assert all("cannot be checked: the rule has an invalid exemption: {" in message for message in messages)
