"""What changes between asking, signing and sending: the stricter word counts, and nothing is loosened afterwards (F29).

And what becomes of votes whose owners change (F21), of time that runs out (F22), and of words that mean harm (F30–F33).
"""

from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from pathlib import Path

import pytest

from bot.access.model import Role
from bot.access.records import insert_person
from bot.approvals.model import State
from bot.errors import ConflictError, InputError, NotAllowedError, NotFoundError
from bot.store import Tables
from tests.support.chatting import ADAM, ANNA, OLGA, Chat, telegram, texts, until
from tests.support.treasury import HARBOUR, ONE_APPROVER, Treasury, treasury

TWO = """
[[rules]]
name = "two sign"
tier = "quorum"
needs = ["role/approver", "role/admin"]
"""
WITH_CODE = ONE_APPROVER + 'proof = "code"\n'
WITH_HOLD = ONE_APPROVER + 'hold = "1h"\n'
REFUSED = """
[[rules]]
name = "never"
tier = "refuse"
"""
LITTLE = (
    ONE_APPROVER
    + """
[[limits]]
name = "little"
currency = "USD"
amount = "9.99"
per = "desk"
window = "24h"
"""
)


@pytest.fixture
async def chat() -> AsyncIterator[Chat]:
    async with telegram() as opened:
        yield opened


@pytest.fixture
async def desk(tmp_path: Path, chat: Chat) -> AsyncIterator[Treasury]:
    async with treasury(tmp_path, chat) as opened:
        yield opened


def held_back(desk: Treasury) -> Callable[[], None]:
    """Nothing is picked up until what this answers is called."""
    sending = desk.rooms.money.sending
    before, sending.ready = sending.ready, lambda request: False

    def release() -> None:
        sending.ready = before
        sending.wake()

    return release


@pytest.mark.parametrize(
    ("document", "why"),
    [
        (TWO, "the policy was tightened since, and asks for more signatures"),
        (WITH_CODE, "the policy was tightened since, and asks for a stronger proof"),
        (WITH_HOLD, "the policy was tightened since, and asks for a longer wait"),
        (REFUSED, "the policy does not allow it (rule never)"),
        (LITTLE, "the limit little is 9.99 USD in 24 hours for the desk; 0.00 USD of it is used"),
    ],
    ids=["more signatures", "a code", "a wait", "never", "a limit"],
)
async def test_a_policy_tightened_after_the_signature_stops_it(desk: Treasury, document: str, why: str) -> None:
    """F29, M81."""
    release = held_back(desk)
    request = await desk.asked("10.00")
    await desk.approves(request)
    await desk.policy(document, 2)
    release()
    ended = await desk.comes_to(request, State.FAILED, State.SUCCEEDED, State.UNKNOWN)
    assert (ended.state, ended.outcome) == (State.FAILED, f"it was not sent: {why}")
    assert await desk.executed() == []
    assert await desk.rows("SELECT counts FROM requests") == [(0,)]


async def test_who_lost_the_right_to_ask_after_the_signature_is_told_so_in_words(desk: Treasury) -> None:
    """F21, G22."""
    release = held_back(desk)
    request = await desk.asked("10.00")
    await desk.approves(request)
    await desk.write("UPDATE roles SET role = 'viewer' WHERE person_id = ?", desk.person(OLGA).id)
    release()
    ended = await desk.comes_to(request, State.FAILED, State.SUCCEEDED, State.UNKNOWN)
    said = "it was not sent: whoever asked for it does not have the right to ask for money movements"
    assert (ended.state, ended.outcome, await desk.executed()) == (State.FAILED, said, [])


async def test_a_policy_loosened_after_the_asking_helps_only_what_is_asked_later(tmp_path: Path, chat: Chat) -> None:
    """F29: who had to sign then has to sign."""
    async with treasury(tmp_path, chat, TWO) as desk:
        request = await desk.asked("10.00")
        await desk.policy(ONE_APPROVER, 2)
        assert (await desk.approves(request, ANNA)).state is State.PENDING
        assert await desk.executed() == []
        assert (await desk.approves(request, ADAM)).state is State.APPROVED
        await desk.comes_to(request, State.SUCCEEDED)
        later = await desk.asked("11.00")
        assert (await desk.approves(later, ANNA)).state is State.APPROVED


