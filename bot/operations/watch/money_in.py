"""Money that comes in, told to everybody who may see the connection, without a rule that waits for it.

What of a statement is news, and what is history, is for whoever follows it. A notice bears the entry's own number, and
is queued in the commit that writes how far the feed was told: it is neither lost nor queued twice.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from bot.access.service import Access
from bot.messages.notice import Lane, Notice
from bot.messages.outbox import Outbox
from bot.operations.linked import Connection, read_all
from bot.providers.base import Ability
from bot.providers.records import Entry, Environment, Way
from bot.providers.streams import Subject, Told, Topic
from bot.store import Tables

_LINES = frozenset({Subject(Topic.ENTRY)})


@dataclass(frozen=True, slots=True)
class MoneyIn:
    """Who is told, and in which words."""

    access: Access
    outbox: Outbox

    @staticmethod
    def subjects(connection: Connection) -> frozenset[Subject]:
        """What is followed there whether or not a rule looks at it."""
        return _LINES if Ability.ARRIVALS in connection.spec.abilities else frozenset()

    def concerns(self, connection: Connection, told: Told) -> bool:
        return isinstance(told, Entry) and told.way is Way.IN and bool(self.subjects(connection))

    def tell(self, tables: Tables, connection_id: int, news: Iterable[Told]) -> None:
        """Queue a notice of each, to everybody who may see it as it is shared now."""
        current = next((one for one in read_all(tables) if one.id == connection_id), None)
        if current is None:
            return
        people = [one for one in self.access.roster.people if current.may_read(one)]
        chats = [chat for one in people for chat in sorted(one.telegram_ids)]
        for told in news:
            for chat in chats:
                if isinstance(told, Entry):
                    self.outbox.put(tables, _notice(current, told, chat))


def _notice(connection: Connection, entry: Entry, chat: int) -> Notice:
    demo = " (demo)" if connection.environment is Environment.DEMO else ""
    there = f" ({entry.other_amount} there)" if entry.other_amount is not None else ""
    lines = [f"{entry.amount} to {entry.account}, {connection.name}{demo}", f"from {entry.other}{there}"]
    if entry.narrative.strip():
        lines.append(f"«{entry.narrative}»")
    lines.append(f"{entry.on.isoformat()}, no. {entry.id}")
    dedupe = f"arrival/{connection.provider}/{entry.account}/{entry.id}/{chat}"
    return Notice(Lane.EVENTS, chat, "Money came in", tuple(lines), dedupe=dedupe)
