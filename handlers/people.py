"""/people, /role, /suspend, /resume and /invite: who is at the desk, and as what."""

from dataclasses import dataclass

from bot.access import names
from bot.access.model import Person, Profile, Role
from bot.approvals.model import Request
from bot.errors import InputError
from bot.messages.cards import Card
from bot.operations.people import Doer
from bot.operations.role_requests import called
from handlers import groups
from handlers.buttons import keyboard
from handlers.context import DeskContext
from handlers.doors import Words, taste_of
from handlers.pages import Reply
from handlers.render import bold, literal, visible

KIND = "people"
GIVE, TAKE = "give", "take"
SUSPEND, RESUME = "suspend", "resume"
CHOOSE = "role"
_MOST_BUTTONS = 40
_EXAMPLE = "/role Olga give operator"


@dataclass(frozen=True, slots=True)
class Act:
    """What is to be done to whom. Without a role, /role offers what there is to give and take."""

    verb: str
    role: Role | None = None
    group: str | None = None

    @property
    def body(self) -> dict[str, str]:
        """As a card keeps it."""
        said = {"verb": self.verb, "role": self.role.value if self.role else "", "group": self.group or ""}
        return {key: value for key, value in said.items() if value}

    @property
    def label(self) -> str:
        return (
            f"{self.verb.capitalize()} {called(self.role.value, self.group)}" if self.role else self.verb.capitalize()
        )


# the list


async def people(context: DeskContext, words: Words) -> Reply:
    if words:
        raise InputError("it takes no words", "/people")
    services = context.services
    everybody = await services.access.everybody()
    blocks = [bold("People"), "\n".join(_listed(context, one) for one in everybody)]
    waiting = [invite for invite in services.access.roster.invites.values() if invite.expires_at > services.clock.now()]
    if waiting:
        taste = taste_of(context)
        lines = [f"{called(one.role, one.group)}, until {taste.date_time(one.expires_at)}" for one in waiting]
        blocks.append("\n".join([bold("Invitations not used yet"), *map(literal, lines)]))
    for group in await groups.blind_spots(context.desk):
        blocks.append(
            f"This bot is no admin of the group <code>{group}</code>, so Telegram does not tell it who leaves: what "
            "the group gave stays until somebody takes it."
        )
    return Reply(blocks, again="/people")


def _listed(context: DeskContext, profile: Profile) -> str:
    person = profile.person
    roles = ", ".join(_role(profile, role) for role in sorted(person.roles)) or "no role"
    state = " · <b>suspended</b>" if profile.suspended else ""
    since = taste_of(context).date_time(profile.since)
    return f"{person.id}. {bold(visible(person.name))} · {roles}{state}\n    since {since}"


def _role(profile: Profile, role: Role) -> str:
    in_groups = ", ".join(sorted(profile.person.groups)) if role is Role.APPROVER else ""
    through = f" (while in the group <code>{profile.via[role]}</code>)" if role in profile.via else ""
    return f"{role}{f' in {in_groups}' if in_groups else ''}{through}"


# inviting


async def invite(context: DeskContext, words: Words) -> Reply:
    role, group = _role_words(words, f"name one role: {', '.join(Role)}", "/invite viewer")
    via_chat = None if context.where.is_private else context.where.chat_id
    code = (await context.services.people.invite(context.person, role, group, via_chat)).reveal()
    lines = [
        f"An invitation for one {called(role, group)}, good for 24 hours and one use. Send it to the person only:",
        f"<code>https://t.me/{context.bot.username}?start={code}</code>",
        f"or let them write to me: <code>/join {code}</code>",
    ]
    if via_chat is not None:
        lines.append(f"The role lasts as long as they are in the group <code>{via_chat}</code>.")
    if role.needs_second_admin:
        lines.append("When they have come, another admin must sign that before it counts.")
    return Reply(["\n".join(lines)])


def _role_words(words: Words, otherwise: str, example: str) -> tuple[Role, str | None]:
    """`role [group]`."""
    if not 1 <= len(words) <= 2 or words[0].lower() not in set(Role):
        raise InputError(otherwise, example)
    return Role(words[0].lower()), names.check_group(words[1]) if len(words) == 2 else None


# roles, suspended and back


async def role(context: DeskContext, words: Words) -> Reply | None:
    return await _begin(context, *_read(words))


async def suspend(context: DeskContext, words: Words) -> Reply | None:
    return await _begin(context, " ".join(words), Act(SUSPEND))


async def resume(context: DeskContext, words: Words) -> Reply | None:
    return await _begin(context, " ".join(words), Act(RESUME))


