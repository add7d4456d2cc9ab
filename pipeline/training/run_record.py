"""The record of a training run: what it learns from and how, and which process is at work on it."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pipeline.contracts.training_run import TrainingRun
from pipeline.support.documents import read_json, write_json
from pipeline.support.errors import InputError, TrainingError
from pipeline.support.files import sha256_file
from pipeline.support.runs import complete_runs
from pipeline.training.dataset import Dataset
from pipeline.training.validate import BundleRow

RECORD = "repath-run.json"
LOCK = ".repath-run.lock"
_NAMED = 5
"""Changed pictures that an error names; the rest are counted."""


def read_record(run_dir: Path) -> TrainingRun | None:
    """Return the record of a run, or None where the folder holds none that can be read."""
    try:
        return read_json(run_dir / RECORD, TrainingRun)
    except InputError:
        return None


def write_record(run_dir: Path, record: TrainingRun) -> None:
    """Write the record of a run."""
    write_json(run_dir / RECORD, record)


def picture_digests(dataset: Dataset) -> dict[str, dict[str, str]]:
    """Return subset to id to a digest of the picture's bytes and its boxes: what a training learns from."""
    return {
        subset: {row.id: _digest(row) for row in rows} for subset, rows in sorted(dataset.subsets.items())
    }


def _digest(row: BundleRow) -> str:
    boxes = row.labels.read_bytes() if row.label_file and row.labels.is_file() else b""
    return hashlib.sha256(f"{sha256_file(row.image)}\n".encode() + boxes).hexdigest()


def differences(begun: TrainingRun, wanted: TrainingRun) -> list[str]:
    """Return in words what a training would learn otherwise than the one that was begun; [] where nothing."""
    if begun.settings is None or wanted.settings is None:
        return ["it was begun by a version that did not record its settings"]
    found = _settings(begun.settings, wanted.settings)
    if begun.base_model != wanted.base_model:
        found.append(f"the base model {(begun.base_model or {}).get('name')} is another file now")
    if begun.classes != wanted.classes:
        found.append(f"classes are {wanted.classes} and were {begun.classes}")
    found += _pictures(_flat(begun.pictures or {}), _flat(wanted.pictures or {}))
    return found


def _settings(begun: Mapping[str, Any], wanted: Mapping[str, Any]) -> list[str]:
    found = []
    for name in sorted(begun.keys() | wanted.keys()):
        was, now = begun.get(name), wanted.get(name)
        if isinstance(was, dict) and isinstance(now, dict):
            found += [f"{name}.{line}" for line in _settings(was, now)]
        elif was != now:
            found.append(f"{name} is {_shown(now)} and was {_shown(was)}")
    return found


def _shown(value: object) -> str:
    return "not set" if value is None else repr(value) if isinstance(value, str) else str(value)


def _flat(pictures: Mapping[str, Mapping[str, str]]) -> dict[str, tuple[str, str]]:
    return {name: (subset, digest) for subset, rows in pictures.items() for name, digest in rows.items()}


def _pictures(begun: Mapping[str, tuple[str, str]], wanted: Mapping[str, tuple[str, str]]) -> list[str]:
    kinds: dict[str, list[str]] = {"new": [], "gone": [], "in another subset": [], "changed": []}
    for name in sorted(begun.keys() | wanted.keys()):
        if name not in begun:
            kinds["new"].append(name)
        elif name not in wanted:
            kinds["gone"].append(name)
        elif begun[name][0] != wanted[name][0]:
            kinds["in another subset"].append(name)
        elif begun[name][1] != wanted[name][1]:
            kinds["changed"].append(name)
    return [
        f"{len(names)} picture{'s' if len(names) > 1 else ''} or boxes {kind}: "
        + ", ".join(names[:_NAMED])
        + (f" and {len(names) - _NAMED} more" if len(names) > _NAMED else "")
        for kind, names in kinds.items()
        if names
    ]


def interrupted_runs(root: Path) -> list[Path]:
    """Return the runs under ``root`` that were begun and not finished, the newest first."""
    if not root.is_dir():
        return []
    runs = reversed(complete_runs(root, RECORD))
    return [run for run in runs if (record := read_record(run)) is not None and not record.finished]


def interrupted_run_like(root: Path, wanted: TrainingRun) -> Path | None:
    """Return the newest interrupted run under ``root`` that learns the same from the same pictures.

    A run that another process is at work on is passed over.
    """
    for run in interrupted_runs(root):
        record = read_record(run)
        if record is not None and not differences(record, wanted) and not _is_held(run):
            return run
    return None


@contextlib.contextmanager
def held(run_dir: Path) -> Iterator[None]:
    """Keep other processes from training in this folder; a process that is killed lets go of it.

    Raises:
        TrainingError: another process is at work in it.
    """
    from filelock import FileLock, Timeout

    run_dir.mkdir(parents=True, exist_ok=True)
    lock = FileLock(run_dir / LOCK, timeout=0)
    try:
        lock.acquire()
    except Timeout:
        raise TrainingError(
            f"another process trains in {run_dir}", hint="Wait for it, or choose another --name."
        ) from None
    try:
        yield
    finally:
        lock.release()


def _is_held(run_dir: Path) -> bool:
    try:
        with held(run_dir):
            return False
    except TrainingError:
        return True
