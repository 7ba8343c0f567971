"""One person stops all money at once; it takes others to let it leave again (SAFETY M10, FIELD N9)."""

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest

from bot.approvals.model import Decision, Proof, State
from bot.errors import ConflictError, FrozenError, InputError, NotAllowedError, ProofNeededError
from bot.operations.freezing import DESK
from bot.providers.cryptocapital.seam import Seam
from bot.store.columns import at
from tests.support.chatting import ADAM, ANNA, OLGA, VERA, Chat, telegram, texts, until
from tests.support.treasury import CONFIRM, ONE_APPROVER, Treasury, treasury

ONE_MORE = '[guards.thaw]\nneeds = ["1 of role/approver"]\n'
POLICY = ONE_APPROVER + ONE_MORE


@pytest.fixture
async def chat() -> AsyncIterator[Chat]:
    async with telegram() as opened:
        yield opened


async def freezes(desk: Treasury, who: int = OLGA, scope: str = DESK, reason: str = "strange transfers") -> None:
    await desk.rooms.freezing.freeze(desk.person(who), scope, reason, telegram_id=who)


async def thaws(desk: Treasury, who: int = OLGA, scope: str = DESK, why: str = "it was us") -> str:
    request = await desk.rooms.money.thawing.ask(desk.person(who), scope, why, telegram_id=who)
    return str(request.id)


@pytest.mark.parametrize("who", [OLGA, ANNA, ADAM])
@pytest.mark.parametrize("scope", [DESK, "cryptocapital"])
async def test_whoever_works_here_freezes_alone_and_what_was_approved_stays(
    tmp_path: Path, chat: Chat, who: int, scope: str
) -> None:
    async with treasury(tmp_path, chat, POLICY) as desk:
        request = await desk.asked()
        await freezes(desk, who, scope)
        await desk.approves(request)
        await desk.rooms.money.sending._look()  # the next one finds it frozen
        assert await desk.state(request) is State.APPROVED
        assert await desk.executed() == []
        with pytest.raises(FrozenError):
            await desk.asked("11.00")
        assert await desk.rows("SELECT action, object, person_id FROM audit WHERE action LIKE 'freeze.%'") == [
            ("freeze.begun", f"freeze/{scope}", desk.person(who).id)
        ]


async def test_another_provider_is_not_held_up(tmp_path: Path, chat: Chat) -> None:
    async with treasury(tmp_path, chat, CONFIRM) as desk:
        await freezes(desk, scope="deriv")
        await desk.comes_to(await desk.asked(), State.SUCCEEDED)


async def test_who_only_reads_freezes_nothing(tmp_path: Path, chat: Chat) -> None:
    async with treasury(tmp_path, chat) as desk:
        with pytest.raises(NotAllowedError):
            await freezes(desk, VERA)
        assert await desk.rows("SELECT * FROM freezes") == []


async def test_everybody_who_may_freeze_and_everybody_who_waits_is_told_once(tmp_path: Path, chat: Chat) -> None:
    async with treasury(tmp_path, chat, POLICY) as desk:
        request = await desk.asked()
        await freezes(desk, ANNA)
        await freezes(desk, ANNA, reason="once more")

        def told(person: int) -> list[str]:
            return [text for text in texts(chat.from_bot(person)) if text.startswith("Frozen: the desk")]

        await until(lambda: told(OLGA) and told(ADAM))
        assert (len(told(OLGA)), len(told(ADAM)), told(ANNA), told(VERA)) == (1, 1, [], [])
        assert "By Anna: strange transfers." in told(ADAM)[0]
        assert f"It holds up what you asked for: {request.id}." in told(OLGA)[0]
        assert "It holds up" not in told(ADAM)[0]
        assert await desk.rows("SELECT reason FROM freezes") == [("strange transfers",)]


