"""Files written whole or not at all, hashed, and kept inside a folder."""

from __future__ import annotations

import errno
import hashlib
import os
import resource
import signal
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline.support.errors import InputError, OutputError, PathEscapeError, RepathError
from pipeline.support.files import (
    atomic_writer,
    confined,
    copy_file,
    display_path,
    is_within,
    output_error,
    sha256_file,
    staged_directory,
    write_bytes,
    write_text,
)


def test_a_file_appears_whole_in_folders_that_are_made(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b" / "c.json"
    with atomic_writer(path) as stream:
        stream.write(b"half")
        assert not path.exists()
    assert path.read_bytes() == b"half"
    assert [child.name for child in path.parent.iterdir()] == ["c.json"]


@pytest.mark.parametrize("failure", [RuntimeError, KeyboardInterrupt])
def test_an_interruption_leaves_the_old_file_and_nothing_else(
    failure: type[BaseException], tmp_path: Path
) -> None:
    path = tmp_path / "out.json"
    path.write_bytes(b"old")

    def interrupted() -> None:
        with atomic_writer(path) as stream:
            stream.write(b"new")
            raise failure

    with pytest.raises(failure):
        interrupted()
    assert path.read_bytes() == b"old"
    assert [child.name for child in tmp_path.iterdir()] == ["out.json"]


def test_a_full_disk_leaves_the_old_file_and_is_told(tmp_path: Path) -> None:
    path = tmp_path / "out.bin"
    path.write_bytes(b"old")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 16, limits[1]))
        with pytest.raises(OutputError, match=r"out\.bin"):
            write_bytes(path, b"x" * (1 << 20))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, handler)
    assert path.read_bytes() == b"old"
    assert [child.name for child in tmp_path.iterdir()] == ["out.bin"]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_no_space_left_is_told_in_words() -> None:
    with (
        pytest.raises(OSError, match="No space") as caught,
        Path("/dev/full").open("wb", buffering=0) as full,
    ):
        full.write(b"x")
    error = output_error(Path("x"), caught.value)
    assert caught.value.errno == errno.ENOSPC
    assert "the disk is full" in error.message


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="cannot be written"):
        write_text(tmp_path / "file" / "x.json", "{}")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_may_not_be_written_is_told(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(OutputError, match="Permission denied"):
        write_text(tmp_path / "x.json", "{}")


def test_a_target_that_is_a_folder_is_told_and_kept(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    with pytest.raises(OutputError):
        write_text(tmp_path / "out", "x")
    assert [child.name for child in tmp_path.iterdir()] == ["out"]


def test_a_link_at_the_target_is_replaced_and_not_followed(tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("mine")
    (tmp_path / "out").symlink_to("mine")
    write_text(tmp_path / "out", "new")
    assert (tmp_path / "mine").read_text() == "mine"
    assert not (tmp_path / "out").is_symlink()


def test_modes_are_those_of_the_old_file_or_of_the_umask(tmp_path: Path) -> None:
    old = os.umask(0o027)
    try:
        write_text(tmp_path / "new", "x")
    finally:
        os.umask(old)
    assert (tmp_path / "new").stat().st_mode & 0o777 == 0o640
    (tmp_path / "new").chmod(0o600)
    write_text(tmp_path / "new", "y")
    assert (tmp_path / "new").stat().st_mode & 0o777 == 0o600


def test_a_long_name_is_written(tmp_path: Path) -> None:
    write_text(tmp_path / ("x" * 250), "y")
    assert (tmp_path / ("x" * 250)).read_text() == "y"


def test_a_copy_returns_the_digest_of_what_it_copied(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"x" * 3_000_000)
    digest = copy_file(tmp_path / "a", tmp_path / "b")
    assert digest == sha256_file(tmp_path / "b") == hashlib.sha256(b"x" * 3_000_000).hexdigest()


def test_what_cannot_be_read_is_told(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="does not exist"):
        sha256_file(tmp_path / "none")
    with pytest.raises(InputError, match="is a folder"):
        sha256_file(tmp_path)
    (tmp_path / "old").write_text("old")
    with pytest.raises(InputError):
        copy_file(tmp_path / "none", tmp_path / "old")
    assert (tmp_path / "old").read_text() == "old"


def test_a_folder_takes_its_place_whole(tmp_path: Path) -> None:
    target = tmp_path / "releases" / "v1"
    with staged_directory(target) as staging:
        (staging / "a").write_text("a")
        assert not target.exists()
    assert (target / "a").read_text() == "a"
    assert [child.name for child in target.parent.iterdir()] == ["v1"]


def test_a_folder_that_failed_is_not_left(tmp_path: Path) -> None:
    def interrupted() -> None:
        with staged_directory(tmp_path / "v1") as staging:
            (staging / "a").write_text("a")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert list(tmp_path.iterdir()) == []


def test_a_folder_with_something_in_it_is_never_replaced(tmp_path: Path) -> None:
    (tmp_path / "v1").mkdir()
    (tmp_path / "v1" / "mine").touch()
    with pytest.raises(OutputError, match="exists already"), staged_directory(tmp_path / "v1"):
        pass
    (tmp_path / "link").symlink_to("nowhere")
    with pytest.raises(OutputError, match="exists already"), staged_directory(tmp_path / "link"):
        pass


def test_an_empty_folder_is_filled(tmp_path: Path) -> None:
    (tmp_path / "v1").mkdir()
    with staged_directory(tmp_path / "v1") as staging:
        (staging / "a").touch()
    assert [child.name for child in (tmp_path / "v1").iterdir()] == ["a"]


@pytest.mark.parametrize("path", ["../x", "a/../../x", "/etc/passwd", "a\\..\\x", "a\0b", "link/x", "link"])
def test_a_path_out_of_the_folder_is_refused(path: str, tmp_path: Path) -> None:
    root = tmp_path / "root"
    root.mkdir()
    (root / "link").symlink_to(tmp_path)
    with pytest.raises(PathEscapeError, match=r"m\.json"):
        confined(root, path, source="m.json: row 3")


def test_a_loop_of_links_is_not_inside(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")
    assert isinstance(is_within(tmp_path / "a", tmp_path), bool)


@pytest.mark.parametrize("path", ["a.png", "a/b.png", "a/../b.png", "./a.png", "a/./b", "..."])
def test_a_path_inside_is_joined(path: str, tmp_path: Path) -> None:
    assert confined(tmp_path, path, source="s") == tmp_path / path


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(path=st.lists(st.sampled_from(["..", ".", "a", "/", "\\", "\0", "link", "é"])).map("/".join))
def test_no_path_leaves_the_folder(path: str, tmp_path: Path) -> None:
    root = tmp_path / "root"
    root.mkdir(exist_ok=True)
    if not (root / "link").is_symlink():
        (root / "link").symlink_to("/")
    try:
        joined = confined(root, path, source="s")
    except RepathError:
        return
    assert joined.resolve().is_relative_to(root)


def test_a_path_is_shown_relative_to_its_base(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert display_path(Path("a/b")) == "a/b"
    assert display_path(tmp_path / "a", tmp_path) == "a"
    assert display_path(Path("a/../b")) == "b"
    assert display_path(Path("/elsewhere/x"), tmp_path) == "/elsewhere/x"
