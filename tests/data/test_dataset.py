"""A set of class folders linked or copied into the workspace."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from workspaces import digests

Repath = Callable[..., Any]


def draw(path: Path, colour: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (16, 16), colour).save(path)
    return path


@pytest.fixture
def space(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    space = tmp_path / "space"
    space.mkdir()
    (space / "repath.toml").write_text(
        '[kaggle]\ndir = "data/kaggle"\n[kaggle.folders]\n"Tin Can" = ["cans", "steel_cans"]\n'
    )
    monkeypatch.chdir(space)
    draw(tmp_path / "set/cans/default/1.png", "red")
    draw(tmp_path / "set/cans/real_world/1.png", "green")
    draw(tmp_path / "set/newspaper/1.jpg", "blue")
    (tmp_path / "set/readme.txt").write_text("not a picture")
    return space


@pytest.fixture
def bootstrap(space: Path, repath: Repath) -> Callable[..., Any]:
    def call(*flags: str, source: str = "../set") -> Any:
        return repath("data", "bootstrap-kaggle-dataset", "--source", source, *flags)

    return call


def test_a_link_shows_the_set_and_what_it_holds_is_told(space: Path, bootstrap) -> None:
    ran = bootstrap()
    assert ran.code == 0, ran.err
    target = space / "data/kaggle"
    assert target.is_symlink()
    assert target.resolve() == (space.parent / "set").resolve()
    told = ran.json
    assert (told["classes"], told["pictures"], told["decoded"], told["done"]) == (3, 3, 3, "linked")
    assert told["pictures_per_class"] == {"cans/default": 1, "cans/real_world": 1, "newspaper": 1}
    assert told["mapped_folders_missing"] == ["steel_cans"]
    assert "steel_cans" in ran.err


@pytest.mark.parametrize("mode", ["symlink", "copy"])
def test_run_again_it_finds_all_there(space: Path, bootstrap, mode: str) -> None:
    bootstrap("--mode", mode)
    before = digests(space)
    ran = bootstrap("--mode", mode)
    assert ran.json["done"] == "already_there"
    assert digests(space) == before


def test_a_copy_holds_the_pictures_as_they_are_and_nothing_else(space: Path, bootstrap) -> None:
    assert bootstrap("--mode", "copy").json["done"] == "copied"
    target = space / "data/kaggle"
    names = sorted(path.relative_to(target).as_posix() for path in target.rglob("*") if path.is_file())
    assert names == ["cans/default/1.png", "cans/real_world/1.png", "newspaper/1.jpg"]
    source = space.parent / "set"
    assert all((target / name).read_bytes() == (source / name).read_bytes() for name in names)


def test_a_suggestion_finds_the_set_where_it_was_put(space: Path, bootstrap, repath: Repath) -> None:
    bootstrap()
    (space / "m.json").write_text(
        '{"name": "m", "images": [{"name": "t", "url": "", "expected_any": ["Tin Can"], "status": "todo"}]}'
    )
    ran = repath(
        "data", "suggest-benchmark-from-kaggle", "--manifest", "m.json", "--merge-into", "l.csv",
        "--cache-dir", "cache",
    )  # fmt: skip
    assert ran.json["matched_rows"] == 1, ran.err


def test_something_else_at_the_target_stays_unless_forced(space: Path, bootstrap) -> None:
    mine = draw(space / "data/kaggle/old/1.png", "black")
    before = digests(space)
    ran = bootstrap()
    assert ran.code == 1
    assert "--force" in ran.err
    assert digests(space) == before
    assert bootstrap("--force").json["done"] == "linked"
    assert not mine.exists()
    assert bootstrap("--mode", "copy", "--force").json["done"] == "copied"
    assert not (space / "data/kaggle").is_symlink()
    assert (space.parent / "set/cans/default/1.png").is_file()  # the link went, not what it showed
    assert sorted(path.name for path in (space / "data").iterdir()) == ["kaggle"]


def test_a_folder_that_holds_more_than_pictures_is_not_replaced_even_by_force(space: Path, bootstrap) -> None:
    draw(space / "data/kaggle/old/1.png", "black")
    (space / "data/kaggle/old/notes.txt").write_text("mine")
    before = digests(space)
    ran = bootstrap("--force")
    assert ran.code == 1
    assert "notes.txt" in ran.err
    assert digests(space) == before


def test_a_copy_that_fails_half_way_leaves_what_was_there(
    space: Path, bootstrap, monkeypatch: pytest.MonkeyPatch
) -> None:
    draw(space / "data/kaggle/old/1.png", "black")
    before = digests(space)

    def full(*_: object) -> str:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("pipeline.data.dataset.copy_file", full)
    ran = bootstrap("--mode", "copy", "--force")
    assert ran.code == 1
    assert "disk is full" in ran.err
    assert digests(space) == before


@pytest.mark.parametrize(
    ("source", "flags", "said"),
    [
        ("../nowhere", (), "not a folder"),
        ("../empty", (), "no class folders"),
        ("../set", ("--target", "../away"), "outside the workspace"),
        ("../set", ("--target", "."), "outside the workspace"),
        ("data", ("--target", "data/images/kaggle"), "lie in one another"),
        ("data/images", ("--target", "data"), "lie in one another"),
        ("../broken", (), "none of its pictures can be read"),
    ],
)
def test_what_cannot_be_brought_in_is_told_and_nothing_is_written(
    space: Path, bootstrap, source: str, flags: tuple[str, ...], said: str
) -> None:
    (space.parent / "empty").mkdir()
    (space.parent / "broken/cans").mkdir(parents=True)
    (space.parent / "broken/cans/1.png").write_bytes(b"no picture")
    draw(space / "data/images/cans/1.png", "red")
    before = digests(space)
    ran = bootstrap(*flags, source=source)
    assert ran.code in {1, 2}
    assert said in ran.err
    assert digests(space) == before


def test_broken_pictures_are_listed_and_with_verify_all_are_decoded(space: Path, bootstrap) -> None:
    for number in range(2, 6):
        draw(space.parent / f"set/newspaper/{number}.jpg", "blue")
    (space.parent / "set/newspaper/5.jpg").write_bytes(b"no picture")
    assert bootstrap("--dry-run").json["unreadable"] == []
    ran = bootstrap("--dry-run", "--verify")
    assert "5.jpg" in ran.json["unreadable"][0]
    assert ran.json["decoded"] == 7
    assert not (space / "data").exists()


def test_a_link_inside_the_set_that_leaves_it_is_not_copied(space: Path, bootstrap) -> None:
    secret = draw(space.parent / "secret.png", "pink")
    (space.parent / "set/cans/default/2.png").symlink_to(secret)
    bootstrap("--mode", "copy")
    assert not (space / "data/kaggle/cans/default/2.png").exists()


def test_the_real_class_folders_are_whole(real: Path, space: Path, bootstrap) -> None:
    ran = bootstrap("--verify", source=str(real / "folders"))
    assert ran.code == 0, ran.err
    assert (ran.json["classes"], ran.json["pictures"], ran.json["unreadable"]) == (9, 155, [])
