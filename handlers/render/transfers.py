"""The questions of a transfer, and what can be tapped under them."""

from bot.operations.beneficiaries import Beneficiary
from bot.operations.linked import Connection
from bot.operations.transfer_steps import Asking, Step
from bot.providers.records import Balance
from handlers.render.text import Taste, literal, visible

_LABEL = 60


def question(step: Step, taste: Taste) -> str:
    """As HTML."""
    holds = ""
    if step.account is not None:
        free = step.account.available or step.account.amount
        as_of = taste.time(step.account.as_of)
        holds = f" {literal(step.account.account)} holds {taste.money(free)}, as of {as_of}."
    match step.asking:
        case Asking.CONNECTION:
            return "From where? (/cancel stops at any time.)"
        case Asking.ACCOUNT:
            return "From which account? Tap it, or send its number."
        case Asking.BENEFICIARY:
            return f"To whom?{holds} Tap a name, or send it."
        case Asking.AMOUNT:
            currency = step.sketch.currency
            return f"How much, in {literal(currency)}? For example <code>250.00</code>.{holds}"
        case Asking.NOTE:
            return "What is it for? Send a few words, which go along with the money, or skip."


def labels(step: Step, taste: Taste) -> list[str]:
    """One for each of the step's values."""
    return [
        *(connection(one) for one in step.connections),
        *(_account(one, taste) for one in step.accounts),
        *(_payee(one) for one in step.payees),
        *(["Skip"] if step.asking is Asking.NOTE else ()),
    ]


def connection(one: Connection) -> str:
    return visible(f"{one.spec.title} {one.label} · {one.environment.upper()}", _LABEL)


def _account(one: Balance, taste: Taste) -> str:
    name = f"{one.name} …{one.account[-4:]}" if one.name and one.name != one.account else one.account
    return visible(f"{name} · {taste.money(one.available or one.amount)}", _LABEL)


def _payee(one: Beneficiary) -> str:
    return visible(f"{one.name} …{one.account[-4:]}", _LABEL)
