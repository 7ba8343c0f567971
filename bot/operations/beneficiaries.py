"""The book of beneficiaries: money goes to listed destinations only.

A new one is a request of its own, and waits before it can be used; everybody who may freeze hears of it, and each of
them can take it out again, alone and at once.
"""

import re
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from bot.access import names
from bot.access.model import Person, Right
from bot.access.service import check_right, people_in
from bot.approvals.carriers import InHouse
from bot.approvals.guards import rule_for
from bot.approvals.model import Kind, Request, Rule
from bot.approvals.policies import Policies
from bot.approvals.policy.model import DEFAULT, Guarded
from bot.approvals.service import Approvals, Wish
from bot.clock import Clock
from bot.errors import ConflictError, InputError, NotAllowedError, NotFoundError
from bot.money import Currency, Money
from bot.operations.freezing import Freezing
from bot.ports import Deed, Recorder
from bot.providers.base import Spec
from bot.providers.registry import PROVIDERS, provider_named
from bot.store import Database, Tables
from bot.store.columns import at, moment

EXAMPLE = "/beneficiaries add cryptocapital 9120000002 Harbour Logistics USD"


@dataclass(frozen=True, slots=True)
class Beneficiary:
    """One listed destination."""

    id: int
    provider: str
    account: str
    name: str
    currency: Currency | None
    """The only one that goes there; None for any."""
    usable_from: datetime


def listed(tables: Tables, provider: str | None = None, name: str | None = None) -> list[Beneficiary]:
    """Everybody in the book, by provider and name; or whoever is called exactly so."""
    rows = tables.conn.execute(
        "SELECT id, provider, account, name, currency, usable_from FROM beneficiaries"
        " WHERE removed_at IS NULL AND provider = coalesce(?, provider) AND name = coalesce(?, name)"
        " ORDER BY provider, name",
        (provider, name),
    ).fetchall()
    return [
        Beneficiary(number, of, account, name, Currency(currency) if currency else None, moment(since))
        for number, of, account, name, currency, since in rows
    ]


def check(tables: Tables, provider: str, name: str, account: str, now: datetime) -> Beneficiary:
    """The entry, when money may go there.

    Raises:
        NotFoundError: Not in the book; `known` lists who is.
        ConflictError: Taken out since; in the book with another account; or it is too early.
    """
    book = listed(tables, provider, name) or listed(tables, provider)
    found = next((one for one in book if one.name.casefold() == name.casefold()), None)
    if found is None:
        removed = tables.conn.execute(
            "SELECT 1 FROM beneficiaries WHERE provider = ? AND account = ? AND name = ?", (provider, account, name)
        ).fetchone()
        if removed is not None:
            raise ConflictError(f"{name} was taken out of the book of beneficiaries")
        raise NotFoundError("beneficiary", name, tuple(one.name for one in book))
    if found.account != account:
        raise ConflictError(f"{found.name} is listed with another account")
    if found.usable_from > now:
        raise ConflictError(f"{found.name} is new: money may go there from {found.usable_from:%Y-%m-%d %H:%M} UTC on")
    return found


def check_currency(entry: Beneficiary, amount: Money | None) -> None:
    """`ConflictError` when the entry is for another currency."""
    if entry.currency is not None and amount is not None and amount.currency != entry.currency:
        raise ConflictError(f"{entry.name} is listed for {entry.currency} only")


