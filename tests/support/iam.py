"""Evaluates IAM policy documents with the emulator's evaluator.

The emulator's SimulateCustomPolicy uses the same evaluator, but ignores condition keys.
"""

from __future__ import annotations

from typing import Any

from ministack.core.iam_evaluator import EvalContext, evaluate, parse_policy_document


def allows(
    policy: dict[str, Any],
    action: str,
    resource: str,
    *,
    boundary: dict[str, Any] | None = None,
    context: dict[str, str] | None = None,
) -> bool:
    """Returns True if a role with this policy and permissions boundary is allowed the action.

    Args:
        policy: the role's only policy.
        action: IAM action, for example `sqs:SendMessage`.
        resource: ARN of the resource, or `*` for an action without resources.
        boundary: the role's permissions boundary.
        context: condition keys of the request.
    """
    account_id, region = "111111111111", "ap-northeast-1"
    request = EvalContext(
        principal_arn=f"arn:aws:sts::{account_id}:assumed-role/role/session",
        principal_type="AssumedRole",
        principal_account=account_id,
        action=action,
        resource_arn=resource,
        region=region,
        service_context={key.lower(): value for key, value in (context or {}).items()},
    )
    limits = [[parse_policy_document(boundary)]] if boundary else []
    decision: str = evaluate(request, [parse_policy_document(policy)], *limits).decision
    return decision == "Allow"
