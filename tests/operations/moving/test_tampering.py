"""Whatever is changed of a request behind the bot's back after it was signed: it is not sent, and the alarm is raised
(FIELD N2, SAFETY M12, M13, M74)."""

import json
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from bot.approvals.model import State, hash_of
from bot.errors import AlikeError, ConflictError
from bot.store import Tables
from tests.support.chatting import ADAM, ANNA, Chat, telegram
from tests.support.treasury import HARBOUR, Treasury, treasury

BOTH = """
[[rules]]
name = "both sign"
tier = "quorum"
needs = ["role/approver", "role/admin"]
"""
TRIGGERS = (
    "requests_keep_what_was_asked",
    "requests_keep_what_is_at_stake",
    "requests_stay",
    "votes_are_final",
    "votes_stay",
)


@pytest.fixture
async def chat() -> AsyncIterator[Chat]:
    async with telegram() as opened:
        yield opened


@pytest.fixture
async def desk(tmp_path: Path, chat: Chat) -> AsyncIterator[Treasury]:
    async with treasury(tmp_path, chat, BOTH) as opened:
        for name in TRIGGERS:
            await opened.write(f"DROP TRIGGER {name}")
        yield opened


def parameter(name: str, value: str) -> str:
    return f"UPDATE requests SET parameters = json_set(parameters, '$.{name}', '{value}')"  # noqa: S608  # ours


def rule(text: str) -> str:
    return f"UPDATE requests SET rule = '{text}'"  # noqa: S608  # ours


NOBODY = json.dumps({"seats": [], "barred": [], "proof": 0, "hold": 0, "life": 1800, "name": "both sign"})
ONE = json.dumps({"seats": [["role/approver", 1]], "barred": [], "proof": 0, "hold": 0, "life": 1800, "name": "x"})
MORE = json.dumps(
    {"seats": [["role/admin", 1], ["role/approver", 1]], "barred": [], "proof": 0, "hold": 0, "life": 9999, "name": ""}
)
CHANGES = {
    "the amount": parameter("amount", "11.00"),
    "the amount, by a nought": parameter("amount", "10.0"),
    "the currency": parameter("currency", "EUR"),
    "the source": parameter("account", "9120004488"),
    "the destination": parameter("target", "9120007021"),
    "the beneficiary's name": parameter("beneficiary", "HARBOUR"),
    "the provider": parameter("provider", "deriv"),
    "the environment": parameter("environment", "demo"),
    "the connection's name": parameter("connection", "cryptocapital/other"),
    "the connection's number": parameter("connection_id", "2"),
    "a note": parameter("note", "something else"),
    "a parameter more": parameter("narrative", "x"),
    "the kind": "UPDATE requests SET kind = 'wallet'",
    "the hash": "UPDATE requests SET hash = replace(hash, substr(hash, 1, 1), 'f')||'0'",
    "the asker": "UPDATE requests SET asked_by = asked_by + 1",
    "when it was asked": "UPDATE requests SET asked_at = asked_at + 1",
    "until when it is good": "UPDATE requests SET expires_at = expires_at + 60000",
    "the connection it goes through": "UPDATE requests SET connection_id = connection_id + 1",
    "the amount that counts": "UPDATE requests SET amount = '1.00'",
    "the currency that counts": "UPDATE requests SET currency = 'EUR'",
    "what it is like": "UPDATE requests SET same = same || 'x'",
    "the number": "UPDATE requests SET number = 42",
    "the group": "UPDATE requests SET asked_in_chat = 5",
    "who must sign: nobody": rule(NOBODY),
    "who must sign: one": rule(ONE),
    "who must sign: the same, longer": rule(MORE),
    "a vote's hash": "UPDATE votes SET hash = 'f' || substr(hash, 2)",
}


def _held_back(desk: Treasury) -> tuple[list[str], Callable[[], None]]:
    """Nothing is picked up until the release is called; the scopes of the alarms raised."""
    sending, alarms = desk.rooms.money.sending, list[str]()
    sending.ready = lambda request: False
    sending.attempts.alarm = lambda tables, scope, reason: alarms.append(scope)

    def release() -> None:
        sending.ready = lambda request: True
        sending.wake()

    return alarms, release


