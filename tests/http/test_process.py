"""The whole process with its pages: what it writes down of what passes through them is nothing."""

import asyncio
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from bot.loopback.ports import free_port
from tests.support.chatting import NO_PACING, OLGA, Chat, Message, configured, providers, telegram, until
from tests.support.desk import write_secret
from tests.support.process import Bot, run
from tests.support.site import init_data

SECRET = "s3cret-of-at-least-thirty-two-characters"


async def answer_to(chat: Chat, act: str, **what: Any) -> Message:
    """The next message of the bot after something was done."""
    before = len(chat.from_bot(OLGA))
    await chat.play(act, **{"from": OLGA, "chat": OLGA, **what})
    await until(lambda: len(chat.from_bot(OLGA)) > before)
    return chat.from_bot(OLGA)[-1]


async def offered(chat: Chat, words: str) -> tuple[str, str]:
    """The link and the code."""
    await answer_to(chat, "send", text=f"/connect {words}")
    text = (await answer_to(chat, "send", text="only me"))["text"]
    found = re.search(r"(/enter/[\w-]{43})\s+It asks for the code (\d{3} \d{3})", text)
    assert found, text
    return found[1], found[2]


async def told_in_chat(chat: Chat, words: str) -> None:
    await until(lambda: words in chat.from_bot(OLGA)[-1]["text"])


async def _both_ways(chat: Chat, bot: Bot, origin: str, sides: Any) -> list[str]:
    """Link at the CRM by the form and at Deriv by its login page; answers everything that was secret on the way."""
    key = str(sides["crm"].credentials["api_key"])
    async with httpx.AsyncClient(base_url=origin, trust_env=False, headers={"origin": origin}) as browser:
        link, code = await offered(chat, "crm live main")
        proof = init_data(OLGA, datetime.now(UTC), token=chat.token)
        for form in ({"code": code, "f.api_key": "wrong-canary-key"}, {"init_data": proof, "f.api_key": key}):
            answer = await browser.post(link, data=form)
        assert answer.status_code == 200, bot.told()
        await told_in_chat(chat, "Linked Broctagon CRM crm/main")
        second, code = await offered(chat, "deriv live main")
        answer = await browser.post(second, data={"code": code, "way": "login"})
        back = (await browser.post(answer.headers["location"])).headers["location"]
        cookie = browser.cookies["countersign"]
        assert (await browser.get(back)).headers["location"] == "/oauth/deriv/accounts"
        await browser.get(back)
        answer = await browser.post("/oauth/deriv/accounts", data={"account": ["CR900001"]})
        assert answer.status_code == 200, bot.told()
        await told_in_chat(chat, "Linked Deriv deriv/cr900001")
    tokens = re.findall(r"a1-\w+", back)
    return [key, "wrong-canary-key", proof, link[7:], second[7:], cookie, chat.token, *tokens]


@pytest.mark.parametrize("pushed", [False, True], ids=["fetched", "pushed"])
async def test_nothing_secret_is_written_down_at_any_level(tmp_path: Path, pushed: bool) -> None:
    """With the webhook at the same address as the pages, or without it."""
    port = free_port()
    origin = f"http://127.0.0.1:{port}"
    async with telegram() as chat, providers("crm", "deriv") as sides:
        more = f'{NO_PACING}\n[log]\nlevel = "DEBUG"\n[web]\npublic_url = "{origin}"\nlisten = "127.0.0.1:{port}"\n'
        if pushed:
            write_secret(tmp_path / "webhook.secret", SECRET)
            hook = f'url = "{origin}/telegram"\nsecret_file = "webhook.secret"\nlisten = "127.0.0.1:{port}"'
            more += f"[telegram.webhook]\n{hook}\n"
        config = configured(tmp_path, chat, sides, more=more)
        app = str(sides["deriv"].credentials["app_id"])
        login = f'oauth_app_id = "{app}"\noauth_url = "{sides["deriv"].http}/oauth2/authorize"'
        text = config.read_text().replace("[providers.deriv]", f"[providers.deriv]\n{login}")
        config.write_text(text)
        async with httpx.AsyncClient(trust_env=False) as client:
            back = {"app_id": app, "redirect_uri": f"{origin}/oauth/deriv"}
            await client.post(f"{sides['deriv'].control}/app", json=back)
        async with run(config) as bot:
            secrets = await asyncio.wait_for(_both_ways(chat, bot, origin, sides), 60)
            assert await bot.stop() == 0
            told = bot.told()
            assert [secret for secret in secrets if secret in told] == []
            files = b"".join(path.read_bytes() for path in (tmp_path / "data").iterdir() if path.is_file())
            assert [secret for secret in secrets if secret.encode() in files] == []
