"""Tests the identifiers and positions of tracking blocks, and the size limits."""

from __future__ import annotations

import copy
import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callroute.errors import InputError
from callroute.flows.flow import Flow
from callroute.flows.lint import check
from callroute.flows.tracking.rewrite import make_identifier
from tests.flows.tracking.builders import (
    flow_from,
    flow_of,
    menu,
    message,
    tracked,
    tracking_attributes,
)
from tests.flows.tracking.invariants import (
    IDENTIFIER,
    MANUALLY_TRACKED,
    assert_positions,
    positions,
    retracked,
    untracked,
)


@given(parts=st.lists(st.text(st.characters(exclude_categories=()), min_size=1), min_size=1, max_size=3))
def test_identifiers_are_valid_in_connect(parts: list[str]) -> None:
    assert re.fullmatch(IDENTIFIER, make_identifier(*parts))
    make_identifier(*parts).encode("utf-8")


def test_changed_identifiers_are_still_unique() -> None:
    parts = [("b" * 60, "1"), ("b" * 60, "2"), ("a(b)",), ("a[b]",)]
    assert len({make_identifier(*each) for each in parts}) == 4


def test_an_identifier_in_use_gets_a_number() -> None:
    flow = flow_of(message("track-start", "main"), menu("main", k1="end"))
    assert "track-start-2" in tracking_attributes(flow)


def test_a_result_with_too_many_blocks_is_rejected() -> None:
    keys = "0123456789*#"
    menus = [menu("main", **{f"k{key}": f"menu {key}" for key in keys})]
    menus += [menu(f"menu {key}", **{f"k{other}": "end" for other in keys}) for key in keys]
    needed = 1 + 12 + 12 * 12 + 1

    def of_size(blocks: int) -> Flow:
        more = blocks - len(menus) - 2
        return flow_of(
            *(message(f"message {number}", f"message {number + 1}") for number in range(more)),
            message(f"message {more}", "main"),
            *menus,
        )

    assert len(tracked(of_size(250 - needed)).document["Actions"]) == 250
    error = f"with {needed} tracking blocks the flow would have 251 blocks; the maximum is 250"
    with pytest.raises(InputError, match=error):
        tracked(of_size(251 - needed))


def test_a_result_with_too_many_characters_is_rejected() -> None:
    document = copy.deepcopy(dict(flow_of(message("hello", "end")).document))
    available = 256_000 - len(json.dumps(document, separators=(",", ":")))
    document["Actions"][0]["Parameters"]["Text"] += "x" * (available - 100)
    large = flow_from(document)
    assert "content-too-long" not in {finding.rule for finding in check(large)}
    with pytest.raises(InputError, match=r"would have 256,[0-9]{3} characters; the maximum is 256,000"):
        tracked(large)


@pytest.mark.parametrize("name", MANUALLY_TRACKED)
def test_new_blocks_do_not_overlap_or_move_other_blocks(name: str) -> None:
    assert_positions(untracked(name), retracked(name))


def test_a_new_block_is_positioned_between_the_blocks_that_it_connects() -> None:
    given = {"hello": (200, 100), "main": (1000, 100), "end": (2000, 700)}
    metadata = {
        "entryPointPosition": {"x": 0, "y": 100},
        "ActionMetadata": {name: {"position": {"x": x, "y": y}} for name, (x, y) in given.items()},
    }
    flow = flow_of(message("hello", "main"), menu("main", k1="end"), Metadata=metadata)
    found = positions(flow_from(tracked(flow)))
    assert found["track-main-1"] == (1500, 400)
    assert found["track-start"][0] == 100


def test_a_moved_tracking_block_keeps_its_position() -> None:
    document = copy.deepcopy(dict(retracked(MANUALLY_TRACKED[0]).document))
    moved = document["Metadata"]["ActionMetadata"]["track-start"]
    moved["position"] = {"x": -500.5, "y": 3}
    moved["isFriendlyName"] = True
    assert tracked(flow_from(document)).document == document
