"""The house, opened and closed: one program at a time, the right key only, and no secret in anything it keeps."""

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from bot.access.differing import people_differing
from bot.access.model import Role
from bot.config import Config
from bot.errors import KeyTextError, StartRefusedError, StoreDamagedError, WrongKeyError
from bot.secret import Secret
from bot.vault.keys import MasterKey
from bot.vault.service import Subject
from bot.wiring import DATABASE, holding, house, mark_clean_stop
from tests.support.clock import HandClock
from tests.support.desk import ADMIN, GROUP, TOKEN, loaded, opened, write_desk, write_secret


@pytest.fixture
def config(tmp_path: Path) -> Config:
    return loaded(write_desk(tmp_path, members=[(2002, "Olga", ["operator"])]))


async def test_a_new_house_has_its_people_and_opens_again_as_it_was(tmp_path: Path, clock: HandClock) -> None:
    path = write_desk(tmp_path, members=[(2002, "Olga", ["operator"])])
    async with opened(path, clock) as rooms:
        fingerprint, roster = rooms.keys.fingerprint, rooms.access.roster
        assert set(roster.by_telegram_id) == {ADMIN, 2002}
        assert roster.groups == {GROUP}
    async with opened(path, clock) as rooms:
        assert rooms.keys.fingerprint == fingerprint
        assert rooms.access.roster == roster
        assert await rooms.database.read(rooms.audit.first_bad) is None
    data = tmp_path / "data"
    assert stat.S_IMODE(data.stat().st_mode) == 0o700
    assert stat.S_IMODE((data / DATABASE).stat().st_mode) == 0o600
    assert sorted(os.listdir(data)) == [DATABASE, "lock"]


async def test_it_knows_whether_the_run_before_ended_cleanly(tmp_path: Path, clock: HandClock) -> None:
    path = write_desk(tmp_path)
    seen = []
    for ends_cleanly in (True, True, False, False, True, True):
        async with opened(path, clock) as rooms:
            seen.append(rooms.pulse.after_crash)
            if ends_cleanly:
                await mark_clean_stop(rooms)
    assert seen == [False, False, False, True, True, False]


async def test_people_who_lost_every_role_are_told_of_and_those_the_configuration_leaves_out_are_not(
    tmp_path: Path, clock: HandClock
) -> None:
    olga, vera = (2002, "Olga", ["operator"]), (2003, "Vera", ["viewer"])
    async with opened(write_desk(tmp_path, members=[olga, vera]), clock) as rooms:
        await rooms.database.write(lambda tables: tables.conn.execute("DELETE FROM roles WHERE role = 'operator'"))
    config = loaded(write_desk(tmp_path, members=[olga]))
    (told,) = people_differing(config.data_dir / DATABASE, config.people)
    assert told == (
        "2002 is operator in the configuration and no role at the desk; the configuration seeds an empty desk only, "
        "so what the desk has counts (/invite adds people and roles)"
    )


async def test_button_codes_last_over_a_restart_and_die_with_the_epoch(tmp_path: Path, clock: HandClock) -> None:
    path = write_desk(tmp_path)
    async with opened(path, clock) as rooms:
        before = rooms.signer.sign(b"message")
        assert rooms.signer.sign(b"other") != before
    async with opened(path, clock) as rooms:
        assert rooms.signer.sign(b"message") == before
        await rooms.database.write(
            lambda tables: tables.conn.execute("UPDATE meta SET value = '2' WHERE key = 'epoch'")
        )
    async with opened(path, clock) as rooms:
        assert rooms.signer.sign(b"message") != before


def test_a_second_program_is_told_who_holds_the_desk(config: Config) -> None:
    script = (
        "import sys; from pathlib import Path; from types import SimpleNamespace; from bot.wiring import holding\n"
        "with holding(SimpleNamespace(data_dir=Path(sys.argv[1]))): print('held', flush=True); sys.stdin.read()"
    )
    root = Path(__file__).parent.parent
    with subprocess.Popen(
        [sys.executable, "-c", script, os.fspath(config.data_dir)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=root,
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(StartRefusedError) as caught, holding(config):
            pass
        assert caught.value.exit_code == 75
        assert f"process {holder.pid}" in caught.value.reason
        holder.kill()
    with holding(config):  # whoever was killed holds nothing
        pass


async def test_a_wrong_damaged_or_missing_start_changes_nothing(config: Config, tmp_path: Path) -> None:
    with holding(config):
        async with house(config) as rooms:
            await rooms.vault.keep(_subject(), {"password": Secret("canary-password")})
        file = config.data_dir / DATABASE
        before, listing = file.read_bytes(), sorted(os.listdir(config.data_dir))
        keyfile = config.key.file
        assert keyfile is not None
        key = keyfile.read_text()

        keyfile.write_text(MasterKey.new().to_text())
        with pytest.raises(WrongKeyError):
            await _open(config)
        keyfile.write_text(f"{key[:20]}{'a' if key[20] != 'a' else 'b'}{key[21:]}")
        with pytest.raises(KeyTextError):
            await _open(config)
        assert (file.read_bytes(), sorted(os.listdir(config.data_dir))) == (before, listing)

        keyfile.write_text(key)
        for damage in (b"", before[: len(before) // 2], b"garbage" * 1000):
            file.write_bytes(damage)
            with pytest.raises(StoreDamagedError):
                await _open(config)
            assert (file.read_bytes(), sorted(os.listdir(config.data_dir))) == (damage, listing)
        file.write_bytes(before)
        async with house(config) as rooms:
            assert (await rooms.vault.open(_subject()))["password"].reveal() == "canary-password"


async def test_nothing_the_house_keeps_or_shows_holds_a_secret(tmp_path: Path, clock: HandClock) -> None:
    path = write_desk(tmp_path)
    key_text = (tmp_path / "master.key").read_text().strip()
    async with opened(path, clock) as rooms:
        admin = rooms.access.roster.admins[0]
        await rooms.vault.keep(_subject(), {"password": Secret("canary-password"), "api_key": Secret("canary-api-key")})
        await rooms.vault.keep(_subject(), {"password": Secret("canary-password-two")})
        code = (await rooms.access.invite(admin, Role.VIEWER)).reveal()
        every_room = [getattr(rooms, name) for name in dir(rooms) if not name.startswith("_")]
        shown = f"{rooms!r} {rooms.config!r} {every_room!r}"
        live = _everything(tmp_path / "data")
    disk = live + _everything(tmp_path / "data")
    for secret in (TOKEN, key_text, code, "canary-password", "canary-api-key"):
        assert secret not in shown
        assert secret.encode() not in disk
    assert b"capital" in disk


def test_a_desks_files_are_for_its_owner_only(tmp_path: Path) -> None:
    write_desk(tmp_path)
    write_secret(tmp_path / "other", "x")
    for name in ("telegram.token", "master.key", "other"):
        assert stat.S_IMODE((tmp_path / name).stat().st_mode) == 0o600


def _subject() -> Subject:
    return Subject("connection/1", 1, "capital", "main", "demo")


async def _open(config: Config) -> None:
    async with house(config):
        raise AssertionError("it opened")


def _everything(folder: Path) -> bytes:
    return b"".join((folder / name).read_bytes() for name in sorted(os.listdir(folder)))
