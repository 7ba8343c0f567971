"""Whom a second factor's fate is told."""

from bot.access.model import Person, Right, Role
from bot.access.records import people_in
from bot.messages.notice import Lane, Notice
from bot.messages.outbox import Outbox
from bot.store import Tables

_ASK_THEM = "They are the only admin, so nobody had to confirm it. If you doubt that it was them, ask them."


class FactorNews:
    """In the transaction of what it tells. `dedupe` is what one piece of news is told apart from another by."""

    def __init__(self, outbox: Outbox) -> None:
        self._outbox = outbox

    def tell(self, tables: Tables, person: Person, title: str, dedupe: str, *lines: str, next_step: str = "") -> None:
        """The person, in each of their chats; they are to know when it was not them."""
        last = "If that was not you, tell an admin at once."
        for number in person.telegram_ids:
            notice = Notice(Lane.SECURITY, number, title, (*lines, last), f"{dedupe}/{number}", next_step=next_step)
            self._outbox.put(tables, notice)

    def tell_admins(self, tables: Tables, person: Person, title: str, dedupe: str, *lines: str) -> None:
        """Everybody else's admins."""
        for admin in people_in(tables):
            if Role.ADMIN in admin.roles and admin.id != person.id:
                for number in admin.telegram_ids:
                    self._outbox.put(tables, Notice(Lane.SECURITY, number, title, lines, f"{dedupe}/{number}"))

    def tell_onlookers(self, tables: Tables, person: Person, title: str, dedupe: str) -> None:
        """Everybody else who decides or looks on: nothing but the phone vouched for it."""
        for other in people_in(tables):
            if other.id != person.id and (other.may(Right.DECIDE) or other.may(Right.SEE_PEOPLE)):
                for number in other.telegram_ids:
                    notice = Notice(Lane.SECURITY, number, title, (), f"{dedupe}/{number}", next_step=_ASK_THEM)
                    self._outbox.put(tables, notice)
