"""People are invited, given and taken roles, suspended and resumed by chat, and it counts at once."""

import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from bot.access.model import Role
from bot.messages.cards import Draft
from bot.store import Tables
from tests.support.chatting import (
    ADAM,
    ANNA,
    OLGA,
    OTHER_GROUP,
    STRANGER,
    SUSPENDED,
    VERA,
    Chat,
    Desk,
    Message,
    at_work,
    at_work_with,
    buttons,
    configured,
    texts,
    until,
)
from tests.support.desk import GROUP

NEW = 2001
CODE = re.compile(r"/join ([a-z2-9]{26})")
REQUEST = re.compile(r"request ([a-z2-9]{10})")
BLIND = (
    f"This bot is no admin of the group {GROUP}, so Telegram does not tell it who leaves: what the group gave stays "
    "until somebody takes it."
)
ALONE = (
    "Another admin must sign that, and there is none besides you; name a second Telegram id under people.admins in "
    "the configuration and restart: a desk with one admin takes it up. Nothing was changed."
)


async def give(desk: Desk, telegram_id: int, role: str, group: str | None = None) -> None:
    """By hand, without anybody's signature."""
    person = desk.person(telegram_id).id

    def change(tables: Tables) -> None:
        tables.conn.execute("INSERT INTO roles (person_id, role) VALUES (?, ?)", (person, role))
        if group is not None:
            tables.conn.execute("INSERT INTO approver_groups (person_id, name) VALUES (?, ?)", (person, group))

    await desk.rooms.database.write(change)
    await desk.rooms.access.refresh()


@pytest.fixture
async def two(desk: Desk) -> Desk:
    """Vera is an admin, too."""
    await give(desk, VERA, "admin")
    return desk


async def invited(desk: Desk, words: str, chat: int | None = None, by: int = ADAM) -> str:
    await desk.says(by, f"/invite {words}", chat)
    found = CODE.search(desk.chat.from_bot(by)[-1]["text"])
    assert found is not None, desk.chat.from_bot(by)[-1]["text"]
    return found[1]


async def newcomer(desk: Desk, name: str = "Nora", number: int = NEW) -> int:
    await desk.chat.play("people", people=[{"id": number, "first_name": name}])
    return number


async def prompt(desk: Desk, person: int, about: str) -> Message:
    def found() -> list[Message]:
        return [one for one in desk.chat.from_bot(person) if about in one.get("text", "") and buttons(one)]

    await until(found)
    return found()[-1]


async def told(desk: Desk, person: int, line: str) -> None:
    await until(lambda: any(line in text for text in texts(desk.chat.from_bot(person))))


async def audited(desk: Desk) -> list[str]:
    rows = await desk.rooms.database.read(
        lambda tables: tables.conn.execute("SELECT action FROM audit ORDER BY seq").fetchall()
    )
    return [action for (action,) in rows]


# coming in


async def test_a_newcomer_may_be_called_something_else_and_is_asked_again_for_what_is_no_name(desk: Desk) -> None:
    code = await invited(desk, "viewer")
    await newcomer(desk, "Olga\u202e")
    assert await desk.said(NEW, f"/start {code}") == (
        "You are invited to Desk, as viewer.\n\nWhat are you called? Send the name by which the others know you."
    )
    assert (await desk.said(NEW, "Оlgа")).startswith("Somebody here has a name that looks the same")
    assert (await desk.said(NEW, "12345")).startswith("A name is 1 to 64 printable characters on one line")
    assert (await desk.said(NEW, "x" * 65)).startswith("A name is 1 to 64")
    assert desk.rooms.access.roster.person(NEW) is None
    assert await desk.said(NEW, "Olga  Berg") == (
        "Welcome, Olga Berg. You are now a viewer here. /help shows what you can do."
    )
    assert desk.person(NEW).name == "Olga Berg"
    await told(desk, ADAM, "Olga Berg came by an invitation to be viewer.")
    assert "person.joined" in await audited(desk)


