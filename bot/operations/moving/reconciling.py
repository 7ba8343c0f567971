"""What became of a request that was sent and not answered: the provider is asked, again and again, until it is known.

At the start everything that was under way is unknown, and is asked about before new money goes through its connection
(M04). Asking changes nothing. What settles is proof (M05): the act itself, found whole; a definite refusal of it; for
what a provider lists at once, that it is not there. Where a provider's silence proves nothing (M25), two people decide,
and are told when it looks as if nothing had happened.
"""

import asyncio
import contextlib
import logging
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta

from bot.access.model import Right
from bot.access.service import people_in
from bot.approvals import records as requests
from bot.approvals.machine import Event
from bot.approvals.model import Kind, Request, State
from bot.approvals.service import Approvals
from bot.clock import Clock
from bot.crash import crashpoint
from bot.errors import CountersignError, StoreError
from bot.messages.notice import Lane, Notice
from bot.messages.outbox import Outbox
from bot.network.overhearing import overhearing
from bot.operations.connections import Connections
from bot.operations.freezing import Alarm, no_alarm
from bot.operations.moving import records
from bot.operations.moving.attempts import persistently
from bot.operations.moving.incidents import Incidents
from bot.operations.moving.matters import Matter, purse
from bot.operations.moving.records import Asked, Sending, Sighting
from bot.operations.moving.spill import Spill
from bot.providers.acts import Evidence, Outcome
from bot.store import Database, Tables

FINAL_WITHIN = timedelta(seconds=60)
"""What was acknowledged and has no final answer by then is told as unknown (F07)."""
REMINDED_EVERY = timedelta(minutes=15)
BLOCKED_FOR = timedelta(hours=24)
"""So long nothing like a request whose outcome is unknown can be asked for (M06)."""
ABSENT_FOR, ABSENCES_APART = timedelta(minutes=30), timedelta(minutes=10)
"""M25: when it is proposed that nothing was executed."""
_LOOKS = (
    (timedelta(seconds=2), 0.4),
    (timedelta(seconds=10), 2.0),
    (timedelta(minutes=2), 5.0),
    (timedelta(minutes=10), 15.0),
)
"""Up to which age of a sending how many seconds lie between two looks; a minute from then on."""
_log = logging.getLogger(__name__)


