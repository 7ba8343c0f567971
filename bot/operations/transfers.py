"""Transfers: from an account of a connection to somebody in the book of beneficiaries."""

from dataclasses import replace
from datetime import datetime

from bot.access.model import Person, Right
from bot.approvals.model import Kind, Request
from bot.approvals.policy.model import Act as Named
from bot.approvals.service import Shown, Wish
from bot.errors import InputError, NotAllowedError, NotFoundError, ProviderError
from bot.money import Currency, Money
from bot.operations import beneficiaries
from bot.operations.beneficiaries import Beneficiary
from bot.operations.connections import Connections
from bot.operations.linked import Connection
from bot.operations.moving.matters import Aspects, Parameters, common, money_in, where
from bot.operations.moving.plans import Plan, Planning
from bot.providers.base import Act, ActKind
from bot.providers.records import Balance
from bot.store import Database

NOTE_LENGTH = 140
_READ_SECONDS = 8.0


class TransferMatter:
    """Fits `bot.operations.moving.matters.Matter`."""

    def aspects(self, parameters: Parameters) -> Aspects:
        return Aspects(Named.TRANSFER, parameters["account"], parameters["beneficiary"], money_in(parameters))

    def act(self, request_id: str, parameters: Parameters) -> Act:
        words = {"narrative": parameters["note"]} if parameters.get("note") else {}
        return Act(
            request_id, ActKind.TRANSFER, parameters["account"], money_in(parameters), parameters["target"], words
        )

    def lines(self, parameters: Parameters) -> tuple[str, ...]:
        note = (f"For: {parameters['note']}",) if parameters.get("note") else ()
        return (
            f"Transfer {money_in(parameters)}",
            f"from {parameters['account']} ({where(parameters)})",
            f"to {parameters['beneficiary']}, {parameters['target']}",
            *note,
        )

    def masked(self, parameters: Parameters) -> tuple[str, ...]:
        return (f"A transfer through {where(parameters)}.",)


class Transfers:
    """From words to a plan."""

    def __init__(self, database: Database, connections: Connections, planning: Planning) -> None:
        self._database = database
        self._connections = connections
        self._planning = planning

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
            and ActKind.WITHDRAWAL_DECISION not in one.spec.acts
        ]

    async def book(self, provider: str) -> list[Beneficiary]:
        """Whom money may go to at a provider, now or soon."""
        return await self._database.read(lambda tables: beneficiaries.listed(tables, provider))

    async def accounts(self, connection: Connection) -> tuple[Balance, ...]:
        """What there is to send from, as of now. `ProviderError`."""
        async with self._connections.session(connection, seconds=_READ_SECONDS) as provider:
            return (await provider.balances()).items

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
        payee = named(await self.book(connection.provider), to)
        if payee.currency is not None and payee.currency != money.currency:
            raise InputError(f"{payee.name} takes {payee.currency} only", f"250.00 {payee.currency}")
        parameters = {
            **common(connection),
            "account": account,
            "target": payee.account,
            "beneficiary": payee.name,
            "amount": money.text(),
            "currency": money.currency.code,
            **({"note": note} if note else {}),
        }
        plan = await self._planning.plan(by, connection, Wish(Kind.TRANSFER, parameters, asked_in, chat_id))
        held, held_at = await self._held(connection, account, money)
        return replace(plan, held=held, held_at=held_at)

    async def ask(self, by: Person, wish: Wish, *, telegram_id: int, shown: Shown | None = None) -> Request:
        """Open the request that a plan stands for. As `Approvals.ask`."""
        return await self._planning.ask(by, wish, telegram_id=telegram_id, shown=shown)

    async def _held(self, connection: Connection, account: str, money: Money) -> tuple[Money | None, datetime | None]:
        """What the source holds. A provider that does not say is no hindrance: it will refuse what it cannot do."""
        try:
            accounts = await self.accounts(connection)
        except ProviderError:
            return None, None
        held = check_funds(accounts, account, money)
        return held.available or held.amount, held.as_of


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
