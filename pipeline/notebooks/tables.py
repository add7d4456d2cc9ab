"""Tables under a cell, as pandas frames: pandas escapes what stands in them, and they can be worked on."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

from pipeline.contracts.comparison import Comparison, GateReport
from pipeline.contracts.labeled import LabeledRow
from pipeline.contracts.manifest import BenchmarkManifest
from pipeline.contracts.taxonomy import Taxonomy
from pipeline.evaluation.verdict import name_of
from pipeline.release.publish import Published
from pipeline.release.verify import VerifiedRelease
from pipeline.support.roots import Root
from pipeline.training.dataset import Dataset

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

_NEGATIVE = "(negative)"


def roots_table(roots: Sequence[Root]) -> pd.DataFrame:
    """Return where everything lies, and what says so."""
    import pandas as pd

    rows = [(root.name, str(root.folder or ""), root.source, root.holds) for root in roots]
    return pd.DataFrame(rows, columns=["root", "folder", "named by", "holds"]).set_index("root")


def coverage_table(taxonomy: Taxonomy, manifest: BenchmarkManifest) -> pd.DataFrame:
    """Return each label with its rows of the benchmark, ready and to do; the least covered come first."""
    import pandas as pd

    ready: Counter[str] = Counter()
    todo: Counter[str] = Counter()
    for row in manifest.images:
        for label in dict.fromkeys([*(row.expected_all or []), *(row.expected_any or [])]):
            (ready if row.is_ready else todo)[label] += 1
    labels = [each.canonical_label for each in taxonomy.vision_classes]
    rows = [(label, ready[label], todo[label]) for label in labels]
    table = pd.DataFrame(rows, columns=["label", "ready", "to do"])
    return table.sort_values(["ready", "label"], kind="stable").set_index("label")


def labeled_table(rows: Sequence[LabeledRow]) -> pd.DataFrame:
    """Return how many rows each label has for benchmark and training, and how many lack a picture."""
    import pandas as pd

    frame = pd.DataFrame(
        {
            "label": [row.canonical_label or _NEGATIVE for row in rows],
            "use": ["training" if row.feeds_retraining else "benchmark" for row in rows],
            "without url": [not row.url for row in rows],
        }
    )
    table = pd.crosstab(frame["label"], frame["use"])
    table["without url"] = frame.groupby("label")["without url"].sum()
    return table


def split_table(dataset: Dataset) -> pd.DataFrame:
    """Return how many pictures of each label train, validate and test."""
    import pandas as pd

    frame = pd.DataFrame(
        [
            (_NEGATIVE if row.is_negative else row.class_label, subset)
            for subset, rows in dataset.subsets.items()
            for row in rows
        ],
        columns=["label", "subset"],
    )
    table = pd.crosstab(frame["label"], frame["subset"])
    return table.reindex(columns=[name for name in ("train", "val", "test") if name in table])


def figures_table(comparison: Comparison) -> pd.DataFrame:
    """Return each figure of both models with its change, what the pictures allow to say of it, and why.

    Without a baseline the candidate's figures alone.
    """
    import pandas as pd

    if comparison.statistics is None:
        alone = [(name.replace("_", " "), figure.candidate) for name, figure in comparison.comparison.items()]
        return pd.DataFrame(alone, columns=["figure", "candidate"]).set_index("figure")
    rows = [
        (
            name_of(figure),
            figure.baseline,
            figure.candidate,
            figure.delta,
            "" if figure.interval is None else f"{figure.interval[0]:+.3f} to {figure.interval[1]:+.3f}",
            figure.verdict,
            figure.cases,
        )
        for figure in comparison.statistics.figures
    ]
    columns = ["figure", "baseline", "candidate", "change", "95% interval", "verdict", "pictures"]
    return pd.DataFrame(rows, columns=columns).set_index("figure").round(3)


def labels_table(comparison: Comparison) -> pd.DataFrame:
    """Return on how many pictures of each label both models found it; empty without a baseline."""
    import pandas as pd

    labels = comparison.statistics.labels if comparison.statistics is not None else []
    rows = [
        (each.label, each.cases, each.baseline_hits, each.candidate_hits, each.verdict) for each in labels
    ]
    columns = ["label", "pictures", "baseline finds", "candidate finds", "verdict"]
    return pd.DataFrame(rows, columns=columns).set_index("label")


def gate_table(report: GateReport) -> pd.DataFrame:
    """Return each condition of the gate and how it came out."""
    import pandas as pd

    rows = [(reason.condition, reason.outcome, reason.words) for reason in report.reasons]
    return pd.DataFrame(rows, columns=["condition", "outcome", "in words"]).set_index("condition")


def artifacts_table(verified: VerifiedRelease) -> pd.DataFrame:
    """Return the files of a release that verifies, with their digests."""
    import pandas as pd

    rows = [
        (item.filename, item.bytes, item.content_type, item.sha256) for item in verified.manifest.artifacts
    ]
    return pd.DataFrame(rows, columns=["file", "bytes", "type", "SHA-256"]).set_index("file")


def steps_table(plan: Published) -> pd.DataFrame:
    """Return what a publication would do, step by step."""
    import pandas as pd

    steps = list(plan.steps) or ["nothing: this very release is published already"]
    return pd.DataFrame({"step": steps}, index=pd.RangeIndex(1, len(steps) + 1, name="number"))


def coverage_bars(table: pd.DataFrame, *, most: int = 40) -> Figure:
    """Draw the pictures of each label of `coverage_table`, the least covered on top."""
    from pipeline.support.figures import new_figure, shortened

    shown = table.head(most).iloc[::-1]
    figure = new_figure(9, 1.2 + 0.28 * len(shown))
    axes = figure.add_subplot()
    names = [shortened(str(label)) for label in shown.index]
    places = range(len(names))
    axes.barh(places, shown["ready"], color="#1b7f3b", label="ready")
    axes.barh(places, shown["to do"], left=shown["ready"], color="0.85", label="to do")
    axes.set_yticks(list(places), names, fontsize=8, parse_math=False)
    axes.set_xlabel("rows of the benchmark")
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, fontsize=8)
    rest = len(table) - len(shown)
    if rest > 0:
        axes.set_title(f"{rest} better covered labels are left out", fontsize=8, loc="left")
    return figure
