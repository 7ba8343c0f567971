"""The master key is lost: what it sealed is gone, everything else stays, and nobody moves money alone afterwards."""

import json
import signal
import sqlite3
import stat
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from bot.audit.anchors import text_of
from bot.commands.backup import backups_of
from bot.errors import StartRefusedError, WrongKeyError
from bot.operations.freezing import freezes_in
from bot.ports import Deed
from bot.vault.keys import MasterKey
from bot.vault.rotation import Rotation
from bot.wiring import DATABASE, House, holding
from tests.support.desk import ADMIN, loaded, opened, write_desk, write_secret
from tests.test_backups import STATES_AFTER, _ask_for_things
from tests.vault.conftest import connection, fields
from tests.vault.test_commands import Said, countersign
from tests.vault.test_exchange import name_key

MAIN = connection(1, label="main")
OWNER = 2002
NAME = "Harbour Desk"


@pytest.fixture
async def config(tmp_path: Path) -> Path:
    """A desk with one login, a second factor and everything else under way; its key is lost, and a new one named."""
    path = write_desk(tmp_path, members=[(OWNER, "Olga", ["operator"])])
    path.write_text(path.read_text().replace("[desk]", f'[desk]\nname = "{NAME}"'))
    write_secret(tmp_path / "new.key", MasterKey.new().to_text())
    async with opened(path) as rooms:
        await _fill(rooms)
    name_key(path, "new.key")
    return path


async def _fill(rooms: House) -> None:
    await rooms.vault.keep(MAIN, fields(token="canary-token"))
    await rooms.vault.keep(connection(9, person_id=2, label="other"), fields(token="canary-other"))
    await _ask_for_things(rooms)
    olga = rooms.access.roster.person(OWNER)
    assert olga is not None
    waiting, told = rooms.sealer.seal(b"canary-update", 7), rooms.sealer.seal(b"canary-event", -1)
    linked = "INSERT INTO connections (id, owner, provider, label, environment, created_at, tested_at)"
    event = "INSERT INTO crm_events (id, event, request_id, status, body, first_at, last_at)"
    outbox = "INSERT INTO outbox (lane, chat_id, body, state, not_before, created_at)"

    def change(tables: Any) -> None:
        for statement, values in (
            (f"{linked} VALUES (1, ?, 'capital', 'main', 'live', 0, 0)", (olga.id,)),
            ("INSERT INTO shares VALUES (1, 'role/viewer', 'read')", ()),
            ("INSERT INTO inbox (update_id, chat_id, body, received_at) VALUES (7, 1, ?, 0)", (waiting,)),
            (f"{event} VALUES (1, 'e', 'w', 'pending', ?, 0, 0)", (told,)),
            ("INSERT INTO factors (person_id, active_since, last_step) VALUES (1, 1, 5)", ()),
            ("INSERT INTO factor_failures VALUES (1, 5)", ()),
            ("INSERT INTO drafts VALUES (1, 'connect', '{}', 0)", ()),
            (f'{outbox} VALUES (0, 55, \'{{"title": "Sign?", "lines": [], "card": 1}}\', \'waiting\', 0, 1)', ()),
            (f'{outbox} VALUES (0, 56, \'{{"title": "Done", "lines": []}}\', \'waiting\', 0, 1)', ()),
        ):
            tables.conn.execute(statement, values)
        rooms.audit.record(tables, Deed("test.filled", "desk"))

    await rooms.database.write(change)


def data(config: Path) -> Path:
    return config.parent / "data"


def state_of(config: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in data(config).iterdir() if path.name != "lock"}


def asked(config: Path, sql: str) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(data(config) / DATABASE)) as reader:
        return reader.execute(sql).fetchall()


def copies(config: Path) -> list[Path]:
    return sorted(data(config).glob(f"{DATABASE}.before-recovery-*"))


def recover(config: Path, *more: str) -> Said:
    return countersign("recover", "--forget-credentials", "--config", config, *(more or ("--yes",)))


def answered(config: Path, answer: str) -> Said:
    """The same by somebody who is asked for the desk's name."""
    command = [sys.executable, "-m", "bot", "recover", "--forget-credentials", "--config", str(config)]
    done = subprocess.run(command, input=f"{answer}\n", capture_output=True, text=True, timeout=60)
    return Said(done.returncode, done.stdout, done.stderr)


# what becomes of the desk


