"""/evidence: everything about one request as a file that can be examined without this program."""

from telegram import InputFile

from bot.errors import InputError
from handlers import dossiers
from handlers.context import DeskContext
from handlers.doors import Words
from handlers.pages import Reply


async def evidence(context: DeskContext, words: Words) -> Reply | None:
    if not words:
        return await dossiers.newest(context, "/evidence")
    if len(words) != 1:
        raise InputError("name one request by its id", "/evidence abcdefghij")
    pack = await context.services.evidence.take(context.person, words[0].lower(), telegram_id=context.where.telegram_id)
    await context.bot.send_document(
        context.where.chat_id,
        InputFile(pack.content, pack.name),
        caption="Unpack it, read request.html, and run verify.py: README.txt says how.\n"
        f"SHA-256 of this file, as in the audit log:\n{pack.sha256}",
    )
    return None
