"""A state machine that logs cannot be made unless its role may deliver logs.

So it is on AWS; ministack takes any.
"""

from __future__ import annotations

from typing import Any

from ministack.core.responses import error_response_json
from ministack.services import stepfunctions

from callroute.local.ministack_patches.authorization import insides, refusal, session_of

NEEDED = (
    "logs:CreateLogDelivery",
    "logs:GetLogDelivery",
    "logs:UpdateLogDelivery",
    "logs:DeleteLogDelivery",
    "logs:ListLogDeliveries",
    "logs:PutResourcePolicy",
    "logs:DescribeResourcePolicies",
    "logs:DescribeLogGroups",
)
"""All that AWS's guide lists. Which of them AWS tries is not published.

Said here once more and not taken from the documents of the stack: what the role is granted is held to it.
Source: Logging using CloudWatch Logs, AWS Step Functions Developer Guide.
"""


def enforce() -> None:
    """From now on no state machine is made in this process that logs and has a role which may not.

    Raises:
        UnknownInsidesError: ministack makes state machines in another way.
    """
    create = insides(stepfunctions, "_create_state_machine", "data")

    def create_if_it_may_log(data: dict[str, Any]) -> Any:
        if (data.get("loggingConfiguration") or {}).get("level", "OFF") != "OFF":
            role = session_of(data["roleArn"])
            for action in NEEDED:
                if why := refusal(role, action, "*"):
                    # AWS's words, and behind the colon what it leaves one to find out.
                    message = (
                        f"The state machine IAM Role is not authorized to access the Log Destination: {why}"
                    )
                    return error_response_json("AccessDeniedException", message, 400)
        return create(data)

    stepfunctions._create_state_machine = create_if_it_may_log
