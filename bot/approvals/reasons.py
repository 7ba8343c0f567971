"""Why something that was asked for and signed was not done, in words for those who are told. Pure."""

from bot.errors import CountersignError, NotAllowedError, NotFoundError, RecordUnreadableError


def why_not(error: CountersignError) -> str:
    """To stand behind "it was not sent:"."""
    match error:
        case NotAllowedError():
            return f"whoever asked for it does not have the right to {error.needed}"
        case NotFoundError():
            return f"there is no {error.what} {error.name} any more"
        case RecordUnreadableError():
            return f"the sealed login of {error.label} does not open"
        case _:
            return str(error) or "something that was not foreseen; an admin finds it in the log"
