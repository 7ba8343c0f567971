"""/factor through a chat: the picture that does not stay, and codes that are asked for by name and used once."""

import io
import logging
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from bot import logs
from bot.approvals.model import Request
from bot.approvals.wording import words_of
from bot.audit.model import Selection
from bot.operations.factor_records import Standing
from bot.vault.totp import code_of, provisioning_uri, seed_from, step_of
from handlers.render.pictures import qr_code
from tests.support.chatting import (
    ADAM,
    ANNA,
    NO_PACING,
    OLGA,
    VERA,
    Chat,
    Desk,
    Message,
    at_work,
    buttons,
    texts,
    until,
)
from tests.support.desk import GROUP, write_desk
from tests.support.factors import confirmed_by_another

ADMINS = (ADAM, VERA, ANNA)
REFUSAL = {"ok": False, "error_code": 400, "description": "Bad Request: message can't be deleted"}
CANNOT_DELETE = {"action": "status", "match": {"path": "deleteMessage"}, "status": 400, "body": REFUSAL, "times": 9}


@pytest.fixture
def config(tmp_path: Path, chat: Chat) -> Path:
    """Three admins and an operator."""
    members = [(OLGA, "Olga", ["operator"])]
    members += [(number, name, ["admin"]) for number, name in zip(ADMINS, ("Adam", "Vera", "Anna"), strict=True)]
    return write_desk(
        tmp_path, admins=ADMINS, members=members, telegram_url=chat.listening.http, token=chat.token, more=NO_PACING
    )


@pytest.fixture
async def desk(config: Path, chat: Chat) -> AsyncIterator[Desk]:
    async with at_work(config, chat) as found:
        yield found


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


class Phone:
    """An authenticator app that was given the key."""

    def __init__(self, desk: Desk, picture: Message) -> None:
        (spoiler,) = [each for each in picture["caption_entities"] if each["type"] == "spoiler"]
        start, end = spoiler["offset"], spoiler["offset"] + spoiler["length"]
        self.key = picture["caption"][start:end]
        self.seed = seed_from(self.key.replace(" ", ""))
        self._desk = desk
        desk.clock.ahead_by(31 - desk.clock.now().timestamp() % 30)  # a code just begun, so that none ends meanwhile

    def shows(self) -> str:
        return code_of(self.seed, step_of(self._desk.clock.now()))

    def later(self) -> str:
        """The code of half a minute from now, by when it is that late."""
        self._desk.clock.ahead_by(30)
        return self.shows()

    def wrong(self) -> str:
        step = step_of(self._desk.clock.now())
        near = {code_of(self.seed, step + steps) for steps in range(-2, 4)}
        return next(each for each in (f"{number:06}" for number in range(9)) if each not in near)


def pictures(desk: Desk, person: int = OLGA) -> list[Message]:
    return [each for each in desk.chat.from_bot(person) if "photo" in each]


async def begun(desk: Desk, person: int = OLGA) -> Phone:
    (shown,) = await desk.says(person, "/factor")
    (picture,) = await desk.taps(person, shown, "Set it up")
    return Phone(desk, picture)


async def enrolled(desk: Desk, person: int = OLGA) -> Phone:
    phone = await begun(desk, person)
    waits = "That was right. An admin must confirm it before it counts"
    asked = sum(text.startswith(waits) for text in texts(desk.chat.from_bot(person)))
    news = (
        "Your second factor was set up\nAnother person has confirmed it.\nIf that was not you, tell an admin at once."
    )
    before = texts(desk.chat.from_bot(person)).count(news)
    await desk.says(person, phone.shows())
    await until(lambda: sum(text.startswith(waits) for text in texts(desk.chat.from_bot(person))) > asked)
    await confirmed_by_another(desk.rooms, desk.person(person).id)
    await until(lambda: texts(desk.chat.from_bot(person)).count(news) > before)
    return phone


async def standing(desk: Desk, person: int = OLGA) -> Standing:
    return await desk.rooms.factors.standing(desk.person(person).id)


