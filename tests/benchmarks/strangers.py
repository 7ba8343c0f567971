"""What people who are not of the desk can cost it: nothing that lasts.

These figures have no peer: the other side of the ratio is the promise itself.
"""

from pathlib import Path

from tests.benchmarks.contestants import furnish, ours
from tests.benchmarks.figures import Figure, Limit, paired
from tests.benchmarks.processes import CannotMeasureError
from tests.benchmarks.telegram import PEOPLE, Telegram, now_ms, telegram

ROUNDS = 5
CROWD = 12_000
"""Updates a round, each from somebody else; 60,000 in all."""
_FETCHED_AT_ONCE = 100
FLOOR_PER_SECOND = 2500
MEMORY_MB = 60
DATABASE_MB = 1
_MB = 1e6
_AT_MOST_ALL = Limit("at most", 1.0)


async def strangers(folder: Path) -> list[Figure]:
    async with telegram(folder) as server:
        config = await furnish(folder / "ours", server)
        async with ours(config) as bot:
            await bot.during(_greet(server))
            memory, disk = await bot.settled_bytes(), _stored(config.parent)
            rates = [(await bot.during(_crowd(server, number)), FLOOR_PER_SECOND) for number in range(ROUNDS)]
            await bot.during(_greet(server))
            grown_memory, grown_disk = (await bot.settled_bytes() - memory) / _MB, (_stored(config.parent) - disk) / _MB
    return [
        paired("strangers", "updates/s", Limit("at least", 1.0), "promised", rates, digits=0),
        paired("strangers_memory", "MB more", _AT_MOST_ALL, "promised", [(grown_memory, MEMORY_MB)], digits=2),
        paired("strangers_database", "MB more", _AT_MOST_ALL, "promised", [(grown_disk, DATABASE_MB)], digits=3),
    ]


async def _greet(server: Telegram) -> None:
    """One person of the desk is answered: whatever came before has been dealt with, and nobody else was answered."""
    since_ms = now_ms()
    await server.write(PEOPLE[:1])
    await server.asked("sendMessage", since_ms)
    others = [call for call in await server.calls("sendMessage", 0) if call["params"]["chat_id"] != PEOPLE[0]]
    if others:
        raise CannotMeasureError(f"{len(others)} strangers were answered")


async def _crowd(server: Telegram, number: int) -> float:
    """Updates a second, from the first getUpdates that brings some to the one that brings the last of them."""
    since_ms = now_ms()
    first_id = 1_000_000 * (number + 1)
    await server.write(range(first_id, first_id + CROWD))
    batches = CROWD // _FETCHED_AT_ONCE
    fetched = (await server.asked("getUpdates", since_ms, batches))[:batches]
    moved = fetched[-1]["params"]["offset"] - fetched[0]["params"]["offset"]
    if moved != CROWD - _FETCHED_AT_ONCE:
        raise CannotMeasureError(f"the offset moved by {moved}: not every update was fetched once")
    taken_ms: int = fetched[-1]["at_ms"] - fetched[0]["at_ms"]
    return (CROWD - _FETCHED_AT_ONCE) * 1000 / taken_ms


def _stored(folder: Path) -> int:
    return sum(file.stat().st_size for file in (folder / "data").iterdir())
