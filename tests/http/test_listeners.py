"""Who listens where, and how long a caller may take."""

import asyncio
import socket

import httpx
import pytest
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from bot.errors import StartRefusedError
from bot.http import serving as server
from bot.http.listeners import Site
from bot.loopback.ports import free_port


def _site(port: int, word: str) -> Site:
    async def say(_: Request) -> Response:
        return PlainTextResponse(word)

    return Site("127.0.0.1", port, (Route(f"/{word}", say),))


def _slow_site(seconds: float) -> Site:
    async def slow(_: Request) -> Response:
        await asyncio.sleep(seconds)
        return PlainTextResponse("done")

    return Site("127.0.0.1", 0, (Route("/slow", slow),))


async def test_two_sites_at_one_address_share_it() -> None:
    port = free_port()
    async with server([_site(port, "one"), _site(port, "two")]) as ports, httpx.AsyncClient(trust_env=False) as client:
        assert ports == [port]
        for word in ("one", "two"):
            assert (await client.get(f"http://127.0.0.1:{port}/{word}")).text == word
        assert (await client.get(f"http://127.0.0.1:{port}/health")).json() == {"status": "ok"}


async def test_two_sites_at_two_addresses_have_nothing_of_one_another() -> None:
    async with server([_site(0, "one"), _site(free_port(), "two")]) as (first, second):
        async with httpx.AsyncClient(trust_env=False) as client:
            assert (await client.get(f"http://127.0.0.1:{first}/one")).text == "one"
            assert (await client.get(f"http://127.0.0.1:{first}/two")).status_code == 404
            assert (await client.get(f"http://127.0.0.1:{second}/two")).text == "two"


async def test_the_second_address_being_taken_gives_the_first_one_back() -> None:
    port = free_port()
    with socket.create_server(("127.0.0.1", 0)) as taken:
        with pytest.raises(StartRefusedError) as refused:
            async with server([_site(port, "one"), _site(taken.getsockname()[1], "two")]):
                pass
    assert refused.value.exit_code == 69
    socket.create_server(("127.0.0.1", port)).close()


@pytest.mark.parametrize("sent", [b"", b"GET /one HTTP/1.1\r\nHost: x\r\nX-Slow: "])
async def test_a_head_that_does_not_come_is_not_waited_for(monkeypatch: pytest.MonkeyPatch, sent: bytes) -> None:
    monkeypatch.setattr("bot.http.listeners.HEAD_SECONDS", 0.2)
    async with server([_site(0, "one")]) as (port,):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(sent)
        async with asyncio.timeout(5):
            assert await reader.read() == b""
        writer.close()


async def test_the_second_head_on_a_connection_is_not_waited_for_either(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bot.http.listeners.HEAD_SECONDS", 0.2)
    async with server([_slow_site(0.4)]) as (port,):  # the first head's time is over before its answer is there
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"GET /slow HTTP/1.1\r\nHost: x\r\n\r\n")
        assert (await reader.readuntil(b"done")).startswith(b"HTTP/1.1 200")
        writer.write(b"GET /slow HTTP/1.1\r\nHo")
        async with asyncio.timeout(3):  # the idle connection's own patience is longer
            assert await reader.read() == b""
        writer.close()


async def test_an_answer_may_take_longer_than_a_head(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bot.http.listeners.HEAD_SECONDS", 0.05)
    async with server([_slow_site(0.3)]) as (port,):
        async with httpx.AsyncClient(trust_env=False) as client:
            assert (await client.get(f"http://127.0.0.1:{port}/slow")).text == "done"


async def test_a_body_that_does_not_come_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bot.http.body.BODY_SECONDS", 0.2)
    from bot.http.body import capped

    async def take(request: Request) -> Response:
        return PlainTextResponse(str(await capped(request, 100)))

    async with server([Site("127.0.0.1", 0, (Route("/take", take, methods=["POST"]),))]) as (port,):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"POST /take HTTP/1.1\r\nHost: x\r\nContent-Length: 50\r\n\r\nhalf")
        async with asyncio.timeout(5):
            assert (await reader.readuntil(b"None")).startswith(b"HTTP/1.1 200")
        writer.close()
