"""`repath init`: a workspace that explains itself, whole or not at all."""

from __future__ import annotations

import hashlib
import os
import re
import time
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from pipeline.contracts.labeled import LABELED_COLUMNS, LabeledRow
from pipeline.contracts.manifest import BenchmarkManifest
from pipeline.contracts.pack import Pack
from pipeline.contracts.settings import Settings, Training
from pipeline.data.sample import sample_settings
from pipeline.support.documents import read_csv, read_json
from pipeline.support.files import staged_directory
from pipeline.support.settings_text import settings_toml
from pipeline.support.sources import SourceFinder
from pipeline.support.workspace import open_workspace, read_settings

Repath = Callable[..., Any]


def _digests(folder: Path) -> dict[str, str]:
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from pipeline.cli.main import run

    folder = tmp_path_factory.mktemp("made") / "sample"
    assert run(["init", str(folder), "--sample"]) == 0
    return folder


def test_two_samples_are_the_same_byte_for_byte(sample: Path, repath: Repath, tmp_path: Path) -> None:
    started = time.process_time()
    ran = repath("init", tmp_path / "again", "--sample")
    # Time of this process, so that a busy machine does not fail it; it draws on one core.
    assert time.process_time() - started < 10
    assert ran.code == 0, ran.err
    assert _digests(tmp_path / "again") == _digests(sample)


def test_the_sample_is_read_by_every_contract(sample: Path) -> None:
    space = open_workspace(sample)
    assert space.settings == sample_settings()
    pack = read_json(space.path("pack"), Pack)
    seed = read_json(space.path("seed_manifest"), BenchmarkManifest)
    rows = read_csv(space.path("labeled"), LabeledRow, LABELED_COLUMNS)
    labels = {item.name for item in pack.items}
    assert {label for row in seed.images for label in row.labels()} == labels
    assert {row.canonical_label for row in rows if not row.is_negative} == labels
    assert {row.item_id for row in rows if not row.is_negative} == {item.id for item in pack.items}


def test_every_picture_that_the_sample_names_is_found_in_it(sample: Path) -> None:
    space = open_workspace(sample)
    for key in ("labeled", "seed_manifest"):
        finder = SourceFinder(space.path(key))
        urls = (
            [row.url for row in read_csv(space.path(key), LabeledRow, LABELED_COLUMNS)]
            if key == "labeled"
            else [row.url for row in read_json(space.path(key), BenchmarkManifest).images]
        )
        assert all(finder.find(url, row=url) for url in urls)
        assert finder.found == {str(sample): len(urls)}


def test_every_training_row_of_the_sample_has_its_boxes(sample: Path) -> None:
    space = open_workspace(sample)
    rows = read_csv(space.path("labeled"), LabeledRow, LABELED_COLUMNS)
    for row in rows:
        drawn = space.path("annotations") / f"{row.name}.txt"
        assert drawn.is_file() == row.feeds_retraining
        if row.feeds_retraining:
            assert bool(drawn.read_text(encoding="utf-8")) != row.is_negative


def test_the_built_manifest_has_the_rows_of_the_labeled_csv_by_name(sample: Path, repath: Repath) -> None:
    paths = open_workspace(sample).settings.paths
    repath("data", "build-taxonomy", "--pack", sample / paths.pack, "--out", "taxonomy.json")
    ran = repath(
        "evaluation", "build-benchmark-manifest", "--taxonomy", "taxonomy.json",
        "--seed", sample / paths.seed_manifest, "--out", "manifest.json",
    )  # fmt: skip
    assert ran.code == 0, ran.err
    built = {row.name: row for row in read_json(Path("manifest.json"), BenchmarkManifest).images}
    rows = read_csv(sample / paths.labeled, LabeledRow, LABELED_COLUMNS)
    held_out = {row.name: row for row in rows if not row.feeds_retraining}
    assert set(built) <= set(held_out)
    for name, row in built.items():
        assert row.labels() == ([held_out[name].canonical_label] if row.labels() else [])
        if row.is_ready:
            assert row.url == held_out[name].url
            assert row.boxes


def test_an_empty_workspace_says_what_to_put_where(repath: Repath, tmp_path: Path) -> None:
    ran = repath("init", tmp_path / "mine")
    assert ran.code == 0, ran.err
    space = open_workspace(tmp_path / "mine")
    assert space.settings == Settings()
    put = {entry["path"] for entry in ran.json["put"]}
    assert {space.settings.paths.pack, space.settings.paths.labeled} <= put
    assert space.settings.paths.pack in ran.err
    assert read_csv(space.path("labeled"), LabeledRow, LABELED_COLUMNS) == []
    assert read_json(space.path("seed_manifest"), BenchmarkManifest).images == []
    assert space.path("annotations").is_dir()
    assert "# What is new" in space.path("release_notes").read_text(encoding="utf-8")
    assert f"/{space.settings.paths.bundles}/" in (space.root / ".gitignore").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", ["notes.txt", ".hidden"])
