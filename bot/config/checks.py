"""What a value must be beyond its type."""

import math
import ssl
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec

from bot.config.addresses import check_address
from bot.config.files import check_data_dir, secret_file
from bot.config.model import ROLES, is_person_id
from bot.config.reading import Partial, table, why
from bot.errors import Problem
from bot.secret import Secret


def check_telegram(table: Partial, problems: list[Problem]) -> None:
    check_address("telegram.base_url", table.base_url, problems)
    if not 1 <= table.concurrency <= 256:
        problems.append(Problem("telegram.concurrency", str(table.concurrency), "1 to 256"))
    for field in msgspec.structs.fields(table.pacing):
        rate = getattr(table.pacing, field.name)
        if not (math.isfinite(rate) and rate >= 0):
            problems.append(Problem(f"telegram.pacing.{field.name}", str(rate), "0 (no ceiling) or a positive number"))


def _is_locale(name: str) -> bool:
    if name == "en":
        return True  # as nearly everywhere: no reason to open the book of all locales
    from babel import Locale, UnknownLocaleError

    try:
        Locale.parse(name)
    except (UnknownLocaleError, ValueError, TypeError):
        return False
    return True


def check_people(people: Partial, problems: list[Problem]) -> None:
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


def check_desk(desk: Partial, at: Path, problems: list[Problem]) -> None:
    if desk is None:
        return
    try:
        ZoneInfo(desk.time_zone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        problems.append(Problem("desk.time_zone", repr(desk.time_zone[:60]), "an IANA name such as Europe/Zurich"))
    if not _is_locale(desk.locale):
        problems.append(Problem("desk.locale", repr(desk.locale[:60]), "a locale such as en or de_CH"))
    if desk.data_dir is not None:
        check_data_dir(at / desk.data_dir, problems)


def provider_settings(
    raw: object, kinds: Mapping[str, type[msgspec.Struct]], at: Path, problems: list[Problem]
) -> dict[str, Any]:
    tables = raw if isinstance(raw, dict) else {}  # when it is none, `table` has said so
    for name in tables:
        if name not in kinds:
            problems.append(Problem(f"providers.{name}", "an unknown provider", "one of " + ", ".join(kinds)))
    settings = {name: table(kind, tables.get(name, {}), f"providers.{name}", problems) for name, kind in kinds.items()}
    for name, value in settings.items():
        if getattr(value, "ca_file", None) is not None:
            settings[name] = _with_ca_file(value, at, f"providers.{name}.ca_file", problems)
    return {name: value for name, value in settings.items() if value is not None}


def hook_secrets(settings: Mapping[str, Any], at: Path, problems: list[Problem], *, has_web: bool) -> dict[str, Secret]:
    """The secrets with which providers prove what they tell us by themselves, by `provider.setting`.

    One that protects nothing is a problem, and so is one without a place for anybody to come to.
    """
    found = {}
    for name, value in settings.items():
        files = value.hook_files() if hasattr(value, "hook_files") else {}
        for setting, file in files.items():
            where = f"providers.{name}.{setting}"
            if not has_web:
                problems.append(Problem(where, "no table [web]", "one, for webhooks to come in"))
            text = secret_file(where, at / file, problems)
            if text is None:
                continue
            if flaw := value.webhook_flaw(text):
                problems.append(Problem(where, flaw, "a secret of your own, 16 characters or more"))
            else:
                found[f"{name}.{setting}"] = Secret(text)
    return found


def _with_ca_file(settings: Any, at: Path, where: str, problems: list[Problem]) -> Any:
    """The same settings; their certificate, like every path, is relative to the file."""
    path = at / settings.ca_file
    try:
        ssl.create_default_context(cafile=str(path))
    except (OSError, ValueError) as error:  # SSLError is an OSError
        problems.append(Problem(where, f"{path} ({why(error)})", "a file of PEM certificates"))
    return msgspec.structs.replace(settings, ca_file=str(path))
