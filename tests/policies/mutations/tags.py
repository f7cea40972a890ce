"""Missing and empty tags."""

from __future__ import annotations

from tests.policies.edits import add, put, remove
from tests.policies.mutations.case import Case, Cases
from tests.policies.values import PIPE_ROLE, QUARANTINE, TABLE

CASES: Cases = {}

NO_PROJECT, NO_STACK = "must have the tag project", "must have the tag stack"
NO_TAGS = "must have the tags project and stack"
CASES["resources-have-required-tags"] = {
    "no tags": Case(NO_TAGS, remove(QUARANTINE, "tags")),
    "one tag missing": Case(NO_STACK, remove(PIPE_ROLE, "tags.stack")),
    "a topic without tags": Case(NO_TAGS, add("sns.Topic", tags={})),
    "an empty tag": Case(NO_PROJECT, put(TABLE, "tags.project", "")),
}