async def prompted(desk: Desk, label: str, person: int = OLGA) -> Message:
    (shown,) = await desk.says(person, "/factor")
    (prompt,) = await desk.taps(person, shown, label)
    return prompt


# setting up


async def test_the_picture_shows_the_key_and_cannot_be_passed_on(desk: Desk) -> None:
    phone = await begun(desk)
    (picture,) = pictures(desk)
    assert [len(group) for group in phone.key.split(" ")] == [4] * 8
    assert len(phone.seed) == 20
    assert picture["has_protected_content"] is True
    stored = desk.chat.simulator.world.files[picture["photo"][-1]["file_id"]]
    assert stored.media_type == "image/png"
    assert stored.content == qr_code(provisioning_uri(phone.seed, "Olga", desk.rooms.config.desk.name))
    assert picture["photo"][-1]["width"] == picture["photo"][-1]["height"] > 300


async def test_after_the_first_good_code_neither_the_picture_nor_the_code_is_in_the_chat(desk: Desk) -> None:
    phone = await begun(desk)
    code = phone.shows()
    said = await desk.says(OLGA, f"{code[:3]} {code[3:]}")
    waiting = (await standing(desk)).waiting
    asked = f"That was right. An admin must confirm it before it counts: request {waiting}, open for 12 hours."
    assert texts(said) == [f"{asked} Call one, so that they know it was you. I deleted the picture and your code."]
    assert pictures(desk) == []
    assert not [each for each in texts(desk.chat.messages(OLGA)) if code[3:] in each]
    assert not (await standing(desk)).is_active
    await confirmed_by_another(desk.rooms, desk.person(OLGA).id)
    assert (await standing(desk)).is_active
    await until(lambda: [one for one in texts(desk.chat.from_bot(OLGA)) if "Your second factor was set up" in one])
    assert (await desk.said(OLGA, "/factor")).startswith("Your second factor is set up, since ")


async def test_a_first_one_counts_when_an_admin_has_tapped_and_not_before(desk: Desk) -> None:
    phone = await begun(desk)
    await desk.says(OLGA, phone.shows())
    (shown,) = await desk.says(OLGA, "/factor")
    assert "waits for an admin to confirm it" in shown["text"]
    assert list(buttons(shown)) == ["Set it up anew"]
    await until(lambda: [one for one in desk.chat.from_bot(VERA) if "Approve" in buttons(one)])
    (card,) = [one for one in desk.chat.from_bot(VERA) if "Approve" in buttons(one)]
    assert "Confirm the first second factor of Olga" in card["text"]
    assert not (await standing(desk)).is_active
    await desk.taps(VERA, card, "Approve")
    assert (await standing(desk)).is_active
    assert (await desk.said(OLGA, "/factor")).startswith("Your second factor is set up, since ")


async def test_what_cannot_be_deleted_is_said(desk: Desk) -> None:
    phone = await begun(desk)
    await desk.chat.faults(CANNOT_DELETE)
    said = await desk.says(OLGA, phone.shows())
    first, second = texts(said)
    assert first == "I could not delete your message. Delete it yourself, and change what it held wherever it counts."
    assert second.endswith("I could not delete the picture and your code: please delete it yourself.")
    assert (await standing(desk)).waiting is not None


async def test_a_wrong_first_code_is_deleted_and_asked_for_again(desk: Desk) -> None:
    phone = await begun(desk)
    wrong = phone.wrong()
    said = await desk.says(OLGA, wrong)
    assert texts(said) == ["That is not the code. Try again with the one your device shows now."]
    assert wrong not in texts(desk.chat.messages(OLGA))
    assert len(pictures(desk)) == 1
    said = await desk.says(OLGA, "what now?")
    assert texts(said) == ["The code is the six digits your app shows; /cancel stops. For example: 123 456"]
    await desk.says(OLGA, phone.shows())
    assert (await standing(desk)).waiting is not None


