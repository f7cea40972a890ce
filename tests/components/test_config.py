"""Tests that invalid stack configuration is reported completely and before any resource is registered."""

from __future__ import annotations

import json
import traceback
from collections.abc import Collection, Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

import pulumi
import pytest

from call_route_tracker import CallRouteTracker, CallRouteTrackerArgs, load_config
from call_route_tracker.config import parse_config
from call_route_tracker.constraints import ConfigError, Problem, camel_case
from tests.support.engine import PROJECT, Engine
from tests.support.options import INSTANCE, tracker_args
from tests.support.paths import FLOW_DEFINITIONS

SALT = "a-salt-for-tests-only"
KEY_ARN = "arn:aws:kms:ap-northeast-1:111111111111:key/00000000-0000-0000-0000-000000000003"
VALID = {"connectInstance": INSTANCE}
FLOW = {"file": "call_route.json", "name": "menu"}


def parse(
    changes: Mapping[str, str | None], *, folder: Path = FLOW_DEFINITIONS, **options: Any
) -> CallRouteTrackerArgs:
    """Parses valid config with some changes. None removes a key."""
    config = {key: value for key, value in {**VALID, **changes}.items() if value is not None}
    return parse_config(config, flow_folder=folder, **options)


def problems(
    changes: Mapping[str, str | None], secrets: Collection[str] = (), folder: Path = FLOW_DEFINITIONS
) -> dict[str, Problem]:
    """Returns the problems of valid config with some changes, by key."""
    with pytest.raises(ConfigError) as raised:
        parse(changes, secrets=secrets, folder=folder)
    found = {problem.key: problem for problem in raised.value.problems}
    assert len(found) == len(raised.value.problems), "each key is reported once"
    return found


def test_flows_have_types_and_tags(tmp_path: Path) -> None:
    entry = {**FLOW, "type": "CUSTOMER_QUEUE", "tags": "{}"}
    (flow,) = parse({"flows": json.dumps([entry])}).flows
    assert (flow.type, flow.tags) == ("CUSTOMER_QUEUE", {})
    (flow,) = parse({"flows": json.dumps([FLOW])}).flows
    assert (flow.type, flow.tags) == ("CONTACT_FLOW", None)
    (flow,) = parse({"flows": json.dumps([{**FLOW, "type": "MODULE"}])}).flows
    assert flow.type == "MODULE"

    file = tmp_path / "queue.json"
    file.write_text((FLOW_DEFINITIONS / "call_route.json").read_text(encoding="utf-8"), encoding="utf-8")
    catalog = "flow: queue.json\ntype: CUSTOMER_QUEUE\n"
    file.with_name("queue.routes.yaml").write_text(catalog, encoding="utf-8")
    found = problems({"flows": json.dumps([{**FLOW, "file": "queue.json"}])}, folder=tmp_path)
    assert found["flows[0].type"].fix == "Set it: pulumi config set --path 'flows[0].type' CUSTOMER_QUEUE"
    assert "flows[0].type" in problems({"flows": json.dumps([{**FLOW, "type": "QUEUE"}])})


