"""How a login at a broker deals, what it watches, and play money."""

import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bot.providers.records import Environment
from tests.support.chatting import ADAM, OLGA, VERA, Chat, Desk, at_work_with, buttons


@pytest.fixture
async def desk(tmp_path: Path, chat: Chat) -> AsyncIterator[Desk]:
    async with at_work_with(tmp_path, chat, "capital") as one:
        await one.link("capital")
        yield one


async def test_the_account_that_is_dealt_on_can_be_another(desk: Desk) -> None:
    before = await desk.said(OLGA, "/account")
    active, other = re.search(r"^● (\d+) ", before, re.M), re.search(r"^○ (\d+) ", before, re.M)
    assert active, before
    assert other, before
    assert await desk.said(OLGA, f"/account switch {other[1]}") == (
        f"capital/main reads and deals on account {other[1]} now."
    )
    after = await desk.said(OLGA, "/account")
    assert f"● {other[1]}" in after
    assert f"○ {active[1]}" in after


async def test_leverage_and_hedging_are_changed_and_what_there_is_not_is_named(desk: Desk) -> None:
    assert await desk.said(OLGA, "/account hedging on") == "Hedging is on at capital/main."
    assert "Hedging on: opposite positions stand side by side" in await desk.said(OLGA, "/account")
    assert await desk.said(OLGA, "/account leverage shares 5") == "SHARES: a leverage of 5 at capital/main."
    assert "SHARES 5 (of " in await desk.said(OLGA, "/account capital/main")
    assert "can have a leverage of" in await desk.said(OLGA, "/account leverage shares 7777")
    assert "The groups are" in await desk.said(OLGA, "/account leverage tulips 5")


async def test_a_list_is_made_filled_shown_and_deleted(desk: Desk) -> None:
    assert await desk.said(OLGA, "/watchlist Bullion make GOLD") == "Bullion is made."
    assert await desk.said(OLGA, "/watchlist bullion add EURUSD") == "EURUSD is on Bullion now."
    shown = await desk.said(OLGA, "/watchlist bullion")
    assert re.search(r"^GOLD Gold\n    [\d,]+\.\d+ / [\d,]+\.\d+ · \d\d:\d\d:\d\d$", shown, re.M), shown
    assert "EURUSD EUR/USD" in shown
    assert "OIL_BRENT" in (vague := await desk.said(OLGA, "/watchlist bullion add oil")), vague
    assert "answer to “oil”" in vague
    assert await desk.said(OLGA, "/watchlist bullion remove gold") == "GOLD is off Bullion."
    assert await desk.said(OLGA, "/watchlist bullion remove gold") == "GOLD is not on Bullion. Nothing was changed."
    assert "GOLD" not in await desk.said(OLGA, "/watchlist bullion")
    assert await desk.said(OLGA, "/watchlist bullion delete") == "Bullion is deleted."
    assert "Bullion" not in (await desk.said(OLGA, "/watchlist")).split("What is on one")[0]


async def test_what_can_be_switched_and_looked_into_has_a_button(desk: Desk) -> None:
    (standing,) = await desk.says(OLGA, "/account")
    assert standing["text"].endswith("and /account hedging on change it.")
    switch, hedging = list(buttons(standing))[-2:]
    assert switch.startswith("To Reserve EUR …")
    assert hedging == "Hedging on"
    (done,) = await desk.taps(OLGA, standing, hedging)
    assert done["text"] == "Hedging is on at capital/main."
    await desk.taps(OLGA, standing, "Refresh")
    assert "Hedging off" in buttons(desk.now(standing))
    (done,) = await desk.taps(OLGA, desk.now(standing), switch)
    assert "reads and deals on account" in done["text"]
    await desk.taps(OLGA, desk.now(standing), "Refresh")
    assert switch not in buttons(desk.now(standing))

    (groups,) = await desk.taps(OLGA, desk.now(standing), "Leverage…")
    (which,) = await desk.taps(OLGA, groups, next(one for one in buttons(groups) if one.startswith("SHARES ")))
    assert which["text"].startswith("SHARES is dealt in with a leverage of ")
    (done,) = await desk.taps(OLGA, which, "2")
    assert done["text"] == "SHARES: a leverage of 2 at capital/main."

    (which,) = await desk.says(OLGA, "/account switch")
    assert [label[:2] for label in buttons(which)] == ["To"]
    assert "reads and deals on account" in which["text"]
    (which,) = await desk.says(OLGA, "/account hedging")
    assert which["text"] == "Hedging is off at capital/main.", "on the other account"
    assert list(buttons(which)) == ["Hedging on"]

    await desk.said(OLGA, "/watchlist Bullion make GOLD")
    (lists,) = await desk.says(OLGA, "/watchlist")
    (shown,) = await desk.taps(OLGA, lists, "Bullion")
    (price,) = await desk.taps(OLGA, shown, "GOLD")
    assert "Buy…" in buttons(price)


