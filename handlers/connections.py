"""/connections and /disconnect: the provider logins there are. `linking` has the conversation that adds one."""

import contextlib
from collections.abc import Mapping
from html import escape

from telegram.error import TelegramError

from bot.errors import InputError
from bot.messages.cards import Card
from bot.operations.linked import Connection
from handlers.buttons import keyboard
from handlers.context import DeskContext
from handlers.doors import Words, taste_of
from handlers.pages import Reply
from handlers.render import bold
from handlers.render import connections as render

UNLINK = "disconnect"


async def connections(context: DeskContext, words: Words) -> Reply:
    if words:
        raise InputError("it takes no words", "/connections")
    services = context.services
    visible = await services.connections.manageable_by(context.person)
    if not visible:
        return Reply(["You can see no provider login yet. /connect links one."])
    names = {person.id: person.name for person in services.access.roster.people}
    return Reply([bold("Connections"), *(_described(context, one, names) for one in visible)])


def _described(context: DeskContext, one: Connection, names: Mapping[int, str]) -> str:
    services = context.services
    locked = services.connections.is_locked(one)
    block = render.connection(one, context.person, names, taste_of(context), locked=locked)
    return block + render.key(one, services.clock.now()) if one.may_manage(context.person) else block


async def only_one(context: DeskContext, word: str, example: str) -> Connection:
    """The connection somebody named to do something about it: of several the one that is theirs to look after."""
    found = await context.services.connections.named(context.person, word, to_manage=True)
    found = [one for one in found if one.may_manage(context.person)] or found
    if len(found) > 1:
        named = ", ".join(one.name for one in found)
        raise InputError(f"that could be {named}", example.format(found[0].name))
    return found[0]


async def disconnect(context: DeskContext, words: Words) -> None:
    if len(words) != 1:
        raise InputError("name the connection", "/disconnect capital/main")
    one = await only_one(context, words[0], "/disconnect {}")
    one.check_manage(context.person, "unlink")
    card = await context.services.cards.make(UNLINK, context.person.id, context.where.chat_id, _which(one))
    await context.say(
        f"Unlink {bold(one.spec.title)} <code>{escape(one.name)}</code> and erase its credential?",
        keyboard=keyboard(card, [[("Unlink", 1), ("Keep it", 0)]], context.services.signer),
    )


def _which(connection: Connection) -> dict[str, str | int]:
    """This connection and no later one: an unlinked one's number may be given anew."""
    return {"name": connection.name, "id": connection.id, "since": int(connection.created_at.timestamp() * 1000)}


async def unlink(context: DeskContext, card: Card, choice: int, message_id: int) -> str | None:
    """The answer to the question of /disconnect."""
    if not await context.services.cards.advance(card):
        return None  # a second tap: the first one was taken
    if choice != 1:
        await _replace(context, message_id, f"Kept <code>{escape(card.body['name'])}</code>.")
        return None
    services = context.services
    found = [one for one in await services.connections.manageable_by(context.person) if _which(one) == card.body]
    if not found:
        await _replace(context, message_id, "It is gone already.")
        return None
    await services.credentials.unlink(
        context.person, found[0], services.access.roster, telegram_id=context.where.telegram_id
    )
    last = f" {escape(found[0].spec.revoke, quote=False)}" if found[0].spec.revoke else ""
    await _replace(
        context, message_id, f"Unlinked <code>{escape(found[0].name)}</code>; its credential is erased.{last}"
    )
    return None


async def _replace(context: DeskContext, message_id: int, html: str) -> None:
    with contextlib.suppress(TelegramError):
        await context.redraw(message_id, html)
