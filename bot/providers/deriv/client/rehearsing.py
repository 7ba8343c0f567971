"""What is asked of Deriv before money leaves, and moves nothing: dry runs, lists of payees, and codes by mail."""

import logging
from datetime import datetime, timedelta
from decimal import Decimal

from bot.errors import (
    BusyError,
    CodeAwaitedError,
    ConflictError,
    FaultError,
    InputError,
    RefusedError,
    ScopeMissingError,
    UnreachableError,
)
from bot.providers.acts import Act, ActKind, PayWay
from bot.providers.deriv.client import payments
from bot.providers.deriv.client.line import DerivLine
from bot.providers.deriv.client.payments import Rehearsed
from bot.providers.deriv.wire import agents, grammar, opening, profile
from bot.providers.deriv.wire.grammar import NAME, Body, Call, Request, ask
from bot.providers.deriv.wire.reasons import in_words
from bot.secret import Secret

MAILED_EVERY = timedelta(minutes=10)
LISTING = ask(Call.TRANSFER_BETWEEN_ACCOUNTS)
"""Without accounts and amount it moves nothing, and lists between which it could."""
_log = logging.getLogger(__name__)


class Rehearsing:
    """Looks before the seam leaps. Keeps the codes from the mail until they are used, in this process only."""

    def __init__(self, line: DerivLine) -> None:
        self._line = line
        self._codes: dict[str, Secret] = {}
        self._mailed_at: dict[str, datetime] = {}

    def take_code(self, request_id: str, code: Secret) -> None:
        """It came by mail, for that request."""
        self._codes[request_id] = code

    def used_code(self, request_id: str) -> Secret | None:
        """The code of that request, which is good for this one sending."""
        return self._codes.pop(request_id, None)

    async def agent(self, act: Act, loginid: str | None) -> str:
        """The name of the payment agent that is to pay out. `InputError` where Deriv lists none who would."""
        _, body = await self._line.read(profile.build_get_settings().of(loginid))
        country = profile.parse_get_settings(body).country_code
        currency = act.amount.currency.code if act.amount is not None else None
        _, body = await self._line.read(agents.build_paymentagent_list(country, currency))
        found = [one for one in agents.parse_paymentagent_list(body).items if one.account == act.target and one.name]
        if not found:
            raise InputError(f"Deriv lists no payment agent {act.target} for {currency} where this account lives", "")
        (agent, *_) = found
        name, amount = " ".join(agent.name.split()), act.amount.amount if act.amount is not None else Decimal(0)
        if agent.least is not None and amount < agent.least:
            raise InputError(f"{name} pays out at least {agent.least} {currency}", f"{agent.least} {currency}")
        if agent.most is not None and amount > agent.most:
            raise InputError(f"{name} pays out at most {agent.most} {currency}", f"{agent.most} {currency}")
        return name

    async def listed(self, loginid: str | None) -> list[tuple[str, str]]:
        """Accounts, with their currencies, between which a person's money can go."""
        return payments.parse_own(await self._once(LISTING.of(loginid)))

    async def check_own(self, act: Act, loginid: str | None) -> None:
        """`InputError` where the money would leave its person."""
        listed = {number for number, _ in await self.listed(loginid)}
        if act.target not in listed:
            others = ", ".join(sorted(listed - {act.account})) or "none"
            raise InputError(f"{act.target} is no other account of {act.account}'s owner; there are: {others}", "")

    async def is_done(self, act: Act, request: Request, loginid: str | None) -> bool:
        """Whether Deriv did what it was only to look at. What stands against the act is raised."""
        if act.kind is not ActKind.TRANSFER:
            return False
        way = payments.way_of(act)
        if way is PayWay.OWN:
            await self.check_own(act, loginid)
            return False
        if way is PayWay.PAYOUT:
            request = payments.with_code(request, (await self._code(act)).reveal())
        rehearsed = await self.rehearse(act, request)
        signed = act.parameters.get("payee", "")
        if not rehearsed.done and rehearsed.name != signed:
            raise ConflictError(f"Deriv now names the payee {rehearsed.name}, and not {signed or 'anybody'} as signed")
        return rehearsed.done

    async def rehearse(self, act: Act, request: Request) -> Rehearsed:
        """What the dry run of a payment says. `CodeAwaitedError` where its code is not the one that was mailed."""
        try:
            body = await self._once(payments.dry(request))
        except RefusedError as error:
            if error.code == "InvalidToken" and self._codes.pop(act.request_id, None) is not None:
                raise CodeAwaitedError(NAME, self._line.clock.now().isoformat(), is_wrong=True) from None
            raise
        rehearsed = payments.parse_rehearsal(body, act)
        if rehearsed.done:
            _log.error("a dry run was carried out", extra={"act": act.request_id})
        return rehearsed

    async def _code(self, act: Act) -> Secret:
        """The code from the mail. When there is none, it is mailed and waited for: `CodeAwaitedError`."""
        found, now = self._codes.get(act.request_id), self._line.clock.now()
        if found is not None:
            return found
        mailed_at = self._mailed_at.get(act.request_id)
        if mailed_at is None or now - mailed_at >= MAILED_EVERY:
            session = await self._line.logged_in()
            if not session.email:
                raise InputError("Deriv does not tell where it would mail the code", "")
            await self._once(opening.build_verify_email(session.email, opening.Purpose.PAYMENT_AGENT))
            self._mailed_at[act.request_id] = mailed_at = now
        raise CodeAwaitedError(NAME, mailed_at.isoformat())

    async def _once(self, request: Request) -> Body:
        """The answer, when it is no refusal. Asked once, although it moves nothing: a provider that did what it was
        only to look at is not asked for it twice.

        Raises:
            InputError: Deriv would refuse it for good.
            ProviderError: It could not be asked, or cannot be done now.
        """
        await self._line.pace(request.call)
        session = await self._line.logged_in()
        number = self._line.number()
        body = await self._line.send(request.frame(number).encode(), number)
        refused = grammar.refusal(request.call, body)
        code = payments.refusal_in(body)
        if refused is None or code is None:
            return body
        refused = session.weighed(request.call, refused)
        if code in payments.LOGGED_OUT:
            await self._line.forget_login()
            raise UnreachableError(NAME, code)
        passing = isinstance(refused, ScopeMissingError | BusyError | FaultError) or code == "InvalidToken"
        if passing or code not in payments.BEFORE_ANY_EFFECT:
            raise refused
        raise InputError(f"Deriv would refuse it: {in_words(code)}", "")