class Reconciling:
    """One task for each request whose outcome is open."""

    def __init__(
        self,
        database: Database,
        approvals: Approvals,
        connections: Connections,
        outbox: Outbox,
        clock: Clock,
        matters: Mapping[Kind, Matter],
        incidents: Incidents,
        spill: Spill,
    ) -> None:
        self._database = database
        self._approvals = approvals
        self._connections = connections
        self._outbox = outbox
        self._clock = clock
        self._matters = matters
        self._incidents = incidents
        self._spill = spill
        self._open: dict[str, asyncio.Task[None]] = {}
        self._unasked: dict[str, set[str]] | None = None
        """By the account that money leaves from: what was under way at the start, and has not been asked about yet.

        None before the start.
        """
        self._news = asyncio.Event()
        self.alarm: Alarm = no_alarm
        """Freezes, and tells; joined with the freezing room."""
        self.wake: Callable[[], None] = lambda: None
        """Something that waited for a connection may go on."""

    def is_ready(self, request: Request) -> bool:
        """Whether it may go: what was under way from the same account has been asked about."""
        return self._unasked is not None and not self._unasked.get(purse(request.parameters))

    def look_at(self, request_id: str) -> None:
        """One more is open."""
        self._news.set()

    async def recover(self) -> None:
        """What was being sent when the last run ended is unknown. Before anything is sent."""

        def change(tables: Tables) -> dict[str, set[str]]:
            self._spill.take_in(tables)
            for request in requests.standing(tables, (State.SENDING, State.ACKED)):
                self._approvals.course.moving(
                    tables, request, Event.OUTCOME_LOST, "the program ended while it was being sent"
                )
            unasked: dict[str, set[str]] = {}
            for request in requests.standing(tables, (State.UNKNOWN,)):
                if request.kind.is_sent:
                    unasked.setdefault(purse(request.parameters), set()).add(request.id)
            return unasked

        self._unasked = await self._database.write(change)

    async def run(self) -> None:
        """Until cancelled."""
        while self._unasked is None:
            try:
                await self.recover()
            except StoreError:
                await self._clock.sleep(1.0)
            except Exception:  # nothing is sent until it is known what was under way  # noqa: BLE001
                _log.exception("what was under way cannot be read")
                await self._clock.sleep(30.0)
        self.wake()
        try:
            while True:
                self._news.clear()
                try:
                    for request in await self._database.read(_open):
                        if request.id not in self._open:
                            self._follow(request)
                except StoreError:
                    _log.info("not looked: the database refuses")  # it is looked again
                except Exception:  # it costs this look, and not the program  # noqa: BLE001
                    _log.exception("not looked")
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._news.wait(), 5.0)
        finally:
            for task in self._open.values():
                task.cancel()
            await asyncio.gather(*self._open.values(), return_exceptions=True)

    def _follow(self, request: Request) -> None:
        task = asyncio.create_task(self._until_known(request))
        self._open[request.id] = task
        task.add_done_callback(lambda _: self._open.pop(request.id, None))

    async def _until_known(self, request: Request) -> None:
        while True:
            try:
                if await self._is_settled(request.id):
                    return
            except StoreError as error:
                _log.warning("not looked", extra={"request": request.id, "error": type(error).__name__})
            except Exception:  # an adapter's slip ends one look, not the looking  # noqa: BLE001
                _log.exception("not looked", extra={"request": request.id})
            await self._clock.sleep(await self._pause(request.id))

    async def _is_settled(self, request_id: str) -> bool:
        request, sendings = await self._database.read(lambda tables: _one(tables, request_id))
        if request.state not in (State.UNKNOWN, State.ACKED) or not sendings:
            self._asked(request)
            return True
        with overhearing() as heard:
            evidence = await self.evidence(request, sendings[-1])
        crashpoint("CP16")
        if evidence is not None:
            self._asked(request)
        state = await persistently(
            lambda: self._database.write(lambda tables: self._take(tables, request_id, evidence, heard.text)),
            self._clock,
        )
        if state is State.SUCCEEDED:
            crashpoint("CP14")
        return state not in (State.UNKNOWN, State.ACKED)

    def _asked(self, request: Request) -> None:
        """It has been asked about since the start: nothing waits for it any more."""
        waiting = (self._unasked or {}).get(purse(request.parameters), set())
        if request.id in waiting:
            waiting.discard(request.id)
            self.wake()

    async def evidence(self, request: Request, sending: Sending) -> Evidence | None:
        """What the provider shows of it; None when it could not be asked."""
        matter = self._matters[request.kind]
        try:
            connection = await self._connections.numbered(sending.connection_id)
            async with self._connections.standing(connection) as provider:
                if provider.money is None:
                    return None
                return await provider.money.find(sending.prepared(matter.act(request.id, request.parameters)))
        except CountersignError as error:
            _log.info("not known yet", extra={"request": request.id, "error": type(error).__name__})
            return None

    def _take(self, tables: Tables, request_id: str, evidence: Evidence | None, heard: str = "") -> State:
        """What follows from a look, in one transaction; answers where the request stands then.

        Args:
            heard: The provider's words: those of the look that settles it are kept.
        """
        now = self._clock.now()
        request = requests.read(tables, request_id)
        if request.state not in (State.UNKNOWN, State.ACKED):
            if evidence is not None:  # people were quicker than the answer
                self._incidents.compare(tables, request, evidence)
            return request.state
        sendings = records.sendings_of(tables, request_id)
        if evidence is not None and evidence.by_nature and records.another_did_it(tables, request, evidence.reference):
            said = "another request of ours could have done what looks like it"
            evidence = Evidence(Outcome.UNKNOWN, "", said, evidence.seen_at, alike=(evidence.reference,))
        if evidence is not None:
            records.note_sighting(tables, request_id, evidence, now)
            settled = proof_in(evidence)
            if settled is not None:
                event, said = settled
                records.keep_answer(tables, request.id, Asked.LOOKED, heard, now)
                details = {"outcome": evidence.outcome.value, "reference": evidence.reference}
                moved = self._approvals.course.moving(tables, request, event, said, details)
                if event is Event.DONE:
                    crashpoint("CP13")
                return moved.state
            if evidence.differing:
                what = f"request {request.id} was executed otherwise than approved: {', '.join(evidence.differing)}"
                self.alarm(tables, request.parameters["provider"], what)
        if request.state is State.ACKED and now - sendings[-1].begun_at >= FINAL_WITHIN:
            said = "the provider took it, and has not said that it is done"
            return self._approvals.course.moving(tables, request, Event.OUTCOME_LOST, said).state
        if request.state is State.UNKNOWN:
            self._wait(tables, request, sendings[-1], now)
        return request.state

    def _wait(self, tables: Tables, request: Request, sending: Sending, now: datetime) -> None:
        """It stays unknown: its people are reminded, and after a day another like it may be asked for."""
        age = now - sending.begun_at
        if age >= BLOCKED_FOR:
            self._approvals.course.unblocking(tables, request)
        slot = int(age / REMINDED_EVERY)
        if slot == 0:
            return
        sightings = records.sightings_of(tables, request.id)
        absent = looks_absent(sightings, sending.prepared_at)
        lines = (
            *self._approvals.lines(request),
            f"Sent at {sending.begun_at:%Y-%m-%d %H:%M} UTC; what became of it is not known yet.",
            "The provider is asked again and again. Do not send it again by another way.",
            *_clues(sightings),
        )
        step = f"/settle {request.id} says by hand what became of it; others must sign that."
        title = f"Request {request.id}: still no answer"
        if absent:
            title = f"Request {request.id}: it looks as if nothing was executed"
            step = f"/settle {request.id} not-executed proposes to settle it as not executed; others must sign that."
        for person in people_in(tables):
            concerned = person.id == request.asked_by or person.may(Right.DECIDE)
            for number in person.telegram_ids if concerned else ():
                dedupe = f"request/{request.id}/unknown/{slot}/{absent}/{number}"
                self._outbox.put(tables, Notice(Lane.SECURITY, number, title, lines, dedupe, next_step=step))

    async def _pause(self, request_id: str) -> float:
        """Until the next look."""
        try:
            sendings = await self._database.read(lambda tables: records.sendings_of(tables, request_id))
        except StoreError:
            return 5.0
        age = self._clock.now() - sendings[-1].begun_at if sendings else timedelta()
        return next((seconds for until, seconds in _LOOKS if age < until), 60.0)


