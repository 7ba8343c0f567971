"""A rule, and why it came, in plain words. The numbers are plain, too: nobody's locale is known here."""

from datetime import datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

from bot.alerts.model import Firing, Measure, Occasion, Outage, Repeat, Rule, Side, Source, Test
from bot.money import Currency, Money

PERHAPS = (
    "It may have come again: it had come just before the line broke, and the provider's history has no more than the"
    " highest and the lowest price of that minute."
)
_PERCENT_DIGITS = 4
_WENT = {Side.UP: "up", Side.DOWN: "down", Side.NONE: ""}


def subject_of(source: Source, connection: str) -> str:
    """What is looked at: `GOLD at capital/main`, `balance of 123 USD at capital/main`."""
    where = f" at {connection}" if connection else ""
    if isinstance(source.what, Occasion):
        return f"{source.what.value}{f' ({source.subject})' if source.subject else ''}{where}"
    if source.what is Measure.PRICE:
        return f"{source.subject}{where}"
    return f"{source.what.value}{f' of {source.subject}' if source.subject else ''}{where}"


def condition(rule: Rule) -> str:
    """`above 2400`, `moves by 3 % within 1 h`."""
    level = number(rule.source, rule.threshold, rule.currency)
    match rule.test:
        case Test.ABOVE | Test.BELOW | Test.CROSSES:
            return f"{rule.test.value} {level}"
        case Test.MOVES:
            return f"moves by {plain(rule.threshold)} % within {time_said(rule.window)}"
        case Test.CHANGES:
            return f"changes by more than {level}" if rule.threshold else "changes"
        case Test.HAPPENS:
            return _occasion(rule)


def terms(rule: Rule, zone: ZoneInfo) -> str:
    """How often, until when, how urgent: `once`, `each time, critical, until 2026-12-01 00:00 CET`."""
    match rule.repeat:
        case Repeat.ONCE:
            often = "once"
        case Repeat.EACH:
            often = "each time"
        case Repeat.EVERY:
            often = f"every {time_said(rule.every)} while it is so"
    said = [often]
    if rule.hysteresis:
        said.append(f"armed again {plain(rule.hysteresis)} further back")
    if rule.rest:
        said.append(f"at most every {time_said(rule.rest)}")
    if rule.severity.value != "normal":
        said.append(rule.severity.value)
    if rule.expires_at is not None:
        said.append(f"until {rule.expires_at.astimezone(zone):%Y-%m-%d %H:%M %Z}")
    return ", ".join(said)


def headline(firing: Firing) -> str:
    """`GOLD above 2400: 2412.5`; for what happens, what happened."""
    rule = firing.rule
    if isinstance(rule.source.what, Occasion):
        return _upper(rule.source.what.value)
    what = rule.source.subject if rule.source.what is Measure.PRICE else rule.source.what.value
    return f"{_upper(what)} {condition(rule)}{': ' + _found(firing) if firing.value is not None else ''}"


def why(
    firing: Firing, connection: str, owner: str, alert_id: str, zone: ZoneInfo, before: datetime | None = None
) -> list[str]:
    """The rule, the value, the threshold, whose it is; when it came last, and the outage it came in."""
    rule = firing.rule
    lines = [firing.detail] if firing.detail else []
    lines.append(f"{_upper(subject_of(rule.source, connection))}, {_when(firing.at, zone)}.")
    if firing.outage is not None:
        lines.append(f"During outage {outage(firing.outage, zone)}: told late.")
    last = "" if before is None else f" It came last {_when(before, zone)}."
    lines.append(f"Rule {rule.id} of {owner}: {condition(rule)}, {terms(rule, zone)}.{last} Alert {alert_id}.")
    return lines


def outage(gap: Outage, zone: ZoneInfo) -> str:
    """`14:02–14:09`; with the days when it is not of one, with the seconds when it is of one minute."""
    since, until = gap.since.astimezone(zone), gap.until.astimezone(zone)
    if since.date() != until.date():
        return f"{since:%Y-%m-%d %H:%M}–{until:%Y-%m-%d %H:%M}"
    form = "%H:%M" if f"{since:%H:%M}" != f"{until:%H:%M}" else "%H:%M:%S"
    return f"{since:{form}}–{until:{form}}"


def number(source: Source, value: Decimal, currency: str = "") -> str:
    """`2400`, `10000.00 USD`, `150 %`."""
    if currency:
        return str(Money(value, Currency(currency)))
    if isinstance(source.what, Measure) and source.what.is_percent:
        is_reckoned = len(plain(value).partition(".")[2]) > _PERCENT_DIGITS  # nobody types so many
        return f"{plain(round(value, 2) if is_reckoned else value)} %"
    return plain(value)


def plain(value: Decimal) -> str:
    """Without an exponent, and without noughts at its end; at most eight decimals."""
    text = f"{value:f}"
    if len(text.partition(".")[2]) > 8:
        text = f"{value:.8f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def time_said(span: timedelta) -> str:
    """`90 s`, `30 min`, `4 h`, `2 d`."""
    seconds = int(span.total_seconds())
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= size and seconds % size == 0:
            return f"{seconds // size} {unit}"
    return f"{seconds} s"


def _found(firing: Firing) -> str:
    rule, value = firing.rule, firing.value
    if value is None:
        return ""
    if rule.test is Test.MOVES:
        return f"{_WENT[firing.direction]} {value:.2f} %".strip()
    return number(rule.source, value, rule.currency)


def _occasion(rule: Rule) -> str:
    said = "whenever it happens" if rule.repeat is not Repeat.ONCE else "when it happens"
    if rule.window:
        left = "less than {} left" if rule.source.what is Occasion.REQUEST_EXPIRING else "for longer than {}"
        said = left.format(time_said(rule.window))
    return f"{said}, {number(rule.source, rule.threshold, rule.currency)} or more" if rule.threshold else said


def _when(at: datetime, zone: ZoneInfo) -> str:
    return f"{at.astimezone(zone):%Y-%m-%d %H:%M:%S %Z}"


def _upper(text: str) -> str:
    return text[:1].upper() + text[1:]
