"""/openaccount, as people use it: a demo account by a code from the mail, a real one by a form."""

import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from bot.operations.credentials import Wanted
from bot.providers.records import Environment
from bot.secret import Secret
from tests.support.chatting import (
    ADAM,
    OLGA,
    Chat,
    Desk,
    Message,
    at_work,
    at_work_with,
    buttons,
    configured,
    providers,
    texts,
    until,
)

PASSWORD, ADDRESS = "Quiet4Harbour", "new@example.org"
WHOLE = "Demo, for somebody new"


@pytest.fixture
async def desk(tmp_path: Path, chat: Chat) -> AsyncIterator[Desk]:
    async with at_work_with(tmp_path, chat, "deriv") as one:
        await one.link("deriv")
        yield one


async def told(desk: Desk, path: str) -> Any:
    return (await desk.chat.http.get(f"{desk.sides['deriv'].control}/{path}")).json()


async def mailed(desk: Desk) -> str:
    """The code sent last."""
    return str((await told(desk, "mailbox"))["mails"][-1]["code"])


async def rows(desk: Desk, sql: str) -> list[tuple[Any, ...]]:
    return await desk.rooms.database.read(lambda tables: tables.conn.execute(sql).fetchall())


async def begun(desk: Desk, label: str, through: str = "") -> Message:
    """The second question, after one button of the first."""
    (which,) = await desk.says(OLGA, f"/openaccount {through}")
    return (await desk.taps(OLGA, which, label))[-1]


async def asked_for_the_code(desk: Desk, country: str = "Kenya") -> None:
    await begun(desk, WHOLE)
    (password,) = await desk.says(OLGA, country)
    (_, address) = await desk.taps(OLGA, password, "Make one that nobody knows")
    assert "e-mail" in address["text"], address
    assert "A code was mailed" in await desk.said(OLGA, ADDRESS)


async def linked_demo(desk: Desk) -> str:
    """A demo account opened through the chat and linked: the connection's name."""
    await asked_for_the_code(desk)
    (opened,) = await desk.says(OLGA, await mailed(desk))
    (_, linked) = await desk.taps(OLGA, opened, "Link it")
    found = re.match(r"Linked (deriv/vrtc\d+), for you alone: 1 account, USD", linked["text"])
    assert found, linked["text"]
    return found[1]


async def real_form(desk: Desk, country: str = "Kenya") -> tuple[str, Message]:
    """The form of a real account through that demo account, at its first field."""
    name = await linked_demo(desk)
    await begun(desk, f"Real, for the person of {name}", name)
    return name, (await desk.says(OLGA, country))[-1]


async def filled_in(desk: Desk, *answers: str) -> Message:
    """What is asked after these; "Skip" and "USD" are buttons."""
    for answer in answers:
        shown = desk.chat.from_bot(OLGA)[-1]
        await (desk.taps(OLGA, shown, answer) if answer in buttons(shown) else desk.says(OLGA, answer))
    return desk.chat.from_bot(OLGA)[-1]


async def test_a_demo_account_is_opened_with_three_taps_and_the_code_from_the_mail(desk: Desk) -> None:
    name = await linked_demo(desk)
    assert "Demo  10,000.00  USD" in await desk.said(OLGA, f"/balance {name}")
    assert await rows(desk, "SELECT subject FROM sealed WHERE subject LIKE 'opening/%'") == []
    assert await rows(desk, "SELECT kind FROM drafts") == []
    acts = await rows(desk, "SELECT action, details FROM audit WHERE action LIKE 'account.%' OR action = 'code.mailed'")
    assert [action for action, _ in acts] == ["code.mailed", "account.opening", "account.opened"]
    assert ADDRESS not in repr(acts)


async def test_a_typed_password_and_the_code_stay_neither_in_the_chat_nor_in_a_row(desk: Desk) -> None:
    await begun(desk, WHOLE)
    await desk.says(OLGA, "ke")
    assert "8 to 25 characters" in await desk.said(OLGA, "weak")
    await desk.says(OLGA, PASSWORD)
    await desk.says(OLGA, ADDRESS)
    assert ADDRESS not in repr(await rows(desk, "SELECT body FROM drafts UNION ALL SELECT body FROM cards"))
    code = await mailed(desk)
    (opened,) = await desk.says(OLGA, code)
    assert opened["text"].startswith("Open: the demo account VRTC")
    said = [one.get("text", "") for one in desk.chat.messages(OLGA)]
    assert [text for text in said if PASSWORD in text or code in text or "weak" in text] == []
    everything = repr(await rows(desk, "SELECT body FROM drafts UNION ALL SELECT details FROM audit"))
    assert PASSWORD not in everything
    assert code not in everything


