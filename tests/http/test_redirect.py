"""Logging in at Deriv's own page: from the link to several connections, in one browser and no other."""

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlencode, urlsplit

import httpx
import pytest

from bot.audit.model import Selection
from bot.operations.credentials import Wanted
from bot.operations.entry import Issued
from bot.operations.people import Doer
from bot.providers.records import Findings
from tests.support.chatting import ADAM, OLGA
from tests.support.site import Site, init_data, site

ACCOUNTS = ["CR900001", "CR900002", "VRTC900001"]


@pytest.fixture
async def deriv(tmp_path: Path) -> AsyncIterator[Site]:
    async with site(tmp_path, "deriv") as found:
        side = found.sides["deriv"]
        app = {"app_id": str(side.credentials["app_id"]), "redirect_uri": f"{found.origin}/oauth/deriv"}
        answer = await found.http.post(f"{side.control}/app", json=app)
        assert answer.status_code == 200
        yield found


def browser(site: Site) -> httpx.AsyncClient:
    """Somebody's browser, with a cookie jar of its own."""
    return httpx.AsyncClient(base_url=site.origin, trust_env=False, timeout=20, headers={"origin": site.origin})


async def sent_to_deriv(site: Site, one: httpx.AsyncClient, issued: Issued, **form: str) -> str:
    """Press "Log in at Deriv": where that leads."""
    answer = await one.post(site.path(issued), data={"code": issued.code.reveal(), "way": "login", **form})
    assert answer.status_code == 303, answer.text
    return answer.headers["location"]


async def allowed(one: httpx.AsyncClient, address: str) -> str:
    """Log in there: where Deriv sends the browser back to."""
    assert "asks for access" in (await one.get(address)).text
    answer = await one.post(address)
    assert answer.status_code == 302
    return answer.headers["location"]


async def sealed_on_the_way(site: Site) -> int:
    """How many logins lie sealed that nobody has linked yet."""
    (count,) = await site.rooms.database.read(
        lambda tables: tables.conn.execute("SELECT count(*) FROM sealed WHERE subject LIKE 'entry/%'").fetchone()
    )
    return int(count)


async def test_every_account_becomes_a_connection_of_its_own(deriv: Site) -> None:
    issued = await deriv.offered("deriv live main", "everyone at the desk")
    async with browser(deriv) as one:
        page = (await one.get(deriv.path(issued))).text
        assert "Log in at Deriv" in page
        address = await sent_to_deriv(deriv, one, issued)
        asked = parse_qs(urlsplit(address).query)
        assert set(asked) == {"app_id", "l", "state"}
        assert asked["app_id"] == [str(deriv.sides["deriv"].credentials["app_id"])]
        back = await allowed(one, address)
        assert [key for key, _ in parse_qsl(urlsplit(back).query, keep_blank_values=True)] == [
            *("acct1", "token1", "cur1", "acct2", "token2", "cur2", "acct3", "token3", "cur3", "state")
        ]
        tokens = re.findall(r"a1-\w+", back)
        answer = await one.get(back)
        assert (answer.status_code, answer.headers["location"]) == (303, "/oauth/deriv/accounts")
        assert answer.headers["referrer-policy"] == "no-referrer"
        assert answer.headers["cache-control"] == "no-store"
        choice = (await one.get("/oauth/deriv/accounts")).text
        for account, details in zip(
            ACCOUNTS, ("USD · real money", "BTC · real money", "USD · demo account"), strict=True
        ):
            assert f"<b>{account}</b><small>{details}</small>" in choice
        assert not [token for token in tokens if token in choice]
        done = await one.post("/oauth/deriv/accounts", data={"account": ACCOUNTS})
        assert done.status_code == 200
        assert not [token for token in tokens if token in done.text]
        assert "Linked Deriv deriv/cr900001: " in done.text
        assert not one.cookies
        assert (await one.get("/oauth/deriv/accounts")).status_code == 404
    assert await deriv.linked() == ["deriv/cr900001 (live)", "deriv/cr900002 (live)", "deriv/vrtc900001 (demo)"]
    assert (await deriv.http.get(deriv.path(issued))).status_code == 404
    assert await deriv.rooms.cards.draft(deriv.person().id) is None
    (told,) = [line for line in await deriv.said() if line.startswith(f"{OLGA}: ")]
    assert told.count("Linked Deriv") == 3
    assert await sealed_on_the_way(deriv) == 0
    assert [deed for deed in await deriv.deeds() if deed.startswith(("entry", "login"))] == [
        "entry.offered",
        "login.begun",
        "login.returned",
        "login.settled",
        "entry.used",
    ]
    content = b"".join(path.read_bytes() for path in deriv.rooms.config.data_dir.iterdir() if path.is_file())
    assert not [token for token in tokens if token.encode() in content]


