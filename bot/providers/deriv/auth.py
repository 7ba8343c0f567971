"""How Deriv is convinced: an app id in the address, then `authorize` with a token. Pure.

A token belongs to exactly one account. An API token works with any app id; an OAuth session token (`a1-…`) only with
the app id that asked for it, and only it may see the other accounts of the same person (Deriv WebSocket API v3,
"authorize" and "balance"; announcements of June 2020 and June 2022).
"""

from urllib.parse import urlencode, urlsplit, urlunsplit

from bot.errors import CredentialRefusedError, EnvironmentMismatchError, FaultError, ProviderError
from bot.providers.deriv.wire.grammar import NAME
from bot.providers.deriv.wire.logins import Session
from bot.providers.records import Environment

_PATH = "/websockets/v3"


def address(url: str, language: str, app_id: str) -> str:
    """The whole address of the socket; a bare origin gets the documented path."""
    parts = urlsplit(url)
    path = _PATH if parts.path in ("", "/") else parts.path
    return urlunsplit((parts.scheme, parts.netloc, path, urlencode({"app_id": app_id, "l": language}), ""))


def tokens_in(text: str) -> tuple[str, ...]:
    """The token whose account this is, and further ones of the same person; a blank or comma lies between."""
    return tuple(dict.fromkeys(text.replace(",", " ").split()))


def is_oauth(token: str) -> bool:
    """Whether it is an OAuth session token, which may ask about all accounts of its person."""
    return token.startswith("a1-")


def admit(session: Session, wanted: Environment) -> None:
    """Demo money is never shown as real, nor real money as play.

    Raises:
        EnvironmentMismatchError: The token's account is of the other kind than the connection was declared to be.
    """
    if session.environment is not wanted:
        raise EnvironmentMismatchError(NAME, "WrongEnvironment", wanted=wanted, found=session.environment)


def turned_away(status: int) -> ProviderError | None:
    """What an HTTP status instead of a socket means; None where it is just no connection.

    401 is a missing or unknown app id; 503 has been the answer to connecting more than once a second.
    """
    if status == 401:
        return CredentialRefusedError(NAME, "HTTP401", "app id")
    return FaultError(NAME, f"HTTP{status}") if status >= 500 else None
