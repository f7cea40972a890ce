"""Simulation engine that runs a call block by block and keeps its state."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from callroute.arn import Arn
from callroute.errors import InputError
from callroute.flows.block_types import declared_kind, declared_type
from callroute.flows.references import navigate, shown, written
from callroute.flows.simulation.call import Call, QueueStay, ThirdParty
from callroute.flows.simulation.environment import (
    ANY_PLACE,
    END,
    RESPONSE_KINDS,
    RETURN,
    Responses,
    resource_names,
    response_problem,
)
from callroute.flows.simulation.events import (
    AgentConnected,
    Ended,
    Event,
    Failed,
    FlowEntered,
    KeyBuffered,
    KeyIgnored,
    Queued,
    Transferred,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime

    from callroute.flows.flow import Block, Branch, Flow
    from callroute.flows.references import Path
    from callroute.flows.simulation.environment import Environment
    from callroute.flows.simulation.participants import Caller, Clock

    Step = Callable[["CallSimulation"], "Branch | None"]
    """Executes a block. Returns the branch taken, or None if the call ended or continues elsewhere."""
    Program = Mapping[str, Step]
    """Steps of a flow by block identifier."""

# Source: Connect administrator guide, touchtone buffering.
_KEY_BUFFER_SIZE = 30


class SimulationError(InputError):
    """Raised when a call cannot be simulated any further."""


class BlockContext:
    """A block, with methods that handlers use to look up branches and to build error messages.

    Args:
        source: file name of the flow.
        block: the block.
    """

    def __init__(self, source: str, block: Block) -> None:
        self.source = source
        self.block = block
        self.identifier = block.identifier
        self._branches: dict[str, dict[str, Branch]] = {"next": {}, "condition": {}, "error": {}}
        for branch in block.branches:
            # Only Equals conditions are indexed by result. Handlers that compare values read the other conditions
            # themselves.
            if branch.kind != "condition" or branch.operator == "Equals":
                self._branches[branch.kind].setdefault(branch.label, branch)
        self.by_result: Mapping[str, Branch] = self._branches["condition"]
        """Branches of the Equals conditions."""

    def error(self, problem: str, fix: str) -> SimulationError:
        """Returns an error that names this block."""
        place = f"block {self.identifier!r} ({self.block.type})"
        return SimulationError(self.source, place, problem, fix)

    def next(self) -> Branch:
        """Returns the default branch."""
        return self._branches["next"].get("") or self._missing("NextAction")

    def condition(self, result: str) -> Branch:
        """Returns the branch for a result."""
        return self.matching(result) or self._missing(f"condition {result}")

    def matching(self, result: str) -> Branch | None:
        """Returns the branch for a result, or None if it is missing."""
        return self.by_result.get(result)

    def failure(self, error: str) -> Branch:
        """Returns the branch for an error, or the NoMatchingError branch if the error has no branch of its own."""
        return (
            self._branches["error"].get(error)
            or self._branches["error"].get("NoMatchingError")
            or self._missing(f"error branch {error}")
        )

    def _missing(self, branch: str) -> Branch:
        raise self.error(f"this block lacks the {branch} that the call needs", "Add the branch")


_QUEUES = {"QUEUE_TRANSFER": "queue of the quick connect", "CUSTOMER_QUEUE": "queue"}
"""Queue at the start of a flow, by the type of the flow."""


class CallSimulation:
    """The state of a call.

    Args:
        flow: the flow in which the call starts.
        program: function that returns the steps of a flow.
        caller: the caller.
        clock: the clock of the call.
        environment: conditions outside the flow.
        emit: called with each event.
    """

    def __init__(
        self,
        flow: Flow,
        program: Callable[[Flow], Program],
        caller: Caller,
        clock: Clock,
        environment: Environment,
        emit: Callable[[Event], object],
    ) -> None:
        self.caller = caller
        self.clock = clock
        self.now = clock.now
        self.environment = environment
        self.emit = emit
        # Values that references can use.
        self.attributes: dict[str, str] = dict(environment.attributes)
        self.flow_attributes: dict[str, str] = {}
        self.tables: Mapping[str, Any] = {}
        self.results: dict[str, Any] = {}
        self.system: dict[str, str] = {}
        self.hooks: dict[str, str] = {}
        self.loops: dict[tuple[str, str], int] = {}
        # A queue quick connect sets the queue before its flow starts, and a customer queue flow runs in a
        # queue.
        self.target_queue = _QUEUES.get(declared_type(flow) or "", "")
        self.key_buffer: str | None = None
        """Buffered keys, or None while touchtone buffering is off."""
        # Current position.
        self._program = program
        self._flow = flow
        self._steps = program(flow)
        self._jump: str | None = None
        self._frames: list[tuple[Flow, Branch, dict[str, str], Mapping[str, Any]]] = []
        self._taken: dict[str, list[Branch]] = {flow.source: []}
        self._taken_here = self._taken[flow.source]
        self._responses = {kind: Responses(places) for kind, places in environment.responses.items()}
        self._forced_errors = self._responses.get("errors")
        self._steps_left = 0
        # The current contact and the earlier contacts.
        self._contacts: list[Call] = []
        self._callbacks: list[Call] = []
        self._method = "INBOUND"
        self._started = clock.now()
        self._stay: QueueStay | None = None
        self._agent_connected: datetime | None = None
        self._third_party: ThirdParty | None = None
        self._deadline: datetime | None = None
        self.in_hook_flow = False
        self._next_queue: str | None = None
        self._last_block = flow.start
        self.over = False

    # --- Running blocks --------------------------------------------------------------------------------------------

    def run(self, step_limit: int) -> Call:
        """Runs the whole call."""
        self._steps_left = step_limit
        start = BlockContext(self._flow.source, self._flow.blocks[self._flow.start])
        match declared_kind(self._flow):
            case "queue":
                self.enter_queue(start, self._flow)
            case "hold":
                self._hold(start)
            case _:
                self._run_from(self._flow.start)
        if not self.over:
            self.end(self._last_block, "OTHER", "step limit")
        first, *later = self._contacts
        return replace(first, legs=(*later, *self._callbacks), taken=self._taken)

    def _run_from(self, start: str) -> None:
        """Runs from a block until the call or the flow ends, the deadline passes or the step limit is reached."""
        here: str | None = start
        forced_errors = self._forced_errors
        while here is not None:
            self._last_block = here
            if self._steps_left == 0 or (self._deadline is not None and self.now() >= self._deadline):
                return
            self._steps_left -= 1
            taken = self._forced_failure(here, forced_errors) if forced_errors else None
            if taken is None:
                taken = self._steps[here](self)
            if taken is None:
                here, self._jump = self._jump, None
            else:
                self._taken_here.append(taken)
                here = taken.target

    def _forced_failure(self, identifier: str, forced_errors: Responses) -> Branch | None:
        block = self._flow.blocks[identifier]
        error = forced_errors.get(identifier, block.type)
        if error is None:
            return None
        branch = BlockContext(self._flow.source, block).failure(error)
        self.emit(Failed(self.now(), identifier, error))
        return branch

    def enter_flow(self, flow: Flow, *, returning: Branch | None) -> None:
        """Continues in another flow.

        Args:
            flow: the flow.
            returning: branch to take when the flow returns, or None if it does not return.
        """
        if returning is None:
            self._frames.clear()
        else:
            self._frames.append((self._flow, returning, self.flow_attributes, self.tables))
        self.flow_attributes, self.tables = {}, {}
        self._switch_to(flow)
        self._jump = flow.start
        self.emit(FlowEntered(self.now(), self._last_block, flow.source))

    def return_from_module(self) -> bool:
        """Leaves a module and returns to the flow that invoked it. Returns False if the call is not in a module."""
        if not self._frames:
            return False
        flow, returning, self.flow_attributes, self.tables = self._frames.pop()
        self._switch_to(flow)
        self._taken_here.append(returning)
        self._jump = returning.target
        return True

    def _switch_to(self, flow: Flow) -> None:
        self._flow = flow
        self._steps = self._program(flow)
        self._taken_here = self._taken.setdefault(flow.source, [])

    def _run_hook_flow(self, flow: Flow, block: str, deadline: datetime | None = None) -> None:
        """Runs a customer queue flow or whisper flow until it ends or the deadline passes. Restores the state."""
        kept = self._flow, self._frames, self.flow_attributes, self.tables
        outer = self._deadline, self.in_hook_flow
        self._frames, self.flow_attributes, self.tables = [], {}, {}
        self._deadline, self.in_hook_flow = deadline, True
        self._switch_to(flow)
        self.emit(FlowEntered(self.now(), block, flow.source))
        self._run_from(flow.start)
        flow, self._frames, self.flow_attributes, self.tables = kept
        self._deadline, self.in_hook_flow = outer
        self._switch_to(flow)

    @property
    def in_queue_flow(self) -> bool:
        """True if the call is in a customer queue flow."""
        return self._deadline is not None

    def advance(self, seconds: float) -> None:
        """Advances the clock, but not past the deadline of the customer queue flow."""
        if self._deadline is not None:
            seconds = max(0.0, min(seconds, (self._deadline - self.now()).total_seconds()))
        self.clock.advance(seconds)

    def advance_to_deadline(self) -> None:
        """Advances the clock to the deadline of the customer queue flow."""
        self.advance(float("inf"))

    def end(self, block: str, reason: str, during: str) -> None:
        """Ends the call."""
        self.over = True
        now = self.now()
        self._end_contact(reason, now)
        self.emit(Ended(now, block, reason, during))

    # --- Keys pressed during messages ------------------------------------------------------------------------------

    def press_during_message(self, block: str, key: str) -> None:
        """Adds a key to the buffer if touchtone buffering is on. Otherwise, the key is ignored."""
        if self.key_buffer is None:
            self.emit(KeyIgnored(self.now(), block, key))
            return
        self.key_buffer = (self.key_buffer + key)[:_KEY_BUFFER_SIZE]
        self.emit(KeyBuffered(self.now(), block, key))

    def take_buffered_key(self) -> str:
        """Removes and returns the first key in the buffer, or returns an empty string if the buffer is empty."""
        if not self.key_buffer:
            return ""
        key, self.key_buffer = self.key_buffer[0], self.key_buffer[1:]
        return key

    # --- Contacts, queues, agents ----------------------------------------------------------------------------------

    def _end_contact(self, reason: str, now: datetime) -> None:
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
                previous_contact=max(0, len(self._contacts) - 1),
            )
        )

    def _start_next_contact(self, block: str, method: str, queue: str) -> None:
        """Ends the contact and starts a new one that inherits its attributes."""
        now = self.now()
        self._end_contact("", now)
        self._started, self._method = now, method
        self._stay = self._agent_connected = self._third_party = None
        self.target_queue = queue
        self.emit(Transferred(now, block, method, queue))

    def move_to_queue(self, queue: str) -> None:
        """Moves the caller from the current queue to another one."""
        self._next_queue = queue

    def enter_queue(self, context: BlockContext, flow: Flow | None = None) -> None:
        """Puts the caller in the target queue and runs the rest of the call.

        Args:
            context: the block.
            flow: the customer queue flow. Default: the flow that the event hook starts.
        """
        while not self.over:
            waited = self._wait_for_agent(context, flow or self._hook_flow("CustomerQueue"))
            if self.over:
                return
            if self._next_queue is not None:
                queue, self._next_queue = self._next_queue, None
                self._start_next_contact(context.identifier, "QUEUE_TRANSFER", queue)
                continue
            if waited is None:
                return
            self._talk_to_agent(context, waited)
            return

    def _wait_for_agent(self, context: BlockContext, flow: Flow | None) -> float | None:
        """Waits in the queue. Returns the seconds until an agent answers, or None if the caller leaves the queue."""
        queued = Queued(self.now(), context.identifier, self.target_queue)
        self.emit(queued)
        patience, answer = self.caller.waits(queued), self.environment.agent_answers_after
        answered = answer is not None and (patience is None or answer <= patience)
        waited = answer if answered else patience
        if flow is not None:
            longest = timedelta(seconds=waited) if waited is not None else timedelta(days=1)
            deadline = queued.at + longest
            self._run_hook_flow(flow, context.identifier, deadline)
            if self.over or self._next_queue is not None or self._steps_left == 0:
                self._stay = QueueStay(self.target_queue, queued.at, self.now())
                if self.over:
                    self._contacts[-1] = replace(self._contacts[-1], queue=self._stay)
                return None
            if waited is not None:
                self._advance_to(deadline)
        elif waited is not None:
            self.clock.advance(waited)
        if waited is None:
            raise context.error(
                "no agent answers and the caller does not leave the queue, so the call would never end",
                "Set agent_answers_after or leaves_queue_after",
            )
        self._stay = QueueStay(self.target_queue, queued.at, self.now())
        if not answered:
            self.end(context.identifier, "CUSTOMER_DISCONNECT", "queue")
        return waited

    def _hold(self, context: BlockContext) -> None:
        """Plays a hold flow until the caller hangs up."""
        held = self.now()
        patience = self.caller.waits(Queued(held, context.identifier, "hold"))
        if patience is None:
            raise context.error("the caller stays on hold forever", "Set leaves_queue_after")
        deadline = held + timedelta(seconds=patience)
        self._run_hook_flow(self._flow, context.identifier, deadline)
        if not self.over:
            self._advance_to(deadline)
            self.end(context.identifier, "CUSTOMER_DISCONNECT", "hold")

    def _advance_to(self, time: datetime) -> None:
        self.clock.advance(max(0.0, (time - self.now()).total_seconds()))

    def _talk_to_agent(self, context: BlockContext, waited: float) -> None:
        self._agent_connected = self.now()
        self.emit(AgentConnected(self.now(), context.identifier, waited))
        whisper = self._hook_flow("CustomerWhisper")
        if whisper is not None:
            self._run_hook_flow(whisper, context.identifier)
            if self.over or self._steps_left == 0:
                return
        self.clock.advance(self.environment.talk_seconds)
        transfer_to = self.environment.agent_transfers_to
        if transfer_to is not None and self._method != "TRANSFER":
            self._start_next_contact(context.identifier, "TRANSFER", transfer_to)
            self.enter_queue(context)
            return
        reason = "AGENT_DISCONNECT" if self.environment.agent_hangs_up else "CUSTOMER_DISCONNECT"
        self.end(context.identifier, reason, "conversation")

    def connect_third_party(self, number: str) -> None:
        """Records that a phone number outside Amazon Connect answered."""
        self._third_party = ThirdParty(number, self.now())

    def create_callback(self, queue: str, delay: float) -> None:
        """Creates the contact for a callback. If no agent is available, the contact never ends and is left out."""
        answer = self.environment.agent_answers_after
        if answer is None:
            return
        queued = self.now() + timedelta(seconds=delay)
        connected = queued + timedelta(seconds=answer)
        self._callbacks.append(
            Call(
                self.now(),
                connected + timedelta(seconds=self.environment.talk_seconds),
                "AGENT_DISCONNECT" if self.environment.agent_hangs_up else "CUSTOMER_DISCONNECT",
                dict(self.attributes),
                QueueStay(queue, queued, connected),
                connected,
                initiation_method="CALLBACK",
                previous_contact=len(self._contacts),
            )
        )

    # --- Environment -----------------------------------------------------------------------------------------------

    def response(self, context: BlockContext, kind: str, *places: str) -> Any:
        """Returns a response from the environment.

        Raises:
            SimulationError: the environment has no response for the block or any of these places.
        """
        response = self.find_response(context, kind, *places)
        if response is None:
            place = places[0] if places else context.identifier
            subject, _, values = RESPONSE_KINDS[kind].partition(": ")
            raise context.error(
                f"the environment does not define {subject} ({place})",
                f"Add --answer '{kind}:{place}=…', or `{kind}: {{{place}: …}}` under `world` in a scenario file. "
                f"The value is {values}.",
            )
        return response

    def find_response(self, context: BlockContext, kind: str, *places: str) -> Any:
        """Returns a response from the environment, or None if it is missing."""
        responses = self._responses.get(kind)
        response = responses.get(context.identifier, *places, ANY_PLACE) if responses else None
        if response is not None and (problem := response_problem(kind, response)):
            raise context.error(f"the {kind} response {response!r} {problem}", f"Use {RESPONSE_KINDS[kind]}")
        return response

    def other_flow(self, context: BlockContext, identifier: str) -> Flow | str:
        """Returns another flow or module, or END or RETURN.

        Raises:
            SimulationError: the environment does not contain the flow.
        """
        for name in (context.identifier, *resource_names(identifier)):
            if name in self.environment.flows:
                return self.environment.flows[name]
        raise context.error(
            f"flow {identifier!r} not found",
            "Pass it with --flow-file NAME=FILE, or with `flows: {NAME: FILE}` under `world` in a scenario file. "
            f"NAME is the block, the identifier or the last part of it. Use {RETURN!r} as FILE for a module that does "
            f"nothing, or {END!r} to end the simulation there.",
        )

    def _hook_flow(self, event: str) -> Flow | None:
        """Returns the flow that an event hook starts, or None if there is no hook or no file for its flow."""
        for name in resource_names(self.hooks.get(event, "")):
            flow = self.environment.flows.get(name)
            if flow is not None and not isinstance(flow, str):
                return flow
        return None

    # --- References ------------------------------------------------------------------------------------------------

    def resolve(self, context: BlockContext, path: Path) -> str:
        """Returns the value of a reference, which is empty if it was never set.

        Raises:
            SimulationError: the reference is not supported.
        """
        name, rest = path[0], path[1:]
        if name == "Attributes" and rest:
            return self.attributes.get(rest[0], "")
        if name == "FlowAttributes" and rest:
            return self.flow_attributes.get(rest[0], "")
        if name in {"External", "Lex", "Customer", "Views", "Loop"}:
            return shown(navigate(self.results.get(name), rest))
        if name == "DataTables":
            return shown(navigate(self.tables, rest))
        if name == "Metrics":
            dotted = ".".join(rest)
            return shown(self.response(context, "metrics", dotted, written(path)))
        value = self._system_value(path)
        if value is None:
            raise context.error(
                f"the reference {written(path)} is not supported",
                f"Use $.Attributes.…, $.FlowAttributes.…, $.External.…, $.Lex.…, $.Metrics.…, "
                f"$.Customer.…, $.Views.…, $.Loop.…, $.DataTables.… or {', '.join(f'$.{known}' for known in self._system_values())}",
            )
        return value

    def _system_value(self, path: Path) -> str | None:
        if path == ("SegmentAttributes", "connect:Subtype"):
            return "connect:Telephony"
        return self._system_values().get(".".join(path))

    def _system_values(self) -> dict[str, str]:
        # Source: "Contact attributes available in Amazon Connect and their JSONPath references".
        environment = self.environment
        arn = environment.instance_arn
        return {
            "AwsRegion": Arn.parse(arn).region,
            "Channel": "VOICE",
            "ContactId": environment.contact_id,
            "InitialContactId": environment.contact_id,
            "PreviousContactId": "",
            "InitiationMethod": self._method,
            "InstanceARN": arn,
            "CustomerEndpoint.Address": environment.customer_number or "anonymous",
            "CustomerEndpoint.Type": "TELEPHONE_NUMBER",
            "SystemEndpoint.Address": environment.system_number,
            "SystemEndpoint.Type": "TELEPHONE_NUMBER",
            "Queue.ARN": self.target_queue,
            "Queue.Name": self.target_queue.rpartition("/")[2],
            "CustomerCallbackNumber": environment.customer_number or "",
            "CustomerId": "",
            "LanguageCode": "",
            "StoredCustomerInput": "",
            "TextToSpeechVoiceId": "",
            **self.system,
        }
