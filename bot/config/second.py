"""`[second_channel]`: how people are reached when Telegram is not."""

import re
from pathlib import Path

from bot.config.addresses import check_address
from bot.config.files import is_command, secret_file
from bot.config.model import SecondChannelConfig, is_loopback
from bot.config.reading import Partial
from bot.errors import Problem
from bot.logs import redact
from bot.secret import Secret

_ADDRESS = re.compile(r"[^\s@<>,;:\"()\[\]\\]{1,64}@[A-Za-z0-9.-]{1,255}", re.ASCII)
_HOST = re.compile(r"[A-Za-z0-9.:-]{1,255}", re.ASCII)


def second_channel_in(table: Partial, at: Path, problems: list[Problem]) -> SecondChannelConfig:
    """The ways, as far as it can be told without trying them."""
    if table is None:
        return SecondChannelConfig()
    where = "second_channel"
    if not (table.command or table.webhook_file or table.email):
        problems.append(Problem(where, "no way at all", "command, webhook_file or [second_channel.email]"))
    if table.command and not is_command(table.command[0], at):
        problems.append(Problem(f"{where}.command", repr(redact(table.command[0])[:80]), "a program that can be run"))
    if not 1 <= table.unreachable_minutes <= 24 * 60:
        problems.append(Problem(f"{where}.unreachable_minutes", str(table.unreachable_minutes), "1 to 1440"))
    webhook = _webhook_in(table.webhook_file, at, problems)
    return SecondChannelConfig(
        folder=at,
        command=tuple(table.command or ()),
        webhook=webhook,
        email=table.email,
        password=_password_in(table.email, at, problems),
        unreachable_minutes=table.unreachable_minutes,
    )


def _webhook_in(name: str | None, at: Path, problems: list[Problem]) -> Secret | None:
    where = "second_channel.webhook_file"
    text = None if name is None else secret_file(where, at / name, problems)
    if text is None:
        return None
    found: list[Problem] = []
    check_address(where, text, found)
    problems += [Problem(one.path, "something else (masked)", "one address, https://…") for one in found]
    return Secret(text)


def _password_in(mail: Partial, at: Path, problems: list[Problem]) -> Secret | None:
    """The password, and whether the rest of the table can be used."""
    if mail is None or None in (mail.host, mail.sender, mail.to):
        return None
    where = "second_channel.email"
    if not _HOST.fullmatch(mail.host):
        problems.append(Problem(f"{where}.host", repr(redact(mail.host)[:60]), "a host's name"))
    if not 0 < mail.port < 65536:
        problems.append(Problem(f"{where}.port", str(mail.port), "1 to 65535"))
    for key, address in (("sender", mail.sender), *(("to", one) for one in mail.to)):
        if address is None or not _ADDRESS.fullmatch(address):
            problems.append(Problem(f"{where}.{key}", repr(redact(str(address))[:60]), "name@example.com"))
    if not mail.to:
        problems.append(Problem(f"{where}.to", "nobody", "at least one address"))
    if mail.security == "none" and not is_loopback(f"//{mail.host}"):
        problems.append(Problem(f"{where}.security", '"none"', '"starttls" or "tls", except on this machine'))
    if (mail.user is None) != (mail.password_file is None):
        problems.append(Problem(where, "only one of `user` and `password_file`", "both or neither"))
    text = (
        None if mail.password_file is None else secret_file(f"{where}.password_file", at / mail.password_file, problems)
    )
    return None if text is None else Secret(text)
