"""Crypto Capital's statements and arrivals, by either transport."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from bot.errors import CredentialRefusedError, InputError, ProviderError, SilentError
from bot.money import Money
from bot.providers.cryptocapital import wire
from bot.providers.cryptocapital.wire import OperationError
from bot.providers.records import Entry, Way
from bot.providers.streams import Subject, Told, Topic, Wish
from tests.support.cryptocapital_desk import (
    EUR,
    EUROS,
    HARBOUR,
    NORDLICHT,
    OPERATING,
    RESERVE,
    USD,
    Branch,
    open_branch,
    until,
)


@pytest.fixture(params=["websocket", "socketio"])
async def branch(request: pytest.FixtureRequest) -> AsyncIterator[Branch]:
    async with open_branch(request.param) as opened:
        yield opened


async def came(branch: Branch, amount: str, **more: Any) -> str:
    answer = await branch.post("deposit", **({"account": OPERATING, "sender": "9120555555"} | more), amount=amount)
    number: str = answer["transfers"][0]["id"]
    return number


def brief(entries: tuple[Entry, ...]) -> list[tuple[str, Way, str]]:
    return [(one.account, one.way, one.amount.text()) for one in entries]


# -------- what is asked


def test_a_statement_is_asked_for_with_one_filter_at_most() -> None:
    since = datetime(2015, 4, 20, tzinfo=UTC)
    assert wire.statement_params(OPERATING) == {"accountNumber": OPERATING}
    assert wire.statement_params(OPERATING, limit=10) == {"accountNumber": OPERATING, "limit": "10"}
    assert wire.statement_params(OPERATING, since=since) == {"accountNumber": OPERATING, "fromTime": "1429488000"}
    assert wire.statement_params(OPERATING, transaction="4795") == {"accountNumber": OPERATING, "transactionId": "4795"}
    three: dict[str, Any] = {"limit": 10, "since": since, "transaction": "4795"}
    for left_out in three:
        with pytest.raises(OperationError, match="one filter"):
            wire.statement_params(OPERATING, **{name: value for name, value in three.items() if name != left_out})
    for odd in ("", "04795", "1e3", "-1", "4795 ", "1" * 21):
        with pytest.raises(OperationError, match="digits"):
            wire.statement_params(OPERATING, transaction=odd)


# -------- what comes


async def test_a_statement_shows_each_accounts_entries_oldest_first(branch: Branch) -> None:
    linked = branch.link()
    first = await came(branch, "5.00", narrative="</b> /balance")
    await came(branch, "7.25", account=RESERVE, sender=HARBOUR)
    await came(branch, "6.00")
    reading = await linked.statement(limit=5)
    ours = [one for one in reading.items if one.amount.amount in (Decimal("5.00"), Decimal("7.25"), Decimal("6.00"))]
    assert brief(tuple(ours)) == [
        (OPERATING, Way.IN, "5.00"),
        (OPERATING, Way.IN, "6.00"),
        (RESERVE, Way.IN, "7.25"),
    ]
    assert ours[0].id == first
    assert (ours[0].other, ours[0].narrative, ours[0].other_amount) == ("9120555555", "</b> /balance", None)
    assert abs(ours[0].on - date.today()) <= timedelta(days=1)  # noqa: DTZ011  # the bank's days are UTC's
    assert reading.notes == ()


async def test_the_newest_are_shown_when_only_some_are_wanted(branch: Branch) -> None:
    linked = branch.link(accounts=OPERATING)
    for amount in ("1.00", "2.00", "3.00"):
        await came(branch, amount)
    assert [one.amount.text() for one in (await linked.statement(limit=2)).items] == ["2.00", "3.00"]


async def test_a_statement_since_a_time_has_what_came_since(branch: Branch) -> None:
    linked = branch.link(accounts=OPERATING)
    await came(branch, "1.00")
    reading = await linked.statement(since=datetime.now(UTC) - timedelta(minutes=5))
    assert [one.amount.text() for one in reading.items] == ["1.00"]
    assert (await linked.statement(since=datetime.now(UTC) + timedelta(hours=1))).items == ()


async def test_one_entry_is_found_by_its_number_on_both_its_sides(branch: Branch) -> None:
    linked = branch.link(accounts=f"{OPERATING},{RESERVE}")
    await came(branch, "1.00")
    number = await came(branch, "3.00", account=RESERVE, sender=OPERATING, narrative="this one")
    await came(branch, "2.00")
    reading = await linked.entry(number)
    assert brief(reading.items) == [(OPERATING, Way.OUT, "3.00"), (RESERVE, Way.IN, "3.00")]
    assert {(one.id, one.narrative) for one in reading.items} == {(number, "this one")}
    assert reading.notes == ()


async def test_news_that_comes_meanwhile_is_not_the_entry_that_was_asked_for(branch: Branch) -> None:
    linked = branch.link(accounts=OPERATING, quiet_seconds=0.5)
    number = await came(branch, "1.00")
    asking = asyncio.create_task(linked.entry(number))
    key = await linked.key_line()
    await until(lambda: bool(key.transfers))
    other = await came(branch, "2.00")
    await until(lambda: other in key.transfers)
    assert [one.id for one in (await asking).items] == [number]


async def test_an_entry_that_is_not_there_is_an_empty_answer(branch: Branch) -> None:
    linked = branch.link(accounts=OPERATING)
    await came(branch, "1.00")
    assert (await linked.entry("999999999")).items == ()


async def test_what_cannot_be_a_number_of_an_entry_is_not_asked_for(branch: Branch) -> None:
    linked = branch.link(accounts=OPERATING)
    for odd in ("", "0", "04795", "four", "1" * 21):
        with pytest.raises(InputError, match="at most 20 digits"):
            await linked.entry(odd)


async def test_two_currencies_are_both_told(branch: Branch) -> None:
    linked = branch.link(accounts=OPERATING)
    await came(branch, "110.44", sender=NORDLICHT)
    (entry,) = (await linked.statement(limit=1)).items
    assert entry.amount == Money(Decimal("110.44"), USD)
    assert entry.other_amount == Money(Decimal("100.00"), EUR)


async def test_what_goes_between_two_of_our_accounts_is_in_both_statements(branch: Branch) -> None:
    linked = branch.link(accounts=f"{OPERATING},{RESERVE}")
    await came(branch, "3.00", account=RESERVE, sender=OPERATING)
    reading = await linked.statement(limit=1)
    assert brief(reading.items) == [(OPERATING, Way.OUT, "3.00"), (RESERVE, Way.IN, "3.00")]
    assert [one.other for one in reading.items] == [RESERVE, OPERATING]


async def test_an_account_that_is_not_ours_costs_one_note(branch: Branch) -> None:
    reading = await branch.link(accounts=f"{EUROS},{NORDLICHT}").statement(limit=1)
    (note,) = reading.notes
    assert note.startswith(f"Account {NORDLICHT} was refused")


async def test_nothing_but_refusals_is_a_refused_login(branch: Branch) -> None:
    with pytest.raises(CredentialRefusedError):
        await branch.link(accounts=NORDLICHT).statement(limit=1)


async def test_a_forged_entry_is_not_in_it(branch: Branch) -> None:
    linked = branch.link(accounts=OPERATING)
    await came(branch, "3.00")
    await branch.post("misbehave", mode="altered_field", kind="transfer")
    assert (await linked.statement(limit=1)).items == ()
    assert sum(linked.doubts.values()) == 1


async def test_a_statement_whose_end_was_not_seen_says_so(branch: Branch) -> None:
    linked = branch.link(accounts=OPERATING, answer_seconds=1.0)
    await linked.balances()
    await came(branch, "3.00")
    await branch.post("misbehave", mode="silent", kind="account")
    reading = await linked.statement(limit=1)
    assert [one.amount.text() for one in reading.items] == ["3.00"]
    assert reading.notes == (f"Account {OPERATING} may have more: the end of its statement was not seen.",)


# -------- arrivals


class Ear:
    """Whoever is told."""

    def __init__(self) -> None:
        self.connected_to = asyncio.Event()
        self.acknowledgements: list[Subject] = []
        self.refusals: list[Subject] = []
        self.told: list[tuple[Subject, Told]] = []
        self.signs = 0

    def connected(self) -> None:
        self.connected_to.set()

    def acknowledged(self, subject: Subject) -> None:
        self.acknowledgements.append(subject)

    def refused(self, subject: Subject, error: ProviderError) -> None:
        self.refusals.append(subject)

    def heard(self, subject: Subject, told: Told) -> None:
        self.told.append((subject, told))

    def alive(self) -> None:
        self.signs += 1

    def transfers(self) -> set[tuple[Subject, str, Way, str]]:
        found = ((subject, told) for subject, told in self.told if isinstance(told, Entry))
        return {(subject, told.account, told.way, told.amount.text()) for subject, told in found}


ALL, QUOTES = Subject(Topic.ENTRY), Subject(Topic.QUOTE, "GOLD")


async def test_whoever_listens_is_told_of_each_transfer_as_each_account_sees_it_and_of_nothing_else(
    branch: Branch,
) -> None:
    linked, ear = branch.link(accounts=f"{OPERATING},{RESERVE}"), Ear()
    reserve = Subject(Topic.ENTRY, RESERVE)
    wish = Wish([ALL, QUOTES])
    streaming = asyncio.create_task(linked.stream(wish, ear))
    async with asyncio.timeout(5):
        await ear.connected_to.wait()
    await until(lambda: (ear.acknowledgements, ear.refusals) == ([ALL], [QUOTES]))
    wish.want([ALL, reserve])
    await until(lambda: ear.acknowledgements == [ALL, reserve])
    await came(branch, "5.00", narrative="first")
    await came(branch, "6.00", account=EUROS, sender=OPERATING, currency="USD")  # it leaves
    await branch.post("misbehave", mode="unsigned", kind="transfer")
    await came(branch, "7.00", narrative="by nobody")
    await came(branch, "8.00", account=RESERVE, sender=OPERATING)  # from one of ours to the other
    expected = {
        (ALL, OPERATING, Way.IN, "5.00"),
        (ALL, OPERATING, Way.OUT, "6.63"),
        (ALL, OPERATING, Way.OUT, "8.00"),
        (ALL, RESERVE, Way.IN, "8.00"),
        (reserve, RESERVE, Way.IN, "8.00"),
    }  # in no order, and perhaps twice: each account's own message tells of it
    await until(lambda: ear.transfers() >= expected)
    assert ear.transfers() == expected
    assert ear.signs >= 4
    await branch.post("hangup")
    async with asyncio.timeout(5):
        await streaming


async def test_what_was_missed_is_in_the_statement_or_nobody_knows(branch: Branch) -> None:
    linked = branch.link(accounts=OPERATING, answer_seconds=1.0)
    await came(branch, "3.00")
    now = datetime.now(UTC)
    missed = await linked.missed(ALL, now - timedelta(days=2), now)
    assert [one.amount.text() for one in missed.items if isinstance(one, Entry)][-1] == "3.00"
    assert (await linked.missed(Subject(Topic.ENTRY, RESERVE), now - timedelta(days=2), now)).items == ()
    await branch.post("misbehave", mode="silent", kind="account")
    with pytest.raises(SilentError):
        await linked.missed(ALL, now - timedelta(days=2), now)


async def test_listening_where_nobody_answers_is_an_error(branch: Branch) -> None:
    linked = branch.link()
    await branch.post("down", down=True)
    with pytest.raises(ProviderError):
        await linked.stream(Wish([ALL]), Ear())
    key = await linked.key_line()
    assert (key.listeners, key.signs_of_life) == ([], [])


async def test_a_line_that_breaks_under_a_statement_is_a_silence(branch: Branch) -> None:
    linked = branch.link(accounts=OPERATING)
    await linked.balances()
    await branch.faults({"match": {"contains": "statement"}, "action": "disconnect"})
    with pytest.raises(SilentError):
        await linked.statement(limit=1)
    assert (await linked.key_line()).listeners == []
