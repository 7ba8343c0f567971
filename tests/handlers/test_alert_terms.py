"""The terms of a rule as buttons."""

from datetime import timedelta
from decimal import Decimal

from bot.alerts.model import Occasion, Target, Test
from handlers.alert_terms import Term, asked, changed, terms_of
from tests.alerts.making import NINE, rule, waits_for

PEOPLE = {7: "Olga", 8: "Vera"}


def test_a_topic_is_named_and_told() -> None:
    topic = Target(chat=-1001234, thread=12)
    question = asked(Term.TOLD, rule(Test.ABOVE, 2400), [Target(), Target(person=8), topic], PEOPLE)
    labels, (_, _, value) = zip(*question.answers, strict=True)
    assert labels == ("Only me", "Vera", "topic 12 of the group …1234")
    assert changed(Term.TOLD, rule(Test.ABOVE, 2400), value, NINE).target == topic
    named = asked(Term.TOLD, rule(Test.ABOVE, 2400), [topic], PEOPLE | {-1001234: "Desk (Zurich)"})
    assert named.answers[0][0] == "topic 12 of the group Desk (Zurich)"


def test_how_far_back_is_a_part_of_the_threshold() -> None:
    question = asked(Term.BACK, rule(Test.ABOVE, 2400), [], PEOPLE)
    assert [label for label, _ in question.answers] == ["Not at all", "2.4", "12", "24"]
    assert changed(Term.BACK, rule(Test.ABOVE, 2400), question.answers[1][1], NINE).hysteresis == Decimal("2.4")


def test_only_what_stays_so_can_come_every_hour_while_it_is_so() -> None:
    crossing = asked(Term.OFTEN, rule(Test.CROSSES, 2400), [], PEOPLE)
    assert [label for label, _ in crossing.answers] == ["Once", "Each time"]
    assert terms_of(waits_for(Occasion.CLOSED)) == [Term.ENDS, Term.TOLD]
    lasting = waits_for(Occasion.STREAM_DOWN)
    assert terms_of(lasting) == [Term.ENDS, Term.TOLD, Term.OFTEN]
    hourly = dict(asked(Term.OFTEN, lasting, [], PEOPLE).answers)["Every 1 h while it is so"]
    assert changed(Term.OFTEN, lasting, hourly, NINE).every == timedelta(hours=1)
