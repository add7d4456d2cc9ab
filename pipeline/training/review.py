"""One HTML page of a bundle: every picture with its boxes, what is likely wrong first."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from pipeline.contracts.bundle import ValidationReport
from pipeline.contracts.results import Detection
from pipeline.support.drawn_boxes import Box, box_of, short, text_size
from pipeline.support.errors import ImageError, InputError
from pipeline.support.images import MAX_PIXELS, read_image_bytes
from pipeline.support.page import render_page
from pipeline.support.pool import cores, spread
from pipeline.support.progress import track
from pipeline.support.thumbnails import LARGE, Thumbnail, thumbnail
from pipeline.training.bundle_rows import AnnotatedRow, BundleView
from pipeline.training.doubts import WORDS, Doubt, detector_doubts, geometric_doubts
from pipeline.training.exchange.outgoing import corners_within

PICTURES_BYTES = 9_000_000
"""JPEG bytes of all pictures together; base64 makes four thirds of them."""
MOST_BYTES = 60_000
"""Bytes of one picture where there are few."""
MOST = 1000
"""Pictures that the page shows; those of whose boxes nothing is doubted are left out first."""

_LAST = (len(WORDS), 0.0)
STATES = {
    "proposed": "proposed",
    "open": "no box yet",
    "drawn": "drawn",
    "done": "done without a box",
    "negative": "negative",
    "no_picture": "no picture",
}


@dataclass(frozen=True, slots=True)
class Panel:
    """What is drawn on a picture, and the same in words."""

    boxes: list[Box]
    words: str


@dataclass(frozen=True, slots=True)
class BoxLine:
    """A box in words: its number on the picture, its label, and its size in pixels."""

    number: int
    label: str
    width: int
    height: int
    score: float | None
    own: bool
    """Whether it has the label of the picture's row."""


@dataclass(frozen=True, slots=True)
class ReviewCard:
    """A row of the bundle as the page shows it."""

    number: int
    row: AnnotatedRow
    subset: str
    labels: list[str]
    doubts: list[Doubt]
    lines: list[BoxLine]
    panel: Panel
    width: int
    height: int
    thumbnail: Thumbnail = field(default_factory=Thumbnail)

    @property
    def name(self) -> str:
        """The row's id."""
        return self.row.id

    @property
    def text_size(self) -> float:
        """Height of a box's text in pixels of the picture."""
        return text_size((self.width, self.height))

    @property
    def kinds(self) -> list[str]:
        """The kinds of its doubts, the likeliest errors first."""
        return list(dict.fromkeys(doubt.kind for doubt in self.doubts))


@dataclass(frozen=True, slots=True)
class Looked:
    """What a detector saw on the bundle, for its doubts."""

    model: str
    detections: dict[str, list[Detection]]
    """Row id to detections under the bundle's class names."""


@dataclass(frozen=True, slots=True)
class Review:
    """The page, and what it shows."""

    html: str
    pictures: int
    left_out: int
    doubtful: int
    kinds: dict[str, int]


def build_review(
    bundle: BundleView,
    sizes: Mapping[str, tuple[int, int] | str],
    report: ValidationReport,
    *,
    looked: Looked | None,
    generated_at: str,
    most: int = MOST,
    max_pixels: int = MAX_PIXELS,
) -> Review:
    """Return the page of a bundle.

    The same bundle and detections give the same bytes.

    Args:
        bundle: the bundle.
        sizes: row id to the picture's size, or why there is none.
        report: what validation finds.
        looked: what a detector saw; None where none was asked.
        generated_at: ISO 8601 UTC.
        most: how many pictures are shown.
        max_pixels: a picture with more is not shown.

    Raises:
        MissingExtraError: hotcoco is not installed, and a detector was asked.
    """
    doubts = doubts_of(bundle, sizes, report, looked)
    rows = sorted(
        bundle.rows,
        key=lambda row: (min((d.rank for d in doubts[row.id]), default=(len(WORDS), 0.0)), row.id),
    )
    cards = [
        _card(number, row, bundle, sizes[row.id], doubts[row.id])
        for number, row in enumerate(rows[:most], start=1)
    ]
    cards = _with_pictures(cards, max_pixels=max_pixels)
    kinds = Counter(kind for each in doubts.values() for kind in {doubt.kind for doubt in each})
    states: Counter[str] = Counter(card.row.state for card in cards)
    labels = Counter(label for card in cards for label in card.labels)
    shown_kinds = Counter(kind for card in cards for kind in card.kinds)
    html = render_page(
        "pipeline.training",
        "review_assets",
        "review",
        {
            "title": bundle.directory.name,
            "generated_at": generated_at,
            "cards": cards,
            "left_out": len(rows) - len(cards),
            "summary": report.summary,
            "states": [(key, words, states[key]) for key, words in STATES.items() if states[key]],
            "kinds": [(kind, words, shown_kinds[kind]) for kind, words in WORDS.items() if shown_kinds[kind]],
            "kind_words": WORDS,
            "state_words": STATES,
            "labels": sorted(labels.items()),
            "label_numbers": {label: number for number, label in enumerate(sorted(labels), start=1)},
            "classes": bundle.classes,
            "doubtful": sum(bool(each) for each in doubts.values()),
            "detector": looked.model if looked else None,
            "proposals": bundle.proposals,
        },
    )
    return Review(html, len(cards), len(rows) - len(cards), sum(map(bool, doubts.values())), dict(kinds))


