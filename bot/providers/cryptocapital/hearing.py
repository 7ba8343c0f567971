"""What one key's connection brings: each message is believed or doubted, kept, and passed on to whoever waits for it.

A message that `auth.Trust` doubts changes nothing: it is counted in `doubts`, logged without its content, and the
question it seems to answer fails.
"""

import logging
from collections import Counter
from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from bot.errors import RefusedError, ReplyError
from bot.network.talk import Settled
from bot.providers.base import Oddity, Surroundings
from bot.providers.cryptocapital import wire
from bot.providers.cryptocapital.auth import Doubt, Trust
from bot.providers.cryptocapital.wire import Holding, Transfer

NAME = "cryptocapital"
REMEMBERED = 4096
"""So many transfers and so many failures that were heard are kept, for whoever asks what became of one."""
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Heard:
    """A believed account message, and when it came."""

    holding: Holding
    at: datetime


class Hearing:
    """Whoever hears what the bank says to one key."""

    def __init__(self, key: str, trust: Trust, surroundings: Surroundings) -> None:
        self.key = key
        self.reports = [surroundings.report]
        """Whom to tell of an oddity: every login that has this key."""
        self.doubts: Counter[Doubt] = Counter()
        """How many messages were not acted upon, and why."""
        self.trust = trust
        self.transfers: dict[str, Transfer] = {}
        """The last believed transfers, by their id."""
        self.failures: dict[int, str] = {}
        """The last believed failures, by the nonce of what failed: the bank's words."""
        self.listeners: list[Callable[[Transfer], None]] = []
        """Told of every believed transfer message, repeats included."""
        self.signs_of_life: list[Callable[[], None]] = []
        """Told whenever the bank says anything at all."""
        self.awaited: dict[str, int] = {}
        """Nonces of transfers under way, by the reference that their end will carry."""
        self._clock = surroundings.clock
        self._asked: dict[str, Hashable] = {}
        """What is waited for by whoever asked, by the nonce that was asked with."""

    def hear(self, frame: str | bytes) -> Iterable[Settled]:
        """Which questions this frame settles. `ReplyError` when it cannot be read."""
        for tell in self.signs_of_life:
            tell()
        try:
            message = wire.parse_frame(frame)
        except ValueError:
            self._report(Doubt.UNREADABLE)
            raise ReplyError(NAME, Doubt.UNREADABLE) from None
        match message:
            case wire.Acknowledged(nonce):
                return (Settled(by_nonce(nonce), message),)
            case wire.Declined(nonce, reason):
                return self._hear_refusal(nonce, reason)
            case wire.Unfamiliar():
                self._report(Doubt.UNFAMILIAR)
                return ()
            case _:
                return self._hear_signed(message)

    def _hear_refusal(self, nonce: str | None, reason: str) -> Iterable[Settled]:
        if nonce is None:
            self._report(Doubt.NAMELESS)
            return ()
        return (Settled(by_nonce(nonce), error=RefusedError(NAME, "err", reason)),)

    def _hear_signed(self, message: wire.Signed) -> Iterable[Settled]:
        doubt = self.trust.doubt(message, self.key)
        if doubt is not None:
            self._report(doubt)
        if doubt is Doubt.REPEATED or (doubt is not None and isinstance(message, wire.TransferMessage)):
            return ()  # repeats are normal, and a transfer names no question
        if doubt is not None:
            return (Settled(self._answered(message), error=ReplyError(NAME, doubt)),)
        match message:
            case wire.TransferMessage():
                return self._hear_transfer(message)
            case wire.ErrorMessage():
                return self._hear_failure(message)
            case _:
                heard = Heard(wire.parse_holding(message.params), self._clock.now())
                return (Settled(self._answered(message), heard),)

    def _hear_transfer(self, message: wire.TransferMessage) -> Iterable[Settled]:
        try:
            transfer = wire.parse_transfer(message.params)
        except ValueError:
            self._report(Doubt.GRAMMAR)
            return ()
        _remember(self.transfers, transfer.id, transfer)
        for listener in tuple(self.listeners):
            listener(transfer)
        nonce = self.awaited.get(wire.reference_in(transfer.narrative))
        return () if nonce is None else (Settled(by_nonce(str(nonce)), message),)

    def _hear_failure(self, message: wire.ErrorMessage) -> Iterable[Settled]:
        reason = wire.readable(message.params.msg)
        nonce = int(message.params.nonce)
        _remember(self.failures, nonce, reason)
        ended = (Settled(by_nonce(str(nonce))),) if nonce in self.awaited.values() else ()
        return (*ended, Settled(self._answered(message), error=RefusedError(NAME, "error", reason)))

    def _answered(self, message: wire.Signed) -> Hashable:
        """What the question waits for that this message seems to answer; a key nobody waits for settles nothing."""
        if isinstance(message, wire.AccountMessage):
            return by_account(message.params.account_number)
        return self._asked.get(message.params.nonce) if isinstance(message, wire.ErrorMessage) else None

    def tell(self, oddity: Oddity) -> None:
        """Every login that has this key hears of it."""
        for report in self.reports:
            report(oddity)

    def _report(self, doubt: Doubt) -> None:
        self.doubts[doubt] += 1
        if doubt.is_forgery:
            self.tell(Oddity.FORGED)
        _log.warning("message not acted upon", extra={"provider": NAME, "doubt": doubt.value})


def by_nonce(nonce: str) -> Hashable:
    return "nonce", nonce


def by_account(number: str) -> Hashable:
    return "account", number


def _remember(memory: dict[Any, Any], key: Any, value: Any) -> None:
    memory.pop(key, None)
    memory[key] = value
    if len(memory) > REMEMBERED:
        del memory[next(iter(memory))]
