"""A file that a person has sent: fetched from Telegram, no larger than is asked for."""

from telegram import Document
from telegram.error import TelegramError

from bot.errors import InputError
from handlers.context import DeskContext


async def content_of(context: DeskContext, document: Document, most_bytes: int, example: str) -> bytes:
    """What is in it. What it says of its own size is looked at first, and what came as well.

    Raises:
        InputError: It is too large, or Telegram does not give it.
    """
    if (document.file_size or 0) > most_bytes:
        raise InputError(_too_large(document.file_size or 0, most_bytes), example)
    try:
        file = await context.bot.get_file(document.file_id)
        if (file.file_size or 0) > most_bytes:
            raise InputError(_too_large(file.file_size or 0, most_bytes), example)
        content = bytes(await file.download_as_bytearray())
    except TelegramError:
        raise InputError("Telegram did not give me that file; send it again", example) from None
    if len(content) > most_bytes:
        raise InputError(_too_large(len(content), most_bytes), example)
    return content


def _too_large(size: int, most_bytes: int) -> str:
    return f"that file has {size:,} bytes, and {most_bytes:,} are the most"
