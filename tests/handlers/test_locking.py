"""A passphrase over a connection, in conversation: set, given, taken off, and what is locked meanwhile."""

import os
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

import pytest

from bot.access.model import Role
from bot.loopback.server import Listening
from bot.providers.records import Environment
from bot.secret import Secret
from bot.vault import locks
from bot.vault.passphrase import Argon
from tests.support.chatting import ADAM, OLGA, VERA, Chat, Desk, at_work, configured, providers, texts, until
from tests.support.desk import GROUP

RIGHT, WRONG = "canary battery staple", "canary battery stable"


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """The least that is allowed, for the sake of time."""
    monkeypatch.setattr(locks, "new_stretching", lambda: Argon(os.urandom(16), memory_kib=19 * 1024, passes=2))


@pytest.fixture
async def sides() -> AsyncIterator[Mapping[str, Listening]]:
    async with providers("capital", "deriv") as found:
        yield found


@pytest.fixture
async def desk(tmp_path: Path, chat: Chat, sides: Mapping[str, Listening]) -> AsyncIterator[Desk]:
    """Olga has linked two providers, shared with everybody."""
    async with at_work(configured(tmp_path, chat, sides), chat, sides) as found:
        await found.link("capital", environment=Environment.DEMO, share=tuple(Role))
        await found.link("deriv", share=tuple(Role))
        yield found


@pytest.fixture
async def restarted(tmp_path: Path, chat: Chat, sides: Mapping[str, Listening]) -> AsyncIterator[Desk]:
    """The same desk with capital/main under a passphrase, after a restart."""
    async with at_work(configured(tmp_path, chat, sides), chat, sides) as first:
        await first.link("capital", environment=Environment.DEMO, share=tuple(Role))
        await first.link("deriv", share=tuple(Role))
        await put_under(first)
    async with at_work(configured(tmp_path, chat, sides), chat, sides) as second:
        yield second


async def put_under(desk: Desk, name: str = "capital/main") -> None:
    await desk.says(OLGA, f"/passphrase {name}")
    await desk.says(OLGA, RIGHT)
    assert "is under your passphrase" in (await desk.says(OLGA, RIGHT))[-1]["text"]


async def actions(desk: Desk) -> list[str]:
    return await desk.rooms.database.read(
        lambda tables: [
            row[0]
            for row in tables.conn.execute(
                "SELECT action FROM audit WHERE action LIKE 'passphrase.%' OR action LIKE 'connections.%' ORDER BY seq"
            )
        ]
    )


def left_in_chat(desk: Desk) -> list[str]:
    """Every passphrase still to be seen in Olga's chat."""
    return [text for text in texts(desk.chat.messages(OLGA)) if "canary" in text]


async def test_a_passphrase_is_asked_for_twice_and_deleted_each_time(desk: Desk) -> None:
    asked = await desk.said(OLGA, "/passphrase capital")
    assert asked == (
        "Send the passphrase for capital/main: 12 characters or more, several words are good. It is typed in this "
        "chat, so it passes through Telegram's cloud before I delete it: it guards against a stolen database and "
        "master key, not against whoever can read this chat.\nAfter each start of the bot the connection is locked "
        "for everybody until you say /unlock. Nobody can reset the passphrase: forgotten, the connection must be "
        "unlinked and linked anew.\n/cancel stops."
    )
    assert await desk.said(OLGA, RIGHT) == "Send the passphrase for capital/main once more."
    assert await desk.said(OLGA, RIGHT) == (
        "capital/main is under your passphrase. It is open now, and locked after the next start, or /lock."
    )
    assert left_in_chat(desk) == []
    assert await actions(desk) == ["passphrase.set"]
    assert "USD" in await desk.said(OLGA, "/balance capital")  # it is open now


async def test_two_that_differ_begin_again(desk: Desk) -> None:
    await desk.says(OLGA, "/passphrase capital")
    await desk.says(OLGA, RIGHT)
    assert await desk.said(OLGA, WRONG) == "The two are not the same. Send it again, or /cancel."
    assert await desk.said(OLGA, RIGHT) == "Send the passphrase for capital/main once more."
    assert "is under your passphrase" in await desk.said(OLGA, RIGHT)
    assert left_in_chat(desk) == []


async def test_a_short_one_is_refused_and_the_question_stands(desk: Desk) -> None:
    await desk.says(OLGA, "/passphrase capital")
    assert await desk.said(OLGA, "canary") == (
        "A passphrase has at least 12 characters; several words are easy to remember. Send it again, or /cancel."
    )
    assert left_in_chat(desk) == []
    assert "once more" in await desk.said(OLGA, RIGHT)


async def test_after_a_restart_it_is_locked_and_everything_else_goes_on(restarted: Desk) -> None:
    answer = await restarted.said(VERA, "/balance")
    assert "capital/main is locked: it waits for its owner's passphrase (/unlock, in a private chat)." in answer
    assert "without capital/main" in answer
    assert "Deriv deriv/main" in answer
    assert restarted.rooms.pulse.incidents == 0


