"""Guards the settings.

Failures it is for: a wrong setting that is found only when half of the stack is up, one problem reported at a time, a
typo that is silently ignored, a secret in an error message.
"""

from __future__ import annotations

import json
import traceback
from collections.abc import Collection, Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

import pulumi
import pytest

from call_route_tracker import config as settings_module
from call_route_tracker.config import Problem, Settings, SettingsError
from call_route_tracker.tracker import CallRouteTracker, CallRouteTrackerArgs
from callroute.aws.state_machine import RecordFormat
from tests.support.engine import PROJECT, Engine

INSTANCE = "00000000-0000-0000-0000-000000000000"
SALT = "a-salt-for-tests-only"
KEY_ARN = "arn:aws:kms:ap-northeast-1:111111111111:key/00000000-0000-0000-0000-000000000003"
GOOD = {"connectInstance": INSTANCE}
FLOW = {"file": "call_route.json", "name": "menu"}


def problems(changes: Mapping[str, str | None], secrets: Collection[str] = ()) -> dict[str, Problem]:
    """What is wrong with otherwise good settings, by key."""
    values = {key: value for key, value in {**GOOD, **changes}.items() if value is not None}
    with pytest.raises(SettingsError) as caught:
        Settings.read(values, secrets=secrets)
    found = {problem.key: problem for problem in caught.value.problems}
    assert len(found) == len(caught.value.problems), "each problem is told once"
    return found


@pytest.mark.parametrize(
    ("key", "value", "allowed", "fix"),
    [
        ("connectInstance", None, "the id of an Amazon Connect instance", "pulumi config set"),
        ("connectInstance", "my-instance", "or its ARN", "the instance's overview"),
        ("connectInstance", f"arn:aws:connect:eu-west-2:11111:instance/{INSTANCE}", "or its ARN", "ARN"),
        ("timeZone", "Asia/Tokio", "IANA time zone", "Did you mean Asia/Tokyo"),
        ("timeZone", "JST+9", "IANA time zone", "IANA time zone database"),
        ("phoneNumber", "domestik", "domestic or e164 or masked or hashed", "Did you mean domestic?"),
        ("countryCode", "+81", "one to three digits", "without +"),
        ("countryCode", "Japan", "one to three digits", "calling code"),
        ("countryCode", "0081", "one to three digits", "zeros"),
        ("trunkPrefix", "zero", "up to three digits", "dialled within the country"),
        ("retentionDays", "-1", "0 to 36500 days", "0 to keep records for ever"),
        ("retentionDays", "a month", "0 to 36500 days", "pulumi config set"),
        ("tableName", "call records", "3 to 255 letters", "respell"),
        ("streamArn", "contact-records", "the ARN of a Kinesis data stream", "Copy"),
        ("streamKmsKeyArn", "alias/mine", "the ARN of a KMS key", "aliases cannot"),
        ("streamKmsKeyArn", KEY_ARN, "nothing, unless streamArn is set", "kmsKeyArn"),
        ("kmsKeyArn", "alias/mine", "the ARN of a KMS key", "aliases cannot"),
        ("permissionsBoundaryArn", "boundary", "the ARN of a managed policy", "inline"),
        ("streamMode", "ONDEMAND", "PROVISIONED or ON_DEMAND", "Did you mean ON_DEMAND?"),
        ("shardCount", "0", "1 to 200 shards", "ON_DEMAND"),
        ("streamRetentionHours", "12", "24 to 8760 hours", "one day to one year"),
        ("batchSize", "100", "1 to 52 records", "must fit 262,144 bytes"),
        ("batchSize", "ten", "1 to 52 records", "pulumi config set"),
        ("batchingWindowSeconds", "600", "0 to 300 seconds", "wait"),
        ("parallelizationFactor", "0", "1 to 10 batches", "at the same time"),
        ("maximumRetryAttempts", "-1", "0 to 10000 attempts", "block its shard"),
        ("maximumRecordAgeSeconds", "-1", "60 to 604800 seconds", "block its shard"),
        ("maximumRecordAgeSeconds", "86400", "less than the stream's retention, 24 hours", "replay"),
        ("logRetentionDays", "10", "one of 1, 3, 5, 7, 14", "The nearest is 7."),
        ("protectData", "perhaps", "true or false", "pulumi config set"),
        ("tags", "team=calls", "structured config", "--path"),
        ("tags", '{"aws:team": "calls"}', "no key beginning aws:", "aws:team"),
        ("flows", "call_route.json", "structured config", "--path"),
        ("flows", "{}", "a list", "pulumi config set"),
    ],
)
def test_a_wrong_setting_says_what_it_is_what_it_may_be_and_what_to_do(
    key: str, value: str | None, allowed: str, fix: str
) -> None:
    found = problems({key: value})

    assert list(found) == [key], "no other setting is blamed"
    assert value is None or json.dumps(value) == found[key].value or value == found[key].value
    assert found[key].value != "not set" or value is None
    assert allowed in found[key].allowed
    assert fix in found[key].fix


