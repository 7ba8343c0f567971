"""The login page of the redirect flow: `/oauth2/authorize`.

    GET   ?app_id=&l=&state=     a page with one button: log in as the desk's client and let the app in
    POST  the same query         302 to the address registered for the app, with `acct1, token1, cur1, acct2, …, state`

Whoever asks for an app that is unknown, or that registered no address, gets 400. Each login makes new session tokens,
one for each account, bound to the app. The state comes back as it was sent; without one it comes back empty. The
documents do not show what a person who says no is sent back with, so there is no way to say no here.

Source: the legacy redirect flow of the call reference, section "OAuth".
"""

from html import escape
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route

from bot.providers.deriv.simulator import opening
from bot.providers.deriv.simulator.state import Token
from bot.providers.deriv.simulator.world import World

PATH = "/oauth2/authorize"
CLIENT = 5551234
"""The desk's client is the only one who logs in by a page."""
_PAGE = """<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Deriv (simulated)</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<link rel="icon" href="data:,"></head>
<body><h1>Deriv, simulated</h1><p>App {app} asks for access to the accounts of {email}: {accounts}.</p>
<form method="post"><button id="allow">Log in and allow</button></form></body></html>"""


class LoginPage:
    """The page over one world."""

    def __init__(self, world: World) -> None:
        self.world = world

    def routes(self) -> list[Route]:
        return [Route(PATH, self.ask, methods=["GET"]), Route(PATH, self.allow, methods=["POST"])]

    async def ask(self, request: Request) -> Response:
        app_id = self._app(request)
        if app_id is None:
            return PlainTextResponse("the app is not known, or has no redirect address", 400)
        user = self.world.state.users[CLIENT]
        names = ", ".join(account.loginid for account in self.world.accounts_of(CLIENT))
        return HTMLResponse(_PAGE.format(app=app_id, email=escape(user.email), accounts=escape(names)))

    async def allow(self, request: Request) -> Response:
        app_id = self._app(request)
        if app_id is None:
            return PlainTextResponse("the app is not known, or has no redirect address", 400)
        query: dict[str, str] = {}
        for number, account in enumerate(self.world.accounts_of(CLIENT), 1):
            query[f"acct{number}"] = account.loginid
            query[f"token{number}"] = self._new_token(account.loginid, app_id)
            query[f"cur{number}"] = account.currency
        query["state"] = request.query_params.get("state", "")
        return RedirectResponse(f"{self.world.state.redirects[app_id]}?{urlencode(query)}", 302)

    def _app(self, request: Request) -> int | None:
        text = request.query_params.get("app_id", "")
        number = int(text) if text.isascii() and text.isdecimal() and len(text) < 18 else None
        known = number in self.world.state.apps and number in self.world.state.redirects
        return number if known else None

    def _new_token(self, loginid: str, app_id: int) -> str:
        self.world.state.logins += 1
        text = opening.token_text(self.world.seed, f"oauth {loginid} {self.world.state.logins}")
        self.world.state.tokens[text] = Token(loginid, list(opening.ALL_SCOPES), oauth=True, app_id=app_id)
        return text
