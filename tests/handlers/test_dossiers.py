"""One request seen whole, decided by its id, and found again later."""

import csv
import io
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bot.approvals.model import Request, State
from bot.approvals.wording import words_of
from tests.support.chatting import ADAM, ANNA, OLGA, VERA, Chat, Message, buttons, telegram, texts, until
from tests.support.desk import GROUP
from tests.support.treasury import HARBOUR, OPERATING, Treasury, treasury

WITH_A_NUMBER = """
[[rules]]
name = "a number"
tier = "quorum"
needs = ["1 of role/approver"]
proof = "number"
"""


@pytest.fixture
async def chat() -> AsyncIterator[Chat]:
    async with telegram() as opened:
        yield opened


@pytest.fixture
async def room(tmp_path: Path, chat: Chat) -> AsyncIterator[Treasury]:
    async with treasury(tmp_path, chat) as opened:
        yield opened


async def shown(room: Treasury, person: int, words: str, title: str) -> Message:
    """What a command answers; prompts and news may come in between."""
    said = await room.desk.says(person, words)
    (message,) = [one for one in said if one["text"].startswith(title) and buttons(one)]
    return message


async def one_of(room: Treasury, person: int, request: Request) -> Message:
    title = f"Request {request.id}\nTransfer"
    return await shown(room, person, f"/request {request.id}", title)


async def test_a_request_is_shown_whole_and_signed_there(room: Treasury) -> None:
    request = await room.asked("10.00", note="Invoice 4711")
    view = await one_of(room, ANNA, request)
    text = view["text"].replace("\u2060", "")
    assert text.startswith(
        f"Request {request.id}\nTransfer 10.00 USD\nfrom {OPERATING} (cryptocapital/main · LIVE)\n"
        f"to Harbour, {HARBOUR}\nFor: Invoice 4711\n"
        f"Request {request.id} · {words_of(request.hash)} · {request.hash[:8]}\n\nPending.\nAsked for by Olga, "
    )
    assert text.endswith("Needed: 1 approver. Could still sign: Anna.")
    assert list(buttons(view)) == ["Approve", "Deny", "Refresh"]
    assert list(buttons(await one_of(room, OLGA, request))) == ["Withdraw it", "Refresh"]

    await room.desk.taps(ANNA, view, "Approve")
    await room.comes_to(request, State.SUCCEEDED)
    await room.desk.taps(ANNA, room.desk.now(view), "Refresh")
    text = room.desk.now(view)["text"].replace("\u2060", "")
    assert "\n\nDone by " in text
    assert "✓ Anna approved, " in text
    assert "\n\nSent " in text
    assert list(buttons(room.desk.now(view))) == ["Refresh"]


async def test_it_is_nobody_elses_business(room: Treasury) -> None:
    request = await room.asked()
    for outsider in (VERA, ADAM):
        said = texts(await room.desk.says(outsider, f"/request {request.id}"))
        assert said == [f"There is no request “{request.id}” that you can see."]
    said = texts(await room.desk.says(ADAM, f"/approve {request.id}"))
    assert said == [f"There is no request “{request.id}” that you can see."]
    assert await room.state(request) is State.PENDING


async def test_an_id_that_is_none_is_told_so(room: Treasury) -> None:
    assert await room.desk.said(ANNA, "/request 1234") == (
        "Name the request by its id, ten letters and digits; /pending shows those that wait. "
        "For example: /request abcdefghij"
    )


async def test_without_an_id_the_newest_that_one_may_see_are_offered(room: Treasury) -> None:
    none = "There is no request yet that you may see."
    assert await room.desk.said(ANNA, "/request") == none
    first, second = await room.asked("10.00", note="the first"), await room.asked("11.00", note="the second")
    offer = await shown(room, OLGA, "/request", "Which one?")
    assert list(buttons(offer))[:2] == [second.id, first.id]
    assert "Transfer 11.00 USD" in offer["text"]
    tapped = await room.desk.taps(OLGA, offer, first.id)
    assert any(one["text"].startswith(f"Request {first.id}\nTransfer 10.00 USD") for one in tapped)
    assert await room.desk.said(VERA, "/request") == none
    file = await room.desk.taps(OLGA, await shown(room, OLGA, "/evidence", "Which one?"), second.id)
    assert any(second.id in one["document"]["file_name"] for one in file)


