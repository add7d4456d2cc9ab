"""What a command imports: a help page little, a data or release command nothing that is heavy."""

from __future__ import annotations

import json
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

HEAVY = {"torch", "torchvision", "ultralytics", "tensorflow", "ai_edge_litert", "litert_torch", "cv2", "jax"}

_PROBE = """
import json, sys
from pipeline.cli.main import run
code = run(sys.argv[1:])
sys.stderr.write("\\n" + json.dumps([code, sorted({name.split(".")[0] for name in sys.modules})]))
"""


def _imported(*arguments: object, cwd: Path) -> set[str]:
    """Run a command in a new interpreter and return the packages that it left imported."""
    done = subprocess.run(
        [sys.executable, "-c", _PROBE, *map(str, arguments)],
        capture_output=True,
        text=True,
        check=True,
        cwd=cwd,
    )
    told, _, last = done.stderr.rpartition("\n")
    code, names = json.loads(last)
    assert code == 0, told
    return set(names)


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sample with everything that the commands below read."""
    folder = tmp_path_factory.mktemp("made") / "sample"
    _imported("init", folder, "--sample", cwd=folder.parent)
    (folder / "classes" / "aluminum_soda_cans").mkdir(parents=True)
    (folder / "queue.csv").write_text("name,url,item_id,canonical_label,source,notes\n")
    counts = dict.fromkeys(("images_evaluated", "tp", "fp", "fn", "skipped_unsupported_entries"), 0)
    rates = ("micro_precision", "micro_recall", "any_hit_rate", "negative_clean_rate")
    files = {"model": "m.tflite", "labels": "m.labels.json", "manifest": "m.json"}
    wanted = {"threshold": 0.35, "topk": 5, "supported_only": False}
    summary = {**files, **wanted, **counts, **dict.fromkeys(rates)}
    (folder / "results.json").write_text(json.dumps({"summary": summary, "results": []}))
    return folder


COMMANDS = [
    "data build-taxonomy",
    "evaluation build-benchmark-manifest",
    "evaluation check-benchmark-coverage",
    "data suggest-benchmark-from-kaggle --kaggle-dir classes",
    "data suggest-benchmark-online",
    "data normalize-benchmark-labeled-urls",
    "data dedupe-benchmark-labeled",
    "data sync-labeled-from-manifest",
    "data merge-retraining-queue --queue queue.csv",
    "data fill-retraining-negatives",
    "evaluation seed-benchmark-depth-variants",
    "evaluation seed-negative-benchmark-entries",
    "evaluation sync-benchmark-progress",
    "evaluation dedupe-benchmark-manifest",
    "evaluation plan-benchmark-priority",
    "evaluation plan-benchmark-coverage-expansion",
    "evaluation export-unresolved-benchmark-rows",
    "training build-retraining-manifest",
    "evaluation build-resolved-benchmark-manifest --no-download",
    "evaluation compare-benchmark-results --no-baseline --candidate results.json",
    "training build-annotation-bundle --run-id b --annotations data/annotations",
    "evaluation check-leakage --bundle training/bundles/b",
    "training validate-annotation-bundle",
    "training export-annotations --to cvat --out exported",
    "training import-annotations --from cvat --input exported",
    "training review-annotations",
]


def test_help_imports_no_pandas_and_nothing_heavy(tmp_path: Path) -> None:
    for arguments in (
        ["--help"],
        ["data", "--help"],
        ["training", "train-detector-from-annotation", "--help"],
    ):
        assert not _imported(*arguments, cwd=tmp_path) & (HEAVY | {"pandas"})
    assert not _imported("--help", cwd=tmp_path) & {"numpy", "PIL", "requests", "rich", "docker", "github"}


def test_no_command_of_data_or_release_and_none_on_manifests_imports_what_trains_or_runs_models(
    workspace: Path,
) -> None:
    # One after the other, as a user runs them: each reads what those before it wrote.
    for command in COMMANDS:
        assert not _imported(*command.split(), cwd=workspace) & HEAVY, command


def test_releases_are_built_and_verified_without_an_interpreter(workspace: Path) -> None:
    pytest.importorskip("ai_edge_litert")
    import numpy as np
    from tiny_models import tiny_model

    tiny_model(workspace / "m.tflite", np.zeros((1, 4, 6), np.float32), input_shape=(1, 64, 64, 3))
    with zipfile.ZipFile(workspace / "m.tflite", "a") as archive:
        archive.writestr("metadata.json", '{"names": {"0": "Aluminum Can"}}')
    (workspace / "m.labels.json").write_text('["Aluminum Can"]')
    build = "release build-release --version 1.2.3 --model m.tflite --labels m.labels.json"
    assert not _imported(*build.split(), cwd=workspace) & HEAVY
    manifest = "dist/releases/v1.2.3/release-manifest-v1.2.3.json"
    assert not _imported("release", "verify-release", "--manifest", manifest, cwd=workspace) & HEAVY
