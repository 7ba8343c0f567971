"""A person's Telegram accounts: one more, and one less.

A second account has every power of the first one, so no admin can hand one on alone. An admin makes a link for that
very person; whoever opens it shows which account it is, and a second admin signs, who is neither the one that asked nor
the person. Whatever accounts somebody has, they are one person: one vote, one second factor, one owner of connections.
"""

from collections.abc import Mapping

from bot.access import invitations, names
from bot.access.model import AccountLink, Person, Right, Role
from bot.access.records import people_in, person_of, profile_in
from bot.access.service import Access, check_right
from bot.approvals.carriers import InHouse
from bot.approvals.model import Kind, Proof, Request, Rule, Seat
from bot.approvals.service import Approvals, Wish
from bot.clock import Clock
from bot.errors import ConflictError, NotFoundError
from bot.messages.cards import Cards
from bot.messages.outbox import Outbox
from bot.operations.notices import Notices
from bot.operations.people import Doer
from bot.operations.role_requests import ALONE
from bot.ports import Deed, Recorder
from bot.secret import Secret
from bot.store import Tables

_TITLE = "Your accounts changed"
_IF_NOT_YOU = "If that was not you, tell an admin at once."


class Accounts(InHouse):
    """The verbs, and the carrier of what a second admin signs."""

    def __init__(
        self, access: Access, approvals: Approvals, cards: Cards, outbox: Outbox, audit: Recorder, clock: Clock
    ) -> None:
        self._access = access
        self._approvals = approvals
        self._cards = cards
        self._outbox = outbox
        self._audit = audit
        self._clock = clock
        self._notices = Notices(outbox)

    async def link(self, doer: Doer, person_id: int) -> Secret:
        """A code for one more account of that person, good for 24 hours and one use. Only its hash is kept.

        Raises:
            NotAllowedError: They are no admin any more.
            ConflictError: The person is suspended, or nobody could sign it.
        """

        def change(tables: Tables) -> str:
            by = check_right(tables, doer.person, Right.PEOPLE)
            person = _active(tables, person_id)
            _check_signable(tables, by.id, person)
            code = invitations.issue_link(tables, by, person_id, self._clock.now())
            self._note(tables, "account.invited", person, doer.person.id, doer.telegram_id, {})
            line = f"{by.name} made a link with which another Telegram account can become yours. {_IF_NOT_YOU}"
            self._notices.tell(tables, person, _TITLE, line)
            return code

        return Secret(await self._access.change(change))

    async def claim(self, code: str, telegram_id: int, shown_name: str) -> Request:
        """Somebody has opened such a link with this account; answers the request a second admin must sign.

        Raises:
            NotFoundError: No such code, used, or expired.
            ConflictError: The account is somebody's; or nobody is left who could sign it.
        """

        def change(tables: Tables) -> Request:
            now = self._clock.now()
            link = invitations.outstanding_link(tables, invitations.hash_of(code), now)
            _check_free(tables, telegram_id)
            person, asker = _active(tables, link.person_id), profile_in(tables, link.created_by).person
            invitations.use_link(tables, link, telegram_id, now)
            request = self._approvals.asking(asker, _wish(person, link, telegram_id, shown_name), telegram_id=None)(
                tables
            )
            details: dict[str, str | int] = {"request": request.id, "account": telegram_id}
            self._note(tables, "account.claimed", person, None, telegram_id, details)
            line = f"The link was opened with the Telegram account {telegram_id}; an admin must sign it. {_IF_NOT_YOU}"
            self._notices.tell(tables, person, _TITLE, line)
            return request

        return await self._access.change(change)

    async def remove(self, doer: Doer, person_id: int, telegram_id: int) -> None:
        """Take one away, at once. What it voted for and is not decided yet does not count any more.

        Raises:
            NotAllowedError: They are no admin any more.
            NotFoundError: It is not theirs.
            ConflictError: It is their only one; /suspend locks a person out.
        """

        def change(tables: Tables) -> None:
            by = check_right(tables, doer.person, Right.PEOPLE)
            person = profile_in(tables, person_id).person
            if telegram_id not in person.telegram_ids:
                known = tuple(map(str, sorted(person.telegram_ids)))
                raise NotFoundError("Telegram account", str(telegram_id), known)
            if len(person.telegram_ids) == 1:
                raise ConflictError(f"that is the only account of {person.name}; /suspend locks a person out")
            self._notices.tell(tables, person, _TITLE, f"{by.name} removed the Telegram account {telegram_id}.")
            tables.conn.execute("DELETE FROM telegram_ids WHERE telegram_id = ?", (telegram_id,))
            self._cards.voiding_in(tables, person_id, telegram_id)
            self._outbox.dropping(tables, [telegram_id])
            self._note(tables, "account.removed", person, by.id, doer.telegram_id, {"account": telegram_id})
            self._approvals.course.people_changed(tables)
            line = f"{by.name} removed the Telegram account {telegram_id} of {person.name}."
            self._notices.tell_admins(tables, line, by.id, person_id)

        await self._access.change(change)

    # the request

    def lines(self, parameters: Mapping[str, str]) -> tuple[str, ...]:
        shown = f", which calls itself {parameters['shown']}," if parameters["shown"] else ""
        who = f"{parameters['name']} (person {parameters['person']})"
        return (
            f"Let the Telegram account {parameters['account']}{shown} be {who}, with everything they may do.",
            "Sign only if you have spoken with them and know that it is theirs.",
        )

    def rule(self, tables: Tables, asked_by: Person, parameters: Mapping[str, str]) -> Rule:
        person = _active(tables, int(parameters["person"]))
        _check_signable(tables, asked_by.id, person)
        return Rule((Seat("role/admin"),), frozenset({person.id}), Proof.CODE_IF_SET_UP)

    def carry(self, tables: Tables, request: Request) -> str:
        asker = next((one for one in people_in(tables) if one.id == request.asked_by), None)
        if asker is None or not asker.may(Right.PEOPLE):
            raise ConflictError("whoever asked for it is no admin any more")
        person, telegram_id = _active(tables, int(request.parameters["person"])), int(request.parameters["account"])
        _check_free(tables, telegram_id)
        tables.conn.execute("INSERT INTO telegram_ids VALUES (?, ?)", (telegram_id, person.id))
        details: dict[str, str | int] = {"request": request.id, "account": telegram_id}
        self._note(tables, "account.added", person, None, None, details)
        line = f"The Telegram account {telegram_id} is yours now. {_IF_NOT_YOU}"
        self._notices.tell(tables, profile_in(tables, person.id).person, _TITLE, line)
        return f"the Telegram account {telegram_id} is {person.name}'s now"

    async def carried(self, request: Request) -> None:
        await self._access.refresh()

    def _note(
        self,
        tables: Tables,
        action: str,
        person: Person,
        by: int | None,
        telegram_id: int | None,
        details: Mapping[str, str | int],
    ) -> None:
        self._audit.record(tables, Deed(action, f"person/{person.id}", by, telegram_id, details))


def _wish(person: Person, link: AccountLink, telegram_id: int, shown_name: str) -> Wish:
    parameters = {
        "person": str(person.id),
        "name": person.name,
        "account": str(telegram_id),
        "shown": names.suggested(shown_name),
    }
    return Wish(Kind.ACCOUNT, parameters, f"link/{link.code_hash}")


def _active(tables: Tables, person_id: int) -> Person:
    profile = profile_in(tables, person_id)
    if profile.suspended:
        raise ConflictError(f"{profile.person.name} is suspended")
    return profile.person


def _check_free(tables: Tables, telegram_id: int) -> None:
    known = person_of(tables, telegram_id)
    if known is not None:
        raise ConflictError(f"this Telegram account is {known.person.name}'s already; open the link with the other one")


def _check_signable(tables: Tables, asker_id: int, person: Person) -> None:
    """`ConflictError` when there is no admin but the one who asks and the person."""
    others = [one for one in people_in(tables) if Role.ADMIN in one.roles and one.id != asker_id]
    if not others:
        raise ConflictError(ALONE)
    if all(one.id == person.id for one in others):
        raise ConflictError(f"an admin who is neither you nor {person.name} must sign that: there is none")
