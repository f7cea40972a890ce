"""Guards against alarms that stay silent or that do not tell the operator what to do, and against an open topic."""

from __future__ import annotations

import json
import re
from typing import Any

import pulumi
import pytest

from call_route_tracker import CallRouteTracker
from callroute.aws.state_machine import DROPPED_OUTCOMES, ITEM_ATTRIBUTES, OUTCOMES
from tests.support.engine import Engine
from tests.support.options import tracker_args
from tests.support.paths import REPOSITORY

ALARM = "aws:cloudwatch/metricAlarm:MetricAlarm"
DASHBOARD = "aws:cloudwatch/dashboard:Dashboard"
TOPIC = "aws:sns/topic:Topic"
TOPIC_POLICY = "aws:sns/topicPolicy:TopicPolicy"
SUBSCRIPTION = "aws:sns/topicSubscription:TopicSubscription"
TOPIC_ARN = "arn:aws:sns:ap-northeast-1:111111111111:calls-alarms-0000000"
OWN_TOPIC = "arn:aws:sns:ap-northeast-1:111111111111:on-call"
KEY_ARN = "arn:aws:kms:ap-northeast-1:111111111111:key/00000000-0000-0000-0000-000000000003"
STATE_MACHINE_ARN = "arn:aws:states:ap-northeast-1:111111111111:stateMachine:calls-test"
ALL = {"alarm_after_hours_without_calls": 24, "metrics": True}
"""Options that turn on all alarms."""


def build(engine: Engine, **options: Any) -> CallRouteTracker:
    built: list[CallRouteTracker] = []
    args = tracker_args(**options)
    engine.run(lambda: built.append(CallRouteTracker("calls", args)))
    return built[0]


def alarms(engine: Engine) -> dict[str, dict[str, Any]]:
    """Returns the inputs of the alarms, by name without prefix."""
    return {each.inputs["name"].removeprefix("calls-test-"): each.inputs for each in engine.of(ALARM)}


WATCHED = {
    # alarm: namespace, metric, dimensions, statistic, minutes to alarm, comparison, threshold, missing data
    "quarantine": (
        *("AWS/SQS", "ApproximateNumberOfMessagesVisible", {"QueueName": "calls-quarantine-0000000"}),
        *("Maximum", 5, ">", 0, "notBreaching"),
    ),
    "dead-letters": (
        *("AWS/SQS", "ApproximateNumberOfMessagesVisible", {"QueueName": "calls-pipe-dead-letters-0000000"}),
        *("Maximum", 5, ">", 0, "notBreaching"),
    ),
    "iterator-age": (
        *("AWS/Kinesis", "GetRecords.IteratorAgeMilliseconds", {"StreamName": "calls-stream-0000000"}),
        *("Maximum", 15, ">", 600_000, "notBreaching"),
    ),
    "executions-failed": (
        *("AWS/States", "ExecutionsFailed", {"StateMachineArn": STATE_MACHINE_ARN}),
        *("Sum", 15, ">", 0, "notBreaching"),
    ),
    "stream-not-read": (
        *("AWS/Kinesis", "GetRecords.Success", {"StreamName": "calls-stream-0000000"}),
        *("Sum", 15, "<", 1, "breaching"),
    ),
    "no-calls": (
        *("AWS/DynamoDB", "SuccessfulRequestLatency"),
        *(
            {"TableName": "call-records", "Operation": "UpdateItem"},
            "SampleCount",
            24 * 60,
            "<",
            1,
            "breaching",
        ),
    ),
}
COMPARISONS = {"GreaterThanThreshold": ">", "LessThanThreshold": "<"}


def test_alarms_watch_these_metrics(engine: Engine) -> None:
    build(engine, **ALL)

    found = {
        name: (
            *(inputs["namespace"], inputs["metricName"], inputs["dimensions"], inputs["statistic"]),
            inputs["period"] * inputs["evaluationPeriods"] // 60,
            *(COMPARISONS[inputs["comparisonOperator"]], inputs["threshold"], inputs["treatMissingData"]),
        )
        for name, inputs in alarms(engine).items()
        if name != "abandonment"
    }
    assert found == WATCHED


