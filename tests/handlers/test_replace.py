"""A connection gets another credential: tried first, then the old one is erased; everything else stays."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bot.access.model import Role
from bot.errors import ConnectionLockedError, NotAllowedError
from bot.operations.linked import Share
from bot.operations.linking import Linking
from bot.operations.linking_steps import Asking
from bot.ports import Deed
from bot.secret import Secret
from tests.support.chatting import (
    ADAM,
    OLGA,
    VERA,
    Chat,
    Desk,
    at_work_with,
    buttons,
    login_of,
    texts,
    until,
)

BEGUN = (
    "A new login for Deriv deriv/main. It is tried first; only then is the old one erased. /cancel keeps the old one."
)


@pytest.fixture
async def deriv(tmp_path: Path, chat: Chat) -> AsyncIterator[Desk]:
    """Olga's connection with a token that can do everything."""
    async with at_work_with(tmp_path, chat, "deriv") as desk:
        await desk.link("deriv", share=(Role.VIEWER,))
        yield desk


async def _records(desk: Desk) -> list[tuple[str, int]]:
    rows = await desk.rooms.database.read(
        lambda tables: tables.conn.execute("SELECT field, version FROM sealed ORDER BY field").fetchall()
    )
    return list(rows)


def _read_only(desk: Desk) -> dict[str, Secret]:
    return {"app_id": Secret("1089"), "token": Secret(desk.sides["deriv"].credentials["token_read"])}


async def test_a_weaker_token_takes_the_place_of_a_strong_one(deriv: Desk) -> None:
    (before,) = await deriv.rooms.connections.everything()
    deriv.clock.ahead_by(86400)
    begun, question = await deriv.says(OLGA, "/replace deriv")
    assert begun["text"] == BEGUN
    kept = f"Keep {login_of('deriv', deriv.sides['deriv'].credentials)['app_id']}"
    assert next(iter(buttons(question))) == kept  # it is no secret
    _, question = await deriv.taps(OLGA, question, kept)
    assert question["text"].startswith("Deriv: please send the API token.")
    assert (await deriv.said(OLGA, deriv.sides["deriv"].credentials["token_read"])).splitlines()[0] == (
        "Gave a new login to Deriv deriv/main: 1 account, USD. It can only read. "
        "This token sees only CR900001; 2 other accounts are not read."
    )
    (after,) = await deriv.rooms.connections.everything()
    assert (after.id, after.created_at, after.shares) == (before.id, before.created_at, {Share(Role.VIEWER)})
    assert (before.changed_at, after.secret_since > before.secret_since) == (None, True)
    assert ({*before.powers}, {*after.powers}) == ({"read", "trade", "pay out", "manage the account"}, {"read"})
    assert await _records(deriv) == [("app_id", 2), ("token", 2)]
    assert "deriv/main" in await deriv.said(VERA, "/balance")
    await until(lambda: len(deriv.chat.from_bot(ADAM)) == 2)
    assert texts(deriv.chat.from_bot(ADAM))[-1] == "Connections changed\nOlga gave deriv/main a new credential."
    (deed,) = await deriv.rooms.database.read(
        lambda tables: tables.conn.execute(
            "SELECT object, person_id FROM audit WHERE action = 'connection.replaced'"
        ).fetchall()
    )
    assert deed == ("deriv/main", deriv.person(OLGA).id)


async def test_the_session_of_the_old_credential_ends(deriv: Desk) -> None:
    (one,) = await deriv.rooms.connections.everything()
    async with deriv.rooms.connections.session(one) as old:
        await old.accounts()
    await deriv.rooms.credentials.replace(
        deriv.person(OLGA), one, _read_only(deriv), deriv.rooms.access.roster, telegram_id=OLGA
    )
    async with deriv.rooms.connections.session(one) as new:
        assert new is not old
        assert (await new.check()).powers == {"read"}


async def test_a_wrong_one_keeps_the_old_one(deriv: Desk) -> None:
    before = await _records(deriv)
    await deriv.says(OLGA, "/replace deriv/main")
    await deriv.says(OLGA, "1089")
    told, _ = texts(await deriv.says(OLGA, "canarytoken1234"))
    assert told.startswith("Deriv (deriv/main) does not accept this login (InvalidToken).")
    assert told.endswith("Nothing was kept.")
    assert await deriv.said(OLGA, "/cancel") == "Stopped; nothing was kept."
    assert await _records(deriv) == before
    assert "deriv/main" in await deriv.said(OLGA, "/balance")


