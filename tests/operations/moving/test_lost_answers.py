"""F03, F05 and F15: what a money call meets on its way, and what may be said of it then.

The provider's own count of money calls is one, whatever happens to it; and nothing that may have left is called unsent.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from bot.approvals.model import Request, State
from tests.support.chatting import ANNA, OLGA, Chat
from tests.support.moving import BOOKING, DEAL, MoneyDesk, money_desk

TEN = 10
UNREADABLE = ["", "<html>", "\ufeff{}", '{"a":NaN}', '{"a":1,"a":2}', "[]", "null", '"ok"', '{"msg":"ack"}', "[" * 4000]


@pytest.fixture(params=["cryptocapital", "crm", "deriv", BOOKING, DEAL])
async def desk(request: pytest.FixtureRequest, tmp_path: Path, chat: Chat) -> AsyncIterator[MoneyDesk]:
    async with money_desk(tmp_path, chat, request.param) as opened:
        yield opened


@pytest.fixture
async def bank(tmp_path: Path, chat: Chat) -> AsyncIterator[MoneyDesk]:
    async with money_desk(tmp_path, chat, "cryptocapital") as opened:
        yield opened


@pytest.fixture
async def back_office(tmp_path: Path, chat: Chat) -> AsyncIterator[MoneyDesk]:
    async with money_desk(tmp_path, chat, "crm") as opened:
        yield opened


@pytest.fixture
async def office(tmp_path: Path, chat: Chat) -> AsyncIterator[MoneyDesk]:
    """Where clients' wallets are booked on."""
    async with money_desk(tmp_path, chat, BOOKING) as opened:
        yield opened


