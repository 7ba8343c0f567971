"""/lead: one is made, once, after a look at it."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.support.chatting import ANNA, OLGA, Chat, Desk, at_work_with, buttons, texts


@pytest.fixture
async def desk(tmp_path: Path, chat: Chat) -> AsyncIterator[Desk]:
    async with at_work_with(tmp_path, chat, "crm") as one:
        await one.link("crm")
        yield one


async def leads(desk: Desk) -> list[dict[str, Any]]:
    async with httpx.AsyncClient(base_url=desk.sides["crm"].control, trust_env=False) as control:
        found = (await control.get("/leads")).json()["leads"]
    return list(found.values()) if isinstance(found, dict) else list(found)


async def test_a_lead_is_made_after_one_tap_and_by_one_tap_only(desk: Desk) -> None:
    before = await leads(desk)
    (question,) = await desk.says(OLGA, "/lead ines@example.com Ines Example")
    assert question["text"].replace("\u2060", "") == "Make a lead in crm/main: Ines Example, ines@example.com?"
    assert await leads(desk) == before
    data = buttons(question)["Make it"]
    (told,) = await desk.taps_data(OLGA, question, data)
    assert told["text"].startswith("The lead is made: ")
    (made,) = [one for one in await leads(desk) if one not in before]
    assert (made["email"], made["name"]) == ("ines@example.com", "Ines Example")
    assert await desk.taps_data(OLGA, question, data) == []
    assert len(await leads(desk)) == len(before) + 1
    assert buttons(desk.now(question)) == {}


async def test_it_can_be_left(desk: Desk) -> None:
    before = await leads(desk)
    (question,) = await desk.says(OLGA, "/lead ines@example.com")
    assert texts(await desk.taps(OLGA, question, "No")) == ["No lead was made."]
    assert await leads(desk) == before


async def test_an_answer_that_is_lost_is_told_as_unknown_and_nothing_is_sent_again(desk: Desk) -> None:
    before = await leads(desk)
    (question,) = await desk.says(OLGA, "/lead ines@example.com Ines")
    script = [{"match": {"path": "/public/v1/leads/create"}, "action": "reset"}]
    async with httpx.AsyncClient(base_url=desk.sides["crm"].control, trust_env=False) as control:
        answer = await control.post("/faults", json=script)
        assert answer.status_code == 200, answer.text
    (told,) = await desk.taps(OLGA, question, "Make it")
    assert "the outcome is not known yet" in told["text"]
    assert len(await leads(desk)) == len(before) + 1  # it was carried out, once


@pytest.mark.parametrize(("scope", "called"), [("desk", "The desk"), ("crm", "Broctagon CRM")])
async def test_a_freeze_between_the_look_and_the_tap_stops_it(desk: Desk, scope: str, called: str) -> None:
    before = await leads(desk)
    (question,) = await desk.says(OLGA, "/lead ines@example.com Ines")
    await desk.rooms.freezing.freeze(desk.person(ANNA), scope, "a stolen phone", telegram_id=ANNA)
    told = texts(await desk.taps(OLGA, question, "Make it"))
    if called != "The desk":  # a freeze of the desk ends what was begun: the button is over
        assert any(text.startswith(f"{called} is frozen (a stolen phone)") for text in told)
    assert await leads(desk) == before
    rows = await desk.rooms.database.read(
        lambda tables: tables.conn.execute("SELECT action FROM audit WHERE action LIKE 'lead.%'").fetchall()
    )
    assert rows == []


async def test_a_freeze_elsewhere_does_not_stop_it(desk: Desk) -> None:
    (question,) = await desk.says(OLGA, "/lead ines@example.com Ines")
    await desk.rooms.freezing.freeze(desk.person(ANNA), "cryptocapital", "theirs", telegram_id=ANNA)
    told = texts(await desk.taps(OLGA, question, "Make it"))
    assert any(text.startswith("The lead is made") for text in told)


async def test_what_a_person_did_is_in_the_log_without_the_lead_s_name(desk: Desk) -> None:
    (question,) = await desk.says(OLGA, "/lead ines@example.com Ines Example")
    await desk.taps(OLGA, question, "Make it")
    rows = await desk.rooms.database.read(
        lambda tables: tables.conn.execute("SELECT action, details FROM audit WHERE action LIKE 'lead.%'").fetchall()
    )
    assert [action for action, _ in rows] == ["lead.asked", "lead.made"]
    assert "ines" not in str(rows).casefold()


@pytest.mark.parametrize("words", ["/lead", "/lead Ines", "/lead ines@", "/lead <b>@example.com"])
async def test_what_is_no_address_is_told(desk: Desk, words: str) -> None:
    assert await desk.said(OLGA, words) == (
        "An e-mail address, then a name. For example: /lead ines@example.com Ines Example"
    )


async def test_without_leave_to_act_there_is_no_button(desk: Desk) -> None:
    await desk.said(1001, "/role Anna give operator")
    assert await desk.said(ANNA, "/lead ines@example.com") == (
        "That needs the right to act through crm/main, which you do not have. An admin can give it."
    )
