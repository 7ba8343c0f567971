"""How money leaves through Deriv: payments, and contracts bought and sold; prepared, sent once, and looked for.

Before a payment to or by an agent a dry run names the payee, once for those who sign and once more right before it is
sent. The statement is read before that: whatever is there already is not our effect, unless it carries our reference;
then a dry run did what it was only to look at, nothing is sent any more, and `find` says what became of it.

`Prepared.wire` holds in its first line what tells the effect from everything else (`traces.Known`), and behind it the
frame. What class a send falls into follows from whether the frame may have left, and from a refusal's code.
"""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

import msgspec

from bot.errors import (
    InputError,
    OutcomeUnknownError,
    ProviderError,
    ReplyError,
    UnreachableError,
)
from bot.network.leaving import check_leaving
from bot.providers.acts import Absence, Act, Evidence, Outcome, PayWay, Prepared, Receipt
from bot.providers.base import Lend
from bot.providers.deriv.client import payments, traces
from bot.providers.deriv.client.line import DerivLine
from bot.providers.deriv.client.payments import Done
from bot.providers.deriv.client.rehearsing import Rehearsing
from bot.providers.deriv.client.traces import Known
from bot.providers.deriv.wire import balances, books, grammar
from bot.providers.deriv.wire.books import Row
from bot.providers.deriv.wire.grammar import NAME, Body, Call
from bot.providers.deriv.wire.logins import Session
from bot.providers.deriv.wire.reasons import in_words
from bot.providers.records import Account
from bot.secret import Secret

OVERLAP = timedelta(days=1)
"""A statement is asked for from so long before the act: more than two clocks differ."""
FRESH = timedelta(seconds=50)
"""So long a price can be bought by its id; Deriv keeps it for about a minute."""
LATEST, MOST_PAGES = 100, 40
_log = logging.getLogger(__name__)


