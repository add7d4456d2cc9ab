"""Candidates: found under their root, and held to the digests that their metadata names."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from pipeline.contracts.candidate import Artifact, CandidateMetadata, LabelsFile
from pipeline.support.documents import read_json
from pipeline.support.errors import DigestMismatchError, InputError
from pipeline.support.files import sha256_file
from pipeline.support.runs import complete_runs, newest_run

METADATA = "metadata.json"
STEMS = ("yolo-repath", "yolov8")
"""The names that model and labels have; the second is that of older candidates."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A candidate whose files are those that its metadata names."""

    directory: Path
    metadata: CandidateMetadata
    model: Path
    labels: Path
    model_artifact: Artifact
    labels_artifact: Artifact
    class_labels: tuple[str, ...]


def newest_candidate(root: Path) -> Path:
    """Return the folder of the newest candidate under ``root``.

    Raises:
        InputError: there is none, or ``root`` cannot be read.
    """
    return newest_run(root, METADATA)


def candidate_files(directory: Path) -> tuple[Path, Path]:
    """Return a candidate's model and labels: ``yolo-repath.*`` or, of an older one, ``yolov8.*``.

    Raises:
        InputError: one of the two is missing.
    """
    for stem in STEMS:
        model, labels = directory / f"{stem}.tflite", directory / f"{stem}.labels.json"
        if model.is_file() and labels.is_file():
            return model, labels
    names = f"{STEMS[0]}.tflite and {STEMS[0]}.labels.json"
    raise InputError(
        f"{directory} is not a candidate: it does not hold {names} (or, as older ones do, {STEMS[1]}.*)"
    )


def open_candidate(directory: Path) -> Candidate:
    """Read a candidate and hold its files to its metadata.

    Raises:
        InputError: a file is missing or not what it should be.
        ContractError: metadata or labels have another shape.
        DigestMismatchError: model or labels are not the files that the metadata names.
    """
    model, labels = candidate_files(directory)
    metadata = read_json(directory / METADATA, CandidateMetadata)
    class_labels = read_json(labels, LabelsFile).root
    return Candidate(
        directory=directory,
        metadata=metadata,
        model=model,
        labels=labels,
        model_artifact=_held_to(metadata, model),
        labels_artifact=_held_to(metadata, labels),
        class_labels=tuple(class_labels),
    )


def candidate_with_model(root: Path, *, sha256: str | None, path: str | None) -> Path:
    """Return the candidate under ``root`` whose model was measured.

    Args:
        root: the folder of the candidates.
        sha256: the digest of the model, where it is known: it decides.
        path: the path of the model as it was recorded; its folder's name is the run id.

    Raises:
        InputError: no candidate has this model.
        DigestMismatchError: the candidate of that path has another model now.
    """
    runs = complete_runs(root, METADATA)
    run_id = PurePosixPath(path).parent.name if path else ""
    named = next((run for run in runs if run.name == run_id), None)
    if sha256 is None and named is not None:
        return named
    if sha256 is not None:
        for run in [named, *runs] if named is not None else runs:
            if sha256_file(candidate_files(run)[0]) == sha256:
                return run
        if named is not None:
            raise DigestMismatchError(
                f"the model of {named} is not the one that was measured (SHA-256 {sha256[:12]}…)",
                hint="Benchmark the candidate again.",
            )
    raise InputError(
        f"no candidate under {root} has the model that was measured ({path or sha256})",
        hint="Name one with --candidate-dir or --candidate-id.",
    )


def _held_to(metadata: CandidateMetadata, path: Path) -> Artifact:
    found = Artifact(filename=path.name, sha256=sha256_file(path), bytes=path.stat().st_size)
    named = [(name, digest) for name, digest in _named(metadata.artifacts) if name == path.name]
    if not named:
        raise DigestMismatchError(
            f"{path.parent / METADATA} does not name {path.name} among its artifacts",
            hint="Train or export the candidate again.",
        )
    for _, digest in named:
        if digest not in {None, found.sha256}:
            raise DigestMismatchError(
                f"{path} is not the file that {METADATA} names: its SHA-256 is {found.sha256[:12]}…, "
                f"not {digest[:12] if digest else ''}…",
                hint="Train or export the candidate again.",
            )
    return found


def _named(value: Any) -> Iterator[tuple[str, str | None]]:
    """Yield file name and digest of every artifact: under a role, in a list, or as a path alone."""
    if isinstance(value, str):
        yield PurePosixPath(value.replace("\\", "/")).name, None
    elif isinstance(value, list):
        for item in value:
            yield from _named(item)
    elif isinstance(value, dict):
        name = value.get("filename") or value.get("path")
        if isinstance(name, str):
            digest = value.get("sha256")
            yield PurePosixPath(name).name, digest if isinstance(digest, str) else None
        else:
            for item in value.values():
                yield from _named(item)
