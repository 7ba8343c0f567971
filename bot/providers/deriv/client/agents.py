"""Payment agents, and the web cashier. What moves money through them is the money seam's."""

from bot.providers.deriv.client.line import DerivLine
from bot.providers.deriv.wire import agents as wire
from bot.providers.deriv.wire.agents import Agents, Counter, OwnAgency
from bot.secret import Secret


class Counters:
    """Where money is handed in and out."""

    def __init__(self, line: DerivLine) -> None:
        self._line = line

    async def agents(self, country: str, currency: str | None = None) -> Agents:
        """Those of a country, by its two letters."""
        _, body = await self._line.read(wire.build_paymentagent_list(country, currency))
        return wire.parse_paymentagent_list(body)

    async def own_agency(self) -> OwnAgency:
        """The token's account as an agent, or why it is none."""
        _, body = await self._line.read(wire.build_paymentagent_details())
        return wire.parse_paymentagent_details(body)

    async def cashier(self, counter: Counter = Counter.DEPOSIT, code: Secret | None = None) -> Secret:
        """The address of the web cashier, for the owner's eyes only.

        Raises:
            RefusedError: Something is to be done first; its code says what (`ASK_…`), `CashierForwardError` as well.
        """
        _, body = await self._line.act(wire.build_cashier(counter, code))
        return wire.parse_cashier(body)

    async def crypto_deposit(self) -> str:
        """Where coins for this account are sent to."""
        _, body = await self._line.read(wire.build_crypto_deposit())
        return wire.parse_crypto_deposit(body)
