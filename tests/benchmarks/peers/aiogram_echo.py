"""The least a bot on aiogram can do: echo, with a bound on how many updates it handles at a time."""

import asyncio
import os

from aiogram import Bot, Dispatcher
from aiogram.client.session.aiohttp import AiohttpSession
from aiogram.client.telegram import TelegramAPIServer
from aiogram.types import Message

desk = Dispatcher()


@desk.message()
async def echo(message: Message) -> None:
    await message.answer(message.text)


async def main() -> None:
    session = AiohttpSession(api=TelegramAPIServer.from_base(os.environ["BOT_API"]))
    bot = Bot(os.environ["BOT_TOKEN"], session=session)
    await desk.start_polling(bot, tasks_concurrency_limit=int(os.environ["BOT_CONCURRENCY"]))


asyncio.run(main())
