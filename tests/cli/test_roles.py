"""Tests of `callroute roles`: the documents are those of the library, for every option."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from callroute.aws.deployment_roles import Place, documents
from callroute.cli.app import app

REQUIRED = {
    "account-id": "111111111111",
    "region": "ap-northeast-1",
    "stack": "prod",
    "repository": "your-organisation/call-route-tracker",
    "connect-instance": "00000000-0000-0000-0000-000000000000",
    "state-bucket": "your-pulumi-state",
    "state-key-arn": "arn:aws:kms:ap-northeast-1:111111111111:key/00000000-0000-0000-0000-000000000001",
}
TARGET: dict[str, Any] = {
    "account_id": REQUIRED["account-id"],
    "region": REQUIRED["region"],
    "stack": REQUIRED["stack"],
    "repository": REQUIRED["repository"],
    "connect_instance_id": REQUIRED["connect-instance"],
    "table_name": "call-records",
    "state_bucket": REQUIRED["state-bucket"],
    "state_key_arn": REQUIRED["state-key-arn"],
}
INSTANCE_ARN = "arn:aws:connect:ap-northeast-1:111111111111:instance/00000000-0000-0000-0000-000000000000"
BOUNDARY = "arn:aws:iam::111111111111:policy/call-route-tracker-boundary"
KEY = "arn:aws:kms:ap-northeast-1:111111111111:key/00000000-0000-0000-0000-000000000002"
STREAM = "arn:aws:kinesis:ap-northeast-1:111111111111:stream/theirs"


def roles(options: dict[str, str], *more: str) -> Result:
    given = [word for name, value in options.items() for word in (f"--{name}", value)]
    return CliRunner().invoke(app, ["roles", *given, *more])


@pytest.mark.parametrize(
    ("options", "more", "target"),
    [
        ({}, (), {}),
        ({"connect-instance": INSTANCE_ARN}, (), {}),
        ({"table-name": "calls"}, (), {"table_name": "calls"}),
        ({"kms-key-arn": KEY}, (), {"kms_key_arn": KEY}),
        (
            {"stream-arn": STREAM, "stream-kms-key-arn": KEY},
            (),
            {"stream_arn": STREAM, "stream_kms_key_arn": KEY},
        ),
        ({"permissions-boundary-arn": BOUNDARY}, (), {"permissions_boundary_arn": BOUNDARY}),
        ({"project": "mine"}, (), {"project": "mine"}),
        ({}, ("--phone-number-id", "a", "--phone-number-id", "b"), {"phone_number_ids": ("a", "b")}),
        ({"region": "cn-north-1"}, (), {"region": "cn-north-1", "partition": "aws-cn"}),
        ({"region": "us-gov-west-1"}, (), {"region": "us-gov-west-1", "partition": "aws-us-gov"}),
    ],
)
def test_documents_are_those_of_the_library(
    options: dict[str, str], more: tuple[str, ...], target: dict[str, Any]
) -> None:
    result = roles(REQUIRED | options, *more)

    assert (result.exit_code, result.stderr) == (0, "")
    assert json.loads(result.stdout) == documents(Place(**{**TARGET, **target}))


def test_documents_can_be_written_to_a_folder(tmp_path: Path) -> None:
    folder = tmp_path / "new" / "roles"

    result = roles(REQUIRED, "-o", str(folder))

    assert (result.exit_code, result.stdout) == (0, "")
    written = {path.name: json.loads(path.read_text(encoding="utf-8")) for path in folder.iterdir()}
    assert written == documents(Place(**TARGET))
    assert result.stderr.splitlines() == sorted(str(folder / name) for name in written)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"account-id": "1234"}, "--account-id: '1234' is not an AWS account ID. Give the 12 digits"),
        ({"repository": "call-route-tracker"}, "--repository: 'call-route-tracker' is not OWNER/NAME"),
    ],
)
def test_unusable_options_exit_with_2(options: dict[str, str], message: str) -> None:
    result = roles(REQUIRED | options)

    assert (result.exit_code, result.stdout) == (2, "")
    assert message in result.stderr


def test_missing_options_and_unusable_folders_exit_with_2(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert "missing option '--account-id'" in roles({}).stderr
    assert "the folder cannot be created" in roles(REQUIRED, "-o", str(tmp_path / "file" / "x")).stderr