@pytest.mark.parametrize(
    ("key", "value", "allowed", "fix"),
    [
        ("connectInstance", None, "ID or ARN of an Amazon Connect instance", "pulumi config set"),
        ("connectInstance", "my-instance", "ID or ARN", "the instance's overview"),
        ("connectInstance", f"arn:aws:connect:eu-west-2:11111:instance/{INSTANCE}", "ID or ARN", "ARN"),
        ("timeZone", "Asia/Tokio", "IANA time zone", "Did you mean Asia/Tokyo"),
        ("timeZone", "JST+9", "IANA time zone", "IANA time zone database"),
        ("phoneNumber", "domestik", "domestic, e164, masked or hashed", "Did you mean domestic?"),
        ("countryCode", "+81", "1 to 3 digits", "without +"),
        ("countryCode", "Japan", "1 to 3 digits", "calling code"),
        ("countryCode", "0081", "1 to 3 digits", "zeros"),
        ("trunkPrefix", "zero", "0 to 3 digits", "before a national number"),
        ("retentionDays", "-1", "0 to 36500 days", "0 to keep records forever"),
        ("retentionDays", "a month", "0 to 36500 days", "pulumi config set"),
        ("tableName", "call records", "3 to 255 letters", "DynamoDB"),
        ("streamArn", "contact-records", "the ARN of a Kinesis data stream", "Copy"),
        ("streamKmsKeyArn", "alias/mine", "the ARN of a KMS key", "aliases"),
        ("streamKmsKeyArn", KEY_ARN, "no value unless streamArn is set", "kmsKeyArn"),
        ("kmsKeyArn", "alias/mine", "the ARN of a KMS key", "aliases"),
        ("permissionsBoundaryArn", "boundary", "the ARN of a managed policy", "inline"),
        ("streamMode", "ONDEMAND", "PROVISIONED or ON_DEMAND", "Did you mean ON_DEMAND?"),
        ("shardCount", "0", "1 to 200 shards", "ON_DEMAND"),
        ("streamRetentionHours", "12", "24 to 8760 hours", "one day to one year"),
        ("batchSize", "100", "1 to 52 records", "must fit in 262,144 bytes"),
        ("batchSize", "ten", "1 to 52 records", "pulumi config set"),
        ("batchingWindowSeconds", "600", "0 to 300 seconds", "wait"),
        ("parallelizationFactor", "0", "1 to 10 batches", "at the same time"),
        ("maximumRetryAttempts", "-1", "0 to 10000 attempts", "block its shard"),
        ("maximumRecordAgeSeconds", "-1", "60 to 604800 seconds", "block its shard"),
        ("maximumRecordAgeSeconds", "86400", "less than the retention period of the stream, 24", "replay"),
        ("logRetentionDays", "10", "1, 3, 5, 7, 14", "The nearest value is 7."),
        ("protectData", "perhaps", "true or false", "pulumi config set"),
        ("tags", "team=calls", "up to 50 tags", "--path 'tags.NAME'"),
        ("tags", '{"aws:team": "calls"}', "start with `aws:`", "aws:team"),
        ("tags", "[]", "up to 50 tags", "a mapping"),
        ("flows", "call_route.json", "a list", "--path 'flows[0].NAME'"),
        ("flows", "{}", "a list", "Use a list."),
        ("trackedInitiationMethods", "INBOUND", "one or more of INBOUND, WEBRTC_API", "pulumi config set"),
        ("trackedInitiationMethods", "[]", "one or more of", "no call would be stored"),
        ("trackedInitiationMethods", '["INBOUND", "TRANSFER"]', "one or more of", "would count twice"),
        ("trackedInitiationMethods", '["QUEUE_TRANSFER"]', "one or more of", "Remove QUEUE_TRANSFER"),
        ("trackedInitiationMethods", '["API", "API"]', "one or more of", "Remove the repetition of API."),
        ("trackedInitiationMethods", '["INBOND"]', "one or more of", "Did you mean INBOUND"),
    ],
)
def test_an_invalid_value_is_reported_with_allowed_values_and_a_fix(
    key: str, value: str | None, allowed: str, fix: str
) -> None:
    found = problems({key: value})

    assert list(found) == [key], "no other option is reported"
    assert found[key].value in ("not set" if value is None else value, json.dumps(value))
    assert allowed in found[key].allowed
    assert fix in found[key].fix


@pytest.mark.parametrize(
    ("flow", "key", "message"),
    [
        ({"name": "menu"}, "flows[0].file", "not set"),
        ({"file": "call_route.json"}, "flows[0].name", "not set"),
        ({**FLOW, "file": "call_rout.json"}, "flows[0].file", "call_rout.json: there is no such file"),
        ({**FLOW, "file": 1}, "flows[0].file", "text"),
        ({**FLOW, "name": "n" * 128}, "flows[0].name", "It has 128 characters"),
        ({**FLOW, "description": None}, "flows[0].description", "null"),
        ({**FLOW, "phoneNumberID": "x"}, "flows[0].phoneNumberID", "Did you mean phoneNumberId?"),
        ({**FLOW, "phoneNumberId": "+815000000000"}, "flows[0].phoneNumberId", "not the phone number itself"),
        ({**FLOW, "placeholders": {"Queue": "x"}}, "flows[0].placeholders", "Queue"),
        ({**FLOW, "placeholders": {"Queue": 1}}, "flows[0].placeholders.Queue", "text"),
        ({**FLOW, "file": "call_route_with_operator.json"}, "flows[0].placeholders", "has no value"),
        ("call_route.json", "flows[0]", "a mapping"),
    ],
)
def test_an_invalid_flow_is_reported_with_its_position(flow: object, key: str, message: str) -> None:
    found = problems({"flows": json.dumps([flow])})

    assert list(found) == [key]
    assert message in str(found[key])


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("press 1 or 2", "JSON"),
        ('{"modules": [], "version": "1", "type": "contactFlow"}', "export"),
        ('{"Version": "2019-10-30", "StartAction": "gone", "Actions": []}', "gone"),
    ],
    ids=["not JSON", "console export", "missing start"],
)
def test_a_file_that_is_not_a_flow_is_rejected(tmp_path: Path, content: str, message: str) -> None:
    (tmp_path / "menu.json").write_text(content, encoding="utf-8")

    found = problems({"flows": json.dumps([{"file": "menu.json", "name": "menu"}])}, folder=tmp_path)

    assert list(found) == ["flows[0].file"]
    assert "menu.json" in found["flows[0].file"].fix
    assert message in found["flows[0].file"].fix


