"""`repath training review-annotations`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from pipeline.cli.common import FILE, emit, workspace
from pipeline.cli.training_detector import bundle_options, detector_options, label_map, open_model
from pipeline.cli.training_export import bundle_of
from pipeline.support import clock
from pipeline.support.files import display_path, write_text

if TYPE_CHECKING:
    from pipeline.training.bundle_rows import BundleView
    from pipeline.training.review import Looked


@click.command("review-annotations")
@bundle_options
@detector_options(required=False)
@click.option(
    "--threshold",
    type=click.FloatRange(0, 1, min_open=True),
    default=0.5,
    show_default=True,
    help="Score from which a detection that the boxes contradict is a likely label error.",
)
@click.option(
    "--limit", type=click.IntRange(1), default=1000, show_default=True, help="Pictures that are shown."
)
@click.option("--out", type=FILE, help="The HTML file; by default review.html in the bundle.")
def review_annotations(
    bundle_dir: Path | None,
    bundle_root: Path | None,
    model: Path | None,
    labels: Path | None,
    maps: tuple[str, ...],
    resize: str,
    threshold: float,
    limit: int,
    out: Path | None,
) -> None:
    """Write one HTML page of a bundle: pictures with their boxes, likely label errors first.

    Pictures stand in the file itself; it opens from the disk and asks nothing of any server.
    """
    from pipeline.support.box_evaluation import require_hotcoco
    from pipeline.training.bundle_rows import read_bundle
    from pipeline.training.exchange.outgoing import picture_sizes
    from pipeline.training.review import build_review
    from pipeline.training.validate import validate_bundle

    space = workspace()
    most_pixels = space.settings.download.max_pixels
    bundle = read_bundle(bundle_of(bundle_root, bundle_dir))
    looked = None
    if model is not None:
        require_hotcoco()
        looked = _look(bundle, model, labels, label_map(maps), resize, threshold)
    review = build_review(
        bundle,
        picture_sizes(bundle.rows, max_pixels=most_pixels),
        validate_bundle(bundle.directory, max_pixels=most_pixels),
        looked=looked,
        generated_at=clock.timestamp(),
        most=limit,
        max_pixels=most_pixels,
    )
    path = out or bundle.directory / "review.html"
    write_text(path, review.html)
    shown = display_path(path, space.root)
    size = len(review.html.encode("utf-8"))
    emit(
        {
            "review": shown,
            "bytes": size,
            "bundle_dir": display_path(bundle.directory, space.root),
            "pictures": review.pictures,
            "left_out": review.left_out,
            "doubtful": review.doubtful,
            "issues": review.kinds,
        },
        title="Review",
        rows=[
            ("page", shown),
            ("size", f"{size / 1e6:.1f} MB"),
            ("pictures", review.pictures),
            ("to look at", review.doubtful),
            *[(f"  {kind}", count) for kind, count in sorted(review.kinds.items())],
        ],
    )


def _look(
    bundle: BundleView,
    model: Path,
    labels: Path | None,
    given: dict[str, str],
    resize: str,
    threshold: float,
) -> Looked:
    from pipeline.contracts.results import Detection
    from pipeline.training.proposals import match_labels
    from pipeline.training.review import Looked
    from pipeline.training.seed import detect_rows

    loaded = open_model(model, labels, resize, conf=threshold)
    matched = match_labels(loaded.labels, bundle.classes, given=given)
    rows = [row for row in bundle.rows if row.row.image_file]
    pixels = workspace().settings.download.max_pixels
    seen = detect_rows(rows, loaded, conf=threshold, max_pixels=pixels)
    found = {
        each.row.id: [
            Detection(label=matched[one.label], score=round(one.score, 4), box=list(one.box))
            for one in each.detections
            if one.label in matched
        ]
        for each in seen
        if each.problem is None
    }
    return Looked(model.name, found)
