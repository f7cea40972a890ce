"""`callroute simulate`: calls through one flow, with nothing but the flow: no emulator, no stack."""

from __future__ import annotations

import dataclasses
import json
import re
import uuid
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.text import Text

from callroute.cli import output
from callroute.cli.call_events import line_of
from callroute.cli.flow_files import read_flow
from callroute.errors import InputError
from callroute.flows import simulation
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
    from collections.abc import Mapping

    from callroute.flows.flow import Branch, Flow
    from callroute.flows.simulation.coverage import Coverage
    from callroute.flows.simulation.runner import Result

DEFAULT_START = "2026-04-01T10:00:00+09:00"


def simulate(
    flow: Annotated[Path, typer.Argument(metavar="FLOW", help="The flow, in Connect's flow language.")],
    keys: Annotated[
        str,
        typer.Option(
            help="Keys that the caller presses at menus and other prompts that wait for a key, separated by commas: "
            "0-9 * # timeout hangup. No key is pressed during a message. After the last key the caller hangs up at "
            "the next such prompt."
        ),
    ] = "",
    closed: Annotated[bool, typer.Option("--closed", help="The call comes outside opening hours.")] = False,
    agent_answers_after: Annotated[
        float | None,
        typer.Option(metavar="SECONDS", help="Time in the queue until an agent answers; 20 if not given."),
    ] = None,
    leaves_queue_after: Annotated[
        float | None, typer.Option(metavar="SECONDS", help="No agent answers; the caller gives up waiting.")
    ] = None,
    at: Annotated[
        str,
        typer.Option(metavar="TIME", help="When the call comes in, ISO 8601; UTC unless it says otherwise."),
    ] = DEFAULT_START,
    answer: Annotated[
        list[str] | None,
        typer.Option(
            metavar="KIND:PLACE=VALUE",
            help="What something outside the flow answers, such as lambda:customer-lookup='{tier: gold}', "
            "split:*=30 or errors:BLOCK=NoMatchingError. May be given several times. "
            f"KIND is one of {', '.join(RESPONSE_KINDS)}; PLACE a block, the name of what it asks, or *.",
        ),
    ] = None,
    flow_file: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=FILE",
            help="Where the call goes on in a module or another flow: its file. May be given several times.",
        ),
    ] = None,
    world_file: Annotated[
        Path | None,
        typer.Option(
            "--world", metavar="FILE", help="All such answers in a YAML file (see docs/simulation.md)."
        ),
    ] = None,
    scenario_file: Annotated[
        Path | None,
        typer.Option(
            "--scenarios", metavar="FILE", help="Run the scenarios in this YAML file instead of one call."
        ),
    ] = None,
    minimum_coverage: Annotated[
        float | None,
        typer.Option(
            metavar="PERCENT", min=0, max=100, help="Fail if the scenarios take fewer of the flow's branches."
        ),
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON document and nothing else.")
    ] = False,
) -> None:
    """Play one caller through a flow, or run the scenarios that are kept beside it.

    The same arguments give the same call to the last character, its contact id and times included. Placeholders that
    the flow's route catalog declares get stand-in values.
    """
    start = _moment(at)
    if scenario_file is not None:
        _require_no_caller(
            keys, closed, agent_answers_after, leaves_queue_after, answer, flow_file, world_file
        )
        run_scenarios(flow, scenario_file, start, minimum_coverage, as_json)
        return
    if minimum_coverage is not None:
        raise InputError(
            "--minimum-coverage", "", "one call has no minimum", "Give the scenarios with --scenarios"
        )
    pressed = simulation.read_keys(keys)
    world, patience = _surroundings(closed, agent_answers_after, leaves_queue_after, world_file)
    for text in answer or ():
        world = with_response(world, text, "--answer")
    named = dict(_named_flow(text) for text in flow_file or ())
    world = dataclasses.replace(world, flows={**world.flows, **named})
    read = read_flow(flow)
    if problem := forced_error_problem(read, world):
        raise InputError(str(flow), "", *problem)
    contact_id = _contact_id(flow.name, pressed, at, patience, world)
    caller = simulation.KeyedCaller(pressed, patience)
    clock = simulation.SimulatedClock(start)
    environment = dataclasses.replace(world, contact_id=contact_id)
    console = Console(highlight=False, soft_wrap=True)
    events: list[simulation.Event] = []

    def show(event: simulation.Event) -> None:
        events.append(event)
        if not as_json:
            console.print(line_of(event, start))

    call = simulation.run_with(simulation.simulate(read, caller, clock=clock, environment=environment), show)
    if caller.unused_keys:
        output.err.print(f"--keys: {unused_keys_message(caller.unused_keys, events[-1].block)}")
    records = contact_records(call, contact_id=contact_id, **_endpoints(world))
    if as_json:
        output.print_json(
            {
                "events": [_as_json(event) for event in events],
                "attributes": dict(call.attributes),
                "contact_record": records[0],
                "contact_records": records,
            }
        )
    else:
        for number, record in enumerate(records):
            title = "contact record" if number == 0 else f"contact record of leg {number}"
            console.print(Text(f"\n{title}", "bold"))
            console.print_json(json.dumps(record), indent=2)


