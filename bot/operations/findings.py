"""What was found out about a login, in plain sentences: the same in the chat, on the page and at the terminal."""

from collections.abc import Iterable

from bot.providers.base import Spec
from bot.providers.records import Findings, Power


def told(spec: Spec, findings: Findings) -> str:
    """Everything worth telling once, when somebody looked."""
    sentences = [f"{findings.summary.removesuffix('.')}.", *powers_told(spec, findings.powers, findings.untold)]
    return " ".join([*sentences, *findings.facts])


def powers_told(spec: Spec, powers: Iterable[Power], untold: Iterable[Power]) -> list[str]:
    """What it can do, and what would be enough."""
    more = beyond_reading(powers)
    sentences = []
    if more and spec.enough:
        sentences.append(f"It can also {listed(more)}; {spec.enough} is enough for balances.")
    elif more:
        sentences.append(f"It can also {listed(more)}, as every login of {spec.title} can.")
    elif not set(untold):
        sentences.append("It can only read.")
    if set(untold):
        sentences.append(f"Whether it can also {listed(untold, 'or')}, {spec.title} does not tell: assume so.")
    return sentences


def beyond_reading(powers: Iterable[Power]) -> list[Power]:
    """What a login that is only read from does not need."""
    return [power for power in Power if power in set(powers) - {Power.READ}]


def listed(powers: Iterable[Power], last: str = "and") -> str:
    """`trade, pay out and manage the account`, in the order of the words."""
    asked = set(powers)
    words = [power.value for power in Power if power in asked]
    return f" {last} ".join(filter(None, (", ".join(words[:-1]), *words[-1:])))
