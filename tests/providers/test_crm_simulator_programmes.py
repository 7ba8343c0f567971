"""Accounts opened over the API, the leader board and prop trading in the CRM's simulator."""

from collections.abc import AsyncIterator
from decimal import Decimal

import pytest

from bot.providers.crm.simulator import make
from tests.support.crm_desk import Desk, HandClock, decimals, desk_at, refused


@pytest.fixture
async def desk() -> AsyncIterator[Desk]:
    clock = HandClock()
    async with desk_at(make(clock=clock), clock) as found:
        yield found


# --- new accounts


@pytest.mark.parametrize(("platform", "group"), [("mt4", "real-EUR"), ("mt5", "live\\EUR")])
async def test_an_opened_account_can_be_seen_paid_into_and_paid_out(desk: Desk, platform: str, group: str) -> None:
    user, connection = await desk.client(4), await desk.connection(platform)
    body = {"connection_id": connection, "group": group, "leverage": 50, "enable_readonly": True}
    answer = await desk.post(f"/users/{user}/{platform}/accounts", body)
    assert answer.status_code == 200
    opened = answer.json()
    assert set(opened) == {"login", "master_password", "investor_password"}
    assert all(8 <= len(opened[name]) <= 15 for name in ("master_password", "investor_password"))
    login = opened["login"]
    shown = await desk.account(platform, connection, login)
    assert (shown["currency"], shown["leverage"], shown["balance"], shown["enable_readonly"]) == ("EUR", 50, 0, 1)
    assert shown["crm_user"]["id"] == user
    trading_ids = [item["trading_id"] for item in (await desk.get(f"/users/{user}")).json()["trading_accounts"]]
    assert str(login) in trading_ids
    money = {"connection_id": connection, "currency": "EUR", "amount": "25.50", "comment": "first"}
    assert (await desk.post(f"/{platform}/accounts/{login}/deposit", money)).status_code == 204
    assert (await desk.account(platform, connection, login))["available_withdrawal"] == Decimal("25.5")
    assert (await desk.post(f"/{platform}/accounts/{login}/withdrawal", money)).status_code == 204
    assert (await desk.account(platform, connection, login))["balance"] == 0


async def test_a_login_and_passwords_may_be_chosen(desk: Desk) -> None:
    user, connection = await desk.client(1), await desk.connection("mt4")
    body = {"connection_id": connection, "group": "real-USD", "leverage": 100, "login": 61000}
    chosen = body | {"master_password": "abcDE", "investor_password": "abc12"}
    answer = await desk.post(f"/users/{user}/mt4/accounts", chosen)
    assert answer.json() == {"login": 61000, "master_password": "abcDE", "investor_password": "abc12"}
    assert refused(await desk.post(f"/users/{user}/mt4/accounts", body), 400, "login_exists")
    following = await desk.post(f"/users/{user}/mt4/accounts", body | {"login": None})
    assert following.json()["login"] == 61001


async def test_accounts_that_cannot_be_opened(desk: Desk) -> None:
    user, connection = await desk.client(1), await desk.connection("mt5")
    good: dict[str, object] = {"connection_id": connection, "group": "live\\USD", "leverage": 100}
    path = f"/users/{user}/mt5/accounts"
    wrong: tuple[dict[str, object], ...] = (
        {"group": "real-USD"}, {"leverage": 0}, {"leverage": 5001}, {"leverage": "100"}, {"login": -1},
        {"master_password": "Ab1!xyz"}, {"master_password": "Abcdef12"}, {"investor_password": "A" * 16},
        {"account_type_id": "zzzzzzzz"}, {"enable_readonly": 1},
    )  # fmt: skip
    for part in wrong:
        assert refused(await desk.post(path, good | part), 400, "invalid_request"), part
    mt4 = good | {"connection_id": await desk.connection("mt4")}
    assert refused(await desk.post(path, mt4), 400, "mt5_connection_not_found")
    assert refused(await desk.post("/users/zzzzzzzz/mt5/accounts", good), 400, "user_not_found")
    assert refused(await desk.post(path, good | {"rebate_user_id": "zzzzzzzz"}), 400, "user_not_found")
    accounts = (await desk.get("/mt5/accounts", connection_id=connection, limit=0)).json()
    assert accounts["count"] == 4


async def test_ctrader_shows_servers_and_accounts(desk: Desk) -> None:
    connection = await desk.connection("ctrader")
    page = (await desk.get("/ctrader/accounts", connection_id=connection)).json()
    assert [(row["login"], row["currency"]) for row in page["records"]] == [(8801, "USD")]
    mt4 = await desk.connection("mt4")
    assert refused(await desk.get("/ctrader/accounts", connection_id=mt4), 400, "ctrader_connection_not_found")


# --- leader board


