"""Logins made at a provider's own page: the way there, the way back, and the accounts that came of it.

One browser was sent there, known by a cookie; from the cookie grows the `state` that travels to the provider and back,
so that neither an account somebody else logged in to nor somebody else's link is ever taken for one's own. What the
provider handed over lies sealed until its owner has chosen, ten minutes at most.
"""

import hashlib
import hmac
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bot.access.model import Person
from bot.access.service import Access
from bot.audit.service import Audit
from bot.clock import Clock
from bot.errors import ConflictError, CountersignError, EntryRefusedError
from bot.messages.notice import Lane, Notice
from bot.messages.outbox import Outbox
from bot.operations import one_time
from bot.operations.connections import Connections
from bot.operations.credentials import Credentials, Wanted
from bot.operations.entry import GONE, Entry, linked_line, one_who_may_link
from bot.operations.linking import Linked, Linking
from bot.operations.linking_steps import Outline
from bot.operations.one_time import Entrance, Purpose
from bot.ports import Deed
from bot.providers.records import Environment
from bot.providers.redirecting import Granted, Redirect
from bot.secret import Secret
from bot.store import Database, Tables
from bot.vault.service import Subject, Vault

BETWEEN_LOGINS_SECONDS = 1.0
"""Several logins at one provider are tried one after the other: more than one a second is refused by some."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """Accounts that a provider's own login page gave access to, not linked yet."""

    key: str
    person: Person
    telegram_id: int
    outline: Outline
    link: str
    """The key of the link through which it was begun."""
    accounts: tuple[Granted, ...]

    @property
    def subject(self) -> Subject:
        return one_time.sealed_for(self.key, self.person.id)


@dataclass(frozen=True, slots=True)
class Attempt:
    """What became of one account."""

    account: str
    linked: Linked | None
    trouble: CountersignError | None = None


