"""Socket.io clients of Crypto Capital, written from the documents: by polling, by WebSocket, and from one to the other.

They speak Engine.IO 3 by hand. Nothing here is shared with the simulator or with the adapter.
"""

import asyncio
import json
from collections.abc import Sequence
from typing import Any

import httpx
import websockets

from tests.support.cryptocapital_teller import NOON_MS, Bank, Key, Teller

POLLING = "/socket.io/?EIO=3&transport=polling"
WEBSOCKET = "/socket.io/?EIO=3&transport=websocket"
CARRIERS = ("native", "websocket", "polling", "upgraded")


def spoken(op: str, data: object) -> str:
    """An event as the published sample sends it: the argument is indented JSON in a string."""
    return "42" + json.dumps([op, json.dumps(data, indent=2)])


def heard(packet: str) -> tuple[str, Any]:
    assert packet.startswith("42"), packet
    name, argument = json.loads(packet[2:])
    assert isinstance(argument, str)
    return name, json.loads(argument)


class Poller:
    """One polling session in the text form."""

    def __init__(self, http: httpx.AsyncClient, origin: str) -> None:
        self.http = http
        self.address = f"{origin}{POLLING}&b64=1"
        self.hello: dict[str, Any] = {}

    async def open(self) -> None:
        (packet,) = await self.get()
        assert packet[0] == "0"
        self.hello = json.loads(packet[1:])
        self.address += f"&sid={self.hello['sid']}"

    async def get(self) -> list[str]:
        reply = await self.http.get(self.address)
        assert reply.status_code == 200, reply.text
        assert reply.headers["content-type"].lower() == "text/plain; charset=utf-8"
        return taken_apart(reply.content)

    async def post(self, *packets: str) -> None:
        reply = await self.http.post(
            self.address, content=put_together(packets), headers={"content-type": "text/plain"}
        )
        assert (reply.status_code, reply.text) == (200, "ok")


def put_together(packets: Sequence[str]) -> bytes:
    """The text form: UTF-8 twice, and the length counts the bytes of the first."""
    body = b""
    for packet in packets:
        first = packet.encode("utf-8")
        body += b"%d:" % len(first) + first.decode("latin-1").encode("utf-8")
    return body


def taken_apart(body: bytes) -> list[str]:
    text, packets = body.decode("utf-8").encode("latin-1"), []
    while text:
        length, _, rest = text.partition(b":")
        packets.append(rest[: int(length)].decode("utf-8"))
        text = rest[int(length) :]
    return packets


class EventTeller(Teller):
    """A teller whose frames are Engine.IO packets."""

    async def send(self, op: str, data: object) -> None:
        await self.socket.send(spoken(op, data))

    async def next(self) -> tuple[str, Any]:
        async with asyncio.timeout(5):
            packet = await self.socket.recv()
        assert isinstance(packet, str)
        return heard(packet)


class PollingTeller(EventTeller):
    """A teller that asks for what there is."""

    def __init__(self, poller: Poller, key: Key) -> None:
        self.poller = poller
        self.key = key
        self.nonce = 0
        self.packets: list[str] = []

    async def send(self, op: str, data: object) -> None:
        await self.poller.post(spoken(op, data))

    async def next(self) -> tuple[str, Any]:
        async with asyncio.timeout(5):
            while not self.packets:
                self.packets = await self.poller.get()
        return heard(self.packets.pop(0))


async def dialled(bank: Bank, address: str) -> websockets.ClientConnection:
    return await bank.stack.enter_async_context(
        websockets.connect(f"{bank.listening.ws}{address}", compression=None, proxy=None)
    )


async def frame(socket: websockets.ClientConnection) -> str:
    async with asyncio.timeout(5):
        text = await socket.recv()
    assert isinstance(text, str)
    return text


async def polled(bank: Bank) -> Poller:
    """A session that has read its greeting and its `40`."""
    poller = Poller(bank.http, bank.listening.http)
    await poller.open()
    assert await poller.get() == ["40"]
    return poller


async def upgraded(bank: Bank, poller: Poller) -> websockets.ClientConnection:
    """The session of `poller`, carried on by a WebSocket."""
    socket = await dialled(bank, f"{WEBSOCKET}&sid={poller.hello['sid']}")
    await socket.send("2probe")
    assert await frame(socket) == "3probe"
    await socket.send("5")
    return socket


async def teller_by(bank: Bank, carrier: str, key: Key | None = None, *, auth: bool = True) -> Teller:
    """A connection of one key by one of `CARRIERS`."""
    if carrier == "native":
        return await bank.teller(key, auth=auth)
    teller: Teller
    owner = key or bank.client
    match carrier:
        case "websocket":
            socket = await dialled(bank, WEBSOCKET)
            assert (await frame(socket))[0] == "0"
            assert await frame(socket) == "40"
            teller = EventTeller(socket, owner)
        case "polling":
            teller = PollingTeller(await polled(bank), owner)
        case _:
            teller = EventTeller(await upgraded(bank, await polled(bank)), owner)
    bank.tellers += 1
    teller.nonce = NOON_MS + 1000 * bank.tellers  # above all earlier connections of the same key
    if auth:
        await teller.acked("auth")
    return teller
