"""People: invited, let in, given and taken roles, suspended and resumed.

What a change means for others is done in its own transaction: requests that nobody can sign any more end, what a
suspended person has begun is void, the person and the admins are told. The gate knows it the moment that is committed,
and keys held open for them are dropped in the same breath (SAFETY T20). What approvers and admins may do is handed on
by requests: see `role_requests`.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from bot.access import invitations, names, standing
from bot.access.model import Invite, Person, Profile, Right, Role
from bot.access.records import everybody_in, insert_person, person_of, profile_in
from bot.access.service import Access, check_right
from bot.approvals import records as requests
from bot.approvals.model import Request
from bot.approvals.service import Approvals
from bot.clock import Clock
from bot.errors import ConflictError, InputError, NotFoundError
from bot.messages.cards import Cards
from bot.messages.outbox import Outbox
from bot.operations import one_time
from bot.operations.connections import Connections
from bot.operations.freezing import DESK, Alarm, no_alarm
from bot.operations.notices import Notices
from bot.operations.role_requests import ALONE, GIVE, JOIN, called, has, is_through, wish_to_give, wish_to_resume
from bot.ports import Deed, Recorder
from bot.secret import Secret
from bot.store import Database, Tables
from bot.vault.service import Vault


@dataclass(frozen=True, slots=True)
class Doer:
    """An admin at work: who, with which id, and the message or button it came with."""

    person: Person
    telegram_id: int
    asked_in: str | None = None


@dataclass(frozen=True, slots=True)
class Joined:
    """Somebody has come in. `request` waits for another admin when the role needs one."""

    person: Person
    role: Role
    group: str | None
    request: Request | None = None


class People:
    """The verbs."""

    def __init__(
        self,
        database: Database,
        access: Access,
        approvals: Approvals,
        vault: Vault,
        connections: Connections,
        cards: Cards,
        outbox: Outbox,
        audit: Recorder,
        clock: Clock,
        alarm: Alarm = no_alarm,
    ) -> None:
        self._database = database
        self._access = access
        self._approvals = approvals
        self._vault = vault
        self._connections = connections
        self._cards = cards
        self._outbox = outbox
        self._audit = audit
        self._clock = clock
        self._alarm = alarm
        self._notices = Notices(outbox)

    # coming in

    async def invite(self, by: Person, role: Role, group: str | None, via_chat: int | None) -> Secret:
        """A code for one person. `ConflictError` when no other admin could ever confirm the role."""
        if role.needs_second_admin and all(admin.id == by.id for admin in self._access.roster.admins):
            raise ConflictError(ALONE)
        return await self._access.invite(by, role, group, via_chat)

    async def open_invitation(self, code: str, telegram_id: int, shown_name: str) -> Invite:
        """A stranger has come with a code: note who they are, and which name they are offered.

        Raises:
            NotFoundError: No such code, used, or expired.
            ConflictError: The Telegram id belongs to somebody suspended.
        """

        def change(tables: Tables) -> Invite:
            now = self._clock.now()
            invite = invitations.outstanding(tables, invitations.hash_of(code), now)
            _check_not_suspended(person_of(tables, telegram_id))
            offered = names.suggested(shown_name)
            try:
                names.check_free(offered, _all_names(tables))
            except InputError:
                offered = ""
            invitations.open_(tables, invite, telegram_id, offered, now)
            return invitations.outstanding(tables, invite.code_hash, now)

        return await self._access.change(change)

    async def come_in(self, telegram_id: int, name: str) -> Joined:
        """A stranger who has opened an invitation says what they are called.

        Raises:
            InputError: No name, or one that looks like somebody else's; they are asked again.
            NotFoundError, ConflictError: As for `join`.
        """
        invite = self._access.roster.joining(telegram_id)
        if invite is None:
            raise NotFoundError("invitation", "this one")
        return await self._use(invite.code_hash, telegram_id, names.checked(name))

    async def join(self, code: str, telegram_id: int) -> Joined:
        """Somebody who is here already gains a role by an invitation.

        Raises:
            NotFoundError: No such code, used, or expired.
            ConflictError: The Telegram id belongs to somebody suspended, or to whoever made the invitation.
        """
        return await self._use(invitations.hash_of(code), telegram_id, None)

    async def _use(self, code_hash: str, telegram_id: int, name: str | None) -> Joined:
        now = self._clock.now()

        def change(tables: Tables) -> Joined:
            invite = invitations.outstanding(tables, code_hash, now)
            known = person_of(tables, telegram_id)
            _check_not_suspended(known)
            person = known.person if known is not None else self._newcomer(tables, telegram_id, name)
            if person.id == invite.created_by:
                raise ConflictError("that invitation is your own; somebody else must use it")
            request = self._give_or_ask(tables, invite, person)
            invitations.use(tables, invite, person.id, now)
            details = _details(invite.role, invite.group, invite.via_chat)
            self._audit.record(tables, Deed("person.joined", f"person/{person.id}", person.id, telegram_id, details))
            waits = " Another admin must confirm that." if request else ""
            line = f"{person.name} came by an invitation to be {called(invite.role, invite.group)}.{waits}"
            self._notices.tell_admins(tables, line, person.id)
            return Joined(profile_in(tables, person.id).person, invite.role, invite.group, request)

        return await self._access.change(change)

    def _newcomer(self, tables: Tables, telegram_id: int, name: str | None) -> Person:
        if name is None:
            raise NotFoundError("invitation", "this one")
        names.check_free(name, _all_names(tables))
        return profile_in(tables, insert_person(tables, name, telegram_id, (), self._clock.now())).person

    def _give_or_ask(self, tables: Tables, invite: Invite, person: Person) -> Request | None:
        if not invite.role.needs_second_admin:
            standing.give(tables, person.id, invite.role, invite.group, invite.via_chat)
            return None
        asker = profile_in(tables, invite.created_by).person
        asked_in = f"invite/{invite.code_hash}"
        wish = wish_to_give(JOIN, person, invite.role, invite.group, invite.via_chat, asked_in)
        return self._approvals.asking(asker, wish, telegram_id=None)(tables)

    # roles

    async def give(self, doer: Doer, person_id: int, role: Role, group: str | None) -> Request | None:
        """Give a role; answers the request when another admin must sign, as for every role of one's own.

        Raises:
            NotAllowedError: They are no admin any more.
            ConflictError: There is nothing to give, or nobody who could sign.
        """
        invitations.check_group_fits(role, group)

        def change(tables: Tables) -> Request | None:
            by = check_right(tables, doer.person, Right.PEOPLE)
            profile = profile_in(tables, person_id)
            if role.needs_second_admin or person_id == by.id:
                wish = wish_to_give(GIVE, profile.person, role, group, None, doer.asked_in)
                return self._approvals.asking(by, wish, telegram_id=doer.telegram_id)(tables)
            _check_not_suspended(profile)
            if has(profile, role, group):
                raise ConflictError(f"{profile.person.name} is {role} already")
            standing.give(tables, person_id, role)
            self._note(tables, "role.granted", profile.person, doer, _details(role, None))
            line = f"{by.name} made you {role}. /help shows what you can do."
            self._notices.tell(tables, profile.person, "Your roles changed", line)
            self._notices.tell_admins(tables, f"{by.name} made {profile.person.name} {role}.", by.id, person_id)
            return None

        return await self._access.change(change)

    async def take(self, doer: Doer, person_id: int, role: Role, group: str | None) -> None:
        """Take a role, or a seat in an approver group, at once.

        Raises:
            NotAllowedError: They are no admin any more.
            ConflictError: It is not there to be taken, or no admin would be left.
        """
        invitations.check_group_fits(role, group)

        def change(tables: Tables) -> None:
            by = check_right(tables, doer.person, Right.PEOPLE)
            person = profile_in(tables, person_id).person
            if not standing.take(tables, person_id, role, group):
                raise ConflictError(f"{person.name} is not {called(role, group)}")
            self._note(tables, "role.taken", person, doer, _details(role, group))
            self._approvals.course.people_changed(tables)
            what = called(role, group)
            if person_id != by.id:
                self._notices.tell(tables, person, "Your roles changed", f"You are not {what} any more.")
            line = f"{by.name} took from {person.name}: {what}."
            self._notices.tell_admins(tables, line, by.id, person_id)

        await self._access.change(change)

    # suspended and back

    async def suspend(self, doer: Doer, person_id: int) -> None:
        """Lock somebody out, at once and wholly.

        Raises:
            NotAllowedError: They are no admin any more.
            ConflictError: Suspended already, or no admin would be left.
        """

        def change(tables: Tables) -> None:
            by = check_right(tables, doer.person, Right.PEOPLE)
            person = profile_in(tables, person_id).person
            standing.suspend(tables, person_id)
            self._note(tables, "person.suspended", person, doer, {})
            self._approvals.course.people_changed(tables)
            self._void(tables, person)
            self._notices.tell(tables, person, "You are suspended", "Nothing you write here is read any more.")
            self._notices.tell_admins(tables, f"{by.name} suspended {person.name}.", by.id)

        await self._access.change(change)
        self._vault.forget(person_id)
        for connection in await self._connections.everything():
            if connection.owner == person_id:
                await self._connections.end_session(connection)

    def _void(self, tables: Tables, person: Person) -> None:
        """What they have begun, what was drawn for them, and what waits to be told to them."""
        self._cards.voiding(tables, person.id)
        self._vault.erasing(f"draft/{person.id}")(tables)
        for key in one_time.keys_of(tables, person.id):
            self._vault.erasing(one_time.sealed_for(key, person.id).name)(tables)
        one_time.forget_all_of(tables, person.id)
        self._outbox.dropping(tables, person.telegram_ids)

    async def resume(self, doer: Doer, person_id: int) -> Request | None:
        """End a suspension; answers the request when powers come back that another admin must sign for.

        Raises:
            NotAllowedError: They are no admin any more.
            ConflictError: Not suspended, or nobody who could sign.
        """

        def change(tables: Tables) -> Request | None:
            by = check_right(tables, doer.person, Right.PEOPLE)
            person = profile_in(tables, person_id).person
            if any(role.needs_second_admin for role in person.roles):
                wish = wish_to_resume(person, doer.asked_in)
                return self._approvals.asking(by, wish, telegram_id=doer.telegram_id)(tables)
            standing.resume(tables, person_id)
            self._note(tables, "person.resumed", person, doer, {})
            self._notices.tell(tables, person, "You are back", f"{by.name} ended your suspension.")
            self._notices.tell_admins(tables, f"{by.name} ended the suspension of {person.name}.", by.id, person_id)
            return None

        return await self._access.change(change)

    # the desk's groups

    async def left(self, chat_id: int, telegram_id: int) -> bool:
        """Somebody is no longer in a chat: what it gave them is gone. Answers whether that was anything.

        When it is a group of the desk and somebody who signs, the desk is frozen: whoever is thrown out, or whose
        account was taken over, leaves like that. Whoever is to go is suspended first.
        """

        def change(tables: Tables) -> bool:
            profile = person_of(tables, telegram_id)
            if profile is None:
                return False
            person = profile.person
            for request in requests.pending(tables):
                if is_through(tables, request, person.id, chat_id):
                    self._approvals.course.calling_off(tables, request, f"{person.name} has left the group")
            if Role.APPROVER in person.roles and not profile.suspended and chat_id in self._access.roster.groups:
                when = f"{self._clock.now():%Y-%m-%d %H:%M:%S} UTC"
                self._alarm(tables, DESK, f"{person.name}, who signs here, left the desk's group at {when}")
            roles, groups = standing.take_what_came_by(tables, person.id, chat_id)
            if not roles and not groups:
                return False
            details: dict[str, str | int] = {"roles": " ".join(roles), "groups": " ".join(groups), "left": chat_id}
            self._audit.record(tables, Deed("role.taken", f"person/{person.id}", None, telegram_id, details))
            self._approvals.course.people_changed(tables)
            what = ", ".join([*roles, *(f"the group {group}" for group in groups)])
            line = f"You have left the group that gave it: {what}."
            if not profile.suspended:
                self._notices.tell(tables, person, "Your roles changed", line)
            self._notices.tell_admins(tables, f"{person.name} left the group {chat_id} and lost: {what}.", person.id)
            return True

        return await self._access.change(change)

    async def tell_admins(self, line: str) -> None:
        """Something about the desk's groups that an admin should look at."""
        await self._database.write(lambda tables: self._notices.tell_admins(tables, line))

    def _note(self, tables: Tables, action: str, person: Person, doer: Doer, details: Mapping[str, str | int]) -> None:
        deed = Deed(action, f"person/{person.id}", doer.person.id, doer.telegram_id, details)
        self._audit.record(tables, deed)


def _check_not_suspended(profile: Profile | None) -> None:
    if profile is not None and profile.suspended:
        raise ConflictError("this person is suspended")


def _all_names(tables: Tables) -> Iterable[str]:
    return [one.person.name for one in everybody_in(tables)]


def _details(role: Role, group: str | None, via_chat: int | None = None) -> dict[str, str | int]:
    details: dict[str, str | int] = {"role": role.value}
    if group is not None:
        details["group"] = group
    if via_chat is not None:
        details["via_chat"] = via_chat
    return details
