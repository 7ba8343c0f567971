"""/status: the health of every part."""

from datetime import datetime
from html import escape

from bot.operations.connections import Connection, Health
from bot.operations.status import Pulse, Status
from handlers.failures import sentence
from handlers.render.text import ago, bold, span_between


def status(state: Status) -> list[str]:
    """Providers first, then the bot itself."""
    providers = [_connection(one.connection, one.health, state.now) for one in state.connections]
    up = span_between(state.pulse.started_at, state.now)
    return [
        f"{bold('Status')} · Countersign {escape(state.version)} · up {up}",
        "\n".join([bold("Providers"), *(providers or ["No connections you can see."])]),
        "\n".join([bold("The bot"), *_bot(state, state.pulse)]),
    ]


def _bot(state: Status, pulse: Pulse) -> list[str]:
    seen = ago(state.now, pulse.update_at) if pulse.update_at else "none yet"
    asked = ago(state.now, pulse.asked_at) if pulse.asked_at else "not yet"
    checked = ago(state.now, pulse.database_checked_at or pulse.started_at)
    crash = ", and the run before did not end cleanly" if pulse.after_crash else ""
    refused = sum(pulse.refused.values())
    return [
        f"Telegram: {pulse.mode}, last answer {asked}, last update {seen}",
        f"Updates: {pulse.taken} taken, {pulse.strangers} from strangers dropped, {refused} refused",
        f"Queues: {state.inbox_waiting} in, {state.outbox['waiting']} out, {state.outbox['dead']} undeliverable",
        f"Database: {escape(pulse.database)} (checked {checked}), {state.database_bytes / 1e6:.1f} MB",
        f"Incidents since start: {pulse.incidents}{crash}",
    ]


def _connection(connection: Connection, health: Health, now: datetime) -> str:
    name = f"{connection.spec.title} <code>{escape(connection.name)}</code>"
    if health.trouble is not None:
        last = f" Last good answer {ago(now, health.good_at)}." if health.good_at else ""
        return f"✕ {name}: {escape(sentence(health.trouble), quote=False)}{last}"
    if health.good_at is None:
        return f"○ {name}: not asked since the start"
    return f"● {name}: answered {ago(now, health.good_at)}"
