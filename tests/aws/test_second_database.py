"""Compares the emulator's DynamoDB with dynalite, which its authors test against AWS, on the state machine's requests."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import uuid
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from call_route_tracker import CallRouteTrackerArgs
from callroute.aws.state_machine import definition
from callroute.local.emulator import HOST, Emulator, create_client
from tests.aws.test_state_machine import deliveries
from tests.support.contact_records import contact_record, queue
from tests.support.jsonata_engines import evaluate
from tests.support.options import tracker_args

pytestmark = [pytest.mark.emulator, pytest.mark.usefixtures("patched_engine")]

DYNALITE_VERSION = "4.0.0"
TABLE = f"compared-{uuid.uuid4().hex}"
OPTIONS = [
    tracker_args(retention_days=30_000),
    tracker_args(time_zone="UTC", phone_number="masked"),
]
OLDER_RELEASE = {
    "call_route": {"S": "0"},
    "last_update": {"S": "2026-04-18T00:00:00Z"},
    "added": {"S": "kept"},
}
"""Attributes of an item that a release without `version` has written."""

Request = dict[str, Any]


def missing() -> str:
    """Returns why dynalite cannot run, or empty text."""
    if not shutil.which("node"):
        return "needs node"
    return (
        ""
        if _command().is_file()
        else f"needs the npm package dynalite {DYNALITE_VERSION}, which .ci/run installs"
    )


def _command() -> Path:
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    folder = Path(cache) / "call-route-tracker" / f"dynalite-{DYNALITE_VERSION}"
    return folder / "node_modules" / "dynalite" / "cli.js"


@pytest.fixture(scope="module")
def databases(emulator: Emulator) -> Iterator[tuple[Any, Any]]:
    """Clients of the emulator's DynamoDB and of dynalite, each with the same table."""
    if reason := missing():
        pytest.skip(reason)
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port = str(probe.getsockname()[1])
    arguments = ["node", str(_command()), "--host", HOST, "--port", port, "--createTableMs", "0"]
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True) as process:  # noqa: S603 - fixed arguments
        try:
            assert process.stdout
            assert "listening" in process.stdout.readline()
            clients = (
                emulator.client("dynamodb"),
                create_client("dynamodb", f"http://{HOST}:{port}", emulator.region),
            )
            for client in clients:
                client.create_table(
                    TableName=TABLE,
                    KeySchema=[{"AttributeName": "contact_id", "KeyType": "HASH"}],
                    AttributeDefinitions=[{"AttributeName": "contact_id", "AttributeType": "S"}],
                    BillingMode="PAY_PER_REQUEST",
                )
                client.get_waiter("table_exists").wait(TableName=TABLE, WaiterConfig={"Delay": 0.02})
            yield clients
        finally:
            process.kill()


def write(args: CallRouteTrackerArgs, contact: Mapping[str, Any]) -> Request:
    """Returns the state machine's UpdateItem request for a contact record."""
    machine = definition(args, table_name=TABLE, quarantine_queue_url="q")
    states = machine["States"]["EachContact"]["ItemProcessor"]["States"]
    variables = machine["States"]["Settings"]["Assign"]

    def fill(part: Any, value: Any) -> Any:
        if isinstance(part, dict):
            return {name: fill(each, value) for name, each in part.items()}
        if isinstance(part, str) and part.startswith("{%"):
            return evaluate(part[2:-2].strip(), {"states": {"input": value}, **variables})
        return part

    element = {"event_id": "e", "sequence_number": "1", "contact": contact}
    request: Request = fill(states["Store"]["Arguments"], fill(states["Read"]["Output"], element))
    return request


def send(client: Any, request: Request) -> str:
    """Sends a request. Returns the error code, or empty text."""
    try:
        client.update_item(**request)
    except ClientError as error:
        return str(error.response["Error"]["Code"])
    return ""


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(
    case=deliveries(), older=st.booleans(), options=st.lists(st.sampled_from(OPTIONS), min_size=3, max_size=3)
)
def test_both_databases_give_the_same_results_and_items(
    databases: tuple[Any, Any],
    case: tuple[list[dict[str, Any]], list[list[dict[str, Any]]]],
    older: bool,
    options: list[CallRouteTrackerArgs],
) -> None:
    example = uuid.uuid4().hex
    versions, batches = case
    identifiers = sorted({f"{example}-{each['ContactId']}" for each in versions})
    if older:
        for client in databases:
            client.put_item(TableName=TABLE, Item={"contact_id": {"S": identifiers[0]}, **OLDER_RELEASE})
    for number, contact in enumerate(each for batch in batches for each in batch):
        named = {**contact, "ContactId": f"{example}-{contact['ContactId']}"}
        request = write(options[number % len(options)], named)
        first, second = (send(client, request) for client in databases)
        assert first == second
        assert first in ("", "ConditionalCheckFailedException")

    for identifier in identifiers:
        key = {"contact_id": {"S": identifier}}
        first, second = (client.get_item(TableName=TABLE, Key=key)["Item"] for client in databases)
        assert first == second
        assert "version" in first


def test_both_databases_reject_a_number_that_is_too_large(databases: tuple[Any, Any]) -> None:
    request = write(OPTIONS[0], contact_record(Queue=queue(Duration=1e130)))

    assert [send(client, request) for client in databases] == ["ValidationException"] * 2
