"""What an annotation tool gave back, held against the bundle: what would change, what did not come back."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from pipeline.contracts.bundle import TemplateRow
from pipeline.contracts.exchange import ImportProblem, PictureChange, ProblemKind, Tool
from pipeline.support.errors import UsageError
from pipeline.support.yolo_labels import box_of, labels_text
from pipeline.training.bundle_files import ANNOTATED, TODO
from pipeline.training.bundle_rows import AnnotatedRow, BundleView
from pipeline.training.exchange.archive import Source
from pipeline.training.exchange.coco import read_coco
from pipeline.training.exchange.compare import Compared, Placed, compare_boxes
from pipeline.training.exchange.cvat import read_cvat
from pipeline.training.exchange.label_studio import read_label_studio
from pipeline.training.exchange.model import HARMLESS, OF_ONE_SHAPE, Finding, ReadPicture, ReadRegion
from pipeline.training.exchange.outgoing import corners_within
from pipeline.training.exchange.row_finder import RowFinder
from pipeline.training.exchange.yolo import read_yolo
from pipeline.training.proposals import class_of
from pipeline.training.proposed import unmarked

MOST_BOXES = 1000
"""Boxes of one picture; the most crowded real ones have some hundred."""
_OVERHANG = 1.0
"""Pixels by which a tool's box may reach beyond the picture without a word."""
_SIZE_SLACK = 0.01
"""Share by which the proportions of a picture that a tool saw may differ, where boxes are shares."""


@dataclass(frozen=True, slots=True)
class ImportOptions:
    """How what came back is taken."""

    maps: Mapping[str, str] = field(default_factory=dict)
    """A tool's label to the class that it is."""
    partial: bool = False
    """Take a picture's boxes although some of its shapes cannot be taken."""
    allow_emptied: bool = False
    """Take it that a picture with boxes has none any more."""
    confirm_proposals: bool = False
    """A person has looked at every picture that came back."""
    annotator: str = ""


@dataclass(slots=True)
class Import:
    """What an import would do; nothing is written yet."""

    bundle: BundleView
    pictures: int = 0
    unchanged: int = 0
    labels: dict[str, str] = field(default_factory=dict)
    """Row id to the new text of its label file."""
    templates: dict[str, TemplateRow] = field(default_factory=dict)
    """Row id to its new row in the template, for those that change."""
    changes: list[PictureChange] = field(default_factory=list)
    problems: list[ImportProblem] = field(default_factory=list)
    not_returned: list[str] = field(default_factory=list)
    kept: int = 0

    @property
    def held_back(self) -> int:
        """How many rows were left as they were for a problem's sake."""
        return len({problem.id for problem in self.problems if problem.held_back and problem.id})


def read_tool(source: Source, tool: Tool) -> list[ReadPicture]:
    """Read a tool's export.

    Raises:
        InputError: it is not what the tool exports, damaged, or too large.
        ContractError: its frame is broken.
    """
    readers = {
        "cvat": read_cvat, "coco": read_coco, "yolo": read_yolo, "label-studio": read_label_studio,
    }  # fmt: skip
    return readers[tool](source)


def plan_import(
    bundle: BundleView,
    sizes: Mapping[str, tuple[int, int] | str],
    read: Sequence[ReadPicture],
    options: ImportOptions,
) -> Import:
    """Hold what came back against the bundle, picture by picture; nothing is written.

    A picture is taken whole or left as it was: one with a shape that is no box of this bundle would otherwise
    teach the detector that the item is none.

    Args:
        bundle: the bundle as it is.
        sizes: row id to width and height of its picture, or why there is none.
        read: the pictures as the tool gave them back.
        options: how they are taken.

    Raises:
        UsageError: a label is mapped onto a class that the bundle does not have.
    """
    unknown = sorted(set(options.maps.values()) - set(bundle.classes))
    if unknown:
        raise UsageError(f"--map names no class of the bundle: {', '.join(unknown)}")
    plan = Import(bundle, pictures=len(read))
    rows = RowFinder(bundle)
    came_back = Counter(row.id for picture in read if (row := rows.find(picture)) is not None)
    for picture in read:
        row = rows.find(picture)
        if row is None:
            _report(plan, picture, None, Finding("extra_picture", "the bundle has no such picture"))
        elif came_back[row.id] > 1:
            words = f"it stands in the file {came_back[row.id]} times"
            _report(plan, picture, row, Finding("picture_twice", words))
        else:
            _Picture(plan, picture, row, sizes[row.id], options).take()
    plan.not_returned = [
        row.id for row in bundle.rows if row.id not in came_back and row.state != "no_picture"
    ]
    return plan


