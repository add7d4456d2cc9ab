"""`repath evaluation benchmark-candidate-model` and `merge-benchmark-results`."""

from __future__ import annotations

import typing
from pathlib import Path
from typing import TYPE_CHECKING

import click
from click.core import ParameterSource

from pipeline.cli.common import (
    DIRECTORY,
    FILE,
    SHARE,
    emit,
    keep_inputs,
    note,
    root_option,
    setting,
    workspace,
)
from pipeline.contracts.bundle import TEMPLATE_FILE
from pipeline.contracts.results import BenchmarkResults
from pipeline.support import clock
from pipeline.support.documents import read_json, write_json
from pipeline.support.errors import UsageError
from pipeline.support.files import display_path, is_within

if TYPE_CHECKING:
    from pipeline.support.candidates import Candidate

_COUNT = click.IntRange(min=1)
_SHOWN = 5


@click.command("benchmark-candidate-model")
@click.option("--candidate-dir", type=DIRECTORY, help="The candidate; its files must be its metadata's.")
@setting(
    "--candidates-root", to="paths.candidates", type=DIRECTORY, required=False,
    help="Folder of the candidates: the newest is measured.",
)  # fmt: skip
@click.option("--model", type=FILE, help="A .tflite instead of a candidate (a .pt with --runtime pytorch).")
@click.option("--labels", type=FILE, help="The labels of --model, a JSON array.")
@setting("--manifest", to="paths.resolved_manifest", help="The benchmark manifest.")
@setting("--out", to="paths.candidate_results", help="Where the results go.")
@setting("--threshold", to="benchmark.threshold", type=SHARE, help="Score from which a label is predicted.")
@setting("--topk", to="benchmark.topk", type=_COUNT, help="Labels that one picture may be given.")
@setting(
    "--supported-only/--all-labels", to="benchmark.supported_only",
    help="Leave out expected labels that the model does not know.",
)  # fmt: skip
@setting("--resize", to="benchmark.resize", type=click.Choice(["stretch", "letterbox"]), help="Resize rule.")
@setting("--filter", "resize_filter", to="benchmark.filter", help="Resize filter.")
@click.option(
    "--runtime", type=click.Choice(["litert", "tensorflow", "pytorch"]), default="litert", show_default=True,
    help="What runs the model.",
)  # fmt: skip
@click.option("--device", help="For --runtime pytorch: cpu, or a GPU such as cuda:0.")
@click.option("--workers", type=_COUNT, help="Pictures at once; by default one for each core.")
@click.option("--cache", type=DIRECTORY, help="Keep preprocessed pictures here for the next run.")
@click.option("--reduced-decode", is_flag=True, help="Decode large JPEGs at reduced size: other pixels.")
@click.option("--shard", metavar="I/N", help="Measure every N-th picture, from the I-th on.")
@click.option("--resume", is_flag=True, help="Go on where an interrupted run to the same --out stopped.")
@setting(
    "--max-unreadable", to="benchmark.max_unreadable", type=SHARE,
    help="Share of pictures that may be unreadable; by default 0 under CI=true, else 0.05.",
)  # fmt: skip
@click.option(
    "--min-negative-clean", type=SHARE, default=0.9, show_default=True,
    help="Floor of the clean negatives for the sweep's best threshold.",
)  # fmt: skip
@click.option("--bundle-dir", type=DIRECTORY, help="The training bundle: what must not be in the manifest.")
@click.option("--leakage", type=FILE, help="Report of check-leakage, for the results to name.")
@root_option
def benchmark_candidate_model(
    candidate_dir: Path | None,
    candidates_root: Path | None,
    model: Path | None,
    labels: Path | None,
    manifest: Path,
    out: Path,
    threshold: float,
    topk: int,
    supported_only: bool,
    resize: str,
    resize_filter: str,
    runtime: str,
    device: str | None,
    workers: int | None,
    cache: Path | None,
    reduced_decode: bool,
    shard: str | None,
    resume: bool,
    max_unreadable: float | None,
    min_negative_clean: float,
    bundle_dir: Path | None,
    leakage: Path | None,
    root: Path | None,
) -> None:
    """Measure a model on a manifest: label sets, boxes where they are known, thresholds, time."""
    from pipeline.contracts.leakage import LeakageReport
    from pipeline.evaluation.benchmark import BenchmarkOptions, run_benchmark
    from pipeline.evaluation.leakage import with_leakage
    from pipeline.evaluation.shards import parse_shard
    from pipeline.runtime.detector import Runtime
    from pipeline.runtime.resize import Filter, ResizeRule

    space = workspace()
    candidate = _chosen(candidate_dir, candidates_root, model, labels)
    if candidate is not None:
        model, labels = candidate.model, candidate.labels
        bundle_dir = bundle_dir or _bundle_of(candidate, space.root)
    assert model is not None
    assert labels is not None
    keep_inputs(out, model, labels, manifest, leakage)
    journal = out.with_name(f"{out.name}.journal.jsonl")
    options = BenchmarkOptions(
        model=model,
        labels=labels,
        manifest=manifest,
        threshold=threshold,
        topk=topk,
        supported_only=supported_only,
        resize=typing.cast("ResizeRule", resize),
        filter=typing.cast("Filter", resize_filter),
        runtime=typing.cast("Runtime", runtime),
        device=device,
        reduced_decode=reduced_decode,
        min_negative_clean_rate=min_negative_clean,
        workers=workers,
        cache=cache,
        shard=parse_shard(shard) if shard else None,
        journal=journal,
        resume=resume,
        max_unreadable=max_unreadable,
        root=root,
        bundle_dir=bundle_dir,
        base=space.root,
        max_pixels=space.settings.download.max_pixels,
    )
    report = read_json(leakage, LeakageReport) if leakage else None
    results = run_benchmark(options)
    if report is not None:
        results = with_leakage(results, report)
    write_json(out, results)
    journal.unlink(missing_ok=True)
    if options.shard is None:
        _analyze(results, out, space.root)
    _show(results, out, space.root)


