from __future__ import annotations

from collections.abc import Callable

import pytest

from pipeline.contracts.results import BenchmarkResults
from pipeline.evaluation.changes import picture_changes
from pipeline.evaluation.pairing import paired_rows

Make = Callable[..., BenchmarkResults]
C, T, F = "Can", "Tin", "Foil"


@pytest.mark.parametrize(
    ("expected", "before", "after", "kinds"),
    [
        ([C], [C], [], ["newly_missed"]),
        ([C], [], [C], ["newly_found"]),
        ([C], [C], [C, T], ["new_false_alarm"]),
        ([], [], [T], ["new_false_alarm"]),
        ([], [T], [], ["gone_false_alarm"]),
        ([], [T], [F], ["new_false_alarm", "gone_false_alarm"]),
        ([C], [C, T], [C], ["gone_false_alarm"]),
        ([C], [C], [T], ["newly_missed", "changed_label"]),
        ([C], [T], [C], ["changed_label", "newly_found"]),
        ([C], [T], [F], ["changed_label"]),
        ([C], [C, T], [T, C], []),
        ([C], [T], [T], []),
    ],
)
def test_every_kind_of_change_is_told(
    results_of: Make, expected: list[str], before: list[str], after: list[str], kinds: list[str]
) -> None:
    rows = [results_of([("a", expected, labels)]).results for labels in (before, after)]
    changes = picture_changes(paired_rows(*rows))
    assert [change.kinds for change in changes] == ([kinds] if kinds else [])
    assert all(change.kind == kinds[0] for change in changes)


def test_the_gravest_stand_first_and_a_negative_before_a_positive(results_of: Make) -> None:
    before = results_of([("found", [C], []), ("alarm", [C], [C]), ("clean", [], []), ("missed", [C], [C])])
    after = results_of([("found", [C], [C]), ("alarm", [C], [C, T]), ("clean", [], [T]), ("missed", [C], [])])
    changes = picture_changes(paired_rows(before.results, after.results))
    assert [change.name for change in changes] == ["missed", "clean", "alarm", "found"]
    assert changes[0].baseline_labels == [C]
    assert changes[0].candidate_labels == []
