"""Missing and empty tags."""

from __future__ import annotations

from tests.policies import values as v
from tests.policies.edits import add, put, remove
from tests.policies.mutations.case import Cases, table

# fmt: off
CASES: Cases = {
    "resources-have-required-tags": table(
        "must have the {}",
        ("no tags", "tags project and stack", remove(v.QUARANTINE, "tags")),
        ("one tag missing", "tag stack", remove(v.PIPE_ROLE, "tags.stack")),
        ("a topic without tags", "tags project and stack", add("sns.Topic", tags={})),
        ("an empty tag", "tag project", put(v.TABLE, "tags.project", "")),
    )
}
