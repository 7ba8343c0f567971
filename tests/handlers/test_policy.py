"""/policy: shown in sentences, proposed as a document, compared before anything is asked for, tried on what was."""

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from bot.approvals.model import Decision, State
from bot.approvals.service import Seen
from bot.store import Tables
from bot.store.columns import at
from tests.support.chatting import (
    ADAM,
    ANNA,
    OLGA,
    VERA,
    Chat,
    Desk,
    Message,
    at_work,
    buttons,
    configured,
    texts,
    until,
)
from tests.support.desk import GROUP

BASE = """
[guards.policy]
needs = ["1 of role/admin"]

[[rules]]
name = "transfers"
acts = ["transfer"]
tier = "quorum"
needs = ["1 of role/approver"]
"""
UNLINKED = "\u2060"
"""Keeps a word from becoming a link; nobody sees it."""
STRICTER = BASE.replace('tier = "quorum"\nneeds = ["1 of role/approver"]', 'tier = "refuse"')
LOOSER = BASE.replace('tier = "quorum"\nneeds = ["1 of role/approver"]', 'tier = "free"')


@pytest.fixture
async def desk(tmp_path: Path, chat: Chat) -> AsyncIterator[Desk]:
    """Adam and Vera are admins; a policy is in force."""
    async with at_work(configured(tmp_path, chat), chat) as found:

        def begin(tables: Tables) -> None:
            tables.conn.execute(
                "INSERT INTO roles (person_id, role) SELECT person_id, 'admin' FROM telegram_ids WHERE telegram_id = ?",
                (VERA,),
            )
            now = at(found.rooms.clock.now())
            tables.conn.execute("INSERT INTO policies VALUES (1, ?, ?, NULL, NULL)", (BASE, now))

        await found.rooms.database.write(begin)
        await found.rooms.access.refresh()
        yield found


async def versions(desk: Desk) -> list[tuple[Any, ...]]:
    """Number, request, and whether it was called off."""
    return await desk.rooms.database.read(
        lambda tables: tables.conn.execute(
            "SELECT version, request_id IS NOT NULL, called_off_at IS NOT NULL FROM policies ORDER BY version"
        ).fetchall()
    )


async def in_force(desk: Desk) -> int:
    number: int = await desk.rooms.database.read(lambda tables: desk.rooms.money.policies.in_force(tables)[0])
    return number


async def actions(desk: Desk) -> list[str]:
    rows = await desk.rooms.database.read(
        lambda tables: tables.conn.execute(
            "SELECT action FROM audit WHERE action LIKE 'policy.%' ORDER BY seq"
        ).fetchall()
    )
    return [action for (action,) in rows]


def documents(desk: Desk, person: int) -> dict[str, str]:
    """What files a chat has got, by name."""
    stored = desk.chat.simulator.world.files
    sent = [one["document"]["file_id"] for one in desk.chat.from_bot(person) if "document" in one]
    return {stored[one].name: stored[one].content.decode() for one in sent}


async def sends_file(desk: Desk, person: int, content: bytes, name: str = "policy.toml") -> list[Message]:
    stored = desk.chat.simulator.world.keep_file(name, "text/plain", content)
    file = {"file_id": stored.id, "file_unique_id": stored.unique_id, "file_name": name, "file_size": len(content)}
    return await desk.says(person, "", document=file)


async def proposed(desk: Desk, document: str, by: int = ADAM) -> Message:
    """The comparison, with its buttons."""
    (shown,) = await desk.says(by, f"/policy propose\n{document}")
    return shown


async def asked(desk: Desk, document: str, by: int = ADAM) -> str:
    """The id of the request for it."""
    shown = await proposed(desk, document, by)
    await desk.taps(by, shown, "Ask for it")
    (request,) = [
        one for one in await desk.rooms.approvals.pending() if one.parameters.get("document") == document.strip("\n")
    ]
    return request.id


async def signs(desk: Desk, person: int, request_id: str) -> State:
    request = await desk.rooms.approvals.find(request_id)
    decided = await desk.rooms.approvals.decide(
        desk.person(person), request_id, Decision.APPROVE, Seen(request.hash), telegram_id=person
    )
    return decided.state


# what is shown


async def test_everybody_at_the_desk_reads_it_in_sentences(desk: Desk) -> None:
    said = await desk.said(ANNA, "/policy")
    assert said.startswith("Policy, version 1: in force since ")
    assert "1. “transfers”: transfers: one approver signs." in said
    assert "Anything else: two approvers sign with a code." in said
    assert "A change of this policy: one admin signs." in said


