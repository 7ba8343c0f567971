"""A desk made ready for money before the bot runs: a login, a policy in force, a book."""

from collections.abc import Mapping

from bot.access.model import Role
from bot.operations.credentials import Wanted
from bot.operations.linked import Connection
from bot.providers.records import Environment
from bot.secret import Secret
from bot.store import Tables
from bot.store.columns import at
from bot.wiring import House
from tests.support.chatting import OLGA
from tests.support.treasury import CLIENT, HARBOUR


async def policy_and_book(rooms: House, provider: str, login: Mapping[str, str], policy: str) -> Connection:
    """Olga's login `main`, which everybody may use."""
    by = rooms.access.roster.person(OLGA)
    assert by is not None
    fields = {key: Secret(text) for key, text in login.items()}
    wanted = Wanted(provider, "main", Environment.LIVE, fields, frozenset(Role))
    connection, _ = await rooms.credentials.link(by, wanted, rooms.access.roster, telegram_id=OLGA)
    now = at(rooms.clock.now())

    def write(tables: Tables) -> None:
        tables.conn.execute("INSERT INTO policies VALUES (1, ?, ?, NULL, NULL)", (policy, now))
        tables.conn.execute(
            "INSERT INTO beneficiaries (provider, account, name, added_at, usable_from) VALUES (?, ?, 'Harbour', ?, ?)",
            (provider, CLIENT if provider == "deriv" else HARBOUR, now, now),
        )

    await rooms.database.write(write)
    return connection
