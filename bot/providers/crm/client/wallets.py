"""Wallets and bank cards. Changing a balance stands in the seam."""

from collections.abc import Mapping

from bot.money import Money
from bot.providers.crm import wire
from bot.providers.crm.client.line import Line
from bot.providers.crm.wire import wallets
from bot.providers.crm.wire.grammar import money


class Wallets:
    """The sections Wallets and Payments."""

    def __init__(self, line: Line) -> None:
        self._line = line

    async def info(self, user_id: str) -> Mapping[str, Money]:
        """What a client's wallets hold, by currency."""
        found = wire.parse_wallets(await self._line.read(wire.build_wallets(user_id)))
        return {code: money(amount, code) for code, amount in found.items()}

    async def order(self, order_id: str) -> wallets.Order:
        """[N] What became of a change of balance."""
        return wallets.parse_order(await self._line.read(wallets.build_order(order_id)))

    async def bank_cards(self, user_id: str) -> tuple[wallets.BankCard, ...]:
        """Where a client's withdrawals may go."""
        return wallets.parse_bank_cards(await self._line.read(wallets.build_bank_cards(user_id)))
