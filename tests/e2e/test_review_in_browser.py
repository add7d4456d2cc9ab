"""The page of an annotation bundle in a real Chromium."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import annotated_bundles as bundles
import numpy as np
import pytest
from annotated_bundles import CLASSES, Sample
from browser_pages import DESKTOP, PHONE, PICTURES, launched, opened, violations
from tiny_models import tiny_model

from pipeline.cli.main import run

CAN = "0 0.500000 0.500000 0.300000 0.400000\n"
SAMPLES = (
    Sample("can-fine", CLASSES[0], CAN, (320, 240), "done", "Ana"),
    Sample("can-doubled", CLASSES[0], CAN + CAN, (320, 240)),
    Sample("can-two-labels", CLASSES[0], CAN + "1" + CAN[1:], (320, 240)),
    Sample("bottle-open", CLASSES[1], size=(240, 320)),
    Sample("bottle-proposed", CLASSES[1], "1 0.5 0.5 0.4 0.4\n", (240, 320), "proposed"),
    Sample("gone", CLASSES[1], image=False, status="missing_image"),
    Sample("street", size=(320, 200), status="negative"),
)
WORDS = [
    "<script>document.title = 'run'</script>", '"><img src=x onerror="document.title = 1">', "W" * 300,
    "\u202egpj.exe", "' autofocus onfocus='document.title=1",
]  # fmt: skip


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with launched() as found:
        yield found


@pytest.fixture(scope="module")
def review(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A page with a detector's doubts as well: it sees a bottle where every can is."""
    pytest.importorskip("ai_edge_litert")
    pytest.importorskip("hotcoco")
    folder = tmp_path_factory.mktemp("review")
    bundle = bundles.write_bundle(folder / "20260101-000000", SAMPLES)
    output = np.zeros((1, 4, 6), np.float32)
    output[0, 0] = [22.4, 19.2, 41.6, 44.8, 0.9, 0]
    model = tiny_model(folder / "m.tflite", output, input_shape=(1, 64, 64, 3))
    (folder / "m.labels.json").write_text(json.dumps([CLASSES[1]]))
    return written(bundle, "--model", str(model), "--resize", "stretch")


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A page of a bundle whose labels and notes try to break out, to run, and to widen the page."""
    classes = [f"{word} {index}" for index, word in enumerate(WORDS)]
    samples = [
        Sample(
            f"{'V' * 120}{index}", label, CAN + f"{index}{CAN[1:]}", status=word, notes=word, annotator=word
        )
        for index, (label, word) in enumerate(zip(classes, WORDS, strict=True))
    ]
    return written(bundles.write_bundle(tmp_path_factory.mktemp("hostile") / "b", samples, classes))


def written(bundle: Path, *more: str) -> Path:
    out = bundle / "review.html"
    assert run(["training", "review-annotations", "--bundle-dir", str(bundle), *more]) == 0
    return out


def test_it_opens_from_the_disk_without_a_word_and_asks_nothing(browser: Any, review: Path) -> None:
    found = opened(browser, review)
    assert found.said == []
    assert [url for url in found.asked if not url.startswith("data:")] == [review.as_uri()]


def test_every_picture_decodes_and_is_seen(browser: Any, review: Path) -> None:
    page = opened(browser, review).page
    widths = page.evaluate(PICTURES)
    assert len(widths) == len(SAMPLES) - 1
    assert all(width > 0 for width in widths)
    for picture in page.locator("svg.picture").all():
        box = picture.bounding_box()
        assert box["width"] > 40
        assert box["height"] > 40


def test_likely_label_errors_come_first(browser: Any, review: Path) -> None:
    names = opened(browser, review).page.locator("#cards > li h3").all_inner_texts()
    assert set(names[:2]) <= {"can-fine", "can-doubled", "can-two-labels", "street"}
    assert names.index("can-fine") < names.index("bottle-open")


def test_the_filters_show_what_they_say(browser: Any, review: Path) -> None:
    page = opened(browser, review).page
    cards, status = page.locator("#cards > li:visible"), page.locator("#shown")
    assert cards.count() == len(SAMPLES)
    page.get_by_label("box drawn twice").check()
    assert cards.locator("h3").all_inner_texts() == ["can-doubled"]
    assert status.inner_text() == f"1 of {len(SAMPLES)} pictures shown"
    page.get_by_label("box drawn twice").uncheck()
    page.locator('input[name="state"][value="proposed"]').check()
    assert cards.locator("h3").all_inner_texts() == ["bottle-proposed"]
    page.locator('input[name="state"][value="negative"]').check()
    assert sorted(cards.locator("h3").all_inner_texts()) == ["bottle-proposed", "street"]
    page.get_by_label("Status", exact=True).select_option(label="negative (1)")
    assert cards.locator("h3").all_inner_texts() == ["street"]
    page.get_by_label("Status", exact=True).select_option(label="every status")
    page.get_by_label("Label", exact=True).select_option(label="Glass Bottle (4)")
    assert cards.locator("h3").all_inner_texts() == ["bottle-proposed"]
    page.get_by_role("button", name="Show all").click()
    page.locator("#shown", has_text=f"{len(SAMPLES)} of").wait_for()
    assert cards.count() == len(SAMPLES)


def test_the_filters_work_with_the_keyboard_alone(browser: Any, review: Path) -> None:
    page = opened(browser, review).page
    page.get_by_label("box drawn twice").focus()
    page.keyboard.press("Space")
    assert page.locator("#cards > li:visible").count() == 1


def test_without_script_every_picture_stands_in_the_list(browser: Any, review: Path) -> None:
    page = opened(browser, review, java_script_enabled=False).page
    assert page.locator("#cards > li:visible").count() == len(SAMPLES)
    assert not page.locator("#filter").is_visible()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])
@pytest.mark.parametrize("kind", ["review", "hostile"])
def test_axe_finds_no_violation(
    browser: Any, scheme: str, size: Any, kind: str, request: pytest.FixtureRequest
) -> None:
    page = opened(browser, request.getfixturevalue(kind), scheme=scheme, size=size).page
    assert violations(page) == []


@pytest.mark.parametrize("kind", ["review", "hostile"])
@pytest.mark.parametrize("width", [320, 375, 768, 1280])
def test_the_page_never_scrolls_sideways(
    browser: Any, kind: str, width: int, request: pytest.FixtureRequest
) -> None:
    page = opened(browser, request.getfixturevalue(kind), size={"width": width, "height": 800}).page
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_hostile_words_run_nothing(browser: Any, hostile: Path) -> None:
    found = opened(browser, hostile)
    assert found.said == []
    assert found.page.title() == "Annotations · b"
    assert found.page.locator("script").count() == 1
    assert found.page.locator("img").count() == 0


def test_it_prints_without_the_filters(browser: Any, review: Path) -> None:
    page = opened(browser, review).page
    page.emulate_media(media="print")
    assert not page.locator("#filter").is_visible()
    assert page.pdf(format="A4", print_background=True).startswith(b"%PDF")
