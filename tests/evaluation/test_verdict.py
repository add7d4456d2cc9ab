from __future__ import annotations

import numpy as np
import pytest

from pipeline.contracts.comparison import FigureVerdict
from pipeline.evaluation.outcomes import Kind, outcomes_of
from pipeline.evaluation.verdict import figure_verdicts, label_changes, statistics_of, whole_verdict

CAN, TIN = ("Can",), ("Tin",)


def picture(before: tuple[str, ...], after: tuple[str, ...], expected: tuple[str, ...] = CAN) -> Kind:
    return Kind(expected, (), before, after)


def verdicts(kinds: dict[Kind, int], **margins: float) -> dict[str, FigureVerdict]:
    figures = figure_verdicts(outcomes_of(kinds), margins=margins, seed=0, resamples=2000)
    return {figure.figure: figure for figure in figures}


def test_a_candidate_that_finds_twenty_more_of_thirty_has_improved() -> None:
    found = verdicts({picture((), CAN): 20, picture(CAN, CAN): 10, picture((), (), ()): 10})
    hit = found["any_hit_rate"]
    assert (hit.verdict, hit.baseline, hit.candidate, hit.delta) == ("improved", 0.3333, 1.0, 0.6667)
    assert hit.test == "exact McNemar"
    assert hit.p_value == pytest.approx(2 * 0.5**20)
    assert hit.discordant is not None
    assert (hit.discordant.gained, hit.discordant.lost) == (20, 0)
    assert found["micro_recall"].verdict == "improved"
    assert found["negative_clean_rate"].verdict == "cannot tell"


def test_a_candidate_that_loses_them_has_regressed() -> None:
    found = verdicts({picture(CAN, ()): 20, picture(CAN, CAN): 10})
    assert found["any_hit_rate"].verdict == "regressed"
    assert found["negative_clean_rate"].delta is None
    assert found["negative_clean_rate"].interval is None


def test_two_more_of_thirty_cannot_be_told_and_it_says_how_many_pictures_would() -> None:
    found = verdicts({picture((), CAN): 4, picture(CAN, ()): 2, picture(CAN, CAN): 24})
    hit = found["any_hit_rate"]
    assert hit.verdict == "cannot tell"
    assert hit.smallest_detectable is not None
    assert hit.delta is not None
    assert hit.smallest_detectable > abs(hit.delta)
    assert hit.more_pictures is not None
    assert hit.more_pictures > 100


def test_the_same_answers_are_equivalent_only_where_there_are_enough_pictures() -> None:
    assert verdicts({picture(CAN, CAN): 30})["any_hit_rate"].verdict == "cannot tell"
    assert verdicts({picture(CAN, CAN): 200})["any_hit_rate"].verdict == "equivalent"
    assert verdicts({picture(CAN, CAN): 200}, any_hit_rate=0.005)["any_hit_rate"].verdict == "cannot tell"


def test_a_row_that_asks_for_all_labels_counts_for_recall_and_not_for_any_hit() -> None:
    found = verdicts({Kind((), ("Can", "Tin"), CAN, ("Can", "Tin")): 10})
    assert found["any_hit_rate"].cases == 0
    assert found["micro_recall"].baseline == 0.5
    assert found["negative_clean_rate"].cases == 0


def test_the_whole_has_regressed_where_one_figure_did_whatever_else_improved() -> None:
    kinds = {picture((), CAN): 30, picture((), TIN, ()): 30}
    figures = list(verdicts(kinds).values())
    assert {figure.figure: figure.verdict for figure in figures}["any_hit_rate"] == "improved"
    assert whole_verdict(figures) == "regressed"
    sentence = statistics_of(figures, [], seed=0, resamples=2000).sentence
    assert sentence.startswith("The candidate is worse: negative-clean rate 1.00 → 0.00")
    assert "Better: " in sentence


def test_the_whole_is_equivalent_where_every_figure_is() -> None:
    kinds = {picture(CAN, CAN): 300, picture((), (), ()): 100}
    assert whole_verdict(list(verdicts(kinds).values())) == "equivalent"


def test_labels_are_counted_and_corrected_together() -> None:
    kinds = {picture((), CAN): 9, picture(TIN, (), TIN): 1, picture(TIN, TIN, TIN): 4}
    can, tin = label_changes(kinds)
    assert (can.label, can.cases, can.baseline_hits, can.candidate_hits) == ("Can", 9, 0, 9)
    assert (can.verdict, tin.verdict) == ("improved", "cannot tell")
    assert can.p_holm == pytest.approx(2 * 2 * 0.5**9)
    assert (tin.gained, tin.lost) == (0, 1)


def test_equal_models_are_called_different_at_most_once_in_twenty() -> None:
    rng = np.random.default_rng(2026)
    runs = 300
    for positives, negatives in ((24, 6), (80, 20)):
        wrong = dict.fromkeys(
            ("micro_precision", "micro_recall", "any_hit_rate", "negative_clean_rate", "whole"), 0
        )
        for run in range(runs):
            figures = figure_verdicts(
                outcomes_of(simulated(rng, positives, negatives)), margins={}, seed=run, resamples=1000
            )
            for figure in figures:
                wrong[figure.figure] += figure.verdict in {"improved", "regressed"}
            wrong["whole"] += whole_verdict(figures) in {"improved", "regressed"}
        assert max(wrong.values()) / runs <= 0.05, wrong


def simulated(rng: np.random.Generator, positives: int, negatives: int) -> dict[Kind, int]:
    """Pictures on which two models have the same chances, and find the same pictures hard."""
    kinds: dict[Kind, int] = {}
    for index in range(positives + negatives):
        expected = CAN if index < positives else ()
        hard, busy = rng.random(2)
        sides = []
        for _ in range(2):
            own = rng.random(4)
            found = (hard if own[0] < 0.6 else own[1]) < 0.7
            alarm = (busy if own[2] < 0.6 else own[3]) < 0.2
            sides.append((CAN if found and expected else ()) + (TIN if alarm else ()))
        kind = Kind(expected, (), sides[0], sides[1])
        kinds[kind] = kinds.get(kind, 0) + 1
    return kinds
