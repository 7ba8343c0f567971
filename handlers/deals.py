"""/buy, /sell, /close, /change and /cancelorder: guarded deals, each with its last look.

/buy and /sell ask for what they were not told. What is asked for together, as /close all, is looked at together and
becomes one request each.
"""

import secrets
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Final

from bot.approvals.model import Proof
from bot.approvals.service import Shown, Wish
from bot.errors import CountersignError, InputError
from bot.messages.cards import Card, Draft
from bot.operations import deal_line
from bot.operations.deal_line import Line
from bot.operations.deal_steps import DealSteps, Sketch, Step
from bot.operations.deals import ALL, CLOSE, LeftOut, Open, Where
from bot.operations.moving.plans import Plan
from bot.providers.acts import ActKind
from bot.providers.records import Order, Position
from handlers import asking, failures, pages
from handlers.buttons import keyboard
from handlers.context import DeskContext
from handlers.doors import Words, taste_of
from handlers.freshness import check_fresh
from handlers.render import deal_steps as steps
from handlers.render import deals as render
from handlers.walking import Walk

TOGETHER: Final = "deals"
CHOOSING: Final = "deals/choose"
CHANGING: Final = "deals/change"
_ASK, _CANCEL = 1, 2
_MOST_BUTTONS = 24
_CHANGED: Final[dict[str, Callable[[Open], bool]]] = {
    "close": lambda one: isinstance(one.item, Position),
    "cancelorder": lambda one: isinstance(one.item, Order),
    "change": lambda one: ActKind.CHANGE in one.connection.spec.acts,
}
"""What each command is about."""
_OVER = "That is over; nothing was asked for. Begin anew if you still want it."


def _walk(side: str) -> Walk[Sketch, Step]:
    return Walk(side, lambda services: DealSteps(services.deals, side), Sketch, steps.question, steps.labels)


BUYING: Final = _walk("buy")
SELLING: Final = _walk("sell")


async def close(context: DeskContext, words: Words) -> None:
    check_fresh(context)
    line = deal_line.read(words)
    if line == Line(on=line.on):
        return await _choose(context, "close", line.on)
    await _offer(context, *await context.services.deals.closing(context.person, line, _where(context)))
    return None


async def change(context: DeskContext, words: Words) -> None:
    check_fresh(context)
    line = deal_line.read(words)
    if line == Line(on=line.on):
        return await _choose(context, "change", line.on)
    plan = await context.services.deals.change(context.person, line, _where(context))
    await asking.offer(context, plan, said_whole=True)
    return None


async def cancel_order(context: DeskContext, words: Words) -> None:
    check_fresh(context)
    if not words:
        return await _choose(context, "cancelorder")
    plan = await context.services.deals.withdrawn(context.person, deal_line.read(words), _where(context))
    await asking.offer(context, plan, said_whole=True)
    return None


async def _choose(context: DeskContext, command: str, on: str = "") -> None:
    """What there is, a button each; `on` names the connections, and nothing all of them."""
    found = await context.services.deals.open_to(context.person, on)
    wanted = [one for one in found if _CHANGED[command](one)]
    if not wanted:
        await context.say("No order waits." if command == "cancelorder" else "Nothing is open.")
        return
    shown, taste = wanted[:_MOST_BUTTONS], taste_of(context)
    body = {"command": command, "ids": [f"{one.item.id} on {one.connection.name}" for one in shown], "on": on}
    rows = [[(render.button(one.item, taste), number)] for number, one in enumerate(shown)]
    rows += [[("All of them", len(shown))]] if command == "close" and len(wanted) > 1 else []

    async def say(chat_id: int) -> None:
        card = await context.services.cards.make(CHOOSING, context.person.id, chat_id, body)
        keys = keyboard(card, rows, context.services.signer)
        question = render.choosing(command, len(wanted), len(shown))
        await context.say(question, chat_id=chat_id, keyboard=keys, protected=True)

    await pages.privately(context, say)


