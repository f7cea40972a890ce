"""Reads flows and modules from a Connect instance, replacing references to resources with placeholders."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from botocore.exceptions import ClientError, ParamValidationError

from callroute.arn import Arn
from callroute.errors import InputError
from callroute.flows.block_types import MODULE
from callroute.flows.extraction import Resource, Template, extract

PAGE_SIZE = 1000
"""Entries per request, the maximum of Connect's list operations."""
INSTANCE_PAGE_SIZE = 10
"""Entries per request of ListInstances."""

_LISTS: tuple[tuple[str, str, str, Mapping[str, Any]], ...] = (
    ("list_queues", "QueueSummaryList", "Queue", {"QueueTypes": ["STANDARD"]}),
    ("list_hours_of_operations", "HoursOfOperationSummaryList", "HoursOfOperation", {}),
    ("list_prompts", "PromptSummaryList", "Prompt", {}),
)
"""List operations, each with the output member that contains the resources, their kind, and the arguments."""
_KINDS = {
    "queue": "Queue",
    "operating-hours": "HoursOfOperation",
    "prompt": "Prompt",
    "contact-flow": "Flow",
    "flow-module": "Module",
    "transfer-destination": "QuickConnect",
    "view": "View",
    "instance": "Instance",
    "bot": "Bot",
    "bot-alias": "Bot",
    "function": "Function",
}
"""Kinds of resource, keyed by the part of an ARN before the ID."""
_ID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")


@dataclass(frozen=True)
class ListedFlow:
    """An entry in an instance's list of flows and modules.

    Attributes:
        id: ID of the flow.
        name: name of the flow, unique among the flows or among the modules.
        type: type of the flow, or `MODULE`.
        stem: name of its file, without the suffix.
    """

    id: str
    name: str
    type: str
    stem: str


@dataclass(frozen=True)
class PulledFlow:
    """A flow read from Connect.

    Attributes:
        listed: its entry in the list.
        description: description of the flow.
        tags: tags of the flow, without those of AWS itself.
        template: content of the flow, with placeholders.
    """

    listed: ListedFlow
    description: str
    tags: Mapping[str, str]
    template: Template


def find_instance(connect: Any, instance: str) -> str:
    """Returns the ID of an instance.

    Args:
        connect: a boto3 client.
        instance: ID, ARN or alias of the instance.

    Raises:
        InputError: no instance has this alias.
    """
    identifier = instance.rpartition("/")[2]
    if _ID.fullmatch(identifier):
        return identifier
    pages = connect.get_paginator("list_instances").paginate(
        PaginationConfig={"PageSize": INSTANCE_PAGE_SIZE}
    )
    aliases = {
        each.get("InstanceAlias", ""): each["Id"] for page in pages for each in page["InstanceSummaryList"]
    }
    if instance not in aliases:
        known = ", ".join(sorted(filter(None, aliases))) or "none"
        problem = f"no instance has the alias {instance!r} in this region"
        raise InputError("--instance", "", problem, f"Use an ID or one of these aliases: {known}")
    return str(aliases[instance])


