"""A deposit to a client's wallet, a withdrawal from a trading account: asked for, signed by another, booked once."""

import re
from collections.abc import AsyncIterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
import pytest

from bot.providers.crm.client import Crm
from tests.support.chatting import (
    ANNA,
    OLGA,
    VERA,
    Chat,
    Desk,
    Message,
    at_work_with,
    buttons,
    texts,
    until,
)
from tests.support.treasury import ONE_APPROVER, money_at_work, put_in_force


@pytest.fixture
async def desk(tmp_path: Path, chat: Chat) -> AsyncIterator[Desk]:
    async with at_work_with(tmp_path, chat, "crm") as one:
        await one.link("crm")
        await put_in_force(one.rooms, ONE_APPROVER)
        async with money_at_work(one):
            yield one


async def ledger(desk: Desk) -> list[dict[str, Any]]:
    async with httpx.AsyncClient(trust_env=False) as control:
        answer = await control.get(f"{desk.sides['crm'].control}/ledger")
    entries: list[dict[str, Any]] = answer.json()["entries"]
    return entries


async def client(desk: Desk) -> str:
    """One with 12,400.25 USD in the wallet."""
    (connection,) = await desk.rooms.connections.everything()
    async with desk.rooms.connections.session(connection) as provider:
        assert isinstance(provider, Crm)
        return (await provider.clients.listed(50)).items[1].id


async def signed(desk: Desk, look: Message) -> None:
    """It is asked for, and Anna approves."""
    await desk.taps(OLGA, look, "Ask")
    await until(lambda: [one for one in desk.chat.from_bot(ANNA) if "Approve" in buttons(one)])
    (prompt,) = [one for one in desk.chat.from_bot(ANNA) if "Approve" in buttons(one)]
    await desk.taps(ANNA, prompt, "Approve")
    await until(lambda: [text for text in texts(desk.chat.from_bot(OLGA)) if ": done\n" in text])


async def test_a_deposit_to_a_wallet_is_booked_once(desk: Desk) -> None:
    before, user = await ledger(desk), await client(desk)
    (look,) = await desk.says(OLGA, f"/wallet {user} deposit 100.00 USD for a bonus")
    lines = look["text"].replace("\u2060", "").splitlines()
    assert lines[:2] == ["Broctagon CRM · LIVE", f"Book 100.00 USD into the wallet {user}"]
    assert lines[3] == "Note for us: a bonus"
    assert f"{user} holds 12,400.25 USD" in look["text"]
    assert await ledger(desk) == before

    await signed(desk, look)
    (entry,) = (await ledger(desk))[len(before) :]
    assert (Decimal(entry["amount"]), entry["currency"]) == (Decimal(100), "USD")
    assert "a bonus" not in str(entry)


async def test_a_withdrawal_from_a_trading_account_is_booked_once(desk: Desk) -> None:
    (listed,) = await desk.says(OLGA, "/mt")
    found = re.search(r"MT4.*?\n(\S+/\d+) ([\d,.]+) USD", listed["text"].replace("\u2060", ""), re.DOTALL)
    assert found is not None
    before = await ledger(desk)
    (look,) = await desk.says(OLGA, f"/mt {found[1]} withdraw 1.00")
    assert f"Book 1.00 USD out of the MT4 account {found[1]}" in look["text"].replace("\u2060", "")
    await signed(desk, look)
    assert len(await ledger(desk)) == len(before) + 1


async def test_a_booking_is_put_together_by_buttons_and_one_amount(desk: Desk) -> None:
    before = await ledger(desk)
    (listed,) = await desk.says(OLGA, "/mt")
    alike = [one.split()[0] for one in buttons(listed) if "60132 " in one]
    assert len({*alike}) == 2, "one login at two servers is two accounts"
    (shown,) = await desk.taps(OLGA, listed, next(one for one in buttons(listed) if one.startswith(alike[0])))
    assert shown["text"].startswith("MT4 ")
    (question,) = await desk.taps(OLGA, shown, "Withdraw…")
    assert question["text"].startswith("How much, and what for?")
    (look,) = await desk.says(OLGA, "1.00 USD")
    assert "/60132" in look["text"].splitlines()[1]
    await signed(desk, look)
    assert len(await ledger(desk)) == len(before) + 1


async def test_of_several_clients_that_fit_each_has_a_button(desk: Desk) -> None:
    (found,) = await desk.says(OLGA, "/wallet example")
    first = next(iter(buttons(found)))
    (shown,) = await desk.taps(OLGA, found, first)
    assert shown["text"].startswith("Wallets of ")


async def test_what_cannot_be_is_said_before_anybody_signs(desk: Desk) -> None:
    user = await client(desk)
    for words, sentence in (
        (f"/wallet {user} withdraw 99999.00 USD", "12400.25 USD now, which is less than 99999.00 USD; nothing was"),
        (f"/wallet {user} withdraw 1.00 EUR", "holds no EUR now"),
        (f"/wallet {user} deposit 1,000 USD", "An amount is plain digits with at most one point."),
        (f"/wallet {user} deposit 100.00", "A wallet holds several currencies; name the one that is meant."),
        ("/wallet nobodyhere deposit 1.00 USD", "There is no client “nobodyhere” that you can see."),
        ("/mt nowhere/1 withdraw 1.00", "There is no trading account “nowhere/1” that you can see."),
        (f"/wallet {user} deposit", "An amount and its currency, and `for` and a note if there is one."),
    ):
        said = await desk.said(OLGA, words)
        assert sentence in said, (words, said)
    said = await desk.said(VERA, f"/wallet {user} deposit 1.00 USD")
    assert said == "That needs the right to ask for money movements, which you do not have. An admin can give it."
    assert await desk.rooms.approvals.pending() == []
