"""The one-time page: who gets in, for how long, and what may come through it."""

import asyncio
import hashlib
import json
from collections.abc import Awaitable, Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import httpx
import pytest

from bot.operations.entry import Issued
from tests.support.chatting import ADAM, ANNA, OLGA
from tests.support.site import Site, init_data, site

GONE = "This link was used, is too old, or was never made; /connect makes a new one."
WRONG_KEY = "wrong-canary-key-1234"


def key_of(pages: Site) -> str:
    return str(pages.sides["crm"].credentials["api_key"])


def by_code(pages: Site, issued: Issued, key: str = "") -> dict[str, str]:
    return {"code": issued.code.reveal(), "f.api_key": key or key_of(pages)}


def by_telegram(pages: Site, user: int = OLGA, key: str = "") -> dict[str, str]:
    return {"init_data": init_data(user, pages.clock.now()), "f.api_key": key or key_of(pages)}


async def is_gone(pages: Site, issued: Issued) -> bool:
    shown = await pages.http.get(pages.path(issued))
    sent = await pages.post(pages.path(issued), by_code(pages, issued))
    assert shown.status_code == sent.status_code
    assert (GONE in shown.text) == (GONE in sent.text) == (shown.status_code == 404)
    return shown.status_code == 404


# to the end


async def test_a_login_is_entered_in_a_browser_with_the_code_from_the_chat(pages: Site) -> None:
    issued = await pages.offered()
    shown = await pages.http.get(pages.path(issued))
    assert shown.status_code == 200
    assert "crm/main · real money" in shown.text
    done = await pages.post(pages.path(issued), by_code(pages, issued))
    assert done.status_code == 200
    assert "Linked Broctagon CRM crm/main: 7 clients." in done.text
    assert await pages.linked() == ["crm/main (live)"]
    assert await pages.rooms.cards.draft(pages.person().id) is None
    assert next(line for line in await pages.said() if line.startswith(f"{OLGA}: ")).startswith(
        f"{OLGA}: Entered on the page. Linked Broctagon CRM crm/main: 7 clients."
    )
    assert [deed for deed in await pages.deeds() if deed.startswith(("entry", "connection"))] == [
        "entry.offered",
        "connection.linked",
        "entry.used",
    ]


async def test_a_login_is_entered_inside_telegram_without_a_code(pages: Site) -> None:
    issued = await pages.offered()
    answer = await pages.asked(pages.path(issued), by_telegram(pages))
    assert answer["state"] == "done"
    assert answer["said"].startswith("Linked Broctagon CRM crm/main: 7 clients.")
    assert await pages.linked() == ["crm/main (live)"]


async def test_a_code_is_read_as_it_is_shown_with_its_blank(pages: Site) -> None:
    issued = await pages.offered()
    code = issued.code.reveal()
    form = by_code(pages, issued) | {"code": f" {code[:3]} {code[3:]}\u00a0"}
    assert (await pages.post(pages.path(issued), form)).status_code == 200


async def test_only_the_operators_own_draft_decides_what_is_linked(pages: Site) -> None:
    """What else a form says about it is not read."""
    issued = await pages.offered("crm demo clients", "everyone at the desk")
    form = by_code(pages, issued) | {"provider": "deriv", "label": "main", "environment": "live", "f.app_id": "1"}
    await pages.post(pages.path(issued), form)
    assert await pages.linked() == ["crm/clients (demo)"]


# the life of a link


async def test_looking_uses_nothing_up_and_linking_does(pages: Site) -> None:
    issued = await pages.offered()
    for _ in range(3):
        assert (await pages.http.get(pages.path(issued))).status_code == 200
    assert (await pages.post(pages.path(issued), by_code(pages, issued))).status_code == 200
    assert await is_gone(pages, issued)
    assert await pages.linked() == ["crm/main (live)"]


