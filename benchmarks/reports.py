"""Measures `callroute report` over a large file of call records."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from datetime import date
from pathlib import Path

from benchmarks.measurement import Measurement, ratio
from callroute.reports.report import Span
from tests.support.made_up_calls import made_up_items

SPAN = Span(date(2026, 11, 16), date(2026, 11, 22))
ITEMS = 1_000_000
MORE = 2
"""Number of times that the large file repeats the small file's calls, with different IDs."""
MEGABYTE = 1024 * 1024


def measure() -> list[Measurement]:
    """Measures time and memory, and how memory grows with the number of items."""
    with tempfile.TemporaryDirectory() as folder:
        small, large, detailed = (Path(folder, f"{name}.jsonl") for name in ("small", "large", "detailed"))
        count = _write(small, large)
        _write_detailed(detailed)
        start = time.perf_counter()
        with small.open("rb") as file:
            while file.read(MEGABYTE):
                pass
        reading = time.perf_counter() - start
        elapsed, processor, memory = _report(small)
        _, _, more_memory = _report(large)
        detail_elapsed, detail_processor, detail_memory = _report(detailed)
    return [
        Measurement(
            f"report on {count:,} items from a file",
            f"{elapsed:.1f} s",
            "at most 60 s",
            elapsed <= 60,
            f"{processor:.1f} s of processor time; reading the file takes {reading:.2f} s",
            ratio(elapsed, reading, "reading the file"),
        ),
        Measurement(
            f"memory for {count:,} items",
            f"{memory:.0f} MB",
            "at most 500 MB",
            memory <= 500,
            "peak, whole process",
        ),
        Measurement(
            f"memory for {MORE * count:,} items",
            f"{more_memory:.0f} MB",
            "at most 500 MB",
            more_memory <= 500,
            "peak, whole process",
        ),
        Measurement(
            f"report on {count:,} items with call detail",
            f"{detail_elapsed:.1f} s",
            "at most 60 s",
            detail_elapsed <= 60,
            f"{detail_processor:.1f} s of processor time; all items have detail, a version and an arm",
        ),
        Measurement(
            f"memory for {count:,} items with call detail",
            f"{detail_memory:.0f} MB",
            "at most 500 MB",
            detail_memory <= 500,
            "peak, whole process",
        ),
    ]


def _write(small: Path, large: Path) -> int:
    """Writes made-up items and returns their number."""
    count = 0
    with small.open("w", encoding="utf-8") as one, large.open("w", encoding="utf-8") as more:
        for item in made_up_items(SPAN, ITEMS // (2 * SPAN.days)):
            count += 1
            line, contact_id = json.dumps(item) + "\n", item["contact_id"]
            one.write(line)
            for number in range(MORE):
                more.write(line.replace(contact_id, f"{number}{contact_id[1:]}", 1))
    return count


def _write_detailed(file: Path) -> None:
    """Writes made-up items with call detail."""
    with file.open("w", encoding="utf-8") as lines:
        for item in made_up_items(SPAN, ITEMS // (2 * SPAN.days), detailed_from=SPAN.previous.first):
            lines.write(json.dumps(item) + "\n")


def _report(file: Path) -> tuple[float, float, float]:
    """Runs the command. Returns its duration and processor time in seconds, and its peak memory in megabytes."""
    command = [sys.executable, "-m", "callroute", "report", str(file), "--format", "json"]
    command += ["--from", str(SPAN.first), "--to", str(SPAN.last)]
    start = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)  # noqa: S603 - this project's command
    _, status, usage = os.wait4(process.pid, 0)
    elapsed = time.perf_counter() - start
    if status:
        raise RuntimeError(f"{' '.join(command)} failed")
    # Linux reports the memory in kilobytes.
    return elapsed, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024