@asynccontextmanager
async def elsewhere(visits: list[bool]) -> AsyncIterator[str]:
    """An address that nobody is to follow; `visits` has one item for each who did."""

    async def visited(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        visits.append(True)
        writer.close()

    server = await asyncio.start_server(visited, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/approve"


async def stays_unknown(office: MoneyDesk, request: Request) -> None:
    """Looked at again and again, reserved, and never sent again."""
    await office.looked_for(request, 2, pace=0.5)
    assert await office.state(request) is State.UNKNOWN
    found = (await office.paid(), await office.money_calls(), await office.outcomes(), await office.reserved())
    assert found == (0, 1, ["unknown"], TEN)


async def test_f03_what_was_executed_and_never_answered_is_found_to_be_done(desk: MoneyDesk) -> None:
    await desk.suffers("reset")
    request = await desk.gets()
    await desk.becomes(request, State.SUCCEEDED)
    assert (await desk.paid(), await desk.money_calls(), await desk.outcomes()) == (1, 1, ["unknown"])
    assert await desk.reserved() == TEN
    (said,) = await desk.told(OLGA, f"Request {request.id}: outcome unknown")
    assert "No definite answer (the connection broke)." in said or "No definite answer (connection closed)." in said
    assert "It may have been executed." in said
    assert "do not send it again, by any way" in said


async def test_f03_what_the_bank_read_and_did_not_execute_stays_unknown_and_is_never_sent_again(
    bank: MoneyDesk,
) -> None:
    await bank.suffers("disconnect")
    request = await bank.gets()
    await bank.becomes(request, State.UNKNOWN)
    await bank.looked_for(request, 2)
    assert await bank.state(request) is State.UNKNOWN
    assert (await bank.paid(), await bank.money_calls(), await bank.outcomes()) == (0, 1, ["unknown"])
    assert await bank.reserved() == TEN


async def test_f03_what_the_crm_did_not_execute_is_known_not_to_be_done_within_a_minute(back_office: MoneyDesk) -> None:
    await back_office.suffers("refuse")
    request = await back_office.gets()
    await back_office.becomes(request, State.UNKNOWN)
    await back_office.looked_for(request, 1)
    assert await back_office.state(request) is State.UNKNOWN
    back_office.later(50)
    failed = await back_office.in_time_becomes(request, State.FAILED)
    assert failed.outcome == "it had no effect (it is still pending there); ask for it anew if it is still wanted"
    assert (await back_office.paid(), await back_office.money_calls()) == (0, 1)
    assert await back_office.reserved() == 0


async def test_f03_a_booking_that_was_read_and_not_executed_stays_unknown_and_is_never_sent_again(
    office: MoneyDesk,
) -> None:
    await office.suffers("refuse")
    request = await office.gets()
    unknown = await office.becomes(request, State.UNKNOWN)
    assert unknown.outcome == "no definite answer (the line broke)", "and no name of an exception"
    await stays_unknown(office, request)
    told = await office.rows("SELECT body FROM outbox WHERE body LIKE '%: outcome unknown%'")
    assert told
    assert all("do not send it again, by any way" in str(notice) for (notice,) in told)


async def test_f03_a_booking_met_by_an_error_of_the_server_stays_unknown(office: MoneyDesk) -> None:
    await office.suffers("status", status=503, body="")
    request = await office.gets()
    await office.becomes(request, State.UNKNOWN)
    await stays_unknown(office, request)


async def test_a_booking_that_is_refused_has_failed_and_holds_nothing_back(office: MoneyDesk) -> None:
    request = await office.approves(await office.books("12400.26", "withdrawal"))
    failed = await office.becomes(request, State.FAILED)
    assert failed.outcome == "the provider refused it: insufficient_funds"
    assert (await office.paid(), await office.money_calls(), await office.outcomes()) == (0, 1, ["failed"])
    assert await office.reserved() == 0


@pytest.mark.parametrize("body", UNREADABLE)
async def test_f05_an_answer_of_the_bank_that_is_none_proves_nothing(bank: MoneyDesk, body: str) -> None:
    await bank.suffers("replace", body=body)
    request = await bank.gets()
    unknown = await bank.becomes(request, State.UNKNOWN)
    assert unknown.outcome.startswith("no definite answer")
    await bank.looked_for(request, 1)
    assert (await bank.paid(), await bank.money_calls(), await bank.reserved()) == (0, 1, TEN)
    other = await bank.gets("20.00")
    await bank.becomes(other, State.SUCCEEDED)


@pytest.mark.parametrize("body", UNREADABLE[1:])
async def test_f05_an_answer_of_the_crm_that_is_none_is_settled_by_a_read(back_office: MoneyDesk, body: str) -> None:
    await back_office.suffers("replace", body=body, status=200)
    request = await back_office.gets()
    await back_office.becomes(request, State.SUCCEEDED)
    assert await back_office.outcomes() in (["unknown"], ["succeeded"])  # an object without a word is documented
    assert (await back_office.paid(), await back_office.money_calls()) == (1, 1)
    other = await back_office.gets("20.00")
    await back_office.becomes(other, State.SUCCEEDED)


@pytest.mark.parametrize("body", UNREADABLE[1:])
async def test_f05_an_answer_to_a_booking_that_is_none_is_settled_by_a_read(office: MoneyDesk, body: str) -> None:
    await office.suffers("replace", body=body, status=200)
    request = await office.gets()
    await office.becomes(request, State.SUCCEEDED)
    assert await office.outcomes() in (["unknown"], ["succeeded"])  # an object without a word is documented
    assert (await office.paid(), await office.money_calls(), await office.reserved()) == (1, 1, TEN)
    other = await office.gets("20.00")
    await office.becomes(other, State.SUCCEEDED)


@pytest.mark.parametrize("body", ["<html>", "[]", "null", '"ok"', '{"a":NaN}'])
async def test_f05_an_answer_that_is_none_to_a_booking_that_was_none_proves_nothing(
    office: MoneyDesk, body: str
) -> None:
    await office.suffers("status", status=200, body=body)
    request = await office.gets()
    await office.becomes(request, State.UNKNOWN)
    await stays_unknown(office, request)


@pytest.mark.parametrize("status", [301, 302, 307, 308])
async def test_f15_a_redirect_of_a_booking_is_not_followed_and_proves_nothing(office: MoneyDesk, status: int) -> None:
    visits: list[bool] = []
    async with elsewhere(visits) as address:
        await office.suffers("status", status=status, headers={"location": address}, body="")
        request = await office.gets()
        unknown = await office.becomes(request, State.UNKNOWN)
        assert unknown.outcome == f"no definite answer (redirect ({status}) not followed)"
        await stays_unknown(office, request)
        assert visits == []


@pytest.mark.parametrize("status", [301, 302, 307, 308])
async def test_f15_a_redirect_is_not_followed_and_proves_nothing(back_office: MoneyDesk, status: int) -> None:
    visits: list[bool] = []
    async with elsewhere(visits) as address:
        await back_office.suffers("status", status=status, headers={"location": address}, body="")
        request = await back_office.gets()
        unknown = await back_office.becomes(request, State.UNKNOWN)
        assert unknown.outcome == f"no definite answer (redirect ({status}) not followed)"
        back_office.later(50)
        await back_office.in_time_becomes(request, State.FAILED)
        assert (visits, await back_office.paid(), await back_office.money_calls()) == ([], 0, 1)


@pytest.mark.parametrize("wish", ["30", "Sat, 21 Nov 2099 00:00:00 GMT", None, "-5", "1000000000", "soon"])
async def test_f13_a_desk_that_is_asked_too_much_has_not_said_what_it_did(
    back_office: MoneyDesk, wish: str | None
) -> None:
    headers = {} if wish is None else {"retry-after": wish}
    await back_office.suffers("status", status=429, headers=headers, body="")
    request = await back_office.gets()
    await back_office.becomes(request, State.UNKNOWN)
    await back_office.looked_for(request, 1)  # reads go on
    back_office.later(50)
    await back_office.in_time_becomes(request, State.FAILED)
    assert (await back_office.paid(), await back_office.money_calls(), await back_office.reserved()) == (0, 1, 0)


@pytest.mark.parametrize("decision", ["approve", "reject"])
async def test_f17_what_was_decided_there_is_never_told_as_our_success(back_office: MoneyDesk, decision: str) -> None:
    request = await back_office.wants()
    told = {"decision": decision, "when": "before_decision", "id": request.parameters["target"], "comment": "not ours"}
    await back_office.control("race", **told)
    await back_office.approves(request)
    failed = await back_office.becomes(request, State.FAILED)
    became = {"approve": "approved", "reject": "rejected"}[decision]
    assert failed.outcome == f"not by us: it was {became} there by back-office"
    for person in (OLGA, ANNA):
        (said,) = await back_office.told(person, f"Request {request.id}: failed")
        assert f"Not by us: it was {became} there by back-office." in said
    assert await back_office.money_calls() == 1
    assert await back_office.reserved() == 0
