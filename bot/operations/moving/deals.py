"""Orders, and what is done to what they opened, as a broker is told of them."""

from decimal import Decimal, InvalidOperation

from bot.approvals.model import Kind
from bot.approvals.policy.model import Act as Named
from bot.operations import contract_line
from bot.operations.moving.matters import Aspects, Parameters, money_in, where
from bot.providers.acts import Act, ActKind

_NAMED = {Kind.ORDER: Named.ORDER, Kind.CLOSE: Named.CLOSE, Kind.CHANGE: Named.ORDER}
_ACTS = {Kind.ORDER: ActKind.ORDER, Kind.CLOSE: ActKind.CLOSE, Kind.CHANGE: ActKind.CHANGE}
_SIDES = {"buy": "Buy", "sell": "Sell"}
_HELD = {"buy": "bought", "sell": "sold"}
_TERMS = {
    "level": "Price",
    "stop": "Stop",
    "limit": "Limit",
    "good_till": "Good till",
    "contract_type": "Contract",
    "duration": "Lasts",
    "barrier": "Barrier",
    "barrier2": "Second barrier",
    "multiplier": "Multiplier",
    "expiry": "Ends",
    "price": "Price at most",
    "least": "Price at least",
}
"""What it is about beyond what is bought: the parameter, and what it is called on a card, in this order."""
_WORTH = {"stake": "Stake {}", "payout": "Pays {} if it is won"}
"""What the amount of a contract is, by its basis."""
_ALIKE = {
    "contract": ("contract_type", "basis", "amount", "currency", "duration", "barrier", "barrier2", "multiplier"),
    "market": ("size",),
    "limit": ("size", "level"),
    "stop": ("size", "level"),
    "position": ("stop", "limit"),
    "order": ("level", "stop", "limit", "good_till"),
}
"""What makes two of a kind one and the same, beside what they are about. Never what moves with the price."""


class DealMatter:
    """Fits `bot.operations.moving.matters.Matter`.

    Parameters beside the common ones: `account`; `target` (an order: the symbol; else the provider's id of what is
    closed or changed); `symbol`, `name`, `direction` (buy, sell: of the order or what is open), `size`, `size_unit`;
    `amount` and `currency`, what it is worth when asked for; `type` of an order (market, limit, stop, contract); `what`
    of a change (position, order, withdrawn order); and the terms, digit for digit as they will be sent. `price` and
    `least` are the worst that what is bought or sold may cost or bring. Where a price
    was offered (Deriv): `proposal` and `proposed_at`, its id and since when it holds (ISO 8601, aware); `basis`,
    whether `amount` is the stake or the payout.
    """

    def __init__(self, kind: Kind) -> None:
        self._kind = kind

    def aspects(self, parameters: Parameters) -> Aspects:
        takes_back = parameters.get("what") == "withdrawn order"
        amount, alike = money_in(parameters), self._alike(parameters)
        return Aspects(_NAMED[self._kind], parameters["account"], "", amount, alike, ends_risk=takes_back)

    def act(self, request_id: str, parameters: Parameters) -> Act:
        told = ("symbol", "direction", "size", "type", "what", "basis", "proposal", "proposed_at", *_TERMS)
        words = {key: parameters[key] for key in told if key in parameters}
        amount = money_in(parameters)
        return Act(request_id, _ACTS[self._kind], parameters["account"], amount, parameters["target"], words)

    def lines(self, parameters: Parameters) -> tuple[str, ...]:
        worth = money_in(parameters)
        about = _WORTH.get(parameters.get("basis", ""), "Worth about {}")
        return (
            self._first(parameters),
            *(f"{label}: {_term(key, parameters)}" for key, label in _TERMS.items() if key in parameters),
            *((about.format(worth),) if worth is not None else ()),
            f"on account {parameters['account']} ({where(parameters)})",
        )

    def masked(self, parameters: Parameters) -> tuple[str, ...]:
        what = {Kind.ORDER: "An order", Kind.CLOSE: "The closing of a position", Kind.CHANGE: "A change of an order"}
        return (f"{what[self._kind]} in {where(parameters)}.",)

    def _alike(self, parameters: Parameters) -> str:
        """A position is closed once, and an order taken back once, whatever they are worth by then."""
        what = parameters.get("what", parameters.get("type", ""))
        told = (f"{key}={_plain(parameters[key])}" for key in _ALIKE.get(what, ()) if key in parameters)
        return ",".join((self._kind.value, what, *told))

    def _first(self, parameters: Parameters) -> str:
        many = " ".join(filter(None, (parameters.get("size", ""), parameters.get("size_unit", ""))))
        named = parameters.get("name", parameters["symbol"])
        market = named if named == parameters["symbol"] else f"{named} ({parameters['symbol']})"
        side = parameters.get("direction", "")
        if self._kind is Kind.ORDER:
            when = {"limit": ", limit order", "stop": ", stop order"}.get(parameters.get("type", ""), ", at once")
            if parameters.get("type") == "contract":
                return f"Buy a contract on {market}, at once"
            return " ".join(filter(None, (_SIDES.get(side, "Buy"), many, market))) + when
        if self._kind is Kind.CLOSE and "least" in parameters:
            goes = {"buy": ", long", "sell": ", short"}.get(side, "")
            return f"Sell contract {parameters['target']} back: {market}{goes}"  # a short one was bought, too
        waits = "order" in parameters.get("what", "")
        held = " ".join(filter(None, (side if waits else _HELD.get(side, ""), many, market)))
        if self._kind is Kind.CLOSE:
            return f"Close {parameters['target']}: {held}"
        if parameters["what"] == "withdrawn order":
            return f"Take back the order {parameters['target']}: {held}"
        return f"Change the {parameters['what']} {parameters['target']}: {held}"


def _term(key: str, parameters: Parameters) -> str:
    """A term as people know it: a kind of contract by their word for it, a contract's price in its currency."""
    said = parameters[key]
    if key == "contract_type":
        word = contract_line.word_for(said, has_barrier="barrier" in parameters)
        return f"{word} ({said})" if word else said
    if key == "price" and parameters.get("type") == "contract" and "currency" in parameters:
        return f"{said} {parameters['currency']}"
    return said


def _plain(text: str) -> str:
    """A number however it was written: 2 and 2.0 are one."""
    try:
        return f"{Decimal(text).normalize():f}"
    except InvalidOperation:
        return text
