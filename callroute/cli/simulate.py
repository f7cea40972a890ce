"""Implements `callroute simulate`, which simulates calls through a flow without a stack."""

from __future__ import annotations

import dataclasses
import json
import re
import sys
import uuid
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.exceptions import Exit

from callroute.cli import output
from callroute.cli.call_events import write_event
from callroute.cli.callers import TerminalCaller
from callroute.cli.exit_codes import FINDINGS
from callroute.cli.input_files import load, stand_ins
from callroute.cli.parameters import (
    FILE,
    NumberRange,
    flow_argument,
    general_options,
    json_option,
    type_option,
)
from callroute.errors import InputError
from callroute.flows import simulation
from callroute.flows.load import STANDARD_INPUT
from callroute.flows.simulation.contact_record import contact_records
from callroute.flows.simulation.coverage import entered_flows, measure_coverage
from callroute.flows.simulation.environment import RESPONSE_KINDS
from callroute.flows.simulation.environment_file import MAX_WAIT_SECONDS, read_environment, with_response
from callroute.flows.simulation.participants import unused_keys_message
from callroute.flows.simulation.runner import run_scenario
from callroute.flows.simulation.scenario_file import forced_error_problem, load_scenarios
from callroute.formats.files import read_text
from callroute.formats.yaml_document import YamlNode

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from callroute.flows.flow import Branch, Flow
    from callroute.flows.simulation.coverage import Coverage
    from callroute.flows.simulation.runner import Result

DEFAULT_START = "2026-04-01T10:00:00+09:00"
SCENARIO_OPTIONS = {"flow", "at", "scenario_file", "minimum_coverage", "as_json", "quiet", "no_color"}
"""Parameters that also apply to scenarios. All others apply to a single call."""


@click.command
@flow_argument
@click.option(
    "--keys",
    metavar="KEYS",
    help="Keys that the caller presses at menus and other prompts that wait for a key, separated by commas: "
    "0-9 * # timeout hangup. No key is pressed during a message. After the last key, the caller hangs up at the "
    "next such prompt. Without this option, you are the caller.",
)
@click.option("--closed", is_flag=True, help="Simulate a call outside opening hours.")
@click.option(
    "--agent-answers-after",
    metavar="SECONDS",
    type=NumberRange(0, MAX_WAIT_SECONDS),
    help="Time in the queue until an agent answers. Default: 20.",
)
@click.option(
    "--leaves-queue-after",
    metavar="SECONDS",
    type=NumberRange(0, MAX_WAIT_SECONDS),
    help="Time in the queue until the caller hangs up. No agent answers.",
)
@click.option(
    "--at",
    metavar="TIME",
    default=DEFAULT_START,
    help="Start of the call in ISO 8601, in UTC if it has no offset.",
)
@click.option(
    "--answer",
    metavar="KIND:PLACE=VALUE",
    multiple=True,
    help="Result of something outside the flow, for example lambda:customer-lookup='{tier: gold}', split:*=30 or "
    f"errors:BLOCK=NoMatchingError. KIND is one of {', '.join(RESPONSE_KINDS)}. PLACE is a block, the name of the "
    "resource, or *. Can be repeated.",
)
@click.option(
    "--flow-file",
    metavar="NAME=FILE",
    multiple=True,
    help="File of a module or of another flow that the call enters. Can be repeated.",
)
@click.option(
    "--world",
    "environment_file",
    metavar="FILE",
    type=FILE,
    help="YAML file with all such results and files (docs/simulation.md).",
)
@click.option(
    "--scenarios",
    "scenario_file",
    metavar="FILE",
    type=FILE,
    help="Run the scenarios in this YAML file instead of one call.",
)
@click.option(
    "--minimum-coverage",
    metavar="PERCENT",
    type=NumberRange(0, 100),
    help="Fail if the scenarios cover less than this percentage of the flow's branches.",
)
@click.option("--record", is_flag=True, help="Also print the contact record.")
@type_option
@json_option
@general_options
def simulate(
    flow: Path,
    keys: str | None,
    closed: bool,
    agent_answers_after: float | None,
    leaves_queue_after: float | None,
    at: str,
    answer: tuple[str, ...],
    flow_file: tuple[str, ...],
    environment_file: Path | None,
    scenario_file: Path | None,
    minimum_coverage: float | None,
    record: bool,
    flow_type: str | None,
    as_json: bool,
) -> None:
    """Simulate one call through a flow, or run a file of scenarios.

    Needs no stack and no emulator. The same arguments always give the same call, including its times and contact ID.
    Placeholders that the flow's route catalog declares are replaced by ARNs that do not exist.

    Exit code: 0 if the call was simulated or all scenarios passed, 1 if a scenario failed or the coverage is too low, 2 if
    a file cannot be used or the flow does something that the simulator does not know.
    """
    start = parse_time(at)
    if scenario_file is not None:
        require_no_call_options()
        run_scenarios(
            load(flow, stand_ins, flow_type=flow_type).flow, scenario_file, start, minimum_coverage, as_json
        )
        return
    if minimum_coverage is not None:
        raise InputError("--minimum-coverage", "", "it applies only to scenarios", "Add --scenarios FILE")
    loaded = load(flow, stand_ins, flow_type=flow_type).flow
    if keys is None:
        require_terminal(flow)
    pressed = simulation.read_keys(keys or "")
    environment, patience = call_environment(
        closed, agent_answers_after, leaves_queue_after, environment_file
    )
    for text in answer:
        environment = with_response(environment, text, "--answer")
    named = dict(named_flow(text) for text in flow_file)
    environment = dataclasses.replace(environment, flows={**environment.flows, **named})
    if problem := forced_error_problem(loaded, environment):
        raise InputError(loaded.source, "", *problem)
    contact_id = derive_contact_id(flow.name, pressed, at, patience, environment)
    caller = TerminalCaller() if keys is None else simulation.KeyedCaller(pressed, patience)
    events: list[simulation.Event] = []

    def on_event(event: simulation.Event) -> None:
        events.append(event)
        if keys is None or not as_json:
            write_event(event, start, error=as_json)

    call = simulation.simulate(
        loaded,
        caller,
        clock=simulation.SimulatedClock(start),
        on_event=on_event,
        environment=dataclasses.replace(environment, contact_id=contact_id),
    )
    if isinstance(caller, simulation.KeyedCaller) and caller.unused_keys:
        output.note(f"--keys: {unused_keys_message(caller.unused_keys, events[-1].block)}")
    records = contact_records(
        call,
        contact_id=contact_id,
        customer_number=environment.customer_number,
        system_number=environment.system_number,
    )
    if as_json:
        output.write_json(
            {
                "events": [event_as_json(event) for event in events],
                "attributes": dict(call.attributes),
                "contact_record": records[0],
                "contact_records": records,
            }
        )
    elif record:
        write_records(records)


