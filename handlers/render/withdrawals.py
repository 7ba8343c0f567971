"""Clients' withdrawals, drawn: the list, one request's card, and everything about it."""

from collections.abc import Sequence
from datetime import datetime

from bot.operations.clients import MOST_ROWS, ClientFile
from bot.operations.requested import ALL, PENDING, Known, Order, Selection, Source
from bot.operations.withdrawals import Look
from bot.providers.crm.wire.requests import WALLET, Withdrawal
from handlers.render import crm
from handlers.render.text import Taste, ago, bold, literal, visible

ON_A_CARD = 3
"""Trades and earlier withdrawals shown there; Details shows more."""
_FIELDS_ON_A_CARD = 8
_VALUE = 200
_HOW_THEY_COME = (
    "<i>The CRM announces no new request: this list holds what its webhooks told, and what somebody added with "
    "/withdrawals add and the id.</i>"
)
_SOURCES = {Source.WEBHOOK: "told by a webhook", Source.OPERATOR: "added by hand", Source.REPORT: "found in the report"}
_ORDERS = {Order.AGE: "oldest first", Order.AMOUNT: "largest first, each currency by itself"}


def listed(
    shown: Sequence[Known], selection: Selection, fitting: int, there_are: int, first: int, now: datetime, taste: Taste
) -> str:
    """One page of the list.

    Args:
        fitting: How many fit the selection.
        there_are: How many are known at all.
        first: The number of the first one shown.
    """
    if not shown:
        return "\n\n".join(_nothing(selection, there_are))
    head = f"{bold(_title(selection))} · {fitting} · {_ORDERS[selection.order]}"
    narrowed = f"\nFilter: {literal(_filter(selection), 200)}" if selection.narrows else ""
    blocks = [f"{number}. {_block(one, now, taste)}" for number, one in enumerate(shown, first)]
    return "\n\n".join([head + narrowed, *blocks])


def _title(selection: Selection) -> str:
    if selection.state == PENDING:
        return "Withdrawals that wait"
    return "All withdrawals" if selection.state == ALL else f"Withdrawals {selection.state}"


def _filter(selection: Selection) -> str:
    words = selection.words()
    for prefix in (selection.state, f"by {selection.order}"):
        words = words.removeprefix(prefix).removesuffix(prefix).strip()
    return words


def _nothing(selection: Selection, there_are: int) -> list[str]:
    if selection.narrows:
        which = "that wait" if selection.state == PENDING else f"({selection.state})"
        return [
            f"No withdrawals {which} fit: {literal(_filter(selection), 200)}.",
            f"{there_are} are known in all. /withdrawals shows every one that waits.",
        ]
    if selection.state == PENDING:
        seen = f" {there_are} decided ones are kept: /withdrawals all." if there_are else ""
        return [f"No withdrawals are known to wait.{seen}", _HOW_THEY_COME]
    return [f"No withdrawals are known{'' if selection.state == ALL else f' as {selection.state}'}.", _HOW_THEY_COME]


def _block(one: Known, now: datetime, taste: Taste) -> str:
    status = f"at node {one.node}" if one.status == PENDING and one.node else _status(one)
    lines = [f"{bold(_amount(one, taste))} · {status} · <code>{literal(one.request_id)}</code>"]
    if one.client:
        place = literal(one.account) if "/" in one.account else "wallet"
        lines.append(f"{literal(one.client)} · {literal(one.method)} · {place}")
    asked = f"asked {ago(now, one.asked_at)}; {_SOURCES[one.source]}" if one.asked_at else _heard(one, now)
    lines.append(f"<i>{asked}; {_confirmed(one, now)}</i>")
    return "\n".join(lines)


def _amount(one: Known, taste: Taste) -> str:
    return "amount not read yet" if one.amount is None else taste.money(one.amount)


def _status(one: Known, nodes: int = 0) -> str:
    if one.status is None:
        return "not confirmed"
    of = f" of {nodes}" if nodes > 1 else ""
    return f"pending at node {one.node}{of}" if one.status == "pending" and one.node else literal(one.status)


def _provenance(one: Known, now: datetime) -> str:
    return f"<i>{_heard(one, now)}; {_confirmed(one, now)}</i>"


def _heard(one: Known, now: datetime) -> str:
    return f"{_SOURCES[one.source]} {ago(now, one.noticed_at)}"


def _confirmed(one: Known, now: datetime) -> str:
    trouble = f"; not read since: {literal(one.trouble)}" if one.trouble else ""
    if one.confirmed_at is None:
        return f"never confirmed{trouble}"
    how = "read" if one.is_read else "by the webhook's word only, this tenant does not let requests be read;"
    return f"{how} {ago(now, one.confirmed_at)}{trouble}"


def card(look: Look, about: ClientFile | None, now: datetime, taste: Taste) -> list[str]:
    """What somebody needs who decides: the request, where the money goes, and who asks."""
    blocks = [_head(look, now, taste)]
    if look.found is not None:
        blocks.append(_payment(look.found, _FIELDS_ON_A_CARD))
        blocks.append(_client(look.found, about, taste))
    return [*blocks, _provenance(look.known, now)]


