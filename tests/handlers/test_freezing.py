"""/freeze, /thaw, /settle, /repeat and /beneficiaries in the chat."""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from bot.approvals.model import Request, State
from bot.operations.connections import Connections
from bot.operations.freezing import DESK
from bot.operations.linked import Connection
from bot.providers.base import Provider
from tests.support.chatting import ADAM, ANNA, OLGA, VERA, Chat, Message, at_work_with, buttons, texts, until
from tests.support.desk import GROUP
from tests.support.treasury import ONE_APPROVER, Treasury, treasury

GUARDS = "".join(
    f'[guards.{what}]\nneeds = ["1 of role/approver"]\n' for what in ("thaw", "settle", "repeat", "beneficiary")
)


@pytest.fixture
async def desk(tmp_path: Path, chat: Chat) -> AsyncIterator[Treasury]:
    async with treasury(tmp_path, chat, ONE_APPROVER + GUARDS) as opened:
        yield opened


async def said(desk: Treasury, person: int, text: str, chat: int | None = None) -> str:
    """The answer; others may be told something in between."""
    answers = texts(await desk.desk.says(person, text, chat))
    news = ("Frozen", "Thawed", "Request", "Your request", "A beneficiary", "A login", "A new", "Olga asks")
    return next(one for one in answers if not one.startswith(news))


def asked_in(answer: str) -> str:
    found = re.search(r"request (\w+)\.", answer)
    assert found is not None, answer
    return found[1]


async def prompt(desk: Treasury, number: str, person: int = ANNA) -> Message:
    def found() -> list[Message]:
        return [one for one in desk.desk.chat.from_bot(person) if f"Request {number} ·" in one.get("text", "")]

    await until(found)
    return found()[0]


async def test_one_word_freezes_and_another_persons_tap_thaws(desk: Treasury) -> None:
    assert await said(desk, OLGA, "/freeze somebody uses our key") == (
        "The desk is frozen: from now on no money leaves. Reading and alerts go on.\n"
        "Everybody who may freeze is told. To end it: /thaw and why; others must sign that."
    )
    assert "FROZEN: the desk, for" in await said(desk, VERA, "/status")
    assert re.fullmatch(
        r"The desk is frozen already: since .*, by Olga: somebody uses our key\.", await said(desk, ANNA, "/freeze")
    )
    answer = await said(desk, OLGA, "/thaw the key was exchanged")
    shown = await prompt(desk, asked_in(answer))
    assert "Asked to sign: Anna." in answer
    assert "Thaw the desk: what is approved and waits then leaves at once." in shown["text"]
    assert "by Olga: somebody uses our key." in shown["text"]
    assert "Why it can go on: the key was exchanged" in shown["text"]
    await desk.desk.taps(ANNA, shown, "Approve")
    assert await desk.rows("SELECT * FROM freezes") == []
    assert "FROZEN" not in await said(desk, VERA, "/status")
    await until(lambda: any(text.startswith("Thawed: the desk") for text in texts(desk.desk.chat.from_bot(ADAM))))


async def test_what_was_begun_before_a_freeze_cannot_be_sent_after_it(desk: Treasury) -> None:
    """N9: a last look that lies open is over, whoever has the phone."""
    told = await desk.desk.says(OLGA, "/transfer 10.00 USD from 9120004471 to Harbour")
    look = next(one for one in told if "Ask" in buttons(one))
    await desk.desk.says(ADAM, "/freeze a phone was stolen")
    await desk.write("DELETE FROM freezes")
    await desk.desk.taps(OLGA, look, "Ask")
    assert await desk.rows("SELECT * FROM requests") == []
    assert await desk.rows("SELECT * FROM drafts") == []


async def test_one_provider_is_frozen_by_its_name_and_in_the_group(desk: Treasury) -> None:
    answer = await said(desk, OLGA, "/freeze CryptoCapital odd transfers", GROUP)
    assert answer.startswith("Crypto Capital is frozen: from now on no money leaves.")
    assert await desk.rows("SELECT scope, reason FROM freezes") == [("cryptocapital", "odd transfers")]
    assert await said(desk, ADAM, "/thaw deriv why not") == "Deriv is not frozen. Nothing was changed."
    answer = await said(desk, ADAM, "/thaw they were ours")  # the only one there is
    assert "Thaw Crypto Capital" in (await prompt(desk, asked_in(answer)))["text"]


