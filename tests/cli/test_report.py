"""Tests of `callroute report`: its sources, its formats and its errors.

Tables are read with the permissions of the reader role in the local cloud, which enforces IAM and the key of the table.
"""

from __future__ import annotations

import csv
import gzip
import io
import json
import stat
import uuid
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from boto3.dynamodb.types import TypeSerializer
from botocore.awsrequest import AWSResponse
from botocore.compat import HTTPHeaders
from click.testing import CliRunner, Result

from call_route_tracker.table import INDEX_NAME
from callroute.aws.deployment_roles import INDEX, DeploymentTarget, reader_policy
from callroute.cli import output
from callroute.cli.app import app
from callroute.cli.report import load_flows
from callroute.cli.stacks import aws_clients
from callroute.local.cloud import LocalCloud
from callroute.local.shared_cloud import share
from callroute.local.stack_config import StackConfig, tracker_options
from callroute.reports import call_records
from callroute.reports.call_records import read_days
from callroute.reports.report import ENDINGS, LEAST_CALLS, Span
from tests.support.made_up_calls import ARMS, BANK, VERSIONS, made_up_items

SPAN = Span(date(2026, 3, 9), date(2026, 3, 11))
DAYS = ("--from", str(SPAN.first), "--to", str(SPAN.last))
ITEMS = list(made_up_items(SPAN, 60, detailed_from=date(2026, 3, 10)))
KEY = "arn:aws:kms:ap-northeast-1:111111111111:key/00000000-0000-0000-0000-000000000001"
KEYS = {
    "from",
    "to",
    "calls",
    "outcomes",
    "stops",
    "unknown_routes",
    "repeat_callers",
    "previous",
    "waterfall",
    "detail_share",
    "versions",
    "arms",
}


def report(*arguments: str | Path, env: Mapping[str, str | None] | None = None, stdin: bytes = b"") -> Result:
    """Runs the command."""
    return CliRunner().invoke(app, ["report", *map(str, arguments)], env=env, input=stdin)


def as_json(*arguments: str | Path, env: Mapping[str, str | None] | None = None, stdin: bytes = b"") -> Any:
    """Returns the JSON document of a report on SPAN, without the name of the source."""
    result = report(*arguments, *DAYS, "--format", "json", env=env, stdin=stdin)
    assert (result.exit_code, result.stderr) == (0, "")
    document = json.loads(result.stdout)
    del document["source"]
    return document


def lines(items: list[dict[str, Any]]) -> str:
    return "".join(json.dumps(item) + "\n" for item in items)


def exported(items: list[dict[str, Any]]) -> str:
    """Returns lines as in DynamoDB's exports."""
    serialize = TypeSerializer().serialize
    return "".join(
        json.dumps({"Item": {name: serialize(value) for name, value in item.items()}}) + "\n"
        for item in items
    )


