"""/beneficiaries: whom money may go to."""

from itertools import groupby

from bot.access.model import Right
from bot.errors import InputError
from bot.money import Currency
from bot.operations.beneficiaries import EXAMPLE, Beneficiary
from bot.providers.registry import PROVIDERS
from handlers import completing
from handlers.asked import asked_for
from handlers.context import DeskContext
from handlers.doors import Words, taste_of
from handlers.pages import Reply
from handlers.render import bold, literal

_REMOVE = "/beneficiaries remove Harbour Logistics"
_WHICH = (
    "The provider, the account, whose it is, and a currency if it is for one only. For example: "
    "<code>cryptocapital 9120007013 Harbour Logistics USD</code>"
)
_WHOM = "Who is to be taken out? The name as it stands in the book."


async def beneficiaries(context: DeskContext, words: Words) -> Reply | None:
    if not words:
        return await _shown(context)
    if completing.is_begun(words):
        question = _WHICH if words[0] == "add" else _WHOM
        await completing.ask(context, question, "beneficiaries", *words[:-1])
        return None
    match words[0].casefold():
        case "add":
            return await _add(context, words[1:])
        case "remove":
            return await _remove(context, words[1:])
        case _:
            raise InputError("behind it comes nothing, add or remove", EXAMPLE)


async def _shown(context: DeskContext) -> Reply:
    book = await context.services.money.beneficiaries.listed()
    if not book:
        empty = f"The book is empty: no transfer can be made.\nTo ask for an entry: <code>{EXAMPLE}</code>"
        return Reply([empty], offers=_offers(context)[:1])
    blocks = [bold("Beneficiaries")]
    for provider, entries in groupby(book, key=lambda one: one.provider):
        blocks.append("\n".join([bold(PROVIDERS[provider].title), *(_line(context, one) for one in entries)]))
    return Reply(blocks, offers=_offers(context))


def _offers(context: DeskContext) -> list[tuple[str, str]]:
    if not context.person.may(Right.ASK):
        return []
    enter = completing.offer("Enter one…", "/beneficiaries", "add")
    return [enter, completing.offer("Take one out…", "/beneficiaries", "remove")]


def _line(context: DeskContext, one: Beneficiary) -> str:
    """The whole number in private, its end among others."""
    number = one.account if context.where.is_private else f"…{one.account[-4:]}"
    only = f" · {one.currency} only" if one.currency is not None else ""
    is_new = one.usable_from > context.services.clock.now()
    since = f"\n    new: from {taste_of(context).date_time(one.usable_from)} on" if is_new else ""
    return f"{literal(one.name)} · <code>{literal(number)}</code>{only}{since}"


async def _add(context: DeskContext, words: Words) -> Reply:
    """`PROVIDER ACCOUNT NAME [CURRENCY]`."""
    if len(words) < 3:
        raise InputError("name the provider, the account and whose it is", EXAMPLE)
    provider, account, *name = words
    currency = name.pop() if len(name) > 1 and _is_currency(name[-1]) else None
    request = await context.services.money.beneficiaries.ask(
        context.person,
        provider.partition("/")[0],
        account,
        " ".join(name),
        currency,
        telegram_id=context.where.telegram_id,
        asked_in=f"m/{context.where.chat_id}/{context.message_id}",
    )
    return await asked_for(context, request)


def _is_currency(word: str) -> bool:
    try:
        return Currency.of(word).known and word.isupper()
    except ValueError:
        return False


async def _remove(context: DeskContext, words: Words) -> Reply:
    if not words:
        raise InputError("name whom to take out", _REMOVE)
    entry = await context.services.money.beneficiaries.remove(
        context.person, " ".join(words), telegram_id=context.where.telegram_id
    )
    return Reply([f"{literal(entry.name)} is taken out: nothing more goes there. Everybody who may freeze is told."])
