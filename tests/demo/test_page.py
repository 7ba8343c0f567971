"""The demo as a newcomer meets it: the real bot, the page in a real browser, nothing in between."""

import os
import re
import tomllib
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from tests.support.panes import ANSWER_MS, answered, newest
from tests.support.playing import Demo

pytestmark = pytest.mark.browser

LAPTOP = {"width": 1440, "height": 900}
PHONE = {"width": 390, "height": 844}
CRYPTO_ACCOUNT = "Treasury Operating"
"""Where money arrives at Crypto Capital, as its owner named it."""


@pytest.fixture
def page(browser: Browser, demo: Demo) -> Iterator[Page]:
    with browser.new_context(viewport=LAPTOP) as context:  # type: ignore[arg-type]  # a TypedDict of the library
        page = context.new_page()
        mistakes: list[str] = []
        page.on("pageerror", lambda error: mistakes.append(str(error)))
        page.on("console", lambda line: mistakes.append(line.text) if line.type == "error" else None)
        page.goto(demo.address)
        page.wait_for_selector("body[data-ready]")
        yield page
        assert mistakes == []


def _pane(page: Page, number: int = 0) -> Locator:
    return page.get_by_test_id(f"pane-{number}")


def _be(page: Page, part: str, chat: str = "chat-private") -> Locator:
    """Become this person, in that chat."""
    page.get_by_test_id(f"person-{part}").click()
    _pane(page).get_by_test_id(chat).click()
    return _pane(page)


def _say(pane: Locator, text: str) -> None:
    pane.get_by_test_id("composer").fill(text)
    if text.startswith("/"):
        pane.get_by_test_id("composer").press("Escape")  # closes the command menu
    pane.get_by_test_id("send").click()


def _ask(pane: Locator, command: str, answer: str | re.Pattern[str]) -> Locator:
    """Say a command and wait for the bot's new message with that in it."""
    before = newest(pane)
    _say(pane, command)
    return answered(pane, before, answer)


def test_an_operator_asks_for_balances_and_presses_a_button(page: Page) -> None:
    pane = _be(page, "operator")
    expect(page.get_by_test_id("bot-status")).to_have_attribute("data-state", "running")
    answer = _ask(pane, "/balance", CRYPTO_ACCOUNT)
    for name in ("capital", "deriv", "cryptocapital", "crm"):
        expect(answer).to_contain_text(name)
    number = answer.get_attribute("data-message-id")
    pane.locator(f"[data-message-id='{number}']").get_by_test_id("button").first.click()
    expect(pane.locator(f"[data-message-id='{number}'][data-edited]")).to_be_visible(timeout=ANSWER_MS)
    if path := os.environ.get("COUNTERSIGN_SCREENSHOT"):
        _take_picture(page, path)


def _take_picture(page: Page, path: str) -> None:
    """High enough for the whole answer, with the pointer out of the way and the flash of the edit over."""
    page.set_viewport_size({"width": 1440, "height": 1390})
    page.mouse.move(0, 0)
    page.wait_for_timeout(1500)
    page.screenshot(path=path)


def test_positions_come_from_the_providers_that_have_them(page: Page) -> None:
    pane = _be(page, "operator")
    answer = _ask(pane, "/positions", "Gold")
    expect(answer).to_contain_text("crm/main")
    expect(answer).to_contain_text("deriv/main")


def test_money_that_arrives_shows_in_the_next_answer(page: Page) -> None:
    pane = _be(page, "operator")
    before = _ask(pane, "/balance", CRYPTO_ACCOUNT).inner_text()
    page.get_by_test_id("control-money-arrives").click()
    expect(page.get_by_test_id("log-entry").first).to_contain_text("12,500.00 arrived")
    after = _ask(pane, "/balance", CRYPTO_ACCOUNT).inner_text()
    row = re.compile(rf"{CRYPTO_ACCOUNT}.*")
    assert row.findall(before) != row.findall(after)


def test_a_provider_that_is_down_costs_its_part_of_the_answer_only(page: Page) -> None:
    pane = _be(page, "operator")
    power = page.get_by_test_id("control-down-crm")
    power.click()
    expect(power).to_have_attribute("aria-checked", "false")
    try:
        answer = _ask(pane, "/balance", CRYPTO_ACCOUNT)
        expect(answer).to_contain_text("Try again in a minute")
        expect(answer).to_contain_text("capital/main")
    finally:
        power.click()
    expect(power).to_have_attribute("aria-checked", "true")


