"""Tests that each lint rule finds its own defect and nothing else, and that broken flows never crash a rule."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from callroute.errors import InputError
from callroute.flows.flow import Flow
from callroute.flows.lint import RULES, Finding, attributes_set, check
from callroute.flows.route_catalog import RouteCatalog
from callroute.formats.files import read_text
from callroute.formats.json_document import walk
from tests.flows.generated import flow_documents, oversized
from tests.support import corpus
from tests.support.paths import REPOSITORY

FIXTURES = Path(__file__).parent / "fixtures"
OWN_FLOWS = sorted((REPOSITORY / "flow_definitions").glob("*.json"))

SEVERITIES = {rule.id: rule.severity for rule in RULES}


def checked(path: Path) -> list[Finding]:
    """Returns the findings for a flow that is checked together with others."""
    flow = Flow.parse_lenient(read_text(path), path.name)
    return check(flow, RouteCatalog.beside(path), set_elsewhere=())


def large(texts: int, blocks: int) -> Flow:
    """Returns a valid flow with the given number of blocks and about the given number of characters."""
    document = json.loads(read_text(FIXTURES / "good" / "failed-tracking.json"))
    message = document["Actions"][1]
    for number in range(blocks - 3):
        following = copy.deepcopy(message) | {"Identifier": f"hello-{number}"}
        message["Transitions"] = {"NextAction": following["Identifier"]}
        document["Actions"].append(following)
        message = following
    for block in document["Actions"][3 : 3 + texts // 3000]:
        block["Parameters"]["Text"] = "x" * 3000
    return Flow.parse_lenient(json.dumps(document), "large.json")


# Fixtures that are too large to store as files.
BUILT: dict[str, dict[str, Callable[[], Flow]]] = {
    "bad": {
        "content-too-long": lambda: large(255_000, 100),
        "too-many-blocks": lambda: large(0, 251),
    },
    "good": {
        "content-too-long": lambda: large(230_000, 100),
        "too-many-blocks": lambda: large(0, 250),
    },
}


def fixtures(kind: str) -> list[Path]:
    return sorted((FIXTURES / kind).glob("*.json"))


def rule_of(path: Path) -> str:
    """Returns the rule that a fixture tests. For `untracked-stop.on-one-path.json`, this is untracked-stop."""
    return path.name.partition(".")[0]


def rules_broken(findings: list[Finding], rule: str) -> set[str]:
    """Returns the violated rules. A note counts only in its own fixtures, because most flows have some notes."""
    return {finding.rule for finding in findings if finding.severity != "note" or finding.rule == rule}


@pytest.mark.parametrize("path", fixtures("bad"), ids=lambda path: path.stem)
def test_a_defect_is_found_only_by_its_rule(path: Path) -> None:
    findings = checked(path)
    assert rules_broken(findings, rule_of(path)) == {rule_of(path)}


@pytest.mark.parametrize("path", fixtures("good"), ids=lambda path: path.stem)
def test_a_flow_that_only_resembles_a_defect_is_accepted(path: Path) -> None:
    assert rules_broken(checked(path), rule_of(path)) == set()


@pytest.mark.parametrize("rule", BUILT["bad"])
def test_a_flow_of_the_maximum_size_is_accepted(rule: str) -> None:
    assert rules_broken(check(BUILT["bad"][rule]()), rule) == {rule}
    assert rules_broken(check(BUILT["good"][rule]()), rule) == set()


@pytest.mark.timeout(60)
def test_only_size_rules_run_on_an_oversized_flow() -> None:
    flow = Flow.parse_lenient(oversized(100_001), "x.json")
    assert {finding.rule for finding in check(flow)} == {"too-many-blocks", "content-too-long"}


def test_other_rules_run_on_an_oversized_flow_if_no_size_rule_is_selected() -> None:
    flow = Flow.parse_lenient(oversized(251), "x.json")
    rules = [rule for rule in RULES if rule.id != "too-many-blocks"]
    assert "not-tracked" in {finding.rule for finding in check(flow, rules=rules)}


def test_every_rule_has_a_bad_and_a_good_fixture() -> None:
    for kind in ("bad", "good"):
        assert {*map(rule_of, fixtures(kind)), *BUILT[kind]} == set(SEVERITIES), kind


def test_every_rule_has_a_unique_name_a_description_and_a_source() -> None:
    assert len(SEVERITIES) == len(RULES)
    for rule in RULES:
        assert re.fullmatch("[a-z]+(-[a-z]+)*", rule.id)
        assert re.fullmatch(r"[A-Z`].*\.", rule.description), rule.id
        assert rule.source


@pytest.mark.parametrize("path", fixtures("bad"), ids=lambda path: path.stem)
def test_findings_have_a_place_a_message_and_a_hint(path: Path) -> None:
    document = json.loads(read_text(path))
    paths = {path for path, _ in walk(document)}
    identifiers = {block.get("Identifier") for block in document["Actions"] if isinstance(block, dict)}
    for finding in checked(path):
        # The path of a missing value is the path that the value would have.
        assert finding.path in paths or finding.path.rpartition(".")[0] in paths, finding
        assert finding.block is None or finding.block in identifiers
        assert finding.file == path.name
        assert finding.severity == SEVERITIES[finding.rule]
        for sentence in (finding.message, finding.hint):
            assert re.fullmatch(r"\S.*[.?}]", sentence), sentence


def test_findings_are_sorted_by_block() -> None:
    flow = Flow.parse_lenient(read_text(FIXTURES / "bad" / "indistinguishable-branches.json"), "x")
    order = ["", *flow.blocks]
    places = [order.index(finding.block or "") for finding in check(flow)]
    assert places == sorted(places)
    assert len(places) > 1


@pytest.mark.parametrize("path", OWN_FLOWS, ids=lambda path: path.stem)
def test_the_flow_definitions_have_only_notes(path: Path) -> None:
    assert {finding.rule for finding in checked(path)} <= {"failed-tracking", "endless-retries"}


def test_a_finding_about_a_phone_number_does_not_contain_it() -> None:
    (finding,) = [
        finding
        for finding in checked(FIXTURES / "bad" / "personal-data.number.json")
        if finding.rule == "personal-data"
    ]
    assert "12065550100" not in finding.message + finding.hint


def test_an_attribute_that_another_flow_sets_is_not_reported() -> None:
    flow = Flow.load(FIXTURES / "bad" / "unset-attribute.json")
    assert "unset-attribute" in {finding.rule for finding in check(flow)}
    assert "unset-attribute" not in {finding.rule for finding in check(flow, set_elsewhere=["customer_name"])}
    assert attributes_set(flow) == {"call_route", "call_completed"}


def test_an_unset_attribute_is_a_note_if_a_flow_is_checked_alone() -> None:
    path = FIXTURES / "bad" / "unset-attribute.json"
    severities = [
        finding.severity
        for findings in (check(Flow.load(path)), checked(path))
        for finding in findings
        if finding.rule == "unset-attribute"
    ]
    assert severities == ["note", "warning"]


def test_an_unknown_block_type_can_be_allowed() -> None:
    flow = Flow.load(FIXTURES / "bad" / "unknown-block-type.json")
    (finding,) = [finding for finding in check(flow) if finding.rule == "unknown-block-type"]
    type_ = flow.blocks[finding.block or ""].type

    assert f"--allow-block {type_}" in finding.hint
    assert "unknown-block-type" not in {finding.rule for finding in check(flow, allowed_types=[type_])}


def test_missing_error_branches_of_a_block_are_one_finding() -> None:
    (finding,) = [
        finding
        for finding in checked(FIXTURES / "bad" / "missing-error-branch.third-party.json")
        if finding.rule == "missing-error-branch"
    ]
    assert "needs error branches for CallFailed and ConnectionTimeLimitExceeded" in finding.message


def test_a_route_that_is_a_uuid_is_not_dynamic() -> None:
    text = read_text(FIXTURES / "good" / "dynamic-route.json")
    flow = Flow.parse_lenient(text.replace('"operator"', '"0a241baa-fd33-462e-b139-770784784819"'), "x.json")
    assert "dynamic-route" not in {finding.rule for finding in check(flow)}


def test_a_stop_with_several_routes_is_reported_if_a_record_does_not_identify_the_place() -> None:
    (finding,) = [
        finding
        for finding in checked(FIXTURES / "bad" / "ambiguous-stop.json")
        if finding.rule == "ambiguous-stop"
    ]
    assert finding.block == "transfer"
    assert (
        "(and to 'shared') with 'hours', 'operator'; 'hours' is also the route at 'hours'," in finding.message
    )


@pytest.mark.parametrize(
    ("fixture", "old", "new", "type_", "reported"),
    [
        ("good/unsupported-on-voice", "VOICE", "TASK", None, True),
        ("good/unsupported-on-voice", "Channel", "Queue.Name", None, True),
        ("bad/unsupported-on-voice.wait", "CustomerReturned", "LambdaReturned", None, False),
        ("bad/unsupported-on-voice.wait", "CustomerReturned", "LambdaReturned", "CUSTOMER_QUEUE", True),
    ],
)
def test_calls_reach_no_block_that_is_only_for_chats(
    fixture: str, old: str, new: str, type_: str | None, reported: bool
) -> None:
    text = read_text(FIXTURES / f"{fixture}.json")
    assert old in text
    flow = replace(Flow.parse_lenient(text.replace(old, new), "x.json"), type=type_)
    found = [finding.message for finding in check(flow) if finding.rule == "unsupported-on-voice"]
    assert bool(found) is reported
    assert all(
        "is assumed to be for calls, because block 'menu' works only in calls." in each for each in found
    )


@pytest.mark.parametrize(
    ("old", "new", "reported"),
    [
        ("CreateWisdomSession", "TagContact", False),
        ("bot", "bot", True),
        ('"start"', '"$.Lex.SessionAttributes.Tool"', False),
    ],
)
def test_a_conversation_with_an_ai_agent_needs_a_route_for_each_tool(
    old: str, new: str, reported: bool
) -> None:
    text = read_text(FIXTURES / "bad" / "agentic-conversation.json")
    assert old in text
    findings = check(Flow.parse_lenient(text.replace(old, new), "x.json"))
    assert [each.block for each in findings if each.rule == "agentic-conversation"] == ["bot"] * reported


# --- Published and broken flows --------------------------------------------------------------------------------------


@pytest.mark.skipif(corpus.CORPUS is None, reason=corpus.MISSING)
def test_corpus_flows_are_parsed_checked_and_written_back_unchanged() -> None:
    paths = corpus.flows()
    assert paths, "the corpus has no flows"
    for path in paths:
        text = read_text(path)
        if "modules" in json.loads(text):
            with pytest.raises(InputError, match="exported from the Connect console"):
                Flow.parse_lenient(text, path.name)
            continue
        flow = Flow.parse_lenient(text, path.name)
        again = flow.write()
        assert json.dumps(json.loads(again)) == json.dumps(json.loads(text)), path.name
        assert Flow.parse_lenient(again, path.name).write() == again, path.name
        assert check(flow) == check(Flow.parse_lenient(again, path.name)), path.name


@cache
def own_documents() -> list[Any]:
    return [json.loads(read_text(path)) for path in OWN_FLOWS]


ODDITIES = st.sampled_from(
    (None, "", 0, 1.5, True, [], {}, ["x"], {"x": "y"}, "$.Attributes.x", "menu-start", "Equals")
)


@st.composite
def mutated(draw: st.DrawFn) -> Any:
    """Generates a broken flow by removing, duplicating or replacing values in a real or generated one."""
    document = copy.deepcopy(draw(st.sampled_from(own_documents()) | flow_documents()))
    for _ in range(draw(st.integers(1, 4))):
        holders: list[Any] = [
            value for _, value in walk(document) if isinstance(value, dict | list) and value
        ]
        holder = draw(st.sampled_from(holders[1:] or holders))
        key: Any = draw(st.sampled_from(sorted(holder) if isinstance(holder, dict) else range(len(holder))))
        match draw(st.sampled_from(("drop", "replace", "double"))):
            case "drop":
                del holder[key]
            case "replace":
                holder[key] = copy.deepcopy(draw(ODDITIES))
            case "double" if isinstance(holder, list):
                holder.append(copy.deepcopy(holder[key]))
            case _:
                holder[f"{key}x"] = holder[key]
    return document


@settings(deadline=None, max_examples=300)
@given(document=mutated())
def test_broken_flows_are_checked_without_a_crash_and_written_back_unchanged(document: Any) -> None:
    try:
        flow = Flow.parse_lenient(json.dumps(document), "x.json")
    except InputError:
        return
    findings = check(flow)
    assert json.dumps(json.loads(flow.write())) == json.dumps(document)
    try:
        Flow.parse(json.dumps(document), "x.json")
    except InputError:
        assert flow.defects
        assert {defect.rule for defect in flow.defects} <= {finding.rule for finding in findings}
    else:
        assert not flow.defects


@settings(deadline=None)
@given(document=flow_documents())
def test_generated_flows_have_no_findings_about_requirements_of_connect(document: Any) -> None:
    quality = {"unset-attribute", "unreachable-block", "endless-loop", "unbounded-loop", "endless-retries"}
    tracking = {rule.id for rule in RULES[[rule.id for rule in RULES].index("not-tracked") :]}
    found = {finding.rule for finding in check(Flow.parse(json.dumps(document), "x.json"))}
    assert found <= quality | tracking


# --- The documentation -----------------------------------------------------------------------------------------------


def test_the_documentation_lists_every_rule() -> None:
    rows = ["| Rule | Severity | Requirement | Source |", "| --- | --- | --- | --- |"]
    rows += [
        f"| `{rule.id}` | {rule.severity} | {_cell(rule.description)} | {rule.source} |" for rule in RULES
    ]
    table = "\n".join(rows)
    assert table in read_text(REPOSITORY / "docs" / "checks.md"), f"docs/checks.md must contain:\n{table}"


def _cell(text: str) -> str:
    return text.replace("\\", "\\\\").replace("|", "\\|")
