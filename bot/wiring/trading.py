"""What a trader asks for: deals, contracts, accounts at a provider."""

from functools import cached_property
from typing import TYPE_CHECKING

from bot.wiring.deciding import DecidingRooms

if TYPE_CHECKING:
    from bot.operations.account_opening import AccountOpening
    from bot.operations.brokerage import Brokerage
    from bot.operations.changing import Changing
    from bot.operations.contracts import ContractDesk
    from bot.operations.deals import DealDesk
    from bot.operations.derivs import DerivDesk


class TradingRooms(DecidingRooms):
    @cached_property
    def deals(self) -> "DealDesk":
        from bot.operations.deals import DealDesk

        return DealDesk(self.connections, self.money.planning, self.clock, self.zone)

    @cached_property
    def contracts(self) -> "ContractDesk":
        from bot.operations.contracts import ContractDesk

        return ContractDesk(self.connections, self.derivs, self.money.planning, self.clock)

    @cached_property
    def changing(self) -> "Changing":
        from bot.operations.changing import Changing

        return Changing(self.database, self.connections, self.audit, self.freezing)

    @cached_property
    def brokerage(self) -> "Brokerage":
        from bot.operations.brokerage import Brokerage

        return Brokerage(self.connections, self.changing)

    @cached_property
    def derivs(self) -> "DerivDesk":
        from bot.operations.derivs import DerivDesk

        return DerivDesk(self.connections, self.changing, self.clock)

    @cached_property
    def account_opening(self) -> "AccountOpening":
        from bot.operations.account_opening import AccountOpening

        return AccountOpening(
            self.database,
            self.cards,
            self.vault,
            self.audit,
            self.connections,
            self.credentials,
            self.linking,
            self.changing,
            self.derivs,
            self.clock,
        )
