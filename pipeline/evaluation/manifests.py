"""The benchmark manifest that asks for a picture of every label of a taxonomy."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from pipeline.contracts.manifest import BenchmarkManifest, ManifestRow
from pipeline.contracts.taxonomy import Taxonomy, VisionClass
from pipeline.support.documents import without_gc
from pipeline.support.labels import require_known_labels

MANIFEST_NAME = "municipal-full-taxonomy-v2"

SEEDED = "Seed image from v1 benchmark manifest."
"""Notes of a row whose picture is that of the seed manifest."""
WANTED = "Add at least one representative photo for this item variation."
"""Notes of a placeholder."""
NEGATIVES = (
    ("todo_negative_people_scene", "Add cluttered scenes that should produce no detections."),
    ("todo_negative_street_scene", "Add outdoor photos with no recyclable target item."),
    ("todo_negative_pet_or_toy_scene", "Add household objects likely to cause false positives."),
)
"""Negatives that every manifest asks for, and their notes."""


def build_benchmark_manifest(
    taxonomy: Taxonomy,
    seed: BenchmarkManifest,
    *,
    taxonomy_path: str,
    seed_path: str,
    generated_at: str,
    allow_unknown_labels: bool = False,
) -> BenchmarkManifest:
    """Build the manifest: for each label its seed pictures or a placeholder, then three negatives to find.

    A seed picture stands once under each label that it names, so its name may stand several times; within a
    label the second picture and those after it get their number (``beer_can_2``), as the files in use have
    it. Seed pictures of unknown labels come behind the taxonomy's. Negatives of the seed are left out: the
    manifest asks for scenes of its own.

    Args:
        taxonomy: the labels; rows follow them in alphabetical order without regard to case, as in use.
        seed: pictures that are there already.
        taxonomy_path: what the manifest records as the taxonomy's file.
        seed_path: the same for the seed; also names it in errors.
        generated_at: ISO 8601 UTC.
        allow_unknown_labels: take seed pictures of labels that the taxonomy lacks.

    Raises:
        UnknownLabelError: the seed names labels that the taxonomy lacks, and they are not allowed.
    """
    with without_gc():
        unknown_seed_labels(taxonomy, seed, source=seed_path, allow_unknown=allow_unknown_labels)
        pictures: dict[str, list[ManifestRow]] = {}
        for row in seed.images:
            if row.is_ready:
                for label in row.labels():
                    pictures.setdefault(label, []).append(row)
        rows = _rows(taxonomy, pictures)
    return BenchmarkManifest(
        name=MANIFEST_NAME,
        generated_at=generated_at,
        source={"taxonomy": taxonomy_path, "seed_manifest": seed_path},
        images=rows,
    )


def _rows(taxonomy: Taxonomy, pictures: dict[str, list[ManifestRow]]) -> list[ManifestRow]:
    rows: list[ManifestRow] = []
    slugs: Counter[str] = Counter()
    for entry in sorted(taxonomy.vision_classes, key=_as_people_sort):
        found = pictures.get(entry.canonical_label, [])
        rows += _seeded(found, entry.item_id)
        if not found:
            slugs[entry.class_id] += 1
            rows.append(_wanted(entry.canonical_label, entry.item_id, entry.class_id, slugs[entry.class_id]))
    known = {entry.canonical_label for entry in taxonomy.vision_classes}
    for label, found in pictures.items():
        if label not in known:
            rows += _seeded(found, None)
    rows += [_todo(name, [], notes) for name, notes in NEGATIVES]
    return rows


def unknown_seed_labels(
    taxonomy: Taxonomy, seed: BenchmarkManifest, *, source: str, allow_unknown: bool
) -> list[str]:
    """Return a sentence for each label of the seed that the taxonomy lacks.

    Raises:
        UnknownLabelError: there are some, and they are not allowed.
    """
    known = {entry.canonical_label for entry in taxonomy.vision_classes}
    return require_known_labels(taxonomy, _unknown(seed, known), source=source, allow_unknown=allow_unknown)


def _as_people_sort(entry: VisionClass) -> tuple[str, str]:
    return entry.canonical_label.casefold(), entry.canonical_label


def _unknown(seed: BenchmarkManifest, known: set[str]) -> Iterator[tuple[str, str]]:
    # Where a label stands is put in words for the few that are asked about, not for every row.
    for index, row in enumerate(seed.images):
        for label in row.labels():
            if label not in known:
                yield f"images[{index}] ({row.name})", label


def _seeded(pictures: list[ManifestRow], item_id: str | None) -> list[ManifestRow]:
    same = {"required": True, "status": "ready", "notes": SEEDED}
    if item_id is not None:
        same["item_id"] = item_id
    return [
        picture.replace(
            name=picture.name if number == 1 else f"{picture.name}_{number}",
            expected_all=picture.expected_all,
            **same,
        )
        for number, picture in enumerate(pictures, start=1)
    ]


def _wanted(label: str, item_id: str, class_id: str, number: int) -> ManifestRow:
    # Two labels may have the same slug; a name that stood twice would have to be told apart by people.
    name = f"todo_{class_id}" if number == 1 else f"todo_{class_id}_{number}"
    return _todo(name, [label], WANTED).replace(item_id=item_id)


def _todo(name: str, expected_any: list[str], notes: str) -> ManifestRow:
    return ManifestRow(
        name=name,
        url="",
        expected_any=expected_any,
        expected_all=[],
        required=True,
        status="todo",
        notes=notes,
    )