async def test_after_ten_minutes_the_picture_goes_by_itself(desk: Desk) -> None:
    phone = await begun(desk)
    await desk.says(OLGA, "/whoami")
    assert len(pictures(desk)) == 1
    desk.clock.ahead_by(601)
    await until(lambda: not pictures(desk))
    said = await desk.says(OLGA, phone.shows())
    assert texts(said) == ["That took more than 10 minutes: nothing was set up. /factor begins again."]
    assert (await standing(desk)) == Standing()


async def test_it_goes_also_when_the_bot_was_restarted_meanwhile(config: Path, chat: Chat) -> None:
    async with at_work(config, chat) as desk:
        await begun(desk)
        assert len(pictures(desk)) == 1
    async with at_work(config, chat) as desk:
        desk.clock.ahead_by(601)
        await until(lambda: not pictures(desk))


async def test_a_restart_in_the_middle_goes_on(config: Path, chat: Chat) -> None:
    async with at_work(config, chat) as desk:
        phone, ahead = await begun(desk), desk.clock.ahead
    async with at_work(config, chat) as desk:
        desk.clock.ahead = ahead
        said = await desk.says(OLGA, phone.shows())
        assert texts(said)[0].startswith("That was right.")
        assert pictures(desk) == []


async def test_cancel_stops_it_and_takes_the_picture_away(desk: Desk) -> None:
    phone = await begun(desk)
    assert await desk.said(OLGA, "/cancel") == "Stopped; nothing was kept."
    assert pictures(desk) == []
    assert await desk.rooms.database.read(lambda tables: tables["sealed"].count) == 0
    await desk.says(OLGA, phone.shows())
    assert await standing(desk) == Standing()


async def test_a_picture_that_does_not_arrive_sets_nothing_up(desk: Desk) -> None:
    (shown,) = await desk.says(OLGA, "/factor")
    await desk.chat.faults({"action": "status", "match": {"path": "sendPhoto"}, "status": 502, "times": 1})
    said = await desk.taps(OLGA, shown, "Set it up")
    assert texts(said) == ["The picture could not be sent, so nothing was set up. /factor begins again."]
    assert await standing(desk) == Standing()
    assert len(desk.chat.calls("sendPhoto")) <= 1
    assert await desk.rooms.database.read(lambda tables: tables["sealed"].count) == 0
    await enrolled(desk)


async def test_a_second_tap_shows_no_second_picture(desk: Desk) -> None:
    (shown,) = await desk.says(OLGA, "/factor")
    data = buttons(shown)["Set it up"]
    await desk.taps_data(OLGA, shown, data)
    await desk.taps_data(OLGA, shown, data)
    assert len(pictures(desk)) == 1


async def test_it_is_a_matter_of_the_private_chat(desk: Desk) -> None:
    assert await desk.said(OLGA, "/factor", GROUP) == "/factor works in our private chat only."


async def test_setting_it_up_ends_a_login_that_was_being_linked(desk: Desk) -> None:
    (shown,) = await desk.says(OLGA, "/factor")
    await desk.says(OLGA, "/connect crm live main")
    (picture,) = await desk.taps(OLGA, shown, "Set it up")
    await desk.says(OLGA, Phone(desk, picture).shows())
    assert (await standing(desk)).waiting is not None


# asking for a code


async def test_a_code_prompt_names_its_purpose_and_its_answer_is_deleted(desk: Desk) -> None:
    phone = await enrolled(desk)
    prompt = await prompted(desk, "Remove it")
    assert prompt["text"] == (
        "To remove your second factor, reply to this message with the six digits your device shows. I delete your "
        "message at once, and the code counts for this alone. Open for 5 minutes; /cancel stops."
    )
    code = phone.later()
    said = await desk.says(OLGA, code, reply_to_message=prompt)
    assert texts(said) == ["Your second factor is removed. /factor sets up a new one."]
    assert code not in texts(desk.chat.messages(OLGA))
    assert await standing(desk) == Standing()
    await until(lambda: [one for one in texts(desk.chat.from_bot(ADAM)) if "Olga has removed" in one])


