"""Guards against metrics that differ from the items, and against metrics that stop calls from being stored.

The definition runs in the emulator, and the metrics are read back from it.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from call_route_tracker import CallRouteTrackerArgs
from call_route_tracker.options import RECORD_BYTES
from callroute.aws.pipe import BATCH_BYTES
from callroute.aws.state_machine import METRICS_PER_CALL, definition
from tests.support.contact_records import agent, contact_record, queue
from tests.support.jsonata_engines import evaluate, missing_reference, reference, same
from tests.support.options import tracker_args
from tests.support.recorder import Recorder

pytestmark = pytest.mark.emulator

MakeRecorder = Callable[..., Recorder]
NAMESPACE = "CallRoute"
DROPPED = {"abandoned_in_flow", "abandoned_in_queue"}


def ago(**span: float) -> str:
    """Returns a time in the past in the format of contact records."""
    return (datetime.now(UTC) - timedelta(**span)).strftime("%Y-%m-%dT%H:%M:%SZ")


STARTED = ago(minutes=30)
"""Constant, so that two records of a call are equal."""


def call(contact_id: str, route: str = "1", *, started: str = "", **changes: Any) -> dict[str, Any]:
    """Returns the record of a recent call."""
    started = started or STARTED
    times = {"InitiationTimestamp": started, "DisconnectTimestamp": None, "LastUpdateTimestamp": started}
    return contact_record(contact_id, **{"Attributes": {"call_route": route}, **times, **changes})


def metrics(recorder: Recorder, namespace: str = NAMESPACE) -> dict[tuple[str, str], tuple[float, float]]:
    """Returns the number of values and their sum, by metric name and by route or outcome, of a state machine."""
    cloudwatch = recorder.emulator.client("cloudwatch")
    found = {}
    for metric in cloudwatch.list_metrics(Namespace=namespace)["Metrics"]:
        dimensions = {each["Name"]: each["Value"] for each in metric["Dimensions"]}
        if dimensions.pop("Tracker") == recorder.arn.rpartition(":")[2]:
            points = cloudwatch.get_metric_statistics(
                Namespace=namespace,
                MetricName=metric["MetricName"],
                Dimensions=metric["Dimensions"],
                StartTime=datetime.now(UTC) - timedelta(days=20),
                EndTime=datetime.now(UTC) + timedelta(hours=3),
                Period=86_400,
                Statistics=["SampleCount", "Sum"],
            )["Datapoints"]
            key = metric["MetricName"], next(iter(dimensions.values()), "")
            found[key] = sum(each["SampleCount"] for each in points), sum(each["Sum"] for each in points)
    return found


def of_items(items: dict[str, dict[str, Any]]) -> dict[tuple[str, str], tuple[float, float]]:
    """Returns the metrics that the items of a table should have."""
    outcomes = Counter(item["outcome"] for item in items.values())
    expected: dict[tuple[str, str], tuple[float, float]] = {
        ("Calls", outcome): (count, count) for outcome, count in outcomes.items()
    }
    for route in {"", *(item["call_route"] for item in items.values())}:
        of_route = [item for item in items.values() if route in ("", item["call_route"])]
        dropped = sum(item["outcome"] in DROPPED for item in of_route)
        expected["Abandoned", route] = len(of_route), dropped
    return expected


def test_metrics_equal_the_items_of_all_batches(recorder: MakeRecorder) -> None:
    machine = recorder(metrics=True)
    changes: list[dict[str, Any]] = [
        {},
        {"Queue": queue()},
        {"Queue": queue(), "Agent": agent()},
        {"Attributes": {"call_route": "2", "call_completed": "true"}},
    ]
    calls = [
        call(f"call-{number}", f"{number % 5}", started=ago(hours=number), **changes[number % 4])
        for number in range(60)
    ]

    for start in range(0, len(calls), 7):
        machine.store([*calls[start : start + 7], call("broken", started="never"), *calls[:start][-2:]])

    assert len(machine.items()) == len(calls)
    assert metrics(machine) == of_items(machine.items())


def test_a_call_is_counted_once_however_often_it_is_delivered(recorder: MakeRecorder) -> None:
    machine = recorder(metrics=True)
    newer = call("a", LastUpdateTimestamp=ago(minutes=1))

    assert machine.store([call("a"), call("a")]) == ["stored", "older"]
    assert machine.store([call("a")]) == ["older"]
    assert machine.store([newer]) == ["stored"]

    assert metrics(machine)["Abandoned", ""] == (1, 1)


def test_an_item_that_another_program_created_first_is_counted(recorder: MakeRecorder) -> None:
    machine = recorder(metrics=True)
    machine.emulator.client("dynamodb").put_item(
        TableName=machine.table, Item={"contact_id": {"S": "a"}, "survey": {"S": "5"}}
    )

    machine.store([call("a")])

    assert machine.items()["a"]["survey"] == "5"
    assert metrics(machine)["Abandoned", ""] == (1, 1)


@pytest.mark.parametrize(
    ("started", "counted"),
    [({"days": 13.9}, True), ({"days": 14.1}, False), ({"hours": -0.9}, True), ({"hours": -1.1}, False)],
)
def test_a_call_outside_the_period_that_cloudwatch_accepts_is_only_stored(
    recorder: MakeRecorder, started: dict[str, float], counted: bool
) -> None:
    machine = recorder(metrics=True)

    assert machine.store([call("a", started=ago(**started))]) == ["stored"]

    assert list(machine.items()) == ["a"]
    assert (("Abandoned", "") in metrics(machine)) is counted


@pytest.mark.parametrize(
    ("route", "dimension"),
    [
        ("1-2 (main menu)", "1-2 (main menu)"),
        ("紛失", "%E7%B4%9B%E5%A4%B1"),
        (":a", "%3Aa"),
        ("a\n", "a%0A"),
        (" ", "(empty)"),
        ("a" * 1_500, "a" * 1_024),
    ],
    ids=["plain", "Japanese", "colon", "newline", "space", "long"],
)
def test_a_route_becomes_a_dimension_value_that_cloudwatch_accepts(
    recorder: MakeRecorder, route: str, dimension: str
) -> None:
    machine = recorder(metrics=True)

    machine.store([call("a", route)])

    assert metrics(machine)["Abandoned", dimension] == (1, 1)


def test_metrics_go_only_to_the_configured_namespace(recorder: MakeRecorder) -> None:
    machine = recorder(metrics=True, metrics_namespace="Hotline/Calls")
    machine.store([call("a")])

    assert metrics(machine, "Hotline/Calls")["Abandoned", ""] == (1, 1)
    assert metrics(machine) == {}


@pytest.mark.parametrize("failure", ["another namespace", "unknown action"])
def test_a_failed_metric_does_not_fail_the_batch(recorder: MakeRecorder, failure: str) -> None:
    machine = recorder(metrics=True)
    changed = json.loads(json.dumps(machine.definition))
    if failure == "another namespace":  # the role does not allow it
        changed["States"]["CountCalls"]["Arguments"]["Namespace"] = "Elsewhere"
    else:
        changed["States"]["CountCalls"]["Resource"] += "s"
    machine.changed(changed)

    response = machine.execute([call("a"), call("a"), contact_record(None)])  # type: ignore[arg-type]  # quarantined

    assert response["status"] == "SUCCEEDED", response
    assert json.loads(response["output"]) == ["stored", "older", "quarantined"]
    assert metrics(machine, "Elsewhere") == metrics(machine) == {}


def test_without_new_calls_no_request_is_made(recorder: MakeRecorder) -> None:
    machine = recorder(metrics=True)
    changed = json.loads(json.dumps(machine.definition))
    del changed["States"]["CountCalls"]["Catch"]
    changed["States"]["CountCalls"]["Arguments"]["Namespace"] = "Elsewhere"
    machine.changed(changed)

    assert machine.store([contact_record(None)]) == ["quarantined"]  # type: ignore[arg-type]  # quarantined
    assert machine.execute([call("a")])["status"] == "FAILED", "a request would have failed"


def test_the_largest_batch_fits_into_one_request() -> None:
    largest = BATCH_BYTES // RECORD_BYTES

    # Limits of PutMetricData: 1,000 metrics and 1 MB.
    assert largest * METRICS_PER_CALL <= 1_000
    tracker, route = "t" * 64, "r" * 1_024
    data = metric_data([{"time": ago(), "route": route, "outcome": "answered", "abandoned": 0}] * largest)
    assert len(data) == largest * METRICS_PER_CALL
    assert len(json.dumps(data).replace('"tracker"', f'"{tracker}"')) < 256 * 1_024, (
        "the limit of a Task is lower"
    )


def test_a_stack_without_metrics_makes_no_request() -> None:
    machine = definition(tracker_args(), table_name="t", quarantine_queue_url="q")

    assert set(machine["States"]) == {"Settings", "EachContact"}
    assert "cloudwatch" not in json.dumps(machine)
    assert "ReturnValues" not in json.dumps(machine)


# --- Expressions in both engines -----------------------------------------------------------------------------

CALLS = [
    {"time": "2026-04-17T23:47:52Z", "route": route, "outcome": outcome, "abandoned": abandoned}
    for route, outcome, abandoned in [
        ("1", "completed", 0),
        ("紛失・盗難 📞", "abandoned_in_flow", 1),
        (": a\n", "abandoned_in_queue", 1),
        ("", "answered", 0),
        ("a" * 1_500, "answered", 0),
    ]
]


def expression(*path: str, args: CallRouteTrackerArgs | None = None) -> str:
    """Returns an expression of the definition, without its delimiters."""
    part: Any = definition(args or tracker_args(metrics=True), table_name="t", quarantine_queue_url="q")
    for name in path:
        part = part[name]
    return str(part)[2:-2].strip()


def metric_data(calls: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Returns the metrics of calls."""
    context = {"StateMachine": {"Name": "tracker"}}
    data: list[dict[str, Any]] = evaluate(
        expression("States", "CountCalls", "Arguments", "MetricData"),
        {"states": {"context": context}, "calls": calls},
    )
    return data


