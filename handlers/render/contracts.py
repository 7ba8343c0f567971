"""What a contract costs, as a card."""

from html import escape

from bot.operations.contracts import Priced
from handlers.render.text import Taste, bold, literal, span

_TEXT = 400


def price(priced: Priced, taste: Taste, *, watched: bool) -> str:
    """The price, what it pays, and until when it holds."""
    told = priced.proposal
    head = f"{bold(priced.connection.spec.title)} <code>{escape(priced.connection.name)}</code>"
    lines = [f"{head} · {priced.connection.environment.upper()}", literal(told.text, _TEXT)]
    pays = f", pays {taste.money(told.payout)}" if told.payout is not None else ""
    lines.append(f"Costs <b>{taste.money(told.price)}</b>{pays}.")
    if told.expires_at is not None:
        ends = span((told.expires_at - told.starts_at).total_seconds())
        lines.append(f"Ends {taste.date_time(told.expires_at)}, {ends} after it begins.")
    if told.commission is not None:
        lines.append(f"Commission {taste.money(told.commission)}.")
    lines.append(f"{literal(priced.line.symbol)} stands at {told.spot:f}, {taste.time(told.spot_at)}.")
    still = f"As of {taste.time(priced.at)}; no longer watched."
    lines.append("Kept up to date for two minutes." if watched else still)
    return "\n".join(lines)
