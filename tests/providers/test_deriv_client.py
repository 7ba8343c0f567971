"""The Deriv adapter over real sockets, against the simulator and its misfortunes.

The desk's client has CR900001 (USD), CR900002 (BTC) and the demo account VRTC900001. Requests are numbered from 1 in
each adapter: 1 is `authorize`, 2 the first question after it.
"""

import asyncio
import json
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from bot.errors import (
    BusyError,
    CredentialRefusedError,
    EnvironmentMismatchError,
    FaultError,
    NotFoundError,
    ReplyError,
    ScopeMissingError,
    SilentError,
    UnreachableError,
)
from bot.money import Currency
from bot.providers.base import Login, Surroundings
from bot.providers.deriv import SPEC
from bot.providers.deriv.client import Settings, line
from bot.providers.records import Direction, Environment, Power
from bot.secret import Secret
from tests.support.deriv_login import LIVE, START, Desk, a_desk, buy, until

DEMO = Environment.DEMO


@pytest.fixture
async def desk() -> AsyncIterator[Desk]:
    async with a_desk() as desk:
        yield desk


def amounts(reading: Any) -> dict[str, Decimal]:
    return {item.account: item.amount.amount for item in reading.items}


def refusal(call: str, code: str, number: int = 2) -> str:
    return json.dumps({"req_id": number, "msg_type": call, "error": {"code": code, "message": "A text."}})


# -- the main job --


async def test_check_says_what_was_found(desk: Desk) -> None:
    assert (await desk.link("token").check()).summary == "1 account, USD"
    assert (await desk.link("token_read").check()).summary == "1 account, USD"
    assert (await desk.link("token_oauth").check()).summary == "3 accounts, BTC and USD"


async def test_an_api_token_reads_its_own_account_and_says_what_it_does_not_see(desk: Desk) -> None:
    asked_all = desk.count('"all"')
    provider = desk.link("token")
    for reading in (await provider.accounts(), await provider.balances()):
        assert len(reading.items) == 1
        assert reading.notes == ("This token sees only CR900001; 2 other accounts are not read.",)
    account = (await provider.accounts()).items[0]
    assert (account.id, account.currency, account.environment) == ("CR900001", Currency("USD"), LIVE)
    assert asked_all() == 0


async def test_an_oauth_token_reads_all_accounts_each_in_its_environment(desk: Desk) -> None:
    provider = desk.link("token_oauth")
    accounts = await provider.accounts()
    assert [(account.id, str(account.currency), account.environment) for account in accounts.items] == [
        ("CR900001", "USD", LIVE),
        ("CR900002", "BTC", LIVE),
        ("VRTC900001", "USD", DEMO),
    ]
    balances = await provider.balances()
    assert [(item.account, str(item.amount.currency), item.environment) for item in balances.items] == [
        ("CR900001", "USD", LIVE),
        ("CR900002", "BTC", LIVE),
        ("VRTC900001", "USD", DEMO),
    ]
    assert [note.partition(":")[0] for note in balances.notes] == ["In all, as Deriv counts it"]


async def test_money_that_arrived_is_in_the_next_balance(desk: Desk) -> None:
    provider = desk.link("token_oauth")
    before = amounts(await provider.balances())
    await desk.tell("deposit", loginid="CR900002", amount="0.01500001")
    after = amounts(await provider.balances())
    assert after["CR900002"] - before["CR900002"] == Decimal("0.01500001")
    assert after["CR900001"] == before["CR900001"]


async def test_a_contract_bought_elsewhere_is_among_the_positions_and_costs_its_price(desk: Desk) -> None:
    provider = desk.link("token")
    known = {position.id for position in (await provider.positions()).items}
    before = amounts(await provider.balances())["CR900001"]
    contract = await buy(desk, amount=42)
    (new,) = [position for position in (await provider.positions()).items if position.id not in known]
    assert new.id == str(contract["contract_id"])
    assert (new.account, new.symbol, new.direction) == ("CR900001", "R_100", Direction.SHORT)
    assert new.price_paid is not None
    assert new.price_paid.text() == "42.00"
    assert new.payout is not None
    assert new.payout.amount == Decimal(str(contract["payout"]))
    assert new.opened_at is not None
    assert new.expires_at == new.opened_at + timedelta(hours=1)
    assert new.description == contract["longcode"]
    assert amounts(await provider.balances())["CR900001"] == before - 42


