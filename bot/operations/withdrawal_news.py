"""Telling of clients' withdrawals: whole to each approver, privately; masked to the desk's groups.

What a group hears names no client, no account, no amount and no method: whoever needs those has them already.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from bot.access.model import Person, Role
from bot.access.service import Access
from bot.clock import Clock
from bot.messages.cards import Cards
from bot.messages.notice import Lane, Notice
from bot.messages.outbox import Outbox
from bot.operations.linked import read_all
from bot.providers.crm import wire
from bot.providers.crm.wire.requests import Withdrawal
from bot.store import Tables
from bot.store.columns import at

CARD = "withdrawal"
OPEN = 0
"""The choice of a card's button that shows the request as it is at that moment."""
OPEN_FOR = timedelta(days=7)
_BUTTONS = ((("Open", OPEN),),)
_FINAL = ("rejected", "approved")
"""A rejection is final: what was rejected is never approved. The other way there is post-approval rejection."""


@dataclass(frozen=True, slots=True)
class Before:
    """What was known of a request before it was read again."""

    status: str | None
    node: int | None
    amount: str | None


class WithdrawalNews:
    """Notices about requests, in the transaction that writes down what they are about."""

    def __init__(self, access: Access, outbox: Outbox, cards: Cards, clock: Clock) -> None:
        self._access = access
        self._outbox = outbox
        self._cards = cards
        self._clock = clock

    def tell(self, tables: Tables, before: Before | None, found: Withdrawal, client: str, *, is_read: bool) -> None:
        """What is new about a request; nothing when nothing is."""
        if before == Before(found.status, found.waits_at, found.amount.text()):
            return
        title, key = _headline(before, found), f"state/{at(self._clock.now())}"
        self._to_approvers(tables, found.id, title, _facts(before, found, client, is_read=is_read), key)
        self._to_groups(tables, found.id, title, key)

    def tell_contradiction(self, tables: Tables, found: Withdrawal, told: Sequence[str]) -> None:
        """An event that says what the read denies: told once, and the read counts. `told`: the ends webhooks told."""
        denied = list(told) if found.status == "pending" else [one for one in told if (one, found.status) == _FINAL]
        if denied:
            lines = (f"A webhook says {denied[0]}; the CRM itself says {found.status}, and that counts.",)
            title = f"Withdrawal {found.id}: contradiction"
            self._to_approvers(tables, found.id, title, lines, "contradiction")

    def _to_approvers(self, tables: Tables, request_id: str, title: str, lines: tuple[str, ...], key: str) -> None:
        """To every approver who may read the CRM."""
        linked = [one for one in read_all(tables) if one.provider == wire.NAME]
        for person in self._access.roster.people:
            if Role.APPROVER in person.roles and any(one.may_read(person) for one in linked):
                for telegram_id in person.telegram_ids:
                    self._to_one(tables, person, telegram_id, request_id, title, lines, key)

    def _to_one(
        self,
        tables: Tables,
        person: Person,
        telegram_id: int,
        request_id: str,
        title: str,
        lines: tuple[str, ...],
        key: str,
    ) -> None:
        dedupe = f"crm/{request_id}/{key}/{lines[0]}/{telegram_id}"
        if tables.conn.execute("SELECT 1 FROM outbox WHERE dedupe = ?", (dedupe,)).fetchone():
            return  # told already: no card for a notice that will not be
        body: dict[str, Any] = {"request": request_id}
        card = self._cards.making(tables, CARD, person.id, telegram_id, body, OPEN_FOR)
        notice = Notice(Lane.DECISIONS, telegram_id, title, lines, dedupe, card=card.id, choices=_BUTTONS)
        self._outbox.put(tables, notice)

    def _to_groups(self, tables: Tables, request_id: str, title: str, key: str) -> None:
        for chat_id in self._access.roster.groups:
            lines = ("The approvers have the details in their private chats.",)
            self._outbox.put(tables, Notice(Lane.EVENTS, chat_id, title, lines, f"crm/{request_id}/{key}/{chat_id}"))


def _headline(before: Before | None, found: Withdrawal) -> str:
    """What is new about a request, in one line that names nobody."""
    was = before.status if before else None
    if found.status == "rejected" and was == "approved":
        return f"Withdrawal {found.id} rejected after it was approved"
    if found.status != "pending":
        return f"Withdrawal {found.id} {found.status}"
    if before and was == "pending" and before.amount != found.amount.text():
        return f"Withdrawal {found.id} changed"
    waits = f" at node {found.waits_at}" if found.waits_at else ""
    return f"Withdrawal {found.id} waits{waits}"


def _facts(before: Before | None, found: Withdrawal, client: str, *, is_read: bool) -> tuple[str, ...]:
    was = before.amount if before and before.amount not in (None, found.amount.text()) else None
    changed = f"; it was {was} {found.amount.currency}" if was else ""
    said = () if is_read else ("As a webhook told it; this tenant does not let requests be read.",)
    return (
        f"{found.amount} by {found.withdrawal_method}{changed}",
        f"Client {client}, from {found.account}",
        *said,
    )