async def test_a_wrong_code_is_asked_for_again_and_another_one_can_be_mailed(desk: Desk) -> None:
    await asked_for_the_code(desk)
    (why, again) = await desk.says(OLGA, "wrongwrong")
    assert why["text"].startswith("Deriv does not take that code: it is wrong, was used, or is too old.")
    await desk.taps(OLGA, again, "Mail another one")
    assert len((await told(desk, "mailbox"))["mails"]) == 2
    assert (await desk.says(OLGA, await mailed(desk)))[0]["text"].startswith("Open: the demo account")


async def test_an_address_that_is_known_leads_to_connect_and_to_another_address(desk: Desk) -> None:
    await begun(desk, WHOLE)
    await filled_in(desk, "Kenya", "Make one that nobody knows", "treasury@meridian-desk.example")
    (why, again) = await desk.says(OLGA, await mailed(desk))
    assert "Link that login with /connect deriv" in why["text"]
    assert "Which e-mail address?" in again["text"]


async def test_a_country_is_checked_when_it_is_named(desk: Desk) -> None:
    country = await begun(desk, WHOLE)
    assert list(buttons(country)) == ["Indonesia"]  # where the person of the login lives
    assert "Deriv knows no such country" in await desk.said(OLGA, "Atlantis")
    assert "Deriv opens no accounts for people who live in United States" in await desk.said(OLGA, "us")


async def test_a_real_account_is_a_form_of_what_the_company_of_the_country_asks(desk: Desk) -> None:
    _, first = await real_form(desk)
    assert first["text"] == "Please send the first name (as in the passport)."
    born = await filled_in(desk, "Akinyi", "Otieno")
    assert "date of birth" in born["text"]
    assert "people of 18 years or more only" in await desk.said(OLGA, "2024-01-01")
    assert "That is no day" in await desk.said(OLGA, "1990-02-30")
    state = await filled_in(desk, "1990-3-4", "Nairobi", "12/4 Ngong Rd")
    assert "State or province?" in state["text"]
    look = await filled_in(desk, "Nairobi City", "USD")
    assert look["text"].startswith("A real account at Deriv in USD, kept by Deriv (SVG) LLC.\nResidence: Kenya\n")
    assert "Date of birth: 1990-03-04\n" in look["text"]
    assert "State or province: Nairobi City\n" in look["text"]
    (_, opened) = await desk.taps(OLGA, look, "Open it")
    number = opened["text"].split()[4]
    assert number.startswith("CR")
    (_, over) = await desk.taps(OLGA, opened, "No")
    assert f"{number} is open all the same: make an API token for it in Deriv's settings" in over["text"]
    assert await rows(desk, "SELECT subject FROM sealed WHERE subject LIKE 'opening/%'") == []
    kept = repr(await rows(desk, "SELECT body FROM cards UNION ALL SELECT details FROM audit"))
    assert not {"Akinyi", "1990-03-04", "Ngong"} & set(re.findall(r"[\w-]+", kept))


async def test_a_refused_field_is_named_and_asked_for_again(desk: Desk) -> None:
    await real_form(desk)
    look = await filled_in(desk, "Akinyi", "Otieno", "1990-03-04", "Nairobi", "P.O. Box 7", "Skip", "USD")
    (_, why, again) = await desk.taps(OLGA, look, "Open it")
    assert why["text"] == "Deriv does not take street and number (PoBoxInAddress). Give it again."
    assert "Please send the street and number" in again["text"]
    look = await filled_in(desk, "12/4 Ngong Rd")
    (opened,) = await desk.says(OLGA, "open it")  # as well as its button
    assert opened["text"].startswith("Open: the real account CR")


async def test_another_country_than_the_client_is_known_with_is_asked_for_again(desk: Desk) -> None:
    _, elsewhere = await real_form(desk, "Germany")
    assert "Deriv opens real accounts for people who live in Germany on its own pages only" in elsewhere["text"]
    await desk.says(OLGA, "Indonesia")
    look = await filled_in(desk, "Akinyi", "Otieno", "1990-03-04", "Skip", "Skip", "Skip", "USD")
    (_, why, again) = await desk.taps(OLGA, look, "Open it")
    assert "Deriv opens no account for that country" in why["text"]
    assert "In which country" in again["text"]


async def test_who_has_a_real_account_says_the_currency_alone(desk: Desk) -> None:
    currency = await begun(desk, "Real, for the person of deriv/main")
    assert "In which currency?" in currency["text"]
    (_, look) = await desk.taps(OLGA, currency, "USD")
    (_, why, again) = await desk.taps(OLGA, look, "Open it")
    assert "there may be one already. Choose another one." in why["text"]
    (_, look) = await desk.taps(OLGA, again, "ETH")
    assert (await desk.taps(OLGA, look, "Open it"))[1]["text"].startswith("Open: the real account CR")


