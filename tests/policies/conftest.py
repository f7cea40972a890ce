"""Starts one policy pack for all tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from call_route_policies import testing
from tests.policies.pack import Pack

policy_pack = testing.policy_pack


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Limits the time of each test, because Pulumi would otherwise wait forever for a hung program."""
    for item in items:
        if "tests/policies/" in item.path.as_posix():
            item.add_marker(pytest.mark.timeout(60, method="thread"))


@pytest.fixture(scope="session")
def running_policy_pack() -> Iterator[Pack]:
    """The process of the pack, with the environment variables that the engine sets."""
    environment = {
        "PULUMI_ORGANIZATION": "organization",
        "PULUMI_PROJECT": "call-route-tracker",
        "PULUMI_STACK": "prod",
        "PULUMI_DRY_RUN": "true",
    }
    with Pack(environment) as pack:
        yield pack


@pytest.fixture
def pack(policy_pack: Pack) -> Pack:
    """The running pack with default settings."""
    return policy_pack
