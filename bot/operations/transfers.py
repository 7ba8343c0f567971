"""Transfers: from an account of a connection to somebody in the book of beneficiaries, or to another own account."""

import contextlib
from dataclasses import replace
from datetime import UTC, datetime

from bot.access.model import Person, Right
from bot.approvals.model import Kind, Request
from bot.approvals.policy.model import Act as Named
from bot.approvals.service import Shown, Wish
from bot.errors import (
    InputError,
    NotAllowedError,
    NotFoundError,
    OwnerSuspendedError,
    ProviderError,
    RecordUnreadableError,
)
from bot.money import Currency, Money
from bot.operations import beneficiaries
from bot.operations.beneficiaries import Beneficiary
from bot.operations.connections import Connections
from bot.operations.linked import Connection
from bot.operations.moving.matters import Aspects, Parameters, common, money_in, where
from bot.operations.moving.plans import Plan, Planning
from bot.providers.acts import Act, ActKind, KnowsOwn, NamesPayees, PaysFromSome, PayWay
from bot.providers.records import Account, Balance, Power
from bot.providers.registry import provider_named
from bot.store import Database

NOTE_LENGTH = 140
_READ_SECONDS = 8.0
_NAMED_SECONDS = 20.0


_FIRST = {
    PayWay.BOOK: "Transfer {}",
    PayWay.OWN: "Transfer {} between own accounts",
    PayWay.AGENT: "Pay {} to a client, as payment agent",
    PayWay.PAYOUT: "Pay {} out through a payment agent",
}
_CODE = "Once this is approved, a code is mailed to the owner of the account; /payout code hands it in."


class TransferMatter:
    """Fits `bot.operations.moving.matters.Matter`.

    Parameters beside the common ones: `account`, `target`, `amount`, `currency`; `beneficiary`, but between own
    accounts; `note`; `way`, where it is not the plain one; `payee`, as the provider names whom it would pay; `into`,
    the currency it arrives in where that is another.
    """

    def aspects(self, parameters: Parameters) -> Aspects:
        to = parameters.get("beneficiary", parameters["target"])
        return Aspects(Named.TRANSFER, parameters["account"], to, money_in(parameters))

    def act(self, request_id: str, parameters: Parameters) -> Act:
        words = {key: parameters[key] for key in ("way", "payee") if key in parameters}
        if parameters.get("note"):
            words["narrative"] = parameters["note"]
        return Act(
            request_id, ActKind.TRANSFER, parameters["account"], money_in(parameters), parameters["target"], words
        )

    def lines(self, parameters: Parameters) -> tuple[str, ...]:
        way = PayWay(parameters.get("way", PayWay.BOOK))
        to = parameters["target"] if way is PayWay.OWN else f"{parameters['beneficiary']}, {parameters['target']}"
        lines = [
            _FIRST[way].format(money_in(parameters)),
            f"from {parameters['account']} ({where(parameters)})",
            f"to {to}",
        ]
        if parameters.get("payee"):
            title = provider_named(parameters["provider"]).title
            lines.append(f"Payee, as {title} names it: {parameters['payee']}")
        if "into" in parameters:
            lines.append(f"It arrives in {parameters['into']}, at the provider's own rate and less its fee.")
        if parameters.get("note"):
            lines.append(f"For: {parameters['note']}")
        return (*lines, *([_CODE] if way is PayWay.PAYOUT else []))

    def masked(self, parameters: Parameters) -> tuple[str, ...]:
        return (f"A transfer through {where(parameters)}.",)


