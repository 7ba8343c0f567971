"""What a configuration names on disk: secrets, in files that only their owner may read; the data directory."""

import os
import re
import shutil
import stat
from collections.abc import Callable, Collection, Mapping
from pathlib import Path

from bot.config.addresses import check_address, listener_in
from bot.config.model import BackupConfig, KeySource, PolicyConfig, WebhookConfig
from bot.config.reading import Partial, why
from bot.errors import ConfigError, Problem
from bot.logs import redact
from bot.money import DIGITS
from bot.secret import Secret

WEBHOOK_SECRET = re.compile(r"[A-Za-z0-9_-]{32,256}", re.ASCII)
TOKEN = re.compile(r"\d{3,20}:[A-Za-z0-9_-]{30,64}", re.ASCII)
_SECRET_ITSELF = re.compile(r"\d{3,20}:[^/]{20,}|csk1-.*|[A-Za-z0-9_+=-]{32,}", re.ASCII | re.IGNORECASE | re.DOTALL)
"""What stands where a file's name belongs when somebody put the secret there instead."""
CREDENTIAL = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9_.-]{0,63}", re.ASCII)
VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}", re.ASCII)
_SECRET_FILE_BYTES = 4096
_POLICY_BYTES = 64 * 1024


def secret_file(where: str, path: Path, problems: list[Problem]) -> str | None:
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
        problems.append(Problem(where, f"{path} ({why(error)})", "a readable file"))
        return None
    mode = stat.S_IMODE(found.st_mode)
    if mode & 0o077:
        problems.append(Problem(where, f"{path} with mode {mode:04o}", f"mode 0600 (chmod 600 {path})"))
    return text


def token_in(table: Partial, at: Path, environ: Mapping[str, str], problems: list[Problem]) -> Secret | None:
    if any(problem.path in ("telegram.token_file", "telegram.token_env") for problem in problems):
        return None
    if (table.token_file is None) == (table.token_env is None):
        found = "neither `token_file` nor `token_env`" if table.token_file is None else "both"
        problems.append(Problem("telegram", found, "either `token_file` or `token_env`"))
        return None
    if table.token_file is not None:
        where, text = "telegram.token_file", secret_file("telegram.token_file", at / table.token_file, problems)
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


def webhook_in(table: Partial, at: Path, problems: list[Problem]) -> WebhookConfig | None:
    if table is None:
        return None
    where, secret = "telegram.webhook", None
    if table.secret_file is not None:
        secret = secret_file(f"{where}.secret_file", at / table.secret_file, problems)
    if secret is not None and not WEBHOOK_SECRET.fullmatch(secret):
        found = f"{len(secret)} characters (masked)"
        problems.append(Problem(f"{where}.secret_file", found, "32 to 256 of A-Z a-z 0-9 _ -"))
        secret = None
    if table.url is not None:
        check_address(f"{where}.url", table.url, problems)
    place = listener_in(f"{where}.listen", table.listen, problems)
    return None if secret is None or place is None else WebhookConfig(table.url, Secret(secret), *place)


def check_key(key: Partial, desk: Partial, at: Path, environ: Mapping[str, str], problems: list[Problem]) -> None:
    """As far as it can be told without running the command and without asking anybody."""
    if key is None or any(problem.path.startswith("key.") for problem in problems):
        return
    named = [name for name in key.__struct_fields__ if getattr(key, name)]
    if len(named) != 1:
        found = " and ".join(named) or "no source of the master key"
        problems.append(Problem("key", found, f"exactly one of {', '.join(key.__struct_fields__)}"))
    if key.file:
        _check_key_file(at / key.file, desk, at, problems)
    if key.credential and not CREDENTIAL.fullmatch(key.credential):
        problems.append(Problem("key.credential", "something else (masked)", "the credential's name, without a path"))
    if key.command and not is_command(key.command[0], at):
        problems.append(Problem("key.command", repr(redact(key.command[0])[:80]), "a program that can be run"))
    if key.env and not VARIABLE.fullmatch(key.env):
        problems.append(Problem("key.env", "something else (masked)", "the name of an environment variable"))
    elif key.env and not environ.get(key.env):
        problems.append(Problem("key.env", "an environment variable that is not set", "the master key in it"))


def _check_key_file(file: Path, desk: Partial, at: Path, problems: list[Problem]) -> None:
    if secret_file("key.file", file, problems) is None:
        return
    owner = file.stat().st_uid
    if owner != os.geteuid():
        problems.append(Problem("key.file", f"{file} of user {owner}", f"the bot's own file (user {os.geteuid()})"))
    if desk is None or desk.data_dir is None:
        return
    if (at / desk.data_dir).resolve() in file.resolve().parents:
        problems.append(Problem("key.file", str(file), "a place outside data_dir: it is backed up apart"))


def is_command(program: str, at: Path) -> bool:
    """Whether there is such a program: on the search path, or, when it has a slash in it, beside the configuration."""
    return shutil.which(program if "/" not in program else str(at / program)) is not None


def key_source(key: Partial, at: Path) -> KeySource:
    """The source that `check_key` found to be the only one."""
    return KeySource(
        folder=at,
        credential=key.credential,
        file=at / key.file if key.file else None,
        command=tuple(key.command or ()),
        prompt=key.prompt,
        env=key.env,
    )


