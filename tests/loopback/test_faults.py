"""Each misfortune does what the script's language says, to the exchange it names and to no other."""

import asyncio
import socket
import time
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from bot.loopback.faults import Misfortunes
from bot.loopback.server import Listening, serving
from tests.support.counter import Counter


@pytest.fixture
def counter() -> Counter:
    return Counter()


@pytest.fixture
async def sim(counter: Counter) -> AsyncIterator[Listening]:
    async with serving(counter) as listening:
        yield listening


@pytest.fixture
async def http(sim: Listening) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=sim.http, trust_env=False, timeout=2) as client:
        yield client


def talk(sim: Listening) -> connect:
    return connect(f"{sim.ws}/talk", proxy=None, compression=None, open_timeout=2, close_timeout=0.2)


async def said(line: ClientConnection, text: str) -> str:
    await line.send(text)
    return str(await asyncio.wait_for(line.recv(), 2))


async def test_refuse_resets_before_the_request_is_looked_at(
    sim: Listening, counter: Counter, http: httpx.AsyncClient
) -> None:
    sim.misfortunes.add({"action": "refuse"})
    with pytest.raises((httpx.ReadError, httpx.RemoteProtocolError)):
        await http.post("/add")
    assert counter.total == 0
    assert (await http.post("/add")).json() == {"total": 1}


async def test_reset_carries_out_and_then_loses_the_answer(
    sim: Listening, counter: Counter, http: httpx.AsyncClient
) -> None:
    sim.misfortunes.add({"action": "reset"})
    with pytest.raises((httpx.ReadError, httpx.RemoteProtocolError)):
        await http.post("/add")
    assert counter.total == 1
    assert (await http.get("/total")).json() == {"total": 1}


async def test_close_lets_exactly_so_many_bytes_through(sim: Listening, counter: Counter) -> None:
    port = int(sim.http.rpartition(":")[2])
    for cut in (0, 5, 40, 98):  # of 99
        sim.misfortunes.add({"action": "close", "bytes": cut})
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"POST /add HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n")
        got = await asyncio.wait_for(reader.read(), 2)
        writer.close()
        assert len(got) == cut
        assert b"HTTP/1.1 200 OK".startswith(got[:15])
    assert counter.total == 4


async def test_stall_carries_out_and_stays_silent_with_the_connection_open(
    sim: Listening, counter: Counter, http: httpx.AsyncClient
) -> None:
    sim.misfortunes.add({"action": "stall"})
    with pytest.raises(httpx.ReadTimeout):
        await http.post("/add", timeout=1.0)
    assert counter.total == 1
    assert (await http.get("/total")).json() == {"total": 1}


async def test_trickle_gives_the_whole_answer_byte_by_byte_and_the_next_one_at_once(
    sim: Listening, http: httpx.AsyncClient
) -> None:
    plain = await http.get("/echo", params={"q": "x" * 100})
    sim.misfortunes.add({"action": "trickle", "seconds": 0.001})
    started = time.monotonic()
    slow = await http.get("/echo", params={"q": "x" * 100})
    taken = time.monotonic() - started
    assert slow.content == plain.content
    assert slow.headers["content-length"] == plain.headers["content-length"]
    assert taken >= 0.001 * len(plain.content)
    sim.misfortunes.add({"action": "trickle", "seconds": 0.001})
    assert (await http.get("/echo", headers={"Connection": "close"})).status_code == 200
    started = time.monotonic()
    await http.get("/echo", params={"q": "x" * 1000})
    assert time.monotonic() - started < 1


async def test_status_answers_instead_and_carries_nothing_out(
    sim: Listening, counter: Counter, http: httpx.AsyncClient
) -> None:
    sim.misfortunes.add({"action": "status", "status": 429, "body": {"code": "busy"}, "headers": {"Retry-After": 7}})
    answer = await http.post("/add", content=b"{}")
    assert (answer.status_code, answer.json(), answer.headers["retry-after"]) == (429, {"code": "busy"}, "7")
    assert answer.headers["content-type"] == "application/json"
    sim.misfortunes.add({"action": "status"})
    assert (await http.post("/add")).status_code == 500
    assert counter.total == 0


async def test_replace_carries_out_and_answers_otherwise(
    sim: Listening, counter: Counter, http: httpx.AsyncClient
) -> None:
    sim.misfortunes.add({"action": "replace", "body": "<html>NaN", "content_type": "text/html"})
    answer = await http.post("/add")
    assert (answer.status_code, answer.text, answer.headers["content-type"]) == (200, "<html>NaN", "text/html")
    assert counter.total == 1
    sim.misfortunes.add({"action": "replace", "status": 201, "body": ""})
    assert (await http.post("/add")).status_code == 201


