"""Data that is not encrypted, not recoverable or kept for too long, and secrets in plain text."""

from __future__ import annotations

from typing import Any

from tests.policies.edits import Edit, add, put, remove, unprotect
from tests.policies.mutations.case import Case, Cases
from tests.policies.values import DEAD_LETTERS, PIPE_ROLE, QUARANTINE, RECORDER, STREAM, TABLE, TAGS

CASES: Cases = {}

NO_KMS_KEY = "must have serverSideEncryption enabled, to be encrypted with a KMS key"
CASES["data-is-encrypted-at-rest"] = {
    "a table without encryption by a KMS key": Case(NO_KMS_KEY, remove(TABLE, "serverSideEncryption")),
    "a stream that is not encrypted": Case(
        'must have the encryptionType KMS, not "NONE"', put(STREAM, "encryptionType", "NONE")
    ),
    "a stream without a key": Case("must have a kmsKeyId", remove(STREAM, "kmsKeyId")),
    "a queue whose encryption is switched off": Case(
        "must have sqsManagedSseEnabled or a kmsMasterKeyId", put(QUARANTINE, "sqsManagedSseEnabled", False)
    ),
    "a delivery stream that is not encrypted": Case(
        NO_KMS_KEY, add("kinesis.FirehoseDeliveryStream", name="calls")
    ),
}


def _add_replica(*, protect: bool = True, deletion_protection: bool = True) -> Edit:
    """Adds a replica of the table as a resource of its own."""
    return add(
        "dynamodb.TableReplica",
        protect=protect,
        globalTableArn=TABLE.arn,
        pointInTimeRecovery=True,
        deletionProtectionEnabled=deletion_protection,
    )


REQUIRED = "must have {} on the protected stack prod"
REPLICA = {"regionName": "us-west-2", "deletionProtectionEnabled": True}
CASES["tables-are-recoverable"] = {
    "point-in-time recovery switched off": Case(
        REQUIRED.format("pointInTimeRecovery"), put(TABLE, "pointInTimeRecovery.enabled", False)
    ),
    "no point-in-time recovery": Case(
        REQUIRED.format("pointInTimeRecovery"), remove(TABLE, "pointInTimeRecovery")
    ),
    "no deletion protection": Case(
        REQUIRED.format("deletionProtectionEnabled"), put(TABLE, "deletionProtectionEnabled", False)
    ),
    "a replica without point-in-time recovery": Case(
        REQUIRED.format("replicas[0].pointInTimeRecovery"), put(TABLE, "replicas", [REPLICA])
    ),
    "a replica that is a resource of its own, without deletion protection": Case(
        REQUIRED.format("deletionProtectionEnabled"), _add_replica(deletion_protection=False)
    ),
}

UNPROTECTED = REQUIRED.format("Pulumi's protect option")
CASES["data-has-protect-option"] = {
    "the table unprotected": Case(UNPROTECTED, unprotect(TABLE)),
    "the stream unprotected": Case(UNPROTECTED, unprotect(STREAM)),
    "the dead-letter queue unprotected": Case(UNPROTECTED, unprotect(DEAD_LETTERS)),
    "a replica of the table unprotected": Case(UNPROTECTED, _add_replica(protect=False)),
}

UNSAID = "must enable or disable ttl explicitly, not {}"
ATTRIBUTE = "must use the ttl attribute expires_at, not {}"
CASES["tables-have-explicit-expiry"] = {
    "no ttl": Case(UNSAID.format("null"), remove(TABLE, "ttl")),
    "ttl without an attribute": Case(ATTRIBUTE.format("null"), put(TABLE, "ttl", {"enabled": True})),
    "ttl on an attribute that no record has": Case(
        ATTRIBUTE.format('"ttl"'), put(TABLE, "ttl", {"enabled": True, "attributeName": "ttl"})
    ),
    "ttl that is neither enabled nor disabled": Case(
        UNSAID.format('{"enabled": "perhaps"}'), put(TABLE, "ttl", {"enabled": "perhaps"})
    ),
}

