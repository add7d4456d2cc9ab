"""Annotation bundle: pictures, label files and tables of one retraining manifest, divided for training."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pipeline.contracts.bundle import (
    CLASSES_FILE,
    DATASET_FILE,
    IMAGES,
    INSTRUCTIONS_FILE,
    METADATA_FILE,
    SPLIT_FILE,
    TEMPLATE_COLUMNS,
    TEMPLATE_FILE,
    BundleClass,
    BundleClasses,
    BundleMetadata,
    BundlePicture,
    Split,
)
from pipeline.contracts.retraining import RetrainingSample
from pipeline.support.documents import write_csv, write_json
from pipeline.support.errors import InputError, OutputError
from pipeline.support.files import display_path, is_within, sha256_file, write_text
from pipeline.support.near_pairs import near_pairs
from pipeline.support.phash import MAX_DISTANCE, TRIMMED_CLOSER, HashedFile, hash_files, mirrored
from pipeline.support.pictures import PictureFetcher
from pipeline.support.row_sources import row_sources
from pipeline.support.yolo_labels import labels_text, read_labels
from pipeline.training.annotations import in_classes
from pipeline.training.bundle_files import (
    dataset_yaml,
    instructions,
    list_file,
    subset_list,
    template_row,
)
from pipeline.training.bundle_pictures import MISSING, REMOTE, Gathered, gather_pictures
from pipeline.training.bundle_plan import BundlePlan
from pipeline.training.split import SUBSETS, SplitSample, group_samples, split_samples

CACHE = ".cache"
"""Under the folder of all bundles: pictures that were fetched, by their url's digest."""


@dataclass(frozen=True, slots=True)
class BuiltBundle:
    """A bundle on the disk."""

    directory: Path
    metadata: BundleMetadata
    split: Split
    classes: list[str]
    warnings: list[str]


@dataclass(frozen=True, slots=True)
class _Annotated:
    """What the label file of a sample says now."""

    labels: tuple[str, ...]
    """Every label on the picture: that of its row first, then those of its boxes."""
    boxes: int


def build_bundle(
    plan: BundlePlan, *, fetcher: PictureFetcher | None, generated_at: str, base: Path
) -> BuiltBundle:
    """Write the bundle of a plan; built again it goes on from what is whole.

    Boxes that are drawn in it, and what people wrote into its template, are kept.

    Args:
        plan: what `plan_bundle` found.
        fetcher: None fetches nothing.
        generated_at: ISO 8601 UTC.
        base: what recorded paths are relative to.

    Raises:
        InputError: not one picture could be had.
        OutputError: something cannot be written.
    """
    options = plan.options
    gathered = gather_pictures(
        plan.manifest.samples,
        plan.located,
        plan.stems,
        plan.directory / IMAGES,
        plan.out_dir / CACHE,
        fetcher=fetcher,
        refresh=options.refresh,
        max_pixels=options.max_pixels,
    )
    if not gathered.pictures:
        raise _nothing_found(plan, gathered)
    kept = _write_labels(plan)
    annotated = {sample.id: _annotated(plan, sample) for sample in plan.manifest.samples}
    hashed = dict(
        zip(gathered.pictures, hash_files(list(gathered.pictures.values()), trims=True), strict=True)
    )
    pictures = _pictures(plan, gathered, hashed)
    split = split_samples(
        [SplitSample(picture.id, annotated[picture.id].labels) for picture in pictures],
        _groups(pictures, hashed),
        seed=options.seed,
        val_fraction=options.val_fraction,
        test_fraction=options.test_fraction,
    )
    metadata = _metadata(plan, gathered, pictures, split, annotated, generated_at, base)
    _write_tables(plan, pictures, split, annotated, metadata)
    warnings = [*plan.warnings, *split.warnings]
    warnings += [f"{name}: its boxes here are kept, those of --annotations differ" for name in kept]
    warnings += [f"{name}: could not be fetched again, the earlier picture stands" for name in gathered.kept]
    return BuiltBundle(plan.directory, metadata, split, plan.classes, warnings)


def _nothing_found(plan: BundlePlan, gathered: Gathered) -> InputError:
    first = gathered.missing[0]
    places = ", ".join(str(folder) for folder in plan.located.looked_in)
    return InputError(
        f"{plan.manifest_path}: none of its {len(plan.manifest.samples)} pictures could be had; the first: "
        f"{first.id} ({first.url}): {first.reason}",
        hint=f"Looked for relative paths in: {places}. Give the folder that holds them with --root.",
    )


def _write_labels(plan: BundlePlan) -> list[str]:
    """Write the label files that are not there or empty; return the samples whose drawn boxes were kept."""
    kept = []
    for sample in plan.manifest.samples:
        path = plan.label_file(sample.id)
        if not is_within(path, plan.directory):
            raise OutputError(f"{path} is a link that leaves the bundle", hint="Remove the link.")
        text = labels_text(in_classes(plan.drawn.get(sample.id, []), plan.classes))
        if not path.is_file() or (path.stat().st_size == 0 and text):
            write_text(path, text)
        elif text and path.read_bytes() != text.encode():
            kept.append(sample.id)
    return kept


