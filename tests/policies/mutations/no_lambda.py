"""Lambda functions, and resources that call one."""

from __future__ import annotations

from tests.policies import values as v
from tests.policies.edits import add, append, put
from tests.policies.mutations.case import Cases, table
from tests.policies.mutations.connect_flows import add_module
from tests.policies.mutations.pipeline import EACH_CONTACT

INSTANCE = "00000000-0000-0000-0000-000000000000"
INVOKE = {"Type": "Task", "Resource": "arn:aws:states:::lambda:invoke", "Arguments": {}, "End": True}
FUNCTION = v.FUNCTION_ARN

PARAMETER = {"parameterName": "LambdaArn", "parameterValue": f"{FUNCTION}:$LATEST"}
PROCESSING = {"enabled": True, "processors": [{"type": "Lambda", "parameters": [PARAMETER]}]}
FIREHOSE = {"processingConfiguration": PROCESSING}
PARAMETER_PATH = "extendedS3Configuration.processingConfiguration.processors[0].parameters[0].parameterValue"


def _lookup(following: str) -> dict[str, object]:
    """Returns a block of a flow that calls a function."""
    return {
        "Identifier": "lookup",
        "Type": "InvokeLambdaFunction",
        "Parameters": {"LambdaFunctionARN": "$.Attributes.lookup", "InvocationTimeLimitSeconds": "3"},
        "Transitions": {
            "NextAction": following,
            "Errors": [{"NextAction": following, "ErrorType": "NoMatchingError"}],
        },
    }


ADD_LOOKUP = append(v.FLOW, "content.Actions", _lookup("route-start"))
ASSOCIATION = add("connect.LambdaFunctionAssociation", instanceId=INSTANCE, functionArn=FUNCTION)
DELIVERY = add(
    "kinesis.FirehoseDeliveryStream",
    serverSideEncryption={"enabled": True},
    extendedS3Configuration=FIREHOSE,
)
STATE = f"{EACH_CONTACT}.Enrich"
# fmt: off
CASES: Cases = {
    "no-lambda": {
        **table(
            "must not be part of this stack, which does not use Lambda",
            ("a function", (), add("lambda.Function", runtime="python3.13", handler="main.handler")),
            ("a function that flows may invoke", (), ASSOCIATION),
        ),
        **table(
            "must not invoke Lambda in {}",
            ("a state", f"{STATE}.Resource: arn:aws:states:::lambda:invoke", put(v.RECORDER, STATE, INVOKE)),
            ("an enrichment", f"enrichment: {FUNCTION}", put(v.PIPE, "enrichment", FUNCTION)),
            ("the target of a pipe", f"target: {FUNCTION}", put(v.PIPE, "target", FUNCTION)),
            ("a rule", f"arn: {FUNCTION}", add("cloudwatch.EventTarget", rule="nightly", arn=FUNCTION)),
            ("a delivery stream", f"{PARAMETER_PATH}: {FUNCTION}:$LATEST", DELIVERY),
            ("a flow", "block 'lookup'", ADD_LOOKUP, put(v.FLOW, "content.StartAction", "lookup")),
            ("a flow module", "block 'lookup'", add_module(_lookup("end"))),
        ),
    }
}
