"""What each call does, once it has been found well-formed and allowed.

A handler gives the bodies of its replies, nearly always one, or raises the refusal that is answered instead.
"""

from collections.abc import Mapping, Sequence
from types import MappingProxyType

from bot.providers.deriv.simulator import contracts, payloads
from bot.providers.deriv.simulator.connection import Body, Grant
from bot.providers.deriv.simulator.hub import Handler, Request
from bot.providers.deriv.simulator.prices import SYMBOLS, Symbol
from bot.providers.deriv.simulator.rules import RefusalError
from bot.providers.deriv.simulator.world import CURRENCIES, Account, Contract, Movement

_SEVERAL = "MULTI"
_STATEMENT_PAGE = 100
_END_OF_TIME = 10**10
_ESCROW = ("hold", "release")


def ping(_: Request) -> Sequence[Body]:
    return [{"ping": "pong"}]


def time(request: Request) -> Sequence[Body]:
    return [{"time": request.world.now()}]


def website_status(request: Request) -> Sequence[Body]:
    """The site's state; with subscribe also each later change."""
    stream = request.subscribe("website_status", "", public=True) if request.arguments.integer("subscribe") else None
    return [payloads.website_status(request.world, stream.id if stream else None)]


def forget(request: Request) -> Sequence[Body]:
    """End one stream of this connection; an id that is none of its own gives 0."""
    return [{"forget": int(request.connection.streams.pop(request.arguments.text("forget"), None) is not None)}]


def forget_all(request: Request) -> Sequence[Body]:
    """End all streams of the named kinds; the ids of those that ran."""
    kinds = set(request.arguments.texts("forget_all"))
    ended = [stream.id for stream in request.connection.streams.values() if stream.kind in kinds]
    for stream_id in ended:
        del request.connection.streams[stream_id]
    return [{"forget_all": ended}]


def authorize(request: Request) -> Sequence[Body]:
    """Bind the connection to the account of a token, or to those of several tokens of one client.

    A refused token leaves the connection as it was; that is our reading of "stays usable".
    """
    main = request.arguments.text("authorize")
    texts = request.arguments.texts("tokens")
    several = main == _SEVERAL and bool(texts)
    grants = [_grant(request, text) for text in (texts if several else [main, *texts])]
    if len({grant.user_id for grant in grants}) > 1:
        raise RefusalError("InvalidToken", "The token is invalid.")
    request.connection.authorize(None if several else grants[0], {grant.loginid: grant for grant in reversed(grants)})
    request.world.state.authorizations += 1
    account = request.world.state.accounts[grants[0].loginid]
    return [payloads.authorize(request.world, account, grants[0])]


def _grant(request: Request, text: str) -> Grant:
    token = request.world.usable(text, request.connection.app_id)
    account = request.world.state.accounts[token.loginid]
    return Grant(text, token.loginid, account.user_id, tuple(token.scopes), token.oauth)


def logout(request: Request) -> Sequence[Body]:
    """Become anonymous; OAuth tokens of this connection are spent, API tokens are not."""
    spent = [grant.token for grant in request.connection.grants.values() if grant.oauth]
    request.connection.logout()
    for token in spent:
        request.world.expire(token)
        request.hub.token_expired(token)
    return [{"logout": 1}]


def balance(request: Request) -> Sequence[Body]:
    """One balance or all; the plain token sees its own account only."""
    own, asked = request.account, request.arguments.text("account", "current")
    if asked not in ("current", own.loginid):
        _may_look_beyond(request, asked)
    subject = own.loginid if asked == "current" else asked
    stream = request.subscribe("balance", subject) if request.arguments.integer("subscribe") else None
    stream_id = stream.id if stream else None
    if asked == "all":
        return [payloads.all_balances(request.world, own, stream_id)]
    account = request.world.state.accounts[subject]
    return [payloads.balance(account, account.balance, stream_id)]


def _may_look_beyond(request: Request, asked: str) -> None:
    siblings = {account.loginid for account in request.world.accounts_of(request.account.user_id)}
    if request.grant is None or not request.grant.oauth or asked not in {"all", *siblings}:
        raise RefusalError("PermissionDenied", "Permission denied, balances of all accounts require oauth token.")


