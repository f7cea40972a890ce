"""Rejects words and phrases that CONTRIBUTING.md bans from docstrings, comments, messages and documentation.

The list catches only the most frequent faults. It does not replace reading a text aloud.
"""

from __future__ import annotations

import ast
import io
import os
import re
import tokenize
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.paths import REPOSITORY

PROSE = {
    # Actors: name the user, caller, operator, rule or pipe.
    r"who(m)?ever|whosoever": "anyone who, a user who, the caller who",
    r"nobody|somebody": "name the actor: a user, no caller, no resource",
    r"(?<!of )\bours\b": "this project's, or name the object",
    r"as (?:nobody|somebody) in particular": "without credentials of a role",
    # Verbs: use the verb of the field.
    r"(?:is|are|was|were|be|been|being) told": "is reported, is given, receives",
    r"tells? (?:of|why|how|whether|that|what|where)\b": "reports, shows, says",
    r"mend(?:s|ed|ing)?": "fix",
    r"comes? by|came by": "obtain, receive",
    r"(?:is|are) judged|judges?|judgements?|judging": "check, evaluate, inspect",
    r"leans? on|leaning on": "depends on, relies on",
    r"rules? speaks?|speaks? of": "runs, reports, describes",
    r"hears? of": "is notified of, sees",
    r"stands? (?:in|at|beside|for|there|already|alone|by|on|where)\b": "is in, is beside, represents, already exists",
    r"(?:test|line|it) holds? (?:that|this)|holds? itself to": "checks, requires",
    r"asks? for more": "requires more",
    r"goes? on (?:in|to|with|at)\b": "continues",
    r"says? so|said so": "reports it, is documented",
    r"lets? .{1,30} be\b": "leaves unchanged",
    # Connectives: use if, when, for example, otherwise.
    r"or else": "otherwise",
    r"(?:;|,|\.) else\b": "otherwise",
    r"likewise": "also, the same, in the same way",
    r"where (?:it|there|they|one) (?:has|have|is|are) (?:none|one|no)\b": "if it has no …, if there is a …",
    r"(?:has|have|there (?:is|are)) none": "has no …, there is no …",
    r"such as by": "for example by",
    r"(?<=, )as (?:`code`|\"[^\"]*\")(?=[.;,)]|$)": "for example",
    r"or the like|and (?:its|their) kin": "or similar, and related",
    r"as it were|so to speak": "delete it",
    r"all the same": "still, anyway",
    r"no \w+ whatever": "no …",
    # Unidiomatic phrases.
    r"(?<!there )is no (?!longer|more|way|need|different|such)": "is not a …",
    r"knows? (?:no|none|nothing)": "does not support, does not know",
    r"at hand": "available, provided",
    r"for ever": "indefinitely",
    r"in silence": "silently",
    r"in the way of": "prevents",
    r"at last": "eventually, finally",
    r"anew": "again",
    r"thereof|therein|wherein|whence|hitherto": "use a plain word",
    r"spoilt|amiss": "corrupted, wrong",
    r"to the last character": "identical",
    r"it is so\b|are so\b": "state the fact again",
    r"will not do|will do\b": "is not supported, is enough",
    r"of its own accord": "by itself",
    r"by hand's? reach": "available",
    r"what becomes of|has become of|becomes? of": "what happens to",
    # Terms: docs/glossary.md.
    r"catalogues?": "catalog",
    r"(?<!managed )customer keys?|keys? of (?:the )?customers?": "customer managed key",
    r"remed(?:y|ies)": "fix",
    r"rooms?(?! (?:for|left|to)\b)": "package, folder",
    r"(?:colour|behaviour|organisation|recognis|normalis|serialis|initialis)\w*": "US spelling",
    r"flaws?": "structural defect",
}
"""Maps each banned pattern to its replacement. Case is ignored, and matches start and end at word boundaries."""

FREE_CLAUSE = re.compile(
    r"(?:What|Whatever|Who|Whoever|Whom|Whose|Where|Wherever|Whether|Which|How|When|Why)\b"
)
"""A docstring starts with a noun or a verb, not with one of these."""

NAMES = {
    "Flaw": "StructuralDefect",
    "Transition": "Branch",
    "Way": "Edge or Branch",
    "ways_on": "outgoing_branches",
    "Places": "RouteAssignment",
    "Symbol": "RouteSource",
    "Tracked": "TrackedFlow",
    "put_in": "insert_blocks",
    "without_tracking": "strip_tracking",
    "World": "Environment",
    "Playing": "CallSimulation",
    "play_out": "run",
    "Unnoticed": "NoEffect",
    "unnoticed": "skip",
    "Subject": "LintContext",
    "Found": "Match",
    "SENSE": "an Enum of sources",
    "OURS": "an Enum of sources",
    "LIVE": "an Enum of sources",
    "Place": "Position or DeploymentTarget",
    "Settings": "CallRouteTrackerArgs, StackConfig or RuleConfig",
    "FlowSettings": "ContactFlowArgs",
    "RecordFormat": "CallRouteTrackerArgs",
    "PipePace": "CallRouteTrackerArgs",
    "LIMITS": "the constraints in the options table",
    "Tally": "DeliveryCounts",
    "not_ours": "filtered",
    "became": "outcome",
    "ToldElsewhereError": "CoveredByAnotherRule",
    "CannotTellError": "UnknownNeeds",
    "told": "_fail, reported",
    "said": "the name of the value",
    "provisioner": "stack_runner",
    "judgement": "authorization",
    "catalogue": "catalog",
    "remedy": "fix",
    "room": "package",
}
"""Identifiers that were renamed. Leading underscores are ignored. Text in quotes, such as JSON keys, is not checked."""

