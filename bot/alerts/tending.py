"""What the clock does to rules and to what was told of them, inside one transaction."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from bot.alerts import records
from bot.alerts.hearers import Desk
from bot.alerts.model import Escalation, Severity
from bot.alerts.telling import OPEN_FOR, Telling
from bot.messages.notice import Lane, Notice
from bot.messages.outbox import Outbox
from bot.ports import Deed, Recorder
from bot.store import Tables
from bot.store.columns import at


class Tending:
    """Escalates what nobody has seen, drops what is over, pauses what may not be read any more."""

    def __init__(
        self,
        outbox: Outbox,
        audit: Recorder,
        telling: Telling,
        ladders: Mapping[Severity, Sequence[Escalation]],
    ) -> None:
        self._outbox = outbox
        self._audit = audit
        self._telling = telling
        self._ladders = {severity: sorted(steps) for severity, steps in ladders.items()}

    def escalating(self, desk: Desk, now: datetime) -> None:
        """What nobody has acknowledged goes as many steps as are due, in one."""
        tables = desk.tables
        for severity, ladder in self._ladders.items():
            if not ladder:
                continue
            for told, gone in records.unseen(tables, severity, now - OPEN_FOR, now - ladder[0].after, len(ladder)):
                due = [step for step in ladder if now - told.told_at >= step.after]
                entry = records.read_entry(tables, told.rule_id)
                if len(due) <= gone:
                    continue
                records.gone_steps(tables, told.id, len(due), now)
                if entry is not None:
                    tells_admins = any(step.tells_admins for step in due[gone:])
                    step = replace(due[-1], tells_admins=tells_admins)
                    self._telling.escalate(desk, told, entry.rule, step, len(due), now)

    def dropping(self, tables: Tables, now: datetime) -> list[str]:
        """Rules whose time is over, or whose connection is gone."""
        gone = []
        ended = "SELECT id FROM alert_rules WHERE json_extract(body, '$.expires_at') <= ?"
        for (rule_id,) in tables.conn.execute(ended, (at(now),)).fetchall():
            gone.append((rule_id, "its time was over"))
        without = (
            "SELECT alert_rules.id FROM alert_rules LEFT JOIN connections ON connections.id = connection_id"
            " WHERE connection_id != 0 AND connections.id IS NULL"
        )
        for (rule_id,) in tables.conn.execute(without).fetchall():
            gone.append((rule_id, "its connection is gone"))
        for rule_id, reason in dict(gone).items():
            records.delete_rule(tables, rule_id)
            self._audit.record(tables, Deed("alert.removed", f"alert/{rule_id}", details={"because": reason}))
        return [rule_id for rule_id, _ in gone]

    def pausing(self, desk: Desk, now: datetime) -> list[str]:
        """Rules on a connection that their owner may not read any more: nobody's login listens for those."""
        tables = desk.tables
        paused: list[str] = []
        for owner, connection in records.looked_at(tables):
            person, linked = desk.people.get(owner), desk.connection(connection)
            if person is None or linked is None or linked.may_read(person):
                continue
            ids = records.pause(tables, owner, connection)
            for rule_id in ids:
                self._audit.record(tables, Deed("alert.paused", f"alert/{rule_id}", details={"because": "no share"}))
            said = (f"{linked.name} is not shared with you any more. /alerts shows what is paused: {len(ids)}.",)
            for chat in sorted(person.telegram_ids):
                key = f"alerts/paused/{owner}/{connection}/{at(now)}/{chat}"
                self._outbox.put(tables, Notice(Lane.EVENTS, chat, "Alerts paused", said, key))
            paused += ids
        return paused
