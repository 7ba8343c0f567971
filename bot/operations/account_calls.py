"""What Deriv is asked on the way to an account: who may have one, to mail a code, and to open it.

Every call that has something mailed or opened is in the log before it is made: what was done there, and nothing of
whom.
"""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final

from bot.access.model import Person
from bot.errors import InputError, ScopeMissingError
from bot.money import Currency
from bot.operations import account_form as forms
from bot.operations.account_form import Asking, Filled, Kind
from bot.operations.adapters import deriv_behind
from bot.operations.changing import ANSWER_SECONDS, Changing
from bot.operations.connections import Connections
from bot.operations.linked import Connection
from bot.providers.deriv import signup
from bot.providers.deriv.signup import Form
from bot.providers.deriv.wire.opening import NewUser, Opened, Purpose, Residence
from bot.secret import Secret

if TYPE_CHECKING:
    from bot.providers.deriv.client import Deriv

TOKEN: Final = "token"  # noqa: S105  # a name
"""Of the account that was opened; it lies sealed among the answers."""
_NEEDS_ANOTHER_CALL: Final = "maltainvest"
"""The company of the European Union, whose accounts `new_account_real` does not open."""


class Calls:
    """Calls through the login that a form was begun with."""

    def __init__(self, connections: Connections, changing: Changing) -> None:
        self._connections = connections
        self._changing = changing

    @asynccontextmanager
    async def reading(self, form: Filled) -> AsyncIterator["Deriv"]:
        """For calls that change nothing."""
        connection = await self._connections.numbered(form.connection)
        async with self._connections.session(connection, seconds=ANSWER_SECONDS) as provider:
            yield deriv_behind(provider)

    async def mail(self, person: Person, form: Filled, address: str, telegram_id: int) -> None:
        """Let Deriv mail its code to an address."""
        connection = await self._connections.numbered(form.connection)
        async with self._changing.through(person, connection, "code.mailed", {}, telegram_id=telegram_id) as provider:
            await deriv_behind(provider).opening.send_code(address, Purpose.ACCOUNT_OPENING)

    async def open(
        self, person: Person, form: Filled, connection: Connection, sealed: Mapping[str, Secret], telegram_id: int
    ) -> Opened:
        """The account that the form is for, or what it is refused for."""
        kind = "real" if form.kind is Kind.REAL else "demo"
        details = {"kind": kind, "currency": form.currency} if form.currency else {"kind": kind}
        through = self._changing.through(person, connection, "account.opening", details, telegram_id=telegram_id)
        async with through as provider:
            opening = deriv_behind(provider).opening
            if form.kind is Kind.MORE:
                return await opening.open_virtual()
            if form.kind is Kind.DEMO:
                user = NewUser(sealed[Asking.CODE], sealed[Asking.PASSWORD], form.country)
                return await opening.open_virtual(user)
            return await opening.open_real(_fields(form, sealed), Currency.of(form.currency))


async def home(binary: "Deriv") -> Residence | None:
    """Where the person of the login lives; a token that may not read that does not say."""
    try:
        code = (await binary.own.settings()).country_code
    except ScopeMissingError:
        return None
    return next((one for one in await binary.opening.residences() if one.code == code), None)


async def served(binary: "Deriv", form: Filled, lives: Residence) -> Filled:
    """With what the company that serves a country wants to know.

    Raises:
        InputError: None does, by this way.
    """
    service = await binary.opening.service(lives.code)
    company = service.real
    if company is None or company.code == _NEEDS_ANOTHER_CALL:
        raise InputError(
            f"Deriv opens real accounts for people who live in {lives.name} on its own pages only, if at all; name "
            "another country, or /cancel",
            "",
        )
    if not company.signup_fields or not company.currencies:
        company = await binary.opening.company(company.code)
    return forms.served_by(forms.living_in(form, lives), service, company, await binary.opening.states(lives.code))


def _fields(form: Filled, sealed: Mapping[str, Secret]) -> dict[str, str | int]:
    """As they are sent. Of a person with a real account Deriv knows all but what it asked for by a refusal."""
    given = {key: sealed[key].reveal() for key in form.given if is_field(key)}
    declared = {key: int(text) if signup.blank(key).form is Form.YES else text for key, text in given.items()}
    return declared if form.live else {signup.RESIDENCE: form.country, **declared}


def is_field(key: str) -> bool:
    """Whether what lies sealed under this key is an answer that Deriv has a field for."""
    return key not in (Asking.ADDRESS, Asking.CODE, Asking.PASSWORD, TOKEN)