async def test_it_lives_ten_minutes(pages: Site) -> None:
    issued = await pages.offered()
    pages.clock.ahead_by(595)
    assert (await pages.http.get(pages.path(issued))).status_code == 200
    pages.clock.ahead_by(6)
    assert await is_gone(pages, issued)
    assert await pages.rooms.entries.prune() == 1
    assert await pages.rooms.database.read(lambda tables: tables["entry_links"].count) == 0


async def test_a_used_link_stays_used_even_if_its_draft_comes_back(pages: Site) -> None:
    issued, person = await pages.offered(), pages.person()
    draft = await pages.rooms.cards.draft(person.id)
    assert draft is not None
    assert (await pages.post(pages.path(issued), by_code(pages, issued))).status_code == 200
    await pages.rooms.cards.save(draft)
    assert await is_gone(pages, issued)


async def test_a_new_link_ends_the_one_before(pages: Site) -> None:
    first = await pages.offered()
    second = await pages.rooms.entries.issue(pages.person(), OLGA)
    assert await is_gone(pages, first)
    assert not await is_gone(pages, second)


async def test_beginning_anew_ends_a_link_before_there_is_another(pages: Site) -> None:
    issued, person = await pages.offered(), pages.person()
    await pages.rooms.linking.begin(person, ["crm", "live", "main"])
    await pages.rooms.linking.answer(person, "only me", pages.rooms.access.roster, origin="x", telegram_id=OLGA)
    assert await is_gone(pages, issued)


async def test_giving_up_or_going_on_in_the_chat_ends_it(pages: Site) -> None:
    issued, person = await pages.offered(), pages.person()
    assert await pages.rooms.linking.cancel(person)
    assert await is_gone(pages, issued)
    issued = await pages.offered()
    roster = pages.rooms.access.roster
    await pages.rooms.linking.answer(person, "type it here instead", roster, origin="x", telegram_id=OLGA)
    assert await is_gone(pages, issued)


async def test_whoever_was_suspended_enters_nothing(pages: Site) -> None:
    issued = await pages.offered()
    await pages.rooms.database.write(
        lambda tables: tables.conn.execute("UPDATE persons SET state = 'suspended' WHERE name = 'Olga'")
    )
    await pages.rooms.access.refresh()
    assert await is_gone(pages, issued)


async def test_whoever_may_not_link_any_more_enters_nothing(pages: Site) -> None:
    issued = await pages.offered()
    await pages.rooms.database.write(lambda tables: tables.conn.execute("UPDATE roles SET role = 'viewer'"))
    await pages.rooms.access.refresh()
    assert await is_gone(pages, issued)


@pytest.mark.parametrize("token", ["x", "x" * 43, "x" * 5000, "%00", "..%2f..%2fetc", "é"])
async def test_a_guess_leads_nowhere_and_is_told_the_same(pages: Site, token: str) -> None:
    answer = await pages.http.get(f"/enter/{token}")
    assert answer.status_code == 404
    assert "root:" not in answer.text


async def test_the_database_knows_a_link_by_its_hash_and_a_code_not_at_all(pages: Site) -> None:
    issued = await pages.offered()
    token, code = issued.token.reveal(), issued.code.reveal()
    assert len(token) == 43
    row = await pages.rooms.database.read(lambda tables: next(iter(tables["entry_links"].rows)))
    assert row["token_hash"] == hashlib.sha256(token.encode()).hexdigest()
    assert row["code_hash"] != hashlib.sha256(code.encode()).hexdigest()
    folder = pages.rooms.config.data_dir
    content = b"".join(path.read_bytes() for path in folder.iterdir() if path.is_file())
    assert token.encode() not in content
    assert code not in json.dumps(row["body"])


# who gets in


async def test_four_wrong_codes_are_borne_and_the_fifth_ends_the_link(pages: Site) -> None:
    issued = await pages.offered()
    wrong = f"{(int(issued.code.reveal()) + 1) % 10**6:06}"
    told = [(await pages.asked(pages.path(issued), by_code(pages, issued) | {"code": wrong}))["said"] for _ in range(5)]
    assert told[0] == "That is not the code from the chat; 4 tries are left."
    assert told[3] == "That is not the code from the chat; 1 try is left."
    assert told[4] == GONE
    assert await is_gone(pages, issued)
    assert (await pages.said())[-1].startswith(f"{OLGA}: Link ended. The link for crm/main is dead: five wrong codes")
    assert (await pages.deeds())[-1] == "entry.ended"
    assert await pages.linked() == []


