"""What is known of each login: its environment, its powers, its use, its locks; and that nothing of it stays behind."""

import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from bot.errors import ConnectionLockedError, ReplyError
from bot.operations.linked import Connection
from bot.ports import Deed
from bot.providers.capital.client import Capital
from bot.providers.records import Environment
from bot.secret import Secret
from tests.support.chatting import OLGA, VERA, Chat, Desk, at_work, configured, login_of, providers, texts

PASSPHRASE = Secret("nine quiet harbours")


@pytest.fixture
async def desk(tmp_path: Path, chat: Chat) -> AsyncIterator[Desk]:
    sides = providers("capital", "deriv")
    async with sides as begun, at_work(configured(tmp_path, chat, begun), chat, begun) as found:
        yield found


async def _used_at(desk: Desk) -> list[int | None]:
    rows = await desk.rooms.database.read(
        lambda tables: tables.conn.execute("SELECT used_at FROM connections ORDER BY provider").fetchall()
    )
    return [used_at for (used_at,) in rows]


async def _lock(desk: Desk, one: Connection) -> None:
    locks = desk.rooms.vault.locks
    chosen = await locks.choose(one.owner, PASSPHRASE)
    deed = Deed("passphrase.set", one.name, one.owner)
    await locks.protect(one.subject, PASSPHRASE, chosen, lambda tables: desk.rooms.audit.record(tables, deed))
    desk.rooms.vault.forget(one.owner)


# the environment


@pytest.mark.parametrize(
    ("asked", "has", "sentence"),
    [
        (
            "demo",
            "live",
            (
                "Capital.com (capital/main): this login is for real money, and a demo account was asked for. "
                "Next: /connect capital live, or give one for a demo account."
            ),
        ),
        (
            "live",
            "demo",
            (
                "Capital.com (capital/main): this login is for a demo account, and real money was asked for. "
                "Next: /connect capital demo, or give one for real money."
            ),
        ),
    ],
)
async def test_a_login_of_the_other_environment_is_refused_before_it_is_kept(
    desk: Desk, asked: str, has: str, sentence: str
) -> None:
    await desk.chat.http.post(f"{desk.sides['capital'].control}/options", json={"environments": has})
    await desk.says(OLGA, f"/connect capital {asked} main")
    await desk.says(OLGA, "only me")
    last: list[dict[str, Any]] = []
    for text in login_of("capital", desk.sides["capital"].credentials).values():
        last = await desk.says(OLGA, text)
    assert last[0]["text"] == f"{sentence}\nNothing was kept."
    assert await desk.rooms.connections.everything() == []
    assert await desk.rooms.database.read(lambda tables: tables["sealed"].count) == 0


async def test_a_demo_token_declared_live_is_refused(desk: Desk) -> None:
    tokens = (await desk.chat.http.get(f"{desk.sides['deriv'].control}/tokens")).json()["tokens"]
    demo = next(one["token"] for one in tokens if one["loginid"].startswith("VR"))
    await desk.says(OLGA, "/connect deriv live main")
    await desk.says(OLGA, "only me")
    await desk.says(OLGA, "1089")
    told, *_ = texts(await desk.says(OLGA, demo))
    assert told.startswith(
        "Deriv (deriv/main): this login is for a demo account, and real money was asked for. Next: /connect deriv"
    )
    assert await desk.rooms.connections.everything() == []


# what is told and kept


async def test_what_a_login_can_do_is_told_when_it_is_linked_and_shown_later(desk: Desk) -> None:
    await desk.says(OLGA, "/connect deriv live main")
    await desk.says(OLGA, "only me")
    await desk.says(OLGA, desk.sides["deriv"].credentials["app_id"])
    assert (await desk.said(OLGA, desk.sides["deriv"].credentials["token"])).splitlines()[0] == (
        "Linked Deriv deriv/main: 1 account, USD. It can also trade, pay out and manage the account; "
        "a token with the scope Read alone is enough for balances. "
        "This token sees only CR900001; 2 other accounts are not read."
    )
    shown = (await desk.said(OLGA, "/connections")).splitlines()
    assert shown[2] == "deriv/main · Deriv · live · yours"
    assert re.fullmatch(
        r"    reads accounts, balances, markets, positions, statement · linked \d{4}-\d\d-\d\d \d\d:\d\d UTC", shown[3]
    )
    assert shown[4] == "    key since today · last used never · can read, trade, pay out and manage the account"
    await desk.said(OLGA, "/balance")
    desk.clock.ahead_by(3 * 86400 + 7200)
    assert (
        (await desk.said(OLGA, "/connections")).splitlines()[4].startswith("    key since 3 d · last used 3 d 2 h ago")
    )


async def test_who_may_only_read_it_sees_nothing_of_its_key(desk: Desk) -> None:
    await desk.link("deriv")
    shown = await desk.said(VERA, "/connections")
    assert "of Olga, shared with you" in shown
    assert "key since" not in shown


