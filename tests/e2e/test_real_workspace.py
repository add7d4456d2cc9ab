"""The whole lifecycle on real input: a city's pack, the rows and manifests in use, and photos with boxes."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from workspaces import digests, program, real_photos, write_real_workspace

from pipeline.contracts.labeled import LABELED_COLUMNS, LabeledRow
from pipeline.lifecycle.stages import STAGES
from pipeline.support.documents import read_csv

Repath = Callable[..., Any]

SETTINGS = """
[download]
enabled = false

[training]
model = "{weights}"
epochs = 2
imgsz = 320
batch = 16
workers = 0

[export]
head = "nms"
parity_images = 12

[baseline]
model = "{weights}"

[benchmark]
# Of the real rows no picture is here, and none may be fetched.
max_unreadable = 1.0

[gate.margin]
# Two epochs under a new set of classes are not expected to equal twenty.
micro_precision = 0.6
micro_recall = 0.6
any_hit_rate = 0.6
"""


def test_the_taxonomy_and_the_manifest_of_the_real_files(real: Path, repath: Repath, tmp_path: Path) -> None:
    pack = real / "repath-core" / "fort-collins-co-us.pack.json"
    built = repath("data", "build-taxonomy", "--pack", pack, "--out", tmp_path / "t.json").json
    assert (built["item_count"], built["alias_count"], built["normalized_alias_count"]) == (246, 1254, 1246)

    seed = real / "repath-mobile" / "benchmark-manifest.seed.json"
    manifest = ["--taxonomy", tmp_path / "t.json", "--seed", seed, "--out", tmp_path / "m.json"]
    made = repath("evaluation", "build-benchmark-manifest", *manifest).json
    assert (made["rows"], made["ready"], made["todo"]) == (253, 13, 240)


def test_the_coverage_of_the_real_manifest(real: Path, repath: Repath, tmp_path: Path) -> None:
    pack = real / "repath-core" / "fort-collins-co-us.pack.json"
    repath("data", "build-taxonomy", "--pack", pack, "--out", tmp_path / "t.json")
    real_manifest = real / "repath-mobile" / "municipal-benchmark-manifest-v2.json"
    files = ["--taxonomy", tmp_path / "t.json", "--manifest", real_manifest]
    report = repath("evaluation", "check-benchmark-coverage", *files, "--min-coverage", 1).json
    assert report["entries"]["total"] == 420
    assert report["coverage"]["taxonomy_label_count"] == 246
    assert report["coverage"]["manifest_label_count_all"] == 246
    assert report["gaps"]["taxonomy_labels_missing_in_manifest"] == []


def test_the_retraining_samples_of_the_real_rows(real: Path, repath: Repath, tmp_path: Path) -> None:
    rows = real / "repath-mobile" / "benchmark-labeled.csv"
    made = repath("training", "build-retraining-manifest", "--input", rows, "--out", tmp_path / "r.json").json
    assert (made["sample_count"], made["positive_count"], made["negative_count"]) == (76, 64, 12)
    assert made["label_count"] == 8


@pytest.mark.parametrize("command", ["normalize-benchmark-labeled-urls", "dedupe-benchmark-labeled"])
def test_the_real_rows_keep_their_number_and_order(
    command: str, real: Path, repath: Repath, tmp_path: Path
) -> None:
    source = tmp_path / "benchmark-labeled.csv"
    shutil.copy(real / "repath-mobile" / "benchmark-labeled.csv", source)
    before = [row.name for row in read_csv(source, LabeledRow, LABELED_COLUMNS)]
    assert len(before) == 488
    assert repath("data", command, "--input", source).json["rows"] == 488
    assert [row.name for row in read_csv(source, LabeledRow, LABELED_COLUMNS)] == before


@pytest.mark.slow
def test_a_run_on_real_photos_ends_with_a_verified_release(
    real: Path, tmp_path: Path, repath: Repath
) -> None:
    pytest.importorskip("ultralytics")
    pytest.importorskip("litert_torch")
    space = tmp_path / "town"
    weights = real / "weights" / "dev-finetuned-yolo26n-320.pt"
    photos = real_photos(real, every=3)
    write_real_workspace(space, real, photos, SETTINGS.format(weights=weights))
    given = digests(space)

    # One label of the photos is none of the city's: the run stops and says what may be meant.
    stopped = program("run", "--workspace", space, cwd=tmp_path)
    assert stopped.returncode == 1
    assert stopped.stdout == ""
    assert "'Plastic Bottle' is unknown; nearest: 'Nalgene Bottle' (alias 'plastic bottle')" in stopped.stderr
    assert "retrain_dev_0004" in stopped.stderr
    assert not (space / "training").exists()

    settings = space / "repath.toml"
    settings.write_text(f"{settings.read_text('utf-8')}\n[labels]\nallow_unknown = true\n", "utf-8")
    ran = program("run", "--workspace", space, cwd=tmp_path)
    assert ran.returncode == 0, ran.stderr
    assert "Traceback" not in ran.stderr
    summary = json.loads(ran.stdout)
    stages, facts = summary["stages"], summary["facts"]

    # What people wrote is as it was.
    now = digests(space)
    assert {name: now[name] for name in given if name != "repath.toml"} == {
        name: digest for name, digest in given.items() if name != "repath.toml"
    }
    _check_figures(stages, len(photos.training), len(photos.held_out))
    _check_results(space, stages, len(photos.held_out))
    _check_promoted(space, facts, stages)

    release = space / "dist" / "releases" / "v0.1.0"
    verified = repath("release", "verify-release", "--manifest", release / "release-manifest-v0.1.0.json")
    assert verified.code == 0
    assert verified.json["verified"]
    if shutil.which("sha256sum"):
        subprocess.run(["sha256sum", "--strict", "-c", "SHA256SUMS"], cwd=release, check=True)

    # Nothing is left to do, from wherever one asks.
    again = program("run", cwd=space)
    assert again.returncode == 0
    assert again.stderr.count("up to date") == len(STAGES)
    assert digests(space) == now


def _check_figures(stages: dict[str, Any], training: int, held_out: int) -> None:
    assert stages["taxonomy"]["item_count"] == 246
    assert stages["taxonomy"]["alias_count"] == 1254
    assert stages["taxonomy"]["normalized_alias_count"] == 1246
    assert (stages["manifest"]["rows"], stages["manifest"]["ready"]) == (253, 13)
    assert stages["curate"]["rows"] == 488 + training + held_out
    assert stages["coverage"]["taxonomy_label_count"] == 246
    # The real rows bring 76 samples, whose pictures lie in another checkout; the photos bring the others.
    assert stages["retraining"]["sample_count"] == 76 + training
    assert stages["bundle"]["pictures"] == training
    assert stages["bundle"]["missing_pictures"] == 76
    assert sum(stages["bundle"]["split"].values()) == training
    assert all(count > 0 for count in stages["bundle"]["split"].values())
    assert any("Plastic Bottle" in warning for warning in stages["curate"]["warnings"])


def _check_results(space: Path, stages: dict[str, Any], held_out: int) -> None:
    """Pictures that are not here are counted and listed; all that are here are measured."""
    for stage, name in (("measure", "latest-results"), ("benchmark", "latest-results.candidate")):
        figures = stages[stage]["figures"]
        results = json.loads((space / "benchmarks" / f"{name}.json").read_text("utf-8"))
        assert figures["images_evaluated"] == held_out == len(results["results"])
        assert figures["unreadable_entries"] == len(results["unreadable"]) == stages["resolve"]["failed"] > 0
        assert figures["any_hit_rate"] > 0.3
        assert figures["map50"] > 0.3
    report = json.loads((space / "benchmarks" / "leakage.json").read_text("utf-8"))
    assert report["summary"]["leaked_pictures"] == 0
    comparison = json.loads((space / "benchmarks" / "latest-results.compare.json").read_text("utf-8"))
    assert comparison["overlap"]["rows"] == held_out
    assert comparison["gate"]["passed"]


def _check_promoted(space: Path, facts: dict[str, str], stages: dict[str, Any]) -> None:
    """Assets and release hold the very model that was measured."""
    candidate = space / facts["candidate_dir"]
    assets, release = space / "assets" / "models", space / "dist" / "releases" / "v0.1.0"
    measured = stages["benchmark"]["figures"]["model_sha256"]
    models = (
        candidate / "yolo-repath.tflite",
        assets / "yolo-repath.tflite",
        release / "yolo-repath-v0.1.0.tflite",
    )
    assert {hashlib.sha256(model.read_bytes()).hexdigest() for model in models} == {measured}
    active = json.loads((assets / "active-model.json").read_text("utf-8"))
    assert active["run_id"] == candidate.name
    manifest = json.loads((release / "release-manifest-v0.1.0.json").read_text("utf-8"))
    assert manifest["source"]["run_id"] == candidate.name
    assert manifest["notes"] == "The first detector that was trained on photos.\n"
