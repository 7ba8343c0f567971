"""From nothing to the first getUpdates, and what that weighs, against a bare Application of python-telegram-bot.

The bot starts on a database that is already there, as after an update of the program. The bare Application is done once
it is built, and sends nothing. It is measured twice: alone in its environment, and among the packages of ours, where
the same import takes along what it finds (cryptography, APScheduler). The second shows what is ours alone.
"""

import time
from pathlib import Path

from tests.benchmarks.contestants import PTB, furnish, ours, peer
from tests.benchmarks.environments import own_requirements
from tests.benchmarks.figures import Figure, Limit, paired
from tests.benchmarks.telegram import Telegram, telegram

ROUNDS = 5
_STRANGER = 900_001
_MB = 1e6

Cost = tuple[float, float]
"""Milliseconds, megabytes."""


async def starting(folder: Path) -> list[Figure]:
    async with telegram(folder) as server:
        config = await furnish(folder / "ours", server)
        among = own_requirements()
        await _ours(config, server)  # makes the database
        rounds = [
            (await _ours(config, server), await _bare(folder, server, PTB), await _bare(folder, server, *among))
            for _ in range(ROUNDS)
        ]
    return [figure for at, name in ((1, ""), (2, "_like_for_like")) for figure in _figures(rounds, at, name)]


def _figures(rounds: list[tuple[Cost, Cost, Cost]], at: int, suffix: str) -> list[Figure]:
    against = "bare PTB alone" if not suffix else "bare PTB among our packages"
    times, weights = ([(each[0][what], each[at][what]) for each in rounds] for what in (0, 1))
    return [
        paired(f"time_to_ready{suffix}", "ms", Limit("at most", 2.0), against, times, digits=0),
        paired(f"resident_memory{suffix}", "MB", Limit("at most", 1.6), against, weights),
    ]


async def _ours(config: Path, server: Telegram) -> Cost:
    await server.write([_STRANGER])  # so that the first getUpdates is answered, and thereby seen, at once
    async with ours(config) as bot:
        since_ms = int(bot.started_at * 1000)
        first = (await bot.during(server.asked("getUpdates", since_ms)))[0]
        return first["at_ms"] - bot.started_at * 1000, await bot.settled_bytes() / _MB


async def _bare(folder: Path, server: Telegram, *requirements: str) -> Cost:
    async with peer("ptb_bare", requirements, folder, server) as bare:
        await bare.line()
        return (time.time() - bare.started_at) * 1000, await bare.settled_bytes() / _MB
