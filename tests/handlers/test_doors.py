"""Every door: right words, wrong words, who may, and where it answers."""

import re
from datetime import timedelta

from bot import __version__
from bot.access.model import Role
from handlers.rooms import DOORS_IN_ORDER
from tests.support.chatting import ADAM, ANNA, OLGA, OLGA_IS, STRANGER, VERA, Desk, buttons, texts
from tests.support.desk import GROUP

NO_LOGIN = (
    "You can see no provider login yet. /connect links one; an owner can share theirs when linking it.",
    "You can see no provider login yet. /connect links one.",
)
NEW = 2001
CODE = re.compile(r"/join ([a-z2-9]{26})")


async def _invited(desk: Desk, role: str) -> str:
    found = CODE.search(await desk.said(ADAM, f"/invite {role}"))
    assert found is not None
    return found[1]


# what each says


TOLD = {
    "/whoami": OLGA_IS,
    "/balance": NO_LOGIN[0],
    "/positions": NO_LOGIN[0],
    "/statement": "No connection you can see keeps statements.",
    "/quote gold": "You can see no provider login with prices. /connect links one; Capital.com and Deriv have them.",
    "/orders": "You can see no provider login with orders. /connect links one; Capital.com and Deriv have them.",
    "/quote": "You can see no provider login with prices. /connect links one; Capital.com and Deriv have them.",
    "/chart 1d": "Which market? Its symbol, or a part of its name. For example: /chart GOLD 1d",
    "/connections": NO_LOGIN[1],
    "/cancel": "There was nothing to stop.",
    "/WHOAMI": OLGA_IS,
    "/whoami@countersign_demo_bot": OLGA_IS,
    # wrong words: one line, with a right example
    "/whoami now": "It takes no words. For example: /whoami",
    "/help me": "It takes no words. For example: /help",
    "/status all": "It takes no words. For example: /status",
    "/connections mine": "It takes no words. For example: /connections",
    "/balance a b": "One name at most. For example: /balance capital",
    "/positions a b c": "One name at most. For example: /positions capital",
    "/statement 0": "A statement shows 1 to 200 entries of each account; /statement cryptocapital no 4795 shows a "
    "single one by its number. For example: /statement 20",
    "/statement since 2026-13-01": "That is no day. For example: /statement since 2026-03-01 until 2026-03-31",
    "/profit since 2026-13-01": "That is no day. For example: /profit since 2026-03-01 until 2026-03-31",
    "/disconnect": "Name the connection. For example: /disconnect capital/main",
    "/disconnect a b": "Name the connection. For example: /disconnect capital/main",
    "/join": "It takes the code you were given. For example: /join the-code",
    "/join a b": "It takes the code you were given. For example: /join the-code",
    "/join aaaaaaaaaaaaaaaaaaaaaaaaaa": (
        "That invitation is not known, was used already, or is too old. Ask an admin for a new one."
    ),
    "/balance nope": ("There is no connection “nope” that you can see. You can see none yet: /connect links one."),
    "/disconnect x": "There is no connection “x” that you can see. You can see none yet: /connect links one.",
    "/connect bank": "Please choose one of: capital, deriv, cryptocapital, crm. For example: /connect capital",
    "/connect capital real": "Please choose one of: live, demo. For example: /connect capital live",
    "/connect crm live main today": "The rest is asked for step by step. For example: /connect crm live main",
    "/invite viewer": "That needs the right to invite people, which you do not have. An admin can give it.",
    # unknown ones
    "/balanse": "I do not know /balanse. Did you mean /balance?",
    "/quux 5": "I do not know /quux. For example: /balance. /help shows all of them.",
    "good morning": "I understand commands, for example /balance. /help shows all of them.",
}


async def test_what_an_operator_is_told(desk: Desk) -> None:
    assert {words: await desk.said(OLGA, words) for words in TOLD} == TOLD


async def test_start_says_where_one_is(desk: Desk) -> None:
    assert await desk.said(OLGA, "/start") == (
        "Hello Olga. This is Desk's operations desk.\n\n"
        "I read the accounts you link and tell you what they hold. Try /balance, or /help for everything."
    )


