"""Guards against calls that mix, records that do not arrive, and requests from other websites."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from tests.live.pages import CROWD, Live, Page, request
from tests.support.paths import REPOSITORY

pytestmark = pytest.mark.emulator


@pytest.fixture
def page(live: Live) -> Iterator[Page]:
    with Page(live.port) as page:
        yield page


# --- Calls -----------------------------------------------------------------------------------------------------------


def test_a_call_by_keys_leaves_a_record_on_its_own_page_only(live: Live, page: Page) -> None:
    with Page(live.port) as other:
        other.call("call-route")
        page.call("call-route-with-operator")
        menu = page.step("MenuOffered")
        page.act("key", prompt=menu["prompt"], key="2")
        page.act("key", prompt=menu["prompt"], key="1")  # for a menu that has ended, so it is ignored
        assert page.step("Pressed")["text"] == "2"
        balance = page.step("MenuOffered")
        page.act("hangup")
        other.act("hangup")
        record = page.next("record")
        others = other.next("record")

    assert balance["block"] == "menu-balance"
    item = record["item"]
    assert (item["call_flow"], item["call_route"], item["outcome"]) == (
        "bank",
        "balance",
        "abandoned_in_flow",
    )
    assert item["disconnect_reason"] == "CUSTOMER_DISCONNECT"
    assert record["contact"] == item["contact_id"] != others["contact"]
    for one, another in ((page, others), (other, record)):
        assert another["contact"] not in json.dumps(one.received)


def test_silence_takes_the_timeout_branch_and_keys_during_a_message_are_ignored(page: Page) -> None:
    page.call("call-route")
    page.act("skip", prompt=page.step("MenuOffered")["prompt"])  # the prompt
    page.act("skip", prompt=page.received[-1]["prompt"])  # the silence after it
    page.step("TimedOut")
    message = page.step("Said")
    page.act("key", prompt=message["prompt"], key="*")
    page.act("played", prompt=message["prompt"])
    assert page.step("KeyIgnored")["block"] == message["block"]
    page.step("MenuOffered")
    page.act("hangup")
    assert page.next("record")["item"]["outcome"] == "abandoned_in_flow"


def test_an_agent_answers_and_the_caller_ends_the_conversation(page: Page) -> None:
    page.call("call-route-with-operator")
    page.act("key", prompt=page.step("MenuOffered")["prompt"], key="1")
    page.act("played", prompt=page.step("Said")["prompt"])
    page.step("AgentConnected")
    page.act("hangup")
    assert page.step("Ended")["text"] == "the conversation with the agent ends (CUSTOMER_DISCONNECT)"
    assert page.next("record")["item"]["outcome"] == "answered"


def test_closing_the_page_hangs_up(live: Live, page: Page) -> None:
    with Page(live.port) as closing:
        before = closing.next("drop-off")["calls"]
        closing.call("call-route")
        contact = closing.next("call")["contact"]
        closing.step("MenuOffered")

    page.next("drop-off", lambda message: message["calls"] > before)
    item = live.cloud.emulator.client("dynamodb").get_item(
        TableName=live.cloud.table_name, Key={"contact_id": {"S": contact}}
    )["Item"]
    assert item["disconnect_reason"] == {"S": "CUSTOMER_DISCONNECT"}


def test_a_page_has_one_call_and_only_its_own_token_controls_it(live: Live, page: Page) -> None:
    page.call("call-route")
    with Page(live.port) as other:
        assert page.post("/call", {"flow": 0}) == 409
        assert other.post("/action", {"kind": "hangup"}) == 409, "the other page has no call"
        assert other.post("/action", {"kind": "hangup"}, token="x" * 43) == 403
    assert page.post("/action", {"kind": "hangup"}) == 204, "the call still runs"
    page.step("Ended")
    page.call("call-route")
    page.step("MenuOffered")
    page.act("hangup")
    contacts = {page.next("record")["contact"]}
    page.next("record", lambda message: message["contact"] not in contacts)


def test_records_of_other_commands_are_processed_too(live: Live, page: Page) -> None:
    before = page.next("drop-off")["calls"]
    samples = (REPOSITORY / "tests" / "samples" / "contact_records.jsonl").read_bytes().splitlines()
    live.cloud.put(samples)
    assert page.next("drop-off", lambda message: message["calls"] > before)


def test_a_crowd_fills_the_drop_off_of_its_flow(page: Page) -> None:
    before = page.next("drop-off")["calls"]
    flow = page.flows.index("call-route-with-operator")
    assert page.post("/crowd", {"flow": flow}) == 204
    assert page.next("crowd-ended")["problem"] == ""
    shown = page.next("drop-off", lambda message: message["calls"] >= before + CROWD)
    assert sum(shown["outcomes"].values()) == shown["calls"]
    assert {"flow": "call-route-with-operator", "label": "First menu"}.items() <= next(
        stop for stop in shown["stops"] if stop["route"] == "start" and stop["flow"] == page.flows[flow]
    ).items()


# --- Requests --------------------------------------------------------------------------------------------------------


def test_responses_forbid_other_scripts_styles_and_frames(live: Live) -> None:
    for path in ("/", "/live.js", "/live.css", "/icon.svg", "/flows/0.svg", "/missing"):
        status, headers, _ = request(live.port, "GET", path)
        assert status == (404 if path == "/missing" else 200)
        policy = headers["content-security-policy"]
        assert "default-src 'none'; script-src 'self'; style-src 'self' 'sha256-" in policy
        assert "unsafe" not in policy
        assert headers["cross-origin-resource-policy"] == "same-origin"
        assert headers["x-content-type-options"] == "nosniff"
    assert "data-block=" in request(live.port, "GET", "/flows/1.svg")[2]


@pytest.mark.parametrize("path", ["/", "/events", "/flows/0.svg"])
@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "rebound.example"},
        {"Host": "rebound.example:{port}"},
        {"Host": "127.0.0.1"},
        {"Host": "127.0.0.1:1"},
        {"Origin": "http://site.example"},
        {"Origin": "null"},
        {"Origin": "http://localhost:{port}"},
        {"Origin": "https://127.0.0.1:{port}"},
    ],
    ids=str,
)
def test_another_host_or_origin_is_refused(live: Live, path: str, headers: dict[str, str]) -> None:
    sent = {name: value.format(port=live.port) for name, value in headers.items()}
    assert request(live.port, "GET", path, headers=sent)[0] == 403


@pytest.mark.parametrize("path", ["/call", "/crowd", "/action"])
def test_a_request_that_changes_something_needs_the_origin_and_token_of_the_page(
    live: Live, page: Page, path: str
) -> None:
    origin, token = {"Origin": live.address.rstrip("/")}, {"X-Session": page.token}
    for headers in ({}, token, origin, token | {"Origin": "http://site.example"}):
        assert request(live.port, "POST", path, {"flow": 0, "kind": "hangup"}, headers)[0] == 403
    assert request(live.port, "GET", path, headers=token)[0] == 405


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("/call", b"{", 400),
        ("/call", [], 400),
        ("/call", {"flow": 2}, 404),
        ("/call", {"flow": -1}, 404),
        ("/call", {"flow": True}, 404),
        ("/crowd", {}, 404),
        ("/action", {"kind": "key", "prompt": 1, "key": "12"}, 400),
        ("/action", {"kind": "key", "prompt": 1, "key": "a"}, 400),
        ("/action", {"kind": "shout"}, 400),
        ("/action", b" " * 2000, 413),
    ],
    ids=str,
)
def test_unusable_requests_are_refused(page: Page, path: str, body: object, status: int) -> None:
    assert page.post(path, body) == status
