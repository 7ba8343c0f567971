"""Every error this program raises on purpose, in one tree.

    CountersignError
    ├── ConfigError                  the configuration cannot be used; exit 78
    ├── StartRefusedError            the machine or the data cannot be used now; carries its exit code
    ├── InputError                   a person wrote something that cannot be read; carries a right example
    ├── NotAllowedError              the person lacks the right
    ├── NotFoundError                no such thing, or not visible to this person
    ├── ConflictError                the thing changed meanwhile, or exists already
    ├── NoRateError                  a limit needs a rate that nobody has entered lately; names the pair
    ├── DiskShortError               too little room on the disk to ask for money; carries the bytes
    ├── OwnerSuspendedError          a connection rests while its owner is suspended
    ├── EntryRefusedError            a one-time link does not let in, or not like that
    ├── StepUpError                  an act needs a code of the second factor, and there is no good one
    │   ├── FactorMissingError       the person has no second factor
    │   ├── FactorUnreadableError    its sealed seed does not open
    │   ├── FactorLockedError        too many wrong codes; carries the `minutes` to wait
    │   ├── NumberWrongError         not the number on the asker's screen: there is no second try
    │   ├── NumberMissedError        this person has had that try already
    │   ├── CodeWrongError           not the code; may carry the `tries_left`
    │   ├── CodeUsedError            a good code, but that one, or a later one, was used already
    │   └── ClockDoubtedError        this machine's clock was set, and no admin has said that it is right
    ├── VaultError
    │   ├── KeyTextError             the key's text form is damaged: a typo, not a wrong key
    │   ├── KeySourceError           the place the key comes from does not give it
    │   ├── WrongKeyError            the key is whole, but belongs to another database
    │   ├── PassphraseError          not the passphrase, or none that will do
    │   ├── BackupUnreadableError    a backup file is damaged, cut short, or none
    │   └── RecordUnreadableError    one sealed record does not open; the others still do
    │       └── ConnectionLockedError    nor shall it, until its owner gives the passphrase
    ├── StoreError
    │   ├── StoreBusyError           another program holds the database
    │   ├── StoreFullError           the disk is full or refuses
    │   ├── StoreDamagedError        the file is not what it should be
    │   └── StoreNewerError          the file was written by a newer version of this program
    └── ProviderError                carries `provider`
        ├── UnreachableError         nothing was sent: refused, no such host, TLS, no free connection
        ├── SilentError              it was sent (or may have been), and no whole answer came
        ├── ReplyError               an answer came that cannot be read as documented
        ├── RefusedError             the provider said no; carries its `code`
        │   ├── CredentialRefusedError   login, key or signature not accepted: the owner must act
        │   │   └── EnvironmentMismatchError  a good one, for the other of live and demo
        │   ├── ScopeMissingError        the key is good but may not do this; names the `scope`
        │   ├── FieldsRefusedError       what was filled in will not do; names the `fields`
        │   └── BusyError                asked too often; may carry `retry_after_seconds`
        ├── FaultError               the provider's own failure (5xx and the like)
        ├── StreamsFullError         a login follows as much as it may at once; carries how many
        ├── CodeAwaitedError         a code was mailed, and nothing goes on without it
        ├── UnsupportedError         this provider has no such ability
        ├── UnconfiguredError        the configuration lacks what this provider needs
        └── OutcomeUnknownError      a money call left and nothing definite came back

Three questions shape it: whose fault is it, may it be repeated, who must act. Errors carry facts; the sentences
people read are in `handlers/failures.py`, one for each. No message here may hold a secret or a raw body.
"""

from collections.abc import Sequence
from dataclasses import dataclass


class CountersignError(Exception):
    """Root of the tree."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong with the configuration: where, what was found (masked), what is expected."""

    path: str
    found: str
    expected: str

    def __str__(self) -> str:
        return f"{self.path}: found {self.found}, expected {self.expected}"


class ConfigError(CountersignError):
    """The configuration has problems; all of them are listed."""

    exit_code = 78

    def __init__(self, source: str, problems: Sequence[Problem]) -> None:
        super().__init__(f"{source}: {len(problems)} problem(s)")
        self.source = source
        self.problems = tuple(problems)


class StartRefusedError(CountersignError):
    """The program does not start; `exit_code` follows sysexits."""

    def __init__(self, reason: str, exit_code: int) -> None:
        super().__init__(reason)
        self.reason = reason
        self.exit_code = exit_code


class InputError(CountersignError):
    """What a person wrote cannot be read. `example` is a right one."""

    def __init__(self, reason: str, example: str) -> None:
        super().__init__(reason)
        self.reason = reason
        self.example = example


