"""The tables, as a list of migrations that only ever grows.

Times are epoch milliseconds. A closed set of words is a CHECK. A row that must happen once has a unique index.
"""

from functools import cache
from typing import TYPE_CHECKING

from bot.store.migrations import house, money, people, providers, telling

if TYPE_CHECKING:
    from sqlite_utils import Migrations

STEPS = (
    house.m001_the_house,
    house.m002_groups_that_moved,
    people.m003_vault_and_people,
    providers.m004_money_that_moves,
    providers.m005_requests_of_clients,
    providers.m006_report_source,
    providers.m007_payments_told,
    people.m008_second_signatures,
    money.m009_money_decided,
    money.m010_cards_of_requests,
    people.m011_named_in_the_log,
    telling.m012_delivery,
    providers.m013_streams,
    telling.m014_alerts,
    telling.m015_schedules,
    money.m016_answers,
    telling.m017_schedule_places,
    telling.m018_alert_steps,
    money.m019_rates,
    providers.m020_feeds,
    money.m021_first_payments,
    telling.m022_profit_currencies,
    telling.m023_one_way_to_look,
)


@cache
def migrations() -> "Migrations":
    """The steps, as sqlite-utils takes them and remembers which were taken."""
    from sqlite_utils import Migrations

    steps = Migrations("countersign")
    for step in STEPS:
        steps()(step)
    return steps


def known_names() -> set[str]:
    """Names of the migrations this program knows."""
    return {step.__name__ for step in STEPS}
