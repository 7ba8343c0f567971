"""Lists of markets that a person keeps at Capital.com."""

from collections.abc import Sequence

from bot.errors import InputError, NotFoundError, RefusedError
from bot.providers.capital import wire
from bot.providers.capital.client.sessions import Sessions
from bot.providers.capital.wire import watchlists
from bot.providers.capital.wire.failures import NO_MARKET
from bot.providers.capital.wire.markets import Summary, parse_markets
from bot.providers.capital.wire.session import parse_status


class Watchlists:
    """The section Watchlists. Wherever a list or a market is not there: `NotFoundError`, which says which."""

    def __init__(self, sessions: Sessions) -> None:
        self._sessions = sessions

    async def lists(self) -> tuple[watchlists.Watchlist, ...]:
        """All of them, those the provider makes included."""
        answer, _ = await self._sessions.read(watchlists.build_watchlists())
        return watchlists.parse_watchlists(answer.body)

    async def markets(self, number: str) -> tuple[Summary, ...]:
        """What is on one, as it stands."""
        try:
            answer, _ = await self._sessions.read(watchlists.build_watchlist(number))
        except RefusedError as refused:
            raise _missing(refused, number) from None
        return parse_markets(answer.body)

    async def make(self, name: str, epics: Sequence[str] = ()) -> watchlists.Made:
        """A new list. What there is no market for is left off, and `is_whole` tells.

        Raises:
            InputError: A name has one to twenty characters.
        """
        if not 1 <= len(name) <= watchlists.NAME_LENGTH:
            raise InputError(f"a name has at most {watchlists.NAME_LENGTH} characters", "Metals")
        answer = await self._sessions.change(watchlists.build_new(name, epics))
        return watchlists.parse_made(answer.body)

    async def add(self, number: str, epic: str) -> None:
        await self._changed(watchlists.build_addition(number, epic), number, epic)

    async def take_off(self, number: str, epic: str) -> None:
        await self._changed(watchlists.build_removal(number, epic), number, epic)

    async def delete(self, number: str) -> None:
        await self._changed(watchlists.build_deletion(number), number)

    async def _changed(self, request: wire.Request, number: str, epic: str = "") -> None:
        try:
            answer = await self._sessions.change(request)
        except RefusedError as refused:
            if epic and refused.code == NO_MARKET:
                raise NotFoundError("market", epic) from None
            raise _missing(refused, number) from None
        parse_status(answer.body)


def _missing(refused: RefusedError, name: str) -> RefusedError | NotFoundError:
    return NotFoundError("watchlist", name) if wire.is_missing(refused) else refused
