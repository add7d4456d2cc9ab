"""`repath training promote-candidate-model`."""

from __future__ import annotations

from pathlib import Path

import click
from click.core import ParameterSource

from pipeline.cli.common import DIRECTORY, FILE, emit, note, setting, workspace
from pipeline.contracts.results import BenchmarkResults
from pipeline.support import clock
from pipeline.support.candidates import Candidate, newest_candidate, open_candidate
from pipeline.support.documents import load_json, read_json
from pipeline.support.errors import UsageError
from pipeline.support.files import display_path
from pipeline.support.runs import run_named
from pipeline.training.promote import (
    analysed_candidate,
    plan_promotion,
    promote,
    require_labels_to_fit,
    require_measured,
    require_usable_by_app,
)


@click.command("promote-candidate-model")
@setting("--candidates-root", to="paths.candidates", type=DIRECTORY, help="Folder of the candidates.")
@click.option("--candidate-dir", type=DIRECTORY, help="The candidate; by default the newest.")
@click.option("--candidate-id", help="Run id of the candidate.")
@click.option("--from-analysis", type=FILE, help="Take the candidate that this analysis was made of.")
@setting("--assets-dir", to="paths.assets", type=DIRECTORY, help="Folder that the app's model lies in.")
@setting("--prefix", to="release.prefix", help="Name of the two files, without ending.")
@click.option("--write-metadata", is_flag=True, help="Also write active-model.json.")
@click.option("--metadata-path", type=FILE, help="Where that goes; by default into the assets folder.")
@setting(
    "--results", to="paths.candidate_results", required=False,
    help="Refuse a candidate that these results were not measured on.",
)  # fmt: skip
@click.option("--allow-raw-head", is_flag=True, help="Also promote a model that the app cannot use as it is.")
@click.option("--dry-run", is_flag=True, help="Check everything, write nothing.")
def promote_candidate_model(
    candidates_root: Path,
    candidate_dir: Path | None,
    candidate_id: str | None,
    from_analysis: Path | None,
    assets_dir: Path,
    prefix: str,
    write_metadata: bool,
    metadata_path: Path | None,
    results: Path | None,
    allow_raw_head: bool,
    dry_run: bool,
) -> None:
    """Copy a candidate into the assets folder, model and labels together or not at all."""
    if metadata_path is not None and not write_metadata:
        raise UsageError("--metadata-path says where, and --write-metadata that it is written: give both")
    chosen = _chosen(candidates_root, candidate_dir, candidate_id, from_analysis)
    candidate = open_candidate(chosen)
    _require_measured(candidate, results)
    require_labels_to_fit(candidate)
    if not allow_raw_head:
        require_usable_by_app(candidate)
    base = workspace().root
    plan = plan_promotion(
        candidate, assets_dir=assets_dir, prefix=prefix, promoted_at=clock.timestamp(), base=base
    )
    metadata = (metadata_path or assets_dir / "active-model.json") if write_metadata else None
    if not dry_run:
        promote(plan, metadata_path=metadata)
    emit(
        {
            "dry_run": dry_run,
            **plan.active.to_data(),
            "metadata_path": display_path(metadata, base) if metadata else None,
        },
        title="Would be promoted" if dry_run else "Promoted",
        rows=[
            ("candidate", candidate.metadata.run_id),
            ("model", plan.active.model_path),
            ("labels", f"{plan.active.labels_path} ({len(candidate.class_labels)})"),
            ("SHA-256 of the model", candidate.model_artifact.sha256),
        ],
    )


def _require_measured(candidate: Candidate, results: Path | None) -> None:
    """Hold the candidate to the results that were named, or to the workspace's where these name its model."""
    given = click.get_current_context().get_parameter_source("results") is ParameterSource.COMMANDLINE
    if results is None or not (given or results.is_file()):
        return
    measured = read_json(results, BenchmarkResults)
    named = workspace().root / measured.summary.model
    if given or (named.exists() and named.samefile(candidate.model)):
        require_measured(candidate, measured, source=str(results))
    else:
        note(f"{results} was measured on another model: nothing there says how good this candidate is")


def _chosen(root: Path, directory: Path | None, run_id: str | None, analysis: Path | None) -> Path:
    named = [
        flag
        for flag, value in (
            ("--candidate-dir", directory),
            ("--candidate-id", run_id),
            ("--from-analysis", analysis),
        )
        if value is not None
    ]
    if len(named) > 1:
        raise UsageError(f"{' and '.join(named)} each name a candidate: give one of them")
    if directory is not None:
        return directory
    if run_id is not None:
        return run_named(root, run_id)
    if analysis is not None:
        return analysed_candidate(root, load_json(analysis), source=str(analysis))
    return newest_candidate(root)