@pytest.mark.parametrize(
    ("flow", "place", "says"),
    [
        ({"name": "menu"}, "flows[0].file", "not set"),
        ({"file": "call_route.json"}, "flows[0].name", "not set"),
        ({**FLOW, "file": "call_rout.json"}, "flows[0].file", "call_rout.json: there is no such file"),
        ({**FLOW, "name": "n" * 128}, "flows[0].name", "at most 127 characters"),
        ({**FLOW, "phoneNumberID": "x"}, "flows[0].phoneNumberID", "Did you mean phoneNumberId?"),
        ({**FLOW, "phoneNumberId": "+815000000000"}, "flows[0].phoneNumberId", "not the number itself"),
        ({**FLOW, "placeholders": {"Queue": "x"}}, "flows[0].placeholders", "Queue"),
        ({**FLOW, "placeholders": {"Queue": 1}}, "flows[0].placeholders.Queue", "text"),
        ({**FLOW, "file": "call_route_with_operator.json"}, "flows[0].placeholders", "has no value"),
    ],
)
def test_a_wrong_flow_says_where_and_why(flow: dict[str, Any], place: str, says: str) -> None:
    found = problems({"flows": json.dumps([flow])})

    assert list(found) == [place]
    assert says in str(found[place])


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("press 1 or 2", "JSON"),
        ('{"modules": [], "version": "1", "type": "contactFlow"}', "export"),
        ('{"Version": "2019-10-30", "StartAction": "gone", "Actions": []}', "gone"),
    ],
    ids=["not JSON", "console export", "start leads nowhere"],
)
def test_a_file_that_is_no_flow_is_told_from_a_console_export(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: str, says: str
) -> None:
    monkeypatch.setattr(settings_module, "flow_definitions", lambda: tmp_path)
    (tmp_path / "menu.json").write_text(content, encoding="utf-8")

    found = problems({"flows": json.dumps([{"file": "menu.json", "name": "menu"}])})

    assert list(found) == ["flows[0].file"]
    assert "menu.json" in found["flows[0].file"].fix
    assert says in found["flows[0].file"].fix


@pytest.mark.parametrize(
    ("other", "says"),
    [
        ({"file": "call_route.json", "name": "other"}, "share key 'call-route'."),
        ({"file": "copy.json", "name": "menu"}, "share name 'menu'."),
        ({"file": "call_route.json", "name": "menu"}, "share key 'call-route', name 'menu'."),
    ],
)
def test_two_flows_cannot_be_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, other: dict[str, str], says: str
) -> None:
    text = (settings_module.flow_definitions() / "call_route.json").read_text(encoding="utf-8")
    for name in ("call_route.json", "copy.json"):
        (tmp_path / name).write_text(text, encoding="utf-8")
    monkeypatch.setattr(settings_module, "flow_definitions", lambda: tmp_path)

    found = problems({"flows": json.dumps([FLOW, other])})

    assert found["flows"].fix.endswith(says)


def test_a_typo_in_a_key_is_an_error_that_names_the_key_meant() -> None:
    found = problems({"timezone": "Asia/Tokyo", "streamShards": "2"})

    assert found["timezone"].fix == "Did you mean timeZone?"
    assert found["streamShards"].value == "unknown"
    assert "shardCount" in found["streamShards"].allowed