async def test_a_thaw_without_a_reason_is_not_asked_for(desk: Treasury) -> None:
    await said(desk, OLGA, "/freeze")
    assert "\nWhy can it go on?" in await said(desk, OLGA, "/thaw desk")
    assert await desk.rows("SELECT id FROM requests") == []


async def test_two_taps_on_a_prompt_freeze_and_one_does_not(desk: Treasury) -> None:
    request = await desk.asked()
    shown = await prompt(desk, request.id)
    assert list(buttons(shown)) == ["Approve", "Deny", "Freeze …"]
    said = await desk.desk.taps(ANNA, shown, "Freeze …")
    question = next(one for one in said if one["text"].startswith("Stop money from leaving?"))
    assert await desk.rows("SELECT * FROM freezes") == []
    assert list(buttons(question)) == ["Freeze Crypto Capital", "Freeze the desk"]

    answers = texts(await desk.desk.taps(ANNA, question, "Freeze Crypto Capital"))
    assert any(text.startswith("Crypto Capital is frozen: from now on no money leaves.") for text in answers)
    assert await desk.rows("SELECT scope, person_id FROM freezes") == [("cryptocapital", desk.person(ANNA).id)]
    await desk.desk.taps(ANNA, question, "Freeze the desk")  # the question was answered
    assert len(await desk.rows("SELECT * FROM freezes")) == 1
    await desk.desk.taps(ANNA, shown, "Deny")  # what was asked for is decided on all the same
    assert await desk.state(request) is State.DENIED


async def test_a_login_that_can_move_money_is_told_to_those_who_could_stop_it(desk: Treasury) -> None:
    await until(lambda: any("can move money" in text for text in texts(desk.desk.chat.from_bot(ANNA))))
    told = [text for text in texts(desk.desk.chat.from_bot(ANNA)) if text.startswith("A login that can move money")]
    (first, what, step) = told[0].split("\n")
    assert (len(told), first) == (1, "A login that can move money")
    assert what == "Olga linked it, or gave it a new login: cryptocapital/main (live)."
    assert step == "Not as it should be? /freeze cryptocapital stops everything there."
    assert not any("can move money" in text for text in texts(desk.desk.chat.from_bot(VERA)))
    assert await desk.rows("SELECT * FROM freezes") == []


async def test_who_only_reads_cannot_freeze(desk: Treasury) -> None:
    assert await said(desk, VERA, "/freeze") == (
        "That needs the right to freeze the desk, which you do not have. An admin can give it."
    )


async def unknown(desk: Treasury) -> Request:
    await desk.faults({"action": "disconnect", "match": {"contains": "CS-"}})
    request = await desk.asked()
    await desk.approves(request)
    return await desk.comes_to(request, State.UNKNOWN)


async def test_an_unknown_outcome_is_in_the_status_and_settled_by_a_tap(desk: Treasury) -> None:
    request = await unknown(desk)
    assert f"Request {request.id}: outcome unknown; do not send it again" in await said(desk, OLGA, "/status")
    answer = await said(desk, OLGA, f"/settle {request.id.upper()} not-executed the bank says so by phone")
    shown = await prompt(desk, asked_in(answer))
    assert f"Settle by hand that request {request.id} was not executed." in shown["text"]
    await desk.desk.taps(ANNA, shown, "Approve")
    assert await desk.state(request) is State.SETTLED_BY_HAND
    assert "outcome unknown" not in await said(desk, OLGA, "/status")


async def test_settle_and_repeat_say_what_they_need(desk: Treasury) -> None:
    request = await desk.asked()
    first = "Name the request, and whether it was executed or not-executed."
    assert (await said(desk, OLGA, f"/settle {request.id}")).startswith(first)
    assert (await said(desk, OLGA, f"/settle {request.id} perhaps")).startswith("Say executed or not-executed")
    nothing = "There is no request whose outcome is unknown."
    assert [await said(desk, OLGA, line) for line in ("/settle", "/repeat")] == [nothing, nothing]
    not_unknown = f"The outcome of request {request.id} is not unknown (pending). Nothing was changed."
    assert await said(desk, OLGA, f"/settle {request.id} executed") == not_unknown
    assert await said(desk, ANNA, f"/repeat {request.id}") == not_unknown
    assert (await said(desk, OLGA, f"/repeat {request.id} now")).startswith("Name one request.")


