"""Work by the clock. Each job may come late, or be left out once, without harm: it says why.

What people wait for with money is never left out, however late it comes (SAFETY R30). What they have put on a schedule
themselves is not here: `operations/schedules` sees to that, by rows.

A job that looks after rows is left out while there are none: a room nobody has used yet is not opened to find that out.
"""

import functools
import logging
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta

from apscheduler.schedulers.asyncio import AsyncIOScheduler
from apscheduler.triggers.interval import IntervalTrigger

from bot.audit.anchors import ANCHORED_EVERY
from bot.config import SecondChannelConfig
from bot.errors import StoreError
from bot.store.presence import any_in
from bot.wiring import House

_log = logging.getLogger(__name__)
_LATE_SECONDS = 3600
_HOUR, _MINUTE = timedelta(hours=1), timedelta(minutes=1)
_NEVER_TOLD = "(SELECT 1 WHERE 'policy_told' NOT IN (SELECT key FROM meta))"
"""Nobody was ever told which policy counts, and be it none: whoever tells that has to begin."""


@contextmanager
def scheduled(house: House) -> Iterator[AsyncIOScheduler]:
    """Run the jobs for the length of the block."""
    scheduler = AsyncIOScheduler(timezone="UTC")

    async def tidy() -> None:
        """Forget what is old enough: handled updates, sent notices, dead cards and drafts."""
        counts = {
            "inbox": await house.inbox.prune(),
            "outbox": await house.outbox.prune(),
            "cards": await house.cards.prune(),
        }
        _log.info("tidied", extra=counts)

    async def tidy_logins() -> None:
        """Write down when each was used last, and forget what was begun and never ended."""
        await house.connections.write_uses()
        counts = {"half_logins": await house.linking.prune(), "half_accounts": await house.account_opening.prune()}
        _log.info("logins tidied", extra=counts)

    async def tidy_links() -> None:
        """Forget links whose time is over. Late, they lead nowhere all the same."""
        await house.entries.prune()

    async def tidy_factors() -> None:
        """Erase the seeds that nobody has confirmed in time."""
        await house.enrolling.void()

    async def check_database() -> None:
        """The whole file, by SQLite's own check; a bad verdict is in /status and in the log."""
        await house.status.check_database()
        if house.pulse.database != "ok":
            _log.critical("the database fails its check; restore a backup")

    async def anchor() -> None:
        """Remember the audit log's head outside. Left out once, the next one stands for it."""
        await house.anchoring.anchor()

    async def watch_clock() -> None:
        """Whether somebody has set the clock. Late, it sees the same."""
        await house.timekeeping.watch()

    async def expire_logins() -> None:
        """Erase what was handed over for logins nobody went on with. Late, it leads nowhere all the same."""
        await house.logins.expire()

    async def expire_requests() -> None:
        """End what nobody decided in time. Late, a vote after the time is refused all the same."""
        await house.approvals.expire()

    async def remind() -> None:
        """Whoever could sign what waits, and who else is to hear of it. Late, the latest reminder is said alone."""
        await house.reminding.look()

    async def check_policy() -> None:
        """Whether the people there are can meet it. Late, it is told late."""
        await house.meeting.look()

    async def watch_registrations() -> None:
        """Whether accounts answer to their keys by now. Late, it is told late."""
        await house.registering.watch()

    async def watch_disk() -> None:
        """Whether there is room. Late, money is refused all the same."""
        await house.disk.watch()

    async def watch_for_alerts() -> None:
        """What rules wait for that nobody tells by itself; and alerts that nobody acknowledges. Late, told late."""
        await house.watching_desk.look()

    async def watch_policy() -> None:
        """Whether another policy has come into force. Late, it is told late."""
        await house.policy.watch()

    async def page() -> None:
        """By the second channel, what Telegram may not be able to say. Late, it is said late."""
        if house.config.second_channel != SecondChannelConfig():
            await house.paging.look()

    async def back_up() -> None:
        """The day's backup, where the configuration wants one. Late, it is made late, and once."""
        if house.nightly is not None:
            await house.nightly.make_when_due()

    async def tell_of_keys() -> None:
        """The weekly word about keys. Late, or after a week in which nobody was there to say it, it is said once."""
        await house.hygiene.tell_when_due(house.access.roster)

    soon = house.clock.now() + _MINUTE
    for job, every, first, rows in (
        (tidy, 6 * _HOUR, soon, ()),
        (tidy_logins, 6 * _HOUR, soon, ("connections", "sealed")),
        (tidy_links, 6 * _HOUR, soon, ("entry_links",)),
        (tidy_factors, 6 * _HOUR, soon, ("factors",)),
        (check_database, _HOUR, soon + _HOUR, ()),
        (anchor, ANCHORED_EVERY, soon, ()),
        (watch_clock, _MINUTE, soon, ()),
        (expire_logins, _MINUTE, soon, ("entry_links",)),
        (expire_requests, _MINUTE, soon, ("requests",)),
        (remind, _MINUTE, soon, ("requests",)),
        (check_policy, _MINUTE, soon, ("policies",)),
        (watch_registrations, _MINUTE, soon, ("registrations",)),
        (watch_disk, _MINUTE, soon, ()),
        (page, _MINUTE, soon - _MINUTE / 2, ()),
        (watch_for_alerts, _MINUTE, soon, ("alert_rules",)),
        (back_up, 5 * _MINUTE, soon + _MINUTE, ()),
        (watch_policy, _HOUR, soon, ("policies", _NEVER_TOLD)),
        (tell_of_keys, _HOUR, soon + 10 * _MINUTE, ()),
    ):
        scheduler.add_job(
            _put_off_when_refused(job, _looked_for(house, rows)),
            IntervalTrigger(seconds=int(every.total_seconds()), timezone="UTC"),
            id=job.__name__,
            next_run_time=first,
            coalesce=True,
            max_instances=1,
            misfire_grace_time=None if job in (expire_requests, remind) else _LATE_SECONDS,
        )
    scheduler.start()
    try:
        yield scheduler
    finally:
        scheduler.shutdown(wait=False)


def _looked_for(house: House, rows: Sequence[str]) -> Callable[[], Awaitable[bool]]:
    """Whether there is any of what a job looks after; always, where it names nothing."""

    async def look() -> bool:
        return not rows or await house.database.read(any_in(*rows))

    return look


def _put_off_when_refused(
    job: Callable[[], Awaitable[None]], is_wanted: Callable[[], Awaitable[bool]]
) -> Callable[[], Awaitable[None]]:
    """A database that refuses is asked again the next time."""

    @functools.wraps(job)
    async def run() -> None:
        try:
            if await is_wanted():
                await job()
        except StoreError as error:
            _log.warning("job put off", extra={"job": job.__name__, "error": type(error).__name__})

    return run
