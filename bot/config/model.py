"""What a configuration holds: the tables of the file, and the checked `Config` made of them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

import msgspec

from bot.secret import Secret

ROLES = ("viewer", "operator", "approver", "auditor", "admin")


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


class Web(_Table, frozen=True):
    """`[web]`: when given, the bot serves pages on which people enter what does not belong into a chat."""

    public_url: str
    listen: str = "127.0.0.1:8089"


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
    """`[key]`: where the master key comes from, best first; exactly one."""

    credential: str | None = None
    """A credential of the systemd unit, or a secret of the container, by its name."""
    file: str | None = None
    command: list[str] | None = None
    """What prints the key: a program and its words, run without a shell."""
    prompt: bool = False
    """Typed at the terminal at each start."""
    env: str | None = None
    """An environment variable; the weakest of them."""


class Audit(_Table, frozen=True):
    """`[audit]`: where the head of the audit log is remembered outside the database."""

    anchor_file: str | None = None
    """Gets a line each hour; outside data_dir, and best owned by another user who lets us append only."""
    chat: int | None = None
    """Gets a message each day."""


class Backup(_Table, frozen=True):
    """`[backup]`: when given, the bot makes one each day."""

    folder: str
    at: str = "02:45"
    keep: int = 14


class Mail(_Table, frozen=True):
    """`[second_channel.email]`"""

    host: str
    sender: str
    to: list[str]
    port: int = 587
    security: Literal["starttls", "tls", "none"] = "starttls"
    user: str | None = None
    password_file: str | None = None


class SecondChannel(_Table, frozen=True):
    """`[second_channel]`: how people are reached when Telegram is not; each of the ways given is used."""

    command: list[str] | None = None
    """A program and its words, run without a shell; it gets the words on its standard input."""
    webhook_file: str | None = None
    """Holds the address that gets a POST: whoever knows one may write there, so it is kept like a secret."""
    email: Mail | None = None
    unreachable_minutes: int = 5


class Payee(_Table, frozen=True):
    """`[[policy.beneficiaries]]`: one more that money may go to, from the first start on."""

    provider: str
    account: str
    name: str
    currency: str | None = None


class Policy(_Table, frozen=True):
    """`[policy]`: what an empty desk begins with. Later it is changed in the chat, by several people."""

    file: str | None = None
    beneficiaries: list[Payee] = msgspec.field(default_factory=list)


_Seconds = Annotated[float, msgspec.Meta(gt=0, le=3600)]


class Streams(_Table, frozen=True):
    """`[streams]`: how patient the bot is with what providers tell by themselves; in seconds."""

    backoff: _Seconds = 0.5
    backoff_cap: _Seconds = 60.0
    stall: _Seconds = 60.0
    poll: _Seconds = 60.0
    tell_after: _Seconds = 30.0


_Minutes = Annotated[int, msgspec.Meta(ge=1, le=10_080)]


class Alerts(_Table, frozen=True):
    """`[alerts]`: who hears again of an alert that nobody has acknowledged after so many minutes; each is a step."""

    critical_again: list[_Minutes] = []
    """Those who were told."""
    critical_escalated: list[_Minutes] = msgspec.field(default_factory=lambda: [10])
    """They, and every admin."""
    normal_again: list[_Minutes] = []
    normal_escalated: list[_Minutes] = []


class Log(_Table, frozen=True):
    """`[log]`"""

    level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    format: Literal["plain", "json"] = "plain"


class File(_Table, frozen=True):
    desk: Desk
    telegram: Telegram
    people: People
    key: Key
    audit: Audit = Audit()
    policy: Policy = Policy()
    log: Log = Log()
    streams: Streams = Streams()
    alerts: Alerts = Alerts()
    web: Web | None = None
    backup: Backup | None = None
    second_channel: SecondChannel | None = None
    providers: dict[str, Any] = {}


@dataclass(frozen=True, slots=True)
class WebhookConfig:
    """Where updates are pushed, with the secret Telegram presents."""

    url: str
    secret: Secret
    host: str
    port: int


@dataclass(frozen=True, slots=True)
class WebConfig:
    """Where pages are served, and the origin under which people reach them."""

    origin: str
    """Scheme, host and port, without a slash at the end."""
    host: str
    port: int

    @property
    def is_encrypted(self) -> bool:
        return self.origin.startswith("https:")


@dataclass(frozen=True, slots=True)
class KeySource:
    """Where the master key comes from: exactly one of these."""

    folder: Path
    """The configuration's own: where `command` is run."""
    credential: str | None = None
    file: Path | None = None
    command: tuple[str, ...] = ()
    prompt: bool = False
    env: str | None = None


@dataclass(frozen=True, slots=True)
class AuditConfig:
    """Where the head of the audit log is remembered: a file, a chat, both or neither."""

    anchor_file: Path | None
    chat: int | None


@dataclass(frozen=True, slots=True)
class PolicyConfig:
    """What an empty desk begins with; `document` is the policy's text."""

    document: str | None = None
    beneficiaries: tuple[Payee, ...] = ()


@dataclass(frozen=True, slots=True)
class BackupConfig:
    """Where a backup goes each day, at what time in the desk's zone, and how many of them stay."""

    folder: Path
    hour: int
    minute: int
    keep: int


@dataclass(frozen=True, slots=True)
class SecondChannelConfig:
    """The ways to reach people when Telegram is not there; none of them is given on a desk without."""

    folder: Path = Path()
    """The configuration's own: where `command` is run."""
    command: tuple[str, ...] = ()
    webhook: Secret | None = None
    email: Mail | None = None
    password: Secret | None = None
    unreachable_minutes: int = 5


@dataclass(frozen=True, slots=True)
class Config:
    """Everything a run needs, checked."""

    source: Path
    desk: Desk
    data_dir: Path
    telegram: Telegram
    token: Secret
    webhook: WebhookConfig | None
    web: WebConfig | None
    people: People
    key: KeySource
    audit: AuditConfig
    log: Log
    providers: Mapping[str, Any]
    """Each provider's settings, an instance of the Struct its SPEC names."""
    hooks: Mapping[str, Secret] = field(default_factory=dict)
    """By provider and setting, such as `crm.webhook_secret_file`: the secret that proves what is told us by itself."""
    policy: PolicyConfig = PolicyConfig()
    streams: Streams = field(default_factory=Streams)
    alerts: Alerts = field(default_factory=Alerts)
    second_channel: SecondChannelConfig = SecondChannelConfig()
    backup: BackupConfig | None = None


def is_loopback(url: str) -> bool:
    """Whether an address never leaves this machine."""
    return urlsplit(url).hostname in ("127.0.0.1", "::1", "localhost")


def is_person_id(value: int) -> bool:
    """Whether a number can be a person: positive, within 52 bits, and none of Telegram's own service senders."""
    return 0 < value < 1 << 52 and value not in SERVICE_IDS


SERVICE_IDS = frozenset({777000, 1087968824, 136817688, 42777})
"""Telegram's notifications, the anonymous group admin, the channel stand-in, support: never people."""
