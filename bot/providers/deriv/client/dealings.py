"""What became of contracts, from the statement. Fits `bot.providers.markets.KeepsDealings`.

A purchase is an order that was filled at once, and opened a contract. Why one was sold is not told: whether a stop, the
service or its holder did it.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime

from bot.clock import Clock
from bot.providers.deriv.client.books import Books
from bot.providers.deriv.client.line import DerivLine
from bot.providers.deriv.wire import contracts as wire
from bot.providers.deriv.wire.books import Action, Closed, Row
from bot.providers.records import Dealing, Fate, Reading

_TRADED = (Action.BUY, Action.SELL)


class Dealings:
    """Of the token's own account."""

    def __init__(self, line: DerivLine, books: Books, clock: Clock) -> None:
        self._line = line
        self._books = books
        self._clock = clock

    async def since(self, since: datetime) -> Reading[Dealing]:
        """One call where nothing was traded; rows name no market, so that is looked up where something was."""
        read = await self._books.rows(since=since)
        rows = [row for row in read.items if row.contract_id is not None and row.action in _TRADED]
        closed = await self._closed(rows)
        symbols = {number: one.symbol for number, one in closed.items()}
        if any(row.contract_id not in symbols for row in rows):
            session, body = await self._line.read(wire.build_portfolio())
            open_ones = wire.parse_portfolio(body, session.own.id, self._clock.now())
            symbols |= {int(one.id): one.symbol for one in open_ones}
        found = (dealing for row in rows for dealing in _of(row, symbols, closed))
        return Reading(tuple(found), read.as_of, read.notes, read.is_whole)

    async def _closed(self, rows: Sequence[Row]) -> Mapping[int | None, Closed]:
        bought = [row.bought_at for row in rows if row.action == Action.SELL and row.bought_at is not None]
        if not bought:
            return {}
        return {one.contract_id: one for one in (await self._books.profits(since=min(bought))).items}


def _of(row: Row, symbols: Mapping[int | None, str], closed: Mapping[int | None, Closed]) -> Iterator[Dealing]:
    number, symbol = str(row.contract_id), symbols.get(row.contract_id, "")
    if row.action == Action.SELL:
        over = closed.get(row.contract_id)
        profit = None if over is None else over.profit
        yield Dealing(row.account, number, symbol, row.at, Fate.CLOSED, row.text, profit=profit)
        return
    yield Dealing(row.account, number, symbol, row.at, Fate.FILLED, row.text, order=str(row.id))
    yield Dealing(row.account, number, symbol, row.at, Fate.OPENED, row.text)