async def test_it_is_withdrawn_from_there(room: Treasury) -> None:
    request = await room.asked()
    view = await one_of(room, OLGA, request)
    await room.desk.taps(OLGA, view, "Withdraw it")
    assert await room.state(request) is State.CANCELLED
    assert "Called off by Olga." in room.desk.now(view)["text"]


async def test_it_is_approved_by_its_id(room: Treasury) -> None:
    request = await room.asked()
    said = texts(await room.desk.says(ANNA, f"/approve {request.id}"))
    (recorded,) = [text for text in said if text.startswith("Recorded")]
    assert recorded.startswith(f"Recorded: you approved request {request.id}.\nTransfer 10.00 USD\n")
    await room.comes_to(request, State.SUCCEEDED)
    assert len(await room.executed()) == 1


async def test_it_is_denied_by_its_id_and_the_reason_is_kept_and_told(room: Treasury) -> None:
    request = await room.asked()
    await room.desk.says(ANNA, f"/reject {request.id} the invoice is paid already")
    assert await room.state(request) is State.DENIED
    told = f"Request {request.id}: denied\n"

    def news() -> list[str]:
        return [text for text in texts(room.desk.chat.from_bot(OLGA)) if text.startswith(told)]

    await until(news)
    assert news()[0].endswith("\nBy Anna: the invoice is paid already.")
    assert await room.rows("SELECT request_id, text FROM remarks") == [(request.id, "the invoice is paid already")]
    view = await one_of(room, OLGA, request)
    assert "Anna, " in view["text"]
    assert view["text"].endswith(": the invoice is paid already")


async def test_the_same_proof_is_asked_for_when_it_is_typed(room: Treasury) -> None:
    await room.policy(WITH_A_NUMBER, version=2)
    request = await room.asked()
    assert request.number is not None
    said = texts(await room.desk.says(ANNA, f"/approve {request.id}"))
    assert any(text.startswith("Tap Approve, then the number on the asker's screen.") for text in said)
    assert await room.state(request) is State.PENDING
    typed = f"/approve {request.id} {request.number}"
    await room.desk.says(ANNA, typed)
    await room.comes_to(request, State.SUCCEEDED)
    assert typed not in texts(room.desk.chat.messages(ANNA))  # deleted: it might have been a code


async def test_a_wrong_number_is_the_last(room: Treasury) -> None:
    await room.policy(WITH_A_NUMBER, version=2)
    request = await room.asked()
    wrong = 10 + ((request.number or 0) - 9) % 90
    said = texts(await room.desk.says(ANNA, f"/approve {request.id} {wrong}"))
    assert any(text.startswith("That is not the number on the asker's screen.") for text in said)
    for typed in (f" {request.number}", f" {wrong}", ""):
        said = texts(await room.desk.says(ANNA, f"/approve {request.id}{typed}"))
        assert any(text.startswith("You picked a wrong number for this request") for text in said)
        assert not any(text.startswith((f"Request {request.id}\nTransfer", "Tap Approve")) for text in said)
    assert "Nothing waits for your signature." in texts(await room.desk.says(ANNA, "/approve"))
    assert await room.state(request) is State.PENDING


async def test_after_a_wrong_tap_nothing_anywhere_offers_a_second(room: Treasury) -> None:
    """Anna alone could sign: the message she tapped, her older one, what she asks for, and Olga's card all say so."""
    await room.policy(WITH_A_NUMBER, version=2)
    request = await room.asked()
    older, view = await one_of(room, ANNA, request), await one_of(room, ANNA, request)
    await room.desk.taps(ANNA, view, "Approve")
    await room.desk.taps(ANNA, older, "Approve")
    wrong = next(label for label in buttons(room.desk.now(view)) if label.isdecimal() and label != str(request.number))
    said = texts(await room.desk.taps(ANNA, room.desk.now(view), wrong))
    assert any("any more, and nobody else is left who could" in text for text in said)
    assert list(buttons(room.desk.now(view))) == ["Deny", "Refresh"]
    said = texts(await room.desk.taps(ANNA, room.desk.now(older), str(request.number)))
    assert any(text.startswith("You picked a wrong number for this request") for text in said)

    shown_now = await one_of(room, ANNA, request)
    assert shown_now["text"].endswith("Needed: 1 approver. Could still sign: nobody.")
    assert list(buttons(shown_now)) == ["Deny", "Refresh"]

    def to_olga(words: str) -> list[str]:
        return [text for text in texts(room.desk.chat.from_bot(OLGA)) if words in text]

    await until(lambda: to_olga(f"Request {request.id} lacks somebody to sign it"))
    await until(lambda: to_olga("1 needed: nobody just now (approver)."))
    assert len(to_olga("lacks somebody to sign it")) == 1
    taps = await room.rows("SELECT count(*) FROM audit WHERE action = 'request.number_missed'")
    assert taps == [(1,)]


