"""A model measured on a manifest: as many pictures at once as cores, each in an interpreter of its own."""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from pipeline.contracts.candidate import LabelsFile
from pipeline.contracts.manifest import BenchmarkManifest
from pipeline.contracts.results import (
    BenchmarkResults,
    ResultRow,
    Shard,
    TrainingOverlap,
    UnreadablePicture,
)
from pipeline.evaluation.assemble import Measured, assemble, require_readable
from pipeline.evaluation.canvas_cache import CanvasCache
from pipeline.evaluation.measure import Item, Judging, Measurer
from pipeline.evaluation.plan import BenchmarkPlan, plan_benchmark
from pipeline.evaluation.row_journal import RowJournal
from pipeline.evaluation.training_pictures import TrainingPictures, read_bundle_pictures
from pipeline.runtime.detector import LoadedModel, Runtime, load_model
from pipeline.runtime.interpreters import runtime_version
from pipeline.runtime.resize import Filter, ResizeRule
from pipeline.support import clock
from pipeline.support.box_evaluation import require_hotcoco
from pipeline.support.documents import read_json
from pipeline.support.files import display_path, sha256_file
from pipeline.support.images import MAX_PIXELS
from pipeline.support.pool import cores, spread
from pipeline.support.progress import track
from pipeline.support.sources import SourceFinder

_LIBRARIES = ("numpy", "opencv-python-headless", "pillow", "simplejpeg")


@dataclass(frozen=True, slots=True)
class BenchmarkOptions:
    """What is measured, and how."""

    model: Path
    labels: Path
    manifest: Path
    threshold: float = 0.35
    topk: int = 5
    supported_only: bool = False
    resize: ResizeRule = "stretch"
    filter: Filter = "opencv-linear"
    runtime: Runtime = "litert"
    device: str | None = None
    """For PyTorch: ``cpu`` or a GPU."""
    reduced_decode: bool = False
    """Decode large JPEGs at reduced size: faster, and other pixels."""
    min_negative_clean_rate: float = 0.9
    """The floor under which the sweep takes no threshold for the best."""
    workers: int | None = None
    """Pictures at once; None for as many as there are cores."""
    cache: Path | None = None
    shard: Shard | None = None
    journal: Path | None = None
    """Where finished rows are noted; None notes none."""
    resume: bool = False
    """Go on behind the rows that the journal holds."""
    max_unreadable: float | None = None
    """Share of the pictures that may be unreadable; None for `default_max_unreadable`."""
    root: Path | None = None
    """Where relative urls are tried first."""
    bundle_dir: Path | None = None
    """The training bundle: its pictures must not be in the manifest, its test split gives boxes."""
    base: Path | None = None
    """What recorded paths are relative to; None for the working directory."""
    max_pixels: int = MAX_PIXELS

    @property
    def judging(self) -> Judging:
        """How detections are turned into predictions."""
        return Judging(self.threshold, self.topk)


def default_max_unreadable() -> float:
    """Return the share of pictures that may be unreadable: none under ``CI=true``, else one in twenty."""
    return 0.0 if os.environ.get("CI", "").lower() == "true" else 0.05


def run_benchmark(options: BenchmarkOptions) -> BenchmarkResults:
    """Measure a model on a manifest.

    The figures are the same whatever the number of workers. What is wrong with the model, the labels, the
    manifest or the bundle is told before the first picture is read.

    Raises:
        InputError: a file is missing, the manifest has no ready row, or too many pictures cannot be read.
        ContractError: a file breaks its contract.
        ModelError: the model cannot be used with these labels, or gives what no detector gives.
        PathEscapeError: a local url leaves the workspace.
        MissingExtraError: a library that is needed is not installed.
        OutputError: the cache or the journal cannot be written.
        UsageError: a device that is not there.
    """
    manifest = read_json(options.manifest, BenchmarkManifest)
    labels = read_json(options.labels, LabelsFile).root
    bundle = read_bundle_pictures(options.bundle_dir) if options.bundle_dir else None
    plan = plan_benchmark(
        manifest,
        bundle,
        finder=SourceFinder(options.manifest, root=options.root),
        known=frozenset(labels) if options.supported_only else None,
    )
    if plan.boxes_known:
        require_hotcoco()
    limit = default_max_unreadable() if options.max_unreadable is None else options.max_unreadable
    whole = options.shard is None
    if whole:
        unresolved = list(plan.unreadable.values())
        require_readable(unresolved, plan.pictures, limit=limit, source=str(options.manifest))
    model = load_model(
        options.model,
        labels,
        runtime=options.runtime,
        resize=options.resize,
        filter=options.filter,
        device=options.device,
    )
    measured = Measured(
        _settings(options, model, plan),
        options.min_negative_clean_rate,
        _display_sources(plan, options.base),
        shard=options.shard,
    )
    mine = [item for item in plan.items if _in_shard(item.position, options.shard)]
    measured.unreadable = [
        entry for position, entry in plan.unreadable.items() if _in_shard(position, options.shard)
    ]
    started = time.perf_counter()
    workers = 1 if options.runtime == "pytorch" else options.workers or cores()
    _measure(measured, mine, model, workers, options)
    wall_s = time.perf_counter() - started
    if whole:
        require_readable(measured.unreadable, plan.pictures, limit=limit, source=str(options.manifest))
    if bundle is not None:
        measured.overlap = _overlap(measured.rows, manifest, bundle)
    return assemble(measured, generated_at=clock.timestamp(), wall_s=wall_s, workers=workers)


