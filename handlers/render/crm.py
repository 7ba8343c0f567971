"""What the CRM tells, drawn: /withdrawals, /client, /wallet, /mt, /leaderboard."""

from collections.abc import Sequence
from datetime import datetime

from bot.operations.clients import MOST_ROWS, ClientFile, Found, Holdings, Traded, Trading
from bot.operations.withdrawals import Known, Source
from bot.providers.crm.wire import Client, Trade
from bot.providers.crm.wire.reports import Competitor, LeaderBoard
from bot.providers.crm.wire.requests import Withdrawal
from handlers.render.text import Taste, ago, bold, literal

_HOW_THEY_COME = (
    "<i>The CRM announces no new request: this list holds what its webhooks told, and what somebody added with "
    "/withdrawals add and the id.</i>"
)
_SOURCES = {Source.WEBHOOK: "told by a webhook", Source.OPERATOR: "added by hand", Source.REPORT: "found in the report"}


def listed(known: Sequence[Known], now: datetime, taste: Taste) -> list[str]:
    """One block for each request, oldest first."""
    blocks = [_block(one, now, taste) for one in known]
    return [*(blocks or ["No withdrawals are known to wait."]), _HOW_THEY_COME]


def _block(one: Known, now: datetime, taste: Taste) -> str:
    amount = "amount not read yet" if one.amount is None else taste.money(one.amount)
    lines = [f"<code>{literal(one.request_id)}</code> {bold(amount)} · {_status(one)}"]
    if one.client:
        lines.append(f"{literal(one.client)} · {literal(one.method)} · from {literal(one.account)}")
    if one.asked_at is not None:
        lines.append(f"asked {ago(now, one.asked_at)}")
    lines.append(f"<i>{_SOURCES[one.source]} {ago(now, one.noticed_at)}; {_confirmed(one, now)}</i>")
    return "\n".join(lines)


def _status(one: Known) -> str:
    if one.status is None:
        return "not confirmed"
    return f"pending at node {one.node}" if one.status == "pending" and one.node else literal(one.status)


def _confirmed(one: Known, now: datetime) -> str:
    trouble = f"; not read since: {literal(one.trouble)}" if one.trouble else ""
    if one.confirmed_at is None:
        return f"never confirmed{trouble}"
    how = "read" if one.is_read else "by the webhook's word only, this tenant does not let requests be read;"
    return f"{how} {ago(now, one.confirmed_at)}{trouble}"


def detail(known: Known, found: Withdrawal | None, about: ClientFile | None, now: datetime, taste: Taste) -> list[str]:
    """One request whole, with what is known of its client."""
    blocks = [_block(known, now, taste)]
    if found is not None:
        blocks += [_payment(found), _log(found)]
    if about is not None:
        blocks += client_file(about, taste)
    return [block for block in blocks if block]


def _payment(found: Withdrawal) -> str:
    pairs = [
        ("Fee", found.withdrawal_fee),
        ("Rate", found.exchange_rate),
        ("Paid out", " ".join(filter(None, (found.withdrawal_amount, found.withdrawal_currency)))),
        *((one.title, one.value) for one in found.custom_fields or ()),
    ]
    return "\n".join([bold("Payment"), *(f"{literal(name)}: {literal(text)}" for name, text in pairs if text)])


def _log(found: Withdrawal) -> str:
    lines = [
        f"{literal(one.timestamp or '')} {literal(one.event or '')} {literal(one.admin or '')}".strip()
        for one in (found.logs or ())[-MOST_ROWS:]
    ]
    return "\n".join([bold("Log"), *lines]) if lines else ""


def client_file(about: ClientFile, taste: Taste) -> list[str]:
    profile = about.profile
    lines = [f"{bold('Client')} {literal(profile.name or '')} <code>{literal(profile.id)}</code>"]
    contact = [text for text in (profile.email, profile.phone and profile.phone.whole) if text]
    lines += [" · ".join(literal(text) for text in contact)] if contact else []
    lines.append(f"KYC: {literal(about.kyc) if about.kyc else 'not told'}")
    if profile.owner is not None and profile.owner.name:
        lines.append(f"Looked after by {literal(profile.owner.name)}")
    return [block for block in ("\n".join(lines), _holdings(about, taste), _history(about), _lines(about)) if block]


def _holdings(about: ClientFile, taste: Taste) -> str:
    wallets = (
        ["Wallets could not be read."]
        if about.wallets is None
        else [taste.money(one) for one in about.wallets.values()] or ["No wallet."]
    )
    accounts = [f"{literal(one.platform.upper())} {literal(one.place)}" for one in about.profile.trading_accounts or ()]
    return "\n".join([bold("Wallets"), *wallets, *([bold("Trading accounts"), *accounts] if accounts else [])])


def _history(about: ClientFile) -> str:
    if about.withdrawals is None:
        return "Earlier withdrawals could not be read."
    lines = [
        f"{literal(one.timestamp or '')} {one.amount or ''} {literal(one.currency or '')} {literal(one.status or '')}"
        for one in about.withdrawals[:MOST_ROWS]
    ]
    return "\n".join([bold("Withdrawals, last 80 days"), *(lines or ["None."])])


