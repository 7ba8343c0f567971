"""Identifiers: random, readable, and never guessed from one another."""

import secrets

_BASE32 = "abcdefghijkmnpqrstuvwxyz23456789"  # no l, o, 0, 1: read aloud without mistakes


def short_id(length: int = 10) -> str:
    """A row's public id: base-32 text, 5 bits a character."""
    return "".join([_BASE32[byte & 31] for byte in secrets.token_bytes(length)])


def incident_number() -> str:
    """What a person is given when something unforeseen happened, to quote to whoever reads the log."""
    return short_id(6).upper()


def one_time_code() -> str:
    """An invite's secret part: 130 bits, safe in a Telegram deep link."""
    return short_id(26)
