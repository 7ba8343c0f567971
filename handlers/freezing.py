"""/freeze and /thaw: nothing that moves money leaves, and it may again."""

from bot.access.model import Right
from bot.approvals.prompting import upper
from bot.errors import ConflictError, InputError
from bot.operations.freezing import DESK, Freeze, called
from bot.operations.thawing import EXAMPLE
from bot.providers.registry import PROVIDERS
from handlers.asking import asked_for
from handlers.context import DeskContext
from handlers.doors import Door, Words, taste_of
from handlers.pages import Audience, Reply
from handlers.render import literal


async def freeze(context: DeskContext, words: Words) -> Reply:
    """`[provider] [reason]`. Whatever else is said is the reason: nobody in a hurry is sent back to their spelling."""
    scope, reason = _split(words)
    frozen = await context.services.freezing.freeze(
        context.person, scope or DESK, reason, telegram_id=context.where.telegram_id
    )
    which = literal(upper(called(frozen.freeze.scope)))
    if not frozen.is_new:
        return Reply([f"{which} is frozen already: {_since(context, frozen.freeze)}."])
    lines = [f"{which} is frozen: from now on no money leaves. Reading and alerts go on."]
    if frozen.under_way == 1:
        lines.append("One request was being sent already; it is followed to its end.")
    elif frozen.under_way:
        lines.append(f"{frozen.under_way} requests were being sent already; they are followed to their end.")
    lines.append("Everybody who may freeze is told. To end it: /thaw and why; others must sign that.")
    return Reply(["\n".join(lines)])


async def thaw(context: DeskContext, words: Words) -> Reply:
    """`[provider] reason`."""
    scope, why = _split(words)
    if not why:
        raise InputError("say why it can go on", EXAMPLE)
    thawing = context.services.money.thawing
    request = await thawing.ask(
        context.person,
        scope or _the_one(await thawing.freezes()),
        why,
        telegram_id=context.where.telegram_id,
        asked_in=f"m/{context.where.chat_id}/{context.message_id}",
    )
    return await asked_for(context, request)


def _split(words: Words) -> tuple[str | None, str]:
    """The scope, when the first word is one, and the rest."""
    first = words[0].casefold().partition("/")[0] if words else ""
    if first in (DESK, *PROVIDERS):
        return first, " ".join(words[1:])
    return None, " ".join(words)


def _the_one(freezes: list[Freeze]) -> str:
    """What is meant when nothing is named: the only freeze there is, or the desk's."""
    scopes = [one.scope for one in freezes]
    if len(scopes) > 1 and DESK not in scopes:
        raise ConflictError(f"{' and '.join(map(called, scopes))} are frozen; name one: /thaw {scopes[0]} and why")
    return scopes[0] if scopes else DESK


def _since(context: DeskContext, one: Freeze) -> str:
    return f"since {taste_of(context).date_time(one.since)}, by {literal(one.by)}: {literal(one.reason, 200)}"


DOORS = (
    Door("freeze", "Stop all money at once, alone", "/freeze", Right.FREEZE, freeze),
    Door("thaw", "Ask others to end a freeze", EXAMPLE, Right.FREEZE, thaw, Audience.DESK),
)
