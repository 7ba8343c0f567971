"""What the CRM tells of its clients, drawn: /client, /wallet, /mt, /leaderboard."""

from datetime import UTC, datetime

from bot.operations.clients import MOST_ROWS, ClientFile, Found, Holdings, Traded, Trading
from bot.providers.crm.wire import Client, Trade, Transaction
from bot.providers.crm.wire.clients import Branch
from bot.providers.crm.wire.reports import Competitor, LeaderBoard
from handlers.render.text import Taste, bold, literal


def client_file(about: ClientFile, taste: Taste) -> list[str]:
    profile = about.profile
    lines = [f"{bold('Client')} {literal(profile.name or '')} <code>{literal(profile.id)}</code>"]
    contact = [text for text in (profile.email, profile.phone and profile.phone.whole) if text]
    lines += [" · ".join(literal(text) for text in contact)] if contact else []
    lines.append(f"KYC: {literal(about.kyc) if about.kyc else 'not told'}")
    if profile.owner is not None and profile.owner.name:
        lines.append(f"Looked after by {literal(profile.owner.name)}")
    if profile.created_at:
        lines.append(f"Client since {literal(profile.created_at)}")
    parts = (_wallets(about, taste), _accounts(about, taste), _trades(about, taste), _history(about, taste))
    lined = (_line("Uplines", about.uplines), _line("Downlines", about.downlines))
    return [block for block in ("\n".join(lines), *parts, *lined) if block]


def _wallets(about: ClientFile, taste: Taste) -> str:
    if about.wallets is None:
        return "Wallets could not be read."
    return "\n".join([bold("Wallets"), *([taste.money(one) for one in about.wallets.values()] or ["No wallet."])])


def _accounts(about: ClientFile, taste: Taste) -> str:
    """Each with what is on it, where that could be read."""
    own = about.profile.trading_accounts or ()
    if not own:
        return "No trading accounts."
    lines = []
    for one in own:
        read = about.account(one.place)
        lines.append(
            f"{literal(one.platform.upper())} <code>{literal(one.place)}</code>"
            + (f" {_balance(read, taste)}" if read is not None else "")
        )
    unread = ["<i>What is on them could not be read.</i>"] if about.accounts is None else []
    return "\n".join([bold("Trading accounts"), *lines, *unread])


def _trades(about: ClientFile, taste: Taste) -> str:
    if not about.profile.trading_accounts:
        return ""
    if about.trades is None:
        return "Trades could not be read."
    rows = [trade(row, taste) for row in about.trades[:MOST_ROWS]]
    return "\n".join([bold("Last trades on MT4, 80 days"), *(rows or ["None."])])


def _history(about: ClientFile, taste: Taste) -> str:
    if about.withdrawals is None:
        return "Earlier withdrawals could not be read."
    lines = [booked(one, taste) for one in about.withdrawals[:MOST_ROWS]]
    return "\n".join([bold("Withdrawals, 80 days"), *(lines or ["None."])])


def booked(row: Transaction, taste: Taste) -> str:
    """One line of the report."""
    amount = "" if row.amount is None else taste.number(row.amount, 2)
    return f"{literal((row.timestamp or '')[:16])} {amount} {literal(row.currency or '')} {literal(row.status or '')}"


def _line(title: str, branch: Branch | None) -> str:
    """Who is above or below, the nearer the further left."""
    others = [(depth, one) for depth, one in branch.walk() if depth] if branch is not None else []
    if not others:
        return ""
    shown = [f"{'· ' * depth}{literal(one.email or one.id or '')}" for depth, one in others[:MOST_ROWS]]
    more = [f"and {len(others) - MOST_ROWS} more"] if len(others) > MOST_ROWS else []
    return "\n".join([bold(title), *shown, *more])


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
        return ["\n".join(lines), "Trades cannot be read: the CRM tells those of MT4 only."]
    trades = [_numbered(row, taste) for row in one.trades[:MOST_ROWS]]
    return ["\n".join(lines), "\n".join([bold("Last trades, 80 days"), *(trades or ["None."])])]


def trade(row: Trade, taste: Taste) -> str:
    """One trade or booking, in one line."""
    what = {0: "buy", 1: "sell", 6: "booking", 7: "credit"}.get(row.cmd, "order")
    volume = "" if row.volume is None or row.cmd > 1 else f" {taste.number(row.volume)} {literal(row.symbol or '')}"
    plus = "+" if row.profit is not None and row.profit > 0 else ""
    profit = "" if row.profit is None else f" · {plus}{taste.number(row.profit, 2)}"
    state = " · open" if row.cmd < 2 and not row.close_time else ""
    on = literal(row.open_time[:10]) if isinstance(row.open_time, str) else ""
    return f"{on} {what}{volume}{profit}{state}".strip()


def _numbered(row: Trade, taste: Taste) -> str:
    comment = f" · {literal(row.comment)}" if row.comment else ""
    return f"{trade(row, taste)} · {literal(row.order_id)}{comment}"


def _place(one: Traded) -> str:
    return literal(one.place)


def _balance(one: Traded, taste: Taste) -> str:
    return f"{taste.number(one.row.balance, 2)} {literal(one.row.currency)}"


def leader_board(board: LeaderBoard, taste: Taste) -> list[str]:
    lines = [
        f"{place}. {literal(one.user_name or one.user_id or '')} {_percent(one, taste)}"
        + (" <i>suspended</i>" if one.suspend else "")
        for place, one in enumerate(board.competitors, 1)
    ]
    as_of = [f"<i>as of {taste.date_time(at)}</i>"] if (at := _updated(board)) is not None else []
    return ["\n".join([bold("Leader board"), *(lines or ["Nobody takes part."]), *as_of])]


def _updated(board: LeaderBoard) -> datetime | None:
    """Milliseconds, by the page's word "long"; a number that is no time is left out."""
    try:
        return None if board.last_update_time is None else datetime.fromtimestamp(board.last_update_time / 1000, UTC)
    except (ValueError, OverflowError, OSError):
        return None


def _percent(one: Competitor, taste: Taste) -> str:
    return "" if one.profit_percent is None else f"{taste.number(one.profit_percent, 2)} %"
