"""What the accounts hold: all providers side by side, every misfortune one line, and buttons nobody can bend."""

import random
import re
from collections.abc import AsyncIterator
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from bot.operations.credentials import Wanted
from bot.providers.crm.client import Crm
from bot.providers.records import Environment
from bot.secret import Secret
from handlers.buttons import read
from tests.support.chatting import (
    ADAM,
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
    providers,
    telegram,
    texts,
)
from tests.support.desk import GROUP

TIME = re.compile(r"\d\d:\d\d:\d\d")
TITLES = {"capital": "Capital.com", "deriv": "Deriv", "cryptocapital": "Crypto Capital", "crm": "Broctagon CRM"}
AMOUNT = re.compile(r"\d[\d,]*\.\d\d")


def _timeless(text: str) -> str:
    return TIME.sub("hh:mm:ss", text)


def _block(text: str, name: str) -> str:
    """What is said about one connection."""
    (found,) = [block for block in text.split("\n\n") if block.startswith(f"{TITLES[name]} {name}/main")]
    return found


async def test_all_four_side_by_side_each_with_its_time_and_totals_that_do_not_mix(linked: Desk) -> None:
    text = await linked.said(OLGA, "/balance")
    deriv = re.search(r"^CR900001 Real  (\S+)  USD$", text, re.M)  # a contract there may end while the test runs
    assert deriv is not None
    sum_ = Decimal("248310.55") + Decimal("61904.20") + Decimal(deriv[1].replace(",", ""))
    assert _timeless(text) == (
        "Balances · hh:mm:ss UTC\n\n"
        "Total\n"
        f"Real money\nEUR  137,562.18\nUSD  {sum_:,}\n"
        "Clients' money\nCNY    86,000.00\nEUR    27,532.92\nUSD   264,039.45\nUSDT    5,500.50\n"
        "Demo money\nEUR  12,480.55\nUSD  48,731.70\n\n"
        "Capital.com capital/main · DEMO · hh:mm:ss\n"
        "Trading USD  48,731.70  USD  free 32,568.16\n"
        "Reserve EUR  12,480.55  EUR\n\n"
        "Broctagon CRM crm/main · hh:mm:ss\n"
        "23 accounts of 7 clients:\n"
        "CNY    86,000.00\n"
        "EUR    27,532.92\n"
        "USD   264,039.45\n"
        "USDT    5,500.50\n"
        "Each of them: /balance crm/main\n"
        "4 MT5 accounts of these clients are not read: only MT4 is, so far.\n\n"
        "Crypto Capital cryptocapital/main · hh:mm:ss\n"
        "…4471 Treasury Operating  248,310.55  USD\n"
        "…4488 Settlement Reserve   61,904.20  USD\n"
        "…4495 Euro Settlement     137,562.18  EUR\n\n"
        "Deriv deriv/main · hh:mm:ss\n"
        f"CR900001 Real  {deriv[1]}  USD\n"
        "This token sees only CR900001; 2 other accounts are not read."
    )


async def test_a_deposit_at_the_provider_shows_with_the_next_question(linked: Desk) -> None:
    assert "Settlement Reserve   61,904.20  USD" in await linked.said(OLGA, "/balance cryptocapital")
    await _deposit(linked)
    assert "Settlement Reserve   62,004.20  USD" in await linked.said(OLGA, "/balance cryptocapital")


async def _deposit(desk: Desk) -> None:
    fields = {"account": "9120004488", "amount": "100.00", "currency": "USD"}
    answer = await desk.chat.http.post(f"{desk.sides['cryptocapital'].control}/deposit", json=fields)
    assert answer.status_code == 200, answer.text


async def test_one_word_narrows_it(linked: Desk) -> None:
    for word in ("capital", "main", "capital/main", "CAPITAL"):
        text = await linked.said(OLGA, f"/positions {word}")
        assert "▲ EUR/USD · +240.00 USD\n    long 50,000 units · 1.1534 → 1.1582 · " in text
        assert "margin 1,930.33 USD · limit 1.175" in text
        assert re.search(r" · limit 1\.175\d* · over night [-+]\d+\.\d\d USD at \d\d:\d\d:\d\d$", text, re.M), text
        assert ("Broctagon CRM" in text) == (word == "main")


