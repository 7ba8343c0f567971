"""A card outlives a restart, and an old button loses politely."""

import asyncio
import itertools
from datetime import timedelta

import pytest

from bot.errors import StoreError
from bot.messages.cards import Cards, Draft
from bot.secret import Secret
from bot.store import Database, Tables
from tests.support.clock import HandClock

ANNA, BEN = 1, 2


@pytest.fixture
async def cards(database: Database, clock: HandClock) -> Cards:
    def people(tables: Tables) -> None:
        for name in ("Anna", "Ben"):
            tables.conn.execute("INSERT INTO persons (name, state, created_at) VALUES (?, 'active', 0)", (name,))

    await database.write(people)
    return Cards(database, clock)


async def test_a_card_is_found_as_it_was_made_also_after_a_restart(
    cards: Cards, database: Database, clock: HandClock
) -> None:
    body = {"page": 2, "of": ["capital/main", "</b>\u202e"], "none": None}
    card = await cards.make("page", ANNA, -100, body)
    assert 0 <= card.id < 1 << 63
    assert (card.version, card.created_at, card.expires_at) == (1, clock.now(), clock.now() + timedelta(hours=1))
    await database.close()
    again = await Database.open(database.path)
    assert await Cards(again, clock).find(card.id) == card
    await again.close()


async def test_no_two_cards_share_an_id_and_one_cannot_be_guessed_from_another(cards: Cards) -> None:
    ids = sorted([(await cards.make("x", ANNA, 7, {})).id for _ in range(30)])
    assert len(set(ids)) == 30
    assert min(after - before for before, after in itertools.pairwise(ids)) > 1 << 32


@pytest.mark.parametrize("number", [0, -1, 1, (1 << 63) - 1])
async def test_a_card_that_never_was_is_none(cards: Cards, number: int) -> None:
    assert await cards.find(number) is None


async def test_a_card_for_nobody_is_refused(cards: Cards) -> None:
    with pytest.raises(StoreError):
        await cards.make("x", 99, 7, {})


async def test_an_expired_card_is_still_found_and_says_when_it_expired(cards: Cards, clock: HandClock) -> None:
    card = await cards.make("x", ANNA, 7, {}, timedelta(minutes=5))
    await clock.move(301)
    found = await cards.find(card.id)
    assert found is not None
    assert found.expires_at < clock.now()


async def test_of_two_taps_on_one_version_one_wins(cards: Cards) -> None:
    card = await cards.make("x", ANNA, 7, {"page": 1})
    won = await asyncio.gather(*(cards.advance(card, {"page": number}) for number in range(10)))
    assert sum(won) == 1
    after = await cards.find(card.id)
    assert after is not None
    assert (after.version, after.body) == (2, {"page": won.index(True)})
    assert not await cards.advance(card, {"page": 99})
    assert await cards.advance(after)
    last = await cards.find(card.id)
    assert last is not None
    assert (last.version, last.body) == (3, after.body)


async def test_each_person_has_one_draft_and_the_newer_replaces_the_older(cards: Cards) -> None:
    assert await cards.draft(ANNA) is None
    await cards.save(Draft(ANNA, "connect", {"provider": "capital"}))
    await cards.save(Draft(BEN, "connect", {"provider": "deriv"}))
    await cards.save(Draft(ANNA, "connect", {"provider": "crm", "given": ["url"]}))
    assert await cards.draft(ANNA) == Draft(ANNA, "connect", {"provider": "crm", "given": ["url"]})
    assert await cards.draft(BEN) == Draft(BEN, "connect", {"provider": "deriv"})


async def test_a_dropped_draft_is_gone_once(cards: Cards) -> None:
    await cards.save(Draft(ANNA, "connect", {}))
    assert await cards.drop(ANNA)
    assert not await cards.drop(ANNA)
    assert await cards.draft(ANNA) is None


async def test_old_cards_and_drafts_are_forgotten_and_young_ones_kept(cards: Cards, clock: HandClock) -> None:
    card = await cards.make("x", ANNA, 7, {})
    await cards.save(Draft(ANNA, "connect", {}))
    await clock.move(timedelta(hours=24).total_seconds())
    await cards.save(Draft(BEN, "connect", {}))
    assert await cards.prune() == 0
    assert await cards.draft(ANNA) is not None
    await clock.move(1)
    await cards.prune()
    assert await cards.draft(ANNA) is None
    assert await cards.draft(BEN) is not None
    await clock.move(timedelta(days=6, hours=1).total_seconds())
    assert await cards.prune() == 1
    assert await cards.find(card.id) is None


async def test_a_secret_does_not_get_into_a_card_or_a_draft(cards: Cards) -> None:
    with pytest.raises(TypeError):
        await cards.make("x", ANNA, 7, {"password": Secret("canary-password")})
    with pytest.raises(TypeError):
        await cards.save(Draft(ANNA, "connect", {"password": Secret("canary-password")}))


async def test_who_was_seen_to_have_begun_nothing_is_idle_until_they_begin(cards: Cards) -> None:
    assert not cards.is_idle(ANNA)  # nobody has looked yet
    assert await cards.draft(ANNA) is None
    assert cards.is_idle(ANNA)
    assert not cards.is_idle(BEN)
    await cards.save(Draft(ANNA, "connect", {}))
    assert not cards.is_idle(ANNA)
    await cards.drop(ANNA)
    assert await cards.draft(ANNA) is None
    assert cards.is_idle(ANNA)
