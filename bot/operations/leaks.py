"""After a leak: sealing anew does not call back what somebody has copied (SAFETY 4.5).

Every credential of the desk then counts as copied until its owner has made a new one at the provider and replaced it
here. The doubt is a row on the connection; `/connections`, and the weekly word about keys, show it.
"""

from bot.access.records import people_in
from bot.clock import Clock
from bot.messages.notice import Lane, Notice
from bot.messages.outbox import Outbox
from bot.operations.linked import Connection, read_all
from bot.ports import Deed, Recorder
from bot.store import Database, Tables
from bot.store.columns import at


async def doubt_all(database: Database, audit: Recorder, outbox: Outbox, clock: Clock) -> list[Connection]:
    """Let every credential that is kept now count as copied, and tell each owner; answers which are in doubt."""
    now = at(clock.now())

    def change(tables: Tables) -> list[Connection]:
        tables.conn.execute("UPDATE connections SET leaked_at = ? WHERE leaked_at IS NULL", (now,))
        doubted = read_all(tables)
        audit.record(tables, Deed("connections.leaked", "connections", details={"count": len(doubted)}))
        for person in people_in(tables):
            own = [one for one in doubted if one.owner == person.id]
            for number in person.telegram_ids if own else ():
                lines = tuple(f"{one.name}: {one.spec.revoke}".rstrip(": ") for one in own)
                title = "These credentials may have been copied"
                outbox.put(tables, Notice(Lane.SECURITY, number, title, lines, f"leak/{now}/{number}", next_step=NEXT))
        return doubted

    return await database.write(change)


NEXT = "Make new ones at the providers, revoke these there, and give me the new ones with /replace."
