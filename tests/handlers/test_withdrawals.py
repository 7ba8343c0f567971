"""/withdrawals and /client in the chat, before the CRM's simulator."""

import json
import re
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from bot.providers.crm.client import Crm
from tests.support.chatting import (
    ADAM,
    ANNA,
    GROUP,
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
        yield one


async def asked(desk: Desk, number: int = 1, amount: str = "40.25") -> tuple[str, str]:
    """A client asks for that much in USD; client and request."""
    connection = (await desk.rooms.connections.everything())[0]
    async with desk.rooms.connections.session(connection) as provider:
        assert isinstance(provider, Crm)
        user = (await provider.clients.listed(50)).items[number].id
    async with httpx.AsyncClient(base_url=desk.sides["crm"].control, trust_env=False) as control:
        told = await control.post("/withdrawal", json={"user_id": user, "amount": amount, "currency": "USD"})
    return user, str(told.json()["id"])


def settled(text: str) -> str:
    return re.sub(r"\d+ s ago", "n s ago", text)


async def control(desk: Desk, path: str, **body: str) -> None:
    async with httpx.AsyncClient(base_url=desk.sides["crm"].control, trust_env=False) as client:
        answer = await client.post(f"/{path}", json=body)
        assert answer.status_code == 200, answer.text


async def card(desk: Desk, request_id: str, person: int = OLGA) -> Message:
    """A request's card; an announcement may come in between."""
    said = await desk.says(person, f"/withdrawals {request_id}")
    (message,) = [one for one in said if "Details" in buttons(one)]
    return message


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
    assert settled(added["text"]).splitlines()[:2] == [
        "40.25 USD · pending at node 1",
        f"Withdrawal {request_id} · asked n s ago",
    ]
    (listed,) = await desk.says(OLGA, "/withdrawals")
    lines = settled(listed["text"]).splitlines()
    assert lines[0] == "Withdrawals that wait · 1 · oldest first"
    assert lines[2:] == [
        f"1. 40.25 USD · at node 1 · {request_id}",
        "陈志明 · Bank wire · wallet",
        "asked n s ago; added by hand; read n s ago",
    ]


async def test_a_card_holds_what_a_decision_needs(desk: Desk) -> None:
    await desk.link("crm")
    user, request_id = await asked(desk)
    await desk.says(OLGA, f"/withdrawals add {request_id}")
    lines = settled((await card(desk, request_id))["text"]).splitlines()
    assert lines[:7] == [
        "40.25 USD · pending at node 1",
        f"Withdrawal {request_id} · asked n s ago",
        f"陈志明 {user}",
        "from the client's USD wallet",
        "",
        "Bank wire",
        "Fee: 0.40",
    ]
    begins = (
        "Paid out: 39.85 USD",
        "Account no.: ",
        "KYC: ",
        "Wallet: 12,360.00 USD",
        "Last trades:",
        "No other withdrawals",
    )
    assert [begin for begin in begins if not any(line.startswith(begin) for line in lines)] == []
    assert not any(request_id in line for line in lines[2:])  # the history is of the others


async def test_from_a_trading_account_its_balance_is_shown(desk: Desk) -> None:
    await desk.link("crm")
    text = await desk.said(OLGA, "/mt")
    place = next(line.partition(" ")[0] for line in text.splitlines() if "/60132 " in line)
    server, _, login = place.partition("/")
    async with httpx.AsyncClient(base_url=desk.sides["crm"].control, trust_env=False) as client:
        body = {"connection_id": server, "trading_id": login, "amount": "12.50"}
        request_id = (await client.post("/withdrawal", json=body)).json()["id"]
    (message,) = await desk.says(OLGA, f"/withdrawals add {request_id}")
    assert f"from trading account {place} (MT4)" in message["text"]
    assert re.search(r"^Balance: [0-9,.]+ USD, [0-9,.]+ of it free$", message["text"], re.M)


async def test_details_are_everything_with_the_log_and_the_lines(desk: Desk) -> None:
    await desk.link("crm")
    user, request_id = await asked(desk)
    await desk.says(OLGA, f"/withdrawals add {request_id}")
    (message,) = await desk.taps(OLGA, await card(desk, request_id), "Details")
    parts = ("\nLog\n", f"Client 陈志明 {user}\n", "\nTrading accounts\n", "\nLast trades on MT4")
    assert [said for said in parts if said not in message["text"]] == []


async def test_what_was_decided_is_no_longer_pending(desk: Desk) -> None:
    await desk.link("crm")
    _, request_id = await asked(desk)
    await desk.says(OLGA, f"/withdrawals add {request_id}")
    shown = await card(desk, request_id)
    await control(desk, "approve", id=request_id)
    await desk.taps(OLGA, shown, "Refresh")
    assert desk.now(shown)["text"].splitlines()[0] == "40.25 USD · approved"
    assert list(buttons(desk.now(shown))) == ["Details", "Refresh"]
    assert "No withdrawals are known to wait." in await desk.said(VERA, "/withdrawals")
    assert request_id in await desk.said(VERA, "/withdrawals all")


# the list


async def three(desk: Desk) -> list[str]:
    """Requests over 40.25, 900 and 5 USD, of two clients."""
    found = [await asked(desk), await asked(desk, 1, "900"), await asked(desk, 2, "5")]
    for _, request_id in found:
        await desk.says(OLGA, f"/withdrawals add {request_id}")
    return [request_id for _, request_id in found]


def ids(message: Message) -> list[str]:
    return re.findall(r"^\d+\. .* · ([a-z0-9]{8})$", message["text"], re.M)


async def test_the_list_is_sorted_and_narrowed_by_buttons(desk: Desk) -> None:
    await desk.link("crm")
    usual, large, small = await three(desk)
    (message,) = await desk.says(OLGA, "/withdrawals")
    assert ids(message) == [usual, large, small]
    await desk.taps(OLGA, message, "Sort by amount")
    assert ids(desk.now(message)) == [large, usual, small]
    await desk.taps(OLGA, desk.now(message), "Filter")
    await desk.taps(OLGA, desk.now(message), "Client")
    await desk.taps(OLGA, desk.now(message), "陈志明")
    assert ids(desk.now(message)) == [large, usual]
    assert desk.now(message)["text"].splitlines()[1] == "Filter: client 陈志明"
    await desk.taps(OLGA, desk.now(message), "No filter")
    assert ids(desk.now(message)) == [large, usual, small]
    (opened,) = await desk.taps(OLGA, desk.now(message), "3")
    assert opened["text"].splitlines()[0].startswith("5.00 USD · pending")


async def test_a_filter_can_be_typed(desk: Desk) -> None:
    await desk.link("crm")
    usual, large, small = await three(desk)
    for words, fitting in (
        ("over 41", [large]),
        ("over 5 under 40.25 by amount", [usual, small]),
        ("client 陈志明 by amount", [large, usual]),
        ("source operator node 1 in usd method wire", [usual, large, small]),
    ):
        (message,) = await desk.says(OLGA, f"/withdrawals {words}")
        assert ids(message) == fitting, words
    (message,) = await desk.says(OLGA, "/withdrawals older 1d")
    assert message["text"].splitlines()[0] == "No withdrawals that wait fit: older 1d."
    assert "No filter" in buttons(message)


async def test_a_long_list_has_pages(desk: Desk) -> None:
    await desk.link("crm")
    found = [(await asked(desk, 1, "1"))[1] for _ in range(6)]
    for request_id in found:
        await desk.says(OLGA, f"/withdrawals add {request_id}")
    (message,) = await desk.says(OLGA, "/withdrawals")
    assert ids(message) == found[:5] or sorted(ids(message)) != sorted(found)
    first = ids(message)
    await desk.taps(OLGA, message, "2 ›")
    assert sorted([*first, *ids(desk.now(message))]) == sorted(found)
    await desk.taps(OLGA, desk.now(message), "‹ 1")
    assert ids(desk.now(message)) == first


# a decision, made ready


async def test_a_decision_is_offered_only_to_whoever_may_ask_for_it(desk: Desk) -> None:
    await desk.link("crm")
    _, request_id = await asked(desk)
    await desk.says(OLGA, f"/withdrawals add {request_id}")
    assert list(buttons(await card(desk, request_id))) == ["Approve", "Reject…", "Details", "Refresh"]
    for person in (VERA, ANNA):  # she may decide, but nobody let her act through Olga's login
        assert list(buttons(await card(desk, request_id, person))) == ["Details", "Refresh"]


async def test_an_approval_is_made_ready_and_nothing_is_sent(desk: Desk) -> None:
    await desk.link("crm")
    await put_in_force(desk.rooms, ONE_APPROVER)
    user, request_id = await asked(desk)
    await desk.says(OLGA, f"/withdrawals add {request_id}")
    (ready,) = await desk.taps(OLGA, await card(desk, request_id), "Approve")
    assert ready["text"].replace("\u2060", "").splitlines()[1:4] == [
        "Approve the withdrawal of 40.25 USD",
        f"by 陈志明 ({user}), account {user} (crm/main · LIVE)",
        f"by Bank wire, at node 1, {request_id}",
    ]
    assert "\nFee: 0.40\n" in ready["text"]
    assert list(buttons(ready)) == ["Ask", "Cancel"]
    assert (await card(desk, request_id))["text"].startswith("40.25 USD · pending at node 1")


@pytest.mark.parametrize(("label", "becomes"), [("Approve", "approved"), ("Reject…", "rejected")])
async def test_a_decision_that_another_signs_is_made_in_the_crm(desk: Desk, label: str, becomes: str) -> None:
    await desk.link("crm")
    await put_in_force(desk.rooms, ONE_APPROVER)
    _, request_id = await asked(desk)
    await desk.says(OLGA, f"/withdrawals add {request_id}")
    async with money_at_work(desk):
        (ready,) = await desk.taps(OLGA, await card(desk, request_id), label)
        if label == "Reject…":
            (ready,) = await desk.says(OLGA, "the account is not theirs")
        await desk.taps(OLGA, ready, "Ask")
        await until(lambda: [one for one in desk.chat.from_bot(ANNA) if "Approve" in buttons(one)])
        (prompt,) = [one for one in desk.chat.from_bot(ANNA) if "Approve" in buttons(one)]
        await desk.taps(ANNA, prompt, "Approve")
        await until(lambda: [text for text in texts(desk.chat.from_bot(OLGA)) if ": done\n" in text])
    assert (await card(desk, request_id))["text"].splitlines()[0] == f"40.25 USD · {becomes}"


async def test_where_requests_cannot_be_read_whoever_signs_is_told_that(desk: Desk) -> None:
    await desk.link("crm")
    await put_in_force(desk.rooms, ONE_APPROVER)
    await control(desk, "settings", generation="A")
    told = {
        "id": "b7c8d9e0",
        "type": "withdrawal",
        "status": "pending",
        "user_id": "u7h2k9d0",
        "request_time": "2025-11-20 08:15:02",
        "trading_id": 500123,
        "trading_connection_id": "conn0001",
        "trading_currency": "USD",
        "trading_amount": "250.00",
        "withdrawal_method": "Bank wire",
        "withdrawal_flow": {"total_steps": 2, "current_steps": 1},
    }
    slug = "crm.webhooks.requests.withdrawal.approve.node.1"
    event = {"source": {"service": "requests", "event": slug}, "version": "1.0.0", "data": told}
    await desk.rooms.withdrawals.take(json.dumps(event).encode())
    said = await desk.taps(OLGA, await card(desk, "b7c8d9e0"), "Approve")
    (ready,) = [one for one in said if "Ask" in buttons(one)]
    unread = "\nNot read: only the webhook's word is known\n"
    assert unread in ready["text"]
    async with money_at_work(desk):
        await desk.taps(OLGA, ready, "Ask")
        await until(lambda: [one for one in desk.chat.from_bot(ANNA) if "Deny" in buttons(one)])
        (prompt,) = [one for one in desk.chat.from_bot(ANNA) if "Deny" in buttons(one)]
    assert unread in prompt["text"]


async def test_a_withdrawal_is_decided_once(desk: Desk) -> None:
    await desk.link("crm")
    await put_in_force(desk.rooms, ONE_APPROVER)
    _, request_id = await asked(desk)
    await desk.says(OLGA, f"/withdrawals add {request_id}")
    (ready,) = await desk.taps(OLGA, await card(desk, request_id), "Approve")
    await desk.taps(OLGA, ready, "Ask")
    (pending,) = await desk.rooms.approvals.pending()
    await desk.taps(OLGA, await card(desk, request_id), "Reject…")
    said = await desk.says(OLGA, "changed my mind")
    (ready,) = [one for one in said if "Ask" in buttons(one)]
    said = await desk.taps(OLGA, ready, "Ask")
    refused = f"Request {pending.id} is for the very same, and is pending. Nothing was asked for. "
    assert any(text.startswith(refused) for text in texts(said))


async def test_what_changed_meanwhile_is_told_and_not_made_ready(desk: Desk) -> None:
    await desk.link("crm")
    _, request_id = await asked(desk)
    await desk.says(OLGA, f"/withdrawals add {request_id}")
    shown = await card(desk, request_id)
    await control(desk, "edit", id=request_id, amount="41")
    (told,) = await desk.taps(OLGA, shown, "Approve")
    assert told["text"] == (
        f"Request {request_id} is not what you were shown: the amount was 40.25 USD and is 41.00 USD. "
        "Nothing was changed."
    )
    await control(desk, "reject", id=request_id, comment="late", admin="Zoe")
    (told,) = await desk.taps(OLGA, shown, "Approve")
    assert told["text"] == f"Request {request_id} was rejected in the CRM by Zoe. Nothing was changed."


async def test_a_rejection_asks_for_its_reason(desk: Desk) -> None:
    await desk.link("crm")
    await put_in_force(desk.rooms, ONE_APPROVER)
    _, request_id = await asked(desk)
    await desk.says(OLGA, f"/withdrawals add {request_id}")
    (question,) = await desk.taps(OLGA, await card(desk, request_id), "Reject…")
    assert question["text"].startswith(f"Why is withdrawal {request_id} over 40.25 USD to be rejected? ")
    too_long = await desk.said(OLGA, "x" * 501)
    assert too_long.startswith("A reason has at most 500 characters, and this one has 501.")
    ready = await desk.said(OLGA, "  the account is /not/ theirs ")
    assert ready.splitlines()[1] == "Reject the withdrawal of 40.25 USD"
    assert ready.replace("\u2060", "").splitlines()[4:6] == ["Fee: 0.40", "Reason: the account is /not/ theirs"]
    assert await desk.said(OLGA, "more") == ("Nothing is to be typed here: press one of the buttons above, or /cancel.")


async def test_a_rejection_can_be_given_up(desk: Desk) -> None:
    await desk.link("crm")
    _, request_id = await asked(desk)
    await desk.says(OLGA, f"/withdrawals add {request_id}")
    await desk.taps(OLGA, await card(desk, request_id), "Reject…")
    assert await desk.said(OLGA, "/cancel") == "Stopped; nothing was kept."
    assert (await desk.said(OLGA, "no longer asked")).startswith("I understand commands")


async def test_an_announcement_opens_the_request_as_it_is_then(desk: Desk) -> None:
    await desk.link("crm")
    _, request_id = await asked(desk)
    await desk.says(OLGA, f"/withdrawals add {request_id}")

    def announced() -> list[Message]:
        return [one for one in desk.chat.from_bot(ANNA) if one["text"].startswith(f"Withdrawal {request_id} waits")]

    await until(announced)
    await control(desk, "approve", id=request_id)
    said = await desk.taps(ANNA, announced()[0], "Open")
    (opened,) = [one for one in said if "Details" in buttons(one)]
    assert opened["text"].splitlines()[0] == "40.25 USD · approved"
    assert opened["has_protected_content"]


async def test_whoever_lost_the_leave_to_act_cannot_go_on(desk: Desk) -> None:
    connection = await desk.link("crm")
    _, request_id = await asked(desk)
    await desk.says(OLGA, f"/withdrawals add {request_id}")
    await desk.said(OLGA, f"/share {connection.name} with Anna to act")
    await desk.said(ADAM, "/role Anna give operator")
    shown = await card(desk, request_id, ANNA)
    await desk.taps(ANNA, shown, "Reject…")
    await desk.said(OLGA, f"/unshare {connection.name} from Anna")
    refused = "That needs the right to act through crm/main, which you do not have. An admin can give it."
    assert refused in texts(await desk.says(ANNA, "too late"))
    assert refused in texts(await desk.taps(ANNA, shown, "Approve"))


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
        ("/withdrawals a b c", "A filter is one of client, method, source, node, in, over, under, older, by, then"),
        ("/withdrawals over 1e5", "An amount is plain digits with at most one point."),
        ("/withdrawals older soon", "An age is a number of m, h or d."),
        ("/withdrawals source rumour", "A source is one of webhook, operator, report."),
        ("/withdrawals client", "A filter is one of"),
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
    assert "\nUplines\n· user0@example.\u2060test" in by_id
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
    assert "Trades cannot be read: the CRM tells those of MT4 only." in await desk.said(OLGA, f"/mt {other}")


async def test_a_report_comes_as_a_file(desk: Desk) -> None:
    await desk.link("crm")
    _, request_id = await asked(desk)
    message, *_ = await desk.says(OLGA, "/report transactions 30")
    assert re.fullmatch(r"\d+ transactions", message["caption"])
    assert re.fullmatch(r"transactions-\d{4}-\d\d-\d\d\.csv", message["document"]["file_name"])
    message, *_ = await desk.says(OLGA, "/report commissions")
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
        ("/leaderboard comp0001", "There is no competition “comp0001”"),
        ("/mt nowhere", "A server and a login."),
        ("/mt nowhere/1", "There is no trading account “nowhere/1”"),
        ("/wallet", "Whose wallets?"),
    ],
)
async def test_what_cannot_be_shown_is_told_in_a_sentence(desk: Desk, words: str, said: str) -> None:
    await desk.link("crm")
    assert (await desk.said(OLGA, words)).startswith(said)
