"""What a desk without a policy begins with: the configuration's policy, and its book of beneficiaries.

It seeds an empty desk and no other: afterwards both are changed by requests that several people sign.
"""

from pathlib import Path

from bot.approvals.policy.reading import read
from bot.clock import Clock
from bot.config import PolicyConfig
from bot.errors import ConfigError, StartRefusedError
from bot.ports import Deed, Recorder
from bot.providers.registry import PROVIDERS
from bot.store import Database, Tables
from bot.store.columns import at
from bot.store.file import peek

EX_CONFIG = 78


async def begin_with(database: Database, audit: Recorder, clock: Clock, wanted: PolicyConfig) -> None:
    """Take over what the configuration says, when the desk has neither a policy nor a beneficiary yet.

    Raises:
        StartRefusedError: Its document is no policy.
    """
    check_document(wanted)
    now = at(clock.now())

    def change(tables: Tables) -> None:
        if not _is_empty(tables):
            return
        if wanted.document is not None:
            tables.conn.execute("INSERT INTO policies VALUES (1, ?, ?, NULL, NULL)", (wanted.document, now))
            audit.record(tables, Deed("policy.begun", "policy/1", details={"via": "configuration"}))
        for payee in wanted.beneficiaries:
            tables.conn.execute(
                "INSERT INTO beneficiaries (provider, account, name, currency, added_at, usable_from)"
                " VALUES (?, ?, ?, ?, ?, ?)",
                (payee.provider, payee.account, payee.name, payee.currency, now, now),
            )
            details = {"name": payee.name, "via": "configuration"}
            audit.record(
                tables, Deed("beneficiary.added", f"beneficiary/{payee.provider}/{payee.account}", None, None, details)
            )

    await database.write(change)


def policy_differing(database: Path, wanted: PolicyConfig) -> list[str]:
    """Where the configuration's policy is not the desk's, in sentences. Looked at with the database closed.

    Raises:
        StartRefusedError: Its document is no policy.
    """
    check_document(wanted)
    if wanted.document is None:
        return []

    def look(tables: Tables) -> tuple[int, str] | None:
        if "policies" not in tables.table_names():
            return None
        rows = tables.conn.execute(
            "SELECT version, document FROM policies WHERE called_off_at IS NULL ORDER BY version DESC LIMIT 1"
        )
        return next(((number, document) for number, document in rows), None)

    newest = peek(database, look)
    if newest is None or newest[1] == wanted.document:
        return []
    differs = f"the policy in the configuration is not the desk's version {newest[0]}"
    return [f"{differs}; the configuration seeds an empty desk only, so what the desk has counts"]


def check_document(wanted: PolicyConfig) -> None:
    """`StartRefusedError` with everything that is wrong with it, when it is no policy."""
    if wanted.document is None:
        return
    try:
        read(wanted.document, PROVIDERS)
    except ConfigError as error:
        wrong = "".join(f"\n  {problem}" for problem in error.problems)
        raise StartRefusedError(f"policy.file is not a policy:{wrong}", EX_CONFIG) from None


def _is_empty(tables: Tables) -> bool:
    """Neither a policy nor a beneficiary was ever there."""
    (count,) = tables.conn.execute(
        "SELECT (SELECT count(*) FROM policies) + (SELECT count(*) FROM beneficiaries)"
    ).fetchone()
    return bool(count == 0)
