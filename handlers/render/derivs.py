"""Profits, agents, the cashier, limits and the service of Deriv, in words."""

from collections.abc import Mapping, Set
from decimal import Decimal
from html import escape

from bot.money import Money
from bot.operations.derivs import Around, ChainAddress
from bot.operations.linked import Connection
from bot.providers.deriv.client.site import Reckoned
from bot.providers.deriv.wire.agents import Agent
from bot.providers.deriv.wire.books import Closed
from bot.providers.deriv.wire.profile import Limits
from bot.providers.deriv.wire.service import SiteStatus
from bot.providers.records import Quote, Reading
from bot.secret import Secret
from handlers.render.answers import parts
from handlers.render.text import Taste, bold, decimals, literal, visible

_PER_BLOCK = 10
_NAME, _TEXT = 40, 200
_FAR_SECONDS = 2
_STATES = {"up": "is up", "down": "is down", "updating": "is being updated"}


def button(connection: Connection) -> str:
    """One login among several."""
    return visible(f"{connection.label} · {connection.environment.upper()}", _NAME)


def ticks(connection: Connection, reading: Reading[Quote], taste: Taste) -> list[str]:
    """Newest first, each beside the one before it."""
    name = reading.items[0].symbol if reading.items else ""
    head = f"{bold(f'Ticks of {name}' if name else 'Ticks')} <code>{escape(connection.name)}</code>"
    if not reading.items:
        return [
            f"{head}\nNone in the last two minutes: the market is closed, or not told live. /quote has its last price."
        ]
    digits = max(decimals(one.mid) for one in reading.items)
    before = (None, *reading.items[:-1])
    lines = [
        f"{taste.time(one.at)}  {taste.number(one.mid, digits)} {_way(one, earlier)}".rstrip()
        for one, earlier in zip(reading.items, before, strict=True)
    ]
    return [f"{head}\n<pre>{escape(chr(10).join(reversed(lines)))}</pre>"]


def _way(now: Quote, before: Quote | None) -> str:
    if before is None or now.mid == before.mid:
        return ""
    return "▲" if now.mid > before.mid else "▼"


def profits(connection: Connection, reading: Reading[Closed], what: str, taste: Taste) -> list[str]:
    """Newest first, their sum above. `what` as in "newest 20"."""
    head = f"{bold('Contracts that are over')} <code>{escape(connection.name)}</code> · {taste.time(reading.as_of)}"
    head = f"{head} · {escape(what)}"
    if not reading.items:
        return [f"{head}\nNone."]
    sums: dict[str, Money] = {}
    for one in reading.items:
        code = one.profit.currency.code
        sums[code] = sums[code] + one.profit if code in sums else one.profit
    total = " · ".join(f"<b>{taste.signed(money)}</b>" for money in sums.values())
    lines = [_closed(one, taste) for one in reversed(reading.items)]
    blocks = ["\n".join(part) for part in parts(lines, _PER_BLOCK)]
    noted = [f"<i>{literal(note, _TEXT)}</i>" for note in reading.notes]
    return [f"{head}\n{len(reading.items)} together: {total}", *blocks, *noted]


def _closed(one: Closed, taste: Taste) -> str:
    mark = "▲" if one.profit.amount > 0 else "▼"
    when = taste.date_time(one.sold_at) if one.sold_at is not None else "not told"
    paid = f"paid {taste.money(one.paid)}, got {taste.money(one.received)}"
    symbol = literal(one.symbol or one.contract_type, _NAME)
    return f"{mark} <b>{symbol}</b> · {taste.signed(one.profit)}\n    {paid} · {when}"


def agents(around: Around, book: Set[str] | None, taste: Taste) -> list[str]:
    """`book`: the accounts in it; None for who asks for no payments."""
    code, found = around.country, around.agents
    name = dict(found.countries).get(code, code.upper())
    if not found.items:
        others = ", ".join(f"{literal(country, _NAME)} ({short})" for short, country in found.countries[:30])
        there = f" There are some in: {others}." if others else ""
        return [f"No payment agent in {literal(name, _NAME)}.{there}"]
    told = (_agent(one, taste) + _next(one, around.own, book) for one in found.items)
    return [f"{bold('Payment agents')} in {literal(name, _NAME)}", *told]


