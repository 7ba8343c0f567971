"""One stream, and everybody who follows it. Nothing here waits, or asks."""

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence

from bot.clock import Clock
from bot.errors import FaultError, ProviderError, RefusedError
from bot.providers.deriv.wire import balances, books, contracts, markets
from bot.providers.deriv.wire.grammar import NAME, Body, Call, Request, refusal, subscription_of
from bot.providers.deriv.wire.logins import Session
from bot.providers.deriv.wire.markets import Price
from bot.providers.records import Position
from bot.providers.streams import Ear, Subject, Told, Topic


class Follower:
    """One who is told."""

    def __init__(self, ear: Ear) -> None:
        self.ear = ear
        self._failed = asyncio.Event()
        self._error: ProviderError | None = None

    def fail(self, error: ProviderError) -> None:
        """It cannot go on."""
        self._error = self._error or error
        self._failed.set()

    async def until_failed(self) -> None:
        """
        Raises:
            ProviderError: Why it cannot go on.
        """
        await self._failed.wait()
        if self._error is not None:
            raise self._error


class Shared:
    """One subscription."""

    def __init__(
        self,
        key: str,
        subject: Subject,
        request: Request,
        session: Session,
        clock: Clock,
        forgotten: Callable[["Shared"], None],
    ) -> None:
        self.key = key
        self.subject = subject
        """Of whoever came first."""
        self.request = request
        self.number = 0
        self.id = ""
        """What the provider calls it, once it is there; empty for what is told once only."""
        self.is_there = False
        self.batch: Batch | None = None
        self._session = session
        self._clock = clock
        self._forgotten = forgotten
        self._followers: list[tuple[Follower, Subject]] = []

    def join(self, follower: Follower, subject: Subject) -> None:
        self._followers.append((follower, subject))
        if self.is_there:
            follower.ear.acknowledged(subject)

    def leave(self, follower: Follower, subject: Subject) -> bool:
        """Whether nobody is left."""
        if (follower, subject) not in self._followers:
            return False
        self._followers.remove((follower, subject))
        if not self._followers:
            self._forgotten(self)
        return not self._followers

    def hear(self, body: Body) -> None:
        """One frame with our number."""
        error = refusal(self.request.call, body) if "error" in body else None
        if error is not None:
            known = isinstance(error, RefusedError) and error.code == "AlreadySubscribed"
            if self.is_there and not self._is_about_many and not known:
                self.refuse(error)
            return  # the first reply's error is told by the question; one contract's does not end the stream of all
        named = subscription_of(body)
        if not self.is_there:
            self._there(named)
        elif named and named != self.id:
            return
        try:
            told = self._parse(body)
        except ProviderError as unreadable:
            self.fail(unreadable)
            return
        for one in told:
            self._tell(one)
        if not self._is_about_many and any(isinstance(one, Position) and not one.is_open for one in told):
            self._over()

    def hear_price(self, price: Price) -> bool:
        """The same, of a frame that was read as a price; False: it is to be heard like any other."""
        if not self.is_there:
            return False
        if price.subscription == self.id:
            self._tell(price.quote)
        return True

    def _tell(self, told: Told) -> None:
        for follower, subject in tuple(self._followers):
            follower.ear.heard(subject, told)

    def fail(self, error: ProviderError) -> None:
        """What was said of it is lost: whoever follows it must begin anew."""
        for follower, _ in self._followers:
            follower.fail(error)

    def refuse(self, error: ProviderError) -> None:
        """The provider tells nothing of it, or no more."""
        followers = tuple(self._followers)
        self._over()
        for follower, subject in followers:
            follower.ear.refused(subject, error)

    @property
    def is_of_prices(self) -> bool:
        return self.subject.topic is Topic.QUOTE

    @property
    def _is_about_many(self) -> bool:
        return self.subject.topic is Topic.CONTRACT and not self.subject.name

    def _there(self, named: str) -> None:
        self.is_there, self.id = True, named
        for follower, subject in self._followers:
            follower.ear.acknowledged(subject)

    def _over(self) -> None:
        self._followers.clear()
        self.is_there = False
        self._forgotten(self)

    def _parse(self, body: Body) -> Sequence[Told]:
        if self.subject.topic is Topic.QUOTE:
            return (markets.parse_tick(body),)
        now, account = self._clock.now(), self._account
        match self.subject.topic:
            case Topic.CANDLE:
                if body.get("msg_type") == "candles":
                    return markets.parse_candles(body, self.subject.name, 60)[-1:]
                return (markets.parse_running_candle(body),)
            case Topic.BALANCE:
                return balances.parse_balance_change(body, self._session, now)
            case Topic.ENTRY:
                entry = books.parse_transaction(body, account)
                return () if entry is None else (entry,)
            case Topic.CONTRACT:
                contract = contracts.parse_open_contract(body, account, now)
                return () if contract is None else (contract,)
            case Topic.REQUEST:
                return ()

    @property
    def _account(self) -> str:
        named = self.request.fields.get("loginid")
        return named if isinstance(named, str) else self._session.own.id


class Batch:
    """Prices of many symbols, asked for by one call: a frame each, in whatever order, all with one number."""

    def __init__(self, members: Iterable[Shared], number: int) -> None:
        self.number = number
        self.answered = asyncio.Event()
        """As many replies came as there are symbols."""
        self._members = {shared.subject.name: shared for shared in members}
        self._expected = len(self._members)
        self._replies = 0
        for shared in self._members.values():
            shared.batch, shared.number = self, number

    def hear(self, body: Body) -> None:
        if "error" in body:
            self._error(refusal(Call.TICKS, body) or FaultError(NAME, "unreadable"))
            return
        said = body.get(markets.TICK)
        member = self._members.get(str(said.get("symbol"))) if isinstance(said, Mapping) else None
        if member is None:
            return
        if not member.is_there:
            self._count()
        member.hear(body)

    def hear_price(self, price: Price) -> bool:
        """As `Shared` says."""
        member = self._members.get(price.quote.symbol)
        return member is not None and member.hear_price(price)

    @property
    def replies(self) -> int:
        return self._replies

    def _error(self, error: ProviderError) -> None:
        """It does not say which symbol it is about: at first that is found out by asking, later by beginning anew."""
        if not self.answered.is_set():
            self._count()
            return
        for shared in self._members.values():
            shared.fail(error)

    def _count(self) -> None:
        self._replies += 1
        if self._replies >= self._expected:
            self.answered.set()

    def without(self, shared: Shared) -> bool:
        """Take one out; whether none is left."""
        self._members.pop(shared.subject.name, None)
        return not self._members
