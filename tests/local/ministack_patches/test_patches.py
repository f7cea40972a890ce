"""Guards against running a ministack release that the patches do not fit, which would bypass their checks."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from callroute.local import emulator as module
from callroute.local.emulator import Emulator, EmulatorError
from callroute.local.ministack_patches.patches import PATCHES, Patch, UnsupportedReleaseError, apply

pytestmark = pytest.mark.emulator
every_patch = pytest.mark.parametrize("patch", PATCHES, ids=lambda patch: patch.name)


@every_patch
def test_a_missing_function_is_an_error_that_names_it(patch: Patch, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(patch.owner, patch.name)

    with pytest.raises(UnsupportedReleaseError, match=rf"no function {patch.owner.__name__}\.{patch.name}\("):
        patch.original()


@every_patch
def test_a_function_with_other_parameters_is_an_error(patch: Patch, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patch.owner, patch.name, lambda request: request)

    with pytest.raises(UnsupportedReleaseError, match=re.escape(f"{patch.name}({patch.parameters})")):
        patch.original()


def test_no_patch_is_applied_unless_all_fit() -> None:
    class Ministack:
        @staticmethod
        def stop(reason: str) -> str:
            return reason

    unchanged = Ministack.stop
    fitting = Patch(Ministack, "stop", "reason", lambda _original: lambda _reason: "patched")
    missing = Patch(Ministack, "start", "", lambda original: original)

    with pytest.raises(UnsupportedReleaseError):
        apply((fitting, missing))
    assert Ministack.stop is unchanged

    apply((fitting,))
    assert Ministack.stop("shutdown") == "patched"


def test_an_unsupported_release_does_not_start(monkeypatch: pytest.MonkeyPatch) -> None:
    program = (
        "from ministack.services import stepfunctions; del stepfunctions._invoke_resource\n"
        "from callroute.local.ministack_patches.__main__ import main; main()"
    )
    monkeypatch.setattr(module, "CHILD", ("-c", program))
    monkeypatch.setattr(module, "START_ATTEMPTS", 1)

    with pytest.raises(EmulatorError) as raised:
        Emulator().__enter__()

    message = str(raised.value)
    log = re.search(r"Its log is (\S+) and ends with", message)
    assert log
    shutil.rmtree(Path(log[1]).parent)
    assert re.search(r"ministack [\d.]+ is not supported: it has no function .*_invoke_resource\(", message)
    assert "Update callroute.local.ministack_patches or pin ministack==" in message
    assert "Traceback" not in message
