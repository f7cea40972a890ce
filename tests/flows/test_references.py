"""Guards against references that end in another place than Connect's: too early, or with the text behind them."""

from __future__ import annotations

import pytest

from callroute.flows.references import paths_in


@pytest.mark.parametrize("space", ["Attributes", "FlowAttributes"])
def test_a_dot_behind_the_name_of_an_attribute_is_the_texts(space: str) -> None:
    assert paths_in(f"$.{space}.name.Goodbye") == ((space, "name"),)
    assert paths_in(f"$.{space}['full name'].Goodbye") == ((space, "full name"),)


def test_other_names_have_parts() -> None:
    assert paths_in("$.Lex.Slots.city and $.Views.ViewResultData['a b']") == (
        ("Lex", "Slots", "city"),
        ("Views", "ViewResultData", "a b"),
    )