def test_the_share_of_callers_who_give_up_is_compared_with_its_usual_range(engine: Engine) -> None:
    build(engine, **ALL, metrics_namespace="Hotline")

    alarm = alarms(engine)["abandonment"]
    share, band = alarm["metricQueries"]
    assert share == {
        "id": "share",
        "metric": {
            "namespace": "Hotline",
            "metricName": "Abandoned",
            "dimensions": {"Tracker": "calls-test"},
            "period": 3_600,
            "stat": "Average",
        },
        "returnData": True,
    }
    assert band == {"id": "band", "expression": "ANOMALY_DETECTION_BAND(share, 3)", "returnData": True}
    assert alarm["thresholdMetricId"] == "band"
    assert alarm["comparisonOperator"] == "LessThanLowerOrGreaterThanUpperThreshold"


def test_the_evaluation_period_of_every_alarm_is_accepted(engine: Engine) -> None:
    build(engine, alarm_after_hours_without_calls=168, metrics=True)

    # Periods of less than an hour can be evaluated for a day, longer ones for a week. Source: PutMetricAlarm.
    for name, alarm in alarms(engine).items():
        period = alarm.get("period", 3_600)
        assert period * alarm["evaluationPeriods"] <= (86_400 if period < 3_600 else 604_800), name


def test_each_description_says_what_to_do_and_names_its_section(engine: Engine) -> None:
    build(engine, **ALL)

    guide = (REPOSITORY / "docs" / "operations.md").read_text(encoding="utf-8")
    headings = set(re.findall(r"^#+ (.+)$", guide, re.MULTILINE))
    documented = dict(re.findall(r"^\| `([a-z-]+)` \|.*\| \[([^]]+)\]\(#[a-z-]+\) \|$", guide, re.MULTILINE))
    named = {}
    for name, alarm in alarms(engine).items():
        sentences = re.fullmatch(r"(.+\.) See '(.+)' in docs/operations\.md\.", alarm["alarmDescription"])
        assert sentences, name
        assert sentences[1].count(".") >= 2, f"{name}: the cause and the action"
        assert len(alarm["alarmDescription"]) <= 1_024
        named[name] = sentences[2]
    assert set(named.values()) <= headings
    assert named == documented, "the table of alarms in docs/operations.md"


@pytest.mark.parametrize("options", [{}, {"alarm_topic_arn": OWN_TOPIC}])
def test_all_alarms_act_on_the_topic(engine: Engine, options: dict[str, str]) -> None:
    built = build(engine, **ALL, **options)

    topic = options.get("alarm_topic_arn", TOPIC_ARN)
    assert {name: each["alarmActions"] for name, each in alarms(engine).items()} == {
        name: [topic] for name in [*WATCHED, "abandonment"]
    }
    assert bool(engine.of(TOPIC)) == bool(engine.of(TOPIC_POLICY)) == (not options)
    assert built.alarms


def test_an_alarm_is_created_after_the_pipe_because_missing_data_counts(engine: Engine) -> None:
    build(engine, **ALL)

    pipe = engine.one("aws:pipes/pipe:Pipe").urn
    assert all(pipe in alarm.depends_on for alarm in engine.of(ALARM))


def test_only_alarms_of_this_tracker_and_account_can_publish_to_the_topic(engine: Engine) -> None:
    build(engine)

    policy = engine.one(TOPIC_POLICY).inputs
    assert policy["arn"] == TOPIC_ARN
    (statement,) = json.loads(policy["policy"])["Statement"]
    assert statement == {
        "Sid": "PublishAlarms",
        "Effect": "Allow",
        "Action": ["sns:Publish"],
        "Resource": TOPIC_ARN,
        "Principal": {"Service": "cloudwatch.amazonaws.com"},
        "Condition": {
            "ArnLike": {"aws:SourceArn": "arn:aws:cloudwatch:ap-northeast-1:111111111111:alarm:calls-test-*"},
            "StringEquals": {"aws:SourceAccount": "111111111111"},
        },
    }


def test_the_topic_is_encrypted_only_with_a_key_that_cloudwatch_can_be_allowed_to_use(engine: Engine) -> None:
    build(engine)
    with_key = Engine()
    build(with_key, kms_key_arn=KEY_ARN)

    assert "kmsMasterKeyId" not in engine.one(TOPIC).inputs, "CloudWatch cannot use alias/aws/sns"
    assert with_key.one(TOPIC).inputs["kmsMasterKeyId"] == KEY_ARN


