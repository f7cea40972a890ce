"""Tests of `callroute roles`: it prints the documents of the library for the configuration of a stack."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner, Result

from call_route_tracker import CallRouteTrackerArgs, ContactFlowArgs
from callroute.aws.deployment_roles import DeploymentTarget, documents
from callroute.aws.operator_policies import operator_documents
from callroute.cli.app import app
from tests.support.paths import FLOW_DEFINITIONS

INSTANCE = "00000000-0000-0000-0000-000000000000"
REQUIRED = {
    "stack": "prod",
    "account-id": "111111111111",
    "repository": "your-organization/call-route-tracker",
    "state-bucket": "your-pulumi-state",
    "state-key-arn": "arn:aws:kms:ap-northeast-1:111111111111:key/00000000-0000-0000-0000-000000000001",
}
BOUNDARY = "arn:aws:iam::111111111111:policy/call-route-tracker-boundary"
KEY = "arn:aws:kms:ap-northeast-1:111111111111:key/00000000-0000-0000-0000-000000000002"
STREAM = "arn:aws:kinesis:ap-northeast-1:111111111111:stream/theirs"
NUMBER = "00000000-0000-0000-0000-000000000008"
SECRET = {"secure": "AAABAJ+encrypted"}


class Project:
    """A Pulumi project with a stack."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "flow_definitions").symlink_to(FLOW_DEFINITIONS)
        self.configure()

    def configure(
        self, *, name: str = "tracker", region: str | None = "ap-northeast-1", **options: Any
    ) -> None:
        """Writes the files of the project."""
        (self.folder / "Pulumi.yaml").write_text(f"name: {name}\n", encoding="utf-8")
        values = {f"{name}:{key}": value for key, value in {"connectInstance": INSTANCE, **options}.items()}
        config = {**({"aws:region": region} if region else {}), **values}
        (self.folder / "Pulumi.prod.yaml").write_text(yaml.safe_dump({"config": config}), encoding="utf-8")

    def roles(self, *more: str, **changes: str) -> Result:
        """Runs the command."""
        options = {**REQUIRED, **{name.replace("_", "-"): value for name, value in changes.items()}}
        given = [word for name, value in options.items() for word in (f"--{name}", value)]
        return CliRunner().invoke(app, ["roles", *given, "--project", str(self.folder), *more])


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path)


def expected(args: dict[str, Any] | None = None, **target: str) -> dict[str, Any]:
    """Returns the documents for the options of the component."""
    given = {name.replace("-", "_"): value for name, value in REQUIRED.items()}
    options = CallRouteTrackerArgs(**{"connect_instance": INSTANCE, **(args or {})})
    stack = DeploymentTarget(
        args=options, **{"region": "ap-northeast-1", "project": "tracker", **given, **target}
    )
    return {**documents(stack), **operator_documents(stack)}


@pytest.mark.parametrize(
    ("config", "documents_"),
    [
        ({}, expected()),
        ({"tableName": "calls"}, expected({"table_name": "calls"})),
        ({"kmsKeyArn": KEY}, expected({"kms_key_arn": KEY})),
        (
            {"streamArn": STREAM, "streamKmsKeyArn": KEY},
            expected({"stream_arn": STREAM, "stream_kms_key_arn": KEY}),
        ),
        ({"permissionsBoundaryArn": BOUNDARY}, expected({"permissions_boundary_arn": BOUNDARY})),
        ({"phoneNumber": "hashed", "phoneNumberSalt": SECRET}, expected()),
        ({"name": "mine"}, expected(project="mine")),
        (
            {"flows": [{"file": "call_route.json", "name": "menu", "phoneNumberId": NUMBER}]},
            expected({"flows": [ContactFlowArgs(key="x", name="x", content="{}", phone_number_id=NUMBER)]}),
        ),
        ({"region": "cn-north-1"}, expected(region="cn-north-1", partition="aws-cn")),
        ({"region": "us-gov-west-1"}, expected(region="us-gov-west-1", partition="aws-us-gov")),
    ],
)
def test_documents_match_the_options_of_the_stack(
    project: Project, config: dict[str, Any], documents_: dict[str, Any]
) -> None:
    project.configure(**config)

    result = project.roles()

    assert (result.exit_code, result.stderr) == (0, "")
    assert json.loads(result.stdout) == documents_


@pytest.mark.parametrize(
    ("config", "printed"),
    [
        ({"kmsKeyArn": KEY}, True),
        ({}, False),
        ({"kmsKeyArn": KEY, "alarms": False}, False),
        ({"kmsKeyArn": KEY, "alarmTopicArn": "arn:aws:sns:ap-northeast-1:111111111111:on-call"}, False),
    ],
)
def test_the_key_policy_is_printed_for_an_encrypted_topic(
    project: Project, config: dict[str, Any], printed: bool
) -> None:
    project.configure(**config)

    documents_ = json.loads(project.roles().stdout)

    assert ("key-policy.json" in documents_) is printed
    if printed:
        (statement,) = documents_["key-policy.json"]["Statement"]
        assert statement["Principal"] == {"Service": "cloudwatch.amazonaws.com"}
        assert statement["Condition"] == {"StringEquals": {"aws:SourceAccount": REQUIRED["account-id"]}}


def test_documents_can_be_written_to_a_folder(project: Project, tmp_path: Path) -> None:
    folder = tmp_path / "new" / "roles"

    result = project.roles("-o", str(folder))

    assert (result.exit_code, result.stdout) == (0, "")
    written = {path.name: json.loads(path.read_text(encoding="utf-8")) for path in folder.iterdir()}
    assert written == expected()
    assert result.stderr.splitlines() == sorted(str(folder / name) for name in written)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"account_id": "1234"}, "--account-id: '1234' is not an AWS account ID. Use the 12 digits"),
        ({"repository": "call-route-tracker"}, "--repository: 'call-route-tracker' is not OWNER/NAME"),
        ({"stack": "nowhere"}, "Pulumi.nowhere.yaml: cannot be read"),
    ],
)
def test_unusable_options_exit_with_2(project: Project, options: dict[str, str], message: str) -> None:
    result = project.roles(**options)

    assert (result.exit_code, result.stdout) == (2, "")
    assert message in result.stderr


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"region": None}, "aws:region: not set. Set it: pulumi config set aws:region REGION --stack prod"),
        ({"tableName": "?"}, "error: 1 option is invalid:\n  tableName"),
        ({"kmsKeyArn": SECRET}, "This value does not have to be secret."),
    ],
)
def test_unusable_configurations_exit_with_2(project: Project, config: dict[str, Any], message: str) -> None:
    project.configure(**config)

    result = project.roles()

    assert (result.exit_code, result.stdout) == (2, "")
    assert message in result.stderr


def test_missing_options_and_unusable_folders_exit_with_2(project: Project, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert "missing option '--stack'" in CliRunner().invoke(app, ["roles"]).stderr
    assert "the folder cannot be created" in project.roles("-o", str(tmp_path / "file" / "x")).stderr
