"""From a change of the world to the streams that are to hear of it."""

from collections.abc import Iterable
from itertools import takewhile

from bot.providers.deriv.simulator.connection import Connection, Grant, Stream
from bot.providers.deriv.simulator.payloads import accounting, market, session, trading
from bot.providers.deriv.simulator.prices import Feed, Symbol
from bot.providers.deriv.simulator.proposals import Proposal, priced
from bot.providers.deriv.simulator.rules import RefusalError
from bot.providers.deriv.simulator.state import CURRENCIES, Contract, Movement
from bot.providers.deriv.simulator.world import World

_EACH_OF_SO_MANY = 60
"""Ticks of a symbol's own pace that a stream is told one by one; after a longer sleep it hears the newest only."""


def movement(world: World, connections: Iterable[Connection], moved: Movement) -> None:
    """Tell of one change of one balance."""
    for connection in connections:
        for stream in list(connection.streams.values()):
            if stream.grant is not None:
                _movement(world, connection, stream, stream.grant, moved)


def _movement(world: World, connection: Connection, stream: Stream, grant: Grant, moved: Movement) -> None:
    account = world.state.accounts[moved.loginid]
    if stream.kind == "transaction" and stream.subject == account.loginid:
        body = accounting.transaction(world, moved, stream.id)
    elif stream.kind == "balance" and stream.subject == account.loginid:
        body = accounting.balance(account, moved.balance_after, stream.id)
    elif stream.kind == "balance" and stream.subject == "all" and account.user_id == grant.user_id:
        body = accounting.all_balances(world, world.state.accounts[grant.loginid], stream.id)
    else:
        return
    connection.send(stream.envelope, body)


def website(world: World, connections: Iterable[Connection], *, lifted: bool) -> None:
    """Tell of the site's state."""
    for connection in connections:
        for stream in connection.streams.values():
            if stream.kind == "website_status":
                connection.send(stream.envelope, session.website_status(world, stream.id, lifted=lifted))


def prices(world: World, connections: Iterable[Connection]) -> None:
    """Tell ticks, candles and proposals what fell since each heard last."""
    for connection in connections:
        for stream in list(connection.streams.values()):
            if stream.symbol is not None:
                _prices(world, connection, stream, stream.symbol)


def _prices(world: World, connection: Connection, stream: Stream, symbol: Symbol) -> None:
    if not world.is_open(symbol):
        connection.end(stream, RefusalError("MarketIsClosed", "This market is presently closed."))
        return
    feed = world.feed(symbol)
    due = _due(feed, stream.last_second, world.now())
    if not due:
        return
    stream.last_second = due[-1]
    if stream.proposal is not None:
        _proposal(world, connection, stream, stream.proposal)
        return
    for second in due:
        if stream.width:
            body = market.ohlc(feed, second, stream.width, stream.id)
        else:
            body = market.tick(world, symbol, second, stream.id)
        connection.send(stream.envelope, body)


def _due(feed: Feed, heard: int, now: int) -> list[int]:
    """The seconds of the ticks after `heard`, oldest first."""
    latest = feed.latest(now)
    if latest <= heard:
        return []
    paced = list(takewhile(lambda second: second > heard, feed.back(latest)))
    if len(paced) > _EACH_OF_SO_MANY:
        moved = {move.at for move in feed.moves}
        paced = [second for second in paced if second in moved or second == latest]
    return paced[::-1]


def _proposal(world: World, connection: Connection, stream: Stream, proposal: Proposal) -> None:
    currency = world.state.accounts[connection.main.loginid].currency if connection.main else None
    try:
        terms = priced(world, proposal.asked, currency)
    except RefusalError as refusal:
        connection.end(stream, refusal)
    else:
        digits = CURRENCIES[proposal.asked.text("currency")].digits
        connection.send(stream.envelope, trading.proposal(world, proposal.id, terms, digits, subscribed=True))


def contracts(world: World, connections: Iterable[Connection]) -> None:
    """Tell what open contracts are worth, and at their end what they paid."""
    for connection in connections:
        for stream in list(connection.streams.values()):
            if stream.kind == "proposal_open_contract" and stream.grant is not None:
                for contract in _followed(world, stream, stream.grant):
                    _contract(world, connection, stream, contract)


def _followed(world: World, stream: Stream, grant: Grant) -> list[Contract]:
    """The contract of the stream; or all open ones, and those told as open that have ended since."""
    if stream.subject != "all":
        return [world.state.contracts[int(stream.subject)]]
    ended = [
        world.state.contracts[number] for number in stream.told if world.state.contracts[number].sold_at is not None
    ]
    return [*ended, *world.open_contracts(grant.loginid)]


def _contract(world: World, connection: Connection, stream: Stream, contract: Contract) -> None:
    body = trading.open_contract(world, contract, stream.id)
    worth = trading.worth(body)
    if stream.told.get(contract.contract_id) == worth:
        return
    stream.told[contract.contract_id] = worth
    connection.send(stream.envelope, body)
    if contract.sold_at is not None:
        del stream.told[contract.contract_id]
        if stream.subject != "all":
            del connection.streams[stream.id]
