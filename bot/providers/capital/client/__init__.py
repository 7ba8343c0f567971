"""Capital.com, talking. `Capital` is what the rest of the house knows; the calls stand by matter in the files beside.

    line        one request, one answer           limits      how often, for all that use the same login
    sessions    login, tokens, active account
    accounts  deals  history  markets  watchlists             the calls of the pages
    streaming   prices as they move, on a socket of their own

Nobody pings. A desk asks now and then, so a session is made when a question needs one, used while it lives, and made
anew when it lay still for nine minutes or the other side says that it is over; a session kept alive for nobody would
cost requests of the same ten a second, and hide that the key was revoked. Whoever keeps a stream open pings for it.
"""

from datetime import datetime, timedelta
from functools import cached_property
from typing import TYPE_CHECKING

from bot.money import Money
from bot.providers.base import Lend, Spec, Surroundings
from bot.providers.capital import wire
from bot.providers.capital.client.accounts import Accounts
from bot.providers.capital.client.deals import Deals
from bot.providers.capital.client.history import History
from bot.providers.capital.client.line import Line
from bot.providers.capital.client.markets import Markets
from bot.providers.capital.client.sessions import Sessions, Ticket
from bot.providers.capital.client.watchlists import Watchlists
from bot.providers.capital.seam import Seam
from bot.providers.capital.settings import Settings as Settings
from bot.providers.capital.wire.orders import build_orders, order_of, parse_order_rows
from bot.providers.capital.wire.session import build_ping, build_time, parse_status, parse_time
from bot.providers.records import (
    Account,
    Balance,
    Candle,
    Dealing,
    Entry,
    Findings,
    Happening,
    Market,
    Order,
    Position,
    Power,
    Quote,
    Reading,
)
from bot.providers.streams import Ear, Subject, Told, Topic, Wish

if TYPE_CHECKING:
    from bot.providers.capital.client.streaming import Streaming


