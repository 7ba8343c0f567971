"""Opening accounts, and more demo money. Fits `bot.providers.markets.TopsUp`."""

from collections.abc import Mapping

from bot.clock import Clock
from bot.errors import InputError
from bot.money import Currency, Money
from bot.providers.deriv.client.line import DerivLine
from bot.providers.deriv.wire import balances
from bot.providers.deriv.wire import opening as wire
from bot.providers.deriv.wire.grammar import NAME, Call
from bot.providers.deriv.wire.opening import Company, NewUser, Opened, Purpose, Residence, Service, State
from bot.providers.records import Balance, Environment

FULL = "10 000"
"""What a demo account is filled up to."""


class Opening:
    """From a code in the mail to an account."""

    def __init__(self, line: DerivLine, clock: Clock) -> None:
        self._line = line
        self._clock = clock

    async def send_code(self, address: str, purpose: Purpose, url_parameters: Mapping[str, str] | None = None) -> bool:
        """Have it mailed. True says that the wish was heard, not that the address is known."""
        _, body = await self._line.act(wire.build_verify_email(address, purpose, url_parameters))
        return wire.parse_verify_email(body)

    async def residences(self) -> tuple[Residence, ...]:
        _, body = await self._line.read(wire.build_residence_list())
        return wire.parse_residence_list(body)

    async def states(self, country: str) -> tuple[State, ...]:
        """None for a country that has none."""
        _, body = await self._line.read(wire.build_states_list(country))
        return wire.parse_states_list(body)

    async def service(self, country: str) -> Service:
        """Who serves a country, and what its real accounts must be told."""
        _, body = await self._line.read(wire.build_landing_company(country))
        return wire.parse_landing_company(body)

    async def check_may_open_real(self) -> None:
        """`ScopeMissingError` when this login's token cannot: known before a long form is filled in."""
        session = await self._line.logged_in()
        session.check(Call.NEW_ACCOUNT_REAL)

    async def company(self, code: str) -> Company:
        _, body = await self._line.read(wire.build_landing_company_details(code))
        return wire.parse_landing_company_details(body)

    async def open_virtual(self, user: NewUser | None = None, *, affiliate_token: str | None = None) -> Opened:
        """Another demo account of this user, or with `user` the first one of a new user.

        Raises:
            RefusedError: `InvalidToken` is a code from the mail that is wrong, used or too old.
        """
        _, body = await self._line.act(wire.build_new_account_virtual(user, affiliate_token))
        return wire.parse_new_account_virtual(body)

    async def open_real(
        self,
        fields: Mapping[str, str | int],
        currency: Currency | None = None,
        *,
        affiliate_token: str | None = None,
    ) -> Opened:
        """With the company that serves the residence.

        Raises:
            FieldsRefusedError: These fields will not do.
        """
        _, body = await self._line.act(wire.build_new_account_real(fields, currency, affiliate_token))
        return wire.parse_new_account_real(body)

    async def top_up(self, account: str, amount: Money | None) -> Balance:
        """Only from below a threshold of Deriv's; else it refuses (`DemoTopupBalance`)."""
        session = await self._line.logged_in()
        if session.environment is not Environment.DEMO:
            said = f"{session.own.id} holds real money; Deriv fills up demo accounts only"
            raise InputError(f"{said}, and /openaccount opens one", "")
        example = f"/topup {NAME} {session.own.id}"
        if amount is not None:
            raise InputError(f"Deriv fills a demo account up to {FULL} by itself, and gives no other amount", example)
        if account != session.own.id:
            raise InputError(f"{account} is not the account of this login", example)
        _, body = await self._line.act(wire.build_topup_virtual())
        wire.parse_topup_virtual(body)
        session, body = await self._line.read(balances.build_balance())
        return balances.parse_balance(body, session.own, self._clock.now()).items[0]
