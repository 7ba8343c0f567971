"""Canaries: a desk lives a day with secrets that can be recognised, and afterwards none of them is anywhere.

The real bot, as processes, logging at DEBUG: people type logins, right and wrong ones; providers answer with errors
that repeat the key; the host links others at the terminal; a passphrase is set; a backup is made; the bot is stopped,
run again behind a webhook, and killed. Then every byte it left or said is searched, and what the backups hold inside.
"""

import asyncio
import base64
import json
import re
import signal
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote, quote_plus

import httpx
import msgspec
import pytest

from bot.loopback.ports import free_port
from bot.loopback.server import Listening
from bot.vault.archive import Header, opened
from bot.vault.keys import KeyTree, MasterKey
from bot.vault.totp import code_of, seed_from, step_of
from tests.support.chatting import NO_PACING, OLGA, Chat, buttons, configured, login_of, providers, telegram, until
from tests.support.desk import write_secret
from tests.support.process import Bot, run

WRONG_KEY = "canaryWrongKey-4b7Qx9"
WRONG_PASSWORD = "canary wrong pässword %41+/&"
LATE_KEY = "canaryLateKey-77Zz21"
WRONG_PAGE_KEY = "canaryWrongPageKey-88"
WRONG_TOKEN = "canaryWrongTok3n"
PASSPHRASE = "canary passphrase seven green boats"
WRONG_PASSPHRASE = "canary passphrase of somebody else"
WEBHOOK_SECRET = "canary-webhook-secret-with-32-letters-1"
SECRET_FIELDS = {
    "capital": ("api_key", "password"),
    "deriv": ("token",),
    "cryptocapital": ("private_key",),
    "crm": ("api_key",),
}


# how a secret may be written


def forms(secret: bytes) -> Iterator[bytes]:
    """As it is, and as hexadecimal digits, base 64 at any offset, in a URL, and in JSON or a repr."""
    yield secret
    yield secret.hex().encode()
    yield secret.hex().upper().encode()
    for offset in range(3):
        inside = slice((0, 2, 3)[offset], None if (offset + len(secret)) % 3 == 0 else -1)
        for encode in (base64.b64encode, base64.urlsafe_b64encode):
            yield encode(bytes(offset) + secret).rstrip(b"=")[inside]
    try:
        text = secret.decode()
    except UnicodeDecodeError:
        return
    for safe in ("", "/"):
        yield quote(text, safe).encode()
        yield quote_plus(text, safe).encode()
    yield json.dumps(text)[1:-1].encode()
    yield repr(text)[1:-1].encode()
    yield repr(secret)[2:-1].encode()
    yield text.encode("utf-16-le")


def found(secrets: Mapping[str, bytes], places: Mapping[str, bytes]) -> list[str]:
    """Which secret is where, by their names."""
    return [
        f"{name} in {place}"
        for name, secret in secrets.items()
        for place, content in places.items()
        if any(form in content for form in set(forms(secret)))
    ]


@pytest.mark.parametrize(
    "written",
    [
        "a canary key/7+ä",
        "612063616e617279206b65792f372bc3a4",
        "612063616E617279206B65792F372BC3A4",
        base64.b64encode("a canary key/7+ä".encode()).decode(),
        base64.b64encode("Basic user:a canary key/7+ä and more".encode()).decode(),
        base64.urlsafe_b64encode(".a canary key/7+ä..".encode()).decode(),
        "a%20canary%20key%2F7%2B%C3%A4",
        "a+canary+key%2F7%2B%C3%A4",
        "a canary key/7+\\u00e4",
        "a canary key/7+\\xc3\\xa4",
    ],
)
def test_a_secret_is_recognised_however_it_is_written(written: str) -> None:
    secrets = {"the key": "a canary key/7+ä".encode(), "another": b"not there at all"}
    assert found(secrets, {"a log": f"before {written} after".encode(), "elsewhere": b"a canary key"}) == [
        "the key in a log"
    ]


# the day


