"""What waits in the outbox, all chats together."""

from bot.messages.outbox import Outbox, Queued
from bot.store.columns import at


async def due(outbox: Outbox, limit: int = 20) -> list[Queued]:
    """The next rows to send, by lane, then by age; nothing that is to wait, and nothing to a chat left alone."""
    now = at(outbox._clock.now())
    numbers = await outbox._database.read(
        lambda tables: tables.conn.execute(
            "SELECT id FROM outbox WHERE state = 'waiting' AND not_before <= ?1"
            " AND chat_id NOT IN (SELECT chat_id FROM chat_pauses WHERE until > ?1) ORDER BY lane, id LIMIT ?2",
            (now, limit),
        ).fetchall()
    )
    return await outbox.rows([number for (number,) in numbers])
