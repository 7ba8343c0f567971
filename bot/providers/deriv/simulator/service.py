"""The socket side: handshake, frames in, messages out, silence, and the pulse that lets time pass."""

import asyncio
import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import partial
from typing import Any

import msgspec
from starlette.responses import Response
from starlette.routing import BaseRoute, WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

from bot.clock import Clock
from bot.loopback.shaping import cut
from bot.loopback.simulator import LedgerEntry, Switches
from bot.providers.deriv.simulator import opening
from bot.providers.deriv.simulator.calls import PLAYS
from bot.providers.deriv.simulator.connection import Connection
from bot.providers.deriv.simulator.controls import Controls
from bot.providers.deriv.simulator.hub import Hub
from bot.providers.deriv.simulator.login import LoginPage
from bot.providers.deriv.simulator.markets import Markets
from bot.providers.deriv.simulator.misdeeds import Misdeeds
from bot.providers.deriv.simulator.state import Movement, State
from bot.providers.deriv.simulator.world import World

PATH = "/websockets/v3"
IDLE_SECONDS = 120.0
"""A connection without a message in either direction for so long is closed, on real time."""

_PULSE_SECONDS = 0.2
_APP_ID = re.compile(r"[1-9][0-9]{0,17}")
_SILENT_TOO_LONG, _TOO_SLOW = 1000, 1013


class DerivSimulator:
    """The service behind `/websockets/v3`."""

    name = "deriv"

    def __init__(self, seed: int, clock: Clock) -> None:
        self.switches = Switches()
        self.idle_seconds = IDLE_SECONDS
        self.world = World(seed, clock)
        opening.furnish(self.world)
        self.hub = Hub(self.world, self.switches, PLAYS)
        self._opened = 0
        self._apart = 0.0
        self._last_opened = float("-inf")
        self._cutting = 0.0
        self._next_cut = 0.0
        self._heart: asyncio.Task[None] | None = None

    def routes(self) -> Sequence[BaseRoute]:
        return [WebSocketRoute(PATH, self.serve), *LoginPage(self.world).routes()]

    def controls(self) -> Sequence[BaseRoute]:
        return [*Controls(self.hub, self).routes(), *Markets(self.hub).routes(), *Misdeeds(self.hub, self).routes()]

    def set_idle(self, seconds: float) -> None:
        self.idle_seconds = seconds

    def cut_every(self, seconds: float) -> None:
        """From now on every line breaks each so many seconds of real time; 0 stops that.

        The seconds count from the first line on: nobody is cut off in the middle of a handshake because he came late.
        """
        self._cutting = seconds
        self._next_cut = asyncio.get_running_loop().time() + seconds

    def credentials(self) -> Mapping[str, Any]:
        seed = self.world.seed
        return {
            "app_id": str(opening.app_number(seed)),
            "token": opening.token_text(seed, "full"),
            "token_read": opening.token_text(seed, "read"),
            "token_oauth": opening.token_text(seed, "oauth"),
        }

    def ledger(self) -> Sequence[LedgerEntry]:
        """What was carried out since the opening, an act each; a loss is a sale at 0."""
        movements = self.world.state.movements
        return [_entry(movement) for movement in movements if not movement.opening and not movement.mirrors]

    def dump(self) -> Mapping[str, Any]:
        state: dict[str, Any] = msgspec.to_builtins(self.world.state, str_keys=True)
        return {"seed": self.world.seed, **state}

    def load(self, state: Mapping[str, Any]) -> None:
        self.world.seed = int(state["seed"])
        self.world.state = msgspec.convert(state, State, strict=False)
        self.world.fresh.clear()

    def open_every(self, seconds: float) -> None:
        """From now on new connections have to be so far apart, on real time."""
        self._apart = seconds

    def _too_soon(self) -> bool:
        now = asyncio.get_running_loop().time()
        last, self._last_opened = self._last_opened, now
        return now - last < self._apart

    async def serve(self, websocket: WebSocket) -> None:
        """One connection from handshake to end."""
        app_id = websocket.query_params.get("app_id", "")
        if not _APP_ID.fullmatch(app_id):
            await websocket.send_denial_response(Response(status_code=401))
            return
        if self._too_soon():
            await websocket.send_denial_response(Response(status_code=503))
            return
        await websocket.accept()
        self._opened += 1
        language = websocket.query_params.get("l", "EN").upper()
        ip = websocket.client.host if websocket.client else ""
        connection = Connection(self._opened, int(app_id), language, ip)
        connection.drop = partial(cut, websocket.scope)
        self.hub.connections.add(connection)
        self._beat()
        writer = asyncio.create_task(self._write(websocket, connection))
        try:
            await self._read(websocket, connection)
        finally:
            self.hub.left(connection)
            if self._heart is not None and not self.hub.connections:
                self._heart.cancel()
            writer.cancel()
            with suppress(asyncio.CancelledError):
                await writer

    async def _read(self, websocket: WebSocket, connection: Connection) -> None:
        while True:
            message = await websocket.receive()
            if message["type"] == "websocket.disconnect":
                return
            connection.heard = asyncio.get_running_loop().time()
            text = message.get("text")
            self.hub.take(connection, message.get("bytes") or b"" if text is None else text)

    async def _write(self, websocket: WebSocket, connection: Connection) -> None:
        """Send what is queued; close when nothing moves either way, or when the client does not keep up."""
        loop = asyncio.get_running_loop()
        connection.heard = loop.time()
        with suppress(WebSocketDisconnect, RuntimeError):  # it went away while something was being sent
            while not connection.overrun:
                try:
                    message = await self._next(connection)
                except TimeoutError:
                    if loop.time() - connection.heard >= self.idle_seconds:
                        await websocket.close(_SILENT_TOO_LONG)
                        return
                else:
                    if message is None:
                        connection.drop()
                        return
                    await websocket.send_text(message)
                    connection.heard = loop.time()
            await websocket.close(_TOO_SLOW)

    async def _next(self, connection: Connection) -> str | None:
        if not connection.outbox.empty():
            return connection.outbox.get_nowait()
        async with asyncio.timeout(min(1.0, self.idle_seconds / 4)):
            return await connection.outbox.get()

    def _beat(self) -> None:
        """Start the pulse; a heart that was told to stop does not count."""
        if self._heart is None or self._heart.cancelling() or self._heart.done():
            self._next_cut = asyncio.get_running_loop().time() + self._cutting
            self._heart = asyncio.create_task(self._pulse())

    async def _pulse(self) -> None:
        """Let prices tick and contracts end; cancelled when the last client leaves."""
        while True:
            self.hub.pulse()
            now = asyncio.get_running_loop().time()
            if self._cutting and now >= self._next_cut:
                self._next_cut = now + self._cutting
                self.hub.cut()
            await asyncio.sleep(_PULSE_SECONDS)


def _entry(movement: Movement) -> LedgerEntry:
    """A movement as the oracle tells it: an act between accounts names both, and its remark."""
    outward = movement.amount < 0 or movement.action == "buy"
    other = movement.other or ("cashier" if movement.contract_id is None else f"contract {movement.contract_id}")
    reference = movement.remark if movement.act else str(movement.contract_id or movement.transaction_id)
    return LedgerEntry(
        id=str(movement.transaction_id),
        kind=movement.act or movement.action,
        source=movement.loginid if outward else other,
        target=other if outward else movement.loginid,
        amount=format(abs(movement.amount), "f"),
        currency=movement.currency,
        reference=reference,
        at_ms=movement.at_ms,
    )
