"""Tests the HTML report in a browser: its figures, both languages, small screens, printing and accessibility."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from markupsafe import escape
from playwright.sync_api import Browser, Page

from callroute.reports.build import report_on
from callroute.reports.html import write_html
from callroute.reports.html.flow_drawing import flow_drawing
from callroute.reports.html.periods import periods
from callroute.reports.report import OUTCOMES, TROUBLES, Day, Language, Outcomes, Report, ReportedFlow, Span
from tests.flows.tracking.builders import flow_from, flow_of, menu, message, tracked
from tests.support.chromium import chromium, needs_chromium
from tests.support.made_up_calls import bank_flow, made_up_items
from tests.support.paths import REPOSITORY
from tests.support.sample_report import sample_report

SAMPLE = REPOSITORY / "docs/sample-report.html"
LANGUAGES: tuple[Language, ...] = ("en", "ja")
LARGEST = 1_500_000
"""Largest allowed page in bytes."""
DESKTOP, PHONE = (1280, 900), (360, 760)
WEEK = Span(date(2026, 11, 16), date(2026, 11, 22))
MARKUP = "<img src=x onerror=\"document.title='run'\">&amp;'\""

browser_test = pytest.mark.browser


def item(number: int, route: str, outcome: str, day: int = 16, **values: Any) -> dict[str, Any]:
    start = f"2026-11-{day:02}T10:00:{number % 60:02}+09:00"
    return {
        "contact_id": f"00000000-0000-4000-8000-{number:012}",
        "call_route": route,
        "call_flow": "bank",
        "call_date": f"2026-11-{day:02}",
        "start_time": start,
        "duration_seconds": 12,
        "outcome": outcome,
        "phone_number": f"05000{number:06}",
        "version": f"2026-11-28T00:00:00.000000000Z-10-{number:016x}",
        **values,
    }


KNOWN_ITEMS = [
    *(item(number, "start", "abandoned_in_flow") for number in range(6)),
    *(item(number, "balance", "abandoned_in_flow", duration_seconds=40) for number in range(6, 9)),
    *(item(number, "balance_amount", "completed") for number in range(9, 20)),
    *(item(number, "lost_card_operator", "answered") for number in range(20, 34)),
    *(item(number, "lost_card_operator", "abandoned_in_queue") for number in range(34, 40)),
    *(item(number, "start", "abandoned_in_flow", day=10) for number in range(40, 50)),
    *(item(number, "balance_amount", "completed", day=11) for number in range(50, 80)),
]


def known_report() -> Report:
    return report_on(KNOWN_ITEMS, WEEK, [bank_flow()])


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as browser:
        yield browser


@pytest.fixture(scope="module")
def pages() -> dict[Language, str]:
    """The sample report in both languages."""
    report = sample_report()
    return {language: write_html(report, language) for language in LANGUAGES}


class Opened:
    """Opens pages in the browser and collects the messages of the console and the requests."""

    def __init__(self, browser: Browser, folder: Path) -> None:
        self._browser = browser
        self._folder = folder
        self.messages: list[str] = []
        self.requests: list[str] = []

    def __call__(self, html: str, size: tuple[int, int] = DESKTOP) -> Page:
        file = self._folder / "report.html"
        file.write_text(html, encoding="utf-8")
        page = self._browser.new_page(viewport={"width": size[0], "height": size[1]})
        page.set_default_timeout(10_000)
        page.on("console", lambda message: self.messages.append(message.text))
        page.on("pageerror", lambda error: self.messages.append(str(error)))
        page.on("request", lambda request: self.requests.append(request.url))
        page.goto(file.as_uri())
        return page


@pytest.fixture
def opened(browser: Browser, tmp_path: Path) -> Iterator[Opened]:
    opened = Opened(browser, tmp_path)
    yield opened
    for context in browser.contexts:
        context.close()
    assert opened.messages == [], "the console contains errors, for example of the Content-Security-Policy"
    assert {*opened.requests} <= {(tmp_path / "report.html").as_uri()}, "the page loads nothing else"


def rows(page: Page) -> dict[str, list[str]]:
    """Returns the visible cells of the table of stops, by route."""
    found = page.evaluate(
        """[...document.querySelectorAll('#stop-table tbody tr')].filter(row => !row.hidden).map(
             row => [row.querySelector('.route')?.textContent ?? row.cells[0].textContent,
                     ...[...row.cells].slice(1).map(cell => cell.textContent)])"""
    )
    return {route: cells for route, *cells in found}


# --- Content ---------------------------------------------------------------------------------------------------------


@browser_test
@needs_chromium
def test_the_page_shows_the_figures_of_a_known_set(opened: Opened) -> None:
    page = opened(write_html(known_report(), "en"))
    cards = {
        card.get_attribute("data-outcome") or "calls": card.inner_text().split("\n")
        for card in page.locator(".cards:not(.small) .card").all()
    }
    assert {key: [line for line in lines if line][1:3] for key, lines in cards.items()} == {
        "calls": ["40", "40 before"],
        "abandoned_in_flow": ["22.5%", "9 calls"],
        "completed": ["27.5%", "11 calls"],
        "abandoned_in_queue": ["15.0%", "6 calls"],
        "answered": ["35.0%", "14 calls"],
    }
    assert cards["completed"][-1] == "47.5 points less more than noise"
    table = rows(page)
    assert table["start"] == ["40", "34", "6", "15.0%", "−10.0", "0", "0", "0", "12", "12"]
    assert table["balance"] == ["14", "11", "3", "21.4%", "+21.4", "0", "0", "0", "40", "40"]
    assert table["lost_card_operator"][:8] == ["20", "0", "0", "0.0%", "–", "0", "14", "6"]
    assert page.locator(".headline").all_inner_texts()[0] == (
        "More callers gave up at “First menu” than at any other stop: 6 of the 40 callers who reached it (15.0%)."
    )
    block = page.locator(".drawing [data-block=menu-start]")
    assert "6 of 40 gave up · 15%" in block.inner_html()
    assert "heat-5" in (block.get_attribute("class") or "")
    assert "40 calls reached" in page.locator(".drawing [data-block=route-start]").inner_html()
    sankey = page.locator(".sankey text").all_text_contents()
    assert {"First menu", "40", "6 Left in the menu", "14 Answered by an agent"} <= {*sankey}


@browser_test
@needs_chromium
def test_the_page_shows_the_waterfall_and_compares_versions_and_arms(
    opened: Opened, pages: dict[Language, str]
) -> None:
    report, page = sample_report(), opened(pages["en"])
    waterfall = page.locator("section.waterfall")
    detail = report.waterfall.detail
    assert f"Based on the {detail.count:,} of {detail.of:,} calls that have detail" in waterfall.inner_text()
    worst = report.waterfall.stops[0]
    headline = f"{worst.silence} left after silence, {worst.wrong_key} after wrong keys and {worst.error} after an error."
    assert headline in page.locator(".headline").nth(1).inner_text()
    cells = waterfall.locator("tbody tr").first.locator("th, td").all_inner_texts()
    assert cells == [
        worst.en,
        f"{worst.reached}",
        f"{100 * (worst.left_share.value or 0):.1f}%",
        f"{worst.hung_up}",
        *(
            f"{worst.of(kind)}\N{NO-BREAK SPACE}/\N{NO-BREAK SPACE}{worst.met[kind]}"
            if worst.met[kind]
            else "0"
            for kind in TROUBLES
        ),
        "0",
        "0",
        f"{worst.continued}",
    ]
    assert waterfall.locator(".chart text").first.text_content() == worst.en
    marked = page.locator(".variants td.marked").all_inner_texts()
    differences = [
        change
        for variant in (*report.versions, *report.arms)
        for change in (variant.change, *(stop.change for stop in variant.stops))
        if change and change.significant
    ]
    assert len(marked) == len(differences) > 1
    assert all(text.startswith(("▲ +", "▼ −")) for text in marked)


@browser_test
@needs_chromium
@pytest.mark.parametrize(
    ("language", "words"),
    [
        ("en", ["Where callers gave up", "Left in the menu", "Paths through the menu", "Menu", "All stops"]),
        (
            "ja",
            ["発信者の離脱箇所", "メニューの途中で離脱", "メニュー内の経路", "メニュー", "すべての停止箇所"],
        ),
    ],
)
def test_the_page_is_in_one_language(
    opened: Opened, pages: dict[Language, str], language: Language, words: list[str]
) -> None:
    page = opened(pages[language])
    text = page.locator("body").text_content() or ""
    assert page.locator("html").get_attribute("lang") == language
    assert all(word in text for word in words)
    page.locator(".drawing").evaluate("element => element.remove()")  # prompts have the language of the flow
    japanese = re.search(r"[\u3040-\u30ff\u4e00-\u9fff]", page.locator("main").inner_text())
    assert (japanese is not None) == (language == "ja")


@browser_test
@needs_chromium
def test_stops_can_be_searched_and_sorted(opened: Opened, pages: dict[Language, str]) -> None:
    page = opened(pages["en"])
    in_flow_order = list(rows(page))
    assert page.locator("#shown").inner_text() == "17 of 17 stops"
    page.get_by_label("Search stops").fill("OPERATOR lost")
    assert list(rows(page)) == ["lost_card_operator"]
    assert page.locator("#shown").inner_text() == "1 of 17 stops"
    page.get_by_label("Search stops").fill("")
    for name, column, direction in (
        ("Left", 2, "descending"),
        ("Left", 2, "ascending"),
        ("Median (s)", 8, "descending"),
    ):
        button = page.get_by_role("button", name=name, exact=True)
        button.click()
        assert page.locator("th[aria-sort=descending], th[aria-sort=ascending]").count() == 1
        heading = page.locator(f"th[aria-sort={direction}]")
        assert heading.inner_text().startswith(name)
        cells = [row[column] for row in rows(page).values()]
        values = [float(cell.replace(",", "")) for cell in cells if cell != "–"]
        assert values == sorted(values, reverse=direction == "descending")
        assert cells[len(values) :] == ["–"] * (len(cells) - len(values)), "cells without a value are last"
    page.get_by_role("button", name="Stop", exact=True).click()
    assert list(rows(page)) == in_flow_order


@browser_test
@needs_chromium
@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_the_page_fits_the_screen(
    opened: Opened, pages: dict[Language, str], language: Language, size: tuple[int, int]
) -> None:
    page = opened(pages[language], size)
    assert page.evaluate("document.documentElement.scrollWidth") <= size[0]
    cut = page.evaluate(
        """[...document.querySelectorAll('main *, header *')].filter(element =>
             !element.closest('svg, .scroll, .quiet') && element.clientWidth > 0
             && (element.scrollWidth > element.clientWidth + 1
               || element.getBoundingClientRect().right > innerWidth - 14)).map(element => element.outerHTML.slice(0, 200))"""
    )
    assert cut == []
    outside = page.evaluate(
        """[...document.querySelectorAll('.chart text, .sankey text')].filter(text => {
             const inner = text.getBoundingClientRect(), outer = text.closest('svg').getBoundingClientRect();
             return inner.width && (inner.left < outer.left - 1 || inner.right > outer.right + 1
               || inner.top < outer.top - 2 || inner.bottom > outer.bottom + 2);
           }).map(text => text.textContent)"""
    )
    assert outside == []
    overlapping = page.evaluate(
        """[...document.querySelectorAll('.chart, .sankey')].flatMap(svg => {
             const texts = [...svg.querySelectorAll('text')].filter(text => text.textContent)
               .map(text => [text.textContent, text.getBoundingClientRect()]).filter(([, box]) => box.width);
             return texts.flatMap(([one, a], number) => texts.slice(number + 1).filter(([, b]) =>
               a.left < b.right - 1 && b.left < a.right - 1 && a.top < b.bottom - 5 && b.top < a.bottom - 5)
               .map(([other]) => [one, other]));
           })"""
    )
    assert overlapping == []


@browser_test
@needs_chromium
@pytest.mark.parametrize(("language", "size"), [("en", DESKTOP), ("ja", PHONE)], ids=["desktop", "phone"])
def test_axe_finds_nothing(
    opened: Opened, pages: dict[Language, str], language: Language, size: tuple[int, int]
) -> None:
    violations = Axe().run(opened(pages[language], size)).response["violations"]
    assert [(each["id"], each["impact"]) for each in violations] == []


@browser_test
@needs_chromium
def test_the_drawing_can_be_enlarged(opened: Opened, pages: dict[Language, str]) -> None:
    page = opened(pages["en"])
    drawing, width = page.locator(".drawing svg"), "element => element.getBoundingClientRect().width"
    assert drawing.evaluate(width) < 1100
    page.get_by_role("button", name="Readable size").click()
    assert drawing.evaluate(width) > 3000
    assert page.get_by_role("button", name="Readable size").get_attribute("aria-pressed") == "true"


@browser_test
@needs_chromium
@pytest.mark.parametrize(("language", "size"), [("en", DESKTOP), ("ja", PHONE)], ids=["desktop", "phone"])
def test_the_enlarged_drawing_opens_at_the_block_where_most_callers_gave_up(
    opened: Opened, pages: dict[Language, str], language: Language, size: tuple[int, int]
) -> None:
    page = opened(pages[language], size)
    page.get_by_role("button", name={"en": "Readable size", "ja": "読めるサイズ"}[language]).click()
    visible = page.locator(".drawing").evaluate(
        """drawing => {
             const outer = drawing.getBoundingClientRect();
             return [...drawing.querySelectorAll('.heat-5 text')].filter(text => {
               const inner = text.getBoundingClientRect();
               return inner.width && inner.left >= outer.left && inner.right <= outer.right
                 && inner.top >= outer.top && inner.bottom <= outer.bottom;
             }).map(text => text.textContent).join(' ')}"""
    )
    assert {"en": "gave up", "ja": "離脱"}[language] in visible


@browser_test
@needs_chromium
@pytest.mark.parametrize(("size", "bands"), [(DESKTOP, True), (PHONE, False)], ids=["desktop", "phone"])
def test_the_note_on_the_paths_describes_what_is_shown(
    opened: Opened, pages: dict[Language, str], size: tuple[int, int], bands: bool
) -> None:
    text = opened(pages["en"], size).locator("section[aria-labelledby=flow-0-paths]").inner_text()
    assert ("Bands lead to the next stops" in text) is bands
    assert ("Its bar shows how the calls" in text) is not bands
    assert ("Went on to a later stop" in text) is not bands


@browser_test
@needs_chromium
@pytest.mark.parametrize("language", LANGUAGES)
def test_the_page_can_be_printed(opened: Opened, pages: dict[Language, str], language: Language) -> None:
    page = opened(pages[language], (690, 1000))
    pdf = page.pdf(prefer_css_page_size=True)
    assert pdf.startswith(b"%PDF")
    assert 3 <= len(re.findall(rb"/Type /Page\b", pdf)) <= 8
    page.emulate_media(media="print")
    assert page.evaluate("document.documentElement.scrollWidth") <= 690, "A4 without its margins"
    assert page.locator(".sankey").is_visible()
    assert not page.locator(".search").is_visible()
    note = {
        "en": "zoom into the PDF, or open this page on a screen",
        "ja": "画面でこのページを開いてご覧ください",
    }
    assert note[language] in page.locator(".drawing-section").inner_text()
    assert len(re.findall(rb"/MediaBox \[0 0 84[0-9.]+ 59[0-9.]+\]", pdf)) == 1, (
        "the flow is on a landscape page"
    )
    drawn = page.locator(".drawing svg").bounding_box()
    assert drawn
    assert drawn["width"] > 680
    sankey = page.evaluate(
        """[...document.querySelectorAll('.sankey text')].map(text =>
             13 * text.getBoundingClientRect().width / text.getBBox().width)"""
    )
    assert min(sankey) >= 6 * 96 / 72, "the labels of the paths have at least 6 pt"


@browser_test
@needs_chromium
def test_markup_in_the_data_is_shown_as_text(opened: Opened) -> None:
    flow = bank_flow()
    assert flow.catalog
    routes = {
        name: replace(route, en=MARKUP, ja=MARKUP) if name == "start" else route
        for name, route in flow.catalog.routes.items()
    }
    marked = replace(flow, name=MARKUP, catalog=replace(flow.catalog, routes=routes))
    items = [
        *KNOWN_ITEMS,
        item(90, MARKUP, "abandoned_in_flow"),
        item(91, "x", "completed", call_flow=MARKUP),
    ]
    html = write_html(report_on(items, WEEK, [marked], source=MARKUP), "en")
    page = opened(html)
    assert "<img" not in html
    assert page.title().startswith("Where callers gave up")
    assert MARKUP in (page.locator(".source").text_content() or "")
    assert MARKUP in page.locator(".drift th[scope=row]").all_text_contents()
    assert f"{MARKUP} · {MARKUP}" in rows(page), "a route of the first of two flows"


# --- Without a browser -----------------------------------------------------------------------------------------------


def test_the_page_contains_no_numbers_and_no_contact_ids(pages: dict[Language, str]) -> None:
    items = list(made_up_items(WEEK, 480))
    numbers = {value for each in items for value in (each.get("phone_number"), each["contact_id"]) if value}
    for html in (*pages.values(), SAMPLE.read_text(encoding="utf-8")):
        assert not numbers & {*re.findall(r"[0-9a-f-]{10,}", html)}
        assert not re.search(r"\b0\d{9,10}\b|[0-9a-f]{8}-[0-9a-f]{4}-", html)


def test_the_page_is_small_and_self_contained(pages: dict[Language, str]) -> None:
    for html in pages.values():
        assert len(html.encode()) < 200_000
        assert not re.search(r"""(src|href)=|url\((?!#)|@import|https?://(?!www\.w3\.org/2000/svg")""", html)
        assert "default-src 'none'" in html
        assert not re.search(r' style="| on[a-z]+="', html), "the Content-Security-Policy blocks these"


def test_the_page_remains_small_if_a_flow_has_thousands_of_routes() -> None:
    items = [item(number, f"route {number}", "abandoned_in_flow") for number in range(1000, 6000)]
    html = write_html(report_on([*KNOWN_ITEMS, *items], WEEK, [bank_flow()]), "en")
    assert len(html.encode()) < LARGEST
    assert "4,717 rare stops are left out" in html


@pytest.mark.parametrize("name", ["言" * 1000, '"' * 1000], ids=["Japanese", "escaped"])
def test_the_page_remains_small_if_names_are_long(name: str) -> None:
    routes = [
        item(number, f"{number} {name}", "abandoned_in_flow", call_flow=f"{number} {name}")
        for number in range(100, 400)
    ]
    report = report_on([*KNOWN_ITEMS, *routes], WEEK, [bank_flow()], source=name * 10)
    for language in LANGUAGES:
        html = write_html(report, language)
        assert 100_000 < len(html.encode()) < LARGEST
        assert escape(name[:70]) in html
        assert escape(name[:100]) not in html.split("</header>")[1]


def test_the_page_remains_small_if_a_catalog_lists_thousands_of_routes() -> None:
    flow = bank_flow()
    assert flow.catalog
    first = flow.catalog.routes["start"]
    routes = {
        **flow.catalog.routes,
        **{
            f"route {number}": replace(first, route=f"route {number}", parent="start", en=f"Menu {number}")
            for number in range(2000)
        },
    }
    listed = replace(flow, catalog=replace(flow.catalog, routes=routes))
    html = write_html(report_on(KNOWN_ITEMS, WEEK, [listed]), "en")
    assert len(html.encode()) < LARGEST
    assert "1,717 rare stops are left out" in html
    assert "First menu" in html


@pytest.mark.parametrize(
    ("first", "days", "title"),
    [
        (date(2026, 11, 16), 7, "日別の通話数"),
        (date(2025, 7, 1), 184, "週別の通話数"),
        (date(2023, 1, 1), 3 * 365, "月別の通話数"),
        (date(2052, 1, 1), 40 * 365, "年別の通話数"),
    ],
)
def test_the_page_remains_small_if_the_span_is_long(first: date, days: int, title: str) -> None:
    span = Span(first, first + timedelta(days - 1))
    calls = [
        item(
            number,
            "start",
            OUTCOMES[number % 4],
            call_date=f"{day}",
            start_time=f"{day}T10:00:00Z",
        )
        for number, day in enumerate(Span(span.previous.first, span.last))
        if number % 7 < 2
    ]
    html = write_html(report_on(calls, span, [bank_flow()]), "ja")
    assert len(html.encode()) < 300_000
    assert f'<h2 id="trend">{title}</h2>' in html


@pytest.mark.parametrize("days", [7, 100, 800, 6000])
def test_the_trend_contains_every_day_once_and_no_period_contains_days_of_both_spans(days: int) -> None:
    span = Span(date(2052, 2, 15), date(2052, 2, 15) + timedelta(days - 1))
    every = [Day(day, Outcomes(completed=day.day)) for day in Span(span.previous.first, span.last)]
    _, found = periods(every, span.first)
    starts = [each.first for each in found]
    assert span.first in starts
    assert [each.first + timedelta(each.days) for each in found] == [*starts[1:], span.last + timedelta(1)]
    assert sum(each.outcomes.completed for each in found) == sum(each.date.day for each in every)
    assert len(found) <= 100


def test_the_page_remains_small_with_many_versions_and_arms() -> None:
    calls = [
        item(
            number,
            f"stop {number % 3}",
            "abandoned_in_flow",
            flow_version=f"{number % 40:012x}",
            arm=f"{number % 41} " + "言" * 300,
            stops_visited=[f"stop {visited}" for visited in range(100)],
        )
        for number in range(4000)
    ]
    html = write_html(report_on(calls, WEEK, [ReportedFlow("bank", "bank")]), "en")
    assert len(html.encode()) < 400_000
    assert "32 more are only in --format csv and --format json." in html
    assert "33 more are only in --format csv and --format json." in html
    assert "50 more stops are only in --format csv and --format json." in html


def test_calls_without_detail_versions_and_arms_have_no_such_sections() -> None:
    html = write_html(known_report(), "en")
    assert 'class="waterfall"' not in html
    assert 'class="variants"' not in html


def drawn_figures(flow: ReportedFlow, language: Language, *items: dict[str, Any]) -> dict[str, str]:
    """Returns the number of callers who gave up in each block of a drawing."""
    assert flow.flow
    svg = flow_drawing(flow.flow, report_on(items, WEEK, [flow]).stops, language, "x-")
    pattern = 'class="[^"]*(heat-[0-9])" data-block="([^"]+)".*?class="figures">([^<]+)'
    return {name: f"{level}: {text}" for level, name, text in re.findall(pattern, svg, re.DOTALL)}


def test_a_block_that_several_stops_share_shows_the_callers_who_gave_up_there() -> None:
    calls = [
        item(1, "lost_card_operator", "abandoned_in_queue"),
        item(2, "other_operator", "abandoned_in_queue"),
        item(3, "other_operator", "answered"),
    ]
    figures = drawn_figures(bank_flow(), "en", *calls)
    assert figures["transfer-operator"] == "heat-5: 2 gave up"


@pytest.mark.parametrize(
    ("language", "own", "shared"),
    [
        ("en", "heat-5: 2 of 3 gave up · 67%", "heat-1: at most 3 gave up"),
        ("ja", "heat-5: 3件中2件が離脱 · 67%", "heat-1: 離脱は最大3件"),
    ],
)
def test_a_shared_block_shows_an_upper_bound_if_its_stops_have_other_blocks(
    language: Language, own: str, shared: str
) -> None:
    messages = message("one", "shared"), message("two", "shared"), message("shared", "end")
    plain = flow_of(menu("main", k1="one", k2="two"), *messages)
    flow = ReportedFlow("bank", "bank", None, flow_from(tracked(plain)))
    calls = [item(number, "1", "abandoned_in_flow") for number in (1, 2)]
    calls += [item(3, "1", "completed"), item(4, "2", "abandoned_in_flow")]
    figures = drawn_figures(flow, language, *calls)
    assert (figures["one"], figures["shared"]) == (own, shared)


def test_a_large_flow_is_not_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("callroute.reports.html.page._SIZES", [(300, 1000)])
    html = write_html(known_report(), "en")
    assert "This flow is too large to be drawn here." in html
    assert "data-block=" not in html


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_span_without_calls_gives_a_page_with_a_message(language: Language) -> None:
    html = write_html(report_on([], WEEK, [bank_flow()]), language)
    assert {"en": "There are no calls in this span.", "ja": "この期間に通話はありません。"}[language] in html
    assert "stop-table" not in html.split("<script>")[0]


def test_calls_without_a_catalog_and_without_earlier_calls_are_shown() -> None:
    html = write_html(report_on([item(1, "x", "completed")], WEEK, [ReportedFlow("bank", "bank")]), "en")
    assert "no earlier calls to compare" in html
    assert "No caller left the menu." in html
    assert "data-block=" not in html


def test_the_sample_report_in_the_documentation_is_up_to_date(pages: dict[Language, str]) -> None:
    if os.environ.get("UPDATE_GOLDEN"):
        SAMPLE.write_text(pages["en"], encoding="utf-8")
    assert SAMPLE.read_text(encoding="utf-8") == pages["en"], (
        "set UPDATE_GOLDEN=1 to rewrite docs/sample-report.html and its screenshot"
    )


@browser_test
@needs_chromium
def test_the_sample_report_has_a_screenshot(opened: Opened, pages: dict[Language, str]) -> None:
    screenshot = REPOSITORY / "docs/sample-report.png"
    if os.environ.get("UPDATE_GOLDEN"):
        page = opened(pages["en"], (1180, 1160))
        page.screenshot(path=screenshot)
        page.locator(".waterfall .columns").screenshot(path=REPOSITORY / "docs/waterfall.png")
    assert screenshot.read_bytes().startswith(b"\x89PNG")
