"""Linking and unlinking a login in the chat, to the end and against every obstacle."""

import asyncio
import io
import json
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bot import logs
from bot.access.model import Role
from bot.operations.linked import Share
from tests.support.chatting import (
    ADAM,
    ANNA,
    OLGA,
    PROVIDERS,
    VERA,
    Chat,
    Desk,
    Message,
    at_work,
    at_work_with,
    buttons,
    configured,
    login_of,
    providers,
    telegram,
    texts,
    until,
)

TITLES = {"capital": "Capital.com", "deriv": "Deriv", "cryptocapital": "Crypto Capital", "crm": "Broctagon CRM"}
SECRETS = {
    "capital": {"api_key", "password"},
    "deriv": {"token"},
    "cryptocapital": {"private_key"},
    "crm": {"api_key"},
}
FOUND = {
    "capital": "2 accounts, USD and EUR",
    "deriv": "1 account, USD",
    "cryptocapital": "3 accounts",
    "crm": "7 clients",
}


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    root = logging.getLogger()
    kept, level = root.handlers[:], root.level
    stream = io.StringIO()
    logs.configure("DEBUG", stream=stream)
    yield stream
    logging.captureWarnings(False)
    root.handlers[:] = kept
    root.setLevel(level)


async def _begin(desk: Desk, name: str, person: int = OLGA) -> Message:
    """By buttons as far as the first field of the login; answers its question."""
    (asked,) = await desk.says(person, "/connect")
    assert asked["text"] == "Which provider? (/cancel stops at any time.)"
    chosen, question = await desk.taps(person, asked, TITLES[name])
    assert chosen["text"].replace("\u2060", "") == f"→ {TITLES[name]}"
    if "real money" in question["text"]:
        _, question = await desk.taps(person, question, "Live" if name != "capital" else "Demo")
    assert question["text"] == f"{TITLES[name]}: what shall it be called? A short word such as main."
    _, question = await desk.taps(person, question, "main")
    assert question["text"] == f"{TITLES[name]}: who may read it?"
    assert list(buttons(question)) == ["Everyone at the desk", "Only me"]
    _, question = await desk.taps(person, question, "Everyone at the desk")
    return question


async def _canaries(desk: Desk, log: io.StringIO, canaries: list[str]) -> list[str]:
    """Where one of these is to be found that must be nowhere."""
    await desk.rooms.inbox.flush()
    said = json.dumps([call["params"] for call in desk.chat.calls()], ensure_ascii=False)
    places = {path.name: path.read_bytes() for path in desk.rooms.config.data_dir.iterdir() if path.is_file()}
    places |= {"log": log.getvalue().encode(), "outgoing": said.encode()}
    return [
        f"{canary} in {place}" for place, content in places.items() for canary in canaries if canary.encode() in content
    ]


@pytest.mark.parametrize("name", PROVIDERS)
async def test_a_login_is_linked_step_by_step_and_its_secrets_are_seen_nowhere(
    tmp_path: Path, chat: Chat, log: io.StringIO, name: str
) -> None:
    async with at_work_with(tmp_path, chat, name) as desk:
        question = await _begin(desk, name)
        fields = login_of(name, desk.sides[name].credentials)
        last: list[Message] = []
        for key, text in fields.items():
            assert question["text"].startswith(f"{TITLES[name]}: please send the ")
            assert ("deleted at once" in question["text"]) == (key in SECRETS[name])
            last = await desk.says(OLGA, text)
            gone = text not in texts(chat.messages(OLGA))
            assert gone == (key in SECRETS[name])
            question = last[-1]
        assert len(last) == 1
        assert last[0]["text"].startswith(f"Linked {TITLES[name]} {name}/main: {FOUND[name]}")
        (connection,) = await desk.rooms.connections.everything()
        assert (connection.name, connection.shares) == (f"{name}/main", {Share(role) for role in Role})
        secrets = [fields[key] for key in SECRETS[name]]
        assert await _canaries(desk, log, secrets) == []
        assert await desk.rooms.cards.draft(desk.person(OLGA).id) is None
        assert await desk.said(OLGA, "/cancel") == "There was nothing to stop."
        await until(lambda: chat.from_bot(ADAM))
        assert texts(chat.from_bot(ADAM)) == [
            f"Connections changed\nOlga linked {name}/main ({connection.environment})."
        ]