async def test_a_token_that_may_not_open_a_real_account_is_said_before_the_form(desk: Desk) -> None:
    key = desk.sides["deriv"].credentials
    fields = {"app_id": Secret(str(key["app_id"])), "token": Secret(str(key["token_read"]))}
    wanted = Wanted("deriv", "reader", Environment.LIVE, fields)
    await desk.rooms.credentials.link(desk.person(OLGA), wanted, desk.rooms.access.roster, telegram_id=OLGA)
    (which,) = await desk.says(OLGA, "/openaccount deriv/reader")
    (_, why, again) = await desk.taps(OLGA, which, "Real, for the person of deriv/reader")
    assert "this key lacks the permission “admin”" in why["text"]
    assert "Which one?" in again["text"]


async def test_who_has_a_demo_account_hears_so(desk: Desk) -> None:
    said = await begun(desk, "Demo, for the person of deriv/main")
    assert (
        said["text"] == "Deriv says that there is an account like that already (DuplicateAccount). Nothing was opened."
    )


async def test_cancel_erases_what_was_answered_and_the_late_code_too(desk: Desk) -> None:
    await asked_for_the_code(desk)
    await desk.says(OLGA, "/cancel")
    assert await rows(desk, "SELECT subject FROM sealed WHERE subject LIKE 'opening/%'") == []
    code = await mailed(desk)
    assert "I deleted that, in case it was a secret" in await desk.said(OLGA, code)
    assert code not in repr(desk.chat.messages(OLGA))


async def test_what_is_sealed_for_a_form_that_gave_way_to_something_else_is_erased(desk: Desk) -> None:
    await asked_for_the_code(desk)
    assert await desk.rooms.account_opening.prune() == 0
    await desk.says(OLGA, "/connect")
    assert await desk.rooms.account_opening.prune() == 1
    assert await rows(desk, "SELECT subject FROM sealed WHERE subject LIKE 'opening/%'") == []


async def test_a_lost_answer_says_that_it_may_be_open_and_tries_nothing_again(desk: Desk) -> None:
    await asked_for_the_code(desk)
    desk.sides["deriv"].misfortunes.add({"action": "reset", "match": {"kind": "ws", "contains": "new_account_virtual"}})
    said = await desk.said(OLGA, await mailed(desk))
    assert "It may have been opened all the same. Look at Deriv before you begin anew." in said
    assert (await told(desk, "calls"))["asked"]["new_account_virtual"] == 1
    assert await rows(desk, "SELECT kind FROM drafts") == []


async def test_a_freeze_stops_it_and_nobody_opens_through_a_login_of_somebody_else(desk: Desk) -> None:
    await begun(desk, WHOLE)
    await filled_in(desk, "Kenya", "Make one that nobody knows")
    await desk.says(ADAM, "/freeze deriv")
    await until(lambda: any(text.startswith("Frozen: Deriv") for text in texts(desk.chat.from_bot(OLGA))), 40)
    refused, _ = await desk.says(OLGA, ADDRESS)
    assert refused["text"].startswith("Deriv is frozen")
    assert (await told(desk, "mailbox"))["mails"] == []
    await desk.link("deriv", owner=ADAM, label="boss")
    assert "of somebody else" in await desk.said(OLGA, "/openaccount deriv/boss")


async def test_a_password_that_comes_again_after_a_crash_is_not_taken_for_the_address(desk: Desk) -> None:
    """The crash came after the answer was kept and before the update was marked as handled."""
    await begun(desk, WHOLE)
    await desk.says(OLGA, "ke")
    update = {"message": desk.chat.message_from(OLGA, PASSWORD)}
    for _ in range(2):
        await desk.happens(update)
        await desk.rooms.inbox.flush()
        await desk.rooms.database.write(lambda tables: tables.conn.execute("DELETE FROM inbox"))  # as if it never came
        assert "Which e-mail address?" in str(desk.chat.from_bot(OLGA)[-1]["text"])
    assert await desk.said(OLGA, "no address") == "That is no e-mail address. For example: name@example.org"


async def test_a_restart_in_the_middle_goes_on_where_it_was(tmp_path: Path, chat: Chat) -> None:
    async with providers("deriv") as sides:
        config = configured(tmp_path, chat, sides)
        async with at_work(config, chat, sides) as desk:
            await desk.link("deriv")
            await asked_for_the_code(desk)
        async with at_work(config, chat, sides) as desk:
            (opened,) = await desk.says(OLGA, await mailed(desk))
            assert opened["text"].startswith("Open: the demo account")
        async with at_work(config, chat, sides) as desk:
            (_, linked) = await desk.taps(OLGA, opened, "Link it")
            assert linked["text"].startswith("Linked deriv/vrtc")
