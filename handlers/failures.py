"""Errors become sentences here, and only here: what happened, and what to do next. One for each class of the tree."""

import re
from collections.abc import Iterable, Sequence
from html import escape

from bot.access.model import Right
from bot.errors import (
    AlikeError,
    BackupUnreadableError,
    BusyError,
    ClockDoubtedError,
    CodeAwaitedError,
    CodeUsedError,
    CodeWrongError,
    ConflictError,
    ConnectionLockedError,
    CountersignError,
    CredentialRefusedError,
    DiskShortError,
    EntryRefusedError,
    EnvironmentMismatchError,
    FactorLockedError,
    FactorMissingError,
    FactorUnreadableError,
    FaultError,
    FieldsRefusedError,
    FrozenError,
    InputError,
    NoRateError,
    NotAllowedError,
    NotFoundError,
    NumberMissedError,
    NumberWrongError,
    OutcomeUnknownError,
    OvertakenError,
    OwnerSuspendedError,
    PassphraseError,
    PolicyRefusedError,
    ProofNeededError,
    ProviderError,
    RecordUnreadableError,
    RefusedError,
    ReplyError,
    ScopeMissingError,
    SilentError,
    StepUpError,
    StoreBusyError,
    StoreDamagedError,
    StoreError,
    StoreFullError,
    StoreNewerError,
    StreamsFullError,
    UnconfiguredError,
    UnreachableError,
    UnsupportedError,
    VaultError,
)
from bot.providers.registry import PROVIDERS

_MOST_KNOWN = 12
_NOBODY_ELSE = "nobody else is left who could: its asker can withdraw it, and ask anew"


def sentence(error: CountersignError, connection: str | None = None, *, is_new: bool = False) -> str:
    """Plain text for a person (not escaped). `connection` names the login it was about, e.g. `capital/main`.

    `is_new`: the login is just being given; the next step is to give another one.
    """
    if isinstance(error, ProviderError):
        return _of_provider(error, connection, is_new=is_new)
    if isinstance(error, StoreError):
        return _of_store(error)
    if isinstance(error, StepUpError):
        return _of_step_up(error)
    match error:
        case InputError():
            example = f" For example: {error.example}" if error.example else ""
            return f"{_upper(error.reason)}.{example}"
        case NotAllowedError():
            return f"That needs the right to {error.needed}, which you do not have. An admin can give it."
        case NotFoundError():
            return _not_found(error)
        case AlikeError():
            return _alike(error)
        case ConflictError():
            return f"{_upper(error.reason)}. Nothing was changed."
        case PolicyRefusedError():
            return f"{_upper(error.reason)}. Nothing was asked for. /policy shows what is allowed."
        case NoRateError():
            pair = f"{error.base}/{error.quote}"
            return (
                f"A limit counts what {error.base} is worth in {error.quote}, and no rate of {pair} is younger than "
                f"24 hours. An admin can enter one: /rate {pair} and the number. Nothing was asked for."
            )
        case DiskShortError():
            return (
                "The bot's disk is nearly full, so no money can be asked for. An admin must make room. "
                "Nothing was asked for."
            )
        case FrozenError():
            which = "The desk" if error.scope == "desk" else PROVIDERS[error.scope].title
            return f"{which} is frozen ({error.reason}): no money leaves until /thaw was signed. Nothing was asked for."
        case OwnerSuspendedError():
            return f"{error.connection} rests: its owner is suspended. An admin can end that, or unlink it."
        case EntryRefusedError():
            return f"{_upper(error.reason)}."
        case ConnectionLockedError():
            return f"{error.label} is locked: it waits for its owner's passphrase (/unlock, in a private chat)."
        case PassphraseError():
            return f"{_upper(error.reason)}. Send it again, or /cancel."
        case RecordUnreadableError():
            return (
                f"The sealed credential of {error.label} does not open. The others are not affected. "
                "Its owner gives it a new login with /replace."
            )
        case BackupUnreadableError():
            return f"The backup cannot be used: {error.reason}. Nothing was changed."
        case VaultError():
            return "The vault could not do that. An admin finds the reason in the log."
        case _:
            return "That did not work; nothing was changed. Try again, and tell an admin if it stays so."


def told(error: CountersignError, connection: str | None = None, *, is_new: bool = False) -> str:
    """The sentence as HTML."""
    return escape(sentence(error, connection, is_new=is_new), quote=False)


def _alike(error: AlikeError) -> str:
    if error.state == "unknown":
        return (
            f"Request {error.request_id} is for the very same, and nobody knows yet what became of it. "
            f"Nothing was asked for. /request {error.request_id} shows it; /repeat {error.request_id} asks others to "
            "let it be sent again all the same."
        )
    return (
        f"Request {error.request_id} is for the very same, and is {error.state}. Nothing was asked for. "
        f"/request {error.request_id} shows it."
    )


