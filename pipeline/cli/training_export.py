"""`repath training export-candidate` and `check-model`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from pipeline.cli.common import DIRECTORY, FILE, POSITIVE_SHARE, emit, setting, workspace
from pipeline.contracts.bundle import METADATA_FILE
from pipeline.contracts.candidate import LabelsFile
from pipeline.contracts.settings import Precision
from pipeline.support import clock
from pipeline.support.documents import read_json
from pipeline.support.errors import GateError, UsageError
from pipeline.support.files import display_path
from pipeline.support.runs import newest_run, run_named

if TYPE_CHECKING:
    from pipeline.training.candidate_metadata import ExportOptions
    from pipeline.training.export import Exported

F = TypeVar("F", bound=Callable[..., Any])


def export_flags(command: F) -> F:
    """Add the flags that say how a model is exported."""
    flags = (
        setting(
            "--nms/--no-nms", to="export.nms", default=None, help="Put NMS into the graph, as the app needs."
        ),
        setting(
            "--head",
            to="export.head",
            type=click.Choice(["auto", "end2end", "nms"]),
            help="Head of an end-to-end model; auto measures both.",
        ),
        click.option("--half", is_flag=True, help="Weights in float16."),
        click.option("--int8", is_flag=True, help="Weights and activations in int8, calibrated on pictures."),
        click.option("--dynamic-int8", is_flag=True, help="Weights in int8, activations while it runs."),
        setting(
            "--fraction",
            to="export.fraction",
            type=POSITIVE_SHARE,
            help="Share of the training pictures that --int8 is calibrated on.",
        ),
    )
    for flag in reversed(flags):
        command = flag(command)
    return command


def precision_of(*, half: bool, int8: bool, dynamic_int8: bool) -> Precision:
    """Return the precision that the flags ask for, else the workspace's.

    Raises:
        UsageError: more than one was asked for.
    """
    asked: dict[Precision, bool] = {"float16": half, "int8": int8, "dynamic-int8": dynamic_int8}
    chosen = [precision for precision, wanted in asked.items() if wanted]
    if len(chosen) > 1:
        raise UsageError("--half, --int8 and --dynamic-int8 exclude each other: give one of them")
    return chosen[0] if chosen else workspace().settings.export.precision


def export_options(
    *, imgsz: int, head: Any, nms: bool, precision: Precision, fraction: float, device: str | None
) -> ExportOptions:
    """Return the options of an export: flags, and the rest of ``[export]``."""
    from pipeline.contracts.settings import PARITY_LIMITS
    from pipeline.training.candidate_metadata import ExportOptions

    export = workspace().settings.export
    return ExportOptions(
        imgsz=imgsz,
        head=head,
        nms=nms,
        precision=precision,
        fraction=fraction,
        conf=export.conf,
        iou=export.iou,
        max_det=export.max_det,
        parity_images=export.parity_images,
        parity_threshold=export.parity_threshold,
        parity={**PARITY_LIMITS, **export.parity},
        device=device,
    )


def bundle_of(bundle_root: Path | None, bundle_dir: Path | None) -> Path:
    """Return the bundle that was named: itself, or the newest under a root.

    Raises:
        UsageError: neither was named.
        InputError: there is none under the root.
    """
    if bundle_dir is not None:
        return bundle_dir
    if bundle_root is None:
        raise UsageError("name a bundle with --bundle-dir, or the folder of all with --bundle-root")
    return newest_run(bundle_root, METADATA_FILE)


def exported_summary(exported: Exported) -> tuple[dict[str, Any], list[tuple[str, object]]]:
    """Return what a command prints of a candidate: JSON summary and table."""
    export = exported.metadata.export
    parity = export["parity"]
    figures = {name: f["mAP50"] for name, f in export["heads"]["figures"].items()}
    summary = {
        "candidate_dir": display_path(exported.directory, workspace().root),
        "run_id": exported.metadata.run_id,
        "export": export,
        "artifacts": exported.metadata.artifacts,
    }
    rows: list[tuple[str, object]] = [
        ("candidate", summary["candidate_dir"]),
        ("head", f"{export['head']}: {export['heads']['reason']}"),
        *[(f"  mAP50 of {name}", value) for name, value in figures.items()],
        (
            "file",
            f"{export['precision']}, {export['bytes'] / 1e6:.1f} MB, {export['imgsz']}×{export['imgsz']}",
        ),
        (
            "parity with PyTorch",
            f"{parity['matched']} boxes, IoU ≥ {parity['min_iou']}, score ± {parity['max_score_delta']}",
        ),
    ]
    return summary, rows


@click.command("export-candidate")
@click.option(
    "--weights", type=FILE, required=True, help="The .pt; it is unpickled, which runs what is in it."
)
@setting(
    "--candidate-root", to="paths.candidates", type=DIRECTORY, help="The candidate goes to <here>/<run-id>/."
)
@click.option("--run-id", help="Name of the candidate; by default the time in UTC.")
@click.option(
    "--imgsz", type=click.IntRange(32, 4096), help="Side of the input; by default that of the training."
)
@click.option("--labels", type=FILE, help="Labels file; by default the names in the checkpoint.")
@click.option("--bundle-dir", type=DIRECTORY, help="Bundle whose pictures prove and calibrate the export.")
@click.option("--pictures", type=DIRECTORY, help="Or a folder of pictures.")
@click.option("--last", type=FILE, help="The last checkpoint, kept beside the best; by default --weights.")
@click.option("--device", help="What both heads are measured on: cpu, 0, …")
@click.option("--log", type=FILE, help="Where the exporters' own output goes; by default nowhere.")
@export_flags
def export_candidate(
    weights: Path,
    candidate_root: Path,
    run_id: str | None,
    imgsz: int | None,
    labels: Path | None,
    bundle_dir: Path | None,
    pictures: Path | None,
    last: Path | None,
    device: str | None,
    log: Path | None,
    nms: bool,
    head: str,
    half: bool,
    int8: bool,
    dynamic_int8: bool,
    fraction: float,
) -> None:
    """Export any .pt as a candidate, without training: converted, proven against PyTorch, described."""
    from pipeline.training.dataset import open_dataset, pictures_in
    from pipeline.training.export import Source
    from pipeline.training.export import export_candidate as export
    from pipeline.training.train_plan import device_for
    from pipeline.training.weights import open_weights

    if (bundle_dir is None) == (pictures is None):
        raise UsageError("the export is proven on real pictures: give one of --bundle-dir and --pictures")
    precision = precision_of(half=half, int8=int8, dynamic_int8=dynamic_int8)
    run_id = run_id or clock.run_id()
    run_named(candidate_root, run_id)
    side = imgsz or open_weights(weights).imgsz or workspace().settings.training.imgsz
    options = export_options(
        imgsz=side,
        head=head,
        nms=nms,
        precision=precision,
        fraction=fraction,
        device=device_for(device),
    )
    dataset = open_dataset(bundle_dir) if bundle_dir is not None else None
    source = Source(
        best=weights,
        last=last or weights,
        labels=tuple(read_json(labels, LabelsFile).root) if labels is not None else None,
        dataset=dataset,
        pictures=tuple(pictures_in(pictures)) if pictures is not None else (),
    )
    exported = export(
        source, options, candidates_root=candidate_root, run_id=run_id, base=workspace().root, log=log
    )
    summary, rows = exported_summary(exported)
    emit(summary, title="Exported", rows=rows)


@click.command("check-model")
@click.option("--model", type=FILE, required=True, help="The .tflite file.")
@click.option("--labels", type=FILE, required=True, help="Its labels file: a JSON array.")
def check_model(model: Path, labels: Path) -> None:
    """Tell whether the app can use a .tflite, and why not. Exits 3 where it cannot."""
    from pipeline.training.contract_check import check_model as check

    verdict = check(model, read_json(labels, LabelsFile).root)
    data = {"model": display_path(model, workspace().root), **verdict.to_data()}
    rows: list[tuple[str, object]] = [
        ("input", f"{data['input']['layout']} {verdict.model.input}"),
        ("first output", verdict.model.outputs[0]),
        ("classes", "not told by the file" if data["classes"] is None else data["classes"]),
        *[("why not", fault) for fault in verdict.faults],
        *[("note", remark) for remark in verdict.notes],
    ]
    emit(data, title="The app can use it" if verdict.usable else "The app cannot use it", rows=rows)
    if not verdict.usable:
        raise GateError(
            f"{model}: the app cannot use this model: {'; '.join(verdict.faults)}",
            hint="Export the weights with: repath training export-candidate",
        )
