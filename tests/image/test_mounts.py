"""Mounts: a path means the same inside; what the image needs is not hidden, nor the whole machine shown."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.image.mounts import Mount, mount, mounts_of, require_shown, shows
from pipeline.support.errors import InputError, UsageError


@pytest.fixture
def space(tmp_path: Path) -> Path:
    (tmp_path / "space" / "data").mkdir(parents=True)
    (tmp_path / "pictures").mkdir()
    return tmp_path / "space"


def test_the_workspace_is_mounted_where_it_is(space: Path) -> None:
    assert mounts_of(space, space / "data", ()) == (Mount(space, space),)


def test_a_folder_outside_is_mounted_too_where_one_stands_in_it(space: Path, tmp_path: Path) -> None:
    assert mounts_of(space, tmp_path / "pictures", ()) == (
        Mount(space, space),
        Mount(tmp_path / "pictures", tmp_path / "pictures"),
    )


def test_a_link_can_be_named_and_so_can_what_it_leads_to(space: Path, tmp_path: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to(space)
    assert mount(link) == [Mount(space, space), Mount(space, link)]
    assert shows(mount(link), link / "data")


@pytest.mark.parametrize(("ending", "read_only"), [("", True), (":ro", True), (":rw", False)])
def test_further_folders_are_for_reading_unless_said_otherwise(
    space: Path, tmp_path: Path, ending: str, read_only: bool
) -> None:
    pictures = tmp_path / "pictures"
    for text in (f"{pictures}{ending}", f"../pictures{ending}"):
        assert mounts_of(space, space, [text])[1].source == pictures
        assert mounts_of(space, space, [text])[1].read_only is read_only


def test_a_folder_named_twice_is_mounted_once(space: Path) -> None:
    assert len(mounts_of(space, space, [str(space), f"{space}:rw"])) == 1


@pytest.mark.parametrize(
    "path", ["/", "/usr", "/usr/local/share", "/etc", "/opt", "/proc", "/dev/shm", "/tmp", "/home"]
)
def test_the_system_is_not_mounted(path: str) -> None:
    if not Path(path).is_dir() or Path(path).is_symlink():
        pytest.skip(f"{path} is no folder here")
    with pytest.raises(UsageError, match="cannot be mounted"):
        mount(Path(path))


def test_a_link_to_the_system_is_not_mounted_either(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("/usr")
    with pytest.raises(UsageError, match="cannot be mounted"):
        mount(tmp_path / "link")


def test_what_is_no_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="not a folder"):
        mount(tmp_path / "nowhere")


@pytest.mark.parametrize("form", ["{}", "--model={}"])
def test_a_path_that_the_container_would_not_see_is_told(space: Path, tmp_path: Path, form: str) -> None:
    outside = tmp_path / "pictures" / "model.tflite"
    outside.touch()
    mounts = mounts_of(space, space, ())
    with pytest.raises(UsageError, match="outside of what the container sees") as told:
        require_shown(mounts, ["evaluation", form.format(outside)])
    assert str(tmp_path / "pictures") in str(told.value.hint)
    require_shown(mounts_of(space, space, [str(tmp_path / "pictures")]), [form.format(outside)])


def test_a_link_out_of_the_workspace_is_told(space: Path, tmp_path: Path) -> None:
    (space / "data" / "away").symlink_to(tmp_path / "pictures")
    with pytest.raises(UsageError):
        require_shown(mounts_of(space, space, ()), [str(space / "data" / "away")])


def test_what_is_no_path_is_let_through(space: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(space)
    arguments = ["run", "--until", "train", "--top=5", "data", "", "--x=", "a\nb", "x" * 5000, "\0"[:0]]
    require_shown(mounts_of(space, space, ()), arguments)
