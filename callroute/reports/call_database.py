"""Loads call records from files into DuckDB and counts them."""

from __future__ import annotations

import gzip
import json
import re
import secrets
import tempfile
import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from hashlib import blake2b
from pathlib import Path
from types import TracebackType
from typing import Any, Literal

import duckdb

from callroute.errors import InputError
from callroute.reports.behavior import Visit
from callroute.reports.report import OUTCOMES, TROUBLES, Outcome, RepeatCallers, Span

MEMORY_LIMIT = "256MB"
"""DuckDB's memory limit. Larger intermediate results go to a temporary file."""
THREADS = 4
"""Number of DuckDB threads. Each one needs buffers for the files, so more threads would need more memory."""
DURATIONS = (0, 5, 10, 15, 20, 30, 45, 60, 90, 120, 180, 300, 600)
"""Lower ends of the duration ranges, in seconds."""
REPEAT_HOURS = 24

ATTRIBUTES = {
    "contact_id": "S",
    "call_date": "S",
    "start_time": "S",
    "call_flow": "S",
    "call_route": "S",
    "outcome": "S",
    "duration_seconds": "N",
    "phone_number": "S",
    "version": "S",
    "last_update": "S",
    "flow_version": "S",
    "arm": "S",
    "stops_visited": "L",
    "trouble": "M",
}
"""Item attributes that a report reads, with their DynamoDB types (docs/record.md)."""
TABLE_ATTRIBUTES = [name for name in ATTRIBUTES if name not in ("contact_id", "version", "last_update")]
"""Attributes to read from a table, where no contact_id occurs twice."""
MASKED = "****"
"""Prefix of masked numbers."""
_FORMS = {
    "call_date": r"\d{4}-\d\d-\d\d",
    "start_time": r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(Z|[+-]\d\d:\d\d)",
    "call_route": r"(?s).*",
    "outcome": "|".join(OUTCOMES),
}
"""Required attributes, with the patterns that their values must match."""
MAX_LINE = 4_194_304
"""Maximum length of a line in bytes. A DynamoDB item can be up to 400 KB."""
CONTACT_RECORD = "is a contact record, not a call record"
GZIP = b"\x1f\x8b"