def test_a_flow_that_is_too_long_is_rejected(tmp_path: Path) -> None:
    flow = json.loads((FLOW_DEFINITIONS / "call_route.json").read_text(encoding="utf-8"))
    flow["Metadata"]["note"] = "x" * 256_000
    (tmp_path / "menu.json").write_text(json.dumps(flow), encoding="utf-8")

    found = problems({"flows": json.dumps([{"file": "menu.json", "name": "menu"}])}, folder=tmp_path)

    assert "256,000" in found["flows[0].file"].fix


@pytest.mark.parametrize(
    ("other", "repeated"),
    [
        ({"file": "call_route.json", "name": "other"}, "key 'call-route'"),
        ({"file": "copy.json", "name": "menu"}, "name 'menu'"),
        ({"file": "call_route.json", "name": "menu"}, "key 'call-route', name 'menu'"),
    ],
)
def test_flows_with_the_same_key_or_name_are_rejected(
    tmp_path: Path, other: dict[str, str], repeated: str
) -> None:
    text = (FLOW_DEFINITIONS / "call_route.json").read_text(encoding="utf-8")
    for name in ("call_route.json", "copy.json"):
        (tmp_path / name).write_text(text, encoding="utf-8")

    found = problems({"flows": json.dumps([FLOW, other])}, folder=tmp_path)

    assert found["flows"].value == f"a list that repeats {repeated}"


def test_an_unknown_key_is_rejected_with_a_suggestion() -> None:
    found = problems({"timezone": "Asia/Tokyo", "xyz": "2"})

    assert found["timezone"].fix == "Did you mean timeZone?"
    assert found["xyz"].fix == "Remove it."
    assert found["xyz"].value == "unknown"
    assert "shardCount" in found["xyz"].allowed


def test_all_problems_are_reported_at_once() -> None:
    invalid = {
        "connectInstance": "x",
        "timeZone": "Mars/Base",
        "countryCode": "+1",
        "retentionDays": "-1",
        "batchSize": "1000",
        "maximumRecordAgeSeconds": "90000",
        "phoneNumber": "hashed",
        "batchsize": "5",
        "flows": json.dumps([{"file": "gone.json", "name": "a"}, {"file": "gone_too.json", "name": "b"}]),
    }
    with pytest.raises(ConfigError) as raised:
        parse(invalid)

    assert [problem.key for problem in raised.value.problems] == [
        "connectInstance",
        "flows[0].file",
        "flows[1].file",
        "timeZone",
        "countryCode",
        "phoneNumberSalt",
        "retentionDays",
        "batchSize",
        "maximumRecordAgeSeconds",
        "batchsize",
    ], "in the order of the options, unknown keys last"
    lines = str(raised.value).splitlines()
    assert lines[0] == "10 options are invalid:"
    assert len(lines) == 11


@pytest.mark.parametrize(
    ("salt", "secrets", "value", "allowed"),
    [
        (None, (), "not set", "a secret if phoneNumber is hashed"),
        (SALT, (), "in plain text", "a Pulumi secret"),
        ("too-short", ("phoneNumberSalt",), "not shown", "16 or more characters"),
    ],
)
def test_hashed_phone_numbers_require_a_secret_salt(
    salt: str | None, secrets: tuple[str, ...], value: str, allowed: str
) -> None:
    found = problems({"phoneNumber": "hashed", "phoneNumberSalt": salt}, secrets)

    assert (found["phoneNumberSalt"].value, found["phoneNumberSalt"].allowed) == (value, allowed)
    assert "--secret phoneNumberSalt" in found["phoneNumberSalt"].fix
    assert salt is None or salt not in str(found["phoneNumberSalt"])


