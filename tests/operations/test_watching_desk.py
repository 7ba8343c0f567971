"""What the desk sees by itself comes to those who wait for it, once, and says so when it is over."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from bot.alerts.sentences import parse
from bot.approvals.model import State
from bot.operations.alerting import Place
from tests.support.chatting import OLGA, VERA, telegram
from tests.support.treasury import Treasury, treasury


@dataclass
class Space:
    """What a disk has."""

    free: int
    total: int = 10**12


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Treasury]:
    async with telegram() as chat, treasury(tmp_path, chat) as opened:
        yield opened


async def waits_for(desk: Treasury, words: str) -> None:
    """Olga sets that alert."""
    olga, rooms = desk.person(OLGA), desk.rooms
    (found,) = await rooms.alerting.propose(olga, parse(words.split()), rooms.access.roster, Place())
    await rooms.alerts.set(olga, found.rule, telegram_id=OLGA)


async def queued(desk: Treasury, title: str) -> list[str]:
    """What Olga is told of it, after the desk has looked twice."""
    for _ in range(2):
        await desk.rooms.watching_desk.look()
    found = await desk.rows("SELECT body FROM outbox WHERE chat_id = ? ORDER BY id", OLGA)
    return [body for (body,) in found if f'"title":"{title}' in body]


async def test_a_request_that_waits_is_told_after_so_long_and_edited_when_it_was_signed(desk: Treasury) -> None:
    await waits_for(desk, "request waiting 10 min")
    request = await desk.asked()
    assert await queued(desk, "Request waiting") == []
    desk.desk.clock.ahead_by(11 * 60)
    first = await queued(desk, "Request waiting")
    assert [line for line in first if f"Request {request.id} (transfer) waits for signatures" in line] == first
    assert len(first) == 1
    await desk.approves(request)
    assert "Resolved" in (await queued(desk, "Request waiting"))[-1]


async def test_a_request_is_nobodys_who_has_nothing_to_do_with_it(desk: Treasury) -> None:
    vera, rooms = desk.person(VERA), desk.rooms
    (found,) = await rooms.alerting.propose(
        vera, parse(["request", "waiting", "10", "min"]), rooms.access.roster, Place()
    )
    await rooms.alerts.set(vera, found.rule, telegram_id=VERA)
    await waits_for(desk, "request waiting 10 min")
    await desk.asked()
    desk.desk.clock.ahead_by(11 * 60)
    assert len(await queued(desk, "Request waiting")) == 1
    assert await desk.rows("SELECT body FROM outbox WHERE chat_id = ? AND body LIKE '%Request waiting%'", VERA) == []


async def test_a_request_that_is_about_to_expire_is_told_in_time(desk: Treasury) -> None:
    await waits_for(desk, "request expiring 10 min")
    request = await desk.asked()
    left = request.expires_at - desk.rooms.clock.now()
    desk.desk.clock.ahead_by(left.total_seconds() - 11 * 60)
    assert await queued(desk, "Request about") == []
    desk.desk.clock.ahead_by(2 * 60)
    assert len(await queued(desk, "Request about")) == 1


async def test_a_transfer_that_failed_is_told(desk: Treasury) -> None:
    await waits_for(desk, "transfer failed cryptocapital")
    request = await desk.asked("10.00")
    await desk.write("UPDATE beneficiaries SET removed_at = 1")
    await desk.approves(request)
    await desk.comes_to(request, State.FAILED)
    (said,) = await queued(desk, "Transfer failed")
    assert f"Transfer {request.id} failed: it was not sent" in said


async def test_a_provider_that_does_not_answer_is_told_and_edited_when_it_does(desk: Treasury) -> None:
    await waits_for(desk, "provider down cryptocapital 5 min")
    await desk.rooms.balances.balances(desk.person(OLGA))
    await desk.control("down", down=True)
    await desk.rooms.connections.end_session(desk.connection)
    desk.desk.clock.ahead_by(6 * 60)
    await desk.rooms.balances.balances(desk.person(OLGA))
    assert await queued(desk, "Provider down") == []
    desk.desk.clock.ahead_by(5 * 60)
    await desk.rooms.balances.balances(desk.person(OLGA))
    assert len(await queued(desk, "Provider down")) == 1
    await desk.control("down", down=False)
    await desk.rooms.balances.balances(desk.person(OLGA))
    assert "Resolved" in (await queued(desk, "Provider down"))[-1]


async def test_a_provider_that_is_down_at_a_restart_is_told_once_and_over_when_it_answers(desk: Treasury) -> None:
    health = desk.rooms.connections.health
    await waits_for(desk, "provider down cryptocapital 5 min")
    await desk.control("down", down=True)
    await desk.rooms.connections.end_session(desk.connection)
    health.clear()
    for _ in range(7):
        await desk.rooms.balances.balances(desk.person(OLGA))
        desk.desk.clock.ahead_by(60)
    assert len(await queued(desk, "Provider down")) == 1
    health.clear()
    assert len(await queued(desk, "Provider down")) == 1
    for _ in range(7):
        await desk.rooms.balances.balances(desk.person(OLGA))
        desk.desk.clock.ahead_by(60)
    assert len(await queued(desk, "Provider down")) == 1
    await desk.control("down", down=False)
    await desk.rooms.balances.balances(desk.person(OLGA))
    assert "Resolved" in (await queued(desk, "Provider down"))[-1]


async def test_a_full_disk_is_told_once_over_midnight_and_again_when_it_fills_again(desk: Treasury) -> None:
    await waits_for(desk, "disk low")
    desk.rooms.disk.usage = lambda _: Space(free=5)
    for _ in range(50):
        said = await queued(desk, "Disk low")
        desk.desk.clock.ahead_by(3600)
    assert len(said) == 1
    desk.rooms.disk.usage = lambda _: Space(free=10**12)
    assert "Resolved" in (await queued(desk, "Disk low"))[-1]
    desk.desk.clock.ahead_by(3600)
    desk.rooms.disk.usage = lambda _: Space(free=5)
    assert len(await queued(desk, "Disk low")) == 3


async def test_an_old_key_is_told(desk: Treasury) -> None:
    await waits_for(desk, "key old cryptocapital 90d")
    assert await queued(desk, "Key old") == []
    desk.desk.clock.ahead_by(91 * 86_400)
    assert len(await queued(desk, "Key old")) == 1


async def test_a_withdrawal_is_new_at_first_and_waits_later(desk: Treasury) -> None:
    """Where there is a CRM; its list is the row here."""
    connection = desk.connection.id
    await desk.write("UPDATE connections SET provider = 'crm' WHERE id = ?", connection)
    for words in ("withdrawal new", "withdrawal waiting 2h"):
        await waits_for(desk, words)
    now = int(desk.rooms.clock.now().timestamp() * 1000) + 1
    await desk.write(
        "INSERT INTO crm_withdrawals (request_id, source, noticed_at, status, node, account, method, client)"
        " VALUES ('w1', 'webhook', ?, 'pending', 1, '', '', '')",
        now,
    )
    desk.desk.clock.ahead_by(60)
    assert len(await queued(desk, "Client withdrawal new")) == 1
    assert await queued(desk, "Client withdrawal waiting") == []
    desk.desk.clock.ahead_by(2 * 3600)
    assert len(await queued(desk, "Client withdrawal waiting")) == 1
    assert len(await queued(desk, "Client withdrawal new")) == 1