PLAIN = "must not contain {} in plain text in {}"
NAMED = "a secret (because of its name)"
SALT = "definition.States.Settings.Assign.settings.salt"


def _content(value: Any, place: str = "content", kind: str = NAMED) -> Case:
    """Case of a resource that no other rule is about, with one property."""
    return Case(PLAIN.format(kind, place), add("ssm.Document", tags=TAGS, content=value))


# Values that scanners would take for leaked secrets are put together here. The access key is AWS's own example.
ACCESS_KEY = "AKIA" + "IOSFODNN7EXAMPLE"
URL = "https://user:" + "hunter2@example.com/"
CONNECTION = "Server=db;Password=" + "hunter2;"
VARIABLE = "AWS_SECRET_ACCESS_KEY=" + "wJalrXUtnFEMI/K7"
HEADER = "Authorization: Bearer " + "c2VjcmV0LXNlY3JldA"
STRIPE = "sk_live_" + "51Habcdefghijklmnop"
PRIVATE_KEY = "-----BEGIN PGP PRIVATE KEY " + "BLOCK-----"

CASES["no-secrets-in-plain-text"] = {
    "the salt of hashed phone numbers": Case(
        PLAIN.format(NAMED, SALT), put(RECORDER, SALT, "a-salt-for-tests-only")
    ),
    "an access key in a tag": Case(
        PLAIN.format("an AWS access key", "tags.note"), put(QUARANTINE, "tags.note", f"key {ACCESS_KEY}")
    ),
    "a password in a URL in a role's description": Case(
        PLAIN.format("a password in a URL", "description"), put(PIPE_ROLE, "description", f"see {URL}")
    ),
    "a password argument": Case(
        PLAIN.format(NAMED, "masterPassword"), add("rds.Cluster", masterPassword="correct horse")
    ),
    "an access key, by its name": _content({"accessKey": "abc"}, "content.accessKey"),
    "a secret access key, by its name": _content(
        {"aws_secret_access_key": "abc"}, "content.aws_secret_access_key"
    ),
    "a token, by its name": _content({"token": "abc"}, "content.token"),
    "passwords in a list": _content({"passwords": ["abc"]}, "content.passwords[0]"),
    "secrets in a list of lists": _content({"secret": [["abc"]]}, "content.secret[0][0]"),
    "a second password": _content({"password2": "abc"}, "content.password2"),
    "a number as a password": _content({"password": 12345678}, "content.password"),
    "a secret key": _content({"SecretKey": "abc"}, "content.SecretKey"),
    "a password named by the field beside it": _content(
        {"environment": [{"name": "DB_PASSWORD", "value": "abc"}]}, "content.environment[0].value"
    ),
    "a password under a key that is a path": _content(
        {"/calls/db/password": "abc"}, "content./calls/db/password"
    ),
    "a secret in JSON text that begins with white space": _content('\n {"salt": "abc"}', "content.salt"),
    "a secret in JSON text under a duplicate key": _content('{"salt": "abc", "salt": ""}', "content.salt[0]"),
    "a token in a header": _content(HEADER, kind="an authorization header"),
    "a password in a connection string": _content(CONNECTION, kind="a password assignment"),
    "a key among variables": _content(VARIABLE, kind="a password assignment"),
    "a parameter that is not a SecureString": Case(
        PLAIN.format(NAMED, "value"), add("ssm.Parameter", name="/db/password", type="String", value="abc")
    ),
    "a password in an item of a table": Case(
        PLAIN.format(NAMED, "item.password.S"), add("dynamodb.TableItem", item='{"password": {"S": "abc"}}')
    ),
    "a token of a payment service": _content({"note": STRIPE}, "content.note", "a token of a service"),
    "a private key": _content(PRIVATE_KEY, kind="a private key"),
}