async def test_a_newcomer_who_was_asked_for_a_name_reaches_nothing_but_that_question(desk: Desk) -> None:
    code = await invited(desk, "viewer")
    await newcomer(desk)
    await desk.said(NEW, f"/start {code}")
    for words in ("/balance", "/help", "/whoami", "/people", "/join aaaaaaaaaaaaaaaaaaaaaaaaaa"):
        assert await desk.says(NEW, words) == [], words
    forward = {"type": "hidden_user", "sender_user_name": "x", "date": 1_780_000_000}
    assert await desk.says(NEW, "yes", forward_origin=forward) == []
    assert await desk.says(NEW, "yes", GROUP) == []
    assert desk.rooms.access.roster.person(NEW) is None
    desk.clock.ahead_by(24 * 3600)
    assert await desk.says(NEW, "yes") == []


async def test_whoever_opened_the_invitation_last_may_use_it_and_only_once(desk: Desk) -> None:
    code = await invited(desk, "viewer")
    first, second = await newcomer(desk, "Nora"), await newcomer(desk, "Mona", NEW + 1)
    await desk.said(first, f"/start {code}")
    await desk.said(second, f"/start {code}")
    assert await desk.says(first, "yes") == []
    assert (await desk.said(second, "yes")).startswith("Welcome, Mona.")
    assert await desk.says(first, f"/start {code}") == []


async def test_an_approver_who_was_invited_counts_only_when_another_admin_has_signed(two: Desk) -> None:
    code = await invited(two, "approver finance")
    await newcomer(two)
    await two.said(NEW, f"/start {code}")
    said = await two.said(NEW, "yes")
    number = REQUEST.search(said)
    assert number is not None
    assert said == (
        "Welcome, Nora. You are approver in the group finance here as soon as another admin has signed that "
        f"(request {number[1]}). You will be told."
    )
    assert two.person(NEW).roles == frozenset()
    assert (await two.said(NEW, "/balance")).startswith("That needs the right to read balances")
    shown = await prompt(two, VERA, "Make Nora (person 6) approver in the group finance.")
    assert shown["text"].startswith("Admin 1 asks for your signature")
    assert not [one for one in two.chat.from_bot(ADAM) if "asks for your signature" in one["text"]]
    await two.taps(VERA, shown, "Approve")
    assert (two.person(NEW).roles, two.person(NEW).groups) == ({Role.APPROVER}, {"finance"})
    await told(two, NEW, "You are approver in the group finance now.")


async def test_a_desk_with_one_admin_is_told_how_the_second_comes_in(desk: Desk) -> None:
    for words in ("/invite approver", "/invite admin", "/role Olga give approver", "/role 5 give operator"):
        assert await desk.said(ADAM, words) == ALONE
    assert desk.rooms.access.roster.invites == {}


async def test_the_asker_of_a_moment_ago_who_is_no_admin_any_more_lets_nobody_in(two: Desk) -> None:
    code = await invited(two, "viewer", by=VERA)
    await newcomer(two)
    await two.said(NEW, f"/start {code}")
    await two.said(ADAM, "/role Vera take admin")
    assert await two.says(NEW, "yes") == []
    assert two.rooms.access.roster.person(NEW) is None


# the desk's groups


async def test_an_invitation_made_in_a_group_comes_privately_and_lasts_as_long_as_one_is_in_it(desk: Desk) -> None:
    code = await invited(desk, "operator", GROUP)
    assert texts(desk.chat.from_bot(GROUP)) == ["Sent to you privately."]
    assert f"The role lasts as long as they are in the group {GROUP}." in desk.chat.from_bot(ADAM)[-1]["text"]
    await newcomer(desk)
    assert (await desk.said(NEW, f"/start {code}")).startswith("That invitation is for members of the group")
    await _members(desk, NEW)
    await desk.said(NEW, f"/start {code}")
    await desk.said(NEW, "yes")
    assert desk.person(NEW).roles == {Role.OPERATOR}
    await desk.happens({"chat_member": membership(NEW, "left")})
    assert desk.person(NEW).roles == frozenset()
    await told(desk, NEW, "You have left the group that gave it: operator.")
    await told(desk, ADAM, f"Nora left the group {GROUP} and lost: operator.")
    assert (await desk.said(NEW, "/connect")).startswith("That needs the right to link")


