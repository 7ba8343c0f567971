"""M11 and M71: what waits after the last signature can still be stopped, by one, until it is being sent."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bot.approvals.model import Decision, Request, State
from bot.errors import ConflictError, NotAllowedError
from tests.support.chatting import (
    ADAM,
    ANNA,
    OLGA,
    VERA,
    Chat,
    Message,
    at_work,
    buttons,
    configured,
    providers,
    texts,
    until,
)
from tests.support.treasury import ONE_APPROVER, OPERATING, Treasury, money_at_work, treasury

HELD = ONE_APPROVER + 'hold = "1h"\n'
HOUR = 3600
NEVER = """
[[rules]]
name = "never"
tier = "refuse"
"""
OVER = (State.SUCCEEDED, State.FAILED, State.UNKNOWN, State.DENIED, State.CANCELLED)


@pytest.fixture
async def desk(tmp_path: Path, chat: Chat) -> AsyncIterator[Treasury]:
    async with treasury(tmp_path, chat, HELD) as opened:
        yield opened


async def held(desk: Treasury) -> Request:
    """Asked for by Olga and approved by Anna; it waits."""
    request = await desk.asked("10.00")
    waiting = await desk.approves(request)
    assert waiting.state is State.HELD
    return waiting


def later(desk: Treasury, seconds: float = HOUR) -> None:
    desk.desk.clock.ahead_by(seconds)
    desk.rooms.money.sending.wake()


async def looked(desk: Treasury) -> None:
    """What is due has had its turn."""
    await desk.rooms.money.sending._look()
    await until(lambda: not desk.rooms.money.sending._under_way)


async def stays_unsent(desk: Treasury, request: Request, state: State) -> None:
    """However long one waits."""
    later(desk)
    await looked(desk)
    assert (await desk.state(request), await desk.executed()) == (state, [])
    assert await desk.rows("SELECT attempt FROM sendings") == []


async def deeds(desk: Treasury, request: Request) -> list[tuple[str, int | None]]:
    rows = await desk.rows("SELECT action, person_id FROM audit WHERE object = ? ORDER BY seq", f"request/{request.id}")
    return [(action, person) for action, person in rows]


async def prompt(desk: Treasury, person: int, button: str) -> Message:
    """The prompt of a request, once it has such a button."""

    def found() -> list[Message]:
        return [
            one
            for one in desk.desk.chat.from_bot(person)
            if one.get("text", "").startswith("Olga asks for your signature") and button in buttons(one)
        ]

    await until(lambda: bool(found()))
    return found()[-1]


async def test_it_is_sent_once_after_the_hold_and_not_before(desk: Treasury) -> None:
    request = await held(desk)
    await looked(desk)
    assert (await desk.state(request), await desk.executed()) == (State.HELD, [])
    later(desk, HOUR - 60)
    await looked(desk)
    assert (await desk.state(request), await desk.executed()) == (State.HELD, [])
    later(desk, 61)
    await desk.comes_to(request, State.SUCCEEDED)
    later(desk)
    await looked(desk)
    assert len(await desk.executed()) == 1
    assert await desk.rows("SELECT attempt FROM sendings") == [(1,)]


async def test_its_asker_calls_it_off(desk: Treasury) -> None:
    request = await held(desk)
    ended = await desk.rooms.approvals.withdraw(desk.person(OLGA), request.id, telegram_id=OLGA)
    assert (ended.state, ended.outcome) == (State.CANCELLED, "by Olga")
    await stays_unsent(desk, request, State.CANCELLED)


async def test_a_signer_calls_it_off_on_the_prompt(desk: Treasury) -> None:
    """Shortly before its end: the button lives as long as the hold."""
    request = await held(desk)
    shown = await prompt(desk, ANNA, "Call it off")
    assert list(buttons(shown)) == ["Call it off", "Freeze …"]
    later(desk, HOUR - 60)
    await desk.desk.taps(ANNA, shown, "Call it off")
    assert await desk.state(request) is State.CANCELLED
    assert ("request.withdrawn", desk.person(ANNA).id) in await deeds(desk, request)
    await until(lambda: "Called off by Anna." in desk.desk.now(shown)["text"])
    assert buttons(desk.desk.now(shown)) == {}
    told = f"Request {request.id}: called off"
    await until(lambda: any(text.startswith(told) for text in texts(desk.desk.chat.from_bot(OLGA))))
    await stays_unsent(desk, request, State.CANCELLED)


async def test_a_signer_calls_it_off_where_it_is_shown_whole(desk: Treasury) -> None:
    request = await held(desk)
    said = await desk.desk.says(ANNA, f"/request {request.id}")
    (view,) = [one for one in said if one["text"].startswith(f"Request {request.id}\nTransfer") and buttons(one)]
    assert list(buttons(view)) == ["Call it off", "Refresh"]
    await desk.desk.taps(ANNA, view, "Call it off")
    assert "Called off by Anna." in desk.desk.now(view)["text"]
    await stays_unsent(desk, request, State.CANCELLED)


@pytest.mark.parametrize("who", [VERA, ADAM])
async def test_who_could_not_sign_it_calls_nothing_off(desk: Treasury, who: int) -> None:
    request = await held(desk)
    with pytest.raises(NotAllowedError):
        await desk.rooms.approvals.withdraw(desk.person(who), request.id, telegram_id=who)
    with pytest.raises(NotAllowedError):
        await desk.says(who, Decision.DENY, request)
    assert await desk.state(request) is State.HELD


async def test_who_approved_it_denies_it_by_its_id_and_their_vote_stays(desk: Treasury) -> None:
    request = await held(desk)
    await desk.desk.says(ANNA, f"/reject {request.id} the account is not theirs")
    ended = await desk.rooms.approvals.find(request.id)
    assert (ended.state, ended.outcome) == (State.DENIED, "by Anna: the account is not theirs")
    assert [(vote.person_id, vote.decision) for vote in ended.votes] == [(desk.person(ANNA).id, Decision.APPROVE)]
    assert ("request.called_off", desk.person(ANNA).id) in await deeds(desk, request)
    assert await desk.rows("SELECT text FROM remarks") == [("the account is not theirs",)]
    assert await desk.rows("SELECT counts, blocks FROM requests") == [(0, None)]
    await stays_unsent(desk, request, State.DENIED)


async def test_a_signer_who_has_not_voted_denies_it_with_a_vote(desk: Treasury) -> None:
    await desk.write("INSERT INTO roles (person_id, role) VALUES (?, 'approver')", desk.person(ADAM).id)
    await desk.rooms.access.refresh()
    request = await held(desk)
    ended = await desk.says(ADAM, Decision.DENY, request)
    assert (ended.state, ended.outcome) == (State.DENIED, "by Admin 1")
    said = {vote.person_id: vote.decision for vote in ended.votes}
    assert said == {desk.person(ANNA).id: Decision.APPROVE, desk.person(ADAM).id: Decision.DENY}
    await stays_unsent(desk, request, State.DENIED)


async def test_what_is_approved_and_frozen_is_denied_and_does_not_leave_after_the_thaw(
    tmp_path: Path, chat: Chat
) -> None:
    async with treasury(tmp_path, chat) as desk:
        request = await desk.asked("10.00")
        await desk.write("INSERT INTO freezes VALUES ('desk', 1, NULL, 'a test')")
        await desk.approves(request)
        await until(lambda: request.id in desk.rooms.money.sending._tries)
        said = await desk.desk.says(ANNA, f"/request {request.id}")
        (view,) = [one for one in said if one["text"].startswith(f"Request {request.id}\nTransfer") and buttons(one)]
        await desk.desk.taps(ANNA, view, "Deny")
        assert await desk.state(request) is State.DENIED
        await desk.write("DELETE FROM freezes")
        desk.rooms.money.sending.again()
        await looked(desk)
        assert (await desk.state(request), await desk.executed()) == (State.DENIED, [])


async def test_once_it_is_being_sent_it_is_too_late(desk: Treasury) -> None:
    request = await held(desk)
    await desk.faults({"action": "stall", "match": {"kind": "ws", "contains": "CS-"}})
    later(desk)
    await desk.comes_to(request, State.SENDING)
    with pytest.raises(ConflictError, match="too late: it is being sent; /freeze stops what comes after it"):
        await desk.says(ANNA, Decision.DENY, request)
    for who in (OLGA, ANNA):
        with pytest.raises(ConflictError, match="too late: it is being sent"):
            await desk.rooms.approvals.withdraw(desk.person(who), request.id, telegram_id=who)
    assert await desk.state(request) is State.SENDING


async def test_a_freeze_meanwhile_keeps_it_until_the_thaw(desk: Treasury) -> None:
    request = await held(desk)
    await desk.write("INSERT INTO freezes VALUES ('desk', 1, NULL, 'a test')")
    later(desk)
    await until(lambda: request.id in desk.rooms.money.sending._tries)
    assert (await desk.state(request), await desk.executed()) == (State.HELD, [])
    await desk.write("DELETE FROM freezes")
    desk.rooms.money.sending.again()
    await desk.comes_to(request, State.SUCCEEDED)
    assert len(await desk.executed()) == 1


async def test_what_stays_frozen_for_too_long_expires(desk: Treasury) -> None:
    """Half an hour after the hold, as after the asking of what is not held."""
    request = await held(desk)
    await desk.write("INSERT INTO freezes VALUES ('desk', 1, NULL, 'a test')")
    later(desk, HOUR + 29 * 60)
    assert await desk.rooms.approvals.expire() == 0
    later(desk, 60)
    assert await desk.rooms.approvals.expire() == 1
    ended = await desk.rooms.approvals.find(request.id)
    assert (ended.state, ended.outcome) == (State.EXPIRED, "it could not be sent in time")
    await desk.write("DELETE FROM freezes")
    desk.rooms.money.sending.again()
    await stays_unsent(desk, request, State.EXPIRED)


async def test_a_policy_tightened_meanwhile_stops_it(desk: Treasury) -> None:
    request = await held(desk)
    await desk.policy(NEVER, 2)
    later(desk)
    ended = await desk.comes_to(request, *OVER)
    assert (ended.state, ended.outcome) == (
        State.FAILED,
        "it was not sent: the policy does not allow it (rule never)",
    )
    assert await desk.executed() == []


async def test_a_signer_suspended_meanwhile_has_not_signed(desk: Treasury) -> None:
    request = await held(desk)
    await desk.write("UPDATE persons SET state = 'suspended' WHERE id = ?", desk.person(ANNA).id)
    later(desk)
    ended = await desk.comes_to(request, *OVER)
    assert (ended.state, ended.outcome) == (
        State.FAILED,
        "it was not sent: a signature it had does not count any more",
    )
    assert await desk.executed() == []


async def test_it_is_held_over_a_restart_and_then_sent_once(tmp_path: Path, chat: Chat) -> None:
    async with providers("cryptocapital") as sides:
        config = configured(tmp_path, chat, sides)
        async with at_work(config, chat, sides) as first:
            desk = Treasury(first, await first.link("cryptocapital"))
            await desk.policy(HELD)
            await desk.enter_in_book()
            async with money_at_work(first):
                request = await held(desk)
        async with at_work(config, chat, sides) as second:
            again = Treasury(second, desk.connection)
            async with money_at_work(second):
                await until(lambda: again.rooms.money.sending.ready(request))
                await looked(again)
                assert (await again.state(request), await again.executed()) == (State.HELD, [])
                later(again)
                await again.comes_to(request, State.SUCCEEDED)
                assert len(await again.executed()) == 1


# the first payment to somebody


async def test_the_first_payment_to_a_beneficiary_waits_and_those_after_it_do_not(tmp_path: Path, chat: Chat) -> None:
    async with treasury(tmp_path, chat, 'first_payment_hold = "2h"\n' + ONE_APPROVER) as desk:
        first, second = await desk.asked("10.00"), await desk.asked("11.00")
        assert (await desk.approves(first)).state is State.HELD
        assert (await desk.approves(second)).state is State.HELD  # nothing has arrived there yet
        await desk.rooms.approvals.withdraw(desk.person(OLGA), second.id, telegram_id=OLGA)
        later(desk, 1.9 * HOUR)
        await looked(desk)
        assert await desk.executed() == []
        later(desk, 0.2 * HOUR)
        await desk.comes_to(first, State.SUCCEEDED)

        third = await desk.asked("12.00")
        await desk.approves(third)
        await desk.comes_to(third, State.SUCCEEDED)
        assert len(await desk.executed()) == 2


async def test_whoever_sends_the_first_one_alone_is_told_that_it_waits(tmp_path: Path, chat: Chat) -> None:
    alone = 'first_payment_hold = "2h"\n[[rules]]\nname = "alone"\ntier = "confirm"\n'
    async with treasury(tmp_path, chat, alone) as desk:
        told = await desk.desk.says(OLGA, f"/transfer 10.00 USD from {OPERATING} to Harbour")
        waits = "it is sent 2 h 00 min after you say so, and can be called off."
        (look,) = [one for one in told if waits in one.get("text", "")]
        await desk.desk.taps(OLGA, look, "Send it")
        assert await desk.rows("SELECT state FROM requests") == [("held",)]
