"""The pictures of the report: which are shown, in which order, and what both models drew on each."""

from __future__ import annotations

from collections import Counter, defaultdict, deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from pipeline.contracts.comparison import Comparison, PictureChange
from pipeline.contracts.results import BenchmarkResults, Detection, ResultRow
from pipeline.evaluation.pairing import Pair
from pipeline.evaluation.report_pictures import Wanted
from pipeline.support.drawn_boxes import Box, box_of, short, text_size
from pipeline.support.errors import InputError
from pipeline.support.thumbnails import Thumbnail

KINDS = {
    "newly_missed": "newly missed",
    "new_false_alarm": "new false alarm",
    "changed_label": "changed label",
    "newly_found": "newly found",
    "gone_false_alarm": "false alarm gone",
    "missed": "missed",
    "false_alarm": "false alarm",
    "still_wrong": "wrong with both",
    "right": "right",
}
"""Kinds of change, then what a picture is without one, in the order in which they are shown."""
MOST_LARGE = 500
MOST_SMALL = 500

_Shown = tuple[tuple[ResultRow, ...], list[str]]
"""A picture's rows, the candidate's last, and its kinds."""


@dataclass(frozen=True, slots=True)
class Found:
    """A label that a model predicted, its best score where it is known, and whether it was expected."""

    label: str
    score: float | None
    right: bool


@dataclass(frozen=True, slots=True)
class Panel:
    """What one model made of a picture."""

    side: str
    boxes: list[Box]
    found: list[Found]
    missed: list[str]

    @property
    def words(self) -> str:
        """The same for those who do not see the picture."""
        found = ", ".join(each.label for each in self.found) or "nothing"
        return f"{self.side} found {found}" + (f" and missed {', '.join(self.missed)}" if self.missed else "")


@dataclass(frozen=True, slots=True)
class Card:
    """A picture with its panels. ``width`` and ``height`` are 0 where the size is not known."""

    number: int
    name: str
    kinds: list[str]
    expected: list[str]
    any_of: bool
    labels: list[str]
    panels: list[Panel]
    wanted: Wanted
    width: int
    height: int
    thumbnail: Thumbnail = field(default_factory=Thumbnail)

    @property
    def text_size(self) -> float:
        """Height of a box's text in pixels of the picture."""
        return text_size((self.width, self.height))

    def with_thumbnail(self, thumbnail: Thumbnail) -> Card:
        """Return the card with its picture; where the size was not known, no box was drawn either."""
        if self.width:
            return replace(self, thumbnail=thumbnail)
        return replace(self, thumbnail=thumbnail, width=thumbnail.width, height=thumbnail.height)


@dataclass(frozen=True, slots=True)
class Cards:
    """The pictures that are shown large and small, how many of each are left out, and what to filter by."""

    large: list[Card]
    small: list[Card]
    large_left: int
    small_left: int

    @property
    def kinds(self) -> list[tuple[str, str, int]]:
        """Kinds among the large ones: key, words, pictures."""
        counts = Counter(kind for card in self.large for kind in card.kinds)
        return [(kind, words, counts[kind]) for kind, words in KINDS.items() if counts[kind]]

    @property
    def labels(self) -> list[tuple[str, int]]:
        """Labels that are expected or predicted on the large ones, and on how many."""
        return sorted(Counter(label for card in self.large for label in card.labels).items())


def cards_of(comparison: Comparison, pairs: Sequence[Pair], candidate: BenchmarkResults) -> Cards:
    """Return the cards, without thumbnails: changed pictures large, the others small.

    Without a baseline the pictures that the candidate has wrong are large.

    Raises:
        InputError: the comparison names a changed picture that the results do not have so.
    """
    large, small = _alone(candidate.results) if comparison.baseline is None else _compared(comparison, pairs)
    return Cards(
        [
            _card(number, sides, kinds, large=True)
            for number, (sides, kinds) in enumerate(large[:MOST_LARGE], start=1)
        ],
        [
            _card(number, sides[-1:], kinds, large=False)
            for number, (sides, kinds) in enumerate(small[:MOST_SMALL], start=1)
        ],
        max(len(large) - MOST_LARGE, 0),
        max(len(small) - MOST_SMALL, 0),
    )


