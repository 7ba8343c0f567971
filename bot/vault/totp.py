"""Time-based one-time codes (RFC 6238). Pure: a seed and a moment in, a code or a step out.

SHA-1, six digits, steps of 30 seconds. A code counts in its own step and in the one after it, and never a second time:
whoever accepts a step stores it and asks for a greater one.
"""

import base64
import hmac
import os
from datetime import datetime
from typing import Final
from urllib.parse import quote

from cryptography.hazmat.primitives.hashes import SHA1
from cryptography.hazmat.primitives.twofactor.totp import TOTP

from bot.clock import to_millis

SEED_BYTES: Final = 20
DIGITS: Final = 6
STEP_SECONDS: Final = 30
_STEPS_BACK = 1
"""A person needs a moment to type, and their phone's clock is not ours."""


def new_seed() -> bytes:
    """From the operating system."""
    return os.urandom(SEED_BYTES)


def step_of(moment: datetime) -> int:
    """The number of the step `moment` lies in."""
    return to_millis(moment) // (STEP_SECONDS * 1000)


def code_of(seed: bytes, step: int) -> str:
    """The code of one step."""
    return _generator(seed).generate(step * STEP_SECONDS).decode()


def matching_step(seed: bytes, code: str, now: datetime) -> int | None:
    """The latest step, of those that count at `now`, whose code this is. Takes as long for a wrong one."""
    this = step_of(now)
    fits = [step for step in range(this - _STEPS_BACK, this + 1) if _same(code_of(seed, step), code)]
    return max(fits, default=None)


def digits_in(text: str) -> str | None:
    """The six digits a person typed, however they grouped them; None when it is anything else."""
    digits = "".join(text.split())
    return digits if len(digits) == DIGITS and digits.isascii() and digits.isdigit() else None


def text_of(seed: bytes) -> str:
    """The seed as authenticator apps take it: base 32."""
    return base64.b32encode(seed).decode().rstrip("=")


def seed_from(text: str) -> bytes:
    """The way back."""
    return base64.b32decode(text + "=" * (-len(text) % 8))


def provisioning_uri(seed: bytes, account: str, issuer: str) -> str:
    """What the picture says. `cryptography` would write the issuer's spaces as `+`, which some apps show as that.

    Source:
        https://github.com/google/google-authenticator/wiki/Key-Uri-Format
    """
    label = f"{quote(issuer, safe='')}:{quote(account, safe='')}"
    how = f"algorithm=SHA1&digits={DIGITS}&period={STEP_SECONDS}"
    return f"otpauth://totp/{label}?secret={text_of(seed)}&issuer={quote(issuer, safe='')}&{how}"


def _generator(seed: bytes) -> TOTP:
    return TOTP(seed, DIGITS, SHA1(), STEP_SECONDS)  # noqa: S303  # as RFC 6238 has it, inside an HMAC


def _same(one: str, other: str) -> bool:
    return hmac.compare_digest(one.encode(), other.encode())
