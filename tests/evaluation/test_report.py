from __future__ import annotations

import base64
import hashlib
import io
import json
import re
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import report_cases as cases
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from pipeline.contracts.comparison import Comparison
from pipeline.contracts.results import BenchmarkResults
from pipeline.evaluation.report import MOST_BYTES, ReportInputs, build_report
from pipeline.evaluation.report_figures import wilson
from pipeline.evaluation.report_pictures import PictureFolders, embedded
from pipeline.evaluation.report_tables import picture_matrix
from pipeline.support.documents import read_json, write_json
from pipeline.support.drawn_boxes import box_of

Repath = Callable[..., Any]
CANDIDATE = Path("benchmarks/latest-results.candidate.json")
COMPARISON = Path("benchmarks/latest-results.compare.json")

HOSTILE = [
    "<script>alert(1)</script>", "\"><img src=x onerror=alert(1)>", "' onmouseover='alert(1)",
    "</svg></style>", "javascript:alert(1)", "{{ 7*7 }}{% raw %}",
    "\u202etxt.exe\u202c", "&lt;b&gt;", "W" * 400, "]]>--><!--",
    "data:text/html,<script>alert(1)</script>", "`'\"<>&",
]  # fmt: skip


class Page(HTMLParser):
    """Tags with their attributes, and the text."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]

    def addresses(self) -> list[str]:
        found = [
            value for _, attributes in self.tags for name, value in attributes.items() if name in ADDRESS
        ]
        return [value or "" for value in found]


ADDRESS = {"href", "src", "srcset", "action", "data", "xlink:href", "formaction", "poster", "background"}


@pytest.fixture
def space(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    cases.workspace(tmp_path / "space")
    monkeypatch.chdir(tmp_path / "space")
    return tmp_path / "space"


def page_of(space: Path) -> Page:
    return Page((space / "benchmarks" / "report.html").read_text("utf-8"))


def build(rows: list[dict[str, Any]], other: list[dict[str, Any]] | None, folder: Path) -> str:
    baseline = None if other is None else cases.results(other, model="old.tflite")
    candidate = cases.results(rows, model="new.tflite")
    space = cases.compared(folder, baseline, candidate)
    inputs = ReportInputs(
        comparison=read_json(space / COMPARISON, Comparison),
        baseline=baseline,
        candidate=candidate,
        coverage=None,
        leakage=None,
        folders=PictureFolders(space / CANDIDATE),
        title="<b>Title</b>",
        generated_at="now",
    )
    return build_report(inputs).html


def test_the_report_shows_every_part_and_the_verdict_first(space: Path, repath: Repath) -> None:
    ran = repath("evaluation", "report")
    assert ran.code == 0, ran.err
    assert ran.json["changed_pictures"] == 6
    assert ran.json["pictures_missing"] == 0
    page = page_of(space)
    comparison = read_json(space / COMPARISON, Comparison)
    assert comparison.statistics is not None
    titles = [attributes["id"] for tag, attributes in page.tags if tag in {"h1", "h2"}]
    parts = ["figures", "pictures", "labels", "threshold", "confusion", "boxes", "coverage", "leakage"]
    assert titles == ["verdict", *parts, "provenance"]
    assert page.text.index(comparison.statistics.sentence) < page.text.index("Changed pictures")
    assert "Training has seen 1 of the benchmark's pictures" in page.text
    assert "Light Bulb" in page.text, "a label without a picture"
    assert len(page.all("img")) == 2, "both pictures of the leaked pair"


def test_every_changed_picture_has_both_models_boxes_over_one_thumbnail(space: Path, repath: Repath) -> None:
    repath("evaluation", "report")
    page = page_of(space)
    cards = [attributes for attributes in page.all("li") if attributes.get("class") == "card"]
    kinds = {kind for card in cards for kind in (card["data-kinds"] or "").split()}
    assert kinds == {"newly_missed", "new_false_alarm", "changed_label", "newly_found", "gone_false_alarm"}
    pictures = [each["href"] or "" for each in page.all("image")]
    uses = page.all("use")
    assert len(uses) == len(cards)
    assert {each["href"] for each in uses} <= {f"#{each['id']}" for each in page.all("image")}
    for uri in pictures:
        data = base64.b64decode(uri.removeprefix("data:image/jpeg;base64,"))
        assert Image.open(io.BytesIO(data)).format == "JPEG"


def test_a_wrong_label_on_a_known_box_is_a_likely_label_error(space: Path, repath: Repath) -> None:
    pytest.importorskip("hotcoco")
    repath("evaluation", "report")
    text = page_of(space).text
    assert "Is this box's label wrong?" in text
    assert "Glass Bottle with score 0.95, where the annotation says Aluminum Can" in text
    assert "Is a box missing here?" in text


def test_the_page_can_ask_nothing_of_any_server_and_run_nothing_but_its_own_script(
    space: Path, repath: Repath
) -> None:
    repath("evaluation", "report")
    page = page_of(space)
    assert all(address.startswith(("#", "data:image/jpeg;base64,", "data:,")) for address in page.addresses())
    policy = next(each["content"] or "" for each in page.all("meta") if each.get("http-equiv"))
    assert policy.startswith("default-src 'none'; img-src data:; style-src 'sha256-")
    assert "unsafe" not in policy
    html = (space / "benchmarks" / "report.html").read_text("utf-8")
    for tag in ("style", "script"):
        (text,) = re.findall(rf"<{tag}>(.*?)</{tag}>", html, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        assert f"{tag}-src 'sha256-{digest}'" in policy
    assert not [name for _, attributes in page.tags for name in attributes if name.startswith("on")]
    assert not [attributes for _, attributes in page.tags if "style" in attributes]


def test_the_same_inputs_give_the_same_bytes(
    space: Path, repath: Repath, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")
    repath("evaluation", "report")
    once = (space / "benchmarks" / "report.html").read_bytes()
    repath("evaluation", "report", "--out", "again.html")
    assert (space / "again.html").read_bytes() == once


def test_a_first_release_has_floors_and_pictures_with_faults(
    tmp_path: Path, repath: Repath, monkeypatch: pytest.MonkeyPatch
) -> None:
    cases.workspace(tmp_path, first_release=True)
    monkeypatch.chdir(tmp_path)
    ran = repath("evaluation", "report")
    assert ran.code == 0, ran.err
    text = page_of(tmp_path).text
    assert "A first release that reaches its floors" in text
    assert "any-hit rate is 0.5, at least 0.5" in text
    assert "Pictures with a fault" in text
    assert not page_of(tmp_path).all("use"), "one model, one panel"


def test_results_of_the_system_in_use_make_a_report_without_boxes_or_curves(tmp_path: Path) -> None:
    def old(predicted: list[str]) -> dict[str, Any]:
        full = cases.row("a", "https://example.org/a.jpg", ["Can"], [(label, 0.9) for label in predicted])
        keys = ("size", "below_threshold", "expected_boxes")
        plain = {key: value for key, value in full.items() if key not in keys}
        return plain | {"detections": [{"label": label, "score": 0.9} for label in predicted]}

    page = Page(build([old([])], [old(["Can"])], tmp_path))
    assert "The picture is not on this disk." in page.text
    assert "No leakage report was given" in page.text
    assert not page.all("image")


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_names_and_labels_are_shown_as_they_are(tmp_path: Path, text: str) -> None:
    rows = [cases.row(text, text, [text], []), cases.row("b", "b.jpg", [], [(text, 0.9)])]
    other = [cases.row(text, text, [text], [(text, 0.9)]), cases.row("b", "b.jpg", [], [])]
    harmless = [
        [
            {**each, "name": "n", "url": "u", "expected_any": ["l"] if each["expected_any"] else []}
            for each in side
        ]
        for side in (rows, other)
    ]
    for side in harmless:
        for each in side:
            each["predicted_labels"] = ["l" for _ in each["predicted_labels"]]
            each["detections"] = [{**found, "label": "l"} for found in each["detections"]]
            each["expected_boxes"] = [{**box, "label": "l"} for box in each["expected_boxes"]]
    page = Page(build(rows, other, tmp_path / "hostile"))
    plain = Page(build(harmless[0], harmless[1], tmp_path / "plain"))
    assert [tag for tag, _ in page.tags] == [tag for tag, _ in plain.tags]
    assert [list(each) for _, each in page.tags] == [list(each) for _, each in plain.tags]
    # What would turn the direction of writing stands as a sign in its place.
    assert page.text.count(re.sub("[\u202a-\u202e]", "\ufffd", text)) >= 4
    assert "\u202e" not in page.text
    assert all(address.startswith(("#", "data:")) for address in page.addresses())


def test_hostile_words_of_a_comparison_and_a_title_are_escaped(space: Path, repath: Repath) -> None:
    data = json.loads((space / COMPARISON).read_text())
    data["statistics"]["sentence"] = data["notes"] = "<script>alert(2)</script>"
    data["notes"] = [data["notes"]]
    data["gate"]["reasons"][0]["words"] = "<iframe src=//evil.example>"
    (space / COMPARISON).write_text(json.dumps(data))
    (space / "repath.toml").write_text("[release]\nname = '</title><script>alert(3)</script>'\n")
    assert repath("evaluation", "report").code == 0
    page = page_of(space)
    assert len(page.all("script")) == 1
    assert not page.all("iframe")
    assert page.text.count("<script>alert(2)</script>") == 2


def test_a_picture_that_changed_on_disk_is_not_shown(space: Path, repath: Repath) -> None:
    cases.picture(space / "pictures" / "can-lost.jpg", seed=99)
    (space / "pictures" / "can-found.jpg").unlink()
    (space / "pictures" / "bottle-found.jpg").write_bytes(b"no picture")
    ran = repath("evaluation", "report")
    assert ran.json["pictures_missing"] == 3
    text = page_of(space).text
    assert "not the picture that was measured" in text
    assert "not on this disk" in text


def test_a_damaged_picture_and_a_path_out_of_the_workspace_are_said_to_be_so(tmp_path: Path) -> None:
    (tmp_path / "torn.jpg").write_bytes(b"\xff\xd8\xff not a picture")
    rows = [cases.row("torn", "torn.jpg", ["Can"], []), cases.row("out", "../../etc/passwd", ["Can"], [])]
    text = Page(build(rows, None, tmp_path)).text
    assert "The picture cannot be decoded." in text
    assert "leaves the workspace" in text


def test_a_comparison_of_other_results_is_refused(space: Path, repath: Repath) -> None:
    results = read_json(space / CANDIDATE, BenchmarkResults)
    write_json(space / CANDIDATE, results.replace(results=results.results[1:]))
    ran = repath("evaluation", "report")
    assert ran.code == 1
    assert "the comparison is of other results" in ran.err
    assert not (space / "benchmarks" / "report.html").exists()
    other = results.summary.replace(model_sha256="f" * 64)
    write_json(space / CANDIDATE, results.replace(summary=other))
    ran = repath("evaluation", "report")
    assert ran.code == 1
    assert "made of another candidate" in ran.err


def test_a_report_that_was_asked_for_and_is_not_there_is_an_error(space: Path, repath: Repath) -> None:
    ran = repath("evaluation", "report", "--leakage", "absent.json")
    assert ran.code == 1
    assert "absent.json does not exist" in ran.err
    (space / "benchmarks" / "leakage.json").unlink()
    assert repath("evaluation", "report").code == 0


def test_five_hundred_changed_pictures_full_of_noise_stay_under_fifteen_megabytes(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (480, 640, 3), np.uint8)
    for number in range(4):
        Image.fromarray(np.roll(noise, number, 0)).save(tmp_path / f"{number}.jpg", quality=95)
    rows = [
        cases.row(f"picture {number}", f"{number % 4}.jpg", ["Can"], [("Tin", 0.9)], size=[640, 480])
        for number in range(500)
    ]
    other = [cases.row(each["name"], each["url"], ["Can"], [("Can", 0.9)], size=[640, 480]) for each in rows]
    html = build(rows, other, tmp_path)
    assert html.count('<li class="card"') == 500
    assert html.count("data:image/jpeg;base64,") >= 500
    assert len(html.encode()) < MOST_BYTES


@pytest.mark.parametrize(("hits", "cases_"), [(0, 6), (6, 6), (3, 10), (499, 500), (1, 1)])
def test_the_score_interval_is_that_of_statsmodels(hits: int, cases_: int) -> None:
    proportion = pytest.importorskip("statsmodels.stats.proportion")
    expected = proportion.proportion_confint(hits, cases_, alpha=0.05, method="wilson")
    assert wilson(hits, cases_) == pytest.approx(expected, abs=1e-12)


def test_a_confusion_counts_what_was_taken_for_what() -> None:
    rows = [
        cases.row("a", "a", ["Can"], [("Tin", 0.9)]),
        cases.row("b", "b", ["Can"], [("Can", 0.9), ("Tin", 0.8)]),
        cases.row("c", "c", ["Can"], []),
        cases.row("d", "d", [], [("Can", 0.9)]),
    ]
    matrix = picture_matrix(cases.results(rows, model="m").results)
    assert matrix.columns == ["Can", "Tin", None]
    counts = {row.label: [cell.count for cell in row.cells] for row in matrix.rows}
    assert counts == {"Can": [1, 1, 1], "Tin": [0, 0, 0], None: [1, 1, 0]}


@given(st.lists(st.floats(allow_nan=False), max_size=6), st.integers(0, 5000), st.integers(1, 5000))
def test_no_box_leaves_its_picture(corners: list[float], width: int, height: int) -> None:
    box = box_of(corners, "wrong", (width, height))
    if box is not None:
        assert box.x >= 0
        assert box.y >= 0
        assert box.x + box.width <= width + 0.2
        assert box.y + box.height <= height + 0.2


@pytest.mark.parametrize(
    "text", ["", "x", "<svg onload=alert(1)>", '/9j/" onerror="alert(1)', "iVBORw0KGgo="]
)
def test_only_a_jpeg_in_base64_is_taken_from_another_file(text: str) -> None:
    assert embedded(text) is None
