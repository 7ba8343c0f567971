"""The permission matrix, walked whole: person × act × place × form, through the real gate and the real doors.

What stands behind each door is replaced by a note that it was reached; everything before it is as it is in a run. What
is expected is written by hand here, and a door, button or answer that is not written here fails the test.
"""

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from bot.messages.cards import Card, Draft
from bot.store import Tables
from handlers import conversation, pages, rooms
from handlers.buttons import data_for
from tests.support.chatting import (
    ADAM,
    ANNA,
    OLGA,
    OTHER_GROUP,
    STRANGER,
    SUSPENDED,
    VERA,
    Chat,
    Desk,
    at_work,
    configured,
    texts,
)
from tests.support.desk import GROUP

AUDITOR, NOBODY, NEWCOMER = 1006, 1007, 1008
CHANNEL = -1_007_777_777_777
PEOPLE = {
    "viewer": VERA,
    "operator": OLGA,
    "approver": ANNA,
    "auditor": AUDITOR,
    "admin": ADAM,
    "nobody": NOBODY,
    "suspended": SUSPENDED,
    "stranger": STRANGER,
    "newcomer": NEWCOMER,
}
"""One for each role; then one at the desk without a role, one suspended, one unknown, and one who was just invited."""
OUTSIDE = {"suspended", "stranger", "newcomer"}

