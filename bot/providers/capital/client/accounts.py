"""The accounts of a login, how they deal, and more money for a demo."""

from collections.abc import Mapping
from decimal import Decimal

from bot.clock import Clock
from bot.errors import CredentialRefusedError, InputError, NotFoundError, RefusedError
from bot.money import Currency, Money
from bot.providers.capital import wire
from bot.providers.capital.client.sessions import Sessions
from bot.providers.capital.wire import accounts as lines
from bot.providers.capital.wire.session import SessionDetails, build_session, parse_session, parse_status
from bot.providers.records import Balance, Environment

MOST_TOP_UP = Decimal(400_000)
"""In one call, either way."""
MOST_HELD = Decimal(100_000)
"""What a demo account can be filled up to."""


class Accounts:
    """The section Accounts, and of Session what is about the active one."""

    def __init__(self, sessions: Sessions, clock: Clock, environment: Environment) -> None:
        self._sessions = sessions
        self._clock = clock
        self._environment = environment

    async def rows(self) -> tuple[lines.AccountRow, ...]:
        """All of them, active or not."""
        answer, _ = await self._sessions.read(lines.build_accounts())
        return lines.parse_accounts(answer.body)

    async def session(self) -> SessionDetails:
        """How the session stands, as the provider tells it."""
        answer, _ = await self._sessions.read(build_session())
        return parse_session(answer.body)

    async def switch(self, account: str) -> None:
        """Read on this account from now on, and deal on it where nothing else is said. Streams end.

        Raises:
            NotFoundError: It is none of this login's.
        """
        try:
            await self._sessions.switch(account)
        except RefusedError as refused:
            if refused.code == "error.invalid.accountId":
                raise NotFoundError("account", account, tuple(row.account_id for row in await self.rows())) from None
            raise

    async def preferences(self) -> lines.Preferences:
        """Of the account that is read on."""
        answer, _ = await self._sessions.read(lines.build_preferences(), await self._sessions.at_home())
        return lines.parse_preferences(answer.body)

    async def prefer(self, leverages: Mapping[str, int] | None = None, *, hedging: bool | None = None) -> None:
        """Change how the account that is read on deals; what is not named stays.

        Raises:
            InputError: No such group, or a leverage it does not have; the sentence names those it has.
            RefusedError: The account would not have it (hedging, with positions open).
        """
        there = await self.preferences()
        for group, times in (leverages or {}).items():
            if group not in there.leverages:
                raise InputError(f"the groups are {', '.join(there.leverages)}", next(iter(there.leverages), ""))
            if times not in there.leverages[group].available:
                have = ", ".join(str(one) for one in there.leverages[group].available)
                raise InputError(f"{group} can have a leverage of {have}", f"{group} {there.leverages[group].current}")
        wanted = lines.Wanted(leverages or {}, hedging)
        answer = await self._sessions.change(lines.build_new_preferences(wanted), await self._sessions.at_home())
        parse_status(answer.body)

    async def top_up(self, account: str, amount: Money | None) -> Balance:
        """As `bot.providers.markets.TopsUp` says; without an amount it is filled up to what it can hold at most."""
        if self._environment is Environment.LIVE:
            raise InputError("only a demo account can be given money", "a connection to demo")
        before = await self._balance(account)
        given = self._given(before, amount)
        answer = await self._refill(account, given)
        if not lines.parse_topped_up(answer):
            raise InputError("Capital.com did not give it", "1000.00")
        return await self._balance(account)

    @staticmethod
    def _given(before: Balance, amount: Money | None) -> Decimal:
        currency = before.amount.currency
        if amount is None:
            given = MOST_HELD - before.amount.amount
            if given <= 0:
                raise InputError(f"the account holds {before.amount} already, and no more can be had", "nothing")
            return given.quantize(_step(currency), "ROUND_DOWN")
        if amount.currency != currency:
            raise InputError(f"the account holds {currency}", f"1000.00 {currency}")
        if not amount.amount or abs(amount.amount) > MOST_TOP_UP:
            raise InputError(f"at most {MOST_TOP_UP:f} {currency} at a time", f"1000.00 {currency}")
        return amount.amount

    async def _refill(self, account: str, given: Decimal) -> bytes:
        try:
            return (await self._sessions.change(lines.build_top_up(given), account)).body
        except RefusedError as refused:
            if isinstance(refused, CredentialRefusedError) or not refused.code.startswith("error.invalid"):
                raise
            said = f"Capital.com gives no such amount: at most {MOST_HELD:f} can be held, and 100 times a day asked for"
            raise InputError(said, "1000.00") from None

    async def _balance(self, account: str) -> Balance:
        rows, now = await self.rows(), self._clock.now()
        found = {one.account: one for one in wire.balances_of(rows, self._environment, now)}
        if account not in found:
            raise NotFoundError("account", account, tuple(found))
        return found[account]


def _step(currency: Currency) -> Decimal:
    return Decimal(1).scaleb(-currency.digits)
