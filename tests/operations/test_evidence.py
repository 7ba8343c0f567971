"""A pack about one request, examined by the script that lies in it: in an empty folder, with nothing else."""

import ast
import hashlib
import html
import io
import json
import subprocess
import sys
import zipfile
from collections.abc import AsyncIterator, Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from bot.access.model import Role
from bot.approvals.model import Decision, Request, State
from bot.audit import anchors
from bot.audit.export import Format
from bot.audit.model import Selection
from bot.operations.evidence.service import Evidence
from bot.operations.people import Doer
from tests.support.chatting import ADAM, ANNA, OLGA, VERA, Chat, login_of, telegram, texts, until
from tests.support.treasury import ONE_APPROVER, Treasury, treasury
from tests.test_canaries import found

PDF = b"%PDF-1.7\nan invoice\n"
NAMES = {
    "README.txt",
    "request.html",
    "request.json",
    "audit.jsonl",
    "anchor.txt",
    "verify.py",
    "policy.toml",
    "files/1-invoice.pdf",
    "SHA256SUMS",
}
HOLDS = "Everything that can be examined here holds."
Pack = dict[str, bytes]


@pytest.fixture
async def chat() -> AsyncIterator[Chat]:
    async with telegram() as opened:
        yield opened


@pytest.fixture
async def house(tmp_path: Path, chat: Chat) -> AsyncIterator[Treasury]:
    async with treasury(tmp_path / "desk", chat) as opened:
        yield opened


async def decided(house: Treasury) -> Request:
    """A transfer that was discussed, signed by a tap, and sent."""
    request = await house.asked("10.00", note="Invoice 4711 </script><b>")
    olga = house.person(OLGA)
    await house.rooms.enclosing.note(olga, request.id, "as spoken <i>with</i> Acme", telegram_id=OLGA)
    await house.rooms.enclosing.attach(olga, request.id, "invoice.pdf", PDF, telegram_id=OLGA)
    mine = f"Request {request.id} ·"
    await until(lambda: [one for one in house.desk.chat.from_bot(ANNA) if mine in one.get("text", "")])
    (prompt,) = [one for one in house.desk.chat.from_bot(ANNA) if mine in one.get("text", "")]
    await house.desk.taps(ANNA, prompt, "Approve")
    return await house.comes_to(request, State.SUCCEEDED)


async def taken(house: Treasury, person: int, request: Request) -> bytes:
    """The document that the bot sends."""
    (message,) = [one for one in await house.desk.says(person, f"/evidence {request.id}") if "document" in one]
    content = house.desk.chat.simulator.world.files[message["document"]["file_id"]].content
    assert message["document"]["file_name"] == f"evidence-{request.id}.zip"
    assert hashlib.sha256(content).hexdigest() in message["caption"]
    return content


def unpacked(content: bytes) -> Pack:
    with zipfile.ZipFile(io.BytesIO(content)) as packed:
        return {name: packed.read(name) for name in packed.namelist()}


def examined(folder: Path, members: Mapping[str, bytes], *more: str) -> tuple[int, str]:
    """What verify.py says of these files; `-I` keeps everything of ours from it."""
    for name, content in members.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    command = [sys.executable, "-I", "verify.py", *more]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=60, env={}, check=False)
    return done.returncode, done.stdout + done.stderr


def summed(members: Mapping[str, bytes]) -> Pack:
    """The same with sums that fit: by somebody who knows what he does."""
    rest = {name: content for name, content in members.items() if name != "SHA256SUMS"}
    sums = "".join(f"{hashlib.sha256(content).hexdigest()}  {name}\n" for name, content in rest.items())
    return {**rest, "SHA256SUMS": sums.encode()}


def rewritten(members: Pack, change: Callable[[Any], None]) -> Pack:
    """With another request.json, and sums that fit."""
    told = json.loads(members["request.json"])
    change(told)
    return summed({**members, "request.json": json.dumps(told).encode()})


async def test_the_pack_holds_and_says_what_it_cannot_show(house: Treasury, tmp_path: Path) -> None:
    members = unpacked(await taken(house, OLGA, await decided(house)))
    assert set(members) == NAMES
    code, said = examined(tmp_path / "pack", members)
    assert (code, said.splitlines()[-1]) == (0, HOLDS), said
    assert "holds: asker, votes, state, files, notes and attempts are those of the audit log" in said
    assert "cannot be shown by this: that the provider told the truth" in said