@pytest.mark.parametrize("when", ["before the vote", "after the vote"])
async def test_a_beneficiary_removed_meanwhile_gets_nothing(desk: Treasury, when: str) -> None:
    """F29."""
    release = held_back(desk)
    request = await desk.asked("10.00")
    if when == "after the vote":
        await desk.approves(request)
    await desk.write("UPDATE beneficiaries SET removed_at = 1")
    if when == "before the vote":
        await desk.approves(request)
    release()
    ended = await desk.comes_to(request, State.FAILED, State.SUCCEEDED, State.UNKNOWN)
    assert (ended.state, await desk.executed()) == (State.FAILED, [])
    with pytest.raises(NotFoundError):
        await desk.asked("11.00")


async def test_a_beneficiary_whose_account_was_changed_gets_nothing(desk: Treasury) -> None:
    """F29: the name is the same, the account another."""
    release = held_back(desk)
    request = await desk.asked("10.00")
    await desk.approves(request)
    await desk.write("UPDATE beneficiaries SET account = '9120007021'")
    release()
    ended = await desk.comes_to(request, State.FAILED, State.SUCCEEDED, State.UNKNOWN)
    assert ended.outcome == "it was not sent: Harbour is listed with another account"
    assert await desk.executed() == []


@pytest.mark.parametrize("scope", ["desk", "cryptocapital"])
async def test_what_is_frozen_waits_and_uses_up_no_number(desk: Treasury, scope: str) -> None:
    """F29, M10: in between nothing is prepared; after the thaw it goes, once."""
    release = held_back(desk)
    request = await desk.asked("10.00")
    await desk.approves(request)
    await desk.write("INSERT INTO freezes VALUES (?, 1, NULL, 'a test')", scope)
    nonces = await desk.rows("SELECT last FROM nonces")
    release()
    await until(lambda: request.id in desk.rooms.money.sending._tries)
    assert (await desk.state(request), await desk.executed()) == (State.APPROVED, [])
    assert await desk.rows("SELECT last FROM nonces") == nonces
    await desk.write("DELETE FROM freezes")
    desk.rooms.money.sending._tries.clear()
    desk.rooms.money.sending.wake()
    await desk.comes_to(request, State.SUCCEEDED)
    assert len(await desk.executed()) == 1


async def test_a_vote_does_not_count_once_its_owner_is_suspended(desk: Treasury) -> None:
    """F21: between the deciding vote and the sending."""
    release = held_back(desk)
    request = await desk.asked("10.00")
    await desk.approves(request)
    await desk.write("UPDATE persons SET state = 'suspended' WHERE id = ?", desk.person(ANNA).id)
    release()
    ended = await desk.comes_to(request, State.FAILED, State.SUCCEEDED, State.UNKNOWN)
    assert ended.outcome == "it was not sent: a signature it had does not count any more"
    assert await desk.executed() == []


async def test_one_person_with_two_accounts_is_one_signature(tmp_path: Path, chat: Chat) -> None:
    """F21: both prompts are tapped, and the seat of another stays empty."""
    two = TWO.replace('"role/approver", "role/admin"', '"2 of role/approver"')
    async with treasury(tmp_path, chat, two) as desk:

        def come(tables: Tables) -> None:
            insert_person(tables, "Arno", 3001, [Role.APPROVER], desk.rooms.clock.now())
            tables.conn.execute("INSERT INTO telegram_ids VALUES (1014, ?)", (desk.person(ANNA).id,))

        await desk.rooms.database.write(come)
        await desk.rooms.access.refresh()
        request = await desk.asked("10.00")
        await desk.approves(request, ANNA)
        with pytest.raises(ConflictError, match="recorded already"):
            await desk.approves(request, 1014)
        assert await desk.state(request) is State.PENDING
        with pytest.raises(NotAllowedError, match="asked for yourself"):
            await desk.approves(request, OLGA)
        assert (await desk.approves(request, 3001)).state is State.APPROVED


