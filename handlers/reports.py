"""/report: the CRM's reports as files and pictures; /leaderboard."""

import asyncio
from datetime import timedelta

from telegram import InputFile

from bot.errors import InputError
from bot.operations.reports import Kind, Written
from handlers.context import DeskContext
from handlers.doors import Words, taste_of
from handlers.pages import Reply, privately
from handlers.render import charts
from handlers.render import crm as render

USUAL_DAYS = 30
MOST_DRAWN = timedelta(days=3 * 366)
"""Of commissions, which come all at once."""
_REPORT = "/report transactions 30"
_BOARD = "/leaderboard comp0001"
_DRAWN = {Kind.TRANSACTIONS: "deposits or withdrawals", Kind.COMMISSIONS: "commissions with a day and a currency"}


async def report(context: DeskContext, words: Words) -> Reply | None:
    """A file and a picture, to the asker's private chat."""
    kind, days = read(words)
    services = context.services
    written = await services.reports.write(context.person, kind, days)
    with written.content:
        content = written.content.read()
    picture = await _drawn(context, kind, days, written)
    caption = f"{written.rows:,} {kind.value}" + (", cut: Telegram takes no larger file" if written.is_cut else "")
    caption += "" if isinstance(picture, bytes) else f". {picture}"

    async def say(chat_id: int) -> None:
        await context.bot.send_document(
            chat_id, InputFile(content, written.name), caption=caption, protect_content=True
        )
        if isinstance(picture, bytes):
            await context.bot.send_photo(chat_id, InputFile(picture, "report.png"), protect_content=True)

    await privately(context, say)
    return None


async def _drawn(context: DeskContext, kind: Kind, days: int, written: Written) -> bytes | str:
    """The picture, or why there is none."""
    now = context.services.clock.now()
    today, all_ = now.date(), kind is Kind.COMMISSIONS
    since = today - (MOST_DRAWN if all_ else timedelta(days=days))
    panels = written.tally.panels(since, today, from_first=all_) if written.tally is not None else ()
    if not panels:
        return f"No picture: no {_DRAWN[kind]} in it."
    if not charts.can_draw():
        return "No picture: this installation lacks the extra “charts”; an admin can add it."
    title = "Commissions" if all_ else f"Deposits and withdrawals, {days} days"
    return await asyncio.to_thread(charts.bars, title, taste_of(context).date_time(now), panels)


def read(words: Words) -> tuple[Kind, int]:
    """`transactions` or `commissions`, then how many days back."""
    match words:
        case [kind]:
            return _kind(kind), USUAL_DAYS
        case [kind, days] if days.isascii() and days.isdecimal():
            return _kind(kind), int(days[:6])
        case _:
            raise InputError("transactions or commissions, then how many days", _REPORT)


def _kind(word: str) -> Kind:
    try:
        return Kind(word.lower())
    except ValueError:
        raise InputError("transactions or commissions, then how many days", _REPORT) from None


async def leader_board(context: DeskContext, words: Words) -> Reply:
    if len(words) != 1:
        raise InputError("a competition's id", _BOARD)
    board = await context.services.reports.leader_board(context.person, words[0])
    return Reply(render.leader_board(board, taste_of(context)), again=f"/leaderboard {words[0]}")
