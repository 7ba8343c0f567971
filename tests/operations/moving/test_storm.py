"""F14: half of the answers of a money endpoint are lost or broken, and things are executed behind them all the same."""

from pathlib import Path

from bot.approvals.model import Request, State
from tests.support.chatting import Chat
from tests.support.moving import MoneyDesk, money_desk

ROUNDS = 16
STATUSES = (500, 502, 503, 504)
ENDS = (State.SUCCEEDED, State.FAILED)


def _every_other(office: MoneyDesk) -> list[dict[str, object]]:
    """Every other money call: executed and reset, or not executed and answered with one of four statuses."""
    steps: list[dict[str, object]] = []
    for status in STATUSES:
        steps.append({"action": "reset"})
        steps.append({"action": "status", "status": status, "body": ""})
    # a step does not count what an earlier one has hit, so each waits for one more than the one before
    return [{**step, "match": office.money_call, "nth": number} for number, step in enumerate(steps, 1)]


async def test_f14_in_a_storm_every_request_has_one_money_call_and_ends_as_the_ledger_says(
    tmp_path: Path, chat: Chat
) -> None:
    async with money_desk(tmp_path, chat, "crm") as office:
        await office.faults(*_every_other(office))
        requests: list[Request] = []
        for number in range(ROUNDS):
            requests.append(await office.gets(f"{10 + number}.00"))
            await office.becomes(requests[-1], *ENDS, State.UNKNOWN)
        for request in requests:
            await office.in_time_becomes(request, *ENDS)
        entries = (await office.control("ledger", "GET"))["entries"]
        paid = {one["reference"] for one in entries if one["kind"] == "withdrawal_paid"}
        ended = {one.parameters["target"]: await office.state(one) for one in requests}
        assert {target for target, state in ended.items() if state is State.SUCCEEDED} == paid
        assert len(paid) == 12
        assert set(ended.values()) == set(ENDS)
        assert len([one for one in entries if one["kind"] == "withdrawal_paid"]) == len(paid)
        sent = await office.rows("SELECT count(*) FROM sendings WHERE outcome != 'not sent'")
        assert (await office.money_calls(), sent) == (ROUNDS, [(ROUNDS,)])
        left = sum(10 + number for number, one in enumerate(requests) if ended[one.parameters["target"]] is ENDS[0])
        assert await office.reserved() == left
