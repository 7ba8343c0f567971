"""One withdrawal a client asked for, as this desk knows it, and choosing among many. Rows in, records out."""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Any

from bot.errors import InputError
from bot.money import Money
from bot.store import Tables
from bot.store.columns import moment, money

EXAMPLE = "/withdrawals client Ines over 100 older 2h by amount"
PENDING, ALL = "pending", "all"
STATES = (PENDING, ALL, "approved", "rejected")
_NUMBER = re.compile(r"[0-9]{1,12}(\.[0-9]{1,8})?", re.ASCII)
_SPAN = re.compile(r"([0-9]{1,4})([mhd])", re.ASCII)
_UNITS = {"m": timedelta(minutes=1), "h": timedelta(hours=1), "d": timedelta(days=1)}


class Source(StrEnum):
    """How this desk came to know of a request."""

    WEBHOOK = "webhook"
    OPERATOR = "operator"
    REPORT = "report"


class Order(StrEnum):
    """What comes first."""

    AGE = "age"
    AMOUNT = "amount"


@dataclass(frozen=True, slots=True)
class Known:
    """One request on the list. What is None has not been read yet."""

    request_id: str
    source: Source
    noticed_at: datetime
    confirmed_at: datetime | None
    is_read: bool
    """Confirmed by reading; otherwise a webhook's word is all there is."""
    trouble: str
    status: str | None
    node: int
    account: str
    amount: Money | None
    method: str
    client: str
    asked_at: datetime | None

    @property
    def since(self) -> datetime:
        """When it was asked, or else when we heard of it."""
        return self.asked_at or self.noticed_at

    @property
    def waits(self) -> bool:
        """Pending, or not read by anybody yet."""
        return self.status in (None, PENDING)


@dataclass(frozen=True, slots=True)
class Selection:
    """Which requests, and in which order. What is None or empty lets every one pass."""

    state: str = PENDING
    client: str = ""
    """A part of the client's name, or of the account it comes from."""
    method: str = ""
    source: Source | None = None
    node: int | None = None
    currency: str = ""
    least: Decimal | None = None
    most: Decimal | None = None
    older_than: timedelta | None = None
    order: Order = Order.AGE

    @property
    def narrows(self) -> bool:
        """Whether it asks for more than a state."""
        return replace(self, state=PENDING, order=Order.AGE) != Selection()

    def of(self, known: Iterable[Known], now: datetime) -> list[Known]:
        """Those that fit. The largest first only within a currency: amounts of two do not compare."""
        fitting = [one for one in known if self._fits(one, now)]
        match self.order:
            case Order.AGE:
                return sorted(fitting, key=_oldest_first)
            case Order.AMOUNT:
                return sorted(fitting, key=_largest_first)

    def _fits(self, one: Known, now: datetime) -> bool:
        return (
            (one.waits if self.state == PENDING else self.state in (ALL, one.status))
            and any(self.client.casefold() in text.casefold() for text in (one.client, one.account))
            and self.method.casefold() in one.method.casefold()
            and self.source in (None, one.source)
            and self.node in (None, one.node)
            and (not self.currency or (one.amount is not None and one.amount.currency.code == self.currency))
            and (self.least is None or (one.amount is not None and one.amount.amount >= self.least))
            and (self.most is None or (one.amount is not None and one.amount.amount <= self.most))
            and (self.older_than is None or now - one.since >= self.older_than)
        )

    def words(self) -> str:
        """As a person would type it; empty for what waits, oldest first."""
        said = {
            "client": self.client,
            "method": self.method,
            "source": self.source.value if self.source else "",
            "node": "" if self.node is None else str(self.node),
            "in": self.currency,
            "over": "" if self.least is None else f"{self.least:f}",
            "under": "" if self.most is None else f"{self.most:f}",
            "older": "" if self.older_than is None else _span(self.older_than),
            "by": "" if self.order is Order.AGE else self.order.value,
        }
        state = [] if self.state == PENDING else [self.state]
        return " ".join([*state, *(f"{key} {text}" for key, text in said.items() if text)])


def is_word(word: str) -> bool:
    """Whether it begins a filter, and so cannot be a request's id."""
    return word.lower() in (*STATES, *_KEYS)


