"""Asks for the time with the vendor's library; prints how many answers a second of the processor's time.

Arguments: the origin of the socket, the app id, how many calls, how many at once.
"""

import asyncio
import sys
import time

from deriv_api import DerivAPI

ORIGIN, APP_ID, CALLS, IN_FLIGHT = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])


async def main() -> None:
    api = DerivAPI(endpoint=ORIGIN, app_id=APP_ID)
    await api.connected
    left = iter(range(CALLS))

    async def one() -> None:
        for _ in left:
            await api.time({"time": 1})

    begun = time.process_time()
    await asyncio.gather(*(one() for _ in range(IN_FLIGHT)))
    print(CALLS / (time.process_time() - begun))
    await api.clear()


asyncio.run(main())
