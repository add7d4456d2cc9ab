"""The text files of a bundle: template, dataset.yaml, lists of the subsets, and instructions."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from pipeline.contracts.bundle import IMAGES, LABELS, Split, Subset, TemplateRow
from pipeline.contracts.retraining import RetrainingSample

TODO, ANNOTATED, NEGATIVE, NO_PICTURE = "todo", "annotated", "negative", "missing_image"
PROPOSED = "proposed"
"""The boxes are a detector's; a person who has looked at them sets another status, such as ``done``."""
_OURS = frozenset({TODO, ANNOTATED, NEGATIVE, NO_PICTURE, ""})


def template_row(
    sample: RetrainingSample,
    *,
    image_file: str,
    label_file: str,
    has_boxes: bool,
    classes: Mapping[str, int],
    earlier: TemplateRow | None,
) -> TemplateRow:
    """Return a sample's row; what a person wrote into an earlier one is kept.

    Args:
        sample: what the row is about.
        image_file: the picture relative to the bundle, ``""`` where it is missing.
        label_file: the label file relative to the bundle.
        has_boxes: whether boxes are drawn.
        classes: label to class id.
        earlier: the row that stood in the template before.
    """
    if sample.is_negative:
        status = NEGATIVE
    elif not image_file:
        status = NO_PICTURE
    else:
        status = ANNOTATED if has_boxes else TODO
    fresh = {
        "id": sample.id,
        "image_file": image_file,
        "label_file": label_file,
        "is_negative": "true" if sample.is_negative else "false",
        "class_label": sample.label or "",
        "class_id": "" if sample.label is None else str(classes[sample.label]),
    }
    if earlier is None:
        return TemplateRow(**fresh, status=status, annotator="", notes=sample.notes)
    return earlier.replace(**fresh, status=status if earlier.status in _OURS else earlier.status)


def dataset_yaml(classes: Sequence[str], split: Split) -> str:
    """Return ``dataset.yaml``: no ``path``, so that Ultralytics takes the folder it lies in.

    Without a validation picture ``val`` is the training list: Ultralytics needs one, and what it then reports
    is how well the training pictures were learnt, nothing else.
    """
    lines = ["# Ultralytics dataset. Which picture is where, and why: split.json."]
    has_val = split.counts["val"] > 0
    if not has_val:
        lines.append(
            "# Too small to split: val is the training list, and its figures say nothing of new pictures."
        )
    lines += [f"train: {list_file('train')}", f"val: {list_file('val' if has_val else 'train')}"]
    if split.counts["test"]:
        lines.append(f"test: {list_file('test')}")
    lines.append("names:")
    lines += [f"  {index}: {yaml_quoted(label)}" for index, label in enumerate(classes)]
    return "\n".join(lines) + "\n"


def list_file(subset: Subset) -> str:
    """Return the name of the file that lists the pictures of a subset."""
    return f"{subset}.txt"


def subset_list(split: Split, subset: Subset, image_files: Mapping[str, str]) -> str:
    """Return the list of a subset's pictures; Ultralytics reads ``./`` as the folder of the list."""
    return "".join(f"./{image_files[entry.id]}\n" for entry in split.entries if entry.subset == subset)


def instructions(run_id: str, classes: Sequence[str]) -> str:
    """Return ``INSTRUCTIONS.md`` for the people who draw the boxes."""
    rows = "\n".join(f"| {index} | {_in_markdown(label)} |" for index, label in enumerate(classes))
    return _INSTRUCTIONS.format(run_id=_in_markdown(run_id), rows=rows, images=IMAGES, labels=LABELS)


def yaml_quoted(text: str) -> str:
    """Return text as a double-quoted YAML scalar: JSON's, with what YAML does not print escaped."""
    # JSON's own escapes of what lies beyond 16 bits are halves that YAML does not put together.
    quoted = json.dumps(text, ensure_ascii=False)
    return "".join(char if char.isprintable() else f"\\U{ord(char):08X}" for char in quoted)


def _in_markdown(text: str) -> str:
    """Return text that shows as it is in a table of Markdown."""
    return "".join(f"\\{char}" if char in r"\`*_{}[]()<>#+-.!|~&@" else char for char in text)


_INSTRUCTIONS = """\
# Annotation bundle {run_id}

1. Open `{images}/` in a tool that writes YOLO boxes (for example CVAT, Label Studio or labelImg).
2. Draw a tight box around **every** item of the classes below, also where a picture shows several, or one of
   another class than its row in `annotations-template.csv` names. An item without a box teaches the
   detector not to see it.
3. Save as `{labels}/<id>.txt`, one line a box: `class x_center y_center width height`, each of the four a
   share of the picture's width or height (0 to 1). The class is the id below.
4. Leave the file of a negative (`is_negative` is `true`) empty: nothing is to be detected there. If it does
   show an item, correct the labeled CSV instead and build the bundle again.
5. In `annotations-template.csv` set `status` to `done`, and write your name under `annotator`. Both are kept
   when the bundle is built again, as are all boxes that are drawn. Where `status` is `proposed` the boxes
   are a detector's: correct them, then set `done`. Training does not start on proposals nobody looked at.
6. Check: `repath training validate-annotation-bundle --bundle-dir <this folder> --strict`

| id | class |
|---|---|
{rows}
"""