async def test_the_next_text_will_do_as_well_as_a_reply(desk: Desk) -> None:
    phone = await enrolled(desk)
    await prompted(desk, "Remove it")
    await desk.says(OLGA, phone.later())
    assert await standing(desk) == Standing()


async def test_a_reply_to_an_earlier_prompt_authorises_nothing_later(desk: Desk) -> None:
    phone = await enrolled(desk)
    replace = await prompted(desk, "Replace it")
    remove = await prompted(desk, "Remove it")
    said = await desk.says(OLGA, phone.later(), reply_to_message=replace)
    assert texts(said) == ["You replied to another message. Reply to the last one in which I asked for a code."]
    assert (await standing(desk)).is_active
    assert pictures(desk) == []
    await desk.says(OLGA, phone.shows(), reply_to_message=remove)
    assert await standing(desk) == Standing()


async def test_the_code_that_confirmed_it_is_not_taken_again(desk: Desk) -> None:
    phone = await enrolled(desk)
    await prompted(desk, "Remove it")
    said = await desk.says(OLGA, phone.shows())
    assert texts(said) == [
        "That code was used already; each counts once. Try again with the next one, in half a minute."
    ]
    assert (await standing(desk)).is_active


async def test_wrong_codes_are_counted_down_and_then_it_begins_anew(desk: Desk) -> None:
    phone = await enrolled(desk)
    await prompted(desk, "Remove it")
    said = [text for _ in range(4) for text in texts(await desk.says(OLGA, phone.wrong()))]
    assert said[0] == (
        "That is not the code. 4 tries are left before it locks. Try again with the one your device shows now."
    )
    assert "1 try is left" in said[3]
    assert texts(await desk.says(OLGA, "not digits")) == ["A code is six digits; /cancel stops. For example: 123 456"]
    last = texts(await desk.says(OLGA, phone.wrong()))
    assert [one for one in last if one.startswith("Too many wrong codes: your second factor is locked.")]
    for chat in (OLGA, *ADMINS):
        await until(lambda chat=chat: [one for one in texts(desk.chat.from_bot(chat)) if "is locked\n5 wrong" in one])

    said = texts(await desk.says(OLGA, phone.later()))  # the prompt is over, and a good code is no answer to it
    assert said == ["I understand commands, for example /balance. /help shows all of them."]
    (shown,) = await desk.says(OLGA, "/factor")
    assert "It is locked until" in shown["text"]
    assert texts(await desk.taps(OLGA, shown, "Remove it"))[0].startswith("Too many wrong codes")

    desk.clock.ahead_by(15 * 60)
    await prompted(desk, "Remove it")
    await desk.says(OLGA, phone.shows())
    assert await standing(desk) == Standing()


async def test_a_prompt_is_over_after_five_minutes(desk: Desk) -> None:
    phone = await enrolled(desk)
    await prompted(desk, "Remove it")
    desk.clock.ahead_by(300)
    said = await desk.says(OLGA, phone.shows())
    assert texts(said) == ["That took too long: I do not ask for a code any more, and nothing was done. Begin again."]
    assert (await standing(desk)).is_active


async def test_a_prompt_outlives_a_restart(config: Path, chat: Chat) -> None:
    async with at_work(config, chat) as desk:
        phone = await enrolled(desk)
        prompt = await prompted(desk, "Remove it")
    async with at_work(config, chat) as desk:
        desk.clock.ahead_by(60)
        code = code_of(phone.seed, step_of(desk.clock.now()))
        await desk.says(OLGA, code, reply_to_message=prompt)
        assert await standing(desk) == Standing()


async def test_cancel_stops_a_prompt(desk: Desk) -> None:
    phone = await enrolled(desk)
    await prompted(desk, "Remove it")
    assert await desk.said(OLGA, "/cancel") == "Stopped; nothing was kept."
    await desk.says(OLGA, phone.later())
    assert (await standing(desk)).is_active


