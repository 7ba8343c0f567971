"""Accounting: balance, portfolio, statement, profit_table, transaction, sell_expired."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from decimal import Decimal

from bot.providers.deriv.simulator.connection import Body
from bot.providers.deriv.simulator.hub import Play, Request
from bot.providers.deriv.simulator.limits import OUTCOME
from bot.providers.deriv.simulator.payloads import accounting as shown
from bot.providers.deriv.simulator.rules import Kind, RefusalError, Rule
from bot.providers.deriv.simulator.shapes import CONTRACT_FILTER, EPOCH, LOGIN_ID, ONE, READING, SWITCH, call
from bot.providers.deriv.simulator.state import Contract, Movement

_STATEMENT_PAGE, _PROFIT_PAGE = 100, 50
_END_OF_TIME = 10**10
_ESCROW = ("hold", "release")
_ACTIONS = ("buy", "sell", "deposit", "withdrawal", "escrow", "adjustment", "virtual_credit", "transfer")


def balance(request: Request) -> Sequence[Body]:
    """One balance or all; the plain token sees its own account only."""
    own, asked = request.account, request.arguments.text("account", "current")
    if asked not in ("current", own.loginid):
        _may_look_beyond(request, asked)
    subject = own.loginid if asked == "current" else asked
    stream = request.subscribe("balance", subject) if request.arguments.integer("subscribe") else None
    stream_id = stream.id if stream else None
    if asked == "all":
        return [shown.all_balances(request.world, own, stream_id)]
    account = request.world.state.accounts[subject]
    return [shown.balance(account, account.balance, stream_id)]


def _may_look_beyond(request: Request, asked: str) -> None:
    siblings = {account.loginid for account in request.world.accounts_of(request.account.user_id)}
    if request.grant is None or not request.grant.oauth or asked not in {"all", *siblings}:
        raise RefusalError("PermissionDenied", "Permission denied, balances of all accounts require oauth token.")


def portfolio(request: Request) -> Sequence[Body]:
    """Open contracts of the account, oldest first; expired ones until they are settled."""
    kinds = request.arguments.texts("contract_type")
    rows = [
        shown.position(contract)
        for contract in request.world.open_contracts(request.account.loginid)
        if not kinds or contract.contract_type in kinds
    ]
    return [{"portfolio": {"contracts": rows}}]


def statement(request: Request) -> Sequence[Body]:
    """A page of the account's movements, newest first; `count` is the page's own size."""
    rows = [movement for movement in reversed(request.world.state.movements) if _wanted(request, movement)]
    offset = request.arguments.integer("offset")
    page = rows[offset : offset + int(request.arguments.number("limit", _STATEMENT_PAGE))]
    described = bool(request.arguments.integer("description"))
    body = [shown.statement_row(request.world, movement, described=described) for movement in page]
    return [{"statement": {"count": len(body), "transactions": body}}]


def _wanted(request: Request, movement: Movement) -> bool:
    asked = request.arguments
    action = asked.text("action_type")
    actions = _ESCROW if action == "escrow" else (action,)
    return (
        movement.loginid == request.account.loginid
        and asked.integer("date_from") <= movement.at < asked.integer("date_to", _END_OF_TIME)
        and (not action or movement.action in actions)
    )


def profit_table(request: Request) -> Sequence[Body]:
    """A page of the account's closed contracts, by the time of purchase; the window is that of the purchase too."""
    asked = request.arguments
    rows = list(_closed(request, _second(asked.text("date_from"), 0), _second(asked.text("date_to"), _END_OF_TIME)))
    rows.sort(key=lambda row: (row.start, row.transaction_id), reverse=asked.text("sort", "DESC") == "DESC")
    offset = asked.integer("offset")
    page = rows[offset : offset + int(asked.number("limit", _PROFIT_PAGE))]
    described = bool(asked.integer("description"))
    body = [shown.profit(row, described=described) for row in page]
    return [{"profit_table": {"count": len(body), "transactions": body}}]


def _closed(request: Request, since: int, until: int) -> Iterator[Contract]:
    kinds = request.arguments.texts("contract_type")
    for contract in request.world.state.contracts.values():
        own = contract.sold_at is not None and contract.loginid == request.account.loginid
        if own and since <= contract.start < until and (not kinds or contract.contract_type in kinds):
            yield contract


def _second(text: str, default: int) -> int:
    """A date of the table: an epoch as text, or a day's first second."""
    if not text:
        return default
    if text.isdecimal():
        return int(text)
    try:
        year, month, day = map(int, text.split("-"))
        return int(datetime(year, month, day, tzinfo=UTC).timestamp())
    except ValueError:
        raise RefusalError("InputValidationFailed", "Input validation failed: date", {"date": "No such day."}) from None


def transaction(request: Request) -> Sequence[Body]:
    """An acknowledgement with nothing but the id; movements follow."""
    stream = request.subscribe("transaction", request.account.loginid)
    return [{"transaction": {"id": stream.id}, "subscription": {"id": stream.id}}]


def sell_expired(request: Request) -> Sequence[Body]:
    """Settle what has expired, without waiting for the service to do it by itself."""
    return [{"sell_expired": {"count": request.world.settle(request.account.loginid)}}]


_DAY = Rule(
    Kind.STRING, pattern=r"[0-9]{4}-(0?[1-9]|1[012])-(0?[1-9]|[12][0-9]|3[01])|[0-9]{1,10}"
)  # an epoch as text, or yyyy-mm-dd

PLAYS: tuple[Play, ...] = (
    (
        call(
            "balance",
            {
                "balance": ONE,
                "account": Rule(Kind.STRING, pattern=r"current|all|[A-Z]{2,4}[0-9]{1,10}"),
                "subscribe": SWITCH,
                **LOGIN_ID,
            },
            scopes=READING,
        ),
        balance,
    ),
    (
        call(
            "portfolio",
            {"portfolio": ONE, "contract_type": CONTRACT_FILTER, **LOGIN_ID},
            scopes=READING,
            buckets=(OUTCOME,),
        ),
        portfolio,
    ),
    (
        call(
            "statement",
            {
                "statement": ONE,
                "action_type": Rule(Kind.STRING, one_of=_ACTIONS),
                "date_from": EPOCH,
                "date_to": EPOCH,
                "description": SWITCH,
                "limit": Rule(Kind.NUMBER, low=0, high=999),
                "offset": Rule(Kind.INTEGER, low=0),
                **LOGIN_ID,
            },
            scopes=READING,
            buckets=(OUTCOME,),
        ),
        statement,
    ),
    (
        call(
            "profit_table",
            {
                "profit_table": ONE,
                "contract_type": CONTRACT_FILTER,
                "date_from": _DAY,
                "date_to": _DAY,
                "description": SWITCH,
                "limit": Rule(Kind.NUMBER, low=Decimal(0), high=500),
                "offset": Rule(Kind.INTEGER, low=0),
                "sort": Rule(Kind.STRING, one_of=("ASC", "DESC")),
                **LOGIN_ID,
            },
            scopes=READING,
        ),
        profit_table,
    ),
    (
        call(
            "transaction",
            {"transaction": ONE, "subscribe": Rule(Kind.INTEGER, required=True, one_of=(1,)), **LOGIN_ID},
            scopes=READING,
        ),
        transaction,
    ),
    (call("sell_expired", {"sell_expired": ONE, **LOGIN_ID}, scopes=("trade",)), sell_expired),
)
