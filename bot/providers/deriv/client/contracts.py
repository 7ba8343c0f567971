"""Contracts of the token's own account: those that are open, and each as it stands."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress

from bot.clock import Clock
from bot.errors import CredentialRefusedError, NotFoundError, ProviderError, RefusedError
from bot.providers.deriv.client.line import DerivLine
from bot.providers.deriv.wire import contracts as wire
from bot.providers.deriv.wire.grammar import Body
from bot.providers.records import Position, Reading

MOST_PRICED = 15
"""So many are asked about one by one: the service lets itself be asked 80 times a minute. More are by one question."""
QUIET_SECONDS = 2.0
"""So long after the last one, no more answers are expected to the question about all."""
_GONE = {"ContractNotFound", "NoOpenPosition", "InvalidContractId"}


class Contracts:
    """What was bought."""

    def __init__(self, line: DerivLine, clock: Clock) -> None:
        self._line = line
        self._clock = clock

    async def open_ones(self) -> Reading[Position]:
        """All that are open, each with what it is worth now where that could be had; the list itself has no prices."""
        session, body = await self._line.read(wire.build_portfolio())
        as_of = self._clock.now()
        listed = wire.parse_portfolio(body, session.own.id, as_of)
        standing = await self._standing_of(listed, session.own.id)
        items = tuple(found or one for one, found in zip(listed, standing, strict=True))
        notes = [f"Only the contracts of {session.own.id}."] if session.others else []
        without = standing.count(None)
        if without:
            notes.append(f"What {without} of them are worth now was not read." if len(items) > 1 else _UNPRICED)
        return Reading(tuple(items), as_of, tuple(notes))

    async def one(self, contract_id: int) -> Position:
        """Also one that is over: then with what it gave.

        Raises:
            NotFoundError: The account has no such contract.
        """
        try:
            session, body = await self._line.read(wire.build_open_contract(contract_id))
        except RefusedError as refused:
            if refused.code in _GONE:
                raise NotFoundError("contract", str(contract_id)) from None
            raise
        found = wire.parse_open_contract(body, session.own.id, self._clock.now())
        if found is None or found.id != str(contract_id):
            raise NotFoundError("contract", str(contract_id))
        return found

    async def _standing_of(self, listed: Sequence[Position], account: str) -> list[Position | None]:
        if len(listed) <= MOST_PRICED:
            return await asyncio.gather(*(self._standing(one) for one in listed))
        found = await self._all_standing({one.id for one in listed}, account)
        return [found.get(one.id) for one in listed]

    async def _all_standing(self, wanted: set[str], account: str) -> dict[str, Position]:
        """One question about all; each contract answers it with a frame of its own, with the same number."""
        feeds, number, heard = self._line.feeds, self._line.number(), asyncio.Event()
        told: dict[str, Position] = {}

        def hear(body: Body) -> None:
            with suppress(ProviderError):  # the first one's is told by the question
                position = wire.parse_open_contract(body, account, self._clock.now())
                if position is not None and position.is_open:
                    told[position.id] = position
                    heard.set()

        feeds.listen(number, hear)
        try:
            await self._line.on(feeds, wire.build_open_contract(None), number)
            while not wanted <= told.keys():
                heard.clear()
                await asyncio.wait_for(heard.wait(), QUIET_SECONDS)
        except CredentialRefusedError:
            raise
        except (ProviderError, TimeoutError):  # with what there is: the list is worth showing without
            pass
        finally:
            feeds.leave(number)
        return told

    async def _standing(self, listed: Position) -> Position | None:
        """None where it could not be had: the list is worth showing without."""
        try:
            found = await self.one(int(listed.id))
        except CredentialRefusedError:
            raise
        except (ProviderError, NotFoundError):
            return None
        return found if found.is_open else None


_UNPRICED = "What it is worth now was not read."
