"""Pictures for the hard negatives of the retraining queue."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from PIL import Image
from workspaces import digests

from pipeline.contracts.labeled import LABELED_COLUMNS, LabeledRow
from pipeline.support.documents import read_csv, write_csv
from pipeline.support.files import sha256_file

Repath = Callable[..., Any]
NEGATIVE = "retrain_negative_foil_v"


def row(name: str, **fields: str) -> LabeledRow:
    return LabeledRow(**{**dict.fromkeys(LABELED_COLUMNS, ""), "name": name, **fields})


def hard(number: int = 1, **fields: str) -> LabeledRow:
    told = f"target_false_positive_label=Foil; action=add_hard_negatives; priority_score=2; variant={number}"
    return row(f"{NEGATIVE}{number}", **{"source": "retraining_queue_negative", "notes": told, **fields})


def draw(path: Path, colour: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (16, 16), colour).save(path)
    return path


@pytest.fixture
def space(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    space = tmp_path / "space"
    space.mkdir()
    (space / "repath.toml").write_text("[download]\nallow_private_addresses = true\nretries = 0\n")
    monkeypatch.chdir(space)
    draw(tmp_path / "scenes/1.png", "red")
    draw(tmp_path / "scenes/beach/2.png", "green")
    draw(tmp_path / "scenes/beach/3.png", "red")  # a copy of the first one
    return space


@pytest.fixture
def fill(space: Path, repath: Repath) -> Callable[..., Any]:
    def call(*rows: LabeledRow, flags: tuple[str, ...] = ("--negatives-dir", "../scenes")) -> Any:
        if rows:
            write_csv(space / "l.csv", rows, LABELED_COLUMNS)
        return repath("data", "fill-retraining-negatives", "--input", "l.csv", "--cache-dir", "cache", *flags)

    return call


def rows_of(space: Path, name: str = "l.csv") -> list[LabeledRow]:
    return read_csv(space / name, LabeledRow, LABELED_COLUMNS)


def test_each_hard_negative_gets_a_picture_of_its_own_and_no_label(space: Path, fill) -> None:
    ran = fill(hard(1), hard(2), hard(3))
    assert ran.code == 0, ran.err
    rows = rows_of(space)
    assert [each.url for each in rows] == [f"cache/{NEGATIVE}1.png", f"cache/{NEGATIVE}2.png", ""]
    assert all(each.is_negative for each in rows)
    assert rows[0].source == "retraining_queue_negative"
    assert rows[1].notes == (
        f"{hard(2).notes}; seeded_from=negative_folder; folder=beach; source_image=2.png; "
        f"materialized_local=cache/{NEGATIVE}2.png"
    )
    assert ran.json["filled"] == [f"{NEGATIVE}1", f"{NEGATIVE}2"]
    assert ran.json["without_picture"] == [f"{NEGATIVE}3"]
    assert "1 rows have no picture" in ran.err


def test_run_again_it_changes_nothing(space: Path, fill) -> None:
    fill(hard(1), hard(2), hard(3))
    before = digests(space)
    assert fill().json["filled"] == []
    assert digests(space) == before


def test_rows_that_are_none_of_its_own_stay_as_they_are(space: Path, fill) -> None:
    others = [
        row("todo_negative_street_scene"),
        row("retrain_positive_foil_v1", canonical_label="Foil"),
        row(f"{NEGATIVE}7", canonical_label="Foil"),  # a fault that build-retraining-manifest stops at
        hard(8, url="mine.png", notes="by Ann"),
    ]
    ran = fill(*others, hard(1))
    assert rows_of(space)[:-1] == others
    assert ran.json["filled"] == [f"{NEGATIVE}1"]


def test_what_a_person_noted_stays_and_what_told_of_the_old_picture_goes(space: Path, fill) -> None:
    notes = "variant=1; seeded_from=negative_folder; materialized_local=gone.png; not too dark"
    fill(hard(1, notes=notes))
    assert rows_of(space)[0].notes.startswith(
        "variant=1; not too dark; seeded_from=negative_folder; folder=."
    )


def test_a_picture_that_any_row_shows_is_passed_over(space: Path, fill) -> None:
    draw(space / "data/bench.png", "red")
    draw(space / "data/train.png", "green")
    fill(
        row("todo_negative_x", url="data/bench.png"),
        row("retrain_negative_old", url="data/train.png"),
        hard(1),
    )
    assert rows_of(space)[2].url == ""


def test_the_benchmark_s_own_negatives_are_taken_only_where_that_is_asked_for(space: Path, fill) -> None:
    draw(space / "data/bench.png", "white")
    bench = row("todo_negative_x", url="data/bench.png", source="wikimedia_commons_negative_search")
    positive = row("todo_foil", url="data/bench.png", canonical_label="Foil")
    assert fill(bench, positive, hard(1), flags=()).json["filled"] == []
    ran = fill(flags=("--from-benchmark",))
    after = rows_of(space)
    assert after[:2] == [bench, positive]
    assert after[2].url == f"cache/{NEGATIVE}1.png"
    assert "seeded_from=baseline_negative_pool; source_url=data/bench.png" in after[2].notes
    assert ran.json["from_benchmark"] == [after[2].name]
    assert "check-leakage" in ran.err
    assert sha256_file(space / after[2].url) == sha256_file(space / "data/bench.png")


def test_a_dry_run_names_the_rows_and_writes_nothing(space: Path, fill) -> None:
    fill(hard(1, url="there.png"))
    write_csv(space / "l.csv", [hard(1), hard(2)], LABELED_COLUMNS)
    before = digests(space)
    ran = fill(flags=("--negatives-dir", "../scenes", "--dry-run"))
    assert ran.json["wanting"] == [f"{NEGATIVE}1", f"{NEGATIVE}2"]
    assert digests(space) == before


def test_a_broken_picture_is_passed_over_and_told(space: Path, fill) -> None:
    (space.parent / "scenes/0.png").write_bytes(b"no picture")
    ran = fill(hard(1))
    assert rows_of(space)[0].note("source_image") == "1.png"
    assert "0.png" in ran.json["passed_over"][0]


def test_a_picture_of_someone_else_in_the_cache_is_not_overwritten(space: Path, fill) -> None:
    mine = draw(space / f"cache/{NEGATIVE}1.png", "black").read_bytes()
    fill(hard(1))
    assert rows_of(space)[0].url == f"cache/{NEGATIVE}1-2.png"
    assert (space / f"cache/{NEGATIVE}1.png").read_bytes() == mine


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (("--negatives-dir", "nowhere"), "nowhere is not a folder"),
        (("--negatives-dir", "../scenes", "--cache-dir", "../away"), "outside the workspace"),
    ],
)
def test_folders_that_cannot_be_used_are_told_and_nothing_is_written(space: Path, fill, flags, said) -> None:
    fill(hard(1, url="x.png"))
    write_csv(space / "l.csv", [hard(1)], LABELED_COLUMNS)
    before = digests(space)
    ran = fill(flags=flags)
    assert ran.code in {1, 2}
    assert said in ran.err
    assert digests(space) == before


def test_a_path_that_leaves_the_workspace_is_an_error(space: Path, fill) -> None:
    draw(space.parent / "secret.png", "pink")
    ran = fill(row("todo_negative_x", url="../secret.png"), hard(1), flags=("--from-benchmark",))
    assert ran.code == 1
    assert "leaves the workspace" in ran.err
    assert rows_of(space)[1] == hard(1)


@pytest.fixture
def pictures(tmp_path: Path) -> Iterator[str]:
    """A server that has one picture and answers 404 for every other."""
    data = draw(tmp_path / "served.png", "purple").read_bytes()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200 if self.path == "/street.png" else 404)
            self.end_headers()
            self.wfile.write(data if self.path == "/street.png" else b"")

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join()


def test_a_remote_negative_of_the_benchmark_is_fetched_unless_that_is_forbidden(
    space: Path, fill, pictures: str
) -> None:
    bench = [
        row("todo_negative_a", url=f"{pictures}/gone.png"),
        row("todo_negative_b", url=f"{pictures}/street.png"),
    ]
    ran = fill(*bench, hard(1), flags=("--from-benchmark", "--no-download"))
    assert ran.json["filled"] == []
    assert "not fetched" in ran.json["passed_over"][1]
    ran = fill(flags=("--from-benchmark",))
    after = rows_of(space)
    assert after[2].note("source_url") == f"{pictures}/street.png"
    assert (space / after[2].url).is_file()
    assert "gone.png" in ran.json["passed_over"][0]
    assert after[:2] == bench


def test_real_photos_without_an_item_fill_real_rows(real: Path, space: Path, fill) -> None:
    scenes = space.parent / "real-scenes"
    scenes.mkdir()
    for text in sorted((real / "photos/labels").rglob("*.txt")):
        if not text.read_text().strip():
            shutil.copy(real / "photos/images" / text.parent.name / f"{text.stem}.jpg", scenes)
    assert len(list(scenes.iterdir())) == 7
    rows = read_csv(real / "repath-mobile/benchmark-labeled.csv", LabeledRow, LABELED_COLUMNS)
    emptied = [each.replace(url="") if each.name.startswith("retrain_negative_") else each for each in rows]
    ran = fill(*emptied, flags=("--negatives-dir", str(scenes)))
    assert (len(ran.json["wanting"]), len(ran.json["filled"])) == (12, 7)
    after = rows_of(space)
    assert [(each.name, each.canonical_label) for each in after] == [
        (each.name, each.canonical_label) for each in rows
    ]
    filled = [each for each in after if each.name in ran.json["filled"]]
    assert len({sha256_file(space / each.url) for each in filled}) == 7
    assert not any("baseline_negative_pool" in each.notes for each in filled)
