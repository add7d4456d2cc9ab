from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from pipeline.contracts.labeled import LABELED_COLUMNS, LabeledRow
from pipeline.contracts.manifest import BenchmarkManifest, ManifestRow
from pipeline.support.documents import read_csv, read_json, write_csv, write_json
from pipeline.support.files import sha256_file

MAPPING = """
[kaggle.folders]
"Tin Can" = ["Steel_Cans", "more_cans"]
Newspaper = ["newspaper"]
Foil = ["no_such_folder"]
"""


def todo(name: str, *labels: str, status: str = "todo") -> ManifestRow:
    return ManifestRow.model_validate(
        {"name": name, "url": "", "expected_any": list(labels), "status": status, "item_id": name.lower()}
    )


def labeled(name: str, url: str = "", label: str = "Tin Can", notes: str = "") -> LabeledRow:
    return LabeledRow(name=name, url=url, item_id="mine", canonical_label=label, source="me", notes=notes)


@pytest.fixture
def space(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    space = tmp_path / "space"
    space.mkdir()
    (space / "repath.toml").write_text(MAPPING)
    monkeypatch.chdir(space)
    draw(space.parent / "set/images/steel_cans/default/Image_1.png", "red")
    draw(space.parent / "set/images/steel_cans/real_world/Image_2.png", "green")
    draw(space.parent / "set/images/MORE_CANS/Image_1.png", "red")  # a copy of the first one
    draw(space.parent / "set/images/MORE_CANS/Image_2.jpg", "blue")
    draw(space.parent / "set/images/newspaper/default/Image_1.png", "white")
    monkeypatch.setenv("KAGGLE_WASTE_DIR", str(space.parent / "set"))
    return space


def draw(path: Path, colour: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (16, 16), colour).save(path)
    return path


@pytest.fixture
def suggest(space: Path, repath: Callable[..., object]) -> Callable[..., object]:
    def call(*images: ManifestRow, flags: tuple[str, ...] = ()) -> object:
        write_json(space / "m.json", BenchmarkManifest(name="m", images=list(images)))
        return repath(
            "data", "suggest-benchmark-from-kaggle", "--manifest", "m.json", "--cache-dir", "cache",
            "--merge-into", "rows.csv", *flags,
        )  # fmt: skip

    return call


def rows_of(space: Path, name: str = "rows.csv") -> list[LabeledRow]:
    return read_csv(space / name, LabeledRow, LABELED_COLUMNS)


def test_todo_rows_get_pictures_of_their_label_and_no_picture_serves_two(space: Path, suggest) -> None:
    ran = suggest(
        todo("todo_can", "Tin Can", "Foil"), todo("a/../b", "Tin Can"), todo("todo_can_3", "Tin Can"),
        todo("todo_can_4", "Tin Can"), todo("paper", "Newspaper"), flags=("--out", "out.csv"),
    )  # fmt: skip
    assert ran.code == 0, ran.err
    rows = rows_of(space)
    assert [(row.name, row.url) for row in rows] == [
        ("todo_can", "cache/todo-can.png"),
        ("a/../b", "cache/a-b.png"),
        ("todo_can_3", "cache/todo-can-3.jpg"),
        ("paper", "cache/paper.png"),
    ]
    assert rows[0].source == "kaggle_household_waste_images"
    assert rows[0].notes == "folder=images/steel_cans/default; source_image=Image_1.png"
    assert rows[0].item_id == "todo_can"
    assert len({sha256_file(space / row.url) for row in rows}) == len(rows)
    assert ran.json["labels_without_unused_picture"] == ["Tin Can"]
    assert rows_of(space, "out.csv") == rows


def test_a_second_run_changes_nothing(space: Path, suggest) -> None:
    images = [todo("todo_can", "Tin Can"), todo("todo_can_2", "Tin Can")]
    suggest(*images)
    before = (space / "rows.csv").read_bytes()
    ran = suggest(*images)
    assert ran.json["matched_rows"] == 0
    assert ran.json["already_labeled"] == 2
    assert (space / "rows.csv").read_bytes() == before
    assert len(list((space / "cache").iterdir())) == 2


def test_a_run_that_was_stopped_before_the_csv_uses_what_it_copied(space: Path, suggest) -> None:
    suggest(todo("todo_can", "Tin Can"))
    (space / "rows.csv").unlink()
    suggest(todo("todo_can", "Tin Can"))
    assert [path.name for path in (space / "cache").iterdir()] == ["todo-can.png"]


def test_a_picture_of_someone_else_in_the_cache_is_not_overwritten(space: Path, suggest) -> None:
    mine = draw(space / "cache/todo-can.jpg", "black").read_bytes()
    suggest(todo("todo_can", "Tin Can"))
    assert rows_of(space)[0].url == "cache/todo-can-2.png"
    assert (space / "cache/todo-can.jpg").read_bytes() == mine


def test_what_a_person_wrote_wins_and_a_negative_stays_a_negative(space: Path, suggest) -> None:
    mine = [
        labeled("chosen", url="my/own.png", label="Foil"),
        labeled("relabeled", label="Newspaper", notes="checked by Ann; title=Old.jpg"),
        labeled("todo_negative", label=""),
    ]
    write_csv(space / "rows.csv", mine, LABELED_COLUMNS)
    ran = suggest(
        todo("chosen", "Tin Can"),
        todo("relabeled", "Tin Can"),
        todo("todo_negative", "Tin Can"),
        todo("nothing"),
    )
    rows = rows_of(space)
    assert rows[0] == mine[0]
    assert rows[1].canonical_label == "Newspaper"
    assert rows[1].item_id == "mine"
    assert rows[1].notes == "checked by Ann; folder=images/newspaper/default; source_image=Image_1.png"
    assert rows[2] == mine[2]
    assert len(rows) == 3
    assert ran.json["negatives_left"] == 2


def test_a_picture_that_a_retraining_row_notes_is_not_used_though_its_copy_is_elsewhere(
    space: Path, suggest
) -> None:
    trained = labeled(
        "retrain_positive_tin-can_v1",
        url="gone.png",
        notes="folder=steel_cans/default; source_image=image_1.png",
    )
    write_csv(space / "rows.csv", [trained], LABELED_COLUMNS)
    suggest(todo("todo_can", "Tin Can"))
    assert rows_of(space)[1].notes.endswith("real_world; source_image=Image_2.png")


def test_retraining_rows_are_served_where_that_is_asked_for_and_negatives_never(space: Path, suggest) -> None:
    rows = [
        labeled("retrain_positive_tin-can_v1", notes="action=collect_more_positives; variant=1"),
        labeled("retrain_positive_tin-can_v2", url="mine.png"),
        labeled("retrain_negative_tin-can_v1", label="", notes="target_false_positive_label=Tin Can"),
        labeled("todo_can_2"),
    ]
    write_csv(space / "rows.csv", rows, LABELED_COLUMNS)
    suggest(todo("todo_can", "Tin Can"))
    assert rows_of(space)[:4] == rows
    ran = suggest(todo("todo_can", "Tin Can"), flags=("--retraining",))
    after = rows_of(space)
    assert after[0].notes == (
        "action=collect_more_positives; variant=1; "
        "folder=images/steel_cans/real_world; source_image=Image_2.png"
    )
    assert after[0].canonical_label == "Tin Can"
    assert after[1:4] == rows[1:]
    assert ran.json["matched_rows"] == 1
    assert suggest(todo("todo_can", "Tin Can"), flags=("--retraining",)).json["matched_rows"] == 0


def test_a_broken_picture_is_passed_over_and_listed(space: Path, suggest) -> None:
    (space.parent / "set/images/steel_cans/default/Image_1.png").write_bytes(b"no picture")
    (space.parent / "set/images/steel_cans/default/Image_0.png").touch()
    ran = suggest(todo("todo_can", "Tin Can"))
    assert ran.json["matched_rows"] == 1
    assert len(ran.json["unreadable"]) == 2
    assert "Image_0.png: the file is empty" in ran.json["unreadable"][0]
    assert "passed over" in ran.err


def test_the_mapping_may_come_from_a_file(space: Path, suggest) -> None:
    (space / "map.json").write_text('{"Odd": ["newspaper"]}')
    ran = suggest(todo("odd", "Odd"), todo("todo_can", "Tin Can"), flags=("--folders", "map.json"))
    assert [row.name for row in rows_of(space)] == ["odd"]
    assert ran.json["labels_without_folder"] == ["Tin Can"]


@pytest.mark.parametrize(
    ("text", "said"),
    [('{"Odd": "newspaper"}', "Odd"), ("[1]", "dict"), ("{", "not JSON"), ('{"Odd": [1]}', "Odd[0]")],
)
def test_a_mapping_of_another_shape_is_refused_and_nothing_is_written(
    space: Path, suggest, text: str, said: str
) -> None:
    (space / "map.json").write_text(text)
    ran = suggest(todo("odd", "Odd"), flags=("--folders", "map.json"))
    assert ran.code == 1
    assert "map.json" in ran.err
    assert said in ran.err
    assert not (space / "rows.csv").exists()


def test_names_that_stand_twice_where_one_must_be_picked_are_both_named(space: Path, suggest) -> None:
    ran = suggest(todo("a", "Tin Can"), todo("b", "Tin Can"), todo("a", "Newspaper"))
    assert ran.code == 1
    assert "images[0]" in ran.err
    assert "images[2]" in ran.err
    write_csv(space / "rows.csv", [labeled("a"), labeled("x"), labeled("a")], LABELED_COLUMNS)
    ran = suggest(todo("a", "Tin Can"))
    assert ran.code == 1
    assert "line 2 and on line 4" in ran.err
    assert not (space / "cache").exists()


def test_a_cache_outside_the_workspace_is_refused(space: Path, suggest, repath) -> None:
    ran = suggest(todo("a", "Tin Can"), flags=("--cache-dir", str(space.parent / "elsewhere")))
    assert ran.code == 2
    assert "outside the workspace" in ran.err


def test_without_class_folders_or_mapping_the_error_says_how_to_give_them(
    space: Path, suggest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("KAGGLE_WASTE_DIR")
    ran = suggest(todo("a", "Tin Can"))
    assert ran.code == 2
    assert "KAGGLE_WASTE_DIR" in ran.err
    assert suggest(todo("a", "Tin Can"), flags=("--kaggle-dir", "nowhere")).code == 1
    (space / "repath.toml").write_text("")
    assert "[kaggle.folders]" in suggest(todo("a", "Tin Can"), flags=("--kaggle-dir", str(space))).err


def test_real_class_folders_serve_each_row_another_picture(space: Path, suggest, real: Path) -> None:
    (space / "map.toml").write_text(
        'Newspaper = ["newspaper"]\n"White Office Paper" = ["Office_Paper", "newspaper"]\n'
    )
    images = [todo(f"n{n}", "Newspaper") for n in range(20)] + [
        todo(f"p{n}", "White Office Paper") for n in range(20)
    ]
    ran = suggest(*images, flags=("--folders", "map.toml", "--kaggle-dir", str(real / "folders")))
    rows = rows_of(space)
    digests = [sha256_file(space / row.url) for row in rows]
    assert len(set(digests)) == len(digests) > 28
    assert read_json(space / "m.json", BenchmarkManifest).images[0].name == rows[0].name
    assert ran.json["unreadable"] == []
