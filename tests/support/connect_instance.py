"""A Connect instance with flows, as stubbed boto3 clients. botocore validates requests and responses."""

from __future__ import annotations

import json
from typing import Any

import boto3
from botocore.stub import Stubber

INSTANCE = "00000000-0000-0000-0000-000000000000"
ARN = f"arn:aws:connect:ap-northeast-1:111111111111:instance/{INSTANCE}"
BOT = "arn:aws:lex:ap-northeast-1:111111111111:bot-alias/ABCDEFGHIJ/KLMNOPQRST"
FUNCTION = "arn:aws:lambda:ap-northeast-1:111111111111:function:look-up"


def identifier(number: int) -> str:
    return f"00000000-0000-0000-0000-{number:012}"


MENU, HOLD, MODULE, QUEUE, HOURS, PROMPT = map(identifier, range(1, 7))


def block(name: str, type_: str, parameters: dict[str, Any], next_: str | None = None) -> dict[str, Any]:
    errors = [] if next_ is None else [{"ErrorType": "NoMatchingError", "NextAction": next_}]
    transitions = {"NextAction": next_, "Errors": errors} if next_ else {}
    return {"Identifier": name, "Type": type_, "Parameters": parameters, "Transitions": transitions}


def flow(*blocks: dict[str, Any]) -> str:
    end = block("end", "DisconnectParticipant", {})
    return json.dumps(
        {"Version": "2019-10-30", "StartAction": blocks[0]["Identifier"], "Actions": [*blocks, end]}
    )


MENU_CONTENT = flow(
    block(
        "look-up",
        "InvokeLambdaFunction",
        {"LambdaFunctionARN": FUNCTION, "InvocationTimeLimitSeconds": "3"},
        "go",
    ),
    block("go", "UpdateContactTargetQueue", {"QueueId": f"{ARN}/queue/{QUEUE}"}, "module"),
    block("module", "InvokeFlowModule", {"FlowModuleId": MODULE}, "play"),
    block("play", "MessageParticipant", {"PromptId": f"{ARN}/prompt/{PROMPT}"}, "bot"),
    block(
        "bot",
        "UpdateContactEventHooks",
        {"EventHooks": {"CustomerQueue": f"{ARN}/contact-flow/{HOLD}"}, "Bot": BOT},
        "end",
    ),
)
MODULE_CONTENT = json.dumps(
    {
        **json.loads(
            flow(block("play", "MessageParticipant", {"PromptId": f"{ARN}/prompt/{PROMPT}"}, "end"))
        ),
        "Settings": {"InputParameters": [], "OutputParameters": [], "Transitions": []},
    }
).replace("DisconnectParticipant", "EndFlowModuleExecution")
HOLD_CONTENT = flow(block("wait", "MessageParticipantIteratively", {"Messages": [{"Text": "待って"}]}, "end"))


class Aws:
    """Stubbed clients of Connect and Lex."""

    def __init__(self) -> None:
        self.connect, self.lex = (
            boto3.client(service, "ap-northeast-1", aws_access_key_id="a", aws_secret_access_key="b")  # noqa: S106
            for service in ("connect", "lexv2-models")
        )
        self.stubs = {self.connect: Stubber(self.connect), self.lex: Stubber(self.lex)}
        for stub in self.stubs.values():
            stub.activate()

    @property
    def clients(self) -> dict[str, Any]:
        """The clients by service."""
        return {"connect": self.connect, "lexv2-models": self.lex}

    def answer(self, operation: str, response: dict[str, Any], **request: Any) -> None:
        """Expects a request to Connect."""
        self.stubs[self.connect].add_response(operation, response, {"InstanceId": INSTANCE, **request})

    def lists(self) -> None:
        """Expects the requests for the lists of flows, the first in two pages, and of modules."""
        one, two = (
            {"Id": id_, "Name": name, "ContactFlowType": type_, "ContactFlowState": state}
            for id_, name, type_, state in (
                (MENU, "Main menu", "CONTACT_FLOW", "ACTIVE"),
                (HOLD, "Hold", "CUSTOMER_HOLD", "ACTIVE"),
            )
        )
        old = {**one, "Id": identifier(9), "Name": "Old", "ContactFlowState": "ARCHIVED"}
        self.answer(
            "list_contact_flows", {"ContactFlowSummaryList": [one, old], "NextToken": "next"}, MaxResults=1000
        )
        self.answer(
            "list_contact_flows", {"ContactFlowSummaryList": [two]}, MaxResults=1000, NextToken="next"
        )
        modules = [{"Id": MODULE, "Name": "Balance", "State": "ACTIVE"}]
        self.answer(
            "list_contact_flow_modules",
            {"ContactFlowModulesSummaryList": modules},
            MaxResults=1000,
            ContactFlowModuleState="ACTIVE",
        )

    def resources(self) -> None:
        """Expects the requests for the names of resources."""
        for operation, member, id_, name, arguments in (
            ("list_queues", "QueueSummaryList", QUEUE, "Sales", {"QueueTypes": ["STANDARD"]}),
            ("list_hours_of_operations", "HoursOfOperationSummaryList", HOURS, "Weekdays", {}),
            ("list_prompts", "PromptSummaryList", PROMPT, "welcome.wav", {}),
        ):
            self.answer(operation, {member: [{"Id": id_, "Name": name}]}, MaxResults=1000, **arguments)
        self.stubs[self.lex].add_response("describe_bot", {"botName": "Orders"}, {"botId": "ABCDEFGHIJ"})

    def menu(self, content: str = MENU_CONTENT) -> None:
        """Expects the request for the main menu."""
        described = {
            "Id": MENU,
            "Name": "Main menu",
            "Type": "CONTACT_FLOW",
            "Description": "First",
            "Content": content,
            "Tags": {"team": "telephony", "aws:cloudformation:stack-name": "menus"},
        }
        self.answer("describe_contact_flow", {"ContactFlow": described}, ContactFlowId=MENU)

    def hold(self) -> None:
        """Expects the request for the hold flow."""
        described = {"Id": HOLD, "Name": "Hold", "Type": "CUSTOMER_HOLD", "Content": HOLD_CONTENT}
        self.answer("describe_contact_flow", {"ContactFlow": described}, ContactFlowId=HOLD)

    def module(self) -> None:
        """Expects the request for the module."""
        described = {
            "Id": MODULE,
            "Name": "Balance",
            "Description": "Plays the balance",
            "Content": MODULE_CONTENT,
            "Tags": {"team": "telephony"},
        }
        self.answer(
            "describe_contact_flow_module", {"ContactFlowModule": described}, ContactFlowModuleId=MODULE
        )

    def pulls_menu(self, content: str = MENU_CONTENT) -> None:
        """Expects all requests of `pull "Main menu"`."""
        self.lists()
        self.menu(content)
        if "arn:" in content:
            self.resources()
