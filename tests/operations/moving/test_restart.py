"""M04: after a restart nothing new goes through a connection until what was under way there has been asked about."""

from pathlib import Path

from bot.approvals.model import State
from tests.support.chatting import Chat, at_work, configured, providers, until
from tests.support.moving import MONEY
from tests.support.treasury import ONE_APPROVER, Treasury, money_at_work


async def test_what_is_approved_waits_until_the_unknown_before_it_was_asked_about(tmp_path: Path, chat: Chat) -> None:
    """The provider is away at the start: the approved one is not even tried."""
    async with providers("cryptocapital") as sides:
        config = configured(tmp_path, chat, sides)
        async with at_work(config, chat, sides) as first:
            desk = Treasury(first, await first.link("cryptocapital"))
            await desk.policy(ONE_APPROVER)
            await desk.enter_in_book()
            await desk.faults({"action": "disconnect", "match": MONEY["cryptocapital"]})
            async with money_at_work(first):
                unknown = await desk.approves(await desk.asked("10.00"))
                await desk.comes_to(unknown, State.UNKNOWN)
            approved = await desk.approves(await desk.asked("11.00"))
            await desk.control("down", down=True)
            await desk.write("DELETE FROM sightings")

        async with at_work(config, chat, sides) as second:
            desk = Treasury(second, desk.connection)
            money, looks = desk.rooms.money, []
            evidence = money.reconciling.evidence

            async def noted(*about: object) -> object:
                found = await evidence(*about)
                looks.append(found)
                return found

            money.reconciling.evidence = noted
            async with money_at_work(second):
                await until(lambda: len(looks) >= 2)
                await money.sending._look()
                await until(lambda: not money.sending._under_way)
                assert looks[:2] == [None, None]  # it was asked, and there was no answer
                assert await desk.state(approved) is State.APPROVED
                assert approved.id not in money.sending._tries

                await desk.control("down", down=False)
                await desk.comes_to(approved, State.SUCCEEDED, seconds=60)
                assert await desk.state(unknown) is State.UNKNOWN
            seen = await desk.rows("SELECT min(at) FROM sightings WHERE request_id = ?", unknown.id)
            sent = await desk.rows("SELECT begun_at FROM sendings WHERE request_id = ?", approved.id)
            assert seen[0] <= sent[0]
            assert [one["amount"] for one in await desk.executed()] == ["11.00"]