class NotAllowedError(CountersignError):
    """The person lacks the right; `needed` names it in plain words."""

    def __init__(self, needed: str) -> None:
        super().__init__(needed)
        self.needed = needed


class NotFoundError(CountersignError):
    """No such thing, or none this person may see. `known` lists what there is."""

    def __init__(self, what: str, name: str, known: Sequence[str] = ()) -> None:
        super().__init__(f"{what} {name!r}")
        self.what = what
        self.name = name
        self.known = tuple(known)


class ConflictError(CountersignError):
    """The thing exists already or changed meanwhile."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class AlikeError(ConflictError):
    """A request for the very same is on its way, or nobody knows what became of it."""

    def __init__(self, request_id: str, state: str) -> None:
        super().__init__(f"request {request_id} is for the very same, and is {state}")
        self.request_id = request_id
        self.state = state


class PolicyRefusedError(CountersignError):
    """The policy does not let this be asked for; `reason` in plain words, with the rule or limit that says so."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class NoRateError(CountersignError):
    """A limit counts every currency, and nobody has entered in a day what one is worth in another."""

    def __init__(self, base: str, quote: str) -> None:
        super().__init__(f"no rate of {base}/{quote} is younger than 24 hours")
        self.base = base
        self.quote = quote


class DiskShortError(CountersignError):
    """Too little room is left on the disk for money to be asked for."""

    def __init__(self, free_bytes: int, wanted_bytes: int) -> None:
        super().__init__(f"{free_bytes} of {wanted_bytes} bytes free")
        self.free_bytes = free_bytes
        self.wanted_bytes = wanted_bytes


class FrozenError(CountersignError):
    """Nothing that moves money leaves: the desk, or this provider, is frozen."""

    def __init__(self, scope: str, reason: str) -> None:
        super().__init__(f"{scope} is frozen")
        self.scope = scope
        self.reason = reason


class StepUpError(CountersignError):
    """The second factor was asked for and not shown; what it was to authorise did not happen."""


class ProofNeededError(StepUpError):
    """This vote counts only with `proof`: "a code of your second factor", "the number on the asker's screen"."""

    def __init__(self, proof: str) -> None:
        super().__init__(f"needs {proof}")
        self.proof = proof


class NumberWrongError(StepUpError):
    """Not the number on the asker's screen. There is no second try for this person and request.

    `others_can`: enough others are left who could sign it.
    """

    def __init__(self, *, others_can: bool = True) -> None:
        super().__init__("another number")
        self.others_can = others_can


class NumberMissedError(StepUpError):
    """This person has picked a wrong number for the request before; `others_can` as above."""

    def __init__(self, *, others_can: bool = True) -> None:
        super().__init__("a wrong number was picked before")
        self.others_can = others_can


class FactorMissingError(StepUpError):
    """The person has no second factor, or may use none."""


class FactorUnreadableError(StepUpError):
    """Its sealed seed does not open: only a reset helps."""


class FactorLockedError(StepUpError):
    """Too many wrong codes. Until `minutes` have passed none is looked at."""

    def __init__(self, minutes: int) -> None:
        super().__init__(f"locked for {minutes} min")
        self.minutes = minutes


class CodeWrongError(StepUpError):
    """Not the code. `tries_left` before it locks; None where it never does."""

    def __init__(self, tries_left: int | None = None) -> None:
        super().__init__(f"{tries_left} tries left")
        self.tries_left = tries_left


class CodeUsedError(StepUpError):
    """The code was good, and so was its use: each counts once. The next one comes within half a minute."""


class ClockDoubtedError(StepUpError):
    """This machine's clock was set by more than a minute, and no admin has said since that it is right."""


class EntryRefusedError(CountersignError):
    """A one-time link does not let in. `is_over`: nor will it ever; otherwise another try may."""

    def __init__(self, reason: str, *, is_over: bool = False) -> None:
        super().__init__(reason)
        self.reason = reason
        self.is_over = is_over


class OwnerSuspendedError(CountersignError):
    """Nothing goes through a connection whose owner is suspended; `connection` as `capital/main`."""

    def __init__(self, connection: str) -> None:
        super().__init__(connection)
        self.connection = connection


class VaultError(CountersignError):
    """Something about keys or sealed records."""


class KeyTextError(VaultError):
    """The master key's text form is damaged."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class KeySourceError(VaultError):
    """The master key did not come from where the configuration says; nothing the source said is in `reason`."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class WrongKeyError(VaultError):
    """A whole key that belongs to another database. Fingerprints are safe to show."""

    def __init__(self, expected: str, got: str) -> None:
        super().__init__(f"expected fingerprint {expected}, got {got}")
        self.expected = expected
        self.got = got


