"""Checks permissions on the customer managed key of a table, stream or queue.

ministack stores the key of a resource but does not use it. When it allows one of the calls below, this patch also
checks the caller's permissions on the key. The key does not have to exist, and its key policy is ignored.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ministack.core.iam_evaluator import AuthError, PrincipalInfo, resolve_principal
from ministack.core.responses import get_account_id
from ministack.services.dynamodb import _tables
from ministack.services.kinesis import _resolve_stream_by_arn
from ministack.services.sqs import _queue_by_arn

from callroute.arn import Arn
from callroute.local.ministack_patches.authorization import denial

KEY_ACTIONS = {
    "dynamodb:Query": ("kms:Decrypt", "kms:DescribeKey"),
    "dynamodb:UpdateItem": ("kms:Decrypt", "kms:DescribeKey"),
    "kinesis:GetRecords": ("kms:Decrypt",),
    "sqs:ReceiveMessage": ("kms:Decrypt",),
    "sqs:SendMessage": ("kms:GenerateDataKey", "kms:Decrypt"),
}
"""KMS actions that a call needs on the customer managed key. docs/fidelity.md lists the evidence.

Listed here instead of derived from callroute.aws.permissions, so that the granted permissions are verified independently.
"""

ERROR_CODES = {
    "dynamodb": "AccessDeniedException",
    "kinesis": "KMSAccessDeniedException",
    "sqs": "KmsAccessDenied",
}
"""Error code that each service returns if the caller is not allowed to use the key."""


def enforce_key_permissions(enforce: Callable[..., Any]) -> Callable[..., Any]:
    """Checks the caller's permissions on the customer managed key after those on the resource."""

    def enforce_request_and_key(
        access_key_id: str,
        iam_action: str,
        service: str,
        region: str,
        resource_arn: str = "*",
        service_context: dict[str, Any] | None = None,
    ) -> Any:
        denied = enforce(access_key_id, iam_action, service, region, resource_arn, service_context)
        if denied is None and _customer_key(iam_action, resource_arn):
            caller = resolve_principal(access_key_id, get_account_id())
            if message := key_denial(caller, iam_action, resource_arn):
                # AuthError is the only result whose error code can be chosen.
                return AuthError(ERROR_CODES[service], message)
        return denied

    return enforce_request_and_key


def key_denial(caller: PrincipalInfo, action: str, resource_arn: str) -> str:
    """Returns IAM's message if the caller is not allowed to use the customer managed key that a call needs.

    Returns an empty string if the caller is allowed to use it or the call needs none.

    Args:
        caller: the caller.
        action: IAM action of the call, for example `sqs:SendMessage`.
        resource_arn: ARN of the table, stream or queue.
    """
    key = _customer_key(action, resource_arn)
    if not key:
        return ""
    arn = Arn.parse(resource_arn)
    through = {"kms:ViaService": f"{arn.service}.{arn.region}.amazonaws.com"}
    denials = (denial(caller, key_action, key, keys=through) for key_action in KEY_ACTIONS[action])
    return next(filter(None, denials), "")


def _customer_key(action: str, resource_arn: str) -> str:
    """Returns the ARN of the customer managed key that a call needs, or an empty string."""
    if action not in KEY_ACTIONS:
        return ""
    service = action.partition(":")[0]
    key: str | None
    if service == "dynamodb":
        name = resource_arn.partition("/")[2].partition("/index/")[0]
        table = _tables.get(name) or {}
        key = (table.get("SSEDescription") or {}).get("KMSMasterKeyArn")
    elif service == "kinesis":
        key = (_resolve_stream_by_arn(resource_arn) or {}).get("KeyId")
    else:
        key = (_queue_by_arn(resource_arn) or {}).get("attributes", {}).get("KmsMasterKeyId")
    # Any caller of a service can use its AWS managed key, `alias/aws/…`.
    return "" if key is None or "alias/aws/" in key else key
