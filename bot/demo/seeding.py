"""Writes what the bot needs for the demo, into a folder that lives as long as the play.

The configuration and the token are files as an operator would write them; the master key and the linked logins are made
by the bot's own commands, so that the demo begins where a real desk begins.
"""

import asyncio
import json
import sys
from collections.abc import Mapping, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

from bot.demo.cast import ADMINS, GROUP, OPERATOR, PEOPLE
from bot.errors import StartRefusedError
from bot.loopback.server import Listening
from bot.providers.records import Environment

EX_SOFTWARE = 70
LABEL = "main"
HOOK_SECRET = "crm-webhook.secret"
WITH_DEMO_LOGIN = {"capital"}
"""Whose simulator gives a login of the provider's own demo environment; the others know real accounts only."""
BOOK = (
    ("cryptocapital", "9120007013", "Harbour Freight", "USD"),
    ("cryptocapital", "9120007020", "Nordlicht Handels GmbH", "EUR"),
    ("deriv", "CR900010", "Budi Santoso", "USD"),
)
"""Whom the desk pays: provider, account, name, currency."""
STREAMS = {"backoff_cap": 3.0, "tell_after": 4.0, "poll": 10.0}
"""Shorter than a desk would want them: what is played is told within seconds."""
SHARED_WITH = ["viewer", "operator", "approver", "admin"]


def config_text(telegram: Listening, providers: Mapping[str, Listening], web_port: int) -> str:
    """The TOML the bot is started with; its own pages are at `web_port`."""
    lines = ["[desk]", 'data_dir = "data"', 'name = "Demo desk"']
    lines += ["", "[telegram]", 'token_file = "telegram.token"', f"base_url = {_text(telegram.http + '/bot')}"]
    lines += ["", "[people]", f"admins = {[person.id for person in ADMINS]}", f"groups = [{GROUP.id}]"]
    for person in PEOPLE:
        roles = json.dumps(list(person.roles))
        lines += ["", "[[people.members]]", f"id = {person.id}", f"name = {_text(person.name)}", f"roles = {roles}"]
    lines += ["", "[key]", 'file = "master.key"']
    lines += ["", "[policy]", 'file = "policy.toml"']
    for provider, account, name, currency in BOOK:
        lines += ["", "[[policy.beneficiaries]]", f"provider = {_text(provider)}", f"account = {_text(account)}"]
        lines += [f"name = {_text(name)}", f"currency = {_text(currency)}"]
    lines += ["", "[streams]", *(f"{key} = {seconds}" for key, seconds in STREAMS.items())]
    here = f"127.0.0.1:{web_port}"
    lines += ["", "[web]", f"public_url = {_text(f'http://{here}')}", f"listen = {_text(here)}"]
    for name, listening in providers.items():
        lines += ["", f"[providers.{name}]"]
        lines += [f"{key} = {_text(value)}" for key, value in _addresses(name, listening).items()]
        lines += [f"webhook_secret_file = {_text(HOOK_SECRET)}"] if name == "crm" else []
    return "\n".join(lines) + "\n"


def _text(value: str) -> str:
    """A TOML basic string; JSON's escapes are a part of TOML's."""
    return json.dumps(value)


def _addresses(name: str, listening: Listening) -> dict[str, str]:
    match name:
        case "capital":
            return {"demo_url": listening.http, "live_url": listening.http}
        case "deriv":
            login = {"oauth_app_id": listening.credentials["app_id"], "oauth_url": f"{listening.http}/oauth2/authorize"}
            return {"url": f"{listening.ws}/websockets/v3", **login}
        case "cryptocapital":
            return {"url": listening.ws, "server_public_key": listening.credentials["server_public_key"]}
        case _:
            return {"url": listening.http}


def login_of(name: str, credentials: Mapping[str, Any]) -> dict[str, str]:
    """The fields a person would type to link this provider."""
    match name:
        case "capital":
            return {key: credentials[key] for key in ("api_key", "identifier", "password")}
        case "deriv":
            return {"app_id": credentials["app_id"], "token": credentials["token_oauth"]}  # sees all its accounts
        case "cryptocapital":
            return {"private_key": credentials["private_key"], "accounts": ",".join(credentials["accounts"])}
        case _:
            return {"api_key": credentials["api_key"]}


async def seed(
    folder: Path, telegram: Listening, providers: Mapping[str, Listening], web_port: int, hook_secret: str
) -> Path:
    """Fill `folder` and link every provider; answers the configuration's path.

    Args:
        hook_secret: With which the CRM signs its webhooks.
    Raises:
        StartRefusedError: One of the bot's commands failed; its last words are in the reason.
    """
    config = folder / "config.toml"
    (folder / "policy.toml").write_bytes((files("bot.demo") / "policy.toml").read_bytes())
    config.write_text(config_text(telegram, providers, web_port), encoding="utf-8")
    for name, secret in (("telegram.token", telegram.credentials["bot_token"]), (HOOK_SECRET, hook_secret)):
        file = folder / name
        file.touch(mode=0o600)
        file.write_text(secret, encoding="utf-8")
    await _command(["key", "new", "--out", str(folder / "master.key")])
    logins = [_login(name, listening) for name, listening in providers.items()]
    await _command(["credentials", "add", "--config", str(config), "--batch"], "\n".join(logins))
    return config


def _login(name: str, listening: Listening) -> str:
    login = {
        "owner": OPERATOR.id,
        "provider": name,
        "label": LABEL,
        "environment": Environment.DEMO if name in WITH_DEMO_LOGIN else Environment.LIVE,
        "fields": login_of(name, listening.credentials),
        "share": SHARED_WITH,
    }
    return json.dumps(login)


async def _command(arguments: Sequence[str], text: str = "") -> None:
    """Run one of the bot's commands with `text` on its standard input."""
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "bot", *arguments, stdin=pipe, stdout=pipe, stderr=asyncio.subprocess.STDOUT
    )
    try:
        said, _ = await process.communicate(text.encode())
    except asyncio.CancelledError:
        process.kill()
        await process.wait()
        raise
    if process.returncode != 0:
        last = " ".join(said.decode(errors="replace").splitlines()[-3:])
        raise StartRefusedError(f"The demo could not be set up: {' '.join(arguments[:2])} said: {last}", EX_SOFTWARE)