def policy_in(
    table: Partial,
    at: Path,
    providers: Collection[str],
    read_policy: Callable[[bytes], object],
    problems: list[Problem],
) -> PolicyConfig:
    """The policy's text as it is, and the first beneficiaries. Whether it is a policy, `read_policy` says."""
    if table is None:
        return PolicyConfig()
    for number, payee in enumerate(table.beneficiaries):
        where = f"policy.beneficiaries[{number}]"
        if payee is None:
            continue
        if payee.provider is not None and payee.provider not in providers:
            problems.append(Problem(f"{where}.provider", repr(payee.provider[:40]), f"one of {', '.join(providers)}"))
        for key, longest in (("account", 64), ("name", 60)):
            text = getattr(payee, key)
            if text is not None and (not text.strip() or len(text) > longest or not text.isprintable()):
                problems.append(Problem(f"{where}.{key}", repr(text[:40]), f"1 to {longest} characters"))
        if payee.currency is not None and payee.currency not in DIGITS:
            problems.append(Problem(f"{where}.currency", repr(payee.currency[:40]), "a currency such as USD, or none"))
    return PolicyConfig(
        _document(table.file, at, read_policy, problems), tuple(one for one in table.beneficiaries if one is not None)
    )


def _document(
    name: str | None, at: Path, read_policy: Callable[[bytes], object], problems: list[Problem]
) -> str | None:
    if name is None:
        return None
    path = at / name
    try:
        if path.stat().st_size > _POLICY_BYTES:
            problems.append(Problem("policy.file", f"{path}, more than {_POLICY_BYTES:,} bytes", "a policy's text"))
            return None
        document = path.read_bytes()
        read_policy(document)
        return document.decode()
    except ConfigError as error:
        problems += [Problem(f"policy.file: {one.path}", one.found, one.expected) for one in error.problems]
    except (OSError, ValueError) as error:
        problems.append(Problem("policy.file", f"{path} ({why(error)})", "a readable text file"))
    return None


def check_audit(audit: Partial, desk: Partial, at: Path, problems: list[Problem]) -> None:
    """A chat has a number, and the anchors lie apart from what they speak about.

    Whether the file can be written is seen when it is: a desk does not stand still for that.
    """
    if audit is None:
        return
    if audit.chat is not None and not 0 < abs(audit.chat) < 1 << 52:
        problems.append(Problem("audit.chat", str(audit.chat), "a chat's id, negative for groups and channels"))
    if audit.anchor_file is None:
        return
    try:
        file = (at / audit.anchor_file).resolve()
        is_wrong = file.exists() and not file.is_file()
        is_inside = desk is not None and desk.data_dir is not None and (at / desk.data_dir).resolve() in file.parents
    except (OSError, ValueError) as error:
        problems.append(Problem("audit.anchor_file", why(error), "a file to append to"))
        return
    if is_wrong:
        problems.append(Problem("audit.anchor_file", f"{file}, no plain file", "a file to append to"))
    if is_inside:
        problems.append(Problem("audit.anchor_file", str(file), "a place outside data_dir: it is to outlast it"))


def backup_in(table: Partial, desk: Partial, at: Path, problems: list[Problem]) -> BackupConfig | None:
    """A folder of its own that is there, and a time of day."""
    if table is None or table.folder is None:
        return None
    folder = at / table.folder
    if not (folder.is_dir() and os.access(folder, os.W_OK | os.X_OK)):
        problems.append(Problem("backup.folder", str(folder), "a folder that is there and can be written in"))
    elif desk is not None and desk.data_dir is not None:
        data_dir = (at / desk.data_dir).resolve()
        if data_dir in (folder.resolve(), *folder.resolve().parents):
            problems.append(Problem("backup.folder", str(folder), "a place outside data_dir: it is to outlast it"))
    time = re.fullmatch(r"([01][0-9]|2[0-3]):([0-5][0-9])", table.at, re.ASCII)
    if time is None:
        problems.append(Problem("backup.at", repr(table.at[:20]), "a time of day such as 02:45"))
        return None
    if not 1 <= table.keep <= 1000:
        problems.append(Problem("backup.keep", str(table.keep), "1 to 1000"))
    return BackupConfig(folder, int(time[1]), int(time[2]), table.keep)


def check_data_dir(data_dir: Path, problems: list[Problem]) -> None:
    """It is ours alone; or it can be made."""
    try:
        there = next(path for path in (data_dir, *data_dir.parents) if path.exists())
    except (OSError, ValueError) as error:
        problems.append(Problem("desk.data_dir", f"{data_dir} ({why(error)})", "a writable directory"))
        return
    if not (there.is_dir() and os.access(there, os.W_OK | os.X_OK)):
        problems.append(Problem("desk.data_dir", str(there), "a writable directory"))
    elif there == data_dir and stat.S_IMODE(data_dir.stat().st_mode) & 0o077:
        problems.append(Problem("desk.data_dir", f"{data_dir} open to others", f"mode 0700 (chmod 700 {data_dir})"))
