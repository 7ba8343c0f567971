"""What the bank signs: the shape of each signed result and the text its signature covers.

Signed results are objects {key, nonce, rcpt, params, signed}; every parameter is text. The signed text is the type,
then key, nonce and rcpt, then the parameters in their order. In a transfer alone rcpt is documented before nonce.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bot.providers.cryptocapital.simulator.bank import Account, Movement

FIELDS: Mapping[str, tuple[str, ...]] = {
    "transfer": (
        "id",
        "date",
        "sendAccount",
        "receiveAccount",
        "sendCurrency",
        "receiveCurrency",
        "sendAmount",
        "receiveAmount",
        "narrative",
    ),
    "account": ("accountNumber", "name", "currency", "balance", "available"),
    "error": ("nonce", "msg"),
}
"""The parameters of each type, in the order in which they are signed."""


@dataclass(frozen=True, slots=True)
class Result:
    """One signed message on its way to the connections of `rcpt`. `seconds` is extra waiting, `None` for ever."""

    kind: str
    rcpt: str
    body: Mapping[str, Any]
    seconds: float | None = 0.0
    copies: int = 1
    early: bool = False
    held: bool = False
    elsewhere: bool = False


def result_text(
    kind: str, key: str, nonce: str, rcpt: str, params: Mapping[str, str], *, rcpt_first: bool | None = None
) -> str:
    """The text a result's signature covers; `rcpt_first` departs from the documented order of its type."""
    first = kind == "transfer" if rcpt_first is None else rcpt_first
    envelope = f"{rcpt}{nonce}" if first else f"{nonce}{rcpt}"
    return f"{kind.upper()}{key}{envelope}" + "".join(params.get(name, "") for name in FIELDS[kind])


def account_params(account: Account) -> dict[str, str]:
    return {
        "accountNumber": account.number,
        "name": account.name,
        "currency": account.currency,
        "balance": f"{account.balance:.2f}",
        "available": f"{account.available:.2f}",
    }


def transfer_params(movement: Movement) -> dict[str, str]:
    """`date` is the UTC day on which it was booked."""
    return {
        "id": str(movement.id),
        "date": movement.date,
        "sendAccount": movement.send_account,
        "receiveAccount": movement.receive_account,
        "sendCurrency": movement.send_currency,
        "receiveCurrency": movement.receive_currency,
        "sendAmount": f"{movement.send_amount:.2f}",
        "receiveAmount": f"{movement.receive_amount:.2f}",
        "narrative": movement.narrative,
    }
