"""`repath evaluation`: the commands that bring the pictures of manifests into the workspace."""

from __future__ import annotations

from pathlib import Path

import click
from click.core import ParameterSource

from pipeline.cli.common import (
    DIRECTORY,
    FILE,
    emit,
    http_client,
    keep_inputs,
    no_download_option,
    note,
    root_option,
    setting,
    workspace,
)
from pipeline.contracts.candidate import LabelsFile
from pipeline.contracts.labeled import LABELED_COLUMNS, LabeledRow
from pipeline.contracts.manifest import BenchmarkManifest, HoldoutOverrides
from pipeline.contracts.retraining import RetrainingManifest
from pipeline.contracts.settings import FolderNames
from pipeline.support import clock
from pipeline.support.documents import read_csv, read_csv_lines, read_json, write_json
from pipeline.support.errors import UsageError
from pipeline.support.files import display_path
from pipeline.support.sources import workspace_of

SHOWN = 10
"""Rows without a picture that the table shows; the JSON summary has them all."""


@click.command("build-supported-holdout-manifest")
@click.option("--labels", type=FILE, help="The labels file; by default that of the newest candidate.")
@setting(
    "--candidates-root", to="paths.candidates", type=DIRECTORY, required=False, help="Where candidates lie."
)
@setting("--input-csv", to="paths.labeled", help="Labeled rows, whose pictures are not held out.")
@setting(
    "--retraining-manifest", to="paths.retraining_manifest", help="Samples, whose pictures are not held out."
)
@setting("--cache-dir", to="paths.image_cache", type=DIRECTORY, help="Where the pictures go.")
@setting("--out", to="paths.holdout_manifest", help="The manifest to write.")
@setting(
    "--kaggle-dir", to="kaggle.dir", type=DIRECTORY, envvar="KAGGLE_WASTE_DIR", help="The class folders."
)
@click.option("--folders", type=FILE, help="JSON of label to class folders, in place of [kaggle.folders].")
@setting(
    "--manual-seed", to="paths.holdout_overrides", required=False, help="JSON of label to pictures' urls."
)
@click.option(
    "--per-label", type=click.IntRange(1), default=3, show_default=True, help="Pictures of a label."
)
@no_download_option
@root_option
def build_supported_holdout_manifest(
    labels: Path | None,
    candidates_root: Path | None,
    input_csv: Path,
    retraining_manifest: Path,
    cache_dir: Path,
    out: Path,
    kaggle_dir: Path | None,
    folders: Path | None,
    manual_seed: Path | None,
    per_label: int,
    no_download: bool,
    root: Path | None,
) -> None:
    """Collect held-out pictures of the labels a model knows."""
    from pipeline.evaluation import holdout
    from pipeline.evaluation.used import UsedPictures
    from pipeline.support.class_folders import ClassFolders
    from pipeline.support.pictures import PictureFetcher

    kaggle_dir = _in_workspace(kaggle_dir, "kaggle_dir")
    labels = labels or _newest_labels(candidates_root)
    keep_inputs(out, labels, input_csv, retraining_manifest, manual_seed, folders)
    wanted = read_json(labels, LabelsFile).root
    download = workspace().settings.download
    manual_seed = _unless_absent_default(manual_seed, "manual_seed")
    overrides = read_json(manual_seed, HoldoutOverrides) if manual_seed else HoldoutOverrides(labels={})
    used = UsedPictures(
        read_csv(input_csv, LabeledRow, LABELED_COLUMNS),
        input_csv,
        read_json(retraining_manifest, RetrainingManifest),
        retraining_manifest,
        root=root,
    )
    with http_client() as client:
        built = holdout.HoldoutBuilder(
            cache_dir=cache_dir.resolve(),
            base=_written_base(out, root),
            used=used,
            folders=ClassFolders(kaggle_dir) if kaggle_dir else None,
            folder_names=_folder_names(folders),
            overrides=overrides,
            fetcher=None if no_download else PictureFetcher(client, max_pixels=download.max_pixels),
            previous=read_json(out, BenchmarkManifest) if out.is_file() else None,
            per_label=per_label,
            max_pixels=download.max_pixels,
        ).build(wanted)
    manifest = holdout.holdout_manifest(
        built,
        wanted,
        source={
            "labels": display_path(labels),
            "kaggle_dir": display_path(kaggle_dir) if kaggle_dir else None,
            "excluded_csv": display_path(input_csv),
            "manual_seed": display_path(manual_seed) if manual_seed else None,
            "retraining_manifest": display_path(retraining_manifest),
            "download_enabled": not no_download,
            "per_label": per_label,
        },
        generated_at=clock.timestamp(),
    )
    write_json(out, manifest)
    summary = manifest.summary or {}
    emit(
        {
            "manifest": display_path(out),
            **summary,
            "unsupported": [entry.to_data() for entry in built.unsupported],
            "left_out": built.left_out,
            "used_pictures_not_here": used.missing,
        },
        title="Supported holdout",
        rows=[
            ("written", display_path(out)),
            ("rows", summary["rows"]),
            ("labels with rows", f"{summary['labels_with_rows']} of {summary['labels_requested']}"),
            ("pictures passed over", summary["left_out"]),
            *((entry.label, entry.reason) for entry in built.unsupported),
        ],
    )


