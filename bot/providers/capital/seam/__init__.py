"""How deals leave: composed, sent once, and followed until the broker has decided.

    terms        what an act says                 composing    the request, and how things stood before
    wired        both as bytes that are stored    verdicts     what a confirmation says of it
    finding      what became of it, when no answer came

`POST` and its like are answered with a reference, which only means that the deal was taken. Confirmations say what
became of it, perhaps later; the reference is not known at once either. Deals are sent one at a time through a login,
on the account that was approved, which the provider itself has just confirmed to be the active one (M41).

What an answer proves (SAFETY 3.3): no connection proves that nothing happened; a documented refusal that nothing will;
a documented word about the session that nothing was done, and the same bytes go once more after one login. Silence, a
5xx, a 429, a redirect and an answer that cannot be read prove nothing.
"""

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

from bot.clock import Clock
from bot.errors import (
    CountersignError,
    InputError,
    ProviderError,
    RefusedError,
    ReplyError,
    SilentError,
    UnreachableError,
)
from bot.network.leaving import check_leaving
from bot.network.rest import Answer
from bot.providers.acts import Act, ActKind, Evidence, Outcome, Prepared, Receipt
from bot.providers.capital import wire
from bot.providers.capital.client.deals import Deals
from bot.providers.capital.client.history import History
from bot.providers.capital.client.line import Line
from bot.providers.capital.client.sessions import Sessions, Ticket, Turn
from bot.providers.capital.seam.composing import composed
from bot.providers.capital.seam.finding import Finding, is_reference
from bot.providers.capital.seam.terms import Terms, terms_of
from bot.providers.capital.seam.verdicts import Verdict, verdict_in
from bot.providers.capital.seam.wired import Before, unwired, wired
from bot.providers.capital.wire.failures import is_before_any_effect
from bot.providers.capital.wire.orders import parse_taken
from bot.providers.capital.wire.reasons import words_of
from bot.providers.capital.wire.session import build_time, parse_time

DECIDED_WITHIN_SECONDS = 15.0
ASKED_EVERY_SECONDS = 0.5
STALE_AFTER = timedelta(seconds=20)
"""What was prepared so long ago does not leave: its account was slow to be confirmed, and prices have moved."""
_KINDS = frozenset({ActKind.ORDER, ActKind.CLOSE, ActKind.CHANGE})
_log = logging.getLogger(__name__)