async def test_positions_of_a_token_with_sister_accounts_say_whose_they_are(desk: Desk) -> None:
    assert (await desk.link("token_oauth").positions()).notes[0] == "Only the contracts of CR900001."


async def test_every_reading_says_when_it_was_true(desk: Desk) -> None:
    provider = desk.link("token")
    await provider.accounts()
    await desk.clock.move(7)
    balances, positions = await provider.balances(), await provider.positions()
    assert balances.as_of == START + timedelta(seconds=7)
    assert {item.as_of for item in balances.items} == {START + timedelta(seconds=7)}
    assert {item.as_of for item in positions.items} == {START + timedelta(seconds=7)}
    assert (await provider.accounts()).as_of == START  # told at login, and not since


@pytest.mark.parametrize(
    ("which", "accounts", "powers"),
    [
        ("token_read", 1, {Power.READ}),
        ("token", 1, {Power.READ, Power.TRADE, Power.PAY_OUT, Power.MANAGE}),
        ("token_oauth", 3, {Power.READ, Power.TRADE, Power.PAY_OUT, Power.MANAGE}),
    ],
)
async def test_a_check_finds_out_accounts_environment_and_powers(
    desk: Desk, which: str, accounts: int, powers: set[Power]
) -> None:
    found = await desk.link(which).check()
    assert len(found.accounts) == accounts
    assert found.environment is LIVE
    assert (found.powers, found.untold) == (powers, set())


async def test_a_token_whose_scopes_are_not_told_may_be_able_to_do_anything(desk: Desk) -> None:
    body = {"loginid": "CR900001", "currency": "USD", "is_virtual": 0}
    held = {"balance": 5, "currency": "USD", "loginid": "CR900001"}
    for number, (call, said) in enumerate((("authorize", body), ("balance", held)), 1):
        desk.answer_instead(f'"{call}"', json.dumps({call: said, "msg_type": call, "req_id": number}))
    found = await desk.link("token").check()
    assert (found.powers, found.untold) == ({Power.READ}, {Power.TRADE, Power.PAY_OUT, Power.MANAGE})


async def test_callers_side_by_side_share_one_socket_and_one_login(desk: Desk) -> None:
    logins = desk.count('"authorize"')
    provider = desk.link("token")
    balances, positions, accounts, found = await asyncio.gather(
        provider.balances(), provider.positions(), provider.accounts(), provider.check()
    )
    assert balances.items
    assert positions.items
    assert accounts.items
    assert found.summary == "1 account, USD"
    assert logins() == 1


# -- the login --


async def test_a_wrong_token_is_refused_after_one_try_shared_by_all_callers(desk: Desk) -> None:
    logins = desk.count('"authorize"')
    provider = desk.link(token="notatoken123456")
    results = await asyncio.gather(provider.check(), provider.balances(), provider.positions(), return_exceptions=True)
    assert [type(result) for result in results] == [CredentialRefusedError] * 3
    assert {getattr(result, "code", "") for result in results} == {"InvalidToken"}
    assert logins() == 1


async def test_a_real_account_declared_demo_is_refused(desk: Desk) -> None:
    provider = desk.link("token", DEMO)
    for read in (provider.check, provider.accounts, provider.balances, provider.positions):
        with pytest.raises(EnvironmentMismatchError, match="belongs to live, declared demo"):
            await read()


async def test_a_demo_account_declared_live_is_refused(desk: Desk) -> None:
    token = await desk.token_of("VRTC900001")
    with pytest.raises(EnvironmentMismatchError, match="belongs to demo, declared live"):
        await desk.link(token=token).check()
    assert (await desk.link(token=token, environment=DEMO).check()).summary == "1 account, USD"


async def test_an_unknown_app_id_is_refused(desk: Desk) -> None:
    with pytest.raises(CredentialRefusedError) as caught:
        await desk.link(app_id="424242").check()
    assert caught.value.code == "InvalidAppID"


