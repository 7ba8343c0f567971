"""Sends so many quotes to whoever connects, as fast as they are taken, and ends. Argument: how many.

The first line tells the port. Prices walk between 2000 and 2400 in steps of a tenth, the same walk each time.
"""

import asyncio
import json
import random
import sys
import time

from websockets.asyncio.server import ServerConnection, serve

COUNT = int(sys.argv[1])


def frames() -> list[str]:
    walk, price, begun = random.Random(7), 22_000, int(time.time() * 1000) - COUNT
    made = []
    for number in range(COUNT):
        price = min(24_000, max(20_000, price + walk.randint(-1, 1)))
        payload = {
            "product": "CFD",
            "epic": "GOLD",
            "bid": price / 10,
            "bidQty": 4976.0,
            "ofr": (price + 1) / 10,
            "ofrQty": 5000.0,
            "timestamp": begun + number,
        }
        made.append(json.dumps({"status": "OK", "destination": "quote", "payload": payload}))
    return made


async def send(connection: ServerConnection) -> None:
    made = frames()
    await connection.recv()
    for frame in made:
        await connection.send(frame)


async def main() -> None:
    async with serve(send, "127.0.0.1", 0, compression=None) as server:
        print(json.dumps({"port": next(iter(server.sockets)).getsockname()[1]}), flush=True)
        await asyncio.Event().wait()


asyncio.run(main())
