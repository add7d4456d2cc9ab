"""Bad labels, pictures and boxes through the command line: named with their row, and nothing written."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from bad_input import (
    BENCHMARK,
    BUILD_BUNDLE,
    BUNDLE,
    KAGGLE,
    LABELED,
    MANIFEST,
    RESOLVE,
    RESOLVED,
    RETRAINING,
    SEED,
    TRAIN,
    VALIDATE,
    Repath,
    change,
    edit,
    put_back,
    refused,
)
from workspaces import digests


@pytest.mark.parametrize(
    ("command", "where"),
    [
        ("evaluation build-benchmark-manifest", "images[0] (aluminum-can_on_grass)"),
        ("training build-retraining-manifest", "line 2 (retrain_positive_aluminum-can_v1)"),
        (BUILD_BUNDLE, "samples[0] (retrain_positive_aluminum-can_v1).label"),
        ("run --until manifest", "images[0] (aluminum-can_on_grass)"),
        ("run --until curate", "line 2 (retrain_positive_aluminum-can_v1)"),
    ],
)
def test_a_label_that_the_taxonomy_lacks_is_named_with_its_nearest(
    repath: Repath, space: Path, command: str, where: str
) -> None:
    if "curate" in command:
        assert repath("run", "--until", "manifest").code == 0
        edit(space / LABELED, ",Aluminum Can,", ",Aluminium Can,")
    elif "manifest" in command and "retraining" not in command:
        change(space / SEED, "images", 0, "expected_any", to=["Aluminium Can"])
        if command.startswith("run"):
            assert repath("run", "--until", "taxonomy").code == 0
    else:
        edit(space / LABELED, ",Aluminum Can,", ",Aluminium Can,")
        change(space / RETRAINING, "samples", 0, "label", to="Aluminium Can")
    told = refused(repath, space, command, where)
    assert "'Aluminium Can' is unknown; nearest: 'Aluminum Can'" in told
    assert "--allow-unknown-labels" in told


@pytest.mark.parametrize(
    "command",
    [
        "evaluation check-benchmark-coverage",
        RESOLVE,
        KAGGLE,
        f"data suggest-benchmark-online --input {MANIFEST}",
    ],
)
def test_an_unknown_status_is_named_with_its_row(repath: Repath, space: Path, command: str) -> None:
    change(space / MANIFEST, "images", 1, "status", to="done")
    name = json.loads((space / MANIFEST).read_text("utf-8"))["images"][1]["name"]
    refused(repath, space, command, MANIFEST, f"images[1] ({name}).status", "'ready' or 'todo'", "'done'")


def _cut_off(path: Path, space: Path) -> str:
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])
    return "truncated or damaged"


def _no_bytes(path: Path, space: Path) -> str:
    path.write_bytes(b"")
    return "the file is empty"


def _text(path: Path, space: Path) -> str:
    path.write_text("This is no picture.\n")
    return "not a picture"


def _too_large(path: Path, space: Path) -> str:
    with (space / "repath.toml").open("a", encoding="utf-8") as stream:
        stream.write("\n[download]\nmax_pixels = 200000\n")
    from PIL import Image

    Image.new("RGB", (501, 400)).save(path)
    return "501x400 is more than 200000 pixels"


PICTURE_DAMAGES = [_cut_off, _no_bytes, _text, _too_large]


def _settings_without_download(space: Path) -> None:
    """Take [download] out of the sample's settings, so that a test can write its own."""
    text = (space / "repath.toml").read_text("utf-8")
    assert "\n[download]\n" in text
    (space / "repath.toml").write_text(text.replace("\n[download]\n", "\n"), "utf-8")


@pytest.fixture
def picture_space(space: Path) -> Path:
    """A workspace whose settings name no limit yet."""
    _settings_without_download(space)
    return space


@pytest.mark.parametrize("damage", PICTURE_DAMAGES)
def test_a_bad_picture_of_the_benchmark_is_named_before_anything_is_written(
    repath: Repath, picture_space: Path, damage: Callable[[Path, Path], str]
) -> None:
    space = picture_space
    row = json.loads((space / SEED).read_text("utf-8"))["images"][3]
    told = damage(space / row["url"], space)
    refused(repath, space, RESOLVE, f"({row['name']})", Path(row["url"]).name, told)


@pytest.mark.parametrize("damage", PICTURE_DAMAGES)
def test_a_bad_picture_stops_a_benchmark_that_allows_none(
    repath: Repath, picture_space: Path, damage: Callable[[Path, Path], str]
) -> None:
    space = picture_space
    row = json.loads((space / RESOLVED).read_text("utf-8"))["images"][3]
    told = damage(space / row["url"], space)
    before = digests(space)
    refused = repath(*f"{BENCHMARK} --max-unreadable 0".split())
    assert refused.code == 1
    assert refused.err.count("error:") == 1
    for words in (row["name"], told, "--max-unreadable"):
        assert words in refused.err
    # What was measured is kept for --resume, beside the results, which are as they were.
    journal = "benchmarks/latest-results.candidate.json.journal.jsonl"
    assert {name: digest for name, digest in digests(space).items() if name != journal} == before
    counted = repath(*f"{BENCHMARK} --max-unreadable 0.5".split())
    assert counted.code == 0
    assert not (space / journal).exists()
    assert counted.json["summary"]["unreadable_entries"] == 1
    assert f"unreadable: {row['name']}: " in counted.err