def located(row: ResultRow) -> tuple[int, int]:
    """Return width and height of a picture; 0, 0 where they are not known."""
    if row.size is None or len(row.size) != 2 or min(row.size) < 1:
        return 0, 0
    return row.size[0], row.size[1]


def _changed(
    changes: Iterable[PictureChange], pairs: Sequence[Pair]
) -> tuple[list[tuple[PictureChange, Pair]], list[Pair]]:
    waiting: defaultdict[tuple[object, ...], deque[int]] = defaultdict(deque)
    for index, (before, after) in enumerate(pairs):
        if before.predicted_labels != after.predicted_labels:
            key = (after.name, after.url, *before.predicted_labels, None, *after.predicted_labels)
            waiting[key].append(index)
    found = []
    for change in changes:
        key = (change.name, change.url, *change.baseline_labels, None, *change.candidate_labels)
        if not waiting[key]:
            raise InputError(
                f"the comparison is of other results: they do not have {change.name} as it says",
                hint="Compare again with: repath evaluation compare-benchmark-results",
            )
        found.append((change, waiting[key].popleft()))
    taken = {index for _, index in found}
    rest = [pair for index, pair in enumerate(pairs) if index not in taken]
    return [(change, pairs[index]) for change, index in found], rest


def _alone(rows: Iterable[ResultRow]) -> tuple[list[_Shown], list[_Shown]]:
    """Return the pictures that the one model has wrong, missed ones first, and those it has right."""
    shown: list[_Shown] = [((row,), _faults(row)) for row in rows]
    wrong = [entry for entry in shown if entry[1] != ["right"]]
    wrong.sort(key=lambda entry: list(KINDS).index(entry[1][0]))
    return wrong, [entry for entry in shown if entry[1] == ["right"]]


def _compared(comparison: Comparison, pairs: Sequence[Pair]) -> tuple[list[_Shown], list[_Shown]]:
    """Return the changed pictures in the comparison's order, and the others, those that are wrong first."""
    changed, rest = _changed(comparison.changes or [], pairs)
    large: list[_Shown] = [(pair, list(change.kinds)) for change, pair in changed]
    small: list[_Shown] = [
        (pair, ["right" if _faults(pair[1]) == ["right"] else "still_wrong"]) for pair in rest
    ]
    small.sort(key=lambda entry: entry[1] == ["right"])
    return large, small


def _scored(row: ResultRow) -> list[str]:
    return row.expected_all or row.expected_any


def _faults(row: ResultRow) -> list[str]:
    expected, found = set(_scored(row)), set(row.predicted_labels)
    faults = ["missed"] if expected - found else []
    faults += ["false_alarm"] if found - expected else []
    return faults or ["right"]


def _card(number: int, sides: Sequence[ResultRow], kinds: list[str], *, large: bool) -> Card:
    row = sides[-1]
    names = ("Baseline", "Candidate")[-len(sides) :]
    panels = [_panel(name, side) for name, side in zip(names, sides, strict=True)]
    labels = {*_scored(row), *(each.label for panel in panels for each in panel.found)}
    width, height = located(row)
    return Card(
        number=number,
        name=row.name,
        kinds=kinds,
        expected=_scored(row),
        any_of=not row.expected_all and len(row.expected_any) > 1,
        labels=sorted(labels),
        panels=panels,
        wanted=Wanted(row, large),
        width=width,
        height=height,
    )


def _panel(name: str, row: ResultRow) -> Panel:
    expected, best = set(_scored(row)), _best_scores(row.detections)
    found = [Found(label, best.get(label), label in expected) for label in row.predicted_labels]
    missed = [label for label in _scored(row) if label not in row.predicted_labels]
    size = located(row)
    drawn = [box_of(box.box, "expected", size) for box in row.expected_boxes or []]
    named: set[str] = set()
    for each in sorted(row.detections, key=lambda detection: -detection.score):
        # Of several boxes of a label the surest is named: the others would write over it.
        text = "" if each.label in named else short(each.label)
        named.add(each.label)
        drawn.append(box_of(each.box, "right" if each.label in expected else "wrong", size, text))
    return Panel(name, [box for box in drawn if box is not None], found, missed)


def _best_scores(detections: Iterable[Detection]) -> Mapping[str, float]:
    best: dict[str, float] = {}
    for each in detections:
        best[each.label] = max(each.score, best.get(each.label, 0.0))
    return best
