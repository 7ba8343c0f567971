"""The small words of a policy's document: durations, seats, circles, amounts, hours. What is wrong is noted."""

import re
from collections.abc import Collection, Sequence
from datetime import timedelta
from decimal import Decimal

from bot.access.model import Role
from bot.access.names import GROUP
from bot.approvals.model import Circle, Seat
from bot.approvals.policy.model import Act, Hours, Scope
from bot.config.reading import Partial
from bot.errors import InputError, Problem
from bot.logs import redact
from bot.money import Currency, Money
from bot.providers.records import Environment

SHORTEST_LIFE, LONGEST_LIFE = timedelta(minutes=5), timedelta(hours=24)
"""SAFETY M72."""
DAY, WEEK = timedelta(days=1), timedelta(days=7)
WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
MOST_SEATS = 20
_DURATION = re.compile(r"(0|[1-9][0-9]{0,5}[smhd])", re.ASCII)
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_SEAT = re.compile(r"(?:([1-9][0-9]?) of )?(\S+)", re.ASCII)
_HOURS = re.compile(r"([01][0-9]|2[0-3]):([0-5][0-9])-(?:([01][0-9]|2[0-3]):([0-5][0-9])|(24:00))", re.ASCII)
_PROVIDER = re.compile(r"[a-z0-9_]+", re.ASCII)
_CONNECTION = re.compile(r"([a-z0-9_]+)/\S.{0,63}", re.ASCII)
_NOTHING = Money(Decimal(0), Currency("USD"))


def duration(text: str) -> timedelta | None:
    """`30m`, `24h`, `2d`, `0` → how long; None for anything else."""
    if _DURATION.fullmatch(text) is None:
        return None
    return timedelta() if text == "0" else timedelta(seconds=int(text[:-1]) * _SECONDS[text[-1]])


def circle(text: str) -> Circle | None:
    """`role/approver`, `group/finance`; None for anything else."""
    kind, _, name = text.partition("/")
    roles = [role.value for role in Role]
    is_one = name in roles if kind == "role" else kind == "group" and name not in roles and GROUP.fullmatch(name)
    return text if is_one else None


def seat(text: str) -> Seat | None:
    """`2 of role/approver`, `group/finance`; None for anything else."""
    match = _SEAT.fullmatch(text)
    if match is None or circle(match[2]) is None:
        return None
    return Seat(match[2], int(match[1] or 1))


def hours(text: str) -> Hours | None:
    """`08:00-18:00`, `22:00-06:00`, `18:00-24:00`; None for anything else, and for no time at all."""
    match = _HOURS.fullmatch(text)
    if match is None:
        return None
    start = int(match[1]) * 60 + int(match[2])
    until = 24 * 60 if match[5] else int(match[3]) * 60 + int(match[4])
    return None if start == until else Hours(start, until)


