"""What is open, what waits, and what became of a deal: read. What changes any of it stands in the seam."""

from decimal import Decimal

from bot.errors import NotFoundError, RefusedError
from bot.network.rest import Answer
from bot.providers.capital import wire
from bot.providers.capital.client.sessions import Sessions
from bot.providers.capital.wire.failures import NO_DEAL, NOT_YET
from bot.providers.capital.wire.markets import build_market, parse_market
from bot.providers.capital.wire.orders import (
    Confirmation,
    OrderRow,
    build_confirm,
    build_orders,
    parse_confirm,
    parse_order_rows,
)
from bot.providers.capital.wire.positions import (
    PositionRow,
    Side,
    build_position,
    build_positions,
    parse_position,
    parse_position_rows,
)


class Deals:
    """The sections Positions, Orders and Confirms. `account` None: the one that is read on."""

    def __init__(self, sessions: Sessions, *, held: bool = False) -> None:
        """`held`: for whoever holds the turn, and names the account."""
        self._sessions = sessions
        self._held = held

    async def positions(self, account: str | None = None) -> tuple[PositionRow, ...]:
        """All that is open on an account."""
        return parse_position_rows((await self._read(build_positions(), account)).body)

    async def position(self, deal_id: str, account: str | None = None) -> PositionRow:
        """One. One that was just opened may be known a moment later only.

        Raises:
            NotFoundError: It is not open.
        """
        try:
            return parse_position((await self._read(build_position(deal_id), account)).body)
        except RefusedError as refused:
            if refused.code == NO_DEAL:
                raise NotFoundError("position", deal_id) from None
            raise

    async def orders(self, account: str | None = None) -> tuple[OrderRow, ...]:
        """All that wait on an account. There is no call for one."""
        return parse_order_rows((await self._read(build_orders(), account)).body)

    async def order(self, deal_id: str, account: str | None = None) -> OrderRow:
        """One, looked for among all.

        Raises:
            NotFoundError: It does not wait.
        """
        for row in await self.orders(account):
            if row.working_order_data.deal_id == deal_id:
                return row
        raise NotFoundError("order", deal_id)

    async def price(self, epic: str, side: Side, account: str) -> Decimal | None:
        """What a market is bought or sold at now; None while it has no price."""
        snapshot = parse_market((await self._read(build_market(epic), account)).body).snapshot
        price = snapshot.offer if side == "BUY" else snapshot.bid
        return None if price is None else Decimal(price)

    async def confirmation(self, reference: str, account: str | None = None) -> Confirmation | None:
        """The broker's verdict; None when the reference is not known, which soon after a deal means: not yet."""
        try:
            return parse_confirm((await self._read(build_confirm(reference), account)).body)
        except RefusedError as refused:
            if refused.code == NOT_YET:
                return None
            raise

    async def _read(self, request: wire.Request, account: str | None) -> Answer:
        if self._held and account is not None:
            return await self._sessions.read_bound(request, account)
        answer, _ = await self._sessions.read(request, account or await self._sessions.at_home())
        return answer
