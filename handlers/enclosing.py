"""/note and /attach: what people add to a request. A file comes after the command, as an answer to it."""

from telegram import Message
from telegram.error import TelegramError

from bot.errors import InputError
from bot.messages.cards import Draft
from bot.operations.enclosing import MOST_BYTES
from handlers import completing, dossiers
from handlers.context import DeskContext
from handlers.doors import Words
from handlers.pages import Reply
from handlers.render import literal

_KIND = "attach"
_TOO_LARGE = f"a file has at most {MOST_BYTES >> 20} MiB"
_EXAMPLE = "/attach abcdefghij, then a PDF"


async def note(context: DeskContext, words: Words) -> Reply | None:
    if not words and context.where.is_private:
        return await dossiers.newest(context, "/note")
    if not words:
        raise InputError("name a request, and say what is to be noted", "/note abcdefghij The invoice is attached")
    if len(words) == 1:
        number = dossiers.id_in(words, "/note abcdefghij The invoice is attached")
        await context.services.enclosing.open(context.person, number)
        await completing.ask(context, f"What is to be noted with request <code>{number}</code>?", "note", number)
        return None
    text, telegram_id = " ".join(words[1:]), context.where.telegram_id
    request = await context.services.enclosing.note(context.person, words[0].lower(), text, telegram_id=telegram_id)
    return Reply([f"Noted. Everybody who has a card of request <code>{literal(request.id)}</code> sees it there."])


async def attach(context: DeskContext, words: Words) -> Reply:
    if not words:
        return await dossiers.newest(context, "/attach")
    if len(words) != 1:
        raise InputError("name one request; the file comes after that", _EXAMPLE)
    services = context.services
    request = await services.enclosing.open(context.person, words[0].lower())
    await services.cards.save(Draft(context.person.id, _KIND, {"request": request.id}))
    lines = [*(literal(line) for line in services.approvals.lines(request)), ""]
    asked = (
        f"Send the file for request <code>{literal(request.id)}</code> now: PDF, PNG, JPEG, text or CSV, at most 2 MiB."
    )
    return Reply(["\n".join([*lines, asked, "/cancel stops this."])])


async def typed(context: DeskContext, draft: Draft, text: str, message_id: int) -> None:
    """Words instead of a file."""
    await context.say(
        f"Send a file or a photo for request <code>{literal(str(draft.body['request']))}</code>; /note keeps words, "
        "and /cancel stops this."
    )


async def taken(context: DeskContext, draft: Draft, message: Message) -> None:
    """What was sent while a file is waited for."""
    found = message.document or (message.photo[-1] if message.photo else None)
    if found is None:
        raise InputError("that is neither a file nor a photo", _EXAMPLE)
    if found.file_size is not None and found.file_size > MOST_BYTES:
        raise InputError(_TOO_LARGE, _EXAMPLE)
    name = (message.document.file_name if message.document is not None else None) or "photo"
    try:
        there = await found.get_file()
        if there.file_size is not None and there.file_size > MOST_BYTES:
            raise InputError(_TOO_LARGE, _EXAMPLE)
        content = bytes(await there.download_as_bytearray())
    except TelegramError:
        await context.say("Telegram did not hand me that file. Please send it again.")
        return
    number = str(draft.body["request"])
    file = await context.services.enclosing.attach(
        context.person, number, name, content, telegram_id=context.where.telegram_id
    )
    await context.services.cards.drop(context.person.id)
    await context.say(
        f"Attached to request <code>{literal(number)}</code>: {literal(file.name)}. /attach adds another one."
    )
