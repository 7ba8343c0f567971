"""What was approved is sent, once.

    async with seam.turn():
        prepared = await seam.prepare(act)      # nothing has left
        … one transaction: last look, APPROVED → SENDING, everything that recognises the effect (M02) …
        receipt = await seam.send(prepared)     # exactly those bytes
    … one transaction: what the receipt proves …

What fails before that transaction has not been sent, and is tried again until the request's time is over. What happens
after it is settled by proof only: a receipt that proves it, or what the provider is found to have done (`reconciling`).
"""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from datetime import datetime, timedelta

from bot.approvals import records as requests
from bot.approvals.machine import Event
from bot.approvals.model import Kind, Request, State, hash_of
from bot.approvals.service import Approvals
from bot.clock import Clock
from bot.crash import crashpoint, moving
from bot.errors import (
    ClockDoubtedError,
    CodeAwaitedError,
    ConflictError,
    ConnectionLockedError,
    CountersignError,
    FrozenError,
    OwnerSuspendedError,
    ProviderError,
    StoreError,
    UnsupportedError,
)
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
from bot.operations.timekeeping import Timekeeping, doubt_in
from bot.providers.base import MoneySeam, Outcome, Prepared, Receipt
from bot.store import Database, Tables

AGAIN_SECONDS = (1.0, 2.0, 5.0, 10.0, 30.0)
"""How long what could not be sent waits for its next turn; the last one from then on."""
_WAITS = (ClockDoubtedError, ConnectionLockedError, OwnerSuspendedError, FrozenError, ProviderError)
"""What may pass by itself, or by somebody's hand, before the request's time is over."""
_log = logging.getLogger(__name__)


