"""/audit: who did what, read in the chat and taken away as a file."""

import csv
import io
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from bot.audit.model import Row
from bot.ports import Deed
from bot.store import Tables
from handlers.render.audit import sentence
from tests.support.chatting import ADAM, OLGA, STRANGER, VERA, Chat, Desk, Message, at_work, buttons, configured, texts
from tests.support.desk import GROUP

AUDREY = 1010
AUDITOR = '[[people.members]]\nid = 1010\nname = "Audrey"\nroles = ["auditor"]\n'


@pytest.fixture
async def desk(tmp_path: Path, chat: Chat) -> AsyncIterator[Desk]:
    """The desk with an auditor."""
    await chat.play("people", people=[{"id": AUDREY, "first_name": "Audrey"}])
    config = configured(tmp_path, chat)
    config.write_text(config.read_text().replace("[key]", f"{AUDITOR}[key]"))
    async with at_work(config, chat) as found:
        yield found


async def done(desk: Desk, *deeds: Deed) -> None:
    def change(tables: Tables) -> None:
        for deed in deeds:
            desk.rooms.audit.record(tables, deed)

    await desk.rooms.database.write(change)


async def asked(desk: Desk, text: str) -> Message:
    (answer,) = await desk.says(AUDREY, text)
    return answer


def lines(message: Message) -> list[str]:
    return [line for line in str(message["text"]).splitlines() if line]


def file_in(desk: Desk, message: Message) -> tuple[str, str]:
    stored = desk.chat.simulator.world.files[message["document"]["file_id"]]
    return stored.name, stored.content.decode()


async def test_it_reads_like_sentences_newest_first(desk: Desk) -> None:
    olga, vera = desk.person(OLGA), desk.person(VERA)
    await done(
        desk,
        Deed("connection.unlinked", "capital/main", olga.id, OLGA, {"environment": "live"}),
        Deed("person.joined", f"person/{vera.id}", vera.id, VERA, {"role": "viewer"}),
        Deed("request.asked", "request/abcdefghij", olga.id, OLGA, {"kind": "role", "hash": "3f" * 32}),
        Deed("request.expired", "request/abcdefghij", details={"kind": "role"}),
        Deed("connection.linked", "crm/main", details={"via": "terminal", "for_person": vera.id}),
    )
    now = desk.clock.now().strftime("%H:%M")
    title, day, *rows = lines(await asked(desk, "/audit"))
    assert title == "Audit log"
    assert day.endswith(" UTC")
    assert [row.removeprefix(f"{now} ") for row in rows[:5]] == [
        "at the host's terminal, for Vera: linked crm/main",
        "request abcdefghij: expired · kind role",
        "Olga asked for request abcdefghij · earmuff-wink-sound, kind role",
        "Vera joined · role viewer",
        "Olga unlinked capital/main · environment live",
    ]
    assert rows[-1].startswith("Rows 1–")


async def test_a_row_without_a_requests_hash_has_no_words(desk: Desk) -> None:
    await done(
        desk,
        Deed("request.asked", "request/abcdefghij", details={"kind": "role", "hash": "3f"}),
        Deed("file.sent", "evidence", details={"hash": "3f" * 32}),
    )
    rows = lines(await asked(desk, "/audit"))[2:4]
    assert [row[6:] for row in rows] == ["evidence: sent", "request abcdefghij: asked · kind role"]


async def test_it_narrows_to_a_person_a_request_and_a_day(desk: Desk) -> None:
    olga = desk.person(OLGA)
    await done(desk, Deed("a.done", "x", olga.id, OLGA), Deed("b.done", "request/abc"))
    assert lines(await asked(desk, "/audit olga today"))[0].startswith("Audit log · Olga · 20")
    assert "b" not in [line[6:7] for line in lines(await asked(desk, "/audit olga"))]
    of_request = lines(await asked(desk, "/audit request abc"))
    assert of_request[0] == "Audit log · request abc"
    assert of_request[2][6:] == "request abc: done"
    assert lines(await asked(desk, "/audit 2020-01-01")) == [
        "Audit log · 2020-01-01",
        "Nothing was recorded that fits.",
    ]


