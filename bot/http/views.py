"""The pages as HTML. Whatever a person or a provider wrote is escaped here; values of a form are never written back."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from html import escape

from bot.operations.linking_steps import Outline
from bot.providers.base import LoginField
from bot.providers.records import Environment
from bot.providers.redirecting import Granted

INIT_DATA, CODE, WAY, ACCOUNT = "init_data", "code", "way", "account"
LOGIN = "login"


@dataclass(frozen=True, slots=True)
class Form:
    """What the entry page shows besides the fields."""

    outline: Outline
    desk: str
    said: str = ""
    """What was wrong with the last try."""
    troubles: Mapping[str, str] = field(default_factory=dict)
    """By field: what is wrong with it."""
    has_login: bool = False
    """The provider's own login page may be gone to."""


def form_page(form: Form) -> str:
    outline, troubles = form.outline, form.troubles
    title = f"Link {outline.spec.title}"
    where = f"{outline.name} · {_money(outline.environment)}"
    parts = [
        f'<p class="where">{escape(where)}</p>',
        '<p class="said" id="said" role="status"' + (f">{escape(form.said)}</p>" if form.said else " hidden></p>"),
        '<form method="post" id="form" autocomplete="off">',
        f'<input type="hidden" name="{INIT_DATA}" id="init-data">',
        _code(troubles.get(CODE, "")),
        *(_field(each, troubles.get(each.key, "")) for each in outline.spec.fields),
        '<button type="submit" class="main" id="submit">Try it and link it</button>',
        _login(outline) if form.has_login else "",
        "</form>",
        (
            '<p class="small">The login is tried before it is kept, and lies sealed. It is not shown to anybody again, '
            "and does not pass through the chat.</p>"
        ),
    ]
    return _page(title, form.desk, parts, script=True)


def told_page(title: str, lines: Sequence[str], desk: str, *, good: bool = False) -> str:
    """A page that only says something."""
    mark = "good" if good else "bad"
    parts = [f'<p class="told {mark}" role="status">{escape(line)}</p>' for line in lines]
    return _page(title, desk, [*parts, '<p class="small">You may close this page.</p>'])


def accounts_page(outline: Outline, accounts: Iterable[Granted], desk: str) -> str:
    """Which of the accounts to link."""
    title = f"Accounts at {outline.spec.title}"
    parts = [
        f"<p>{escape(outline.spec.title)} gives access to these. Each becomes a connection of its own.</p>",
        '<form method="post">',
        *(_account(one, outline) for one in accounts),
        '<button type="submit" class="main">Try them and link them</button>',
        "</form>",
    ]
    return _page(title, desk, parts)


def _account(one: Granted, outline: Outline) -> str:
    name = one.account or outline.label
    details = " · ".join(filter(None, (one.currency, _money(one.environment or outline.environment))))
    return (
        f'<label class="choice"><input type="checkbox" name="{ACCOUNT}" value="{escape(one.account)}" checked>'
        f"<span><b>{escape(name)}</b><small>{escape(details)}</small></span></label>"
    )


def _money(environment: Environment) -> str:
    return "real money" if environment is Environment.LIVE else "demo account"


def _code(trouble: str) -> str:
    return (
        '<div class="field" id="code-field"><label for="code">Code from the chat</label>'
        '<p class="hint" id="code-hint">Six digits, below the link.</p>'
        f'<input id="code" name="{CODE}" inputmode="numeric" maxlength="12" autocomplete="off" required '
        f'aria-describedby="code-hint code-trouble">{_trouble("code", trouble)}</div>'
    )


def _field(each: LoginField, trouble: str) -> str:
    key = escape(each.key)
    kind = "password" if each.secret else "text"
    value = f' value="{escape(each.default)}"' if each.default and not each.secret else ""
    hint = each.hint.strip().rstrip(".")
    return (
        f'<div class="field"><label for="f-{key}">{escape(each.title)}</label>'
        f'<p class="hint" id="f-{key}-hint">{escape(hint[:1].upper() + hint[1:])}.</p>'
        f'<input id="f-{key}" name="f.{key}" type="{kind}"{value} required autocomplete="off" autocapitalize="off" '
        f'autocorrect="off" spellcheck="false" aria-describedby="f-{key}-hint f-{key}-trouble">'
        f"{_trouble(f'f-{key}', trouble)}</div>"
    )


def _trouble(of: str, text: str) -> str:
    shown = f">{escape(text)}</p>" if text else " hidden></p>"
    return f'<p class="trouble" id="{of}-trouble"{shown}'


def _login(outline: Outline) -> str:
    title = escape(outline.spec.title)
    return (
        '<p class="or"><span>or</span></p>'
        f'<button type="submit" class="second" name="{WAY}" value="{LOGIN}" formnovalidate>Log in at {title}</button>'
        f'<p class="small">Without the fields above: {title} asks you which accounts this desk may use.</p>'
    )


def _page(title: str, desk: str, parts: Iterable[str], *, script: bool = False) -> str:
    loaded = '<script type="module" src="/page/entry.js"></script>\n' if script else ""
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1, viewport-fit=cover">\n'
        '<meta name="color-scheme" content="light dark">\n'
        f"<title>{escape(title)} – {escape(desk)}</title>\n"
        '<link rel="icon" href="/page/mark.svg" type="image/svg+xml">\n'
        '<link rel="stylesheet" href="/page/entry.css">\n'
        f"{loaded}</head>\n<body>\n<main>\n"
        f'<header><img src="/page/mark.svg" alt="" width="28" height="28"><p>{escape(desk)}</p></header>\n'
        f"<h1>{escape(title)}</h1>\n" + "\n".join(filter(None, parts)) + "\n</main>\n</body>\n</html>\n"
    )
