"""Guards against records that are lost or stored wrongly because of faults, and against an oracle that misses either."""

from __future__ import annotations

import json
from random import Random

import pytest

from callroute.local.emulator import Emulator
from tests.faults.campaign import FAULTS, Campaign, Chain, Row, Sent, run
from tests.faults.contacts import FILTERED, UNSTORABLE, Contact, calls
from tests.faults.oracle import expected_item, problem_of_item
from tests.support.contact_records import contact_record

pytestmark = [pytest.mark.emulator, pytest.mark.timeout(600)]

CONTACTS = 2_000
SEED = 1


@pytest.fixture(scope="module", autouse=True)
def needs_the_emulator() -> None:
    pytest.importorskip("ministack", reason="needs the emulator: pip install -r requirements/local.txt")


def test_no_contact_is_lost_or_wrong_after_all_faults() -> None:
    result = run(CONTACTS, SEED)

    assert not [problem for row in result.rows for problem in row.problems]
    assert [row.fault for row in result.rows] == [fault.name for fault in FAULTS]
    results = ("stored", "filtered", "expired", "quarantined", "dead_lettered")
    assert sum(map(result.total, results)) == result.total("contacts")
    assert all(map(result.total, results)), "not every result occurred"
    happened = {row.fault: row.counts for row in result.rows}
    assert happened["outage of the table"]["redriven"]
    assert happened["outage of the queues"]["redriven"]
    assert happened["outage of the queues"]["restarts"]
    assert happened["SIGKILL of the pipe in mid-batch"]["restarts"]


def test_a_planted_loss_and_a_planted_wrong_value_are_found() -> None:
    with Chain(SEED) as chain:
        campaign, random = Campaign(chain, Random(SEED)), Random(SEED)
        unstorable = Contact("unstorable", (UNSTORABLE[0](contact_record()),))
        lost, wrong, extra, swallowed, intact, never_put = (
            Sent(contact) for contact in (*calls(random, 3), unstorable, *calls(random, 2))
        )
        extra.contact = Contact(extra.contact.id, (FILTERED[0](contact_record()),))
        campaign.deliver(FAULTS[0], [lost, wrong, extra, swallowed, intact])
        table, dynamodb = chain.cloud.table_name, chain.cloud.emulator.client("dynamodb")
        chain.cloud.quarantined()
        dynamodb.delete_item(TableName=table, Key={"contact_id": {"S": lost.contact.id}})
        for sent in (wrong, extra):
            dynamodb.update_item(
                TableName=table,
                Key={"contact_id": {"S": sent.contact.id}},
                UpdateExpression="SET call_route = :route",
                ExpressionAttributeValues={":route": {"S": "planted"}},
            )
        never_put.positions = [(("shardId-000000000000", "0"), never_put.contact.records[0])]
        row = Row("planted")
        campaign.verify(row, [lost, wrong, extra, swallowed, intact, never_put])

    assert (row.counts["lost"], row.counts["wrong"], row.counts["stored"]) == (3, 2, 1)
    assert sorted(problem.partition(": ")[2] for problem in row.problems) == [
        "the item differs in call_route",
        "the pipe did not handle a record",
        "the quarantine queue has no message",
        "the table has an item that should not exist",
        "the table has no item",
    ]


@pytest.mark.parametrize("attribute", ["version", "end_time", "expires_at", "outcome", "phone_number"])
def test_a_missing_or_different_attribute_is_found(attribute: str) -> None:
    record = contact_record()
    data = (json.dumps(record).encode(),)
    item = {**expected_item(record), "version": "2026-04-17T23:49:40.000000000Z-10-0123456789abcdef"}
    assert not problem_of_item(data, item)

    assert problem_of_item(data, {**item, attribute: "other"})
    assert problem_of_item(data, {name: value for name, value in item.items() if name != attribute})


def test_ministack_deletes_the_records_of_a_split_shard(emulator: Emulator) -> None:
    """The campaign's emulator keeps them, which is no longer needed if this fails."""
    kinesis, name = emulator.client("kinesis"), f"split-{SEED}"
    kinesis.create_stream(StreamName=name, ShardCount=1)
    kinesis.get_waiter("stream_exists").wait(StreamName=name, WaiterConfig={"Delay": 0.02})
    kinesis.put_record(StreamName=name, Data=b"record", PartitionKey="k")
    kinesis.split_shard(StreamName=name, ShardToSplit="shardId-000000000000", NewStartingHashKey=str(2**127))

    shards = [shard["ShardId"] for shard in kinesis.list_shards(StreamName=name)["Shards"]]
    kinesis.delete_stream(StreamName=name)
    assert "shardId-000000000000" not in shards