async def test_positions_of_all_that_have_some_and_a_sentence_for_the_one_that_has_none(linked: Desk) -> None:
    text = await linked.said(OLGA, "/positions")
    assert "▼ US Tech 100 · +207.45 USD\n    short 1.5 units · 25,120.5 → 24,982.2 · " in text
    assert "margin 1,873.67 USD · stop 25,480" in text
    assert "18 open positions of 6 clients: +582.26 EUR · +2,013.70 USD\nEach of them: /positions crm/main" in text
    assert "Crypto Capital has no positions." in text
    assert "Deriv deriv/main" in text


async def test_a_connection_that_is_not_shared_is_its_owners_alone(tmp_path: Path, chat: Chat) -> None:
    async with at_work_with(tmp_path, chat, "crm") as desk:
        await desk.link("crm", share=())
        assert (await desk.said(VERA, "/balance")).startswith("You can see no provider login yet")
        assert (await desk.said(ADAM, "/balance crm")).startswith("There is no connection “crm” that you can see.")
        assert "Harbour IB Partners" in await desk.said(OLGA, "/balance crm")


MISTYPED = {
    "/balance captial": "There is no connection “captial” that you can see. Did you mean capital?",
    "/positions CAPITOL": "There is no connection “CAPITOL” that you can see. Did you mean capital?",
    "/positions crm/mian": "There is no connection “crm/mian” that you can see. Did you mean crm/main?",
    "/balance wallets": "There is no connection “wallets” that you can see.",
}


async def test_a_mistyped_name_is_answered_with_the_nearest_there_is(web: Desk) -> None:
    for words, told in MISTYPED.items():
        assert await web.said(OLGA, words) == f"{told} There is: capital/main, crm/main."


async def test_a_name_that_is_not_for_their_eyes_is_not_suggested(tmp_path: Path, chat: Chat) -> None:
    async with at_work_with(tmp_path, chat, "capital", "crm") as desk:
        await desk.link("capital", environment=Environment.DEMO)
        await desk.link("crm", share=())
        assert await desk.said(OLGA, "/balance crn") == (
            "There is no connection “crn” that you can see. Did you mean crm? There is: capital/main, crm/main."
        )
        assert await desk.said(VERA, "/balance crn") == (
            "There is no connection “crn” that you can see. There is: capital/main."
        )


# an account that two connections show


async def test_an_account_that_two_connections_show_counts_once(tmp_path: Path, chat: Chat) -> None:
    async with (
        providers("cryptocapital") as sides,
        at_work(configured(tmp_path, chat, sides), chat, sides) as desk,
    ):
        await _link_accounts(desk, "first", "9120004471", "9120004488")
        await _link_accounts(desk, "second", "9120004488", "9120004495")
        text = await desk.said(OLGA, "/balance")
        assert text.count("Settlement Reserve   61,904.20  USD") == 2, "each shows what it sees"
        assert _total(text) == (
            "Total\n"
            "Real money\n"
            "EUR  137,562.18\n"
            "USD  310,214.75\n"
            "cryptocapital/second shows accounts of cryptocapital/first; they count once."
        )
        await _damage(desk, "first")
        assert _total(await desk.said(OLGA, "/balance")) == (
            "Total without cryptocapital/first\nReal money\nEUR  137,562.18\nUSD   61,904.20"
        )


async def _link_accounts(desk: Desk, label: str, *accounts: str) -> None:
    """Link the simulator's key for these accounts only."""
    login = {"private_key": desk.sides["cryptocapital"].credentials["private_key"], "accounts": ", ".join(accounts)}
    fields = {key: Secret(text) for key, text in login.items()}
    wanted = Wanted("cryptocapital", label, Environment.LIVE, fields)
    await desk.rooms.credentials.link(desk.person(OLGA), wanted, desk.rooms.access.roster, telegram_id=OLGA)


