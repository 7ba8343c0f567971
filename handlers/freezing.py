"""/freeze and /thaw: nothing that moves money leaves, and it may again."""

from bot.approvals.prompting import upper
from bot.errors import ConflictError, InputError
from bot.messages.cards import Card
from bot.operations.freezing import DESK, Freeze, called
from bot.operations.thawing import EXAMPLE
from bot.providers.registry import PROVIDERS
from handlers.asked import asked_for
from handlers.buttons import keyboard
from handlers.context import DeskContext
from handlers.doors import Words, taste_of
from handlers.pages import Reply
from handlers.render import literal

CARD = "freeze"
_PROVIDER, _EVERYTHING = 1, 2


async def freeze(context: DeskContext, words: Words) -> Reply:
    """`[provider] [reason]`. Whatever else is said is the reason: nobody in a hurry is sent back to their spelling."""
    scope, reason = _split(words)
    return Reply([await _frozen(context, scope or DESK, reason)])


async def _frozen(context: DeskContext, scope: str, reason: str) -> str:
    """Do it; answers what came of it, as HTML."""
    frozen = await context.services.freezing.freeze(
        context.person, scope, reason, telegram_id=context.where.telegram_id
    )
    which = literal(upper(called(frozen.freeze.scope)))
    if not frozen.is_new:
        return f"{which} is frozen already: {_since(context, frozen.freeze)}."
    lines = [f"{which} is frozen: from now on no money leaves. Reading and alerts go on."]
    if frozen.under_way == 1:
        lines.append("One request was being sent already; it is followed to its end.")
    elif frozen.under_way:
        lines.append(f"{frozen.under_way} requests were being sent already; they are followed to their end.")
    lines.append("Everybody who may freeze is told. To end it: /thaw and why; others must sign that.")
    return "\n".join(lines)


async def offer(context: DeskContext, provider: str) -> None:
    """After a tap on a prompt's button: one more, so that a slip of the thumb stops nothing."""
    card = await context.services.cards.make(CARD, context.person.id, context.where.chat_id, {"provider": provider})
    rows = [[("Freeze the desk", _EVERYTHING)]]
    if provider != DESK:
        rows.insert(0, [(f"Freeze {called(provider)}", _PROVIDER)])
    question = "Stop money from leaving? It takes others to let it leave again."
    await context.say(question, keyboard=keyboard(card, rows, context.services.signer))


async def chosen(context: DeskContext, card: Card, choice: int, message_id: int) -> str | None:
    """A tap on what was offered."""
    if choice not in (_PROVIDER, _EVERYTHING):
        return "This button belongs to something that no longer exists."
    if await context.services.cards.advance(card):  # otherwise a second tap: the first one was taken
        scope = str(card.body["provider"]) if choice == _PROVIDER else DESK
        await context.say(await _frozen(context, scope, ""))
    return None


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
