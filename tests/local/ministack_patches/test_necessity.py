"""Fails when ministack no longer needs a patch. Remove the patch then."""

from __future__ import annotations

import inspect
import json
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from jsonata.jsonata import Jsonata
from jsonata.parser import Parser
from jsonata.signature import Signature
from jsonata.utils import Utils
from ministack.services import kinesis, stepfunctions

from callroute.local import emulator as module
from callroute.local.emulator import Emulator
from callroute.local.ministack_patches.latency import EXECUTION_DELAY
from callroute.local.ministack_patches.patches import PATCHES
from tests.local.ministack_patches.test_kms_permissions import KEY, NEEDS, Call, caller
from tests.local.ministack_patches.test_task_permissions import Machine

pytestmark = pytest.mark.emulator

UNPATCHED = """
from callroute.local.ministack_patches import __main__, patches
patches.apply = lambda: None
__main__.main()
"""

TESTED = {
    "_execute_task": "test_a_task_needs_no_permission",
    "_invoke_resource": "test_a_task_needs_no_permission",
    "_create_state_machine": "test_a_role_that_cannot_deliver_logs_is_accepted",
    "enforce": "test_a_call_needs_no_permission_on_the_key",
    "_run_execution": "test_an_execution_is_delayed",
    "parse": "test_an_expression_is_parsed_each_time",
    "eval": "test_the_callbacks_of_the_time_limit_are_searched_for_each_part",
    "is_function": "test_types_are_found_with_import_statements",
    "get_symbol": "test_types_are_found_with_import_statements",
    "__init__": "test_each_list_has_its_own_flags",
    "_run_map_items": "test_the_context_is_copied_for_each_item",
    "_start_sync_execution": "test_a_synchronous_execution_is_kept",
    "_expire_records": "test_each_request_searches_for_old_data",
    "_expire_iterators": "test_each_request_searches_for_old_data",
}
"""The test of each patch, by the name of the patched function."""


@pytest.fixture(scope="module")
def unpatched() -> Iterator[Emulator]:
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(module, "CHILD", ("-c", UNPATCHED))
        with Emulator() as running:
            yield running


def test_each_patch_has_a_test() -> None:
    assert {patch.name for patch in PATCHES} == set(TESTED)
    assert set(TESTED.values()) <= set(globals())


def test_a_task_needs_no_permission(unpatched: Emulator) -> None:
    assert Machine(unpatched).run()[0] == "SUCCEEDED"


def test_a_role_that_cannot_deliver_logs_is_accepted(unpatched: Emulator) -> None:
    machine = Machine(unpatched)
    group = f"arn:aws:logs:{unpatched.region}:{unpatched.account_id}:log-group:{machine.name}:*"
    unpatched.client("logs").create_log_group(logGroupName=machine.name)

    assert unpatched.client("stepfunctions").create_state_machine(
        name=uuid.uuid4().hex,
        roleArn=machine.role_arn,
        definition=json.dumps({"StartAt": "Do", "States": {"Do": {"Type": "Pass", "End": True}}}),
        loggingConfiguration={
            "level": "ALL",
            "destinations": [{"cloudWatchLogsLogGroup": {"logGroupArn": group}}],
        },
    )


@pytest.mark.parametrize(("call", "action"), [need[:2] for need in NEEDS])
def test_a_call_needs_no_permission_on_the_key(
    unpatched: Emulator, call: Callable[[Emulator, str], Call], action: str
) -> None:
    assert call(unpatched, KEY)(caller(unpatched, {action: {}}))


def test_an_execution_is_delayed(monkeypatch: pytest.MonkeyPatch) -> None:
    waits: list[float] = []
    monkeypatch.setattr(stepfunctions.time, "sleep", waits.append)
    execution = {"stateMachineArn": "m", "status": "RUNNING", "events": [], "sync": True}
    monkeypatch.setitem(stepfunctions._executions, "e", execution)

    stepfunctions._run_execution("e")

    assert waits == [EXECUTION_DELAY]


def test_an_expression_is_parsed_each_time(monkeypatch: pytest.MonkeyPatch) -> None:
    parsed: list[str] = []
    original = Parser.parse

    def parse(self: Any, jsonata: str, regex_engine: Any) -> Any:
        parsed.append(jsonata)
        return original(self, jsonata, regex_engine)

    monkeypatch.setattr(Parser, "parse", parse)
    for _ in range(2):
        assert stepfunctions._evaluate_jsonata("1 + 1", {}) == 2

    assert parsed == ["1 + 1"] * 2


def test_the_callbacks_of_the_time_limit_are_searched_for_each_part(monkeypatch: pytest.MonkeyPatch) -> None:
    searched: list[str] = []
    monkeypatch.setattr(Jsonata.Frame, "lookup", lambda _scope, name: searched.append(name))

    Jsonata.jsonata("1").evaluate(None)

    assert searched == ["__evaluate_entry", "__evaluate_exit"]


@pytest.mark.parametrize("function", [Utils.is_function, Signature.get_symbol])
def test_types_are_found_with_import_statements(function: Callable[..., Any]) -> None:
    assert "from jsonata import" in inspect.getsource(function)


def test_each_list_has_its_own_flags() -> None:
    assert len(vars(Utils.JList())) == 5


def test_the_context_is_copied_for_each_item() -> None:
    assert "copy.deepcopy(ctx)" in inspect.getsource(stepfunctions._run_map_items)


def test_a_synchronous_execution_is_kept(unpatched: Emulator) -> None:
    machine = Machine(unpatched)
    machine.run()

    executions = unpatched.client("stepfunctions").list_executions(stateMachineArn=machine.arn)
    assert executions["executions"]


@pytest.mark.parametrize("function", [kinesis._get_records, kinesis.handle_request])
def test_each_request_searches_for_old_data(function: Callable[..., Any]) -> None:
    assert "    _expire_" in inspect.getsource(function)
