"""What a report's picture is drawn from: sums by day, week or month, each currency by itself."""

from datetime import date
from decimal import Decimal

from bot.operations.tallies import Tally, commission, transaction
from bot.providers.crm.wire import Number, Transaction
from bot.providers.crm.wire.grammar import Text
from bot.providers.crm.wire.reports import Commission

SINCE, UNTIL = date(2026, 11, 1), date(2026, 11, 4)


def row(kind: str, amount: str, at: str, currency: str = "USD", status: str = "approved") -> Transaction:
    return Transaction(
        "t1",
        type=Text(kind),
        amount=Number(Decimal(amount)),
        timestamp=Text(at),
        currency=Text(currency),
        status=Text(status),
    )


def counted(*rows: Transaction) -> Tally:
    tally = Tally(transaction)
    for one in rows:
        tally.add(one)
    return tally


def test_deposits_and_withdrawals_are_summed_by_day_and_currency() -> None:
    tally = counted(
        row("deposit", "0.10", "2026-11-01 23:59:59"),
        row("deposit", "0.20", "2026-11-01 00:00:00"),
        row("withdrawal", "5", "2026-11-03 12:00:00"),
        row("Deposit", "7", "2026-11-02 12:00:00", "EUR"),
    )
    dollars, euros = tally.panels(SINCE, UNTIL)
    assert (dollars.currency, dollars.each, dollars.kinds) == ("USD", "day", ("Deposits", "Withdrawals"))
    assert [(bar.start.day, bar.sums) for bar in dollars.bars] == [
        (1, {"Deposits": Decimal("0.30")}),
        (2, {}),
        (3, {"Withdrawals": Decimal(5)}),
        (4, {}),
    ]
    assert (euros.currency, euros.total("Deposits")) == ("EUR", Decimal(7))


def test_what_was_refused_and_what_stays_in_the_house_is_left_out() -> None:
    tally = counted(
        row("withdrawal", "5", "2026-11-03 12:00:00", status="rejected"),
        row("transfer_in", "5", "2026-11-03 12:00:00"),
        row("deposit", "5", "no time at all"),
        row("deposit", "5", "2020-01-01 00:00:00"),
    )
    assert tally.panels(SINCE, UNTIL) == ()


def test_a_long_report_is_drawn_by_weeks_or_months() -> None:
    tally = counted(row("deposit", "1", "2026-11-03 12:00:00"), row("deposit", "1", "2026-09-30 12:00:00"))
    (weeks,) = tally.panels(date(2026, 8, 5), UNTIL)
    assert (weeks.each, weeks.bars[0].start, weeks.bars[-1].start) == ("week", date(2026, 8, 3), date(2026, 11, 2))
    (months,) = tally.panels(date(2025, 12, 31), UNTIL)
    assert (months.each, len(months.bars)) == ("month", 12)
    assert [bar.start.month for bar in months.bars if bar.sums] == [9, 11]


def test_commissions_begin_with_the_first_one() -> None:
    tally = Tally(commission)
    for amount, at in (("1.5", "2026-11-02 08:00:00"), ("NaN", "2026-11-02 08:00:00"), ("2", "2026-11-03 08:00:00")):
        tally.add(Commission(commission=Text(amount), currency=Text("USD"), rebate_time=Text(at)))
    (panel,) = tally.panels(date(2020, 1, 1), UNTIL, from_first=True)
    assert [bar.start.day for bar in panel.bars] == [2, 3, 4]
    assert panel.total("Commissions") == Decimal("3.5")
