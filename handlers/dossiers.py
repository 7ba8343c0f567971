"""/request: everything about one, with the buttons that its cards have. /history: those there were, and as a file."""

import hashlib
import re
from dataclasses import replace
from typing import Any, Final

import msgspec
from telegram import InlineKeyboardMarkup, InputFile

from bot.approvals.model import Kind, State
from bot.approvals.prompting import APPROVE, DENY
from bot.clock import from_millis, to_millis
from bot.errors import InputError, NumberMissedError, NumberWrongError
from bot.messages.cards import Card
from bot.operations.dossiers import PAGE, Dossier, Found, Search
from handlers import choosing, pages, requests
from handlers.buttons import keyboard
from handlers.context import DeskContext
from handlers.doors import Words, taste_of
from handlers.pages import Reply, privately
from handlers.render import dossiers as render

VIEW: Final = "request/view"
LIST: Final = "history"
WITHDRAW, REFRESH = 3, 4
NEWER, OLDER, AS_CSV = 0, 1, 2
_ID = re.compile(r"[a-z2-9]{10}", re.ASCII)
_DAY = re.compile(r"today|yesterday|[0-9]{4}-[0-9]{2}-[0-9]{2}", re.ASCII)


def id_in(words: Words, example: str) -> str:
    """The request's id, which is the first word. `InputError` for anything else."""
    if not words or not _ID.fullmatch(words[0].lower()):
        raise InputError("name the request by its id, ten letters and digits; /pending shows those that wait", example)
    return words[0].lower()


async def request(context: DeskContext, words: Words) -> Reply | None:
    if not words:
        return await newest(context, "/request")
    if len(words) > 1:
        raise InputError("one request at a time", "/request abcdefghij")
    await show(context, id_in(words, "/request abcdefghij"))
    return None


async def newest(context: DeskContext, command: str) -> Reply:
    """The newest that this person may see, each with a button for its line; /history finds the others."""
    found = await context.services.dossiers.page(context.person, Search())
    if not found.rows:
        return Reply(["There is no request yet that you may see."])
    return choosing.which(context, found.rows, "Which one? /history finds older ones.", command)


async def show(context: DeskContext, request_id: str) -> None:
    """Everything about one, privately."""
    about = await context.services.dossiers.one(context.person, request_id)

    async def say(chat_id: int) -> None:
        text = _text(context, about)
        card = await context.services.cards.make(VIEW, context.person.id, chat_id, _body(about, text))
        keys = keyboard(card, _rows(context, about), context.services.signer)
        await context.say(text, chat_id=chat_id, keyboard=keys, protected=True)

    await privately(context, say)


def _text(context: DeskContext, about: Dossier) -> str:
    lines = context.services.approvals.lines(about.request)
    first, *rest = pages.paged(render.request(about, lines, taste_of(context)))
    return f"{first}\n\n<i>There is more than fits here.</i>" if rest else first


def _body(about: Dossier, text: str) -> dict[str, Any]:
    shown = hashlib.sha256(text.encode()).hexdigest()
    return {"request": about.request.id, "hash": about.request.hash, "shown": shown}


def _rows(context: DeskContext, about: Dossier) -> list[list[tuple[str, int]]]:
    one, person = about.request, context.person
    rows: list[list[tuple[str, int]]] = []
    if person.id in about.could_deny:
        approving = [("Approve", APPROVE)] if person.id in about.could_approve else []
        rows.append([*approving, ("Deny", DENY)])
    if person.id in {each.id for each in about.could_stop}:
        rows.append([("Call it off", WITHDRAW)] if one.state is State.HELD else [("Deny", DENY)])
    if one.asked_by == person.id and one.state in (State.PENDING, State.APPROVED, State.HELD):
        rows.append([("Withdraw it", WITHDRAW)])
    return [*rows, [("Refresh", REFRESH)]]


