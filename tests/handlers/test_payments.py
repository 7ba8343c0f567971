"""/payagent, /payout and /transfer at Deriv, as people use them."""

import re
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from bot.approvals.model import State
from bot.operations.credentials import Wanted
from bot.providers.records import Environment
from bot.secret import Secret
from tests.support.chatting import ANNA, OLGA, Message, buttons, telegram, until
from tests.support.treasury import CLIENT, PAYMENT_AGENT, Treasury, treasury


@pytest.fixture
async def room(tmp_path: Path) -> AsyncIterator[Treasury]:
    async with telegram() as chat, treasury(tmp_path, chat, provider="deriv") as opened:
        yield opened


async def newest(room: Treasury, person: int, title: str) -> Message:
    def found() -> list[Message]:
        return [one for one in room.desk.chat.from_bot(person) if one.get("text", "").startswith(title)]

    await until(found)
    return found()[-1]


async def signed(room: Treasury) -> str:
    """What was asked for last, once Anna has signed it."""
    prompt = await newest(room, ANNA, "Olga asks for your signature")
    await room.desk.taps(ANNA, prompt, "Approve")
    found = re.search(r"Request (\w{10})", prompt["text"])
    assert found is not None
    return found[1]


async def test_a_payment_to_a_client_is_put_together_by_buttons(room: Treasury) -> None:
    (whom,) = await room.desk.says(OLGA, "/payagent")
    assert "To whom?" in whom["text"]
    (much,) = await room.desk.taps(OLGA, whom, "Harbour …0010")
    assert "How much, in USD?" in much["text"]
    (note,) = await room.desk.says(OLGA, "10.00")
    (look,) = await room.desk.taps(OLGA, note, "Skip")
    text = look["text"].replace("\u2060", "")
    assert text.startswith(
        "Deriv · LIVE\n"
        "Pay 10.00 USD to a client, as payment agent\n"
        f"from {PAYMENT_AGENT} (deriv/main · LIVE)\n"
        f"to Harbour, {CLIENT}\n"
        "Payee, as Deriv names it: Mr Budi Santoso\n\n"
        f"{PAYMENT_AGENT} holds "
    )
    await room.desk.taps(OLGA, look, "Ask")
    number = await signed(room)
    await room.comes_to(await room.rooms.approvals.find(number), State.SUCCEEDED)
    await room.desk.taps(OLGA, whom, "Harbour …0010")
    assert await newest(room, OLGA, "That question is over. /payagent begins anew.")


async def test_what_the_desk_cannot_do_there_is_said_before_anything_is_asked_for(room: Treasury) -> None:
    said = await room.desk.said(OLGA, "/payagent 10.00 USD from main to Harbour for Miete für März")
    assert "Deriv takes letters A to Z, digits, blanks" in said
    assert "less than" in await room.desk.said(OLGA, "/payagent 99999.00 USD from main to Harbour")
    assert await room.rows("SELECT id FROM requests") == []


async def test_a_login_that_may_only_read_is_not_offered(room: Treasury) -> None:
    await room.write("UPDATE connections SET powers = 'read', untold = ''")
    for command in ("payagent", "payout", "transfer"):
        assert "There is no login through which you may send." in await room.desk.said(OLGA, f"/{command}")


async def test_own_accounts_are_offered_to_transfer_to(room: Treasury) -> None:
    (whom,) = await room.desk.says(OLGA, "/transfer")
    assert list(buttons(whom)) == ["CR900002 …0002"]
    (look,) = await room.desk.says(OLGA, "/transfer 10.00 USD from main to CR900002")
    assert "It arrives in BTC, at the provider's own rate and less its fee." in look["text"]


async def test_money_is_sent_only_from_the_account_that_the_token_is_of(room: Treasury) -> None:
    """A login by OAuth shows all accounts of its person, and may move the money of one."""
    keys = room.desk.sides["deriv"].credentials
    fields = {"app_id": Secret(str(keys["app_id"])), "token": Secret(keys["token_oauth"])}
    wanted = Wanted("deriv", "wide", Environment.LIVE, fields)
    olga = room.person(OLGA)
    await room.rooms.credentials.link(olga, wanted, room.rooms.access.roster, telegram_id=OLGA)
    assert "0.183  BTC" in await room.desk.said(OLGA, "/balance wide")
    (whom,) = await room.desk.says(OLGA, "/transfer from wide")
    assert whom["text"].startswith("To whom? CR900001 holds "), whom["text"]  # nobody is asked from which account
    own = next(one["token"] for one in (await room.control("tokens", "GET"))["tokens"] if one["loginid"] == "CR900002")
    wanted = replace(wanted, label="coins", fields={**fields, "token": Secret(own)})
    await room.rooms.credentials.link(olga, wanted, room.rooms.access.roster, telegram_id=OLGA)
    (look,) = await room.desk.says(OLGA, "/transfer 0.001 BTC from CR900002 to CR900001")  # two logins show it
    assert "from CR900002 (deriv/coins · LIVE)" in look["text"]
    assert await room.desk.said(OLGA, "/transfer 0.001 BTC from wide CR900002 to CR900001") == (
        "This login is for CR900001, and speaks for no CR900002; link that with a token of its own."
        " For example: /connect deriv"
    )


async def test_the_code_of_a_payout_is_taken_in_private_and_leaves_no_trace(room: Treasury) -> None:
    await room.enter_in_book("Corner", "CR900073", "deriv")
    (look,) = await room.desk.says(OLGA, "/payout 50.00 USD from main to Corner")
    assert "Payee, as Deriv names it: Agent One" in look["text"]
    assert "a code is mailed to the owner of the account; /payout code hands it in" in look["text"].replace(
        "\u2060", ""
    )
    await room.desk.taps(OLGA, look, "Ask")
    number = await signed(room)
    told = await newest(room, OLGA, f"Request {number} waits for a code")
    assert f"/payout code {number} takes it." in told["text"]
    (mail,) = (await room.control("mailbox", "GET"))["mails"]

    await room.desk.says(OLGA, f"/payout code {number} {mail['code']}")
    assert await newest(room, OLGA, "Say which request the code is for")
    await room.desk.says(OLGA, "/payout code zzzzzzzzzz")
    assert await newest(room, OLGA, "There is no request")
    await room.desk.says(OLGA, f"/payout code {number}")
    assert await newest(room, OLGA, "Send the code that was mailed")
    await room.desk.says(OLGA, "no code")
    assert await newest(room, OLGA, "A code is eight letters and digits")
    await room.desk.says(OLGA, "wrongone")
    assert "Nothing was sent." in (await newest(room, OLGA, f"Request {number}: that code was not taken"))["text"]
    await room.desk.says(OLGA, f"/payout code {number}")
    await room.desk.says(OLGA, mail["code"])
    assert await newest(room, OLGA, f"Taken. Request {number} is tried with it now")
    await room.comes_to(await room.rooms.approvals.find(number), State.SUCCEEDED)
    left = [one.get("text", "") for one in room.desk.chat.messages(OLGA)]
    assert [text for text in left if mail["code"] in text] == []
