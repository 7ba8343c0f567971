"""The command menus: in private everybody's own, by their rights; in groups what everybody there may see.

A person's menu is registered anew when their rights change, and taken away when they are no longer here.
"""

import asyncio
from collections.abc import Sequence

from telegram import BotCommand, BotCommandScopeAllGroupChats, BotCommandScopeAllPrivateChats, BotCommandScopeChat
from telegram.error import BadRequest, Forbidden

from bot.access.model import Person
from handlers.context import Desk
from handlers.doors import Door
from handlers.pages import Audience

Menu = tuple[str, ...]


def menu_of(doors: Sequence[Door], person: Person) -> Menu:
    """The commands a person may use, in order."""
    return tuple(door.command for door in doors if not door.hidden and person.may(door.right))


def menu_of_groups(doors: Sequence[Door]) -> Menu:
    """What anybody in a group may see: commands whose answers are public."""
    return tuple(
        door.command
        for door in doors
        if not door.hidden and not door.only_in_private and door.audience is Audience.PUBLIC
    )


class Menus:
    """Keeps Telegram's menus as the people are."""

    def __init__(self, desk: Desk, doors: Sequence[Door]) -> None:
        self._desk = desk
        self._doors = doors
        self._summaries = {door.command: door.summary for door in doors}
        self._shown: dict[int, Menu] = {}
        self._changed = asyncio.Event()
        self._access = desk.services.access
        self._access.watch(self._changed.set)
        desk.when_opened = self.opened

    async def keep(self) -> None:
        """Register what differs, for ever. `TelegramError`: begin again in a while."""
        await self._everywhere()
        while True:
            self._changed.clear()
            await self._catch_up()
            await self._changed.wait()

    def opened(self, telegram_id: int) -> None:
        """A person has opened their private chat: before that Telegram takes no menu for it."""
        if self._shown.get(telegram_id) == ():
            del self._shown[telegram_id]
            self._changed.set()

    async def _everywhere(self) -> None:
        """Nothing for strangers, and the public commands in groups."""
        bot = self._desk.bot
        await bot.delete_my_commands(BotCommandScopeAllPrivateChats())
        await bot.set_my_commands(self._commands(menu_of_groups(self._doors)), BotCommandScopeAllGroupChats())

    async def _catch_up(self) -> None:
        wanted = {number: menu_of(self._doors, person) for number, person in self._access.roster.by_telegram_id.items()}
        for number in [*wanted, *(self._shown.keys() - wanted.keys())]:
            if self._shown.get(number) != wanted.get(number):
                await self._show(number, wanted.get(number))

    async def _show(self, telegram_id: int, menu: Menu | None) -> None:
        scope = BotCommandScopeChat(telegram_id)
        try:
            if menu:
                await self._desk.bot.set_my_commands(self._commands(menu), scope)
            else:
                await self._desk.bot.delete_my_commands(scope)
        except (BadRequest, Forbidden):  # they have not opened the chat yet, or have blocked the bot
            menu = () if menu is not None else None
        if menu is None:
            self._shown.pop(telegram_id, None)
        else:
            self._shown[telegram_id] = menu

    def _commands(self, menu: Menu) -> list[BotCommand]:
        return [BotCommand(command, self._summaries[command]) for command in menu]
