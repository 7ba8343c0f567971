"""Letting others use a connection, and taking it back: at once, told to both sides, and written down."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bot.operations.linked import Scope
from bot.operations.sharing import party_named
from tests.support.chatting import (
    ADAM,
    ANNA,
    OLGA,
    VERA,
    Chat,
    Desk,
    at_work_with,
    texts,
    until,
)

NOBODY_YET = "You can see no provider login yet. /connect links one; an owner can share theirs when linking it."


@pytest.fixture
async def crm(tmp_path: Path, chat: Chat) -> AsyncIterator[Desk]:
    """One connection of Olga's, shared with nobody."""
    async with at_work_with(tmp_path, chat, "crm") as desk:
        await desk.link("crm", share=())
        yield desk


def _told(desk: Desk, person: int) -> list[str]:
    return [text for text in texts(desk.chat.from_bot(person)) if text.startswith("Connections changed")]


async def _deeds(desk: Desk) -> list[tuple[str, str, str]]:
    rows = await desk.rooms.database.read(
        lambda tables: tables.conn.execute(
            "SELECT action, object, details FROM audit WHERE action LIKE 'connection.%shared' ORDER BY seq"
        ).fetchall()
    )
    return list(rows)


async def test_a_person_reads_it_from_the_moment_it_is_shared_until_it_is_not(crm: Desk) -> None:
    assert await crm.said(VERA, "/balance") == NOBODY_YET
    assert await crm.said(OLGA, "/share crm/main with Vera") == "Shared crm/main with Vera, for reading. They are told."
    assert "crm/main" in await crm.said(VERA, "/balance")
    assert await crm.said(ANNA, "/balance") == NOBODY_YET
    assert await crm.said(OLGA, "/unshare crm from vera") == (
        "crm/main is shared with Vera no more. It is shared with nobody now."
    )
    assert await crm.said(VERA, "/balance") == NOBODY_YET
    await until(lambda: len(_told(crm, VERA)) == 2)
    assert _told(crm, VERA) == [
        "Connections changed\nOlga shared crm/main with you, for reading.",
        "Connections changed\nOlga shares crm/main with you no more.",
    ]
    vera = crm.person(VERA).id
    assert await _deeds(crm) == [
        ("connection.shared", "crm/main", f'{{"party":"person/{vera}","scope":"read"}}'),
        ("connection.unshared", "crm/main", f'{{"party":"person/{vera}"}}'),
    ]


async def test_a_role_is_everybody_who_holds_it(crm: Desk) -> None:
    assert (
        await crm.said(OLGA, "/share main viewers") == "Shared crm/main with every viewer, for reading. They are told."
    )
    assert "crm/main" in await crm.said(VERA, "/balance")
    assert await crm.said(ANNA, "/balance") == NOBODY_YET
    await until(lambda: _told(crm, VERA))
    assert _told(crm, VERA) == ["Connections changed\nOlga shared crm/main with every viewer, for reading."]
    assert _told(crm, ANNA) == []


async def test_nobody_acts_without_the_owners_word(crm: Desk) -> None:
    async def may(person: int) -> tuple[bool, bool]:
        (one,) = await crm.rooms.connections.everything()
        return one.may_read(crm.person(person)), one.may_act(crm.person(person))

    await crm.said(OLGA, "/share crm/main with Vera")
    assert (await may(VERA), await may(OLGA), await may(ADAM)) == ((True, False), (True, True), (False, False))
    assert await crm.said(OLGA, "/share crm/main with Vera to act") == (
        "Shared crm/main with Vera, for reading, and for acting as far as their role allows. They are told."
    )
    assert await may(VERA) == (True, True)
    await until(lambda: len(_told(crm, VERA)) == 2 and len(_told(crm, ADAM)) == 2)
    assert _told(crm, VERA)[-1] == "Connections changed\nOlga shared crm/main with you, for reading and acting."
    assert _told(crm, ADAM)[-1] == "Connections changed\nOlga shared crm/main with Vera, for reading and acting."
    await crm.said(OLGA, "/share crm/main with Vera to read")  # the later word counts
    assert await may(VERA) == (True, False)


