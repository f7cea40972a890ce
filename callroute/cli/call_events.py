"""Describes the events of a call, one line per event."""

from __future__ import annotations

import json
from datetime import datetime

from callroute.cli import output
from callroute.flows import simulation

LABEL_WIDTH = 11
TEXT_COLUMN = 8 + LABEL_WIDTH


def write_event(event: simulation.Event, start: datetime, *, error: bool = False) -> None:
    """Writes an event as a line: minutes and seconds since the call began, a label and a text.

    Args:
        event: the event.
        start: time at which the call began.
        error: write to standard error instead of standard output.
    """
    elapsed = int((event.at - start).total_seconds())
    label, text, style = describe(event)
    output.write(
        (f"{elapsed // 60:>3}:{elapsed % 60:02}  ", "dim"),
        (f"{label:<{LABEL_WIDTH}}", f"bold {style}"),
        (text, style),
        error=error,
        indent=TEXT_COLUMN,
    )


def describe(event: simulation.Event) -> tuple[str, str, str]:
    """Returns label, text and style of an event."""
    match event:
        case simulation.Said():
            return "says", event.text, ""
        case simulation.InputAsked():
            return "asks", f"{event.text}  (up to {event.digits} digits, {event.seconds:g} s)", ""
        case simulation.MenuOffered():
            return "asks", f"{event.text}  (keys {' '.join(event.keys)}, {event.seconds:g} s)", ""
        case simulation.Pressed():
            return "key", event.key if event.accepted else f"{event.key} (not offered)", "cyan"
        case simulation.TimedOut():
            return "silence", "the caller presses nothing", "cyan"
        case simulation.AttributesSet():
            return "sets", ", ".join(f"{name} = {value}" for name, value in event.attributes.items()), "green"
        case simulation.LoopPassed():
            iteration = "done" if event.done else f"iteration {event.passes} of {event.count}"
            return "loop", f"{event.block}: {iteration}", "dim"
        case simulation.HoursChecked():
            return "hours", "open" if event.open else "closed", "yellow"
        case simulation.Queued():
            return "queue", f"the caller waits in {event.queue}", "yellow"
        case simulation.QueueRefused():
            return "queue", f"the queue does not accept the caller ({event.error})", "yellow"
        case simulation.AgentConnected():
            return "agent", f"an agent answers after {event.waited_seconds:g} s", "yellow"
        case simulation.Ended():
            return "end", f"{_ENDINGS[event.during]} ({event.reason})", "magenta"
        case simulation.QueueChosen():
            return "settings", f"queue {event.queue}", "dim"
        case simulation.VoiceChanged():
            return "settings", f"voice {event.voice} ({event.engine.lower()})", "dim"
        case simulation.BotAsked():
            return "bot asks", event.text, ""
        case simulation.BotUnderstood():
            return "bot", f"recognizes {event.intent}", "cyan"
        case simulation.InputStored():
            return "input", event.digits, "cyan"
        case simulation.FlowAttributesSet():
            pairs = ", ".join(f"{name} = {value}" for name, value in event.attributes.items())
            return "flow sets", pairs, "dim"
        case simulation.Compared():
            outcome = f"is {event.value!r}: {event.branch or 'no match'}"
            return "compares", f"{event.subject} {outcome}", "dim"
        case simulation.Fetched():
            return "fetches", f"{event.subject}: {json.dumps(event.values, ensure_ascii=False)}", "yellow"
        case simulation.NoEffect():
            return "settings", event.type, "dim"
        case simulation.Failed():
            return "fails", f"{event.block} fails with {event.error}", "red"
        case simulation.FlowEntered():
            return "flow", f"continues in {event.flow}", "dim"
        case simulation.FlowLeft():
            return "flow", "returns to the previous flow", "dim"
        case simulation.Waited():
            return "waits", f"{event.seconds:g} s", "dim"
        case simulation.CallbackCreated():
            return "callback", f"{event.number} is called back from {event.queue or 'no queue'}", "yellow"
        case simulation.Transferred():
            return "transfer", f"to {event.queue} as a new contact ({event.method})", "yellow"
        case simulation.ThirdPartyConnected():
            return "transfer", f"{event.number or 'a third party'} answers", "yellow"
        case simulation.LoggingChanged():
            return "settings", f"logging {'on' if event.enabled else 'off'}", "dim"
    raise AssertionError(f"no description of {type(event).__name__}")


_ENDINGS = {
    "message": "the caller hangs up during a message",
    "menu": "the caller hangs up at a menu",
    "queue": "the caller gives up waiting and hangs up",
    "input": "the caller hangs up while entering digits",
    "bot": "the caller hangs up while talking to a bot",
    "third party": "the conversation with the third party ends",
    "another flow": "the call continues in another flow, which is not simulated",
    "conversation": "the conversation with the agent ends",
    "flow": "the flow ends the call",
    "step limit": f"stopped after {simulation.STEP_LIMIT:,} blocks, because this call would never end",
}