def derive_contact_id(
    flow: str, keys: tuple[str, ...], at: str, patience: float | None, environment: simulation.Environment
) -> str:
    """Derives a contact ID from the arguments, so that two runs differ only if their calls differ.

    The keys of the document are part of the derivation. Renaming one changes all contact IDs.
    """
    document = {
        "flow": flow,
        "keys": keys,
        "at": at,
        "leaves_queue_after": patience,
        "open": environment.is_open,
        "queue_full": environment.queue_is_full,
        "agent_answers_after": environment.agent_answers_after,
        "talk_seconds": environment.talk_seconds,
        "agent_hangs_up": environment.agent_hangs_up,
        "agent_transfers_to": environment.agent_transfers_to,
        "customer_number": environment.customer_number,
        "called_number": environment.system_number,
        "attributes": dict(environment.attributes),
        "responses": {kind: dict(by_place) for kind, by_place in environment.responses.items()},
    }
    text = json.dumps(document, sort_keys=True, ensure_ascii=False)
    return str(uuid.uuid5(uuid.NAMESPACE_URL, text))


def load_other_flow(path: Path) -> Flow:
    """Loads a flow that the simulated flow refers to."""
    return load(path, stand_ins).flow


def require_terminal(flow: Path) -> None:
    """Checks that the command can ask the user for keys.

    Raises:
        InputError: standard input is not a terminal, or contains the flow.
    """
    if flow == STANDARD_INPUT:
        problem = "not given, and the flow is read from standard input"
    elif not sys.stdin.isatty():
        problem = "not given, and standard input is not a terminal"
    else:
        return
    fix = "Pass the keys, for example --keys 1,2, or --keys '' to hang up at the first menu"
    raise InputError("--keys", "", problem, fix)


def write_records(records: Sequence[Mapping[str, Any]]) -> None:
    """Writes the contact records of a call: the first contact, then those created by transfers and callbacks."""
    for number, each in enumerate(records):
        title = "Contact record" if number == 0 else f"Contact record of transfer or callback {number}"
        output.write((f"\n{title}", "bold"))
        output.write_json(each)


def run_scenarios(
    flow: Flow, path: Path, start: datetime, minimum_coverage: float | None, as_json: bool
) -> None:
    """Runs the scenarios in a file.

    Raises:
        Exit: with code 1, if a scenario fails or the coverage is below the minimum.
    """
    results = [
        run_scenario(flow, scenario, start) for scenario in load_scenarios(path, flow, load_other_flow)
    ]
    covered = measure_coverage(flow, results)
    others = {other.source: measure_coverage(other, results) for other in entered_flows(flow, results)}
    too_few = minimum_coverage is not None and covered.percent < minimum_coverage
    if as_json:
        output.write_json(results_as_json(results, covered, others))
    else:
        write_results(path, results, covered, others)
    if too_few:
        output.error(
            f"the scenarios cover {covered.percent:.1f}% of the branches, but --minimum-coverage is {minimum_coverage:g}%"
        )
    if too_few or any(result.failures for result in results):
        raise Exit(FINDINGS)


