"""A prompt arrives with buttons, a tap decides, and the message says in place what became of it."""

import hashlib
from collections.abc import Mapping
from datetime import timedelta

import pytest

from bot.access.model import Person
from bot.approvals.carriers import InHouse
from bot.approvals.model import Kind, Request, Rule, Seat, State
from bot.approvals.service import Wish
from bot.approvals.wording import words_of
from bot.audit.model import Selection
from bot.store import Tables
from tests.support.chatting import ADAM, ANNA, OLGA, VERA, Desk, Message, buttons, texts, until


class Painting(InHouse):
    """A harmless kind of request: one approver must sign, and the house keeps a note."""

    def __init__(self) -> None:
        self.done: list[str] = []
        self.life = timedelta(minutes=30)

    def lines(self, parameters: Mapping[str, str]) -> tuple[str, ...]:
        return (f"Paint the desk {parameters['colour']}",)

    def rule(self, tables: Tables, asked_by: Person, parameters: Mapping[str, str]) -> Rule:
        return Rule((Seat("role/approver"),), life=self.life)

    def carry(self, tables: Tables, request: Request) -> str:
        return f"painted {request.parameters['colour']}"

    async def carried(self, request: Request) -> None:
        self.done.append(request.id)


@pytest.fixture
def painting(desk: Desk) -> Painting:
    painting = Painting()
    desk.rooms.approvals.carriers[Kind.ROLE] = painting
    return painting


async def asked(desk: Desk, colour: str = "green", life: timedelta = timedelta(minutes=30)) -> Request:
    carrier = desk.rooms.approvals.carriers[Kind.ROLE]
    assert isinstance(carrier, Painting)
    carrier.life = life
    wish = Wish(Kind.ROLE, {"colour": colour})
    return await desk.rooms.approvals.ask(desk.person(OLGA), wish, telegram_id=OLGA)


async def prompt(desk: Desk, person: int = ANNA) -> Message:
    def found() -> list[Message]:
        said = desk.chat.from_bot(person)
        return [one for one in said if one.get("text", "").startswith("Olga asks for your signature")]

    await until(found)
    return found()[-1]


async def test_the_prompt_says_what_is_asked_and_its_buttons_decide(desk: Desk, painting: Painting) -> None:
    request = await asked(desk)
    shown = await prompt(desk)
    marks = f"Request {request.id} · {words_of(request.hash)} · {request.hash[:8]}"
    assert shown["text"].startswith(f"Olga asks for your signature\nPaint the desk green\n{marks}\nOpen until ")
    assert list(buttons(shown)) == ["Approve", "Deny"]

    said = await desk.taps(ANNA, shown, "Approve")

    assert said == []
    assert painting.done == [request.id]
    await until(lambda: desk.now(shown)["text"].endswith(" UTC.\nDone: painted green."))
    assert "\nAnna approved, " in desk.now(shown)["text"]
    assert buttons(desk.now(shown)) == {}
    asker = f"Request {request.id}: done\nPaint the desk green\nPainted green."
    await until(lambda: asker in texts(desk.chat.from_bot(OLGA)))


@pytest.mark.parametrize(("tapped", "action"), [("Approve", "request.approved"), ("Deny", "request.denied")])
async def test_the_log_keeps_on_which_message_and_on_which_words_somebody_decided(
    desk: Desk, painting: Painting, tapped: str, action: str
) -> None:
    await asked(desk)
    shown = await prompt(desk)
    await desk.taps(ANNA, shown, tapped)
    rows = await desk.rooms.auditing.page(Selection(person_id=desk.person(ANNA).id))
    (vote,) = [row for row in rows.rows if row.action == action]
    assert vote.telegram_id == ANNA
    assert vote.details["message"] == shown["message_id"]
    assert vote.details["shown"] == hashlib.sha256(shown["text"].encode()).hexdigest()


