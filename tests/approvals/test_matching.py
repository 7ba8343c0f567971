"""Number matching (SAFETY M15): the asker's screen shows two digits, and whoever signs picks them among four, once."""

import asyncio
import json
from dataclasses import replace

import pytest

from bot.approvals.matching import Matching, choices_of
from bot.approvals.model import Decision, Kind, Proof, Request, State
from bot.errors import (
    ConflictError,
    CountersignError,
    NotAllowedError,
    NumberMissedError,
    NumberWrongError,
    ProofNeededError,
)
from bot.store import Database
from tests.support.clock import HandClock
from tests.support.guarded import ANNA, ARNO, OLGA, Guarded, showing

POLICY = """
[[rules]]
name = "with the number"
tier = "quorum"
needs = ["role/approver"]
proof = "number"
"""


BOTH = POLICY.replace('"role/approver"', '"2 of role/approver"')
LACKS = "lacks somebody to sign it"


class Screens(Guarded):
    """The rooms, with somebody who checks the numbers."""

    def __init__(self, database: Database, clock: HandClock) -> None:
        super().__init__(database, clock)
        self.doubt: CountersignError | None = None
        self.matching = Matching(self.audit, clock, lambda: lambda tables: self.doubt)

    async def picks(self, who: int, request: Request, number: int) -> Request:
        return await self.approves(who, request, self.matching.picking(self.person(who), request, number))

    async def shown_to(self, telegram_id: int) -> str:
        rows = await self.rows("SELECT body FROM outbox WHERE chat_id = ?", telegram_id)
        return "\n".join(line for (body,) in rows for line in json.loads(body)["lines"])

    async def told(self, telegram_id: int, what: str) -> list[str]:
        """The whole of each message with that in its title."""
        rows = await self.rows("SELECT body FROM outbox WHERE chat_id = ? ORDER BY id", telegram_id)
        found = [json.loads(body) for (body,) in rows]
        return ["\n".join([*one["lines"], one["next_step"]]) for one in found if what in one["title"]]

    async def misses(self) -> list[tuple[str, int]]:
        return await self.rows("SELECT object, person_id FROM audit WHERE action = 'request.number_missed'")


@pytest.fixture
async def desk(database: Database, clock: HandClock) -> Screens:
    desk = Screens(database, clock)
    await desk.furnish(POLICY)
    return desk


def wrong_for(request: Request, person_id: int) -> int:
    return next(one for one in choices_of(request) if one != request.number)


async def test_the_number_is_on_the_askers_screen_and_on_no_other(desk: Screens) -> None:
    request = await desk.asked()
    assert request.number in range(10, 100)
    assert f"Tell whoever signs this number, and nothing else: {request.number}." in await desk.shown_to(OLGA)
    assert f"number, and nothing else: {request.number}" not in await desk.shown_to(ANNA)
    assert "Tell whoever signs" not in await desk.shown_to(ANNA)


async def test_four_are_offered_always_the_same_and_the_right_one_among_them(desk: Screens) -> None:
    request = await desk.asked()
    offered = choices_of(request)
    assert len(set(offered)) == 4
    assert offered == sorted(offered)
    assert request.number in offered
    assert all(10 <= one <= 99 for one in offered)
    assert choices_of(await desk.now(request)) == offered
    assert choices_of(replace(request, number=None)) == []


async def test_the_right_one_stands_at_no_particular_place(desk: Screens) -> None:
    request = replace(await desk.asked(), number=50)
    places = {choices_of(replace(request, id=f"r{each}")).index(50) for each in range(200)}
    assert places == {0, 1, 2, 3}


async def test_the_right_number_signs(desk: Screens) -> None:
    request = await desk.asked()
    signed = await desk.picks(ANNA, request, request.number or 0)
    assert signed.state is State.APPROVED
    assert [vote.proof for vote in signed.votes] == [Proof.NUMBER]
    assert await desk.misses() == []


async def test_a_wrong_one_is_written_down_and_was_the_only_try(desk: Screens) -> None:
    request = await desk.asked()
    anna = desk.person(ANNA).id
    with pytest.raises(NumberWrongError):
        await desk.picks(ANNA, request, wrong_for(request, anna))
    for number in (request.number or 0, wrong_for(request, anna)):
        with pytest.raises(NumberMissedError):
            await desk.picks(ANNA, request, number)
    assert (await desk.now(request)).votes == ()
    assert await desk.misses() == [(f"request/{request.id}", anna)]

    signed = await desk.picks(ARNO, request, request.number or 0)  # another one may
    assert signed.state is State.APPROVED


async def test_a_miss_costs_this_request_only(desk: Screens) -> None:
    first = await desk.asked(desk.wish("1.00"))
    second = await desk.asked(desk.wish("2.00"))
    with pytest.raises(NumberWrongError):
        await desk.picks(ANNA, first, wrong_for(first, desk.person(ANNA).id))
    assert (await desk.picks(ANNA, second, second.number or 0)).state is State.APPROVED


async def test_all_four_at_once_are_one_try(desk: Screens) -> None:
    for each in range(20):
        request = await desk.asked(desk.wish(f"{each + 1}.00"))
        offered = choices_of(request)
        turned = offered[each % 4 :] + offered[: each % 4]
        await asyncio.gather(*(desk.picks(ANNA, request, one) for one in turned), return_exceptions=True)
        was_first = turned[0] == request.number
        assert ((await desk.now(request)).state is State.APPROVED) == was_first