async def _members(desk: Desk, *more: int) -> None:
    members = [ADAM, OLGA, VERA, ANNA, SUSPENDED, STRANGER, *more]
    await desk.chat.play("people", groups=[{"id": GROUP, "title": "Desk", "members": members}])


def membership(person: int, status: str, chat: int = GROUP, by: int = STRANGER, **more: Any) -> dict[str, Any]:
    """What Telegram says when somebody's place in a chat changes; as a rule somebody unknown did it."""
    user = {"id": person, "is_bot": False, "first_name": "P"}
    ends = {"kicked": {"until_date": 0}}
    return {
        "chat": {"id": chat, "type": "supergroup", "title": "G"},
        "from": {"id": by, "is_bot": False, "first_name": "By"},
        "date": 1_790_000_000,
        "old_chat_member": {"user": user, "status": "member"},
        "new_chat_member": {"user": user, "status": status, **ends.get(status, {}), **more},
    }


async def _through(desk: Desk, person: int, role: str, group: str | None = None, chat: int = GROUP) -> None:
    await give(desk, person, role, group)

    def change(tables: Tables) -> None:
        values = (chat, desk.person(person).id)
        tables.conn.execute("UPDATE roles SET via_chat = ? WHERE person_id = ? AND role = ?", (*values, role))
        tables.conn.execute("UPDATE approver_groups SET via_chat = ? WHERE person_id = ?", values)

    await desk.rooms.database.write(change)


async def _listening(desk: Desk) -> None:
    """The bot has asked for membership updates: before that Telegram keeps them to itself."""
    await until(lambda: "chat_member" in desk.chat.simulator.server.updates.allowed)


RESTRICTED = {
    "can_send_messages": False,
    **{
        f"can_send_{kind}": False
        for kind in ("audios", "documents", "photos", "videos", "video_notes", "voice_notes", "polls", "other_messages")
    },
    **dict.fromkeys(
        ("can_add_web_page_previews", "can_change_info", "can_invite_users", "can_pin_messages", "can_manage_topics"),
        False,
    ),
    "can_react_to_messages": False,
    "can_edit_tag": False,
    "until_date": 0,
}


@pytest.mark.parametrize(
    ("status", "more", "gone"),
    [
        ("left", {}, True),
        ("kicked", {}, True),
        ("restricted", {**RESTRICTED, "is_member": False}, True),
        ("restricted", {**RESTRICTED, "is_member": True}, False),
        ("member", {}, False),
    ],
)
async def test_who_leaves_however_it_comes_loses_what_the_group_gave_and_keeps_the_rest(
    desk: Desk, status: str, more: dict[str, Any], gone: bool
) -> None:
    await _through(desk, VERA, "approver", "finance")
    await _listening(desk)
    await desk.happens({"chat_member": membership(VERA, status, **more)})
    kept = {Role.VIEWER} if gone else {Role.VIEWER, Role.APPROVER}
    assert desk.person(VERA).roles == kept
    assert desk.person(VERA).groups == (frozenset() if gone else {"finance"})


async def test_who_leaves_before_the_signature_does_not_get_it_any_more(two: Desk) -> None:
    code = await invited(two, "approver finance", GROUP)
    await newcomer(two)
    await _members(two, NEW)
    await two.said(NEW, f"/start {code}")
    await two.said(NEW, "yes")
    shown = await prompt(two, VERA, "It ends when they leave the group that invited them.")
    await until(lambda: any("Nora came by an invitation" in text for text in texts(two.chat.from_bot(VERA))))
    await two.happens({"chat_member": membership(NEW, "left")})
    assert texts(await two.taps(VERA, shown, "Approve")) == [
        "This has ended (called off: Nora has left the group). Nothing was changed."
    ]
    assert two.person(NEW).roles == frozenset()


