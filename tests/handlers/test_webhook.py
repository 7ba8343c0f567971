"""Updates that are pushed to us: nobody without the secret makes us read, and what is kept is handled once."""

import asyncio
import socket
import sqlite3
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

import httpx
import pytest

from bot import http
from bot.access.model import Person
from bot.approvals.carriers import InHouse
from bot.approvals.model import Kind, Proof, Request, Rule, Seat, State
from bot.approvals.service import Wish
from bot.config import WebhookConfig
from bot.errors import StartRefusedError
from bot.loopback.ports import free_port
from bot.secret import Secret
from bot.store import Tables
from tests.support.chatting import (
    ANNA,
    NO_PACING,
    OLGA,
    OLGA_IS,
    STRANGER,
    Chat,
    Desk,
    at_work,
    buttons,
    configured,
    texts,
    until,
)
from tests.support.desk import write_secret
from tests.support.process import run

SECRET = "s3cret-of-at-least-thirty-two-characters"
HEADER = "X-Telegram-Bot-Api-Secret-Token"
CAP = 262_144


def _pushed(tmp_path: Path, chat: Chat, secret: str = SECRET, url: str = "") -> tuple[Path, int]:
    """A configuration with a webhook, and its port."""
    port = free_port()
    write_secret(tmp_path / "webhook.secret", secret)
    url = url or f"http://127.0.0.1:{port}/telegram"
    more = f'[telegram.webhook]\nurl = "{url}"\nsecret_file = "webhook.secret"\nlisten = "127.0.0.1:{port}"'
    return configured(tmp_path, chat, more=f"{NO_PACING}\n{more}"), port


@asynccontextmanager
async def _serving(tmp_path: Path, chat: Chat) -> AsyncIterator[tuple[Desk, int]]:
    config, port = _pushed(tmp_path, chat)
    async with at_work(config, chat, polling=False) as desk:
        webhook = desk.rooms.config.webhook
        assert webhook is not None
        async with http.serving([http.pushed(webhook, desk.work.intake)]):
            yield desk, port


@pytest.fixture
async def pushed(tmp_path: Path, chat: Chat) -> AsyncIterator[Desk]:
    async with _serving(tmp_path, chat) as (desk, _):
        yield desk


def _address(desk: Desk) -> str:
    webhook = desk.rooms.config.webhook
    assert webhook is not None
    return f"http://{webhook.host}:{webhook.port}/telegram"


async def test_telegram_pushes_and_is_answered_once(pushed: Desk) -> None:
    await pushed.work.announce_webhook()
    info = pushed.chat.simulator.server.webhook.info()
    assert info["url"] == _address(pushed)
    assert info["allowed_updates"] == ["callback_query", "chat_member", "edited_message", "message", "my_chat_member"]
    assert await pushed.said(OLGA, "/whoami") == OLGA_IS
    assert await pushed.says(STRANGER, "/whoami") == []
    update = {"update_id": 77, "message": pushed.chat.message_from(OLGA, "/whoami")}
    await pushed.happens(update, update)
    assert texts(pushed.chat.from_bot(OLGA)) == [OLGA_IS] * 2
    assert "Telegram: webhook, last answer 0 s ago" in (await pushed.said(OLGA, "/status"))


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {HEADER: ""},
        {HEADER: SECRET[:-1]},
        {HEADER: SECRET + "x"},
        {HEADER: SECRET.upper()},
        {HEADER: f"Bearer {SECRET}"},
        {"X-Telegram-Secret": SECRET},
        {"Authorization": SECRET},
        {HEADER: "é" * 40},
    ],
    ids=range(9),
)
async def test_f43_without_the_secret_nothing_is_taken(pushed: Desk, headers: dict[str, str]) -> None:
    update = {"update_id": 1, "message": pushed.chat.message_from(OLGA, "/whoami")}
    encoded = {name.encode(): value.encode() for name, value in headers.items()}
    answer = await pushed.chat.http.post(_address(pushed), json=update, headers=encoded)
    assert (answer.status_code, answer.content) == (401, b"")
    assert pushed.rooms.pulse.taken == 0


async def test_f43_a_forged_sender_with_the_right_secret_still_stands_before_the_gate(pushed: Desk) -> None:
    message = pushed.chat.message_from(OLGA, "/invite viewer")
    message["chat"] = {"id": STRANGER, "type": "private", "first_name": "M"}
    answer = await pushed.chat.http.post(
        _address(pushed), json={"update_id": 1, "message": message}, headers={HEADER: SECRET}
    )
    assert answer.status_code == 200
    await pushed.settled()
    assert pushed.passed == []
    assert pushed.chat.everything_said() == []


class _Handover(InHouse):
    """A harmless request above the threshold: whoever signs it shows a code."""

    def lines(self, parameters: Mapping[str, str]) -> tuple[str, ...]:
        return ("Hand over the keys",)

    def rule(self, tables: Tables, asked_by: Person, parameters: Mapping[str, str]) -> Rule:
        return Rule((Seat("role/approver"),), life=timedelta(minutes=30), proof=Proof.CODE)

    def carry(self, tables: Tables, request: Request) -> str:
        return "handed over"


