"""The same payment by another login, a limit that those who come later use up, a row that somebody has spoilt."""

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest

from bot.approvals.model import Kind, State
from bot.errors import AlikeError
from bot.operations.moving.bookings import BookingMatter
from bot.operations.moving.deals import DealMatter
from bot.operations.moving.matters import stake_of
from tests.support.chatting import Chat, telegram
from tests.support.treasury import ONE_APPROVER, treasury

A_DAY = ONE_APPROVER + ('[[limits]]\nname = "a day"\namount = "100"\ncurrency = "USD"\nper = "desk"\nwindow = "24h"\n')


@pytest.fixture
async def chat() -> AsyncIterator[Chat]:
    async with telegram() as opened:
        yield opened


async def test_a_second_login_of_the_same_account_does_not_send_it_again(tmp_path: Path, chat: Chat) -> None:
    async with treasury(tmp_path, chat) as desk:
        first = await desk.asked("10.00")
        desk.connection = await desk.desk.link("cryptocapital", label="second")
        with pytest.raises(AlikeError) as refused:
            await desk.asked("10.00")
        assert refused.value.request_id == first.id


async def test_who_asks_later_does_not_use_up_what_was_there_for_who_asked_before(tmp_path: Path, chat: Chat) -> None:
    """40, then 60 after 23 hours, then 39 when the 40 have left the window: each was within its limit."""
    async with treasury(tmp_path, chat, A_DAY) as desk:
        first = await desk.asked("40.00")
        await desk.approves(first)
        await desk.comes_to(first, State.SUCCEEDED)
        desk.desk.clock.ahead_by(timedelta(hours=23, minutes=50).total_seconds())
        second = await desk.asked("60.00")
        desk.desk.clock.ahead_by(timedelta(minutes=15).total_seconds())
        await desk.asked("39.00")
        await desk.approves(second)
        assert (await desk.comes_to(second, State.SUCCEEDED, State.FAILED)).state is State.SUCCEEDED


def test_a_deposit_and_a_withdrawal_of_one_amount_are_two_things() -> None:
    booking = {
        "connection_id": "1",
        "connection": "crm/main",
        "provider": "crm",
        "environment": "live",
        "account": "u7h2k9d0",
        "operation": "wallet",
        "amount": "10.00",
        "currency": "USD",
        "client": "Somebody",
    }
    ways = {stake_of(BookingMatter(), {**booking, "direction": way}).same for way in ("deposit", "withdrawal")}
    assert len(ways) == 2


def deal(kind: Kind, **said: str) -> str:
    """What keeps another such deal from being asked for."""
    everything = {
        "connection_id": "1",
        "connection": "capital/main",
        "provider": "capital",
        "environment": "live",
        "account": "310441870023915201",
        "target": "GOLD",
        "direction": "buy",
        "amount": "8000.00",
        "currency": "USD",
        **said,
    }
    return stake_of(DealMatter(kind), everything).same


def test_a_deal_is_the_very_same_although_the_price_has_moved_since() -> None:
    """M06: whoever buys again while it is unknown whether they have bought is stopped, whatever gold costs by then."""
    bought = deal(Kind.ORDER, type="market", size="2", amount="8000.00")
    assert deal(Kind.ORDER, type="market", size="2.0", amount="8000.02") == bought
    closed = deal(Kind.CLOSE, target="7", size="2", amount="8000.00")
    assert deal(Kind.CLOSE, target="7", size="2", amount="8000.02", least="8000.02") == closed


def test_deals_that_differ_in_more_than_their_worth_are_two() -> None:
    position, order = {"what": "position", "target": "7"}, {"what": "order", "target": "7"}
    contract = {"type": "contract", "basis": "stake", "duration": "5m"}
    different = {
        deal(Kind.ORDER, type="market", size="2"),
        deal(Kind.ORDER, type="market", size="3"),
        deal(Kind.ORDER, type="market", size="2", direction="sell"),
        deal(Kind.ORDER, type="limit", size="2", level="3900"),
        deal(Kind.ORDER, type="limit", size="2", level="3800"),
        deal(Kind.ORDER, contract_type="CALL", **contract),
        deal(Kind.ORDER, contract_type="PUT", **contract),
        deal(Kind.ORDER, contract_type="PUT", **{**contract, "amount": "9.00"}),
        deal(Kind.CHANGE, stop="3900", **position),
        deal(Kind.CHANGE, stop="3950", **position),
        deal(Kind.CHANGE, level="3900", **order),
        deal(Kind.CHANGE, what="withdrawn order", target="7"),
        deal(Kind.CLOSE, target="7"),
        deal(Kind.CLOSE, target="8"),
    }
    assert len(different) == 14


async def test_a_row_that_was_spoilt_keeps_nobody_from_freezing_nor_others_from_being_sent(
    tmp_path: Path, chat: Chat
) -> None:
    async with treasury(tmp_path, chat) as desk:
        spoilt, emptied, good = [await desk.asked(amount) for amount in ("10.00", "11.00", "12.00")]
        await desk.write("DROP TRIGGER requests_keep_what_was_asked")
        await desk.write("UPDATE requests SET parameters = '{' WHERE id = ?", spoilt.id)
        await desk.write("UPDATE requests SET parameters = '{}', state = 'unknown' WHERE id = ?", emptied.id)
        await desk.approves(good)
        await desk.comes_to(good, State.SUCCEEDED)
        assert await desk.rooms.approvals.expire() == 0
        olga = desk.person(1002)
        frozen = await desk.rooms.freezing.freeze(olga, "desk", "something is wrong", telegram_id=1002)
        assert frozen.is_new
