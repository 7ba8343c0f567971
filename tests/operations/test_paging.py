"""What must be heard although Telegram cannot say it, by every other way there is."""

import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from email import message_from_string
from pathlib import Path

import pytest

from bot.errors import ConfigError
from bot.operations.freezing import DESK
from bot.wiring import House
from tests.support.clock import HandClock
from tests.support.desk import loaded, opened, write_desk, write_secret
from tests.support.postbox import postbox

CANARY = "canaryPasswordThatMustNotBeSeen"


def by_mail(port: int) -> str:
    return (
        f'[second_channel.email]\nhost = "127.0.0.1"\nport = {port}\nsecurity = "none"\nuser = "desk"\n'
        'password_file = "smtp.password"\nsender = "bot@desk.example"\nto = ["a@desk.example", "b@desk.example"]'
    )


def written(folder: Path, more: str, port: int = 0) -> Path:
    write_secret_here(folder, "smtp.password", CANARY)
    write_secret_here(folder, "second.webhook", f"http://127.0.0.1:{port}/hook?key={CANARY}")
    return write_desk(folder, more=more)


def write_secret_here(folder: Path, name: str, text: str) -> None:
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    write_secret(folder / name, text)


@asynccontextmanager
async def paging(folder: Path, clock: HandClock, more: str, port: int = 0) -> AsyncIterator[House]:
    async with opened(written(folder, more, port), clock) as rooms:
        await rooms.paging.look()
        yield rooms


async def frozen(rooms: House, reason: str = "the log was changed") -> None:
    await rooms.database.write(lambda tables: rooms.freezing.alarm(tables, DESK, reason))


async def test_a_freeze_is_told_by_mail_and_only_once(tmp_path: Path, clock: HandClock) -> None:
    async with postbox("smtp") as box, paging(tmp_path, clock, by_mail(box.port)) as rooms:
        await frozen(rooms)
        await rooms.paging.look()
        await rooms.paging.look()
        (mail,) = box.mails
        assert box.logins == [("desk", CANARY)]
    found = message_from_string(mail)
    assert (found["Subject"], found["From"], found["To"]) == (
        "Desk: Frozen: the desk",
        "bot@desk.example",
        "a@desk.example, b@desk.example",
    )
    assert "At 2026-03-02 09:00 UTC. This program raised the alarm: the log was changed." in mail
    assert CANARY not in mail


async def test_what_a_person_says_of_a_freeze_stays_in_the_chat(tmp_path: Path, clock: HandClock) -> None:
    async with postbox("smtp") as box, paging(tmp_path, clock, by_mail(box.port)) as rooms:
        (adam,) = rooms.access.roster.admins
        await rooms.freezing.freeze(adam, DESK, f"somebody posted {CANARY}", telegram_id=1001)
        await rooms.paging.look()
        (mail,) = box.mails
        assert f"{adam.name} froze it" in " ".join(mail.split())
        assert CANARY not in mail


async def test_telegram_silent_for_five_minutes_is_told_and_that_it_is_back(tmp_path: Path, clock: HandClock) -> None:
    more = '[second_channel]\nwebhook_file = "second.webhook"'
    async with postbox("http") as box, paging(tmp_path, clock, more, box.port) as rooms:
        rooms.pulse.unanswered(clock.now())
        await clock.move(299)
        rooms.pulse.unanswered(clock.now())
        await rooms.paging.look()
        assert box.posts == []
        await clock.move(1)
        await rooms.paging.look()
        await rooms.paging.look()
        assert [post["subject"] for post in box.posts] == ["Desk: Telegram cannot be reached"]
        rooms.pulse.answered()
        await rooms.paging.look()
        await rooms.paging.look()
    assert [post["subject"] for post in box.posts][1:] == ["Desk: Telegram answers again"]
    assert "silent since 2026-03-02 09:00 UTC" in box.posts[1]["text"]


