"""The pictures of a benchmark, found before the first of them is read."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from pipeline.contracts.manifest import BenchmarkManifest, ManifestRow
from pipeline.contracts.results import UnreadablePicture
from pipeline.evaluation.measure import Item
from pipeline.evaluation.training_pictures import TrainingPictures
from pipeline.support.errors import InputError
from pipeline.support.sources import SourceFinder, is_remote

NOT_RESOLVED = "not resolved: run build-resolved-benchmark-manifest"
NOT_FOUND = "not found"


@dataclass(slots=True)
class BenchmarkPlan:
    """What will be measured, and what cannot be."""

    items: list[Item] = field(default_factory=list)
    unreadable: dict[int, UnreadablePicture] = field(default_factory=dict)
    """Rows whose picture is not here, by position."""
    skipped: int = 0
    """Rows none of whose labels the model knows."""
    todo: int = 0
    pictures: int = 0
    """How many positions there are."""
    sources: Counter[str] = field(default_factory=Counter)
    """How many pictures were found under which folder; ``missing`` the rest."""

    @property
    def boxes_known(self) -> bool:
        """Whether the boxes of any picture are known."""
        return any(item.boxes_known for item in self.items)


def plan_benchmark(
    manifest: BenchmarkManifest,
    bundle: TrainingPictures | None,
    *,
    finder: SourceFinder,
    known: frozenset[str] | None,
) -> BenchmarkPlan:
    """Find every picture of a manifest and, behind them, those that a bundle holds back.

    Args:
        manifest: its ready rows are measured.
        bundle: what training saw, or None.
        finder: finds the manifest's local pictures.
        known: the labels of the model, where rows are to be judged by these alone; else None.

    Raises:
        InputError: there is no row to measure.
        PathEscapeError: a local url leaves the workspace.
    """
    plan = BenchmarkPlan()
    for index, row in enumerate(manifest.images):
        expected = _expected(row, known)
        if not row.is_ready:
            plan.todo += 1
        elif expected is None:
            plan.skipped += 1
        else:
            _place(plan, finder, index, row, *expected)
    if not plan.pictures:
        raise InputError(
            f"{finder.document} has no ready row to measure: {plan.todo} todo, {plan.skipped} without "
            "a label of the model",
            hint="Give rows a picture and set their status to 'ready'.",
        )
    for index, picture in enumerate(bundle.test if bundle else []):
        plan.items.append(
            Item(plan.pictures, index, picture.id, picture.image_file, picture.path, shares=picture.boxes)
        )
        plan.pictures += 1
    plan.sources = finder.found
    return plan


def _place(
    plan: BenchmarkPlan,
    finder: SourceFinder,
    index: int,
    row: ManifestRow,
    expected_any: tuple[str, ...],
    expected_all: tuple[str, ...],
) -> None:
    remote = is_remote(row.url)
    path = None if remote else finder.find(row.url, row=f"images[{index}] ({row.name})")
    position = plan.pictures
    plan.pictures += 1
    if path is None:
        reason = NOT_RESOLVED if remote else row.resolve_error or NOT_FOUND
        plan.unreadable[position] = UnreadablePicture(
            name=row.name, url=row.url, reason=reason, manifest_row=index
        )
        return
    boxes = None if row.boxes is None else tuple(row.boxes)
    plan.items.append(Item(position, index, row.name, row.url, path, expected_any, expected_all, boxes))


def _expected(
    row: ManifestRow, known: frozenset[str] | None
) -> tuple[tuple[str, ...], tuple[str, ...]] | None:
    """Return what a picture is expected to show; None where the model knows none of it."""
    if known is None or row.is_negative:
        return tuple(row.expected_any), tuple(row.expected_all)
    expected_any = tuple(label for label in row.expected_any if label in known)
    expected_all = tuple(label for label in row.expected_all if label in known)
    return (expected_any, expected_all) if expected_any or expected_all else None
