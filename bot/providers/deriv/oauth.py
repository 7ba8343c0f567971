"""Deriv's own login page (the redirect flow of API v3). Pure.

The browser goes to `…/oauth2/authorize?app_id=…&l=…&state=…` and comes back to the address registered for the app with
numbered triples, one for each account, and the state: `?acct1=CR799393&token1=a1-…&cur1=USD&acct2=…&state=…`. `cur` may
be empty (an account that has no currency yet); before 2017 there was only `?token=…`. A token works with this app only.

Source: Deriv legacy API documentation, "OAuth".
"""

import re
from collections.abc import Mapping
from urllib.parse import urlencode

from bot.providers.deriv.settings import Settings
from bot.providers.records import Environment
from bot.providers.redirecting import Granted, Redirect
from bot.secret import Secret

MOST_ACCOUNTS = 25
_ACCOUNT = re.compile(r"[A-Za-z]{1,8}[0-9]{1,15}", re.ASCII)
_TOKEN = re.compile(r"[A-Za-z0-9_-]{1,128}", re.ASCII)
_CURRENCY = re.compile(r"[A-Za-z0-9]{0,12}", re.ASCII)


def leads_to(settings: Settings, state: str) -> str | None:
    if settings.oauth_app_id is None:
        return None
    query = urlencode({"app_id": settings.oauth_app_id, "l": settings.language, "state": state})
    return f"{settings.oauth_url}?{query}"


def granted(settings: Settings, query: Mapping[str, str]) -> tuple[Granted, ...]:
    """Every account of the answer; none at all when one of them is not as documented."""
    if "acct1" not in query and _TOKEN.fullmatch(query.get("token", "")):
        return (_one(settings, "", query["token"], ""),)
    found: list[Granted] = []
    for number in range(1, MOST_ACCOUNTS + 1):
        account = query.get(f"acct{number}")
        if account is None:
            break
        token, currency = query.get(f"token{number}", ""), query.get(f"cur{number}", "")
        if not (_ACCOUNT.fullmatch(account) and _TOKEN.fullmatch(token) and _CURRENCY.fullmatch(currency)):
            return ()
        found.append(_one(settings, account.upper(), token, currency.upper()))
    return tuple(found) if len({one.account for one in found}) == len(found) else ()


def _one(settings: Settings, account: str, token: str, currency: str) -> Granted:
    fields = {"app_id": Secret(settings.oauth_app_id or ""), "token": Secret(token)}
    return Granted(account, _environment(account), currency, fields)


def _environment(account: str) -> Environment | None:
    """Demo accounts are VRTC…, demo wallets VRW…; whether that is so is found out when the token is tried."""
    if not account:
        return None
    return Environment.DEMO if account.startswith("VR") else Environment.LIVE


REDIRECT = Redirect(leads_to, granted)