class Seam:
    """Fits `bot.providers.acts.MoneySeam`."""

    def __init__(self, line: Line, sessions: Sessions, deals: Deals, history: History, clock: Clock) -> None:
        self._line = line
        self._sessions = sessions
        self._deals = deals
        self._clock = clock
        self._finding = Finding(deals, history, clock)
        self._held: Turn | None = None
        self._prepared: Prepared | None = None
        self._claims: dict[str, str] = {}
        """Deals by their number, and the request each is known to belong to."""

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """One deal at a time through this login. It ends with the answer to the deal, at the latest."""
        await self._sessions.ticket()
        held = await self._sessions.hold()
        self._held, self._prepared = held, None
        try:
            yield
        finally:
            self._end(held)

    def _end(self, held: Turn) -> None:
        if self._held is held:
            self._held = self._prepared = None
        held.end()

    async def prepare(self, act: Act) -> Prepared:
        if self._held is None:
            raise RuntimeError("an act is prepared in its turn")
        if act.kind not in _KINDS:
            raise InputError(f"Capital.com does not make a {act.kind}", "an order")
        terms = terms_of(act)
        if terms.kind is ActKind.ORDER:
            self._line.kept.check_orders(self._clock)
        now = parse_time((await self._sessions.read_bound(build_time(), act.account)).body)
        request, before = await composed(terms, act.account, Deals(self._sessions, held=True), now)
        prepared = Prepared(act, act.request_id, None, wired(request, before), self._clock.now())
        self._prepared = prepared
        return prepared

    async def send(self, prepared: Prepared) -> Receipt:
        held = self._held
        if held is None or self._prepared != prepared:
            raise RuntimeError("what is sent was prepared in the same turn, and is sent once")
        self._prepared = None
        try:
            answer = await self._once(prepared)
            receipt = answer if isinstance(answer, Receipt) else self._judged(prepared, answer)
        finally:
            self._end(held)
        return receipt if isinstance(receipt, Receipt) else await self._followed(prepared, receipt)

    async def find(self, prepared: Prepared) -> Evidence:
        terms, (_, before) = terms_of(prepared.act), unwired(prepared)
        if is_reference(prepared.answered):
            verdict = await self._verdict(prepared, terms, before, prepared.answered)
            if verdict is not None:
                return self._evidence(prepared, verdict)
        others = frozenset(deal for deal, request in self._claims.items() if request != prepared.act.request_id)
        evidence = await self._finding.look(prepared, terms, before, others)
        if evidence.outcome is Outcome.SUCCEEDED:
            self._claims[evidence.reference] = prepared.act.request_id
        return evidence

    # sending

    async def _once(self, prepared: Prepared) -> Answer | Receipt:
        """The prepared bytes, on their account; once more after a login when they were refused for their tokens."""
        request, _ = unwired(prepared)
        account = prepared.act.account
        try:
            if prepared.act.kind is ActKind.ORDER:
                await self._line.kept.order(self._clock)
            ticket = await self._sessions.verified(account)
            self._check_fresh(prepared)
        except CountersignError as error:
            return Receipt(Outcome.NOT_SENT, prepared.reference, type(error).__name__, _why(error))
        answer = await self._exchange(request, prepared, ticket)
        if isinstance(answer, Receipt) or not _is_session_over(answer):
            return answer
        try:
            ticket = await self._sessions.verified(account, instead_of=ticket)
            self._check_fresh(prepared)
        except CountersignError as error:  # it was refused, and nothing was done
            return Receipt(Outcome.NOT_SENT, prepared.reference, type(error).__name__, _why(error))
        return await self._exchange(request, prepared, ticket)

    def _check_fresh(self, prepared: Prepared) -> None:
        if self._clock.now() - prepared.prepared_at > STALE_AFTER:
            raise UnreachableError(wire.NAME, "it took too long until it could be sent")

    async def _exchange(self, request: wire.Request, prepared: Prepared, ticket: Ticket) -> Answer | Receipt:
        try:
            check_leaving(wire.NAME)
            return await self._sessions.exchange(request, ticket)
        except SilentError as error:
            return Receipt(Outcome.UNKNOWN, prepared.reference, "silent", error.detail)
        except ReplyError as error:
            return _alarming(prepared, "unreadable", error)
        except CountersignError as error:  # whatever else goes wrong does so before the first byte
            return Receipt(Outcome.NOT_SENT, prepared.reference, type(error).__name__, _why(error))

    def _judged(self, prepared: Prepared, answer: Answer) -> Receipt | str:
        """What is proven by the answer; the deal's reference when it was taken."""
        if answer.status == 200:
            try:
                return parse_taken(answer.body)
            except ReplyError as error:
                return _alarming(prepared, "http 200", error)
        refused = wire.error_of(answer.status, answer.body)
        code = refused.code if isinstance(refused, RefusedError) else f"http {answer.status}"
        if is_before_any_effect(answer.status, code):
            return Receipt(Outcome.FAILED, prepared.reference, code, words_of(code))
        if _is_session_over(answer):
            return Receipt(Outcome.NOT_SENT, prepared.reference, code, "the session was refused, twice")
        return Receipt(Outcome.UNKNOWN, prepared.reference, code)

    # following

    async def _followed(self, prepared: Prepared, reference: str) -> Receipt:
        """Until the broker has decided, for a while."""
        terms, (_, before) = terms_of(prepared.act), unwired(prepared)
        until = self._clock.monotonic() + DECIDED_WITHIN_SECONDS
        while True:
            try:
                verdict = await self._verdict(prepared, terms, before, reference)
            except ProviderError as error:
                _log.info("not confirmed yet", extra={"error": type(error).__name__})
                verdict = None
            if verdict is not None:
                return self._receipt(prepared, verdict, reference)
            if self._clock.monotonic() >= until:
                return Receipt(Outcome.ACKNOWLEDGED, reference, detail="taken, and not decided yet")
            await self._clock.sleep(ASKED_EVERY_SECONDS)

    async def _verdict(self, prepared: Prepared, terms: Terms, before: Before, reference: str) -> Verdict | None:
        told = await self._deals.confirmation(reference, prepared.act.account)
        verdict = verdict_in(told, terms, before, reference)
        if verdict is not None and verdict.accepted:
            self._claims[verdict.reference] = prepared.act.request_id
        return verdict

    @staticmethod
    def _receipt(prepared: Prepared, verdict: Verdict, reference: str) -> Receipt:
        if not verdict.accepted:
            return Receipt(Outcome.FAILED, reference, "REJECTED", verdict.said)
        if verdict.differing:
            _log.error("done otherwise than approved", extra={"act": prepared.act.request_id})
            return Receipt(Outcome.UNKNOWN, reference, "differs", f"differing: {', '.join(verdict.differing)}")
        return Receipt(Outcome.SUCCEEDED, verdict.reference, detail=verdict.said)

    def _evidence(self, prepared: Prepared, verdict: Verdict) -> Evidence:
        now = self._clock.now()
        if not verdict.accepted:
            return Evidence(Outcome.FAILED, verdict.reference, verdict.said, now)
        if verdict.differing:
            return Evidence(
                Outcome.UNKNOWN, verdict.reference, "done, but not as approved", now, differing=verdict.differing
            )
        return Evidence(Outcome.SUCCEEDED, verdict.reference, verdict.said, now)


def _is_session_over(answer: Answer) -> bool:
    error = wire.error_of(answer.status, answer.body)
    return isinstance(error, RefusedError) and answer.status in (400, 401) and wire.is_session_over(error)


def _why(error: CountersignError) -> str:
    return error.detail if isinstance(error, ProviderError) else str(error)


def _alarming(prepared: Prepared, code: str, error: ReplyError) -> Receipt:
    _log.error("an answer about money cannot be read", extra={"act": prepared.act.request_id, "found": error.detail})
    return Receipt(Outcome.UNKNOWN, prepared.reference, code, error.detail)
