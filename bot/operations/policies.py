"""The policy of the desk: what it says, and how another one comes into force.

A policy is a row, and the next one is a request. Whatever makes anything less strict is signed by those who signed for
what it loosens, and then waits a day or longer, during which anybody who may freeze can call it off. A change that is
only stricter needs nobody else and no time: a mistake in it costs a day, the lack of it could cost money.
"""

import asyncio
from dataclasses import dataclass
from datetime import datetime, timedelta

from bot.access.model import Person, Right
from bot.access.service import check_right
from bot.approvals import records
from bot.approvals.guards import PROOFS
from bot.approvals.model import Kind, Proof, Request
from bot.approvals.policies import Policies, Version
from bot.approvals.policy.comparing import loosens, signing, tightens
from bot.approvals.policy.meeting import Absence, unmeetable, unmeetable_uncounted
from bot.approvals.policy.model import DEFAULT, Guard, Policy
from bot.approvals.policy.reading import read
from bot.approvals.seating import signers_in
from bot.approvals.service import Wish
from bot.clock import Clock
from bot.errors import ConflictError
from bot.messages.outbox import Outbox
from bot.operations.factor_records import has_factor
from bot.operations.policy_requests import TOLD, minute, said, tell
from bot.ports import Deed, Recorder
from bot.providers.registry import PROVIDERS
from bot.store import Database, Tables
from bot.store.columns import at

SHORTEST_WAIT = timedelta(hours=24)
"""Of a loosening, whatever the policy says."""


@dataclass(frozen=True, slots=True)
class Proposal:
    """A policy somebody would have, held against the one in force."""

    document: str
    against: int
    """The version it was compared with; 0 for none."""
    loosened: tuple[str, ...]
    tightened: tuple[str, ...]
    guard: Guard
    """Who signs for it; nobody where nothing is loosened."""
    wait: timedelta
    """Between the last signature and its hour."""
    stuck: tuple[str, ...] = ()
    """What nobody can bring about, now as under it."""

    def wish(self, asked_in: str | None) -> Wish:
        """To be asked for."""
        parameters = {
            "document": self.document,
            "against": str(self.against),
            "loosened": "\n".join(self.loosened),
            "tightened": "\n".join(self.tightened),
            "needs": "\n".join(f"{one.count} of {one.circle}" for one in self.guard.needs) if self.loosened else "",
            "proof": PROOFS[self.guard.proof].name if self.loosened else Proof.NONE.name,
            "wait": str(int(self.wait.total_seconds())),
        }
        return Wish(Kind.POLICY, parameters, asked_in)


@dataclass(frozen=True, slots=True)
class Standing:
    """What /policy shows."""

    version: Version | None
    policy: Policy | None
    waiting: Version | None
    asked: tuple[Request, ...]
    """Proposals that wait for signatures."""
    stuck: tuple[str, ...]
    """What nobody can bring about just now."""