async def test_only_what_was_chosen_is_linked(deriv: Site) -> None:
    issued = await deriv.offered("deriv live main")
    async with browser(deriv) as one:
        await one.get(await allowed(one, await sent_to_deriv(deriv, one, issued)))
        assert (await one.post("/oauth/deriv/accounts", data={"x": ""})).status_code == 422
        await one.post("/oauth/deriv/accounts", data={"account": ["CR900002", "CR900777"]})
    assert await deriv.linked() == ["deriv/cr900002 (live)"]


async def test_a_second_login_renews_the_first(deriv: Site) -> None:
    for _ in range(2):
        issued = await deriv.offered("deriv live main")
        async with browser(deriv) as one:
            await one.get(await allowed(one, await sent_to_deriv(deriv, one, issued)))
            done = await one.post("/oauth/deriv/accounts", data={"account": ["CR900001"]})
            assert done.status_code == 200
    assert "Gave a new login to Deriv deriv/cr900001" in done.text
    assert await deriv.linked() == ["deriv/cr900001 (live)"]


async def test_a_token_that_died_on_the_way_is_told_and_the_others_are_linked(deriv: Site) -> None:
    issued = await deriv.offered("deriv live main")
    async with browser(deriv) as one:
        back = await allowed(one, await sent_to_deriv(deriv, one, issued))
        await one.get(back)
        dead = parse_qs(urlsplit(back).query)["token2"][0]
        await deriv.http.post(f"{deriv.sides['deriv'].control}/expire-token", json={"token": dead})
        done = await one.post("/oauth/deriv/accounts", data={"account": ["CR900001", "CR900002"]})
    assert "Not everything was linked" in done.text
    assert "CR900002: Deriv does not accept this login (InvalidToken)." in done.text
    assert await deriv.linked() == ["deriv/cr900001 (live)"]


# whose login it is


async def refused(site: Site, one: httpx.AsyncClient, back: str) -> None:
    """Nothing is taken, and the address that holds the tokens is left all the same."""
    answer = await one.get(back)
    assert (answer.status_code, answer.headers["location"]) == (303, "/oauth/-/refused")
    page = await one.get(answer.headers["location"])
    assert "Nothing was linked, and what came back was thrown away" in page.text
    assert await site.linked() == []


async def test_a_login_that_another_browser_began_is_not_taken(deriv: Site) -> None:
    """Somebody sends their own link to the provider's page to somebody else: whose accounts would be whose?"""
    issued = await deriv.offered("deriv live main")
    async with browser(deriv) as mine, browser(deriv) as other:
        back = await allowed(other, await sent_to_deriv(deriv, mine, issued))
        await refused(deriv, other, back)
        theirs = await deriv.offered("deriv live main", to=ADAM)
        await sent_to_deriv(deriv, other, theirs)
        await refused(deriv, other, back)


async def test_accounts_somebody_else_logged_in_to_are_not_slipped_in(deriv: Site) -> None:
    issued = await deriv.offered("deriv live main")
    async with browser(deriv) as mine, browser(deriv) as other:
        theirs = await deriv.offered("deriv live main", to=ADAM)
        address = await sent_to_deriv(deriv, mine, issued)
        back = await allowed(other, await sent_to_deriv(deriv, other, theirs))
        await refused(deriv, mine, back)
        state = parse_qs(urlsplit(address).query)["state"][0]
        for wrong in ("", state[:-1], state.upper(), "x" * 64):
            query = [(key, wrong if key == "state" else value) for key, value in parse_qsl(urlsplit(back).query)]
            await refused(deriv, mine, f"/oauth/deriv?{urlencode(query)}")


@pytest.mark.parametrize(
    "query",
    [
        "",
        "acct1=CR1",
        "acct1=CR1&token1=&cur1=USD",
        "acct1=CR1&token1=a1-%3Cb%3E&cur1=USD",
        "acct1=%3Cb%3E&token1=a1-x&cur1=USD",
        "acct1=CR1&token1=a1-x&cur1=USD&acct2=CR2&cur2=USD",
        "acct1=CR1&token1=a1-x&cur1=USD&acct2=CR1&token2=a1-y&cur2=USD",
        "acct1=CR1&acct1=CR2&token1=a1-x&cur1=USD",
        "token=",
        "token=a%20b",
        "&".join(f"a{number}=1" for number in range(150)),
    ],
    ids=range(11),
)
async def test_what_is_not_as_documented_is_not_taken(deriv: Site, query: str) -> None:
    issued = await deriv.offered("deriv live main")
    async with browser(deriv) as one:
        state = parse_qs(urlsplit(await sent_to_deriv(deriv, one, issued)).query)["state"][0]
        await refused(deriv, one, f"/oauth/deriv?{query}&state={state}")


