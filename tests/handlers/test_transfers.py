"""/transfer, as people use it: on one line, and step by step; and what becomes of it."""

import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bot.approvals.model import State
from bot.approvals.wording import words_of
from bot.secret import Secret
from bot.vault.totp import code_of, seed_from, step_of
from tests.support.chatting import (
    ANNA,
    OLGA,
    Chat,
    Message,
    at_work,
    buttons,
    configured,
    providers,
    telegram,
    texts,
    until,
)
from tests.support.desk import GROUP
from tests.support.factors import confirmed_by_another
from tests.support.treasury import CONFIRM, HARBOUR, ONE_APPROVER, OPERATING, Treasury, treasury

ONE_LINE = f"/transfer 10.00 USD from main {OPERATING} to Harbour for Invoice 4711"


@pytest.fixture
async def chat() -> AsyncIterator[Chat]:
    async with telegram() as opened:
        yield opened


@pytest.fixture
async def room(tmp_path: Path, chat: Chat) -> AsyncIterator[Treasury]:
    async with treasury(tmp_path, chat) as opened:
        yield opened


async def card(room: Treasury, person: int, title: str) -> Message:
    """The newest message to a person that begins so."""

    def found() -> list[Message]:
        return [one for one in room.desk.chat.from_bot(person) if one.get("text", "").startswith(title)]

    await until(found)
    return found()[-1]


async def offered(room: Treasury, line: str) -> Message:
    """The last look that a line gets; news may come in between."""
    said = await room.desk.says(OLGA, line)
    (look,) = [one for one in said if one["text"].startswith("Crypto Capital · LIVE")]
    return look


async def requests(room: Treasury) -> list[str]:
    return [
        number for (number,) in await room.rows("SELECT id FROM requests WHERE kind = 'transfer' ORDER BY asked_at")
    ]


async def test_one_line_is_looked_at_once_more_asked_for_signed_and_sent(room: Treasury) -> None:
    (look,) = await room.desk.says(OLGA, ONE_LINE)
    text = look["text"].replace("\u2060", "")
    assert text.startswith(
        "Crypto Capital · LIVE\n"
        "Transfer 10.00 USD\n"
        f"from {OPERATING} (cryptocapital/main · LIVE)\n"
        f"to Harbour, {HARBOUR}\n"
        "For: Invoice 4711\n\n"
        f"{OPERATING} holds "
    )
    assert "Crypto Capital does not tell its fee beforehand." in text
    assert text.endswith("Must sign (rule “one approver”):\n• 1 approver: Anna\nThey have 30 min for it.")
    assert list(buttons(look)) == ["Ask", "Cancel"]
    assert look["has_protected_content"]
    assert await requests(room) == []

    await room.desk.taps(OLGA, look, "Ask")
    own = await card(room, OLGA, "Your request ")
    (number,) = await requests(room)
    hashed = (await room.rooms.approvals.find(number)).hash
    marks = f"{words_of(hashed)} · {hashed[:8]}"
    assert f"\n\nMarked {marks}. Whoever signs must see the same.\n\n" in text
    assert own["text"].startswith(f"Your request {number}\nTransfer 10.00 USD\n")
    assert buttons(room.desk.now(look)) == {}

    prompt = await card(room, ANNA, "Olga asks for your signature")
    assert f"Request {number} · {marks}" in prompt["text"]
    await room.desk.taps(ANNA, prompt, "Approve")
    await room.comes_to(await room.rooms.approvals.find(number), State.SUCCEEDED)
    assert [(one["amount"], one["to"]) for one in await room.executed()] == [("10.00", HARBOUR)]


@pytest.mark.parametrize(
    "line",
    [
        f"from {OPERATING} to Harbour 10.00 USD for Invoice 4711",
        f"to {HARBOUR} from cryptocapital {OPERATING} 10.00USD for Invoice 4711",
        f"USD 10.00 to harbour from {OPERATING} for Invoice 4711",
        f"10.00 from {OPERATING} to HARBOUR for Invoice 4711",
    ],
)
async def test_the_order_of_the_parts_is_free(room: Treasury, line: str) -> None:
    (look,) = await room.desk.says(OLGA, f"/transfer {line}")
    shown = (
        f"Transfer 10.00 USD\nfrom {OPERATING} (cryptocapital/main · LIVE)\nto Harbour, {HARBOUR}\nFor: Invoice 4711"
    )
    assert shown in look["text"].replace("\u2060", "")


