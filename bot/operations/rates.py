"""What one currency is worth in another, for limits that count every currency (SAFETY M82).

A rate decides how much of a limit an amount uses, so a wrong one would loosen it: it is signed by those who sign for
the policy. It is good for 24 hours from when it was asked for, and stays on record with the request that brought it.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from bot.access.model import Person, Right
from bot.access.service import check_right, people_in
from bot.approvals.carriers import InHouse
from bot.approvals.guards import rule_for
from bot.approvals.model import Kind, Request, Rule
from bot.approvals.policies import Policies
from bot.approvals.policy.judging import limits_for, window_start
from bot.approvals.policy.model import Case, Guarded, Policy
from bot.approvals.policy.rates import GOOD_FOR, Rate, Rates
from bot.approvals.service import Approvals, Wish
from bot.clock import Clock
from bot.errors import ConflictError, InputError
from bot.money import Currency
from bot.ports import Deed, Recorder
from bot.store import Database, Tables
from bot.store.columns import at, moment

EXAMPLE = "/rate EUR/USD 1.08"
_NUMBER = re.compile(r"(0|[1-9][0-9]{0,11})(\.[0-9]{1,12})?", re.ASCII)


@dataclass(frozen=True, slots=True)
class Entered:
    """A rate, and who asked for it."""

    rate: Rate
    by: str
    request_id: str

    @property
    def good_until(self) -> datetime:
        return self.rate.at + GOOD_FOR


def rates_in(tables: Tables, since: datetime) -> Rates:
    """Whatever was good at some time since then."""
    return Rates(one.rate for one in _entered(tables, since - GOOD_FOR))


def rates_for(tables: Tables, case: Case, policy: Policy | None, until: datetime) -> list[Entered]:
    """By which a case and what was counted with it were weighed from its asking until then, oldest first.

    None where no limit over every currency counted it.
    """
    kept = [limit for limit in limits_for(policy, case) if limit.every_currency]
    if policy is None or not kept:
        return []
    since = min(window_start(limit, case.at, policy.zone) for limit in kept) - GOOD_FOR
    codes = {limit.most.currency.code for limit in kept}
    entered = _entered(tables, since)
    return [one for one in entered if one.rate.at <= until and not codes.isdisjoint({one.rate.base, one.rate.quote})]


def _entered(tables: Tables, since: datetime) -> list[Entered]:
    """Oldest first."""
    rows = tables.conn.execute(
        "SELECT base, quote, rate, rates.at, name, request_id FROM rates JOIN requests ON requests.id = request_id"
        " JOIN persons ON persons.id = asked_by WHERE rates.at >= ? ORDER BY rates.at, rates.id",
        (at(since),),
    ).fetchall()
    return [
        Entered(Rate(base, quote, Decimal(rate), moment(when)), name, request_id)
        for base, quote, rate, when, name, request_id in rows
    ]


class RateBook(InHouse):
    """The verbs, and what is done when one was signed; fits `bot.approvals.carriers.Carrier`."""

    def __init__(
        self, database: Database, approvals: Approvals, policies: Policies, audit: Recorder, clock: Clock
    ) -> None:
        self._database = database
        self._approvals = approvals
        self._policies = policies
        self._audit = audit
        self._clock = clock

    async def good(self) -> list[Entered]:
        """Those that count now, the newest of each pair."""
        since = self._clock.now() - GOOD_FOR
        entered = await self._database.read(lambda tables: _entered(tables, since))
        newest = {(one.rate.base, one.rate.quote): one for one in entered}
        return [newest[pair] for pair in sorted(newest)]

    async def ask(self, by: Person, pair: str, number: str, *, telegram_id: int, asked_in: str | None) -> Request:
        """Ask others to sign what one unit of the first currency is worth in the second.

        Raises:
            InputError: No pair of currencies this desk can move, or no number above nought.
            ConflictError: Nobody else could sign it.
            NotAllowedError: Not by this person.
        """
        base, quote = _pair(pair)
        if _NUMBER.fullmatch(number) is None or not Decimal(number):
            raise InputError("a rate is a number above nought, plain digits with at most one point", EXAMPLE)
        parameters = {"base": base, "quote": quote, "rate": number}
        before = await self._database.read(lambda tables: _newest(tables, base, quote))
        if before is not None:
            parameters["before"] = f"{before.rate}"
            parameters["before_at"] = f"{before.at:%Y-%m-%d %H:%M}"
        return await self._approvals.ask(by, Wish(Kind.RATE, parameters, asked_in), telegram_id=telegram_id)

    def lines(self, parameters: Mapping[str, str]) -> tuple[str, ...]:
        said = parameters
        before = (f"The last one was {said['before']} ({said['before_at']} UTC).",) if "before" in said else ()
        return (
            f"Rate: 1 {said['base']} is {said['rate']} {said['quote']}",
            *before,
            "Limits that count every currency go by it for 24 hours.",
        )

    def rule(self, tables: Tables, asked_by: Person, parameters: Mapping[str, str]) -> Rule:
        check_right(tables, asked_by, Right.POLICY)
        return rule_for(tables, self._policies, Guarded.POLICY)

    def carry(self, tables: Tables, request: Request) -> str:
        asker = next((one for one in people_in(tables) if one.id == request.asked_by), None)
        if asker is None:
            raise ConflictError("whoever asked for it is no longer at the desk")
        check_right(tables, asker, Right.POLICY)
        said = request.parameters
        number = tables.conn.execute(
            "INSERT INTO rates (base, quote, rate, at, request_id) VALUES (?, ?, ?, ?, ?)",
            (said["base"], said["quote"], said["rate"], at(request.asked_at), request.id),
        ).lastrowid
        details = {key: said[key] for key in ("base", "quote", "rate")}
        deed = Deed("rate.entered", f"rate/{number}", asker.id, details={"request": request.id, **details})
        self._audit.record(tables, deed)
        until = request.asked_at + GOOD_FOR
        return f"1 {said['base']} counts as {said['rate']} {said['quote']} until {until:%Y-%m-%d %H:%M} UTC"


def _newest(tables: Tables, base: str, quote: str) -> Rate | None:
    row = tables.conn.execute(
        "SELECT rate, at FROM rates WHERE base = ? AND quote = ? ORDER BY at DESC, id DESC LIMIT 1", (base, quote)
    ).fetchone()
    return None if row is None else Rate(base, quote, Decimal(row[0]), moment(row[1]))


def _pair(text: str) -> tuple[str, str]:
    codes = []
    for word in text.split("/"):
        try:
            currency = Currency.of(word)
        except ValueError:
            raise InputError("a pair is two currencies with a slash between them", EXAMPLE) from None
        if not currency.known:
            raise InputError(f"{currency} is no currency this desk can move", EXAMPLE)
        codes.append(currency.code)
    if len(codes) != 2 or codes[0] == codes[1]:
        raise InputError("a pair is two currencies with a slash between them", EXAMPLE)
    return codes[0], codes[1]