async def test_in_a_group_it_is_not_decided_and_what_may_be_a_code_is_to_go(room: Treasury) -> None:
    request = await room.asked()
    said = texts(await room.desk.says(ANNA, f"/approve {request.id} 123456", GROUP))
    assert said == [  # the bot is no admin there
        "I could not delete your message. Delete it yourself, and change what it held wherever it counts.",
        "/approve works in our private chat only.",
    ]
    assert await room.state(request) is State.PENDING


async def test_what_was_said_late_decides_nothing(room: Treasury) -> None:
    request = await room.asked()
    date = int(room.desk.clock.now().timestamp()) - 62
    for words in (f"/approve {request.id}", f"/reject {request.id}"):
        await room.desk.happens({"message": room.desk.chat.message_from(ANNA, words, date=date)})
    assert await room.state(request) is State.PENDING


async def test_history_is_found_by_person_kind_state_day_and_words(room: Treasury) -> None:
    first = await room.asked("10.00", note="Invoice 4711")
    second = await room.asked("11.00", note="Rent")
    await room.desk.says(ANNA, f"/reject {second.id}")

    async def found(words: str) -> list[str]:
        message = await shown(room, ANNA, f"/history {words}", "Requests ")
        return [number for number in (first.id, second.id) if number in message["text"]]

    assert await found("") == [first.id, second.id]
    assert await found("transfers today") == [first.id, second.id]
    assert await found("pending") == [first.id]
    assert await found("denied Anna") == [second.id]
    assert await found("invoice 4711") == [first.id]
    said = await room.desk.said(ANNA, "/history 2020-01-01")
    assert said == "No request fits. /history shows all that concern you."
    assert await room.desk.said(VERA, "/history") == "There has been no request yet that concerns you."


async def test_history_has_pages_and_a_file(room: Treasury) -> None:
    for number in range(8):
        await room.asked(f"{number + 1}.00", note="=1+1")
    page = await shown(room, ANNA, "/history", "Requests 1–6 of 8, newest first")
    assert list(buttons(page)) == ["Older ›", "CSV file"]
    await room.desk.taps(ANNA, page, "Older ›")
    assert room.desk.now(page)["text"].startswith("Requests 7–8 of 8")
    assert list(buttons(room.desk.now(page))) == ["‹ Newer", "CSV file"]

    await room.desk.taps(ANNA, room.desk.now(page), "CSV file")
    (sent,) = [one for one in room.desk.chat.from_bot(ANNA) if "document" in one]
    assert sent["caption"] == "8 requests"
    stored = room.desk.chat.simulator.world.files[sent["document"]["file_id"]]
    rows = list(csv.reader(io.StringIO(stored.content.decode())))
    assert rows[0][:4] == ["id", "asked_at", "asked_by", "kind"]
    assert [row[6] for row in rows[1:]] == [f"{number}.00" for number in range(8, 0, -1)]
    assert await room.rows("SELECT details FROM audit WHERE action = 'requests.exported'") != []


async def test_pending_shows_what_is_on_its_way_as_well(room: Treasury) -> None:
    request = await room.asked()
    await room.write("UPDATE requests SET state = 'unknown' WHERE id = ?", request.id)
    said = await room.desk.said(OLGA, "/pending")
    assert said.startswith("Nothing waits for a decision.\n\nApproved, and not over yet\n\n")
    assert f"{request.id} · Olga · outcome unknown" in said
    view = await one_of(room, OLGA, request)
    assert "Do not send it again, by whatever way." in view["text"]
