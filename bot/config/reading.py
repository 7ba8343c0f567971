"""From TOML to Structs, as far as it goes: whatever is wrong is noted, and does not hide what comes after it.

Each problem says where it is, what was found (secrets masked) and what is expected; unknown keys are problems.
"""

import ssl
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, get_args, get_origin

import msgspec

from bot.errors import ConfigError, Problem
from bot.logs import redact

Partial = Any
"""A table read as far as it goes: None, or its Struct in which a required value may be None. Its problem is noted."""


def read(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        problem = Problem(str(path), "no such file", "a configuration; `countersign init` writes one")
    except (OSError, UnicodeDecodeError) as error:
        problem = Problem(str(path), why(error), "a readable UTF-8 text file")
    except (ValueError, RecursionError) as error:  # TOMLDecodeError is a ValueError, and so is a number of 5,000 digits
        problem = Problem(str(path), f"not TOML: {redact(str(error))}", "valid TOML")
    raise ConfigError(str(path), [problem])


def why(error: Exception) -> str:
    """What kept a file from being read, in words and without its name."""
    if isinstance(error, ssl.SSLError):
        return "no certificate in it"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror.lower()
    return "not UTF-8" if isinstance(error, UnicodeError) else "no name of a file"


def table(kind: type[msgspec.Struct], raw: object, path: str, problems: list[Problem]) -> Any:
    """One table → its Struct. What is wrong is noted; a wrong optional value becomes its default, a wrong or missing
    required one None, so that the rest can be checked all the same. None when it is no table at all."""
    if not isinstance(raw, dict):
        problems.append(Problem(path or "file", shown(path, raw), "a table"))
        return None
    known = {field.name: field for field in msgspec.structs.fields(kind)}
    for key in raw:
        if key not in known:
            from difflib import get_close_matches

            near = get_close_matches(key, known, 1)
            hint = f"`{near[0]}`?" if near else "one of " + ", ".join(known)
            problems.append(Problem(_join(path, key), "an unknown key", hint))
    values = {}
    for name, field in known.items():
        if name in raw:
            values[name] = _value(field.type, raw[name], _join(path, name), problems)
        elif field.required:
            problems.append(Problem(_join(path, name), "nothing", _expected(field.type)))
        if values.get(name) is None:
            values[name] = None if field.required else _default(field)
    try:
        return kind(**values)
    except ValueError as error:  # what a Struct checks about itself
        problems.append(Problem(path, f"what does not fit together ({redact(str(error))})", "settings that do"))
        return None


def _default(field: msgspec.structs.FieldInfo) -> Any:
    return field.default if field.default_factory is msgspec.NODEFAULT else field.default_factory()


def _value(kind: Any, raw: object, path: str, problems: list[Problem]) -> Any:
    """One value of the wanted kind, or None and a problem; so too for each item of a list."""
    if get_origin(kind) is dict and isinstance(raw, dict):
        return raw
    if get_origin(kind) is list and isinstance(raw, list):
        (inner,) = get_args(kind)
        return [_value(inner, item, f"{path}[{index}]", problems) for index, item in enumerate(raw)]
    inner_table = _struct_in(kind)
    if inner_table is not None and get_origin(kind) is not list:
        return table(inner_table, raw, path, problems)
    try:
        return msgspec.convert(raw, kind)
    except msgspec.ValidationError:
        problems.append(Problem(path, shown(path, raw), _expected(kind)))
        return None


def _struct_in(kind: Any) -> type[msgspec.Struct] | None:
    for candidate in (kind, *get_args(kind)):
        if isinstance(candidate, type) and issubclass(candidate, msgspec.Struct):
            return candidate
    return None


def _expected(kind: Any) -> str:
    if get_origin(kind) is Annotated:
        base, *limits = get_args(kind)
        if described := [limit.description for limit in limits if limit.description]:
            return str(described[0])
        return " ".join([_expected(base), *(_limits(limit) for limit in limits)])
    if get_origin(kind) is Literal:
        return "one of " + ", ".join(map(str, get_args(kind)))
    if get_origin(kind) is list:
        return f"a list, each item {_expected(get_args(kind)[0])}"
    if get_origin(kind) is dict or _struct_in(kind) is not None:
        return "a table"
    if options := [option for option in get_args(kind) if option is not type(None)]:
        return " or ".join(_expected(option) for option in options)
    return _WORDS.get(kind, getattr(kind, "__name__", str(kind)))


def _limits(meta: msgspec.Meta) -> str:
    words = {"gt": "above", "ge": "at least", "lt": "below", "le": "at most", "pattern": "of the form"}
    return " and ".join(f"{word} {limit}" for name, word in words.items() if (limit := getattr(meta, name)) is not None)


_WORDS: Mapping[Any, str] = {
    str: "a text",
    int: "a whole number",
    float: "a number",
    bool: "true or false",
    list: "a list",
    dict: "a table",
}


def shown(path: str, value: object) -> str:
    """What was found, short; only its kind where there is much of it or where the name says it may be secret."""
    kind = _WORDS.get(type(value), f"a {type(value).__name__}")
    if any(word in path.lower() for word in ("token", "secret", "password", "key")):
        return f"{kind} (masked)"
    if isinstance(value, (list, dict)):
        return kind
    text = redact(repr(value))
    return text if len(text) <= 60 else text[:57] + "…"


def _join(path: str, key: str) -> str:
    return f"{path}.{key}" if path else key
