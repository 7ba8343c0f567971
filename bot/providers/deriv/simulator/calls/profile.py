"""Settings, limits, tokens and apps: get_settings, get_limits, api_token, app_register."""

from collections.abc import Sequence

from bot.providers.deriv.simulator.connection import Body
from bot.providers.deriv.simulator.hub import Play, Request
from bot.providers.deriv.simulator.payloads import profile as shown
from bot.providers.deriv.simulator.rules import Kind, RefusalError, Rule
from bot.providers.deriv.simulator.shapes import LOGIN_ID, ONE, SCOPES, SWITCH, call
from bot.providers.deriv.simulator.state import App, Token

_MOST_TOKENS = 100
_ADDRESSES = ("appstore", "github", "googleplay", "homepage", "redirect_uri", "verification_uri")


def get_settings(request: Request) -> Sequence[Body]:
    """The person's profile; who has no real account has told little."""
    return [{"get_settings": shown.settings(request.world, request.account)}]


def get_limits(request: Request) -> Sequence[Body]:
    """Trading and withdrawal limits; a demo account has only the former."""
    return [{"get_limits": shown.account_limits(request.world, request.account)}]


def api_token(request: Request) -> Sequence[Body]:
    """Create, delete and list the account's tokens."""
    asked, state, loginid = request.arguments, request.world.state, request.account.loginid
    own = {text: token for text, token in state.tokens.items() if token.loginid == loginid and token.display_name}
    done: dict[str, object] = {}
    if "delete_token" in asked:
        gone = asked.text("delete_token")
        if gone not in own:
            raise RefusalError("APITokenError", "No such token.")
        request.hub.token_expired(gone)
        del state.tokens[gone]
        done["delete_token"] = 1
    if "new_token" in asked:
        _create(request, asked.text("new_token"), own)
        done["new_token"] = 1
    rows = [
        shown.token_row(text, token)
        for text, token in state.tokens.items()
        if token.loginid == loginid and token.display_name
    ]
    return [{"api_token": {**done, "tokens": rows}}]


def _create(request: Request, name: str, own: dict[str, Token]) -> None:
    scopes = request.arguments.texts("new_token_scopes")
    if len(own) >= _MOST_TOKENS:
        raise RefusalError("TooManyTokens", "There is a limit of 100 tokens.")
    if not 2 <= len(name) <= 32:
        raise RefusalError("APITokenError", "The token name has 2 to 32 characters.")
    if not scopes or any(token.display_name == name for token in own.values()):
        raise RefusalError("APITokenError", "The name is taken." if scopes else "The token needs scopes.")
    ip = request.connection.ip if request.arguments.integer("valid_for_current_ip_only") else ""
    token = Token(request.account.loginid, scopes, display_name=name, ip=ip)
    request.world.state.tokens[request.world.drawn("token", 15)] = token


def app_register(request: Request) -> Sequence[Body]:
    """A new app; the live service is said to refuse this by now, and this one does when told to."""
    asked, state = request.arguments, request.world.state
    name, scopes = asked.text("name"), asked.texts("scopes")
    if not state.registers_apps:
        raise RefusalError("AppRegister", "New applications are registered elsewhere now.")
    if any(app.name == name for app in state.registered.values()):
        raise RefusalError("AppRegister", "The name is taken.")
    if asked.text("redirect_uri") and not scopes:
        raise RefusalError("AppRegister", "An app with a redirect address asks for scopes.")
    markup = asked.number("app_markup_percentage")
    app = App(max(state.apps) + 1, name, scopes, {each: asked.text(each) for each in _ADDRESSES}, markup)
    state.apps.append(app.app_id)
    state.registered[app.app_id] = app
    if asked.text("redirect_uri"):
        state.redirects[app.app_id] = asked.text("redirect_uri")
    return [{"app_register": shown.app(app)}]


_SCOPE_LIST = Rule(Kind.ARRAY, items=Rule(Kind.STRING, one_of=SCOPES), unique=True)
_OPEN_ADDRESS = r"[a-z][a-z0-9.+\-]*://[0-9a-zA-Z\.-]+[\%\/\w \.-]*"

PLAYS: tuple[Play, ...] = (
    (call("get_settings", {"get_settings": ONE, **LOGIN_ID}, scopes=("read",)), get_settings),
    (call("get_limits", {"get_limits": ONE, **LOGIN_ID}, scopes=("read",)), get_limits),
    (
        call(
            "api_token",
            {
                "api_token": ONE,
                "delete_token": Rule(Kind.STRING, pattern=r"[A-Za-z0-9\s_*]+"),
                "new_token": Rule(Kind.STRING, pattern=r"[A-Za-z0-9\s_]+"),
                "new_token_scopes": _SCOPE_LIST,
                "valid_for_current_ip_only": SWITCH,
                **LOGIN_ID,
            },
            scopes=("admin",),
        ),
        api_token,
    ),
    (
        call(
            "app_register",
            {
                "app_register": ONE,
                "app_markup_percentage": Rule(Kind.NUMBER, low=0, high=3),
                "appstore": Rule(Kind.STRING, pattern=r"https?://itunes\.apple\.com/\S+"),
                "github": Rule(Kind.STRING, pattern=r"https?://(www\.)?github\.com/\S+"),
                "googleplay": Rule(Kind.STRING, pattern=r"https?://play\.google\.com/store/apps/details\?id=[\w \.]+"),
                "homepage": Rule(Kind.STRING, pattern=r"https?://[0-9a-zA-Z\.-]+[\%\/\w \.-]*"),
                "name": Rule(Kind.STRING, required=True, pattern=r"[\w\s-]{1,48}"),
                "redirect_uri": Rule(Kind.STRING, pattern=_OPEN_ADDRESS),
                "scopes": Rule(Kind.ARRAY, required=True, items=Rule(Kind.STRING, one_of=SCOPES), unique=True),
                "verification_uri": Rule(Kind.STRING, pattern=_OPEN_ADDRESS),
                **LOGIN_ID,
            },
            scopes=("admin",),
        ),
        app_register,
    ),
)