async def test_help_names_what_this_person_may_do_and_nothing_else(desk: Desk) -> None:
    told = {
        person: set(re.findall(r"^/(\w+)", await desk.said_on_all_pages(person, "/help"), re.M))
        for person in (VERA, OLGA, ADAM)
    }
    everybody = {"balance", "positions", "statement", "connections", "status", "whoami", "help", "cancel", "pending"}
    everybody |= {
        "quote",
        "chart",
        "market",
        "orders",
        "price",
        "profit",
        "ticks",
        "agents",
        "site",
        "account",
        "watchlist",
        "quiet",
    }
    everybody |= {"lock", "factor", "alert", "alerts", "withdrawals", "client", "wallet", "mt", "report", "leaderboard"}
    everybody |= {"request", "history", "note", "attach", "evidence", "beneficiaries", "limits", "policy", "rate"}
    everybody |= {"digest", "schedule"}
    dealing = {"sellexpired", "cashier", "topup", "openaccount", "buy", "sell", "close", "change", "cancelorder"}
    working = {"freeze", "thaw", "settle", "repeat"}
    linking = {"connect", "disconnect", "key", "register", "replace", "share", "unshare", "passphrase", "unlock"}
    assert told == {
        VERA: everybody,
        OLGA: everybody | linking | working | dealing | {"lead", "transfer", "payagent", "payout"},
        ADAM: everybody
        | linking
        | working
        | {
            "people",
            "role",
            "suspend",
            "resume",
            "invite",
            "person",
            "approve",
            "reject",
            "delegate",
            "undelivered",
            "page",
        },
    }


async def test_status_tells_the_health_of_every_part(desk: Desk) -> None:
    (message,) = await desk.says(OLGA, "/status")
    lines = [re.sub(r"\d+ s\b", "n s", line) for line in message["text"].splitlines()]
    assert lines[0] == f"Status · Countersign {__version__} · up n s"
    assert {
        "No connections you can see.",
        "Telegram: polling, last answer n s ago, last update n s ago",
        "Updates: 1 taken, 0 from strangers dropped, 0 refused",
        "Queues: 0 in, 0 out, 0 undeliverable",
        "Incidents since start: 0",
    } <= set(lines)
    assert any(re.fullmatch(r"Database: ok \(checked n s ago\), 0\.\d MB", line) for line in lines)
    assert list(buttons(message)) == ["Refresh"]


async def test_a_door_that_is_not_yours_stays_closed(desk: Desk) -> None:
    for door, person in (("connect", VERA), ("disconnect x", ANNA), ("invite viewer", OLGA)):
        answer = await desk.said(person, f"/{door}")
        assert re.fullmatch(r"That needs the right to [a-z ]+, which you do not have\. An admin can give it\.", answer)


async def test_every_door_says_in_the_menu_what_it_is_for() -> None:
    for door in DOORS_IN_ORDER:
        assert re.fullmatch(r"[a-z0-9_]{1,32}", door.command)
        assert 1 <= len(door.summary) <= 60
        assert door.example.split()[0] == f"/{door.command}"


# where it answers


async def test_an_answer_that_is_nobody_elses_business_goes_to_the_private_chat(desk: Desk) -> None:
    for command in ("balance", "positions", "connections", "status"):
        assert texts(await desk.says(OLGA, f"/{command}", GROUP)) == ["Sent to you privately."]
        assert desk.chat.from_bot(OLGA)[-1]["text"].startswith(("You can see no provider login yet", "Status"))
    assert len(desk.chat.from_bot(OLGA)) == 4


async def test_so_does_what_went_wrong_with_it(desk: Desk) -> None:
    assert texts(await desk.says(OLGA, "/balance secret-label", GROUP)) == ["Sent to you privately."]
    assert "secret-label" in texts(desk.chat.from_bot(OLGA))[0]


async def test_somebody_who_never_opened_a_private_chat_is_told_how(desk: Desk) -> None:
    await desk.chat.play("people", people=[{"id": VERA, "first_name": "Vera", "started": False}])
    assert texts(await desk.says(VERA, "/balance", GROUP)) == [
        "I cannot write to you privately yet. Open a private chat with me, press Start, and ask again."
    ]


