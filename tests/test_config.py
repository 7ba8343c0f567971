"""The configuration: everything that is wrong with it in one report, and nothing done before it is right."""

import json
import os
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import msgspec
import pytest

from bot.config import Config, load
from bot.errors import ConfigError, Problem
from bot.providers import registry

TOKEN = "123456789:AAcanaryTokenThatMustNotBeSeen-0123456"
WEBHOOK = "canaryWebhookSecret_0123456789abcdef"
KEY = "csk1-canarykeytext"

GOOD = """
[desk]
data_dir = "data"
[telegram]
token_file = "telegram.token"
[people]
admins = [1001]
[key]
file = "master.key"
"""


class Alpha(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a provider brings."""

    url: Annotated[str, msgspec.Meta(pattern=r"^(https?://\S+)?$")] = "https://alpha.example"
    stream_url: str = "wss://alpha.example/stream"
    rate: Annotated[float, msgspec.Meta(gt=0, le=100)] = 1.0
    ca_file: str | None = None

    def __post_init__(self) -> None:
        if self.rate == 13:
            raise ValueError("thirteen is not a rate")


PROVIDERS: dict[str, type[msgspec.Struct]] = {"alpha": Alpha}
SETTINGS = {name: spec.settings for name, spec in registry.PROVIDERS.items()}
"""The real ones."""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, text in (("telegram.token", TOKEN), ("master.key", KEY), ("webhook.secret", WEBHOOK)):
        (tmp_path / name).touch(mode=0o600)
        (tmp_path / name).write_text(text + "\n")
    return tmp_path


def read(folder: Path, text: str = GOOD, **environ: str) -> Config:
    path = folder / "config.toml"
    path.write_text(text, encoding="utf-8")
    return load(path, PROVIDERS, environ)


def problems(folder: Path, text: str, **environ: str) -> list[Problem]:
    with pytest.raises(ConfigError) as caught:
        read(folder, text, **environ)
    assert caught.value.exit_code == 78
    return list(caught.value.problems)


def with_(section: str, line: str) -> str:
    """The good file with one more line in one table."""
    return GOOD.replace(f"[{section}]", f"[{section}]\n{line}")


def without(line: str) -> str:
    assert line in GOOD
    return GOOD.replace(line + "\n", "")


def instead(old: str, new: str) -> str:
    assert old in GOOD
    return GOOD.replace(old, new)


def more(*lines: str) -> str:
    return GOOD + "\n".join(lines)


def of_key(line: str) -> str:
    """The good file with another source of the master key."""
    return instead('file = "master.key"', line)


def member(**changed: str) -> str:
    values = {"id": "2002", "name": '"Olga"', "roles": '["operator"]'} | changed
    return more("[[people.members]]", *(f"{key} = {value}" for key, value in values.items()))


def webhook(**changed: str) -> str:
    values = {"url": '"https://bot.example/hook"', "secret_file": '"webhook.secret"'} | changed
    return more("[telegram.webhook]", *(f"{key} = {value}" for key, value in values.items()))


def test_the_smallest_configuration_is_enough_and_the_rest_has_defaults(folder: Path) -> None:
    config = read(folder)

    assert config.token.reveal() == TOKEN
    assert config.data_dir == folder / "data"
    assert config.key.file == folder / "master.key"
    assert config.webhook is None
    assert config.people.admins == [1001]
    assert config.telegram.base_url == "https://api.telegram.org/bot"
    assert (config.telegram.pacing.per_chat_per_second, config.telegram.pacing.group_per_minute) == (1.0, 20.0)
    assert (config.desk.time_zone, config.desk.locale, config.log.level) == ("UTC", "en", "INFO")
    assert config.providers == {"alpha": Alpha()}
    assert not config.data_dir.exists()


def test_a_full_configuration_is_read_to_the_last_value(folder: Path) -> None:
    text = GOOD.replace(
        "[people]", "concurrency = 4\n[telegram.pacing]\noverall_per_second = 0\n[people]\ngroups = [-5]"
    )
    text += (
        '[telegram.webhook]\nurl = "https://bot.example/hook"\nsecret_file = "webhook.secret"\nlisten = "0.0.0.0:9"\n'
    )
    text += '[log]\nlevel = "DEBUG"\nformat = "json"\n[providers.alpha]\nurl = "http://127.0.0.1:4711"\n'
    config = read(folder, text + '[[people.members]]\nid = 7\nname = "Åsa"\nroles = ["viewer", "approver"]\n')

    assert config.webhook is not None
    assert (config.webhook.host, config.webhook.port, config.webhook.secret.reveal()) == ("0.0.0.0", 9, WEBHOOK)  # noqa: S104
    assert config.telegram.pacing.overall_per_second == 0
    assert config.telegram.concurrency == 4
    assert config.people.groups == [-5]
    assert config.people.members[0].name == "Åsa"
    assert config.people.members[0].roles == ["viewer", "approver"]
    assert (config.log.level, config.log.format) == ("DEBUG", "json")
    assert config.providers["alpha"].url == "http://127.0.0.1:4711"


def test_the_token_may_come_from_the_environment(folder: Path) -> None:
    text = instead('token_file = "telegram.token"', 'token_env = "BOT_TOKEN"')
    assert read(folder, text, BOT_TOKEN=TOKEN).token.reveal() == TOKEN


BROKEN: dict[str, tuple[str, str, str, str]] = {
    # what: (file, path, a part of what was found, a part of what is expected)
    "no desk": (GOOD.replace('[desk]\ndata_dir = "data"\n', ""), "desk", "nothing", "a table"),
    "no telegram": (GOOD.replace('[telegram]\ntoken_file = "telegram.token"\n', ""), "telegram", "nothing", "a table"),
    "no people": (GOOD.replace("[people]\nadmins = [1001]\n", ""), "people", "nothing", "a table"),
    "no key": (GOOD.replace('[key]\nfile = "master.key"\n', ""), "key", "nothing", "a table"),
    "no data_dir": (without('data_dir = "data"'), "desk.data_dir", "nothing", "a text"),
    "no admins": (without("admins = [1001]"), "people.admins", "nothing", "a list, each item a whole number"),
    "no source of the key": (
        without('file = "master.key"'),
        "key",
        "no source",
        "exactly one of credential, file, command, prompt, env",
    ),
    "two sources of the key": (with_("key", "prompt = true"), "key", "file and prompt", "exactly one of"),
    "a key's credential with a path": (of_key('credential = "../x"'), "key.credential", "masked", "without a path"),
    "a key's command that is not there": (
        of_key('command = ["no-such-program"]'),
        "key.command",
        "no-such-program",
        "can be run",
    ),
    "a key's command that is no list": (of_key('command = "cat x"'), "key.command", "masked", "list"),
    "an empty command for the key": (of_key("command = []"), "key", "no source", "exactly one of"),
    "a key in a variable that is not set": (of_key('env = "NOT_SET"'), "key.env", "not set", "the master key in it"),
    "the key itself as a variable's name": (of_key('env = "csk1-canary"'), "key.env", "masked", "the name of"),
    "no token at all": (without('token_file = "telegram.token"'), "telegram", "neither", "token_file"),
    "two tokens": (with_("telegram", 'token_env = "X"'), "telegram", "both", "either"),
    "empty admins": (instead("[1001]", "[]"), "people.admins", "no admin", "at least one numeric"),
    "a name instead of an id": (instead("[1001]", '["@anna"]'), "people.admins[0]", "'@anna'", "a whole number"),
    "a name among ids": (instead("[1001]", '[1001, "anna"]'), "people.admins[1]", "'anna'", "a whole number"),
    "admins as one number": (instead("[1001]", "1001"), "people.admins", "1001", "a list"),
    "true as an id": (instead("[1001]", "[true]"), "people.admins[0]", "True", "a whole number"),
    "a negative admin": (instead("[1001]", "[-1001]"), "people.admins[0]", "-1001", "numeric Telegram id"),
    "nobody": (instead("[1001]", "[0]"), "people.admins[0]", "0", "numeric Telegram id"),
    "an id of 53 bits": (instead("[1001]", f"[{1 << 52}]"), "people.admins[0]", str(1 << 52), "numeric Telegram id"),
    "the anonymous admin": (instead("[1001]", "[1087968824]"), "people.admins[0]", "1087968824", "a person's"),
    "Telegram itself": (instead("[1001]", "[777000]"), "people.admins[0]", "777000", "a person's"),
    "the same admin twice": (instead("[1001]", "[1001, 1001]"), "people.admins[1]", "1001 again", "once"),
    "the same member twice": (f"{member()}\n{member().removeprefix(GOOD)}", "people.members[1].id", "again", "once"),
    "a member without a name": (member(name='""'), "people.members[0].name", "''", "1 to 64"),
    "a name of 65": (member(name=f'"{"x" * 65}"'), "people.members[0].name", "xxx", "1 to 64"),
    "a name turned round": (member(name='"Anna\\u202e"'), "people.members[0].name", "\\u202e", "printable"),
    "a role nobody has": (member(roles='["boss"]'), "people.members[0].roles[0]", "'boss'", "one of viewer, operator"),
    "no roles": (member(roles="[]"), "people.members[0].roles", "none", "at least one"),
    "a member as text": (with_("people", 'members = ["Olga"]'), "people.members[0]", "'Olga'", "a table"),
    "a group above zero": (with_("people", "groups = [5]"), "people.groups[0]", "5", "negative"),
    "a group by name": (with_("people", 'groups = ["@desk"]'), "people.groups[0]", "'@desk'", "a whole number"),
    "an unknown table": (more("[telegrm]"), "telegrm", "unknown", "`telegram`?"),
    "an unknown key, nearly": (with_("desk", 'time_zon = "UTC"'), "desk.time_zon", "unknown", "`time_zone`?"),
    "an unknown key, wildly": (with_("desk", "xyz = 1"), "desk.xyz", "unknown", "one of data_dir, name"),
    "an unknown key far inside": (more("[telegram.pacing]", "burst = 1"), "telegram.pacing.burst", "unknown", "one of"),
    "an unknown key of a member": (member(role='"x"'), "people.members[0].role", "unknown", "`roles`?"),
    "the token in the file": (with_("telegram", f'token = "{TOKEN}"'), "telegram.token", "unknown", "`token_"),
    "a later word": (more("[orchestra]", "quorum = 3"), "orchestra", "unknown", "one of desk"),
    "a policy that is not there": (more("[policy]", 'file = "gone.toml"'), "policy.file", "gone.toml", "readable"),
    "a beneficiary of nobody": (
        more("[[policy.beneficiaries]]", 'provider = "bank"', 'account = "1"', 'name = "Harbour"'),
        "policy.beneficiaries[0].provider",
        "'bank'",
        "one of alpha",
    ),
    "a wrong zone": (with_("desk", 'time_zone = "Europe/Atlantis"'), "desk.time_zone", "Atlantis", "IANA"),
    "a zone that climbs": (with_("desk", 'time_zone = "../../etc/passwd"'), "desk.time_zone", "passwd", "IANA"),
    "a folder as zone": (with_("desk", 'time_zone = "Europe"'), "desk.time_zone", "'Europe'", "IANA"),
    "a wrong locale": (with_("desk", 'locale = "tlh_XX"'), "desk.locale", "'tlh_XX'", "de_CH"),
    "data_dir as number": (instead('"data"', "5"), "desk.data_dir", "5", "a text"),
    "a desk of text": (GOOD.replace('[desk]\ndata_dir = "data"\n', 'desk = "x"\n'), "desk", "'x'", "a table"),
    "key in data_dir": (instead('"data"', '"."'), "key.file", "master.key", "outside data_dir"),
    "key in data_dir, roundabout": (instead('"data"', '"nowhere/.."'), "key.file", "master.key", "outside"),
    "data_dir is a file": (instead('"data"', '"master.key"'), "desk.data_dir", "master.key", "directory"),
    "data_dir below a file": (instead('"data"', '"master.key/data"'), "desk.data_dir", "master.key", "directory"),
    "http to Telegram": (with_("telegram", 'base_url = "http://te.example/bot"'), "telegram.base_url", "http", "https"),
    "no host": (with_("telegram", 'base_url = "https:///bot"'), "telegram.base_url", "https:///bot", "https://"),
    "half an IPv6": (with_("telegram", 'base_url = "http://[::1"'), "telegram.base_url", "no address", "https"),
    "a port of letters": (with_("telegram", 'base_url = "https://a:b/"'), "telegram.base_url", "no address", "https"),
    "ftp": (with_("telegram", 'base_url = "ftp://127.0.0.1/"'), "telegram.base_url", "ftp", "https://"),
    "a login in it": (
        with_("telegram", 'base_url = "https://u:canary-pw@h.example/"'), "telegram.base_url", "a login", "without"
    ),
    "no concurrency": (with_("telegram", "concurrency = 0"), "telegram.concurrency", "0", "1 to 256"),
    "concurrency as text": (with_("telegram", 'concurrency = "4"'), "telegram.concurrency", "'4'", "whole number"),
    "half a job": (with_("telegram", "concurrency = 1.5"), "telegram.concurrency", "1.5", "a whole number"),
    "negative pacing": (
        more("[telegram.pacing]", "per_chat_per_second = -1"), "telegram.pacing.per_chat_per_second", "-1", "positive"
    ),
    "no number": (
        more("[telegram.pacing]", "overall_per_second = nan"), "telegram.pacing.overall_per_second", "nan", "positive"
    ),
    "for ever": (
        more("[telegram.pacing]", "group_per_minute = inf"), "telegram.pacing.group_per_minute", "inf", "positive"
    ),
    "a level nobody knows": (more("[log]", 'level = "LOUD"'), "log.level", "'LOUD'", "one of DEBUG, INFO"),
    "a format nobody knows": (more("[log]", 'format = "xml"'), "log.format", "'xml'", "one of plain, json"),
    "webhook without secret": (
        more("[telegram.webhook]", 'url = "https://bot.example"'), "telegram.webhook.secret_file", "nothing", "a text"
    ),
    "webhook without address": (
        more("[telegram.webhook]", 'secret_file = "webhook.secret"'), "telegram.webhook.url", "nothing", "a text"
    ),
    "webhook over http": (webhook(url='"http://bot.example/"'), "telegram.webhook.url", "http://bot", "https://"),
    "listen nowhere": (webhook(listen='"8088"'), "telegram.webhook.listen", "'8088'", "host:port"),
    "listen too high": (webhook(listen='"127.0.0.1:65536"'), "telegram.webhook.listen", "65536", "host:port"),
    "listen on ५": (webhook(listen='"127.0.0.1:५"'), "telegram.webhook.listen", "५", "host:port"),
    "secret not there": (webhook(secret_file='"no.secret"'), "telegram.webhook.secret_file", "no such file", "file"),
    "an unknown provider": (more("[providers.beta]"), "providers.beta", "an unknown provider", "one of alpha"),
    "an unknown setting": (
        more("[providers.alpha]", 'api_key = "canary-key"'), "providers.alpha.api_key", "unknown", "one of url"
    ),
    "a provider as text": (more("[providers]", 'alpha = "canary"'), "providers.alpha", "'canary'", "a table"),
    "providers as text": ('providers = "x"\n' + GOOD, "providers", "'x'", "a table"),
    "a provider over http": (
        more("[providers.alpha]", 'url = "http://alpha.example"'), "providers.alpha.url", "http://alpha", "https://"
    ),
    "a stream over ws": (
        more("[providers.alpha]", 'stream_url = "ws://alpha.example"'), "providers.alpha.stream_url", "ws://", "wss://"
    ),
    "almost this machine": (
        more("[providers.alpha]", 'url = "http://127.0.0.1.evil.net"'), "providers.alpha.url", "evil", "loopback only"
    ),
    "not an address": (more("[providers.alpha]", 'url = "alpha"'), "providers.alpha.url", "'alpha'", "of the form"),
    "too fast": (more("[providers.alpha]", "rate = 101"), "providers.alpha.rate", "101", "above 0 and at most 100"),
    "two that do not go together": (more("[providers.alpha]", "rate = 13"), "providers.alpha", "thirteen", "that do"),
    "a certificate not there": (
        more("[providers.alpha]", 'ca_file = "no.pem"'), "providers.alpha.ca_file", "no such file", "PEM"
    ),
    "a certificate that is none": (
        more("[providers.alpha]", 'ca_file = "master.key"'), "providers.alpha.ca_file", "no certificate in it", "PEM"
    ),
}  # fmt: skip


@pytest.mark.parametrize("what", BROKEN)
def test_a_broken_configuration_names_the_place_what_was_found_and_what_is_expected(folder: Path, what: str) -> None:
    text, path, found, expected = BROKEN[what]

    report = problems(folder, text)

    said = [one for one in report if one.path == path]
    assert len(said) == 1, report
    assert found in said[0].found
    assert expected in said[0].expected
    assert len(report) == 1, report
    assert "canary" not in f"{report[0]}".replace("'canary'", "")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_a_key_file_of_another_user_is_a_problem(folder: Path) -> None:
    os.chown(folder / "master.key", 12345, -1)
    (problem,) = problems(folder, GOOD)
    assert problem.path == "key.file"
    assert "of user 12345" in problem.found
    assert "the bot's own file (user 0)" in problem.expected


@pytest.mark.parametrize(
    ("line", "environ"),
    [
        ('credential = "master.key"', {}),
        ('command = ["cat", "master.key"]', {}),
        ('command = ["./print-key"]', {}),
        ("prompt = true", {}),
        ('env = "DESK_KEY"', {"DESK_KEY": "whatever it is"}),
    ],
)
def test_any_one_source_of_the_key_will_do_and_none_is_asked(folder: Path, line: str, environ: dict[str, str]) -> None:
    (folder / "print-key").write_text("#!/bin/sh\ntouch asked\n")
    (folder / "print-key").chmod(0o700)
    name = line.split(" = ")[0]
    assert getattr(read(folder, of_key(line), **environ).key, name)
    assert not (folder / "asked").exists()


def test_everything_wrong_is_in_one_report(folder: Path) -> None:
    (folder / "telegram.token").chmod(0o644)
    (folder / "master.key").chmod(0o640)
    text = """
        [desk]
        data_dir = 5
        time_zone = "Mars"
        colour = "red"
        [telegram]
        token_file = "telegram.token"
        base_url = "http://example.org"
        concurrency = "many"
        [telegram.webhook]
        url = "http://example.org"
        [people]
        admins = ["anna", 0]
        groups = [7]
        [[people.members]]
        name = ""
        [key]
        file = "master.key"
        [log]
        level = 3
        [providers.alpha]
        url = "http://example.org"
        [providers.gamma]
    """
    assert {one.path for one in problems(folder, text)} == {
        "desk.data_dir", "desk.time_zone", "desk.colour",
        "telegram.token_file", "telegram.base_url", "telegram.concurrency",
        "telegram.webhook.url", "telegram.webhook.secret_file",
        "people.admins[0]", "people.admins[1]", "people.groups[0]",
        "people.members[0].id", "people.members[0].name", "people.members[0].roles",
        "key.file", "log.level", "providers.alpha.url", "providers.gamma",
    }  # fmt: skip


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604, 0o666, 0o700 | 0o001])
@pytest.mark.parametrize(
    ("file", "path"),
    [
        ("telegram.token", "telegram.token_file"),
        ("master.key", "key.file"),
        ("webhook.secret", "telegram.webhook.secret_file"),
    ],
)
def test_a_secret_that_others_may_read_is_refused(folder: Path, file: str, path: str, mode: int) -> None:
    (folder / file).chmod(mode)
    (problem,) = problems(folder, webhook())
    assert problem.path == path
    assert f"mode {mode:04o}" in problem.found
    assert problem.expected == f"mode 0600 (chmod 600 {folder / file})"


def test_a_data_directory_open_to_others_is_refused(folder: Path) -> None:
    (folder / "data").mkdir()
    (folder / "data").chmod(0o755)
    (problem,) = problems(folder, GOOD)
    assert (problem.path, "0700" in problem.expected) == ("desk.data_dir", True)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_data_directory_nobody_may_write_in_is_refused(folder: Path) -> None:
    (folder / "data").mkdir(mode=0o500)
    (problem,) = problems(folder, GOOD)
    assert problem.path == "desk.data_dir"


@pytest.mark.parametrize("length", [0, 1, 15, 31, 257])
def test_a_webhook_secret_of_the_wrong_length_is_refused_without_being_shown(folder: Path, length: int) -> None:
    (folder / "webhook.secret").write_text("s" * length)
    (problem,) = problems(folder, webhook())
    assert problem.path == "telegram.webhook.secret_file"
    assert problem.found == f"{length} characters (masked)"
    assert "32 to 256" in problem.expected


def test_a_webhook_secret_of_other_characters_is_refused(folder: Path) -> None:
    (folder / "webhook.secret").write_text("geheim" * 6 + "ß")
    (problem,) = problems(folder, webhook())
    assert "geheim" not in str(problem)


@pytest.mark.parametrize(
    "text", ["", "hello", "123456789:short", f"{TOKEN} {TOKEN}", f"bot{TOKEN}", "１２３:" + "A" * 35]
)
def test_what_is_no_token_is_refused_without_being_shown(folder: Path, text: str) -> None:
    (folder / "telegram.token").write_text(text)
    (problem,) = problems(folder, GOOD)
    assert problem.path == "telegram.token_file"
    assert "masked" in problem.found
    assert "canary" not in str(problem)


def test_a_token_variable_that_is_not_set_is_named_but_not_guessed(folder: Path) -> None:
    (problem,) = problems(folder, instead('token_file = "telegram.token"', 'token_env = "NOPE"'))
    assert (problem.path, problem.found) == ("telegram.token_env", "an environment variable that is not set")


@pytest.mark.parametrize(
    ("text", "path"),
    [
        (instead('"telegram.token"', f'"{TOKEN}"'), "telegram.token_file"),
        (instead('"master.key"', '"csk1-canaryabcdefgh234567"'), "key.file"),
        (webhook(secret_file=f'"{WEBHOOK}"'), "telegram.webhook.secret_file"),
        (instead('token_file = "telegram.token"', f'token_env = "{TOKEN}"'), "telegram.token_env"),
        (instead('token_file = "telegram.token"', f'token_file = ["{TOKEN}"]'), "telegram.token_file"),
        (GOOD.replace('[telegram]\ntoken_file = "telegram.token"\n', f'telegram = "{TOKEN}"\n'), "telegram"),
        (more("[providers.alpha]", 'url = "https://u:canary-pw@h"', "rate = 0"), "providers.alpha.url"),
    ],
)
def test_a_secret_in_the_wrong_place_is_not_printed(folder: Path, text: str, path: str) -> None:
    if text.startswith("\n[desk]") and "telegram = " in text:  # a bare key belongs above the tables
        text = f'telegram = "{TOKEN}"\n' + text.replace(f'telegram = "{TOKEN}"\n', "")
    report = problems(folder, text)
    assert path in [one.path for one in report]
    assert "canary" not in json.dumps([str(one) for one in report])


def test_a_directory_a_pipe_and_a_flood_are_no_token_files(folder: Path) -> None:
    (folder / "dir").mkdir()
    os.mkfifo(folder / "pipe", 0o600)
    (folder / "flood").touch(mode=0o600)
    (folder / "flood").write_bytes(b"1" * 5000)
    for name in ("dir", "pipe", "flood"):
        (problem,) = problems(folder, instead('"telegram.token"', f'"{name}"'))
        assert (problem.path, problem.expected) == ("telegram.token_file", "a small text file")


def test_a_wrong_default_of_one_key_does_not_hide_the_missing_token(folder: Path) -> None:
    report = problems(folder, instead('token_file = "telegram.token"', 'token_file = "gone"\nconcurrency = "x"'))
    assert {one.path for one in report} == {"telegram.token_file", "telegram.concurrency"}


@pytest.mark.parametrize(
    ("content", "found"),
    [
        (b"[desk", "not TOML"),
        (b"a = " + b"[" * 5000, "not TOML"),
        (b"a = " + b"9" * 5000, "not TOML"),
        (b"a = 1\na = 2", "not TOML"),
        (b"\xff\xfe", "not UTF-8"),
    ],
)
def test_what_is_no_text_or_no_toml_is_one_problem(folder: Path, content: bytes, found: str) -> None:
    path = folder / "config.toml"
    path.write_bytes(content)
    with pytest.raises(ConfigError) as caught:
        load(path, PROVIDERS, {})
    (problem,) = caught.value.problems
    assert problem.path == str(path)
    assert found in problem.found


def test_what_every_provider_s_settings_expect_is_said_in_words(folder: Path) -> None:
    wrong = {"live_url": "5", "demo_url": "5", "url": "5", "oauth_app_id": "'five'", "language": "5"}
    tables = (
        f"[providers.{name}]\n" + "".join(f"{key} = {text}\n" for key, text in wrong.items() if key in fields)
        for name, fields in ((name, kind.__struct_fields__) for name, kind in SETTINGS.items())
    )
    path = folder / "config.toml"
    path.write_text(GOOD + "\n".join(tables), encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        load(path, SETTINGS, {})
    said = {problem.path: problem.expected for problem in caught.value.problems}
    assert said["providers.capital.live_url"] == "https://… without a path or a login, or http://… on this machine"
    assert said["providers.deriv.oauth_app_id"] == "the app's number, as a text"
    assert not [expected for expected in said.values() if "of the form" in expected or "\\" in expected]


def test_no_file_and_a_folder_are_one_problem_each(tmp_path: Path) -> None:
    for path, found in ((tmp_path / "none.toml", "no such file"), (tmp_path, "is a directory")):
        with pytest.raises(ConfigError) as caught:
            load(path, PROVIDERS, {})
        assert [one.found for one in caught.value.problems] == [found]


def test_relative_paths_are_relative_to_the_file_also_those_of_certificates(
    folder: Path,
    tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
    certificate: Callable[[], str],
) -> None:
    (folder / "ca.pem").write_text(certificate())
    monkeypatch.chdir(tmp_path_factory.mktemp("elsewhere"))
    config = read(folder, more("[providers.alpha]", 'ca_file = "ca.pem"'))
    assert config.providers["alpha"].ca_file == str(folder / "ca.pem")
    assert config.key.file == folder / "master.key"


def test_nothing_is_asked_of_the_network_and_nothing_is_written(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("a socket")

    monkeypatch.setattr(socket, "socket", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    text = webhook() + '\n[providers.alpha]\nurl = "https://alpha.example"\n'
    read(folder, text)
    before = sorted(os.listdir(folder))
    problems(folder, text + "x = 1\n")
    assert sorted(os.listdir(folder)) == before


def test_a_configuration_shows_no_secret_of_its_own(folder: Path) -> None:
    config = read(folder, webhook())
    assert "canary" not in repr(config)
    assert "canary" not in f"{config} {config.webhook!s} {config.token}"


@pytest.fixture
def certificate() -> Callable[[], str]:
    def make() -> str:
        from bot.loopback.server import make_tls

        return Path(make_tls()[1]).read_text()

    return make
