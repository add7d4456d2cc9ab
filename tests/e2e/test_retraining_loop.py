"""The loop closed on real files: from a weak benchmark to new rows, to their pictures, to the samples."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from commons_server import Commons, page

from pipeline.contracts.labeled import LABELED_COLUMNS, LabeledRow
from pipeline.contracts.manifest import BenchmarkManifest
from pipeline.contracts.retraining import RetrainingManifest
from pipeline.support.documents import read_csv, read_json
from pipeline.support.retraining_queue import TARGET

Repath = Callable[..., Any]
LABELED, RESULTS = Path("data/benchmark-labeled.csv"), Path("benchmarks/latest-results.candidate.json")
WEAK, SEEN_EVERYWHERE = "Tin Can", "Plastic Jug"


class _Answering(Commons):
    """Knows eight pictures of everything."""

    def next(self, query: str) -> object:
        return [page(f"File:New {query} {number}.jpg", number) for number in range(1, 9)]


@pytest.fixture
def commons() -> Iterator[_Answering]:
    server = _Answering()
    yield server
    server.close()


@pytest.fixture
def space(real: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, commons: _Answering) -> Path:
    """A workspace with the real rows, real photos without an item, and the results of a weak model."""
    space = tmp_path / "town"
    (space / "data").mkdir(parents=True)
    shutil.copy(real / "repath-mobile/benchmark-labeled.csv", space / LABELED)
    scenes = space / "data/scenes"
    scenes.mkdir()
    for text in sorted((real / "photos/labels").rglob("*.txt")):
        if not text.read_text().strip():
            shutil.copy(real / "photos/images" / text.parent.name / f"{text.stem}.jpg", scenes)
    (space / "repath.toml").write_text(
        "[download]\nallow_private_addresses = true\n"
        "[planning]\nvariants = 2\nnegatives_dir = 'data/scenes'\n"
    )
    monkeypatch.chdir(space)
    monkeypatch.setenv("REPATH_COMMONS_API", commons.url)
    _write_results(real)
    return space


def _write_results(real: Path) -> None:
    """Write what a model would get that never sees one label and sees another everywhere."""
    images = read_json(
        real / "repath-mobile/benchmark-manifest.supported-holdout.json", BenchmarkManifest
    ).images
    rows = []
    for image in images:
        seen = [label for label in image.expected_any if label != WEAK] + [SEEN_EVERYWHERE]
        rows.append(
            {
                "name": image.name,
                "url": image.url,
                "expected_any": image.expected_any,
                "expected_all": [],
                "predicted_labels": seen,
                "detections": [{"label": label, "score": 0.5} for label in seen],
                "precision": 0.5,
                "recall": float(image.expected_any[0] != WEAK),
                "any_hit": image.expected_any[0] != WEAK,
            }
        )
    counts = dict.fromkeys(("tp", "fp", "fn", "skipped_unsupported_entries"), 0)
    rates = dict.fromkeys(("micro_precision", "micro_recall", "any_hit_rate", "negative_clean_rate"))
    files = {"model": "m.tflite", "labels": "m.labels.json", "manifest": "m.json"}
    wanted = {"threshold": 0.35, "topk": 5, "supported_only": False, "images_evaluated": len(rows)}
    RESULTS.parent.mkdir()
    RESULTS.write_text(json.dumps({"summary": {**files, **wanted, **counts, **rates}, "results": rows}))


def _rows() -> list[LabeledRow]:
    return read_csv(LABELED, LabeledRow, LABELED_COLUMNS)


def _done(ran: Any) -> Any:
    assert ran.code == 0, ran.err
    return ran.json


def test_from_a_weak_benchmark_to_new_samples(space: Path, repath: Repath) -> None:
    before = _rows()

    # The analysis finds what is weak, and the queue asks for it: numbered on from what the real rows have.
    _done(repath("evaluation", "analyze-benchmark-results"))
    queue = _done(repath("training", "build-retraining-queue"))
    assert (queue["positive_labels_selected"], queue["negative_labels_selected"]) == (1, 1)
    asked = read_csv(Path("data/benchmark-retraining-queue.csv"), LabeledRow, LABELED_COLUMNS)
    assert [row.name for row in asked] == [
        "retrain_positive_tin-can_v9", "retrain_positive_tin-can_v10",
        "retrain_negative_plastic-jug_v4", "retrain_negative_plastic-jug_v5",
    ]  # fmt: skip
    assert asked[2].note(TARGET) == SEEN_EVERYWHERE

    # Merged, searched for and filled.
    assert _done(repath("data", "merge-retraining-queue"))["rows_added"] == 4
    assert _done(repath("data", "suggest-benchmark-online-bulk", "--pause-ms", "0"))["matched_rows"] == 2
    filled = _done(repath("data", "fill-retraining-negatives", "--no-download"))
    assert filled["filled"] == ["retrain_negative_plastic-jug_v4", "retrain_negative_plastic-jug_v5"]
    assert _done(repath("data", "normalize-benchmark-labeled-urls"))["normalized"] == 1
    assert _done(repath("data", "dedupe-benchmark-labeled"))["rows_cleared"] == 0

    # What stood there stands there, but for the one url that is brought to its form; negatives are negatives.
    after = _rows()
    assert sum(row != old for row, old in zip(after[:488], before, strict=True)) == 1
    assert [(row.name, row.canonical_label) for row in after[:488]] == [
        (row.name, row.canonical_label) for row in before
    ]
    new = after[488:]
    assert [row.canonical_label for row in new] == [WEAK, WEAK, "", ""]
    assert all((space / row.url).is_file() for row in new[2:])

    # And they are samples of the next training.
    _done(repath("training", "build-retraining-manifest"))
    samples = read_json(Path("training/retraining-manifest.json"), RetrainingManifest)
    assert (samples.sample_count, samples.positive_count, samples.negative_count) == (80, 66, 14)
    assert samples.without_url == []
    assert [(sample.id, sample.label) for sample in samples.samples[-4:]] == [
        (row.name, row.canonical_label or None) for row in new
    ]


def test_every_step_may_be_run_again_and_a_second_round_asks_for_other_pictures(
    space: Path, repath: Repath
) -> None:
    steps = [
        "evaluation analyze-benchmark-results",
        "training build-retraining-queue",
        "data merge-retraining-queue",
        "data suggest-benchmark-online-bulk --pause-ms 0",
        "data fill-retraining-negatives --no-download",
    ]
    for step in steps:
        _done(repath(*step.split()))
        here = LABELED.read_bytes(), Path("data/benchmark-retraining-queue.csv").exists()
        _done(repath(*step.split()))
        assert (LABELED.read_bytes(), Path("data/benchmark-retraining-queue.csv").exists()) == here
    assert _done(repath("training", "build-retraining-queue"))["dropped"] == 4
    asked = read_csv(Path("data/benchmark-retraining-queue.csv"), LabeledRow, LABELED_COLUMNS)
    assert [row.name.rsplit("_", 1)[1] for row in asked] == ["v11", "v12", "v6", "v7"]
    assert not {row.name for row in asked} & {row.name for row in _rows()}


def test_an_edit_between_two_steps_outlives_all_of_them(space: Path, repath: Repath) -> None:
    _done(repath("evaluation", "analyze-benchmark-results"))
    _done(repath("training", "build-retraining-queue"))
    _done(repath("data", "merge-retraining-queue"))
    text = LABELED.read_text("utf-8")
    name = "retrain_positive_tin-can_v9"
    assert f"{name},," in text
    LABELED.write_text(text.replace(f"{name},,", f"{name},data/mine.jpg,"), "utf-8")
    mine = next(row for row in _rows() if row.name == name)
    _done(repath("training", "build-retraining-queue"))
    told = _done(repath("data", "merge-retraining-queue"))
    # The first round's number is taken now: the queue goes on with another, and the row is left alone.
    assert told["rows_added"] == 1
    for step in ("suggest-benchmark-online-bulk --pause-ms 0", "fill-retraining-negatives --no-download"):
        _done(repath("data", *step.split()))
    assert next(row for row in _rows() if row.name == name) == mine