def test_a_secret_salt_is_accepted_and_not_shown() -> None:
    args = parse({"phoneNumber": "hashed", "phoneNumberSalt": SALT}, secrets=["phoneNumberSalt"])

    assert args.phone_number_salt == SALT
    assert SALT not in repr(args)


@pytest.mark.parametrize(
    "key", [*(camel_case(each.name) for each in fields(CallRouteTrackerArgs)), "unheardOf"]
)
def test_no_error_message_contains_the_value_of_a_secret(key: str) -> None:
    secret = "hush +81500"  # noqa: S105 - an invalid value for every option
    try:
        parse({key: secret}, secrets=[key])
    except ConfigError as error:
        text = "".join(traceback.format_exception(error))
    assert key in text
    assert "hush" not in text
    assert "81500" not in text


def test_a_problem_inside_a_secret_is_reported_once_for_the_whole_secret() -> None:
    flows = json.dumps([{"file": "gone.json", "nam": "menu"}])

    found = problems({"flows": flows}, secrets=["flows"])

    assert list(found) == ["flows"]
    assert found["flows"].value == "a secret"
    assert "plain text" in found["flows"].fix


def test_an_instance_can_be_given_by_its_arn() -> None:
    arn = f"arn:aws:connect:ap-northeast-1:111111111111:instance/{INSTANCE}"

    assert parse({"connectInstance": arn}).connect_instance_id == INSTANCE


def test_values_are_converted_to_the_types_of_the_options() -> None:
    args = parse(
        {
            "trackedInitiationMethods": '["INBOUND", "CALLBACK"]',
            "timeZone": "Europe/London",
            "phoneNumber": "masked",
            "countryCode": "44",
            "trunkPrefix": "0",
            "retentionDays": "30",
            "tableName": "calls",
            "streamContactRecords": "false",
            "streamRetentionHours": "48",
            "batchSize": "20",
            "maximumRecordAgeSeconds": "90000",
            "protectData": "False",
            "tags": '{"team": "calls", "stack": "mine"}',
            "flows": json.dumps([{**FLOW, "description": "Menu"}]),
        },
        default_tags={"project": "p", "stack": "s"},
    )

    (flow,) = args.flows
    assert (flow.key, flow.name, flow.description) == ("call-route", "menu", "Menu")
    assert args == tracker_args(
        tracked_initiation_methods=["INBOUND", "CALLBACK"],
        time_zone="Europe/London",
        phone_number="masked",
        country_code="44",
        trunk_prefix="0",
        retention_days=30,
        table_name="calls",
        stream_contact_records=False,
        stream_retention_hours=48,
        batch_size=20,
        maximum_record_age_seconds=90_000,
        protect_data=False,
        tags={"project": "p", "stack": "mine", "team": "calls"},
        flows=[flow],
    )


def test_a_flow_is_deployed_with_its_placeholders_filled_and_without_white_space() -> None:
    queue = f"arn:aws:connect:ap-northeast-1:111111111111:instance/{INSTANCE}/queue/{INSTANCE}"
    hours = f"arn:aws:connect:ap-northeast-1:111111111111:instance/{INSTANCE}/operating-hours/{INSTANCE}"
    flow = {
        "file": "call_route_with_operator.json",
        "name": "bank",
        "placeholders": {"OperatorQueueArn": queue, "OperatorHoursArn": hours},
    }

    (args,) = parse({"flows": json.dumps([flow])}).flows

    assert "${" not in args.content
    assert queue in args.content
    assert hours in args.content
    assert args.content == json.dumps(json.loads(args.content), ensure_ascii=False, separators=(",", ":"))


def test_missing_options_have_the_defaults_of_the_component() -> None:
    assert parse({}) == tracker_args()


def test_invalid_config_fails_before_anything_is_registered(engine: Engine) -> None:
    with pytest.raises(ConfigError, match="timeZone"):
        engine.run(
            lambda: CallRouteTracker("calls", load_config()),
            config={f"{PROJECT}:connectInstance": INSTANCE, f"{PROJECT}:timeZone": "x"},
        )

    assert engine.resources == []


def test_pulumi_prints_the_message_without_a_traceback() -> None:
    assert issubclass(ConfigError, pulumi.RunError), "Pulumi prints only RunErrors without a traceback"