def _total(text: str) -> str:
    (found,) = [block for block in text.split("\n\n") if block.startswith("Total")]
    return found


# one that fails costs its line


async def _down(desk: Desk, name: str) -> None:
    await desk.chat.http.post(f"{desk.sides[name].control}/down", json={"down": True})


async def test_a_provider_that_is_down_costs_one_line_and_comes_back(linked: Desk) -> None:
    for name in PROVIDERS:
        await _goes_down_and_comes_back(linked, name)


async def _goes_down_and_comes_back(linked: Desk, name: str) -> None:
    await _down(linked, name)
    text = await linked.said(OLGA, "/balance")
    lines = _block(text, name).splitlines()
    assert lines[0].startswith(f"{TITLES[name]} {name}/main")
    assert len(lines) == 2
    assert lines[1] in (
        f"{TITLES[name]} ({name}/main) could not be reached. Try again in a minute.",
        f"{TITLES[name]} ({name}/main) did not answer in time. Try again in a minute.",
    )
    assert f"Total without {name}/main" in text
    for other in PROVIDERS:
        assert bool(AMOUNT.search(_block(text, other))) == (other != name)
    assert f"✕ {TITLES[name]} {name}/main: {lines[1].replace(f' ({name}/main)', '')}" in await linked.said(
        OLGA, "/status"
    )
    await linked.chat.http.post(f"{linked.sides[name].control}/down", json={"down": False})
    assert AMOUNT.search(_block(await linked.said(OLGA, "/balance"), name))


async def test_when_nobody_answers_there_is_no_total(linked: Desk) -> None:
    for name in PROVIDERS:
        await _down(linked, name)
    text = await linked.said(OLGA, "/balance")
    assert "Total" not in text
    assert not AMOUNT.search(text)


BIG = "9" * 1_300_000
BAD_BODIES = {
    "NaN": '{"accounts": [{"accountId": "1", "balance": {"balance": NaN}}], "records": [{"balance": NaN}]}',
    "Infinity": '{"accounts": [{"balance": {"balance": Infinity}}], "records": [{"balance": 1e999}]}',
    "a float past all bounds": '{"accounts": [{"balance": {"balance": 1e400}}], "records": [{"balance": 1e400}]}',
    "wrong types": '{"accounts": {"a": 1}, "records": "many", "total": []}',
    "no JSON": "<html><body>Maintenance 12,345.67</body></html>",
    "nothing": "",
    "cut": '{"accounts": [{"accountId": "123", "balance": {"balance": 12345.67',
    "over a mebibyte": f'{{"accounts": [], "records": [], "padding": "{BIG}"}}',
    "deep": "[" * 200_000,
}


@pytest.fixture
async def web(tmp_path: Path) -> AsyncIterator[Desk]:
    """The two that speak HTTP."""
    async with (
        telegram() as chat,
        providers("capital", "crm") as sides,
        at_work(configured(tmp_path, chat, sides), chat, sides) as desk,
    ):
        await desk.link("capital", environment=Environment.DEMO)
        await desk.link("crm")
        yield desk


async def test_a_reply_that_cannot_be_trusted_is_one_line_and_never_a_number(web: Desk) -> None:
    for kind, body in BAD_BODIES.items():
        for name, path in (("capital", "/accounts"), ("crm", "/public/v1/")):
            bad = {"action": "replace", "match": {"path": path}, "times": 1 if name == "capital" else 30, "body": body}
            answer = await web.chat.http.post(f"{web.sides[name].control}/faults", json=[bad])
            assert answer.status_code == 200
            text = await web.said(OLGA, f"/balance {name}")
            await web.chat.http.post(f"{web.sides[name].control}/faults", json=[])
            head, line = _block(text, name).splitlines()
            assert not AMOUNT.search(text), (kind, name, text)
            assert line.startswith(f"{TITLES[name]} ({name}/main) gave an answer that cannot be trusted"), (kind, line)
            assert " · " not in head.removesuffix(" · DEMO"), "a time of a reading there is none of"
    for name in ("capital", "crm"):
        assert AMOUNT.search(await web.said(OLGA, f"/balance {name}"))
    assert web.rooms.pulse.incidents == 0


