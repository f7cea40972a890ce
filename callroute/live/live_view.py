"""Runs calls, crowds and the pipe and reports their progress to the pages."""

from __future__ import annotations

import random
import threading
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from callroute.errors import InputError, LocalCloudError
from callroute.flows import diagrams, simulation
from callroute.flows.block_types import DEFAULT_TYPE
from callroute.flows.flow import Flow
from callroute.flows.route_catalog import RouteCatalog
from callroute.flows.simulation import events
from callroute.flows.simulation.descriptions import describe
from callroute.flows.simulation.handlers.parameters import speaking_seconds
from callroute.flows.simulation.scenario_file import route_of
from callroute.live.caller import LONGEST_CONVERSATION, LiveCaller
from callroute.live.session import Message, Session, Sessions
from callroute.local.cloud import LocalCloud, outcome_of
from callroute.local.crowd import place_random_call
from callroute.local.dialer import CONTACT_FLOW
from callroute.local.pipe import HandledRecord
from callroute.reports.call_records import read_items
from callroute.reports.drop_off import drop_off
from callroute.reports.report import OUTCOMES

AGENT_ANSWERS_AFTER = 5.0
"""Seconds in the queue until an agent answers a call from the page."""
CROWD = 200
"""Number of callers in a crowd."""
IDLE_SECONDS = 1.0
"""Seconds between two reads of an empty stream."""
UPDATE_SECONDS = 0.25
"""Minimum seconds between two updates to the drop-off."""
STOP_SECONDS = 15.0


@dataclass(frozen=True)
class LiveFlow:
    """A flow in the stack that the page can call."""

    name: str
    description: str
    routes: Mapping[str, Sequence[str]]
    """Identifiers of the blocks that set each route."""
    svg: str


