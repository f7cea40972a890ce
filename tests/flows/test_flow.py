"""Tests that no branch is lost when a flow is parsed and that other kinds of files are rejected."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from callroute.errors import InputError
from callroute.flows.flow import Branch, Flow
from tests.flows.generated import oversized
from tests.support import corpus


def document(**changes: Any) -> dict[str, Any]:
    """Returns a flow with a message and an end, after changes to top-level keys. None removes a key."""
    flow = {
        "Version": "2019-10-30",
        "StartAction": "hello",
        "Actions": [
            {
                "Identifier": "hello",
                "Type": "MessageParticipant",
                "Parameters": {"Text": "hello"},
                "Transitions": {
                    "NextAction": "end",
                    "Errors": [{"NextAction": "end", "ErrorType": "NoMatchingError"}],
                },
            },
            {"Identifier": "end", "Type": "DisconnectParticipant", "Parameters": {}, "Transitions": {}},
        ],
    } | changes
    return {key: value for key, value in flow.items() if value is not None}


def parse(value: object) -> Flow:
    return Flow.parse(json.dumps(value), "x.json")


def test_branches_with_the_same_target_are_distinguished_by_kind_and_label() -> None:
    flow = parse(document())
    assert flow.blocks["hello"].branches == (
        Branch("hello", "next", "", "end"),
        Branch("hello", "error", "NoMatchingError", "end"),
    )
    assert flow.blocks["end"].branches == ()


def test_a_condition_is_labeled_by_its_operand_and_by_its_operator_unless_that_is_equals() -> None:
    compare = {
        "Identifier": "compare",
        "Type": "Compare",
        "Parameters": {"ComparisonValue": "$.Attributes.x"},
        "Transitions": {
            "NextAction": "compare",
            "Conditions": [
                {"NextAction": "compare", "Condition": {"Operator": "Equals", "Operands": ["1"]}},
                {"NextAction": "compare", "Condition": {"Operator": "NumberLessThan", "Operands": ["1"]}},
            ],
        },
    }
    flow = parse(document(StartAction="compare", Actions=[compare]))
    assert flow.blocks["compare"].labels("condition") == ("1", "NumberLessThan 1")
    _, equal, less = flow.blocks["compare"].branches
    assert (equal.operator, equal.operands) == ("Equals", ("1",))
    assert (less.operator, less.operands) == ("NumberLessThan", ("1",))


def test_a_block_of_an_unknown_type_is_kept() -> None:
    novelty = {"Identifier": "n", "Type": "SomethingNew", "Parameters": {"A": ["b"]}, "Transitions": {}}
    flow = parse(document(StartAction="n", Actions=[novelty]))
    assert flow.blocks["n"].type == "SomethingNew"
    assert flow.blocks["n"].parameters == {"A": ["b"]}


def test_a_block_can_lack_transitions() -> None:
    assert (
        parse(document(StartAction="e", Actions=[{"Identifier": "e", "Type": "X"}])).blocks["e"].branches
        == ()
    )


@pytest.mark.parametrize(
    ("text", "place", "problem"),
    [
        ("{]", "line 1 column 2", "not JSON"),
        ("", "line 1 column 1", "not JSON"),
        ("[" * 100_000, "", "nested more than 100 levels deep"),
        ("[]", "", "must be an object, not a list"),
        ('"x"', "", "the string 'x'"),
        (json.dumps({"modules": [], "version": "1"}), "modules", "exported from the Connect console"),
        (json.dumps({"ContactFlow": {"Content": "{}"}}), "ContactFlow", "output of an `aws connect` command"),
        (json.dumps({"ContactFlowModule": {}}), "ContactFlowModule", "output of an `aws connect` command"),
        (
            '{"hello": 1}',
            "",
            "the JSON is not a flow, because it contains none of Version, StartAction, Actions",
        ),
        (json.dumps(document(Version=None)), "Version", "Version is missing"),
        (json.dumps(document(Version="2020-01-01")), "Version", "'2020-01-01'"),
        (json.dumps(document(StartAction=None)), "the flow", "StartAction is missing"),
        (json.dumps(document(StartAction="gone")), "StartAction", "no block 'gone'"),
        (json.dumps(document(Actions=None)), "the flow", "Actions is missing"),
        (json.dumps(document(Actions=[])), "StartAction", "no block 'hello'"),
        (json.dumps(document(Actions=["x"])), "Actions[0]", "a block must be an object"),
        (json.dumps(document(Actions=[{"Type": "X"}])), "Actions[0]", "Identifier is missing"),
        (json.dumps(document(Actions=[{"Identifier": "hello"}])), "Actions[0]", "Type is missing"),
        (
            json.dumps(document(Actions=[document()["Actions"][1], document()["Actions"][1]])),
            "Actions[1]",
            "'end' is already used by an earlier block",
        ),
        (
            json.dumps(document(Actions=[document()["Actions"][0]])),
            "block 'hello'",
            "branch 'next' leads to block 'end'",
        ),
        (
            json.dumps(
                document(Actions=[{"Identifier": "hello", "Type": "X", "Transitions": {"NextAction": 1}}])
            ),
            "block 'hello'",
            "NextAction must be a string, not the number 1",
        ),
        (
            json.dumps(
                document(Actions=[{"Identifier": "hello", "Type": "X", "Transitions": {"Conditions": [{}]}}])
            ),
            "block 'hello'",
            "Operator is missing",
        ),
        (
            json.dumps(
                document(Actions=[{"Identifier": "hello", "Type": "X", "Transitions": {"Errors": [None]}}])
            ),
            "block 'hello'",
            "each entry in Errors must be an object, not null",
        ),
        *(
            (
                json.dumps(
                    document(Actions=[{"Identifier": "hello", "Type": "X", "Transitions": {key: value}}])
                ),
                "block 'hello'",
                f"{key} must be a {expected}, not {found}",
            )
            for key, expected in (("Conditions", "list"), ("Errors", "list"), ("NextAction", "string"))
            for value, found in ((None, "null"), ({}, "an object"), (False, "false"))
        ),
        (json.dumps(document() | {"Actions": None}), "the flow", "Actions must be a list, not null"),
        (
            json.dumps(document() | {"StartAction": None}),
            "the flow",
            "StartAction must be a string, not null",
        ),
    ],
)
def test_an_invalid_flow_is_rejected_with_place_and_problem(text: str, place: str, problem: str) -> None:
    with pytest.raises(InputError) as rejected:
        Flow.parse(text, "x.json")
    assert rejected.value.source == "x.json"
    assert rejected.value.place == place
    assert problem in rejected.value.problem
    assert rejected.value.fix


def test_a_repeated_key_is_rejected_because_one_value_would_be_lost() -> None:
    text = json.dumps(document()).replace('"Text"', '"Text": "other", "Text"')
    with pytest.raises(InputError, match=r"Actions\[0\].Parameters: the key 'Text' is repeated"):
        Flow.parse(text, "x.json")


def test_lenient_parsing_lists_all_defects_and_keeps_the_valid_parts() -> None:
    hello, end = document()["Actions"]
    broken = {**hello, "Identifier": "broken", "Transitions": {"NextAction": "gone", "Errors": [None]}}
    text = json.dumps(document(StartAction="begin", Actions=[hello, broken, "x", end, end]))
    flow = Flow.parse_lenient(text, "x.json")
    assert [(defect.rule, defect.block, defect.path) for defect in flow.defects] == [
        ("malformed", "broken", "$.Actions[1].Transitions.Errors[0]"),
        ("malformed", None, "$.Actions[2]"),
        ("duplicate-identifier", "end", "$.Actions[4].Identifier"),
        ("no-start", None, "$.StartAction"),
        ("dangling-branch", "broken", "$.Actions[1].Transitions.NextAction"),
    ]
    assert list(flow.blocks) == ["hello", "broken", "end"]
    assert flow.blocks["broken"].target("next") == "gone"


@pytest.mark.timeout(60)
@pytest.mark.parametrize("count", [251, 100_001])
def test_a_flow_with_too_many_blocks_is_rejected_before_its_blocks_are_parsed(count: int) -> None:
    with pytest.raises(InputError) as rejected:
        Flow.parse(oversized(count), "x.json")
    assert rejected.value.place == "Actions"
    assert rejected.value.problem == f"the flow has {count:,} blocks; Connect allows 250"
    assert "Move part" in rejected.value.fix


def test_a_flow_with_the_maximum_number_of_blocks_is_accepted() -> None:
    assert len(Flow.parse(oversized(250), "x.json").blocks) == 250


def test_a_flow_with_too_much_content_is_rejected_but_whitespace_does_not_count() -> None:
    blocks = document()["Actions"]
    blocks[0]["Parameters"]["Text"] = "x" * 256_000
    with pytest.raises(
        InputError, match=r"x\.json: the flow has 256,\d{3} characters, not counting whitespace"
    ):
        Flow.parse(json.dumps(document(Actions=blocks)), "x.json")
    assert Flow.parse(json.dumps(document()) + " " * 256_000, "x.json").blocks


def test_lenient_parsing_keeps_the_blocks_of_an_oversized_flow() -> None:
    flow = Flow.parse_lenient(oversized(251), "x.json")
    assert flow.is_too_large
    assert [defect.rule for defect in flow.defects] == ["too-many-blocks"]
    assert len(flow.blocks) == 251


def test_positions_are_those_of_the_parsed_text() -> None:
    text = json.dumps(document(), indent=2)
    line, column, _ = Flow.parse(text, "x.json").positions["$.Actions[1].Identifier"]
    assert text.splitlines()[line - 1][column - 1 :].startswith('"Identifier": "end"')


def test_blocks_and_branches_have_json_paths() -> None:
    flow = parse(document())
    assert flow.blocks["end"].path == "$.Actions[1]"
    assert [branch.path for branch in flow.blocks["hello"].branches] == [
        "$.Actions[0].Transitions.NextAction",
        "$.Actions[0].Transitions.Errors[0].NextAction",
    ]


def test_unknown_fields_are_written_back() -> None:
    novelty = {"Identifier": "n", "Type": "SomethingNew", "Extra": [1, 2.5, None, {"z": 1, "a": 2}]}
    text = json.dumps(document(StartAction="n", Actions=[novelty], Unknown={"b": "é", "a": []}), indent=2)
    assert json.dumps(json.loads(Flow.parse(text, "x.json").write())) == json.dumps(json.loads(text))


def test_a_flow_with_settings_is_a_module() -> None:
    assert parse(document(Settings={})).is_module
    assert not parse(document()).is_module


@pytest.mark.parametrize(
    ("name", "content", "problem"),
    [("gone.json", None, "no such file"), ("sjis.json", "銀行".encode("shift_jis"), "not UTF-8")],
)
def test_an_unreadable_file_is_an_input_error(
    tmp_path: Path, name: str, content: bytes | None, problem: str
) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError, match=problem):
        Flow.load(tmp_path / name)


def test_a_byte_order_mark_is_ignored(tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    path.write_text(json.dumps(document()), encoding="utf-8-sig")
    assert Flow.load(path).start == "hello"


def targets(value: Any) -> set[str]:
    """Returns all targets of NextAction members in a JSON value."""
    if isinstance(value, dict):
        own = {value["NextAction"]} if isinstance(value.get("NextAction"), str) else set()
        return own.union(*map(targets, value.values()))
    return set().union(*map(targets, value)) if isinstance(value, list) else set()


@pytest.mark.skipif(corpus.CORPUS is None, reason=corpus.MISSING)
def test_corpus_flows_are_parsed_completely_or_rejected_for_a_dangling_branch() -> None:
    paths = corpus.flows()
    assert paths, "the corpus has no flows"
    refused = []
    for path in paths:
        content = json.loads(path.read_text(encoding="utf-8"))
        identifiers = {block["Identifier"] for block in content["Actions"]}
        if {content["StartAction"], *targets(content["Actions"])} <= identifiers:
            flow = Flow.load(path)
            assert set(flow.blocks) == identifiers, path.name
            assert {branch.target for block in flow.blocks.values() for branch in block.branches} == targets(
                content["Actions"]
            ), path.name
        else:
            refused.append(path.name)
            with pytest.raises(InputError, match=path.name):
                Flow.load(path)
    assert len(refused) < len(paths), "the corpus must contain readable flows"
