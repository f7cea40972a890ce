"""Tests the page in headless Chromium, from the user's point of view."""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Iterator

import pytest

from tests.live.pages import CROWD, Live
from tests.support.chromium import chromium, needs_chromium
from tests.support.contact_records import contact_record

pytest.importorskip("playwright", reason="needs Playwright (requirements/dev.txt)")

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, ConsoleMessage, Error, Page, ViewportSize, expect

DESKTOP: ViewportSize = {"width": 1280, "height": 900}
PHONE: ViewportSize = {"width": 360, "height": 740}
MILLISECONDS = 30_000
MARKUP = "<img src=x onerror=alert(1)>"

# Chromium has no voices without a speech service.
JAPANESE_VOICE = """
globalThis.spoken = [];
globalThis.SpeechSynthesisUtterance = class { constructor(text) { this.text = text; } };
Object.defineProperty(globalThis, "speechSynthesis", {
  value: { getVoices: () => [{ lang: "ja-JP" }], speak: utterance => spoken.push(utterance.text), cancel: () => {} },
});
"""

pytestmark = [
    pytest.mark.emulator,
    pytest.mark.browser,
    needs_chromium,
]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as browser:
        yield browser


def opened(browser: Browser, live: Live, size: ViewportSize = DESKTOP, script: str = "") -> Page:
    """Opens the page in a new profile. A script error or a violation of the security policy fails the test."""
    page = browser.new_context(viewport=size, reduced_motion="reduce").new_page()
    page.add_init_script(script)
    page.set_default_timeout(MILLISECONDS)
    page.on("pageerror", fail_on_error)
    page.on("console", fail_on_console_error)
    page.goto(live.address)
    expect(page.get_by_text("Stack local is running")).to_be_visible(timeout=MILLISECONDS)
    return page


def fail_on_error(error: Error) -> None:
    pytest.fail(str(error))


def fail_on_console_error(message: ConsoleMessage) -> None:
    if message.type == "error":
        pytest.fail(message.text)


def start_call(page: Page, flow: str) -> None:
    page.get_by_label("Flow", exact=True).select_option(flow)
    page.get_by_role("button", name="Call", exact=True).click()
    expect(page.get_by_text("Press a key", exact=True)).to_be_visible(timeout=MILLISECONDS)


def hang_up(page: Page) -> None:
    page.get_by_role("button", name="Hang up").click()
    expect(page.locator(".item dd").first).to_be_visible(timeout=MILLISECONDS)


def serious_violations(page: Page) -> list[str]:
    found = Axe().run(page).response["violations"]
    return [f"{each['id']}: {each['nodes']}" for each in found if each["impact"] in ("serious", "critical")]


def test_two_browsers_call_different_flows_and_each_sees_its_own_record(browser: Browser, live: Live) -> None:
    one, other = opened(browser, live), opened(browser, live)
    start_call(other, "call-route")
    start_call(one, "call-route-with-operator")
    expect(one.locator(".current")).to_have_attribute("data-block", "menu-start")
    one.get_by_role("button", name="2", exact=True).click()
    expect(one.locator(".current")).to_have_attribute("data-block", "menu-balance")
    one.keyboard.press("1")
    expect(one.locator(".current")).to_have_attribute("data-block", "answer-balance-amount")
    expect(one.locator("[data-block=menu-start]")).to_have_class("stop visited")
    hang_up(one)

    record = one.locator(".item")
    expect(record).to_have_count(1)
    expect(record.locator("h3")).to_have_text("call_route = balance_amountcompleted")
    expect(record).to_contain_text("disconnect_reasonCUSTOMER_DISCONNECT")
    expect(one.locator("#chain .done")).to_have_count(5)
    expect(other.locator(".item")).to_have_count(0)
    expect(other.locator(".current")).to_have_attribute("data-block", "menu-start")
    other.get_by_role("button", name="star").click()
    expect(other.locator("#transcript .pressed").last).to_have_text("* (not offered)")
    hang_up(other)
    expect(other.locator(".item h3")).to_have_text("call_route = startabandoned in flow")
    expect(one.locator(".item")).to_have_count(1)
    assert serious_violations(one) == []
    for page in (one, other):
        page.context.close()


def test_prompts_are_spoken_silence_is_skipped_and_a_crowd_fills_the_drop_off_on_a_phone(
    browser: Browser, live: Live
) -> None:
    page = opened(browser, live, PHONE, JAPANESE_VOICE)
    calls = page.locator("#figures .calls dd")
    before = int(calls.inner_text())
    record = contact_record(str(uuid.uuid4()), Attributes={"call_route": MARKUP})
    live.cloud.put([json.dumps(record).encode()])
    start_call(page, "call-route-with-operator")
    page.get_by_role("button", name="Skip prompt").click()
    page.get_by_role("button", name="Stay silent").click()
    expect(page.locator("#transcript")).to_contain_text("silence")
    assert "さくらサンプル銀行" in page.evaluate("spoken[0]")
    hang_up(page)  # The item moves the buttons, so a click before it appears could miss.
    page.get_by_role("button", name=f"{CROWD} callers").click()

    expect(calls).to_have_text(str(before + CROWD + 2), timeout=MILLISECONDS)
    expect(page.locator("#stops")).to_contain_text("First menu")
    expect(page.get_by_text(MARKUP)).to_be_visible()
    expect(page.locator(".count[data-route=start]")).to_have_text(re.compile(r"\d+"))
    assert page.evaluate("document.documentElement.scrollWidth") == PHONE["width"], "nothing is cut off"
    assert serious_violations(page) == []
    page.context.close()
