"""The shapes of those calls of Deriv's whose schemas are not in the folder, in the words of the call reference."""

from typing import Any

LONG_ENUM = [
    *("ACCU", "ASIAND", "ASIANU", "CALL", "CALLE", "CALLSPREAD", "DIGITDIFF", "DIGITEVEN", "DIGITMATCH", "DIGITODD"),
    *("DIGITOVER", "DIGITUNDER", "EXPIRYMISS", "EXPIRYMISSE", "EXPIRYRANGE", "EXPIRYRANGEE", "LBFLOATCALL"),
    *("LBFLOATPUT", "LBHIGHLOW", "MULTDOWN", "MULTUP", "NOTOUCH", "ONETOUCH", "PUT", "PUTE", "PUTSPREAD", "RANGE"),
    *("RESETCALL", "RESETPUT", "RUNHIGH", "RUNLOW", "TICKHIGH", "TICKLOW", "TURBOSLONG", "TURBOSSHORT", "UPORDOWN"),
    *("VANILLALONGCALL", "VANILLALONGPUT"),
]
_TEXT: dict[str, Any] = {"type": "string"}
_WHOLE: dict[str, Any] = {"type": "integer"}
_NUMBER: dict[str, Any] = {"type": "number"}
_CONTRACT = {"type": "string", "enum": LONG_ENUM}
_DATE = {"type": "string", "pattern": r"^([0-9]{4}-(0?[1-9]|1[012])-(0?[1-9]|[12][0-9]|3[01])|[0-9]{1,10})$"}
_KINDS = {
    "type": "string",
    "enum": [
        *("balance", "candles", "cashier_payments", "p2p_advert", "p2p_advertiser", "p2p_order", "proposal"),
        *("proposal_open_contract", "ticks", "transaction", "trading_platform_asset_listing", "website_status"),
        *("p2p_settings", "crypto_estimations"),
    ],
}
_ONE = {"type": "integer", "enum": [1]}
_FLAG = {"type": "integer", "enum": [0, 1]}
_MONEY = {"type": "string", "pattern": "^[a-zA-Z0-9]{2,20}$"}
_LOGIN = {"loginid": {"type": "string", "pattern": "^[A-Za-z]+[0-9]+$"}}

ASKED: dict[str, dict[str, Any]] = {
    "forget_all": {"forget_all": {"anyOf": [_KINDS, {"type": "array", "items": _KINDS}]}},
    "states_list": {"states_list": {"type": "string", "pattern": r"^\w\w$"}},
    "topup_virtual": {"topup_virtual": _ONE, **_LOGIN},
    "sell_expired": {"sell_expired": _ONE, **_LOGIN},
    "transaction": {"transaction": _ONE, "subscribe": _ONE, **_LOGIN},
    "paymentagent_transfer": {
        "paymentagent_transfer": _ONE,
        "amount": _NUMBER,
        "currency": _MONEY,
        "description": {"type": "string", "pattern": "^[0-9A-Za-z .,'-]{0,250}$"},
        "dry_run": _FLAG,
        "transfer_to": {"type": "string", "pattern": "^[A-Za-z]+[0-9]+$"},
        **_LOGIN,
    },
    "transfer_between_accounts": {
        "transfer_between_accounts": _ONE,
        "account_from": {"type": "string", "pattern": r"\w+"},
        "account_to": {"type": "string", "pattern": r"\w+"},
        "accounts": {"type": "string", "enum": ["all", "brief"]},
        "amount": {"type": "number", "minimum": 0},
        "currency": _MONEY,
        **_LOGIN,
    },
    "profit_table": {
        "profit_table": _ONE,
        "contract_type": {"type": "array", "items": _CONTRACT, "uniqueItems": True},
        "date_from": _DATE,
        "date_to": _DATE,
        "description": _FLAG,
        "limit": {"type": "number", "minimum": 0, "maximum": 500},
        "offset": {"type": "integer", "minimum": 0},
        "sort": {"type": "string", "enum": ["ASC", "DESC"]},
        **_LOGIN,
    },
}
"""What may be sent."""
REQUIRED = {
    "transaction": ["subscribe"],
    "paymentagent_transfer": ["amount", "currency", "transfer_to"],
}
"""Beside the call itself."""
EXAMPLES: dict[str, dict[str, Any]] = {
    "forget_all": {"forget_all": ["ticks", "candles"]},
    "states_list": {"states_list": "id"},
    "topup_virtual": {"topup_virtual": 1},
    "sell_expired": {"sell_expired": 1},
    "transaction": {"transaction": 1, "subscribe": 1},
    "paymentagent_transfer": {"paymentagent_transfer": 1, "amount": 100, "currency": "USD", "transfer_to": "CR900010"},
    "transfer_between_accounts": {
        "transfer_between_accounts": 1,
        "account_from": "CR900001",
        "account_to": "CR900004",
        "amount": 100,
        "currency": "USD",
    },
    "profit_table": {"profit_table": 1, "description": 1, "limit": 1, "sort": "DESC"},
}