def doubts_of(
    bundle: BundleView,
    sizes: Mapping[str, tuple[int, int] | str],
    report: ValidationReport,
    looked: Looked | None,
) -> dict[str, list[Doubt]]:
    """Return every row's doubts, the likeliest errors first: of validation, geometry and the detector."""
    found: dict[str, list[Doubt]] = {row.id: [] for row in bundle.rows}
    for issue in report.issues:
        where = f"line {issue.line}: " if issue.line else ""
        found[issue.id].append(Doubt(issue.issue, f"{where}{issue.reason or issue.path}"))
    sources = [geometric_doubts(bundle, sizes)]
    if looked is not None:
        sources.append(detector_doubts(bundle, sizes, looked.detections))
    for source in sources:
        for row_id, doubts in source.items():
            found[row_id] += doubts
    return {row_id: sorted(doubts, key=lambda doubt: doubt.rank) for row_id, doubts in found.items()}


def _card(
    number: int,
    row: AnnotatedRow,
    bundle: BundleView,
    size: tuple[int, int] | str,
    doubts: Sequence[Doubt],
) -> ReviewCard:
    known = (0, 0) if isinstance(size, str) else size
    labels = [bundle.classes[box.class_id] for box in row.boxes]
    own = row.row.class_label
    return ReviewCard(
        number=number,
        row=row,
        subset=bundle.subsets.get(row.id, ""),
        labels=sorted({*labels, *([own] if own else [])}),
        doubts=list(doubts),
        lines=_lines(row, labels, known),
        panel=Panel(_boxes(row, labels, doubts, known), _words(row, labels, doubts)),
        width=known[0],
        height=known[1],
        thumbnail=Thumbnail(problem=size) if isinstance(size, str) else Thumbnail(),
    )


def _lines(row: AnnotatedRow, labels: Sequence[str], size: tuple[int, int]) -> list[BoxLine]:
    scores: Sequence[float | None] = row.scores or [None] * len(row.boxes)
    return [
        BoxLine(
            index,
            label,
            round(box.width * size[0]),
            round(box.height * size[1]),
            score,
            label == row.row.class_label,
        )
        for index, (box, label, score) in enumerate(zip(row.boxes, labels, scores, strict=True), start=1)
    ]


def _boxes(
    row: AnnotatedRow, labels: Sequence[str], doubts: Sequence[Doubt], size: tuple[int, int]
) -> list[Box]:
    if not size[0]:
        return []
    doubted = {doubt.box for doubt in doubts if doubt.box is not None}
    plain = "proposed" if row.is_proposed else "drawn"
    drawn: list[Box | None] = [
        box_of(
            corners_within(box, size),
            f"{plain} doubted" if index in doubted else plain,
            size,
            f"{index + 1} {short(label)}",
        )
        for index, (box, label) in enumerate(zip(row.boxes, labels, strict=True))
    ]
    for doubt in doubts:
        seen = doubt.detection
        if seen is not None:
            drawn.append(box_of(seen.box, "seen", size, f"{short(seen.label)} {seen.score:.2f}", below=True))
    return [box for box in drawn if box is not None]


def _words(row: AnnotatedRow, labels: Sequence[str], doubts: Sequence[Doubt]) -> str:
    """Return what is drawn, for those who do not see the picture."""
    counted = [f"{count} {label}" for label, count in Counter(labels).items()]
    by = "proposed" if row.is_proposed else "drawn"
    words = f"{by}: {', '.join(counted)}" if counted else "no boxes"
    seen = [doubt.detection.label for doubt in doubts if doubt.detection is not None]
    return f"{words}; the detector sees {', '.join(seen)}" if seen else words


def _with_pictures(cards: Sequence[ReviewCard], *, max_pixels: int) -> list[ReviewCard]:
    limit = min(PICTURES_BYTES // max(len(cards), 1), MOST_BYTES)

    def made(index: int) -> tuple[int, ReviewCard]:
        card = cards[index]
        return index, card if card.thumbnail.problem else _with_picture(card, limit, max_pixels)

    found = spread(range(len(cards)), lambda: made, workers=cores())
    done = sorted(track(found, total=len(cards), what="Reading pictures"), key=lambda pair: pair[0])
    return [card for _, card in done]


def _with_picture(card: ReviewCard, limit: int, max_pixels: int) -> ReviewCard:
    source = card.row.row.image_file
    try:
        data = read_image_bytes(card.row.row.image, source=source)
        small = thumbnail(data, source=source, sizes=LARGE, limit=limit, max_pixels=max_pixels)
    except (ImageError, InputError) as error:
        return replace(card, thumbnail=Thumbnail(problem=error.message))
    return replace(card, thumbnail=small)
