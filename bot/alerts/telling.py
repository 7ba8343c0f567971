"""What people get of a firing: one message a chat, with buttons where it is private; edited when it has been
acknowledged or is over. All inside the transaction that writes down why.

A group is told what it may know: the rule, and a price. What an account holds, or is owed, is in the private chats.
"""

from collections import deque
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from bot.access.model import Person, Right, Role
from bot.alerts.hearers import Desk, Hearer, hearers_of
from bot.alerts.model import Escalation, Firing, Measure, Repeat, Rule, Severity, stays
from bot.alerts.records import Told
from bot.alerts.wording import condition, headline, time_said, why
from bot.errors import NotAllowedError
from bot.ids import short_id
from bot.messages.cards import Cards
from bot.messages.notice import Choices, Lane, Notice
from bot.messages.outbox import Outbox
from bot.store import Tables
from bot.store.columns import at, moment, packed

CARD = "alert"
ACKNOWLEDGE, MUTE_1H, MUTE_4H, MUTE_HELD, LESS, TAKE_BACK = range(1, 7)
ACKNOWLEDGING: Final[Choices] = ((("Acknowledge", ACKNOWLEDGE),),)
TAKING_BACK: Final[Choices] = ((("Take back", TAKE_BACK),),)
ALONE: Final = "alone"
"""In the card of a message that is not drawn anew when something becomes of the alert."""
OPEN_FOR = timedelta(days=7)
MOST_URGENT: Final = 12
"""Of what others have set, to one chat in an hour."""
_AN_HOUR: Final = timedelta(hours=1)
_BESIDE: Final = (
    "SELECT EXISTS (SELECT 1 FROM alert_firings WHERE id = ?1),"
    " EXISTS (SELECT 1 FROM alert_firings WHERE rule_id = ?2 AND bucket = ?3 AND direction = ?4),"
    " (SELECT happened_at FROM alert_firings WHERE rule_id = ?2 ORDER BY told_at DESC LIMIT 1)"
)
"""All that is asked before one is written, at once: each question more costs as much as its answer."""


class Telling:
    """Writes firings down, with their messages."""

    def __init__(self, outbox: Outbox, cards: Cards, zone: ZoneInfo) -> None:
        self._outbox = outbox
        self._cards = cards
        self._zone = zone
        self._urgent: dict[int, deque[datetime]] = {}
        """When somebody else's critical alerts went to a chat, among the last hour's."""

    def _lane(self, lane: Lane, chat: int, now: datetime) -> Lane:
        """What somebody else calls urgent goes with security so many times an hour; then it waits with the others."""
        if lane is not Lane.SECURITY:
            return lane
        times = self._urgent.setdefault(chat, deque())
        while times and times[0] <= now - _AN_HOUR:
            times.popleft()
        if len(times) >= MOST_URGENT:
            return Lane.EVENTS
        times.append(now)
        return lane

    @staticmethod
    def check(desk: Desk, rule: Rule) -> None:
        """Whether its owner may set it now: it was proposed a while ago. `NotAllowedError`."""
        owner, target = desk.person(rule.owner), rule.target
        if owner is None or not desk.may_hear(owner, rule):
            raise NotAllowedError("read that connection")
        if (target.chat is not None or target.person is not None) and not owner.may(Right.ALERT):
            raise NotAllowedError(Right.ALERT)

    def tell(self, desk: Desk, firing: Firing, now: datetime, *, is_quiet: bool) -> bool:
        """Write it down; answers False when it was there already, or its owner may not hear of it any more."""
        rule, tables = firing.rule, desk.tables
        owner = desk.person(rule.owner)
        if owner is None or not desk.may_hear(owner, rule, firing.audience):
            return False
        number, is_known, before = _beside(tables, firing)
        if is_known:
            return False
        linked = desk.linked(rule)
        name = linked.name if linked is not None else ""
        title, lines = headline(firing), why(firing, name, owner.name, number, self._zone, before)
        hearers = [] if is_quiet else hearers_of(desk, firing, owner)
        chats: dict[str, tuple[int, int | None]] = {}
        for hearer in hearers:
            key = f"alert/{rule.id}/{firing.bucket}/{firing.direction.value}/{hearer.chat}"
            notice = self._notice(tables, firing, number, key, title, lines, hearer, now)
            self._outbox.put(tables, notice)
            chats[key] = (hearer.chat, notice.card)
        audience = None if firing.audience is None else sorted(firing.audience)
        body = packed({"title": title, "lines": lines, "chats": chats, "audience": audience})
        tables.conn.execute(
            "INSERT INTO alert_firings (id, rule_id, bucket, direction, severity, happened_at, told_at, is_quiet, body)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                number,
                rule.id,
                firing.bucket,
                firing.direction.value,
                rule.severity.value,
                at(firing.at),
                at(now),
                int(is_quiet),
                body,
            ),
        )
        return True

    def redraw(
        self, tables: Tables, told: Told, now: datetime, *more: str, choices: Callable[[int], Choices] = lambda _: ()
    ) -> None:
        """Its messages say that, too, from now on; but not a card that tells of many, nor one that is about to.

        Args:
            choices: The buttons below it in a private chat.
        """
        for key, (chat, card) in told.chats.items():
            if _stands_with_others(tables, key, chat):
                continue
            is_private = card is not None
            keys = choices(chat) if is_private else ()
            self._outbox.put(
                tables,
                Notice(
                    lane_of_edit(told.severity),
                    chat,
                    told.title if is_private else told.title.partition(":")[0],
                    (*(told.lines if is_private else ()), *more),
                    dedupe="/".join((key, str(at(now)), *more)),
                    card=card if keys else None,
                    choices=keys,
                    replaces=key,
                ),
            )

    def escalate(self, desk: Desk, told: Told, rule: Rule, step: Escalation, number: int, now: datetime) -> None:
        """Nobody has acknowledged it: said again below it, and to every admin where the step (its `number`) says so;
        its values to who may read them."""
        tables = desk.tables
        line = f"Nobody has acknowledged alert {told.id} for {time_said(step.after)}."
        for key, (chat, card) in told.chats.items():
            hearer = desk.owner_of(chat)
            if card is not None and hearer is not None and desk.may_hear(hearer, rule, told.audience):
                lane = lane_of_step(told.severity)
                notice = Notice(
                    lane if hearer.id == rule.owner else self._lane(lane, chat, now),
                    chat,
                    f"Still open: {told.title}",
                    (line,),
                    f"{key}/escalated/{number}",
                    under=key,
                )
                self._outbox.put(tables, notice)
        if not step.tells_admins:
            return
        heard = {chat for chat, _ in told.chats.values()}
        title = "Critical alert" if told.severity is Severity.CRITICAL else "Alert"
        for person in desk.people.values():
            if Role.ADMIN not in person.roles:
                continue
            may_hear = desk.may_hear(person, rule, told.audience)
            lines = (line, *told.lines) if may_hear else (line, f"Rule {rule.id}: its values are not yours to read.")
            for chat in person.telegram_ids - heard:
                body = {"alert": told.id, "rule": rule.id, ALONE: True}
                button = self._cards.making(tables, CARD, person.id, chat, body, OPEN_FOR)
                self._outbox.put(
                    tables,
                    Notice(
                        self._lane(lane_of_step(told.severity), chat, now),
                        chat,
                        f"{title}, not acknowledged",
                        lines,
                        f"alert/{told.id}/escalated/{number}/{chat}",
                        card=button.id,
                        choices=ACKNOWLEDGING,
                    ),
                )

    def _notice(
        self,
        tables: Tables,
        firing: Firing,
        number: str,
        key: str,
        title: str,
        lines: list[str],
        hearer: Hearer,
        now: datetime,
    ) -> Notice:
        rule = firing.rule
        lane = lane_of(rule)
        if hearer.person is None or hearer.person.id != rule.owner:
            lane = self._lane(lane, hearer.chat, now)
        if hearer.person is None:
            is_public = rule.source.what is Measure.PRICE
            masked = (f"{condition(rule)}, alert {number}.", "The numbers are in the private chat of who set it.")
            group_title = title if is_public else title.partition(":")[0]
            said = tuple(lines) if is_public else masked
            return Notice(lane, hearer.chat, group_title, said, key, thread=hearer.thread)
        body = {"alert": number, "rule": rule.id}
        card = self._cards.making(tables, CARD, hearer.person.id, hearer.chat, body, OPEN_FOR)
        choices = buttons(rule, hearer.person)
        is_private = rule.source.what is not Measure.PRICE
        return Notice(lane, hearer.chat, title, tuple(lines), key, card=card.id, choices=choices, protected=is_private)