def _closed(properties: dict[str, Any], required: tuple[str, ...] = ()) -> dict[str, Any]:
    shape = {"type": "object", "properties": properties, "additionalProperties": False}
    return {**shape, "required": list(required)} if required else shape


def _or_null(*types: str) -> dict[str, Any]:
    return {"type": ["null", *types]}


_ACTIONS = ["buy", "sell", "deposit", "withdrawal", "escrow", "adjustment", "virtual_credit", "transfer"]
_SOLD = {
    **{name: _or_null("integer") for name in ("app_id", "contract_id", "sell_time")},
    **dict.fromkeys(("buy_price", "payout", "sell_price"), _NUMBER),
    **dict.fromkeys(("contract_type", "deal_cancellation_duration", "growth_rate", "longcode"), _TEXT),
    **dict.fromkeys(("multiplier", "shortcode", "underlying_symbol"), _TEXT),
    "duration_type": _or_null("string"),
    "purchase_time": _WHOLE,
    "transaction_id": _WHOLE,
}
_MOVED = {
    "action": {"type": "string", "enum": _ACTIONS},
    "amount": _NUMBER,
    "balance": {"type": "number", "minimum": 0},
    "barrier": _or_null("number", "string"),
    "contract_id": _or_null("integer"),
    **dict.fromkeys(("currency", "display_name", "id", "longcode", "low_barrier", "symbol"), _TEXT),
    **dict.fromkeys(("date_expiry", "purchase_time", "transaction_id", "transaction_time"), _WHOLE),
    "high_barrier": {"type": ["number", "string"]},
    **{name: _or_null("string") for name in ("stop_loss", "stop_out", "take_profit")},
}
_ACCOUNT = {
    "account_category": {"type": "string", "enum": ["trading", "wallet"]},
    "account_type": {
        "type": "string",
        "enum": [
            *("binary", "crypto", "ctrader", "doughflow", "dxtrade", "mt5", "p2p", "paymentagent"),
            *("paymentagent_client", "standard", "virtual", "partner"),
        ],
    },
    "balance": _TEXT,
    "currency": _TEXT,
    "demo_account": _FLAG,
    "landing_company_short": _TEXT,
    "loginid": _TEXT,
    "market_type": {"type": "string", "enum": ["all", "financial", "synthetic"]},
    "mt5_group": _TEXT,
    "product": _TEXT,
    "status": _or_null("string"),
    "sub_account_type": _TEXT,
    "transfers": {"type": "string", "enum": ["all", "deposit", "none", "withdrawal"]},
}
_PAYEE = {"client_to_full_name": _TEXT, "client_to_loginid": _TEXT, "transaction_id": _WHOLE}
TOLD: dict[str, dict[str, Any]] = {
    "forget_all": {"forget_all": {"type": "array", "items": _TEXT}},
    "states_list": {"states_list": {"type": "array", "items": _closed({"text": _TEXT, "value": _TEXT})}},
    "topup_virtual": {"topup_virtual": _closed({"amount": _NUMBER, "currency": _TEXT}, ("amount", "currency"))},
    "sell_expired": {"sell_expired": _closed({"count": _WHOLE}, ("count",))},
    "transaction": {"transaction": _closed(_MOVED), "subscription": _closed({"id": _TEXT}, ("id",))},
    "paymentagent_transfer": {"paymentagent_transfer": {"type": "integer", "enum": [1, 2]}, **_PAYEE},
    "transfer_between_accounts": {
        "transfer_between_accounts": _FLAG,
        "accounts": {"type": "array", "items": _closed(_ACCOUNT)},
        **_PAYEE,
    },
    "profit_table": {
        "profit_table": _closed({"count": _NUMBER, "transactions": {"type": "array", "items": _closed(_SOLD)}})
    },
}
"""What may be answered."""


def shape_of(call: str, side: str) -> dict[str, Any]:
    """The schema of one side of a call, `send` or `receive`."""
    common: dict[str, Any] = {"req_id": _WHOLE, "passthrough": {"type": "object"}}
    if side == "send":
        return _closed({**ASKED[call], **common}, (call, *REQUIRED.get(call, ())))
    echo = {"echo_req": {"type": "object"}, "msg_type": {"type": "string"}, "error": {"type": "object"}}
    return _closed({**TOLD[call], **common, **echo}, ("echo_req", "msg_type"))