async def test_a_repetition_is_signed_before_the_same_is_asked_for_again(desk: Treasury) -> None:
    request = await unknown(desk)
    shown = await prompt(desk, asked_in(await said(desk, OLGA, f"/repeat {request.id}")))
    assert "If the first attempt was executed after all, it is paid twice." in shown["text"]
    assert list(buttons(shown))[:2] == ["Approve", "Deny"]
    await desk.desk.taps(ANNA, shown, "Approve")
    assert (await desk.asked()).id != request.id


async def test_the_book_shows_whole_numbers_in_private_and_their_ends_in_a_group(desk: Treasury) -> None:
    assert await said(desk, VERA, "/beneficiaries") == "Beneficiaries\n\nCrypto Capital\nHarbour · 9120007013"
    assert await said(desk, VERA, "/beneficiaries", GROUP) == "Beneficiaries\n\nCrypto Capital\nHarbour · …7013"


async def test_a_new_one_is_asked_for_in_one_line_and_is_new_for_a_day(desk: Treasury) -> None:
    answer = await said(desk, OLGA, "/beneficiaries add cryptocapital 9120008150 Nordlicht Bank USD")
    shown = await prompt(desk, asked_in(answer))
    assert "New beneficiary: Nordlicht Bank\naccount 9120008150 at Crypto Capital, for USD only" in shown["text"]
    await desk.desk.taps(ANNA, shown, "Approve")
    listed = await said(desk, VERA, "/beneficiaries")
    assert re.search(r"\nNordlicht Bank · 9120008150 · USD only\n    new: from 20\d\d-.* on$", listed)


async def test_taking_one_out_is_one_line(desk: Treasury) -> None:
    assert await said(desk, VERA, "/beneficiaries remove Harbour") == (
        "That needs the right to freeze the desk, which you do not have. An admin can give it."
    )
    assert await said(desk, ANNA, "/beneficiaries remove harbuor") == (
        "There is no beneficiary “harbuor” in the book. Did you mean Harbour? There is: Harbour."
    )
    assert await said(desk, ANNA, "/beneficiaries remove harbour") == (
        "Harbour is taken out: nothing more goes there. Everybody who may freeze is told."
    )
    assert (await said(desk, VERA, "/beneficiaries")).startswith("The book is empty: no transfer can be made.")
    assert (await said(desk, VERA, "/beneficiaries what")).startswith("Behind it comes nothing, add or remove.")


# by buttons


async def offered(desk: Treasury, person: int, line: str, label: str) -> Message:
    """The answer to a line that has such a button."""
    answers = await desk.desk.says(person, line)
    (found,) = [one for one in answers if label in buttons(one)]
    return found


async def test_an_unknown_outcome_is_settled_by_buttons_and_a_reason(desk: Treasury) -> None:
    request = await unknown(desk)
    shown = await offered(desk, OLGA, "/settle", "It was not…")
    assert f"{request.id}\n    Transfer 10.00 USD\n" in shown["text"]
    (question,) = await desk.desk.taps(OLGA, shown, "It was not…")
    assert question["text"].startswith("How do you know?")
    answer = await said(desk, OLGA, "the bank says so by phone")
    signed = await prompt(desk, asked_in(answer))
    assert f"Settle by hand that request {request.id} was not executed." in signed["text"]
    assert "Why: the bank says so by phone" in signed["text"]


async def test_of_several_unknown_ones_each_has_its_button_and_repeating_is_one_tap(desk: Treasury) -> None:
    first = await unknown(desk)
    await desk.faults({"action": "disconnect", "match": {"contains": "CS-"}})
    second = await desk.asked("11.00")
    await desk.approves(second)
    await desk.comes_to(second, State.UNKNOWN)
    shown = await offered(desk, OLGA, "/settle", second.id)
    assert list(buttons(shown)) == [first.id, second.id]
    assert shown["has_protected_content"], "it tells whose money went where"
    (answers,) = await desk.desk.taps(OLGA, shown, second.id)
    assert list(buttons(answers)) == ["It was executed…", "It was not…"]
    shown = await offered(desk, OLGA, "/repeat", second.id)
    for one in (first, second):
        await desk.desk.taps(OLGA, shown, one.id)
    asked = await desk.rows("SELECT json_extract(parameters, '$.request') FROM requests WHERE kind = 'repeat'")
    assert sorted(asked) == sorted([(first.id,), (second.id,)])


