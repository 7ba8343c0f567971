"""What every page does around its own work: nothing unforeseen is shown, and forms are only taken from here."""

import logging
from collections.abc import Awaitable, Callable

from starlette.requests import Request
from starlette.responses import Response

from bot.errors import CountersignError, EntryRefusedError
from bot.http import views
from bot.http.answers import Answers
from bot.http.body import MAX_FORM_BYTES, capped, form_in, goodbye
from bot.ids import incident_number

Voice = Callable[[CountersignError], str]
"""An error's sentence."""
Ask = Callable[[Request], Awaitable[Response]]
_log = logging.getLogger(__name__)


class Asked:
    """The guard around each page."""

    def __init__(self, answers: Answers, desk: str, say: Voice) -> None:
        self.answers = answers
        self._desk = desk
        self._say = say

    def guarded(self, ask: Ask) -> Ask:
        """The same page; its errors become pages that say a sentence."""

        async def answer(request: Request) -> Response:
            try:
                return await ask(request)
            except EntryRefusedError as error:
                return self._told("This link has ended", self._say(error), 404)
            except CountersignError as error:
                return self._told("That did not work", self._say(error), 503)
            except Exception:  # noqa: BLE001  # the last net: a traceback in the log, a number on the page
                number = incident_number()
                _log.exception("incident on a page", extra={"incident": number})
                said = f"Something went wrong that should not have. Tell an admin: incident {number}."
                return self._told("That did not work", said, 500)

        return answer

    def _told(self, title: str, said: str, status: int) -> Response:
        return self.answers.page(views.told_page(title, [said], self._desk), status, framed=True)


async def asked_by_form(request: Request, answers: Answers) -> dict[str, str] | Response:
    """The fields of a form of ours, or the answer to something else."""
    headers = answers.headers()
    if not answers.is_from_here(request.headers):
        return goodbye(
            403, headers, "This form did not come from its own page. Open the link again, and send it there."
        )
    body = await capped(request, MAX_FORM_BYTES)
    if body is None:
        return goodbye(413, headers, "That is more than this form takes, or it came too slowly.")
    form = form_in(request, body)
    return goodbye(400, headers, "This form cannot be read.") if form is None else form
