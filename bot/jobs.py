"""Work by the clock. Every job says what happens when it comes late."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager

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

    scheduler.add_job(
        tidy,
        IntervalTrigger(hours=6, timezone="UTC"),
        id="tidy",
        coalesce=True,
        max_instances=1,
        misfire_grace_time=_LATE_SECONDS,
    )
    scheduler.start()
    try:
        yield scheduler
    finally:
        scheduler.shutdown(wait=False)
