"""What one admin alone cannot hand on: the roles of approver and admin, and a seat in an approver group.

Another admin signs: not the one who asks, and not the one it is about (SAFETY T19).
"""

from collections.abc import Mapping
from typing import Protocol

from bot.access import standing
from bot.access.model import Person, Profile, Right, Role
from bot.access.records import group_now, people_in, profile_in
from bot.access.service import Access
from bot.approvals.carriers import InHouse
from bot.approvals.guards import at_least, rule_for
from bot.approvals.model import Kind, Proof, Request, Rule, Seat
from bot.approvals.policies import Policies
from bot.approvals.policy.model import Guarded
from bot.approvals.service import Wish
from bot.errors import ConflictError, NotFoundError
from bot.ports import Deed, Recorder
from bot.store import Tables

GIVE, JOIN, RESUME = "give", "join", "resume"
ALONE = (
    "another admin must sign that, and there is none besides you; name a second Telegram id under people.admins in "
    "the configuration and restart: a desk with one admin takes it up"
)


class Telling(Protocol):
    """Tells people what has happened to them, inside the caller's transaction."""

    def __call__(self, tables: Tables, person: Person, title: str, line: str) -> None: ...


def wish_to_give(
    act: str, person: Person, role: Role, group: str | None, via_chat: int | None, asked_in: str | None
) -> Wish:
    """Somebody shall get a role: one who is here (`give`), or who has come by an invitation for it (`join`)."""
    parameters = {"act": act, "person": str(person.id), "name": person.name, "role": role.value}
    if group is not None:
        parameters["group"] = group
    if via_chat is not None:
        parameters["via_chat"] = str(via_chat)
    return Wish(Kind.ROLE, parameters, asked_in)


def wish_to_resume(person: Person, asked_in: str | None) -> Wish:
    """A suspended person shall come back with the roles they have."""
    parameters = {"act": RESUME, "person": str(person.id), "name": person.name, "roles": spelled(person)}
    return Wish(Kind.ROLE, parameters, asked_in)


def spelled(person: Person) -> str:
    """`approver in finance and risk, viewer`."""
    groups = " and ".join(sorted(person.groups))
    return ", ".join(
        f"{role} in {groups}" if role is Role.APPROVER and groups else role for role in sorted(person.roles)
    )


def called(role: str, group: str | None) -> str:
    """`approver in the group finance`."""
    return f"{role} in the group {group}" if group else role


class RoleRequests(InHouse):
    """Carries them out."""

    def __init__(self, access: Access, policies: Policies, audit: Recorder, tell: Telling) -> None:
        self._access = access
        self._policies = policies
        self._audit = audit
        self._tell = tell

    def lines(self, parameters: Mapping[str, str]) -> tuple[str, ...]:
        who = f"{parameters['name']} (person {parameters['person']})"
        if parameters["act"] == RESUME:
            return (f"End the suspension of {who}, who is {parameters['roles']}.",)
        what = called(parameters["role"], parameters.get("group"))
        lasts = " It ends when they leave the group that invited them." if "via_chat" in parameters else ""
        if parameters["act"] == JOIN:
            return (f"Make {who} {what}. They came by an invitation just now.{lasts}",)
        return (f"Make {who} {what}.{lasts}",)

    def rule(self, tables: Tables, asked_by: Person, parameters: Mapping[str, str]) -> Rule:
        profile = _possible(tables, parameters)
        concerned = profile.person.id
        others = [one for one in people_in(tables) if Role.ADMIN in one.roles and one.id != asked_by.id]
        if not others:
            raise ConflictError(ALONE)
        if all(one.id == concerned for one in others):
            raise ConflictError(f"an admin who is neither you nor {profile.person.name} must sign that: there is none")
        # who gives a role may give away the power to reset a second factor
        guarded = rule_for(tables, self._policies, Guarded.ROLE, frozenset({concerned}))
        return at_least(guarded, (Seat("role/admin"),), Proof.CODE_IF_SET_UP)

    def carry(self, tables: Tables, request: Request) -> str:
        asker = next((one for one in people_in(tables) if one.id == request.asked_by), None)
        if asker is None or not asker.may(Right.PEOPLE):
            raise ConflictError("whoever asked for it is no admin any more")
        parameters = request.parameters
        person = _possible(tables, parameters).person
        if parameters["act"] == RESUME:
            standing.resume(tables, person.id)
            self._note(tables, "person.resumed", person, request, {"roles": parameters["roles"]})
            self._tell(tables, person, "You are back", f"Your suspension has ended: you are {parameters['roles']}.")
            return f"{person.name} is back"
        role, group, via = Role(parameters["role"]), parameters.get("group"), parameters.get("via_chat")
        standing.give(tables, person.id, role, group, group_now(tables, int(via)) if via else None)
        what = called(role, group)
        details = {"role": role.value, **({"group": group} if group else {}), **({"via_chat": via} if via else {})}
        self._note(tables, "role.granted", person, request, details)
        self._tell(tables, person, "Your roles changed", f"You are {what} now. /help shows what you can do.")
        return f"{person.name} is {what} now"

    def _note(self, tables: Tables, action: str, person: Person, request: Request, details: Mapping[str, str]) -> None:
        self._audit.record(tables, Deed(action, f"person/{person.id}", details={"request": request.id, **details}))

    async def carried(self, request: Request) -> None:
        await self._access.refresh()


def is_through(tables: Tables, request: Request, person_id: int, chat_id: int) -> bool:
    """Whether it would give this person something by way of this chat."""
    said = request.parameters
    if request.kind is not Kind.ROLE or said["person"] != str(person_id) or "via_chat" not in said:
        return False
    return group_now(tables, int(said["via_chat"])) == chat_id


def _possible(tables: Tables, parameters: Mapping[str, str]) -> Profile:
    """The person it is about. `NotFoundError`, `ConflictError` when there is nothing (any more) to be done."""
    try:
        profile = profile_in(tables, int(parameters["person"]))
    except NotFoundError:
        raise NotFoundError("person", parameters["name"]) from None
    person = profile.person
    if parameters["act"] == RESUME:
        if not profile.suspended:
            raise ConflictError(f"{person.name} is not suspended")
        if spelled(person) != parameters["roles"]:
            raise ConflictError(f"the roles of {person.name} have changed meanwhile")
        return profile
    if profile.suspended:
        raise ConflictError(f"{person.name} is suspended")
    if has(profile, Role(parameters["role"]), parameters.get("group"), via="via_chat" in parameters):
        raise ConflictError(f"{person.name} is {called(parameters['role'], parameters.get('group'))} already")
    return profile


def has(profile: Profile, role: Role, group: str | None, *, via: bool = False) -> bool:
    """Whether there is nothing to give: what a chat gave can still be made theirs."""
    held = role in profile.person.roles and (group is None or group in profile.person.groups)
    return held and (via or role not in profile.via)
