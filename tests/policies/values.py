"""Names and ARNs of the stack `prod`, and policy documents to put into it."""

from __future__ import annotations

import json
import re
from typing import Any

from policy_sentry.querying.actions import get_action_data

STACK = "prod"
TRACKER = "call-route-tracker"
TAGS = {"project": TRACKER, "stack": STACK}


class Name(str):
    """Logical name of a resource that has an ARN."""

    arn: str

    def __new__(cls, name: str, arn: str) -> Name:
        named = super().__new__(cls, name)
        named.arn = arn
        return named


def arn(service: str, resource: str) -> str:
    """ARN of a resource in the region and the account of the stack."""
    return f"arn:aws:{service}:ap-northeast-1:111111111111:{resource}"


def managed(name: str) -> str:
    """ARN of an AWS managed policy."""
    return f"arn:aws:iam::aws:policy/{name}"


TABLE = Name(f"{TRACKER}-table", arn("dynamodb", "table/call-records"))
STREAM = Name(f"{TRACKER}-stream", arn("kinesis", f"stream/{TRACKER}-stream-0000000"))
QUARANTINE = Name(f"{TRACKER}-quarantine", arn("sqs", f"{TRACKER}-quarantine-0000000"))
RECORDER = Name(f"{TRACKER}-recorder", arn("states", f"stateMachine:{TRACKER}-prod"))
RECORDER_ROLE = Name(f"{RECORDER}-role", f"arn:aws:iam::111111111111:role/{RECORDER}-role-0000000")
RECORDER_POLICY = f"{RECORDER}-policy"
RECORDER_LOGS = f"{RECORDER}-logs"
PIPE = Name(f"{TRACKER}-pipe", arn("pipes", f"pipe/{TRACKER}-prod"))
PIPE_ROLE = Name(f"{PIPE}-role", f"arn:aws:iam::111111111111:role/{PIPE}-role-0000000")
PIPE_POLICY = f"{PIPE}-policy"
PIPE_LOGS = Name(f"{PIPE}-logs", arn("logs", f"log-group:/aws/vendedlogs/pipes/{TRACKER}-prod"))
DEAD_LETTERS = Name(f"{PIPE}-dead-letters", arn("sqs", f"{PIPE}-dead-letters-0000000"))
CONTACT_RECORDS = f"{TRACKER}-contact-records"
FLOW = f"{TRACKER}-call-route-with-operator"

# What the stack does not hold.
KEY_ARN = arn("kms", "key/00000000-0000-0000-0000-000000000001")
OTHER_KEY_ARN = arn("kms", "key/00000000-0000-0000-0000-000000000002")
TOPIC_ARN = arn("sns", "calls")
FUNCTION_ARN = arn("lambda", "function:enrich")
USER_ARN = "arn:aws:iam::111111111111:user/operator"

OWN_ACCOUNT = {"AWS": "arn:aws:iam::111111111111:root"}
OTHER_ACCOUNT = {"AWS": "222222222222"}


def document(statement: Any) -> str:
    """Policy document with a statement, or with a list of them."""
    return json.dumps({"Version": "2012-10-17", "Statement": statement})


def policy(*actions: str, resource: str | None = None) -> str:
    """Identity policy with one statement, by default for resources to which its actions apply."""
    resources = resource or sorted({_example_arn(action) for action in actions})
    return document({"Sid": "Added", "Effect": "Allow", "Action": list(actions), "Resource": resources})


def _example_arn(action: str) -> str:
    service, _, name = action.lower().partition(":")
    format_ = get_action_data(service, name)[service][0]["resource_arn_format"]
    for variable, value in (("Partition", "aws"), ("Region", "ap-northeast-1"), ("Account", "111111111111")):
        format_ = format_.replace(f"${{{variable}}}", value)
    return re.sub(r"\$\{.*?\}", "added", format_)


def open_to(principal: Any, action: str, resource: str, **elements: Any) -> str:
    """Resource policy with one statement."""
    allowed = {"Effect": "Allow", "Principal": principal, "Action": action, "Resource": resource}
    return document([{**allowed, **elements}])
