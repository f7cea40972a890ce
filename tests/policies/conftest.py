"""One running policy pack for all tests of it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.policies.pack import Pack


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Bounds the process of a test that runs the program, which Pulumi would otherwise wait for (tests/components)."""
    for item in items:
        if "tests/policies/" in item.path.as_posix():
            item.add_marker(pytest.mark.timeout(60, method="thread"))


@pytest.fixture(scope="session")
def running_pack() -> Iterator[Pack]:
    """The pack's process, with the environment that the engine gives to it."""
    environment = {
        "PULUMI_ORGANIZATION": "organization",
        "PULUMI_PROJECT": "call-route-tracker",
        "PULUMI_STACK": "prod",
        "PULUMI_DRY_RUN": "true",
    }
    with Pack(environment) as pack:
        yield pack


@pytest.fixture
def pack(running_pack: Pack) -> Pack:
    """The running pack, unconfigured."""
    running_pack.configure({})
    return running_pack
