"""What a Task of a state machine may do in the emulator: what the role of its state machine may.

ministack makes the calls of Tasks as nobody in particular. Here each is judged before it is made, by ministack's own IAM:
the role's policies, its permissions boundary, the policy of the queue, the customer key. A refused Task fails as on AWS.
"""

from __future__ import annotations

import json
from contextvars import ContextVar
from typing import Any

from ministack.core.iam_actions import extract_resource_arn
from ministack.core.iam_evaluator import _resource_policy
from ministack.core.responses import get_region
from ministack.services import stepfunctions
from ministack.services.stepfunctions import _ExecutionError, _state_machines

from callroute.local.ministack_patches import kms_permissions
from callroute.local.ministack_patches.authorization import insides, refusal, session_of

# Service -> the error with which Step Functions fails a Task that the service refused, and what its cause tells of that.
# It is the general exception of the SDK for Java, since neither API has one for a missing permission (docs/fidelity.md).
_REFUSED = {
    "dynamodb": ("DynamoDB.AmazonDynamoDBException", "AmazonDynamoDBv2", 400, "AccessDeniedException"),
    "sqs": ("SQS.AmazonSQSException", "AmazonSQS", 403, "AccessDenied"),
}

_INTEGRATION = "arn:aws:states:::"

_role_arn: ContextVar[str] = ContextVar("role of the state machine whose Task runs")


def enforce() -> None:
    """From now on every Task in this process needs a permission of its state machine's role.

    Raises:
        UnknownInsidesError: ministack runs Tasks in another way.
    """
    execute_task = insides(stepfunctions, "_execute_task", "state_def", "raw_input", "execution", "ctx")
    invoke_resource = insides(stepfunctions, "_invoke_resource", "resource", "input_data")

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
    service, role = action.partition(":")[0], session_of(role_arn)
    body = json.dumps(arguments).encode()
    resource_arn = extract_resource_arn(service, "POST", "/", {}, body, {}, get_region(), role.account)
    error, named, status, code = _REFUSED[service]
    why = refusal(role, action, resource_arn, resource_policy=_resource_policy(service, resource_arn))
    if not why:
        why = kms_permissions.key_refusal(role, action, resource_arn)
        status, code = 400, kms_permissions.REFUSED[service]
    if why:
        raise _ExecutionError(error, f"{why} (Service: {named}; Status Code: {status}; Error Code: {code})")
