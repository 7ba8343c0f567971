"""Clients of the CRM, put together from the calls that each tell a part. A part that fails is missing, and named."""

import asyncio
import re
from collections.abc import Awaitable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, TypeVar

from bot.access.model import Person
from bot.clock import Clock
from bot.errors import InputError, NotFoundError, ProviderError, RefusedError
from bot.money import Money
from bot.operations.adapters import crm_seen_by
from bot.operations.connections import Connections
from bot.providers.crm import wire
from bot.providers.crm.wire.clients import Branch, Profile
from bot.providers.crm.wire.trading import Platform
from bot.providers.crm.wire.wallets import BankCard

if TYPE_CHECKING:
    from bot.providers.crm.client import Crm

ANSWER_SECONDS = 25.0
MOST_SEARCHED = 1_000
"""Two calls."""
HISTORY = timedelta(days=80)
MOST_ROWS = 8
_ID = re.compile(r"[a-z0-9]{8}", re.ASCII)
PLATFORMS: tuple[Platform, ...] = ("mt4", "mt5", "ctrader")
_EXAMPLE = "/client u7h2k9d0, /client ines@example.com or /client Ines"

Part = TypeVar("Part")


@dataclass(frozen=True, slots=True)
class Found:
    """Clients that fit what was looked for, and how many were looked through."""

    clients: tuple[wire.Client, ...]
    searched: int
    there_are: int


@dataclass(frozen=True, slots=True)
class Holdings:
    """A client's wallets, and where withdrawals may go. None could not be read."""

    wallets: Mapping[str, Money]
    cards: tuple[BankCard, ...] | None


@dataclass(frozen=True, slots=True)
class Traded:
    """One trading account."""

    platform: str
    server: wire.Server
    row: wire.Mt4Account
    trades: tuple[wire.Trade, ...] | None = None
    """Newest first; None where the platform's trades cannot be asked for."""

    @property
    def place(self) -> str:
        """`server/login`, as requests and commands name it."""
        return f"{self.server.id}/{self.row.login}"


@dataclass(frozen=True, slots=True)
class ClientFile:
    """What is known of one client. None is a part that could not be read, or was not asked for."""

    profile: Profile
    wallets: Mapping[str, Money] | None
    kyc: str | None
    withdrawals: tuple[wire.Transaction, ...] | None
    """Newest first, of the last months."""
    accounts: tuple[Traded, ...] | None
    trades: tuple[wire.Trade, ...] | None
    """Newest first, of the last months; of MT4 only, the others' cannot be asked for."""
    uplines: Branch | None = None
    downlines: Branch | None = None

    def account(self, place: str) -> Traded | None:
        """The trading account of that place, `server/login`."""
        return next((one for one in self.accounts or () if one.place == place), None)


@dataclass(frozen=True, slots=True)
class Trading:
    """All of them, and the platforms that could not be read."""

    accounts: tuple[Traded, ...]
    silent: tuple[str, ...]
    there_are: int


