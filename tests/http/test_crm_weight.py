"""Bodies that are too large, never end or never come, against the whole process: its memory stays as it is (F41)."""

import asyncio
import hashlib
import hmac
import json
import socket
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from bot.loopback.ports import free_port
from tests.support.chatting import NO_PACING, configured, providers, telegram
from tests.support.desk import write_secret
from tests.support.process import Bot, run

SECRET = "invented for this test only"
LIKELY = f"x-crm-signature: {'0' * 64}\r\n"
FIVE_MB = 5 << 20
MOST_GROWN_KIB = 24 << 10
"""Twelve bodies of 5 MB in memory at once would be 60 MB."""


@dataclass
class Prey:
    """A bot that takes webhooks."""

    bot: Bot
    port: int

    def most_kib(self) -> int:
        """The most the process ever had in memory, in KiB; as the kernel of Linux remembers it."""
        status = Path(f"/proc/{self.bot.process.pid}/status").read_text(encoding="ascii")
        return int(status.partition("VmHWM:")[2].split()[0])

    async def event(self, number: int) -> int:
        """A signed event; the status of its answer."""
        data = {"id": f"b7c8d{number:03}", "status": "pending", "note": "x" * 2000}
        source = {"event": "crm.webhooks.requests.withdrawal.approve.node.1"}
        body = json.dumps({"source": source, "data": data}).encode()
        signature = hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()
        return await self.asked(f"x-crm-signature: {signature}\r\ncontent-length: {len(body)}\r\n", [body])

    async def asked(self, headers: str, body: list[bytes]) -> int:
        """Send as much of the body as is taken; the status of the answer, which may come first; 0 for none."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port, family=socket.AF_INET)
        try:
            writer.write(f"POST /crm/webhook HTTP/1.1\r\nhost: x\r\n{headers}\r\n".encode())
            answer = asyncio.create_task(reader.readline())
            for part in body:
                if answer.done():
                    break
                writer.write(part)
                await writer.drain()
            async with asyncio.timeout(30):
                line = await answer
        except ConnectionError:  # it hung up in the middle of what it did not want
            line = b""
        finally:
            writer.close()
        return int(line.split()[1]) if line else 0


@pytest.fixture
async def prey(tmp_path: Path) -> AsyncIterator[Prey]:
    port = free_port()
    origin = f"http://127.0.0.1:{port}"
    async with telegram() as chat, providers("crm") as sides:
        more = f'{NO_PACING}\n[web]\npublic_url = "{origin}"\nlisten = "127.0.0.1:{port}"\n'
        config = configured(tmp_path, chat, sides, more=more)
        write_secret(tmp_path / "hook.secret", SECRET)
        hook = '[providers.crm]\nwebhook_secret_file = "hook.secret"'
        config.write_text(config.read_text().replace("[providers.crm]", hook))
        async with run(config) as bot:
            yield Prey(bot, port)
            assert await bot.stop() == 0


def chunk(size: int) -> bytes:
    return f"{size:x}\r\n".encode() + b"x" * size + b"\r\n"


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells how much it ever was")
async def test_bodies_that_are_too_much_are_refused_early_and_leave_no_weight(prey: Prey) -> None:
    large = [b"x" * (64 << 10)] * 80
    endless = [chunk(64 << 10)] * 2000
    for _ in range(2):  # what is loaded with the first requests is no growth
        assert [await prey.event(number) for number in range(20)] == [200] * 20
        await asyncio.gather(*(prey.asked(f"{LIKELY}content-length: {len(one)}\r\n", [one]) for one in large[:20]))
    before = prey.most_kib()

    announced = f"content-length: {FIVE_MB}\r\n"
    assert await prey.asked(announced, []) == 401
    assert await prey.asked(LIKELY + announced, []) == 413

    several = [prey.asked(LIKELY + announced, large) for _ in range(12)]
    several += [prey.asked(announced, large) for _ in range(12)]
    several += [prey.asked(f"{LIKELY}transfer-encoding: chunked\r\n", endless) for _ in range(12)]
    several += [prey.asked("transfer-encoding: chunked\r\n", endless) for _ in range(12)]
    answers = await asyncio.gather(*several)
    assert set(answers[:12]) <= {413, 0}
    assert set(answers[12:24]) <= {401, 0}
    assert set(answers[24:36]) <= {413, 0}
    assert set(answers[36:]) <= {401, 0}
    assert prey.most_kib() - before < MOST_GROWN_KIB

    slow = [await slowly(prey.port) for _ in range(40)]
    assert await prey.event(21) == 200
    assert prey.most_kib() - before < MOST_GROWN_KIB
    for writer in slow:
        writer.close()


async def slowly(port: int) -> asyncio.StreamWriter:
    """A body of which nearly all is there, and the end never comes."""
    _, writer = await asyncio.open_connection("127.0.0.1", port, family=socket.AF_INET)
    writer.write(f"POST /crm/webhook HTTP/1.1\r\nhost: x\r\n{LIKELY}content-length: 250000\r\n\r\n".encode())
    writer.write(b"x" * 200_000)
    await writer.drain()
    return writer
