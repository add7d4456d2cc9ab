"""The gate: whether a candidate may be promoted, with the reasons in words.

Every condition of ``[gate]`` in repath.toml is met, not met, or cannot be told from these pictures; what the
last one does is the user's choice. Without a baseline (the first release) floors and ceilings alone apply.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from pipeline.contracts.comparison import Comparison, FigureVerdict, GateReason, GateReport
from pipeline.contracts.results import BenchmarkResults
from pipeline.contracts.settings import Gate
from pipeline.evaluation.verdict import WORDS, in_words
from pipeline.support.errors import GateError, WorkspaceError

_FLOORS = ("micro_precision", "micro_recall", "any_hit_rate", "negative_clean_rate", "map50", "map50_95")

Outcome = Literal["met", "not met", "cannot tell"]


def apply_gate(
    comparison: Comparison, candidate: BenchmarkResults, gate: Gate, *, model_bytes: int | None = None
) -> Comparison:
    """Return the comparison with what the gate says of it.

    Args:
        comparison: of the candidate with the baseline, or without one.
        candidate: the candidate's own results, for floors and latency.
        gate: the settings.
        model_bytes: size of the candidate's model file, where it is known.

    Raises:
        WorkspaceError: the settings name a figure that there is none of.
    """
    _check_names(gate)
    reasons = [*_floors(candidate, gate), *_ceilings(candidate, gate, model_bytes)]
    if comparison.baseline is not None:
        reasons += [*_overlap(comparison, gate), *_margins(comparison, gate), *_regressions(comparison, gate)]
        reasons += _labels(comparison, gate)
    blocking = {"not met"} | ({"cannot tell"} if gate.cannot_tell == "block" else set())
    passed = not any(reason.outcome in blocking for reason in reasons)
    return comparison.replace(gate=GateReport(passed=passed, reasons=reasons))


def require_passed(report: GateReport) -> None:
    """Stop where the gate says no.

    Raises:
        GateError: with every reason in words.
    """
    if not report.passed:
        against = [reason.words for reason in report.reasons if reason.outcome != "met"]
        raise GateError(
            "the gate says no:\n" + "\n".join(f"  {words}" for words in against),
            hint="The conditions stand under [gate] in repath.toml.",
        )


def _check_names(gate: Gate) -> None:
    for table, names in (("min", gate.min), ("margin", gate.margin)):
        unknown = sorted(set(names) - set(_FLOORS))
        if unknown:
            raise WorkspaceError(
                f"repath.toml: [gate.{table}] names {unknown[0]!r}, which is no figure",
                hint=f"The figures are: {', '.join(_FLOORS)}",
            )


def _floors(candidate: BenchmarkResults, gate: Gate) -> Iterator[GateReason]:
    for name, floor in sorted(gate.min.items()):
        value: float | None = getattr(candidate.summary, name)
        words = WORDS[name]
        if value is None:
            said = f"{words} has no cases to measure, and must be at least {floor:g}"
            yield _reason(f"min.{name}", "cannot tell", said)
        elif value < floor:
            yield _reason(f"min.{name}", "not met", f"{words} is {value:.4g}, below the floor {floor:g}")
        else:
            yield _reason(f"min.{name}", "met", f"{words} is {value:.4g}, at least {floor:g}")


def _ceilings(candidate: BenchmarkResults, gate: Gate, model_bytes: int | None) -> Iterator[GateReason]:
    latency = candidate.timing.latency_ms.p95 if candidate.timing else None
    if gate.max_latency_ms is not None:
        yield _ceiling("max_latency_ms", "latency (p95, ms)", latency, gate.max_latency_ms)
    if gate.max_model_bytes is not None:
        yield _ceiling("max_model_bytes", "the model file (bytes)", model_bytes, gate.max_model_bytes)


def _ceiling(condition: str, words: str, value: float | None, ceiling: float) -> GateReason:
    if value is None:
        said = f"{words} is not known, and must be at most {ceiling:,.6g}"
        return _reason(condition, "cannot tell", said)
    if value > ceiling:
        return _reason(condition, "not met", f"{words} is {value:,.10g}, above the ceiling {ceiling:,.10g}")
    return _reason(condition, "met", f"{words} is {value:,.10g}, at most {ceiling:,.10g}")


def _overlap(comparison: Comparison, gate: Gate) -> Iterator[GateReason]:
    rows, least = comparison.overlap.rows, gate.min_overlap_rows
    if rows < least:
        words = f"{rows} pictures were measured on both sides, fewer than {least}"
        yield _reason("min_overlap_rows", "not met", words)
    elif least:
        yield _reason("min_overlap_rows", "met", f"{rows} pictures were measured on both sides")


def _margins(comparison: Comparison, gate: Gate) -> Iterator[GateReason]:
    """Non-inferiority: the worst that the pictures leave open must lie above the margin."""
    figures = _figures(comparison)
    for name, margin in sorted(gate.margin.items()):
        figure, condition = figures.get(name), f"margin.{name}"
        if figure is None or figure.delta is None or figure.equivalence_interval is None:
            words = f"{WORDS[name]} was not measured on both sides; it may fall by at most {margin:g}"
            yield _reason(condition, "cannot tell", words)
        elif figure.equivalence_interval[0] > -margin:
            words = f"{in_words(figure)} has not fallen by more than {margin:g}"
            yield _reason(condition, "met", words)
        elif figure.verdict == "regressed" and figure.delta < -margin:
            yield _reason(condition, "not met", f"{in_words(figure)}: it may fall by at most {margin:g}")
        else:
            more = _how_many(figure)
            words = f"{in_words(figure)}: too few pictures to rule out a fall by more than {margin:g}{more}"
            yield _reason(condition, "cannot tell", words)


def _regressions(comparison: Comparison, gate: Gate) -> Iterator[GateReason]:
    """A proven regression blocks; where a figure has a margin, the margin decides instead."""
    if comparison.statistics is None:
        yield _reason("verdict", "cannot tell", "the two results have no picture in common")
        return
    free = [figure for name, figure in _figures(comparison).items() if name not in gate.margin]
    worse = [in_words(figure) for figure in free if figure.verdict == "regressed"]
    verdict = comparison.statistics.verdict
    if verdict == "regressed" and worse:
        yield _reason("verdict", "not met", f"the candidate is worse: {'; '.join(worse)}")
    elif verdict == "cannot tell":
        yield _reason("verdict", "cannot tell", comparison.statistics.sentence)
    else:
        yield _reason("verdict", "met", comparison.statistics.sentence)


def _labels(comparison: Comparison, gate: Gate) -> Iterator[GateReason]:
    known = {
        change.label: change for change in (comparison.statistics.labels if comparison.statistics else [])
    }
    for label in gate.labels_must_not_regress:
        change = known.get(label)
        condition = "labels_must_not_regress"
        if change is None:
            words = f"no picture measured on both sides shows {label}"
            yield _reason(condition, "cannot tell", words)
            continue
        words = f"{label} is found on {change.candidate_hits} of {change.cases} pictures"
        outcome: Outcome = "not met" if change.candidate_hits < change.baseline_hits else "met"
        yield _reason(condition, outcome, f"{words}, by the baseline on {change.baseline_hits}")


def _figures(comparison: Comparison) -> dict[str, FigureVerdict]:
    if comparison.statistics is None:
        return {}
    return {figure.figure: figure for figure in comparison.statistics.figures}


def _how_many(figure: FigureVerdict) -> str:
    return f" ({figure.cases} there are)" if figure.cases else ""


def _reason(condition: str, outcome: Outcome, words: str) -> GateReason:
    return GateReason(condition=condition, outcome=outcome, words=words)
