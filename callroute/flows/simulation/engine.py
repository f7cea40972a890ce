"""The engine: takes one call from block to block, and knows all that the call has come by on its way."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from callroute.errors import InputError
from callroute.flows.references import navigate, shown, written
from callroute.flows.simulation.environment import ANY, KINDS, Answers, names_of, problem_of
from callroute.flows.simulation.events import (
    AgentConnected,
    Call,
    Ended,
    Event,
    Failed,
    FlowEntered,
    Queued,
    QueueStay,
    ThirdParty,
    Transferred,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Mapping
    from datetime import datetime

    from callroute.flows.flow import Block, Branch, Flow
    from callroute.flows.references import Path
    from callroute.flows.simulation.environment import Environment
    from callroute.flows.simulation.participants import Caller, Clock

    Steps = Generator[Event, None, "Branch | None"]
    Step = Callable[["CallSimulation"], "tuple[Event, Branch] | Steps"]
    """Plays a block: one event and the branch taken, or, where the caller is asked, events one by one."""
    Program = Mapping[str, Step]
    """A flow ready to be played: its steps by block, made when they are first needed."""


class SimulationError(InputError):
    """A flow went where the simulator cannot follow."""


class BlockContext:
    """A block as its step needs it: its settings and branches, and errors that name it.

    Args:
        source: the flow's file.
        action: the block.
    """

    def __init__(self, source: str, action: Block) -> None:
        self.source = source
        self.action = action
        self.identifier = action.identifier
        self._branches: dict[tuple[str, str], Branch] = {}
        for transition in action.branches:
            # A result is found by what it equals; other comparisons are for the blocks that compare.
            if transition.kind != "condition" or transition.operator == "Equals":
                self._branches.setdefault((transition.kind, transition.label), transition)

    def error(self, problem: str, fix: str) -> SimulationError:
        """An error in this block."""
        place = f"block {self.identifier!r} ({self.action.type})"
        return SimulationError(self.source, place, problem, fix)

    def next(self) -> Branch:
        """The branch taken by default."""
        return self._branches.get(("next", "")) or self._missing("NextAction")

    def condition(self, result: str) -> Branch:
        """The branch for a result."""
        return self.matching(result) or self._missing(f"condition {result}")

    def matching(self, result: str) -> Branch | None:
        """The branch for a result, if there is one."""
        return self._branches.get(("condition", result))

    def failure(self, error: str) -> Branch:
        """The branch for an error: its own, or that for any error."""
        return self.failing(error) or self._missing(f"error branch {error}")

    def failing(self, error: str) -> Branch | None:
        """The branch for an error, if there is one."""
        return self._branches.get(("error", error)) or self._branches.get(("error", "NoMatchingError"))

    def _missing(self, branch: str) -> Branch:
        raise self.error(f"the call needs its {branch}, which it does not have", "Add the branch")


class CallSimulation:
    """The state of one call on its way through flows.

    Args:
        flow: where it begins.
        program: makes a flow ready.
        caller: who is on the line.
        clock: the time.
        world: what lies outside the flow.
    """

    def __init__(
        self,
        flow: Flow,
        program: Callable[[Flow], Program],
        caller: Caller,
        clock: Clock,
        world: Environment,
    ) -> None:
        self.caller = caller
        self.clock = clock
        self.now = clock.now
        self.world = world
        # What the call has come by, for references.
        self.attributes: dict[str, str] = dict(world.attributes)
        self.flow_attributes: dict[str, str] = {}
        self.tables: Mapping[str, Any] = {}
        self.answered: dict[str, Any] = {}
        self.system: dict[str, str] = {}
        self.hooks: dict[str, str] = {}
        self.loops: dict[tuple[str, str], int] = {}
        self.target_queue = ""
        # Where it is.
        self._program = program
        self._flow = flow
        self._steps = program(flow)
        self._jump: str | None = None
        self._callers_frames: list[tuple[Flow, Branch, dict[str, str], Mapping[str, Any]]] = []
        self._taken: dict[str, list[Branch]] = {flow.source: []}
        self._path = self._taken[flow.source]
        self._answers = {kind: Answers(places) for kind, places in world.answers.items()}
        self._errors = self._answers.get("errors")
        self._steps_left = 0
        # The contact it is, and those it was.
        self._contacts: list[Call] = []
        self._callbacks: list[Call] = []
        self._method = "INBOUND"
        self._started = clock.now()
        self._stay: QueueStay | None = None
        self._agent_connected: datetime | None = None
        self._third_party: ThirdParty | None = None
        self._deadline: datetime | None = None
        self.is_aside = False
        self._requeued: str | None = None
        self._last_block = flow.start
        self.over = False

    # --- From block to block ---------------------------------------------------------------------------------------

    def play(self, step_limit: int) -> Generator[Event, None, Call]:
        """The whole call."""
        self._steps_left = step_limit
        yield from self._run(self._flow.start)
        if not self.over:
            yield self.end(self._last_block, "OTHER", "step limit")
        first, *later = self._contacts
        return replace(first, legs=(*later, *self._callbacks), taken=self._taken)

    def _run(self, start: str) -> Generator[Event, None, None]:
        """Plays from a block on: until the call is over, the flow ends, its time is up, or no step is left."""
        here: str | None = start
        errors = self._errors
        while here is not None:
            self._last_block = here
            if self._steps_left == 0 or (self._deadline is not None and self.now() >= self._deadline):
                return
            self._steps_left -= 1
            if errors and (failure := self._failure(here)):
                event, branch = failure
                yield event
                self._path.append(branch)
                here = branch.target
                continue
            result = self._steps[here](self)
            taken: Branch | None
            if isinstance(result, tuple):
                event, taken = result
                yield event
            else:
                taken = yield from result
            if taken is None:
                here, self._jump = self._jump, None
            else:
                self._path.append(taken)
                here = taken.target

    def _failure(self, identifier: str) -> tuple[Event, Branch] | None:
        """The error with which the world lets a block fail."""
        assert self._errors is not None  # noqa: S101 - only asked where there are errors
        action = self._flow.blocks[identifier]
        error = self._errors.get(identifier, action.type)
        if error is None:
            return None
        branch = BlockContext(self._flow.source, action).failure(error)
        return Failed(self.now(), identifier, error), branch

    def enter(self, flow: Flow, *, returning: Branch | None) -> Event:
        """Goes on in another flow; at its end the call comes back and takes the branch `returning`, if given."""
        if returning is None:
            self._callers_frames.clear()
        else:
            self._callers_frames.append((self._flow, returning, self.flow_attributes, self.tables))
        self.flow_attributes, self.tables = {}, {}
        self._go_to(flow)
        self._jump = flow.start
        return FlowEntered(self.now(), self._last_block, flow.source)

    def leave_module(self) -> bool:
        """Comes back from a module; False where the call is in none."""
        if not self._callers_frames:
            return False
        flow, returning, self.flow_attributes, self.tables = self._callers_frames.pop()
        self._go_to(flow)
        self._path.append(returning)
        self._jump = returning.target
        return True

    def _go_to(self, flow: Flow) -> None:
        self._flow = flow
        self._steps = self._program(flow)
        self._path = self._taken.setdefault(flow.source, [])

    def aside(self, flow: Flow, block: str, deadline: datetime | None = None) -> Generator[Event, None, None]:
        """Plays a flow beside the one the call is in, as a queue does: until it ends or its time is up."""
        kept = self._flow, self._callers_frames, self.flow_attributes, self.tables
        outer = self._deadline, self.is_aside
        self._callers_frames, self.flow_attributes, self.tables = [], {}, {}
        self._deadline, self.is_aside = deadline, True
        self._go_to(flow)
        yield FlowEntered(self.now(), block, flow.source)
        yield from self._run(flow.start)
        flow, self._callers_frames, self.flow_attributes, self.tables = kept
        self._deadline, self.is_aside = outer
        self._go_to(flow)

    @property
    def aside_of_a_queue(self) -> bool:
        """Whether the call is in a queue, and this is what the caller hears meanwhile."""
        return self._deadline is not None

    def spend(self, seconds: float) -> None:
        """Something takes this long, or until what the caller waits for happens."""
        if self._deadline is not None:
            seconds = max(0.0, min(seconds, (self._deadline - self.now()).total_seconds()))
        self.clock.advance(seconds)

    def spend_all(self) -> None:
        """Time passes until what the caller waits for happens."""
        self.spend(float("inf"))

    def end(self, block: str, reason: str, during: str) -> Ended:
        """The call is over."""
        self.over = True
        now = self.now()
        self._leave_contact(reason, now)
        return Ended(now, block, reason, during)

    # --- Contacts, queues, agents ----------------------------------------------------------------------------------

    def _leave_contact(self, reason: str, now: datetime) -> None:
        self._contacts.append(
            Call(
                self._started,
                now,
                reason,
                dict(self.attributes),
                self._stay,
                self._agent_connected,
                self._third_party,
                self._method,
                came_of=max(0, len(self._contacts) - 1),
            )
        )

    def _new_contact(self, block: str, method: str, queue: str) -> Event:
        """The contact is left for a new one, which inherits the attributes."""
        now = self.now()
        self._leave_contact("", now)
        self._started, self._method = now, method
        self._stay = self._agent_connected = self._third_party = None
        self.target_queue = queue
        return Transferred(now, block, method, queue)

    def requeue(self, queue: str) -> None:
        """The caller leaves the queue for another."""
        self._requeued = queue

    def queue_up(self, block: BlockContext) -> Generator[Event, None, None]:
        """The caller waits in the target queue, and all that comes of it until the call is over."""
        while not self.over:
            waited = yield from self._wait(block)
            if self.over:
                return
            if self._requeued is not None:
                queue, self._requeued = self._requeued, None
                yield self._new_contact(block.identifier, "QUEUE_TRANSFER", queue)
                continue
            if waited is None:
                return
            yield from self._talk(block, waited)
            return

    def _wait(self, block: BlockContext) -> Generator[Event, None, float | None]:
        """Waits in the queue: the seconds until an agent is there, None where none comes."""
        queued = Queued(self.now(), block.identifier, self.target_queue)
        yield queued
        patience, answer = self.caller.waits(queued), self.world.agent_answers_after
        answered = answer is not None and (patience is None or answer <= patience)
        waited = answer if answered else patience
        flow = self.hooked("CustomerQueue")
        if flow is not None:
            ahead = timedelta(seconds=waited) if waited is not None else timedelta(days=1)
            deadline = queued.at + ahead
            yield from self.aside(flow, block.identifier, deadline)
            if self.over or self._requeued is not None or self._steps_left == 0:
                self._stay = QueueStay(self.target_queue, queued.at, self.now())
                if self.over:
                    self._contacts[-1] = replace(self._contacts[-1], queue=self._stay)
                return None
            if waited is not None:
                waited_still = (deadline - self.now()).total_seconds()
                self.clock.advance(max(0.0, waited_still))
        elif waited is not None:
            self.clock.advance(waited)
        if waited is None:
            raise block.error(
                "no agent answers and the caller does not leave the queue, so this call would never end",
                "Let one of the two happen after some seconds",
            )
        self._stay = QueueStay(self.target_queue, queued.at, self.now())
        if not answered:
            yield self.end(block.identifier, "CUSTOMER_DISCONNECT", "queue")
        return waited

    def _talk(self, block: BlockContext, waited: float) -> Generator[Event, None, None]:
        self._agent_connected = self.now()
        yield AgentConnected(self.now(), block.identifier, waited)
        whisper = self.hooked("CustomerWhisper")
        if whisper is not None:
            yield from self.aside(whisper, block.identifier)
            if self.over or self._steps_left == 0:
                return
        self.clock.advance(self.world.talk_seconds)
        onward = self.world.agent_transfers_to
        if onward is not None and self._method != "TRANSFER":
            yield self._new_contact(block.identifier, "TRANSFER", onward)
            yield from self.queue_up(block)
            return
        by = "AGENT_DISCONNECT" if self.world.agent_hangs_up else "CUSTOMER_DISCONNECT"
        yield self.end(block.identifier, by, "conversation")

    def third_party_connected(self, number: str) -> None:
        """Someone outside Amazon Connect took the call."""
        self._third_party = ThirdParty(number, self.now())

    def call_back(self, queue: str, after: float) -> None:
        """A callback is made: a contact of its own, which ends only if an agent takes it."""
        answer = self.world.agent_answers_after
        if answer is None:
            return
        queued = self.now() + timedelta(seconds=after)
        connected = queued + timedelta(seconds=answer)
        self._callbacks.append(
            Call(
                self.now(),
                connected + timedelta(seconds=self.world.talk_seconds),
                "AGENT_DISCONNECT" if self.world.agent_hangs_up else "CUSTOMER_DISCONNECT",
                dict(self.attributes),
                QueueStay(queue, queued, connected),
                connected,
                initiation_method="CALLBACK",
                came_of=len(self._contacts),
            )
        )

    # --- What lies outside -----------------------------------------------------------------------------------------

    def answer(self, block: BlockContext, kind: str, *places: str) -> Any:
        """What the world answers.

        Raises:
            SimulationError: it says nothing of it.
        """
        answer = self.answer_if_any(block, kind, *places)
        if answer is None:
            place = places[0] if places else block.identifier
            raise block.error(
                f"the simulation does not know {KINDS[kind].partition(':')[0]} ({place})",
                f"Give --answer '{kind}:{place}=…', or `{kind}: {{{place}: …}}` in the world of a scenario, "
                f"with {KINDS[kind].partition(': ')[2]}",
            )
        return answer

    def answer_if_any(self, block: BlockContext, kind: str, *places: str) -> Any:
        """What the world answers; None where it says nothing of it."""
        answers = self._answers.get(kind)
        answer = answers.get(block.identifier, *places, ANY) if answers else None
        if answer is not None and (problem := problem_of(kind, answer)):
            raise block.error(f"the {kind} answer {answer!r} {problem}", f"Give {KINDS[kind]}")
        return answer

    def other_flow(self, block: BlockContext, identifier: str) -> Flow | str:
        """Another flow or module.

        Raises:
            SimulationError: it is not at hand.
        """
        for name in (block.identifier, *names_of(identifier)):
            if name in self.world.flows:
                return self.world.flows[name]
        raise block.error(
            f"the call goes on in {identifier!r}, which is not at hand",
            "Give its file: --flow-file NAME=FILE, or `flows: {NAME: FILE}` in the world of a scenario; "
            "NAME is the block, the identifier or its last part; for FILE, `returns` stands for a module that does "
            "nothing, and `ends` for the end of the simulation",
        )

    def hooked(self, event: str) -> Flow | None:
        """The flow that is hooked to an event, where its file is at hand; else the event passes in silence."""
        for name in names_of(self.hooks.get(event, "")):
            flow = self.world.flows.get(name)
            if flow is not None and not isinstance(flow, str):
                return flow
        return None

    # --- References ------------------------------------------------------------------------------------------------

    def look(self, block: BlockContext, path: Path) -> str:
        """What a reference stands for; nothing where that was never set.

        Raises:
            SimulationError: the simulator does not know the reference.
        """
        name, rest = path[0], path[1:]
        if name == "Attributes" and rest:
            return self.attributes.get(rest[0], "")
        if name == "FlowAttributes" and rest:
            return self.flow_attributes.get(rest[0], "")
        if name in {"External", "Lex", "Customer", "Views"}:
            return shown(navigate(self.answered.get(name), rest))
        if name == "DataTables":
            return shown(navigate(self.tables, rest))
        if name == "Metrics":
            dotted = ".".join(rest)
            return shown(self.answer(block, "metrics", dotted, written(path)))
        value = self._system_value(path)
        if value is None:
            raise block.error(
                f"the reference {written(path)} is not simulated",
                f"Simulated are $.Attributes.…, $.FlowAttributes.…, $.External.…, $.Lex.…, $.Metrics.…, "
                f"$.Customer.…, $.Views.…, $.DataTables.… and {', '.join(f'$.{known}' for known in self._system_values())}",
            )
        return value

    def _system_value(self, path: Path) -> str | None:
        if path == ("SegmentAttributes", "connect:Subtype"):
            return "connect:Telephony"
        return self._system_values().get(".".join(path))

    def _system_values(self) -> dict[str, str]:
        # Source: "Contact attributes available in Amazon Connect and their JSONPath references".
        world = self.world
        arn = world.instance_arn
        return {
            "AwsRegion": arn.split(":")[3],
            "Channel": "VOICE",
            "ContactId": world.contact_id,
            "InitialContactId": world.contact_id,
            "PreviousContactId": "",
            "InitiationMethod": self._method,
            "InstanceARN": arn,
            "CustomerEndpoint.Address": world.customer_number or "anonymous",
            "CustomerEndpoint.Type": "TELEPHONE_NUMBER",
            "SystemEndpoint.Address": world.system_number,
            "SystemEndpoint.Type": "TELEPHONE_NUMBER",
            "Queue.ARN": self.target_queue,
            "Queue.Name": self.target_queue.rpartition("/")[2],
            "CustomerCallbackNumber": world.customer_number or "",
            "CustomerId": "",
            "LanguageCode": "",
            "StoredCustomerInput": "",
            "TextToSpeechVoiceId": "",
            **self.system,
        }
