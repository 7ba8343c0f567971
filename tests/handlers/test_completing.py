"""A line that is only begun: a button says its first words, and the rest is typed."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bot.providers.crm.client import Crm
from tests.support.chatting import ANNA, OLGA, VERA, Chat, Desk, buttons, texts
from tests.support.treasury import ONE_APPROVER, Treasury, treasury

GUARD = '[guards.beneficiary]\nneeds = ["1 of role/approver"]\n'


@pytest.fixture
async def desk(tmp_path: Path, chat: Chat) -> AsyncIterator[Treasury]:
    async with treasury(tmp_path, chat, ONE_APPROVER + GUARD) as opened:
        yield opened


async def test_a_beneficiary_is_entered_by_a_button_and_one_line(desk: Treasury) -> None:
    (book,) = await desk.desk.says(OLGA, "/beneficiaries")
    assert list(buttons(book)) == ["Enter one…", "Take one out…"]
    (question,) = await desk.desk.taps(OLGA, book, "Enter one…")
    assert question["text"].startswith("The provider, the account, whose it is")
    answers = texts(await desk.desk.says(OLGA, "cryptocapital 9120007021 Nordlicht AG"))
    assert any("Asked to sign" in one or "request" in one for one in answers), answers
    ((kind,),) = await desk.rows("SELECT kind FROM requests")
    assert kind == "beneficiary"


async def test_who_may_not_ask_is_offered_nothing(desk: Treasury) -> None:
    (book,) = await desk.desk.says(VERA, "/beneficiaries")
    assert "reply_markup" not in book or buttons(book) == {}


async def test_an_approver_of_no_group_is_not_offered_to_hand_it_on_and_is_told_why_not(desk: Treasury) -> None:
    (standing,) = await desk.desk.says(ANNA, "/delegate")
    assert buttons(standing) == {}
    (question,) = await desk.desk.says(ANNA, "/delegate …")
    assert question["text"].startswith("To whom, and from which day to which?")
    (answer,) = await desk.desk.says(ANNA, "Nobody from 2099-01-01 until 2099-01-02")
    assert answer["text"].startswith("You sit in no approver group")


async def test_a_client_is_asked_for_and_a_booking_begun(linked: Desk) -> None:
    (question,) = await linked.says(OLGA, "/wallet")
    assert question["text"].startswith("Whose wallets?")
    (connection,) = [one for one in await linked.rooms.connections.everything() if one.provider == "crm"]
    async with linked.rooms.connections.session(connection) as provider:
        assert isinstance(provider, Crm)
        user = (await provider.clients.listed(50)).items[1].id
    (wallet,) = await linked.says(OLGA, user)
    assert [one for one in buttons(wallet) if one.endswith("…")] == ["Deposit…", "Withdraw…"]
    (amount,) = await linked.taps(OLGA, wallet, "Deposit…")
    assert amount["text"].startswith("How much, and what for?")
    answers = texts(await linked.says(OLGA, "1e5 USD"))
    assert len(answers) == 1
    assert answers == ["An amount is plain digits with at most one point. For example: 250.00 USD"]


async def test_a_question_is_stopped(linked: Desk) -> None:
    await linked.says(OLGA, "/wallet")
    await linked.says(OLGA, "/cancel")
    (answer,) = await linked.says(OLGA, "u7h2k9d0")
    assert "Whose" not in answer["text"]
    assert "Ines" not in answer["text"]


async def test_the_same_command_said_whole_ends_the_question(desk: Treasury) -> None:
    await desk.desk.says(ANNA, "/freeze crm")
    (question,) = await desk.desk.says(OLGA, "/thaw")
    assert "Why can it go on?" in question["text"]
    await desk.desk.says(OLGA, "/thaw crm it was a mistake")
    (answer,) = await desk.desk.says(OLGA, "thanks")
    assert answer["text"].startswith("I understand commands")


async def test_an_alert_in_one_line_ends_the_one_that_was_begun(linked: Desk) -> None:
    (kinds,) = await linked.says(OLGA, "/alert")
    (market,) = await linked.taps(OLGA, kinds, "Price")
    assert market["text"].startswith("Which market?")
    await linked.says(OLGA, "/alert balance capital/main < 10 USD")
    (answer,) = await linked.says(OLGA, "thanks")
    assert answer["text"].startswith("I understand commands")


async def test_an_alert_is_offered_where_it_can_happen_only(linked: Desk) -> None:
    (kinds,) = await linked.says(OLGA, "/alert")
    (which,) = await linked.taps(OLGA, kinds, "Position closed")
    assert "capital/main" in buttons(which)
    assert "cryptocapital/main" not in buttons(which)
    (kinds,) = await linked.says(OLGA, "/alert")
    (understood,) = await linked.taps(OLGA, kinds, "Withdrawal new")
    assert understood["text"].startswith("Understood: client withdrawal new at crm/main")
    (refused,) = await linked.says(OLGA, "/alert position closed cryptocapital/main")
    assert refused["text"].startswith("Crypto Capital has no positions.")