BAD_FRAMES = {
    "deriv": '{"msg_type": "balance", "balance": {"balance": NaN, "currency": "USD", "loginid": "CR900001"}}',
    "cryptocapital": '{"rcpt": 1, "account": "9120004471", "balance": NaN}',
}


@pytest.mark.parametrize(
    "frame",
    ["not a number", "<html>12,345.67</html>", "[" * 100_000, f'{{"balance": "{BIG}"}}'],
    ids=["NaN", "HTML", "deep", "over a mebibyte"],
)
async def test_so_is_a_frame(tmp_path: Path, chat: Chat, frame: str) -> None:
    async with providers("deriv", "cryptocapital") as sides:
        config = configured(tmp_path, chat, sides)
        async with at_work(config, chat, sides) as desk:
            for name in ("deriv", "cryptocapital"):
                await desk.link(name)
                await desk.said(OLGA, f"/balance {name}")
                word = "balance" if name == "deriv" else "account"
                bad: dict[str, Any] = {"action": "replace", "match": {"kind": "ws", "contains": word}}
                bad["body"] = BAD_FRAMES[name] if frame == "not a number" else frame
                await chat.http.post(f"{sides[name].control}/faults", json=[bad])
                text = await desk.said(OLGA, f"/balance {name}")
                assert not AMOUNT.search(text)
                lines = _block(text, name).splitlines()
                assert len(lines) == 2
                assert lines[1].startswith(f"{TITLES[name]} ({name}/main) ")
                assert "Try again" in lines[1]
                assert AMOUNT.search(await desk.said(OLGA, f"/balance {name}"))


async def test_a_password_that_stopped_working_names_the_connection_and_what_to_do(linked: Desk) -> None:
    await linked.said(OLGA, "/balance capital")
    refusal = {"errorCode": "error.invalid.details"}
    await linked.chat.http.post(f"{linked.sides['capital'].control}/expire", json={})
    await linked.chat.http.post(
        f"{linked.sides['capital'].control}/faults",
        json=[{"action": "status", "match": {"path": "/session"}, "times": 3, "status": 401, "body": refusal}],
    )
    text = await linked.said(OLGA, "/balance capital")
    assert text.splitlines()[-1] == (
        "Capital.com (capital/main) does not accept this login (error.invalid.details): wrong identifier, or not the "
        "password that was chosen for this API key. Next: its owner gives it a new one with /replace capital/main."
    )


async def test_a_sealed_record_that_does_not_open_costs_its_line(linked: Desk) -> None:
    await _damage(linked, "main", "crm")
    text = await linked.said(OLGA, "/balance")
    assert _block(text, "crm").splitlines()[1] == (
        "The sealed credential of crm main, api_key does not open. The others are not affected. "
        "Its owner gives it a new login with /replace."
    )
    assert AMOUNT.search(_block(text, "deriv"))


async def _damage(desk: Desk, label: str, provider: str = "cryptocapital") -> None:
    """The sealed fields of one connection do not open any more, and its session is gone."""

    def damage(tables: Any) -> None:
        rows = tables.conn.execute(
            "SELECT rowid, record FROM sealed WHERE provider = ? AND label = ?", (provider, label)
        ).fetchall()
        for row, record in rows:
            tables.conn.execute(
                "UPDATE sealed SET record = ? WHERE rowid = ?", (record[:-1] + bytes([record[-1] ^ 1]), row)
            )

    await desk.rooms.database.write(damage)
    await desk.rooms.connections.close()


