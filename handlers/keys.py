"""/key and /register: a login's public key, made here or elsewhere, and how it is made known to its provider."""

from bot.errors import InputError
from bot.operations.linked import Connection
from handlers import linking
from handlers.connections import only_one
from handlers.context import DeskContext
from handlers.doors import Words
from handlers.pages import Reply
from handlers.render.registering import public_key, steps


async def key(context: DeskContext, words: Words) -> Reply | None:
    if words and words[0].lower() == "new":
        await linking.make_key(context, words[1:])
        return None
    one = await _named(context, words, "/key cryptocapital/main")
    found = await context.services.registering.public_key(context.person, one)
    return Reply([public_key(one, found)])


async def register(context: DeskContext, words: Words) -> Reply:
    one = await _named(context, words, "/register cryptocapital/main")
    found = await context.services.registering.begin(context.person, one, context.where.telegram_id)
    return Reply(steps(one, found))


async def _named(context: DeskContext, words: Words, example: str) -> Connection:
    if len(words) != 1:
        raise InputError("name the connection", example)
    return await only_one(context, words[0], example.split()[0] + " {}")