async def test_nobody_thaws_alone_and_what_waited_then_leaves_once(tmp_path: Path, chat: Chat) -> None:
    async with treasury(tmp_path, chat, POLICY) as desk:
        request = await desk.asked()
        await freezes(desk)
        await desk.approves(request)
        number = await thaws(desk)
        thaw = await desk.rooms.approvals.find(number)
        assert thaw.state is State.PENDING
        with pytest.raises(NotAllowedError):  # not with their own hand
            await desk.says(OLGA, Decision.APPROVE, thaw)
        with pytest.raises(NotAllowedError):  # nor with that of somebody who is no approver
            await desk.says(ADAM, Decision.APPROVE, thaw)
        assert len(await desk.rows("SELECT * FROM freezes")) == 1
        assert await desk.executed() == []

        await desk.says(ANNA, Decision.APPROVE, thaw)
        await desk.comes_to(request, State.SUCCEEDED)
        assert len(await desk.executed()) == 1
        assert await desk.rows("SELECT * FROM freezes") == []


async def test_without_a_policy_thawing_takes_two_others_with_codes(tmp_path: Path, chat: Chat) -> None:
    async with treasury(tmp_path, chat) as desk:
        await freezes(desk)
        with pytest.raises(ConflictError, match="nobody else could sign this"):  # there is one approver here
            await thaws(desk)
        await desk.write("INSERT INTO roles (person_id, role) VALUES (?, 'approver')", desk.person(ADAM).id)
        await desk.rooms.access.refresh()
        thaw = await desk.rooms.approvals.find(await thaws(desk))
        assert [(seat.circle, seat.count) for seat in thaw.rule.seats] == [("role/approver", 2)]
        assert thaw.rule.proof.name == "CODE"


async def test_no_policy_lets_whoever_has_a_second_factor_thaw_without_it(tmp_path: Path, chat: Chat) -> None:
    async with treasury(tmp_path, chat, f'{ONE_APPROVER}{ONE_MORE}proof = "none"\n') as desk:
        await freezes(desk)
        thaw = await desk.rooms.approvals.find(await thaws(desk))
        assert await desk.rooms.approvals.proof_needed(thaw, desk.person(ANNA)) is Proof.NONE
        now = at(desk.rooms.clock.now())
        statement = "INSERT INTO factors (person_id, active_since, last_step) VALUES (?, ?, 0)"
        await desk.write(statement, desk.person(ANNA).id, now)
        assert await desk.rooms.approvals.proof_needed(thaw, desk.person(ANNA)) is Proof.CODE
        with pytest.raises(ProofNeededError):
            await desk.says(ANNA, Decision.APPROVE, thaw)
        assert len(await desk.rows("SELECT * FROM freezes")) == 1


async def test_a_freeze_that_is_not_there_and_one_without_a_reason_are_not_thawed(tmp_path: Path, chat: Chat) -> None:
    async with treasury(tmp_path, chat, POLICY) as desk:
        with pytest.raises(ConflictError, match="the desk is not frozen"):
            await thaws(desk)
        await freezes(desk)
        with pytest.raises(InputError):
            await thaws(desk, why=" ")
        number = await thaws(desk)
        with pytest.raises(ConflictError, match=f"asked for already: request {number}"):
            await thaws(desk, ANNA)


async def test_a_signature_for_one_freeze_does_not_end_the_next(tmp_path: Path, chat: Chat) -> None:
    async with treasury(tmp_path, chat, POLICY) as desk:
        await freezes(desk)
        old = await desk.rooms.approvals.find(await thaws(desk))
        await desk.write("DELETE FROM freezes")
        desk.desk.clock.ahead_by(5)
        await freezes(desk, ANNA, reason="again")
        done = await desk.says(ANNA, Decision.APPROVE, old)
        assert (done.state, done.outcome) == (State.FAILED, "the desk was frozen anew since: again")
        assert len(await desk.rows("SELECT * FROM freezes")) == 1


async def test_a_provider_stays_frozen_when_the_desk_is_thawed(tmp_path: Path, chat: Chat) -> None:
    async with treasury(tmp_path, chat, CONFIRM + ONE_MORE) as desk:
        await freezes(desk)
        await freezes(desk, scope="cryptocapital", reason="their word")
        await desk.says(ANNA, Decision.APPROVE, await desk.rooms.approvals.find(await thaws(desk)))
        assert await desk.rows("SELECT scope FROM freezes") == [("cryptocapital",)]
        with pytest.raises(FrozenError):
            await desk.asked()


