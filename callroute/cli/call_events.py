"""How the events of a call read, a line each."""

from __future__ import annotations

import json
from datetime import datetime

from rich.text import Text

from callroute.flows.simulation import STEP_LIMIT, events


def line_of(event: events.Event, start: datetime) -> Text:
    """An event as a line: minutes and seconds into the call, a word at the margin, a text."""
    elapsed = int((event.at - start).total_seconds())
    mark, text, style = _words(event)
    return Text.assemble(
        (f"{elapsed // 60:>3}:{elapsed % 60:02}  ", "dim"), (f"{mark:<9}", f"bold {style}"), (text, style)
    )


def _words(event: events.Event) -> tuple[str, str, str]:
    """How an event reads: a word at the margin, a text, a style."""
    match event:
        case events.Said():
            return "says", event.text, ""
        case events.InputAsked():
            return "asks", f"{event.text}  (up to {event.digits} digits; {event.seconds:g} s)", ""
        case events.MenuOffered():
            return "asks", f"{event.text}  ({' '.join(event.keys)}; {event.seconds:g} s)", ""
        case events.Pressed():
            return "key", event.key if event.accepted else f"{event.key} (not offered)", "cyan"
        case events.KeyIgnored():
            return "key", f"{event.key} has no effect: the message in {event.block!r} accepts no keys", "cyan"
        case events.KeyBuffered():
            return "key", f"{event.key} is kept for the next prompt that waits for a key", "cyan"
        case events.TimedOut():
            return "silence", "the caller presses nothing", "cyan"
        case events.AttributesSet():
            return "sets", ", ".join(f"{name} = {value}" for name, value in event.attributes.items()), "green"
        case events.LoopPassed():
            turns = "no turn is left" if event.done else f"turn {event.passes} of {event.count}"
            return "loop", f"{event.block}: {turns}", "dim"
        case events.HoursChecked():
            return "hours", "open" if event.open else "closed", "yellow"
        case events.Queued():
            return "queue", f"the caller waits in {event.queue}", "yellow"
        case events.QueueRefused():
            return "queue", f"the queue does not take the caller ({event.error})", "yellow"
        case events.AgentConnected():
            return "agent", f"answers after {event.waited_seconds:g} s", "yellow"
        case events.Ended():
            return "end", f"{_ENDINGS[event.during]} ({event.reason})", "magenta"
        case events.QueueChosen():
            return "set-up", f"queue {event.queue}", "dim"
        case events.VoiceChanged():
            return "set-up", f"voice {event.voice} ({event.engine.lower()})", "dim"
        case events.BotAsked():
            return "bot asks", event.text, ""
        case events.BotUnderstood():
            return "bot", f"understands {event.intent}", "cyan"
        case events.InputStored():
            return "input", event.digits, "cyan"
        case events.FlowAttributesSet():
            pairs = ", ".join(f"{name} = {value}" for name, value in event.attributes.items())
            return "flow sets", pairs, "dim"
        case events.Compared():
            outcome = f"is {event.value!r}: {event.branch or 'no match'}"
            return "compares", f"{event.subject} {outcome}", "dim"
        case events.Fetched():
            return "fetches", f"{event.subject}: {json.dumps(event.values, ensure_ascii=False)}", "yellow"
        case events.NoEffect():
            return "set-up", event.type, "dim"
        case events.Failed():
            return "fails", f"{event.block} fails ({event.error})", "red"
        case events.FlowEntered():
            return "flow", f"goes on in {event.flow}", "dim"
        case events.FlowLeft():
            return "flow", "comes back", "dim"
        case events.Waited():
            return "waits", f"{event.seconds:g} s", "dim"
        case events.CallbackCreated():
            return "callback", f"to {event.number} from {event.queue or 'no queue'}", "yellow"
        case events.Transferred():
            return "transfer", f"as a new contact ({event.method}) to {event.queue}", "yellow"
        case events.ThirdPartyConnected():
            return "outside", f"{event.number or 'someone'} takes the call", "yellow"
        case events.LoggingChanged():
            return "set-up", f"logging {'on' if event.enabled else 'off'}", "dim"
    raise AssertionError(f"no words for {type(event).__name__}")


_ENDINGS = {
    "message": "the caller hangs up during a message",
    "menu": "the caller hangs up at a menu",
    "queue": "the caller gives up waiting and hangs up",
    "input": "the caller hangs up while digits are asked for",
    "bot": "the caller hangs up at a bot",
    "third party": "the conversation with someone outside Connect is over",
    "another flow": "the call goes on in another flow, which is not followed",
    "conversation": "the conversation with the agent is over",
    "flow": "the flow ends the call",
    "step limit": f"cut off after {STEP_LIMIT:,} blocks: left to itself this call would not end",
}
