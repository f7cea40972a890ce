"""Describes call events in a few words."""

from __future__ import annotations

import json
from collections.abc import Mapping

from callroute.flows.simulation import STEP_LIMIT, events


def describe(event: events.Event) -> tuple[str, str, str]:
    """Returns the label, text and style of an event. The style is a color or `dim`, as in Rich."""
    match event:
        case events.Said():
            return "says", event.text, ""
        case events.InputAsked():
            return "asks", f"{event.text}  (up to {event.digits} digits, {event.seconds:g} s)", ""
        case events.MenuOffered():
            return "asks", f"{event.text}  (keys {' '.join(event.keys)}, {event.seconds:g} s)", ""
        case events.Pressed():
            return "key", event.key if event.accepted else f"{event.key} (not offered)", "cyan"
        case events.KeyIgnored():
            return "key", f"{event.key} has no effect: the message in {event.block!r} accepts no keys", "cyan"
        case events.KeyBuffered():
            return "key", f"{event.key} is kept for the next prompt that waits for a key", "cyan"
        case events.TimedOut():
            return "silence", "the caller presses nothing", "cyan"
        case events.AttributesSet():
            return "sets", _pairs(event.attributes), "green"
        case events.LoopPassed():
            iteration = "done" if event.done else f"iteration {event.passes} of {event.count}"
            return "loop", f"{event.block}: {iteration}", "dim"
        case events.HoursChecked():
            return "hours", "open" if event.open else "closed", "yellow"
        case events.Queued():
            return "queue", f"the caller waits in {event.queue}", "yellow"
        case events.QueueRefused():
            return "queue", f"the queue does not accept the caller ({event.error})", "yellow"
        case events.AgentConnected():
            return "agent", f"an agent answers after {event.waited_seconds:g} s", "yellow"
        case events.Ended():
            return "end", f"{_ENDINGS[event.during]} ({event.reason})", "magenta"
        case events.QueueChosen():
            return "settings", f"queue {event.queue}", "dim"
        case events.VoiceChanged():
            return "settings", f"voice {event.voice} ({event.engine.lower()})", "dim"
        case events.BotAsked():
            return "bot asks", event.text, ""
        case events.BotUnderstood():
            return "bot", f"recognizes {event.intent}", "cyan"
        case events.InputStored():
            return "input", event.digits, "cyan"
        case events.FlowAttributesSet():
            return "flow sets", _pairs(event.attributes), "dim"
        case events.Compared():
            outcome = f"is {event.value!r}: {event.branch or 'no match'}"
            return "compares", f"{event.subject} {outcome}", "dim"
        case events.Fetched():
            return "fetches", f"{event.subject}: {json.dumps(event.values, ensure_ascii=False)}", "yellow"
        case events.NoEffect():
            return "settings", event.type, "dim"
        case events.Failed():
            return "fails", f"{event.block} fails with {event.error}", "red"
        case events.FlowEntered():
            return "flow", f"continues in {event.flow}", "dim"
        case events.FlowLeft():
            return "flow", "returns to the previous flow", "dim"
        case events.Waited():
            return "waits", f"{event.seconds:g} s", "dim"
        case events.CallbackCreated():
            return "callback", f"{event.number} is called back from {event.queue or 'no queue'}", "yellow"
        case events.Transferred():
            return "transfer", f"to {event.queue} as a new contact ({event.method})", "yellow"
        case events.ThirdPartyConnected():
            return "transfer", f"{event.number or 'a third party'} answers", "yellow"
        case events.LoggingChanged():
            return "settings", f"logging {'on' if event.enabled else 'off'}", "dim"
    raise AssertionError(f"no description of {type(event).__name__}")


def _pairs(attributes: Mapping[str, str]) -> str:
    return ", ".join(f"{name} = {value}" for name, value in attributes.items())


_ENDINGS = {
    "message": "the caller hangs up during a message",
    "menu": "the caller hangs up at a menu",
    "queue": "the caller gives up waiting and hangs up",
    "hold": "the caller hangs up while on hold",
    "input": "the caller hangs up while entering digits",
    "bot": "the caller hangs up while talking to a bot",
    "third party": "the conversation with the third party ends",
    "another flow": "the call continues in another flow, which is not simulated",
    "conversation": "the conversation with the agent ends",
    "flow": "the flow ends the call",
    "step limit": f"stopped after {STEP_LIMIT:,} blocks, because this call would never end",
}
