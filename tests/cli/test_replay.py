"""Tests that `callroute replay` accounts for every record in its output and exit code."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import pytest

from tests.cli.commands import callroute
from tests.support.contact_records import contact_record, detailed

pytestmark = pytest.mark.emulator

RECORDS = [
    contact_record("b", Attributes=detailed(call_completed="true")),
    contact_record("a", Attributes={"call_route": "紛失"}),
    contact_record("a", Attributes={"call_route": "older"}, LastUpdateTimestamp="2026-04-17T23:49:00Z"),
    contact_record("c", Channel="CHAT"),
]
BAD = contact_record("d", InitiationTimestamp="2026-02-30T00:00:00Z")


def test_folders_are_searched_for_files_with_records(tmp_path: Path) -> None:
    (tmp_path / "more").mkdir()
    (tmp_path / "a.json").write_text(json.dumps(RECORDS[0]), encoding="utf-8")
    (tmp_path / "more" / "b.jsonl").write_text(json.dumps(RECORDS[1]), encoding="utf-8")
    (tmp_path / "c.txt").write_text("not JSON", encoding="utf-8")

    ran = callroute("replay", tmp_path, "--json")

    assert [item["contact_id"] for item in json.loads(ran.stdout)["items"]] == ["a", "b"]


def test_json_has_the_items_and_the_number_of_records_by_outcome(tmp_path: Path) -> None:
    lines = tmp_path / "records.jsonl"
    lines.write_text("\n".join(json.dumps(record) for record in RECORDS))
    event = {"eventSource": "aws:kinesis", "data": base64.b64encode(json.dumps(BAD).encode()).decode()}

    ran = callroute("replay", lines, "-", "--json", stdin=json.dumps([event]))

    assert ran.returncode == 1, ran.stderr
    answer = json.loads(ran.stdout)
    assert {
        name: answer[name] for name in ("stored", "not_ours", "expired", "quarantined", "dead_lettered")
    } == {
        "stored": 3,
        "not_ours": 1,
        "expired": 0,
        "quarantined": 1,
        "dead_lettered": 0,
    }
    assert [(item["contact_id"], item["call_route"], item["outcome"]) for item in answer["items"]] == [
        ("a", "紛失", "abandoned_in_flow"),
        ("b", "1-2", "completed"),
    ]
    assert answer["items"][0]["duration_seconds"] == 42
    assert answer["items"][1]["stops_visited"] == ["start", "1", "1-2"]
    assert answer["items"][1]["trouble"] == {"1": {"silence": 2}}
    assert "InitiationTimestamp is missing or not a UTC time" in ran.stderr
    assert "1 record filtered out: Channel is CHAT" in ran.stderr
    # The reason is printed, but not the phone number.
    assert "815000000001" not in ran.stderr


def test_text_has_a_table_of_items(tmp_path: Path) -> None:
    path = tmp_path / "records.json"
    path.write_text(json.dumps(RECORDS[:2]))

    ran = callroute("replay", path)

    assert ran.returncode == 0, ran.stderr
    assert "1-2" in ran.stdout
    assert "紛失" in ran.stdout
    assert "2 stored, 0 filtered out, 0 expired, 0 quarantined, 0 dead-lettered" in ran.stderr


def test_unusable_files_exit_with_2(tmp_path: Path) -> None:
    good, bad = tmp_path / "good.json", tmp_path / "bad.json"
    good.write_text(json.dumps(RECORDS))
    bad.write_text('{"ContactId": "a"}\n{"ContactId"')

    ran = callroute("replay", good, bad, "--json")

    assert ran.returncode == 2
    assert ran.stdout == ""
    assert f"{bad}: line 2" in ran.stderr
    assert "Traceback" not in ran.stderr


def test_text_in_brackets_is_printed_unchanged(tmp_path: Path) -> None:
    path = tmp_path / "[red]records.json"
    path.write_text(json.dumps(contact_record("a", Attributes={"call_route": "[/x][red]menu"})))

    ran = callroute("replay", path)

    assert ran.returncode == 0, ran.stderr
    assert "[/x][red]menu" in ran.stdout


def test_text_in_brackets_in_a_message_is_printed_unchanged() -> None:
    ran = callroute("replay", "[red]nowhere.json")

    assert ran.returncode == 2
    assert "[red]nowhere.json: there is no such file" in ran.stderr


def test_json_without_contact_records_exits_with_2(tmp_path: Path) -> None:
    path = tmp_path / "flow.json"
    path.write_text('{"StartAction": "x", "Actions": []}')

    ran = callroute("replay", path)

    assert (ran.returncode, ran.stdout) == (2, "")
    assert f"{path}: this JSON contains no contact record" in ran.stderr


def test_quiet_hides_the_number_of_records_but_not_problems(tmp_path: Path) -> None:
    path = tmp_path / "records.json"
    path.write_text(json.dumps(RECORDS[:2]))
    assert callroute("replay", path, "--quiet").stderr == ""

    path.write_text(json.dumps(BAD))
    ran = callroute("--quiet", "replay", path)
    assert ran.returncode == 1
    assert "error: 0 stored, 0 filtered out, 0 expired, 1 quarantined, 0 dead-lettered" in ran.stderr
