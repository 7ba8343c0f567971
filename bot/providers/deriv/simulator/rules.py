"""What a request may look like: rules as data, and the reader that applies them.

Lenient where section 7 of the notes is: a numeric text passes for an integer or number, a number for a text. Not
lenient with true/false (JSON has them, this service does not), with `1.0` for an integer, or with keys a call does not
define.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import assert_never

from bot.network.strictjson import Json


class RefusalError(Exception):
    """What the service answers instead of a payload; `code` is its CamelCase word."""

    def __init__(self, code: str, message: str, details: Mapping[str, str] | None = None) -> None:
        super().__init__(code)
        self.code = code
        self.message = message
        self.details = details

    def body(self) -> dict[str, object]:
        error: dict[str, object] = {"code": self.code, "message": self.message}
        if self.details is not None:
            error["details"] = dict(self.details)
        return {"error": error}


class Kind(StrEnum):
    """JSON types as the schemas use them."""

    INTEGER = "integer"
    NUMBER = "number"
    STRING = "string"
    OBJECT = "object"
    ARRAY = "array"


@dataclass(frozen=True, slots=True)
class Rule:
    """What one field may hold."""

    kind: Kind
    required: bool = False
    sensitive: bool = False
    """Its value never comes back in `echo_req`."""
    one_of: tuple[str | int, ...] = ()
    pattern: str = ""
    low: Decimal | int | None = None
    high: Decimal | int | None = None
    items: "Rule | None" = None
    longest: int | None = None
    unique: bool = False
    fields: "Mapping[str, Rule] | None" = None
    """An object with exactly these keys; None lets any through."""
    or_null: bool = False
    or_list: "Rule | None" = None
    """A list is as good as one value; each item obeys this."""


class Arguments:
    """A request that obeyed its rules; every reader knows the type it asks for."""

    __slots__ = ("_values",)

    def __init__(self, values: Mapping[str, Json]) -> None:
        self._values = values

    def __contains__(self, name: str) -> bool:
        return name in self._values

    def text(self, name: str, default: str = "") -> str:
        value = self._values.get(name, default)
        return value if isinstance(value, str) else default

    def integer(self, name: str, default: int = 0) -> int:
        value = self._values.get(name, default)
        return value if isinstance(value, int) else default

    def number(self, name: str, default: Decimal | int = 0) -> Decimal:
        value = self._values.get(name, default)
        return Decimal(value) if isinstance(value, int | Decimal) else Decimal(default)

    def texts(self, name: str) -> list[str]:
        """A list of texts; one text alone counts as a list of one."""
        value = self._values.get(name, ())
        if isinstance(value, str):
            return [value]
        return [item for item in value if isinstance(item, str)] if isinstance(value, Sequence) else []

    def inner(self, name: str) -> "Arguments":
        value = self._values.get(name)
        return Arguments(value if isinstance(value, Mapping) else {})


_INTEGER = re.compile(r"[+-]?[0-9]{1,18}")
_NUMBER = re.compile(r"[+-]?[0-9]{1,18}(\.[0-9]{1,18})?")


def read(request: Mapping[str, Json], rules: Mapping[str, Rule]) -> Arguments:
    """The request's values as their rules want them.

    Raises:
        RefusalError: `InputValidationFailed`. For unknown keys `details` is empty and the message names them; for
            others the offending fields are the keys of `details`. Values are never repeated.
    """
    problems: dict[str, str] = {}
    strangers: list[str] = []
    values = _fields(request, rules, "", problems, strangers)
    if strangers:
        raise RefusalError(
            "InputValidationFailed",
            f"Input validation failed: Properties not allowed: {', '.join(strangers)}.",
            {},
        )
    if problems:
        raise RefusalError("InputValidationFailed", f"Input validation failed: {', '.join(problems)}", problems)
    return Arguments(values)


def _fields(
    given: Mapping[str, Json], rules: Mapping[str, Rule], prefix: str, problems: dict[str, str], strangers: list[str]
) -> dict[str, Json]:
    values: dict[str, Json] = {}
    strangers.extend(f"{prefix}{name}" for name in given if name not in rules)
    for name, rule in rules.items():
        path = f"{prefix}{name}"
        if name in given:
            values[name] = _value(given[name], rule, path, problems, strangers)
        elif rule.required:
            problems[path] = "Missing property."
    return values


def _value(value: Json, rule: Rule, path: str, problems: dict[str, str], strangers: list[str]) -> Json:
    if rule.or_list is not None and isinstance(value, list):
        rule = Rule(Kind.ARRAY, items=rule.or_list)
    if value is None and rule.or_null:
        return None
    typed = _typed(value, rule.kind)
    if typed is None:
        problems[path] = f"Expected {rule.kind}."
    elif isinstance(typed, Mapping):
        return _fields(typed, rule.fields, f"{path}/", problems, strangers) if rule.fields is not None else typed
    elif isinstance(typed, list):
        return _items(typed, rule, path, problems, strangers)
    elif rule.one_of and typed not in rule.one_of:
        problems[path] = "Not in enum list."
    elif isinstance(typed, str):
        if rule.pattern and not re.fullmatch(rule.pattern, typed):
            problems[path] = "String does not match the pattern."
    elif isinstance(typed, int | Decimal) and not _between(typed, rule):
        problems[path] = "Out of range."
    return typed


def _items(given: list[Json], rule: Rule, path: str, problems: dict[str, str], strangers: list[str]) -> list[Json]:
    if rule.longest is not None and len(given) > rule.longest:
        problems[path] = "Too many items."
        return []
    if rule.items is None:
        return given
    items = [_value(item, rule.items, path, problems, strangers) for item in given]
    if rule.unique and any(item in items[:index] for index, item in enumerate(items)):
        problems[path] = "Unique items required."
    return items


def _between(number: int | Decimal, rule: Rule) -> bool:
    return (rule.low is None or number >= rule.low) and (rule.high is None or number <= rule.high)


def _typed(value: Json, kind: Kind) -> Json:
    """The value as `kind`, coerced where the service coerces; None when it cannot be that."""
    if isinstance(value, bool):
        return None
    match kind:
        case Kind.INTEGER:
            if isinstance(value, str) and _INTEGER.fullmatch(value):
                return int(value)
            return value if isinstance(value, int) else None
        case Kind.NUMBER:
            if isinstance(value, str) and _NUMBER.fullmatch(value):
                return Decimal(value)
            return value if isinstance(value, int | Decimal) else None
        case Kind.STRING:
            if isinstance(value, int | Decimal):
                return format(value, "f" if isinstance(value, Decimal) else "d")
            return value if isinstance(value, str) else None
        case Kind.OBJECT:
            return value if isinstance(value, Mapping) else None
        case Kind.ARRAY:
            return value if isinstance(value, list) else None
        case _:
            assert_never(kind)