async def test_a_denial_ends_it(desk: Desk, painting: Painting) -> None:
    request = await asked(desk)
    shown = await prompt(desk)
    await desk.taps(ANNA, shown, "Deny")
    assert (await desk.rooms.approvals.find(request.id)).state is State.DENIED
    await until(lambda: "Denied by Anna." in desk.now(shown)["text"])
    assert painting.done == []


async def test_two_taps_are_one_vote(desk: Desk, painting: Painting) -> None:
    await asked(desk)
    shown = await prompt(desk)
    data = buttons(shown)["Approve"]
    await desk.taps_data(ANNA, shown, data)
    said = await desk.taps_data(ANNA, shown, data)
    assert texts(said) == ["This has ended (done: painted green). Nothing was changed."]
    assert len(painting.done) == 1


async def test_somebody_elses_prompt_has_no_power_in_ones_own_hand(desk: Desk, painting: Painting) -> None:
    await asked(desk)
    shown = await prompt(desk)
    (own,) = await desk.says(VERA, "/whoami")
    said = await desk.taps_data(VERA, own, buttons(shown)["Approve"])
    assert texts(said) == []
    assert desk.toasts()[-1] == "This button is too old or not yours. Please ask again."
    assert painting.done == []


async def test_a_tap_after_its_time_decides_nothing(desk: Desk, painting: Painting) -> None:
    request = await asked(desk, life=timedelta(minutes=5))
    shown = await prompt(desk)
    desk.clock.ahead_by(300.5)
    await desk.taps(ANNA, shown, "Approve")
    assert painting.done == []
    await desk.rooms.approvals.expire()
    assert (await desk.rooms.approvals.find(request.id)).state is State.EXPIRED


async def test_pending_shows_what_concerns_its_reader(desk: Desk, painting: Painting) -> None:
    assert await desk.said(ANNA, "/pending") == "Nothing waits for a decision."
    request = await asked(desk)
    for reader in (OLGA, ANNA):
        text = await desk.said(reader, "/pending")
        assert request.id in text
        assert "Paint the desk green" in text
        assert "1 needed: Anna (approver)" in text
    for outsider in (VERA, ADAM):
        assert await desk.said(outsider, "/pending") == "Nothing waits for a decision."


async def test_a_hostile_parameter_is_shown_literally(desk: Desk, painting: Painting) -> None:
    """F32."""
    await asked(desk, colour='</b><a href="tg://user?id=1">red</a>\u202e /balance@bot')
    shown = await prompt(desk)
    assert '</b><a href="tg://user?id=1">red</a>' in shown["text"].replace("\u2060", "")  # keeps words from linking
    assert "\u202e" not in shown["text"]
    assert {entity["type"] for entity in shown.get("entities", [])} <= {"bold"}


def _says_no(method: str, description: str) -> dict[str, object]:
    body = {"ok": False, "error_code": 400, "description": f"Bad Request: {description}"}
    return {"action": "status", "match": {"path": method}, "status": 400, "body": body, "times": 0}


@pytest.mark.parametrize(
    "trouble",
    [
        _says_no("answerCallbackQuery", "query is too old and response timeout expired or query ID is invalid"),
        _says_no("editMessageText", "message is not modified: specified new message content is the same"),
        _says_no("editMessageText", "message to edit not found"),
        {
            **_says_no("/", ""),
            "match": {"path": "sendMessage"},
            "status": 403,
            "body": {"ok": False, "error_code": 403, "description": "Forbidden: bot was kicked from the group chat"},
        },
    ],
    ids=["too old", "not modified", "not found", "kicked"],
)
async def test_f40_what_telegram_says_of_a_message_does_not_touch_the_decision(
    desk: Desk, painting: Painting, trouble: Mapping[str, object]
) -> None:
    request = await asked(desk)
    card = await prompt(desk)
    await desk.chat.faults(trouble)
    await desk.taps(ANNA, card, "Approve")
    await until(lambda: painting.done == [request.id])
    assert (await desk.rooms.approvals.find(request.id)).state is State.SUCCEEDED
    assert desk.rooms.pulse.incidents == 0
