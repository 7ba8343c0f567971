"""The book of beneficiaries: money goes to listed destinations only.

A new one is a request of its own, and waits before it can be used; taking one out is anybody's who may freeze.
"""

from dataclasses import dataclass
from datetime import datetime

from bot.errors import ConflictError, NotFoundError
from bot.money import Currency
from bot.store import Tables
from bot.store.columns import moment


@dataclass(frozen=True, slots=True)
class Beneficiary:
    """One listed destination."""

    id: int
    provider: str
    account: str
    name: str
    currency: Currency | None
    """The only one that goes there; None for any."""
    usable_from: datetime


def listed(tables: Tables, provider: str | None = None) -> list[Beneficiary]:
    """Everybody in the book, by provider and name."""
    rows = tables.conn.execute(
        "SELECT id, provider, account, name, currency, usable_from FROM beneficiaries"
        " WHERE removed_at IS NULL AND provider = coalesce(?, provider) ORDER BY provider, name",
        (provider,),
    ).fetchall()
    return [
        Beneficiary(number, of, account, name, Currency(currency) if currency else None, moment(since))
        for number, of, account, name, currency, since in rows
    ]


def check(tables: Tables, provider: str, name: str, account: str, now: datetime) -> Beneficiary:
    """The entry, when money may go there.

    Raises:
        NotFoundError: Not in the book; `known` lists who is.
        ConflictError: In the book with another account; or it is too early.
    """
    book = listed(tables, provider)
    found = next((one for one in book if one.name.casefold() == name.casefold()), None)
    if found is None:
        raise NotFoundError("beneficiary", name, tuple(one.name for one in book))
    if found.account != account:
        raise ConflictError(f"{found.name} is listed with another account")
    if found.usable_from > now:
        raise ConflictError(f"{found.name} is new: money may go there from {found.usable_from:%Y-%m-%d %H:%M} UTC on")
    return found
