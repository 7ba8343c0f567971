"""The streaming side: sockets, what they are told, and how they end.

Quotes are told when they change and never while the market is closed; a bar is told twice, for bid and for ask, when it
has closed and something was dealt in it. Sockets that say nothing for ten minutes of the broker's clock are cut, and so
are those of a session that changes its account. A session that dies takes its subscriptions with it: the socket stays,
falls silent, and answers the next message with an error.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

from starlette.routing import BaseRoute, WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

from bot.clock import to_millis
from bot.providers.capital.simulator.dialogue import Dialogue
from bot.providers.capital.simulator.listener import Burst, Kept, Listener, encode
from bot.providers.capital.simulator.past import MINUTE_MS
from bot.providers.capital.simulator.sessions import Sessions
from bot.providers.capital.simulator.state import Quote, Session
from bot.providers.capital.simulator.tape import Bar
from bot.providers.capital.simulator.world import World

_PULSE_SECONDS = 0.05
_MOST_BARS = 2000
"""Of one kind, told at once after the clock was moved."""
_QUANTITY = 1000.0


@dataclass(slots=True)
class Cutting:
    """Every socket is cut each so many milliseconds of the broker's clock; 0 = never."""

    each_ms: int = 0
    next_ms: int = 0


class Streaming:
    """All sockets. `beat` is called whenever time may have passed; while one is open, `look` is, 20 times a second."""

    def __init__(self, world: World, sessions: Sessions, look: Callable[[], None]) -> None:
        self.world = world
        self.sessions = sessions
        self.look = look
        self.listeners: list[Listener] = []
        self.accepted = 0
        self.cutting = Cutting()
        self._dialogue = Dialogue(world, sessions, lambda: self.listeners)
        self._heart: asyncio.Task[None] | None = None
        self._burst_ms = 0

    def routes(self) -> list[BaseRoute]:
        """With two slashes as well: some put one after an address that ends in one."""
        return [WebSocketRoute(path, self._serve) for path in ("/connect", "//connect")]

    async def _serve(self, socket: WebSocket) -> None:
        await socket.accept()
        listener = Listener(socket.scope, self.world.now_ms())
        self.listeners.append(listener)
        self.accepted += 1
        if self._heart is None:
            self._heart = asyncio.create_task(self._pulse())
        writer = asyncio.create_task(_write(socket, listener))
        try:
            await self._read(socket, listener)
        finally:
            self.listeners.remove(listener)
            if not self.listeners and self._heart is not None:
                self._heart.cancel()
                self._heart = None
            writer.cancel()
            with suppress(asyncio.CancelledError):
                await writer

    async def _read(self, socket: WebSocket, listener: Listener) -> None:
        while (message := await socket.receive())["type"] != "websocket.disconnect":
            text = message.get("text")
            raw = message.get("bytes") or b"" if text is None else text.encode()
            listener.heard_ms, listener.heard = self.world.now_ms(), listener.heard + 1
            listener.reply(self._dialogue.answer(listener, raw))

    async def _pulse(self) -> None:
        while True:
            self.look()
            await asyncio.sleep(_PULSE_SECONDS)

    def hear(self, epic: str, quote: Quote) -> None:
        """A dealt price, for whoever listens to it."""
        listening = [one for one in self.listeners if epic in one.quotes]
        if listening and epic not in self.world.state.held_quotes:
            frame = encode(_quote(epic, quote, to_millis(quote.updated)))
            for listener in listening:
                listener.tell([frame])

    def switched(self, session: Session) -> None:
        """The session has changed its account."""
        for listener in [one for one in self.listeners if one.session is session]:
            if self.world.state.options.switch_cuts:
                listener.cut()
            else:
                listener.fall_silent()

    def cut(self) -> int:
        """Cut every socket; how many there were."""
        standing = [one for one in self.listeners if not one.is_cut]
        for listener in standing:
            listener.cut()
        return len(standing)

    def cut_each(self, each_ms: int) -> None:
        self.cutting = Cutting(each_ms, self.world.now_ms() + each_ms)

    def burst(self, quotes: int) -> int:
        """As many quotes to each listener as quickly as it takes them; prices stay what they are."""
        self._burst_ms = max(self._burst_ms, self.world.now_ms())
        told = [one for one in self.listeners if one.quotes]
        for listener in told:
            frames = tuple(
                encode(_quote(epic, self.world.state.quotes[epic], 0)).replace('"timestamp":0', '"timestamp":%d')
                for epic in sorted(listener.quotes)
            )
            listener.burst(Burst(quotes, self._burst_ms, frames))
        self._burst_ms += quotes
        return len(told)

    def beat(self) -> None:
        """What the clock has brought."""
        now_ms = self.world.now_ms()
        cutting = self.cutting
        if cutting.each_ms and now_ms >= cutting.next_ms:
            cutting.next_ms = now_ms + cutting.each_ms
            self.cut()
        idle_ms = self.world.state.options.stream_idle_seconds * 1000
        for listener in self.listeners:
            if now_ms - listener.heard_ms >= idle_ms:
                listener.cut()
            elif listener.session is not None and not self.sessions.alive(listener.session):
                listener.fall_silent()
            elif listener.bars:
                self._tell_bars(listener, now_ms)

    def _tell_bars(self, listener: Listener, now_ms: int) -> None:
        for key, opens in listener.bars.items():
            epic, resolution, _ = key
            current = resolution.start(now_ms)
            first = max(opens, current - _MOST_BARS * resolution.minutes)
            for start in range(first, current, resolution.minutes):
                bar = self.world.bars.bar(epic, resolution, start)
                if bar is not None and epic not in self.world.state.held_bars:
                    listener.tell(_bars(key, start, bar))
            listener.bars[key] = current


async def _write(socket: WebSocket, listener: Listener) -> None:
    with suppress(WebSocketDisconnect, RuntimeError):  # it went away while something was being sent
        while True:
            item = await listener.outbox.get()
            for frame in [item] if isinstance(item, str) else item:
                if listener.is_cut:
                    return
                await socket.send_text(frame)


def _quote(epic: str, quote: Quote, at_ms: int) -> Mapping[str, object]:
    payload = {
        "epic": epic,
        "product": "CFD",
        "bid": quote.bid,
        "bidQty": _QUANTITY,
        "ofr": quote.offer,
        "ofrQty": _QUANTITY,
        "timestamp": at_ms,
    }
    return {"status": "OK", "destination": "quote", "payload": payload}


def _bars(key: Kept, start: int, bar: Bar) -> Sequence[str]:
    epic, resolution, kind = key
    return [
        encode(
            {
                "status": "OK",
                "destination": "ohlc.event",
                "payload": {
                    "resolution": resolution.name,
                    "epic": epic,
                    "type": kind,
                    "priceType": side,
                    "t": start * MINUTE_MS,
                    "h": prices.high,
                    "l": prices.low,
                    "o": prices.opened,
                    "c": prices.closed,
                },
            }
        )
        for side, prices in (("bid", bar.bid), ("ask", bar.ask))
    ]