async def test_who_left_while_the_bot_was_away_is_found_out_at_its_start(
    tmp_path: Path, chat: Chat, caplog: pytest.LogCaptureFixture
) -> None:
    config = configured(tmp_path, chat)
    async with at_work(config, chat) as desk:
        await _through(desk, VERA, "operator")
        await _through(desk, ANNA, "operator")
    await chat.play("people", groups=[{"id": GROUP, "title": "Desk", "members": [ADAM, OLGA, ANNA]}])
    caplog.clear()
    async with at_work(config, chat) as desk:
        await until(lambda: desk.person(VERA).roles == {Role.VIEWER})
        assert desk.person(ANNA).roles == {Role.APPROVER, Role.OPERATOR}
        await told(desk, ADAM, f"Vera left the group {GROUP} and lost: operator.")
    (warning,) = [
        one.getMessage() for one in caplog.records if one.name == "handlers.groups" and one.levelname == "WARNING"
    ]
    assert warning.startswith(f"this bot is not an admin of the group {GROUP}: Telegram does not tell it who leaves")


async def test_leaving_another_group_takes_nothing_and_strangers_leave_unnoticed(desk: Desk) -> None:
    await _through(desk, VERA, "operator")
    await _listening(desk)
    await desk.happens(
        {"chat_member": membership(VERA, "left", -1_009_999_999_999)},
        {"chat_member": membership(STRANGER, "left")},
        {"chat_member": membership(OLGA, "left")},
    )
    assert desk.person(VERA).roles == {Role.VIEWER, Role.OPERATOR}
    assert desk.person(OLGA).roles == {Role.OPERATOR}
    assert desk.rooms.pulse.strangers == 2
    assert desk.chat.everything_said() == []
    assert desk.passed == []


async def test_somebody_suspended_who_leaves_comes_back_without_it(desk: Desk) -> None:
    await _through(desk, OLGA, "viewer")
    await desk.said(ADAM, "/suspend Olga")
    await desk.happens({"chat_member": membership(OLGA, "kicked")})
    await desk.said(ADAM, "/resume Olga")
    assert desk.person(OLGA).roles == {Role.OPERATOR}


async def test_what_a_group_gave_moves_along_with_the_group(desk: Desk) -> None:
    await _through(desk, VERA, "operator")
    new = -1_007_000_000_001
    await desk.rooms.access.follow_group(GROUP, new, lambda tables: None)
    await _listening(desk)
    await desk.happens({"chat_member": membership(VERA, "left", new)})
    assert desk.person(VERA).roles == {Role.VIEWER}


async def test_admins_are_told_when_the_bot_is_removed_from_a_group_or_sees_no_more(desk: Desk) -> None:
    bot = desk.chat.simulator.world.bot_user()
    base = membership(OLGA, "left")
    await _listening(desk)
    removed = {**base, "new_chat_member": {"user": bot, "status": "left"}}
    await desk.happens({"my_chat_member": removed})
    await told(desk, ADAM, f"This bot was removed from the group {GROUP}")
    rights = dict.fromkeys(
        ("can_be_edited", "is_anonymous", "can_manage_chat", "can_delete_messages", "can_manage_video_chats"), False
    )
    rights |= dict.fromkeys(
        ("can_restrict_members", "can_promote_members", "can_change_info", "can_invite_users", "can_post_stories"),
        False,
    )
    rights |= dict.fromkeys(("can_edit_stories", "can_delete_stories"), False)
    before = {"user": bot, "status": "administrator", **rights}
    demoted = {**base, "old_chat_member": before, "new_chat_member": {"user": bot, "status": "member"}}
    await desk.happens({"my_chat_member": demoted})
    await told(desk, ADAM, f"This bot is not an admin of the group {GROUP}")


# the list


async def test_people_says_who_is_here_as_what_and_through_what(desk: Desk) -> None:
    await _through(desk, VERA, "approver", "finance")
    await invited(desk, "auditor")
    (message,) = await desk.says(ADAM, "/people")
    lines = [line for line in message["text"].splitlines() if line and not line.startswith("    since 20")]
    assert lines == [
        "People",
        "1. Olga · operator",
        f"2. Vera · approver in finance (while in the group {GROUP}), viewer",
        "3. Anna · approver",
        "4. Sid · operator · suspended",
        "5. Admin 1 · admin",
        "Invitations not used yet",
        lines[7],
        BLIND,
    ]
    assert re.fullmatch(r"auditor, until \d{4}-\d\d-\d\d \d\d:\d\d UTC", lines[7])
    await desk.chat.play(
        "people", groups=[{"id": GROUP, "title": "Desk", "admins": [desk.chat.simulator.world.bot["id"]]}]
    )
    assert "no admin of the group" not in await desk.said(ADAM, "/people")