class Logins:
    """The logins that are on their way.

    Args:
        settings: Each provider's table of the configuration.
    """

    def __init__(
        self,
        database: Database,
        access: Access,
        linking: Linking,
        connections: Connections,
        credentials: Credentials,
        vault: Vault,
        audit: Audit,
        outbox: Outbox,
        clock: Clock,
        settings: Mapping[str, Any],
    ) -> None:
        self._database = database
        self._access = access
        self._linking = linking
        self._connections = connections
        self._credentials = credentials
        self._vault = vault
        self._audit = audit
        self._outbox = outbox
        self._clock = clock
        self._settings = settings
        self._being_tried: set[str] = set()

    # there

    def address(self, entry: Entry) -> str | None:
        """Where the provider's own login page is, without the state; None when there is none for us."""
        return self._leads_to(entry.outline, "")

    async def begin(self, entry: Entry) -> tuple[Secret, str]:
        """Send a browser to the provider's login page: the cookie it is to keep, and the address.

        Raises:
            EntryRefusedError: This provider has no such page, or the configuration names no app of ours there.
        """
        cookie = one_time.random_secret()
        address = self._leads_to(entry.outline, _state(cookie))
        if address is None:
            raise EntryRefusedError("this provider has no login page for that")
        link = one_time.key_of(entry.token)
        body = {"draft": entry.outline.id, "telegram_id": entry.telegram_id, "link": link, "accounts": []}
        deed = Deed("login.begun", entry.outline.name, entry.person.id, entry.telegram_id)

        def change(tables: Tables) -> None:
            one_time.add(tables, cookie, entry.person, Purpose.REDIRECT, body, self._clock.now())
            self._audit.record(tables, deed)

        await self._database.write(change)
        return cookie, address

    # back

    async def take_back(self, provider: str, cookie: Secret, query: Mapping[str, str]) -> None:
        """The browser is back with what the provider gave it: seal that, for its owner to say which of it to link.

        Raises:
            EntryRefusedError: Not the browser that was sent there, not with its state, too late, or with nothing.
        """
        waiting = await self._waiting(cookie)
        if waiting.outline.spec.name != provider or not hmac.compare_digest(
            query.get("state", "").encode(), _state(cookie).encode()
        ):
            raise EntryRefusedError("this login was not begun here; /connect begins a new one", is_over=True)
        granted = self._redirect(waiting.outline).granted(self._settings[provider], query)
        if not granted:
            title = waiting.outline.spec.title
            raise EntryRefusedError(f"{title} gave access to no account; /connect begins anew", is_over=True)
        listed = [[one.account, one.environment, one.currency] for one in granted]
        sealed = {one.account or "-": _packed_fields(one) for one in granted}
        keeping = self._vault.keeping(waiting.subject, sealed)
        deed = Deed(
            "login.returned", waiting.outline.name, waiting.person.id, waiting.telegram_id, {"accounts": len(granted)}
        )

        def change(tables: Tables) -> None:
            there = self._alive(tables, cookie)
            if there is None or there.body["accounts"]:
                raise EntryRefusedError(GONE, is_over=True)
            one_time.fill(tables, there, {**there.body, "accounts": listed})
            keeping(tables)
            self._audit.record(tables, deed)

        await self._database.write(change)

    async def waiting(self, cookie: Secret) -> Waiting:
        """The accounts to choose from. `EntryRefusedError` when there are none (any more)."""
        waiting = await self._waiting(cookie)
        if not waiting.accounts:
            raise EntryRefusedError(GONE, is_over=True)
        return waiting

    # chosen

    async def link_granted(self, cookie: Secret, chosen: frozenset[str]) -> list[Attempt]:
        """Try and link each chosen account, under its number as the label; tell the chat; forget the rest.

        Raises:
            EntryRefusedError: Used, too late, or being done already.
        """
        waiting = await self.waiting(cookie)
        if waiting.key in self._being_tried:
            raise EntryRefusedError("this is being done already; wait a moment")
        self._being_tried.add(waiting.key)
        try:
            opened = await self._vault.open(waiting.subject)
            wanted = [one for one in waiting.accounts if one.account in chosen and (one.account or "-") in opened]
            attempts: list[Attempt] = []
            for one in wanted:
                if attempts and attempts[-1].linked is not None:
                    await self._clock.sleep(BETWEEN_LOGINS_SECONDS)
                attempts.append(await self._attempt(waiting, one, _unpacked_fields(opened[one.account or "-"])))
            await self._settle(waiting, attempts)
        finally:
            self._being_tried.discard(waiting.key)
        return attempts

    async def expire(self) -> int:
        """Forget the logins whose time is over; answers how many there were.

        What a provider handed over for one, and nobody chose, is erased, and that is a row of the log.
        """
        now = self._clock.now()
        if self._being_tried or not await self._database.read(
            lambda tables: one_time.is_any_over(tables, Purpose.REDIRECT, now)
        ):
            return 0

        def change(tables: Tables) -> int:
            over = one_time.forget_over(tables, Purpose.REDIRECT, now)
            for there in over:
                if self._vault.erasing_any(tables, one_time.sealed_for(there.key, there.person_id).name):
                    details = {"accounts": len(there.body["accounts"]), "for_person": there.person_id}
                    self._audit.record(tables, Deed("login.abandoned", f"person/{there.person_id}", details=details))
            return len(over)

        return await self._database.write(change)

    async def _attempt(self, waiting: Waiting, one: Granted, fields: Mapping[str, Secret]) -> Attempt:
        outline = waiting.outline
        label = one.account.lower() or outline.label
        environment = one.environment or outline.environment
        wanted = Wanted(outline.spec.name, label, environment, fields, outline.share)
        try:
            person = await self._still_linking(waiting)
            linked = await self._link_or_replace(waiting, person, wanted)
        except CountersignError as error:
            return Attempt(one.account or label, None, error)
        return Attempt(one.account or label, linked)

    async def _still_linking(self, waiting: Waiting) -> Person:
        """The person as they are now. Earlier accounts took their time, and much can happen meanwhile.

        Raises:
            ConflictError: They may not link any more, or have given this up.
        """
        person = one_who_may_link(self._access, waiting.person.id)
        if person is None or not await self._linking.is_still(person, waiting.outline):
            raise ConflictError("that login is not being linked any more")
        return person

    async def _link_or_replace(self, waiting: Waiting, person: Person, wanted: Wanted) -> Linked:
        """A connection of the person's own that is called like that gets the new login."""
        roster, telegram_id = self._access.roster, waiting.telegram_id
        still = self._linking.still(person, waiting.outline)
        for there in await self._connections.everything():
            if there.name == f"{wanted.provider}/{wanted.label}" and there.owner == person.id:
                found = await self._credentials.replace(
                    person, there, wanted.fields, roster, telegram_id=telegram_id, still=still
                )
                return Linked(there, found, replaced=True)
        connection, found = await self._credentials.link(person, wanted, roster, telegram_id=telegram_id, still=still)
        return Linked(connection, found)

    async def _settle(self, waiting: Waiting, attempts: list[Attempt]) -> None:
        """The tokens are erased; with the first account that was linked the draft has reached its end."""
        lines = tuple(linked_line(one.linked) for one in attempts if one.linked is not None)
        if lines:
            await self._linking.done(waiting.person, waiting.outline)

        def change(tables: Tables) -> None:
            now, person = self._clock.now(), waiting.person
            self._vault.erasing(waiting.subject.name)(tables)
            one_time.use_up(tables, waiting.key, now)
            details = {"linked": len(lines), "accounts": len(waiting.accounts)}
            self._audit.record(
                tables, Deed("login.settled", waiting.outline.name, person.id, waiting.telegram_id, details)
            )
            if lines:
                one_time.use_up(tables, waiting.link, now)
                self._audit.record(tables, Deed("entry.used", f"person/{person.id}", person.id, waiting.telegram_id))
                self._outbox.put(tables, Notice(Lane.EVENTS, waiting.telegram_id, "Entered on the page", lines))

        await self._database.write(change)

    # rows

    def _alive(self, tables: Tables, cookie: Secret) -> Entrance | None:
        return one_time.alive(tables, cookie, Purpose.REDIRECT, self._clock.now())

    async def _waiting(self, cookie: Secret) -> Waiting:
        there = await self._database.read(lambda tables: self._alive(tables, cookie))
        person = one_who_may_link(self._access, there.person_id) if there is not None else None
        outline = await self._linking.outline(person) if person is not None else None
        if there is None or person is None or outline is None or outline.id != there.body["draft"]:
            raise EntryRefusedError(GONE, is_over=True)
        accounts = tuple(
            Granted(account, Environment(environment) if environment else None, currency, {})
            for account, environment, currency in there.body["accounts"]
        )
        return Waiting(there.key, person, there.body["telegram_id"], outline, there.body["link"], accounts)

    def _leads_to(self, outline: Outline, state: str) -> str | None:
        redirect = outline.spec.redirect if outline.replaces is None else None  # its accounts become new connections
        return redirect.leads_to(self._settings[outline.spec.name], state) if redirect is not None else None

    @staticmethod
    def _redirect(outline: Outline) -> Redirect:
        if outline.spec.redirect is None:
            raise EntryRefusedError("this provider has no login page for that")
        return outline.spec.redirect


def _state(cookie: Secret) -> str:
    """What travels through the provider's hands and logs; the cookie cannot be told from it."""
    return hmac.new(cookie.reveal().encode(), b"state", hashlib.sha256).hexdigest()


def _packed_fields(one: Granted) -> Secret:
    return Secret(json.dumps({key: value.reveal() for key, value in one.fields.items()}))


def _unpacked_fields(sealed: Secret) -> dict[str, Secret]:
    return {key: Secret(value) for key, value in json.loads(sealed.reveal()).items()}
