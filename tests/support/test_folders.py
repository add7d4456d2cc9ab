"""One digest for a folder, and a new folder in an old one's place."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from pipeline.support.errors import InputError, OutputError
from pipeline.support.folders import replaced_directory, tree_of


def fill(folder: Path, **files: str) -> Path:
    for name, text in files.items():
        path = folder / name.replace("__", "/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder


def test_the_digest_is_of_names_and_bytes_in_order(tmp_path: Path) -> None:
    folder = fill(tmp_path / "a", b="2", a__z="1", record="left out")
    lines = [f"{hashlib.sha256(text).hexdigest()}  {name}\n" for name, text in (("a/z", b"1"), ("b", b"2"))]
    found = tree_of(folder, without="record")
    assert (found.files, found.bytes) == (2, 2)
    assert found.sha256 == hashlib.sha256("".join(lines).encode()).hexdigest()
    assert tree_of(fill(tmp_path / "b", a__z="1", b="3")).sha256 != found.sha256


def test_a_link_is_never_followed(tmp_path: Path) -> None:
    folder = fill(tmp_path / "a", b="2")
    (folder / "link").symlink_to(tmp_path)
    with pytest.raises(InputError, match="is a link"):
        tree_of(folder)


def test_a_new_folder_takes_the_old_ones_place(tmp_path: Path) -> None:
    target = fill(tmp_path / "data", old="1")
    with replaced_directory(target) as new:
        fill(new, fresh="2")
    assert [path.name for path in target.iterdir()] == ["fresh"]
    assert [path.name for path in tmp_path.iterdir()] == ["data"]


def test_where_it_fails_the_old_one_stands(tmp_path: Path) -> None:
    target = fill(tmp_path / "data", old="1")
    with pytest.raises(ZeroDivisionError), replaced_directory(target) as new:
        fill(new, fresh=str(1 / 0))
    assert [path.name for path in target.iterdir()] == ["old"]
    assert [path.name for path in tmp_path.iterdir()] == ["data"]


def test_a_folder_that_cannot_be_made_is_told_in_words(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(OutputError), replaced_directory(tmp_path / "file" / "data"):
        pass