async def test_fifty_guesses_at_once_are_no_more_than_five(pages: Site) -> None:
    issued = await pages.offered()
    right = int(issued.code.reveal())
    guesses = [f"{(right + 1 + step) % 10**6:06}" for step in range(50)] + [issued.code.reveal()]
    forms = [by_code(pages, issued) | {"code": guess} for guess in guesses]
    answers = await asyncio.gather(*(pages.asked(pages.path(issued), form) for form in forms[:50]))
    assert sum("left" in answer["said"] for answer in answers) == 4
    assert (await pages.asked(pages.path(issued), forms[50]))["state"] == "over"
    assert await pages.linked() == []


@pytest.mark.parametrize("code", ["", "12345", "1234567", "12345a", "１２３４５６", "0x1234", "-12345"])
async def test_what_cannot_be_a_code_is_not_counted(pages: Site, code: str) -> None:
    issued = await pages.offered()
    for _ in range(6):
        answer = await pages.asked(pages.path(issued), by_code(pages, issued) | {"code": code})
        assert answer["said"] == "Please enter the six digits from the chat."
    assert not await is_gone(pages, issued)


@pytest.mark.parametrize("user", [ADAM, ANNA, 6666])
async def test_somebody_elses_telegram_does_not_open_it(pages: Site, user: int) -> None:
    issued = await pages.offered()
    answer = await pages.asked(pages.path(issued), by_telegram(pages, user))
    assert (answer["state"], answer["said"]) == ("again", "This link is somebody else's.")
    assert await pages.linked() == []


async def test_somebody_elses_tries_are_told_to_the_owner_recorded_and_counted(pages: Site) -> None:
    issued = await pages.offered()
    for user in (ADAM, ADAM, 6666, 6666):
        assert (await pages.asked(pages.path(issued), by_telegram(pages, user)))["state"] == "again"
    assert [line for line in await pages.said() if "tried by somebody else" in line] == [
        f"{OLGA}: Your link was tried by somebody else. The link for crm/main was tried in Telegram by {who}. "
        "They were not let in, but they know the link."
        for who in (f"Admin 1 (Telegram id {ADAM})", "somebody this desk does not know (Telegram id 6666)")
    ]
    rows = await pages.rooms.database.read(
        lambda tables: tables.conn.execute(
            "SELECT person_id, telegram_id, object FROM audit WHERE action = 'entry.refused' ORDER BY seq"
        ).fetchall()
    )
    adam = pages.person(ADAM).id
    assert rows == [(adam, ADAM, "crm/main")] * 2 + [(None, 6666, "crm/main")] * 2

    assert (await pages.asked(pages.path(issued), by_telegram(pages, 6666)))["said"] == GONE
    assert await is_gone(pages, issued)
    assert (await pages.deeds())[-1] == "entry.ended"
    assert "Link ended" in (await pages.said())[-1]


async def test_forged_words_of_telegram_are_wrong_tries_like_any_other(pages: Site) -> None:
    issued = await pages.offered()
    wrong = f"{(int(issued.code.reveal()) + 1) % 10**6:06}"
    forged = {"init_data": init_data(OLGA, pages.clock.now(), token="1:another"), "f.api_key": key_of(pages)}
    for _ in range(3):
        assert (await pages.asked(pages.path(issued), forged))["state"] == "again"
    left = await pages.asked(pages.path(issued), by_code(pages, issued) | {"code": wrong})
    assert left["said"] == "That is not the code from the chat; 1 try is left."
    assert (await pages.asked(pages.path(issued), forged))["said"] == GONE
    assert await is_gone(pages, issued)
    assert (await pages.deeds()).count("entry.refused") == 4


