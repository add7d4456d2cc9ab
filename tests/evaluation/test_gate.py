from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from pipeline.contracts.comparison import GateReport
from pipeline.contracts.results import BenchmarkResults
from pipeline.contracts.settings import Gate
from pipeline.evaluation.compare import compare_results
from pipeline.evaluation.gate import apply_gate, require_passed
from pipeline.support.errors import GateError, WorkspaceError

Make = Callable[..., BenchmarkResults]


def rows(right: int, wrong: int, clean: int = 0) -> list[tuple[str, list[str], list[str]]]:
    made = [(f"p{i}", ["Can"], ["Can"] if i < right else []) for i in range(right + wrong)]
    return made + [(f"n{i}", [], []) for i in range(clean)]


def report(
    before: BenchmarkResults | None, after: BenchmarkResults, model_bytes: int | None = None, **gate: Any
) -> GateReport:
    settings = Gate(**gate)
    compared = compare_results(
        before,
        after,
        baseline_path=None if before is None else "b",
        candidate_path="c",
        margins=settings.margin,
        resamples=1000,
    )
    found = apply_gate(compared, after, settings, model_bytes=model_bytes).gate
    assert found is not None
    return found


def outcomes(found: GateReport) -> dict[str, str]:
    return {reason.condition: reason.outcome for reason in found.reasons}


def test_an_empty_gate_lets_everything_pass_but_a_proven_regression(results_of: Make) -> None:
    good, bad = results_of(rows(30, 0)), results_of(rows(10, 20))
    assert report(good, good).passed
    assert report(bad, good).passed
    found = report(good, bad)
    assert not found.passed
    assert "the candidate is worse: " in found.reasons[0].words


def test_floors_alone_apply_without_a_baseline(results_of: Make) -> None:
    found = report(
        None,
        results_of(rows(6, 4)),
        min={"any_hit_rate": 0.6},
        margin={"any_hit_rate": 0.01},
        min_overlap_rows=50,
    )
    assert found.passed
    assert outcomes(found) == {"min.any_hit_rate": "met"}
    assert not report(None, results_of(rows(5, 5)), min={"any_hit_rate": 0.6}).passed


@pytest.mark.parametrize(("choice", "passed"), [("warn", True), ("block", False)])
def test_what_cannot_be_told_blocks_or_warns_as_the_user_chose(
    results_of: Make, choice: str, passed: bool
) -> None:
    before, after = results_of(rows(20, 10)), results_of(rows(19, 11))
    found = report(before, after, margin={"any_hit_rate": 0.05}, cannot_tell=choice)
    assert outcomes(found)["margin.any_hit_rate"] == "cannot tell"
    assert found.passed is passed
    no_negatives = report(None, after, min={"negative_clean_rate": 0.5}, cannot_tell=choice)
    assert outcomes(no_negatives) == {"min.negative_clean_rate": "cannot tell"}
    assert no_negatives.passed is passed


def test_a_margin_is_met_where_the_pictures_rule_out_a_larger_fall(results_of: Make) -> None:
    before, after = results_of(rows(300, 100)), results_of(rows(299, 101))
    assert outcomes(report(before, after, margin={"any_hit_rate": 0.05}))["margin.any_hit_rate"] == "met"
    worse = results_of(rows(200, 200))
    found = report(before, worse, margin={"any_hit_rate": 0.05, "micro_recall": 0.05})
    assert outcomes(found)["margin.any_hit_rate"] == "not met"
    assert not found.passed


def test_a_proven_fall_within_its_margin_passes(results_of: Make) -> None:
    before, after = results_of(rows(900, 100)), results_of(rows(880, 120))
    margins = {"any_hit_rate": 0.05, "micro_recall": 0.05}
    assert not report(before, after).passed
    assert report(before, after, margin=margins).passed


def test_a_label_that_must_not_get_worse_is_held_to_its_count(results_of: Make) -> None:
    before, after = results_of(rows(20, 10)), results_of(rows(19, 11))
    found = report(before, after, labels_must_not_regress=["Can", "Tin"])
    reasons = [reason for reason in found.reasons if reason.condition == "labels_must_not_regress"]
    assert [reason.outcome for reason in reasons] == ["not met", "cannot tell"]
    assert reasons[0].words == "Can is found on 19 of 30 pictures, by the baseline on 20"
    assert report(after, before, labels_must_not_regress=["Can"]).passed


def test_ceilings_and_the_least_number_of_pictures(results_of: Make) -> None:
    results = results_of(rows(10, 0))
    found = report(
        results, results, model_bytes=2000, max_model_bytes=1000, min_overlap_rows=11, max_latency_ms=5.0
    )
    assert outcomes(found)["max_model_bytes"] == "not met"
    assert outcomes(found)["min_overlap_rows"] == "not met"
    assert outcomes(found)["max_latency_ms"] == "cannot tell"
    with pytest.raises(
        GateError, match="the model file \\(bytes\\) is 2,000, above the ceiling 1,000"
    ) as caught:
        require_passed(found)
    assert caught.value.exit_code == 3


def test_a_figure_that_there_is_none_of_is_refused(results_of: Make) -> None:
    with pytest.raises(WorkspaceError, match="any_hit_rat"):
        report(None, results_of(rows(1, 0)), min={"any_hit_rat": 0.5})
