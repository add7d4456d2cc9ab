"""Roots: the environment first, then the workspace, and a clear word where there is neither."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.support.errors import WorkspaceError
from pipeline.support.roots import ASSETS, BENCHMARK, KAGGLE, TRAINING, WORKSPACE, find_roots


@pytest.fixture
def space(tmp_path: Path) -> Path:
    folder = tmp_path / "space"
    folder.mkdir()
    (folder / "repath.toml").write_text('[paths]\nmanifest = "measured/all.json"\n[kaggle]\ndir = "waste"\n')
    return folder


def test_without_the_environment_everything_lies_in_the_workspace(space: Path) -> None:
    found = find_roots({}, directory=space)
    assert found.workspace.path("coverage") == space / "benchmarks" / "coverage.json"
    assert {root.name: (root.folder, root.source) for root in found.roots} == {
        ASSETS: (space / "assets" / "models", "workspace"),
        BENCHMARK: (space / "measured", "workspace"),
        TRAINING: (space / "training", "workspace"),
        KAGGLE: (space / "waste", "workspace"),
    }


def test_the_environment_wins_for_the_files_of_its_root_and_no_others(space: Path, tmp_path: Path) -> None:
    folders = {name: tmp_path / name.lower() for name in (ASSETS, BENCHMARK, TRAINING, KAGGLE)}
    for folder in folders.values():
        folder.mkdir()
    found = find_roots({name: str(folder) for name, folder in folders.items()}, directory=space)
    paths = {key: found.workspace.path(key) for key in type(found.workspace.settings.paths).model_fields}
    assert paths["assets"] == folders[ASSETS]
    assert paths["taxonomy"] == folders[ASSETS] / "municipal-taxonomy-v1.json"
    assert paths["manifest"] == folders[BENCHMARK] / "all.json"
    assert paths["candidate_results"] == folders[BENCHMARK] / "latest-results.candidate.json"
    assert paths["bundles"] == folders[TRAINING] / "bundles"
    assert paths["runs"] == folders[TRAINING] / "training-runs"
    for key in ("pack", "labeled", "annotations", "image_cache", "releases", "release_notes"):
        assert paths[key].is_relative_to(space), key
    assert found.workspace.settings.kaggle.dir == str(folders[KAGGLE])
    assert {root.source for root in found.roots} == {"environment"}


def test_a_workspace_is_named_by_the_environment_or_found_above(
    space: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert find_roots({WORKSPACE: str(space)}).workspace.root == space
    below = space / "data"
    below.mkdir()
    monkeypatch.chdir(below)
    assert find_roots({WORKSPACE: " "}).workspace.root == space
    monkeypatch.chdir(tmp_path)
    assert find_roots({WORKSPACE: "space"}).workspace.root == space  # from the working directory


def test_where_there_is_no_workspace_every_root_must_be_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(WorkspaceError, match=f"{BENCHMARK} is not set") as caught:
        find_roots({ASSETS: ".", TRAINING: "."})
    assert "repath init" in str(caught.value)
    with pytest.raises(WorkspaceError, match="are not set"):
        find_roots({})
    found = find_roots({ASSETS: ".", TRAINING: ".", BENCHMARK: "."})
    assert found.workspace.path("coverage") == tmp_path / "coverage.json"
    assert found.roots[-1].folder is None  # the class folders are not needed


@pytest.mark.parametrize("name", [ASSETS, BENCHMARK, TRAINING, KAGGLE, WORKSPACE])
def test_a_variable_that_names_no_folder_is_an_error_that_names_it(name: str, space: Path) -> None:
    (space / "file").write_text("")
    for wrong in ("/no/such/folder", str(space / "file")):
        with pytest.raises(WorkspaceError, match=rf"{name} is '.*', which is no folder"):
            find_roots({name: wrong}, directory=space)


@given(
    st.dictionaries(st.sampled_from([ASSETS, BENCHMARK, TRAINING, KAGGLE, WORKSPACE]), st.text(max_size=20))
)
def test_whatever_the_environment_says_there_are_roots_or_one_error(environ: dict[str, str]) -> None:
    try:
        found = find_roots(environ)
    except WorkspaceError:
        return
    assert all(root.folder is None or root.folder.is_absolute() for root in found.roots)
