"""/undelivered: what nobody got, and once more."""

from bot.errors import InputError
from handlers.context import DeskContext
from handlers.doors import Words, taste_of
from handlers.pages import Reply
from handlers.render import bold, literal

EXAMPLE = "/undelivered again"
_SHOWN = 20


async def undelivered(context: DeskContext, words: Words) -> Reply:
    """Nothing: the list. `again`: all of them once more; `again 7`: that one."""
    match [word.lower() for word in words]:
        case []:
            return await _listed(context)
        case ["again"]:
            return await _again(context, None)
        case ["again", number] if number.isascii() and number.isdecimal():
            return await _again(context, int(number[:18]))
        case _:
            raise InputError("nothing, or again and at most one number", EXAMPLE)


async def _listed(context: DeskContext) -> Reply:
    dead, count = await context.services.undelivered.newest(_SHOWN)
    if not dead:
        return Reply(["Everything was delivered."], again="/undelivered")
    taste = taste_of(context)
    lines = [
        f"<code>{one.id}</code> · {taste.date_time(one.since)} · chat <code>{one.notice.chat_id}</code>\n"
        f"    {literal(one.notice.title, 120)}: {literal(one.trouble)} after {one.tries} tries"
        for one in dead
    ]
    more = f", the newest {len(dead)}" if count > len(dead) else ""
    step = "/undelivered again sends all of them once more, /undelivered again and a number sends one."
    return Reply([bold(f"Not delivered: {count}{more}"), *lines, step], again="/undelivered")


async def _again(context: DeskContext, number: int | None) -> Reply:
    count = await context.services.undelivered.replay(context.person.id, number, telegram_id=context.where.telegram_id)
    if not count:
        return Reply(["Everything was delivered."])
    return Reply([f"{count} {'message is' if count == 1 else 'messages are'} on the way once more."])