class Seam:
    """Fits `bot.providers.acts.MoneySeam`, `NamesPayees`, `KnowsOwn`, `PaysFromSome` and `WantsCodes`."""

    def __init__(self, line: DerivLine, lend: Lend) -> None:
        self._line = line
        self._lend = lend
        self._turn = asyncio.Lock()
        self._prepared: Prepared | None = None
        self._contradicted: dict[str, Done] = {}
        """What was answered to be done otherwise than approved, by reference."""
        self._rehearsing = Rehearsing(line)

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """One act at a time through this login: what is read before it still holds when it is sent."""
        async with self._turn:
            await self._line.logged_in()
            self._prepared = None
            try:
                yield
            finally:
                self._prepared = None

    # -- before anybody is asked ---------------------------------------------------------------------------------

    async def payee(self, act: Act) -> str:
        request = payments.request_of(act, "")
        loginid = await self._admitted(act, request.call)
        match payments.way_of(act):
            case PayWay.AGENT:
                rehearsed = await self._rehearsing.rehearse(act, request.of(loginid))
                if rehearsed.done:
                    raise OutcomeUnknownError(NAME)
                return rehearsed.name
            case PayWay.PAYOUT:  # a dry run would want the code, which is mailed when it is approved
                return await self._rehearsing.agent(act, loginid)
            case _:
                await self._rehearsing.check_own(act, loginid)
                return ""

    async def own(self, account: str) -> tuple[Account, ...]:
        session = await self._line.logged_in()
        self._spoken_for(session, account)
        listed = await self._rehearsing.listed(_other_than(session, account))
        return tuple(
            Account(number, "", grammar.currency_of(currency), session.environment)
            for number, currency in listed
            if number != account
        )

    async def payers(self) -> frozenset[str]:
        session = await self._line.logged_in()
        others = session.accounts if self._line.further_tokens else ()
        return frozenset(one.id for one in (session.own, *others) if one.environment is session.environment)

    def take_code(self, request_id: str, code: Secret) -> None:
        self._rehearsing.take_code(request_id, code)

    # -- before it is sent ---------------------------------------------------------------------------------------

    async def prepare(self, act: Act) -> Prepared:
        if not self._turn.locked():
            raise RuntimeError("an act is prepared in its turn")
        now = self._line.clock.now()
        reference = payments.reference_of(act.request_id)
        request = payments.request_of(act, reference, by_proposal=_is_fresh(act, now))
        loginid = await self._admitted(act, request.call)
        request = request.of(loginid)
        rows = await self._rows(act, loginid, limit=LATEST, most=1)
        is_done = traces.is_booked(rows, reference) or await self._rehearsing.is_done(act, request, loginid)
        number, newest = self._line.number(), max((row.id for row in rows), default=0)
        kept = msgspec.json.encode(_Kept(newest, await self._app_id(), number, is_done))
        self._prepared = Prepared(act, reference, None, b"\n".join((kept, request.frame(number).encode())), now)
        return self._prepared

    async def _admitted(self, act: Act, call: Call) -> str | None:
        """Whose `loginid` to say, for an account that is not the first token's.

        Raises:
            ScopeMissingError: The token may not do it; or could never say what became of it.
            InputError: It is no account of this login, or holds another currency.
        """
        session = await self._line.logged_in()
        session.check(call)
        session.check(Call.STATEMENT)
        account = self._spoken_for(session, act.account)
        if act.amount is not None and account.currency is not None and act.amount.currency != account.currency:
            raise InputError(f"{account.id} holds {account.currency}", f"250.00 {account.currency}")
        return _other_than(session, act.account)

    def _spoken_for(self, session: Session, number: str) -> Account:
        """`InputError` where no token of this login can be of that account."""
        account = _account_in(session, number)
        if account is not session.own and (
            not self._line.further_tokens or account.environment is not session.environment
        ):
            raise _speaks_not_for(session, number)
        return account

    async def _app_id(self) -> int:
        async with self._lend() as login:
            return int(login["app_id"].reveal())

    # -- sending -------------------------------------------------------------------------------------------------

    async def send(self, prepared: Prepared) -> Receipt:
        if self._prepared is None or self._prepared != prepared:
            raise RuntimeError("what is sent was prepared in the same turn, and is sent once")
        self._prepared = None
        known, frame = _unpacked(prepared)
        if known.is_done:
            said = "Deriv did what it was only to look at; nothing more was sent"
            return Receipt(Outcome.UNKNOWN, prepared.reference, "dry run", said)
        code = self._rehearsing.used_code(prepared.act.request_id)
        if code is not None:
            frame = frame.replace(payments.CODE.encode(), code.reveal().encode())
        try:
            await self._line.logged_in()
        except ProviderError as error:
            return Receipt(Outcome.NOT_SENT, prepared.reference, detail=error.detail or "not logged in")
        try:
            check_leaving(NAME)
            return await self._judged(prepared, await self._line.send(frame, known.number))
        except UnreachableError as error:
            return Receipt(Outcome.NOT_SENT, prepared.reference, detail=error.detail)
        except ReplyError as error:
            found = {"act": prepared.act.request_id, "found": error.detail}
            _log.error("an answer about money cannot be read", extra=found)
            return Receipt(Outcome.UNKNOWN, prepared.reference, "unreadable", error.detail)
        except ProviderError as error:
            return Receipt(Outcome.UNKNOWN, prepared.reference, "silent", error.detail)

    async def _judged(self, prepared: Prepared, body: Body) -> Receipt:
        code = payments.refusal_in(body)
        if code is None:
            done = payments.parse_done(body, prepared.act)
            if not done.differing:
                return Receipt(Outcome.SUCCEEDED, done.transaction, detail=done.said)
            self._contradicted[prepared.reference] = done
            _log.error("done otherwise than approved", extra={"act": prepared.act.request_id})
            return Receipt(Outcome.UNKNOWN, done.transaction, "differing", _otherwise(done))
        if code in payments.LOGGED_OUT:
            await self._line.forget_login()
            return Receipt(Outcome.NOT_SENT, prepared.reference, code, "it was not looked at: logged out")
        is_refused = code in payments.BEFORE_ANY_EFFECT
        outcome = Outcome.FAILED if is_refused else Outcome.UNKNOWN
        return Receipt(outcome, prepared.reference, code, in_words(code))

    # -- afterwards ----------------------------------------------------------------------------------------------

    async def find(self, prepared: Prepared) -> Evidence:
        act, (kept, _), now = prepared.act, _unpacked(prepared), self._line.clock.now()
        done = self._contradicted.get(prepared.reference)
        if done is not None:
            return Evidence(Outcome.UNKNOWN, done.transaction, _otherwise(done), now, differing=done.differing)
        loginid = await self._admitted(act, Call.STATEMENT)
        rows = await self._rows(act, loginid, since=prepared.prepared_at - OVERLAP)
        looked_at = self._line.clock.now()
        known = Known(prepared.reference, kept.after, kept.app, prepared.prepared_at)
        found = traces.evidence_in(rows, act, known, looked_at)
        if found is not None and (found.outcome is not Outcome.UNKNOWN or found.differing):
            return found
        session, body = await self._line.read(balances.build_balance().of(loginid))
        told = balances.parse_balance(body, _account_in(session, act.account), looked_at).items
        held = next((one.amount for one in told if one.account == act.account), None)
        return Evidence(
            Outcome.UNKNOWN,
            detail="not in the statement" if found is None else found.detail,
            seen_at=looked_at,
            alike=() if found is None else found.alike,
            absence=Absence(looked_at, looked_at - prepared.prepared_at, True, held),
        )

    async def _rows(
        self,
        act: Act,
        loginid: str | None,
        *,
        since: datetime | None = None,
        limit: int = books.MOST_ROWS,
        most: int = MOST_PAGES,
    ) -> list[Row]:
        """Page after page until one is not full; what comes in meanwhile shifts them, and shows a row twice."""
        rows: dict[int, Row] = {}
        for page in range(most):
            request = books.build_statement(since, limit=limit, offset=page * limit)
            session, body = await self._line.read(request.of(loginid))
            account = _account_in(session, act.account)
            if account.currency is None:
                return []  # before it has one nothing can be booked
            found = books.parse_statement(body, account.id, account.currency)
            rows |= {row.id: row for row in found}
            if len(found) < limit:
                break
        else:
            if most > 1:
                raise ReplyError(NAME, "a statement without an end")
        return list(rows.values())


