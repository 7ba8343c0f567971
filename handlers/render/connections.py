"""/connections: each login with who may use it, and what is known of its key."""

from collections.abc import Mapping
from datetime import datetime
from html import escape

from bot.access.model import Person, Role
from bot.operations.findings import listed
from bot.operations.linked import Connection, Scope, Share
from bot.providers.base import Ability
from handlers.render.text import Taste, ago, bold, literal

_NOT_READ = frozenset({Ability.STREAMS, Ability.TOP_UP, Ability.REQUESTS})
"""What a login does beside being read."""


def connection(one: Connection, viewer: Person, names: Mapping[int, str], taste: Taste, *, locked: bool) -> str:
    """One login's block. `names`: the desk's people by our own ids."""
    state = " · " + bold("LOCKED") if locked else ""
    rests = "" if one.owner_active else " · rests: its owner is suspended"
    head = f"<code>{escape(one.name)}</code> · {one.spec.title} · {one.environment} · {_whose(one, viewer, names)}"
    can = ", ".join(sorted(one.spec.abilities - _NOT_READ))
    return f"{head}{state}{rests}\n    reads {can} · linked {taste.date_time(one.created_at)}"


def key(one: Connection, now: datetime) -> str:
    """What is known of its credential: age, last use, powers. For who looks after it."""
    age = f"key since {(now - one.secret_since).days} d" if (now - one.secret_since).days else "key since today"
    powers = f" · can {listed(one.powers)}" if one.powers else ""
    untold = f", perhaps {listed(one.untold, 'or')}" if one.untold else ""
    leaked = (
        f"\n    {bold('rotated at the provider: no')} · it may have been copied; /replace it" if one.leaked_at else ""
    )
    return f"\n    {age} · last used {ago(now, one.used_at)}{powers}{untold}{leaked}"


def _whose(one: Connection, viewer: Person, names: Mapping[int, str]) -> str:
    if one.owner == viewer.id:
        shared = shares(one, names)
        return f"yours, shared with {shared}" if shared else "yours"
    owner = literal(names.get(one.owner, "somebody who left"))
    if not one.may_read(viewer):
        return f"of {owner}, not shared with you"
    return f"of {owner}, shared with you" + (" to act" if one.may_act(viewer) else "")


def shares(one: Connection, names: Mapping[int, str]) -> str:
    """`viewers, Vera to act`; roles first."""
    roles = [_share(share, f"{share.party}s") for share in one.shares if isinstance(share.party, Role)]
    people = [
        _share(share, literal(names.get(share.party, "somebody who left")))
        for share in one.shares
        if not isinstance(share.party, Role)
    ]
    return ", ".join([*sorted(roles), *sorted(people)])


def _share(share: Share, who: str) -> str:
    return f"{who} to act" if share.scope is Scope.ACT else who