class Capital:
    """One login at Capital.com."""

    def __init__(self, spec: Spec, lend: Lend, surroundings: Surroundings) -> None:
        settings: Settings = surroundings.settings
        self.spec = spec
        self._clock = surroundings.clock
        self._environment = surroundings.environment
        self._settings = settings
        self._line = Line(surroundings)
        self.sessions = Sessions(self._line, lend, encrypted=settings.encrypted_password)
        self.account = Accounts(self.sessions, self._clock, self._environment)
        self.deals = Deals(self.sessions)
        self.history = History(self.sessions, self._clock)
        self.markets = Markets(self.sessions, self._clock)
        self.watchlists = Watchlists(self.sessions)
        self.money = Seam(self._line, self.sessions, self.deals, self.history, self._clock)

    async def check(self) -> Findings:
        """Log in and read the accounts. There is one kind of key, and every key may deal; none moves money out."""
        answer, ticket = await self.sessions.read(wire.build_accounts())
        rows = wire.parse_accounts(answer.body)
        return Findings(
            _summary([row.currency for row in rows]),
            accounts=tuple(row.account_id for row in rows),
            environment=ticket.session.environment,
            powers=frozenset({Power.READ, Power.TRADE}),
            facts=wire.restrictions_of(rows),
        )

    async def accounts(self) -> Reading[Account]:
        """All accounts of the login, active or not."""
        answer, _ = await self.sessions.read(wire.build_accounts())
        rows = wire.parse_accounts(answer.body)
        return Reading(wire.accounts_of(rows, self._environment), self._clock.now(), wire.restrictions_of(rows))

    async def balances(self) -> Reading[Balance]:
        """What each account holds."""
        answer, _ = await self.sessions.read(wire.build_accounts())
        rows, now = wire.parse_accounts(answer.body), self._clock.now()
        return Reading(wire.balances_of(rows, self._environment, now), now, wire.restrictions_of(rows))

    async def positions(self) -> Reading[Position]:
        """What is open on the account that is read on; Capital.com lists one account at a time."""
        answer, ticket = await self.sessions.read(wire.build_positions(), await self.sessions.at_home())
        now = self._clock.now()
        items = wire.parse_positions(answer.body, ticket.account, now)
        return Reading(items, now, _one_account_only(ticket))

    async def with_nights(self, positions: Reading[Position]) -> Reading[Position]:
        return await self.markets.with_nights(positions)

    async def orders(self) -> Reading[Order]:
        """What waits for its price on the account that is read on."""
        answer, ticket = await self.sessions.read(build_orders(), await self.sessions.at_home())
        now = self._clock.now()
        items = tuple(order_of(row, ticket.account, now) for row in parse_order_rows(answer.body))
        return Reading(items, now, _one_account_only(ticket))

    async def dealing_account(self) -> str:
        """The account that is read on."""
        return await self.sessions.at_home()

    @property
    def price_tolerance(self) -> int:
        return self._settings.price_tolerance

    async def statement(self, *, limit: int | None = None, since: datetime | None = None) -> Reading[Entry]:
        """What was booked on the account that is read on."""
        return await self.history.statement(limit=limit, since=since)

    async def activity(self, since: datetime) -> Reading[Happening]:
        """What happened on the account that is read on."""
        return await self.history.activity(since)

    async def dealings(self, since: datetime) -> Reading[Dealing]:
        """What became of orders and positions on the account that is read on."""
        return await self.history.dealings(since)

    async def find_markets(self, text: str, *, most: int = 20) -> Reading[Market]:
        return await self.markets.find(text, most=most)

    async def market(self, symbol: str) -> Market:
        return await self.markets.market(symbol)

    async def quote(self, symbol: str) -> Quote:
        return await self.markets.quote(symbol)

    async def candles(self, symbol: str, step: timedelta, since: datetime, until: datetime) -> Reading[Candle]:
        return await self.markets.candles(symbol, step, since, until)

    # as `bot.providers.streams.Streams` says

    @property
    def topics(self) -> frozenset[Topic]:
        return frozenset({Topic.QUOTE, Topic.CANDLE})

    @property
    def finest_step(self) -> timedelta:
        return timedelta(minutes=1)

    @property
    def most_subjects(self) -> int:
        """Markets: a quote and the minutes of the same one count once."""
        return 40

    @property
    def begins_at_once(self) -> frozenset[Topic]:
        return frozenset()

    async def stream(self, wish: Wish, ear: Ear) -> None:
        await self._streaming.stream(wish, ear)

    async def missed(self, subject: Subject, since: datetime, until: datetime) -> Reading[Told]:
        return await self._streaming.missed(subject, since, until)

    @cached_property
    def _streaming(self) -> "Streaming":
        from bot.providers.capital.client.streaming import Streaming  # sockets: most logins open none

        return Streaming(self.sessions, self, self, self._settings, self._clock)

    async def top_up(self, account: str, amount: Money | None) -> Balance:
        return await self.account.top_up(account, amount)

    async def time(self) -> datetime:
        """The provider's clock."""
        answer, _ = await self.sessions.read(build_time())
        return parse_time(answer.body)

    async def ping(self) -> None:
        """Keep the session alive."""
        answer, _ = await self.sessions.read(build_ping())
        parse_status(answer.body)

    async def close(self) -> None:
        """Log out if there is a session to end. Never raises; a second call does nothing."""
        if self._line.closed:
            return
        self._line.closed = True
        await self.sessions.close()
        await self._line.close()


def _summary(currencies: list[str]) -> str:
    """ "3 accounts, USD, EUR and GBP"; each currency once, in the provider's order."""
    if not currencies:
        return "no accounts"
    count = f"{len(currencies)} account{'s' if len(currencies) > 1 else ''}"
    *most, last = dict.fromkeys(currencies)
    return f"{count}, {', '.join(most)} and {last}" if most else f"{count}, {last}"


def _one_account_only(ticket: Ticket) -> tuple[str, ...]:
    session = ticket.session
    if session.accounts < 2:
        return ()
    sentence = (
        f"Only account {ticket.account} ({session.name_of(ticket.account)}) is listed: Capital.com shows one account "
        f"at a time, and this login has {session.accounts}."
    )
    return (sentence,)
