"""Measures how long commands, the local stack and the Pulumi program take to start."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path
from statistics import median

from benchmarks.measurement import Measurement, ratio, seconds
from callroute.local.cloud import LocalCloud
from callroute.local.emulator import Emulator
from callroute.local.stack_config import find_project

RUNS = 5

COMMAND_RUNS = 9
COMMAND_RATIO = 1.6
IMPORTS = ("-c", "import typer, rich.table, yaml")
"""Imports of libraries that command-line tools typically use."""
COMMANDS = {
    "callroute --help": ("-m", "callroute", "--help"),
    "callroute check FLOW": ("-m", "callroute", "check", "flow_definitions/call_route.json"),
}

# Runs the program in a separate process, with mocks that create nothing. Prints the durations of importing pulumi_aws and of
# the program. pulumi_aws imports a service when one of its resource types is first used.
PROGRAM = """
import time
start = time.perf_counter()
import pulumi, pulumi_aws as aws
aws.cloudwatch.MetricAlarm, aws.connect.ContactFlow, aws.dynamodb.Table, aws.iam.Role, aws.kinesis.Stream
aws.pipes.Pipe, aws.sfn.StateMachine, aws.sns.Topic, aws.sqs.Queue
imported = time.perf_counter() - start
from pulumi.runtime import mocks
import runpy
from callroute.local.stack_config import StackConfig

class Nothing(mocks.Mocks):
    def new_resource(self, args):
        return args.name, {**args.inputs, "arn": f"arn:aws:x:ap-northeast-1:111111111111:table/{args.inputs.get('name', args.name)}",
                           "url": f"https://sqs.ap-northeast-1.amazonaws.com/111111111111/{args.name}",
                           "name": args.inputs.get("name", args.name), "contactFlowId": args.name}
    def call(self, args):
        return {"accountId": "111111111111", "region": "ap-northeast-1", "partition": "aws"}

config = StackConfig.read("prod")
mocks.set_mocks(Nothing(), config.project, config.stack)
pulumi.runtime.settings.SETTINGS.root_directory = str(config.folder)
pulumi.runtime.set_all_config(config.config)
begin = time.perf_counter()

@pulumi.runtime.test
def run():
    runpy.run_path(str(config.folder), run_name="__main__")

run()
print(imported, time.perf_counter() - begin)
"""


def measure() -> list[Measurement]:
    """Measures commands, the local stack, the demo and the Pulumi program."""
    project = find_project()
    return [*_commands(project), _stack(project), _demo(project), _program(project)]


def _commands(project: Path) -> list[Measurement]:
    """Compares running commands with importing libraries that command-line tools typically use.

    The runs are interleaved so that variations in machine load affect all of them equally.
    """
    times: dict[tuple[str, ...], list[float]] = {
        IMPORTS: [],
        **{command: [] for command in COMMANDS.values()},
    }
    for _ in range(COMMAND_RUNS):
        for command, durations in times.items():
            start = time.perf_counter()
            _run(command, project)
            durations.append(time.perf_counter() - start)
    baseline = median(times[IMPORTS])
    results = []
    for name, command in COMMANDS.items():
        duration = median(times[command])
        results.append(
            Measurement(
                name,
                f"{duration:.2f} s",
                f"at most {COMMAND_RATIO:g} times the imports",
                duration / baseline <= COMMAND_RATIO,
                f"median of {COMMAND_RUNS}; importing typer, rich.table and yaml takes {baseline:.2f} s",
                ratio(duration, baseline, "importing typer and rich"),
            )
        )
    return results


def _stack(project: Path) -> Measurement:
    """Compares the local stack with an emulator that starts and stays empty."""
    bare, whole = [], []
    for _ in range(RUNS):
        start = time.perf_counter()
        with Emulator():
            bare.append(time.perf_counter() - start)
        start = time.perf_counter()
        with LocalCloud(project=project):
            whole.append(time.perf_counter() - start)
    return seconds(
        "local stack started and deployed",
        median(whole),
        at_most=8,
        method=f"median of {RUNS}; an empty emulator starts in {median(bare):.2f} s",
        floor=(median(bare), "starting an empty emulator"),
    )


def _demo(project: Path) -> Measurement:
    start = time.perf_counter()
    _run(("-m", "callroute", "demo"), project)
    return seconds(
        "demo, after installation", time.perf_counter() - start, at_most=30, method="one run with 40 calls"
    )


def _program(project: Path) -> Measurement:
    imports, programs = [], []
    for _ in range(RUNS):
        imported, program = map(float, _run(("-c", PROGRAM), project).split())
        imports.append(imported)
        programs.append(program)
    return seconds(
        "Pulumi program with mocks, without importing pulumi_aws",
        median(programs),
        at_most=0.5,
        method=f"median of {RUNS}, stack prod; importing pulumi_aws and its nine services takes {median(imports):.2f} s",
        floor=(median(imports), "importing pulumi_aws"),
    )


def _run(arguments: tuple[str, ...], project: Path) -> str:
    """Runs Python and returns its output."""
    return subprocess.run(  # noqa: S603 - fixed arguments
        [sys.executable, *arguments], cwd=project, check=True, capture_output=True, text=True
    ).stdout