async def test_the_owners_page_that_was_open_too_long_is_no_wrong_try(pages: Site) -> None:
    issued = await pages.offered()
    form = by_telegram(pages)
    pages.clock.ahead_by(301)
    for _ in range(6):
        assert (await pages.asked(pages.path(issued), form))["state"] == "again"
    assert not await is_gone(pages, issued)
    assert "entry.refused" not in await pages.deeds()


async def test_what_telegram_said_long_ago_is_asked_for_again(pages: Site) -> None:
    issued = await pages.offered()
    form = by_telegram(pages)
    pages.clock.ahead_by(301)
    answer = await pages.asked(pages.path(issued), form)
    assert answer == {
        "state": "again",
        "said": "Telegram opened this page more than five minutes ago; open it again from the chat, or enter the code.",
        "fields": {},
        "ask_code": True,
    }
    assert (await pages.asked(pages.path(issued), by_code(pages, issued)))["state"] == "done"


async def test_what_does_not_come_from_telegram_is_not_helped_by_the_right_code(pages: Site) -> None:
    issued = await pages.offered()
    form = by_code(pages, issued) | {"init_data": init_data(OLGA, pages.clock.now(), token="1:another")}
    answer = await pages.asked(pages.path(issued), form)
    assert answer["said"] == "This does not come from Telegram; enter the code from the chat."
    assert await pages.linked() == []


# what comes through


async def test_a_wrong_login_is_told_and_another_try_may_follow(pages: Site) -> None:
    issued = await pages.offered()
    for _ in range(2):
        answer = await pages.post(pages.path(issued), by_code(pages, issued, WRONG_KEY))
        assert answer.status_code == 422
        assert "Broctagon CRM does not accept this login (" in answer.text
        assert "Nothing was kept." in answer.text
        assert WRONG_KEY not in answer.text
    assert await pages.rooms.database.read(lambda tables: tables["sealed"].count) == 0
    assert (await pages.post(pages.path(issued), by_code(pages, issued))).status_code == 200


async def test_a_provider_that_is_away_keeps_nothing_and_the_link_stays(tmp_path: Path) -> None:
    async with site(tmp_path) as pages:
        issued = await pages.offered()
        answer = await pages.asked(pages.path(issued), by_code(pages, issued, "some-api-key-1234"))
        assert answer["state"] == "again"
        assert answer["said"] == "Broctagon CRM could not be reached. Try again in a minute. Nothing was kept."


async def test_each_field_says_what_is_wrong_with_it_without_repeating_it(tmp_path: Path) -> None:
    async with site(tmp_path) as pages:
        issued = await pages.offered("deriv live main")
        form = {"code": issued.code.reveal(), "f.app_id": "app-canary", "f.token": "two words, canary!"}
        answer = await pages.asked(pages.path(issued), form)
        assert answer["fields"] == {
            "f.app_id": "That does not look like the App ID.",
            "f.token": "That does not look like the API token.",
        }
        page = await pages.post(pages.path(issued), form)
        assert page.status_code == 422
        assert "That does not look like the API token." in page.text
        assert "canary" not in page.text
        answer = await pages.asked(pages.path(issued), {"code": issued.code.reveal()})
        assert answer["fields"] == {"f.app_id": "This is needed.", "f.token": "This is needed."}


async def test_the_same_form_sent_twice_links_once(pages: Site) -> None:
    issued = await pages.offered()
    form = by_code(pages, issued)
    answers = await asyncio.gather(*(pages.asked(pages.path(issued), form) for _ in range(6)))
    assert [answer["state"] for answer in answers].count("done") == 1
    assert {answer["said"] for answer in answers if answer["state"] != "done"} <= {
        "This login is being tried already; wait a moment.",
        GONE,
    }
    assert await pages.linked() == ["crm/main (live)"]


async def test_a_label_taken_meanwhile_ends_it(pages: Site) -> None:
    issued = await pages.offered()
    adam = await pages.offered(to=ADAM)
    assert (await pages.post(pages.path(adam), by_code(pages, adam))).status_code == 200
    answer = await pages.asked(pages.path(issued), by_code(pages, issued))
    assert answer["state"] == "over"
    assert answer["said"].startswith("There is a connection crm/main already")
    assert await is_gone(pages, issued)


