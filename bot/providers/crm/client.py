"""The CRM, talking: build, send, parse.

There is no session: every request brings the key. One question of ours is many of theirs (a wallet for each client, a
window of trades for each server), so at most four are under way at a time; the pages name no limit.
"""

import asyncio
from collections.abc import Callable, Coroutine, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import stamina

from bot.errors import FaultError, RefusedError, SilentError, UnconfiguredError, UnreachableError
from bot.network.pacing import Breaker, retry_after
from bot.network.rest import Answer, Rest
from bot.providers.base import Lend, Spec, Surroundings
from bot.providers.crm import auth, wire
from bot.providers.crm.settings import Settings
from bot.providers.records import Account, Balance, Position, Reading

MOST_CLIENTS = 200
MOST_ROWS = 5000
"""Of the accounts on one server, or of the trades in one window."""
TRADE_WINDOWS = 8
"""Nearly two years, in windows of 88 days."""

_AT_A_TIME = 4
_PAGE = 200
"""Far below the 500 allowed: a whole page must fit in an answer of 1 MiB."""

Item = TypeVar("Item")


@dataclass(frozen=True, slots=True)
class _Listed(Generic[Item]):
    """What was read of a list, and how long the list said it is."""

    items: tuple[Item, ...]
    count: int

    def note(self, what: str) -> tuple[str, ...]:
        """A sentence when something is missing."""
        if len(self.items) >= self.count:
            return ()
        return (f"Only the first {len(self.items)} of {self.count} {what} were read.",)


@dataclass(frozen=True, slots=True)
class _Servers:
    """The MT4 servers, and what must be said about how they were found."""

    items: tuple[wire.Server, ...]
    notes: tuple[str, ...] = ()