@dataclass
class Day:
    """The desk, and everything that was said at the terminal."""

    config: Path
    chat: Chat
    sides: Mapping[str, Listening]
    heard: list[bytes] = field(default_factory=list)
    snapshots: list[bytes] = field(default_factory=list)
    shown: str = ""
    """The second factor's key, as it was shown to its owner once."""
    link: str = ""
    """The secret part of the page's address, as it was handed to a person once."""
    pages: list[bytes] = field(default_factory=list)

    @property
    def data(self) -> Path:
        return self.config.parent / "data"

    async def told(self, text: str, expected: str, person: int = OLGA) -> str:
        """A person writes; the first answer with these words in it."""
        sent = await self.chat.play("send", **{"from": person, "chat": person, "text": text, "message": {}})

        def answers() -> list[str]:
            new = [one for one in self.chat.from_bot(person) if one["message_id"] > sent["message_id"]]
            return [one.get("text", "") for one in new if expected in one.get("text", "")]

        try:
            await until(answers, 30)
        except TimeoutError:
            said = [one.get("text", "") for one in self.chat.from_bot(person)[-3:]]
            raise AssertionError(f"expected {expected!r} after a message; lastly said: {said}") from None
        return answers()[0]

    async def at_the_terminal(self, *arguments: str | Path, typed: str = "") -> int:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "bot", *map(str, arguments), "--config", str(self.config)),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        self.heard.extend(await asyncio.wait_for(process.communicate(typed.encode()), 60))
        assert process.returncode is not None
        return process.returncode

    async def fault(self, name: str, **step: Any) -> None:
        async with httpx.AsyncClient(trust_env=False) as http:
            answer = await http.post(f"{self.sides[name].control}/faults", json=[step])
            assert answer.status_code == 200, answer.text

    def look(self) -> None:
        """Keep what lies in the data directory right now, the write-ahead log included."""
        files = [path for path in self.data.iterdir() if path.is_file()]
        assert any(path.name.endswith("-wal") for path in files)
        self.snapshots.extend(path.read_bytes() for path in files)

    def logins(self) -> dict[str, dict[str, str]]:
        return {name: login_of(name, side.credentials) for name, side in self.sides.items()}

    def inside(self, backup: Path) -> bytes:
        """The database in a backup."""
        line, end, rest = backup.read_bytes().partition(b"\n")
        header = msgspec.json.decode(line, type=Header)
        master = MasterKey.from_text((self.config.parent / "master.key").read_text())
        keys = KeyTree(master, header.install, bytes.fromhex(header.install_salt))
        frames = (rest[start : start + 65_552] for start in range(0, len(rest), 65_552))
        return b"".join(opened(keys.backup, line + end, frames))


async def _in_the_morning(day: Day) -> None:
    """People type logins; providers refuse them, and repeat them in what they say."""
    logins = day.logins()
    await day.told("/connect crm live main", "who may read it?")
    await day.told("everyone at the desk", "please send the API key")
    await day.told(WRONG_KEY, "does not accept this login")
    key = logins["crm"]["api_key"]
    echo = json.dumps({"success": False, "message": f"key {key} is bad", "data": {"api_key": key, "apiKey": key}})
    await day.fault("crm", action="status", status=400, body=echo, headers={"x-api-key": key})
    await _linked(day, "crm", logins["crm"], refused=True)
    await _linked(day, "crm", logins["crm"])
    await day.told("/connect capital demo main", "who may read it?")
    await day.told("everyone at the desk", "please send the API key")
    await day.told(logins["capital"]["api_key"], "please send the Login e-mail")
    await day.told(logins["capital"]["identifier"], "please send the API key password")
    await day.told(WRONG_PASSWORD, "does not accept this login")
    await _linked(day, "capital", logins["capital"], environment="demo")
    await day.told("/connect crm live other", "who may read it?")
    await day.told("only me", "please send the API key")
    await day.told("/cancel", "Stopped; nothing was kept.")
    await day.told(LATE_KEY, "I deleted that, in case it was a secret")


async def _linked(
    day: Day, name: str, login: Mapping[str, str], *, environment: str = "live", refused: bool = False
) -> None:
    """To the end of the conversation, whether it begins anew or goes on where it was refused."""
    await day.told("/cancel", "")
    await day.told(f"/connect {name} {environment} main", "who may read it?")
    await day.told("everyone at the desk", "please send the")
    *first, last = login.values()
    for text in first:
        await day.told(text, "please send the")
    await day.told(last, "refused" if refused else "Linked ")


