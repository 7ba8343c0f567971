"""Alerts at work: what is heard becomes a decision, and each decision is written once, with what is told of it.

What is heard moves the rules in memory at once and is written right after, many decisions in one commit: the firing
under its key, the state of its rule, its messages, and the latest values. A process that is killed in between has
told nobody; it finds the states as they were, and hears the gap again from whoever fills it.
"""

import asyncio
import logging
from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from bot.access.model import Person
from bot.alerts import records
from bot.alerts.book import Entry
from bot.alerts.engine import Engine
from bot.alerts.firings import Firings
from bot.alerts.happening import Happening
from bot.alerts.hearers import Desk, Find
from bot.alerts.model import Counted, Escalation, Occasion, Outage, Phase, Repeat, Rule, Severity, State
from bot.alerts.surveying import differences, known_positions, remember
from bot.alerts.telling import Telling
from bot.alerts.tending import Tending
from bot.alerts.wording import condition, subject_of, time_said
from bot.alerts.writing import Writing
from bot.clock import Clock
from bot.errors import ConflictError, NotFoundError, StoreError
from bot.messages.cards import Cards
from bot.messages.outbox import Outbox
from bot.ports import Deed, Recorder
from bot.providers.records import Candle, Position, Quote
from bot.providers.streams import Subject, Told
from bot.store import Database, Tables
from bot.store.columns import at, moment, packed

MOST_RULES = 1_000
"""Of one person."""
_LADDERS = {Severity.CRITICAL: (Escalation(timedelta(minutes=10), tells_admins=True),)}
_KEPT = timedelta(days=60)
_RESTS = (timedelta(hours=1), timedelta(hours=4), timedelta(days=1))
_PATIENCE_SECONDS = 1.0
_log = logging.getLogger(__name__)


