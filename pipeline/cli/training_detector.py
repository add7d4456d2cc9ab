"""What the commands of annotators share: flags for a bundle and a detector, and short lists on stderr."""

from __future__ import annotations

import typing
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from pipeline.cli.common import DIRECTORY, FILE, note, setting
from pipeline.contracts.candidate import LabelsFile
from pipeline.support.documents import read_json
from pipeline.support.errors import UsageError

if TYPE_CHECKING:
    from pipeline.runtime.detector import LoadedModel

F = TypeVar("F", bound=Callable[..., Any])

NAMED = 10
"""Pictures that stderr names one by one; the files that are written name all."""


def bundle_options(command: F) -> F:
    """Add the flags that name a bundle."""
    root = setting(
        "--bundle-root", to="paths.bundles", type=DIRECTORY, required=False, help="Or the newest in here."
    )
    return click.option("--bundle-dir", type=DIRECTORY, help="The bundle.")(root(command))


def detector_options(*, required: bool) -> Callable[[F], F]:
    """Add the flags that name a detector."""

    def add(command: F) -> F:
        flags = (
            click.option(
                "--model",
                type=FILE,
                required=required,
                help="The detector: a .tflite, or a .pt, which is unpickled and runs what is in it.",
            ),
            click.option(
                "--labels",
                type=FILE,
                help="JSON array of its labels by class id; by default the .labels.json beside a .tflite, "
                "and the names in a .pt.",
            ),
            click.option(
                "--map",
                "maps",
                multiple=True,
                metavar="LABEL=CLASS",
                help="A label of the detector that is a class of the bundle under another name.",
            ),
            click.option(
                "--resize",
                type=click.Choice(["letterbox", "stretch"]),
                default="letterbox",
                show_default=True,
                help="How pictures are fitted into its input; letterbox is how Ultralytics trains.",
            ),
        )
        for flag in reversed(flags):
            command = flag(command)
        return command

    return add


def open_model(model: Path, labels: Path | None, resize: str, *, conf: float) -> LoadedModel:
    """Read and check the detector that was named.

    Raises:
        UsageError: it is neither a .tflite nor a .pt, or its labels are not known.
        InputError: a file is missing or not what it should be.
        ModelError: it cannot be used, or the labels are not as many as its classes.
        MissingExtraError: what runs it is not installed.
    """
    from pipeline.runtime.detector import load_model
    from pipeline.runtime.resize import ResizeRule

    suffix = model.suffix.lower()
    if suffix not in {".tflite", ".pt"}:
        raise UsageError(f"{model} is neither a .tflite nor a .pt")
    return load_model(
        model,
        _labels_of(model, labels),
        runtime="pytorch" if suffix == ".pt" else "litert",
        resize=typing.cast("ResizeRule", resize),
        conf=conf,
    )


def label_map(maps: Sequence[str]) -> dict[str, str]:
    """Return what ``--map`` says.

    Raises:
        UsageError: it says nothing of the kind, or two things of one label.
    """
    given: dict[str, str] = {}
    for words in maps:
        label, equals, name = (part.strip() for part in words.partition("="))
        if not (label and equals and name):
            raise UsageError(f"--map {words!r} is not LABEL=CLASS")
        if given.setdefault(label, name) != name:
            raise UsageError(f"--map says two things of {label!r}")
    return given


def _labels_of(model: Path, labels: Path | None) -> list[str]:
    if labels is not None:
        return read_json(labels, LabelsFile).root
    if model.suffix.lower() == ".pt":
        from pipeline.runtime.pytorch import open_checkpoint

        return list(open_checkpoint(model).names)
    beside = model.with_name(f"{model.stem}.labels.json")
    if not beside.is_file():
        raise UsageError(f"the labels of {model} are not known", hint="Name their file with --labels.")
    return read_json(beside, LabelsFile).root


def name_some(sentences: Sequence[str]) -> None:
    """Print the first few sentences as notes, and how many more there are."""
    for sentence in sentences[:NAMED]:
        note(sentence)
    if len(sentences) > NAMED:
        note(f"… and {len(sentences) - NAMED} more like these")