async def test_a_use_costs_no_commit_and_is_kept_by_the_clock_and_at_the_end(tmp_path: Path, chat: Chat) -> None:
    async with providers("capital", "deriv") as sides:
        config = configured(tmp_path, chat, sides)
        async with at_work(config, chat, sides) as desk:
            for name in ("capital", "deriv"):
                await desk.link(name, environment=Environment.DEMO if name == "capital" else Environment.LIVE)
            await desk.said(OLGA, "/status")
            assert [one.used_at for one in await desk.rooms.connections.everything()] == [None, None]
            await desk.said(OLGA, "/balance capital")
            assert await _used_at(desk) == [None, None]
            used = [one.used_at for one in await desk.rooms.connections.everything()]
            assert [one is None for one in used] == [False, True]
            await desk.rooms.connections.write_uses()
            assert [one is None for one in await _used_at(desk)] == [False, True]
            await desk.said(OLGA, "/balance deriv")
        async with at_work(config, chat, sides) as desk:
            assert None not in await _used_at(desk)


async def test_a_look_keeps_what_has_changed(desk: Desk) -> None:
    one = await desk.link("capital", environment=Environment.DEMO)
    assert one.found == "2 accounts, USD and EUR"
    await desk.rooms.database.write(
        lambda tables: tables.conn.execute("UPDATE connections SET found = 'other', powers = 'read'")
    )
    (known,) = await desk.rooms.connections.everything()
    await desk.rooms.connections.look(known)
    (known,) = await desk.rooms.connections.everything()
    assert (known.found, {*known.powers}) == ("2 accounts, USD and EUR", {"read", "trade"})
    tested = known.tested_at
    desk.clock.ahead_by(3600)
    await desk.rooms.connections.look(known)
    assert [each.tested_at for each in await desk.rooms.connections.everything()] == [tested]
    desk.clock.ahead_by(86400)
    await desk.rooms.connections.look(known)
    assert [each.tested_at == tested for each in await desk.rooms.connections.everything()] == [False]


async def test_an_adapters_slip_is_an_answer_that_cannot_be_trusted(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = await desk.link("capital", environment=Environment.DEMO)

    async def slip(_: Capital) -> Any:
        return {}["balance 12,345.67"]

    monkeypatch.setattr(Capital, "balances", slip)
    with pytest.raises(ReplyError) as told:
        async with desk.rooms.connections.session(one) as provider:
            await provider.balances()
    assert told.value.detail == "KeyError"
    assert desk.rooms.connections.health[one.id].trouble is told.value


# locked


async def test_one_that_is_locked_says_so_everywhere_and_asks_nobody(desk: Desk) -> None:
    one = await desk.link("deriv")
    await desk.link("capital", environment=Environment.DEMO)
    await desk.rooms.connections.end_session(one)
    await _lock(desk, one)
    locked = "deriv/main is locked: it waits for its owner's passphrase (/unlock, in a private chat)."
    assert f"deriv/main\n{locked}" in await desk.said(OLGA, "/balance")
    assert "○ Deriv deriv/main: LOCKED until its owner gives the passphrase (/unlock)" in await desk.said(
        OLGA, "/status"
    )
    assert "deriv/main · Deriv · live · yours, shared with" in await desk.said(OLGA, "/connections")
    assert "· LOCKED\n" in await desk.said(OLGA, "/connections")
    assert one.id not in desk.rooms.connections.health
    assert await desk.said(OLGA, "/replace deriv/main") == locked
    with pytest.raises(ConnectionLockedError):
        await desk.rooms.connections.look(one)


# erased


@pytest.mark.parametrize("how", ["unlinked", "replaced"])
async def test_nothing_of_an_erased_credential_stays_in_any_file(desk: Desk, how: str) -> None:
    one = await desk.link("deriv")
    folder, credentials, olga = desk.rooms.config.data_dir, desk.rooms.credentials, desk.person(OLGA)
    rows = await desk.rooms.database.read(
        lambda tables: tables.conn.execute(
            "SELECT record FROM sealed WHERE subject = ?", (one.subject.name,)
        ).fetchall()
    )
    records = [bytes(record)[22:54] for (record,) in rows]

    def found() -> list[str]:
        return [path.name for path in folder.iterdir() if path.is_file() and _any(path.read_bytes(), records)]

    assert len(records) == 2
    assert found() != []
    if how == "unlinked":
        await credentials.unlink(olga, one, desk.rooms.access.roster, telegram_id=OLGA)
    else:
        fields = {key: Secret(text) for key, text in login_of("deriv", desk.sides["deriv"].credentials).items()}
        await credentials.replace(olga, one, fields, desk.rooms.access.roster, telegram_id=OLGA)
    assert found() == []


def _any(content: bytes, records: list[bytes]) -> bool:
    return any(record in content for record in records)
