"""Tests the parsing and formatting of ARNs."""

from __future__ import annotations

import pytest

from callroute.arn import Arn


@pytest.mark.parametrize(
    ("text", "region", "account_id", "name"),
    [
        (
            "arn:aws:kinesis:ap-northeast-1:111111111111:stream/records",
            "ap-northeast-1",
            "111111111111",
            "records",
        ),
        (
            "arn:aws-cn:states:cn-north-1:111111111111:stateMachine:calls",
            "cn-north-1",
            "111111111111",
            "calls",
        ),
        ("arn:aws:sqs:eu-west-2:111111111111:queue", "eu-west-2", "111111111111", "queue"),
        ("arn:aws:iam::111111111111:role/path/name", "", "111111111111", "name"),
        ("arn:aws:s3:::bucket", "", "", "bucket"),
    ],
)
def test_parts_of_an_arn(text: str, region: str, account_id: str, name: str) -> None:
    arn = Arn.parse(text)

    assert (arn.region, arn.account_id, arn.name) == (region, account_id, name)
    assert str(arn) == text


@pytest.mark.parametrize("text", ["", "records", "arn:aws:kinesis", "https://example.com/a:b:c:d:e"])
def test_a_string_that_is_not_an_arn_is_rejected(text: str) -> None:
    with pytest.raises(ValueError, match="is not an ARN"):
        Arn.parse(text)
