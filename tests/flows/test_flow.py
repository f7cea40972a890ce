"""Guards against flows that are misread: a file of another kind taken for a flow, or a branch that is lost."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from callroute.errors import InputError
from callroute.flows.flow import Branch, Flow
from tests.support import corpus


def document(**changes: Any) -> dict[str, Any]:
    """A flow of a message and an end, with changes at the top level; None takes a key away."""
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


def read(value: object) -> Flow:
    return Flow.parse(json.dumps(value), "x.json")


def test_a_branch_is_kept_with_its_kind_and_label_even_where_another_shares_its_target() -> None:
    flow = read(document())
    assert flow.blocks["hello"].branches == (
        Branch("hello", "next", "", "end"),
        Branch("hello", "error", "NoMatchingError", "end"),
    )
    assert flow.blocks["end"].branches == ()


def test_conditions_are_labelled_by_their_operand_and_others_by_operator_too() -> None:
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
    flow = read(document(StartAction="compare", Actions=[compare]))
    assert flow.blocks["compare"].labels("condition") == ("1", "NumberLessThan 1")
    _, equal, less = flow.blocks["compare"].branches
    assert (equal.operator, equal.operands) == ("Equals", ("1",))
    assert (less.operator, less.operands) == ("NumberLessThan", ("1",))


def test_a_block_of_an_unknown_type_is_kept() -> None:
    novelty = {"Identifier": "n", "Type": "SomethingNew", "Parameters": {"A": ["b"]}, "Transitions": {}}
    flow = read(document(StartAction="n", Actions=[novelty]))
    assert flow.blocks["n"].type == "SomethingNew"
    assert flow.blocks["n"].parameters == {"A": ["b"]}


def test_a_block_without_transitions_is_one_that_leads_nowhere() -> None:
    assert (
        read(document(StartAction="e", Actions=[{"Identifier": "e", "Type": "X"}])).blocks["e"].branches == ()
    )


@pytest.mark.parametrize(
    ("text", "place", "problem"),
    [
        ("{]", "line 1 column 2", "not JSON"),
        ("", "line 1 column 1", "not JSON"),
        ("[" * 100_000, "", "nested too deeply"),
        ("[]", "", "a list"),
        ('"x"', "", "the text 'x'"),
        (json.dumps({"modules": [], "version": "1"}), "modules", "export of the Connect console"),
        (json.dumps({"ContactFlow": {"Content": "{}"}}), "ContactFlow", "`aws connect` answers"),
        (json.dumps({"ContactFlowModule": {}}), "ContactFlowModule", "and not the flow"),
        (json.dumps(document(Version=None)), "Version", "Version is missing"),
        (json.dumps(document(Version="2020-01-01")), "Version", "'2020-01-01'"),
        (json.dumps(document(StartAction=None)), "the flow", "StartAction is missing"),
        (json.dumps(document(StartAction="gone")), "StartAction", "no block 'gone'"),
        (json.dumps(document(Actions=None)), "the flow", "Actions is missing"),
        (json.dumps(document(Actions=[])), "StartAction", "no block 'hello'"),
        (json.dumps(document(Actions=["x"])), "Actions[0]", "not a block"),
        (json.dumps(document(Actions=[{"Type": "X"}])), "Actions[0]", "Identifier is missing"),
        (json.dumps(document(Actions=[{"Identifier": "hello"}])), "Actions[0]", "Type is missing"),
        (
            json.dumps(document(Actions=[document()["Actions"][1], document()["Actions"][1]])),
            "Actions[1]",
            "'end' is used by an earlier block",
        ),
        (
            json.dumps(document(Actions=[document()["Actions"][0]])),
            "block 'hello'",
            "branch 'next' leads to 'end'",
        ),
        (
            json.dumps(
                document(Actions=[{"Identifier": "hello", "Type": "X", "Transitions": {"NextAction": 1}}])
            ),
            "block 'hello'",
            "NextAction is the number 1",
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
            "Errors holds null",
        ),
        *(
            (
                json.dumps(
                    document(Actions=[{"Identifier": "hello", "Type": "X", "Transitions": {key: value}}])
                ),
                "block 'hello'",
                f"{key} is {found}",
            )
            for key in ("Conditions", "Errors", "NextAction")
            for value, found in ((None, "null"), ({}, "an object"), (False, "false"))
        ),
        (json.dumps(document() | {"Actions": None}), "the flow", "Actions is null"),
        (json.dumps(document() | {"StartAction": None}), "the flow", "StartAction is null"),
    ],
)
def test_what_is_not_a_flow_is_refused_with_place_and_problem(text: str, place: str, problem: str) -> None:
    with pytest.raises(InputError) as refused:
        Flow.parse(text, "x.json")
    assert refused.value.source == "x.json"
    assert refused.value.place == place
    assert problem in refused.value.problem
    assert refused.value.fix


def test_a_key_that_is_there_twice_is_refused_since_one_of_its_values_would_be_lost() -> None:
    text = json.dumps(document()).replace('"Text"', '"Text": "other", "Text"')
    with pytest.raises(InputError, match=r"Actions\[0\].Parameters: the key 'Text' is there more than once"):
        Flow.parse(text, "x.json")


def test_what_read_refuses_examine_tells_all_at_once_and_keeps_what_is_sound() -> None:
    hello, end = document()["Actions"]
    broken = {**hello, "Identifier": "broken", "Transitions": {"NextAction": "gone", "Errors": [None]}}
    text = json.dumps(document(StartAction="begin", Actions=[hello, broken, "x", end, end]))
    flow = Flow.parse_lenient(text, "x.json")
    assert [(flaw.rule, flaw.block, flaw.path) for flaw in flow.defects] == [
        ("malformed", "broken", "$.Actions[1].Transitions.Errors[0]"),
        ("malformed", None, "$.Actions[2]"),
        ("duplicate-identifier", "end", "$.Actions[4].Identifier"),
        ("no-start", None, "$.StartAction"),
        ("dangling-transition", "broken", "$.Actions[1].Transitions.NextAction"),
    ]
    assert list(flow.blocks) == ["hello", "broken", "end"]
    assert flow.blocks["broken"].target("next") == "gone"


def test_blocks_and_branches_know_their_place_in_the_file() -> None:
    flow = read(document())
    assert flow.blocks["end"].path == "$.Actions[1]"
    assert [transition.path for transition in flow.blocks["hello"].branches] == [
        "$.Actions[0].Transitions.NextAction",
        "$.Actions[0].Transitions.Errors[0].NextAction",
    ]


def test_a_flow_is_written_with_all_that_it_held_known_or_not() -> None:
    novelty = {"Identifier": "n", "Type": "SomethingNew", "Extra": [1, 2.5, None, {"z": 1, "a": 2}]}
    text = json.dumps(document(StartAction="n", Actions=[novelty], Unknown={"b": "é", "a": []}), indent=2)
    assert json.dumps(json.loads(Flow.parse(text, "x.json").write())) == json.dumps(json.loads(text))


def test_a_module_is_told_by_its_settings() -> None:
    assert read(document(Settings={})).is_module
    assert not read(document()).is_module


@pytest.mark.parametrize(
    ("name", "content", "problem"),
    [("gone.json", None, "no such file"), ("sjis.json", "銀行".encode("shift_jis"), "not UTF-8")],
)
def test_a_file_that_cannot_be_read_is_an_input_error(
    tmp_path: Path, name: str, content: bytes | None, problem: str
) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError, match=problem):
        Flow.load(tmp_path / name)


def test_a_byte_order_mark_does_not_matter(tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    path.write_text(json.dumps(document()), encoding="utf-8-sig")
    assert Flow.load(path).start == "hello"


def targets(value: Any) -> set[str]:
    """Everything that any NextAction in a JSON value names."""
    if isinstance(value, dict):
        own = {value["NextAction"]} if isinstance(value.get("NextAction"), str) else set()
        return own.union(*map(targets, value.values()))
    return set().union(*map(targets, value)) if isinstance(value, list) else set()


@pytest.mark.skipif(corpus.CORPUS is None, reason=corpus.MISSING)
def test_every_flow_of_the_corpus_is_read_in_full_or_refused_for_a_branch_that_leads_nowhere() -> None:
    paths = corpus.flows()
    assert paths, "the corpus has no flows"
    refused = []
    for path in paths:
        content = json.loads(path.read_text(encoding="utf-8"))
        identifiers = {action["Identifier"] for action in content["Actions"]}
        if {content["StartAction"], *targets(content["Actions"])} <= identifiers:
            flow = Flow.load(path)
            assert set(flow.blocks) == identifiers, path.name
            assert {t.target for action in flow.blocks.values() for t in action.branches} == targets(
                content["Actions"]
            ), path.name
        else:
            refused.append(path.name)
            with pytest.raises(InputError, match=path.name):
                Flow.load(path)
    assert len(refused) < len(paths), "a corpus of which nothing is readable proves nothing"