def _lines(about: ClientFile) -> str:
    if about.downlines is None:
        return ""
    below = [(depth, one) for depth, one in about.downlines.walk() if depth]
    if not below:
        return ""
    shown = [f"{'· ' * depth}{literal(one.email or one.id or '')}" for depth, one in below[:MOST_ROWS]]
    more = [f"and {len(below) - MOST_ROWS} more"] if len(below) > MOST_ROWS else []
    return "\n".join([bold("Downlines"), *shown, *more])


def found(hits: Found) -> list[str]:
    """A list to choose from."""
    lines = [
        f"<code>{literal(one.id)}</code> {literal(one.name or '')} {literal(one.email or '')}"
        for one in hits.clients[:MOST_ROWS]
    ]
    if len(hits.clients) > MOST_ROWS:
        lines.append(f"and {len(hits.clients) - MOST_ROWS} more; say more of the name")
    if hits.searched < hits.there_are:
        lines.append(f"<i>Only the first {hits.searched} of {hits.there_are} clients were looked through.</i>")
    return ["\n".join(lines) if hits.clients else "\n".join(["No client fits.", *lines])]


def holdings(client: Client, holds: Holdings, taste: Taste) -> list[str]:
    head = f"{bold('Wallets')} of {literal(client.name or '')} <code>{literal(client.id)}</code>"
    blocks = ["\n".join([head, *([taste.money(one) for one in holds.wallets.values()] or ["No wallet."])])]
    if holds.cards is None:
        blocks.append("Bank cards could not be read.")
    for card in holds.cards or ():
        lines = [f"{bold('Bank card')} {literal(card.bank_name or '')} · {literal(card.status or 'not told')}"]
        lines += [f"{literal(one.title)}: {literal(one.value)}" for one in card.form or () if one.value]
        blocks.append("\n".join(lines))
    return blocks


def trading(found: Trading, taste: Taste) -> list[str]:
    """One line for each account, servers apart."""
    blocks: dict[str, list[str]] = {}
    for one in found.accounts:
        head = f"{bold(one.platform.upper())} {literal(one.server.name or one.server.id)}"
        blocks.setdefault(head, []).append(
            f"<code>{_place(one)}</code> {_balance(one, taste)} {literal(one.row.owner)}"
        )
    shown = ["\n".join([head, *lines]) for head, lines in blocks.items()] or ["No trading accounts."]
    if found.there_are > len(found.accounts):
        shown.append(f"<i>Only {len(found.accounts)} of {found.there_are} accounts were read.</i>")
    if found.silent:
        shown.append(f"<i>Not to be read on this tenant: {', '.join(one.upper() for one in found.silent)}.</i>")
    return shown


def account(one: Traded, taste: Taste) -> list[str]:
    """One account, and what was traded on it."""
    row = one.row
    pairs = [
        ("Balance", row.balance),
        ("Credit", row.credit),
        ("Equity", row.equity),
        ("Margin", row.margin),
        ("Free to withdraw", row.available_withdrawal),
    ]
    lines = [f"{bold(one.platform.upper())} <code>{_place(one)}</code> {literal(row.owner)}"]
    lines += [
        f"{name}: {taste.number(amount, 2)} {literal(row.currency)}" for name, amount in pairs if amount is not None
    ]
    if one.trades is None:
        return ["\n".join(lines), "Trades cannot be read."]
    trades = [_trade(trade, taste) for trade in one.trades[:MOST_ROWS]]
    return ["\n".join(lines), "\n".join([bold("Last trades, 80 days"), *(trades or ["None."])])]


def _trade(row: Trade, taste: Taste) -> str:
    what = {0: "buy", 1: "sell", 6: "booking", 7: "credit"}.get(row.cmd, "order")
    volume = "" if row.volume is None or row.cmd > 1 else f" {taste.number(row.volume)} {literal(row.symbol or '')}"
    profit = "" if row.profit is None else f" · {taste.number(row.profit, 2)}"
    closed = "closed" if row.close_time else "open"
    state = f" · {closed}" if row.cmd < 2 else ""
    return f"{literal(row.order_id)} {what}{volume}{profit}{state} {literal(row.comment or '')}".rstrip()


def _place(one: Traded) -> str:
    return literal(f"{one.server.id}/{one.row.login}")


def _balance(one: Traded, taste: Taste) -> str:
    return f"{taste.number(one.row.balance, 2)} {literal(one.row.currency)}"


def leader_board(board: LeaderBoard, taste: Taste) -> list[str]:
    lines = [
        f"{place}. {literal(one.user_name or one.user_id or '')} {_percent(one, taste)}"
        + (" <i>suspended</i>" if one.suspend else "")
        for place, one in enumerate(board.competitors, 1)
    ]
    return ["\n".join([bold("Leader board"), *(lines or ["Nobody takes part."])])]


def _percent(one: Competitor, taste: Taste) -> str:
    return "" if one.profit_percent is None else f"{taste.number(one.profit_percent, 2)} %"
