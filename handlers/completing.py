"""A command line that is only begun: its last word is `…`, and what is missing is asked for and typed.

Buttons below an answer stand for such lines. What is typed is put behind the words before, and the whole goes through
the door as if it had been written at once: no command has a second way of doing what it does.
"""

import re
from typing import Final

from bot.messages.cards import Draft
from handlers import pages
from handlers.context import DeskContext
from handlers.doors import Words

KIND: Final = "complete"
MORE: Final = "…"
_WORD: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/&+:#-]{0,63}", re.ASCII)


def offer(label: str, *line: str) -> tuple[str, str]:
    """A button for a line that is only begun."""
    return label, " ".join([*line, MORE])


def is_a_word(text: str) -> bool:
    """Whether somebody else's text stays one word of a line, and says no more than itself."""
    return _WORD.fullmatch(text) is not None


def is_begun(words: Words) -> bool:
    return bool(words) and words[-1] == MORE


async def ask(context: DeskContext, question: str, *line: str) -> None:
    """Ask for the rest of a line; `question` is HTML of ours."""
    services = context.services
    await services.linking.cancel(context.person)  # one thing is asked at a time
    await services.cards.save(Draft(context.person.id, KIND, {"line": list(line)}))

    async def say(chat_id: int) -> None:
        await context.say(f"{question}\n/cancel stops it.", chat_id=chat_id, protected=True)

    await pages.privately(context, say)
