"""/status: the health of every part."""

from datetime import datetime
from html import escape

from bot.errors import OwnerSuspendedError
from bot.operations.freezing import called
from bot.operations.pulse import Pulse
from bot.operations.status import ConnectionStatus, Status
from handlers.failures import told
from handlers.render.text import ago, bold, literal, span_between


def status(state: Status) -> list[str]:
    """Providers first, then the bot itself."""
    providers = [_connection(one, state.now) for one in state.connections]
    up = span_between(state.pulse.started_at, state.now)
    money = _money(state)
    return [
        f"{bold('Status')} · Countersign {escape(state.version)} · up {up}",
        *(["\n".join([bold("Money"), *money])] if money else []),
        "\n".join([bold("Providers"), *(providers or ["No connections you can see."])]),
        "\n".join([bold("The bot"), *_bot(state, state.pulse)]),
    ]


def _money(state: Status) -> list[str]:
    """What keeps it from leaving, and what nobody knows of it."""
    lines = [
        f"✕ {bold('FROZEN')}: {escape(called(one.scope))}, for {ago(state.now, one.since).removesuffix(' ago')}, "
        f"by {literal(one.by)}: {literal(one.reason, 200)}"
        for one in state.freezes
    ]
    if state.clock_doubted:
        lines.append("✕ No money leaves: this machine's clock was set, and no admin has said that it is right.")
    lines += [
        f"○ Request <code>{one.id}</code>: outcome unknown; do not send it again (/request {one.id})"
        for one in state.unknown
    ]
    return lines


def _bot(state: Status, pulse: Pulse) -> list[str]:
    seen = ago(state.now, pulse.update_at) if pulse.update_at else "none yet"
    asked = ago(state.now, pulse.asked_at) if pulse.asked_at else "not yet"
    checked = ago(state.now, pulse.database_checked_at or pulse.started_at)
    crash = ", and the run before did not end cleanly" if pulse.after_crash else ""
    refused = sum(pulse.refused.values())
    return [
        f"Telegram: {pulse.mode}, last answer {asked}, last update {seen}",
        f"Updates: {pulse.taken} taken, {pulse.strangers} from strangers dropped, {refused} refused",
        f"Queues: {state.inbox_waiting} in, {state.outbox['waiting']} out, {_dead(state.outbox['dead'])}",
        *(f"⚠ Second channel: {literal(way)} does not take it ({literal(why)})" for way, why in state.unpaged.items()),
        f"Database: {escape(pulse.database)} (checked {checked}), {state.database_bytes / 1e6:.1f} MB",
        f"Incidents since start: {pulse.incidents}{crash}",
    ]


def _dead(count: int) -> str:
    return f"{count} undeliverable" + (" (/undelivered)" if count else "")


def _connection(one: ConnectionStatus, now: datetime) -> str:
    odd = "".join(f"\n    ⚠ {count} × {escape(oddity)}" for oddity, count in sorted(one.health.oddities.items()))
    return _answering(one, now) + _following(one, now) + odd


def _following(one: ConnectionStatus, now: datetime) -> str:
    """What alerts need of it, and when that told anything last (R48)."""
    if one.silent_since is not None:
        return f"\n    ⚠ has told nothing by itself for {span_between(one.silent_since, now)}"
    if not one.followed or one.locked:
        return ""
    return f"\n    {one.followed} followed, " + (f"last told {ago(now, one.told_at)}" if one.told_at else "nothing yet")


def _answering(one: ConnectionStatus, now: datetime) -> str:
    connection, health = one.connection, one.health
    name = f"{connection.spec.title} <code>{escape(connection.name)}</code>"
    if not connection.owner_active:
        return f"✕ {name}: {told(OwnerSuspendedError(connection.name))}"
    if one.locked:
        return f"○ {name}: {bold('LOCKED')} until its owner gives the passphrase (/unlock)"
    if health.trouble is not None:
        last = f" Last good answer {ago(now, health.good_at)}." if health.good_at else ""
        return f"✕ {name}: {told(health.trouble)}{last}"
    if health.good_at is None:
        return f"○ {name}: not asked since the start"
    return f"● {name}: answered {ago(now, health.good_at)}"
