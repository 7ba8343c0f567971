"""Linking a login step by step.

A draft is a record: what has been said so far lies in the drafts table, secrets among it sealed in the vault at once,
so that a restart in the middle loses nothing and shows nothing. Which question comes next follows from what is
missing.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Any

from bot.access.model import Person, Right, Role, Roster
from bot.clock import Clock, to_millis
from bot.errors import ConflictError, InputError, NotAllowedError, ProviderError
from bot.ids import short_id
from bot.messages.cards import Cards, Draft
from bot.operations.connections import Connection, Connections, Wanted, check_field, check_label
from bot.providers.base import LoginField, Spec
from bot.providers.records import Environment
from bot.providers.registry import PROVIDERS, provider_named
from bot.secret import Secret
from bot.vault.service import Subject, Vault

KIND = "connect"
EVERYONE = "everyone at the desk"
NOBODY_ELSE = "only me"
WARY_FOR = timedelta(minutes=10)
_ENDED = "ended"


class Asking(StrEnum):
    """What the draft still lacks."""

    PROVIDER = "provider"
    ENVIRONMENT = "environment"
    LABEL = "label"
    SHARE = "share"
    FIELD = "field"


@dataclass(frozen=True, slots=True)
class Step:
    """The next question. `options` can be tapped as well as typed."""

    asking: Asking
    options: tuple[str, ...]
    spec: Spec | None = None
    field: LoginField | None = None
    draft: str = ""

    @property
    def asks_secret(self) -> bool:
        return self.field is not None and self.field.secret

    @property
    def question(self) -> str:
        """Which question of which draft this is: a button made for another one does not answer it."""
        return f"{self.draft}/{self.asking}/{self.field.key if self.field else ''}"


@dataclass(frozen=True, slots=True)
class Linked:
    """The end: the connection, and what was found with it."""

    connection: Connection
    found: str


class Linking:
    """The guided way to `Connections.link`."""

    def __init__(self, cards: Cards, vault: Vault, connections: Connections, clock: Clock) -> None:
        self._clock = clock
        self._cards = cards
        self._vault = vault
        self._connections = connections

    async def begin(self, person: Person, words: list[str]) -> Step:
        """A fresh draft, filled as far as `words` (provider, environment, label) say."""
        if not person.may(Right.LINK):
            raise NotAllowedError(Right.LINK)
        body: dict[str, Any] = {"id": short_id()}
        for word in words:
            body = await self._with_answer(body, next_step(body), word)
        await self._forget(person)
        await self._cards.save(Draft(person.id, KIND, body))
        return next_step(body)

    async def waiting(self, person: Person) -> Step | None:
        """The open question of this person's draft, if there is one."""
        draft = await self._cards.draft(person.id)
        return next_step(draft.body) if draft is not None and draft.kind == KIND else None

    async def answer(
        self, person: Person, text: str, roster: Roster, *, origin: str, telegram_id: int
    ) -> Step | Linked | None:
        """Take one answer; the next question, or the linked connection; None when nothing was being linked.

        Args:
            origin: What the answer came with. The same twice (a crash came between) is one answer, and never the
                answer to the next question: a password would end up where a name belongs.
        Raises:
            InputError: The answer does not fit; the question stands.
            ProviderError: The last field was given, and the login was not accepted or could not be tried: its secrets
                are erased and asked for again.
            ConflictError: The label was taken meanwhile: the draft is gone.
        """
        draft = await self._cards.draft(person.id)
        if draft is None or draft.kind != KIND:
            return None
        step = next_step(draft.body)
        if draft.body.get("last") == origin:
            return step
        body = {**await self._with_answer(draft.body, step, text), "last": origin}
        if step.field is not None and step.field.secret:
            await self._vault.keep(_subject(person), {step.field.key: Secret(text.strip())})
        following = next_step_or_none(body)
        if following is None:
            return await self._finish(person, body, roster, telegram_id)
        await self._cards.save(Draft(person.id, KIND, body))
        return following

    async def cancel(self, person: Person) -> bool:
        """Throw the draft away, sealed parts too; answers whether there was one."""
        was_linking = await self.waiting(person) is not None
        await self._forget(person)
        if was_linking:
            until = to_millis(self._clock.now() + WARY_FOR)
            await self._cards.save(Draft(person.id, _ENDED, {"until": until}))
        return was_linking

    async def ended_lately(self, person: Person) -> bool:
        """Whether a draft was thrown away minutes ago, so that what is pasted now may still be a secret."""
        draft = await self._cards.draft(person.id)
        if draft is None or draft.kind != _ENDED:
            return False
        return int(draft.body["until"]) > to_millis(self._clock.now())

    async def _forget(self, person: Person) -> None:
        await self._vault.erase(_subject(person).name)
        await self._cards.drop(person.id)

    async def _with_answer(self, body: Mapping[str, Any], step: Step, text: str) -> dict[str, Any]:
        filled = _filled(body, step, text)
        if step.asking is Asking.LABEL:
            try:
                await self._connections.check_free(filled["provider"], filled["label"])
            except ConflictError as error:
                raise InputError(f"{error.reason}; choose another word", f"{filled['label']}-2"[:24]) from None
        return filled

    async def _finish(self, person: Person, body: Mapping[str, Any], roster: Roster, telegram_id: int) -> Linked:
        secrets = await self._vault.open(_subject(person))
        fields = secrets | {key: Secret(value) for key, value in body.get("plain", {}).items()}
        share = frozenset(Role) if body["share"] == EVERYONE else frozenset[Role]()
        wanted = Wanted(body["provider"], body["label"], Environment(body["environment"]), fields, share)
        try:
            connection, found = await self._connections.link(person, wanted, roster, telegram_id=telegram_id)
        except ProviderError:
            await self._ask_secrets_again(person, body)
            raise
        except (ConflictError, NotAllowedError):
            await self.cancel(person)
            raise
        await self._forget(person)
        return Linked(connection, found)

    async def _ask_secrets_again(self, person: Person, body: Mapping[str, Any]) -> None:
        """Everything else stays; what was sealed is erased, and the draft stands before its first secret."""
        await self._vault.erase(_subject(person).name)
        fields = provider_named(body["provider"]).fields
        kept = [field.key for field in fields if field.key in body["given"] and not field.secret]
        await self._cards.save(Draft(person.id, KIND, {**body, "given": kept, "id": short_id()}))