async def test_what_belongs_into_the_private_chat_is_not_begun_in_a_group(desk: Desk) -> None:
    for words in ("/connect", "/disconnect capital/main", "/suspend Olga", "/join abc"):
        command = words.split()[0]
        assert texts(await desk.says(ADAM, words, GROUP)) == [f"{command} works in our private chat only."]
    assert desk.chat.from_bot(ADAM) == []


async def test_what_everybody_may_know_is_answered_in_the_group(desk: Desk) -> None:
    for words in ("/help", "/whoami"):
        assert len(await desk.says(OLGA, words, GROUP)) == 1


async def test_a_command_ends_where_telegram_says_it_ends(desk: Desk) -> None:
    command = [{"type": "bot_command", "offset": 0, "length": 7}]
    (answer,) = await desk.says(OLGA, "/WhoAmI,", entities=command)
    assert answer["text"] == OLGA_IS


async def test_a_comma_behind_a_command_is_no_word(desk: Desk) -> None:
    assert "nowhere" in await desk.said(OLGA, "/balance,nowhere")


async def test_a_command_for_another_bot_is_left_to_it(desk: Desk) -> None:
    for words in ("/balanse", "/balance@otherbot", "/start@otherbot x"):
        await desk.happens({"message": desk.chat.message_from(OLGA, words, GROUP)})
    assert desk.chat.from_bot(GROUP) == []


async def test_an_unknown_command_that_names_us_is_answered_in_the_group(desk: Desk) -> None:
    answers = await desk.says(OLGA, "/balanse@countersign_demo_bot", GROUP)
    assert texts(answers) == ["I do not know /balanse. Did you mean /balance?"]


# start is no way round


async def test_a_start_link_opens_the_greeting_and_nothing_else(desk: Desk) -> None:
    """F26."""
    for payload in ("invite_viewer", "/balance", "disconnect", "a" * 64, "connect capital", "../../x"):
        assert (await desk.said(ADAM, f"/start {payload}")).startswith("Hello Admin 1. This is"), payload
    assert desk.rooms.access.roster.invites == {}


# coming in


async def test_an_invitation_lets_one_person_in_once(desk: Desk) -> None:
    code = await _invited(desk, "viewer")
    await desk.chat.play("people", people=[{"id": NEW, "first_name": "Nora"}])
    assert await desk.said(NEW, f"/start {code}") == (
        "You are invited to Desk, as viewer.\n\n"
        "You would be known here as Nora. Send yes to come in under that name, or send another one."
    )
    assert await desk.said(NEW, "yes") == "Welcome, Nora. You are now a viewer here. /help shows what you can do."
    assert desk.person(NEW).roles == {Role.VIEWER}
    assert await desk.said(NEW, "/whoami") == (
        "You are Nora: viewer. You may read balances and positions.\nTelegram id 2001"
    )
    assert await desk.says(STRANGER, f"/join {code}") == []
    assert await desk.said(VERA, f"/join {code}") == (
        "That invitation is not known, was used already, or is too old. Ask an admin for a new one."
    )


async def test_a_code_that_comes_from_two_strangers_at_once_lets_in_one(desk: Desk) -> None:
    code = await _invited(desk, "operator")
    first, second = (desk.chat.message_from(number, f"/join {code}") for number in (NEW, NEW + 1))
    await desk.chat.play("people", people=[{"id": NEW, "first_name": "N"}, {"id": NEW + 1, "first_name": "M"}])
    await desk.happens({"message": first}, {"message": second})
    first, second = (desk.chat.message_from(number, name) for number, name in ((NEW, "Nora"), (NEW + 1, "Mona")))
    await desk.happens({"message": first}, {"message": second})
    answers = texts(desk.chat.from_bot(NEW)) + texts(desk.chat.from_bot(NEW + 1))
    assert len([one for one in answers if one.startswith("Welcome")]) == 1
    assert len([one for one in desk.rooms.access.roster.by_telegram_id if one in (NEW, NEW + 1)]) == 1


async def test_somebody_who_is_here_gains_the_role(desk: Desk) -> None:
    code = await _invited(desk, "operator")
    assert (await desk.said(VERA, f"/join {code}")).startswith("Welcome, Vera. You are now an operator")
    assert desk.person(VERA).roles == {Role.VIEWER, Role.OPERATOR}