ALL = {"viewer", "operator", "approver", "auditor", "admin"}
LINKERS, ADMIN = {"operator", "admin"}, {"admin"}
WORKERS = {"operator", "approver", "admin"}
FREEZE, SETTLE = "freeze the desk", "say what became of a request"
HERE, PRIVATELY, NEVER = "answered there", "answered in private", "in private only"
TALK, READ, LINK = "talk to this bot", "read balances and positions", "link provider logins"
PEOPLE_, INVITE, SEE = "change roles and suspend people", "invite people", "see who is at the desk"
ASK = "ask for money movements"
LOG, DECIDE, POLICY = "read the audit log", "decide on requests", "change the policy"
DOORS = {
    "balance": (ALL, READ, PRIVATELY),
    "positions": (ALL, READ, PRIVATELY),
    "statement": (ALL, READ, PRIVATELY),
    "alert": (ALL, READ, PRIVATELY),
    "alerts": (ALL, READ, PRIVATELY),
    "quote": (ALL, READ, PRIVATELY),
    "chart": (ALL, READ, PRIVATELY),
    "market": (ALL, READ, PRIVATELY),
    "orders": (ALL, READ, PRIVATELY),
    "price": (ALL, READ, PRIVATELY),
    "ticks": (ALL, READ, PRIVATELY),
    "profit": (ALL, READ, PRIVATELY),
    "sellexpired": ({"operator"}, ASK, PRIVATELY),
    "agents": (ALL, READ, PRIVATELY),
    "cashier": ({"operator"}, ASK, NEVER),
    "site": (ALL, READ, PRIVATELY),
    "account": (ALL, READ, PRIVATELY),
    "watchlist": (ALL, READ, PRIVATELY),
    "topup": ({"operator"}, ASK, PRIVATELY),
    "openaccount": ({"operator"}, ASK, NEVER),
    "buy": ({"operator"}, ASK, PRIVATELY),
    "sell": ({"operator"}, ASK, PRIVATELY),
    "close": ({"operator"}, ASK, PRIVATELY),
    "change": ({"operator"}, ASK, PRIVATELY),
    "cancelorder": ({"operator"}, ASK, PRIVATELY),
    "withdrawals": (ALL, READ, PRIVATELY),
    "client": (ALL, READ, PRIVATELY),
    "lead": ({"operator"}, ASK, NEVER),
    "wallet": (ALL, READ, PRIVATELY),
    "mt": (ALL, READ, PRIVATELY),
    "report": (ALL, READ, PRIVATELY),
    "leaderboard": (ALL, READ, PRIVATELY),
    "transfer": ({"operator"}, ASK, PRIVATELY),
    "payagent": ({"operator"}, ASK, PRIVATELY),
    "payout": ({"operator"}, ASK, PRIVATELY),
    "connect": (LINKERS, LINK, NEVER),
    "replace": (LINKERS, LINK, NEVER),
    "connections": (ALL, TALK, PRIVATELY),
    "disconnect": (LINKERS, LINK, NEVER),
    "key": (LINKERS, LINK, NEVER),
    "register": (LINKERS, LINK, NEVER),
    "share": (LINKERS, LINK, NEVER),
    "unshare": (LINKERS, LINK, NEVER),
    "passphrase": (LINKERS, LINK, NEVER),
    "unlock": (LINKERS, LINK, NEVER),
    "lock": (ALL, TALK, PRIVATELY),
    "factor": (ALL, TALK, NEVER),
    "pending": (ALL, TALK, PRIVATELY),
    "beneficiaries": (ALL, READ, HERE),
    "freeze": (WORKERS, FREEZE, HERE),
    "thaw": (WORKERS, FREEZE, PRIVATELY),
    "settle": (WORKERS, SETTLE, PRIVATELY),
    "repeat": (WORKERS, SETTLE, PRIVATELY),
    "request": (ALL, TALK, PRIVATELY),
    "history": (ALL, TALK, PRIVATELY),
    "approve": ({"approver", "admin"}, DECIDE, NEVER),
    "reject": ({"approver", "admin"}, DECIDE, NEVER),
    "policy": (ALL, TALK, PRIVATELY),
    "limits": (ALL, TALK, PRIVATELY),
    "rate": (ALL, TALK, PRIVATELY),
    "note": (ALL, TALK, HERE),
    "attach": (ALL, TALK, NEVER),
    "delegate": ({"approver", "admin"}, DECIDE, PRIVATELY),
    "evidence": (ALL, TALK, NEVER),
    "audit": ({"auditor"}, LOG, PRIVATELY),
    "status": (ALL, TALK, PRIVATELY),
    "digest": (ALL, READ, NEVER),
    "schedule": (ALL, TALK, PRIVATELY),
    "quiet": (ALL, TALK, HERE),
    "page": (ADMIN, POLICY, PRIVATELY),
    "undelivered": (ADMIN, POLICY, PRIVATELY),
    "people": ({"auditor", "admin"}, SEE, PRIVATELY),
    "role": (ADMIN, PEOPLE_, NEVER),
    "suspend": (ADMIN, PEOPLE_, NEVER),
    "resume": (ADMIN, PEOPLE_, NEVER),
    "person": (ADMIN, PEOPLE_, NEVER),
    "invite": (ADMIN, INVITE, PRIVATELY),
    "whoami": (ALL, TALK, HERE),
    "help": (ALL, TALK, HERE),
    "cancel": (ALL, TALK, HERE),
    "start": (ALL | {"nobody"}, "", HERE),
    "join": (ALL | {"nobody"}, "", NEVER),
}
"""Command → who may, the right it is called in the refusal, and what happens in the desk's group."""
TAPS = {
    "connect": (LINKERS, LINK),
    "disconnect": (LINKERS, LINK),
    "transfer": ({"operator"}, ASK),
    "deals": ({"operator"}, ASK),
    "price": (ALL, READ),
    "deals/choose": ({"operator"}, ASK),
    "buy": ({"operator"}, ASK),
    "sell": ({"operator"}, ASK),
    "payagent": ({"operator"}, ASK),
    "payout": ({"operator"}, ASK),
    "openaccount": ({"operator"}, ASK),
    "ask": ({"operator"}, ASK),
    "withdrawals": (ALL, READ),
    "withdrawal": (ALL, READ),
    "lead": ({"operator"}, ASK),
    "request": ({"approver", "admin"}, DECIDE),
    "request/own": (ALL, TALK),
    "freeze": (WORKERS, FREEZE),
    "request/view": (ALL, TALK),
    "history": (ALL, TALK),
    "policy": (ADMIN, POLICY),
    "factor": (ALL, TALK),
    "clock": (ADMIN, POLICY),
    "audit": ({"auditor"}, LOG),
    "people": (ADMIN, PEOPLE_),
    "alert": (ALL, READ),
    "alert/list": (ALL, READ),
    "alert/one": (ALL, READ),
    "alert/set": (ALL, READ),
    "alert/steps": (ALL, READ),
}
"""Kind of card → who may press its buttons."""
ANSWERS = {
    "complete": (ALL, TALK),
    "passphrase": (LINKERS, LINK),
    "factor/enrol": (ALL, TALK),
    "factor/replace": (ALL, TALK),
    "factor/remove": (ALL, TALK),
    "request/approve": ({"approver", "admin"}, DECIDE),
    "deals": ({"operator"}, ASK),
    "deals/change": ({"operator"}, ASK),
    "buy": ({"operator"}, ASK),
    "sell": ({"operator"}, ASK),
    "transfer": ({"operator"}, ASK),
    "payagent": ({"operator"}, ASK),
    "payout": ({"operator"}, ASK),
    "payout/code": ({"operator"}, ASK),
    "openaccount": ({"operator"}, ASK),
    "openaccount/secret": ({"operator"}, ASK),
    "ask": ({"operator"}, ASK),
    "ask/code": ({"operator"}, ASK),
    "withdrawal/reject": (ALL, READ),
    "attach": (ALL, TALK),
    "policy/propose": (ADMIN, POLICY),
    "policy/try": (ADMIN, POLICY),
    "alert": (ALL, READ),
    "alert/threshold": (ALL, READ),
}
"""Kind of draft → who may answer it."""
NO_SECRET = {
    "complete",
    "alert",
    "alert/threshold",
    "attach",
    "transfer",
    "deals",
    "deals/change",
    "buy",
    "sell",
    "payagent",
    "payout",
    "openaccount",
    "ask",
    "withdrawal/reject",
    "policy/propose",
    "policy/try",
}
"""Those whose answer may stay in the chat."""

