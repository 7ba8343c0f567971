"""The cards of what goes at once are drawn after its first byte, and yet say how it stands, after a crash too."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from bot.approvals.model import Request, State
from bot.operations.freezing import DESK
from bot.operations.moving import showing
from bot.operations.moving.sending import Sending
from bot.providers.acts import Prepared, Receipt
from bot.providers.cryptocapital.seam import Seam
from tests.support.chatting import OLGA, Chat, at_work, configured, providers, until
from tests.support.treasury import ONE_APPROVER, Treasury, money_at_work, treasury

HOUR = 3600.0
UNKNOWN = "It may have been executed. The provider is asked until that is known: do not send it again, by any way."


async def says(desk: Treasury, request: Request) -> list[str]:
    """The last line of each drawing of its two cards, the signer's and the asker's, but for the first of each."""
    rows = await desk.rows(
        "SELECT body FROM outbox WHERE dedupe LIKE ? AND body ->> 'replaces' IS NOT NULL ORDER BY id",
        f"request/{request.id}/card/%",
    )
    return [json.loads(body)["lines"][-1] for (body,) in rows]


async def comes_to_say(desk: Treasury, request: Request, line: str) -> None:
    async with asyncio.timeout(20):
        while (await says(desk, request))[-2:] != [line, line]:
            await asyncio.sleep(0.01)  # what is waited for is a row


def when_sent(monkeypatch: pytest.MonkeyPatch, first: Callable[[], Awaitable[object]]) -> None:
    """Something is waited for before a byte leaves."""
    send = Seam.send

    async def sending(seam: Seam, prepared: Prepared) -> Receipt:
        await first()
        return await send(seam, prepared)

    monkeypatch.setattr(Seam, "send", sending)


async def test_no_card_is_drawn_before_the_first_byte(
    tmp_path: Path, chat: Chat, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(showing, "AFTER_SECONDS", HOUR)
    drawn: list[list[str]] = []
    async with treasury(tmp_path, chat) as desk:
        request = await desk.asked()

        async def look() -> None:
            drawn.append(await says(desk, request))

        when_sent(monkeypatch, look)
        await desk.approves(request)
        await desk.comes_to(request, State.SUCCEEDED)
        assert drawn == [[]]
        assert not {"Approved.", "Being sent."} & set(await says(desk, request))
        assert len(await says(desk, request)) >= 2


async def test_where_it_takes_its_time_the_cards_say_how_far_it_is(
    tmp_path: Path, chat: Chat, monkeypatch: pytest.MonkeyPatch
) -> None:
    answered = asyncio.Event()
    when_sent(monkeypatch, answered.wait)
    async with treasury(tmp_path, chat) as desk:
        request = await desk.asked()
        attempts = desk.rooms.money.sending.attempts
        begin = attempts._begin

        async def late(*about: object) -> int:
            await comes_to_say(desk, request, "Approved.")
            return int(await begin(*about))

        attempts._begin = late
        await desk.approves(request)
        await comes_to_say(desk, request, "Being sent.")
        answered.set()
        await desk.comes_to(request, State.SUCCEEDED)
        assert (await says(desk, request))[-1] != "Being sent."


async def test_what_was_frozen_just_before_it_could_go_is_shown_as_approved(tmp_path: Path, chat: Chat) -> None:
    """Between the vote and the transaction that lets it go."""
    async with treasury(tmp_path, chat) as desk:
        request = await desk.asked()
        attempts = desk.rooms.money.sending.attempts
        begin = attempts._begin

        async def freezing(*about: object) -> int:
            await desk.rooms.freezing.freeze(desk.person(OLGA), DESK, "strange", telegram_id=OLGA)
            return int(await begin(*about))

        attempts._begin = freezing
        await desk.approves(request)
        await comes_to_say(desk, request, "Approved.")
        assert await desk.state(request) is State.APPROVED


@pytest.mark.parametrize(("is_sent", "line"), [(False, "Approved."), (True, UNKNOWN)])
async def test_a_crash_before_the_cards_are_drawn_leaves_them_right_after_the_next_start(
    tmp_path: Path, chat: Chat, monkeypatch: pytest.MonkeyPatch, *, is_sent: bool, line: str
) -> None:
    """Killed between the vote and the sending, of which a freeze keeps it from then on; or between its first byte and
    the answer."""
    begun = asyncio.Event()

    async def die() -> None:
        begun.set()
        await asyncio.Event().wait()

    monkeypatch.setattr(showing, "AFTER_SECONDS", HOUR)
    async with providers("cryptocapital") as sides:
        config = configured(tmp_path, chat, sides)
        async with at_work(config, chat, sides) as first:
            desk = Treasury(first, await first.link("cryptocapital"))
            await desk.policy(ONE_APPROVER)
            await desk.enter_in_book()
            request = await desk.asked()
            with monkeypatch.context() as dying:
                if is_sent:
                    when_sent(dying, die)
                else:
                    dying.setattr(Sending, "_begin_dealing_with", lambda *about: begun.set())
                    dying.setattr(showing.Showing, "draw_all", lambda *about, **more: asyncio.sleep(0))
                async with money_at_work(first):
                    await until(lambda: desk.rooms.money.sending._runs)
                    await desk.approves(request)
                    await begun.wait()
                    for task in desk.rooms.money.sending._under_way.values():
                        task.cancel()
            assert await says(desk, request) == []
            assert await desk.state(request) is (State.SENDING if is_sent else State.APPROVED)

        async with at_work(config, chat, sides) as second:
            desk = Treasury(second, desk.connection)
            await desk.rooms.freezing.freeze(desk.person(OLGA), DESK, "strange", telegram_id=OLGA)
            async with money_at_work(second):
                await comes_to_say(desk, request, line)
