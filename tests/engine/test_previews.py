"""Guards against previews that hide findings of the policy pack or invalid options, and against broken workflow commands."""

from __future__ import annotations

import re

from tests.engine.project import Done, Project

WIDER_ROLE = """
import json

import pulumi_aws as aws

role = aws.iam.Role("other-role", assume_role_policy=json.dumps({"Version": "2012-10-17", "Statement": []}))
aws.iam.RolePolicy(
    "other-policy",
    role=role.name,
    policy=json.dumps(
        {
            "Version": "2012-10-17",
            "Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "arn:aws:s3:::bucket/*"}],
        }
    ),
)
"""
"""A program with a violation of a mandatory rule."""

UNTAGGED_QUEUE = """
import pulumi_aws as aws

aws.sqs.Queue("other-queue", message_retention_seconds=14 * 86_400, sqs_managed_sse_enabled=True)
"""
"""A program with a violation of an advisory rule."""


def preview(project: Project, program: str) -> Done:
    """Previews the stack `dev`, with further resources, and with the policy pack."""
    project.stack("dev")
    file = project.folder / "__main__.py"
    original = file.read_text(encoding="utf-8")
    file.write_text(original + program, encoding="utf-8")
    try:
        return project.pulumi("preview", "--policy-pack", "policy")
    finally:
        file.write_text(original, encoding="utf-8")


def test_a_mandatory_violation_stops_the_preview(previews: Project) -> None:
    done = preview(previews, WIDER_ROLE)

    assert done.code != 0
    assert re.search(
        r"\[mandatory\].*iam-no-wildcard-actions +\(aws:iam:RolePolicy: other-policy\)", done.out
    ), done.text
    assert "s3:*" in done.out


def test_an_advisory_violation_is_shown_and_does_not_stop_the_preview(previews: Project) -> None:
    done = preview(previews, UNTAGGED_QUEUE)

    assert done.code == 0, done.text
    assert re.search(
        r"\[advisory\].*resources-have-required-tags +\(aws:sqs:Queue: other-queue\)", done.out
    ), done.text


def test_a_type_that_the_provider_does_not_know_is_an_error(previews: Project) -> None:
    done = preview(previews, '\nimport pulumi_aws as aws\n\naws.s3.Bucket("other-bucket")\n')

    assert done.code != 0
    assert "the engine tests do not know the resource type aws:s3/bucket:Bucket" in done.text


INVALID = {
    "batchSize": "1000",
    "timeZone": "Asia/Tokio",
    "tableName": "call records",
    "retentiondays": "7",
    "phoneNumber": "hashed",
    "flows[0].file": "missing.json",
}


def test_each_invalid_option_is_one_line_without_a_traceback(previews: Project) -> None:
    previews.stack("dev", INVALID)

    done = previews.pulumi("preview")

    assert done.code != 0
    assert "Traceback" not in done.text
    for key in (*INVALID, "phoneNumberSalt"):
        if key != "phoneNumber":
            lines = [line for line in done.out.splitlines() if re.match(rf"\s*{re.escape(key)} is ", line)]
            assert len(lines) == 1, f"{key}: {done.text}"


def test_an_invalid_option_of_the_component_is_one_line_without_a_traceback(previews: Project) -> None:
    done = preview(previews, '\nCallRouteTracker("x" * 43, load_config())\n')

    assert done.code != 0
    assert "Traceback" not in done.text
    assert len(re.findall(r"shorten it, because AWS rejects role names", done.text)) == 1, done.text
