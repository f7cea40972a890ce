"""Tests that references end where they end in Connect, neither too early nor too late."""

from __future__ import annotations

import pytest

from callroute.flows.references import paths_in


@pytest.mark.parametrize("space", ["Attributes", "FlowAttributes"])
def test_a_dot_after_an_attribute_belongs_to_the_text(space: str) -> None:
    assert paths_in(f"$.{space}.name.Goodbye") == ((space, "name"),)
    assert paths_in(f"$.{space}['full name'].Goodbye") == ((space, "full name"),)


def test_names_in_other_namespaces_have_several_parts() -> None:
    assert paths_in("$.Lex.Slots.city and $.Views.ViewResultData['a b']") == (
        ("Lex", "Slots", "city"),
        ("Views", "ViewResultData", "a b"),
    )