def write_results(
    path: Path, results: list[Result], covered: Coverage, others: Mapping[str, Coverage]
) -> None:
    """Writes the result of each scenario and the branches that were not taken."""
    for result in results:
        mark = ("✗ ", "red") if result.failures else ("✓ ", "green")
        output.write(result.scenario.name, margin=[mark])
        for failure in result.failures:
            output.write((f"{path}:{result.scenario.line}: {failure}", "red"), margin=["    "])
    passed = sum(not result.failures for result in results)
    output.write((f"\n{passed} of {output.counted(len(results), 'scenario')} passed", "bold"))
    write_coverage("", covered)
    for source, each in others.items():
        write_coverage(f"also entered: {source}: ", each)


def write_coverage(prefix: str, covered: Coverage) -> None:
    """Writes the number of branches taken in a flow and lists the ones that were not."""
    output.write(f"{prefix}{covered.taken} of {covered.total} branches taken ({covered.percent:.1f}%)")
    for branch in covered.not_taken:
        output.write(f"not taken: {branch.source}: {branch_name(branch)} → {branch.target}", margin=["    "])


def branch_name(branch: Branch) -> str:
    """Returns a branch's name as shown in the text output."""
    names = {"next": "next", "condition": f"when {branch.label}", "error": f"error {branch.label}"}
    return names[branch.kind]


def results_as_json(
    results: list[Result], covered: Coverage, others: Mapping[str, Coverage]
) -> dict[str, Any]:
    """Returns the JSON document for a scenario run."""
    return {
        "scenarios": [
            {
                "name": result.scenario.name,
                "line": result.scenario.line,
                "passed": not result.failures,
                "failures": list(result.failures),
            }
            for result in results
        ],
        "coverage": coverage_as_json(covered),
        "entered": [{"flow": source} | coverage_as_json(each) for source, each in others.items()],
    }


def coverage_as_json(covered: Coverage) -> dict[str, Any]:
    """Returns one flow's coverage in JSON form."""
    return {
        "percent": round(covered.percent, 1),
        "taken": covered.taken,
        "total": covered.total,
        "not_taken": [
            {"source": each.source, "kind": each.kind, "label": each.label, "target": each.target}
            for each in covered.not_taken
        ],
    }


def require_no_call_options() -> None:
    """Checks that no single-call option is combined with --scenarios.

    Raises:
        InputError: such an option is given.
    """
    context = click.get_current_context()
    given = [
        param.opts[0]
        for param in context.command.params
        if param.name not in SCENARIO_OPTIONS
        and context.get_parameter_source(param.name) is click.ParameterSource.COMMANDLINE
    ]
    if given:
        problem = f"it cannot be combined with {', '.join(given)}"
        raise InputError("--scenarios", "", problem, "Set these in the scenario file instead")


def named_flow(text: str) -> tuple[str, Flow | str]:
    """Parses NAME=FILE and loads the flow.

    Raises:
        InputError: the text does not have this form, or the file cannot be used.
    """
    name, equals, file = text.partition("=")
    if not (equals and name and file):
        raise InputError("--flow-file", "", f"{text!r} is not NAME=FILE", "Use NAME=FILE")
    return name, file if file in {simulation.END, simulation.RETURN} else load_other_flow(Path(file))


def parse_time(text: str) -> datetime:
    """Parses the call's start time.

    Raises:
        InputError: the text is not a time, or the year is out of range.
    """
    try:
        time = datetime.fromisoformat(text.replace("Z", "+00:00"))
    except ValueError as error:
        raise InputError(
            "--at", "", f"{text!r} is not a time", f"Use ISO 8601, for example {DEFAULT_START}"
        ) from error
    if not 1970 <= time.year < 2100:
        raise InputError("--at", "", f"the year {time.year} is out of range", "Use a year from 1970 to 2099")
    return time if time.tzinfo else time.replace(tzinfo=UTC)


def call_environment(
    closed: bool, answers_after: float | None, leaves_after: float | None, environment_file: Path | None
) -> tuple[simulation.Environment, float | None]:
    """Returns the environment of the call, and the time after which the caller leaves a queue.

    Raises:
        InputError: options contradict each other, or the file cannot be used.
    """
    if answers_after is not None and leaves_after is not None:
        problem = "it cannot be combined with --agent-answers-after"
        raise InputError("--leaves-queue-after", "", problem, "Use one of the two options")
    environment = simulation.Environment()
    if environment_file is not None:
        environment = read_environment(
            YamlNode.parse(read_text(environment_file), str(environment_file)), load_other_flow
        )
    if closed:
        environment = dataclasses.replace(environment, is_open=False)
    if answers_after is not None or leaves_after is not None:
        environment = dataclasses.replace(environment, agent_answers_after=answers_after)
    return environment, leaves_after


def event_as_json(event: simulation.Event) -> dict[str, Any]:
    """Returns the JSON form of an event."""
    fields = {each.name: getattr(event, each.name) for each in dataclasses.fields(event)}
    name = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", type(event).__name__).lower()
    return {"event": name, **fields, "at": event.at.isoformat(timespec="milliseconds")}