@pytest.fixture(scope="module")
def items_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("items") / "items.jsonl"
    path.write_text(lines(ITEMS), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def expected(items_file: Path) -> Any:
    return as_json(items_file)


# --- Files and formats -----------------------------------------------------------------------------------------------


def test_json_has_the_documented_keys(expected: Any) -> None:
    assert expected.keys() >= KEYS
    assert expected["calls"] == sum(expected["outcomes"].values()) > 0
    assert expected["previous"]["calls"] > 0
    assert set(expected["outcomes"]) == {"answered", "abandoned_in_queue", "completed", "abandoned_in_flow"}
    assert 0 < expected["detail_share"] < 1
    assert [each["flow_version"] for each in expected["versions"]] == list(VERSIONS)
    assert {each["arm"] for each in expected["arms"]} == set(ARMS)
    for stop in expected["waterfall"]:
        assert stop["reached"] == sum(stop[ending] for ending in ENDINGS) >= LEAST_CALLS
    stops = {stop["route"]: stop for stop in expected["stops"]}
    assert stops["start"]["reached"] == expected["calls"]
    assert stops["balance"]["label"] == "Balance and transactions"
    for stop in stops.values():
        ended = stop["left"] + stop["completed"] + stop["answered"] + stop["abandoned_in_queue"]
        assert stop["reached"] == stop["continued"] + ended


def test_every_form_of_file_gives_the_same_report(tmp_path: Path, expected: Any) -> None:
    half = len(ITEMS) // 2
    folder = tmp_path / "AWSDynamoDB" / "0123-ab" / "data"
    folder.mkdir(parents=True)
    (folder / "a.json.gz").write_bytes(gzip.compress(exported(ITEMS[:half]).encode()))
    (folder / "b.json.gz").write_bytes(gzip.compress(exported(ITEMS[half:]).encode()))
    (folder / "empty.json.gz").write_bytes(b"")
    (folder.parent / "manifest-files.json").write_text("{}")
    odd = tmp_path / "it[em]s*.txt"
    odd.write_text("\n" + lines(ITEMS))

    assert as_json(tmp_path) == expected
    assert as_json(odd) == expected
    assert as_json("-", stdin=lines(ITEMS).encode()) == expected
    assert as_json("-", stdin=gzip.compress(exported(ITEMS).encode())) == expected


def test_csv_has_one_line_per_stop(items_file: Path, expected: Any, tmp_path: Path) -> None:
    out = tmp_path / "stops.csv"
    result = report(items_file, *DAYS, "-o", out, "--lang", "ja")

    assert (result.exit_code, result.output) == (0, "")
    rows = list(csv.DictReader(io.StringIO(out.read_text(encoding="utf-8"))))
    assert [row["route"] for row in rows] == [stop["route"] for stop in expected["stops"]]
    assert [int(row["reached"]) for row in rows] == [stop["reached"] for stop in expected["stops"]]
    assert rows[0]["label"] == "最初のメニュー"
    (start,) = (stop for stop in expected["waterfall"] if stop["route"] == "start")
    assert int(rows[0]["waterfall_silence"]) == start["silence"]
    assert int(rows[0]["waterfall_met_silence"]) == start["met_silence"] > start["silence"]
    assert rows[-1]["waterfall_reached"] == "", "fewer than 30 calls"


@pytest.mark.parametrize(("rows", "name"), [("versions", "flow_version"), ("arms", "arm")])
def test_csv_of_versions_and_arms_equals_the_json_document(
    items_file: Path, expected: Any, rows: str, name: str
) -> None:
    result = report(items_file, *DAYS, "--format", "csv", "--rows", rows)

    found = list(csv.DictReader(io.StringIO(result.stdout)))
    variants = iter(found)
    for each in expected[rows]:
        everything = {"route": "", "label": "All calls", "reached": each["calls"], **each}
        for stop, row in zip([everything, *each["stops"]], variants, strict=False):
            assert row["call_flow"] == "bank"
            assert (row[name], row["from"], row["to"]) == (each[name], each["from"], each["to"])
            assert row["compared_with"] == (each["compared_with"] or "")
            keys = ("route", "label", "reached", "left", "left_share", "low", "high")
            assert [row[key] for key in keys] == ["" if stop[key] is None else str(stop[key]) for key in keys]
            assert row["change_significant"] == (str(stop["change"]["significant"]) if stop["change"] else "")
    assert len(found) == sum(1 + len(each["stops"]) for each in expected[rows]) > 2


def test_rows_require_the_format_csv(items_file: Path) -> None:
    result = report(items_file, *DAYS, "--format", "json", "--rows", "arms")

    assert result.exit_code == 2
    assert "error: --rows: the format is json. Remove it, or add --format csv" in result.stderr


@pytest.mark.parametrize(
    ("language", "texts"),
    [
        (
            "en",
            (
                "Where callers gave up",
                "Balance and transactions",
                "Left in the menu",
                "Why callers left, worst stop first",
                "with fewer than 30 calls with detail",
                f"{VERSIONS[1]} compared with {VERSIONS[0]}, by stop",
            ),
        ),
        (
            "ja",
            (
                "発信者の離脱箇所",
                "残高・入出金の照会",
                "メニューの途中で離脱",
                "離脱の理由",
                "詳細記録のある通話が30件未満の停止箇所",
                "テストパターン",
            ),
        ),
    ],
)
def test_text_is_in_the_chosen_language(items_file: Path, language: str, texts: tuple[str, ...]) -> None:
    result = report(items_file, *DAYS, "--lang", language)

    assert result.exit_code == 0
    assert all(text in result.stdout for text in texts)


@pytest.mark.parametrize("form", ["text", "csv", "json"])
def test_no_format_contains_a_phone_number_or_contact_id(items_file: Path, form: str) -> None:
    found = report(items_file, *DAYS, "--format", form).stdout

    for item in ITEMS:
        assert item["contact_id"] not in found
        assert item.get("phone_number", "not withheld") not in found


def test_without_a_catalog_the_report_contains_only_the_routes_of_the_items(
    items_file: Path, tmp_path: Path, expected: Any
) -> None:
    (tmp_path / "Pulumi.yaml").write_text("name: empty\n")
    found = as_json(items_file, "--project", tmp_path)

    assert {stop["route"] for stop in found["stops"]} == {
        stop["route"] for stop in expected["stops"] if stop["reached"] > stop["continued"]
    }
    assert all(stop["continued"] == 0 and stop["label"] == stop["route"] for stop in found["stops"])
    assert found["unknown_routes"] == []
    assert as_json(items_file, "--project", tmp_path, "--flow", BANK) == expected


def test_routes_that_the_catalog_does_not_list_are_shown(tmp_path: Path) -> None:
    (tmp_path / "items.jsonl").write_text(
        lines([*ITEMS, {**ITEMS[-1], "contact_id": "x", "call_route": "new"}])
    )

    assert as_json(tmp_path)["unknown_routes"] == [{"call_flow": "bank", "route": "new", "calls": 1}]
    assert "bank: new: 1 call" in report(tmp_path, *DAYS).stdout


def test_the_default_span_is_the_last_seven_whole_days(tmp_path: Path) -> None:
    today = datetime.now(ZoneInfo("Asia/Tokyo")).date()
    span = Span(today - timedelta(7), today - timedelta(1))
    (tmp_path / "items.jsonl").write_text(lines(list(made_up_items(span, 3))))

    found = json.loads(report(tmp_path, "--format", "json").stdout)

    assert (found["from"], found["to"]) == (str(span.first), str(span.last))
    assert found["calls"] > 0


def test_a_span_without_calls_gives_a_report_that_names_the_available_days(items_file: Path) -> None:
    result = report(items_file, "--from", "2026-01-01", "--to", "2026-01-02")

    assert result.exit_code == 0
    assert "There are no calls in this span." in result.stdout
    assert f"from {SPAN.previous.first} to {SPAN.last}" in result.stdout


# --- Errors ----------------------------------------------------------------------------------------------------------

GOOD = lines(ITEMS[:1]).strip()


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("{", "is not valid JSON"),
        ("5", "is not a JSON object"),
        ('{"Item": 5}', "has no call_date"),
        (GOOD.replace("call_date", "date"), "has no call_date"),
        (GOOD.replace('"call_date": "2026', '"call_date": "26'), "has an invalid call_date"),
        (GOOD.replace("+09:00", ""), "has an invalid start_time"),
        (GOOD.replace('"outcome": "', '"outcome": "x'), "has an invalid outcome"),
        (GOOD.replace('"duration_seconds": ', '"duration_seconds": "x'), "is not valid JSON"),
        (GOOD.replace('"2026-03-06"', '"2026-02-30"'), "does not exist"),
        (
            GOOD.replace("{", '{"stops_visited": 5, ', 1),
            "has an invalid stops_visited (not a list of strings)",
        ),
        (GOOD.replace("{", '{"stops_visited": [null], ', 1), "has an invalid stops_visited"),
        (GOOD.replace("{", '{"trouble": "x", ', 1), "has an invalid trouble (not an object)"),
        (
            '{"ContactId": "x", "Attributes": {}}',
            "is a contact record, not a call record. Turn contact records into",
        ),
        (GOOD.replace("2026-03-06", "2020-01-01").replace("call_route", "route"), "has no call_route"),
    ],
)
def test_a_broken_line_is_named(tmp_path: Path, line: str, problem: str) -> None:
    path = tmp_path / "items.jsonl"
    path.write_text(f"{GOOD}\n\n{line}\n{GOOD}\n", encoding="utf-8")

    result = report(path, *DAYS)

    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.startswith(f"error: {path}:3: ")
    assert problem in result.stderr
    assert result.stderr.count("\n") == 1
    assert "05000" not in result.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "needs exactly one source of call records"),
        (["x.jsonl", "--stack", "dev"], "needs exactly one source of call records"),
        (["x.jsonl"], "error: x.jsonl: there is no such file"),
        (["-", "--from", "2026-03-11", "--to", "2026-03-09"], "2026-03-11 is after --to 2026-03-09"),
        (["-", "--from", "2026-02-30"], "'2026-02-30' is not a date. Use YYYY-MM-DD"),
        (["-", "--to", "0226-02-03"], "is outside the years 2001 to 2099"),
        (["-", "--time-zone", "Tokyo"], "'Tokyo' is not a time zone"),
        (["-", "--region", "us-east-1"], "requires --table"),
        (["-", "-o", "report.pdf"], "does not end in"),
        (["-", "-o", "report.txt", "--format", "text"], "text is only printed"),
        (["-", "--flow", BANK, "--flow", BANK], "has call_flow 'bank', like call_route_with_operator"),
        (["--local"], "no local cloud is running. Start one with `callroute serve`"),
    ],
)
def test_unusable_arguments_exit_with_2(
    arguments: list[Any], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))

    result = report(*arguments)

    assert (result.exit_code, result.stdout) == (2, "")
    assert message in result.stderr
    assert result.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("pulumi", "message"),
    [
        (
            "echo \"error: no stack named 'prod' found\" >&2; exit 255",
            "(no stack named 'prod' found). List the stacks",
        ),
        ("echo {}", "error: stack prod: has no output tableArn. Deploy it with `pulumi up`"),
        (None, "error: stack prod: the Pulumi CLI is not on PATH. Install Pulumi"),
    ],
)
def test_an_unknown_stack_exits_with_2(tmp_path: Path, pulumi: str | None, message: str) -> None:
    if pulumi:
        (tmp_path / "pulumi").write_text(f"#!/bin/sh\n{pulumi}\n")
        (tmp_path / "pulumi").chmod(stat.S_IRWXU)

    result = report("--stack", "prod", env={"PATH": str(tmp_path)})

    assert (result.exit_code, result.stdout) == (2, "")
    assert message in result.stderr
    assert result.stderr.count("\n") == 1


