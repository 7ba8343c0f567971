"""/person: the Telegram accounts of one person, and one more or one less of them."""

from bot.access import names
from bot.access.model import Person
from bot.errors import InputError
from bot.operations.people import Doer
from handlers.context import DeskContext
from handlers.doors import Words
from handlers.pages import Reply
from handlers.render import bold, literal

ADD, REMOVE = "add", "remove"
_EXAMPLE = "/person Olga add"


async def person(context: DeskContext, words: Words) -> Reply:
    name, verb, number = _read(words)
    whom = await _only_one(context, name)
    doer = Doer(context.person, context.where.telegram_id, f"m/{context.where.chat_id}/{context.message_id}")
    if verb == ADD:
        return _offered(context, whom, (await context.services.accounts.link(doer, whom.id)).reveal())
    if verb == REMOVE:
        await context.services.accounts.remove(doer, whom.id, number)
        return Reply([f"The Telegram account <code>{number}</code> is not {literal(whom.name)}'s any more."])
    accounts = "\n".join(f"<code>{one}</code>" for one in sorted(whom.telegram_ids))
    how = "Add one: <code>/person NAME add</code>. Take one away: <code>/person NAME remove NUMBER</code>."
    return Reply([f"{bold('Telegram accounts')} of {literal(whom.name)}\n{accounts}", how])


def _read(words: Words) -> tuple[str, str, int]:
    """`NAME [add | remove NUMBER]`; a name may hold any word, so only the end counts."""
    if not words:
        raise InputError("name the person", _EXAMPLE)
    if len(words) > 1 and words[-1].lower() == ADD:
        return " ".join(words[:-1]), ADD, 0
    if len(words) > 2 and words[-2].lower() == REMOVE:
        if not (words[-1].isascii() and words[-1].isdigit() and len(words[-1]) < 16):
            raise InputError("after remove comes the number of a Telegram account", "/person Olga remove 123456789")
        return " ".join(words[:-2]), REMOVE, int(words[-1])
    return " ".join(words), "", 0


def _offered(context: DeskContext, whom: Person, code: str) -> Reply:
    name = literal(whom.name)
    lines = [
        f"A link for one more Telegram account of {name}, good for 24 hours and one use. Give it to {name} only:",
        f"<code>https://t.me/{context.bot.username}?start={code}</code>",
        f"or let them write to me from that account: <code>/join {code}</code>",
        "When they have opened it there, another admin must sign that before it counts.",
    ]
    return Reply(["\n".join(lines)])


async def _only_one(context: DeskContext, name: str) -> Person:
    everybody = [one.person for one in await context.services.access.everybody()]
    found = names.meant(everybody, name)
    if len(found) == 1:
        return found[0]
    found = found or names.perhaps_meant(everybody, name)
    could = ", ".join(f"{one.name} ({one.id})" for one in found)
    raise InputError(f"did you mean {could}? Say the number", f"/person {found[0].id} add")
