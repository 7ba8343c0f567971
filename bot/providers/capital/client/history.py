"""What happened and what was booked, whatever the window: calls take a day, or a month, and know no cursor."""

from collections.abc import AsyncIterator, Callable, Hashable, Iterable
from datetime import datetime, timedelta
from typing import TypeVar

from bot.clock import Clock
from bot.errors import ReplyError
from bot.network.rest import TOO_LARGE
from bot.providers.capital import wire
from bot.providers.capital.client.sessions import Sessions
from bot.providers.capital.wire import history
from bot.providers.capital.wire.dealings import dealings_of
from bot.providers.records import Dealing, Entry, Happening, Reading

DAY = timedelta(days=1) - timedelta(seconds=2)
MONTH = timedelta(days=30)
FURTHEST = 12
"""How many months back the newest bookings are looked for."""
_OVERLAP = timedelta(minutes=1)
"""Windows overlap by so much: their ends are whole seconds, and the provider's clock is not ours."""
_ROUNDED = timedelta(seconds=1)
"""Ends are cut to whole seconds."""
_SHORTEST = timedelta(hours=1)
_LEAST = timedelta(minutes=10)
"""Of what reaches up to now so much is asked for at least, lest our clock be slow."""

Row = TypeVar("Row", history.Activity, history.Transaction)


class History:
    """The section History. `account` None: the one that is read on."""

    def __init__(self, sessions: Sessions, clock: Clock) -> None:
        self._sessions = sessions
        self._clock = clock

    async def activities(
        self,
        since: datetime,
        until: datetime | None = None,
        *,
        account: str | None = None,
        deal_id: str | None = None,
    ) -> tuple[history.Activity, ...]:
        """What happened, oldest first, each once; `until` None: up to now. It may be written a minute late."""
        rows: list[history.Activity] = []
        async for part in self._windows(
            since,
            until,
            DAY,
            lambda start, end, last: history.build_activity(start, end, last, deal_id),
            history.parse_activities,
            account,
        ):
            rows += part
        return _each_once(rows, _seen, since, until)

    async def transactions(
        self, since: datetime, until: datetime | None = None, *, account: str | None = None
    ) -> tuple[history.Transaction, ...]:
        """What was booked, oldest first, each once; `until` None: up to now."""
        rows: list[history.Transaction] = []
        async for part in self._windows(
            since, until, MONTH, history.build_transactions, history.parse_transactions, account
        ):
            rows += part
        return _each_once(rows, _booked, since, until)

    async def dealings(self, since: datetime) -> Reading[Dealing]:
        """As `bot.providers.markets.KeepsDealings` says, of the account that is read on."""
        account, now = await self._sessions.at_home(), self._clock.now()
        return Reading(dealings_of(await self.activities(since, account=account), account), now)

    async def statement(self, *, limit: int | None = None, since: datetime | None = None) -> Reading[Entry]:
        """As `bot.providers.base.KeepsStatements` says, of the account that is read on."""
        account, now = await self._sessions.at_home(), self._clock.now()
        begin = since if since is not None else now - FURTHEST * MONTH
        rows: list[history.Transaction] = []
        async for part in self._windows(
            begin, None, MONTH, history.build_transactions, history.parse_transactions, account
        ):
            rows += part
            if since is None and limit is not None and len({_booked(row) for row in rows}) >= limit:
                break
        found = _each_once(rows, _booked, begin, None)
        kept = found if limit is None else found[-limit:]
        is_short = since is None and (limit is None or len(found) < limit)
        reach = (f"Nothing older than {begin:%Y-%m-%d} was looked for.",) if is_short else ()
        notes = await self._one_account(account)
        return Reading(tuple(history.entry_of(row, account) for row in kept), now, (*notes, *reach))

    async def activity(self, since: datetime) -> Reading[Happening]:
        """As `bot.providers.base.KeepsActivity` says, of the account that is read on."""
        account = await self._sessions.at_home()
        rows = await self.activities(since, account=account)
        notes = await self._one_account(account)
        return Reading(tuple(history.happening_of(row, account) for row in rows), self._clock.now(), notes)

    async def _one_account(self, account: str) -> tuple[str, ...]:
        single = (await self._sessions.ticket()).session.accounts < 2
        return () if single else (f"Of account {account} only: Capital.com shows one account at a time.",)

    async def _windows(
        self,
        since: datetime,
        until: datetime | None,
        widest: timedelta,
        build: Callable[[datetime | None, datetime | None, int | None], wire.Request],
        parse: Callable[[bytes], tuple[Row, ...]],
        account: str | None,
    ) -> AsyncIterator[tuple[Row, ...]]:
        """Window by window, the newest first. What reaches up to now is asked for by its length, not by the clock."""
        account = account or await self._sessions.at_home()
        now = self._clock.now()
        end = until
        if until is None or until > now - _OVERLAP:
            length = min(widest, max(now - since, _LEAST) + _OVERLAP)
            for part in await self._wide(now - length, now, build, parse, account, is_last=True):
                yield part
            end = now - length + _OVERLAP
        while end is not None and end > since:
            start = max(since, end - widest)
            for part in await self._wide(start, end, build, parse, account, is_last=False):
                yield part
            if start <= since:
                return
            end = start

    async def _wide(
        self,
        start: datetime,
        end: datetime,
        build: Callable[[datetime | None, datetime | None, int | None], wire.Request],
        parse: Callable[[bytes], tuple[Row, ...]],
        account: str,
        *,
        is_last: bool,
    ) -> list[tuple[Row, ...]]:
        """One window; in halves when the answer is larger than we take."""
        seconds = max(1, -((start - end) // timedelta(seconds=1)))
        request = build(None, None, seconds) if is_last else build(start, end + _ROUNDED, None)
        try:
            answer, _ = await self._sessions.read(request, account)
            return [parse(answer.body)]
        except ReplyError as error:
            if error.detail != TOO_LARGE or end - start <= _SHORTEST:
                raise
        middle = start + (end - start) / 2
        newer = await self._wide(middle, end, build, parse, account, is_last=is_last)
        return newer + await self._wide(start, middle + _OVERLAP, build, parse, account, is_last=False)


def _each_once(
    rows: Iterable[Row], key: Callable[[Row], Hashable], since: datetime, until: datetime | None
) -> tuple[Row, ...]:
    """Oldest first; what two windows share is one."""
    unique = {key(row): row for row in rows if row.at >= since and (until is None or row.at < until)}
    return tuple(sorted(unique.values(), key=lambda row: row.at))


def _seen(one: history.Activity) -> Hashable:
    """It has no number: what it says must do."""
    return one.date_utc, one.deal_id, one.type, one.status, one.source, one.told.level, one.told.size


def _booked(one: history.Transaction) -> Hashable:
    return one.date_utc, one.reference, one.transaction_type, one.size
