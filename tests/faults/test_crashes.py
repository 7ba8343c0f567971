"""F01: the bot dies, as by `kill -9`, at each of sixteen points of each flow, and is started again.

Nothing is lost, nothing is done twice, and what is said of it is true: `Stage._verdict`. The provider and Telegram are
processes of their own, with books of their own.
"""

import asyncio
from pathlib import Path

import pytest

from tests.faults.flows import FLOWS, Flow
from tests.faults.processes import Nursery, nursery
from tests.faults.supervisor import Ran, stage

POINTS = tuple(f"CP{number:02}" for number in range(1, 17))
PASSES = {"CP15": 5}
"""Points that are passed at least so often in each run; the seed says at which pass the bot dies."""


def crash_at(flow: Flow, point: str, seed: int) -> str:
    return f"{point}:{1 + seed % flow.passes.get(point, PASSES.get(point, 1))}"


async def _every_point(flow: Flow, clerks: Nursery, folder: Path, seed: int) -> list[Ran]:
    async with stage(flow, clerks, folder) as ready:
        return [
            await ready.run(point, crash_at(flow, point, seed), 100 * seed + number)
            for number, point in enumerate(POINTS, 1)
            if point not in flow.impossible
        ]


@pytest.mark.faults
@pytest.mark.timeout(600)
async def test_f01_nothing_is_lost_or_doubled_by_a_crash(tmp_path: Path, fault_seed: int) -> None:
    folders = [tmp_path / flow.provider for flow in FLOWS]
    for folder in folders:
        folder.mkdir()
    async with nursery() as clerks:
        grid = await asyncio.gather(
            *(_every_point(flow, clerks, folder, fault_seed) for flow, folder in zip(FLOWS, folders, strict=True))
        )
    ran = [one for flow in grid for one in flow]
    print(*("", *(one.line() for one in ran)), sep="\n")
    for flow in FLOWS:
        for point, reason in flow.impossible.items():
            print(f"{flow.name:38} {point} cannot be: {reason}")
    assert [f"{one.flow} {one.point}" for one in ran if not one.hit] == []
    assert [one.line() for one in ran if one.wrong] == []
