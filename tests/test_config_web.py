"""The table [web]: an origin that is encrypted or on this machine, and a place to listen."""

from pathlib import Path

import pytest

from bot.config import Config, load
from bot.errors import ConfigError
from bot.wiring import provider_settings
from tests.support.desk import write_desk


def read(folder: Path, more: str) -> Config:
    return load(write_desk(folder, more=more), provider_settings(), {})


def problems(folder: Path, more: str) -> list[str]:
    with pytest.raises(ConfigError) as wrong:
        read(folder, more)
    return [str(problem) for problem in wrong.value.problems]


@pytest.mark.parametrize(
    ("url", "origin", "encrypted"),
    [
        ("https://Bot.example.com", "https://bot.example.com", True),
        ("https://bot.example.com:8443/", "https://bot.example.com:8443", True),
        ("http://127.0.0.1:8089", "http://127.0.0.1:8089", False),
        ("http://localhost:1/", "http://localhost:1", False),
    ],
)
def test_an_address_becomes_an_origin(tmp_path: Path, url: str, origin: str, encrypted: bool) -> None:
    web = read(tmp_path, f'[web]\npublic_url = "{url}"').web
    assert web is not None
    assert (web.origin, web.is_encrypted, web.host, web.port) == (origin, encrypted, "127.0.0.1", 8089)


def test_without_the_table_there_are_no_pages(tmp_path: Path) -> None:
    assert read(tmp_path, "").web is None


@pytest.mark.parametrize(
    ("table", "expected"),
    [
        ('public_url = "http://bot.example.com"', "https://…, or http://… on loopback only"),
        ('public_url = "ftp://127.0.0.1"', "https://…, or http://… on loopback only"),
        ('public_url = "bot.example.com"', "https://…, or http://… on loopback only"),
        ('public_url = "https://me:secret@bot.example.com"', "an address without one"),
        ('public_url = "https://bot.example.com/desk"', "an address without a path, e.g. https://bot.example.com"),
        ('public_url = "https://bot.example.com/?a=1"', "an address without a path, e.g. https://bot.example.com"),
        ('public_url = "https://bot.example.com"\nlisten = "8089"', "host:port, e.g. 127.0.0.1:8088"),
        ('public_url = "https://bot.example.com"\nlisten = "127.0.0.1:99999"', "host:port, e.g. 127.0.0.1:8088"),
        ('listen = "127.0.0.1:8089"', "a text"),
        ('public_url = "https://bot.example.com"\npath = "/x"', "one of public_url, listen"),
    ],
    ids=range(10),
)
def test_what_cannot_be_is_one_problem(tmp_path: Path, table: str, expected: str) -> None:
    (problem,) = problems(tmp_path, f"[web]\n{table}")
    assert problem.endswith(f"expected {expected}")
    assert problem.startswith("web.")
    assert "secret" not in problem


def test_a_login_page_needs_pages_to_come_back_to(tmp_path: Path) -> None:
    assert problems(tmp_path, '[providers.deriv]\noauth_app_id = "12345"') == [
        "providers.deriv.oauth_app_id: found no table [web], expected one, for people to come back to"
    ]
    more = '[providers.deriv]\noauth_app_id = "12345"\n[web]\npublic_url = "https://bot.example.com"'
    assert read(tmp_path, more).providers["deriv"].oauth_app_id == "12345"
