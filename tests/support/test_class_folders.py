"""Class folders: found without regard to case, in a fixed order, and never left by a link."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.support.class_folders import ClassFolders
from pipeline.support.errors import InputError


def make(root: Path, *names: str) -> Path:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(b"x")
    return root


def relative(root: Path, found: list[Path]) -> list[str]:
    return [path.relative_to(root).as_posix() for path in found]


def test_folders_are_found_without_regard_to_case_and_pictures_in_sub_folders(tmp_path: Path) -> None:
    root = make(
        tmp_path, "Steel_Cans/default/Image_1.png", "Steel_Cans/real_world/Image_1.JPG", "other/a.png"
    )
    found = ClassFolders(root).images(["steel_cans"])
    assert relative(root, found) == ["Steel_Cans/default/Image_1.png", "Steel_Cans/real_world/Image_1.JPG"]


def test_pictures_come_in_the_order_of_plain_text(tmp_path: Path) -> None:
    root = make(tmp_path, *(f"c/default/Image_{n}.png" for n in (1, 2, 10, 100)), "c/default/notes.txt")
    names = [path.stem for path in ClassFolders(root).images(["c"])]
    assert names == ["Image_1", "Image_10", "Image_100", "Image_2"]


def test_the_best_folder_comes_first_and_no_picture_twice(tmp_path: Path) -> None:
    root = make(tmp_path, "a/1.png", "b/2.png")
    assert relative(root, ClassFolders(root).images(["b", "a", "B"])) == ["b/2.png", "a/1.png"]


def test_a_set_that_lies_deeper_is_found_and_the_highest_folder_counts(tmp_path: Path) -> None:
    root = make(tmp_path, "images/images/cans/1.png", "images/images/x/cans/2.png")
    folders = ClassFolders(root)
    assert relative(root, folders.images(["cans"])) == ["images/images/cans/1.png"]
    assert relative(root, folders.images(["X/Cans"])) == ["images/images/x/cans/2.png"]


@pytest.mark.parametrize("name", ["nothing", "", ".", "..", "../cans", "/cans"])
def test_a_name_without_a_folder_gives_nothing(name: str, tmp_path: Path) -> None:
    root = make(tmp_path, "set/cans/1.png") / "set"
    assert ClassFolders(root).images([name]) == []
    assert not ClassFolders(root).has(name)


def test_a_link_that_leaves_the_set_is_passed_over(tmp_path: Path) -> None:
    make(tmp_path, "secret/a.png")
    root = make(tmp_path / "set", "cans/1.png")
    (root / "cans/2.png").symlink_to(tmp_path / "secret/a.png")
    (root / "cans/more").symlink_to(tmp_path / "secret")
    (root / "cans/3.png").symlink_to("1.png")
    (root / "cans/gone.png").symlink_to("nowhere.png")
    assert [path.name for path in ClassFolders(root).images(["cans"])] == ["1.png", "3.png"]


def test_a_folder_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="not a folder"):
        ClassFolders(tmp_path / "no")


def test_the_real_class_folders(real: Path) -> None:
    folders = ClassFolders(real / "folders")
    found = folders.images(["ALUMINUM_SODA_CANS"])
    assert [path.name for path in found[:3]] == ["Image_1.jpg", "Image_10.jpg", "Image_11.jpg"]
    assert folders.folder_of(found[0]) == "aluminum_soda_cans/default"