def proof_in(evidence: Evidence) -> tuple[Event, str] | None:
    """What is proven by what was seen; None for nothing (M05, M07)."""
    if evidence.differing:
        return None
    match evidence.outcome:
        case Outcome.SUCCEEDED:
            return Event.DONE, evidence.detail or f"found as {evidence.reference}"
        case Outcome.FAILED:
            return Event.REFUSED, f"the provider refused it: {evidence.detail}"
        case Outcome.ALREADY_DECIDED:
            return Event.REFUSED, f"not by us: it {evidence.detail}"
        case Outcome.NOT_SENT:
            return Event.REFUSED, f"it had no effect ({evidence.detail}); ask for it anew if it is still wanted"
        case _:
            return None


def looks_absent(sightings: list[Sighting], prepared_at: datetime) -> bool:
    """Whether all four signs of M25 are there that nothing was executed. A sign, not a proof."""
    absences = [one for one in sightings if one.absent and not one.alike]
    if not absences or len(absences) != len([one for one in sightings if one.at >= absences[0].at]):
        return False
    first, last = absences[0], absences[-1]
    long_enough = last.at - prepared_at >= ABSENT_FOR and last.at - first.at >= ABSENCES_APART
    return long_enough and last.answered_later and len({one.balance for one in absences}) == 1


def _clues(sightings: list[Sighting]) -> tuple[str, ...]:
    if not sightings:
        return ("The provider could not be asked so far.",)
    last = sightings[-1]
    said = [f"Last look at {last.at:%H:%M} UTC: {last.detail or last.outcome.value}."]
    if last.alike:
        said.append(f"Like it, but without our mark: {', '.join(last.alike)}. Compare by hand.")
    if last.differing:
        said.append(f"Differing: {', '.join(last.differing)}. The provider is frozen.")
    return tuple(said)


def _open(tables: Tables) -> list[Request]:
    return requests.standing(tables, (State.ACKED, State.UNKNOWN))


def _one(tables: Tables, request_id: str) -> tuple[Request, list[Sending]]:
    return requests.read(tables, request_id), records.sendings_of(tables, request_id)
