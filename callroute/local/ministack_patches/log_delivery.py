"""Rejects a state machine with logging if its role cannot deliver logs, as AWS does but ministack does not."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ministack.core.responses import error_response_json

from callroute.local.ministack_patches.authorization import denial, role_session

REQUIRED_ACTIONS = (
    "logs:CreateLogDelivery",
    "logs:GetLogDelivery",
    "logs:UpdateLogDelivery",
    "logs:DeleteLogDelivery",
    "logs:ListLogDeliveries",
    "logs:PutResourcePolicy",
    "logs:DescribeResourcePolicies",
    "logs:DescribeLogGroups",
)
"""All actions that the AWS guide lists. AWS does not publish which of them it checks.

Listed here instead of derived from callroute.aws.permissions, so that the granted permissions are verified independently.
Source: Logging using CloudWatch Logs, AWS Step Functions Developer Guide.
"""


def create_if_logging_is_allowed(create: Callable[[dict[str, Any]], Any]) -> Callable[[dict[str, Any]], Any]:
    """Checks the permissions of the role before a state machine is created."""

    def create_state_machine(data: dict[str, Any]) -> Any:
        if (data.get("loggingConfiguration") or {}).get("level", "OFF") != "OFF":
            role = role_session(data["roleArn"])
            for action in REQUIRED_ACTIONS:
                if reason := denial(role, action, "*"):
                    # AWS returns the same message, but without the reason.
                    message = f"The state machine IAM Role is not authorized to access the Log Destination: {reason}"
                    return error_response_json("AccessDeniedException", message, 400)
        return create(data)

    return create_state_machine
