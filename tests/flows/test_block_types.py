"""Tests the catalog of block types. A wrong row would reject valid flows or accept flows that Connect rejects."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from callroute.flows.block_types import (
    ALL,
    BLOCK_TYPES,
    NAMES_ONLY,
    OPERATORS,
    OTHER_NAMES,
    FlowKind,
    Shape,
    declared_kind,
    kinds_of,
    type_of,
)
from callroute.flows.flow import Block, Flow
from tests.support import corpus

ROWS = sorted(BLOCK_TYPES)


def flow(*types: str, **more: Any) -> Flow:
    blocks = [
        {"Identifier": str(number), "Type": type_, "Parameters": {}, "Transitions": {}}
        for number, type_ in enumerate(types)
    ]
    document = {"Version": "2019-10-30", "StartAction": "0", "Actions": blocks, **more}
    return Flow.parse(json.dumps(document), "x.json")


def shapes(shape: Shape) -> Iterator[Shape]:
    """Yields a shape and all nested shapes."""
    yield shape
    for inner in shape.nested.values():
        yield from shapes(inner)


@pytest.mark.parametrize("name", ROWS)
def test_a_row_has_a_source_and_no_contradictions(name: str) -> None:
    row = BLOCK_TYPES[name]
    assert row.source.startswith(("live: ", "doc: ", "third: "))
    for shape in shapes(row):
        parameters = [*shape.required, *shape.one_of, *shape.any_of, *shape.optional, *shape.refused]
        assert len(set(parameters)) == len(parameters), "a parameter must have one role"
        assert {*shape.values, *shape.numbers, *shape.references, *shape.nested} <= shape.parameters
    assert not set(row.errors) & set(row.errors_optional)
    assert set(row.operators) <= set(OPERATORS)
    assert row.conditions_from in {"", *row.parameters}
    assert {path.partition(".")[0] for path in row.errors_with} <= row.parameters
    assert row.kinds
    if row.terminal:
        assert not row.errors
        assert not row.conditions


def test_the_catalog_covers_the_whole_flow_language() -> None:
    # The types in the AWS reference, in the order of its four pages. The catalog also contains types from published
    # flows.
    reference = """
        CompleteOutboundCall CreateCase CreateTask CreateWisdomSession DequeueContactAndTransferToQueue
        EndFlowModuleExecution GetCase InvokeFlowModule StartOutboundChatContact TagContact TransferContactToAgent
        TransferContactToQueue UnTagContact UpdateCase UpdateContactAttributes UpdateContactCallbackNumber
        UpdateContactData UpdateContactEventHooks UpdateContactMediaProcessing UpdateContactMediaStreamingBehavior
        UpdateContactRecordingAndAnalyticsBehavior UpdateContactRecordingBehavior ResumeContact
        UpdateContactRoutingBehavior UpdateContactTargetQueue UpdateContactTextToSpeechVoice
        UpdatePreviousContactParticipantState
        CheckHoursOfOperation CheckMetricData CheckOutboundCallStatus CheckVoiceId Compare DistributeByPercentage
        EndFlowExecution GetMetricData Loop StartVoiceIdStream TransferToFlow UpdateFlowAttributes
        UpdateFlowLoggingBehavior UpdateRoutingCriteria Wait
        AssociateContactToCustomerProfile CreateCallbackContact CreateCustomerProfile InvokeLambdaFunction
        GetCustomerProfile GetCustomerProfileObject GetCalculatedAttributesForCustomerProfile UpdateCustomerProfile
        ConnectParticipantWithLexBot DisconnectParticipant GetParticipantInput MessageParticipant
        MessageParticipantIteratively ShowView
    """
    # Live requests showed that Connect rejects UnTagContact, the documented spelling, and accepts UntagContact.
    assert {*reference.split()} - {"UnTagContact"} <= set(BLOCK_TYPES)
    assert OTHER_NAMES["UnTagContact"] == "UntagContact"
    assert not NAMES_ONLY & set(BLOCK_TYPES)
    assert not set(OTHER_NAMES) & {*BLOCK_TYPES, *NAMES_ONLY}
    assert set(OTHER_NAMES.values()) <= set(BLOCK_TYPES)


@pytest.mark.parametrize(
    ("parameters", "stop"),
    [
        ({"StoreInput": "False"}, "menu"),
        ({}, "menu"),
        ({"StoreInput": "True"}, "input"),
        ({"StoreInput": "true"}, "input"),
        ({"EnableDTMFBuffer": "True"}, None),
    ],
)
def test_get_participant_input_has_three_variants(parameters: dict[str, str], stop: str | None) -> None:
    row = type_of(Block("x", "GetParticipantInput", parameters, ()))
    assert row is not None
    assert row.stop == stop


@pytest.mark.parametrize(
    ("types", "kinds"),
    [
        (("MessageParticipant",), ALL - {"hold", "module"}),
        (("TransferContactToQueue", "DisconnectParticipant"), {"contact", "transfer"}),
        (("EndFlowExecution", "UpdateContactRecordingBehavior"), {"queue", "outbound whisper"}),
        (("MessageParticipantIteratively", "MessageParticipant"), {"queue"}),
        (("SomethingNew", "InvokeFlowModule"), {"contact"}),
        (("EndFlowExecution", "InvokeFlowModule"), {"contact"}),
        (("TransferContactToQueue", "DequeueContactAndTransferToQueue"), set()),
    ],
)
def test_the_kinds_of_a_flow_are_inferred_from_its_blocks(
    types: tuple[str, ...], kinds: set[FlowKind]
) -> None:
    assert kinds_of(flow(*types)) == kinds


def test_a_declared_kind_takes_precedence() -> None:
    assert kinds_of(flow("MessageParticipant", Settings={})) == {"module"}
    assert kinds_of(flow("MessageParticipant", Metadata={"type": "customerQueue"})) == {"queue"}
    assert declared_kind(flow("MessageParticipant", Metadata={"type": 1})) is None
    assert declared_kind(flow("MessageParticipant", Metadata=[])) is None


@pytest.mark.skipif(corpus.CORPUS is None, reason=corpus.MISSING)
def test_nearly_all_block_types_in_the_corpus_are_known() -> None:
    paths = corpus.flows()
    types = [
        action["Type"] for path in paths for action in json.loads(path.read_text(encoding="utf-8"))["Actions"]
    ]
    unknown = [name for name in types if name not in BLOCK_TYPES and name not in NAMES_ONLY]
    assert len(unknown) < len(types) / 50, f"unknown: {sorted(set(unknown))}"
