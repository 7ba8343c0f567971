"""Configuration: one TOML file → one typed, frozen `Config`, or one report of everything that is wrong with it.

No network is touched and nothing is written. Each problem says where it is, what was found (secrets masked) and what is
expected. Unknown keys are problems. Relative paths are relative to the file. One mistake does not hide another: a table
with a problem is still read as far as it goes, and what depends on it is still checked.
"""

import difflib
import math
import os
import re
import ssl
import stat
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, get_args, get_origin
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec
from babel import Locale, UnknownLocaleError

from bot.errors import ConfigError, Problem
from bot.logs import redact
from bot.secret import Secret

ROLES = ("viewer", "operator", "approver", "auditor", "admin")
Partial = Any
"""A table read as far as it goes: None, or its Struct in which a required value may be None. Its problem is noted."""

WEBHOOK_SECRET = re.compile(r"[A-Za-z0-9_-]{32,256}", re.ASCII)
TOKEN = re.compile(r"\d{3,20}:[A-Za-z0-9_-]{30,64}", re.ASCII)
_SECRET_ITSELF = re.compile(r"\d{3,20}:[^/]{20,}|csk1-.*|[A-Za-z0-9_+=-]{32,}", re.ASCII | re.IGNORECASE | re.DOTALL)
"""What stands where a file's name belongs when somebody put the secret there instead."""
_SECRET_FILE_BYTES = 4096


