"""More of the other side: people, money and programmes that no call of the API brings about (below `/_sim`).

POST wallet      {"user_id", "currency", "amount"}   a client's deposit arrives in a wallet
POST settle      {"order_id", "success"?}   a waiting wallet order is booked, or fails
POST transfer    {"from": place, "to": place, "amount"}   a client asks to move money; a place is {"user_id",
                 "currency"} or {"connection_id", "trading_id"}
POST prop        {"connection_id", "trading_id", "fee"?, "live"?}   a client asks to join a prop-trading package on
                 that account, or with `live` has earned a live account
GET  prop        who is in a programme
POST suspend     {"user_id", "suspended"?}   a client is suspended, or no longer
POST card        {"user_id", "bank_name", "account_no"}   a client files a bank card, pending
POST commission  {"id"}     one row of the commission reports is paid out
GET  leads, codes, competitions   leads created, one-time codes sent, competitions and who is in them
POST archive     {"count"?: 50000, "step_seconds"?: 120}   one more client with so many rows in the report, the
                 last of them an hour ago; once
"""

from collections.abc import Sequence
from datetime import timedelta
from decimal import Decimal

import msgspec
from starlette.routing import BaseRoute

from bot.providers.crm.simulator import archive, doors
from bot.providers.crm.simulator.books import Books
from bot.providers.crm.simulator.commissions import Commissions
from bot.providers.crm.simulator.desk import account_place, known_client, named_place
from bot.providers.crm.simulator.fields import Fields, RefusedError, invalid
from bot.providers.crm.simulator.notation import ZERO, Place
from bot.providers.crm.simulator.people import BankCard, Client, FilledField
from bot.providers.crm.simulator.petitions import Petitions
from bot.providers.crm.simulator.requests import petition_view
from bot.providers.crm.simulator.reviews import Challenge, Kind
from bot.providers.crm.simulator.wallets import Wallets
from bot.providers.crm.simulator.world import Archive, Tenant, Wallet

USUAL_ARCHIVE = 50_000
_USUAL_STEP_SECONDS = 120
_MOST_ARCHIVED = 1_000_000
_PACKAGE = {"en-us": "Challenge 10k", "zh-cn": "挑战 10k"}
_LIVE_BALANCE = Decimal(10_000)


class BackOffice:
    """The routes about people, money and programmes."""

    def __init__(
        self, tenant: Tenant, books: Books, wallets: Wallets, petitions: Petitions, commissions: Commissions
    ) -> None:
        self._tenant = tenant
        self._books = books
        self._wallets = wallets
        self._petitions = petitions
        self._commissions = commissions

    def routes(self) -> Sequence[BaseRoute]:
        writes: dict[str, doors.Act] = {
            "wallet": self.deposit,
            "settle": self.settle,
            "transfer": self.transfer,
            "prop": self.join,
            "suspend": self.suspend,
            "card": self.file_card,
            "commission": self.pay_commission,
            "archive": self.make_archive,
        }
        world = self._tenant
        reads: dict[str, doors.Act] = {
            "prop": lambda _: {"challengers": msgspec.to_builtins(world.world.challengers)},
            "leads": lambda _: {"leads": msgspec.to_builtins(world.world.leads)},
            "codes": lambda _: {"codes": msgspec.to_builtins(world.world.codes)},
            "competitions": lambda _: {"competitions": msgspec.to_builtins(world.world.competitions)},
        }
        return [*doors.posts(writes), *doors.gets(reads)]

    def deposit(self, fields: Fields) -> object:
        place = Place(known_client(self._tenant, fields.text("user_id")), fields.text("currency"))
        if place.currency not in self._tenant.world.usd_rates:
            raise invalid()
        amount = doors.amount(fields)
        row = self._books.book(place, amount, "Wallet deposit", method="Card")
        self._books.record("client_deposit", "client", place.label, amount, place.currency, row.id)
        return {"transaction": row.id, "balance": f"{row.new_balance:f}"}

    def settle(self, fields: Fields) -> object:
        success = not fields.has("success") or fields.flag("success")
        order = self._wallets.settle(fields.text("order_id"), success=success)
        return {"status": order.status}

    def transfer(self, fields: Fields) -> object:
        source = named_place(self._tenant, fields.part("from"))
        target = named_place(self._tenant, fields.part("to"))
        petition = self._petitions.ask_transfer(source, target, doors.amount(fields))
        return petition_view(self._tenant.world, petition)

    def join(self, fields: Fields) -> object:
        place = account_place(self._tenant, fields)
        account = self._tenant.world.account(place.connection_id, place.login)
        fee = doors.amount(fields, "fee") if fields.has("fee") else ZERO
        challenge = Challenge(package=_PACKAGE, place=place, fee=fee, initial_balance=_LIVE_BALANCE)
        if account is not None:
            challenge.group, challenge.leverage = account.group, account.leverage
        kind = Kind.PROP_LIVE if fields.flag("live") else Kind.PROP_TRADING
        return petition_view(self._tenant.world, self._petitions.ask_challenge(kind, challenge))

    def suspend(self, fields: Fields) -> object:
        client = self._tenant.world.clients[known_client(self._tenant, fields.text("user_id"))]
        client.suspended = not fields.has("suspended") or fields.flag("suspended")
        client.updated_at = self._tenant.now()
        return {"suspended": client.suspended}

    def file_card(self, fields: Fields) -> object:
        user_id, now = known_client(self._tenant, fields.text("user_id")), self._tenant.now()
        number = FilledField("account_no", "text", {"en-us": "Account no."}, fields.text("account_no"))
        card = BankCard(
            id=self._tenant.world.new_id("card"),
            user_id=user_id,
            bank_name=fields.text("bank_name"),
            status="pending",
            form=[number],
            created_at=now,
            updated_at=now,
        )
        self._tenant.world.cards.append(card)
        return {"id": card.id}

    def pay_commission(self, fields: Fields) -> object:
        commission = self._commissions.pay(fields.text("id"))
        return {"id": commission.id, "receiver_id": commission.receiver.id, "amount": f"{commission.amount:f}"}

    def make_archive(self, fields: Fields) -> object:
        world, now = self._tenant.world, self._tenant.now()
        count = fields.whole("count", default=USUAL_ARCHIVE, most=_MOST_ARCHIVED)
        step_seconds = fields.whole("step_seconds", default=_USUAL_STEP_SECONDS)
        if world.archive is not None:
            raise RefusedError("archive_exists")
        if not count or not step_seconds:
            raise invalid()
        first_at = now - timedelta(hours=1, seconds=step_seconds * (count - 1))
        user_id = world.new_id("archive")
        world.archive = Archive(user_id=user_id, count=count, first_at=first_at, step_seconds=step_seconds)
        world.clients[user_id] = Client(
            id=user_id,
            name="Archive Ltd",
            email="archive@example.test",
            country_code="44",
            phone="80009999",
            created_at=first_at,
            updated_at=now,
        )
        wallet = Wallet(world.new_id("wallet"), archive.final_balance(world.archive))
        world.wallets[user_id] = {archive.CURRENCY: wallet}
        return {"user_id": user_id, "first_at": first_at.isoformat(), "count": count}