async def _at_noon(day: Day) -> None:
    """The host links others; everybody asks; providers fail loudly."""
    logins = day.logins()
    lines = [_line("cryptocapital", logins["cryptocapital"]), _line("deriv", logins["deriv"])]
    wrong = _line("deriv", {**logins["deriv"], "token": WRONG_TOKEN}, label="other")
    assert await day.at_the_terminal("credentials", "add", "--batch", typed="\n".join(map(json.dumps, lines))) == 0
    assert await day.at_the_terminal("credentials", "add", "--batch", typed=json.dumps(wrong)) == 70
    assert await day.at_the_terminal("credentials", "add", "--batch", typed=json.dumps(wrong | {"owner": "x"})) == 2
    assert await day.at_the_terminal("credentials", "test", "deriv/main") == 0
    assert await day.at_the_terminal("credentials", "list") == 0
    key, token, password = (logins[n][k] for n, k in (("crm", "api_key"), ("deriv", "token"), ("capital", "password")))
    await day.fault("crm", action="status", status=500, times=3, body=f"<html>{key}</html>")
    await day.fault("capital", action="replace", times=3, body=json.dumps({"password": password, "accounts": password}))
    error = {"error": {"code": "InvalidToken", "message": f"not {token}"}, "echo_req": {"authorize": token}}
    await day.fault("deriv", action="replace", times=3, body=json.dumps(error | {"msg_type": "authorize"}))
    await day.told("/balance", "Broctagon CRM")
    for question in ("/positions", "/connections", "/status", "/balance"):
        await day.told(question, "")
    await day.told("/passphrase capital/main", "Send the passphrase for")
    await day.told(PASSPHRASE, "once more")
    await day.told(PASSPHRASE, "is under your passphrase")
    await _second_factor(day)
    assert await day.at_the_terminal("backup", "--out", day.config.parent / "noon.backup") == 0


async def _second_factor(day: Day) -> None:
    """It is set up with the picture that is shown once."""
    await day.told("/factor", "No second factor")
    (card,) = [one for one in day.chat.from_bot(OLGA) if "Set it up" in buttons(one)]
    data = buttons(card)["Set it up"]
    await day.chat.play("tap", **{"from": OLGA, "chat": OLGA, "message_id": card["message_id"], "data": data})
    await until(lambda: [one for one in day.chat.from_bot(OLGA) if "photo" in one], 30)
    (picture,) = [one for one in day.chat.from_bot(OLGA) if "photo" in one]
    (spoiler,) = [each for each in picture["caption_entities"] if each["type"] == "spoiler"]
    day.shown = picture["caption"][spoiler["offset"] :][: spoiler["length"]]
    seed = seed_from(day.shown.replace(" ", ""))
    await day.told("000 000" if code_of(seed, step_of(datetime.now(UTC))) != "000000" else "111 111", "")
    await day.told(code_of(seed, step_of(datetime.now(UTC))), "An admin must confirm it before it counts")


async def _on_the_page(day: Day) -> None:
    """A login is entered on the one-time page, first a wrong one."""
    await day.told("/connect crm live pages", "who may read it?")
    offer = await day.told("everyone at the desk", "It asks for the code")
    address, code = re.findall(r"In a browser: (\S+)\nIt asks for the code (\d{3} \d{3})", offer)[0]
    day.link = address.rpartition("/")[2]
    headers = {"origin": address.partition("/enter/")[0]}
    async with httpx.AsyncClient(trust_env=False, headers=headers) as browser:
        answers = [await browser.get(address)]
        for key in (WRONG_PAGE_KEY, day.logins()["crm"]["api_key"]):
            answers.append(await browser.post(address, data={"code": code, "f.api_key": key}))
        answers.append(await browser.get(address))
    assert [one.status_code for one in answers] == [200, 422, 200, 404], [one.text for one in answers]
    assert "Linked" in answers[2].text
    day.pages = [repr(one.headers).encode() + one.content for one in answers]


async def _in_the_evening(day: Day) -> None:
    """After a restart everything is asked for again, and what was locked is unlocked."""
    await day.told("/unlock", "Send your passphrase")
    await day.told(WRONG_PASSPHRASE, "passphrase")
    await day.told("/unlock", "Send your passphrase")
    await day.told(PASSPHRASE, "Unlocked until the next start")
    for question in ("/balance", "/status"):
        await day.told(question, "")
    await _on_the_page(day)
    assert await day.at_the_terminal("audit", "export") == 0
    assert await day.at_the_terminal("credentials", "test", "capital/main") == 0
    assert await day.at_the_terminal("key", "rotate", "--data-keys") == 0
    assert await day.at_the_terminal("backup", "--out", day.config.parent / "evening.backup") == 0


def _line(name: str, login: Mapping[str, str], label: str = "main") -> dict[str, Any]:
    share = ["operator"]
    return {"owner": OLGA, "provider": name, "label": label, "environment": "live", "fields": login, "share": share}