async def test_who_has_nothing_to_do_with_an_unknown_one_is_not_offered_it(desk: Treasury) -> None:
    await unknown(desk)
    await desk.write("INSERT INTO roles (person_id, role) VALUES (?, 'operator')", desk.person(VERA).id)
    await desk.write("DELETE FROM shares")
    await desk.rooms.access.refresh()
    nothing = "There is no request whose outcome is unknown."
    assert await said(desk, VERA, "/settle") == nothing
    await desk.write("DELETE FROM connections")  # its login was taken back meanwhile
    assert [await said(desk, VERA, line) for line in ("/settle", "/repeat")] == [nothing, nothing]


async def test_a_thaw_is_asked_for_by_naming_nothing_but_the_reason(desk: Treasury) -> None:
    assert await said(desk, OLGA, "/thaw") == "The desk is not frozen."
    assert "To end it: /thaw crm and why;" in await said(desk, OLGA, "/freeze crm a client called")
    question = await said(desk, ANNA, "/thaw")
    assert question.startswith("Broctagon CRM is frozen since ")
    assert "by Olga: a client called.\nWhy can it go on?" in question
    await said(desk, ANNA, "/cancel")
    await said(desk, OLGA, "/freeze somebody uses our key")
    which = await offered(desk, OLGA, "/thaw", "The desk…")
    assert list(buttons(which)) == ["The desk…", "Broctagon CRM…"]
    await desk.desk.taps(OLGA, which, "Broctagon CRM…")
    shown = await prompt(desk, asked_in(await said(desk, OLGA, "it was the client")))
    assert "Thaw Broctagon CRM: what is approved and waits then leaves at once." in shown["text"]
    assert "Why it can go on: it was the client" in shown["text"]


async def test_who_signs_is_shown_what_waits_before_they_decide(desk: Treasury) -> None:
    assert await said(desk, ANNA, "/approve") == "Nothing waits for your signature."
    first = await desk.asked("10.00")
    shown = await offered(desk, ANNA, "/approve", "Approve")
    assert "Transfer 10.00 USD" in shown["text"]
    second = await desk.asked("11.00")
    which = await offered(desk, ANNA, "/reject", second.id)
    assert list(buttons(which)) == [first.id, second.id]
    assert which["has_protected_content"]
    (card,) = await desk.desk.taps(ANNA, which, second.id)
    await desk.desk.taps(ANNA, card, "Deny")
    assert (await desk.state(first), await desk.state(second)) == (State.PENDING, State.DENIED)


# what moves no money


@pytest.mark.parametrize(
    ("provider", "line", "button"),
    [
        ("capital", "/account hedging on", ""),
        ("deriv", "/sellexpired", ""),
        ("crm", "/lead ines@example.com Ines", "Make it"),
    ],
)
async def test_a_change_that_has_not_left_when_a_freeze_comes_does_not_leave(
    tmp_path: Path, chat: Chat, monkeypatch: pytest.MonkeyPatch, provider: str, line: str, button: str
) -> None:
    session, asked = Connections.session, []

    @asynccontextmanager
    async def and_somebody_freezes(
        self: Connections, connection: Connection, *, seconds: float | None = None
    ) -> AsyncIterator[Provider]:
        async with session(self, connection, seconds=seconds) as opened:
            await at_desk.rooms.freezing.freeze(at_desk.person(ADAM), DESK, "odd transfers", telegram_id=ADAM)
            asked.append(connection.provider)
            yield opened

    async with at_work_with(tmp_path, chat, provider) as at_desk:
        await at_desk.link(provider)
        answers = await at_desk.says(OLGA, line)
        if not button:
            (answer,) = answers
            assert "frozen" not in answer["text"]  # the login is there, and nothing stands in its way
        monkeypatch.setattr(Connections, "session", and_somebody_freezes)
        answers = await at_desk.taps(OLGA, answers[0], button) if button else await at_desk.says(OLGA, line)
        told = next(one for one in texts(answers) if not one.startswith("Frozen"))
        assert "The desk is frozen (odd transfers): no money leaves until /thaw was signed." in told
        assert asked == [provider]
