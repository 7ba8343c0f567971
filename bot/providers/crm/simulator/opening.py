"""New trading accounts: mt4/create-account, mt5/create-account.

Our choices: a group the server does not have and a taken login are `invalid_request` and `login_exists`; the account's
currency is the end of its group's name; passwords that are not given are made. They are answered once and kept nowhere.
"""

import re
from collections.abc import Sequence
from functools import partial

from bot.providers.crm.simulator.fields import ID_LENGTH, Fields, RefusedError, invalid
from bot.providers.crm.simulator.gate import Answer, Call, Duty
from bot.providers.crm.simulator.world import Account, Server, Tenant

_LEAST = {"mt4": 5, "mt5": 8}
_MOST = 15
_KINDS = (re.compile("[a-z]"), re.compile("[A-Z]"), re.compile("[0-9]"), re.compile("[^a-zA-Z0-9]"))
_CURRENCY = re.compile("[A-Z]{3}$")


class Opening:
    """Opens accounts on the trading servers."""

    def __init__(self, tenant: Tenant) -> None:
        self._tenant = tenant

    def duties(self) -> Sequence[Duty]:
        return tuple(
            Duty("POST", f"/users/{{id}}/{platform}/accounts", partial(self.create, platform))
            for platform in ("mt4", "mt5")
        )

    def create(self, platform: str, call: Call) -> Answer:
        world, body = self._tenant.world, call.body
        connection_id, leverage = body.text("connection_id"), body.whole("leverage", most=5000)
        passwords = {name: _password(platform, body, name) for name in ("master_password", "investor_password")}
        for name in ("enable_rebate", "send_email", "send_pop_up"):
            body.flag(name)
        body.optional_text("language")
        if leverage == 0:
            raise invalid()
        if call.path["id"] not in world.clients:
            raise RefusedError("user_not_found")
        server = world.servers.get(connection_id)
        if server is None or server.platform != platform:
            raise RefusedError(f"{platform}_connection_not_found")
        group, currency = self._group(server, body)
        account = Account(
            connection_id=server.id,
            platform=platform,
            login=self._login(server, body),
            user_id=call.path["id"],
            group=group,
            currency=currency,
            leverage=leverage,
            created_at=self._tenant.now(),
            readonly=body.flag("enable_readonly"),
            type_id=self._account_type(server, body),
            rebate_user_id=self._rebate_user(body),
        )
        world.accounts.append(account)
        made = {name: given or f"Aa1!{world.new_id('password')}" for name, given in passwords.items()}
        return Answer({"login": account.login, **made})

    def _group(self, server: Server, body: Fields) -> tuple[str, str]:
        group = body.text("group")
        currency = _CURRENCY.search(group)
        if group not in server.groups or currency is None:
            raise invalid()
        return group, currency.group()

    def _login(self, server: Server, body: Fields) -> int:
        login = body.whole("login", default=0)
        if self._tenant.world.account(server.id, login) is not None:
            raise RefusedError("login_exists")
        return login or self._tenant.world.new_login(server.id)

    def _account_type(self, server: Server, body: Fields) -> str:
        type_id = body.optional_text("account_type_id", length=ID_LENGTH)
        fitting = {item.id for item in self._tenant.world.account_types if item.connection_id == server.id}
        if type_id is not None and type_id not in fitting:
            raise invalid()
        return type_id or ""

    def _rebate_user(self, body: Fields) -> str:
        user_id = body.optional_text("rebate_user_id", length=ID_LENGTH)
        if user_id is not None and user_id not in self._tenant.world.clients:
            raise RefusedError("user_not_found")
        return user_id or ""


def _password(platform: str, body: Fields, name: str) -> str | None:
    """The one given, which must be good enough."""
    given = body.optional_text(name, most=_MOST)
    if given is None:
        return None
    kinds = [kind.search(given) is not None for kind in _KINDS]
    good = all(kinds) if platform == "mt5" else sum(kinds[:3]) >= 2
    if len(given) < _LEAST[platform] or not good:
        raise invalid()
    return given
