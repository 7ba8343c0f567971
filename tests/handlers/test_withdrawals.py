"""/withdrawals and /client in the chat, before the CRM's simulator."""

import re
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from bot.providers.crm.client import Crm
from tests.support.chatting import ADAM, ANNA, GROUP, OLGA, Chat, Desk, at_work, buttons, configured, providers, texts


@pytest.fixture
async def desk(tmp_path: Path, chat: Chat) -> AsyncIterator[Desk]:
    async with providers("crm") as sides, at_work(configured(tmp_path, chat, sides), chat, sides) as one:
        yield one


async def asked(desk: Desk, number: int = 1) -> tuple[str, str]:
    """A client asks for 40.25 USD; client and request."""
    connection = (await desk.rooms.connections.everything())[0]
    async with desk.rooms.connections.session(connection) as provider:
        assert isinstance(provider, Crm)
        user = (await provider.clients.listed(50)).items[number].id
    async with httpx.AsyncClient(base_url=desk.sides["crm"].control, trust_env=False) as control:
        told = await control.post("/withdrawal", json={"user_id": user, "amount": "40.25", "currency": "USD"})
    return user, str(told.json()["id"])


def settled(text: str) -> str:
    return re.sub(r"\d+ s ago", "n s ago", text)


async def test_nothing_is_known_until_somebody_says_so(desk: Desk) -> None:
    await desk.link("crm")
    await asked(desk)
    (message,) = await desk.says(ANNA, "/withdrawals")
    assert message["text"] == (
        "No withdrawals are known to wait.\n\nThe CRM announces no new request: this list holds what its webhooks "
        "told, and what somebody added with /withdrawals add and the id."
    )
    assert list(buttons(message)) == ["Refresh"]


async def test_a_request_that_was_added_is_shown_with_its_source_and_age(desk: Desk) -> None:
    await desk.link("crm")
    _, request_id = await asked(desk)
    (added,) = await desk.says(OLGA, f"/withdrawals add {request_id}")
    assert settled(added["text"]).splitlines()[0] == f"{request_id} 40.25 USD · pending at node 1"
    (listed,) = await desk.says(OLGA, "/withdrawals")
    lines = settled(listed["text"]).splitlines()
    assert lines[0] == f"{request_id} 40.25 USD · pending at node 1"
    assert lines[3] == "added by hand n s ago; read n s ago"


async def test_one_request_is_shown_with_what_is_known_of_its_client(desk: Desk) -> None:
    await desk.link("crm")
    user, request_id = await asked(desk)
    await desk.says(OLGA, f"/withdrawals add {request_id}")
    (message,) = await desk.says(ANNA, f"/withdrawals {request_id}")
    parts = ("Payment\nFee: 0.40", "Account no.: ", "Log\n", f"{user}\n", "KYC: ", "Wallets\n", "Withdrawals, last")
    assert [said for said in parts if said not in message["text"]] == []
    assert not {"Approve", "Reject"} & set(buttons(message))


async def test_what_was_decided_is_no_longer_pending(desk: Desk) -> None:
    await desk.link("crm")
    _, request_id = await asked(desk)
    await desk.says(OLGA, f"/withdrawals add {request_id}")
    async with httpx.AsyncClient(base_url=desk.sides["crm"].control, trust_env=False) as control:
        await control.post("/approve", json={"id": request_id})
    (message,) = await desk.says(ANNA, f"/withdrawals {request_id}")
    assert message["text"].splitlines()[0] == f"{request_id} 40.25 USD · approved"
    assert "No withdrawals are known to wait." in texts(await desk.says(ANNA, "/withdrawals"))[0]
    assert request_id in texts(await desk.says(ANNA, "/withdrawals all"))[0]