_TABLE = """
CREATE TABLE calls (
    id UBIGINT, version VARCHAR, day DATE, started BIGINT, hour UTINYINT, call_flow VARCHAR, call_route VARCHAR,
    outcome VARCHAR, duration DOUBLE, caller UBIGINT, masked BOOLEAN, flow_version VARCHAR, arm VARCHAR,
    visits STRUCT(stop VARCHAR, silence UTINYINT, wrong_key UTINYINT, error UTINYINT)[], broken BOOLEAN
)
"""
_SCALARS = ("S", "N")
_COLUMNS = {
    "Item": f"STRUCT({', '.join(f'{name} JSON' for name in ATTRIBUTES)})",
    **{name: "VARCHAR" if kind in _SCALARS else "JSON" for name, kind in ATTRIBUTES.items()},
}
_VALUES = ", ".join(
    f"coalesce(plain.{name}, Item.{name}->{'>' if kind in _SCALARS else ''}'{kind}') AS {name}"
    for name, kind in ATTRIBUTES.items()
)
"""Each attribute, from a line of plain values or from the `Item` in an export."""
_STOPS = "list_transform(try_cast(stops_visited AS JSON[]), lambda stop: coalesce(stop->>'S', stop->>'$'))"
_DISTINCT_STOPS = (
    "list_filter(list_append(stops, call_route),"
    " lambda stop, place: list_position(list_append(stops, call_route), stop) = place)"
)
"""The distinct stops in their original order, which `list_distinct` does not keep."""
_TROUBLE = "STRUCT({plain}, M STRUCT({typed}))".format(
    plain=", ".join(f"{kind} UTINYINT" for kind in TROUBLES),
    typed=", ".join(f"{kind} STRUCT(N UTINYINT)" for kind in TROUBLES),
)
"""Counts at one stop, as plain values or in an export."""
_VISIT = ", ".join(
    ["stop := stop", *(f"{kind} := coalesce(met[stop].{kind}, met[stop].M.{kind}.N, 0)" for kind in TROUBLES)]
)
_LOAD = f"""
INSERT INTO calls
SELECT
    CASE WHEN contact_id IS NOT NULL THEN hash(contact_id) END, coalesce(version, last_update, ''), day, started,
    hour(try_cast(left(start_time, 19) AS TIMESTAMP)), call_flow, call_route, outcome, duration,
    CASE WHEN NOT starts_with(phone_number, '{MASKED}') THEN hash($salt || phone_number) END,
    coalesce(starts_with(phone_number, '{MASKED}'), false), flow_version, arm,
    CASE WHEN stops IS NOT NULL
        THEN list_transform({_DISTINCT_STOPS}, lambda stop: struct_pack({_VISIT})) END,
    day IS NULL OR started IS NULL OR call_route IS NULL OR outcome IS NULL OR outcome NOT IN {OUTCOMES}
        OR (duration IS NULL AND duration_seconds IS NOT NULL)
        OR coalesce(NOT isfinite(duration) OR duration < 0, false)
        OR (stops IS NULL AND stops_visited IS NOT NULL) OR coalesce(len(stops) <> list_count(stops), false)
        OR (met IS NULL AND trouble IS NOT NULL) AS broken
FROM (
    SELECT
        *,
        CASE WHEN regexp_full_match(call_date, '{_FORMS["call_date"]}') THEN try_cast(call_date AS DATE) END AS day,
        CASE WHEN regexp_full_match(start_time, '{_FORMS["start_time"]}')
            THEN epoch(try_cast(start_time AS TIMESTAMPTZ))::BIGINT END AS started,
        try_cast(duration_seconds AS DOUBLE) AS duration,
        {_STOPS} AS stops,
        try_cast(trouble AS MAP(VARCHAR, {_TROUBLE})) AS met
    FROM (
        SELECT {_VALUES}
        FROM read_json(
            $files, format = 'newline_delimited', compression = $compression, maximum_object_size = {MAX_LINE},
            columns = {_COLUMNS}
        ) AS plain
    )
)
WHERE broken OR day BETWEEN $first AND $last
"""  # noqa: S608 - built from constants
_DAYS = f"""
SELECT min(day), max(day) FROM (
    SELECT try_cast(coalesce(plain.call_date, Item.call_date->>'S') AS DATE) AS day
    FROM read_json(
        $file, format = 'newline_delimited', compression = $compression, maximum_object_size = {MAX_LINE},
        columns = {_COLUMNS}
    ) AS plain
)
"""  # noqa: S608 - built from constants
_KEEP_NEWEST = """
DELETE FROM calls WHERE rowid IN (
    SELECT rowid FROM (
        SELECT rowid, row_number() OVER (PARTITION BY id ORDER BY version DESC, rowid) AS place
        FROM calls
        WHERE id IN (SELECT id FROM calls GROUP BY id HAVING count(*) > 1)
    )
    WHERE place > 1
)
"""
_WATERFALL = """
SELECT
    call_flow, stop,
    count(*) FILTER (stop <> call_route AND NOT left_here),
    count(*) FILTER (stop = call_route AND outcome IN ('answered', 'abandoned_in_queue')),
    count(*) FILTER (stop = call_route AND outcome = 'completed'),
    count(*) FILTER (left_here AND error = 0 AND silence = 0 AND wrong_key = 0),
    count(*) FILTER (left_here AND error = 0 AND silence > 0 AND silence >= wrong_key),
    count(*) FILTER (left_here AND error = 0 AND wrong_key > silence),
    count(*) FILTER (left_here AND error > 0),
    count(*) FILTER (silence > 0), count(*) FILTER (wrong_key > 0), count(*) FILTER (error > 0)
FROM (
    SELECT
        *,
        outcome = 'abandoned_in_flow'
            AND (stop = call_route OR (stop = before_dead_end AND silence + wrong_key + error > 0)) AS left_here
    FROM (
        SELECT
            call_flow, call_route, outcome,
            CASE WHEN list_contains($dead_ends::VARCHAR[][], [call_flow, visits[-2].stop, call_route])
                THEN visits[-2].stop ELSE call_route END AS before_dead_end,
            unnest(visits, max_depth := 2)
        FROM calls
        WHERE day BETWEEN $first AND $last
    )
)
GROUP BY ALL
"""
_REPEATS = """
SELECT
    count(*) FILTER (WHERE again IS NULL AND caller IS NOT NULL AND started + $seconds <= ending),
    count(*) FILTER (WHERE again IS NOT NULL),
    count(*) FILTER (WHERE again IS NULL AND caller IS NOT NULL AND started + $seconds > ending),
    count(*) FILTER (WHERE caller IS NULL)
FROM (
    SELECT
        *,
        CASE WHEN caller IS NOT NULL THEN min(started) OVER (
            PARTITION BY caller ORDER BY started RANGE BETWEEN 1 FOLLOWING AND $seconds FOLLOWING
        ) END AS again,
        (SELECT max(started) FROM calls) AS ending
    FROM calls
    WHERE day >= $first
)
WHERE day <= $last AND outcome = 'completed'
"""


