"""A candidate from a checkpoint: the file that the app can use, proven against PyTorch, with its metadata.

The contract of the file: input float32 ``[1,S,S,3]``, RGB, 0..1; first output float32 ``[1,N,6]``, rows
``x1,y1,x2,y2,score,class_id`` in pixels of the S×S input, best first, then rows of zeros.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.contracts.candidate import Artifact, CandidateMetadata, LabelsFile
from pipeline.support import clock
from pipeline.support import ultralytics_library as library
from pipeline.support.candidates import METADATA, STEMS
from pipeline.support.documents import write_json
from pipeline.support.errors import ExportError, ModelError
from pipeline.support.files import copy_file, sha256_file, staged_directory, write_bytes
from pipeline.support.images import decode_rgb, read_image_bytes
from pipeline.training.candidate_metadata import ExportOptions, bundle_described, export_described
from pipeline.training.dataset import Dataset, sample_of, write_view
from pipeline.training.heads import ChosenHead, choose_head, needs_figures, require_size
from pipeline.training.parity import Comparison, compare, look, require_parity
from pipeline.training.quantize import quantize
from pipeline.training.sides import exported_side, reference_side
from pipeline.training.weights import Weights, open_weights

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

BEST, LAST = "model.best.pt", "model.last.pt"
_FLOOR = 0.001
"""Score down to which both sides are looked at where the model is barely trained."""


@dataclass(frozen=True, slots=True)
class Source:
    """What a candidate is made of."""

    best: Path
    last: Path
    labels: tuple[str, ...] | None = None
    """None takes the names in the checkpoint."""
    dataset: Dataset | None = None
    pictures: tuple[Path, ...] = ()
    """Pictures for the parity gate and calibration, where there is no bundle."""
    dataset_yaml: Path | None = None
    """What both heads are measured on; see `pipeline.training.dataset.write_view`."""


@dataclass(frozen=True, slots=True)
class Exported:
    """A candidate on the disk."""

    directory: Path
    metadata: CandidateMetadata
    parity: Comparison
    head: ChosenHead


def export_candidate(
    source: Source,
    options: ExportOptions,
    *,
    candidates_root: Path,
    run_id: str,
    training: dict[str, Any] | None = None,
    base: Path | None = None,
    log: Path | None = None,
) -> Exported:
    """Export a checkpoint, prove the file against it, and write the candidate, whole or not at all.

    Args:
        source: checkpoint, labels, pictures.
        options: how.
        candidates_root: the candidate becomes ``<candidates_root>/<run_id>/``.
        run_id: its name.
        training: what the metadata says of the training.
        base: what recorded paths are relative to.
        log: where the libraries' output goes.

    Raises:
        ModelError: the checkpoint is none, or the labels are not as many as its classes.
        ExportError: it cannot be converted, or the file does not agree with it; nothing is written.
        OutputError: the candidate is there already, or cannot be written.
        MissingExtraError: the exporters are not installed.
    """
    library.prepare(why="Exporting a model", export=True)
    weights = open_weights(source.best)
    labels = source.labels or weights.labels
    _require_labels(weights, labels)
    require_size(options.imgsz, weights.stride)
    proof, calibration = _pictures(source, options)
    # The folder first, so that a place that cannot be written to is known before the minutes of work.
    with staged_directory(candidates_root / run_id) as folder, tempfile.TemporaryDirectory() as temporary:
        scratch = Path(temporary)
        head = _head(weights, source, options, scratch, log)
        work = _Export(weights, head, options, calibration, log)
        content, how = work.file(options.conf)
        parity, on_shipped = work.prove(content, proof, scratch=scratch)
        require_parity(parity)
        artifacts = _write_files(folder, content, labels, source)
        described = export_described(weights, head, options, content, how, labels, parity)
        described["parity"]["on"] = "the file" if on_shipped else "the same graph without its score floor"
        metadata = CandidateMetadata(
            run_id=run_id,
            generated_at=clock.timestamp(),
            bundle=bundle_described(source.dataset, base),
            training=training or {},
            export=described,
            artifacts=artifacts,
        )
        write_json(folder / METADATA, metadata)
    return Exported(candidates_root / run_id, metadata, parity, head)


@dataclass(slots=True)
class _Export:
    weights: Weights
    head: ChosenHead
    options: ExportOptions
    calibration: list[Path]
    log: Path | None
    _tensors: list[NDArray[np.float32]] | None = None

    def file(self, conf: float) -> tuple[bytes, dict[str, Any]]:
        """Return the exported file, with detections scored above ``conf``."""
        with library.output_to(self.log):
            from pipeline.training.convert import convert
            from pipeline.training.graph import shipped_graph

            graph = shipped_graph(
                self.weights.model,
                head=self.head.head,
                imgsz=self.options.imgsz,
                conf=conf,
                iou=self.options.iou,
                max_det=self.options.max_det,
            )
            content = convert(graph, imgsz=self.options.imgsz)
            return quantize(content, self.options.precision, pictures=self._calibration())

    def prove(self, content: bytes, pictures: Sequence[Path], *, scratch: Path) -> tuple[Comparison, bool]:
        """Compare a file with PyTorch; tell whether it was the file that ships.

        A barely trained model scores nothing above the floor that is built into the graph. Then the same
        graph without the floor is compared in its place.
        """
        options, size = self.options, self.options.imgsz
        canvases = [(str(path), canvas_of(path, size)) for path in pictures]
        with library.output_to(self.log):
            reference = look(reference_side(self.weights, self.head.head, options, conf=_FLOOR), canvases)
            best = max((float(s.scores[0]) for s in reference if s.scores.size), default=0.0)
            shipped = self.head.head != "nms" or best > options.conf
            if not shipped:
                content, _ = self.file(_FLOOR)
            floor = options.conf if shipped else _FLOOR
            path = scratch / "parity.tflite"
            write_bytes(path, content)
            exported = look(
                exported_side(path, options, classes=len(self.weights.labels), conf=floor), canvases
            )
        comparison = compare(
            reference,
            exported,
            precision=options.precision,
            limits=options.parity[options.precision],
            threshold=options.parity_threshold,
        )
        return comparison, shipped

    def _calibration(self) -> list[NDArray[np.float32]]:
        if self.options.precision != "int8":
            return []
        if self._tensors is None:
            import numpy as np

            size = self.options.imgsz
            self._tensors = [
                canvas_of(path, size)[None].astype(np.float32) / np.float32(255) for path in self.calibration
            ]
        return self._tensors


def canvas_of(path: Path, size: int) -> NDArray[np.uint8]:
    """Read a picture and stretch it to ``size`` by ``size``, as the app does: uint8 ``[size,size,3]``.

    Raises:
        ImageError: it cannot be decoded.
    """
    from pipeline.runtime.resize import Fitting

    canvas, _ = Fitting(size, size).fit(decode_rgb(read_image_bytes(path), source=str(path)))
    return canvas


def _head(
    weights: Weights, source: Source, options: ExportOptions, scratch: Path, log: Path | None
) -> ChosenHead:
    measured_on = source.dataset_yaml
    if (
        measured_on is None
        and source.dataset is not None
        # Boxes of other classes, or of these in another order, tell nothing of a head.
        and source.dataset.labels == weights.labels
        and needs_figures(weights, options.head, nms=options.nms)
    ):
        measured_on = write_view(source.dataset, scratch / "view").yaml
    return choose_head(
        weights,
        options.head,
        nms=options.nms,
        dataset_yaml=measured_on,
        imgsz=options.imgsz,
        device=options.device,
        log=log,
    )


def _require_labels(weights: Weights, labels: Sequence[str]) -> None:
    if len(labels) != len(weights.labels):
        raise ModelError(
            f"{weights.path} tells {len(weights.labels)} classes apart, and there are {len(labels)} labels",
            hint="Name the labels file that belongs to these weights with --labels.",
        )
    if tuple(labels) != weights.labels and sorted(labels) == sorted(weights.labels):
        raise ModelError(
            f"the labels are those of {weights.path} in another order: every box would get a wrong name",
            hint="Leave the labels out: the checkpoint names its classes.",
        )


def _pictures(source: Source, options: ExportOptions) -> tuple[list[Path], list[Path]]:
    """Return the pictures of the parity gate, and those that int8 is calibrated on."""
    if source.dataset is None:
        train = unseen = list(source.pictures)
    else:
        train = source.dataset.pictures("train")
        unseen = source.dataset.pictures("val") + source.dataset.pictures("test") + train
    if not unseen:
        raise ExportError(
            "the parity gate needs real pictures, and none were named",
            hint="Name a bundle with --bundle-dir, or a folder with --pictures.",
        )
    calibration = sample_of(train, max(1, round(options.fraction * len(train)))) if train else []
    return unseen[: options.parity_images], calibration


def _write_files(folder: Path, content: bytes, labels: Sequence[str], source: Source) -> dict[str, Any]:
    model, names = folder / f"{STEMS[0]}.tflite", folder / f"{STEMS[0]}.labels.json"
    write_bytes(model, content)
    write_json(names, LabelsFile(list(labels)))
    copy_file(source.best, folder / BEST)
    copy_file(source.last, folder / LAST)
    roles = {"model": model, "labels": names, "best": folder / BEST, "last": folder / LAST}
    return {
        role: Artifact(filename=path.name, sha256=sha256_file(path), bytes=path.stat().st_size).to_data()
        for role, path in roles.items()
    }