async def test_a_freeze_uses_up_no_number_of_the_key(tmp_path: Path, chat: Chat) -> None:
    async with treasury(tmp_path, chat, POLICY) as desk:
        request = await desk.asked()
        await freezes(desk)
        before = await desk.rows("SELECT * FROM nonces")
        await desk.approves(request)
        await until(lambda: desk.rooms.money.sending._tries.get(request.id))  # it was tried
        assert await desk.rows("SELECT * FROM nonces") == before


async def test_fifty_transfers_in_all_states_and_a_freeze_between(
    tmp_path: Path, chat: Chat, monkeypatch: pytest.MonkeyPatch
) -> None:
    """F29, N9: nothing is begun after the freeze; what was under way is finished, its outcome stays open, or it had not
    left yet and is held up."""
    begun: list[str] = []
    send = Seam.send

    async def noted(seam: Seam, prepared: object) -> object:
        begun.append(prepared.act.request_id)  # type: ignore[attr-defined]
        return await send(seam, prepared)  # type: ignore[arg-type]

    monkeypatch.setattr(Seam, "send", noted)
    async with treasury(tmp_path, chat, POLICY) as desk:
        requests = [await desk.asked(f"{number}.00") for number in range(1, 51)]
        await desk.approves(requests[0])
        await desk.comes_to(requests[0], State.SUCCEEDED)
        await desk.says(ANNA, Decision.DENY, requests[1])
        await desk.rooms.approvals.withdraw(desk.person(OLGA), requests[2].id, telegram_id=OLGA)
        for request in requests[3:40]:
            await desk.approves(request)
        await until(lambda: len(begun) >= 5)  # some have left, some are on their way, some wait for their turn

        await freezes(desk)
        at_freeze = {
            name for (name,) in await desk.rows("SELECT DISTINCT request_id FROM sendings")
        }  # what had its row then may still leave; nothing else
        await desk.approves(requests[40])
        for request in requests:
            if request.id in at_freeze:
                await desk.comes_to(request, State.SUCCEEDED, State.FAILED, State.UNKNOWN, State.APPROVED)
        await until(lambda: desk.rooms.money.sending._tries.get(requests[40].id))

        assert set(begun) <= at_freeze
        states = {request.id: await desk.state(request) for request in requests}
        assert {states[one.id] for one in requests[3:41] if one.id not in at_freeze} == {State.APPROVED}
        assert {states[one.id] for one in requests[41:]} == {State.PENDING}
        assert len(await desk.executed()) == sum(state is State.SUCCEEDED for state in states.values())
        held_up = {
            request for (request,) in await desk.rows("SELECT request_id FROM sendings WHERE outcome = 'not sent'")
        }
        assert held_up == {one for one in at_freeze if states[one] is State.APPROVED}


async def test_a_clock_that_was_set_lets_nothing_leave_until_an_admin_says_that_it_is_right(
    tmp_path: Path, chat: Chat, monkeypatch: pytest.MonkeyPatch
) -> None:
    """N9: nobody had looked at the clock before the transfer did."""
    async with treasury(tmp_path, chat, POLICY) as desk:
        request = await desk.asked()
        right = desk.desk.clock.now
        monkeypatch.setattr(desk.desk.clock, "now", lambda: right() + timedelta(seconds=90))
        await desk.approves(request)
        await until(lambda: desk.rooms.money.sending._tries.get(request.id))
        assert await desk.state(request) is State.APPROVED
        doubt = await desk.rooms.timekeeping.doubt()
        assert doubt is not None
        assert doubt.seconds == 90

        await desk.rooms.timekeeping.acknowledge(desk.person(ADAM), doubt.id, telegram_id=ADAM)
        desk.rooms.money.sending.again()
        await desk.comes_to(request, State.SUCCEEDED)
        assert len(await desk.executed()) == 1
