"""Guards against a local cloud that starts an emulator for a configuration that cannot be deployed."""

from __future__ import annotations

from pathlib import Path

import pytest

from callroute.errors import InputError
from callroute.local import cloud
from callroute.local.cloud import DeliveryCounts, LocalCloud
from callroute.local.stack_config import StackConfig


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "Pulumi.yaml").write_text("name: project\n", encoding="utf-8")
    (tmp_path / "Pulumi.local.yaml").write_text("config: {project:batchSize: 10}\n", encoding="utf-8")
    return tmp_path


def test_the_configuration_is_validated_before_the_emulator_starts(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def reject(config: StackConfig) -> None:
        raise InputError("configuration", "batchSize", f"is {config.project_values['batchSize']}", "Use 1.")

    monkeypatch.setattr(cloud, "Emulator", lambda _region: pytest.fail("the emulator must not start"))

    with (
        pytest.raises(InputError, match="batchSize: is 0"),
        LocalCloud({"batchSize": 0}, project=project, validate=reject),
    ):
        pytest.fail("the context must not be entered")


@pytest.mark.parametrize(
    ("counts", "clean"),
    [
        (DeliveryCounts(stored=2, filtered=1), True),
        (DeliveryCounts(quarantined=1), False),
        (DeliveryCounts(dead_lettered=1), False),
    ],
)
def test_counts_are_clean_without_quarantined_or_dead_lettered_records(
    counts: DeliveryCounts, clean: bool
) -> None:
    assert counts.clean is clean