async def test_documented_lower_case_and_missing_currencies_are_taken(deriv: Site) -> None:
    issued = await deriv.offered("deriv live main")
    token = deriv.sides["deriv"].credentials["token_oauth"]
    async with browser(deriv) as one:
        state = parse_qs(urlsplit(await sent_to_deriv(deriv, one, issued)).query)["state"][0]
        await one.get(f"/oauth/deriv?acct1=cr900001&token1={token}&cur1=&state={state}")
        page = (await one.get("/oauth/deriv/accounts")).text
        assert "<b>CR900001</b><small>real money</small>" in page
        await one.post("/oauth/deriv/accounts", data={"account": ["CR900001"]})
    assert await deriv.linked() == ["deriv/cr900001 (live)"]


async def test_the_old_form_with_one_token_takes_the_name_of_the_draft(deriv: Site) -> None:
    issued = await deriv.offered("deriv live treasury")
    token = deriv.sides["deriv"].credentials["token_oauth"]
    async with browser(deriv) as one:
        state = parse_qs(urlsplit(await sent_to_deriv(deriv, one, issued)).query)["state"][0]
        await one.get(f"/oauth/deriv?token={token}&state={state}")
        done = await one.post("/oauth/deriv/accounts", data={"account": [""]})
        assert done.status_code == 200
    assert await deriv.linked() == ["deriv/treasury (live)"]


async def test_coming_back_twice_or_too_late_brings_nothing_new(deriv: Site) -> None:
    issued = await deriv.offered("deriv live main")
    async with browser(deriv) as one:
        back = await allowed(one, await sent_to_deriv(deriv, one, issued))
        assert (await one.get(back)).headers["location"] == "/oauth/deriv/accounts"
        await refused(deriv, one, back)
        deriv.clock.ahead_by(601)
        assert (await one.get("/oauth/deriv/accounts")).status_code == 404
        await deriv.rooms.logins.expire()
        assert await deriv.rooms.database.read(lambda tables: tables["sealed"].count) == 0


async def test_what_nobody_went_on_with_is_erased_when_its_time_is_over_and_that_is_recorded(deriv: Site) -> None:
    issued = await deriv.offered("deriv live main")
    async with browser(deriv) as one:
        await one.get(await allowed(one, await sent_to_deriv(deriv, one, issued)))
    deriv.clock.ahead_by(540)
    assert await deriv.rooms.logins.expire() == 0
    assert await sealed_on_the_way(deriv) == 3

    deriv.clock.ahead_by(61)
    assert await deriv.rooms.logins.expire() == 1
    assert await sealed_on_the_way(deriv) == 0
    page = await deriv.rooms.auditing.page(Selection())
    (row,) = [row for row in page.rows if row.action == "login.abandoned"]
    assert (row.object, row.details["accounts"]) == (f"person/{deriv.person().id}", 3)


async def test_a_login_begun_and_not_come_back_from_leaves_nothing_and_erases_nothing(deriv: Site) -> None:
    issued = await deriv.offered("deriv live main")
    async with browser(deriv) as one:
        await sent_to_deriv(deriv, one, issued)
    deriv.clock.ahead_by(601)
    assert await deriv.rooms.logins.expire() == 1
    assert "login.abandoned" not in await deriv.deeds()


async def test_a_suspension_erases_what_was_handed_over_and_not_linked_yet(deriv: Site) -> None:
    issued = await deriv.offered("deriv live main")
    async with browser(deriv) as one:
        await one.get(await allowed(one, await sent_to_deriv(deriv, one, issued)))
    assert await sealed_on_the_way(deriv) == 3
    adam = Doer(deriv.person(ADAM), ADAM, f"m/{ADAM}/1")
    await deriv.rooms.people.suspend(adam, deriv.person().id)
    assert await sealed_on_the_way(deriv) == 0


async def loses_the_right(deriv: Site) -> None:
    await deriv.rooms.database.write(lambda tables: tables.conn.execute("UPDATE roles SET role = 'viewer'"))
    await deriv.rooms.access.refresh()


async def gives_up(deriv: Site) -> None:
    await deriv.rooms.linking.cancel(deriv.person())


async def begins_something_else(deriv: Site) -> None:
    await deriv.rooms.linking.begin(deriv.person(), ["crm", "live"])


@pytest.fixture
def then(deriv: Site, monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[Site], Awaitable[None]]], list[str]]:
    """Let something happen once the first account is linked; names the accounts that are tried."""

    def arrange(meanwhile: Callable[[Site], Awaitable[None]]) -> list[str]:
        credentials, tried = deriv.rooms.credentials, list[str]()
        link, try_out = credentials.link, credentials.try_out

        async def linked(*arguments: Any, **named: Any) -> Any:
            result = await link(*arguments, **named)
            await meanwhile(deriv)
            return result

        async def tried_out(wanted: Wanted) -> Findings:
            tried.append(wanted.label)
            return await try_out(wanted)

        monkeypatch.setattr(credentials, "link", linked)
        monkeypatch.setattr(credentials, "try_out", tried_out)
        return tried

    return arrange


