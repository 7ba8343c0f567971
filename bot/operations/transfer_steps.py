"""A transfer, put together step by step: what is known so far, what follows from it, and what to ask next.

What has one answer only is not asked. A sketch is plain texts, so that it can lie in a row between two steps.
"""

import contextlib
import re
from dataclasses import dataclass, replace
from enum import StrEnum

from bot.access.model import Person
from bot.errors import InputError, NotFoundError, ProviderError
from bot.operations.beneficiaries import Beneficiary
from bot.operations.linked import Connection
from bot.operations.moving.plans import Plan
from bot.operations.transfer_line import Line
from bot.operations.transfer_line import read as apart
from bot.operations.transfers import Transfers, amount_of, check_funds, check_note, named
from bot.providers.acts import PayWay
from bot.providers.records import Balance

_EXAMPLE = "/transfer 250.00 USD from 9120000001 to Harbour for Invoice 4711"
_ENDING = 4


class Asking(StrEnum):
    """What the next question is about."""

    CONNECTION = "connection"
    ACCOUNT = "account"
    BENEFICIARY = "beneficiary"
    AMOUNT = "amount"
    NOTE = "note"


@dataclass(frozen=True, slots=True)
class Sketch:
    """What is known so far; empty where nothing is. `note` is None while nobody was asked for one."""

    connection: str = ""
    account: str = ""
    to: str = ""
    amount: str = ""
    currency: str = ""
    note: str | None = None


@dataclass(frozen=True, slots=True)
class Step:
    """The next question, and what there is to choose from."""

    asking: Asking
    sketch: Sketch
    connections: tuple[Connection, ...] = ()
    accounts: tuple[Balance, ...] = ()
    payees: tuple[Beneficiary, ...] = ()
    account: Balance | None = None
    """The one it goes from, where that is known."""

    @property
    def values(self) -> list[str]:
        """What each choice stands for, in order; an empty text: nothing."""
        return [
            *(one.name for one in self.connections),
            *(one.account for one in self.accounts),
            *(one.account for one in self.payees),
            *([""] if self.asking is Asking.NOTE else ()),
        ]