def _read(words: Words) -> tuple[str, Act]:
    """`NAME give|take ROLE [group]`; a name may hold any word, so the last `give` or `take` counts."""
    verbs = [place for place, word in enumerate(words) if word.lower() in (GIVE, TAKE)]
    if not verbs:
        return " ".join(words), Act(CHOOSE)
    at = verbs[-1]
    given, group = _role_words(
        words[at + 1 :], f"after {words[at].lower()} comes one role: {', '.join(Role)}", _EXAMPLE
    )
    return " ".join(words[:at]), Act(words[at].lower(), given, group)


async def _begin(context: DeskContext, name: str, act: Act) -> Reply | None:
    """Do it when it is clear to whom; otherwise ask."""
    everybody = await context.services.access.everybody()
    concerned = [
        one.person for one in everybody if act.verb not in (SUSPEND, RESUME) or one.suspended == (act.verb == RESUME)
    ]
    if not name:
        if not concerned:
            return Reply(["Nobody is suspended." if act.verb == RESUME else "There is nobody."])
        await _ask_whom(context, "Whom?", concerned, act)
        return None
    found = names.meant([one.person for one in everybody], name)
    if len(found) == 1 and act.verb != CHOOSE:
        return Reply([await _do(context, found[0].id, act, f"m/{context.where.chat_id}/{context.message_id}")])
    if len(found) == 1:
        await _ask_what(context, found[0])
    elif found:
        await _ask_whom(context, "Whom of them?", found, act)
    else:
        await _ask_whom(context, "Did you mean:", names.perhaps_meant(concerned, name), act)
    return None


async def _ask_whom(context: DeskContext, question: str, people: list[Person], act: Act) -> None:
    some = people[:_MOST_BUTTONS]
    if len(people) > len(some):
        question = f"{question} (Here are {len(some)}; for another one write the name after the command.)"
    choices = [{"person": one.id, **act.body} for one in some]
    labels = [f"{visible(one.name, 30)} ({one.id})" for one in some]
    await _ask(context, question, labels, choices)


async def _ask_what(context: DeskContext, person: Person) -> None:
    """Everything there is to give and to take. A seat in an approver group is given by its name, so with words."""
    acts = [Act(TAKE if one in person.roles else GIVE, one) for one in Role]
    acts += [Act(TAKE, Role.APPROVER, group) for group in sorted(person.groups)]
    question = f"{literal(person.name)} is {literal(', '.join(sorted(person.roles)) or 'nothing yet')}."
    await _ask(context, question, [act.label for act in acts], [{"person": person.id, **act.body} for act in acts])


async def _ask(context: DeskContext, question: str, labels: list[str], choices: list[dict[str, object]]) -> None:
    card = await context.services.cards.make(KIND, context.person.id, context.where.chat_id, {"choices": choices})
    rows = [[(label, number)] for number, label in enumerate(labels)]
    await context.say(question, keyboard=keyboard(card, rows, context.services.signer))


async def chosen(context: DeskContext, card: Card, choice: int, message_id: int) -> str | None:
    """A button of one of these questions."""
    choices = card.body["choices"]
    if choice >= len(choices):
        return "This button belongs to something that no longer exists."
    if not await context.services.cards.advance(card):
        return None  # a second tap: the first one was taken
    said = choices[choice]
    given = Role(said["role"]) if "role" in said else None
    act = Act(said["verb"], given, said.get("group"))
    if act.verb == CHOOSE:
        await _ask_what(context, await context.services.access.get(said["person"]))
        return None
    await context.say(await _do(context, said["person"], act, f"c/{card.id}"))
    return None


async def _do(context: DeskContext, person_id: int, act: Act, asked_in: str) -> str:
    """Do it; answers the sentence, as HTML."""
    verbs = context.services.people
    doer = Doer(context.person, context.where.telegram_id, asked_in)
    name = literal((await context.services.access.get(person_id)).name)
    if act.verb == SUSPEND:
        await verbs.suspend(doer, person_id)
        return f"{name} is suspended: nothing of theirs counts any more. /resume {name} ends it."
    if act.verb == RESUME:
        return _asked(await verbs.resume(doer, person_id)) or f"{name} is back."
    if act.role is None:
        raise InputError("say what to give or to take", _EXAMPLE)
    what = literal(called(act.role.value, act.group))
    if act.verb == TAKE:
        await verbs.take(doer, person_id, act.role, act.group)
        return f"{name} is not {what} any more."
    return _asked(await verbs.give(doer, person_id, act.role, act.group)) or f"{name} is {what} now."


def _asked(request: Request | None) -> str | None:
    if request is None:
        return None
    return f"Asked for: request <code>{request.id}</code>. Another admin must sign it; /pending shows it."
