"""The one-time page: `/enter/<token>`.

GET shows the form, as often as the link lives. POST must come from that form, prove whose it is, and bring the fields;
what they hold is a Secret from the moment it is read. With the page's script the answer is JSON, without it a page.

    {"state": "done" | "again" | "over", "said": sentence, "fields": {field: sentence}, "ask_code": bool}
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from bot.errors import CountersignError, EntryRefusedError, InputError, ProviderError, StoreError
from bot.http import views
from bot.http.answers import with_headers
from bot.http.asking import Asked, Voice, asked_by_form
from bot.http.cookie import Cookie
from bot.http.initdata import InitDataError, user_in
from bot.operations.entry import Entry, linked_line
from bot.operations.fields import fits
from bot.providers.base import Spec
from bot.secret import Secret
from bot.wiring import House

TOKEN = re.compile(r"[A-Za-z0-9_-]{43}", re.ASCII)
_CODE = re.compile(r"[0-9]{6}", re.ASCII)
_BLANKS = re.compile(r"[\s-]")
_TOO_OLD = "Telegram opened this page more than five minutes ago; open it again from the chat, or enter the code"
_NOT_TELEGRAM = "this does not come from Telegram; enter the code from the chat"


@dataclass(frozen=True, slots=True)
class _Refusal:
    """A try that did not succeed: what to say, and whether another one may."""

    said: str
    status: int
    is_over: bool = False
    troubles: Mapping[str, str] | None = None


class EntryPages:
    """The page and its form."""

    def __init__(self, house: House, asked: Asked, cookie: Cookie, say: Voice) -> None:
        self._house = house
        self._entries = house.entries
        self._logins = house.logins
        self._answers = asked.answers
        self._asked = asked
        self._cookie = cookie
        self._say = say

    def routes(self) -> list[BaseRoute]:
        return [
            Route("/enter/{token}", self._asked.guarded(self.show), methods=["GET"]),
            Route("/enter/{token}", self._asked.guarded(self.take), methods=["POST"]),
        ]

    async def show(self, request: Request) -> Response:
        entry = await self._look(request)
        return self._form(request, entry, _Refusal("", 200))

    async def take(self, request: Request) -> Response:
        form = await asked_by_form(request, self._answers)
        if isinstance(form, Response):
            return form
        entry: Entry | None = None
        try:
            entry = await self._look(request)
            await self._prove(entry, form)
            if form.get(views.WAY) == views.LOGIN:
                return await self._send_to_provider(entry)
            fields, troubles = _fields(entry.outline.spec, form)
            if troubles:
                return self._refused(request, entry, _Refusal("", 422, troubles=troubles))
            linked = await self._entries.submit(entry, fields)
        except CountersignError as error:
            return self._refused(request, entry, self._refusal(error))
        return self._done(request, linked_line(linked))

    async def _look(self, request: Request) -> Entry:
        token = request.path_params["token"]
        if not TOKEN.fullmatch(token):
            token = ""
        return await self._entries.look(Secret(token))

    async def _prove(self, entry: Entry, form: Mapping[str, str]) -> None:
        """Who sends this: Telegram's word, or the code."""
        presented = form.get(views.INIT_DATA, "")
        if presented:
            try:
                user = user_in(presented, self._house.config.token.reveal(), self._house.clock.now())
            except InitDataError as error:
                if error.is_old:
                    raise EntryRefusedError(_TOO_OLD) from None
                await self._entries.refuse_telegrams_word(entry, _NOT_TELEGRAM)
            await self._entries.prove_by_telegram(entry, user)
            return
        code = _BLANKS.sub("", form.get(views.CODE, ""))
        if not _CODE.fullmatch(code):
            raise EntryRefusedError("please enter the six digits from the chat")
        await self._entries.prove_by_code(entry, code)

    async def _send_to_provider(self, entry: Entry) -> Response:
        secret, address = await self._logins.begin(entry)
        answer = RedirectResponse(address, 303, self._answers.headers(forms_to=_origin_of(address)))
        self._cookie.give(answer, secret)
        return answer

    def _refusal(self, error: CountersignError) -> _Refusal:
        said = self._say(error)
        match error:
            case EntryRefusedError():
                return _Refusal(said, 404 if error.is_over else 403, error.is_over)
            case ProviderError():
                return _Refusal(f"{said} Nothing was kept.", 422)
            case InputError() | StoreError():
                return _Refusal(said, 422)
            case _:
                return _Refusal(said, 409, is_over=True)

    # answers

    def _form(self, request: Request, entry: Entry, refusal: _Refusal) -> Response:
        address = None if _is_framed(request.headers) else self._logins.address(entry)
        form = views.Form(
            entry.outline,
            self._house.config.desk.name,
            refusal.said,
            {name.removeprefix("f."): text for name, text in (refusal.troubles or {}).items()},
            has_login=address is not None,
        )
        forms_to = _origin_of(address) if address is not None else ""
        return self._answers.page(views.form_page(form), refusal.status, framed=True, forms_to=forms_to)

    def _refused(self, request: Request, entry: Entry | None, refusal: _Refusal) -> Response:
        if _by_script(request.headers):
            return self._json(
                {
                    "state": "over" if refusal.is_over else "again",
                    "said": refusal.said,
                    "fields": dict(refusal.troubles or {}),
                    "ask_code": refusal.status == 403,
                },
                refusal.status,
            )
        if refusal.is_over or entry is None:
            page = views.told_page("This link has ended", [refusal.said], self._house.config.desk.name)
            return self._answers.page(page, refusal.status, framed=True)
        return self._form(request, entry, refusal)

    def _done(self, request: Request, said: str) -> Response:
        if _by_script(request.headers):
            return self._json({"state": "done", "said": said, "fields": {}, "ask_code": False})
        page = views.told_page("Linked", [said], self._house.config.desk.name, good=True)
        return self._answers.page(page, framed=True)

    def _json(self, content: Mapping[str, object], status: int = 200) -> Response:
        return with_headers(JSONResponse(content, status), self._answers.headers(framed=True))


def _fields(spec: Spec, form: Mapping[str, str]) -> tuple[dict[str, Secret], dict[str, str]]:
    """The login's fields, and what is wrong with which; nothing of a value is in the sentences."""
    fields, troubles = {}, {}
    for each in spec.fields:
        value = Secret(form.get(f"f.{each.key}", "").strip())
        if not value:
            troubles[f"f.{each.key}"] = "This is needed."
        elif not fits(each, value.reveal()):
            troubles[f"f.{each.key}"] = f"That does not look like the {each.title}."
        fields[each.key] = value
    return fields, troubles


def _by_script(headers: Headers) -> bool:
    return headers.get("accept", "").startswith("application/json")


def _is_framed(headers: Headers) -> bool:
    """In Telegram's web client; a provider's login page does not open there, and its cookie would not come back."""
    return headers.get("sec-fetch-dest") == "iframe"


def _origin_of(address: str) -> str:
    parts = urlsplit(address)
    return f"{parts.scheme}://{parts.netloc}"