async def test_a_group_is_told_that_it_was_sent_privately(desk: Desk) -> None:
    assert await desk.said(OLGA, "/policy", GROUP) == "Sent to you privately."
    assert "one approver signs" in desk.chat.from_bot(OLGA)[-1]["text"]


async def test_it_says_what_nobody_could_bring_about(desk: Desk) -> None:
    said = await desk.said(ANNA, "/policy")
    assert "Nobody could bring about just now:" in said
    assert "Thawing the desk cannot be met" in said


async def test_what_may_be_done_about_it_is_a_button_for_whoever_may(desk: Desk) -> None:
    (shown,) = await desk.says(ANNA, "/policy")
    assert list(buttons(shown)) == ["Refresh", "Document"]
    (shown,) = await desk.says(ADAM, "/policy")
    assert list(buttons(shown)) == ["Refresh", "Document", "Propose another…", "Try a draft…"]
    (question,) = await desk.taps(ADAM, shown, "Propose another…")
    assert question["text"].startswith("Send the policy as a TOML file")
    (difference,) = await desk.says(ADAM, LOOSER)
    await desk.taps(ADAM, difference, "Ask for it")
    (request,) = await desk.rooms.approvals.pending()
    await signs(desk, VERA, request.id)
    await signs(desk, ANNA, request.id)
    shown = [one for one in await desk.says(ANNA, "/policy") if "Document" in buttons(one)][-1]
    await desk.taps(ANNA, shown, "Call version 2 off")
    assert await versions(desk) == [(1, 0, 0), (2, 1, 1)]
    again = await asked(desk, LOOSER)
    await signs(desk, VERA, again)
    await signs(desk, ANNA, again)
    answers = texts(await desk.taps(ANNA, shown, "Call version 2 off"))
    assert "Version 3 waits for its hour, and not version 2. Nothing was changed." in answers


async def test_its_document_is_a_file(desk: Desk) -> None:
    await desk.says(ANNA, "/policy file")
    assert documents(desk, ANNA) == {"policy-1.toml": BASE}


async def test_a_desk_without_one_says_what_holds_then(tmp_path: Path, chat: Chat) -> None:
    async with at_work(configured(tmp_path, chat), chat) as desk:
        said = await desk.said(ANNA, "/policy")
        assert said.startswith("This desk has no policy. An admin can give it one with /policy propose. Until then:")
        assert "Anything at all: two approvers sign with a code." in said
        assert await desk.said(ANNA, "/policy file") == (
            "This desk has no policy yet, so there is no document. Nothing was changed."
        )


# proposing


async def test_only_admins_propose_and_only_in_private(desk: Desk) -> None:
    assert await desk.said(OLGA, "/policy propose") == (
        "That needs the right to change the policy, which you do not have. An admin can give it."
    )
    await desk.says(ADAM, "/policy propose", GROUP)
    assert desk.chat.from_bot(ADAM)[-1]["text"] == "That works in our private chat only."


async def test_what_is_only_stricter_is_in_force_at_once(desk: Desk) -> None:
    shown = await proposed(desk, STRICTER)
    assert (
        "Stricter:\n• Where “transfers” decided and “transfers” does now: one approver signs → refused."
        in shown["text"]
    )
    assert "it takes nobody else and is in force at once" in shown["text"]
    assert await versions(desk) == [(1, 0, 0)]

    await desk.taps(ADAM, shown, "Put it in force")

    assert await versions(desk) == [(1, 0, 0), (2, 1, 0)]
    assert await in_force(desk) == 2
    assert await actions(desk) == ["policy.adopted"]
    assert buttons(desk.now(shown)) == {}
    for person in (VERA, ANNA):  # another admin, and an approver
        await until(
            lambda person=person: any(
                one.startswith("The policy changes: version 2 is in force\nAdmin 1 proposed it.\nStricter:")
                for one in texts(desk.chat.from_bot(person))
            )
        )
    assert not any("The policy changes" in one for one in texts(desk.chat.from_bot(OLGA)))


