"""python-telegram-bot imported, a bare Application built, nothing sent: where every bot on it begins."""

import os
import sys

from telegram.ext import ApplicationBuilder

bot = ApplicationBuilder().token(os.environ["BOT_TOKEN"]).base_url(os.environ["BOT_API"] + "/bot").build()
print("built", flush=True)
sys.stdin.read()