class _Kept(msgspec.Struct, frozen=True):
    """The first line of what was prepared."""

    after: int
    """The newest transaction of the account then."""
    app: int
    number: int
    is_done: bool = False
    """A dry run did it already: nothing is sent any more."""


def _unpacked(prepared: Prepared) -> tuple[_Kept, bytes]:
    head, _, frame = prepared.wire.partition(b"\n")
    return msgspec.json.decode(head, type=_Kept), frame


def _is_fresh(act: Act, now: datetime) -> bool:
    """Whether the price that it was bound to is still offered."""
    try:
        proposed = datetime.fromisoformat(act.parameters.get("proposed_at", ""))
    except ValueError:
        return False
    return timedelta(0) <= now - proposed.astimezone(UTC) <= FRESH


def _account_in(session: Session, number: str) -> Account:
    """`InputError` for one that is not of this login's person."""
    for one in (session.own, *session.accounts):
        if one.id == number:
            return one
    raise _speaks_not_for(session, number)


def _speaks_not_for(session: Session, number: str) -> InputError:
    said = f"this login is for {session.own.id}, and speaks for no {number}; link that with a token of its own"
    return InputError(said, "/connect deriv")


def _other_than(session: Session, account: str) -> str | None:
    return None if account == session.own.id else account


def _otherwise(done: Done) -> str:
    return f"answered, but not as approved: {', '.join(done.differing)}"
