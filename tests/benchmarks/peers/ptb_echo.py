"""The least a bot on python-telegram-bot can do: echo, with everything the library brings as it comes."""

import os

from telegram import Update
from telegram.ext import ApplicationBuilder, ContextTypes, MessageHandler, filters


async def echo(update: Update, context: ContextTypes.DEFAULT_TYPE) -> None:
    if update.message is not None and update.message.text is not None:
        await update.message.reply_text(update.message.text)


bot = ApplicationBuilder().token(os.environ["BOT_TOKEN"]).base_url(os.environ["BOT_API"] + "/bot").build()
bot.add_handler(MessageHandler(filters.TEXT, echo))
bot.run_polling()
