"""What was booked on the login's accounts. Fits `bot.providers.base.KeepsStatements`."""

from datetime import datetime

from bot.clock import Clock
from bot.errors import ReplyError
from bot.money import Currency
from bot.providers.deriv.client.line import DerivLine
from bot.providers.deriv.wire import books as wire
from bot.providers.deriv.wire import contracts
from bot.providers.deriv.wire.books import MOST_CLOSED, MOST_ROWS, Action, Closed, Row
from bot.providers.deriv.wire.grammar import NAME, Request
from bot.providers.deriv.wire.logins import Session
from bot.providers.records import Entry, Reading

MOST_PAGES = 20
"""For one question; the service lets itself be asked 25 times a minute."""


class Books:
    """Statement and profit table of the token's own account, or of another whose token the login holds too."""

    def __init__(self, line: DerivLine, clock: Clock) -> None:
        self._line = line
        self._clock = clock

    async def statement(self, *, limit: int | None = None, since: datetime | None = None) -> Reading[Entry]:
        """As the house wants it: oldest first."""
        found = await self.rows(since=since, most=limit)
        return Reading(tuple(row.entry for row in found.items), found.as_of, found.notes, found.is_whole)

    async def rows(
        self,
        *,
        since: datetime | None = None,
        until: datetime | None = None,
        action: Action | None = None,
        most: int | None = None,
        account: str | None = None,
    ) -> Reading[Row]:
        """The newest `most` rows within `[since, until)`, oldest first.

        Pages shift while something is booked: a row is known by its number, and each stands here once.
        """
        found: dict[int, Row] = {}
        whole = False
        for number in range(MOST_PAGES):
            limit = min(MOST_ROWS, most or MOST_ROWS)
            request = wire.build_statement(since, until, action=action, limit=limit, offset=number * limit)
            page = await self._page(request.of(account), account)
            found |= {row.id: row for row in page}
            whole = len(page) < limit
            if whole or (most is not None and len(found) >= most):
                break
        rows = sorted(found.values(), key=lambda row: (row.at, row.id))
        is_whole = whole or most is not None
        return Reading(tuple(rows[-most:] if most else rows), self._clock.now(), _notes(is_whole), is_whole)

    async def _page(self, request: Request, account: str | None) -> tuple[Row, ...]:
        session, body = await self._line.read(request)
        name, currency = _of(session, account)
        return () if currency is None else wire.parse_statement(body, name, currency)

    async def profits(
        self, *, since: datetime | None = None, until: datetime | None = None, most: int | None = None
    ) -> Reading[Closed]:
        """The newest `most` contracts that are over, by when they were bought; oldest first."""
        found: dict[int, Closed] = {}
        whole = False
        for number in range(MOST_PAGES):
            limit = min(MOST_CLOSED, most or MOST_CLOSED)
            session, body = await self._line.read(
                wire.build_profit_table(since, until, limit=limit, offset=number * limit)
            )
            name, currency = _of(session, None)
            page = () if currency is None else wire.parse_profit_table(body, name, currency)
            found |= {closed.id: closed for closed in page}
            whole = len(page) < limit
            if whole or (most is not None and len(found) >= most):
                break
        is_whole = whole or most is not None
        closed = sorted(found.values(), key=_bought)
        return Reading(tuple(closed[-most:] if most else closed), self._clock.now(), _notes(is_whole), is_whole)

    async def sell_expired(self) -> int:
        """Settle the contracts that have run out; how many there were. Nought is usual: the service does it itself."""
        _, body = await self._line.act(contracts.build_sell_expired())
        return contracts.parse_sell_expired(body)


def _of(session: Session, account: str | None) -> tuple[str, Currency | None]:
    """The account and its currency: rows do not name it."""
    if account is None:
        return session.own.id, session.own.currency
    for one in session.accounts:
        if one.id == account:
            return one.id, one.currency
    raise ReplyError(NAME, "statement of an account that is not in the login")


def _bought(closed: Closed) -> tuple[float, int]:
    return 0.0 if closed.bought_at is None else closed.bought_at.timestamp(), closed.id


def _notes(is_whole: bool) -> tuple[str, ...]:
    return () if is_whole else ("There is more than was read: ask for a shorter time.",)