async def test_an_invitation_is_good_for_a_day(desk: Desk) -> None:
    code = await _invited(desk, "viewer")
    desk.clock.ahead += timedelta(hours=24)
    assert await desk.says(STRANGER, f"/join {code}") == []
    assert desk.rooms.pulse.strangers == 1


NEAR_MISSES = (
    "/join {code} now",
    "please /join {code}",
    "/join {upper}",
    "/join {code}x",
    "/balance {code}",
    "{code}",
    "/join",
    "/start",
    "/join aaaaaaaaaaaaaaaaaaaaaaaaaa",
)


async def test_a_stranger_with_anything_but_the_exact_code_hears_nothing(desk: Desk) -> None:
    code = await _invited(desk, "viewer")
    for words in NEAR_MISSES:
        assert await desk.says(STRANGER, words.format(code=code, upper=code.upper())) == [], words
    assert desk.rooms.access.roster.person(STRANGER) is None


async def test_a_code_in_a_group_lets_nobody_in(desk: Desk) -> None:
    code = await _invited(desk, "viewer")
    for words in (f"/join {code}", f"/start {code}"):
        assert await desk.says(STRANGER, words, GROUP) == []
    answer = await desk.said(VERA, f"/start {code}", GROUP)
    assert answer.startswith("Hello Vera.")
    assert len(desk.rooms.access.roster.invites) == 1


async def test_only_the_roles_an_invitation_can_give(desk: Desk) -> None:
    for role in ("", "king", "viewer operator auditor", "Ｖiewer"):
        assert await desk.said(ADAM, f"/invite {role}".strip()) == (
            "Name one role: viewer, operator, approver, auditor, admin. For example: /invite viewer"
        )
    assert (await desk.said(ADAM, "/invite viewer finance")).startswith("Only an approver sits in an approver group.")
    assert desk.rooms.access.roster.invites == {}


async def test_the_code_is_kept_only_as_its_hash(desk: Desk) -> None:
    code = await _invited(desk, "viewer")
    await desk.rooms.inbox.flush()
    files = [path.read_bytes() for path in desk.rooms.config.data_dir.iterdir() if path.is_file()]
    assert not [one for one in files if code.encode() in one]


# words that mean harm


HOSTILE = {
    '</b><a href="tg://user?id=1">x</a>': "</b><a",
    "\u202egnp.exe": "?gnp.exe",
    "a\u200bb\u2066c": "a?b?c",
    "x\x00y": "x?y",
    "z" * 3000: "z" * 32 + "…",
    "&lt;b&gt;": "&lt;b&gt;",
    "'; DROP TABLE connections;--": "';",
    "%": "%",
}


async def test_hostile_words_come_back_as_they_are_with_nothing_hidden(desk: Desk) -> None:
    """F31, F32."""
    for word, shown in HOSTILE.items():
        (answer,) = await desk.says(OLGA, f"/disconnect {word.split()[0]}")
        assert answer["text"] == (
            f"There is no connection “{shown}” that you can see. You can see none yet: /connect links one."
        )
        assert {entity["type"] for entity in answer.get("entities", [])} <= {"bot_command"}


async def test_ten_thousand_words_are_too_many(desk: Desk) -> None:
    """F31."""
    assert await desk.said(OLGA, "/balance " + "a " * 2000) == "One name at most. For example: /balance capital"


async def test_a_hostile_name_is_shown_literally(desk: Desk) -> None:
    """F32."""
    code = await _invited(desk, "viewer")
    name = '</b><a href="tg://user?id=1">A&B\u202e</a>'
    message = desk.chat.message_from(NEW, f"/join {code}")
    message["from"]["first_name"] = name
    await desk.chat.play("people", people=[{"id": NEW, "first_name": "N"}])
    await desk.happens({"message": message})
    (welcome,) = await desk.says(NEW, "yes")
    text = welcome["text"].replace("\u2060", "")
    assert text.startswith('Welcome, </b><a href="tg://user?id=1">A&B </a>. You')
    assert [entity["type"] for entity in welcome["entities"]] == ["bold", "bot_command"]
    assert "\u202e" not in await desk.said(NEW, "/whoami")
    assert "\u202e" not in await desk.said(NEW, "/start")