def test_a_truncated_file_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "items.json.gz"
    path.write_bytes(gzip.compress(lines(ITEMS).encode())[:2000])

    result = report(path, *DAYS)

    assert result.exit_code == 2
    assert result.stderr.startswith(f"error: {path}: cannot be decompressed")


# --- Tables ----------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def cloud() -> Iterator[LocalCloud]:
    """The local cloud with a customer managed key, and with ITEMS in the table. Two days have more than one page."""
    with LocalCloud({"kmsKeyArn": KEY}) as running:
        dynamodb, serialize = running.emulator.client("dynamodb"), TypeSerializer().serialize
        large = {"notes": "x" * 350_000}
        for number, item in enumerate(ITEMS):
            stored = {**item, **(large if number % 20 == 0 else {})}
            dynamodb.put_item(
                TableName=running.table_name, Item={name: serialize(value) for name, value in stored.items()}
            )
        yield running


@pytest.fixture(scope="module")
def policy() -> dict[str, Any]:
    """Policy of the reader role of the stack."""
    config = StackConfig.read("local", {"kmsKeyArn": KEY})
    target = DeploymentTarget(
        args=tracker_options(config),
        account_id="111111111111",
        region=config.region,
        stack="local",
        repository="your-organization/call-route-tracker",
        state_bucket="bucket",
        state_key_arn=KEY,
    )
    return reader_policy(target)


