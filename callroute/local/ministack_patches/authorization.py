"""IAM's judgement, for what ministack does not judge by itself."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from types import ModuleType
from typing import Any

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


class UnknownInsidesError(Exception):
    """ministack is not as these modules know it."""


def insides(module: ModuleType | type, name: str, *parameters: str) -> Callable[..., Any]:
    """A function of ministack that is about to be replaced.

    Args:
        module: the module or class where it is.
        name: of the function.
        parameters: the names of all that it takes.

    Raises:
        UnknownInsidesError: there is no such function.
    """
    found: Callable[..., Any] | None = getattr(module, name, None)
    if found is None or tuple(inspect.signature(found).parameters) != parameters:
        raise UnknownInsidesError(
            f"{module.__name__} has no {name}({', '.join(parameters)}): "
            f"look at what this release has instead, and mend {__package__}"
        )
    return found


def session_of(role_arn: str) -> PrincipalInfo:
    """A state machine that acts in its role, with the policies and the boundary which that has now."""
    account_id, role = role_arn.split(":")[4], role_arn.rpartition("/")[2]
    session = ResolvedCredential(
        access_key_id="",
        secret_access_key="",
        account_id=account_id,
        principal_arn=f"arn:aws:sts::{account_id}:assumed-role/{role}/state-machine",
        principal_id="",
        principal_type="AssumedRole",
    )
    return resolve_principal("", account_id, session)


def refusal(
    principal: PrincipalInfo,
    action: str,
    resource_arn: str,
    *,
    resource_policy: tuple[str, str] | None = None,
    keys: dict[str, str] | None = None,
) -> str:
    """Why somebody may not do something, in IAM's words; empty where they may.

    Args:
        principal: who.
        action: as `sqs:SendMessage`.
        resource_arn: `*` for an action that knows none.
        resource_policy: the resource's own policy and the account that it belongs to.
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
