"""One attempt at sending what was approved.

    async with seam.turn():
        prepared = await seam.prepare(act)      # nothing has left
        … one transaction: last look, APPROVED → SENDING, everything that recognises the effect (M02) …
        receipt = await seam.send(prepared)     # exactly those bytes
    … one transaction: what the receipt proves …

What fails before that transaction has not been sent, and may be tried again. What happens after it is settled by proof
only: a receipt that proves it, or what the provider is found to have done (`reconciling`).
"""

import contextlib
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping

from bot.approvals import records as requests
from bot.approvals.machine import Event
from bot.approvals.model import Kind, Request, State, hash_of
from bot.approvals.reasons import why_not
from bot.approvals.service import Approvals
from bot.clock import Clock
from bot.crash import crashpoint, moving
from bot.errors import (
    ClockDoubtedError,
    ConflictError,
    ConnectionLockedError,
    CountersignError,
    FrozenError,
    OwnerSuspendedError,
    ProviderError,
    StoreError,
    UnsupportedError,
)
from bot.network.leaving import leaving
from bot.network.overhearing import Overheard, overhearing
from bot.operations import freezing
from bot.operations.connections import Connections
from bot.operations.freezing import DESK, Alarm, no_alarm
from bot.operations.linked import Connection, read_one
from bot.operations.moving import records
from bot.operations.moving.guarding import Guarding
from bot.operations.moving.matters import Matter
from bot.operations.moving.records import Asked
from bot.operations.moving.showing import Showing
from bot.operations.moving.spill import Spill
from bot.operations.moving.wording import plainly
from bot.operations.timekeeping import Timekeeping, doubt_in
from bot.providers.acts import MoneySeam, Outcome, Prepared, Receipt
from bot.store import Database, Tables

MAY_PASS = (ClockDoubtedError, ConnectionLockedError, OwnerSuspendedError, FrozenError, ProviderError)
"""What may pass by itself, or by somebody's hand, before the request's time is over."""
_FIRST_PAUSE = 0.2
_log = logging.getLogger(__name__)


