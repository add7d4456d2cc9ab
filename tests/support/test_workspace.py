"""The workspace: found above the working directory, its settings checked."""

from __future__ import annotations

import contextlib
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline.support.errors import ContractError, InputError, RepathError, WorkspaceError
from pipeline.support.workspace import open_workspace, read_settings


def test_the_nearest_repath_toml_above_is_the_workspace(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "repath.toml").write_text('[paths]\ntaxonomy = "t.json"\n')
    inner = tmp_path / "a" / "b"
    inner.mkdir(parents=True)
    monkeypatch.chdir(inner)
    space = open_workspace()
    assert space.root == tmp_path
    assert space.configured
    assert space.path("taxonomy") == tmp_path / "t.json"
    assert space.path("labeled") == tmp_path / "data/benchmark-labeled.csv"


def test_without_one_the_working_directory_and_the_defaults_hold() -> None:
    space = open_workspace()
    assert space.root == Path.cwd()
    assert not space.configured
    assert space.settings.benchmark.threshold == 0.35


def test_a_folder_that_was_asked_for_must_be_one(tmp_path: Path) -> None:
    with pytest.raises(WorkspaceError, match=r"holds no repath\.toml") as caught:
        open_workspace(tmp_path)
    assert "repath init" in str(caught.value)


@pytest.mark.parametrize(
    ("text", "where", "near"),
    [
        ("[trainig]\n", "trainig", "training"),
        ("[training]\nepoch = 3\n", "training.epoch", "epochs"),
        ("[download]\nmaxbytes = 3\n", "download.maxbytes", "max_bytes"),
    ],
)
def test_a_misspelt_setting_is_told_the_nearest(text: str, where: str, near: str, tmp_path: Path) -> None:
    path = tmp_path / "repath.toml"
    path.write_text(text)
    with pytest.raises(ContractError) as caught:
        read_settings(path)
    assert where in str(caught.value)
    assert f"did you mean '{near}'?" in str(caught.value)


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ("[training]\nepochs = 0\n", "training.epochs"),
        ('[training]\nepochs = "60"\n', "training.epochs"),
        ("[benchmark]\nthreshold = 1.5\n", "benchmark.threshold"),
        ("[benchmark]\nthreshold = nan\n", "benchmark.threshold"),
        ("paths = 3\n", "paths"),
    ],
)
def test_a_wrong_value_is_named(text: str, where: str, tmp_path: Path) -> None:
    path = tmp_path / "repath.toml"
    path.write_text(text)
    with pytest.raises(ContractError) as caught:
        read_settings(path)
    assert where in str(caught.value)


def test_a_file_with_a_bom_is_read(tmp_path: Path) -> None:
    path = tmp_path / "repath.toml"
    path.write_bytes(b"\xef\xbb\xbf[training]\r\nepochs = 3\r\n")
    assert read_settings(path).training.epochs == 3


def test_what_is_not_toml_is_told(tmp_path: Path) -> None:
    path = tmp_path / "repath.toml"
    path.write_text("[training\n")
    with pytest.raises(InputError, match="not TOML"):
        read_settings(path)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.binary(max_size=200))
def test_any_file_is_read_or_refused_in_words(data: bytes, tmp_path: Path) -> None:
    path = tmp_path / "repath.toml"
    path.write_bytes(data)
    with contextlib.suppress(RepathError):
        read_settings(path)