class Alerts:
    """All rules of the desk."""

    def __init__(
        self,
        database: Database,
        outbox: Outbox,
        cards: Cards,
        audit: Recorder,
        clock: Clock,
        *,
        find: Find,
        groups: Callable[[], Container[int]],
        zone: ZoneInfo,
        ladders: Mapping[Severity, Sequence[Escalation]] = _LADDERS,
    ) -> None:
        """`groups`: the chats of the desk's groups, as they are now. `ladders`: what nobody acknowledges goes these."""
        self.engine = Engine()
        self.zone = zone
        self._database = database
        self._outbox = outbox
        self._audit = audit
        self._clock = clock
        self._find = find
        self._groups = groups
        self._telling = Telling(outbox, cards, zone)
        self._firings = Firings(self._telling, audit, zone)
        self._tending = Tending(outbox, audit, self._telling, ladders)
        self._writing = Writing(database, self.engine, self._firings, outbox, self._desk, clock)
        self._changed = asyncio.Event()
        self._wanted: Mapping[int, frozenset[Subject]] = {}
        self._started = False
        self._absent: frozenset[int] = frozenset()
        """Owners who are suspended."""

    # what is heard

    async def start(self) -> None:
        """Take up what was written down. A second call does nothing."""
        if not self._started:
            entries, values = await self._database.read(
                lambda tables: (records.read_entries(tables), records.read_values(tables))
            )
            if not self._started:
                self._started = True
                self.engine.load(entries, values)
                self._tell_of_change()

    def observe(self, connection_id: int, told: Told, *, outage: tuple[datetime, datetime] | None) -> None:
        """Something was told: it may touch rules. Neither waits nor raises.

        Args:
            outage: It was missed then, and comes from the provider's history. What came by itself while the gap was
                being filled is to be handed over after it, or counts as what it was: newer.
        """
        if type(told) is Quote and outage is None:  # first: there are thousands a second of these
            moved = self.engine.tick(connection_id, told, self._clock.now())
        else:
            gap = None if outage is None else Outage(*outage)
            moved = self.engine.hear(connection_id, told, gap, self._clock.now())
        if moved:
            self._writing.note(moved)

    def happened(self, what: Happening) -> None:
        """Something happened. Told again with the same key it is nothing new."""
        self._writing.note(self.engine.happened(what, self._clock.now()))

    async def surveyed(self, connection_id: int, positions: Iterable[Position], as_of: datetime) -> None:
        """All that is open on a connection, read at one moment: its numbers, and what came or went since last time."""
        found = list(positions)
        self._writing.note(self.engine.survey(connection_id, found, as_of, self._clock.now()))
        before = await self._database.read(lambda tables: known_positions(tables, connection_id))
        for happening in differences(connection_id, before, found, as_of):
            self.happened(happening)
        await self.settled(lambda tables: remember(tables, connection_id, found))

    async def over(self, connection_id: int, occasion: Occasion, key: str) -> None:
        """What lasted is over: what was told of it says so."""
        await self._end(f"{records.KEY} = ? AND connection_id = ? AND what = ?", (key, connection_id, occasion.value))

    async def only(self, occasions: Iterable[Occasion], keys: Iterable[str]) -> None:
        """Of what lasts, these are all there are now: the others are over."""
        which = f"what IN (SELECT value FROM json_each(?)) AND {records.KEY} NOT IN (SELECT value FROM json_each(?))"  # noqa: S608  # ours
        await self._end(which, (packed([one.value for one in occasions]), packed(sorted(keys))))

    async def _end(self, which: str, values: tuple[str | int, ...]) -> None:
        await self.settled()
        now = self._clock.now()
        query = (
            "SELECT DISTINCT rule_id, bucket FROM alert_firings JOIN alert_rules ON alert_rules.id = rule_id"  # noqa: S608
            f" WHERE resolved_at IS NULL AND is_quiet = 0 AND {which}"
        )
        if not await self._database.read(lambda tables: tables.conn.execute(query, values).fetchone()):
            return

        def change(tables: Tables) -> list[str]:
            rows = tables.conn.execute(query, values).fetchall()
            for rule_id, bucket in rows:
                self._firings.resolving(tables, rule_id, now, bucket)
            return [rule_id for rule_id, _ in rows]

        for rule_id in await self._database.write(change):
            entry = self.engine.entry(rule_id)
            if entry is not None and entry.state.muted_while_held:
                self._writing.stand(entry, replace(entry.state, muted_while_held=False))
        await self.settled()

    def doubted(self, connection_id: int, outage: tuple[datetime, datetime], step: timedelta) -> None:
        """A line broke and stands again; its provider's history of prices is one of steps."""
        self._writing.note(self.engine.doubted(connection_id, Outage(*outage), step))

    def windows_unknown(self, connection_id: int) -> Mapping[str, timedelta]:
        """Of which symbols it is not known how they went within the times that rules look at."""
        return self.engine.windows_unknown(connection_id, self._clock.now())

    def begins_earlier(self, connection_id: int, symbol: str, candles: Iterable[Candle], since: datetime) -> None:
        """How they went, from `since` on; oldest first."""
        self.engine.begins_earlier(connection_id, symbol, candles, since)

    def wanted(self) -> Mapping[int, frozenset[Subject]]:
        """Which subjects rules need, by connection; `Subject(CONTRACT)`: all that is open there."""
        return self.engine.wanted

    @property
    def changed(self) -> asyncio.Event:
        """Set, and done with, as soon as `wanted` has changed; the next one is another."""
        return self._changed

    # writing it down

    async def run(self) -> None:
        """Write decisions down as they come, until cancelled. A database that refuses is asked again."""
        while True:
            try:
                await self.start()
                await self._writing.woken.wait()
                await self.settled()
            except StoreError as error:
                _log.warning(
                    "alerts not written", extra={"error": type(error).__name__, "waiting": self._writing.waiting}
                )
                await self._clock.sleep(_PATIENCE_SECONDS)

    async def settled(self, also: Callable[[Tables], None] | None = None) -> None:
        """Everything heard so far is on disk when this returns: decisions, states, messages and latest values.

        Whoever keeps how far a stream was heard writes that after this, or as `also`, in the same commit.

        Raises:
            StoreError: Nothing was written; it all stays for the next time.
        """
        await self._writing.settled(also)

    def _desk(self, tables: Tables) -> Desk:
        return Desk(tables, self._find, self._groups())

    # what people do

    async def of(self, person: Person) -> list[Entry]:
        """A person's own rules, oldest first, as they stand."""
        await self.start()
        written = await self._database.read(lambda tables: records.entries_of(tables, person.id))
        return [self.engine.entry(entry.rule.id) or entry for entry in written]

    async def own(self, person: Person, rule_id: str) -> Entry:
        """One of them. `NotFoundError` for another's, as for none."""
        await self.start()
        entry = self.engine.entry(rule_id)
        if entry is None or entry.rule.owner != person.id:
            raise NotFoundError("alert", rule_id)
        return entry

    async def set(self, person: Person, rule: Rule, *, telegram_id: int) -> None:
        """A new rule, or one of theirs as it is to be from now on: it begins anew.

        Raises:
            NotAllowedError: They may not read that, or not tell others, (any more).
            NotFoundError: It is not theirs.
            ConflictError: They have very many.
        """
        await self.start()
        there = self.engine.entry(rule.id)
        if rule.owner != person.id or (there is not None and there.rule.owner != person.id):
            raise NotFoundError("alert", rule.id)
        state = State()
        if there is not None and _goes_on(there, rule):
            state = there.state
        action = "alert.set" if there is None else "alert.changed"
        details = {"rule": f"{subject_of(rule.source, '')}: {condition(rule)}"}
        deed = Deed(action, f"alert/{rule.id}", person.id, telegram_id, details)

        def change(tables: Tables) -> None:
            if there is None and records.count_of(tables, person.id) >= MOST_RULES:
                raise ConflictError(f"you have {MOST_RULES} alerts already; /alerts removes some")
            if there is None or there.rule.target != rule.target:
                self._telling.check(self._desk(tables), rule)
            records.write_rule(tables, rule)
            records.write_states(tables, [(rule.id, state)])
            self._audit.record(tables, deed)

        await self._database.write(change)
        self.engine.put(Entry(rule, state))
        self._tell_of_change()

    async def remove(self, person: Person, rule_id: str, *, telegram_id: int) -> None:
        """One of theirs. `NotFoundError`."""
        await self.own(person, rule_id)

        def change(tables: Tables) -> None:
            if not records.delete_rule(tables, rule_id):
                raise ConflictError("it is gone already")
            self._audit.record(tables, Deed("alert.removed", f"alert/{rule_id}", person.id, telegram_id))

        await self._database.write(change)
        self.engine.remove(rule_id)
        self._tell_of_change()

    async def acknowledge(self, person: Person, alert_id: str, *, telegram_id: int) -> str:
        """Somebody who was told of it, or an admin, has seen it; answers who did first."""
        now = self._clock.now()

        def change(tables: Tables) -> str:
            desk = self._desk(tables)
            return self._firings.acknowledging(desk, person, alert_id, now, telegram_id)

        return await self._database.write(change)

    async def take_back(self, person: Person, alert_id: str, *, telegram_id: int) -> bool:
        """Nobody sees to it after all; answers whether somebody had said so. `NotFoundError`."""
        now = self._clock.now()

        def change(tables: Tables) -> bool:
            return self._firings.taking_back(self._desk(tables), person, alert_id, now, telegram_id)

        return await self._database.write(change)

    async def mute(self, person: Person, rule_id: str, *, span: timedelta | None) -> None:
        """Say nothing of this rule for a while; None: until it is no longer so. What comes meanwhile is kept."""
        entry = await self.own(person, rule_id)
        until = None if span is None else self._clock.now() + span
        self._writing.stand(entry, replace(entry.state, muted_until=until, muted_while_held=span is None))
        await self.settled()

    async def less(self, person: Person, rule_id: str, *, telegram_id: int) -> str:
        """Let it come less often, a step each time it is asked for; answers in words how often."""
        rule = (await self.own(person, rule_id)).rule
        if rule.repeat is Repeat.ONCE:
            return "It comes once, and has; nothing more will come of it."
        longer = next((one for one in _RESTS if one > rule.rest), None)
        if longer is None:
            return "It comes once a day at most already; /alerts pauses or removes it."
        await self.set(person, replace(rule, rest=longer), telegram_id=telegram_id)
        return f"From now on it comes at most every {time_said(longer)}."

    async def counted(self, rule_id: str) -> Counted:
        """How often a rule has come, whatever its number was then."""
        times, silent, last = await self._database.read(
            lambda tables: tables.conn.execute(
                "SELECT count(*), coalesce(sum(is_quiet), 0), max(happened_at) FROM alert_firings WHERE rule_id = ?",
                (rule_id,),
            ).fetchone()
        )
        return Counted(times, silent, None if last is None else moment(last))

    # work by the clock

    async def look(self) -> None:
        """Repeat what comes every so often, escalate what nobody has seen, drop what is over."""
        await self.start()
        now = self._clock.now()
        self._writing.note(self.engine.again(now))
        await self.settled()

        def change(tables: Tables) -> tuple[list[str], list[str], frozenset[int], list[Entry]]:
            desk = self._desk(tables)
            self._tending.escalating(desk, now)
            tables.conn.execute("DELETE FROM alert_firings WHERE told_at < ?", (at(now - _KEPT),))
            gone, paused = self._tending.dropping(tables, now), self._tending.pausing(desk, now)
            absent = frozenset(records.owners(tables) - desk.people.keys())
            back = [entry for owner in self._absent - absent for entry in records.entries_of(tables, owner)]
            return gone, paused, absent, back

        gone, paused, absent, back = await self._database.write(change)
        self._heed(absent, back)
        for rule_id in gone:
            self.engine.remove(rule_id)
        for rule_id in paused:
            entry = self.engine.entry(rule_id)
            if entry is not None:
                self.engine.put(Entry(replace(entry.rule, is_paused=True), entry.state))
        if self.engine.wanted != self._wanted:
            self._tell_of_change()

    def _heed(self, absent: frozenset[int], back: Iterable[Entry]) -> None:
        """Rules of the suspended are not looked at until their owner is back: no stream stands for them."""
        self._absent = absent
        for entry in back:
            self.engine.put(entry)
        if absent:
            for rule_id in [entry.rule.id for entry in self.engine.entries if entry.rule.owner in absent]:
                self.engine.remove(rule_id)

    def _tell_of_change(self) -> None:
        self._wanted = self.engine.wanted
        self._changed.set()
        self._changed = asyncio.Event()


def _goes_on(there: Entry, rule: Rule) -> bool:
    """Whether a changed rule stands where it stood, rather than beginning anew."""
    is_roused = there.rule.is_paused or (there.state.phase is Phase.DONE and rule.repeat is not Repeat.ONCE)
    return there.rule.threshold == rule.threshold and not is_roused