def environment(cloud: LocalCloud, policy: dict[str, Any]) -> dict[str, str | None]:
    """Returns the environment of a user who has only this policy."""
    iam, name = cloud.emulator.client("iam"), f"reader-{uuid.uuid4().hex[:8]}"
    iam.create_user(UserName=name)
    iam.put_user_policy(UserName=name, PolicyName="policy", PolicyDocument=json.dumps(policy))
    key = iam.create_access_key(UserName=name)["AccessKey"]
    return {
        "AWS_ENDPOINT_URL": cloud.emulator.endpoint,
        "AWS_ACCESS_KEY_ID": key["AccessKeyId"],
        "AWS_SECRET_ACCESS_KEY": key["SecretAccessKey"],
        "AWS_SESSION_TOKEN": None,
        "AWS_PROFILE": None,
        "AWS_CONFIG_FILE": "none",
    }


@pytest.fixture(scope="module")
def reader(cloud: LocalCloud, policy: dict[str, Any]) -> dict[str, str | None]:
    return environment(cloud, policy)


def table(cloud: LocalCloud) -> list[str]:
    return ["--table", cloud.table_name, "--region", cloud.emulator.region]


def test_the_reader_role_is_enough_for_a_table(
    cloud: LocalCloud, reader: dict[str, str | None], expected: Any
) -> None:
    assert as_json(*table(cloud), env=reader) == expected


