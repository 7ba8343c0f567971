"""The one cookie: which browser was sent to a provider's login page."""

from starlette.requests import Request
from starlette.responses import Response

from bot.config import WebConfig
from bot.operations.one_time import LIFE
from bot.secret import Secret


class Cookie:
    """Not read by scripts, not sent along by other sites' forms, gone after ten minutes."""

    def __init__(self, web: WebConfig) -> None:
        self._secure = web.is_encrypted
        self._name = "__Host-countersign" if self._secure else "countersign"

    def give(self, answer: Response, secret: Secret) -> None:
        answer.set_cookie(
            self._name,
            secret.reveal(),
            max_age=int(LIFE.total_seconds()),
            path="/",
            secure=self._secure,
            httponly=True,
            samesite="lax",  # it must come along when the provider sends the browser back
        )

    def of(self, request: Request) -> Secret:
        """What the browser has; empty when nothing."""
        return Secret(request.cookies.get(self._name, ""))

    def take(self, answer: Response) -> None:
        answer.delete_cookie(self._name, path="/", secure=self._secure, httponly=True, samesite="lax")
