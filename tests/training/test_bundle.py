from __future__ import annotations

import errno
import hashlib
import json
import os
from collections.abc import Callable, Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from pipeline.training.bundle_files import _in_markdown, dataset_yaml, yaml_quoted
from pipeline.training.split import SplitSample, split_samples

BUILD = (
    "training",
    "build-annotation-bundle",
    "--manifest",
    "m.json",
    "--out-dir",
    "bundles",
    "--run-id",
    "r",
)
BUNDLE = Path("bundles/r")


def picture(path: Path, seed: int, *, mirrored: bool = False, size: tuple[int, int] = (96, 64)) -> Path:
    """A picture of large random patches, unlike that of any other seed."""
    patches = np.random.default_rng(seed).integers(0, 255, (8, 8, 3), dtype=np.uint8)
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(patches[:, ::-1] if mirrored else patches).resize(size).save(path)
    return path


def sample(name: str, label: str | None = "Foil", *, image: str | None = None, **more: Any) -> dict[str, Any]:
    fields = {"id": name, "image": image or f"images/{name}.png", "label": label}
    return {**fields, "is_negative": label is None, "source": "s", "notes": "", **more}


def manifest(*samples: dict[str, Any]) -> None:
    negatives = sum(each["is_negative"] for each in samples)
    document = {
        "generated_at": "t", "source_csv": "in.csv", "sample_count": len(samples),
        "positive_count": len(samples) - negatives, "negative_count": negatives, "samples": list(samples),
    }  # fmt: skip
    Path("m.json").write_text(json.dumps(document))


@pytest.fixture
def ten() -> list[dict[str, Any]]:
    """Five pictures of foil, three of cans, two negatives, in the working directory."""
    samples = [sample(f"foil_{n}") for n in range(5)] + [sample(f"can_{n}", "Can") for n in range(3)]
    samples += [sample(f"none_{n}", None) for n in range(2)]
    for seed, each in enumerate(samples):
        picture(Path(each["image"]), seed)
    manifest(*samples)
    return samples


def digests(folder: Path) -> dict[str, str]:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def split_of() -> dict[str, str]:
    return {
        entry["id"]: entry["subset"] for entry in json.loads((BUNDLE / "split.json").read_text())["entries"]
    }


def test_a_bundle_holds_what_its_format_says(ten: list[dict[str, Any]], repath: Callable[..., Any]) -> None:
    ran = repath(*BUILD)
    assert ran.code == 0, ran.err
    assert sorted(path.name for path in BUNDLE.iterdir()) == [
        "INSTRUCTIONS.md", "annotations-template.csv", "bundle-metadata.json", "classes.json", "dataset.yaml",
        "images", "labels", "split.json", "test.txt", "train.txt", "val.txt",
    ]  # fmt: skip
    assert json.loads((BUNDLE / "classes.json").read_text()) == {
        "classes": [{"id": 0, "label": "Can"}, {"id": 1, "label": "Foil"}]
    }
    rows = (BUNDLE / "annotations-template.csv").read_text().splitlines()
    assert rows[0] == "id,image_file,label_file,is_negative,class_label,class_id,status,annotator,notes"
    assert rows[1] == "foil_0,images/foil_0.png,labels/foil_0.txt,false,Foil,1,todo,,"
    assert rows[10] == "none_1,images/none_1.png,labels/none_1.txt,true,,,negative,,"
    assert all(path.read_bytes() == b"" for path in (BUNDLE / "labels").iterdir())
    assert ran.json["sources"] == {".": 10}
    metadata = json.loads((BUNDLE / "bundle-metadata.json").read_text())
    assert metadata["split"]["digest"] == json.loads((BUNDLE / "split.json").read_text())["digest"]
    assert metadata["missing"] == []