class BackupUnreadableError(VaultError):
    """A backup cannot be restored: it is none, is damaged, or what it holds does not pass its checks."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class RecordUnreadableError(VaultError):
    """One sealed record does not open with the loaded keys."""

    def __init__(self, label: str) -> None:
        super().__init__(label)
        self.label = label


class ConnectionLockedError(RecordUnreadableError):
    """Sealed with its owner's passphrase, and nobody has given it since the start. `label` as `capital/main`."""


class PassphraseError(VaultError):
    """A passphrase that is not the right one, or may not become one; `reason` says which."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class StoreError(CountersignError):
    """The database refused; nothing was changed."""


class StoreBusyError(StoreError):
    """Another program holds the database."""


class StoreFullError(StoreError):
    """No space, or the disk refuses to write."""


class StoreNewerError(StoreError):
    """The file was written by a newer version of this program; `names` are its steps this one does not know."""

    def __init__(self, names: Sequence[str]) -> None:
        super().__init__(", ".join(names))
        self.names = tuple(names)


class StoreDamagedError(StoreError):
    """The file is damaged."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class ProviderError(CountersignError):
    """Anything that went wrong with a provider."""

    def __init__(self, provider: str, detail: str = "") -> None:
        super().__init__(f"{provider}: {detail}" if detail else provider)
        self.provider = provider
        self.detail = detail


class UnreachableError(ProviderError):
    """Nothing was sent. Safe to repeat."""


class SilentError(ProviderError):
    """It was sent, or may have been, and no whole answer came. A read may be repeated; a money call never blindly."""


class ReplyError(ProviderError):
    """An answer came that cannot be read as documented: malformed, too large, wrong types, wrong signature."""


class RefusedError(ProviderError):
    """The provider said no. `code` is the provider's own."""

    def __init__(self, provider: str, code: str, detail: str = "") -> None:
        super().__init__(provider, f"{code} {detail}".strip())
        self.code = code


class CredentialRefusedError(RefusedError):
    """Login, key or signature not accepted. The owner must act."""


class EnvironmentMismatchError(CredentialRefusedError):
    """A login of the other environment: `wanted` and `found` are "live" or "demo"."""

    def __init__(self, provider: str, code: str, *, wanted: str, found: str) -> None:
        super().__init__(provider, code, f"belongs to {found}, declared {wanted}")
        self.wanted = wanted
        self.found = found


class ScopeMissingError(RefusedError):
    """The key is good but lacks a scope; `scope` names it in the provider's words."""

    def __init__(self, provider: str, code: str, scope: str) -> None:
        super().__init__(provider, code, f"needs {scope}")
        self.scope = scope


class FieldsRefusedError(RefusedError):
    """What was asked for does not pass because of these `fields`, by the provider's own names."""

    def __init__(self, provider: str, code: str, fields: Sequence[str]) -> None:
        super().__init__(provider, code, ", ".join(fields))
        self.fields = tuple(fields)


class BusyError(RefusedError):
    """Asked too often. `retry_after_seconds` is the provider's wish, already bounded, or None."""

    def __init__(self, provider: str, code: str, retry_after_seconds: float | None = None) -> None:
        super().__init__(provider, code)
        self.retry_after_seconds = retry_after_seconds


class OvertakenError(RefusedError):
    """Another program uses the same key and was ahead of us. The login is good: asked again, the answer comes."""


class FaultError(ProviderError):
    """The provider's own failure: a 5xx, a maintenance answer. A read may be repeated."""


class UnsupportedError(ProviderError):
    """This provider has no such ability; `ability` names it."""

    def __init__(self, provider: str, ability: str) -> None:
        super().__init__(provider, f"no {ability}")
        self.ability = ability


class StreamsFullError(ProviderError):
    """One login follows no more than `most` things at once, and it follows them."""

    def __init__(self, provider: str, most: int) -> None:
        super().__init__(provider, f"no more than {most} streams")
        self.most = most


class UnconfiguredError(ProviderError):
    """The configuration lacks what this provider needs; `setting` names it."""

    def __init__(self, provider: str, setting: str) -> None:
        super().__init__(provider, f"not configured: {setting}")
        self.setting = setting


class CodeAwaitedError(ProviderError):
    """A code was mailed to the owner of the account, and nothing goes on without it. Nothing was sent.

    `mailing` tells one mail from the next; `is_wrong` where one was given, and is none or too old.
    """

    def __init__(self, provider: str, mailing: str, *, is_wrong: bool = False) -> None:
        super().__init__(provider, "the code was not taken" if is_wrong else "waits for a code")
        self.mailing = mailing
        self.is_wrong = is_wrong


class OutcomeUnknownError(ProviderError):
    """A money call left, and nothing definite came back. Never repeated; always asked about."""
