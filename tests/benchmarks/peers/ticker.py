"""Tells a price a thousand times a second, and now and then one that crosses the next threshold.

Whoever connects sends a number; so many crossings follow, a quarter of a second apart: 2401, 2402, … Of each a line is
printed with the price and the moment it was sent, in microseconds.
"""

import asyncio
import json
import time

from websockets.asyncio.server import ServerConnection, serve

_GAP_SECONDS = 0.25


def frame(price: float) -> str:
    payload = {"product": "CFD", "epic": "GOLD", "bid": price, "bidQty": 4976.0, "ofr": price, "ofrQty": 5000.0}
    stamped = {**payload, "timestamp": time.time_ns() // 1_000_000}
    return json.dumps({"status": "OK", "destination": "quote", "payload": stamped})


async def send(connection: ServerConnection) -> None:
    crossings, level, ticks = int(await connection.recv()), 2400.0, 0
    begun = time.monotonic()
    await asyncio.sleep(0.01)
    while level < 2400 + crossings:
        due = int((time.monotonic() - begun) * 1000)
        for _ in range(min(due - ticks, 50)):
            await connection.send(frame(level + 0.5))
        ticks = due
        if time.monotonic() - begun > _GAP_SECONDS * (level - 2399):
            level += 1
            await asyncio.sleep(0.003)  # a moment of its own: two of one millisecond are one and the same
            sent_us = time.time_ns() // 1000
            await connection.send(frame(level + 0.5))
            print(json.dumps({"price": int(level), "us": sent_us}), flush=True)
        await asyncio.sleep(0.001)
    await asyncio.sleep(1)


async def main() -> None:
    async with serve(send, "127.0.0.1", 0, compression=None) as server:
        print(json.dumps({"port": next(iter(server.sockets)).getsockname()[1]}), flush=True)
        await asyncio.Event().wait()


asyncio.run(main())
