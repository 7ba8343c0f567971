"""The rules that several calls share, as the official schemas have them, and how a call is described."""

from collections.abc import Mapping
from dataclasses import dataclass

from bot.providers.deriv.simulator.limits import GENERAL, Bucket
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


ONE = Rule(Kind.INTEGER, required=True, one_of=(1,))
SWITCH = Rule(Kind.INTEGER, one_of=(0, 1))
ON = Rule(Kind.INTEGER, one_of=(1,))
EPOCH = Rule(Kind.INTEGER, low=0, high=9999999999)
LATER_EPOCH = Rule(Kind.INTEGER, low=1, high=9999999999)
INTEGER = Rule(Kind.INTEGER)
NUMBER = Rule(Kind.NUMBER)
TEXT = Rule(Kind.STRING)
AMOUNT = Rule(Kind.NUMBER, low=0)
SYMBOL = Rule(Kind.STRING, pattern=r"\w{2,30}")
CURRENCY = Rule(Kind.STRING, pattern=r"[a-zA-Z0-9]{2,20}")
COUNTRY = Rule(Kind.STRING, required=True, pattern=r"\w\w")
RESIDENCE = Rule(Kind.STRING, pattern=r"[a-z]{2}")
BARRIER = Rule(Kind.STRING, pattern=r"(?=.{1,20}$)[+-]?[0-9]+\.?[0-9]*")
EMAIL_PATTERN = r"[a-zA-Z0-9_.+-]+@[a-zA-Z0-9.-]+\.[a-zA-Z]{2,63}"
LOGIN_PATTERN = r"[A-Za-z]+[0-9]+"
VERIFICATION_PATTERN = r"\w{8,128}"
REMARK = Rule(Kind.STRING, pattern=r"[0-9A-Za-z .,'-]{0,250}")
LOGIN_ID = {"loginid": Rule(Kind.STRING, pattern=LOGIN_PATTERN)}
SCOPES = ("read", "trade", "trading_information", "payments", "admin")
READING = ("read", "trading_information")

_EVERYWHERE = {"passthrough": Rule(Kind.OBJECT), "req_id": INTEGER}
AFFILIATE = Rule(Kind.STRING, pattern=r"[\w-]{0,100}")
AFFILIATE_KIND = Rule(Kind.STRING, one_of=("client", "partner"))
CONTACT = Rule(Kind.STRING, pattern=r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
CLICK = Rule(Kind.STRING, pattern=r"[a-zA-Z0-9\s\-\.\_]{0,100}")
DEVICE = Rule(Kind.STRING, one_of=("desktop", "mobile"))
_CAMPAIGN = (
    "ad_id adgroup_id adrollclk_id campaign campaign_id content fbcl_id gl_client_id medium msclk_id sccid source term "
    "ttclid"
)
CAMPAIGN = {f"utm_{name}": TEXT for name in _CAMPAIGN.split()}
"""Recorded where they match a pattern, ignored where they do not."""
_COOKIE = r"[A-Za-z0-9._-]{1,300}"
COOKIES = Rule(
    Kind.OBJECT,
    fields={
        "_ga": Rule(Kind.STRING, pattern=r"[A-Za-z0-9._-]{1,200}"),
        "_ga_measurement_id": Rule(Kind.STRING, pattern=r"_ga_[A-Z0-9]{5,20}"),
        "_ga_measurement_value": Rule(Kind.STRING, pattern=r"[A-Za-z0-9._$-]{1,200}"),
        **{
            name: Rule(Kind.STRING, pattern=_COOKIE)
            for name in ("fbc", "fbp", "gbraid", "gclid", "msclkid", "scclid", "ttclid", "wbraid")
        },
    },
)

_CONTRACTS = (
    "ACCU ASIAND ASIANU CALL CALLE CALLSPREAD DIGITDIFF DIGITEVEN DIGITMATCH DIGITODD DIGITOVER DIGITUNDER EXPIRYMISS "
    "EXPIRYMISSE EXPIRYRANGE EXPIRYRANGEE LBFLOATCALL LBFLOATPUT LBHIGHLOW MULTDOWN MULTUP NOTOUCH ONETOUCH PUT PUTE "
    "PUTSPREAD RANGE RESETCALL RESETPUT RUNHIGH RUNLOW TICKHIGH TICKLOW TURBOSLONG TURBOSSHORT UPORDOWN "
    "VANILLALONGCALL VANILLALONGPUT"
)
READABLE_CONTRACTS = tuple(_CONTRACTS.split())
BUYABLE_CONTRACTS = (*READABLE_CONTRACTS, "SNOWDOWN", "SNOWUP")
CONTRACT_FILTER = Rule(Kind.ARRAY, items=Rule(Kind.STRING, one_of=READABLE_CONTRACTS), unique=True)

DESCRIBED: Mapping[str, Rule] = {
    "amount": AMOUNT,
    "barrier": BARRIER,
    "barrier2": BARRIER,
    "barrier_range": Rule(Kind.STRING, one_of=("tight", "middle", "wide")),
    "basis": Rule(Kind.STRING, one_of=("payout", "stake")),
    "cancellation": Rule(Kind.STRING, pattern=r"\w+"),
    "contract_type": Rule(Kind.STRING, required=True, one_of=BUYABLE_CONTRACTS),
    "currency": Rule(Kind.STRING, required=True, pattern=r"[a-zA-Z0-9]{2,20}"),
    "date_expiry": EPOCH,
    "date_start": EPOCH,
    "duration": Rule(Kind.INTEGER, low=0, high=99999999),
    "duration_unit": Rule(Kind.STRING, one_of=("d", "m", "s", "h", "t")),
    "growth_rate": NUMBER,
    "limit_order": Rule(Kind.OBJECT, fields={"stop_loss": NUMBER, "take_profit": NUMBER}),
    "multiplier": AMOUNT,
    "payout_per_point": NUMBER,
    "product_type": Rule(Kind.STRING, one_of=("basic",)),
    "selected_tick": INTEGER,
    "symbol": Rule(Kind.STRING, required=True, pattern=r"\w{2,30}"),
    "trade_risk_profile": Rule(Kind.STRING, one_of=("low", "medium", "high")),
    "trading_period_start": INTEGER,
}
"""How a request describes a contract."""

COMPANY = Rule(Kind.STRING, one_of=("iom", "malta", "maltainvest", "svg", "virtual", "vanuatu"))


def call(
    name: str,
    fields: Mapping[str, Rule],
    *,
    msg_type: str = "",
    scopes: tuple[str, ...] = (),
    buckets: tuple[Bucket, ...] = (GENERAL,),
) -> Call:
    """A call with the two fields that every one takes."""
    return Call(name, {**fields, **_EVERYWHERE}, msg_type or name, scopes, buckets)
