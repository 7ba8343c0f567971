"""Clients: their details, papers, and who brought whom. Pure."""

from collections.abc import Iterator, Mapping

import msgspec

from bot.providers.crm import body as bodies
from bot.providers.crm.wire.grammar import Created, Field, Id, Page, Phone, Request, Text, fit, get, segment, send
from bot.providers.crm.wire.reading import Client, TradingAccount


class Named(msgspec.Struct, frozen=True):
    """Somebody of the back office, in one line."""

    id: Text | None = None
    name: Text | None = None
    email: Text | None = None


class Profile(msgspec.Struct, frozen=True):
    """One client, asked for by id."""

    id: Id
    name: Text | None = None
    email: Text | None = None
    phone: Phone | None = None
    type: Text | None = None
    created_at: Text | None = None
    referral_code: Text | None = None
    owner: Named | None = None
    participants: tuple[Named, ...] | None = None
    trading_accounts: tuple[TradingAccount, ...] | None = None


class Branch(msgspec.Struct, frozen=True):
    """A client and who hangs from them, to any depth."""

    id: Text | None = None
    email: Text | None = None
    phone: Phone | None = None
    downlines: tuple["Branch", ...] | None = None
    uplines: tuple["Branch", ...] | None = None

    def walk(self, depth: int = 0) -> Iterator[tuple[int, "Branch"]]:
        """This one and everybody below, with how far below."""
        yield depth, self
        for inner in (*(self.downlines or ()), *(self.uplines or ())):
            yield from inner.walk(depth + 1)


class Validity(msgspec.Struct, frozen=True):
    """Whether a pair of e-mail and password is a client's. [N]"""

    valid: bool
    id: Text | None = None


def build_clients_of(skip: int, limit: int, *, type_: str | None, suspended: bool) -> Request:
    """A part of the list of clients. `type_`: `ib` or `trader`."""
    chosen: dict[str, str | int] = {"skip": skip, "limit": limit}
    if type_ is not None:
        chosen["type"] = type_
    if suspended:
        chosen["suspended"] = "true"
    return get("/users", **chosen)


def build_client(user_id: str) -> Request:
    return get(f"/users/{segment(user_id)}", owner="true", participants="true")


def build_details(user_id: str) -> Request:
    return get(f"/users/{segment(user_id)}/details")


def build_kyc(user_id: str) -> Request:
    """[N]: beside the documented `/profile/submit`."""
    return get(f"/users/{segment(user_id)}/profile")


def build_kyc_submission(user_id: str, form_id: str, fields: Mapping[str, bodies.Value]) -> Request:
    return send("POST", f"/users/{segment(user_id)}/profile/submit", {"form_id": form_id, **fields})


def build_validation(email: str, password: str) -> Request:
    """[N]"""
    return send("POST", "/users/validate", {"email": email, "password": password})


def build_new_client(fields: bodies.Fields) -> Request:
    return send("POST", "/users/create", fields)


def build_uplines(user_id: str | None, email: str | None) -> Request:
    """[N]: as downlines."""
    return send("POST", "/users/uplines", {"user_id": user_id, "email": email})


def build_downlines(user_id: str | None, email: str | None) -> Request:
    return send("POST", "/users/downlines", {"user_id": user_id, "email": email})


def build_new_lead(fields: bodies.Fields) -> Request:
    """[N]"""
    return send("POST", "/leads/create", fields)


def parse_client_page(reply: bytes) -> Page[Client]:
    return fit("clients", reply, Page[Client])


def parse_profile(reply: bytes) -> Profile:
    return fit("client", reply, Profile)


def parse_fields(reply: bytes) -> tuple[Field, ...]:
    return fit("details", reply, tuple[Field, ...])


def parse_branch(reply: bytes) -> Branch:
    return fit("lines", reply, Branch)


def parse_validity(reply: bytes) -> Validity:
    return fit("validation", reply, Validity)


def parse_created(reply: bytes) -> Created:
    """An answer whose shape is not tabled: an id when there is one; nothing at all is fine, too."""
    return fit("created", reply, Created) if reply.strip() else Created()
