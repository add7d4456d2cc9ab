"""`repath init`: a workspace, empty and explained, or with `--sample` a complete small one."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import click

from pipeline.cli.common import emit
from pipeline.contracts.labeled import LABELED_COLUMNS
from pipeline.contracts.settings import Settings
from pipeline.support.documents import write_csv, write_json
from pipeline.support.errors import WorkspaceError
from pipeline.support.files import output_error, staged_directory, write_bytes, write_text
from pipeline.support.settings_text import settings_toml
from pipeline.support.sources import SETTINGS_FILE

_MAY_STAND = {".git"}
"""What a folder may hold already: a workspace may be made in a repository that has nothing in it yet."""

_NEXT = (
    ("pack", "your municipality's pack"),
    ("seed_manifest", "pictures that are ready for the benchmark, with their labels"),
    ("labeled", "labeled rows: benchmark pictures, and retrain_* rows for training"),
    ("annotations", "boxes already drawn: <id>.txt (YOLO) and classes.txt"),
    ("release_notes", "what is new, before a release"),
)

_NOTES = """\
# What is new

One paragraph for the people who use the app: what the detector finds now that it did not find before.

## Labels

- Added:
- Changed:

## Measured

- Benchmark pictures, any-hit rate, negative clean rate (from the comparison):
- What became worse, and why that is acceptable:
"""

_SAMPLE_NOTES = """\
# What is new

The first detector of Sample Town: aluminum cans, cardboard boxes, glass bottles and light bulbs, learned from
drawn pictures. It shows that the lifecycle works from end to end; real rooms are beyond it.
"""

_SEED = '{\n  "name": "municipal-benchmark-seed-v1",\n  "images": []\n}\n'


@click.command()
@click.argument("directory", type=click.Path(path_type=Path, file_okay=False))
@click.option(
    "--sample", is_flag=True, help="With four drawn household items and all that a whole run needs."
)
def init(directory: Path, sample: bool) -> None:
    """Write a workspace into DIRECTORY, which must be new or empty (a .git may be there).

    Without --sample it holds the settings, each with its default and what it means, and says what to put
    where.
    """
    settings = _sample_settings() if sample else Settings()
    with _new_folder(directory) as folder:
        if sample:
            _write_sample(folder, settings)
        else:
            write_csv(folder / settings.paths.labeled, [], LABELED_COLUMNS)
            write_text(folder / settings.paths.seed_manifest, _SEED)
        (folder / settings.paths.annotations).mkdir(parents=True, exist_ok=True)
        write_text(folder / settings.paths.release_notes, _SAMPLE_NOTES if sample else _NOTES)
        write_text(folder / ".gitignore", _ignored(settings))
        write_text(folder / SETTINGS_FILE, settings_toml(settings))
        files = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
    _tell(directory, settings, files, sample=sample)


def _sample_settings() -> Settings:
    from pipeline.data.sample import sample_settings

    return sample_settings()


def _write_sample(folder: Path, settings: Settings) -> None:
    from pipeline.data.sample import assemble, draw_planned, plan
    from pipeline.support.progress import track

    planned = plan()
    pictures = [draw_planned(each) for each in track(planned, total=len(planned), what="Drawing pictures")]
    sample = assemble(planned, pictures)
    write_json(folder / settings.paths.pack, sample.pack)
    write_json(folder / settings.paths.seed_manifest, sample.seed)
    write_csv(folder / settings.paths.labeled, sample.labeled, LABELED_COLUMNS)
    for path, data in sample.pictures.items():
        write_bytes(folder / path, data)
    for name, text in sample.annotations.items():
        write_text(folder / settings.paths.annotations / name, text)


def _ignored(settings: Settings) -> str:
    paths = settings.paths
    folders = (paths.image_cache, paths.bundles, paths.runs, paths.candidates, paths.releases)
    lines = [
        "# What the commands write and can write again.",
        "/.repath/",
        f"/{settings.data.into}/",
        *(f"/{path}/" for path in folders),
    ]
    return "\n".join([*lines, "*.part", ""])


def _tell(directory: Path, settings: Settings, files: list[str], *, sample: bool) -> None:
    run = f"repath run --workspace {directory}"
    wanted = [] if sample else [{"path": getattr(settings.paths, key), "put": what} for key, what in _NEXT]
    rows: list[tuple[str, object]] = [(each["path"], each["put"]) for each in wanted]
    if sample:
        pictures = sum(name.endswith(".jpg") for name in files)
        rows = [("pictures", pictures), ("labels", "four household items"), ("settings", SETTINGS_FILE)]
    summary = {"workspace": str(directory), "sample": sample, "files": files, "put": wanted, "next": run}
    emit(summary, title=f"Workspace {directory}", rows=[*rows, ("then", run)])


@contextlib.contextmanager
def _new_folder(directory: Path) -> Iterator[Path]:
    """Give a folder to fill; its contents come to stand in ``directory`` when the block ends well.

    Raises:
        WorkspaceError: ``directory`` holds something already.
        OutputError: it cannot be written; then nothing of the workspace is there.
    """
    target = directory.resolve()
    if not target.exists():
        with staged_directory(target) as folder:
            yield folder
        return
    _refuse_filled(directory)
    # An empty folder is filled, not replaced: it may be the one that the user's shell stands in.
    try:
        folder = Path(tempfile.mkdtemp(prefix=".repath-init.", suffix=".part", dir=target))
    except OSError as error:
        raise output_error(directory, error) from error
    try:
        yield folder
        _move_up(folder, target)
    except OSError as error:
        raise output_error(directory, error) from error
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _refuse_filled(directory: Path) -> None:
    if (directory / SETTINGS_FILE).exists():
        raise WorkspaceError(
            f"{directory} is a workspace already: it holds a {SETTINGS_FILE}",
            hint=f"Run it with: repath run --workspace {directory}",
        )
    try:
        standing = sorted(path.name for path in directory.iterdir() if path.name not in _MAY_STAND)
    except OSError as error:
        raise output_error(directory, error) from error
    if standing:
        shown = ", ".join(standing[:3]) + (", …" if len(standing) > 3 else "")
        raise WorkspaceError(
            f"{directory} is not empty: it holds {shown}", hint="Choose a new or an empty folder."
        )


def _move_up(folder: Path, target: Path) -> None:
    # The settings come last: a folder with a repath.toml is a whole workspace.
    names = sorted((path.name for path in folder.iterdir()), key=lambda name: (name == SETTINGS_FILE, name))
    try:
        for name in names:
            (folder / name).rename(target / name)
    except OSError:
        for name in names:
            if not (folder / name).exists() and (target / name).exists():
                (target / name).rename(folder / name)
        raise