class _Picture:
    """Takes one picture that came back."""

    def __init__(
        self,
        plan: Import,
        picture: ReadPicture,
        row: AnnotatedRow,
        size: tuple[int, int] | str,
        options: ImportOptions,
    ) -> None:
        self.plan, self.picture, self.row, self.options = plan, picture, row, options
        self.size = (1, 1) if isinstance(size, str) else size
        self.no_picture = size if isinstance(size, str) else None
        self.findings = list(picture.findings)

    def take(self) -> None:
        placed = self._placed()
        self.findings += self._about(placed)
        compared = compare_boxes(
            [Placed(box, corners_within(box, self.size)) for box in self.row.boxes], placed
        )
        proposals_stay = not self._taken and self.row.is_proposed and not compared.changed
        if proposals_stay and not self._held_back:
            words = "a detector's boxes came back as they went; whether anybody looked is not known"
            self.findings.append(Finding("proposals_unchanged", words))
        for finding in self.findings:
            _report(self.plan, self.picture, self.row, finding, partial=self.options.partial)
        if not self._held_back:
            self._change(compared, stays_proposed=proposals_stay)

    @property
    def _taken(self) -> bool:
        """Whether a person answers for the boxes as they came back."""
        touched = bool(self.picture.regions) and not all(each.by_detector for each in self.picture.regions)
        knows = any(each.by_detector for each in self.picture.regions)
        return self.options.confirm_proposals or self.picture.confirmed or (knows and touched)

    @property
    def _held_back(self) -> bool:
        return any(_holds_back(finding, partial=self.options.partial) for finding in self.findings)

    def _placed(self) -> list[Placed]:
        """Return the boxes that are this bundle's, and find fault with the others."""
        placed: list[Placed] = []
        if len(self.picture.regions) > MOST_BOXES:
            words = f"{len(self.picture.regions)} boxes, more than {MOST_BOXES}"
            self.findings.append(Finding("invalid_box", words, whole=True))
            return placed
        for region in self.picture.regions:
            name = class_of(region.label, self.plan.bundle.classes, given=self.options.maps)
            if name is None:
                self._find("unknown_label", f"the bundle has no class {region.label!r}")
                continue
            corners = self._in_pixels(region)
            box = box_of(self.plan.bundle.classes.index(name), corners, self.size)
            if box is None:
                self._find("invalid_box", f"a box of {name!r} has no area inside the picture")
                continue
            beyond = max(
                -min(corners), corners[2] - self.size[0], corners[3] - self.size[1],
                corners[0] - self.size[0], corners[1] - self.size[1],
            )  # fmt: skip
            if beyond > _OVERHANG and self.no_picture is None:
                self._find("cut_off", f"a box of {name!r} reached {beyond:.0f} pixels beyond the picture")
            placed.append(Placed(box, corners_within(box, self.size)))
        return placed

    def _in_pixels(self, region: ReadRegion) -> tuple[float, float, float, float]:
        x1, y1, x2, y2 = region.corners
        if region.unit == "shares":
            x1, x2 = x1 * self.size[0], x2 * self.size[0]
            y1, y2 = y1 * self.size[1], y2 * self.size[1]
        return min(x1, x2), min(y1, y2), max(x1, x2), max(y1, y2)

    def _about(self, placed: Sequence[Placed]) -> list[Finding]:
        if self.no_picture is not None:
            return [Finding("no_picture", self.no_picture)]
        other = self._other_size()
        if other:
            return [Finding("other_size", other)]
        if self.row.row.is_negative and placed:
            words = f"{len(placed)} boxes on a negative, which shows no item"
            return [Finding("negative_has_boxes", words)]
        had = len(self.row.boxes)
        if not self.picture.answered:
            # A negative needs no answer, and where nothing was drawn nothing is lost.
            return [] if self.row.row.is_negative else [Finding("not_annotated", "nobody has annotated it")]
        if had and not placed and not self.options.allow_emptied and not self._held_back:
            words = f"it came back without a box and has {had}, which stay; --allow-emptied takes them away"
            return [Finding("emptied", words)]
        return []

    def _other_size(self) -> str:
        if self.picture.size is None:
            return ""
        (width, height), (own_width, own_height) = self.picture.size, self.size
        if (width, height) == (own_width, own_height):
            return ""
        alike = (
            self.picture.any_scale
            and width > 0
            and height > 0
            and abs(width * own_height / (height * own_width) - 1) <= _SIZE_SLACK
        )
        if alike:
            return ""
        return f"the tool saw {width:g}x{height:g} pixels, and the bundle has {own_width}x{own_height}"

    def _find(self, kind: ProblemKind, reason: str) -> None:
        self.findings.append(Finding(kind, reason))

    def _change(self, compared: Compared, *, stays_proposed: bool) -> None:
        row, plan = self.row, self.plan
        plan.kept += compared.kept
        if compared.changed or row.faults:
            plan.labels[row.id] = labels_text(compared.boxes)
        status = self._status(len(compared.boxes), stays_proposed=stays_proposed)
        template = row.template
        if status != row.status:
            template = unmarked(template).replace(status=status)
        if self.options.annotator and (compared.changed or status != row.status):
            template = template.replace(annotator=self.options.annotator)
        if template != row.template:
            plan.templates[row.id] = template
        if not compared.changed and not row.faults:
            plan.unchanged += 1
            return
        plan.changes.append(
            PictureChange(
                id=row.id,
                before=len(row.boxes),
                after=len(compared.boxes),
                kept=compared.kept,
                moved=compared.moved,
                relabelled=compared.relabelled,
                added=compared.added,
                removed=compared.removed,
                status=status,
            )
        )

    def _status(self, boxes: int, *, stays_proposed: bool) -> str:
        """Return the row's status afterwards; one that a person chose stays."""
        row = self.row
        if row.row.is_negative or stays_proposed:
            return row.status
        ours = row.status in {"", TODO, ANNOTATED} or row.is_proposed
        return (ANNOTATED if boxes else TODO) if ours else row.status


def _holds_back(finding: Finding, *, partial: bool) -> bool:
    if finding.kind in HARMLESS:
        return False
    return not (partial and finding.kind in OF_ONE_SHAPE and not finding.whole)


def _report(
    plan: Import, picture: ReadPicture, row: AnnotatedRow | None, finding: Finding, *, partial: bool = False
) -> None:
    plan.problems.append(
        ImportProblem(
            kind=finding.kind,
            picture=_on_one_line(picture.name or (row.id if row else "")),
            id=row.id if row else None,
            reason=_on_one_line(finding.reason),
            held_back=row is not None and _holds_back(finding, partial=partial),
        )
    )


def _on_one_line(text: str) -> str:
    """Return text of a file that is not trusted as a report may hold it."""
    kept = "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in text)
    return kept if len(kept) <= 300 else f"{kept[:299]}…"
