"""What came late is not run when it moves money (SAFETY B11): after an hour in a tunnel nobody means it any more."""

from datetime import timedelta

from bot.errors import InputError
from handlers.context import DeskContext
from handlers.render.text import ago

FRESH_FOR = timedelta(seconds=60)


def check_fresh(context: DeskContext) -> None:
    """`InputError` when what was said is older than a minute."""
    now, said_at = context.services.clock.now(), context.said_at
    if said_at is not None and now - said_at > FRESH_FOR:
        came = f"that was sent {ago(now, said_at)} and came only now, so it was not run"
        raise InputError(f"{came}; send it again if it is still meant", "")
