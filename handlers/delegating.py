"""/delegate: out of office."""

from bot.errors import InputError
from bot.operations.delegating import EXAMPLE
from handlers import completing
from handlers.context import DeskContext
from handlers.doors import Words
from handlers.pages import Reply
from handlers.render import bold, literal

_HAND_ON = completing.offer("Hand mine on…", "/delegate")
_WHO = f"To whom, and from which day to which? For example: <code>{literal(EXAMPLE.removeprefix('/delegate '))}</code>"


async def delegate(context: DeskContext, words: Words) -> Reply | None:
    room, telegram_id = context.services.delegating, context.where.telegram_id
    if completing.is_begun(words):
        await completing.ask(context, _WHO, "delegate", *words[:-1])
        return None
    if not words:
        return await _standing(context)
    if [word.lower() for word in words] == ["end"]:
        await room.take_back(context.person, telegram_id=telegram_id)
        return Reply(["You have your groups back, and sign in them yourself again."])
    if len(words) > 20:
        raise InputError("name an approver, and the first and the last day", EXAMPLE)
    made = await room.hand_on(context.person, room.reading(words), telegram_id=telegram_id)
    people = {one.id: one.name for one in context.services.access.roster.people}
    name = literal(people.get(made.delegate_id, ""))
    lines = [f"{name} stands in for you {room.when(made)}, in your approver groups, and you do not sign there."]
    lines.append("What you signed in them and still waits counts only while you sit there yourself: /pending shows it.")
    return Reply(["\n".join([*lines, "/delegate end takes that back."])])


async def _standing(context: DeskContext) -> Reply:
    room = context.services.delegating
    people = {one.id: one.name for one in context.services.access.roster.people}
    standing = await room.standing()
    lines = [
        f"{literal(people.get(one.person_id, 'Somebody who left'))}, {room.when(one)}: "
        f"{literal(people.get(one.delegate_id, 'somebody who left'))} stands in"
        for one in standing
    ]
    hand_on = [_HAND_ON] if context.person.groups else []  # who sits in none has nothing to hand on
    if not lines:
        return Reply([f"Nobody is out of office. For example: <code>{literal(EXAMPLE)}</code>"], offers=hand_on)
    is_mine = any(one.person_id == context.person.id for one in standing)
    offers = [*hand_on, *([("Take mine back", "/delegate end")] if is_mine else [])]
    return Reply(["\n".join([bold("Out of office"), *lines])], again="/delegate", offers=offers)
