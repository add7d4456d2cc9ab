"""Searches for many rows, and for negatives alone, against a server on the loopback."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from commons_server import Commons, page
from hypothesis import given
from hypothesis import strategies as st

from pipeline.contracts.labeled import LABELED_COLUMNS, LabeledRow
from pipeline.contracts.manifest import BenchmarkManifest, ManifestRow
from pipeline.data.scenes import hint_of
from pipeline.support.documents import read_csv, read_json, write_csv, write_json
from pipeline.support.patience import Pace

Repath = Callable[..., Any]
FORM = "https://commons.wikimedia.org/wiki/Special:FilePath/"


def row(name: str, label: str = "", **fields: str) -> LabeledRow:
    return LabeledRow(
        **{**dict.fromkeys(LABELED_COLUMNS, ""), "name": name, "canonical_label": label, **fields}
    )


def image(name: str, *labels: str, **fields: Any) -> ManifestRow:
    return ManifestRow(**{"name": name, "url": "", "expected_any": list(labels), "status": "todo", **fields})


@pytest.fixture
def commons() -> Iterator[Commons]:
    server = Commons()
    yield server
    server.close()


@pytest.fixture
def space(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, commons: Commons) -> Path:
    (tmp_path / "repath.toml").write_text(
        "[download]\nallow_private_addresses = true\n[search]\nmax_retries = 0\npause_ms = 0\n"
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("REPATH_COMMONS_API", commons.url)
    return tmp_path


@pytest.fixture
def bulk(space: Path, repath: Repath) -> Callable[..., Any]:
    def call(*rows: LabeledRow, flags: tuple[str, ...] = ()) -> Any:
        if rows:
            write_csv(space / "l.csv", rows, LABELED_COLUMNS)
        files = ["--input", "l.csv", "--merge-into", "l.csv"]
        return repath("data", "suggest-benchmark-online-bulk", *files, *flags)

    return call


@pytest.fixture
def negatives(space: Path, repath: Repath) -> Callable[..., Any]:
    def call(images: list[ManifestRow], rows: list[LabeledRow] | None = None, *flags: str) -> Any:
        write_json(space / "m.json", BenchmarkManifest(name="m", images=images))
        if rows is not None:
            write_csv(space / "l.csv", rows, LABELED_COLUMNS)
        return repath(
            "data", "suggest-negative-online", "--manifest", "m.json", "--merge-into", "l.csv", *flags
        )

    return call


def rows_of(space: Path) -> list[LabeledRow]:
    return read_csv(space / "l.csv", LabeledRow, LABELED_COLUMNS)


def test_all_rows_are_searched_for_in_passes_with_one_summary(space: Path, commons: Commons, bulk) -> None:
    for number in range(5):
        commons.answers[f"Label{number}"] = [[page(f"File:{number}.jpg")]] if number != 3 else [[]]
    ran = bulk(*(row(f"r{n}", f"Label{n}") for n in range(5)), flags=("--limit", "2"))
    assert ran.code == 0, ran.err
    assert [each.url for each in rows_of(space)] == [f"{FORM}{n}.jpg" if n != 3 else "" for n in range(5)]
    told = ran.json
    assert [one["offset"] for one in told["passes"]] == [0, 2, 4]
    assert [one["matched_rows"] for one in told["passes"]] == [2, 1, 1]
    assert (told["attempted"], told["matched_rows"], told["no_match_rows"], told["not_reached"]) == (
        5,
        4,
        1,
        0,
    )


def test_passes_limit_and_offset_bound_the_work(space: Path, commons: Commons, bulk) -> None:
    rows = [row(f"r{n}", f"Label{n}") for n in range(7)]
    ran = bulk(*rows, flags=("--limit", "2", "--passes", "2", "--start-offset", "1"))
    assert commons.asked == ["Label1", "Label2", "Label3", "Label4"]
    assert ran.json["not_reached"] == 3


def test_an_interrupted_run_goes_on_with_the_rows_that_were_not_searched_for(
    space: Path, commons: Commons, bulk
) -> None:
    for number in range(6):
        commons.answers[f"Label{number}"] = [[page(f"File:{number}.jpg")]] if number < 2 else [500]
    ran = bulk(*(row(f"r{n}", f"Label{n}") for n in range(6)), flags=("--limit", "2"))
    assert ran.code == 1
    assert "3 searches failed one after another" in ran.err
    assert [bool(each.url) for each in rows_of(space)] == [True, True, False, False, False, False]
    for number in range(2, 6):
        commons.answers[f"Label{number}"] = [[page(f"File:{number}.jpg")]]
    commons.asked.clear()
    assert bulk().json["matched_rows"] == 4
    assert commons.asked == ["Label2", "Label3", "Label4", "Label5"]
    before = (space / "l.csv").read_bytes()
    assert bulk().json["attempted"] == 0
    assert (space / "l.csv").read_bytes() == before


def test_a_pause_is_kept_between_requests(space: Path, commons: Commons, bulk, monkeypatch) -> None:
    # How long it is kept is tested without a clock (tests/support/test_patience.py).
    made: list[float] = []

    class Watched(Pace):
        def wait(self) -> None:
            made.append(self.interval_s)

    monkeypatch.setattr("pipeline.cli.data_search.Pace", Watched)
    bulk(row("a", "Can"), row("b", "Jar"), flags=("--pause-ms", "250"))
    assert made == [0.25] * len(commons.asked)
    assert len(made) == 2


def test_negatives_are_searched_for_by_hint_note_or_name_and_get_no_label(
    space: Path, commons: Commons, negatives
) -> None:
    for query in ("forest trail", "beach", "street scene"):
        commons.answers[query] = [[page(f"File:{query}.jpg")]]
    images = [
        image("todo_negative_forest-trail_1", notes="Negative benchmark seed. query_hint=forest trail"),
        image("todo_negative_street_scene"),
        image("todo_can", "Tin Can"),
    ]
    hard = row("retrain_negative_foil_v1", notes="target_false_positive_label=Foil")
    positive = row("todo_jar", "Jar")
    ran = negatives(images, [row("negative_x", notes="query=beach; by Ann"), hard, positive])
    assert ran.code == 0, ran.err
    rows = {each.name: each for each in rows_of(space)}
    assert rows["todo_negative_forest-trail_1"].notes == "title=File:Forest trail.jpg; query=forest trail"
    assert rows["todo_negative_forest-trail_1"].source == "wikimedia_commons_negative_search"
    assert rows["todo_negative_street_scene"].url == f"{FORM}Street%20scene.jpg"
    assert rows["negative_x"].notes == "by Ann; title=File:Beach.jpg; query=beach"
    assert rows["retrain_negative_foil_v1"] == hard
    assert rows["todo_jar"] == positive
    assert "todo_can" not in rows
    assert all(each.is_negative for each in rows.values() if each is not positive and each.name != "todo_jar")
    assert ran.json["left_to_a_person"] == [hard.name]
    assert not {"Tin Can", "Jar", "Foil"} & set(commons.asked)


def test_a_negative_of_the_manifest_that_has_a_label_in_the_csv_is_told_and_left(
    space: Path, commons: Commons, negatives
) -> None:
    mine = row("todo_negative_street_scene", "Tin Can")
    ran = negatives([image(mine.name)], [mine])
    assert rows_of(space) == [mine]
    assert commons.asked == []
    assert ran.json["conflicts"] == [
        f"{mine.name}: the manifest expects nothing, and the row shows 'Tin Can'"
    ]


def test_what_a_person_chose_to_search_for_outlives_a_search_that_found_nothing(
    space: Path, commons: Commons, negatives
) -> None:
    negatives([], [row("negative_x", notes="by Ann; query=rare thing")])
    assert rows_of(space)[0].notes == "by Ann; query=rare thing; suggest_failed=no_result"
    commons.answers["rare thing"] = [[page("File:Rare.jpg")]]
    ran = negatives([], None)
    assert ran.json["skipped_previously_attempted"] == 1
    negatives([], None, "--include-previous-failures")
    assert rows_of(space)[0].notes == "by Ann; title=File:Rare.jpg; query=rare thing"


def test_a_picture_that_the_input_shows_is_not_taken_again(space: Path, commons: Commons, negatives) -> None:
    commons.answers["street scene"] = [[page("File:A.jpg", 1), page("File:B.jpg", 2)]]
    write_csv(space / "used.csv", [row("x", "Can", url=f"{FORM}A.jpg")], LABELED_COLUMNS)
    negatives([image("todo_negative_street_scene")], [], "--input", "used.csv")
    assert rows_of(space)[0].url == f"{FORM}B.jpg"


def test_run_again_nothing_is_searched_and_nothing_changes(space: Path, commons: Commons, negatives) -> None:
    commons.answers["street scene"] = [[page("File:A.jpg")]]
    images = [image("todo_negative_street_scene"), image("todo_negative_nowhere_1")]
    negatives(images, [])
    before = (space / "l.csv").read_bytes()
    commons.asked.clear()
    assert negatives(images).json["attempted"] == 0
    assert commons.asked == []
    assert (space / "l.csv").read_bytes() == before


def test_names_that_stand_twice_are_both_told(space: Path, negatives) -> None:
    ran = negatives([image("todo_negative_a"), image("todo_negative_a")], [])
    assert ran.code == 1
    assert "images[0]" in ran.err
    assert "images[1]" in ran.err


def test_the_hints_of_the_real_manifest_are_its_real_queries(real: Path) -> None:
    mobile = real / "repath-mobile"
    labeled = {
        each.name: each for each in read_csv(mobile / "benchmark-labeled.csv", LabeledRow, LABELED_COLUMNS)
    }
    images = read_json(mobile / "municipal-benchmark-manifest-v2.json", BenchmarkManifest).images
    hints = {each.name: hint_of(each.notes or "") for each in images if "query_hint" in (each.notes or "")}
    assert len(hints) == 17
    assert hints == {name: labeled[name].note("query") for name in hints}


@given(st.text())
def test_a_hint_is_one_line_that_notes_can_hold(notes: str) -> None:
    hint = hint_of(f"Seed. query_hint={notes}")
    assert "\n" not in hint
    assert row("x", notes=f"query={hint}").note("query") in {hint, hint.rstrip("; ").rstrip()}