class Transfers:
    """From words to a plan."""

    def __init__(
        self,
        database: Database,
        connections: Connections,
        planning: Planning,
        ways: frozenset[PayWay] = frozenset({PayWay.BOOK, PayWay.OWN}),
    ) -> None:
        """`ways`: the only ones that are gone here; no provider has two of them."""
        self._database = database
        self._connections = connections
        self._planning = planning
        self._ways = ways

    async def through(self, person: Person) -> list[Connection]:
        """The connections this person may move money through by a transfer. Where a desk keeps its clients' money,
        it is booked, not transferred."""
        if not person.may(Right.ASK):
            raise NotAllowedError(Right.ASK)
        return [
            one
            for one in await self._connections.visible_to(person)
            if one.may_act(person)
            and ActKind.TRANSFER in one.spec.acts
            and one.spec.ways & self._ways
            and ActKind.WITHDRAWAL_DECISION not in one.spec.acts
            and _may_pay(one)
        ]

    def way(self, connection: Connection) -> PayWay:
        """By which money leaves it here."""
        (way,) = connection.spec.ways & self._ways
        return way

    async def payees(self, connection: Connection, account: str = "") -> list[Beneficiary]:
        """Whom money may go to, now or soon: those in the book; or the other accounts of whose `account` is.

        Raises:
            ProviderError: These are not known.
        """
        if self.way(connection) is not PayWay.OWN:
            return await self._database.read(lambda tables: beneficiaries.listed(tables, connection.provider))
        async with self._connections.session(connection, seconds=_READ_SECONDS) as provider:
            seam: object = provider.money
            if not isinstance(seam, KnowsOwn):
                return []
            source = account or (await provider.accounts()).items[0].id
            return [_own(connection.provider, one) for one in await seam.own(source)]

    async def payees_of_any(self, connections: list[Connection]) -> list[Beneficiary]:
        """The same of several; one that does not answer hides nobody else's."""
        found: dict[tuple[str, str], Beneficiary] = {}
        for connection in connections:
            with contextlib.suppress(ProviderError, RecordUnreadableError, OwnerSuspendedError):
                found |= {(one.provider, one.account): one for one in await self.payees(connection)}
        return list(found.values())

    async def accounts(self, connection: Connection) -> tuple[Balance, ...]:
        """What there is to send from, as of now. `ProviderError`."""
        async with self._connections.session(connection, seconds=_READ_SECONDS) as provider:
            return (await provider.balances()).items

    async def payers(self, connection: Connection) -> frozenset[str] | None:
        """The accounts that this login could send from; None where it could from all that it shows. `ProviderError`."""
        async with self._connections.session(connection, seconds=_READ_SECONDS) as provider:
            seam: object = provider.money
            return await seam.payers() if isinstance(seam, PaysFromSome) else None

    async def plan(
        self,
        by: Person,
        connection: Connection,
        account: str,
        to: str,
        amount: str,
        currency: str,
        note: str,
        *,
        asked_in: str | None = None,
        chat_id: int | None = None,
    ) -> Plan:
        """Look at a wish from every side; nobody is asked, and nothing is written.

        Raises:
            InputError: The amount, or the note, is none; or the account holds less.
            NotFoundError: No such account or beneficiary; `known` lists what there is.
            CountersignError: What else stands against it.
        """
        money = amount_of(amount, currency)
        check_note(note)
        way = self.way(connection)
        payee = named(await self.payees(connection, account), to)
        converted = payee.currency is not None and payee.currency != money.currency
        if converted and way is not PayWay.OWN:
            raise InputError(f"{payee.name} takes {payee.currency} only", f"250.00 {payee.currency}")
        parameters = {
            **common(connection),
            "account": account,
            "target": payee.account,
            **({"beneficiary": payee.name} if way is not PayWay.OWN else {}),
            "amount": money.text(),
            "currency": money.currency.code,
            **({"note": note} if note else {}),
            **({"way": way.value} if way is not PayWay.BOOK else {}),
            **({"into": payee.currency.code} if converted and payee.currency is not None else {}),
        }
        wish = Wish(Kind.TRANSFER, parameters, asked_in, chat_id)
        plan = await self._planning.plan(by, connection, wish)
        if way is not PayWay.BOOK:  # only what may be asked for is looked up
            told = await self._named_by_provider(connection, parameters)
            if told:
                wish = replace(wish, parameters={**parameters, "payee": told})
                plan = await self._planning.plan(by, connection, wish)
        held, held_at = await self._held(connection, account, money)
        return replace(plan, held=held, held_at=held_at)

    async def ask(self, by: Person, wish: Wish, *, telegram_id: int, shown: Shown | None = None) -> Request:
        """Open the request that a plan stands for. As `Approvals.ask`."""
        return await self._planning.ask(by, wish, telegram_id=telegram_id, shown=shown)

    async def _named_by_provider(self, connection: Connection, parameters: Parameters) -> str:
        """Whom the provider says that it would pay; empty where it names nobody. It may refuse the transfer already."""
        async with self._connections.session(connection, seconds=_NAMED_SECONDS) as provider:
            seam: object = provider.money
            return await seam.payee(TransferMatter().act("", parameters)) if isinstance(seam, NamesPayees) else ""

    async def _held(self, connection: Connection, account: str, money: Money) -> tuple[Money | None, datetime | None]:
        """What the source holds. A provider that does not say is no hindrance: it will refuse what it cannot do."""
        try:
            accounts = await self.accounts(connection)
        except ProviderError:
            return None, None
        held = check_funds(accounts, account, money)
        return held.available or held.amount, held.as_of


def _may_pay(connection: Connection) -> bool:
    """Whether its login can, as far as is known; one that was never looked at is tried."""
    return not connection.powers or Power.PAY_OUT in connection.powers | connection.untold


def _own(provider: str, account: Account) -> Beneficiary:
    """An own account, as somebody that money can go to at any time."""
    return Beneficiary(
        0, provider, account.id, account.name or account.id, account.currency, datetime.min.replace(tzinfo=UTC)
    )


def amount_of(text: str, currency: str) -> Money:
    """An amount above nought, digit for digit as it was written (M60). `InputError`."""
    try:
        known = Currency.of(currency)
    except ValueError:
        raise InputError(f"{currency[:20]} is no currency", "250.00 USD") from None
    money = Money.parse(text, known)
    if money.amount == 0:
        raise InputError("an amount is above nought", f"250.00 {money.currency}")
    return money


def check_note(note: str) -> None:
    """`InputError` for one that is too long, or has something hidden in it."""
    if not note.isprintable():
        raise InputError("a note is one line of letters that can be seen", "Invoice 4711")
    if len(note) > NOTE_LENGTH:
        raise InputError(f"a note has at most {NOTE_LENGTH} characters, and this one has {len(note)}", "Invoice 4711")


def check_funds(accounts: tuple[Balance, ...], account: str, money: Money) -> Balance:
    """The account that holds as much.

    Raises:
        NotFoundError: There is no such account.
        InputError: It holds another currency, or less.
    """
    there = [one for one in accounts if one.account == account]
    if not there:
        raise NotFoundError("account", account, sorted({one.account for one in accounts}))
    held = next((one for one in there if one.amount.currency == money.currency), None)
    if held is None:
        other = there[0].amount.currency
        raise InputError(f"{account} holds {other}, not {money.currency}", f"250.00 {other}")
    free = held.available or held.amount
    if free.amount < money.amount:
        raise InputError(f"{account} holds {free} now, which is less than {money}; nothing was asked for", "")
    return held


def named(book: list[Beneficiary], word: str) -> Beneficiary:
    """By name or by account. `NotFoundError` lists who is in the book."""
    for one in book:
        if word.casefold() in (one.name.casefold(), one.account.casefold()):
            return one
    raise NotFoundError("beneficiary", word, tuple(one.name for one in book))
