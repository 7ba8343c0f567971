"""The questions of an account that is being opened, and what is said when Deriv does not take an answer."""

from collections.abc import Mapping, Sequence
from html import escape
from typing import assert_never

from bot.operations.account_form import Asking, Filled, Kind, Step
from bot.operations.findings import told as found_words
from bot.operations.linking import Linked
from bot.providers.deriv.signup import Form, Refusal, Trouble, blank
from handlers.render.text import bold, literal

_ANSWER = 100
_DELETED = "Your message will be deleted at once."


def question(step: Step, told: Mapping[str, str]) -> str:
    """`told`: what was answered so far, for the last look."""
    form = step.form
    match step.asking:
        case Asking.KIND:
            return (
                f"{bold('An account at Deriv')}, opened through <code>{escape(form.name)}</code>. Which one? "
                "(/cancel stops at any time.)"
            )
        case Asking.COUNTRY:
            return f"In which country does {_whose(form)} live? Tap, or send its English name or its two letters."
        case Asking.PASSWORD:
            return (
                f"{bold(literal(form.country_name))}. Which password is the new login at Deriv to have? Send "
                f"one of 8 to 25 characters with a small letter, a capital and a digit. {_DELETED} Or tap: then nobody "
                "knows it, and Deriv's “forgot password” makes another one, by mail."
            )
        case Asking.ADDRESS:
            return "Which e-mail address? Deriv mails a code to it at once."
        case Asking.CODE:
            return f"A code was mailed, if the address can get one. Please send it here. {_DELETED}"
        case Asking.FIELD:
            return _field(step)
        case Asking.CURRENCY:
            return f"{bold(literal(form.company))} keeps the account. In which currency?"
        case Asking.LOOK:
            return _look(form, told)
        case Asking.LINK:
            kind = "real" if form.opened_live else "demo"
            return (
                f"Open: the {kind} account <code>{literal(form.opened)}</code> at Deriv.\nDeriv gave a session for it. "
                f"Shall I link it as <code>deriv/{literal(form.opened.lower())}</code>, for you alone?"
            )
        case _:
            assert_never(step.asking)


def _whose(form: Filled) -> str:
    return "the new client" if form.kind is Kind.DEMO else "the client"


def _field(step: Step) -> str:
    if step.field is None:
        return ""
    field, hint = step.field, f" ({escape(step.field.hint, quote=False)})" if step.field.hint else ""
    care = f" {_DELETED}" if field.secret else ""
    if step.is_optional:
        care += " Deriv may want it before a first withdrawal; it can be skipped now."
    match field.form:
        case Form.YES:
            return f"{bold(_upper(literal(field.title, _ANSWER)))}: yes or no?{care}"
        case Form.CHOICE:
            return f"{bold(_upper(literal(field.title)))}?{care}"
        case Form.STATE | Form.COUNTRY:
            return f"{bold(_upper(literal(field.title)))}{hint}? Tap, or send its name.{care}"
        case Form.WORDS | Form.DAY:
            return f"Please send the {bold(literal(field.title))}{hint}.{care}"
        case _:
            assert_never(field.form)


def _look(form: Filled, told: Mapping[str, str]) -> str:
    known = [] if form.live else [("residence", form.country_name)]
    answers = [*known, *((blank(key).title, _said(form, key, text)) for key, text in told.items())]
    lines = [f"{_upper(literal(title))}: {literal(text, _ANSWER)}" for title, text in answers]
    if form.live:
        lines.append("Who the client is, Deriv copies from the real account that is there.")
    return "\n".join(
        [
            f"{bold('A real account at Deriv')} in {bold(literal(form.currency))}, kept by {literal(form.company)}.",
            *lines,
            "It is opened in the client's name, for real money. /cancel opens nothing and erases all of this.",
        ]
    )


def _said(form: Filled, key: str, text: str) -> str:
    match blank(key).form:
        case Form.YES:
            return "yes" if text == "1" else "no"
        case Form.STATE:
            return dict(form.states).get(text, text)
        case _:
            return text


def labels(step: Step) -> list[str]:
    """Of the buttons, in their order."""
    return [label for _, label in step.options]


def over(form: Filled) -> str:
    """The account is there, and is not linked."""
    return (
        f"Not linked; the session is erased. <code>{literal(form.opened)}</code> is open all the same: make an API "
        "token for it in Deriv's settings, page API token, and link it with /connect deriv."
    )


def linked(result: Linked) -> str:
    name = escape(result.connection.name)
    found = literal(found_words(result.connection.spec, result.found), 200)
    return (
        f"Linked <code>{name}</code>, for you alone: {found}\n"
        "Its session ends some day, or when you log out at Deriv; an API token (Deriv's settings, page API token) "
        f"stays: <code>/replace {name}</code> takes it. Try <code>/balance {name}</code>."
    )


MAYBE_OPEN = (
    "It may have been opened all the same. Look at Deriv before you begin anew. What you had answered is erased."
)


def refused(refusal: Refusal, code: str, youngest: int | None) -> str | None:
    """What to do about it; None where only the refusal itself can be told."""
    match refusal.trouble:
        case Trouble.CODE:
            return "Deriv does not take that code: it is wrong, was used, or is too old. Send the right one, or tap."
        case Trouble.ADDRESS_KNOWN:
            return (
                "Somebody is at Deriv with that address already. Link that login with /connect deriv, or give another "
                "address."
            )
        case Trouble.ADDRESS:
            return "Deriv does not take that address. Give another one."
        case Trouble.COUNTRY:
            return "Deriv opens no account for that country, or the client is known there with another one."
        case Trouble.AGE:
            years = f"under {youngest}" if youngest else "that young"
            return f"Deriv opens no accounts for people {years}. If the day is wrong, send the right one; else /cancel."
        case Trouble.PASSWORD:
            return "Deriv does not take that password; it may not be the e-mail address either. Give another one."
        case Trouble.CURRENCY:
            return "Deriv does not open an account in that currency: there may be one already. Choose another one."
        case Trouble.HAS_ONE:
            return f"Deriv says that there is an account like that already ({literal(code)}). Nothing was opened."
        case Trouble.FIELDS:
            return f"Deriv does not take {_listed(refusal.fields)} ({literal(code)}). Give it again."
        case Trouble.OTHER:
            return None
        case _:
            assert_never(refusal.trouble)


def _listed(keys: Sequence[str]) -> str:
    names = [bold(literal(blank(key).title)) for key in keys]
    return f"{', '.join(names[:-1])} and {names[-1]}" if len(names) > 1 else names[0]


def _upper(text: str) -> str:
    return text[:1].upper() + text[1:]