def _with_a_web_side(config: Path) -> None:
    """From now on updates are pushed, and there are pages."""
    ports = [free_port(), free_port()]
    write_secret(config.parent / "webhook.secret", WEBHOOK_SECRET)
    webhook = f'[telegram.webhook]\nurl = "http://127.0.0.1:{ports[0]}/telegram"\nsecret_file = "webhook.secret"\n'
    web = f'[web]\npublic_url = "http://127.0.0.1:{ports[1]}"\n'
    listen = [f'listen = "127.0.0.1:{port}"\n' for port in ports]
    config.write_text(f"{config.read_text()}\n{webhook}{listen[0]}{web}{listen[1]}")


async def test_after_a_day_at_the_desk_no_secret_is_anywhere(tmp_path: Path) -> None:
    async with telegram() as chat, providers("capital", "deriv", "cryptocapital", "crm") as sides:
        config = configured(tmp_path, chat, sides, more=f'{NO_PACING}\n[log]\nlevel = "DEBUG"')
        day = Day(config, chat, sides)
        async with run(config) as first:
            await _in_the_morning(day)
            await _at_noon(day)
            day.look()
            assert await first.stop() == 0
        _with_a_web_side(config)
        async with run(config) as second:
            await _in_the_evening(day)
            day.look()
            second.process.send_signal(signal.SIGKILL)
            assert await second.ended() == -signal.SIGKILL
        places = _places(day, first, second)
        assert found(_secrets(day), places) == []
        assert found(_seed(day), places | {"outgoing": _said(day, but=("sendPhoto",))}) == []
        assert found({"link": day.link.encode()}, places) == ["link in outgoing"]
        assert found(_known(), places) == [
            "a person in outgoing",
            "a person in data",
            "a person in inside the backups",
            "a person in terminal",
            "a deed in log",
            "a page in pages",
        ]


def _secrets(day: Day) -> dict[str, bytes]:
    """Everything nobody may find again, by a name that may be seen."""
    logins = day.logins()
    texts = {
        "wrong key": WRONG_KEY,
        "wrong password": WRONG_PASSWORD,
        "late key": LATE_KEY,
        "wrong key on the page": WRONG_PAGE_KEY,
        "wrong token": WRONG_TOKEN,
        "passphrase": PASSPHRASE,
        "wrong passphrase": WRONG_PASSPHRASE,
        "webhook secret": WEBHOOK_SECRET,
        "bot token": day.chat.token,
        "bot token's secret half": day.chat.token.partition(":")[2],
        "master key": (day.config.parent / "master.key").read_text().strip(),
        **{f"{name} {key}": logins[name][key] for name, keys in SECRET_FIELDS.items() for key in keys},
    }
    raw = MasterKey.from_text(texts["master key"])
    body = texts["master key"].removeprefix("csk1-").upper()
    key = base64.b32decode(body + "=" * (-len(body) % 8))[:32]
    private = base64.b64decode(texts["cryptocapital private_key"])
    assert raw.to_text() == texts["master key"]
    return {name: text.encode() for name, text in texts.items()} | {"raw master key": key, "raw private key": private}


def _seed(day: Day) -> dict[str, bytes]:
    """The second factor's: its owner alone was shown it, in one picture."""
    seed = seed_from(day.shown.replace(" ", ""))
    return {"seed as shown": day.shown.encode(), "seed": day.shown.replace(" ", "").encode(), "raw seed": seed}


def _known() -> dict[str, bytes]:
    """What is there to be found: were it not, the search would look in the wrong places."""
    return {"a person": b"Olga", "a deed": b"host command", "a page": b"<!doctype html>"}


def _places(day: Day, *bots: Bot) -> dict[str, bytes]:
    assert len(day.snapshots) >= 4
    files = [path.read_bytes() for path in day.data.iterdir() if path.is_file()]
    backups = [day.config.parent / f"{name}.backup" for name in ("noon", "evening")]
    logs = b"".join(bot.log.read_bytes() for bot in bots)
    assert logs.count(b"host command") >= 8
    assert b" debug " in logs
    return {
        "outgoing": _said(day),
        "data": b"\0".join([*files, *day.snapshots]),
        "backups": b"\0".join(path.read_bytes() for path in backups),
        "inside the backups": b"\0".join(day.inside(path) for path in backups),
        "log": logs,
        "terminal": b"\0".join(day.heard),
        "pages": b"\0".join(day.pages),
    }


def _said(day: Day, but: tuple[str, ...] = ()) -> bytes:
    """What the bot said; Telegram is to know the webhook's secret."""
    calls = day.chat.calls()
    assert len(calls) > 40
    said = [call["params"] for call in calls if call["method"] not in ("setWebhook", *but)]
    return json.dumps(said, ensure_ascii=False).encode()
