"""Guards against examples in docs/policies.md that the pack does not treat as documented."""

from __future__ import annotations

import pytest

from call_route_policies import RULES
from tests.policies.examples import EXAMPLES
from tests.policies.pack import Pack, Violation
from tests.policies.stacks import recorded
from tests.policies.values import STACK


def test_every_rule_has_an_example() -> None:
    # exemptions-are-needed is about the configuration of the pack, not about resources.
    assert set(EXAMPLES) == {rule.name for rule in RULES} - {"exemptions-are-needed"}


@pytest.mark.parametrize("rule", EXAMPLES)
def test_exactly_the_rule_rejects_the_bad_example(pack: Pack, rule: str) -> None:
    stack = recorded(STACK)
    EXAMPLES[rule].bad(stack)

    assert {each.rule for each in pack.analyze(stack)} == {rule}


@pytest.mark.parametrize("rule", EXAMPLES)
def test_no_rule_rejects_the_good_example(pack: Pack, rule: str) -> None:
    stack = recorded(STACK)
    EXAMPLES[rule].good(stack)

    assert pack.analyze(stack) == list[Violation]()
