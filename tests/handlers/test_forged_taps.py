"""What comes back from a button is attacker text: nothing but the very button decides, and that once (F19, F27)."""

import random
import struct
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from bot.access.model import Person
from bot.approvals.carriers import InHouse
from bot.approvals.model import Kind, Request, Rule, Seat, State
from bot.approvals.service import Wish
from bot.store import Tables
from bot.vault.signing import ButtonSigner
from handlers.buttons import read
from tests.support.chatting import ADAM, ANNA, OLGA, Desk, Message, buttons, texts, until

COUNT = 10_000
A_TURN = 80
OLD = "This button is too old or not yours. Please ask again."
CHOICE, EXPIRY = 10, 11
"""Where in a button's bytes they lie: version 1, card 8, card's version 1, choice 1, expiry 4, code 16."""


class Painting(InHouse):
    """A harmless kind of request."""

    def __init__(self, *circles: str) -> None:
        self.done: list[str] = []
        self.circles = circles

    def lines(self, parameters: Mapping[str, str]) -> tuple[str, ...]:
        return (f"Paint the desk {parameters['colour']}",)

    def rule(self, tables: Tables, asked_by: Person, parameters: Mapping[str, str]) -> Rule:
        return Rule(tuple(Seat(circle) for circle in self.circles))

    def carry(self, tables: Tables, request: Request) -> str:
        return f"painted {request.parameters['colour']}"

    async def carried(self, request: Request) -> None:
        self.done.append(request.id)


async def _prompted(desk: Desk, colour: str, to: int = ANNA) -> tuple[Request, Message]:
    """A request, and the message with its buttons."""
    request = await desk.rooms.approvals.ask(desk.person(OLGA), Wish(Kind.ROLE, {"colour": colour}), telegram_id=OLGA)

    def found() -> list[Message]:
        return [one for one in desk.chat.from_bot(to) if f"Request {request.id}" in one.get("text", "")]

    await until(found)
    return request, found()[-1]


def _taps(person: int, message: Message, data: list[str], begun: int = 0) -> list[dict[str, Any]]:
    return [
        {
            "callback_query": {
                "id": f"{person}-{begun + number}",
                "from": {"id": person, "is_bot": False, "first_name": "P"},
                "message": message,
                "chat_instance": "1",
                "data": one,
            }
        }
        for number, one in enumerate(data)
    ]


def _raw(data: str) -> bytes:
    return urlsafe_b64decode(data + "=" * (-len(data) % 4))


def _text(raw: bytes) -> str:
    return urlsafe_b64encode(raw).decode().rstrip("=")


