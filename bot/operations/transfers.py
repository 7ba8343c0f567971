"""Transfers: from an account of a connection to somebody in the book of beneficiaries."""

from dataclasses import dataclass
from datetime import datetime

from bot.access.model import Person, Right
from bot.approvals.model import Kind, Request
from bot.approvals.policy.model import Act as Named
from bot.approvals.service import Approvals, Shown, Wish
from bot.clock import Clock
from bot.errors import InputError, NotAllowedError, NotFoundError, ProviderError
from bot.money import Currency, Money
from bot.operations import beneficiaries
from bot.operations.beneficiaries import Beneficiary
from bot.operations.connections import Connections
from bot.operations.linked import Connection
from bot.operations.moving.guarding import Guarding, Judged
from bot.operations.moving.matters import Aspects, Parameters, common, money_in, where
from bot.providers.base import Act, ActKind
from bot.store import Database

NOTE_LENGTH = 140


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


@dataclass(frozen=True, slots=True)
class Plan:
    """A transfer as it would be asked for, with what stands between it and the money."""

    connection: Connection
    wish: Wish
    judged: Judged
    held: Money | None
    """What the account holds, when it could be read."""
    held_at: datetime | None = None


class Transfers:
    """From words to a request."""

    def __init__(
        self, database: Database, connections: Connections, guarding: Guarding, approvals: Approvals, clock: Clock
    ) -> None:
        self._database = database
        self._connections = connections
        self._guarding = guarding
        self._approvals = approvals
        self._clock = clock
        self.matter = TransferMatter()

    async def through(self, person: Person) -> list[Connection]:
        """The connections this person may move money through by a transfer."""
        if not person.may(Right.ASK):
            raise NotAllowedError(Right.ASK)
        visible = await self._connections.visible_to(person)
        return [one for one in visible if one.may_act(person) and ActKind.TRANSFER in one.spec.acts]

    async def book(self, provider: str) -> list[Beneficiary]:
        """Whom money may go to at a provider, now or soon."""
        return await self._database.read(lambda tables: beneficiaries.listed(tables, provider))

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
            NotFoundError: No such beneficiary; `known` lists who is in the book.
            CountersignError: What else stands against it.
        """
        money = Money.parse(amount, _currency(currency))
        if money.amount == 0:
            raise InputError("an amount is above nought", f"250.00 {money.currency}")
        if len(note) > NOTE_LENGTH:
            raise InputError(f"a note has at most {NOTE_LENGTH} characters", "Invoice 4711")
        if not note.isprintable():
            raise InputError("a note is one line of letters that can be seen", "Invoice 4711")
        book = await self.book(connection.provider)
        payee = _named(book, to)
        parameters = {
            **common(connection),
            "account": account,
            "target": payee.account,
            "beneficiary": payee.name,
            "amount": money.text(),
            "currency": money.currency.code,
            **({"note": note} if note else {}),
        }
        judged = await self._database.read(lambda tables: self._guarding.judged(tables, self.matter, by, parameters))
        held, held_at = await self._held(connection, account, money.currency)
        if held is not None and held.amount < money.amount:
            raise InputError(f"{account} holds {held} now, which is less than {money}", f"{held}")
        return Plan(connection, Wish(Kind.TRANSFER, parameters, asked_in, chat_id), judged, held, held_at)

    async def ask(self, by: Person, wish: Wish, *, telegram_id: int, shown: Shown | None = None) -> Request:
        """Open the request that a plan stands for. As `Approvals.ask`."""
        return await self._approvals.ask(by, wish, telegram_id=telegram_id, shown=shown)

    async def _held(
        self, connection: Connection, account: str, currency: Currency
    ) -> tuple[Money | None, datetime | None]:
        """What the source holds. A provider that does not say is no hindrance: it will refuse what it cannot do."""
        try:
            async with self._connections.session(connection, seconds=8.0) as provider:
                reading = await provider.balances()
        except ProviderError:
            return None, None
        for one in reading.items:
            if one.account == account and one.amount.currency == currency:
                return one.available or one.amount, one.as_of
        if any(one.account == account for one in reading.items):
            held = next(one.amount.currency for one in reading.items if one.account == account)
            raise InputError(f"{account} holds {held}, not {currency}", f"250.00 {held}")
        raise NotFoundError("account", account, sorted({one.account for one in reading.items}))


def _currency(text: str) -> Currency:
    try:
        return Currency.of(text)
    except ValueError:
        raise InputError(f"{text[:20]} is no currency", "250.00 USD") from None


def _named(book: list[Beneficiary], word: str) -> Beneficiary:
    """By name or by account."""
    for one in book:
        if word.casefold() in (one.name.casefold(), one.account.casefold()):
            return one
    raise NotFoundError("beneficiary", word, tuple(one.name for one in book))
