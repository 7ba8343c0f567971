"""How a request is shown and told: one card for each chat it concerns, edited in place through its life.

Signers see all of it in their private chats, with buttons; its asker sees it with the words that the signers see; a
group sees what it may. Everything is drawn from the stored row (M12), never from what somebody typed.
"""

import hashlib
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from bot.access.model import Person
from bot.access.records import names_in
from bot.access.service import people_in
from bot.approvals import records
from bot.approvals.enclosures import enclosed
from bot.approvals.model import Circle, Decision, Proof, Request, Rule, State
from bot.approvals.policy.sentences import either
from bot.approvals.signing import Signing
from bot.approvals.wording import words_of
from bot.clock import Clock
from bot.ids import short_id
from bot.messages.cards import Card, Cards
from bot.messages.notice import Choices, Lane, Notice
from bot.messages.outbox import Outbox
from bot.money import Money
from bot.store import Tables

CARD, OWN_CARD = "request", "request/own"
APPROVE, DENY, FREEZE, CALL_OFF = 1, 2, 3, 4
"""Choices on a prompt's card; the last two where money is asked for."""
WITHDRAW = 1
"""The choice on its asker's card."""
_BUTTONS: Choices = ((("Approve", APPROVE), ("Deny", DENY)),)
_DENY_ONLY = (("Deny", DENY),)
_MONEY_BUTTONS: Choices = (*_BUTTONS, (("Freeze …", FREEZE),))
_HELD_BUTTONS: Choices = ((("Call it off", CALL_OFF), ("Freeze …", FREEZE)),)
_OWN_BUTTONS: Choices = ((("Withdraw it", WITHDRAW),),)
_TOLD = frozenset(
    {
        State.UNKNOWN,
        State.SUCCEEDED,
        State.FAILED,
        State.DENIED,
        State.EXPIRED,
        State.CANCELLED,
        State.SETTLED_BY_HAND,
    }
)


class Reader(Protocol):
    """Says in lines what a request asks for."""

    def lines(self, request: Request) -> tuple[str, ...]: ...

    def masked(self, request: Request) -> tuple[str, ...]: ...


@dataclass(frozen=True, slots=True)
class _Story:
    """What the cards of a request have in common, read once for all of them."""

    asked: tuple[str, ...]
    enclosures: tuple[str, ...]
    so_far: tuple[str, ...]
    """Votes, who could still sign, and how it stands."""


