"""Guards against records that are lost or stored wrongly because of faults, and against an oracle that misses either."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random

import pytest

from tests.faults.campaign import FAULTS, Campaign, Chain, Sent, run
from tests.faults.contacts import calls

pytestmark = [pytest.mark.emulator, pytest.mark.timeout(300)]

CONTACTS = 560
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


@pytest.fixture(scope="module")
def chain() -> Iterator[Chain]:
    with Chain(SEED) as running:
        yield running


def delivered(chain: Chain, contacts: int = 10) -> tuple[Campaign, list[Sent]]:
    """Returns contacts that the chain has stored."""
    campaign = Campaign(chain, Random(SEED))
    sent = [
        Sent(contact)
        for contact in calls(Random(chain.cloud.emulator.endpoint + str(len(chain.fates))), contacts)
    ]
    campaign.deliver(FAULTS[0], sent)
    return campaign, sent
