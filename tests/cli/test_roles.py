"""Tests of `callroute roles`: the documents are those of the library, for every option."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from call_route_tracker import CallRouteTrackerArgs, ContactFlowArgs
from callroute.aws.deployment_roles import DeploymentTarget, documents
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
TARGET = {
    "account_id": REQUIRED["account-id"],
    "region": REQUIRED["region"],
    "stack": REQUIRED["stack"],
    "repository": REQUIRED["repository"],
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


NUMBERS = ("00000000-0000-0000-0000-000000000008", "00000000-0000-0000-0000-000000000009")
FLOWS = [ContactFlowArgs(key=number, name=number, content="{}", phone_number_id=number) for number in NUMBERS]


def expected(args: dict[str, Any] | None = None, **target: str) -> dict[str, Any]:
    """Returns the documents for the options of the component, so that the two sets of options cannot differ."""
    options = CallRouteTrackerArgs(**{"connect_instance": REQUIRED["connect-instance"], **(args or {})})
    return documents(DeploymentTarget(args=options, **{**TARGET, **target}))


@pytest.mark.parametrize(
    ("options", "more", "documents_"),
    [
        ({}, (), expected()),
        ({"connect-instance": INSTANCE_ARN}, (), expected()),
        ({"table-name": "calls"}, (), expected({"table_name": "calls"})),
        ({"kms-key-arn": KEY}, (), expected({"kms_key_arn": KEY})),
        (
            {"stream-arn": STREAM, "stream-kms-key-arn": KEY},
            (),
            expected({"stream_arn": STREAM, "stream_kms_key_arn": KEY}),
        ),
        (
            {"permissions-boundary-arn": BOUNDARY},
            (),
            expected({"permissions_boundary_arn": BOUNDARY}),
        ),
        ({"project": "mine"}, (), expected(project="mine")),
        (
            {},
            tuple(word for number in NUMBERS for word in ("--phone-number-id", number)),
            expected({"flows": FLOWS}),
        ),
        ({"region": "cn-north-1"}, (), expected(region="cn-north-1", partition="aws-cn")),
        ({"region": "us-gov-west-1"}, (), expected(region="us-gov-west-1", partition="aws-us-gov")),
    ],
)
def test_documents_are_those_of_the_library(
    options: dict[str, str], more: tuple[str, ...], documents_: dict[str, Any]
) -> None:
    result = roles(REQUIRED | options, *more)

    assert (result.exit_code, result.stderr) == (0, "")
    assert json.loads(result.stdout) == documents_


def test_documents_can_be_written_to_a_folder(tmp_path: Path) -> None:
    folder = tmp_path / "new" / "roles"

    result = roles(REQUIRED, "-o", str(folder))

    assert (result.exit_code, result.stdout) == (0, "")
    written = {path.name: json.loads(path.read_text(encoding="utf-8")) for path in folder.iterdir()}
    assert written == expected()
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
