"""Which request is meant, where a command does not say: those that could be, each with a button for its line."""

from collections.abc import Sequence

from bot.approvals.model import Request
from handlers.context import DeskContext
from handlers.pages import Reply
from handlers.render import literal

_MOST = 8


def which(context: DeskContext, found: Sequence[Request], question: str, command: str) -> Reply:
    """`question` is HTML of ours; `command` is what the button's line begins with, before the id."""
    blocks = [question, *(_told(context, one) for one in found[:_MOST])]
    if len(found) > _MOST:
        blocks.append(f"… and {len(found) - _MOST} more: <code>{command}</code> and the id.")
    return Reply(blocks, offers=[(one.id, f"{command} {one.id}") for one in found[:_MOST]])


def _told(context: DeskContext, one: Request) -> str:
    lines = (literal(line, 300) for line in context.services.approvals.lines(one))
    return "\n    ".join([f"<code>{one.id}</code>", *lines])
