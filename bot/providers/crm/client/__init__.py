"""The CRM, talking. `Crm` is what the rest of the house knows; the calls stand by matter in the files beside this one.

line        build, send, judge, turn pages
clients  trading  wallets  requests  reports  registration      the calls of the pages
seam        what moves money
"""

import asyncio
from collections.abc import Coroutine, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from bot.errors import RefusedError
from bot.providers.base import Lend, Spec, Surroundings
from bot.providers.crm import wire
from bot.providers.crm.client.clients import Clients
from bot.providers.crm.client.line import Line, Listed
from bot.providers.crm.client.registration import Registration
from bot.providers.crm.client.reports import Reports
from bot.providers.crm.client.requests import Requests
from bot.providers.crm.client.seam import Seam
from bot.providers.crm.client.trading import Trading
from bot.providers.crm.client.wallets import Wallets
from bot.providers.crm.settings import Settings as Settings
from bot.providers.records import Account, Balance, Findings, Position, Power, Reading

MOST_CLIENTS = 200
TRADE_WINDOWS = 8
"""Nearly two years, in windows of 88 days."""

Item = TypeVar("Item")


@dataclass(frozen=True, slots=True)
class _Servers:
    """The MT4 servers, and what must be said about how they were found."""

    items: tuple[wire.Server, ...]
    notes: tuple[str, ...] = ()


class Crm:
    """One API key of one tenant."""

    def __init__(self, spec: Spec, lend: Lend, surroundings: Surroundings) -> None:
        settings: Settings = surroundings.settings
        self.spec = spec
        self._clock = surroundings.clock
        self._environment = surroundings.environment
        self._line = Line(settings, lend, surroundings.clock)
        self.clients = Clients(self._line)
        self.trading = Trading(self._line)
        self.wallets = Wallets(self._line)
        self.requests = Requests(self._line)
        self.reports = Reports(self._line)
        self.registration = Registration(self._line)
        self.money = Seam(self._line, self.requests, self.wallets, self.trading, settings.log_name)

    async def check(self) -> Findings:
        """Read one row of the report, which proves key and signature, then count the clients.

        Whether a key is bound to a role is not documented, and finding out would take a decision on a withdrawal.
        """
        (window,) = wire.windows(self._clock.now().date(), 1)
        wire.parse_transactions(await self._line.read(wire.build_transactions(window, skip=0, limit=1)))
        count = wire.parse_clients(await self._line.read(wire.build_clients(skip=0, limit=1))).count
        return Findings(
            f"{count} client{'' if count == 1 else 's'}" if count else "no clients",
            untold=frozenset({Power.DECIDE, Power.MANAGE}),
        )

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
        await self._line.close()

    async def _clients(self) -> Listed[wire.Client]:
        return await self._line.listed(wire.build_clients, wire.parse_clients, lambda client: client.id, MOST_CLIENTS)

    async def _servers(self) -> _Servers:
        """The MT4 servers. [N]: their list is inferred, so a tenant without it is read by its clients' accounts."""
        try:
            return _Servers(wire.parse_mt4_connections(await self._line.read(wire.build_mt4_connections())))
        except RefusedError as error:
            if error.code != wire.NO_SUCH_PATH:
                raise
        clients = await self._clients()
        note = "This tenant does not list its MT4 servers; those are read on which its clients have accounts."
        return _Servers(wire.servers_of(clients.items), (note, *clients.note("clients")))

    async def _wallets(self, client: wire.Client) -> Reading[Balance]:
        """A client's wallets; a client who has none is refused by a type of its own, and holds nothing."""
        try:
            found = wire.parse_wallets(await self._line.read(wire.build_wallets(client.id)))
        except RefusedError as error:
            if error.code != wire.NO_WALLET:
                raise
            found = {}
        now = self._clock.now()
        return Reading(wire.wallet_balances(client, found, self._environment, now), now)

    async def _mt4_accounts(self, server: wire.Server) -> Listed[wire.Mt4Account]:
        return await self._line.listed(
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

    async def _open_trades(self, server: wire.Server, window: wire.Window) -> Listed[wire.Trade]:
        return await self._line.listed(
            lambda skip, limit: wire.build_open_mt4_trades(server.id, window, skip, limit),
            wire.parse_mt4_trades,
            lambda trade: trade.order_id,
        )


async def _side_by_side(jobs: Iterable[Coroutine[Any, Any, Item]]) -> list[Item]:
    """All results in order; the first failure ends the rest and is raised as itself."""
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(job) for job in jobs]
    except BaseExceptionGroup as failed:
        raise failed.exceptions[0] from None
    return [task.result() for task in tasks]


def _about(clients: Listed[wire.Client]) -> tuple[str, ...]:
    """What the reader of the clients' money must know."""
    left = tuple(_left_out(platform, count) for platform, count in sorted(wire.elsewhere(clients.items).items()))
    return (*clients.note("clients"), *left)


def _left_out(platform: str, count: int) -> str:
    accounts = "account of these clients is" if count == 1 else "accounts of these clients are"
    return f"{count} {platform.upper()} {accounts} not read: only MT4 is, so far."
