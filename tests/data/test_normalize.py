from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from pipeline.contracts.labeled import LabeledRow
from pipeline.data.normalize import Normalized, UrlNormalizer
from pipeline.data.places import Places
from pipeline.support.errors import ImageError, PathEscapeError, UsageError
from pipeline.support.sources import SourceFinder


@pytest.fixture
def space(tmp_path: Path) -> Path:
    space = tmp_path / "space"
    (space / "data/images").mkdir(parents=True)
    (space / "repath.toml").touch()
    picture(space / "data/images/can 1.png")
    return space


def picture(path: Path) -> Path:
    Image.new("RGB", (8, 8), "red").save(path)
    return path


def normalized(space: Path, *urls: str, root: Path | None = None, cache: Path | None = None) -> Normalized:
    document = space / "data/rows.csv"
    rows = [
        LabeledRow(name=f"r/{n}", url=url, item_id="", canonical_label="", source="", notes="variant=1")
        for n, url in enumerate(urls)
    ]
    normalizer = UrlNormalizer(
        SourceFinder(document, root=root), Places(document, root), cache or space / "cache"
    )
    return normalizer.normalize(rows, range(2, len(rows) + 2))


def test_files_inside_the_workspace_become_relative(space: Path) -> None:
    there = space / "data/images/can 1.png"
    result = normalized(
        space, f"file://{space}/data/images/can%201.png", str(there), "./data//images/can 1.png"
    )
    assert [row.url for row in result.rows] == ["data/images/can 1.png"] * 3
    assert all(row.is_negative for row in result.rows)
    assert (result.changed, result.copied, result.missing) == (3, 0, [])


def test_a_file_under_a_root_outside_is_copied_into_the_cache_and_noted(space: Path, tmp_path: Path) -> None:
    outside = tmp_path / "downloads"
    outside.mkdir()
    picture(outside / "x.jpeg.png")
    result = normalized(space, f"file://{outside}/x.jpeg.png", root=outside)
    row = result.rows[0]
    assert (space / row.url).is_file()
    assert row.url.startswith("cache/")
    assert row.notes == f"variant=1; local_cached={row.url}"
    again = normalized(space, row.url)
    assert again.changed == 0


def test_a_cache_outside_the_workspace_is_refused_before_a_copy(space: Path, tmp_path: Path) -> None:
    outside = tmp_path / "downloads"
    outside.mkdir()
    picture(outside / "x.png")
    with pytest.raises(UsageError, match="--cache-dir"):
        normalized(space, f"file://{outside}/x.png", root=outside, cache=tmp_path / "cache")
    assert not (tmp_path / "cache").exists()


@pytest.mark.parametrize("url", ["../x.png", "data/../../x.png", "/etc/hostname", "file:///etc/hostname"])
def test_a_path_that_leaves_the_workspace_is_refused_with_its_line(space: Path, url: str) -> None:
    with pytest.raises(PathEscapeError, match=r"line 3 \(r/1\)"):
        normalized(space, "", url)


def test_a_link_that_leaves_the_workspace_is_refused(space: Path, tmp_path: Path) -> None:
    (space / "link.png").symlink_to(picture(tmp_path / "secret.png"))
    with pytest.raises(PathEscapeError, match="link"):
        normalized(space, f"file://{space}/link.png")


def test_a_file_url_that_is_no_picture_is_refused(space: Path) -> None:
    (space / "notes.jpg").write_text("no picture")
    with pytest.raises(ImageError, match=r"line 2 \(r/0\)"):
        normalized(space, f"file://{space}/notes.jpg")


def test_a_file_that_is_missing_is_listed_and_its_row_left(space: Path) -> None:
    url = f"file://{space}/gone.png"
    result = normalized(space, url)
    assert result.rows[0].url == url
    assert result.missing == [f"line 2 (r/0): {url}"]


def test_rows_in_form_are_the_very_same(space: Path) -> None:
    urls = [
        "",
        "images/a.png",
        "https://x.org/a.jpg",
        "https://commons.wikimedia.org/wiki/Special:FilePath/A.jpg",
    ]
    result = normalized(space, *urls)
    assert [row.url for row in result.rows] == urls
    assert result.changed == 0


@given(
    st.lists(
        st.text(st.characters(exclude_categories=["Cs", "Cc", "Zl", "Zp"])).filter(
            lambda url: ":" not in url and url.lstrip()[:1] != "/"
        )
    )
)
def test_normalising_is_idempotent_and_refuses_or_keeps_every_row(
    tmp_path_factory: pytest.TempPathFactory, urls: list[str]
) -> None:
    space = tmp_path_factory.getbasetemp()
    try:
        once = normalized(space, *urls)
    except PathEscapeError:
        return
    assert len(once.rows) == len(urls)
    again = normalized(space, *(row.url for row in once.rows))
    assert [row.url for row in again.rows] == [row.url for row in once.rows]