async def test_what_loosens_is_signed_by_who_guarded_it_and_waits_a_day(desk: Desk) -> None:
    shown = await proposed(desk, LOOSER)
    assert "Less strict:\n• Where “transfers” decided" in shown["text"]
    assert "It takes: one admin and one approver sign. Then it waits 24 h, and can be called off." in shown["text"]
    await desk.taps(ADAM, shown, "Ask for it")
    (request,) = await desk.rooms.approvals.pending()
    await until(lambda: any("Admin 1 asks for your signature" in one for one in texts(desk.chat.from_bot(VERA))))
    prompt = next(one for one in texts(desk.chat.from_bot(VERA)) if "Admin 1 asks for your signature" in one)
    assert "one approver signs → done at once" in prompt
    assert "It takes effect 24 hours after the last signature, and can be called off until then." in prompt

    assert await signs(desk, VERA, request.id) is State.PENDING
    assert await signs(desk, ANNA, request.id) is State.SUCCEEDED

    assert await in_force(desk) == 1
    assert "Coming: version 2 takes effect on " in await desk.said(OLGA, "/policy")
    desk.clock.ahead_by(24 * 3600 - 60)
    assert await in_force(desk) == 1
    desk.clock.ahead_by(61)
    assert await in_force(desk) == 2
    assert (await desk.said(OLGA, "/policy")).startswith("Policy, version 2: in force since ")


async def test_a_longer_delay_of_the_policy_in_force_counts(desk: Desk) -> None:
    await desk.taps(ADAM, await proposed(desk, f'loosening_delay = "3d"\n{BASE}'), "Put it in force")
    request = await asked(desk, f'loosening_delay = "3d"\n{LOOSER}')
    await signs(desk, VERA, request)
    await signs(desk, ANNA, request)
    desk.clock.ahead_by(3 * 86400 - 60)
    assert await in_force(desk) == 2
    desk.clock.ahead_by(120)
    assert await in_force(desk) == 3


async def test_while_it_waits_whoever_may_freeze_calls_it_off(desk: Desk) -> None:
    request = await asked(desk, LOOSER)
    await signs(desk, VERA, request)
    await signs(desk, ANNA, request)
    assert (await desk.said(ADAM, f"/policy propose\n{STRICTER}")).startswith("Version 2 waits for its hour (")

    assert await desk.said(OLGA, "/policy cancel") == ("Version 2 was called off. The policy in force stays as it is.")

    assert await desk.said(OLGA, "/policy cancel") == "No policy waits for its hour. Nothing was changed."

    desk.clock.ahead_by(2 * 86400)
    assert await in_force(desk) == 1
    assert await versions(desk) == [(1, 0, 0), (2, 1, 1)]
    assert await actions(desk) == ["policy.adopted", "policy.called_off"]
    off = "A change of the policy was called off\nOlga called off version 2. The policy in force stays as it is."
    await until(lambda: off in texts(desk.chat.from_bot(ANNA)))


async def test_one_that_the_policy_has_overtaken_fails(desk: Desk) -> None:
    request = await asked(desk, LOOSER)
    await desk.taps(ADAM, await proposed(desk, STRICTER), "Put it in force")
    await signs(desk, VERA, request)
    assert await signs(desk, ANNA, request) is State.FAILED
    assert await versions(desk) == [(1, 0, 0), (2, 1, 0)]


async def test_the_same_is_not_asked_for_twice(desk: Desk) -> None:
    shown = await proposed(desk, LOOSER)
    request = await asked(desk, LOOSER)
    (said,) = await desk.taps(ADAM, shown, "Ask for it")
    assert said["text"] == f"That is asked for already: request {request}. Nothing was changed."


async def test_leaving_it_asks_for_nothing(desk: Desk) -> None:
    shown = await proposed(desk, STRICTER)
    (said,) = await desk.taps(ADAM, shown, "Leave it")
    assert said["text"] == "Left as it is. Nothing was asked for."
    assert buttons(desk.now(shown)) == {}
    assert await versions(desk) == [(1, 0, 0)]


async def test_all_mistakes_come_in_one_report(desk: Desk) -> None:
    wrong = BASE.replace('tier = "quorum"', 'tier = "quorom"').replace('"1 of role/admin"', '"1 of role/boss"')
    said = await desk.said(ADAM, f"/policy propose\n{wrong}")
    assert said.startswith("This cannot be used: 2 problems.")
    assert "rules[0].tier: found 'quorom'" in said
    assert "guards.policy.needs[0]: found '1 of role/boss'" in said.replace(UNLINKED, "")
    (shown,) = await desk.says(ADAM, STRICTER)  # the question stands
    assert list(buttons(shown)) == ["Put it in force", "Leave it"]


async def test_what_nobody_could_meet_is_refused_with_the_shortest_way_to_mend_it(desk: Desk) -> None:
    said = await desk.said(ADAM, f"/policy propose\n{BASE.replace('1 of role/approver', '2 of group/finance')}")
    assert said == (
        "Nobody could bring about what this asks for. Rule “transfers” cannot be met whoever asks: "
        "it takes two more people in the group finance. Nothing was changed."
    )


