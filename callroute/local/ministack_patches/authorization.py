"""Authorizes requests with ministack's IAM evaluator if ministack does not authorize them itself."""

from __future__ import annotations

from ministack.core.iam_actions import identity_denial_message
from ministack.core.iam_evaluator import (
    EvalContext,
    PrincipalInfo,
    ResolvedCredential,
    combine_resource_policy,
    evaluate,
    resolve_principal,
)
from ministack.core.responses import get_region

from callroute.arn import Arn


def role_session(role_arn: str) -> PrincipalInfo:
    """Returns a session for a state machine's role, with the role's current policies and permissions boundary."""
    arn = Arn.parse(role_arn)
    session = ResolvedCredential(
        access_key_id="",
        secret_access_key="",
        account_id=arn.account_id,
        principal_arn=f"arn:aws:sts::{arn.account_id}:assumed-role/{arn.name}/state-machine",
        principal_id="",
        principal_type="AssumedRole",
    )
    return resolve_principal("", arn.account_id, session)


def denial(
    principal: PrincipalInfo,
    action: str,
    resource_arn: str,
    *,
    resource_policy: tuple[str, str] | None = None,
    keys: dict[str, str] | None = None,
) -> str:
    """Returns IAM's message if the principal is not allowed to perform an action, or an empty string if it is.

    Args:
        principal: the caller.
        action: IAM action, for example `sqs:SendMessage`.
        resource_arn: ARN of the resource, or `*` for an action without resources.
        resource_policy: resource-based policy and account of the resource.
        keys: condition keys of the request.
    """
    if principal.policies is None:  # the root principal
        return ""
    context = EvalContext(
        principal_arn=principal.arn,
        principal_type=principal.type,
        principal_account=principal.account,
        action=action,
        resource_arn=resource_arn,
        region=get_region(),
        service_context={name.lower(): value for name, value in (keys or {}).items()},
        principal_keys=principal.keys,
    )
    result = evaluate(context, principal.policies, *principal.limits)
    if resource_policy:
        result = combine_resource_policy(result, context, *resource_policy, limits=principal.limits)
    if result.decision == "Allow":
        return ""
    message: str = identity_denial_message(action, principal.arn, resource_arn, result.decision == "Deny")
    return message
