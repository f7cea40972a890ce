"""Runs the emulator with injected faults: `python -m tests.faults.emulator_process`.

One hook injects faults into the calls of state machines. In addition, a stream keeps the records of shards that were split
or merged, as on AWS. ministack deletes them.
"""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.faults.injection import Injection, Injector

FILE = "faults.json"
"""Name of the file with the active faults, in the emulator's folder."""
RETRY_SCALE = "0.001"
"""Factor for the pauses between the retries of a Task."""

Handler = Callable[[dict[str, Any]], Any]


def main() -> None:
    """Runs the emulator until standard input is closed."""
    os.environ["SFN_WAIT_SCALE"] = RETRY_SCALE
    from ministack.services import kinesis, stepfunctions

    from callroute.local.ministack_patches.__main__ import main as run_emulator

    path = Path(os.environ["HOME"]) / FILE
    Injection().write(path)
    stepfunctions._invoke_resource = injected(stepfunctions._invoke_resource, Injector(path, seed=0))
    kinesis._split_shard = keep_parents(kinesis._split_shard)
    kinesis._merge_shards = keep_parents(kinesis._merge_shards)
    kinesis._get_records = end_closed_shards(kinesis._get_records)
    run_emulator()


def injected(invoke: Callable[[str, Any], Any], injector: Injector) -> Callable[[str, Any], Any]:
    """Adds the active faults to the calls of state machines."""
    from ministack.services.stepfunctions import _ExecutionError

    calls: dict[int, int] = {}  # until the process with this ID is killed

    def invoke_with_faults(resource: str, input_data: Any) -> Any:
        active = injector.active()
        if active.kill:
            calls[active.kill] = calls.get(active.kill, 0) + 1
            if calls[active.kill] == active.kill_after:
                os.kill(active.kill, signal.SIGKILL)
        fault = active.tasks.get(resource.rpartition(":::")[2])
        if fault is None or not injector.strikes(fault.rate):
            return invoke(resource, input_data)
        if fault.after:
            invoke(resource, input_data)
        raise _ExecutionError(fault.error, "injected")

    return invoke_with_faults


def keep_parents(reshard: Handler) -> Handler:
    """Keeps the parent shards, which ministack deletes, and marks them as closed."""
    from ministack.services.kinesis import _resolve_stream

    def reshard_and_keep_parents(data: dict[str, Any]) -> Any:
        _, stream = _resolve_stream(data)
        before = dict(stream["shards"])
        response = reshard(data)
        after = stream["shards"]
        parents = {name: {**shard, "closed": True} for name, shard in before.items() if name not in after}
        # A new record is added to the first shard that accepts its key, so closed shards follow the open ones.
        everything = sorted({**after, **parents}.items(), key=lambda each: each[1].get("closed", False))
        stream["shards"] = dict(everything)
        return response

    return reshard_and_keep_parents


def end_closed_shards(get_records: Handler) -> Handler:
    """Removes the next iterator at the end of a closed shard."""
    from ministack.services.kinesis import _shard_iterators, _streams

    def get_records_until_end(data: dict[str, Any]) -> Any:
        status, headers, body = get_records(data)
        answer = json.loads(body)
        following = _shard_iterators.get(answer.get("NextShardIterator"))
        if following:
            shard = _streams[following["stream"]]["shards"][following["shard_id"]]
            if shard.get("closed") and following["position"] >= len(shard["records"]):
                del answer["NextShardIterator"]
                body = json.dumps(answer).encode()
        return status, headers, body

    return get_records_until_end


if __name__ == "__main__":
    main()