async def test_the_first_steps_can_be_said_at_once(tmp_path: Path, chat: Chat) -> None:
    async with at_work_with(tmp_path, chat, "crm") as desk:
        assert await desk.said(OLGA, "/connect CRM demo clients") == "Broctagon CRM: who may read it?"
        (question,) = await desk.says(OLGA, "only me")
        assert "please send the API key" in question["text"]
        (linked,) = await desk.says(OLGA, desk.sides["crm"].credentials["api_key"])
        assert linked["text"].startswith("Linked Broctagon CRM crm/clients: 7 clients.")
        (connection,) = await desk.rooms.connections.everything()
        assert (connection.environment, connection.shares) == ("demo", frozenset())
        assert await desk.said(VERA, "/connections") == "You can see no provider login yet. /connect links one."


async def test_a_default_can_be_tapped(tmp_path: Path, chat: Chat) -> None:
    async with at_work(configured(tmp_path, chat), chat) as desk:
        await desk.says(OLGA, "/connect deriv live main")
        (question,) = await desk.says(OLGA, "only me")
        assert list(buttons(question)) == ["1089"]
        _, question = await desk.taps(OLGA, question, "1089")
        assert question["text"].startswith("Deriv: please send the API token.")


WRONG = {
    "capital": ("password", "Lantern-Quay-canary", "Capital.com (capital/main) does not accept this login ("),
    "deriv": ("token", "canarytoken1234", "Deriv (deriv/main) does not accept this login (InvalidToken)."),
    "cryptocapital": (
        "private_key",
        "QUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUE=",
        "Crypto Capital (cryptocapital/main) does not accept this",
    ),
    "crm": ("api_key", "canary-api-key-1234", "Broctagon CRM (crm/main) does not accept this login ("),
}


@pytest.mark.parametrize("name", PROVIDERS)
async def test_a_wrong_login_is_said_with_the_next_step_and_nothing_is_kept(
    tmp_path: Path, chat: Chat, log: io.StringIO, name: str
) -> None:
    wrong, canary, sentence = WRONG[name]
    async with at_work_with(tmp_path, chat, name) as desk:
        await _begin(desk, name)
        for key, text in login_of(name, desk.sides[name].credentials).items():
            last = await desk.says(OLGA, canary if key == wrong else text)
        told, question = texts(last)
        assert told.startswith(sentence)
        assert told.endswith("Next: check it and give it again.\nNothing was kept.")
        assert question.startswith(f"{TITLES[name]}: please send the ")
        assert await desk.rooms.connections.everything() == []
        assert await desk.rooms.database.read(lambda tables: tables["sealed"].count) == 0
        assert await _canaries(desk, log, [canary]) == []
        for key, text in login_of(name, desk.sides[name].credentials).items():
            if key in SECRETS[name]:
                last = await desk.says(OLGA, text)
            else:
                last = await desk.taps(OLGA, last[-1], f"Keep {text}")
        assert last[-1]["text"].startswith(f"Linked {TITLES[name]} {name}/main: {FOUND[name]}")


async def test_a_provider_that_is_away_keeps_nothing_either(desk: Desk) -> None:
    await desk.says(OLGA, "/connect crm live main")
    await desk.says(OLGA, "only me")
    told, question = texts(await desk.says(OLGA, "some-api-key"))
    assert told == "Broctagon CRM (crm/main) could not be reached. Try again in a minute.\nNothing was kept."
    assert question.startswith("Broctagon CRM: please send the API key.")
    assert await desk.rooms.connections.everything() == []


# obstacles on the way


async def _asked_for_secret(desk: Desk) -> None:
    await desk.says(OLGA, "/connect crm live main")
    await desk.says(OLGA, "only me")


async def test_a_message_that_cannot_be_deleted_is_said(desk: Desk) -> None:
    await _asked_for_secret(desk)
    refusal = {"ok": False, "error_code": 400, "description": "Bad Request: message can't be deleted"}
    await desk.chat.faults({"action": "status", "match": {"path": "deleteMessage"}, "status": 400, "body": refusal})
    answers = await desk.says(OLGA, "canary-api-key")
    assert answers[0]["text"] == (
        "I could not delete your message. Delete it yourself, and change what it held wherever it counts."
    )


async def test_a_secret_of_the_wrong_shape_is_deleted_too_and_the_question_stands(desk: Desk) -> None:
    await _asked_for_secret(desk)
    assert await desk.said(OLGA, "sh ort") == (
        "That does not look like the API key (Settings → Dev Space → Open API Keys; it is shown once, when it is made);"
        " send it again, or /cancel."
    )
    assert "sh ort" not in texts(desk.chat.messages(OLGA))
    answers = await desk.says(OLGA, "canary-api-key")
    assert answers[0]["text"].startswith("Broctagon CRM (crm/main) could not be reached")


