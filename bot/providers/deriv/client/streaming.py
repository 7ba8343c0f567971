"""What is followed on one connection. Fits `bot.providers.streams.Streams`.

A stream is asked for once however many follow it, on the socket the questions are asked on. Its first frame says that
it is there, and is told like every later one; frames of another id are late ones and dropped. A frame that cannot be
read ends everything: what it said would be missed without anybody knowing.
"""

import asyncio
import json
from collections.abc import Coroutine, Iterable
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from bot.clock import Clock
from bot.errors import (
    BusyError,
    CountersignError,
    CredentialRefusedError,
    FaultError,
    RefusedError,
)
from bot.network.pacing import backoff
from bot.providers.deriv.client.books import Books
from bot.providers.deriv.client.contracts import Contracts
from bot.providers.deriv.client.feeds import Feeds
from bot.providers.deriv.client.line import DerivLine
from bot.providers.deriv.client.markets import Markets
from bot.providers.deriv.client.shared import Batch, Follower, Shared
from bot.providers.deriv.wire import balances, books, contracts, markets, service
from bot.providers.deriv.wire.grammar import NAME, Request
from bot.providers.deriv.wire.logins import Session
from bot.providers.deriv.wire.service import Stream
from bot.providers.records import Reading
from bot.providers.streams import Ear, Subject, Told, Topic, Wish

MINUTE = timedelta(minutes=1)
OVERLAP = timedelta(seconds=2)
"""Rows are stamped in whole seconds: a gap is looked at from a little before it."""
QUIET_SECONDS = 2.0
"""So long after the last one, no more answers are expected to the call for many symbols."""
TRIES = 4
"""For a stream that is refused only for now."""
_KINDS = {
    Topic.QUOTE: Stream.TICKS,
    Topic.CANDLE: Stream.CANDLES,
    Topic.BALANCE: Stream.BALANCE,
    Topic.ENTRY: Stream.TRANSACTION,
    Topic.CONTRACT: Stream.CONTRACTS,
}


