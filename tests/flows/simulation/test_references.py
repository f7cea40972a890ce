"""Tests references and attributes."""

from __future__ import annotations

import pytest

from callroute.flows.simulation.events import (
    AttributesSet,
    Compared,
    Failed,
    Said,
)
from tests.flows.simulation.builders import START, attributes, block, flow, messages, run, say


def test_an_attribute_keeps_its_last_value_and_each_update_is_an_event() -> None:
    events, call = run(flow(attributes("a", "b", x="1", y="1"), attributes("b", "end", x="2")))
    assert call.attributes == {"x": "2", "y": "1"}
    assert [event.attributes for event in events if isinstance(event, AttributesSet)] == [
        {"x": "1", "y": "1"},
        {"x": "2"},
    ]


def test_references_are_resolved_in_prompts_and_as_whole_values() -> None:
    tested = flow(
        attributes("a", "b", x="紛失"),
        attributes("b", "say", y="$.Attributes.x", z="to $.Attributes.x", none="$.Attributes.missing"),
        block("say", "MessageParticipant", "end", Text="「 $.Attributes.y 」 $.Attributes.missing."),
    )
    events, call = run(tested)
    # Connect does not concatenate text in an attribute's value, but it does in prompts.
    assert call.attributes == {"x": "紛失", "y": "紛失", "z": "to $.Attributes.x", "none": ""}
    assert [event.text for event in events if isinstance(event, Said)] == ["「 紛失 」 ."]


def test_a_block_reads_all_values_before_it_sets_any() -> None:
    tested = flow(
        attributes("a", "b", x="1", y="2"), attributes("b", "end", x="$.Attributes.y", y="$.Attributes.x")
    )
    assert run(tested)[1].attributes == {"x": "2", "y": "1"}


@pytest.mark.parametrize(
    ("text", "resolved"),
    [
        ("$.CustomerEndpoint.Address", "+12065550100"),
        ("$.SystemEndpoint.Address", "+442079460999"),
        ("$.Channel, $['Channel']", "VOICE, VOICE"),
        ("$.ContactId", "c-1"),
        ("$.AwsRegion", "ap-northeast-1"),
        ("$.Attributes.name.", "Hana."),
        ("$.Attributes.nameさん", "Hanaさん"),
        ("$.Attributes['full name']/$.Attributes.['full name']", "Hana S/Hana S"),
        ("$['Attributes']['full name']/$['Attributes'].name", "Hana S/Hana"),
        ("$.Attributes.never_set!", "!"),
        ("$.StoredCustomerInput", ""),
        ("$5 and $.50", "$5 and $.50"),
        ("$.SegmentAttributes['connect:Subtype']", "connect:Telephony"),
    ],
)
def test_references_are_replaced_by_call_data(text: str, resolved: str) -> None:
    events, _ = run(
        flow(say("tell", text)),
        attributes={"name": "Hana", "full name": "Hana S"},
        customer_number="+12065550100",
        system_number="+442079460999",
        contact_id="c-1",
    )
    assert messages(events) == [resolved]


def test_a_withheld_number_is_anonymous_in_the_flow() -> None:
    assert messages(run(flow(say("t", "$.CustomerEndpoint.Address")), customer_number=None)[0]) == [
        "anonymous"
    ]


def test_attribute_names_can_be_references_and_empty_names_are_dropped() -> None:
    setting = block(
        "set",
        "UpdateContactAttributes",
        Attributes={"$.Attributes.key": "$.Attributes.value", "$.Attributes.none": "x", "plain": "y"},
    )
    _, call = run(flow(setting), attributes={"key": "tier", "value": "gold"})
    assert call.attributes == {"key": "tier", "value": "gold", "tier": "gold", "plain": "y"}


def test_flow_attributes_do_not_reach_the_record() -> None:
    setting = block("set", "UpdateFlowAttributes", "tell", FlowAttributes={"x": {"Value": "1"}})
    events, call = run(flow(setting, say("tell", "$.FlowAttributes.x")))
    assert messages(events) == ["1"]
    assert call.attributes == {}


def test_the_target_queue_can_be_referenced_and_must_not_be_empty() -> None:
    choose = block(
        "choose",
        "UpdateContactTargetQueue",
        "tell",
        errors={"NoMatchingError": "sorry"},
        QueueId="$.Attributes.queue",
    )
    tested = flow(choose, say("tell", "$.Queue.Name"), say("sorry"))
    assert messages(run(tested, attributes={"queue": "arn:q/sales"})[0]) == ["sales"]
    events, _ = run(tested)
    assert events[0] == Failed(START, "choose", "NoMatchingError")
    assert messages(events) == ["sorry"]


def test_initial_attributes_belong_to_the_contact() -> None:
    events, call = run(flow(say("hello", "$.Attributes.x")), attributes={"x": "1"})
    assert (messages(events), call.attributes) == (["1"], {"x": "1"})
    assert not any(isinstance(event, AttributesSet | Compared) for event in events)
