"""Stands before a provider and tells when bytes for it arrive. Arguments: host and port of the provider.

Two doors, whose ports are its first line as JSON. What comes through `relay` is handed on; `sink` only swallows. Each
arrival is a line: the door, the monotonic clock in nanoseconds, and whether it asks for a transfer.
"""

import asyncio
import json
import sys
import time

HOST, PORT = sys.argv[1], int(sys.argv[2])


def says_transfer(chunk: bytes) -> bool:
    """Whether a client's WebSocket frame begins here that asks for a transfer."""
    if len(chunk) < 8 or not chunk[1] & 0x80:
        return False
    begin = 2 + {126: 2, 127: 8}.get(chunk[1] & 0x7F, 0)
    mask, body = chunk[begin : begin + 4], chunk[begin + 4 :]
    text = bytes(byte ^ mask[place % 4] for place, byte in enumerate(body))
    return b'"op":"transfer"' in text.replace(b" ", b"")


def tell(door: str, chunk: bytes) -> None:
    arrived = time.monotonic_ns()  # first of all
    print(door, arrived, int(says_transfer(chunk)), flush=True)


async def relay(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    theirs, ours = await asyncio.open_connection(HOST, PORT)

    async def back() -> None:
        while chunk := await theirs.read(65536):
            writer.write(chunk)
        writer.close()

    task = asyncio.create_task(back())
    while chunk := await reader.read(65536):
        tell("relay", chunk)
        ours.write(chunk)
    ours.close()
    await task


async def sink(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while chunk := await reader.read(65536):
        tell("sink", chunk)
    writer.close()


async def main() -> None:
    doors = [await asyncio.start_server(door, "127.0.0.1", 0) for door in (relay, sink)]
    ports = [server.sockets[0].getsockname()[1] for server in doors]
    print(json.dumps({"relay": ports[0], "sink": ports[1]}), flush=True)
    await asyncio.Event().wait()


asyncio.run(main())
