"""Who waits for what, without a socket."""

from bot.network.dialogue import Dialogue


def test_an_answer_settles_the_question_with_its_key_and_no_other() -> None:
    dialogue = Dialogue()
    first = dialogue.expect(1, deadline=10.0)
    second = dialogue.expect(2, deadline=10.0)

    assert dialogue.settle(2) == second
    assert len(dialogue) == 1
    assert dialogue.settle(1) == first
    assert len(dialogue) == 0


def test_equal_keys_are_answered_in_the_order_of_asking() -> None:
    dialogue = Dialogue()
    older = dialogue.expect("account", deadline=10.0)
    newer = dialogue.expect("account", deadline=10.0)

    assert older != newer
    assert dialogue.settle("account") == older
    assert dialogue.settle("account") == newer
    assert dialogue.settle("account") is None


def test_an_answer_nobody_asked_for_settles_nothing() -> None:
    dialogue = Dialogue()
    dialogue.expect(1, deadline=10.0)

    assert dialogue.settle(7) is None
    assert len(dialogue) == 1


def test_an_answer_that_comes_twice_settles_once() -> None:
    dialogue = Dialogue()
    dialogue.expect(1, deadline=10.0)

    assert dialogue.settle(1) is not None
    assert dialogue.settle(1) is None


def test_a_forgotten_question_gets_no_answer_and_forgetting_twice_is_nothing() -> None:
    dialogue = Dialogue()
    forgotten = dialogue.expect("account", deadline=10.0)
    kept = dialogue.expect("account", deadline=10.0)

    dialogue.forget(forgotten)
    dialogue.forget(forgotten)

    assert dialogue.settle("account") == kept
    dialogue.forget(kept)
    assert len(dialogue) == 0


def test_only_questions_whose_time_is_up_are_overdue_and_they_leave_the_list() -> None:
    dialogue = Dialogue()
    late = dialogue.expect("a", deadline=5.0)
    exactly_now = dialogue.expect("a", deadline=7.0)
    early = dialogue.expect("b", deadline=7.001)

    assert dialogue.earliest == 5.0
    assert dialogue.overdue(7.0) == [late, exactly_now]
    assert dialogue.overdue(7.0) == []
    assert dialogue.settle("a") is None
    assert dialogue.earliest == 7.001
    assert dialogue.settle("b") == early
    assert dialogue.earliest is None


def test_when_the_connection_is_gone_everything_left_is_told_oldest_first() -> None:
    dialogue = Dialogue()
    first = dialogue.expect("b", deadline=1.0)
    second = dialogue.expect("a", deadline=1.0)
    third = dialogue.expect("b", deadline=1.0)

    assert dialogue.abandon() == [first, second, third]
    assert dialogue.abandon() == []
    assert len(dialogue) == 0