def test_a_folder_with_something_in_it_is_left_as_it_is(repath: Repath, tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("mine", encoding="utf-8")
    ran = repath("init", tmp_path)
    assert ran.code == 1
    assert name in ran.err
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_a_workspace_is_not_written_over(repath: Repath, tmp_path: Path) -> None:
    repath("init", tmp_path / "mine")
    before = _digests(tmp_path / "mine")
    ran = repath("init", tmp_path / "mine", "--sample")
    assert ran.code == 1
    assert "is a workspace already" in ran.err
    assert _digests(tmp_path / "mine") == before


def test_a_file_is_no_place_for_a_workspace(repath: Repath, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    assert repath("init", tmp_path / "file").code == 2


def test_the_folder_one_stands_in_is_filled_and_not_replaced(repath: Repath, tmp_path: Path) -> None:
    here = tmp_path / "here"
    (here / ".git").mkdir(parents=True)
    os.chdir(here)
    inode = here.stat().st_ino
    assert repath("init", ".").code == 0
    assert here.stat().st_ino == inode
    assert Path("repath.toml").is_file()
    assert not [path for path in here.iterdir() if path.name.endswith(".part")]


@pytest.mark.parametrize("exists", [False, True])
def test_a_full_disk_leaves_nothing_half_written(
    repath: Repath, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, exists: bool
) -> None:
    target = tmp_path / "mine"
    if exists:
        target.mkdir()
    real_write = os.fsync
    written = 0

    def full(handle: int) -> None:
        nonlocal written
        written += 1
        if written == 3:
            raise OSError(28, "No space left on device")
        real_write(handle)

    monkeypatch.setattr(os, "fsync", full)
    ran = repath("init", target)
    assert ran.code == 1
    assert "disk is full" in ran.err
    assert (list(target.iterdir()) if exists else [target.exists()]) == ([] if exists else [False])
    assert [path.name for path in tmp_path.iterdir()] == (["mine"] if exists else [])


def test_a_move_that_fails_takes_back_those_before_it(
    repath: Repath, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "mine"
    target.mkdir()
    rename = Path.rename

    def stuck(self: Path, to: Path) -> Path:
        if self.name == "repath.toml":
            raise OSError(5, "Input/output error")
        return rename(self, to)

    monkeypatch.setattr(Path, "rename", stuck)
    assert repath("init", target).code == 1
    assert list(target.iterdir()) == []


def test_a_folder_that_may_not_be_written_is_named(repath: Repath) -> None:
    ran = repath("init", "/proc/nowhere/mine")
    assert ran.code == 1
    assert "/proc/nowhere" in ran.err


def test_staging_keeps_what_stands(tmp_path: Path) -> None:
    with staged_directory(tmp_path / "new") as folder:
        (folder / "file").write_text("", encoding="utf-8")
    assert (tmp_path / "new" / "file").is_file()


def test_the_settings_file_shows_every_setting_with_its_meaning() -> None:
    text = settings_toml(Settings())
    assert tomllib.loads(text) == {name: {} for name in Settings.model_fields}
    for name, table in Settings.model_fields.items():
        assert f"[{name}]" in text
        for key in table.annotation.model_fields if table.annotation else ():
            place = re.search(rf"^# (\[{name}\.{key}[\].]|{key} =)", text, re.MULTILINE)
            assert place, f"{name}.{key} is missing"
            before = text[: place.start()].splitlines()[-1]
            assert re.match(r"# [A-Z`<]", before) or " " in before.removeprefix("# "), (
                f"{name}.{key}: {before}"
            )


def test_taking_the_mark_away_from_every_default_changes_nothing(tmp_path: Path) -> None:
    lines = []
    for line in settings_toml(Settings()).splitlines():
        shown = re.match(r"# (\[[\w.-]+\]|[\w-]+ = .+)$", line)
        lines.append(shown.group(1) if shown else line)
    (tmp_path / "repath.toml").write_text("\n".join(lines), encoding="utf-8")
    assert read_settings(tmp_path / "repath.toml") == Settings()


@hypothesis_settings(deadline=None)
@given(
    st.dictionaries(
        st.text(min_size=1, max_size=8),
        st.one_of(
            st.text(max_size=8),
            st.booleans(),
            st.integers(-(2**62), 2**62),
            st.floats(allow_nan=False, allow_infinity=False),
        ),
        max_size=4,
    )
)
def test_any_setting_reads_back_as_it_was(overrides: dict[str, str | int | float | bool]) -> None:
    settings = Settings(training=Training(overrides=overrides))
    assert Settings.model_validate(tomllib.loads(settings_toml(settings))) == settings
