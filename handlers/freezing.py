"""/freeze and /thaw: nothing that moves money leaves, and it may again."""

from bot.approvals.prompting import upper
from bot.errors import ConflictError
from bot.messages.cards import Card
from bot.operations.freezing import DESK, Freeze, called
from bot.providers.registry import PROVIDERS
from handlers import completing
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
    thaw = "/thaw" if frozen.freeze.scope == DESK else f"/thaw {frozen.freeze.scope}"
    lines.append(f"Everybody who may freeze is told. To end it: {thaw} and why; others must sign that.")
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


async def thaw(context: DeskContext, words: Words) -> Reply | None:
    """`[provider] reason`; what is left out is asked for."""
    thawing = context.services.money.thawing
    scope, why = _split(words)
    if why in ("", completing.MORE):
        return await _ask_why(context, await thawing.freezes(), scope)
    request = await thawing.ask(
        context.person,
        scope or _the_one(await thawing.freezes()),
        why,
        telegram_id=context.where.telegram_id,
        asked_in=context.occasion,
    )
    return await asked_for(context, request)


async def _ask_why(context: DeskContext, freezes: list[Freeze], scope: str | None) -> Reply | None:
    """What is frozen, and why it can go on; which of several is meant first."""
    meant = [one for one in freezes if scope in (None, one.scope)]
    if not meant:
        return Reply([f"{literal(upper(called(scope or DESK)))} is not frozen."])
    lines = [f"{literal(upper(called(one.scope)))} is frozen {_since(context, one)}." for one in meant]
    if len(meant) > 1:
        offers = [completing.offer(f"{upper(called(one.scope))}…", "/thaw", one.scope) for one in meant]
        return Reply([*lines, "Which is to be thawed?"], offers=offers)
    question = "\n".join([*lines, "Why can it go on? Those who sign will see what you write."])
    await completing.ask(context, question, "thaw", meant[0].scope)
    return None


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
