"""What this desk sees by itself and rules may wait for: requests, withdrawals, keys, the disk, the clock, providers.

Looked at each minute, from the rows that those rooms keep; they tell of it themselves as before, and know no rules.
Each thing has a key of its own, so that looking again, or after a restart, tells nobody twice.
"""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timedelta

from bot.access.records import people_in
from bot.alerts.happening import Happening
from bot.alerts.model import Occasion
from bot.alerts.records import open_keys
from bot.alerts.service import Alerts
from bot.approvals import records as requests
from bot.clock import Clock
from bot.errors import DiskShortError
from bot.operations.connections import Connections
from bot.operations.disk import Disk
from bot.operations.dossiers import concerns
from bot.operations.linked import Connection
from bot.operations.requested import PENDING, Known
from bot.operations.requested import read_all as withdrawals_in
from bot.operations.timekeeping import doubt_in
from bot.store import Database, Tables
from bot.store.columns import at, moment

_FAILED = (
    "SELECT id, requests.connection_id, outcome, coalesce(max(ended_at), asked_at) AS at"
    " FROM requests LEFT JOIN (SELECT request_id, ended_at FROM sendings) ON request_id = id"
    " WHERE state = 'failed' AND kind = 'transfer' AND requests.connection_id IS NOT NULL GROUP BY id HAVING at > ?"
)
"""Those of the last day. One that was not even sent has no later time than that of its asking."""
_A_DAY = timedelta(days=1)
_LOOKED_AT = (
    Occasion.REQUEST_WAITING,
    Occasion.REQUEST_EXPIRING,
    Occasion.WITHDRAWAL_WAITING,
    Occasion.CLOCK_OFF,
    Occasion.DISK_LOW,
    Occasion.KEY_OLD,
    Occasion.PROVIDER_DOWN,
)
"""What lasts: when it is not seen any more, it is over."""


class WatchingDesk:
    """Looks around for those who have set rules."""

    def __init__(self, database: Database, alerts: Alerts, connections: Connections, disk: Disk, clock: Clock) -> None:
        self._database = database
        self._alerts = alerts
        self._connections = connections
        self._disk = disk
        self._clock = clock

    async def look(self) -> None:
        """Hand over what is so now; then the alerts' own work by the clock."""
        await self._alerts.start()
        now = self._clock.now()
        linked = await self._connections.everything()
        found, down, short = await self._database.read(
            lambda tables: (
                list(_in_rows(tables, linked, now)),
                open_keys(tables, Occasion.PROVIDER_DOWN),
                open_keys(tables, Occasion.DISK_LOW),
            )
        )
        found += [*self._on_disk(short.get(0), now), *self._of_logins(linked, down)]
        for happening in found:
            self._alerts.happened(happening)
        unknown = {key for number, (key, _) in down.items() if self._is_unknown(number)}
        await self._alerts.only(_LOOKED_AT, unknown | {happening.key for happening in found})
        await self._alerts.look()

    def _on_disk(self, told: tuple[str, datetime] | None, now: datetime) -> Iterator[Happening]:
        """Once while it lasts: `told` is what was told of it and is not over."""
        try:
            self._disk.check()
        except DiskShortError as error:
            free = f"{error.free_bytes // 1_000_000:,} MB are free"
            key, since = told or (f"disk/{now:%Y-%m-%d %H}", now)
            yield Happening(Occasion.DISK_LOW, key, free, since)

    def _of_logins(self, linked: list[Connection], down: Mapping[int, tuple[str, datetime]]) -> Iterator[Happening]:
        """`down`: what was told of and is not over; after a restart it is the same."""
        for one in linked:
            detail = f"The key of {one.name} is of {one.secret_since:%Y-%m-%d}"
            yield Happening(Occasion.KEY_OLD, f"key/{one.id}/{at(one.secret_since)}", detail, one.secret_since, one.id)
            health = self._connections.health.get(one.id)
            if health is not None and health.trouble is not None and health.bad_since is not None:
                what = f"{one.name} does not answer ({type(health.trouble).__name__.removesuffix('Error').lower()})"
                key, since = down.get(one.id) or (f"down/{one.id}/{at(health.bad_since)}", health.bad_since)
                yield Happening(Occasion.PROVIDER_DOWN, key, what, since, one.id)

    def _is_unknown(self, connection: int) -> bool:
        """Whether it has not been asked anything since the start."""
        health = self._connections.health.get(connection)
        return health is None or (health.good_at is None and health.bad_at is None)


def _in_rows(tables: Tables, linked: list[Connection], now: datetime) -> Iterator[Happening]:
    people = people_in(tables)
    pending = [request for request in requests.pending(tables) if request.expires_at > now]
    for request in pending:
        said = f"Request {request.id} ({request.kind.value})"
        since, until = request.asked_at, request.expires_at
        whose = frozenset(one.id for one in people if concerns(one, request))
        waits = f"{said} waits for signatures"
        yield Happening(Occasion.REQUEST_WAITING, f"request/{request.id}", waits, since, audience=whose)
        key, expires = f"expiring/{request.id}", f"{said} expires"
        yield Happening(Occasion.REQUEST_EXPIRING, key, expires, since, until=until, audience=whose)
    doubt = doubt_in(tables)
    if doubt is not None:
        moved = f"The clock was set by {doubt.seconds} s"
        yield Happening(Occasion.CLOCK_OFF, f"clock/{doubt.id}", moved, doubt.since)
    for number, connection, outcome, ended in tables.conn.execute(_FAILED, (at(now - _A_DAY),)).fetchall():
        said = f"Transfer {number} failed: {outcome}" if outcome else f"Transfer {number} failed"
        yield Happening(Occasion.TRANSFER_FAILED, f"failed/{number}", said, moment(ended), connection)
    of_crm = [one.id for one in linked if one.provider == "crm"]
    waiting = withdrawals_in(tables) if of_crm else []
    for connection in of_crm:
        yield from _withdrawals(waiting, connection)


def _withdrawals(waiting: Iterable[Known], connection: int) -> Iterator[Happening]:
    """The list is the desk's: each login of its CRM may be asked for it, and each has its rules."""
    for known in waiting:
        if known.status == PENDING:
            number = known.request_id
            said, new = f"Withdrawal {number}", Occasion.WITHDRAWAL_NEW
            yield Happening(new, f"withdrawal/{number}", f"{said} was asked for", known.noticed_at, connection)
            waits = Occasion.WITHDRAWAL_WAITING
            yield Happening(waits, f"waiting/{number}", f"{said} waits", known.since, connection)