async def test_an_app_id_refused_at_the_door_is_refused(desk: Desk) -> None:
    with pytest.raises(CredentialRefusedError) as caught:
        await desk.link(app_id="0").check()
    assert caught.value.code == "HTTP401"


async def test_a_token_that_ends_while_in_use_is_refused_from_then_on(desk: Desk) -> None:
    provider = desk.link("token")
    await provider.balances()
    await desk.tell("expire-token", token=desk.sim.credentials["token"])
    for _ in range(2):
        with pytest.raises(CredentialRefusedError) as caught:
            await provider.balances()
        assert caught.value.code == "InvalidToken"


async def test_a_forgotten_login_is_renewed_once_and_the_question_asked_again(desk: Desk) -> None:
    logins = desk.count('"authorize"')
    desk.answer_instead('"portfolio"', refusal("portfolio", "AuthorizationRequired"))
    assert (await desk.link("token").positions()).items
    assert logins() == 2


async def test_a_login_forgotten_again_and_again_is_given_up(desk: Desk) -> None:
    logins = desk.count('"authorize"')
    desk.answer_instead('"portfolio"', refusal("portfolio", "AuthorizationRequired"))
    desk.answer_instead('"portfolio"', refusal("portfolio", "AuthorizationRequired", number=4))
    with pytest.raises(CredentialRefusedError) as caught:
        await desk.link("token").positions()
    assert caught.value.code == "AuthorizationRequired"
    assert logins() == 2


async def test_a_passing_fault_at_login_is_tried_once_more(desk: Desk) -> None:
    desk.answer_instead('"authorize"', refusal("authorize", "WrongResponse", number=1))
    assert (await desk.link("token").check()).summary == "1 account, USD"


async def test_a_login_that_answers_something_else_is_a_reply_error_and_the_next_one_works(desk: Desk) -> None:
    provider = desk.link("token")
    desk.answer_instead('"authorize"', '{"req_id": 1, "msg_type": "authorize", "authorize": {"loginid": 7}}')
    with pytest.raises(ReplyError):
        await provider.check()
    assert (await provider.check()).summary == "1 account, USD"


async def test_the_credential_is_lent_for_the_login_only(desk: Desk) -> None:
    provider = desk.link("token")
    await provider.check()
    lent = desk.lent
    await provider.balances()
    await provider.positions()
    assert desk.lent == lent
    assert desk.open_now == 0


async def test_what_the_lender_says_is_passed_on_and_the_next_call_lends_again(desk: Desk) -> None:
    locked = True

    @asynccontextmanager
    async def lend() -> AsyncIterator[Login]:
        if locked:
            raise NotFoundError("credential", "main")
        yield {key: Secret(desk.sim.credentials[key]) for key in ("app_id", "token")}

    provider = SPEC.build(lend, Surroundings(LIVE, Settings(url=desk.sim.ws), desk.clock))
    with pytest.raises(NotFoundError):
        await provider.check()
    locked = False
    assert (await provider.check()).summary == "1 account, USD"
    await provider.close()


# -- all accounts, refused --


@pytest.mark.parametrize("code", ["PermissionDenied", "InputValidationFailed", "SomethingNew"])
async def test_all_accounts_refused_leads_to_the_own_one_and_is_not_asked_again(desk: Desk, code: str) -> None:
    desk.answer_instead('"all"', refusal("balance", code))
    asked_all = desk.count('"all"')
    provider = desk.link("token_oauth")
    for _ in range(2):
        reading = await provider.balances()
        assert list(amounts(reading)) == ["CR900001"]
        assert reading.notes == ("This token sees only CR900001; 2 other accounts are not read.",)
    assert asked_all() == 0  # the one that was asked met the refusal
    assert [account.id for account in (await provider.accounts()).items] == ["CR900001"]


async def test_a_token_without_any_right_to_read_names_the_scope(desk: Desk) -> None:
    tokens = (await desk.ask("tokens"))["tokens"]
    provider = desk.link(token=next(str(entry["token"]) for entry in tokens if entry["scopes"] == ["payments"]))
    for read in (provider.check, provider.balances, provider.positions):
        with pytest.raises(ScopeMissingError) as caught:
            await read()
        assert caught.value.scope == "read or trading_information"


