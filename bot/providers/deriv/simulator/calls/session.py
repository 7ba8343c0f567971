"""Connection and login: ping, time, website_status, forget, forget_all, authorize, logout."""

from collections.abc import Sequence

from bot.providers.deriv.simulator.connection import Body, Grant
from bot.providers.deriv.simulator.hub import Play, Request
from bot.providers.deriv.simulator.payloads import session as shown
from bot.providers.deriv.simulator.rules import Kind, RefusalError, Rule
from bot.providers.deriv.simulator.shapes import LOGIN_ID, ONE, SWITCH, call

_SEVERAL = "MULTI"
_TOKEN_PATTERN = r"[\w\-]{1,128}"  # the shape of one, not one
_STREAMS = (
    "balance",
    "candles",
    "cashier_payments",
    "p2p_advert",
    "p2p_advertiser",
    "p2p_order",
    "proposal",
    "proposal_open_contract",
    "ticks",
    "transaction",
    "trading_platform_asset_listing",
    "website_status",
    "p2p_settings",
    "crypto_estimations",
    "portfolio",  # the last two only before 2019; taken and without effect
    "proposal_array",
)


def ping(_: Request) -> Sequence[Body]:
    return [{"ping": "pong"}]


def time(request: Request) -> Sequence[Body]:
    return [{"time": request.world.now()}]


def website_status(request: Request) -> Sequence[Body]:
    """The site's state; with subscribe also each later change."""
    stream = request.subscribe("website_status", "", public=True) if request.arguments.integer("subscribe") else None
    return [
        shown.website_status(request.world, stream.id if stream else None, lifted=request.hub.switches.limits_lifted)
    ]


def forget(request: Request) -> Sequence[Body]:
    """End one stream of this connection; an id that is none of its own gives 0."""
    return [{"forget": int(request.connection.streams.pop(request.arguments.text("forget"), None) is not None)}]


def forget_all(request: Request) -> Sequence[Body]:
    """End all streams of the named kinds; the ids of those that ran."""
    kinds = set(request.arguments.texts("forget_all"))
    ended = [stream.id for stream in request.connection.streams.values() if stream.kind in kinds]
    for stream_id in ended:
        del request.connection.streams[stream_id]
    return [{"forget_all": ended}]


def authorize(request: Request) -> Sequence[Body]:
    """Bind the connection to the account of a token, or to those of several tokens of one client.

    A refused token leaves the connection as it was; that is our reading of "stays usable".
    """
    main = request.arguments.text("authorize")
    texts = request.arguments.texts("tokens")
    several = main == _SEVERAL and bool(texts)
    grants = [_grant(request, text) for text in (texts if several else [main, *texts])]
    if len({grant.user_id for grant in grants}) > 1:
        raise RefusalError("InvalidToken", "The token is invalid.")
    request.connection.authorize(None if several else grants[0], {grant.loginid: grant for grant in reversed(grants)})
    request.world.state.authorizations += 1
    account = request.world.state.accounts[grants[0].loginid]
    return [shown.authorize(request.world, account, grants[0])]


def _grant(request: Request, text: str) -> Grant:
    token = request.world.usable(text, request.connection.app_id, request.connection.ip)
    account = request.world.state.accounts[token.loginid]
    if account.disabled:
        raise RefusalError("DisabledClient", "Please log in.")
    return Grant(text, token.loginid, account.user_id, tuple(token.scopes), token.oauth)


def logout(request: Request) -> Sequence[Body]:
    """Become anonymous; OAuth tokens of this connection are spent, API tokens are not."""
    spent = [grant.token for grant in request.connection.grants.values() if grant.oauth]
    request.connection.logout()
    for token in spent:
        request.world.expire(token)
        request.hub.token_expired(token)
    return [{"logout": 1}]


_KIND = Rule(Kind.STRING, one_of=_STREAMS)

PLAYS: tuple[Play, ...] = (
    (
        call(
            "authorize",
            {
                "authorize": Rule(Kind.STRING, required=True, sensitive=True, pattern=_TOKEN_PATTERN),
                "add_to_login_history": SWITCH,
                "tokens": Rule(Kind.ARRAY, sensitive=True, items=Rule(Kind.STRING, pattern=_TOKEN_PATTERN), longest=25),
            },
        ),
        authorize,
    ),
    (call("logout", {"logout": ONE, **LOGIN_ID}), logout),
    (call("website_status", {"website_status": ONE, "subscribe": SWITCH}), website_status),
    (call("forget", {"forget": Rule(Kind.STRING, required=True, pattern=r"[\w-]{32,128}")}), forget),
    (
        call("forget_all", {"forget_all": Rule(Kind.STRING, required=True, one_of=_STREAMS, or_list=_KIND)}),
        forget_all,
    ),
    (call("time", {"time": ONE}, buckets=()), time),
    (call("ping", {"ping": ONE}, buckets=()), ping),
)