async def test_step_by_step_with_buttons(room: Treasury) -> None:
    (account,) = await room.desk.says(OLGA, "/transfer")
    assert account["text"] == "From which account? Tap it, or send its number."
    label = next(one for one in buttons(account) if OPERATING[-4:] in one)
    (to,) = await room.desk.taps(OLGA, account, label)
    assert room.desk.now(account)["text"].endswith(label)
    assert to["text"].startswith("To whom? ")
    (amount,) = await room.desk.taps(OLGA, to, "Harbour …7013")
    assert amount["text"].startswith("How much, in USD? For example 250.00. ")
    (refused,) = await room.desk.says(OLGA, "1,000")
    assert refused["text"] == "An amount is plain digits with at most one point. For example: 250.00 USD"
    (note,) = await room.desk.says(OLGA, "12.50")
    (look,) = await room.desk.taps(OLGA, note, "Skip")
    assert f"Transfer 12.50 USD\nfrom {OPERATING}" in look["text"]
    await room.desk.taps(OLGA, look, "Ask")
    await card(room, ANNA, "Olga asks for your signature")


async def test_a_question_that_was_left_has_no_power(room: Treasury) -> None:
    (account,) = await room.desk.says(OLGA, "/transfer")
    assert await room.desk.said(OLGA, "/cancel") == "Stopped; nothing was kept."
    (said,) = await room.desk.taps(OLGA, account, next(iter(buttons(account))))
    assert said["text"] == "That question is over. /transfer begins anew."

    (look,) = await room.desk.says(OLGA, ONE_LINE)
    assert await room.desk.said(OLGA, "/cancel") == "Stopped; nothing was kept."
    (said,) = await room.desk.taps(OLGA, look, "Ask")
    assert said["text"] == "That is over; nothing was asked for. Begin anew if you still want it."
    assert await requests(room) == []


async def test_cancel_on_the_last_look_asks_for_nothing(room: Treasury) -> None:
    (look,) = await room.desk.says(OLGA, ONE_LINE)
    await room.desk.taps(OLGA, look, "Cancel")
    assert room.desk.now(look)["text"] == "Stopped; nothing was asked for."
    assert await requests(room) == []


async def test_two_taps_on_ask_are_one_request(room: Treasury) -> None:
    (look,) = await room.desk.says(OLGA, ONE_LINE)
    data = buttons(look)["Ask"]
    await room.desk.taps_data(OLGA, look, data)
    await room.desk.taps_data(OLGA, look, data)
    assert len(await requests(room)) == 1


async def test_terms_that_changed_since_they_were_shown_are_shown_first(room: Treasury) -> None:
    (look,) = await room.desk.says(OLGA, ONE_LINE)
    await room.policy(CONFIRM, version=2)
    said = await room.desk.taps(OLGA, look, "Ask")
    assert texts(said) == [
        "What it takes has changed since you were shown it; ask for it anew. Nothing was changed.",
    ]
    assert await requests(room) == []
    (look,) = await room.desk.says(OLGA, ONE_LINE)
    assert "Nobody else signs (rule “alone”): it is sent as soon as you say so." in look["text"]
    await room.desk.taps(OLGA, look, "Send it")
    (number,) = await requests(room)
    await room.comes_to(await room.rooms.approvals.find(number), State.SUCCEEDED)


async def test_what_is_no_amount_gets_the_form_of_its_currency(room: Treasury) -> None:
    plain = "An amount is plain digits with at most one point. For example: 250.00 USD"
    for amount, sentence in (
        ("1e5 USD", plain),
        ("1,000 USD", plain),
        ("1 000.00 USD", plain),
        ("１００ USD", plain),
        ("NaN USD", plain),
        ("-5 USD", plain),
        ("9" * 4000 + " USD", plain),
        ("0.00 USD", "An amount is above nought. For example: 250.00 USD"),
        ("10.001 USD", "USD has 2 decimals. For example: 250.00 USD"),
        ("10.5 JPY", "JPY has 0 decimals. For example: 250 JPY"),
    ):
        assert await room.desk.said(OLGA, f"/transfer {amount} to Harbour") == sentence
    assert await requests(room) == []


