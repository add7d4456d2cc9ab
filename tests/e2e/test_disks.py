"""Outputs that cannot be written: a file in the way, a full disk, a size limit. Nothing is half-written."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from bad_input import (
    BENCHMARK,
    BUILD_BUNDLE,
    BUILD_QUEUE,
    COMPARE,
    HOLDOUT,
    KAGGLE,
    MERGE_QUEUE,
    RESOLVE,
    Repath,
    refused,
)
from workspaces import PROGRAM, digests, program

WRITERS = {
    "taxonomy": "data build-taxonomy --out {}",
    "manifest": "evaluation build-benchmark-manifest --out {}",
    "coverage": "evaluation check-benchmark-coverage --out {}",
    "suggested": KAGGLE + " --out {}",
    "normalized": "data normalize-benchmark-labeled-urls --out {}",
    "deduped": "data dedupe-benchmark-labeled --out {}",
    "retraining": "training build-retraining-manifest --out {}",
    "validated": "training validate-annotation-bundle --out {}",
    "reviewed": "training review-annotations --out {}",
    "holdout": HOLDOUT + " --out {}",
    "compared": COMPARE + " --out {}",
    "results": BENCHMARK + " --out {}",
    "resolved": RESOLVE + " --out {} --no-copy-local",
    "queue": BUILD_QUEUE + " --out {}.csv",
    "merged": MERGE_QUEUE + " --out {}",
    "progress": "evaluation sync-benchmark-progress --report {}",
    "expansion": "evaluation plan-benchmark-coverage-expansion --out {}",
    "unresolved": "evaluation export-unresolved-benchmark-rows --out {}.csv",
    "negatives": "evaluation seed-negative-benchmark-entries --count 40 --out {}",
}
"""Commands that write one file."""

FOLDER_WRITERS = {
    "bundle": BUILD_BUNDLE + " --out-dir {}",
    "exported": "training export-annotations --to coco --out {}",
    "release": "release build-release --version 3.0.0 --model m.tflite --labels m.labels.json --out-root {}",
    "assets": "training promote-candidate-model --candidate-id c --assets-dir {} --write-metadata",
    "cache": RESOLVE + " --cache-dir {} --out o.json",
    "workspace": "init {}/new --sample",
}
"""Commands that write several files into a folder."""

STOOD = '{"name": "what stood there", "images": []}\n'


@pytest.mark.parametrize("name", WRITERS)
def test_a_file_in_the_way_of_an_output_is_named(repath: Repath, one_space: Path, name: str) -> None:
    refused(repath, one_space, WRITERS[name].format("m.tflite/out"), "m.tflite")


@pytest.mark.parametrize("name", FOLDER_WRITERS)
def test_a_file_in_the_way_of_a_folder_is_named(repath: Repath, one_space: Path, name: str) -> None:
    refused(repath, one_space, FOLDER_WRITERS[name].format("m.tflite/out"), "m.tflite")


@pytest.mark.parametrize("name", WRITERS)
def test_a_limit_on_sizes_leaves_the_old_output(space: Path, name: str) -> None:
    (space / "out").write_text(STOOD)
    before = digests(space)
    command = " ".join([*PROGRAM, WRITERS[name].format("out")])
    # Blocks of 1024 bytes: no file may be longer than none, so every write fails.
    done = subprocess.run(
        ["bash", "-c", f"ulimit -f 0; {command} 2>&1 | cat"], capture_output=True, text=True, check=False
    )
    assert done.stdout.count("error:") == 1, done.stdout
    assert "Traceback" not in done.stdout
    assert "File too large" in done.stdout
    assert digests(space) == before


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of its own with 256 kB, nearly full."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = shutil.which("mount")
    if mount is None or os.geteuid() != 0:
        pytest.skip("only root may mount a small disk")
    made = subprocess.run(
        [mount, "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(disk)], capture_output=True, check=False
    )
    if made.returncode != 0:
        pytest.skip("a small disk cannot be mounted here")
    try:
        (disk / "out").write_text(STOOD)
        yield disk
    finally:
        subprocess.run(["umount", "--lazy", str(disk)], check=False)


def _fill(disk: Path) -> None:
    with (disk / "filler").open("wb", buffering=0) as stream:
        try:
            while stream.write(b"\0" * 4096):
                pass
        except OSError:
            pass


@pytest.mark.parametrize("name", WRITERS)
def test_a_full_disk_leaves_the_old_output(repath: Repath, space: Path, small_disk: Path, name: str) -> None:
    _fill(small_disk)
    before = digests(small_disk)
    told = refused(repath, space, WRITERS[name].format(small_disk / "out"), str(small_disk / "out"))
    assert "the disk is full" in told
    assert digests(small_disk) == before


@pytest.mark.parametrize("name", FOLDER_WRITERS)
def test_a_disk_that_becomes_full_holds_nothing_half_written(
    repath: Repath, space: Path, small_disk: Path, name: str
) -> None:
    if name in {"release", "assets"}:
        _fill(small_disk)
    # There is room for the first files, and not for all.
    refused(repath, space, FOLDER_WRITERS[name].format(small_disk / "folder"), "the disk is full")
    left = [path for path in (small_disk / "folder").rglob("*") if path.is_file()]
    assert [path for path in left if path.name.endswith(".part")] == []
    if name not in {"bundle", "cache"}:
        assert left == []
        return
    # What was written is whole, and the mark of a finished bundle is not among it.
    originals = set(digests(space).values())
    assert {digest for digest in digests(small_disk / "folder").values() if digest != "folder"} <= originals
    assert not list((small_disk / "folder").rglob("bundle-metadata.json"))


def test_a_run_on_a_full_disk_goes_on_when_there_is_room(space: Path, small_disk: Path) -> None:
    settings = space / "repath.toml"
    text = settings.read_text("utf-8")
    assert "# coverage = " in text
    settings.write_text(text.replace("# coverage = ", f'coverage = "{small_disk}/c.json"\n# coverage = '))
    _fill(small_disk)
    stopped = program("run", "--workspace", space, "--until", "coverage", cwd=space)
    assert stopped.returncode == 1
    assert "the disk is full" in stopped.stderr
    assert "Traceback" not in stopped.stderr
    assert not (small_disk / "c.json").exists()
    (small_disk / "filler").unlink()
    gone_on = program("run", "--workspace", space, "--until", "coverage", cwd=space)
    assert gone_on.returncode == 0
    assert gone_on.stderr.count("up to date") == 4
    assert (small_disk / "c.json").is_file()