class Streaming:
    """Everything this login can be told."""

    topics = frozenset(_KINDS)

    def __init__(self, line: DerivLine, clock: Clock, markets: Markets, books: Books, contracts: Contracts) -> None:
        self._line = line
        self._clock = clock
        self._markets = markets
        self._books = books
        self._contracts = contracts
        self._feeds: Feeds | None = None
        self._shared: dict[str, Shared] = {}

    async def stream(self, wish: Wish, ear: Ear) -> None:
        session = await self._line.dial()
        feeds = self._line.feeds
        if self._feeds is not feeds:
            self._feeds, self._shared = feeds, {}
        follower = Follower(ear)
        one = _One(self._line, self._clock, self._shared, session, feeds, follower)
        ear.connected()
        unhook = feeds.on_life(ear.alive)
        try:
            await _the_first(one.follow(wish), self._line.until_broken(), feeds.until_over(), follower.until_failed())
        finally:
            unhook()
            await one.leave_everything()

    async def missed(self, subject: Subject, since: datetime, until: datetime) -> Reading[Told]:
        """Prices are the middle ones; of balances and contracts only how they stand now is known."""
        match subject.topic:
            case Topic.QUOTE:
                return _told(await self._markets.prices(subject.name, since, until))
            case Topic.CANDLE:
                first = datetime.fromtimestamp(since.timestamp() // 60 * 60, since.tzinfo)
                over = min(until, self._clock.now()) - MINUTE
                found = await self._markets.candles(subject.name, MINUTE, first, until)
                return _told(replace(found, items=tuple(one for one in found.items if one.at <= over)))
            case Topic.ENTRY:
                booked = await self._books.rows(since=since - OVERLAP, account=await self._other(subject.name))
                entries = tuple(row.entry for row in booked.items if since <= row.at < until)
                return Reading(entries, booked.as_of, booked.notes, booked.is_whole)
            case Topic.CONTRACT:
                if not subject.name:
                    return _told(await self._contracts.open_ones())
                return Reading((await self._contracts.one(_number(subject)),), self._clock.now())
            case Topic.BALANCE:
                return await self._balance(subject.name)
            case Topic.REQUEST:
                raise RefusedError(NAME, "UnrecognisedRequest")

    async def _balance(self, name: str) -> Reading[Told]:
        session = await self._line.logged_in()
        session, body = await self._line.read(_balance_of(self._line, name, session.own.id))
        as_of = self._clock.now()
        return Reading(balances.parse_balance_change(body, session, as_of), as_of)

    async def _other(self, name: str) -> str | None:
        """The account to name in a question: none for the token's own."""
        session = await self._line.logged_in()
        return None if name in ("", session.own.id) else name


class _One:
    """One who follows, on one connection."""

    def __init__(
        self,
        line: DerivLine,
        clock: Clock,
        shared: dict[str, Shared],
        session: Session,
        feeds: Feeds,
        follower: Follower,
    ) -> None:
        self._line = line
        self._clock = clock
        self._shared = shared
        self._session = session
        self._feeds = feeds
        self._follower = follower
        self._followed: dict[Subject, Shared] = {}

    async def follow(self, wish: Wish) -> None:
        """For as long as it is not ended."""
        known: frozenset[Subject] = frozenset()
        while True:
            wanted = await wish.other_than(known)
            await _all(self._leave(subject) for subject in known - wanted)
            await self._join(sorted(wanted - known))
            known = wanted

    async def _join(self, subjects: Iterable[Subject]) -> None:
        fresh = []
        for subject in subjects:
            try:
                request = _request(subject, self._session, self._line)
            except RefusedError as error:
                self._follower.ear.refused(subject, error)
                continue
            key = json.dumps(json.loads(request.frame(0)), sort_keys=True)
            shared = self._shared.get(key)
            if shared is None:
                shared = self._shared[key] = Shared(key, subject, request, self._session, self._clock, self._forgotten)
                fresh.append(shared)
            self._followed[subject] = shared
            shared.join(self._follower, subject)
        prices = [shared for shared in fresh if shared.subject.topic is Topic.QUOTE]
        others = (self._ask(shared) for shared in fresh if shared.subject.topic is not Topic.QUOTE)
        await _all((self._ask_prices(prices), *others))

    async def _ask_prices(self, fresh: list[Shared]) -> None:
        """All in one call; those it leaves without an answer one by one, so that a refusal has a name."""
        if len(fresh) > 1:
            batch = Batch(fresh, self._line.number())
            self._feeds.listen(batch.number, batch.hear, batch.hear_price)
            request = markets.build_ticks([shared.subject.name for shared in fresh]).streamed()
            with suppress(RefusedError):
                await self._patiently(request, batch.number)
            replies = -1
            while replies < batch.replies and not batch.answered.is_set():
                replies = batch.replies
                with suppress(TimeoutError):
                    await asyncio.wait_for(batch.answered.wait(), QUIET_SECONDS)
            batch.answered.set()
        await _all(self._ask(shared) for shared in fresh if not shared.is_there)

    async def _ask(self, shared: Shared) -> None:
        number = self._line.number()
        self._feeds.listen(number, shared.hear, shared.hear_price if shared.is_of_prices else None)
        try:
            await self._patiently(shared.request, number)
        except CredentialRefusedError:
            raise
        except (FaultError, RefusedError) as error:
            self._feeds.leave(number)
            if not shared.is_there:  # else the answer to the call for many was only late
                shared.refuse(error)
            return
        if shared.batch is not None and shared.batch.without(shared):
            self._feeds.leave(shared.batch.number)
        shared.batch, shared.number = None, number

    async def _patiently(self, request: Request, number: int) -> None:
        """Ask again, later and later, while it is refused only for now."""
        for attempt in range(TRIES - 1):
            try:
                await self._line.on(self._feeds, request, number)
                return
            except (BusyError, FaultError):
                await self._clock.sleep(backoff(attempt, base_seconds=1.0))
        await self._line.on(self._feeds, request, number)

    async def _leave(self, subject: Subject) -> None:
        shared = self._followed.pop(subject, None)
        if shared is None or not shared.leave(self._follower, subject) or not shared.is_there:
            return
        with suppress(RefusedError, FaultError):
            await self._line.on(self._feeds, service.build_forget(shared.id))

    async def leave_everything(self) -> None:
        """Nobody is told any more what only this one wanted to hear; kinds nobody else follows are ended at once."""
        left = [shared for subject, shared in self._followed.items() if shared.leave(self._follower, subject)]
        self._followed.clear()
        if self._line.feeds is not self._feeds or not self._line.connected:
            return
        still = {_KINDS[shared.subject.topic] for shared in self._shared.values()}
        there = [shared for shared in left if shared.is_there]
        kinds = {_KINDS[shared.subject.topic] for shared in left} - still
        with suppress(CountersignError):
            if kinds:
                await self._line.on(self._feeds, service.build_forget_all(*sorted(kinds)))
            for shared in there:
                if _KINDS[shared.subject.topic] in still:
                    await self._line.on(self._feeds, service.build_forget(shared.id))

    def _forgotten(self, shared: Shared) -> None:
        """Nobody follows it any more, or it is over."""
        self._shared.pop(shared.key, None)
        if shared.batch is None:
            self._feeds.leave(shared.number)
        elif shared.batch.without(shared):
            self._feeds.leave(shared.batch.number)


def _request(subject: Subject, session: Session, line: DerivLine) -> Request:
    """
    Raises:
        RefusedError: There is no such thing here.
    """
    own = subject.name in ("", session.own.id)
    other = None if own else subject.name
    match subject.topic:
        case Topic.QUOTE | Topic.CANDLE if not markets.SYMBOL.fullmatch(subject.name):
            raise RefusedError(NAME, "InvalidSymbol")
        case Topic.QUOTE:
            return markets.build_ticks(subject.name).streamed()
        case Topic.CANDLE:
            return markets.build_candles(subject.name, 60, None, None, 1).streamed()
        case Topic.BALANCE:
            return _balance_of(line, subject.name, session.own.id).streamed()
        case Topic.ENTRY:
            return books.build_transaction().of(other)
        case Topic.CONTRACT:
            return contracts.build_open_contract(_number(subject) if subject.name else None).streamed()
        case Topic.REQUEST:
            raise RefusedError(NAME, "UnrecognisedRequest")


def _number(subject: Subject) -> int:
    if not (subject.name.isascii() and subject.name.isdigit()):
        raise RefusedError(NAME, "ContractNotFound")
    return int(subject.name)


def _balance_of(line: DerivLine, name: str, own: str) -> Request:
    """All accounts where the login may see them and none is named; another one is named as the login may name it."""
    if not name and line.sees_all:
        return balances.build_balance(balances.ALL)
    if name in ("", own):
        return balances.build_balance()
    return balances.build_balance(name) if line.sees_all else balances.build_balance().of(name)


def _told(reading: Reading[Any]) -> Reading[Told]:
    return Reading(tuple(reading.items), reading.as_of, reading.notes, reading.is_whole)


async def _all(several: Iterable[Coroutine[Any, Any, None]]) -> None:
    """Side by side; the first error when all are through."""
    for result in await asyncio.gather(*several, return_exceptions=True):
        if isinstance(result, BaseException):
            raise result


async def _the_first(*several: Coroutine[Any, Any, None]) -> None:
    """Until one of them ends; with its error, if it ends with one."""
    tasks = [asyncio.ensure_future(one) for one in several]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    for task in done:
        error = task.exception()
        if error is not None:
            raise error
