"""What broke on a line, in words: they come as far as the chat. The exact name is for the log. Pure."""

import ssl


def unreached(error: BaseException) -> str:
    """Why no byte was written."""
    if _is_late(error):
        return "no connection in time"
    if isinstance(error, ssl.SSLError) or "CERTIFICATE" in str(error).upper():
        return "its certificate is not trusted"
    return "no connection"


def unanswered(error: BaseException) -> str:
    """Why no whole answer came to what was written."""
    return "no answer in time" if _is_late(error) else "the connection broke"


def _is_late(error: BaseException) -> bool:
    return isinstance(error, TimeoutError) or type(error).__name__.endswith("Timeout")