class Prompts:
    """Cards and news about requests, queued in the transaction of what they tell."""

    def __init__(self, outbox: Outbox, cards: Cards, clock: Clock, reader: Reader, signing: Signing) -> None:
        self._outbox = outbox
        self._cards = cards
        self._clock = clock
        self._reader = reader
        self._signing = signing

    def begin(self, tables: Tables, request: Request, by: Person, signers: list[Person]) -> None:
        """A card for each of the signers' chats, one for the asker, and one for the group it was asked in."""
        life = _needed_until(request) - request.asked_at
        for signer in signers:
            self.prompt(tables, request, by.name, signer)
        people = {by.id: by.name}
        for number in by.telegram_ids if request.kind.is_sent or request.number is not None else ():
            card = self._cards.making(tables, OWN_CARD, by.id, number, {"request": request.id}, life)
            lines = self._own_lines(request, self._story(tables, request, people))
            title = f"Your request {request.id}"
            self._put(tables, number, title, lines, _key(request, card.id), card=card.id, choices=_OWN_BUTTONS)
        if request.asked_in_chat is not None and self._reader.masked(request):
            key = f"request/{request.id}/group"
            lines = self._group_lines(request, people, self._story(tables, request, people))
            self._put(tables, request.asked_in_chat, self._group_title(request), lines, key)

    def prompt(self, tables: Tables, request: Request, asker: str, signer: Person) -> None:
        """A card for each of one signer's chats."""
        life = _needed_until(request) - self._clock.now()
        for number in signer.telegram_ids:
            title = f"{asker} asks for your signature"
            lines = (*self._lines(request), *self._waiting(tables, request))
            body = {"request": request.id, "hash": request.hash, "shown": _shown(title, lines)}
            card = self._cards.making(tables, CARD, signer.id, number, body, life)
            self._put(tables, number, title, lines, _key(request, card.id), card=card.id, choices=_buttons(request))

    def prompted(self, tables: Tables, request: Request) -> dict[int, list[Card]]:
        """The cards of its signers, by our ids of them."""
        found: dict[int, list[Card]] = {}
        for card in self._cards.about(tables, CARD, "request", request.id):
            found.setdefault(card.person_id, []).append(card)
        return found

    def remind(self, tables: Tables, request: Request, person: Person, since: datetime, stage: str) -> None:
        """One short message under the prompt that stands in each of their chats since before then: no second prompt."""
        line = f"Open until {request.expires_at:%H:%M} UTC. The buttons are on the message above."
        for card in self.prompted(tables, request).get(person.id, ()):
            if card.created_at > since:
                continue
            dedupe = f"request/{request.id}/remind/{stage}/{card.chat_id}"
            title = f"Request {request.id} still waits for your signature"
            notice = Notice(Lane.DECISIONS, card.chat_id, title, (line,), dedupe, under=_key(request, card.id))
            self._outbox.put(tables, notice)

    def escalate(self, tables: Tables, request: Request, asker: str, people: list[Person], stage: str) -> None:
        """Tell people who are not asked to sign that it waits, with no more of it than a group may see."""
        since = f"{asker} asked at {request.asked_at:%H:%M} UTC; it is open until {request.expires_at:%H:%M} UTC."
        lines = (*self._reader.masked(request), since, *self._waiting(tables, request))
        for person in people:
            for number in person.telegram_ids:
                dedupe = f"request/{request.id}/escalate/{stage}/{number}"
                self._put(tables, number, f"Request {request.id} still waits for a signature", lines, dedupe)

    def nobody_left(self, tables: Tables, request: Request) -> None:
        """Tell its asker, once, that wrong numbers have left too few who could sign it."""
        missed, people = records.missed(tables, request), people_in(tables)
        names = [person.name for person in people if person.id in missed] or ["Somebody who left"]
        why = f"{either(names, 'and')} picked another number than yours, and cannot sign it any more."
        lines = (*self._reader.lines(request), why, "Nobody else is left who could sign in their place.")
        step = "Withdraw it (its card has the button); if you still want it, ask anew, and it has a new number."
        title = f"Request {request.id} lacks somebody to sign it"
        for number in (number for person in people if person.id == request.asked_by for number in person.telegram_ids):
            dedupe = f"request/{request.id}/nobody_left/{number}"
            self._outbox.put(tables, Notice(Lane.DECISIONS, number, title, lines, dedupe, next_step=step))

    def say(self, tables: Tables, people: list[Person], title: str, line: str, dedupe: str) -> None:
        """Something that has no card."""
        for person in people:
            for number in person.telegram_ids:
                self._put(tables, number, title, (line,), f"{dedupe}/{number}")

    def redraw(self, tables: Tables, request: Request, *, anew: bool = False) -> None:
        """Show every card as the request stands now.

        Args:
            anew: Neither its state nor its votes have changed, but something else that the cards show.
        """
        people, missed = names_in(tables), records.missed(tables, request)
        story = self._story(tables, request, people)
        stamp = f"{request.version}/{len(request.votes)}" + (f"/{short_id()}" if anew else "")
        for card in self._cards.about(tables, CARD, "request", request.id):
            if card.person_id not in people:
                continue  # suspended since: nothing more is told there
            title = f"{people.get(request.asked_by, 'Somebody')} asks for your signature"
            voted = any(vote.person_id == card.person_id for vote in request.votes)
            choices = _standing_buttons(request, voted=voted, missed=card.person_id in missed)
            lines = (*story.asked, *_until(request), *story.enclosures, *story.so_far)
            key = _key(request, card.id)
            self._put(tables, card.chat_id, title, lines, f"{key}/{stamp}", card=card.id, choices=choices, replaces=key)
        for card in self._cards.about(tables, OWN_CARD, "request", request.id):
            if card.person_id not in people:
                continue
            choices = _OWN_BUTTONS if request.state in (State.PENDING, State.APPROVED, State.HELD) else ()
            key, title = _key(request, card.id), f"Your request {request.id}"
            lines = self._own_lines(request, story)
            self._put(tables, card.chat_id, title, lines, f"{key}/{stamp}", card=card.id, choices=choices, replaces=key)
        if request.asked_in_chat is not None and self._reader.masked(request):
            key, chat = f"request/{request.id}/group", request.asked_in_chat
            lines = self._group_lines(request, people, story)
            self._put(tables, chat, self._group_title(request), lines, f"{key}/{stamp}", replaces=key)

    def tell(self, tables: Tables, request: Request) -> None:
        """A message of its own at the end and when the outcome is unknown: an edit makes no sound."""
        if request.state not in _TOLD:
            return
        title = f"Request {request.id}: {_STATES[request.state]}"
        lines = (*self._reader.lines(request), f"{upper(request.outcome)}.", *while_unknown(request))
        step = f"/request {request.id} shows how it stands." if request.state is State.UNKNOWN else ""
        concerned = {request.asked_by}
        if request.kind.is_sent:
            concerned |= {vote.person_id for vote in request.approvals}
        for person in people_in(tables):
            for number in person.telegram_ids if person.id in concerned else ():
                dedupe = f"request/{request.id}/{request.state}/{request.version}/{number}"
                self._outbox.put(tables, Notice(Lane.DECISIONS, number, title, lines, dedupe, next_step=step))

    def _put(
        self,
        tables: Tables,
        chat_id: int,
        title: str,
        lines: tuple[str, ...],
        dedupe: str,
        *,
        card: int | None = None,
        choices: Choices = (),
        replaces: str | None = None,
    ) -> None:
        notice = Notice(Lane.DECISIONS, chat_id, title, lines, dedupe, card=card, choices=choices, replaces=replaces)
        self._outbox.put(tables, notice)

    def _lines(self, request: Request) -> tuple[str, ...]:
        return (*self._reader.lines(request), *why_strictest(request), *marks(request), *_until(request))

    def _waiting(self, tables: Tables, request: Request) -> tuple[str, ...]:
        """Who could still sign."""
        said = self._signing.awaited_in_words(tables, request)
        return (f"{said}.",) if said else ()

    def _story(self, tables: Tables, request: Request, people: dict[int, str]) -> _Story:
        asked = (*self._reader.lines(request), *why_strictest(request), *marks(request))
        so_far = (*_votes(request, people), *self._waiting(tables, request), *_standing(request))
        return _Story(asked, enclosed(tables, request, people), so_far)

    @staticmethod
    def _own_lines(request: Request, story: _Story) -> tuple[str, ...]:
        number: tuple[str, ...] = ()
        if request.number is not None and request.state is State.PENDING:
            number = (f"Tell whoever signs this number, and nothing else: {request.number}.",)
        return (*story.asked, *number, *_until(request), *story.enclosures, *story.so_far)

    @staticmethod
    def _group_title(request: Request) -> str:
        return f"Request {request.id}"

    def _group_lines(self, request: Request, people: dict[int, str], story: _Story) -> tuple[str, ...]:
        by = people.get(request.asked_by, "Somebody who left")
        return (*self._reader.masked(request), f"Asked for by {by}.", *story.so_far)


