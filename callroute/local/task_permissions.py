"""What a Task of a state machine may do in the emulator: what the role of its state machine may.

ministack makes the calls of Tasks as nobody in particular. Here each is judged before it is made, by ministack's own IAM:
the role's policies, its permissions boundary and the policy of the queue. A refused Task fails as on AWS.

This reaches into ministack, whose release is locked with its hash. Should another release have other insides, the
emulator does not start.
"""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable
from contextvars import ContextVar
from typing import Any

from ministack.core.iam_actions import extract_resource_arn, identity_denial_message
from ministack.core.iam_evaluator import (
    EvalContext,
    ResolvedCredential,
    _resource_policy,
    combine_resource_policy,
    evaluate,
    resolve_principal,
)
from ministack.core.responses import get_region
from ministack.services import stepfunctions
from ministack.services.stepfunctions import _ExecutionError, _state_machines

# Service -> the error with which Step Functions fails a Task that the service refused, and the end of its cause.
# It is the general exception of the SDK for Java, since neither API has one for a missing permission (docs/fidelity.md).
_REFUSED = {
    "dynamodb": (
        "DynamoDB.AmazonDynamoDBException",
        "(Service: AmazonDynamoDBv2; Status Code: 400; Error Code: AccessDeniedException)",
    ),
    "sqs": (
        "SQS.AmazonSQSException",
        "(Service: AmazonSQS; Status Code: 403; Error Code: AccessDenied)",
    ),
}

_INTEGRATION = "arn:aws:states:::"

_role_arn: ContextVar[str] = ContextVar("role of the state machine whose Task runs")


class UnknownInsidesError(Exception):
    """ministack is not as this module knows it."""


def enforce() -> None:
    """From now on every Task in this process needs a permission of its state machine's role.

    Raises:
        UnknownInsidesError: ministack has no such functions, or with other parameters.
    """
    execute_task = _insides("_execute_task", "state_def", "raw_input", "execution", "ctx")
    invoke_resource = _insides("_invoke_resource", "resource", "input_data")

    def execute_task_in_role(
        state: dict[str, Any], given: Any, execution: dict[str, Any], context: dict[str, Any]
    ) -> Any:
        _action(state["Resource"])  # here, since not every kind of Task gets to _invoke_resource
        token = _role_arn.set(_state_machines[execution["stateMachineArn"]]["roleArn"])
        try:
            return execute_task(state, given, execution, context)
        finally:
            _role_arn.reset(token)

    def invoke_resource_if_allowed(resource: str, arguments: dict[str, Any]) -> Any:
        _judge(_role_arn.get(), _action(resource), arguments)
        return invoke_resource(resource, arguments)

    stepfunctions._execute_task = execute_task_in_role
    stepfunctions._invoke_resource = invoke_resource_if_allowed


def _insides(name: str, *parameters: str) -> Callable[..., Any]:
    found: Callable[..., Any] | None = getattr(stepfunctions, name, None)
    if found is None or tuple(inspect.signature(found).parameters) != parameters:
        raise UnknownInsidesError(
            f"ministack.services.stepfunctions has no {name}({', '.join(parameters)}): "
            f"look at how this release runs Tasks, and mend {__name__}"
        )
    return found


def _action(resource: str) -> str:
    """The IAM action of a Task's Resource: `dynamodb:UpdateItem` of `arn:aws:states:::dynamodb:updateItem`."""
    service, _, operation = resource.removeprefix(_INTEGRATION).partition(":")
    if not resource.startswith(_INTEGRATION) or service not in _REFUSED or not operation.isalnum():
        raise _ExecutionError(
            "States.Runtime",
            f"the local cloud does not know the permission of a Task with Resource {resource!r}; add it in {__name__}",
        )
    return f"{service}:{operation[0].upper()}{operation[1:]}"


def _judge(role_arn: str, action: str, arguments: dict[str, Any]) -> None:
    """Fails the Task unless the role may make this call, as if it were a request of its own."""
    service = action.partition(":")[0]
    account_id, role = role_arn.split(":")[4], role_arn.rpartition("/")[2]
    session = ResolvedCredential(
        access_key_id="",
        secret_access_key="",
        account_id=account_id,
        principal_arn=f"arn:aws:sts::{account_id}:assumed-role/{role}/state-machine",
        principal_id="",
        principal_type="AssumedRole",
    )
    principal = resolve_principal("", account_id, session)
    region, body = get_region(), json.dumps(arguments).encode()
    resource_arn = extract_resource_arn(service, "POST", "/", {}, body, {}, region, account_id)
    context = EvalContext(
        principal_arn=principal.arn,
        principal_type=principal.type,
        principal_account=principal.account,
        action=action,
        resource_arn=resource_arn,
        region=region,
        principal_keys=principal.keys,
    )
    result = evaluate(context, principal.policies, *principal.limits)
    if policy := _resource_policy(service, resource_arn):
        result = combine_resource_policy(result, context, *policy, limits=principal.limits)
    if result.decision != "Allow":
        error, ending = _REFUSED[service]
        message = identity_denial_message(action, principal.arn, resource_arn, result.decision == "Deny")
        raise _ExecutionError(error, f"{message} {ending}")