def _measure(
    measured: Measured, items: list[Item], model: LoadedModel, workers: int, options: BenchmarkOptions
) -> None:
    cache = None
    if options.cache is not None:
        cache = CanvasCache(options.cache, model.fitting, reduced=options.reduced_decode)
    side = max(model.fitting.width, model.fitting.height) if options.reduced_decode else None

    def open_measurer() -> Measurer:
        return Measurer(model.detector(), options.judging, cache, side, options.max_pixels)

    journal = None
    if options.journal is not None:
        journal = RowJournal(options.journal, _key(measured.settings, items, options))
        if options.resume:
            journal.resume()
    done = journal.done if journal else {}
    for item in items:
        if item.position in done:
            _take(measured, item, done[item.position])
    left = [item for item in items if item.position not in done]
    with journal.open() if journal else nullcontext(), _one_thread_each():
        outcomes = spread(left, open_measurer, workers=workers)
        for item, outcome in track(outcomes, total=len(left), what="Measuring"):
            _take(measured, item, outcome)
            if journal and isinstance(outcome, ResultRow):
                journal.add(item.position, outcome)


def _take(measured: Measured, item: Item, outcome: ResultRow | UnreadablePicture) -> None:
    if isinstance(outcome, UnreadablePicture):
        measured.unreadable.append(outcome)
    elif item.held_back:
        measured.box_pictures.append(outcome)
    else:
        measured.rows.append(outcome)


def _overlap(
    rows: list[ResultRow], manifest: BenchmarkManifest, bundle: TrainingPictures
) -> list[TrainingOverlap]:
    found = []
    for row in rows:
        index = row.manifest_row or 0
        seen = bundle.seen(row.picture_sha256, (row.url, manifest.images[index].source_url))
        if seen:
            found.append(TrainingOverlap(name=row.name, manifest_row=index, kind=seen[0], sample=seen[1]))
    return found


def _settings(options: BenchmarkOptions, model: LoadedModel, plan: BenchmarkPlan) -> dict[str, Any]:
    return {
        "model": display_path(options.model, options.base),
        "labels": display_path(options.labels, options.base),
        "manifest": display_path(options.manifest, options.base),
        "threshold": options.threshold,
        "topk": options.topk,
        "supported_only": options.supported_only,
        "skipped_unsupported_entries": plan.skipped,
        "todo_entries": plan.todo,
        "model_sha256": model.sha256,
        "labels_sha256": sha256_file(options.labels),
        "manifest_sha256": sha256_file(options.manifest),
        "resize": options.resize,
        "filter": options.filter,
        "input_size": [model.fitting.width, model.fitting.height],
        "reduced_decode": options.reduced_decode,
        "runtime": runtime_version(options.runtime),
        "versions": _versions(),
    }


def _versions() -> dict[str, str]:
    found = {}
    for library in _LIBRARIES:
        try:
            found[library] = version(library)
        except PackageNotFoundError:
            continue
    return found


def _display_sources(plan: BenchmarkPlan, base: Path | None) -> dict[str, int]:
    return {
        folder if folder == "missing" else display_path(Path(folder), base): count
        for folder, count in sorted(plan.sources.items())
    }


def _in_shard(position: int, shard: Shard | None) -> bool:
    return shard is None or position % shard.count == shard.index - 1


def _key(settings: dict[str, Any], items: list[Item], options: BenchmarkOptions) -> str:
    parts = [settings, [repr(item) for item in items], options.max_pixels]
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode("utf-8", "surrogatepass")).hexdigest()


@contextmanager
def _one_thread_each() -> Iterator[None]:
    """Keep OpenCV from starting threads of its own while every core has a worker."""
    try:
        import cv2
    except ImportError:
        yield
        return
    before = cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
        yield
    finally:
        cv2.setNumThreads(before)