class PolicyDesk:
    """What can be done about the policy."""

    def __init__(self, database: Database, policies: Policies, audit: Recorder, outbox: Outbox, clock: Clock) -> None:
        self._database = database
        self._policies = policies
        self._audit = audit
        self._outbox = outbox
        self._clock = clock

    async def look(self) -> Standing:
        """As it stands."""

        def ask(tables: Tables) -> tuple[Version | None, Policy | None, Version | None, list[Request], _Around]:
            _, policy = self._policies.in_force(tables)
            asked = [one for one in records.pending(tables) if one.kind is Kind.POLICY]
            current, waiting = self._policies.current(tables), self._policies.waiting(tables)
            return current, policy, waiting, asked, _around(tables, self._clock.now())

        version, policy, waiting, asked, (people, absence) = await self._database.read(ask)
        about = (policy, people, absence)
        stuck = await asyncio.to_thread(lambda: _stuck(*about) + _stuck_uncounted(*about))
        return Standing(version, policy, waiting, tuple(asked), stuck)

    async def document(self, request_id: str | None = None) -> tuple[str, str]:
        """The TOML of the policy in force, or of the one a request asks for; and what it is called.

        Raises:
            NotFoundError: No such request.
            ConflictError: It is about something else; or the desk has no policy.
        """
        if request_id is not None:
            request = await self._database.read(lambda tables: records.read(tables, request_id))
            if request.kind is not Kind.POLICY:
                raise ConflictError(f"request {request.id} is not about the policy")
            return request.parameters["document"], f"policy-{request.id}.toml"
        version = await self._database.read(self._policies.current)
        if version is None:
            raise ConflictError("this desk has no policy yet, so there is no document")
        return version.document, f"policy-{version.number}.toml"

    async def difference(self, request_id: str) -> tuple[str, ...]:
        """Everything a proposal changes, in sentences. `NotFoundError`."""
        request = await self._database.read(lambda tables: records.read(tables, request_id))
        return (*said(request.parameters, "loosened"), *said(request.parameters, "tightened"))

    async def plan(self, by: Person, document: bytes) -> Proposal:
        """Read a document and hold it against the policy in force. Nothing is asked for yet.

        Raises:
            ConfigError: Everything that is wrong with it.
            ConflictError: It is the one in force; another waits for its hour; or it asks for what nobody can bring
                about, with the shortest way to mend that.
            NotAllowedError: Not by this person.
        """
        new = await asyncio.to_thread(read, document, PROVIDERS)
        text = document.decode()

        def ask(tables: Tables) -> tuple[Version | None, Policy | None, _Around]:
            check_right(tables, by, Right.POLICY)
            self._none_waits(tables)
            return (
                self._policies.current(tables),
                self._policies.in_force(tables)[1],
                _around(tables, self._clock.now()),
            )

        version, old, (people, absence) = await self._database.read(ask)
        if version is not None and version.document == text:
            raise ConflictError("that is the policy in force, to the letter")
        return await asyncio.to_thread(_compared, version.number if version else 0, old, new, text, people, absence)

    def _none_waits(self, tables: Tables) -> None:
        waiting = self._policies.waiting(tables)
        if waiting is not None:
            raise ConflictError(
                f"version {waiting.number} waits for its hour ({waiting.in_force_from:%Y-%m-%d %H:%M} UTC); "
                "call it off with /policy cancel before another one is proposed"
            )

    async def call_off(self, by: Person, number: int | None = None, *, telegram_id: int) -> Version:
        """The one that waits for its hour never comes.

        Args:
            number: The version that is meant, where that was said.
        Raises:
            NotAllowedError: Whoever may not freeze.
            ConflictError: None waits, or another one does.
        """

        def change(tables: Tables) -> Version:
            check_right(tables, by, Right.FREEZE)
            waiting = self._policies.waiting(tables)
            if waiting is None:
                raise ConflictError("no policy waits for its hour")
            if number not in (None, waiting.number):
                raise ConflictError(f"version {waiting.number} waits for its hour, and not version {number}")
            self._policies.call_off(tables, waiting.number)
            details = {"request": waiting.request_id or "", "from": minute(waiting.in_force_from)}
            self._audit.record(
                tables, Deed("policy.called_off", f"policy/{waiting.number}", by.id, telegram_id, details)
            )
            line = f"{by.name} called off version {waiting.number}. The policy in force stays as it is."
            tell(tables, self._outbox, "A change of the policy was called off", (line,), f"policy/{waiting.number}/off")
            return waiting

        return await self._database.write(change)

    async def watch(self) -> None:
        """Work for the clock: tell that another policy has come into force. Once: what was told last is a row."""

        def change(tables: Tables) -> None:
            version = self._policies.current(tables)
            number = str(version.number) if version is not None else "0"
            told = tables.conn.execute("SELECT value FROM meta WHERE key = ?", (TOLD,)).fetchone()
            if told is not None and told[0] == number:
                return
            tables.conn.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (TOLD, number))
            if told is not None and version is not None:
                self._tell_in_force(tables, version)

        await self._database.write(change)

    def _tell_in_force(self, tables: Tables, version: Version) -> None:
        request = f" Request {version.request_id} brought it." if version.request_id is not None else ""
        line = f"It is in force since {minute(version.in_force_from)} UTC.{request}"
        title, key = f"Version {version.number} of the policy is in force", f"policy/{version.number}/in-force"
        tell(tables, self._outbox, title, (line,), key, "/policy shows all of it.")


_Around = tuple[list[Person], Absence]


def _around(tables: Tables, now: datetime) -> _Around:
    """Everybody, with the groups they stand in for, and who does not count just now."""
    people = signers_in(tables, now, ())
    away = tables.conn.execute(
        "SELECT person_id FROM delegations WHERE from_at <= ? AND until_at > ? AND ended_at IS NULL", (at(now), at(now))
    ).fetchall()
    without = frozenset(one.id for one in people if not has_factor(tables, one.id))
    return people, Absence(frozenset(number for (number,) in away), without)


def _stuck(policy: Policy | None, people: list[Person], absence: Absence) -> tuple[str, ...]:
    return tuple(found.sentence for found in unmeetable(policy, people, absence))


def _stuck_uncounted(policy: Policy | None, people: list[Person], absence: Absence) -> tuple[str, ...]:
    """Told, and no reason against a draft: whoever adds a limit would have to find signers for what nobody sends."""
    return tuple(found.sentence for found in unmeetable_uncounted(policy, people, absence))


def _compared(
    against: int, old: Policy | None, new: Policy, document: str, people: list[Person], absence: Absence
) -> Proposal:
    """A second's work at worst: not for the event loop.

    What nobody could bring about before either is no reason against it: it would keep a desk from becoming stricter.
    """
    before, after = _stuck(old, people, absence), _stuck(new, people, absence)
    worse = [sentence for sentence in after if sentence not in before]
    if worse:
        raise ConflictError(f"nobody could bring about what this asks for. {' '.join(worse)}".rstrip("."))
    loosened = loosens(old, new)
    wait = max(SHORTEST_WAIT, (old or DEFAULT).loosening_delay) if loosened else timedelta()
    stuck = after + _stuck_uncounted(new, people, absence)
    return Proposal(document, against, loosened, tightens(old, new), signing(old, new), wait, stuck)
