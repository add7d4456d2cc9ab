"""Paths that leave the workspace, names that are none, and disks that take nothing."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from bad_input import (
    BENCHMARK,
    BUILD_BUNDLE,
    BUNDLE,
    EXPORT,
    HOLDOUT,
    LABELED,
    MANIFEST,
    RELEASE,
    RELEASE_MANIFEST,
    RESOLVE,
    RESOLVED,
    RETRAINING,
    SEED_BOXES,
    TRAIN,
    VALIDATE,
    VERIFY,
    Repath,
    change,
    edit,
    put_back,
    refused,
)
from workspaces import digests


@pytest.fixture
def outside(space: Path) -> Path:
    """A picture beside the workspace, which no file in it may reach."""
    target = space.parent / "outside.jpg"
    shutil.copy(next((space / "data" / "images" / "training").iterdir()), target)
    (space / "link.jpg").symlink_to(target)
    (space / "linked").symlink_to(space.parent)
    return target


ESCAPES = [
    "../outside.jpg",
    "data/../../outside.jpg",
    "{outside}",
    "file://{outside}",
    "link.jpg",
    "linked/outside.jpg",
]


@pytest.mark.parametrize("url", ESCAPES)
@pytest.mark.parametrize(
    ("name", "steps", "command"),
    [
        (MANIFEST, ("images", 0, "url"), RESOLVE),
        (RESOLVED, ("images", 0, "url"), BENCHMARK),
        (RETRAINING, ("samples", 0, "image"), BUILD_BUNDLE),
    ],
)
def test_a_path_in_a_json_file_may_not_leave_the_workspace(
    repath: Repath,
    space: Path,
    outside: Path,
    name: str,
    steps: tuple[str | int, ...],
    command: str,
    url: str,
) -> None:
    change(space / name, *steps, to=url.format(outside=outside))
    if name == MANIFEST:  # else a labeled row of this name gives it another picture
        change(space / name, "images", 0, "name", to="mine")
    refused(repath, space, command, Path(name).name, "leaves" if "outside}" not in url else "outside")


@pytest.mark.parametrize("url", ESCAPES)
@pytest.mark.parametrize("command", ["data normalize-benchmark-labeled-urls", RESOLVE])
def test_a_path_in_the_labeled_rows_may_not_leave_the_workspace(
    repath: Repath, space: Path, outside: Path, command: str, url: str
) -> None:
    if "normalize" in command and "link" in url:
        pytest.skip("normalising does not look up relative paths")
    row = (space / LABELED).read_text("utf-8").splitlines()[-1].split(",")
    edit(space / LABELED, f"{row[0]},{row[1]},", f"{row[0]},{url.format(outside=outside)},")
    refused(repath, space, command, Path(LABELED).name, f"({row[0]})")


@pytest.mark.parametrize("url", ["../outside.jpg", "/etc/hostname", "link.jpg"])
def test_an_override_names_what_can_be_fetched_and_no_file(
    repath: Repath, space: Path, outside: Path, url: str
) -> None:
    change(space / "holdout-overrides.json", "labels", "Light Bulb", to=[url])
    command = HOLDOUT.removesuffix(" --no-download")
    ran = repath(*f"{command} --manual-seed holdout-overrides.json".split())
    assert ran.code == 0
    assert [each["source"] for each in ran.json["left_out"]] == [url]
    assert not list((space / "data" / "images" / "cache").glob("holdout_*"))


@pytest.mark.parametrize("url", ["../../../outside.jpg", "{outside}", "images/link.jpg", "..\\outside.jpg"])
@pytest.mark.parametrize("column", [1, 2])
def test_a_path_in_a_bundle_may_not_leave_it(
    repath: Repath, space: Path, outside: Path, url: str, column: int
) -> None:
    template = space / BUNDLE / "annotations-template.csv"
    (space / BUNDLE / "images" / "link.jpg").symlink_to(outside)
    cells = template.read_text("utf-8").splitlines()[3].split(",")
    edit(template, f",{cells[column]},", f",{url.format(outside=outside)},")
    field = "image_file" if column == 1 else "label_file"
    refused(repath, space, VALIDATE, template.name, f"line 4 ({cells[0]}), column {field}")
    refused(repath, space, TRAIN, template.name, f"line 4 ({cells[0]}), column {field}")
    refused(repath, space, EXPORT, template.name, f"line 4 ({cells[0]}), column {field}")
    refused(repath, space, SEED_BOXES, template.name, f"line 4 ({cells[0]}), column {field}")


@pytest.mark.parametrize("name", ["../outside.jpg", "/etc/hostname", "a/b", "..", "C:\\x"])
def test_a_path_in_a_release_manifest_is_a_plain_name(repath: Repath, one_space: Path, name: str) -> None:
    manifest = one_space / RELEASE_MANIFEST
    with put_back(manifest):
        change(manifest, "artifacts", 0, "filename", to=name)
        refused(repath, one_space, VERIFY, manifest.name, "artifacts[0]", "is not a plain file name")


def test_a_link_in_a_release_is_refused(repath: Repath, space: Path) -> None:
    model = space / RELEASE / "yolo-repath-v0.1.0.tflite"
    model.unlink()
    model.symlink_to(space / "m.tflite")
    refused(repath, space, VERIFY, model.name, "is a link")


@pytest.mark.parametrize("run_id", ["../b", "/tmp/b", "a/b", ".hidden", ""])
def test_a_run_id_is_a_plain_name(repath: Repath, one_space: Path, run_id: str) -> None:
    for command in ("build-annotation-bundle", "train-detector-from-annotation --dry-run"):
        if "train" in command:
            pytest.importorskip("ultralytics")
        before = digests(one_space)
        ran = repath("training", *command.split(), "--run-id", run_id)
        assert ran.code in {1} if run_id else {0, 1}
        if ran.code:
            assert ran.err.count("error:") == 1
            assert digests(one_space) == before


@pytest.mark.parametrize(
    "version",
    ["1", "1.2", "01.2.3", "1.2.3.4", "v", "1.2.3-", "1.2.3/../x", "../1.2.3", "1.2.x", "1.2.3 4", "１.2.3"],
)
def test_a_version_is_semver(repath: Repath, one_space: Path, version: str) -> None:
    before = digests(one_space)
    command = ["release", "build-release", "--model", "m.tflite", "--labels", "m.labels.json"]
    ran = repath(*command, "--version", version)
    assert ran.code == 2
    assert ran.out == ""
    assert [line for line in ran.err.splitlines() if line.startswith("error:")] == [
        f"error: {version!r} is not a semantic version"
    ]
    assert digests(one_space) == before
