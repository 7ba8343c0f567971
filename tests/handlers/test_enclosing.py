"""Notes and files on a request: kept once, shown to whoever signs, and nothing but harmless kinds."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bot.approvals.model import Request
from bot.errors import InputError
from bot.operations.enclosing import MOST_BYTES, media_type_of
from tests.support.chatting import ADAM, ANNA, OLGA, VERA, Chat, Message, texts, until
from tests.support.treasury import Treasury, treasury

PDF = b"%PDF-1.7\n%canary\n"
PNG = b"\x89PNG\r\n\x1a\n" + bytes(16)
CSV = b"name,amount\r\nAcme,10.00\r\n"


@pytest.fixture
async def house(tmp_path: Path, chat: Chat) -> AsyncIterator[Treasury]:
    async with treasury(tmp_path, chat) as opened:
        yield opened


async def sends(house: Treasury, person: int, name: str, content: bytes, kind: str = "application/pdf") -> list[str]:
    """A person sends a file; what the bot then says."""
    desk = house.desk
    stored = desk.chat.simulator.world.keep_file(name, kind, content)
    there = {"file_id": stored.id, "file_unique_id": stored.unique_id, "file_size": len(content)}
    if kind == "photo":
        said = await desk.says(person, "", photo=[{**there, "width": 1, "height": 1}])
    else:
        said = await desk.says(person, "", document={**there, "file_name": name, "mime_type": kind})
    return [plain(one) for one in texts(said)]


def plain(text: str) -> str:
    """Without what keeps words from becoming links."""
    return text.replace("\u2060", "")


async def card(house: Treasury, person: int, request: Request) -> Message:
    def found() -> list[Message]:
        said = house.desk.chat.from_bot(person)
        return [one for one in said if f"Request {request.id} ·" in one.get("text", "")]

    await until(found)
    return found()[0]


async def request_of_olga(house: Treasury) -> Request:
    """A request whose asker has their card: what comes after that is the answer to what they say."""
    request = await house.asked()
    await card(house, OLGA, request)
    return request


async def test_a_note_is_on_the_cards_of_those_it_concerns(house: Treasury) -> None:
    request = await request_of_olga(house)
    cards = [await card(house, person, request) for person in (ANNA, OLGA)]
    answer = await house.desk.said(OLGA, f"/note {request.id} The invoice  is on its way")
    assert answer == f"Noted. Everybody who has a card of request {request.id} sees it there."
    for one in cards:
        await until(lambda one=one: "Olga notes, " in house.desk.now(one)["text"])  # type: ignore[misc]
        assert house.desk.now(one)["text"].count("The invoice is on its way") == 1


async def test_a_note_of_many_words_is_kept_whole(house: Treasury) -> None:
    request = await request_of_olga(house)
    await house.desk.says(OLGA, f"/note {request.id} {'a ' * 249}z")
    ((text,),) = await house.rows("SELECT text FROM remarks")
    assert text == "a " * 249 + "z"
    (refused,) = texts(await house.desk.says(OLGA, f"/note {request.id} {'a ' * 250}z"))
    assert refused.startswith("A note has 1 to 500 characters, and this one has 501.")
    assert len(await house.rows("SELECT 1 FROM remarks")) == 1


async def test_who_neither_asked_nor_signs_adds_nothing(house: Treasury) -> None:
    request = await request_of_olga(house)
    for words in (f"/note {request.id} me too", f"/attach {request.id}"):
        (said,) = texts(await house.desk.says(VERA, words))
        assert said.startswith("That needs the right to add to a request of somebody else")
    assert await house.rows("SELECT 1 FROM remarks UNION SELECT 1 FROM drafts") == []


async def test_a_file_is_attached_and_counted_on_the_cards(house: Treasury) -> None:
    request = await request_of_olga(house)
    shown = await card(house, ANNA, request)
    attached = await house.desk.said(OLGA, f"/attach {request.id}")
    assert attached.endswith("PDF, PNG, JPEG, text or CSV, at most 2 MiB.\n/cancel stops this.")
    said = await sends(house, OLGA, "../in voice<4711>.exe", PDF)
    assert said == [f"Attached to request {request.id}: in voice_4711_.pdf. /attach adds another one."]
    await until(lambda: "\n1 file: in voice_4711_.pdf.\n" in plain(house.desk.now(shown)["text"]))
    kept = await house.rows("SELECT name, media_type, sha256, body FROM files")
    assert kept == [
        (
            "in voice_4711_.pdf",
            "application/pdf",
            "6fd253af050cc5454da7cdcc0fea71bd3ae5ce63ad195036c5817deacaf99a02",
            PDF,
        )
    ]
    again = await sends(house, OLGA, "late.pdf", PDF + b"more")
    assert len(await house.rows("SELECT 1 FROM files")) == 1, again


async def test_a_photo_is_a_file_too_and_words_are_not(house: Treasury) -> None:
    request = await request_of_olga(house)
    await house.desk.said(ANNA, f"/attach {request.id}")
    assert (await house.desk.said(ANNA, "here it comes")).startswith(f"Send a file or a photo for request {request.id}")
    said = await sends(house, ANNA, "x", PNG, "photo")
    assert said == [f"Attached to request {request.id}: photo.png. /attach adds another one."]


async def test_what_is_no_harmless_kind_or_too_large_is_not_kept_and_asked_for_again(house: Treasury) -> None:
    request = await request_of_olga(house)
    await house.desk.said(OLGA, f"/attach {request.id}")
    (said,) = await sends(house, OLGA, "invoice.pdf", b"MZ\x90\x00" + bytes(64))
    assert said.startswith("Only PDF, PNG, JPEG, plain text and CSV files are kept.")
    (said,) = await sends(house, OLGA, "invoice.pdf", PDF + bytes(MOST_BYTES))
    assert said.startswith("A file has at most 2 MiB.")
    assert await house.rows("SELECT 1 FROM files") == []
    await sends(house, OLGA, "list.pdf", CSV)
    assert await house.rows("SELECT name, media_type FROM files") == [("list.csv", "text/csv")]


async def test_the_eleventh_file_and_the_same_file_twice_are_refused(house: Treasury) -> None:
    request = await request_of_olga(house)
    olga, room = house.person(OLGA), house.rooms.enclosing
    for number in range(9):
        await room.attach(olga, request.id, "a.pdf", PDF + bytes([65 + number]), telegram_id=OLGA)
    await house.desk.said(OLGA, f"/attach {request.id}")
    (said,) = await sends(house, OLGA, "a.pdf", PDF + b"A")
    assert said.startswith("This very file is attached already.")
    await sends(house, OLGA, "a.pdf", PDF + b"z")
    (said,) = texts(await house.desk.says(OLGA, f"/attach {request.id}"))
    assert said.startswith(f"Request {request.id} has 10 files, and no more are kept.")


async def test_nothing_is_attached_when_nothing_was_asked_for(house: Treasury) -> None:
    request = await request_of_olga(house)
    said = ["I did not ask for a file, so I keep nothing of it. /attach adds one to a request."]
    assert await sends(house, ADAM, "a.pdf", PDF) == said
    (hint,) = texts(await house.desk.says(ADAM, "", dice={"emoji": "🎲", "value": 4}))
    assert hint == "I understand commands, for example /balance. /help shows all of them."
    await house.desk.says(OLGA, f"/note {request.id}")
    assert await sends(house, OLGA, "a.pdf", PDF) == ["Please answer that in words; /cancel stops it."]
    assert await house.rows("SELECT 1 FROM files") == []


async def test_nothing_is_asked_about_a_request_that_is_not_there(house: Treasury) -> None:
    for _ in range(2):
        assert (await house.desk.said(OLGA, "/note zzzzzzzzzz")).startswith("There is no request")
    assert (await house.desk.said(OLGA, "The invoice is attached")).startswith("I understand commands")


async def test_a_request_to_add_to_is_chosen_and_what_is_noted_is_asked_for(house: Treasury) -> None:
    request = await request_of_olga(house)
    (offered,) = await house.desk.says(OLGA, "/note")
    await house.desk.taps(OLGA, offered, request.id)
    await house.desk.said(OLGA, "The invoice is on its way")
    prompt = await card(house, ANNA, request)
    await until(lambda: "The invoice is on its way" in house.desk.now(prompt)["text"])
    (offered,) = await house.desk.says(OLGA, "/attach")
    await house.desk.taps(OLGA, offered, request.id)
    assert (await sends(house, OLGA, "a.pdf", PDF))[-1].startswith(f"Attached to request {request.id}: a.pdf.")


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (PDF, "application/pdf"),
        (PNG, "image/png"),
        (b"\xff\xd8\xff\xe0" + bytes(8), "image/jpeg"),
        ("Grüße, and more\nthan one line".encode(), "text/plain"),
        (CSV, "text/csv"),
        (b"a;b\n1;2\n3;4\n", "text/csv"),
        (b"just, a sentence", "text/plain"),
    ],
)
def test_the_content_says_what_it_is(content: bytes, kind: str) -> None:
    assert media_type_of(content) == kind


@pytest.mark.parametrize("content", [b"", b" \n", b"\x00\x01", b"PK\x03\x04zip", b"<\xff>", b"#!/bin/sh\n\x1b[2J"])
def test_and_what_is_not_kept(content: bytes) -> None:
    with pytest.raises(InputError):
        media_type_of(content)
