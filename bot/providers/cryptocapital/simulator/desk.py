"""The counter: one operation from arrival to `ack` or `err`, and its signed results on their way.

Looked at in this order: form, signature, nonce. A nonce is used up by a good signature, whatever becomes of the act.
What is asked is carried out before the `ack` leaves; only the telling can be slow. Operations are honoured without a
prior auth, but signed results go to connections that sent one. A transport brings its `Link`s and calls `receive`.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any, Protocol

from bot.clock import Clock, to_millis
from bot.providers.cryptocapital.simulator.bank import Bank, Notice, Refused
from bot.providers.cryptocapital.simulator.notary import Notary
from bot.providers.cryptocapital.simulator.numerals import Json
from bot.providers.cryptocapital.simulator.operations import (
    AccountQuery,
    Greeting,
    Op,
    Operation,
    StatementQuery,
    TransferOrder,
    nonce_to_echo,
    read_operation,
)
from bot.providers.cryptocapital.simulator.results import Result
from bot.providers.cryptocapital.simulator.signatures import read_public_key, verify

_NONCES_KEPT = 10_000


class Link(Protocol):
    """One connection of any transport. `send` does not wait and does not fail; a dead one swallows."""

    def send(self, kind: str, data: Mapping[str, Any]) -> None:
        """Hand over one message of type `kind`."""

    def hang_up(self) -> None:
        """End the connection from the bank's side."""


class Desk:
    """Everything between the transports and the bank. All of it runs without pause, so an operation is whole."""

    def __init__(self, bank: Bank, notary: Notary, clock: Clock) -> None:
        self.bank = bank
        self.notary = notary
        self.clock = clock
        self.nonces: dict[str, list[int]] = {}
        self.listeners: dict[Link, set[str]] = {}
        self.delay_seconds: float | None = 0.0
        self.held: list[Result] = []
        self._waiting: set[asyncio.Task[None]] = set()

    def join(self, link: Link) -> None:
        self.listeners[link] = set()

    def leave(self, link: Link) -> None:
        self.listeners.pop(link, None)

    def receive(self, link: Link, op: Json, data: Json) -> None:
        """Answer one operation on `link`."""
        try:
            operation = read_operation(op, data)
        except ValueError as problem:
            link.send("err", {"nonce": nonce_to_echo(data), "msg": str(problem)})
            return
        refusal = self._refusal(operation)
        if refusal:
            link.send("err", {"nonce": operation.nonce_sent, "msg": refusal})
            return
        if operation.op is Op.AUTH:
            self.listeners[link].add(operation.key)
        results = self._carry_out(operation)
        self.deliver([result for result in results if result.early])
        link.send("ack", {"nonce": operation.nonce_sent})
        self.deliver([result for result in results if not result.early], asked_on=link)

    def announce(self, notices: Sequence[Notice]) -> list[Result]:
        """The results that tell of booked movements."""
        return [self.notary.transfer(notice.key, notice.movement, self.now_ms()) for notice in notices]

    def deliver(self, results: Sequence[Result], asked_on: Link | None = None) -> None:
        """Send at once, later, or never. Who listens is looked up at the moment of sending."""
        for result in results:
            if result.held:
                self.held.append(result)
                continue
            if result.seconds is None or (self.delay_seconds is None and not result.early):
                continue
            seconds = 0.0 if result.early else result.seconds + (self.delay_seconds or 0.0)
            if seconds > 0:
                task = asyncio.create_task(self._send_after(result, seconds, asked_on))
                self._waiting.add(task)
                task.add_done_callback(self._waiting.discard)
            else:
                self._send(result, asked_on)

    def release(self, *, reverse: bool) -> int:
        """Send what was held back; how many that were."""
        held, self.held = self.held, []
        for result in reversed(held) if reverse else held:
            self._send(result)
        return len(held)

    def take_nonce(self, key: str, nonce: int) -> bool:
        """Store it as the key's last one, unless it is not greater than that."""
        accepted = self.nonces.setdefault(key, [])
        if accepted and nonce <= accepted[-1]:
            return False
        accepted.append(nonce)
        del accepted[:-_NONCES_KEPT]
        return True

    def key_of(self, named: str) -> str:
        """The key itself, or the one an account answers to. `ValueError` when there is none."""
        account = self.bank.accounts.get(named)
        key = named if account is None else account.key
        read_public_key(key)
        return key

    def listening(self, key: str) -> list[Link]:
        """The connections that sent a good auth for it."""
        return [link for link, keys in self.listeners.items() if key in keys]

    def now_ms(self) -> int:
        return to_millis(self.clock.now())

    def dump(self) -> dict[str, Any]:
        return {
            "nonces": self.nonces,
            "delay_seconds": self.delay_seconds,
            "notary": self.notary.dump(),
            "held": [asdict(result) for result in self.held],
        }

    def load(self, state: Mapping[str, Any]) -> None:
        self.nonces = {key: list(accepted) for key, accepted in state["nonces"].items()}
        self.delay_seconds = state["delay_seconds"]
        self.notary.load(state["notary"])
        self.held = [Result(**row) for row in state["held"]]

    def _refusal(self, operation: Operation) -> str:
        """Why a well-formed operation is not accepted; empty when it is, and then its nonce is stored."""
        if not verify(operation.key, operation.text, operation.signed):
            return "signature does not verify"
        if not self.take_nonce(operation.key, operation.nonce):
            return "nonce is not greater than the last one"
        return ""

    def _carry_out(self, operation: Operation) -> list[Result]:
        match operation.act:
            case Greeting():
                return []
            case AccountQuery():
                outcome = self._account(operation.key, operation.act)
            case StatementQuery():
                outcome = self._statement(operation.key, operation.act)
            case TransferOrder():
                outcome = self._transfer(operation.key, operation.act)
        if isinstance(outcome, Refused):
            return [self.notary.error(operation.key, operation.nonce_text, outcome.reason, self.now_ms())]
        return outcome

    def _account(self, key: str, asked: AccountQuery) -> list[Result] | Refused:
        account = self.bank.linked(key, asked.account)
        return account if isinstance(account, Refused) else [self.notary.account(key, account, self.now_ms())]

    def _statement(self, key: str, asked: StatementQuery) -> list[Result] | Refused:
        """One transfer message a row, like live ones; nothing marks the end."""
        account = self.bank.linked(key, asked.account)
        if isinstance(account, Refused):
            return account
        rows = self.bank.statement(account.number, asked.limit, asked.transaction_id, asked.from_time)
        return self.announce([Notice(key, row) for row in rows])

    def _transfer(self, key: str, order: TransferOrder) -> list[Result] | Refused:
        source = self.bank.linked(key, order.account)
        if isinstance(source, Refused):
            return source
        booked = self.bank.transfer(
            source, order.beneficiary, order.currency, order.amount, order.narrative, self.now_ms()
        )
        return booked if isinstance(booked, Refused) else self.announce(booked)

    async def _send_after(self, result: Result, seconds: float, asked_on: Link | None) -> None:
        await self.clock.sleep(seconds)
        self._send(result, asked_on)

    def _send(self, result: Result, asked_on: Link | None = None) -> None:
        for link in self.listening(result.rcpt):
            for _ in range(0 if result.elsewhere and link is asked_on else result.copies):
                link.send(result.kind, result.body)