async def test_a_name_that_is_none_gets_the_nearest(room: Treasury) -> None:
    said = await room.desk.said(OLGA, f"/transfer 10.00 USD from {OPERATING} to Habour")
    assert said == "There is no beneficiary “Habour” in the book. Did you mean Harbour? There is: Harbour."
    said = await room.desk.said(OLGA, "/transfer 10.00 USD from 9120004472 to Harbour")
    assert said.startswith(f"There is no account “9120004472” that you can see. Did you mean {OPERATING}")


async def test_an_account_is_named_by_the_end_of_its_number_too(room: Treasury) -> None:
    for word in (OPERATING[-4:], f"…{OPERATING[-4:]}"):
        look = await offered(room, f"/transfer 10.00 USD from {word} to Harbour for Invoice 4711")
        assert OPERATING in look["text"]
    said = await room.desk.said(OLGA, f"/transfer 10.00 USD from {OPERATING[-3:]} to Harbour")
    assert said.startswith(f"There is no account “{OPERATING[-3:]}” that you can see.")


async def test_numbers_without_words_between_them_are_not_guessed_at(room: Treasury) -> None:
    for line in ("/transfer 4471 4488 100", "/transfer 100 9120004488"):
        said = await room.desk.said(OLGA, line)
        assert said.startswith("One line begins with the amount and its currency; say from, to and for before")
        assert said.endswith("For example: /transfer 250.00 USD from 9120000001 to Harbour for Invoice 4711")


async def test_too_little_money_is_said_before_anybody_signs(room: Treasury) -> None:
    said = await room.desk.said(OLGA, f"/transfer 999999999.00 USD from {OPERATING} to Harbour")
    assert said.startswith(f"{OPERATING} holds ")
    assert said.endswith(" now, which is less than 999999999.00 USD; nothing was asked for.")


async def test_a_line_that_comes_late_is_not_run(room: Treasury) -> None:
    now = int(room.desk.clock.now().timestamp())
    for seconds, is_late in ((30, False), (62, True)):
        message = room.desk.chat.message_from(OLGA, ONE_LINE, date=now - seconds)
        before = len(room.desk.chat.from_bot(OLGA))
        await room.desk.happens({"message": message})
        (said,) = texts(room.desk.chat.from_bot(OLGA)[before:])
        assert said.startswith("That was sent 1 min ago and came only now, so it was not run; send") == is_late


async def test_in_a_group_the_rest_is_said_privately_and_the_group_sees_a_masked_card(room: Treasury) -> None:
    (told,) = await room.desk.says(OLGA, ONE_LINE, GROUP)
    assert told["text"] == "Sent to you privately."
    look = await card(room, OLGA, "Crypto Capital · LIVE")
    await room.desk.taps(OLGA, look, "Ask")
    masked = await card(room, GROUP, "Request ")
    assert "A transfer through cryptocapital/main · LIVE." in masked["text"].replace("\u2060", "")
    everything = "\n".join(texts(room.desk.chat.from_bot(GROUP)))
    assert HARBOUR not in everything
    assert OPERATING not in everything
    assert "10.00" not in everything


async def test_hostile_words_are_shown_literally(room: Treasury) -> None:
    note = '<a href="tg://user?id=1">x</a>'
    (look,) = await room.desk.says(OLGA, f"/transfer 10.00 USD from {OPERATING} to Harbour for {note}")
    assert note in look["text"].replace("\u2060", "")
    assert {entity["type"] for entity in look.get("entities", [])} <= {"bold"}
    (refused,) = await room.desk.says(OLGA, f"/transfer 10.00 USD from {OPERATING} to Harbour for {note}\u202e")
    assert refused["text"].startswith("A note is one line of letters that can be seen.")