PRIVATE, DESK_GROUP, ANOTHER_GROUP, A_CHANNEL = "private", "the desk's group", "another group", "a channel"
PLACES = {PRIVATE: 0, DESK_GROUP: GROUP, ANOTHER_GROUP: OTHER_GROUP, A_CHANNEL: CHANNEL}
SOMEBODY = {"id": 4242, "is_bot": False, "first_name": "Somebody"}
MESSAGE = "a message"
FORMS: dict[str, dict[str, Any]] = {
    MESSAGE: {},
    "an edit": {"edit_date": 1_790_000_001},
    "a forward": {"forward_origin": {"type": "user", "sender_user": SOMEBODY, "date": 1_780_000_000}},
    "an automatic forward": {"is_automatic_forward": True},
    "via a bot": {"via_bot": {"id": 99, "is_bot": True, "first_name": "Other", "username": "otherbot"}},
    "in a chat's name": {"sender_chat": {"id": CHANNEL, "type": "channel", "title": "Loud"}},
}
HINTS = {
    "an edit": "Edits are not read. Please send it as a new message.",
    "a forward": "Forwarded messages are not read. Please type it yourself.",
    "an automatic forward": "Forwarded messages are not read. Please type it yourself.",
    "via a bot": "Messages sent through another bot are not read. Please type it yourself.",
}
REACHED = "reached"


@dataclass
class Walk:
    """The desk, and the notes of what was reached."""

    desk: Desk
    reached: list[tuple[str, int]] = field(default_factory=list)
    """What, and our id of the person."""
    next_update: int = 7_000_000

    async def sees(self, place: str, person: int, *updates: dict[str, Any]) -> tuple[list[int], list[str], list[str]]:
        """Updates arrive; which of them (by place in the row) the gate let through, what was reached, what was said."""
        chat = PLACES[place] or person
        said_before, self.reached, self.desk.passed = len(self.desk.chat.from_bot(chat)), [], []
        first = self.next_update
        self.next_update += len(updates)
        numbered = [{"update_id": first + number, **update} for number, update in enumerate(updates)]
        for start in range(0, len(numbered), 60):
            await self.desk.chat.play("updates", updates=numbered[start : start + 60])
            await self.desk.settled()
        passed = sorted(update.update_id - first for update in self.desk.passed)
        said = texts(self.desk.chat.from_bot(chat)[said_before:])
        return passed, [what for what, _ in self.reached], said

    def message(self, person: int, place: str, form: str, text: str) -> dict[str, Any]:
        message = self.desk.chat.message_from(person, text, PLACES[place] or person, **FORMS[form])
        if place == A_CHANNEL:
            message["chat"] = {"id": CHANNEL, "type": "channel", "title": "Loud"}
        return {"edited_message" if form == "an edit" else "message": message}

    async def tap(self, person: int, place: str, card: Card, choice: int = 1) -> dict[str, Any]:
        shown = self.message(person, place, MESSAGE, "x")["message"]
        shown["from"] = {"id": 1, "is_bot": True, "first_name": "Bot"}
        sender = {"id": person, "is_bot": False, "first_name": "P"}
        query = {"id": f"q{shown['message_id']}", "from": sender, "message": shown, "chat_instance": "1"}
        return {"callback_query": {**query, "data": data_for(card, choice, self.desk.rooms.signer)}}

    async def card(self, kind: str, owner: int, chat: int, body: dict[str, Any]) -> Card:
        return await self.desk.rooms.cards.make(kind, owner, chat, body)

    async def our_id(self, telegram_id: int) -> int:
        row = await self.desk.rooms.database.read(
            lambda tables: tables.conn.execute(
                "SELECT person_id FROM telegram_ids WHERE telegram_id = ?", (telegram_id,)
            ).fetchone()
        )
        return int(row[0]) if row else 0


