"""Codes by the clock: the RFC's own numbers, and which of them count when."""

from datetime import UTC, datetime
from urllib.parse import parse_qs, urlsplit

import pytest

from bot.vault.totp import code_of, digits_in, matching_step, new_seed, provisioning_uri, seed_from, step_of, text_of

SEED = b"12345678901234567890"
"""RFC 6238's, for SHA-1."""


def moment(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


@pytest.mark.parametrize(
    ("seconds", "step", "code"),
    [
        (59, 0x1, "287082"),
        (1111111109, 0x23523EC, "081804"),
        (1111111111, 0x23523ED, "050471"),
        (1234567890, 0x273EF07, "005924"),
        (2000000000, 0x3F940AA, "279037"),
        (20000000000, 0x27BC86AA, "353130"),
    ],
)
def test_the_vectors_of_the_rfc(seconds: int, step: int, code: str) -> None:
    """Appendix B of RFC 6238 has eight digits; six are the last six of them."""
    assert step_of(moment(seconds)) == step
    assert code_of(SEED, step) == code
    assert matching_step(SEED, code, moment(seconds)) == step


@pytest.mark.parametrize(
    ("seconds", "counts"),
    [
        (1111111079, False),  # the step before its own
        (1111111080, True),  # its first second
        (1111111109, True),  # its last
        (1111111110, True),  # the step after it
        (1111111139, True),
        (1111111140, False),
    ],
)
def test_a_code_counts_in_its_own_step_and_the_next(seconds: int, counts: bool) -> None:
    assert matching_step(SEED, "081804", moment(seconds)) == (0x23523EC if counts else None)


@pytest.mark.parametrize("code", ["081805", "81804", "0081804", "", "٠٨١٨٠٤", "081804\n", "O81804"])
def test_nothing_else_is_that_code(code: str) -> None:
    assert matching_step(SEED, code, moment(1111111109)) is None


@pytest.mark.parametrize(
    ("typed", "digits"),
    [
        ("081804", "081804"),
        (" 081 804\n", "081804"),
        ("08180", None),
        ("0818041", None),
        ("O81804", None),
        ("٠٨١٨٠٤", None),
        ("+81804", None),
        ("/cancel", None),
        ("", None),
    ],
)
def test_six_digits_however_they_are_grouped(typed: str, digits: str | None) -> None:
    assert digits_in(typed) == digits


def test_the_seed_as_devices_take_it() -> None:
    assert text_of(SEED) == "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"
    assert seed_from("GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ") == SEED


def test_the_picture_s_text() -> None:
    assert provisioning_uri(SEED, "Olga & Söhne/1", "Treasury: desk") == (
        "otpauth://totp/Treasury%3A%20desk:Olga%20%26%20S%C3%B6hne%2F1"
        "?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&issuer=Treasury%3A%20desk&algorithm=SHA1&digits=6&period=30"
    )
    query = parse_qs(urlsplit(provisioning_uri(SEED, "a?secret=x", "b&digits=1")).query)
    assert query["secret"] == ["GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"]
    assert query["digits"] == ["6"]


def test_a_new_seed_is_twenty_bytes_that_no_other_is() -> None:
    seeds = {new_seed() for _ in range(200)}
    assert len(seeds) == 200
    assert {len(seed) for seed in seeds} == {20}