@click.command("build-resolved-benchmark-manifest")
@setting("--manifest", to="paths.manifest", help="The manifest whose pictures are wanted.")
@setting("--completed", to="paths.labeled", help="Labeled rows that fill and extend it.")
@setting("--cache-dir", to="paths.image_cache", type=DIRECTORY, help="Where the pictures go.")
@setting("--out", to="paths.resolved_manifest", help="The manifest to write.")
@click.option(
    "--append-manifest", type=FILE, multiple=True, help="A manifest whose rows are added; may be repeated."
)
@no_download_option
@click.option("--no-copy-local", is_flag=True, help="Name local pictures where they lie.")
@root_option
def build_resolved_benchmark_manifest(
    manifest: Path,
    completed: Path,
    cache_dir: Path,
    out: Path,
    append_manifest: tuple[Path, ...],
    no_download: bool,
    no_copy_local: bool,
    root: Path | None,
) -> None:
    """Bring every picture of a manifest into the workspace."""
    from pipeline.evaluation import completion, resolve
    from pipeline.support.pictures import PictureFetcher

    keep_inputs(out, completed, *append_manifest)
    asked = read_json(manifest, BenchmarkManifest)
    rows = completion.rows_of(asked, manifest)
    for path in append_manifest:
        rows += completion.rows_of(read_json(path, BenchmarkManifest), path)
    labeled, lines = read_csv_lines(completed, LabeledRow, LABELED_COLUMNS)
    complete = completion.complete_rows(rows, labeled, lines, document=completed)
    download = workspace().settings.download
    with http_client() as client:
        resolution = resolve.Resolver(
            cache_dir=cache_dir.resolve(),
            base=_written_base(out, root),
            root=root,
            fetcher=None if no_download else PictureFetcher(client, max_pixels=download.max_pixels),
            copy_local=not no_copy_local,
            max_pixels=download.max_pixels,
        ).resolve(complete.rows)
    written = resolve.resolved_manifest(
        asked,
        complete,
        resolution,
        source={
            "manifest": display_path(manifest),
            "completed": display_path(completed),
            "append_manifests": [display_path(path) for path in append_manifest],
            "download_enabled": not no_download,
            "copy_local": not no_copy_local,
        },
        generated_at=clock.timestamp(),
    )
    write_json(out, written)
    summary = written.summary or {}
    failures = [{"name": row.name, "url": row.url, "error": row.error} for row in resolution.failures]
    emit(
        {"manifest": display_path(out), **summary, "failures": failures, "not_used": complete.unused},
        title="Resolved manifest",
        rows=[
            ("written", display_path(out)),
            ("rows", f"{summary['rows']} ({summary['ready']} ready, {summary['negatives']} negatives)"),
            ("pictures here", summary["resolved"]),
            ("pictures missing", summary["failed"]),
            *(
                (f"found under {folder}", count)
                for folder, count in resolution.found.items()
                if folder != "missing"
            ),
            *((failure["name"], failure["error"]) for failure in failures[:SHOWN]),
        ],
    )
    if len(failures) > SHOWN:
        note(f"{len(failures) - SHOWN} more rows without a picture are listed under failures.")


def _written_base(out: Path, root: Path | None) -> Path:
    """Return the folder that paths written into ``out`` are relative to: where they will be looked for."""
    return (root or workspace_of(out) or Path.cwd()).resolve()


def _newest_labels(candidates_root: Path | None) -> Path:
    from pipeline.support.candidates import candidate_files, newest_candidate

    if candidates_root is None:
        raise UsageError("say which labels: give --labels or --candidates-root")
    return candidate_files(newest_candidate(candidates_root))[1]


def _unless_absent_default(path: Path | None, parameter: str) -> Path | None:
    """Return a path, but None for a default of the workspace that is not there: the file is optional."""
    source = click.get_current_context().get_parameter_source(parameter)
    is_default = source in {ParameterSource.DEFAULT, ParameterSource.DEFAULT_MAP}
    return None if path is not None and is_default and not path.exists() else path


def _in_workspace(path: Path | None, parameter: str) -> Path | None:
    """Return a path; one that repath.toml gives is relative to the workspace."""
    is_setting = click.get_current_context().get_parameter_source(parameter) is ParameterSource.DEFAULT
    return workspace().root / path if path is not None and is_setting else path


def _folder_names(folders: Path | None) -> dict[str, list[str]]:
    return read_json(folders, FolderNames).root if folders else workspace().settings.kaggle.folders
