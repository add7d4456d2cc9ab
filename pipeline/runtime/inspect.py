"""What a .tflite wants and gives: layout, types, head, classes, coordinates. No work is done with it yet."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pipeline.runtime.heads import Head, InputForm, head_of, input_form
from pipeline.runtime.interpreters import TfliteRuntime
from pipeline.runtime.probe import probe
from pipeline.support.errors import ModelError
from pipeline.support.files import sha256_file
from pipeline.support.tflite_file import TensorSpec, read_tflite


@dataclass(frozen=True, slots=True)
class ModelIO:
    """The inputs and outputs of a detector, as its file tells them."""

    source: str
    """The file, as it was named."""
    sha256: str
    input: TensorSpec
    outputs: tuple[TensorSpec, ...]
    form: InputForm
    """Layout and size of the input."""
    head: Head
    classes: int | None
    """How many classes the model tells apart; None where the file does not say."""
    names: tuple[str, ...] | None
    """Class names that the exporter put into the file, by class id."""
    integer_activations: bool
    """Whether it was quantised statically; the plain kernels run it, see `TfliteBackend`."""
    coordinates: str | None
    """``pixels`` of the input or ``normalised`` to 0..1, seen on a trial run; None where it gave no box, or
    none was made."""


def inspect_model(path: Path, *, runtime: TfliteRuntime = "litert", trial: bool = True) -> ModelIO:
    """Tell what a model wants and gives, and that it runs.

    Args:
        path: the .tflite file.
        runtime: the interpreter of the trial run.
        trial: run it once, in a process of its own, which a hostile file may abort. Without it the structure
            alone is read, which needs no interpreter at all.

    Raises:
        InputError: the file is missing or cannot be read.
        ModelError: it is no TFLite file, damaged, wants more than one picture, has an unknown head, or does
            not run.
        MissingExtraError: the interpreter is not installed.
    """
    source = str(path)
    file = read_tflite(path)
    form = input_form(file.inputs, source=source)
    classes = file.class_count
    head = head_of(file.outputs, form, classes=classes, source=source)
    digest = sha256_file(path)
    coordinates = probe(path, digest=digest, runtime=runtime) if trial else None
    return ModelIO(
        source, digest, file.inputs[0], file.outputs, form, head, head.classes or classes, file.names,
        file.integer_activations, coordinates,
    )  # fmt: skip


def require_class_count(source: str, classes: int | None, labels: Sequence[str]) -> None:
    """Check that there is a label for every class.

    Args:
        source: the model's file, for errors.
        classes: how many classes the model tells apart; None where it does not say.
        labels: the labels by class id.

    Raises:
        ModelError: there are more or fewer labels than classes, or none.
    """
    if not labels:
        raise ModelError(f"{source}: the labels file names no label")
    if classes is not None and classes != len(labels):
        raise ModelError(
            f"{source}: the model tells {classes} classes apart, and the labels file names {len(labels)}",
            hint="Give the labels file that was made with this model.",
        )
