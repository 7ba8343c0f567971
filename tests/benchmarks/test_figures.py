"""The arithmetic of the report; measuring itself is `python -m tests.benchmarks`."""

import json

from tests.benchmarks.figures import Figure, Limit, paired, table


def test_the_ratio_is_the_median_of_the_rounds_and_not_the_ratio_of_the_medians() -> None:
    figure = paired("speed", "/s", Limit("at least", 1.5), "peer", [(100, 50), (300, 100), (200, 200)])
    assert figure.ratios == (2.0, 3.0, 1.0)
    assert (figure.ratio, figure.ours, figure.peer) == (2.0, 200, 100)
    assert figure.ok is True


def test_a_limit_holds_on_its_own_edge_and_on_one_side_only() -> None:
    assert [Limit("at least", 1.5).holds(ratio) for ratio in (1.49, 1.5, 9.0)] == [False, True, True]
    assert [Limit("at most", 1.0).holds(ratio) for ratio in (0.1, 1.0, 1.01)] == [True, True, False]


def test_a_missed_limit_is_shown_in_the_line_and_in_the_table() -> None:
    figure = paired("wait", "ms", Limit("at most", 1.0), "peer", [(4.0, 2.0)])
    line = json.loads(json.dumps(figure.as_json()))
    assert (line["name"], line["ratio"], line["limit"], line["ok"], line["rounds"]) == ("wait", 2.0, "≤ 1", False, 1)
    assert "MISSED" in table([figure])


def test_a_skipped_figure_names_its_peer_and_claims_nothing() -> None:
    figure = Figure("speed", "/s", "≥ 1.5", "peer", skipped="cannot be installed")
    assert "ok" not in figure.as_json()
    assert "skipped: cannot be installed" in table([figure])