def test_config_of_other_projects_is_ignored_and_secrets_are_recognized(engine: Engine) -> None:
    loaded: list[CallRouteTrackerArgs] = []

    engine.run(
        lambda: loaded.append(load_config()),
        config={
            "aws:region": "ap-northeast-1",
            "other-project:timeZone": "Europe/London",
            f"{PROJECT}:connectInstance": INSTANCE,
            f"{PROJECT}:phoneNumber": "hashed",
            f"{PROJECT}:phoneNumberSalt": SALT,
        },
        secrets=[f"{PROJECT}:phoneNumberSalt"],
    )

    (args,) = loaded
    assert args.time_zone == "Asia/Tokyo"
    assert args.phone_number_salt == SALT
    assert args.tags == {"project": PROJECT, "stack": "test"}


def test_config_is_also_read_from_the_environment(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(
        "PULUMI_CONFIG",
        json.dumps({f"{PROJECT}:connectInstance": INSTANCE, f"{PROJECT}:timezone": "Asia/Tokyo"}),
    )

    with pytest.raises(ConfigError, match="Did you mean timeZone"):
        engine.run(load_config)


def test_arns_in_another_region_are_rejected() -> None:
    values = {
        "connectInstance": f"arn:aws:connect:us-east-1:111111111111:instance/{INSTANCE}",
        "streamArn": "arn:aws:kinesis:us-east-1:111111111111:stream/records",
        "kmsKeyArn": "arn:aws:kms:us-east-1:111111111111:key/00000000-0000-0000-0000-000000000000",
    }

    with pytest.raises(ConfigError) as raised:
        parse(values, region="ap-northeast-1")

    assert {problem.key for problem in raised.value.problems} == set(values)
    assert all("ap-northeast-1" in problem.allowed for problem in raised.value.problems)
    assert parse(values, region="us-east-1").stream_arn == values["streamArn"]


def test_every_invalid_tag_is_named() -> None:
    fix = problems({"tags": json.dumps({"a;": "1", "aws:b": "2", "c": "3"})})["tags"].fix

    assert fix == "Change 'a;', 'aws:b'."


def test_default_tags_count_towards_the_maximum() -> None:
    tags = {"tags": json.dumps({f"t{number}": "1" for number in range(49)})}

    assert len(parse(tags).tags) == 49
    with pytest.raises(ConfigError, match="51 tags"):
        parse(tags, default_tags={"project": "p", "stack": "s"})


def test_placeholders_cannot_contain_placeholders() -> None:
    flow = {"file": "call_route_with_operator.json", "name": "bank"}
    placeholders = {"OperatorQueueArn": "${Left}", "OperatorHoursArn": "h"}

    found = problems({"flows": json.dumps([{**flow, "placeholders": placeholders}])})

    assert "${Left}" in found["flows[0].placeholders"].fix


def test_a_flow_that_cannot_have_detail_is_reported_with_its_option(tmp_path: Path) -> None:
    content = (FLOW_DEFINITIONS / "call_route.json").read_text(encoding="utf-8")
    (tmp_path / "menu.json").write_text(content.replace('"call_route": "1-2"', '"call_route": "1+2"'))
    config = {"flows": json.dumps([{"file": "menu.json", "name": "menu", "detail": "true"}])}

    with pytest.raises(ConfigError) as raised:
        parse(config, folder=tmp_path)

    (problem,) = raised.value.problems
    assert problem.key == "flows[0].detail"
    assert "callroute track --detail" in problem.fix


def test_all_problems_of_placeholders_are_reported() -> None:
    flow = {"file": "call_route_with_operator.json", "name": "bank"}
    placeholders = {"Operator": "1", "OperatorQueueArn": ""}

    found = problems({"flows": json.dumps([{**flow, "placeholders": placeholders}])})

    for name in ("Operator:", "OperatorQueueArn", "OperatorHoursArn"):
        assert name in found["flows[0].placeholders"].fix


def test_a_placeholder_without_a_value_is_an_error_with_flow_block_and_name() -> None:
    flow = {**FLOW, "file": "call_route_with_operator.json", "placeholders": {"OperatorHoursArn": "h"}}

    fix = problems({"flows": json.dumps([flow])})["flows[0].placeholders"].fix

    assert "call_route_with_operator.json: block " in fix
    assert ": ${OperatorQueueArn}: this placeholder has no value" in fix
