"""Stages that make the candidate and its baseline: training, export, and both benchmarks."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.contracts.results import BenchmarkResults
from pipeline.lifecycle.engine import Done, Run, Stage
from pipeline.lifecycle.training_stages import BUNDLE, bundle_parts, free_run_id
from pipeline.support import clock
from pipeline.support.candidates import candidate_files
from pipeline.support.documents import read_json, write_json
from pipeline.support.errors import InputError, WorkspaceError
from pipeline.support.files import sha256_file

if TYPE_CHECKING:
    from pipeline.release.versions import ReleasedModel
    from pipeline.training.candidate_metadata import ExportOptions
    from pipeline.training.export import Source

CANDIDATE = "candidate_dir"
BASELINE_MODEL, BASELINE_LABELS = "baseline_model", "baseline_labels"
"""Facts that are not there where nothing is to be compared with."""
LEAKAGE = "leakage_digest"

_BASELINES = Path("training") / "baselines"


def _train(run: Run) -> Done:
    from pipeline.training.dataset import open_dataset
    from pipeline.training.train import interrupted_training, train_detector
    from pipeline.training.train_plan import TrainOptions

    wanted, runs = run.settings.training, run.path("runs")
    epoch = _baseline_epoch(run)
    fields = wanted.model_dump(exclude={"val_fraction", "test_fraction", "accept_proposals"})
    dataset, options = open_dataset(run.at(run.facts[BUNDLE])), TrainOptions(**fields)
    begun = interrupted_training(dataset, options, runs=runs, base=run.workspace.root)
    trained = train_detector(
        dataset,
        options,
        run_dir=begun or runs / free_run_id(runs),
        base=run.workspace.root,
        tell=run.tell,
        listeners=run.epoch_listeners,
        resume=begun is not None,
    )
    kept = [trained.checkpoint_after(epoch)] if epoch is not None else []
    record = trained.to_data(run.workspace.root)
    line = trained.in_words()
    best = record["metrics"].get("mAP50")
    return Done(
        line if best is None else f"{line}, mAP50 {best:.2f} on the validation pictures",
        [trained.best, trained.last, trained.dataset_yaml, *kept],
        facts={
            "weights_best": run.shown(trained.best),
            "weights_last": run.shown(trained.last),
            "dataset_yaml": run.shown(trained.dataset_yaml),
            **({"weights_baseline": run.shown(kept[0])} if kept else {}),
        },
        summary={"training": record},
    )


def _baseline_epoch(run: Run) -> int | None:
    """Return which checkpoint training must keep; told before the minutes of work where it would not."""
    baseline, training = run.settings.baseline, run.settings.training
    if baseline.epoch is None or baseline.model is not None:
        return None
    period = training.overrides.get("save_period")
    kept = isinstance(period, int) and period > 0 and baseline.epoch % period == 0
    if not kept or baseline.epoch >= training.epochs:
        raise WorkspaceError(
            f"[baseline] epoch = {baseline.epoch} is no checkpoint that training keeps",
            hint=f"It must be a multiple of save_period under [training.overrides], below {training.epochs}.",
        )
    return baseline.epoch


def _export(run: Run) -> Done:
    from pipeline.training.export import export_candidate

    root = run.path("candidates")
    exported = export_candidate(
        _source(run, run.at(run.facts["weights_best"]), run.at(run.facts["weights_last"])),
        _export_options(run),
        candidates_root=root,
        run_id=free_run_id(root),
        training=run.summaries["train"]["training"],
        base=run.workspace.root,
    )
    model, labels = candidate_files(exported.directory)
    parity = exported.parity
    agree = f"{parity.matched} of {parity.reference_detections} detections agree with PyTorch"
    return Done(
        f"{run.shown(model)}, {model.stat().st_size / 1e6:.1f} MB, {parity.precision}: {agree}",
        [model, labels, exported.directory / "metadata.json"],
        facts={CANDIDATE: run.shown(exported.directory)},
        summary={"run_id": exported.metadata.run_id, "bytes": model.stat().st_size},
    )


def _baseline(run: Run) -> Done:
    """Find what the candidate is compared with: a model of repath.toml, a checkpoint, the last release."""
    wanted = run.settings.baseline
    if wanted.model is not None:
        named = run.at(wanted.model)
        if named.suffix == ".pt":
            return _exported_baseline(run, named, f"{wanted.model}, exported alike")
        if wanted.labels is None:
            raise WorkspaceError("[baseline] names a model and no labels", hint="Set labels there, too.")
        return _baseline_files(run, named, run.at(wanted.labels), wanted.model)
    if "weights_baseline" in run.facts:
        weights = run.at(run.facts["weights_baseline"])
        return _exported_baseline(run, weights, f"this training after epoch {wanted.epoch}")
    released = _last_release(run)
    if released is not None:
        return _baseline_files(run, released.model, released.labels, f"the release {released.tag}")
    return Done("none: a first release, so only the gate's floors apply")


def _exported_baseline(run: Run, weights: Path, words: str) -> Done:
    from pipeline.training.export import export_candidate

    root = run.workspace.root / _BASELINES
    exported = export_candidate(
        _source(run, weights, weights),
        _export_options(run),
        candidates_root=root,
        run_id=free_run_id(root),
        base=run.workspace.root,
    )
    model, labels = candidate_files(exported.directory)
    return _baseline_files(run, model, labels, words)


def _baseline_files(run: Run, model: Path, labels: Path, words: str) -> Done:
    for path in (model, labels):
        if not path.is_file():
            raise InputError(f"{path} does not exist", hint="[baseline] in repath.toml names it.")
    facts = {BASELINE_MODEL: run.shown(model), BASELINE_LABELS: run.shown(labels)}
    return Done(words, [model, labels], facts=facts, summary={"sha256": sha256_file(model)})


def _last_release(run: Run) -> ReleasedModel | None:
    from pipeline.release.versions import release_before

    return release_before(run.path("releases"), run.settings.release.version)


def _measure_baseline(run: Run) -> Done:
    if BASELINE_MODEL not in run.facts:
        return Done("nothing to measure")
    model, labels = run.at(run.facts[BASELINE_MODEL]), run.at(run.facts[BASELINE_LABELS])
    return _measure(run, model, labels, run.path("baseline_results"))


def _measure_candidate(run: Run) -> Done:
    model, labels = candidate_files(run.at(run.facts[CANDIDATE]))
    return _measure(run, model, labels, run.path("candidate_results"))


def _measure(run: Run, model: Path, labels: Path, out: Path) -> Done:
    from pipeline.contracts.leakage import LeakageReport
    from pipeline.evaluation.analyze import write_analysis
    from pipeline.evaluation.benchmark import BenchmarkOptions, run_benchmark
    from pipeline.evaluation.leakage import with_leakage

    wanted = run.settings.benchmark
    results = run_benchmark(
        BenchmarkOptions(
            model=model,
            labels=labels,
            manifest=run.path("resolved_manifest"),
            threshold=wanted.threshold,
            topk=wanted.topk,
            supported_only=wanted.supported_only,
            resize=wanted.resize,
            filter=wanted.filter,
            max_unreadable=wanted.max_unreadable,
            bundle_dir=run.at(run.facts[BUNDLE]),
            base=run.workspace.root,
            max_pixels=run.settings.download.max_pixels,
        )
    )
    results = with_leakage(results, read_json(run.path("leakage"), LeakageReport))
    write_json(out, results)
    analysed = write_analysis(results, out, base=run.workspace.root, generated_at=clock.timestamp())
    return Done(
        _figures(results),
        [out, analysed.path, analysed.priority],
        summary={"figures": results.summary.to_data()},
    )


def _figures(results: BenchmarkResults) -> str:
    summary = results.summary
    parts = [
        ("any hit", summary.any_hit_rate),
        ("negatives clean", summary.negative_clean_rate),
        ("precision", summary.micro_precision),
        ("recall", summary.micro_recall),
        ("mAP50", summary.map50),
    ]
    told = ", ".join(f"{name} {value:.2f}" for name, value in parts if value is not None)
    return f"{told} on {summary.images_evaluated} pictures"


def _source(run: Run, best: Path, last: Path) -> Source:
    from pipeline.training.dataset import open_dataset
    from pipeline.training.export import Source

    return Source(
        best=best,
        last=last,
        dataset=open_dataset(run.at(run.facts[BUNDLE])),
        dataset_yaml=run.at(run.facts["dataset_yaml"]),
    )


def _export_options(run: Run) -> ExportOptions:
    from pipeline.training.candidate_metadata import ExportOptions

    training = run.settings.training
    return ExportOptions(
        imgsz=training.imgsz, device=training.device, **run.settings.export.model_dump(exclude={"parity"}),
        parity=run.settings.export.parity,
    )  # fmt: skip


def _train_inputs(run: Run) -> Sequence[Path]:
    base = run.workspace.root / run.settings.training.model
    return [*bundle_parts(run), *([base] if base.is_file() else [])]


def _weights(run: Run) -> Sequence[Path]:
    names = ("weights_best", "weights_last", "dataset_yaml")
    return [run.at(run.facts[name]) for name in names]


def _baseline_inputs(run: Run) -> Sequence[Path]:
    wanted = run.settings.baseline
    named = [run.at(path) for path in (wanted.model, wanted.labels) if path]
    if "weights_baseline" in run.facts:
        named.append(run.at(run.facts["weights_baseline"]))
    return named


def _baseline_settings(run: Run) -> object:
    released = None
    if run.settings.baseline.model is None and run.settings.baseline.epoch is None:
        found = _last_release(run)
        released = found.tag if found else None
    return [run.settings.baseline.model_dump(), _export_settings(run), released]


def _export_settings(run: Run) -> object:
    return [run.settings.export.model_dump(), run.settings.training.imgsz]


def _measured(*facts: str) -> Any:
    def inputs(run: Run) -> Sequence[Path]:
        paths = [run.at(run.facts[fact]) for fact in facts if fact in run.facts]
        files = [file for path in paths for file in (candidate_files(path) if path.is_dir() else (path,))]
        return [*files, run.path("resolved_manifest"), *bundle_parts(run)]

    return inputs


def _measure_settings(run: Run) -> object:
    return [run.settings.benchmark.model_dump(), run.facts[LEAKAGE], BASELINE_MODEL in run.facts]


MODEL_STAGES = (
    Stage(
        "train",
        "train the candidate",
        _train_inputs,
        lambda run: [run.settings.training.model_dump(), run.settings.baseline.epoch],
        _train,
        slow=True,
    ),
    Stage(
        "export",
        "export it for the app, and prove the file against PyTorch",
        _weights,
        _export_settings,
        _export,
        slow=True,
    ),
    Stage(
        "baseline",
        "find the model to compare with",
        _baseline_inputs,
        _baseline_settings,
        _baseline,
        slow=True,
    ),
    Stage(
        "measure",
        "benchmark the baseline",
        _measured(BASELINE_MODEL, BASELINE_LABELS),
        _measure_settings,
        _measure_baseline,
    ),
    Stage(
        "benchmark",
        "benchmark the candidate",
        _measured(CANDIDATE),
        _measure_settings,
        _measure_candidate,
    ),
)
