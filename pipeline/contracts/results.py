"""Benchmark results."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from pipeline.contracts.base import Contract, Line, Name, Sha256
from pipeline.contracts.manifest import Corners, ManifestBox


class Detection(Contract):
    """One detection; ``box`` is ``x1,y1,x2,y2`` in pixels of the original picture where it is known."""

    label: Line
    score: float = Field(ge=0, le=1, allow_inf_nan=False)
    box: Corners | None = None


class ResultRow(Contract):
    """What the model said of one picture. ``any_hit`` is null for a negative; rates over nothing are null.

    ``detections`` reach the threshold. ``below_threshold`` holds what the sweep and mAP need beside them: the
    best of each further label, or every detection where the boxes are known.
    """

    name: Name
    url: Line
    expected_any: list[Line]
    expected_all: list[Line]
    predicted_labels: list[Line]
    detections: list[Detection]
    precision: float | None
    recall: float | None
    any_hit: bool | None
    manifest_row: int | None = None
    """Index of the row in the manifest: names may stand twice."""
    picture_sha256: Sha256 | None = None
    size: list[Annotated[int, Field(ge=1)]] | None = Field(default=None, min_length=2, max_length=2)
    """Width and height of the upright picture in pixels."""
    expected_boxes: list[ManifestBox] | None = None
    """Null where the boxes of a picture are not known; an empty list where there is nothing on it."""
    below_threshold: list[Detection] | None = None
    latency_ms: float | None = None
    """From the file's bytes to detections."""
    inference_ms: float | None = None
    """The model alone."""


class ResultsSummary(Contract):
    """Figures over all pictures; a rate over no cases is null."""

    model: Line
    labels: Line
    manifest: Line
    threshold: float
    topk: int
    images_evaluated: int
    micro_precision: float | None
    micro_recall: float | None
    any_hit_rate: float | None
    negative_clean_rate: float | None
    tp: int
    fp: int
    fn: int
    supported_only: bool
    skipped_unsupported_entries: int
    any_hit_count: int | None = None
    any_hit_images: int | None = None
    negative_clean_count: int | None = None
    negative_images: int | None = None
    todo_entries: int | None = None
    unreadable_entries: int | None = None
    map50: float | None = None
    map50_95: float | None = None
    model_sha256: Sha256 | None = None
    labels_sha256: Sha256 | None = None
    manifest_sha256: Sha256 | None = None
    resize: Line | None = None
    filter: Line | None = None
    input_size: list[Annotated[int, Field(ge=1)]] | None = Field(default=None, min_length=2, max_length=2)
    """Width and height of the model's input."""
    reduced_decode: bool | None = None
    runtime: Line | None = None
    versions: dict[str, str] | None = None
    """The libraries that the figures depend on."""
    leakage_digest: Sha256 | None = None
    """Of the leakage report that cleared this manifest against what the model was trained on."""


class UnreadablePicture(Contract):
    """A row whose picture could not be had, and why; it takes no part in the rates."""

    name: Line
    url: Line
    reason: str
    manifest_row: int | None = None


class LabelFigures(Contract):
    """What became of one label: over the pictures that ask for it, and those on which it was predicted."""

    label: Line
    expected: int
    predicted: int
    tp: int
    fp: int
    fn: int
    precision: float | None
    recall: float | None


class SweepPoint(Contract):
    """The figures of the summary at another threshold."""

    threshold: float
    micro_precision: float | None
    micro_recall: float | None
    f1: float | None
    any_hit_rate: float | None
    negative_clean_rate: float | None


class Sweep(Contract):
    """The figures over thresholds, and the best threshold by F1 among those that keep negatives clean."""

    min_negative_clean_rate: float
    best_threshold: float | None
    """Null where no threshold reaches the floor."""
    points: list[SweepPoint]


class BoxLabelFigures(Contract):
    """Average precision of one label, and its precision and recall at the threshold."""

    label: Line
    boxes: int
    ap50: float | None
    ap50_95: float | None
    precision: float | None
    recall: float | None


class BoxFigures(Contract):
    """Figures over the pictures whose boxes are known; a match has the label and IoU of at least 0.5."""

    pictures: int
    boxes: int
    map50: float | None
    map50_95: float | None
    precision: float | None
    recall: float | None
    tp: int
    fp: int
    fn: int
    per_label: list[BoxLabelFigures]


class TrainingOverlap(Contract):
    """A picture of the benchmark that the training bundle holds as well."""

    name: Line
    manifest_row: int
    kind: Line
    """``bytes`` or ``source``."""
    sample: Line
    """Id in the bundle."""


class Percentiles(Contract):
    """Median and 95th percentile."""

    p50: float | None
    p95: float | None


class Timing(Contract):
    """All that differs between two runs over the same files, beside the rows' own ``…_ms``."""

    wall_s: float
    pictures_per_s: float | None
    workers: int
    latency_ms: Percentiles
    inference_ms: Percentiles


class Shard(Contract):
    """Which part of the pictures a file covers: every ``count``-th, from the ``index``-th (1-based) on."""

    index: int = Field(ge=1)
    count: int = Field(ge=1)


class BenchmarkResults(Contract):
    """``latest-results.json``, ``latest-results.candidate.json``: what one model said of every picture, and
    figures over all of them."""

    generated_at: Line | None = None
    summary: ResultsSummary
    shard: Shard | None = None
    sources: dict[str, int] | None = None
    """How many local pictures were found under which folder; ``missing`` the rest."""
    training_overlap: list[TrainingOverlap] | None = None
    """Null where no bundle was given to compare with."""
    per_label: list[LabelFigures] | None = None
    sweep: Sweep | None = None
    boxes: BoxFigures | None = None
    timing: Timing | None = None
    unreadable: list[UnreadablePicture] | None = None
    results: list[ResultRow]
    box_pictures: list[ResultRow] | None = None
    """The test pictures of the training bundle: they count for the box figures alone."""
