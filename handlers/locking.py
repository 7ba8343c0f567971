"""/passphrase, /unlock, /lock: a connection that opens only while its owner's passphrase is there.

Whatever is typed here has left the chat before it is looked at.
"""

from bot.errors import CountersignError, InputError
from bot.messages.cards import Draft
from bot.operations.locking import Asking, Done, Question
from bot.secret import Secret
from handlers.context import DeskContext
from handlers.doors import Words
from handlers.failures import told
from handlers.pages import Reply
from handlers.render import bold, literal

_ABOUT = (
    "It is typed in this chat, so it passes through Telegram's cloud before I delete it: it guards against a stolen "
    "database and master key, not against whoever can read this chat."
)
_THEN = (
    "After each start of the bot the connection is locked for everybody until you say /unlock. Nobody can reset the "
    "passphrase: forgotten, the connection must be unlinked and linked anew."
)


async def passphrase(context: DeskContext, words: Words) -> Reply:
    if not words:
        raise InputError("name one connection", _EXAMPLE)
    if words[1:] not in ([], ["off"]):
        await context.delete_secret(context.message_id)  # more may be the passphrase itself
        raise InputError("name one connection; the passphrase comes in a message of its own", _EXAMPLE)
    locking = context.services.locking
    begin = locking.begin_removing if words[1:] else locking.begin_setting
    return Reply([_asked(await begin(context.person, words[0]))])


async def unlock(context: DeskContext, words: Words) -> Reply:
    if words:
        await context.delete_secret(context.message_id)
        raise InputError("the passphrase comes in a message of its own, when I ask for it", "/unlock")
    return Reply([_asked(await context.services.locking.begin_unlocking(context.person))])


async def lock(context: DeskContext, words: Words) -> Reply:
    if words:
        raise InputError("it takes no words", "/lock")
    names = await context.services.locking.lock(context.person, telegram_id=context.where.telegram_id)
    if not names:
        return Reply(["Nothing of yours is under a passphrase. /passphrase puts a connection under one."])
    return Reply([f"Locked: {_listed(names)}. /unlock opens it again."])


async def answer(context: DeskContext, draft: Draft, text: str, message_id: int) -> None:
    """The passphrase was typed; its message is gone already."""
    async with context.typing(context.where.chat_id):
        try:
            result = await context.services.locking.answer(
                context.person,
                draft,
                Secret(text),
                origin=f"m/{message_id}",
                telegram_id=context.where.telegram_id,
            )
        except CountersignError as error:
            await context.say(told(error))
            return
    await context.say(_asked(result) if isinstance(result, Question) else _done(result))


def _asked(question: Question) -> str:
    name = bold(question.connection)
    match question.asking:
        case Asking.NEW:
            return (
                f"Send the passphrase for {name}: 12 characters or more, several words are good. {_ABOUT}\n{_THEN}\n"
                "/cancel stops."
            )
        case Asking.AGAIN:
            return f"Send the passphrase for {name} once more."
        case Asking.KNOWN:
            return f"Send the passphrase you have: it will lock {name}, too. I delete your message. /cancel stops."
        case Asking.OFF:
            return f"Send the passphrase, to take it off {name}. I delete your message. /cancel stops."
        case Asking.UNLOCK:
            return "Send your passphrase. I delete your message. /cancel stops."


def _done(done: Done) -> str:
    names = _listed(done.connections)
    match done.asking:
        case Asking.OFF:
            return f"{names} is under no passphrase any more."
        case Asking.UNLOCK:
            return f"Unlocked until the next start, or /lock: {names}."
        case _:
            return f"{names} is under your passphrase. It is open now, and locked after the next start, or /lock."


def _listed(names: tuple[str, ...]) -> str:
    return ", ".join(f"<code>{literal(name)}</code>" for name in names)


_EXAMPLE = "/passphrase capital/main"