async def test_the_desk_opens_with_the_new_key_and_everything_the_lost_one_sealed_is_gone(config: Path) -> None:
    kept = {
        table: asked(config, f"SELECT * FROM {table} ORDER BY 1, 2")  # noqa: S608  # names of this list
        for table in ("persons", "telegram_ids", "roles", "connections", "shares", "votes")
    }
    said = recover(config)
    assert (said.code, said.err) == (0, "")
    for table, rows in kept.items():
        assert asked(config, f"SELECT * FROM {table} ORDER BY 1, 2") == rows, table  # noqa: S608
    for table in ("sealed", "data_keys", "audit_keys", "factors", "factor_failures", "crm_events", "drafts"):
        assert asked(config, f"SELECT count(*) FROM {table}") == [(0,)], table  # noqa: S608
    assert asked(config, "SELECT count(*) FROM inbox WHERE body IS NOT NULL OR done_at IS NULL") == [(0,)]
    assert asked(config, "SELECT chat_id, state FROM outbox WHERE chat_id < 100 ORDER BY 1") == [
        (55, "dead"),
        (56, "waiting"),
    ]
    async with opened(config) as rooms:
        assert not rooms.pulse.after_crash
        assert await rooms.vault.open(MAIN) == {}
        await rooms.vault.keep(MAIN, fields(token="canary-new"))
        assert (await backups_of(rooms).make(config.parent / "b")).size > 0
    async with opened(config) as rooms:
        assert (await rooms.vault.open(MAIN))["token"].reveal() == "canary-new"
    assert countersign("check", "--config", config).code == 0
    assert countersign("key", "check", "--config", config).out.startswith("The master key fits.\n")


async def test_nothing_of_the_sealed_records_stays_in_the_file_or_its_journal(config: Path) -> None:
    records = [record for (record,) in asked(config, "SELECT record FROM sealed")]
    bodies = [body for (body,) in asked(config, "SELECT body FROM inbox UNION SELECT body FROM crm_events")]
    assert len(records + bodies) == 4
    recover(config)
    (copy,) = copies(config)
    for sealed in records + bodies:
        assert sealed in copy.read_bytes()
        assert not any(sealed in content for name, content in state_of(config).items() if name != copy.name)


def test_requests_end_as_after_a_restore(config: Path) -> None:
    said = recover(config)
    states = {number.removeprefix("r-"): state for number, state in asked(config, "SELECT id, state FROM requests")}
    assert states == STATES_AFTER
    assert "Ended, to be asked for anew: r-approved, r-pending, r-held." in said.out.splitlines()
    assert "Outcome unknown, look at the provider: r-acked, r-sending." in said.out.splitlines()
    assert asked(config, "SELECT outcome FROM requests WHERE id = 'r-sending'") == [
        ("the desk was recovered without its old master key while it was being sent",)
    ]


async def test_the_desk_is_frozen_by_nobody_whatever_it_was_before(config: Path) -> None:
    with closing(sqlite3.connect(data(config) / DATABASE, isolation_level=None)) as hand:
        hand.execute("INSERT INTO freezes VALUES ('desk', 5, 1, 'Monday')")
        hand.execute("INSERT INTO freezes VALUES ('deriv', 6, 1, 'odd')")
    recover(config)
    async with opened(config) as rooms:
        freezes = await rooms.database.read(freezes_in)
    assert [(one.scope, one.person_id, one.reason) for one in freezes] == [
        ("desk", None, "recovered without the old key"),
        ("deriv", 1, "odd"),
    ]


async def test_buttons_from_before_are_dead_even_with_the_epoch_before(config: Path) -> None:
    (before,) = asked(config, "SELECT value FROM meta WHERE key = 'epoch'")
    recover(config)
    (after,) = asked(config, "SELECT value FROM meta WHERE key = 'epoch'")
    assert int(after[0]) > int(before[0])
    assert asked(config, "SELECT DISTINCT epoch FROM audit ORDER BY 1") == [(1,), (int(after[0]),)]


def test_admins_are_told_and_owners_what_to_link_anew(config: Path) -> None:
    recover(config)
    told = asked(config, "SELECT chat_id, body FROM outbox WHERE chat_id > 100 ORDER BY id")
    said = [(chat_id, json.loads(body)) for chat_id, body in told]
    assert [(chat_id, body["title"]) for chat_id, body in said] == [
        (ADMIN, "The desk goes on without its old master key"),
        (OWNER, "Your logins must be given anew"),
    ]
    assert "The desk is frozen: no money leaves until others have signed for the thaw" in said[0][1]["lines"][2]
    assert said[1][1]["lines"][0] == ("The desk's master key was lost, and with it the logins of capital/main.")


async def test_the_database_as_it_was_is_kept_for_its_owner_only_and_the_old_key_opens_it(config: Path) -> None:
    said = recover(config)
    (copy,) = copies(config)
    assert f"The database as it was is kept as {copy}." in said.out.splitlines()
    assert stat.S_IMODE(copy.stat().st_mode) == 0o600
    copy.replace(data(config) / DATABASE)
    name_key(config, "master.key")
    async with opened(config) as rooms:
        assert (await rooms.vault.open(MAIN))["token"].reveal() == "canary-token"
        assert await rooms.database.read(rooms.audit.first_bad) is None