async def test_f43_with_the_right_secret_a_forged_person_signs_nothing_that_asks_for_more(pushed: Desk) -> None:
    """Whoever has the secret may say to be Anna, and may know her buttons: what only she can show is missing."""
    approvals = pushed.rooms.approvals
    approvals.carriers[Kind.ROLE] = _Handover()
    request = await approvals.ask(pushed.person(OLGA), Wish(Kind.ROLE, {}), telegram_id=OLGA)
    await until(lambda: any("Hand over" in text for text in texts(pushed.chat.from_bot(ANNA))))
    (card,) = (one for one in pushed.chat.from_bot(ANNA) if "Hand over" in one["text"])
    anna = {"id": ANNA, "is_bot": False, "first_name": "Anna"}
    for number, data in enumerate((buttons(card)["Approve"], buttons(card)["Approve"][:-1] + "_")):
        tap = {"id": f"q{number}", "from": anna, "chat_instance": "1", "message": card, "data": data}
        answer = await pushed.chat.http.post(
            _address(pushed), json={"update_id": 60 + number, "callback_query": tap}, headers={HEADER: SECRET}
        )
        assert answer.status_code == 200
    guess = {"update_id": 70, "message": pushed.chat.message_from(ANNA, "123456")}
    await pushed.chat.http.post(_address(pushed), json=guess, headers={HEADER: SECRET})
    await pushed.settled()
    assert len(pushed.passed) == 3
    assert (await approvals.find(request.id)).state is State.PENDING
    assert await pushed.rooms.database.read(lambda tables: list(tables["votes"].rows)) == []
    assert any("second factor" in text for text in texts(pushed.chat.from_bot(ANNA)))


async def _raw(port: int, *parts: bytes) -> tuple[bytes, asyncio.StreamWriter, asyncio.StreamReader]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.writelines(parts)
    await writer.drain()
    async with asyncio.timeout(5):
        head = await reader.readuntil(b"\r\n\r\n")
    return head, writer, reader


def _head(length: str, secret: str = "") -> bytes:
    lines = ["POST /telegram HTTP/1.1", "Host: x", "Content-Type: application/json", length]
    if secret:
        lines.append(f"{HEADER}: {secret}")
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


async def _is_closed(reader: asyncio.StreamReader) -> bool:
    async with asyncio.timeout(5):
        try:
            return await reader.read() == b""
        except ConnectionResetError:
            return True


@pytest.mark.parametrize(
    ("length", "secret", "status"),
    [
        ("Content-Length: 94371840", "wrong-secret-of-at-least-32-characters", b"401"),
        ("Transfer-Encoding: chunked", "", b"401"),
        ("Content-Length: 94371840", SECRET, b"413"),
        (f"Content-Length: {CAP + 1}", SECRET, b"413"),
    ],
)
async def test_an_answer_comes_before_a_byte_of_the_body_is_asked_for(
    tmp_path: Path, chat: Chat, length: str, secret: str, status: bytes
) -> None:
    async with _serving(tmp_path, chat) as (_, port):
        head, writer, reader = await _raw(port, _head(length, secret))
        assert head.split()[1] == status
        assert b"connection: close" in head.lower()
        assert await _is_closed(reader)
        writer.close()


async def test_a_body_of_exactly_the_cap_is_read_and_one_more_is_not(pushed: Desk) -> None:
    text = b'{"update_id": 5, "x": "' + b"y" * (CAP - 25) + b'"}'
    assert len(text) == CAP
    for body, status in ((text, 200), (text + b" ", 413)):
        try:
            answer = await pushed.chat.http.post(_address(pushed), content=body, headers={HEADER: SECRET})
        except httpx.HTTPError:  # it was told 413 while it was still sending
            assert status == 413
        else:
            assert answer.status_code == status


async def test_a_chunked_body_without_end_is_cut_at_the_cap(tmp_path: Path, chat: Chat) -> None:
    async with _serving(tmp_path, chat) as (desk, port):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(_head("Transfer-Encoding: chunked", SECRET))
        sent = 0
        try:
            async with asyncio.timeout(10):
                while sent < 64 << 20 and not reader.at_eof():
                    writer.write(b"10000\r\n" + b"x" * 0x10000 + b"\r\n")
                    await writer.drain()
                    await asyncio.sleep(0)
                    sent += 0x10000
        except ConnectionError:
            pass
        assert sent < 8 << 20
        writer.close()
        assert desk.rooms.pulse.taken == 0