def test_the_reader_role_is_enough_for_an_estimate_from_a_table(
    cloud: LocalCloud, reader: dict[str, str | None]
) -> None:
    days = {str(day) for day in SPAN}
    outcomes = Counter(
        item["outcome"] for item in ITEMS if item["call_date"] in days and "stops_visited" in item
    )
    arguments = ["whatif", str(BANK), str(BANK), *table(cloud), *DAYS, "--samples", "20", "--json"]

    result = CliRunner().invoke(app, arguments, env=reader)

    assert (result.exit_code, result.stderr) == (0, "")
    found = json.loads(result.stdout)
    assert found["calls"] == outcomes.total()
    assert {
        name: round(each["before"] * found["calls"]) for name, each in found["outcomes"].items()
    } == outcomes


def test_items_that_are_not_call_records_are_left_out(
    cloud: LocalCloud, reader: dict[str, str | None], expected: Any
) -> None:
    dynamodb, key = cloud.emulator.client("dynamodb"), {"contact_id": {"S": "foreign"}}
    other = {**key, "call_date": {"S": str(SPAN.first)}, "start_time": {"S": "noon"}}
    dynamodb.put_item(TableName=cloud.table_name, Item=other)
    try:
        result = report(*table(cloud), *DAYS, "--format", "json", env=reader)
    finally:
        dynamodb.delete_item(TableName=cloud.table_name, Key=key)

    assert json.loads(result.stdout)["calls"] == expected["calls"]
    assert result.stderr == "note: table items left out because they are not call records: 1\n"


def test_the_reader_role_needs_each_of_its_actions(cloud: LocalCloud, policy: dict[str, Any]) -> None:
    actions = [(each["Sid"], action) for each in policy["Statement"] for action in as_list(each["Action"])]
    assert [action for _, action in actions] == ["dynamodb:Query", "kms:Decrypt", "kms:DescribeKey"]
    for sid, action in actions:
        statements = [
            {**each, "Action": [other for other in as_list(each["Action"]) if other != action]}
            if each["Sid"] == sid
            else each
            for each in policy["Statement"]
        ]
        kept = {**policy, "Statement": [each for each in statements if each["Action"]]}

        result = report(*table(cloud), *DAYS, env=environment(cloud, kept))

        assert (result.exit_code, result.stdout) == (2, "")
        assert f"table {cloud.table_name}: cannot be read (AccessDeniedException" in result.stderr
        assert action in result.stderr
        assert "Use credentials of the reader role" in result.stderr


def as_list(value: str | list[str]) -> list[str]:
    return [value] if isinstance(value, str) else value


