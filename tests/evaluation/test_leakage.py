"""Pictures of a benchmark that training has seen: told by bytes, source and look, and nothing else told."""

from __future__ import annotations

import base64
import csv
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image, ImageEnhance, ImageOps

from pipeline.contracts.bundle import TEMPLATE_COLUMNS
from pipeline.contracts.leakage import LeakageReport
from pipeline.contracts.results import BenchmarkResults
from pipeline.evaluation.leakage import (
    LISTED,
    check_leakage,
    leakage_digest,
    require_no_leakage,
    with_leakage,
)
from pipeline.support.commons_urls import source_key
from pipeline.support.errors import ContractError, DigestMismatchError, GateError, InputError, PathEscapeError

Ran = Callable[..., Any]
Samples = dict[str, bytes | None]


def blobs(seed: int, size: tuple[int, int] = (256, 192)) -> Image.Image:
    """A picture of its own for each seed."""
    noise = Image.effect_noise((8, 6), 120)
    noise.putdata([(seed * 7919 + place * place * 104_729 + place * seed * 31) % 251 for place in range(48)])
    return noise.resize(size, Image.Resampling.BICUBIC).convert("RGB")


def jpeg(image: Image.Image, quality: int = 90) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=quality)
    return buffer.getvalue()


def write_bundle(
    folder: Path,
    samples: Samples,
    *,
    notes: dict[str, str] | None = None,
    sources: dict[str, list[str]] | None = None,
    subsets: dict[str, str] | None = None,
) -> Path:
    """Write what a check reads of a bundle; a sample of None has a row and no file."""
    (folder / "images").mkdir(parents=True)
    with (folder / "annotations-template.csv").open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(TEMPLATE_COLUMNS)
        for name, data in samples.items():
            if data is not None:
                (folder / "images" / f"{name}.jpg").write_bytes(data)
            text = (notes or {}).get(name, "")
            writer.writerow(
                [name, f"images/{name}.jpg", f"labels/{name}.txt", "false", "A", "0", "todo", "", text]
            )
    if sources is not None:
        pictures = [
            {"id": name, "image_file": "x", "sha256": "0" * 64, "url": "x", "sources": keys}
            for name, keys in sources.items()
        ]
        metadata = {"run_id": "r", "generated_at": "now", "source_manifest": "m", "summary": {}}
        (folder / "bundle-metadata.json").write_text(json.dumps({**metadata, "pictures": pictures}))
    if subsets is not None:
        entries = [{"id": name, "subset": subset, "group": name} for name, subset in subsets.items()]
        split = {"seed": 0, "method": "m", "digest": "0" * 64, "counts": {}, "warnings": []}
        (folder / "split.json").write_text(json.dumps({**split, "entries": entries}))
    return folder


def write_manifest(path: Path, rows: dict[str, bytes | str | None], **more: Any) -> Path:
    """Write a manifest: bytes become a local picture, text is the url, None is a todo."""
    path.parent.mkdir(parents=True, exist_ok=True)
    images = []
    for name, value in rows.items():
        url = f"pictures/{name}.jpg"
        if isinstance(value, bytes):
            (path.parent / "pictures").mkdir(exist_ok=True)
            (path.parent / url).write_bytes(value)
        else:
            url = value or ""
        status = "todo" if value is None else "ready"
        images.append(
            {"name": name, "url": url, "expected_any": ["A"], "status": status, **more.get(name, {})}
        )
    path.write_text(json.dumps({"name": "m", "images": images}))
    return path


def check(manifest: Path, bundle: Path, **options: Any) -> LeakageReport:
    return check_leakage(manifest, bundle, generated_at="now", base=Path.cwd(), **options)


def told(report: LeakageReport) -> dict[tuple[str, str], list[str]]:
    return {(leak.name, leak.sample): list(leak.kinds) for leak in report.leaks}


