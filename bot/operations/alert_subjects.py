"""Which of a provider's markets, accounts and positions go by the words of an alert's sentence."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Final

from bot.alerts.model import Measure, Occasion, Test
from bot.alerts.screening import of_balance, of_position
from bot.alerts.sentences import Sentence
from bot.alerts.subjects import ALL
from bot.providers.base import Provider
from bot.providers.markets import KeepsOrders, TellsPrices
from bot.providers.records import Balance

MOST_OFFERED: Final = 6
_OF_ACCOUNTS = (Measure.BALANCE, Measure.FREE_MARGIN, Measure.MARGIN_LEVEL, Measure.MARGIN_DISTANCE)
OF_POSITIONS = (Occasion.FILLED, Occasion.OPENED, Occasion.CLOSED, Occasion.STOPPED)
OF_LINES = (Occasion.MONEY_IN, Occasion.MONEY_OUT)


@dataclass(frozen=True, slots=True)
class Named:
    """Something that a rule could look at, and how it stands."""

    subject: str
    name: str = ""
    currency: str = ""
    now: Decimal | None = None


async def called(provider: Provider, said: Sentence, rest: tuple[str, ...]) -> tuple[Sentence, list[Named]]:
    """What it has that goes by these words, and the sentence as it can be meant there."""
    if said.what is Measure.PRICE:
        return said, await _markets(provider, " ".join(rest))
    if said.what in _OF_ACCOUNTS:
        return said, await _accounts(provider, said, rest)
    if said.what in OF_LINES:
        return said, await _receiving(provider, said, rest)
    if said.what in OF_POSITIONS:
        return said, await _dealt(provider, said, rest)
    found = await _positions(provider, said, rest)
    if not found and said.what is Measure.LIQUIDATION_DISTANCE:
        said = replace(said, what=Measure.MARGIN_DISTANCE)  # it does not tell at which price it closes
        found = await _accounts(provider, said, rest)
    return said, found


async def _markets(provider: Provider, text: str) -> list[Named]:
    if not isinstance(provider, TellsPrices):
        return []
    reading = await provider.find_markets(text, most=MOST_OFFERED)
    return [
        Named(one.symbol, one.name if one.name != one.symbol else "", now=one.quote.mid if one.quote else None)
        for one in reading.items
    ]


async def _accounts(provider: Provider, said: Sentence, rest: tuple[str, ...]) -> list[Named]:
    """Those of that currency, or that are called so."""
    found = []
    for balance in _named((await provider.balances()).items, rest):
        measures = of_balance(balance)
        currency = balance.amount.currency.code
        is_meant = said.currency in ("", currency)
        if is_meant and isinstance(said.what, Measure) and (said.what in measures or said.test is Test.CHANGES):
            of = "" if said.what.is_percent else currency
            found.append(Named(f"{balance.account} {currency}", balance.name, of, measures.get(said.what)))
    return found


def _named(balances: Sequence[Balance], rest: tuple[str, ...]) -> Sequence[Balance]:
    """Those that are called so; if none is, those whose name begins so."""
    words = " ".join(rest).casefold()
    if not words:
        return balances
    called = [one for one in balances if words in _names(one)]
    return called or [one for one in balances if one.name.casefold().startswith(words)]


def _names(balance: Balance) -> tuple[str, ...]:
    return balance.account.casefold(), balance.name.casefold(), balance.owner.casefold()


async def _receiving(provider: Provider, said: Sentence, rest: tuple[str, ...]) -> list[Named]:
    """The accounts that are called so; a statement names them by their numbers."""
    balances = (await provider.balances()).items
    names = {one.account: one.name for one in _named(balances, rest) if said.currency in ("", one.amount.currency.code)}
    return [Named(account, name) for account, name in names.items()]


async def _dealt(provider: Provider, said: Sentence, rest: tuple[str, ...]) -> list[Named]:
    """One position or order by its number, or those of a market; whether any is open there or not."""
    words = " ".join(rest).casefold()
    if said.what is Occasion.FILLED and isinstance(provider, KeepsOrders):
        for order in (await provider.orders()).items:
            if words == order.id.casefold():
                return [Named(order.id, order.name)]
    for position in (await provider.positions()).items:
        if words == position.id.casefold() and said.what not in (Occasion.FILLED, Occasion.OPENED):
            return [Named(position.id, position.name)]
        if words in (position.symbol.casefold(), position.name.casefold()):
            return [Named(position.symbol, position.name)]
    return [replace(market, now=None) for market in await _markets(provider, " ".join(rest))]


async def _positions(provider: Provider, said: Sentence, rest: tuple[str, ...]) -> list[Named]:
    """One position by its number, all of a market, or all there are."""
    words = " ".join(rest).casefold()
    found: dict[str, Named] = {}
    for position in (await provider.positions()).items:
        numbers = of_position(position)
        currency = position.profit.currency.code if position.profit is not None and said.what is Measure.PROFIT else ""
        if said.currency not in ("", currency) or not isinstance(said.what, Measure):
            continue
        if said.what is Measure.LIQUIDATION_DISTANCE and said.what not in numbers:
            continue
        if words and words == position.id.casefold():
            return [Named(position.id, position.name, currency, numbers.get(said.what))]
        if words in (position.symbol.casefold(), position.name.casefold()) or not words:
            subject = position.symbol if words else ALL if currency else ""
            subject = f"{subject} {currency}" if currency else subject
            found.setdefault(subject, Named(subject, position.name if words else "all positions", currency))
    return list(found.values())
