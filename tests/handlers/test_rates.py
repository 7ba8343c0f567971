"""/rate: what a currency is worth to a limit that counts every currency, and what happens without it (SAFETY M82)."""

import io
import json
import zipfile
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bot.approvals.model import Decision, Request, State
from bot.errors import NoRateError, PolicyRefusedError
from tests.support.chatting import ADAM, ANNA, OLGA, Chat, buttons, telegram, texts, until
from tests.support.treasury import ONE_APPROVER, OPERATING, Treasury, treasury

EUROS = (
    ONE_APPROVER
    + """
[[limits]]
name = "the desk"
amount = "100"
currency = "EUR"
per = "desk"
window = "24h"
every_currency = true

[guards.policy]
needs = ["1 of role/approver"]
"""
)
HOUR = 3600.0


@pytest.fixture
async def chat() -> AsyncIterator[Chat]:
    async with telegram() as opened:
        yield opened


async def told(at_desk: Treasury, person: int, words: str) -> str:
    """Everything that comes to them upon it: notices may come between."""
    return "\n---\n".join(texts(await at_desk.desk.says(person, words)))


async def asked_for(at_desk: Treasury, words: str) -> Request:
    """By the admin."""
    said = await told(at_desk, ADAM, f"/rate {words}")
    assert "Asked for: request " in said, said
    request: Request = (await at_desk.rooms.approvals.pending())[-1]
    return request


async def entered(at_desk: Treasury, words: str) -> Request:
    request = await asked_for(at_desk, words)
    return await at_desk.approves(request)


async def test_an_admin_enters_one_by_a_button_and_nobody_else_is_offered_that(tmp_path: Path, chat: Chat) -> None:
    async with treasury(tmp_path, chat, EUROS) as at_desk:
        (shown,) = await at_desk.desk.says(ANNA, "/rate")
        assert list(buttons(shown)) == ["Refresh"]
        (shown,) = await at_desk.desk.says(ADAM, "/rate")
        (question,) = await at_desk.desk.taps(ADAM, shown, "Enter one…")
        assert question["text"].startswith("Which currencies, and what is one of the first worth?")
        assert "Asked for: request " in await told(at_desk, ADAM, "EUR/USD 1.08")
        (request,) = await at_desk.rooms.approvals.pending()
        assert (request.parameters["base"], request.parameters["rate"]) == ("EUR", "1.08")


async def test_without_a_rate_nothing_is_asked_for_and_the_next_step_is_named(tmp_path: Path, chat: Chat) -> None:
    async with treasury(tmp_path, chat, EUROS) as at_desk:
        with pytest.raises(NoRateError):
            await at_desk.asked("10.00")
        expected = (
            "A limit counts what USD is worth in EUR, and no rate of USD/EUR is younger than 24 hours. "
            "An admin can enter one: /rate USD/EUR and the number. Nothing was asked for."
        )
        assert expected in await told(at_desk, OLGA, f"/transfer 10.00 USD from {OPERATING} to Harbour")
        assert await at_desk.rows("SELECT count(*) FROM requests") == [(0,)]


async def test_a_rate_counts_when_another_has_signed_it_and_is_shown(tmp_path: Path, chat: Chat) -> None:
    async with treasury(tmp_path, chat, EUROS) as at_desk:
        request = await asked_for(at_desk, "USD/EUR 0.8")
        with pytest.raises(NoRateError):
            await at_desk.asked("10.00")
        assert (await at_desk.approves(request)).state is State.SUCCEEDED

        await at_desk.asked("50.00")  # 40 EUR, and 2 for caution

        assert "42.00 EUR used, 58.00 EUR left" in await told(at_desk, OLGA, "/limits")
        with pytest.raises(
            PolicyRefusedError, match=r"100\.00 EUR in 24 hours for the desk, counted at their rates; 42\.00"
        ):
            await at_desk.asked("69.05")  # 58.01 EUR
        assert "1 USD is 0.8 EUR · Admin 1, good until " in await told(at_desk, OLGA, "/rate")


async def test_the_evidence_says_what_a_request_was_weighed_by(tmp_path: Path, chat: Chat) -> None:
    async with treasury(tmp_path, chat, EUROS) as at_desk:
        weighed_by = await entered(at_desk, "USD/EUR 0.8")
        await entered(at_desk, "GBP/USD 1.3")  # of no use to a limit in euros
        request = await at_desk.asked("50.00")
        await at_desk.approves(request)
        await at_desk.comes_to(request, State.SUCCEEDED)
        at_desk.desk.clock.ahead_by(60)
        await entered(at_desk, "USD/EUR 0.9")  # too late for it

        members = await evidence(at_desk, request)
        (rate,) = json.loads(members["request.json"])["rates"]
        told = (rate["base"], rate["quote"], rate["rate"], rate["by"], rate["request"])
        assert told == ("USD", "EUR", "0.8", "Admin 1", weighed_by.id)
        assert "<td>1 USD is 0.8 EUR</td>" in members["request.html"].decode()

        assert json.loads((await evidence(at_desk, weighed_by))["request.json"])["rates"] == []


