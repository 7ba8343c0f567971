"""The streaming side of Capital.com's simulator, heard through a plain WebSocket client written from the reference."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import pytest
import websockets

from tests.support.capital_broker import EUR, Desk, HandClock, opened


@dataclass
class Ear:
    """One socket. It says what it is told to say, with the tokens the desk holds at that moment."""

    socket: websockets.ClientConnection
    desk: Desk
    said: int = 0

    async def send(self, destination: str, payload: Any = None, **changes: Any) -> None:
        self.said += 1
        tokens = {"cst": self.desk.tokens["CST"], "securityToken": self.desk.tokens["X-SECURITY-TOKEN"]}
        message = {"destination": destination, "correlationId": self.said, **tokens, "payload": payload, **changes}
        await self.socket.send(json.dumps(message))

    async def hear(self) -> Any:
        async with asyncio.timeout(5):
            return json.loads(await self.socket.recv(), parse_float=Decimal)

    async def ask(self, destination: str, payload: Any = None, **changes: Any) -> Any:
        await self.send(destination, payload, **changes)
        return await self.hear()

    async def refusal(self, destination: str, payload: Any = None, **changes: Any) -> Any:
        reply = await self.ask(destination, payload, **changes)
        assert reply["status"] == "ERROR"
        assert reply["destination"] == destination
        return reply["payload"]["errorCode"]

    async def nothing_more(self) -> None:
        """Until the answer to a ping, nothing else came."""
        assert (await self.ask("ping"))["destination"] == "ping"

    async def end(self) -> int:
        """The code with which the other side ends."""
        async with asyncio.timeout(5):
            with suppress(websockets.ConnectionClosed):
                async for _ in self.socket:
                    pass
        assert self.socket.close_code is not None
        return self.socket.close_code


@asynccontextmanager
async def listening(desk: Desk, path: str = "connect") -> AsyncIterator[Ear]:
    address = str((await desk.get("/session"))["streamEndpoint"])
    async with websockets.connect(f"{address}{path}", compression=None, ping_interval=None) as socket:
        yield Ear(socket, desk)


@pytest.fixture
async def desk() -> AsyncIterator[Desk]:
    async with opened(HandClock()) as desk:
        await desk.login()
        yield desk


async def price(desk: Desk, epic: str, bid: float) -> None:
    await desk.sim("price", epic=epic, bid=bid, offer=bid)


async def test_a_quote_is_told_when_it_changes(desk: Desk) -> None:
    async with listening(desk) as ear:
        reply = await ear.ask("marketData.subscribe", {"epics": ["GOLD", "NOTHING"]})
        assert reply == {
            "status": "OK",
            "destination": "marketData.subscribe",
            "correlationId": "1",
            "payload": {"subscriptions": {"GOLD": "PROCESSED", "NOTHING": "ERROR"}},
        }
        await price(desk, "SILVER", 50)
        await desk.sim("price", epic="GOLD", bid=4120.5, offer=4121)
        heard = await ear.hear()
        assert heard == {
            "status": "OK",
            "destination": "quote",
            "payload": {
                "epic": "GOLD",
                "product": "CFD",
                "bid": Decimal("4120.50"),
                "bidQty": 1000,
                "ofr": Decimal("4121.00"),
                "ofrQty": 1000,
                "timestamp": 1772625600000,
            },
        }
        reply = await ear.ask("marketData.unsubscribe", {"epics": ["GOLD"]})
        assert reply["payload"] == {"subscriptions": {"GOLD": "PROCESSED"}}
        await price(desk, "GOLD", 4130)
        await ear.nothing_more()


async def test_nothing_is_told_of_a_closed_market_until_it_opens(desk: Desk) -> None:
    async with listening(desk) as ear:
        await ear.ask("marketData.subscribe", {"epics": ["GOLD"]})
        await desk.sim("market", epic="GOLD", status="CLOSED")
        await price(desk, "GOLD", 4130)
        await ear.nothing_more()
        await desk.sim("market", epic="GOLD", status="TRADEABLE")
        assert (await ear.hear())["payload"]["bid"] == 4130


async def test_a_bar_is_told_twice_when_it_has_closed_and_history_says_the_same(desk: Desk) -> None:
    async with listening(desk) as ear:
        reply = await ear.ask("OHLCMarketData.subscribe", {"epics": ["GOLD", "NOTHING"]})
        answered = {"GOLD:MINUTE:classic": "PROCESSED", "NOTHING:MINUTE:classic": "ERROR"}
        assert reply["payload"] == {"subscriptions": answered}
        await ear.ask(
            "OHLCMarketData.subscribe", {"epics": ["GOLD"], "resolutions": ["MINUTE_5"], "type": "heikin-ashi"}
        )
        await desk.sim("price", epic="GOLD", bid=4120, offer=4121)
        await ear.nothing_more()
        await desk.sim("clock", seconds=60)
        bid, ask = await ear.hear(), await ear.hear()
        assert bid["destination"] == "ohlc.event"
        assert bid["payload"] == {
            "resolution": "MINUTE",
            "epic": "GOLD",
            "type": "classic",
            "priceType": "bid",
            "t": 1772625600000,
            "h": 4120,
            "l": Decimal("4112.30"),
            "o": Decimal("4112.30"),
            "c": 4120,
        }
        (kept,) = (await desk.get("/prices/GOLD?to=2026-03-04T12:00:00&max=1"))["prices"]
        assert ask["payload"]["priceType"] == "ask"
        assert [ask["payload"][part] for part in "ohlc"] == [
            kept[f"{part}Price"]["ask"] for part in ("open", "high", "low", "close")
        ]
        await desk.sim("clock", seconds=240)
        heard = [(await ear.hear())["payload"] for _ in range(2)]
        assert [(one["resolution"], one["type"], one["priceType"]) for one in heard] == [
            ("MINUTE_5", "heikin-ashi", "bid"),
            ("MINUTE_5", "heikin-ashi", "ask"),
        ]
        await ear.nothing_more()  # nothing was dealt in the other minutes


async def test_unsubscribing_from_bars_names_each_that_goes(desk: Desk) -> None:
    async with listening(desk) as ear:
        await ear.ask("OHLCMarketData.subscribe", {"epics": ["GOLD", "SILVER"], "resolutions": ["MINUTE", "HOUR"]})
        reply = await ear.ask("OHLCMarketData.unsubscribe", {"epics": ["GOLD"], "types": ["classic"]})
        assert list(reply["payload"]["subscriptions"]) == ["GOLD:MINUTE:classic", "GOLD:HOUR:classic"]
        (socket,) = (await desk.http.get("/_sim/streams")).json()["sockets"]
        assert socket["bars"] == ["SILVER:HOUR:classic", "SILVER:MINUTE:classic"]


async def test_the_forty_first_epic_is_refused_and_the_forty_stay(desk: Desk) -> None:
    epics = [row["epic"] for row in (await desk.get("/markets"))["markets"]]
    async with listening(desk) as ear:
        await ear.ask("marketData.subscribe", {"epics": epics[:39]})
        assert (await ear.ask("OHLCMarketData.subscribe", {"epics": epics[38:40]}))["status"] == "OK"
        assert await ear.refusal("marketData.subscribe", {"epics": [epics[40]]}) == "error.invalid.epics"
        await price(desk, epics[40], 50)
        await price(desk, epics[0], 50)
        assert (await ear.hear())["payload"]["epic"] == epics[0]


@pytest.mark.parametrize(
    ("destination", "payload", "changes", "code"),
    [
        ("marketData.subscribe", {}, {}, "error.null.epics"),
        ("marketData.subscribe", {"epics": [1]}, {}, "error.invalid.epics"),
        ("OHLCMarketData.subscribe", {"epics": ["GOLD"], "resolutions": ["SECOND"]}, {}, "error.invalid.resolution"),
        ("OHLCMarketData.subscribe", {"epics": ["GOLD"], "type": "renko"}, {}, "error.invalid.type"),
        ("positions.subscribe", {}, {}, "error.invalid.destination"),
        ("ping", None, {"cst": None}, "error.null.client.token"),
        ("ping", None, {"securityToken": "stolen"}, "error.invalid.session.token"),
    ],
)
async def test_messages_that_cannot_be_served_are_answered_and_the_socket_stays(
    desk: Desk, destination: str, payload: Any, changes: dict[str, Any], code: str
) -> None:
    async with listening(desk, "/connect") as ear:
        assert await ear.refusal(destination, payload, **changes) == code
        await ear.nothing_more()


@pytest.mark.parametrize("raw", ["{", "[]", "x" * 9, b"\xff", '{"destination":1,"correlationId":[1]}'])
async def test_a_message_that_is_no_message_harms_nothing(desk: Desk, raw: str | bytes) -> None:
    async with listening(desk) as ear:
        await ear.socket.send(raw)
        assert (await ear.hear())["status"] == "ERROR"
        await ear.nothing_more()


async def test_a_dead_session_tells_nothing_more_and_answers_with_an_error(desk: Desk) -> None:
    async with listening(desk) as ear:
        await ear.ask("marketData.subscribe", {"epics": ["GOLD"]})
        await desk.sim("expire")
        await price(desk, "GOLD", 4130)
        assert await ear.refusal("ping") == "error.invalid.session.token"
        await desk.login()
        await ear.ask("marketData.subscribe", {"epics": ["GOLD"]})
        await price(desk, "GOLD", 4140)
        assert (await ear.hear())["payload"]["bid"] == 4140


async def test_switching_the_account_ends_the_stream(desk: Desk) -> None:
    async with listening(desk) as ear:
        await ear.ask("marketData.subscribe", {"epics": ["GOLD"]})
        desk.adopt(await desk.ask("PUT", "/session", {"accountId": EUR}))
        assert await ear.end() == 1006


async def test_switching_the_account_may_leave_the_socket_silent_instead(desk: Desk) -> None:
    await desk.sim("options", switch_cuts=False)
    async with listening(desk) as ear:
        await ear.ask("marketData.subscribe", {"epics": ["GOLD"]})
        desk.adopt(await desk.ask("PUT", "/session", {"accountId": EUR}))
        await price(desk, "GOLD", 4130)
        await ear.nothing_more()


async def test_a_socket_that_says_nothing_for_ten_minutes_is_cut(desk: Desk) -> None:
    async with listening(desk) as silent, listening(desk) as busy:
        await silent.ask("marketData.subscribe", {"epics": ["GOLD"]})
        desk.clock.pass_by(599)
        await busy.nothing_more()
        await price(desk, "GOLD", 4130)
        assert (await silent.hear())["payload"]["bid"] == 4130
        desk.clock.pass_by(1)
        assert await silent.end() == 1006
        await busy.nothing_more()


async def test_the_tokens_live_on_pings_of_the_socket_alone(desk: Desk) -> None:
    async with listening(desk) as ear:
        for _ in range(3):
            desk.clock.pass_by(590)
            await ear.nothing_more()
        assert await desk.get("/ping") == {"status": "OK"}


async def test_a_second_socket_of_the_account_can_be_refused(desk: Desk) -> None:
    await desk.sim("options", one_stream=True)
    async with listening(desk) as first, listening(desk) as second:
        await first.ask("marketData.subscribe", {"epics": ["GOLD"]})
        assert await second.refusal("marketData.subscribe", {"epics": ["GOLD"]}) == "error.too-many.requests"
        assert (await first.ask("OHLCMarketData.subscribe", {"epics": ["SILVER"]}))["status"] == "OK"
        await first.ask("OHLCMarketData.unsubscribe", {"epics": ["SILVER"]})
        await first.ask("marketData.unsubscribe", {"epics": ["GOLD"]})
        assert (await second.ask("marketData.subscribe", {"epics": ["GOLD"]}))["status"] == "OK"


async def test_sockets_are_cut_at_once_or_each_so_often_and_history_keeps_what_was_missed(desk: Desk) -> None:
    async with listening(desk) as ear:
        await ear.ask("marketData.subscribe", {"epics": ["GOLD"]})
        assert await desk.sim("cut") == {"cut": 1}
        assert await ear.end() == 1006
    await price(desk, "GOLD", 4135)
    (bar,) = (await desk.get("/prices/GOLD?max=1"))["prices"]
    assert bar["highPrice"]["bid"] == 4135
    await desk.sim("cut", each_seconds=3)
    for _ in range(2):
        async with listening(desk) as ear:
            await ear.ask("marketData.subscribe", {"epics": ["GOLD"]})
            desk.clock.pass_by(3)
            assert await ear.end() == 1006
    await desk.sim("cut", each_seconds=0)
    async with listening(desk) as ear:
        desk.clock.pass_by(30)
        await ear.nothing_more()
    assert (await desk.http.get("/_sim/streams")).json()["accepted"] == 4


async def test_the_quotes_or_the_bars_of_one_epic_can_be_held_back(desk: Desk) -> None:
    async with listening(desk) as ear:
        await ear.ask("marketData.subscribe", {"epics": ["GOLD", "SILVER"]})
        await ear.ask("OHLCMarketData.subscribe", {"epics": ["GOLD", "SILVER"]})
        assert await desk.sim("hold", epic="GOLD", quotes=True) == {"quotes": ["GOLD"], "bars": []}
        await desk.sim("hold", epic="SILVER", bars=True)
        await price(desk, "GOLD", 4130)
        await price(desk, "SILVER", 50)
        assert (await ear.hear())["payload"]["epic"] == "SILVER"
        await desk.sim("clock", seconds=60)
        assert [(await ear.hear())["payload"]["epic"] for _ in range(2)] == ["GOLD", "GOLD"]
        assert await desk.sim("hold", epic="GOLD", quotes=False) == {"quotes": [], "bars": ["SILVER"]}
        await price(desk, "GOLD", 4131)
        assert (await ear.hear())["payload"]["bid"] == 4131


async def test_prices_that_walk_are_streamed_and_end_where_the_reads_stand(desk: Desk) -> None:
    async with listening(desk) as ear:
        await ear.ask("marketData.subscribe", {"epics": ["GOLD"]})
        await desk.sim("walk", on=True, step_ms=100)
        desk.clock.pass_by(10)  # the pulse of the socket notices; nobody asks
        first = (await ear.hear())["payload"]
        assert first["timestamp"] < 1772625610000
        truth = (await desk.http.get("/_sim/quotes")).json()["GOLD"]
        await ear.send("ping")
        last = first
        while (heard := await ear.hear())["destination"] == "quote":
            last = heard["payload"]
        assert (str(last["bid"]), last["timestamp"]) == (truth["bid"], truth["at_ms"])


async def test_a_burst_repeats_the_prices_with_growing_times(desk: Desk) -> None:
    async with listening(desk) as ear:
        await ear.ask("marketData.subscribe", {"epics": ["GOLD", "SILVER"]})
        assert await desk.sim("burst", quotes=3) == {"sockets": 1}
        heard = [(await ear.hear())["payload"] for _ in range(3)]
        assert [(one["epic"], one["timestamp"] - 1772625600000) for one in heard] == [
            ("GOLD", 0),
            ("SILVER", 1),
            ("GOLD", 2),
        ]
        assert (await desk.http.get("/_sim/streams")).json()["sockets"][0]["sent"] == 3


async def test_a_cut_socket_is_written_to_no_more(desk: Desk, caplog: pytest.LogCaptureFixture) -> None:
    async with listening(desk) as ear:
        await ear.ask("marketData.subscribe", {"epics": ["GOLD"]})
        await desk.sim("walk", on=True, step_ms=10)
        await desk.sim("cut", each_seconds=1)
        desk.clock.pass_by(1)  # a hundred steps and the cut, all before anything is written
        assert await ear.end() == 1006
    assert [record.getMessage() for record in caplog.records if record.name == "asyncio"] == []