@pytest.mark.parametrize("damage", PICTURE_DAMAGES)
def test_a_bad_picture_of_a_bundle_is_an_issue_and_stops_training(
    repath: Repath, picture_space: Path, damage: Callable[[Path, Path], str]
) -> None:
    space = picture_space
    picture = sorted((space / BUNDLE / "images").iterdir())[2]
    told = damage(picture, space)
    ran = repath(*VALIDATE.split())
    assert ran.code == 2
    assert ran.err.count("error:") == 1
    report = json.loads((space / BUNDLE / "validation-report.json").read_text("utf-8"))
    assert [(issue["id"], issue["issue"]) for issue in report["issues"]] == [
        (picture.stem, "missing_image_file")
    ]
    assert told in report["issues"][0]["reason"]
    pytest.importorskip("ultralytics")
    refused(repath, space, TRAIN, picture.name)


@pytest.mark.parametrize("damage", PICTURE_DAMAGES)
def test_a_bad_picture_is_left_out_of_a_new_bundle_and_listed(
    repath: Repath, picture_space: Path, damage: Callable[[Path, Path], str]
) -> None:
    space = picture_space
    picture = sorted((space / "data" / "images" / "training").iterdir())[2]
    told = damage(picture, space)
    ran = repath(*BUILD_BUNDLE.split())
    assert ran.code == 0
    assert ran.json["missing_pictures"] == 1
    metadata = json.loads((space / "training/bundles/n/bundle-metadata.json").read_text("utf-8"))
    assert [each["id"] for each in metadata["missing"]] == [picture.stem]
    assert told in metadata["missing"][0]["reason"]
    assert picture.stem in ran.err


@pytest.mark.parametrize("damage", PICTURE_DAMAGES)
def test_a_file_url_that_is_no_picture_is_named_with_its_row(
    repath: Repath, picture_space: Path, damage: Callable[[Path, Path], str]
) -> None:
    space = picture_space
    picture = sorted((space / "data" / "images" / "training").iterdir())[2]
    told = damage(picture, space)
    url = picture.relative_to(space).as_posix()
    edit(space / LABELED, f",{url},", f",{picture.as_uri()},")
    refused(repath, space, "data normalize-benchmark-labeled-urls", f"({picture.stem})", told)
    change(space / MANIFEST, "images", 0, "url", to=picture.as_uri())
    change(space / MANIFEST, "images", 0, "name", to="mine")
    refused(repath, space, RESOLVE, "images[0]", told)


BAD_LINES = {
    "0 nan 0.5 0.1 0.1": "'nan' is not a number",
    "0 0.5 inf 0.1 0.1": "'inf' is not a number",
    "0 0.5 1e999 0.1 0.1": "0 to 1",
    "0 -0.5 0.5 0.1 0.1": "0 to 1",
    "0 0.5 0.5 -0.1 0.1": "0 to 1",
    "0 0.5 0.5 0.1 0.1 0.9": "has 6 numbers, not five",
    "0 0.5 0.5 0.1": "has 4 numbers, not five",
    "0 0.5 0.5 0 0.1": "the box has no area",
    "0 0.9 0.5 0.5 0.1": "reaches beyond the picture",
    "4 0.5 0.5 0.1 0.1": "the class id '4' is not one of 0 to 3",
    "-1 0.5 0.5 0.1 0.1": "the class id '-1' is not one of 0 to 3",
    "0.5 0.5 0.5 0.1 0.1": "the class id '0.5' is not whole",
    "Can 0.5 0.5 0.1 0.1": "'Can' is not a number",
}


@pytest.mark.parametrize("line", BAD_LINES)
def test_a_bad_line_of_a_label_file_is_named(repath: Repath, one_space: Path, line: str) -> None:
    name = "retrain_positive_aluminum-can_v1.txt"
    good = "0 0.5 0.5 0.1 0.1\n"
    drawn, bundled = one_space / "data" / "annotations" / name, one_space / BUNDLE / "labels" / name
    with put_back(drawn):
        drawn.write_text(f"{good}{line}\n")
        refused(repath, one_space, BUILD_BUNDLE, f"{name}, line 2", BAD_LINES[line])
    report = one_space / BUNDLE / "validation-report.json"
    with put_back(bundled), put_back(report):
        bundled.write_text(f"{good}{line}\n")
        ran = repath(*VALIDATE.split())
        assert ran.code == 2
        assert ran.err.count("error:") == 1
        assert f"{name}, line 2" in ran.err
        assert BAD_LINES[line] in ran.err
        assert len(json.loads(report.read_text("utf-8"))["issues"]) == 1


def test_boxes_on_a_negative_are_named(repath: Repath, one_space: Path) -> None:
    drawn = next((one_space / "data" / "annotations").glob("retrain_negative_*.txt"))
    with put_back(drawn):
        drawn.write_text("0 0.5 0.5 0.1 0.1\n")
        refused(repath, one_space, BUILD_BUNDLE, f"{drawn.name}: 1 boxes on a negative")


@pytest.mark.parametrize(
    "command",
    ["evaluation build-benchmark-manifest", "training build-retraining-manifest", BUILD_BUNDLE],
)
def test_a_workspace_may_allow_labels_that_the_taxonomy_lacks(
    repath: Repath, space: Path, command: str
) -> None:
    change(space / SEED, "images", 0, "expected_any", to=["Aluminium Can"])
    edit(space / LABELED, ",Aluminum Can,", ",Aluminium Can,")
    change(space / RETRAINING, "samples", 0, "label", to="Aluminium Can")
    assert "allow_unknown = true under [labels]" in refused(repath, space, command)
    edit(space / "repath.toml", "# allow_unknown = false", "allow_unknown = true")
    ran = repath(*command.split())
    assert ran.code == 0, ran.err
    assert "'Aluminium Can' is unknown" in ran.err
