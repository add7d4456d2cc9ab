"""`repath evaluation compare-benchmark-results`: figures, verdict, changed pictures, gate."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

import click

from pipeline.cli.common import FILE, SEED, emit, keep_inputs, note, setting, workspace
from pipeline.contracts.comparison import Comparison, Difference
from pipeline.support.errors import UsageError
from pipeline.support.files import display_path, is_within, write_text


@click.command("compare-benchmark-results")
@setting("--baseline", to="paths.baseline_results", required=False, help="Results of the model in use.")
@setting("--candidate", to="paths.candidate_results", help="Results of the new model.")
@setting("--out", to="paths.comparison", help="Where the comparison is written.")
@click.option("--no-baseline", is_flag=True, help="A first release: floors alone apply.")
@click.option("--gate", is_flag=True, help="End with 3, and say why, where [gate] is not met.")
@click.option("--markdown", type=FILE, default=None, help="Write the verdict as Markdown, too.")
@click.option(
    "--allow-different",
    "allowed",
    type=click.Choice(get_args(Difference)),
    multiple=True,
    help="Compare although this differs, and say so in the output.",
)
@click.option("--seed", type=SEED, default=0, show_default=True, help="Of the resamples.")
@click.option(
    "--resamples",
    type=click.IntRange(1000, 1_000_000),
    default=10_000,
    show_default=True,
    help="Of the bootstrap and the randomisation test.",
)
def compare_benchmark_results(
    baseline: Path | None,
    candidate: Path,
    out: Path,
    no_baseline: bool,
    gate: bool,
    markdown: Path | None,
    allowed: tuple[Difference, ...],
    seed: int,
    resamples: int,
) -> None:
    """Compare a candidate's results with a baseline's, and say whether the difference is real.

    The statistics are paired, over the pictures that both measured alike.
    """
    from pipeline.contracts.results import BenchmarkResults
    from pipeline.evaluation.compare import compare_results
    from pipeline.evaluation.gate import apply_gate, require_passed
    from pipeline.evaluation.markdown import comparison_markdown
    from pipeline.support.documents import read_json, write_json

    space = workspace()
    if baseline is None and not no_baseline:
        raise UsageError("--baseline is missing", hint="Before a first release give --no-baseline.")
    against = None if no_baseline or baseline is None else baseline
    for written in (out, markdown):
        keep_inputs(written, against, candidate)
    measured = read_json(candidate, BenchmarkResults)
    comparison = compare_results(
        read_json(against, BenchmarkResults) if against else None,
        measured,
        baseline_path=display_path(against, space.root) if against else None,
        candidate_path=display_path(candidate, space.root),
        allowed=allowed,
        margins=space.settings.gate.margin,
        root=space.root,
        seed=seed,
        resamples=resamples,
    )
    comparison = apply_gate(
        comparison,
        measured,
        space.settings.gate,
        model_bytes=_size_within(space.root, measured.summary.model),
    )
    write_json(out, comparison)
    if markdown is not None:
        write_text(markdown, comparison_markdown(comparison))
    for words in comparison.notes:
        note(words)
    emit(_summary(comparison, out), title="Comparison", rows=_rows(comparison))
    if gate and comparison.gate is not None:
        require_passed(comparison.gate)


@click.command("render-comparison")
@click.option("--comparison", type=FILE, required=True, help="A comparison, of others too.")
@click.option("--markdown", type=FILE, required=True, help="Where the Markdown is written.")
def render_comparison(comparison: Path, markdown: Path) -> None:
    """Write a comparison as Markdown for a pull request or a job summary.

    The file may come from a run that is not trusted: it is held to its contract, and nothing that it says
    becomes markup, a mention or a link.
    """
    from pipeline.evaluation.markdown import comparison_markdown
    from pipeline.support.documents import read_json

    compared = read_json(comparison, Comparison)
    write_text(markdown, comparison_markdown(compared))
    judged = compared.statistics
    summary = {
        "comparison": display_path(comparison),
        "output": display_path(markdown),
        "verdict": judged.verdict if judged else None,
        "gate_passed": compared.gate.passed if compared.gate else None,
    }
    rows = [("verdict", summary["verdict"]), ("gate passed", summary["gate_passed"])]
    emit(summary, title="Comparison as Markdown", rows=rows)


def _size_within(root: Path, recorded: str) -> int | None:
    path = root / recorded
    return path.stat().st_size if is_within(path, root) and path.is_file() else None


def _summary(comparison: Comparison, out: Path) -> dict[str, object]:
    judged = comparison.statistics
    return {
        "baseline": comparison.baseline,
        "candidate": comparison.candidate,
        "output": display_path(out),
        "verdict": judged.verdict if judged else None,
        "sentence": judged.sentence if judged else None,
        "metrics": {name: figure.to_data() for name, figure in comparison.comparison.items()},
        "overlap_rows": comparison.overlap.rows,
        "changed_pictures": len(comparison.changes or []),
        "gate": comparison.gate.to_data() if comparison.gate else None,
        "notes": comparison.notes,
    }


def _rows(comparison: Comparison) -> list[tuple[str, object]]:
    from pipeline.evaluation.verdict import in_words, name_of

    rows: list[tuple[str, object]] = [("pictures measured on both sides", comparison.overlap.rows)]
    if comparison.statistics is not None:
        rows.append(("verdict", comparison.statistics.verdict))
        rows += [
            (name_of(figure), f"{figure.verdict}: {in_words(figure)}")
            for figure in comparison.statistics.figures
        ]
        rows.append(("changed pictures", len(comparison.changes or [])))
    if comparison.gate is not None:
        rows.append(("gate", "passed" if comparison.gate.passed else "says no"))
        rows += [("", reason.words) for reason in comparison.gate.reasons if reason.outcome != "met"]
    return rows