def _forged(desk: Desk, good: str, other: str, elsewhere: str) -> Iterator[str]:
    """Everything that is nearly `good`, and then anything.

    Args:
        good: A button of Anna's, unused.
        other: The same of another request's card.
        elsewhere: The same card's, in somebody else's hands.
    """
    raw, grafted, dice = _raw(good), _raw(other), random.Random(27)
    yield elsewhere
    for bit in range(len(raw) * 8):  # every bit, those of the code among them
        yield _text(bytes(byte ^ (1 << bit % 8 if place == bit // 8 else 0) for place, byte in enumerate(raw)))
    for length in range(1, len(good)):
        yield good[:length]
    for length in range(1, len(raw)):
        yield _text(raw[:length])
    for choice in range(256):
        if choice != raw[CHOICE]:
            yield _text(raw[:CHOICE] + bytes([choice]) + raw[CHOICE + 1 :])
    (expires,) = struct.unpack(">I", raw[EXPIRY : EXPIRY + 4])
    for seconds in (-3600, -1, 1, 60, 3600, 86_400, 0xFFFFFFFF - expires):
        yield _text(raw[:EXPIRY] + struct.pack(">I", expires + seconds) + raw[EXPIRY + 4 :])
    yield _text(raw[:15] + grafted[15:])  # this card, the other's code
    yield _text(grafted[:15] + raw[15:])
    yield _text(raw[:15] + bytes(16))
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    last = letters.index(good[-1])  # the last letter of 42 has spare bits: another spelling of the same bytes
    yield from (good[:-1] + letters[last ^ spare] for spare in (1, 2, 3))
    yield from (f"{good}=", f"{good}==", f"{good}A", f" {good}", f"{good}\n", good.lower(), good.upper(), good[::-1])
    yield from ("", " ", "=", "null", "v1", "é" * 20, "\x00" * 10, "𝟙" * 16, "\u202e" + good, "A" * 4096, "[" * 5000)
    while True:
        match dice.randrange(4):
            case 0:
                yield _text(dice.randbytes(31))
            case 1:  # its head, and a guess
                yield _text(raw[:15] + dice.randbytes(16))
            case 2:
                yield "".join(dice.choices(letters + "+/=. \u00e9\u202e", k=dice.randrange(1, 65)))
            case _:  # several bits at once
                changed = bytearray(raw)
                for _ in range(dice.randrange(2, 9)):
                    changed[dice.randrange(len(raw))] ^= 1 << dice.randrange(8)
                yield _text(bytes(changed))


def _before_the_restore(desk: Desk, good: str) -> list[str]:
    """The same button as earlier lives of this install would have made it."""
    person, raw = desk.person(ANNA).id, _raw(good)
    signer = desk.rooms.signer
    assert isinstance(signer, ButtonSigner)
    old = [ButtonSigner(signer._keys, epoch) for epoch in (0, 2, 3, 1_772_701_200)]
    return [_text(raw[:15] + one.sign(raw[:15] + person.to_bytes(8, "big"))) for one in old]


@pytest.mark.timeout(300)
async def test_of_ten_thousand_forged_taps_none_is_accepted(desk: Desk) -> None:
    """F27: none counts, each is answered in the same words, and nothing reaches the last net."""
    painting = Painting("role/approver")
    desk.rooms.approvals.carriers[Kind.ROLE] = painting
    request, shown = await _prompted(desk, "green")
    _, other = await _prompted(desk, "blue")
    good = buttons(shown)["Approve"]
    olgas = _text(_raw(good)[:15] + desk.rooms.signer.sign(_raw(good)[:15] + desk.person(OLGA).id.to_bytes(8, "big")))
    forged = _before_the_restore(desk, good)
    for one in _forged(desk, good, buttons(other)["Approve"], olgas):
        if len(forged) == COUNT:
            break
        if one not in (good, buttons(shown)["Deny"], buttons(other)["Approve"]):
            forged.append(one)
    now, person = desk.clock.now(), desk.person(ANNA).id
    assert [one for one in forged if read(one, person, desk.rooms.signer, now) is not None] == []

    for begun in range(0, COUNT, A_TURN):
        await desk.happens(*_taps(ANNA, shown, forged[begun : begun + A_TURN], begun))

    assert Counter(one["params"].get("text") for one in desk.chat.calls("answerCallbackQuery")) == {OLD: COUNT}
    assert desk.rooms.pulse.incidents == 0
    assert desk.rooms.pulse.refused.get("too many at once", 0) == 0
    still = await desk.rooms.approvals.find(request.id)
    assert (still.state, still.version, still.votes, painting.done) == (State.PENDING, 1, (), [])

    await desk.happens(*_taps(ANNA, shown, [good], COUNT))  # the very button
    assert painting.done == [request.id]


async def test_a_hundred_taps_on_one_button_are_one_vote_and_each_is_answered(desk: Desk) -> None:
    """F19: two at once, then a hundred from wherever one is logged in; the later ones say that it is recorded."""
    painting = Painting("role/approver", "role/admin")
    desk.rooms.approvals.carriers[Kind.ROLE] = painting
    request, shown = await _prompted(desk, "green")
    approve = buttons(shown)["Approve"]

    await desk.happens(*_taps(ANNA, shown, [approve] * 2))
    await desk.happens(*_taps(ANNA, shown, [approve] * 60, 2))
    await desk.happens(*_taps(ANNA, shown, [approve] * 40, 62))

    votes = (await desk.rooms.approvals.find(request.id)).votes
    assert [vote.person_id for vote in votes] == [desk.person(ANNA).id]
    said = [one for one in texts(desk.chat.from_bot(ANNA)) if "recorded already" in one]
    assert said == ["Your decision on this is recorded already. Nothing was changed."] * 101
    answers = [one["params"]["callback_query_id"] for one in desk.chat.calls("answerCallbackQuery")]
    assert sorted(answers) == sorted(f"{ANNA}-{number}" for number in range(102))
    assert painting.done == []


async def test_a_hundred_deciding_taps_carry_it_out_once(desk: Desk) -> None:
    """F19: the button of the last signature, a hundred times."""
    painting = Painting("role/approver", "role/admin")
    desk.rooms.approvals.carriers[Kind.ROLE] = painting
    request, shown = await _prompted(desk, "green")
    await desk.taps(ANNA, shown, "Approve")
    adams = next(one for one in desk.chat.from_bot(ADAM) if f"Request {request.id}" in one.get("text", ""))
    approve = buttons(adams)["Approve"]

    await desk.happens(*_taps(ADAM, adams, [approve] * 50))
    await desk.happens(*_taps(ADAM, adams, [approve] * 50, 50))

    assert painting.done == [request.id]
    late = [one for one in texts(desk.chat.from_bot(ADAM)) if one.startswith("This has ended")]
    assert late == ["This has ended (done: painted green). Nothing was changed."] * 99
