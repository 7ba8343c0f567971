"""A dossier → one page for people: nothing in it is loaded from anywhere, and it prints well. Pure."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from hashlib import sha256
from html import escape

from bot.approvals.wording import words_of
from bot.logs import redact
from bot.operations.evidence.dossier import Dossier

_STYLE = """
body{font:15px/1.5 system-ui,sans-serif;max-width:52rem;margin:2rem auto;padding:0 1rem;color:#1b1b1b;background:#fff}
h1{font-size:1.5rem;margin:0}h2{font-size:1.05rem;margin:2rem 0 .4rem;border-bottom:1px solid #bbb}
p{margin:.3rem 0}table{border-collapse:collapse;width:100%}
th,td{text-align:left;vertical-align:top;padding:.25rem .6rem .25rem 0;border-bottom:1px solid #e4e4e4}
th{font-weight:600}td:last-child{overflow-wrap:anywhere}
code,pre{font:13px/1.45 ui-monospace,monospace;overflow-wrap:anywhere;white-space:pre-wrap}
.state{font-weight:600}.asked{font-size:1.1rem;border-left:4px solid #777;padding-left:.8rem;margin:1rem 0}
@media print{body{margin:0;max-width:none;font-size:11pt}h2,tr{break-inside:avoid}h2{break-after:avoid}}
"""
_WITH = {"NONE": "a tap", "CODE": "a code", "NUMBER": "the number", "CODE_IF_SET_UP": "a code"}


def page_of(dossier: Dossier) -> str:
    """The whole page."""
    request = dossier.request
    title = f"Request {_text(request.id)}"
    state = f"{request.state.value.replace('_', ' ')}{': ' + request.outcome if request.outcome else ''}"
    parts = [
        f"<h1>{title}</h1>",
        f'<p class="state">{_text(state)}</p>',
        f'<div class="asked">{"".join(f"<p>{_text(line)}</p>" for line in dossier.lines)}</div>',
        f"<p>Asked for by {_text(dossier.name(request.asked_by))} on {_time(request.asked_at)}.</p>",
        f"<p>{_text(words_of(request.hash))} · <code>{_text(request.hash)}</code></p>",
        _section("Who had to sign", _table((), _rule(dossier))),
        *_rates(dossier),
        _section("Votes", _table(("Who", "Said", "When", "With", "Message"), _votes(dossier))),
        _section("Sent", _table(("Attempt", "When", "Reference", "Outcome", "SHA-256 of the bytes"), _sent(dossier))),
        _section("Seen at the provider afterwards", _table(("When", "Showed", "Detail"), _seen(dossier))),
        _section("What the provider answered", _table(("When", "To what", "Said, secrets masked"), _answers(dossier))),
        _section("Notes", _table(("Who", "When", "Said"), _remarks(dossier))),
        _section("Files", _table(("Name", "Kind", "From", "SHA-256"), _files(dossier))),
        _section("Exactly what was signed", _table((), request.parameters.items())),
        _policy(dossier),
        f"<p>Made on {_time(dossier.made_at)}. All times are UTC. README.txt says how this pack is examined.</p>",
    ]
    guard = "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">"
    head = f'<meta charset="utf-8">{guard}<meta name="viewport" content="width=device-width"><title>{title}</title>'
    body = "\n".join(parts)
    return (
        f'<!doctype html>\n<html lang="en"><head>{head}<style>{_STYLE}</style></head>\n<body>\n{body}\n</body></html>\n'
    )


def _section(title: str, content: str) -> str:
    return f"<h2>{title}</h2>\n{content}"


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = ["".join(f"<td>{_text(cell)}</td>" for cell in row) for row in rows]
    if not lines:
        return "<p>None.</p>"
    top = "".join(f"<th>{cell}</th>" for cell in head)
    return "\n".join(["<table>", *(f"<tr>{line}</tr>" for line in ([top] if top else []) + lines), "</table>"])


def _rule(dossier: Dossier) -> list[tuple[str, str]]:
    request = dossier.request
    rule = request.rule
    seats = " and ".join(f"{seat.count} of {seat.circle}" for seat in rule.seats) or "nobody else"
    said = [("Signatures", seats), ("Proof", rule.proof.name.lower().replace("_", " "))]
    said += [("Rule", rule.name)] if rule.name else []
    said += [("Tier", dossier.tier)] if dossier.tier else []
    said += [("Wait after the last signature", str(rule.hold))] if rule.hold else []
    return [*said, ("Votes were taken until", _time(request.expires_at))]


def _rates(dossier: Dossier) -> list[str]:
    """No section where nothing was weighed by any."""
    rows = [
        (f"1 {one.rate.base} is {one.rate.rate} {one.rate.quote}", _time(one.rate.at), one.by, one.request_id)
        for one in dossier.rates
    ]
    title = "Rates that limits over every currency weighed by"
    return [_section(title, _table(("Rate", "For 24 hours from", "Asked for by", "Request"), rows))] if rows else []


def _votes(dossier: Dossier) -> list[tuple[str, ...]]:
    return [
        (
            dossier.name(vote.person_id),
            vote.decision.value,
            _time(vote.at),
            _WITH[vote.proof.name],
            "" if vote.message_id is None else str(vote.message_id),
        )
        for vote in dossier.request.votes
    ]


def _sent(dossier: Dossier) -> list[tuple[str, ...]]:
    return [
        (
            str(one.attempt),
            _time(one.begun_at),
            one.reference,
            " · ".join(
                word
                for word in (one.outcome.value if one.outcome else "open", one.receipt, one.code, one.detail)
                if word
            ),
            sha256(one.wire).hexdigest(),
        )
        for one in dossier.sendings
    ]


def _seen(dossier: Dossier) -> list[tuple[str, ...]]:
    return [(_time(one.at), one.outcome.value, one.detail or one.reference) for one in dossier.sightings]


def _answers(dossier: Dossier) -> list[tuple[str, ...]]:
    return [(_time(one.at), one.asked.value, one.body) for one in dossier.answers]


def _remarks(dossier: Dossier) -> list[tuple[str, ...]]:
    return [(dossier.name(one.person_id), _time(one.at), one.text) for one in dossier.remarks]


def _files(dossier: Dossier) -> list[tuple[str, ...]]:
    return [(file.name, file.media_type, dossier.name(file.person_id), file.sha256) for file, _ in dossier.files]


def _policy(dossier: Dossier) -> str:
    if dossier.policy is None:
        return _section("Policy", "<p>None was in force: what a desk without one asks for was asked.</p>")
    text = "\n".join(redact(line) for line in dossier.policy.document.splitlines())
    return _section(f"Policy, version {dossier.policy.version}", f"<pre>{escape(text)}</pre>")


def _text(text: str) -> str:
    """Shown literally, with nothing hidden in it."""
    return escape(redact(text))


def _time(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S}"