async def test_what_cannot_be_kept_is_offered_again_and_handled_once(pushed: Desk) -> None:
    await pushed.rooms.database.write(lambda tables: tables.conn.execute("PRAGMA busy_timeout = 20").fetchall())
    other = sqlite3.connect(pushed.rooms.database.path, isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    update = {"update_id": 5, "message": pushed.chat.message_from(OLGA, "/whoami")}
    answer = await pushed.chat.http.post(_address(pushed), json=update, headers={HEADER: SECRET})
    assert (answer.status_code, answer.content) == (503, b"")
    assert pushed.chat.everything_said() == []
    other.execute("ROLLBACK")
    other.close()
    for _ in range(2):
        answer = await pushed.chat.http.post(_address(pushed), json=update, headers={HEADER: SECRET})
        assert answer.status_code == 200
    await pushed.settled()
    assert texts(pushed.chat.from_bot(OLGA)) == [OLGA_IS]


@pytest.mark.parametrize(
    ("method", "path", "status"), [("GET", "/telegram", 405), ("POST", "/", 404), ("GET", "/health", 200)]
)
async def test_there_is_nothing_else_to_see(pushed: Desk, method: str, path: str, status: int) -> None:
    answer = await pushed.chat.http.request(method, _address(pushed).replace("/telegram", path))
    assert answer.status_code == status
    assert SECRET not in answer.text


@pytest.mark.parametrize("body", [b"", b"null", b"[]", b"{}", b"\xff\xfe", b"[" * 100_000, b'{"update_id": "x"}'])
async def test_nonsense_with_the_right_secret_is_taken_off_telegram_s_hands(pushed: Desk, body: bytes) -> None:
    answer = await pushed.chat.http.post(_address(pushed), content=body, headers={HEADER: SECRET})
    assert answer.status_code == 200
    assert pushed.rooms.pulse.taken == 0
    assert pushed.refused("unreadable") == 1


# the whole process


async def test_ninety_megabytes_from_a_stranger_leave_the_process_as_small_as_it_was(
    tmp_path: Path, chat: Chat
) -> None:
    config, port = _pushed(tmp_path, chat)
    async with run(config) as bot:
        before = _resident(bot.process.pid)
        for secret in ("", "x" * 40):
            _, writer, _ = await _raw(port, _head("Content-Length: 94371840", secret))
            sent = 0
            try:
                async with asyncio.timeout(10):
                    while sent < 90 << 20:
                        writer.write(b"x" * (1 << 20))
                        await writer.drain()
                        sent += 1 << 20
            except ConnectionError:
                pass
            assert sent < 16 << 20
            writer.close()
        assert _resident(bot.process.pid) - before < 8 << 20
        await chat.play("send", **{"from": OLGA, "chat": OLGA, "text": "/whoami"})
        await until(lambda: chat.from_bot(OLGA))
        assert texts(chat.from_bot(OLGA)) == [OLGA_IS]
        assert await bot.stop() == 0
        assert SECRET not in bot.told()


def _resident(pid: int) -> int:
    pages = int(Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1])
    return pages * 4096


@pytest.mark.parametrize(
    ("secret", "found"), [("", "0 characters (masked)"), ("a-secret-of-31-characters-too-x", "31 characters (masked)")]
)
async def test_f43_a_webhook_with_a_short_secret_or_none_does_not_start(
    tmp_path: Path, chat: Chat, secret: str, found: str
) -> None:
    config, _ = _pushed(tmp_path, chat, secret)
    async with run(config, ready=False) as bot:
        assert await bot.ended() == 78
        assert f"telegram.webhook.secret_file: found {found}, expected 32 to 256 of A-Z a-z 0-9 _ -" in bot.told()
        assert not secret or secret not in bot.told()
    assert chat.simulator.api.delivered("", 0) == []


async def test_a_port_that_is_taken_is_said() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        webhook = WebhookConfig("http://127.0.0.1/telegram", Secret(SECRET), "127.0.0.1", port)
        with pytest.raises(StartRefusedError, match=rf"cannot listen on 127\.0\.0\.1:{port}: .+") as refused:
            async with http.serving([http.pushed(webhook, None)]):  # type: ignore[arg-type]  # it never comes so far
                pass
        assert refused.value.exit_code == 69


async def test_a_webhook_telegram_does_not_want_is_said(tmp_path: Path, chat: Chat) -> None:
    config, _ = _pushed(tmp_path, chat, url="https://desk.example/telegram")
    async with at_work(config, chat, polling=False) as desk:
        with pytest.raises(StartRefusedError, match="Telegram does not accept the webhook: Bad webhook") as refused:
            await desk.work.announce_webhook()
        assert refused.value.exit_code == 69


async def test_a_webhook_that_was_set_is_taken_down_before_polling(tmp_path: Path, chat: Chat) -> None:
    await chat.http.post(
        f"{chat.listening.http}/bot{chat.token}/setWebhook", json={"url": "http://127.0.0.1:9/elsewhere"}
    )
    await chat.faults({"action": "status", "match": {"path": "deleteWebhook"}, "status": 502, "body": "later"})
    async with at_work(configured(tmp_path, chat), chat) as desk:
        assert await desk.said(OLGA, "/whoami") == OLGA_IS
