"""/report: the CRM's reports as files; /leaderboard."""

from telegram import InputFile

from bot.access.model import Right
from bot.errors import InputError
from bot.operations.reports import Kind
from handlers.context import DeskContext
from handlers.doors import Door, Words, taste_of
from handlers.pages import Audience, Reply, privately
from handlers.render import crm as render

USUAL_DAYS = 30
_REPORT = "/report transactions 30"
_BOARD = "/leaderboard comp0001"


async def report(context: DeskContext, words: Words) -> Reply | None:
    """A file, to the asker's private chat."""
    kind, days = read(words)
    written = await context.services.reports.write(context.person, kind, days)
    with written.content:
        content = written.content.read()
    caption = f"{written.rows:,} {kind.value}" + (", cut: Telegram takes no larger file" if written.is_cut else "")

    async def say(chat_id: int) -> None:
        await context.bot.send_document(
            chat_id, InputFile(content, written.name), caption=caption, protect_content=True
        )

    await privately(context, say)
    return None


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


DOORS = (
    Door(
        "report",
        "The CRM's transactions or commissions as a CSV file",
        _REPORT,
        Right.READ,
        report,
        Audience.PRIVATE,
    ),
    Door("leaderboard", "Who leads a competition of the CRM", _BOARD, Right.READ, leader_board, Audience.PRIVATE),
)