async def test_the_providers_answer_is_in_it_and_the_readme_says_how_much_of_it(house: Treasury) -> None:
    members = unpacked(await taken(house, OLGA, await decided(house)))
    words = " ".join(members["README.txt"].decode().split())
    assert "What the provider answered to the sending, and to the look that settled it, is here word for word" in words
    answers = json.loads(members["request.json"])["answers"]
    assert {"sent"} <= {one["to"] for one in answers}
    page = html.unescape(members["request.html"].decode())
    assert "What the provider answered" in page
    assert all(one["text"].split()[0] in page for one in answers)
    (sending,) = json.loads(members["request.json"])["sendings"]
    ours = {"attempt", "connection_id", "reference", "nonce", "wire_sha256", "wire_bytes", "prepared_at", "begun_at"}
    assert set(sending) - ours == {"outcome", "receipt", "code", "detail"}


async def test_a_packed_one_can_be_examined_as_it_is(house: Treasury, tmp_path: Path) -> None:
    content = await taken(house, OLGA, await decided(house))
    (tmp_path / "evidence.zip").write_bytes(content)
    code, said = examined(
        tmp_path / "empty", {"verify.py": unpacked(content)["verify.py"]}, str(tmp_path / "evidence.zip")
    )
    assert (code, said.splitlines()[-1]) == (0, HOLDS), said


def test_the_script_is_short_and_needs_nothing_but_the_standard_library_and_no_network() -> None:
    source = (Path(__file__).parents[2] / "bot/operations/evidence/verify.py").read_text(encoding="utf-8")
    assert len(source.splitlines()) <= 150
    imported = {
        name.split(".")[0]
        for node in ast.walk(ast.parse(source))
        for name in (
            [alias.name for alias in node.names]
            if isinstance(node, ast.Import)
            else [node.module or ""]
            if isinstance(node, ast.ImportFrom)
            else []
        )
    }
    assert imported == {"argparse", "hashlib", "json", "pathlib", "sys", "typing", "zipfile"}


