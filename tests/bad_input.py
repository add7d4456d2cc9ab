"""Commands that read bad input, and what each of them must do: refuse, say why, and leave all as it was."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from workspaces import digests

Repath = Callable[..., Any]

PACK = "data/pack.json"
TAXONOMY = "assets/models/municipal-taxonomy-v1.json"
SEED = "data/benchmark-manifest.seed.json"
LABELED = "data/benchmark-labeled.csv"
MANIFEST = "benchmarks/municipal-benchmark-manifest-v2.json"
RESOLVED = "benchmarks/benchmark-manifest.resolved.json"
QUEUE = "data/benchmark-retraining-queue.csv"
PRIORITY = "priority.csv"
RETRAINING = "training/retraining-manifest.json"
BUNDLE = "training/bundles/b"
RELEASE = "dist/releases/v0.1.0"
RELEASE_MANIFEST = f"{RELEASE}/release-manifest-v0.1.0.json"

HOLDOUT = "evaluation build-supported-holdout-manifest --labels m.labels.json --no-download"
RESOLVE = "evaluation build-resolved-benchmark-manifest --no-download"
BENCHMARK = "evaluation benchmark-candidate-model --model m.tflite --labels m.labels.json"
COMPARE = "evaluation compare-benchmark-results --baseline results.json --candidate results.json"
KAGGLE = "data suggest-benchmark-from-kaggle --kaggle-dir classes"
BUILD_QUEUE = f"training build-retraining-queue --priority-csv {PRIORITY}"
MERGE_QUEUE = "data merge-retraining-queue"
SYNC_LABELED = "data sync-labeled-from-manifest"
BUILD_BUNDLE = "training build-annotation-bundle --run-id n --no-download --annotations data/annotations"
VALIDATE = "training validate-annotation-bundle --strict"
TRAIN = "training train-detector-from-annotation --dry-run --model yolov8n.yaml"
PROMOTE = "training promote-candidate-model --candidate-id c"
BUILD_RELEASE = "release build-release --version 0.2.0 --model m.tflite --labels m.labels.json"
VERIFY = f"release verify-release --manifest {RELEASE_MANIFEST}"

NEED = {TRAIN: "ultralytics"}
"""Commands that need an extra, even to say that the input is bad."""


def refused(repath: Repath, space: Path, command: str, *named: str, code: int | None = 1) -> str:
    """Run a command that must refuse its input, and return what it said.

    Everything in the workspace is as it was, and nothing has been added.
    """
    if command in NEED:
        pytest.importorskip(NEED[command])
    before = digests(space)
    ran = repath(*command.split())
    assert ran.code in ({1, 2} if code is None else {code}), ran.err
    assert ran.out == ""
    # Those of click, for wrong usage, begin with a capital.
    assert len([line for line in ran.err.splitlines() if line.lower().startswith("error:")]) == 1, ran.err
    assert "Traceback" not in ran.err
    for name in named:
        assert name in ran.err
    assert digests(space) == before
    return str(ran.err)


@contextlib.contextmanager
def put_back(path: Path) -> Iterator[None]:
    """Give a file its bytes back, whatever is done to it."""
    data = path.read_bytes()
    try:
        yield
    finally:
        if path.is_dir():
            path.rmdir()
        path.write_bytes(data)


def change(path: Path, *steps: str | int, to: object) -> None:
    """Set a value in a JSON file."""
    data = here = json.loads(path.read_text("utf-8"))
    for step in steps[:-1]:
        here = here[step]
    here[steps[-1]] = to
    path.write_text(json.dumps(data), "utf-8")


def edit(path: Path, old: str, new: str) -> None:
    """Replace the first place where a text stands, which must be there."""
    text = path.read_text("utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), "utf-8")