@pytest.fixture
async def walk(tmp_path: Path, chat: Chat, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Walk]:
    """A desk with somebody of each kind, whose doors lead nowhere."""
    notes: list[Walk] = []

    def note(what: str, answer: Callable[[], Any]) -> Callable[..., Any]:
        async def reached(context: Any, *rest: Any) -> Any:
            notes[0].reached.append((what, context.person.id))
            return answer()

        return reached

    doors = tuple(
        replace(door, open=note(door.command, lambda: pages.Reply([REACHED]))) for door in rooms.DOORS_IN_ORDER
    )
    monkeypatch.setattr(rooms, "DOORS_IN_ORDER", doors)
    monkeypatch.setattr(rooms, "BY_COMMAND", {door.command: door for door in doors})
    taps = {door.kind: replace(door, act=note(door.kind, lambda: REACHED)) for door in rooms.TAPS}
    monkeypatch.setattr(rooms, "TAP_BY_KIND", taps)
    answers = {door.kind: replace(door, answer=note(door.kind, lambda: None)) for door in conversation.ANSWERS}
    monkeypatch.setattr(conversation, "_BY_KIND", answers)
    async with at_work(configured(tmp_path, chat), chat) as desk, _everybody(desk):
        notes.append(Walk(desk))
        yield notes[0]


@asynccontextmanager
async def _everybody(desk: Desk) -> AsyncIterator[None]:
    people = [{"id": number, "first_name": f"P{number}"} for number in (AUDITOR, NOBODY, NEWCOMER)]
    await desk.chat.play("people", people=people)

    def add(tables: Tables) -> None:
        for number, (telegram_id, role) in enumerate(((AUDITOR, "auditor"), (NOBODY, None)), 60):
            tables.conn.execute("INSERT INTO persons VALUES (?, ?, 'active', 1)", (number, f"P{telegram_id}"))
            tables.conn.execute("INSERT INTO telegram_ids VALUES (?, ?)", (telegram_id, number))
            if role:
                tables.conn.execute("INSERT INTO roles (person_id, role) VALUES (?, ?)", (number, role))

    await desk.rooms.database.write(add)
    await desk.rooms.access.refresh()
    role = next(iter(desk.person(VERA).roles))
    code = await desk.rooms.access.invite(desk.person(ADAM), role)
    await desk.rooms.people.open_invitation(code.reveal(), NEWCOMER, "Nora")
    yield


def lacking(right: str) -> str:
    return f"That needs the right to {right}, which you do not have. An admin can give it."


def _cells() -> Iterator[tuple[str, str]]:
    """Every command in every form."""
    for command in DOORS:
        for form in FORMS:
            yield command, form


