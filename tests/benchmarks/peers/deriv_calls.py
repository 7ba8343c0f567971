"""Asks the vendor's Python library for the time. Arguments: origin, app id, how many questions, how many at once.

Prints how many answers came a second.
"""

import asyncio
import sys
import time

from deriv_api import DerivAPI

ORIGIN, APP_ID, CALLS, AT_ONCE = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])


async def main() -> float:
    api = DerivAPI(endpoint=ORIGIN, app_id=APP_ID)
    await api.time({"time": 1})

    async def some() -> None:
        for _ in range(CALLS // AT_ONCE):
            if "time" not in await api.time({"time": 1}):
                sys.exit("not answered")

    begun = time.perf_counter()
    await asyncio.gather(*(some() for _ in range(AT_ONCE)))
    taken = time.perf_counter() - begun
    await api.disconnect()
    return CALLS / taken


print(asyncio.run(main()))
