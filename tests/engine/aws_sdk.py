"""Reads from pulumi_aws which outputs of a resource type AWS chooses, and which name the provider fills in."""

from __future__ import annotations

import inspect
from functools import cache
from typing import Any, get_args

import pulumi_aws

PLANNED = frozenset({"region", "tagsAll"})
"""Outputs whose values the provider itself knows: the region of the provider, and the tags of the resource."""


def _class(type_: str, ending: str = "") -> Any:
    """Returns the class of a type, or of its arguments. Returns None for types of other packages and former types."""
    package, module, name = type_.split(":")
    module = module.partition("/")[0]
    if package != "aws":
        return None
    found = (
        pulumi_aws if module == "index" else getattr(pulumi_aws, "lambda_" if module == "lambda" else module)
    )
    return getattr(found, f"{name}{ending}", None)


@cache
def automatic_name(type_: str) -> str | None:
    """Returns the input that the provider fills in with an automatic name."""
    if type_ in ("aws:s3/bucket:Bucket", "aws:s3/bucketV2:BucketV2"):
        return "bucket"
    class_ = _class(type_)
    return "name" if class_ and "name" in inspect.signature(class_._internal_init).parameters else None


@cache
def computed(type_: str) -> tuple[str, ...]:
    """Returns the outputs that a preview does not know, unless they are inputs.

    Pulumi's Terraform bridge makes the type of an output optional only if the program can omit it and AWS does not choose it.
    """
    class_ = _class(type_)
    if class_ is None:
        return ("id",)
    arguments = inspect.signature(_class(type_, "Args").__init__).parameters.values()
    required = {each.name for each in arguments if each.default is inspect.Parameter.empty}
    getters: dict[str, Any] = {
        name: each.fget for name, each in vars(class_).items() if isinstance(each, property)
    }
    found = {
        getter._pulumi_name
        for name, getter in getters.items()
        if name not in required and type(None) not in get_args(get_args(getter.__annotations__["return"])[0])
    }
    return ("id", *sorted(found - PLANNED))
