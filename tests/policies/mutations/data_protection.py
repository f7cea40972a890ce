"""Data that is not encrypted, not recoverable or kept for too long, and secrets in plain text."""

from __future__ import annotations

from functools import partial
from typing import Any

from tests.policies import values as v
from tests.policies.edits import add, put, remove, unprotect
from tests.policies.mutations.case import Cases, table

ENCRYPTION = "serverSideEncryption enabled, to be encrypted with a KMS key"
RECOVERY, DELETION = "pointInTimeRecovery", "deletionProtectionEnabled"
REPLICA = {"regionName": "us-west-2", DELETION: True}
_replica = partial(add, "dynamodb.TableReplica", globalTableArn=v.TABLE.arn, pointInTimeRecovery=True)
EXPIRY = "must enable or disable ttl explicitly, not {}"

# Values that scanners would take for leaked secrets are put together here. The access key is AWS's own example.
ACCESS_KEY = "AKIA" + "IOSFODNN7EXAMPLE"
URL = "https://user:" + "hunter2@example.com/"
CONNECTION = "Server=db;Password=" + "hunter2;"
VARIABLE = "AWS_SECRET_ACCESS_KEY=" + "wJalrXUtnFEMI/K7"
HEADER = "Authorization: Bearer " + "c2VjcmV0LXNlY3JldA"
STRIPE = "sk_live_" + "51Habcdefghijklmnop"
PRIVATE_KEY = "-----BEGIN PGP PRIVATE KEY " + "BLOCK-----"

NAMED = "a secret (because of its name)"
SALT = "definition.States.Settings.Assign.settings.salt"
KEY_TEXT, ASSIGNMENT = "an AWS access key", "a password assignment"


def _content(path: str, value: Any, kind: str = NAMED) -> tuple[Any, ...]:
    """Returns a row with a resource that no other rule is about, with one property."""
    place = f"content.{path}" if path else "content"
    return f"{place}: {value}"[:60], (kind, place), add("ssm.Document", tags=v.TAGS, content=value)


# fmt: off
CASES: Cases = {
    "data-is-encrypted-at-rest": table(
        "must have {}",
        ("a table", ENCRYPTION, remove(v.TABLE, "serverSideEncryption")),
        ("a stream", 'the encryptionType KMS, not "NONE"', put(v.STREAM, "encryptionType", "NONE")),
        ("a stream without a key", "a kmsKeyId", remove(v.STREAM, "kmsKeyId")),
        ("a queue", "sqsManagedSseEnabled or a kmsMasterKeyId",
         put(v.QUARANTINE, "sqsManagedSseEnabled", False)),
        ("a delivery stream", ENCRYPTION, add("kinesis.FirehoseDeliveryStream", name="calls")),
    ),
    "tables-are-recoverable": table(
        "must have {} on the protected stack prod",
        ("recovery disabled", RECOVERY, put(v.TABLE, f"{RECOVERY}.enabled", False)),
        ("no recovery", RECOVERY, remove(v.TABLE, RECOVERY)),
        ("no deletion protection", DELETION, put(v.TABLE, DELETION, False)),
        ("a replica", f"replicas[0].{RECOVERY}", put(v.TABLE, "replicas", [REPLICA])),
        ("a TableReplica", DELETION, _replica(protect=True, deletionProtectionEnabled=False)),
    ),
    "data-has-protect-option": table(
        "must have Pulumi's protect option on the protected stack prod",
        *((name, (), unprotect(name)) for name in (v.TABLE, v.STREAM, v.DEAD_LETTERS)),
        ("a replica of the table", (), _replica(protect=False, deletionProtectionEnabled=True)),
    ),
    "tables-have-explicit-expiry": {
        **table(
            EXPIRY,
            ("no ttl", "null", remove(v.TABLE, "ttl")),
            ("neither", '{"enabled": "perhaps"}', put(v.TABLE, "ttl", {"enabled": "perhaps"})),
        ),
        **table(
            "must use the ttl attribute expires_at, not {}",
            ("no attribute", "null", put(v.TABLE, "ttl", {"enabled": True})),
            ("another attribute", '"ttl"', put(v.TABLE, "ttl", {"enabled": True, "attributeName": "ttl"})),
        ),
    },
    "no-secrets-in-plain-text": table(
        "must not contain {} in plain text in {}",
        ("the salt of phone numbers", (NAMED, SALT), put(v.RECORDER, SALT, "a-salt-for-tests-only")),
        ("a tag", (KEY_TEXT, "tags.note"), put(v.QUARANTINE, "tags.note", f"key {ACCESS_KEY}")),
        ("a URL", ("a password in a URL", "description"), put(v.PIPE_ROLE, "description", f"see {URL}")),
        ("an argument", (NAMED, "masterPassword"), add("rds.Cluster", masterPassword="correct horse")),
        ("a parameter that is not a SecureString", (NAMED, "value"),
         add("ssm.Parameter", name="/db/password", type="String", value="abc")),
        ("an item of a table", (NAMED, "item.password.S"),
         add("dynamodb.TableItem", item='{"password": {"S": "abc"}}')),
        _content("accessKey", {"accessKey": "abc"}),
        _content("aws_secret_access_key", {"aws_secret_access_key": "abc"}),
        _content("token", {"token": "abc"}),
        _content("passwords[0]", {"passwords": ["abc"]}),
        _content("secret[0][0]", {"secret": [["abc"]]}),
        _content("password2", {"password2": "abc"}),
        _content("password", {"password": 12345678}),
        _content("SecretKey", {"SecretKey": "abc"}),
        _content("environment[0].value", {"environment": [{"name": "DB_PASSWORD", "value": "abc"}]}),
        _content("/calls/db/password", {"/calls/db/password": "abc"}),
        _content("salt", '\n {"salt": "abc"}'),
        _content("salt[0]", '{"salt": "abc", "salt": ""}'),
        _content("", HEADER, "an authorization header"),
        _content("", CONNECTION, ASSIGNMENT),
        _content("", VARIABLE, ASSIGNMENT),
        _content("note", {"note": STRIPE}, "a token for a service"),
        _content("", PRIVATE_KEY, "a private key"),
    ),
}
