"""Resources that the rules cannot inspect."""

from __future__ import annotations

from typing import Any

from tests.policies.edits import add
from tests.policies.mutations.case import Cases, table

TEMPLATE = "https://templates.example.com/roles.yaml"
TYPES: dict[str, dict[str, Any]] = {
    "aws-native:iam:Role": {"managedPolicyArns": []},
    "aws:cloudcontrol/resource:Resource": {"typeName": "AWS::IAM::Role", "desiredState": "{}"},
    "aws:index/iamRole:IamRole": {"managedPolicyArns": []},
    "calls:tf:aws_iam_role": {"name": "calls"},
    "aws:cloudformation/stack:Stack": {"templateUrl": TEMPLATE},
    "pulumi-python:dynamic:Resource": {},
}
MESSAGE = "must be a type of resource that the rules can inspect, not {}"
CASES: Cases = {
    "resources-are-inspectable": table(
        MESSAGE, *((type_, type_, add(type_, **inputs)) for type_, inputs in TYPES.items())
    )
}