@dataclass(frozen=True)
class StopCount:
    """Number of calls that ended at one stop with one outcome."""

    call_flow: str | None
    route: str
    outcome: str
    calls: int


@dataclass(frozen=True)
class VisitCount:
    """Calls with detail that reached one stop."""

    call_flow: str | None
    route: str
    continued: int
    transferred: int
    completed: int
    hung_up: int
    silence: int
    wrong_key: int
    error: int
    met_silence: int
    met_wrong_key: int
    met_error: int


@dataclass(frozen=True)
class VariantCount:
    """Number of calls with the same version or arm that ended at the same stop with the same outcome."""

    call_flow: str | None
    variant: str
    route: str
    outcome: str
    calls: int
    first: date
    last: date


@dataclass(frozen=True)
class JourneyCount:
    """Calls with the same path and outcome. Calls without detail have no `visits`."""

    call_flow: str | None
    flow_version: str | None
    route: str
    outcome: Outcome
    visits: tuple[Visit, ...] | None
    calls: int


class CallDatabase:
    """Database of the calls in a span, in the previous span and on the following day. Use it in a `with` block.

    Keeps numbers only as salted hashes, in a temporary folder that is removed at the end.

    Args:
        span: the span.
        compared: whether to load the other days too.
    """

    def __init__(self, span: Span, *, compared: bool = True) -> None:
        self.span = span
        self._compared = compared
        self._folder = tempfile.TemporaryDirectory(prefix="callroute-")
        self.folder = Path(self._folder.name)
        """Folder for temporary files that only this user can read."""
        self._files: Mapping[Path, bool] = {}
        self._salt = secrets.token_hex(16)
        self._connection = duckdb.connect(
            self.folder / "calls.duckdb",
            config={
                "memory_limit": MEMORY_LIMIT,
                "temp_directory": str(self.folder / "spilled"),
                "threads": THREADS,
            },
        )
        self._connection.execute("SET preserve_insertion_order = false")
        self._connection.execute("SET enable_progress_bar = false")
        self._connection.execute(_TABLE)

    def __enter__(self) -> CallDatabase:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._connection.close()
        self._folder.cleanup()

    # --- Loading -----------------------------------------------------------------------------------------------------

    @property
    def needed(self) -> Span:
        """Days to load: the previous span for comparison, the span, and the next day for repeat callers."""
        if not self._compared:
            return self.span
        return Span(self.span.previous.first, self.span.last + timedelta(1))

    def load(self, files: Mapping[Path, str]) -> None:
        """Loads files with one item per line: plain values or DynamoDB's export format, gzipped or not.

        If several lines have the same contact_id, only the newest version counts.

        Args:
            files: names of the files for error messages, keyed by path.

        Raises:
            InputError: a file cannot be read, or a line is not an item.
        """
        compressed = {path: _is_compressed(path, name) for path, name in files.items()}
        try:
            for compression in ("gzip", "uncompressed"):
                paths = [_literal(each) for each in files if compressed[each] == (compression == "gzip")]
                if paths:
                    self._load(paths, compression)
            broken = self._connection.execute("SELECT count(*) FROM calls WHERE broken").fetchall()[0][0]
        except duckdb.Error as error:
            raise _first_defect(files, compressed) from error
        if broken:
            raise _first_defect(files, compressed)
        self._connection.execute(_KEEP_NEWEST)
        self._files = compressed

    def load_items(self, items: Iterable[Mapping[str, Any]]) -> int:
        """Loads items with plain values, one at a time.

        Returns:
            Number of items that are skipped because they are not call records.
        """
        file = self.folder / "items.jsonl"
        with file.open("w", encoding="utf-8") as lines:
            for item in items:
                values = {name: item[name] for name in ATTRIBUTES if name in item}
                if "phone_number" in values:
                    values["phone_number"] = self._anonymous(str(values["phone_number"]))
                lines.write(json.dumps(values) + "\n")
        self._load([_literal(file)], "uncompressed")
        file.unlink()
        skipped = self._connection.execute("DELETE FROM calls WHERE broken").fetchall()[0][0]
        self._connection.execute(_KEEP_NEWEST)
        return int(skipped)

    def _load(self, patterns: Sequence[str], compression: str) -> None:
        parameters = {"files": patterns, "compression": compression, "salt": self._salt}
        self._connection.execute(_LOAD, {**parameters, "first": self.needed.first, "last": self.needed.last})

    def _anonymous(self, number: str) -> str:
        """Returns a salted hash of a phone number, so that no file contains the number itself."""
        if number.startswith(MASKED):
            return MASKED
        return blake2b(number.encode(), key=self._salt.encode(), digest_size=16).hexdigest()

    # --- Counts ------------------------------------------------------------------------------------------------------

    def available(self) -> Span | None:
        """Returns the first and last day of all items in the loaded files, even those outside the report's span."""
        days: list[date] = []
        for path, compressed in self._files.items():
            rows = self._connection.execute(
                _DAYS, {"file": _literal(path), "compression": "gzip" if compressed else "uncompressed"}
            ).fetchall()
            days += [day for day in rows[0] if day]
        return Span(min(days), max(days)) if days else None

    def stops(self, span: Span) -> list[StopCount]:
        """Returns the number of calls in a span, by stop and outcome."""
        rows = self._all(
            "SELECT call_flow, call_route, outcome, count(*) FROM calls WHERE day BETWEEN $first AND $last GROUP BY ALL",
            span,
        )
        return [StopCount(*row) for row in rows]

    def detailed(self) -> int:
        """Returns the number of calls with detail in the span."""
        query = "SELECT count(visits) FROM calls WHERE day BETWEEN $first AND $last"
        return int(self._all(query, self.span)[0][0])

    def visits(self, dead_ends: Iterable[tuple[str | None, str, str]] = ()) -> list[VisitCount]:
        """Returns the number of calls with detail in the span, by stop and what happened there.

        Args:
            dead_ends: values of `call_flow`, each with a stop and a dead end to which trouble at that stop leads. A call that
                was abandoned at the dead end counts as left at both.
        """
        rows = self._all(_WATERFALL, self.span, dead_ends=[list(each) for each in dead_ends])
        return [VisitCount(*row) for row in rows]

    def variants(self, attribute: Literal["flow_version", "arm"]) -> list[VariantCount]:
        """Returns the number of calls in the span that have an attribute, by its value, stop and outcome."""
        rows = self._all(
            f"SELECT call_flow, {attribute}, call_route, outcome, count(*), min(day), max(day) FROM calls"  # noqa: S608 - one of two names
            f" WHERE day BETWEEN $first AND $last AND {attribute} IS NOT NULL GROUP BY ALL",
            self.span,
        )
        return [VariantCount(*row) for row in rows]

    def journeys(self) -> list[JourneyCount]:
        """Returns the number of calls in the span, by path and outcome."""
        rows = self._all(
            "SELECT call_flow, flow_version, call_route, outcome, visits, count(*) FROM calls"
            " WHERE day BETWEEN $first AND $last GROUP BY ALL ORDER BY ALL",
            self.span,
        )
        return [
            JourneyCount(
                call_flow, version, route, outcome, visits and tuple(Visit(**each) for each in visits), calls
            )
            for call_flow, version, route, outcome, visits, calls in rows
        ]

    def days(self, span: Span) -> dict[tuple[date, str], int]:
        """Returns the number of calls by day and outcome."""
        rows = self._all(
            "SELECT day, outcome, count(*) FROM calls WHERE day BETWEEN $first AND $last GROUP BY ALL", span
        )
        return {(day, outcome): calls for day, outcome, calls in rows}

    def hours(self) -> dict[tuple[int, int], tuple[int, int]]:
        """Returns the number of calls and of abandoned calls in the span, by weekday (0: Monday) and hour."""
        rows = self._all(
            "SELECT isodow(day) - 1, hour, count(*), count(*) FILTER (WHERE outcome = 'abandoned_in_flow')"
            " FROM calls WHERE day BETWEEN $first AND $last GROUP BY ALL",
            self.span,
        )
        return {(weekday, hour): (calls, left) for weekday, hour, calls, left in rows}

    def quantiles(self) -> dict[tuple[str | None, str], tuple[float | None, float | None]]:
        """Returns the median and 90th percentile of the duration of abandoned calls, by flow and route.

        Both interpolate linearly between the closest durations.
        """
        rows = self._all(
            "SELECT call_flow, call_route, quantile_cont(duration, 0.5), quantile_cont(duration, 0.9) FROM calls"
            " WHERE day BETWEEN $first AND $last AND outcome = 'abandoned_in_flow' GROUP BY ALL",
            self.span,
        )
        return {(call_flow, route): (median, p90) for call_flow, route, median, p90 in rows}

    def durations(self) -> dict[int, int]:
        """Returns the number of abandoned calls, keyed by the lower end of their duration range."""
        rows = self._all(
            f"SELECT list_max(list_filter({list(DURATIONS)}, lambda low: low <= duration)), count(*) FROM calls"  # noqa: S608 - built from constants
            " WHERE day BETWEEN $first AND $last AND outcome = 'abandoned_in_flow' AND duration IS NOT NULL GROUP BY ALL",
            self.span,
        )
        return dict(rows)

    def repeat_callers(self) -> RepeatCallers | str:
        """Returns completed calls, grouped by whether the number called again, or a key of REPEAT_REASONS if unknown."""
        numbers, masked = self._all(
            "SELECT count(caller), count(*) FILTER (WHERE masked) FROM calls WHERE day BETWEEN $first AND $last",
            self.span,
        )[0]
        if masked:
            return "masked"
        if not numbers:
            return "no_numbers"
        seconds = REPEAT_HOURS * 3600
        return RepeatCallers(REPEAT_HOURS, *self._all(_REPEATS, self.span, seconds=seconds)[0])

    def _all(self, query: str, span: Span, **parameters: Any) -> list[tuple[Any, ...]]:
        return self._connection.execute(
            query, {"first": span.first, "last": span.last, **parameters}
        ).fetchall()


