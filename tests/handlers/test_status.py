"""/status: every part as it is now, also those nobody has heard from."""

import re
from pathlib import Path
from typing import Any

import pytest

from bot.operations import status
from bot.operations.watch.marks import keeping, wanting
from bot.providers.capital.client import Capital
from bot.providers.news import Mark
from bot.providers.records import Environment
from bot.providers.streams import Subject, Topic
from bot.store.columns import at
from tests.support.chatting import OLGA, VERA, Chat, Desk, at_work_with, configured, texts, until
from tests.support.process import run

CRM_ANSWERED = "● Broctagon CRM crm/main: answered n s ago"
CAPITAL_ANSWERED = "● Capital.com capital/main: answered n s ago"
SLIPPED = (
    "✕ Capital.com capital/main: Capital.com gave an answer that cannot be trusted, so no number is shown. "
    "Try again in a minute."
)


def _lines(text: str) -> list[str]:
    """What is said about the connections, and after that about the bot."""
    return re.sub(r"\b\d+ s ago", "n s ago", text).split("Providers\n")[1].splitlines()


def _connections(text: str) -> list[str]:
    return _lines(text)[: _lines(text).index("")]


class Ear:
    """Counts what one simulator is asked."""

    def __init__(self, desk: Desk, name: str) -> None:
        self._steps = desk.sides[name].misfortunes.steps
        desk.sides[name].misfortunes.add({"action": "refuse", "match": {}, "nth": 1_000_000})
        self._mine = self._steps[-1]

    def heard(self) -> int:
        """How often since the last time."""
        found, self._mine.seen = self._mine.seen, 0
        return found


@pytest.fixture
async def desk(tmp_path: Path, chat: Chat) -> Any:
    """Two connections; the operator's CRM is not shared."""
    async with at_work_with(tmp_path, chat, "capital", "crm") as found:
        await found.link("capital", environment=Environment.DEMO)
        await found.link("crm", share=())
        yield found


async def test_it_asks_those_nobody_heard_from_and_leaves_the_others_alone_for_a_minute(desk: Desk) -> None:
    await desk.said(OLGA, "/balance capital")
    capital, crm = Ear(desk, "capital"), Ear(desk, "crm")
    for asked in (True, False):
        assert _connections(await desk.said(OLGA, "/status")) == [CAPITAL_ANSWERED, CRM_ANSWERED]
        assert bool(crm.heard()) == asked
        assert capital.heard() == 0
    desk.clock.ahead_by(61)
    assert _connections(await desk.said(OLGA, "/status")) == [CAPITAL_ANSWERED, CRM_ANSWERED]
    assert capital.heard() > 0
    assert crm.heard() > 0


async def test_it_asks_none_that_this_person_may_not_see(desk: Desk) -> None:
    crm = Ear(desk, "crm")
    assert _connections(await desk.said(VERA, "/status")) == [CAPITAL_ANSWERED]
    assert crm.heard() == 0


async def test_one_that_does_not_answer_says_so_and_costs_the_others_nothing(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(status, "ASK_SECONDS", 0.2)
    desk.sides["crm"].misfortunes.add({"action": "stall", "match": {}, "times": 0})
    assert _connections(await desk.said(OLGA, "/status")) == [
        CAPITAL_ANSWERED,
        "✕ Broctagon CRM crm/main: Broctagon CRM did not answer in time. Try again in a minute.",
    ]
    desk.sides["crm"].misfortunes.add([])
    assert _connections(await desk.said(OLGA, "/status"))[1].startswith("✕"), "heard from within the minute"
    desk.clock.ahead_by(61)
    assert _connections(await desk.said(OLGA, "/status")) == [CAPITAL_ANSWERED, CRM_ANSWERED]


async def test_a_slip_in_one_adapter_costs_its_line(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    async def slip(_: Capital) -> Any:
        return {}["balance 12,345.67"]

    monkeypatch.setattr(Capital, "check", slip)
    assert _connections(await desk.said(OLGA, "/status")) == [SLIPPED, CRM_ANSWERED]
    assert desk.rooms.pulse.incidents == 0


async def test_it_says_when_the_run_before_did_not_end_cleanly(tmp_path: Path, chat: Chat) -> None:
    config = configured(tmp_path, chat)
    clean, crashed = "Incidents since start: 0", "Incidents since start: 0, and the run before did not end cleanly"
    async with run(config) as first:
        assert await _last_line(chat) == clean
        assert await first.stop() == 0
    async with run(config) as second:
        assert await _last_line(chat) == clean
        await second.kill()
    async with run(config) as third:
        assert await _last_line(chat) == crashed
        assert await third.stop() == 0
    async with run(config):
        assert await _last_line(chat) == clean


async def _last_line(chat: Chat) -> str:
    before = len(chat.from_bot(OLGA))
    await chat.play("send", **{"from": OLGA, "chat": OLGA, "text": "/status"})
    await until(lambda: len(chat.from_bot(OLGA)) > before)
    return texts(chat.from_bot(OLGA))[-1].splitlines()[-1]


async def test_what_is_followed_says_when_it_told_anything_last_and_how_long_it_is_silent(desk: Desk) -> None:
    await desk.says(OLGA, "/status")
    capital = (await desk.rooms.connections.everything())[0].id
    gold, silver, now = Subject(Topic.QUOTE, "GOLD"), Subject(Topic.QUOTE, "SILVER"), desk.rooms.clock.now()
    await desk.rooms.database.write(wanting(capital, [gold, silver]))
    assert _connections(await desk.said(OLGA, "/status"))[1] == "    2 followed, nothing yet"
    await desk.rooms.database.write(keeping(capital, {gold: Mark(now, now)}))
    assert _connections(await desk.said(OLGA, "/status"))[1] == "    2 followed, last told n s ago"
    await desk.rooms.database.write(
        lambda tables: tables.conn.execute(
            "INSERT INTO outages (connection_id, since) VALUES (?, ?)", (capital, at(now))
        )
    )
    desk.clock.ahead_by(600)
    assert _connections(await desk.said(OLGA, "/status"))[1] == "    ⚠ has told nothing by itself for 10 min"
