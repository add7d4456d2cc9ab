"""Rows added to a manifest for what it has too few of: negatives, and further pictures of a label."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from pipeline.contracts.manifest import ManifestRow
from pipeline.contracts.text import slug
from pipeline.evaluation.depth import depths, todo_by_label

SCENES = (
    "forest trail", "mountain landscape", "city skyline", "street traffic", "living room interior",
    "kitchen interior", "office workspace", "dog park", "cat indoor", "soccer field", "playground",
    "beach coastline", "snowy road", "night city", "flowers garden", "river water", "airplane sky",
    "railway platform", "market hall", "bird on a branch", "desert dunes", "harbor boats",
)  # fmt: skip
"""What negatives are searched for: no household waste in sight. The first are those of manifests in use."""

DEPTH_PREFIX = "todo_depth_"
_DEPTH_NOTES = "Auto-generated depth expansion placeholder."


@dataclass(slots=True)
class Seeds:
    """The rows to append, and the figures they follow from."""

    rows: list[ManifestRow] = field(default_factory=list)
    before: int = 0
    """Negatives, or labels below the target, before."""
    left_out: int = 0
    """Rows that are wanting, and were left out by the limit."""


def seed_negatives(images: Sequence[ManifestRow], *, count: int, scenes: Sequence[str] = SCENES) -> Seeds:
    """Return the negatives that a manifest lacks to have ``count``.

    Each scene is asked for once before one is asked for again (``…_2``); a scene that a row of the manifest
    asks for is passed over. What stands there is not touched, and a second call adds nothing.

    Args:
        images: the manifest's rows.
        count: negatives that it should have, with a picture or not.
        scenes: what to ask for, in order, each once.
    """
    names = {row.name for row in images}
    seeds = Seeds(before=sum(row.is_negative for row in images))
    wanted = max(0, count - seeds.before) if scenes else 0
    number = 1
    while len(seeds.rows) < wanted:
        for scene in scenes:
            name = f"todo_negative_{slug(scene, limit=60) or 'scene'}_{number}"
            if name not in names and len(seeds.rows) < wanted:
                names.add(name)
                seeds.rows.append(_row(name, [], f"Negative benchmark seed. query_hint={scene}"))
        number += 1
    return seeds


def seed_depth(images: Sequence[ManifestRow], *, target: int, max_open: int) -> Seeds:
    """Return a row for each picture that labels lack to have ``target``, ready or asked for.

    The labels that lack most come first. Placeholders that wait for a picture count against ``max_open``, so
    that a second call adds nothing, and more are asked for as pictures come in.

    Args:
        images: the manifest's rows.
        target: pictures that each label should have.
        max_open: placeholders of this kind that may wait at once.
    """
    names = {row.name for row in images}
    todo = todo_by_label(images)
    waiting = sum(row.name.startswith(DEPTH_PREFIX) and not row.is_ready for row in images)
    room = max(0, max_open - waiting)
    items = _items(images)
    lacking = [
        (target - ready - len(todo.get(label, ())), ready, label) for label, ready in depths(images).items()
    ]
    lacking = sorted(
        (each for each in lacking if each[0] > 0),
        key=lambda each: (-each[0], each[1], each[2].casefold(), each[2]),
    )
    seeds = Seeds(before=len(lacking), left_out=max(0, sum(each[0] for each in lacking) - room))
    for deficit, _, label in lacking:
        number = len(todo.get(label, ()))
        for _ in range(min(deficit, room - len(seeds.rows))):
            number += 1
            while (name := f"{DEPTH_PREFIX}{slug(label, limit=100) or 'label'}_v{number}") in names:
                number += 1
            names.add(name)
            row = _row(name, [label], _DEPTH_NOTES)
            item_id = items.get(label)
            seeds.rows.append(row.replace(item_id=item_id) if item_id else row)
    return seeds


def _items(images: Sequence[ManifestRow]) -> dict[str, str]:
    """Return label to item: of a row that names this label alone, else of one whose item is its slug."""
    items: dict[str, str] = {}
    for row in images:
        labels = row.labels()
        if row.item_id and len(labels) == 1:
            items.setdefault(labels[0], row.item_id)
    for row in images:
        for label in row.labels():
            if row.item_id and row.item_id == slug(label):
                items.setdefault(label, row.item_id)
    return items


def _row(name: str, expected_any: list[str], notes: str) -> ManifestRow:
    return ManifestRow(
        name=name,
        url="",
        expected_any=expected_any,
        expected_all=[],
        required=False,
        status="todo",
        notes=notes,
    )