class Words:
    """Reads the words of one document; a wrong one is noted, and something harmless stands in for it."""

    def __init__(self, problems: list[Problem], providers: Collection[str] | None) -> None:
        self._problems = problems
        self._providers = providers

    def wrong(self, path: str, found: str, expected: str) -> None:
        self._problems.append(Problem(path, found, expected))

    def few(self, path: str, items: Sequence[object], most: int) -> None:
        if len(items) > most:
            self.wrong(path, f"{len(items)} of them", f"at most {most}")

    def differ(self, path: str, names: Sequence[str]) -> None:
        twice = sorted({name for name in names if name and names.count(name) > 1})
        for name in twice:
            self.wrong(path, f"{_quoted(name)} more than once", "a name of its own for each")

    def name(self, path: str, text: str | None) -> str:
        if text is not None and not (1 <= len(text) <= 60 and text.isprintable() and text.strip() == text):
            self.wrong(path, _quoted(text), "1 to 60 printable characters")
        return text or ""

    def reason(self, path: str, text: str) -> str:
        if len(text) > 200 or not text.isprintable():
            self.wrong(path, _quoted(text), "at most 200 printable characters")
        return text

    def duration(
        self, path: str, text: str, least: timedelta = timedelta(), most: timedelta = timedelta.max
    ) -> timedelta:
        found = duration(text)
        if found is None or not least <= found <= most:
            self.wrong(path, _quoted(text), f"{_length(least)} to {_length(most)}, written as 30m, 24h or 2d")
            return max(least, timedelta())
        return found

    def circle(self, path: str, text: str) -> Circle:
        if circle(text) is None:
            self.wrong(path, _quoted(text), "role/… or group/…, such as role/approver or group/finance")
        return text

    def seats(self, path: str, texts: Sequence[str | None]) -> tuple[Seat, ...]:
        found = []
        for number, text in enumerate(texts):
            one = None if text is None else seat(text)
            if one is not None:
                found.append(one)
            elif text is not None:
                self.wrong(f"{path}[{number}]", _quoted(text), "such as 2 of role/approver or 1 of group/finance")
        if sum(one.count for one in found) > MOST_SEATS:
            self.wrong(path, f"{sum(one.count for one in found)} people", f"at most {MOST_SEATS}")
        return tuple(found)

    def money(self, path: str, amount: str | int | None, code: str | None) -> Money:
        """A limit's amount, in its currency."""
        currency = None if code is None else self._currency(f"{path}.currency", code)
        if amount is None or currency is None:
            return _NOTHING
        return self._amount(f"{path}.amount", amount, currency) or _NOTHING

    def scope(self, path: str, said: Partial) -> Scope:
        """The conditions of a rule or a limit; those that a limit does not have are taken as not given."""
        codes = [code for code in getattr(said, "currencies", []) if code is not None]
        currencies = [self._currency(f"{path}.currencies", code) for code in codes]
        at_least, below = (
            self._edge(f"{path}.{edge}", getattr(said, edge, None), currencies) for edge in ("at_least", "below")
        )
        if at_least is not None and below is not None and below <= at_least:
            self.wrong(path, f"at_least {at_least} and below {below}", "a band with something in it")
        scope = Scope(
            acts=frozenset(Act(one) for one in said.acts if one is not None),
            providers=frozenset(self._provider(f"{path}.providers", one) for one in said.providers if one is not None),
            environments=frozenset(Environment(one) for one in said.environments if one is not None),
            connections=frozenset(self._connection(path, one) for one in said.connections if one is not None),
            sources=self._texts(f"{path}.sources", said.sources),
            beneficiaries=self._texts(f"{path}.beneficiaries", said.beneficiaries),
            currencies=frozenset(currency.code for currency in currencies if currency is not None),
            at_least=at_least,
            below=below,
            hours=self._hours(f"{path}.hours", getattr(said, "hours", None)),
            weekdays=frozenset(WEEKDAYS.index(one) for one in said.weekdays if one is not None),
            requesters=frozenset(self.circle(f"{path}.requesters", one) for one in said.requesters if one is not None),
        )
        reached = {one.partition("/")[0] for one in scope.connections if "/" in one}
        if reached and scope.providers and reached.isdisjoint(scope.providers):
            self.wrong(f"{path}.connections", "none of the providers named beside them", "connections of those")
        return scope

    def _provider(self, path: str, name: str) -> str:
        if self._providers is not None and name not in self._providers:
            self.wrong(path, _quoted(name), f"one of {', '.join(self._providers)}")
        elif _PROVIDER.fullmatch(name) is None:
            self.wrong(path, _quoted(name), "a provider's name")
        return name

    def _connection(self, path: str, text: str) -> str:
        match = _CONNECTION.fullmatch(text)
        if match is None or not text.isprintable():
            self.wrong(f"{path}.connections", _quoted(text), "provider/label, such as cryptocapital/main")
        else:
            self._provider(f"{path}.connections", match[1])
        return text

    def _texts(self, path: str, texts: Sequence[str | None]) -> frozenset[str]:
        for text in texts:
            if text is not None and not (1 <= len(text) <= 200 and text.isprintable()):
                self.wrong(path, _quoted(text), "1 to 200 printable characters")
        return frozenset(text for text in texts if text is not None)

    def _hours(self, path: str, text: str | None) -> Hours | None:
        found = None if text is None else hours(text)
        if text is not None and found is None:
            self.wrong(path, _quoted(text), "such as 08:00-18:00, or 22:00-06:00 over midnight")
        return found

    def _currency(self, path: str, code: str) -> Currency | None:
        try:
            currency = Currency(code)
        except ValueError:
            currency = None
        if currency is None or not currency.known:
            self.wrong(path, _quoted(code), "a currency this desk can move, such as USD")
            return None
        return currency

    def _edge(self, path: str, said: str | int | None, currencies: Sequence[Currency | None]) -> Decimal | None:
        """One end of a band: an amount in every currency beside it."""
        if said is None:
            return None
        if not currencies:
            self.wrong(path, _quoted(str(said)), "currencies beside it: a number alone is no amount")
        read = [self._amount(path, said, currency) for currency in currencies if currency is not None]
        return next((one.amount for one in read if one is not None), None)

    def _amount(self, path: str, said: str | int, currency: Currency) -> Money | None:
        try:
            return Money.parse(str(said), currency)
        except InputError as error:
            self.wrong(path, _quoted(str(said)), f"{error.reason}, such as {error.example}")
            return None


def _quoted(text: str) -> str:
    shown = redact(repr(text))
    return shown if len(shown) <= 60 else shown[:57] + "…"


def _length(span: timedelta) -> str:
    seconds = int(span.total_seconds())
    for unit, size in (("d", 86400), ("h", 3600), ("m", 60)):
        if seconds and seconds % size == 0:
            return f"{seconds // size}{unit}"
    return str(seconds)
