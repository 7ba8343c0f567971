"""Money into and out of clients' wallets and trading accounts: from words to a plan."""

from dataclasses import dataclass, replace
from decimal import Decimal

from bot.access.model import Person
from bot.approvals.model import Kind
from bot.approvals.service import Wish
from bot.clock import Clock
from bot.errors import InputError, NotFoundError
from bot.money import Currency, Money
from bot.operations.adapters import crm_meant_by
from bot.operations.clients import ClientDesk
from bot.operations.connections import Connections
from bot.operations.moving.matters import common
from bot.operations.moving.plans import Plan, Planning
from bot.operations.transfers import amount_of, check_note

_WAYS = {"deposit": "deposit", "withdraw": "withdrawal", "withdrawal": "withdrawal"}
_BOOKED = ("mt4", "mt5")
"""The platforms whose accounts can be booked on."""


@dataclass(frozen=True, slots=True)
class Booking:
    """What was written: `<whom> deposit|withdraw <amount> [<currency>] [for <note>]`."""

    whom: str
    direction: str
    amount: str
    currency: str
    note: str


def read(words: list[str], example: str) -> Booking | None:
    """The words of a booking, or None when they are none. `InputError` when they are half of one."""
    at = next((number for number, word in enumerate(words) if word.lower() in _WAYS and number), None)
    if at is None:
        return None
    tail = words[at + 1 :]
    cut = next((number for number, word in enumerate(tail) if word.lower() == "for"), len(tail))
    money, note = tail[:cut], " ".join(tail[cut + 1 :])
    if not 1 <= len(money) <= 2:
        raise InputError("an amount and its currency, and `for` and a note if there is one", example)
    check_note(note)
    return Booking(" ".join(words[:at]), _WAYS[words[at].lower()], money[0], money[1] if len(money) == 2 else "", note)


class BookingDesk:
    """Looks at the client, then makes the plan."""

    def __init__(self, connections: Connections, clients: ClientDesk, planning: Planning, clock: Clock) -> None:
        self._connections = connections
        self._clients = clients
        self._planning = planning
        self._clock = clock

    async def wallet(
        self, by: Person, wanted: Booking, *, asked_in: str | None = None, chat_id: int | None = None
    ) -> Plan:
        """Of the one client whom the words fit.

        Raises:
            InputError: The amount; or several clients fit; or the wallet holds less.
            NotFoundError: Nobody fits.
            CountersignError: What else stands against it.
        """
        if not wanted.currency:
            raise InputError("a wallet holds several currencies; name the one that is meant", "250.00 USD")
        money = amount_of(wanted.amount, wanted.currency)
        found = (await self._clients.search(by, wanted.whom)).clients
        if not found:
            raise NotFoundError("client", wanted.whom)
        if len(found) > 1:
            raise InputError(f"{len(found)} clients fit; name one by its id", f"/wallet {found[0].id} deposit {money}")
        client = found[0]
        held = (await self._clients.holdings(by, client.id)).wallets.get(money.currency.code)
        _check(f"the wallet of {client.name or client.id}", held, money, wanted)
        parameters = {"account": client.id, "operation": "wallet", "client": f"{client.name} ({client.id})"}
        return await self._plan(by, Kind.WALLET, parameters, wanted, money, held, asked_in, chat_id)

    async def trading(
        self, by: Person, wanted: Booking, *, asked_in: str | None = None, chat_id: int | None = None
    ) -> Plan:
        """Of one account, named as `<server>/<login>`. Raises as `wallet`."""
        server, _, login = wanted.whom.rpartition("/")
        if not (server and login.isdecimal()):
            raise InputError("a server and a login", "/mt conn0001/500123 deposit 250.00")
        found = await self._clients.account(by, server, login)
        row, place = found.row, f"{found.server.id}/{found.row.login}"
        if found.platform not in _BOOKED:
            raise InputError(f"{found.platform} accounts cannot be booked on; only {' and '.join(_BOOKED)}", "")
        currency = Currency.of(row.currency)
        if wanted.currency and wanted.currency.upper() != currency.code:
            raise InputError(f"{place} is kept in {currency}, not {wanted.currency[:20]}", f"250.00 {currency}")
        money = amount_of(wanted.amount, currency.code)
        free = row.balance if row.available_withdrawal is None else row.available_withdrawal
        held = Money.reading(Decimal(free), currency)
        _check(place, held, money, wanted)
        parameters = {"account": place, "operation": found.platform, "client": row.owner or row.login}
        return await self._plan(by, Kind.TRADING, parameters, wanted, money, held, asked_in, chat_id)

    async def _plan(
        self,
        by: Person,
        kind: Kind,
        about: dict[str, str],
        wanted: Booking,
        money: Money,
        held: Money | None,
        asked_in: str | None,
        chat_id: int | None,
    ) -> Plan:
        connection = await crm_meant_by(self._connections, by)
        parameters = {
            **common(connection),
            **about,
            "direction": wanted.direction,
            "amount": money.text(),
            "currency": money.currency.code,
            **({"note": wanted.note} if wanted.note else {}),
        }
        plan = await self._planning.plan(by, connection, Wish(kind, parameters, asked_in, chat_id))
        return replace(plan, held=held, held_at=self._clock.now() if held is not None else None)


def _check(where: str, held: Money | None, money: Money, wanted: Booking) -> None:
    """Too little is said before anybody signs."""
    if wanted.direction == "deposit" or (held is not None and held.amount >= money.amount):
        return
    holds = str(held) if held is not None else f"no {money.currency}"
    raise InputError(f"{where} holds {holds} now, which is less than {money}; nothing was asked for", "")
