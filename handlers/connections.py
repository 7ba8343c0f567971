"""/connections, /connect, /disconnect: provider logins.

/connect is a conversation whose state lies in rows; here are only its questions and its sentences.
"""

import contextlib
from html import escape

from telegram import Update
from telegram.constants import ParseMode
from telegram.error import TelegramError

from bot.access.model import Right
from bot.errors import CountersignError, InputError, StoreError
from bot.messages.cards import Card
from bot.operations.connections import LABEL, Connection
from bot.operations.linking import Asking, Linked, Step
from bot.providers.registry import PROVIDERS
from handlers.buttons import keyboard
from handlers.context import NO_PREVIEW, DeskContext
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
    if one.owner == context.person.id and one.shared_with:
        owner = "yours, shared with " + ", ".join(f"{role}s" for role in sorted(one.shared_with))
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
    body = {"options": list(step.options), "question": step.question}
    card = await context.services.cards.make(STEP, context.person.id, context.where.chat_id, body)
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
            return f"{title}: please send the {bold(step.field.title)}. {_sentence(step.field.hint)}{care}"


def _sentence(hint: str) -> str:
    text = escape(hint.strip().rstrip("."), quote=False)
    return f"{text[:1].upper()}{text[1:]}."


def _shown(option: str) -> str:
    if option in PROVIDERS:
        return PROVIDERS[option].title
    return option if LABEL.fullmatch(option) and option not in ("live", "demo") else option.capitalize()


async def typed(update: Update, context: DeskContext) -> bool:
    """Plain text in a private chat: an answer, if something was asked. Answers whether it was."""
    message = update.message
    if message is None or message.text is None:
        return False
    try:
        step = await context.services.linking.waiting(context.person)
        wary = step is None and await context.services.linking.ended_lately(context.person)
    except StoreError:
        await _forget(context, message.message_id)  # nobody can say what was asked: it may be a secret
        raise
    if wary:
        await _forget(context, message.message_id)
        await context.say("I deleted that, in case it was a secret: nothing is being linked. /connect starts again.")
        return True
    if step is None:
        return False
    if step.asks_secret:
        await _forget(context, message.message_id)
    await take(context, message.text, f"m/{message.message_id}")
    return True


async def typed_secret(update: Update, context: DeskContext) -> bool:
    """The same, but only when a secret is being asked for."""
    linking = context.services.linking
    step = await linking.waiting(context.person)
    if step is not None:
        return step.asks_secret and await typed(update, context)
    return await linking.ended_lately(context.person) and await typed(update, context)


async def _forget(context: DeskContext, message_id: int) -> None:
    """Delete the message that holds a secret, and say whether that worked."""
    try:
        gone = await context.bot.delete_message(context.where.chat_id, message_id)
    except TelegramError as error:
        gone = "not found" in str(error)  # after a crash the same update comes again; its message has gone already
    if not gone:
        await context.say(
            "I could not delete your message. Delete it yourself, and make a new key at the provider afterwards."
        )


async def take(context: DeskContext, text: str, origin: str) -> None:
    """One answer of the conversation, typed or tapped. `origin` names the message or the tap it came with."""
    services = context.services
    try:
        async with context.typing(context.where.chat_id):
            result = await services.linking.answer(
                context.person,
                text,
                services.access.roster,
                origin=origin,
                telegram_id=context.where.telegram_id,
            )
    except (InputError, StoreError) as error:  # the question stands
        await context.say(escape(sentence(error), quote=False))
        return
    except CountersignError as error:
        await context.say(f"{escape(sentence(error), quote=False)}\nNothing was kept.")
        again = await services.linking.waiting(context.person)
        if again is not None:  # everything but the secrets stands; /cancel stops
            await ask(context, again)
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
    found = [one for one in found if one.unlinked_by(context.person)] or found
    if len(found) > 1:
        raise InputError(f"that could be {', '.join(one.name for one in found)}", f"/disconnect {found[0].name}")
    found[0].check_unlink(context.person)
    card = await context.services.cards.make(UNLINK, context.person.id, context.where.chat_id, _which(found[0]))
    await context.say(
        f"Unlink {bold(found[0].spec.title)} <code>{escape(found[0].name)}</code> and erase its credential?",
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
    found = [one for one in await services.connections.visible_to(context.person) if _which(one) == card.body]
    if not found:
        await _replace(context, message_id, "It is gone already.")
        return None
    await services.connections.unlink(
        context.person, found[0], services.access.roster, telegram_id=context.where.telegram_id
    )
    last = f" {escape(found[0].spec.revoke, quote=False)}" if found[0].spec.revoke else ""
    await _replace(
        context, message_id, f"Unlinked <code>{escape(found[0].name)}</code>; its credential is erased.{last}"
    )
    return None


async def chosen(context: DeskContext, card: Card, choice: int, message_id: int) -> str | None:
    """A tapped answer of the conversation."""
    options = card.body["options"]
    step = await context.services.linking.waiting(context.person)
    if step is None or step.question != card.body["question"] or choice >= len(options):
        return "That question is closed. /connect starts again."
    if not await context.services.cards.advance(card):
        return None  # a second tap: the first one was taken
    with contextlib.suppress(TelegramError):
        await context.bot.edit_message_reply_markup(context.where.chat_id, message_id, reply_markup=None)
    await context.say(f"→ {escape(_shown(options[choice]), quote=False)}")
    await take(context, options[choice], f"c/{card.id}")
    return None


async def _replace(context: DeskContext, message_id: int, html: str) -> None:
    with contextlib.suppress(TelegramError):
        await context.bot.edit_message_text(
            html, context.where.chat_id, message_id, parse_mode=ParseMode.HTML, link_preview_options=NO_PREVIEW
        )


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