def _next(one: Agent, own: Set[str], book: Set[str] | None) -> str:
    """How money goes there: once they are in the book."""
    account = literal(one.account)
    if one.account in own:
        return "\nThat is your own account."
    if book is None:
        return ""
    if one.account in book:
        return f"\n<code>/payout to {account}</code>"
    only = f" {one.currencies[0]}" if len(one.currencies) == 1 else ""
    named = escape(visible(one.name, _NAME))
    return f"\nNot in the book yet: <code>/beneficiaries add deriv {account} {named}{only}</code>"


def _agent(one: Agent, taste: Taste) -> str:
    lines = [f"<b>{literal(one.name, _NAME)}</b> <code>{literal(one.account)}</code>"]
    fees = [
        f"{what} {rate:f} %"
        for what, rate in (("deposits", one.deposit_commission), ("withdrawals", one.withdrawal_commission))
        if rate is not None
    ]
    if fees:
        lines.append(f"Takes for {', '.join(fees)}")
    if one.least is not None or one.most is not None:
        low = taste.number(one.least) if one.least is not None else "0"
        high = taste.number(one.most) if one.most is not None else "any"
        lines.append(f"{low} to {high} {' '.join(one.currencies)} at a time")
    contact = " · ".join(literal(text, _NAME) for text in (*one.phones[:1], one.email, *one.urls[:1]) if text)
    lines += [contact] if contact else []
    lines += [f"By {literal(', '.join(one.methods), _TEXT)}"] if one.methods else []
    lines += [f"«{literal(one.summary or one.information, _TEXT)}»"] if one.summary or one.information else []
    return "\n".join(lines)


def cashier(connection: Connection, address: Secret | ChainAddress) -> list[str]:
    """The one place where the address is said."""
    if isinstance(address, ChainAddress):
        into = f"{address.currency} sent to this address, and nothing else, is paid in to"
        return [f"{into} <code>{escape(connection.name)}</code>:\n<code>{escape(visible(address.text, _TEXT))}</code>"]
    said = f"The cashier of <code>{escape(connection.name)}</code>. For a short while the address opens it to anybody:"
    return [f"{said}\n{escape(address.reveal())}"]


def limits(connection: Connection, one: Limits, taste: Taste) -> list[str]:
    """Those that there are."""
    said = (
        ("It may hold at most", one.balance),
        ("Turnover a day at most", one.turnover_a_day),
        ("Payouts of all open contracts at most", one.payout),
        ("May still be taken out", one.withdrawable),
        ("Taken out so far", one.withdrawn),
    )
    lines = [f"{what} {taste.money(money)}" for what, money in said if money is not None]
    lines += [f"Open contracts at most {one.open_positions}"] if one.open_positions is not None else []
    if one.window_limit is not None and one.window_days:
        gone = f", {taste.money(one.window_withdrawn)} of it gone" if one.window_withdrawn is not None else ""
        lines.append(f"Within {one.window_days} days {taste.money(one.window_limit)}{gone}")
    lines += _transfers(one.transfers_a_day)
    head = f"{bold('Limits at Deriv')} <code>{escape(connection.name)}</code>"
    return ["\n".join([head, *(lines or ["None were told."])])]


def _transfers(kinds: Mapping[str, tuple[Decimal | None, Decimal | None]]) -> list[str]:
    return [
        f"Transfers a day ({literal(kind, _NAME)}): {allowed:f}" + (f", {left:f} left" if left is not None else "")
        for kind, (allowed, left) in kinds.items()
        if allowed is not None
    ]


def site(status: SiteStatus, reckoned: Reckoned, taste: Taste) -> list[str]:
    state = _STATES.get(status.status, "does not say how it is")
    lines = [f"{bold('Deriv')} {state}."]
    lines += [f"«{literal(status.message, _TEXT)}»"] if status.message else []
    ahead = int(reckoned.ahead.total_seconds())
    way = "ahead of ours" if ahead > 0 else "behind ours"
    clock = "like ours" if abs(ahead) <= _FAR_SECONDS else f"{abs(ahead)} s {way}"
    lines.append(f"Its clock shows {taste.time(reckoned.theirs)}, {clock}.")
    for one in status.limits:
        often = [f"{one.minutely} a minute"] if one.minutely is not None else []
        often += [f"{one.hourly} an hour"] if one.hourly is not None else []
        often += [f"{one.at_once} at once"] if one.at_once is not None else []
        if often:
            lines.append(f"• {literal(one.applies_to, _NAME)}: {', '.join(often)}")
    return ["\n".join(lines)]
