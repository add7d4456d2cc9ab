"""`repath data`: sync-labeled-from-manifest, bootstrap-kaggle-dataset."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import click

from pipeline.cli.common import DIRECTORY, FILE, emit, note, setting, workspace
from pipeline.cli.data_book import LISTED, open_book
from pipeline.contracts.labeled import LABELED_COLUMNS
from pipeline.contracts.manifest import BenchmarkManifest
from pipeline.support.documents import read_json, write_csv
from pipeline.support.files import display_path

DEFAULT_TARGET = "data/kaggle-household-waste"


@click.command("sync-labeled-from-manifest")
@setting("--manifest", to="paths.manifest", help="Benchmark manifest.")
@setting("--input", "input_path", to="paths.labeled", help="Labeled CSV; made where there is none.")
@click.option("--out", type=FILE, default=None, help="CSV to write; without it the input is replaced.")
@click.option("--include-ready", is_flag=True, help="Also rows that have a picture, not only todo rows.")
@click.option("--dry-run", is_flag=True, help="Show what would be done and write nothing.")
def sync_labeled_from_manifest(
    manifest: Path, input_path: Path, out: Path | None, include_ready: bool, dry_run: bool
) -> None:
    """Add a labeled row for every row of a manifest that has none."""
    from pipeline.data.manifest_sync import sync_labeled

    out, root = out or input_path, workspace().root
    images = read_json(manifest, BenchmarkManifest).images
    book = open_book(input_path)
    before = len(book.rows)
    done = sync_labeled(book, images, include_ready=include_ready)
    if not dry_run:
        write_csv(out, book.rows, LABELED_COLUMNS)
    for sentence in done.conflicts[:LISTED]:
        note(f"left for you to decide: {sentence}")
    for sentence in done.kept[:LISTED]:
        note(f"left as it is: {sentence}")
    shown = "nothing (dry run)" if dry_run else display_path(out, root)
    emit(
        {
            "rows_before": before,
            "rows_after": len(book.rows),
            "added": len(done.added),
            "added_rows": done.added[:LISTED],
            "enriched": len(done.items),
            "already_there": done.there,
            "kept_by_hand": done.kept,
            "conflicts": done.conflicts,
            "training_names_left_out": done.training_names,
            "include_ready": include_ready,
            "output": None if dry_run else shown,
            "dry_run": dry_run,
        },
        title="Labeled rows from the manifest",
        rows=[
            ("added", len(done.added)),
            ("got an item", len(done.items)),
            ("there already", done.there),
            ("left as they are", len(done.kept)),
            ("negative on one side only", len(done.conflicts)),
            ("written to", shown),
        ],
    )


@click.command("bootstrap-kaggle-dataset")
@click.option(
    "--source",
    type=DIRECTORY,
    envvar="KAGGLE_WASTE_DIR",
    required=True,
    help="Folder whose sub-folders are the classes (or KAGGLE_WASTE_DIR).",
)
@setting(
    "--target",
    to="kaggle.dir",
    type=DIRECTORY,
    help=f"Where it goes in the workspace; {DEFAULT_TARGET} by default.",
)
@click.option(
    "--mode",
    type=click.Choice(["symlink", "copy"]),
    default="symlink",
    help="Link the set, or copy its pictures.  [symlink]",
)
@click.option("--force", is_flag=True, help="Replace another link, or a folder of pictures, at the target.")
@click.option("--verify", is_flag=True, help="Decode every picture, not only the first three of each class.")
@click.option("--dry-run", is_flag=True, help="Look the set over and write nothing.")
def bootstrap_kaggle_dataset(
    source: Path,
    target: Path | None,
    mode: Literal["symlink", "copy"],
    force: bool,
    verify: bool,
    dry_run: bool,
) -> None:
    """Link or copy a set of class folders into the workspace."""
    from pipeline.data.dataset import bring_in, look_over

    space = workspace()
    place = space.root / (target or DEFAULT_TARGET)
    source = source.expanduser()
    look = look_over(
        source,
        space.settings.kaggle.folders,
        verify=verify,
        max_pixels=space.settings.download.max_pixels,
    )
    done = None if dry_run else bring_in(source, place, mode=mode, root=space.root, force=force)
    for sentence in look.unreadable[:LISTED]:
        note(f"not readable: {sentence}")
    if look.folders_missing:
        note(f"[kaggle.folders] names folders that the set lacks: {', '.join(look.folders_missing)}")
    shown = display_path(place, space.root)
    if space.settings.kaggle.dir is None and not dry_run:
        note(f'so that commands find it, write under [kaggle] of repath.toml: dir = "{shown}"')
    emit(
        {
            "mode": mode,
            "source": display_path(source, space.root),
            "target": shown,
            "done": done or "nothing",
            "dry_run": dry_run,
            "classes": len(look.classes),
            "pictures": look.pictures,
            "pictures_per_class": look.classes,
            "decoded": look.decoded,
            "unreadable": look.unreadable,
            "mapped_folders_missing": look.folders_missing,
        },
        title="Class folders",
        rows=[
            ("class folders", len(look.classes)),
            ("pictures", look.pictures),
            ("decoded to check", look.decoded),
            ("not readable", len(look.unreadable)),
            ("mapped folders missing", len(look.folders_missing)),
            ("target", f"{shown} ({(done or 'nothing done').replace('_', ' ')})"),
        ],
    )
