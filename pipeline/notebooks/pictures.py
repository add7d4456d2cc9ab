"""Pictures under a cell: rows to look through, a bundle with its boxes, what two models see differently."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.contracts.comparison import Comparison
from pipeline.contracts.labeled import LabeledRow
from pipeline.contracts.results import BenchmarkResults, ResultRow
from pipeline.support.errors import InputError
from pipeline.support.figures import DrawnBox, Tile, mosaic, png_bytes
from pipeline.support.images import decode_rgb, read_image_bytes
from pipeline.support.sources import SourceFinder, is_remote

if TYPE_CHECKING:
    import numpy as np
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

_SIDE = 320


def shown(figure: Figure, *, alt: str) -> Any:
    """Return a figure as the picture that a cell shows; ``alt`` says what is on it to who cannot see it."""
    from IPython.display import Image

    return Image(data=png_bytes(figure), format="png", alt=alt)


def labeled_pictures(rows: Sequence[LabeledRow], document: Path, *, title: str, most: int = 16) -> Figure:
    """Draw labeled rows as a person looks them through; a picture that is not on this disk is a grey tile.

    Args:
        rows: rows of the labeled CSV.
        document: the CSV, which relative urls belong to.
        title: what is shown.
        most: no more pictures than these, the first ones.
    """
    finder = SourceFinder(document)
    tiles = []
    for row in rows[:most]:
        pixels = _pixels(finder, row.url, row.name)
        label = "not on this disk" if pixels is None else row.canonical_label or "negative"
        tiles.append(Tile(_grey() if pixels is None else pixels, label, row.name))
    return mosaic(tiles, title=f"{title} ({len(tiles)} of {len(rows)})")


def bundle_pictures(bundle: Path, *, most: int = 12) -> Figure:
    """Draw pictures of an annotation bundle with the boxes of their label files, spread over the bundle.

    Raises:
        InputError: the bundle's tables cannot be read.
        ImageError: a picture cannot be decoded.
    """
    from pipeline.training.dataset import open_dataset, sample_of
    from pipeline.training.predictions import picture_tile

    dataset = open_dataset(bundle)
    rows = {row.image: row for group in dataset.subsets.values() for row in group}
    chosen = [rows[image] for image in sample_of(sorted(rows), most)]
    tiles = [picture_tile(row, dataset.labels) for row in chosen]
    return mosaic(tiles, title=f"{len(tiles)} of {len(rows)} annotated pictures")


def changed_pictures(
    comparison: Comparison, candidate: BenchmarkResults, manifest: Path, *, most: int = 8
) -> Figure | None:
    """Draw the pictures that the two models see most differently, with what the candidate finds.

    Without a baseline the first pictures of the benchmark are drawn. None where there is nothing to show.

    Args:
        comparison: the comparison.
        candidate: the candidate's results.
        manifest: the benchmark manifest, which relative urls belong to.
        most: no more pictures than these.
    """
    by_name = {(row.name, row.url): row for row in candidate.results}
    changes = comparison.changes or []
    words = {(change.name, change.url): change.kind.replace("_", " ") for change in changes}
    keys = list(words) or list(by_name)
    finder = SourceFinder(manifest)
    tiles = [_result_tile(by_name[key], finder, words.get(key, "")) for key in keys[:most] if key in by_name]
    if not tiles:
        return None
    what = "pictures that the models see differently" if words else "pictures of the benchmark"
    return mosaic(tiles, title=f"{len(tiles)} of {len(keys)} {what}, with what the candidate finds")


def _result_tile(row: ResultRow, finder: SourceFinder, change: str) -> Tile:
    pixels = _pixels(finder, row.url, row.name)
    if pixels is None:
        return Tile(_grey(), "not on this disk", row.name)
    expected = ", ".join(row.expected_all or row.expected_any) or "nothing"
    scale = pixels.shape[1] / row.size[0] if row.size and row.size[0] else 1.0
    boxes = [
        DrawnBox(
            (found.box[0] * scale, found.box[1] * scale, found.box[2] * scale, found.box[3] * scale),
            f"{found.label} {found.score:.2f}",
            drawn_by_person=False,
        )
        for found in row.detections
        if found.box is not None and len(found.box) == 4
    ]
    return Tile(pixels, f"{change + ': ' if change else ''}{expected}", row.name, boxes)


def _pixels(finder: SourceFinder, url: str, name: str) -> NDArray[np.uint8] | None:
    try:
        path = None if not url or is_remote(url) else finder.find(url, row=name)
        if path is not None:
            return decode_rgb(read_image_bytes(path), source=str(path), min_side=_SIDE)
    except InputError:
        pass  # the tile says that it cannot be shown; the stages before name the reason
    return None


def _grey() -> NDArray[np.uint8]:
    import numpy as np

    return np.full((_SIDE, _SIDE, 3), 210, np.uint8)
