"""Callback queries: a button was tapped, and the bot has a while to say something about it.

How long a query stays answerable is not published; `LIFETIME_SECONDS` is this simulator's choice.
Source: Telegram Bot API, sections "CallbackQuery", "answerCallbackQuery".
"""

from collections import deque
from typing import Any

from bot.clock import Clock, to_millis
from bot.demo.telegram.model import Obj, bad

LIFETIME_SECONDS = 60
KEPT = 5000


class Queries:
    """Open queries by id, and what was answered to them."""

    def __init__(self, clock: Clock, first_id: int) -> None:
        self.clock = clock
        self.next_id = first_id
        self.answers: deque[Obj] = deque(maxlen=KEPT)
        self._open: dict[str, tuple[int, int]] = {}

    def open(self, person_id: int) -> str:
        """A new query of this person; its id."""
        query_id = str(self.next_id)
        self.next_id += 1
        self._open[query_id] = (person_id, to_millis(self.clock.now()))
        if len(self._open) > KEPT:
            del self._open[next(iter(self._open))]
        return query_id

    def answer(self, query_id: str, text: str, url: str, show_alert: bool) -> Obj:
        """Record one answer; a second one within the time is taken as well.

        Raises:
            ApiError: No such query, or too old.
        """
        now = to_millis(self.clock.now())
        person_id, opened = self._open.get(query_id, (0, 0))
        if not person_id or now - opened > LIFETIME_SECONDS * 1000:
            raise bad("query is too old and response timeout expired or query ID is invalid")
        answer: Obj = {
            "callback_query_id": query_id,
            "user": person_id,
            "text": text,
            "url": url,
            "show_alert": show_alert,
            "at_ms": now,
        }
        self.answers.append(answer)
        return answer

    def dump(self) -> Obj:
        opened = [[number, person, at] for number, (person, at) in self._open.items()]
        return {"next_id": self.next_id, "answers": list(self.answers), "open": opened}

    def load(self, state: Any) -> None:
        self.next_id = state["next_id"]
        self.answers = deque(state["answers"], maxlen=KEPT)
        self._open = {number: (person, at) for number, person, at in state["open"]}
