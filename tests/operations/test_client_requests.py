"""Clients' requests are watched like what comes over a line, and have its card when the CRM does not answer."""

import asyncio
import re
from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path

from bot.operations.withdrawals import Known
from tests.support.chatting import OLGA
from tests.support.crm_hooks import HOOK, Called, called, watched

QUICK = "[streams]\nbackoff = 0.05\nbackoff_cap = 0.1\npoll = 3600\ntell_after = 0.3"


async def asked(desk: Called) -> str:
    """A client asks, and a webhook tells of it."""
    request_id = str((await desk.tell("/withdrawal", amount="40.25", currency="USD"))["id"])
    body = f'{{"source":{{"event":"crm.webhooks.requests.withdrawal.approve.node.1"}},"data":{{"id":"{request_id}"}}}}'
    await desk.rooms.withdrawals.take(body.encode())
    return request_id


async def listed(desk: Called) -> list[Known]:
    olga = desk.rooms.access.roster.person(OLGA)
    assert olga is not None
    return await desk.rooms.withdrawals.everything(olga)


async def told(desk: Called, title: str) -> list[str]:
    """What is queued for Olga under that title."""
    rows = await desk.rows(
        "SELECT json_extract(body, '$.lines') FROM outbox"  # noqa: S608  # a title of ours
        f" WHERE chat_id = {OLGA} AND json_extract(body, '$.title') = '{title}' ORDER BY id"
    )
    return [lines for (lines,) in rows]


async def in_time(true: Callable[[], Awaitable[object]]) -> None:
    async with asyncio.timeout(20):
        while not await true():
            await asyncio.sleep(0.02)  # what is waited for is a row


async def begun(desk: Called) -> None:
    await in_time(lambda: desk.rows("SELECT 1 FROM streams WHERE topic = 'request' AND told_at IS NOT NULL"))


async def test_a_crm_that_cannot_be_asked_is_an_outage_and_what_happened_meanwhile_is_read(tmp_path: Path) -> None:
    async with called(tmp_path, QUICK) as desk:
        request_id = await asked(desk)
        async with watched(desk):
            await begun(desk)
            await desk.tell("/down", down=True)
            desk.clock.ahead_by(3600)
            await in_time(lambda: told(desk, "No news from a provider"))
            (lines,) = await told(desk, "No news from a provider")
            assert "crm/main (demo) has told nothing since " in lines
            await desk.tell("/down", down=False)
            await desk.tell("/approve", id=request_id)
            (report,) = desk.rooms.watch.reports.all

            async def stands() -> bool:
                desk.clock.ahead_by(1)  # whoever failed often is left alone for a while
                return report.spell.up_at is not None

            await in_time(stands)
            assert [one.status for one in await listed(desk)] == ["approved"]
            desk.clock.ahead_by(11)
            await in_time(lambda: told(desk, "Back again"))
        assert len(await told(desk, "No news from a provider")) == 1


async def test_a_crm_with_nothing_due_is_found_to_be_gone_all_the_same(tmp_path: Path) -> None:
    async with called(tmp_path, QUICK) as desk, watched(desk):
        await begun(desk)
        await desk.tell("/down", down=True)
        desk.clock.ahead_by(3600)
        await in_time(lambda: told(desk, "No news from a provider"))


async def test_what_webhooks_told_while_nobody_listened_is_missed_from_when_to_when(tmp_path: Path) -> None:
    async with called(tmp_path, QUICK, settings=[HOOK]) as desk:
        async with watched(desk):
            await begun(desk)
        away_since = desk.clock.now()
        desk.clock.ahead_by(7200)
        async with watched(desk):
            await in_time(lambda: told(desk, "No data"))
        (lines,) = await told(desk, "No data")
        assert "crm/main: what happened then cannot be had any more." in lines
        # with its day, when the two hours went over midnight
        since = re.search(r"clients' requests that nobody had told of before: (?:[\d-]{10} )?(\d\d:\d\d:\d\d)", lines)
        assert since is not None
        assert since[1] in {f"{away_since - timedelta(seconds=back):%H:%M:%S}" for back in range(600)}


async def test_where_the_report_brings_them_to_light_nothing_is_missed(tmp_path: Path) -> None:
    async with called(tmp_path, QUICK, settings=[HOOK, "requests_from_report = true"]) as desk:
        async with watched(desk):
            await begun(desk)
        desk.clock.ahead_by(7200)
        await desk.tell("/withdrawal", amount="40.25", currency="USD")
        async with watched(desk):
            (report,) = desk.rooms.watch.reports.all
            report.spell.up_at = None
            await in_time(lambda: asyncio.sleep(0, report.spell.up_at))
            assert len(await listed(desk)) == 1
            assert (report.holes, await told(desk, "No data")) == ([], [])
