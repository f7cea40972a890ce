"""Resources that the rules cannot inspect."""

from __future__ import annotations

from typing import Any

from tests.policies.edits import add
from tests.policies.mutations.case import Case, Cases

CASES: Cases = {}


def _hidden(type_: str, **inputs: Any) -> Case:
    return Case(f"must be a type of resource that the rules can inspect, not {type_}", add(type_, **inputs))


CASES["resources-are-inspectable"] = {
    "a role made by another provider": _hidden("aws-native:iam:Role", managedPolicyArns=[]),
    "a resource made through Cloud Control": _hidden(
        "aws:cloudcontrol/resource:Resource", typeName="AWS::IAM::Role", desiredState="{}"
    ),
    "a role made by Terraform's AWS provider": _hidden("aws:index/iamRole:IamRole", managedPolicyArns=[]),
    "a resource of a Terraform module": _hidden("calls:tf:aws_iam_role", name="calls"),
    "a CloudFormation stack": _hidden(
        "aws:cloudformation/stack:Stack", templateUrl="https://templates.example.com/roles.yaml"
    ),
    "a resource that runs code": _hidden("pulumi-python:dynamic:Resource"),
}
