"""What the notebooks use: a workspace with its stages, tables, pictures, and the plan of a publication."""

from __future__ import annotations

import csv
import re
import shutil
from pathlib import Path

import pytest
from release_files import write_bundle

pytest.importorskip("matplotlib")

from pipeline.cli.main import run
from pipeline.contracts.labeled import LABELED_COLUMNS, LabeledRow
from pipeline.contracts.manifest import BenchmarkManifest
from pipeline.contracts.taxonomy import Taxonomy
from pipeline.notebooks import pictures, tables
from pipeline.notebooks.display import table_html
from pipeline.notebooks.publication import planned
from pipeline.notebooks.space import Space, start
from pipeline.release.publication import publication_of
from pipeline.support.documents import read_csv
from pipeline.support.errors import InputError, UsageError, WorkspaceError
from pipeline.support.figures import png_bytes
from pipeline.training.dataset import open_dataset


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sample") / "space"
    assert run(["init", str(folder), "--sample"]) == 0
    return folder


@pytest.fixture
def space(sample: Path, monkeypatch: pytest.MonkeyPatch) -> Space:
    monkeypatch.chdir(sample.parent)
    return start(sample, environ={})


def test_a_space_is_the_working_directory_and_knows_its_roots(space: Space, sample: Path) -> None:
    assert Path.cwd() == sample == space.root
    table = tables.roots_table(space.roots)
    assert list(table["named by"]) == ["workspace", "workspace", "workspace", "not set"]


def test_without_a_workspace_the_error_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(WorkspaceError) as caught:
        start(environ={})
    # What a notebook shows in place of a traceback.
    assert "repath init" in "\n".join(caught.value._render_traceback_())
    with pytest.raises(WorkspaceError):
        start(tmp_path, environ={})


def test_stages_run_in_order_are_told_once_and_left_alone_where_they_stand(
    sample: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    shutil.copytree(sample, tmp_path / "copy", ignore=shutil.ignore_patterns(".repath"))
    space = start("copy", environ={})
    summary = space.run_until("coverage")
    assert summary["coverage_ready"] == 1.0
    first = capsys.readouterr().out
    names = [line.split("]")[1].split()[0] for line in first.splitlines()]
    assert names == ["taxonomy", "manifest", "curate", "resolve", "coverage"]
    space.run_until("coverage")
    assert capsys.readouterr().out == ""  # nothing new to tell
    again = start(space.root, environ={})
    again.run_until("coverage")
    assert capsys.readouterr().out == "up to date: taxonomy … coverage\n"
    with pytest.raises(UsageError, match="there is no stage 'covrage'"):
        space.run_until("covrage")


def test_what_has_not_been_made_yet_is_named(space: Space) -> None:
    from pipeline.contracts.comparison import Comparison

    with pytest.raises(InputError, match=r"latest-results\.compare\.json does not exist"):
        space.read("comparison", Comparison)


def test_tables_count_what_the_files_hold(space: Space) -> None:
    space.run_until("validate")
    manifest = space.read("resolved_manifest", BenchmarkManifest)
    covered = tables.coverage_table(space.read("taxonomy", Taxonomy), manifest)
    assert sorted(covered.index) == ["Aluminum Can", "Cardboard Box", "Glass Bottle", "Light Bulb"]
    assert covered["ready"].is_monotonic_increasing  # the least covered come first
    assert covered["ready"].sum() == sum(row.is_ready and bool(row.expected_any) for row in manifest.images)
    rows = read_csv(space.path("curated"), LabeledRow, LABELED_COLUMNS)
    labeled = tables.labeled_table(rows)
    assert labeled[["benchmark", "training"]].to_numpy().sum() == len(rows) == 84
    dataset = open_dataset(space.at("bundle_dir"))
    split = tables.split_table(dataset)
    assert list(split.columns) == ["train", "val", "test"]
    assert split.to_numpy().sum() == 60
    assert png_bytes(tables.coverage_bars(covered)).startswith(b"\x89PNG")


def test_pictures_are_drawn_and_one_that_is_not_here_is_a_grey_tile(space: Space) -> None:
    space.run_until("validate")
    rows = read_csv(space.path("curated"), LabeledRow, LABELED_COLUMNS)[:2]
    hostile = [
        "../../etc/passwd",
        "/etc/passwd",
        "https://example.org/x.jpg",
        "",
        "file://host/x.jpg",
        "no.jpg",
    ]
    rows += [rows[0].replace(name=f"row {url}", url=url, canonical_label="<b>$x$</b>") for url in hostile]
    figure = pictures.labeled_pictures(rows, space.path("curated"), title="Rows")
    assert len(figure.axes) == len(rows)
    tiles = [axes.get_images()[0].get_array() for axes in figure.axes]
    assert tiles[0].std() > 5
    assert all(tile.std() == 0 for tile in tiles[2:])
    assert all(axes.get_title().startswith("not on this disk") for axes in figure.axes[2:])
    assert len(pictures.bundle_pictures(space.at("bundle_dir"), most=5).axes) == 5
    shown = pictures.shown(figure, alt="Rows")
    assert shown.data.startswith(b"\x89PNG")


def test_a_table_shows_hostile_labels_as_text(space: Space) -> None:
    row = dict.fromkeys(LABELED_COLUMNS, "") | {"name": "x", "canonical_label": "<script>alert(1)</script>"}
    path = space.root / "hostile.csv"
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, LABELED_COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerow(row)
    table = tables.labeled_table(read_csv(path, LabeledRow, LABELED_COLUMNS))
    table["<img src=x onerror=alert(1)>"] = "<b>&"
    html = table_html(table)
    assert not re.search("<script|<img|<b>", html)
    assert "&lt;b&gt;&amp;" in html
    assert "nan" not in table_html(table.assign(missing=float("nan")))


@pytest.mark.parametrize(
    ("environ", "lacking"),
    [
        ({}, "GITHUB_REPOSITORY and GITHUB_TOKEN"),
        ({"GITHUB_TOKEN": "t"}, "GITHUB_REPOSITORY"),
        ({"GITHUB_REPOSITORY": "a/b", "GH_TOKEN": " "}, "GITHUB_TOKEN"),
    ],
)
def test_without_a_token_or_a_repository_the_plan_says_that_nobody_was_asked(
    environ: dict[str, str], lacking: str, tmp_path: Path
) -> None:
    plan, rests_on = planned(publication_of(write_bundle(tmp_path), title="x"), environ=environ)
    assert rests_on.startswith(f"{lacking} not set, so GitHub was not asked")
    assert tables.steps_table(plan)["step"].iloc[0] == "make a draft"
