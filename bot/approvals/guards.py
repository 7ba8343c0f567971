"""Who signs for what the rules of a policy do not speak of: thawing, settling, the book of beneficiaries."""

from bot.approvals.model import Proof, Rule
from bot.approvals.policies import Policies
from bot.approvals.policy.model import DEFAULT, Guarded
from bot.approvals.policy.model import Proof as Asked
from bot.store import Tables

PROOFS = {Asked.NONE: Proof.NONE, Asked.NUMBER: Proof.NUMBER, Asked.CODE: Proof.CODE}
"""What a policy asks for, as the approvals room knows it."""


def guard_rule(policies: Policies, tables: Tables, guarded: Guarded, barred: frozenset[int] = frozenset()) -> Rule:
    """The guard of the policy in force, as of this transaction; `barred` are people it is about."""
    _, policy = policies.in_force(tables)
    policy = policy or DEFAULT
    guard = policy.guards[guarded]
    return Rule(guard.needs, barred, PROOFS[guard.proof], life=policy.life, name=guarded.value)