async def test_what_was_not_sent_in_time_is_not_sent_after_it(desk: Treasury) -> None:
    """F22: signed, and then nobody was there to send it until its time was over."""
    release = held_back(desk)
    request = await desk.asked("10.00")
    await desk.approves(request)
    desk.desk.clock.ahead_by(timedelta(minutes=30).total_seconds())
    release()
    await desk.rooms.approvals.expire()
    ended = await desk.comes_to(request, State.EXPIRED, State.SUCCEEDED, State.UNKNOWN)
    assert (ended.state, ended.outcome) == (State.EXPIRED, "it could not be sent in time")
    assert await desk.executed() == []


async def test_an_edited_message_changes_nothing(desk: Treasury, chat: Chat) -> None:
    """F23: neither an edit of what was sent, nor an edit of what the bot never saw; its writer is told."""
    request = await desk.asked("10.00")
    for text in ("/transfer cryptocapital 900.00 USD to Harbour", f"/approve {request.id}"):
        message = chat.message_from(OLGA, text, edit_date=1_790_000_001)
        await desk.desk.happens({"edited_message": message})
    assert texts(chat.from_bot(OLGA)).count("Edits are not read. Please send it as a new message.") == 2
    assert await desk.rows("SELECT id, state, version FROM requests") == [(request.id, "pending", 1)]
    assert (await desk.rooms.approvals.find(request.id)).parameters["amount"] == "10.00"


HOSTILE = (
    "'; DROP TABLE requests;--",
    '" % _ \\ \\n %s {0}',
    '</b><a href="tg://user?id=1">Approve</a> &lt;b&gt; [x](javascript:1)',
    "/transfer@bot 5 =HYPERLINK(1)",
)


async def test_a_hostile_note_is_kept_and_shown_as_it_is(desk: Treasury, chat: Chat) -> None:
    """F32, F33: verbatim in the row, literal on the card, nothing of it a link or a command; the schema stands."""
    before = await desk.rows("SELECT sql FROM sqlite_schema ORDER BY name")
    for number, note in enumerate(HOSTILE, 1):
        request = await desk.asked(f"{number}.00", note=note)
        found = await desk.rooms.approvals.find(request.id)
        assert found.parameters["note"] == note

        def prompted(mark: str = request.id) -> bool:
            return any(mark in one.get("text", "") for one in chat.from_bot(ANNA))

        await until(prompted)
        shown = next(one for one in chat.from_bot(ANNA) if request.id in one.get("text", ""))
        assert f"For: {note}" in shown["text"].replace("\u2060", "")
        assert {entity["type"] for entity in shown.get("entities", [])} <= {"bold"}
    assert await desk.rows("SELECT sql FROM sqlite_schema ORDER BY name") == before


@pytest.mark.parametrize("note", ["two\nlines", "a\u202eb", "a\u200db", "a\u00a0b", "a\x00b", "a\x1b[31m", "a\rb"])
async def test_a_note_with_something_hidden_in_it_is_refused_before_anybody_signs(desk: Treasury, note: str) -> None:
    """F31."""
    with pytest.raises(InputError, match="letters that can be seen"):
        await desk.asked("10.00", note=note)
    assert await desk.rows("SELECT id FROM requests") == []


@pytest.mark.parametrize("amount", ["0.01", "1", "1.5", "10.10", "123.45"])
async def test_the_provider_receives_exactly_the_digits_that_were_signed(desk: Treasury, amount: str) -> None:
    """F30."""
    canonical = {"0.01": "0.01", "1": "1.00", "1.5": "1.50", "10.10": "10.10", "123.45": "123.45"}[amount]
    request = await desk.asked(amount)
    assert request.parameters["amount"] == canonical
    await desk.approves(request)
    await desk.comes_to(request, State.SUCCEEDED)
    assert [(one["amount"], one["currency"], one["to"]) for one in await desk.executed()] == [
        (canonical, "USD", HARBOUR)
    ]