def _buttons(request: Request) -> Choices:
    return _MONEY_BUTTONS if request.kind.is_sent else _BUTTONS


def _standing_buttons(request: Request, *, voted: bool, missed: bool) -> Choices:
    """What a signer may still do about it (M11); who has missed the number may deny it."""
    if request.state is State.HELD:
        return _HELD_BUTTONS
    if request.state is not State.PENDING or voted:
        return ()
    _, *others = _buttons(request)
    return (_DENY_ONLY, *others) if missed else _buttons(request)


def _needed_until(request: Request) -> datetime:
    """So long its cards have something to tap: what will be held can be called off until it is sent."""
    hold = request.rule.hold
    return request.expires_at + hold + request.rule.life if hold else request.expires_at


def why_strictest(request: Request) -> tuple[str, ...]:
    """For its signers, who may wonder at being asked for so little."""
    return strictest_because(request.rule, request.stake.amount if request.stake is not None else None)


def strictest_because(rule: Rule, amount: Money | None) -> tuple[str, ...]:
    """Why it takes more signatures than its amount would; no line where it does not."""
    if not rule.is_uncounted or amount is None:
        return ()
    return (f"No limit counts {amount.currency}, so that it takes what the strictest amount would.",)


def marks(request: Request) -> tuple[str, ...]:
    """What two people can compare by reading it to one another: id, three words, eight hex digits."""
    return (f"Request {request.id} · {words_of(request.hash)} · {request.hash[:8]}",)


