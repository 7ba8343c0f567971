"""/connections, /connect, /disconnect: provider logins.

/connect is a conversation whose state lies in rows; here are only its questions and its sentences.
"""

import contextlib
from html import escape

from telegram import Update
from telegram.error import TelegramError

from bot.access.model import Right
from bot.errors import InputError, ProviderError
from bot.messages.cards import Card
from bot.operations.connections import Connection
from bot.operations.linking import Asking, Linked, Step
from handlers.buttons import keyboard
from handlers.context import DeskContext
from handlers.doors import Door, Words, taste_of
from handlers.failures import sentence
from handlers.pages import Reply
from handlers.render import bold, literal

STEP, UNLINK = "connect", "disconnect"
_ROWS_OF = 2


async def connections(context: DeskContext, words: Words) -> Reply:
    if words:
        raise InputError("it takes no words", "/connections")
    visible = await context.services.connections.visible_to(context.person)
    if not visible:
        return Reply(["You can see no provider login yet. /connect links one."])
    return Reply([bold("Connections"), *(_described(context, one) for one in visible)])


def _described(context: DeskContext, one: Connection) -> str:
    owner = "yours" if one.owner == context.person.id else "shared with you"
    can = ", ".join(sorted(one.spec.abilities))
    since = taste_of(context).date_time(one.created_at)
    head = f"<code>{escape(one.name)}</code> · {one.spec.title} · {one.environment} · {owner}"
    return f"{head}\n    reads {can} · linked {since}"


async def connect(context: DeskContext, words: Words) -> None:
    step = await context.services.linking.begin(context.person, words)
    await ask(context, step)


async def ask(context: DeskContext, step: Step) -> None:
    """Put the next question, with buttons for what can be tapped."""
    question = _question(step)
    if not step.options:
        await context.say(question)
        return
    card = await context.services.cards.make(
        STEP, context.person.id, context.where.chat_id, {"options": list(step.options)}
    )
    labels = [(_shown(option), index) for index, option in enumerate(step.options)]
    rows = [labels[start : start + _ROWS_OF] for start in range(0, len(labels), _ROWS_OF)]
    await context.say(question, keyboard=keyboard(card, rows, context.services.signer))


def _question(step: Step) -> str:
    title = bold(step.spec.title) if step.spec is not None else ""
    match step.asking:
        case Asking.PROVIDER:
            return "Which provider? (/cancel stops at any time.)"
        case Asking.ENVIRONMENT:
            return f"{title}: real money (live) or a demo account?"
        case Asking.LABEL:
            return f"{title}: what shall it be called? A short word such as <code>main</code>."
        case Asking.SHARE:
            return f"{title}: who may read it?"
        case Asking.FIELD:
            if step.field is None:
                return title
            care = " Your message will be deleted at once." if step.field.secret else ""
            return f"{title}: please send the {bold(step.field.title)}. {escape(step.field.hint, quote=False)}{care}"


def _shown(option: str) -> str:
    from bot.providers.registry import PROVIDERS

    return PROVIDERS[option].title if option in PROVIDERS else option.capitalize()


async def typed(update: Update, context: DeskContext) -> bool:
    """Plain text in a private chat: an answer, if something was asked. Answers whether it was."""
    message = update.message
    if message is None or message.text is None:
        return False
    step = await context.services.linking.waiting(context.person)
    if step is None:
        return False
    if step.field is not None and step.field.secret:
        await _forget(context, message.message_id)
    await take(context, message.text)
    return True


async def _forget(context: DeskContext, message_id: int) -> None:
    """Delete the message that holds a secret, and say whether that worked."""
    try:
        gone = await context.bot.delete_message(context.where.chat_id, message_id)
    except TelegramError:
        gone = False
    if not gone:
        await context.say(
            "I could not delete your message. Delete it yourself, and make a new key at the provider afterwards."
        )


async def take(context: DeskContext, text: str) -> None:
    """One answer of the conversation, typed or tapped."""
    services = context.services
    try:
        async with context.typing(context.where.chat_id):
            result = await services.linking.answer(context.person, text, services.access.roster)
    except InputError as error:
        await context.say(escape(sentence(error), quote=False))
        return
    except ProviderError as error:
        await context.say(f"{escape(sentence(error), quote=False)}\nNothing was kept. /connect starts again.")
        return
    if isinstance(result, Step):
        await ask(context, result)
    elif isinstance(result, Linked):
        await context.say(_linked(result))


def _linked(result: Linked) -> str:
    name = result.connection.name
    return (
        f"Linked {bold(result.connection.spec.title)} <code>{escape(name)}</code>: {literal(result.found, 300)}.\n"
        f"The login was tried before it was kept, and lies sealed. Try <code>/balance {escape(name)}</code>."
    )


async def disconnect(context: DeskContext, words: Words) -> None:
    if len(words) != 1:
        raise InputError("name the connection", "/disconnect capital/main")
    found = await context.services.connections.named(context.person, words[0])
    if len(found) > 1:
        raise InputError(f"that could be {', '.join(one.name for one in found)}", f"/disconnect {found[0].name}")
    card = await context.services.cards.make(
        UNLINK, context.person.id, context.where.chat_id, {"name": found[0].name, "id": found[0].id}
    )
    await context.say(
        f"Unlink {bold(found[0].spec.title)} <code>{escape(found[0].name)}</code> and erase its credential?",
        keyboard=keyboard(card, [[("Unlink", 1), ("Keep it", 0)]], context.services.signer),
    )


async def unlink(context: DeskContext, card: Card, choice: int, message_id: int) -> str | None:
    """The answer to the question of /disconnect."""
    if not await context.services.cards.advance(card):
        return "Already answered."
    if choice != 1:
        await _replace(context, message_id, f"Kept <code>{escape(card.body['name'])}</code>.")
        return None
    services = context.services
    found = [one for one in await services.connections.visible_to(context.person) if one.id == card.body["id"]]
    if not found:
        await _replace(context, message_id, "It is gone already.")
        return None
    await services.connections.unlink(context.person, found[0], services.access.roster)
    last = f" {escape(found[0].spec.revoke, quote=False)}" if found[0].spec.revoke else ""
    await _replace(
        context, message_id, f"Unlinked <code>{escape(found[0].name)}</code>; its credential is erased.{last}"
    )
    return None


async def chosen(context: DeskContext, card: Card, choice: int, message_id: int) -> str | None:
    """A tapped answer of the conversation."""
    options = card.body["options"]
    if choice >= len(options) or not await context.services.cards.advance(card):
        return "Already answered."
    with contextlib.suppress(TelegramError):
        await context.bot.edit_message_reply_markup(context.where.chat_id, message_id, reply_markup=None)
    await context.say(f"→ {literal(_shown(options[choice]))}")
    await take(context, options[choice])
    return None


async def _replace(context: DeskContext, message_id: int, html: str) -> None:
    with contextlib.suppress(TelegramError):
        await context.bot.edit_message_text(html, context.where.chat_id, message_id, parse_mode="HTML")


DOORS = (
    Door("connections", "Provider logins you can see", "/connections", Right.TALK, connections, private=True),
    Door("connect", "Link a provider login, step by step", "/connect", Right.LINK, connect, only_in_private=True),
    Door(
        "disconnect",
        "Unlink one and erase its credential",
        "/disconnect capital/main",
        Right.LINK,
        disconnect,
        only_in_private=True,
    ),
)