async def test_replacing_it_takes_the_old_code_and_then_the_new_one_s(desk: Desk) -> None:
    old = await enrolled(desk)
    prompt = await prompted(desk, "Replace it")
    (picture,) = await desk.says(OLGA, old.later(), reply_to_message=prompt)
    new = Phone(desk, picture)
    assert new.seed != old.seed
    said = await desk.says(OLGA, old.later())
    assert texts(said) == ["That is not the code. Try again with the one your device shows now."]
    said = await desk.says(OLGA, new.shows())
    assert texts(said)[0].startswith("Your second factor is set up.")
    assert pictures(desk) == []
    await prompted(desk, "Remove it")
    await desk.says(OLGA, old.later())
    assert (await standing(desk)).is_active
    await desk.says(OLGA, new.later())
    assert await standing(desk) == Standing()


async def test_a_suspended_person_s_code_is_not_even_read(desk: Desk) -> None:
    phone = await enrolled(desk)
    await prompted(desk, "Remove it")
    number = desk.person(OLGA).id
    await desk.rooms.database.write(
        lambda tables: tables.conn.execute("UPDATE persons SET state = 'suspended' WHERE id = ?", (number,))
    )
    await desk.rooms.access.refresh()
    assert await desk.says(OLGA, phone.later()) == []
    assert (await desk.rooms.factors.standing(number)).is_active


# a reset


async def card_of(desk: Desk, admin: int, request: Request) -> Message:
    def found() -> list[Message]:
        return [one for one in desk.chat.from_bot(admin) if request.id in one.get("text", "") and buttons(one)]

    await until(found)
    return found()[0]


async def reset_asked(desk: Desk, by: int, words: str = "/factor reset") -> Request:
    said = await desk.said(by, words)
    (request,) = await desk.rooms.approvals.pending()
    assert request.id in said
    return request


async def test_two_admins_take_it_away_by_their_buttons(desk: Desk) -> None:
    phone = await enrolled(desk)
    request = await reset_asked(desk, OLGA)
    card = await card_of(desk, ADAM, request)
    assert f"Take away the second factor of Olga (person {desk.person(OLGA).id})." in card["text"]
    await desk.taps(ADAM, card, "Approve")
    assert (await standing(desk)).is_active
    said = await desk.taps(VERA, await card_of(desk, VERA, request), "Approve")
    assert said == []
    assert await standing(desk) == Standing()
    await until(lambda: [one for one in texts(desk.chat.from_bot(OLGA)) if "Your second factor was reset" in one])
    assert (await enrolled(desk)).seed != phone.seed


async def test_an_admin_asks_for_somebody_else_and_is_no_signer_of_it(desk: Desk) -> None:
    await enrolled(desk)
    request = await reset_asked(desk, ADAM, "/factor reset olga")
    for admin in (VERA, ANNA):
        assert (await standing(desk)).is_active
        await desk.taps(admin, await card_of(desk, admin, request), "Approve")
    assert await standing(desk) == Standing()
    assert not [one for one in desk.chat.from_bot(ADAM) if request.id in one.get("text", "") and buttons(one)]


async def test_nobody_else_asks_for_somebody_else(desk: Desk) -> None:
    await enrolled(desk, ADAM)
    said = await desk.said(OLGA, "/factor reset Adam")
    assert said.startswith("That needs the right to ")
    assert await desk.rooms.approvals.pending() == []


