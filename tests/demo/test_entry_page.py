"""The one-time page in a real browser: from /connect in the demo to a linked login, and nothing of it left behind."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Locator, Page, expect

from tests.support.panes import ANSWER_MS, answered, newest
from tests.support.playing import Demo

pytestmark = pytest.mark.browser

LAPTOP = {"width": 1440, "height": 900}
PHONE = {"width": 390, "height": 844}
KEY = str(import_module("bot.providers.crm.simulator").make(7).credentials()["api_key"])


class Desk:
    """Olga at the demo's page, and whatever she opens from it."""

    def __init__(self, context: BrowserContext, demo: Demo) -> None:
        self.context = context
        self.mistakes: list[str] = []
        self.asked: list[str] = []
        context.on("weberror", lambda error: self.mistakes.append(str(error.error)))
        context.on("console", lambda line: self.mistakes.append(line.text) if line.type == "error" else None)
        context.on("request", lambda request: self.asked.append(request.url))
        self.page = context.new_page()
        self.page.goto(demo.address)
        self.page.wait_for_selector("body[data-ready]")
        self.page.get_by_test_id("person-operator").click()
        self.pane = self.page.get_by_test_id("pane-0")

    def say(self, text: str, answer: str) -> Locator:
        before = newest(self.pane)
        self.pane.get_by_test_id("composer").fill(text)
        self.pane.get_by_test_id("composer").press("Escape")
        self.pane.get_by_test_id("send").click()
        return answered(self.pane, before, answer)

    def offer(self, words: str) -> Locator:
        """/connect up to the message with the page's button."""
        question = self.say(f"/connect {words}", "who may read it?")
        before = newest(self.pane)
        question.get_by_test_id("button").filter(has_text="Only me").click()
        return answered(self.pane, before, "It asks for the code")

    def opened(self, offer: Locator) -> Page:
        """What the button opens."""
        with self.context.expect_page() as opening:
            offer.get_by_test_id("button").filter(has_text="Open the secure page").click()
        page = opening.value
        page.wait_for_selector("html[data-ready]")
        return page


@contextmanager
def at(browser: Browser, demo: Demo, **options: Any) -> Iterator[Desk]:
    with browser.new_context(**{"viewport": LAPTOP, **options}) as context:
        yield Desk(context, demo)


@pytest.fixture
def desk(browser: Browser, demo: Demo) -> Iterator[Desk]:
    with at(browser, demo) as desk:
        yield desk
        assert desk.mistakes == []


def link_and_code(offer: Locator) -> tuple[str, str]:
    text = offer.inner_text()
    found = re.search(r"(http://127\.0\.0\.1:\d+/enter/[\w-]{43})\s+It asks for the code (\d{3} \d{3})", text)
    assert found, text
    return found[1], found[2]


def test_opened_from_the_chat_it_needs_no_code_and_the_result_is_in_both_places(desk: Desk) -> None:
    offer = desk.offer("crm demo tapped")
    page = desk.opened(offer)
    assert re.fullmatch(r"http://127\.0\.0\.1:\d+/enter/[\w-]{43}", page.url), page.url
    expect(page.get_by_label("Code from the chat")).to_be_hidden()
    page.get_by_label("API key").fill(KEY)
    before = newest(desk.pane)
    page.get_by_role("button", name="Try it and link it").click()
    expect(page.get_by_role("status")).to_contain_text("Linked Broctagon CRM crm/tapped", timeout=ANSWER_MS)
    assert page.locator("form").count() == 0
    assert KEY not in page.content()
    answered(desk.pane, before, "Linked Broctagon CRM crm/tapped")
    assert KEY not in desk.page.content()
    here = {re.match(r"http://127\.0\.0\.1:\d+/", url) is not None for url in desk.asked}
    assert here == {True}
    assert not [url for url in desk.asked if KEY in url]
    page.reload()
    expect(page.get_by_role("status")).to_contain_text("This link was used")
    desk.mistakes[:] = [line for line in desk.mistakes if "404" not in line]  # that reload


