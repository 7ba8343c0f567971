"""What is told of one open position."""

from pathlib import Path
from typing import Any

import httpx

from bot.loopback.server import Listening
from tests.support.chatting import OLGA, Chat, at_work_with, buttons
from tests.support.treasury import ONE_APPROVER, Treasury


async def test_a_stop_that_trails_or_is_guaranteed_is_called_so(tmp_path: Path, chat: Chat) -> None:
    async with at_work_with(tmp_path, chat, "capital") as desk:
        await desk.link("capital")
        plain = await desk.said(OLGA, "/positions")
        assert "stop 4,010.00 · limit 4,200.00" in plain
        await changed(desk.sides["capital"], "GOLD", guaranteedStop=True, stopLevel=4010, profitLevel=4200)
        assert "guaranteed stop 4,010.00 · limit 4,200.00" in await desk.said(OLGA, "/positions")
        await changed(desk.sides["capital"], "GOLD", trailingStop=True, stopDistance=25.5)
        assert "25.5 away" in (told := await desk.said(OLGA, "/positions")), told
        assert "trailing stop" in told


async def test_a_button_below_one_connections_positions_offers_those_only(tmp_path: Path, chat: Chat) -> None:
    async with at_work_with(tmp_path, chat, "capital", "deriv") as opened:
        desk = Treasury(opened, await opened.link("deriv"))
        await opened.link("capital")
        await desk.policy(ONE_APPROVER)
        await opened.says(OLGA, "/positions deriv")
        (open_ones,) = [one for one in chat.from_bot(OLGA) if "Sell…" in buttons(one)]
        (which,) = await opened.taps(OLGA, open_ones, "Sell…")
        *those, all_of_them = buttons(which)
        assert [one.partition(" · ")[0] for one in those] == ["Volatility 100 Index", "Volatility 50 Index"]
        (together,) = await opened.taps(OLGA, which, all_of_them)
        assert list(buttons(together)) == ["Ask for all 2", "Cancel"]


async def changed(sim: Listening, epic: str, **bracket: Any) -> None:
    """By its owner, at the provider."""
    given = sim.credentials
    async with httpx.AsyncClient(base_url=f"{sim.http}/api/v1", trust_env=False) as there:
        body = {"identifier": given["identifier"], "password": given["password"]}
        reply = await there.post("/session", json=body, headers={"X-CAP-API-KEY": given["api_key"]})
        there.headers.update({name: reply.headers[name] for name in ("CST", "X-SECURITY-TOKEN")})
        rows = (await there.get("/positions")).json()["positions"]
        deal = next(row["position"]["dealId"] for row in rows if row["market"]["epic"] == epic)
        done = await there.put(f"/positions/{deal}", json=bracket)
        assert done.status_code == 200, done.text
