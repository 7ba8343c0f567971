"""Lists of markets that a person keeps there. Pure. Source: reference, Watchlists."""

from collections.abc import Sequence
from typing import Annotated

import msgspec

from bot.providers.capital.wire.grammar import BASE, Id, Name, Request, fit, path, told

NAME_LENGTH = 20
SOME_LEFT_OUT = "SUCCESS_NOT_ALL_INSTRUMENTS_ADDED"


class Watchlist(msgspec.Struct, frozen=True, rename="camel"):
    """One list, without what is on it."""

    id: Id
    name: Name
    editable: bool = True
    deleteable: bool = True
    """Spelled as there."""
    default_system_watchlist: bool = False


class Made(msgspec.Struct, frozen=True, rename="camel"):
    """A list that was made."""

    watchlist_id: Id
    status: Annotated[str, msgspec.Meta(max_length=100)]

    @property
    def is_whole(self) -> bool:
        """Whether everything that was to be on it is."""
        return self.status != SOME_LEFT_OUT


class _Watchlists(msgspec.Struct, frozen=True):
    watchlists: tuple[Watchlist, ...]


def build_watchlists() -> Request:
    return Request("GET", f"{BASE}/watchlists")


def build_watchlist(number: str) -> Request:
    return Request("GET", path("watchlists", number))


def build_new(name: str, epics: Sequence[str]) -> Request:
    return told("POST", f"{BASE}/watchlists", {"name": name, **({"epics": tuple(epics)} if epics else {})})


def build_addition(number: str, epic: str) -> Request:
    return told("PUT", path("watchlists", number), {"epic": epic})


def build_removal(number: str, epic: str) -> Request:
    return Request("DELETE", path("watchlists", number, epic))


def build_deletion(number: str) -> Request:
    return Request("DELETE", path("watchlists", number))


def parse_watchlists(body: bytes) -> tuple[Watchlist, ...]:
    return fit("watchlists", body, _Watchlists).watchlists


def parse_made(body: bytes) -> Made:
    return fit("watchlist", body, Made)