def expected_of_doors(who: str, place: str) -> tuple[list[int], list[str], list[str]]:
    passing, reached, said = [], [], []
    for number, (command, form) in enumerate(_cells()):
        may, right, in_group = DOORS[command]
        if who in OUTSIDE or place in (ANOTHER_GROUP, A_CHANNEL):
            continue
        if form != MESSAGE:
            said += [HINTS[form]] if place == PRIVATE and form in HINTS else []
            continue
        passing.append(number)
        if place == DESK_GROUP and in_group == NEVER:
            said.append(f"/{command} works in our private chat only.")
            continue
        answer = REACHED if who in may else lacking(right)
        said.append("Sent to you privately." if place == DESK_GROUP and in_group == PRIVATELY else answer)
        reached += [command] if who in may else []
    return passing, reached, said


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("who", PEOPLE)
async def test_commands(walk: Walk, who: str, place: str) -> None:
    person = PEOPLE[who]
    updates = [walk.message(person, place, form, f"/{command}") for command, form in _cells()]
    assert await walk.sees(place, person, *updates) == expected_of_doors(who, place)


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("who", PEOPLE)
async def test_buttons(walk: Walk, who: str, place: str) -> None:
    """Their own on a card of each kind, and on pages of each command; then somebody else's, which are nobody's."""
    person, chat = PEOPLE[who], PLACES[place] or PEOPLE[who]
    owner = await walk.our_id(person) or walk.desk.person(OLGA).id  # whoever is not here tries one of Olga's
    kinds = [(kind, {}, 1) for kind in TAPS]
    paging = [command for command, (_, _, in_group) in DOORS.items() if in_group == PRIVATELY]
    body = {"pages": ["x"], "at": 0}
    kinds += [("pages", {**body, "again": f"/{command}"}, pages.REFRESH) for command in paging]  # type: ignore[misc]
    own = [await walk.tap(person, place, await walk.card(kind, owner, chat, body), at) for kind, body, at in kinds]
    someone = walk.desk.person(VERA if who == "operator" else OLGA).id
    others = [await walk.tap(person, place, await walk.card(kind, someone, chat, {})) for kind in TAPS]

    found = await walk.sees(place, person, *own, *others)

    if who in OUTSIDE or place in (ANOTHER_GROUP, A_CHANNEL):
        assert found == ([], [], [])
        return
    acts = [(kind, *TAPS[kind], True) for kind in TAPS] + [(command, *DOORS[command][:2], False) for command in paging]
    reached = [what for what, may, _, _ in acts if who in may]
    said = [REACHED if who in may else lacking(right) for _, may, right, tells in acts if tells or who not in may]
    assert found == (list(range(len(own) + len(others))), reached, said)
    assert {our_id for _, our_id in walk.reached} <= {owner}


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("who", PEOPLE)
async def test_answers(walk: Walk, who: str, place: str) -> None:
    person = PEOPLE[who]
    owner = await walk.our_id(person)
    for kind, (may, right) in ANSWERS.items():
        if owner:
            await walk.desk.rooms.cards.save(Draft(owner, kind, {}))
        found = await walk.sees(place, person, *(walk.message(person, place, form, "blue") for form in FORMS))
        if who == "newcomer" and place == PRIVATE:
            assert found[:2] == ([0], [])
            assert found[2][0].startswith("Welcome, blue.")
            return  # whoever has said what they are called has come in
        if who in OUTSIDE or place in (ANOTHER_GROUP, A_CHANNEL):
            assert found == ([], [], [])
        elif place == DESK_GROUP:
            assert found == ([0], [], [])
        else:
            deleted = "" if kind in NO_SECRET else "I deleted that, in case it was a secret. "
            hints = [f"{deleted}{hint}" for hint in HINTS.values()]
            answer = ([kind], hints) if who in may else ([], [lacking(right), *hints])
            assert found == ([0], *answer)


def test_nothing_is_outside_the_table() -> None:
    assert {door.command for door in rooms.DOORS_IN_ORDER} == set(DOORS)
    assert {door.kind for door in rooms.TAPS} == set(TAPS)
    assert {door.kind for door in conversation.ANSWERS} == set(ANSWERS)
    assert {door.kind for door in conversation.ANSWERS if not door.secret} == NO_SECRET


async def test_nothing_hangs_that_is_not_behind_the_gate(desk: Desk) -> None:
    """Groups of handlers are asked in order; before the gate there are only those that hear of no words and no taps."""
    hung = desk.work.desk.handlers
    names = {
        group: [one.callback.__name__ for one in those]
        for group, those in hung.items()
        if group != 9  # the test's own
    }
    assert names == {
        -2: ["moved", "membership"],
        -1: ["gate"],
        0: ["command", "tap", "plain_text", "not_text", "overheard"],
    }
    assert sorted(rooms.BY_COMMAND) == sorted(DOORS)
