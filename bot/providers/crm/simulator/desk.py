"""How the control side names people and places."""

from bot.providers.crm.simulator.fields import Fields, RefusedError
from bot.providers.crm.simulator.notation import Place
from bot.providers.crm.simulator.world import Tenant


def known_client(tenant: Tenant, user_id: str) -> str:
    if user_id not in tenant.world.clients:
        raise RefusedError("user_not_found")
    return user_id


def account_place(tenant: Tenant, fields: Fields) -> Place:
    """The trading account that `connection_id` and `trading_id` name."""
    trading_id = str(fields.values.get("trading_id"))
    accounts = {(item.connection_id, str(item.login)): item for item in tenant.world.accounts}
    account = accounts.get((fields.text("connection_id"), trading_id))
    if account is None:
        raise RefusedError("account_not_found")
    return Place(account.user_id, account.currency, account.platform, account.connection_id, account.login)


def named_place(tenant: Tenant, fields: Fields) -> Place:
    """The account named, else the wallet that `user_id` and `currency` name."""
    if fields.has("connection_id"):
        return account_place(tenant, fields)
    user_id, currency = known_client(tenant, fields.text("user_id")), fields.text("currency")
    if currency not in tenant.world.usd_rates:
        raise RefusedError("account_not_found")
    return Place(user_id, currency)
