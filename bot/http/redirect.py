"""Back from a provider's own login page: `/oauth/<provider>`.

What the provider hands over stands in the query of the address, so that address is left at once, whatever came of it:
every answer to it is a redirect to one that holds nothing.
"""

import logging
from urllib.parse import parse_qsl

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from bot.errors import EntryRefusedError, StoreError
from bot.http import views
from bot.http.asking import Asked, Voice, asked_by_form
from bot.http.cookie import Cookie
from bot.operations.entry import linked_line
from bot.operations.logins import Attempt
from bot.wiring import House

_MOST_FIELDS = 100
_REFUSED = (
    "Nothing was linked, and what came back was thrown away: this login was not begun in this browser, is too old, or "
    "gave access to no account. /connect in the chat begins a new one."
)
_log = logging.getLogger(__name__)


class RedirectPages:
    """The way back, and the choice of accounts."""

    def __init__(self, house: House, asked: Asked, cookie: Cookie, say: Voice) -> None:
        self._logins = house.logins
        self._desk = house.config.desk.name
        self._answers = asked.answers
        self._asked = asked
        self._cookie = cookie
        self._say = say

    def routes(self) -> list[BaseRoute]:
        return [
            Route("/oauth/{provider}", self.back, methods=["GET"]),
            Route("/oauth/{provider}/refused", self._asked.guarded(self.refused), methods=["GET"]),
            Route("/oauth/{provider}/accounts", self._asked.guarded(self.choose), methods=["GET"]),
            Route("/oauth/{provider}/accounts", self._asked.guarded(self.link), methods=["POST"]),
        ]

    async def back(self, request: Request) -> Response:
        provider = request.path_params["provider"]
        try:
            await self._logins.take_back(provider, self._cookie.of(request), _query(request))
        except (EntryRefusedError, StoreError) as error:
            _log.info("a provider's login not taken", extra={"error": type(error).__name__})
            return self._elsewhere("/oauth/-/refused")
        except Exception:  # noqa: BLE001  # told like any refusal: the address must be left
            _log.exception("a provider's login not taken")
            return self._elsewhere("/oauth/-/refused")
        return self._elsewhere(f"/oauth/{provider}/accounts")

    async def refused(self, _: Request) -> Response:
        return self._answers.page(views.told_page("Not linked", [_REFUSED], self._desk), 403)

    async def choose(self, request: Request) -> Response:
        waiting = await self._logins.waiting(self._cookie.of(request))
        return self._answers.page(views.accounts_page(waiting.outline, waiting.accounts, self._desk))

    async def link(self, request: Request) -> Response:
        form = await asked_by_form(request, self._answers)
        if isinstance(form, Response):
            return form
        if views.ACCOUNT not in form:
            page = views.told_page("Nothing chosen", ["Go back and choose an account, or close this page."], self._desk)
            return self._answers.page(page, 422)
        chosen = frozenset(form[views.ACCOUNT].split(","))
        attempts = await self._logins.link_granted(self._cookie.of(request), chosen)
        good = bool(attempts) and all(one.linked is not None for one in attempts)
        lines = [self._line(one) for one in attempts] or ["None of these accounts was offered. Nothing was linked."]
        page = views.told_page("Linked" if good else "Not everything was linked", lines, self._desk, good=good)
        answer = self._answers.page(page, 200 if attempts else 422)
        self._cookie.take(answer)
        return answer

    def _line(self, one: Attempt) -> str:
        if one.linked is not None:
            return linked_line(one.linked)
        return f"{one.account}: {self._say(one.trouble)}" if one.trouble is not None else one.account

    def _elsewhere(self, path: str) -> Response:
        return RedirectResponse(path, 303, self._answers.headers())


def _query(request: Request) -> dict[str, str]:
    """The query as plain text; a name that comes twice says nothing that can be trusted."""
    try:
        pairs = parse_qsl(
            request.scope["query_string"].decode("ascii"), keep_blank_values=True, max_num_fields=_MOST_FIELDS
        )
    except ValueError:
        return {}
    query = dict(pairs)
    return query if len(query) == len(pairs) else {}
