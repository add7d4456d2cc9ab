"""Pictures brought into a folder: whole, under safe names, fetched once."""

from __future__ import annotations

import io
from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from pipeline.support.errors import DownloadError, ImageError, InputError, OutputError
from pipeline.support.http import HttpClient
from pipeline.support.pictures import (
    PictureFetcher,
    cached_picture,
    cached_pictures,
    copy_picture,
    fetch_all,
    safe_stem,
)


def picture(kind: str = "JPEG", size: tuple[int, int] = (8, 6), colour: str = "red") -> bytes:
    out = io.BytesIO()
    Image.new("RGB", size, colour).save(out, kind)
    return out.getvalue()


class Pages(HttpClient):
    """A client with a table for its network; test_http shows it on a real one."""

    def __init__(self, bodies: dict[str, bytes]) -> None:
        super().__init__()
        self.bodies = bodies
        self.asked: list[str] = []

    def get(self, url: str, *, params: Mapping[str, str | int] | None = None) -> bytes:
        self.asked.append(url)
        if url not in self.bodies:
            raise DownloadError(f"{url}: HTTP 404")
        return self.bodies[url]


def fetcher(**bodies: bytes) -> tuple[PictureFetcher, Pages]:
    pages = Pages(bodies)
    return PictureFetcher(pages, max_pixels=10_000), pages


@pytest.mark.parametrize(
    "name",
    [
        "holdout_aluminum-can_kaggle_v1",
        "retrain_negative_paper-bag_v1",
        "todo_automotive-fluids-other-than-motor-oil-antifreeze",
        "dev_0185",
        "IMG_20240101",
        "Image_1.2",
    ],
)
def test_a_plain_name_stays_as_it_is(name: str) -> None:
    assert safe_stem(name) == name


@pytest.mark.parametrize(
    "name",
    [
        "",
        ".",
        "..",
        "../x",
        "a/b",
        "a\\b",
        "/etc/passwd",
        ".hidden",
        "a b",
        "é" * 300,
        "x" * 141,
        "a\0b",
        "a--b",
        "x.",
    ],
)
def test_a_hostile_name_becomes_a_safe_one(name: str) -> None:
    stem = safe_stem(name)
    assert stem != name
    assert stem.isascii()
    assert stem.replace("-", "").isalnum()
    assert len(stem) <= 80


@given(st.sets(st.text(max_size=200), max_size=20))
def test_two_names_never_share_a_stem(names: set[str]) -> None:
    stems = {safe_stem(name) for name in names}
    assert len(stems) == len(names)
    assert len({safe_stem(stem) for stem in stems} | stems) >= len(names)


@given(st.text(max_size=60))
def test_a_stem_is_one_step_of_a_path(name: str) -> None:
    stem = safe_stem(name)
    assert Path(stem).name == stem
    assert stem not in {"", ".", ".."}


def test_a_picture_is_written_with_the_ending_of_its_real_format(tmp_path: Path) -> None:
    fetch, _ = fetcher(u=picture("PNG"))
    path = fetch.fetch("u", tmp_path / "new" / "row.v1")
    assert path == tmp_path / "new" / "row.v1.png"
    assert path.read_bytes() == picture("PNG")


def test_what_is_there_is_not_fetched_again_unless_asked(tmp_path: Path) -> None:
    fetch, pages = fetcher(u=picture())
    first = fetch.fetch("u", tmp_path / "a")
    pages.bodies["u"] = picture("PNG")
    assert fetch.fetch("u", tmp_path / "a") == first
    assert pages.asked == ["u"]
    again = fetch.fetch("u", tmp_path / "a", refresh=True)
    assert again == tmp_path / "a.png"
    assert not first.exists()


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        (b"", "empty"),
        (b"<html>Not here</html>", "not a picture"),
        (picture("PNG")[:-30], "truncated"),
        (picture("PNG", (200, 200)), "more than 10000 pixels"),
    ],
)
def test_what_is_no_whole_picture_is_refused_and_leaves_nothing(
    body: bytes, problem: str, tmp_path: Path
) -> None:
    fetch, _ = fetcher(u=body)
    with pytest.raises(ImageError, match=problem):
        fetch.fetch("u", tmp_path / "a")
    assert list(tmp_path.iterdir()) == []


