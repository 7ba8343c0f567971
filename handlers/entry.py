"""The page offered in the chat: a button, the link for a browser, and the code that is asked for there."""

from html import escape

from telegram import InlineKeyboardButton, InlineKeyboardMarkup, WebAppInfo
from telegram.error import BadRequest

from bot.config import is_loopback
from bot.messages.cards import Card
from bot.operations.entry import Issued
from bot.operations.linking_steps import Step
from bot.operations.one_time import LIFE
from handlers.buttons import data_for
from handlers.context import DeskContext
from handlers.render import bold

_MINUTES = int(LIFE.total_seconds() // 60)


async def offer(context: DeskContext, step: Step, card: Card) -> None:
    """Say where the login is entered. `card` is the question's: its options are the buttons below the page's.

    Telegram opens encrypted addresses only as a Mini App, its test servers and simulators others, too. What it does not
    take as a button stands in the text all the same.
    """
    services = context.services
    web = services.config.web
    if web is None:
        return
    issued = await services.entries.issue(context.person, context.where.telegram_id)
    address = f"{web.origin}/enter/{issued.token.reveal()}"
    rows = [
        [InlineKeyboardButton(option.capitalize(), callback_data=data_for(card, index, services.signer))]
        for index, option in enumerate(step.options)
    ]
    opening = InlineKeyboardButton("Open the secure page", web_app=WebAppInfo(address))
    text = _text(issued, address)
    if web.is_encrypted or is_loopback(services.config.telegram.base_url):
        try:
            await context.say(text, keyboard=InlineKeyboardMarkup([[opening], *rows]), protected=True)
        except BadRequest:  # "Only HTTPS links are allowed" and the like
            await context.say(text, keyboard=InlineKeyboardMarkup(rows), protected=True)
    else:
        await context.say(text, keyboard=InlineKeyboardMarkup(rows), protected=True)


def _text(issued: Issued, address: str) -> str:
    outline, code = issued.outline, issued.code.reveal()
    return (
        f"{bold(outline.spec.title)} <code>{escape(outline.name)}</code>: please enter the login on the secure page, "
        f"so that it does not pass through this chat. The link is yours alone, works once, and ends in {_MINUTES} "
        f"minutes.\n\nIn a browser: {escape(address)}\nIt asks for the code <code>{code[:3]} {code[3:]}</code>"
    )