async def test_being_too_quick_with_all_accounts_is_not_a_reason_to_ask_for_less(desk: Desk) -> None:
    desk.answer_instead('"all"', refusal("balance", "RateLimit"))
    provider = desk.link("token_oauth")
    with pytest.raises(BusyError):
        await provider.balances()
    assert len((await provider.balances()).items) == 3


# -- misfortunes --


@pytest.mark.parametrize("code", [1000, 1001, 1006, 1011])
async def test_a_question_lost_with_its_connection_is_asked_again_on_a_new_one(desk: Desk, code: int) -> None:
    logins = desk.count('"authorize"')
    provider = desk.link("token")
    desk.misfortune("disconnect", '"balance"', code=code)
    assert amounts(await provider.balances()).keys() == {"CR900001"}
    assert logins() == 2


async def test_a_question_lost_twice_is_given_up_and_the_next_one_works(desk: Desk) -> None:
    provider = desk.link("token")
    desk.misfortune("disconnect", '"balance"', times=2)
    with pytest.raises(SilentError):
        await provider.balances()
    assert amounts(await provider.balances()).keys() == {"CR900001"}


async def test_a_question_without_answer_is_asked_again_when_that_is_still_quick(desk: Desk) -> None:
    provider = desk.link("token", answer_seconds=1.0)
    desk.misfortune("drop", '"balance"')
    assert amounts(await provider.balances()).keys() == {"CR900001"}