async def test_a_requests_id_alone_is_understood_unless_it_is_a_name(desk: Desk) -> None:
    olga = desk.person(OLGA)
    await done(desk, Deed("request.asked", "request/cr7azchwwg", olga.id, OLGA), Deed("b.done", "request/olga"))
    for text in ("/audit cr7azchwwg", "/audit CR7azchwwg"):
        title, _, row, *_ = lines(await asked(desk, text))
        assert title == "Audit log · request cr7azchwwg"
        assert row[6:] == "Olga asked for request cr7azchwwg"
    assert lines(await asked(desk, "/audit cr7azchwwg today"))[0].startswith("Audit log · request cr7azchwwg · 20")
    assert lines(await asked(desk, "/audit olga"))[0] == "Audit log · Olga"


async def test_quiet_hours_are_times_of_day(desk: Desk) -> None:
    about: dict[str, str | int] = {"zone": "UTC", "from": 1320, "until": 425, "hourly": 5}
    olga = desk.person(OLGA)
    await done(desk, Deed("quiet.changed", f"person/{olga.id}", olga.id, OLGA, about))
    row = lines(await asked(desk, "/audit"))[2]
    assert row[6:] == "Olga: quiet changed · from 22:00, hourly 5, until 07:05, zone UTC"


@pytest.mark.parametrize(
    ("text", "answer"),
    [("/audit nobody", "nobody"), ("/audit 2026-99-99", "/audit 2026-11-21"), ("/audit request", "/audit request")],
)
async def test_what_cannot_be_found_is_answered_in_a_sentence(desk: Desk, text: str, answer: str) -> None:
    message = await asked(desk, text)
    assert answer in message["text"]
    assert buttons(message) == {}


async def test_a_long_log_is_turned_in_place(desk: Desk) -> None:
    await done(desk, *(Deed("x.done", f"thing/{number}") for number in range(1, 31)))
    message = await asked(desk, "/audit today")
    assert list(buttons(message)) == ["Older ›", "CSV file", "JSON Lines file"]
    assert "thing/30: done" in message["text"]
    assert "thing/15: done" not in message["text"]

    assert await desk.taps(AUDREY, message, "Older ›") == []
    second = desk.now(message)
    assert "thing/15: done" in second["text"]
    assert "thing/16: done" not in second["text"]
    assert list(buttons(second)) == ["‹ Newer", "Older ›", "CSV file", "JSON Lines file"]
    await desk.taps(AUDREY, second, "‹ Newer")
    assert desk.now(message)["text"] == message["text"]


@pytest.mark.parametrize(("button", "kind"), [("CSV file", "csv"), ("JSON Lines file", "jsonl")])
async def test_the_selection_is_taken_away_as_a_file_and_that_is_recorded(desk: Desk, button: str, kind: str) -> None:
    await done(desk, *(Deed("x.done", "request/abc", details={"n": n}) for n in range(20)), Deed("x.done", "other"))
    message = await asked(desk, "/audit request abc")
    (sent,) = await desk.taps(AUDREY, message, button)
    name, text = file_in(desk, sent)
    assert name.startswith("audit-20")
    assert name.endswith(f".{kind}")
    assert sent["caption"] == "20 rows of the audit log"
    rows = list(csv.DictReader(io.StringIO(text))) if kind == "csv" else list(map(json.loads, text.splitlines()))
    assert [row["object"] for row in rows] == ["request/abc"] * 20

    newest = lines(await asked(desk, "/audit audrey"))[2]
    assert newest[6:].startswith(f"Audrey took a file of the audit log · format {kind}, object request/abc, rows 20")


async def test_one_tap_is_one_file(desk: Desk) -> None:
    message = await asked(desk, "/audit")
    data = buttons(message)["CSV file"]
    assert len(await desk.taps_data(AUDREY, message, data)) == 1
    assert await desk.taps_data(AUDREY, message, data) == []
    assert len(await desk.taps(AUDREY, desk.now(message), "CSV file")) == 1


async def test_the_list_is_not_passed_on_and_a_file_may_be_kept(desk: Desk) -> None:
    message = await asked(desk, "/audit")
    (file,) = await desk.taps(AUDREY, message, "CSV file")
    assert message["has_protected_content"] is True
    assert "has_protected_content" not in file


async def test_asked_in_the_group_it_goes_to_the_private_chat(desk: Desk) -> None:
    assert await desk.said(AUDREY, "/audit", GROUP) == "Sent to you privately."
    assert [text for text in texts(desk.chat.from_bot(AUDREY)) if text.startswith("Audit log")] != []
    assert not any(text.startswith("Audit log") for text in texts(desk.chat.from_bot(GROUP)))