@pytest.mark.parametrize("meanwhile", [loses_the_right, gives_up, begins_something_else])
async def test_between_two_accounts_it_is_asked_whether_the_person_still_links(
    deriv: Site,
    then: Callable[[Callable[[Site], Awaitable[None]]], list[str]],
    meanwhile: Callable[[Site], Awaitable[None]],
) -> None:
    issued = await deriv.offered("deriv live main")
    tried = then(meanwhile)
    async with browser(deriv) as one:
        await one.get(await allowed(one, await sent_to_deriv(deriv, one, issued)))
        done = await one.post("/oauth/deriv/accounts", data={"account": ACCOUNTS})
    assert tried == ["cr900001"]
    assert await deriv.linked() == ["deriv/cr900001 (live)"]
    assert done.text.count("not being linked any more") == 2
    assert await sealed_on_the_way(deriv) == 0


async def test_a_draft_begun_meanwhile_outlives_the_end_of_the_one_before(
    deriv: Site, then: Callable[[Callable[[Site], Awaitable[None]]], list[str]]
) -> None:
    issued = await deriv.offered("deriv live main")
    then(begins_something_else)
    async with browser(deriv) as one:
        await one.get(await allowed(one, await sent_to_deriv(deriv, one, issued)))
        await one.post("/oauth/deriv/accounts", data={"account": ACCOUNTS})
    draft = await deriv.rooms.cards.draft(deriv.person().id)
    assert draft is not None
    assert draft.body["provider"] == "crm"


async def test_giving_up_in_the_chat_ends_it(deriv: Site) -> None:
    issued = await deriv.offered("deriv live main")
    async with browser(deriv) as one:
        back = await allowed(one, await sent_to_deriv(deriv, one, issued))
        await deriv.rooms.linking.cancel(deriv.person())
        await refused(deriv, one, back)


async def test_pressing_twice_links_once(deriv: Site) -> None:
    issued = await deriv.offered("deriv live main")
    async with browser(deriv) as one:
        await one.get(await allowed(one, await sent_to_deriv(deriv, one, issued)))
        both = await asyncio.gather(
            *(one.post("/oauth/deriv/accounts", data={"account": ["CR900001"]}) for _ in range(2))
        )
    assert sorted(answer.status_code for answer in both) == [200, 404]
    assert await deriv.linked() == ["deriv/cr900001 (live)"]


# the way there


async def test_the_provider_is_not_gone_to_without_the_code(deriv: Site) -> None:
    issued = await deriv.offered("deriv live main")
    wrong = f"{(int(issued.code.reveal()) + 1) % 10**6:06}"
    async with browser(deriv) as one:
        answer = await one.post(deriv.path(issued), data={"code": wrong, "way": "login"})
        assert answer.status_code == 403
        assert "4 tries are left" in answer.text
        assert not one.cookies
        form = {"init_data": init_data(OLGA, deriv.clock.now()), "way": "login"}
        assert (await one.post(deriv.path(issued), data=form)).status_code == 303


async def test_the_cookie_is_kept_from_scripts_and_other_sites(tmp_path: Path) -> None:
    async with site(tmp_path, "deriv", public="https://bot.example.com") as deriv:
        issued = await deriv.offered("deriv live main")
        form = {"code": issued.code.reveal(), "way": "login"}
        answer = await deriv.post(deriv.path(issued), form)
        cookie = answer.headers["set-cookie"]
        assert re.fullmatch(
            r"__Host-countersign=[\w-]{43}; HttpOnly; Max-Age=600; Path=/; SameSite=lax; Secure", cookie
        )
        secret = cookie.partition("=")[2][:43]
        assert secret not in answer.headers["location"]


async def test_inside_a_frame_the_provider_is_not_offered(deriv: Site) -> None:
    issued = await deriv.offered("deriv live main")
    page = await deriv.http.get(deriv.path(issued), headers={"sec-fetch-dest": "iframe"})
    assert "Log in at Deriv" not in page.text
    page = await deriv.http.get(deriv.path(issued), headers={"sec-fetch-dest": "document"})
    assert "Log in at Deriv" in page.text
    assert f"form-action 'self' {deriv.sides['deriv'].http};" in page.headers["content-security-policy"]


async def test_providers_without_such_a_page_have_none(tmp_path: Path) -> None:
    async with site(tmp_path) as pages:
        for words in ("crm live main", "capital demo main", "deriv live main"):
            issued = await pages.offered(words)
            assert "Log in at" not in (await pages.http.get(pages.path(issued))).text
            form = {"code": issued.code.reveal(), "way": "login"}
            answer = await pages.asked(pages.path(issued), form)
            assert answer["said"] == "This provider has no login page for that."
