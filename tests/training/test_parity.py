"""The parity gate: what it lets through, what it refuses, and what it calls it."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.contracts.settings import PARITY_LIMITS
from pipeline.runtime.decode import RawDetections
from pipeline.support.errors import ExportError
from pipeline.training.parity import compare, require_parity


def seen(*rows: tuple[float, float, float, float, float, int]) -> RawDetections:
    table = np.array(rows, np.float32).reshape(-1, 6)
    return RawDetections(table[:, :4], table[:, 4], table[:, 5].astype(np.int64))


CAN = (10, 10, 110, 110, 0.9, 0)
JAR = (200, 50, 280, 250, 0.6, 1)
BOX = (20, 20, 300, 120, 0.4, 2)


def judged(ours, theirs, precision="float32", threshold=0.25):
    return compare(ours, theirs, precision=precision, limits=PARITY_LIMITS[precision], threshold=threshold)


def test_equal_detections_pass_with_full_overlap() -> None:
    report = judged([seen(CAN, JAR)], [seen(CAN, JAR)])
    assert report.passed
    assert (report.matched, report.disagreeing, report.unmatched) == (2, 0, 0)
    assert report.min_iou == pytest.approx(1)
    require_parity(report)


def test_a_score_that_is_off_by_more_than_a_hundredth_fails_float32() -> None:
    report = judged([seen(CAN)], [seen((*CAN[:4], 0.88, 0))])
    assert not report.passed
    with pytest.raises(ExportError, match="does not agree") as caught:
        require_parity(report)
    assert "0.0200" in caught.value.message
    assert "Nothing was written" in str(caught.value.hint)


def test_a_box_that_moved_fails() -> None:
    assert not judged([seen(CAN)], [seen((12, 10, 112, 110, 0.9, 0))]).passed


def test_a_detection_without_a_partner_fails_on_either_side() -> None:
    for ours, theirs in (([seen(CAN, JAR)], [seen(CAN)]), ([seen(CAN)], [seen(CAN, JAR)])):
        report = judged(ours, theirs)
        assert report.unmatched == 1
        assert not report.passed


def test_a_partner_just_below_the_threshold_is_a_partner() -> None:
    report = judged([seen((*BOX[:4], 0.252, 2), CAN)], [seen((*BOX[:4], 0.248, 2), CAN)])
    assert report.passed
    assert (report.reference_detections, report.exported_detections) == (2, 1)


def test_another_class_is_no_partner() -> None:
    assert judged([seen(CAN)], [seen((*CAN[:5], 1))]).unmatched == 2


def test_the_share_that_int8_may_miss_is_a_setting() -> None:
    ours = [seen(CAN, JAR, BOX)] * 4
    theirs = [seen(CAN, JAR, BOX)] * 3 + [seen(CAN, JAR)]
    assert not judged(ours, theirs).passed
    assert judged(ours, theirs, "int8").passed


@pytest.mark.parametrize(
    ("theirs", "name"),
    [
        ([seen(), seen()], "nothing found"),
        ([seen(*[(*row[:4], 0.5, row[5]) for row in (CAN, JAR, BOX)])] * 2, "all scores equal"),
        ([seen(*[(*row[:5], 0) for row in (CAN, JAR, BOX)])] * 2, "one class only"),
    ],
)
def test_a_collapse_is_named(theirs, name: str) -> None:
    report = judged([seen(CAN, JAR, BOX)] * 2, theirs, "int8")
    assert report.collapse == name
    with pytest.raises(ExportError, match=f"int8 export has collapsed \\({name}\\)"):
        require_parity(report)


def test_the_threshold_is_lowered_for_a_model_that_is_barely_trained() -> None:
    faint = (*CAN[:4], 0.02, 0)
    report = judged([seen(faint)], [seen(faint)])
    assert report.passed
    assert report.lowered
    assert report.threshold == pytest.approx(0.02)


def test_nothing_to_compare_is_no_proof() -> None:
    report = judged([seen()], [seen()])
    assert not report.passed
    with pytest.raises(ExportError, match="nothing could be compared"):
        require_parity(report)