async def test_a_slip_in_one_adapter_costs_its_line(
    web: Desk, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """What nobody foresaw, such as a reply that lacks the one field the adapter takes for granted."""

    async def slip(_: Crm) -> Any:
        return {}["balance 12,345.67"]

    monkeypatch.setattr(Crm, "balances", slip)
    monkeypatch.setattr(Crm, "positions", slip)
    for words in ("/balance", "/positions"):
        text = await web.said(OLGA, words)
        assert _block(text, "crm").splitlines()[1] == (
            "Broctagon CRM (crm/main) gave an answer that cannot be trusted, so no number is shown. "
            "Try again in a minute."
        )
        assert AMOUNT.search(_block(text, "capital"))
        assert "12,345.67" not in text
    assert web.rooms.pulse.incidents == 0
    slips = [record for record in caplog.records if record.getMessage() == "adapter slipped"]
    assert [(one.levelname, vars(one)["connection"]) for one in slips] == [("ERROR", "crm/main")] * 2
    assert all(one.exc_info and one.exc_info[0] is KeyError for one in slips)


# hostile names, long answers


async def test_hostile_names_are_shown_literally_and_lead_nowhere(web: Desk) -> None:
    for words in ("/balance crm", "/positions crm"):
        (message,) = await web.says(OLGA, words)
        pages = [message]
        if "2 ›" in buttons(message):
            await web.taps(OLGA, message, "2 ›")
            pages.append(web.now(message))
        whole = "\n".join(texts(pages))
        assert '</b><a href="tg://user?id=1">x</a>' in whole.replace("\u2060", "")
        assert "Nora ⟨U+202E⟩RETROPER⟨U+202C⟩ Lind" in whole
        assert "\u202e" not in whole
        kinds = {entity["type"] for page in pages for entity in page.get("entities", [])}
        assert kinds <= {"bold", "italic", "code", "pre"}
        sent = [call["params"] for call in web.chat.calls() if call["method"] in ("sendMessage", "editMessageText")]
        assert all(params.get("link_preview_options", {}).get("is_disabled") for params in sent)


async def _all_pages(desk: Desk, person: int, message: Message) -> list[str]:
    """Every page, turned one by one in place."""
    pages = [desk.now(message)["text"]]
    for number in range(2, 20):
        if f"{number} ›" not in buttons(desk.now(message)):
            break
        assert await desk.taps(person, desk.now(message), f"{number} ›") == []
        pages.append(desk.now(message)["text"])
    return pages


async def test_a_long_answer_has_pages_that_turn_in_place_and_nothing_is_cut(web: Desk) -> None:
    (message,) = await web.says(OLGA, "/positions crm")
    assert list(buttons(message)) == ["Refresh · 1/2", "2 ›", "Alert…"]
    pages = await _all_pages(web, OLGA, message)
    assert len(pages) == 2
    assert list(buttons(web.now(message))) == ["‹ 1", "Refresh · 2/2", "Alert…"]
    assert len([line for page in pages for line in page.splitlines() if line.startswith(("▲ ", "▼ "))]) == 18
    await web.taps(OLGA, web.now(message), "‹ 1")
    assert web.now(message)["text"] == pages[0]
    assert len(web.chat.from_bot(OLGA)) == 1


async def test_refresh_asks_again_in_place(linked: Desk) -> None:
    (message,) = await linked.says(OLGA, "/balance cryptocapital")
    await _deposit(linked)
    assert await linked.taps(OLGA, message, "Refresh") == []
    assert "Settlement Reserve   62,004.20  USD" in linked.now(message)["text"]
    assert await linked.taps(OLGA, linked.now(message), "Refresh") == []
    assert linked.toasts() == ["", ""]


async def test_two_hundred_clients_fit_into_pages_telegram_takes(desk: Desk) -> None:
    from handlers.pages import paged

    blocks = ["🙂" * 200 + f"\nwallet  {number},000.00  USD" for number in range(1, 201)]
    pages = paged(blocks)
    assert "\n\n".join(pages) == "\n\n".join(blocks)
    for page in pages:
        assert len(page.encode("utf-16-le")) // 2 <= 4096
        await desk.work.desk.bot.send_message(OLGA, page)
    assert texts(desk.chat.from_bot(OLGA)) == pages


def test_a_block_longer_than_a_page_is_split_on_lines_and_keeps_its_table() -> None:
    from handlers.pages import paged

    lines = [f"account {number:04d}   {number},000.00" for number in range(500)]
    pages = paged(["head", "<pre>" + "\n".join(lines) + "</pre>", "tail"])
    assert all(page.count("<pre>") == page.count("</pre>") for page in pages)
    assert all(len(page) <= 4096 for page in pages)
    kept = [line for page in pages for line in re.sub(r"</?pre>", "", page).split("\n") if line.startswith("account")]
    assert kept == lines


# buttons


async def _pressed(desk: Desk, person: int, message: Message, data: str) -> str:
    """The toast after tapping with this data."""
    assert await desk.taps_data(person, message, data) == []
    return desk.toasts()[-1]


OLD = "This button is too old or not yours. Please ask again."
EXPIRED = "This button has expired. Please ask again."
EARLIER = "Already done."


async def test_a_button_of_an_earlier_page_loses_politely(web: Desk) -> None:
    (message,) = await web.says(OLGA, "/positions crm")
    await web.taps(OLGA, message, "2 ›")
    second = web.now(message)
    assert await _pressed(web, OLGA, message, buttons(message)["2 ›"]) == EARLIER
    assert web.now(message) == second


async def test_a_button_serves_the_person_it_was_made_for(web: Desk) -> None:
    (message,) = await web.says(OLGA, "/positions crm")
    data = buttons(message)["2 ›"]
    await web.says(VERA, "/positions crm")
    theirs = web.chat.from_bot(VERA)[0]
    assert await _pressed(web, VERA, theirs, data) == OLD
    assert web.now(theirs) == theirs


async def test_a_button_works_only_in_the_chat_it_was_shown_in(web: Desk) -> None:
    (message,) = await web.says(OLGA, "/positions crm")
    (elsewhere,) = await web.says(OLGA, "/whoami", GROUP)
    assert await _pressed(web, OLGA, elsewhere, buttons(message)["2 ›"]) == EARLIER
    assert web.now(elsewhere) == elsewhere
    assert web.now(message) == message


async def test_a_button_lives_for_an_hour(web: Desk) -> None:
    (message,) = await web.says(OLGA, "/positions crm")
    data = buttons(message)["2 ›"]
    web.clock.ahead += timedelta(hours=1, seconds=2)
    assert await _pressed(web, OLGA, message, data) == EXPIRED
    assert web.now(message) == message
    await web.rooms.cards.prune()
    assert await _pressed(web, OLGA, message, data) == EXPIRED


async def test_only_whose_button_it_was_hears_that_it_has_expired(web: Desk) -> None:
    (message,) = await web.says(OLGA, "/positions crm")
    data = buttons(message)["2 ›"]
    await web.says(VERA, "/positions crm")
    theirs = web.chat.from_bot(VERA)[0]
    web.clock.ahead += timedelta(hours=1, seconds=2)
    assert await _pressed(web, VERA, theirs, data) == OLD
    for forged in (
        f"{'B' if data[0] == 'A' else 'A'}{data[1:]}",
        f"{data[:-2]}{'B' if data[-2] == 'A' else 'A'}{data[-1]}",
    ):
        assert await _pressed(web, OLGA, message, forged) == OLD


async def test_a_button_outlives_a_restart(tmp_path: Path, chat: Chat) -> None:
    async with providers("crm") as sides:
        config = configured(tmp_path, chat, sides)
        async with at_work(config, chat, sides) as desk:
            await desk.link("crm")
            (message,) = await desk.says(OLGA, "/positions crm")
        async with at_work(config, chat, sides) as desk:
            await desk.taps(OLGA, message, "2 ›")
            assert "‹ 1" in buttons(desk.now(message))


async def test_a_button_needs_the_right_its_answer_needed(web: Desk) -> None:
    (message,) = await web.says(VERA, "/positions crm")
    await web.rooms.database.write(lambda tables: tables.conn.execute("DELETE FROM roles WHERE role = 'viewer'"))
    await web.rooms.access.refresh()
    for label in ("2 ›", "Refresh · 1/2"):
        assert texts(await web.taps(VERA, message, label)) == [
            "That needs the right to read balances and positions, which you do not have. An admin can give it."
        ]
    assert web.now(message) == message


async def test_a_tap_that_telegram_finds_too_old_to_answer_is_carried_out_all_the_same(web: Desk) -> None:
    (message,) = await web.says(OLGA, "/positions crm")
    refusal = {"ok": False, "error_code": 400, "description": "Bad Request: query is too old and response timeout"}
    late = {"action": "status", "match": {"path": "answerCallbackQuery"}, "status": 400, "body": refusal, "times": 2}
    await web.chat.faults(late)
    await web.taps(OLGA, message, "2 ›")
    assert "‹ 1" in buttons(web.now(message))
    await web.taps_data(OLGA, message, "forged")
    assert web.rooms.pulse.incidents == 0


async def test_an_edit_that_telegram_refuses_is_no_incident(web: Desk) -> None:
    for description in ("message is not modified: x", "message to edit not found", "message can't be edited"):
        (message,) = await web.says(OLGA, "/positions crm")
        refusal = {"ok": False, "error_code": 400, "description": f"Bad Request: {description}"}
        await web.chat.faults({"action": "status", "match": {"path": "editMessage"}, "status": 400, "body": refusal})
        assert await web.taps(OLGA, message, "2 ›") == []
    assert web.rooms.pulse.incidents == 0


def _forgeries(good: str, dice: random.Random) -> list[str]:
    """Two thousand pieces of data that are not `good`."""
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    found = [good[:length] for length in range(len(good))]
    for place, letter in enumerate(good):
        for bit in range(6):
            other = letters[letters.index(letter) ^ (1 << bit)]
            found.append(good[:place] + other + good[place + 1 :])
    found += [good + "=", good + "==", good + "A", "A" + good, good.lower(), good[::-1], good + "\n", " " + good]
    found += [good.replace("-", "+").replace("_", "/") + "/", "é" * 20, "\x00" * 10, "𝟙" * 16, "", "=", "v1", "null"]
    while len(found) < 2000:
        length = dice.randrange(1, 65)
        found.append("".join(dice.choices(letters + "+/=. ", k=length)))
    return [one for one in found if one != good]


async def test_two_thousand_forged_buttons_do_nothing(web: Desk) -> None:
    (message,) = await web.says(OLGA, "/positions crm")
    good = buttons(message)["2 ›"]
    assert len(good.encode()) <= 64
    dice = random.Random(7)
    forged = _forgeries(good, dice)
    now, signer, person = web.clock.now(), web.rooms.signer, web.person(OLGA).id
    assert read(good, person, signer, now) is not None
    assert [one for one in forged if read(one, person, signer, now) is not None] == []
    assert [other for other in range(50) if other != person and read(good, other, signer, now) is not None] == []
    shown = web.now(message)
    taps = [one for one in forged if one.isprintable() and one][:: len(forged) // 120]
    for number, data in enumerate(taps):
        await web.chat.play(
            "updates",
            updates=[
                {
                    "callback_query": {
                        "id": f"f{number}",
                        "from": {"id": OLGA, "is_bot": False, "first_name": "Olga"},
                        "message": shown,
                        "chat_instance": "1",
                        "data": data,
                    }
                }
            ],
        )
    await web.settled()
    answered = [call["params"] for call in web.chat.calls("answerCallbackQuery")]
    assert [one["text"] for one in answered] == [OLD] * len(taps)
    assert web.now(message) == shown
    assert web.rooms.pulse.incidents == 0


async def test_a_restored_install_takes_no_button_from_before(tmp_path: Path, chat: Chat) -> None:
    """F27."""
    async with providers("crm") as sides:
        config = configured(tmp_path, chat, sides)
        async with at_work(config, chat, sides) as desk:
            await desk.link("crm")
            (message,) = await desk.says(OLGA, "/positions crm")
            await desk.rooms.database.write(
                lambda tables: tables.conn.execute("UPDATE meta SET value = '2' WHERE key = 'epoch'")
            )
        async with at_work(config, chat, sides) as desk:
            assert await _pressed(desk, OLGA, message, buttons(message)["2 ›"]) == OLD