class Attempts:
    """Stores before it sends; retries nothing that may have left."""

    def __init__(
        self,
        database: Database,
        approvals: Approvals,
        connections: Connections,
        guarding: Guarding,
        clock: Clock,
        matters: Mapping[Kind, Matter],
        timekeeping: Timekeeping,
        showing: Showing,
        spill: Spill,
    ) -> None:
        self._database = database
        self._approvals = approvals
        self._connections = connections
        self._guarding = guarding
        self._clock = clock
        self._matters = matters
        self._timekeeping = timekeeping
        self._showing = showing
        self._spill = spill
        self.alarm: Alarm = no_alarm
        """Freezes, and tells; joined with the freezing room."""
        self.freezes_begun: Callable[[str], int] = lambda provider: 0
        """How many freezes have begun that hold up a provider; of the freezing room."""
        self.lost: Callable[[str], None] = lambda request_id: None
        """Told of each request whose outcome is to be found out."""

    def looked_at(self, tables: Tables, request: Request) -> Connection:
        """By which connection it goes, if anything may go there now: what is frozen uses up no nonce.

        Whether this one may is asked once, in the transaction that lets it go.
        """
        if request.stake is None:
            raise ConflictError("nothing is at stake")
        _check_hash(request)
        if doubt_in(tables) is not None:
            raise ClockDoubtedError
        freezing.check(tables, request.parameters["provider"])
        return read_one(tables, request.stake.connection_id)

    async def make(self, request: Request, way: Connection | None) -> State | None:
        """Send it, if it still may go; answers how it stands then, None for not sent and never to be.

        Args:
            way: By which connection, where that was looked at just now.
        Raises:
            StoreError: Nothing was sent; the database refuses.
            CountersignError: One of `MAY_PASS`: nothing was sent yet.
        """
        begun: int | None = None
        heard = Overheard()
        receipt = Receipt(Outcome.UNKNOWN, detail="the session broke")
        provider = request.parameters.get("provider", "")
        freezes = self.freezes_begun(provider)
        try:
            if way is None:
                way = await self._database.read(lambda tables: self.looked_at(tables, request))
            async with self._seam(way) as seam, seam.turn():
                prepared = await seam.prepare(self._matters[request.kind].act(request.id, request.parameters))
                begun = await self._begin(request, prepared)
                crashpoint("CP07")
                self._showing.put_off((request.id,))
                gate = leaving(prepared.wire, lambda: self.freezes_begun(provider) == freezes)
                with moving(prepared.wire), gate, overhearing() as heard, self._showing.meanwhile(request.id):
                    receipt = await _whatever_happens(seam.send(prepared), prepared)
        except CountersignError as error:
            if begun is None:
                if isinstance(error, (StoreError, *MAY_PASS)) and not isinstance(error, UnsupportedError):
                    raise
                await self._fail(request, error)
                return None
        return await self._end(request, begun or 1, receipt, heard.text)

    @contextlib.asynccontextmanager
    async def _seam(self, connection: Connection) -> AsyncIterator[MoneySeam]:
        async with self._connections.session(connection) as provider:
            if provider.money is None:
                raise UnsupportedError(connection.provider, "money movements")
            yield provider.money

    async def _begin(self, request: Request, prepared: Prepared) -> int:
        """The transaction before the first byte: answers which attempt this is.

        Raises:
            CountersignError: It is not to be sent; nothing was changed.
        """
        now, looking = self._clock.now(), self._timekeeping.looking()

        def change(tables: Tables) -> int | ClockDoubtedError:
            doubted = looking(tables)
            if doubted is not None:
                return doubted
            fresh = requests.read(tables, request.id)
            self._check(tables, fresh, prepared)
            attempt = len(records.sendings_of(tables, fresh.id)) + 1
            records.begin(tables, fresh, prepared, attempt, now)
            details = {"attempt": str(attempt), "reference": prepared.reference}
            self._approvals.course.moving(tables, fresh, Event.SEND_BEGUN, details=details, shown=False)
            crashpoint("CP06")
            return attempt

        begun = await self._database.write(change)
        if isinstance(begun, ClockDoubtedError):
            raise begun
        return begun

    def _check(self, tables: Tables, fresh: Request, prepared: Prepared) -> None:
        """What is approved is what is sent, still wanted, still signed, still allowed."""
        if fresh.state not in (State.APPROVED, State.HELD):
            raise ConflictError(f"it is {fresh.state} by now")
        _check_hash(fresh)
        if fresh.send_by <= self._clock.now():
            raise ConflictError("its time is over")
        matter = self._matters[fresh.kind]
        if prepared.act != matter.act(fresh.id, fresh.parameters):
            raise ConflictError("what was prepared is not what was signed")
        if not requests.is_as_recorded(tables, fresh):
            raise ConflictError("what is stored of it is not what was asked for and signed")
        if fresh.rule.seats and self._approvals.signing.missing(tables, fresh):
            raise ConflictError("a signature it had does not count any more")
        self._guarding.recheck(tables, matter, fresh)

    async def _fail(self, request: Request, error: CountersignError) -> None:
        """It will not be sent: what stands against it does not pass."""

        def change(tables: Tables) -> None:
            fresh = requests.read(tables, request.id)
            if fresh.state in (State.APPROVED, State.HELD):
                is_intact = requests.is_as_recorded(tables, fresh)
                self._approvals.course.moving(
                    tables, fresh, Event.REFUSED, f"it was not sent: {why_not(error)}", shown=is_intact
                )
                if not is_intact:
                    self.alarm(tables, DESK, f"request {fresh.id} was changed in the database")

        await self._database.write(change)
        self._showing.is_shown(request.id)

    async def _end(self, request: Request, attempt: int, receipt: Receipt, heard: str) -> State:
        """Write down what the receipt proves. The evidence is held until the database takes it (R43)."""
        crashpoint("CP11")

        def change(tables: Tables) -> State:
            fresh = requests.read(tables, request.id)
            records.end(tables, request.id, attempt, receipt, self._clock.now())
            records.keep_answer(tables, request.id, Asked.SENT, heard, self._clock.now())
            if fresh.state is not State.SENDING:
                return fresh.state
            event, said = proven(fresh.kind, attempt, receipt)
            details = {"outcome": receipt.outcome.value, "receipt": receipt.reference, "code": receipt.code}
            moved = self._approvals.course.moving(tables, fresh, event, said, {k: v for k, v in details.items() if v})
            if event is Event.DONE:
                crashpoint("CP13")
            return moved.state

        state = await persistently(
            lambda: self._database.write(change), self._clock, lambda: self._spill.hold(request.id, receipt, heard)
        )
        self._showing.is_shown(request.id)
        if state is State.ACKED:
            crashpoint("CP12")
        elif state is State.SUCCEEDED:
            crashpoint("CP14")
        if state in (State.ACKED, State.UNKNOWN):
            self.lost(request.id)
        return state

    async def give_up(self, request: Request) -> None:
        """Nobody is sending it any more, and nobody wrote down how that ended."""

        def change(tables: Tables) -> None:
            if requests.read(tables, request.id).version == request.version:
                self._approvals.course.moving(tables, request, Event.OUTCOME_LOST, "the sending broke off")

        await self._database.write(change)
        self.lost(request.id)