class TransferSteps:
    """The conversation, without its words."""

    def __init__(self, transfers: Transfers) -> None:
        self._transfers = transfers

    async def sketched(self, by: Person, words: list[str]) -> Sketch:
        """What one line says.

        Raises:
            NotFoundError: A connection, account or beneficiary that is none.
            InputError: An amount or note that is none; or it could be several accounts.
        """
        line = apart(words)
        check_note(line.note)
        if line.amount and line.currency:
            amount_of(line.amount, line.currency)
        elif " " in line.amount:
            raise InputError(
                "one line begins with the amount and its currency; say from, to and for before what follows", _EXAMPLE
            )
        sketch = Sketch(amount=line.amount, currency=line.currency, note=line.note if words else None)
        if line.source:
            connection, account = await self._source(by, line)
            sketch = replace(sketch, connection=connection, account=account)
        if line.to:
            sketch = replace(sketch, to=await self._payee(by, sketch, line.to))
        return sketch

    async def next(
        self, by: Person, sketch: Sketch, *, asked_in: str | None = None, chat_id: int | None = None
    ) -> Step | Plan:
        """The next question; or, when nothing is missing, the plan. Raises as `Transfers.plan`."""
        connections = await self._transfers.through(by)
        if not connections:
            raise NotFoundError("connection to send from", "")
        chosen = [one for one in connections if one.name == sketch.connection] or connections
        if len(chosen) > 1:
            return Step(Asking.CONNECTION, sketch, connections=tuple(chosen))
        connection = chosen[0]
        sketch = replace(sketch, connection=connection.name)
        try:
            accounts = await self._transfers.accounts(connection)
        except ProviderError:
            if not sketch.account:
                raise
            accounts = ()
        if not sketch.account:
            able = await self._transfers.payers(connection)
            payers = tuple(one for one in accounts if able is None or one.account in able)
            fitting = tuple(one for one in payers if sketch.currency in ("", one.amount.currency.code))
            if len(fitting) != 1:
                return Step(Asking.ACCOUNT, sketch, accounts=fitting or payers)
            sketch = replace(sketch, account=fitting[0].account)
        account = next((one for one in accounts if one.account == sketch.account), None)
        if not sketch.currency and account is not None:
            sketch = replace(sketch, currency=account.amount.currency.code)
        if sketch.amount and sketch.currency and accounts:
            check_funds(accounts, sketch.account, amount_of(sketch.amount, sketch.currency))
        if not sketch.to:
            return Step(Asking.BENEFICIARY, sketch, payees=await self._payees(connection, sketch), account=account)
        if not sketch.amount or not sketch.currency:
            return Step(Asking.AMOUNT, sketch, account=account)
        if sketch.note is None:
            return Step(Asking.NOTE, sketch, account=account)
        return await self._transfers.plan(
            by,
            connection,
            sketch.account,
            sketch.to,
            sketch.amount,
            sketch.currency,
            sketch.note,
            asked_in=asked_in,
            chat_id=chat_id,
        )

    async def answered(self, by: Person, sketch: Sketch, asking: str, text: str) -> Sketch:
        """The sketch with one answer more, typed or tapped.

        Raises:
            NotFoundError, InputError: It is none.
            ProviderError: It could not be looked up.
        """
        match Asking(asking):
            case Asking.CONNECTION:
                found = _connections_called(await self._transfers.through(by), text)
                if len(found) != 1:
                    raise NotFoundError("connection", text, [one.name for one in await self._transfers.through(by)])
                return replace(sketch, connection=found[0].name)
            case Asking.ACCOUNT:
                connection = await self._connection(by, sketch)
                return replace(sketch, account=await self._account(connection, text))
            case Asking.BENEFICIARY:
                return replace(sketch, to=await self._payee(by, sketch, text))
            case Asking.AMOUNT:
                line = apart(text.split())
                if line.source or line.to or line.note:
                    raise InputError("an amount is plain digits with at most one point", f"250.00 {line.currency}")
                currency = line.currency or sketch.currency
                amount_of(line.amount, currency)
                return replace(sketch, amount=line.amount, currency=currency)
            case Asking.NOTE:
                note = " ".join(text.split())
                check_note(note)
                return replace(sketch, note=note)

    async def _source(self, by: Person, line: Line) -> tuple[str, str]:
        """The connection and the account that some words name."""
        connections, words = await self._transfers.through(by), list(line.source)
        called = [one for word in words[:1] for one in _connections_called(connections, word)]
        if called:
            connections, words = called, words[1:]
        if not words:
            return (connections[0].name if len(connections) == 1 else ""), ""
        wanted, found = " ".join(words), list[tuple[Connection, str]]()
        last = NotFoundError("account", wanted)
        for connection in connections:
            try:
                found.append((connection, await self._account(connection, wanted)))
            except NotFoundError as error:
                last = NotFoundError("account", wanted, (*last.known, *error.known))
        if len(found) > 1:  # several logins of one person may show it, and one of them send from it
            found = [one for one in found if await self._could_pay(*one)] or found
        if len(found) > 1:
            both = ", ".join(connection.name for connection, _ in found)
            raise InputError(f"{wanted} could be of {both}; say which", f"from {found[0][0].name} {wanted}")
        if not found:
            raise last
        connection, account = found[0]
        return connection.name, account

    async def _could_pay(self, connection: Connection, account: str) -> bool:
        """Also where that cannot be asked just now."""
        with contextlib.suppress(ProviderError):
            able = await self._transfers.payers(connection)
            return able is None or account in able
        return True

    async def _account(self, connection: Connection, word: str) -> str:
        """By its number, its name, or the end of its number, as /balance shows it.

        A number is taken as it is while the provider does not answer.
        """
        try:
            accounts = await self._transfers.accounts(connection)
        except ProviderError:
            numbering = connection.spec.payees
            if word.isascii() and word.isalnum() and (numbering is None or re.fullmatch(numbering.pattern, word)):
                return word
            raise
        said, ending = word.casefold(), word.removeprefix("…")
        for called in (
            {one.account for one in accounts if one.account.casefold() == said},  # before who is named like that
            {one.account for one in accounts if one.name.casefold() == said},
            {one.account for one in accounts if len(ending) >= _ENDING and one.account.endswith(ending)},
        ):
            if len(called) == 1:
                return called.pop()
            if called:
                break
        known = [one.account if one.name in ("", one.account) else f"{one.account} {one.name}" for one in accounts]
        raise NotFoundError("account", word, known)

    async def _connection(self, by: Person, sketch: Sketch) -> Connection:
        found = [one for one in await self._transfers.through(by) if one.name == sketch.connection]
        if not found:
            raise NotFoundError("connection", sketch.connection)
        return found[0]

    async def _payees(self, connection: Connection, sketch: Sketch) -> tuple[Beneficiary, ...]:
        book = await self._transfers.payees(connection, sketch.account)
        if self._transfers.way(connection) is PayWay.OWN:
            if not book:
                raise InputError(f"{connection.name} has no other account that money could go to", "")
            return tuple(book)
        fitting = [one for one in book if one.currency is None or sketch.currency in ("", one.currency.code)]
        if not fitting:
            raise InputError(
                f"nobody is in the book of beneficiaries for {connection.spec.title} yet; /beneficiaries shows how one"
                " is added",
                "",
            )
        return tuple(fitting)

    async def _payee(self, by: Person, sketch: Sketch, word: str) -> str:
        """The account of a beneficiary of the connection, or of any it could be."""
        through = await self._transfers.through(by)
        chosen = [one for one in through if one.name == sketch.connection] or through
        if len(chosen) == 1:
            return named(await self._transfers.payees(chosen[0], sketch.account), word).account
        return named(await self._transfers.payees_of_any(chosen), word).account


def _connections_called(connections: list[Connection], word: str) -> list[Connection]:
    wanted = word.lower()
    return [one for one in connections if wanted in (one.label, one.provider, one.name)]
