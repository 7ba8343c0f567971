"""What stays unknown is settled by people, who are told when the provider then says otherwise (SAFETY M03, M08)."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest

from bot.approvals.model import Decision, Proof, Request, State
from bot.errors import (
    AlikeError,
    ConflictError,
    InputError,
    NotAllowedError,
    NotFoundError,
    PolicyRefusedError,
    ProofNeededError,
)
from bot.operations.moving.incidents import contradiction
from bot.providers.acts import Evidence, Outcome
from bot.store.columns import at
from tests.support.chatting import ADAM, ANNA, OLGA, VERA, Chat, telegram, texts, until
from tests.support.treasury import HARBOUR, ONE_APPROVER, OPERATING, Treasury, treasury

GUARDS = '[guards.settle]\nneeds = ["1 of role/approver"]\n[guards.repeat]\nneeds = ["1 of role/approver"]\n'
A_LIMIT = (
    '[[limits]]\nname = "a day"\nacts = ["transfer"]\ncurrency = "USD"\namount = "15.00"\nper = "desk"\n'
    'window = "24h"\n'
)
POLICY = ONE_APPROVER + GUARDS


@pytest.fixture
async def chat() -> AsyncIterator[Chat]:
    async with telegram() as opened:
        yield opened


async def unknown(desk: Treasury, amount: str = "10.00") -> Request:
    """A transfer that the bank has read and not executed: nothing will ever show what became of it."""
    await desk.faults({"action": "disconnect", "match": {"contains": "CS-"}})
    request = await desk.asked(amount)
    await desk.approves(request)
    return await desk.comes_to(request, State.UNKNOWN)


async def settles(desk: Treasury, request: Request, word: str, why: str = "", who: int = OLGA) -> Request:
    asked: Request = await desk.rooms.money.settling.ask(desk.person(who), request.id, word, why, telegram_id=who)
    return asked


async def incidents(desk: Treasury) -> list[str]:
    rows = await desk.rows(
        "SELECT json_extract(details, '$.shown') FROM audit WHERE action = 'request.contradicted' ORDER BY seq"
    )
    return [shown for (shown,) in rows]


async def books_late(desk: Treasury, request: Request, target: str = HARBOUR) -> None:
    """The bank signs, long after, that it has executed the transfer."""
    ((reference,),) = await desk.rows("SELECT reference FROM sendings WHERE request_id = ?", request.id)
    params = {"id": "99001", "date": "2026-11-21", "sendAccount": OPERATING, "receiveAccount": target}
    params |= {"sendCurrency": "USD", "receiveCurrency": "USD", "sendAmount": "10.00", "receiveAmount": "10.00"}
    await desk.control("forge", to=OPERATING, kind="transfer", params=params | {"narrative": reference})


async def test_another_signs_that_it_was_not_executed_and_then_it_counts_no_more(tmp_path: Path, chat: Chat) -> None:
    async with treasury(tmp_path, chat, POLICY + A_LIMIT) as desk:
        request = await unknown(desk)
        with pytest.raises(PolicyRefusedError, match=r"10\.00 USD of it is used"):
            await desk.asked()
        asked = await settles(desk, request, "not-executed", "the bank says so")
        assert asked.state is State.PENDING
        assert await desk.state(request) is State.UNKNOWN

        done = await desk.approves(asked)
        assert (done.state, done.outcome) == (State.SUCCEEDED, f"request {request.id} is settled as not executed")
        settled = await desk.rooms.approvals.find(request.id)
        assert settled.state is State.SETTLED_BY_HAND
        assert settled.outcome == f"not executed (the bank says so), as signed in request {asked.id}"
        assert (await desk.asked()).state is State.PENDING  # 10.00 of the 15.00 are free again


async def test_what_was_executed_counts_for_good(tmp_path: Path, chat: Chat) -> None:
    async with treasury(tmp_path, chat, POLICY) as desk:
        request = await unknown(desk)
        await desk.approves(await settles(desk, request, "executed"))
        assert (await desk.rooms.approvals.find(request.id)).state is State.SETTLED_BY_HAND
        assert await desk.rows("SELECT counts FROM requests WHERE id = ?", request.id) == [(1,)]
        assert (await desk.asked()).state is State.PENDING


async def test_what_is_signed_says_what_it_was_about_and_what_it_leads_to(tmp_path: Path, chat: Chat) -> None:
    async with treasury(tmp_path, chat, POLICY) as desk:
        request = await unknown(desk)
        ((reference, begun),) = await desk.rows("SELECT reference, begun_at FROM sendings")
        assert begun
        lines = desk.rooms.approvals.lines(await settles(desk, request, "not-executed"))
        assert lines[:4] == (
            f"Settle by hand that request {request.id} was not executed.",
            "Transfer 10.00 USD",
            "from 9120004471 (cryptocapital/main · LIVE)",
            "to Harbour, 9120007013",
        )
        assert f"as {reference}. Last seen:" in lines[4]
        assert lines[5].endswith("it is paid twice. The provider has not shown yet that it is not there.")


async def test_whoever_asked_for_the_money_does_not_sign_what_became_of_it(tmp_path: Path, chat: Chat) -> None:
    async with treasury(tmp_path, chat, POLICY) as desk:
        request = await unknown(desk)
        await desk.write("INSERT INTO roles (person_id, role) VALUES (?, 'approver')", desk.person(OLGA).id)
        await desk.write("INSERT INTO roles (person_id, role) VALUES (?, 'approver')", desk.person(ADAM).id)
        await desk.rooms.access.refresh()
        asked = await settles(desk, request, "executed", who=ANNA)
        with pytest.raises(NotAllowedError):
            await desk.approves(asked, OLGA)
        await desk.approves(asked, ADAM)
        assert await desk.state(request) is State.SETTLED_BY_HAND


@pytest.mark.parametrize("which", ["settle", "repeat"])
async def test_no_policy_lets_whoever_has_a_second_factor_sign_without_it(
    tmp_path: Path, chat: Chat, which: str
) -> None:
    async with treasury(tmp_path, chat, ONE_APPROVER + GUARDS.replace('"]\n', '"]\nproof = "none"\n')) as desk:
        request = await unknown(desk)
        if which == "settle":
            asked = await settles(desk, request, "executed")
        else:
            asked = await desk.rooms.money.repeating.ask(desk.person(OLGA), request.id, telegram_id=OLGA)
        assert await desk.rooms.approvals.proof_needed(asked, desk.person(ANNA)) is Proof.NONE
        statement = "INSERT INTO factors (person_id, active_since, last_step) VALUES (?, ?, 0)"
        await desk.write(statement, desk.person(ANNA).id, at(desk.rooms.clock.now()))
        assert await desk.rooms.approvals.proof_needed(asked, desk.person(ANNA)) is Proof.CODE
        with pytest.raises(ProofNeededError):
            await desk.approves(asked)
        assert await desk.state(request) is State.UNKNOWN


async def test_only_what_is_unknown_is_settled_once_and_by_those_it_concerns(tmp_path: Path, chat: Chat) -> None:
    async with treasury(tmp_path, chat, POLICY) as desk:
        other = await desk.asked("11.00")
        with pytest.raises(ConflictError, match="is not unknown"):
            await settles(desk, other, "executed")
        request = await unknown(desk)
        with pytest.raises(InputError):
            await settles(desk, request, "maybe")
        with pytest.raises(NotFoundError):
            await desk.rooms.money.settling.ask(desk.person(OLGA), "nothing", "executed", "", telegram_id=OLGA)
        with pytest.raises(NotAllowedError):
            await settles(desk, request, "executed", who=VERA)
        asked = await settles(desk, request, "executed")
        with pytest.raises(ConflictError, match=f"asked for already: request {asked.id}"):
            await settles(desk, request, "not-executed", who=ANNA)


async def test_one_whose_login_was_unlinked_is_still_offered_to_who_asked_for_it_and_hides_no_other(
    tmp_path: Path, chat: Chat
) -> None:
    async with treasury(tmp_path, chat, POLICY) as desk:
        request, settling = await unknown(desk), desk.rooms.money.settling

        async def offered(who: int) -> list[str]:
            return [one.id for one in await settling.open_to(desk.person(who))]

        assert (await offered(OLGA), await offered(VERA)) == ([request.id], [request.id])
        roster = desk.rooms.access.roster
        await desk.rooms.credentials.unlink(desk.person(OLGA), desk.connection, roster, telegram_id=OLGA)
        assert (await offered(OLGA), await offered(VERA)) == ([request.id], [])


async def test_what_was_found_out_meanwhile_stands(tmp_path: Path, chat: Chat) -> None:
    async with treasury(tmp_path, chat, POLICY) as desk:
        request = await unknown(desk)
        asked = await settles(desk, request, "not-executed")
        async with asyncio.timeout(20):
            while await desk.state(request) is not State.SUCCEEDED:
                await books_late(desk, request)  # heard only by whoever is connected at that moment
                desk.desk.clock.ahead_by(0.5)  # the pauses between two looks are passed over
                await asyncio.sleep(0.05)
        done = await desk.approves(asked)
        assert done.state is State.FAILED
        assert done.outcome.startswith(f"the outcome of request {request.id} is not unknown")


async def test_m08_a_signed_final_after_it_was_settled_changes_nothing_and_is_told_once(
    tmp_path: Path, chat: Chat
) -> None:
    async with treasury(tmp_path, chat, POLICY) as desk:
        request = await unknown(desk)
        await desk.approves(await settles(desk, request, "not-executed"))
        await desk.rooms.money.afterwards.look()
        assert await incidents(desk) == []

        async with asyncio.timeout(20):
            while not await incidents(desk):
                await books_late(desk, request)  # heard only by whoever is connected at that moment
                await desk.rooms.money.afterwards.look()
        await desk.rooms.money.afterwards.look()
        assert await incidents(desk) == ["the provider shows that it was executed as 99001"]
        assert await desk.state(request) is State.SETTLED_BY_HAND

        title = f"Request {request.id}: the provider says otherwise"
        await until(lambda: any(text.startswith(title) for text in texts(chat.from_bot(ADAM))))
        (told,) = [text for text in texts(chat.from_bot(ADAM)) if text.startswith(title)]
        assert "After that, the provider shows that it was executed as 99001." in told


async def test_m08_after_a_week_nobody_looks_any_more(tmp_path: Path, chat: Chat) -> None:
    async with treasury(tmp_path, chat, POLICY) as desk:
        request = await unknown(desk)
        await desk.approves(await settles(desk, request, "not-executed"))
        asked_of: list[str] = []
        evidence = desk.rooms.money.afterwards._evidence

        async def noted(one: Request, sending: object) -> object:
            asked_of.append(one.id)
            return await evidence(one, sending)

        desk.rooms.money.afterwards._evidence = noted
        await desk.rooms.money.afterwards.look()
        assert asked_of == [request.id]
        desk.desk.clock.ahead += timedelta(days=8)
        await desk.rooms.money.afterwards.look()
        assert asked_of == [request.id]


@pytest.mark.parametrize(
    ("counted", "evidence", "says"),
    [
        (False, Evidence(Outcome.SUCCEEDED, "77"), "the provider shows that it was executed as 77"),
        (
            False,
            Evidence(Outcome.UNKNOWN, "77", differing=("target",)),
            "the provider shows that it was executed as 77, with another target",
        ),
        (True, Evidence(Outcome.FAILED, "", "no funds"), "the provider says that it was not done (no funds)"),
        (True, Evidence(Outcome.UNKNOWN, "77", differing=("sent",)), "the provider shows it as 77 with another sent"),
        (True, Evidence(Outcome.SUCCEEDED, "77"), None),
        (False, Evidence(Outcome.FAILED, "", "no funds"), None),
        (False, Evidence(Outcome.UNKNOWN), None),
        (True, Evidence(Outcome.UNKNOWN), None),
    ],
)
def test_m08_what_contradicts_an_end(counted: bool, evidence: Evidence, says: str | None) -> None:
    assert contradiction(counted, evidence) == says


async def test_m03_the_same_may_be_asked_for_again_when_others_have_signed_that(tmp_path: Path, chat: Chat) -> None:
    async with treasury(tmp_path, chat, POLICY) as desk:
        request = await unknown(desk)
        with pytest.raises(AlikeError):
            await desk.asked()
        asked = await desk.rooms.money.repeating.ask(desk.person(OLGA), request.id, telegram_id=OLGA)
        ((reference,),) = await desk.rows("SELECT reference FROM sendings")
        assert any(reference in line for line in desk.rooms.approvals.lines(asked))
        with pytest.raises(NotAllowedError):
            await desk.says(OLGA, Decision.APPROVE, asked)
        with pytest.raises(AlikeError):
            await desk.asked()

        await desk.approves(asked)
        again = await desk.asked()
        assert (again.state, again.id != request.id) == (State.PENDING, True)
        assert await desk.state(request) is State.UNKNOWN
        with pytest.raises(AlikeError):  # one more, not any number
            await desk.asked()
        assert await desk.rows("SELECT action FROM audit WHERE action = 'request.repeatable'") == [
            ("request.repeatable",)
        ]
