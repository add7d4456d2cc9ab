"""`repath training export-annotations` and `import-annotations`."""

from __future__ import annotations

import typing
from pathlib import Path

import click

from pipeline.cli.common import FILE, emit, note, workspace
from pipeline.cli.training_detector import bundle_options, label_map, name_some
from pipeline.cli.training_export import bundle_of
from pipeline.contracts.exchange import IMPORT_REPORT_FILE, ImportReport, Tool
from pipeline.support import clock
from pipeline.support.documents import write_json
from pipeline.support.errors import IssuesFoundError
from pipeline.support.files import display_path

TOOLS = click.Choice(typing.get_args(Tool))
LOCAL_FILES = "/data/local-files/?d=images/"
_NEXT = {
    "cvat": "make a task with the labels of labels.json (Raw) and the pictures, then upload annotations.xml "
    "as CVAT 1.1",
    "label-studio": "set labeling-config.xml as labeling interface, serve images/, then import tasks.json",
    "coco": "annotations/instances_default.json is the file",
    "yolo": "data.yaml is the dataset; CVAT takes a zip of it as Ultralytics YOLO Detection",
}


@click.command("export-annotations")
@click.option("--to", "tool", type=TOOLS, required=True, help="The tool or format.")
@bundle_options
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    required=True,
    help="A new folder, or with the ending .zip a new file.",
)
@click.option("--images/--no-images", default=True, show_default=True, help="Copy the pictures too.")
@click.option(
    "--image-prefix",
    default=LOCAL_FILES,
    show_default=True,
    help="What stands before a picture's name in Label Studio's tasks: its local storage, or a url.",
)
def export_annotations(
    tool: Tool, bundle_dir: Path | None, bundle_root: Path | None, out: Path, images: bool, image_prefix: str
) -> None:
    """Write a bundle as an annotation tool reads it, with its classes and boxes.

    Boxes that a detector proposed are marked: as predictions in Label Studio, as made automatically in CVAT.
    """
    from pipeline.training.bundle_rows import read_bundle
    from pipeline.training.exchange.outgoing import export_of, image_names, tool_files, write_export

    space = workspace()
    bundle = read_bundle(bundle_of(bundle_root, bundle_dir))
    export = export_of(bundle, max_pixels=space.settings.download.max_pixels)
    files = tool_files(export.outgoing, tool, prefix=image_prefix)
    names = image_names(export.outgoing, tool) if images else {}
    write_export(out, files, {name: export.images[key] for key, name in names.items()})
    name_some([f"{name} is left out: {reason}" for name, reason in export.left_out.items()])
    name_some(
        [
            f"{name}: {count} lines of its label file are no boxes"
            for name, count in export.faulty_lines.items()
        ]
    )
    pictures = export.outgoing.pictures
    boxes = sum(len(picture.regions) for picture in pictures)
    proposed = sum(picture.proposed for picture in pictures)
    note(f"next: {_NEXT[tool]}")
    emit(
        {
            "out": display_path(out, space.root),
            "format": tool,
            "bundle_dir": display_path(bundle.directory, space.root),
            "pictures": len(pictures),
            "boxes": boxes,
            "proposed_pictures": proposed,
            "classes": list(export.outgoing.classes),
            "left_out": export.left_out,
            "faulty_lines": export.faulty_lines,
        },
        title="Exported",
        rows=[
            ("to", display_path(out, space.root)),
            ("pictures", len(pictures)),
            ("boxes", boxes),
            ("pictures with proposals", proposed),
            ("left out", len(export.left_out)),
        ],
    )