class LiveView:
    """Processes calls from the pages while it is active as a context manager.

    Args:
        cloud: the local cloud, which must be running.
        catalogs: route catalogs, keyed by flow name.
        on_failure: called in another thread if the pipe cannot continue. `failure` contains the reason.
    """

    def __init__(
        self, cloud: LocalCloud, catalogs: Mapping[str, RouteCatalog], on_failure: Callable[[], object]
    ) -> None:
        self.sessions = Sessions()
        self.failure: Exception | None = None
        self._cloud = cloud
        self._catalogs = catalogs
        self._on_failure = on_failure
        self._time_zone = ZoneInfo(cloud.deployment.outputs.get("timeZone", "UTC"))
        self._items: dict[str, dict[str, Any]] = {}
        self._crowd = threading.Lock()
        self._records_expected = threading.Event()
        self._stopping = threading.Event()
        self._threads: set[threading.Thread] = set()
        flows = cloud.deployment.all(CONTACT_FLOW)
        called = (each for each in flows if each.inputs.get("type", DEFAULT_TYPE) == DEFAULT_TYPE)
        self.flows = sorted((_live_flow(each.outputs) for each in called), key=lambda flow: flow.name)

    def __enter__(self) -> LiveView:
        self._start(self._run_pipe)
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        self._records_expected.set()
        self.sessions.close_all()
        deadline = time.monotonic() + STOP_SECONDS
        for thread in list(self._threads):
            thread.join(max(0.0, deadline - time.monotonic()))

    # --- Requests ----------------------------------------------------------------------------------------------------

    def greeting(self, session: Session) -> Message:
        """Returns the first message that a page receives."""
        return {
            "type": "session",
            "token": session.token,
            "stack": self._cloud.deployment.stack,
            "table": self._cloud.table_name,
            "flows": [
                {"name": flow.name, "description": flow.description, "routes": flow.routes}
                for flow in self.flows
            ],
            "crowd": CROWD,
        }

    def start_call(self, session: Session, flow: int) -> bool:
        """Calls a flow from a page. Returns False if the page already has a call."""
        if session.caller is not None or self._stopping.is_set():
            return False
        caller = session.caller = LiveCaller(AGENT_ANSWERS_AFTER)
        self._start(self._call, session, caller, self.flows[flow].name)
        return True

    def start_crowd(self, flow: int) -> bool:
        """Starts a crowd of simulated callers who call a flow. Returns False if another crowd is still calling."""
        if self._stopping.is_set() or not self._crowd.acquire(blocking=False):
            return False
        self._start(self._place_crowd, self.flows[flow].name)
        return True

    def drop_off_message(self) -> Message:
        """Returns the message that shows the drop-off for all calls."""
        rows = drop_off(list(self._items.values()), list(self._catalogs.values()), all_stops=True)
        names = {catalog.call_flow: name for name, catalog in self._catalogs.items()}
        return {
            "type": "drop-off",
            "calls": sum(row.calls for row in rows),
            "outcomes": {outcome: sum(row.outcomes[outcome] for row in rows) for outcome in OUTCOMES},
            "stops": [
                {
                    "flow": names.get(row.call_flow, row.call_flow or ""),
                    "route": row.call_route,
                    "label": row.label,
                    "depth": row.depth,
                    "calls": row.calls,
                    "outcomes": row.outcomes,
                }
                for row in rows
            ],
        }

    # --- Threads -----------------------------------------------------------------------------------------------------

    def _start(self, run: Callable[..., None], *arguments: Any) -> None:
        def run_and_forget() -> None:
            try:
                run(*arguments)
            finally:
                self._threads.discard(threading.current_thread())

        thread = threading.Thread(target=run_and_forget, name=run.__name__, daemon=True)
        self._threads.add(thread)
        thread.start()

    def _call(self, session: Session, caller: LiveCaller, flow: str) -> None:
        contact_id = str(uuid.uuid4())
        session.contacts.add(contact_id)
        session.send({"type": "call", "contact": contact_id, "flow": flow})

        def on_event(event: events.Event) -> None:
            if isinstance(event, events.Ended):
                session.caller = None  # the page can place its next call while the record is being sent
            session.send(_step(event, caller))
            if isinstance(event, events.Waited):
                caller.pause(event.seconds)
            elif isinstance(event, events.AgentConnected | events.ThirdPartyConnected):
                caller.pause(LONGEST_CONVERSATION)

        try:
            self._cloud.dialer.call(
                flow,
                caller,
                clock=simulation.RunningClock(),
                on_event=on_event,
                environment=simulation.Environment(agent_answers_after=AGENT_ANSWERS_AFTER),
                contact_id=contact_id,
            )
        except (InputError, LocalCloudError) as error:
            session.send({"type": "failed", "contact": contact_id, "text": str(error)})
        else:
            session.send({"type": "stage", "contact": contact_id, "stage": "stream"})
        finally:
            if session.caller is caller:
                session.caller = None
            self._records_expected.set()

    def _place_crowd(self, flow: str) -> None:
        yesterday = datetime.now(self._time_zone).date() - timedelta(days=1)
        day = datetime(yesterday.year, yesterday.month, yesterday.day, tzinfo=self._time_zone)
        chance = random.Random()  # noqa: S311 - not for cryptography
        problem = ""
        try:
            for number in range(1, CROWD + 1):
                place_random_call(self._cloud.dialer, flow, day, chance)
                self._records_expected.set()
                self.sessions.broadcast({"type": "crowd", "flow": flow, "placed": number, "of": CROWD})
                if self._stopping.is_set():
                    return
        except (InputError, LocalCloudError) as error:
            problem = str(error)
        finally:
            self._crowd.release()
            self.sessions.broadcast({"type": "crowd-ended", "flow": flow, "problem": problem})

    def _run_pipe(self) -> None:
        changed, updated = False, 0.0
        try:
            while not self._stopping.is_set():
                self._records_expected.clear()
                handled = self._cloud.pipe.poll()
                self._report(handled)
                changed |= bool(handled)
                if changed and (not handled or time.monotonic() - updated >= UPDATE_SECONDS):
                    self.sessions.broadcast(self.drop_off_message())
                    changed, updated = False, time.monotonic()
                if not handled:
                    self._records_expected.wait(IDLE_SECONDS)
        except Exception as error:  # noqa: BLE001 - raised again by `callroute serve`
            self.failure = error
            self._on_failure()

    def _report(self, handled: Sequence[HandledRecord]) -> None:
        """Updates the drop-off and sends the items to the pages that placed the calls."""
        by_contact = {_contact_id(record): record for record in handled}
        by_contact.pop("", None)
        if not by_contact:
            return
        items = {
            item["contact_id"]: item
            for item in read_items(
                self._cloud.emulator.client("dynamodb"), self._cloud.table_name, by_contact
            )
        }
        self._items.update(
            (contact, {name: item.get(name) for name in ("call_flow", "call_route", "outcome")})
            for contact, item in items.items()
        )
        for session in self.sessions.all():
            for contact in session.contacts & by_contact.keys():
                record = by_contact[contact]
                outcome = outcome_of(record)
                reason = self._cloud.pipe.filter_reason(record.record) if outcome == "filtered" else ""
                session.send(
                    {
                        "type": "record",
                        "contact": contact,
                        "outcome": outcome,
                        "reason": reason,
                        "item": items.get(contact),
                    }
                )


def _live_flow(registered: Mapping[str, Any]) -> LiveFlow:
    flow = Flow.parse_lenient(registered["content"], registered["name"])
    routes: dict[str, list[str]] = {}
    for block in flow.blocks.values():
        if (route := route_of(block)) is not None:
            routes.setdefault(route, []).append(block.identifier)
    return LiveFlow(registered["name"], registered.get("description", ""), routes, diagrams.svg(flow))


def _contact_id(handled: HandledRecord) -> str:
    """Returns the ContactId of a record, or an empty string if it has no usable ContactId."""
    _, contact = handled.record.json()
    found = contact.get("ContactId") if isinstance(contact, dict) else None
    return found if isinstance(found, str) else ""


def _step(event: events.Event, caller: LiveCaller) -> Message:
    """Returns the message that describes an event of a call."""
    label, text, _style = describe(event)
    message: dict[str, Any] = {
        "type": "step",
        "block": event.block,
        "kind": type(event).__name__,
        "label": label,
        "text": text,
    }
    if isinstance(event, events.Said | events.MenuOffered | events.BotAsked):
        message |= {
            "text": event.text,
            "prompt": caller.start_prompt(),
            "speaking_seconds": speaking_seconds(event.text),
            "limit": event.seconds if isinstance(event, events.MenuOffered) else None,
            "keys": list(event.keys) if isinstance(event, events.MenuOffered) else [],
        }
    return message
