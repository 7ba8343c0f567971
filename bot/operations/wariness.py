"""The minutes after a secret was asked for and given up: what is sent then may still be one.

A person says /cancel and pastes what they had already copied, or two messages crossed. That the minutes run is a draft,
a row, so a restart does not end them; whatever is begun next does.
"""

from datetime import timedelta
from typing import Final

from bot.access.model import Person
from bot.clock import Clock, from_millis, to_millis
from bot.messages.cards import Cards, Draft

WARY_FOR: Final = timedelta(minutes=10)
_KIND: Final = "ended"


class Wariness:
    """Whose messages may be secrets although none is asked for."""

    def __init__(self, cards: Cards, clock: Clock) -> None:
        self._cards = cards
        self._clock = clock

    async def begin(self, person: Person, asked_for: str) -> None:
        """In place of what was being asked; `asked_for` is that draft's kind."""
        until = to_millis(self._clock.now() + WARY_FOR)
        await self._cards.save(Draft(person.id, _KIND, {"until": until, "asked_for": asked_for}))

    def asked_for(self, draft: Draft | None) -> str | None:
        """While the minutes run, the kind of what was asked for; None when they do not."""
        if draft is None or draft.kind != _KIND or from_millis(draft.body["until"]) <= self._clock.now():
            return None
        return str(draft.body.get("asked_for", ""))
