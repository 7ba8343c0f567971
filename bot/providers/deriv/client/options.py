"""What a contract would cost, once and while somebody looks. Buying it is the money seam's."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from bot.errors import CountersignError, NotFoundError, ProviderError, RefusedError, SilentError
from bot.providers.deriv.client.line import DerivLine
from bot.providers.deriv.wire import grammar, service
from bot.providers.deriv.wire import proposals as wire
from bot.providers.deriv.wire.grammar import NAME, Body, Call
from bot.providers.deriv.wire.proposals import Proposal, Terms


class Options:
    """Prices of contracts."""

    def __init__(self, line: DerivLine) -> None:
        self._line = line

    async def price(self, terms: Terms) -> Proposal:
        """
        Raises:
            NotFoundError: There is no such symbol.
            RefusedError: It is not offered like that.
        """
        try:
            _, body = await self._line.read(wire.build_proposal(terms))
        except RefusedError as refused:
            if refused.code == "InvalidSymbol":
                raise NotFoundError("symbol", terms.symbol) from None
            raise
        return wire.parse_proposal(body, terms.currency)

    @asynccontextmanager
    async def watch(self, terms: Terms) -> AsyncIterator["Watched"]:
        """The price while it is looked at. Leaving ends the stream; the connection's end ends it too.

        async with options.watch(terms) as watched:
            first = watched.latest
            next_ = await watched.change()
        """
        await self._line.logged_in()
        feeds, number = self._line.feeds, self._line.number()
        watched = Watched(terms)
        feeds.listen(number, watched.hear)
        gone = asyncio.create_task(self._tell_end(watched))
        try:
            body = await self._line.on(feeds, wire.build_proposal(terms).streamed(), number)
            watched.hear(body)
            yield watched
        finally:
            gone.cancel()
            feeds.leave(number)
            if watched.subscription and not watched.is_over:
                with suppress(CountersignError):
                    await self._line.on(feeds, service.build_forget(watched.subscription))

    async def _tell_end(self, watched: "Watched") -> None:
        await self._line.until_broken()
        watched.end(SilentError(NAME, "connection closed"))


class Watched:
    """One price that moves."""

    def __init__(self, terms: Terms) -> None:
        self.latest: Proposal | None = None
        self.subscription = ""
        """Empty where Deriv tells the price once only: of digits and the like, it does not move."""
        self._terms = terms
        self._error: ProviderError | None = None
        self._changed = asyncio.Event()

    @property
    def is_over(self) -> bool:
        return self._error is not None

    def hear(self, body: Body) -> None:
        refused = grammar.refusal(Call.PROPOSAL, body)
        if refused is not None:
            self.end(refused)
            return
        try:
            told = wire.parse_proposal(body, self._terms.currency)
        except ProviderError as error:
            self.end(error)
            return
        streamed = body.get("subscription") is not None
        self.subscription = grammar.subscription_of(body) if streamed else self.subscription
        if told != self.latest:
            self.latest = told
            self._changed.set()

    def end(self, error: ProviderError) -> None:
        self._error = self._error or error
        self._changed.set()

    async def change(self) -> Proposal:
        """The newest price as soon as there is one that was not given yet.

        Raises:
            ProviderError: It moves no more: the market closed, the connection ended.
        """
        await self._changed.wait()
        if self._error is not None:
            raise self._error
        self._changed.clear()
        if self.latest is None:
            raise SilentError(NAME, "no price yet")
        return self.latest