def _beside(tables: Tables, firing: Firing) -> tuple[str, bool, datetime | None]:
    """An id no other has; whether it was told already; and when its rule had come before, told or silent."""
    rule, is_taken = firing.rule, True
    while is_taken:
        number = short_id(6)  # short enough to be read aloud, so that among many one comes twice
        values = (number, rule.id, firing.bucket, firing.direction.value)
        is_taken, is_known, last = tables.conn.execute(_BESIDE, values).fetchone()
    return number, bool(is_known), None if last is None or rule.repeat is Repeat.ONCE else moment(last)


def _stands_with_others(tables: Tables, key: str, chat: int) -> bool:
    """Whether it was told on a card with others, or waits among others for one."""
    row = tables.conn.execute("SELECT state, is_grouped, burst FROM outbox WHERE dedupe = ?", (key,)).fetchone()
    if row is None or not row[1]:
        return False
    others = "SELECT 1 FROM outbox WHERE chat_id = ? AND state = 'waiting' AND is_grouped AND dedupe IS NOT ? LIMIT 1"
    return row[2] is not None or (
        row[0] == "waiting" and tables.conn.execute(others, (chat, key)).fetchone() is not None
    )


def buttons(rule: Rule, hearer: Person | None, *, is_acknowledged: bool = False) -> Choices:
    """Below an alert: only the rule's owner has it less often, and only what stays so can be muted until it is over."""
    first = TAKING_BACK if is_acknowledged else ACKNOWLEDGING
    if hearer is None or hearer.id != rule.owner:
        return first
    mutes = [("Mute 1 h", MUTE_1H), ("Mute 4 h", MUTE_4H)]
    if stays(rule.source.what, rule.test):
        mutes.append(("Mute until resolved", MUTE_HELD))
    return (*first, tuple(mutes), (("Less like this", LESS),))


def lane_of(rule: Rule) -> Lane:
    """What is critical goes with security; prices go last (R11)."""
    if rule.severity is Severity.CRITICAL:
        return Lane.SECURITY
    return Lane.PRICES if rule.source.what is Measure.PRICE else Lane.EVENTS


def lane_of_step(severity: Severity) -> Lane:
    """What is said again stands for itself, and is never one of many."""
    return Lane.SECURITY if severity is Severity.CRITICAL else Lane.EVENTS


def lane_of_edit(severity: Severity) -> Lane:
    """However often something comes and goes: what is only edited stands in the way of nothing that is said."""
    return Lane.EVENTS if severity is Severity.CRITICAL else Lane.PRICES