def run_scenarios(
    flow_path: Path, path: Path, start: datetime, minimum_coverage: float | None, as_json: bool
) -> None:
    """Runs the scenarios of a file; exit code 1 where one fails or too few branches are taken."""
    flow = read_flow(flow_path)
    results = [run_scenario(flow, scenario, start) for scenario in load_scenarios(path, flow, read_flow)]
    covered = measure_coverage(flow, results)
    others = {other.source: measure_coverage(other, results) for other in entered_flows(flow, results)}
    too_few = minimum_coverage is not None and covered.percent < minimum_coverage
    if as_json:
        output.print_json(_results_as_json(results, covered, others))
    else:
        _print_results(path, results, covered, others)
    if too_few:
        output.err.print(
            f"the scenarios take {covered.percent:.1f} % of the branches; {minimum_coverage:g} % are demanded"
        )
    if too_few or any(result.failures for result in results):
        raise typer.Exit(output.FINDINGS)


def _print_results(
    path: Path, results: list[Result], covered: Coverage, others: Mapping[str, Coverage]
) -> None:
    console = Console(highlight=False, soft_wrap=True)
    for result in results:
        good = not result.failures
        console.print(Text.assemble(("✓ ", "green") if good else ("✗ ", "red"), result.scenario.name))
        for failure in result.failures:
            console.print(Text(f"    {path}:{result.scenario.line}: {failure}", "red"))
    held = sum(not result.failures for result in results)
    console.print(Text(f"\n{held} of {len(results)} scenarios hold", "bold"))
    _print_coverage(console, "", covered)
    for source, each in others.items():
        _print_coverage(console, f"entered besides: {source}: ", each)


def _print_coverage(console: Console, what: str, covered: Coverage) -> None:
    console.print(
        f"{what}{covered.taken} of {covered.total} branches taken ({covered.percent:.1f} %)", markup=False
    )
    for branch in covered.not_taken:
        console.print(
            f"    not taken: {branch.source}: {_branch_name(branch)} → {branch.target}", markup=False
        )


def _branch_name(branch: Branch) -> str:
    return {"next": "next", "condition": f"when {branch.label}", "error": f"error {branch.label}"}[
        branch.kind
    ]


def _results_as_json(
    results: list[Result], covered: Coverage, others: Mapping[str, Coverage]
) -> dict[str, Any]:
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
        "coverage": _coverage_as_json(covered),
        "entered": [{"flow": source} | _coverage_as_json(each) for source, each in others.items()],
    }


def _coverage_as_json(covered: Coverage) -> dict[str, Any]:
    return {
        "percent": round(covered.percent, 1),
        "taken": covered.taken,
        "total": covered.total,
        "not_taken": [
            {"source": each.source, "kind": each.kind, "label": each.label, "target": each.target}
            for each in covered.not_taken
        ],
    }


