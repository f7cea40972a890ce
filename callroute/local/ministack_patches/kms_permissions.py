"""Who calls a table, a stream or a queue with a customer key needs permissions on that key too.

ministack's tables, streams and queues remember their key and do not use it. Here each of the calls below is judged once
more, after it was allowed itself, on that key. Only the caller's side is: the key need not exist, nor does its policy count.
"""

from __future__ import annotations

from typing import Any

from ministack.core import iam_evaluator
from ministack.core.iam_evaluator import AuthError, PrincipalInfo, resolve_principal
from ministack.core.responses import get_account_id
from ministack.services.dynamodb import _tables
from ministack.services.kinesis import _resolve_stream_by_arn
from ministack.services.sqs import _queue_by_arn

from callroute.local.ministack_patches.authorization import insides, refusal

NEEDED = {
    "dynamodb:UpdateItem": ("kms:Decrypt", "kms:DescribeKey"),
    "kinesis:GetRecords": ("kms:Decrypt",),
    "sqs:SendMessage": ("kms:GenerateDataKey", "kms:Decrypt"),
}
"""Call -> what its caller does with the customer key. docs/fidelity.md has the evidence.

Said here once more and not taken from the documents of the stack: what the roles are granted is held to it.
"""

REFUSED = {
    "dynamodb": "AccessDeniedException",
    "kinesis": "KMSAccessDeniedException",
    "sqs": "KmsAccessDenied",
}
"""Service -> the code of its error when the caller may not use the key."""


def enforce() -> None:
    """From now on every request in this process that needs a customer key needs the caller's permission to use it.

    Raises:
        UnknownInsidesError: ministack judges requests in another way.
    """
    enforce_request = insides(
        iam_evaluator,
        "enforce",
        *("access_key_id", "iam_action", "service", "region", "resource_arn", "service_context"),
    )

    def enforce_key_too(
        access_key_id: str,
        iam_action: str,
        service: str,
        region: str,
        resource_arn: str = "*",
        service_context: dict[str, Any] | None = None,
    ) -> Any:
        denied = enforce_request(access_key_id, iam_action, service, region, resource_arn, service_context)
        if denied is None and _customer_key(iam_action, resource_arn):
            caller = resolve_principal(access_key_id, get_account_id())
            if message := key_refusal(caller, iam_action, resource_arn):
                return AuthError(
                    REFUSED[service], message
                )  # the one that is answered with a code of our choice
        return denied

    iam_evaluator.enforce = enforce_key_too


def key_refusal(caller: PrincipalInfo, action: str, resource_arn: str) -> str:
    """Why a caller may not use the customer key that a call needs; empty where they may, or where it needs none.

    Args:
        caller: who.
        action: of the call, as `sqs:SendMessage`.
        resource_arn: the table, stream or queue.
    """
    key = _customer_key(action, resource_arn)
    if not key:
        return ""
    service, region = resource_arn.split(":")[2:4]
    through = {"kms:ViaService": f"{service}.{region}.amazonaws.com"}
    refusals = (refusal(caller, use, key, keys=through) for use in NEEDED[action])
    return next(filter(None, refusals), "")


def _customer_key(action: str, resource_arn: str) -> str:
    """ARN of the customer key which a call needs; empty where it needs none."""
    if action not in NEEDED:
        return ""
    service = action.partition(":")[0]
    key: str | None
    if service == "dynamodb":
        table = _tables.get(resource_arn.rpartition("/")[2]) or {}
        key = (table.get("SSEDescription") or {}).get("KMSMasterKeyArn")
    elif service == "kinesis":
        key = (_resolve_stream_by_arn(resource_arn) or {}).get("KeyId")
    else:
        key = (_queue_by_arn(resource_arn) or {}).get("attributes", {}).get("KmsMasterKeyId")
    # The keys that AWS manages, `alias/aws/…`, can be used by whoever may use the service.
    return "" if key is None or "alias/aws/" in key else key
