"""What happens on the other side, by hand: `/_sim/…`. `GET /_sim/` tells all of it.

GET  /_sim/                                     this list, with that of `markets.py` and `misdeeds.py`
POST /_sim/deposit       {"loginid","amount"}   money arrives
POST /_sim/account       {"loginid","disabled"?,"cashier_locked"?,"asks"?}   how an account stands; `asks`: the word
                                                ASK_… that the cashier answers with, until it is ""
POST /_sim/repeats       {"refused"}            true: an agent's transfer like one of the last two minutes is refused
POST /_sim/site          {"status"}             up, down or updating; `website_status` streams hear of it
POST /_sim/expire-token  {"token"}              refused from now on, also where it is in use
POST /_sim/app           {"app_id","redirect_uri"}   where the login page sends people who let this app in
POST /_sim/registering   {"open"}               false: `app_register` is refused, as the live service is said to do
POST /_sim/idle          {"seconds"}            how long a silent connection is kept (120), on real time
POST /_sim/clock         {"seconds"}            puts this world so far ahead of its clock, once more each time
GET  /_sim/mailbox                              every verification code sent, newest last: to, purpose, code, used
GET  /_sim/connections                          open sockets and streams, and logins ever made
GET  /_sim/calls                                how often each call came, and each refusal was answered
GET  /_sim/tokens                               every token with its account, kind and scopes
"""

from collections.abc import Mapping
from decimal import Decimal
from typing import Protocol

from starlette.routing import Route

from bot.providers.deriv.simulator import contracts, doors, markets, misdeeds
from bot.providers.deriv.simulator.doors import Given, number, switch, text
from bot.providers.deriv.simulator.hub import Hub
from bot.providers.deriv.simulator.state import CURRENCIES

_SITE = ("up", "down", "updating")
_LARGEST_DEPOSIT = Decimal(10**9)
_CONTINUED = " " * 20
_DAY, _YEAR = 86400, 366 * 86400


class Idling(Protocol):
    """Whoever closes silent connections."""

    def set_idle(self, seconds: float) -> None:
        """From now on after so many seconds."""


class Controls:
    """The control routes about people, money and the site."""

    def __init__(self, hub: Hub, idling: Idling) -> None:
        self.hub = hub
        self.idling = idling

    def routes(self) -> list[Route]:
        deeds: dict[str, doors.Deed] = {
            "deposit": self.deposit,
            "account": self.account,
            "repeats": self.repeats,
            "site": self.site,
            "expire-token": self.expire_token,
            "app": self.app,
            "registering": self.registering,
            "idle": self.idle,
            "clock": self.clock,
        }
        sights = {
            "": listed,
            "calls": self.calls,
            "mailbox": self.mailbox,
            "connections": self.connections,
            "tokens": self.tokens,
        }
        return [*doors.posts(deeds), *doors.gets(sights)]

    def deposit(self, given: Given) -> Mapping[str, object]:
        account = self.hub.world.state.accounts[text(given, "loginid")]
        amount = number(given, "amount", 0, _LARGEST_DEPOSIT)
        if amount == 0 or not contracts.fits(amount, CURRENCIES[account.currency].digits):
            raise ValueError("amount must be positive, with the currency's decimals at most")
        movement = self.hub.world.deposit(account, amount, "Bank wire")
        self.hub.announce()
        return {
            "loginid": account.loginid,
            "balance": str(account.balance),
            "transaction_id": movement.transaction_id,
        }

    def account(self, given: Given) -> Mapping[str, object]:
        account = self.hub.world.state.accounts[text(given, "loginid")]
        disabled = switch(given, "disabled") if "disabled" in given else account.disabled
        locked = switch(given, "cashier_locked") if "cashier_locked" in given else account.cashier_locked
        asks = text(given, "asks") if "asks" in given else account.asked_for
        if asks and not asks.startswith("ASK_"):
            raise ValueError("the cashier's words begin with ASK_")
        account.disabled, account.cashier_locked, account.asked_for = disabled, locked, asks
        return {"loginid": account.loginid, "disabled": disabled, "cashier_locked": locked, "asks": asks}

    def repeats(self, given: Given) -> Mapping[str, object]:
        self.hub.world.state.refuses_repeats = switch(given, "refused")
        return {"refused": self.hub.world.state.refuses_repeats}

    def registering(self, given: Given) -> Mapping[str, object]:
        self.hub.world.state.registers_apps = switch(given, "open")
        return {"open": self.hub.world.state.registers_apps}

    def site(self, given: Given) -> Mapping[str, object]:
        status = text(given, "status")
        if status not in _SITE:
            raise ValueError("status is up, down or updating")
        self.hub.world.state.site_status = status
        self.hub.website_changed()
        return {"status": status}

    def expire_token(self, given: Given) -> Mapping[str, object]:
        token = text(given, "token")
        self.hub.world.expire(token)
        self.hub.token_expired(token)
        return {"expired": True}

    def app(self, given: Given) -> Mapping[str, object]:
        app_id, address = int(text(given, "app_id")), text(given, "redirect_uri")
        if app_id not in self.hub.world.state.apps or not address.startswith(("https://", "http://")):
            raise ValueError("an app that is known, and an address")
        self.hub.world.state.redirects[app_id] = address
        return {"app_id": str(app_id), "redirect_uri": address}

    def idle(self, given: Given) -> Mapping[str, object]:
        seconds = float(number(given, "seconds", Decimal("0.01"), _DAY))
        self.idling.set_idle(seconds)
        return {"seconds": seconds}

    def clock(self, given: Given) -> Mapping[str, object]:
        self.hub.world.state.ahead += float(number(given, "seconds", 0, _YEAR))
        self.hub.pulse()
        return {"ahead": self.hub.world.state.ahead, "time": self.hub.world.now()}

    def mailbox(self) -> Mapping[str, object]:
        mails = [
            {"to": mail.address, "purpose": mail.purpose, "code": mail.code, "at": mail.sent_at, "used": mail.used}
            for mail in self.hub.world.state.mails
        ]
        return {"mails": mails}

    def connections(self) -> Mapping[str, object]:
        connections = self.hub.connections
        return {
            "count": len(connections),
            "authorizations": self.hub.world.state.authorizations,
            "streams": sum(len(connection.streams) for connection in connections),
        }

    def calls(self) -> Mapping[str, object]:
        return {"asked": dict(self.hub.asked), "refused": dict(self.hub.refused)}

    def tokens(self) -> Mapping[str, object]:
        return {
            "tokens": [
                {"token": each, "loginid": token.loginid, "oauth": token.oauth, "scopes": token.scopes}
                for each, token in self.hub.world.state.tokens.items()
            ]
        }


def listed() -> Mapping[str, object]:
    """What can be done here, as the heads of the three files say it."""
    told: list[str] = []
    for line in "\n".join(filter(None, (__doc__, markets.__doc__, misdeeds.__doc__))).splitlines():
        if line.startswith(("GET ", "POST ")):
            told.append(line)
        elif line.startswith(_CONTINUED):
            told[-1] += line
    return {"controls": [" ".join(line.split()) for line in told]}
