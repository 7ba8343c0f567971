"""F02: what never left is told as not sent, holds nothing back, and is no second sending."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bot.approvals.model import Request, State
from bot.network.rest import Rest
from bot.operations.freezing import DESK
from bot.operations.moving.attempts import Attempts
from bot.providers.acts import Act, Prepared, Receipt
from bot.providers.crm.client.seam import Seam as CrmSeam
from bot.providers.cryptocapital.seam import Seam
from tests.support.chatting import NOBODY_LISTENS, OLGA, Chat, until
from tests.support.moving import BOOKING, DEAL, MoneyDesk, money_desk
from tests.support.treasury import OPERATING

TEN = 10


@pytest.fixture(params=["cryptocapital", "crm", "deriv", DEAL])
async def desk(request: pytest.FixtureRequest, tmp_path: Path, chat: Chat) -> AsyncIterator[MoneyDesk]:
    async with money_desk(tmp_path, chat, request.param) as opened:
        yield opened


async def test_f02_a_provider_that_is_not_there_is_waited_for_and_paid_through_once(desk: MoneyDesk) -> None:
    request = await desk.wants()
    await desk.control("down", down=True)
    await desk.approves(request)
    sending = desk.rooms.money.sending
    await until(lambda: sending._tries.get(request.id, (0,))[0] >= 2)
    assert await desk.state(request) is State.APPROVED
    assert await desk.outcomes() == []
    await desk.control("down", down=False)
    desk.later(60)
    await desk.becomes(request, State.SUCCEEDED)
    assert (await desk.paid(), await desk.money_calls()) == (1, 1)


async def test_f02_a_provider_that_does_not_come_back_in_time_has_been_sent_nothing(desk: MoneyDesk) -> None:
    request = await desk.wants()
    await desk.control("down", down=True)
    await desk.approves(request)
    assert await desk.reserved() == TEN
    desk.later(86_400)
    await desk.rooms.approvals.expire()
    expired = await desk.becomes(request, State.EXPIRED)
    assert expired.outcome == "it could not be sent in time"
    (said,) = await desk.told(OLGA, f"Request {request.id}: expired")
    assert "It could not be sent in time." in said
    await desk.control("down", down=False)
    assert (await desk.paid(), await desk.money_calls(), await desk.reserved()) == (0, 0, 0)


async def test_f02_a_line_that_breaks_before_the_first_byte_is_tried_once_more_and_then_it_has_failed(
    tmp_path: Path, chat: Chat, monkeypatch: pytest.MonkeyPatch
) -> None:
    prepare = Seam.prepare
    numbers = []

    async def and_the_line_breaks(self: Seam, act: Act) -> Prepared:
        prepared = await prepare(self, act)
        numbers.append(prepared.nonce)
        key = await self._login.key_line()
        await bank.control("hangup", to=OPERATING)
        await until(lambda: not key.line.connected)
        return prepared

    monkeypatch.setattr(Seam, "prepare", and_the_line_breaks)
    async with money_desk(tmp_path, chat, "cryptocapital") as bank:
        request = await bank.gets()
        failed = await bank.becomes(request, State.FAILED)
        assert failed.outcome == "it was not sent, twice (not connected); ask for it anew"
        assert await bank.outcomes() == ["not sent", "not sent"]
        assert (await bank.paid(), await bank.money_calls(), await bank.reserved()) == (0, 0, 0)
        assert len(set(numbers)) == 2


async def test_f02_a_decision_before_which_nothing_could_be_read_is_tried_once_more_and_then_it_has_failed(
    tmp_path: Path, chat: Chat
) -> None:
    async with money_desk(tmp_path, chat, "crm") as office:
        request = await office.wants()
        reading = {"method": "GET", "path": f"/requests/withdrawal/{request.parameters['target']}"}
        broken = {"action": "status", "status": 503, "body": "", "match": reading, "times": 2}
        await office.faults({**broken, "nth": 2}, {**broken, "nth": 3})  # the first of each attempt is answered
        await office.approves(request)
        failed = await office.becomes(request, State.FAILED)
        assert failed.outcome == "it was not sent, twice (not read before the decision); ask for it anew"
        assert await office.outcomes() == ["not sent", "not sent"]
        assert (await office.paid(), await office.money_calls(), await office.reserved()) == (0, 0, 0)


@pytest.fixture
def nobody_listens(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """As many attempts as this says meet a port where nobody listens; the first of them counts it down."""
    send, left = CrmSeam.send, [0]

    async def to_nobody(self: CrmSeam, prepared: Prepared) -> Receipt:
        if not left[0]:
            return await send(self, prepared)
        left[0] -= 1
        theirs, self._line._rest = self._line._rest, Rest("crm", f"http://{NOBODY_LISTENS}")
        try:
            return await send(self, prepared)
        finally:
            await self._line._rest.close()
            self._line._rest = theirs

    monkeypatch.setattr(CrmSeam, "send", to_nobody)
    return left


async def test_f02_a_booking_of_which_no_byte_was_written_is_tried_once_more_and_then_it_is_done(
    tmp_path: Path, chat: Chat, nobody_listens: list[int]
) -> None:
    async with money_desk(tmp_path, chat, BOOKING) as office:
        nobody_listens[0] = 1
        request = await office.gets()
        await office.becomes(request, State.SUCCEEDED)
        assert await office.outcomes() == ["not sent", "succeeded"]
        assert (await office.paid(), await office.money_calls(), await office.reserved()) == (1, 1, TEN)


async def test_f02_a_booking_of_which_no_byte_was_written_twice_has_failed(
    tmp_path: Path, chat: Chat, nobody_listens: list[int]
) -> None:
    async with money_desk(tmp_path, chat, BOOKING) as office:
        nobody_listens[0] = 2
        request = await office.gets()
        failed = await office.becomes(request, State.FAILED)
        assert failed.outcome == "it was not sent, twice (no connection); ask for it anew"
        assert await office.outcomes() == ["not sent", "not sent"]
        assert (await office.paid(), await office.money_calls(), await office.reserved()) == (0, 0, 0)


async def test_f02_a_booking_that_met_a_desk_which_hangs_up_may_have_left_and_is_not_called_unsent(
    tmp_path: Path, chat: Chat
) -> None:
    async with money_desk(tmp_path, chat, BOOKING) as office:
        request = await office.wants()
        await office.control("down", down=True)
        await office.approves(request)
        await office.becomes(request, State.UNKNOWN)
        await office.control("down", down=False)
        office.later(60)
        await office.looked_for(request, 1)
        assert await office.state(request) is State.UNKNOWN
        assert await office.outcomes() == ["unknown"]
        assert (await office.paid(), await office.money_calls(), await office.reserved()) == (0, 0, TEN)


@pytest.mark.parametrize("call", ["cryptocapital", "crm", "deriv", BOOKING, DEAL])
async def test_a_freeze_between_the_decision_to_send_and_the_first_byte_stops_it_and_it_leaves_once_after_the_thaw(
    tmp_path: Path, chat: Chat, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    """N9: a login or a read lies between them, and may take longer than a freeze may."""
    begin = Attempts._begin

    async def and_somebody_freezes(self: Attempts, request: Request, prepared: Prepared) -> int:
        attempt = await begin(self, request, prepared)
        await desk.rooms.freezing.freeze(desk.person(OLGA), DESK, "odd transfers", telegram_id=OLGA)
        return attempt

    async with money_desk(tmp_path, chat, call) as desk:
        request = await desk.wants()
        monkeypatch.setattr(Attempts, "_begin", and_somebody_freezes)
        await desk.approves(request)
        await until(lambda: desk.rooms.money.sending._tries.get(request.id))  # it is frozen: it waits for its turn
        monkeypatch.setattr(Attempts, "_begin", begin)
        assert await desk.state(request) is State.APPROVED
        assert (await desk.money_calls(), await desk.outcomes()) == (0, ["not sent"])
        await desk.write("DELETE FROM freezes")
        desk.rooms.money.sending.again()
        await desk.becomes(request, State.SUCCEEDED)
        assert (await desk.paid(), await desk.money_calls()) == (1, 1)
        assert (await desk.outcomes())[0] == "not sent"
