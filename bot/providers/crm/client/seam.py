"""How money leaves through the CRM: decisions about clients' withdrawals, wallets, and trading accounts.

`Prepared.wire` holds method and path in its first line and the body, byte for byte, behind it. One act at a time is
sent through one login: the read before a decision and the decision belong together.

What an answer proves (SAFETY 3.3): a connection that was never made proves that nothing happened, a documented refusal
that nothing will; silence, a 5xx, a redirect and an answer that cannot be read prove nothing.
"""

import asyncio
import logging
from contextlib import AbstractAsyncContextManager

from bot.errors import CountersignError, ProviderError, RefusedError, ReplyError, SilentError, UnsupportedError
from bot.network.leaving import check_leaving
from bot.network.rest import Answer
from bot.providers.acts import Act, ActKind, Evidence, Outcome, Prepared, Receipt
from bot.providers.crm import wire
from bot.providers.crm.client.bookings import Bookings
from bot.providers.crm.client.decisions import Decisions
from bot.providers.crm.client.line import Line
from bot.providers.crm.client.requests import Requests
from bot.providers.crm.client.trading import Trading
from bot.providers.crm.client.wallets import Wallets
from bot.providers.crm.client.wired import request_of
from bot.providers.crm.wire.requests import NOT_PENDING

_BEFORE_ANY_EFFECT = frozenset({"invalid_api_key", "invalid_signature", "insufficient_funds", "invalid_request"})
_log = logging.getLogger(__name__)


class Seam:
    """The money seam. It stores nothing and retries nothing."""

    def __init__(self, line: Line, requests: Requests, wallets: Wallets, trading: Trading, log_name: str) -> None:
        self._line = line
        self._decisions = Decisions(requests, line.clock, log_name)
        self._bookings = Bookings(line, wallets, trading)
        self._turn = asyncio.Lock()

    def turn(self) -> AbstractAsyncContextManager[None]:
        """One act at a time through this login: what is read before a decision still holds when it is sent."""
        return self._turn

    async def prepare(self, act: Act) -> Prepared:
        """What must be stored before anything leaves.

        A decision reads the request first: `ConflictError` when it is not pending any more, or not what was approved.

        Raises:
            InputError: The act is not whole, or could not be carried out as it is meant.
            UnsupportedError: Another kind of act.
        """
        match act.kind:
            case ActKind.WITHDRAWAL_DECISION:
                return await self._decisions.prepare(act)
            case ActKind.TRANSFER:
                return self._bookings.prepare(act)
            case _:
                raise UnsupportedError(wire.NAME, act.kind.value)

    async def send(self, prepared: Prepared) -> Receipt:
        """The prepared bytes, once; a decision only while the request is still what was approved."""
        if prepared.act.kind is ActKind.WITHDRAWAL_DECISION:
            hindrance = await self._decisions.hindrance(prepared)
            if hindrance is not None:
                return hindrance
        return await self._post(prepared)

    async def find(self, prepared: Prepared) -> Evidence:
        """What became of it, read. A read that fails is no evidence."""
        side = self._decisions if prepared.act.kind is ActKind.WITHDRAWAL_DECISION else self._bookings
        try:
            return await side.find(prepared)
        except ProviderError as error:
            return Evidence(Outcome.UNKNOWN, prepared.reference, f"it could not be read: {error.detail or 'refused'}")

    async def _post(self, prepared: Prepared) -> Receipt:
        try:
            check_leaving(wire.NAME)
            answer = await self._line.exchange(request_of(prepared))
        except SilentError as error:
            return Receipt(Outcome.UNKNOWN, prepared.reference, "silent", error.detail)
        except ReplyError as error:
            return _alarming(prepared, "unreadable", error)
        except CountersignError as error:  # whatever else goes wrong does so before the first byte
            said = error.detail if isinstance(error, ProviderError) else str(error)
            return Receipt(Outcome.NOT_SENT, prepared.reference, type(error).__name__, said)
        return await self._judged(prepared, answer)

    async def _judged(self, prepared: Prepared, answer: Answer) -> Receipt:
        is_decision = prepared.act.kind is ActKind.WITHDRAWAL_DECISION
        if 200 <= answer.status < 300:
            side = self._decisions if is_decision else self._bookings
            try:
                return await side.taken(prepared, answer)
            except ReplyError as error:
                return _alarming(prepared, f"http {answer.status}", error)
        refused = wire.error_of(answer.status, answer.body)
        code = refused.code if isinstance(refused, RefusedError) else f"http {answer.status}"
        if is_decision and code == NOT_PENDING:
            return await self._decisions.lost(prepared)
        if isinstance(refused, RefusedError) and (code in _BEFORE_ANY_EFFECT or wire.is_missing(refused)):
            return Receipt(Outcome.FAILED, prepared.reference, code, refused.detail)
        return Receipt(Outcome.UNKNOWN, prepared.reference, code)


def _alarming(prepared: Prepared, code: str, error: ReplyError) -> Receipt:
    _log.error("an answer about money cannot be read", extra={"act": prepared.act.request_id, "found": error.detail})
    return Receipt(Outcome.UNKNOWN, prepared.reference, code, error.detail)
