"""What the bot says when it is spoken to, told apart from what its outbox delivers in the same chat meanwhile."""

from contextvars import ContextVar
from typing import Any

from handlers.pacing import Pacer
from handlers.running import Running

Place = tuple[int, int]
"""A chat, and a message in it."""
_FROM_THE_OUTBOX: ContextVar[bool] = ContextVar("from the outbox", default=False)


async def deliver(work: Running) -> None:
    """Drain the outbox until cancelled. The notifier begins its tasks in here, so that all of them are known by it."""
    _FROM_THE_OUTBOX.set(True)
    await work.notify()


class Replies:
    """The messages that whoever dealt with an update has sent, as Telegram named them.

    A reply is noted before its update counts as dealt with; a notice never is, whenever it comes.
    """

    def __init__(self, work: Running) -> None:
        self._seen: set[Place] = set()
        pacer = work.desk.bot.rate_limiter
        assert isinstance(pacer, Pacer)
        self._paced = pacer.process_request
        pacer.process_request = self._noted  # type: ignore[method-assign]

    def __contains__(self, message: dict[str, Any]) -> bool:
        return (message["chat"]["id"], message["message_id"]) in self._seen

    async def _noted(self, *args: Any, **kwargs: Any) -> Any:
        result = await self._paced(*args, **kwargs)
        if not _FROM_THE_OUTBOX.get() and isinstance(result, dict) and "message_id" in result:
            self._seen.add((result["chat"]["id"], result["message_id"]))
        return result