class Beneficiaries(InHouse):
    """The verbs, and what is done when one was signed."""

    def __init__(
        self,
        database: Database,
        approvals: Approvals,
        policies: Policies,
        freezing: Freezing,
        audit: Recorder,
        clock: Clock,
    ) -> None:
        self._database = database
        self._approvals = approvals
        self._policies = policies
        self._freezing = freezing
        self._audit = audit
        self._clock = clock

    async def listed(self) -> list[Beneficiary]:
        """The whole book."""
        return await self._database.read(listed)

    async def ask(
        self,
        by: Person,
        provider: str,
        account: str,
        name: str,
        currency: str | None = None,
        *,
        telegram_id: int,
        asked_in: str | None = None,
    ) -> Request:
        """Ask others to sign a new entry.

        Raises:
            InputError: No account there, no name, or one that looks like another entry's.
            ConflictError: It is listed already.
        """
        spec = provider_named(provider.casefold())
        parameters = {"provider": spec.name, "account": _account(spec, account), "name": _name(name)}
        if currency is not None:
            parameters["currency"] = _currency(currency)
        wait = await self._database.read(self._cooldown)
        parameters["waits"] = str(int(wait.total_seconds()))
        return await self._approvals.ask(by, Wish(Kind.BENEFICIARY, parameters, asked_in), telegram_id=telegram_id)

    async def remove(self, by: Person, words: str, *, telegram_id: int) -> Beneficiary:
        """Take an entry out, by its name or account, with its provider in front where two have it. At once.

        What was approved and is not being sent yet fails at its last look.

        Raises:
            NotAllowedError: They may not (any more).
            NotFoundError: No such entry; `known` lists who is.
            ConflictError: Several are called that.
        """

        def change(tables: Tables) -> Beneficiary:
            person = check_right(tables, by, Right.FREEZE)
            entry = _meant(listed(tables), words)
            tables.conn.execute(
                "UPDATE beneficiaries SET removed_at = ?, removed_by = ? WHERE id = ? AND removed_at IS NULL",
                (at(self._clock.now()), person.id, entry.id),
            )
            details = {"provider": entry.provider, "account": entry.account, "name": entry.name}
            deed = Deed("beneficiary.removed", f"beneficiary/{entry.id}", person.id, telegram_id, details)
            self._audit.record(tables, deed)
            lines = (
                f"{entry.name}, {entry.account} ({PROVIDERS[entry.provider].title}), taken out by {person.name}.",
                "Nothing more goes there; what was approved and not sent yet fails.",
            )
            title, dedupe = "A beneficiary was taken out", f"beneficiary/{entry.id}/removed"
            self._freezing.tell_all(tables, title, lines, dedupe, but=person.id)
            return entry

        return await self._database.write(change)

    def lines(self, parameters: Mapping[str, str]) -> tuple[str, ...]:
        only = f"for {parameters['currency']} only" if "currency" in parameters else "for any currency"
        hours = _span(timedelta(seconds=int(parameters["waits"])))
        return (
            f"New beneficiary: {parameters['name']}",
            f"account {parameters['account']} at {PROVIDERS[parameters['provider']].title}, {only}",
            f"Money may go there {hours} after the last signature.",
        )

    def rule(self, tables: Tables, asked_by: Person, parameters: Mapping[str, str]) -> Rule:
        check_right(tables, asked_by, Right.ASK)
        _check_free(listed(tables), parameters)
        return rule_for(tables, self._policies, Guarded.BENEFICIARY)

    def carry(self, tables: Tables, request: Request) -> str:
        asker = next((one for one in people_in(tables) if one.id == request.asked_by), None)
        if asker is None or not asker.may(Right.ASK):
            raise NotAllowedError(Right.ASK)
        said = request.parameters
        _check_free(listed(tables), said)
        now = self._clock.now()
        usable = now + max(self._cooldown(tables), timedelta(seconds=int(said["waits"])))
        number = tables.conn.execute(
            "INSERT INTO beneficiaries (provider, account, name, currency, request_id, added_at, usable_from)"
            " VALUES (?, ?, ?, ?, ?, ?, ?)",
            (said["provider"], said["account"], said["name"], said.get("currency"), request.id, at(now), at(usable)),
        ).lastrowid
        details = {key: said[key] for key in ("provider", "account", "name", "currency") if key in said}
        deed = Deed("beneficiary.added", f"beneficiary/{number}", asker.id, details={"request": request.id, **details})
        self._audit.record(tables, deed)
        lines = (
            f"{said['name']}, {said['account']} ({PROVIDERS[said['provider']].title}), asked for by {asker.name}.",
            f"Money may go there from {usable:%Y-%m-%d %H:%M} UTC on.",
        )
        step = "Not as it should be? /beneficiaries remove and its name takes it out at once."
        dedupe = f"beneficiary/{number}/added"
        self._freezing.tell_all(tables, "A new beneficiary", lines, dedupe, step=step, but=asker.id)
        return f"{said['name']} is in the book; money may go there from {usable:%Y-%m-%d %H:%M} UTC on"

    def _cooldown(self, tables: Tables) -> timedelta:
        _, policy = self._policies.in_force(tables)
        return (policy or DEFAULT).beneficiary_cooldown


def _account(spec: Spec, account: str) -> str:
    if spec.payees is None:
        raise InputError(f"{spec.title} sends no money to other accounts", EXAMPLE)
    if not re.fullmatch(spec.payees.pattern, account, re.ASCII):
        raise InputError(f"an account of {spec.title} is {spec.payees.said}", spec.payees.example)
    return account


def _name(text: str) -> str:
    """As it is kept: full-width letters and the like are written plainly."""
    try:
        return names.checked(unicodedata.normalize("NFKC", text))
    except InputError as error:
        raise InputError(error.reason, EXAMPLE) from None


def _currency(text: str) -> str:
    try:
        currency = Currency.of(text)
    except ValueError:
        raise InputError(f"{text[:20]} is no currency", EXAMPLE) from None
    if not currency.known:
        raise InputError(f"{currency} is no currency this desk can move", EXAMPLE)
    return currency.code


def _check_free(book: Iterable[Beneficiary], parameters: Mapping[str, str]) -> None:
    """Nothing in the book is that account, or looks like that name (F31). One name may stand at two providers."""
    provider, account, name = parameters["provider"], parameters["account"], parameters["name"]
    for one in book:
        if (one.provider, one.account) == (provider, account):
            raise ConflictError(f"{account} is listed already, as {one.name}")
        if one.provider != provider and one.name.casefold() == name.casefold():
            continue
        if names.skeleton(one.name) == names.skeleton(name):
            raise InputError(f"{name} looks the same as {one.name}, which is listed; choose another name", EXAMPLE)


def _meant(book: list[Beneficiary], words: str) -> Beneficiary:
    wanted = " ".join(words.split()).casefold()
    found = [
        one
        for one in book
        if wanted in (one.name.casefold(), one.account.casefold())
        or wanted in (f"{one.provider} {one.name.casefold()}", f"{one.provider} {one.account.casefold()}")
    ]
    if not found:
        raise NotFoundError("beneficiary", words, tuple(one.name for one in book))
    if len(found) > 1:
        where = " or ".join(one.provider for one in found)
        raise ConflictError(f"{found[0].name} is listed at several providers; put {where} in front")
    return found[0]


def _span(wait: timedelta) -> str:
    hours, minutes = divmod(int(wait.total_seconds()) // 60, 60)
    if not minutes:
        return "1 hour" if hours == 1 else f"{hours} hours"
    return f"{hours} h {minutes:02d} min" if hours else f"{minutes} minutes"