async def test_a_doubted_clock_refuses_and_costs_no_try(desk: Screens) -> None:
    request = await desk.asked()
    desk.doubt = NotAllowedError("believe the clock")
    with pytest.raises(NotAllowedError):
        await desk.picks(ANNA, request, wrong_for(request, desk.person(ANNA).id))
    desk.doubt = None
    assert await desk.misses() == []
    assert (await desk.picks(ANNA, request, request.number or 0)).state is State.APPROVED


async def test_a_tap_without_the_number_signs_nothing_and_a_denial_needs_none(desk: Screens) -> None:
    request = await desk.asked()
    with pytest.raises(ProofNeededError, match="the number on the asker's screen"):
        await desk.approves(ANNA, request)
    with pytest.raises(ProofNeededError):
        await desk.approves(ANNA, request, showing(Proof.CODE_IF_SET_UP))
    assert (await desk.says(ANNA, Decision.DENY, request)).state is State.DENIED


async def test_somebody_who_may_not_sign_uses_up_no_try_and_learns_nothing(desk: Screens) -> None:
    request = await desk.asked()
    for number in (request.number or 0, wrong_for(request, desk.person(OLGA).id)):
        with pytest.raises(NotAllowedError):
            await desk.picks(OLGA, request, number)
    assert await desk.misses() == []


async def test_only_what_asks_for_a_number_has_one(desk: Screens) -> None:
    await desk.policy(POLICY.replace('proof = "number"', ""), 2)
    request = await desk.asked()
    assert (request.kind, request.number) == (Kind.TRANSFER, None)


async def test_who_has_missed_is_refused_before_anything_is_asked_of_them_and_may_still_deny(desk: Screens) -> None:
    request = await desk.asked()
    with pytest.raises(NumberWrongError) as missed:
        await desk.picks(ANNA, request, wrong_for(request, desk.person(ANNA).id))
    assert missed.value.others_can  # Arno
    with pytest.raises(NumberMissedError) as refused:
        await desk.approvals.proof_needed(request, desk.person(ANNA))
    assert refused.value.others_can
    for proof in (Proof.NONE, Proof.CODE):
        with pytest.raises(NumberMissedError):
            await desk.approves(ANNA, request, showing(proof))
    assert await desk.approvals.proof_needed(request, desk.person(ARNO)) is Proof.NUMBER
    assert [one.name for one in await desk.approvals.could_sign(request)] == ["Arno"]
    assert [one.name for one in await desk.approvals.could_decide(request)] == ["Anna", "Arno"]
    assert await desk.told(OLGA, LACKS) == []
    assert (await desk.says(ANNA, Decision.DENY, request)).state is State.DENIED


async def test_after_a_miss_every_card_says_who_is_left(desk: Screens) -> None:
    request = await desk.asked()
    with pytest.raises(NumberWrongError):
        await desk.picks(ANNA, request, wrong_for(request, desk.person(ANNA).id))
    for chat in (OLGA, ANNA, ARNO):
        assert "1 needed: Arno (approver)." in await desk.shown_to(chat)
    buttons = {
        chat: [label for row in json.loads(body)["choices"] for label, _ in row]
        for chat, body in await desk.rows("SELECT chat_id, body FROM outbox ORDER BY id")
    }
    assert buttons[ANNA] == ["Deny", "Freeze …"]
    assert buttons[ARNO] == ["Approve", "Deny", "Freeze …"]


async def test_when_nobody_is_left_its_asker_hears_so_once(desk: Screens) -> None:
    await desk.policy(BOTH, 2)
    request = await desk.asked()
    await desk.picks(ARNO, request, request.number or 0)
    with pytest.raises(NumberWrongError) as missed:
        await desk.picks(ANNA, request, wrong_for(request, desk.person(ANNA).id))
    with pytest.raises(NumberMissedError) as refused:
        await desk.picks(ANNA, request, request.number or 0)
    assert not missed.value.others_can
    assert not refused.value.others_can
    (said,) = await desk.told(OLGA, LACKS)
    assert "Anna picked another number than yours, and cannot sign it any more." in said
    assert said.endswith(
        "Withdraw it (its card has the button); if you still want it, ask anew, and it has a new number."
    )
    assert "1 needed: nobody just now (approver)." in await desk.shown_to(OLGA)


async def test_two_who_miss_are_one_message(desk: Screens) -> None:
    await desk.policy(BOTH, 2)
    request = await desk.asked()
    for who in (ANNA, ARNO):
        with pytest.raises(NumberWrongError) as missed:
            await desk.picks(who, request, wrong_for(request, desk.person(who).id))
        assert not missed.value.others_can  # of two who must sign, one is not enough
    assert len(await desk.told(OLGA, LACKS)) == 1


async def test_when_the_last_who_had_not_missed_loses_the_role_its_asker_hears_so(desk: Screens) -> None:
    request = await desk.asked()
    with pytest.raises(NumberWrongError):
        await desk.picks(ANNA, request, wrong_for(request, desk.person(ANNA).id))
    assert await desk.told(OLGA, LACKS) == []
    await desk.write("DELETE FROM roles WHERE person_id = ? AND role = 'approver'", desk.person(ARNO).id)
    await desk.database.write(desk.approvals.course.people_changed)
    assert len(await desk.told(OLGA, LACKS)) == 1
    assert (await desk.now(request)).state is State.PENDING


async def test_who_has_signed_misses_nothing_by_another_tap(desk: Screens) -> None:
    await desk.policy(BOTH, 2)
    request = await desk.asked()
    await desk.picks(ANNA, request, request.number or 0)
    with pytest.raises(ConflictError, match="recorded already"):
        await desk.picks(ANNA, request, wrong_for(request, desk.person(ANNA).id))
    assert await desk.misses() == []
    assert (await desk.picks(ARNO, request, request.number or 0)).state is State.APPROVED