def _until(request: Request) -> tuple[str, ...]:
    return (f"Open until {request.expires_at:%H:%M} UTC.",) if request.state is State.PENDING else ()


def _votes(request: Request, people: dict[int, str]) -> tuple[str, ...]:
    return tuple(
        f"{people.get(vote.person_id, 'Somebody who left')} {_PAST[vote.decision]}"
        f"{_WITH.get(vote.proof, '')}, {vote.at:%H:%M} UTC."
        for vote in request.votes
    )


def _standing(request: Request) -> tuple[str, ...]:
    """How it stands, for a card."""
    match request.state:
        case State.PENDING:
            return ()
        case State.HELD if request.held_until is not None:
            return (f"Approved. It waits until {request.held_until:%Y-%m-%d %H:%M} UTC, and can be called off.",)
        case State.APPROVED:
            return ("Approved.",) if not request.outcome else (f"Approved. {upper(request.outcome)}.",)
        case State.SENDING:
            return ("Being sent.",)
        case State.ACKED:
            return ("Sent; the provider has taken it, and has not said yet that it is done.",)
        case _:
            return (f"{upper(ended_as(request))}.", *while_unknown(request))


def while_unknown(request: Request) -> tuple[str, ...]:
    """What is being done while nobody knows what became of it, and what is not to be done."""
    if request.state is not State.UNKNOWN:
        return ()
    return ("It may have been executed. The provider is asked until that is known: do not send it again, by any way.",)


def ended_as(request: Request) -> str:
    """ "done: Vera is approver now", "denied by Anna"."""
    if not request.outcome:
        return _STATES[request.state]
    state = _STATES[request.state]
    if request.outcome.startswith(f"{state} "):
        return request.outcome  # "done as …" says it already
    return f"{state}{' ' if request.outcome.startswith('by ') else ': '}{request.outcome}"


def state_in_words(state: State) -> str:
    """ "outcome unknown", "done"."""
    return _STATES[state]


def upper(text: str) -> str:
    """With a capital."""
    return text[:1].upper() + text[1:]


def missing_in_words(circles: tuple[Circle, ...]) -> str:
    """`group/finance`, `role/admin` → "the group finance and another admin"."""
    words = [circle.partition("/") for circle in circles]
    return " and ".join(f"the group {name}" if kind == "group" else f"another {name}" for kind, _, name in words)


def _key(request: Request, card: int) -> str:
    return f"request/{request.id}/card/{card}"


def _shown(title: str, lines: tuple[str, ...]) -> str:
    return hashlib.sha256("\n".join((title, *lines)).encode()).hexdigest()


_STATES = {
    **{state: state.value for state in State},
    State.SUCCEEDED: "done",
    State.CANCELLED: "called off",
    State.UNKNOWN: "outcome unknown",
    State.SENDING: "being sent",
    State.ACKED: "taken by the provider",
    State.SETTLED_BY_HAND: "settled by hand",
}
_PAST = {Decision.APPROVE: "approved", Decision.DENY: "denied"}
_WITH = {Proof.CODE: " with a code", Proof.NUMBER: " with the number"}
