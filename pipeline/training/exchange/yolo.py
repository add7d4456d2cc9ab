"""YOLO: an Ultralytics dataset, as it trains on it and as CVAT and Label Studio export it.

Format: https://docs.ultralytics.com/datasets/detect/ and
https://docs.cvat.ai/docs/dataset_management/formats/format-yolo-ultralytics/. CVAT's older "YOLO 1.1"
(``obj.names``) and Label Studio's (``classes.txt``) are read too. Class ids mean what the file's own names
say.
"""

from __future__ import annotations

from typing import Any

from pipeline.contracts.base import shown
from pipeline.support.errors import ContractError, Fault, InputError
from pipeline.support.yolo_labels import MAX_BYTES as MAX_LABEL_BYTES
from pipeline.support.yolo_labels import LineFault, corners_of, labels_text, parse_labels
from pipeline.training.bundle_files import yaml_quoted
from pipeline.training.exchange.archive import Source, base_name
from pipeline.training.exchange.model import Outgoing, ReadPicture, ReadRegion

DATA = "data.yaml"
_NAMES = ("data.yaml", "dataset.yaml", "data.yml", "dataset.yml", "obj.names", "classes.txt", "classes.json",
          "notes.json")  # fmt: skip
"""Where class names are looked for, in this order."""
_NO_LABELS = frozenset(
    {"classes.txt", "train.txt", "val.txt", "valid.txt", "test.txt", "readme.txt", "readme.roboflow.txt",
     "readme.dataset.txt"}
)  # fmt: skip
"""Text files beside label files that are none."""
_MOST_CLASSES = 10_000
_SUBSETS = ("train", "val", "test")


def yolo_files(bundle: Outgoing) -> dict[str, bytes]:
    """Return ``data.yaml`` and the label files; pictures belong into ``images/<subset>/``."""
    subsets = [name for name in _SUBSETS if any(picture.subset == name for picture in bundle.pictures)]
    first = subsets[0] if subsets else "train"
    places = {name: f"images/{name}" for name in _SUBSETS if name in subsets}
    # Without "path" Ultralytics takes the folder that the file lies in, wherever it is unpacked.
    lines = [
        f"train: {places.get('train', f'images/{first}')}",
        # Ultralytics needs both; without pictures of their own they are the same.
        f"val: {places.get('val', f'images/{first}')}",
        *([f"test: {places['test']}"] if "test" in places else []),
        "names:",
        *(f"  {index}: {yaml_quoted(label)}" for index, label in enumerate(bundle.classes)),
    ]
    files = {DATA: ("\n".join(lines) + "\n").encode()}
    for picture in bundle.pictures:
        stem = picture.name.rpartition(".")[0]
        text = labels_text([region.box for region in picture.regions])
        files[f"labels/{picture.subset}/{stem}.txt"] = text.encode()
    return files


def read_yolo(source: Source) -> list[ReadPicture]:
    """Read a zip or folder of label files with their class names.

    Raises:
        InputError: it names no classes, or holds no label file.
        ContractError: the names are not what they should be.
    """
    names = _class_names(source)
    pictures = []
    for name in _label_files(source):
        picture = ReadPicture(base_name(name).rpartition(".")[0], any_scale=True)
        boxes, faults = parse_labels(
            source.read(name, most=MAX_LABEL_BYTES + 1), class_count=max(names, default=-1) + 1
        )
        for box in boxes:
            label = names.get(box.class_id)
            if label is None:
                picture.find("unknown_label", f"the class {box.class_id}, which has no name")
            else:
                picture.regions.append(ReadRegion(label, corners_of(box, (1, 1)), "shares"))
        for fault in faults:
            _find(fault, picture)
        pictures.append(picture)
    if not pictures:
        raise InputError(f"{source.path}: no label file (.txt) in it")
    return pictures


def _find(fault: LineFault, picture: ReadPicture) -> None:
    words = f"line {fault.line} {fault.reason}"
    if fault.kind == "unknown_class_id":
        picture.find("unknown_label", f"line {fault.line}: {fault.reason}")
    elif fault.kind == "invalid_yolo_line" and fault.values >= 7:
        picture.find("unsupported_shape", f"{words}: an outline or a turned box")
    else:
        picture.find("invalid_box", words)


def _label_files(source: Source) -> list[str]:
    texts = sorted(name for name in source.names if name.lower().endswith(".txt"))
    placed = [name for name in texts if _is_placed(name)]
    return placed or [name for name in texts if base_name(name).lower() not in _NO_LABELS]


def _is_placed(name: str) -> bool:
    """Tell whether a file lies where tools put label files: ``labels/``, or CVAT's ``obj_<subset>_data/``."""
    folders = name.replace("\\", "/").split("/")[:-1]
    return any(part == "labels" or (part.startswith("obj_") and part.endswith("_data")) for part in folders)


def _class_names(source: Source) -> dict[int, str]:
    for wanted in _NAMES:
        found = [name for name in source.names if base_name(name) == wanted and not _is_placed(name)]
        if found:
            name = min(found, key=lambda each: (each.count("/"), each))
            return _checked(_names_in(source, name), source.described(name))
    raise InputError(
        f"{source.path}: class ids mean nothing without their names",
        hint=f"It needs one of {', '.join(_NAMES)}.",
    )


def _names_in(source: Source, name: str) -> Any:
    if name.lower().endswith((".yaml", ".yml")):
        document = _yaml(source.text(name), source.described(name))
        return document.get("names") if isinstance(document, dict) else None
    if name.lower().endswith(".json"):
        document = source.json(name)
        listed = document.get("classes", document.get("categories")) if isinstance(document, dict) else None
        if not isinstance(listed, list) or not all(isinstance(entry, dict) for entry in listed):
            return None
        return {entry.get("id"): entry.get("label", entry.get("name")) for entry in listed if _id_of(entry)}
    return [line.strip() for line in source.text(name).splitlines() if line.strip()]


def _id_of(entry: dict[str, Any]) -> bool:
    return isinstance(entry.get("id"), int)


def _checked(names: Any, described: str) -> dict[int, str]:
    if isinstance(names, list):
        names = dict(enumerate(names))
    if not isinstance(names, dict) or not names or len(names) > _MOST_CLASSES:
        raise ContractError(described, [Fault("names", "must be the class names, by id")])
    faults = [
        Fault("names", f"{shown(key)}: {shown(name)} is no class id with its name")
        for key, name in names.items()
        if isinstance(key, bool) or not isinstance(key, int) or not 0 <= key < _MOST_CLASSES
        or not isinstance(name, str) or not name.strip()
    ]  # fmt: skip
    if not faults and len({name.strip() for name in names.values()}) < len(names):
        faults = [Fault("names", "a class stands twice")]
    if faults:
        raise ContractError(described, faults)
    return {key: name.strip() for key, name in names.items()}


def _yaml(text: str, described: str) -> Any:
    import yaml

    class Loader(yaml.SafeLoader):
        """Plain data alone, without aliases: a few lines of those can stand for more than any memory."""

        def compose_node(self, parent: Any, index: Any) -> Any:
            if self.check_event(yaml.AliasEvent):
                raise yaml.YAMLError("holds an alias")
            return super().compose_node(parent, index)

    try:
        return yaml.load(text, Loader=Loader)  # noqa: S506 - it is a SafeLoader
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        reason = " ".join(str(error).split())[:200]
        raise InputError(f"{described}: not usable YAML: {reason}") from None
