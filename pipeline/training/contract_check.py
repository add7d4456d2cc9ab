"""Whether the app can use a .tflite, in plain words: layout, types, head, classes."""

from __future__ import annotations

import hashlib
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.runtime.inspect import ModelIO, inspect_model, require_class_count
from pipeline.support.files import open_input
from pipeline.support.tflite_file import read_tflite

APP_SIZE = 640
"""The side that the app resizes pictures to."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a file is, and why the app can or cannot use it."""

    model: ModelIO
    flatbuffer_sha256: str
    labels: int
    faults: list[str]
    """Why the app would load it and detect nonsense, or not load it."""
    notes: list[str]
    """What else is worth knowing; none of it keeps the app from using the file."""

    @property
    def usable(self) -> bool:
        """Whether the app can use it as it is."""
        return not self.faults

    def to_data(self) -> dict[str, Any]:
        """Return the verdict as the command prints it."""
        io = self.model
        return {
            "usable_by_app": self.usable,
            "reasons": self.faults,
            "notes": self.notes,
            "sha256": io.sha256,
            "flatbuffer_sha256": self.flatbuffer_sha256,
            "input": {"layout": io.form.layout, "shape": list(io.input.shape), "dtype": io.input.dtype},
            "output": {"shape": list(io.outputs[0].shape), "dtype": io.outputs[0].dtype},
            "outputs": len(io.outputs),
            "head": io.head.kind,
            "coordinates": io.coordinates,
            "classes": io.classes,
            "labels": self.labels,
        }


def check_model(path: Path, labels: Sequence[str]) -> Verdict:
    """Say whether the app can use a model with these labels.

    The structure is read first, then the model runs once in a process of its own: a damaged or hostile file
    may abort that one.

    Raises:
        InputError: the file is missing.
        ModelError: it is no TFLite file, damaged, has more than one input, an unknown head, or another number
            of classes than there are labels.
        MissingExtraError: the interpreter is not installed.
    """
    untried = inspect_model(path, trial=False)
    require_class_count(untried.source, untried.classes, labels)
    io = inspect_model(path)
    return Verdict(io, flatbuffer_digest(path), len(labels), read_tflite(path).app_faults, _notes(io, labels))


def flatbuffer_digest(path: Path) -> str:
    """Return the SHA-256 of a .tflite without the zip that Ultralytics appends, which carries a date.

    Raises:
        InputError: the file is missing.
    """
    with open_input(path) as stream:
        content = stream.read()
    try:
        with zipfile.ZipFile(path) as archive:
            starts = [entry.header_offset for entry in archive.infolist()]
    except (zipfile.BadZipFile, ValueError, NotImplementedError):
        starts = []  # nothing is appended
    # An offset is what the file says: one outside of it says nothing.
    end = min([start for start in starts if 0 < start < len(content)], default=len(content))
    return hashlib.sha256(content[:end]).hexdigest()


def _notes(io: ModelIO, labels: Sequence[str]) -> list[str]:
    notes = []
    if len(io.outputs) > 1:
        notes.append(f"it has {len(io.outputs)} outputs; the app reads the first")
    if io.form.height != APP_SIZE:
        notes.append(
            f"its input is {io.form.width}×{io.form.height}, and the app resizes to {APP_SIZE}×{APP_SIZE} "
            "unless it takes the size from the model"
        )
    if io.classes is None:
        notes.append("the file does not say how many classes it tells apart: the labels could not be checked")
    if io.names is not None and list(io.names) != list(labels):
        notes.append("the class names inside the file are others than the labels, or in another order")
    return notes
