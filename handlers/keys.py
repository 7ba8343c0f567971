"""/key and /register: a login's public key, and how it is made known to its provider."""

from html import escape

from bot.access.model import Right
from bot.errors import InputError
from bot.operations.linked import Connection
from bot.providers.base import PublicKey, Registration
from handlers.connections import only_one
from handlers.context import DeskContext
from handlers.doors import Door, Words
from handlers.pages import Audience, Reply
from handlers.render import bold, table


async def key(context: DeskContext, words: Words) -> Reply:
    one = await _named(context, words, "/key cryptocapital/main")
    found = await context.services.registering.public_key(context.person, one)
    return Reply([f"{bold('Public key')} of <code>{escape(one.name)}</code>\n{_shown(found)}"])


async def register(context: DeskContext, words: Words) -> Reply:
    one = await _named(context, words, "/register cryptocapital/main")
    found = await context.services.registering.begin(context.person, one, context.where.telegram_id)
    return Reply(_steps(one, found))


async def _named(context: DeskContext, words: Words, example: str) -> Connection:
    if len(words) != 1:
        raise InputError("name the connection", example)
    return await only_one(context, words[0], example.split()[0] + " {}")


def _shown(found: PublicKey) -> str:
    return f"<code>{escape(found.text)}</code>\nfingerprint <code>{escape(found.fingerprint)}</code>"


def _steps(one: Connection, found: Registration) -> list[str]:
    known = f"Registered already: {', '.join(found.known)}." if found.known else "No account is registered yet."
    head = f"{bold('Registering the key')} of <code>{escape(one.name)}</code>\n{known}"
    if not found.missing:
        return [f"{head}\nThere is nothing to do."]
    accounts = ", ".join(f"<code>{account}</code>" for account in found.missing)
    what = f"transfer exactly {bold(found.amount)} of its currency to {escape(found.payee)}"
    return [
        f"{head}\nTo do: {accounts}. You do this yourself, in the web pages of {escape(one.spec.title)}:",
        f"1. From each of these accounts {what}:\n{table(sorted(found.payees.items()))}",
        f"2. As narrative give this public key, nothing before and nothing behind it:\n{_shown(found.key)}",
        f"3. Wait. I look every minute for a week, and tell you of each account that answers.\n{found.caution}",
    ]


DOORS = (
    Door(
        "key",
        "The public key of a login of yours",
        "/key cryptocapital/main",
        Right.LINK,
        key,
        Audience.PRIVATE,
        only_in_private=True,
    ),
    Door(
        "register",
        "How a login's key is registered, step by step",
        "/register cryptocapital/main",
        Right.LINK,
        register,
        Audience.PRIVATE,
        only_in_private=True,
    ),
)