async def test_an_admin_with_a_second_factor_shows_it_when_they_sign(desk: Desk) -> None:
    await enrolled(desk)
    phone = await enrolled(desk, ADAM)
    request = await reset_asked(desk, OLGA)
    card = await card_of(desk, ADAM, request)
    (prompt,) = await desk.taps(ADAM, card, "Approve")
    assert prompt["text"].startswith(
        f"To approve request {request.id}, {words_of(request.hash)}, {request.hash[:8]}, reply to this message"
    )
    assert (await desk.rooms.approvals.find(request.id)).votes == ()

    for left in ("4 tries are left", "3 tries are left"):
        said = await desk.says(ADAM, phone.wrong(), reply_to_message=prompt)
        assert left in texts(said)[0]
    assert (await desk.rooms.approvals.find(request.id)).votes == ()

    said = await desk.says(ADAM, phone.later(), reply_to_message=prompt)
    assert texts(said) == [f"Recorded: you approved request {request.id}."]
    rows = (await desk.rooms.auditing.page(Selection(object=f"request/{request.id}"))).rows
    assert [row.details["message"] for row in rows if row.action == "request.approved"] == [card["message_id"]]
    assert len((await desk.rooms.approvals.find(request.id)).votes) == 1
    await desk.taps(ANNA, await card_of(desk, ANNA, request), "Approve")
    assert await standing(desk) == Standing()


async def test_a_denial_needs_no_code(desk: Desk) -> None:
    await enrolled(desk)
    await enrolled(desk, ADAM)
    request = await reset_asked(desk, OLGA)
    said = await desk.taps(ADAM, await card_of(desk, ADAM, request), "Deny")
    assert said == []
    assert (await standing(desk)).is_active


async def test_a_vote_that_cannot_count_uses_no_code_up(desk: Desk) -> None:
    await enrolled(desk)
    phone = await enrolled(desk, ADAM)
    request = await reset_asked(desk, OLGA)
    (prompt,) = await desk.taps(ADAM, await card_of(desk, ADAM, request), "Approve")
    await desk.taps(VERA, await card_of(desk, VERA, request), "Deny")
    code = phone.later()
    said = await desk.says(ADAM, code, reply_to_message=prompt)
    assert texts(said) == ["This has ended (denied by Vera). Nothing was changed."]
    await prompted(desk, "Remove it", ADAM)
    await desk.says(ADAM, code)
    assert await standing(desk, ADAM) == Standing()


# the clock


async def test_an_admin_s_button_settles_a_clock_that_was_set(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    phone = await enrolled(desk)
    await prompted(desk, "Remove it")
    monotonic = desk.clock.monotonic
    monkeypatch.setattr(desk.clock, "monotonic", lambda: monotonic() - 3600)  # as if the other hand had jumped
    said = await desk.says(OLGA, phone.later())
    assert texts(said)[0].startswith("This machine's clock was set, so codes are not accepted")
    assert (await standing(desk)).is_active

    def told() -> list[Message]:
        return [one for one in desk.chat.from_bot(ADAM) if one.get("text", "").startswith("This machine's clock was")]

    await until(told)
    (card,) = told()
    assert "It was put forward by about 3600 seconds" in card["text"]
    said = await desk.taps(ADAM, card, "The clock is right now")
    assert texts(said)[0].endswith("Codes are accepted again.")
    await until(lambda: "Settled by Adam: the clock is right." in desk.now(card)["text"])
    assert buttons(desk.now(card)) == {}

    await prompted(desk, "Remove it")
    await desk.says(OLGA, phone.later())
    assert await standing(desk) == Standing()


# nothing of it stays


async def test_the_key_is_in_no_file_no_log_and_no_message_that_is_left(
    desk: Desk, tmp_path: Path, log: io.StringIO
) -> None:
    phone = await begun(desk)
    code = phone.shows()
    await desk.says(OLGA, code)
    await confirmed_by_another(desk.rooms, desk.person(OLGA).id)
    key = phone.key.replace(" ", "")
    left = str([desk.chat.messages(chat) for chat in desk.chat.simulator.world.chats])
    files = everything_in(tmp_path)
    assert b"factor.enrolled" in files
    for form in (phone.key, key):
        assert form.encode() not in files
        assert form not in log.getvalue()
        assert form not in left
    assert phone.seed not in files
    assert code not in left


def everything_in(folder: Path) -> bytes:
    return b"".join(each.read_bytes() for each in folder.rglob("*") if each.is_file())