# roles


async def test_a_role_that_needs_one_admin_is_given_and_taken_at_once_and_told(desk: Desk) -> None:
    assert await desk.said(ADAM, "/role Vera give operator") == "Vera is operator now."
    assert desk.person(VERA).roles == {Role.VIEWER, Role.OPERATOR}
    await told(desk, VERA, "Admin 1 made you operator.")
    assert await desk.said(ADAM, "/role Vera give operator") == "Vera is operator already. Nothing was changed."
    assert await desk.said(ADAM, "/role vera TAKE operator") == "Vera is not operator any more."
    assert desk.person(VERA).roles == {Role.VIEWER}
    await told(desk, VERA, "You are not operator any more.")
    assert await desk.said(ADAM, "/role Vera take operator") == "Vera is not operator. Nothing was changed."
    assert [one for one in await audited(desk) if one.startswith("role.")] == ["role.granted", "role.taken"]


async def test_an_approver_is_made_by_two_admins_neither_of_whom_it_is(two: Desk) -> None:
    assert (await two.said(ADAM, "/role Vera give approver")) == (
        "An admin who is neither you nor Vera must sign that: there is none. Nothing was changed."
    )
    said = await two.said(ADAM, "/role Olga give approver risk")
    assert said.startswith("Asked for: request ")
    assert two.person(OLGA).roles == {Role.OPERATOR}
    shown = await prompt(two, VERA, "Make Olga (person 1) approver in the group risk.")
    await two.taps(VERA, shown, "Approve")
    assert two.person(OLGA).groups == {"risk"}
    await told(two, OLGA, "You are approver in the group risk now.")
    assert await two.said(ADAM, "/role Olga take approver risk") == "Olga is not approver in the group risk any more."
    assert (two.person(OLGA).roles, two.person(OLGA).groups) == ({Role.OPERATOR, Role.APPROVER}, frozenset())


async def test_a_denied_role_is_not_given(two: Desk) -> None:
    await two.said(ADAM, "/role Olga give admin")
    await two.taps(VERA, await prompt(two, VERA, "Make Olga (person 1) admin."), "Deny")
    assert two.person(OLGA).roles == {Role.OPERATOR}


async def test_the_last_admin_is_neither_taken_nor_suspended(desk: Desk) -> None:
    for words in ("/role 5 take admin", "/suspend Admin 1"):
        assert await desk.said(ADAM, words) == "Nobody would be left who is an admin. Nothing was changed."
    assert desk.person(ADAM).roles == {Role.ADMIN}


async def test_without_words_role_offers_buttons(desk: Desk) -> None:
    (whom,) = await desk.says(ADAM, "/role")
    assert list(buttons(whom)) == ["Olga (1)", "Vera (2)", "Anna (3)", "Sid (4)", "Admin 1 (5)"]
    (what,) = await desk.taps(ADAM, whom, "Vera (2)")
    assert what["text"] == "Vera is viewer."
    assert list(buttons(what)) == ["Take viewer", "Give operator", "Give approver", "Give auditor", "Give admin"]
    assert texts(await desk.taps(ADAM, what, "Give operator")) == ["Vera is operator now."]
    assert texts(await desk.taps_data(ADAM, what, buttons(what)["Take viewer"])) == []
    assert desk.person(VERA).roles == {Role.VIEWER, Role.OPERATOR}