def _not_found(error: NotFoundError) -> str:
    if error.what == "invitation":
        return "That invitation is not known, was used already, or is too old. Ask an admin for a new one."
    known = f" There is: {_some(error.known)}." if error.known else ""
    if error.what == "market" and error.known:
        fitting = f"{_some(error.known)} answer to “{visible_word(error.name)}”"
        return f"{fitting}. Name one of them by its symbol."
    near = _nearest(error.name, error.known)
    if near and near.casefold() != error.name.casefold():
        known = f" Did you mean {near}?{known}"
    if error.what == "connection" and not error.known:
        known = " You can see none yet: /connect links one."
    if error.what == "connection to send from":
        return (
            "There is no login through which you may send. Its owner lets you with /share and the words to act; "
            "/connect links one of your own."
        )
    if error.what == "beneficiary" and not error.known:
        known = " /beneficiaries shows who is, and how one is added."
    where = "in the book" if error.what == "beneficiary" else "that you can see"
    called = f" “{visible_word(error.name)}”" if error.name else ""
    return f"There is no {error.what}{called} {where}.{known}"


def _some(known: Sequence[str]) -> str:
    more = f" and {len(known) - _MOST_KNOWN} more" if len(known) > _MOST_KNOWN else ""
    return ", ".join(visible_word(one, 64) for one in known[:_MOST_KNOWN]) + more


def _nearest(name: str, known: Sequence[str]) -> str:
    """The nearest of them, or of their words: a provider or a label will do."""
    words = {one.casefold(): one for one in known}
    words |= {
        part.casefold(): part if "/" in one else one
        for one in known
        for part in re.split(r"[/ ]", one)
        if len(part) > 2
    }
    from difflib import get_close_matches  # with the first slip of the pen

    near = get_close_matches(name.casefold(), list(words), 1)
    return visible_word(words[near[0]], 64) if near else ""


def _of_provider(error: ProviderError, connection: str | None, *, is_new: bool) -> str:
    title = PROVIDERS[error.provider].title if error.provider in PROVIDERS else error.provider
    which = f"{title} ({connection})" if connection else title
    is_kept = connection is not None and not is_new
    again = f"its owner gives it a new one with /replace {connection}" if is_kept else "check it and give it again"
    match error:
        case UnreachableError():
            return f"{which} could not be reached. Try again in a minute."
        case CodeAwaitedError():
            return f"{which} has mailed a code to the owner of the account, and waits for it. /payout code takes it."
        case OutcomeUnknownError():
            return (
                f"{which}: it was sent, and the outcome is not known yet. It will not be sent again by itself; "
                "look there before you ask for it again."
            )
        case SilentError():
            return f"{which} did not answer in time. Try again in a minute."
        case ReplyError():
            return f"{which} gave an answer that cannot be trusted, so no number is shown. Try again in a minute."
        case EnvironmentMismatchError():
            kinds = {"live": "real money", "demo": "a demo account"}
            anew = f"/disconnect {connection}, then " if is_kept else ""
            again = f"{anew}/connect {error.provider} {error.found}"
            return (
                f"{which}: this login is for {kinds[error.found]}, and {kinds[error.wanted]} was asked for. "
                f"Next: {again}, or give one for {kinds[error.wanted]}."
            )
        case CredentialRefusedError() if _is_session_over(error):
            return f"{which} ended our session; another program may use the same key. Try again in a minute."
        case CredentialRefusedError():
            why = f": {meaning}" if (meaning := _meaning(error)) else ""
            return f"{which} does not accept this login ({visible_word(error.code, 64)}){why}. Next: {again}."
        case ScopeMissingError():
            scope = visible_word(error.scope, 64)
            return f"{which}: this key lacks the permission “{scope}”. Make one that has it, then {again}."
        case FieldsRefusedError():
            fields = ", ".join(visible_word(field, 64) for field in error.fields)
            if reason := _reason(error):
                return f"{which} refused: {reason}. It is about {fields}. Try again then."
            return f"{which} does not take {fields} as it is ({visible_word(error.code, 64)}). Try again with another."
        case BusyError():
            wait = f" in {error.retry_after_seconds:.0f} s" if error.retry_after_seconds else " in a minute"
            return f"{which} was asked too often. Try again{wait}."
        case OvertakenError():
            return (
                f"{which}: another program uses the same key and was ahead of us. Try again; if that is not yours, "
                "register a new key at once (/key new)."
            )
        case RefusedError() if reason := _reason(error):
            return f"{which} refused: {reason}."
        case RefusedError():
            return f"{which} refused ({visible_word(error.code, 64)}). If that is unexpected, tell an admin."
        case FaultError():
            return f"{which} has trouble of its own right now. Try again in a few minutes."
        case UnconfiguredError():
            return f"{title}: its address is missing in the configuration ({error.setting}). An admin must add it."
        case StreamsFullError():
            return f"{which} tells of {error.most} markets at once, and no more. Remove an alert. Try again then."
        case UnsupportedError():
            return f"{title} has no {error.ability}. /connections says what each can do."
        case _:
            return f"{which} did not answer as it should. Try again in a minute."


