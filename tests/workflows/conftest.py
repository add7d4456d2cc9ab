"""A small workspace, models that see what a test wants, and a repository whose workflows act runs."""

from __future__ import annotations

import hashlib
import importlib.util
import json
import shutil
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from act_runs import Project, act, new_project
from github_api import Description, fetch_description
from github_server import API, REPO, FakeGitHub
from tiny_models import tiny_model

from pipeline.cli.main import run

LABELS = ["Aluminum Can", "Cardboard Box", "Glass Bottle", "Light Bulb"]
MODELS = {"baseline": [0], "better": [0, 2], "blind": []}
"""What each model says of every picture, by class id: a floor of any-hit 0.1 lets all pass but `blind`."""
SETTINGS = """
[training]
model = "data/yolov8n-tiny.yaml"
epochs = 1
imgsz = 64
batch = 8
device = "cpu"
workers = 0
[export]
parity_images = 2
[gate.min]
any_hit_rate = 0.1
"""
# The smallest definition that trains and exports; "n" in its name chooses the scale.
DEFINITION = """
nc: 4
end2end: false
scales:
  n: [0.33, 0.0625, 256]
backbone:
  - [-1, 1, Conv, [64, 3, 2]]
  - [-1, 1, Conv, [128, 3, 2]]
  - [-1, 1, Conv, [256, 3, 2]]
  - [-1, 1, Conv, [512, 3, 2]]
  - [-1, 1, Conv, [1024, 3, 2]]
head:
  - [[2, 3, 4], 1, Detect, [nc]]
"""


@dataclass(frozen=True)
class Material:
    """What is made once: the workspace to commit, candidates with their results, and the first release."""

    workspace: Path
    candidates: Path
    results: Path
    release: Path

    def candidate(self, name: str) -> tuple[Path, Path]:
        """Return the folder of a candidate and what was measured of it."""
        return self.candidates / name, self.results / f"{name}.json"


@pytest.fixture(scope="session")
def material(tmp_path_factory: pytest.TempPathFactory) -> Material:
    """The sample workspace with small models; every file is made by the commands themselves."""
    pytest.importorskip("ai_edge_litert")
    act()
    folder = tmp_path_factory.mktemp("material")
    workspace, made = folder / "workspace", folder / "made"
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setenv("SOURCE_DATE_EPOCH", "1767323045")
        assert run(["init", str(workspace), "--sample"]) == 0
        (workspace / "repath.toml").write_text(SETTINGS, "utf-8")
        (workspace / "data" / "yolov8n-tiny.yaml").write_text(DEFINITION, "utf-8")
        shutil.copytree(workspace, made)
        patch.chdir(made)
        assert run(["run", "--until", "coverage"]) == 0
        for name, sees in MODELS.items():
            _write_candidate(made / "candidates" / name, name, sees)
            measure = ["evaluation", "benchmark-candidate-model", "--candidate-dir", f"candidates/{name}"]
            assert run([*measure, "--out", f"results/{name}.json"]) == 0
        model = "candidates/baseline/yolo-repath"
        files = ["--model", f"{model}.tflite", "--labels", f"{model}.labels.json"]
        assert run(["release", "build-release", "--version", "0.1.0", *files]) == 0
    manifest = made / "dist" / "releases" / "v0.1.0" / "release-manifest-v0.1.0.json"
    return Material(workspace, made / "candidates", made / "results", manifest)


@pytest.fixture(scope="session")
def description(tmp_path_factory: pytest.TempPathFactory) -> Description | None:
    """GitHub's official description of its API, which every request and answer is held to."""
    if importlib.util.find_spec("openapi_schema_validator") is None:
        return None
    document, _ = fetch_description(tmp_path_factory.mktemp("openapi"))
    return Description(document) if document else None


@pytest.fixture
def github(description: Description | None) -> Iterator[FakeGitHub]:
    """A GitHub with state; every test ends without a violation of what must never happen."""
    made = FakeGitHub(description=description)
    with made.running():
        yield made
    assert made.violations == []


@pytest.fixture
def project(tmp_path: Path, github: FakeGitHub, material: Material) -> Project:
    """A repository with this checkout's workflows, the workspace, and no release yet."""
    made = new_project(tmp_path / "act", github, material.workspace)
    github.state.refs["refs/heads/main"] = github.commit_files({"README.md": b"# A model\n"})
    return made


@pytest.fixture
def call(github: FakeGitHub, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Run a `repath` command of this process against the GitHub of the test."""

    def command(*words: object) -> None:
        with monkeypatch.context() as patch:
            patch.setenv("GITHUB_API_URL", f"{github.url}{API}")
            patch.setenv("GITHUB_TOKEN", github.token)
            patch.setenv("GITHUB_REPOSITORY", REPO)
            assert run([str(word) for word in words]) == 0

    return command


@pytest.fixture
def released(call: Callable[..., None], material: Material) -> None:
    """The first release, v0.1.0, is published."""
    call("github", "publish-release", "--manifest", material.release)


@pytest.fixture
def stored(call: Callable[..., None], material: Material, tmp_path: Path) -> Callable[[str], bytes]:
    """Store a candidate as a pre-release and return the candidate.json that names it."""

    def store(name: str) -> bytes:
        folder, results = material.candidate(name)
        pointer = tmp_path / f"{name}.json"
        words = ("--candidate-dir", folder, "--results", results, "--pointer-out", pointer)
        call("github", "publish-candidate", *words)
        return pointer.read_bytes()

    return store


def _write_candidate(folder: Path, run_id: str, sees: list[int]) -> None:
    """Write a candidate whose model gives the same boxes for every picture."""
    folder.mkdir(parents=True)
    output = np.zeros((1, 4, 6), np.float32)
    for row, label in enumerate(sees):
        output[0, row] = (0, 0, 64, 64, 0.9 - row / 10, label)
    model = tiny_model(folder / "yolo-repath.tflite", output, input_shape=(1, 64, 64, 3))
    with zipfile.ZipFile(model, "a") as archive:
        names = {str(index): label for index, label in enumerate(LABELS)}
        archive.writestr("metadata.json", json.dumps({"names": names}))
    (folder / "yolo-repath.labels.json").write_text(json.dumps(LABELS), "utf-8")
    artifacts = {}
    for role, name in (("model", "yolo-repath.tflite"), ("labels", "yolo-repath.labels.json")):
        data = (folder / name).read_bytes()
        artifacts[role] = {
            "filename": name,
            "sha256": hashlib.sha256(data).hexdigest(),
            "bytes": len(data),
        }
    metadata = {"run_id": run_id, "bundle": {}, "training": {}, "export": {"nms": True, "head": "nms"}}
    (folder / "metadata.json").write_text(json.dumps({**metadata, "artifacts": artifacts}), "utf-8")
