"""How the events of a call read, a line each."""

from __future__ import annotations

import json
from datetime import datetime

from rich.text import Text

from callroute.flows import simulation


def line_of(event: simulation.Event, start: datetime) -> Text:
    """An event as a line: minutes and seconds into the call, a word at the margin, a text."""
    elapsed = int((event.at - start).total_seconds())
    mark, text, style = _words(event)
    return Text.assemble(
        (f"{elapsed // 60:>3}:{elapsed % 60:02}  ", "dim"), (f"{mark:<9}", f"bold {style}"), (text, style)
    )


def _words(event: simulation.Event) -> tuple[str, str, str]:
    """How an event reads: a word at the margin, a text, a style."""
    match event:
        case simulation.Said():
            return "says", event.text, ""
        case simulation.InputAsked():
            return "asks", f"{event.text}  (up to {event.digits} digits; {event.seconds:g} s)", ""
        case simulation.MenuOffered():
            return "asks", f"{event.text}  ({' '.join(event.keys)}; {event.seconds:g} s)", ""
        case simulation.Pressed():
            return "key", event.key if event.accepted else f"{event.key} (not offered)", "cyan"
        case simulation.TimedOut():
            return "silence", "the caller presses nothing", "cyan"
        case simulation.AttributesSet():
            return "sets", ", ".join(f"{name} = {value}" for name, value in event.attributes.items()), "green"
        case simulation.LoopPassed():
            turns = "no turn is left" if event.done else f"turn {event.passes} of {event.count}"
            return "loop", f"{event.block}: {turns}", "dim"
        case simulation.HoursChecked():
            return "hours", "open" if event.open else "closed", "yellow"
        case simulation.Queued():
            return "queue", f"the caller waits in {event.queue}", "yellow"
        case simulation.QueueRefused():
            return "queue", f"the queue does not take the caller ({event.error})", "yellow"
        case simulation.AgentConnected():
            return "agent", f"answers after {event.waited_seconds:g} s", "yellow"
        case simulation.Ended():
            return "end", f"{_ENDINGS[event.during]} ({event.reason})", "magenta"
        case simulation.QueueChosen():
            return "set-up", f"queue {event.queue}", "dim"
        case simulation.VoiceChanged():
            return "set-up", f"voice {event.voice} ({event.engine.lower()})", "dim"
        case simulation.BotAsked():
            return "bot asks", event.text, ""
        case simulation.BotUnderstood():
            return "bot", f"understands {event.intent}", "cyan"
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
            return "set-up", event.type, "dim"
        case simulation.Failed():
            return "fails", f"{event.block} fails ({event.error})", "red"
        case simulation.FlowEntered():
            return "flow", f"goes on in {event.flow}", "dim"
        case simulation.FlowLeft():
            return "flow", "comes back", "dim"
        case simulation.Waited():
            return "waits", f"{event.seconds:g} s", "dim"
        case simulation.CallbackCreated():
            return "callback", f"to {event.number} from {event.queue or 'no queue'}", "yellow"
        case simulation.Transferred():
            return "transfer", f"as a new contact ({event.method}) to {event.queue}", "yellow"
        case simulation.ThirdPartyConnected():
            return "outside", f"{event.number or 'someone'} takes the call", "yellow"
        case simulation.LoggingChanged():
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
    "step limit": f"cut off after {simulation.STEP_LIMIT:,} blocks: left to itself this call would not end",
}