def test_the_command_menu_is_the_bots_own(page: Page) -> None:
    pane = _be(page, "operator")
    pane.get_by_test_id("commands").click()
    items = pane.get_by_test_id("menu-item")
    expect(items.filter(has_text="/balance")).to_have_count(1)
    pane.get_by_test_id("composer").fill("/pos")
    expect(items).to_have_count(1)
    before = newest(pane)
    pane.get_by_test_id("composer").press("ArrowDown")
    pane.get_by_test_id("composer").press("Enter")
    answered(pane, before, "Gold")


def test_a_suggestion_is_one_click(page: Page) -> None:
    pane = _be(page, "viewer")
    before = newest(pane)
    pane.get_by_test_id("suggestion").filter(has_text="/help").click()
    answered(pane, before, "/balance")


def test_hostile_text_is_shown_as_it_was_written(page: Page) -> None:
    hostile = '</b><img src=x onerror="document.title=1"><a href="javascript:alert(1)">x</a>'
    pane = _be(page, "viewer", "chat-group")
    _say(pane, hostile)
    shown = pane.locator("[data-from=self]").last
    expect(shown.locator(".text")).to_have_text(hostile)
    assert shown.locator("img, a").count() == 0
    assert page.title() == "Countersign – demo desk"


def test_two_people_side_by_side_see_the_same_group(page: Page) -> None:
    page.get_by_test_id("side-by-side").click()
    first, second = _pane(page, 0), _pane(page, 1)
    first.get_by_test_id("chat-group").click()
    second.get_by_test_id("chat-group").click()
    _say(first, "good morning")
    expect(first.locator("[data-from=self]").last).to_contain_text("good morning")
    heard = second.locator("[data-from=other]").last
    expect(heard).to_contain_text("good morning")
    heard.hover()
    heard.get_by_test_id("reply").click()
    _say(second, "and to you")
    expect(first.locator("[data-from=other]").last.locator(".quote")).to_contain_text("good morning")
    mine = second.locator("[data-from=self]").last
    mine.hover()
    mine.get_by_test_id("edit").click()
    _say(second, "and to you, Olga")
    expect(first.locator("[data-from=other]").last).to_contain_text("and to you, Olga")
    expect(first.locator("[data-from=other]").last).to_have_attribute("data-edited", "")


def _show(page: Page, demo: Demo, **message: Any) -> Locator:
    """A message with raw fields, as the bot might send it one day, in Vera's private chat."""
    stage = page.request.get(f"{demo.address}stage").json()
    vera = next(person["id"] for person in stage["people"] if person["part"] == "viewer")
    bot = {"id": stage["bot"]["id"], "is_bot": True, "first_name": stage["bot"]["name"]}
    sent = {"from": vera, "chat": vera, "message": {"from": bot, **message}}
    number = page.request.post(f"{demo.address}telegram/send", data=sent).json()["message_id"]
    return _be(page, "viewer").locator(f"[data-message-id='{number}']")


def test_every_kind_of_formatting_has_its_look(page: Page, demo: Demo) -> None:
    text = "bold code table link evil hidden /help"
    places = {"bold": "bold", "code": "code", "pre": "table", "text_link": "link", "spoiler": "hidden"}
    entities = [{"type": kind, "offset": text.index(word), "length": len(word)} for kind, word in places.items()]
    entities[3]["url"] = "https://example.org/"
    entities.append({"type": "text_link", "offset": text.index("evil"), "length": 4, "url": "javascript:alert(1)"})
    entities.append({"type": "bot_command", "offset": text.index("/help"), "length": 5})
    shown = _show(page, demo, text=text, entities=entities)
    for tag, word in {"strong": "bold", "code": "code", "pre": "table", "a": "link", ".spoiler": "hidden"}.items():
        expect(shown.locator(tag)).to_have_text(word)
    expect(shown.locator("a")).to_have_attribute("href", "https://example.org/")
    shown.locator(".spoiler").click()
    expect(shown.locator(".spoiler.shown")).to_be_visible()
    before = newest(_pane(page))
    shown.get_by_role("button", name="/help").click()
    answered(_pane(page), before, "/balance")


def test_nested_formatting_keeps_every_character(page: Page, demo: Demo) -> None:
    entities = [
        {"type": "bold", "offset": 0, "length": 11},
        {"type": "italic", "offset": 3, "length": 5},
        {"type": "code", "offset": 12, "length": 4},
    ]
    shown = _show(page, demo, text="💶 five euros cash, gone", entities=entities)
    expect(shown.locator(".text")).to_have_text("💶 five euros cash, gone")
    expect(shown.locator("strong")).to_have_text("💶 five eur")
    expect(shown.locator("strong em")).to_have_text("five ")
    expect(shown.locator("code")).to_have_text("s ca")


