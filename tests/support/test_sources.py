"""Where a relative url of a file lies: a fixed order, and never outside."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlsplit

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline.support.errors import InputError, PathEscapeError, RepathError
from pipeline.support.sources import SourceFinder, is_remote, workspace_of

PICTURE = "img/a.png"


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A checkout (``.git``) that holds a workspace (``ws/repath.toml``) with a ``ws/data/rows.csv``."""
    (tmp_path / "checkout" / ".git").mkdir(parents=True)
    data = tmp_path / "checkout" / "ws" / "data"
    data.mkdir(parents=True)
    (data.parent / "repath.toml").touch()
    (data / "rows.csv").touch()
    return tmp_path / "checkout"


def put(folder: Path, text: str = "x") -> Path:
    (folder / PICTURE).parent.mkdir(parents=True, exist_ok=True)
    (folder / PICTURE).write_text(text)
    return folder / PICTURE


def test_the_order_is_root_workspace_own_folder_parents(tree: Path, tmp_path: Path) -> None:
    document = tree / "ws" / "data" / "rows.csv"
    places = [put(folder) for folder in (tmp_path / "root", tree / "ws", tree / "ws" / "data")]
    for place in places:
        finder = SourceFinder(document, root=tmp_path / "root")
        assert finder.find(PICTURE, row="row") == place
        assert dict(finder.found) == {str(place.parents[1]): 1}
        place.unlink()
    finder = SourceFinder(document, root=tmp_path / "root")
    assert finder.find(PICTURE, row="row") is None
    assert dict(finder.found) == {"missing": 1}


def test_parents_end_at_the_workspace(tree: Path) -> None:
    put(tree)  # above the workspace of the document: not its own
    assert SourceFinder(tree / "ws" / "data" / "rows.csv").find(PICTURE, row="row") is None


def test_without_a_workspace_parents_end_at_the_checkout(tree: Path, tmp_path: Path) -> None:
    (tree / "ws" / "repath.toml").unlink()
    document = tree / "ws" / "data" / "rows.csv"
    put(tmp_path)
    assert SourceFinder(document).find(PICTURE, row="row") is None
    place = put(tree)
    assert SourceFinder(document).find(PICTURE, row="row") == place


