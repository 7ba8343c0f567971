"""Engine.IO sessions: what waits for each client, what it says, and when it has been silent for too long.

A session outlives its carrier once: it may begin by polling and go on over a WebSocket. Here it is only packets in and
packets out; who carries them is the business of `socketio`. The client pings, the server answers, and a session from
which nothing came for interval + timeout is over. Anything malformed ends a session too, without a word.
"""

import asyncio
import secrets
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

from bot.providers.cryptocapital.simulator.desk import Desk
from bot.providers.cryptocapital.simulator.framing import (
    CONNECTED,
    Engine,
    Kind,
    Message,
    event,
    greeting,
    invalid_namespace,
    read_message,
)
from bot.providers.cryptocapital.simulator.numerals import Json, parse

_QUEUE_PACKETS = 20_000
_SID_BYTES = 15
_HANDLED_ELSEWHERE = frozenset({Engine.OPEN, Engine.PONG, Engine.UPGRADE, Engine.NOOP})


class Carrier(StrEnum):
    POLLING = "polling"
    WEBSOCKET = "websocket"


@dataclass(slots=True)
class Manner:
    """How this side of Socket.io speaks; each of it can be otherwise in the one service that used it."""

    as_text: bool = True
    """The argument of an event is JSON in a string."""
    ascii_only: bool = True
    r"""What is not ASCII is written as `\u`, which spares clients the double encoding of polling."""
    errors: bool = True
    """`error` goes out; on the library of that time it was a reserved name."""
    upgrades: bool = True
    """A polling client is offered the WebSocket."""
    ping_interval_ms: int = 25_000
    ping_timeout_ms: int = 60_000

    @property
    def silence_seconds(self) -> float:
        return (self.ping_interval_ms + self.ping_timeout_ms) / 1000

    def as_json(self) -> dict[str, bool | int]:
        return asdict(self)

    def adopt(self, wanted: Mapping[str, bool | int]) -> None:
        """Change what is named; every open and later session speaks like that."""
        for name, value in wanted.items():
            setattr(self, name, value)