def test_a_document_is_a_download(page: Page, demo: Demo) -> None:
    document = {"file_id": "F1", "file_name": "statement.csv", "file_size": 2048}
    link = _show(page, demo, document=document, caption="May").get_by_test_id("document")
    expect(link).to_contain_text("2.0 KB")
    expect(link).to_have_attribute("download", "statement.csv")


def test_a_file_is_sent_and_read_by_the_bot(page: Page) -> None:
    pane = _be(page, "admin")
    _ask(pane, "/policy propose", "Send the policy as a TOML file")
    before = newest(pane)
    pane.get_by_test_id("file").set_input_files(
        {"name": "rules.toml", "mimeType": "application/toml", "buffer": b"from_a_file = 1"}
    )
    expect(pane.locator("[data-from=self]").last.get_by_test_id("document")).to_contain_text("rules.toml")
    answered(pane, before, "from_a_file")
    _ask(pane, "/cancel", "Stopped")


def test_a_photo_is_a_picture(page: Page) -> None:
    picture = _ask(_be(page, "viewer"), "/chart GOLD", "Gold").locator("img")
    expect(picture).to_have_js_property("complete", True)
    assert picture.evaluate("picture => picture.naturalWidth") > 300
    expect(picture).to_be_in_viewport()


def test_a_deleted_message_goes(page: Page) -> None:
    pane = _be(page, "viewer", "chat-group")
    _say(pane, "never mind this")
    mine = pane.locator("[data-from=self]").filter(has_text="never mind this")
    mine.hover()
    mine.get_by_test_id("delete").click()
    expect(mine).to_have_count(0)


def test_what_others_write_is_counted_until_it_is_read(page: Page) -> None:
    pane = _be(page, "operator", "chat-group")
    _say(pane, "who is there?")
    ben = page.get_by_test_id("person-second-approver")
    expect(ben.locator(".badge")).to_have_text(re.compile(r"\d+"))
    ben.click()
    expect(pane.get_by_test_id("who")).to_have_text("Ben")
    expect(ben.locator(".badge")).to_have_count(0)


def test_everything_is_there_after_a_reload(page: Page) -> None:
    pane = _be(page, "admin", "chat-group")
    _say(pane, "written before the reload")
    expect(pane.locator("[data-from=self]").last).to_contain_text("written before")
    page.reload()
    page.wait_for_selector("body[data-ready]")
    expect(_be(page, "admin", "chat-group").locator("[data-from=self]").last).to_contain_text("written before")


def test_a_phone_shows_one_column_without_sideways_scrolling(browser: Browser, demo: Demo) -> None:
    with browser.new_context(viewport=PHONE, has_touch=True, is_mobile=True) as context:  # type: ignore[arg-type]
        page = context.new_page()
        page.goto(demo.address)
        page.wait_for_selector("body[data-ready]")
        assert page.get_by_test_id("composer").evaluate("node => node.scrollHeight") < 50, (
            "one line, with what it asks for"
        )
        pane = _be(page, "approver")
        _ask(pane, "/balance", CRYPTO_ACCOUNT)
        assert page.evaluate("document.documentElement.scrollWidth") == 390
        assert pane.get_by_test_id("messages").evaluate("node => node.scrollWidth - node.clientWidth") == 0
        page.get_by_test_id("strip-toggle").click()
        page.get_by_test_id("control-gold-up").click()
        expect(page.get_by_test_id("log-entry").first).to_contain_text("Gold is quoted")


def test_a_bot_that_crashes_comes_back_and_answers(page: Page) -> None:
    pane = _be(page, "operator")
    page.get_by_test_id("control-bot-crash").click()
    status = page.get_by_test_id("bot-status")
    expect(status).not_to_have_attribute("data-state", "running")
    before = newest(pane)
    _say(pane, "/whoami")
    expect(status).to_have_attribute("data-state", "running", timeout=ANSWER_MS)
    expect(page.get_by_test_id("log-entry").first).to_contain_text("The bot is back")
    answered(pane, before, "Olga")


