"""How long one waits before anything happens."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path
from statistics import median

from benchmarks.measurement import Measurement, seconds
from callroute.local.cloud import LocalCloud

REPOSITORY = Path(__file__).resolve().parents[1]
RUNS = 5

# The program under mocks that make nothing, in a process of its own: the time of Python's own start is in neither figure.
PROGRAM = """
import time
import pulumi, pulumi_aws
from pulumi.runtime import mocks
start = time.perf_counter()
import runpy
from callroute.local.stack_runner import StackConfig

class Nothing(mocks.Mocks):
    def new_resource(self, args):
        return args.name, {**args.inputs, "arn": f"arn:aws:x:ap-northeast-1:111111111111:table/{args.inputs.get('name', args.name)}",
                           "url": f"https://sqs.ap-northeast-1.amazonaws.com/111111111111/{args.name}",
                           "name": args.inputs.get("name", args.name), "contactFlowId": args.name}
    def call(self, args):
        return {"accountId": "111111111111", "region": "ap-northeast-1", "partition": "aws"}

settings = StackConfig.read("prod")
read = time.perf_counter() - start
mocks.set_mocks(Nothing(), settings.project, settings.stack)
pulumi.runtime.set_all_config(settings.config)
begin = time.perf_counter()

@pulumi.runtime.test
def run():
    runpy.run_path(".", run_name="__main__")

run()
print(time.perf_counter() - begin)
"""


def measure() -> list[Measurement]:
    """Local stack, demo, and the program itself."""
    return [_stack(), _demo(), _program()]


def _stack() -> Measurement:
    times = []
    for _ in range(RUNS):
        start = time.perf_counter()
        with LocalCloud():
            times.append(time.perf_counter() - start)
    return seconds("local stack up and deployed", median(times), at_most=8, how=f"median of {RUNS}")


def _demo() -> Measurement:
    start = time.perf_counter()
    subprocess.run(
        [sys.executable, "-m", "callroute", "demo"], cwd=REPOSITORY, check=True, capture_output=True
    )
    return seconds(
        "demo, once installed", time.perf_counter() - start, at_most=30, how="one run of 40 callers"
    )


def _program() -> Measurement:
    times = [
        float(
            subprocess.run(  # noqa: S603 - our own program
                [sys.executable, "-c", PROGRAM], cwd=REPOSITORY, check=True, capture_output=True, text=True
            ).stdout
        )
        for _ in range(RUNS)
    ]
    what = "program under mocks, over importing pulumi_aws"
    return seconds(what, median(times), at_most=0.5, how=f"median of {RUNS}, stack prod")
