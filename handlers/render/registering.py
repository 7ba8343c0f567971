"""A login's public key, and the steps by which its provider comes to know it."""

from html import escape

from bot.operations.linked import Connection
from bot.providers.base import PublicKey, Registration
from handlers.render.text import bold, table


def public_key(one: Connection, found: PublicKey) -> str:
    return f"{bold('Public key')} of <code>{escape(one.name)}</code>\n{_shown(found)}"


def new_key(one: Connection, found: PublicKey) -> str:
    """What is said once, when the key was made here."""
    return (
        f"Linked {bold(one.spec.title)} <code>{escape(one.name)}</code> with a key made here just now.\n"
        f"{bold('Public key')}\n{_shown(found)}\n"
        "Its private half lies sealed and is shown to nobody. The encrypted backup is its only copy: have "
        "<code>countersign backup</code> run at the host before the key is registered."
    )


def steps(one: Connection, found: Registration) -> list[str]:
    """What is done, and what is to do."""
    known = f"Registered already: {', '.join(found.known)}." if found.known else "No account is registered yet."
    head = f"{bold('Registering the key')} of <code>{escape(one.name)}</code>\n{known}"
    if not found.missing:
        return [f"{head}\nThere is nothing to do."]
    accounts = ", ".join(f"<code>{account}</code>" for account in found.missing)
    what = f"transfer exactly {bold(found.amount)} of its currency to {escape(found.payee)}"
    return [
        f"{head}\nTo do: {accounts}. You do this yourself, in the web pages of {escape(one.spec.title)}:",
        f"1. From each of these accounts {what}:\n{table(sorted(found.payees.items()))}",
        f"2. As narrative give this public key, nothing before and nothing behind it:\n{_shown(found.key)}",
        f"3. Wait. I look every minute for a week, and tell you of each account that answers.\n{found.caution}",
    ]


def _shown(found: PublicKey) -> str:
    return f"<code>{escape(found.text)}</code>\nfingerprint <code>{escape(found.fingerprint)}</code>"
