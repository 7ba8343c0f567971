"""Every call this side understands, each with its rules and with what is done when it comes.

The order is the order in which a frame's keys are looked through, so a frame with two call names is always read the
same way; `landing_company` is also a field of two calls, which therefore come before it.
"""

from bot.providers.deriv.simulator.calls import (
    accounting,
    accounts,
    joining,
    market,
    payments,
    profile,
    session,
    trading,
)

PLAYS = (
    *session.PLAYS[:2],
    *accounting.PLAYS,
    *trading.PLAYS,
    *payments.PLAYS,
    *market.PLAYS,
    *profile.PLAYS,
    *joining.PLAYS,
    *accounts.PLAYS,
    *session.PLAYS[2:],
)
