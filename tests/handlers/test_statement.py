"""/statement in the chat: what it reads from its words, and what it shows."""

import csv
import io
import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import httpx
import pytest

from bot.errors import InputError
from handlers.periods import Asked, read
from tests.support.chatting import OLGA, VERA, Desk, at_work, buttons, configured, providers, telegram, texts
from tests.support.desk import GROUP

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)
BERLIN = ZoneInfo("Europe/Berlin")
FEBRUARY, MARCH = datetime(2026, 1, 31, 23, tzinfo=UTC), datetime(2026, 2, 28, 23, tzinfo=UTC)
"""As they begin in Berlin."""
OPERATING = "9120004471"


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    async with telegram() as chat, providers("capital", "cryptocapital", "crm") as sides:
        async with at_work(configured(tmp_path, chat, sides), chat, sides) as opened:
            yield opened


async def deposit(desk: Desk, **body: Any) -> None:
    async with httpx.AsyncClient() as http:
        reply = await http.post(f"{desk.sides['cryptocapital'].control}/deposit", json=body)
        assert reply.status_code == 200, reply.text


def in_berlin(words: list[str]) -> Asked:
    return read(words, NOW, BERLIN, command="/statement", too_many="200 at most")


@pytest.mark.parametrize(
    ("words", "wanted"),
    [
        ([], Asked(None, 10)),
        (["5"], Asked(None, 5)),
        (["capital"], Asked("capital", 10)),
        (["capital/main", "200"], Asked("capital/main", 200)),
        (["since", "2026-03-01"], Asked(None, None, MARCH, said="since 2026-03-01")),
        (
            ["main", "since", "2026-02-01", "until", "2026-02-28"],
            Asked("main", None, FEBRUARY, MARCH, "since 2026-02-01 until 2026-02-28"),
        ),
        (
            ["capital", "SINCE", "2026-03-02"],
            Asked("capital", None, MARCH + timedelta(days=1), said="since 2026-03-02"),
        ),
    ],
)
def test_a_name_and_how_many_or_since_when_are_read(words: list[str], wanted: Asked) -> None:
    assert in_berlin(words) == wanted


@pytest.mark.parametrize(
    "words",
    [
        ["0"],
        ["201"],
        ["a", "b"],
        ["a", "b", "5"],
        ["since"],
        ["since", "5"],
        ["since", "yesterday"],
        ["since", "2026-02-30"],
        ["since", "2026-03-03"],
        ["since", "1969-01-01"],
        ["since", "0001-01-01"],
        ["since", "2026-03-01", "5"],
        ["since", "²026-03-01"],
        ["since", "2026-03-02", "until", "2026-03-01"],
        ["since", "2026-03-01", "until", "2026-03-03"],
        ["until", "2026-03-01"],
    ],
)
def test_other_words_are_answered_with_a_right_example(words: list[str]) -> None:
    with pytest.raises(InputError) as caught:
        in_berlin(words)
    assert "/statement" in caught.value.example


async def test_entries_are_shown_newest_first_and_narratives_literally(desk: Desk) -> None:
    await desk.link("cryptocapital")
    await desk.link("capital")
    await deposit(desk, account=OPERATING, amount="5.00", sender="9120555555", narrative="</b> /balance @x\u202eevil")
    await deposit(desk, account=OPERATING, amount="110.44", sender="9120007020")
    text = await desk.said(VERA, "/statement cryptocapital 2")
    first = text.index("+110.44 USD (100.00 EUR there) from 9120007020")
    second = text.index("+5.00 USD from 9120555555")
    assert first < second
    assert "«</\u2060b> /\u2060balance @\u2060x⟨U+202E⟩evil» · no. " in text
    assert "newest 2 of each account" in text
    assert "Capital.com" not in text


async def test_an_entry_without_another_side_says_what_it_is(desk: Desk) -> None:
    await desk.link("capital")
    async with httpx.AsyncClient() as http:
        cash = {"account": "310441870023915201", "amount": "1250.50"}
        (await http.post(f"{desk.sides['capital'].control}/cash", json=cash)).raise_for_status()
    assert "+1,250.50 USD deposit\n    «Deposit» · no. " in await desk.said(VERA, "/statement capital 1")


async def test_a_login_that_keeps_none_is_told_so_when_it_was_named(desk: Desk) -> None:
    await desk.link("crm")
    assert await desk.said(VERA, "/statement") == "No connection you can see keeps statements."
    assert "has no statement" in await desk.said(VERA, "/statement crm")


async def test_one_entry_is_shown_by_its_number(desk: Desk) -> None:
    await desk.link("cryptocapital")
    await desk.link("capital")
    await deposit(desk, account=OPERATING, amount="5.00", sender="9120555555", narrative="invoice 7")
    listed = await desk.said(VERA, "/statement cryptocapital 1")
    (number,) = re.findall(r"«invoice 7» · no\. (\d+)$", listed, re.M)
    for words in (f"cryptocapital no {number}", f"cryptocapital/main NO. {number}", f"no {number}"):
        text = await desk.said(VERA, f"/statement {words}")
        assert f" · no. {number}\n" in text
        assert re.findall(r"no\. (\d+)$", text.split("\n", 1)[1], re.M) == [number]
        assert "+5.00 USD from 9120555555" in text
        assert "Capital.com" not in text
    assert "has no search for a single entry" in await desk.said(VERA, f"/statement capital no {number}")