async def test_a_file_that_is_sent_next_is_the_document(desk: Desk) -> None:
    asked_for = await desk.said(ADAM, "/policy propose")
    assert asked_for == "Send the policy as a TOML file, at most 64 KiB, or as text. /cancel stops."
    (shown,) = await sends_file(desk, ADAM, STRICTER.encode())
    assert list(buttons(shown)) == ["Put it in force", "Leave it"]


async def test_too_large_a_file_is_not_fetched(desk: Desk) -> None:
    await desk.says(ADAM, "/policy propose")
    (said,) = await sends_file(desk, ADAM, b"#" * 70_000)
    assert said["text"] == ("That file has 70,000 bytes, and 65,536 are the most. For example: /policy propose")
    assert desk.chat.calls("getFile") == []


async def test_a_message_that_the_command_replies_to_is_the_document(desk: Desk) -> None:
    first = await desk.chat.play("send", **{"from": ADAM, "chat": ADAM, "text": STRICTER})
    await desk.settled()
    before = len(desk.chat.from_bot(ADAM))
    await desk.chat.play(
        "send", **{"from": ADAM, "chat": ADAM, "text": "/policy propose", "reply_to": first["message_id"]}
    )
    await desk.settled()
    (shown,) = desk.chat.from_bot(ADAM)[before:]
    assert list(buttons(shown)) == ["Put it in force", "Leave it"]


async def test_cancel_ends_the_question(desk: Desk) -> None:
    await desk.says(ADAM, "/policy propose")
    await desk.says(ADAM, "/cancel")
    (said,) = texts(await sends_file(desk, ADAM, STRICTER.encode()))
    assert said.startswith("I did not ask for a file")


async def test_a_document_of_many_rules_is_cut_in_the_message_and_whole_in_a_file(desk: Desk) -> None:
    rules = "".join(
        f'[[rules]]\nname = "rule {n}"\nacts = ["transfer"]\nsources = ["90000{n:05d}"]\ntier = "free"\n'
        for n in range(40)
    )
    shown, file = await sends_file_after(desk, BASE.replace("[[rules]]", f"{rules}\n[[rules]]", 1))
    assert "… and 24 more.\n" in shown["text"]
    assert file["document"]["file_name"] == "policy-changes.txt"
    whole = documents(desk, ADAM)["policy-changes.txt"]
    assert all(f"“rule {n}”" in whole for n in range(40))


async def sends_file_after(desk: Desk, document: str) -> list[Message]:
    await desk.says(ADAM, "/policy propose")
    return await sends_file(desk, ADAM, document.encode())


async def test_the_document_and_the_changes_of_a_request_can_be_read_by_who_signs(desk: Desk) -> None:
    request = await asked(desk, LOOSER)
    await desk.says(ANNA, f"/policy file {request}")
    found = documents(desk, ANNA)
    assert found[f"policy-{request}.toml"] == LOOSER.strip("\n")
    assert "one approver signs → done at once" in found[f"policy-{request}-changes.txt"]


# trying


async def happened(desk: Desk, number: int, amount: str, state: str = "succeeded") -> None:
    """A transfer of some days ago, to Harbour."""
    now = desk.rooms.clock.now() - timedelta(days=number)
    parameters = '{"provider": "cryptocapital", "beneficiary": "Harbour", "target": "9120007013"}'
    olga = desk.person(OLGA).id

    def write(tables: Tables) -> None:
        tables.conn.execute(
            "INSERT INTO requests (id, kind, parameters, hash, rule, state, version, asked_by, asked_at, expires_at,"
            " settled_at) VALUES (?, 'transfer', ?, '', '{\"seats\": [], \"barred\": []}', ?, 2, ?, ?, ?, ?)",
            (f"T{number}", parameters, state, olga, at(now), at(now), at(now + timedelta(minutes=5))),
        )
        tables.conn.execute(
            "INSERT INTO cases VALUES (?, 'transfer', 'cryptocapital', 'live', 'cryptocapital/main', '912', 'Harbour',"
            " ?, 'USD', ?, ?, '[\"role/operator\"]', 1, 'quorum')",
            (f"T{number}", amount, at(now), olga),
        )

    await desk.rooms.database.write(write)