async def evidence(at_desk: Treasury, request: Request) -> dict[str, bytes]:
    """What lies in the pack."""
    rooms = at_desk.rooms
    pack = await rooms.evidence.take(at_desk.person(ADAM), request.id, telegram_id=ADAM)
    with zipfile.ZipFile(io.BytesIO(pack.content)) as packed:
        return {name: packed.read(name) for name in packed.namelist()}


async def test_whoever_signs_sees_the_last_one_beside_it(tmp_path: Path, chat: Chat) -> None:
    async with treasury(tmp_path, chat, EUROS) as at_desk:
        await entered(at_desk, "USD/EUR 0.8")
        await asked_for(at_desk, "usd/eur 0.08")
        await until(lambda: any("0.08 EUR" in one for one in texts(chat.from_bot(ANNA))))
        prompt = next(one for one in texts(chat.from_bot(ANNA)) if "0.08 EUR" in one)
        assert "Rate: 1 USD is 0.08 EUR" in prompt
        assert "The last one was 0.8 (" in prompt


async def test_what_was_denied_counts_for_nothing(tmp_path: Path, chat: Chat) -> None:
    async with treasury(tmp_path, chat, EUROS) as at_desk:
        await at_desk.says(ANNA, Decision.DENY, await asked_for(at_desk, "USD/EUR 0.8"))
        assert "No rate counts just now." in await told(at_desk, OLGA, "/rate")


async def test_where_no_limit_counts_the_currency_the_signers_are_told_why_it_takes_more(
    tmp_path: Path, chat: Chat
) -> None:
    own = EUROS.replace("every_currency = true\n", "")
    because = "No limit counts USD, so that it takes what the strictest amount would."
    async with treasury(tmp_path, chat, own) as at_desk:
        request = await at_desk.asked("10.00")
        await until(lambda: any(because in one for one in texts(chat.from_bot(ANNA))))
        assert because in await told(at_desk, ANNA, f"/request {request.id}")
        assert (await at_desk.approves(request)).state is not State.PENDING
        await at_desk.comes_to(request, State.SUCCEEDED)


async def test_after_a_day_it_is_too_old_to_ask_or_to_send_by(tmp_path: Path, chat: Chat) -> None:
    """What was approved and held until then is not sent, and what was used by then can still be told."""
    held = EUROS.replace('tier = "quorum"', 'tier = "quorum"\nhold = "2h"')
    async with treasury(tmp_path, chat, held) as at_desk:
        await entered(at_desk, "USD/EUR 0.8")
        at_desk.desk.clock.ahead_by(23 * HOUR)
        request = await at_desk.asked("50.00")
        assert (await at_desk.approves(request)).state is State.HELD
        at_desk.desk.clock.ahead_by(2.1 * HOUR)
        failed = await at_desk.comes_to(request, State.FAILED)
        assert failed.outcome == "it was not sent: no rate of USD/EUR is younger than 24 hours"
        assert await at_desk.executed() == []
        with pytest.raises(NoRateError):
            await at_desk.asked("10.00")


NO_RATES = {
    "USD/EUR 0": "A rate is a number above nought, plain digits with at most one point.",
    "USD/EUR 1,08": "A rate is a number above nought, plain digits with at most one point.",
    "USD/EUR １": "A rate is a number above nought, plain digits with at most one point.",
    "USD/USD 1": "A pair is two currencies with a slash between them.",
    "USD 1": "A pair is two currencies with a slash between them.",
    "USD/QQQ 1": "QQQ is no currency this desk can move.",
    "USD/EUR": "Name the two currencies and the number: what one of the first is worth.",
}


async def test_what_is_no_rate_is_named_and_only_an_admin_enters_one(tmp_path: Path, chat: Chat) -> None:
    async with treasury(tmp_path, chat, EUROS) as at_desk:
        for words, reason in NO_RATES.items():
            assert f"{reason} For example: /rate EUR/USD 1.08" in await told(at_desk, ADAM, f"/rate {words}")
        missing = "That needs the right to change the policy, which you do not have. An admin can give it."
        assert missing in await told(at_desk, OLGA, "/rate USD/EUR 0.8")
        assert await at_desk.rows("SELECT count(*) FROM requests") == [(0,)]