async def _changed_between_signature_and_sending(desk: Treasury, what: str, statement: str) -> None:
    """The last signature is there, and before anybody picks it up the rows are others."""
    alarms, release = _held_back(desk)
    request = await desk.asked("10.00")
    await desk.approves(request, ANNA)
    await desk.approves(request, ADAM)
    assert await desk.state(request) is State.APPROVED
    await desk.write(f"{statement} WHERE {'request_id' if ' votes ' in statement else 'id'} = '{request.id}'")
    release()
    ended = await desk.comes_to(request, State.FAILED, State.SUCCEEDED, State.UNKNOWN, State.ACKED)

    assert ended.state is State.FAILED, what
    assert ended.outcome.startswith("it was not sent"), what
    assert await desk.rows("SELECT * FROM sendings") == [], what
    assert await desk.executed() == [], what
    assert alarms == ["desk"], f"no alarm for {what}"


async def test_what_is_changed_after_the_last_signature_is_not_sent(desk: Treasury) -> None:
    """N2: field by field."""
    for what, statement in CHANGES.items():
        await _changed_between_signature_and_sending(desk, what, statement)


async def test_a_change_that_takes_its_hash_and_its_votes_along_is_seen_in_the_log(desk: Treasury) -> None:
    """Even parameters, hash and votes that agree with one another: the audit log tells what was signed."""
    alarms, release = _held_back(desk)
    request = await desk.asked("10.00")
    await desk.approves(request, ANNA)
    await desk.approves(request, ADAM)
    forged = {**request.parameters, "amount": "900.00"}
    hashed = hash_of(request.kind, request.asked_by, forged)

    def forge(tables: Tables) -> None:
        tables.conn.execute(
            "UPDATE requests SET parameters = ?, hash = ?, amount = '900.00' WHERE id = ?",
            (json.dumps(forged), hashed, request.id),
        )
        tables.conn.execute("UPDATE votes SET hash = ? WHERE request_id = ?", (hashed, request.id))

    await desk.rooms.database.write(forge)
    release()
    ended = await desk.comes_to(request, State.FAILED, State.SUCCEEDED, State.UNKNOWN)
    assert (ended.state, alarms, await desk.executed()) == (State.FAILED, ["desk"], [])


async def test_votes_that_nobody_cast_do_not_count(desk: Treasury) -> None:
    """A second signature written into the table by another hand."""
    alarms, release = _held_back(desk)
    request = await desk.asked("10.00")
    await desk.approves(request, ANNA)

    def forge(tables: Tables) -> None:
        tables.conn.execute(
            "INSERT INTO votes (request_id, person_id, telegram_id, decision, hash, at)"
            " SELECT request_id, ?, ?, decision, hash, at FROM votes WHERE request_id = ?",
            (desk.person(ADAM).id, ADAM, request.id),
        )
        tables.conn.execute("UPDATE requests SET state = 'approved', version = version + 1 WHERE id = ?", (request.id,))

    await desk.rooms.database.write(forge)
    release()
    ended = await desk.comes_to(request, State.FAILED, State.SUCCEEDED, State.UNKNOWN)
    assert (ended.state, alarms, await desk.executed()) == (State.FAILED, ["desk"], [])


@pytest.mark.parametrize("votes", [0, 1])
async def test_what_is_changed_before_the_last_signature_gets_no_more(desk: Treasury, votes: int) -> None:
    """N2: after k votes."""
    request = await desk.asked("10.00")
    if votes:
        await desk.approves(request, ANNA)
    await desk.write(parameter("amount", "900.00") + f" WHERE id = '{request.id}'")
    with pytest.raises(ConflictError, match="not what you were shown"):
        await desk.approves(request, ADAM)
    assert await desk.state(request) is State.PENDING
    assert await desk.executed() == []


async def test_a_change_is_a_new_request_without_votes(desk: Treasury) -> None:
    """M74: another amount is another request, with another hash; the same one is refused while the first is open."""
    first = await desk.asked("10.00")
    await desk.approves(first, ANNA)
    with pytest.raises(AlikeError):
        await desk.asked("10.00")
    second = await desk.asked("10.01")
    assert (second.votes, second.hash != first.hash, second.id != first.id) == ((), True, True)
    await desk.approves(second, ADAM)
    assert await desk.state(second) is State.PENDING
    assert second.parameters["target"] == HARBOUR