async def test_a_program_gets_the_subject_and_the_text(tmp_path: Path, clock: HandClock) -> None:
    script = "import sys,pathlib;pathlib.Path('heard').write_text(sys.argv[1] + '|' + sys.stdin.read())"
    more = f'[second_channel]\ncommand = ["{sys.executable}", "-c", "{script}"]'
    async with paging(tmp_path, clock, more) as rooms:
        rooms.pulse.database = "not ok"
        await rooms.paging.look()
    assert (tmp_path / "heard").read_text().startswith("Desk: The database is damaged|SQLite's own check")


@pytest.mark.parametrize("kind", ["smtp", "http"])
async def test_what_is_not_taken_is_tried_again_after_a_restart_too(
    tmp_path: Path, clock: HandClock, kind: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with postbox(kind) as box:
        more = by_mail(box.port) if kind == "smtp" else '[second_channel]\nwebhook_file = "second.webhook"'
        async with paging(tmp_path, clock, more, box.port) as rooms:
            box.refusing = True
            await frozen(rooms)
            await rooms.paging.look()
            assert (box.mails, box.posts) == ([], [])
        box.refusing = False
        async with opened(tmp_path / "config.toml", clock) as rooms:
            await rooms.paging.look()
            assert (box.mails, box.posts) == ([], []), "not at once"
            await clock.move(31)
            await rooms.paging.look()
        assert len(box.mails) + len(box.posts) == 1
    assert CANARY not in caplog.text


async def test_one_way_that_fails_does_not_hold_up_another(tmp_path: Path, clock: HandClock) -> None:
    async with postbox("smtp") as box:
        more = '[second_channel]\nwebhook_file = "second.webhook"\n' + by_mail(box.port)
        async with paging(tmp_path, clock, more, 9) as rooms:
            await frozen(rooms)
            await rooms.paging.look()
            left = await rooms.database.read(
                lambda tables: tables.conn.execute("SELECT way, ended_at IS NULL FROM pages ORDER BY way").fetchall()
            )
        assert len(box.mails) == 1
    assert left == [("e-mail", 0), ("webhook", 1)]


async def test_a_desk_without_a_second_channel_writes_nothing_down(tmp_path: Path, clock: HandClock) -> None:
    async with paging(tmp_path, clock, "") as rooms:
        await frozen(rooms)
        await rooms.paging.look()
        count = await rooms.database.read(lambda tables: tables.conn.execute("SELECT count(*) FROM pages").fetchone())
    assert count == (0,)


@pytest.mark.parametrize(
    ("more", "path", "found"),
    [
        ("[second_channel]", "second_channel", "no way at all"),
        ('[second_channel]\ncommand = ["/no/such"]', "second_channel.command", "'/no/such'"),
        (
            '[second_channel]\ncommand = ["sh"]\nunreachable_minutes = 0',
            "second_channel.unreachable_minutes",
            "0",
        ),
        (by_mail(25).replace("127.0.0.1", "mail.example"), "second_channel.email.security", '"none"'),
        (by_mail(25).replace("bot@desk.example", "bot"), "second_channel.email.sender", "'bot'"),
        (by_mail(25).replace('user = "desk"\n', ""), "second_channel.email", "only one of `user` and `password_file`"),
        (by_mail(0), "second_channel.email.port", "0"),
    ],
)
def test_what_cannot_work_is_a_problem_before_it_is_needed(tmp_path: Path, more: str, path: str, found: str) -> None:
    with pytest.raises(ConfigError) as refused:
        loaded(written(tmp_path, more))
    assert [(one.path, one.found) for one in refused.value.problems] == [(path, found)]


def test_an_address_that_cannot_be_used_is_not_shown(tmp_path: Path) -> None:
    config = written(tmp_path, '[second_channel]\nwebhook_file = "second.webhook"')
    (tmp_path / "second.webhook").write_text(f"http://hooks.example/{CANARY}")
    with pytest.raises(ConfigError) as refused:
        loaded(config)
    assert CANARY not in str(refused.value)
    assert refused.value.problems[0].path == "second_channel.webhook_file"