class _Table(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A table of the file: unknown keys are refused."""


class Desk(_Table, frozen=True):
    """`[desk]`"""

    data_dir: str
    name: str = "Desk"
    time_zone: str = "UTC"
    locale: str = "en"


class Pacing(_Table, frozen=True):
    """`[telegram.pacing]`: Telegram's own ceilings; 0 lifts one."""

    per_chat_per_second: float = 1.0
    overall_per_second: float = 30.0
    group_per_minute: float = 20.0


class Webhook(_Table, frozen=True):
    """`[telegram.webhook]`: when given, updates are pushed to us instead of fetched."""

    url: str
    secret_file: str
    listen: str = "127.0.0.1:8088"


class Telegram(_Table, frozen=True):
    """`[telegram]`"""

    token_file: str | None = None
    token_env: str | None = None
    base_url: str = "https://api.telegram.org/bot"
    webhook: Webhook | None = None
    pacing: Pacing = Pacing()
    concurrency: int = 16


class Member(_Table, frozen=True):
    """`[[people.members]]`: seeds an empty database only."""

    id: int
    name: str
    roles: list[Literal["viewer", "operator", "approver", "auditor", "admin"]]


class People(_Table, frozen=True):
    """`[people]`"""

    admins: list[int]
    groups: list[int] = []
    members: list[Member] = []


class Key(_Table, frozen=True):
    """`[key]`"""

    file: str


class Log(_Table, frozen=True):
    """`[log]`"""

    level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    format: Literal["plain", "json"] = "plain"


class _File(_Table, frozen=True):
    desk: Desk
    telegram: Telegram
    people: People
    key: Key
    log: Log = Log()
    providers: dict[str, Any] = {}


@dataclass(frozen=True, slots=True)
class WebhookConfig:
    """Where updates are pushed, with the secret Telegram presents."""

    url: str
    secret: Secret
    host: str
    port: int


@dataclass(frozen=True, slots=True)
class Config:
    """Everything a run needs, checked."""

    source: Path
    desk: Desk
    data_dir: Path
    telegram: Telegram
    token: Secret
    webhook: WebhookConfig | None
    people: People
    key_file: Path
    log: Log
    providers: Mapping[str, Any]
    """Each provider's settings, an instance of the Struct its SPEC names."""


def load(path: Path, providers: Mapping[str, type[msgspec.Struct]], environ: Mapping[str, str] = os.environ) -> Config:
    """Read and check the file at `path`.

    Args:
        providers: The settings Struct of each provider, by name; tables for other names are problems.

    Raises:
        ConfigError: Everything that is wrong, in one list.
    """
    problems: list[Problem] = []
    raw = _read(path)
    file: Partial = _table(_File, raw, "", problems)
    at = path.resolve().parent
    settings = _provider_settings(raw.get("providers", {}), providers, at, problems)
    token = webhook = None
    if file.telegram is not None:
        token = _token(file.telegram, at, environ, problems)
        webhook = _webhook(file.telegram.webhook, at, problems)
        _check_telegram(file.telegram, problems)
    _check_people(file.people, problems)
    _check_desk(file.desk, at, problems)
    _check_key(file.key, file.desk, at, problems)
    for name, value in settings.items():
        _check_addresses(f"providers.{name}", value, problems)
    if problems or token is None:
        raise ConfigError(str(path), problems)
    return Config(
        source=path.resolve(),
        desk=file.desk,
        data_dir=at / file.desk.data_dir,
        telegram=file.telegram,
        token=token,
        webhook=webhook,
        people=file.people,
        key_file=at / file.key.file,
        log=file.log,
        providers=settings,
    )


def _read(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        problem = Problem(str(path), "no such file", "a configuration; `countersign init` writes one")
    except (OSError, UnicodeDecodeError) as error:
        problem = Problem(str(path), type(error).__name__, "a readable UTF-8 text file")
    except (ValueError, RecursionError) as error:  # TOMLDecodeError is a ValueError, and so is a number of 5,000 digits
        problem = Problem(str(path), f"not TOML: {redact(str(error))}", "valid TOML")
    raise ConfigError(str(path), [problem])


def _table(kind: type[msgspec.Struct], raw: object, path: str, problems: list[Problem]) -> Any:
    """One table → its Struct. What is wrong is noted; a wrong optional value becomes its default, a wrong or missing
    required one None, so that the rest can be checked all the same. None when it is no table at all."""
    if not isinstance(raw, dict):
        problems.append(Problem(path or "file", _shown(path, raw), "a table"))
        return None
    known = {field.name: field for field in msgspec.structs.fields(kind)}
    for key in raw:
        if key not in known:
            near = difflib.get_close_matches(key, known, 1)
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
    table = _struct_in(kind)
    if table is not None and get_origin(kind) is not list:
        return _table(table, raw, path, problems)
    try:
        return msgspec.convert(raw, kind)
    except msgspec.ValidationError:
        problems.append(Problem(path, _shown(path, raw), _expected(kind)))
        return None


def _struct_in(kind: Any) -> type[msgspec.Struct] | None:
    for candidate in (kind, *get_args(kind)):
        if isinstance(candidate, type) and issubclass(candidate, msgspec.Struct):
            return candidate
    return None


def _expected(kind: Any) -> str:
    if get_origin(kind) is Annotated:
        base, *limits = get_args(kind)
        return " ".join([_expected(base), *(_limits(limit) for limit in limits)])
    if get_origin(kind) is Literal:
        return "one of " + ", ".join(map(str, get_args(kind)))
    if get_origin(kind) is list:
        return f"a list, each item {_expected(get_args(kind)[0])}"
    if get_origin(kind) is dict or _struct_in(kind) is not None:
        return "a table"
    options = [option for option in get_args(kind) if option is not type(None)] or [kind]
    return " or ".join(_WORDS.get(option, getattr(option, "__name__", str(option))) for option in options)


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


def _shown(path: str, value: object) -> str:
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


def _provider_settings(
    raw: object, kinds: Mapping[str, type[msgspec.Struct]], at: Path, problems: list[Problem]
) -> dict[str, Any]:
    tables = raw if isinstance(raw, dict) else {}  # when it is none, `_table` has said so
    for name in tables:
        if name not in kinds:
            problems.append(Problem(f"providers.{name}", "an unknown provider", "one of " + ", ".join(kinds)))
    settings = {name: _table(kind, tables.get(name, {}), f"providers.{name}", problems) for name, kind in kinds.items()}
    for name, value in settings.items():
        if getattr(value, "ca_file", None) is not None:
            settings[name] = _with_ca_file(value, at, f"providers.{name}.ca_file", problems)
    return {name: value for name, value in settings.items() if value is not None}


def _with_ca_file(settings: Any, at: Path, where: str, problems: list[Problem]) -> Any:
    """The same settings; their certificate, like every path, is relative to the file."""
    path = at / settings.ca_file
    try:
        ssl.create_default_context(cafile=str(path))
    except (OSError, ValueError) as error:  # SSLError is an OSError
        problems.append(Problem(where, f"{path} ({type(error).__name__})", "a file of PEM certificates"))
    return msgspec.structs.replace(settings, ca_file=str(path))


def _token(table: Partial, at: Path, environ: Mapping[str, str], problems: list[Problem]) -> Secret | None:
    if any(problem.path in ("telegram.token_file", "telegram.token_env") for problem in problems):
        return None
    if (table.token_file is None) == (table.token_env is None):
        found = "neither `token_file` nor `token_env`" if table.token_file is None else "both"
        problems.append(Problem("telegram", found, "either `token_file` or `token_env`"))
        return None
    if table.token_file is not None:
        where, text = "telegram.token_file", _secret_file("telegram.token_file", at / table.token_file, problems)
    else:
        where, text = "telegram.token_env", environ.get(table.token_env or "", "")
        if not text:
            problems.append(Problem(where, "an environment variable that is not set", "the bot's token in it"))
            return None
    if text is None:
        return None
    if not TOKEN.fullmatch(text):
        problems.append(Problem(where, "something that is not a bot token (masked)", "BotFather's `123456:ABC…`"))
        return None
    return Secret(text)


def _webhook(table: Partial, at: Path, problems: list[Problem]) -> WebhookConfig | None:
    if table is None:
        return None
    where, secret = "telegram.webhook", None
    if table.secret_file is not None:
        secret = _secret_file(f"{where}.secret_file", at / table.secret_file, problems)
    if secret is not None and not WEBHOOK_SECRET.fullmatch(secret):
        found = f"{len(secret)} characters (masked)"
        problems.append(Problem(f"{where}.secret_file", found, "32 to 256 of A-Z a-z 0-9 _ -"))
        secret = None
    if table.url is not None:
        _check_address(f"{where}.url", table.url, problems)
    host, _, port = table.listen.rpartition(":")
    if not host or not re.fullmatch(r"[0-9]{1,5}", port) or int(port) >= 65536:
        problems.append(Problem(f"{where}.listen", repr(table.listen[:60]), "host:port, e.g. 127.0.0.1:8088"))
        return None
    return None if secret is None else WebhookConfig(table.url, Secret(secret), host, int(port))


def _secret_file(where: str, path: Path, problems: list[Problem]) -> str | None:
    """The stripped text of a file that only its owner may read."""
    if _SECRET_ITSELF.fullmatch(path.name) and not path.exists():
        problems.append(Problem(where, "the secret itself, it seems (masked)", "the name of a file that holds it"))
        return None
    try:
        found = path.stat()
        if not stat.S_ISREG(found.st_mode) or found.st_size > _SECRET_FILE_BYTES:
            problems.append(Problem(where, f"{path}, no file of a few characters", "a small text file"))
            return None
        text = path.read_text(encoding="utf-8").strip()
    except (OSError, ValueError) as error:
        problems.append(Problem(where, f"{path} ({type(error).__name__})", "a readable file"))
        return None
    mode = stat.S_IMODE(found.st_mode)
    if mode & 0o077:
        problems.append(Problem(where, f"{path} with mode {mode:04o}", f"mode 0600 (chmod 600 {path})"))
    return text


def _check_telegram(table: Partial, problems: list[Problem]) -> None:
    _check_address("telegram.base_url", table.base_url, problems)
    if not 1 <= table.concurrency <= 256:
        problems.append(Problem("telegram.concurrency", str(table.concurrency), "1 to 256"))
    for field in msgspec.structs.fields(table.pacing):
        rate = getattr(table.pacing, field.name)
        if not (math.isfinite(rate) and rate >= 0):
            problems.append(Problem(f"telegram.pacing.{field.name}", str(rate), "0 (no ceiling) or a positive number"))


def _check_people(people: Partial, problems: list[Problem]) -> None:
    if people is None or people.admins is None:
        return
    members = [(index, member) for index, member in enumerate(people.members) if member is not None]
    if not people.admins and not any("admin" in (member.roles or ()) for _, member in members):
        problems.append(Problem("people.admins", "no admin", "at least one numeric Telegram id"))
    _check_ids("people.admins[{}]", people.admins, problems)
    _check_ids("people.members[{}].id", [member and member.id for member in people.members], problems)
    for index, group in enumerate(people.groups):
        if group is not None and group >= 0:
            problems.append(Problem(f"people.groups[{index}]", str(group), "a group's id, a negative number"))
    for index, member in members:
        name = member.name
        if name is not None and not (name.strip() and len(name) <= 64 and name.isprintable()):
            found = ascii(name[:40])
            problems.append(Problem(f"people.members[{index}].name", found, "1 to 64 printable characters"))
        if member.roles == []:
            problems.append(Problem(f"people.members[{index}].roles", "none", "at least one of " + ", ".join(ROLES)))


def _check_ids(where: str, ids: Sequence[int | None], problems: list[Problem]) -> None:
    for index, value in enumerate(ids):
        if value is None:
            continue
        if not is_person_id(value):
            problems.append(Problem(where.format(index), str(value), "a person's numeric Telegram id"))
        elif value in ids[:index]:
            problems.append(Problem(where.format(index), f"{value} again", "each person once"))


def _check_desk(desk: Partial, at: Path, problems: list[Problem]) -> None:
    if desk is None:
        return
    try:
        ZoneInfo(desk.time_zone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        problems.append(Problem("desk.time_zone", repr(desk.time_zone[:60]), "an IANA name such as Europe/Zurich"))
    try:
        Locale.parse(desk.locale)
    except (UnknownLocaleError, ValueError, TypeError):
        problems.append(Problem("desk.locale", repr(desk.locale[:60]), "a locale such as en or de_CH"))
    if desk.data_dir is not None:
        _check_data_dir(at / desk.data_dir, problems)


def _check_data_dir(data_dir: Path, problems: list[Problem]) -> None:
    """It is ours alone; or it can be made."""
    try:
        there = next(path for path in (data_dir, *data_dir.parents) if path.exists())
    except (OSError, ValueError) as error:
        problems.append(Problem("desk.data_dir", f"{data_dir} ({type(error).__name__})", "a writable directory"))
        return
    if not (there.is_dir() and os.access(there, os.W_OK | os.X_OK)):
        problems.append(Problem("desk.data_dir", str(there), "a writable directory"))
    elif there == data_dir and stat.S_IMODE(data_dir.stat().st_mode) & 0o077:
        problems.append(Problem("desk.data_dir", f"{data_dir} open to others", f"mode 0700 (chmod 700 {data_dir})"))


def _check_key(key: Partial, desk: Partial, at: Path, problems: list[Problem]) -> None:
    if key is None or key.file is None:
        return
    file = at / key.file
    if _secret_file("key.file", file, problems) is None or desk is None or desk.data_dir is None:
        return
    if (at / desk.data_dir).resolve() in file.resolve().parents:
        problems.append(Problem("key.file", str(file), "a place outside data_dir: it is backed up apart"))


def _check_addresses(path: str, settings: msgspec.Struct, problems: list[Problem]) -> None:
    """Every setting named `…url` must be encrypted, or on this machine."""
    for field in msgspec.structs.fields(settings):
        value = getattr(settings, field.name)
        if field.name.endswith("url") and isinstance(value, str) and value:
            schemes = ("wss", "ws") if value.lower().startswith("ws") else ("https", "http")
            _check_address(f"{path}.{field.name}", value, problems, schemes)


def _check_address(
    where: str, value: str, problems: list[Problem], schemes: tuple[str, str] = ("https", "http")
) -> None:
    """An address with the first scheme, or on loopback with the second; no login in it."""
    safe, open_ = schemes
    try:
        parts = urlsplit(value)
        host, _ = parts.hostname, parts.port
    except ValueError:
        problems.append(Problem(where, "no address that can be read", f"{safe}://…"))
        return
    if parts.username is not None or parts.password is not None:
        problems.append(Problem(where, "an address with a login in it (masked)", "an address without one"))
    elif not host or not (parts.scheme == safe or (parts.scheme == open_ and is_loopback(value))):
        problems.append(Problem(where, repr(redact(value)[:80]), f"{safe}://…, or {open_}://… on loopback only"))


def is_loopback(url: str) -> bool:
    """Whether an address never leaves this machine."""
    return urlsplit(url).hostname in ("127.0.0.1", "::1", "localhost")


def is_person_id(value: int) -> bool:
    """Whether a number can be a person: positive, within 52 bits, and none of Telegram's own service senders."""
    return 0 < value < 1 << 52 and value not in SERVICE_IDS


SERVICE_IDS = frozenset({777000, 1087968824, 136817688, 42777})
"""Telegram's notifications, the anonymous group admin, the channel stand-in, support: never people."""