@pytest.mark.parametrize("password", ["/canary_password_1", "/transfer-canary 500"])
async def test_a_password_that_looks_like_a_command_is_neither_echoed_nor_left(desk: Desk, password: str) -> None:
    await _asked_for_secret(desk)
    answers = await desk.says(OLGA, password)
    assert not [one for one in texts(answers) if "canary" in one]
    assert password not in texts(desk.chat.messages(OLGA))


async def test_a_known_command_in_the_middle_is_a_command_and_the_question_stands(desk: Desk) -> None:
    await _asked_for_secret(desk)
    assert (await desk.said(OLGA, "/whoami")).startswith("You are Olga")
    answers = await desk.says(OLGA, "canary-api-key")
    assert answers[0]["text"].startswith("Broctagon CRM (crm/main) could not be reached")


async def test_cancel_throws_away_what_was_said(desk: Desk) -> None:
    await desk.says(OLGA, "/connect capital demo main")
    await desk.says(OLGA, "only me")
    await desk.says(OLGA, "first-secret-canary")
    assert await desk.said(OLGA, "/cancel") == "Stopped; nothing was kept."
    assert await desk.rooms.database.read(lambda tables: tables["sealed"].count) == 0


async def test_half_a_login_that_nobody_went_on_with_is_erased_when_the_draft_is(desk: Desk) -> None:
    async def sealed() -> int:
        return await desk.rooms.database.read(lambda tables: tables["sealed"].count)

    await desk.says(OLGA, "/connect capital demo main")
    await desk.says(OLGA, "only me")
    await desk.says(OLGA, "first-secret-canary")
    assert (await desk.rooms.linking.prune(), await sealed()) == (0, 1)
    desk.clock.ahead_by(86_500)
    await desk.rooms.cards.prune()
    assert (await desk.rooms.linking.prune(), await sealed()) == (1, 0)


async def test_a_secret_that_comes_after_the_end_is_deleted_all_the_same(desk: Desk) -> None:
    await _asked_for_secret(desk)
    await desk.says(OLGA, "/cancel")
    for late in ("late-secret-canary", "/late_secret_canary"):
        assert await desk.said(OLGA, late) == (
            "I deleted that, in case it was a secret: nothing is being linked. /connect starts again."
        )
        assert late not in texts(desk.chat.messages(OLGA))
    desk.clock.ahead_by(3600)
    assert await desk.said(OLGA, "hello") == "I understand commands, for example /balance. /help shows all of them."


async def test_before_a_secret_was_asked_for_nothing_that_comes_later_is_taken_for_one(desk: Desk) -> None:
    await desk.says(OLGA, "/connect crm live")
    assert await desk.said(OLGA, "/cancel") == "Stopped; nothing was kept."
    assert (await desk.said(OLGA, "what is my balance?")).startswith("I understand commands")
    assert "what is my balance?" in texts(desk.chat.messages(OLGA))


async def test_a_label_is_a_word_that_looks_like_no_other(desk: Desk) -> None:
    await desk.says(OLGA, "/connect crm live")
    for label in ("Two words", "crm", "x" * 25, "m\u0430in", "ma\u200bin", "</b>", "mаin", "ｍain"):
        assert await desk.said(OLGA, label) == (
            "A label is one short word of small letters, digits, - or _, and no provider's name. For example: main"
        ), label
    assert await desk.said(OLGA, "MAIN") == "Broctagon CRM: who may read it?"


async def test_a_label_that_is_taken_is_said_before_anything_secret_is_asked(tmp_path: Path, chat: Chat) -> None:
    async with at_work_with(tmp_path, chat, "crm") as desk:
        await desk.link("crm", ADAM, share=())
        taken = "There is a connection crm/main already; choose another word. For example: "
        assert await desk.said(OLGA, "/connect crm live main") == f"{taken}/connect crm live main-2"
        await desk.says(OLGA, "/connect crm live")
        assert await desk.said(OLGA, "main") == f"{taken}main-2"
        assert await desk.said(OLGA, "other") == "Broctagon CRM: who may read it?"


