"""Guards against rules that work only in this checkout or only for this program."""

from __future__ import annotations

import json
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import pulumi
import pytest

from tests.engine.event_log import run_with_pack
from tests.engine.project import Project
from tests.support.paths import REPOSITORY

RUNTIME = {"name": "python", "options": {"toolchain": "pip", "virtualenv": "venv"}}

PROGRAM = """
import json
import os

import pulumi_aws as aws

TAGS = {"project": "shop", "stack": "dev"}
ORDERS = "arn:aws:sqs:ap-northeast-1:111111111111:orders"
ECS = {
    "Effect": "Allow",
    "Principal": {"Service": "ecs-tasks.amazonaws.com"},
    "Action": "sts:AssumeRole",
    "Condition": {"StringEquals": {"aws:SourceAccount": "111111111111"}},
}
READ = {"Effect": "Allow", "Action": os.environ["ORDERS_ACTION"], "Resource": ORDERS}


def document(statement):
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


aws.sqs.Queue("orders", name="orders", message_retention_seconds=1209600, tags=TAGS)
topic = aws.sns.Topic("alarms", tags=TAGS)
aws.sns.TopicSubscription("on-call", topic=topic.arn, protocol="email", endpoint="on-call@example.com")
role = aws.iam.Role("worker", assume_role_policy=document(ECS), tags=TAGS)
aws.iam.RolePolicy("worker-policy", role=role.name, policy=document(READ))
aws.cloudwatch.LogGroup("worker-logs", retention_in_days=30, tags=TAGS)
"""

PACK = """
from call_route_policies import create_pack

create_pack("acme", exclude={"no-lambda"})
"""

RULE = "iam-no-wildcard-actions"
MESSAGE = "worker-policy must list individual actions in statement 1, not sqs:*."


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A project in an empty folder, with an environment that contains the distribution and not this checkout."""
    project = Project.empty(tmp_path_factory.mktemp("shop"), any_type=True)
    install_distribution(project.folder / "venv")
    pack = project.folder / "rules"
    pack.mkdir()
    (pack / "venv").symlink_to(project.folder / "venv")
    for file, content in {
        project.folder / "Pulumi.yaml": json.dumps({"name": "shop", "runtime": RUNTIME}),
        project.folder / "__main__.py": PROGRAM,
        pack / "PulumiPolicy.yaml": json.dumps({"version": "1.0.0", "runtime": RUNTIME}),
        pack / "__main__.py": PACK,
    }.items():
        file.write_text(content, encoding="utf-8")
    project.succeed("stack", "init", "dev")
    return project


def install_distribution(environment: Path) -> None:
    """Creates a virtual environment with the wheel of this project, and with the dependencies of this environment."""
    venv.create(environment, symlinks=True)
    (packages,) = environment.glob("lib/python3.*/site-packages")
    build = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(environment)]
    subprocess.run(build, cwd=REPOSITORY, check=True, capture_output=True)  # noqa: S603 - the build of this project
    (wheel,) = environment.glob("*.whl")
    zipfile.ZipFile(wheel).extractall(packages)
    # Python reads no .pth files in this folder, so that this checkout is not on the path.
    (packages / "dependencies.pth").write_text(str(Path(pulumi.__file__).parent.parent), encoding="utf-8")


def test_the_rules_come_from_the_distribution(shop: Project) -> None:
    program = "import call_route_policies as rules, callroute; print(rules.__file__, callroute.__file__)"
    done = shop.run(str(shop.folder / "venv" / "bin" / "python"), "-I", "-c", program)

    assert done.code == 0, done.text
    for path in done.out.split():
        assert Path(path).is_relative_to(shop.folder / "venv"), done.out


def test_a_compliant_program_passes(shop: Project) -> None:
    shop.variables["ORDERS_ACTION"] = "sqs:ReceiveMessage"

    done, found = run_with_pack(shop, "preview", pack="rules")

    assert (done.code, found) == (0, []), done.text


def test_a_violation_is_refused(shop: Project) -> None:
    shop.variables["ORDERS_ACTION"] = "sqs:*"

    done, found = run_with_pack(shop, "preview", pack="rules")

    assert found == [("mandatory", RULE, "worker-policy", MESSAGE)], done.text
    assert done.code != 0


def test_exemptions_are_applied_and_unused_ones_are_listed(shop: Project, tmp_path: Path) -> None:
    shop.variables["ORDERS_ACTION"] = "sqs:*"
    used = {"resource": "urn:pulumi:dev::shop::*::worker-policy", "reason": "SHOP-1", "until": "2999-12-31"}
    unused = {**used, "resource": "urn:pulumi:dev::shop::*::other-policy"}
    config = tmp_path / "config.json"
    config.write_text(json.dumps({RULE: {"exemptions": [used, unused]}}), encoding="utf-8")

    done, found = run_with_pack(shop, "preview", "--policy-pack-config", str(config), pack="rules")

    assert found == [
        ("advisory", "exemptions-are-needed", name, f"{name} {message}.")
        for name, message in (
            ("shop-dev", f"has an unused exemption from {RULE} for {unused['resource']}"),
            ("worker-policy", f"is exempt from {RULE} until 2999-12-31: SHOP-1"),
        )
    ], done.text
    assert done.code == 0