def test_all_problems_are_reported_at_once() -> None:
    wrong = {
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
    with pytest.raises(SettingsError) as caught:
        Settings.read(wrong)

    found = {problem.key for problem in caught.value.problems}
    assert found == {
        *(set(wrong) - {"flows", "phoneNumber"}),
        "phoneNumberSalt",
        "flows[0].file",
        "flows[1].file",
    }
    lines = str(caught.value).splitlines()
    assert lines[0] == "10 settings are wrong:"
    assert len(lines) == 11


@pytest.mark.parametrize(
    ("salt", "secrets", "allowed"),
    [
        (None, (), "a secret where phoneNumber is hashed"),
        (SALT, (), "a Pulumi secret, and it is in plain text"),
        ("too-short", ("phoneNumberSalt",), "at least 16 characters"),
    ],
)
def test_hashed_numbers_need_a_secret_salt(salt: str | None, secrets: tuple[str, ...], allowed: str) -> None:
    found = problems({"phoneNumber": "hashed", "phoneNumberSalt": salt}, secrets)

    assert found["phoneNumberSalt"].allowed == allowed
    assert "--secret" in found["phoneNumberSalt"].fix
    assert salt is None or salt not in str(found["phoneNumberSalt"])


def test_a_secret_salt_is_accepted_and_shown_nowhere() -> None:
    settings = Settings.read(
        {**GOOD, "phoneNumber": "hashed", "phoneNumberSalt": SALT}, secrets=["phoneNumberSalt"]
    )

    assert settings.tracker_args({}).phone_number_salt == SALT
    assert SALT not in repr(settings)
    assert SALT not in repr(settings.tracker_args({}))


@pytest.mark.parametrize("key", [field.alias for field in Settings.model_fields.values()] + ["unheardOf"])
def test_the_value_of_a_secret_is_in_no_error_message(key: str) -> None:
    secret = "hush +81500"  # noqa: S105 - nobody's, and not a good value of any setting
    try:
        Settings.read({**GOOD, key: secret}, secrets=[key])
    except SettingsError as error:
        told = "".join(traceback.format_exception(error))
    assert key in told
    assert "hush" not in told
    assert "81500" not in told


def test_an_instance_may_be_given_by_its_arn() -> None:
    arn = f"arn:aws:connect:ap-northeast-1:111111111111:instance/{INSTANCE}"

    settings = Settings.read({"connectInstance": arn})

    assert settings.tracker_args({}).connect_instance_id == INSTANCE


def test_settings_become_the_arguments_of_the_component() -> None:
    settings = Settings.read(
        {
            **GOOD,
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
            "protectData": "false",
            "tags": '{"team": "calls", "stack": "mine"}',
            "flows": json.dumps([{**FLOW, "description": "Menu"}]),
        }
    )

    args = settings.tracker_args({"project": "p", "stack": "s"})

    assert args.record == RecordFormat("Europe/London", "masked", "44", "0", retention_days=30)
    assert (args.table_name, args.stream_contact_records, args.protect_data) == ("calls", False, False)
    assert (args.stream_retention_hours, args.batch_size, args.maximum_record_age_seconds) == (48, 20, 90_000)
    assert args.tags == {"project": "p", "stack": "mine", "team": "calls"}
    assert [(flow.key, flow.name, flow.description) for flow in args.flows] == [
        ("call-route", "menu", "Menu")
    ]


def test_a_flow_is_deployed_filled_and_without_white_space() -> None:
    queue = f"arn:aws:connect:ap-northeast-1:111111111111:instance/{INSTANCE}/queue/{INSTANCE}"
    hours = f"arn:aws:connect:ap-northeast-1:111111111111:instance/{INSTANCE}/operating-hours/{INSTANCE}"
    flow = {
        "file": "call_route_with_operator.json",
        "name": "bank",
        "placeholders": {"OperatorQueueArn": queue, "OperatorHoursArn": hours},
    }
    settings = Settings.read({**GOOD, "flows": json.dumps([flow])})

    (args,) = settings.tracker_args({}).flows

    assert "${" not in args.content
    assert queue in args.content
    assert hours in args.content
    assert "\n" not in args.content
    assert args.content == json.dumps(json.loads(args.content), ensure_ascii=False, separators=(",", ":"))


def test_a_setting_that_is_left_out_means_what_the_component_means() -> None:
    from_settings = Settings.read(GOOD).tracker_args({})
    plain = CallRouteTrackerArgs(connect_instance_id=INSTANCE)

    for field in fields(CallRouteTrackerArgs):
        ours, theirs = getattr(from_settings, field.name), getattr(plain, field.name)
        assert (list(ours) if field.name == "flows" else ours) == (
            list(theirs) if field.name == "flows" else theirs
        ), field.name


def test_wrong_settings_fail_before_anything_is_registered(engine: Engine) -> None:
    def program() -> None:
        CallRouteTracker("calls", Settings.load().tracker_args({}))

    with pytest.raises(SettingsError, match="timeZone"):
        engine.run(program, config={f"{PROJECT}:connectInstance": INSTANCE, f"{PROJECT}:timeZone": "x"})

    assert engine.resources == []


def test_pulumi_shows_the_message_without_a_traceback() -> None:
    assert issubclass(SettingsError, pulumi.RunError), "Pulumi prints only RunErrors plainly"


def test_the_keys_of_this_project_are_found_among_all_config_with_their_secrets(engine: Engine) -> None:
    loaded: dict[str, Settings] = {}

    engine.run(
        lambda: loaded.update(settings=Settings.load()),
        config={
            "aws:region": "ap-northeast-1",
            "other-project:timeZone": "Europe/London",
            f"{PROJECT}:connectInstance": INSTANCE,
            f"{PROJECT}:phoneNumber": "hashed",
            f"{PROJECT}:phoneNumberSalt": SALT,
        },
        secrets=[f"{PROJECT}:phoneNumberSalt"],
    )

    assert loaded["settings"].time_zone == "Asia/Tokyo"
    assert loaded["settings"].phone_number_salt is not None


def test_config_in_the_environment_counts_too(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(
        "PULUMI_CONFIG",
        json.dumps({f"{PROJECT}:connectInstance": INSTANCE, f"{PROJECT}:timezone": "Asia/Tokyo"}),
    )

    with pytest.raises(SettingsError, match="Did you mean timeZone"):
        engine.run(lambda: Settings.load())


def test_what_is_in_another_region_than_the_stack_is_refused() -> None:
    values = {
        "connectInstance": "arn:aws:connect:us-east-1:111111111111:instance/00000000-0000-0000-0000-000000000000",
        "streamArn": "arn:aws:kinesis:us-east-1:111111111111:stream/records",
        "kmsKeyArn": "arn:aws:kms:us-east-1:111111111111:key/00000000-0000-0000-0000-000000000000",
    }

    with pytest.raises(SettingsError) as raised:
        Settings.read(values, region="ap-northeast-1")

    assert {problem.key for problem in raised.value.problems} == set(values)
    assert all("ap-northeast-1" in problem.allowed for problem in raised.value.problems)
    assert Settings.read(values, region="us-east-1").stream_arn == values["streamArn"]


def test_every_wrong_tag_is_named_and_there_are_at_most_as_many_as_aws_takes() -> None:
    assert all(
        key in problems({"tags": json.dumps({"a;": "1", "aws:b": "2"})})["tags"].fix
        for key in ("a;", "aws:b")
    )
    assert "tags" in problems({"tags": json.dumps({f"t{number}": "1" for number in range(49)})})


def test_a_placeholder_cannot_be_filled_with_another_and_all_its_faults_are_told() -> None:
    flow = {"file": "call_route_with_operator.json", "name": "bank"}

    found = problems(
        {
            "flows": json.dumps(
                [{**flow, "placeholders": {"OperatorQueueArn": "${Left}", "OperatorHoursArn": "h"}}]
            )
        }
    )
    assert "${Left}" in found["flows[0].placeholders"].fix

    found = problems(
        {"flows": json.dumps([{**flow, "placeholders": {"Operator": "1", "OperatorQueueArn": ""}}])}
    )
    for name in ("Operator:", "OperatorQueueArn", "OperatorHoursArn"):
        assert name in found["flows[0].placeholders"].fix