async def test_a_name_that_means_several_or_nearly_one_asks_with_buttons(desk: Desk) -> None:
    code = await invited(desk, "viewer")
    await newcomer(desk, "Vera Zwei")
    await desk.said(NEW, f"/start {code}")
    await desk.said(NEW, "yes")
    (whom,) = await desk.says(ADAM, "/suspend ve")
    assert whom["text"] == "Did you mean:"
    assert list(buttons(whom)) == ["Vera (2)", "Vera Zwei (6)"]
    assert texts(await desk.taps(ADAM, whom, "Vera Zwei (6)")) == [
        "Vera Zwei is suspended: nothing of theirs counts any more. /resume Vera Zwei ends it."
    ]
    assert desk.rooms.access.roster.person(NEW) is None
    assert await desk.said(ADAM, "/suspend Zoe") == (
        "There is no person “Zoe” that you can see. There is: Olga, Vera, Anna, Admin 1."
    )


@pytest.mark.parametrize(
    "words",
    ["Vera give", "Vera give king", "Vera take viewer now please", "Vera give viewer finance", "give viewer x y"],
)
async def test_wrong_words_are_answered_with_right_ones(desk: Desk, words: str) -> None:
    assert "For example: /" in await desk.said(ADAM, f"/role {words}")
    assert desk.person(VERA).roles == {Role.VIEWER}


# suspended and back


async def test_a_suspension_counts_at_once_everywhere(desk: Desk) -> None:
    olga = desk.person(OLGA)
    (page,) = await desk.says(OLGA, "/status")
    await desk.rooms.cards.save(Draft(olga.id, "connect", {"id": "x"}))
    assert await desk.said(ADAM, "/suspend Olga") == (
        "Olga is suspended: nothing of theirs counts any more. /resume Olga ends it."
    )
    await told(desk, OLGA, "You are suspended\nNothing you write here is read any more.")
    before = len(desk.chat.from_bot(OLGA))
    assert await desk.says(OLGA, "/balance") == []
    assert await desk.taps(OLGA, page, "Refresh") == []
    assert len(desk.chat.from_bot(OLGA)) == before
    assert await desk.rooms.cards.draft(olga.id) is None
    assert await desk.said(ADAM, "/suspend Olga") == "This person is suspended already. Nothing was changed."

    assert await desk.said(ADAM, "/resume Olga") == "Olga is back."
    await told(desk, OLGA, "You are back")
    await desk.taps(OLGA, page, "Refresh")
    assert desk.toasts()[-1] == "Already done."
    assert (await desk.said(OLGA, "/whoami")).startswith("You are Olga: operator.")


async def test_an_approver_comes_back_only_with_another_admins_signature(two: Desk) -> None:
    await two.said(ADAM, "/suspend Anna")
    assert (await two.said(ADAM, "/resume Anna")).startswith("Asked for: request ")
    assert two.rooms.access.roster.person(ANNA) is None
    shown = await prompt(two, VERA, "End the suspension of Anna (person 3), who is approver.")
    await two.taps(VERA, shown, "Approve")
    assert two.person(ANNA).roles == {Role.APPROVER}


async def test_a_suspended_asker_takes_the_requests_along(two: Desk) -> None:
    await two.said(ADAM, "/role Olga give approver")
    shown = await prompt(two, VERA, "Make Olga (person 1) approver.")
    await two.said(VERA, "/suspend Admin 1")
    assert texts(await two.taps(VERA, shown, "Approve")) == [
        "This has ended (called off: its asker is no longer at the desk). Nothing was changed."
    ]
    assert two.person(OLGA).roles == {Role.OPERATOR}


async def test_somebody_suspended_is_not_told_how_a_request_ended(two: Desk) -> None:
    await give(two, ANNA, "admin")
    await two.said(ADAM, "/role Olga give approver")
    shown = {person: await prompt(two, person, "Make Olga (person 1) approver.") for person in (VERA, ANNA)}
    await two.said(ADAM, "/suspend Anna")
    await two.taps(VERA, shown[VERA], "Approve")
    await until(lambda: "Done: " in two.now(shown[VERA])["text"])
    await told(two, ADAM, "Olga is approver now.")
    assert two.now(shown[ANNA])["text"] == shown[ANNA]["text"]
    assert await two.taps(ANNA, shown[ANNA], "Deny") == []


# a role revoked between two taps


