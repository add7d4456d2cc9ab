"""`--in-image` and `[image] use`: which command lines go into the image, and with what."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from pipeline.cli import in_image
from pipeline.cli.in_image import run_options, wants_image
from pipeline.support.errors import RepathError, UsageError


@pytest.fixture(autouse=True)
def _outside(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("REPATH_IN_IMAGE", raising=False)


@pytest.fixture
def space(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A workspace that says so, and the working directory."""
    folder = tmp_path / "space"
    folder.mkdir()
    (folder / "repath.toml").write_text(
        '[image]\nuse = true\nname = "mine:1"\ngpus = "2"\nnetwork = "none"\n'
    )
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture
def forwarded(monkeypatch: pytest.MonkeyPatch) -> list[Sequence[str]]:
    """What was run in the image instead of here."""
    found: list[Sequence[str]] = []

    def forward(command: Sequence[str]) -> int:
        found.append(command)
        return 7

    monkeypatch.setattr(in_image, "forward", forward)
    return found


def test_the_whole_command_line_goes_into_the_image_and_its_code_comes_back(
    forwarded: list[Sequence[str]], repath: Callable[..., Any]
) -> None:
    line = ["data", "build-taxonomy", "--pack", "a b.json", "--", "-x"]
    assert repath("--in-image", *line).code == 7
    assert forwarded == [line]


def test_a_workspace_can_say_so_and_a_flag_wins(
    space: Path, forwarded: list[Sequence[str]], repath: Callable[..., Any], tmp_path: Path
) -> None:
    assert repath("run", "--until", "taxonomy").code == 7
    assert forwarded == [["run", "--until", "taxonomy"]]
    assert repath("--no-in-image", "run", "--until", "nothing").code == 2
    assert len(forwarded) == 1
    assert wants_image(["run", "--workspace", str(space)], None)
    assert wants_image(["run", f"--workspace={space}"], None)


def test_a_workspace_elsewhere_is_asked_where_it_is_named(
    space: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert not wants_image(["run"], None)
    assert wants_image(["run", "--workspace", "space"], None)
    (tmp_path / "repath.toml").write_text("")
    assert wants_image(["run", "--workspace", "space"], None)
    assert not wants_image(["run", "--workspace"], None)


@pytest.mark.parametrize("line", [["image", "build"], ["data", "--help"], ["run", "-h"], []])
def test_some_commands_stay_here(space: Path, line: list[str]) -> None:
    assert not wants_image(line, None)


def test_inside_the_image_nothing_goes_into_it_again(space: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REPATH_IN_IMAGE", "1")
    assert not wants_image(["run"], None)
    assert not wants_image(["run"], True)


def test_the_image_group_cannot_run_in_the_image(repath: Callable[..., Any]) -> None:
    ran = repath("--in-image", "image", "inspect")
    assert ran.code == 2
    assert "deals with the container engine of this machine" in ran.err


def test_a_broken_repath_toml_is_told_by_the_command_that_reads_it(
    space: Path, repath: Callable[..., Any]
) -> None:
    (space / "repath.toml").write_text("[image\n")
    assert not wants_image(["run"], None)
    with pytest.raises(RepathError, match="not TOML"):
        run_options(["run"])
    ran = repath("run")
    assert ran.code == 1
    assert "not TOML" in ran.err


def test_the_image_runs_with_the_settings_of_the_workspace(
    space: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1")
    monkeypatch.setenv("GITHUB_TOKEN", "secret")
    (space / "data").mkdir()
    monkeypatch.chdir(space / "data")
    options = run_options(["evaluation", "report"])
    assert (options.image, options.gpus, options.network) == ("mine:1", "2", "none")
    assert options.command == ("evaluation", "report")
    assert options.directory == space / "data"
    assert [each.source for each in options.mounts] == [space]
    assert options.environment["SOURCE_DATE_EPOCH"] == "1"
    assert "GITHUB_TOKEN" not in options.environment


def test_a_file_that_the_container_would_not_see_is_told(space: Path, tmp_path: Path) -> None:
    (tmp_path / "m.tflite").touch()
    with pytest.raises(UsageError, match="outside of what the container sees"):
        run_options(["evaluation", "benchmark-candidate-model", "--model", str(tmp_path / "m.tflite")])
    (space / "repath.toml").write_text(f'[image]\nmounts = ["{tmp_path}"]\n')
    assert run_options(["evaluation", "x", "--model", str(tmp_path / "m.tflite")]).mounts[1].read_only


@pytest.mark.parametrize(
    "line", ['gpus = "some"', "gpus = 1", 'name = ""', 'shm_size = "big"', 'mount = ["/x"]', "use = 1"]
)
def test_settings_that_mean_nothing_are_refused(space: Path, line: str) -> None:
    (space / "repath.toml").write_text(f"[image]\n{line}\n")
    with pytest.raises(RepathError, match="fault"):
        run_options(["run"])