async def test_bank_details_are_never_said_in_a_group(desk: Desk) -> None:
    await desk.link("crm")
    _, request_id = await asked(desk)
    await desk.says(OLGA, f"/withdrawals add {request_id}")
    assert texts(await desk.says(OLGA, f"/withdrawals {request_id}", GROUP)) == ["Sent to you privately."]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("/withdrawals b7c8d9e0", "There is no request “b7c8d9e0”"),
        ("/withdrawals add zzzzzzz9", "There is no request “zzzzzzz9”"),
        ("/withdrawals add ../../x", "A request's id is letters and digits."),
        ("/withdrawals a b c", "One request, `all`, or `add` and an id."),
        ("/client", "An id, a name or an e-mail address."),
        ("/client x", "At least two characters of an id, a name or an e-mail address."),
    ],
)
async def test_what_cannot_be_is_told_in_a_sentence(desk: Desk, words: str, said: str) -> None:
    await desk.link("crm")
    assert (await desk.said(OLGA, words)).startswith(said)


async def test_without_a_crm_that_is_said(desk: Desk) -> None:
    assert "There is no connection “crm”" in await desk.said(ADAM, "/withdrawals")
    assert "There is no connection “crm”" in await desk.said(ADAM, "/client ines")


async def test_a_client_is_found_by_id_name_and_mail(desk: Desk) -> None:
    await desk.link("crm")
    user, _ = await asked(desk)
    by_id = await desk.said(OLGA, f"/client {user}")
    assert by_id.startswith(f"Client 陈志明 {user}\nuser1@example.\u2060test · +65 80000001\nKYC: ")
    assert await desk.said(OLGA, "/client USER1@example.test") == by_id
    assert await desk.said(OLGA, "/client 陈志明") == by_id
    several = (await desk.said(OLGA, "/client example.test")).splitlines()
    assert len(several) > 2
    assert any(line.startswith(f"{user} 陈志明 user1@") for line in several)
    assert await desk.said(OLGA, "/client nobody-at-all") == "No client fits."


async def test_a_wallet_and_its_bank_cards_are_shown(desk: Desk) -> None:
    await desk.link("crm")
    user, _ = await asked(desk)
    text = await desk.said(OLGA, f"/wallet {user}")
    assert text.startswith(f"Wallets of 陈志明 {user}\n")
    assert re.search(r"^12,360\.00 USD$", text, re.M)


async def test_trading_accounts_are_listed_and_one_is_shown_with_its_trades(desk: Desk) -> None:
    await desk.link("crm")
    lines = (await desk.said(OLGA, "/mt")).splitlines()
    assert {"MT4", "MT5"} <= {line.partition(" ")[0] for line in lines}
    place = next(line.partition(" ")[0] for line in lines if "/60132 " in line)
    text = await desk.said(OLGA, f"/mt {place}")
    assert text.startswith(f"MT4 {place} ")
    assert "\nBalance: " in text
    assert "\nLast trades, 80 days\n" in text
    other = next(line.partition(" ")[0] for line in lines if "/500123 " in line)
    assert "Trades cannot be read." in await desk.said(OLGA, f"/mt {other}")


async def test_a_report_comes_as_a_file(desk: Desk) -> None:
    await desk.link("crm")
    _, request_id = await asked(desk)
    (message,) = await desk.says(OLGA, "/report transactions 30")
    assert re.fullmatch(r"\d+ transactions", message["caption"])
    assert re.fullmatch(r"transactions-\d{4}-\d\d-\d\d\.csv", message["document"]["file_name"])
    (message,) = await desk.says(OLGA, "/report commissions")
    assert "commissions" in message["caption"]
    assert request_id


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("/report", "Transactions or commissions, then how many days."),
        ("/report money", "Transactions or commissions, then how many days."),
        ("/report transactions ٣", "Transactions or commissions, then how many days."),
        ("/report transactions 0", "A report is of 1 to 366 days."),
        ("/report transactions 367", "A report is of 1 to 366 days."),
        ("/leaderboard", "A competition's id."),
        ("/mt nowhere", "A server and a login."),
        ("/mt nowhere/1", "There is no trading account “nowhere/1”"),
        ("/wallet", "An id, a name or an e-mail address."),
    ],
)
async def test_what_cannot_be_shown_is_told_in_a_sentence(desk: Desk, words: str, said: str) -> None:
    await desk.link("crm")
    assert (await desk.said(OLGA, words)).startswith(said)
