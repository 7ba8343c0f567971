"""/wallet and /mt: what a client of the CRM holds. What changes it is in `bookings`."""

from collections import Counter
from collections.abc import Iterable

from bot.access.model import Right
from bot.errors import InputError
from handlers import bookings, completing
from handlers.completing import is_a_word
from handlers.context import DeskContext
from handlers.doors import Words, at_most_one, taste_of
from handlers.pages import Reply
from handlers.render import crm as render
from handlers.render import visible

_MOST_BUTTONS, _LABEL = 9, 30
_MT = "/mt conn0001/500123"
_WHOSE = "Whose wallets? An id, a name or an e-mail address, for example: u7h2k9d0"
_HOW_MUCH = "How much, and what for? For example: 250.00 USD for bonus"


async def wallet(context: DeskContext, words: Words) -> Reply | None:
    """The wallets and bank cards of the one client that fits; several to choose from."""
    if completing.is_begun(words):
        await completing.ask(context, _HOW_MUCH, "wallet", *words[:-1])
        return None
    if await bookings.wallet(context, words):
        return None
    if not words:
        await completing.ask(context, _WHOSE, "wallet")
        return None
    hits = await context.services.clients.search(context.person, " ".join(words))
    if len(hits.clients) != 1:
        several = [(one.name or one.id, one.id) for one in hits.clients]
        return Reply(render.found(hits), offers=_each("/wallet", several))
    (client,) = hits.clients
    holds = await context.services.clients.holdings(context.person, client.id)
    line = f"/wallet {client.id}"
    offers = _bookings(context, line) if is_a_word(client.id) else []
    return Reply(render.holdings(client, holds, taste_of(context)), again=line, offers=offers)


def _each(command: str, several: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    """A button for the first ones: what it is called, and what the command calls it."""
    named = [(visible(label.strip(), _LABEL), f"{command} {word}") for label, word in several if is_a_word(word)]
    return named[:_MOST_BUTTONS]


def _bookings(context: DeskContext, line: str) -> list[tuple[str, str]]:
    """What this person may ask for here."""
    if not context.person.may(Right.ASK):
        return []
    return [completing.offer("Deposit…", line, "deposit"), completing.offer("Withdraw…", line, "withdraw")]


async def mt(context: DeskContext, words: Words) -> Reply | None:
    """Every trading account, or one with its last trades."""
    if completing.is_begun(words):
        await completing.ask(context, _HOW_MUCH, "mt", *words[:-1])
        return None
    if await bookings.trading(context, words):
        return None
    place = at_most_one(words, _MT)
    taste = taste_of(context)
    if place is None:
        found_ones = await context.services.clients.trading(context.person)
        logins = Counter(one.row.login for one in found_ones.accounts)
        called = [one.place if logins[one.row.login] > 1 else str(one.row.login) for one in found_ones.accounts]
        named = [f"{place} {one.row.owner}" for place, one in zip(called, found_ones.accounts, strict=True)]
        offers = _each("/mt", zip(named, (one.place for one in found_ones.accounts), strict=True))
        return Reply(render.trading(found_ones, taste), again="/mt", offers=offers)
    server, _, login = place.rpartition("/")
    if not (server and login.isdecimal()):
        raise InputError("a server and a login", _MT)
    found = await context.services.clients.account(context.person, server, login)
    return Reply(render.account(found, taste), again=f"/mt {place}", offers=_bookings(context, f"/mt {place}"))