async def test_a_locked_connection_asks_its_provider_nothing(
    restarted: Desk, sides: Mapping[str, Listening], monkeypatch: pytest.MonkeyPatch
) -> None:
    built: list[str] = []
    whole = restarted.rooms.connections.build

    def noted(provider: str, *rest: object) -> object:
        built.append(provider)
        return whole(provider, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(restarted.rooms.connections, "build", noted)
    for _ in range(5):
        await restarted.says(VERA, "/balance")
        await restarted.says(OLGA, "/status")
    assert set(built) == {"deriv"}


async def test_unlocked_it_works_for_everybody_it_is_shared_with(restarted: Desk) -> None:
    assert await restarted.said(OLGA, "/unlock") == "Send your passphrase. I delete your message. /cancel stops."
    assert await restarted.said(OLGA, WRONG) == "That is not the passphrase. Send it again, or /cancel."
    assert "locked" in await restarted.said(VERA, "/balance capital")
    assert await restarted.said(OLGA, RIGHT) == "Unlocked until the next start, or /lock: capital/main."
    assert "USD" in await restarted.said(VERA, "/balance capital")
    assert left_in_chat(restarted) == []
    assert await actions(restarted) == ["passphrase.set", "connections.unlocked"]
    assert restarted.rooms.vault.unlocked_since(restarted.person(OLGA).id) is not None


async def test_lock_locks_at_once_and_ends_the_session(restarted: Desk) -> None:
    await restarted.says(OLGA, "/unlock")
    await restarted.says(OLGA, RIGHT)
    assert "USD" in await restarted.said(OLGA, "/balance capital")
    assert await restarted.said(OLGA, "/lock") == "Locked: capital/main. /unlock opens it again."
    assert "locked" in await restarted.said(OLGA, "/balance capital")
    assert (await actions(restarted))[-1] == "connections.locked"
    assert await restarted.said(ADAM, "/lock") == (
        "Nothing of yours is under a passphrase. /passphrase puts a connection under one."
    )


async def test_one_passphrase_serves_a_second_connection(restarted: Desk, tmp_path: Path) -> None:
    assert await restarted.said(OLGA, "/passphrase deriv") == (
        "Send the passphrase you have: it will lock deriv/main, too. I delete your message. /cancel stops."
    )
    assert await restarted.said(OLGA, WRONG) == "That is not the passphrase. Send it again, or /cancel."
    assert (await restarted.said(OLGA, RIGHT)).startswith("deriv/main is under your passphrase.")
    restarted.rooms.vault.forget(restarted.person(OLGA).id)
    await restarted.says(OLGA, "/unlock")
    assert await restarted.said(OLGA, RIGHT) == "Unlocked until the next start, or /lock: capital/main, deriv/main."


async def test_taken_off_it_needs_no_passphrase_any_more(restarted: Desk) -> None:
    asked = "Send the passphrase, to take it off capital/main. I delete your message. /cancel stops."
    assert await restarted.said(OLGA, "/passphrase capital off") == asked
    assert await restarted.said(OLGA, RIGHT) == "capital/main is under no passphrase any more."
    restarted.rooms.vault.forget(restarted.person(OLGA).id)
    assert "USD" in await restarted.said(VERA, "/balance capital")
    assert await restarted.said(OLGA, "/unlock") == "Nothing of yours is under a passphrase. Nothing was changed."


@pytest.mark.parametrize(
    ("person", "words", "sentence"),
    [
        (OLGA, "/passphrase", "Name one connection. For example: /passphrase capital/main"),
        (OLGA, "/passphrase crm", "There is no connection “crm” that you can see. There is: capital/main, deriv/main."),
        (OLGA, "/passphrase main", "Several are called that: capital/main, deriv/main. For example: capital/main"),
        (
            ADAM,
            "/passphrase capital",
            "That needs the right to lock a connection of somebody else, which you do not have. An admin can give it.",
        ),
        (OLGA, "/passphrase deriv off", "Deriv/main is under no passphrase. Nothing was changed."),
        (OLGA, "/unlock", "Nothing of yours is under a passphrase. Nothing was changed."),
    ],
)
async def test_what_cannot_be_is_told(desk: Desk, person: int, words: str, sentence: str) -> None:
    assert await desk.said(person, words) == sentence


async def test_a_passphrase_behind_the_command_is_deleted_and_not_taken(restarted: Desk) -> None:
    for words in (f"/unlock {RIGHT}", f"/passphrase deriv {RIGHT}"):
        assert "in a message of its own" in await restarted.said(OLGA, words)
    assert left_in_chat(restarted) == []
    assert "locked" in await restarted.said(OLGA, "/balance capital")


async def test_in_a_group_it_is_refused_and_deleted(restarted: Desk) -> None:
    world = restarted.chat.simulator.world
    group = {"id": GROUP, "title": "Desk", "members": [OLGA, ADAM], "admins": [world.bot["id"]]}
    await restarted.chat.play("people", groups=[group])
    for words in (f"/unlock {RIGHT}", f"/passphrase capital {RIGHT}"):
        answers = await restarted.says(OLGA, words, GROUP)
        assert texts(answers)[-1].endswith("works in our private chat only.")
    assert [text for text in texts(restarted.chat.messages(GROUP)) if "canary" in text] == []
    assert "locked" in await restarted.said(OLGA, "/balance capital")


async def test_its_owner_is_reminded_once_after_a_start(restarted: Desk) -> None:
    rooms = restarted.rooms
    for _ in range(3):
        await rooms.locking.take_stock(rooms.access.roster, rooms.pulse.started_at)
    await until(lambda: any("Connections locked" in text for text in texts(restarted.chat.from_bot(OLGA))))
    await restarted.settled()
    reminders = [text for text in texts(restarted.chat.everything_said()) if "Connections locked" in text]
    assert reminders == [
        "Connections locked\nSince the bot started anew these wait for you: capital/main.\n/unlock opens them."
    ]


async def test_whoever_is_suspended_meanwhile_unlocks_nothing(restarted: Desk) -> None:
    await restarted.says(OLGA, "/unlock")
    olga = restarted.person(OLGA)
    await restarted.rooms.database.write(
        lambda tables: tables.conn.execute("UPDATE persons SET state = 'suspended' WHERE id = ?", (olga.id,))
    )
    assert "right to" in await restarted.said(OLGA, RIGHT)  # the roster was not taken anew yet
    assert restarted.rooms.vault.unlocked_since(olga.id) is None
    assert left_in_chat(restarted) == []


async def test_the_same_message_twice_is_one_answer(desk: Desk) -> None:
    """A crash between the answer and its end brings the update again: it must not count as the repetition."""
    await desk.says(OLGA, "/passphrase capital")
    olga = desk.person(OLGA)
    for _ in range(2):
        draft = await desk.rooms.cards.draft(olga.id)
        assert draft is not None
        question = await desk.rooms.locking.answer(olga, draft, Secret(RIGHT), origin="m/7", telegram_id=OLGA)
        assert question.asking == "again"
    assert not await desk.rooms.vault.locks.has_passphrase(olga.id)


async def test_nothing_of_it_is_in_the_database_or_its_drafts(desk: Desk) -> None:
    await desk.says(OLGA, "/passphrase capital")
    await desk.says(OLGA, RIGHT)
    folder = desk.rooms.database.path.parent
    assert RIGHT.encode() not in b"".join(path.read_bytes() for path in folder.iterdir() if path.is_file())
    await desk.says(OLGA, RIGHT)
    assert RIGHT.encode() not in b"".join(path.read_bytes() for path in folder.iterdir() if path.is_file())


LATE = "I deleted that, in case it was a secret: nothing is being asked any more. To go on, begin again."


async def test_a_passphrase_that_comes_after_cancel_is_deleted_and_told_and_opens_nothing(restarted: Desk) -> None:
    await restarted.says(OLGA, "/unlock")
    assert await restarted.said(OLGA, "/cancel") == "Stopped; nothing was kept."
    assert await restarted.said(OLGA, RIGHT) == LATE
    await restarted.says(OLGA, "/cancel")  # once more ends nothing of it
    for late in (RIGHT, "/canary_with_a_slash"):
        assert await restarted.said(OLGA, late) == LATE
    await restarted.says(OLGA, "", document={"file_id": "F1", "file_unique_id": "u1", "file_name": "canary.txt"})
    assert not [each for each in restarted.chat.messages(OLGA) if "document" in each]
    assert left_in_chat(restarted) == []
    assert restarted.rooms.vault.unlocked_since(restarted.person(OLGA).id) is None

    restarted.clock.ahead_by(601)
    assert "I understand commands" in await restarted.said(OLGA, "hello")


@pytest.mark.parametrize("sent", [1, 2])
async def test_neither_does_a_new_one_stay_that_was_not_to_be_set(desk: Desk, sent: int) -> None:
    await desk.says(OLGA, "/passphrase capital")
    for _ in range(sent - 1):
        await desk.says(OLGA, RIGHT)
    await desk.says(OLGA, "/cancel")
    assert await desk.said(OLGA, RIGHT) == LATE
    assert left_in_chat(desk) == []
    assert await actions(desk) == []


async def test_a_passphrase_for_a_connection_that_went_meanwhile_leaves_the_next_minutes_wary(desk: Desk) -> None:
    await put_under(desk)
    await desk.says(OLGA, "/passphrase deriv/main")
    olga, (deriv,) = desk.person(OLGA), await desk.rooms.connections.named(desk.person(OLGA), "deriv/main")
    await desk.rooms.credentials.unlink(olga, deriv, desk.rooms.access.roster, telegram_id=OLGA)
    await desk.says(OLGA, RIGHT)
    assert await desk.said(OLGA, RIGHT) == LATE
    assert left_in_chat(desk) == []


async def test_what_is_begun_anew_is_answered_as_ever(restarted: Desk) -> None:
    await restarted.says(OLGA, "/unlock")
    await restarted.says(OLGA, "/cancel")
    await restarted.says(OLGA, "/unlock")
    assert await restarted.said(OLGA, RIGHT) == "Unlocked until the next start, or /lock: capital/main."
