"""The tables, as a list of migrations that only ever grows.

Times are epoch milliseconds. A closed set of words is a CHECK. A row that must happen once has a unique index.
"""

from sqlite_utils import Migrations

from bot.store.migrations import house, money, people, providers, telling

MIGRATIONS = Migrations("countersign")
for _step in (
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
):
    MIGRATIONS()(_step)


def known_names() -> set[str]:
    """Names of the migrations this program knows."""
    return {migration.name for migration in MIGRATIONS._migrations}