async def test_only_its_owner_replaces_it(deriv: Desk) -> None:
    assert await deriv.said(ADAM, "/replace deriv/main") == (
        "That needs the right to replace the credential of a connection of somebody else, which you do not have. "
        "An admin can give it."
    )
    assert await deriv.said(OLGA, "/replace") == "Name the connection. For example: /replace capital/main"
    (one,) = await deriv.rooms.connections.everything()
    with pytest.raises(NotAllowedError, match="replace the credential of a connection of somebody else"):
        await deriv.rooms.credentials.replace(
            deriv.person(ADAM), one, _read_only(deriv), deriv.rooms.access.roster, telegram_id=ADAM
        )
    assert await _records(deriv) == [("app_id", 1), ("token", 1)]


async def test_on_the_page_it_is_replaced_as_well_and_no_second_one_is_made(deriv: Desk) -> None:
    rooms, olga = deriv.rooms, deriv.person(OLGA)
    (one,) = await rooms.connections.everything()
    linking = Linking(
        rooms.database, rooms.cards, rooms.vault, rooms.connections, rooms.credentials, rooms.wariness, has_page=True
    )
    assert (await linking.begin_replacing(olga, one)).asking is Asking.WAY
    outline = await linking.outline(olga)
    assert outline is not None
    linked = await linking.hand_over(olga, outline.id, _read_only(deriv), rooms.access.roster, telegram_id=OLGA)
    assert (linked.replaced, linked.connection.id, {*linked.found.powers}) == (True, one.id, {"read"})
    assert len(await rooms.connections.everything()) == 1


async def test_what_is_under_a_passphrase_stays_under_it(deriv: Desk) -> None:
    (one,) = await deriv.rooms.connections.everything()
    locks, passphrase = deriv.rooms.vault.locks, Secret("nine quiet harbours")
    deed = Deed("passphrase.set", one.name, one.owner)
    chosen = await locks.choose(one.owner, passphrase)
    await locks.protect(one.subject, passphrase, chosen, lambda tables: deriv.rooms.audit.record(tables, deed))
    await deriv.rooms.credentials.replace(
        deriv.person(OLGA), one, _read_only(deriv), deriv.rooms.access.roster, telegram_id=OLGA
    )
    deriv.rooms.vault.forget(one.owner)
    with pytest.raises(ConnectionLockedError):
        await deriv.rooms.vault.open(one.subject)
    with pytest.raises(ConnectionLockedError):
        await deriv.rooms.credentials.replace(
            deriv.person(OLGA), one, _read_only(deriv), deriv.rooms.access.roster, telegram_id=OLGA
        )


async def test_linking_under_a_name_one_has_already_points_to_it(deriv: Desk) -> None:
    assert await deriv.said(OLGA, "/connect deriv live main") == (
        "You have a connection deriv/main already; choose another word, or /replace deriv/main to give it a new login. "
        "For example: /connect deriv live main-2"
    )
    assert await deriv.said(ADAM, "/connect deriv live main") == (
        "There is a connection deriv/main already; choose another word. For example: /connect deriv live main-2"
    )


async def test_one_that_was_unlinked_meanwhile_is_not_brought_back(deriv: Desk) -> None:
    await deriv.says(OLGA, "/replace deriv/main")
    await deriv.says(OLGA, "1089")
    (one,) = await deriv.rooms.connections.everything()
    await deriv.rooms.credentials.unlink(deriv.person(ADAM), one, deriv.rooms.access.roster, telegram_id=ADAM)
    assert (await deriv.said(OLGA, deriv.sides["deriv"].credentials["token_read"])).startswith("It is gone already.")
    assert await _records(deriv) == []


async def test_one_that_does_not_open_any_more_is_mended_by_a_new_login(deriv: Desk) -> None:
    await deriv.rooms.database.write(lambda tables: tables.conn.execute("UPDATE sealed SET record = zeroblob(90)"))
    assert "does not open" in await deriv.said(OLGA, "/balance")
    await deriv.says(OLGA, "/replace deriv/main")
    await deriv.says(OLGA, "1089")
    await deriv.says(OLGA, deriv.sides["deriv"].credentials["token_read"])
    assert "does not open" not in await deriv.said(OLGA, "/balance")
