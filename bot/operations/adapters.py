"""What stands behind a session, for those who need what not every provider has.

Adapters are imported with the first login: most starts ask nobody.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from bot.access.model import Person
from bot.errors import NotFoundError, UnsupportedError
from bot.operations.connections import Connections
from bot.operations.linked import Connection
from bot.providers import crm
from bot.providers.base import Ability, Provider
from bot.providers.markets import KeepsOrders, TellsPrices

if TYPE_CHECKING:
    from bot.providers.capital.client import Capital
    from bot.providers.crm.client import Crm
    from bot.providers.deriv.client import Deriv


def deriv_behind(provider: Provider, wish: str = "that") -> "Deriv":
    """`UnsupportedError` for any other."""
    from bot.providers.deriv.client import Deriv

    if not isinstance(provider, Deriv):
        raise UnsupportedError(provider.spec.name, wish)
    return provider


def capital_behind(provider: Provider, wish: str) -> "Capital":
    """`UnsupportedError` for any other."""
    from bot.providers.capital.client import Capital

    if not isinstance(provider, Capital):
        raise UnsupportedError(provider.spec.name, wish)
    return provider


def prices_of(provider: Provider) -> TellsPrices:
    """`UnsupportedError` where it tells none."""
    if not isinstance(provider, TellsPrices):
        raise UnsupportedError(provider.spec.name, Ability.MARKETS.value)
    return provider


def orders_of(provider: Provider) -> KeepsOrders:
    """`UnsupportedError` where it keeps none."""
    if not isinstance(provider, KeepsOrders):
        raise UnsupportedError(provider.spec.name, Ability.ORDERS.value)
    return provider


async def crm_meant_by(connections: Connections, person: Person) -> Connection:
    """The CRM through which a person may act, where there is one; else the first that they may read.

    Raises:
        NotFoundError: None.
    """
    visible = [one for one in await connections.visible_to(person) if one.provider == crm.SPEC.name]
    if not visible:
        raise NotFoundError("connection", crm.SPEC.name)
    return next((one for one in visible if one.may_act(person)), visible[0])


@asynccontextmanager
async def crm_seen_by(connections: Connections, person: Person, *, seconds: float) -> AsyncIterator["Crm"]:
    """A session with the first CRM that a person may read. `NotFoundError` where there is none."""
    from bot.providers.crm.client import Crm

    for one in await connections.visible_to(person):
        if one.provider == crm.SPEC.name:
            async with connections.session(one, seconds=seconds) as provider:
                if isinstance(provider, Crm):
                    yield provider
                    return
    raise NotFoundError("connection", crm.SPEC.name)