def test_where_one_stands_does_not_matter(
    tree: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = put(tree / "ws")
    sibling = tmp_path / "sibling"
    sibling.mkdir()
    monkeypatch.chdir(sibling)
    assert SourceFinder(tree / "ws" / "data" / "rows.csv").find(PICTURE, row="row") == place


def test_the_workspace_of_the_working_directory_comes_behind_that_of_the_file(
    tree: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "repath.toml").touch()
    monkeypatch.chdir(mine)
    second = put(mine)
    document = tree / "ws" / "data" / "rows.csv"
    assert SourceFinder(document).find(PICTURE, row="row") == second
    first = put(tree / "ws")
    assert SourceFinder(document).find(PICTURE, row="row") == first


@pytest.mark.parametrize("url", ["../secret", "img/../../secret", "./../secret", "../ws/../secret"])
def test_a_path_that_climbs_out_is_refused_with_its_row(url: str, tree: Path) -> None:
    (tree / "secret").touch()
    with pytest.raises(PathEscapeError, match=r"rows\.csv: line 3.*leaves the workspace"):
        SourceFinder(tree / "ws" / "data" / "rows.csv").find(url, row="line 3")


def test_a_path_that_climbs_and_comes_back_is_found(tree: Path) -> None:
    place = put(tree / "ws")
    found = SourceFinder(tree / "ws" / "data" / "rows.csv").find("img/../img/a.png", row="row")
    assert found is not None
    assert found.samefile(place)


def test_an_absolute_path_outside_is_refused_even_where_it_is_not(tree: Path) -> None:
    finder = SourceFinder(tree / "ws" / "data" / "rows.csv")
    for url in ("/etc/passwd", "/nowhere/at/all", "file:///etc/passwd", "FILE:/etc/passwd"):
        with pytest.raises(PathEscapeError, match="outside the workspace"):
            finder.find(url, row="row")


def test_an_absolute_path_inside_is_found(tree: Path) -> None:
    place = put(tree / "ws")
    finder = SourceFinder(tree / "ws" / "data" / "rows.csv")
    assert finder.find(str(place), row="row") == place
    assert finder.find(place.as_uri(), row="row") == place
    assert finder.find(f"file://localhost{place}", row="row") == place
    assert finder.find(str(place) + "x", row="row") is None


def test_an_absolute_path_that_climbs_out_is_refused(tree: Path) -> None:
    (tree / "secret").touch()
    finder = SourceFinder(tree / "ws" / "data" / "rows.csv")
    with pytest.raises(PathEscapeError):
        finder.find(f"{tree}/ws/../secret", row="row")


@pytest.mark.parametrize("url", ["file://[x/y.jpg", "file://a]/y.jpg", "FILE://[::1"])
def test_a_file_url_that_cannot_be_split_is_refused_in_words(url: str, tree: Path) -> None:
    with pytest.raises(InputError, match="is no url"):
        SourceFinder(tree / "ws" / "data" / "rows.csv").find(url, row="line 2")


def test_a_file_on_another_host_is_refused(tree: Path) -> None:
    with pytest.raises(InputError, match="another host"):
        SourceFinder(tree / "ws" / "data" / "rows.csv").find("file://server/share/a.png", row="row")


@pytest.mark.parametrize("link", ["img", "img/a.png"])
def test_a_link_that_leaves_is_refused(link: str, tree: Path, tmp_path: Path) -> None:
    outside = put(tmp_path / "outside")
    place = tree / "ws" / link
    place.parent.mkdir(parents=True, exist_ok=True)
    place.symlink_to(outside if link.endswith("png") else outside.parent)
    with pytest.raises(PathEscapeError, match="a link that leaves"):
        SourceFinder(tree / "ws" / "data" / "rows.csv").find(PICTURE, row="row")


def test_percent_signs_mean_something_only_in_a_file_url(tree: Path) -> None:
    odd = tree / "ws" / "100%25.png"
    odd.touch()
    finder = SourceFinder(tree / "ws" / "data" / "rows.csv")
    assert finder.find("100%25.png", row="row") == odd
    assert finder.find(odd.as_uri(), row="row") == odd


def test_the_folders_that_belong_to_nobody_are_never_roots(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    home = tmp_path / "home"
    (home / "data").mkdir(parents=True)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.chdir("/")
    roots = SourceFinder(home / "data" / "rows.csv").roots
    assert roots == [home / "data"]


def test_a_name_that_is_too_long_is_not_found_or_refused(tree: Path) -> None:
    finder = SourceFinder(tree / "ws" / "data" / "rows.csv")
    assert finder.find("x" * 5000, row="row") is None


@pytest.mark.parametrize(
    ("url", "remote"),
    [
        ("https://a/b", True),
        ("HTTP://a", True),
        ("file:///a", False),
        ("a/b", False),
        ("", False),
        ("http://[", False),
    ],
)
def test_a_url_is_remote_or_not(url: str, remote: bool) -> None:
    assert is_remote(url) is remote


def test_the_workspace_of_a_folder_is_itself_or_above(tree: Path) -> None:
    assert workspace_of(tree / "ws") == tree / "ws"
    assert workspace_of(tree / "ws" / "data" / "rows.csv") == tree / "ws"


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    url=st.one_of(
        st.text(max_size=80),
        st.lists(st.sampled_from(["..", ".", "/", "file:", "//", "a", "ü", "[", "]"])).map("/".join),
    )
)
def test_any_url_is_found_inside_or_refused_in_words(url: str, tree: Path) -> None:
    finder = SourceFinder(tree / "ws" / "data" / "rows.csv")
    try:
        found = finder.find(url, row="row")
    except RepathError:
        return
    assert found is None or found.resolve().is_relative_to(tree / "ws")


@given(st.from_regex(r"(https?|HTTP)://[a\[\]\u2100\uff0e:@/?#.1%-]{0,8}", fullmatch=True))
def test_a_remote_url_is_one_that_can_be_split(url: str) -> None:
    try:
        urlsplit(url)
    except ValueError:
        assert not is_remote(url)
    else:
        assert is_remote(url)