async def viewed(context: DeskContext, card: Card, choice: int, message_id: int) -> str | None:
    """A tap under a request. What was decided shows in place."""
    said = None
    if choice == WITHDRAW:
        await requests.withdrawn(context, card, choice, message_id)
    elif choice != REFRESH:
        try:
            said = await requests.decided(context, card, choice, message_id)
        except (NumberWrongError, NumberMissedError):
            await _redraw(context, card, message_id)
            raise
        if said is not None:
            return said
    await _redraw(context, card, message_id)
    return None


async def _redraw(context: DeskContext, card: Card, message_id: int) -> None:
    about = await context.services.dossiers.one(context.person, str(card.body["request"]))
    text = _text(context, about)
    if not await context.services.cards.advance(card, _body(about, text)):
        return  # a second tap: the first one was taken
    keys = keyboard(card, _rows(context, about), context.services.signer, card.version + 1)
    await context.redraw(message_id, text, keys)


# those there were


async def history(context: DeskContext, words: Words) -> None:
    services = context.services
    days = [word for word in words if _DAY.fullmatch(word.lower())]
    people = [profile.person for profile in await services.access.everybody()]
    search = services.dossiers.searched([word for word in words if word not in days[:1]], people)
    if days:
        since, until = services.auditing.day(days[0].lower())
        search = replace(search, since=since, until=until)
    elif search.until is None:
        search = replace(search, until=services.clock.now())  # a page stays the same while new ones come
    found = await services.dossiers.page(context.person, search)

    async def say(chat_id: int) -> None:
        card = await services.cards.make(LIST, context.person.id, chat_id, _listed(search, found))
        text = _page(context, found, is_all=not words)
        await context.say(text, chat_id=chat_id, keyboard=_turning(context, card, found, 0), protected=True)

    await privately(context, say)


def _page(context: DeskContext, found: Found, *, is_all: bool = False) -> str:
    said = {one.id: context.services.approvals.lines(one) for one in found.rows}
    return pages.paged([render.history(found, said, taste_of(context), is_all=is_all)])[0]


def _listed(search: Search, found: Found) -> dict[str, Any]:
    body = msgspec.to_builtins(search)
    moments = {name: to_millis(moment) for name in ("since", "until") if (moment := getattr(search, name)) is not None}
    return {"search": {**body, "since": None, "until": None, **moments}, "first": found.first}


def _search(body: dict[str, Any]) -> Search:
    moments = {name: from_millis(body[name]) if body[name] is not None else None for name in ("since", "until")}
    return Search(
        Kind(body["kind"]) if body["kind"] else None,
        State(body["state"]) if body["state"] else None,
        body["person_id"],
        moments["since"],
        moments["until"],
        body["text"],
    )


def _turning(context: DeskContext, card: Card, found: Found, ahead: int) -> InlineKeyboardMarkup | None:
    if not found.there_are:
        return None
    row = [("‹ Newer", NEWER)] if found.first else []
    row += [("Older ›", OLDER)] if render.has_more(found) else []
    rows = [each for each in (row, [("CSV file", AS_CSV)]) if each]
    return keyboard(card, rows, context.services.signer, card.version + ahead)


async def turned(context: DeskContext, card: Card, choice: int, message_id: int) -> str | None:
    """Turn the page in place, or send all of it as a file."""
    services, search = context.services, _search(card.body["search"])
    if choice == AS_CSV:
        await _send_file(context, card, search)
        return None
    first = max(0, int(card.body["first"]) + (PAGE if choice == OLDER else -PAGE))
    found = await services.dossiers.page(context.person, search, first)
    if not found.rows:
        return "That was the last page."
    if not await services.cards.advance(card, _listed(search, found)):
        return None  # a second tap: the first one was taken
    await context.redraw(message_id, _page(context, found), _turning(context, card, found, 1))
    return None


async def _send_file(context: DeskContext, card: Card, search: Search) -> None:
    file = await context.services.dossiers.export(context.person, search, telegram_id=context.where.telegram_id)
    caption = f"{file.rows:,} request{'' if file.rows == 1 else 's'}"
    await context.bot.send_document(
        card.chat_id, InputFile(file.content, file.name), caption=caption, protect_content=True
    )
