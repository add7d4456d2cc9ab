"""Proposals for a whole bundle: run the detector over it, and write boxes where no person has drawn any."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pipeline.contracts.bundle import TEMPLATE_COLUMNS, TEMPLATE_FILE, TemplateRow
from pipeline.contracts.proposals import (
    PROPOSALS_FILE,
    BoxProposals,
    NegativeDetection,
    ProposedBox,
    ProposedPicture,
)
from pipeline.support.documents import write_csv, write_json
from pipeline.support.errors import ImageError, InputError
from pipeline.support.files import write_text
from pipeline.support.images import MAX_PIXELS, decode_rgb, read_image_bytes
from pipeline.support.pool import cores, spread
from pipeline.support.progress import track
from pipeline.support.yolo_labels import corners_of, labels_text
from pipeline.training.bundle_files import PROPOSED, TODO
from pipeline.training.bundle_rows import AnnotatedRow, BundleView
from pipeline.training.proposals import OWN_SHARE, Proposed, propose
from pipeline.training.proposed import marked, unmarked

if TYPE_CHECKING:
    from pipeline.runtime.detector import Detection, Detector, LoadedModel


@dataclass(frozen=True, slots=True)
class Seen:
    """What a detector found on one row's picture, or in words why it could not look."""

    row: AnnotatedRow
    detections: list[Detection]
    size: tuple[int, int]
    problem: str | None = None


@dataclass(frozen=True, slots=True)
class SeedOptions:
    """How proposals are made."""

    model: str
    """The detector's file, as it is recorded."""
    matched: Mapping[str, str]
    threshold: float


@dataclass(slots=True)
class Seeding:
    """What a bundle is to become: nothing is written yet."""

    bundle: BundleView
    proposals: BoxProposals
    labels: dict[str, str] = field(default_factory=dict)
    """Row id to the text of its label file, for those that change."""
    templates: list[TemplateRow] = field(default_factory=list)
    states: Counter[str] = field(default_factory=Counter)
    problems: dict[str, str] = field(default_factory=dict)
    """Row id to why its picture could not be looked at."""

    @property
    def own_label_missing(self) -> list[str]:
        """The pictures with proposals of which none has the label of their row."""
        return [picture.id for picture in self.proposals.pictures if not picture.own_label_found]


def wants_proposals(row: AnnotatedRow) -> bool:
    """Tell whether boxes may be proposed for a row: nobody drew any, and nobody said that it is done."""
    if row.state == "proposed":
        return row.record is not None  # without a record they may be another tool's, and stay
    return row.state == "open"


def detect_rows(
    rows: Sequence[AnnotatedRow], model: LoadedModel, *, conf: float, max_pixels: int = MAX_PIXELS
) -> list[Seen]:
    """Run a detector over the pictures of some rows, on every core; the result is in their order.

    Raises:
        ModelError: the model gives what no detector gives.
    """
    # PyTorch spreads one picture over the cores by itself.
    workers = 1 if model.runtime == "pytorch" else min(cores(), max(len(rows), 1))

    def opened() -> Callable[[int], tuple[int, Seen]]:
        detector = model.detector()
        return lambda index: (index, _seen(rows[index], detector, conf, max_pixels))

    found = spread(range(len(rows)), opened, workers=workers)
    return [seen for _, seen in sorted(track(found, total=len(rows), what="Detecting"), key=_index)]


def plan_seeding(
    bundle: BundleView, seen: Sequence[Seen], options: SeedOptions, *, model_sha256: str
) -> Seeding:
    """Decide what becomes of each row; nothing is written.

    Args:
        bundle: the bundle.
        seen: what the detector found on the rows that want proposals, and on the negatives.
        options: names and threshold.
        model_sha256: the digest of the detector's file.
    """
    by_id = {each.row.id: each for each in seen}
    unmapped: Counter[str] = Counter()
    proposals = BoxProposals(
        model=options.model,
        model_sha256=model_sha256,
        threshold=options.threshold,
        labels=dict(sorted(options.matched.items())),
        unmapped={},
        pictures=[],
        on_negatives=[],
    )
    seeding = Seeding(bundle, proposals)
    for row in bundle.rows:
        each = by_id.get(row.id)
        seeding.templates.append(row.template)
        if each is None:
            seeding.states[row.state] += 1
        elif each.problem is not None:
            seeding.problems[row.id] = each.problem
            _keep_record(seeding, row)
        else:
            own = row.row.class_label or None
            proposed = propose(
                each.detections,
                size=each.size,
                own=None if row.row.is_negative else own,
                matched=options.matched,
                classes=bundle.classes,
                threshold=options.threshold,
            )
            unmapped += proposed.unmapped
            if row.row.is_negative:
                seeding.states["negative"] += 1
                _report_negative(seeding, each, proposed)
            else:
                _propose(seeding, row, proposed, options)
    proposals.unmapped = dict(sorted(unmapped.items()))
    return seeding


