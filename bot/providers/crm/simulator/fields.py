"""Reading what a caller sent, and refusing it in the vendor's words.

Errors have the one documented shape `{"error": true, "code": <status>, "type": <type>}`. A missing or malformed field
has no documented type; here it is `invalid_request`.
"""

import re
from calendar import monthrange
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal

from bot.network.strictjson import Json

ID_LENGTH = 8
MAX_LIMIT = 500
_AMOUNT = re.compile(r"[0-9]{1,12}(\.[0-9]{1,8})?")  # decimal(20,8)
_EMAIL = re.compile(r"[^@\s]+@[^@\s]+")
_WHOLE = re.compile(r"[0-9]{1,9}")
_MILLIS = re.compile(r"[0-9]{10,14}")
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


class RefusedError(Exception):
    """The tenant says no: one of the vendor's error types with its HTTP status."""

    def __init__(self, type_: str, status: int = 400) -> None:
        super().__init__(type_)
        self.type = type_
        self.status = status

    def as_json(self) -> dict[str, object]:
        return {"error": True, "code": self.status, "type": self.type}


def invalid() -> RefusedError:
    return RefusedError("invalid_request")


@dataclass(frozen=True, slots=True)
class Fields:
    """The named values of one request: a JSON body, or a query in which every value is text."""

    values: Mapping[str, Json]
    from_query: bool = False

    def has(self, name: str) -> bool:
        return self.values.get(name) is not None

    def text(self, name: str, *, length: int | None = None, most: int = 4096) -> str:
        """A mandatory, non-empty text; exactly `length` or at most `most` characters."""
        value = self.values.get(name)
        if not isinstance(value, str) or not value or len(value) > most or length not in (None, len(value)):
            raise invalid()
        return value

    def optional_text(self, name: str, *, length: int | None = None, most: int = 4096) -> str | None:
        """As `text`, but absent, null or empty is none."""
        return None if self.values.get(name) in (None, "") else self.text(name, length=length, most=most)

    def flag(self, name: str) -> bool:
        """An optional boolean, false when absent."""
        value = self.values.get(name)
        if self.from_query and isinstance(value, str):
            value = {"true": True, "1": True, "false": False, "0": False}.get(value)
        elif value is None:
            return False
        if not isinstance(value, bool):
            raise invalid()
        return value

    def boolean(self, name: str) -> bool:
        """A mandatory boolean."""
        if not self.has(name):
            raise invalid()
        return self.flag(name)

    def email(self, name: str = "email") -> str:
        """A mandatory address of the shape `a@b`."""
        value = self.text(name, most=254)
        if not _EMAIL.fullmatch(value):
            raise invalid()
        return value

    def part(self, name: str) -> "Fields":
        """An optional object; nothing is known of an absent one."""
        value = self.values.get(name)
        if value is None:
            return Fields({})
        if not isinstance(value, Mapping):
            raise invalid()
        return Fields(value)

    def phone(self) -> tuple[str, str]:
        """The optional `phone`: country code and number, empty where absent."""
        given = self.part("phone")
        return given.optional_text("country_code", most=5) or "", given.optional_text("number", most=20) or ""

    def new_password(self) -> str:
        """`password` and the same again as `repeat_password`."""
        password = self.text("password", most=64)
        if self.text("repeat_password", most=64) != password:
            raise invalid()
        return password

    def whole(self, name: str, *, default: int | None = None, most: int = 10**9) -> int:
        """A number of 0 or more; mandatory unless it has a default."""
        value = self.values.get(name)
        if value is None and default is not None:
            return default
        if self.from_query and isinstance(value, str) and _WHOLE.fullmatch(value):
            value = int(value)
        if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= most:
            raise invalid()
        return value

    def page(self, skip: int | None = None, limit: int | None = None) -> tuple[int, int]:
        """`skip` and `limit`; the arguments are their defaults, none makes them mandatory."""
        return self.whole("skip", default=skip), self.whole("limit", default=limit, most=MAX_LIMIT)

    def number(self, name: str) -> Decimal:
        """A JSON number other than zero within decimal(20,8), of either sign; a text is refused."""
        value = self.values.get(name)
        if isinstance(value, bool) or not isinstance(value, int | Decimal):
            raise invalid()
        amount = Decimal(value)
        if amount == 0 or not _AMOUNT.fullmatch(f"{abs(amount.normalize()):f}"):
            raise invalid()
        return amount

    def amount(self, name: str) -> Decimal:
        """A positive decimal(20,8) written as text; a JSON number is refused."""
        value = self.values.get(name)
        if not isinstance(value, str) or not _AMOUNT.fullmatch(value) or Decimal(value) == 0:
            raise invalid()
        return Decimal(value)

    def texts(self, name: str) -> tuple[str, ...]:
        """An optional array of texts."""
        value = self.values.get(name)
        if value is None:
            return ()
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            raise invalid()
        return tuple(str(item) for item in value)

    def months(self) -> tuple[datetime, datetime]:
        """Mandatory `start` and `end`, both inclusive and at most three calendar months apart."""
        start, end = self._moment("start", closing=False), self._moment("end", closing=True)
        if end < start or end.date() > _three_months_after(start.date()):
            raise invalid()
        return start, end

    def _moment(self, name: str, *, closing: bool) -> datetime:
        value = self.values.get(name)
        try:
            return _read_moment(value, closing=closing)
        except (ValueError, OverflowError, OSError):
            raise invalid() from None


def writable(value: Json) -> bool:
    """Whether every text in it can be written as UTF-8 again: no lone surrogates."""
    if isinstance(value, str):
        return not any("\ud800" <= character <= "\udfff" for character in value)
    if isinstance(value, Mapping):
        return all(writable(name) and writable(item) for name, item in value.items())
    return all(writable(item) for item in value) if isinstance(value, list) else True


def _read_moment(value: Json, *, closing: bool) -> datetime:
    """A day, a date with a time, ISO 8601, or epoch milliseconds; UTC where it says no zone."""
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    if not isinstance(value, str):
        raise ValueError("no date")
    if _MILLIS.fullmatch(value):
        return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=int(value))
    if _DAY.fullmatch(value):
        return datetime.combine(date.fromisoformat(value), time.max if closing else time.min, UTC)
    if not _DAY.match(value):
        raise ValueError("no date")
    moment = datetime.fromisoformat(value)
    return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)


def _three_months_after(day: date) -> date:
    """The same day three months on, or that month's last; `date.max` past the calendar's end."""
    year, month = day.year + (day.month + 2) // 12, (day.month + 2) % 12 + 1
    if year > date.max.year:
        return date.max
    return date(year, month, min(day.day, monthrange(year, month)[1]))
