"""How this tenant names places and writes times and numbers. Pure."""

from datetime import datetime
from decimal import Decimal

from msgspec import Struct

ZERO = Decimal(0)
WALLET = "WALLET"


class Place(Struct, frozen=True):
    """Where a client's money lies: a wallet, or (with a login) a trading account."""

    user_id: str
    currency: str
    platform: str = ""
    connection_id: str = ""
    login: int | None = None

    @property
    def label(self) -> str:
        if self.login is None:
            return f"wallet:{self.user_id}:{self.currency}"
        return f"{self.platform}:{self.connection_id}:{self.login}"

    @property
    def trading_id(self) -> int | str:
        """The login, or the vendor's word for a wallet."""
        return WALLET if self.login is None else self.login


def stamp(moment: datetime) -> str:
    """The vendor's way to write a time, UTC."""
    return f"{moment:%Y-%m-%d %H:%M:%S}"


def plain(number: Decimal) -> Decimal | int:
    """A number as JavaScript writes it: `1000`, not `1000.00`."""
    return int(number) if number == number.to_integral_value() else number.normalize()


def written(amount: Decimal) -> str:
    """An amount as the vendor writes one in text: two decimals, more only when it has more."""
    return f"{amount:.2f}" if amount == round(amount, 2) else f"{amount.normalize():f}"