def _annotated(plan: BundlePlan, sample: RetrainingSample) -> _Annotated:
    boxes, _ = read_labels(plan.label_file(sample.id), class_count=len(plan.classes))
    own = [] if sample.label is None else [sample.label]
    labels = dict.fromkeys([*own, *(plan.classes[box.class_id] for box in boxes)])
    return _Annotated(tuple(labels), len(boxes))


def _pictures(plan: BundlePlan, gathered: Gathered, hashed: Mapping[str, HashedFile]) -> list[BundlePicture]:
    return [
        BundlePicture(
            id=sample.id,
            image_file=f"{IMAGES}/{gathered.pictures[sample.id].name}",
            sha256=hashed[sample.id].sha256 or sha256_file(gathered.pictures[sample.id]),
            url=sample.image,
            sources=row_sources(sample.image, sample.source, sample.notes),
        )
        for sample in plan.manifest.samples
        if sample.id in gathered.pictures
    ]


def _groups(pictures: Sequence[BundlePicture], hashed: Mapping[str, HashedFile]) -> dict[str, str]:
    """Group pictures with the same bytes or source, and those that look alike, cropped or in a mirror too."""
    telling = {
        key: file.picture for key, file in hashed.items() if file.picture is not None and file.picture.telling
    }
    ids, bits = list(telling), [picture.bits for picture in telling.values()]
    trims = [trim for picture in telling.values() for trim in picture.trims]
    alike = []
    for others, closer in ((bits, 0), (trims, TRIMMED_CLOSER)):
        each = len(others) // max(len(ids), 1)
        for seen in (others, [mirrored(other) for other in others]):
            pairs = near_pairs(bits, seen, max_distance=MAX_DISTANCE - closer)
            found = zip(pairs.a.tolist(), pairs.b.tolist(), strict=True)
            alike += [(ids[a], ids[b // each]) for a, b in found if a != b // each]
    keys = {
        picture.id: [("bytes", picture.sha256), *(("source", key) for key in picture.sources)]
        for picture in pictures
    }
    return group_samples(keys, alike)


def _metadata(
    plan: BundlePlan,
    gathered: Gathered,
    pictures: Sequence[BundlePicture],
    split: Split,
    annotated: Mapping[str, _Annotated],
    generated_at: str,
    base: Path,
) -> BundleMetadata:
    samples = plan.manifest.samples
    sources = {
        folder if folder == MISSING else display_path(Path(folder), base): count
        for folder, count in sorted(plan.located.found.items())
    }
    if plan.located.remote:
        sources[REMOTE] = sum(key in gathered.pictures for key in plan.located.remote)
    return BundleMetadata(
        run_id=plan.run_id,
        generated_at=generated_at,
        source_manifest=display_path(plan.manifest_path, base),
        source_manifest_sha256=sha256_file(plan.manifest_path),
        summary={
            "samples": len(samples),
            "positives": sum(not sample.is_negative for sample in samples),
            "negatives": sum(sample.is_negative for sample in samples),
            "classes": len(plan.classes),
            "pictures": len(pictures),
            "missing_pictures": len(gathered.missing),
            "positives_with_boxes": sum(
                annotated[sample.id].boxes > 0 and not sample.is_negative for sample in samples
            ),
            "boxes": sum(each.boxes for each in annotated.values()),
            "groups": len({entry.group for entry in split.entries}),
        },
        sources=sources,
        split={
            "seed": split.seed,
            "val_fraction": split.val_fraction,
            "test_fraction": split.test_fraction,
            "digest": split.digest,
            "counts": split.counts,
            "val_is_train": split.counts["val"] == 0,
            "warnings": split.warnings,
        },
        pictures=list(pictures),
        missing=gathered.missing,
    )


def _write_tables(
    plan: BundlePlan,
    pictures: Sequence[BundlePicture],
    split: Split,
    annotated: Mapping[str, _Annotated],
    metadata: BundleMetadata,
) -> None:
    """Write everything but pictures and labels; the metadata last, since it marks the bundle as whole."""
    directory = plan.directory
    image_files = {picture.id: picture.image_file for picture in pictures}
    class_ids = {label: index for index, label in enumerate(plan.classes)}
    rows = [
        template_row(
            sample,
            image_file=image_files.get(sample.id, ""),
            label_file=plan.label_file(sample.id).relative_to(directory).as_posix(),
            has_boxes=annotated[sample.id].boxes > 0,
            classes=class_ids,
            earlier=plan.earlier.get(sample.id),
        )
        for sample in plan.manifest.samples
    ]
    classes = [BundleClass(id=index, label=label) for index, label in enumerate(plan.classes)]
    write_json(directory / CLASSES_FILE, BundleClasses(classes=classes))
    write_csv(directory / TEMPLATE_FILE, rows, TEMPLATE_COLUMNS)
    for subset in SUBSETS:
        write_text(directory / list_file(subset), subset_list(split, subset, image_files))
    write_json(directory / SPLIT_FILE, split)
    write_text(directory / DATASET_FILE, dataset_yaml(plan.classes, split))
    write_text(directory / INSTRUCTIONS_FILE, instructions(plan.run_id, plan.classes))
    write_json(directory / METADATA_FILE, metadata)