def portfolio(request: Request) -> Sequence[Body]:
    """Open contracts of the account, oldest first; expired ones until they are settled."""
    kinds = request.arguments.texts("contract_type")
    rows = [
        payloads.position(contract)
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
    shown = [payloads.statement_row(request.world, movement, described=described) for movement in page]
    return [{"statement": {"count": len(shown), "transactions": shown}}]


def _wanted(request: Request, movement: Movement) -> bool:
    asked = request.arguments
    action = asked.text("action_type")
    actions = _ESCROW if action == "escrow" else (action,)
    return (
        movement.loginid == request.account.loginid
        and asked.integer("date_from") <= movement.at < asked.integer("date_to", _END_OF_TIME)
        and (not action or movement.action in actions)
    )


def transaction(request: Request) -> Sequence[Body]:
    """An acknowledgement with nothing but the id; movements follow."""
    stream = request.subscribe("transaction", request.account.loginid)
    return [{"transaction": {"id": stream.id}, "subscription": {"id": stream.id}}]


def active_symbols(request: Request) -> Sequence[Body]:
    """All underlyings, or none when only contract types are wanted that nobody offers here."""
    wanted = request.arguments.texts("contract_type")
    full = request.arguments.text("active_symbols") == "full"
    offered = not wanted or bool(set(wanted) & set(contracts.OFFERED))
    rows = [
        payloads.active_symbol(request.world, symbol, order, full=full)
        for order, symbol in enumerate(SYMBOLS.values(), start=1)
        if offered
    ]
    return [{"active_symbols": rows}]


def ticks(request: Request) -> Sequence[Body]:
    """The latest price of each symbol; with subscribe a stream each. What fails, fails for its symbol alone."""
    names = request.arguments.texts("ticks")
    if not names:
        raise RefusalError("NoSymbolProvided", "Please provide a symbol.")
    return [_tick(request, name) for name in names]


def _tick(request: Request, name: str) -> Body:
    try:
        symbol, now = _symbol(name), request.world.now()
        second = symbol.awake(now) - symbol.awake(now) % symbol.interval_seconds
        if not request.arguments.integer("subscribe"):
            return payloads.tick(request.world, symbol, second)
        if not symbol.is_open(now):
            raise RefusalError("MarketIsClosed", "This market is presently closed.")
        stream = request.subscribe("ticks", name, public=True)
        stream.last_second = second
        return payloads.tick(request.world, symbol, second, stream.id)
    except RefusalError as refusal:
        return refusal.body()


def _symbol(name: str) -> Symbol:
    if name not in SYMBOLS:
        raise RefusalError("InvalidSymbol", f"Symbol {name} is invalid.")
    return SYMBOLS[name]


def buy(request: Request) -> Sequence[Body]:
    """Buy the contract the request describes, at today's price if that is not above `price`."""
    terms = _terms(request, request.account)
    if terms.ask > request.arguments.number("price"):
        raise RefusalError("PriceMoved", f"The contract price has moved to {terms.ask:f}.")
    contract, movement = request.world.buy(request.account, terms, request.connection.app_id)
    return [
        {
            "buy": {
                "balance_after": movement.balance_after,
                "buy_price": contract.buy_price,
                "contract_id": contract.contract_id,
                "longcode": contract.longcode,
                "payout": contract.payout,
                "purchase_time": movement.at,
                "shortcode": contract.shortcode,
                "start_time": contract.start,
                "transaction_id": movement.transaction_id,
            }
        }
    ]


def _terms(request: Request, account: Account) -> contracts.Terms:
    if request.arguments.text("buy") != "1":
        raise RefusalError("InvalidContractProposal", "Unknown contract proposal.")
    if "parameters" not in request.arguments:
        raise RefusalError(
            "InputValidationFailed", "Input validation failed: parameters", {"parameters": "Missing property."}
        )
    wanted, digits, now = (
        request.arguments.inner("parameters"),
        CURRENCIES[account.currency].digits,
        request.world.now(),
    )
    symbol = _symbol(wanted.text("symbol"))
    if wanted.text("currency") != account.currency:
        raise RefusalError("NotDefaultCurrency", "The provided currency is not the account's currency.")
    if not contracts.fits(request.arguments.number("price"), digits):
        raise RefusalError("InvalidPrice", f"Only a maximum of {digits} decimal places are allowed for the price.")
    if not symbol.is_open(now):
        raise RefusalError("MarketIsClosed", "This market is presently closed.")
    return contracts.offer(wanted, symbol, digits, now)


def sell(request: Request) -> Sequence[Body]:
    """Sell an open contract back, at today's bid if that is not below `price`."""
    contract = _sellable(request)
    sold_for = request.world.bid(contract)
    if sold_for < request.arguments.number("price"):
        raise RefusalError("PriceMoved", f"The contract price has moved to {sold_for:f}.")
    movement = request.world.close(contract, sold_for, request.connection.app_id)
    return [
        {
            "sell": {
                "balance_after": movement.balance_after,
                "contract_id": contract.contract_id,
                "reference_id": contract.transaction_id,
                "sold_for": movement.amount,
                "transaction_id": movement.transaction_id,
            }
        }
    ]


def _sellable(request: Request) -> Contract:
    contract = request.world.state.contracts.get(request.arguments.integer("sell"))
    if contract is None or contract.loginid != request.account.loginid:
        raise RefusalError("InvalidSellContractProposal", "Unknown contract sell proposal.")
    if contract.sold_at is not None:
        raise RefusalError("NoOpenPosition", "This contract was not found among your open positions.")
    if not contracts.fits(request.arguments.number("price"), CURRENCIES[contract.currency].digits):
        raise RefusalError("InvalidPrice", "Too many decimal places in the price.")
    closing = contract.expiry - request.world.now() < contracts.NO_RESALE_SECONDS
    if closing or not SYMBOLS[contract.symbol].is_open(request.world.now()):
        raise RefusalError("InvalidOfferings", "Resale of this contract is not offered.")
    return contract


HANDLERS: Mapping[str, Handler] = MappingProxyType(
    {
        "authorize": authorize,
        "logout": logout,
        "balance": balance,
        "portfolio": portfolio,
        "statement": statement,
        "transaction": transaction,
        "buy": buy,
        "sell": sell,
        "active_symbols": active_symbols,
        "ticks": ticks,
        "website_status": website_status,
        "forget": forget,
        "forget_all": forget_all,
        "time": time,
        "ping": ping,
    }
)
