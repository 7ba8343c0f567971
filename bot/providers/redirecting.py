"""A provider's own login page, as a way to hand over credentials: the browser goes there and comes back with them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from bot.providers.records import Environment
from bot.secret import Secret


@dataclass(frozen=True, slots=True)
class Granted:
    """One account the person gave access to."""

    account: str
    """Its number; empty where the provider does not say it."""
    environment: Environment | None
    currency: str
    fields: Mapping[str, Secret]
    """What a login consists of, by the SPEC's keys."""


@dataclass(frozen=True, slots=True)
class Redirect:
    """Both directions. `settings` is the provider's table of the configuration."""

    leads_to: Callable[[Any, str], str | None]
    """(settings, state) → where the browser goes; None when the configuration does not name our app there."""
    granted: Callable[[Any, Mapping[str, str]], tuple[Granted, ...]]
    """(settings, query) → what it came back with; empty when that is nothing, or nothing as documented."""