async def test_delay_answers_late(sim: Listening, http: httpx.AsyncClient) -> None:
    sim.misfortunes.add({"action": "delay", "seconds": 0.15})
    started = time.monotonic()
    assert (await http.post("/add")).json() == {"total": 1}
    assert time.monotonic() - started >= 0.15


async def test_down_resets_everything_but_the_control_side_and_cuts_open_sockets(
    sim: Listening, counter: Counter, http: httpx.AsyncClient
) -> None:
    async with talk(sim) as line:
        assert await said(line, "hello") == "hello"
        assert (await http.post("/_sim/down", json={"down": True})).json() == {"down": True}
        with pytest.raises(ConnectionClosed):
            await asyncio.wait_for(line.recv(), 2)
        with pytest.raises(httpx.TransportError):
            await http.post("/add")
        with pytest.raises((OSError, EOFError, Exception)):
            async with talk(sim):
                pass
        assert (await http.get("/_sim/ledger")).json() == {"entries": []}
        await http.post("/_sim/down", json={"down": False})
    assert (await http.post("/add")).json() == {"total": 1}
    async with talk(sim) as line:
        assert await said(line, "again") == "again"
    assert counter.heard == ["hello", "again"]


async def test_two_simulators_reached_from_one_port_are_two_connections(sim: Listening) -> None:
    async def connected(there: Listening, local: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        raw = socket.socket()
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # the system reuses ports toward others by itself
        raw.bind(("127.0.0.1", local))
        raw.connect(("127.0.0.1", int(there.http.rpartition(":")[2])))
        return await asyncio.open_connection(sock=raw)

    async def asks(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bytes:
        writer.write(b"GET /total HTTP/1.1\r\nHost: x\r\n\r\n")
        return await asyncio.wait_for(reader.readuntil(b"}"), 2)

    async with serving(Counter()) as second:
        beside = await connected(sim, 0)
        assert b" 200 " in await asks(*beside)
        here = await connected(sim, 0)
        assert b" 200 " in await asks(*here)
        sim.misfortunes.add({"action": "refuse"})
        with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
            await asks(*beside)
        assert b" 200 " in await asks(*here)  # the one to the same simulator that came later
        there = await connected(second, here[1].get_extra_info("sockname")[1])
        assert b" 200 " in await asks(*there)
        sim.misfortunes.set_down(True)
        with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
            await asks(*here)
        assert b" 200 " in await asks(*there)
        for _, writer in (beside, here, there):
            writer.close()


async def test_refuse_resets_a_websocket_before_it_opens(sim: Listening, http: httpx.AsyncClient) -> None:
    sim.misfortunes.add({"action": "refuse", "match": {"kind": "ws"}})
    assert (await http.get("/total")).status_code == 200
    with pytest.raises((OSError, EOFError, Exception)) as caught:
        async with talk(sim):
            pass
    assert not isinstance(caught.value, AssertionError)
    async with talk(sim) as line:
        assert await said(line, "x") == "x"


async def test_a_dropped_frame_is_never_heard(sim: Listening, counter: Counter) -> None:
    sim.misfortunes.add({"action": "drop", "match": {"contains": "lost"}})
    async with talk(sim) as line:
        await line.send("this is lost")
        assert await said(line, "kept") == "kept"
    assert counter.heard == ["kept"]


async def test_duplicated_frames_come_twice_as_often_as_asked(sim: Listening, counter: Counter) -> None:
    sim.misfortunes.add({"action": "duplicate"})
    async with talk(sim) as line:
        assert [await said(line, text) for text in ("a", "b", "c")] == ["a", "a", "b"]
        assert [await line.recv() for _ in range(2)] == ["b", "c"]
    assert counter.heard == ["a", "b", "c"]


@pytest.mark.parametrize(("options", "code"), [({}, 1006), ({"code": 1011}, 1011), ({"code": 4000}, 4000)])
async def test_disconnect_closes_with_its_code(
    sim: Listening, counter: Counter, options: dict[str, int], code: int
) -> None:
    sim.misfortunes.add({"action": "disconnect", **options})
    async with talk(sim) as line:
        await line.send("x")
        with pytest.raises(ConnectionClosed):
            await asyncio.wait_for(line.recv(), 2)
        assert line.close_code == code
    assert counter.heard == []


async def test_a_reset_frame_is_carried_out_and_its_answer_lost(sim: Listening, counter: Counter) -> None:
    sim.misfortunes.add({"action": "reset"})
    async with talk(sim) as line:
        await line.send("done")
        with pytest.raises(ConnectionClosed):
            await asyncio.wait_for(line.recv(), 2)
    assert counter.heard == ["done"]


async def test_a_stalled_frame_is_carried_out_and_nothing_comes_though_the_line_stays_open(
    sim: Listening, counter: Counter
) -> None:
    sim.misfortunes.add({"action": "stall", "match": {"contains": "second"}})
    async with talk(sim) as line:
        assert await said(line, "first") == "first"
        await line.send("second")
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(line.recv(), 0.2)
        await asyncio.wait_for(await line.ping(), 2)
    assert counter.heard == ["first", "second"]


async def test_a_replaced_frame_is_answered_otherwise_and_not_heard(sim: Listening, counter: Counter) -> None:
    sim.misfortunes.add({"action": "replace", "match": {"contains": "pay"}, "body": '{"a": NaN}'})
    async with talk(sim) as line:
        assert await said(line, "pay") == '{"a": NaN}'
        assert await said(line, "pay") == "pay"
    assert counter.heard == ["pay"]


async def test_an_answer_in_a_frame_can_be_cut_or_slowed(sim: Listening, counter: Counter) -> None:
    sim.misfortunes.add({"action": "trickle", "seconds": 0.002})
    async with talk(sim) as line:
        started = time.monotonic()
        assert await said(line, "x" * 50) == "x" * 50
        assert time.monotonic() - started >= 0.1
        sim.misfortunes.add({"action": "close", "bytes": 10})
        await line.send("y" * 50)
        with pytest.raises(ConnectionClosed):
            await asyncio.wait_for(line.recv(), 2)
    assert counter.heard == ["x" * 50, "y" * 50]


async def test_a_late_frame_is_only_late(sim: Listening) -> None:
    sim.misfortunes.add({"action": "delay", "seconds": 0.1})
    async with talk(sim) as line:
        started = time.monotonic()
        assert await said(line, "x") == "x"
        assert time.monotonic() - started >= 0.1


async def test_the_nth_matching_exchange_is_hit_so_many_times(sim: Listening, http: httpx.AsyncClient) -> None:
    sim.misfortunes.add(
        {"match": {"path": "/add", "method": "POST"}, "nth": 2, "times": 2, "action": "status", "status": 503}
    )
    seen = []
    for _ in range(5):
        seen.append((await http.post("/add")).status_code)
        assert (await http.get("/total")).status_code == 200
    assert seen == [200, 503, 503, 200, 200]
    assert sim.misfortunes.waiting() == []


async def test_nought_times_is_for_ever_until_an_empty_script_clears_it(
    sim: Listening, http: httpx.AsyncClient
) -> None:
    sim.misfortunes.add([{"action": "status", "status": 502, "times": 0}])
    assert [(await http.get("/total")).status_code for _ in range(4)] == [502] * 4
    assert (await http.post("/_sim/faults", json=[])).json() == {"waiting": []}
    assert (await http.get("/total")).status_code == 200


async def test_a_script_is_taken_and_told_over_the_control_side(sim: Listening, http: httpx.AsyncClient) -> None:
    script = [{"match": {"path": "/add"}, "action": "refuse"}, {"action": "delay", "seconds": 0}]
    waiting = [
        {"action": "refuse", "match": {"path": "/add"}, "seen": 0},
        {"action": "delay", "match": {}, "seen": 0},
    ]
    assert (await http.post("/_sim/faults", json=script)).json() == {"waiting": waiting}
    assert (await http.get("/total")).status_code == 200
    assert (await http.get("/_sim/faults")).json() == {"waiting": waiting[:1]}


@pytest.mark.parametrize(
    "script", ["x", 5, [5], [{}], [{"action": "explode"}], [{"action": "refuse", "nth": "x"}], {"nth": 1}, None]
)
async def test_what_is_no_script_is_refused_and_plays_nothing(
    sim: Listening, http: httpx.AsyncClient, script: Any
) -> None:
    assert (await http.post("/_sim/faults", json=script)).status_code == 400
    assert (await http.post("/_sim/faults", content=b"{")).status_code == 400
    assert (await http.get("/total")).status_code == 200
    assert sim.misfortunes.waiting() == []


def test_a_step_looks_only_at_exchanges_its_action_can_happen_to() -> None:
    misfortunes = Misfortunes()
    misfortunes.add([{"action": "drop"}, {"action": "status"}])
    assert misfortunes.next("ws", "GET", "/talk", frozenset({"refuse"})).action == "nothing"
    assert misfortunes.next("http", "GET", "/x", frozenset({"status", "refuse"})).action == "status"
    assert misfortunes.next("ws", "SEND", "/talk", frozenset({"drop"}), "text").action == "drop"
    assert misfortunes.waiting() == []
