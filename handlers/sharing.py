"""/share and /unshare: who besides its owner may read a connection, or act through it."""

from html import escape

from bot.errors import InputError
from bot.operations.linked import Scope
from bot.operations.sharing import Party, named, party_named
from handlers.connections import only_one
from handlers.context import DeskContext
from handlers.doors import Words
from handlers.pages import Reply
from handlers.render import connections as render
from handlers.render import literal

_SHARE, _UNSHARE = "/share capital/main with Vera", "/unshare capital/main from Vera"
_TO_ACT = (["to", "act"], ["for", "acting"])
_TO_READ = (["to", "read"], ["for", "reading"])


async def share(context: DeskContext, words: Words) -> Reply:
    """`connection with PERSON or ROLE [to act]`."""
    scope = Scope.ACT if _tail(words) in _TO_ACT else Scope.READ
    who = words[:-2] if _tail(words) in (*_TO_ACT, *_TO_READ) else words
    word, party = _split(context, who, "with", _SHARE)
    one = await only_one(context, word, "/share {} with Vera")
    await context.services.sharing.share(
        context.person, one, party, scope, context.services.access.roster, telegram_id=context.where.telegram_id
    )
    name, whom = f"<code>{escape(one.name)}</code>", literal(named(party))
    doing = "for reading, and for acting as far as their role allows" if scope is Scope.ACT else "for reading"
    return Reply([f"Shared {name} with {whom}, {doing}. They are told."])


async def unshare(context: DeskContext, words: Words) -> Reply:
    """`connection from PERSON or ROLE`."""
    word, party = _split(context, words, "from", _UNSHARE)
    one = await only_one(context, word, "/unshare {} from Vera")
    roster = context.services.access.roster
    left = await context.services.sharing.unshare(
        context.person, one, party, roster, telegram_id=context.where.telegram_id
    )
    shared = render.shares(left, {person.id: person.name for person in roster.people})
    now = f"It is shared with {shared} still." if shared else "It is shared with nobody now."
    return Reply([f"<code>{escape(one.name)}</code> is shared with {literal(named(party))} no more. {now}"])


def _tail(words: Words) -> Words:
    return [word.lower() for word in words[-2:]]


def _split(context: DeskContext, words: Words, preposition: str, example: str) -> tuple[str, Party]:
    """The connection's word, and whom the rest means."""
    rest = words[2:] if len(words) > 1 and words[1].lower() == preposition else words[1:]
    if not rest:
        raise InputError("name the connection, and a person or a role", example)
    return words[0], party_named(context.services.access.roster, " ".join(rest))