async def chosen(context: DeskContext, card: Card, choice: int, message_id: int) -> str | None:
    ids: Sequence[str] = card.body["ids"]
    await context.without_buttons(message_id)
    desk, where = context.services.deals, _where(context)
    if card.body["command"] == "close":
        everything = f"{ALL} on {on}" if (on := card.body.get("on")) else ALL
        words = ids[choice] if choice < len(ids) else everything
        await _offer(context, *await desk.closing(context.person, deal_line.read(words.split()), where))
    elif card.body["command"] == "change":
        await context.services.linking.cancel(context.person)  # one thing is asked at a time
        await context.services.cards.save(Draft(context.person.id, CHANGING, {"id": ids[choice]}))
        await context.say(render.CHANGING)
    else:
        plan = await desk.withdrawn(context.person, deal_line.read(ids[choice].split()), where)
        await asking.offer(context, plan)
    return None


async def changed(context: DeskContext, draft: Draft, text: str, message_id: int) -> None:
    """The rest of the line for what was chosen."""
    words = [*str(draft.body["id"]).split(), *text.split()]
    plan = await context.services.deals.change(context.person, deal_line.read(words), _where(context))
    await asking.offer(context, plan)


async def _offer(context: DeskContext, plans: Sequence[Plan], left: Sequence[LeftOut] = ()) -> None:
    """One plan has the usual last look; several are looked at together. What is left out is named first."""
    if left:
        said = render.left_out([(one.what, failures.sentence(one.why)) for one in left])

        async def say_left(chat_id: int) -> None:
            await context.say(said, chat_id=chat_id, protected=True)

        await pages.privately(context, say_left)
    if len(plans) == 1:
        await asking.offer(context, plans[0], said_whole=not left)
        return
    if any(not plan.rule.seats and plan.rule.proof is not Proof.NONE for plan in plans):
        raise InputError("the policy wants a proof for each of them; close one by one", CLOSE)
    services = context.services
    await services.linking.cancel(context.person)  # one thing is asked at a time
    body = {
        "token": secrets.token_hex(8),
        "wishes": [asking.packed(_numbered(plan.wish, n)) for n, plan in enumerate(plans)],
    }
    await services.cards.save(Draft(context.person.id, TOGETHER, body))

    async def say(chat_id: int) -> None:
        card = await services.cards.make(TOGETHER, context.person.id, chat_id, {"token": body["token"]})
        doing = "Ask for" if any(plan.rule.seats for plan in plans) else "Send"
        keys = keyboard(card, [[(f"{doing} all {len(plans)}", _ASK), ("Cancel", _CANCEL)]], services.signer)
        await context.say(render.together(plans), chat_id=chat_id, keyboard=keys, protected=True)

    await pages.privately(context, say)


async def answered(context: DeskContext, card: Card, choice: int, message_id: int) -> str | None:
    services = context.services
    draft = await services.cards.draft(context.person.id)
    await context.without_buttons(message_id)
    if draft is None or draft.kind != TOGETHER or draft.body["token"] != card.body["token"]:
        return _OVER
    await services.cards.drop(context.person.id)
    if choice == _CANCEL:
        return "Stopped; nothing was asked for."
    left: list[tuple[str, str]] = []
    for body in draft.body["wishes"]:
        wish, shown = asking.wish_of(body), Shown(Proof.NONE, services.timekeeping.looking())
        try:
            await services.money.planning.ask(context.person, wish, telegram_id=context.where.telegram_id, shown=shown)
        except CountersignError as error:  # it keeps none of the others from being asked for
            left.append((f"{wish.parameters['name']} {wish.parameters['target']}", failures.sentence(error)))
    if left:
        await context.say(render.left_out(left), protected=True)
    return None  # each request's own card says the rest


async def typed(context: DeskContext, draft: Draft, text: str, message_id: int) -> None:
    raise InputError("nothing is to be typed here: press one of the buttons above, or /cancel", "")


def _numbered(wish: Wish, number: int) -> Wish:
    """What one message asks for more than once is asked for by parts of it: the same part twice is one request."""
    return replace(wish, asked_in=f"{wish.asked_in}/{number}")


def _where(context: DeskContext) -> Where:
    """What asked for it, and the group, if it is one."""
    where = context.where
    return Where(context.occasion, None if where.is_private else where.chat_id)
