"""Table of patches. Each patch names a ministack function, its expected signature and its replacement."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version
from types import ModuleType
from typing import Any

from jsonata.jsonata import Jsonata
from jsonata.parser import Parser
from jsonata.signature import Signature
from jsonata.utils import Utils
from ministack.core import iam_evaluator
from ministack.services import kinesis, stepfunctions

from callroute.local.ministack_patches import (
    jsonata_engine,
    kms_permissions,
    latency,
    log_delivery,
    task_permissions,
)

SUPPORTED_RELEASE = "1.5.33"


class UnsupportedReleaseError(Exception):
    """The installed ministack does not have a function that a patch replaces."""


@dataclass(frozen=True)
class Patch:
    """A replacement for a ministack function."""

    owner: ModuleType | type
    """Module or class of the function."""
    name: str
    """Name of the function."""
    parameters: str
    """Names of its parameters, in order."""
    wrap: Callable[[Callable[..., Any]], Callable[..., Any]]
    """Returns the replacement for the original function."""

    def original(self) -> Callable[..., Any]:
        """Returns the function to replace.

        Raises:
            UnsupportedReleaseError: the function does not exist or takes other parameters.
        """
        function: Callable[..., Any] | None = getattr(self.owner, self.name, None)
        if function is None or ", ".join(inspect.signature(function).parameters) != self.parameters:
            raise UnsupportedReleaseError(
                f"ministack {version('ministack')} is not supported: it has no function "
                f"{self.owner.__name__}.{self.name}({self.parameters}). "
                f"Update {__package__} or pin ministack=={SUPPORTED_RELEASE}."
            )
        return function


ENGINE_PATCHES = (
    Patch(Parser, "parse", "self, jsonata, regex_engine", jsonata_engine.parse_once),
    Patch(Jsonata, "eval", "self, expr, input, environment", jsonata_engine.evaluate_without_callbacks),
    Patch(Utils, "is_function", "o", jsonata_engine.is_function),
    Patch(Signature, "get_symbol", "self, value", jsonata_engine.symbol_of_type),
    Patch(Utils.JList, "__init__", "self, c", jsonata_engine.share_flags),
)
"""Patches of the JSONata engine."""

PATCHES = (
    Patch(
        stepfunctions,
        "_execute_task",
        "state_def, raw_input, execution, ctx",
        task_permissions.execute_task_in_role,
    ),
    Patch(stepfunctions, "_invoke_resource", "resource, input_data", task_permissions.invoke_if_allowed),
    Patch(stepfunctions, "_create_state_machine", "data", log_delivery.create_if_logging_is_allowed),
    Patch(
        iam_evaluator,
        "enforce",
        "access_key_id, iam_action, service, region, resource_arn, service_context",
        kms_permissions.enforce_key_permissions,
    ),
    Patch(stepfunctions, "_run_execution", "exec_arn", latency.run_without_delay),
    Patch(stepfunctions, "_run_map_items", "state_def, raw_input, execution, ctx", latency.copy_json),
    Patch(stepfunctions, "_start_sync_execution", "data", latency.forget_execution),
    Patch(kinesis, "_expire_records", "stream", latency.once_a_minute),
    Patch(kinesis, "_expire_iterators", "", latency.once_a_minute),
    *ENGINE_PATCHES,
)


def apply(patches: tuple[Patch, ...] = PATCHES) -> None:
    """Verifies all patches, then applies them.

    Raises:
        UnsupportedReleaseError: a patch does not fit the installed ministack. No patch has been applied.
    """
    originals = [patch.original() for patch in patches]
    for patch, original in zip(patches, originals, strict=True):
        setattr(patch.owner, patch.name, patch.wrap(original))
