"""Option prices and trading: proposal, buy, sell, proposal_open_contract."""

from collections.abc import Sequence

from bot.providers.deriv.simulator import contracts
from bot.providers.deriv.simulator.connection import Body, Stream
from bot.providers.deriv.simulator.hub import Play, Request
from bot.providers.deriv.simulator.limits import OUTCOME, PRICING, PROPOSAL_STREAMS
from bot.providers.deriv.simulator.payloads import trading as shown
from bot.providers.deriv.simulator.proposals import Proposal, priced
from bot.providers.deriv.simulator.rules import Arguments, Kind, RefusalError, Rule
from bot.providers.deriv.simulator.shapes import (
    DESCRIBED,
    INTEGER,
    LATER_EPOCH,
    LOGIN_ID,
    NUMBER,
    ON,
    ONE,
    READING,
    call,
)
from bot.providers.deriv.simulator.state import CURRENCIES, Account, Contract
from bot.providers.deriv.simulator.symbols import SYMBOLS

_EVERY = "all"


def proposal(request: Request) -> Sequence[Body]:
    """The price of a contract under an id that `buy` takes; with subscribe each new price, unless it never changes."""
    asked, connection, world = request.arguments, request.connection, request.world
    own_currency = world.state.accounts[connection.main.loginid].currency if connection.main else None
    terms = priced(world, asked, own_currency)
    if not asked.integer("subscribe") or terms.steady:
        offered = Proposal(request.hub.new_id(), asked, world.now())
    else:
        if sum(stream.kind == "proposal" for stream in connection.streams.values()) >= PROPOSAL_STREAMS:
            raise RefusalError("RateLimit", "You have reached the rate limit for proposal.")
        stream = request.subscribe("proposal", _identity(request), public=True)
        stream.symbol, stream.last_second = terms.symbol, world.feed(terms.symbol).latest(world.now())
        offered = stream.proposal = Proposal(stream.id, asked, world.now())
    good = {each.id: each for each in connection.proposals.values() if each.good(world.now(), connection.streams)}
    connection.proposals = {**good, offered.id: offered}
    return [shown.proposal(world, offered.id, terms, _digits(asked), subscribed=offered.id in connection.streams)]


def _digits(asked: Arguments) -> int:
    return CURRENCIES[asked.text("currency")].digits


def _identity(request: Request) -> str:
    """What makes two proposals the same stream: everything they ask for."""
    beside = ("req_id", "passthrough", "subscribe")
    return repr(sorted((name, repr(value)) for name, value in request.frame.items() if name not in beside))


def buy(request: Request) -> Sequence[Body]:
    """Buy a priced proposal, or the contract the request describes, at today's price if that is not above `price`."""
    account, asked = request.account, request.arguments
    terms, offered = _wanted(request, account)
    if terms.ask > asked.number("price"):
        raise RefusalError("PriceMoved", f"The contract price has moved to {terms.ask:f}.")
    contract, movement = request.world.buy(account, terms, request.connection.app_id)
    body: dict[str, object] = {"buy": shown.bought(contract, movement)}
    if offered is not None:
        request.connection.proposals.pop(offered.id, None)
        request.connection.streams.pop(offered.id, None)
    if asked.integer("subscribe"):
        stream = request.subscribe(
            "proposal_open_contract", str(contract.contract_id), msg_type="proposal_open_contract"
        )
        body["subscription"] = {"id": stream.id}
    return [body]


def _wanted(request: Request, account: Account) -> tuple[contracts.Terms, Proposal | None]:
    """What is to be bought now, and the proposal it comes from."""
    asked, now = request.arguments, request.world.now()
    if not contracts.fits(asked.number("price"), CURRENCIES[account.currency].digits):
        digits = CURRENCIES[account.currency].digits
        raise RefusalError("InvalidPrice", f"Only a maximum of {digits} decimal places are allowed for the price.")
    if asked.text("buy") != "1":
        offered = request.connection.proposals.get(asked.text("buy"))
        if offered is None or not offered.good(now, request.connection.streams):
            raise RefusalError("InvalidContractProposal", "Unknown contract proposal.")
        return priced(request.world, offered.asked, account.currency), offered
    if "parameters" not in asked:
        raise RefusalError(
            "InputValidationFailed", "Input validation failed: parameters", {"parameters": "Missing property."}
        )
    return priced(request.world, asked.inner("parameters"), account.currency), None


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
    if closing or not request.world.is_open(SYMBOLS[contract.symbol]):
        raise RefusalError("InvalidOfferings", "Resale of this contract is not offered.")
    return contract


def proposal_open_contract(request: Request) -> Sequence[Body]:
    """One contract's state, or that of every open one; with subscribe also what becomes of it."""
    subscribe = bool(request.arguments.integer("subscribe"))
    if "contract_id" not in request.arguments:
        stream = _follow(request, _EVERY) if subscribe else None
        rows = list(request.world.open_contracts(request.account.loginid))
        return [_shown(request, row, stream) for row in rows] or [shown.no_contract(stream.id if stream else None)]
    contract = request.world.state.contracts.get(request.arguments.integer("contract_id"))
    if contract is None or contract.loginid != request.account.loginid:
        raise RefusalError("ContractNotFound", "This contract was not found.")
    running = subscribe and contract.sold_at is None
    return [_shown(request, contract, _follow(request, str(contract.contract_id)) if running else None)]


def _follow(request: Request, subject: str) -> Stream:
    try:
        return request.subscribe("proposal_open_contract", subject)
    except RefusalError as refusal:
        raise RefusalError(refusal.code, "proposal_open_contract") from None


def _shown(request: Request, contract: Contract, stream: Stream | None) -> Body:
    body = shown.open_contract(request.world, contract, stream.id if stream else None)
    if stream is not None:
        stream.told[contract.contract_id] = shown.worth(body)
    return body


_PARAMETERS = Rule(
    Kind.OBJECT,
    fields={
        **DESCRIBED,
        "app_markup_percentage": NUMBER,
        "date_expiry": LATER_EPOCH,
        "trading_period_start": LATER_EPOCH,
    },
)

PLAYS: tuple[Play, ...] = (
    (
        call(
            "buy",
            {
                "buy": Rule(Kind.STRING, required=True, pattern=r"[\w-]{32,128}|1"),
                "parameters": _PARAMETERS,
                "price": Rule(Kind.NUMBER, required=True, low=0),
                "subscribe": ON,
                **LOGIN_ID,
            },
            scopes=("trade",),
        ),
        buy,
    ),
    (
        call(
            "sell",
            {"sell": Rule(Kind.INTEGER, required=True), "price": Rule(Kind.NUMBER, required=True), **LOGIN_ID},
            scopes=("trade",),
        ),
        sell,
    ),
    (
        call(
            "proposal_open_contract",
            {"proposal_open_contract": ONE, "contract_id": INTEGER, "subscribe": ON, **LOGIN_ID},
            scopes=READING,
            buckets=(PRICING,),
        ),
        proposal_open_contract,
    ),
    (
        call("proposal", {"proposal": ONE, **DESCRIBED, "subscribe": ON, **LOGIN_ID}, buckets=(OUTCOME, PRICING)),
        proposal,
    ),
)
