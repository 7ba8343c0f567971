"""How money leaves: a signed transfer, prepared, sent once, and looked for.

`ack` means well-formed, never done. What settles is a signed message: a `transfer` that carries our reference and is
in every field what was approved, or an `error` that names our nonce. An `err` is not signed and settles nothing. A
transfer whose end nobody heard is looked for by statement.

What class a send falls into follows from one fact: whether a byte may have left. `Line.ask` raises `UnreachableError`
before that and only then.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import Protocol

from bot.clock import Clock
from bot.errors import InputError, ProviderError, RefusedError, UnreachableError
from bot.money import Currency
from bot.network.leaving import check_leaving
from bot.network.overhearing import overheard_message
from bot.providers.acts import Absence, Act, ActKind, Evidence, Outcome, Prepared, Receipt
from bot.providers.base import Lend
from bot.providers.cryptocapital import wire
from bot.providers.cryptocapital.hearing import NAME, by_nonce
from bot.providers.cryptocapital.keyline import KeyLine, Params, Question, Turn, signer_of
from bot.providers.cryptocapital.statements import Statement
from bot.providers.cryptocapital.wire import Op, OperationError, Transfer

OVERLAP = timedelta(minutes=5)
"""A statement is asked for from so long before the act (M25)."""
NOTE = "narrative"
"""The act's parameter with the asker's own words; they follow the reference."""


class Login(Protocol):
    """What of the login is needed."""

    currencies: dict[str, Currency]
    numbers: tuple[str, ...]

    async def key_line(self) -> KeyLine: ...

    async def know_currencies(self) -> None: ...

    async def statement_of(self, number: str, *, since: datetime | None = None) -> Statement: ...


class Seam:
    """Fits `bot.providers.acts.MoneySeam`."""

    def __init__(self, login: Login, lend: Lend, clock: Clock) -> None:
        self._login = login
        self._lend = lend
        self._clock = clock
        self._turn: Turn | None = None
        self._prepared: Prepared | None = None

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """Our login's, and everybody's with the same key. It ends with the last byte sent, at the latest."""
        await self._login.know_currencies()
        key = await self._login.key_line()
        async with key.turn() as turn:
            self._turn, self._prepared = turn, None
            try:
                yield
            finally:
                self._end(turn)

    def _end(self, turn: Turn) -> None:
        if self._turn is turn:
            self._turn = self._prepared = None
        turn.end()

    async def prepare(self, act: Act) -> Prepared:
        if self._turn is None:
            raise RuntimeError("an act is prepared in its turn")
        params, reference = self._params(act)
        key = await self._login.key_line()
        async with self._lend() as opened:
            question = await key.compose(signer_of(opened), Op.TRANSFER, params)
        prepared = Prepared(act, reference, question.nonce, question.frame.encode(), self._clock.now())
        self._prepared = prepared
        return prepared

    def _params(self, act: Act) -> tuple[Params, str]:
        """What goes out, and the reference its narrative begins with; `InputError` with what stands against it."""
        example = "250.00 USD from 9120000001 to 9120000002"
        if act.kind is not ActKind.TRANSFER or act.amount is None:
            raise InputError("Crypto Capital makes transfers of an amount, and nothing else", example)
        held = self._login.currencies
        if act.account not in self._login.numbers:
            raise InputError(f"{act.account} is not an account of this login", example)
        if act.account not in held:
            raise UnreachableError(NAME, f"{act.account} has not told its currency")
        for number in (act.account, act.target):
            _check_currency(number, held.get(number), act.amount.currency)
        try:
            reference = wire.reference_of(act.request_id)
            narrative = f"{reference} {act.parameters.get(NOTE, '')}".rstrip()
            return wire.transfer_params(act.account, act.target, act.amount, narrative), reference
        except OperationError as error:
            raise InputError(str(error), example) from None

    async def send(self, prepared: Prepared) -> Receipt:
        turn = self._turn
        if turn is None or prepared.nonce is None or self._prepared != prepared:
            raise RuntimeError("what is sent was prepared in the same turn, and is sent once")
        self._prepared = None
        key = await self._login.key_line()
        question = Question(prepared.nonce, prepared.wire.decode(), (by_nonce(str(prepared.nonce)),))
        key.awaited[prepared.reference] = prepared.nonce
        code = detail = ""
        try:
            check_leaving(NAME)
            await key.ask(question, written=lambda: self._end(turn))
            outcome = Outcome.ACKNOWLEDGED
        except UnreachableError as error:
            return Receipt(Outcome.NOT_SENT, prepared.reference, detail=error.detail)
        except ProviderError as error:
            outcome, detail = Outcome.UNKNOWN, error.detail
            code = error.code if isinstance(error, RefusedError) else ""
        finally:
            key.awaited.pop(prepared.reference, None)
        heard = _heard(key, prepared, self._clock.now())
        if heard is None:
            return Receipt(outcome, prepared.reference, code, detail)
        return Receipt(heard.outcome, heard.reference, detail=heard.detail)

    async def find(self, prepared: Prepared) -> Evidence:
        key = await self._login.key_line()
        heard = _heard(key, prepared, self._clock.now())
        if heard is not None:
            return heard
        statement = await self._login.statement_of(prepared.act.account, since=prepared.prepared_at - OVERLAP)
        return _heard(key, prepared, statement.read_at) or self._not_there(prepared, statement)

    @staticmethod
    def _not_there(prepared: Prepared, statement: Statement) -> Evidence:
        alike = tuple(
            one.id
            for one in statement.transfers
            if not _differing(prepared.act, one) and not wire.reference_in(one.narrative)  # nor another act of ours
        )
        account = statement.account
        absence = Absence(
            looked_at=statement.read_at,
            since_prepared=statement.read_at - prepared.prepared_at,
            answered_later=account is not None,
            balance=account.holding.balance if account is not None else None,
        )
        return Evidence(
            Outcome.UNKNOWN, detail="not in the statement", seen_at=statement.read_at, alike=alike, absence=absence
        )


def _heard(key: KeyLine, prepared: Prepared, now: datetime) -> Evidence | None:
    """What was believably heard of it so far: its failure, or what was booked with its reference."""
    failure = key.failures.get(prepared.nonce or 0)
    if failure is not None:
        return Evidence(Outcome.FAILED, prepared.reference, failure, now)
    act = prepared.act
    ours = [
        one
        for one in key.transfers.values()
        if wire.reference_in(one.narrative) == prepared.reference
        and (one.source, one.target) != (act.target, act.account)  # sent back with our words in it
    ]
    if not ours:
        return None
    ids = ", ".join(sorted(one.id for one in ours))
    if len(ours) > 1:
        return Evidence(Outcome.UNKNOWN, ids, "booked more than once", now, differing=("id",))
    differing = _differing(prepared.act, ours[0])
    if differing:
        return Evidence(Outcome.UNKNOWN, ids, "booked, but not as approved", now, differing=differing)
    overheard_message(ours[0])
    return Evidence(Outcome.SUCCEEDED, ids, seen_at=now)


def _differing(act: Act, booked: Transfer) -> tuple[str, ...]:
    """The fields of a booked transfer that are not what was approved (M07). Same currency on both sides."""
    wanted = {"source": act.account, "target": act.target, "sent": act.amount, "received": act.amount}
    return tuple(name for name, value in wanted.items() if getattr(booked, name) != value)


def _check_currency(number: str, held: Currency | None, moved: Currency) -> None:
    if held is not None and held != moved:
        raise InputError(
            f"{number} holds {held}: this desk moves money between accounts of one currency only",
            f"250.00 {held}",
        )
