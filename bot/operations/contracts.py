"""Contracts on how a price will go: what one costs now, and buying exactly that."""

from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING

from bot.access.model import Person
from bot.approvals.model import Kind
from bot.approvals.service import Wish
from bot.clock import Clock
from bot.errors import InputError
from bot.money import Currency
from bot.operations.adapters import deriv_behind
from bot.operations.connections import Connections
from bot.operations.contract_line import EXAMPLE, Line
from bot.operations.deals import Where
from bot.operations.derivs import DerivDesk
from bot.operations.linked import Connection
from bot.operations.moving.matters import common
from bot.operations.moving.plans import Plan, Planning
from bot.operations.transfers import amount_of

if TYPE_CHECKING:
    from bot.providers.deriv.client import Deriv
    from bot.providers.deriv.wire.proposals import Proposal, Terms


@dataclass(frozen=True, slots=True)
class Priced:
    """What a contract costs, since when, and on which account it would be."""

    connection: Connection
    account: str
    line: Line
    """With the currency it is in, and the connection it was priced through."""
    proposal: "Proposal"
    at: datetime


class ContractDesk:
    """Asks for prices, and makes plans of them."""

    def __init__(self, connections: Connections, derivs: DerivDesk, planning: Planning, clock: Clock) -> None:
        self._connections = connections
        self._derivs = derivs
        self._planning = planning
        self._clock = clock

    async def price(self, person: Person, line: Line) -> Priced:
        """What it costs now.

        Raises:
            InputError: Not like that; the sentence says why.
            NotFoundError: There is no login of that name.
            ProviderError: It is not offered.
        """
        connection = await self._through(person, line.on)
        async with self._connections.session(connection) as provider:
            binary = deriv_behind(provider, "contracts")
            account, terms = await _terms(binary, line)
            proposal = await binary.options.price(terms)
        wanted = replace(line, currency=terms.currency.code, on=connection.name)
        return Priced(connection, account, wanted, proposal, self._clock.now())

    async def buying(self, by: Person, priced: Priced, where: Where) -> Plan:
        """Buy what was priced, for no more than it cost then.

        Raises:
            InputError: It costs more than the amount that was said, by which the policy and its limits go.
        """
        line, proposal = priced.line, priced.proposal
        said = amount_of(line.amount, line.currency)
        if proposal.price.amount > said.amount:
            raise InputError(f"it costs {proposal.price}, and {said} is what would be signed for", EXAMPLE)
        parameters = {
            **common(priced.connection),
            "account": priced.account,
            "target": line.symbol,
            "symbol": line.symbol,
            "type": "contract",
            "contract_type": line.contract_type,
            "basis": line.basis,
            "amount": line.amount,
            "currency": line.currency,
            "price": proposal.price.text(),
            "proposal": proposal.id,
            "proposed_at": priced.at.isoformat(),
            **({"duration": line.lasts} if line.lasts else {}),
            **dict(zip(("barrier", "barrier2"), line.barriers, strict=False)),
            **({"multiplier": line.multiplier} if line.multiplier else {}),
        }
        return await self._planning.plan(
            by, priced.connection, Wish(Kind.ORDER, parameters, where.asked_in, where.chat_id)
        )

    async def _through(self, person: Person, word: str) -> Connection:
        found = await self._derivs.could_be(person, word or None, lambda one: one.may_act(person))
        return found[0]


async def _terms(binary: "Deriv", line: Line) -> tuple[str, "Terms"]:
    """On which account, and in the provider's terms; the account's currency where none was said."""
    from bot.providers.deriv.wire.proposals import CONTRACT_TYPES, Basis, Terms, Unit

    session = await binary.line.logged_in()
    own = session.own
    if own.currency is None:
        raise InputError(f"{own.id} has no currency yet; choose one at Deriv first", EXAMPLE)
    if line.currency and Currency.of(line.currency) != own.currency:
        raise InputError(f"{own.id} is kept in {own.currency}", EXAMPLE.replace("USD", own.currency.code))
    if line.contract_type not in CONTRACT_TYPES:
        raise InputError("Deriv sells no such contract", EXAMPLE)
    money = amount_of(line.amount, own.currency.code)
    terms = Terms(
        line.contract_type,
        line.symbol,
        own.currency,
        money.amount,
        Basis(line.basis),
        lasts=int(line.lasts[:-1]) if line.lasts else None,
        unit=Unit(line.lasts[-1]) if line.lasts else Unit.MINUTES,
        barrier=line.barriers[0] if line.barriers else None,
        barrier2=line.barriers[1] if len(line.barriers) > 1 else None,
        multiplier=Decimal(line.multiplier) if line.multiplier else None,
    )
    return own.id, terms