async def test_the_example_on_a_line_that_does_not_fit_is_a_line_that_does(desk: Desk) -> None:
    for line, question in (
        ("/connect bank", "Capital.com: real money (live) or a demo account?"),
        ("/connect capital play", "Capital.com: what shall it be called? A short word such as main."),
        ("/connect capital demo NOT!", "Capital.com: who may read it?"),
        ("/key new NOT!", "Crypto Capital: who may read it?"),
    ):
        _, _, example = (await desk.said(OLGA, line)).partition(" For example: ")
        assert await desk.said(OLGA, example) == question, line


async def test_a_label_that_two_people_want_at_once_goes_to_one_of_them(tmp_path: Path, chat: Chat) -> None:
    async with at_work_with(tmp_path, chat, "crm") as desk:
        for person in (OLGA, ADAM):
            await desk.says(person, "/connect crm live main")
            await desk.says(person, "only me")
        key = desk.sides["crm"].credentials["api_key"]
        messages = [{"message": chat.message_from(person, key)} for person in (OLGA, ADAM)]
        await desk.happens(*messages)
        ends = [next(t for t in reversed(texts(chat.from_bot(person))) if "crm/main" in t) for person in (OLGA, ADAM)]
        assert sorted(end.split()[0] for end in ends) in (["Linked", "There"], ["Connections", "Linked"])
        assert len(await desk.rooms.connections.everything()) == 1
        assert await desk.rooms.database.read(lambda tables: tables["sealed"].count) == 1


async def test_a_button_of_an_earlier_question_answers_no_later_one(desk: Desk) -> None:
    await desk.says(OLGA, "/connect crm live main")
    (share,) = [one for one in desk.chat.from_bot(OLGA) if buttons(one)]
    await desk.says(OLGA, "/connect deriv live main")
    assert texts(await desk.taps(OLGA, share, "Everyone at the desk")) == [
        "That question is closed. /connect starts again."
    ]
    (mine,) = [one for one in desk.chat.from_bot(OLGA)[-2:] if buttons(one)]
    _, question = await desk.taps(OLGA, mine, "Only me")
    assert question["text"].startswith("Deriv: please send the App ID.")
    assert texts(await desk.taps_data(OLGA, mine, buttons(mine)["Everyone at the desk"])) == []
    assert desk.toasts()[-1] == "Already done."


async def test_two_taps_on_one_question_answer_it_once(desk: Desk) -> None:
    (asked,) = await desk.says(OLGA, "/connect")
    data = buttons(asked)["Deriv"]
    taps = [{"from": OLGA, "chat": OLGA, "message_id": asked["message_id"], "data": data} for _ in range(5)]
    await asyncio.gather(*(desk.chat.play("tap", **tap) for tap in taps))
    await desk.settled()
    assert texts(desk.chat.from_bot(OLGA)).count("→ Deriv") == 1
    assert len(desk.toasts()) == 5


async def test_a_restart_in_the_middle_goes_on_where_it_was(tmp_path: Path, chat: Chat, log: io.StringIO) -> None:
    async with providers("capital") as sides:
        fields = login_of("capital", sides["capital"].credentials)
        config = configured(tmp_path, chat, sides)
        async with at_work(config, chat, sides) as desk:
            await desk.says(OLGA, "/connect capital demo main")
            await desk.says(OLGA, "everyone at the desk")
            await desk.says(OLGA, fields["api_key"])
            assert await _canaries(desk, log, [fields["api_key"]]) == []
        async with at_work(config, chat, sides) as desk:
            (question,) = await desk.says(OLGA, fields["identifier"])
            assert question["text"].startswith("Capital.com: please send the API key password.")
            assert (await desk.said(OLGA, fields["password"])).startswith("Linked Capital.com capital/main")
            assert await _canaries(desk, log, [fields["api_key"], fields["password"]]) == []


async def test_a_secret_that_comes_again_after_a_crash_is_not_taken_for_the_next_answer(desk: Desk) -> None:
    """The crash came after the answer was kept and before the update was marked as handled."""
    await desk.says(OLGA, "/connect capital demo main")
    await desk.says(OLGA, "only me")
    update = {"message": desk.chat.message_from(OLGA, "first-secret-canary")}
    await desk.happens(update)
    await desk.rooms.inbox.flush()
    await desk.rooms.database.write(lambda tables: tables.conn.execute("DELETE FROM inbox"))  # as if it never came
    await desk.happens(update)
    assert texts(desk.chat.from_bot(OLGA))[-1].startswith("Capital.com: please send the Login e-mail.")
    draft = await desk.rooms.cards.draft(desk.person(OLGA).id)
    assert draft is not None
    assert "canary" not in json.dumps(dict(draft.body))


