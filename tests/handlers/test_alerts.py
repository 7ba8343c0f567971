"""/alert and /alerts: understood, shown, set, told, acknowledged, changed and removed."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import httpx
import pytest

from bot.alerts.happening import Happening
from bot.alerts.model import Measure, Occasion
from bot.alerts.sentences import begun
from bot.money import Money
from bot.providers.records import Balance, Environment
from handlers import alert_steps
from tests.support.chatting import (
    ADAM,
    OLGA,
    VERA,
    Chat,
    Desk,
    Message,
    at_work_with,
    buttons,
    texts,
    until,
)
from tests.support.desk import GROUP


@pytest.fixture
async def desk(tmp_path: Path, chat: Chat) -> AsyncIterator[Desk]:
    """Olga's Capital.com, shared with Vera and everybody else who reads."""
    async with at_work_with(tmp_path, chat, "capital") as one:
        await one.link("capital", environment=Environment.DEMO)
        yield one


async def account(desk: Desk) -> Balance:
    """One of the login's accounts, as the provider tells of it."""
    sheet = await desk.rooms.balances.balances(desk.person(OLGA))
    reading = sheet.answers[0].reading
    assert reading is not None
    return reading.items[0]


async def holds(desk: Desk, told: Balance, amount: str) -> None:
    """The account is heard to hold so much."""
    desk.clock.ahead_by(1)
    now = replace(told, amount=Money(Decimal(amount), told.amount.currency), as_of=desk.rooms.clock.now())
    connection = (await desk.rooms.connections.everything())[0]
    desk.rooms.alerts.observe(connection.id, now, outage=None)
    await desk.rooms.alerts.settled()


async def arrived(desk: Desk, title: str, chat: int = OLGA) -> Message:
    def found() -> list[Message]:
        return [each for each in desk.chat.from_bot(chat) if each["text"].startswith(title)]

    await until(found)
    return found()[-1]


async def set_below(desk: Desk, more: str = "", person: int = OLGA) -> Balance:
    """An alert on that account: below 10,000."""
    told = await account(desk)
    (shown,) = await desk.says(
        person, f"/alert balance capital/main {told.account} < 10,000 {told.amount.currency} {more}"
    )
    await desk.taps(person, shown, "Set")
    return told


async def test_what_was_understood_is_shown_and_set_by_a_press(desk: Desk) -> None:
    told = await account(desk)
    currency = told.amount.currency
    (shown,) = await desk.says(OLGA, f"/alert balance main {told.account} below 10000 {currency}")
    assert shown["text"].splitlines()[:2] == [
        f"Understood: balance of {told.account} {currency} at capital/main: below 10000.00 {currency}",
        "Comes once.",
    ]
    assert await desk.rooms.alerts.of(desk.person(OLGA)) == []
    await desk.taps(OLGA, shown, "Each time")
    assert "Comes each time." in desk.now(shown)["text"]
    await desk.taps(OLGA, desk.now(shown), "Set")
    assert desk.now(shown)["text"].startswith("Set: balance of")
    (entry,) = await desk.rooms.alerts.of(desk.person(OLGA))
    assert (entry.rule.threshold, entry.rule.currency, entry.rule.repeat) == (10000, currency.code, "each time")


async def test_it_arrives_with_buttons_is_acknowledged_and_edited_when_it_is_over(desk: Desk) -> None:
    told = await set_below(desk)
    currency = told.amount.currency
    await holds(desk, told, "9000.50")
    alert = await arrived(desk, "Balance below")
    assert alert["text"].splitlines()[0] == f"Balance below 10000.00 {currency}: 9000.50 {currency}"
    assert "of Olga: below 10000.00" in alert["text"]
    await desk.taps(OLGA, alert, "Acknowledge")
    await until(lambda: "Acknowledged by Olga" in desk.now(alert)["text"])
    assert "Acknowledge" not in buttons(desk.now(alert))
    await desk.taps(OLGA, alert, "Acknowledge")  # the other finger was not quick enough
    await desk.taps(OLGA, desk.now(alert), "Take back")
    await until(lambda: "Olga took the acknowledgement back" in desk.now(alert)["text"])
    await desk.taps(OLGA, desk.now(alert), "Acknowledge")
    await until(lambda: "took" not in desk.now(alert)["text"])
    await holds(desk, told, "12000")
    await until(lambda: "Resolved" in desk.now(alert)["text"])
    assert "Acknowledged by Olga" in desk.now(alert)["text"]