def _check_hash(request: Request) -> None:
    if request.hash != hash_of(request.kind, request.asked_by, request.parameters):
        raise ConflictError("its stored parameters are not those that were signed")


async def _whatever_happens(sent: Awaitable[Receipt], prepared: Prepared) -> Receipt:
    """A receipt, even from an adapter that slips: from here on nothing but proof says that nothing was sent."""
    try:
        return await sent
    except CountersignError as error:
        said = error.detail if isinstance(error, ProviderError) else str(error)
        return Receipt(Outcome.UNKNOWN, prepared.reference, type(error).__name__, said or "none that can be read")
    except Exception as slip:  # the bytes may have left  # noqa: BLE001
        _log.exception("adapter slipped while sending", extra={"request": prepared.act.request_id})
        return Receipt(
            Outcome.UNKNOWN, prepared.reference, type(slip).__name__, "a mistake of this program; see its log"
        )


def proven(kind: Kind, attempt: int, receipt: Receipt) -> tuple[Event, str]:
    """What a receipt lets be said of a request (SAFETY 3.3). In doubt, that its outcome is unknown."""
    said = plainly(receipt.detail or receipt.code)
    match receipt.outcome:
        case Outcome.SUCCEEDED:
            return Event.DONE, f"by {receipt.reference}" if not receipt.detail else receipt.detail
        case Outcome.FAILED:
            return Event.REFUSED, f"the provider refused it: {said}"
        case Outcome.ACKNOWLEDGED:
            return Event.ACKNOWLEDGED, said
        case Outcome.NOT_SENT if attempt == 1:
            return Event.PROVEN_NOT_SENT, f"it was not sent ({said}); it is tried once more"
        case Outcome.NOT_SENT:
            return Event.REFUSED, f"it was not sent, twice ({said}); ask for it anew"
        case Outcome.ALREADY_DECIDED if kind is Kind.WITHDRAWAL:
            return Event.REFUSED, f"not by us: it {said}"
        case _:
            return Event.OUTCOME_LOST, f"no definite answer ({said})" if said else "no definite answer"


async def persistently(
    write: Callable[[], Awaitable[State]], clock: Clock, refused: Callable[[], None] = lambda: None
) -> State:
    """A write that must come to pass: tried until the database takes it. `refused` is called once, if it does not."""
    pause = _FIRST_PAUSE
    while True:
        try:
            return await write()
        except StoreError as error:
            _log.warning("what became of a request is not stored yet", extra={"error": type(error).__name__})
            if pause == _FIRST_PAUSE:
                refused()
            await clock.sleep(pause)
            pause = min(pause * 2, 5.0)
