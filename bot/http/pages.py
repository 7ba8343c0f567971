"""The site with the pages, put together."""

from pathlib import Path
from typing import Final

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from bot.config import WebConfig
from bot.http.answers import Answers
from bot.http.asking import Asked, Voice
from bot.http.cookie import Cookie
from bot.http.entry import EntryPages
from bot.http.listeners import Site
from bot.http.redirect import RedirectPages
from bot.wiring import House

_FOLDER = Path(__file__).parent / "page"
_ASSETS: Final = {"entry.css": "text/css", "entry.js": "text/javascript", "mark.svg": "image/svg+xml"}


def pages(house: House, web: WebConfig, say: Voice) -> Site:
    """The pages of one desk.

    Args:
        say: Makes a sentence of an error, the same as in the chat.
    """
    answers, cookie = Answers(web.origin), Cookie(web)
    asked = Asked(answers, house.config.desk.name, say)

    async def asset(request: Request) -> Response:
        name = request.path_params["name"]
        if name not in _ASSETS:
            return PlainTextResponse("no such file", 404, answers.headers())
        return Response((_FOLDER / name).read_bytes(), headers=answers.headers(), media_type=_ASSETS[name])

    routes = [
        *EntryPages(house, asked, cookie, say).routes(),
        *RedirectPages(house, asked, cookie, say).routes(),
        Route("/page/{name}", asset),
    ]
    return Site(web.host, web.port, routes)
