"""Wallets and bank cards. Pure."""

from decimal import Decimal

import msgspec

from bot.providers.crm import body as bodies
from bot.providers.crm.wire.grammar import Field, Id, Request, Text, fit, get, segment, send


class Order(msgspec.Struct, frozen=True):
    """What became of a change of balance: `pending`, `success` or `failed`. [N]"""

    order_id: Text
    status: Text


class BankCard(msgspec.Struct, frozen=True):
    """Where a client's withdrawals go. `status` is whether the desk approved of it."""

    id: Id
    bank_name: Text | None = None
    status: Text | None = None
    created_at: Text | None = None
    updated_at: Text | None = None
    form: tuple[Field, ...] | None = None


def build_change(user_id: str, currency: str, amount: Decimal, order_id: str) -> Request:
    """Change a balance; a negative amount takes away. `order_id` has 16 characters and is booked once."""
    fields: bodies.Fields = {"user_id": user_id, "currency": currency, "amount": amount, "order_id": order_id}
    return send("PATCH", "/wallets/balance", fields)


def build_order(order_id: str) -> Request:
    """[N]"""
    return get(f"/wallets/balance/{segment(order_id)}")


def build_bank_cards(user_id: str) -> Request:
    return get(f"/payments/{segment(user_id)}/bankcards")


def parse_order(reply: bytes) -> Order:
    return fit("order", reply, Order)


def parse_bank_cards(reply: bytes) -> tuple[BankCard, ...]:
    return fit("bank cards", reply, tuple[BankCard, ...])
