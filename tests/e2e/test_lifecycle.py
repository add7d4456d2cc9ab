"""`repath run` on the sample: to a verified release, over interruptions, from anywhere, the same again."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from workspaces import PROGRAM, SETTINGS, TINY, digests, environment, program

from pipeline.lifecycle.stages import STAGES

Repath = Callable[..., Any]
pytestmark = pytest.mark.slow

BENCHMARK = STAGES[:5]


def _workspace(folder: Path, *, epochs: int = 2) -> Path:
    assert program("init", folder, "--sample", cwd=folder.parent).returncode == 0
    (folder / "tiny.yaml").write_text(TINY)
    (folder / "repath.toml").write_text(SETTINGS.format(epochs=epochs))
    return folder


@pytest.fixture(scope="module")
def finished_run(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, subprocess.CompletedProcess[str]]:
    pytest.importorskip("ultralytics")
    pytest.importorskip("litert_torch")
    space = _workspace(tmp_path_factory.mktemp("lifecycle") / "space")
    return space, program("run", "--workspace", space, cwd=space.parent)


@pytest.fixture
def space(finished_run: tuple[Path, Any], tmp_path: Path) -> Path:
    """A copy of a workspace whose run is over."""
    copy = tmp_path / "space"
    shutil.copytree(finished_run[0], copy, symlinks=True)
    return copy


def _ran(done: subprocess.CompletedProcess[str]) -> dict[str, list[str]]:
    """Return which stages did something and which were up to date."""
    assert done.returncode == 0, done.stderr
    told: dict[str, list[str]] = {"done": [], "up to date": []}
    for line in done.stderr.splitlines():
        match = re.match(r"\[ *\d+/\d+\] (\S+) +(done|up to date)", line)
        if match:
            told[match[2]].append(match[1])
    return told


def _names(*stages: str) -> list[str]:
    return [stage.name for stage in STAGES if stage.name in stages]


def test_the_sample_ends_with_a_verified_release(finished_run: Any, repath: Repath) -> None:
    space, done = finished_run
    assert _ran(done)["done"] == [stage.name for stage in STAGES]
    assert "Traceback" not in done.stderr
    summary = json.loads(done.stdout)
    assert summary["stages"]["release"]["tag"] == "v0.1.0"
    for row in ("Coverage", "Training data", "Training", "Baseline", "Candidate", "Verdict", "Release"):
        assert re.search(rf"^ *{row} ", done.stderr, re.MULTILINE), row
    manifest = space / summary["stages"]["release"]["manifest"]
    assert repath("release", "verify-release", "--manifest", manifest).code == 0
    assert not [path for path in space.rglob("*") if path.name.endswith(".part")]


def test_a_second_run_does_nothing_from_wherever_it_is_started(space: Path, tmp_path: Path) -> None:
    before = digests(space)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    below = space / "data" / "images"
    for cwd, arguments in (
        (elsewhere, ["--workspace", space]),
        (below, []),
        (tmp_path, ["--workspace", "space"]),
    ):
        again = _ran(program("run", *arguments, cwd=cwd))
        assert again == {"done": [], "up to date": [stage.name for stage in STAGES]}
    assert digests(space) == before


def test_a_moved_workspace_is_still_up_to_date(space: Path, tmp_path: Path) -> None:
    space.rename(tmp_path / "moved")
    assert _ran(program("run", cwd=tmp_path / "moved"))["done"] == []


def test_a_box_that_a_person_moves_is_validated_and_trained_again(space: Path) -> None:
    facts = json.loads(program("run", "--until", "bundle", cwd=space).stdout)["facts"]
    label = sorted((space / facts["bundle_dir"] / "labels").glob("retrain_positive_*.txt"))[0]
    first, *rest = label.read_text("utf-8").splitlines()
    number, x, y, width, height = first.split()
    label.write_text(
        "\n".join([f"{number} {x} {y} {float(width) * 0.9:.6f} {height}", *rest]) + "\n", "utf-8"
    )
    again = _ran(program("run", "--until", "train", cwd=space))
    assert again["done"] == _names("validate", "leakage", "train")
    assert again["up to date"][:5] == [stage.name for stage in BENCHMARK]


def test_a_picture_that_is_gone_from_the_benchmark_is_resolved_again(space: Path) -> None:
    cache = space / "data" / "images" / "cache"
    next(cache.glob("*.jpg")).unlink()
    again = _ran(program("run", "--until", "coverage", cwd=space))
    assert again["done"][0] == "resolve"
    manifest = json.loads((space / "benchmarks" / "benchmark-manifest.resolved.json").read_text("utf-8"))
    assert all((space / row["url"]).is_file() for row in manifest["images"])


@pytest.mark.parametrize("name", ["yolo-repath.tflite", "yolo-repath.labels.json", "metadata.json"])
def test_a_candidate_that_was_tampered_with_is_made_again(space: Path, name: str, repath: Repath) -> None:
    facts = json.loads(program("run", cwd=space).stdout)["facts"]
    file = space / facts["candidate_dir"] / name
    file.write_bytes(file.read_bytes() + b"\n")
    (space / "dist" / "releases" / "v0.1.0").rename(space / "earlier")
    again = program("run", cwd=space)
    told = _ran(again)
    assert "export" in told["done"]
    assert "train" in told["up to date"]
    candidate = space / json.loads(again.stdout)["facts"]["candidate_dir"]
    assert candidate != file.parent
    manifest = space / "dist" / "releases" / "v0.1.0" / "release-manifest-v0.1.0.json"
    assert repath("release", "verify-release", "--manifest", manifest).code == 0


def test_a_release_that_was_tampered_with_is_refused_and_not_overwritten(space: Path) -> None:
    model = space / "dist" / "releases" / "v0.1.0" / "yolo-repath-v0.1.0.tflite"
    model.write_bytes(model.read_bytes() + b"\n")
    tampered = digests(model.parent)
    again = program("run", cwd=space)
    assert again.returncode == 1
    assert again.stderr.count("error:") == 1
    assert "Traceback" not in again.stderr
    assert digests(model.parent) == tampered


@pytest.mark.parametrize(("stage", "last"), [("train", "train"), ("export", "export")])
def test_a_run_that_is_killed_goes_on_where_it_stopped(
    space: Path, tmp_path: Path, stage: str, last: str
) -> None:
    settings = space / "repath.toml"
    if stage == "train":
        settings.write_text(SETTINGS.format(epochs=6))
    else:
        settings.write_text(settings.read_text("utf-8").replace("parity_images = 4", "parity_images = 5"))
    before = digests(space)
    running = _started(space, tmp_path / "log")
    try:
        _wait_for(tmp_path / "log", r"epoch 1/6  box" if stage == "train" else r"\] export +export it")
        time.sleep(0.3 if stage == "train" else 2)
        assert running.poll() is None, "the stage was over before it could be killed"
    finally:
        os.killpg(running.pid, signal.SIGKILL)
        running.wait()
    # What stood there still stands, and what the stage was to write is not there.
    after = digests(space)
    assert {name: after.get(name) for name in before} == before
    candidates = {name for name in after if re.fullmatch(r"candidates/[^./][^/]*", name)}
    assert candidates == {name for name in before if re.fullmatch(r"candidates/[^./][^/]*", name)}
    gone_on = program("run", "--until", last, cwd=space)
    told = _ran(gone_on)
    assert told["done"][0] == stage
    assert told["up to date"] == [each.name for each in STAGES[: _place(stage)]]
    if stage == "train":
        training = json.loads(gone_on.stdout)["stages"]["train"]["training"]
        assert training["epochs_done"] == 6
        (over,) = training["resumed_after"]
        assert f"going on after epoch {over} of 6" in gone_on.stderr


def _place(stage: str) -> int:
    return next(index for index, each in enumerate(STAGES) if each.name == stage)


def test_an_interrupt_ends_with_130_and_one_word(space: Path, tmp_path: Path) -> None:
    (space / "repath.toml").write_text(SETTINGS.format(epochs=40))
    running = _started(space, tmp_path / "log")
    _wait_for(tmp_path / "log", r"epoch 1/40")
    os.killpg(running.pid, signal.SIGINT)
    assert running.wait(timeout=60) == 130
    told = (tmp_path / "log").read_text("utf-8")
    assert "Traceback" not in told
    assert told.rstrip().endswith("Stopped.")
    assert not [path for path in space.rglob("*") if path.name.endswith(".part")]


def _started(space: Path, log: Path) -> subprocess.Popen[bytes]:
    """Start a run in a process group of its own, as a shell does."""
    with log.open("wb") as stream:
        return subprocess.Popen(
            [*PROGRAM, "run"],
            cwd=space,
            env=environment(),
            stdout=stream,
            stderr=stream,
            start_new_session=True,
        )


def _wait_for(log: Path, pattern: str, *, timeout: float = 180) -> None:
    end = time.monotonic() + timeout
    while not re.search(pattern, log.read_text("utf-8")):
        assert time.monotonic() < end, f"{pattern} was not told: {log.read_text('utf-8')[-500:]}"
        time.sleep(0.05)


def test_the_same_time_and_input_give_the_same_bytes(tmp_path: Path) -> None:
    fixed = {"SOURCE_DATE_EPOCH": "1767225600"}
    made = []
    for name in ("one", "two"):
        space = _workspace(tmp_path / name)
        done = program("run", "--until", "leakage", cwd=space, **fixed)
        assert _ran(done)["done"] == _names(*[stage.name for stage in STAGES[: _place("leakage") + 1]])
        made.append(
            {path: digest for path, digest in digests(space).items() if not path.startswith(".repath")}
        )
    assert made[0] == made[1]
    assert any(name.startswith("training/bundles/20260101-000000/") for name in made[0])