async def test_the_lost_key_no_longer_opens_the_desk(config: Path) -> None:
    recover(config)
    name_key(config, "master.key")
    with pytest.raises(StartRefusedError, match="was exchanged for another one"):
        async with opened(config):
            pass


async def test_what_an_unfinished_rotation_or_an_earlier_key_left_is_gone_with_it(config: Path) -> None:
    name_key(config, "master.key")
    write_secret(config.parent / "third.key", MasterKey.new().to_text())
    assert countersign("key", "rotate", "--config", config, "--to", config.parent / "third.key").code == 0
    with closing(sqlite3.connect(data(config) / DATABASE, isolation_level=None)) as hand:
        hand.execute("INSERT INTO meta VALUES ('rotating_data_keys', 'yes')")
    name_key(config, "new.key")
    assert recover(config).code == 0
    left = asked(config, "SELECT key FROM meta WHERE key LIKE 'rotating_%' OR key LIKE 'earlier_%'")
    assert left == []
    assert asked(config, "SELECT id FROM key_generations") == [(3,)]
    async with opened(config) as rooms:
        await rooms.vault.keep(MAIN, fields(token="canary-new"))

        async def hush(_: str) -> None:
            """Nobody listens."""

        assert (await Rotation(rooms.database, rooms.vault.safe, rooms.audit).renew_wrapping(hush)).done == 1


# the audit log


async def test_the_log_is_whole_and_says_which_rows_have_a_code_of_the_lost_key(config: Path) -> None:
    ((before,),) = asked(config, "SELECT max(seq) FROM audit")
    recover(config)
    said = countersign("audit", "verify", "--config", config)
    assert said.code == 0
    assert said.out.splitlines()[1] == (
        f"Rows 1 to {before} were written under a master key that was lost: this key cannot make their codes again. "
        f"Row {before + 1}, which says so, has its code and is chained to them."
    )
    assert said.out.splitlines()[-1] == "The audit log is whole."
    assert asked(config, f"SELECT action, object FROM audit WHERE seq > {before} ORDER BY seq LIMIT 1") == [  # noqa: S608
        ("desk.recovered", "desk")
    ]
    ((details,),) = asked(config, f"SELECT details FROM audit WHERE seq = {before + 1}")  # noqa: S608
    assert json.loads(details).keys() == {"via", "from_key", "to_key", "credentials", "factors"}
    async with opened(config) as rooms:
        assert await rooms.database.read(rooms.audit.first_bad) is None


async def test_an_anchor_from_before_still_proves_what_it_did(config: Path) -> None:
    name_key(config, "master.key")
    async with opened(config) as rooms:
        head = await rooms.database.read(rooms.audit.head)
        assert head is not None
    name_key(config, "new.key")
    recover(config)
    anchor = text_of(head)
    assert countersign("audit", "verify", "--config", config, "--anchor", anchor).code == 0
    number, _, rest = anchor.partition(":")
    other = f"{number}:{'0' * 64}:{rest.rpartition(':')[2]}"
    assert countersign("audit", "verify", "--config", config, "--anchor", other).code == 1


@pytest.mark.parametrize("row", ["a row from before", "the row that vouches", "a row from after"])
def test_a_row_that_somebody_changes_afterwards_is_found(config: Path, row: str) -> None:
    ((before,),) = asked(config, "SELECT max(seq) FROM audit")
    recover(config)
    seq = {"a row from before": 2, "the row that vouches": before + 1, "a row from after": before + 2}[row]
    with closing(sqlite3.connect(data(config) / DATABASE, isolation_level=None)) as hand:
        hand.execute("DROP TRIGGER audit_is_final")
        hand.execute("UPDATE audit SET object = 'another' WHERE seq = ?", (seq,))
    said = countersign("audit", "verify", "--config", config)
    assert said.code == 1
    first = 1 if seq == before + 1 else seq  # what no longer vouches leaves every row before it unproven
    assert f"The first bad row is {first}: " in said.out


async def test_a_row_that_only_says_so_vouches_for_nothing(config: Path) -> None:
    """Who can write the file, but has no key, adds a recovery: it lacks the code, and so do the rows before it."""
    name_key(config, "master.key")
    with closing(sqlite3.connect(data(config) / DATABASE, isolation_level=None)) as hand:
        hand.execute("DROP TRIGGER audit_is_final")
        hand.execute("UPDATE audit SET mac = zeroblob(32) WHERE seq = 2")
        hand.execute("UPDATE audit SET action = 'desk.recovered' WHERE seq = 3")
    async with opened(config) as rooms:
        found = await rooms.database.read(rooms.audit.verdict)
        assert ([flaw.seq for flaw in found.flaws], found.vouched) == ([2, 3], 0)


