"""What a handler holds in its hand: the services and the person, typed."""

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from telegram import InlineKeyboardMarkup, LinkPreviewOptions, Message
from telegram.constants import ChatAction, ChatType, ParseMode
from telegram.error import BadRequest, TelegramError
from telegram.ext import Application, CallbackContext, ExtBot

from bot.access.matrix import Place
from bot.access.model import Person
from bot.messages.notice import Lane
from bot.wiring import House

os.environ.setdefault("PTB_TIMEDELTA", "true")  # without it the library warns at every RetryAfter
NO_PREVIEW = LinkPreviewOptions(is_disabled=True)
_PATIENCE_SECONDS = 0.4


class Mouth(ExtBot[Lane]):
    """The library's bot, whose own `repr` would show the token."""

    def __repr__(self) -> str:
        return "Mouth()"


class Desk(Application[ExtBot[Lane], "DeskContext", None, None, None, None]):
    """The library's application, carrying our services."""

    def __init__(self, services: House, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.services = services
        self.when_opened: Callable[[int], None] = lambda telegram_id: None
        """Called when a known person presses Start."""

    def __repr__(self) -> str:
        return "Desk()"


class DeskContext(CallbackContext[ExtBot[Lane], None, None, None]):
    """One update's context. `person` is set by the gate before any door is reached."""

    person: Person
    where: "Where"
    said_at: datetime | None = None
    """When Telegram took the message; None for a tap, whose time nobody tells."""
    occasion: str = ""
    """What the update stands for: a message, or a tap. What is asked for twice by the same is asked for once."""
    message_id: int = 0
    """Of the command that opened a door."""
    said: str = ""
    """The whole message of that command."""
    under: Message | None = None
    """The message that it replies to."""
    reply_to: int | None = None
    """The message of ours that a typed answer replies to."""

    @property
    def desk(self) -> Desk:
        if not isinstance(self.application, Desk):
            raise TypeError("not our application")
        return self.application

    @property
    def services(self) -> House:
        return self.desk.services

    async def say(
        self,
        html: str,
        *,
        chat_id: int | None = None,
        keyboard: InlineKeyboardMarkup | None = None,
        protected: bool = False,
    ) -> Message:
        """Send one message to where this came from, or to `chat_id`. `html` has been escaped by `render`.

        `protected`: Telegram's clients do not forward, copy or save it; editing it later leaves that as it is.
        """
        return await self.bot.send_message(
            self.where.chat_id if chat_id is None else chat_id,
            html,
            parse_mode=ParseMode.HTML,
            message_thread_id=self.where.thread_id if chat_id in (None, self.where.chat_id) else None,
            reply_markup=keyboard,
            link_preview_options=NO_PREVIEW,
            protect_content=protected or None,
        )

    async def show_picture(self, png: bytes, html: str) -> Message:
        """A picture that nobody can pass on, with words under it. Tried once: a second one would stay behind."""
        return await self.bot.send_photo(
            self.where.chat_id,
            png,
            html,
            filename="picture.png",
            parse_mode=ParseMode.HTML,
            protect_content=True,
            rate_limit_args=Lane.DECISIONS,
        )

    async def redraw(self, message_id: int, html: str, keyboard: InlineKeyboardMarkup | None = None) -> None:
        """Write a message of ours anew, with this keyboard or none. One that is gone, or says so already, is left."""
        with contextlib.suppress(BadRequest):
            await self.bot.edit_message_text(
                html,
                self.where.chat_id,
                message_id,
                parse_mode=ParseMode.HTML,
                reply_markup=keyboard,
                link_preview_options=NO_PREVIEW,
            )

    async def without_buttons(self, message_id: int) -> None:
        """Take the buttons of a message of ours away. They are used up, so nothing depends on it."""
        with contextlib.suppress(TelegramError):
            await self.bot.edit_message_reply_markup(self.where.chat_id, message_id, reply_markup=None)

    async def delete(self, message_id: int) -> bool:
        """Delete a message; answers whether it is gone."""
        try:
            return await self.bot.delete_message(self.where.chat_id, message_id)
        except TelegramError as error:
            return "not found" in str(error)  # after a crash the same update comes again; it has gone already

    async def delete_secret(self, message_id: int) -> bool:
        """Delete the message that holds a secret; when that does not work, say so. Answers whether it is gone."""
        gone = await self.delete(message_id)
        if not gone:
            await self.say(
                "I could not delete your message. Delete it yourself, and change what it held wherever it counts."
            )
        return gone

    @asynccontextmanager
    async def typing(self, chat_id: int) -> AsyncIterator[None]:
        """Show "typing …" for as long as the block takes, if it takes long enough to wonder.

        Most answers come sooner than that, so what they pay is a timer, not a task.
        """
        tasks: list[asyncio.Task[None]] = []

        def start() -> None:
            tasks.append(asyncio.create_task(self._typing(chat_id)))

        timer = asyncio.get_running_loop().call_later(_PATIENCE_SECONDS, start)
        try:
            yield
        finally:
            timer.cancel()
            for task in tasks:
                task.cancel()
                await asyncio.wait({task})  # and not `await task`: our own cancellation must not be mistaken for its

    async def _typing(self, chat_id: int) -> None:
        while True:
            with contextlib.suppress(TelegramError):
                await self.bot.send_chat_action(chat_id, ChatAction.TYPING)
            await asyncio.sleep(4)


@dataclass(frozen=True, slots=True)
class Where:
    """Where an update came from."""

    chat_id: int
    chat_type: str
    telegram_id: int
    thread_id: int | None = None
    place: Place = Place.ELSEWHERE

    @property
    def is_private(self) -> bool:
        return self.chat_type == ChatType.PRIVATE