class Sending:
    """Picks up what is approved. Stores before it sends; retries nothing that may have left."""

    def __init__(
        self,
        database: Database,
        approvals: Approvals,
        connections: Connections,
        guarding: Guarding,
        clock: Clock,
        matters: Mapping[Kind, Matter],
        timekeeping: Timekeeping,
    ) -> None:
        self._database = database
        self._approvals = approvals
        self._connections = connections
        self._guarding = guarding
        self._clock = clock
        self._matters = matters
        self._timekeeping = timekeeping
        self._showing = Showing(database, approvals, clock)
        self._wake = asyncio.Event()
        self._runs = False
        self._under_way: dict[str, asyncio.Task[None]] = {}
        self._tries: dict[str, tuple[int, datetime]] = {}
        """How often each was tried in vain, and when it is its turn again."""
        self._ways: dict[str, Connection] = {}
        """By which connection what was approved just now goes, as the deciding vote's transaction has found."""
        self.ready: Callable[[Request], bool] = lambda request: True
        """Whether what was under way through a connection at the start has been asked about (M04)."""
        self.alarm: Alarm = no_alarm
        """Freezes, and tells; joined with the freezing room."""
        self.code_awaited: Callable[[Request, CodeAwaitedError], Awaitable[None]] = _nobody_is_told
        """Told of each request that waits for a code from a mail."""
        self.lost: Callable[[str], None] = lambda request_id: None
        """Told of each request whose outcome is to be found out."""

    def approving(self, tables: Tables, request: Request) -> bool:
        """In the transaction that approves it: whether it goes at once. Then its cards are drawn when it has gone."""
        if not self._runs:
            return False
        try:
            self._ways[request.id] = self._looked_at(tables, request)
        except CountersignError:
            return False
        self._showing.put_off((request.id,))
        return True

    def approved(self, request: Request) -> None:
        """It may go. What cannot go at once is looked at again."""
        way = self._ways.pop(request.id, None)
        if self._runs and request.id not in self._under_way and self._is_due(request, self._clock.now()):
            self._begin_dealing_with(request, way)
        else:
            self.wake()

    def wake(self) -> None:
        """Something may be due."""
        self._wake.set()

    def again(self) -> None:
        """What stood in the way is gone: nothing waits for its next turn."""
        self._tries.clear()
        self._wake.set()

    async def run(self) -> None:
        """Until cancelled; what is under way then is given a moment, and is found out about after the next start."""
        self._runs = True
        is_first = True
        try:
            while True:
                self._wake.clear()
                try:
                    await self._look(is_first=is_first)
                    is_first = False
                except StoreError:
                    _log.info("not looked: the database refuses")  # it is looked again
                except Exception:  # a row that cannot be read keeps no other from being sent  # noqa: BLE001
                    _log.exception("not looked")
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._wake.wait(), 1.0)
        finally:
            self._runs = False
            tasks = list(self._under_way.values())
            if tasks:
                await asyncio.wait(tasks, timeout=10.0)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _look(self, *, is_first: bool = False) -> None:
        now = self._clock.now()
        states = (State.APPROVED, State.HELD, State.SENDING)
        standing = await self._database.read(lambda tables: requests.standing(tables, states))
        self._tries = {one.id: self._tries[one.id] for one in standing if one.id in self._tries}
        if is_first:  # a crash may have kept the cards of any from being drawn
            self._showing.put_off(one.id for one in standing if one.state is State.APPROVED)
        for request in standing:
            if request.id in self._under_way:
                continue
            if request.state is State.SENDING:
                await self._give_up(request)
            elif self._is_due(request, now):
                self._begin_dealing_with(request)
        await self._showing.draw_all(but=self._under_way)

    async def _give_up(self, request: Request) -> None:
        """Nobody is sending it any more, and nobody wrote down how that ended."""

        def change(tables: Tables) -> None:
            if requests.read(tables, request.id).version == request.version:
                self._approvals.course.moving(tables, request, Event.OUTCOME_LOST, "the sending broke off")

        await self._database.write(change)
        self.lost(request.id)

    def _begin_dealing_with(self, request: Request, way: Connection | None = None) -> None:
        task = asyncio.create_task(self._deal_with(request, way))
        self._under_way[request.id] = task
        task.add_done_callback(lambda _: self._under_way.pop(request.id, None))

    def _is_due(self, request: Request, now: datetime) -> bool:
        if request.stake is None or not self.ready(request):
            return False
        if request.state is State.HELD and (request.held_until is None or request.held_until > now):
            return False
        return request.send_by > now and self._tries.get(request.id, (0, now))[1] <= now

    async def _deal_with(self, request: Request, way: Connection | None) -> None:
        try:
            with self._showing.meanwhile(request.id):
                await self._send(request, way)
            self._tries.pop(request.id, None)
        except _WAITS as error:
            tried = self._tries.get(request.id, (0, self._clock.now()))[0]
            pause = AGAIN_SECONDS[min(tried, len(AGAIN_SECONDS) - 1)]
            self._tries[request.id] = (tried + 1, self._clock.now() + timedelta(seconds=pause))
            _log.info("not sent yet", extra={"request": request.id, "error": type(error).__name__, "try": tried + 1})
            if isinstance(error, CodeAwaitedError):
                with contextlib.suppress(StoreError):  # it is told with the next try
                    await self.code_awaited(request, error)
        except StoreError as error:
            _log.warning("not sent: the database refuses", extra={"error": type(error).__name__})
            self._tries[request.id] = (0, self._clock.now() + timedelta(seconds=5))
        except Exception:  # a slip of ours is not to end the one task that sends  # noqa: BLE001
            _log.exception("not sent", extra={"request": request.id})
            self._tries[request.id] = (0, self._clock.now() + timedelta(seconds=30))
        await self._showing.draw(request.id)

    async def _send(self, request: Request, way: Connection | None) -> None:
        begun: int | None = None
        heard = Overheard()
        receipt = Receipt(Outcome.UNKNOWN, detail="the session broke")
        try:
            if way is None:
                way = await self._database.read(lambda tables: self._looked_at(tables, request))
            async with self._seam(way) as seam, seam.turn():
                prepared = await seam.prepare(self._matters[request.kind].act(request.id, request.parameters))
                begun = await self._begin(request, prepared)
                crashpoint("CP07")
                self._showing.put_off((request.id,))
                with moving(prepared.wire), overhearing() as heard, self._showing.meanwhile(request.id):
                    receipt = await _whatever_happens(seam.send(prepared), prepared)
        except CountersignError as error:
            if begun is None:
                if isinstance(error, (StoreError, *_WAITS)) and not isinstance(error, UnsupportedError):
                    raise
                await self._fail(request, error)
                return
        await self._end(request, begun or 1, receipt, heard.text)

    def _looked_at(self, tables: Tables, request: Request) -> Connection:
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
                    tables, fresh, Event.REFUSED, f"it was not sent: {error}", shown=is_intact
                )
                if not is_intact:
                    self.alarm(tables, DESK, f"request {fresh.id} was changed in the database")

        await self._database.write(change)
        self._showing.is_shown(request.id)

    async def _end(self, request: Request, attempt: int, receipt: Receipt, heard: str) -> None:
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

        state = await persistently(lambda: self._database.write(change), self._clock)
        self._showing.is_shown(request.id)
        if state is State.ACKED:
            crashpoint("CP12")
        elif state is State.SUCCEEDED:
            crashpoint("CP14")
        if state in (State.ACKED, State.UNKNOWN):
            self.lost(request.id)
        if state is State.APPROVED:
            self.wake()


def _check_hash(request: Request) -> None:
    if request.hash != hash_of(request.kind, request.asked_by, request.parameters):
        raise ConflictError("its stored parameters are not those that were signed")


async def _nobody_is_told(request: Request, error: CodeAwaitedError) -> None:
    """Where no code is mailed."""


async def _whatever_happens(sent: Awaitable[Receipt], prepared: Prepared) -> Receipt:
    """A receipt, even from an adapter that slips: from here on nothing but proof says that nothing was sent."""
    try:
        return await sent
    except CountersignError as error:
        return Receipt(Outcome.UNKNOWN, prepared.reference, type(error).__name__)
    except Exception as slip:  # the bytes may have left  # noqa: BLE001
        _log.exception("adapter slipped while sending", extra={"request": prepared.act.request_id})
        return Receipt(Outcome.UNKNOWN, prepared.reference, type(slip).__name__)


def proven(kind: Kind, attempt: int, receipt: Receipt) -> tuple[Event, str]:
    """What a receipt lets be said of a request (SAFETY 3.3). In doubt, that its outcome is unknown."""
    said = receipt.detail or receipt.code
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


async def persistently(write: Callable[[], Awaitable[State]], clock: Clock) -> State:
    """A write that must come to pass: tried until the database takes it."""
    pause = 0.2
    while True:
        try:
            return await write()
        except StoreError as error:
            _log.warning("what became of a request is not stored yet", extra={"error": type(error).__name__})
            await clock.sleep(pause)
            pause = min(pause * 2, 5.0)
