"""Work by the clock. Every job says what happens when it comes late."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

from apscheduler.schedulers.asyncio import AsyncIOScheduler
from apscheduler.triggers.interval import IntervalTrigger

from bot.errors import StoreError
from bot.wiring import House

_log = logging.getLogger(__name__)
_LATE_SECONDS = 3600


@contextmanager
def scheduled(house: House) -> Iterator[AsyncIOScheduler]:
    """Run the jobs for the length of the block."""
    scheduler = AsyncIOScheduler(timezone="UTC")

    async def tidy() -> None:
        """Forget what is old enough: handled updates, sent notices, dead cards and drafts."""
        try:
            counts = (await house.inbox.prune(), await house.outbox.prune(), await house.cards.prune())
        except StoreError as error:
            _log.warning("tidying put off", extra={"error": type(error).__name__})
            return
        _log.info("tidied", extra=dict(zip(("inbox", "outbox", "cards"), counts, strict=True)))

    async def check_database() -> None:
        """The whole file, by SQLite's own check; a bad verdict is in /status and in the log."""
        try:
            await house.status.check_database()
        except StoreError as error:
            _log.warning("database not checked", extra={"error": type(error).__name__})
            return
        if house.pulse.database != "ok":
            _log.critical("the database fails its check; restore a backup")

    soon = house.clock.now() + timedelta(minutes=1)
    for job, hours in ((tidy, 6), (check_database, 1)):
        scheduler.add_job(
            job,
            IntervalTrigger(hours=hours, timezone="UTC"),
            id=job.__name__,
            next_run_time=soon + timedelta(hours=hours) if job is check_database else soon,
            coalesce=True,
            max_instances=1,
            misfire_grace_time=_LATE_SECONDS,
        )
    scheduler.start()
    try:
        yield scheduler
    finally:
        scheduler.shutdown(wait=False)
