"""What a login that is being linked still lacks, and what an answer makes of it; nothing is opened here.

A draft is a mapping as it lies in the drafts table. Which question comes next follows from what is missing.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from bot.access.model import Role
from bot.errors import InputError
from bot.operations.fields import check_field, check_label, fits
from bot.providers.base import LoginField, Spec
from bot.providers.records import Environment
from bot.providers.registry import PROVIDERS, provider_named

EVERYONE = "everyone at the desk"
NOBODY_ELSE = "only me"
IN_THE_CHAT = "type it here instead"
NEW_KEY = "make a new key"
"""Where the provider knows its clients by public keys, and nothing is replaced: the secret fields are made here."""


class Asking(StrEnum):
    """What the draft still lacks."""

    PROVIDER = "provider"
    ENVIRONMENT = "environment"
    LABEL = "label"
    SHARE = "share"
    WAY = "way"
    """Whether the login is entered on the page or in the chat; asked only where there is a page."""
    FIELD = "field"


@dataclass(frozen=True, slots=True)
class Step:
    """The next question. `options` can be tapped as well as typed."""

    asking: Asking
    options: tuple[str, ...]
    spec: Spec | None = None
    field: LoginField | None = None
    draft: str = ""
    earlier: str | None = None
    """What was given for this field before the login was refused: one of the options."""
    name: str = ""
    """Of the connection, once it has one, e.g. `capital/main`."""

    @property
    def asks_secret(self) -> bool:
        """What is typed may be a secret; also while the page is offered for it."""
        return self.asking is Asking.WAY or (self.field is not None and self.field.secret)

    @property
    def question(self) -> str:
        """Which question of which draft this is: a button made for another one does not answer it."""
        return f"{self.draft}/{self.asking}/{self.field.key if self.field else ''}"

    def looks_secret(self, text: str) -> bool:
        """Whether text said elsewhere may be the secret that is asked for here: of its shape, and no word of a talk.

        Some fields take any text at all, so one long word, or a shorter one with a digit, is asked for besides.
        """
        word = text.strip()
        if self.field is None or not self.field.secret or not fits(self.field, word) or len(word.split()) != 1:
            return False
        return len(word) >= 15 or (len(word) >= 8 and any(map(str.isdigit, word)))


@dataclass(frozen=True, slots=True)
class Outline:
    """A draft that has everything but the login's fields, which its owner may enter on the page."""

    id: str
    spec: Spec
    environment: Environment
    label: str
    share: frozenset[Role]
    replaces: int | None = None
    """The connection that is there already, when it is to get another credential."""

    @property
    def name(self) -> str:
        return f"{self.spec.name}/{self.label}"


def next_step(body: Mapping[str, Any]) -> Step:
    """The first thing a draft lacks."""
    step = next_step_or_none(body)
    if step is None:
        raise InputError("that is more than needed", "/connect capital demo main")
    return step


def next_step_or_none(body: Mapping[str, Any]) -> Step | None:
    """None when it lacks nothing."""
    draft = body.get("id", "")
    if "provider" not in body:
        return Step(Asking.PROVIDER, key_makers() if body.get("new_key") else tuple(PROVIDERS), draft=draft)
    spec = provider_named(body["provider"])
    if "environment" not in body:
        return Step(Asking.ENVIRONMENT, tuple(one.value for one in spec.environments), spec, draft=draft)
    if "label" not in body:
        return Step(Asking.LABEL, ("main",), spec, draft=draft)
    if "share" not in body:
        return Step(Asking.SHARE, (EVERYONE, NOBODY_ELSE), spec, draft=draft)
    new_key = (NEW_KEY,) if spec.make_key is not None and "replaces" not in body else ()
    if body.get("page") and "way" not in body and not body.get("new_key"):
        return Step(Asking.WAY, (IN_THE_CHAT, *new_key), spec, draft=draft)
    field = _missing_field(body, spec)
    if field is None:
        return None
    earlier = body.get("plain", {}).get(field.key)
    options = dict.fromkeys(option for option in (earlier, field.default, *(new_key if field.secret else ())) if option)
    return Step(Asking.FIELD, tuple(options), spec, field, draft, earlier, f"{spec.name}/{body['label']}")


def _missing_field(body: Mapping[str, Any], spec: Spec) -> LoginField | None:
    """The first field of the login that has not been given yet; a key that is made here is not asked for."""
    given, made = set(body.get("given", ())), bool(body.get("new_key"))
    return next((field for field in spec.fields if field.key not in given and not (field.secret and made)), None)


def with_answer(body: Mapping[str, Any], step: Step, text: str) -> dict[str, Any]:
    """The draft with one more answer; a secret's text is not part of it, only that it was given."""
    answer = text.strip()
    match step.asking:
        case Asking.PROVIDER | Asking.ENVIRONMENT | Asking.SHARE | Asking.WAY:
            if answer.lower() not in step.options:
                raise _no_option(step)
            changed: dict[str, Any] = {**body, step.asking.value: answer.lower()}
            if answer.lower() == NEW_KEY:
                changed["new_key"] = True
            return with_only_choice(changed)
        case Asking.LABEL:
            check_label(answer.lower())
            return {**body, "label": answer.lower()}
        case Asking.FIELD:
            return _with_field(body, step, answer)


def _no_option(step: Step) -> InputError:
    if step.asking is not Asking.WAY:
        return InputError(f"please choose one of: {', '.join(step.options)}", step.options[0])
    others = " or ".join(f"“{option.capitalize()}”" for option in step.options)
    return InputError(f"nothing that is typed is read yet: open the secure page, or tap {others} first", "")


def with_only_choice(body: dict[str, Any]) -> dict[str, Any]:
    """A provider with one environment is not asked about it."""
    environments = provider_named(body["provider"]).environments
    return {"environment": environments[0].value, **body} if len(environments) == 1 else body


def _with_field(body: Mapping[str, Any], step: Step, answer: str) -> dict[str, Any]:
    field = step.field
    if field is None or step.spec is None:
        raise InputError("nothing is being asked", "/connect")
    if NEW_KEY in step.options and answer.lower() == NEW_KEY:
        return {**body, "new_key": True}
    check_field(field, answer)
    plain = body.get("plain", {})
    if not field.secret:
        plain = {**plain, field.key: answer}
    return {**body, "plain": plain, "given": [*body.get("given", ()), field.key]}


def key_makers() -> tuple[str, ...]:
    return tuple(spec.name for spec in PROVIDERS.values() if spec.make_key is not None)


def outline_of(body: Mapping[str, Any]) -> Outline:
    """Of a draft that lacks nothing but fields, and the way they are given."""
    spec, environment = provider_named(body["provider"]), Environment(body["environment"])
    share = frozenset(Role) if body["share"] == EVERYONE else frozenset[Role]()
    return Outline(body["id"], spec, environment, body["label"], share, body.get("replaces"))
