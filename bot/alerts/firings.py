"""What has been told of rules: each firing is a row, once, and its messages say how it stands.

All inside the caller's transaction.
"""

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime
from zoneinfo import ZoneInfo

from bot.access.model import Person, Role
from bot.alerts import records
from bot.alerts.hearers import Desk
from bot.alerts.model import Firing, Moved, Occasion, Phase, Repeat, Rule, State
from bot.alerts.records import Told
from bot.alerts.telling import Telling, buttons
from bot.errors import NotFoundError
from bot.messages.notice import Choices
from bot.ports import Deed, Recorder
from bot.store import Tables
from bot.store.columns import at


class Firings:
    """Tells of them, and of what becomes of them."""

    def __init__(self, telling: Telling, audit: Recorder, zone: ZoneInfo) -> None:
        self._telling = telling
        self._audit = audit
        self._zone = zone

    def deciding(
        self, desk: Desk, events: Iterable[Moved], states: dict[str, State], now: datetime
    ) -> list[tuple[str, datetime]]:
        """Firings, and what is over, in their order. Answers which occasions have come, `states` among them."""
        came: list[tuple[str, datetime]] = []
        for moved in events:
            rule = moved.rule
            if rule.id not in states or (rule.expires_at is not None and now >= rule.expires_at):
                continue
            if moved.firing is not None:
                state = states[rule.id]
                is_occasion = isinstance(rule.source.what, Occasion)
                if is_occasion and state.phase is Phase.DONE:
                    continue
                quiet = _is_quiet(desk.tables, rule, state, now)
                firing = _said_again(desk.tables, moved.firing, now)
                if self._telling.tell(desk, firing, now, is_quiet=quiet) and is_occasion:
                    states[rule.id] = _came(rule, state, now)
                    came.append((rule.id, now))
            if moved.is_released:
                self.resolving(desk.tables, rule.id, now)
        return came

    def resolving(self, tables: Tables, rule_id: str, now: datetime, bucket: str | None = None) -> None:
        """It is no longer so.

        Args:
            bucket: Only of what was told under this key.
        """
        for told in records.open_firings(tables, rule_id, bucket):
            tables.conn.execute("UPDATE alert_firings SET resolved_at = ? WHERE id = ?", (at(now), told.id))
            self._telling.redraw(tables, told, now, *self._standing(tables, replace(told, resolved_at=now)))

    def acknowledging(self, desk: Desk, person: Person, alert_id: str, now: datetime, telegram_id: int) -> str:
        """This person has seen it; answers who did first. `NotFoundError` where it is none of their business."""
        tables, (told, rule) = desk.tables, _found(desk, person, alert_id)
        if told.acknowledged_by is not None:
            return _name(tables, told.acknowledged_by)
        self._mark(tables, alert_id, person.id, at(now))
        self._audit.record(tables, Deed("alert.acknowledged", f"alert/{told.rule_id}", person.id, telegram_id))
        self._redraw(desk, replace(told, acknowledged_by=person.id, acknowledged_at=now), rule, now)
        return person.name

    def taking_back(self, desk: Desk, person: Person, alert_id: str, now: datetime, telegram_id: int) -> bool:
        """Nobody sees to it after all, and it goes on being escalated; answers False where nobody had acknowledged it.
        `NotFoundError` as for that."""
        tables, (told, rule) = desk.tables, _found(desk, person, alert_id)
        if told.acknowledged_by is None:
            return False
        self._mark(tables, alert_id, None, None)
        self._audit.record(tables, Deed("alert.unacknowledged", f"alert/{told.rule_id}", person.id, telegram_id))
        more = f"{person.name} took the acknowledgement back, {self._time(now)}."
        self._redraw(desk, replace(told, acknowledged_by=None, acknowledged_at=None), rule, now, more)
        return True

    def _redraw(self, desk: Desk, told: Told, rule: Rule | None, now: datetime, *more: str) -> None:
        def choices(chat: int) -> Choices:
            if rule is None or told.resolved_at is not None:
                return ()
            return buttons(rule, desk.owner_of(chat), is_acknowledged=told.acknowledged_by is not None)

        self._telling.redraw(desk.tables, told, now, *self._standing(desk.tables, told), *more, choices=choices)

    def _standing(self, tables: Tables, told: Told) -> list[str]:
        """Who has seen it, and whether it is over."""
        lines = []
        if told.acknowledged_by is not None and told.acknowledged_at is not None:
            lines.append(f"Acknowledged by {_name(tables, told.acknowledged_by)}, {self._time(told.acknowledged_at)}.")
        if told.resolved_at is not None:
            lines.append(f"Resolved {self._time(told.resolved_at)}: it is no longer so.")
        return lines

    def _time(self, when: datetime) -> str:
        return f"{when.astimezone(self._zone):%H:%M:%S %Z}"

    @staticmethod
    def _mark(tables: Tables, alert_id: str, by: int | None, when: int | None) -> None:
        statement = "UPDATE alert_firings SET acknowledged_by = ?, acknowledged_at = ? WHERE id = ?"
        tables.conn.execute(statement, (by, when, alert_id))


def _found(desk: Desk, person: Person, alert_id: str) -> tuple[Told, Rule | None]:
    """One that concerns them, and its rule, if that is still there. `NotFoundError`."""
    told = records.read_told(desk.tables, alert_id)
    entry = None if told is None else records.read_entry(desk.tables, told.rule_id)
    rule = None if entry is None else entry.rule
    if told is None or not _concerns(person, told, rule, desk):
        raise NotFoundError("alert", alert_id)
    return told, rule


def _name(tables: Tables, person_id: int) -> str:
    return str(tables.conn.execute("SELECT name FROM persons WHERE id = ?", (person_id,)).fetchone()[0])


def _is_quiet(tables: Tables, rule: Rule, state: State, now: datetime) -> bool:
    if state.muted_while_held or (state.muted_until is not None and now < state.muted_until):
        return True
    if not rule.rest:
        return False
    last = "SELECT max(told_at) FROM alert_firings WHERE rule_id = ? AND is_quiet = 0"
    (told_at,) = tables.conn.execute(last, (rule.id,)).fetchone()
    return told_at is not None and told_at > at(now - rule.rest)


def _said_again(tables: Tables, firing: Firing, now: datetime) -> Firing:
    """What lasts, and is to be said every so often while it does, is another firing each time that is over."""
    rule, what = firing.rule, firing.rule.source.what
    if rule.repeat is not Repeat.EVERY or not isinstance(what, Occasion) or not what.lasts:
        return firing
    last = f"SELECT max(told_at) FROM alert_firings WHERE rule_id = ? AND {records.KEY} = ?"  # noqa: S608  # ours
    (told_at,) = tables.conn.execute(last, (rule.id, firing.bucket)).fetchone()
    is_due = told_at is not None and told_at <= at(now - rule.every)
    return replace(firing, bucket=f"{firing.bucket}{records.AGAIN}{at(now)}") if is_due else firing


def _concerns(person: Person, told: Told, rule: Rule | None, desk: Desk) -> bool:
    """Told in one of their chats, or in a group and about what they may read; admins hear of what nobody has
    acknowledged."""
    chats = [chat for chat, _ in told.chats.values()]
    if Role.ADMIN in person.roles or any(chat in person.telegram_ids for chat in chats):
        return True
    return any(chat < 0 for chat in chats) and rule is not None and desk.may_hear(person, rule, told.audience)


def _came(rule: Rule, state: State, now: datetime) -> State:
    phase = Phase.DONE if rule.repeat is Repeat.ONCE else Phase.ARMED
    return replace(state, phase=phase, told_at=now, times=state.times + 1)