async def test_only_its_owner_lets_in_and_an_admin_may_shut_out(crm: Desk) -> None:
    (one,) = await crm.rooms.connections.everything()
    refused = (
        "That needs the right to share a connection of somebody else, which you do not have. An admin can give it."
    )
    assert await crm.said(ADAM, "/share crm/main with viewers") == refused
    assert (await crm.said(VERA, "/share crm/main with Vera")).startswith("That needs the right to link provider")
    await crm.said(OLGA, "/share crm/main with Vera")
    assert await crm.said(ADAM, "/unshare crm/main from Vera") == (
        "crm/main is shared with Vera no more. It is shared with nobody now."
    )
    assert not (await crm.rooms.connections.everything())[0].may_read(crm.person(VERA))
    await until(lambda: len(_told(crm, OLGA)) == 1)
    assert _told(crm, OLGA) == ["Connections changed\nAdmin 1 took crm/main away from Vera."]
    assert one.shares == frozenset()


@pytest.mark.parametrize(
    ("words", "answer"),
    [
        ("/share", "Name the connection, and a person or a role. For example: /share capital/main with Vera"),
        ("/share crm/main", "Name the connection, and a person or a role. For example: /share capital/main with Vera"),
        ("/share crm/main with Verra", "There is no person or role “Verra” that you can see. Did you mean Vera? "),
        ("/share crm/main with Olga", "Its owner needs no share. For example: /share crm/main with viewers"),
        ("/share crn/main with Vera", "There is no connection “crn/main” that you can see. Did you mean crm/main? "),
        ("/share mian with Vera", "There is no connection “mian” that you can see. Did you mean main? "),
        ("/unshare crm/main from Vera", "It is not shared with Vera. Nothing was changed."),
        ("/unshare crm/main", "Name the connection, and a person or a role. For example: /unshare capital/main from"),
    ],
)
async def test_what_cannot_be_is_said_with_the_next_step(crm: Desk, words: str, answer: str) -> None:
    assert (await crm.said(OLGA, words)).startswith(answer)


async def test_the_same_again_changes_nothing(crm: Desk) -> None:
    await crm.said(OLGA, "/share crm/main with Vera")
    assert (
        await crm.said(OLGA, "/share crm/main with 1003")
        == "It is shared with Vera like that already. Nothing was changed."
    )
    assert len(await _deeds(crm)) == 1


async def test_connections_says_who_may_do_what(crm: Desk) -> None:
    for words in ("with viewers", "with Anna to act", "with auditors to act"):
        await crm.said(OLGA, f"/share crm/main {words}")
    lines = (await crm.said(OLGA, "/connections")).splitlines()
    assert lines[2] == "crm/main · Broctagon CRM · live · yours, shared with auditors to act, viewers, Anna to act"
    assert (await crm.said(ANNA, "/connections")).splitlines()[2].endswith("of Olga, shared with you to act")
    assert (await crm.said(VERA, "/connections")).splitlines()[2].endswith("of Olga, shared with you")
    assert (await crm.said(ADAM, "/connections")).splitlines()[2].endswith("of Olga, not shared with you")
    assert await crm.said(ADAM, "/balance") == NOBODY_YET


async def test_what_was_shared_once_is_gone_with_the_connection(crm: Desk) -> None:
    await crm.said(OLGA, "/share crm/main with Vera to act")
    (first,) = await crm.rooms.connections.everything()
    await crm.rooms.credentials.unlink(crm.person(OLGA), first, crm.rooms.access.roster, telegram_id=OLGA)
    second = await crm.link("crm", share=())
    assert (second.shares, second.may_read(crm.person(VERA))) == (frozenset(), False)
    roster = crm.rooms.access.roster
    with pytest.raises(Exception, match="gone already"):
        await crm.rooms.sharing.share(
            crm.person(OLGA), first, party_named(roster, "vera"), Scope.READ, roster, telegram_id=OLGA
        )


async def test_an_owner_who_is_suspended_takes_their_connections_along(crm: Desk) -> None:
    await crm.said(OLGA, "/share crm/main with Vera")
    assert "crm/main" in await crm.said(VERA, "/balance")
    await crm.rooms.database.write(
        lambda tables: tables.conn.execute(
            "UPDATE persons SET state = 'suspended' WHERE id = ?", (crm.person(OLGA).id,)
        )
    )
    rests = "crm/main rests: its owner is suspended. An admin can end that, or unlink it."
    assert rests in await crm.said(VERA, "/balance")
    assert f"✕ Broctagon CRM crm/main: {rests}" in await crm.said(VERA, "/status")
    assert "rests: its owner is suspended" in await crm.said(VERA, "/connections")