def next_step(body: Mapping[str, Any]) -> Step:
    """The first thing a draft lacks."""
    step = next_step_or_none(body)
    if step is None:
        raise InputError("that is more than needed", "/connect capital demo main")
    return step


def next_step_or_none(body: Mapping[str, Any]) -> Step | None:
    draft = body.get("id", "")
    if "provider" not in body:
        return Step(Asking.PROVIDER, tuple(PROVIDERS), draft=draft)
    spec = provider_named(body["provider"])
    if "environment" not in body:
        return Step(Asking.ENVIRONMENT, tuple(one.value for one in spec.environments), spec, draft=draft)
    if "label" not in body:
        return Step(Asking.LABEL, ("main",), spec, draft=draft)
    if "share" not in body:
        return Step(Asking.SHARE, (EVERYONE, NOBODY_ELSE), spec, draft=draft)
    field = missing_field(body)
    if field is None:
        return None
    return Step(Asking.FIELD, (field.default,) if field.default else (), spec, field, draft)


def missing_field(body: Mapping[str, Any]) -> LoginField | None:
    """The first field of the login that has not been given yet."""
    if "provider" not in body:
        return None
    given = set(body.get("given", ()))
    return next((field for field in provider_named(body["provider"]).fields if field.key not in given), None)


def _filled(body: Mapping[str, Any], step: Step, text: str) -> dict[str, Any]:
    """The draft with one more answer; a secret's text is not part of it, only that it was given."""
    answer = text.strip()
    match step.asking:
        case Asking.PROVIDER | Asking.ENVIRONMENT | Asking.SHARE:
            if answer.lower() not in step.options:
                raise InputError(f"please tap or type one of: {', '.join(step.options)}", step.options[0])
            changed: dict[str, Any] = {**body, step.asking.value: answer.lower()}
            return _with_only_choice(changed)
        case Asking.LABEL:
            check_label(answer.lower())
            return {**body, "label": answer.lower()}
        case Asking.FIELD:
            return _with_field(body, step, answer)


def _with_only_choice(body: dict[str, Any]) -> dict[str, Any]:
    """A provider with one environment is not asked about it."""
    environments = provider_named(body["provider"]).environments
    return {"environment": environments[0].value, **body} if len(environments) == 1 else body


def _with_field(body: Mapping[str, Any], step: Step, answer: str) -> dict[str, Any]:
    field = step.field
    if field is None or step.spec is None:
        raise InputError("nothing is being asked", "/connect")
    check_field(field, answer)
    plain = body.get("plain", {})
    if not field.secret:
        plain = {**plain, field.key: answer}
    return {**body, "plain": plain, "given": [*body.get("given", ()), field.key]}


def _subject(person: Person) -> Subject:
    return Subject(f"draft/{person.id}", person.id, "draft", "draft", "draft")
