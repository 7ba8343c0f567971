"""Remembering the audit log's head outside of the database: what else shows that its end was cut off?"""

import asyncio
import logging
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from bot.access.service import Access
from bot.audit import anchors
from bot.audit.model import Anchor, Head
from bot.audit.service import Audit
from bot.clock import Clock
from bot.config import AuditConfig
from bot.messages.notice import Lane, Notice
from bot.messages.outbox import Outbox
from bot.operations.freezing import DESK, Alarm, no_alarm
from bot.ports import Deed
from bot.store import Database, Tables

_log = logging.getLogger(__name__)


class Anchoring:
    """The file that gets a line each hour, and the chat that gets a message each day."""

    def __init__(
        self,
        database: Database,
        audit: Audit,
        access: Access,
        outbox: Outbox,
        clock: Clock,
        *,
        zone: ZoneInfo,
        config: AuditConfig,
        alarm: Alarm = no_alarm,
    ) -> None:
        self._database = database
        self._audit = audit
        self._access = access
        self._outbox = outbox
        self._clock = clock
        self._zone = zone
        self._alarm = alarm
        self._file = config.anchor_file
        self._chat = config.chat

    async def anchor(self) -> None:
        """Remember the head: a line in the file each time, a message in the audit chat once a day.

        First the last line is compared: when the log does not fit it any more, that is told at once, not only when
        somebody examines it all.
        A file that cannot be written is told to the admins once a day, and stops nothing. One that had to be begun
        although the log is older is told, too, and is a row of the log: somebody may have taken the old one away.
        """
        head = await self._database.read(self._audit.head)
        if head is None:
            return
        now = self._clock.now()
        if self._chat is not None:
            await self._tell([self._daily_head(self._chat, head, now)])
        if self._file is not None:
            await self._append(self._file, head, now)

    async def is_due(self) -> bool:
        """Whether the log is so old that, while the bot ran, an anchor of it must have been written by now."""
        began_at = await self._database.read(self._audit.began_at)
        return began_at is not None and self._clock.now() - began_at >= anchors.ANCHORED_EVERY

    async def _append(self, file: Path, head: Head, now: datetime) -> None:
        was_due = await self.is_due()
        lost = await self._misfit(file, head)
        if lost is not None:
            _log.critical("the audit log does not fit its last anchor", extra={"file": str(file), "row": lost.seq})
            await self._tell(self._not_fitting(lost), Deed("audit.anchor_misfit", "audit", details={"at": lost.seq}))
            why = f"row {lost.seq} of the audit log is not what it was when it was last written to the anchor file"
            await self._database.write(lambda tables: self._alarm(tables, DESK, why))
        try:
            begun = await asyncio.to_thread(anchors.append, file, anchors.line_of(head, now))
        except OSError as error:
            reason = error.strerror or str(error)
            _log.warning("anchor not written", extra={"file": str(file), "error": reason})
            await self._tell(self._not_written(reason, now))
            return
        if begun and was_due:
            _log.warning("anchor file begun anew", extra={"file": str(file), "row": head.seq})
            await self._tell(self._begun_anew(head), Deed("audit.anchors_begun", "audit", details={"at": head.seq}))

    async def _misfit(self, file: Path, head: Head) -> Anchor | None:
        """The file's last anchor, when its row is gone or another one. One from before a restore proves nothing."""
        last = await asyncio.to_thread(anchors.last_in, file)
        if last is None or last.epoch is None or last.epoch < head.epoch:
            return None
        hashed = await self._database.read(lambda tables: self._audit.hash_at(tables, last.seq))
        return None if hashed == last.hash else last

    async def _tell(self, notices: Iterable[Notice], deed: Deed | None = None) -> None:
        def change(tables: Tables) -> None:
            for notice in notices:
                self._outbox.put(tables, notice)
            if deed is not None:
                self._audit.record(tables, deed)

        await self._database.write(change)

    def _daily_head(self, chat: int, head: Head, now: datetime) -> Notice:
        today = now.astimezone(self._zone).date()
        how = (
            f"On {today} the audit log ends with row {head.seq}. Keep this message: on the host, "
            "`countersign audit verify --anchor` with the line above shows whether anything up to there was changed."
        )
        lines = (anchors.text_of(head), how, "— bot daily head")
        return Notice(Lane.EVENTS, chat, "Audit log, daily head", lines, f"audit/head/{chat}/{today}")

    def _not_written(self, reason: str, now: datetime) -> list[Notice]:
        what = f"The head of the audit log could not be appended to the anchor file ({reason})."
        then = (
            "The log itself goes on. Until this is mended, rows cut from its end show against older anchors only: "
            "see `anchor_file` under [audit] in the configuration."
        )
        return self._to_admins("Audit log not anchored", (what, then), f"audit/unanchored/{self._day(now)}")

    def _not_fitting(self, lost: Anchor) -> list[Notice]:
        what = (
            f"Row {lost.seq} of the audit log is gone, or not what it was when it was last written to the anchor file."
        )
        then = (
            "Somebody may have had their hands in the database. Stop the bot, keep a copy of the database and of the "
            "anchor file, and run `countersign audit verify` on the host."
        )
        return self._to_admins("Audit log changed", (what, then), f"audit/misfit/{lost.seq}/{lost.hash.hex()[:16]}")

    def _begun_anew(self, head: Head) -> list[Notice]:
        what = f"The anchor file of the audit log was not there, or empty, so a new one begins with row {head.seq}."
        then = (
            "If the bot has only now begun to use this file, all is well. If there was one before, find out who "
            "took it away: rows that were cut from the log before now show only against a copy of it, or "
            "against the daily heads."
        )
        return self._to_admins("Anchor file begun anew", (what, then), f"audit/begun/{head.seq}")

    def _to_admins(self, title: str, lines: tuple[str, ...], dedupe: str) -> list[Notice]:
        return [
            Notice(Lane.SECURITY, number, title, lines, f"{dedupe}/{number}")
            for admin in self._access.roster.admins
            for number in sorted(admin.telegram_ids)
        ]

    def _day(self, now: datetime) -> str:
        return str(now.astimezone(self._zone).date())