async def test_a_signer_who_loses_the_role_between_the_prompt_and_the_tap_signs_nothing(two: Desk) -> None:
    await give(two, ANNA, "admin")
    await two.said(ADAM, "/role Olga give approver")
    shown = await prompt(two, VERA, "Make Olga (person 1) approver.")
    assert await two.said(ADAM, "/role Vera take admin") == "Vera is not admin any more."
    assert texts(await two.taps(VERA, shown, "Approve")) == [
        "That needs the right to decide on requests, which you do not have. An admin can give it."
    ]
    assert two.person(OLGA).roles == {Role.OPERATOR}
    await two.taps(ANNA, await prompt(two, ANNA, "Make Olga (person 1) approver."), "Approve")
    assert two.person(OLGA).roles == {Role.OPERATOR, Role.APPROVER}


async def test_an_admin_who_loses_the_role_between_the_question_and_the_tap_changes_nothing(two: Desk) -> None:
    (what,) = await two.says(VERA, "/role Olga")
    await two.said(ADAM, "/role Vera take admin")
    assert texts(await two.taps(VERA, what, "Take operator")) == [
        "That needs the right to change roles and suspend people, which you do not have. An admin can give it."
    ]
    assert two.person(OLGA).roles == {Role.OPERATOR}


@pytest.fixture
async def crm(tmp_path: Path, chat: Chat) -> AsyncIterator[Desk]:
    """Olga has linked the CRM and shares it with everybody."""
    async with at_work_with(tmp_path, chat, "crm") as found:
        await found.link("crm")
        yield found


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (
            "/role Olga take operator",
            ["That needs the right to link provider logins, which you do not have. An admin can give it."],
        ),
        ("/suspend Olga", []),
    ],
)
async def test_who_loses_the_role_between_disconnect_and_its_button_unlinks_nothing(
    crm: Desk, words: str, said: list[str]
) -> None:
    (card,) = await crm.says(OLGA, "/disconnect crm/main")
    await crm.said(ADAM, words)
    answers = texts(await crm.taps(OLGA, card, "Unlink"))
    assert [one for one in answers if not one.startswith("You are suspended")] == said
    assert "crm/main" in await crm.said(VERA, "/connections")


async def test_while_its_owner_is_suspended_nobody_reads_through_a_connection(
    crm: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    ended: list[str] = []
    end = crm.rooms.connections.end_session

    async def noting(connection: Any) -> None:
        ended.append(connection.name)
        await end(connection)

    monkeypatch.setattr(crm.rooms.connections, "end_session", noting)
    assert "suspended" not in "".join(texts(await crm.says(VERA, "/balance")))
    assert any(one.startswith("Olga is suspended") for one in texts(await crm.says(ADAM, "/suspend Olga")))
    assert ended == ["crm/main"]
    assert "suspended" in "".join(texts(await crm.says(VERA, "/balance")))
    await crm.said(ADAM, "/resume Olga")
    assert "suspended" not in "".join(texts(await crm.says(VERA, "/balance")))


async def test_when_somebody_who_signs_leaves_the_desks_group_the_desk_is_frozen(desk: Desk) -> None:
    """FIELD N9: an account that was taken over, or a person who was thrown out, leaves like that."""
    await desk.happens(
        {"chat_member": membership(VERA, "left")}, {"chat_member": membership(ANNA, "left", OTHER_GROUP)}
    )
    assert await desk.rooms.money.thawing.freezes() == []

    await desk.happens({"chat_member": membership(ANNA, "kicked")})
    (freeze,) = await desk.rooms.money.thawing.freezes()
    assert (freeze.scope, freeze.person_id) == ("desk", None)
    assert freeze.reason.startswith("Anna, who signs here, left the desk's group at ")
    await until(lambda: any(text.startswith("Frozen: the desk") for text in texts(desk.chat.from_bot(ADAM))))


async def test_whoever_was_suspended_first_leaves_without_that(desk: Desk) -> None:
    await desk.said(ADAM, "/suspend Anna")
    await desk.happens({"chat_member": membership(ANNA, "left")})
    assert await desk.rooms.money.thawing.freezes() == []
