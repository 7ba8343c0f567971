"""F07 and M25: a bank that has taken a transfer and says nothing more, by the hour, on a clock that is put forward."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bot.approvals.model import State
from bot.errors import AlikeError
from tests.support.chatting import ANNA, OLGA, Chat
from tests.support.moving import MoneyDesk, money_desk

TEN = 10
STILL, ABSENT = "still no answer", "it looks as if nothing was executed"


@pytest.fixture
async def bank(tmp_path: Path, chat: Chat) -> AsyncIterator[MoneyDesk]:
    async with money_desk(tmp_path, chat, "cryptocapital") as opened:
        yield opened


async def test_f07_an_ack_and_nothing_for_a_day_is_unknown_reserved_and_never_sent_again(bank: MoneyDesk) -> None:
    await bank.control("misbehave", mode="silent", kind="transfer", times=0)  # in statements, too
    request = await bank.gets()
    await bank.becomes(request, State.ACKED)
    bank.later(61)
    unknown = await bank.becomes(request, State.UNKNOWN)
    assert unknown.outcome == "the provider took it, and has not said that it is done"
    for quarter in range(1, 9):
        bank.later(900)
        said = await bank.reminded(OLGA, quarter)
        assert len(said) <= (bank.desk.clock.ahead.total_seconds() + 60) // 900
        assert "do not send it again, by any way." in said[-1]
    with pytest.raises(AlikeError):
        await bank.asked()
    bank.later(22 * 3600)
    await bank.reminded(OLGA, 9)
    assert await bank.state(request) is State.UNKNOWN
    assert (await bank.paid(), await bank.money_calls(), await bank.outcomes()) == (1, 1, ["acknowledged"])
    assert await bank.reserved() == TEN
    await bank.asked()  # after a day another one like it may be asked for


async def test_m25_what_was_not_executed_is_only_proposed_as_such_and_by_four_signs(bank: MoneyDesk) -> None:
    await bank.suffers("disconnect")
    request = await bank.gets()
    await bank.becomes(request, State.UNKNOWN)
    await bank.looked_for(request, 1)
    bank.later(900)
    (first,) = await bank.reminded(ANNA, 1)
    assert STILL in first
    bank.later(900)
    _, second = await bank.reminded(ANNA, 2)
    assert ABSENT in second
    assert await bank.state(request) is State.UNKNOWN
    assert (await bank.paid(), await bank.money_calls(), await bank.reserved()) == (0, 1, TEN)


async def test_m25_a_balance_that_moved_is_no_sign_that_nothing_happened(bank: MoneyDesk) -> None:
    await bank.suffers("disconnect")
    request = await bank.gets()
    await bank.becomes(request, State.UNKNOWN)
    await bank.looked_for(request, 1)
    await bank.control("deposit", account="9120004471", amount="1.00")
    bank.later(1900)
    (said,) = await bank.reminded(ANNA, 1)
    assert STILL in said