def test_a_bad_picture_leaves_the_one_that_stood_there(tmp_path: Path) -> None:
    fetch, pages = fetcher(u=picture())
    path = fetch.fetch("u", tmp_path / "a")
    pages.bodies["u"] = b"text"
    with pytest.raises(ImageError):
        fetch.fetch("u", tmp_path / "a", refresh=True)
    assert path.read_bytes() == picture()


def test_a_link_in_the_cache_is_replaced_and_not_followed(tmp_path: Path) -> None:
    outside = tmp_path / "outside.jpg"
    outside.write_bytes(b"mine")
    cache = tmp_path / "cache"
    cache.mkdir()
    (cache / "a.jpg").symlink_to(outside)
    assert cached_picture(cache / "a") is None
    fetch, _ = fetcher(u=picture())
    path = fetch.fetch("u", cache / "a")
    assert not path.is_symlink()
    assert outside.read_bytes() == b"mine"


def test_an_empty_file_in_the_cache_does_not_count(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").touch()
    assert cached_picture(tmp_path / "a") is None


def test_a_local_picture_is_copied_byte_for_byte_and_looked_at(tmp_path: Path) -> None:
    source = tmp_path / "photo.png"
    source.write_bytes(picture())  # a JPEG under a wrong name
    path = copy_picture(source, tmp_path / "out" / "a")
    assert path.name == "a.jpg"
    assert path.read_bytes() == source.read_bytes()
    source.write_text("no picture")
    with pytest.raises(ImageError, match=r"photo\.png"):
        copy_picture(source, tmp_path / "out" / "b")
    with pytest.raises(InputError, match="does not exist"):
        copy_picture(tmp_path / "none.jpg", tmp_path / "out" / "c")


def test_copying_a_picture_onto_itself_keeps_it(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(picture())
    before = (tmp_path / "a.jpg").stat().st_mtime_ns
    assert copy_picture(tmp_path / "a.jpg", tmp_path / "a") == tmp_path / "a.jpg"
    assert (tmp_path / "a.jpg").stat().st_mtime_ns == before


def test_many_are_fetched_in_order_with_the_reasons_of_those_that_failed(tmp_path: Path) -> None:
    fetch, pages = fetcher(a=picture(), b=b"text")
    wanted = [(url, tmp_path / url) for url in ("b", "a", "gone", "a")]
    results = fetch_all(fetch, wanted)
    assert isinstance(results[0], ImageError)
    assert results[1] == results[3] == tmp_path / "a.jpg"
    assert isinstance(results[2], DownloadError)
    assert sorted(pages.asked) == ["a", "b", "gone"]


def test_nothing_wanted_is_nothing_fetched() -> None:
    fetch, _ = fetcher()
    assert fetch_all(fetch, []) == []


@pytest.fixture
def closed(tmp_path: Path) -> Path:
    blocker = tmp_path / "file"
    blocker.touch()
    return blocker / "cache"


def test_a_cache_that_cannot_be_written_stops_the_work(closed: Path) -> None:
    fetch, _ = fetcher(**{str(n): picture() for n in range(20)})
    with pytest.raises(OutputError):
        fetch_all(fetch, [(str(n), closed / str(n)) for n in range(20)])


def test_many_stems_in_several_folders_give_what_each_gives_alone(tmp_path: Path) -> None:
    for name in ("a.jpg", "b.c.png", "d.txt", "e.webp"):
        (tmp_path / name).write_bytes(b"x")
    (tmp_path / "empty.jpg").touch()
    (tmp_path / "link.jpg").symlink_to(tmp_path / "a.jpg")
    names = ("a", "b.c", "b", "d", "e", "empty", "link", "none")
    stems = [folder / name for folder in (tmp_path, tmp_path / "absent") for name in names]
    found = list(cached_pictures(stems))
    assert found == [cached_picture(stem) for stem in stems]
    assert [path.name for path in found if path] == ["a.jpg", "b.c.png", "e.webp"]
