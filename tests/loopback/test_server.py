"""What every simulator stands on: the control side, the file that keeps its ledger, TLS."""

import asyncio
import json
import os
import ssl
from pathlib import Path

import httpx
import pytest
from websockets.asyncio.client import connect

from bot.loopback.ports import free_port
from bot.loopback.server import serving
from tests.support.counter import Counter


def client(origin: str, **more: object) -> httpx.AsyncClient:
    return httpx.AsyncClient(base_url=origin, trust_env=False, timeout=2, **more)  # type: ignore[arg-type]


async def test_it_listens_on_this_machine_only_and_says_where_in_one_line() -> None:
    counter = Counter()
    async with serving(counter) as sim:
        line = json.loads(sim.line())
        assert "\n" not in sim.line()
        port = sim.http.removeprefix("http://127.0.0.1:")
        assert line == {
            "name": "counter",
            "http": f"http://127.0.0.1:{port}",
            "ws": f"ws://127.0.0.1:{port}",
            "control": f"http://127.0.0.1:{port}/_sim",
            "credentials": {"name": "counter"},
        }
        assert (counter.switches.origin_http, counter.switches.origin_ws) == (line["http"], line["ws"])
    with pytest.raises(OSError):  # noqa: PT011  # whichever way the system says "nobody there"
        await asyncio.open_connection("127.0.0.1", int(port))


async def test_the_ledger_tells_what_was_carried_out() -> None:
    async with serving(Counter()) as sim, client(sim.http) as http:
        assert (await http.get("/_sim/ledger")).json() == {"entries": []}
        await http.post("/add")
        assert (await http.get("/_sim/ledger")).json() == {
            "entries": [
                {
                    "id": "e0",
                    "kind": "add",
                    "from": "here",
                    "to": "there",
                    "amount": "1.00",
                    "currency": "USD",
                    "reference": "r0",
                    "at_ms": 0,
                }
            ]
        }


async def test_a_simulators_own_controls_lie_beside_the_common_ones() -> None:
    async with serving(Counter()) as sim, client(sim.http) as http:
        assert (await http.post("/_sim/total", json={"total": 41})).json() == {"total": 41}
        assert (await http.post("/add")).json() == {"total": 42}
        assert (await http.get("/ledger")).status_code == 404


async def test_limits_are_lifted_and_set_again() -> None:
    counter = Counter()
    async with serving(counter) as sim, client(sim.http) as http:
        assert not counter.switches.limits_lifted
        assert (await http.post("/_sim/limits", json={"lifted": True})).json() == {"lifted": True}
        assert counter.switches.limits_lifted
        await http.post("/_sim/limits", json={"lifted": False})
        assert not counter.switches.limits_lifted


async def test_the_state_file_keeps_what_was_answered_across_restarts(tmp_path: Path) -> None:
    state = tmp_path / "state.json"
    async with serving(Counter(), state=state) as sim, client(sim.http) as http:
        await http.post("/add")
        assert json.loads(state.read_text()) == {"total": 1}  # before the answer was out
        sim.misfortunes.add({"action": "reset", "match": {"path": "/add"}})
        with pytest.raises(httpx.TransportError):
            await http.post("/add")
        assert json.loads(state.read_text()) == {"total": 2}
        await http.post("/_sim/total", json={"total": 7})
    second = Counter()
    async with serving(second, state=state) as sim, client(sim.http) as http:
        assert (await http.get("/total")).json() == {"total": 7}
        async with connect(f"{sim.ws}/talk", proxy=None) as line:
            await line.send("x")
            assert await line.recv() == "x"
    assert os.listdir(tmp_path) == ["state.json"]


async def test_without_a_state_file_nothing_is_kept(tmp_path: Path) -> None:
    async with serving(Counter()) as sim, client(sim.http) as http:
        await http.post("/add")
    async with serving(Counter()) as sim, client(sim.http) as http:
        assert (await http.get("/total")).json() == {"total": 0}


async def test_the_port_asked_for_is_taken_and_one_in_use_is_an_error() -> None:
    port = free_port()
    async with serving(Counter(), port=port):
        with pytest.raises(OSError, match="in use"):
            async with serving(Counter(), port=port):
                pass
    async with serving(Counter(), port=port) as again:
        assert again.http == f"http://127.0.0.1:{port}"


async def test_tls_is_served_with_a_certificate_for_this_machine_and_its_key_is_gone() -> None:
    async with serving(Counter(), tls=True) as sim:
        ca_file = sim.credentials["ca_file"]
        assert sim.http.startswith("https://")
        assert sim.ws.startswith("wss://")
        assert sim.control == f"{sim.http}/_sim"
        assert [path.name for path in Path(ca_file).parent.iterdir()] == ["certificate.pem"]
        context = ssl.create_default_context(cafile=ca_file)
        async with client(sim.http, verify=context) as http:
            assert (await http.post("/add")).json() == {"total": 1}
            sim.misfortunes.add({"action": "reset"})
            with pytest.raises(httpx.TransportError):
                await http.post("/add")
            assert (await http.get("/total")).json() == {"total": 2}
        async with connect(f"{sim.ws}/talk", proxy=None, ssl=context) as line:
            await line.send("x")
            assert await line.recv() == "x"
        async with client(sim.http) as http:
            with pytest.raises(httpx.ConnectError):
                await http.get("/total")


async def test_a_control_call_that_is_no_json_is_refused() -> None:
    async with serving(Counter()) as sim, client(sim.http) as http:
        for path in ("limits", "down", "faults"):
            assert (await http.post(f"/_sim/{path}", content=b"lifted")).status_code == 400


async def test_it_ends_at_once_with_connections_still_open() -> None:
    async with serving(Counter()) as sim:
        http = client(sim.http)
        assert (await http.get("/total")).status_code == 200
        line = await connect(f"{sim.ws}/talk", proxy=None)
        await line.send("x")
        assert await line.recv() == "x"
        started = asyncio.get_running_loop().time()
    assert asyncio.get_running_loop().time() - started < 2
    await http.aclose()
    await line.close()