async def test_two_keys_lost_one_after_the_other_leave_one_whole_log(config: Path) -> None:
    recover(config)
    async with opened(config):
        pass
    ((before,),) = asked(config, "SELECT max(seq) FROM audit")
    write_secret(config.parent / "third.key", MasterKey.new().to_text())
    name_key(config, "third.key")
    assert recover(config).code == 0
    async with opened(config) as rooms:
        found = await rooms.database.read(rooms.audit.verdict)
    assert (found.flaws, found.vouched) == ((), before)


def test_a_log_that_was_not_whole_before_does_not_stand_in_the_way_and_stays_so(config: Path) -> None:
    with closing(sqlite3.connect(data(config) / DATABASE, isolation_level=None)) as hand:
        hand.execute("DROP TRIGGER audit_is_final")
        hand.execute("UPDATE audit SET object = 'another' WHERE seq = 2")
    said = recover(config)
    assert said.code == 0
    assert "The audit log was not whole before: see `countersign audit verify" in said.out
    assert countersign("audit", "verify", "--config", config).code == 1


# asking, and refusing


def test_it_says_what_will_be_lost_and_wants_the_desk_s_name(config: Path) -> None:
    before = state_of(config)
    said = answered(config, "yes")
    assert (said.code, said.err) == (1, "Error: That is not the desk's name. Nothing was changed.\n")
    assert said.out.splitlines()[1:7] == [
        "Erased for good:",
        "  credentials: capital/main, capital/other",
        "  second factors: 1",
        "  forms half filled in: 1",
        "  messages received and not answered yet: 1",
        "  events of the CRM: 1",
    ]
    assert state_of(config) == before
    assert answered(config, NAME).code == 0
    assert asked(config, "SELECT count(*) FROM sealed") == [(0,)]


def test_a_key_that_fits_loses_nothing(config: Path) -> None:
    name_key(config, "master.key")
    before = state_of(config)
    said = recover(config)
    assert said.code == 78
    assert said.err.endswith(" fits this database: nothing is lost. Nothing was changed.\n")
    assert recover(config).out == ""
    assert state_of(config) == before


def test_without_a_database_or_the_word_or_while_the_bot_runs_nothing_happens(config: Path, tmp_path: Path) -> None:
    empty = write_desk(tmp_path / "empty")
    said = recover(empty)
    assert (said.code, said.err) == (78, f"There is no database in {tmp_path}/empty/data. Nothing was changed.\n")
    assert not (tmp_path / "empty" / "data" / DATABASE).exists()
    before = state_of(config)
    assert countersign("recover", "--config", config, "--yes").code == 2
    with holding(loaded(config)):
        said = recover(config)
    assert said.code == 75
    assert "is in use by process" in said.err
    assert state_of(config) == before


# killed


KILLED = """
import os, signal
from bot.operations import recovering

def die(*_, **__):
    os.kill(os.getpid(), signal.SIGKILL)

recovering.{place} = die
from bot.__main__ import main
main()
"""


def killed_at(config: Path, place: str) -> int:
    command = [sys.executable, "-c", KILLED.format(place=place), "recover", "--forget-credentials", "--yes"]
    return subprocess.run([*command, "--config", str(config)], capture_output=True, timeout=60).returncode


@pytest.mark.parametrize("place", ["keep_copy", "take_over", "_tell"])
async def test_killed_in_the_middle_nothing_has_happened_and_it_can_be_asked_again(config: Path, place: str) -> None:
    before = asked(config, "SELECT * FROM sealed"), asked(config, "SELECT * FROM audit")
    assert killed_at(config, place) == -signal.SIGKILL
    assert (asked(config, "SELECT * FROM sealed"), asked(config, "SELECT * FROM audit")) == before
    with pytest.raises(WrongKeyError):
        async with opened(config):
            pass
    name_key(config, "master.key")
    async with opened(config) as rooms:
        assert (await rooms.vault.open(MAIN))["token"].reveal() == "canary-token"
    name_key(config, "new.key")
    assert recover(config).code == 0
    async with opened(config) as rooms:
        assert [one.scope for one in await rooms.database.read(freezes_in)] == ["desk"]


def test_a_disk_that_refuses_changes_nothing(config: Path) -> None:
    with closing(sqlite3.connect(data(config) / DATABASE, isolation_level=None)) as hand:
        hand.execute("CREATE TRIGGER full BEFORE INSERT ON freezes BEGIN SELECT RAISE(ABORT, 'no'); END")
    before = (
        asked(config, "SELECT * FROM sealed"),
        asked(config, "SELECT * FROM audit"),
        asked(config, "SELECT * FROM meta"),
    )
    assert recover(config).code != 0
    assert (
        asked(config, "SELECT * FROM sealed"),
        asked(config, "SELECT * FROM audit"),
        asked(config, "SELECT * FROM meta"),
    ) == before