async def everything(desk: Desk) -> dict[str, list[tuple[Any, ...]]]:
    """Every row of every table that trying could touch; updates and drafts on their way are the chat's."""

    def look(tables: Tables) -> dict[str, list[tuple[Any, ...]]]:
        names = set(tables.table_names()) - {"inbox", "drafts", "sqlite_sequence"}
        return {name: tables.conn.execute(f"SELECT * FROM {name}").fetchall() for name in sorted(names)}  # noqa: S608

    return await desk.rooms.database.read(look)


async def test_trying_tells_what_would_have_been_different_and_writes_nothing(desk: Desk) -> None:
    await happened(desk, 3, "100.00")
    await happened(desk, 5, "50.00", "denied")
    await happened(desk, 40, "75.00")
    before = await everything(desk)

    said, _ = await desk.says(ADAM, f"/policy try 30\n{STRICTER}")

    assert said["text"].splitlines()[:2] == ["2 requests of the last 30 days.", "No longer possible by a rule: 2"]
    assert "T3: transfer of 100.00 USD to Harbour, asked for by Olga at " in said["text"]
    assert await everything(desk) == before


async def test_two_tries_are_the_same_to_the_byte(desk: Desk) -> None:
    await happened(desk, 3, "100.00")
    stored = desk.chat.simulator.world.files
    files = []
    for _ in range(2):
        _, file = await desk.says(ADAM, f"/policy try\n{STRICTER}")
        files.append(stored[file["document"]["file_id"]].content)
    assert files[0] == files[1]
    assert files[0].startswith(b"1 request of the last 30 days.\n")


async def entered(desk: Desk, number: int) -> None:
    """Harbour, entered in the book some days ago by a request that one approver signed."""
    now = at(desk.rooms.clock.now() - timedelta(days=number))
    rule = '{"seats": [["role/approver", 1]], "barred": []}'
    values = (f"B{number}", rule, desk.person(OLGA).id, now, now)

    def write(tables: Tables) -> None:
        tables.conn.execute(
            "INSERT INTO requests (id, kind, parameters, hash, rule, state, version, asked_by, asked_at, expires_at)"
            " VALUES (?, 'beneficiary', '{}', '', ?, 'succeeded', 2, ?, ?, ?)",
            values,
        )
        tables.conn.execute(
            "INSERT INTO beneficiaries (provider, account, name, request_id, added_at, usable_from)"
            " VALUES ('cryptocapital', '9120007013', 'Harbour', ?, ?, ?)",
            (f"B{number}", now, now),
        )

    await desk.rooms.database.write(write)


@pytest.mark.parametrize(
    ("draft", "told"),
    [
        ('first_payment_hold = "2h"\n' + BASE, ["First payments to somebody that would wait longer: 1", "T5"]),
        (
            'beneficiary_cooldown = "5d"\n' + BASE,
            ["No longer possible, because the beneficiary was too new: 2", "T5", "T3"],
        ),
        (
            BASE + '[guards.beneficiary]\nneeds = ["2 of role/approver"]\nproof = "number"\n',
            ["Changes of the desk that others would sign, or otherwise: 1", "B7"],
        ),
    ],
)
async def test_trying_tells_of_first_payments_new_beneficiaries_and_changes_of_the_desk(
    desk: Desk, draft: str, told: list[str]
) -> None:
    await entered(desk, 7)
    await happened(desk, 5, "10.00")
    await happened(desk, 3, "11.00")
    said, _ = await desk.says(ADAM, f"/policy try 30\n{draft}")
    shown = said["text"].splitlines()
    assert shown[:2] == ["2 requests of the last 30 days.", "Beside them 1 that changes the desk itself."]
    first = shown.index(told[0])
    assert [line.split(":")[0] for line in shown[first + 1 : first + len(told)]] == told[1:]


async def test_a_draft_to_be_tried_may_come_as_a_file(desk: Desk) -> None:
    await happened(desk, 40, "100.00")
    await desk.says(ADAM, "/policy try 60")
    said, _ = await sends_file(desk, ADAM, STRICTER.encode())
    assert said["text"].startswith("1 request of the last 60 days.")


# by the clock


async def test_everybody_who_signs_hears_when_its_hour_has_come(desk: Desk) -> None:
    await desk.rooms.policy.watch()
    request = await asked(desk, LOOSER)
    await signs(desk, VERA, request)
    await signs(desk, ANNA, request)
    desk.clock.ahead_by(24 * 3600 + 1)
    await desk.rooms.policy.watch()
    await until(
        lambda: any(one.startswith("Version 2 of the policy is in force\n") for one in texts(desk.chat.from_bot(ANNA)))
    )