@dataclass(frozen=True)
class Instance:
    """A Connect instance.

    Attributes:
        connect: a boto3 client.
        id: ID of the instance.
        lex: creates a boto3 Lex client for a region.
        notes: remarks about resources whose names could not be read.
    """

    connect: Any
    id: str
    lex: Callable[[str], Any]
    notes: list[str] = field(default_factory=list)

    @cached_property
    def flows(self) -> Sequence[ListedFlow]:
        """All active flows and modules."""
        listed = [
            (each["Id"], each["Name"], each["ContactFlowType"])
            for each in self._list("list_contact_flows", "ContactFlowSummaryList")
            if each.get("ContactFlowState") != "ARCHIVED"
        ]
        modules = self._list(
            "list_contact_flow_modules", "ContactFlowModulesSummaryList", ContactFlowModuleState="ACTIVE"
        )
        listed += [(each["Id"], each["Name"], MODULE) for each in modules]
        stems = Counter(_stem(name) for _, name, _ in listed)
        return [
            ListedFlow(
                identifier,
                name,
                type_,
                _stem(name)
                if stems[_stem(name)] == 1 and _stem(name)
                else f"{_stem(name)}_{identifier[:8]}".strip("_"),
            )
            for identifier, name, type_ in listed
        ]

    def select(self, names: Collection[str]) -> list[ListedFlow]:
        """Returns the flows and modules with these names, or all of them if no name is given.

        Raises:
            InputError: the instance has no flow with one of the names.
        """
        known = {each.name for each in self.flows}
        for name in names:
            if name not in known:
                problem = f"the instance has no flow or module {name!r}"
                raise InputError("NAME", "", problem, "`callroute pull --list` prints the names")
        return [each for each in self.flows if not names or each.name in names]

    def pull(self, flow: ListedFlow, known_names: Mapping[str, str] | None = None) -> PulledFlow:
        """Reads one flow.

        Args:
            flow: the flow to read.
            known_names: placeholder names to use, keyed by value.

        Raises:
            InputError: the flow has never been published, or its content cannot be used.
        """
        if flow.type == MODULE:
            response = self.connect.describe_contact_flow_module(
                InstanceId=self.id, ContactFlowModuleId=flow.id
            )["ContactFlowModule"]
        else:
            try:
                response = self.connect.describe_contact_flow(InstanceId=self.id, ContactFlowId=flow.id)[
                    "ContactFlow"
                ]
            except self.connect.exceptions.ContactFlowNotPublishedException as error:
                problem = "the flow has never been published"
                raise InputError(flow.name, "", problem, "Publish it in Connect") from error
        template = extract(response["Content"], flow.name, self._resource, known_names)
        tags = {key: value for key, value in response.get("Tags", {}).items() if not key.startswith("aws:")}
        return PulledFlow(flow, response.get("Description", ""), tags, template)

    def _list(self, operation: str, member: str, **arguments: Any) -> Iterator[Mapping[str, Any]]:
        pages = self.connect.get_paginator(operation).paginate(
            InstanceId=self.id, PaginationConfig={"PageSize": PAGE_SIZE}, **arguments
        )
        for page in pages:
            yield from page[member]

    @cached_property
    def _resources(self) -> Mapping[str, Resource]:
        """The instance's resources, keyed by ID."""
        found = {
            each["Id"]: Resource(kind, each["Name"])
            for operation, member, kind, arguments in _LISTS
            for each in self._list(operation, member, **arguments)
        }
        flows = {
            each.id: Resource("Module" if each.type == MODULE else "Flow", each.name) for each in self.flows
        }
        return {self.id: Resource("Instance", ""), **flows, **found}

    def _resource(self, text: str) -> Resource | None:
        if not text.startswith("arn:"):
            return self._resources.get(text) if _ID.fullmatch(text) else None
        arn = Arn.parse(text)
        parts = arn.resource.replace(":", "/").split("/")
        if arn.service == "connect":
            return next(
                (self._resources[part] for part in parts[:1:-1] if part in self._resources),
                Resource(_KINDS.get(parts[2] if len(parts) > 2 else parts[0], "Resource"), ""),
            )
        kind = _KINDS.get(parts[0], "Resource")
        name = parts[1] if kind in ("Bot", "Function") and len(parts) > 1 else ""
        if name and "/" in arn.resource:  # Lex V2; the ARNs of V1 and of Lambda contain colons and names
            name = self._bot_name(arn, name)
        return Resource(kind, name)

    def _bot_name(self, arn: Arn, identifier: str) -> str:
        """Returns the name of a Lex bot, or an empty string if it cannot be read."""
        if identifier not in self._bots:
            try:
                name = self.lex(arn.region).describe_bot(botId=identifier)["botName"]
            except (ClientError, ParamValidationError) as error:
                code = error.response["Error"]["Code"] if isinstance(error, ClientError) else "invalid ID"
                self.notes.append(f"the name of Lex bot {identifier} cannot be read ({code})")
                name = ""
            self._bots[identifier] = name
        return self._bots[identifier]

    @cached_property
    def _bots(self) -> dict[str, str]:
        return {}


def _stem(name: str) -> str:
    """Returns the file name for a flow's name: `main_menu` for `Main menu`."""
    return re.sub(r"\W+", "_", unicodedata.normalize("NFKC", name)).strip("_").lower()