async def test_alone_with_a_code_it_is_sent_when_the_code_is_right(room: Treasury) -> None:
    await room.policy(CONFIRM + 'proof = "code"\n', version=2)
    person, enrolling, clock = room.person(OLGA), room.rooms.enrolling, room.desk.clock
    seed = seed_from((await enrolling.begin(person)).key.reveal().replace(" ", ""))
    clock.ahead_by(31 - clock.now().timestamp() % 30)  # a code just begun, so that none ends meanwhile
    await enrolling.confirm(person, Secret(code_of(seed, step_of(clock.now()))), telegram_id=OLGA)
    await confirmed_by_another(room.rooms, person.id)

    look = await offered(room, ONE_LINE)
    assert "You show a code of your second factor." in look["text"]
    await room.desk.taps(OLGA, look, "Send it")
    prompt = await card(room, OLGA, "To do this: Transfer 10.00 USD, from ")
    assert await requests(room) == []
    clock.ahead_by(30)
    code = code_of(seed, step_of(clock.now()))
    wrong = "000000" if code != "000000" else "111111"
    assert any(text.startswith("That is not the code.") for text in texts(await room.desk.says(OLGA, wrong)))
    assert await requests(room) == []
    await room.desk.says(OLGA, code)
    (number,) = await requests(room)
    await room.comes_to(await room.rooms.approvals.find(number), State.SUCCEEDED)
    assert code not in texts(room.desk.chat.messages(OLGA))
    assert prompt["text"].endswith("/cancel stops.")


async def test_alone_with_a_number_it_is_sent_when_the_number_is_picked(room: Treasury) -> None:
    await room.policy(CONFIRM + 'proof = "number"\n', version=2)
    look = await offered(room, ONE_LINE)
    (number,) = re.findall(r"pick this number: (\d\d)\.", look["text"])
    assert len(buttons(look)) == 5
    other = next(label for label in buttons(look) if label not in (number, "Cancel"))
    (said,) = await room.desk.taps(OLGA, look, other)
    assert said["text"] == "That is not the number. Nothing was sent; begin anew if you still want it."
    assert await requests(room) == []

    look = await offered(room, ONE_LINE)
    (number,) = re.findall(r"pick this number: (\d\d)\.", look["text"])
    await room.desk.taps(OLGA, look, number)
    (asked,) = await requests(room)
    await room.comes_to(await room.rooms.approvals.find(asked), State.SUCCEEDED)


async def test_what_the_policy_leaves_free_is_done_when_it_was_said_whole(room: Treasury) -> None:
    await room.policy(CONFIRM.replace("confirm", "free"), version=2)
    await room.desk.says(OLGA, ONE_LINE)
    (number,) = await requests(room)
    await room.comes_to(await room.rooms.approvals.find(number), State.SUCCEEDED)


async def test_what_was_begun_outlives_a_restart(tmp_path: Path, chat: Chat) -> None:
    async with providers("cryptocapital") as sides:
        config = configured(tmp_path, chat, sides)
        async with at_work(config, chat, sides) as desk:
            room = Treasury(desk, await desk.link("cryptocapital"))
            await room.policy(ONE_APPROVER)
            await room.enter_in_book()
            (account,) = await desk.says(OLGA, "/transfer")
        async with at_work(config, chat, sides) as desk:
            label = next(one for one in buttons(account) if OPERATING[-4:] in one)
            (to,) = await desk.taps(OLGA, account, label)
            (amount,) = await desk.taps(OLGA, to, "Harbour …7013")
            assert amount["text"].startswith("How much, in USD?")
        async with at_work(config, chat, sides) as desk:
            (note,) = await desk.says(OLGA, "12.50")
            (look,) = await desk.taps(OLGA, note, "Skip")
        async with at_work(config, chat, sides) as desk:
            await desk.taps(OLGA, look, "Ask")
            assert len(await desk.rooms.approvals.pending()) == 1


async def test_with_two_logins_the_first_question_is_which(room: Treasury) -> None:
    await room.desk.link("cryptocapital", label="reserve")
    (which,) = await room.desk.says(OLGA, "/transfer 10.00 USD to Harbour")
    assert which["text"] == "From where? (/cancel stops at any time.)"
    assert list(buttons(which)) == ["Crypto Capital main · LIVE", "Crypto Capital reserve · LIVE"]
    (account,) = await room.desk.says(OLGA, "reserve")
    assert account["text"] == "From which account? Tap it, or send its number."
    (look,) = await room.desk.says(OLGA, OPERATING)
    assert f"from {OPERATING} (cryptocapital/reserve · LIVE)" in look["text"].replace("\u2060", "")

    said = await room.desk.said(OLGA, f"/transfer 10.00 USD from {OPERATING} to Harbour")
    assert said.startswith(f"{OPERATING} could be of cryptocapital/main, cryptocapital/reserve; say which.")


async def test_who_may_not_ask_gets_no_further(room: Treasury) -> None:
    said = await room.desk.said(ANNA, ONE_LINE)
    assert said == "That needs the right to ask for money movements, which you do not have. An admin can give it."
