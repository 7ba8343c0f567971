"""Alerts as somebody at the desk meets them: set by buttons, and a price that moves on the control strip."""

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from tests.support.panes import ANSWER_MS, answered, from_bot, newest
from tests.support.playing import Demo

pytestmark = pytest.mark.browser


@pytest.fixture
def page(browser: Browser, demo: Demo) -> Iterator[Page]:
    with browser.new_context(viewport={"width": 1440, "height": 900}) as context:
        page = context.new_page()
        page.goto(demo.address)
        page.wait_for_selector("body[data-ready]")
        yield page


def _be(page: Page, part: str) -> Locator:
    page.get_by_test_id(f"person-{part}").click()
    return page.get_by_test_id("pane-0")


def _say(pane: Locator, text: str) -> int:
    """Answers the number of the bot's last message before."""
    since = newest(pane)
    pane.get_by_test_id("composer").fill(text)
    if text.startswith("/"):
        pane.get_by_test_id("composer").press("Escape")  # closes the command menu
    pane.get_by_test_id("send").click()
    return since


def _tap(message: Locator, label: str) -> None:
    message.get_by_test_id("button").filter(has_text=label).click()


def _gold(pane: Locator, times: float) -> int:
    """Its price now, so many times; a whole number."""
    quoted = answered(pane, _say(pane, "/quote gold"), "GOLD")
    found = re.search(r"([\d,]+\.\d+) / ", quoted.inner_text())
    assert found is not None
    return int(float(found[1].replace(",", "")) * times)


def _is_armed(pane: Locator, rule: str) -> None:
    """Until a first price was heard, /alerts says that it waits for one."""
    shown = answered(pane, _say(pane, "/alerts"), rule)
    while f"{rule} · armed" not in shown.inner_text():
        shown = answered(pane, _say(pane, "/alerts"), rule)


def test_an_alert_set_by_buttons_comes_when_the_price_has_moved(page: Page) -> None:
    pane = _be(page, "operator")
    price = _gold(pane, 1.007)
    quoted, since = from_bot(pane).last, newest(pane)
    _tap(quoted, "Alert")
    _tap(answered(pane, since, "when is it to come?"), "Above")
    answered(pane, since, "Which price?")
    understood = answered(pane, _say(pane, str(price)), "Understood")
    expect(understood).to_contain_text(f"GOLD at capital/main: above {price}")
    _tap(understood, "Set")
    expect(understood).to_contain_text("/alerts shows yours", timeout=ANSWER_MS)

    since = newest(pane)
    page.get_by_test_id("control-gold-up").click()
    alert = answered(pane, since, f"GOLD above {price}: ")
    expect(alert).to_contain_text(re.compile(rf"Rule \w+ of Olga: above {price}, once\. Alert \w+\."))
    _tap(alert, "Acknowledge")
    expect(alert).to_contain_text("Acknowledged by Olga", timeout=ANSWER_MS)
    page.get_by_test_id("control-gold-down").click()


def test_what_was_crossed_while_the_provider_was_cut_off_comes_once_and_late_beside_one_card(page: Page) -> None:
    pane = _be(page, "viewer")
    price = _gold(pane, 0.993)
    understood = answered(pane, _say(pane, f"/alert GOLD < {price} each time"), "Understood")
    _tap(understood, "Set")
    expect(understood).to_contain_text("/alerts shows yours", timeout=ANSWER_MS)
    _is_armed(pane, f"below {price}")

    since, power = newest(pane), page.get_by_test_id("control-down-capital")
    power.click()
    expect(power).to_have_attribute("aria-checked", "false")
    for control in ("control-gold-down", "control-gold-up"):
        log = page.get_by_test_id("log-entry")
        before = log.count()
        page.get_by_test_id(control).click()
        expect(log).to_have_count(before + 1)
    card = answered(pane, since, "capital/main (demo) has told nothing since")
    power.click()

    late = answered(pane, since, f"GOLD below {price}: ")
    expect(late).to_contain_text("told late")
    expect(card).to_contain_text("Back again", timeout=ANSWER_MS)
    expect(late).to_contain_text("Resolved", timeout=ANSWER_MS)
    _say(pane, "/whoami")
    answered(pane, since, "Vera")
    newer = pane.locator(f"xpath=.//*[@data-testid='message' and @data-from='bot' and @data-message-id > {since}]")
    expect(newer.filter(has_text=f"GOLD below {price}: ")).to_have_count(1)
    expect(newer.filter(has_text="capital/main (demo)")).to_have_count(1)


def test_a_word_that_fits_many_accounts_offers_some_of_each_connection(page: Page) -> None:
    pane = _be(page, "operator")
    offered = answered(pane, _say(pane, "/alert balance main < 10"), "Which one is meant?")
    for name in ("capital", "crm", "cryptocapital", "deriv"):
        expect(offered).to_contain_text(f"{name}/main")
    expect(offered).to_contain_text("Not among them?")