def evaluations() -> Iterator[tuple[str, dict[str, Any]]]:
    """Yields the expressions that metrics add to the definition, with variables for them."""
    store = ("States", "EachContact", "ItemProcessor", "States", "Store", "Output")
    reading = {"item": {"call_route": "1", "outcome": "abandoned_in_queue"}}
    for started in (ago(days=1), ago(days=15), ago(hours=-3), ago(days=1)[:-1] + ".5Z"):
        given = {"record": {"contact": {"InitiationTimestamp": started}}, "reading": reading}
        for result in (
            {},
            {"Attributes": {"call_route": {"S": "1"}}},
            {"Attributes": {"last_update": {"S": "a"}}},
        ):
            yield expression(*store), {"states": {"input": given, "result": result}}
    for results in ([], ["older"], [CALLS[0]], [*CALLS, "older", "stored", "expired"]):
        for path in (("Assign", "calls"), ("Output",)):
            yield expression("States", "EachContact", *path), {"states": {"result": results}}
    for calls in ([CALLS[0]], CALLS):
        context = {"StateMachine": {"Name": "tracker"}}
        yield (
            expression("States", "CountCalls", "Arguments", "MetricData"),
            {"states": {"context": context}, "calls": calls},
        )


def test_both_engines_agree_on_the_expressions_of_metrics() -> None:
    if reason := missing_reference():
        pytest.skip(reason)
    with reference() as engine:
        for text, bindings in evaluations():
            value, expected = evaluate(text, bindings), engine.evaluate(text, bindings)
            assert same(value, expected), (text, bindings, value, expected)