def test_a_mistake_is_said_beside_its_field_and_nothing_typed_is_lost(desk: Desk) -> None:
    page = desk.opened(desk.offer("deriv live typo"))
    page.get_by_label("App ID").fill("1089")
    page.get_by_label("API token").fill("not a token!")
    page.get_by_role("button", name="Try it and link it").click()
    expect(page.get_by_text("That does not look like the API token.")).to_be_visible()
    expect(page.get_by_label("API token")).to_be_focused()
    assert page.get_by_label("API token").input_value() == "not a token!"
    page.get_by_label("API token").fill("wrongtoken12345")
    page.get_by_role("button", name="Try it and link it").click()
    expect(page.get_by_role("status")).to_contain_text("Nothing was kept.", timeout=ANSWER_MS)
    expect(page.get_by_text("That does not look like the API token.")).to_be_hidden()
    desk.mistakes[:] = [line for line in desk.mistakes if "422" not in line]  # Chromium tells of each refusal


def test_without_scripts_it_is_a_plain_form_with_a_code(browser: Browser, desk: Desk) -> None:
    link, code = link_and_code(desk.offer("crm live plain"))
    with browser.new_context(java_script_enabled=False, viewport=PHONE) as context:  # type: ignore[arg-type]
        page = context.new_page()
        page.goto(link)
        page.get_by_label("Code from the chat").fill("000 000" if code != "000 000" else "000 001")
        page.get_by_label("API key").fill(KEY)
        page.get_by_role("button", name="Try it and link it").click()
        expect(page.get_by_text("4 tries are left")).to_be_visible()
        assert KEY not in page.content()
        page.get_by_label("Code from the chat").fill(code)
        page.get_by_label("API key").fill(KEY)
        page.get_by_role("button", name="Try it and link it").click()
        expect(page.get_by_role("heading")).to_have_text("Linked", timeout=ANSWER_MS)
        assert KEY not in page.content()
        assert KEY not in page.url


def test_logging_in_at_deriv_links_every_account(browser: Browser, desk: Desk) -> None:
    link, code = link_and_code(desk.offer("deriv live main2"))
    page = desk.context.new_page()
    page.goto(link)
    page.get_by_label("Code from the chat").fill(code)
    page.get_by_role("button", name="Log in at Deriv").click()
    page.get_by_role("button", name="Log in and allow").click()
    expect(page.get_by_role("heading")).to_have_text("Accounts at Deriv")
    assert page.url.endswith("/oauth/deriv/accounts")
    page.get_by_label("CR900002").uncheck()
    before = newest(desk.pane)
    page.get_by_role("button", name="Try them and link them").click()
    expect(page.get_by_role("heading")).to_have_text("Linked", timeout=ANSWER_MS)
    expect(page.get_by_text("deriv/cr900001")).to_be_visible()
    expect(page.get_by_text("deriv/vrtc900001")).to_be_visible()
    assert "a1-" not in page.content()
    assert "a1-" not in page.evaluate("location.href + document.referrer")
    answered(desk.pane, before, "deriv/vrtc900001")
    answer = desk.say("/connections", "deriv/cr900001")
    expect(answer).not_to_contain_text("deriv/cr900002")


@pytest.mark.parametrize("size", [PHONE, LAPTOP], ids=["phone", "laptop"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_fits_its_screen(browser: Browser, desk: Desk, size: dict[str, int], scheme: str) -> None:
    link, _ = link_and_code(desk.offer(f"capital demo {scheme}{size['width']}"))
    with browser.new_context(viewport=size, color_scheme=scheme) as context:  # type: ignore[arg-type]
        page = context.new_page()
        page.goto(link)
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        ink, paper = page.evaluate(
            "[getComputedStyle(document.body).color, getComputedStyle(document.body).backgroundColor]"
        )
        assert (brightness(ink) > brightness(paper)) == (scheme == "dark")
        button = page.get_by_role("button", name="Try it and link it").bounding_box()
        assert button is not None
        assert button["height"] >= 44


def brightness(colour: str) -> int:
    return sum(map(int, re.findall(r"\d+", colour)[:3]))
