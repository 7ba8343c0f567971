"""What the house asks of every provider, asked of Deriv."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime, timedelta

from bot.errors import BusyError, CredentialRefusedError, RefusedError
from bot.money import Money
from bot.providers.acts import MoneySeam
from bot.providers.base import Lend, Spec, Surroundings
from bot.providers.deriv.client.agents import Counters
from bot.providers.deriv.client.books import Books
from bot.providers.deriv.client.contracts import Contracts
from bot.providers.deriv.client.dealings import Dealings
from bot.providers.deriv.client.line import DerivLine
from bot.providers.deriv.client.markets import Markets
from bot.providers.deriv.client.opening import Opening
from bot.providers.deriv.client.options import Options
from bot.providers.deriv.client.profile import Own
from bot.providers.deriv.client.seam import Seam
from bot.providers.deriv.client.site import Site
from bot.providers.deriv.client.streaming import Streaming
from bot.providers.deriv.wire import balances
from bot.providers.deriv.wire.logins import Session
from bot.providers.records import (
    Account,
    Balance,
    Candle,
    Dealing,
    Entry,
    Findings,
    Market,
    Position,
    Power,
    Quote,
    Reading,
)
from bot.providers.streams import Ear, Subject, Told, Topic, Wish


class Deriv:
    """One linked login. Fits `bot.providers.base.Provider`."""

    def __init__(self, spec: Spec, lend: Lend, around: Surroundings) -> None:
        self.spec = spec
        self.line = DerivLine(lend, around)
        self.site = Site(self.line, around.clock)
        self.own = Own(self.line)
        self.opening = Opening(self.line, around.clock)
        self.options = Options(self.line)
        self.counters = Counters(self.line)
        self.markets = Markets(self.line, around.clock)
        self.books = Books(self.line, around.clock)
        self.contracts = Contracts(self.line, around.clock)
        self.streams = Streaming(self.line, around.clock, self.markets, self.books, self.contracts)
        self._dealings = Dealings(self.line, self.books, around.clock)
        self._seam = Seam(self.line, lend)
        self._clock = around.clock

    @property
    def money(self) -> MoneySeam | None:
        return self._seam

    async def check(self) -> Findings:
        """Log in and read the balance; a right login without the right to read fails here, not later.

        What the token can do is what its `scopes` say.
        """
        reading, _ = await self._balances()
        session = await self.line.logged_in()
        count = len(reading.items)
        currencies = sorted({item.amount.currency.code for item in reading.items})
        told = session.powers is not None
        return Findings(
            f"{count} {'account' if count == 1 else 'accounts'}, {_listed(currencies) or 'no currency chosen yet'}",
            accounts=tuple(item.account for item in reading.items),
            environment=session.environment,
            powers=frozenset({Power.READ}) | (session.powers or frozenset()),
            untold=frozenset() if told else frozenset({Power.TRADE, Power.PAY_OUT, Power.MANAGE}),
            facts=reading.notes,
        )

    async def accounts(self) -> Reading[Account]:
        """As told at login: all of the person's accounts for an OAuth token, else those there are tokens for."""
        session = await self.line.logged_in()
        if self.line.sees_all:
            return Reading(session.accounts, session.as_of)
        return Reading((session.own, *self._further(session)), session.as_of, self._limits(session))

    async def balances(self) -> Reading[Balance]:
        """All accounts where the token may see them, with what Deriv says they come to; else its own."""
        reading, totals = await self._balances()
        return replace(reading, notes=(*reading.notes, *totals))

    async def _balances(self) -> tuple[Reading[Balance], tuple[str, ...]]:
        """Which code refuses `all` is not documented, so any refusal of it leads to asking for the own account."""
        await self.line.logged_in()
        if self.line.sees_all:
            try:
                return await self._balances_of_all()
            except (BusyError, CredentialRefusedError):
                raise
            except RefusedError:
                self.line.sees_all = False  # until the next login
        return await self._balances_one_by_one(), ()

    async def positions(self) -> Reading[Position]:
        """The open contracts of the token's own account; others would need tokens of their own."""
        return await self.contracts.open_ones()

    async def statement(self, *, limit: int | None = None, since: datetime | None = None) -> Reading[Entry]:
        return await self.books.statement(limit=limit, since=since)

    async def dealings(self, since: datetime) -> Reading[Dealing]:
        return await self._dealings.since(since)

    async def top_up(self, account: str, amount: Money | None) -> Balance:
        return await self.opening.top_up(account, amount)

    async def find_markets(self, text: str, *, most: int = 20) -> Reading[Market]:
        return await self.markets.find_markets(text, most=most)

    async def market(self, symbol: str) -> Market:
        return await self.markets.market(symbol)

    async def quote(self, symbol: str) -> Quote:
        return await self.markets.quote(symbol)

    async def candles(self, symbol: str, step: timedelta, since: datetime, until: datetime) -> Reading[Candle]:
        return await self.markets.candles(symbol, step, since, until)

    @property
    def topics(self) -> frozenset[Topic]:
        return self.streams.topics

    @property
    def most_subjects(self) -> int | None:
        """Nobody says how many."""
        return None

    @property
    def begins_at_once(self) -> frozenset[Topic]:
        return frozenset({Topic.QUOTE})

    async def stream(self, wish: Wish, ear: Ear) -> None:
        await self.streams.stream(wish, ear)

    async def missed(self, subject: Subject, since: datetime, until: datetime) -> Reading[Told]:
        return await self.streams.missed(subject, since, until)

    async def close(self) -> None:
        await self.line.close()

    async def _balances_of_all(self) -> tuple[Reading[Balance], tuple[str, ...]]:
        session, body = await self.line.read(balances.build_balance(balances.ALL))
        as_of = self._clock.now()
        found = balances.parse_balance(body, session.own, as_of)
        return Reading(found.items, as_of, found.notes), found.totals

    async def _balances_one_by_one(self) -> Reading[Balance]:
        session, body = await self.line.read(balances.build_balance())
        as_of = self._clock.now()
        found = [balances.parse_balance(body, session.own, as_of)]
        refused = []
        for account in self._further(session):
            try:
                _, body = await self.line.read(balances.build_balance().of(account.id))
            except (BusyError, CredentialRefusedError):
                raise
            except RefusedError:
                refused.append(f"{account.id} was not read: no token of this login is for it.")
            else:
                found.append(balances.parse_balance(body, account, self._clock.now()))
        items = tuple(item for one in found for item in one.items)
        notes = tuple(note for one in found for note in one.notes)
        return Reading(items, as_of, (*notes, *refused, *self._limits(session)))

    def _further(self, session: Session) -> Iterable[Account]:
        """The accounts that further tokens may be for: which is whose is not told."""
        if not self.line.further_tokens:
            return ()
        return (
            account
            for account in session.accounts
            if account.id != session.own.id and account.environment is session.environment
        )

    def _limits(self, session: Session) -> tuple[str, ...]:
        """What a reader must know when the token sees less than its person has."""
        if session.others == 0 or self.line.further_tokens:
            return ()
        others = "1 other account is" if session.others == 1 else f"{session.others} other accounts are"
        return (f"This token sees only {session.own.id}; {others} not read.",)


def _listed(words: list[str]) -> str:
    return " and ".join(filter(None, (", ".join(words[:-1]), *words[-1:])))