def _literal(path: Path) -> str:
    """Escapes a path so that DuckDB does not expand it as a pattern."""
    return re.sub(r"([*?\[])", r"[\1]", str(path))


# --- Errors ----------------------------------------------------------------------------------------------------------


def _first_defect(files: Mapping[Path, str], compressed: Mapping[Path, bool]) -> InputError:
    """Returns the error for the first line that is not an item. DuckDB's own line numbers are not exact."""
    for path, name in files.items():
        try:
            with gzip.open(path) if compressed[path] else path.open("rb") as lines:
                for number, line in enumerate(lines, start=1):
                    if line.strip() and (defect := _defect(line)):
                        fix = (
                            "Turn contact records into call records with `callroute replay`"
                            if defect == CONTACT_RECORD
                            else "Fix or remove the line"
                        )
                        return InputError(f"{name}:{number}", "", defect, fix)
        except (OSError, EOFError, zlib.error) as error:
            return InputError(name, "", f"cannot be decompressed ({error})", "Provide the complete file")
    return InputError(", ".join(files.values()), "", "contains lines that are not items", "Check the files")


def _is_compressed(path: Path, name: str) -> bool:
    """Returns whether a file is compressed with gzip.

    Raises:
        InputError: the file cannot be read.
    """
    try:
        with path.open("rb") as file:
            return file.read(2) == GZIP
    except FileNotFoundError as error:
        raise InputError(name, "", "there is no such file", "Provide the path of an existing file") from error
    except OSError as error:
        problem = f"cannot be read ({error.strerror})"
        raise InputError(name, "", problem, "Provide the path of a readable file") from error