class Crm:
    """One API key of one tenant."""

    money = None

    def __init__(self, spec: Spec, lend: Lend, surroundings: Surroundings) -> None:
        settings: Settings = surroundings.settings
        self.spec = spec
        self._lend = lend
        self._clock = surroundings.clock
        self._environment = surroundings.environment
        self._version = settings.auth_version
        self._rest = Rest(wire.NAME, settings.url, ca_file=settings.ca_file) if settings.url else None
        self._breaker = Breaker()
        self._turns = asyncio.Semaphore(_AT_A_TIME)
        self._closed = False

    async def check(self) -> str:
        """Read one row of the report, which proves key and signature, then count the clients."""
        (window,) = wire.windows(self._clock.now().date(), 1)
        wire.parse_transactions(await self._read(wire.build_transactions(window, skip=0, limit=1)))
        count = wire.parse_clients(await self._read(wire.build_clients(skip=0, limit=1))).count
        return f"{count} client{'' if count == 1 else 's'}" if count else "no clients"

    async def accounts(self) -> Reading[Account]:
        """Each client's wallets as one account, and every MT4 account."""
        clients = await self._clients()
        servers = await self._servers()
        listed = await _side_by_side(self._mt4_accounts(server) for server in servers.items)
        items = [wire.client_account(client, self._environment) for client in clients.items]
        notes = [*_about(clients), *servers.notes]
        for server, rows in zip(servers.items, listed, strict=True):
            items += [wire.mt4_account(server, row, self._environment) for row in rows.items]
            notes += rows.note(f"accounts on {server.name or server.id}")
        return Reading(tuple(items), self._clock.now(), tuple(notes))

    async def balances(self) -> Reading[Balance]:
        """The wallets of every client, and what is booked on every MT4 account."""
        clients = await self._clients()
        servers = await self._servers()
        wallets = await _side_by_side(self._wallets(client) for client in clients.items)
        trading = await _side_by_side(self._mt4_balances(server) for server in servers.items)
        readings = [*wallets, *trading]
        items = tuple(item for reading in readings for item in reading.items)
        notes = (*_about(clients), *servers.notes, *(note for reading in trading for note in reading.notes))
        return Reading(items, min((reading.as_of for reading in readings), default=self._clock.now()), notes)

    async def positions(self) -> Reading[Position]:
        """Open MT4 trades of the last two years; how far back was looked is in the notes."""
        windows = wire.windows(self._clock.now().date(), TRADE_WINDOWS)
        servers = await self._servers()
        readings = await _side_by_side(self._mt4_positions(server, windows) for server in servers.items)
        items = tuple(item for reading in readings for item in reading.items)
        reach = f"Open MT4 trades since {windows[-1].start}; what was opened earlier is not looked for."
        notes = (reach, *servers.notes, *(note for reading in readings for note in reading.notes))
        return Reading(items, min((reading.as_of for reading in readings), default=self._clock.now()), notes)

    async def close(self) -> None:
        """Let go of the connections; there is nothing to log out of. Never raises; a second call does nothing."""
        if self._closed:
            return
        self._closed = True
        if self._rest is not None:
            await self._rest.close()

    async def _clients(self) -> _Listed[wire.Client]:
        return await self._listed(wire.build_clients, wire.parse_clients, lambda client: client.id, MOST_CLIENTS)

    async def _servers(self) -> _Servers:
        """The MT4 servers. [N]: their list is inferred, so a tenant without it is read by its clients' accounts."""
        try:
            return _Servers(wire.parse_mt4_connections(await self._read(wire.build_mt4_connections())))
        except RefusedError as error:
            if error.code != wire.NO_SUCH_PATH:
                raise
        clients = await self._clients()
        note = "This tenant does not list its MT4 servers; those are read on which its clients have accounts."
        return _Servers(wire.servers_of(clients.items), (note, *clients.note("clients")))

    async def _wallets(self, client: wire.Client) -> Reading[Balance]:
        """A client's wallets; a client who has none is refused by a type of its own, and holds nothing."""
        try:
            found = wire.parse_wallets(await self._read(wire.build_wallets(client.id)))
        except RefusedError as error:
            if error.code != wire.NO_WALLET:
                raise
            found = {}
        now = self._clock.now()
        return Reading(wire.wallet_balances(client, found, self._environment, now), now)

    async def _mt4_accounts(self, server: wire.Server) -> _Listed[wire.Mt4Account]:
        return await self._listed(
            lambda skip, limit: wire.build_mt4_accounts(server.id, skip, limit),
            wire.parse_mt4_accounts,
            lambda account: account.login,
        )

    async def _mt4_balances(self, server: wire.Server) -> Reading[Balance]:
        now = self._clock.now()
        rows = await self._mt4_accounts(server)
        items = tuple(wire.mt4_balance(server, row, self._environment, now) for row in rows.items)
        return Reading(items, now, rows.note(f"accounts on {server.name or server.id}"))

    async def _mt4_positions(self, server: wire.Server, windows: Sequence[wire.Window]) -> Reading[Position]:
        """Windows touch, so a trade may be found in two of them; it is one trade."""
        accounts = {row.login: row for row in (await self._mt4_accounts(server)).items}
        now = self._clock.now()
        found = await _side_by_side(self._open_trades(server, window) for window in windows)
        rows = {row.order_id: row for listed in found for row in listed.items if row.is_position}
        items = tuple(wire.mt4_position(server, row, accounts.get(row.login), now) for row in rows.values())
        notes = tuple(note for listed in found for note in listed.note(f"trades on {server.name or server.id}"))
        return Reading(items, now, notes)

    async def _open_trades(self, server: wire.Server, window: wire.Window) -> _Listed[wire.Trade]:
        return await self._listed(
            lambda skip, limit: wire.build_open_mt4_trades(server.id, window, skip, limit),
            wire.parse_mt4_trades,
            lambda trade: trade.order_id,
        )

    async def _listed(
        self,
        build: Callable[[int, int], wire.Request],
        parse: Callable[[bytes], wire.Page[Item]],
        key: Callable[[Item], str],
        most: int = MOST_ROWS,
    ) -> _Listed[Item]:
        """A list page by page, until it ends or `most` are there.

        A row that comes twice, because the list moved meanwhile, is taken once.
        """
        rows: dict[str, Item] = {}
        skip = 0
        while True:
            page = parse(await self._read(build(skip, min(_PAGE, most - skip))))
            rows |= {key(row): row for row in page.records}
            skip += len(page.records)
            if not page.records or skip >= page.count or skip >= most:
                return _Listed(tuple(rows.values())[:most], page.count)

    async def _read(self, request: wire.Request) -> bytes:
        """Ask; once more when nothing, or no sound answer, came back. Nothing here changes anything."""
        async for attempt in stamina.retry_context(
            on=self._may_repeat, attempts=2, timeout=5.0, wait_initial=0.2, wait_max=0.5, wait_jitter=0.2
        ):
            with attempt:
                return await self._ask(request)
        raise AssertionError("a retry ends with an answer or an error")

    def _may_repeat(self, error: Exception) -> bool:
        return (
            isinstance(error, UnreachableError | SilentError | FaultError)
            and self._breaker.opened_at is None
            and not self._closed
        )

    async def _ask(self, request: wire.Request) -> bytes:
        async with self._turns:
            answer = await self._exchange(request)
        wish = retry_after(answer.headers.get("Retry-After"), self._clock.now())
        error = wire.error_of(answer.status, answer.body, wish)
        if error is not None:
            raise error
        return answer.body

    async def _exchange(self, request: wire.Request) -> Answer:
        """One request, one whole answer; whatever its status, the breaker hears of it."""
        if self._rest is None:
            raise UnconfiguredError(wire.NAME, "providers.crm.url")
        async with self._lend() as login:
            headers = auth.headers(login, request, self._version)
        if self._closed:
            raise UnreachableError(wire.NAME, "closed")
        if self._breaker.refuses(self._clock.monotonic()):
            raise UnreachableError(wire.NAME, "not asked: too many failures just now")
        try:
            answer = await self._rest.ask(
                request.method, request.path, headers=headers, params=request.params, content=request.body
            )
        except (UnreachableError, SilentError):
            self._breaker.failed(self._clock.monotonic())
            raise
        if answer.status >= 500:
            self._breaker.failed(self._clock.monotonic())
        else:
            self._breaker.succeeded()
        return answer


async def _side_by_side(jobs: Iterable[Coroutine[Any, Any, Item]]) -> list[Item]:
    """All results in order; the first failure ends the rest and is raised as itself."""
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(job) for job in jobs]
    except BaseExceptionGroup as failed:
        raise failed.exceptions[0] from None
    return [task.result() for task in tasks]


def _about(clients: _Listed[wire.Client]) -> tuple[str, ...]:
    """What the reader of the clients' money must know."""
    left = tuple(_left_out(platform, count) for platform, count in sorted(wire.elsewhere(clients.items).items()))
    return (*clients.note("clients"), *left)


def _left_out(platform: str, count: int) -> str:
    accounts = "account of these clients is" if count == 1 else "accounts of these clients are"
    return f"{count} {platform.upper()} {accounts} not read: only MT4 is, so far."