class Session:
    """One client, as a `Link` to the desk and as packets to whoever carries them."""

    def __init__(
        self, carrier: Carrier, desk: Desk, manner: Manner, ended: Callable[["Session"], None], *, text_form: bool
    ) -> None:
        """`text_form` is how polling bodies of this client are written; `ended` is told once, when it is over."""
        self.sid = secrets.token_urlsafe(_SID_BYTES)
        self.carrier = carrier
        self.text_form = text_form
        self.open = True
        self.probing = False
        self.polled = False
        self._desk = desk
        self._manner = manner
        self._joined = False
        self._packets: deque[str] = deque()
        self._news = asyncio.Event()
        self._heard_at = desk.clock.monotonic()
        self._silence_seconds = manner.silence_seconds
        self._ended = ended

    def begin(self) -> None:
        """Tell the client its `sid`, then that it has joined the one namespace."""
        offered = [Carrier.WEBSOCKET.value] if self._manner.upgrades and self.carrier is Carrier.POLLING else []
        self._put(greeting(self.sid, offered, self._manner.ping_interval_ms, self._manner.ping_timeout_ms))
        self._join()

    def send(self, kind: str, data: Mapping[str, Any]) -> None:
        if kind != "error" or self._manner.errors:
            self._put(event(kind, data, as_text=self._manner.as_text, ascii_only=self._manner.ascii_only))

    def hang_up(self) -> None:
        self.end(Engine.CLOSE)

    def receive(self, packet: str) -> None:
        """Act on one packet from the client. Once the session is over there is nobody left to act for."""
        if not self.open:
            return
        self._heard_at = self._desk.clock.monotonic()
        match packet[:1]:
            case Engine.MESSAGE:
                self._understand(packet[1:])
            case Engine.PING:
                self._put(Engine.PONG)
            case Engine.CLOSE:
                self.end(Engine.NOOP)
            case other if other not in _HANDLED_ELSEWHERE:
                self.end()

    def probe(self, *, begun: bool) -> None:
        """A WebSocket wants to take over, or has given up. While it does, nobody is kept waiting in a poll."""
        self.probing = begun
        self._news.set()

    def upgrade(self) -> None:
        """From now on the WebSocket carries everything."""
        self.probing = False
        self.carrier = Carrier.WEBSOCKET
        self._news.set()

    def first(self) -> str:
        """The one packet that waits longest."""
        return self._packets.popleft()

    async def take(self, carrier: Carrier) -> list[str]:
        """What waits for the client. Waits itself until there is something, or `carrier` has to let go."""
        while not (self._packets or self._lets_go(carrier)):
            self._news.clear()
            await self._news.wait()
        packets = list(self._packets)
        self._packets.clear()
        return packets

    async def watch(self) -> None:
        """End the session when the client has been silent for too long."""
        while self.open:
            silent = self._desk.clock.monotonic() - self._heard_at
            if silent >= self._silence_seconds:
                self.end(Engine.CLOSE)
            else:
                await self._desk.clock.sleep(self._silence_seconds - silent)

    def end(self, last: Engine | None = None) -> None:
        """Nothing comes in and nothing goes out any more but `last`, with which a waiting poll is answered."""
        if self.open:
            self.open = False
            self._leave()
            if last is not None and self.carrier is Carrier.POLLING:
                self._packets.append(last)
            self._news.set()
            self._ended(self)

    def _lets_go(self, carrier: Carrier) -> bool:
        return not self.open or self.carrier is not carrier or (carrier is Carrier.POLLING and self.probing)

    def _put(self, packet: str) -> None:
        if len(self._packets) >= _QUEUE_PACKETS:
            self.end()
        elif self.open:
            self._packets.append(packet)
            self._news.set()

    def _understand(self, text: str) -> None:
        try:
            message = read_message(text)
        except ValueError:
            self.end()
            return
        if message.namespace != "/":
            if message.kind is Kind.CONNECT:
                self._put(invalid_namespace(message.namespace))
        elif message.kind is Kind.CONNECT and not self._joined:
            self._join()
        elif message.kind is Kind.DISCONNECT:
            self._leave()
        elif message.kind is Kind.EVENT and self._joined:
            self._operate(message)

    def _operate(self, message: Message) -> None:
        """The event's name is the operation, its argument the operation object, as text or as it is."""
        try:
            name, argument = _event(message.body)
        except ValueError as problem:
            self.send("err", {"nonce": None, "msg": str(problem)})
        else:
            self._desk.receive(self, name, argument)

    def _join(self) -> None:
        self._joined = True
        self._desk.join(self)
        self._put(CONNECTED)

    def _leave(self) -> None:
        self._joined = False
        self._desk.leave(self)


def _event(body: str) -> tuple[Json, Json]:
    array = parse(body)
    if not isinstance(array, list) or not array:
        raise ValueError("not an event")
    argument = array[1] if len(array) > 1 else None
    return array[0], parse(argument) if isinstance(argument, str) else argument


class Sessions:
    """All that are open, by their `sid`, each with its watch."""

    def __init__(self, desk: Callable[[], Desk]) -> None:
        self._desk = desk
        self._open: dict[str, Session] = {}
        self._watches: dict[str, asyncio.Task[None]] = {}

    def begin(self, carrier: Carrier, manner: Manner, *, text_form: bool = True) -> Session:
        session = Session(carrier, self._desk(), manner, self._forget, text_form=text_form)
        self._open[session.sid] = session
        self._watches[session.sid] = asyncio.create_task(session.watch())
        session.begin()
        return session

    def find(self, sid: str) -> Session | None:
        """The session, unless it is over or never was."""
        return self._open.get(sid)

    def _forget(self, session: Session) -> None:
        del self._open[session.sid]
        self._watches.pop(session.sid).cancel()