CODE = ("callroute", "components", "policy", "benchmarks")
SUFFIXES = (".py", ".md", ".yml", ".yaml", ".toml")
OTHER_FILES = ("Makefile", ".ci/run", ".gitignore", ".editorconfig")
SKIPPED = {".git", ".venv", ".mypy_cache", ".pytest_cache", ".ruff_cache", "__pycache__", "build", "dist"}
EXCLUDED = ("tests/golden/", "tests/samples/", "tests/flows/fixtures/", "requirements/")
THIS_FILE = Path(__file__).resolve()

_PROSE = [
    (re.compile(rf"(?<!\w)(?:{pattern})(?!\w)", re.IGNORECASE), better) for pattern, better in PROSE.items()
]


@dataclass(frozen=True)
class Text:
    """A piece of prose and its location."""

    path: str
    line: int
    content: str
    is_docstring: bool = False


def folder(path: Path) -> str:
    """Returns the folder by which faults are grouped: two levels of folders, or the root."""
    parts = path.relative_to(REPOSITORY).parts[:-1]
    return "/".join(parts[: 3 if parts[:2] == ("callroute", "flows") else 2]) or "."


def files() -> dict[str, list[Path]]:
    """Returns the files with prose, by folder."""
    found: dict[str, list[Path]] = {}
    for top, folders, names in os.walk(REPOSITORY):
        folders[:] = sorted(set(folders) - SKIPPED)
        for path in (Path(top, name) for name in sorted(names)):
            relative = path.relative_to(REPOSITORY).as_posix()
            prose = path.suffix in SUFFIXES or relative in OTHER_FILES
            if prose and path != THIS_FILE and not relative.startswith(EXCLUDED):
                found.setdefault(folder(path), []).append(path)
    return found


FILES = files()


def python_texts(path: Path) -> Iterator[Text]:
    """Yields docstrings, comments, names of tests and, in production code, texts of three words or more."""
    source = path.read_text(encoding="utf-8")
    name = path.relative_to(REPOSITORY).as_posix()
    tree = ast.parse(source)
    docstrings = {
        id(node.value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
            yield Text(name, node.lineno, node.name.replace("_", " "))
        if not isinstance(node, ast.Constant) or not isinstance(node.value, str):
            continue
        if id(node) in docstrings:
            yield Text(name, node.lineno, node.value, is_docstring=True)
        elif name.startswith(CODE) and len(node.value.split()) > 2:
            yield Text(name, node.lineno, node.value)
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            yield Text(name, token.start[0], token.string.lstrip("# "))


def other_texts(path: Path) -> Iterator[Text]:
    """Yields the lines of Markdown outside code blocks, and the comments of other files."""
    name = path.relative_to(REPOSITORY).as_posix()
    in_code = False
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        if path.suffix == ".md":
            if line.lstrip().startswith(("```", "~~~")):
                in_code = not in_code
            elif not in_code:
                yield Text(name, number, line)
        elif comment := re.search(r"(?:^|\s)#+ (.*)", line):
            yield Text(name, number, comment[1])


def faults(text: Text) -> Iterator[str]:
    # Names of code are checked as names, and a quotation may contain anything.
    prose = re.sub(r"`[^`]*`", "`code`", " ".join(text.content.split()))
    if text.is_docstring and (found := FREE_CLAUSE.match(prose)):
        yield f"docstring starts with {found[0]!r}: start with a noun or a verb"
    for pattern, better in _PROSE:
        if found := pattern.search(prose):
            yield f"{found[0]!r}: write {better}"


@pytest.mark.parametrize("name", FILES)
def test_a_folder_is_free_of_banned_words(name: str) -> None:
    found = [
        f"{text.path}:{text.line}: {fault}"
        for path in FILES[name]
        for text in (python_texts(path) if path.suffix == ".py" else other_texts(path))
        for fault in faults(text)
    ]

    assert not found, f"{len(found)} faults in {name}:\n" + "\n".join(found)


def test_production_code_uses_the_names_of_the_glossary() -> None:
    found = []
    for path in (path for paths in FILES.values() for path in paths if path.suffix == ".py"):
        name = path.relative_to(REPOSITORY).as_posix()
        if not name.startswith(CODE):
            continue
        for token in tokenize.generate_tokens(io.StringIO(path.read_text(encoding="utf-8")).readline):
            better = NAMES.get(token.string.lstrip("_")) if token.type == tokenize.NAME else None
            if better:
                found.append(f"{name}:{token.start[0]}: {token.string!r}: rename to {better}")

    assert not found, f"{len(found)} faults:\n" + "\n".join(found)


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        ("Whether the stack is protected.", "start with a noun or a verb"),
        ("Input that somebody has to mend.", "'somebody'"),
        ("An IANA time zone, as `Asia/Tokyo`.", "for example"),
        ("Fails if the catalogue is missing.", "catalog"),
        ("ARN of the customer key.", "customer managed key"),
    ],
)
def test_a_fault_is_reported_with_its_replacement(content: str, fault: str) -> None:
    assert any(fault in each for each in faults(Text("x.py", 1, content, is_docstring=True)))


@pytest.mark.parametrize(
    "content",
    [
        "ARN of the customer managed key.",
        "Returns the branch for this key, or None if the menu does not offer it.",
        "Key `not_ours` counts filtered records; `whoever` is a name.",
        "The recommended catalogs, with amendments, are no longer required.",
    ],
)
def test_plain_english_is_accepted(content: str) -> None:
    assert not list(faults(Text("x.py", 1, content, is_docstring=True)))