def _reason(error: RefusedError) -> str:
    """What a provider's code means and what would help, where that is known beyond the code; empty otherwise."""
    match error.provider:  # each imported with the first refusal: most starts meet none
        case "deriv":
            from bot.providers.deriv.wire.reasons import REASONS, in_words

            return in_words(error.code) if error.code in REASONS else ""
        case "capital":
            from bot.providers.capital.wire.reasons import is_known, words_of

            return words_of(error.code) if is_known(error.code) else ""
        case _:
            return ""


def _meaning(error: CredentialRefusedError) -> str:
    """Of a code about who asks, where the provider is known to mean something by it; empty otherwise."""
    if error.provider != "capital":
        return ""
    from bot.providers.capital.wire.failures import CREDENTIAL_CODES

    return CREDENTIAL_CODES.get(error.code, "")


def _is_session_over(error: CredentialRefusedError) -> bool:
    """Whether it is about a session that ended, and not about the login itself."""
    if error.provider != "capital":
        return False
    from bot.providers.capital.wire.failures import is_session_over

    return is_session_over(error)


def _of_step_up(error: StepUpError) -> str:
    match error:
        case FactorMissingError():
            return "That needs a second factor, and you have none. /factor sets one up; then try again."
        case FactorUnreadableError():
            return "Your second factor does not open any more. /factor reset asks two admins to take it away."
        case FactorLockedError():
            minutes = f"{error.minutes} minutes" if error.minutes != 1 else "a minute"
            return (
                f"Too many wrong codes: your second factor is locked. Try again in {minutes}, from the beginning. "
                "If those codes were not yours, tell an admin at once."
            )
        case CodeWrongError():
            left = "" if error.tries_left is None else f" {_tries(error.tries_left)} left before it locks."
            return f"That is not the code.{left} Try again with the one your device shows now."
        case ProofNeededError():
            return f"Approving this takes {error.proof}; nothing was recorded. Tap Approve to be asked for it."
        case NumberWrongError():
            others = "; somebody else can" if error.others_can else f", and {_NOBODY_ELSE}"
            return (
                f"That is not the number on the asker's screen. You cannot approve this request any more{others}. "
                "Ask its asker whether they really asked."
            )
        case NumberMissedError():
            others = "somebody else can" if error.others_can else _NOBODY_ELSE
            said = "You picked a wrong number for this request, so you cannot approve it any more"
            return f"{said}; {others}. Nothing was changed."
        case CodeUsedError():
            return "That code was used already; each counts once. Try again with the next one, in half a minute."
        case ClockDoubtedError():
            return (
                "This machine's clock was set, so codes are not accepted until an admin has said that it is right. "
                "Admins have a message with a button. Try again then."
            )
        case _:
            return "That needs a code of your second factor; nothing was changed. Try again."


def _tries(left: int) -> str:
    return "1 try is" if left == 1 else f"{left} tries are"


def _of_store(error: StoreError) -> str:
    match error:
        case StoreBusyError():
            return "The database is busy; nothing was changed. Try again in a moment."
        case StoreFullError():
            return "The disk is full or refuses to write; nothing was changed. An admin must make room."
        case StoreDamagedError():
            return f"The database is damaged ({error.reason}); nothing was changed. An admin must restore a backup."
        case StoreNewerError():
            return (
                f"The database was written by a newer version of this program ({', '.join(error.names)}); "
                "nothing was changed. An admin must install that version."
            )
        case _:
            return "The database refused; nothing was changed. An admin finds the reason in the log."


def incident(number: str) -> str:
    """The neutral sentence for anything unforeseen."""
    return f"Something went wrong that should not have; nothing more was done. Tell an admin: incident {number}."


def _upper(text: str) -> str:
    return text[:1].upper() + text[1:]


def not_allowed(right: Right) -> NotAllowedError:
    """The error of a closed door."""
    return NotAllowedError(right.value)


def unknown_command(command: str, known: Iterable[str]) -> str:
    """One line, as HTML, with the nearest command there is."""
    from difflib import get_close_matches

    near = get_close_matches(command.lower(), list(known), 1)
    example = f"Did you mean /{near[0]}?" if near else "For example: /balance. /help shows all of them."
    return f"I do not know /{escape(visible_word(command), quote=False)}. {example}"


def visible_word(word: str, limit: int = 32) -> str:
    """A person's or a provider's own word, cut to what a sentence can carry, with nothing hidden in it."""
    shown = "".join(character if character.isprintable() else "?" for character in word[:limit])
    return shown if len(word) <= limit else shown + "…"
