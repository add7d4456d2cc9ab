"""The page of a bundle: what is doubted, in which order, and nothing that a file says runs in it."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import annotated_bundles as bundles
import numpy as np
import pytest
from annotated_bundles import CLASSES, Sample
from html_pages import Page
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from tiny_models import tiny_model

from pipeline.contracts.results import Detection
from pipeline.support.yolo_labels import YoloBox
from pipeline.training import review
from pipeline.training.bundle_rows import picture_sizes, read_bundle
from pipeline.training.doubts import WORDS, detector_doubts, geometric_doubts

Repath = Callable[..., Any]

CAN = "0 0.500000 0.500000 0.300000 0.400000\n"
DOUBTFUL = (
    Sample("fine", CLASSES[0], CAN, status="done", annotator="Ana"),
    Sample("doubled", CLASSES[0], CAN + CAN),
    Sample("two", CLASSES[0], CAN + "1" + CAN[1:]),
    Sample("tiny", CLASSES[0], CAN + "0 0.1 0.3 0.02 0.5\n"),
    Sample("whole", CLASSES[0], "0 0.5 0.5 1 1\n"),
    Sample("other", CLASSES[0], "1 0.3 0.3 0.2 0.2\n"),
    Sample("broken", CLASSES[0], CAN + "0 0.5\n"),
    Sample("open", CLASSES[1]),
    Sample("gone", CLASSES[1], image=False, status="missing_image"),
    Sample("street", status="negative"),
)


def cards_of(page: Page) -> list[dict[str, str | None]]:
    return [attributes for attributes in page.all("li") if "data-kinds" in attributes]


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    return bundles.write_bundle(tmp_path / "bundles" / "20260101-000000", DOUBTFUL)


def reviewed(repath: Repath, bundle: Path, *more: object) -> tuple[Any, str]:
    ran = repath("training", "review-annotations", "--bundle-dir", bundle, *more)
    assert ran.code == 0, ran.err
    return ran.json, (bundle / "review.html").read_text("utf-8")


def detector(path: Path, rows: list[list[float]], labels: list[str]) -> Path:
    pytest.importorskip("ai_edge_litert")
    output = np.zeros((1, 8, 6), np.float32)
    for index, row in enumerate(rows):
        output[0, index] = row
    tiny_model(path, output, input_shape=(1, 64, 64, 3))
    path.with_name(f"{path.stem}.labels.json").write_text(json.dumps(labels))
    return path


def test_every_row_is_shown_and_what_is_doubted_comes_first(bundle: Path, repath: Repath) -> None:
    summary, html = reviewed(repath, bundle)
    page = Page(html)
    assert summary["pictures"] == len(cards_of(page)) == len(DOUBTFUL)
    first = [str(card["data-kinds"]).split() for card in cards_of(page)]
    order = list(WORDS)
    ranks = [order.index(kinds[0]) if kinds and kinds[0] else len(order) for kinds in first]
    assert ranks == sorted(ranks)
    assert first[-2:] == [[], []], "what is fine comes last"
    assert summary["issues"] == {
        "doubled": 1, "two_labels": 1, "tiny": 1, "whole_picture": 1, "own_label_missing": 1,
        "invalid_yolo_line": 1, "positive_missing_boxes": 2, "missing_image_file": 1,
    }  # fmt: skip
    assert summary["doubtful"] == 8


def test_cards_can_be_filtered_by_what_they_say(bundle: Path, repath: Repath) -> None:
    _, html = reviewed(repath, bundle)
    page = Page(html)
    assert {card["data-states"] for card in cards_of(page)} == {"drawn", "open", "negative", "no_picture"}
    for name in ("data-labels", "data-marks"):
        numbers = {str(number) for card in cards_of(page) for number in str(card[name]).split()}
        options = [str(each["value"]) for tag, each in page.tags if tag == "option"]
        assert numbers <= set(options)
    boxes = [attributes for tag, attributes in page.tags if tag == "input"]
    assert {each["value"] for each in boxes if each["name"] == "kind"} == {
        kind for card in cards_of(page) for kind in str(card["data-kinds"]).split()
    }


def test_the_same_bundle_gives_the_same_page(
    bundle: Path, repath: Repath, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")
    assert reviewed(repath, bundle)[1] == reviewed(repath, bundle)[1]


def test_a_detector_tells_wrong_labels_missing_boxes_and_items_on_negatives(
    bundle: Path, repath: Repath, tmp_path: Path
) -> None:
    # On every picture: a bottle where the can is, and one more can beside it.
    rows = [[22.4, 19.2, 41.6, 44.8, 0.9, 0], [2, 2, 12, 12, 0.8, 1], [50, 50, 60, 60, 0.3, 1]]
    model = detector(tmp_path / "m.tflite", rows, ["Glass Bottle", "Aluminum Can"])
    summary, html = reviewed(repath, bundle, "--model", model, "--resize", "stretch")
    cards = re.findall(r'<li class="card" data-kinds="([^"]*)".*?<bdi>(.*?)</bdi>', html, re.DOTALL)
    kinds = {name: found.split() for found, name in cards}
    assert kinds["fine"] == ["wrong_label", "missing_box"]
    assert kinds["street"] == ["seen_on_negative"]
    # Nothing is drawn there yet: that no box is where the detector sees one tells nothing.
    assert kinds["open"] == ["positive_missing_boxes"]
    assert "Glass Bottle with score 0.90, where the annotation says Aluminum Can" in html
    assert 'class="box seen"' in html
    assert 'class="box drawn doubted"' in html
    assert summary["issues"]["seen_on_negative"] == 1
    assert cards[0][0].startswith("wrong_label")


def test_pictures_beyond_the_limit_are_counted(bundle: Path, repath: Repath) -> None:
    summary, html = reviewed(repath, bundle, "--limit", "3")
    assert (summary["pictures"], summary["left_out"]) == (3, 7)
    assert "7 pictures of which nothing is doubted" in html


def test_the_more_pictures_there_are_the_smaller_each(
    repath: Repath, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    samples = [Sample(f"p{index}", CLASSES[0], CAN, size=(600, 400)) for index in range(24)]
    bundle = bundles.write_bundle(tmp_path / "b", samples)
    noise = np.random.default_rng(0).integers(0, 255, (400, 600, 3), dtype=np.uint8)
    Image.fromarray(noise).save(tmp_path / "noise.png")
    for sample in samples:
        shutil.copy(tmp_path / "noise.png", bundle / "images" / f"{sample.id}.png")
    monkeypatch.setattr(review, "PICTURES_BYTES", 24 * 10_000)
    summary, _ = reviewed(repath, bundle)
    assert summary["bytes"] < 24 * 10_000 * 4 / 3 + 120_000


HOSTILE = [
    "<script>document.title = 1</script>", '"><img src=x onerror=alert(1)>', "</svg></style>", "{{ 7*7 }}",
    "\u202egpj.exe", "W" * 300, "' autofocus onfocus='alert(1)", "&lt;b&gt;", "javascript:alert(1)",
]  # fmt: skip


def hostile_bundle(folder: Path) -> Path:
    """A bundle whose labels, names and notes try to break out, to run, and to widen the page."""
    classes = [f"{word} {index}" for index, word in enumerate(HOSTILE)]
    samples = [
        Sample(f"p{index}", label, CAN.replace("0", str(index), 1), status=word, annotator=word, notes=word)
        for index, (label, word) in enumerate(zip(classes, HOSTILE, strict=True))
    ]
    return bundles.write_bundle(folder, samples, classes)


def test_nothing_that_a_file_says_becomes_markup(repath: Repath, tmp_path: Path) -> None:
    _, html = reviewed(repath, hostile_bundle(tmp_path / "b"))
    page = Page(html)
    assert [tag for tag, _ in page.tags].count("script") == 1
    assert "img" not in [tag for tag, _ in page.tags]
    assert not [name for _, attributes in page.tags for name in attributes if name.startswith("on")]
    assert "49" not in re.findall(r"\b49\b", page.text)
    assert "\u202e" not in html
    policy = next(str(each["content"]) for tag, each in page.tags if each.get("http-equiv"))
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert all(address.startswith(("data:", "#")) for address in page.addresses())


def test_a_model_without_hotcoco_is_explained_before_it_runs(
    bundle: Path, repath: Repath, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import importlib.util

    real_find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name, *more: None if name == "hotcoco" else real_find(name, *more)
    )
    ran = repath("training", "review-annotations", "--bundle-dir", bundle, "--model", tmp_path / "m.tflite")
    assert ran.code == 1
    assert "repath-model[bench]" in ran.err


def test_a_box_unlike_its_classs_others_is_named(tmp_path: Path) -> None:
    samples = [
        Sample(f"p{index}", CLASSES[0], f"0 0.5 0.5 0.3{index} 0.4{index % 3}\n", size=(200, 200))
        for index in range(12)
    ]
    flat = Sample("flat", CLASSES[0], "0 0.5 0.5 0.9 0.05\n", size=(200, 200))
    bundle = read_bundle(bundles.write_bundle(tmp_path / "b", [*samples, flat]))
    doubts = geometric_doubts(bundle, picture_sizes(bundle.rows))
    assert {row: [each.kind for each in found] for row, found in doubts.items()} == {
        "flat": ["unusual", "unusual"]
    }
    assert doubts["flat"][0].words == "the shape of box 1 is unlike that of other Aluminum Can"


SHARE = st.floats(0.05, 0.95)


@settings(deadline=None, max_examples=40)
@given(
    st.lists(st.tuples(st.integers(0, 1), SHARE, SHARE), max_size=4),
    st.lists(st.tuples(st.sampled_from(CLASSES), SHARE, SHARE, st.floats(0, 1)), max_size=4),
)
def test_doubts_name_boxes_that_are_there(
    tmp_path_factory: pytest.TempPathFactory, drawn: Any, seen: Any
) -> None:
    pytest.importorskip("hotcoco")
    folder = tmp_path_factory.mktemp("any")
    boxes = [YoloBox(label, x, y, 0.05, 0.05) for label, x, y in drawn]
    text = "".join(f"{box}\n" for box in boxes)
    bundle = read_bundle(bundles.write_bundle(folder / "b", [Sample("a", CLASSES[0], text, size=(90, 60))]))
    sizes = picture_sizes(bundle.rows)
    detections = [
        Detection(label=label, score=score, box=[x * 90 - 3, y * 60 - 3, x * 90 + 3, y * 60 + 3])
        for label, x, y, score in seen
    ]
    found = detector_doubts(bundle, sizes, {"a": detections})
    for doubt in [*found.get("a", []), *geometric_doubts(bundle, sizes).get("a", [])]:
        assert doubt.kind in WORDS
        assert doubt.words
        assert doubt.box is None or doubt.box in range(len(boxes))
        if doubt.kind == "wrong_label":
            assert doubt.box is not None
            assert doubt.detection is not None
            assert doubt.detection.label != CLASSES[boxes[doubt.box].class_id]
    if not boxes:
        assert found == {}
