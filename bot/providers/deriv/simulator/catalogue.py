"""Every call this side understands: what it takes, who may make it, which ceiling it counts against.

From the sections "Connection and utility" to "Option prices and trading" of the call reference. The order is the order
in which a frame's keys are looked through, so a frame with two call names is always read the same way.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from bot.providers.deriv.simulator.limits import GENERAL, OUTCOME, Bucket
from bot.providers.deriv.simulator.rules import Kind, Rule


@dataclass(frozen=True, slots=True)
class Call:
    """One call of the service."""

    name: str
    fields: Mapping[str, Rule]
    msg_type: str
    scopes: tuple[str, ...] = ()
    """Any one of these suffices; none at all means that no login is needed."""
    buckets: tuple[Bucket, ...] = (GENERAL,)


_ONE = Rule(Kind.INTEGER, required=True, one_of=(1,))
_SWITCH = Rule(Kind.INTEGER, one_of=(0, 1))
_ON = Rule(Kind.INTEGER, one_of=(1,))
_EPOCH = Rule(Kind.INTEGER, low=0, high=9999999999)
_LATER_EPOCH = Rule(Kind.INTEGER, low=1, high=9999999999)
_NUMBER = Rule(Kind.NUMBER)
_AMOUNT = Rule(Kind.NUMBER, low=0)
_TOKEN_PATTERN = r"[\w\-]{1,128}"  # the shape of one, not one
_SYMBOL = Rule(Kind.STRING, pattern=r"\w{2,30}")
_BARRIER = Rule(Kind.STRING, pattern=r"(?=.{1,20}$)[+-]?[0-9]+\.?[0-9]*")
_LOGIN_ID = {"loginid": Rule(Kind.STRING, pattern=r"[A-Za-z]+[0-9]+")}
_EVERYWHERE = {"passthrough": Rule(Kind.OBJECT), "req_id": Rule(Kind.INTEGER)}

_STREAMS = (
    "balance",
    "candles",
    "cashier_payments",
    "p2p_advert",
    "p2p_advertiser",
    "p2p_order",
    "proposal",
    "proposal_open_contract",
    "ticks",
    "transaction",
    "trading_platform_asset_listing",
    "website_status",
    "p2p_settings",
    "crypto_estimations",
    "portfolio",  # the last two only before 2019; taken and without effect
    "proposal_array",
)

_READABLE = (
    "ACCU ASIAND ASIANU CALL CALLE CALLSPREAD DIGITDIFF DIGITEVEN DIGITMATCH DIGITODD DIGITOVER DIGITUNDER EXPIRYMISS "
    "EXPIRYMISSE EXPIRYRANGE EXPIRYRANGEE LBFLOATCALL LBFLOATPUT LBHIGHLOW MULTDOWN MULTUP NOTOUCH ONETOUCH PUT PUTE "
    "PUTSPREAD RANGE RESETCALL RESETPUT RUNHIGH RUNLOW TICKHIGH TICKLOW TURBOSLONG TURBOSSHORT UPORDOWN "
    "VANILLALONGCALL VANILLALONGPUT"
)
_READABLE_CONTRACTS = tuple(_READABLE.split())
_BUYABLE_CONTRACTS = (*_READABLE_CONTRACTS, "SNOWDOWN", "SNOWUP")
_CONTRACT_FILTER = Rule(Kind.ARRAY, items=Rule(Kind.STRING, one_of=_READABLE_CONTRACTS), unique=True)

_PARAMETERS = Rule(
    Kind.OBJECT,
    fields={
        "amount": _AMOUNT,
        "app_markup_percentage": _NUMBER,
        "barrier": _BARRIER,
        "barrier2": _BARRIER,
        "barrier_range": Rule(Kind.STRING, one_of=("tight", "middle", "wide")),
        "basis": Rule(Kind.STRING, one_of=("payout", "stake")),
        "cancellation": Rule(Kind.STRING, pattern=r"\w+"),
        "contract_type": Rule(Kind.STRING, required=True, one_of=_BUYABLE_CONTRACTS),
        "currency": Rule(Kind.STRING, required=True, pattern=r"[a-zA-Z0-9]{2,20}"),
        "date_expiry": _LATER_EPOCH,
        "date_start": _EPOCH,
        "duration": Rule(Kind.INTEGER, low=0, high=99999999),
        "duration_unit": Rule(Kind.STRING, one_of=("d", "m", "s", "h", "t")),
        "growth_rate": _NUMBER,
        "limit_order": Rule(Kind.OBJECT, fields={"stop_loss": _NUMBER, "take_profit": _NUMBER}),
        "multiplier": _AMOUNT,
        "payout_per_point": _NUMBER,
        "product_type": Rule(Kind.STRING, one_of=("basic",)),
        "selected_tick": Rule(Kind.INTEGER),
        "symbol": Rule(Kind.STRING, required=True, pattern=r"\w{2,30}"),
        "trade_risk_profile": Rule(Kind.STRING, one_of=("low", "medium", "high")),
        "trading_period_start": _LATER_EPOCH,
    },
)

_BARRIER_CATEGORIES = ("american", "asian", "euro_atm", "euro_non_atm", "non_financial", "lookback", "reset")
_COMPANIES = Rule(Kind.STRING, one_of=("iom", "malta", "maltainvest", "svg", "virtual", "vanuatu"))
_STATEMENT_ACTIONS = ("buy", "sell", "deposit", "withdrawal", "escrow", "adjustment", "virtual_credit", "transfer")
_READING = ("read", "trading_information")


def _call(
    name: str,
    fields: Mapping[str, Rule],
    *,
    msg_type: str = "",
    scopes: tuple[str, ...] = (),
    buckets: tuple[Bucket, ...] = (GENERAL,),
) -> Call:
    return Call(name, {**fields, **_EVERYWHERE}, msg_type or name, scopes, buckets)


CALLS = {
    call.name: call
    for call in (
        _call(
            "authorize",
            {
                "authorize": Rule(Kind.STRING, required=True, sensitive=True, pattern=_TOKEN_PATTERN),
                "add_to_login_history": _SWITCH,
                "tokens": Rule(Kind.ARRAY, sensitive=True, items=Rule(Kind.STRING, pattern=_TOKEN_PATTERN), longest=25),
            },
        ),
        _call("logout", {"logout": _ONE, **_LOGIN_ID}),
        _call(
            "balance",
            {
                "balance": _ONE,
                "account": Rule(Kind.STRING, pattern=r"current|all|[A-Z]{2,4}[0-9]{1,10}"),
                "subscribe": _SWITCH,
                **_LOGIN_ID,
            },
            scopes=_READING,
        ),
        _call(
            "portfolio",
            {"portfolio": _ONE, "contract_type": _CONTRACT_FILTER, **_LOGIN_ID},
            scopes=_READING,
            buckets=(OUTCOME,),
        ),
        _call(
            "statement",
            {
                "statement": _ONE,
                "action_type": Rule(Kind.STRING, one_of=_STATEMENT_ACTIONS),
                "date_from": _EPOCH,
                "date_to": _EPOCH,
                "description": _SWITCH,
                "limit": Rule(Kind.NUMBER, low=0, high=999),
                "offset": Rule(Kind.INTEGER, low=0),
                **_LOGIN_ID,
            },
            scopes=_READING,
            buckets=(OUTCOME,),
        ),
        _call(
            "transaction",
            {"transaction": _ONE, "subscribe": Rule(Kind.INTEGER, required=True, one_of=(1,)), **_LOGIN_ID},
            scopes=_READING,
        ),
        _call(
            "buy",
            {
                "buy": Rule(Kind.STRING, required=True, pattern=r"[\w-]{32,128}|1"),
                "parameters": _PARAMETERS,
                "price": Rule(Kind.NUMBER, required=True, low=0),
                **_LOGIN_ID,
            },
            scopes=("trade",),
        ),
        _call(
            "sell",
            {"sell": Rule(Kind.INTEGER, required=True), "price": Rule(Kind.NUMBER, required=True), **_LOGIN_ID},
            scopes=("trade",),
        ),
        _call(
            "active_symbols",
            {
                "active_symbols": Rule(Kind.STRING, required=True, one_of=("brief", "full")),
                "barrier_category": Rule(Kind.ARRAY, items=Rule(Kind.STRING, one_of=_BARRIER_CATEGORIES)),
                "contract_type": Rule(Kind.ARRAY, items=Rule(Kind.STRING, one_of=_READABLE_CONTRACTS)),
                "landing_company": _COMPANIES,
                "landing_company_short": _COMPANIES,
                "product_type": Rule(Kind.STRING, one_of=("basic",)),
                **_LOGIN_ID,
            },
        ),
        _call(
            "ticks",
            {"ticks": Rule(Kind.STRING, required=True, pattern=r"\w{2,30}", or_list=_SYMBOL), "subscribe": _ON},
            msg_type="tick",
        ),
        _call("website_status", {"website_status": _ONE, "subscribe": _SWITCH}),
        _call("forget", {"forget": Rule(Kind.STRING, required=True, pattern=r"[\w-]{32,128}")}),
        _call(
            "forget_all",
            {
                "forget_all": Rule(
                    Kind.STRING, required=True, one_of=_STREAMS, or_list=Rule(Kind.STRING, one_of=_STREAMS)
                )
            },
        ),
        _call("time", {"time": _ONE}, buckets=()),
        _call("ping", {"ping": _ONE}, buckets=()),
    )
}
