"""Lambda functions, and resources that call one."""

from __future__ import annotations

from tests.policies.edits import add, append, put
from tests.policies.mutations.case import Case, Cases
from tests.policies.mutations.connect_flows import add_module
from tests.policies.mutations.pipeline import EACH_CONTACT
from tests.policies.values import FLOW, FUNCTION_ARN, PIPE, RECORDER

CASES: Cases = {}

INSTANCE = "00000000-0000-0000-0000-000000000000"
INVOKE = {"Type": "Task", "Resource": "arn:aws:states:::lambda:invoke", "Arguments": {}, "End": True}

PARAMETER = {"parameterName": "LambdaArn", "parameterValue": f"{FUNCTION_ARN}:$LATEST"}
PROCESSING = {"enabled": True, "processors": [{"type": "Lambda", "parameters": [PARAMETER]}]}
PARAMETER_PATH = "extendedS3Configuration.processingConfiguration.processors[0].parameters[0].parameterValue"


def _lookup(following: str) -> dict[str, object]:
    """Block of a flow that calls a function."""
    return {
        "Identifier": "lookup",
        "Type": "InvokeLambdaFunction",
        "Parameters": {"LambdaFunctionARN": "$.Attributes.lookup", "InvocationTimeLimitSeconds": "3"},
        "Transitions": {
            "NextAction": following,
            "Errors": [{"NextAction": following, "ErrorType": "NoMatchingError"}],
        },
    }


PART = "must not be part of this stack, which does not use Lambda"
CALL = "must not invoke Lambda in {}"
CASES["no-lambda"] = {
    "a function": Case(PART, add("lambda.Function", runtime="python3.13", handler="main.handler")),
    "a state that calls a function": Case(
        CALL.format(f"{EACH_CONTACT}.Enrich.Resource: arn:aws:states:::lambda:invoke"),
        put(RECORDER, f"{EACH_CONTACT}.Enrich", INVOKE),
    ),
    "a function as enrichment": Case(
        CALL.format(f"enrichment: {FUNCTION_ARN}"), put(PIPE, "enrichment", FUNCTION_ARN)
    ),
    "a function as the pipe's target": Case(
        CALL.format(f"target: {FUNCTION_ARN}"), put(PIPE, "target", FUNCTION_ARN)
    ),
    "a function that flows may invoke": Case(
        PART, add("connect.LambdaFunctionAssociation", instanceId=INSTANCE, functionArn=FUNCTION_ARN)
    ),
    "a rule that calls a function": Case(
        CALL.format(f"arn: {FUNCTION_ARN}"), add("cloudwatch.EventTarget", rule="nightly", arn=FUNCTION_ARN)
    ),
    "a function that transforms records on their way to a bucket": Case(
        CALL.format(f"{PARAMETER_PATH}: {FUNCTION_ARN}:$LATEST"),
        add(
            "kinesis.FirehoseDeliveryStream",
            serverSideEncryption={"enabled": True},
            extendedS3Configuration={"processingConfiguration": PROCESSING},
        ),
    ),
    "a block of a flow that calls a function": Case(
        CALL.format("block 'lookup'"),
        append(FLOW, "content.Actions", _lookup("route-start")),
        put(FLOW, "content.StartAction", "lookup"),
    ),
    "a block of a module that calls a function": Case(
        CALL.format("block 'lookup'"), add_module(_lookup("end"))
    ),
}
