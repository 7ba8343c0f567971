"""Errors become sentences here, and only here: what happened, and what to do next. One for each class of the tree."""

import difflib
from collections.abc import Iterable
from html import escape

from bot.access.model import Right
from bot.errors import (
    BusyError,
    ConflictError,
    CountersignError,
    CredentialRefusedError,
    FaultError,
    InputError,
    NotAllowedError,
    NotFoundError,
    OutcomeUnknownError,
    ProviderError,
    RecordUnreadableError,
    RefusedError,
    ReplyError,
    ScopeMissingError,
    SilentError,
    StoreBusyError,
    StoreDamagedError,
    StoreError,
    StoreFullError,
    UnconfiguredError,
    UnreachableError,
    UnsupportedError,
    VaultError,
)
from bot.providers.registry import PROVIDERS


def sentence(error: CountersignError, connection: str | None = None) -> str:
    """Plain text for a person (not escaped). `connection` names the login it was about, e.g. `capital/main`."""
    if isinstance(error, ProviderError):
        return _of_provider(error, connection)
    if isinstance(error, StoreError):
        return _of_store(error)
    match error:
        case InputError():
            return f"{_upper(error.reason)}. For example: {error.example}"
        case NotAllowedError():
            return f"That needs the right to {error.needed}, which you do not have. An admin can give it."
        case NotFoundError():
            known = (
                f" There is: {', '.join(error.known)}." if error.known else " You can see none yet: /connect links one."
            )
            return f"There is no {error.what} “{error.name}” that you can see.{known}"
        case ConflictError():
            return f"{_upper(error.reason)}. Nothing was changed."
        case RecordUnreadableError():
            return (
                f"The sealed credential of {error.label} does not open. The others are not affected. "
                "Unlink it with /disconnect and link it anew."
            )
        case VaultError():
            return "The vault could not do that. An admin finds the reason in the log."
        case _:
            return "That did not work. Nothing was changed."


def _of_provider(error: ProviderError, connection: str | None) -> str:
    title = PROVIDERS[error.provider].title if error.provider in PROVIDERS else error.provider
    which = f"{title} ({connection})" if connection else title
    again = f"/disconnect {connection} and /connect it anew" if connection else "check it and give it again"
    match error:
        case UnreachableError():
            return f"{which} could not be reached; nothing was sent. Try again in a minute."
        case OutcomeUnknownError():
            return f"{which}: it was sent, and the outcome is not known yet. It will not be sent again by itself."
        case SilentError():
            return f"{which} took the question and did not answer. Try again in a minute."
        case ReplyError():
            return f"{which} gave an answer that cannot be trusted, so no number is shown. Try again in a minute."
        case CredentialRefusedError():
            return f"{which} does not accept this login ({error.code}). Next: {again}."
        case ScopeMissingError():
            return f"{which}: this key lacks the permission “{error.scope}”. Make one that has it, then {again}."
        case BusyError():
            wait = f" in {error.retry_after_seconds:.0f} s" if error.retry_after_seconds else " in a minute"
            return f"{which} was asked too often. Try again{wait}."
        case RefusedError():
            return f"{which} refused ({error.code})."
        case FaultError():
            return f"{which} has trouble of its own right now. Try again in a few minutes."
        case UnconfiguredError():
            return f"{title}: its address is missing in the configuration ({error.setting}). An admin must add it."
        case UnsupportedError():
            return f"{title} has no {error.ability}."
        case _:
            return f"{which} did not answer as it should. Try again in a minute."


def _of_store(error: StoreError) -> str:
    match error:
        case StoreBusyError():
            return "The database is busy; nothing was changed. Try again in a moment."
        case StoreFullError():
            return "The disk is full or refuses to write; nothing was changed. An admin must make room."
        case StoreDamagedError():
            return "The database is damaged; nothing was changed. An admin must restore a backup."
        case _:
            return "The database refused; nothing was changed. An admin finds the reason in the log."


def incident(number: str) -> str:
    """The neutral sentence for anything unforeseen."""
    return f"Something went wrong that should not have. Nothing more was done. Please quote incident {number}."


def _upper(text: str) -> str:
    return text[:1].upper() + text[1:]


def not_allowed(right: Right) -> NotAllowedError:
    """The error of a closed door."""
    return NotAllowedError(right.value)


def unknown_command(command: str, known: Iterable[str]) -> str:
    """One line, as HTML, with the nearest command there is."""
    near = difflib.get_close_matches(command.lower(), list(known), 1)
    example = f"Did you mean /{near[0]}?" if near else "For example: /balance. /help shows all of them."
    return f"I do not know /{escape(visible_word(command), quote=False)}. {example}"


def visible_word(word: str) -> str:
    """A person's own word, cut to what a sentence can carry."""
    return "".join(character if character.isprintable() else "?" for character in word[:32])
