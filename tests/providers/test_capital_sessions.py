"""A Capital.com session as others live on it: its tokens, its account, and the limits that clients share."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from bot.errors import RefusedError, SilentError
from bot.providers.capital.client.limits import Limits, limits_of
from bot.providers.capital.settings import Settings
from bot.providers.records import Environment
from bot.secret import Secret
from tests.providers.test_capital_client import ACCOUNTS, LOGIN, Desk, desk_at

USD_ACCOUNT, EUR_ACCOUNT = "310441870023915201", "310441870023915202"


@pytest.fixture
async def desk() -> AsyncIterator[Desk]:
    async with desk_at() as one:
        yield one


async def test_a_ticket_names_account_tokens_and_where_streams_are(desk: Desk) -> None:
    sessions = desk.link().sessions
    ticket = await sessions.ticket()
    assert ticket.account == USD_ACCOUNT
    assert set(ticket.tokens.headers()) == {"CST", "X-SECURITY-TOKEN"}
    assert (ticket.streaming_host or "").startswith("ws")
    assert await sessions.ticket() == ticket
    assert (await desk.sessions())["logins"] == 1


async def test_another_account_is_heard_of_by_whoever_lives_on_the_tokens(desk: Desk) -> None:
    provider = desk.link()
    ticket = await provider.sessions.ticket()
    hearing = asyncio.create_task(provider.sessions.other_than(ticket))
    await provider.ping()
    assert not hearing.done()
    await provider.sessions.switch(EUR_ACCOUNT)
    await hearing
    fresh = await provider.sessions.ticket()
    assert (fresh.account, fresh.tokens == ticket.tokens) == (EUR_ACCOUNT, False)
    assert {one.account for one in (await provider.positions()).items} <= {EUR_ACCOUNT}


async def test_a_ticket_that_was_refused_is_replaced_by_a_login_and_then_heard_of(desk: Desk) -> None:
    sessions = desk.link().sessions
    ticket = await sessions.ticket()
    fresh, again = await asyncio.gather(sessions.ticket(instead_of=ticket), sessions.ticket(instead_of=ticket))
    assert fresh == again
    await sessions.other_than(ticket)
    assert (await desk.sessions())["logins"] == 2


async def test_what_is_read_stays_on_the_account_that_was_chosen_over_logins(desk: Desk) -> None:
    provider = desk.link()
    await provider.sessions.switch(EUR_ACCOUNT)
    await desk.tell("/expire", {})
    (note,) = (await provider.positions()).notes
    assert EUR_ACCOUNT in note


async def test_the_account_that_is_active_already_is_no_refusal(desk: Desk) -> None:
    provider = desk.link()
    ticket = await provider.sessions.ticket()
    await desk.misfortune("status", LOGIN, "PUT", status=400, body={"errorCode": "error.not-different.accountId"})
    await provider.sessions.switch(EUR_ACCOUNT)
    assert (await provider.sessions.ticket()).account == EUR_ACCOUNT
    assert ticket.account == USD_ACCOUNT


async def test_an_account_of_somebody_else_is_refused_and_changes_nothing(desk: Desk) -> None:
    provider = desk.link()
    with pytest.raises(RefusedError, match=r"error\.invalid\.accountId"):
        await provider.sessions.switch("310441870023915299")
    assert (await provider.sessions.ticket()).account == USD_ACCOUNT
    assert (await desk.sessions())["logins"] == 1


async def test_after_a_switch_that_nobody_answered_the_session_is_given_up(desk: Desk) -> None:
    provider = desk.link()
    await provider.check()
    await desk.misfortune("reset", LOGIN, "PUT")
    with pytest.raises(SilentError):
        await provider.sessions.switch(EUR_ACCOUNT)
    await provider.check()
    assert (await desk.sessions())["logins"] == 2


async def test_two_connections_with_the_same_login_share_its_ten_requests_a_second(desk: Desk) -> None:
    await desk.tell("/rates", {"enabled": True})
    one, other = desk.link(), desk.link()
    for _ in range(15):
        await one.balances()
        await other.balances()
    assert (await desk.sessions())["logins"] == 2


async def test_two_connections_with_the_same_login_log_in_a_second_apart(desk: Desk) -> None:
    await desk.tell("/rates", {"enabled": True})
    logins = await desk.count(LOGIN, "POST")
    await asyncio.gather(desk.link().check(), desk.link().check())
    assert await logins() == 2
    assert desk.clock.seconds >= 1.0


def test_limits_are_the_users_and_not_those_of_each_key() -> None:
    def limits(key: str, identifier: str, origin: str = "https://here") -> Limits:
        login = {"api_key": Secret(key), "identifier": Secret(identifier)}
        return limits_of(origin, login, Settings(), Environment.DEMO)

    one = limits("key-one", "desk@quay.example")
    assert limits("key-two", "Desk@Quay.example") is one
    assert limits("key-one", "other@quay.example") is not one
    assert limits("key-one", "desk@quay.example", "https://there") is not one


async def test_tokens_that_changed_meanwhile_cost_no_login(desk: Desk) -> None:
    """A late request, sent with tokens that another reply has replaced, is sent again with the new ones."""
    await desk.tell("/options", {"rotate_tokens": True})
    provider = desk.link()
    old = await provider.sessions.ticket()
    await provider.ping()
    assert await provider.sessions.ticket(instead_of=old) != old
    reads = await desk.count(ACCOUNTS, "GET")
    await provider.check()
    assert await reads() == 1
    assert (await desk.sessions())["logins"] == 1


async def test_after_a_switch_its_own_tokens_count_whatever_came_meanwhile(desk: Desk) -> None:
    provider = desk.link()
    ticket = await provider.sessions.ticket()
    await desk.misfortune("delay", LOGIN, "PUT", seconds=0.2)
    switching = asyncio.create_task(provider.sessions.switch(EUR_ACCOUNT))
    await desk.struck()
    assert ticket.session.adopt(ticket.tokens, {"X-SECURITY-TOKEN": "of-the-account-before"})
    await switching
    assert (await provider.account.session()).account_id == EUR_ACCOUNT
    assert (await desk.sessions())["logins"] == 1


async def test_an_account_that_a_later_login_does_not_have_is_read_no_more(desk: Desk) -> None:
    provider = desk.link()
    await provider.sessions.switch(EUR_ACCOUNT)
    provider.sessions.home = "310441870023915299"
    await desk.tell("/expire", {})
    await provider.check()
    assert {one.account for one in (await provider.positions()).items} == {USD_ACCOUNT}
