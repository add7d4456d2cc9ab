"""What a bundle will be built of: samples, classes, boxes and where the pictures lie, all checked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from pipeline.contracts.bundle import (
    CLASSES_FILE,
    LABELS,
    TEMPLATE_COLUMNS,
    TEMPLATE_FILE,
    BundleClasses,
    TemplateRow,
)
from pipeline.contracts.retraining import RetrainingManifest
from pipeline.contracts.taxonomy import Taxonomy
from pipeline.support.documents import read_csv, read_json
from pipeline.support.errors import InputError
from pipeline.support.images import MAX_PIXELS
from pipeline.support.labels import require_known_labels
from pipeline.support.runs import run_named
from pipeline.support.sources import SourceFinder
from pipeline.training.annotations import Drawn, annotation_classes, read_drawn
from pipeline.training.bundle_pictures import Located, locate_pictures, sample_stems
from pipeline.training.proposed import unconfirmed_rows
from pipeline.training.validate import read_bundle_rows


@dataclass(frozen=True, slots=True)
class BundleOptions:
    """How a bundle is built."""

    seed: int = 0
    val_fraction: float = 0.15
    test_fraction: float = 0.15
    refresh: bool = False
    annotations: Path | None = None
    """A folder of label files already drawn."""
    class_order: Sequence[str] | None = None
    """Fixes the class ids; without it classes are sorted by label."""
    taxonomy: Taxonomy | None = None
    """Labels that are known; None checks none."""
    allow_unknown_labels: bool = False
    root: Path | None = None
    """Where relative paths of the manifest are tried first."""
    max_pixels: int = MAX_PIXELS


@dataclass(slots=True)
class BundlePlan:
    """What a build would do: everything that can be known without writing or fetching."""

    manifest: RetrainingManifest
    manifest_path: Path
    out_dir: Path
    directory: Path
    run_id: str
    options: BundleOptions
    stems: dict[str, str]
    drawn: dict[str, list[Drawn]]
    classes: list[str]
    located: Located
    earlier: dict[str, TemplateRow]
    warnings: list[str] = field(default_factory=list)

    def label_file(self, sample_id: str) -> Path:
        """Return the path of a sample's label file."""
        return self.directory / LABELS / f"{self.stems[sample_id]}.txt"


def plan_bundle(manifest_path: Path, out_dir: Path, run_id: str, options: BundleOptions) -> BundlePlan:
    """Read and check everything that a bundle is built of, writing nothing and fetching nothing.

    Raises:
        InputError: the manifest has no samples, or a file is not what it should be.
        ContractError: the manifest, a label file or an earlier template breaks its contract.
        PathEscapeError: a path or the run id leaves its folder.
        UnknownLabelError: a label is not in the taxonomy.
    """
    directory = run_named(out_dir, run_id)
    manifest = read_json(manifest_path, RetrainingManifest)
    if not manifest.samples:
        raise InputError(
            f"{manifest_path} holds no samples", hint="Give rows named retrain_* a picture first."
        )
    stems = sample_stems(manifest.samples, source=str(manifest_path))
    left_out = _proposals_in(options.annotations)
    drawn, classes = _classes_and_boxes(manifest, stems, options, left_out)
    warnings = _check_labels(manifest, manifest_path, drawn, options)
    if left_out:
        warnings.append(
            f"{options.annotations}: the boxes of {len(left_out)} pictures are left out, since they are "
            "proposals that nobody confirmed"
        )
    _require_same_classes(directory, classes)
    finder = SourceFinder(manifest_path, root=options.root)
    return BundlePlan(
        manifest=manifest,
        manifest_path=manifest_path,
        out_dir=out_dir,
        directory=directory,
        run_id=run_id,
        options=options,
        stems=stems,
        drawn=drawn,
        classes=classes,
        located=locate_pictures(manifest.samples, finder),
        earlier=_earlier_rows(directory),
        warnings=warnings,
    )


def _proposals_in(annotations: Path | None) -> frozenset[str]:
    """Return the stems of the label files in a bundle's ``labels/`` that no person has confirmed."""
    if annotations is None or annotations.resolve().name != LABELS:
        return frozenset()
    bundle = annotations.resolve().parent
    if not (bundle / TEMPLATE_FILE).is_file():
        return frozenset()
    rows = read_bundle_rows(bundle)
    unconfirmed = set(unconfirmed_rows(bundle, rows))
    return frozenset(row.labels.stem for row in rows if row.id in unconfirmed)


def _classes_and_boxes(
    manifest: RetrainingManifest, stems: dict[str, str], options: BundleOptions, left_out: frozenset[str]
) -> tuple[dict[str, list[Drawn]], list[str]]:
    """Read the boxes of ``annotations``; classes are the labels of samples and boxes."""
    needed = {sample.label for sample in manifest.samples if sample.label is not None}
    drawn: dict[str, list[Drawn]] = {}
    if options.annotations is not None:
        own = annotation_classes(options.annotations)
        negatives = frozenset(sample.id for sample in manifest.samples if sample.is_negative)
        known = own or list(options.class_order or sorted(needed))
        wanted = {key: stem for key, stem in stems.items() if stem not in left_out}
        drawn = read_drawn(options.annotations, wanted, known, negatives=negatives)
        needed |= {item.label for items in drawn.values() for item in items}
    if options.class_order is None:
        return drawn, sorted(needed)
    lacking = sorted(needed - set(options.class_order))
    if lacking:
        raise InputError(
            f"--labels fixes the classes and lacks {', '.join(lacking)}",
            hint="Add them at its end, or leave --labels out.",
        )
    return drawn, list(options.class_order)


def _check_labels(
    manifest: RetrainingManifest, path: Path, drawn: dict[str, list[Drawn]], options: BundleOptions
) -> list[str]:
    if options.taxonomy is None:
        return []
    named = [
        (f"samples[{index}] ({sample.id}).label", sample.label)
        for index, sample in enumerate(manifest.samples)
        if sample.label is not None
    ]
    named += [(f"the boxes of {key}", item.label) for key, items in drawn.items() for item in items]
    return require_known_labels(
        options.taxonomy, named, source=str(path), allow_unknown=options.allow_unknown_labels
    )


def _require_same_classes(directory: Path, classes: list[str]) -> None:
    """Refuse to give other meanings to the class ids of boxes that are drawn already."""
    path = directory / CLASSES_FILE
    if not path.is_file() or read_json(path, BundleClasses).labels == classes:
        return
    if any(file.stat().st_size for file in (directory / LABELS).glob("*.txt")):
        raise InputError(
            f"{directory} has boxes drawn under other classes than the manifest has now",
            hint=f"Build under a new --run-id with --annotations {directory / LABELS}, which keeps them.",
        )


def _earlier_rows(directory: Path) -> dict[str, TemplateRow]:
    path = directory / TEMPLATE_FILE
    if not path.is_file():
        return {}
    return {row.id: row for row in read_csv(path, TemplateRow, TEMPLATE_COLUMNS)}