def test_the_lists_divide_the_pictures(ten: list[dict[str, Any]], repath: Callable[..., Any]) -> None:
    assert repath(*BUILD).code == 0
    lists = {name: (BUNDLE / f"{name}.txt").read_text().split() for name in ("train", "val", "test")}
    assert sorted(path for paths in lists.values() for path in paths) == sorted(
        f"./{each['image']}" for each in ten
    )
    assert all(lists.values())
    yaml = (BUNDLE / "dataset.yaml").read_text()
    assert "train: train.txt\nval: val.txt\ntest: test.txt\n" in yaml
    assert "path:" not in yaml


@pytest.mark.train
def test_ultralytics_reads_the_lists_and_classes_from_anywhere(
    ten: list[dict[str, Any]], repath: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    pytest.importorskip("ultralytics")
    from ultralytics.data.base import BaseDataset
    from ultralytics.data.utils import check_det_dataset, img2label_paths

    assert repath(*BUILD).code == 0
    folder = BUNDLE.resolve()
    monkeypatch.chdir(tmp_path)
    data = check_det_dataset(str(folder / "dataset.yaml"), autodownload=False)
    assert data["names"] == {0: "Can", 1: "Foil"}
    for subset in ("train", "val", "test"):
        lister = BaseDataset.__new__(BaseDataset)
        lister.prefix, lister.fraction = "", 1.0
        files = lister.get_img_files(data[subset])
        assert files
        assert all(Path(file).is_file() and Path(file).parent == folder / "images" for file in files)
        assert all(Path(file).is_file() for file in img2label_paths(files))


def test_copies_variants_and_mirrored_pictures_stay_on_one_side(repath: Callable[..., Any]) -> None:
    commons = "https://commons.wikimedia.org/wiki/"
    family = [
        sample("same_bytes_1"),
        sample("same_bytes_2"),
        sample("mirrored"),
        sample("resized"),
        sample("source_1", notes=f"source_url={commons}Special:FilePath/Foil%20ball.jpg"),
        sample("source_2", notes=f"title=x; source_url={commons}File:Foil_ball.jpg", source="manual"),
    ]
    for each in family[:2]:
        picture(Path(each["image"]), 1)
    picture(Path(family[2]["image"]), 1, mirrored=True)
    picture(Path(family[3]["image"]), 1, size=(400, 260))
    picture(Path(family[4]["image"]), 1001)
    picture(Path(family[5]["image"]), 1002)
    others = [sample(f"other_{n}") for n in range(20)]
    for n, each in enumerate(others):
        picture(Path(each["image"]), n + 10)
    manifest(*family, *others)
    for seed in range(5):
        assert repath(*BUILD, "--seed", seed).code == 0
        where = split_of()
        assert len({where[each["id"]] for each in family[:4]}) == 1
        assert len({where[each["id"]] for each in family[4:]}) == 1
        assert set(where.values()) == {"train", "val", "test"}
    groups = {entry["group"] for entry in json.loads((BUNDLE / "split.json").read_text())["entries"]}
    assert len(groups) == 22


def test_the_same_input_gives_the_same_bytes(
    ten: list[dict[str, Any]], repath: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")
    assert repath(*BUILD).code == 0
    first = digests(BUNDLE)
    assert repath(*BUILD).code == 0
    assert digests(BUNDLE) == first


def test_a_bundle_too_small_to_split_says_so(repath: Callable[..., Any]) -> None:
    manifest(sample("only"))
    picture(Path("images/only.png"), 1)
    ran = repath(*BUILD)
    assert ran.code == 0
    assert "too small to split" in ran.err
    assert "val: train.txt" in (BUNDLE / "dataset.yaml").read_text()
    assert json.loads((BUNDLE / "bundle-metadata.json").read_text())["split"]["val_is_train"] is True


def draw(folder: str, boxes: dict[str, str], classes: list[str] | None = None) -> None:
    Path(folder).mkdir(exist_ok=True)
    for name, text in boxes.items():
        (Path(folder) / f"{name}.txt").write_text(text)
    if classes:
        (Path(folder) / "classes.txt").write_text("\n".join(classes) + "\n")


def test_drawn_boxes_come_in_under_the_bundles_class_ids(
    ten: list[dict[str, Any]], repath: Callable[..., Any]
) -> None:
    boxes = {"foil_0": "0 0.5 0.5 0.2 0.2\n2 0.1 0.1 0.1 0.1\n", "can_0": "1 0.5 0.5 0.5 0.5\n", "none_0": ""}
    draw("drawn", boxes, ["Foil", "Can", "Lid"])
    ran = repath(*BUILD, "--annotations", "drawn")
    assert ran.code == 0, ran.err
    labels = [each["label"] for each in json.loads((BUNDLE / "classes.json").read_text())["classes"]]
    assert labels == ["Can", "Foil", "Lid"]
    assert (BUNDLE / "labels/foil_0.txt").read_text() == (
        "1 0.500000 0.500000 0.200000 0.200000\n2 0.100000 0.100000 0.100000 0.100000\n"
    )
    assert (BUNDLE / "labels/can_0.txt").read_text().startswith("0 ")
    assert ",annotated,," in (BUNDLE / "annotations-template.csv").read_text().splitlines()[1]
    assert ran.json["positives_with_boxes"] == 2


def test_without_classes_of_their_own_drawn_boxes_have_the_bundles_ids(
    ten: list[dict[str, Any]], repath: Callable[..., Any]
) -> None:
    draw("drawn", {"foil_0": "1 0.5 0.5 0.2 0.2\n"})
    assert repath(*BUILD, "--annotations", "drawn").code == 0
    assert (BUNDLE / "labels/foil_0.txt").read_text().startswith("1 ")


def test_a_labels_file_fixes_the_class_ids(ten: list[dict[str, Any]], repath: Callable[..., Any]) -> None:
    Path("l.json").write_text('["Foil", "Tray", "Can"]')
    assert repath(*BUILD, "--labels", "l.json").code == 0
    assert 'names:\n  0: "Foil"\n  1: "Tray"\n  2: "Can"\n' in (BUNDLE / "dataset.yaml").read_text()
    Path("l.json").write_text('["Foil"]')
    ran = repath(*BUILD[:-1], "other", "--labels", "l.json")
    assert ran.code == 1
    assert "lacks Can" in ran.err


@pytest.mark.parametrize(
    ("boxes", "message"),
    [
        ({"foil_0": "0 0.5 0.5 0.2 0.2\n0 nan 0.5 0.2 0.2\n"}, "foil_0.txt, line 2: 'nan' is not a number"),
        ({"foil_0": "7 0.5 0.5 0.2 0.2\n"}, "foil_0.txt, line 1: the class id '7' is not one of 0 to 1"),
        ({"foil_0": "0 0.5 0.5 0.2 0.2 1\n"}, "has 6 numbers, not five"),
        ({"none_0": "0 0.5 0.5 0.2 0.2\n"}, "none_0.txt: 1 boxes on a negative"),
    ],
)
def test_drawn_boxes_that_are_none_stop_the_build_with_nothing_written(
    ten: list[dict[str, Any]], repath: Callable[..., Any], boxes: dict[str, str], message: str
) -> None:
    draw("drawn", boxes)
    ran = repath(*BUILD, "--annotations", "drawn")
    assert ran.code == 1
    assert message in ran.err
    assert not Path("bundles").exists()


def test_built_again_a_bundle_keeps_its_boxes_and_what_people_wrote(
    ten: list[dict[str, Any]], repath: Callable[..., Any]
) -> None:
    assert repath(*BUILD).code == 0
    (BUNDLE / "labels/foil_0.txt").write_text("1 0.4 0.4 0.2 0.2\n")
    path = BUNDLE / "annotations-template.csv"
    text = path.read_text().replace("foil_0.txt,false,Foil,1,todo,,", "foil_0.txt,false,Foil,1,done,Ann,hm")
    path.write_text(text)
    draw("drawn", {"foil_0": "1 0.9 0.9 0.1 0.1\n", "foil_1": "1 0.5 0.5 0.2 0.2\n"})
    ran = repath(*BUILD, "--annotations", "drawn", "--refresh")
    assert ran.code == 0
    assert (BUNDLE / "labels/foil_0.txt").read_text() == "1 0.4 0.4 0.2 0.2\n"
    assert (BUNDLE / "labels/foil_1.txt").read_text().startswith("1 0.5")
    assert "foil_0: its boxes here are kept" in ran.err
    rows = path.read_text().splitlines()
    assert rows[1].endswith("Foil,1,done,Ann,hm")
    assert ",annotated,," in rows[2]


def test_drawn_boxes_never_get_other_class_ids_behind_their_back(
    ten: list[dict[str, Any]], repath: Callable[..., Any]
) -> None:
    assert repath(*BUILD).code == 0
    (BUNDLE / "labels/foil_0.txt").write_text("1 0.4 0.4 0.2 0.2\n")
    picture(Path("images/bag.png"), 99)
    manifest(*ten, sample("bag", "Bag"))
    ran = repath(*BUILD)
    assert ran.code == 1
    assert "boxes drawn under other classes" in ran.err
    ran = repath(*BUILD[:-1], "r2", "--annotations", BUNDLE / "labels")
    assert ran.code == 0, ran.err
    assert Path("bundles/r2/labels/foil_0.txt").read_text().startswith("2 0.4")


def test_pictures_that_cannot_be_had_are_listed_with_the_reason(
    ten: list[dict[str, Any]], repath: Callable[..., Any]
) -> None:
    Path("images/text.jpg").write_text("not a picture")
    Path("images/zero.jpg").write_bytes(b"")
    Path("images/cut.png").write_bytes(Path("images/foil_0.png").read_bytes()[:80])
    manifest(
        *ten, sample("gone"), sample("web", image="https://example.org/a.jpg"), sample("void", image=" "),
        *(sample(name, image=f"images/{file}") for name, file in
          (("text", "text.jpg"), ("zero", "zero.jpg"), ("cut", "cut.png"))),
    )  # fmt: skip
    ran = repath(*BUILD, "--no-download")
    assert ran.code == 0, ran.err
    assert ran.json["missing_pictures"] == 6
    missing = {
        each["id"]: each["reason"]
        for each in json.loads((BUNDLE / "bundle-metadata.json").read_text())["missing"]
    }
    assert missing["gone"] == "local_not_found"
    assert missing["web"] == "download_disabled"
    assert missing["void"] == "no_url"
    assert all(missing[name].startswith("unreadable: ") for name in ("text", "zero", "cut"))
    assert "text: no picture: unreadable" in ran.err
    assert not {"gone", "web", "text"} & set(split_of())
    assert (
        "gone,,labels/gone.txt,false,Foil,1,missing_image"
        in (BUNDLE / "annotations-template.csv").read_text()
    )
    report = repath("training", "validate-annotation-bundle", "--bundle-dir", BUNDLE)
    assert report.json["issues"]["missing_image_file"] == 6


@pytest.fixture
def served(tmp_path: Path) -> Iterator[tuple[Path, str, list[str]]]:
    """A web server on loopback: its folder, its url, and the paths it was asked for."""
    asked: list[str] = []

    class Handler(SimpleHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            super().do_GET()

        def log_message(self, *_: object) -> None:
            pass

    folder = tmp_path / "served"
    folder.mkdir()
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, directory=folder))
    thread = Thread(target=server.serve_forever)
    thread.start()
    yield folder, f"http://127.0.0.1:{server.server_port}", asked
    server.shutdown()
    server.server_close()
    thread.join()


def test_remote_pictures_are_fetched_once_and_again_only_under_refresh(
    served: tuple[Path, str, list[str]], repath: Callable[..., Any]
) -> None:
    folder, url, asked = served
    Path("repath.toml").write_text("[download]\nallow_private_addresses = true\nretries = 0\n")
    picture(folder / "a.png", 1)
    manifest(sample("a", image=f"{url}/a.png"), sample("b", image=f"{url}/gone.png"))
    ran = repath(*BUILD)
    assert ran.code == 0, ran.err
    assert ran.json["sources"] == {"remote": 1}
    assert "b: no picture: download_failed" in ran.err
    assert repath(*BUILD[:-1], "another").code == 0
    assert asked.count("/a.png") == 1
    picture(folder / "a.png", 2)
    assert repath(*BUILD, "--refresh").code == 0
    assert asked.count("/a.png") == 2
    assert (BUNDLE / "images/a.png").read_bytes() == (folder / "a.png").read_bytes()
    (folder / "a.png").unlink()
    kept = repath(*BUILD, "--refresh")
    assert kept.code == 0
    assert "a: could not be fetched again, the earlier picture stands" in kept.err


def test_where_no_picture_is_found_the_error_says_where_it_looked(repath: Callable[..., Any]) -> None:
    manifest(sample("a"))
    ran = repath(*BUILD)
    assert ran.code == 1
    assert "none of its 1 pictures could be had" in ran.err
    assert "--root" in ran.err
    assert not Path("bundles").exists()


def test_relative_paths_mean_the_root_and_the_count_says_so(
    repath: Callable[..., Any], tmp_path: Path
) -> None:
    picture(tmp_path / "there/images/a.png", 1)
    manifest(sample("a"))
    ran = repath(*BUILD, "--root", tmp_path / "there")
    assert ran.code == 0
    assert ran.json["sources"] == {str(tmp_path / "there"): 1}


@pytest.mark.parametrize(
    "image", ["../secret.png", "/etc/hostname", "file:///etc/hostname", "images/link.png"]
)
def test_a_path_that_leaves_the_workspace_stops_the_build(
    ten: list[dict[str, Any]], repath: Callable[..., Any], image: str
) -> None:
    Path("images/link.png").symlink_to(picture(Path("..").resolve() / "secret-target.png", 3))
    manifest(*ten, sample("bad", image=image))
    ran = repath(*BUILD)
    assert ran.code == 1
    assert "samples[10] (bad).image" in ran.err or "secret-target" in ran.err or "link" in ran.err
    assert not Path("bundles").exists()


def test_ids_become_plain_file_names(repath: Callable[..., Any]) -> None:
    names = ["../../escape", "/abs", "a b", "ünï", "..", "x" * 300]
    samples = [sample(name, image=f"images/{n}.png") for n, name in enumerate(names)]
    for n, each in enumerate(samples):
        picture(Path(each["image"]), n)
    manifest(*samples)
    assert repath(*BUILD).code == 0
    assert len(list((BUNDLE / "images").iterdir())) == len(names)
    assert {path.name for path in Path().resolve().iterdir()} == {"images", "m.json", "bundles"}
    assert repath("training", "validate-annotation-bundle", "--bundle-dir", BUNDLE).code == 0


@pytest.mark.parametrize(("first", "second"), [("a", "a"), ("Foil_1", "foil_1")])
def test_two_samples_of_one_file_name_are_both_named(
    repath: Callable[..., Any], first: str, second: str
) -> None:
    manifest(sample(first), sample(second))
    ran = repath(*BUILD)
    assert ran.code == 1
    assert f"samples[1] ({second}).id: samples[0] ({first}) has this id" in ran.err


@pytest.mark.parametrize("run_id", ["../x", "/tmp/x", "a/b", ".hidden", ".."])
def test_a_run_id_is_a_plain_name(ten: list[dict[str, Any]], repath: Callable[..., Any], run_id: str) -> None:
    assert "is not a plain name" in repath(*BUILD[:-1], run_id).err


def test_a_dry_run_counts_and_writes_nothing(ten: list[dict[str, Any]], repath: Callable[..., Any]) -> None:
    ran = repath(*BUILD, "--dry-run")
    assert ran.code == 0
    assert ran.json["local"] == 10
    assert ran.json["classes"] == ["Can", "Foil"]
    assert not Path("bundles").exists()


def test_an_interrupted_build_goes_on_from_what_is_whole(
    ten: list[dict[str, Any]], repath: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    real_fsync, calls = os.fsync, 0

    def fsync(handle: int) -> None:
        nonlocal calls
        calls += 1
        if calls > 14:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        real_fsync(handle)

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", fsync)
        ran = repath(*BUILD)
    assert ran.code == 1
    assert "the disk is full" in ran.err
    assert not (BUNDLE / "bundle-metadata.json").exists()
    assert not list(BUNDLE.rglob("*.part"))
    before = {path: path.stat().st_mtime_ns for path in (BUNDLE / "images").iterdir()}
    assert len(before) == 10
    assert repath("training", "validate-annotation-bundle", "--bundle-root", "bundles").code == 1
    assert repath(*BUILD).code == 0
    assert {path: path.stat().st_mtime_ns for path in (BUNDLE / "images").iterdir()} == before
    assert repath("training", "validate-annotation-bundle", "--bundle-root", "bundles").code == 0


def test_a_bundle_folder_that_cannot_be_written_is_explained(
    ten: list[dict[str, Any]], repath: Callable[..., Any]
) -> None:
    Path("bundles").mkdir()
    BUNDLE.write_text("a file")
    ran = repath(*BUILD)
    assert ran.code == 1
    assert "cannot be written" in ran.err
    assert BUNDLE.read_text() == "a file"


def test_the_real_photos_make_a_bundle_whose_boxes_all_validate(
    real: Path, repath: Callable[..., Any]
) -> None:
    import csv

    names = ["Aluminum Can", "Tin Can", "Aluminum Foil", "Cardboard", "Glass Bottle or Jar", "Plastic Bottle"]
    boxes, samples = {}, []
    with (real / "photos/manifest.csv").open(newline="") as stream:
        for row in list(csv.DictReader(stream))[:40]:
            stem, label = Path(row["file"]).stem, row["labels"].split(";")[0]
            label_file = real / "photos/labels" / Path(row["file"]).relative_to("images").with_suffix(".txt")
            boxes[stem] = label_file.read_text()
            samples.append(sample(stem, label if boxes[stem] else None, image=f"photos/{row['file']}"))
    draw("drawn", boxes, [*names, "Plastic Container"])
    manifest(*samples)
    ran = repath(*BUILD, "--root", real, "--annotations", "drawn")
    assert ran.code == 0, ran.err
    assert ran.json["pictures"] == 40
    checked = repath("training", "validate-annotation-bundle", "--bundle-dir", BUNDLE, "--strict")
    assert checked.code == 0, checked.err
    assert checked.json["total_boxes"] == sum(len(text.splitlines()) for text in boxes.values())


LABEL = st.text(st.characters(exclude_categories=["Cc", "Cs", "Zl", "Zp"]), min_size=1, max_size=20)


@given(st.lists(LABEL.filter(str.strip), min_size=1, max_size=5, unique=True))
def test_any_labels_are_read_back_from_the_yaml(labels: list[str]) -> None:
    yaml = pytest.importorskip("yaml")
    groups = {"a": "a"}
    split = split_samples([SplitSample("a", ())], groups, seed=0, val_fraction=0.1, test_fraction=0.1)
    read = yaml.safe_load(dataset_yaml(labels, split))
    assert read["names"] == dict(enumerate(labels))


def test_hostile_labels_stay_text_in_the_instructions() -> None:
    assert _in_markdown("a|b <script> [x](y)") == "a\\|b \\<script\\> \\[x\\]\\(y\\)"
    assert yaml_quoted('x": 1\\') == '"x\\": 1\\\\"'
