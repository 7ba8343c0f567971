"""What people are told of what has happened to them."""

from bot.access.model import Person, Role
from bot.access.records import people_in
from bot.messages.notice import Lane, Notice
from bot.messages.outbox import Outbox
from bot.store import Tables


class Notices:
    """Says to people what has happened to them, by the outbox's security lane."""

    def __init__(self, outbox: Outbox) -> None:
        self._outbox = outbox

    def tell(self, tables: Tables, person: Person, title: str, line: str) -> None:
        """Each of a person's chats."""
        for number in person.telegram_ids:
            self._outbox.put(tables, Notice(Lane.SECURITY, number, title, (line,)))

    def tell_admins(self, tables: Tables, line: str, *but: int) -> None:
        """Every admin except those with these ids of ours."""
        for admin in people_in(tables):
            if Role.ADMIN in admin.roles and admin.id not in but:
                self.tell(tables, admin, "People changed", line)

    def tell_of_second_admin(self, tables: Tables, person: Person) -> None:
        """The configuration has named one."""
        line = f"{person.name} is an admin now: the configuration names them, and there was only one admin."
        self.tell_admins(tables, line)