async def test_an_entry_that_is_not_there_is_said_plainly(desk: Desk) -> None:
    await desk.link("cryptocapital")
    assert (await desk.said(VERA, "/statement no 999999999")).endswith(
        "No account here has an entry no. 999999999. /statement shows the newest ones."
    )


@pytest.mark.parametrize(
    ("words", "why"),
    [
        ("no four", "One name at most, then the number of one entry."),
        ("a b no 5", "One name at most, then the number of one entry."),
        ("no 0", "An entry of Crypto Capital has a number of at most 20 digits."),
        ("cryptocapital 4795", "/statement cryptocapital no 4795 shows a single one by its number"),
    ],
)
async def test_what_is_no_number_of_an_entry_is_answered_with_an_example(desk: Desk, words: str, why: str) -> None:
    await desk.link("cryptocapital")
    text = await desk.said(VERA, f"/statement {words}")
    assert why in text
    assert "For example: /statement" in text


async def test_in_a_group_it_is_answered_privately(desk: Desk) -> None:
    await desk.link("cryptocapital")
    assert texts(await desk.says(OLGA, "/statement 1", GROUP)) == ["Sent to you privately."]


async def test_what_happened_is_told_beside_what_was_booked(desk: Desk) -> None:
    await desk.link("capital")
    await desk.link("cryptocapital")
    day = f"{datetime.now(UTC) - timedelta(days=20):%Y-%m-%d}"
    text = await desk.said(VERA, f"/statement activity since {day}")
    assert re.search(
        r"^\d{4}-\d\d-\d\d \d\d:\d\d UTC  EUR/USD (?:buy|sell) [\d,]+ at 1\.\d+\n"
        r"    position accepted, by its owner · 00[0-9a-f-]{34}$",
        text,
        re.M,
    ), text
    times = re.findall(r"^(\d{4}-\d\d-\d\d \d\d:\d\d) ", text, re.M)
    assert len(times) > 1
    assert times == sorted(times, reverse=True)
    assert "Crypto Capital" not in text
    assert "has no activity" in await desk.said(VERA, "/statement cryptocapital activity")

    (message,) = await desk.says(VERA, f"/statement capital activity since {day} csv")
    stored = desk.chat.simulator.world.files[message["document"]["file_id"]]
    rows = list(csv.reader(io.StringIO(stored.content.decode())))
    assert rows[0] == ["connection", "account", "at", "market", "deal", "size", "price", "what", "number"]
    assert [row[7] for row in rows[1:]] == ["position accepted, by its owner"] * len(times)
    assert [row[2][:16].replace("T", " ") for row in rows[1:]] == sorted(times)


async def test_a_span_has_a_last_day(desk: Desk) -> None:
    await desk.link("capital")
    day = datetime.now(UTC) - timedelta(days=25)
    since = f"/statement capital since {day:%Y-%m-%d}"
    days = re.findall(r"^(\d{4}-\d\d-\d\d)\b", await desk.said(VERA, since), re.M)
    assert len(set(days)) > 1
    (oldest, *_) = sorted(set(days))
    part = await desk.said(VERA, f"{since} until {oldest}")
    assert set(re.findall(r"^(\d{4}-\d\d-\d\d)\b", part, re.M)) == {oldest}
    assert f"since {day:%Y-%m-%d} until {oldest}" in part
    (message,) = await desk.says(VERA, f"{since} until {oldest} csv")
    stored = desk.chat.simulator.world.files[message["document"]["file_id"]]
    assert {row["day"] for row in csv.DictReader(io.StringIO(stored.content.decode()))} == {oldest}

    assert "has a first day, too" in await desk.said(VERA, f"/statement until {oldest}")
    assert "ends on the day it begins, or later" in await desk.said(
        VERA, f"/statement since {oldest} until {day:%Y-%m-%d}"
    )


async def test_spans_activity_and_a_file_have_a_button(desk: Desk) -> None:
    await desk.link("capital")
    await desk.link("cryptocapital")
    (newest,) = await desk.says(VERA, "/statement")
    assert list(buttons(newest))[-2:] == ["capital/main", "cryptocapital/main"]
    (capital,) = await desk.taps(VERA, newest, "capital/main")
    (activity,) = await desk.taps(VERA, capital, "Activity")
    assert "activity of a day" in activity["text"]
    (month,) = await desk.taps(VERA, activity, "A month")
    assert "activity since " in month["text"]
    (file,) = await desk.taps(VERA, month, "As a file")
    assert file["document"]["file_name"].startswith("activity-")
    (bookings,) = await desk.taps(VERA, month, "Bookings")
    (file,) = await desk.taps(VERA, bookings, "As a file")
    assert file["document"]["file_name"].startswith("statement-")


async def test_activity_is_asked_for_by_the_day(desk: Desk) -> None:
    await desk.link("capital")
    assert (await desk.said(VERA, "/statement activity 20")).startswith("Activity is told since a day. For example: ")
    assert "the last 31 days" in await desk.said(VERA, "/statement activity since 2020-01-01")
