"""/connect where the bot has a page of its own: the page comes first, and what is typed meanwhile does not stay."""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest

from bot import http
from bot.loopback.ports import free_port
from handlers import failures
from tests.support.chatting import (
    GROUP,
    NO_PACING,
    OLGA,
    Chat,
    Desk,
    Message,
    at_work,
    configured,
    providers,
    texts,
    until,
)
from tests.support.site import init_data

HERE = "Type it here instead"


@asynccontextmanager
async def _desk(tmp_path: Path, chat: Chat, *names: str, public: str = "") -> AsyncIterator[Desk]:
    port = free_port()
    web = f'[web]\npublic_url = "{public or f"http://127.0.0.1:{port}"}"\nlisten = "127.0.0.1:{port}"'
    async with providers(*names) as sides:
        config = configured(tmp_path, chat, sides, more=f"{NO_PACING}\n{web}")
        async with at_work(config, chat, sides) as desk:
            assert desk.rooms.config.web is not None
            async with http.serving([http.pages(desk.rooms, desk.rooms.config.web, failures.sentence)]):
                yield desk


@pytest.fixture
async def with_page(tmp_path: Path, chat: Chat) -> AsyncIterator[Desk]:
    async with _desk(tmp_path, chat, "crm") as desk:
        yield desk


def keys(message: Message) -> list[dict[str, object]]:
    return [key for row in message["reply_markup"]["inline_keyboard"] for key in row]


def data_of(message: Message, label: str) -> str:
    (key,) = [key for key in keys(message) if key["text"] == label]
    return str(key["callback_data"])


async def offer(desk: Desk, words: str = "crm live main") -> Message:
    """As far as the offer of the page."""
    await desk.says(OLGA, f"/connect {words}")
    (message,) = await desk.says(OLGA, "only me")
    return message


def link_in(message: Message) -> str:
    (link,) = re.findall(r"http://\S+/enter/[\w-]{43}", message["text"])
    return str(link)


def code_in(message: Message) -> str:
    (code,) = re.findall(r"asks for the code (\d{3} \d{3})$", message["text"])
    return str(code)


async def test_the_page_is_offered_first_and_typing_second(with_page: Desk) -> None:
    message = await offer(with_page)
    assert message["text"].startswith("Broctagon CRM crm/main: please enter the login on the secure page")
    assert "ends in 10 minutes" in message["text"]
    assert message["has_protected_content"] is True
    page, here = keys(message)
    assert page == {"text": "Open the secure page", "web_app": {"url": link_in(message)}}
    assert here["text"] == HERE


async def test_from_the_chat_to_the_page_and_back(with_page: Desk) -> None:
    message = await offer(with_page)
    form = {"code": code_in(message), "f.api_key": with_page.sides["crm"].credentials["api_key"]}
    async with httpx.AsyncClient(trust_env=False) as browser:
        answer = await browser.post(link_in(message), data=form, headers={"sec-fetch-site": "same-origin"})
    assert "Linked Broctagon CRM crm/main: 7 clients." in answer.text
    await until(lambda: "Entered on the page" in texts(with_page.chat.from_bot(OLGA))[-1])
    assert "Linked Broctagon CRM crm/main: 7 clients." in texts(with_page.chat.from_bot(OLGA))[-1]
    assert await with_page.said(OLGA, "/cancel") == "There was nothing to stop."


async def test_inside_telegram_the_button_is_enough(with_page: Desk) -> None:
    message = await offer(with_page)
    proof = init_data(OLGA, with_page.clock.now(), token=with_page.chat.token)
    form = {"init_data": proof, "f.api_key": with_page.sides["crm"].credentials["api_key"]}
    async with httpx.AsyncClient(trust_env=False) as browser:
        answer = await browser.post(link_in(message), data=form, headers={"sec-fetch-site": "same-origin"})
    assert answer.status_code == 200


async def test_typing_it_here_is_one_tap_and_ends_the_link(with_page: Desk) -> None:
    message = await offer(with_page)
    _, question = await with_page.taps_data(OLGA, message, data_of(message, HERE))
    assert question["text"].startswith("Broctagon CRM: please send the API key.")
    assert "reply_markup" not in with_page.now(message)
    async with httpx.AsyncClient(trust_env=False) as browser:
        assert (await browser.get(link_in(message))).status_code == 404
    (linked,) = await with_page.says(OLGA, with_page.sides["crm"].credentials["api_key"])
    assert linked["text"].startswith("Linked Broctagon CRM crm/main: 7 clients.")


async def test_a_new_key_needs_no_page(tmp_path: Path, chat: Chat) -> None:
    async with _desk(tmp_path, chat, "cryptocapital") as desk:
        message = await offer(desk, "cryptocapital main")
        assert [key["text"] for key in keys(message)] == ["Open the secure page", HERE, "Make a new key"]
        _, question = await desk.taps_data(OLGA, message, data_of(message, "Make a new key"))
        assert question["text"].startswith("Crypto Capital: please send the Account numbers.")
        async with httpx.AsyncClient(trust_env=False) as browser:
            assert (await browser.get(link_in(message))).status_code == 404
        made, _ = await desk.says(OLGA, "9120007013")
        assert made["text"].startswith("Linked Crypto Capital cryptocapital/main with a key made here just now.")


async def test_a_secret_typed_while_the_page_is_offered_does_not_stay(with_page: Desk) -> None:
    message = await offer(with_page)
    for text in ("canary-api-key-1", "/canary_key_2", "two words"):
        assert await with_page.said(OLGA, text) == (
            "Nothing that is typed is read yet: open the secure page, or tap “Type it here instead” first."
        )
        assert text not in texts(with_page.chat.messages(OLGA))
    async with httpx.AsyncClient(trust_env=False) as browser:
        assert (await browser.get(link_in(message))).status_code == 200


async def test_a_new_beginning_ends_the_old_link(with_page: Desk) -> None:
    first, second = await offer(with_page), await offer(with_page)
    async with httpx.AsyncClient(trust_env=False) as browser:
        assert (await browser.get(link_in(first))).status_code == 404
        assert (await browser.get(link_in(second))).status_code == 200


async def test_the_link_is_not_said_in_a_group(with_page: Desk) -> None:
    assert await with_page.said(OLGA, "/connect crm live main", GROUP) == "/connect works in our private chat only."


async def test_a_button_telegram_does_not_take_leaves_the_link(with_page: Desk) -> None:
    await with_page.says(OLGA, "/connect crm live main")
    refusal = {"ok": False, "error_code": 400, "description": "Bad Request: BUTTON_URL_INVALID"}
    await with_page.chat.faults({"action": "status", "match": {"path": "sendMessage"}, "status": 400, "body": refusal})
    (message,) = await with_page.says(OLGA, "only me")
    assert [key["text"] for key in keys(message)] == [HERE]
    assert link_in(message)


async def test_without_a_page_nothing_has_changed(desk: Desk) -> None:
    message = await offer(desk)
    assert message["text"].startswith("Broctagon CRM: please send the API key.")