@pytest.mark.parametrize("person", [ADAM, OLGA, VERA])
async def test_it_is_for_auditors(desk: Desk, person: int) -> None:
    assert "read the audit log" in await desk.said(person, "/audit")


async def test_whoever_is_no_auditor_any_more_turns_no_page_and_takes_no_file(desk: Desk) -> None:
    message = await asked(desk, "/audit")
    await desk.rooms.database.write(lambda tables: tables.conn.execute("DELETE FROM roles WHERE role = 'auditor'"))
    await desk.rooms.access.refresh()
    (said,) = await desk.taps(AUDREY, message, "CSV file")
    assert "read the audit log" in said["text"]
    assert "document" not in said


async def test_nobody_elses_tap_counts(desk: Desk) -> None:
    message = await asked(desk, "/audit")
    for person in (ADAM, STRANGER):
        before = len(desk.chat.from_bot(person))
        await desk.chat.play(
            "tap",
            **{
                "from": person,
                "chat": AUDREY,
                "message_id": message["message_id"],
                "data": buttons(message)["CSV file"],
            },
        )
        await desk.settled()
        assert len(desk.chat.from_bot(person)) == before
    assert not any("document" in each for each in desk.chat.from_bot(AUDREY))


async def test_names_and_details_from_outside_stay_text(desk: Desk) -> None:
    await done(desk, Deed("x.done", "a <b>&amp; /start @x", details={"note": "<i>\u202etxt"}))
    text = (await asked(desk, "/audit"))["text"]
    assert "a <b>&amp; /\u2060start @\u2060x: done" in text
    assert "note <i>⟨U+202E⟩txt" in text


@pytest.mark.parametrize(
    ("action", "object_", "by", "details", "said"),
    [
        ("connection.unlinked", "capital/main", 3, {}, "Olga unlinked capital/main"),
        ("person.suspended", "person/4", 3, {}, "Olga suspended Vera"),
        ("person.joined", "person/4", 4, {}, "Vera joined"),
        ("person.seeded", "person/4", None, {}, "Vera: seeded"),
        ("role.granted", "person/4", 3, {}, "Olga gave a role to Vera"),
        ("role.taken", "person/4", None, {}, "Vera: role taken"),
        ("person.invited", "role/viewer", 3, {}, "Olga invited somebody with the role viewer"),
        ("factor.locked", "person/3", 3, {}, "Olga: factor locked"),
        ("factor.reset", "person/4", None, {}, "Vera: factor reset"),
        ("passphrase.set", "capital/main", 3, {}, "Olga: passphrase set (capital/main)"),
        ("connections.locked", "person/3", 3, {}, "Olga: connections locked"),
        ("request.approved", "request/abc", 9, {}, "person 9 approved request abc"),
        ("request.withdrawn", "request/abc", 3, {}, "Olga withdrew request abc"),
        ("request.withdrawn", "request/abc", None, {}, "request abc: withdrawn"),
        ("request.remarked", "request/abc", 3, {}, "Olga wrote a note on request abc"),
        ("request.file_attached", "request/abc", 3, {}, "Olga attached a file to request abc"),
        ("request.repeatable", "request/abc", 3, {}, "Olga may ask again for request abc"),
        ("request.number_missed", "request/abc", 3, {}, "Olga picked a wrong number for request abc"),
        ("request.expired", "request/abc", None, {}, "request abc: expired"),
        ("key.rotation_begun", "key", None, {}, "the key: rotation begun"),
        ("backup.made", "backup/x", None, {"via": "terminal"}, "at the host's terminal: backup made (backup/x)"),
        (
            "connection.linked",
            "crm/main",
            None,
            {"via": "terminal", "for_person": 4},
            "at the host's terminal, for Vera: linked crm/main",
        ),
    ],
)
def test_each_deed_is_a_sentence(
    action: str, object_: str, by: int | None, details: dict[str, str | int], said: str
) -> None:
    moment = datetime(2026, 11, 21, tzinfo=UTC)
    row = Row(1, moment, 1, by, None, action, object_, details, b"", b"", b"")
    assert sentence(row, {3: "Olga", 4: "Vera"}) == said