def test_every_kind_of_copy_is_told_and_other_pictures_are_not(tmp_path: Path) -> None:
    images = {name: blobs(number) for number, name in enumerate(["a", "b", "c", "d", "e", "f"])}
    width, height = images["a"].size
    bundle = write_bundle(tmp_path / "bundle", {name: jpeg(image) for name, image in images.items()})
    manifest = write_manifest(
        tmp_path / "m.json",
        {
            "same": jpeg(images["a"]),
            "smaller": jpeg(images["b"].resize((width // 2, height // 2)), 60),
            "mirrored": jpeg(ImageOps.mirror(images["c"])),
            "corner": jpeg(images["f"].crop((10, 8, width, height))),
            "cropped": jpeg(images["d"].crop((4, 3, width - 4, height - 3))),
            "brighter": jpeg(ImageEnhance.Brightness(images["e"]).enhance(1.1)),
            "another": jpeg(blobs(99)),
            "placeholder": None,
        },
    )
    report = check(manifest, bundle)
    assert told(report) == {
        ("same", "a"): ["bytes", "look"],
        ("smaller", "b"): ["look"],
        ("mirrored", "c"): ["mirrored look"],
        ("cropped", "d"): ["cropped look"],
        ("corner", "f"): ["cropped look"],
        ("brighter", "e"): ["look"],
    }
    assert report.leaks[0].distance == 0
    assert report.summary.to_data() == {
        "benchmark_pictures": 7,
        "training_pictures": 6,
        "held_back_pictures": 0,
        "leaked_pictures": 6,
        "pairs": 6,
        "by_kind": {"bytes": 1, "source": 0, "look": 2, "cropped look": 2, "mirrored look": 1},
        "unchecked_benchmark": 0,
        "unchecked_training": 0,
    }
    assert report.unchecked == []
    with pytest.raises(GateError, match=r"6 of 7 benchmark pictures .*same is a \(bytes\)"):
        require_no_leakage(report)


def test_the_listed_duplicates_of_the_real_folders_leak_and_no_other_picture_does(
    real: Path, tmp_path: Path
) -> None:
    folders = real / "folders"
    with (folders / "duplicates.csv").open(newline="") as stream:
        listed = {row["file_b"]: row["file_a"] for row in csv.DictReader(stream)}
    files = sorted(path.relative_to(folders).as_posix() for path in folders.rglob("*.jpg"))
    as_id = {name: name.replace("/", "-").removesuffix(".jpg") for name in files}
    originals = {as_id[name]: (folders / name).read_bytes() for name in files if name not in listed}
    bundle = write_bundle(tmp_path / "bundle", originals)
    manifest = write_manifest(
        tmp_path / "m.json", {as_id[name]: (folders / name).read_bytes() for name in listed}
    )
    report = check(manifest, bundle)
    assert {(leak.name, leak.sample) for leak in report.leaks} == {
        (as_id[copy], as_id[original]) for copy, original in listed.items()
    }
    assert report.summary.by_kind == {
        "bytes": 10,
        "source": 0,
        "look": 9,
        "cropped look": 1,  # it lost 5% at every edge
        "mirrored look": 0,
    }


def test_the_real_photos_for_validation_are_not_taken_for_those_for_training(
    real: Path, tmp_path: Path
) -> None:
    photos = real / "photos" / "images"
    bundle = write_bundle(
        tmp_path / "bundle", {path.stem: path.read_bytes() for path in sorted((photos / "train").iterdir())}
    )
    manifest = write_manifest(
        tmp_path / "m.json", {path.stem: path.read_bytes() for path in sorted((photos / "val").iterdir())}
    )
    report = check(manifest, bundle)
    assert (report.summary.benchmark_pictures, report.summary.training_pictures) == (37, 150)
    assert told(report) == {}
    require_no_leakage(report)


@pytest.mark.parametrize(
    "url",
    [
        "https://commons.wikimedia.org/wiki/Special:FilePath/Tin%20can.jpg",
        "https://commons.wikimedia.org/wiki/File:Tin_can.jpg",
        "https://upload.wikimedia.org/wikipedia/commons/thumb/a/ab/Tin_can.jpg/640px-Tin_can.jpg",
    ],
)
def test_every_form_of_a_commons_url_is_one_source(tmp_path: Path, url: str) -> None:
    bundle = write_bundle(
        tmp_path / "bundle",
        {"noted": jpeg(blobs(1)), "recorded": jpeg(blobs(2))},
        notes={"noted": "source_url=https://commons.wikimedia.org/wiki/File:Tin_can.jpg; x=1"},
        sources={"recorded": [source_key("https://commons.wikimedia.org/wiki/File:Tin_can.jpg")]},
    )
    manifest = write_manifest(tmp_path / "m.json", {"remote": url})
    report = check(manifest, bundle)
    assert told(report) == {("remote", "noted"): ["source"], ("remote", "recorded"): ["source"]}
    assert [(each.side, each.name) for each in report.unchecked] == [("benchmark", "remote")]
    assert "not on this disk" in report.unchecked[0].reason


def test_a_resolved_row_is_told_by_the_source_it_came_from(tmp_path: Path) -> None:
    bundle = write_bundle(
        tmp_path / "b", {"s": jpeg(blobs(1))}, notes={"s": "source_url=http://example.org/x.jpg"}
    )
    manifest = write_manifest(
        tmp_path / "m.json",
        {"by_field": jpeg(blobs(2)), "by_note": jpeg(blobs(3))},
        by_field={"source_url": "https://EXAMPLE.org:443/x.jpg#top"},
        by_note={"notes": "a=1; source_url=https://example.org/x.jpg"},
    )
    assert told(check(manifest, bundle)) == {("by_field", "s"): ["source"], ("by_note", "s"): ["source"]}


def test_one_local_path_for_two_different_files_is_no_leak(tmp_path: Path) -> None:
    bundle = write_bundle(tmp_path / "b", {"s": jpeg(blobs(1))}, sources={"s": ["path:pictures/x.jpg"]})
    manifest = write_manifest(tmp_path / "m.json", {"x": jpeg(blobs(2))})
    assert told(check(manifest, bundle)) == {}
    (tmp_path / "pictures" / "x.jpg").unlink()
    assert told(check(manifest, bundle)) == {("x", "s"): ["source"]}


def test_the_test_subset_of_a_bundle_is_held_back_and_does_not_count(tmp_path: Path) -> None:
    data = jpeg(blobs(1))
    subsets = {"t": "train", "v": "val", "x": "test"}
    bundle = write_bundle(tmp_path / "b", dict.fromkeys(subsets, data), subsets=subsets)
    report = check(write_manifest(tmp_path / "m.json", {"row": data}), bundle)
    assert [(leak.sample, leak.subset) for leak in report.leaks] == [("t", "train"), ("v", "val")]
    assert report.summary.held_back_pictures == 1


def test_plain_pictures_are_told_by_their_bytes_alone_and_listed(tmp_path: Path) -> None:
    white, grey = (jpeg(Image.new("RGB", (200, 150), colour)) for colour in ("white", "grey"))
    bundle = write_bundle(tmp_path / "b", {f"white_{number}": white for number in range(3)})
    report = check(write_manifest(tmp_path / "m.json", {"white": white, "grey": grey}), bundle)
    assert {leak.name for leak in report.leaks} == {"white"}
    assert all(leak.kinds == ["bytes"] and leak.distance is None for leak in report.leaks)
    assert [each.name for each in report.unchecked] == ["white", "grey", "white_0", "white_1", "white_2"]
    assert all("too plain" in each.reason for each in report.unchecked)


def test_pictures_that_cannot_be_read_are_listed_with_the_reason(tmp_path: Path) -> None:
    broken = jpeg(blobs(1))[:900]
    bundle = write_bundle(tmp_path / "b", {"broken": broken, "gone": None, "good": jpeg(blobs(2))})
    manifest = write_manifest(tmp_path / "m.json", {"broken": broken, "nowhere": "pictures/none.jpg"})
    report = check(manifest, bundle, thumbnails=True)
    reasons = {(each.side, each.name): each.reason for each in report.unchecked}
    assert set(reasons) == {
        ("benchmark", "broken"), ("benchmark", "nowhere"), ("training", "broken"), ("training", "gone")
    }  # fmt: skip
    assert "truncated" in reasons["benchmark", "broken"]
    assert "no such file" in reasons["training", "gone"]
    # The same damaged bytes are still the same bytes; there is no picture of them to show.
    assert told(report) == {("broken", "broken"): ["bytes"]}
    assert report.leaks[0].thumbnails is not None
    assert report.leaks[0].thumbnails.benchmark is None


def test_a_picture_that_training_has_a_hundred_times_is_listed_in_bounds_and_counted_whole(
    tmp_path: Path,
) -> None:
    data = jpeg(blobs(1))
    bundle = write_bundle(tmp_path / "b", {f"s{number:03}": data for number in range(100)})
    report = check(write_manifest(tmp_path / "m.json", {"row": data, "again": data}), bundle)
    assert report.summary.pairs == 200
    assert len(report.leaks) == 2 * LISTED
    assert report.summary.leaked_pictures == 2


def test_max_distance_decides_what_counts_as_a_copy(tmp_path: Path) -> None:
    image = blobs(5)
    bundle = write_bundle(tmp_path / "b", {"s": jpeg(image)})
    cropped = jpeg(image.crop((30, 22, 256, 192)))
    manifest = write_manifest(tmp_path / "m.json", {"row": cropped})
    assert told(check(manifest, bundle)) == {}
    (leak,) = check(manifest, bundle, max_distance=40).leaks
    assert leak.distance is not None
    # Cropped pictures must be nearer by two bits.
    assert told(check(manifest, bundle, max_distance=leak.distance + 2))
    assert not told(check(manifest, bundle, max_distance=leak.distance - 1))


def test_the_digest_names_what_was_found_wherever_and_whenever(tmp_path: Path) -> None:
    data = jpeg(blobs(1))
    bundle = write_bundle(tmp_path / "b", {"s": data})
    manifest = write_manifest(tmp_path / "m.json", {"row": data})
    first = check(manifest, bundle)
    later = check_leakage(manifest, bundle, generated_at="later", base=tmp_path, thumbnails=True)
    assert first.digest == later.digest == leakage_digest(later)
    (bundle / "images" / "s.jpg").write_bytes(jpeg(blobs(2)))
    assert check(manifest, bundle).digest != first.digest


def test_results_name_the_report_of_their_own_manifest_and_of_no_other(
    tmp_path: Path, results_of: Callable[..., BenchmarkResults]
) -> None:
    bundle = write_bundle(tmp_path / "bundle", {"train_a": jpeg(blobs(1))})
    report = check(write_manifest(tmp_path / "m.json", {"a": jpeg(blobs(2))}), bundle)
    results = results_of([("a", ["Can"], ["Can"])])
    summary = results.summary.replace(manifest_sha256=report.manifest_sha256)
    measured = with_leakage(results.replace(summary=summary), report)
    assert measured.summary.leakage_digest == report.digest
    other = results.replace(summary=summary.replace(manifest_sha256="0" * 64))
    with pytest.raises(DigestMismatchError, match="not of the manifest that was measured"):
        with_leakage(other, report)


def test_thumbnails_are_small_jpegs_of_both_pictures(tmp_path: Path) -> None:
    data = jpeg(blobs(1, (900, 300)))
    bundle = write_bundle(tmp_path / "b", {"s": data})
    report = check(write_manifest(tmp_path / "m.json", {"row": data}), bundle, thumbnails=True)
    pictures = report.leaks[0].thumbnails
    assert pictures is not None
    for text in (pictures.benchmark, pictures.training):
        with Image.open(io.BytesIO(base64.b64decode(text or ""))) as image:
            assert (image.format, image.size) == ("JPEG", (128, 43))


def test_a_bundle_that_is_none_and_paths_that_escape_are_refused(tmp_path: Path) -> None:
    manifest = write_manifest(tmp_path / "m.json", {"row": jpeg(blobs(1))})
    with pytest.raises(InputError, match="annotations-template"):
        check(manifest, tmp_path)
    bundle = write_bundle(tmp_path / "b", {"s": jpeg(blobs(1))})
    template = bundle / "annotations-template.csv"
    text = template.read_text()
    template.write_text(text.replace("images/s.jpg", "../../etc/passwd"))
    with pytest.raises(PathEscapeError):
        check(manifest, bundle)
    template.write_text(text)
    (bundle / "split.json").write_text("{}")
    with pytest.raises(ContractError, match=r"split\.json"):
        check(manifest, bundle)
    outside = write_manifest(tmp_path / "n.json", {"row": "../../../etc/passwd"})
    with pytest.raises(PathEscapeError):
        check(outside, write_bundle(tmp_path / "c", {"s": jpeg(blobs(1))}))


def test_the_command_writes_the_report_and_blocks_unless_allowed(repath: Ran, tmp_path: Path) -> None:
    data = jpeg(blobs(1))
    bundle = write_bundle(tmp_path / "b", {"s": data})
    manifest = write_manifest(tmp_path / "m.json", {"row": data, "clean": jpeg(blobs(2))})
    out = tmp_path / "leakage.json"
    command = ("evaluation", "check-leakage", "--manifest", manifest, "--bundle", bundle, "--out", out)
    blocked = repath(*command)
    assert blocked.code == 3
    assert "row is s (bytes)" in blocked.err
    assert "--allow-leakage" in blocked.err
    report = LeakageReport.model_validate_json(out.read_bytes())
    assert [leak.name for leak in report.leaks] == ["row"]
    allowed = repath(*command, "--allow-leakage")
    assert allowed.code == 0
    assert allowed.json["leaked_pictures"] == 1
    assert allowed.json["digest"] == report.digest
    assert "allowed by --allow-leakage" in allowed.err


def test_the_command_ends_well_where_nothing_leaks(repath: Ran, tmp_path: Path) -> None:
    bundle = write_bundle(tmp_path / "b", {"s": jpeg(blobs(1))})
    manifest = write_manifest(tmp_path / "m.json", {"clean": jpeg(blobs(2))})
    ran = repath("evaluation", "check-leakage", "--manifest", manifest, "--bundle", bundle)
    assert ran.code == 0
    assert ran.json["leaks"] == []
    assert ran.json["report"] is None