def test_an_address_can_be_subscribed_to_the_topic(engine: Engine) -> None:
    build(engine, alarm_email="on-call@example.com")

    assert engine.one(SUBSCRIPTION).inputs == {
        "topic": TOPIC_ARN,
        "protocol": "email",
        "endpoint": "on-call@example.com",
    }


def test_alarms_and_dashboard_can_be_turned_off(engine: Engine) -> None:
    built = build(engine, **ALL, alarms=False, dashboard=False)

    assert engine.of(ALARM) == engine.of(TOPIC) == engine.of(DASHBOARD) == []
    assert (built.alarms, built.dashboard) == (None, None)


# --- Dashboard -----------------------------------------------------------------------------------------------


def dashboard(engine: Engine) -> dict[str, Any]:
    """Returns the body of the dashboard."""
    body: dict[str, Any] = json.loads(engine.one(DASHBOARD).inputs["dashboardBody"])
    return body


def names(body: dict[str, Any]) -> set[str]:
    """Returns the names of the metrics on a dashboard."""
    lines = [line for each in body["widgets"] for line in each["properties"]["metrics"]]
    return {line[1] for line in lines if isinstance(line[0], str)}


def test_the_dashboard_shows_the_health_of_the_pipeline(engine: Engine) -> None:
    build(engine)

    assert names(dashboard(engine)) == {
        *("ApproximateAgeOfOldestMessage", "ApproximateNumberOfMessagesVisible"),
        *("ExecutionFailed", "ExecutionThrottled", "ExecutionTime", "ExecutionTimeout"),
        *("ExecutionsFailed", "ExecutionsSucceeded", "ExecutionsTimedOut"),
        *("GetRecords.IteratorAgeMilliseconds", "GetRecords.Records", "IncomingRecords"),
        *("SuccessfulRequestLatency", "WriteProvisionedThroughputExceeded", "WriteThrottleEvents"),
    }
    assert engine.one(DASHBOARD).inputs["dashboardName"] == "calls-test-ap-northeast-1"


def test_the_dashboard_shows_every_metric_that_an_alarm_watches(engine: Engine) -> None:
    build(engine, **ALL)

    watched = {metric for _, metric, *_ in WATCHED.values()} | {"Abandoned"}
    assert watched - names(dashboard(engine)) == {"GetRecords.Success"}, "GetRecords.Records is shown instead"


def test_with_metrics_the_dashboard_begins_with_calls_and_drop_offs(engine: Engine) -> None:
    build(engine, metrics=True)

    outcomes, share, routes = (each["properties"]["metrics"] for each in dashboard(engine)["widgets"][:3])
    assert [line[5] for line in outcomes] == [*OUTCOMES]
    assert share == [["CallRoute", "Abandoned", "Tracker", "calls-test", {"label": "share"}]]
    assert routes[0][0]["expression"] == (
        "SEARCH('{CallRoute,Route,Tracker} MetricName=\"Abandoned\" Tracker=\"calls-test\"', 'Sum', 3600)"
    )


def test_widgets_fill_the_grid_without_overlapping(engine: Engine) -> None:
    build(engine, metrics=True)

    widgets = dashboard(engine)["widgets"]
    assert len({(each["x"], each["y"]) for each in widgets}) == len(widgets)
    assert all(each["x"] + each["width"] <= 24 for each in widgets), "a dashboard has 24 columns"
    assert all(each["properties"]["region"] == "ap-northeast-1" for each in widgets)


def test_the_outcomes_are_those_of_the_item() -> None:
    source = (REPOSITORY / "callroute" / "aws" / "record.jsonata").read_text(encoding="utf-8")

    part = source.partition("'outcome':")[2].partition("'disconnect_reason'")[0]
    assert set(re.findall(r"[?:] '(\w+)'", part)) == set(OUTCOMES) > set(DROPPED_OUTCOMES)
    assert "outcome" in ITEM_ATTRIBUTES


def test_all_resources_are_available_as_attributes(engine: Engine) -> None:
    built = build(engine, **ALL)

    assert built.alarms
    assert [*built.alarms.alarms] == [*WATCHED, "abandonment"]
    assert isinstance(built.alarms.topic, pulumi.Resource)
    assert isinstance(built.dashboard, pulumi.Resource)
