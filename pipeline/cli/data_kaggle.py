"""`repath data suggest-benchmark-from-kaggle`."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path

import click
from pydantic import TypeAdapter, ValidationError

from pipeline.cli.common import DIRECTORY, FILE, emit, note, root_option, setting, workspace
from pipeline.cli.data_book import LISTED, merge_into_option, open_book, out_option
from pipeline.contracts.base import faults_of
from pipeline.contracts.labeled import LABELED_COLUMNS
from pipeline.contracts.manifest import BenchmarkManifest
from pipeline.support.documents import load_json, read_json, read_text, write_csv
from pipeline.support.errors import ContractError, InputError, UsageError
from pipeline.support.files import display_path


@click.command("suggest-benchmark-from-kaggle")
@setting("--manifest", to="paths.manifest", help="Benchmark manifest whose todo rows want a picture.")
@setting(
    "--kaggle-dir",
    to="kaggle.dir",
    type=DIRECTORY,
    envvar="KAGGLE_WASTE_DIR",
    help="Folder that holds the class folders (or KAGGLE_WASTE_DIR).",
)
@setting("--cache-dir", to="paths.image_cache", type=DIRECTORY, help="Folder that pictures are copied into.")
@out_option
@merge_into_option
@click.option(
    "--folders",
    "folders_file",
    type=FILE,
    default=None,
    help="TOML or JSON file: label to folder names, the best first. Without it [kaggle.folders] of "
    "repath.toml.",
)
@root_option
def suggest_benchmark_from_kaggle(
    manifest: Path,
    kaggle_dir: Path | None,
    cache_dir: Path,
    out: Path | None,
    merge_into: Path,
    folders_file: Path | None,
    root: Path | None,
) -> None:
    """Give todo rows pictures out of class folders."""
    from pipeline.data.kaggle import FolderSuggester, used_pictures
    from pipeline.data.places import Places
    from pipeline.support.class_folders import ClassFolders
    from pipeline.support.sources import SourceFinder

    space = workspace()
    if kaggle_dir is None:
        raise UsageError(
            "the class folders are not known",
            hint="Give --kaggle-dir, KAGGLE_WASTE_DIR or kaggle.dir in repath.toml.",
        )
    mapping: Mapping[str, Sequence[str]] = space.settings.kaggle.folders
    if folders_file is not None:
        mapping = _read_mapping(folders_file)
    if not mapping:
        raise UsageError(
            "no label is mapped to a folder",
            hint="Map them in [kaggle.folders] of repath.toml, or in a file given with --folders.",
        )
    wanted = read_json(manifest, BenchmarkManifest)
    book = open_book(merge_into)
    suggester = FolderSuggester(
        folders=ClassFolders(space.root / kaggle_dir.expanduser()),
        mapping=mapping,
        places=Places(merge_into, root),
        cache_dir=cache_dir,
        used=used_pictures(book.rows, SourceFinder(merge_into, root=root)),
        max_pixels=space.settings.download.max_pixels,
    )
    result = suggester.suggest(wanted, book, source=str(manifest))
    if out is not None:
        write_csv(out, result.rows, LABELED_COLUMNS)
    write_csv(merge_into, book.rows, LABELED_COLUMNS)
    for sentence in result.unreadable[:LISTED]:
        note(f"passed over: {sentence}")
    emit(
        {
            "matched_rows": len(result.rows),
            "already_labeled": result.already_labeled,
            "negatives_left": result.negatives,
            "training_names_left_out": result.training_names,
            "labels_without_folder": result.unmapped_labels,
            "labels_without_unused_picture": result.exhausted_labels,
            "unreadable": result.unreadable,
            "output": None if out is None else display_path(out, space.root),
            "merged_into": display_path(merge_into, space.root),
            "merged_row_count": len(book.rows),
        },
        title="Pictures from class folders",
        rows=[
            ("rows that got a picture", len(result.rows)),
            ("labeled already", result.already_labeled),
            ("labels without a folder", len(result.unmapped_labels)),
            ("labels without an unused picture", len(result.exhausted_labels)),
            ("unreadable pictures", len(result.unreadable)),
            ("merged into", display_path(merge_into, space.root)),
        ],
    )


def _read_mapping(path: Path) -> dict[str, list[str]]:
    """Read label to folder names; TOML may hold them under ``[kaggle.folders]``."""
    if path.suffix.lower() == ".toml":
        try:
            data: object = tomllib.loads(read_text(path))
        except tomllib.TOMLDecodeError as error:
            raise InputError(f"{path}: not TOML: {error}") from None
    else:
        data = load_json(path)
    if isinstance(data, dict) and isinstance(data.get("kaggle"), dict):
        data = data["kaggle"].get("folders", {})
    try:
        return TypeAdapter(dict[str, list[str]]).validate_python(data, strict=True)
    except ValidationError as error:
        hint = 'It maps a label to folder names: "Aluminum Can" = ["aluminum_soda_cans"].'
        raise ContractError(str(path), faults_of(error, data), hint=hint) from None