def test_the_reader_role_queries_only_the_index_by_day(
    cloud: LocalCloud, reader: dict[str, str | None], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert INDEX == INDEX_NAME == call_records.INDEX
    for name, value in reader.items():
        monkeypatch.setenv(name, value) if value else monkeypatch.delenv(name, raising=False)
    dynamodb = aws_clients(cloud.emulator.region)("dynamodb")
    name = cloud.table_name

    calls: list[Callable[[], Any]] = [
        lambda: dynamodb.scan(TableName=name),
        lambda: dynamodb.scan(TableName=name, IndexName=INDEX),
        lambda: dynamodb.get_item(TableName=name, Key={"contact_id": {"S": "x"}}),
        lambda: dynamodb.query(
            TableName=name,
            KeyConditionExpression="contact_id = :id",
            ExpressionAttributeValues={":id": {"S": "x"}},
        ),
        lambda: dynamodb.describe_table(TableName=name),
    ]
    for call in calls:
        with pytest.raises(dynamodb.exceptions.ClientError, match="AccessDenied"):
            call()


def test_throttled_queries_are_retried_with_backoff(
    cloud: LocalCloud, reader: dict[str, str | None], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in reader.items():
        monkeypatch.setenv(name, value) if value else monkeypatch.delenv(name, raising=False)
    waited: list[float] = []
    monkeypatch.setattr("botocore.endpoint.time.sleep", waited.append)
    dynamodb = aws_clients(cloud.emulator.region)("dynamodb")
    refused = iter([True, True, True])

    def throttle(request: Any, **_rest: Any) -> Any:
        if not next(refused, False):
            return None
        response: Any = AWSResponse(request.url, 400, HTTPHeaders(), None)
        response._content = b'{"__type": "ThrottlingException", "message": "slow down"}'
        return response

    dynamodb.meta.events.register("before-send.dynamodb.Query", throttle)
    found = list(read_days(dynamodb, cloud.table_name, SPAN, ["call_route"]))

    assert len(waited) == 3
    assert len(found) == sum(str(SPAN.first) <= item["call_date"] for item in ITEMS)
    assert found[0].keys() == {"call_route"}


def test_a_deployed_stack_is_found_by_its_outputs(
    cloud: LocalCloud, reader: dict[str, str | None], tmp_path: Path, expected: Any
) -> None:
    pulumi = tmp_path / "pulumi"
    pulumi.write_text(f"#!/bin/sh\ncat <<'END'\n{json.dumps(cloud.deployment.outputs)}\nEND\n")
    pulumi.chmod(stat.S_IRWXU)

    assert as_json("--stack", "prod", env={**reader, "PATH": f"{tmp_path}:/usr/bin:/bin"}) == expected


def test_the_local_cloud_of_serve_is_read(
    cloud: LocalCloud, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, expected: Any
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    with share(cloud):
        assert as_json("--local") == expected


@pytest.mark.parametrize(
    ("name", "changes", "message"),
    [
        ("absent", {}, "Check the name and the region"),
        (None, {"AWS_ACCESS_KEY_ID": "AKIAUNKNOWN"}, "Check the AWS credentials"),
        (None, {"AWS_ACCESS_KEY_ID": None}, "no AWS credentials found. Set AWS_PROFILE"),
        (
            None,
            {"AWS_PROFILE": "nowhere"},
            "AWS configuration: The config profile (nowhere) could not be found",
        ),
        (None, {"AWS_ENDPOINT_URL": "http://127.0.0.1:1"}, "Check the AWS configuration and the network"),
    ],
)
def test_unreadable_tables_exit_with_2(
    cloud: LocalCloud,
    monkeypatch: pytest.MonkeyPatch,
    name: str | None,
    changes: dict[str, str | None],
    message: str,
) -> None:
    monkeypatch.setattr("botocore.endpoint.time.sleep", lambda _seconds: None)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    everything = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
    env = {**environment(cloud, everything), **changes}

    result = report("--table", name or cloud.table_name, "--region", cloud.emulator.region, *DAYS, env=env)

    assert (result.exit_code, result.stdout) == (2, "")
    assert message in result.stderr
    assert result.stderr.count("\n") == 1


def test_a_progress_bar_counts_the_days(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = io.StringIO()
    monkeypatch.setattr(terminal, "isatty", lambda: True)
    monkeypatch.setattr("sys.stderr", terminal)

    with output.progress_bar("Reading calls", 2) as day_read:
        day_read()
        day_read()

    assert "Reading calls" in terminal.getvalue()
    assert "2/2" in terminal.getvalue()


def test_flows_of_the_project_that_set_no_routes_are_skipped(tmp_path: Path) -> None:
    folder = tmp_path / "flow_definitions"
    folder.mkdir()
    for name in ("hold", "queue"):
        (folder / f"{name}.json").write_text(BANK.read_text(encoding="utf-8"), encoding="utf-8")
        (folder / f"{name}.routes.yaml").write_text(
            f"flow: {name}.json\ntype: CONTACT_FLOW\n", encoding="utf-8"
        )

    assert load_flows([], tmp_path) == []
