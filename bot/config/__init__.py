"""Configuration: one TOML file → one typed, frozen `Config`, or one report of everything that is wrong with it.

No network is touched and nothing is written. Each problem says where it is, what was found (secrets masked) and what is
expected. Unknown keys are problems. Relative paths are relative to the file. One mistake does not hide another: a table
with a problem is still read as far as it goes, and what depends on it is still checked.
"""

import os
from collections.abc import Callable, Mapping
from pathlib import Path

import msgspec

from bot.config.addresses import check_addresses, web_in
from bot.config.checks import check_desk, check_people, check_telegram, hook_secrets, provider_settings
from bot.config.files import backup_in, check_audit, check_key, key_source, policy_in, token_in, webhook_in
from bot.config.model import (
    AuditConfig,
    BackupConfig,
    Config,
    File,
    KeySource,
    Member,
    Pacing,
    People,
    PolicyConfig,
    SecondChannelConfig,
    WebConfig,
    WebhookConfig,
    is_loopback,
    is_person_id,
)
from bot.config.reading import Partial, read, table
from bot.config.second import second_channel_in
from bot.errors import ConfigError, Problem

__all__ = [
    "AuditConfig",
    "BackupConfig",
    "Config",
    "KeySource",
    "Member",
    "Pacing",
    "People",
    "PolicyConfig",
    "SecondChannelConfig",
    "WebConfig",
    "WebhookConfig",
    "is_loopback",
    "is_person_id",
    "load",
]


def load(
    path: Path,
    providers: Mapping[str, type[msgspec.Struct]],
    environ: Mapping[str, str] = os.environ,
    read_policy: Callable[[bytes], object] = bytes.decode,
) -> Config:
    """Read and check the file at `path`.

    Args:
        providers: The settings Struct of each provider, by name; tables for other names are problems.
        read_policy: Raises a `ConfigError` for a policy's document that cannot be used; its problems join the others.

    Raises:
        ConfigError: Everything that is wrong, in one list.
    """
    problems: list[Problem] = []
    raw = read(path)
    file: Partial = table(File, raw, "", problems)
    at = path.resolve().parent
    settings = provider_settings(raw.get("providers", {}), providers, at, problems)
    token = webhook = None
    if file.telegram is not None:
        token = token_in(file.telegram, at, environ, problems)
        webhook = webhook_in(file.telegram.webhook, at, problems)
        check_telegram(file.telegram, problems)
    web = web_in(file.web, problems)
    check_people(file.people, problems)
    check_desk(file.desk, at, problems)
    check_key(file.key, file.desk, at, environ, problems)
    check_audit(file.audit, file.desk, at, problems)
    for name, value in settings.items():
        check_addresses(f"providers.{name}", value, problems)
        if getattr(value, "oauth_app_id", None) is not None and file.web is None:
            where = f"providers.{name}.oauth_app_id"
            problems.append(Problem(where, "no table [web]", "one, for people to come back to"))
    policy = policy_in(file.policy, at, providers, read_policy, problems)
    second = second_channel_in(file.second_channel, at, problems)
    backup = backup_in(file.backup, file.desk, at, problems)
    hooks = hook_secrets(settings, at, problems, has_web=file.web is not None)
    if problems or token is None:
        raise ConfigError(str(path), problems)
    return Config(
        source=path.resolve(),
        desk=file.desk,
        data_dir=at / file.desk.data_dir,
        telegram=file.telegram,
        token=token,
        webhook=webhook,
        web=web,
        people=file.people,
        key=key_source(file.key, at),
        audit=AuditConfig(None if file.audit.anchor_file is None else at / file.audit.anchor_file, file.audit.chat),
        log=file.log,
        providers=settings,
        hooks=hooks,
        policy=policy,
        streams=file.streams,
        alerts=file.alerts,
        second_channel=second,
        backup=backup,
    )
