"""Delivers updates to a webhook instead of a poller.

One update at a time and in order; whatever is not answered with 2xx is sent again, later each time. Real Telegram asks
for HTTPS on one of four ports; this simulator also takes plain HTTP, any port, and nothing but this machine.
Source: Telegram Bot API, sections "setWebhook", "WebhookInfo".
"""

import asyncio
import re
import ssl
from dataclasses import dataclass
from urllib.parse import urlsplit

import httpx

from bot.demo.telegram.model import Obj, bad
from bot.demo.telegram.updates import Pending, Updates

SECRET_HEADER = "X-Telegram-Bot-Api-Secret-Token"
FIRST_PAUSE_SECONDS = 0.2
LONGEST_PAUSE_SECONDS = 30.0
_SECRET = re.compile(r"[A-Za-z0-9_-]{0,256}")
_LOOPBACK = {"127.0.0.1", "localhost", "::1"}


@dataclass(frozen=True, slots=True)
class Target:
    """Where updates go, and with which secret."""

    url: str
    secret: str = ""
    certificate: str = ""
    """PEM text of a self-signed certificate to trust."""

    def __repr__(self) -> str:
        return f"Target({self.url!r})"


class Webhook:
    """The webhook of the bot, if one is set, and the task that feeds it."""

    def __init__(self, updates: Updates) -> None:
        self.updates = updates
        self.target: Target | None = None
        self.max_connections = 40
        self.last_error: tuple[int, str] | None = None
        self._task: asyncio.Task[None] | None = None

    def set(self, target: Target) -> None:
        """Begin to deliver; an empty URL ends it.

        Raises:
            ApiError: Another machine, or a secret with other characters than the documented ones.
        """
        if not _SECRET.fullmatch(target.secret):
            raise bad("secret token contains unallowed characters")
        if target.url and urlsplit(target.url).hostname not in _LOOPBACK:
            raise bad("bad webhook: this simulator delivers to 127.0.0.1 only")
        self.stop()
        self.target = target if target.url else None
        self.last_error = None
        self.start()

    def start(self) -> None:
        """Feed the webhook, unless that is being done already."""
        if self.target is not None and self._task is None:
            self.updates.webhook_waiting = asyncio.Event()
            self._task = asyncio.create_task(self._deliver(self.target, self.updates.webhook_waiting))

    def stop(self) -> None:
        self.updates.webhook_waiting = None
        if self._task is not None:
            self._task.cancel()
            self._task = None

    def dump(self) -> list[str] | None:
        return [self.target.url, self.target.secret, self.target.certificate] if self.target else None

    def resume(self, state: list[str] | None) -> None:
        """Take up what `dump` gave, and deliver again."""
        self.stop()
        self.target = Target(*state) if state else None
        self.start()

    def info(self) -> Obj:
        """WebhookInfo."""
        shown: Obj = {
            "url": self.target.url if self.target else "",
            "has_custom_certificate": bool(self.target and self.target.certificate),
            "pending_update_count": len(self.updates.waiting()),
        }
        if self.target is not None:
            shown["max_connections"] = self.max_connections
        if self.last_error is not None:
            shown["last_error_date"], shown["last_error_message"] = self.last_error
        if self.updates.allowed:
            shown["allowed_updates"] = sorted(self.updates.allowed)
        return shown

    async def _deliver(self, target: Target, waiting: asyncio.Event) -> None:
        headers = {"content-type": "application/json"}
        if target.secret:
            headers[SECRET_HEADER] = target.secret
        verify = ssl.create_default_context(cadata=target.certificate) if target.certificate else True
        async with httpx.AsyncClient(headers=headers, verify=verify, trust_env=False, timeout=30) as client:
            pause = FIRST_PAUSE_SECONDS
            while True:
                update = self.updates.first()
                if update is None:
                    waiting.clear()
                    await waiting.wait()
                elif await self._post(client, target, update):
                    self.updates.done(update)
                    pause = FIRST_PAUSE_SECONDS
                else:
                    await self.updates.clock.sleep(pause)
                    pause = min(pause * 2, LONGEST_PAUSE_SECONDS)

    async def _post(self, client: httpx.AsyncClient, target: Target, update: Pending) -> bool:
        try:
            answer = await client.post(target.url, content=update.raw)
        except httpx.HTTPError as error:
            return self._failed(f"Connection failed: {type(error).__name__}")
        if not answer.is_success:
            return self._failed(f"Wrong response from the webhook: {answer.status_code} {answer.reason_phrase}")
        return True

    def _failed(self, message: str) -> bool:
        self.last_error = (int(self.updates.clock.now().timestamp()), message)
        return False