@click.command("import-annotations")
@click.option("--from", "tool", type=TOOLS, required=True, help="The tool or format.")
@click.option(
    "--input",
    "source_path",
    type=click.Path(path_type=Path),
    required=True,
    help="What the tool exported: a file, a zip or a folder.",
)
@bundle_options
@click.option(
    "--map", "maps", multiple=True, metavar="LABEL=CLASS", help="A label of the tool that is another class."
)
@click.option("--partial", is_flag=True, help="Take a picture's boxes although some shapes are none.")
@click.option("--allow-emptied", is_flag=True, help="Take away drawn boxes of pictures that came back empty.")
@click.option(
    "--confirm-proposals", is_flag=True, help="Somebody has looked at every picture that came back."
)
@click.option("--annotator", default="", help="Name to write beside the pictures that changed.")
@click.option("--report", type=FILE, help="The report; by default import-report.json in the bundle.")
@click.option("--dry-run", is_flag=True, help="Say what would change; write nothing but a --report.")
@click.option("--strict", is_flag=True, help="Exit 2 where something did not come back as it should.")
def import_annotations(
    tool: Tool,
    source_path: Path,
    bundle_dir: Path | None,
    bundle_root: Path | None,
    maps: tuple[str, ...],
    partial: bool,
    allow_emptied: bool,
    confirm_proposals: bool,
    annotator: str,
    report: Path | None,
    dry_run: bool,
    strict: bool,
) -> None:
    """Take boxes back from an annotation tool; what they replace is kept under backups/ in the bundle.

    A picture with a shape that is no box of the bundle is left as it was. Boxes that come back where they
    were keep their line in the label file, byte for byte.
    """
    from pipeline.training.bundle_rows import read_bundle
    from pipeline.training.exchange.apply import apply_import, backup_name, report_of
    from pipeline.training.exchange.archive import open_source
    from pipeline.training.exchange.incoming import ImportOptions, plan_import, read_tool
    from pipeline.training.exchange.outgoing import picture_sizes

    space = workspace()
    options = ImportOptions(label_map(maps), partial, allow_emptied, confirm_proposals, annotator.strip())
    bundle = read_bundle(bundle_of(bundle_root, bundle_dir))
    with open_source(source_path) as source:
        read = read_tool(source, tool)
        digest = source.sha256
    sizes = picture_sizes(bundle.rows, max_pixels=space.settings.download.max_pixels)
    plan = plan_import(bundle, sizes, read, options)
    backup = None if dry_run else backup_name(plan)
    made = report_of(
        plan,
        tool=tool,
        source=display_path(source_path, space.root),
        source_sha256=digest,
        bundle_dir=display_path(bundle.directory, space.root),
        backup=backup,
        generated_at=clock.timestamp(),
    )
    if not dry_run:
        apply_import(plan, backup)
    path = report or (None if dry_run else bundle.directory / IMPORT_REPORT_FILE)
    if path is not None:
        write_json(path, made)
    _show(made, path, dry_run=dry_run)
    incomplete = made.summary.problems + made.summary.pictures_not_returned
    if strict and incomplete:
        raise IssuesFoundError(f"{source_path}: {incomplete} things did not come back as they should")


def _show(report: ImportReport, path: Path | None, *, dry_run: bool) -> None:
    summary = report.summary
    name_some(
        [
            f"{problem.picture}: {problem.kind}: {problem.reason}"
            + (" (left as it was)" if problem.held_back else "")
            for problem in report.problems
        ]
    )
    name_some([f"{name}: did not come back" for name in report.not_returned])
    kinds: dict[str, int] = {}
    for problem in report.problems:
        kinds[problem.kind] = kinds.get(problem.kind, 0) + 1
    shown = display_path(path, workspace().root) if path else None
    emit(
        {
            "dry_run": dry_run,
            "report": shown,
            "bundle_dir": report.bundle_dir,
            "backup": report.backup,
            **summary.to_data(),
            "problem_kinds": kinds,
            "not_returned": report.not_returned,
            "changes": [change.to_data() for change in report.changes],
        },
        title="Would be imported" if dry_run else "Imported",
        rows=[
            ("pictures changed", f"{summary.pictures_changed} of {summary.pictures_in_file}"),
            ("boxes kept", summary.boxes_kept),
            ("moved", summary.boxes_moved),
            ("relabelled", summary.boxes_relabelled),
            ("added", summary.boxes_added),
            ("removed", summary.boxes_removed),
            ("left as they were", summary.pictures_held_back),
            ("did not come back", summary.pictures_not_returned),
            *[(f"  {kind}", count) for kind, count in sorted(kinds.items())],
            ("what was replaced", report.backup),
        ],
    )