def parse(words: Sequence[str]) -> Selection:
    """`[all] client Ines Example over 100 older 2h by amount`: a key, then its words up to the next key.

    Raises:
        InputError: Something of it is neither.
    """
    found, left = Selection(), list(words)
    if left and left[0].lower() in STATES:
        found = replace(found, state=left.pop(0).lower())
    while left:
        key, values = left.pop(0).lower(), []
        while left and left[0].lower() not in _KEYS:
            values.append(left.pop(0))
        if key not in _KEYS or not values:
            raise InputError(f"a filter is one of {', '.join(_KEYS)}, then what it asks for", EXAMPLE)
        found = replace(found, **_KEYS[key](" ".join(values)))
    return found


def _a_source(text: str) -> Mapping[str, Any]:
    try:
        return {"source": Source(text.lower())}
    except ValueError:
        raise InputError(f"a source is one of {', '.join(Source)}", "/withdrawals source webhook") from None


def _a_node(text: str) -> Mapping[str, Any]:
    if not re.fullmatch(r"[0-9]{1,2}", text, re.ASCII):
        raise InputError("a node is a number", "/withdrawals node 2")
    return {"node": int(text)}


def _a_currency(text: str) -> Mapping[str, Any]:
    if not re.fullmatch(r"[A-Za-z0-9]{2,12}", text, re.ASCII):
        raise InputError("a currency is its code", "/withdrawals in USD")
    return {"currency": text.upper()}


def _a_bound(name: str) -> Callable[[str], Mapping[str, Any]]:
    def bound(text: str) -> Mapping[str, Any]:
        if not _NUMBER.fullmatch(text):
            raise InputError("an amount is plain digits with at most one point", "/withdrawals over 100 under 2500.50")
        return {name: Decimal(text)}

    return bound


def _an_age(text: str) -> Mapping[str, Any]:
    found = _SPAN.fullmatch(text.lower().replace(" ", ""))
    if found is None:
        raise InputError("an age is a number of m, h or d", "/withdrawals older 2h")
    return {"older_than": int(found[1]) * _UNITS[found[2]]}


def _an_order(text: str) -> Mapping[str, Any]:
    try:
        return {"order": Order(text.lower())}
    except ValueError:
        raise InputError(f"they are sorted by {' or '.join(Order)}", "/withdrawals by amount") from None


_KEYS: Mapping[str, Callable[[str], Mapping[str, Any]]] = {
    "client": lambda text: {"client": text},
    "method": lambda text: {"method": text},
    "source": _a_source,
    "node": _a_node,
    "in": _a_currency,
    "over": _a_bound("least"),
    "under": _a_bound("most"),
    "older": _an_age,
    "by": _an_order,
}


def read_all(tables: Tables) -> list[Known]:
    """The whole list, oldest first."""
    rows = tables.conn.execute(
        "SELECT request_id, source, noticed_at, confirmed_at, is_read, trouble, status, node, account, amount,"
        " currency, method, client, asked_at FROM crm_withdrawals"
    ).fetchall()
    return sorted(map(_known, rows), key=_oldest_first)


def _known(row: tuple[Any, ...]) -> Known:
    request_id, source, noticed_at, confirmed_at, is_read, trouble, status, node, account, amount, code, *rest = row
    method, client, asked_at = rest
    return Known(
        request_id,
        Source(source),
        moment(noticed_at),
        None if confirmed_at is None else moment(confirmed_at),
        bool(is_read),
        trouble,
        status,
        node or 0,
        account or "",
        None if amount is None else money(amount, code),
        method or "",
        client or "",
        None if asked_at is None else moment(asked_at),
    )


def _oldest_first(one: Known) -> tuple[datetime, datetime, str]:
    return one.since, one.noticed_at, one.request_id  # the CRM knows whole seconds only


def _largest_first(one: Known) -> tuple[bool, str, Decimal, datetime]:
    if one.amount is None:
        return True, "", Decimal(0), one.since
    return False, one.amount.currency.code, -one.amount.amount, one.since


def _span(age: timedelta) -> str:
    for letter in ("d", "h"):
        if age % _UNITS[letter] == timedelta():
            return f"{age // _UNITS[letter]}{letter}"
    return f"{age // _UNITS['m']}m"
