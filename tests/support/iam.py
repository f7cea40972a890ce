"""IAM's judgement of a policy document, with condition keys, without a call: by the emulator's evaluator.

SimulateCustomPolicy of the emulator is the same evaluator, but leaves out the condition keys that it is given.
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
    """Whether a role with this policy, within this permissions boundary, may do it.

    Args:
        policy: the role's only policy.
        action: as `sqs:SendMessage`.
        resource: an ARN; `*` for an action that knows none.
        boundary: the policy that is the role's permissions boundary.
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
