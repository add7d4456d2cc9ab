"""A small workspace in which every command has something to read, made once and copied for each test."""

from __future__ import annotations

import hashlib
import json
import shutil
import zipfile
from pathlib import Path

import numpy as np
import pytest
from tiny_models import tiny_model

from pipeline.cli.main import run
from pipeline.contracts.analysis import PRIORITY_COLUMNS

LABELS = ["Aluminum Can", "Cardboard Box", "Glass Bottle", "Light Bulb"]

_STEPS = (
    "data build-taxonomy",
    "evaluation build-benchmark-manifest",
    "evaluation build-resolved-benchmark-manifest --no-download",
    "evaluation check-benchmark-coverage",
    "training build-retraining-manifest",
    "training build-annotation-bundle --run-id b --annotations data/annotations",
    "training validate-annotation-bundle",
    "release build-release --version 0.1.0 --model m.tflite --labels m.labels.json",
    "evaluation benchmark-candidate-model --model m.tflite --labels m.labels.json --out results.json",
    "training build-retraining-queue --priority-csv priority.csv",
)


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sample after every command that is quick: manifests, bundle, tiny model, results, release."""
    pytest.importorskip("ai_edge_litert")
    space = tmp_path_factory.mktemp("finished") / "space"
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(space.parent)
        assert run(["init", str(space), "--sample"]) == 0
        patch.chdir(space)
        _write_model(space)
        _write_priorities(space)
        for step in _STEPS:
            assert run(step.split()) == 0, step
    (space / "holdout-overrides.json").write_text('{"labels": {}}\n')
    (space / "folders.json").write_text('{"Light Bulb": ["bulbs"]}\n')
    (space / "classes" / "bulbs").mkdir(parents=True)
    return space


@pytest.fixture(scope="module")
def _one_copy(finished: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    copy = tmp_path_factory.mktemp("one") / "space"
    shutil.copytree(finished, copy)
    return copy


@pytest.fixture
def one_space(_one_copy: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """One copy for all tests of a module that leave everything as it was; the working directory."""
    monkeypatch.chdir(_one_copy)
    return _one_copy


@pytest.fixture
def space(finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the finished workspace, which is also the working directory."""
    copy = tmp_path / "space"
    shutil.copytree(finished, copy)
    monkeypatch.chdir(copy)
    return copy


def _write_priorities(space: Path) -> None:
    """Write a priority table of three labels, without a comma in any field."""
    rows = [
        f"{n},{label},{9 - n},2,2,0,0,0,collect_more_positives,missed" for n, label in enumerate(LABELS[:3])
    ]
    (space / "priority.csv").write_text("\n".join([",".join(PRIORITY_COLUMNS), *rows]) + "\n")


def _write_model(space: Path) -> None:
    """Write a model that finds nothing, alone and as the candidate ``c``."""
    model = tiny_model(
        space / "m.tflite", np.zeros((1, 4, 6), np.float32), input_shape=(1, 64, 64, 3)
    )  # fmt: skip
    with zipfile.ZipFile(model, "a") as archive:
        names = {str(index): label for index, label in enumerate(LABELS)}
        archive.writestr("metadata.json", json.dumps({"names": names}))
    (space / "m.labels.json").write_text(json.dumps(LABELS))
    candidate = space / "candidates" / "c"
    candidate.mkdir(parents=True)
    artifacts = {}
    for role, name in (("model", "yolo-repath.tflite"), ("labels", "yolo-repath.labels.json")):
        shutil.copy(space / name.replace("yolo-repath", "m"), candidate / name)
        data = (candidate / name).read_bytes()
        digest = hashlib.sha256(data).hexdigest()
        artifacts[role] = {"filename": name, "sha256": digest, "bytes": len(data)}
    metadata = {"run_id": "c", "bundle": {}, "training": {}, "export": {"nms": True, "head": "nms"}}
    (candidate / "metadata.json").write_text(json.dumps({**metadata, "artifacts": artifacts}))