async def test_it_does_not_wait_until_somebody_looks(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    told = await set_below(desk, "each time")
    monkeypatch.setattr("handlers.notifier._LOOK_SECONDS", 600.0)
    await holds(desk, told, "9000")
    await arrived(desk, "Balance below")
    await until(lambda: not desk.work._notifier._sending)
    for _ in range(3):  # whoever has sent something looks once more; then nobody does for ten minutes
        await desk.rooms.outbox.depth()
    await holds(desk, told, "12000")
    await holds(desk, told, "8000")
    await until(lambda: [each for each in desk.chat.from_bot(OLGA) if ": 8000" in each["text"]])


async def test_it_is_muted_and_made_less_from_its_own_buttons(desk: Desk) -> None:
    told = await set_below(desk, "each time")
    await holds(desk, told, "9000")
    alert = await arrived(desk, "Balance below")
    assert texts(await desk.taps(OLGA, alert, "Mute 1 h")) == [
        "Muted for 1 h. What comes meanwhile is counted; /alerts shows it."
    ]
    assert texts(await desk.taps(OLGA, alert, "Less like this")) == ["From now on it comes at most every 1 h."]
    await holds(desk, told, "12000")
    await holds(desk, told, "8000")
    (entry,) = await desk.rooms.alerts.of(desk.person(OLGA))
    counted = await desk.rooms.alerts.counted(entry.rule.id)
    assert (counted.times, counted.silent) == (2, 1)


async def test_a_viewer_sets_their_own_and_nobody_elses(desk: Desk) -> None:
    told = await set_below(desk, person=VERA)
    await holds(desk, told, "9000")
    assert "of Vera" in (await arrived(desk, "Balance below", VERA))["text"]
    assert "right to set alerts for others" in await desk.said(VERA, "/alert disk low to Olga")


async def test_a_group_is_told_without_what_is_private(desk: Desk) -> None:
    told = await set_below(desk, "to group")
    await holds(desk, told, "9000.50")
    said = await arrived(desk, "Balance below", GROUP)
    assert "9000" not in said["text"]
    assert told.account not in said["text"]
    assert buttons(said) == {}
    assert "9000.50" in (await arrived(desk, "Balance below"))["text"]


async def test_by_buttons_alone_it_is_the_same_sentence(desk: Desk) -> None:
    (kinds,) = await desk.says(OLGA, "/alert")
    (tests,) = await desk.taps(OLGA, kinds, "Free margin")
    (number,) = await desk.taps(OLGA, tests, "Below")
    assert number["text"] == "Which amount? For example: 10000 USD"
    told = await account(desk)
    answers = await desk.says(OLGA, f"500 {told.amount.currency}")
    assert "free margin" in answers[-1]["text"]


def test_whatever_can_be_watched_has_a_button() -> None:
    assert {begun(words.split())[0] for _, words in alert_steps.KINDS} == {*Measure, *Occasion}


@pytest.mark.parametrize(("label", "words"), alert_steps.KINDS)
def test_what_a_button_says_can_be_written(label: str, words: str) -> None:
    assert begun(label.split()) == begun(words.split())


@pytest.mark.parametrize("words", ["gold > 4200 cirtical", "request waits > 5 min cirtical", "stream down cirtical"])
async def test_a_word_that_is_not_understood_is_named_and_nothing_is_proposed(desk: Desk, words: str) -> None:
    answer = await desk.said(OLGA, f"/alert {words}")
    assert "Understood" not in answer
    assert "cirtical" in answer


@pytest.mark.parametrize("words", ["gold > 4200 cirtical", "gold>4200 cirtical", "gold above 4200 cirtical"])
async def test_a_word_that_is_not_understood_is_named_after_a_button_too(desk: Desk, words: str) -> None:
    (kinds,) = await desk.says(OLGA, "/alert")
    await desk.taps(OLGA, kinds, "Price")
    assert (await desk.said(OLGA, words)).startswith("I do not understand “cirtical”.")
    assert "above 4200" in await desk.said(OLGA, "gold > 4 200")


async def test_a_provider_that_is_down_is_meant_as_people_write_it(desk: Desk) -> None:
    (shown,) = await desk.says(OLGA, "/alert capital down")
    assert shown["text"].startswith("Understood: provider down at capital/main: for longer than 5 min")


async def test_what_takes_no_number_is_understood_after_two_presses(desk: Desk) -> None:
    (kinds,) = await desk.says(OLGA, "/alert")
    (shown,) = await desk.taps(OLGA, kinds, "Disk low")
    assert shown["text"].startswith("Understood: disk low: whenever it happens")
    await desk.taps(OLGA, shown, "Set")
    desk.rooms.alerts.happened(Happening(Occasion.DISK_LOW, "disk/1", "5 MB are free", desk.rooms.clock.now()))
    await desk.rooms.alerts.settled()
    assert "5 MB are free" in (await arrived(desk, "Disk low"))["text"]


async def test_below_a_balance_a_quote_and_positions_there_is_a_button_for_it(desk: Desk) -> None:
    (balance,) = await desk.says(OLGA, "/balance capital")
    (tests,) = await desk.taps(OLGA, balance, "Alert…")
    assert tests["text"] == "When is it to come?"
    (quote,) = await desk.says(OLGA, "/quote GOLD")
    (tests,) = await desk.taps(OLGA, quote, "Alert…")
    assert tests["text"].replace("\u2060", "") == "capital/main GOLD: when is it to come?"
    (number,) = await desk.taps(OLGA, tests, "Above")
    assert number["text"] == "Which price? For example: 2400"
    (shown,) = await desk.says(OLGA, "99,000")
    assert shown["text"].startswith("Understood: GOLD at capital/main: above 99000")
    (positions,) = await desk.says(OLGA, "/positions capital")
    (about,) = await desk.taps(OLGA, positions, "Alert…")
    (closed,) = await desk.taps(OLGA, about, "Position closed")
    assert closed["text"].startswith("Understood: position closed at capital/main: whenever it happens")


@pytest.mark.parametrize(
    ("words", "understood"),
    [
        ("position closed gold", "position closed (GOLD) at capital/main"),
        ("gold position stopped on main", "position stopped out (GOLD) at capital/main"),
        ("position closed on main", "position closed at capital/main"),
    ],
)
async def test_positions_of_a_market_are_meant_as_people_write_it(desk: Desk, words: str, understood: str) -> None:
    (shown,) = await desk.says(OLGA, f"/alert {words}")
    assert shown["text"].startswith(f"Understood: {understood}: whenever it happens")


async def test_one_position_and_one_account_are_meant_by_their_numbers(desk: Desk) -> None:
    connection = (await desk.rooms.connections.everything())[0]
    sheet = await desk.rooms.balances.positions(desk.person(OLGA))
    assert sheet.answers[0].reading is not None
    open_ = sheet.answers[0].reading.items
    (shown,) = await desk.says(OLGA, f"/alert position closed {open_[0].id}")
    await desk.taps(OLGA, shown, "Set")
    told = await account(desk)
    (shown,) = await desk.says(OLGA, f"/alert transfer in {told.account}")
    assert f"transfer in ({told.account}) at capital/main" in shown["text"]
    for left in (open_, open_[:1], ()):
        await desk.rooms.alerts.surveyed(connection.id, left, desk.rooms.clock.now())
    await arrived(desk, "Position closed")
    closed = [text for text in texts(desk.chat.from_bot(OLGA)) if text.startswith("Position closed")]
    assert len(closed) == 1


async def test_where_no_price_of_liquidation_is_told_the_margin_is_watched(desk: Desk) -> None:
    told = await account(desk)
    (shown,) = await desk.says(OLGA, f"/alert distance to liquidation main {told.account} < 10%")
    subject = f"distance to full margin of {told.account} {told.amount.currency} at capital/main"
    assert shown["text"].startswith(f"Understood: {subject}: below 10 %")


async def test_an_order_is_filled_and_a_position_opened_as_people_write_it(desk: Desk) -> None:
    (shown,) = await desk.says(OLGA, "/alert order filled gold")
    assert shown["text"].startswith("Understood: order filled (GOLD) at capital/main: whenever it happens")


@pytest.mark.parametrize("words", ["balance treasury < 10k usd", "balance Treasury Operating < 10k"])
async def test_an_account_is_meant_by_its_name_or_how_that_begins(linked: Desk, words: str) -> None:
    (shown,) = await linked.says(OLGA, f"/alert {words}")
    assert shown["text"].startswith("Understood: balance of 9120004471 USD at cryptocapital/main: below 10000.00 USD")
    assert "Treasury Operating now: " in shown["text"]


@pytest.mark.parametrize("words", ["disk low main", "key old main tomorrow", "position closed UNOBTAINIUM"])
async def test_what_would_wait_for_ever_is_not_set(desk: Desk, words: str) -> None:
    assert "Understood" not in await desk.said(OLGA, f"/alert {words}")


async def test_a_price_that_moves_past_it_is_told_by_the_stream(desk: Desk) -> None:
    (shown,) = await desk.says(OLGA, "/alert gold > 99,000")
    assert "GOLD at capital/main: above 99000" in shown["text"]
    await desk.taps(OLGA, shown, "Set")
    await desk.rooms.alerts.start()
    tasks = [asyncio.create_task(one.run()) for one in (desk.rooms.watch, desk.rooms.alerts)]
    try:
        await until(lambda: desk.rooms.watch.watches)
        price = {"epic": "GOLD", "bid": 99_010, "offer": 99_011}
        async with httpx.AsyncClient(trust_env=False) as http:
            answer = await http.post(f"{desk.sides['capital'].control}/price", json=price)
            assert answer.status_code == 200, answer.text
        assert "GOLD above 99000: 99010.5" in (await arrived(desk, "GOLD above"))["text"]
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def test_several_things_that_may_be_meant_are_offered(desk: Desk) -> None:
    sheet = await desk.rooms.balances.balances(desk.person(OLGA))
    assert sheet.answers[0].reading is not None
    assert len(sheet.answers[0].reading.items) > 1
    (shown,) = await desk.says(OLGA, "/alert balance main < 10")
    assert shown["text"].startswith("Which one is meant?")
    await desk.taps(OLGA, shown, "2")
    assert desk.now(shown)["text"].startswith("Understood: balance of")


async def test_alerts_lists_changes_pauses_and_removes(desk: Desk) -> None:
    assert await desk.said(OLGA, "/alerts") == "You have set no alert yet. /alert begins one."
    await set_below(desk)
    (entry,) = await desk.rooms.alerts.of(desk.person(OLGA))
    (listed,) = await desk.says(OLGA, "/alerts")
    assert f"1. {entry.rule.id} balance of" in listed["text"]
    (one,) = await desk.taps(OLGA, listed, "1")
    await desk.taps(OLGA, one, "Pause")
    assert "Now: paused." in desk.now(one)["text"]
    await desk.taps(OLGA, desk.now(one), "Resume")
    await desk.taps(OLGA, desk.now(one), "Another number")
    for wrong in ("5%", "7500 XYZ", "much"):
        assert (await desk.said(OLGA, wrong)).startswith("Send the new number alone")
    (anew,) = await desk.says(OLGA, "7500")
    assert "below 7500.00" in anew["text"]
    assert await desk.said(OLGA, f"/alerts pause {entry.rule.id}") == f"Alert {entry.rule.id} is paused."
    await desk.taps(OLGA, anew, "Remove")
    assert desk.now(anew)["text"].startswith("Removed:")
    assert await desk.rooms.alerts.of(desk.person(OLGA)) == []


async def test_an_alert_with_another_number_still_says_when_it_came_last(desk: Desk) -> None:
    told = await set_below(desk)
    await holds(desk, told, "9000")
    (entry,) = await desk.rooms.alerts.of(desk.person(OLGA))
    (one,) = await desk.says(OLGA, f"/alerts {entry.rule.id}")
    assert " ago." in one["text"]
    await desk.taps(OLGA, one, "Another number")
    desk.clock.ahead_by(120)
    (anew,) = await desk.says(OLGA, "7500")
    assert "It has come 1 time; last 2 min ago, not since it began anew." in anew["text"]
    await holds(desk, told, "7000")
    assert "It has come 2 times; last 0 s ago." in await desk.said(OLGA, f"/alerts {entry.rule.id}")


async def test_a_price_is_not_changed_to_what_none_can_be(desk: Desk) -> None:
    (shown,) = await desk.says(OLGA, "/alert GOLD moves 3% in 1h")
    await desk.taps(OLGA, shown, "Set")
    (entry,) = await desk.rooms.alerts.of(desk.person(OLGA))
    (one,) = await desk.says(OLGA, f"/alerts {entry.rule.id}")
    await desk.taps(OLGA, one, "Another number")
    for wrong in ("0%", "-3"):
        assert (await desk.said(OLGA, wrong)).startswith("It must be above nought")
    (anew,) = await desk.says(OLGA, "4 %")
    assert "moves by 4 % within 1 h" in anew["text"]


async def test_each_of_its_terms_is_changed_by_buttons(desk: Desk) -> None:
    await set_below(desk)
    (entry,) = await desk.rooms.alerts.of(desk.person(OLGA))
    (one,) = await desk.says(OLGA, f"/alerts {entry.rule.id}")

    async def press(*labels: str) -> str:
        for label in labels:
            await desk.taps(OLGA, desk.now(one), label)
        return str(desk.now(one)["text"])

    assert "Comes every 15 min while it is so." in await press("How often…", "Every 15 min while it is so")
    assert "critical" in await press("Critical")
    assert "armed again 50 further back" in await press("Armed again…", f"50.00 {entry.rule.currency}")
    assert "Told: Vera" in await press("Tell…", "Vera")
    assert "Told: you, and the group Desk (without" in await press("Tell…", "the group Desk")
    assert "Told:" not in await press("Tell…", "Only me")
    assert "until " in await press("Until…", "7 d")
    assert "until " not in await press("Until…", "No end")
    assert "until " not in await press("Until…", "Back")
    await press("Until…", "Type the last day, like 2027-01-31")
    assert "That day is over" in await desk.said(OLGA, "2001-01-31")
    (anew,) = await desk.says(OLGA, "2199-01-31")
    assert "until 2199-01-31 23:59 UTC" in anew["text"]


async def test_in_a_group_it_is_said_that_it_is_told_there(desk: Desk) -> None:
    told = await set_below(desk, "each time")
    (entry,) = await desk.rooms.alerts.of(desk.person(OLGA))
    await desk.says(OLGA, f"/alerts here {entry.rule.id}", GROUP)
    assert "Told: you, and the group Desk (without" in await desk.said(OLGA, f"/alerts {entry.rule.id}")
    await holds(desk, told, "9000.50")
    assert "9000" not in (await arrived(desk, "Balance below", GROUP))["text"]


async def test_an_alert_that_has_come_comes_again_when_it_is_to_come_each_time(desk: Desk) -> None:
    told = await set_below(desk)
    await holds(desk, told, "9000")
    await holds(desk, told, "12000")
    await arrived(desk, "Balance below")
    (entry,) = await desk.rooms.alerts.of(desk.person(OLGA))
    (one,) = await desk.says(OLGA, f"/alerts {entry.rule.id}")
    await desk.taps(OLGA, one, "Each time")
    await holds(desk, told, "8000")
    await until(lambda: [each for each in desk.chat.from_bot(OLGA) if ": 8000" in each["text"]])


async def test_whoever_may_tell_nobody_else_is_offered_nobody_else(desk: Desk) -> None:
    await set_below(desk, person=VERA)
    (entry,) = await desk.rooms.alerts.of(desk.person(VERA))
    (one,) = await desk.says(VERA, f"/alerts {entry.rule.id}")
    await desk.taps(VERA, one, "Tell…")
    assert set(buttons(desk.now(one))) == {"Only me", "Back"}
    await desk.says(VERA, f"/alerts here {entry.rule.id}", GROUP)
    assert "right to set alerts for others" in texts(desk.chat.from_bot(VERA))[-1]


async def test_what_others_have_set_is_not_there(desk: Desk) -> None:
    await set_below(desk)
    (entry,) = await desk.rooms.alerts.of(desk.person(OLGA))
    assert "alert" in await desk.said(VERA, f"/alerts remove {entry.rule.id}")
    assert len(await desk.rooms.alerts.of(desk.person(OLGA))) == 1


@pytest.mark.parametrize("words", ["GOLD", "balance nowhere < 10 USD", "balance main < 10 XYZ", "GOLD > many"])
async def test_what_cannot_be_meant_gets_a_sentence(desk: Desk, words: str) -> None:
    assert await desk.said(OLGA, f"/alert {words}")
    assert await desk.rooms.alerts.of(desk.person(OLGA)) == []


async def test_each_minute_the_desk_looks_at_what_nobody_tells(desk: Desk) -> None:
    (shown,) = await desk.says(OLGA, "/alert disk low")
    await desk.taps(OLGA, shown, "Set")
    desk.rooms.disk.usage = lambda _: type("Full", (), {"total": 10**12, "free": 5})()
    for _ in range(2):
        await desk.rooms.watching_desk.look()
    alert = await arrived(desk, "Disk low")
    desk.rooms.disk.usage = lambda _: type("Empty", (), {"total": 10**12, "free": 10**12})()
    await desk.rooms.watching_desk.look()
    await until(lambda: "Resolved" in desk.now(alert)["text"])
    assert len([each for each in desk.chat.from_bot(OLGA) if each["text"].startswith("Disk low")]) == 1


async def test_a_critical_one_goes_to_an_admin_when_nobody_acknowledges(desk: Desk) -> None:
    told = await set_below(desk, "critical")
    await holds(desk, told, "9000")
    alert = await arrived(desk, "Balance below")
    desk.clock.ahead_by(601)
    await desk.rooms.watching_desk.look()
    escalated = await arrived(desk, "Critical alert", ADAM)
    await desk.taps(ADAM, escalated, "Acknowledge")
    assert buttons(desk.now(escalated)) == {}
    await until(lambda: "Acknowledged by Admin 1" in desk.now(alert)["text"])
