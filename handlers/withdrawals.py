"""/withdrawals: what clients of the CRM ask to be paid, as far as this desk knows, and making a decision ready."""

from typing import Any

import msgspec
from telegram import InlineKeyboardMarkup

from bot.approvals.model import Kind
from bot.approvals.service import Wish
from bot.errors import CountersignError, InputError, NotFoundError, ProviderError
from bot.messages.cards import Card, Draft
from bot.operations.clients import ClientFile
from bot.operations.decisions import Decision, PreparedDecision, Seen
from bot.operations.requested import is_word, parse
from bot.operations.withdrawal_news import CARD, OPEN
from bot.operations.withdrawals import Look
from bot.providers.crm.wire.requests import Withdrawal
from handlers import asking, pages, withdrawal_list
from handlers.buttons import keyboard
from handlers.context import DeskContext
from handlers.doors import Words, taste_of
from handlers.pages import Audience, Reply
from handlers.render import withdrawals as render

REASON = "withdrawal/reject"
REFRESH, DETAILS, APPROVE, REJECT = 1, 2, 3, 4


async def withdrawals(context: DeskContext, words: Words) -> Reply | None:
    """Those that wait, or that fit a filter; one by its id; or `add` an id that nothing has told us of."""
    match words:
        case [verb, request_id] if verb.lower() == "add":
            known = await context.services.withdrawals.add(
                context.person, request_id, telegram_id=context.where.telegram_id
            )
            await _open(context, known.request_id)
            return None
        case [request_id] if _is_id(request_id):
            await _open(context, request_id.lower())
            return None
        case [request_id, "details"] if _is_id(request_id):
            return await _details(context, request_id.lower())
        case _:
            await withdrawal_list.show(context, parse(words))
            return None


def _is_id(word: str) -> bool:
    return word.isascii() and word.isalnum() and not is_word(word)


# the list


async def turned(context: DeskContext, card: Card, choice: int, message_id: int) -> str | None:
    """A button of the list."""
    target = withdrawal_list.target_of(card, choice)
    if target is None:
        return "This button belongs to something that no longer exists."
    if isinstance(target, str):
        await _open(context, target)
    else:
        await withdrawal_list.redraw(context, card, target, message_id)
    return None


# the card


async def _open(context: DeskContext, request_id: str) -> None:
    """Send one request's card, privately."""
    look, about = await _look(context, request_id)

    async def say(chat_id: int) -> None:
        card = await context.services.cards.make(CARD, context.person.id, chat_id, _body(look))
        keys = _keys(context, card, look, card.version)
        await context.say(_text(context, look, about), chat_id=chat_id, keyboard=keys, protected=True)

    await pages.privately(context, say)


async def tapped(context: DeskContext, card: Card, choice: int, message_id: int) -> str | None:
    """A button of a card, or Open under an announcement."""
    request_id = str(card.body["request"])
    if choice == OPEN:
        await _open(context, request_id)
    elif choice == REFRESH:
        await _refresh(context, card, request_id, message_id)
    elif choice == DETAILS:
        await pages.show(context, await _details(context, request_id), Audience.PRIVATE)
    elif choice == APPROVE and "seen" in card.body:
        seen = msgspec.convert(card.body["seen"], Seen)
        await _prepare(context, request_id, Decision.APPROVE, "", seen, f"c/{card.id}/{card.version}")
    elif choice == REJECT and "seen" in card.body:
        await _ask_reason(context, request_id, card.body["seen"])
    else:
        return "This button belongs to something that no longer exists."
    return None


async def _refresh(context: DeskContext, card: Card, request_id: str, message_id: int) -> None:
    look, about = await _look(context, request_id)
    if not await context.services.cards.advance(card, _body(look)):
        return  # a second tap: the first one was taken
    await context.redraw(message_id, _text(context, look, about), _keys(context, card, look, card.version + 1))


async def _details(context: DeskContext, request_id: str) -> Reply:
    look, about = await _look(context, request_id, lines=True)
    blocks = render.whole(look, about, context.services.clock.now(), taste_of(context))
    return Reply(blocks, again=f"/withdrawals {request_id} details")


async def _look(context: DeskContext, request_id: str, *, lines: bool = False) -> tuple[Look, ClientFile | None]:
    look = await context.services.withdrawals.look(context.person, request_id)
    return look, await _client_of(context, look.found, lines=lines)


async def _client_of(context: DeskContext, found: Withdrawal | None, *, lines: bool) -> ClientFile | None:
    """What is known of who asks; nothing when that cannot be read just now."""
    if found is None or not found.user_id:
        return None
    try:
        return await context.services.clients.file(context.person, found.user_id, lines=lines)
    except (NotFoundError, ProviderError):
        return None


def _text(context: DeskContext, look: Look, about: ClientFile | None) -> str:
    """On one page: what does not fit is under Details, and that is said."""
    first, *rest = pages.paged(render.card(look, about, context.services.clock.now(), taste_of(context)))
    return f"{first}\n\n<i>More under Details.</i>" if rest else first


def _body(look: Look) -> dict[str, Any]:
    """What a card remembers is what it shows; without that nothing can be decided from it."""
    shown = {"seen": msgspec.to_builtins(Seen.of(look.found))} if look.found is not None and look.may_decide else {}
    return {"request": look.known.request_id, **shown}


def _keys(context: DeskContext, card: Card, look: Look, version: int) -> InlineKeyboardMarkup:
    deciding = [[("Approve", APPROVE), ("Reject…", REJECT)]] if look.may_decide else []
    return keyboard(card, [*deciding, [("Details", DETAILS), ("Refresh", REFRESH)]], context.services.signer, version)


# a decision, made ready


async def _ask_reason(context: DeskContext, request_id: str, seen: dict[str, Any]) -> None:
    await context.services.linking.cancel(context.person)  # one thing is asked at a time
    await context.services.cards.save(Draft(context.person.id, REASON, {"request": request_id, "seen": seen}))
    await context.say(render.ask_reason(request_id, f"{seen['amount']} {seen['currency']}"), protected=True)


async def reason_given(context: DeskContext, draft: Draft, text: str, message_id: int) -> None:
    """The reason was typed. One that cannot be is told, and asked for again."""
    seen = msgspec.convert(draft.body["seen"], Seen)
    asked_in = f"m/{context.where.chat_id}/{message_id}"
    try:
        await _prepare(context, str(draft.body["request"]), Decision.REJECT, text, seen, asked_in)
    except (InputError, ProviderError):
        raise  # the question stands: another text, or the same one in a minute
    except CountersignError:
        await context.services.cards.drop(context.person.id)
        raise


async def _prepare(
    context: DeskContext, request_id: str, decision: Decision, reason: str, seen: Seen, asked_in: str
) -> None:
    async with context.typing(context.where.chat_id):
        ready = await context.services.withdrawals.prepare_decision(context.person, request_id, decision, reason, seen)
    await _hand_over(context, ready, asked_in)


async def _hand_over(context: DeskContext, ready: PreparedDecision, asked_in: str) -> None:
    """The last look before others are asked to sign it. `asked_in`: the tap or message it was asked in."""
    wish = Wish(Kind.WITHDRAWAL, ready.parameters, asked_in)
    await asking.offer(context, await context.services.money.planning.plan(context.person, ready.connection, wish))
