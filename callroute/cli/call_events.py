"""How the events of a call read, a line each."""

from __future__ import annotations

from datetime import datetime

from rich.text import Text

from callroute.flows import simulator


def line_of(event: simulator.Event, start: datetime) -> Text:
    """An event as a line: minutes and seconds into the call, a word at the margin, a text."""
    elapsed = int((event.at - start).total_seconds())
    mark, text, style = _words(event)
    return Text.assemble(
        (f"{elapsed // 60:>3}:{elapsed % 60:02}  ", "dim"), (f"{mark:<9}", f"bold {style}"), (text, style)
    )


def _words(event: simulator.Event) -> tuple[str, str, str]:
    """How an event reads: a word at the margin, a text, a style."""
    match event:
        case simulator.Said():
            return "says", event.text, ""
        case simulator.MenuOffered():
            return "asks", f"{event.text}  ({' '.join(event.keys)}; {event.seconds:g} s)", ""
        case simulator.Pressed():
            return "key", event.key if event.accepted else f"{event.key} (not offered)", "cyan"
        case simulator.TimedOut():
            return "silence", "the caller presses nothing", "cyan"
        case simulator.AttributesSet():
            return "sets", ", ".join(f"{name} = {value}" for name, value in event.attributes.items()), "green"
        case simulator.LoopPassed():
            turns = "no turn is left" if event.done else f"turn {event.passes} of {event.count}"
            return "loop", f"{event.block}: {turns}", "dim"
        case simulator.HoursChecked():
            return "hours", "open" if event.open else "closed", "yellow"
        case simulator.Queued():
            return "queue", f"the caller waits in {event.queue}", "yellow"
        case simulator.QueueRefused():
            return "queue", f"the queue does not take the caller ({event.error})", "yellow"
        case simulator.AgentConnected():
            return "agent", f"answers after {event.waited_seconds:g} s", "yellow"
        case simulator.Ended():
            return "end", f"{_ENDINGS[event.during]} ({event.reason})", "magenta"
        case simulator.QueueChosen():
            return "set-up", f"queue {event.queue}", "dim"
        case simulator.VoiceChanged():
            return "set-up", f"voice {event.voice} ({event.engine.lower()})", "dim"
        case simulator.LoggingChanged():
            return "set-up", f"logging {'on' if event.enabled else 'off'}", "dim"
    raise AssertionError(f"no words for {type(event).__name__}")


_ENDINGS = {
    "message": "the caller hangs up during a message",
    "menu": "the caller hangs up at a menu",
    "queue": "the caller gives up waiting and hangs up",
    "conversation": "the conversation with the agent is over",
    "flow": "the flow ends the call",
    "step limit": f"cut off after {simulator.STEP_LIMIT:,} blocks: left to itself this call would not end",
}
