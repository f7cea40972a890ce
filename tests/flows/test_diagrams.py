"""Tests that diagrams are valid, complete, deterministic and free of overlaps."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ET
from collections.abc import Mapping
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from callroute.flows import diagrams
from callroute.flows.diagrams.diagram import build_diagram
from callroute.flows.diagrams.layout import designer_positions, layout
from callroute.flows.diagrams.routing import Box, Layout, Line
from callroute.flows.diagrams.routing import Path as LinePath
from callroute.flows.diagrams.text_metrics import shorten, width, wrap
from callroute.flows.flow import Flow
from callroute.formats.files import read_text
from tests.flows.generated import flow_documents
from tests.support import corpus
from tests.support.chromium import CHROMIUM, OPTIONS, chromium, needs_chromium
from tests.support.paths import REPOSITORY

OWN_FLOWS = sorted((REPOSITORY / "flow_definitions").glob("*.json"))
CORPUS_FLOWS = corpus.readable_flows()
SVG = "{http://www.w3.org/2000/svg}"

TEXTS = st.text(st.characters(codec="utf-8"), max_size=120)


def flow_of(*blocks: dict[str, Any], source: str = "x.json", **top: Any) -> Flow:
    document = {"Version": "2019-10-30", "StartAction": blocks[0]["Identifier"], "Actions": blocks, **top}
    return Flow.parse(json.dumps(document), source)


def block(name: str, kind: str, then: str | None = None, **parameters: Any) -> dict[str, Any]:
    transitions: dict[str, Any] = {"NextAction": then} if then else {}
    for key, label in (("Errors", "ErrorType"), ("Conditions", "Condition")):
        given = parameters.pop(key.lower(), {})
        transitions[key] = [
            {
                "NextAction": target,
                label: text if key == "Errors" else {"Operator": "Equals", "Operands": [text]},
            }
            for text, target in given.items()
        ]
    return {"Identifier": name, "Type": kind, "Parameters": parameters, "Transitions": transitions}


END = block("end", "DisconnectParticipant")
MENU = block(
    "menu",
    "GetParticipantInput",
    "sorry",
    conditions={"1": "set", "2": "set", "3": "end"},
    errors={"InputTimeLimitExceeded": "sorry", "NoMatchingCondition": "sorry", "NoMatchingError": "end"},
    Text="1 か 2 か 3 を押してください。",
    StoreInput="False",
)
SET = block(
    "set",
    "UpdateContactAttributes",
    "end",
    errors={"NoMatchingError": "end"},
    Attributes={"call_route": "sales", "x": "y"},
)
SORRY = block("sorry", "MessageParticipant", "menu", Text="Sorry.")
SMALL = flow_of(MENU, SET, SORRY, END)


# --- Content ---------------------------------------------------------------------------------------------------------


def test_branches_of_one_kind_with_the_same_target_are_merged() -> None:
    edges = build_diagram(SMALL).blocks["menu"].edges
    assert [(edge.label, edge.error, edge.target) for edge in edges] == [
        ("1, 2", False, "set"),
        ("3", False, "end"),
        ("silence, other key", True, "sorry"),
        ("error", True, "end"),
    ], "the NextAction of a menu is never taken"


def test_an_error_branch_with_the_default_target_is_omitted() -> None:
    assert [edge.label for edge in build_diagram(SMALL).blocks["set"].edges] == [""]


def test_stops_and_routes_are_highlighted() -> None:
    diagram = build_diagram(SMALL)
    assert {name for name, each in diagram.blocks.items() if each.stop} == {"menu", "sorry"}
    assert {name: each.route for name, each in diagram.blocks.items() if each.route} == {"set": "sales"}
    assert "4 blocks, with 2 stops" in diagram.description
    assert "1 value of call_route" in diagram.description
    chart, image = diagrams.mermaid(SMALL), diagrams.svg(SMALL)
    assert "class b1,b3 stop" in chart
    assert "call_route = sales" in chart
    assert image.count(">stop</text>") == 2
    assert ">call_route = sales</text>" in image


def test_text_is_shown_unchanged_and_arns_are_shown_as_resource_names() -> None:
    arn = "arn:aws:connect:ap-northeast-1:111111111111:instance/i/prompt/greeting"
    function = "arn:aws:lambda:ap-northeast-1:111111111111:function:lookup:live"
    diagram = build_diagram(
        flow_of(
            block(
                "text", "MessageParticipant", "prompt", Text="We answer 24/7. See https://example.com/help"
            ),
            block("prompt", "MessageParticipant", "function", PromptId=arn),
            block("function", "InvokeLambdaFunction", "end", LambdaFunctionARN=function),
            END,
        )
    )
    assert [diagram.blocks[name].detail for name in ("text", "prompt", "function")] == [
        "We answer 24/7. See https://example.com/help",
        "greeting",
        "lookup",
    ]


def test_a_dangling_branch_is_omitted() -> None:
    broken = Flow.parse_lenient(
        json.dumps(
            {
                "Version": "2019-10-30",
                "StartAction": "no",
                "Actions": [block("a", "MessageParticipant", "nowhere", Text="x")],
            }
        ),
        "x.json",
    )
    assert build_diagram(broken).blocks["a"].edges == ()
    for text in (diagrams.mermaid(broken), diagrams.svg(broken)):
        assert "nowhere" not in text


def test_a_block_with_an_empty_identifier_is_drawn() -> None:
    blocks = [
        block("a", "MessageParticipant", "", Text="x"),
        block("", "MessageParticipant", "end", Text="y"),
        END,
    ]
    document = {"Version": "2019-10-30", "StartAction": "a", "Actions": blocks}
    broken = Flow.parse_lenient(json.dumps(document), "x.json")
    assert diagrams.svg(broken).count("data-block") == 3
    assert "    b2 --> b3" in diagrams.mermaid(broken).splitlines()


@pytest.mark.parametrize("path", OWN_FLOWS, ids=lambda path: path.stem)
def test_diagrams_are_the_same_in_another_process(path: Path) -> None:
    for kind, draw in (("svg", diagrams.svg), ("mermaid", diagrams.mermaid)):
        expected = draw(Flow.parse_lenient(read_text(path), str(path)))
        command = [sys.executable, "-m", "callroute", "draw", str(path), "--format", kind]
        environment = os.environ | {"PYTHONHASHSEED": "7", "PYTHONIOENCODING": "utf-8"}
        output = subprocess.run(  # noqa: S603 - our own command
            command, capture_output=True, cwd=REPOSITORY, env=environment, check=True
        ).stdout
        assert output.decode() == expected


# --- Layout ----------------------------------------------------------------------------------------------------------


def layout_of(flow: Flow) -> Layout:
    diagram = build_diagram(flow)
    sizes = {name: (248.0, 80.0 + 22 * len(each.edges)) for name, each in diagram.blocks.items()}
    lines = [
        Line(name, 60.0 + 22 * number, edge.target, edge.error)
        for name, each in diagram.blocks.items()
        for number, edge in enumerate(each.edges)
    ]
    return layout(flow, diagram, sizes, lines)


def boxes_of(flow: Flow) -> Mapping[str, Box]:
    return layout_of(flow).boxes


def overlaps(boxes: Mapping[str, Box]) -> list[tuple[str, str]]:
    names = list(boxes)
    return [
        (one, other)
        for number, one in enumerate(names)
        for other in names[number + 1 :]
        if boxes[one].overlaps(boxes[other])
    ]


def positioned(positions: Mapping[str, tuple[float, float]]) -> Flow:
    metadata = {
        "ActionMetadata": {name: {"position": {"x": x, "y": y}} for name, (x, y) in positions.items()}
    }
    return flow_of(MENU, SET, SORRY, END, Metadata=metadata)


def test_designer_positions_are_used() -> None:
    positions = {"menu": (0, 0), "set": (340, -240), "sorry": (340, 240), "end": (700, 0)}
    assert {name: (box.x, box.y) for name, box in boxes_of(positioned(positions)).items()} == positions


def test_overlapping_positions_are_scaled_by_one_factor() -> None:
    positions = {"menu": (0, 0), "set": (200, -140), "sorry": (200, 140), "end": (420, 0)}
    boxes = boxes_of(positioned(positions))
    assert overlaps(boxes) == []
    factor = boxes["end"].x / 420
    assert factor > 1
    for name, (x, y) in positions.items():
        assert (boxes[name].x, boxes[name].y) == pytest.approx((x * factor, y * factor), abs=16)


def test_blocks_at_about_the_same_position_share_a_column() -> None:
    positions = {"menu": (0, 0), "set": (500, -200), "sorry": (560, 200), "end": (1000, 0)}
    boxes = boxes_of(positioned(positions))
    assert boxes["set"].x == boxes["sorry"].x == 500
    assert (boxes["set"].y, boxes["sorry"].y) == pytest.approx((-200, 200), abs=5)


@pytest.mark.parametrize(
    "positions",
    [
        {},
        {"menu": (0, 0), "set": (0, 0), "sorry": (0, 0), "end": (0, 0)},
        {"menu": (0, 0), "set": (300, 0), "sorry": (600, 0)},
    ],
)
def test_without_usable_positions_blocks_are_arranged_in_columns(
    positions: Mapping[str, tuple[float, float]],
) -> None:
    boxes = boxes_of(positioned(positions))
    assert overlaps(boxes) == []
    assert boxes["menu"].x < boxes["set"].x < boxes["end"].x
    assert boxes["menu"].x < boxes["sorry"].x, "the edge back to the menu is ignored"


@pytest.mark.parametrize(
    "metadata", [None, [], {"ActionMetadata": []}, {"ActionMetadata": {"menu": {"position": 3}}}]
)
def test_invalid_metadata_is_ignored(metadata: Any) -> None:
    assert designer_positions(flow_of(MENU, SET, SORRY, END, Metadata=metadata)) == {}


@pytest.mark.parametrize("x", [True, "3", None, 1e9, float("1e400")])
def test_invalid_coordinates_are_ignored(x: Any) -> None:
    metadata = {"ActionMetadata": {"menu": {"position": {"x": x, "y": 0}}}}
    flow = flow_of(MENU, SET, SORRY, END)
    object.__setattr__(flow, "document", {**flow.document, "Metadata": metadata})
    assert designer_positions(flow) == {}


def segments(path: tuple[tuple[float, float], ...]) -> list[Box]:
    return [
        Box(min(x1, x2), min(y1, y2), abs(x2 - x1), abs(y2 - y1)) for (x1, y1), (x2, y2) in pairwise(path)
    ]


def lines_behind_blocks(placed: Layout) -> list[tuple[Line, str]]:
    """Returns lines that touch a block, except at their own ends."""
    inner = {
        name: Box(box.x + 0.1, box.y - 4, box.width - 0.2, box.height + 8)
        for name, box in placed.boxes.items()
    }
    return [
        (line, name)
        for line, path in placed.paths.items()
        for segment in segments(path.points)
        for name, box in inner.items()
        if segment.overlaps(box)
    ]


def lines_on_top_of_each_other(placed: Layout) -> list[tuple[Line, Line]]:
    """Returns lines of different bundles that run side by side at less than 4 pixels."""
    drawn = [(line, segment) for line, path in placed.paths.items() for segment in segments(path.points)]
    found = []
    for horizontal in (True, False):
        same = [each for each in drawn if (each[1].height == 0) == horizontal]
        same.sort(key=lambda each: each[1].y if horizontal else each[1].x)
        for number, (line, one) in enumerate(same):
            for other_line, other in same[number + 1 :]:
                if (other.y - one.y if horizontal else other.x - one.x) >= 4:
                    break
                bundles = {(each.target, each.error) for each in (line, other_line)}
                if len(bundles) == 2 and one.overlaps(other, 4):
                    found.append((line, other_line))
    return found


def layout_in_image(image: str) -> Layout:
    """Returns the blocks and lines of an SVG image. Lines of one bundle have the same target."""
    boxes: dict[str, Box] = {}
    paths: dict[Line, LinePath] = {}
    bundle = 0
    for element in ET.fromstring(image):  # noqa: S314 - our own output
        kind = (element.get("class") or "").split()
        if name := element.get("data-block"):
            x, y = map(float, re.findall(r"[-\d.]+", element.get("transform") or ""))
            rectangle = next(element.iter(f"{SVG}rect"))
            boxes[name] = Box(x, y, float(rectangle.get("width", "")), float(rectangle.get("height", "")))
        elif "halo" in kind:
            bundle += 1
        elif "way" in kind and element.find(f"{SVG}title") is not None:
            # Corners are rounded: their points are the control points of the curves.
            commands = re.findall(r"([MLQ])([-\d.]+) ([-\d.]+)", element.get("d") or "")
            inner = [point for point in commands if point[0] == "Q"]
            points = tuple((float(x), float(y)) for _, x, y in (commands[0], *inner, commands[-1]))
            paths[Line(str(len(paths)), 0, str(bundle), error="error" in kind)] = LinePath(
                points, joins=False
            )
    return Layout(boxes, paths)


def check_layout(flow: Flow) -> None:
    placed = layout_of(flow)
    assert overlaps(placed.boxes) == []
    assert lines_behind_blocks(placed) == []
    assert lines_on_top_of_each_other(placed) == []
    for line, path in placed.paths.items():
        source, target = placed.boxes[line.source], placed.boxes[line.target]
        assert path.points[0] == (source.x + source.width, source.y + line.port)
        if not path.joins:
            x, y = path.points[-1]
            assert x == target.x
            assert target.y < y < target.y + 30
    ends = {(line.target, line.error) for line, path in placed.paths.items() if not path.joins}
    assert ends == {(line.target, line.error) for line in placed.paths}, "one arrow for each bundle"


@settings(deadline=None, max_examples=1000)
@given(flow_documents())
def test_no_line_passes_behind_a_block_or_runs_along_another_line(document: dict[str, Any]) -> None:
    check_layout(Flow.parse(json.dumps(document), "x.json"))


@settings(deadline=None, max_examples=100)
@given(flow_documents(), st.data())
def test_lines_avoid_blocks_at_designer_positions(document: dict[str, Any], data: st.DataObject) -> None:
    cells = [(x, y) for x in range(0, 1800, 150) for y in range(0, 1200, 100)]
    chosen = data.draw(st.permutations(cells))
    metadata = {
        each["Identifier"]: {"position": {"x": x, "y": y}}
        for each, (x, y) in zip(document["Actions"], chosen, strict=False)
    }
    document["Metadata"] = {"ActionMetadata": metadata}
    check_layout(Flow.parse(json.dumps(document), "x.json"))


@pytest.mark.skipif(not CORPUS_FLOWS, reason=corpus.MISSING)
@pytest.mark.parametrize("path", CORPUS_FLOWS, ids=lambda path: path.stem)
def test_lines_avoid_blocks_in_every_corpus_flow(path: Path) -> None:
    flow = Flow.parse_lenient(read_text(path), str(path))
    check_layout(flow)
    drawn = layout_in_image(diagrams.svg(flow))
    assert len(drawn.boxes) == len(flow.blocks)
    assert len(drawn.paths) == sum(len(each.edges) for each in build_diagram(flow).blocks.values())
    assert overlaps(drawn.boxes) == []
    assert lines_behind_blocks(drawn) == []
    assert lines_on_top_of_each_other(drawn) == []


def test_lines_to_the_same_target_join() -> None:
    placed = layout_of(SMALL)
    assert [line.source for line, path in placed.paths.items() if path.joins] == ["set"]


# --- Text metrics ----------------------------------------------------------------------------------------------------


@given(TEXTS, st.floats(60, 300), st.integers(1, 5))
def test_wrapped_lines_fit_and_only_ellipses_replace_text(
    text: str, max_width: float, max_lines: int
) -> None:
    wrapped = wrap(text, 13, max_width, max_lines)
    assert len(wrapped) <= max_lines
    assert all(width(line, 13) <= max_width for line in wrapped)
    rest = "".join(text.split())
    for line in wrapped:
        kept = "".join(line.split())
        if kept in rest:
            before, _, rest = rest.partition(kept)
            assert before == ""
        else:
            assert kept.endswith("…")
            assert rest.startswith(kept[:-1])
            return
    assert rest == ""


def test_a_truncated_word_contains_no_space() -> None:
    assert wrap("$.External.CurrentRule_offerMessage", 13, 120, 1) == ["$.External.Curr…"]


@given(st.lists(st.from_regex(r"[a-z]{1,9}", fullmatch=True), min_size=1), st.floats(110, 300))
def test_words_are_not_broken(words: list[str], max_width: float) -> None:
    wrapped = wrap(" ".join(words), 13, max_width, 1000)
    assert " ".join(wrapped).split() == words


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("$.External.CurrentRule_offerMessage", ["$.External.", "CurrentRule_", "offerMessage"]),
        ("see https://example.com/help", ["see https://", "example.com/", "help"]),
        ("isEmergencyMessageActive", ["isEmergency", "MessageActive"]),
        ("abcdefghijklmnopqrstuvwxyz then", ["abcdefghijkl…", "then"]),
        ("ルート$.Attributesで承りました", ["ルート", "$.Attributesで承", "りました"]),
    ],
)
def test_long_words_are_split_at_punctuation_or_truncated(text: str, lines: list[str]) -> None:
    assert wrap(text, 10, 82, 9) == lines


@given(TEXTS, st.floats(20, 300))
def test_truncated_text_fits(text: str, max_width: float) -> None:
    shortened = shorten(text, 13, max_width)
    assert width(shortened, 13) <= max_width
    assert shortened == text or (shortened.endswith("…") and text.startswith(shortened[:-1]))


def test_japanese_lines_do_not_begin_with_punctuation() -> None:
    assert wrap("あいうえ、かきく", 10, 40, 3) == ["あいう", "え、かき", "く"]


# --- Mermaid and SVG -------------------------------------------------------------------------------------------------

SPECIAL_TEXTS = [
    'say "hi" [x] {y} (z) <b>b</b> & ; # `code` | \\ *a* _b_ ~c~',
    "1. one",
    "- item",
    "line\nbreak\ttab",
    "end",
    "%% comment",
    "--> x",
    "\x00\x07\ud800",
    "]]>",
    "</svg><script>alert(1)</script>",
    "#35;",
    "$$x^2$$ and $.Attributes.x",
    "fa:fa-car fab:fa-x",
    "日本語「括弧」・全角　空白",
]


def flow_with_text(text: str) -> Flow:
    first = block("a", "MessageParticipant", "b", Text=text)
    second = block(
        "b", "Compare", conditions={text: "a"}, errors={"NoMatchingCondition": "c"}, ComparisonValue=text
    )
    third = block("c", "UpdateContactAttributes", Attributes={"call_route": text, text: text})
    return flow_of(first, second, third, source=f"{text}.json")


@pytest.mark.parametrize("text", SPECIAL_TEXTS)
def test_svg_escapes_any_text(text: str) -> None:
    tree = ET.fromstring(diagrams.svg(flow_with_text(text)))  # noqa: S314 - our own output
    titles = [element.text or "" for element in tree.iter(f"{SVG}title")]
    assert any(text.splitlines()[0].replace("\x00\x07\ud800", "\ufffd" * 3) in title for title in titles)
    assert list(tree.iter(f"{SVG}script")) == []


@pytest.mark.parametrize("text", SPECIAL_TEXTS)
def test_mermaid_escapes_any_text(text: str) -> None:
    for line in diagrams.mermaid(flow_with_text(text)).splitlines():
        for label in re.findall(r'"([^"]*)"', line):
            bare = re.sub(r"#\d+;|<br/>|</?b>|^call_route", "", label.replace("call_route =", ""))
            assert not re.search(r"[#<>\[\]{}|`\\*_~&]", bare), line
            assert not re.match(r"\d+[.)]|[-+] ", bare), line
            assert not re.search(r"\$(#\d+;)?\$|:fa-", bare), f"contains a formula or an icon: {line}"
        assert line.count('"') % 2 == 0
        assert not re.match(r"\s*(end|click|call|graph|subgraph|style)\b", line), (
            "begins with a Mermaid keyword"
        )


@settings(deadline=None, max_examples=50)
@given(TEXTS)
def test_any_text_can_be_drawn_in_both_formats(text: str) -> None:
    flow = flow_with_text(text or "x")
    ET.fromstring(diagrams.svg(flow))  # noqa: S314 - our own output
    lines = diagrams.mermaid(flow).splitlines()
    assert len([line for line in lines if re.match(r"    b[123][(\[]", line)]) == 3


def test_mermaid_shows_all_branches_and_dashes_error_branches() -> None:
    lines = diagrams.mermaid(SMALL).splitlines()
    assert lines[0] == "flowchart LR"
    assert '    b1 -->|"1, 2"| b2' in lines
    assert '    b1 -.->|"silence, other key"| b3' in lines
    assert "    b2 --> b4" in lines
    assert "    b0 --> b1" in lines
    assert sum("-->" in line or "-.->" in line for line in lines) == 1 + 4 + 1 + 1


def test_svg_is_accessible_and_has_a_background() -> None:
    tree = ET.fromstring(diagrams.svg(SMALL))  # noqa: S314 - our own output
    assert tree.get("role") == "img"
    labels = (tree.get("aria-labelledby") or "").split()
    named = {element.get("id"): element.text for element in tree.iter() if element.get("id")}
    assert [named[label] for label in labels] == ["x.json", build_diagram(SMALL).description]
    background = next(tree.iter(f"{SVG}rect"))
    assert (background.get("class"), background.get("width")) == ("ground", tree.get("width"))


def test_svg_draws_one_line_per_edge() -> None:
    tree = ET.fromstring(diagrams.svg(SMALL))  # noqa: S314 - our own output
    titles = [
        path.findtext(f"{SVG}title")
        for path in tree.iter(f"{SVG}path")
        if path.find(f"{SVG}title") is not None
    ]
    assert sorted(filter(None, titles)) == sorted(
        ["menu: 1, 2", "menu: 3", "menu: silence, other key", "menu: error", "set: next", "sorry: next"]
    )


def test_a_flow_without_blocks_produces_an_empty_diagram() -> None:
    empty = Flow.parse_lenient('{"Version": "2019-10-30", "StartAction": "x", "Actions": []}', "x.json")
    assert ET.fromstring(diagrams.svg(empty)).get("role") == "img"  # noqa: S314 - our own output
    assert diagrams.mermaid(empty).startswith("flowchart LR\n")


@pytest.mark.skipif(not CORPUS_FLOWS, reason=corpus.MISSING)
@pytest.mark.parametrize("path", CORPUS_FLOWS, ids=lambda path: path.stem)
def test_every_corpus_flow_can_be_drawn(path: Path) -> None:
    flow = Flow.parse_lenient(read_text(path), str(path))
    tree = ET.fromstring(diagrams.svg(flow))  # noqa: S314 - our own output
    groups = [group for group in tree.iter(f"{SVG}g") if group.get("data-block")]
    assert [group.get("data-block") for group in groups] == list(flow.blocks)
    assert sum(line.startswith("    b") for line in diagrams.mermaid(flow).splitlines()) >= len(flow.blocks)


# --- In a browser ----------------------------------------------------------------------------------------------------

# Measures the rendered page: text outside its block, overlapping blocks, the smallest font and the number of lines.
MEASURE = """
const box = element => element.getBoundingClientRect();
const blocks = [...document.querySelectorAll('[data-block]')];
const outside = blocks.flatMap(block => {
  const frame = box(block.querySelector('.block'));
  return [...block.querySelectorAll('text')].filter(text => {
    const inner = box(text);
    return inner.left < frame.left || inner.right > frame.right || inner.top < frame.top
      || inner.bottom > frame.bottom;
  }).map(text => text.textContent);
});
const overlap = (one, other) => one.left < other.right && other.left < one.right && one.top < other.bottom
  && other.top < one.bottom;
