"""/person: a second account by a link, and what the desk's group gave to somebody who has two."""

from pathlib import Path

import pytest

from bot.access.model import Role
from tests.handlers.test_people import CODE, _through, give, membership, newcomer, prompt, told
from tests.handlers.test_people import two as two
from tests.support.chatting import ADAM, ANNA, OLGA, VERA, Chat, Desk, at_work, configured, until
from tests.support.desk import GROUP

SECOND = 2001


async def offered(desk: Desk, name: str = "Olga") -> str:
    said = await desk.said(ADAM, f"/person {name} add")
    found = CODE.search(said)
    assert found is not None, said
    return found[1]


async def added(desk: Desk, code: str) -> None:
    await newcomer(desk, "O.", SECOND)
    await desk.said(SECOND, f"/start {code}")
    card = await prompt(desk, VERA, "Let the Telegram account 2001")
    await desk.taps(VERA, card, "Approve")
    assert desk.person(SECOND) == desk.person(OLGA)


async def test_the_holder_opens_the_link_another_admin_signs_and_the_account_is_let_in(two: Desk) -> None:
    code = await offered(two)
    await newcomer(two, "O.", SECOND)
    assert (await two.said(SECOND, f"/start {code}")).startswith("This account will be Olga's at Desk as soon as")
    assert await two.says(SECOND, "/balance") == []
    assert await two.says(SECOND, f"/start {code}") == []
    card = await prompt(two, VERA, "Let the Telegram account 2001")
    await two.taps(VERA, card, "Approve")
    await told(two, SECOND, "The Telegram account 2001 is yours now")
    assert (await two.said(SECOND, "/whoami")).startswith("You are Olga: operator.")
    assert await two.said(ADAM, "/person Olga") == (
        "Telegram accounts of Olga\n1002\n2001\n\nAdd one: /person NAME add. Take one away: /person NAME remove NUMBER."
    )


async def test_the_link_is_nothing_for_somebody_who_is_here_already(two: Desk) -> None:
    code = await offered(two)
    assert (await two.said(VERA, f"/join {code}")).startswith("This Telegram account is Vera's already")


async def test_an_account_is_taken_away(two: Desk) -> None:
    await added(two, await offered(two))
    said = await two.said(ADAM, "/person Olga remove 2001")
    assert said == "The Telegram account 2001 is not Olga's any more."
    assert await two.says(SECOND, "/whoami") == []
    await told(two, OLGA, "removed the Telegram account 2001.")


@pytest.mark.parametrize(
    ("words", "answer"),
    [
        ("", "Name the person"),
        ("Olga remove everything", "After remove comes the number of a Telegram account"),
        ("Olga remove 1002", "That is the only account of Olga; /suspend locks a person out"),
        ("Nobody add", "There is no person"),
    ],
)
async def test_what_it_cannot_do_is_said(two: Desk, words: str, answer: str) -> None:
    assert (await two.said(ADAM, f"/person {words}")).startswith(answer)


# in the desk's group


async def in_the_group(desk: Desk, *members: int) -> None:
    await desk.chat.play("people", groups=[{"id": GROUP, "title": "Desk", "members": list(members)}])


async def with_two_and_a_role_of_the_group(desk: Desk) -> None:
    await added(desk, await offered(desk))
    await _through(desk, OLGA, "auditor")


async def test_who_leaves_a_group_with_one_account_and_is_there_with_the_other_keeps_what_it_gave(two: Desk) -> None:
    await with_two_and_a_role_of_the_group(two)
    await in_the_group(two, ADAM, OLGA)
    await two.happens({"chat_member": membership(SECOND, "left")})
    assert Role.AUDITOR in two.person(OLGA).roles
    await in_the_group(two, ADAM)
    await two.happens({"chat_member": membership(OLGA, "left")})
    assert Role.AUDITOR not in two.person(OLGA).roles


async def test_at_the_start_it_is_enough_to_be_there_with_one_of_them(tmp_path: Path, chat: Chat) -> None:
    config = configured(tmp_path, chat)
    async with at_work(config, chat) as desk:
        await give(desk, VERA, "admin")
        await with_two_and_a_role_of_the_group(desk)
        await _through(desk, ANNA, "operator")
    await in_the_group(desk, ADAM, SECOND)
    async with at_work(config, chat) as desk:
        await until(lambda: desk.person(ANNA).roles == {Role.APPROVER})  # whoever is looked at after Olga
        assert Role.AUDITOR in desk.person(OLGA).roles
