"""/connect: linking a login in a conversation.

Its state lies in rows; here are only its questions and its sentences, and the care for what a person writes while a
secret is asked for: wherever and however it comes, it does not stay in the chat.
"""

import logging
from html import escape

from telegram import Update
from telegram.error import TelegramError

from bot.errors import CountersignError, InputError, ProviderError, StoreError
from bot.messages.cards import Card
from bot.operations.findings import told as found_words
from bot.operations.linking import Linked, LinkedNewKey
from bot.operations.linking_steps import NEW_KEY, Asking, Step
from bot.providers.registry import PROVIDERS
from handlers import entry
from handlers.buttons import keyboard
from handlers.connections import only_one
from handlers.context import DeskContext
from handlers.doors import Words
from handlers.failures import told
from handlers.pages import paged
from handlers.render import bold, literal, visible
from handlers.render.registering import new_key, steps

KIND = "connect"
_ROWS_OF = 2
_LABEL_UNITS = 40
_FOUND_UNITS = 1000
_log = logging.getLogger(__name__)


# asking


async def connect(context: DeskContext, words: Words) -> None:
    await _ask(context, await context.services.linking.begin(context.person, words))


async def make_key(context: DeskContext, words: Words) -> None:
    """`[provider] [label]`, or `provider/label`: as /connect, but nobody types a key."""
    said = " ".join(words).replace("/", " ").split()
    await _ask(context, await context.services.linking.begin_new_key(context.person, said))


async def replace(context: DeskContext, words: Words) -> None:
    if len(words) != 1:
        raise InputError("name the connection", "/replace capital/main")
    one = await only_one(context, words[0], "/replace {}")
    step = await context.services.linking.begin_replacing(context.person, one)
    await context.say(
        f"A new login for {bold(one.spec.title)} <code>{escape(one.name)}</code>. It is tried first; only then is the "
        "old one erased. /cancel keeps the old one."
    )
    await _ask(context, step)


async def _ask(context: DeskContext, step: Step) -> None:
    """Put the next question, with buttons for what can be tapped."""
    question = _question(step)
    if not step.options:
        await context.say(question)
        return
    body = {"options": list(step.options), "question": step.question}
    card = await context.services.cards.make(KIND, context.person.id, context.where.chat_id, body)
    if step.asking is Asking.WAY:
        await entry.offer(context, step, card)
        return
    labels = [(_label(step, option), index) for index, option in enumerate(step.options)]
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
        case Asking.WAY:
            return f"{title}: on the secure page, or here?"
        case Asking.FIELD:
            if step.field is None:
                return title
            care = " Your message will be deleted at once." if step.field.secret else ""
            keep = " Or keep the one you gave before." if step.earlier is not None else ""
            made = " Or let me make a new one here, which nobody types." if NEW_KEY in step.options else ""
            return f"{title}: please send the {bold(step.field.title)}. {_sentence(step.field.hint)}{care}{keep}{made}"


def _sentence(hint: str) -> str:
    text = escape(hint.strip().rstrip("."), quote=False)
    return f"{text[:1].upper()}{text[1:]}."


def _label(step: Step, option: str) -> str:
    """What stands on the button, as plain text."""
    match step.asking:
        case Asking.PROVIDER:
            return PROVIDERS[option].title
        case Asking.ENVIRONMENT | Asking.SHARE | Asking.WAY:
            return option.capitalize()
        case Asking.LABEL | Asking.FIELD:
            if option == NEW_KEY:
                return option.capitalize()
            shown = visible(option, _LABEL_UNITS)
            return f"Keep {shown}" if option == step.earlier else shown


# answers


async def typed(context: DeskContext, text: str, message_id: int) -> bool:
    """Plain text in a private chat: an answer, if something was asked. Answers whether it was."""
    linking = context.services.linking
    step = await linking.waiting(context.person)
    if step is None:
        return False
    if step.asks_secret:
        await context.delete_secret(message_id)
    await _take(context, text, f"m/{message_id}")
    return True


async def chosen(context: DeskContext, card: Card, choice: int, message_id: int) -> str | None:
    """A tapped answer."""
    options = card.body["options"]
    step = await context.services.linking.waiting(context.person)
    if step is None or step.question != card.body["question"] or choice >= len(options):
        return "That question is closed. /connect starts again."
    if not await context.services.cards.advance(card):
        return None  # a second tap: the first one was taken
    await context.without_buttons(message_id)
    await context.say(f"→ {literal(_label(step, options[choice]))}")
    await _take(context, options[choice], f"c/{card.id}")
    return None


async def _take(context: DeskContext, text: str, origin: str) -> None:
    """One answer of the conversation. `origin` names the message or the tap it came with."""
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
        await context.say(told(error))
        return
    except CountersignError as error:
        again = await services.linking.waiting(context.person)
        name = again.name if again is not None else None
        await context.say(f"{told(error, name, is_new=True)}\nNothing was kept.")
        if again is not None:
            await _ask(context, again)
        return
    if isinstance(result, Step):
        await _ask(context, result)
    elif isinstance(result, LinkedNewKey):
        await _lead_on(context, result)
    elif isinstance(result, Linked):
        await context.say(_linked(result))


async def _lead_on(context: DeskContext, made: LinkedNewKey) -> None:
    """The new key's public half, and what makes it known to its provider."""
    await context.say(new_key(made.connection, made.key))
    registering = context.services.registering
    try:
        found = await registering.begin(context.person, made.connection, context.where.telegram_id)
    except ProviderError as error:
        name = escape(made.connection.name)
        await context.say(f"{told(error)}\nThe key is kept. What to do next says <code>/register {name}</code>.")
        return
    for page in paged(steps(made.connection, found)):
        await context.say(page)


def _linked(result: Linked) -> str:
    name = result.connection.name
    done = "Gave a new login to" if result.replaced else "Linked"
    found = literal(found_words(result.connection.spec, result.found), _FOUND_UNITS)
    return (
        f"{done} {bold(result.connection.spec.title)} <code>{escape(name)}</code>: {found}\n"
        f"The login was tried before it was kept, and lies sealed. Try <code>/balance {escape(name)}</code>."
    )


# what is said elsewhere


async def overheard(update: Update, context: DeskContext) -> None:
    """Plain text in a group: what looks like the secret its writer is asked for is deleted, and they are told."""
    message = update.message
    if message is None or message.text is None:
        return
    try:
        step = await context.services.linking.waiting(context.person)
    except StoreError as error:
        _log.warning("a group's text not looked at", extra={"error": type(error).__name__})
        return
    if step is None or step.field is None or not step.looks_secret(message.text):
        return
    try:
        gone = await context.bot.delete_message(context.where.chat_id, message.message_id)
    except TelegramError:
        gone = False
    done = "I deleted it there." if gone else "I may not delete it there: please delete it yourself."
    what = bold(step.field.title)
    await context.say(
        f"What you wrote in the group looks like the {what} I asked for. {done} Others may have seen it: make a new "
        "one at the provider, and send that one here.",
        chat_id=context.where.telegram_id,
    )