def write_seeding(seeding: Seeding) -> None:
    """Write record, template and label files; what is right already is left alone.

    Interrupted anywhere, no proposal passes for a person's box: a picture is marked before its boxes are
    written and unmarked after they are gone, and in between the record knows the earlier boxes too.

    Raises:
        OutputError: something cannot be written.
    """
    bundle, wanted = seeding.bundle, seeding.proposals
    template, record = bundle.directory / TEMPLATE_FILE, bundle.directory / PROPOSALS_FILE
    before = [row.template for row in bundle.rows]
    meanwhile = [
        old if old.status.strip().lower() == PROPOSED else new
        for old, new in zip(before, seeding.templates, strict=True)
    ]
    if seeding.labels:
        write_json(record, _with_earlier(seeding))
    if meanwhile != before:
        write_csv(template, meanwhile, TEMPLATE_COLUMNS)
    for row in bundle.rows:
        if row.id in seeding.labels:
            write_text(row.row.labels, seeding.labels[row.id])
    if seeding.templates != meanwhile:
        write_csv(template, seeding.templates, TEMPLATE_COLUMNS)
    write_json(record, wanted)


def _with_earlier(seeding: Seeding) -> BoxProposals:
    """Return the record as it is while label files hold earlier proposals or later ones."""
    earlier = {row.id: row for row in seeding.bundle.rows if row.is_proposed and row.record is not None}
    pictures = []
    for picture in seeding.proposals.pictures:
        row = earlier.pop(picture.id, None)
        pictures.append(picture if row is None else picture.replace(replaces_sha256=row.digest))
    pictures += [row.record for row in earlier.values() if row.record is not None]
    return seeding.proposals.replace(pictures=pictures)


def _seen(row: AnnotatedRow, detector: Detector, conf: float, max_pixels: int) -> Seen:
    source = row.row.image_file
    try:
        rgb = decode_rgb(read_image_bytes(row.row.image, source=source), source=source, max_pixels=max_pixels)
    except (ImageError, InputError) as error:
        return Seen(row, [], (0, 0), error.message)
    height, width = rgb.shape[:2]
    return Seen(row, detector.detect(rgb, picture=source, conf=conf), (width, height))


def _index(found: tuple[int, Seen]) -> int:
    return found[0]


def _keep_record(seeding: Seeding, row: AnnotatedRow) -> None:
    seeding.states[row.state] += 1
    if row.is_proposed and row.record is not None:
        seeding.proposals.pictures.append(row.record)


def _report_negative(seeding: Seeding, seen: Seen, proposed: Proposed) -> None:
    """Record what was seen on a negative; its label file is not touched."""
    seeding.proposals.on_negatives += [
        NegativeDetection(
            id=seen.row.id,
            label=proposal.label,
            score=proposal.score,
            box=[round(corner, 2) for corner in corners_of(proposal.box, seen.size)],
        )
        for proposal in proposed.proposals
    ]


def _propose(seeding: Seeding, row: AnnotatedRow, proposed: Proposed, options: SeedOptions) -> None:
    text = labels_text([proposal.box for proposal in proposed.proposals])
    digest = hashlib.sha256(text.encode()).hexdigest()
    if row.digest != digest and (text or row.boxes):
        seeding.labels[row.id] = text
    if not proposed.proposals:
        seeding.states["nothing_found"] += 1
        if row.status == PROPOSED:
            seeding.templates[-1] = unmarked(row.template).replace(status=TODO)
        return
    seeding.states["proposed"] += 1
    found = not row.row.class_label or any(
        proposal.label == row.row.class_label for proposal in proposed.proposals
    )
    seeding.proposals.pictures.append(
        ProposedPicture(
            id=row.id,
            label_sha256=digest,
            own_label_found=found,
            boxes=[ProposedBox(label=each.label, score=each.score) for each in proposed.proposals],
        )
    )
    seeding.templates[-1] = marked(
        row.template, model=options.model, threshold=options.threshold, own_found=found
    )


def detection_floor(threshold: float) -> float:
    """Return the lowest score that `plan_seeding` may ask for."""
    return threshold * OWN_SHARE