# what a browser is told


class Seen(HTMLParser):
    """Everything of a page that could run, be loaded, or hold a value."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.loaded: list[str] = []
        self.wrong: list[str] = []
        self.values: dict[str, str] = {}
        self.secret_inputs: list[str] = []
        self._inside = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        self._inside = tag
        self.wrong += [name for name in given if name.startswith("on") or name in ("style", "srcdoc", "action")]
        self.loaded += [given[name] for name in ("src", "href") if name in given]
        if tag == "script" and "src" not in given:
            self.wrong.append("a script without src")
        if tag == "input":
            self.values[given["name"]] = given.get("value", "")
            if given.get("type") == "password":
                self.secret_inputs.append(given["name"])
                assert given["autocomplete"] == "off"

    def handle_data(self, data: str) -> None:
        if self._inside in ("script", "style") and data.strip():
            self.wrong.append(f"content in {self._inside}")

    def handle_endtag(self, tag: str) -> None:
        self._inside = ""


@pytest.mark.parametrize(
    ("words", "secret"),
    [
        ("capital demo main", ["f.api_key", "f.password"]),
        ("deriv live main", ["f.token"]),
        ("cryptocapital main", ["f.private_key"]),
        ("crm live main", ["f.api_key"]),
    ],
)
async def test_every_providers_form_is_plain_and_loads_nothing_from_elsewhere(
    pages: Site, words: str, secret: list[str]
) -> None:
    issued = await pages.offered(words)
    answer = await pages.http.get(pages.path(issued))
    seen = Seen(answer.text)
    assert seen.wrong == []
    assert set(seen.loaded) == {"/page/mark.svg", "/page/entry.css", "/page/entry.js"}
    assert seen.secret_inputs == secret
    assert {name: value for name, value in seen.values.items() if value} in ({}, {"f.app_id": "1089"})
    assert issued.token.reveal() not in answer.text
    assert issued.code.reveal() not in answer.text


HEADERS = {
    "cache-control": "no-store",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "content-security-policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors https://web.telegram.org",
}


async def test_the_page_may_load_its_own_and_be_framed_by_telegram_only(pages: Site) -> None:
    issued = await pages.offered()
    found: list[httpx.Response] = [
        await pages.http.get(pages.path(issued)),
        await pages.post(pages.path(issued), {}),
        await pages.http.get("/enter/x"),
    ]
    for answer in found:
        assert {name: answer.headers[name] for name in HEADERS} == HEADERS
        assert "strict-transport-security" not in answer.headers
        assert "server" not in answer.headers
        assert "set-cookie" not in answer.headers
    for name, kind in (("entry.css", "text/css"), ("entry.js", "text/javascript"), ("mark.svg", "image/svg+xml")):
        answer = await pages.http.get(f"/page/{name}")
        assert (answer.status_code, answer.headers["content-type"].partition(";")[0]) == (200, kind)
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]
    for name in ("../pages.py", "..%2fpages.py", "entry.html"):
        assert (await pages.http.get(f"/page/{name}")).status_code == 404


async def test_behind_tls_browsers_are_told_to_stay_there(tmp_path: Path) -> None:
    async with site(tmp_path, public="https://bot.example.com") as pages:
        issued = await pages.offered()
        answer = await pages.http.get(pages.path(issued))
        assert answer.headers["strict-transport-security"] == "max-age=31536000"


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"origin": "https://evil.example"}, 403),
        ({"origin": ""}, 403),
        ({"origin": "null"}, 403),
        ({"sec_fetch_site": "cross-site"}, 403),
        ({"sec_fetch_site": "same-site"}, 403),
        ({"sec_fetch_site": "none"}, 403),
        ({"origin": "https://evil.example", "sec_fetch_site": "same-origin"}, 403),
        ({"origin": "null", "sec_fetch_site": "same-origin"}, 200),
        ({"origin": "", "sec_fetch_site": "same-origin"}, 200),
        ({"content_type": "application/json"}, 400),
        ({"content_type": "text/plain"}, 400),
        ({"content_type": "multipart/form-data; boundary=x"}, 400),
    ],
)
async def test_a_form_is_taken_from_this_page_only(pages: Site, headers: dict[str, str], status: int) -> None:
    issued = await pages.offered()
    answer = await pages.post(pages.path(issued), by_code(pages, issued), **headers)
    assert answer.status_code == status
    assert await pages.linked() == (["crm/main (live)"] if status == 200 else [])


async def test_a_field_twice_is_no_form(pages: Site) -> None:
    issued = await pages.offered()
    pairs = [*by_code(pages, issued).items(), ("f.api_key", "another")]
    assert (await pages.post(pages.path(issued), pairs)).status_code == 400


async def test_a_body_of_sixteen_kilobytes_is_read_and_one_more_byte_is_not(pages: Site) -> None:
    issued = await pages.offered()
    for size, status in ((16_384, 422), (16_385, 413)):
        form = f"code={issued.code.reveal()}&f.api_key="
        body = form + "x" * (size - len(form))
        headers = {"origin": pages.origin, "content-type": "application/x-www-form-urlencoded"}
        try:
            answer = await pages.http.post(pages.path(issued), content=body, headers=headers)
        except httpx.HTTPError:  # it was told 413 while it was still sending
            assert status == 413
        else:
            assert answer.status_code == status


async def test_what_is_unforeseen_gets_a_number_and_shows_nothing(
    pages: Site, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    issued = await pages.offered()

    async def broken(*_: object) -> None:
        raise RuntimeError("canary of the inside")

    monkeypatch.setattr(pages.rooms.entries, "submit", broken)
    answer = await pages.post(pages.path(issued), by_code(pages, issued))
    assert answer.status_code == 500
    assert "Tell an admin: incident " in answer.text
    assert "canary" not in answer.text
    assert "incident on a page" in caplog.text
    assert issued.token.reveal() not in caplog.text
    assert key_of(pages) not in caplog.text


async def _while_it_is_tried(
    pages: Site, monkeypatch: pytest.MonkeyPatch, meanwhile: Callable[[], Awaitable[Any]]
) -> None:
    """The form is sent; `meanwhile` happens after the provider said yes, and before the login is kept."""
    issued = await pages.offered()
    credentials = pages.rooms.credentials
    tried, go_on = asyncio.Event(), asyncio.Event()
    really = credentials.try_out

    async def try_out(wanted: Any) -> Any:
        findings = await really(wanted)
        tried.set()
        await go_on.wait()
        return findings

    monkeypatch.setattr(credentials, "try_out", try_out)
    form = {"code": issued.code.reveal(), "f.api_key": str(pages.sides["crm"].credentials["api_key"])}
    sending = asyncio.create_task(pages.post(pages.path(issued), form))
    await asyncio.wait_for(tried.wait(), 10)
    await meanwhile()
    go_on.set()
    await sending


async def test_cancelled_while_it_is_tried_nothing_is_kept(pages: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    await _while_it_is_tried(pages, monkeypatch, lambda: pages.rooms.linking.cancel(pages.person()))
    assert await pages.linked() == []


async def test_suspended_while_it_is_tried_nothing_is_kept(pages: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    number = pages.person().id

    async def suspended() -> None:
        await pages.rooms.database.write(
            lambda tables: tables.conn.execute("UPDATE persons SET state = 'suspended' WHERE id = ?", (number,))
        )
        await pages.rooms.access.refresh()

    await _while_it_is_tried(pages, monkeypatch, suspended)
    assert await pages.linked() == []


async def test_what_was_begun_while_it_is_tried_stands(pages: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    person = pages.person()
    await _while_it_is_tried(pages, monkeypatch, lambda: pages.rooms.linking.begin(person, ["deriv"]))
    assert await pages.rooms.linking.waiting(person) is not None
    assert await pages.linked() == []
