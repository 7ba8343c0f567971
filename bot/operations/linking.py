"""Linking a login step by step.

A draft is a record: what has been said so far lies in the drafts table, secrets among it sealed in the vault at once,
so that a restart in the middle loses nothing and shows nothing. Which question comes next follows from what is
missing.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bot.access.model import Person, Right, Roster
from bot.errors import (
    ConflictError,
    ConnectionLockedError,
    InputError,
    NotAllowedError,
    ProviderError,
    RecordUnreadableError,
)
from bot.ids import short_id
from bot.messages.cards import Cards, Draft
from bot.operations.connections import Connections
from bot.operations.credentials import Credentials, Still, Wanted
from bot.operations.linked import Connection
from bot.operations.linking_steps import (
    NOBODY_ELSE,
    Asking,
    Outline,
    Step,
    key_makers,
    next_step,
    next_step_or_none,
    outline_of,
    with_answer,
    with_only_choice,
)
from bot.operations.wariness import Wariness
from bot.providers.base import PublicKey
from bot.providers.records import Findings
from bot.secret import Secret
from bot.store import Database, Tables
from bot.vault.service import Subject, Vault

KIND = "connect"


@dataclass(frozen=True, slots=True)
class Linked:
    """The end: the connection, and what was found with it. `replaced`: it was there, and has another credential now."""

    connection: Connection
    found: Findings
    replaced: bool = False


@dataclass(frozen=True, slots=True)
class LinkedNewKey:
    """The end, when its key was made here: nothing was tried, and the key is to be registered."""

    connection: Connection
    key: PublicKey


class Linking:
    """The guided way to `Credentials.link`, and to `Credentials.replace`.

    Args:
        has_page: There is a page to enter logins on; it is offered first.
    """

    def __init__(
        self,
        database: Database,
        cards: Cards,
        vault: Vault,
        connections: Connections,
        credentials: Credentials,
        wariness: Wariness,
        *,
        has_page: bool = False,
    ) -> None:
        self._has_page = has_page
        self._database = database
        self._wariness = wariness
        self._cards = cards
        self._vault = vault
        self._connections = connections
        self._credentials = credentials

    async def begin(self, person: Person, words: list[str]) -> Step:
        """A fresh draft, filled as far as `words` (provider, environment, label) say."""
        return await self._begin(person, "/connect", words, {"id": short_id(), "page": self._has_page})

    async def begin_new_key(self, person: Person, words: list[str]) -> Step:
        """As `begin`, for a key that is made here."""
        body: dict[str, Any] = {"id": short_id(), "page": self._has_page, "new_key": True}
        makers, line = key_makers(), "/key new"
        if len(makers) == 1:
            body = with_only_choice({**body, "provider": makers[0]})
            words = words[1:] if words and words[0].lower() == makers[0] else words
            line = f"{line} {makers[0]}"
        return await self._begin(person, line, words, body)

    async def _begin(self, person: Person, line: str, words: list[str], body: dict[str, Any]) -> Step:
        """`line` is what stands before the words; nothing is begun unless all of them fit."""
        if not person.may(Right.LINK):
            raise NotAllowedError(Right.LINK)
        for word in words:
            step = next_step(body)
            if step.asking is Asking.LABEL and step.spec is not None and step.spec.environments == (word.lower(),):
                line = f"{line} {word}"
                continue  # the provider's only one, which is not asked about: said all the same, it is no label
            if step.asking not in (Asking.PROVIDER, Asking.ENVIRONMENT, Asking.LABEL):
                raise InputError("the rest is asked for step by step", line)
            try:
                body = await self._with_answer(person, body, step, word)
            except InputError as error:
                raise InputError(error.reason, f"{line} {error.example}") from None
            line = f"{line} {word}"
        await self._forget(person)
        await self._cards.save(Draft(person.id, KIND, body))
        return next_step(body)

    async def begin_replacing(self, person: Person, connection: Connection) -> Step:
        """A draft that asks for the login only. What is no secret of the old one is offered to be kept.

        Raises:
            NotAllowedError: Not the person's own.
            ConnectionLockedError: It waits for its owner's passphrase.
        """
        connection.check_own(person, "replace the credential of")
        body = {
            "id": short_id(),
            "page": self._has_page,
            "provider": connection.provider,
            "environment": connection.environment.value,
            "label": connection.label,
            "share": NOBODY_ELSE,
            "replaces": connection.id,
            "plain": await self._plain_fields(connection),
        }
        await self._forget(person)
        await self._cards.save(Draft(person.id, KIND, body))
        return next_step(body)

    async def _plain_fields(self, connection: Connection) -> dict[str, str]:
        """None when it does not open: to be replaced may be just what it needs."""
        if self._connections.is_locked(connection):
            raise ConnectionLockedError(connection.name)
        try:
            fields = await self._vault.open(connection.subject)
        except RecordUnreadableError:
            return {}
        plain = [field.key for field in connection.spec.fields if not field.secret]
        return {key: fields[key].reveal() for key in plain if key in fields}

    async def waiting(self, person: Person) -> Step | None:
        """The open question of this person's draft, if there is one."""
        draft = await self._cards.draft(person.id)
        return next_step(draft.body) if draft is not None and draft.kind == KIND else None

    async def answer(
        self, person: Person, text: str, roster: Roster, *, origin: str, telegram_id: int
    ) -> Step | Linked | LinkedNewKey | None:
        """Take one answer; the next question, or the linked connection; None when nothing was being linked.

        Args:
            origin: What the answer came with. The same twice (a crash came between) is one answer, and never the
                answer to the next question: a password would end up where a name belongs.
        Raises:
            InputError: The answer does not fit; the question stands.
            ProviderError: The last field was given, and the login was not accepted or could not be tried: its secrets
                are erased, and every field is asked for again.
            ConflictError: The label was taken meanwhile: the draft is gone.
        """
        draft = await self._cards.draft(person.id)
        if draft is None or draft.kind != KIND:
            return None
        step = next_step(draft.body)
        if draft.body.get("last") == origin:
            return step
        body = {**await self._with_answer(person, draft.body, step, text), "last": origin}
        if step.field is not None and step.field.secret and not body.get("new_key"):
            await self._vault.keep(_subject(person), {step.field.key: Secret(text.strip())})
        following = next_step_or_none(body)
        if following is None:
            return await self._finish(person, body, roster, telegram_id)
        await self._cards.save(Draft(person.id, KIND, body))
        return following

    async def outline(self, person: Person) -> Outline | None:
        """What this person may enter on the page now; None when nothing waits for that."""
        draft = await self._cards.draft(person.id)
        if draft is None or draft.kind != KIND:
            return None
        step = next_step_or_none(draft.body)
        if step is None or step.asking is not Asking.WAY:
            return None
        return outline_of(draft.body)

    async def hand_over(
        self, person: Person, outline_id: str, fields: Mapping[str, Secret], roster: Roster, *, telegram_id: int
    ) -> Linked:
        """All fields at once, as they come from the page. Nothing of them is kept unless the login is accepted.

        Raises:
            InputError: A field has not its shape.
            ProviderError: The login was not accepted, or could not be tried; the draft stands as it was.
            ConflictError: The draft is another one by now; or the label was taken meanwhile, and the draft is gone.
        """
        outline = await self.outline(person)
        if outline is None or outline.id != outline_id:
            raise ConflictError("that login is not being linked any more")
        try:
            linked = await self._keep(person, outline, fields, roster, telegram_id)
        except (ConflictError, NotAllowedError):
            if await self.is_still(person, outline):
                await self.cancel(person)
            raise
        await self.done(person, outline)
        return linked

    async def is_still(self, person: Person, outline: Outline) -> bool:
        """Whether that is what the person is linking now."""
        draft = await self._cards.draft(person.id)
        return draft is not None and draft.body.get("id") == outline.id

    def still(self, person: Person, outline: Outline) -> Still:
        """The same within a transaction: `ConflictError` unless it is."""

        def check(tables: Tables) -> None:
            row = tables.conn.execute("SELECT body FROM drafts WHERE person_id = ?", (person.id,)).fetchone()
            if row is None or json.loads(row[0]).get("id") != outline.id:
                raise ConflictError("that login is not being linked any more")

        return check

    async def _keep(
        self, person: Person, outline: Outline, fields: Mapping[str, Secret], roster: Roster, telegram_id: int
    ) -> Linked:
        still = self.still(person, outline)
        if outline.replaces is None:
            wanted = Wanted(outline.spec.name, outline.label, outline.environment, fields, outline.share)
            connection, found = await self._credentials.link(
                person, wanted, roster, telegram_id=telegram_id, still=still
            )
            return Linked(connection, found)
        there = [one for one in await self._connections.everything() if one.id == outline.replaces]
        if not there:
            raise ConflictError("it is gone already")
        found = await self._credentials.replace(person, there[0], fields, roster, telegram_id=telegram_id, still=still)
        return Linked(there[0], found, replaced=True)

    async def done(self, person: Person, outline: Outline) -> None:
        """That draft has reached its end; another one that was begun meanwhile stays."""
        if await self.is_still(person, outline):
            await self._forget(person)

    async def _keep_new_key(
        self, person: Person, outline: Outline, body: Mapping[str, Any], roster: Roster, telegram_id: int
    ) -> LinkedNewKey:
        fields = {key: Secret(value) for key, value in body.get("plain", {}).items()}
        wanted = Wanted(outline.spec.name, outline.label, outline.environment, fields, outline.share)
        connection, key = await self._credentials.link_new_key(
            person, wanted, roster, telegram_id=telegram_id, still=self.still(person, outline)
        )
        return LinkedNewKey(connection, key)

    async def cancel(self, person: Person) -> bool:
        """Throw the draft away, sealed parts too; answers whether there was one. What comes now may be its secret, if
        it had come so far as to ask for one."""
        step = await self.waiting(person)
        await self._vault.erase(_subject(person).name)
        if step is None:
            return False
        if step.asking in (Asking.WAY, Asking.FIELD):
            await self._wariness.begin(person, KIND)
        else:
            await self._cards.drop(person.id)
        return True

    async def prune(self) -> int:
        """Erase what is sealed for drafts that are no more: too old, or given up for something else.

        Answers for how many people there was something.
        """

        def change(tables: Tables) -> int:
            left = tables.conn.execute(
                "SELECT DISTINCT subject FROM sealed WHERE subject LIKE 'draft/%'"
                " AND person_id NOT IN (SELECT person_id FROM drafts WHERE kind = ?)",
                (KIND,),
            ).fetchall()
            for (subject,) in left:
                self._vault.erasing(subject)(tables)
            return len(left)

        return await self._database.write(change)

    async def _forget(self, person: Person) -> None:
        await self._vault.erase(_subject(person).name)
        await self._cards.drop(person.id)

    async def _with_answer(self, person: Person, body: Mapping[str, Any], step: Step, text: str) -> dict[str, Any]:
        filled = with_answer(body, step, text)
        if step.asking is Asking.LABEL:
            await self._check_free(person, f"{filled['provider']}/{filled['label']}")
        return filled

    async def _check_free(self, person: Person, name: str) -> None:
        label = name.split("/")[1]
        for one in await self._connections.everything():
            if one.name == name:
                there = "you have" if one.owner == person.id else "there is"
                replacing = f", or /replace {name} to give it a new login" if one.owner == person.id else ""
                reason = f"{there} a connection {name} already; choose another word{replacing}"
                raise InputError(reason, f"{label}-2"[:24])

    async def _finish(
        self, person: Person, body: Mapping[str, Any], roster: Roster, telegram_id: int
    ) -> Linked | LinkedNewKey:
        outline = outline_of(body)
        linked: Linked | LinkedNewKey
        try:
            if body.get("new_key"):
                linked = await self._keep_new_key(person, outline, body, roster, telegram_id)
            else:
                secrets = await self._vault.open(_subject(person))
                fields = secrets | {key: Secret(value) for key, value in body.get("plain", {}).items()}
                linked = await self._keep(person, outline, fields, roster, telegram_id)
        except ProviderError:
            await self._ask_fields_again(person, body)
            raise
        except (ConflictError, NotAllowedError):
            await self.cancel(person)
            raise
        await self._forget(person)
        return linked

    async def _ask_fields_again(self, person: Person, body: Mapping[str, Any]) -> None:
        """Any of them may have been the wrong one. What was sealed is erased; the rest is offered to be kept."""
        await self._vault.erase(_subject(person).name)
        await self._cards.save(Draft(person.id, KIND, {**body, "given": [], "id": short_id()}))


def _subject(person: Person) -> Subject:
    return Subject(f"draft/{person.id}", person.id, "draft", "draft", "draft")