async def test_a_byte_flipped_in_any_file_is_named(house: Treasury, tmp_path: Path) -> None:
    members = unpacked(await taken(house, OLGA, await decided(house)))
    for name in sorted(members):
        for place in (0, len(members[name]) // 2, len(members[name]) - 2):
            content = bytearray(members[name])
            content[place] ^= 1
            code, said = examined(tmp_path / f"{name.replace('/', '-')}-{place}", {**members, name: bytes(content)})
            assert code == 1, (name, place, said)
            assert name in said, (name, place, said)


async def test_a_missing_file_and_a_strange_one_are_named(house: Treasury, tmp_path: Path) -> None:
    members = unpacked(await taken(house, OLGA, await decided(house)))
    without = {name: content for name, content in members.items() if name != "files/1-invoice.pdf"}
    code, said = examined(tmp_path / "less", without)
    assert code == 1
    assert "WRONG: files/1-invoice.pdf is not here" in said
    code, said = examined(tmp_path / "more", {**members, "receipt.pdf": PDF})
    assert code == 1
    assert "WRONG: receipt.pdf is not what SHA256SUMS says" in said


async def test_a_row_that_was_dropped_is_a_gap_however_well_the_sums_fit(house: Treasury, tmp_path: Path) -> None:
    members = unpacked(await taken(house, OLGA, await decided(house)))
    lines = members["audit.jsonl"].splitlines(keepends=True)
    first = json.loads(lines[0])["seq"]
    shorter = summed({**members, "audit.jsonl": b"".join(lines[:2] + lines[3:])})
    code, said = examined(tmp_path / "pack", shorter)
    assert code == 1
    assert f"WRONG: audit.jsonl: rows between {first + 1} and {first + 3} are missing" in said


async def test_a_row_that_was_rewritten_is_named_by_its_number(house: Treasury, tmp_path: Path) -> None:
    members = unpacked(await taken(house, OLGA, await decided(house)))
    lines = members["audit.jsonl"].splitlines(keepends=True)
    row = json.loads(lines[0])
    row["fields"][3] += 1
    forged = summed({**members, "audit.jsonl": json.dumps(row).encode() + b"\n" + b"".join(lines[1:])})
    code, said = examined(tmp_path / "pack", forged)
    assert code == 1
    assert f"WRONG: audit.jsonl: row {row['seq']} is not what was hashed" in said


CHANGES: tuple[tuple[Callable[[Any], None], str], ...] = (
    (lambda told: told["request"]["parameters"].update(amount="9999.00"), "the parameters are not those"),
    (lambda told: told["votes"][0].update(hash="0" * 64), "is for something else"),
    (lambda told: told["votes"].clear(), "differ about a vote"),
    (lambda told: told["votes"][0].update(person_id=2), "differ about a vote"),
    (lambda told: told["votes"][0].update(proof="code"), "differ about a vote"),
    (lambda told: told["votes"][0].update(at_ms=told["votes"][0]["at_ms"] - 3_600_000), "differ about a vote"),
    (lambda told: told["request"].update(state="failed"), "says failed, and audit.jsonl succeeded"),
    (lambda told: told["remarks"].clear(), "lacks remarks"),
    (lambda told: told["files"].clear(), "lacks files"),
    (lambda told: told["files"][0].update(sha256="0" * 64), "files/1-invoice.pdf is not the file"),
    (lambda told: told["sendings"].clear(), "differ about the attempts"),
    (lambda told: told["policy"].update(sha256="0" * 64), "policy.toml is not the file"),
)


async def test_another_request_json_does_not_go_with_the_log(house: Treasury, tmp_path: Path) -> None:
    members = unpacked(await taken(house, OLGA, await decided(house)))
    for number, (change, named) in enumerate(CHANGES):
        code, said = examined(tmp_path / f"pack{number}", rewritten(members, change))
        assert code == 1, (number, said)
        assert named in said, (number, said)


async def test_an_anchor_from_elsewhere_ends_the_path_and_is_held_against_it(house: Treasury, tmp_path: Path) -> None:
    request = await decided(house)
    head = await house.rooms.database.read(house.rooms.audit.head)
    assert head is not None
    path = tmp_path / "anchors"
    anchors.append(path, anchors.line_of(head, datetime(2026, 3, 2, tzinfo=UTC)))
    for amount in ("1.00", "2.00", "3.00"):
        later = await house.asked(amount)
        await house.rooms.enclosing.note(house.person(OLGA), later.id, "later", telegram_id=OLGA)
    room = Evidence(house.rooms.database, house.rooms.approvals, house.rooms.audit, house.rooms.clock, path)
    pack = await room.take(house.person(OLGA), request.id, telegram_id=OLGA)
    members = unpacked(pack.content)
    assert json.loads(members["audit.jsonl"].splitlines()[-1])["seq"] == head.seq
    assert (
        f"2026-03-02T00:00:00.000Z {head.seq} {head.hash.hex()} 1 the desk's anchor file"
        in members["anchor.txt"].decode()
    )
    code, said = examined(tmp_path / "pack", members, "--anchor", anchors.text_of(head))
    assert (code, said.splitlines()[-1]) == (0, HOLDS), said
    assert f"holds: row {head.seq} is the one that an anchor remembers (yours)" in said
    code, said = examined(tmp_path / "pack", members, "--anchor", f"{head.seq}:{'0' * 64}:1")
    assert code == 1
    assert f"row {head.seq} of audit.jsonl is not the one that an anchor remembers (yours)" in said


async def test_with_an_export_of_the_log_the_rows_of_others_are_examined_too(house: Treasury, tmp_path: Path) -> None:
    request = await house.asked()
    await house.rooms.access.invite(house.person(ADAM), next(iter(house.person(VERA).roles)))
    await house.approves(request)
    await house.comes_to(request, State.SUCCEEDED)
    members = unpacked(await taken(house, OLGA, request))
    lines = [json.loads(line) for line in members["audit.jsonl"].splitlines()]
    bare = [line["seq"] for line in lines if "fields" not in line]
    assert bare
    assert f"what {len(bare)} rows of other matters say" in examined(tmp_path / "pack", members)[1]
    assert b"person.invited" not in members["audit.jsonl"]
    export = [line async for line in house.rooms.auditing.export_at_host(Selection(), Format.JSONL)]
    log = tmp_path / "log.jsonl"
    log.write_text("\n".join(export), encoding="utf-8")
    code, said = examined(tmp_path / "pack", members, "--log", str(log))
    assert (code, said.splitlines()[-1]) == (0, HOLDS), said
    assert f"holds: {len(lines)} of {len(lines)} rows" in said
    log.write_text("\n".join(export).replace("person.invited", "person.resumed"), encoding="utf-8")
    code, said = examined(tmp_path / "pack", members, "--log", str(log))
    assert code == 1
    assert "is not what was hashed" in said


async def test_no_secret_of_the_desk_is_in_it(house: Treasury, tmp_path: Path) -> None:
    request = await decided(house)
    slip = "my password: canaryPassword-77 for the portal"
    await house.rooms.enclosing.note(house.person(OLGA), request.id, slip, telegram_id=OLGA)
    members = unpacked(await taken(house, OLGA, request))
    assert examined(tmp_path / "pack", members)[0] == 0
    login = login_of("cryptocapital", house.desk.sides["cryptocapital"].credentials)
    secrets = {"key": login["private_key"].encode(), "token": house.desk.chat.token.encode()}
    secrets["a slip"] = b"canaryPassword-77"
    secrets["master"] = (house.rooms.config.data_dir.parent / "master.key").read_bytes().strip()
    ((wire,),) = await house.rows("SELECT wire FROM sendings")
    secrets["what was sent"] = bytes(wire)
    assert found(secrets, members) == []


async def test_the_page_loads_nothing_and_shows_hostile_words_literally(house: Treasury) -> None:
    page = unpacked(await taken(house, OLGA, await decided(house)))["request.html"].decode()
    for lead in ("<script", "src=", "href=", "http:", "https:", "url(", "@import", "<i>", "<b>"):
        assert lead not in page, lead
    assert "Invoice 4711 &lt;/script&gt;&lt;b&gt;" in page
    assert "default-src 'none'" in page
    assert "Transfer 10.00 USD" in page
    assert "<td>Anna</td><td>approve</td>" in page


async def test_it_is_for_those_it_concerns_and_each_one_is_recorded(house: Treasury) -> None:
    request = await decided(house)
    for person in (OLGA, ANNA, ADAM):
        await taken(house, person, request)
    rows = await house.rows("SELECT person_id, details FROM audit WHERE action = 'evidence.taken' ORDER BY seq")
    assert [who for who, _ in rows] == [house.person(one).id for one in (OLGA, ANNA, ADAM)]
    (said,) = texts(await house.desk.says(VERA, f"/evidence {request.id}"))
    assert said.startswith("That needs the right to see the evidence of a request of somebody else")
    assert len(await house.rows("SELECT 1 FROM audit WHERE action = 'evidence.taken'")) == 3


async def test_what_waits_still_can_be_packed_too(house: Treasury, tmp_path: Path) -> None:
    members = unpacked(await taken(house, OLGA, await house.asked()))
    code, said = examined(tmp_path / "pack", members)
    assert (code, said.splitlines()[-1]) == (0, HOLDS), said


async def test_what_is_done_within_the_house_can_be_packed_too(house: Treasury, tmp_path: Path) -> None:
    for person in (ANNA, VERA):
        await house.write("INSERT INTO roles (person_id, role) VALUES (?, 'admin')", house.person(person).id)
    await house.rooms.access.refresh()
    doer = Doer(house.person(ADAM), ADAM)
    request = await house.rooms.people.give(doer, house.person(OLGA).id, Role.APPROVER, "risk")
    assert request is not None
    await house.approves(request, VERA)
    members = unpacked(await taken(house, ADAM, request))
    assert set(members) == NAMES - {"policy.toml", "files/1-invoice.pdf"}
    code, said = examined(tmp_path / "pack", members)
    assert (code, said.splitlines()[-1]) == (0, HOLDS), said


async def test_what_was_called_off_by_who_had_signed_it_can_be_packed_too(house: Treasury, tmp_path: Path) -> None:
    """Their vote stays, and what they did afterwards is no second one."""
    await house.policy(ONE_APPROVER + 'hold = "1h"\n', 2)
    request = await house.asked("10.00")
    await house.approves(request)
    await house.says(ANNA, Decision.DENY, request)
    members = unpacked(await taken(house, OLGA, request))
    assert json.loads(members["request.json"])["request"]["state"] == "denied"
    assert b'"request.called_off"' in members["audit.jsonl"]
    code, said = examined(tmp_path / "pack", members)
    assert (code, said.splitlines()[-1]) == (0, HOLDS), said


async def test_what_was_found_out_afterwards_is_packed_with_what_was_seen(house: Treasury, tmp_path: Path) -> None:
    request = await house.asked()
    await house.control("misbehave", mode="silent", kind="transfer")
    await house.approves(request)
    await house.comes_to(request, State.SUCCEEDED)
    members = unpacked(await taken(house, OLGA, request))
    code, said = examined(tmp_path / "pack", members)
    assert (code, said.splitlines()[-1]) == (0, HOLDS), said
    assert json.loads(members["request.json"])["sightings"]
