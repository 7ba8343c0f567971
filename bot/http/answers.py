"""The headers of everything a page answers, and whether a form came from a page of ours."""

from collections.abc import Mapping

from starlette.datastructures import Headers
from starlette.responses import HTMLResponse, Response

FRAMED_BY = "https://web.telegram.org"
"""Telegram's clients show a Mini App in a web view of their own; only the one in a browser puts it into a frame."""
_YEAR_SECONDS = 31_536_000


class Answers:
    """Answers under one origin."""

    def __init__(self, origin: str) -> None:
        self.origin = origin
        self._always = {
            "cache-control": "no-store",
            "cross-origin-resource-policy": "same-origin",
            "referrer-policy": "no-referrer",
            "x-content-type-options": "nosniff",
            "x-robots-tag": "noindex",
        }
        if origin.startswith("https:"):
            self._always["strict-transport-security"] = f"max-age={_YEAR_SECONDS}"

    def headers(self, *, framed: bool = False, forms_to: str = "") -> dict[str, str]:
        """No inline script or style, nothing from outside, nothing kept.

        Args:
            framed: Whether Telegram may show it in a frame; nobody else ever may.
            forms_to: A further origin a form may end up at.
        """
        frames = FRAMED_BY if framed else "'none'"
        forms = f"'self' {forms_to}".strip()
        policy = (
            "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
            f"form-action {forms}; base-uri 'none'; frame-ancestors {frames}"
        )
        return {**self._always, "content-security-policy": policy}

    def page(self, html: str, status: int = 200, *, framed: bool = False, forms_to: str = "") -> Response:
        return HTMLResponse(html, status, self.headers(framed=framed, forms_to=forms_to))

    def is_from_here(self, headers: Headers) -> bool:
        """Whether a browser says that the form it sends was on a page of ours.

        With `Referrer-Policy: no-referrer` a plain form comes with `Origin: null`, so Sec-Fetch-Site speaks first; a
        browser too old for that must send our origin.
        """
        origin, site = headers.get("origin"), headers.get("sec-fetch-site")
        if site is not None:
            return site == "same-origin" and origin in (None, "null", self.origin)
        return origin == self.origin


def with_headers(answer: Response, headers: Mapping[str, str]) -> Response:
    """The same answer with these headers, too."""
    answer.headers.update(headers)
    return answer