def test_money_is_asked_for_signed_in_another_chat_and_leaves_once(page: Page) -> None:
    """Two chats side by side: one asks, the other picks the number that the first one's screen shows."""
    pane = _be(page, "operator")
    since = newest(pane)
    _say(pane, "/transfer 250.00 USD from Treasury Operating to Harbour Freight for Invoice 4711")
    answered(pane, since, "Must sign").get_by_test_id("button").filter(has_text="Ask").click()
    number = re.search(r"nothing else: (\d\d)\.", answered(pane, since, "Your request").inner_text())
    assert number is not None

    page.get_by_test_id("side-by-side").click()
    page.get_by_test_id("person-approver").click()
    other = _pane(page, 1)
    prompt = answered(other, 0, "Olga asks for your signature")
    expect(prompt).to_contain_text("to Harbour Freight, 9120007013")
    prompt.get_by_test_id("button").filter(has_text="Approve").click()
    prompt.get_by_test_id("button").filter(has_text=number[1]).click()

    answered(pane, since, ": done")
    expect(prompt).to_contain_text("Anna approved with the number", timeout=ANSWER_MS)
    page.get_by_test_id("control-ledger").click()
    entry = page.get_by_test_id("log-entry").first
    expect(entry).to_contain_text(
        "The bank has carried out 1 from account 9120004471; the last: 250.00 USD to 9120007013"
    )
    expect(entry).to_contain_text("Invoice 4711")


def _client_asks(page: Page, approver: Locator) -> str:
    """A client asks to be paid, and the back office passes it on to the desk: the CRM's id of it."""
    since = newest(approver)
    page.get_by_test_id("control-client-asks").click()
    expect(page.get_by_test_id("log-entry").first).to_contain_text("A client asked for a withdrawal")
    page.get_by_test_id("control-node-passes").click()
    entry = page.get_by_test_id("log-entry").first
    expect(entry).to_contain_text("is passed")
    found = re.search(r"Node 1 of request (\w+) is passed", entry.inner_text())
    assert found is not None
    answered(approver, since, f"Withdrawal {found[1]} waits at node 2")
    return found[1]


def _tap(message: Locator, label: str) -> None:
    message.get_by_test_id("button").filter(has_text=label).click()


def _crm_ledger(page: Page, demo: Demo) -> list[tuple[str, str]]:
    """What the CRM itself says it carried out: of what kind, and for which request."""
    (config,) = demo.temporary.glob("countersign-demo-*/config.toml")
    address = tomllib.loads(config.read_text(encoding="utf-8"))["providers"]["crm"]["url"]
    entries = page.request.get(f"{address}/_sim/ledger").json()["entries"]
    return [(one["kind"], one["reference"]) for one in entries]


def test_a_freeze_holds_a_clients_payout_until_others_thaw_and_another_is_rejected_for_a_reason(
    page: Page, demo: Demo
) -> None:
    pane = _be(page, "operator")
    page.get_by_test_id("side-by-side").click()
    page.get_by_test_id("person-approver").click()
    other = _pane(page, 1)
    paid, refused = _client_asks(page, other), _client_asks(page, other)

    since, others_since = newest(pane), newest(other)
    _tap(_ask(pane, f"/withdrawals {paid}", f"Withdrawal {paid}"), "Approve")
    _tap(answered(pane, since, "Must sign"), "Ask")
    own = answered(pane, since, "Your request")
    prompt = answered(other, others_since, "Olga asks for your signature")
    expect(prompt).to_contain_text(paid)

    _ask(pane, "/freeze crm a client called", "Broctagon CRM is frozen: from now on no money leaves")
    _tap(prompt, "Approve")
    expect(prompt).to_contain_text("Anna approved", timeout=ANSWER_MS)
    expect(own).to_contain_text("Anna approved", timeout=ANSWER_MS)

    others_since = newest(other)
    _ask(pane, "/thaw crm it was the client", "Asked to sign")
    _tap(answered(other, others_since, "Thaw"), "Approve")
    page.get_by_test_id("person-admin").click()
    last = answered(other, 0, "it was the client")
    assert "withdrawal_paid" not in [kind for kind, _ in _crm_ledger(page, demo)]  # approved since some answers
    since = newest(pane)
    _tap(last, "Approve")
    answered(pane, since, re.compile(rf": done[\s\S]*{paid}"))

    page.get_by_test_id("person-approver").click()
    since, others_since = newest(pane), newest(other)
    _tap(_ask(pane, f"/withdrawals {refused}", f"Withdrawal {refused}"), "Reject")
    answered(pane, since, "Why is withdrawal")
    _say(pane, "the account is not the client's")
    _tap(answered(pane, since, "Must sign"), "Ask")
    prompt = answered(other, others_since, "Olga asks for your signature")
    expect(prompt).to_contain_text("the account is not the client's")
    since = newest(pane)
    _tap(prompt, "Approve")
    answered(pane, since, re.compile(rf": done[\s\S]*{refused}"))

    ledger = _crm_ledger(page, demo)
    assert [entry for entry in ledger if entry[0] == "withdrawal_paid"] == [("withdrawal_paid", paid)]
    assert ledger.count(("withdrawal_returned", refused)) == 1
