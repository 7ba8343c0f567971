"""Who signs for what the rules of the policy do not speak of: beneficiaries, roles, the policy itself and the like."""

from collections.abc import Mapping
from dataclasses import replace

from bot.approvals.model import Proof, Rule, Seat, both
from bot.approvals.policies import Policies
from bot.approvals.policy.model import DEFAULT, Guard, Guarded
from bot.approvals.policy.model import Proof as Asked
from bot.approvals.policy.signers import joined
from bot.store import Tables

PROOFS: Mapping[Asked, Proof] = {Asked.NONE: Proof.NONE, Asked.NUMBER: Proof.NUMBER, Asked.CODE: Proof.CODE}
"""What the policy asks for → what the approvals room asks for."""


def rule_for(tables: Tables, policies: Policies, guarded: Guarded, barred: frozenset[int] = frozenset()) -> Rule:
    """As the policy in force says, or on a desk without one the defaults.

    Args:
        barred: People (our ids) whom the request is about, and who therefore may not sign.
    """
    _, found = policies.in_force(tables)
    policy = found or DEFAULT
    return replace(rule_of(policy.guards[guarded]), barred=barred, life=policy.life, name=guarded.value)


def rule_of(guard: Guard) -> Rule:
    """What a guard asks for, for the approvals room."""
    return Rule(guard.needs, proof=PROOFS[guard.proof])


def at_least(rule: Rule, seats: tuple[Seat, ...], proof: Proof) -> Rule:
    """The same rule, but never with less than this: a policy can ask for more than the house does, and not for less."""
    return replace(rule, seats=joined([rule.seats, seats]), proof=both(rule.proof, proof))