class ClientDesk:
    """Looking clients up, through a connection the asker may read."""

    def __init__(self, connections: Connections, clock: Clock) -> None:
        self._connections = connections
        self._clock = clock

    async def search(self, person: Person, word: str) -> Found:
        """By id, name or e-mail. Only for an id there is a call: else the first 1,000 clients are looked through."""
        wanted = word.strip().casefold()
        if len(wanted) < 2:
            raise InputError("at least two characters of an id, a name or an e-mail address", _EXAMPLE)

        async with self._crm(person) as crm:
            if _ID.fullmatch(wanted) and (known := await _part(crm.clients.one(wanted))) is not None:
                return Found((wire.Client(known.id, name=known.name, email=known.email),), 1, 1)
            listed = await crm.clients.listed(MOST_SEARCHED)
            fitting = tuple(
                one for one in listed.items if any(wanted in (text or "").casefold() for text in _words(one))
            )
            return Found(fitting, len(listed.items), listed.count)

    async def file(self, person: Person, user_id: str, *, lines: bool = True) -> ClientFile:
        """Everything about one client; who is above and below only with `lines`.

        Raises:
            NotFoundError: The CRM knows none of that id.
        """
        async with self._crm(person) as crm:
            try:
                profile = await crm.clients.one(user_id)
            except ProviderError as error:
                if getattr(error, "code", "") in ("user_not_found", "not_an_id"):
                    raise NotFoundError("client", user_id) from None
                raise
            wallets, kyc, history, accounts, trades = await asyncio.gather(
                _part(self._wallets(crm, user_id)),
                _part(self._kyc(crm, user_id)),
                _part(self._history(crm, user_id)),
                _part(_accounts_of(crm, profile)),
                _part(self._trades_of(crm, profile)),
            )
            above, below = None, None
            if lines:
                above, below = await asyncio.gather(
                    _part(crm.clients.uplines(user_id)), _part(crm.clients.downlines(user_id))
                )
            return ClientFile(profile, wallets, kyc, history, accounts, trades, above, below)

    async def holdings(self, person: Person, user_id: str) -> Holdings:
        """What a client's wallets hold; nobody's wallet is an empty one."""
        async with self._crm(person) as crm:
            return Holdings(await self._wallets(crm, user_id), await _part(crm.wallets.bank_cards(user_id)))

    async def trading(self, person: Person) -> Trading:
        """Every trading account on every server that lets itself be read."""
        async with self._crm(person) as crm:
            accounts: list[Traded] = []
            silent, there_are = [], 0
            for platform in PLATFORMS:
                try:
                    for server in await crm.trading.servers(platform):
                        listed = await crm.trading.accounts(platform, server.id)
                        accounts += [Traded(platform, server, row) for row in listed.items]
                        there_are += listed.count
                except ProviderError:
                    silent.append(platform)
            return Trading(tuple(accounts), tuple(silent), there_are)

    async def account(self, person: Person, server_id: str, login: str) -> Traded:
        """One account with what was traded on it lately.

        Raises:
            NotFoundError: No server of that id has that login.
        """
        async with self._crm(person) as crm:
            for platform in PLATFORMS:
                servers = await _part(crm.trading.servers(platform)) or ()
                for server in servers:
                    if server.id != server_id:
                        continue
                    listed = await crm.trading.accounts(platform, server.id)
                    for row in listed.items:
                        if row.login == login:
                            trades = await self._trades(crm, server_id, login) if platform == "mt4" else None
                            return Traded(platform, server, row, trades)
            raise NotFoundError("trading account", f"{server_id}/{login}")

    @staticmethod
    async def _wallets(crm: "Crm", user_id: str) -> Mapping[str, Money]:
        """Whoever has no wallet is refused by a type of its own, and holds nothing."""
        try:
            return await crm.wallets.info(user_id)
        except RefusedError as error:
            if error.code != wire.NO_WALLET:
                raise
            return {}

    async def _trades_of(self, crm: "Crm", profile: Profile) -> tuple[wire.Trade, ...]:
        """What a client traded on MT4 lately, on every server they have an account on."""
        mt4 = [one for one in profile.trading_accounts or () if one.platform == "mt4"]
        places = {one.place for one in mt4}
        today = self._clock.now().date()
        start, end = today - HISTORY, today + timedelta(days=2)
        asked = [
            (server, crm.trading.trades(kind, server, start, end, user_id=profile.id))
            for server in sorted({one.connection_id or "" for one in mt4})
            for kind in ("open", "closed")
        ]
        found = await asyncio.gather(*(asking for _, asking in asked))
        rows = zip((server for server, _ in asked), found, strict=True)
        return _newest_first([row for server, part in rows for row in part if f"{server}/{row.login}" in places])

    async def _trades(self, crm: "Crm", server_id: str, login: str) -> tuple[wire.Trade, ...] | None:
        today = self._clock.now().date()
        start, end = today - HISTORY, today + timedelta(days=2)
        kinds = [_part(crm.trading.trades(kind, server_id, start, end, login=login)) for kind in ("open", "closed")]
        found = await asyncio.gather(*kinds)
        if None in found:
            return None
        return _newest_first([row for part in found for row in part or ()])

    async def _kyc(self, crm: "Crm", user_id: str) -> str:
        """Only the list of clients tells it."""
        listed = await crm.clients.listed(MOST_SEARCHED)
        for one in listed.items:
            if one.id == user_id:
                return (one.kyc_status or "") + (", being looked at" if one.kyc_processing else "")
        return ""

    async def _history(self, crm: "Crm", user_id: str) -> tuple[wire.Transaction, ...]:
        today = self._clock.now().date()
        days = crm.reports.transactions(today - HISTORY, today + timedelta(days=2), user_id=user_id)
        rows = [row async for row in days if "withdrawal" in (row.type or "").casefold()]
        return tuple(sorted(rows, key=lambda row: row.timestamp or "", reverse=True))

    def _crm(self, person: Person) -> AbstractAsyncContextManager["Crm"]:
        return crm_seen_by(self._connections, person, seconds=ANSWER_SECONDS)


async def _accounts_of(crm: "Crm", profile: Profile) -> tuple[Traded, ...]:
    """A client's trading accounts with what is on them; a server that cannot be read makes the whole unknown."""
    own = profile.trading_accounts or ()
    places = {one.place for one in own}
    found: list[Traded] = []
    for platform in PLATFORMS:
        for server in sorted({one.connection_id or "" for one in own if one.platform == platform}):
            listed = await crm.trading.accounts(platform, server, profile.id)
            found += [Traded(platform, wire.Server(server), row) for row in listed.items]
    return tuple(one for one in found if one.place in places)


def _newest_first(rows: Sequence[wire.Trade]) -> tuple[wire.Trade, ...]:
    return tuple(sorted(rows, key=lambda row: str(row.open_time or ""), reverse=True))


def _words(client: wire.Client) -> tuple[str | None, ...]:
    return client.id, client.name, client.email


async def _part(asking: Awaitable[Part]) -> Part | None:
    try:
        return await asking
    except ProviderError:
        return None