const frames = blocks.map(block => [block.dataset.block, box(block.querySelector('.block'))]);
const overlapping = frames.flatMap(([name, frame], n) =>
  frames.slice(n + 1).filter(([, other]) => overlap(frame, other)).map(([other]) => [name, other]));
const sizes = [...document.querySelectorAll('text')].map(text => parseFloat(getComputedStyle(text).fontSize));
const lines = [...document.querySelectorAll('path.way')].length;
document.title = JSON.stringify({blocks: blocks.length, outside, overlapping, smallest: Math.min(...sizes), lines});
"""


@cache
def measured(path: Path) -> dict[str, Any]:
    assert CHROMIUM is not None
    page = f"<!doctype html><meta charset=utf-8>{diagrams.svg(Flow.parse_lenient(read_text(path), str(path)))}<script>{MEASURE}</script>"
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "page.html")
        file.write_text(page, encoding="utf-8")
        done = subprocess.run(  # noqa: S603 - the browser found above
            [
                CHROMIUM,
                *("--headless", *OPTIONS),
                *(f"--user-data-dir={folder}/profile", "--dump-dom", file.as_uri()),
            ],
            capture_output=True,
            timeout=60,
            check=True,
        )
    title = re.search(r"<title>({.*?})</title>", done.stdout.decode())
    assert title is not None, "the script did not run in the browser"
    found: dict[str, Any] = json.loads(
        title[1].replace("&amp;", "&").replace("&lt;", "<").replace("&gt;", ">")
    )
    return found


@pytest.mark.browser
@needs_chromium
@pytest.mark.parametrize("path", [*OWN_FLOWS, *CORPUS_FLOWS[:3]], ids=lambda path: path.stem)
def test_in_a_browser_all_text_is_inside_its_block_and_blocks_do_not_overlap(path: Path) -> None:
    found = measured(path)
    assert found["blocks"] == len(Flow.parse_lenient(read_text(path), str(path)).blocks)
    assert found["outside"] == []
    assert found["overlapping"] == []
    assert found["smallest"] >= 12
    assert found["lines"] > found["blocks"] / 2


MERMAID_VERSION = "12.3.0"
"""The release that `.ci/run` installs."""


def mermaid_script() -> Path:
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(cache, "call-route-tracker", f"mermaid-{MERMAID_VERSION}", "mermaid.min.js")


@pytest.mark.browser
@needs_chromium
@pytest.mark.skipif(
    not mermaid_script().is_file(), reason=f"needs Mermaid {MERMAID_VERSION}, which .ci/run installs"
)
def test_mermaid_itself_parses_every_chart() -> None:
    flows = [Flow.parse_lenient(read_text(path), path.name) for path in (*OWN_FLOWS, *CORPUS_FLOWS)]
    flows += [flow_with_text(text) for text in SPECIAL_TEXTS]
    charts = [diagrams.mermaid(flow) for flow in flows]
    with chromium() as browser:
        page = browser.new_page()
        page.add_script_tag(path=mermaid_script())
        problems = page.evaluate(
            """async charts => {
              mermaid.initialize({startOnLoad: false});
              const problems = [];
              for (const [number, chart] of charts.entries())
                await mermaid.parse(chart).catch(error => problems.push(`${number}: ${error}`));
              return problems;
            }""",
            charts,
        )
        broken = page.evaluate("mermaid.parse('flowchart LR\\n a[', {suppressErrors: true})")
    assert problems == []
    assert broken is False, "the parser reports errors"