def whole(look: Look, about: ClientFile | None, now: datetime, taste: Taste) -> list[str]:
    """Everything there is."""
    blocks = [_head(look, now, taste), _provenance(look.known, now)]
    if look.found is not None:
        blocks += [_payment(look.found, None), _log(look.found)]
    if about is not None:
        blocks += crm.client_file(about, taste)
    return [block for block in blocks if block]


def _head(look: Look, now: datetime, taste: Taste) -> str:
    one, found = look.known, look.found
    nodes = (found and found.flow and found.flow.total) or 0
    lines = [f"{bold(_amount(one, taste))} · {_status(one, nodes)}"]
    asked = f" · asked {ago(now, one.asked_at)}" if one.asked_at is not None else ""
    lines.append(f"Withdrawal <code>{literal(one.request_id)}</code>{asked}")
    if found is not None:
        client = f" <code>{literal(found.user_id)}</code>" if found.user_id and found.user_id != one.client else ""
        lines.append(f"{literal(one.client)}{client}")
        lines.append(f"from {_place(found)}")
    return "\n".join(lines)


def _place(found: Withdrawal) -> str:
    if found.trading_id.upper() == WALLET:
        return f"the client's {literal(found.trading_currency)} wallet"
    platform = f" ({literal(found.trading_platform.upper())})" if found.trading_platform else ""
    return f"trading account {literal(found.account)}{platform}"


def _payment(found: Withdrawal, most_fields: int | None) -> str:
    same = found.withdrawal_currency in (None, found.trading_currency)
    pairs = [
        ("Fee", found.withdrawal_fee),
        ("Rate", None if same else found.exchange_rate),
        ("Paid out", " ".join(filter(None, (found.withdrawal_amount, found.withdrawal_currency)))),
    ]
    lines = [f"{literal(name)}: {literal(text)}" for name, text in pairs if text]
    fields = [one for one in found.custom_fields or () if one.value]
    lines += [f"{literal(one.title)}: {literal(one.value or '', _VALUE)}" for one in fields[:most_fields]]
    if most_fields is not None and len(fields) > most_fields:
        lines.append(f"<i>{len(fields) - most_fields} more under Details</i>")
    return "\n".join([bold(visible(found.withdrawal_method or "Payment")), *lines])


def _client(found: Withdrawal, about: ClientFile | None, taste: Taste) -> str:
    if about is None:
        return "The client could not be read just now."
    lines = [bold("Client"), f"KYC: {literal(about.kyc) if about.kyc else 'not told'}", _balance(found, about, taste)]
    if about.trades is None:
        lines.append("Last trades: could not be read")
    elif about.trades:
        lines += ["Last trades:", *(f"  {crm.trade(row, taste)}" for row in about.trades[:ON_A_CARD])]
    else:
        lines.append("No trades on MT4 in 80 days")
    return "\n".join([*lines, *_earlier(found, about, taste)])


def _balance(found: Withdrawal, about: ClientFile, taste: Taste) -> str:
    """What is left where the money comes from."""
    if found.trading_id.upper() == WALLET:
        if about.wallets is None:
            return "Wallet: could not be read"
        held = about.wallets.get(found.trading_currency)
        return f"Wallet: {taste.money(held)}" if held is not None else f"No {literal(found.trading_currency)} wallet"
    account = about.account(found.account)
    if account is None:
        return "Balance: could not be read"
    row = account.row
    free = row.available_withdrawal
    more = "" if free is None else f", {taste.number(free, 2)} of it free"
    return f"Balance: {taste.number(row.balance, 2)} {literal(row.currency)}{more}"


def _earlier(found: Withdrawal, about: ClientFile, taste: Taste) -> list[str]:
    if about.withdrawals is None:
        return ["Earlier withdrawals: could not be read"]
    rows = [row for row in about.withdrawals if found.id not in (row.id, (row.comment or "")[-len(found.id) :])]
    if not rows:
        return ["No other withdrawals in 80 days"]
    more = f" ({len(rows)})" if len(rows) > ON_A_CARD else ""
    shown = (f"  {crm.booked(row, taste)}" for row in rows[:ON_A_CARD])
    return [f"Other withdrawals, 80 days{more}:", *shown]


def _log(found: Withdrawal) -> str:
    lines = [
        f"{literal(one.timestamp or '')} {literal(one.event or '')} {literal(one.admin or '')}".strip()
        for one in (found.logs or ())[-MOST_ROWS:]
    ]
    return "\n".join([bold("Log"), *lines]) if lines else ""


def ask_reason(request_id: str, amount: str) -> str:
    return (
        f"Why is withdrawal <code>{literal(request_id)}</code> over {literal(amount)} to be rejected? Send the reason, "
        "1 to 500 characters. It goes into the CRM with the rejection, where the client may read it. /cancel stops."
    )