def _require_no_caller(*caller: object) -> None:
    if any(
        each is not None and each is not False and each != "" for each in caller
    ):  # 0 seconds are given too
        raise InputError(
            "--scenarios",
            "",
            "the scenarios say themselves who calls and what the world answers",
            "Leave out --keys, --closed, --agent-answers-after, --leaves-queue-after, --answer, --flow-file and --world",
        )


def _named_flow(text: str) -> tuple[str, Flow | str]:
    name, equals, file = text.partition("=")
    if not (equals and name and file):
        raise InputError("--flow-file", "", f"{text!r} is not NAME=FILE", "Write NAME=FILE")
    return name, file if file in {simulation.END, simulation.RETURN} else read_flow(Path(file))


def _contact_id(
    flow: str, keys: tuple[str, ...], at: str, patience: float | None, world: simulation.Environment
) -> str:
    """Derives a contact ID from the arguments, so that the same command prints the same call.

    The keys of the document are part of the derivation. Renaming one changes all contact IDs.
    """
    document = {
        "flow": flow,
        "keys": keys,
        "at": at,
        "leaves_queue_after": patience,
        "open": world.is_open,
        "queue_full": world.queue_is_full,
        "agent_answers_after": world.agent_answers_after,
        "talk_seconds": world.talk_seconds,
        "agent_hangs_up": world.agent_hangs_up,
        "agent_transfers_to": world.agent_transfers_to,
        "customer_number": world.customer_number,
        "called_number": world.system_number,
        "attributes": dict(world.attributes),
        "responses": {kind: dict(by_place) for kind, by_place in world.responses.items()},
    }
    text = json.dumps(document, sort_keys=True, ensure_ascii=False)
    return str(uuid.uuid5(uuid.NAMESPACE_URL, text))


def _endpoints(world: simulation.Environment) -> dict[str, Any]:
    return {"customer_number": world.customer_number, "system_number": world.system_number}


def _moment(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text.replace("Z", "+00:00"))
    except ValueError as error:
        raise InputError(
            "--at", "", f"{text!r} is not a time", f"Write it in ISO 8601, such as {DEFAULT_START}"
        ) from error
    if not 1970 <= moment.year < 2100:
        raise InputError(
            "--at", "", f"the year {moment.year} is out of range", "Give a year from 1970 to 2099"
        )
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _surroundings(
    closed: bool, answers_after: float | None, leaves_after: float | None, world_file: Path | None
) -> tuple[simulation.Environment, float | None]:
    """The world of the call, and after how long the caller leaves a queue."""
    options = {"--agent-answers-after": answers_after, "--leaves-queue-after": leaves_after}
    for option, seconds in options.items():
        if seconds is not None and not 0 <= seconds <= MAX_WAIT_SECONDS:
            raise InputError(
                option, "", f"{seconds:g} is not a time to wait", f"Give seconds, 0 to {MAX_WAIT_SECONDS}"
            )
    if answers_after is not None and leaves_after is not None:
        raise InputError(
            "--leaves-queue-after",
            "",
            "an agent answers, by --agent-answers-after",
            "Give one of the two options",
        )
    world = simulation.Environment()
    if world_file is not None:
        world = read_environment(YamlNode.parse(read_text(world_file), str(world_file)), read_flow)
    if closed:
        world = dataclasses.replace(world, is_open=False)
    if answers_after is not None or leaves_after is not None:
        world = dataclasses.replace(world, agent_answers_after=answers_after)
    return world, leaves_after


def _as_json(event: simulation.Event) -> dict[str, Any]:
    fields = {each.name: getattr(event, each.name) for each in dataclasses.fields(event)}
    name = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", type(event).__name__).lower()
    return {"event": name, **fields, "at": event.at.isoformat(timespec="milliseconds")}