async def test_a_person_who_may_not_link_any_more_cannot_end_what_they_began(desk: Desk) -> None:
    (asked,) = await desk.says(OLGA, "/connect")
    await desk.rooms.database.write(lambda tables: tables.conn.execute("DELETE FROM roles WHERE role = 'operator'"))
    await desk.rooms.access.refresh()
    assert texts(await desk.taps(OLGA, asked, "Deriv")) == [
        "That needs the right to link provider logins, which you do not have. An admin can give it."
    ]


# unlinking


@pytest.fixture
async def crm(tmp_path: Path) -> Any:
    async with (
        telegram() as chat,
        providers("crm") as sides,
        at_work(configured(tmp_path, chat, sides), chat, sides) as desk,
    ):
        await desk.link("crm")
        yield desk


async def test_unlinking_asks_first_and_erases_the_credential(crm: Desk) -> None:
    (question,) = await crm.says(OLGA, "/disconnect crm")
    assert question["text"] == "Unlink Broctagon CRM crm/main and erase its credential?"
    assert list(buttons(question)) == ["Unlink", "Keep it"]
    assert await crm.taps(OLGA, question, "Unlink") == []
    assert crm.now(question)["text"] == (
        "Unlinked crm/main; its credential is erased. "
        "Delete the API key in the CRM under Settings → Dev Space → Open API Keys."
    )
    assert buttons(crm.now(question)) == {}
    assert await crm.rooms.connections.everything() == []
    assert await crm.rooms.database.read(lambda tables: tables["sealed"].count) == 0
    assert await crm.taps(OLGA, question, "Unlink") == []
    assert crm.toasts()[-1] == "Already done."


async def test_it_can_be_kept_after_all(crm: Desk) -> None:
    (question,) = await crm.says(OLGA, "/disconnect main")
    assert await crm.taps(OLGA, question, "Keep it") == []
    assert crm.now(question)["text"] == "Kept crm/main."
    assert len(await crm.rooms.connections.everything()) == 1


async def test_two_devices_that_say_yes_and_no_at_once_are_one_decision(crm: Desk) -> None:
    (question,) = await crm.says(OLGA, "/disconnect crm/main")
    both = [
        {"from": OLGA, "chat": OLGA, "message_id": question["message_id"], "data": data}
        for data in buttons(question).values()
    ]
    await asyncio.gather(*(crm.chat.play("tap", **tap) for tap in both))
    await crm.settled()
    kept = len(await crm.rooms.connections.everything()) == 1
    assert crm.now(question)["text"].startswith("Kept" if kept else "Unlinked")
    assert len(crm.toasts()) == 2


async def test_only_its_owner_or_an_admin_unlinks_it(crm: Desk) -> None:
    await crm.rooms.database.write(
        lambda tables: tables.conn.execute(
            "INSERT INTO roles (person_id, role) SELECT person_id, 'operator' FROM telegram_ids WHERE telegram_id = ?",
            (ANNA,),
        )
    )
    await crm.rooms.access.refresh()
    assert await crm.said(ANNA, "/disconnect crm") == (
        "That needs the right to unlink a connection of somebody else, which you do not have. An admin can give it."
    )
    (question,) = await crm.says(ADAM, "/disconnect crm")
    await crm.taps(ADAM, question, "Unlink")
    assert await crm.rooms.connections.everything() == []


async def test_an_old_question_does_not_unlink_a_later_login_of_the_same_name(crm: Desk) -> None:
    (question,) = await crm.says(OLGA, "/disconnect crm/main")
    (first,) = await crm.rooms.connections.everything()
    await crm.rooms.credentials.unlink(crm.person(OLGA), first, crm.rooms.access.roster, telegram_id=OLGA)
    second = await crm.link("crm")
    assert second.id != first.id
    await crm.taps(OLGA, question, "Unlink")
    assert crm.now(question)["text"] == "It is gone already."
    assert len(await crm.rooms.connections.everything()) == 1


async def test_a_name_that_could_be_several_is_asked_about(tmp_path: Path, chat: Chat) -> None:
    async with at_work_with(tmp_path, chat, "crm") as desk:
        await desk.link("crm", label="one")
        await desk.link("crm", label="two")
        assert await desk.said(OLGA, "/disconnect crm") == (
            "That could be crm/one, crm/two. For example: /disconnect crm/one"
        )