async def test_a_question_without_answer_is_not_asked_again_when_somebody_waited_long(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(line, "AGAIN_WITHIN_SECONDS", 0.1)
    provider = desk.link("token", answer_seconds=1.0)
    desk.misfortune("drop", '"balance"')
    asked = desk.count('"balance"')
    with pytest.raises(SilentError):
        await provider.balances()
    assert asked() == 0  # the one that was asked is the one that was lost
    assert amounts(await provider.balances()).keys() == {"CR900001"}


async def test_an_answer_with_another_number_settles_nothing(desk: Desk) -> None:
    provider = desk.link("token", answer_seconds=1.0)
    stale = {"balance": 1.25, "currency": "USD", "loginid": "CR900001"}
    desk.answer_instead('"balance"', json.dumps({"req_id": 99, "msg_type": "balance", "balance": stale}))
    assert amounts(await provider.balances())["CR900001"] > 1000


async def test_an_answer_that_comes_twice_disturbs_nothing(desk: Desk) -> None:
    provider = desk.link("token")
    desk.misfortune("duplicate", '"balance"', count=1)
    assert amounts(await provider.balances()).keys() == {"CR900001"}
    assert (await provider.positions()).items


@pytest.mark.parametrize("code", ["WrongResponse", "CallError"])
async def test_a_passing_fault_is_asked_again_and_a_lasting_one_is_told(desk: Desk, code: str) -> None:
    desk.answer_instead('"balance"', refusal("balance", code))
    provider = desk.link("token")
    assert amounts(await provider.balances()).keys() == {"CR900001"}
    desk.answer_instead('"portfolio"', refusal("portfolio", code, number=4))
    desk.answer_instead('"portfolio"', refusal("portfolio", code, number=5))
    with pytest.raises(FaultError):
        await provider.positions()
    assert (await provider.positions()).items


BALANCE = '{"req_id": 2, "msg_type": "balance", "balance": {"currency": "USD", "loginid": "CR900001", "balance": %s}}'
HOSTILE = {
    "nan": BALANCE % "NaN",
    "nan as text": BALANCE % '"NaN"',
    "infinity": BALANCE % "1e400",
    "thousands": BALANCE % '"1_000"',
    "twice": BALANCE % '1, "balance": 2',
    "deep": BALANCE % ("[" * 5000 + "]" * 5000),
    "null": BALANCE % "null",
    "no number": BALANCE % "true",
    "too many digits": BALANCE % ("9" * 400),
    "another account": BALANCE.replace("CR900001", "CR900777") % "5",
    "null for all": "null",
    "array": "[]",
    "array for the payload": '{"req_id": 2, "msg_type": "balance", "balance": []}',
    "no payload": '{"req_id": 2, "msg_type": "balance"}',
    "no number of the question": '{"msg_type": "balance", "balance": {}}',
    "another call": '{"req_id": 2, "msg_type": "ping", "ping": "pong"}',
    "not JSON": "<html>Service Unavailable</html>",
    "half": '{"req_id": 2, "msg_type": "balance", "bal',
    "error without code": '{"req_id": 2, "msg_type": "balance", "error": {}}',
    "oversized": '{"req_id": 2, "x": "' + "x" * (1 << 20) + '"}',
}


@pytest.mark.parametrize("body", HOSTILE.values(), ids=HOSTILE.keys())
async def test_a_hostile_reply_fails_that_call_alone_and_shows_no_number(desk: Desk, body: str) -> None:
    provider = desk.link("token")
    desk.answer_instead('"balance"', body)
    with pytest.raises(ReplyError) as caught:
        await provider.balances()
    assert len(str(caught.value)) < 100  # it quotes nothing
    assert amounts(await provider.balances())["CR900001"] > 1000


async def test_a_hostile_reply_does_not_take_the_neighbours_question_with_it(desk: Desk) -> None:
    provider = desk.link("token")
    await provider.accounts()
    desk.answer_instead('"balance"', BALANCE % "NaN")
    balances, positions = await asyncio.gather(provider.balances(), provider.positions(), return_exceptions=True)
    assert isinstance(balances, ReplyError)
    assert not isinstance(positions, BaseException)
    assert positions.items


async def test_asked_too_often_is_told_and_the_socket_stays(desk: Desk) -> None:
    logins = desk.count('"authorize"')
    provider = desk.link("token")
    desk.answer_instead('"portfolio"', refusal("portfolio", "RateLimit"))
    with pytest.raises(BusyError):
        await provider.positions()
    assert (await provider.positions()).items
    assert logins() == 1


async def test_a_provider_that_is_down_is_unreachable_and_works_again_when_it_is_back(desk: Desk) -> None:
    provider = desk.link("token")
    desk.sim.misfortunes.set_down(True)
    with pytest.raises(UnreachableError):
        await provider.check()
    desk.sim.misfortunes.set_down(False)
    assert (await provider.check()).summary == "1 account, USD"
    desk.sim.misfortunes.set_down(True)  # with the socket open this time
    with pytest.raises((UnreachableError, SilentError)):
        await provider.balances()
    desk.sim.misfortunes.set_down(False)
    assert (await provider.check()).summary == "1 account, USD"


async def test_after_repeated_failures_it_rests_and_then_tries_again(desk: Desk) -> None:
    provider = desk.link("token")
    desk.sim.misfortunes.set_down(True)
    for _ in range(5):
        with pytest.raises(UnreachableError):
            await provider.positions()
    desk.sim.misfortunes.set_down(False)
    with pytest.raises(UnreachableError, match="resting"):
        await provider.positions()
    await desk.clock.move(15)
    assert (await provider.positions()).items


async def test_silence_on_an_open_socket_leads_to_a_rest_too(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(line, "AGAIN_WITHIN_SECONDS", 0.01)
    provider = desk.link("token", answer_seconds=0.3)
    await provider.check()
    desk.misfortune("drop", '"balance"', times=0)
    for _ in range(5):
        with pytest.raises(SilentError):
            await provider.balances()
    with pytest.raises(UnreachableError, match="resting"):
        await provider.balances()


async def test_f06_frames_that_are_too_large_lead_to_a_rest_too(desk: Desk) -> None:
    provider = desk.link("token")
    for _ in range(5):
        desk.misfortune("replace", '"portfolio"', body=HOSTILE["oversized"])
        with pytest.raises(ReplyError):
            await provider.positions()
        await desk.clock.move(1)
    with pytest.raises(UnreachableError, match="resting"):
        await provider.positions()


# -- pacing and keeping alive --


async def test_it_says_something_every_half_minute_so_that_the_server_does_not_hang_up(desk: Desk) -> None:
    pings = desk.count('"ping"')
    provider = desk.link("token")
    await provider.check()
    for expected in (1, 2):
        await until(lambda: desk.clock.waits.count(30.0) == expected)  # noqa: B023  # awaited within the turn
        await desk.clock.move(30)
        await until(lambda: pings() == expected)  # noqa: B023


async def test_a_dead_connection_is_noticed_by_the_missing_pong_and_replaced(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(line, "PONG_WITHIN_SECONDS", 0.05)
    logins = desk.count('"authorize"')
    desk.misfortune("drop", '"ping"', times=0)
    provider = desk.link("token")
    await provider.check()
    await until(lambda: desk.clock.waits.count(30.0) == 1)
    await desk.clock.move(30)
    await until(lambda: provider.line._line is not None and not provider.line._line.connected)
    assert (await provider.check()).summary == "1 account, USD"
    assert logins() == 2


async def test_portfolios_keep_to_the_twenty_five_a_minute_the_service_allows() -> None:
    async with a_desk(one_time=True) as desk:
        provider = desk.link("token")
        for _ in range(5):
            await provider.positions()
        assert desk.clock.seconds == 0
        for _ in range(60):
            await provider.positions()  # the simulator refuses the twenty-sixth in any minute
        assert desk.clock.seconds == pytest.approx(180)


async def test_a_login_is_one_of_the_calls_that_are_counted(desk: Desk) -> None:
    provider = desk.link("token")
    for _ in range(29):
        await provider.opening.residences()
    assert desk.clock.seconds == 0
    await provider.opening.residences()  # thirty may follow one another, and the login was the first
    assert desk.clock.seconds > 0


async def test_who_would_wait_too_long_for_his_turn_is_told_so(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(line, "LONGEST_PACING_SECONDS", 2.0)
    provider = desk.link("token")
    for _ in range(5):
        await provider.positions()
    with pytest.raises(BusyError) as caught:
        await provider.positions()
    assert caught.value.retry_after_seconds == pytest.approx(3.0)
    assert (await provider.balances()).items  # the other bucket is not empty


# -- the end, and secrets --


async def test_closing_lets_go_and_twice_is_nothing(desk: Desk) -> None:
    provider = desk.link("token_oauth")
    await provider.check()
    await provider.close()
    await provider.close()
    with pytest.raises(UnreachableError):
        await provider.balances()
    assert len((await desk.link("token_oauth").balances()).items) == 3  # no logout was sent: the token lives


async def test_closing_what_was_never_opened_opens_nothing(desk: Desk) -> None:
    logins = desk.count('"authorize"')
    provider = desk.link("token")
    await provider.close()
    with pytest.raises(UnreachableError):
        await provider.check()
    assert logins() == 0


async def test_closing_while_others_wait_tells_them(desk: Desk) -> None:
    provider = desk.link("token")
    await provider.check()
    asked = desk.count('"balance"')
    desk.misfortune("drop", '"portfolio"', times=0)
    waiting = asyncio.create_task(provider.positions())
    await asyncio.sleep(0)
    await provider.balances()
    assert asked() == 1
    await provider.close()
    with pytest.raises((SilentError, UnreachableError)):
        await waiting


async def test_no_secret_is_written_anywhere(desk: Desk, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    token = str(desk.sim.credentials["token"])
    provider = desk.link("token")
    desk.answer_instead('"authorize"', json.dumps({"req_id": 1, "x": token}))
    desk.misfortune("disconnect", '"balance"')
    with pytest.raises(ReplyError) as caught:
        await provider.check()
    await provider.check()
    written = [repr(provider), str(caught.value), repr(provider.line), repr(provider.line._line), caplog.text]
    assert not any(token in text for text in written)


async def test_it_speaks_tls_to_a_certificate_it_was_told_to_trust() -> None:
    async with a_desk(tls=True) as desk:
        assert (await desk.link("token", ca_file=desk.sim.credentials["ca_file"]).check()).summary == "1 account, USD"
        with pytest.raises(UnreachableError):
            await desk.link("token").check()
        with pytest.raises(UnreachableError):
            await desk.link("token", ca_file="/no/such/file.pem").check()