async def test_the_leader_board_ranks_by_what_trading_brought(desk: Desk) -> None:
    competition = (await desk.look("competitions"))["competitions"][0]["id"]
    board = decimals(await desk.get("/tradingCompetition/leaderboard", competition_id=competition, limit=500))
    assert board["last_update_time"] == 1763626502000
    percents = [row["profit_percent"] for row in board["competitors"]]
    assert len(percents) == 6
    assert percents == sorted(percents, reverse=True)
    assert sum(row["suspend"] for row in board["competitors"]) == 1
    assert set(board["competitors"][0]) == {"user_id", "user_name", "country", "profit_percent", "suspend"}
    top = decimals(await desk.get("/tradingCompetition/leaderboard", competition_id=competition, limit=2))
    assert top["competitors"] == board["competitors"][:2]
    unknown = await desk.get("/tradingCompetition/leaderboard", competition_id="zzzzzzzz", limit=5)
    assert refused(unknown, 400, "competition_not_exists")
    assert refused(await desk.get("/tradingCompetition/leaderboard", limit=5), 400, "invalid_request")
    assert refused(
        await desk.get("/tradingCompetition/leaderboard", competition_id=competition), 400, "invalid_request"
    )


# --- prop trading


async def challengers(desk: Desk) -> list[dict[str, object]]:
    found: list[dict[str, object]] = (await desk.look("prop"))["challengers"]
    return found


async def test_a_prop_trader_moves_up_until_the_last_step(desk: Desk) -> None:
    first, last = await challengers(desk)
    by_request = {"init_request_id": first["init_request_id"], "user_id": first["user_id"]}
    by_account = {name: first[name] for name in ("connection_id", "platform")} | {"trading_id": str(first["login"])}
    for step, body in ((2, by_request), (3, by_account)):
        answer = await desk.post("/propTrading/users/upgrade", body)
        assert (answer.status_code, answer.json()) == (200, {})
        assert (await challengers(desk))[0]["step"] == step
    again = await desk.post("/propTrading/users/upgrade", by_request)
    assert refused(again, 400, "prop_trading_user_is_last_step")
    top = {"init_request_id": last["init_request_id"], "user_id": last["user_id"]}
    assert refused(await desk.post("/propTrading/users/upgrade", top), 400, "prop_trading_user_is_last_step")


async def test_a_failed_prop_trader_is_out(desk: Desk) -> None:
    first = (await challengers(desk))[0]
    body = {"init_request_id": first["init_request_id"], "user_id": first["user_id"], "allow_retry": True}
    answer = await desk.post("/propTrading/users/failed", body | {"reason": "loss limit", "notify": True})
    assert answer.status_code == 200
    shown = (await challengers(desk))[0]
    assert (shown["status"], shown["may_retry"], shown["reason"]) == ("failed", True, "loss limit")
    for act in ("failed", "upgrade"):
        late = await desk.post(f"/propTrading/users/{act}", body)
        assert refused(late, 400, "prop_trading_user_status_not_ongoing")


async def test_a_challenger_with_open_positions_stays(desk: Desk) -> None:
    connection = await desk.connection("mt5")
    account = {"connection_id": connection, "trading_id": "500123"}
    asked = await desk.control("prop", account)
    upgrade = {**account, "platform": "mt5"}
    unknown = await desk.post("/propTrading/users/upgrade", upgrade)
    assert refused(unknown, 400, "prop_trading_user_not_exsits"), "nobody is in before the approval"
    await desk.control("approve", {"id": asked["id"]})
    assert refused(await desk.post("/propTrading/users/upgrade", upgrade), 400, "prop_user_has_positions")
    by_request = {"init_request_id": asked["id"], "user_id": asked["user_id"]}
    assert refused(await desk.post("/propTrading/users/upgrade", by_request), 400, "prop_user_has_positions")


async def test_a_challenger_is_named_one_way_only(desk: Desk) -> None:
    first = (await challengers(desk))[0]
    by_request = {"init_request_id": first["init_request_id"], "user_id": first["user_id"]}
    by_account = {"connection_id": first["connection_id"], "platform": "mt5", "trading_id": first["login"]}
    wrong: tuple[dict[str, object], ...] = (
        {}, by_request | by_account, {"init_request_id": first["init_request_id"]}, by_account | {"platform": "mt6"},
        by_account | {"trading_id": None},
    )  # fmt: skip
    for body in wrong:
        answer = await desk.post("/propTrading/users/upgrade", body)
        assert refused(answer, 400, "invalid_request"), body
    assert refused(await desk.post("/propTrading/users/failed", by_request), 400, "invalid_request")
    await desk.control("settings", {"generation": "A"})
    assert refused(await desk.post("/propTrading/users/upgrade", by_request), 404, "not_found")