async def test_who_may_only_read_changes_nothing(desk: Desk) -> None:
    (standing,) = await desk.says(VERA, "/account")
    assert list(buttons(standing)) == ["Refresh"]
    assert "needs the right" in await desk.said(VERA, "/account hedging on")
    assert "Hedging off" in await desk.said(VERA, "/account")


async def test_a_freeze_stops_it_and_it_is_in_the_log(desk: Desk) -> None:
    await desk.said(OLGA, "/account hedging on")
    rows = await desk.rooms.database.read(
        lambda tables: tables.conn.execute("SELECT details FROM audit WHERE action = 'preferences.changed'").fetchall()
    )
    assert [row for (row,) in rows if '"hedging":"on"' in row.replace(" ", "")], rows
    await desk.says(ADAM, "/freeze capital")
    await desk.settled()
    assert "frozen" in (await desk.said(OLGA, "/account hedging off")).lower()


async def test_a_list_can_be_kept_without_a_line_being_typed(desk: Desk) -> None:
    (lists,) = await desk.says(OLGA, "/watchlist")
    (name,) = await desk.taps(OLGA, lists, "New…")
    assert name["text"].startswith("What is the new list to be called?")
    (made,) = await desk.says(OLGA, "To add later")
    assert made["text"] == "To add later is made.", "a name may hold any word"
    (lists,) = await desk.says(OLGA, "/watchlist")
    (empty,) = await desk.taps(OLGA, lists, "To add later")
    assert list(buttons(empty)) == ["Refresh", "Add…", "Delete…"]
    await desk.taps(OLGA, empty, "Add…")
    assert (await desk.said(OLGA, "gold")) == "GOLD is on To add later now."
    await desk.taps(OLGA, empty, "Refresh")
    (which,) = await desk.taps(OLGA, desk.now(empty), "Take off…")
    (done,) = await desk.taps(OLGA, which, "GOLD")
    assert done["text"] == "GOLD is off To add later."
    (sure,) = await desk.taps(OLGA, desk.now(empty), "Delete…")
    (done,) = await desk.taps(OLGA, sure, "Delete To add later")
    assert done["text"] == "To add later is deleted."

    (popular,) = await desk.says(OLGA, "/watchlist Popular")
    assert "Add…" not in buttons(popular), "it is the provider's own"
    (lists,) = await desk.says(VERA, "/watchlist")
    assert "New…" not in buttons(lists)


async def test_of_several_logins_one_is_chosen_with_a_button(desk: Desk) -> None:
    await desk.link("capital", label="play", environment=Environment.DEMO)
    (which,) = await desk.says(OLGA, "/account hedging on")
    assert list(buttons(which)) == ["capital/main", "capital/play"]
    (done,) = await desk.taps(OLGA, which, "capital/play")
    assert done["text"] == "Hedging is on at capital/play."
    (which,) = await desk.says(OLGA, "/watchlist")
    (lists,) = await desk.taps(OLGA, which, "capital/main")
    assert "Metals" in lists["text"]


async def test_play_money_is_for_demo_accounts(desk: Desk) -> None:
    assert "demo" in await desk.said(OLGA, "/topup capital/main 100.00 310441870023915201")
    await desk.link("capital", label="play", environment=Environment.DEMO)
    (which,) = await desk.says(OLGA, "/topup 1000.00")
    assert which["text"] == "Which account is to get it?"
    assert [label[-4:] for label in buttons(which)] == ["5201", "5202"]
    (told,) = await desk.taps(OLGA, which, list(buttons(which))[1])
    assert told["text"] == "capital/play: 310441870023915202 holds 13,480.55 EUR of play money now."
    full = await desk.said(OLGA, "/topup capital/play 310441870023915202")
    assert full == "capital/play: 310441870023915202 holds 100,000.00 EUR of play money now."
    told = await desk.said(OLGA, "/topup capital/play 1000.00 310441870023915201")
    assert re.fullmatch(r"capital/play: 310441870023915201 holds [\d,.]+ USD of play money now\.", told), told
