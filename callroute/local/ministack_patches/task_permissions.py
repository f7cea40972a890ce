"""Checks the permissions of a state machine's role before each call that a Task makes.

ministack makes these calls without authorization. This patch makes ministack's IAM evaluator check each call first: the
role's policies and permissions boundary, the resource-based policy of a queue, the namespace of the metrics and the
customer managed key. A denied Task fails with the same error as on AWS.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from contextvars import ContextVar
from typing import Any

from ministack.core.iam_actions import extract_resource_arn
from ministack.core.iam_evaluator import _resource_policy
from ministack.core.responses import get_region
from ministack.services.stepfunctions import _ExecutionError, _state_machines

from callroute.local.ministack_patches import kms_permissions
from callroute.local.ministack_patches.authorization import denial, role_session

# The error raised by a Task whose call is denied. Its cause contains the service name, status code and error code. Neither
# API has an exception for a missing permission, so it is the SDK for Java's general exception (docs/fidelity.md).
_ERRORS = {
    "cloudwatch": ("CloudWatch.CloudWatchException", "CloudWatch", 403, "AccessDenied"),
    "dynamodb": ("DynamoDB.AmazonDynamoDBException", "AmazonDynamoDBv2", 400, "AccessDeniedException"),
    "sqs": ("SQS.AmazonSQSException", "AmazonSQS", 403, "AccessDenied"),
}

_INTEGRATION = "arn:aws:states:::"
_SUPPORTED = ("aws-sdk:cloudwatch", "dynamodb", "sqs")

_role_arn: ContextVar[str] = ContextVar("role of the state machine whose Task runs")


def execute_task_in_role(execute_task: Callable[..., Any]) -> Callable[..., Any]:
    """Makes the state machine's role available while a Task runs."""

    def execute(
        state: dict[str, Any], raw_input: Any, execution: dict[str, Any], context: dict[str, Any]
    ) -> Any:
        _action(
            state["Resource"]
        )  # rejects unknown resources here, because not all Tasks call _invoke_resource
        token = _role_arn.set(_state_machines[execution["stateMachineArn"]]["roleArn"])
        try:
            return execute_task(state, raw_input, execution, context)
        finally:
            _role_arn.reset(token)

    return execute


def invoke_if_allowed(invoke_resource: Callable[..., Any]) -> Callable[..., Any]:
    """Checks the permissions of the current role before a Task calls a service."""

    def invoke(resource: str, arguments: dict[str, Any]) -> Any:
        _authorize(_role_arn.get(), _action(resource), arguments)
        return invoke_resource(resource, arguments)

    return invoke


def _action(resource: str) -> str:
    """Returns the IAM action of a Task's Resource: `sqs:SendMessage` for `arn:aws:states:::sqs:sendMessage`."""
    name, _, operation = resource.removeprefix(_INTEGRATION).rpartition(":")
    if not resource.startswith(_INTEGRATION) or name not in _SUPPORTED or not operation.isalnum():
        raise _ExecutionError(
            "States.Runtime",
            f"the local cloud does not support a Task with Resource {resource!r}. Add its permission to {__name__}.",
        )
    return f"{name.removeprefix('aws-sdk:')}:{operation[0].upper()}{operation[1:]}"


def _authorize(role_arn: str, action: str, arguments: dict[str, Any]) -> None:
    """Fails the Task if the role is not allowed to make this call."""
    service, role = action.partition(":")[0], role_session(role_arn)
    body = json.dumps(arguments).encode()
    keys = {"cloudwatch:namespace": arguments["Namespace"]} if action == "cloudwatch:PutMetricData" else {}
    resource_arn = extract_resource_arn(service, "POST", "/", {}, body, {}, get_region(), role.account)
    error, service_name, status, code = _ERRORS[service]
    policy = _resource_policy(service, resource_arn)
    reason = denial(role, action, resource_arn, resource_policy=policy, keys=keys)
    if not reason and (reason := kms_permissions.key_denial(role, action, resource_arn)):
        status, code = 400, kms_permissions.ERROR_CODES[service]
    if reason:
        raise _ExecutionError(
            error, f"{reason} (Service: {service_name}; Status Code: {status}; Error Code: {code})"
        )