def _defect(line: bytes) -> str | None:
    """Returns the first defect in a line, or None. Does not quote values that may be personal data."""
    try:
        item = json.loads(line)
    except json.JSONDecodeError as error:
        return f"is not valid JSON ({error.msg[:1].lower()}{error.msg[1:]})"
    except (ValueError, RecursionError):
        return "is not valid JSON in UTF-8"
    if isinstance(item, dict) and isinstance(item.get("Item"), dict):
        item = {
            name: value.get(ATTRIBUTES.get(name)) if isinstance(value, dict) else None
            for name, value in item["Item"].items()
        }
    if not isinstance(item, dict):
        return "is not a JSON object"
    if "ContactId" in item:
        return CONTACT_RECORD
    for name, form in _FORMS.items():
        value = item.get(name)
        if value is None:
            return f"has no {name}"
        if not re.fullmatch(form, str(value)):
            return f"has an invalid {name} ({str(value)[:40]!r})"
    try:
        date.fromisoformat(item["call_date"])
        datetime.fromisoformat(item["start_time"])
        float(item.get("duration_seconds") or 0)
    except (TypeError, ValueError):
        return "has a date, time or duration that does not exist"
    stops, trouble = item.get("stops_visited"), item.get("trouble")
    if stops is not None and not (isinstance(stops, list) and None not in stops):
        return "has an invalid stops_visited (not a list of strings)"
    if trouble is not None and not isinstance(trouble, dict):
        return "has an invalid trouble (not an object)"
    return None