@click.command("merge-benchmark-results")
@click.argument("shards", nargs=-1, required=True, type=FILE, metavar="SHARD...")
@setting("--out", to="paths.candidate_results", help="Where the joined results go.")
@setting(
    "--max-unreadable", to="benchmark.max_unreadable", type=SHARE,
    help="Share of pictures that may be unreadable; by default 0 under CI=true, else 0.05.",
)  # fmt: skip
def merge_benchmark_results(shards: tuple[Path, ...], out: Path, max_unreadable: float | None) -> None:
    """Join the results of all shards of a run into those of the whole."""
    from pipeline.evaluation.benchmark import default_max_unreadable
    from pipeline.evaluation.shards import merge_results

    keep_inputs(out, *shards)
    results = merge_results(
        [(str(path), read_json(path, BenchmarkResults)) for path in shards],
        max_unreadable=default_max_unreadable() if max_unreadable is None else max_unreadable,
        generated_at=clock.timestamp(),
    )
    write_json(out, results)
    _analyze(results, out, workspace().root)
    _show(results, out, workspace().root)


def _analyze(results: BenchmarkResults, out: Path, base: Path) -> None:
    """Write ``….analysis.json`` and ``….priority.csv`` beside the results."""
    from pipeline.evaluation.analyze import write_analysis

    write_analysis(results, out, base=base, generated_at=clock.timestamp())


def _chosen(
    candidate_dir: Path | None, candidates_root: Path | None, model: Path | None, labels: Path | None
) -> Candidate | None:
    """Return the candidate to measure, or None where model and labels were named themselves."""
    from pipeline.support.candidates import newest_candidate, open_candidate

    source = click.get_current_context().get_parameter_source("candidates_root")
    named_root = source is ParameterSource.COMMANDLINE
    if model is not None or labels is not None:
        if candidate_dir is not None or named_root:
            raise UsageError("give either a candidate or --model and --labels, not both")
        if model is None or labels is None:
            raise UsageError("--model and --labels belong together: give both")
        return None
    if candidate_dir is not None:
        if named_root:
            raise UsageError("give either --candidate-dir or --candidates-root, not both")
        return open_candidate(candidate_dir)
    if candidates_root is None:
        raise UsageError("say what to measure: --candidate-dir, --candidates-root, or --model and --labels")
    return open_candidate(newest_candidate(candidates_root))


def _bundle_of(candidate: Candidate, base: Path) -> Path | None:
    """Return the bundle that a candidate's metadata names, where it is still there, in the workspace."""
    named = candidate.metadata.bundle.get("bundle_dir")
    if not isinstance(named, str) or not named:
        return None
    bundle = base / named
    return bundle if is_within(bundle, base) and (bundle / TEMPLATE_FILE).is_file() else None


def _show(results: BenchmarkResults, out: Path, base: Path) -> None:
    overlap = results.training_overlap or []
    for entry in overlap[:_SHOWN]:
        what = "the same bytes as" if entry.kind == "bytes" else "the same source as"
        note(f"{entry.name} has {what} the training picture {entry.sample}")
    if overlap:
        note(
            f"{len(overlap)} pictures of the benchmark are in the training bundle: its figures are too good."
        )
    for picture in (results.unreadable or [])[:_SHOWN]:
        note(f"unreadable: {picture.name}: {picture.reason}")
    summary = results.summary
    timing = results.timing
    emit(
        {
            "out": display_path(out, base),
            "summary": summary.to_data(),
            "training_overlap": None if results.training_overlap is None else len(overlap),
            "best_threshold": results.sweep.best_threshold if results.sweep else None,
            "timing": timing.to_data() if timing else None,
        },
        title=f"Benchmark of {summary.model}",
        rows=[
            ("pictures", f"{summary.images_evaluated} measured, {summary.unreadable_entries} unreadable"),
            ("left out", f"{summary.todo_entries} todo, {summary.skipped_unsupported_entries} not supported"),
            ("micro precision", summary.micro_precision),
            ("micro recall", summary.micro_recall),
            ("any hit", _counted(summary.any_hit_rate, summary.any_hit_count, summary.any_hit_images)),
            (
                "negatives clean",
                _counted(summary.negative_clean_rate, summary.negative_clean_count, summary.negative_images),
            ),
            ("mAP50, mAP50-95", f"{_dash(summary.map50)}, {_dash(summary.map50_95)}"),
            ("best threshold", results.sweep.best_threshold if results.sweep else None),
            ("pictures a second", timing.pictures_per_s if timing else None),
            ("results", display_path(out, base)),
        ],
    )


def _counted(rate: float | None, count: int | None, cases: int | None) -> str:
    return f"{_dash(rate)} ({count} of {cases})"


def _dash(value: float | None) -> str:
    return "–" if value is None else f"{value:g}"
