"""The providers this desk can link: one line each."""

from bot.errors import NotFoundError
from bot.providers import capital, crm, cryptocapital, deriv
from bot.providers.base import Spec

PROVIDERS: dict[str, Spec] = {
    spec.name: spec
    for spec in (
        capital.SPEC,
        deriv.SPEC,
        cryptocapital.SPEC,
        crm.SPEC,
    )
}


def provider_named(name: str) -> Spec:
    """The SPEC of `name`; `NotFoundError` names the known ones."""
    try:
        return PROVIDERS[name]
    except KeyError:
        raise NotFoundError("provider", name, tuple(PROVIDERS)) from None
